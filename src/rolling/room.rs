//! How much of a group may be in hand at once, and what is taken next.

use super::decision::{Action, Deed};
use super::hand::{Hand, Stage};
use super::hands::{start_draining, take, terminate};
use super::run::{Lane, Run};
use super::serving::Lack;
use super::strategy::Strategy;
use super::turn::Turn;
use super::world::{Group, Member, Place, World};
use crate::kubernetes::validation::Failure;
use crate::spec::role::Role;

/// What a group can spare at this look.
struct Room {
    /// How many instances may be in hand.
    width: usize,
    /// Old instances in hand that are not gone.
    held: usize,
    /// New ones that do not serve yet, beside those that come in place of a detached one.
    returning: usize,
    /// Places that are kept free for a while after an instance is gone.
    resting: usize,
    /// Whether the cluster has been valid for long enough since the last instance went.
    is_settled: bool,
    serving: usize,
    serving_detached: usize,
    /// How many can be asked to serve.
    needed: usize,
    /// How many must go on serving.
    floor: usize,
    /// How many more than desired stand.
    surplus: usize,
    /// What must become better before anything is begun.
    waits: Option<String>,
}

impl Room {
    fn of(run: &Run, lane: &Lane, group: &Group) -> Self {
        let found = run.count(lane, group);
        let Strategy { surge, unavailable, .. } = group.strategy;
        // Until one instance has come up as the cluster says now, it may be that none will.
        let is_wide = found.is_proven && !run.options.interactive;
        let is_checked = !run.options.cloud_only && group.is_in_kubernetes();
        let count = |is_meant: fn(&Stage) -> bool| {
            run.hands_of(&group.name).filter(|(_, hand)| is_meant(&hand.stage)).count()
        };
        let is_valid = !is_checked || lane.passes >= run.options.validate_count;
        let waits = (!is_valid).then(|| invalid(lane));
        let detached = count(|stage| *stage == Stage::Detached);
        let needed = group.target.saturating_sub(found.allowance);
        Self {
            width: if is_wide { surge + unavailable } else { 1 },
            held: count(|stage| *stage != Stage::Gone),
            returning: found.coming.saturating_sub(detached),
            resting: count(|stage| *stage == Stage::Gone),
            is_settled: !is_checked || lane.settled >= run.options.validate_count,
            serving: found.serving,
            serving_detached: found.serving_detached,
            needed,
            floor: needed.saturating_sub(unavailable),
            // What Auto Scaling has yet to launch counts as standing.
            surplus: (found.attached.max(group.target) + found.detached)
                .saturating_sub(group.target),
            waits,
        }
    }

    /// Whether an instance may be taken from those that serve.
    fn can_spare(&self, serves: bool) -> bool {
        !serves || self.serving > self.floor
    }

