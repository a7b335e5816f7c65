//! New instances that do not become what they should: noticed as soon as AWS says so, or when
//! they take far longer than their peers did.

use super::clock::span;
use super::patience;
use super::run::{Lane, Run};
use super::serving::Lack;
use super::world::{Group, Life, Member, Place, World};
use crate::autoscaling::fleet::{Activity, ActivityOutcome};
use crate::kubernetes::node::Node;

/// How long after a failed launch Auto Scaling is given to try again, in seconds.
const RETRY: i64 = 30;

/// Why the group's new instances will not come to serve, if that is so.
pub(super) fn failure(run: &Run, lane: &Lane, world: &World, group: &Group) -> Option<String> {
    failed_launch(lane, world, group)
        .or_else(|| ended_again(run, lane, group))
        .or_else(|| never_serves(run, lane, world, group))
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

fn failed_launch(lane: &Lane, world: &World, group: &Group) -> Option<String> {
    let attached = group.live().filter(|member| member.place == Place::Attached);
    if attached.count() >= group.target {
        return None;
    }
    let since = |activity: &&Activity| activity.is_launch && activity.started >= lane.began_at_aws;
    let mut launches = group.activities.iter().filter(since);
    let newest = launches.next().filter(|newest| newest.outcome == ActivityOutcome::Failed)?;
    let is_second = launches.next().is_some_and(|one| one.outcome == ActivityOutcome::Failed);
    if !is_second && world.aws_now - newest.started < RETRY {
        return None;
    }
    Some(format!(
        "Auto Scaling cannot launch instances for {}: {}",
        group.fleet_name, newest.message
    ))
}

/// A new instance that takes too long. What was there before and did not serve then is none,
/// but for one that never joined where no other of its kind serves: the next would not either.
fn never_serves(run: &Run, lane: &Lane, world: &World, group: &Group) -> Option<String> {
    if run.options.cloud_only || !group.is_in_kubernetes() {
        return None;
    }
    let limit = patience::limit(world, group, &run.options);
    let is_proven = run.count(lane, group).is_proven;
    let late = group.live().find(|member| {
        let age = world.aws_now - member.machine.launched;
        let is_meant = match run.broken.contains(&member.id) {
            true => member.node.is_none() && !is_proven,
            false => !run.is_set_aside(member),
        };
        let is_done = run.must_go(lane, member) || run.proven.contains(&member.id);
        is_meant && !is_done && age > limit && member.place != Place::Warm
    })?;
    Some(lateness(run, world, group, late))
}

/// What the first of the group's new instances lacks that does not serve.
pub(super) fn lacking(run: &Run, lane: &Lane, world: &World, group: &Group) -> Option<String> {
    let mut new = group.live().filter(|member| !run.must_go(lane, member));
    let first = new.find(|member| !run.serves(member))?;
    Some(lateness(run, world, group, first))
}

fn lateness(run: &Run, world: &World, group: &Group, late: &Member) -> String {
    let id = &late.id;
    let age = span(world.aws_now - late.machine.launched);
    let usual = patience::slowest(world, group);
    let usual = usual.map(|time| format!(" (others took at most {})", span(time)));
    let usual = usual.unwrap_or_default();
    let because = late.machine.reason.as_ref().map(|reason| format!("; EC2 says: {reason}"));
    let because = because.unwrap_or_default();
    let Some(node) = &late.node else {
        if late.life == Life::Starting {
            return format!("{id} was launched {age} ago and is not in service{usual}{because}");
        }
        return match namesake(world, late) {
            Some(node) => format!(
                "{id} runs for {age} and is no node of its own: the Node {} stands for {}, which \
                 is gone, and has its marks; delete it (kubectl delete node {}), and then end {id}",
                node.name,
                node.instance.as_deref().unwrap_or("no instance"),
                node.name
            ),
            None => format!(
                "{id} runs for {age} and has not become a node{usual}{because}; its log tells \
                 more: aws ec2 get-console-output --latest --instance-id {id}"
            ),
        };
    };
    let node = format!("node {} ({id})", node.name);
    match run.lack(world, group, late) {
        None => format!("{node} has not served for long enough after {age}{because}"),
        Some(Lack::Service | Lack::Node) => {
            format!("{id} was launched {age} ago and is not in service{usual}{because}")
        }
        Some(Lack::Ready(why)) => format!("{node} is not ready after {age}: {why}{because}"),
        Some(Lack::Pods) => format!("{node} is still cordoned after {age}{because}"),
        Some(Lack::Untainted(taint)) => format!(
            "{node} takes no pods after {age}: it has the taint {taint}, which the old nodes of \
             its group do not have"
        ),
        Some(Lack::Pod(pod)) => {
            format!("{node} does not run what it must after {age}: {pod}{because}")
        }
    }
}

/// A Node of the name that an instance would have, which stands for one that is gone.
fn namesake<'a>(world: &'a World, member: &Member) -> Option<&'a Node> {
    let is_there = |id: &str| {
        let mut members = world.groups.iter().flat_map(|group| group.live());
        members.any(|one| one.id == id)
    };
    let nodes = &world.kubernetes.look()?.nodes;
    nodes.iter().find(|node| {
        let is_named = member.is_called(node);
        is_named && node.instance.as_deref().is_some_and(|id| id != member.id && !is_there(id))
    })
}
