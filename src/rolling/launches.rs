//! New instances that do not become what they should: noticed as soon as AWS says so, or when
//! they take far longer than their peers did.

use super::Options;
use super::clock::span;
use super::run::{Lane, Run};
use super::world::{Group, Life, Member, Place, World};
use crate::resource::fleet::{Activity, ActivityOutcome, Time};

/// How many times longer than the slowest peer an instance may take.
const PATIENCE: i64 = 3;
/// It may always take so long, in seconds.
const LEAST: i64 = 300;
/// How long after a failed launch Auto Scaling is given to try again, in seconds.
const RETRY: i64 = 30;

/// How long after its launch an instance of the group must be a ready node at the latest, in
/// seconds: a multiple of what its peers took to join.
pub(crate) fn limit(group: &Group, options: &Options) -> Time {
    match slowest(group) {
        Some(slowest) => (slowest * PATIENCE).max(LEAST).min(options.validation_timeout.max(1)),
        None => options.validation_timeout,
    }
}

/// The longest time from launch to node among the group's instances.
fn slowest(group: &Group) -> Option<Time> {
    let took = group.members.iter().filter_map(|member| {
        let joined = member.node.as_ref()?.joined;
        let launched = member.machine.launched;
        (launched > 0 && joined >= launched).then(|| joined - launched)
    });
    took.max()
}

/// Why the group's new instances will not come to serve, if that is so.
pub(super) fn failure(run: &Run, lane: &Lane, world: &World, group: &Group) -> Option<String> {
    let is_new = |member: &Member| !run.broken.contains(&member.id);
    failed_launch(lane, world, group)
        .or_else(|| ended_again(run, lane, group))
        .or_else(|| never_serves(run, lane, world, group, is_new))
}

/// Remembers instances that are started while the group is updated, until they serve.
pub(super) fn note_newcomers(run: &mut Run, at: usize, group: &Group) {
    let is_new = |member: &&Member| {
        member.place == Place::Attached
            && !run.known.contains(&member.id)
            && !run.proven.contains(&member.id)
    };
    run.lanes[at].newcomers = group.live().filter(is_new).map(|m| m.id.clone()).collect();
}

/// A newcomer that went before it served, other than by our hand.
fn ended_again(run: &Run, lane: &Lane, group: &Group) -> Option<String> {
    let is_lost = |id: &&String| {
        let goes = group.member(id).is_none_or(|member| member.life == Life::Leaving);
        goes && !run.hands.contains_key(*id)
    };
    let lost = lane.newcomers.iter().find(is_lost)?;
    let reason = group.member(lost).and_then(|member| member.machine.reason.as_ref());
    let reason = reason.map_or_else(String::new, |reason| format!(": {reason}"));
    Some(format!("{lost} was started in place of another, and ended before it served{reason}"))
}

/// Why instances that run what the cluster says do not serve, those too that did not when the
/// update began.
pub(super) fn standing_failure(
    run: &Run,
    lane: &Lane,
    world: &World,
    group: &Group,
) -> Option<String> {
    never_serves(run, lane, world, group, |_| true)
}

fn failed_launch(lane: &Lane, world: &World, group: &Group) -> Option<String> {
    let attached = group.live().filter(|member| member.place == Place::Attached);
    if attached.count() >= group.target {
        return None;
    }
    let since = |activity: &&Activity| activity.is_launch && activity.started >= lane.began;
    let mut launches = group.activities.iter().filter(since);
    let newest = launches.next().filter(|newest| newest.outcome == ActivityOutcome::Failed)?;
    let is_second = launches.next().is_some_and(|one| one.outcome == ActivityOutcome::Failed);
    if !is_second && world.now - newest.started < RETRY {
        return None;
    }
    Some(format!(
        "Auto Scaling cannot launch instances for {}: {}",
        group.fleet_name, newest.message
    ))
}

fn never_serves(
    run: &Run,
    lane: &Lane,
    world: &World,
    group: &Group,
    is_meant: impl Fn(&Member) -> bool,
) -> Option<String> {
    if run.options.cloud_only || !group.is_in_kubernetes() {
        return None;
    }
    let limit = limit(group, &run.options);
    let is_late = |member: &&Member| {
        let age = world.now - member.machine.launched;
        let is_known_to_work = run.proven.contains(&member.id);
        is_meant(member) && !run.must_go(lane, member) && !is_known_to_work && age > limit
    };
    let late = group.live().find(is_late)?;
    let age = span(world.now - late.machine.launched);
    let usual = slowest(group).map(|time| format!(" (others took at most {})", span(time)));
    let usual = usual.unwrap_or_default();
    let because = late.machine.reason.as_ref().map(|reason| format!("; EC2 says: {reason}"));
    let because = because.unwrap_or_default();
    Some(match (&late.node, late.life) {
        (_, Life::Starting) => {
            format!("{} was launched {age} ago and is not in service{usual}{because}", late.id)
        }
        (None, _) => format!(
            "{} runs for {age} and has not become a node{usual}{because}; its log tells more: \
             aws ec2 get-console-output --latest --instance-id {}",
            late.id, late.id
        ),
        (Some(node), _) => {
            let of_node = node.not_ready.as_deref().unwrap_or("what must run on it does not");
            format!("node {} ({}) is not ready after {age}: {of_node}{because}", node.name, late.id)
        }
    })
}
