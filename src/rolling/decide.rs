//! What may be done now. Pure: a look and the memory go in, actions come out.

use super::clock::span;
use super::decision::{Action, Decision};
use super::hand::{Hand, Stage};
use super::lane;
use super::run::{LaneState, Run};
use super::turn::Turn;
use super::world::{Member, Place, Sight, World};
use crate::kubernetes::error::{Fault, KubernetesError};
use crate::spec::role::Role;

/// Decides what to do after a look, and remembers it.
pub(super) fn decide(run: &mut Run, world: &World) -> Decision {
    let mut decision = Decision::default();
    let turn = &mut Turn { run, world, decision: &mut decision };
    if let Sight::Lost(error) = &world.kubernetes {
        blind(turn, error);
        return decision;
    }
    if let Some(since) = turn.run.lost_since.take() {
        let away = span(world.now - since);
        turn.decision.event(None, format!("the Kubernetes API answers again, after {away}"), false);
    }
    turn.run.take_in(world);
    adopt(turn);
    begin(turn);
    for at in 0..turn.run.lanes.len() {
        if turn.run.lanes[at].state != LaneState::Running {
            continue;
        }
        let name = turn.run.lanes[at].group.clone();
        match world.groups.iter().find(|group| group.name == name) {
            Some(group) => lane::step(turn, at, group),
            None => lane::stop(turn, at, "its Auto Scaling group is gone"),
        }
    }
    begin(turn);
    release_strays(turn);
    decision
}

/// Without sight of Kubernetes nothing is begun; it is waited for as long as for a validation,
/// but for credentials and rights, which do not come back by themselves.
fn blind(turn: &mut Turn<'_>, error: &KubernetesError) {
    let now = turn.world.now;
    if turn.run.lost_since.is_none() && error.fault.passes() {
        let text = format!("the Kubernetes API does not answer ({error}); waiting for it");
        turn.decision.event(None, text, true);
    }
    let away = now - *turn.run.lost_since.get_or_insert(now);
    for lane in &mut turn.run.lanes {
        lane.passes = 0;
        lane.settled = 0;
        lane.moved = now;
        lane.waits_for = Some("the Kubernetes API".to_owned());
    }
    let is_late = away >= turn.run.options.validation_timeout || turn.run.is_stopping;
    let reason = match error.fault {
        Fault::Unauthenticated => format!(
            "the Kubernetes API does not take the credentials any more ({error}); log in and run \
             this again, and it goes on where it stands"
        ),
        fault if !fault.passes() => error.to_string(),
        _ if is_late => format!("the Kubernetes API has not answered for {}: {error}", span(away)),
        _ => return,
    };
    stop_open(turn, &reason);
}

/// Takes up what an earlier run left: instances that it detached, nodes that it cordoned.
fn adopt(turn: &mut Turn<'_>) {
    for group in &turn.world.groups {
        let run = &turn.run;
        let Some(lane) = run.lane(&group.name).filter(|_| group.strategy.replaces) else {
            continue;
        };
        if !matches!(lane.state, LaneState::Waiting | LaneState::Running) {
            continue;
        }
        let left = group.live().filter(|member| {
            run.must_go(lane, member)
                && member.place == Place::Detached
                && !run.hands.contains_key(&member.id)
        });
        for member in left.collect::<Vec<&Member>>() {
            let hand = Hand::new(group, member, Stage::Detached, turn.world.now);
            let text = format!("{} was detached before; it is replaced first", hand.told);
            turn.decision.tell(&group.name, text);
            turn.run.hands.insert(member.id.clone(), hand);
        }
    }
}

/// Starts the groups whose turn it is: bastions, then masters, one group after the other; then
/// nodes, so many groups at once as is allowed.
fn begin(turn: &mut Turn<'_>) {
    let world = turn.world;
    let role = |name: &str| {
        let group = world.groups.iter().find(|group| group.name == name);
        group.map_or(Role::Node, |group| group.role)
    };
    let is_running = |run: &Run, at: usize| run.lanes[at].state == LaneState::Running;
    let lanes = 0..turn.run.lanes.len();
    let mut running = lanes.clone().filter(|at| is_running(turn.run, *at)).count();
    let mut is_blocked = turn.run.is_stopping;
    for at in lanes {
        let is_node = role(&turn.run.lanes[at].group) == Role::Node;
        match &turn.run.lanes[at].state {
            LaneState::Stopped(_) | LaneState::Skipped if !is_node => is_blocked = true,
            LaneState::Waiting if is_blocked => turn.run.lanes[at].state = LaneState::Skipped,
            LaneState::Waiting => {
                let width = if is_node { turn.run.options.max_parallel_groups.max(1) } else { 1 };
                if running >= width {
                    return;
                }
                running += 1;
                start(turn, at);
                if !is_node {
                    return;
                }
            }
            LaneState::Running if !is_node => return,
            _ => {}
        }
    }
}

fn start(turn: &mut Turn<'_>, at: usize) {
    let lane = &mut turn.run.lanes[at];
    lane.state = LaneState::Running;
    lane.began = turn.world.now;
    lane.began_at_aws = turn.world.aws_now;
    lane.moved = turn.world.now;
    let name = lane.group.clone();
    turn.decision.tell(&name, format!("begins: {} to replace", lane.total));
    if let Some(group) = turn.world.groups.iter().find(|group| group.name == name) {
        lane::open(turn, at, group);
    }
}

/// Takes back, in all groups, marks of an earlier run that have no reason any more.
fn release_strays(turn: &mut Turn<'_>) {
    for group in &turn.world.groups {
        let run = &turn.run;
        let goes =
            |member: &Member| run.lane(&group.name).is_some_and(|lane| run.must_go(lane, member));
        for member in group.live().filter(|member| member.reasons.is_empty() && !goes(member)) {
            let node = member.node.as_ref().filter(|node| !node.marks.is_empty());
            let Some(node) = node.filter(|_| !run.hands.contains_key(&member.id)) else { continue };
            let actions = &mut turn.decision.actions;
            if !actions.iter().any(|action| action.on == node.name) {
                let why = ": an earlier update had marked it";
                let node = node.reference();
                actions.push(Action::release(&group.name, node, &member.told(), why));
            }
        }
    }
}

/// Ends every group that is not done.
pub(super) fn stop_all(run: &mut Run, world: &World, reason: &str) -> Decision {
    let mut decision = Decision::default();
    stop_open(&mut Turn { run, world, decision: &mut decision }, reason);
    decision
}

fn stop_open(turn: &mut Turn<'_>, reason: &str) {
    for at in 0..turn.run.lanes.len() {
        match turn.run.lanes[at].state {
            LaneState::Running => lane::stop(turn, at, reason),
            LaneState::Waiting => turn.run.lanes[at].state = LaneState::Skipped,
            _ => {}
        }
    }
}

/// Ends the groups for which something is not allowed that they need.
pub(super) fn stop_forbidden(run: &mut Run, world: &World) -> Decision {
    let mut decision = Decision::default();
    let turn = &mut Turn { run, world, decision: &mut decision };
    for at in 0..turn.run.lanes.len() {
        let lane = &turn.run.lanes[at];
        if let Some(reason) = lane.forbidden.clone().filter(|_| lane.state == LaneState::Running) {
            lane::stop(turn, at, &reason);
        }
    }
    decision
}
