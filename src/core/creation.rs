//! Creating what AWS gives an id of its choosing: once, whatever becomes of the answer, and
//! however many run at the same time.
//!
//! Where AWS takes a client token, it makes one thing a token and answers a repeated one with
//! what it made before, for as long as it remembers ("Ensuring idempotency in Amazon EC2 API
//! requests", EC2 Developer Guide). A token is derived from what is wanted ([`Work::token`]),
//! so that two runs make one thing between them. It may be answered with something that was
//! deleted since, or refused because the spec said otherwise then: so what the answer names is
//! looked at, and when it is gone, the next generation's token is used. Whoever looks finds
//! the same gone, and goes on to the same token.
//!
//! Where AWS takes none, a look by tags comes first, and comes again when no answer did.

use std::ops::Deref;
use std::time::Duration;

use tokio::time::Instant;

use crate::aws::{AwsError, Fault};
use crate::core::kind::ResourceId;
use crate::core::work::Work;

/// How long looks may not show what was just created. EC2 speaks of a couple of seconds and
/// names no bound (EC2 Developer Guide, "Eventual consistency").
const SEEN_WITHIN: Duration = Duration::from_secs(20);

/// How often something of one name may have been deleted while AWS remembers the tokens.
const GENERATIONS: u32 = 100;

/// How often a call without a token is sent at most, where AWS says that it failed itself.
const ATTEMPTS: u32 = 3;

/// What a look by tags found.
#[derive(Debug)]
pub(crate) struct Standing<I> {
    pub(crate) id: I,
    /// Whether it is deleted, or on its way there.
    pub(crate) is_gone: bool,
}

/// A resource that is being created, and by which call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Creation<'a> {
    pub(crate) work: &'a Work<'a>,
    pub(crate) resource: &'a ResourceId,
    pub(crate) operation: &'static str,
}

impl Creation<'_> {
    /// Creates with a client token. `within` is what the resource is a part of; `look` finds
    /// what carries its tags.
    pub(crate) async fn with_token<I, C, L>(
        self,
        within: &str,
        create: impl Fn(String) -> C,
        look: impl Fn() -> L,
    ) -> Result<I, AwsError>
    where
        I: Clone + Deref<Target = str>,
        C: Future<Output = Result<I, AwsError>>,
        L: Future<Output = Result<Vec<Standing<I>>, AwsError>>,
    {
        let deadline = Instant::now() + SEEN_WITHIN;
        for generation in 0..GENERATIONS {
            let token = self.work.token(self.resource, within, generation);
            let made = match create(token).await {
                Ok(id) => Ok(id),
                Err(error) if matches!(error.fault, Fault::TokenUsed | Fault::Conflict) => {
                    Err(error)
                }
                Err(error) => return Err(error),
            };
            if let Some(id) = self.seen(made.as_ref().ok(), &look, deadline).await? {
                return Ok(id);
            }
            if let Err(error) = made
                && error.fault == Fault::Conflict
            {
                return Err(error);
            }
        }
        Err(self.failed("AWS answers with what was deleted; run this again in some hours".into()))
    }

    /// Creates without a token: looks, sends the call once, and looks again if nobody can tell
    /// what became of it.
    pub(crate) async fn without_token<I, C, L>(
        self,
        create: impl Fn() -> C,
        look: impl Fn() -> L,
    ) -> Result<I, AwsError>
    where
        I: Clone + Deref<Target = str>,
        C: Future<Output = Result<I, AwsError>>,
        L: Future<Output = Result<Vec<Standing<I>>, AwsError>>,
    {
        if let Some(id) = self.one(&look().await?)? {
            return Ok(id);
        }
        let mut attempt = 1;
        loop {
            let error = match create().await {
                Err(error) if matches!(error.fault, Fault::Internal | Fault::Unanswered) => error,
                result => return result,
            };
            let deadline = Instant::now() + SEEN_WITHIN;
            if let Some(id) = self.seen(None, &look, deadline).await? {
                return Ok(id);
            }
            if error.fault == Fault::Unanswered || attempt == ATTEMPTS {
                return Err(AwsError {
                    message: format!(
                        "{}; it was not to be seen {} seconds later, and is not sent twice, since \
                         that might make two: run this again, which looks first",
                        error.message,
                        SEEN_WITHIN.as_secs()
                    ),
                    ..error
                });
            }
            attempt += 1;
        }
    }

    /// Looks until something is seen, or what was made is known to be gone.
    async fn seen<I, L>(
        self,
        made: Option<&I>,
        look: &impl Fn() -> L,
        deadline: Instant,
    ) -> Result<Option<I>, AwsError>
    where
        I: Clone + Deref<Target = str>,
        L: Future<Output = Result<Vec<Standing<I>>, AwsError>>,
    {
        let mut pause = Duration::from_millis(250);
        loop {
            let found = match look().await {
                Ok(found) => found,
                // Who may not look takes AWS' word.
                Err(error) if error.fault == Fault::Denied && made.is_some() => {
                    return Ok(made.cloned());
                }
                Err(error) => return Err(error),
            };
            if let Some(id) = self.one(&found)? {
                return Ok(Some(id));
            }
            let is_gone =
                found.iter().any(|row| row.is_gone && made.is_some_and(|made| *row.id == **made));
            if is_gone || Instant::now() + pause > deadline {
                return Ok(None);
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(4));
        }
    }

    fn one<I>(self, found: &[Standing<I>]) -> Result<Option<I>, AwsError>
    where
        I: Clone + Deref<Target = str>,
    {
        let stand: Vec<&Standing<I>> = found.iter().filter(|row| !row.is_gone).collect();
        let ids: Vec<&str> = stand.iter().map(|row| &*row.id).collect();
        match stand[..] {
            [] => Ok(None),
            [row] => Ok(Some(row.id.clone())),
            _ => Err(self.failed(format!(
                "there are {} of it: {}; run this again to be told which one is used",
                ids.len(),
                ids.join(", ")
            ))),
        }
    }

    fn failed(self, message: String) -> AwsError {
        AwsError {
            operation: self.operation,
            object: self.resource.name.clone(),
            fault: Fault::Other,
            message,
        }
    }
}
