//! The ARN of an instance profile that the user brings along.

use std::str::FromStr;

use crate::limits::arn::Arn;
use crate::limits::partition::Partition;

/// What a profile is called in ARNs.
pub(crate) const IAM_KIND: &str = "instance-profile";

/// `arn:PARTITION:iam::ACCOUNT:instance-profile/PATH/NAME`. The account is kept as written:
/// one that is not twelve digits is a warning, not an error, as kops accepts it.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct ProfileArn {
    pub(crate) account: String,
    /// The profile's name, its path left out.
    pub(crate) name: String,
    text: String,
}

impl ProfileArn {
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// AWS account ids have twelve digits.
    pub(crate) fn has_plausible_account(&self) -> bool {
        self.account.len() == 12
    }
}

impl FromStr for ProfileArn {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        const FORM: &str =
            "write it like arn:aws:iam::123456789012:instance-profile/KopsExampleRole";
        let arn = Arn::parse(text).map_err(|_| FORM)?;
        let path = arn.of_kind(IAM_KIND).ok_or(FORM)?;
        let name = arn.iam_name(IAM_KIND).ok_or(FORM)?;
        let names = |c: char| c.is_ascii_alphanumeric() || "+=,.@_-".contains(c);
        let valid = Partition::names().contains(&arn.partition)
            && arn.region.is_empty()
            && !arn.account.is_empty()
            && arn.account.bytes().all(|b| b.is_ascii_digit())
            && path.split('/').all(|part| part.chars().all(names));
        if !valid {
            return Err(FORM);
        }
        Ok(Self { account: arn.account.to_owned(), name: name.to_owned(), text: text.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::ProfileArn;

    #[test]
    fn arns_of_profiles_parse() {
        let arn: ProfileArn =
            "arn:aws:iam::1234567890108:instance-profile/kops-custom-node-role".parse().unwrap();
        assert_eq!(arn.name, "kops-custom-node-role");
        assert!(!arn.has_plausible_account());
        let arn: ProfileArn =
            "arn:aws-cn:iam::123456789012:instance-profile/org/team/nodes".parse().unwrap();
        assert_eq!(arn.name, "nodes");
        assert!(arn.has_plausible_account());
    }

    #[test]
    fn other_arns_do_not() {
        for text in [
            "nodes",
            "arn:aws:iam::123456789012:role/nodes",
            "arn:aws:iam::me:instance-profile/nodes",
            "arn:aws:iam::123456789012:instance-profile/",
            "arn:aws:iam::123456789012:instance-profile/team/",
            "arn:aws:iam:us-west-2:123456789012:instance-profile/nodes",
            "arn:aws:ec2::123456789012:instance-profile/nodes",
            "arn:aws:iam::123456789012:instance-profile/a b",
            "arn:aws:iam::123456789012:instance-profile/*/nodes",
            "arn:*:iam::123456789012:instance-profile/nodes",
            "arn:aws*:iam::123456789012:instance-profile/nodes",
        ] {
            assert!(text.parse::<ProfileArn>().is_err(), "{text}");
        }
    }
}