    /// How many are in hand: what is gone and not yet back still is.
    fn in_hand(&self) -> usize {
        self.held + self.returning
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
pub(super) fn take_in_hand(turn: &mut Turn<'_>, at: usize, group: &Group) -> Option<String> {
    let lane = turn.run.lanes[at].clone();
    warm_ones_go(turn, &lane, group);
    let mut room = Room::of(turn.run, &lane, group);
    if group.strategy.replaces {
        drain_detached(turn, group, &mut room);
    }
    let run = &turn.run;
    let mut candidates: Vec<&Member> = group
        .live()
        .filter(|member| run.must_go(&lane, member) && !run.hands.contains_key(&member.id))
        .collect();
    // What was begun before comes first, then what does no work anyway, then the oldest.
    candidates.sort_by_key(|member| {
        let is_begun = member.node.as_ref().is_some_and(|node| node.marks.cordon);
        (!is_begun, run.serves(member), member.machine.launched, member.id.clone())
    });
    for member in candidates {
        match next(turn, &lane, group, &room, member) {
            Next::Detach => {
                detach(turn, group, member);
                room.surplus += 1;
                if group.strategy.replaces {
                    room.held += 1;
                    take(turn, group, member, Stage::Detached);
                }
            }
            Next::Drain => {
                room.held += 1;
                room.serving -= usize::from(turn.run.serves(member));
                start_draining(turn, group, member);
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
    let is_short = room.serving < room.needed;
    let mut hands = turn.run.hands_of(&group.name);
    let has_detached = hands.any(|(_, hand)| hand.stage == Stage::Detached);
    (is_short || has_detached).then(|| lacking(&room, group))
}

fn detach(turn: &mut Turn<'_>, group: &Group, member: &Member) {
    let told = member.told();
    let (fleet_group, instance) = (group.fleet_name.clone(), member.id.clone());
    let action = Action::to(group, member, Deed::Detach { fleet_group, instance });
    let action = action.told(format!("{told} is detached"), format!("{told} is not detached"));
    turn.decision.actions.push(action);
}

/// What may be done with an instance that must go.
enum Next {
    Detach,
    Drain,
    /// As many are in hand as may be.
    Nothing,
    Wait(String),
}

fn next(turn: &Turn<'_>, lane: &Lane, group: &Group, room: &Room, member: &Member) -> Next {
    let run = &turn.run;
    if let Some(waits) = &room.waits {
        return Next::Wait(waits.clone());
    }
    if room.in_hand() >= room.width {
        return match room.held + room.resting {
            0 => Next::Wait(lacking(room, group)),
            _ => Next::Nothing,
        };
    }
    if group.role == Role::Master
        && let Err(lacks) = others_serve(run, turn.world, &member.id)
    {
        return Next::Wait(lacks);
    }
    let serves = run.serves(member);
    if serves && member.place == Place::Attached && room.surplus < group.strategy.surge {
        return Next::Detach;
    }
    // A place that is kept free is one of those that are not back.
    let is_full = room.held + room.returning.max(room.resting) >= room.width;
    if !group.strategy.replaces || is_full {
        return Next::Nothing;
    }
    match (room.is_settled, room.can_spare(serves)) {
        (false, _) => Next::Wait(invalid(lane)),
        (true, false) => Next::Wait(lacking(room, group)),
        (true, true) => Next::Drain,
    }
}

/// Whether all other masters serve, so that one may be taken from etcd's majority.
fn others_serve(run: &Run, world: &World, id: &str) -> Result<(), String> {
    let masters: Vec<&Group> =
        world.groups.iter().filter(|group| group.role == Role::Master).collect();
    for group in masters {
        let standing = group.live().filter(|member| member.place == Place::Attached).count();
        let is_own = group.member(id).is_some_and(|member| !member.is_live());
        if standing + usize::from(is_own) < group.target {
            return Err(format!("{} has {standing} of {} masters", group.name, group.target));
        }
        // One that is only cordoned still holds its part of etcd.
        let is_cordoned = |member: &Member| {
            run.is_set_aside(member) && run.lack(world, group, member) == Some(Lack::Pods)
        };
        let down = group
            .live()
            .find(|member| member.id != id && !run.serves(member) && !is_cordoned(member));
        if let Some(down) = down {
            return Err(format!("master {} to be ready", down.told()));
        }
    }
    Ok(())
}

fn lacking(room: &Room, group: &Group) -> String {
    let standing = room.serving.saturating_sub(room.serving_detached);
    format!("new instances: {standing} of {} serve", group.target)
}

/// Instances that are kept warm serve nobody.
fn warm_ones_go(turn: &mut Turn<'_>, lane: &Lane, group: &Group) {
    let warm = group.members.iter().filter(|member| {
        member.place == Place::Warm
            && turn.run.must_go(lane, member)
            && !turn.run.hands.contains_key(&member.id)
    });
    for member in warm.collect::<Vec<_>>() {
        let mut hand = Hand::new(group, member, Stage::Drained, turn.world.now);
        terminate(turn, group, member, &mut hand);
        turn.run.hands.insert(member.id.clone(), hand);
    }
}

/// Empties instances that were detached, once what takes their place serves.
fn drain_detached(turn: &mut Turn<'_>, group: &Group, room: &mut Room) {
    let hands = turn.run.hands_of(&group.name);
    let detached = hands.filter(|(_, hand)| hand.stage == Stage::Detached);
    let ids: Vec<String> = detached.map(|(id, _)| id.clone()).collect();
    for member in ids.iter().filter_map(|id| group.member(id)) {
        let serves = turn.run.serves(member);
        if room.waits.is_some() || !room.is_settled || !room.can_spare(serves) {
            continue;
        }
        room.serving -= usize::from(serves);
        start_draining(turn, group, member);
    }
}
