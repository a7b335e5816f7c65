//! What is the cluster's own and the spec no longer has: shown apart, and deleted only when
//! asked. What is not the cluster's own stays, and so does what something that stays uses; both
//! say why. And what stands on the spec's own things that nobody asked kapstan for.

use super::{Action, Change, Planner, Prune};
use crate::catalogue::kinds::{self, Resource, Write};
use crate::core::drift::Drift;
use crate::core::kind::{Kind, ResourceId};
use crate::core::sweep::{Ground, Removal, Sweep, Swept};
use crate::desired::{DesiredCluster, Notice};
use crate::resolve::lifecycle::{Lifecycle, Origin};
use crate::resolve::wishes;

pub(super) fn plan(planner: &mut Planner<'_>, desired: &DesiredCluster, resources: &[Resource]) {
    let is = |lifecycle: fn(Lifecycle) -> bool| {
        let of = |kind: &&Kind| lifecycle(planner.lifecycles.of(**kind, Origin::Managed));
        kinds::ALL.iter().filter(of).copied().collect()
    };
    let wishes = wishes::of(desired, resources, planner.lifecycles);
    let mut sweep = Sweep::new(Ground {
        view: planner.view(),
        in_use: &planner.live.in_use,
        wishes: &wishes,
        wanted: resources.iter().map(Resource::id).collect(),
        written: planner.plan.writes().map(|change| change.id.clone()).collect(),
        looked: is(|lifecycle| lifecycle != Lifecycle::Ignore),
        swept: is(|lifecycle| lifecycle == Lifecycle::Sync),
        with_data: planner.prune == Prune::Everything,
    });
    kinds::unclaimed(&mut sweep);
    let swept = sweep.outcome();
    tell(planner, swept);
}

fn tell(planner: &mut Planner<'_>, swept: Swept) {
    let Swept { going, staying, kept, too_much, left, unasked, unseen } = swept;
    for removal in too_much {
        let lifecycle = planner.lifecycles.of(removal.id.kind, Origin::Managed);
        if lifecycle.writes() {
            planner.plan.changes.push(deletion(removal, &[]));
        } else {
            let reason = format!("{}; left as it is ({lifecycle})", removal.reason);
            let drift = Drift { fields: removal.fields, ..Drift::default() };
            planner.leave(removal.id, lifecycle, drift, "is one too many", reason);
        }
    }
    let left = left.into_iter();
    planner.plan.changes.extend(
        left.map(|id| {
            Change::left(id, Drift::default(), "not kapstan's, left as it is".to_owned())
        }),
    );
    let going = going.into_iter().map(|removal| {
        let behind = kinds::swept_behind(removal.id.kind);
        deletion(removal, behind)
    });
    let removals = going.chain(staying.into_iter().map(stay));
    planner.plan.removals.extend(removals);
    planner.plan.removals.sort_by(|left, right| left.id.cmp(&right.id));
    planner.plan.kept = kept;
    planner.plan.unasked.extend(unasked);
    planner.plan.warnings.extend(unseen.into_iter().map(|(kind, error)| Notice {
        object: kind.to_string(),
        message: format!("what the spec no longer has could not be looked for: {error}"),
        next: format!("allow {} to have it looked for", error.operation),
    }));
}

fn deletion(removal: Removal, behind: &'static [Kind]) -> Change {
    let Removal { id, fields, reason, deletion } = removal;
    let mut drift = deletion.drift();
    drift.fields.extend(fields);
    let write = Some(Write::Delete(deletion));
    Change { id, action: Action::Delete, drift, reason, needs: Vec::new(), behind, write }
}

fn stay((id, why): (ResourceId, String)) -> Change {
    Change {
        id,
        action: Action::Stay,
        drift: Drift::default(),
        reason: format!("stays: {why}"),
        needs: Vec::new(),
        behind: &[],
        write: None,
    }
}
