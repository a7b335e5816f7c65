//! Tags: keys, values, and how many a resource may have.

use super::{Characters, Number, Text};

/// EC2's API reference says 127, its user guide and Auto Scaling's API 128.
pub(crate) const KEY: Text = Text {
    what: "the key of a tag",
    least: 1,
    most: 128,
    characters: Characters::Any,
    not_first: "",
    source: "EC2 user guide, Tag your resources",
};
pub(crate) const VALUE: Text = Text {
    what: "the value of a tag",
    least: 0,
    most: 256,
    characters: Characters::Any,
    not_first: "",
    source: "EC2 user guide, Tag your resources",
};
pub(crate) const COUNT: Number = Number {
    what: "tags on a resource",
    least: 0,
    most: 50,
    source: "EC2 user guide, Tag your resources",
};

/// How keys of AWS' own begin, in any case.
const RESERVED: &str = "aws:";

/// Why AWS refuses a key, or `None` if it does not.
pub(crate) fn key_refusal(key: &str) -> Option<String> {
    let head = key.get(..RESERVED.len());
    if head.is_some_and(|head| head.eq_ignore_ascii_case(RESERVED)) {
        return Some(format!(
            "begins with {RESERVED}, which is AWS' own in any case ({})",
            KEY.source
        ));
    }
    KEY.refusal(key)
}

/// Why AWS refuses a value, or `None` if it does not. Its calls are in XML or JSON, and neither of
/// the two carries control characters whole (Extensible Markup Language 1.0, 2.2).
pub(crate) fn value_refusal(value: &str) -> Option<String> {
    let is_carried = |c: char| !c.is_control() || c.is_whitespace();
    if !value.chars().all(is_carried) {
        return Some(format!(
            "has a control character in {value:?}, which AWS' calls cannot carry"
        ));
    }
    VALUE.refusal(value)
}

/// Whether IAM and load balancers take a key or a value, which are pickier than EC2 and Auto
/// Scaling (IAM API, `Tag`; ELB API, `Tag`).
pub(crate) fn is_plain(text: &str) -> bool {
    text.chars().all(|c| c.is_alphanumeric() || c.is_whitespace() || "_.:/=+-@".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_aws_are_refused_in_any_case() {
        for key in ["aws:x", "AWS:x", "aWs:"] {
            assert!(key_refusal(key).unwrap().contains("AWS' own"), "{key}");
        }
        for key in ["aws", "aws-x:y", "my:aws:x", "ä"] {
            assert_eq!(key_refusal(key), None, "{key}");
        }
        assert!(key_refusal("").is_some());
    }

    #[test]
    fn control_characters_are_refused_in_values() {
        assert!(value_refusal("x\0y").unwrap().contains("control character"));
        for value in ["", "a\tb", "ä", "two lines\nof it"] {
            assert_eq!(value_refusal(value), None, "{value:?}");
        }
    }

    #[test]
    fn plain_texts_are_those_of_iam() {
        assert!(is_plain("kubernetes.io/cluster/dev.example.com +=-@ äöü"));
        for text in ["a,b", "a;b", "a!b", "a\"b"] {
            assert!(!is_plain(text), "{text}");
        }
    }
}
