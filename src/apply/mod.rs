//! Carries a plan out: what depends on nothing unfinished runs at once, under a bound.
//!
//! Nothing is decided here. When a change fails, or the user interrupts, what is under way
//! is finished, nothing new begins, and the outcome tells what was done and what was not.
//! A second run plans anew and finishes the job.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use tokio::sync::watch;

use crate::aws::{Aws, AwsError, Fault};
use crate::plan::{Change, Plan};
use crate::resource::ResourceId;
use crate::resource::ids::Work;

/// How many changes are under way at once. IAM limits the rate of writes an account makes.
const AT_ONCE: usize = 8;

/// How long what was just created may be unknown to the next call (IAM user guide,
/// "Changes that I make are not always immediately visible").
const CONSISTENT_WITHIN: Duration = Duration::from_secs(60);

/// What came of a plan.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) done: Vec<ResourceId>,
    pub(crate) failed: Vec<(ResourceId, AwsError)>,
    pub(crate) not_begun: Vec<ResourceId>,
    pub(crate) interrupted: bool,
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

/// Carries out every write of the plan. `progress` is told of each that ends, and why if it
/// failed; `interrupt` turns true when the user wants to stop.
pub(crate) async fn apply(
    aws: &Aws,
    plan: &Plan,
    on_failure: OnFailure,
    mut interrupt: watch::Receiver<bool>,
    mut progress: impl FnMut(&Change, Option<&AwsError>),
) -> Outcome {
    let work = Work::new(aws, plan.ids.clone());
    let work = &work;
    let mut waiting: Vec<&Change> = plan.writes().collect();
    let planned: BTreeSet<&ResourceId> = waiting.iter().map(|change| &change.id).collect();
    let mut done: BTreeSet<&ResourceId> = BTreeSet::new();
    let mut running = FuturesUnordered::new();
    let mut outcome = Outcome::default();
    loop {
        outcome.interrupted = *interrupt.borrow();
        let may_go_on = outcome.failed.is_empty() || on_failure == OnFailure::GoOn;
        let goes_on = !outcome.interrupted && may_go_on;
        let is_ready = |change: &Change| {
            change.needs.iter().all(|need| !planned.contains(need) || done.contains(need))
        };
        while goes_on && running.len() < AT_ONCE {
            let Some(next) = waiting.iter().position(|change| is_ready(change)) else { break };
            let change = waiting.remove(next);
            let follows = change.needs.iter().any(|need| done.contains(need));
            running.push(async move { (change, send(work, change, follows).await) });
        }
        let ended = tokio::select! {
            ended = running.next() => ended,
            Ok(()) = interrupt.changed(), if !outcome.interrupted => continue,
        };
        let Some((change, result)) = ended else { break };
        progress(change, result.as_ref().err());
        match result {
            Ok(()) => {
                done.insert(&change.id);
                outcome.done.push(change.id.clone());
            }
            Err(error) => outcome.failed.push((change.id.clone(), error)),
        }
    }
    outcome.not_begun = waiting.into_iter().map(|change| change.id.clone()).collect();
    outcome
}

/// Sends one write. One that follows upon something just created is repeated while AWS does
/// not know that thing yet.
async fn send(work: &Work<'_>, change: &Change, follows: bool) -> Result<(), AwsError> {
    let Some(write) = &change.write else { return Ok(()) };
    let started = tokio::time::Instant::now();
    let mut pause = Duration::from_millis(100);
    loop {
        match write.send(work).await {
            Err(error)
                if follows
                    && error.fault == Fault::Missing
                    && started.elapsed() < CONSISTENT_WITHIN =>
            {
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(Duration::from_secs(3));
            }
            result => return result,
        }
    }
}
