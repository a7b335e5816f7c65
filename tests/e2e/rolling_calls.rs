//! What a rolling update costs in calls.

use std::collections::BTreeMap;
use std::process::Stdio;

use crate::rolling::Rolling;

/// How often each operation was called while the binary waited so many times, and the
/// requests to Kubernetes.
fn calls(rolling: &Rolling, waits: usize) -> (BTreeMap<String, usize>, usize) {
    rolling.simulation.hold_at_wait(Some(waits));
    rolling.world.forget_calls();
    rolling.simulation.cluster().requests = 0;
    let mut child = rolling
        .command(&["--yes", "--instance-group", "nodes"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    assert!(rolling.simulation.is_held(&mut child));
    rolling.world.kill(&mut child, crate::rolling::NAME);
    rolling.simulation.hold_at_wait(None);
    let mut counts = BTreeMap::new();
    for call in rolling.world.calls().into_iter().filter(|call| call.service != "s3") {
        *counts.entry(call.operation).or_default() += 1;
    }
    (counts, rolling.simulation.cluster().requests)
}

#[test]
fn looks_are_batches_whatever_the_number_of_nodes() {
    const WAITS: usize = 40;
    for (test, nodes) in [("roll_calls_10", 10), ("roll_calls_100", 100)] {
        let rolling =
            Rolling::new(test, 1, &[("nodes", nodes, "  rollingUpdate: {maxSurge: 10%}\n")]);
        let (calls, requests) = calls(&rolling, WAITS);
        println!("{nodes} nodes, {WAITS} looks: {calls:?}, {requests} requests to Kubernetes");
        assert_eq!(calls["DescribeAutoScalingGroups"], WAITS);
        assert_eq!(calls["DescribeInstances"], WAITS);
        // What is newest may change at any time; to tell why instances differ, once.
        assert_eq!(calls["DescribeLaunchTemplates"], WAITS);
        assert_eq!(calls["DescribeLaunchTemplateVersions"], 2);
        // While instances are missing, of the group.
        assert!(calls["DescribeScalingActivities"] <= WAITS);
        // One detach and one tag for each instance in hand, and its end.
        let surge = nodes / 10;
        assert!(calls["DetachInstances"] <= 3 * surge, "{calls:?}");
        assert_eq!(calls["CreateTags"], calls["DetachInstances"]);
        // Nodes, pods and budgets, each look; a taint for each node; then evictions.
        let writes = requests - 3 * WAITS;
        assert!((nodes..=3 * nodes).contains(&writes), "{writes}");
    }
}
