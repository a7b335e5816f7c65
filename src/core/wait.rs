//! Waiting: for what AWS takes its time over, and for what holds something back.
//!
//! Every wait has a budget, says what it waits for, and ends when the user asks to stop. What
//! is under way in AWS is never broken off, and not asked for again after that.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::aws::AwsError;
use crate::core::kind::ResourceId;

/// What one attempt came to.
#[derive(Debug)]
pub(crate) enum Attempt<T> {
    Done(T),
    /// What holds it passes by itself.
    NotYet(Held),
    /// What holds it stays until somebody takes it away.
    Never(Held),
}

/// What something waits for, and what AWS says of it.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub(crate) holder: String,
    pub(crate) error: AwsError,
}

impl Held {
    fn ended(self, how: impl FnOnce(&str) -> String) -> AwsError {
        let message = format!("{}; {}", self.error.message, how(&self.holder));
        AwsError { message, ..self.error }
    }
}

/// How long something may take, and how often it is tried.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    pub(crate) within: Duration,
    /// The first pause; each is twice the one before.
    pub(crate) pause: Duration,
    pub(crate) longest_pause: Duration,
    /// How many attempts in a row must find what stays: AWS shows what is gone for a moment
    /// (EC2 Developer Guide, "Eventual consistency").
    pub(crate) looks: u32,
}

/// A wait that goes on, as the user is told.
#[derive(Debug)]
pub(crate) struct Waiting<'a> {
    pub(crate) what: &'a ResourceId,
    pub(crate) held: &'a Held,
    pub(crate) so_far: Duration,
}

/// When a wait tells of itself.
#[derive(Clone, Copy, Debug)]
struct Rhythm {
    first: Duration,
    again: Duration,
}

const RHYTHM: Rhythm = Rhythm { first: Duration::from_secs(10), again: Duration::from_secs(30) };

/// Whom waits tell, and who ends them.
pub(crate) struct Waits<'a> {
    stop: watch::Receiver<bool>,
    tell: &'a (dyn Fn(&Waiting<'_>) + Sync),
    rhythm: Rhythm,
}

impl std::fmt::Debug for Waits<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Waits").field("rhythm", &self.rhythm).finish_non_exhaustive()
    }
}

impl<'a> Waits<'a> {
    /// Waits that end when `stop` turns true.
    pub(crate) fn new(
        stop: watch::Receiver<bool>,
        tell: &'a (dyn Fn(&Waiting<'_>) + Sync),
    ) -> Self {
        Self { stop, tell, rhythm: RHYTHM }
    }

    /// Tries until it is done.
    ///
    /// # Errors
    /// That of an attempt; what holds it stays; the budget is used up; the user asked to stop.
    pub(crate) async fn until<T, F>(
        &self,
        what: &ResourceId,
        budget: Budget,
        mut attempt: impl FnMut() -> F,
    ) -> Result<T, AwsError>
    where
        F: Future<Output = Result<Attempt<T>, AwsError>>,
    {
        let begun = Instant::now();
        let mut pause = budget.pause;
        let mut tell_at = begun + self.rhythm.first;
        let mut stop = self.stop.clone();
        let mut looks = 0;
        let mut answer = attempt().await?;
        loop {
            let held = match answer {
                Attempt::Done(done) => return Ok(done),
                Attempt::Never(held) if looks + 1 >= budget.looks => {
                    return Err(held.ended(|holder| format!("{holder} holds it")));
                }
                Attempt::Never(held) => {
                    looks += 1;
                    held
                }
                Attempt::NotYet(held) => {
                    looks = 0;
                    held
                }
            };
            if begun.elapsed() >= budget.within {
                let minutes = budget.within.as_secs() / 60;
                return Err(held.ended(|holder| {
                    format!(
                        "after {minutes} min it still waits for {holder}; run the command again"
                    )
                }));
            }
            let next_at = Instant::now() + pause;
            loop {
                tokio::select! {
                    () = asked_to_stop(&mut stop) => {
                        return Err(held.ended(|holder| format!("the wait for {holder} was stopped")));
                    }
                    () = sleep_until(next_at) => break,
                    () = sleep_until(tell_at) => tell_at = self.tell(what, &held, begun),
                }
            }
            let mut under_way = std::pin::pin!(attempt());
            answer = loop {
                tokio::select! {
                    answer = &mut under_way => break answer?,
                    () = sleep_until(tell_at) => tell_at = self.tell(what, &held, begun),
                }
            };
            pause = (pause * 2).min(budget.longest_pause);
        }
    }

    /// Tells of a wait, and when to tell of it again.
    fn tell(&self, what: &ResourceId, held: &Held, begun: Instant) -> Instant {
        (self.tell)(&Waiting { what, held, so_far: begun.elapsed() });
        Instant::now() + self.rhythm.again
    }
}

