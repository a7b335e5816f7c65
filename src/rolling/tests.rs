//! Decisions, without a network: a small world is moved on by hand.

mod drains;
mod failures;
mod nodes;
mod order;

use std::collections::BTreeSet;

use super::decide::{decide, stop_forbidden};
use super::decision::{Decision, Deed, Refused, Sort};
use super::leftovers::leftovers;
use super::marks;
use super::need::Reason;
use super::observer::check_nodes;
use super::run::{LaneState, Run};
use super::strategy::Strategy;
use super::world::{Group, Life, Member, Place, Sight, World};
use super::{Choice, Options};
use crate::autoscaling::fleet::{Activity, ActivityOutcome, FleetInstance};
use crate::kubernetes::Look;
use crate::kubernetes::budget::Budget;
use crate::kubernetes::error::{Fault, KubernetesError};
use crate::kubernetes::node::{Node, Taint};
use crate::kubernetes::pod::{Phase, Pod, Toleration};
use crate::kubernetes::validation::{Failure, FailureKind};
use crate::spec::role::Role;

const DAY: i64 = 86_400;

fn options() -> Options {
    Options {
        cloud_only: false,
        bastion_interval: 15,
        master_interval: 15,
        node_interval: 15,
        post_drain_delay: 5,
        drain_timeout: 300,
        fail_on_drain_error: true,
        fail_on_validate_error: true,
        validation_timeout: 900,
        validate_count: 2,
        interactive: false,
        max_parallel_groups: 1,
        choice: Choice::Needing,
        groups: BTreeSet::new(),
    }
}

fn node(id: &str) -> Node {
    let instance = Some(id.to_owned());
    let (name, uid) = (format!("node-{id}"), format!("uid-{id}"));
    Node { name, uid, instance, has_provider: true, joined: 60, ..Node::default() }
}

/// An instance that runs and serves; an old one must be replaced.
fn member(id: &str, is_old: bool) -> Member {
    let reasons = if is_old { vec![Reason::plain("it is old")] } else { Vec::new() };
    Member {
        id: id.to_owned(),
        place: Place::Attached,
        life: Life::InService,
        machine: FleetInstance { id: id.to_owned(), ..FleetInstance::default() },
        reasons,
        node: Some(node(id)),
    }
}

fn group(name: &str, role: Role, strategy: (usize, usize), members: Vec<Member>) -> Group {
    Group {
        name: name.to_owned(),
        fleet_name: format!("{name}.example.com"),
        role,
        strategy: Strategy { surge: strategy.0, unavailable: strategy.1, replaces: true },
        template: None,
        min: members.len(),
        target: members.len(),
        max: members.len(),
        suspended: Vec::new(),
        taints: BTreeSet::new(),
        members,
        activities: Vec::new(),
    }
}

fn old(names: &[&str]) -> Vec<Member> {
    names.iter().map(|name| member(name, true)).collect()
}

fn world(groups: Vec<Group>) -> World {
    let nodes = groups.iter().flat_map(|group| &group.members).filter_map(|m| m.node.clone());
    let look = Look { nodes: nodes.collect(), time: Some(DAY), ..Look::default() };
    let kubernetes = Sight::Seen { look, failures: Vec::new() };
    World { now: DAY, aws_now: DAY, groups, kubernetes, orphans: Vec::new() }
}

/// A run over a world, which is looked at again every five seconds.
struct Story {
    run: Run,
    world: World,
}

impl Story {
    fn new(mut options: Options, world: World) -> Self {
        options.groups = world.groups.iter().map(|group| group.name.clone()).collect();
        Self { run: Run::new(options, &world), world }
    }

    fn decide(&mut self) -> Decision {
        let decision = decide(&mut self.run, &self.world);
        self.pass(5);
        decision
    }

    /// Lets time pass by all three clocks.
    fn pass(&mut self, seconds: i64) {
        self.world.now += seconds;
        self.world.aws_now += seconds;
        if let Sight::Seen { look, .. } = &mut self.world.kubernetes {
            look.time = look.time.map(|time| time + seconds);
        }
    }

    /// Begins anew from how the world is now.
    fn again(&mut self) {
        self.run = Run::new(self.run.options.clone(), &self.world);
    }

