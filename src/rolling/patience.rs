//! How long new instances may take to become what they should.

use super::Options;
use super::world::{Group, World};
use crate::core::time::Time;

/// How many times longer than the slowest peer an instance may take.
const TIMES: i64 = 3;
/// It may always take so long, in seconds.
const LEAST: i64 = 300;

/// How long after its launch an instance of the group must be a ready node at the latest, in
/// seconds: a multiple of what its peers took to join.
pub(super) fn limit(world: &World, group: &Group, options: &Options) -> Time {
    match slowest(world, group) {
        Some(slowest) => (slowest * TIMES).max(LEAST).min(options.validation_timeout.max(1)),
        None => options.validation_timeout,
    }
}

/// The longest time from launch to node among the group's instances. AWS tells the one and the
/// API's server the other, each by its own clock; both told the time of this look.
pub(super) fn slowest(world: &World, group: &Group) -> Option<Time> {
    let ahead = world.cluster_now()? - world.aws_now;
    let took = group.members.iter().filter_map(|member| {
        let joined = member.node.as_ref()?.joined - ahead;
        let launched = member.machine.launched;
        (launched > 0 && joined >= launched).then(|| joined - launched)
    });
    took.max()
}
