//! ARNs: their six parts.

const PARTS: usize = 6;

/// The parts of an ARN, the last of which may hold colons. Colons of policy variables
/// (`${aws:username}`) part nothing.
pub(crate) fn parts(arn: &str) -> Vec<&str> {
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
pub(crate) fn is_open(part: &str) -> bool {
    part.contains(['*', '?']) || part.contains("${")
}

fn is_account(part: &str) -> bool {
    part.len() == 12 && part.bytes().all(|byte| byte.is_ascii_digit())
}

/// Why a text is no ARN of a certificate that load balancers of a partition can use, or `None`
/// if it is one.
pub(crate) fn certificate_refusal(text: &str, partition: &str) -> Option<String> {
    const SOURCE: &str = "ELB API, SSLCertificateId";
    let is_certificate = match parts(text)[..] {
        ["arn", _, "acm", region, account, name] if !region.is_empty() => {
            is_account(account) && name.starts_with("certificate/")
        }
        ["arn", _, "iam", "", account, name] => {
            is_account(account) && name.starts_with("server-certificate/")
        }
        _ => false,
    };
    if !is_certificate {
        return Some(format!(
            "is {}, no ARN of a certificate of ACM or IAM, such as \
             arn:{partition}:acm:REGION:ACCOUNT:certificate/ID ({SOURCE})",
            super::shorten(text)
        ));
    }
    let own = parts(text)[1];
    (own != partition).then(|| {
        format!("is of the partition {own}, but the cluster lies in {partition} ({SOURCE})")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn six_parts_are_told_apart() {
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
