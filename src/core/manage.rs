//! What all kinds share that are compared field by field.
//!
//! A kind tells its fields as values, once as wanted and once as found; a difference is a
//! field whose values mean something else. References are told by the name of what they refer
//! to, so that they compare, and read, before it exists.

use std::fmt::Debug;

use crate::aws::AwsError;
#[cfg(test)]
use crate::aws::tags::CLUSTER_TAG;
use crate::aws::tags::Tags;
use crate::core::drift::Drift;
use crate::core::fields::{Changes as _, Fields, Stuck};
use crate::core::given::Given;
use crate::core::id::{Address, Id, Ids, Known, Ref};
use crate::core::kind::{Kind, ResourceId};
#[cfg(test)]
use crate::core::seen::Looked;
use crate::core::seen::{Seen, Sight};
use crate::core::whose::{Marks, Owner, Whose};
use crate::core::work::Work;

/// What was found, and under which ids.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View<'a> {
    pub(crate) seen: &'a Seen,
    pub(crate) ids: &'a Ids,
    pub(crate) owner: &'a Owner,
    /// The number of the account.
    pub(crate) account: &'a str,
    /// The id of the cluster's hosted zone.
    pub(crate) zone: Option<&'a str>,
}

impl<'a> View<'a> {
    /// How a live id is told: by the name of what it belongs to, where that is known.
    pub(crate) fn name(self, id: &'a str) -> &'a str {
        self.ids.name(id)
    }

    pub(crate) fn is<K>(self, wanted: &Ref<K>, id: &Id<K>) -> bool {
        self.ids.get(wanted) == Some(id.as_str())
    }

    /// AWS' id of a resource; its name, where it has none.
    #[cfg(test)]
    pub(crate) fn id_of<K>(self, wanted: &Ref<K>) -> Id<K> {
        self.ids.of(wanted).unwrap_or_else(|| Id::imagined(&wanted.name))
    }

    pub(crate) fn owns(self, kind: Kind, marks: &Marks<'_>) -> bool {
        self.owner.whose(kind, marks).is_owned()
    }
}

/// How a resource stands to what is wanted.
#[derive(Debug)]
pub(crate) enum State<Write> {
    Equal,
    /// With what would mend it, if anything may.
    Differs(Drift, Option<Write>),
    /// With what mends the rest, if there is a rest.
    Partly(Option<(Drift, Write)>, Vec<Stuck>),
    Missing(Drift, Write),
    Denied(AwsError),
    /// What stands in the way: what is wrong, and what to do.
    Impossible(Drift, String, String),
    /// Neither wanted nor there, or not looked at.
    NoMatter,
}

/// Whose a resource is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Ownership {
    Ours,
    /// It exists before us and after us; only what its fields tell is changed.
    Shared,
    /// The user brings it along, and may let kapstan write it.
    Brought,
}

/// A decided change of a resource that exists.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Update<M: Manage> {
    pub(crate) resource: M,
    pub(crate) id: Id<M>,
    pub(crate) changed: ChangedOf<M>,
}

impl<M: Manage> Update<M> {
    /// Whether it takes away all that there is.
    pub(crate) fn removes(&self) -> bool {
        self.resource.removes(&self.changed)
    }

    pub(crate) async fn send(&self, work: &Work<'_>) -> Result<(), AwsError> {
        self.resource.update(work, &self.id, &self.changed).await
    }
}

/// The found side of a kind's fields.
pub(crate) type FoundOf<M> = <<M as Manage>::Fields as Fields>::Found;

/// The fields of a kind that differ.
pub(crate) type ChangedOf<M> = <<M as Manage>::Fields as Fields>::Changed;

/// One of several that stand where there should be one: what tells which is used.
#[derive(Clone, Debug, Default)]
pub(crate) struct Twin {
    /// What uses it.
    pub(crate) used_by: Option<String>,
    /// What else is to be said of it.
    pub(crate) about: Vec<String>,
    /// Seconds since 1970.
    pub(crate) made: Option<i64>,
    pub(crate) tags: Tags,
}

