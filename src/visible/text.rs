//! What comes from specs, tags, AWS and Kubernetes forges no
//! line of ours and gives no terminal an order (CWE-150; for the direction of text CVE-2021-42574).

use std::borrow::Cow;
use std::fmt::Write as _;

/// A text in one line, in which what nobody would see is written out.
pub(crate) fn visible(text: &str) -> Cow<'_, str> {
    written_out(text, |_| false)
}

/// Lines of ours, with colours, and whatever else came into them written out.
pub(crate) fn visible_lines(text: &str) -> Cow<'_, str> {
    if !text.contains(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\u{1b}') {
        let (before, after) = rest.split_at(at);
        out.push_str(&written_out(before, |c| c == '\n'));
        let length = style_at(after);
        match length {
            0 => {
                out.push_str(r"\u{1b}");
                rest = &after[1..];
            }
            length => {
                out.push_str(&after[..length]);
                rest = &after[length..];
            }
        }
    }
    out.push_str(&written_out(rest, |c| c == '\n'));
    Cow::Owned(out)
}

/// A JSON text in which hidden characters stand as JSON's own escapes. They stand in its strings
/// only.
pub(crate) fn in_json(json: &str) -> Cow<'_, str> {
    let is_raw = |c: char| is_hidden(c) && c != '\n';
    if !json.contains(is_raw) {
        return Cow::Borrowed(json);
    }
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if is_raw(c) {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                escaped(&mut out, format_args!(r"\u{unit:04x}"));
            }
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// Whether a character shows nothing of itself and changes how others are seen: control characters
/// (Unicode's Cc), separators of lines and paragraphs (Zl, Zp), and what formats (Cf).
pub(crate) fn is_hidden(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_control();
    }
    c.is_control() || FORMATS.iter().any(|(first, last)| (*first..=*last).contains(&c))
}

/// Unicode 16, general categories Zl, Zp and Cf.
const FORMATS: [(char, char); 21] = [
    ('\u{ad}', '\u{ad}'),
    ('\u{600}', '\u{605}'),
    ('\u{61c}', '\u{61c}'),
    ('\u{6dd}', '\u{6dd}'),
    ('\u{70f}', '\u{70f}'),
    ('\u{890}', '\u{891}'),
    ('\u{8e2}', '\u{8e2}'),
    ('\u{180e}', '\u{180e}'),
    ('\u{200b}', '\u{200f}'),
    ('\u{2028}', '\u{202e}'),
    ('\u{2060}', '\u{2064}'),
    ('\u{2066}', '\u{206f}'),
    ('\u{feff}', '\u{feff}'),
    ('\u{fff9}', '\u{fffb}'),
    ('\u{110bd}', '\u{110bd}'),
    ('\u{110cd}', '\u{110cd}'),
    ('\u{13430}', '\u{1343f}'),
    ('\u{1bca0}', '\u{1bca3}'),
    ('\u{1d173}', '\u{1d17a}'),
    ('\u{e0001}', '\u{e0001}'),
    ('\u{e0020}', '\u{e007f}'),
];

fn written_out(text: &str, stays: impl Fn(char) -> bool) -> Cow<'_, str> {
    let goes = |c: char| is_hidden(c) && !stays(c);
    if !text.contains(goes) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            c if !goes(c) => out.push(c),
            '\n' => out.push_str(r"\n"),
            '\r' => out.push_str(r"\r"),
            '\t' => out.push_str(r"\t"),
            c => escaped(&mut out, format_args!(r"\u{{{:x}}}", u32::from(c))),
        }
    }
    Cow::Owned(out)
}

#[expect(clippy::let_underscore_must_use, reason = "writing to a text cannot fail")]
fn escaped(out: &mut String, text: std::fmt::Arguments<'_>) {
    let _ = out.write_fmt(text);
}

/// The length of the style that a text begins with, as `anstyle` writes them: `ESC [ 1 ; 31 m`.
fn style_at(text: &str) -> usize {
    let Some(parameters) = text.strip_prefix("\u{1b}[") else { return 0 };
    let length = parameters.find(|c: char| !c.is_ascii_digit() && c != ';');
    match length {
        Some(length) if parameters[length..].starts_with('m') => length + "\u{1b}[m".len(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_would_see_is_written_out() {
        for (text, expected) in [
            ("nodes.dev.example.com → ü 漢", "nodes.dev.example.com → ü 漢"),
            ("1\n\n0 to change", r"1\n\n0 to change"),
            ("a\u{1b}[2K\rb\tc", r"a\u{1b}[2K\rb\tc"),
            ("\u{9b}1A\u{7f}", r"\u{9b}1A\u{7f}"),
            ("a\u{202e}b\u{2066}c", r"a\u{202e}b\u{2066}c"),
            ("a\u{200b}b\u{2028}c\u{feff}", r"a\u{200b}b\u{2028}c\u{feff}"),
            ("\u{e0041}", r"\u{e0041}"),
        ] {
            assert_eq!(visible(text), expected);
        }
    }

    #[test]
    fn lines_of_ours_keep_their_breaks_and_their_colours() {
        let ours = "\u{1b}[1mdev\u{1b}[0m\n  \u{1b}[1;31m-\u{1b}[0m x\n";
        assert_eq!(visible_lines(ours), ours);
        let foreign = "a\u{1b}[2K\u{1b}]0;title\u{7}\u{1b}[1;3Hb\u{1b}";
        let expected = r"a\u{1b}[2K\u{1b}]0;title\u{7}\u{1b}[1;3Hb\u{1b}";
        assert_eq!(visible_lines(foreign), expected);
    }

    #[test]
    fn json_stays_json_and_means_the_same() {
        let value = serde_json::json!({"a\u{202e}": ["\u{9b}2K\n", "\u{e0041}", "ü"]});
        let text = serde_json::to_string_pretty(&value).unwrap();
        let shown = in_json(&text);
        assert!(!shown.contains(|c: char| is_hidden(c) && c != '\n'), "{shown}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), value);
        assert!(shown.contains(r#""a\u202e""#) && shown.contains(r"\udb40\udc41"), "{shown}");
    }
}
