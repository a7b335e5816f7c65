//! Instances in hand: emptied, given time, terminated.

use super::clock::{of_day, span};
use super::decide::{Action, Decision};
use super::run::{Hand, Run, Stage};
use super::world::{Group, Life, Member, World};
use crate::kubernetes::drain;
use crate::kubernetes::pod::Pod;
use crate::resource::fleet::Time;
use crate::spec::instance_group::Role;

/// How long an instance that was told to terminate may go on before it is told again.
const TELL_AGAIN: i64 = 30;

/// After so long a drain tells what it waits for, and then every so often.
const WARN_AFTER: i64 = 30;
const WARN_EVERY: i64 = 60;

/// Moves on what is in hand.
pub(super) fn move_hands(
    run: &mut Run,
    at: usize,
    world: &World,
    group: &Group,
    decision: &mut Decision,
) -> Result<(), String> {
    let ids: Vec<String> = run.hands_of(&group.name).map(|(id, _)| id.clone()).collect();
    for id in ids {
        let Some(mut hand) = run.hands.remove(&id) else { continue };
        let member = group.member(&id).filter(|member| member.life != Life::Leaving);
        match (member, &hand.stage) {
            (None, Stage::Gone) => {}
            (None, _) => {
                decision.tell(&group.name, format!("{} is gone", hand.told));
                decision.replaced.push(id.clone());
                hand.stage = Stage::Gone;
                run.lanes[at].replaced += 1;
                run.lanes[at].failures.0 = 0;
                run.lanes[at].moved = world.now;
                run.lanes[at].settled = 0;
            }
            (Some(member), _) => {
                if let Err(reason) = move_hand(run, world, group, member, &mut hand, decision) {
                    run.hands.insert(id, hand);
                    return Err(reason);
                }
            }
        }
        let is_over = hand.stage == Stage::Gone && world.now - hand.since >= interval(run, group);
        if !is_over {
            run.hands.insert(id, hand);
        }
    }
    Ok(())
}

fn interval(run: &Run, group: &Group) -> Time {
    match group.role {
        Role::Bastion => run.options.bastion_interval,
        Role::Master => run.options.master_interval,
        Role::Node => run.options.node_interval,
    }
}

fn move_hand(
    run: &Run,
    world: &World,
    group: &Group,
    member: &Member,
    hand: &mut Hand,
    decision: &mut Decision,
) -> Result<(), String> {
    let waited = world.now - hand.since;
    if hand.stage == Stage::Terminating {
        if waited >= run.options.validation_timeout {
            return Err(format!("{} still runs, {} after its end", member.told(), span(waited)));
        }
        if hand.warned.is_none_or(|at| world.now - at >= TELL_AGAIN) {
            terminate(member, hand, world, decision);
        }
    }
    if matches!(hand.stage, Stage::Draining { .. }) {
        drain_node(world, group, member, hand, decision);
        if matches!(hand.stage, Stage::Draining { .. }) && waited >= run.options.drain_timeout {
            let why = left_on(world, member);
            let reason = format!("{} is not empty after {}: {why}", member.told(), span(waited));
            if run.options.fail_on_drain_error {
                return Err(reason);
            }
            decision.warn(&group.name, format!("{reason}; it is terminated all the same"));
            hand.stage = Stage::Drained;
            hand.since = world.now - run.options.post_drain_delay;
        }
    }
    if hand.stage == Stage::Drained && world.now - hand.since >= run.options.post_drain_delay {
        decision.tell(&group.name, format!("{} is terminated", member.told()));
        terminate(member, hand, world, decision);
    }
    Ok(())
}

pub(super) fn terminate(member: &Member, hand: &mut Hand, world: &World, decision: &mut Decision) {
    let (instance, place) = (member.id.clone(), member.place);
    decision.actions.push(Action::Terminate { instance, place });
    if hand.stage != Stage::Terminating {
        hand.stage = Stage::Terminating;
        hand.since = world.now;
    }
    hand.warned = Some(world.now);
}

