//! How much of a group may be in hand at once, and what is taken next.

use super::decide::{Action, Decision, others_serve};
use super::hands::{start_draining, take, terminate};
use super::run::{Hand, Lane, Run, Stage};
use super::strategy::Strategy;
use super::world::{Group, Member, Place, World};
use crate::kubernetes::validation::Failure;
use crate::spec::instance_group::Role;

/// What a group can spare at this look.
struct Room {
    /// How many instances may be in hand.
    width: usize,
    in_hand: usize,
    /// Places that are kept free for a while after an instance is gone.
    resting: usize,
    /// Whether the cluster has been valid for long enough since the last instance went.
    is_settled: bool,
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
        let count = |is_meant: fn(&Stage) -> bool| {
            run.hands_of(&group.name).filter(|(_, hand)| is_meant(&hand.stage)).count()
        };
        let is_valid = !is_checked || lane.passes >= run.options.validate_count;
        let waits = (!is_valid).then(|| invalid(lane));
        Self {
            width,
            in_hand: count(|stage| *stage != Stage::Gone),
            resting: count(|stage| *stage == Stage::Gone),
            is_settled: !is_checked || lane.settled >= run.options.validate_count,
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

    /// Whether an instance may be taken from those that serve.
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
pub(super) fn take_in_hand(
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
    for member in candidates {
        match next(run, &lane, world, group, &room, member) {
            Next::Detach => {
                decision.tell(&group.name, format!("{} is detached", member.told()));
                let (group_name, instance) = (group.fleet_name.clone(), member.id.clone());
                decision.actions.push(Action::Detach { group: group_name, instance });
                room.surplus += 1;
                if group.strategy.replaces {
                    room.in_hand += 1;
                    take(run, world, group, member, Stage::Detached);
                }
            }
            Next::Drain => {
                room.in_hand += 1;
                room.serving -= usize::from(run.serves(member));
                start_draining(run, world, group, member, decision);
            }
            Next::Nothing => break,
            Next::Wait(lacks) => return Some(lacks),
        }
    }
    if let Some(waits) = room.waits {
        return Some(waits);
    }
    if !room.is_settled {
        return Some(invalid(&lane));
    }
    let needed = group.target.saturating_sub(lane.allowance);
    let is_short = room.serving < needed;
    let has_detached = run.hands_of(&group.name).any(|(_, hand)| hand.stage == Stage::Detached);
    (is_short || has_detached).then(|| lacking(&room, group))
}

/// What may be done with an instance that must go.
enum Next {
    Detach,
    Drain,
    /// As many are in hand as may be.
    Nothing,
    Wait(String),
}

fn next(
    run: &Run,
    lane: &Lane,
    world: &World,
    group: &Group,
    room: &Room,
    member: &Member,
) -> Next {
    if let Some(waits) = &room.waits {
        return Next::Wait(waits.clone());
    }
    if room.in_hand >= room.width {
        return Next::Nothing;
    }
    if group.role == Role::Master
        && let Err(lacks) = others_serve(run, world, &member.id)
    {
        return Next::Wait(lacks);
    }
    let serves = run.serves(member);
    if serves && member.place == Place::Attached && room.surplus < group.strategy.surge {
        return Next::Detach;
    }
    if !group.strategy.replaces || room.in_hand + room.resting >= room.width {
        return Next::Nothing;
    }
    match (room.is_settled, room.can_spare(serves)) {
        (false, _) => Next::Wait(invalid(lane)),
        (true, false) => Next::Wait(lacking(room, group)),
        (true, true) => Next::Drain,
    }
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
        if room.waits.is_some() || !room.is_settled || !room.can_spare(serves) {
            continue;
        }
        room.serving -= usize::from(serves);
        start_draining(run, world, group, member, decision);
    }
}
