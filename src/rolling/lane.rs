//! The update of one group, a step a look.

use super::clock::{of_day, span};
use super::decide::{Action, Decision, others_serve};
use super::launches;
use super::run::{Hand, Lane, LaneState, Run, Stage};
use super::strategy::Strategy;
use super::world::{Group, Life, Member, Place, World};
use crate::kubernetes::drain;
use crate::kubernetes::pod::Pod;
use crate::kubernetes::validation::Failure;
use crate::resource::fleet::Time;
use crate::spec::instance_group::Role;

/// How long an instance that was told to terminate may go on before it is told again.
const TELL_AGAIN: i64 = 30;

/// How often in a row AWS may refuse before a group stops.
const FAILURES: u32 = 3;

/// After so long a drain tells what it waits for, and then every so often.
const WARN_AFTER: i64 = 30;
const WARN_EVERY: i64 = 60;

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

/// Moves on what is in hand.
fn move_hands(
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
                run.lanes[at].passes = 0;
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
    if hand.stage == Stage::Terminating && waited >= TELL_AGAIN {
        terminate(member, hand, world, decision);
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

fn terminate(member: &Member, hand: &mut Hand, world: &World, decision: &mut Decision) {
    let (instance, place) = (member.id.clone(), member.place);
    decision.actions.push(Action::Terminate { instance, place });
    hand.stage = Stage::Terminating;
    hand.since = world.now;
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

/// What a group can spare at this look.
struct Room {
    /// How many instances may be in hand.
    width: usize,
    in_hand: usize,
    serving: usize,
    /// How many must go on serving.
    floor: usize,
    /// How many more than desired stand.
    surplus: usize,
    /// What must become better before anything is begun.
    waits: Option<String>,
}

impl Room {
    fn of(run: &Run, lane: &Lane, group: &Group) -> Self {
        let (mut serving, mut broken, mut attached, mut detached) = (0, 0, 0, 0);
        let mut is_proven = false;
        for member in group.live() {
            match member.place {
                Place::Detached => detached += 1,
                _ => attached += 1,
            }
            if run.serves(member) {
                serving += 1;
                is_proven |= !run.must_go(lane, member);
            } else if run.broken.contains(&member.id) {
                broken += 1;
            }
        }
        let Strategy { surge, unavailable, .. } = group.strategy;
        // Until one instance has come up as the cluster says now, it may be that none will.
        let width = if is_proven && !run.options.interactive { surge + unavailable } else { 1 };
        let is_checked = !run.options.cloud_only && group.is_in_kubernetes();
        let is_valid = !is_checked || lane.passes >= run.options.validate_count;
        let waits = (!is_valid).then(|| invalid(lane));
        Self {
            width,
            in_hand: run.hands_of(&group.name).count(),
            serving,
            floor: group
                .target
                .saturating_sub(unavailable)
                .saturating_sub(lane.allowance.min(broken)),
            // What Auto Scaling has yet to launch counts as standing.
            surplus: (attached.max(group.target) + detached).saturating_sub(group.target),
            waits,
        }
    }

    fn can_spare(&self, serves: bool) -> bool {
        !serves || self.serving > self.floor
    }
}

/// What keeps the cluster from being valid.
fn invalid(lane: &Lane) -> String {
    let told = |failures: &[Failure]| {
        let first = failures.first()?;
        let more = match failures.len() - 1 {
            0 => String::new(),
            more => format!(", and {more} more"),
        };
        Some(format!("{} {} {}{more}", first.kind.name(), first.name, first.message))
    };
    match (told(&lane.failing), told(&lane.last_failing)) {
        (Some(now), _) => format!("the cluster to be valid: {now}"),
        (None, Some(last)) => format!("the cluster to stay valid; last it was not: {last}"),
        (None, None) => "the cluster to be valid for long enough".to_owned(),
    }
}

/// Takes as many instances in hand as is safe. Returns what the group waits for, if anything.
fn take_in_hand(
    run: &mut Run,
    at: usize,
    world: &World,
    group: &Group,
    decision: &mut Decision,
) -> Option<String> {
    let lane = run.lanes[at].clone();
    warm_ones_go(run, &lane, world, group, decision);
    let mut room = Room::of(run, &lane, group);
    if group.strategy.replaces {
        drain_detached(run, world, group, &mut room, decision);
    }
    let mut candidates: Vec<&Member> = group
        .live()
        .filter(|member| run.must_go(&lane, member) && !run.hands.contains_key(&member.id))
        .collect();
    // What was begun before comes first, then what does no work anyway, then the oldest.
    candidates.sort_by_key(|member| {
        let is_begun = member.node.as_ref().is_some_and(|node| node.is_cordoned_by_us);
        (!is_begun, run.serves(member), member.machine.launched, member.id.clone())
    });
    let mut waits = room.waits.take();
    for member in candidates {
        if waits.is_some() || room.in_hand >= room.width {
            break;
        }
        if group.role == Role::Master
            && let Err(lacks) = others_serve(run, world, &member.id)
        {
            waits = Some(lacks);
            break;
        }
        let serves = run.serves(member);
        let is_surged = serves && room.surplus < group.strategy.surge;
        if is_surged && member.place == Place::Attached {
            decision.tell(&group.name, format!("{} is detached", member.told()));
            let (group_name, instance) = (group.fleet_name.clone(), member.id.clone());
            decision.actions.push(Action::Detach { group: group_name, instance });
            room.surplus += 1;
            if group.strategy.replaces {
                room.in_hand += 1;
                take(run, world, group, member, Stage::Detached);
            }
        } else if !group.strategy.replaces {
            break;
        } else if room.can_spare(serves) {
            room.in_hand += 1;
            room.serving -= usize::from(serves);
            start_draining(run, world, group, member, decision);
        } else {
            waits = Some(lacking(&room, group));
        }
    }
    if waits.is_some() {
        return waits;
    }
    let needed = group.target.saturating_sub(lane.allowance);
    let is_short = room.serving < needed;
    let has_detached = run.hands_of(&group.name).any(|(_, hand)| hand.stage == Stage::Detached);
    (is_short || has_detached).then(|| lacking(&room, group))
}

fn lacking(room: &Room, group: &Group) -> String {
    format!("new instances: {} of {} serve", room.serving, group.target)
}

/// Instances that are kept warm serve nobody.
fn warm_ones_go(run: &mut Run, lane: &Lane, world: &World, group: &Group, decision: &mut Decision) {
    let warm = group.members.iter().filter(|member| {
        member.place == Place::Warm
            && run.must_go(lane, member)
            && !run.hands.contains_key(&member.id)
    });
    for member in warm.collect::<Vec<_>>() {
        decision.tell(&group.name, format!("{} is terminated in the warm pool", member.id));
        let mut hand = Hand::new(group, member, Stage::Terminating, world.now);
        terminate(member, &mut hand, world, decision);
        run.hands.insert(member.id.clone(), hand);
    }
}

/// Empties instances that were detached, once what takes their place serves.
fn drain_detached(
    run: &mut Run,
    world: &World,
    group: &Group,
    room: &mut Room,
    decision: &mut Decision,
) {
    let detached = run.hands_of(&group.name).filter(|(_, hand)| hand.stage == Stage::Detached);
    let ids: Vec<String> = detached.map(|(id, _)| id.clone()).collect();
    for member in ids.iter().filter_map(|id| group.member(id)) {
        let serves = run.serves(member);
        if room.waits.is_some() || !room.can_spare(serves) {
            continue;
        }
        room.serving -= usize::from(serves);
        start_draining(run, world, group, member, decision);
    }
}

fn take(run: &mut Run, world: &World, group: &Group, member: &Member, stage: Stage) {
    run.hands.insert(member.id.clone(), Hand::new(group, member, stage, world.now));
}

fn start_draining(
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

/// Takes back the marks of an earlier run from nodes that need not go any more.
fn release_what_need_not_go(run: &Run, at: usize, group: &Group, decision: &mut Decision) {
    let kept = group.live().filter(|member| {
        !run.must_go(&run.lanes[at], member) && !run.hands.contains_key(&member.id)
    });
    let marked = kept.filter_map(|member| member.node.as_ref());
    let marked = marked.filter(|node| node.is_tainted || node.is_cordoned_by_us);
    decision.actions.extend(marked.map(|node| Action::Release { node: node.name.clone() }));
}