/// Asks the pods of a node to leave, and tells what holds them.
fn drain_node(
    world: &World,
    group: &Group,
    member: &Member,
    hand: &mut Hand,
    decision: &mut Decision,
) {
    let left = match (&member.node, world.kubernetes.look()) {
        (Some(node), Some(look)) => {
            if !node.is_cordoned {
                let (instance, node) = (member.id.clone(), node.name.clone());
                decision.actions.push(Action::Cordon { instance, node });
            }
            let left = drain::remaining(look, node, world.now);
            let asked = left.iter().filter(|pod| pod.gone_by.is_none());
            decision.actions.extend(asked.map(|pod| Action::Evict {
                instance: member.id.clone(),
                namespace: pod.namespace.clone(),
                pod: pod.name.clone(),
            }));
            left.len()
        }
        // What never joined has no pods.
        _ => 0,
    };
    if left == 0 {
        hand.stage = Stage::Drained;
        hand.since = world.now;
        return;
    }
    hand.stage = Stage::Draining { left };
    let waited = world.now - hand.since;
    let is_due = hand.warned.is_none_or(|at| world.now - at >= WARN_EVERY);
    if waited >= WARN_AFTER && is_due {
        hand.warned = Some(world.now);
        let why = left_on(world, member);
        let since = of_day(hand.since);
        decision.tell(&group.name, format!("{} drains since {since}: {why}", member.told()));
    }
}

/// Which pods are still on a node, and what holds them.
fn left_on(world: &World, member: &Member) -> String {
    let (Some(node), Some(look)) = (&member.node, world.kubernetes.look()) else {
        return "its node is not seen".to_owned();
    };
    let told = |pod: &&Pod| {
        let name = pod.full_name();
        if pod.gone_by.is_some() {
            return format!("pod {name} is still ending");
        }
        match look.budgets_of(pod).find(|budget| budget.allowed <= 0) {
            Some(budget) => format!(
                "pod {name} is held by budget {}/{}, which allows {} disruptions now ({} healthy, \
                 {} needed)",
                budget.namespace, budget.name, budget.allowed, budget.healthy, budget.needed
            ),
            None => format!("pod {name} has not left"),
        }
    };
    let left = drain::remaining(look, node, world.now);
    let first: Vec<String> = left.iter().take(3).map(told).collect();
    match left.len().saturating_sub(3) {
        0 => first.join("; "),
        more => format!("{}; and {more} more", first.join("; ")),
    }
}

pub(super) fn take(run: &mut Run, world: &World, group: &Group, member: &Member, stage: Stage) {
    run.hands.insert(member.id.clone(), Hand::new(group, member, stage, world.now));
}

pub(super) fn start_draining(
    run: &mut Run,
    world: &World,
    group: &Group,
    member: &Member,
    decision: &mut Decision,
) {
    let mut hand = Hand::new(group, member, Stage::Draining { left: 0 }, world.now);
    let is_drained = !run.options.cloud_only && group.is_in_kubernetes() && member.node.is_some();
    if is_drained {
        drain_node(world, group, member, &mut hand, decision);
        if let Stage::Draining { left } = hand.stage {
            decision.tell(&group.name, format!("{} drains, pods to leave: {left}", member.told()));
            warn_of_unmanaged(world, group, member, decision);
        }
    } else {
        decision.tell(&group.name, format!("{} is terminated", member.told()));
        terminate(member, &mut hand, world, decision);
    }
    run.hands.insert(member.id.clone(), hand);
}

fn warn_of_unmanaged(world: &World, group: &Group, member: &Member, decision: &mut Decision) {
    let (Some(node), Some(look)) = (&member.node, world.kubernetes.look()) else { return };
    let left = drain::remaining(look, node, world.now);
    for pod in left.into_iter().filter(|pod| pod.owner.is_none()) {
        let text = format!("pod {} has no controller: nothing brings it back", pod.full_name());
        decision.warn(&group.name, text);
    }
}
