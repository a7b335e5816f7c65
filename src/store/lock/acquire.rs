//! Taking a lock, or waiting for it.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::held::{Lease, Moment};
use super::holder::Holder;
use super::seen::{Seen, Watched};
use crate::spec::name::ClusterName;
use crate::store::{Expect, Refused, Store};

/// How often who waits is told for whom.
const TELL_EVERY: Duration = Duration::from_secs(30);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// How long a lock that someone holds is waited for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Patience {
    /// Until its holder is seen to live, or known to be dead.
    UntilKnown,
    For(Duration),
}

/// What is claimed, and how.
#[derive(Clone, Debug)]
pub(crate) struct Claim {
    pub(crate) cluster: ClusterName,
    /// The command, for those who are kept out.
    pub(crate) what: String,
    /// How long the lock outlives its last heartbeat.
    pub(crate) span: Duration,
    pub(crate) patience: Patience,
}

/// What happens on the way to a lock.
#[derive(Debug)]
pub(crate) enum Notice<'a> {
    Waits(&'a Seen),
    TakesOver(&'a Seen),
}

/// Why a lock was not taken.
#[derive(Debug)]
pub(crate) enum NotTaken {
    Held(Box<Seen>),
    Interrupted,
    Failed(anyhow::Error),
}

impl From<anyhow::Error> for NotTaken {
    fn from(error: anyhow::Error) -> Self {
        Self::Failed(error)
    }
}

/// Takes a cluster's lock. One whose holder is dead is taken over.
pub(crate) async fn acquire(
    store: &Store,
    claim: &Claim,
    mut stop: watch::Receiver<bool>,
    tell: impl Fn(Notice<'_>),
) -> Result<Lease, NotTaken> {
    let cluster = &claim.cluster;
    let holder = Holder::new(&claim.what, claim.span);
    let lease =
        |version, since| Lease::new(store.clone(), cluster.clone(), &holder, version, since);
    let started = Instant::now();
    let mut pause = FIRST_PAUSE;
    let mut told: Option<Instant> = None;
    let mut watched: Option<Watched> = None;
    loop {
        let since = Moment::now();
        let expected = match &watched {
            None => Some(Expect::Absent),
            Some(other) if other.is_dead(Instant::now()) => {
                Some(Expect::Unchanged(&other.seen.version))
            }
            Some(_) => None,
        };
        if let Some(expected) = expected {
            match store.put_lock(cluster, &holder, expected).await {
                Ok(version) => {
                    if let Some(other) = &watched {
                        tell(Notice::TakesOver(&other.seen));
                    }
                    return Ok(lease(version, since));
                }
                Err(Refused::Conflict) => {}
                Err(Refused::Failed(error)) => return Err(NotTaken::Failed(error)),
            }
        }
        watched = match store.lock_of(cluster).await? {
            // The answer to our own write was lost.
            Some(seen) if seen.is_of(&holder) => return Ok(lease(seen.version, since)),
            Some(seen) => Some(Watched::new(watched, seen, Instant::now())),
            None => None,
        };
        if let Some(other) = &watched {
            let has_enough = match claim.patience {
                Patience::UntilKnown => other.is_alive,
                Patience::For(limit) => started.elapsed() >= limit,
            };
            if has_enough {
                return Err(NotTaken::Held(Box::new(other.seen.clone())));
            }
            if told.is_none_or(|at| at.elapsed() >= TELL_EVERY) {
                told = Some(Instant::now());
                tell(Notice::Waits(&other.seen));
            }
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            Ok(_) = stop.wait_for(|stop| *stop) => return Err(NotTaken::Interrupted),
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
