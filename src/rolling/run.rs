//! What an update remembers from one look to the next: since when things wait, and what was
//! there when it began. All of it may be lost; the next run starts from what it finds.

use std::collections::{BTreeMap, BTreeSet};

use super::launches;
use super::world::{Group, Life, Member, Place, World};
use super::{Choice, Options};
use crate::kubernetes::validation::{Failure, FailureKind};
use crate::resource::fleet::Time;
use crate::spec::instance_group::Role;

#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) options: Options,
    pub(crate) lanes: Vec<Lane>,
    /// The instances being replaced, by id.
    pub(crate) hands: BTreeMap<String, Hand>,
    /// What failed already when the update began, how often each.
    pub(crate) baseline: BTreeMap<String, usize>,
    /// The instances that were there when it began.
    pub(crate) known: BTreeSet<String>,
    /// Those of them that did not serve, though they had had the time to.
    pub(crate) broken: BTreeSet<String>,
    /// Those that served at some look, so that they are known to be able to.
    pub(crate) proven: BTreeSet<String>,
    /// For how many looks in a row each instance has served.
    pub(crate) streaks: BTreeMap<String, u32>,
    /// Since when Kubernetes does not answer.
    pub(crate) lost_since: Option<Time>,
    /// The user asked to stop.
    pub(crate) is_stopping: bool,
}

/// The update of one group.
#[derive(Clone, Debug)]
pub(crate) struct Lane {
    pub(crate) group: String,
    pub(crate) state: LaneState,
    pub(crate) began: Time,
    pub(crate) ended: Time,
    /// The instances to replace when it began; more may come to need it.
    pub(crate) chosen: BTreeSet<String>,
    /// How many of the group did not serve when the update began, though nothing replaces
    /// them: the update cannot be asked to keep more serving than did before.
    pub(crate) allowance: usize,
    pub(crate) total: usize,
    pub(crate) replaced: usize,
    /// For how many looks in a row nothing has newly failed that concerns the group.
    pub(crate) passes: u32,
    /// The same since its last instance went.
    pub(crate) settled: u32,
    /// What newly fails and concerns it, as of the last look.
    pub(crate) failing: Vec<Failure>,
    /// What failed last, though it may not any more: some things fail now and then.
    pub(crate) last_failing: Vec<Failure>,
    /// Its instances that were started since, and have not served yet.
    pub(crate) newcomers: BTreeSet<String>,
    /// When something last moved on.
    pub(crate) moved: Time,
    /// How often in a row something could not be done to its instances, and why.
    pub(crate) failures: (u32, String),
    /// What it waits for.
    pub(crate) waits_for: Option<String>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum LaneState {
    Waiting,
    Running,
    Done,
    /// Only marked, as `drainAndTerminate: false` asks.
    Marked,
    Stopped(String),
    /// Not begun, since what must come before it stopped.
    Skipped,
}

/// An instance being replaced.
#[derive(Clone, Debug)]
pub(crate) struct Hand {
    pub(crate) group: String,
    /// The instance with its node, as people are told of it.
    pub(crate) told: String,
    pub(crate) stage: Stage,
    pub(crate) since: Time,
    /// When it was last told what its drain waits for, or that it is to terminate.
    pub(crate) warned: Option<Time>,
}

impl Hand {
    pub(crate) fn new(group: &Group, member: &Member, stage: Stage, since: Time) -> Self {
        Self { group: group.name.clone(), told: member.told(), stage, since, warned: None }
    }
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Stage {
    /// Out of its group; another starts in its place.
    Detached,
    /// Its pods are asked to leave; how many are left.
    Draining { left: usize },
    /// Empty; connections may still close.
    Drained,
    /// Told to terminate.
    Terminating,
    /// Gone; its place is kept free for the interval.
    Gone,
}

impl Stage {
    /// Whether the instance still does its work.
    pub(crate) fn serves(&self) -> bool {
        *self == Self::Detached
    }
}

impl Run {
    pub(crate) fn new(options: Options, world: &World) -> Self {
        let mut run = Self {
            options,
            lanes: Vec::new(),
            hands: BTreeMap::new(),
            baseline: BTreeMap::new(),
            known: BTreeSet::new(),
            broken: BTreeSet::new(),
            proven: BTreeSet::new(),
            streaks: BTreeMap::new(),
            lost_since: None,
            is_stopping: false,
        };
        let settled = world.kubernetes.failures().iter().filter(|one| !run.is_young(world, one));
        run.baseline = count(settled);
        for group in &world.groups {
            run.known.extend(group.members.iter().map(|member| member.id.clone()));
            let working = group.live().filter(|member| run.works(world, group, member));
            let working: Vec<String> = working.map(|member| member.id.clone()).collect();
            let enough = run.options.validate_count.max(1);
            run.streaks.extend(working.into_iter().map(|id| (id, enough)));
        }
        for group in &world.groups {
            let allowance = run.take_stock(world, group);
            if run.options.groups.contains(&group.name) {
                run.lanes.push(run.lane_for(world, group, allowance));
            }
        }
        run
    }

