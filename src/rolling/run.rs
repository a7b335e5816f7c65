//! What an update remembers from one look to the next: since when things wait, and what was
//! there when it began. All of it may be lost; the next run starts from what it finds.

use std::collections::{BTreeMap, BTreeSet};

use super::decision::{Action, Deed, Refused, Sort};
use super::hand::{Hand, Stage};
use super::marks::{self, Leftover, Marked};
use super::patience;
use super::world::{Group, Life, Member, Taint, World};
use super::{Choice, Options};
use crate::core::time::Time;
use crate::kubernetes::marks::Marks;
use crate::kubernetes::node::NodeRef;
use crate::kubernetes::validation::{Failure, FailureKind};
use crate::spec::role::Role;

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
    /// Those of them that do not serve and will not: they had the time to, or their kubelet is
    /// silent.
    pub(crate) broken: BTreeSet<String>,
    /// Those that served at some look, so that they are known to be able to.
    pub(crate) proven: BTreeSet<String>,
    /// For how many looks in a row each instance has served.
    pub(crate) streaks: BTreeMap<String, u32>,
    /// The taints of the old nodes of each group, which new ones may have too.
    pub(super) taints: BTreeMap<String, BTreeSet<Taint>>,
    /// Since when nodes are seen not to be ready, by instance.
    pub(super) down_since: BTreeMap<String, Time>,
    /// The nodes that carry marks, by name, as far as is known.
    pub(super) marked: BTreeMap<String, Marked>,
    /// Since when Kubernetes does not answer.
    pub(super) lost_since: Option<Time>,
    /// What was not left as it was, once the update is over.
    pub(crate) leftovers: Vec<Leftover>,
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
    /// When it began, by AWS' clock.
    pub(super) began_at_aws: Time,
    /// The instances to replace when it began; more may come to need it.
    pub(crate) chosen: BTreeSet<String>,
    /// How many of the group did not serve when the update began: it cannot be asked to keep
    /// more serving than did before.
    pub(super) lacked: usize,
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
    /// What the user may not do, so that nothing more is tried.
    pub(super) forbidden: Option<String>,
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
            taints: BTreeMap::new(),
            down_since: BTreeMap::new(),
            marked: BTreeMap::new(),
            lost_since: None,
            leftovers: Vec::new(),
            is_stopping: false,
        };
        run.known =
            world.groups.iter().flat_map(|group| &group.members).map(|m| m.id.clone()).collect();
        run.baseline = run.standing_failures(world);
        for group in &world.groups {
            if run.options.groups.contains(&group.name) {
                run.lanes.push(run.lane_for(world, group));
            }
        }
        run.learn_taints(world);
        // What serves when the update begins is taken to have done so for long enough.
        let enough = run.options.validate_count.max(1);
        run.streaks = run.working(world).into_iter().map(|id| (id, enough)).collect();
        run.note_sights(world);
        // Now it is known which of the young ones will not come to serve.
        run.baseline = run.standing_failures(world);
        for at in 0..run.lanes.len() {
            let name = &run.lanes[at].group;
            let Some(group) = world.groups.iter().find(|group| group.name == *name) else {
                continue;
            };
            let serving = run.count(&run.lanes[at], group).serving;
            run.lanes[at].lacked = group.target.saturating_sub(serving);
        }
        run
    }

    fn lane_for(&self, world: &World, group: &Group) -> Lane {
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
            began_at_aws: world.aws_now,
            chosen,
            lacked: 0,
            total,
            replaced: 0,
            passes: 0,
            settled: self.options.validate_count,
            failing: Vec::new(),
            last_failing: Vec::new(),
            newcomers: BTreeSet::new(),
            moved: world.now,
            failures: (0, String::new()),
            forbidden: None,
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

    /// Takes in what a look found: who serves, and what newly fails.
    pub(crate) fn take_in(&mut self, world: &World) {
        self.learn_taints(world);
        let working = self.working(world).into_iter().map(|id| {
            let before = self.streaks.get(&id).copied().unwrap_or(0);
            (id, before.saturating_add(1))
        });
        self.streaks = working.collect();
        self.note_sights(world);
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

    fn working(&self, world: &World) -> Vec<String> {
        let all = world.groups.iter().flat_map(|group| group.live().map(move |m| (group, m)));
        let working = all.filter(|(group, member)| self.lack(world, group, member).is_none());
        working.map(|(_, member)| member.id.clone()).collect()
    }

    /// Keeps what later looks are compared with.
    fn note_sights(&mut self, world: &World) {
        let all: Vec<&Member> = world.groups.iter().flat_map(Group::live).collect();
        let serving = all.iter().filter(|member| self.serves(member));
        let serving: Vec<String> = serving.map(|member| member.id.clone()).collect();
        self.proven.extend(serving);
        let down = all.iter().filter(|m| m.node.as_ref().is_some_and(|node| !node.is_ready()));
        let since = |id: &String| self.down_since.get(id).copied().unwrap_or(world.now);
        self.down_since = down.map(|member| (member.id.clone(), since(&member.id))).collect();
        // What was so before the update began holds it up no more when it lasts.
        for id in self.note_broken(world) {
            let failures = world.kubernetes.failures().iter();
            for failure in failures.filter(|failure| of_instance(failure) == Some(&id)) {
                *self.baseline.entry(key(failure)).or_default() += 1;
            }
        }
        self.note_marks(world);
    }

    /// What fails, but for what may still come to serve; how often each.
    fn standing_failures(&self, world: &World) -> BTreeMap<String, usize> {
        let failures = world.kubernetes.failures().iter();
        count(failures.filter(|failure| !self.is_young(world, failure)))
    }

    /// Takes in which nodes carry marks.
    pub(super) fn note_marks(&mut self, world: &World) {
        if world.kubernetes.look().is_some() {
            let marks = marks::all(world).into_iter();
            self.marked = marks.map(|one| (one.node.name.clone(), one)).collect();
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
            let limit = patience::limit(world, group, &self.options);
            let age = group.member(id).map(|member| world.aws_now - member.machine.launched);
            let may_serve = !self.proven.contains(id) && !self.broken.contains(id);
            may_serve && age.is_some_and(|age| age <= limit)
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

    /// Takes in what came of an action.
    pub(super) fn take_answer(&mut self, action: &Action, answer: &Result<(), Refused>) {
        if let Err(refused) = answer
            && refused.sort == Sort::Forbidden
            && !matches!(action.deed, Deed::Release { .. } | Deed::Forget { .. })
            && let Some(lane) = self.lanes.iter_mut().find(|lane| lane.group == action.group)
        {
            lane.forbidden.get_or_insert_with(|| refused.text.clone());
        }
        match (&action.deed, answer) {
            (Deed::Taint { node }, Ok(())) => self.mark(action, node).taint = true,
            (Deed::Release { node }, Ok(())) => drop(self.marked.remove(&node.name)),
            (Deed::Cordon { instance, node }, answer) => {
                if answer.is_ok() {
                    self.mark(action, node).cordon = true;
                }
                if let Some(hand) = self.hands.get_mut(instance) {
                    hand.cordon_answer(answer.clone());
                }
            }
            (Deed::Evict { instance, pod }, answer) => {
                if let Some(hand) = self.hands.get_mut(instance) {
                    hand.leaving.answer(&pod.uid, answer.clone());
                }
            }
            (Deed::Terminate { .. }, Ok(())) => drop(self.marked.remove(&action.on)),
            (Deed::Detach { .. } | Deed::Terminate { .. }, Err(refused)) => {
                self.undo(action);
                if let Some(lane) = self.lanes.iter_mut().find(|one| one.group == action.group) {
                    lane.failures = (lane.failures.0 + 1, refused.text.clone());
                }
            }
            _ => {}
        }
    }

    /// Takes in that something was not done that had been decided.
    pub(super) fn undo(&mut self, action: &Action) {
        match &action.deed {
            Deed::Detach { instance, .. } => drop(self.hands.remove(instance)),
            Deed::Terminate { instance, .. } => {
                if let Some(hand) = self.hands.get_mut(instance) {
                    hand.stage = Stage::Drained;
                }
            }
            _ => {}
        }
    }

    /// The marks of a node; they are kept until a look shows how they are.
    fn mark(&mut self, action: &Action, node: &NodeRef) -> &mut Marks {
        let told = self.hands.values().find(|hand| hand.node.as_ref() == Some(node));
        let told = told.map_or_else(|| node.name.clone(), |hand| hand.told.clone());
        let marked = self.marked.entry(node.name.clone()).or_insert_with(|| Marked {
            group: action.group.clone(),
            node: node.clone(),
            told,
            marks: Marks::default(),
            has_reason: true,
        });
        &mut marked.marks
    }

    /// Whether nothing more is to be done for a group.
    pub(super) fn is_forbidden(&self, group: &str) -> bool {
        self.lane(group).is_some_and(|lane| lane.forbidden.is_some())
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
pub(super) fn of_instance(failure: &Failure) -> Option<&String> {
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
pub(super) fn key(failure: &Failure) -> String {
    format!("{}/{}", failure.kind.name(), failure.identity)
}

fn count<'a>(failures: impl Iterator<Item = &'a Failure>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for failure in failures {
        *counts.entry(key(failure)).or_default() += 1;
    }
    counts
}
