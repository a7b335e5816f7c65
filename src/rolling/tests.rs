//! Decisions, without a network: a small world is moved on by hand.

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
    story.world.kubernetes = lost(Fault::Unreachable, "connection refused");
    let decision = story.decide();
    assert_eq!(told(&decision), "");
    assert!(decision.events[0].text.contains("connection refused"));
    story.pass(900);
    story.decide();
    assert!(story.run.is_over());
}

#[test]
fn a_drain_asks_each_pod_once_and_releases_the_node_at_its_limit() {
    let nodes = group("nodes", Role::Node, (0, 1), old(&["a", "b"]));
    let mut story = Story::new(options(), world(vec![nodes]));
    story.look().pods =
        vec![pod("web-1", "a"), Pod { gone_by: Some(DAY + 30), ..pod("web-2", "a") }];
    assert_eq!(story.next(), "cordon a, evict web-1");
    assert_eq!(story.next(), "evict web-1");
    story.pass(300);
    let decision = story.decide();
    assert_eq!(told(&decision), "release node-a", "and nothing else is done any more");
    assert!(story.stopped(0).contains("pod default/web-1 has not left"), "{}", story.stopped(0));
    let events: Vec<&str> = decision.events.iter().map(|event| event.text.as_str()).collect();
    assert!(!events.concat().contains("released"), "nothing is told before it is done: {events:?}");
    let release = decision.actions.last().unwrap();
    assert_eq!(release.done.as_deref(), Some("a (node-a) is released"));
    assert_eq!(release.undone.as_deref(), Some("a (node-a) is not released"));
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
    marked.is_cordoned = true;
    marked.marks.cordon = true;
    let mut story = Story::new(options(), seen);
    assert_eq!(story.next(), "release node-b");
}

#[test]
fn what_is_gone_and_not_yet_back_is_still_in_hand() {
    let nodes = group("nodes", Role::Node, (0, 2), old(&["a", "b", "c", "d"]));
    let mut story = Story::new(options(), world(vec![nodes]));
    assert_eq!(story.next(), "cordon a");
    assert_eq!(story.next(), "terminate a Attached");
    story.end("a");
    for _ in 0..20 {
        assert_eq!(told(&story.decide()), "", "nothing goes before one has come up");
    }
    story.start(0, "new-1");
    story.member("new-1").life = Life::Starting;
    for _ in 0..20 {
        assert_eq!(told(&story.decide()), "", "one that boots has not come up");
    }
    story.member("new-1").life = Life::InService;
    assert_eq!(story.next(), "cordon b, cordon c");
}

#[test]
fn a_template_that_never_boots_costs_one_instance_whatever_may_be_unavailable() {
    let nodes = group("nodes", Role::Node, (0, 3), old(&["a", "b", "c", "d"]));
    let mut story = Story::new(options(), world(vec![nodes]));
    assert_eq!(story.next(), "cordon a");
    assert_eq!(story.next(), "terminate a Attached");
    story.end("a");
    story.start(0, "new-1");
    story.member("new-1").node = None;
    assert_eq!(story.next(), "over");
    assert!(story.stopped(0).contains("new-1 runs for"), "{}", story.stopped(0));
    let gone = story.world.groups[0].members.iter().filter(|one| one.life == Life::Leaving);
    assert_eq!(gone.count(), 1);
}

/// Two old nodes and one that is up to date, which something is the matter with.
fn with_one_new(strategy: (usize, usize), harm: fn(&mut Node)) -> Story {
    let mut members = old(&["a", "b"]);
    members.push(member("new", false));
    harm(members[2].node.as_mut().unwrap());
    Story::new(options(), world(vec![group("nodes", Role::Node, strategy, members)]))
}

#[test]
fn a_new_node_that_was_down_or_cordoned_before_does_not_stop_its_group() {
    let is_down = |node: &mut Node| node.not_ready = Some("the kubelet stopped".to_owned());
    let is_cordoned = |node: &mut Node| node.is_cordoned = true;
    let harms: [fn(&mut Node); 2] = [is_down, is_cordoned];
    for harm in harms {
        let mut story = with_one_new((1, 0), harm);
        assert_eq!(story.next(), "detach a");
        story.detach("a");
        story.start(0, "new-1");
        assert_eq!(story.next(), "cordon a");
        // Its lack is one that is unavailable: with one to spare the others may still go.
        let mut story = with_one_new((0, 1), harm);
        assert_eq!(story.next(), "cordon a");
        assert_eq!(story.next(), "terminate a Attached");
        story.end("a");
        for _ in 0..10 {
            assert_eq!(told(&story.decide()), "", "no more go than may be unavailable");
        }
        story.start(0, "new-1");
        assert_eq!(story.next(), "cordon b");
        assert_eq!(story.next(), "terminate b Attached");
        story.end("b");
        story.start(0, "new-2");
        assert_eq!(story.next(), "over");
        assert_eq!(story.run.lanes[0].state, LaneState::Done);
    }
}

