//! What a plan of a whole cluster costs, and what becomes of an update that is broken off.

use serde_json::json;

use crate::harness::{Call, World, cluster, group};

const NAME: &str = "calls.example.com";
const OWN: &str = "  annotations: {kapstan.io/bootstrap: none}\n  iam: {}\n";
const IMAGE: &str = "  image: ami-10100000\n";

fn specs(nodes: usize) -> String {
    let mut specs = vec![cluster(NAME, OWN), group(NAME, "masters", "Master", IMAGE)];
    specs.extend((0..nodes).map(|n| group(NAME, &format!("nodes-{n}"), "Node", IMAGE)));
    specs.join("---\n")
}

/// Whose the credentials are is asked before anything else.
const BEHIND: usize = 1;

/// How many calls follow one upon the other: each waits for the answers of those before.
fn rounds(calls: &[Call]) -> usize {
    let mut depths: Vec<usize> = Vec::new();
    for call in calls {
        let before = calls.iter().zip(&depths).filter(|(other, _)| other.ended <= call.started);
        depths.push(1 + before.map(|(_, depth)| *depth).max().unwrap_or(0));
    }
    depths.into_iter().max().unwrap_or(0)
}

/// Hooks are told of one group at a time; how many groups were asked about, and all other calls.
fn beside_hooks(calls: Vec<String>) -> (usize, Vec<String>) {
    let is_of_hooks = |call: &String| call == "autoscaling:DescribeLifecycleHooks";
    let (hooks, others): (Vec<_>, Vec<_>) = calls.into_iter().partition(is_of_hooks);
    (hooks.len(), others)
}

/// The operations of a plan, and its rounds; the state store's are left out.
fn plan_calls(world: &World) -> (Vec<String>, usize) {
    // Each answer takes so long that calls sent together overlap for certain.
    world.rules(json!([{"operation": "^(?!s3:)", "delay": 1.5}]));
    world.forget_calls();
    world.ok(&["update", "cluster", NAME]);
    world.rules(json!([]));
    let calls: Vec<Call> = world.calls().into_iter().filter(|call| call.service != "s3").collect();
    assert!(calls.iter().all(|call| !call.write), "a plan only reads");
    let mut operations: Vec<String> =
        calls.iter().map(|call| format!("{}:{}", call.service, call.operation)).collect();
    operations.sort();
    (operations, rounds(&calls))
}

#[test]
fn calls_do_not_grow_with_groups() {
    let world = World::whole("whole_calls", NAME, &specs(1));
    world.apply(NAME);
    let (one, depth) = plan_calls(&world);
    assert_eq!(depth, BEHIND + 3);
    let (hooks, one) = beside_hooks(one);
    assert_eq!(hooks, 2, "masters and nodes");
    // One Describe call a kind: attributes are told one by one only, and load balancers of either
    // generation by an API of their own.
    let describes: Vec<&String> = one.iter().filter(|call| call.contains(":Describe")).collect();
    let mut kinds = describes.clone();
    kinds.dedup();
    let (attributes, generations) = (1, 1);
    assert_eq!(describes.len(), kinds.len() + attributes + generations, "{describes:#?}");
    for nodes in [9, 99] {
        world.replace_or_create(&specs(nodes));
        world.apply(NAME);
        let (more, depth) = plan_calls(&world);
        let (hooks, more) = beside_hooks(more);
        assert_eq!(hooks, nodes + 1);
        // All groups fit on a page.
        assert_eq!(more, one, "{nodes} groups");
        assert_eq!(depth, BEHIND + 3, "{nodes} groups");
    }
}

#[test]
fn what_belongs_to_a_network_load_balancer_is_read_in_no_more_rounds() {
    let own = format!("{OWN}  api: {{loadBalancer: {{type: Public, class: Network}}}}\n");
    let groups = [group(NAME, "masters", "Master", IMAGE), group(NAME, "nodes", "Node", IMAGE)];
    let specs = [cluster(NAME, &own), groups.join("---\n")].join("---\n");
    let world = World::whole("whole_calls_network", NAME, &specs);
    world.apply(NAME);
    let (calls, depth) = plan_calls(&world);
    assert_eq!(depth, BEHIND + 3);
    let of_balancers = calls.iter().filter_map(|call| call.strip_prefix("elasticloadbalancing:"));
    // The tags of the load balancer and its target group are told by one call.
    assert_eq!(
        of_balancers.collect::<Vec<_>>(),
        [
            "DescribeListeners", "DescribeLoadBalancerAttributes", "DescribeLoadBalancers",
            "DescribeLoadBalancers", "DescribeTags", "DescribeTargetGroupAttributes",
            "DescribeTargetGroups",
        ]
    );
}

