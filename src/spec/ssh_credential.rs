//! A kops `SSHCredential`: a public key that may log in to the instances.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use md5::{Digest as _, Md5};
use serde::Deserialize;
use sha2::Sha256;

use super::der;
use super::object::Metadata;
use crate::limits::{KEY_TYPES, Words};

/// The name kops gives to the one key it uses.
pub(crate) const DEFAULT_NAME: &str = "admin";

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct SshCredential {
    pub(crate) metadata: Metadata,
    pub(crate) spec: SshCredentialSpec,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct SshCredentialSpec {
    pub(crate) public_key: Option<String>,
}

impl SshCredential {
    pub(crate) fn name(&self) -> &str {
        self.metadata.name.as_deref().filter(|name| !name.is_empty()).unwrap_or(DEFAULT_NAME)
    }
}

/// The MD5 fingerprint of a public key in OpenSSH's one-line form, as hex without colons:
/// the name under which kops stores the key (`upup/pkg/fi/vfs_castore.go`).
///
/// # Errors
/// A message that says what the text is instead, and never repeats it: a private key given
/// by mistake must not reach a log.
pub(crate) fn fingerprint(public_key: &str) -> Result<String, String> {
    Ok(hex(&Md5::digest(wire_form(public_key)?), ""))
}

/// What EC2 tells of a public key that was imported (EC2 user guide, "Verify the fingerprint of
/// your key pair"): of an RSA key the MD5 of its DER form, of an ed25519 key the SHA-256 of the
/// form that OpenSSH sends, in base 64.
///
/// # Errors
/// As [`fingerprint`], or it is neither of the two, or not whole.
pub(crate) fn imported_fingerprint(public_key: &str) -> Result<String, String> {
    let wire = wire_form(public_key)?;
    let of_parts = |parts: Option<Vec<&[u8]>>| match parts?[..] {
        [b"ssh-rsa", exponent, modulus] => {
            Some(hex(&Md5::digest(der::rsa_public_key(modulus, exponent)), ":"))
        }
        [b"ssh-ed25519", key] if key.len() == 32 => Some(STANDARD.encode(Sha256::digest(&wire))),
        _ => None,
    };
    of_parts(parts(&wire)).ok_or_else(|| "it is no whole RSA or ed25519 key".to_owned())
}

fn hex(bytes: &[u8], between: &str) -> String {
    let bytes: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    bytes.join(between)
}

/// The parts of a key as OpenSSH sends it.
fn parts(wire: &[u8]) -> Option<Vec<&[u8]>> {
    let (mut parts, mut rest) = (Vec::new(), wire);
    while !rest.is_empty() {
        let (part, after) = part(rest)?;
        parts.push(part);
        rest = after;
    }
    Some(parts)
}

/// A part, which stands behind its length (RFC 4251, section 5), and what comes after it.
fn part(wire: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = wire.split_first_chunk::<4>()?;
    rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)
}

fn wire_form(public_key: &str) -> Result<Vec<u8>, String> {
    let text = public_key.trim();
    if text.contains("PRIVATE KEY") {
        return Err("this is a private key; give the public one (.pub)".to_owned());
    }
    let mut lines = text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    let line = lines.next().ok_or("there is no key in it")?;
    if lines.next().is_some() {
        return Err("it holds more than one line; one public key is expected".to_owned());
    }
    let decoded = line.split_whitespace().zip(line.split_whitespace().skip(1)).find_map(
        |(algorithm, encoded)| {
            let blob =
                STANDARD.decode(encoded).or_else(|_| STANDARD_NO_PAD.decode(encoded)).ok()?;
            (part(&blob)?.0 == algorithm.as_bytes()).then_some(blob)
        },
    );
    decoded.ok_or_else(|| "it is no OpenSSH public key, such as ssh-rsa AAAA… name".to_owned())
}