    /// Decides until something is to be done, other than marking nodes; cordons are done.
    fn next(&mut self) -> String {
        for _ in 0..300 {
            let decision = self.decide();
            for action in &decision.actions {
                if let Deed::Cordon { instance, .. } = &action.deed {
                    self.closed(instance);
                }
            }
            let told = told(&decision);
            if !told.is_empty() {
                return told;
            }
            if self.run.is_over() {
                return "over".to_owned();
            }
        }
        "nothing".to_owned()
    }

    fn member(&mut self, id: &str) -> &mut Member {
        let members = self.world.groups.iter_mut().flat_map(|group| &mut group.members);
        members.into_iter().find(|member| member.id == id).unwrap()
    }

    fn node(&mut self, id: &str) -> &mut Node {
        self.member(id).node.as_mut().unwrap()
    }

    fn look(&mut self) -> &mut Look {
        let Sight::Seen { look, .. } = &mut self.world.kubernetes else { panic!("not seen") };
        look
    }

    /// Answers everything that was decided and is of one kind.
    fn refuse(&mut self, decision: &Decision, is_meant: fn(&Deed) -> bool, refused: &Refused) {
        for action in decision.actions.iter().filter(|action| is_meant(&action.deed)) {
            self.run.take_answer(action, &Err(refused.clone()));
        }
    }

    fn failures(&mut self) -> &mut Vec<Failure> {
        let Sight::Seen { failures, .. } = &mut self.world.kubernetes else { panic!("not seen") };
        failures
    }

    fn detach(&mut self, id: &str) {
        self.member(id).place = Place::Detached;
    }

    fn end(&mut self, id: &str) {
        self.member(id).life = Life::Leaving;
    }

    fn start(&mut self, group: usize, id: &str) {
        let mut new = member(id, false);
        new.machine.launched = self.world.aws_now;
        self.world.groups[group].members.push(new);
    }

    /// The node of an instance is cordoned, by us.
    fn closed(&mut self, id: &str) {
        let node = self.node(id);
        (node.is_cordoned, node.is_excluded) = (true, true);
        (node.marks.cordon, node.marks.exclude) = (true, true);
    }

    fn stopped(&self, lane: usize) -> &str {
        match &self.run.lanes[lane].state {
            LaneState::Stopped(reason) => reason,
            state => panic!("{state:?}"),
        }
    }
}

/// Actions in a word each, without marks.
fn told(decision: &Decision) -> String {
    let words = decision.actions.iter().filter_map(|action| match &action.deed {
        Deed::Taint { .. } | Deed::Forget { .. } => None,
        Deed::Cordon { instance, .. } => Some(format!("cordon {instance}")),
        Deed::Release { node } => Some(format!("release {node}")),
        Deed::Evict { pod, .. } => Some(format!("evict {}", pod.name)),
        Deed::Detach { instance, .. } => Some(format!("detach {instance}")),
        Deed::Terminate { instance, place } => Some(format!("terminate {instance} {place:?}")),
    });
    words.collect::<Vec<_>>().join(", ")
}

fn lost(fault: Fault, message: &str) -> Sight {
    Sight::Lost(KubernetesError::new("listing nodes", fault, message))
}

/// A pod of a controller on the node of an instance.
fn pod(name: &str, instance: &str) -> Pod {
    Pod {
        namespace: "default".to_owned(),
        name: name.to_owned(),
        uid: format!("uid-{name}"),
        node: Some(format!("node-{instance}")),
        labels: [("app".to_owned(), "web".to_owned())].into(),
        owner: Some("ReplicaSet/web".to_owned()),
        phase: Phase::Running,
        ..Pod::default()
    }
}

fn refused(text: &str, sort: Sort) -> Refused {
    Refused { text: text.to_owned(), sort }
}

fn is_evict(deed: &Deed) -> bool {
    matches!(deed, Deed::Evict { .. })
}

/// A story whose one node drains; with its first decision that asks a pod to leave.
fn draining(pods: Vec<Pod>) -> (Story, Decision) {
    let nodes = group("nodes", Role::Node, (0, 1), old(&["a", "b"]));
    let mut story = Story::new(options(), world(vec![nodes]));
    story.look().pods = pods;
    loop {
        let decision = story.decide();
        if decision.actions.iter().any(|action| is_evict(&action.deed)) {
            return (story, decision);
        }
        assert!(!story.run.is_over(), "{:?}", story.run.lanes[0].state);
    }
}