/// A queue is found by its name, and rules by what their names begin with; what else there is of
/// them is told one by one, at once.
#[test]
fn what_the_termination_handler_needs_is_read_in_two_rounds() {
    let world = World::whole("whole_calls_events", NAME, &specs(1));
    let of_events = |world: &World| {
        let (calls, depth) = plan_calls(world);
        let of_events = |call: &String| call.starts_with("sqs:") || call.starts_with("events:");
        (calls.into_iter().filter(of_events).collect::<Vec<_>>(), depth)
    };
    let (before, _) = of_events(&world);
    assert_eq!(before, ["events:ListRules", "sqs:GetQueueUrl"]);
    world.apply(NAME);
    let (after, depth) = of_events(&world);
    let mut expected = vec!["events:ListRules"];
    expected.extend(["events:ListTagsForResource"; 4]);
    expected.extend(["events:ListTargetsByRule"; 4]);
    expected.extend(["sqs:GetQueueAttributes", "sqs:GetQueueUrl", "sqs:ListQueueTags"]);
    assert_eq!(after, expected);
    assert_eq!(depth, BEHIND + 3);
}

/// What the cluster has, in order; what an account has from its beginning bears other names.
fn names(world: &World) -> Vec<String> {
    let found = world.observe(&json!({}));
    let mut names: Vec<String> = found.as_object().unwrap().keys().cloned().collect();
    names.retain(|name| name.contains(NAME));
    names.sort();
    names
}

#[test]
fn an_update_that_fails_half_way_is_finished_by_the_next_without_duplicates() {
    let smooth = World::whole("whole_smooth", NAME, &specs(1));
    smooth.apply(NAME);
    let (expected, count) = (names(&smooth), smooth.everything().len());
    for (test, operation, error) in [
        ("quota", "ec2:CreateSecurityGroup", "SecurityGroupLimitExceeded"),
        ("capacity", "autoscaling:CreateAutoScalingGroup", "InsufficientInstanceCapacity"),
        ("volume", "ec2:CreateVolume", "VolumeLimitExceeded"),
        ("denied", "ec2:CreateRoute$", "UnauthorizedOperation"),
    ] {
        let world = World::whole(&format!("whole_fails_{test}"), NAME, &specs(1));
        world.rules(json!([{"operation": operation, "error": error, "nth": 1}]));
        let said = world.fails(&["update", "cluster", NAME, "--yes"]);
        assert!(said.contains(error), "{said}");
        world.rules(json!([]));
        world.apply(NAME);
        world.assert_settled(NAME, &[]);
        assert_eq!(names(&world), expected, "{test}");
        assert_eq!(world.everything().len(), count, "{test}");
    }
}

#[test]
fn throttling_is_waited_out() {
    let world = World::whole("whole_throttled", NAME, &specs(1));
    let throttled = |nth: usize| json!({"operation": "ec2:", "write": true, "nth": nth, "error": "RequestLimitExceeded"});
    world.rules(json!([throttled(2), throttled(3), throttled(7)]));
    world.apply(NAME);
    world.assert_settled(NAME, &[]);
}

#[test]
fn killed_at_every_tenth_call_the_next_run_converges() {
    let smooth = World::whole("whole_unkilled", NAME, &specs(1));
    smooth.forget_calls();
    smooth.apply(NAME);
    let writes = smooth.calls().iter().filter(|call| call.write && call.service != "s3").count();
    let (expected, count) = (names(&smooth), smooth.everything().len());
    for (number, nth) in (1..=writes).step_by(10).enumerate() {
        let world = World::whole(&format!("whole_killed_{nth}"), NAME, &specs(1));
        let when = if number % 2 == 0 { "after" } else { "before" };
        world.rules(json!([
            {"operation": "^(?!s3:)", "write": true, "nth": nth, "hold": when},
        ]));
        let mut child = world
            .command(&["update", "cluster", NAME, "--yes"])
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        while world.held() == 0 {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        world.kill(&mut child, NAME);
        world.apply(NAME);
        world.assert_settled(NAME, &[]);
        assert_eq!(names(&world), expected, "killed {when} write {nth}");
        assert_eq!(world.everything().len(), count, "killed {when} write {nth}");
    }
}
