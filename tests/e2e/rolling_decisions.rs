//! What a rolling update decides where a cluster is not as it should be: what counts as missing,
//! what is waited for, what is taken back, and what is said of it in the end.

use std::process::Stdio;

use crate::harness::Run;
use crate::rolling::{NAME, OLD, Rolling, specs, web};
use crate::simulated::{Denial, Trouble, Workload};

const SMALL: &[(&str, usize, &str)] = &[("nodes", 2, "")];
const NO_SURGE: &str = "  rollingUpdate: {maxSurge: 0, maxUnavailable: 1}\n";
const NODES: [&str; 3] = ["--yes", "--instance-group", "nodes"];

fn with<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&NODES[..], more].concat()
}

impl Rolling {
    /// Replaces one node of the group beforehand; its name.
    fn replace_one(&self) -> String {
        let before: Vec<String> = self.names();
        let args = ["delete", "instance", &before[0], "--name", NAME, "--yes"];
        let run = Run::from(self.any(&args).output().unwrap());
        assert_eq!(run.code, 0, "{run:#?}");
        self.settle();
        self.names().into_iter().find(|name| !before.contains(name)).unwrap()
    }

    fn names(&self) -> Vec<String> {
        let nodes = self.simulation.cluster().nodes_of("nodes");
        nodes.iter().map(|node| node.name().to_owned()).collect()
    }

    fn evictions(&self) -> usize {
        self.simulation.cluster().evictions.len()
    }
}

#[test]
fn a_template_that_never_boots_costs_one_instance_whatever_may_be_unavailable() {
    for unavailable in [2, 3] {
        let more = format!("  rollingUpdate: {{maxSurge: 0, maxUnavailable: {unavailable}}}\n");
        let groups = [("nodes", 4, more.as_str())];
        let rolling = Rolling::new(&format!("decide_width_{unavailable}"), 1, &groups);
        rolling.simulation.cluster().troubles = vec![Trouble::NeverJoins("nodes")];
        let said = rolling.fails(&with(&["--node-interval", "1s"]));
        assert!(said.contains("has not become a node"), "{said}");
        assert_eq!(rolling.fewest("nodes"), 3, "{said}");
    }
}

#[test]
fn a_new_node_that_was_silent_or_cordoned_before_does_not_stop_its_group() {
    for what in ["silent", "cordoned"] {
        let rolling = Rolling::new(&format!("decide_before_{what}"), 1, &[("nodes", 3, "")]);
        let new = rolling.replace_one();
        {
            let mut cluster = rolling.simulation.cluster();
            match what {
                "silent" => cluster.silence(&new),
                _ => drop(cluster.cordon(&new)),
            }
        }
        rolling.settle();
        let said = rolling.ok(&NODES).stderr;
        assert!(!said.contains("stops"), "{said}");
        assert_eq!(rolling.fewest("nodes"), 2, "{said}");
        if what == "cordoned" {
            let cluster = rolling.simulation.cluster();
            let nodes = cluster.nodes_of("nodes");
            let node = nodes.iter().find(|node| node.name() == new).unwrap();
            assert!(node.is_cordoned(), "an operator's cordon is theirs to take back");
        }
    }
}

#[test]
fn marks_of_a_killed_update_are_named_and_taken_back_though_nothing_is_to_be_replaced() {
    let rolling = Rolling::new("decide_marks", 1, &[("nodes", 2, NO_SURGE)]);
    rolling.simulation.cluster().workloads =
        vec![Workload { name: "db", replicas: 2, budget: Some(2), ..web() }];
    rolling.settle();
    rolling.simulation.hold_at_wait(Some(10));
    let mut child =
        rolling.command(&NODES).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    assert!(rolling.simulation.is_held(&mut child));
    rolling.world.kill(&mut child, NAME);
    rolling.simulation.hold_at_wait(None);
    assert_eq!(rolling.simulation.cluster().marked().len(), 2);
    rolling.world.replace(&specs(1, &[("nodes", 2, NO_SURGE)], OLD));
    rolling.world.apply(NAME);
    let valid = Run::from(rolling.any(&["validate", "cluster", NAME]).output().unwrap());
    for said in [valid.stderr, rolling.ok(&[]).stderr] {
        assert_eq!(said.matches("has marks of a rolling update").count(), 2, "{said}");
        assert!(said.contains("kubectl uncordon ip-"), "{said}");
    }
    let run = rolling.ok(&["--yes", "--instance-group", "master-a"]);
    assert_eq!(run.stderr.matches("is released: an earlier update had marked it").count(), 2);
    assert_eq!(rolling.simulation.cluster().marked(), Vec::<String>::new(), "{run:#?}");
    rolling.assert_whole();
}

#[test]
fn two_budgets_are_told_before_anything_is_touched() {
    let rolling = Rolling::new("decide_two_budgets", 1, SMALL);
    rolling.simulation.cluster().workloads = vec![Workload {
        name: "db",
        replicas: 2,
        budget: Some(1),
        is_budgeted_twice: true,
        ..web()
    }];
    rolling.settle();
    rolling.world.forget_calls();
    let said = rolling.fails(&NODES);
    assert!(said.contains("has more than one disruption budget"), "{said}");
    let writes = rolling.world.calls().into_iter().filter(|call| call.write);
    let writes: Vec<String> = writes.map(|call| call.operation).collect();
    assert!(
        !writes.iter().any(|one| one.contains("Instance") || one.contains("Tag")),
        "{writes:?}"
    );
    assert_eq!(rolling.simulation.cluster().marked(), Vec::<String>::new());
}

