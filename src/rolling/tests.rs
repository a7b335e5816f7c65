//! Decisions, without a network: a small world is moved on by hand.

use std::collections::BTreeSet;

use super::decide::{Action, Decision, decide};
use super::need::Reason;
use super::run::{LaneState, Run};
use super::strategy::Strategy;
use super::world::{Group, Life, Member, Place, Sight, World};
use super::{Choice, Options};
use crate::kubernetes::Look;
use crate::kubernetes::node::Node;
use crate::kubernetes::pod::{Phase, Pod};
use crate::kubernetes::validation::{Failure, FailureKind};
use crate::resource::fleet::{Activity, ActivityOutcome, FleetInstance};
use crate::spec::instance_group::Role;

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
    Node { name: format!("node-{id}"), instance, joined: 60, ..Node::default() }
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
        members,
        activities: Vec::new(),
    }
}

fn old(names: &[&str]) -> Vec<Member> {
    names.iter().map(|name| member(name, true)).collect()
}

fn world(groups: Vec<Group>) -> World {
    let nodes = groups.iter().flat_map(|group| &group.members).filter_map(|m| m.node.clone());
    let look = Look { nodes: nodes.collect(), ..Look::default() };
    let kubernetes = Sight::Seen { look, failures: Vec::new() };
    World { now: DAY, groups, kubernetes, orphans: Vec::new() }
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
        self.world.now += 5;
        decision
    }

    /// Decides until something is to be done, other than marking nodes.
    fn next(&mut self) -> String {
        for _ in 0..300 {
            let told = told(&self.decide());
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
        new.machine.launched = self.world.now;
        self.world.groups[group].members.push(new);
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
    let words = decision.actions.iter().filter_map(|action| match action {
        Action::Taint { .. } => None,
        Action::Cordon { instance, .. } => Some(format!("cordon {instance}")),
        Action::Release { node } => Some(format!("release {node}")),
        Action::Evict { pod, .. } => Some(format!("evict {pod}")),
        Action::Detach { instance, .. } => Some(format!("detach {instance}")),
        Action::Terminate { instance, place } => Some(format!("terminate {instance} {place:?}")),
    });
    words.collect::<Vec<_>>().join(", ")
}

#[test]
fn a_surge_starts_with_one_and_widens_once_the_new_serve() {
    let nodes = group("nodes", Role::Node, (2, 0), old(&["a", "b", "c"]));
    let mut story = Story::new(options(), world(vec![nodes]));
    assert_eq!(story.next(), "detach a");
    story.detach("a");
    for _ in 0..10 {
        assert_eq!(told(&story.decide()), "", "nothing goes before its replacement serves");
    }
    story.start(0, "new-1");
    // The old one goes, and at the same time two more may be detached: one of them takes the
    // place in hand that the probe had kept free.
    assert_eq!(story.next(), "cordon a, detach b");
}

#[test]
fn without_surge_no_more_go_than_may_be_unavailable() {
    let nodes = group("nodes", Role::Node, (0, 2), old(&["a", "b", "c", "d"]));
    let mut story = Story::new(options(), world(vec![nodes]));
    // One first, and once what replaces it serves, two.
    assert_eq!(story.next(), "cordon a");
    assert_eq!(story.next(), "terminate a Attached");
    story.end("a");
    story.start(0, "new-1");
    assert_eq!(story.next(), "cordon b, cordon c");
}

#[test]
fn masters_wait_for_each_other_across_groups() {
    let groups = ["a", "b", "c"]
        .map(|name| group(&format!("master-{name}"), Role::Master, (0, 1), old(&[name])));
    let mut story = Story::new(options(), world(groups.into()));
    story.member("c").node.as_mut().unwrap().not_ready = Some("it is down".to_owned());
    // One is down already, and so no other may go: not even the first.
    assert_eq!(story.next(), "over");
    assert!(story.stopped(0).contains("master c (node-c) to be ready"), "{}", story.stopped(0));
    assert_eq!(story.run.lanes[1].state, LaneState::Skipped);
}

#[test]
fn a_master_that_is_down_itself_may_go() {
    let groups = ["a", "b", "c"]
        .map(|name| group(&format!("master-{name}"), Role::Master, (0, 1), old(&[name])));
    let mut seen = world(groups.into());
    seen.groups[0].members[0].node = None;
    let mut story = Story::new(options(), seen);
    assert_eq!(story.next(), "terminate a Attached");
}

#[test]
fn nodes_come_after_masters_and_side_by_side_where_asked() {
    let groups = vec![
        group("bastions", Role::Bastion, (1, 0), old(&["jump"])),
        group("masters", Role::Master, (0, 1), old(&["m"])),
        group("nodes-a", Role::Node, (1, 0), old(&["a"])),
        group("nodes-b", Role::Node, (1, 0), old(&["b"])),
        group("nodes-c", Role::Node, (1, 0), old(&["c"])),
    ];
    let mut story = Story::new(Options { max_parallel_groups: 2, ..options() }, world(groups));
    assert_eq!(story.next(), "detach jump");
    story.detach("jump");
    story.start(0, "jump-2");
    assert_eq!(story.next(), "terminate jump Detached");
    story.end("jump");
    assert_eq!(story.next(), "cordon m");
    assert_eq!(story.next(), "terminate m Attached");
    story.end("m");
    story.start(1, "m-2");
    assert_eq!(story.next(), "detach a, detach b");
}

#[test]
fn a_failed_launch_is_told_with_its_reason_after_a_second_try() {
    let nodes = group("nodes", Role::Node, (1, 0), old(&["a", "b"]));
    let mut story = Story::new(options(), world(vec![nodes]));
    assert_eq!(story.next(), "detach a");
    story.detach("a");
    let failed = |started| Activity {
        started,
        is_launch: true,
        outcome: ActivityOutcome::Failed,
        message: "there is no capacity".to_owned(),
    };
    let now = story.world.now;
    story.world.groups[0].activities = vec![failed(now)];
    assert_eq!(told(&story.decide()), "", "it may try another zone");
    story.world.groups[0].activities.insert(0, failed(now + 5));
    story.decide();
    assert!(story.stopped(0).ends_with("there is no capacity"), "{}", story.stopped(0));
}

#[test]
fn what_failed_before_is_no_failure_and_one_more_of_it_is() {
    let failure = |pod: &str| Failure {
        kind: FailureKind::Pod,
        name: format!("kube-system/{pod}"),
        message: "is not ready".to_owned(),
        group: None,
        instance: None,
        identity: "kube-system/ReplicaSet/dns".to_owned(),
    };
    let nodes = group("nodes", Role::Node, (1, 0), old(&["a", "b"]));
    let mut story = Story::new(options(), world(vec![nodes]));
    story.failures().push(failure("dns-1"));
    story.run = Run::new(story.run.options.clone(), &story.world);
    // The pod is another by now, but of the same controller.
    *story.failures() = vec![failure("dns-2")];
    assert_eq!(story.next(), "detach a");
    story.detach("a");
    story.start(0, "new");
    story.failures().push(failure("dns-3"));
    assert_eq!(story.next(), "over");
    assert!(
        story.stopped(0).contains("Pod kube-system/dns-3 is not ready"),
        "{}",
        story.stopped(0)
    );
}

#[test]
fn without_sight_nothing_is_begun_and_in_the_end_all_stops() {
    let nodes = group("nodes", Role::Node, (1, 0), old(&["a"]));
    let mut story = Story::new(options(), world(vec![nodes]));
    story.world.kubernetes = Sight::Lost("connection refused".to_owned());
    let decision = story.decide();
    assert_eq!(told(&decision), "");
    assert!(decision.events[0].text.contains("connection refused"));
    story.world.now += 900;
    story.decide();
    assert!(story.run.is_over());
}

#[test]
fn a_drain_asks_each_pod_once_and_releases_the_node_at_its_limit() {
    let nodes = group("nodes", Role::Node, (0, 1), old(&["a", "b"]));
    let mut story = Story::new(options(), world(vec![nodes]));
    let pod = |name: &str| Pod {
        namespace: "default".to_owned(),
        name: name.to_owned(),
        node: Some("node-a".to_owned()),
        owner: Some("ReplicaSet/web".to_owned()),
        phase: Phase::Running,
        ..Pod::default()
    };
    let Sight::Seen { look, .. } = &mut story.world.kubernetes else { panic!("not seen") };
    look.pods = vec![pod("web-1"), Pod { gone_by: Some(DAY + 30), ..pod("web-2") }];
    assert_eq!(story.next(), "cordon a, evict web-1");
    story.member("a").node.as_mut().unwrap().is_cordoned = true;
    assert_eq!(story.next(), "evict web-1");
    story.world.now += 300;
    let decision = story.decide();
    assert!(told(&decision).ends_with("release node-a"), "{}", told(&decision));
    assert!(story.stopped(0).contains("pod default/web-1 has not left"), "{}", story.stopped(0));
}

#[test]
fn warm_instances_go_at_once_since_they_serve_nobody() {
    let nodes = group("nodes", Role::Node, (1, 0), old(&["a", "warm"]));
    let mut story = Story::new(options(), world(vec![nodes]));
    story.world.groups[0].target = 1;
    story.member("warm").place = Place::Warm;
    assert_eq!(story.next(), "terminate warm Warm");
}

#[test]
fn what_an_earlier_run_detached_goes_first_and_nothing_more_is_detached() {
    let mut members = old(&["a", "b", "detached"]);
    members[2].place = Place::Detached;
    let mut nodes = group("nodes", Role::Node, (1, 0), members);
    nodes.target = 2;
    let mut story = Story::new(options(), world(vec![nodes]));
    // Both places of the group serve, and so what was detached may go.
    assert_eq!(story.next(), "cordon detached");
    assert_eq!(story.next(), "terminate detached Detached");
    story.end("detached");
    assert_eq!(story.next(), "detach a");
}

#[test]
fn marks_of_an_earlier_run_are_taken_back_where_nothing_is_to_be_done() {
    let mut members = old(&["a"]);
    members.push(member("b", false));
    let mut seen = world(vec![group("nodes", Role::Node, (1, 0), members)]);
    let marked = seen.groups[0].members[1].node.as_mut().unwrap();
    (marked.is_cordoned, marked.is_cordoned_by_us) = (true, true);
    let mut story = Story::new(options(), seen);
    assert_eq!(story.next(), "release node-b");
}
