//! The update of one group, a step a look.

use std::collections::BTreeSet;

use super::clock::span;
use super::decision::{Action, Deed};
use super::emptying::DEAD;
use super::hand::Stage;
use super::hands::move_hands;
use super::launches;
use super::room::take_in_hand;
use super::run::{LaneState, Run};
use super::turn::Turn;
use super::world::{Group, Sight, World};
use crate::kubernetes::drain;

/// How often in a row AWS may refuse before a group stops.
const FAILURES: u32 = 3;

/// Begins a group: what cannot work is found before anything is touched, and its old nodes are
/// marked, so that pods which leave one do not go to the next.
pub(super) fn open(turn: &mut Turn<'_>, at: usize, group: &Group) {
    if let Err(reason) = can_work(turn, at, group) {
        return stop(turn, at, &reason);
    }
    let (run, lane) = (&turn.run, &turn.run.lanes[at]);
    let old = group.live().filter(|member| run.must_go(lane, member));
    for member in old {
        let Some(node) = member.node.as_ref() else { continue };
        if !node.is_tainted() && !node.is_cordoned {
            let deed = Deed::Taint { node: node.reference() };
            let undone = Some(format!("{} is not tainted", member.told()));
            turn.decision.actions.push(Action { undone, ..Action::to(group, member, deed) });
        }
    }
}

/// Finds what would stop the group once it is under way.
fn can_work(turn: &mut Turn<'_>, at: usize, group: &Group) -> Result<(), String> {
    for process in ["Launch", "Terminate"] {
        if group.suspended.iter().any(|suspended| suspended == process) {
            return Err(format!(
                "its Auto Scaling group suspends {process}, so that nothing would be replaced; \
                 resume it: aws autoscaling resume-processes --auto-scaling-group-name {} \
                 --scaling-processes {process}",
                group.fleet_name
            ));
        }
    }
    for text in in_two_budgets(turn.run, at, turn.world, group) {
        if turn.run.options.fail_on_drain_error {
            return Err(text);
        }
        turn.decision.warn(&group.name, text);
    }
    Ok(())
}

/// Pods of nodes that must go which have two budgets: the API never evicts such a one
/// (Kubernetes, `EvictionREST.Create`).
fn in_two_budgets(run: &Run, at: usize, world: &World, group: &Group) -> Vec<String> {
    let Some(look) = world.kubernetes.look() else { return Vec::new() };
    let is_dead = |id: &String| run.down_since.get(id).is_some_and(|at| world.now - at >= DEAD);
    let old =
        group.live().filter(|member| run.must_go(&run.lanes[at], member) && !is_dead(&member.id));
    let mut texts = Vec::new();
    for member in old {
        let Some(node) = member.node.as_ref().filter(|node| node.is_ready()) else { continue };
        for pod in drain::leaving(look, node) {
            let budgets: Vec<String> =
                look.budgets_of(pod).map(|one| format!("{}/{}", one.namespace, one.name)).collect();
            if budgets.len() > 1 && pod.gone_by.is_none() && !pod.has_ended() {
                texts.push(format!(
                    "pod {} on {} has more than one disruption budget ({}), and the API evicts no \
                     such pod; let one budget alone choose it",
                    pod.full_name(),
                    member.told(),
                    budgets.join(", ")
                ));
            }
        }
    }
    texts
}

/// Ends a group before it is done: what was decided for it is dropped, and its nodes are let
/// go, but for those whose instances are told to end.
pub(super) fn stop(turn: &mut Turn<'_>, at: usize, reason: &str) {
    let name = turn.run.lanes[at].group.clone();
    for action in turn.decision.drop_all_of(&name) {
        turn.run.undo(&action);
    }
    turn.decision.warn(&name, format!("stops: {reason}"));
    let lane = &mut turn.run.lanes[at];
    lane.state = LaneState::Stopped(reason.to_owned());
    lane.ended = turn.world.now;
    let hands: Vec<String> = turn.run.hands_of(&name).map(|(id, _)| id.clone()).collect();
    let hands = hands.iter().filter_map(|id| turn.run.hands.remove(id));
    let final_ones = hands.filter(|hand| hand.stage.is_final());
    let going: BTreeSet<String> =
        final_ones.filter_map(|hand| hand.node.map(|node| node.name)).collect();
    // Where the API lets nobody in, asking it is of no use; what stays is told in the end.
    let is_shut = matches!(&turn.world.kubernetes, Sight::Lost(error) if !error.fault.passes());
    let left = turn.run.marked.values().filter(|one| one.group == name && !is_shut);
    let left = left.filter(|one| !going.contains(&one.node.name));
    let releases = left.map(|one| Action::release(&name, one.node.clone(), &one.told, ""));
    turn.decision.actions.extend(releases);
}

/// One step: what is in hand moves on, and as much more is taken in hand as is safe.
pub(super) fn step(turn: &mut Turn<'_>, at: usize, group: &Group) {
    if turn.run.lanes[at].failures.0 >= FAILURES {
        let reason = turn.run.lanes[at].failures.1.clone();
        return stop(turn, at, &reason);
    }
    if let Err(reason) = move_hands(turn, at, group) {
        return stop(turn, at, &reason);
    }
    if let Some(reason) = launches::failure(turn.run, &turn.run.lanes[at], turn.world, group) {
        return stop(turn, at, &reason);
    }
    launches::note_newcomers(turn.run, at, group);
    let now = turn.world.now;
    let before = turn.decision.actions.len();
    let mut waits = take_in_hand(turn, at, group);
    if turn.decision.actions.len() > before {
        turn.run.lanes[at].moved = now;
        waits = None;
    }
    let in_hand = turn.run.hands_of(&group.name).any(|(_, hand)| hand.stage != Stage::Detached);
    let lane = &mut turn.run.lanes[at];
    lane.waits_for = waits.clone();
    if in_hand {
        lane.moved = now;
        return;
    }
    let Some(waits) = waits else { return finish(turn, at, group) };
    let waited = now - lane.moved;
    if waited < turn.run.options.validation_timeout {
        return;
    }
    let waited = span(waited);
    let is_valid = lane.passes >= turn.run.options.validate_count;
    if is_valid || turn.run.options.fail_on_validate_error {
        let lacking = launches::lacking(turn.run, &turn.run.lanes[at], turn.world, group);
        let lacking = lacking.map(|text| format!("; {text}")).unwrap_or_default();
        return stop(turn, at, &format!("it has waited {waited} for {waits}{lacking}"));
    }
    let text = format!("goes on, though it has waited {waited} for {waits}");
    turn.decision.warn(&group.name, text);
    turn.run.tolerate_failing(at);
    turn.run.lanes[at].moved = now;
}

fn finish(turn: &mut Turn<'_>, at: usize, group: &Group) {
    let lane = &turn.run.lanes[at];
    let left = group.members.iter().any(|member| turn.run.must_go(lane, member));
    if turn.run.hands_of(&group.name).next().is_some() || (left && group.strategy.replaces) {
        return;
    }
    let took = span(turn.world.now - lane.began);
    let (state, text) = match group.strategy.replaces {
        true => (LaneState::Done, format!("done: {} replaced in {took}", lane.replaced)),
        false => {
            let text = "its instances are marked only, as rollingUpdate.drainAndTerminate asks";
            (LaneState::Marked, text.to_owned())
        }
    };
    turn.decision.tell(&group.name, text);
    let lane = &mut turn.run.lanes[at];
    lane.state = state;
    lane.ended = turn.world.now;
    lane.waits_for = None;
}
