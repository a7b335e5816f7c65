//! Holding a lock: heartbeats, and what happens when they fail.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, bail};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use super::holder::Holder;
use super::seen::Seen;
use crate::spec::name::ClusterName;
use crate::store::{Expect, Refused, Store, Version};

/// Releasing a lock takes at most so long; a store that does not answer lets it expire.
const RELEASED_WITHIN: Duration = Duration::from_secs(15);
/// How often in a row a renewal may meet a write of our own whose answer was lost.
const OWN_CONFLICTS: usize = 3;

/// A point in time by two clocks: the one stands still while the machine sleeps, the other
/// can be set.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    steady: Instant,
    of_day: SystemTime,
}

impl Moment {
    pub(super) fn now() -> Self {
        Self { steady: Instant::now(), of_day: SystemTime::now() }
    }

    /// At least the time that has passed.
    fn age(self) -> Duration {
        self.steady.elapsed().max(self.of_day.elapsed().unwrap_or_default())
    }
}

/// A lock that was taken, as it stands in the store.
#[derive(Debug)]
pub(crate) struct Lease {
    store: Store,
    cluster: ClusterName,
    holder: Holder,
    version: Version,
    /// When the write that took it began.
    since: Moment,
}

/// What came of a heartbeat.
enum Beat {
    Renewed,
    Lost(String),
}

impl Lease {
    pub(super) fn new(
        store: Store,
        cluster: ClusterName,
        holder: &Holder,
        version: Version,
        since: Moment,
    ) -> Self {
        Self { store, cluster, holder: holder.clone(), version, since }
    }

    /// Keeps the lock until it is released. `lost` is told once, when nothing new may begin.
    pub(crate) fn keep(self, lost: impl Fn(&str) + Send + 'static) -> Lock {
        let fence = Fence::new(self.holder.span(), self.since);
        let (quit, quits) = oneshot::channel();
        let beats = tokio::spawn(beat(self, fence.clone(), quits, lost));
        Lock { fence, quit, beats }
    }

    async fn renew(&mut self) -> anyhow::Result<Beat> {
        for _ in 0..OWN_CONFLICTS {
            let next = self.holder.next();
            let expect = Expect::Unchanged(&self.version);
            match self.store.put_lock(&self.cluster, &next, expect).await {
                Ok(version) => {
                    (self.holder, self.version) = (next, version);
                    return Ok(Beat::Renewed);
                }
                Err(Refused::Failed(error)) => return Err(error),
                Err(Refused::Conflict) => {}
            }
            match self.store.lock_of(&self.cluster).await? {
                Some(seen) if seen.is_of(&self.holder) => self.adopt(seen),
                other => return Ok(Beat::Lost(self.lost_to(other.as_ref()))),
            }
        }
        bail!("the store refuses each write")
    }

    fn adopt(&mut self, seen: Seen) {
        self.version = seen.version;
        if let Some(holder) = seen.holder {
            self.holder = holder;
        }
    }

    fn lost_to(&self, other: Option<&Seen>) -> String {
        match other {
            Some(other) => format!("the lock of {} was taken over by {other}", self.cluster),
            None => format!("the lock of {} was removed (kapstan unlock)", self.cluster),
        }
    }

    async fn release(mut self) -> anyhow::Result<()> {
        for _ in 0..OWN_CONFLICTS {
            let seen = Seen { version: self.version.clone(), holder: None };
            if self.store.remove_lock(&self.cluster, &seen).await? {
                return Ok(());
            }
            match self.store.lock_of(&self.cluster).await? {
                Some(seen) if seen.is_of(&self.holder) => self.adopt(seen),
                // Whose it is now, or that it is gone, was told by the heartbeat or does not
                // matter any more.
                _ => return Ok(()),
            }
        }
        bail!("the store refuses each write")
    }
}

/// Renews a lock until it is told to quit, and gives back what stands in the store then.
async fn beat(
    mut lease: Lease,
    fence: Fence,
    mut quits: oneshot::Receiver<()>,
    lost: impl Fn(&str),
) -> Lease {
    let span = fence.span();
    let mut pause = span / 6;
    loop {
        tokio::select! {
            () = sleep(pause) => {}
            // Also when whoever held the lock is gone.
            _ = &mut quits => return lease,
        }
        let began = Moment::now();
        let failure = match timeout(span / 6, lease.renew()).await {
            Ok(Ok(Beat::Renewed)) => {
                fence.renew(began);
                pause = span / 6;
                continue;
            }
            Ok(Ok(Beat::Lost(reason))) => {
                if fence.lose(reason.clone(), true) {
                    lost(&reason);
                }
                return lease;
            }
            Ok(Err(error)) => format!("{error:#}"),
            Err(_) => "the state store does not answer".to_owned(),
        };
        pause = span / 12;
        if fence.age() + pause >= fence.stop_at() {
            let reason =
                format!("the lock of {} could not be renewed in time: {failure}", lease.cluster);
            // What is under way may still be finished, and the lock kept for that.
            if fence.lose(reason.clone(), false) {
                lost(&reason);
            }
        }
    }
}

