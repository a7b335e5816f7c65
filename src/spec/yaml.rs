//! YAML text as a tree that remembers where each value stands.
//!
//! The positions are what every later message about a spec points at. The tree keeps the
//! text of a scalar as it was written, because what it means (text, number, flag) depends
//! on the field it fills, which [`super::schema`] knows. Input is bounded in size, depth
//! and alias expansion, so that hostile text is refused before it costs anything.

mod reader;

use std::fmt;

use super::path::{FieldPath, Segment};

/// The largest spec file that is read, in bytes. A spec with its file assets and policies
/// is some tens of kilobytes; S3 and kops set no limit of their own.
pub(crate) const MAX_BYTES: usize = 4 * 1024 * 1024;

/// A place in a text: line and column, both from 1.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Position {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

/// One value and where it begins.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) at: Position,
    pub(crate) value: Value,
}

#[derive(Clone, Debug)]
pub(crate) enum Value {
    Null,
    Scalar(Scalar),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A scalar as written. `plain` tells an unquoted one, which may mean a number or a flag.
#[derive(Clone, Debug)]
pub(crate) struct Scalar {
    pub(crate) text: String,
    pub(crate) plain: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_at: Position,
    pub(crate) value: Node,
}

/// One document of a stream: its tree, and its own text, comments included, without the
/// `---` that set it apart.
#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) root: Node,
    pub(crate) text: String,
}

/// Text that is not YAML, or is not YAML that we are willing to read.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct YamlError {
    pub(crate) message: String,
    pub(crate) at: Option<Position>,
    /// Which document of the stream, from 1.
    pub(crate) document: usize,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

impl Node {
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        let Value::Map(entries) = &self.value else { return None };
        entries.iter().find(|entry| entry.key == key).map(|entry| &entry.value)
    }

    pub(crate) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar(scalar) => Some(&scalar.text),
            _ => None,
        }
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(self.value, Value::Null)
    }

    /// What a value is, in words for a message.
    pub(crate) fn describe(&self) -> &'static str {
        match &self.value {
            Value::Null => "nothing",
            Value::Scalar(_) => "a single value",
            Value::List(_) => "a list",
            Value::Map(_) => "a mapping",
        }
    }

    /// Where the field of this path stands or, if it is absent, the nearest thing that
    /// holds it. A key's own place is preferred to its value's.
    pub(crate) fn locate(&self, path: &FieldPath) -> Position {
        let (mut node, mut at) = (self, self.at);
        for segment in path.segments() {
            let next = match (segment, &node.value) {
                (Segment::Key(key), Value::Map(entries)) => entries
                    .iter()
                    .find(|entry| entry.key == *key)
                    .map(|entry| (&entry.value, entry.key_at)),
                (Segment::Index(index), Value::List(items)) => {
                    items.get(*index).map(|item| (item, item.at))
                }
                _ => None,
            };
            match next {
                Some((found, place)) => (node, at) = (found, place),
                None => break,
            }
        }
        at
    }

    /// The value as JSON, scalars read by YAML's own rules. For values whose field has no
    /// declared type; declared ones go through [`super::schema`].
    pub(crate) fn to_json(&self) -> serde_json::Value {
        use serde_json::Value as Json;
        match &self.value {
            Value::Null => Json::Null,
            Value::Scalar(scalar) if !scalar.plain => Json::String(scalar.text.clone()),
            Value::Scalar(scalar) => match scalar.text.as_str() {
                "true" | "True" | "TRUE" => Json::Bool(true),
                "false" | "False" | "FALSE" => Json::Bool(false),
                text => match (text.parse::<i64>(), text.parse::<f64>()) {
                    (Ok(number), _) => Json::from(number),
                    (_, Ok(number)) if number.is_finite() && text.starts_with(is_numeric) => {
                        Json::from(number)
                    }
                    _ => Json::String(text.to_owned()),
                },
            },
            Value::List(items) => Json::Array(items.iter().map(Node::to_json).collect()),
            Value::Map(entries) => Json::Object(
                entries.iter().map(|entry| (entry.key.clone(), entry.value.to_json())).collect(),
            ),
        }
    }

    fn size(&self) -> usize {
        match &self.value {
            Value::Null | Value::Scalar(_) => 1,
            Value::List(items) => 1 + items.iter().map(Node::size).sum::<usize>(),
            Value::Map(entries) => 1 + entries.iter().map(|e| 1 + e.value.size()).sum::<usize>(),
        }
    }
}

fn is_numeric(c: char) -> bool {
    c.is_ascii_digit() || matches!(c, '-' | '+' | '.')
}

/// Parses a stream of documents. Documents that hold nothing but comments are left out.
pub(crate) fn parse(text: &str) -> Result<Vec<Document>, YamlError> {
    refuse_at_sight(text)?;
    let reader::Stream { roots, starts } = reader::read(text)?;
    let texts = split(text, &starts);
    let documents = roots.into_iter().zip(texts).map(|(root, text)| Document { root, text });
    Ok(documents.filter(|document| !document.root.is_null()).collect())
}

/// Parses text that holds exactly one value, such as `VALUE` in `set cluster PATH=VALUE`.
pub(crate) fn parse_value(text: &str) -> Result<Node, YamlError> {
    let mut documents = parse(text)?;
    match documents.len() {
        0 => Ok(Node { at: Position { line: 1, column: 1 }, value: Value::Null }),
        1 => Ok(documents.remove(0).root),
        count => Err(YamlError {
            message: format!("one value is expected here, not {count} documents"),
            at: None,
            document: 2,
        }),
    }
}