#[test]
fn policies_that_deny_end_the_drain_soon_with_their_words() {
    let rolling = Rolling::new("decide_policies", 1, SMALL);
    let frozen = "evictions are frozen until Monday";
    for (denial, code) in [
        (Denial::Evictions, 422),
        (Denial::Evictions, 403),
        (Denial::Cordons, 422),
        (Denial::Cordons, 403),
    ] {
        rolling.simulation.cluster().troubles = vec![Trouble::Policy(denial, code, frozen)];
        rolling.simulation.cluster().forget();
        let began = rolling.simulation.cluster().now;
        let said = rolling.fails(&NODES);
        let last = said.lines().filter(|line| line.contains("error:")).collect::<String>();
        assert!(last.contains(frozen), "{denial:?} {code}: {said}");
        assert!(!said.contains("has not left"), "{said}");
        let took = rolling.simulation.cluster().now - began;
        assert!(took < 240, "{denial:?} {code}: {took}\n{said}");
        assert_eq!(rolling.evictions(), 0);
        rolling.simulation.pass(5);
        assert_eq!(rolling.simulation.cluster().marked(), Vec::<String>::new(), "{said}");
    }
    rolling.simulation.cluster().troubles.clear();
    rolling.ok(&["--yes"]);
    rolling.assert_whole();
}

#[test]
fn lost_credentials_stop_at_once_and_what_stays_cordoned_is_named_with_its_cure() {
    let rolling = Rolling::new("decide_credentials", 1, &[("nodes", 2, NO_SURGE)]);
    rolling.simulation.cluster().workloads =
        vec![Workload { name: "db", replicas: 2, budget: Some(2), ..web() }];
    rolling.settle();
    rolling.simulation.cluster().troubles = vec![Trouble::ForgetsTokens(60)];
    let began = rolling.simulation.cluster().now;
    let run = rolling.run(&NODES);
    assert_eq!(run.code, 1, "{run:#?}");
    assert!(run.stderr.contains("log in and run this again"), "{}", run.stderr);
    assert!(!run.stderr.contains("has not answered"), "{}", run.stderr);
    assert!(!run.stderr.contains("is released"), "{}", run.stderr);
    assert!(rolling.simulation.cluster().now - began < 120);
    let cordoned = rolling.simulation.cluster().nodes_of("nodes");
    let cordoned = cordoned.into_iter().find(|node| node.is_cordoned()).unwrap();
    let command = format!("kubectl uncordon {}", cordoned.name());
    for said in [&run.stdout, &run.stderr] {
        assert!(said.contains("is still cordoned"), "{said}");
        assert!(said.contains(&command), "{said}");
    }
}

#[test]
fn a_pod_that_tolerates_the_cordon_is_evicted_once_and_not_waited_for() {
    let rolling = Rolling::new("decide_tolerates", 1, &[("nodes", 1, NO_SURGE)]);
    let node = rolling.names().remove(0);
    let operator = Workload { name: "operator", replicas: 1, tolerates: true, ..web() };
    // A cordon draws it there, as a selector would.
    rolling.simulation.cluster().cordon(&node);
    rolling.simulation.cluster().workloads = vec![operator];
    rolling.settle();
    rolling.simulation.cluster().write_node(&node, |object| {
        object["spec"]["unschedulable"] = serde_json::Value::Null;
    });
    rolling.settle();
    let said = rolling.ok(&NODES).stderr;
    assert!(said.contains("came back to the cordoned node: it tolerates every taint"), "{said}");
    let evictions = rolling.simulation.cluster().evictions.clone();
    let evictions = evictions.iter().filter(|pod| pod.contains("operator"));
    assert_eq!(evictions.count(), 1, "{said}");
}

#[test]
fn a_clock_that_is_wrong_is_told_and_stops_nothing() {
    for ahead in [1_200, -1_200] {
        let rolling = Rolling::new(&format!("decide_clock_{}", ahead > 0), 1, SMALL);
        rolling.simulation.cluster().clock_ahead = ahead;
        let said = rolling.ok(&["--yes"]).stderr;
        let way = if ahead > 0 { "ahead of" } else { "behind" };
        assert!(said.contains(&format!("this machine's clock is 20m {way} that of AWS")), "{said}");
        assert!(said.contains(&format!("20m {way} that of the Kubernetes API")), "{said}");
        assert_eq!(rolling.fewest("nodes"), 2);
        rolling.assert_whole();
    }
}

#[test]
fn a_dead_node_is_not_held_by_budgets() {
    let rolling = Rolling::new("decide_dead", 1, &[("nodes", 2, NO_SURGE)]);
    rolling.simulation.cluster().workloads =
        vec![Workload { name: "single", replicas: 1, budget: Some(1), ..web() }];
    rolling.settle();
    let (_, _, node) = rolling.simulation.cluster().pods_of("single").remove(0);
    let node = node.unwrap();
    rolling.simulation.cluster().silence(&node);
    rolling.simulation.pass(30);
    let args = ["delete", "instance", &node, "--name", NAME, "--yes", "--drain-timeout", "4m"];
    let run = Run::from(rolling.any(&args).output().unwrap());
    assert_eq!(run.code, 0, "{run:#?}");
    assert!(run.stderr.contains("is given up: its node has not been ready for"), "{run:#?}");
    assert!(run.stderr.contains("and its budget is not waited for"), "{run:#?}");
}

#[test]
fn a_new_node_serves_once_pods_may_go_there() {
    let rolling = Rolling::new("decide_tainted", 1, SMALL);
    let agent = "node.cilium.io/agent-not-ready";
    rolling.simulation.cluster().troubles = vec![Trouble::StartsTainted("nodes", agent, 75)];
    rolling.ok(&NODES);
    assert_eq!(rolling.fewest("nodes"), 2);
}
