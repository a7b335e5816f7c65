//! What is the cluster's own and the spec no longer has: shown apart, and deleted only when
//! asked. What is not the cluster's own stays, and so does what running instances use; both say
//! why.

mod balancers;
mod groups;
mod network;
mod security;
mod volumes;

use std::collections::BTreeSet;

use super::lifecycle::{Lifecycle, Origin};
use super::{Action, Change, Planner};
use crate::autoscaling::autoscaling_group::LiveGroup;
use crate::aws::AwsError;
use crate::catalogue::kinds::{Resource, Write};
use crate::catalogue::live::Live;
use crate::core::deletion::Deletion;
use crate::core::drift::{Drift, FieldChange};
use crate::core::in_use::{Hold, Thing};
use crate::core::kind::{Kind, ResourceId};
use crate::core::seen::Looked;
use crate::core::whose::{Marks, Whose};
use crate::desired::Notice;

const NO_LONGER: &str = "not in the spec any more";

pub(super) fn plan(planner: &mut Planner<'_>, cluster: &str, resources: &[Resource]) {
    let wanted: BTreeSet<ResourceId> = resources.iter().map(Resource::id).collect();
    let written = planner.plan.writes().map(|change| change.id.clone()).collect();
    let going = BTreeSet::new();
    let mut pruning = Pruning { planner, resources, wanted: &wanted, written, going };
    groups::plan(&mut pruning, cluster);
    network::plan(&mut pruning);
    balancers::plan(&mut pruning);
    security::plan(&mut pruning, cluster);
    volumes::plan(&mut pruning);
}

struct Pruning<'a, 'p> {
    planner: &'a mut Planner<'p>,
    resources: &'a [Resource],
    wanted: &'a BTreeSet<ResourceId>,
    /// What of the spec's is created or changed.
    written: BTreeSet<ResourceId>,
    /// The Auto Scaling groups that go, and their instances with them.
    going: BTreeSet<String>,
}

/// Why something stays of which not all could be looked at.
fn unknown(what: &str, error: &AwsError) -> String {
    format!("{what} is not known: {error}; allow {}", error.operation)
}

/// Something that nobody wants, and what deletes it.
struct Unwanted {
    id: ResourceId,
    reason: String,
    /// What of other things goes with it.
    fields: Vec<FieldChange>,
    needs: Vec<ResourceId>,
    behind: &'static [Kind],
    deletion: Deletion,
}

impl<'p> Pruning<'_, 'p> {
    fn is_wanted(&self, kind: Kind, name: &str) -> bool {
        self.wanted.contains(&ResourceId::new(kind, name))
    }

    /// Whether what AWS knows by this id is a thing of the spec's.
    fn is_found(&self, kind: Kind, aws_id: &str) -> bool {
        let mut wanted = self.wanted.iter().filter(|id| id.kind == kind);
        wanted.any(|id| self.planner.ids.get(id) == Some(aws_id))
    }

    fn writes(&self, kind: Kind) -> bool {
        self.planner.lifecycles.of(kind, Origin::Managed) == Lifecycle::Sync
    }

    /// What there is of a kind that is written. Where the spec has none of it, nobody else tells
    /// that it could not be looked at.
    fn rows<T>(&mut self, kind: Kind, looked: &'p Looked<T>) -> &'p [T] {
        if !self.writes(kind) {
            return &[];
        }
        let is_told = self.wanted.iter().any(|id| id.kind == kind);
        if let (Looked::Denied(error), false) = (looked, is_told) {
            self.planner.plan.warnings.push(Notice {
                object: kind.to_string(),
                message: format!("what the spec no longer has could not be looked for: {error}"),
                next: format!("allow {} to have it looked for", error.operation),
            });
        }
        looked.rows()
    }

    /// Whether the plan deletes something that nobody wants.
    fn deletes(&self, is_it: impl Fn(&Deletion) -> bool) -> bool {
        let mut writes =
            self.planner.plan.removals.iter().filter_map(|change| match &change.write {
                Some(Write::Delete(deletion)) => Some(deletion),
                _ => None,
            });
        writes.any(is_it)
    }

    fn remove(&mut self, unwanted: Unwanted) {
        let mut drift = unwanted.deletion.drift();
        drift.fields.extend(unwanted.fields);
        self.planner.plan.removals.push(Change {
            id: unwanted.id,
            action: Action::Delete,
            drift,
            reason: unwanted.reason,
            needs: unwanted.needs,
            behind: unwanted.behind,
            write: Some(Write::Delete(unwanted.deletion)),
        });
    }

    /// Tells of what speaks of the cluster and is not its own. Returns whether it is.
    fn is_ours(&mut self, id: &ResourceId, marks: &Marks<'_>) -> bool {
        let whose = self.whose(id.kind, marks);
        if let Some(why) = whose.reason()
            && self.planner.owner.is_marked(marks.known_tags())
        {
            self.stay(id.clone(), why);
        }
        whose.is_owned()
    }

    /// Removes it if it is the cluster's, and nobody uses it.
    fn remove_if(&mut self, unwanted: Unwanted, whose: &Whose, thing: Option<Thing>) {
        if let Some(why) = whose.reason() {
            self.stay(unwanted.id, why);
            return;
        }
        if let Some(hold) = thing.and_then(|thing| self.hold(thing)) {
            let why = hold.reason(&self.command("--prune"));
            self.keep(unwanted.id, &why);
            return;
        }
        self.remove(unwanted);
    }

    /// What holds something, once the groups that go are gone.
    fn hold(&mut self, thing: Thing) -> Option<Hold> {
        let live = self.planner.live;
        let leaving: Vec<_> = live
            .seen
            .rows::<LiveGroup>()
            .iter()
            .filter(|group| self.going.contains(&group.name))
            .collect();
        let hold = live.in_use.hold(&thing, |user| {
            let is_member = leaving
                .iter()
                .any(|group| group.instances.iter().any(|instance| instance.id == user.id));
            let in_going = user.scaling_group.as_ref();
            is_member || in_going.is_some_and(|group| self.going.contains(group))
        });
        if let Some(Hold::NotAsked) = hold {
            self.planner.plan.unasked.insert(thing);
        }
        hold
    }

    fn command(&self, flags: &str) -> String {
        format!("kapstan update cluster {} --yes {flags}", self.planner.plan.cluster)
    }

    /// Why something stays, and what takes it later.
    fn until_then(&self, why: &str) -> String {
        format!("{why}; when that has changed: {}", self.command("--prune"))
    }

    /// The cluster's own, which something keeps for now.
    fn keep(&mut self, id: ResourceId, why: &str) {
        self.planner.plan.kept.insert(id.clone());
        self.stay(id, why);
    }

    fn stay(&mut self, id: ResourceId, why: &str) {
        self.planner.plan.removals.push(Change {
            id,
            action: Action::Stay,
            drift: Drift::default(),
            reason: format!("stays: {why}"),
            needs: Vec::new(),
            behind: &[],
            write: None,
        });
    }

    fn whose(&self, kind: Kind, marks: &Marks<'_>) -> Whose {
        self.planner.owner.whose(kind, marks)
    }

    fn live(&self) -> &'p Live {
        self.planner.live
    }
}

/// A thing that AWS knows by id, called by its name.
fn named(kind: Kind, id: &str, name: Option<&String>) -> ResourceId {
    match name {
        Some(name) => ResourceId::new(kind, format!("{name} ({id})")),
        None => ResourceId::new(kind, id),
    }
}
