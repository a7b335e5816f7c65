//! YAML text as a tree that remembers where each value stands.
//!
//! The positions are what every later message about a spec points at. The tree keeps the
//! text of a scalar as it was written, because what it means (text, number, flag) depends
//! on the field it fills, which [`super::schema`] knows. Input is bounded in size, depth
//! and alias expansion, so that hostile text is refused before it costs anything.

pub(crate) mod plain;
mod reader;

use std::fmt;

use unicode_width::UnicodeWidthStr as _;

use super::path::{FieldPath, Segment};
use super::secret;
use plain::Plain;

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
    /// Whether the key stands without quotes, so that kops may read it otherwise.
    pub(crate) key_plain: bool,
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

    /// The value as JSON, scalars read as kops reads them. For values whose field has no
    /// declared type; declared ones go through [`super::schema`].
    pub(crate) fn to_json(&self) -> serde_json::Value {
        use serde_json::Value as Json;
        match &self.value {
            Value::Null => Json::Null,
            Value::Scalar(scalar) if !scalar.plain => Json::String(scalar.text.clone()),
            Value::Scalar(scalar) => match Plain::of(&scalar.text) {
                Plain::Null => Json::Null,
                Plain::Flag(flag) => Json::Bool(flag),
                Plain::Whole(number) => Json::from(number),
                Plain::Number(number) if number.is_finite() => Json::from(number),
                Plain::Number(_) | Plain::Text => Json::String(scalar.text.clone()),
            },
            Value::List(items) => Json::Array(items.iter().map(Node::to_json).collect()),
            Value::Map(entries) => Json::Object(
                entries.iter().map(|entry| (entry.key.clone(), entry.value.to_json())).collect(),
            ),
        }
    }

    /// How many levels lie below it.
    fn depth(&self) -> usize {
        match &self.value {
            Value::Null | Value::Scalar(_) => 0,
            Value::List(items) => 1 + items.iter().map(Node::depth).max().unwrap_or(0),
            Value::Map(entries) => 1 + entries.iter().map(|e| e.value.depth()).max().unwrap_or(0),
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

/// Parses a stream of documents. Documents that hold nothing but comments are left out.
pub(crate) fn parse(text: &str) -> Result<Vec<Document>, YamlError> {
    refuse_at_sight(text)?;
    let reader::Stream { roots, starts } = reader::read(text)?;
    refuse_directives(text, &starts)?;
    let texts = split(text, &starts);
    let documents = roots
        .into_iter()
        .zip(texts)
        .map(|(root, text)| Document { text: without_end(text, &root), root });
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

/// kops reads no directive: it cuts a text at each `---`, and what stands above the first is
/// then an object of its own (`pkg/kopscodecs`, and the YAML reader of apimachinery).
fn refuse_directives(text: &str, starts: &[Option<usize>]) -> Result<(), YamlError> {
    let lines: Vec<&str> = text.trim_start_matches('\u{feff}').lines().collect();
    for (index, start) in starts.iter().enumerate() {
        let Some(above) = start.and_then(|line| lines.get(..line - 1)) else { continue };
        let is_preamble =
            |line: &str| line.trim().is_empty() || line.starts_with('#') || line.starts_with('%');
        let preamble = above.iter().enumerate().rev().take_while(|(_, line)| is_preamble(line));
        if let Some((line, directive)) = preamble.filter(|(_, line)| line.starts_with('%')).last() {
            let directive = directive.trim();
            let message =
                format!("{directive} is a directive, which kops does not read; leave it out");
            let at = Some(Position { line: line + 1, column: 1 });
            return Err(YamlError { message, at, document: index + 1 });
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
        texts.push(format!("{preamble}{}", own.trim_start_matches(['\r', '\n'])));
    }
    texts
}

/// A document's text with one line end at its end, unless what is there belongs to the last
/// value, as in `|+`.
fn without_end(text: String, root: &Node) -> String {
    let short = format!("{}\n", text.trim_end());
    let is_same = |stream: reader::Stream| match stream.roots.as_slice() {
        [read] => read.to_json() == root.to_json(),
        _ => false,
    };
    match short == text || root.is_null() || reader::read(&short).is_ok_and(is_same) {
        true => short,
        false => text,
    }
}

/// The line that an error stands in, without secrets, with a caret under the column. Of a long
/// line it is the part around that column.
pub(crate) fn excerpt(text: &str, at: Position) -> String {
    const WIDTH: usize = 100;
    let line = secret::shown_line(text, at.line);
    let length = line.chars().count();
    let before = at.column.saturating_sub(1).min(length);
    let skipped = if before > WIDTH { before - WIDTH / 2 } else { 0 };
    let plain = |c: char| match c {
        '\t' => ' ',
        c if c.is_control() => '\u{fffd}',
        c => c,
    };
    let shown: String = line.chars().skip(skipped).take(WIDTH).map(plain).collect();
    let number = at.line.to_string();
    let gutter = " ".repeat(number.len());
    let left: String = shown.chars().take(before - skipped).collect();
    let caret = " ".repeat(left.width());
    format!("{gutter} |\n{number} | {shown}\n{gutter} | {caret}^")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::visible::yaml::visible_yaml;

    #[test]
    fn the_caret_stands_under_its_column_whatever_is_before() {
        let excerpt = |text: &str, column| excerpt(text, Position { line: 1, column });
        assert_eq!(excerpt("a: ]", 4), "  |\n1 | a: ]\n  |    ^");
        assert_eq!(excerpt("日本: ]", 5), "  |\n1 | 日本: ]\n  |       ^");
        assert_eq!(excerpt("e\u{301}: ]", 5), "  |\n1 | e\u{301}: ]\n  |    ^");
    }

    #[test]
    fn documents_keep_their_own_text() {
        let text = "# head\n---\na: 1 # one\n---\n# two\nb:\n- x\n---\n# nothing\n";
        let documents = parse(text).unwrap();
        let texts: Vec<_> = documents.iter().map(|document| document.text.as_str()).collect();
        assert_eq!(texts, ["# head\na: 1 # one\n", "# two\nb:\n- x\n"]);
    }

    #[test]
    fn each_document_alone_means_what_it_means_in_its_stream() {
        for text in [
            "a: 1\n---\nb: 2\n",
            "# head\n---\na: 1\n...\n# between\n---\nb: 2\n",
            "---\r\na: 1\r\n---\r\nb: 2\r\n",
            "\u{feff}---\na: 1\n---\nb: 2\n",
            "--- {a: 1}\n--- # here\nb: 2\n",
            "--- !!map\na: 1\n--- &x\nb: 1\n",
            "a: |\n  ---\n  %x\n---\nb: >-\n\n  x\n\n",
            "a: |+\n  x\n\n\n---\nb: 2",
            "a: |\n  x\n---\nb: |\n  x",
            "a: |+\n  x\n---\nb: |+\n  x\n   ",
        ] {
            let documents = parse(text).unwrap();
            for document in &documents {
                let again = parse(&document.text).unwrap();
                assert_eq!(again.len(), 1, "{text:?}: {:?}", document.text);
                assert_eq!(again[0].root.to_json(), document.root.to_json(), "{text:?}");
            }
        }
    }

    #[test]
    fn directives_are_refused() {
        for (text, line) in [
            ("%YAML 1.2\n---\na: 1\n", 1),
            ("%YAML 1.1\r\n---\r\na: 1\r\n", 1),
            ("\u{feff}%YAML 1.2\n---\na: 1\n", 1),
            ("# head\n\n%TAG !e! tag:example.com,2000:\n# more\n---\na: 1\n", 3),
            ("a: 1\n...\n%YAML 1.2\n---\nb: 1\n", 3),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.message.contains("is a directive, which kops does not read"), "{error}");
            assert_eq!(error.at.unwrap().line, line, "{text:?}");
        }
        let error = parse("a: 1\n...\nb: 1\n").unwrap_err();
        assert!(error.message.contains("has no --- above it"), "{error}");
        assert!(parse("%YAML 1.2\na: 1\n").is_err());
        assert!(parse("a: |\n  %YAML 1.2\n  ---\nb: 1\n").is_ok());
    }

    /// Each is something else to a reader of YAML 1.1 (PyYAML, Go), of YAML 1.2, or to both, where
    /// it stands without quotes: the rules of both for numbers, flags, nothing, times and merges,
    /// and what begins or ends a value.
    #[test]
    fn what_a_reader_may_take_for_something_else_is_written_with_quotes() {
        let resolved = [
            "", "~", "null", "Null", "NULL", "y", "Y", "n", "N", "yes", "Yes", "YES", "no", "No",
            "NO", "true", "True", "TRUE", "false", "False", "FALSE", "on", "On", "ON", "off",
            "Off", "OFF", "0", "-1", "+1", "012", "0755", "09", "0o7", "0O7", "0x1F", "0X1f",
            "0b11", "-0b11", "1_000", "_1_", "1e3", "1E3", "1e+3", "1.5", ".5", "5.", "1.0e+20",
            "1.", "-.5", "1.2.3e4", ".inf", "-.Inf", "+.INF", ".nan", ".NaN", "1:40", "190:20:30",
            "1:30.5", "2018-01-01", "2018-1-1", "2018-01-01T10:00:00Z", "2018-01-01 10:00:00",
            "<<", "=", "99999999999999999999", "1.10",
        ];
        let parted = [
            " a", "a ", "\ta", "a\t", " ", "- a", "-", "? a", "?", ": a", ":", "a: b", "a:",
            "a #b", "# a", "#", "&a", "*a", "!a", "!!str a", "|", ">", "| a", "> a", "'a'",
            "\"a\"", "%a", "@a", "`a", "[a]", "{a: b}", "[", "{", "]", "}", ",", ", a", "---",
            "--- a", "...", "... a", "a\rb", "a\u{85}b", "a\u{2028}b", "\u{feff}a", "a\u{7f}b",
            "\u{1b}[31m", "\0", "a\u{202e}b",
            // go-yaml reads none of these as the text of a block.
            "\ta\nb\n", "\n\n\ta\n", "\t\n",
        ];
        for text in resolved.into_iter().chain(parted) {
            let value = serde_json::json!({ text: [text, {"k": text}] });
            let written = visible_yaml(&value).unwrap();
            for line in written.lines() {
                let begin = line.trim_start_matches("- ").trim_start_matches("k: ").chars().next();
                let is_quoted = matches!(begin, Some('"' | '\'' | ' '));
                assert!(is_quoted, "{text:?}: {written}");
            }
            assert_eq!(parse(&written).unwrap()[0].root.to_json(), value, "{written}");
        }
    }

    #[test]
    fn what_is_written_is_read_as_it_was() {
        for text in [
            "m5.large", "1.10.3", "a,b", "a#b", "a:b", "s3://b/k", "-a", "?a", "~a", "=a", "<<a",
            "yES", "größe 日本", "it's", "\"", "\\x80", "a\\", "two\nlines", "two\nlines\n",
            "three\n\n\n", "\n", "\n\n", "\na", "  two\nindented\n", "\n  after none\n",
            "a\n\n  b\n", "a \nb ", "---\na\n", "...\n", "# a\n# b\n", "a: b\nc: d\n", "%a\nb",
            " \n", " \na", "a\n ", "a\r\nb\r\n", "a\n\u{200b}\n", "{\"Effect\": \"Allow\"}",
            "\n \ta", "#!/bin/sh\nset -e\n  echo 'a' | tee\n",
        ] {
            let value = serde_json::json!({
                "k": text, "l": [text, [text], {"a": text, "b": text}], "m": {text: {"a": [text]}}, "z": 1,
            });
            let written = visible_yaml(&value).unwrap();
            let read =
                parse(&written).unwrap_or_else(|error| panic!("{text:?}: {error}: {written}"));
            assert_eq!(read[0].root.to_json(), value, "{written}");
        }
        let long = "word ".repeat(100);
        let value = serde_json::json!({
            "empty": [[], {}], "long": long.trim_end(), "none": null, "flags": [true, false],
            "numbers": [0, -1, 1.5, 1e20, 1e-7, 9_007_199_254_740_993_i64], "list": [["a"], [["b"]]],
            "lines": "one\ntwo\n", "maps": [{"a": 1, "b": {"c": [2]}}],
        });
        let written = visible_yaml(&value).unwrap();
        insta::assert_snapshot!(written);
        assert_eq!(parse(&written).unwrap()[0].root.to_json(), value);
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

    /// Runs something on a stack as small as those of threads in some systems.
    fn on_a_small_stack(run: impl FnOnce() + Send + 'static) {
        std::thread::Builder::new().stack_size(1 << 20).spawn(run).unwrap().join().unwrap();
    }

    /// A chain of anchors, each around the one before, so deep altogether.
    fn chain(depth: usize) -> String {
        let mut text = "a0: &a0 [x]\n".to_owned();
        for step in 1..depth {
            text.push_str(&format!("a{step}: &a{step} [*a{}]\n", step - 1));
        }
        text
    }

    #[test]
    fn an_alias_is_as_deep_as_what_it_stands_for() {
        // Below the mapping at the root.
        let deepest = chain(reader::MAX_DEPTH - 1);
        on_a_small_stack(move || {
            let document = parse(&deepest).unwrap().remove(0);
            assert_eq!(document.root.depth(), reader::MAX_DEPTH);
            let json = document.root.to_json();
            assert_eq!(document.root.clone().to_json(), json);
            parse(&visible_yaml(&json).unwrap()).unwrap();
        });
        let mut steps = "a0: &a0 [[x]]\n".to_owned();
        for step in 1..78 {
            let (open, close) = ("[".repeat(60), "]".repeat(60));
            steps.push_str(&format!("a{step}: &a{step} {open}*a{}{close}\n", step - 1));
        }
        for text in [chain(reader::MAX_DEPTH), chain(5_000), steps] {
            on_a_small_stack(move || {
                let error = parse(&text).unwrap_err();
                assert_eq!(error.message, "values are nested deeper than 64 levels");
            });
        }
    }

    #[test]
    fn an_anchor_counts_as_the_copy_that_is_kept_of_it() {
        let values = |count| vec!["x"; count].join(",");
        let anchored = |levels: usize, count| {
            let open: String = (0..levels).map(|level| format!("&a{level} [")).collect();
            format!("a: {open}{}{}", values(count), "]".repeat(levels))
        };
        for text in [anchored(60, 190_000), anchored(1, 100_000)] {
            let error = parse(&text).unwrap_err();
            assert!(error.message.contains("more than 200000 values"), "{error}");
        }
        let widest = anchored(1, reader::MAX_VALUES / 2 - 10);
        let both = format!("{}b: [{}]\n", chain(reader::MAX_DEPTH - 1), values(190_000));
        for text in [widest, both] {
            on_a_small_stack(move || drop(parse(&text).unwrap().remove(0).root.to_json()));
        }
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
