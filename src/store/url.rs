//! The address of a state store.

use std::fmt;
use std::path::PathBuf;

use anyhow::{Context as _, bail};

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
    /// Another scheme, no bucket.
    pub(crate) fn parse(text: &str) -> anyhow::Result<Self> {
        let text = text.trim();
        if let Some(rest) = text.strip_prefix("s3://") {
            let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
            if bucket.is_empty() {
                bail!(
                    "the state store {text:?} names no bucket; write s3://BUCKET or s3://BUCKET/PREFIX"
                );
            }
            let prefix = prefix.trim_matches('/').to_owned();
            return Ok(Self::S3 { bucket: bucket.to_owned(), prefix });
        }
        let path = match text.split_once("://") {
            Some(("file", path)) => path,
            Some((scheme, _)) => bail!(
                "the state store {text:?} cannot be used: kapstan knows s3://, file:// and bare \
                 paths, not {scheme}://"
            ),
            None => text,
        };
        if path.is_empty() {
            bail!("the state store {text:?} names no folder; write file:///PATH or s3://BUCKET");
        }
        let path = std::path::absolute(path).with_context(|| format!("the path {path:?}"))?;
        Ok(Self::Local(path))
    }

    /// The address of a cluster's folder.
    pub(crate) fn of_cluster(&self, cluster: &str) -> String {
        format!("{self}/{cluster}")
    }
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
            ("s3://b", "s3://b"),
            ("s3://b/", "s3://b"),
            ("s3://b/p/q/", "s3://b/p/q"),
            ("file:///var/state/", "file:///var/state"),
            ("/var/state", "file:///var/state"),
        ] {
            assert_eq!(StoreUrl::parse(text).unwrap().to_string(), printed);
        }
        for text in ["gs://b", "s3://", "file://", ""] {
            assert!(StoreUrl::parse(text).is_err(), "{text}");
        }
    }
}
