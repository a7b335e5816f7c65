//! The lock of a cluster: one writer at a time, of AWS and of specs.
//!
//! It is the object `.kapstan/<cluster>/lock`, beside the clusters' folders. kops takes every
//! key that ends in `/config` for a cluster, and does not delete a cluster in whose folder is
//! a file that it does not know (kops, `registry.DeleteAllClusterState`); it meets neither.
//!
//! Who holds the lock writes it anew again and again. No two clocks are compared: a lock is
//! dead once who waits for it has itself seen it unchanged for the span that it names. Each
//! write of it has a condition, so that of many who take it one wins.

mod acquire;
mod held;

use std::fmt;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, ensure};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

pub(crate) use acquire::{Claim, NotTaken, Notice, Patience, acquire};
pub(crate) use held::{Fence, Lock};

use super::{Expect, Refused, Store, Version, who};
use crate::aws::bucket::time_text;
use crate::spec::name::ClusterName;

/// How long a run that dies keeps others out, unless the variable says otherwise.
const EXPIRY: Duration = Duration::from_secs(60);
const EXPIRY_VARIABLE: &str = "KAPSTAN_LOCK_EXPIRY";
const SHORTEST: Duration = Duration::from_secs(2);
const LONGEST: Duration = Duration::from_secs(3600);
/// How much of what another run wrote about itself is shown.
const SHOWN: usize = 200;

/// Who holds a lock, as it is written.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Holder {
    /// Random, and no other run's.
    id: String,
    user: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    aws_identity: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    host: Option<String>,
    pid: u32,
    since: String,
    what: String,
    /// Counts the heartbeats, so that no two texts are alike.
    beat: u64,
    heartbeat: String,
    expires_after_seconds: u64,
}

impl Holder {
    /// This run, whose lock outlives its last heartbeat by `span`.
    fn new(what: &str, span: Duration) -> Self {
        let now = now();
        Self {
            id: random(),
            user: who::user(),
            aws_identity: who::aws_identity(),
            host: who::host(),
            pid: std::process::id(),
            since: now.clone(),
            what: what.to_owned(),
            beat: 0,
            heartbeat: now,
            expires_after_seconds: span.as_secs(),
        }
    }

    fn next(&self) -> Self {
        Self { beat: self.beat + 1, heartbeat: now(), ..self.clone() }
    }

    fn span(&self) -> Duration {
        Duration::from_secs(self.expires_after_seconds).clamp(SHORTEST, LONGEST)
    }

    fn bytes(&self) -> anyhow::Result<Vec<u8>> {
        let mut text = serde_json::to_vec_pretty(self)?;
        text.push(b'\n');
        Ok(text)
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", shown(&self.user))?;
        if let Some(host) = &self.host {
            write!(f, " on {}", shown(host))?;
        }
        write!(f, " (process {}", self.pid)?;
        if let Some(identity) = &self.aws_identity {
            write!(f, ", {}", shown(identity))?;
        }
        let (since, beat) = (shown(&self.since), shown(&self.heartbeat));
        write!(f, ") since {since}, last sign of life {beat}: {}", shown(&self.what))
    }
}

/// Another run's words about itself, which may hold anything.
fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(SHOWN).collect()
}

fn now() -> String {
    time_text(SystemTime::now()).unwrap_or_default()
}

/// 128 bits that differ from run to run; they guard against chance, not against anyone.
fn random() -> String {
    let half = |seed: u32| {
        let mut hasher = RandomState::new().build_hasher();
        hasher.write_u32(seed);
        hasher.finish()
    };
    format!("{:016x}{:016x}", half(std::process::id()), half(0))
}

/// How long a lock of this run outlives its last heartbeat.
pub(crate) fn expiry() -> anyhow::Result<Duration> {
    let Some(text) = std::env::var(EXPIRY_VARIABLE).ok().filter(|text| !text.is_empty()) else {
        return Ok(EXPIRY);
    };
    let span = humantime::parse_duration(&text);
    let span = span.with_context(|| format!("{EXPIRY_VARIABLE}={text} is no time such as 60s"))?;
    ensure!(
        (SHORTEST..=LONGEST).contains(&span),
        "{EXPIRY_VARIABLE}={text} is not between 2s and 1h"
    );
    Ok(span)
}

/// A lock as someone else sees it.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    version: Version,
    /// `None` of a text that is no lock's.
    holder: Option<Holder>,
}

impl Seen {
    pub(crate) fn span(&self) -> Duration {
        self.holder.as_ref().map_or(EXPIRY, Holder::span)
    }

    pub(crate) fn is_of_same_run(&self, other: &Self) -> bool {
        self.version == other.version
            || other.holder.as_ref().is_some_and(|holder| self.is_of(holder))
    }

    fn is_of(&self, holder: &Holder) -> bool {
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

fn key(cluster: &ClusterName) -> String {
    format!(".kapstan/{cluster}/lock")
}

impl Store {
    /// The lock of a cluster, if someone holds it.
    pub(crate) async fn lock_of(&self, cluster: &ClusterName) -> anyhow::Result<Option<Seen>> {
        let stored = self.read(&key(cluster)).await?;
        Ok(stored.map(|stored| Seen {
            holder: serde_json::from_slice(&stored.bytes).ok(),
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

    async fn put_lock(
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
    fn a_lock_tells_no_more_than_text() {
        let mut holder = Holder::new("set\u{1b}[2J ig", EXPIRY);
        holder.user = "x".repeat(500);
        let text = holder.to_string();
        assert!(!text.contains('\u{1b}'), "{text}");
        assert!(text.len() < 2 * SHOWN + 300, "{text}");
        assert!(text.ends_with(": set[2J ig"), "{text}");
    }

    #[test]
    fn no_two_runs_have_one_id() {
        let ids: std::collections::BTreeSet<String> = (0..100).map(|_| random()).collect();
        assert_eq!(ids.len(), 100);
    }

    #[test]
    fn kops_takes_no_lock_for_a_cluster() {
        for name in ["dev.example.com", "config"] {
            assert!(!key(&ClusterName::new(name).unwrap()).ends_with("/config"));
        }
        assert!(ClusterName::new(".kapstan").is_err(), "it is no cluster's folder");
    }
}
