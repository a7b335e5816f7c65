//! How large policies are, as AWS counts. What they may have is told by [`crate::limits`].

use crate::policy::document::{Document, Statement};

/// The size of a policy's text as AWS counts it.
pub(crate) fn size(text: &str) -> usize {
    text.chars().filter(|c| !c.is_whitespace()).count()
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
}
