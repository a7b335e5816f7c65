//! What goes when, and how much of it at once.

use super::*;

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
