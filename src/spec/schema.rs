//! Reads a tree of YAML as the JSON that kops' API types describe, and reports each field
//! they do not have and each value of the wrong type, all at once.

use serde_json::Value as Json;

use super::fields;
use super::kind::{Field, Kind, Object, Whole};
use super::path::{FieldPath, Segment};
use super::problem::Problem;
use super::quantity;
use super::secret::{self, quoted};
use super::spelling::nearest;
use super::yaml::plain::{self, Plain};
use super::yaml::{Entry, Node, Scalar, Value};

/// What reading found beside the values.
#[derive(Clone, Debug, Default)]
pub(crate) struct Findings {
    /// Values of another type: the spec cannot be read.
    pub(crate) problems: Vec<Problem>,
    /// Values of the right type that kops refuses: the spec can be read, and not be used.
    pub(crate) refused: Vec<Problem>,
    /// Fields that kops never had: refused if the user asked for strictness.
    pub(crate) unknown: Vec<Problem>,
    /// Fields that kops has no more, and what became of them.
    pub(crate) gone: Vec<Problem>,
}

/// Reads `node` as `kind`. Unknown fields are passed through untyped.
pub(super) fn read(node: &Node, kind: &Kind, findings: &mut Findings) -> Json {
    read_kind(node, kind, &FieldPath::root(), findings)
}

