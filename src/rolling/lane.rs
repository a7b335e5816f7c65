//! The update of one group, a step a look.

use super::clock::span;
use super::decide::{Action, Decision};
use super::hands::move_hands;
use super::launches;
use super::room::take_in_hand;
use super::run::{Hand, LaneState, Run, Stage};
use super::world::{Group, Place, World};

/// How often in a row AWS may refuse before a group stops.
const FAILURES: u32 = 3;

/// Begins a group: what cannot work is found before anything is touched, and its old nodes are
/// marked, so that pods which leave one do not go to the next.
pub(super) fn open(
    run: &mut Run,
    at: usize,
    world: &World,
    group: &Group,
    decision: &mut Decision,
) {
    for process in ["Launch", "Terminate"] {
        if group.suspended.iter().any(|suspended| suspended == process) {
            let reason = format!(
                "its Auto Scaling group suspends {process}, so that nothing would be replaced; \
                 resume it: aws autoscaling resume-processes --auto-scaling-group-name {} \
                 --scaling-processes {process}",
                group.fleet_name
            );
            return stop(run, at, world, &reason, decision);
        }
    }
    let lane = &run.lanes[at];
    let old = group.live().filter(|member| run.must_go(lane, member));
    let nodes = old.filter_map(|member| member.node.as_ref());
    let unmarked = nodes.filter(|node| !node.is_tainted && !node.is_cordoned);
    decision.actions.extend(unmarked.map(|node| Action::Taint { node: node.name.clone() }));
}

/// Ends a group before it is done, and lets go of what is in hand.
pub(super) fn stop(run: &mut Run, at: usize, world: &World, reason: &str, decision: &mut Decision) {
    let name = run.lanes[at].group.clone();
    decision.warn(&name, format!("stops: {reason}"));
    run.lanes[at].state = LaneState::Stopped(reason.to_owned());
    run.lanes[at].ended = world.now;
    let group = world.groups.iter().find(|group| group.name == name);
    let held: Vec<(String, Hand)> =
        run.hands_of(&name).map(|(id, hand)| (id.clone(), hand.clone())).collect();
    for (id, hand) in held {
        let member = group.and_then(|group| group.member(&id));
        let node = member.and_then(|member| member.node.as_ref());
        let is_closed = matches!(hand.stage, Stage::Draining { .. } | Stage::Drained)
            || node.is_some_and(|node| node.is_cordoned_by_us);
        let is_going = matches!(hand.stage, Stage::Terminating | Stage::Gone);
        if let Some(node) = node.filter(|_| is_closed && !is_going) {
            decision.tell(&name, format!("{} is released", hand.told));
            decision.actions.push(Action::Release { node: node.name.clone() });
        }
        if !is_going && member.is_some_and(|member| member.place == Place::Detached) {
            let text =
                format!("{} stays detached, and serves; the next run replaces it", hand.told);
            decision.tell(&name, text);
        }
        run.hands.remove(&id);
    }
}

/// One step: what is in hand moves on, and as much more is taken in hand as is safe.
pub(super) fn step(
    run: &mut Run,
    at: usize,
    world: &World,
    group: &Group,
    decision: &mut Decision,
) {
    if run.lanes[at].failures.0 >= FAILURES {
        let reason = run.lanes[at].failures.1.clone();
        return stop(run, at, world, &reason, decision);
    }
    if let Err(reason) = move_hands(run, at, world, group, decision) {
        return stop(run, at, world, &reason, decision);
    }
    if let Some(reason) = launches::failure(run, &run.lanes[at], world, group) {
        return stop(run, at, world, &reason, decision);
    }
    launches::note_newcomers(run, at, group);
    let before = decision.actions.len();
    let mut waits = take_in_hand(run, at, world, group, decision);
    if decision.actions.len() > before {
        run.lanes[at].moved = world.now;
        waits = None;
    }
    release_what_need_not_go(run, at, group, decision);
    let in_hand = run.hands_of(&group.name).any(|(_, hand)| hand.stage != Stage::Detached);
    let lane = &mut run.lanes[at];
    lane.waits_for = waits.clone();
    if in_hand {
        lane.moved = world.now;
        return;
    }
    let Some(waits) = waits else { return finish(run, at, world, group, decision) };
    // What cannot come is not waited for.
    if let Some(reason) = launches::standing_failure(run, &run.lanes[at], world, group) {
        return stop(run, at, world, &reason, decision);
    }
    if world.now - run.lanes[at].moved < run.options.validation_timeout {
        return;
    }
    let waited = span(world.now - run.lanes[at].moved);
    let is_valid = run.lanes[at].passes >= run.options.validate_count;
    if is_valid || run.options.fail_on_validate_error {
        let reason = format!("it has waited {waited} for {waits}");
        return stop(run, at, world, &reason, decision);
    }
    decision.warn(&group.name, format!("goes on, though it has waited {waited} for {waits}"));
    run.tolerate_failing(at);
    run.lanes[at].moved = world.now;
}

fn finish(run: &mut Run, at: usize, world: &World, group: &Group, decision: &mut Decision) {
    let lane = &run.lanes[at];
    let left = group.members.iter().any(|member| run.must_go(lane, member));
    if run.hands_of(&group.name).next().is_some() || (left && group.strategy.replaces) {
        return;
    }
    let took = span(world.now - lane.began);
    let (state, text) = match group.strategy.replaces {
        true => (LaneState::Done, format!("done: {} replaced in {took}", lane.replaced)),
        false => {
            let text = "its instances are marked only, as rollingUpdate.drainAndTerminate asks";
            (LaneState::Marked, text.to_owned())
        }
    };
    decision.tell(&group.name, text);
    run.lanes[at].state = state;
    run.lanes[at].ended = world.now;
    run.lanes[at].waits_for = None;
}

/// Takes back the marks of an earlier run from nodes that need not go any more.
fn release_what_need_not_go(run: &Run, at: usize, group: &Group, decision: &mut Decision) {
    let kept = group.live().filter(|member| {
        !run.must_go(&run.lanes[at], member) && !run.hands.contains_key(&member.id)
    });
    let marked = kept.filter_map(|member| member.node.as_ref());
    let marked = marked.filter(|node| node.is_tainted || node.is_cordoned_by_us);
    decision.actions.extend(marked.map(|node| Action::Release { node: node.name.clone() }));
}
