//! YAML in which nothing is hidden.

use std::borrow::Cow;
use std::fmt::Write as _;

use serde::{Serialize, Serializer};
use serde_json::Value;
use serde_saphyr::{DoubleQuoted, ser_options};

use crate::visible::text::is_hidden;

/// What the printer writes as an escape, so that it puts the text around into the one notation
/// that has escapes.
const MARK: char = '\u{80}';
const WRITTEN_MARK: &str = r"\x80";

/// A value as YAML in block style, with hidden characters as YAML's own escapes. A text that a
/// reader of YAML 1.1 or 1.2 takes for something else stands in quotes.
///
/// # Errors
/// It cannot be serialised.
pub(crate) fn visible_yaml(value: &impl Serialize) -> anyhow::Result<String> {
    let value = serde_json::to_value(value)?;
    // Lines stay as long as they are.
    let options = ser_options! { folded_wrap_chars: usize::MAX };
    let text = serde_saphyr::to_string_with_options(&Printed(&value), options)?;
    if !text.contains(is_passed_over) {
        return Ok(text);
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if !is_passed_over(c) {
            out.push(c);
            continue;
        }
        let unmarked = out.strip_suffix(WRITTEN_MARK).map_or(out.len(), str::len);
        out.truncate(unmarked);
        match u32::from(c) {
            code @ ..=0xffff => write!(out, r"\u{code:04x}")?,
            code => write!(out, r"\U{code:08x}")?,
        }
    }
    Ok(out)
}

/// What the printer writes as it is though it is hidden.
fn is_passed_over(c: char) -> bool {
    is_hidden(c) && !c.is_control() && !matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}')
}

/// A value as the printer gets it.
struct Printed<'a>(&'a Value);

impl Serialize for Printed<'_> {
    fn serialize<S: Serializer>(&self, printer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            // go-yaml takes the tab for indentation, in which YAML has none.
            Value::String(text) if text.trim_start_matches('\n').starts_with('\t') => {
                DoubleQuoted(marked(text)).serialize(printer)
            }
            Value::String(text) => printer.serialize_str(&marked(text)),
            Value::Array(items) => printer.collect_seq(items.iter().map(Printed)),
            Value::Object(fields) => {
                printer.collect_map(fields.iter().map(|(key, value)| (marked(key), Printed(value))))
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => self.0.serialize(printer),
        }
    }
}

/// A text with a mark before each character that is passed over.
fn marked(text: &str) -> Cow<'_, str> {
    if !text.contains(is_passed_over) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_passed_over(c) {
            out.push(MARK);
        }
        out.push(c);
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn hidden_characters_are_escaped_and_mean_the_same() {
        let text = "a\u{202e}b\u{80}\u{200b}\u{9b}\n\u{80}c\u{e0041}\u{2028}\u{feff}\u{80}\u{2029}";
        // These look like what is written of marks.
        let others = [r"\x80\L", "\\x80\u{200b}", r"\x80\u200b", "\\x80\n\\x80\\L\n"];
        let value = json!({"k\u{2066}": [text, "plain", others], "other": 1, r"\x80\P": "ü"});
        let yaml = visible_yaml(&value).unwrap();
        assert!(!yaml.contains(|c: char| is_hidden(c) && c != '\n'), "{yaml}");
        assert_eq!(serde_saphyr::from_str::<Value>(&yaml).unwrap(), value);
        assert_eq!(visible_yaml(&json!({"a": "ü"})).unwrap(), "a: ü\n");
    }
}
