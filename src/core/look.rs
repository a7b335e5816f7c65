//! Looks at AWS: each tells by itself what it asks, and behind which others.
//!
//! A look begins as soon as those are back whose answers it needs, so that what hangs on a VPC
//! waits for VPCs and for nothing else.

use std::any::TypeId;
use std::collections::{BTreeMap, BTreeSet};

use futures::StreamExt as _;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;

use crate::aws::{Aws, AwsError, Fault};
use crate::core::kind::Kind;
use crate::core::names::OwnNames;
use crate::core::seen::Seen;
use crate::core::whose::Owner;
use crate::core::wishes::Wishes;

/// How far looks go.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Reach {
    /// What the spec wants, and what it has left where that may be deleted.
    Wanted,
    /// All that speaks of the cluster or bears its names.
    Everything,
}

/// For whom to look, and for what.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) owner: Owner,
    pub(crate) reach: Reach,
    pub(crate) names: OwnNames,
    /// The kinds that are looked at, or that something refers to which is.
    pub(crate) kinds: BTreeSet<Kind>,
    /// What is wanted of these kinds.
    pub(crate) wishes: Wishes,
}

impl Asked {
    pub(crate) fn cluster(&self) -> &str {
        self.owner.cluster()
    }

    pub(crate) fn everything(&self) -> bool {
        self.reach == Reach::Everything
    }

    /// Whether any of these kinds is looked at.
    pub(crate) fn looks_at(&self, kinds: &[Kind]) -> bool {
        kinds.iter().any(|kind| self.kinds.contains(kind))
    }

    /// What of a type is wanted.
    pub(crate) fn wanted<T: Send + Sync + 'static>(&self) -> &[T] {
        self.wishes.of()
    }
}

/// One look: what it asks, and the asking.
pub(crate) trait Look: Sized + Send + 'static {
    /// The looks whose answers `ask` reads.
    const AFTER: &'static [Looking];

    /// What to ask AWS; `None` asks nothing.
    fn ask(asked: &Asked, seen: &Seen) -> Option<Self>;

    /// Asks. A refusal is an answer.
    ///
    /// # Errors
    /// Any other failure.
    fn read(self, aws: &Aws) -> impl Future<Output = Result<Seen, AwsError>> + Send;
}

/// A look without its type.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Looking {
    id: fn() -> TypeId,
    name: fn() -> &'static str,
    after: fn() -> &'static [Looking],
    begin: for<'a> fn(&Asked, &Seen, &'a Aws) -> Option<Reading<'a>>,
}

type Reading<'a> = BoxFuture<'a, Result<Seen, AwsError>>;

impl Looking {
    pub(crate) const fn of<L: Look>() -> Self {
        Self {
            id: TypeId::of::<L>,
            name: std::any::type_name::<L>,
            after: || L::AFTER,
            begin: |asked, seen, aws| {
                let look = L::ask(asked, seen)?;
                Some(Box::pin(look.read(aws)))
            },
        }
    }
}

/// Looks at all that these looks ask for, and at what they come after.
///
/// # Errors
/// A look failed otherwise than by a refusal.
pub(crate) async fn observe(
    aws: &Aws,
    asked: &Asked,
    looks: impl IntoIterator<Item = Looking>,
) -> Result<Seen, AwsError> {
    let mut waiting = all(looks);
    let (mut seen, mut done) = (Seen::default(), BTreeSet::new());
    let mut running = FuturesUnordered::new();
    loop {
        let before = done.len();
        waiting.retain(|id, look| {
            if (look.after)().iter().any(|other| !done.contains(&(other.id)())) {
                return true;
            }
            match (look.begin)(asked, &seen, aws) {
                Some(reading) => {
                    let id = *id;
                    running.push(async move { (id, reading.await) });
                }
                None => {
                    done.insert(*id);
                }
            }
            false
        });
        if done.len() > before {
            continue;
        }
        let Some((id, read)) = running.next().await else { break };
        seen.join(read?);
        done.insert(id);
    }
    match waiting.values().next() {
        None => Ok(seen),
        Some(look) => Err(AwsError {
            operation: "kapstan",
            object: (look.name)().to_owned(),
            fault: Fault::Other,
            message: "it waits for a look that waits for it".to_owned(),
        }),
    }
}

/// Each once, with those that they come after.
fn all(looks: impl IntoIterator<Item = Looking>) -> BTreeMap<TypeId, Looking> {
    let mut all = BTreeMap::new();
    let mut new: Vec<Looking> = looks.into_iter().collect();
    while let Some(look) = new.pop() {
        if all.insert((look.id)(), look).is_none() {
            new.extend((look.after)());
        }
    }
    all
}

#[cfg(test)]
impl Looking {
    pub(crate) fn name(self) -> &'static str {
        (self.name)()
    }

    /// How many looks follow on each other up to this, itself included.
    pub(crate) fn depth(self) -> usize {
        1 + (self.after)().iter().map(|other| other.depth()).max().unwrap_or(0)
    }
}
