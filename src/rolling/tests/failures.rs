//! What fails, and what that stops.

use super::*;

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
