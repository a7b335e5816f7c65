//! Whole user data, for those who ask for it: reports tell it by its fingerprint else.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Serialize, Serializer};

use crate::core::drift::UserDataChange;
use crate::visible::text::visible;

/// User data before and after, whole.
#[derive(Serialize)]
pub(super) struct WholeUserData<'a> {
    before: Option<Content<'a>>,
    after: Option<Content<'a>>,
}

enum Content<'a> {
    Text(&'a str),
    /// What is no text, such as what is compressed.
    Base64(String),
}

/// As a map: what YAML calls a tag would go out as it is.
impl Serialize for Content<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map([match self {
            Self::Text(text) => ("text", *text),
            Self::Base64(text) => ("base64", text.as_str()),
        }])
    }
}

impl<'a> WholeUserData<'a> {
    pub(super) fn of(change: &'a UserDataChange) -> Self {
        let side = |side: &'a Option<Vec<u8>>| side.as_deref().map(Content::of);
        Self { before: side(&change.before), after: side(&change.after) }
    }

    /// A heading for each side, and the lines of that side behind a bar: none of them passes for
    /// one of the report.
    pub(super) fn lines(&self) -> Vec<String> {
        let sides = [("before", &self.before), ("after", &self.after)];
        let told = sides.into_iter().filter_map(|(title, side)| {
            let (note, lines) = side.as_ref()?.lines();
            let heading = format!("{title}{note}:");
            Some(
                std::iter::once(heading).chain(lines.into_iter().map(|line| format!("  | {line}"))),
            )
        });
        told.flatten().collect()
    }
}

impl<'a> Content<'a> {
    fn of(bytes: &'a [u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::Text(text),
            Err(_) => Self::Base64(STANDARD.encode(bytes)),
        }
    }

    fn lines(&self) -> (&'static str, Vec<String>) {
        match self {
            Self::Text(text) => {
                let (note, text) = match text.strip_suffix('\n') {
                    Some(text) => ("", text),
                    None => (", without a line break at its end", *text),
                };
                // A carriage return is no break: it is shown.
                (note, text.split('\n').map(|line| visible(line).into_owned()).collect())
            }
            Self::Base64(text) => (", which is no text, in base 64", vec![text.clone()]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(before: Option<&[u8]>, after: Option<&[u8]>) -> Vec<String> {
        let [before, after] = [before, after].map(|side| side.map(<[u8]>::to_vec));
        WholeUserData::of(&UserDataChange { before, after }).lines()
    }

    #[test]
    fn each_line_stands_behind_a_bar_and_shows_what_is_hidden() {
        assert_eq!(
            lines(Some(b"#!/bin/sh\n\nrm -r x\r\n"), Some(b"a\x1b[2Kb")),
            [
                "before:",
                "  | #!/bin/sh",
                "  | ",
                r"  | rm -r x\r",
                "after, without a line break at its end:",
                r"  | a\u{1b}[2Kb",
            ]
        );
        assert_eq!(lines(None, Some(b"a\n")), ["after:", "  | a"]);
    }

    #[test]
    fn what_is_no_text_is_told_in_base_64() {
        let expected = ["before, which is no text, in base 64:", "  | H4sI/w=="];
        assert_eq!(lines(Some(b"\x1f\x8b\x08\xff"), None), expected);
    }
}
