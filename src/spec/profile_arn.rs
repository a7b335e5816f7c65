//! The ARN of an instance profile that the user brings along.

use std::str::FromStr;

use super::arn::name_of;
use crate::limits::partition::Partition;

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
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        let [arn, partition, service, region, account, resource] = parts[..] else {
            return Err(FORM);
        };
        let path = resource.strip_prefix("instance-profile/").ok_or(FORM)?;
        let name = name_of(path);
        let names = |c: char| c.is_ascii_alphanumeric() || "+=,.@_-".contains(c);
        let valid = arn == "arn"
            && Partition::names().contains(&partition)
            && service == "iam"
            && region.is_empty()
            && !account.is_empty()
            && account.bytes().all(|b| b.is_ascii_digit())
            && !name.is_empty()
            && path.split('/').all(|part| part.chars().all(names));
        if !valid {
            return Err(FORM);
        }
        Ok(Self { account: account.to_owned(), name: name.to_owned(), text: text.to_owned() })
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
            "arn:aws:iam::123456789012:instance-profile/a b",
            "arn:aws:iam::123456789012:instance-profile/*/nodes",
            "arn:*:iam::123456789012:instance-profile/nodes",
            "arn:aws*:iam::123456789012:instance-profile/nodes",
        ] {
            assert!(text.parse::<ProfileArn>().is_err(), "{text}");
        }
    }
}
