//! Names that are cut to what AWS takes, and end in a hash of the whole (kops `pkg/truncate`).

/// How much of a hash ends a name.
pub(crate) const HASHED: usize = 6;
const DIGITS: &[u8; 32] = b"0123456789abcdefghijklmnopqrstuv";

/// A name that is cut to `most` characters with its hash, which it has however short it is.
pub(crate) fn with_hash(whole: &str, most: usize) -> String {
    format!("{}-{}", kept(whole, most), hash(whole))
}

/// What such a name begins with.
pub(crate) fn kept(whole: &str, most: usize) -> String {
    whole.chars().take(most - HASHED - 1).collect()
}

/// Whether this may be such a hash.
pub(crate) fn is_hash(text: &str) -> bool {
    text.len() == HASHED && text.bytes().all(|byte| DIGITS.contains(&byte))
}

/// FNV-1a of 32 bits in base 32 with digits first (RFC 4648, section 7), in lower case.
pub(crate) fn hash(text: &str) -> String {
    let whole = text
        .bytes()
        .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    // Base 32 takes five bits at a time from the highest; 32 bits are no multiple of five.
    let bits = u64::from(whole) << 3;
    (0..HASHED).map(|index| char::from(DIGITS[(bits >> (30 - 5 * index) & 31) as usize])).collect()
}

#[cfg(test)]
mod tests {
    use super::with_hash;

    #[test]
    fn a_name_ends_in_a_hash_of_the_whole() {
        assert_eq!(with_hash("api-complex-example-com", 32), "api-complex-example-com-vd3t5n");
        assert_eq!(
            with_hash("bastion-privatecalico-example-com", 32),
            "bastion-privatecalico-exa-hocohm"
        );
        assert_eq!(
            with_hash("api-minimal-ipv6-example-com", 32),
            "api-minimal-ipv6-example--jhj9te"
        );
    }
}
