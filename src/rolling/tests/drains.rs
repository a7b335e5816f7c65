//! Emptying a node.

use super::*;

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