/// A kind of resource that is compared field by field.
pub(crate) trait Manage: Clone + Debug + PartialEq {
    type Live: Clone + Debug + Send + Sync + 'static;
    type Fields: Fields;

    fn id(&self) -> ResourceId;

    /// What must exist before this can.
    fn needs(&self) -> Vec<ResourceId>;

    /// The kinds of which all must be done before this, though it does not name them.
    fn behind(&self) -> &'static [Kind] {
        &[]
    }

    /// What it is found among.
    fn sight<'a>(&self, seen: &'a Seen) -> Sight<'a, Self::Live> {
        seen.of::<Self::Live>().into()
    }

    /// Whether there must be one. What must not be there goes, if there is one.
    fn is_wanted(&self, _: View<'_>) -> bool {
        true
    }

    /// Whether what was found is this resource, or has its name or its place.
    fn is(&self, found: &Self::Live, view: View<'_>) -> bool;

    /// Whether something of the cluster's may be this resource by anything but its name, which
    /// somebody may have changed. It is asked where nothing is.
    fn may_be(&self, _: &Self::Live, _: View<'_>) -> bool {
        false
    }

    /// By what it can be told whose it is: the marks of each thing of AWS' in it.
    fn marks<'a>(&self, found: &'a Self::Live, view: View<'a>) -> Vec<Marks<'a>>;

    /// How somebody else's thing that has the place of this one becomes the cluster's; `None`
    /// where there is room for both.
    fn adopt(&self, _: &Self::Live, _: &Owner) -> Option<String> {
        None
    }

    /// By what AWS knows what was found; of what has no id of its own, as part of something.
    fn aws_id(found: &Self::Live) -> Id<Self>;

    /// Under which DNS name it is reached.
    fn address(_: &Self::Live) -> Option<Address> {
        None
    }

    fn wanted(&self, view: View<'_>) -> Self::Fields;

    /// What is wanted where this was found: what must go is a field too, wanted absent.
    fn wanted_over(&self, _: &Self::Live, view: View<'_>) -> Self::Fields {
        self.wanted(view)
    }

    fn found(&self, found: &Self::Live, view: View<'_>) -> FoundOf<Self>;

    fn ownership(&self) -> Ownership {
        Ownership::Ours
    }

    /// Takes out what no write mends, and tells why.
    fn judge(&self, _: &mut ChangedOf<Self>, _: &Self::Live) -> Vec<Stuck> {
        Vec::new()
    }

    /// The same, with what a creation needs to know that only a look tells.
    fn resolved(&self, _: View<'_>) -> Self {
        self.clone()
    }

    /// How reports tell what differs.
    fn told(&self, changed: &ChangedOf<Self>) -> Drift {
        changed.drift()
    }

    /// What is told of it where there is none yet.
    fn creation(&self, view: View<'_>) -> Drift {
        self.told(&self.wanted(view).difference(&Self::Fields::nothing()))
    }

    /// The same, with what an update needs to know of what it changes.
    fn facing(&self, _: &Self::Live, _: View<'_>) -> Self {
        self.clone()
    }

    /// Which of several is used, where that can be told.
    fn twin(_: &Self::Live, _: View<'_>) -> Option<Twin> {
        None
    }

    /// The refusal of a further look that tells how it stands, whose it is, or whether it can be
    /// made; `found` is what has its place, if anything has.
    fn unseen(&self, _: Option<&Self::Live>, _: View<'_>) -> Option<AwsError> {
        None
    }

    /// What else stands in the way, though nothing of the name was found.
    fn obstacle(&self, _: View<'_>) -> Option<(String, String)> {
        None
    }

    /// Whether such a change takes away all that there is.
    fn removes(&self, _: &ChangedOf<Self>) -> bool {
        false
    }

    /// What AWS is particular about.
    fn given(&self) -> Given<'_>;

    /// Creates it. Tells its id, where others refer to it by one.
    fn create(
        &self,
        work: &Work<'_>,
    ) -> impl Future<Output = Result<Option<Id<Self>>, AwsError>> + Send;

    fn update(
        &self,
        work: &Work<'_>,
        id: &Id<Self>,
        changed: &ChangedOf<Self>,
    ) -> impl Future<Output = Result<(), AwsError>> + Send;

    /// What AWS would tell of it, were it exactly as wanted; `id` is one that AWS may have chosen.
    #[cfg(test)]
    fn imagined(&self, id: &Id<Self>, view: View<'_>) -> Self::Live;

    /// The same with one field otherwise, for each field, by the name under which it is told.
    #[cfg(test)]
    fn disturbed(&self, live: &Self::Live) -> Vec<(&'static str, Self::Live)>;

    /// What is left of a row that tells of more than this, where this is missing.
    #[cfg(test)]
    fn without(&self, _: &Self::Live) -> Option<Self::Live> {
        None
    }

    /// Puts what a look came to where `sight` finds it.
    #[cfg(test)]
    fn put(&self, looked: Looked<Self::Live>, seen: &mut Seen) {
        seen.put(looked);
    }

    /// Without a tag that is wanted, yet not the one that alone tells whose it is.
    #[cfg(test)]
    fn lacking_one(tags: &Tags) -> Tags {
        let key = tags.keys().find(|key| *key == CLUSTER_TAG).or(tags.keys().next());
        let lost = key.cloned();
        tags.clone().into_iter().filter(|(key, _)| Some(key) != lost.as_ref()).collect()
    }
}

/// What to do, for most kinds, where fields are otherwise that AWS lets nobody change.
pub(crate) fn instead<M: Manage>(resource: &M) -> String {
    match resource.ownership() {
        Ownership::Ours | Ownership::Brought => {
            format!("set the spec back, or delete the {} first", resource.id().kind)
        }
        Ownership::Shared => "correct the spec after what AWS has".to_owned(),
    }
}

/// What was found of a resource.
#[derive(Debug)]
enum Find<'a, T> {
    /// More than one is too many.
    These(Vec<&'a T>),
    /// What has its place is not the cluster's.
    Taken(&'a T, Whose),
    Nothing,
}

fn look_for<'a, M: Manage>(resource: &M, view: View<'a>) -> Find<'a, M::Live> {
    let Sight::Rows(rows) = resource.sight(view.seen) else { return Find::Nothing };
    let matches = rows.iter().copied().filter(|found| resource.is(found, view));
    let judged = matches.map(|found| (found, whose(resource, found, view)));
    let (ours, others): (Vec<_>, Vec<_>) =
        judged.partition(|(found, whose)| may_use(resource, found, whose, view));
    if !ours.is_empty() {
        return Find::These(ours.into_iter().map(|(found, _)| found).collect());
    }
    let may_be =
        |found: &&M::Live| resource.may_be(found, view) && whose(resource, found, view).is_owned();
    let may_be: Vec<_> = rows.iter().copied().filter(may_be).collect();
    if !may_be.is_empty() {
        return Find::These(may_be);
    }
    let mut taken = others.into_iter();
    match taken.find(|(found, _)| resource.adopt(found, view.owner).is_some()) {
        Some((found, whose)) => Find::Taken(found, whose),
        None => Find::Nothing,
    }
}

/// Whose something is: not ours, if any thing in it is not.
pub(crate) fn whose<M: Manage>(resource: &M, found: &M::Live, view: View<'_>) -> Whose {
    let kind = resource.id().kind;
    let marks = resource.marks(found, view);
    let verdicts = marks.iter().map(|marks| view.owner.whose(kind, marks));
    verdicts.reduce(|all, next| if all.is_owned() { next } else { all }).unwrap_or(Whose::Owned)
}

/// What the spec names is there to be used, whosever it is.
fn may_use<M: Manage>(resource: &M, found: &M::Live, whose: &Whose, view: View<'_>) -> bool {
    let kind = resource.id().kind;
    let is_named = || resource.marks(found, view).iter().any(|one| view.owner.names(kind, one));
    whose.is_owned() || resource.ownership() != Ownership::Ours || is_named()
}

/// By what AWS knows a resource.
pub(crate) fn known<M: Manage>(resource: &M, id: Id<M>) -> Known {
    Known::new(resource.id(), id)
}

pub(crate) fn find<M: Manage>(resource: &M, view: View<'_>) -> Option<Known> {
    match look_for(resource, view) {
        Find::These(found) => {
            found.first().map(|row| known(resource, M::aws_id(row)).at(M::address(row)))
        }
        Find::Taken(..) | Find::Nothing => None,
    }
}

/// Why what was not found may be there for all that.
pub(crate) fn denied<M: Manage>(resource: &M, view: View<'_>) -> Option<AwsError> {
    match (resource.sight(view.seen), look_for(resource, view)) {
        (Sight::Denied(error), _) => Some(error.clone()),
        (Sight::Rows(_), Find::Taken(found, _)) => resource.unseen(Some(found), view),
        _ => None,
    }
}

pub(crate) fn state<M: Manage, Write>(
    resource: &M,
    view: View<'_>,
    create: impl Fn(M) -> Write,
    change: impl Fn(Update<M>) -> Write,
) -> State<Write> {
    match resource.sight(view.seen) {
        Sight::Not => return State::NoMatter,
        Sight::Denied(error) => return State::Denied(error.clone()),
        Sight::Rows(_) => {}
    }
    let creation = || resource.creation(view);
    let matches = match look_for(resource, view) {
        Find::These(matches) => matches,
        Find::Nothing => Vec::new(),
        Find::Taken(found, whose) => {
            if let Some(error) = resource.unseen(Some(found), view) {
                return State::Denied(error);
            }
            let why = whose.reason().unwrap_or_default();
            let marks = resource.marks(found, view);
            let ids: Vec<&str> = marks.iter().map(Marks::id).collect();
            let message = format!("there is one already ({}), {why}", ids.join(", "));
            let others = marks.iter().find_map(|marks| view.owner.other(marks));
            let next = match others {
                // To make it the cluster's too would make it everybody's to delete.
                Some(other) => format!("it is the cluster {other}'s: rename one of the two"),
                None => resource.adopt(found, view.owner).unwrap_or_default(),
            };
            return State::Impossible(creation(), message, next);
        }
    };
    if matches.len() < 2
        && let Some(error) = resource.unseen(matches.first().copied(), view)
    {
        return State::Denied(error);
    }
    match matches[..] {
        [] if !resource.is_wanted(view) => State::NoMatter,
        [] => {
            let drift = creation();
            match (resource.obstacle(view), resource.ownership()) {
                (Some((what, next)), _) => State::Impossible(drift, what, next),
                (None, Ownership::Shared) => State::Impossible(
                    drift,
                    "does not exist in this account and region".to_owned(),
                    "correct its id in the spec, or use the credentials of its account".to_owned(),
                ),
                (None, Ownership::Ours | Ownership::Brought) => {
                    State::Missing(drift, create(resource.resolved(view)))
                }
            }
        }
        [found] => {
            let wanted = resource.wanted_over(found, view);
            let mut changed = wanted.difference(&resource.found(found, view));
            if changed.is_none() {
                return State::Equal;
            }
            let stuck = resource.judge(&mut changed, found);
            if changed.is_none() {
                return State::Partly(None, stuck);
            }
            let drift = resource.told(&changed);
            let id = M::aws_id(found);
            let write = change(Update { resource: resource.facing(found, view), id, changed });
            match stuck.is_empty() {
                true => State::Differs(drift, Some(write)),
                false => State::Partly(Some((drift, write)), stuck),
            }
        }
        ref several => {
            let ids = several.iter().map(|found| M::aws_id(found).into());
            let twins = several.iter().map(|found| M::twin(found, view));
            let stands_elsewhere = |id: &str| {
                let found = several.iter().find(|found| *M::aws_id(found) == *id);
                let twin = found.and_then(|found| M::twin(found, view));
                let name = twin.and_then(|twin| twin.tags.get("Name").cloned());
                let other = name.map(|name| ResourceId::new(resource.id().kind, name));
                let other = other.filter(|other| *other != resource.id());
                other.is_some_and(|other| view.ids.get(&other) == Some(id))
            };
            let (message, next) = several_of(ids.zip(twins).collect(), stands_elsewhere);
            State::Impossible(Drift::default(), message, next)
        }
    }
}

/// What is said of several that stand where there should be one, and what to do.
fn several_of(
    twins: Vec<(String, Option<Twin>)>,
    stands_elsewhere: impl Fn(&str) -> bool,
) -> (String, String) {
    let shared: Tags = match twins.first() {
        Some((_, Some(first))) => {
            let is_shared = |(key, value): &(&String, &String)| {
                twins.iter().all(|(_, twin)| {
                    twin.as_ref().is_some_and(|twin| twin.tags.get(*key) == Some(*value))
                })
            };
            let tags = first.tags.iter().filter(is_shared);
            tags.map(|(key, value)| (key.clone(), value.clone())).collect()
        }
        _ => Tags::new(),
    };
    let told = twins.iter().map(|(id, twin)| {
        let Some(twin) = twin else { return id.clone() };
        let used = match &twin.used_by {
            Some(user) => format!("used by {user}"),
            None => "not used".to_owned(),
        };
        let own = twin.tags.iter().filter(|(key, _)| !shared.contains_key(*key));
        let tags = own.map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>();
        let tags = (!tags.is_empty()).then(|| format!("tagged {}", tags.join(" ")));
        let parts: Vec<String> =
            std::iter::once(used).chain(twin.about.iter().cloned()).chain(tags).collect();
        format!("{id} ({})", parts.join(", "))
    });
    let told = told.collect::<Vec<_>>().join("; ");
    (format!("there are {} of it: {told}", twins.len()), which_goes(&twins, stands_elsewhere))
}

fn which_goes(twins: &[(String, Option<Twin>)], stands_elsewhere: impl Fn(&str) -> bool) -> String {
    let known: Vec<(&String, &Twin)> =
        twins.iter().filter_map(|(id, twin)| Some((id, twin.as_ref()?))).collect();
    let others = |kept: &String| {
        let others = known.iter().map(|(id, _)| id.as_str()).filter(|id| id != kept);
        others.collect::<Vec<_>>().join(" and ")
    };
    // Of several, all but one may stand for something else that the spec wants.
    let mut own = known.iter().filter(|(id, _)| !stands_elsewhere(id));
    if let (Some((kept, _)), None, true) = (own.next(), own.next(), known.len() == twins.len()) {
        return format!(
            "{} belongs elsewhere: take the tags off it that tell of this, and keep {kept}",
            others(kept)
        );
    }
    let used: Vec<&String> =
        known.iter().filter(|(_, twin)| twin.used_by.is_some()).map(|(id, _)| *id).collect();
    match used[..] {
        _ if known.len() < twins.len() => {
            "delete all but one, or take the cluster's tags off them".to_owned()
        }
        [kept] => format!("keep {kept}, which is used, and delete {}", others(kept)),
        [] => match known.iter().min_by_key(|(_, twin)| twin.made.unwrap_or(i64::MAX)) {
            Some((kept, Twin { made: Some(_), .. })) => format!(
                "look at what they hold: {kept} is the oldest, and most likely the one that was \
                 in use; then delete {}",
                others(kept)
            ),
            _ => "none is used: delete all but one".to_owned(),
        },
        _ => "more than one is used: take the cluster's tags off those that are not its own"
            .to_owned(),
    }
}
