//! The address of a state store.

use std::fmt;
use std::path::PathBuf;

use anyhow::{Context as _, bail};

use crate::limits::s3;
use crate::spec::secret;

#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum StoreUrl {
    /// An absolute path.
    Local(PathBuf),
    S3 {
        bucket: String,
        /// Without slashes at its ends.
        prefix: String,
    },
}

impl StoreUrl {
    /// Reads `s3://bucket/prefix`, `file:///path` or a bare path, which may be relative.
    ///
    /// # Errors
    /// What looks like an address and is none of these; a bucket or a key that S3 or a policy
    /// does not take.
    pub(crate) fn parse(text: &str) -> anyhow::Result<Self> {
        let text = text.trim();
        let told = secret::without_credentials(text);
        if let Some((bucket, prefix)) = s3::place(text) {
            if bucket.is_empty() {
                bail!(
                    "the state store {told:?} names no bucket; write s3://BUCKET or s3://BUCKET/PREFIX"
                );
            }
            if told != text {
                bail!("the state store {told:?} cannot be used: credentials are AWS_PROFILE's");
            }
            if let Some(reason) = s3::refusal(bucket, prefix) {
                bail!("the state store {told:?} cannot be used: {reason}");
            }
            return Ok(Self::S3 { bucket: bucket.to_owned(), prefix: prefix.to_owned() });
        }
        let path = match text.strip_prefix("file://") {
            Some(path) if path.is_empty() || path.starts_with('/') => path,
            Some(_) => bail!(
                "the state store {told:?} cannot be used: file:// takes an absolute path and no \
                 host; write file:///PATH"
            ),
            None => bare_path(text, &told)?,
        };
        if path.is_empty() {
            bail!("the state store {told:?} names no folder; write file:///PATH or s3://BUCKET");
        }
        let path = std::path::absolute(path).with_context(|| format!("the path {path:?}"))?;
        Ok(Self::Local(path))
    }

    /// The address of a cluster's folder.
    pub(crate) fn of_cluster(&self, cluster: &str) -> String {
        format!("{self}/{cluster}")
    }
}

/// A path as it is written.
///
/// # Errors
/// It looks like an address, or begins with what only a shell understands.
fn bare_path<'a>(text: &'a str, told: &str) -> anyhow::Result<&'a str> {
    let scheme = text.split_once(':').map(|(scheme, _)| scheme);
    let is_scheme = |word: &&str| {
        word.starts_with(|c: char| c.is_ascii_alphabetic())
            && word.chars().all(|c| c.is_ascii_alphanumeric() || "+.-".contains(c))
    };
    if let Some(scheme) = scheme.filter(is_scheme) {
        bail!(
            "the state store {told:?} cannot be used: kapstan knows s3://, file:// and bare paths, \
             not {scheme}:; a folder of that name is written ./{scheme}:…"
        );
    }
    if text.starts_with('~') {
        bail!(
            "the state store {told:?} cannot be used: ~ is the shell's, which puts your home folder \
             there only at the beginning of a word; write the path whole, or ./~…"
        );
    }
    Ok(text)
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local(path) => {
                write!(f, "file://{}", path.display().to_string().trim_end_matches('/'))
            }
            Self::S3 { bucket, prefix } if prefix.is_empty() => write!(f, "s3://{bucket}"),
            Self::S3 { bucket, prefix } => write!(f, "s3://{bucket}/{prefix}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::StoreUrl;

    #[test]
    fn addresses_are_read() {
        for (text, printed) in [
            ("s3://abc", "s3://abc"),
            ("s3://abc/", "s3://abc"),
            ("s3://abc/p/q/", "s3://abc/p/q"),
            ("file:///var/state/", "file:///var/state"),
            ("/var/state", "file:///var/state"),
            ("/var/s3:x", "file:///var/s3:x"),
            ("/var/~", "file:///var/~"),
        ] {
            assert_eq!(StoreUrl::parse(text).unwrap().to_string(), printed);
        }
        for text in ["state", "./s3:bucket", "a/b:c", "./~/state"] {
            let read = StoreUrl::parse(text).unwrap().to_string();
            assert!(read.ends_with(text.trim_start_matches("./")), "{read}");
        }
    }

    #[test]
    fn what_is_no_address_is_not_guessed_at() {
        for text in [
            "gs://b", "s3://", "file://", "", "s3:/bucket/x", "s3:bucket", "S3://bucket",
            "FILE:///x", "file:x", "file:/x", "file://nas/share", "file://~/state", "~/state", "~",
            "~me/state", "http://x", "vault://x", "memfs://x", "s3://..", "s3://Bad_Bucket",
            "s3://bucket/*", "s3://bucket/a?", "s3://bucket/${x}", "s3://bucket/../x", "c:\\x",
        ] {
            assert!(StoreUrl::parse(text).is_err(), "{text}");
        }
        let error = StoreUrl::parse("s3://KEY:SECRET@bucket").unwrap_err().to_string();
        assert!(!error.contains("SECRET") && !error.contains("KEY:"), "{error}");
    }
}
