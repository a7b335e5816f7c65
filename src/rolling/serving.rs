//! Whether an instance does its work, and what it lacks where it does not.

use super::patience;
use super::run::{Lane, Run, key, of_instance};
use super::world::{Group, Life, Member, Place, Taint, World};
use crate::kubernetes::node::{self, Node};
use crate::kubernetes::validation::{Failure, FailureKind};

/// The effects of taints that keep pods off a node.
const KEEPS_OFF: [&str; 2] = ["NoSchedule", "NoExecute"];
/// Taints of nodes that are what they should be, whatever their group says.
const OF_ROLES: &str = "node-role.kubernetes.io/";
/// Taints that come and go with a node's state.
const OF_STATE: &str = "node.kubernetes.io/";
/// The taint of a node whose kubelet is silent.
const UNREACHABLE: &str = "node.kubernetes.io/unreachable";

/// What an instance lacks to do its work.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Lack {
    Service,
    Node,
    /// Why its node is not ready.
    Ready(String),
    /// Its node is cordoned.
    Pods,
    /// Its node has a taint that those of its group do not have.
    Untainted(String),
    /// A pod that it cannot do without does not run.
    Pod(String),
}

impl Run {
    pub(super) fn lack(&self, world: &World, group: &Group, member: &Member) -> Option<Lack> {
        if member.life != Life::InService {
            return Some(Lack::Service);
        }
        if self.options.cloud_only || !group.is_in_kubernetes() {
            return None;
        }
        let Some(node) = &member.node else { return Some(Lack::Node) };
        if let Some(reason) = &node.not_ready {
            return Some(Lack::Ready(reason.clone()));
        }
        // Pods of the node's own count, unless they failed everywhere before.
        let fails = |failure: &&Failure| {
            let failed_before =
                failure.kind == FailureKind::Pod && self.baseline.contains_key(&key(failure));
            of_instance(failure) == Some(&member.id) && !failed_before
        };
        if let Some(failing) = world.kubernetes.failures().iter().find(fails) {
            return Some(Lack::Pod(format!("{} {}", failing.name, failing.message)));
        }
        if node.is_cordoned {
            return Some(Lack::Pods);
        }
        let taint = self.strange_taint(group, member, node)?;
        Some(Lack::Untainted(taint.key.clone()))
    }

    /// A taint that keeps pods off a new node, and not off the old ones of its group.
    fn strange_taint<'a>(
        &self,
        group: &Group,
        member: &Member,
        node: &'a Node,
    ) -> Option<&'a node::Taint> {
        if self.is_old(group, member) {
            return None;
        }
        let peers = self.taints.get(&group.name);
        node.taints.iter().find(|taint| {
            let own = (taint.key.clone(), taint.effect.clone());
            let is_usual = taint.key.starts_with(OF_ROLES)
                || group.taints.contains(&own)
                || peers.is_some_and(|peers| peers.contains(&own));
            KEEPS_OFF.contains(&taint.effect.as_str()) && !is_usual
        })
    }

    /// Keeps which taints the old nodes of each group have.
    pub(super) fn learn_taints(&mut self, world: &World) {
        for group in &world.groups {
            let old = group.live().filter(|member| self.is_old(group, member));
            let nodes = old.filter_map(|member| member.node.as_ref());
            let nodes = nodes.filter(|node| node.is_ready() && !node.is_cordoned);
            let taints = nodes.flat_map(|node| &node.taints);
            let lasting = taints.filter(|taint| !taint.key.starts_with(OF_STATE));
            let lasting = lasting.map(|taint| (taint.key.clone(), taint.effect.clone()));
            let lasting: Vec<Taint> = lasting.collect();
            self.taints.entry(group.name.clone()).or_default().extend(lasting);
        }
    }

    fn is_old(&self, group: &Group, member: &Member) -> bool {
        let goes = |lane: &Lane| self.must_go(lane, member);
        !member.reasons.is_empty() || self.lane(&group.name).is_some_and(goes)
    }

    /// Whether an instance has done its work for long enough to be counted on.
    pub(super) fn serves(&self, member: &Member) -> bool {
        let streak = self.streaks.get(&member.id).copied().unwrap_or(0);
        let in_hand = self.hands.get(&member.id).is_none_or(|hand| hand.stage.serves());
        streak >= self.options.validate_count.max(1) && in_hand
    }

    /// Whether its operator has cordoned it: it is then not asked to serve, and does not fail.
    pub(super) fn is_set_aside(&self, member: &Member) -> bool {
        let is_theirs = |node: &Node| node.is_cordoned && !node.marks.cordon;
        member.node.as_ref().is_some_and(is_theirs) && !self.hands.contains_key(&member.id)
    }

    /// Sorts out the instances that were there when the update began and will not come to
    /// serve. Returns those that were not known to be so.
    pub(super) fn note_broken(&mut self, world: &World) -> Vec<String> {
        let mut found = Vec::new();
        for group in &world.groups {
            let limit = patience::limit(world, group, &self.options);
            let is_broken = |member: &&Member| {
                let nodes = member.node.as_ref();
                let is_silent = nodes.is_some_and(|node| {
                    !node.is_ready() && node.taints.iter().any(|taint| taint.key == UNREACHABLE)
                });
                let is_late = world.aws_now - member.machine.launched > limit;
                let was_there = self.known.contains(&member.id);
                let may_serve = self.serves(member) || self.proven.contains(&member.id);
                was_there && !may_serve && (is_late || is_silent || self.is_set_aside(member))
            };
            let broken = group.live().filter(is_broken).map(|member| member.id.clone());
            found.extend(broken.filter(|id| !self.broken.contains(id)));
        }
        self.broken.extend(found.iter().cloned());
        found
    }

    /// How a group stands.
    pub(super) fn count(&self, lane: &Lane, group: &Group) -> Count {
        let mut count = Count::default();
        for member in group.live() {
            match member.place {
                Place::Detached => count.detached += 1,
                Place::Attached | Place::Warm => count.attached += 1,
            }
            let goes = self.must_go(lane, member);
            if self.serves(member) {
                count.serving += 1;
                count.serving_detached += usize::from(member.place == Place::Detached);
                count.is_proven |= !goes;
            } else if self.is_set_aside(member) {
                count.aside += 1;
            } else if self.broken.contains(&member.id) {
                count.broken += 1;
            } else if !goes && !self.hands.contains_key(&member.id) {
                count.coming += 1;
            }
        }
        count.coming += group.target.saturating_sub(count.attached);
        count.allowance = count.aside + count.broken.min(lane.lacked);
        count
    }
}

/// The instances of a group, by how they stand.
#[derive(Debug, Default)]
pub(super) struct Count {
    pub(super) attached: usize,
    pub(super) detached: usize,
    pub(super) serving: usize,
    /// Those of them that are detached.
    pub(super) serving_detached: usize,
    /// What is to come to serve: new instances, and those that Auto Scaling has yet to launch.
    pub(super) coming: usize,
    /// Cordoned by their operator.
    aside: usize,
    /// Those that did not serve when the update began, and will not.
    broken: usize,
    /// How many cannot be asked to serve, since nothing replaces what does not.
    pub(super) allowance: usize,
    /// Whether one serves that is as the cluster says now.
    pub(super) is_proven: bool,
}
