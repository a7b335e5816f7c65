//! What a store remembers of a cluster's place in AWS, so that no command takes another account or
//! region for it. It is the object `.kapstan/<cluster>/account`, beside the lock.

use std::time::SystemTime;

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};

use super::{Content, Expect, Refused, Store, Version, who};
use crate::aws::bucket::time_text;
use crate::aws::target::Target;
use crate::spec::name::ClusterName;

/// Where a cluster is remembered to be.
#[derive(Clone, Debug)]
pub(crate) struct Mark {
    pub(crate) target: Target,
    /// Whether its deletion there has begun. What is not found then may have been deleted.
    pub(crate) is_going: bool,
    pub(crate) version: Version,
}

/// The object in the store, be it a mark or not.
#[derive(Clone, Debug)]
pub(crate) enum Found {
    Nothing,
    Mark(Mark),
    /// Something else, and why it is no mark.
    Unreadable(Version, String),
}

impl Found {
    pub(crate) fn version(&self) -> Option<&Version> {
        match self {
            Self::Nothing => None,
            Self::Mark(Mark { version, .. }) | Self::Unreadable(version, _) => Some(version),
        }
    }
}

/// A mark as it is written.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Text {
    account: String,
    region: String,
    partition: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    deletion_since: Option<String>,
    #[serde(default)]
    written_by: String,
}

fn key(cluster: &ClusterName) -> String {
    format!(".kapstan/{cluster}/account")
}

impl Store {
    /// Where a cluster is remembered to be; nowhere before its first apply.
    ///
    /// # Errors
    /// Something else stands where the mark does: nothing is known then.
    pub(crate) async fn mark(&self, cluster: &ClusterName) -> anyhow::Result<Option<Mark>> {
        match self.find_mark(cluster).await? {
            Found::Nothing => Ok(None),
            Found::Mark(mark) => Ok(Some(mark)),
            Found::Unreadable(_, reason) => bail!(
                "{} in the state store does not tell in which account {cluster} is ({reason}). \
                 Nothing was changed. To set it: kapstan adopt-account {cluster}",
                key(cluster)
            ),
        }
    }

    pub(crate) async fn find_mark(&self, cluster: &ClusterName) -> anyhow::Result<Found> {
        let Some(stored) = self.read(&key(cluster)).await? else { return Ok(Found::Nothing) };
        let text = match &stored.content {
            Content::Bytes(bytes) => serde_json::from_slice(bytes).map_err(|e| e.to_string()),
            Content::TooLarge(size) => Err(format!("it has {size} bytes")),
        };
        Ok(match text {
            Err(reason) => Found::Unreadable(stored.version, reason),
            Ok(Text { account, region, partition, deletion_since, .. }) => Found::Mark(Mark {
                target: Target { account, region, partition },
                is_going: deletion_since.is_some(),
                version: stored.version,
            }),
        })
    }

    /// Remembers where a cluster is, in place of the version that was found, if any was.
    pub(crate) async fn remember(
        &self,
        cluster: &ClusterName,
        target: &Target,
        is_going: bool,
        before: Option<&Version>,
    ) -> anyhow::Result<()> {
        let text = Text {
            account: target.account.clone(),
            region: target.region.clone(),
            partition: target.partition.clone(),
            deletion_since: if is_going { time_text(SystemTime::now()) } else { None },
            written_by: who::writer(),
        };
        let mut bytes = serde_json::to_vec_pretty(&text)?;
        bytes.push(b'\n');
        let expect = before.map_or(Expect::Absent, Expect::Unchanged);
        let failed = || {
            format!("it could not be remembered in which account {cluster} is; nothing was changed")
        };
        match self.write(&key(cluster), &bytes, expect).await {
            Ok(_) => Ok(()),
            Err(Refused::Conflict) => {
                bail!("{}: someone else wrote {} meanwhile; run this again", failed(), key(cluster))
            }
            Err(Refused::Failed(error)) => Err(error.context(failed())),
        }
    }

    /// Forgets where a cluster was that is gone.
    pub(crate) async fn forget(&self, cluster: &ClusterName) -> anyhow::Result<()> {
        let found = self.find_mark(cluster).await?;
        let Some(version) = found.version() else { return Ok(()) };
        match self.delete(&key(cluster), version).await {
            Ok(()) => Ok(()),
            Err(Refused::Conflict) => bail!("{}: someone else wrote it meanwhile", key(cluster)),
            Err(Refused::Failed(error)) => {
                Err(error).with_context(|| format!("{} could not be removed", key(cluster)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kops_takes_no_mark_for_a_cluster() {
        assert!(!key(&ClusterName::new("config").unwrap()).ends_with("/config"));
    }
}