fn refuse_at_sight(text: &str) -> Result<(), YamlError> {
    let refuse = |message: String, at| Err(YamlError { message, at, document: 1 });
    if text.len() > MAX_BYTES {
        return refuse(too_large(text.len() as u64), None);
    }
    for (index, line) in text.lines().enumerate() {
        let control = line.char_indices().find(|(_, c)| {
            (c.is_control() && !matches!(c, '\t' | '\u{85}')) || *c == '\u{feff}' && index > 0
        });
        if let Some((column, c)) = control {
            let column = line[..column].chars().count() + 1;
            return refuse(
                format!("a spec is text, but this holds the control character U+{:04X}", c as u32),
                Some(Position { line: index + 1, column }),
            );
        }
    }
    Ok(())
}

pub(crate) fn too_large(bytes: u64) -> String {
    let mebibytes = bytes as f64 / (1024.0 * 1024.0);
    format!(
        "{mebibytes:.1} MiB are more than a spec may have ({} MiB); is it the right file?",
        MAX_BYTES / (1024 * 1024)
    )
}

/// Cuts a stream into the documents' own texts. `starts` holds the line of the `---` that
/// opened each document, if one did. What stands before the first `---` goes with it.
fn split(text: &str, starts: &[Option<usize>]) -> Vec<String> {
    let mut offsets = vec![0];
    offsets.extend(text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(i, _)| i + 1));
    let line_offset = |line: usize| offsets.get(line - 1).copied().unwrap_or(text.len());
    let mut texts = Vec::new();
    for (index, start) in starts.iter().enumerate() {
        let begin = start.map_or(0, line_offset);
        let end = starts.get(index + 1).copied().flatten().map_or(text.len(), line_offset);
        let own = &text[begin..end];
        let own = match start {
            Some(_) => own.strip_prefix("---").unwrap_or(own).trim_start_matches([' ', '\r']),
            None => own,
        };
        let own = own.strip_prefix('\n').unwrap_or(own);
        let preamble = if index == 0 { &text[..begin] } else { "" };
        let mut own = format!("{preamble}{}", own.trim_start_matches(['\r', '\n']));
        own.truncate(own.trim_end().len());
        own.push('\n');
        texts.push(own);
    }
    texts
}

/// The line that an error stands in, with a caret under the column. Of a long line it is
/// the part around that column.
pub(crate) fn excerpt(text: &str, at: Position) -> String {
    const WIDTH: usize = 100;
    let line = text.lines().nth(at.line.saturating_sub(1)).unwrap_or("");
    let before = at.column.saturating_sub(1).min(line.chars().count());
    let skipped = if before > WIDTH { before - WIDTH / 2 } else { 0 };
    let plain = |c: char| match c {
        '\t' => ' ',
        c if c.is_control() => '\u{fffd}',
        c => c,
    };
    let shown: String = line.chars().skip(skipped).take(WIDTH).map(plain).collect();
    let number = at.line.to_string();
    let gutter = " ".repeat(number.len());
    let caret = " ".repeat(before - skipped);
    format!("{gutter} |\n{number} | {shown}\n{gutter} | {caret}^")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_keep_their_own_text() {
        let text = "# head\n---\na: 1 # one\n---\n# two\nb:\n- x\n---\n# nothing\n";
        let documents = parse(text).unwrap();
        let texts: Vec<_> = documents.iter().map(|document| document.text.as_str()).collect();
        assert_eq!(texts, ["# head\na: 1 # one\n", "# two\nb:\n- x\n"]);
    }

    #[test]
    fn a_separator_inside_a_block_scalar_is_text() {
        let documents = parse("a: |\n  ---\n  x\nb: 1\n").unwrap();
        assert_eq!(documents.len(), 1);
        assert_eq!(documents[0].root.get("a").unwrap().text(), Some("---\nx\n"));
    }

    #[test]
    fn merge_keys_fill_what_is_absent() {
        let node = parse("base: &b {x: 1, y: 2}\nown: {<<: *b, y: 3}\n").unwrap().remove(0).root;
        assert_eq!(node.get("own").unwrap().to_json(), serde_json::json!({"y": 3, "x": 1}));
    }

    #[test]
    fn hostile_text_is_refused() {
        let deep = "[".repeat(100);
        let mut bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n".to_owned();
        for (name, before) in ["b", "c", "d", "e", "f", "g", "h"].iter().zip("abcdefg".chars()) {
            let list = vec![format!("*{before}"); 9].join(",");
            bomb.push_str(&format!("{name}: &{name} [{list}]\n"));
        }
        let message = |text: &str| parse(text).unwrap_err().to_string();
        assert_eq!(message(&deep), "values are nested deeper than 64 levels");
        assert!(parse(&"[".repeat(MAX_BYTES)).is_err());
        assert!(parse(&"- ".repeat(MAX_BYTES / 2)).is_err());
        assert!(message(&bomb).contains("more than 200000 values"), "{}", message(&bomb));
        assert!(message("a: \0").contains("U+0000"));
        assert!(message("a: 1\na: 2\n").contains("stands already at line 1"));
        assert!(message(&"x".repeat(MAX_BYTES + 1)).contains("4.0 MiB are more"));
    }
}