/// A lock that is held, and renewed in the background.
#[derive(Debug)]
pub(crate) struct Lock {
    fence: Fence,
    quit: oneshot::Sender<()>,
    beats: JoinHandle<Lease>,
}

impl Lock {
    pub(crate) fn fence(&self) -> Fence {
        self.fence.clone()
    }

    /// Ends the heartbeats and removes the lock, if it is still ours.
    ///
    /// # Errors
    /// The lock could not be removed; it expires by itself.
    pub(crate) async fn release(self) -> anyhow::Result<()> {
        #[expect(
            clippy::let_underscore_must_use,
            reason = "heartbeats that have ended already have no ears"
        )]
        let _ = self.quit.send(());
        let lease = self.beats.await.context("the heartbeats of the lock ended")?;
        if self.fence.is_taken() {
            return Ok(());
        }
        match timeout(RELEASED_WITHIN, lease.release()).await {
            Ok(released) => released,
            Err(_) => bail!("the state store does not answer"),
        }
    }
}

/// Tells whether a lock is still held for certain. A clone tells of the same lock.
#[derive(Clone, Debug)]
pub(crate) struct Fence {
    span: Duration,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    renewed: Moment,
    lost: Option<String>,
    /// Someone else may hold it.
    is_taken: bool,
}

impl Fence {
    fn new(span: Duration, renewed: Moment) -> Self {
        let state = State { renewed, lost: None, is_taken: false };
        Self { span, state: Arc::new(Mutex::new(state)) }
    }

    /// # Errors
    /// Why nothing may be written any more, not even to finish what is under way.
    pub(crate) fn check(&self) -> Result<(), String> {
        let state = self.state();
        if state.is_taken {
            return Err(state.lost.clone().unwrap_or_default());
        }
        if state.renewed.age() >= self.span * 5 / 6 {
            let seconds = state.renewed.age().as_secs();
            return Err(format!("the lock has not been renewed for {seconds}s, so it may be lost"));
        }
        Ok(())
    }

    /// Why nothing new may begin, if that is so.
    pub(crate) fn lost(&self) -> Option<String> {
        self.state().lost.clone()
    }

    fn span(&self) -> Duration {
        self.span
    }

    /// The age at which nothing new begins: before [`Self::check`] refuses everything, and long
    /// before anyone else may take the lock over.
    fn stop_at(&self) -> Duration {
        self.span * 2 / 3
    }

    fn age(&self) -> Duration {
        self.state().renewed.age()
    }

    fn is_taken(&self) -> bool {
        self.state().is_taken
    }

    fn renew(&self, at: Moment) {
        self.state().renewed = at;
    }

    /// Notes why it is lost. True the first time.
    fn lose(&self, reason: String, is_taken: bool) -> bool {
        let mut state = self.state();
        let is_first = state.lost.is_none();
        if is_first || (is_taken && !state.is_taken) {
            state.lost = Some(reason);
        }
        state.is_taken |= is_taken;
        is_first
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::watch;

    use super::super::acquire::{Claim, NotTaken, Patience, acquire};
    use super::super::seen::key;
    use super::*;
    use crate::store::url::StoreUrl;

    const SHORT: Duration = Duration::from_secs(3);
    const LONG: Duration = Duration::from_secs(60);

    async fn store() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let url = StoreUrl::parse(&folder.path().display().to_string()).unwrap();
        (folder, Store::open(&url, async || anyhow::bail!("of no account")).await.unwrap())
    }

    fn cluster() -> ClusterName {
        ClusterName::new("c.example.com").unwrap()
    }

    async fn take(store: &Store, span: Duration, patience: Patience) -> Result<Lease, NotTaken> {
        let (_stop, stopped) = watch::channel(false);
        let claim = Claim { cluster: cluster(), what: "test".to_owned(), span, patience };
        acquire(store, &claim, stopped, |_| {}).await
    }

    async fn at_once(store: &Store, span: Duration) -> Result<Lease, NotTaken> {
        take(store, span, Patience::For(Duration::ZERO)).await
    }

    async fn seen(store: &Store) -> Seen {
        store.lock_of(&cluster()).await.unwrap().unwrap()
    }

