//! A kops `SSHCredential`: a public key that may log in to the instances.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use md5::{Digest as _, Md5};
use serde::Deserialize;

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
            let length = u32::from_be_bytes(blob.get(..4)?.try_into().ok()?) as usize;
            (blob.get(4..4 + length)? == algorithm.as_bytes()).then_some(blob)
        },
    );
    let blob = decoded.ok_or("it is no OpenSSH public key, such as ssh-rsa AAAA… name")?;
    Ok(Md5::digest(&blob).iter().map(|byte| format!("{byte:02x}")).collect())
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
    use super::{fingerprint, not_for_ec2};

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
        let key = include_str!("../../tests/goldens/clusters/minimal/id_rsa.pub");
        assert_eq!(fingerprint(key).unwrap(), "c4a6ed9aa889b9e2c39cd663eb9c7157");
    }

    #[test]
    fn what_is_no_public_key_is_refused_without_repeating_it() {
        for text in ["", "hello", "ssh-rsa AAAA", "-----BEGIN RSA PRIVATE KEY-----\nsecret\n"] {
            let error = fingerprint(text).unwrap_err();
            assert!(!error.contains("secret") && !error.contains("hello"), "{error}");
        }
    }
}
