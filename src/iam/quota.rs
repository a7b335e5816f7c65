//! What AWS refuses for its size or name, known before anything is written.
//!
//! Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>

use super::document::{Document, Statement};

/// All inline policies of a role together, in characters without white space.
pub(crate) const INLINE_POLICIES: usize = 10_240;
/// A role's trust policy, in characters without white space.
pub(crate) const TRUST_POLICY: usize = 2_048;
pub(crate) const ROLE_NAME: usize = 64;
pub(crate) const POLICY_NAME: usize = 128;
pub(crate) const PROFILE_NAME: usize = 128;

/// The size of a policy's text as AWS counts it.
pub(crate) fn size(text: &str) -> usize {
    text.chars().filter(|c| !c.is_whitespace()).count()
}

/// Why a name is none that IAM takes, or `None` if it is.
pub(crate) fn not_a_name(name: &str, longest: usize) -> Option<String> {
    let length = name.chars().count();
    if length > longest {
        return Some(format!(
            "{name:?} has {length} characters, but IAM takes at most {longest} here; choose a \
             shorter cluster name"
        ));
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    let wrong = name.chars().find(|c| !allowed(*c));
    wrong.map(|c| format!("{name:?} holds {c:?}; IAM takes letters, digits and _+=,.@- only"))
}

/// The largest statements of some named policies, for a message: sizes, owners, contents.
pub(crate) fn largest<'a>(
    policies: impl IntoIterator<Item = (&'a str, &'a Document)>,
    count: usize,
) -> Vec<String> {
    let mut statements: Vec<(usize, &str, &Statement)> = policies
        .into_iter()
        .flat_map(|(name, policy)| policy.statements.iter().map(move |s| (name, s)))
        .map(|(name, statement)| (size(&statement.to_json().to_string()), name, statement))
        .collect();
    statements.sort_by(|left, right| right.0.cmp(&left.0).then(left.1.cmp(right.1)));
    let describe = |(size, name, statement): &(usize, &str, &Statement)| {
        let first = statement.actions.inner().iter().next().unwrap_or_default();
        let actions = match statement.actions.inner().iter().count() {
            0 | 1 => first.to_owned(),
            count => format!("{first} and {} more", count - 1),
        };
        let sid = statement.sid.as_ref().map(|sid| format!(" ({sid})")).unwrap_or_default();
        format!("{size} characters in {name}: {} {actions}{sid}", statement.effect)
    };
    statements.iter().take(count).map(describe).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_does_not_count() {
        assert_eq!(size("{ \"a\":\n\t1 }"), 7);
    }

    #[test]
    fn names_have_a_limit() {
        assert_eq!(not_a_name(&"a".repeat(64), ROLE_NAME), None);
        assert!(not_a_name(&"a".repeat(65), ROLE_NAME).unwrap().contains("has 65 characters"));
        assert!(not_a_name("a/b", ROLE_NAME).is_some());
    }
}
