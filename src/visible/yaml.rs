//! YAML in which nothing is hidden.

use serde::Serialize;
use serde_yaml::Value;

use crate::visible::text::is_hidden;

/// What YAML writes as an escape, so that it puts the text around into the one notation that has
/// escapes.
const MARK: char = '\u{80}';
const WRITTEN_MARK: &str = r"\x80";

/// Hidden characters that the serialiser escapes by itself.
const ESCAPED: [&str; 3] = [r"\L", r"\P", r"\uFEFF"];

/// A value as YAML, with hidden characters as YAML's own escapes. The serialiser writes those as
/// they are that it takes for printable.
///
/// # Errors
/// It cannot be serialised.
pub(crate) fn visible_yaml(value: &impl Serialize) -> Result<String, serde_yaml::Error> {
    let mut value = serde_yaml::to_value(value)?;
    if !mark(&mut value) {
        return serde_yaml::to_string(&value);
    }
    let text = serde_yaml::to_string(&value)?;
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once(WRITTEN_MARK) {
        out.push_str(before);
        let hidden = after.chars().next().filter(|c| is_passed_over(*c));
        match hidden {
            Some(hidden) => {
                match u32::from(hidden) {
                    code @ ..=0xffff => out.push_str(&format!(r"\u{code:04x}")),
                    code => out.push_str(&format!(r"\U{code:08x}")),
                }
                rest = &after[hidden.len_utf8()..];
            }
            None => {
                if !ESCAPED.iter().any(|escape| after.starts_with(escape)) {
                    // It stood for itself.
                    out.push_str(WRITTEN_MARK);
                }
                rest = after;
            }
        }
    }
    out.push_str(rest);
    Ok(out)
}

/// What the serialiser takes for printable though it is hidden.
fn is_passed_over(c: char) -> bool {
    is_hidden(c) && !c.is_control()
}

/// Puts a mark before each hidden character. Returns whether there was one.
fn mark(value: &mut Value) -> bool {
    match value {
        Value::String(text) => match text.contains(is_passed_over) {
            true => {
                *text = marked(text);
                true
            }
            false => false,
        },
        Value::Sequence(all) => all.iter_mut().fold(false, |any, one| mark(one) | any),
        Value::Mapping(all) => {
            let mut any = false;
            let pairs = std::mem::take(all).into_iter().map(|(mut key, mut value)| {
                any |= mark(&mut key) | mark(&mut value);
                (key, value)
            });
            let pairs: serde_yaml::Mapping = pairs.collect();
            *all = pairs;
            any
        }
        _ => false,
    }
}

fn marked(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_passed_over(c) {
            out.push(MARK);
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_characters_are_escaped_and_mean_the_same() {
        let text = "a\u{202e}b\u{80}\u{200b}\u{9b}\n\u{80}c\u{e0041}\u{2028}\u{feff}\u{80}\u{2029}";
        let value = serde_json::json!({"k\u{2066}": [text, "plain"], "other": 1});
        let yaml = visible_yaml(&value).unwrap();
        assert!(!yaml.contains(|c: char| is_hidden(c) && c != '\n'), "{yaml}");
        assert_eq!(serde_yaml::from_str::<serde_json::Value>(&yaml).unwrap(), value);
        assert_eq!(visible_yaml(&serde_json::json!({"a": "ü"})).unwrap(), "a: ü\n");
    }
}