    #[tokio::test]
    async fn one_holds_it_and_the_next_gets_it_when_it_is_released() {
        let (folder, store) = store().await;
        let lock = at_once(&store, LONG).await.unwrap().keep(|_| {});
        assert!(matches!(at_once(&store, LONG).await, Err(NotTaken::Held(_))));
        lock.release().await.unwrap();
        assert!(!folder.path().join(".kapstan").exists(), "nothing is left behind");
        at_once(&store, LONG).await.unwrap();
    }

    #[tokio::test]
    async fn a_lock_that_is_renewed_is_not_taken_over() {
        let (_folder, store) = store().await;
        let lock = at_once(&store, SHORT).await.unwrap().keep(|_| {});
        let refused = take(&store, LONG, Patience::For(SHORT * 2)).await;
        assert!(matches!(refused, Err(NotTaken::Held(_))));
        // Without a limit, the first heartbeat that is seen tells that it lives.
        let refused = take(&store, LONG, Patience::UntilKnown).await;
        assert!(matches!(refused, Err(NotTaken::Held(_))));
        assert_eq!(lock.fence().lost(), None);
        lock.release().await.unwrap();
    }

    #[tokio::test]
    async fn a_dead_lock_is_taken_over_after_its_span_and_by_one() {
        let (_folder, store) = store().await;
        let mut dead = at_once(&store, SHORT).await.unwrap();
        let started = Instant::now();
        let many = (0..20).map(|_| take(&store, LONG, Patience::For(SHORT * 2)));
        let mut taken = Vec::new();
        for result in futures::future::join_all(many).await {
            match result {
                Ok(lease) => taken.push(lease),
                Err(NotTaken::Held(_)) => {}
                Err(error) => panic!("{error:?}"),
            }
        }
        assert_eq!(taken.len(), 1);
        assert!(started.elapsed() >= SHORT);
        // What comes back from the dead is told, and takes nothing back.
        assert!(matches!(dead.renew().await.unwrap(), Beat::Lost(_)));
        dead.release().await.unwrap();
        assert!(seen(&store).await.is_of(&taken[0].holder));
    }

    #[tokio::test]
    async fn a_heartbeat_whose_answer_was_lost_is_no_loss() {
        let (_folder, store) = store().await;
        let mut lease = at_once(&store, LONG).await.unwrap();
        let unanswered = lease.holder.next();
        let expect = Expect::Unchanged(&lease.version);
        store.put_lock(&cluster(), &unanswered, expect).await.unwrap();
        assert!(matches!(lease.renew().await.unwrap(), Beat::Renewed));
        assert_eq!(lease.holder.beat, 2);
        lease.release().await.unwrap();
        assert!(store.lock_of(&cluster()).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn who_loses_the_lock_is_told_and_takes_nothing_from_its_new_holder() {
        let (_folder, store) = store().await;
        let (told, mut tells) = watch::channel(None);
        let lock = at_once(&store, LONG).await.unwrap();
        let stolen = seen(&store).await;
        assert!(store.remove_lock(&cluster(), &stolen).await.unwrap());
        let other = at_once(&store, LONG).await.unwrap();
        let mut lock = lock;
        // Heartbeats come soon.
        lock.holder.expires_after_seconds = SHORT.as_secs();
        let lock = lock.keep(move |reason| {
            told.send_replace(Some(reason.to_owned()));
        });
        let reason = tells.wait_for(Option::is_some).await.unwrap().clone().unwrap();
        assert!(reason.contains("c.example.com was taken over by "), "{reason}");
        assert_eq!(lock.fence().check(), Err(reason));
        lock.release().await.unwrap();
        assert!(seen(&store).await.is_of(&other.holder), "the other's lock stays");
    }

    #[tokio::test]
    async fn a_store_that_fails_ends_new_work_and_then_all() {
        let (folder, store) = store().await;
        let (told, mut tells) = watch::channel(None);
        let lease = at_once(&store, SHORT).await.unwrap();
        // A pipe in the place of the lock lets no one read or write it.
        let path = folder.path().join(key(&cluster()));
        std::fs::remove_file(&path).unwrap();
        let made = std::process::Command::new("mkfifo").arg(&path).status().unwrap();
        assert!(made.success());
        let lock = lease.keep(move |reason| {
            told.send_replace(Some(reason.to_owned()));
        });
        let reason = tells.wait_for(Option::is_some).await.unwrap().clone().unwrap();
        assert!(reason.contains("could not be renewed in time"), "{reason}");
        assert!(lock.fence().lost().is_some());
        while lock.fence().check().is_ok() {
            sleep(Duration::from_millis(50)).await;
        }
    }
}
