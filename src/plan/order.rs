//! The order of changes: each behind what it needs.
//!
//! One walk serves planning, which sorts by it, and carrying out, which begins what is ready.
//! What is waited for counts down (Kahn, "Topological sorting of large networks", 1962), so
//! that the walk is linear in changes and needs. To wait for all of a kind is one count too.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::fmt;

use super::{Action, Change};
use crate::core::kind::{Kind, ResourceId};
use crate::desired::Notice;

/// Sorts changes by kind and name, each behind what it needs.
///
/// # Errors
/// Some need each other, so that there is no such order; they are sorted by kind and name.
pub(super) fn sort(changes: &mut Vec<Change>) -> Result<(), Cycle> {
    changes.sort_by(|left, right| left.id.cmp(&right.id));
    let positions = positions(changes.iter())?;
    let mut sorted: Vec<Option<Change>> = changes.drain(..).map(Some).collect();
    changes.extend(positions.into_iter().filter_map(|position| sorted[position].take()));
    Ok(())
}

/// Asserts that the changes have an order.
///
/// # Errors
/// Some need each other.
pub(super) fn check<'a>(changes: impl Iterator<Item = &'a Change>) -> Result<(), Cycle> {
    positions(changes).map(drop)
}

fn positions<'a>(changes: impl Iterator<Item = &'a Change>) -> Result<Vec<usize>, Cycle> {
    let mut walk = Walk::new(changes);
    let mut positions = Vec::with_capacity(walk.changes.len());
    while let Some(step) = walk.begin() {
        walk.end(&step);
        positions.push(step.position);
    }
    match walk.cycle() {
        Some(cycle) => Err(cycle),
        None => Ok(positions),
    }
}

/// Changes that need each other, each the one behind it, and the last one the first.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Cycle(Vec<ResourceId>);

impl fmt::Display for Cycle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for id in &self.0 {
            write!(f, "{id} needs ")?;
        }
        self.0.first().map_or(Ok(()), |first| first.fmt(f))
    }
}

impl std::error::Error for Cycle {}

impl Cycle {
    /// Why a plan that holds them cannot be carried out.
    pub(super) fn refusal(&self) -> Notice {
        Notice {
            object: self.0.first().map(ToString::to_string).unwrap_or_default(),
            message: format!("{self}, so that none of them can come first"),
            next: "this is a fault of kapstan: report it with this plan, as -o json prints it"
                .to_owned(),
        }
    }
}

/// What is waited for: whatever changes one resource, or all of a kind that is deleted, or that
/// comes to be or is changed.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Target<'a> {
    Resource(&'a ResourceId),
    Kind { kind: Kind, is_deleted: bool },
}

impl<'a> Target<'a> {
    /// What a change is part of.
    fn of(change: &'a Change) -> [Self; 2] {
        [Self::Resource(&change.id), Self::all(change.id.kind, change)]
    }

    /// What a change waits for. What is deleted waits for what comes to be too, since that may be
    /// what lets go of it.
    fn awaited_by(change: &'a Change) -> impl Iterator<Item = Self> {
        let is_deleted = change.action == Action::Delete;
        let of_kind = |kind: &Kind, is_deleted| Self::Kind { kind: *kind, is_deleted };
        let comes = change.behind.iter().map(move |kind| of_kind(kind, false));
        let goes = change.behind.iter().filter(move |_| is_deleted);
        let goes = goes.map(move |kind| of_kind(kind, true));
        change.needs.iter().map(Self::Resource).chain(comes).chain(goes)
    }

    fn all(kind: Kind, like: &Change) -> Self {
        Self::Kind { kind, is_deleted: like.action == Action::Delete }
    }
}

/// The changes that a target stands for, and those that wait for it, by position.
#[derive(Debug, Default)]
struct Gate {
    members: Vec<usize>,
    unfinished: usize,
    waiting: Vec<usize>,
}

/// A change that may be done now.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step<'a> {
    position: usize,
    pub(crate) change: &'a Change,
    /// Whether something that it needs was done before it.
    pub(crate) follows: bool,
}

