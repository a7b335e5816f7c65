//! What of a spec is secret, and how it is told: by its size and a fingerprint, in errors,
//! conflicts and excerpts alike.

use std::sync::LazyLock;

use serde_json::Value as Json;

use super::path::{FieldPath, Segment};
use crate::visible::fingerprint::fingerprint;

/// The fields whose values are secret, with all that is below them; `[*]` is each element.
const FIELDS: [&str; 12] = [
    "spec.additionalUserData[*].content",
    "spec.fileAssets[*].content",
    "spec.hooks[*].manifest",
    "spec.hooks[*].execContainer.command",
    "spec.hooks[*].execContainer.environment",
    "spec.docker",
    "spec.encryptionConfig",
    "spec.nodeAuthorization",
    "spec.cloudConfig.vSpherePassword",
    "spec.target.terraform.providerExtraConfig",
    // A private key that is given by mistake.
    "spec.publicKey",
    // The whole object, as kubectl notes it.
    "metadata.annotations[\"kubectl.kubernetes.io/last-applied-configuration\"]",
];

/// How names end of fields that hold a secret wherever they stand, those that kops does not
/// have among them.
const ENDS: [&str; 5] = ["password", "passwd", "secret", "token", "privatekey"];

/// Keys of [`FIELDS`] that say nothing of what is below them.
const COMMON: [&str; 4] = ["spec", "metadata", "annotations", "execContainer"];

/// [`FIELDS`] as paths, and the keys in them.
static PATHS: LazyLock<Vec<FieldPath>> =
    LazyLock::new(|| FIELDS.iter().filter_map(|field| field.parse().ok()).collect());
static KEYS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let keys = PATHS.iter().flat_map(FieldPath::segments).filter_map(|segment| match segment {
        Segment::Key(key) => Some(key.clone()),
        _ => None,
    });
    keys.filter(|key| !COMMON.contains(&key.as_str())).collect()
});

/// What a path has to do with secrets.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Relation {
    None,
    /// A secret may be somewhere below.
    Above,
    Within,
}

fn relation(path: &FieldPath) -> Relation {
    let segments = path.segments();
    let mut found = Relation::None;
    if segments.iter().any(|segment| matches!(segment, Segment::Key(key) if ends_secretly(key))) {
        return Relation::Within;
    }
    for field in PATHS.iter().map(FieldPath::segments) {
        let is_same = field.iter().zip(segments).all(|(wanted, own)| match (wanted, own) {
            (Segment::Key(wanted), Segment::Key(own)) => wanted == own,
            (Segment::Key(_), _) | (_, Segment::Key(_)) => false,
            _ => true,
        });
        match is_same {
            true if segments.len() >= field.len() => return Relation::Within,
            true => found = Relation::Above,
            false => {}
        }
    }
    found
}

fn ends_secretly(key: &str) -> bool {
    let key = key.to_lowercase();
    ENDS.iter().any(|end| key.ends_with(end))
}

/// A secret as it is told.
pub(crate) fn told(secret: &str) -> String {
    format!("({})", fingerprint(secret))
}

/// A text that stands in the place of a field, as messages quote it: where the field is, holds or
/// is part of a secret only its size and fingerprint, else its beginning.
pub(crate) fn quoted(path: &FieldPath, text: &str) -> String {
    match relation(path) {
        Relation::None => crate::limits::shorten(&without_credentials(text)),
        Relation::Above | Relation::Within => told(text),
    }
}

/// Whether nothing of what stands in the place of a field may be repeated.
pub(crate) fn is_touched_by(path: &FieldPath) -> bool {
    relation(path) != Relation::None
}