    /// Sorts the instances of a group into those that serve and those that do not, though they
    /// had the time to. Returns how many the group lacks that nothing will bring.
    fn take_stock(&mut self, world: &World, group: &Group) -> usize {
        let limit = launches::limit(group, &self.options);
        let (mut coming, mut serving, mut broken, mut attached) = (0, 0, 0, 0);
        for member in group.live() {
            attached += usize::from(member.place == Place::Attached);
            if self.serves(member) {
                serving += 1;
                self.proven.insert(member.id.clone());
            } else if world.now - member.machine.launched > limit {
                broken += 1;
                self.broken.insert(member.id.clone());
            } else {
                coming += 1;
            }
        }
        coming += group.target.saturating_sub(attached);
        broken.min(group.target.saturating_sub(serving + coming))
    }

    fn lane_for(&self, world: &World, group: &Group, allowance: usize) -> Lane {
        let is_chosen = |member: &&Member| match &self.options.choice {
            Choice::Needing => false,
            Choice::All => true,
            Choice::One(id) => member.id == *id,
        };
        let chosen = group.members.iter().filter(is_chosen).map(|member| member.id.clone());
        let chosen: BTreeSet<String> = chosen.collect();
        let total = group.members.iter().filter(|member| self.wants(&chosen, member)).count();
        Lane {
            group: group.name.clone(),
            state: if total == 0 { LaneState::Done } else { LaneState::Waiting },
            began: world.now,
            ended: world.now,
            chosen,
            allowance,
            total,
            replaced: 0,
            passes: 0,
            settled: self.options.validate_count,
            failing: Vec::new(),
            last_failing: Vec::new(),
            newcomers: BTreeSet::new(),
            moved: world.now,
            failures: (0, String::new()),
            waits_for: None,
        }
    }

    fn wants(&self, chosen: &BTreeSet<String>, member: &Member) -> bool {
        let needs = self.options.choice == Choice::Needing && !member.reasons.is_empty();
        member.life != Life::Leaving && (needs || chosen.contains(&member.id))
    }

    /// Whether an instance is to be replaced.
    pub(crate) fn must_go(&self, lane: &Lane, member: &Member) -> bool {
        self.wants(&lane.chosen, member)
    }

    /// Whether an instance does its work at this look.
    fn works(&self, world: &World, group: &Group, member: &Member) -> bool {
        if member.life != Life::InService {
            return false;
        }
        if self.options.cloud_only || !group.is_in_kubernetes() {
            return true;
        }
        // Pods of the node's own count, unless they failed everywhere before.
        let fails = |failure: &Failure| {
            let failed_before =
                failure.kind == FailureKind::Pod && self.baseline.contains_key(&key(failure));
            of_instance(failure) == Some(&member.id) && !failed_before
        };
        let ready = member.node.as_ref().is_some_and(|node| node.is_ready() && !node.is_cordoned);
        ready && !world.kubernetes.failures().iter().any(fails)
    }

    /// Whether an instance has done its work for long enough to be counted on.
    pub(crate) fn serves(&self, member: &Member) -> bool {
        let streak = self.streaks.get(&member.id).copied().unwrap_or(0);
        let in_hand = self.hands.get(&member.id).is_none_or(|hand| hand.stage.serves());
        streak >= self.options.validate_count.max(1) && in_hand
    }

    /// Takes in what a look found: who serves, and what newly fails.
    pub(crate) fn take_in(&mut self, world: &World) {
        let mut streaks = BTreeMap::new();
        for group in &world.groups {
            for member in group.live() {
                if self.works(world, group, member) {
                    let before = self.streaks.get(&member.id).copied().unwrap_or(0);
                    streaks.insert(member.id.clone(), before.saturating_add(1));
                }
            }
        }
        self.streaks = streaks;
        let serving = world.groups.iter().flat_map(Group::live).filter(|m| self.serves(m));
        let serving: Vec<String> = serving.map(|member| member.id.clone()).collect();
        self.proven.extend(serving);
        let mut known = self.baseline.clone();
        let mut failing = Vec::new();
        for failure in world.kubernetes.failures() {
            if let Some(left) = known.get_mut(&key(failure)).filter(|left| **left > 0) {
                *left -= 1;
            } else if !self.is_of_the_update(world, failure) {
                failing.push(failure.clone());
            }
        }
        for lane in &mut self.lanes {
            let concerns = |failure: &&Failure| concerns(world, &lane.group, failure);
            lane.failing = failing.iter().filter(concerns).cloned().collect();
            if lane.failing.is_empty() {
                lane.passes = lane.passes.saturating_add(1);
                lane.settled = lane.settled.saturating_add(1);
            } else {
                lane.passes = 0;
                lane.settled = 0;
                lane.last_failing.clone_from(&lane.failing);
            }
        }
    }

