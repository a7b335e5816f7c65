//! Moving on what is in hand: emptied, given time, terminated.

use super::clock::{of_day, span};
use super::decision::{Action, Deed};
use super::emptying::Site;
use super::hand::{Hand, Stage};
use super::run::Run;
use super::turn::Turn;
use super::world::{Group, Life, Member, World};
use crate::core::time::Time;
use crate::kubernetes::pod::Pod;
use crate::spec::role::Role;

/// How long an instance that was told to terminate may go on before it is told again.
const TELL_AGAIN: i64 = 30;

/// After so long a drain tells what it waits for, and then every so often.
const WARN_AFTER: i64 = 30;
const WARN_EVERY: i64 = 60;

/// Moves on what is in hand.
///
/// # Errors
/// Why the group cannot go on.
pub(super) fn move_hands(turn: &mut Turn<'_>, at: usize, group: &Group) -> Result<(), String> {
    let ids: Vec<String> = turn.run.hands_of(&group.name).map(|(id, _)| id.clone()).collect();
    for id in ids {
        let Some(mut hand) = turn.run.hands.remove(&id) else { continue };
        let member = group.member(&id).filter(|member| member.life != Life::Leaving);
        let moved = match (member, &hand.stage) {
            (None, Stage::Gone) => Ok(()),
            (None, _) => {
                is_gone(turn, at, &id, &mut hand);
                Ok(())
            }
            (Some(member), _) => move_hand(turn, group, member, &mut hand),
        };
        let rests = turn.world.now - hand.since < interval(turn.run, group);
        if hand.stage != Stage::Gone || rests {
            turn.run.hands.insert(id, hand);
        }
        moved?;
    }
    Ok(())
}

fn is_gone(turn: &mut Turn<'_>, at: usize, id: &str, hand: &mut Hand) {
    turn.decision.tell(&hand.group, format!("{} is gone", hand.told));
    turn.decision.replaced.push(id.to_owned());
    hand.stage = Stage::Gone;
    let lane = &mut turn.run.lanes[at];
    lane.replaced += 1;
    lane.failures.0 = 0;
    lane.moved = turn.world.now;
    lane.settled = 0;
}

fn interval(run: &Run, group: &Group) -> Time {
    match group.role {
        Role::Bastion => run.options.bastion_interval,
        Role::Master => run.options.master_interval,
        Role::Node | Role::ApiServer => run.options.node_interval,
    }
}

fn move_hand(
    turn: &mut Turn<'_>,
    group: &Group,
    member: &Member,
    hand: &mut Hand,
) -> Result<(), String> {
    let now = turn.world.now;
    if hand.stage == Stage::Terminating {
        let waited = now - hand.since;
        if waited >= turn.run.options.validation_timeout {
            return Err(format!("{} still runs, {} after its end", member.told(), span(waited)));
        }
        if hand.warned.is_none_or(|at| now - at >= TELL_AGAIN) {
            terminate(turn, group, member, hand);
        }
    }
    if matches!(hand.stage, Stage::Draining { .. }) {
        drain(turn, group, member, hand)?;
    }
    if hand.stage == Stage::Drained && now - hand.since >= turn.run.options.post_drain_delay {
        terminate(turn, group, member, hand);
    }
    Ok(())
}

pub(super) fn terminate(turn: &mut Turn<'_>, group: &Group, member: &Member, hand: &mut Hand) {
    let (instance, place) = (member.id.clone(), member.place);
    let mut action = Action::to(group, member, Deed::Terminate { instance, place });
    let told = member.told();
    action.undone = Some(format!("{told} is not terminated"));
    if hand.stage != Stage::Terminating {
        action.done = Some(format!("{told} is terminated"));
        hand.stage = Stage::Terminating;
        hand.since = turn.world.now;
    }
    turn.decision.actions.push(action);
    hand.warned = Some(turn.world.now);
    if let Some(node) = member.node.as_ref().filter(|_| turn.world.kubernetes.look().is_some()) {
        let mut action = Action::to(group, member, Deed::Forget { node: node.reference() });
        action.undone = Some(format!(
            "the node {0} of {1}, which was ended, stays, and would be taken over as it is by a \
             new instance of its name (kubectl delete node {0})",
            node.name, member.id
        ));
        turn.decision.actions.push(action);
    }
}

