//! The one way for a command to write: with the lock of each cluster that it writes.
//!
//! The lock is taken before the first look, specs included, and held to the end. Until the
//! command begins to write, an interrupt breaks it off; from then on what is under way is
//! finished first. A lock that is lost does the same, and nothing more is sent to AWS.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{anyhow, bail};
use tokio::sync::watch;

use super::admission::Admission;
use super::settings::Global;
use super::signals;
use super::ui::Ui;
use crate::aws::{AwsError, Fault};
use crate::spec::name::ClusterName;
use crate::store::Store;
use crate::store::lock::acquire::{Claim, NotTaken, Notice, Patience, acquire};
use crate::store::lock::held::{Fence, Lock};
use crate::store::lock::holder::expiry;
use crate::store::url::StoreUrl;

/// What a command has in hand that may write.
pub(super) struct Held {
    stopped: watch::Receiver<bool>,
    writes: Arc<AtomicBool>,
    fences: Vec<Fence>,
}

impl Held {
    /// Says that writing begins. What is returned turns true when nothing new may begin.
    ///
    /// # Errors
    /// It must not even begin.
    pub(super) fn begin(&self) -> anyhow::Result<watch::Receiver<bool>> {
        self.writes.store(true, Ordering::SeqCst);
        if *self.stopped.borrow() {
            return Err(self.broken_off());
        }
        Ok(self.stopped.clone())
    }

    /// With where in AWS to write.
    pub(super) fn at<'a>(&'a self, admission: &'a Admission) -> Writer<'a> {
        Writer { held: self, admission }
    }

    /// Ends when the command is to be broken off as it stands, having written nothing.
    async fn ends_early(&self) -> anyhow::Error {
        let mut stopped = self.stopped.clone();
        if stopped.wait_for(|stop| *stop).await.is_err() || self.writes.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        self.broken_off()
    }

    fn broken_off(&self) -> anyhow::Error {
        match self.lost() {
            Some(reason) => anyhow!("{reason}; nothing was changed"),
            None => anyhow!("interrupted; nothing was changed"),
        }
    }

    /// Why the lock is lost, if it is.
    fn lost(&self) -> Option<String> {
        self.fences.iter().find_map(Fence::lost)
    }
}

/// What a command has in hand that may write to AWS.
#[derive(Clone, Copy)]
pub(super) struct Writer<'a> {
    held: &'a Held,
    pub(super) admission: &'a Admission,
}

impl Writer<'_> {
    /// Says that writing to AWS begins; nothing is sent there any more once the lock is lost. The
    /// state store remembers where that is.
    ///
    /// # Errors
    /// It must not even begin.
    pub(super) async fn begin(&self, ui: &Ui) -> anyhow::Result<watch::Receiver<bool>> {
        let fences = self.held.fences.clone();
        self.admission.aws.send_through(move || fences.iter().try_for_each(Fence::check));
        let stopped = self.held.begin()?;
        self.admission.remember(ui).await?;
        Ok(stopped)
    }

    /// Why the lock is lost, if it is.
    pub(super) fn lost(&self) -> Option<String> {
        self.held.lost()
    }
}

/// Does what writes, with the locks of its clusters; `what` is the command's name.
pub(super) async fn locked<T>(
    ui: &Ui,
    global: &Global,
    what: &str,
    clusters: impl IntoIterator<Item = ClusterName>,
    work: impl AsyncFnOnce(&Held) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let (stop, stopped) = watch::channel(false);
    let writes = Arc::new(AtomicBool::new(false));
    let listener = tokio::spawn(signals::watch(*ui, stop.clone(), writes.clone()));
    let mut locks = Locks { ui: *ui, stop, held: Vec::new() };
    let result = match locks.take(global, what, clusters).await {
        Err(error) => Err(error),
        Ok(()) => {
            let fences = locks.held.iter().map(|(_, lock)| lock.fence()).collect();
            let held = Held { stopped, writes, fences };
            let result = tokio::select! {
                biased;
                result = work(&held) => result,
                error = held.ends_early() => Err(error),
            };
            match held.lost() {
                Some(reason) => Err(lost(&reason, result.err())),
                None => result,
            }
        }
    };
    locks.release().await;
    listener.abort();
    result
}

