//! Builds the tree out of the parser's events, within bounds of depth and of values. Both are
//! counted of what is built: an alias is the whole value that it stands for, and so is an anchor,
//! of which a copy is kept.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Span};

use super::{Entry, Node, Position, Scalar, Value, YamlError};

pub(super) const MAX_DEPTH: usize = 64;
pub(super) const MAX_VALUES: usize = 200_000;

/// The documents of a stream, and for each the line of the `---` that opened it, if one did.
pub(super) struct Stream {
    pub(super) roots: Vec<Node>,
    pub(super) starts: Vec<Option<usize>>,
}

pub(super) fn read(text: &str) -> Result<Stream, YamlError> {
    let mut reader = Reader {
        parser: Parser::new_from_str(text),
        anchors: HashMap::new(),
        values: 0,
        document: 0,
    };
    let mut roots = Vec::new();
    let mut starts = Vec::new();
    while let Some((event, span)) = reader.next()? {
        match event {
            Event::DocumentStart(explicit) => {
                reader.document += 1;
                reader.anchors.clear();
                if !explicit && reader.document > 1 {
                    let at = Position { line: span.start.line(), column: span.start.col() + 1 };
                    let message = "the object that begins here has no --- above it; put one there";
                    return Err(reader.error(message.to_owned(), Some(at)));
                }
                starts.push(explicit.then_some(span.start.line()));
                roots.push(reader.document_root()?);
            }
            Event::StreamEnd => break,
            _ => {}
        }
    }
    Ok(Stream { roots, starts })
}

struct Reader<'a> {
    parser: Parser<'a, saphyr_parser::StrInput<'a>>,
    anchors: HashMap<usize, Anchored>,
    values: usize,
    document: usize,
}

/// A value that aliases stand for, and what one of them adds.
struct Anchored {
    node: Node,
    values: usize,
    /// The levels in it.
    depth: usize,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<Option<(Event<'a>, Span)>, YamlError> {
        match self.parser.next_event() {
            None => Ok(None),
            Some(Ok(event)) => Ok(Some(event)),
            Some(Err(error)) => {
                let marker = error.marker();
                let at = Position { line: marker.line(), column: marker.col() + 1 };
                Err(self.error(error.info().to_owned(), Some(at)))
            }
        }
    }

    fn error(&self, message: String, at: Option<Position>) -> YamlError {
        YamlError { message, at, document: self.document.max(1) }
    }

    fn document_root(&mut self) -> Result<Node, YamlError> {
        let first = self.next()?;
        let root = self.node(first, 0)?;
        while let Some((event, _)) = self.next()? {
            if matches!(event, Event::DocumentEnd) {
                break;
            }
        }
        Ok(root)
    }

    fn node(&mut self, event: Option<(Event<'a>, Span)>, depth: usize) -> Result<Node, YamlError> {
        let Some((event, span)) = event else {
            return Err(self.error("the text ends in the middle of a value".to_owned(), None));
        };
        let at = Position { line: span.start.line(), column: span.start.col() + 1 };
        self.check_depth(depth, at)?;
        self.count(1, at)?;
        let (anchor, value) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let unquoted = style == ScalarStyle::Plain;
                let plain = match tag.as_deref() {
                    None => unquoted,
                    Some(tag) => match (tag.is_yaml_core_schema(), tag.suffix.as_str()) {
                        (true, "str") => false,
                        (true, "int" | "float" | "bool" | "null") => true,
                        // `!` alone: not to be resolved.
                        _ if tag.handle.is_empty() && tag.suffix == "!" => false,
                        _ => {
                            let message = "a value with this tag is not read; write the value \
                                           itself"
                                .to_owned();
                            return Err(self.error(message, Some(at)));
                        }
                    },
                };
                let null = plain && matches!(&*text, "" | "~" | "null" | "Null" | "NULL");
                let scalar = Scalar { text: text.into_owned(), plain };
                (anchor, if null { Value::Null } else { Value::Scalar(scalar) })
            }
            Event::SequenceStart(anchor, _) => {
                let mut items = Vec::new();
                loop {
                    match self.next()? {
                        Some((Event::SequenceEnd, _)) => break,
                        event => items.push(self.node(event, depth + 1)?),
                    }
                }
                (anchor, Value::List(items))
            }
            Event::MappingStart(anchor, _) => (anchor, Value::Map(self.entries(depth)?)),
            Event::Alias(anchor) => {
                let Some(target) = self.anchors.get(&anchor) else {
                    return Err(self.error("this alias names no anchor".to_owned(), Some(at)));
                };
                // Checked before it is copied.
                let (values, levels) = (target.values, target.depth);
                self.check_depth(depth + levels, at)?;
                self.count(values, at)?;
                let copy = self.anchors.get(&anchor).map(|target| target.node.value.clone());
                return Ok(Node { at, value: copy.unwrap_or(Value::Null) });
            }
            _ => return Err(self.error("a value is expected here".to_owned(), Some(at))),
        };
        let node = Node { at, value };
        if anchor > 0 {
            let (values, depth) = (node.size(), node.depth());
            self.count(values, at)?;
            self.anchors.insert(anchor, Anchored { node: node.clone(), values, depth });
        }
        Ok(node)
    }

    fn check_depth(&self, depth: usize, at: Position) -> Result<(), YamlError> {
        if depth > MAX_DEPTH {
            let message = format!("values are nested deeper than {MAX_DEPTH} levels");
            return Err(self.error(message, Some(at)));
        }
        Ok(())
    }

    fn entries(&mut self, depth: usize) -> Result<Vec<Entry>, YamlError> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut merged = Vec::new();
        let mut places: HashMap<String, Position> = HashMap::new();
        loop {
            let key = match self.next()? {
                Some((Event::MappingEnd, _)) => break,
                event => self.node(event, depth + 1)?,
            };
            let event = self.next()?;
            let value = self.node(event, depth + 1)?;
            let (text, key_plain) = match &key.value {
                Value::Scalar(scalar) if scalar.plain && scalar.text == "<<" => {
                    merged.push(value);
                    continue;
                }
                Value::Scalar(scalar) => (scalar.text.clone(), scalar.plain),
                Value::Null => ("null".to_owned(), true),
                _ => {
                    let message = "a key must be a single value, not a list or mapping".to_owned();
                    return Err(self.error(message, Some(key.at)));
                }
            };
            if let Some(first) = places.insert(text.clone(), key.at) {
                // The key is not repeated: where a text is badly indented it may be part of a secret.
                let message = format!("this key stands already at line {}", first.line);
                return Err(self.error(message, Some(key.at)));
            }
            entries.push(Entry { key: text, key_at: key.at, key_plain, value });
        }
        for source in merged {
            let at = source.at;
            let sources = match source.value {
                Value::List(items) => items,
                _ => vec![source],
            };
            for source in sources {
                let Value::Map(inherited) = source.value else {
                    return Err(self.error("<< takes a mapping".to_owned(), Some(at)));
                };
                for entry in inherited {
                    if !places.contains_key(&entry.key) {
                        places.insert(entry.key.clone(), entry.key_at);
                        entries.push(entry);
                    }
                }
            }
        }
        Ok(entries)
    }

    fn count(&mut self, more: usize, at: Position) -> Result<(), YamlError> {
        self.values += more;
        if self.values > MAX_VALUES {
            let message = format!(
                "this text, its aliases expanded, holds more than {MAX_VALUES} values; is it a spec?"
            );
            return Err(self.error(message, Some(at)));
        }
        Ok(())
    }
}