/// One look at a node that is being emptied: its pods are asked to leave, and what holds them
/// is told. Whatever will not pass, and the end of its time, end it.
fn drain(
    turn: &mut Turn<'_>,
    group: &Group,
    member: &Member,
    hand: &mut Hand,
) -> Result<(), String> {
    let now = turn.world.now;
    let waited = now - hand.since;
    // What never joined has no pods.
    let Some(site) = site(turn.run, turn.world, member) else {
        hand.stage = Stage::Drained;
        hand.since = now;
        return Ok(());
    };
    let left = ask(turn, group, member, hand, &site);
    // Before the cordon is seen another pod may have come.
    if left.is_empty() && site.node.is_cordoned {
        hand.stage = Stage::Drained;
        hand.since = now;
        return Ok(());
    }
    hand.stage = Stage::Draining { left: left.len() };
    let why = match &hand.open {
        Some(refusals) => format!("it is not cordoned: {}", refusals.last.text),
        None if left.is_empty() => "it is not cordoned yet".to_owned(),
        None => hand.leaving.why(&left, &site),
    };
    let told = member.told();
    let is_refused = hand.open.as_ref().is_some_and(|refusals| refusals.are_final());
    let never = |pod: &&Pod| is_refused || hand.leaving.never_leaves(pod);
    let goes_on = !turn.run.options.fail_on_drain_error;
    let is_hopeless = match goes_on {
        true => !left.is_empty() && left.iter().all(never),
        false => is_refused || left.iter().any(never),
    };
    let reason = match (waited >= turn.run.options.drain_timeout, is_hopeless) {
        (true, _) => format!("{told} is not empty after {}: {why}", span(waited)),
        (false, true) => format!("{told} cannot be emptied: {why}"),
        (false, false) => {
            let is_due = hand.warned.is_none_or(|at| now - at >= WARN_EVERY);
            if waited >= WARN_AFTER && is_due {
                hand.warned = Some(now);
                let since = of_day(hand.since);
                turn.decision.tell(&group.name, format!("{told} drains since {since}: {why}"));
            }
            return Ok(());
        }
    };
    if !goes_on {
        return Err(reason);
    }
    turn.decision.warn(&group.name, format!("{reason}; it is terminated all the same"));
    hand.stage = Stage::Drained;
    hand.since = now - turn.run.options.post_drain_delay;
    Ok(())
}

/// Cordons the node, and asks the pods to leave that must. Returns those that are left.
fn ask<'a>(
    turn: &mut Turn<'_>,
    group: &Group,
    member: &Member,
    hand: &mut Hand,
    site: &Site<'a>,
) -> Vec<&'a Pod> {
    if !site.node.is_closed() {
        let (instance, node) = (member.id.clone(), site.node.reference());
        let mut action = Action::to(group, member, Deed::Cordon { instance, node });
        action.undone = Some(format!("{} is not cordoned", member.told()));
        turn.decision.actions.push(action);
    }
    let left = hand.leaving.take_in(site);
    for news in left.news {
        turn.decision.warn(&group.name, news);
    }
    let asked = left.pods.iter().filter(|pod| pod.gone_by.is_none());
    let asked = asked.filter(|pod| !hand.leaving.never_leaves(pod));
    let asked = asked.map(|pod| Deed::Evict { instance: member.id.clone(), pod: pod.reference() });
    turn.decision.actions.extend(asked.map(|deed| Action::to(group, member, deed)));
    left.pods
}

fn site<'a>(run: &Run, world: &'a World, member: &'a Member) -> Option<Site<'a>> {
    let (look, node) = (world.kubernetes.look()?, member.node.as_ref()?);
    let seen = run.down_since.get(&member.id).map(|since| world.now - since);
    let told = look.time.zip(node.turned).map(|(now, turned)| now - turned);
    let down_for = (!node.is_ready()).then(|| seen.max(told).unwrap_or(0));
    Some(Site { look, node, now: world.now, down_for })
}

pub(super) fn take(turn: &mut Turn<'_>, group: &Group, member: &Member, stage: Stage) {
    let hand = Hand::new(group, member, stage, turn.world.now);
    turn.run.hands.insert(member.id.clone(), hand);
}

pub(super) fn start_draining(turn: &mut Turn<'_>, group: &Group, member: &Member) {
    let mut hand = Hand::new(group, member, Stage::Draining { left: 0 }, turn.world.now);
    let is_asked = !turn.run.options.cloud_only && group.is_in_kubernetes();
    match site(turn.run, turn.world, member).filter(|_| is_asked) {
        None => terminate(turn, group, member, &mut hand),
        Some(site) => {
            let left = ask(turn, group, member, &mut hand, &site);
            let told = format!("{} drains, pods to leave: {}", member.told(), left.len());
            let actions = &mut turn.decision.actions;
            let cordon = actions.iter_mut().rfind(|action| {
                matches!(&action.deed, Deed::Cordon { instance, .. } if *instance == member.id)
            });
            match cordon {
                Some(cordon) => cordon.done = Some(told),
                None => turn.decision.tell(&group.name, told),
            }
            hand.stage = Stage::Draining { left: left.len() };
            warn_of_losses(turn, group, &left);
        }
    }
    turn.run.hands.insert(member.id.clone(), hand);
}

/// Tells what a drain will cost, or why it may not end in time.
fn warn_of_losses(turn: &mut Turn<'_>, group: &Group, left: &[&Pod]) {
    let limit = turn.run.options.drain_timeout;
    for pod in left {
        let name = pod.full_name();
        if pod.owner.is_none() && !pod.has_ended() {
            let text = format!("pod {name} has no controller: nothing brings it back");
            turn.decision.warn(&group.name, text);
        }
        if let Some(grace) = pod.longest_end.filter(|grace| *grace > limit && !pod.has_ended()) {
            let text = format!(
                "pod {name} may take {} to end, and --drain-timeout is {}",
                span(grace),
                span(limit)
            );
            turn.decision.warn(&group.name, text);
        }
    }
}
