//! Public keys in DER form, as far as EC2 takes digests of them.

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const SEQUENCE: u8 = 0x30;

/// `rsaEncryption` with its parameters, which are null (RFC 3279, section 2.3.1).
const RSA: [u8; 15] =
    [SEQUENCE, 13, 0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0];

/// The `SubjectPublicKeyInfo` of an RSA key (RFC 5280, section 4.1; RFC 8017, appendix A.1.1), of
/// numbers in big-endian order.
pub(super) fn rsa_public_key(modulus: &[u8], exponent: &[u8]) -> Vec<u8> {
    let key = element(SEQUENCE, &[integer(modulus), integer(exponent)].concat());
    // No bits of the last byte are unused.
    let bits = element(BIT_STRING, &[&[0][..], &key].concat());
    element(SEQUENCE, &[&RSA[..], &bits].concat())
}

/// A number that is not negative, in as few bytes as it takes.
fn integer(bytes: &[u8]) -> Vec<u8> {
    let first = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len());
    let digits = bytes.get(first..).unwrap_or_default();
    // The highest bit is that of the sign.
    let sign = if digits.first().is_none_or(|byte| *byte >= 0x80) { &[0][..] } else { &[] };
    element(INTEGER, &[sign, digits].concat())
}

/// What an element holds, behind its tag and its length (X.690, section 8.1).
fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let first = length.iter().position(|byte| *byte != 0).unwrap_or(length.len() - 1);
    let length = length.get(first..).unwrap_or_default();
    let mut all = vec![tag];
    if content.len() >= 0x80 {
        // Of eight bytes at most.
        all.push(0x80 | length.len() as u8);
    }
    all.extend_from_slice(length);
    all.extend_from_slice(content);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_written_as_der_wants_them() {
        assert_eq!(integer(&[]), [2, 1, 0]);
        assert_eq!(integer(&[0, 0, 3]), [2, 1, 3]);
        assert_eq!(integer(&[0x80]), [2, 2, 0, 0x80]);
        assert_eq!(element(4, &[]), [4, 0]);
        assert_eq!(element(4, &[7; 127])[..3], [4, 127, 7]);
        assert_eq!(element(4, &[7; 128])[..4], [4, 0x81, 128, 7]);
        assert_eq!(element(4, &[7; 256])[..5], [4, 0x82, 1, 0, 7]);
    }
}
