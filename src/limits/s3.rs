//! Places in S3: `s3://BUCKET/KEY`.
//!
//! Sources: S3 user guide, "General purpose bucket naming rules" and "Naming Amazon S3 objects";
//! IAM user guide, "Resource", for what stands for something else in an ARN.

use super::{Characters, Text, shorten};

const SCHEME: &str = "s3://";

pub(crate) const BUCKET: Text = Text {
    what: "the name of a bucket",
    least: 3,
    most: 63,
    characters: Characters::LowercaseAnd(".-"),
    not_first: "xn--",
    source: "S3 user guide, bucket naming rules",
};
pub(crate) const KEY: Text = Text {
    what: "a key",
    least: 0,
    most: 1_024,
    characters: Characters::Any,
    not_first: "",
    source: "S3 user guide, naming objects",
};

/// The bucket of an address, and the key in it without slashes at its ends; `None` if it is none
/// of S3.
pub(crate) fn place(address: &str) -> Option<(&str, &str)> {
    let rest = address.trim().strip_prefix(SCHEME)?;
    let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
    Some((bucket, key.trim_matches('/')))
}

/// Why a bucket and a key are no place of which an ARN can tell, or `None` if they are one.
pub(crate) fn refusal(bucket: &str, key: &str) -> Option<String> {
    bucket_refusal(bucket).or_else(|| key_refusal(key))
}

fn bucket_refusal(bucket: &str) -> Option<String> {
    if let Some(reason) = BUCKET.refusal(bucket) {
        return Some(format!("the bucket {reason}"));
    }
    let is_end = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let wrong = if !bucket.starts_with(is_end) || !bucket.ends_with(is_end) {
        "neither begins nor ends with a letter or digit on both sides"
    } else if bucket.contains("..") {
        "has two dots in a row"
    } else if bucket.parse::<std::net::Ipv4Addr>().is_ok() {
        "is an IP address"
    } else {
        return None;
    };
    Some(format!("the bucket {} {wrong} ({})", shorten(bucket), BUCKET.source))
}

/// What policies name is what they are for: in an ARN `*` and `?` are patterns, and `$` begins a
/// variable.
fn key_refusal(key: &str) -> Option<String> {
    if let Some(reason) = KEY.refusal(key) {
        return Some(format!("the key {reason}"));
    }
    let is_foreign = |c: &char| "*?$".contains(*c) || !(*c == ' ' || c.is_ascii_graphic());
    if let Some(c) = key.chars().find(is_foreign) {
        return Some(format!(
            "the key {} holds {c:?}; in policies it can have printable ASCII without *, ? and $",
            shorten(key)
        ));
    }
    key.split('/')
        .any(|part| matches!(part, "." | ".."))
        .then(|| format!("the key {} holds . or .. as a folder, which S3 has not", shorten(key)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_and_keys_are_those_that_an_arn_can_tell() {
        for address in [
            "s3://abc", "s3://clusters.example.com/", "s3://a-1/dev.example.com/x_y (z)/~",
            "s3://1234/a//b", "s3://abc/a..b/..c",
        ] {
            let (bucket, key) = place(address).unwrap();
            assert_eq!(refusal(bucket, key), None, "{address}");
        }
        for (address, words) in [
            ("s3://*/dev", "has 1 characters"),
            ("s3://clu?ters/dev", "holds '?'"),
            ("s3://Clusters", "holds 'C'"),
            ("s3://Clus_ters!/dev", "holds 'C'"),
            ("s3://clusters_x", "holds '_'"),
            ("s3://", "has 0 characters"),
            ("s3://ab", "has 2 characters"),
            ("s3://..", "has 2 characters"),
            ("s3://-abc", "neither begins nor ends"),
            ("s3://abc.", "neither begins nor ends"),
            ("s3://a..b", "two dots in a row"),
            ("s3://192.168.5.4/x", "is an IP address"),
            ("s3://xn--abc", "begins with xn--"),
            ("s3://key:secret@bucket", "holds ':'"),
            ("s3://clusters/*/pki", "holds '*'"),
            ("s3://clusters/a?", "holds '?'"),
            ("s3://clusters/${aws:username}", "holds '$'"),
            ("s3://clusters/a\nb", "holds '\\n'"),
            ("s3://clusters/\u{202e}b", "holds '\\u{202e}'"),
            ("s3://clusters/../other", "holds . or .."),
            ("s3://clusters/a/..", "holds . or .."),
            ("s3://clusters/./a", "holds . or .."),
        ] {
            let (bucket, key) = place(address).unwrap();
            let reason = refusal(bucket, key).unwrap_or_default();
            assert!(reason.contains(words), "{address}: {reason}");
        }
        for address in ["s3:/b/x", "S3://b", "file:///x", "b/x"] {
            assert_eq!(place(address), None, "{address}");
        }
    }
}