/// A walk over changes, from what is ready to what that makes ready.
#[derive(Debug)]
pub(crate) struct Walk<'a> {
    changes: Vec<&'a Change>,
    gates: BTreeMap<Target<'a>, Gate>,
    /// How many gates are closed before each change.
    closed: Vec<usize>,
    follows: Vec<bool>,
    begun: Vec<bool>,
    /// Of several, the first comes first.
    ready: BinaryHeap<Reverse<usize>>,
    #[cfg(test)]
    steps: usize,
}

impl<'a> Walk<'a> {
    pub(crate) fn new(changes: impl Iterator<Item = &'a Change>) -> Self {
        let changes: Vec<&Change> = changes.collect();
        let mut walk = Self {
            gates: BTreeMap::new(),
            closed: vec![0; changes.len()],
            follows: vec![false; changes.len()],
            begun: vec![false; changes.len()],
            ready: BinaryHeap::new(),
            changes,
            #[cfg(test)]
            steps: 0,
        };
        for position in 0..walk.changes.len() {
            for target in Target::of(walk.changes[position]) {
                let gate = walk.gates.entry(target).or_default();
                gate.members.push(position);
                gate.unfinished += 1;
                walk.count();
            }
        }
        for position in 0..walk.changes.len() {
            for target in Target::awaited_by(walk.changes[position]) {
                walk.count();
                // What is not planned is not waited for.
                if let Some(gate) = walk.gates.get_mut(&target) {
                    gate.waiting.push(position);
                    walk.closed[position] += 1;
                    walk.follows[position] = true;
                }
            }
            if walk.closed[position] == 0 {
                walk.ready.push(Reverse(position));
            }
        }
        walk
    }