/// As [`locked`] where something is written; a dry run needs no lock and gets none.
pub(super) async fn locked_if<T>(
    is_written: bool,
    ui: &Ui,
    global: &Global,
    what: &str,
    cluster: &ClusterName,
    work: impl AsyncFnOnce(Option<&Held>) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    if !is_written {
        return work(None).await;
    }
    locked(ui, global, what, [cluster.clone()], async |held| work(Some(held)).await).await
}

fn lost(reason: &str, error: Option<anyhow::Error>) -> anyhow::Error {
    match error.map(|error| format!("{error:#}")) {
        Some(error) if error.starts_with(reason) => anyhow!("{error}"),
        Some(error) => anyhow!("{reason}\n{error}"),
        None => anyhow!("{reason}; look before you run this again, another may be at work"),
    }
}

/// The locks of a command, in the order in which they were taken.
struct Locks {
    ui: Ui,
    stop: watch::Sender<bool>,
    held: Vec<(ClusterName, Lock)>,
}

impl Locks {
    /// Takes each cluster's lock. That all commands take them in order keeps two from waiting
    /// for each other.
    async fn take(
        &mut self,
        global: &Global,
        what: &str,
        clusters: impl IntoIterator<Item = ClusterName>,
    ) -> anyhow::Result<()> {
        let (store, url) = global.store(&self.ui).await?;
        let span = expiry()?;
        let patience = global.lock_timeout.map_or(Patience::UntilKnown, Patience::For);
        let clusters: BTreeSet<ClusterName> = clusters.into_iter().collect();
        for cluster in clusters {
            let what = format!("{what} {cluster}");
            let claim = Claim { cluster, what, span, patience };
            let lock = self.take_one(&store, &url, &claim).await?;
            self.held.push((claim.cluster, lock));
        }
        Ok(())
    }

    async fn take_one(&self, store: &Store, url: &StoreUrl, claim: &Claim) -> anyhow::Result<Lock> {
        let cluster = &claim.cluster;
        let tell = |notice: Notice<'_>| self.ui.status(&told(&notice, claim));
        let error = match acquire(store, claim, self.stop.subscribe(), tell).await {
            Ok(lease) => {
                let (ui, stop) = (self.ui, self.stop.clone());
                return Ok(lease.keep(move |reason| {
                    ui.status(&format!("{reason}; nothing new begins"));
                    stop.send_replace(true);
                }));
            }
            Err(error) => error,
        };
        match error {
            NotTaken::Held(other) => bail!(
                "{cluster} is locked by {other}. Nothing was changed. Wait for it with \
                 --lock-timeout 10m or so; if that run is dead: kapstan unlock {cluster}"
            ),
            NotTaken::Interrupted => {
                bail!("interrupted while waiting for the lock of {cluster}; nothing was changed")
            }
            NotTaken::Failed(error) => Err(match is_denied(&error) {
                true => error.context(format!(
                    "the lock of {cluster} cannot be taken, so nothing was changed; who writes \
                     needs s3:GetObject, s3:PutObject and s3:DeleteObject for {url}/.kapstan/*"
                )),
                false => error.context(format!(
                    "the lock of {cluster} cannot be taken, so nothing was changed"
                )),
            }),
        }
    }

    async fn release(self) {
        for (cluster, lock) in self.held {
            if let Err(error) = lock.release().await {
                self.ui.warn(&format!(
                    "the lock of {cluster} was not released, and expires by itself: {error:#}"
                ));
            }
        }
    }
}

fn is_denied(error: &anyhow::Error) -> bool {
    error.downcast_ref::<AwsError>().is_some_and(|error| error.fault == Fault::Denied)
}

fn told(notice: &Notice<'_>, claim: &Claim) -> String {
    let cluster = &claim.cluster;
    match notice {
        Notice::Waits(other) => {
            let limit = match claim.patience {
                Patience::For(limit) => format!("for {} at most", time(limit)),
                Patience::UntilKnown => {
                    format!("until it shows a sign of life, {} at most", time(other.span()))
                }
            };
            format!("{cluster} is locked by {other}. Waiting {limit}; Ctrl-C ends it")
        }
        Notice::TakesOver(other) => format!(
            "The lock of {cluster} was not renewed for {}, and is taken over from {other}",
            time(other.span())
        ),
    }
}

pub(super) fn time(span: Duration) -> String {
    humantime::format_duration(Duration::from_secs(span.as_secs())).to_string()
}
