//! Reads a tree of YAML as the JSON that kops' API types describe, and reports each field
//! they do not have and each value of the wrong type, all at once.

use serde_json::Value as Json;

use super::path::{FieldPath, Segment};
use super::problem::Problem;
use super::spelling::nearest;
use super::yaml::{Entry, Node, Value};

/// What a field holds.
pub(super) enum Kind {
    Text,
    Flag,
    Whole,
    OneOf(&'static [&'static str]),
    Object(&'static Object),
    List(&'static Kind),
    Map(&'static Kind),
    /// Anything: kept, not looked into.
    Open,
}

/// The fields of one kops type, grouped by what they hold.
pub(super) struct Object {
    pub(super) text: &'static [&'static str],
    pub(super) flags: &'static [&'static str],
    pub(super) whole: &'static [&'static str],
    pub(super) other: &'static [(&'static str, Kind)],
}

impl Object {
    fn kind(&self, field: &str) -> Option<&Kind> {
        if self.text.contains(&field) {
            return Some(&Kind::Text);
        }
        if self.flags.contains(&field) {
            return Some(&Kind::Flag);
        }
        if self.whole.contains(&field) {
            return Some(&Kind::Whole);
        }
        self.other.iter().find(|(name, _)| *name == field).map(|(_, kind)| kind)
    }

    fn names(&self) -> impl Iterator<Item = &'static str> {
        let simple = self.text.iter().chain(self.flags).chain(self.whole).copied();
        simple.chain(self.other.iter().map(|(name, _)| *name))
    }
}

/// What reading found: problems make the spec unusable, unknown fields only do when the
/// user asked for strictness.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub(crate) problems: Vec<Problem>,
    pub(crate) unknown: Vec<Problem>,
}

/// Reads `node` as `object`. Unknown fields are passed through untyped.
pub(super) fn read(
    node: &Node,
    object: &'static Object,
    path: &FieldPath,
    findings: &mut Findings,
) -> Json {
    let entries = match &node.value {
        Value::Map(entries) => entries,
        Value::Null => return Json::Null,
        _ => {
            let message = format!("holds {}, but takes a mapping of fields", node.describe());
            findings.problems.push(Problem::new(path, message).at(node.at));
            return Json::Null;
        }
    };
    let mut fields = serde_json::Map::new();
    for Entry { key, key_at, value } in entries {
        let path = path.key(key);
        let json = match object.kind(key) {
            Some(kind) => read_kind(value, kind, &path, findings),
            None => {
                let hint = match nearest(key, object.names()) {
                    Some(name) => format!("kops has no such field; did you mean {name}?"),
                    None => "kops has no such field".to_owned(),
                };
                findings.unknown.push(Problem::new(&path, hint).at(*key_at));
                value.to_json()
            }
        };
        fields.insert(key.clone(), json);
    }
    Json::Object(fields)
}

fn read_kind(node: &Node, kind: &'static Kind, path: &FieldPath, findings: &mut Findings) -> Json {
    let mut wrong = |takes: &str| {
        let message = match node.text() {
            Some(text) => format!("is {}, but takes {takes}", shorten(text)),
            None => format!("holds {}, but takes {takes}", node.describe()),
        };
        findings.problems.push(Problem::new(path, message).at(node.at));
        Json::Null
    };
    match (kind, &node.value) {
        (_, Value::Null) => Json::Null,
        (Kind::Open, _) => node.to_json(),
        (Kind::Object(object), _) => read(node, object, path, findings),
        (Kind::Text, Value::Scalar(scalar)) => Json::String(scalar.text.clone()),
        (Kind::Text, _) => wrong("text"),
        (Kind::Flag, _) => match node.text() {
            // YAML 1.1, which kops reads, knows more than two words.
            Some("true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON") => {
                Json::Bool(true)
            }
            Some("false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF") => {
                Json::Bool(false)
            }
            _ => wrong("true or false"),
        },
        (Kind::Whole, _) => match node.text().and_then(|text| text.parse::<i64>().ok()) {
            Some(number) => Json::from(number),
            None => wrong("a whole number"),
        },
        (Kind::OneOf(words), _) => match node.text() {
            Some("") => Json::Null,
            Some(text) if words.contains(&text) => Json::String(text.to_owned()),
            _ => wrong(&format!("one of {}", words.join(", "))),
        },
        (Kind::List(kind), Value::List(items)) => items
            .iter()
            .enumerate()
            .map(|(index, item)| {
                let path = path.index(index);
                if item.is_null() {
                    findings.problems.push(Problem::new(&path, "is empty").at(item.at));
                }
                read_kind(item, kind, &path, findings)
            })
            .collect(),
        (Kind::List(_), _) => wrong("a list"),
        (Kind::Map(kind), Value::Map(entries)) => Json::Object(
            entries
                .iter()
                .map(|entry| {
                    let path = path.key(&entry.key);
                    (entry.key.clone(), read_kind(&entry.value, kind, &path, findings))
                })
                .collect(),
        ),
        (Kind::Map(_), _) => wrong("a mapping"),
    }
}

fn shorten(text: &str) -> String {
    let shown: String = text.chars().take(60).collect();
    if shown.len() < text.len() { format!("{shown:?}…") } else { format!("{shown:?}") }
}

/// Whether kops has a text in the field of this path, so that `1.10` must be quoted there.
pub(super) fn holds_text(kind: &str, path: &FieldPath) -> bool {
    let mut current = match kind {
        "InstanceGroup" => &Kind::Object(&super::fields::INSTANCE_GROUP),
        _ => &Kind::Object(&super::fields::CLUSTER),
    };
    for segment in path.segments() {
        let next = match (current, segment) {
            (Kind::Object(object), Segment::Key(key)) => object.kind(key),
            (Kind::List(kind), Segment::Index(_)) | (Kind::Map(kind), Segment::Key(_)) => {
                Some(*kind)
            }
            _ => None,
        };
        match next {
            Some(kind) => current = kind,
            None => return false,
        }
    }
    matches!(current, Kind::Text | Kind::OneOf(_))
}
