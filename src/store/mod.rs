//! The state store: where specs live, in kops' layout.
//!
//! ```text
//! <store>/<cluster>/config                        the Cluster
//! <store>/<cluster>/instancegroup/<name>          each InstanceGroup
//! <store>/<cluster>/pki/ssh/public/<name>/<md5>   each SSH key
//! <store>/<cluster>/clusteraddons/default         objects of other kinds
//! <store>/.kapstan/<cluster>/lock                 who writes at present, which kops does not know
//! <store>/.kapstan/<cluster>/account              where in AWS it is, which kops does not know
//! ```
//!
//! [`objects`] knows this layout; below it [`local`] and [`s3`] keep bytes under keys. Each
//! write says what it expects to find, so that no one overwrites what he has not read.

mod conflict;
pub(crate) mod kops;
mod local;
pub(crate) mod lock;
pub(crate) mod mark;
pub(crate) mod objects;
pub(crate) mod removal;
mod s3;
pub(crate) mod url;
mod who;

use std::time::SystemTime;

use anyhow::Context as _;

pub(crate) use crate::aws::bucket::{Access, Content, Owner};

use url::StoreUrl;

/// A place where specs are kept.
#[derive(Clone, Debug)]
pub(crate) enum Store {
    Local(local::LocalStore),
    S3(s3::S3Store),
}

/// An object as it was read.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) content: Content,
    pub(crate) version: Version,
    /// Who wrote it and when, as far as the store knows.
    pub(crate) written: Written,
}

/// What tells one state of an object from another.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Version {
    /// The content itself, where the store keeps no versions.
    Content(Vec<u8>),
    /// Of what is too large to be read: its size, and when it was written.
    Size(u64, Option<SystemTime>),
    Etag(String),
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Written {
    pub(crate) by: Option<String>,
    pub(crate) at: Option<String>,
}

/// What a write expects to find.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Expect<'a> {
    Absent,
    Unchanged(&'a Version),
}

/// Why a write did not happen.
#[derive(Debug)]
pub(crate) enum Refused {
    /// The object is there already, or not any more, or has another version.
    Conflict,
    Failed(anyhow::Error),
}

/// An object that is still there, and why.
#[derive(Debug)]
pub(crate) struct NotRemoved {
    pub(crate) key: String,
    pub(crate) reason: String,
}

impl<E: Into<anyhow::Error>> From<E> for Refused {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

impl Store {
    /// Opens a store; `access` tells how a bucket is reached, and whose it must be.
    pub(crate) async fn open(
        url: &StoreUrl,
        access: impl AsyncFnOnce() -> anyhow::Result<Access>,
    ) -> anyhow::Result<Self> {
        match url {
            StoreUrl::Local(root) => Ok(Self::Local(local::LocalStore::new(root.clone()))),
            StoreUrl::S3 { bucket, prefix } => {
                let store = s3::S3Store::open(bucket, prefix, &access().await?).await;
                Ok(Self::S3(
                    store.with_context(|| format!("the state store {url} cannot be used"))?,
                ))
            }
        }
    }

    async fn read(&self, key: &str) -> anyhow::Result<Option<Stored>> {
        match self {
            Self::Local(store) => store.read(key),
            Self::S3(store) => store.read(key).await,
        }
    }

    async fn write(&self, key: &str, bytes: &[u8], expect: Expect<'_>) -> Result<Version, Refused> {
        match self {
            Self::Local(store) => store.write(key, bytes, expect),
            Self::S3(store) => store.write(key, bytes, expect).await,
        }
    }

    async fn delete(&self, key: &str, version: &Version) -> Result<(), Refused> {
        match self {
            Self::Local(store) => store.delete(key, version),
            Self::S3(store) => store.delete(key, version).await,
        }
    }

    /// The names directly below a folder (`""` for the store itself), in order.
    async fn list(&self, folder: &str) -> anyhow::Result<Vec<String>> {
        match self {
            Self::Local(store) => store.list(folder),
            Self::S3(store) => store.list(folder).await,
        }
    }

    /// The keys of all objects below a folder, told from there, in order. An empty folder, where
    /// a store has such a thing, ends with a slash.
    async fn keys_below(&self, folder: &str) -> anyhow::Result<Vec<String>> {
        let mut keys = match self {
            Self::Local(store) => store.keys_below(folder)?,
            Self::S3(store) => store.keys_below(folder).await?,
        };
        keys.sort();
        Ok(keys)
    }

    /// Whether objects below a folder may be deleted, as far as it can be known without
    /// deleting one.
    async fn check_deletable(&self, folder: &str, keys: &[String]) -> anyhow::Result<()> {
        match self {
            Self::Local(store) => store.check_deletable(folder, keys),
            Self::S3(store) => store.check_deletable(folder).await,
        }
    }

    /// Deletes objects below a folder, whatever they hold. Returns those that are still there.
    async fn delete_below(&self, folder: &str, keys: &[String]) -> anyhow::Result<Vec<NotRemoved>> {
        match self {
            Self::Local(store) => store.delete_below(folder, keys),
            Self::S3(store) => store.delete_below(folder, keys).await,
        }
    }
}