    /// Takes the first change that waits for nothing, if there is one by now.
    pub(crate) fn begin(&mut self) -> Option<Step<'a>> {
        let Reverse(position) = self.ready.pop()?;
        self.count();
        self.begun[position] = true;
        let (change, follows) = (self.changes[position], self.follows[position]);
        Some(Step { position, change, follows })
    }

    /// Lets what waited for a change go on.
    pub(crate) fn end(&mut self, step: &Step<'a>) {
        for target in Target::of(step.change) {
            self.count();
            let Some(gate) = self.gates.get_mut(&target) else { continue };
            gate.unfinished -= 1;
            if gate.unfinished > 0 {
                continue;
            }
            for position in std::mem::take(&mut gate.waiting) {
                self.count();
                self.closed[position] -= 1;
                if self.closed[position] == 0 {
                    self.ready.push(Reverse(position));
                }
            }
        }
    }

    /// What was never begun, in the order in which it was given.
    pub(crate) fn not_begun(&self) -> impl Iterator<Item = &'a Change> {
        let changes = self.changes.iter().zip(&self.begun);
        changes.filter(|(_, begun)| !**begun).map(|(change, _)| *change)
    }

    /// The changes that keep each other from being begun, once nothing more is ready.
    fn cycle(&self) -> Option<Cycle> {
        let mut next = self.begun.iter().position(|begun| !begun)?;
        let mut path: Vec<usize> = Vec::new();
        let mut seen: BTreeMap<usize, usize> = BTreeMap::new();
        while !seen.contains_key(&next) {
            seen.insert(next, path.len());
            path.push(next);
            next = self.obstacle(next)?;
        }
        let circle = path.split_off(*seen.get(&next)?);
        let ids = circle.into_iter().map(|position| self.changes[position].id.clone());
        Some(Cycle(ids.collect()))
    }

    /// The first of what a change waits for that was not begun.
    fn obstacle(&self, position: usize) -> Option<usize> {
        let mut gates = Target::awaited_by(self.changes[position])
            .filter_map(|target| self.gates.get(&target))
            .filter(|gate| gate.unfinished > 0);
        gates.find_map(|gate| gate.members.iter().copied().find(|member| !self.begun[*member]))
    }

    /// Tests count what the walk looks at.
    fn count(&mut self) {
        #[cfg(test)]
        {
            self.steps += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;
    use crate::autoscaling::autoscaling_group::AutoscalingGroup;
    use crate::autoscaling::load_balancer_attachment::LoadBalancerAttachment;
    use crate::catalogue::kinds::Write;
    use crate::core::belongings::Belonging;
    use crate::core::drift::Drift;
    use crate::core::id::Id;
    use crate::core::whose::Whose;
    use crate::ec2::instance::Instance;
    use crate::ec2::key_pair::SshKey;
    use crate::ec2::launch_template::LaunchTemplate;
    use crate::ec2::volume::VolumeDeletion;
    use crate::elb::load_balancer::LoadBalancer;
    use crate::iam::instance_profile::IamInstanceProfile;
    use crate::plan::teardown;
    use crate::route53::dns_name::DnsName;
    use crate::vpc::route::Route;
    use crate::vpc::route_table::RouteTable;
    use crate::vpc::security_group::SecurityGroup;
    use crate::vpc::security_group_rule::SecurityGroupRule;
    use crate::vpc::subnet::Subnet;
    use crate::vpc::vpc::Vpc;
    use crate::vpc::vpc::VpcDeletion;

    fn id(kind: Kind, name: impl ToString) -> ResourceId {
        ResourceId::new(kind, name.to_string())
    }

    fn change(id: ResourceId, needs: Vec<ResourceId>) -> Change {
        let write = Some(Write::Delete(VpcDeletion(Id::imagined(&id.name)).into()));
        let (drift, reason) = (Drift::default(), String::new());
        Change { id, action: Action::Create, drift, reason, needs, behind: &[], write }
    }

    /// `(name, what it needs)`, all of one kind.
    fn changes<const N: usize>(all: [(&str, &[&str]); N]) -> Vec<Change> {
        let of = |name: &&str| id(Subnet::KIND, *name);
        all.map(|(name, needs)| change(of(&name), needs.iter().map(of).collect())).to_vec()
    }

    fn names(changes: &[Change]) -> Vec<&str> {
        changes.iter().map(|change| change.id.name.as_str()).collect()
    }

    #[test]
    fn changes_are_sorted_by_name_behind_what_they_need() {
        let mut all = changes([("d", &[]), ("a", &["c"]), ("b", &["elsewhere"]), ("c", &["d"])]);
        sort(&mut all).unwrap();
        assert_eq!(names(&all), ["b", "d", "c", "a"]);
    }

    #[test]
    fn what_waits_for_a_kind_waits_for_all_of_it_that_goes_its_way() {
        let mut table = change(id(RouteTable::KIND, "table"), Vec::new());
        table.behind = &[Vpc::KIND, Subnet::KIND];
        let mut deleted = change(id(Subnet::KIND, "deleted"), vec![table.id.clone()]);
        deleted.action = Action::Delete;
        let vpc = id(Vpc::KIND, "vpc");
        let late = change(id(Subnet::KIND, "late"), vec![id(SshKey::KIND, "key")]);
        let key = change(id(SshKey::KIND, "key"), Vec::new());
        let mut all = vec![table, deleted, late, change(vpc, Vec::new()), key];
        sort(&mut all).unwrap();
        assert_eq!(names(&all), ["vpc", "key", "late", "table", "deleted"]);
    }

    #[test]
    fn what_goes_waits_for_what_comes_to_be_of_a_kind_and_for_what_goes_of_it() {
        let mut balancer = change(id(LoadBalancer::KIND, "gone"), Vec::new());
        balancer.action = Action::Delete;
        balancer.behind = &[DnsName::KIND, LoadBalancerAttachment::KIND];
        let mut record = change(id(DnsName::KIND, "gone"), Vec::new());
        record.action = Action::Delete;
        let moved = change(id(DnsName::KIND, "moved"), vec![id(LoadBalancer::KIND, "new")]);
        let new = change(id(LoadBalancer::KIND, "new"), Vec::new());
        let mut all = vec![balancer, record, moved, new];
        sort(&mut all).unwrap();
        let told: Vec<String> = all.iter().map(|change| change.id.to_string()).collect();
        assert_eq!(
            told,
            [
                "ClassicLoadBalancer/new", "DNSName/gone", "DNSName/moved",
                "ClassicLoadBalancer/gone"
            ]
        );
    }

    #[test]
    fn a_cycle_is_named_without_what_only_leads_to_it() {
        let mut all =
            changes([("a", &["b"]), ("b", &["c"]), ("c", &["d"]), ("d", &["b"]), ("e", &[])]);
        let cycle = sort(&mut all).unwrap_err();
        assert_eq!(cycle.to_string(), "Subnet/b needs Subnet/c needs Subnet/d needs Subnet/b");
        assert_eq!(check(changes([("a", &["a"])]).iter()), Err(Cycle(vec![id(Subnet::KIND, "a")])));
    }

    #[test]
    fn a_cycle_through_a_kind_is_named() {
        let mut group = change(id(SecurityGroup::KIND, "group"), Vec::new());
        group.behind = &[Subnet::KIND];
        let subnet = change(id(Subnet::KIND, "subnet"), vec![group.id.clone()]);
        let cycle = sort(&mut vec![group, subnet]).unwrap_err();
        assert_eq!(
            cycle.to_string(),
            "Subnet/subnet needs SecurityGroup/group needs Subnet/subnet"
        );
    }

    /// How many steps it takes to walk over changes with this many under way at once.
    fn steps(changes: &[Change], at_once: usize) -> usize {
        let mut walk = Walk::new(changes.iter());
        let mut running = VecDeque::new();
        let mut done = 0;
        loop {
            while running.len() < at_once
                && let Some(step) = walk.begin()
            {
                running.push_back(step);
            }
            let Some(step) = running.pop_front() else { break };
            walk.end(&step);
            done += 1;
        }
        assert_eq!(done, changes.len());
        assert_eq!(walk.not_begun().count(), 0);
        walk.steps
    }

    /// What a cluster with this many groups has beside its network: templates that wait for
    /// groups, instances that wait for them too, and what waits for those.
    fn owned(groups: usize) -> Vec<Belonging> {
        let one = |kind, name: String| {
            Belonging::new(id(kind, &name), Whose::Owned, VolumeDeletion(Id::imagined(name)))
        };
        let mut owned = vec![one(Vpc::KIND, "vpc".to_owned())];
        for kind in [Subnet::KIND, SecurityGroup::KIND, IamInstanceProfile::KIND, Instance::KIND] {
            owned.extend((0..3).map(|index| one(kind, index.to_string())));
        }
        for index in 0..groups {
            owned.push(one(LaunchTemplate::KIND, format!("pool{index:04}")));
            owned.push(one(AutoscalingGroup::KIND, format!("pool{index:04}")));
        }
        owned
    }

    /// A cluster with this many groups as it is built.
    fn wanted(groups: usize) -> Vec<Change> {
        let mut all: Vec<Change> = [Subnet::KIND, Route::KIND, SecurityGroupRule::KIND]
            .into_iter()
            .flat_map(|kind| (0..30).map(move |index| change(id(kind, index), Vec::new())))
            .collect();
        for index in 0..groups {
            let template = id(LaunchTemplate::KIND, index);
            let needs = vec![template.clone(), id(Subnet::KIND, 1), id(Subnet::KIND, 2)];
            let mut group = change(id(AutoscalingGroup::KIND, index), needs);
            group.behind = &[Route::KIND, SecurityGroupRule::KIND];
            all.extend([group, change(template, Vec::new())]);
        }
        all
    }

    fn assert_linear(what: &str, make: impl Fn(usize) -> Vec<Change>) {
        for at_once in [1, 8] {
            let [few, more, many] = [100, 200, 1000].map(|groups| steps(&make(groups), at_once));
            let told = format!("{what}, {at_once} at once: {few}, {more}, {many} steps");
            assert!(more * 10 <= few * 24 && many <= few * 12, "{told}");
        }
    }

    #[test]
    fn steps_to_build_grow_with_groups_and_no_faster() {
        assert_linear("plan", |groups| {
            let mut changes = wanted(groups);
            sort(&mut changes).unwrap();
            changes
        });
    }

    #[test]
    fn steps_to_delete_grow_with_groups_and_no_faster() {
        assert_linear("teardown", |groups| {
            let plan = teardown::make("dev.example.com", "", "", owned(groups));
            assert_eq!(plan.refusals, []);
            plan.changes
        });
    }
}