#[test]
fn a_kubelet_that_fell_silent_before_the_update_does_not_stop_it_though_its_node_is_young() {
    let mut members = old(&["a", "b"]);
    members.push(member("new", false));
    members[2].machine.launched = DAY - 100;
    let node = members[2].node.as_mut().unwrap();
    node.not_ready = Some("Kubelet stopped posting node status.".to_owned());
    node.taints.push(Taint {
        key: "node.kubernetes.io/unreachable".to_owned(),
        effect: "NoSchedule".to_owned(),
        value: None,
    });
    let nodes = group("nodes", Role::Node, (1, 0), members);
    let mut story = Story::new(options(), world(vec![nodes]));
    assert_eq!(story.next(), "detach a");
    story.pass(850);
    story.detach("a");
    story.start(0, "new-1");
    assert_eq!(story.next(), "cordon a");
}

#[test]
fn an_operators_cordon_while_the_update_runs_is_neither_serving_nor_failing() {
    let mut story = with_one_new((1, 0), |_| {});
    assert_eq!(story.next(), "detach a");
    story.node("new").is_cordoned = true;
    story.detach("a");
    story.start(0, "new-1");
    assert_eq!(story.next(), "cordon a");
}

#[test]
fn a_cordoned_master_still_holds_its_part_of_etcd() {
    let groups = ["a", "b", "c"]
        .map(|name| group(&format!("master-{name}"), Role::Master, (0, 1), old(&[name])));
    let mut seen = world(groups.into());
    seen.groups[1].members[0].reasons.clear();
    seen.groups[1].members[0].node.as_mut().unwrap().is_cordoned = true;
    let mut story = Story::new(options(), seen);
    assert_eq!(story.next(), "cordon a");
}

#[test]
fn marks_without_a_reason_are_taken_back_in_all_groups() {
    let one = group("nodes-a", Role::Node, (1, 0), vec![member("a", false)]);
    let two = group("nodes-b", Role::Node, (1, 0), vec![member("b", false), member("c", true)]);
    let mut seen = world(vec![one, two]);
    for at in 0..2 {
        seen.groups[at].members[0].node.as_mut().unwrap().marks.taint = true;
    }
    // This one is marked for what is to come, if by another command.
    seen.groups[1].members[1].node.as_mut().unwrap().marks.taint = true;
    let names: Vec<String> = marks::strays(&seen).into_iter().map(|one| one.told).collect();
    assert_eq!(names, ["a (node-a)", "b (node-b)"]);
    let mut story = Story::new(options(), seen);
    story.run.options.groups = ["nodes-a".to_owned()].into();
    story.again();
    assert_eq!(story.run.lanes.len(), 1);
    assert_eq!(story.next(), "release node-a, release node-b");
}