/// Ends when the user asks to stop, and never if nobody is left who could.
async fn asked_to_stop(stop: &mut watch::Receiver<bool>) {
    if stop.wait_for(|stopped| *stopped).await.is_err() {
        std::future::pending().await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::aws::Fault;
    use crate::vpc::security_group::SecurityGroup;

    const LONG: Duration = Duration::from_secs(3600);
    const BUDGET: Budget =
        Budget { within: LONG, pause: Duration::from_millis(1), longest_pause: LONG, looks: 2 };

    fn held() -> Held {
        let (object, message) = ("sg-1".to_owned(), "DependencyViolation: in use".to_owned());
        let error =
            AwsError { operation: "ec2:DeleteSecurityGroup", object, fault: Fault::InUse, message };
        Held { holder: "eni-1".to_owned(), error }
    }

    /// Waits that tell after a moment and again after another.
    fn waits<'a>(stop: &watch::Sender<bool>, tell: &'a (dyn Fn(&Waiting<'_>) + Sync)) -> Waits<'a> {
        let moment = Duration::from_millis(1);
        let rhythm = Rhythm { first: moment, again: moment };
        Waits { rhythm, ..Waits::new(stop.subscribe(), tell) }
    }

    /// What came of a wait, and how often was tried.
    fn run(
        waits: &Waits<'_>,
        budget: Budget,
        attempt: impl Fn(usize) -> Attempt<()>,
    ) -> (Result<(), String>, usize) {
        let tried = AtomicUsize::new(0);
        let id = ResourceId::new(SecurityGroup::KIND, "nodes");
        let try_it = async || Ok(attempt(tried.fetch_add(1, Ordering::Relaxed) + 1));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let result = runtime.block_on(waits.until(&id, budget, try_it));
        (result.map_err(|error| error.to_string()), tried.into_inner())
    }

    #[test]
    fn what_passes_is_tried_until_it_is_done() {
        let (stop, silent) = (watch::Sender::new(false), |_: &Waiting<'_>| {});
        let attempt = |nth| if nth < 4 { Attempt::NotYet(held()) } else { Attempt::Done(()) };
        assert_eq!(run(&waits(&stop, &silent), BUDGET, attempt), (Ok(()), 4));
    }

    #[test]
    fn what_stays_is_told_once_it_was_seen_in_a_row() {
        let (stop, silent) = (watch::Sender::new(false), |_: &Waiting<'_>| {});
        let attempt = |nth| match nth {
            2 => Attempt::NotYet(held()),
            _ => Attempt::Never(held()),
        };
        let (result, tried) = run(&waits(&stop, &silent), BUDGET, attempt);
        let text = "ec2:DeleteSecurityGroup of sg-1 failed: DependencyViolation: in use; eni-1 \
                    holds it";
        assert_eq!((result, tried), (Err(text.to_owned()), 4));
    }

    #[test]
    fn a_wait_tells_what_for_again_and_again_and_ends_when_asked() {
        let told = AtomicUsize::new(0);
        let stop = watch::Sender::new(false);
        let tell = |waiting: &Waiting<'_>| {
            assert_eq!(waiting.what.to_string(), "SecurityGroup/nodes");
            assert_eq!(waiting.held.holder, "eni-1");
            if told.fetch_add(1, Ordering::Relaxed) == 4 {
                stop.send_replace(true);
            }
        };
        // The pause behind the first attempt is longer than any test.
        let budget = Budget { pause: LONG, ..BUDGET };
        let (result, tried) = run(&waits(&stop, &tell), budget, |_| Attempt::NotYet(held()));
        assert!(result.unwrap_err().ends_with("; the wait for eni-1 was stopped"));
        assert_eq!((told.load(Ordering::Relaxed), tried), (5, 1));
    }

    #[test]
    fn a_budget_ends() {
        let (stop, silent) = (watch::Sender::new(false), |_: &Waiting<'_>| {});
        let budget = Budget { within: Duration::ZERO, ..BUDGET };
        let (result, tried) = run(&waits(&stop, &silent), budget, |_| Attempt::NotYet(held()));
        assert!(result.unwrap_err().contains("it still waits for eni-1"));
        assert_eq!(tried, 1);
    }

    #[test]
    fn a_wait_tells_of_itself_soon_enough() {
        assert!(RHYTHM.first <= Duration::from_secs(15) && RHYTHM.again <= Duration::from_secs(30));
    }
}
