//! What an update leaves behind, as its last look shows it.

use super::marks::Leftover;
use super::run::{LaneState, Run};
use super::world::{Place, World};
use crate::kubernetes::node::Node;

/// What is not as it was before the update, as far as the update did it: marks in groups that
/// stopped, marks without a reason, instances that stay out of their group.
pub(super) fn leftovers(run: &Run, world: &World) -> Vec<Leftover> {
    let has_stopped = |group: &str| {
        run.lane(group).is_some_and(|lane| matches!(lane.state, LaneState::Stopped(_)))
    };
    let left = run.marked.values().filter(|one| !one.has_reason || has_stopped(&one.group));
    let mut leftovers: Vec<Leftover> = left
        .map(|one| Leftover {
            group: one.group.clone(),
            what: format!("{} is still {}", one.told, one.state()),
            mend: one.marks.undo(&one.node.name),
        })
        .collect();
    for group in world.groups.iter().filter(|group| has_stopped(&group.name)) {
        for member in group.live().filter(|member| member.place == Place::Detached) {
            let node = member.node.as_ref();
            let is_closed = node.is_some_and(|node| {
                run.marked.get(&node.name).is_some_and(|mark| mark.marks.cordon)
            });
            let serves = node.is_some_and(Node::is_ready) && !is_closed;
            let how = match (serves, group.is_in_kubernetes() && node.is_some()) {
                (true, _) | (_, false) => "stays detached, and serves",
                (false, true) => "stays detached, and does not serve",
            };
            let what = format!("{} {how}; the next run replaces it", member.told());
            leftovers.push(Leftover { group: group.name.clone(), what, mend: Vec::new() });
        }
    }
    leftovers
}