/// A value without its secrets.
pub(crate) fn hidden(path: &FieldPath, value: &Json) -> Json {
    match (relation(path), value) {
        (_, Json::Object(fields)) => {
            fields.iter().map(|(key, value)| (key.clone(), hidden(&path.key(key), value))).collect()
        }
        (_, Json::Array(items)) => {
            items.iter().enumerate().map(|(index, item)| hidden(&path.index(index), item)).collect()
        }
        (_, Json::Null) => Json::Null,
        // Where a list or a mapping belongs, a text may be all of it.
        (Relation::Within | Relation::Above, Json::String(text)) => Json::String(told(text)),
        (Relation::Within | Relation::Above, other) => Json::String(told(&other.to_string())),
        (Relation::None, Json::String(text)) => Json::String(without_credentials(text)),
        (Relation::None, other) => other.clone(),
    }
}

/// A text whose addresses have no user and no password: `s3://KEY:SECRET@bucket` is told as
/// `s3://…@bucket`.
pub(crate) fn without_credentials(text: &str) -> String {
    let parts = text.split_inclusive(|c: char| c.is_whitespace() || "\"',".contains(c));
    parts.map(without_credentials_of_one).collect()
}

fn without_credentials_of_one(text: &str) -> String {
    let (scheme, rest) = match text.split_once("//") {
        Some((scheme, rest)) => (Some(scheme), rest),
        None => (None, text),
    };
    // A password may hold slashes that somebody has not escaped, as keys of AWS have them.
    let Some((user, place)) = rest.rsplit_once('@') else { return text.to_owned() };
    match scheme {
        Some(scheme) => format!("{scheme}//…@{place}"),
        None if user.contains(':') => format!("…@{place}"),
        None => text.to_owned(),
    }
}

/// What may be shown of a line of a text that could not be read: nothing of one that belongs to a
/// secret, and no more than its key of one where a secret begins. What follows a secret may be
/// the rest of it, badly indented.
pub(crate) fn shown_line(text: &str, number: usize) -> String {
    let lines: Vec<&str> = text.lines().take(number).collect();
    let Some((line, before)) = lines.split_last().filter(|_| lines.len() == number) else {
        return String::new();
    };
    let previous = before.iter().rposition(|line| !line.trim().is_empty());
    let follows_secret = previous
        .is_some_and(|at| has_secret_key(before[at]) || is_below_secret(&before[..at], before[at]));
    let is_key_of_its_own = previous.is_some_and(|at| indent(line) <= indent(before[at]))
        && !is_below_secret(before, line)
        && has_secret_key(line);
    if is_below_secret(before, line) || follows_secret && !is_key_of_its_own {
        return "…".to_owned();
    }
    match line.char_indices().find(|(at, _)| is_secret_key_end(&line[..*at])) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => without_credentials(line),
    }
}

/// Whether a line lies below a key that is a secret's, by its indentation.
fn is_below_secret(before: &[&str], line: &str) -> bool {
    // The elements of a list may stand as far left as its key.
    let is_element = |line: &str| line.trim_start().starts_with('-');
    let (mut indentation, mut may_equal) = (indent(line), is_element(line));
    for line in before.iter().rev().filter(|line| !line.trim().is_empty()) {
        let own = indent(line);
        let holds = own < indentation || own == indentation && may_equal && !is_element(line);
        if holds && has_secret_key(line) {
            return true;
        }
        if holds {
            (indentation, may_equal) = (own, is_element(line));
        }
        if indentation == 0 && !may_equal {
            break;
        }
    }
    false
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start_matches([' ', '\t']).len()
}

fn has_secret_key(line: &str) -> bool {
    line.char_indices().any(|(at, _)| is_secret_key_end(&line[..at])) || is_secret_key_end(line)
}

