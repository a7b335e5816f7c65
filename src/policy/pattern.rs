//! Patterns with `*` for any characters and `?` for one, as policies and EC2's filters have
//! them.

/// What a pattern is made of.
#[derive(Clone, Copy)]
enum Part {
    Any,
    One,
    Exactly(char),
}

impl From<char> for Part {
    fn from(c: char) -> Self {
        match c {
            '*' => Self::Any,
            '?' => Self::One,
            c => Self::Exactly(c),
        }
    }
}

/// Whether a pattern of a policy, in which nothing is escaped, takes in everything that a text,
/// perhaps a pattern too, stands for: then `?` does not take in a `*`.
pub(crate) fn covers(pattern: &str, text: &str) -> bool {
    matches(pattern.chars().map(Part::from), text, |c| c != '*', || ())
}

/// Whether a value of EC2's filters takes in a text. It escapes with a backslash (EC2 user guide,
/// "Filter using the CLI or API").
pub(crate) fn filters(value: &str, text: &str) -> bool {
    matches(filter_parts(value).into_iter(), text, |_| true, || ())
}

fn filter_parts(value: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut rest = value.chars();
    while let Some(c) = rest.next() {
        let escaped = rest.clone().next().filter(|next| c == '\\' && r"*?\".contains(*next));
        match escaped {
            Some(escaped) => {
                rest.next();
                parts.push(Part::Exactly(escaped));
            }
            None => parts.push(Part::from(c)),
        }
    }
    parts
}

/// Goes along both at once. Where they part, the last asterisk takes in one character more;
/// those before it need no second try, since what they leave is never less. So there are at
/// most as many steps as pattern and text have pairs of characters, their ends counted.
fn matches(
    mut pattern: impl Iterator<Item = Part> + Clone,
    text: &str,
    one: impl Fn(char) -> bool,
    mut step: impl FnMut(),
) -> bool {
    let mut text = text.chars();
    // What follows the last asterisk, in the pattern and as little as it can leave of the text.
    let mut retreat = None;
    loop {
        step();
        let (mut further_pattern, mut further_text) = (pattern.clone(), text.clone());
        let fits = match (further_pattern.next(), further_text.next()) {
            (None, None) => return true,
            (Some(Part::Any), _) => {
                retreat = Some((further_pattern.clone(), text.clone()));
                pattern = further_pattern;
                continue;
            }
            (Some(Part::One), Some(found)) => one(found),
            (Some(Part::Exactly(wanted)), Some(found)) => wanted == found,
            _ => false,
        };
        if fits {
            (pattern, text) = (further_pattern, further_text);
            continue;
        }
        let Some((behind, left)) = &mut retreat else { return false };
        if left.next().is_none() {
            return false;
        }
        (pattern, text) = (behind.clone(), left.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asterisks_take_in_any_text_and_question_marks_one_character() {
        for (pattern, text) in [
            ("", ""),
            ("*", ""),
            ("*", "anything"),
            ("**", "a"),
            ("a*", "a"),
            ("a*b", "ab"),
            ("a*b", "a-b-b"),
            ("*ab*ba*", "abba"),
            ("*a*b", "aab"),
            ("k8s-1.?-*-x", "k8s-1.9-debian-x"),
            ("?-?", "ä-ß"),
            ("s3:*", "s3:Get*"),
            ("s3:Get?", "s3:Get?"),
            ("*b*", "*b*"),
        ] {
            assert!(covers(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [
            ("", "a"),
            ("a", ""),
            ("?", ""),
            ("a*b", "abc"),
            ("*ab*ba*", "aba"),
            ("*a*b", "bbba"),
            ("k8s-1.?-*-x", "k8s-1.10-debian-x"),
            ("s3:Get?", "s3:Get*"),
            ("s3:Get*", "s3:*"),
            ("a", "?"),
        ] {
            assert!(!covers(pattern, text), "{pattern} {text}");
        }
    }

    /// All texts of these characters, up to a length.
    fn texts(characters: &str, length: usize) -> Vec<String> {
        let mut all = vec![String::new()];
        let mut longest = all.clone();
        for _ in 0..length {
            let longer = |text: &String| -> Vec<String> {
                characters.chars().map(|c| format!("{text}{c}")).collect()
            };
            longest = longest.iter().flat_map(longer).collect();
            all.extend(longest.iter().cloned());
        }
        all
    }

    /// The rule itself, tried out at each asterisk.
    fn slowly(pattern: &[Part], text: &[char], one: fn(char) -> bool) -> bool {
        match (pattern, text) {
            ([], []) => true,
            ([Part::Any, rest @ ..], _) => {
                (0..=text.len()).any(|taken| slowly(rest, &text[taken..], one))
            }
            ([Part::One, rest @ ..], [c, left @ ..]) => one(*c) && slowly(rest, left, one),
            ([Part::Exactly(wanted), rest @ ..], [c, left @ ..]) => {
                wanted == c && slowly(rest, left, one)
            }
            _ => false,
        }
    }

    #[test]
    fn one_way_through_finds_what_all_ways_find() {
        let texts_of = |characters| -> Vec<(String, Vec<char>)> {
            let texts = texts(characters, 5).into_iter();
            texts.map(|text| (text.clone(), text.chars().collect())).collect()
        };
        let patterned = texts_of("ab*");
        for pattern in texts("ab*?", 5) {
            let parts: Vec<Part> = pattern.chars().map(Part::from).collect();
            for (text, characters) in &patterned {
                let right = slowly(&parts, characters, |c| c != '*');
                assert_eq!(covers(&pattern, text), right, "{pattern} {text}");
            }
        }
        let named = texts_of(r"a*\");
        for value in texts(r"a*?\", 5) {
            let parts = filter_parts(&value);
            for (text, characters) in &named {
                let right = slowly(&parts, characters, |_| true);
                assert_eq!(filters(&value, text), right, "{value} {text}");
            }
        }
    }

    #[test]
    fn filters_escape_with_a_backslash_and_policies_do_not() {
        for (value, text) in [
            (r"\*amazon\?\\", r"*amazon?\"),
            (r"a\*", "a*"),
            (r"a\**", "a*b"),
            (r"\", r"\"),
            (r"\a", r"\a"),
            (r"\\*", r"\b"),
            ("a?", "a*"),
        ] {
            assert!(filters(value, text), "{value} {text}");
        }
        for (value, text) in [(r"a\*", "ab"), (r"a\*", r"a\b"), (r"a\?", "ab"), (r"\\", r"\\")] {
            assert!(!filters(value, text), "{value} {text}");
        }
        assert!(covers(r"a\*", r"a\b") && !covers(r"a\*", "a*"));
    }

    #[test]
    fn steps_are_at_most_pattern_times_text() {
        let text = format!("arn:aws:s3:::{}", "a".repeat(40));
        for stars in 1..=40 {
            for end in ["*b", "*", "?b", "b*a"] {
                let pattern = format!("arn:aws:s3:::{}{end}", "*a".repeat(stars));
                let mut steps = 0;
                let parts = pattern.chars().map(Part::from);
                let fits = matches(parts, &text, |c| c != '*', || steps += 1);
                assert_eq!(fits, end == "*", "{pattern}");
                let most = (pattern.len() + 1) * (text.len() + 1);
                assert!(steps <= most, "{steps} steps for {pattern}, more than {most}");
            }
        }
    }
}