    /// Whether a failure is what an update looks like: instances in hand, and those that have
    /// just been started.
    fn is_of_the_update(&self, world: &World, failure: &Failure) -> bool {
        if failure.kind == FailureKind::InstanceGroup {
            let name = failure.group.as_deref();
            let lane = self.lanes.iter().find(|lane| Some(lane.group.as_str()) == name);
            return lane.is_some_and(|lane| lane.state == LaneState::Running);
        }
        let is_in_hand = of_instance(failure).is_some_and(|id| self.hands.contains_key(id));
        is_in_hand || self.is_young(world, failure)
    }

    /// Whether a failure is that of an instance which may still come to serve.
    fn is_young(&self, world: &World, failure: &Failure) -> bool {
        let Some(id) = of_instance(failure) else { return false };
        let group = world.groups.iter().find(|group| group.member(id).is_some());
        group.is_some_and(|group| {
            let limit = launches::limit(group, &self.options);
            let age = group.member(id).map(|member| world.now - member.machine.launched);
            age.is_some_and(|age| age <= limit) && !self.proven.contains(id)
        })
    }

    /// Lets what fails now count as having failed before.
    pub(crate) fn tolerate_failing(&mut self, at: usize) {
        for failure in std::mem::take(&mut self.lanes[at].last_failing) {
            *self.baseline.entry(key(&failure)).or_default() += 1;
        }
        self.lanes[at].passes = self.options.validate_count;
        self.lanes[at].settled = self.options.validate_count;
    }

    /// Takes in that something could not be done to an instance.
    pub(crate) fn note_failure(&mut self, instance: &str, was_detach: bool, error: &str) {
        let Some(hand) = self.hands.get(instance) else { return };
        let group = hand.group.clone();
        if was_detach {
            self.hands.remove(instance);
        } else if let Some(hand) = self.hands.get_mut(instance) {
            hand.stage = Stage::Drained;
        }
        if let Some(lane) = self.lanes.iter_mut().find(|lane| lane.group == group) {
            lane.failures = (lane.failures.0 + 1, error.to_owned());
        }
    }

    pub(crate) fn hands_of<'a>(
        &'a self,
        group: &'a str,
    ) -> impl Iterator<Item = (&'a String, &'a Hand)> {
        self.hands.iter().filter(move |(_, hand)| hand.group == group)
    }

    pub(crate) fn lane(&self, group: &str) -> Option<&Lane> {
        self.lanes.iter().find(|lane| lane.group == group)
    }

    /// Whether there is something left to replace.
    pub(crate) fn has_more(&self) -> bool {
        let is_open = |lane: &&Lane| matches!(lane.state, LaneState::Waiting | LaneState::Running);
        self.lanes.iter().filter(is_open).any(|lane| lane.replaced < lane.total)
    }

    pub(crate) fn is_over(&self) -> bool {
        let ended = |lane: &Lane| !matches!(lane.state, LaneState::Waiting | LaneState::Running);
        self.lanes.iter().all(ended)
    }
}

/// The instance that alone a failure concerns: its own, its node's, or that of a pod which the
/// node cannot do without. A pod that the cluster cannot do without may run anywhere.
fn of_instance(failure: &Failure) -> Option<&String> {
    let is_everyones = failure.kind == FailureKind::Pod && failure.group.is_none();
    failure.instance.as_ref().filter(|_| !is_everyones)
}

/// Whether a failure holds a group up: one of its own, of the masters, or of all. Other groups
/// have their own ways to fail (kops, `hasFailureRelevantToGroup`).
fn concerns(world: &World, group: &str, failure: &Failure) -> bool {
    let Some(failing) = &failure.group else { return true };
    let of_masters =
        world.groups.iter().any(|one| one.name == *failing && one.role == Role::Master);
    failing == group || of_masters
}

/// What fails, whichever pod of its controller it is this time.
fn key(failure: &Failure) -> String {
    format!("{}/{}", failure.kind.name(), failure.identity)
}

fn count<'a>(failures: impl Iterator<Item = &'a Failure>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for failure in failures {
        *counts.entry(key(failure)).or_default() += 1;
    }
    counts
}