fn read_object(node: &Node, object: &Object, path: &FieldPath, findings: &mut Findings) -> Json {
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
        let json = match object.fields.get(key.as_str()) {
            Some(Field { kind, gone, .. }) => {
                let why = gone.map(|why| Problem::new(&path, why).at(*key_at));
                findings.gone.extend(why);
                read_kind(value, kind, &path, findings)
            }
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

fn read_kind(node: &Node, kind: &Kind, path: &FieldPath, findings: &mut Findings) -> Json {
    let read = match (kind, &node.value) {
        (_, Value::Null) => Ok(Json::Null),
        (Kind::Open, _) => Ok(node.to_json()),
        (Kind::Object(object), _) => return read_object(node, object, path, findings),
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
        (Kind::Whole(limits), Value::Scalar(scalar)) => whole(scalar, limits, path).map(Json::from),
        (Kind::OneOf(_), Value::Scalar(scalar)) => match scalar.text.as_str() {
            "" => Ok(Json::Null),
            text => Ok(Json::from(text)),
        },
        (Kind::Duration, Value::Scalar(scalar)) => match text(scalar, path) {
            Ok(text) if quantity::seconds(text).is_none() => {
                Err(format!("is {}, but takes {}", quoted(path, text), kind.takes()))
            }
            read => read.map(Json::from),
        },
        (Kind::Quantity, Value::Scalar(scalar)) if quantity::is_one(&scalar.text) => {
            Ok(node.to_json())
        }
        (Kind::TextOrWhole, Value::Scalar(scalar)) if is_text_or_whole(scalar) => {
            Ok(node.to_json())
        }
        _ => Err(match node.text() {
            Some(text) => format!("is {}, but takes {}", quoted(path, text), kind.takes()),
            None => format!("holds {}, but takes {}", node.describe(), kind.takes()),
        }),
    };
    match read {
        Ok(json) => {
            if let Some(problem) = not_among(&json, kind, path) {
                findings.refused.push(problem.at(node.at));
            }
            json
        }
        Err(message) => {
            findings.problems.push(Problem::new(path, message).at(node.at));
            Json::Null
        }
    }
}

/// What is wrong with a value of the right type that is none of those that kops takes.
fn not_among(json: &Json, kind: &Kind, path: &FieldPath) -> Option<Problem> {
    let (Kind::OneOf(words) | Kind::Whole(Whole { words, .. })) = kind else { return None };
    let value = match json {
        Json::String(text) => text.clone(),
        Json::Number(number) => number.to_string(),
        _ => return None,
    };
    let is_taken = words.is_empty() || words.contains(&value.as_str());
    let message = || format!("is {}, but takes {}", quoted(path, &value), kind.takes());
    (!is_taken).then(|| Problem::new(path, message()))
}

/// One entry of a map of values that have a kind each. What is empty in a map of texts is an
/// empty text, as in kops.
fn read_entry(
    entry: &Entry,
    kind: &Kind,
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

fn whole(scalar: &Scalar, limits: &Whole, path: &FieldPath) -> Result<i64, String> {
    let text = scalar.text.as_str();
    let Some(number) = Plain::of(text).as_whole() else {
        return Err(format!("is {}, but takes a whole number", quoted(path, text)));
    };
    let (least, most) = limits.range();
    if !(least..=most).contains(&number) {
        let value = quoted(path, text);
        return Err(format!("is {value}, but takes a whole number from {least} to {most}"));
    }
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

fn is_text_or_whole(scalar: &Scalar) -> bool {
    !scalar.plain || matches!(Plain::of(&scalar.text), Plain::Text | Plain::Whole(_))
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
    let problems: Vec<Problem> = findings.problems.into_iter().chain(findings.refused).collect();
    if problems.is_empty() { Ok(json) } else { Err(problems) }
}

/// Whether kops has a text in the field of this path, so that `1.10` must be quoted there.
pub(super) fn holds_text(kind: &str, path: &FieldPath) -> bool {
    matches!(kind_at(kind, path), Some(Kind::Text | Kind::OneOf(_) | Kind::Duration))
}

/// Whether kops has a field of this path.
pub(super) fn knows(kind: &str, path: &FieldPath) -> bool {
    kind_at(kind, path).is_some()
}

fn kind_at(kind: &str, path: &FieldPath) -> Option<&'static Kind> {
    path.segments().iter().try_fold(fields::of(kind)?, |current, segment| {
        match (current, segment) {
            (Kind::Object(object), Segment::Key(key)) => {
                object.fields.get(key.as_str()).map(|field| &field.kind)
            }
            (Kind::List(kind), Segment::Index(_)) | (Kind::Map(kind), Segment::Key(_)) => {
                Some(&**kind)
            }
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::yaml;

    fn kind() -> Kind {
        let field = |kind| Field { kind, gone: None, reach: "" };
        let fields = [
            ("flag", Kind::Flag),
            ("whole", Kind::named("int64", "")),
            ("small", Kind::named("uint8", "")),
            ("minutes", Kind::named("int64", "60|120")),
            ("word", Kind::named("enum", "one|two")),
            ("time", Kind::Duration),
            ("quantity", Kind::Quantity),
            ("amount", Kind::TextOrWhole),
            ("texts", Kind::Map(Box::new(Kind::Text))),
        ];
        Kind::Object(Object {
            fields: fields.into_iter().map(|(name, kind)| (name, field(kind))).collect(),
        })
    }

    /// The value that one line of YAML gives a field, or what is said of it.
    fn read_line(line: &str) -> String {
        let root = yaml::parse(line).unwrap().remove(0).root;
        let mut findings = Findings::default();
        let json = read(&root, &kind(), &mut findings);
        let said = |problems: &[Problem]| {
            problems.iter().map(|p| p.message.clone()).collect::<Vec<_>>().join("; ")
        };
        match (findings.problems.as_slice(), findings.refused.as_slice()) {
            ([], []) => json.to_string(),
            ([], refused) => format!("{json} {}", said(refused)),
            (problems, _) => said(problems),
        }
    }

    #[test]
    fn values_of_the_newer_types_are_read_as_kops_reads_them() {
        let lines = [
            "small: 255", "small: 256", "small: -1", "minutes: 60", "minutes: 61", "word: one",
            "word: three", "word: \"\"", "word: [one]", "time: 1h30m", "time: 90s", "time: 1.5h",
            "time: \"0\"", "time: 0", "time: 5", "time: 5 minutes", "time: \"\"", "time: 10ms",
            "time: m", "quantity: 1", "quantity: 1.5", "quantity: 100m", "quantity: 1Gi",
            "quantity: \"2\"", "quantity: 1e3", "quantity: 2E6", "quantity: 1GB", "quantity: lots",
            "quantity: [1]", "amount: 1", "amount: 10%", "amount: \"1\"", "amount: true",
            "amount: 1.5", "amount: {a: b}",
        ];
        let read: Vec<String> =
            lines.iter().map(|line| format!("{line:<24} {}", read_line(line))).collect();
        insta::assert_snapshot!(read.join("\n"));
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
