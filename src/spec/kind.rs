//! What fields of kops' types hold.

use std::collections::BTreeMap;

/// What a field holds.
#[derive(Debug)]
pub(super) enum Kind {
    Text,
    Flag,
    Whole(Whole),
    /// A length of time, as Go writes it: `1h30m`.
    Duration,
    /// A quantity of Kubernetes: `100m`, `1Gi`, or a number.
    Quantity,
    /// A number, or a text such as `10%`.
    TextOrWhole,
    OneOf(Vec<&'static str>),
    Object(Object),
    List(Box<Kind>),
    Map(Box<Kind>),
    /// Anything: kept, not looked into.
    Open,
}

/// A whole number of a type of Go, one of `words` if there are any.
#[derive(Debug)]
pub(super) struct Whole {
    kind: &'static str,
    pub(super) words: Vec<&'static str>,
}

#[derive(Debug)]
pub(super) struct Field {
    pub(super) kind: Kind,
    /// Of a field that kops has no more: what became of it.
    pub(super) gone: Option<&'static str>,
    /// Of a leaf: what a change of it reaches, as the tables tell it.
    pub(super) reach: &'static str,
}

/// The fields of one kops type.
#[derive(Debug, Default)]
pub(super) struct Object {
    pub(super) fields: BTreeMap<&'static str, Field>,
}

impl Kind {
    /// The kind that a table names, of the words that it takes (`|` between them).
    pub(super) fn named(name: &'static str, words: &'static str) -> Self {
        let words: Vec<&str> = words.split('|').filter(|word| !word.is_empty()).collect();
        match name {
            "string" => Self::Text,
            "bool" => Self::Flag,
            "duration" => Self::Duration,
            "quantity" => Self::Quantity,
            "intOrString" => Self::TextOrWhole,
            "enum" => Self::OneOf(words),
            "object" => Self::Object(Object::default()),
            "int" | "int16" | "int32" | "int64" | "uint8" | "uint32" => {
                Self::Whole(Whole { kind: name, words })
            }
            _ => Self::Open,
        }
    }

    /// What a field of this kind takes, in words for a message.
    pub(super) fn takes(&self) -> String {
        match self {
            Self::Text => "text".to_owned(),
            Self::Flag => "true or false".to_owned(),
            Self::Whole(whole) if whole.words.is_empty() => "a whole number".to_owned(),
            Self::Whole(Whole { words, .. }) | Self::OneOf(words) => {
                format!("one of {}", words.join(", "))
            }
            Self::Duration => "a length of time, such as 1h30m".to_owned(),
            Self::Quantity => "a quantity, such as 100m or 1Gi".to_owned(),
            Self::TextOrWhole => "a whole number or text".to_owned(),
            Self::Object(_) => "a mapping of fields".to_owned(),
            Self::List(_) => "a list".to_owned(),
            Self::Map(_) => "a mapping".to_owned(),
            Self::Open => "anything".to_owned(),
        }
    }
}

impl Whole {
    /// The least and the most that fit into the type.
    pub(super) fn range(&self) -> (i64, i64) {
        match self.kind {
            "int16" => (i64::from(i16::MIN), i64::from(i16::MAX)),
            "int32" => (i64::from(i32::MIN), i64::from(i32::MAX)),
            "uint8" => (0, i64::from(u8::MAX)),
            "uint32" => (0, i64::from(u32::MAX)),
            _ => (i64::MIN, i64::MAX),
        }
    }
}

impl Object {
    /// The names of the fields that are to be written.
    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        let there = self.fields.iter().filter(|(_, field)| field.gone.is_none());
        there.map(|(name, _)| *name)
    }
}

#[cfg(test)]
impl Kind {
    /// The kind as a table names it.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Text => "string",
            Self::Flag => "bool",
            Self::Whole(whole) => whole.kind,
            Self::Duration => "duration",
            Self::Quantity => "quantity",
            Self::TextOrWhole => "intOrString",
            Self::OneOf(_) => "enum",
            Self::Object(_) => "object",
            Self::List(_) => "list",
            Self::Map(_) => "map",
            Self::Open => "any",
        }
    }
}

#[cfg(test)]
pub(super) fn words_of(kind: &Kind) -> &[&'static str] {
    match kind {
        Kind::OneOf(words) | Kind::Whole(Whole { words, .. }) => words,
        _ => &[],
    }
}
