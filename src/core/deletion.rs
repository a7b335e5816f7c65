//! Deletions: one call, or the few that AWS wants before it lets go of something.

use std::any::Any;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;

use super::drift::{Drift, FieldChange};
use super::holders::Holders;
use super::in_use::Thing;
use super::kind::ResourceId;
use super::wait::{Attempt, Budget, Held};
use super::work::Work;
use crate::aws::{Aws, AwsError, Fault};

/// How long what hangs on something may take to go: instances and gateways take minutes.
const GONE: Budget = Budget {
    within: Duration::from_secs(900),
    pause: Duration::from_millis(500),
    longest_pause: Duration::from_secs(10),
    looks: 3,
};

/// What deletes something, by all that a deletion needs to know of it.
pub(crate) trait Delete: Clone + fmt::Debug + PartialEq + Send + Sync + 'static {
    /// Sends what AWS wants before it lets go, and the deletion.
    fn attempt(&self, aws: &Aws) -> impl Future<Output = Result<(), AwsError>> + Send;

    /// Notes what holds it, once AWS has said that something does.
    fn holders(
        &self,
        work: &Work<'_>,
        holders: &mut Holders,
    ) -> impl Future<Output = Result<(), AwsError>> + Send;

    /// What still stands of it, where AWS takes its time after the call.
    fn standing(&self, _: &Aws) -> impl Future<Output = Result<Attempt<()>, AwsError>> + Send {
        std::future::ready(Ok(Attempt::Done(())))
    }

    /// What goes that is no part of the object itself.
    fn drift(&self) -> Drift {
        Drift::default()
    }

    /// What goes out of things that stay.
    fn out_of(&self, _: &BTreeSet<Thing>) -> Vec<FieldChange> {
        Vec::new()
    }
}

/// Something to delete, of whatever kind.
#[derive(Clone)]
pub(crate) struct Deletion(Arc<dyn AnyDelete>);

impl<D: Delete> From<D> for Deletion {
    fn from(deletion: D) -> Self {
        Self(Arc::new(deletion))
    }
}

impl Deletion {
    /// What goes that is no part of the object itself.
    pub(crate) fn drift(&self) -> Drift {
        self.0.told(&BTreeSet::new())
    }

    /// The same, with what goes out of things that stay.
    pub(crate) fn drift_beside(&self, staying: &BTreeSet<Thing>) -> Drift {
        self.0.told(staying)
    }

    pub(crate) async fn send(&self, work: &Work<'_>, id: &ResourceId) -> Result<(), AwsError> {
        self.0.send(work, id).await
    }
}

impl fmt::Debug for Deletion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl PartialEq for Deletion {
    fn eq(&self, other: &Self) -> bool {
        self.0.equals(other.0.any())
    }
}

/// A deletion without its type, so that no list has to name all that can be deleted.
trait AnyDelete: fmt::Debug + Send + Sync {
    fn any(&self) -> &dyn Any;
    fn equals(&self, other: &dyn Any) -> bool;
    fn told(&self, staying: &BTreeSet<Thing>) -> Drift;
    fn send<'a>(
        &'a self,
        work: &'a Work<'_>,
        id: &'a ResourceId,
    ) -> BoxFuture<'a, Result<(), AwsError>>;
}

impl<D: Delete> AnyDelete for D {
    fn any(&self) -> &dyn Any {
        self
    }

    fn equals(&self, other: &dyn Any) -> bool {
        other.downcast_ref() == Some(self)
    }

    fn told(&self, staying: &BTreeSet<Thing>) -> Drift {
        let mut drift = self.drift();
        drift.fields.extend(self.out_of(staying));
        drift
    }

    fn send<'a>(
        &'a self,
        work: &'a Work<'_>,
        id: &'a ResourceId,
    ) -> BoxFuture<'a, Result<(), AwsError>> {
        Box::pin(send(self, work, id))
    }
}

/// Deletes something, and waits until it is gone. What is gone already is no failure; what passes
/// by itself is waited for; what stays ends it, by name.
async fn send(deletion: &impl Delete, work: &Work<'_>, id: &ResourceId) -> Result<(), AwsError> {
    work.waits.until(id, GONE, || once(deletion, work)).await?;
    work.waits.until(id, GONE, || deletion.standing(work.aws)).await
}

async fn once(deletion: &impl Delete, work: &Work<'_>) -> Result<Attempt<()>, AwsError> {
    match gone_or(deletion.attempt(work.aws).await) {
        Ok(()) => Ok(Attempt::Done(())),
        Err(error) if error.fault == Fault::Busy => {
            let holder = "what AWS is doing with it".to_owned();
            Ok(Attempt::NotYet(Held { holder, error }))
        }
        Err(error) if error.fault == Fault::InUse => {
            let mut holders = Holders::default();
            let looked = deletion.holders(work, &mut holders).await;
            holders.look(looked);
            Ok(holders.attempt(error))
        }
        Err(error) => Err(error),
    }
}

/// A result in which it is no failure that something is gone.
pub(crate) fn gone_or(answer: Result<(), AwsError>) -> Result<(), AwsError> {
    answer.or_else(|error| if error.fault == Fault::Missing { Ok(()) } else { Err(error) })
}

/// What is on its way out, if anything still stands.
pub(crate) fn going(operation: &'static str, object: &str, stand: &[String]) -> Attempt<()> {
    if stand.is_empty() {
        return Attempt::Done(());
    }
    let (object, message) = (object.to_owned(), "AWS takes its time to delete it".to_owned());
    let error = AwsError { operation, object, fault: Fault::Busy, message };
    Attempt::NotYet(Held { holder: stand.join(", "), error })
}
