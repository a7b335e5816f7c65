//! Patterns with `*` for any characters and `?` for one, as policies and EC2's filters have
//! them.

/// Whether a pattern takes in everything that a text, perhaps a pattern too, stands for: then
/// `?` does not take in a `*`.
pub(crate) fn covers(pattern: &str, text: &str) -> bool {
    matches(pattern, text, || ())
}

/// Goes along both at once. Where they part, the last asterisk takes in one character more;
/// those before it need no second try, since what they leave is never less. So there are at
/// most as many steps as pattern and text have pairs of characters, their ends counted.
fn matches(pattern: &str, text: &str, mut step: impl FnMut()) -> bool {
    let (mut pattern, mut text) = (pattern.chars(), text.chars());
    // What follows the last asterisk, in the pattern and as little as it can leave of the text.
    let mut retreat = None;
    loop {
        step();
        let (mut further_pattern, mut further_text) = (pattern.clone(), text.clone());
        match (further_pattern.next(), further_text.next()) {
            (None, None) => return true,
            (Some('*'), _) => {
                retreat = Some((further_pattern.clone(), text.clone()));
                pattern = further_pattern;
            }
            (Some(wanted), Some(found)) if wanted == found || wanted == '?' && found != '*' => {
                (pattern, text) = (further_pattern, further_text);
            }
            _ => {
                let Some((behind, left)) = &mut retreat else { return false };
                if left.next().is_none() {
                    return false;
                }
                (pattern, text) = (behind.clone(), left.clone());
            }
        }
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

    #[test]
    fn steps_are_at_most_pattern_times_text() {
        let text = format!("arn:aws:s3:::{}", "a".repeat(40));
        for stars in 1..=40 {
            for end in ["*b", "*", "?b", "b*a"] {
                let pattern = format!("arn:aws:s3:::{}{end}", "*a".repeat(stars));
                let mut steps = 0;
                let fits = matches(&pattern, &text, || steps += 1);
                assert_eq!(fits, end == "*", "{pattern}");
                let most = (pattern.len() + 1) * (text.len() + 1);
                assert!(steps <= most, "{steps} steps for {pattern}, more than {most}");
            }
        }
    }
}
