//! What is the cluster's own and the spec no longer has: shown apart, and deleted only when
//! asked. What is not the cluster's own stays, and so does what running instances use; both say
//! why.

mod groups;
mod others;

use std::collections::BTreeSet;

use super::lifecycle::{Lifecycle, Origin};
use super::{Action, Change, Planner};
use crate::autoscaling::autoscaling_group::LiveGroup;
use crate::autoscaling::load_balancer_attachment::LoadBalancerAttachment;
use crate::catalogue::deletion::Deletion;
use crate::catalogue::kinds::{Resource, Write};
use crate::catalogue::live::Live;
use crate::core::drift::{Drift, FieldChange};
use crate::core::kind::{Kind, ResourceId};
use crate::core::whose::{Marks, Whose};
use crate::ec2::in_use::{Hold, Thing};

pub(super) fn plan(planner: &mut Planner<'_>, cluster: &str, resources: &[Resource]) {
    let wanted: BTreeSet<ResourceId> = resources.iter().map(Resource::id).collect();
    let attachments = resources.iter().filter_map(|resource| match resource {
        Resource::LoadBalancerAttachment(attachment) => Some(attachment),
        _ => None,
    });
    let attachments = attachments.collect();
    let mut pruning = Pruning { planner, wanted: &wanted, attachments, going: BTreeSet::new() };
    groups::plan(&mut pruning, cluster);
    others::plan(&mut pruning, cluster);
}

struct Pruning<'a, 'p> {
    planner: &'a mut Planner<'p>,
    wanted: &'a BTreeSet<ResourceId>,
    attachments: Vec<&'a LoadBalancerAttachment>,
    /// The Auto Scaling groups that go, and their instances with them.
    going: BTreeSet<String>,
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
