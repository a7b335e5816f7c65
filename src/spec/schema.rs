//! Reads a tree of YAML as the JSON that kops' API types describe, and reports each field
//! they do not have and each value of the wrong type, all at once.

use serde_json::Value as Json;

use super::fields;
use super::kind::{Kind, Object};
use super::path::{FieldPath, Segment};
use super::problem::Problem;
use super::secret::{self, quoted};
use super::spelling::nearest;
use super::yaml::plain::{self, Plain};
use super::yaml::{Entry, Node, Scalar, Value};

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
    for entry in entries {
        let Entry { key, key_at, value, .. } = entry;
        check_key(entry, path, findings);
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
    let read = match (kind, &node.value) {
        (_, Value::Null) => Ok(Json::Null),
        (Kind::Open, _) => Ok(node.to_json()),
        (Kind::Object(object), _) => return read(node, object, path, findings),
        (Kind::List(kind), Value::List(items)) => {
            return items
                .iter()
                .enumerate()
                .map(|(index, item)| {
                    let path = path.index(index);
                    if item.is_null() {
                        findings.problems.push(Problem::new(&path, "is empty").at(item.at));
                    }
                    read_kind(item, kind, &path, findings)
                })
                .collect();
        }
        (Kind::Map(kind), Value::Map(entries)) => {
            return Json::Object(
                entries.iter().map(|entry| read_entry(entry, kind, path, findings)).collect(),
            );
        }
        (Kind::Text, Value::Scalar(scalar)) => text(scalar, path).map(Json::from),
        (Kind::Flag, Value::Scalar(scalar)) => flag(scalar, path).map(Json::from),
        (Kind::Whole, Value::Scalar(scalar)) => whole(scalar, path).map(Json::from),
        (Kind::OneOf(words), Value::Scalar(scalar)) => match scalar.text.as_str() {
            "" => Ok(Json::Null),
            text if words.contains(&text) => Ok(Json::from(text)),
            text => Err(format!("is {}, but takes {}", quoted(path, text), kind.takes())),
        },
        _ => Err(match node.text() {
            Some(text) => format!("is {}, but takes {}", quoted(path, text), kind.takes()),
            None => format!("holds {}, but takes {}", node.describe(), kind.takes()),
        }),
    };
    read.unwrap_or_else(|message| {
        findings.problems.push(Problem::new(path, message).at(node.at));
        Json::Null
    })
}

/// One entry of a map of values that have a kind each. What is empty in a map of texts is an
/// empty text, as in kops.
fn read_entry(
    entry: &Entry,
    kind: &'static Kind,
    path: &FieldPath,
    findings: &mut Findings,
) -> (String, Json) {
    check_key(entry, path, findings);
    let path = path.key(&entry.key);
    let value = match (kind, &entry.value.value) {
        (Kind::Text, Value::Null) => Json::from(""),
        _ => read_kind(&entry.value, kind, &path, findings),
    };
    (entry.key.clone(), value)
}

/// A key without quotes that kops takes for another.
fn check_key(entry: &Entry, path: &FieldPath, findings: &mut Findings) {
    if !entry.key_plain {
        return;
    }
    let key = entry.key.as_str();
    let read = match Plain::of(key) {
        Plain::Text => return,
        Plain::Flag(flag) => flag.to_string(),
        Plain::Whole(number) => number.to_string(),
        // go-yaml gives a key with a fraction the digits of 32 bits.
        Plain::Number(number) => (number as f32).to_string(),
        Plain::Null => "no key".to_owned(),
    };
    if read != key {
        let message =
            format!("is a key without quotes, which kops reads as {read} here; write {key:?}");
        findings.problems.push(Problem::new(&path.key(key), message).at(entry.key_at));
    }
}

/// A text. Without quotes, what kops takes for a number or a flag is none.
fn text<'a>(scalar: &'a Scalar, path: &FieldPath) -> Result<&'a str, String> {
    let text = scalar.text.as_str();
    match Plain::of(text) {
        plain if scalar.plain && plain != Plain::Text => Err(format!(
            "takes text: kops reads {} as {} here and refuses it; write {}, with quotes",
            quoted(path, text),
            plain.describe(),
            written(path, format!("{text:?}"))
        )),
        _ => Ok(text),
    }
}

fn flag(scalar: &Scalar, path: &FieldPath) -> Result<bool, String> {
    let text = scalar.text.as_str();
    match Plain::of(text) {
        Plain::Flag(flag) if scalar.plain => Ok(flag),
        Plain::Flag(flag) => Err(format!(
            "is the text {}, which kops refuses here; write {}, without quotes",
            quoted(path, text),
            written(path, flag.to_string())
        )),
        _ => Err(format!("is {}, but takes true or false", quoted(path, text))),
    }
}

