//! What fields of kops' types hold.

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

impl Kind {
    /// What a field of this kind takes, in words for a message.
    pub(super) fn takes(&self) -> String {
        match self {
            Self::Text => "text".to_owned(),
            Self::Flag => "true or false".to_owned(),
            Self::Whole => "a whole number".to_owned(),
            Self::OneOf(words) => format!("one of {}", words.join(", ")),
            Self::Object(_) => "a mapping of fields".to_owned(),
            Self::List(_) => "a list".to_owned(),
            Self::Map(_) => "a mapping".to_owned(),
            Self::Open => "anything".to_owned(),
        }
    }
}

impl Object {
    pub(super) fn kind(&self, field: &str) -> Option<&Kind> {
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

    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        let simple = self.text.iter().chain(self.flags).chain(self.whole).copied();
        simple.chain(self.other.iter().map(|(name, _)| *name))
    }
}
