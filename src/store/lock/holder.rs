//! Who holds a lock, and for how long.

use std::fmt;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, ensure};
use serde::{Deserialize, Serialize};

use crate::aws::bucket::time_text;
use crate::store::who;

/// How long a run that dies keeps others out, unless the variable says otherwise.
pub(super) const EXPIRY: Duration = Duration::from_secs(60);
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
    pub(super) id: String,
    user: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    aws_identity: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    host: Option<String>,
    pid: u32,
    since: String,
    what: String,
    /// Counts the heartbeats, so that no two texts are alike.
    pub(super) beat: u64,
    heartbeat: String,
    pub(super) expires_after_seconds: u64,
}

impl Holder {
    /// This run, whose lock outlives its last heartbeat by `span`.
    pub(super) fn new(what: &str, span: Duration) -> Self {
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

    pub(super) fn next(&self) -> Self {
        Self { beat: self.beat + 1, heartbeat: now(), ..self.clone() }
    }

    pub(super) fn span(&self) -> Duration {
        Duration::from_secs(self.expires_after_seconds).clamp(SHORTEST, LONGEST)
    }

    pub(super) fn bytes(&self) -> anyhow::Result<Vec<u8>> {
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
