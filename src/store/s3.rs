//! A store in an S3 bucket. S3 itself refuses the one who comes too late.

use anyhow::bail;

use super::{Expect, NotRemoved, Refused, Stored, Version, Written, who};
use crate::aws::bucket::{Access, Bucket, Condition, configured_acl};
use crate::aws::{AwsError, Fault};
use crate::spec::yaml;

#[derive(Clone, Debug)]
pub(crate) struct S3Store {
    bucket: Bucket,
    prefix: String,
}

impl S3Store {
    pub(super) async fn open(bucket: &str, prefix: &str, access: &Access) -> anyhow::Result<Self> {
        let acl = configured_acl().map_err(anyhow::Error::msg)?;
        match Bucket::open(bucket, acl, access).await {
            Ok(bucket) => Ok(Self { bucket, prefix: prefix.to_owned() }),
            Err(error) if error.fault == Fault::Missing => bail!(
                "the bucket {bucket} does not exist; create it, or correct --state \
                 (KOPS_STATE_STORE)"
            ),
            Err(error) => Err(error.into()),
        }
    }

    pub(super) async fn read(&self, key: &str) -> anyhow::Result<Option<Stored>> {
        let object = self.bucket.get(&self.key(key), yaml::MAX_BYTES as u64).await?;
        Ok(object.map(|object| Stored {
            content: object.content,
            version: Version::Etag(object.etag),
            written: Written { by: object.written_by, at: object.written_at },
        }))
    }

    pub(super) async fn write(
        &self,
        key: &str,
        bytes: &[u8],
        expect: Expect<'_>,
    ) -> Result<Version, Refused> {
        let condition = match expect {
            Expect::Absent => Condition::Absent,
            Expect::Unchanged(Version::Etag(etag)) => Condition::Etag(etag),
            Expect::Unchanged(Version::Content(_) | Version::Size(..)) => {
                return Err(Refused::Conflict);
            }
        };
        let written = self.bucket.put(&self.key(key), bytes, condition, &who::writer()).await;
        refused(written).map(Version::Etag)
    }

    pub(super) async fn delete(&self, key: &str, version: &Version) -> Result<(), Refused> {
        let Version::Etag(etag) = version else { return Err(Refused::Conflict) };
        refused(self.bucket.delete(&self.key(key), etag).await)
    }

    pub(super) async fn list(&self, folder: &str) -> anyhow::Result<Vec<String>> {
        let prefix = match self.key(folder) {
            whole if whole.is_empty() => whole,
            folder => format!("{folder}/"),
        };
        let mut names = self.bucket.list(&prefix).await?;
        names.sort();
        // A name may be that of an object and of a folder.
        names.dedup();
        Ok(names)
    }

    pub(super) async fn keys_below(&self, folder: &str) -> anyhow::Result<Vec<String>> {
        let prefix = format!("{}/", self.key(folder));
        let keys = self.bucket.keys(&prefix).await?;
        Ok(keys.iter().filter_map(|key| key.strip_prefix(&prefix)).map(str::to_owned).collect())
    }

    pub(super) async fn check_deletable(&self, folder: &str) -> anyhow::Result<()> {
        // An object that is not there, under a condition that no object meets: nothing can go,
        // and no mark of a deletion is left in a bucket that keeps versions.
        let key = self.key(&format!("{folder}/kapstan-may-delete"));
        match self.bucket.delete(&key, "\"kapstan-may-delete\"").await {
            Ok(()) => Ok(()),
            Err(error) if matches!(error.fault, Fault::Missing | Fault::Conflict) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    pub(super) async fn delete_below(
        &self,
        folder: &str,
        keys: &[String],
    ) -> anyhow::Result<Vec<NotRemoved>> {
        let prefix = format!("{}/", self.key(folder));
        let whole: Vec<String> = keys.iter().map(|key| format!("{prefix}{key}")).collect();
        let own = |key: String| key.strip_prefix(&prefix).map(str::to_owned).unwrap_or(key);
        let failed = self.bucket.delete_all(&whole).await?.into_iter();
        Ok(failed.map(|(key, reason)| NotRemoved { key: own(key), reason }).collect())
    }

    fn key(&self, key: &str) -> String {
        match (self.prefix.as_str(), key) {
            ("", key) => key.to_owned(),
            (prefix, "") => prefix.to_owned(),
            (prefix, key) => format!("{prefix}/{key}"),
        }
    }
}

fn refused<T>(answer: Result<T, AwsError>) -> Result<T, Refused> {
    match answer {
        Ok(done) => Ok(done),
        // An object that was expected and is gone is a conflict as well.
        Err(error) if matches!(error.fault, Fault::Conflict | Fault::Missing) => {
            Err(Refused::Conflict)
        }
        Err(error) => Err(error.into()),
    }
}
