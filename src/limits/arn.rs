//! ARNs, and the patterns of ARNs that policies hold.

const PARTS: usize = 6;

/// An Amazon Resource Name, `arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE`. Regions and accounts
/// are empty where a service has none (IAM user guide, "Amazon Resource Names").
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Arn<'a> {
    pub(crate) partition: &'a str,
    pub(crate) service: &'a str,
    pub(crate) region: &'a str,
    pub(crate) account: &'a str,
    /// What begins with its kind in most services; it may hold colons.
    pub(crate) resource: &'a str,
}

/// Why a text is no ARN.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum NoArn {
    #[error("it does not begin with arn:")]
    OtherBegin,
    #[error("it has {0} parts, and an ARN has six: arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE")]
    Parts(usize),
    #[error("its {0} is empty")]
    Empty(&'static str),
}

impl<'a> Arn<'a> {
    pub(crate) fn parse(text: &'a str) -> Result<Self, NoArn> {
        let rest = text.strip_prefix("arn:").ok_or(NoArn::OtherBegin)?;
        let parts: Vec<&str> = rest.splitn(PARTS - 1, ':').collect();
        let [partition, service, region, account, resource] = parts[..] else {
            return Err(NoArn::Parts(parts.len() + 1));
        };
        let needed = [("partition", partition), ("service", service), ("resource", resource)];
        match needed.into_iter().find(|(_, part)| part.is_empty()) {
            Some((part, _)) => Err(NoArn::Empty(part)),
            None => Ok(Self { partition, service, region, account, resource }),
        }
    }

    /// What stands behind the kind of resource: `team/nodes` of `instance-profile/team/nodes`.
    pub(crate) fn of_kind(&self, kind: &str) -> Option<&'a str> {
        let rest = self.resource.strip_prefix(kind)?.strip_prefix('/')?;
        (!rest.is_empty()).then_some(rest)
    }

    /// The name of something of IAM of this kind, whose path is left out: `nodes` of
    /// `instance-profile/team/nodes`.
    pub(crate) fn iam_name(&self, kind: &str) -> Option<&'a str> {
        if self.service != "iam" {
            return None;
        }
        self.of_kind(kind)?.rsplit('/').next().filter(|name| !name.is_empty())
    }

    /// Account ids have twelve digits.
    pub(super) fn has_account(&self) -> bool {
        self.account.len() == 12 && self.account.bytes().all(|byte| byte.is_ascii_digit())
    }
}

/// The parts of a pattern of ARNs, the last of which may hold colons. Colons of policy variables
/// (`${aws:username}`) part nothing. One that ends in an asterisk may lack parts.
pub(super) fn parts(arn: &str) -> Vec<&str> {
    let mut parts = Vec::with_capacity(PARTS);
    let mut begin = 0;
    let mut in_variable = false;
    for (at, c) in arn.char_indices() {
        match c {
            '$' if arn[at..].starts_with("${") => in_variable = true,
            '}' => in_variable = false,
            ':' if !in_variable && parts.len() + 1 < PARTS => {
                parts.push(&arn[begin..at]);
                begin = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&arn[begin..]);
    parts
}

/// Whether a part stands for more than itself.
pub(super) fn is_open(part: &str) -> bool {
    part.contains(['*', '?']) || part.contains("${")
}

/// Why a text is no ARN of a certificate that load balancers of a partition can use, or `None`
/// if it is one.
pub(crate) fn certificate_refusal(text: &str, partition: &str) -> Option<String> {
    const SOURCE: &str = "ELB API, SSLCertificateId";
    let certificate = Arn::parse(text).ok().filter(|arn| match arn.service {
        "acm" => {
            !arn.region.is_empty() && arn.has_account() && arn.of_kind("certificate").is_some()
        }
        "iam" => {
            arn.region.is_empty()
                && arn.has_account()
                && arn.iam_name("server-certificate").is_some()
        }
        _ => false,
    });
    let Some(certificate) = certificate else {
        return Some(format!(
            "is {}, no ARN of a certificate of ACM or IAM, such as \
             arn:{partition}:acm:REGION:ACCOUNT:certificate/ID ({SOURCE})",
            super::shorten(text)
        ));
    };
    let own = certificate.partition;
    (own != partition).then(|| {
        format!("is of the partition {own}, but the cluster lies in {partition} ({SOURCE})")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arns_have_six_parts() {
        let arn = Arn::parse("arn:aws-cn:sns:cn-north-1:123456789012:topic:a/b").unwrap();
        let parts = (arn.partition, arn.service, arn.region, arn.account, arn.resource);
        assert_eq!(parts, ("aws-cn", "sns", "cn-north-1", "123456789012", "topic:a/b"));
        let bucket = Arn::parse("arn:aws:s3:::b").unwrap();
        assert_eq!((bucket.region, bucket.account, bucket.resource), ("", "", "b"));
        for (text, told) in [
            ("", NoArn::OtherBegin),
            ("nodes", NoArn::OtherBegin),
            ("arn", NoArn::OtherBegin),
            ("ARN:aws:s3:::b", NoArn::OtherBegin),
            ("arn:", NoArn::Parts(2)),
            ("arn:aws:s3::b", NoArn::Parts(5)),
            ("arn::s3:::b", NoArn::Empty("partition")),
            ("arn:aws::::b", NoArn::Empty("service")),
            ("arn:aws:s3:::", NoArn::Empty("resource")),
        ] {
            assert_eq!(Arn::parse(text), Err(told), "{text}");
        }
    }

    #[test]
    fn names_are_those_of_their_kind() {
        let name = |resource: &str| {
            let text = format!("arn:aws:iam::123456789012:{resource}");
            let arn = Arn::parse(&text).unwrap();
            arn.iam_name("instance-profile").map(str::to_owned)
        };
        assert_eq!(name("instance-profile/nodes").unwrap(), "nodes");
        assert_eq!(name("instance-profile/team/nodes").unwrap(), "nodes");
        for other in [
            "role/nodes", "instance-profile", "instance-profile/", "instance-profile/team/",
            "nodes",
        ] {
            assert_eq!(name(other), None, "{other}");
        }
        let arn = Arn::parse("arn:aws:ec2::1:instance-profile/nodes").unwrap();
        assert_eq!(arn.iam_name("instance-profile"), None);
    }

    #[test]
    fn variables_of_policies_part_nothing() {
        assert_eq!(parts("arn:aws:s3:::b/${aws:username}/*").len(), 6);
        assert_eq!(parts("arn:aws:sns:${aws:RequestedRegion}:1:x:y")[5], "x:y");
        assert_eq!(parts("arn:aws:s3"), ["arn", "aws", "s3"]);
    }

    #[test]
    fn certificates_are_of_acm_or_iam_in_the_partition() {
        let acm = "arn:aws:acm:us-west-2:123456789012:certificate/1";
        let iam = "arn:aws:iam::123456789012:server-certificate/org/own";
        for text in [acm, iam] {
            assert_eq!(certificate_refusal(text, "aws"), None);
            assert!(certificate_refusal(text, "aws-cn").unwrap().contains("partition aws,"));
        }
        for text in [
            "hello",
            "arn:aws:acm:us-west-2:123456789012:key/1",
            "arn:aws:acm:us-west-2::certificate/1",
            "arn:aws:acm::123456789012:certificate/1",
            "arn:aws:iam::own:server-certificate/a",
            "arn:aws:s3:::b",
            "",
        ] {
            assert!(certificate_refusal(text, "aws").unwrap().contains("no ARN"), "{text}");
        }
    }
}
