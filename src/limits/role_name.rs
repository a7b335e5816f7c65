//! How long the names of roles may be, and what a longer one becomes.

/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>
const MOST: usize = 64;
/// How much of a hash ends a shortened name.
const HASHED: usize = 6;

/// A role's name as AWS takes it: one that is too long keeps its beginning and ends in a hash
/// of the whole (kops `pkg/truncate`: FNV-1a of 32 bits in base 32 with digits first).
pub(crate) fn shortened(name: &str) -> String {
    if name.chars().count() <= MOST {
        return name.to_owned();
    }
    let kept: String = name.chars().take(MOST - HASHED - 1).collect();
    format!("{kept}-{}", hash(name))
}

fn hash(text: &str) -> String {
    const DIGITS: &[u8; 32] = b"0123456789abcdefghijklmnopqrstuv";
    let whole = text
        .bytes()
        .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    // Base 32 takes five bits at a time from the highest; 32 bits are no multiple of five.
    let bits = u64::from(whole) << 3;
    (0..HASHED).map(|index| char::from(DIGITS[(bits >> (30 - 5 * index) & 31) as usize])).collect()
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
