//! Carries a plan out: what depends on nothing unfinished runs at once, under a bound.
//!
//! Nothing is decided here. When a change fails, or the user interrupts, what is under way
//! is finished, waits end, nothing new begins, and the outcome tells what was done and what was not.
//! A second run plans anew and finishes the job.

use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use tokio::sync::watch;

use crate::aws::{Aws, AwsError, Fault};
use crate::core::kind::ResourceId;
use crate::core::wait::{Attempt, Budget, Held, Waiting, Waits};
use crate::core::work::{Place, Told, Work};
use crate::plan::order::{Step, Walk};
use crate::plan::{Change, Plan};

/// How many changes are under way at once. IAM limits the rate of writes an account makes.
const AT_ONCE: usize = 8;

/// How long what was just created may be unknown to the next call (IAM user guide,
/// "Changes that I make are not always immediately visible").
const CONSISTENT: Budget = Budget {
    within: Duration::from_secs(60),
    pause: Duration::from_millis(100),
    longest_pause: Duration::from_secs(3),
    looks: 1,
};

/// What came of a plan.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) done: Vec<ResourceId>,
    pub(crate) failed: Vec<(ResourceId, AwsError)>,
    pub(crate) not_begun: Vec<ResourceId>,
    pub(crate) interrupted: bool,
    /// What was left undone, though that failed nothing.
    pub(crate) told: Vec<Told>,
}

impl Outcome {
    pub(crate) fn is_complete(&self) -> bool {
        self.failed.is_empty() && self.not_begun.is_empty()
    }
}

/// What to do when something fails.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum OnFailure {
    /// Finish what is under way, and begin nothing new.
    Stop,
    /// Go on with all that does not hang on what failed.
    GoOn,
}

/// How an apply goes on.
#[derive(Debug)]
pub(crate) enum Progress<'a> {
    /// A change has ended, and why if it failed.
    Ended(&'a Change, Option<&'a AwsError>),
    Waits(&'a Waiting<'a>),
}

/// Carries out every write of the plan, and tells `progress`. `interrupt` turns true when the
/// user wants to stop, and ends waits.
pub(crate) async fn apply(
    aws: &Aws,
    plan: &Plan,
    on_failure: OnFailure,
    mut interrupt: watch::Receiver<bool>,
    progress: impl Fn(Progress<'_>) + Sync,
) -> Outcome {
    let place = Place { account: &plan.account, region: &plan.region, cluster: &plan.cluster };
    let tell = |waiting: &Waiting<'_>| progress(Progress::Waits(waiting));
    let waits = Waits::new(interrupt.clone(), &tell);
    let work = Work::new(aws, place, plan.ids.clone(), waits);
    let work = &work;
    let mut walk = Walk::new(plan.writes());
    let mut running = FuturesUnordered::new();
    let mut outcome = Outcome::default();
    loop {
        outcome.interrupted = *interrupt.borrow();
        let may_go_on = outcome.failed.is_empty() || on_failure == OnFailure::GoOn;
        let goes_on = !outcome.interrupted && may_go_on;
        while goes_on && running.len() < AT_ONCE {
            let Some(step) = walk.begin() else { break };
            running.push(async move { (step, send(work, step).await) });
        }
        let ended = tokio::select! {
            ended = running.next() => ended,
            Ok(()) = interrupt.changed(), if !outcome.interrupted => continue,
        };
        let Some((step, result)) = ended else { break };
        let id = step.change.id.clone();
        progress(Progress::Ended(step.change, result.as_ref().err()));
        match result {
            Ok(()) => {
                walk.end(&step);
                outcome.done.push(id);
            }
            Err(error) => outcome.failed.push((id, error)),
        }
    }
    outcome.told = work.told();
    outcome.not_begun = walk.not_begun().map(|change| change.id.clone()).collect();
    outcome
}

/// Sends one write. One that follows upon something just created is repeated while AWS does
/// not know that thing yet.
async fn send(work: &Work<'_>, step: Step<'_>) -> Result<(), AwsError> {
    let Some(write) = &step.change.write else { return Ok(()) };
    let id = &step.change.id;
    let sent = work.waits.until(id, CONSISTENT, async || match write.send(work, id).await {
        Err(error) if step.follows && error.fault == Fault::Missing => {
            let holder = "AWS to know what was just created".to_owned();
            Ok(Attempt::NotYet(Held { holder, error }))
        }
        result => result.map(Attempt::Done),
    });
    sent.await
}