/// Whether a text ends in a key of a secret and its colon: `content:`, `"content":`.
fn is_secret_key_end(text: &str) -> bool {
    let Some(key) = text.strip_suffix(':') else { return false };
    let key = key.trim_end_matches(['"', '\'', ' ']);
    let begin = key.rfind(|c: char| !(c.is_alphanumeric() || "-_./".contains(c)));
    let key = begin.map_or(key, |at| &key[at..]).trim_matches(|c: char| !c.is_alphanumeric());
    !key.is_empty() && (ends_secretly(key) || KEYS.iter().any(|own| own == key))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_secret_field_is_one_above_below_and_by_its_keys() {
        for field in FIELDS {
            let path: FieldPath = field.parse().unwrap();
            assert_eq!(path.to_string(), field);
            assert_eq!(relation(&path), Relation::Within, "{field}");
            assert_eq!(relation(&path.key("x")), Relation::Within, "{field}");
            for length in 1..path.segments().len() {
                let above = FieldPath::from_segments(&path.segments()[..length]);
                assert_eq!(relation(&above), Relation::Above, "{above}");
            }
        }
        for field in ["spec.a[0].authToken", "spec.DBPassword"] {
            assert_eq!(relation(&field.parse().unwrap()), Relation::Within, "{field}");
        }
        for field in ["spec.hooks[0].name", "spec.secretStore", "spec.sshAccess", "metadata.name"] {
            assert_eq!(relation(&field.parse().unwrap()), Relation::None, "{field}");
        }
    }

    #[test]
    fn values_are_told_without_their_secrets() {
        let value = json!({
            "docker": {"registryMirrors": ["t0ken"], "mtu": 7001},
            "hooks": [{"name": "a", "manifest": "t0ken"}, {"manifest": ["t0ken"]}],
            "fileAssets": "t0ken",
            "channel": "https://me:t0ken@example.com/stable",
            "unknown": {"apiToken": "t0ken"},
        });
        let told = hidden(&"spec".parse().unwrap(), &value).to_string();
        assert!(!told.contains("t0ken") && !told.contains("7001"), "{told}");
        assert!(told.contains("(5 bytes, ") && told.contains("\"name\":\"a\""), "{told}");
        assert!(told.contains("https://…@example.com/stable"), "{told}");
    }

    #[test]
    fn addresses_are_told_without_user_and_password() {
        for (text, told) in [
            ("s3://KEY:SECRET@bucket/x", "s3://…@bucket/x"),
            ("s3://KEY:SEC/RET@bucket", "s3://…@bucket"),
            ("https://token@example.com", "https://…@example.com"),
            ("me:pw@proxy", "…@proxy"),
            ("a b s3://k:s@b, c", "a b s3://…@b, c"),
            ("s3://bucket/x", "s3://bucket/x"),
            ("me@example.com", "me@example.com"),
        ] {
            assert_eq!(without_credentials(text), told);
        }
    }

    #[test]
    fn lines_of_secrets_are_cut_to_their_key() {
        for (text, shown) in [
            ("spec:\n  subnets: [a", "  subnets: [a"),
            ("spec:\n  docker: [t0ken", "  docker:…"),
            ("spec:\n  docker:\n    logOpt:\n    - t0ken: [", "…"),
            ("spec:\n  docker:\n    logOpt: t0ken", "…"),
            ("spec:\n  docker:\n    a: b\n  hooks: [t0ken", "  hooks:…"),
            ("spec:\n  hooks:\n  - name: a\n  - t0ken", "…"),
            ("spec:\n  docker:\n    a: b\n  subnets: [a", "…"),
            ("spec:\n  docker:\n    a: b\n  channel: c\n  subnets: [a", "  subnets: [a"),
            ("spec:\n  hooks:\n  - {name: a, manifest: t0ken", "…"),
            ("{\"spec\": {\"docker\": {\"a\": \"t0ken", "{\"spec\": {\"docker\":…"),
            ("    \"content\": \"t0ken", "    \"content\":…"),
            ("    content : t0ken", "    content :…"),
            ("spec:\n  fileAssets:\n  - content: |\n      t0ken\n   t0ken: x", "…"),
            ("spec:\n  fileAssets:\n  - content: |\n      a\n\n  export A=t0ken", "…"),
            ("spec:\n  docker:\n    a: b\n  subnets:\n  - name: a\n  - {", "  - {"),
            ("spec:\n  configBase: s3://a:t0ken@b: c", "  configBase: s3://…@b: c"),
        ] {
            assert_eq!(shown_line(text, text.lines().count()), shown, "{text:?}");
        }
    }
}
