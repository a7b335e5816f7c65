//! Keys of KMS, as EC2 is given them and policies name them.

use super::arn::Arn;
use super::{partition::Partition, shorten};

const SOURCE: &str = "EC2 API, CreateVolume, KmsKeyId";

/// Why a text is no id, alias or ARN of a key, or `None` if it is one.
pub(crate) fn key_refusal(text: &str) -> Option<String> {
    let is_key = match Arn::parse(text) {
        Ok(arn) => {
            Partition::names().contains(&arn.partition)
                && arn.service == "kms"
                && is_word(arn.region, "-")
                && arn.has_account()
                && (arn.of_kind("key").is_some_and(|id| is_word(id, "-")) || is_alias(arn.resource))
        }
        Err(_) => is_word(text, "-") || is_alias(text),
    };
    (!is_key).then(|| {
        format!(
            "is {}, no id, alias or ARN of a key, such as \
             arn:aws:kms:REGION:ACCOUNT:key/ID or alias/NAME ({SOURCE})",
            shorten(text)
        )
    })
}

fn is_alias(text: &str) -> bool {
    text.strip_prefix("alias/").is_some_and(|name| is_word(name, "-_/"))
}

fn is_word(text: &str, beside: &str) -> bool {
    (1..=256).contains(&text.len())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || beside.contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_named_by_id_alias_or_arn() {
        for text in [
            "1234abcd-12ab-34cd-56ef-1234567890ab",
            "mrk-1234abcd12ab34cd56ef1234567890ab",
            "alias/team/volumes_1",
            "arn:aws:kms:us-west-2:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",
            "arn:aws-cn:kms:cn-north-1:123456789012:alias/volumes",
        ] {
            assert_eq!(key_refusal(text), None, "{text}");
        }
        for text in [
            "",
            "*",
            "?",
            "key/*",
            "alias/",
            "alias/*",
            "a b",
            "${aws:username}",
            "arn:aws:kms:us-west-2:123456789012:key/*",
            "arn:aws:kms:*:123456789012:key/1",
            "arn:aws:kms:us-west-2:*:key/1",
            "arn:aws:kms:us-west-2:12345678901:key/1",
            "arn:*:kms:us-west-2:123456789012:key/1",
            "arn:aws:s3:us-west-2:123456789012:key/1",
            "arn:aws:kms:us-west-2:123456789012:role/1",
            "arn:aws:kms:us-west-2:123456789012:key/1\n",
        ] {
            assert!(key_refusal(text).is_some(), "{text}");
        }
    }
}
