//! A lock as it stands in the store.

use std::fmt;
use std::time::Duration;

use tokio::time::Instant;

use super::holder::{EXPIRY, Holder};
use crate::spec::name::ClusterName;
use crate::store::Content;
use crate::store::{Expect, Refused, Store, Version};

/// A lock as someone else sees it.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(super) version: Version,
    /// `None` of a text that is no lock's.
    pub(super) holder: Option<Holder>,
}

impl Seen {
    pub(crate) fn span(&self) -> Duration {
        self.holder.as_ref().map_or(EXPIRY, Holder::span)
    }

    pub(crate) fn is_of_same_run(&self, other: &Self) -> bool {
        self.version == other.version
            || other.holder.as_ref().is_some_and(|holder| self.is_of(holder))
    }

    pub(super) fn is_of(&self, holder: &Holder) -> bool {
        self.holder.as_ref().is_some_and(|own| own.id == holder.id)
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.holder {
            Some(holder) => holder.fmt(f),
            None => f.write_str("someone (what is written in the lock cannot be read)"),
        }
    }
}

/// What is known of a lock from looking at it again and again.
#[derive(Debug)]
pub(crate) struct Watched {
    pub(crate) seen: Seen,
    unchanged_since: Instant,
    /// Its holder has renewed it under our eyes.
    pub(crate) is_alive: bool,
}

impl Watched {
    pub(crate) fn new(before: Option<Self>, seen: Seen, now: Instant) -> Self {
        match before {
            Some(before) if before.seen.version == seen.version => before,
            Some(before) => {
                let is_alive = before.seen.is_of_same_run(&seen);
                Self { seen, unchanged_since: now, is_alive }
            }
            None => Self { seen, unchanged_since: now, is_alive: false },
        }
    }

    pub(crate) fn is_dead(&self, now: Instant) -> bool {
        now.duration_since(self.unchanged_since) >= self.seen.span()
    }
}

pub(super) fn key(cluster: &ClusterName) -> String {
    format!(".kapstan/{cluster}/lock")
}

impl Store {
    /// The lock of a cluster, if someone holds it.
    pub(crate) async fn lock_of(&self, cluster: &ClusterName) -> anyhow::Result<Option<Seen>> {
        let stored = self.read(&key(cluster)).await?;
        Ok(stored.map(|stored| Seen {
            holder: match stored.content {
                Content::Bytes(bytes) => serde_json::from_slice(&bytes).ok(),
                Content::TooLarge(_) => None,
            },
            version: stored.version,
        }))
    }

    /// Removes a lock as it was seen; false if it has changed since.
    pub(crate) async fn remove_lock(
        &self,
        cluster: &ClusterName,
        seen: &Seen,
    ) -> anyhow::Result<bool> {
        match self.delete(&key(cluster), &seen.version).await {
            Ok(()) => Ok(true),
            Err(Refused::Conflict) => Ok(false),
            Err(Refused::Failed(error)) => Err(error),
        }
    }

    pub(super) async fn put_lock(
        &self,
        cluster: &ClusterName,
        holder: &Holder,
        expect: Expect<'_>,
    ) -> Result<Version, Refused> {
        self.write(&key(cluster), &holder.bytes()?, expect).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(holder: &Holder) -> Seen {
        Seen { version: Version::Content(holder.bytes().unwrap()), holder: Some(holder.clone()) }
    }

    #[test]
    fn only_what_stays_unchanged_for_its_whole_span_is_dead() {
        let holder = Holder::new("update cluster c", EXPIRY);
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let first = Watched::new(None, seen(&holder), at(0));
        assert!(!first.is_dead(at(59)) && first.is_dead(at(60)) && !first.is_alive);
        let renewed = Watched::new(Some(first), seen(&holder.next()), at(59));
        assert!(!renewed.is_dead(at(118)) && renewed.is_dead(at(119)) && renewed.is_alive);
        let same = Watched::new(Some(renewed), seen(&holder.next().next()), at(60));
        let same = Watched::new(Some(same), seen(&holder.next().next()), at(100));
        assert!(same.is_dead(at(120)));
        let other = Holder::new("update cluster c", EXPIRY);
        let other = Watched::new(Some(same), seen(&other), at(121));
        assert!(!other.is_dead(at(180)) && !other.is_alive);
    }

    #[test]
    fn kops_takes_no_lock_for_a_cluster() {
        for name in ["dev.example.com", "config"] {
            assert!(!key(&ClusterName::new(name).unwrap()).ends_with("/config"));
        }
        assert!(ClusterName::new(".kapstan").is_err(), "it is no cluster's folder");
    }
}