#[test]
fn what_is_detached_is_told_once_it_is() {
    let nodes = group("nodes", Role::Node, (1, 0), old(&["a"]));
    let mut story = Story::new(options(), world(vec![nodes]));
    let mut decision = story.decide();
    while told(&decision).is_empty() {
        decision = story.decide();
    }
    let events: Vec<&str> = decision.events.iter().map(|event| event.text.as_str()).collect();
    assert!(!events.concat().contains("detached"), "{events:?}");
    let detach = decision.actions.last().unwrap();
    assert_eq!(detach.done.as_deref(), Some("a (node-a) is detached"));
    assert_eq!(detach.undone.as_deref(), Some("a (node-a) is not detached"));
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

#[test]
fn a_refusal_that_never_passes_ends_the_drain_after_two_looks_with_its_words() {
    let (mut story, decision) = draining(vec![pod("web", "a")]);
    let frozen = refused("denied request: frozen until Monday", Sort::ForGood);
    story.refuse(&decision, is_evict, &frozen);
    let decision = story.decide();
    assert_eq!(told(&decision), "cordon a, evict web", "it is asked once more");
    story.refuse(&decision, is_evict, &frozen);
    story.decide();
    assert!(
        story
            .stopped(0)
            .ends_with("pod default/web is not let go: denied request: frozen until Monday"),
        "{}",
        story.stopped(0)
    );
}

#[test]
fn a_refusal_that_passes_is_waited_for_and_is_the_reason_in_the_end() {
    let (mut story, mut decision) = draining(vec![pod("web", "a")]);
    let busy = refused("too many requests, please try again later", Sort::ForNow);
    for _ in 0..60 {
        story.refuse(&decision, is_evict, &busy);
        decision = story.decide();
    }
    assert!(
        story
            .stopped(0)
            .ends_with("pod default/web is not let go: too many requests, please try again later"),
        "{}",
        story.stopped(0)
    );
}

#[test]
fn a_cordon_that_is_refused_is_the_reason_and_no_right_to_it_ends_the_group_at_once() {
    let is_cordon = |deed: &Deed| matches!(deed, Deed::Cordon { .. });
    let (mut story, decision) = draining(vec![pod("web", "a")]);
    story.refuse(&decision, is_cordon, &refused("no cordons today", Sort::ForGood));
    let decision = story.decide();
    story.refuse(&decision, is_cordon, &refused("no cordons today", Sort::ForGood));
    story.decide();
    assert!(
        story.stopped(0).ends_with("it is not cordoned: no cordons today"),
        "{}",
        story.stopped(0)
    );
    let (mut story, decision) = draining(vec![pod("web", "a")]);
    story.refuse(&decision, is_cordon, &refused("nodes is forbidden", Sort::Forbidden));
    let after = stop_forbidden(&mut story.run, &story.world);
    assert_eq!(story.stopped(0), "nodes is forbidden");
    assert_eq!(told(&after), "", "a node that was not marked need not be released");
}

#[test]
fn a_pod_in_two_budgets_is_told_before_anything_is_touched() {
    let nodes = group("nodes", Role::Node, (1, 0), old(&["a", "b"]));
    let mut story = Story::new(options(), world(vec![nodes]));
    story.look().pods = vec![pod("web", "a")];
    story.look().budgets = ["one", "two"].map(|name| Budget::of_all("default", name)).into();
    let decision = story.decide();
    assert_eq!(decision.actions, []);
    let reason = story.stopped(0);
    assert!(reason.contains("pod default/web on a (node-a) has more than one"), "{reason}");
    assert!(reason.contains("default/one, default/two"), "{reason}");
    story.run.options.fail_on_drain_error = false;
    story.again();
    assert_eq!(story.next(), "detach a", "where drains need not succeed it is a warning");
}

#[test]
fn credentials_and_rights_do_not_come_back_by_themselves() {
    for (fault, words) in [
        (Fault::Unauthenticated, "log in and run this again"),
        (Fault::Forbidden, "listing nodes failed: no"),
    ] {
        let (mut story, decision) = draining(vec![pod("web", "a")]);
        for action in &decision.actions {
            story.run.take_answer(action, &Ok(()));
        }
        story.closed("a");
        story.decide();
        story.world.kubernetes = lost(fault, "no");
        let decision = story.decide();
        assert_eq!(told(&decision), "", "it is of no use to ask");
        assert!(story.stopped(0).contains(words), "{}", story.stopped(0));
        let left = leftovers(&story.run, &story.world);
        assert!(left[0].what.contains("a (node-a) is still cordoned"), "{left:?}");
        assert_eq!(left[0].mend[0], "kubectl uncordon node-a");
    }
}

#[test]
fn a_pod_that_comes_back_to_the_cordoned_node_is_told_and_not_waited_for() {
    let everything = vec![Toleration::default()];
    let operator = |name: &str| Pod { tolerations: everything.clone(), ..pod(name, "a") };
    let (mut story, _) = draining(vec![operator("operator-1")]);
    story.closed("a");
    story.look().pods = vec![operator("operator-2"), pod("late", "a")];
    // What was put there before the scheduler saw the cordon is waited for all the same.
    let decision = story.decide();
    assert_eq!(told(&decision), "evict late");
    let text = &decision.events[0].text;
    assert!(
        text.contains("operator-2 came back to the cordoned node: it tolerates every taint"),
        "{text}"
    );
    story.look().pods = vec![operator("operator-3"), pod("later", "a")];
    story.decide();
    assert_eq!(story.next(), "terminate a Attached");
}

#[test]
fn a_node_that_is_dead_is_not_held_by_budgets() {
    let (mut story, decision) = draining(vec![pod("web", "a")]);
    story.node("a").not_ready = Some("Kubelet stopped posting node status.".to_owned());
    story.closed("a");
    story.refuse(&decision, is_evict, &refused("no room", Sort::Budget));
    for _ in 0..10 {
        assert_eq!(told(&story.decide()), "evict web", "it may come back");
    }
    story.pass(60);
    let decision = story.decide();
    assert_eq!(told(&decision), "");
    let text = &decision.events[0].text;
    assert!(
        text.contains("pod default/web is given up: its node has not been ready for"),
        "{text}"
    );
    assert_eq!(story.next(), "terminate a Attached");
}

#[test]
fn a_new_node_serves_once_it_takes_the_pods_that_the_old_ones_take() {
    let taint =
        |key: &str| Taint { key: key.to_owned(), effect: "NoSchedule".to_owned(), value: None };
    let mut members = old(&["a", "b"]);
    for member in &mut members {
        member.node.as_mut().unwrap().taints.push(taint("nvidia.com/gpu"));
    }
    let mut nodes = group("nodes", Role::Node, (1, 0), members);
    nodes.taints = [("dedicated".to_owned(), "NoSchedule".to_owned())].into();
    let mut story = Story::new(options(), world(vec![nodes]));
    assert_eq!(story.next(), "detach a");
    story.detach("a");
    story.start(0, "new");
    let agent = "node.cilium.io/agent-not-ready";
    story.node("new").taints =
        [agent, "nvidia.com/gpu", "dedicated", "node-role.kubernetes.io/node"].map(taint).into();
    for _ in 0..20 {
        assert_eq!(told(&story.decide()), "", "pods have no place there yet");
    }
    story.node("new").taints.remove(0);
    assert_eq!(story.next(), "cordon a");
}

#[test]
fn a_new_node_that_keeps_a_taint_stops_its_group_which_names_it() {
    let nodes = group("nodes", Role::Node, (1, 0), old(&["a", "b"]));
    let mut story = Story::new(options(), world(vec![nodes]));
    assert_eq!(story.next(), "detach a");
    story.detach("a");
    story.start(0, "new");
    let key = "node.cloudprovider.kubernetes.io/uninitialized".to_owned();
    story.node("new").taints = vec![Taint { key, effect: "NoSchedule".to_owned(), value: None }];
    assert_eq!(story.next(), "over");
    let reason = story.stopped(0);
    assert!(reason.contains("has the taint node.cloudprovider.kubernetes.io/"), "{reason}");
}

#[test]
fn ages_are_told_by_the_clock_that_wrote_them() {
    let nodes = group("nodes", Role::Node, (1, 0), old(&["a", "b"]));
    let mut seen = world(vec![nodes]);
    // This machine is twenty minutes ahead of both others.
    seen.now += 1_200;
    assert_eq!(
        seen.clocks(),
        [
            "this machine's clock is 20m ahead of that of AWS",
            "this machine's clock is 20m ahead of that of the Kubernetes API",
        ]
    );
    let mut story = Story::new(options(), seen);
    assert_eq!(story.next(), "detach a");
    story.detach("a");
    story.start(0, "new");
    story.member("new").life = Life::Starting;
    for _ in 0..20 {
        assert_eq!(told(&story.decide()), "", "it was launched just now");
    }
    story.member("new").life = Life::InService;
    assert_eq!(story.next(), "cordon a");
}

#[test]
fn a_node_of_the_same_name_that_stands_for_another_instance_is_told() {
    let nodes = group("nodes", Role::Node, (0, 1), old(&["a", "b"]));
    let mut story = Story::new(options(), world(vec![nodes]));
    assert_eq!(story.next(), "cordon a");
    assert_eq!(story.next(), "terminate a Attached");
    story.end("a");
    story.start(0, "new");
    let new = story.member("new");
    new.node = None;
    new.machine.private_dns = "node-a".to_owned();
    assert_eq!(story.next(), "over");
    let reason = story.stopped(0);
    assert!(reason.contains("the Node node-a stands for a, which is gone"), "{reason}");
    assert!(reason.contains("kubectl delete node node-a"), "{reason}");
}

#[test]
fn the_node_of_an_instance_that_is_ended_is_deleted_after_it() {
    let nodes = group("nodes", Role::Node, (0, 1), old(&["a", "b"]));
    let mut story = Story::new(options(), world(vec![nodes]));
    assert_eq!(story.next(), "cordon a");
    let decision = loop {
        let decision = story.decide();
        if !decision.actions.is_empty() {
            break decision;
        }
    };
    let [end, forget] = &decision.actions[..] else { panic!("{decision:?}") };
    assert!(matches!(end.deed, Deed::Terminate { .. }), "{end:?}");
    let Deed::Forget { node } = &forget.deed else { panic!("{forget:?}") };
    assert_eq!((node.name.as_str(), node.uid.as_str()), ("node-a", "uid-a"));
    assert_eq!(end.on, forget.on, "and so it is not done where the end is refused");
}

#[test]
fn a_group_that_stops_does_nothing_more_but_release() {
    let nodes = group("nodes", Role::Node, (0, 2), old(&["a", "b", "c", "d"]));
    let mut story = Story::new(options(), world(vec![nodes]));
    assert_eq!(story.next(), "cordon a");
    assert_eq!(story.next(), "terminate a Attached");
    story.end("a");
    story.start(0, "new-1");
    assert_eq!(story.next(), "cordon b, cordon c");
    story.start(0, "new-2");
    story.member("new-2").life = Life::Starting;
    assert_eq!(told(&story.decide()), "", "both are empty, and given a moment");
    // In the look in which both are due to end, a new instance is gone again.
    story.end("new-2");
    assert_eq!(told(&story.decide()), "release node-b, release node-c");
    assert!(story.stopped(0).contains("ended before it served"), "{}", story.stopped(0));
}

#[test]
fn what_holds_a_pod_that_ends_is_told() {
    let ending = |name: &str, more: Pod| Pod {
        gone_by: Some(DAY + 3_600),
        ..Pod { name: name.to_owned(), uid: name.to_owned(), ..more }
    };
    let held = Pod { finalizers: vec!["example.com/backup".to_owned()], ..pod("held", "a") };
    let slow = Pod { grace: 3_600, ..pod("slow", "a") };
    let (mut story, _) = draining(vec![
        pod("web", "a"),
        Pod { gone_by: Some(DAY - 40), ..ending("held", held) },
        ending("slow", slow),
        Pod { owner: None, phase: Phase::Succeeded, longest_end: Some(3_600), ..pod("job", "a") },
        Pod { longest_end: Some(3_600), gone_by: None, ..pod("long", "a") },
    ]);
    story.look().pods[1].gone_by = Some(DAY - 40);
    story.look().pods.retain(|pod| ["held", "slow"].contains(&pod.name.as_str()));
    story.pass(300);
    story.decide();
    let reason = story.stopped(0);
    assert!(
        reason.contains("pod default/held is still ending: finalizer example.com/backup"),
        "{reason}"
    );
    assert!(
        reason.contains(
            "pod default/slow is still ending: its grace period of 3600 s ends at 01:00:00"
        ),
        "{reason}"
    );
}

#[test]
fn a_drain_tells_at_its_beginning_what_it_costs_and_what_it_cannot_end_in_time() {
    let (_, decision) = draining(vec![
        Pod { owner: None, phase: Phase::Succeeded, longest_end: Some(3_600), ..pod("job", "a") },
        Pod { owner: None, longest_end: Some(3_600), ..pod("bare", "a") },
    ]);
    let texts: Vec<&str> = decision.events.iter().map(|event| event.text.as_str()).collect();
    assert_eq!(
        texts,
        [
            "pod default/bare has no controller: nothing brings it back",
            "pod default/bare may take 1h00m to end, and --drain-timeout is 5m",
        ]
    );
}

#[test]
fn a_node_without_a_provider_refuses_only_where_it_may_be_an_instance_that_is_to_go() {
    let mut members = old(&["a", "b"]);
    members.push(member("booting", false));
    members[1].node = None;
    members[1].machine.private_ip = "172.20.32.5".to_owned();
    members[2].node = None;
    members[2].machine.private_ip = "172.20.32.6".to_owned();
    let seen = world(vec![group("nodes", Role::Node, (1, 0), members)]);
    let is_refused = |node: Node| {
        let mut seen = seen.clone();
        let Sight::Seen { look, .. } = &mut seen.kubernetes else { panic!("not seen") };
        look.nodes.push(Node { has_provider: false, ..node });
        let look = look.clone();
        check_nodes(&seen, &look, "http://here", |member| !member.reasons.is_empty()).err()
    };
    let named = |name: &str| Node { name: name.to_owned(), ..Node::default() };
    let at = |address: &str| Node { addresses: vec![address.to_owned()], ..named("ip-5") };
    assert!(is_refused(named("virtual-1")).is_none());
    assert!(is_refused(at("172.20.32.6")).is_none(), "what it may be is not to be replaced");
    assert!(is_refused(at("10.0.0.1")).is_none());
    let with_role = |node: Node| Node { has_role: true, ..node };
    assert!(is_refused(with_role(at("172.20.32.6"))).is_none(), "its address tells who it is");
    for node in [at("172.20.32.5"), with_role(named("ip-5"))] {
        let error = is_refused(node).unwrap().to_string();
        assert!(error.contains("node ip-5 has no spec.providerID"), "{error}");
        assert!(error.contains("it may be b") && !error.contains("--cloudonly"), "{error}");
    }
}