/// Why EC2 cannot import a public key in OpenSSH's form, or `None` if it can.
pub(crate) fn not_for_ec2(public_key: &str) -> Option<String> {
    let lines = public_key.lines().map(str::trim);
    let line = lines.into_iter().find(|line| !line.is_empty() && !line.starts_with('#'))?;
    let is_kind = |word: &&str| word.contains("ssh-") || word.contains("sha2-");
    let kind = line.split_whitespace().find(is_kind)?;
    let Words { words, source } = KEY_TYPES;
    (!words.contains(&kind)).then(|| {
        format!("it is a key of {kind}; EC2 takes {} only ({source})", words.join(" and "))
    })
}

#[cfg(test)]
mod tests {
    use super::{fingerprint, imported_fingerprint, not_for_ec2};

    #[test]
    fn ec2_takes_two_kinds_of_keys() {
        for key in ["ssh-rsa AAAA name", "ssh-ed25519 AAAA", "# mine\nssh-rsa AAAA"] {
            assert_eq!(not_for_ec2(key), None, "{key}");
        }
        for key in [
            "ecdsa-sha2-nistp256 AAAA name",
            "ssh-dss AAAA",
            "sk-ssh-ed25519@openssh.com AAAA",
            "sk-ecdsa-sha2-nistp256@openssh.com AAAA",
        ] {
            assert!(
                not_for_ec2(key).unwrap().contains("EC2 takes ssh-rsa and ssh-ed25519"),
                "{key}"
            );
        }
    }

    #[test]
    fn the_fingerprint_is_openssh_md5() {
        // ssh-keygen -l -E md5 of the key in tests/goldens/id_rsa.pub.
        let key = include_str!("../../tests/goldens/id_rsa.pub");
        assert_eq!(fingerprint(key).unwrap(), "c4a6ed9aa889b9e2c39cd663eb9c7157");
    }

    #[test]
    fn keys_have_the_fingerprints_that_ec2_tells() {
        // `ssh-keygen -e -m PKCS8 -f KEY.pub | openssl pkey -pubin -outform DER | md5sum`, and
        // `ssh-keygen -l -f KEY.pub`, with EC2's padding.
        let golden = include_str!("../../tests/goldens/id_rsa.pub");
        let exponent_3 = "ssh-rsa AAAAB3NzaC1yc2EAAAABAwAAAIEAtR9kuGr0tKRtwyNtcrhl9zAhj6P+uIaEXHys+mN\
                          Ttl8iJosMrNX41gSoAhPLYdsZmDFe33kSTnQuSOpz6eOpN4ByaCp0WwrtFUOmuV2PM8kO6HcA\
                          ELiB9ueI9LP3cRMj+R97iRHCEAsZ13UEoRTkHQoaacUdmCrMfphJykKlbXM=";
        let ed25519 = "ssh-ed25519 \
                       AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f me";
        for (key, expected) in [
            (golden, "fb:e2:fc:44:ae:95:2f:b4:d1:b7:35:52:6b:a8:24:c1"),
            (exponent_3, "d0:da:e7:d9:a2:82:cc:fe:a2:a5:fd:2e:56:16:02:d7"),
            (ed25519, "ZkAslGjFiUHdGf/WUL8rQvkib4PTvQatUV0OUQSncCA="),
        ] {
            assert_eq!(imported_fingerprint(key).as_deref(), Ok(expected), "{key}");
        }
    }

    #[test]
    fn a_key_that_is_not_whole_has_none() {
        // The last of them has a part too many.
        for key in [
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAAwABAg==",
            "ssh-rsa AAAAB3NzaC1yc2EAAAADAQAB",
            "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAAQMAAAABAw==",
        ] {
            assert!(imported_fingerprint(key).is_err(), "{key}");
        }
    }

    #[test]
    fn what_is_no_public_key_is_refused_without_repeating_it() {
        for text in ["", "hello", "ssh-rsa AAAA", "-----BEGIN RSA PRIVATE KEY-----\nsecret\n"] {
            let error = fingerprint(text).unwrap_err();
            assert!(!error.contains("secret") && !error.contains("hello"), "{error}");
        }
    }
}
