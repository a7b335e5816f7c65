//! Hosted zones of Route 53, as specs and policies name them.

use super::{Characters, Text, shorten};

pub(crate) const ID: Text = Text {
    what: "the id of a hosted zone",
    least: 2,
    most: 32,
    characters: Characters::AlphanumericAnd(""),
    not_first: "",
    source: "Route 53 API, HostedZone",
};

/// Why a text is neither the id of a hosted zone nor its name, or `None` if it is one. kops tells
/// a name from an id by its dot.
pub(crate) fn refusal(text: &str) -> Option<String> {
    let is_right = match text.contains('.') {
        true => is_name(text),
        false => {
            let path = text.strip_prefix('/').unwrap_or(text);
            let id = path.strip_prefix("hostedzone/").unwrap_or(path);
            ID.refusal(id).is_none() && !id.contains(|c: char| c.is_ascii_lowercase())
        }
    };
    (!is_right).then(|| {
        format!(
            "is {}, neither the id of a hosted zone, such as Z1AB2CD3, nor the name of one, such \
             as example.com ({})",
            shorten(text),
            ID.source
        )
    })
}

/// Letters, digits, `-` and `_` between dots (Route 53 developer guide, "DNS domain name
/// format"); what else a name may have must be escaped there, and stands in no policy.
fn is_name(text: &str) -> bool {
    let text = text.strip_suffix('.').unwrap_or(text);
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
    };
    text.len() <= 253 && text.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_are_named_by_id_or_name() {
        for text in [
            "Z1AFAKE1ZON3YO", "4SX2IZKL58Z98SONX2UV3H", "/hostedzone/Z1", "hostedzone/Z1",
            "example.com", "a.b_c.",
        ] {
            assert_eq!(refusal(text), None, "{text}");
        }
        for text in [
            "*", "?", "", "test", "z1", "Zone", "Z*", "*.example.com", "${aws:x}.com", "Z1/x",
            "a..b", "hostedzone/*", "example.com\n", ".", "Z1\u{202e}", "a/b.c",
        ] {
            assert!(refusal(text).is_some(), "{text}");
        }
    }
}
