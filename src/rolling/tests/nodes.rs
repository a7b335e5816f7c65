//! Which nodes count, and whose they are.

use super::*;

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
