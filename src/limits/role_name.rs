//! How long the names of roles may be, and what a name becomes that is too long.

use super::truncated::{is_hash, with_hash};

/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>
const MOST: usize = 64;

/// A role's name as AWS takes it: one that is too long keeps its beginning and ends in a hash
/// of the whole (kops `pkg/truncate`).
pub(crate) fn shortened(name: &str) -> String {
    shortened_to(MOST, name)
}

/// The same of another name, as it has room.
pub(crate) fn shortened_to(most: usize, name: &str) -> String {
    if name.chars().count() <= most {
        return name.to_owned();
    }
    with_hash(name, most)
}

/// What is kept of the beginning, of a name that looks shortened.
pub(crate) fn kept(name: &str) -> Option<&str> {
    let (kept, hash) = name.rsplit_once('-')?;
    (is_hash(hash) && name.chars().count() == MOST).then_some(kept)
}

#[cfg(test)]
mod tests {
    use super::shortened;

    #[test]
    fn a_long_name_ends_in_a_hash_of_the_whole() {
        assert_eq!(
            shortened("dns-controller.kube-system.sa.nthimdsprocessor.longclustername.example.com"),
            "dns-controller.kube-system.sa.nthimdsprocessor.longcluste-e6uuer"
        );
        assert_eq!(shortened(&"a".repeat(64)), "a".repeat(64));
        assert_eq!(shortened(&"a".repeat(65)).len(), 64);
    }
}
