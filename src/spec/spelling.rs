//! What a misspelt word was likely meant to be.

/// The candidate nearest to `word`, if one is near enough to be worth naming: at most a
/// third of its letters differ, whatever their case.
pub(crate) fn nearest<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let lower = word.to_lowercase();
    let most = (word.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&lower, &name.to_lowercase()), name))
        .filter(|(distance, _)| *distance <= most)
        .min()
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn near_words_are_named_and_far_ones_are_not() {
        let fields = ["kubernetesVersion", "iam", "subnets"];
        assert_eq!(nearest("kubernetesVerson", fields), Some("kubernetesVersion"));
        assert_eq!(nearest("IAM", fields), Some("iam"));
        assert_eq!(nearest("volumes", fields), None);
    }
}