fn whole(scalar: &Scalar, path: &FieldPath) -> Result<i64, String> {
    let text = scalar.text.as_str();
    let Some(number) = Plain::of(text).as_whole() else {
        return Err(format!("is {}, but takes a whole number", quoted(path, text)));
    };
    let other = plain::other_reading(text);
    let readings = match other {
        Some(other) => written(path, format!("{number} or {other}")),
        None => written(path, number.to_string()),
    };
    match (scalar.plain, other) {
        (true, None) => Ok(number),
        (true, Some(_)) if secret::is_touched_by(path) => {
            Err("is a number that kops reads as octal; write it without the 0 before it".to_owned())
        }
        (true, Some(_)) => Err(format!("is {text}: kops reads {number} here; write {readings}")),
        (false, _) => Err(format!(
            "is the text {}, which kops refuses here; write {readings}, without quotes",
            quoted(path, text)
        )),
    }
}

/// How a value is to be written, unless that would tell a secret.
fn written(path: &FieldPath, value: String) -> String {
    if secret::is_touched_by(path) { "it".to_owned() } else { value }
}

/// What a value means that is given for the field of this path.
///
/// # Errors
/// Everything that is wrong with it.
pub(super) fn value_at(kind: &str, path: &FieldPath, node: &Node) -> Result<Json, Vec<Problem>> {
    let mut findings = Findings::default();
    let json = match kind_at(kind, path) {
        Some(kind) => read_kind(node, kind, path, &mut findings),
        None => node.to_json(),
    };
    if findings.problems.is_empty() { Ok(json) } else { Err(findings.problems) }
}

/// Whether kops has a text in the field of this path, so that `1.10` must be quoted there.
pub(super) fn holds_text(kind: &str, path: &FieldPath) -> bool {
    matches!(kind_at(kind, path), Some(Kind::Text | Kind::OneOf(_)))
}

fn kind_at(kind: &str, path: &FieldPath) -> Option<&'static Kind> {
    static CLUSTER: Kind = Kind::Object(&fields::CLUSTER);
    static INSTANCE_GROUP: Kind = Kind::Object(&fields::INSTANCE_GROUP);
    let root = if kind == "InstanceGroup" { &INSTANCE_GROUP } else { &CLUSTER };
    path.segments().iter().try_fold(root, |current, segment| match (current, segment) {
        (Kind::Object(object), Segment::Key(key)) => object.kind(key),
        (Kind::List(kind), Segment::Index(_)) | (Kind::Map(kind), Segment::Key(_)) => Some(*kind),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::yaml;

    static OBJECT: Object = Object {
        text: &[],
        flags: &["flag"],
        whole: &["whole"],
        other: &[("texts", Kind::Map(&Kind::Text))],
    };

    /// The value that one line of YAML gives a field, or what is said of it.
    fn read_line(line: &str) -> String {
        let root = yaml::parse(line).unwrap().remove(0).root;
        let mut findings = Findings::default();
        let json = read(&root, &OBJECT, &FieldPath::root(), &mut findings);
        match findings.problems.as_slice() {
            [] => json.to_string(),
            problems => problems.iter().map(|p| p.message.clone()).collect::<Vec<_>>().join("; "),
        }
    }

    #[test]
    fn values_are_read_as_kops_reads_them_or_refused_with_both_readings() {
        let lines = [
            "whole: 50", "whole: +50", "whole: 0", "whole: -5", "whole: 09", "whole: 07",
            "whole: 0100", "whole: -010", "whole: 0_100", "whole: 0x40", "whole: 0b1000000",
            "whole: 0o100", "whole: 1_00", "whole: 1e2", "whole: 50.0", "whole: 50.5",
            "whole: 1:40", "whole: 1e30", "whole: \"50\"", "whole: '0100'", "whole: !!int \"50\"",
            "whole: yes", "whole: [1]", "whole: ~", "flag: true", "flag: True", "flag: y",
            "flag: n", "flag: yes", "flag: no", "flag: On", "flag: off", "flag: \"true\"",
            "flag: 'yes'", "flag: 1", "flag: maybe", "texts: {a: b}", "texts: {a: yes}",
            "texts: {a: 50}", "texts: {a: 0755}", "texts: {a: 1.10}", "texts: {a: 1e3}",
            "texts: {a: .inf}", "texts: {a: n}", "texts: {a: 'yes'}", "texts: {a: !!str yes}",
            "texts: {a: \"0755\"}", "texts: {a: ~}", "texts: {a: }", "texts: {a: 2018-01-01}",
            "texts: {a: 1.10.3}", "texts: {a: 1:40}", "texts: {yes: b}", "texts: {010: b}",
            "texts: {1.10: b}", "texts: {'yes': b}", "texts: {true: b}", "texts: {10: b}",
            "texts: {~: b}",
        ];
        let read: Vec<String> =
            lines.iter().map(|line| format!("{line:<24} {}", read_line(line))).collect();
        insta::assert_snapshot!(read.join("\n"));
    }
}
