//! Rolling updates in which something goes wrong: what is said, where it stops, and what the
//! next run does.

use serde_json::json;

use crate::rolling::{Rolling, THIRD, specs, web};
use crate::simulated::{Trouble, Workload};

const ONE: &[(&str, usize, &str)] = &[("nodes", 3, "")];

#[test]
fn a_drain_that_a_budget_blocks_ends_at_its_limit_and_names_it() {
    let rolling = Rolling::new("roll_blocked", 1, ONE);
    let blocked = Workload { name: "db", replicas: 2, budget: Some(2), ..web() };
    rolling.simulation.cluster().workloads.push(blocked);
    rolling.settle();
    let said = rolling.fails(&["--yes", "--drain-timeout", "3m", "--instance-group", "nodes"]);
    assert!(said.contains("is not empty after 3m: pod default/db-"), "{said}");
    assert!(
        said.contains(
            "held by budget default/db, which allows 0 disruptions now (2 healthy, 2 needed)"
        ),
        "{said}"
    );
    assert!(said.contains("drains since 00:"), "{said}");
    assert!(said.contains("is released"), "{said}");
    assert_eq!(rolling.simulation.cluster().cordoned(), 0);
    assert_eq!(rolling.simulation.cluster().violations, Vec::<String>::new());
    // Without its budget the same instance goes on where it was.
    rolling.simulation.cluster().workloads.retain(|one| one.name != "db");
    let again = rolling.ok(&["--yes"]).stderr;
    assert!(!again.contains("stops"), "{again}");
    rolling.assert_whole();
}

#[test]
fn a_drain_error_need_not_stop() {
    let rolling = Rolling::new("roll_forced", 1, ONE);
    let blocked = Workload { name: "db", replicas: 1, budget: Some(1), ..web() };
    rolling.simulation.cluster().workloads.push(blocked);
    rolling.simulation.pass(30);
    let args = ["--yes", "--drain-timeout", "1m", "--fail-on-drain-error=false"];
    let said = rolling.ok(&args).stderr;
    assert!(said.contains("it is terminated all the same"), "{said}");
}

#[test]
fn a_node_that_never_joins_stops_its_group_long_before_the_timeout() {
    let rolling = Rolling::new("roll_never_joins", 1, ONE);
    rolling.simulation.cluster().troubles = vec![Trouble::NeverJoins("nodes")];
    let said = rolling.fails(&["--yes", "--instance-group", "nodes"]);
    assert!(said.contains("has not become a node (others took at most 1m)"), "{said}");
    assert!(said.contains("get-console-output"), "{said}");
    assert!(said.contains("stays detached, and serves"), "{said}");
    assert_eq!(rolling.fewest("nodes"), 3, "the old nodes go on serving");
    assert_eq!(rolling.most("nodes"), 4);
    // The next run does no more harm: it sees that the new spec does not work.
    let again = rolling.fails(&["--yes", "--instance-group", "nodes"]);
    assert!(again.contains("has not become a node"), "{again}");
    assert!(again.contains("was detached before"), "{again}");
    assert_eq!(rolling.most("nodes"), 4);
    // With a spec that works all is replaced, what never joined first.
    rolling.simulation.cluster().troubles.clear();
    rolling.world.replace(&specs(1, ONE, THIRD));
    rolling.world.apply(crate::rolling::NAME);
    rolling.ok(&["--yes"]);
    assert_eq!(rolling.fewest("nodes"), 3);
    rolling.assert_whole();
}

#[test]
fn a_node_that_is_never_ready_stops_its_group() {
    let rolling = Rolling::new("roll_never_ready", 1, ONE);
    rolling.simulation.cluster().troubles = vec![Trouble::NeverReady("nodes")];
    let said = rolling.fails(&["--yes", "--instance-group", "nodes"]);
    assert!(said.contains("is not ready after"), "{said}");
    assert!(said.contains("container runtime is down"), "{said}");
    assert_eq!(rolling.fewest("nodes"), 3);
}

#[test]
fn a_launch_that_fails_stops_its_group_with_the_reason_of_auto_scaling() {
    let groups = [("nodes-a", 2, ""), ("nodes-b", 2, "")];
    let rolling = Rolling::new("roll_no_capacity", 1, &groups);
    let reason = "We currently do not have sufficient m5.large capacity in the Availability Zone";
    rolling.simulation.trouble_of_aws(json!([{"group": "nodes-a", "launch": reason}]));
    let run = rolling.run(&["--yes", "-o", "json"]);
    assert_eq!(run.code, 1);
    assert!(
        run.stderr
            .contains(&format!("cannot launch instances for nodes-a.roll.example.com: {reason}")),
        "{}",
        run.stderr
    );
    // Another group is not held up by it.
    let report: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    let outcomes: Vec<String> = report["groups"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            format!(
                "{} {}",
                row["name"].as_str().unwrap(),
                row["update"]["outcome"].as_str().unwrap()
            )
        })
        .collect();
    assert_eq!(outcomes, ["master-a done", "nodes-a stopped", "nodes-b done"]);
    assert!(report["groups"][1]["update"]["seconds"].as_i64().unwrap() < 120);
    assert_eq!(rolling.fewest("nodes-a"), 2);
    rolling.simulation.trouble_of_aws(json!([]));
    rolling.ok(&["--yes"]);
    assert_eq!(rolling.fewest("nodes-a"), 2);
    rolling.assert_whole();
}

#[test]
fn an_instance_that_ec2_ends_again_stops_its_group() {
    let rolling = Rolling::new("roll_dies", 1, ONE);
    let reason = "Server.InternalError: Internal error on launch";
    rolling.simulation.trouble_of_aws(json!([{"group": "nodes", "dies": reason}]));
    let said = rolling.fails(&["--yes", "--instance-group", "nodes"]);
    assert!(said.contains(reason), "{said}");
    assert_eq!(rolling.fewest("nodes"), 3);
}

#[test]
fn what_failed_before_does_not_block_and_what_newly_fails_does() {
    let rolling = Rolling::new("roll_baseline", 1, &[("nodes-a", 3, ""), ("nodes-b", 3, "")]);
    {
        let mut cluster = rolling.simulation.cluster();
        let critical = Workload { priority: "system-cluster-critical", crashes: true, ..web() };
        cluster.workloads.push(Workload { name: "broken", replicas: 1, ..critical });
        cluster.break_node("nodes-b");
    }
    rolling.simulation.pass(30);
    let said = rolling.ok(&["--yes", "--instance-group", "nodes-a"]).stderr;
    let head = "This failed already, and does not hold the update up:";
    assert_eq!(said.matches(head).count(), 1, "{said}");
    assert!(said.contains("Pod kube-system/broken-"), "{said}");
    assert!(said.contains("is not ready: container runtime is down"), "{said}");
    assert_eq!(rolling.fewest("nodes-a"), 3, "{said}");
    // The node that is down is replaced first, and takes nothing from the others.
    rolling.simulation.cluster().forget();
    let said = rolling.ok(&["--yes", "--instance-group", "nodes-b"]).stderr;
    assert_eq!(rolling.fewest("nodes-b"), 2, "{said}");
    // What fails while the update runs holds it up, and in the end stops it.
    rolling.world.replace(&specs(1, &[("nodes-a", 3, ""), ("nodes-b", 3, "")], THIRD));
    rolling.world.apply(crate::rolling::NAME);
    rolling.simulation.cluster().forget();
    rolling.simulation.cluster().troubles = vec![Trouble::Flaps("dns", 60, 100_000)];
    let dns = Workload { priority: "system-cluster-critical", replicas: 1, name: "dns", ..web() };
    rolling.simulation.cluster().workloads.push(dns);
    rolling.settle();
    let args = ["--yes", "--instance-group", "nodes-a", "--validation-timeout", "5m"];
    let said = rolling.fails(&args);
    assert!(said.contains("it has waited 5m for the cluster to"), "{said}");
    assert!(said.contains("kube-system/dns-"), "{said}");
    assert_eq!(rolling.fewest("nodes-a"), 3);
    let args = [&args[..], &["--fail-on-validate-error=false"]].concat();
    assert!(rolling.ok(&args).stderr.contains("goes on, though"));
}

#[test]
fn a_cluster_that_flaps_or_is_away_for_a_minute_is_waited_for() {
    let rolling = Rolling::new("roll_flaps", 1, ONE);
    let dns = Workload { priority: "system-cluster-critical", replicas: 1, name: "dns", ..web() };
    rolling.simulation.cluster().workloads.push(dns);
    rolling.settle();
    rolling.simulation.cluster().troubles =
        vec![Trouble::Flaps("dns", 20, 120), Trouble::Away(150, 210)];
    let said = rolling.ok(&["--yes", "--instance-group", "nodes"]).stderr;
    assert_eq!(said.matches("the Kubernetes API does not answer").count(), 1, "{said}");
    assert!(said.contains("answers again, after 1m"), "{said}");
    assert_eq!(rolling.fewest("nodes"), 3);
    rolling.ok(&["--yes"]);
    rolling.assert_whole();
}

#[test]
fn an_api_that_stays_away_stops_the_update_and_the_next_run_goes_on() {
    let rolling = Rolling::new("roll_away", 1, ONE);
    rolling.simulation.cluster().troubles = vec![Trouble::Away(60, 100_000)];
    let args = ["--yes", "--instance-group", "nodes", "--validation-timeout", "5m"];
    let said = rolling.fails(&args);
    assert!(said.contains("the Kubernetes API has not answered for 5m"), "{said}");
    let said = rolling.fails(&["--yes"]);
    assert!(said.contains("cannot be used") && said.contains("--cloudonly"), "{said}");
    rolling.simulation.cluster().troubles.clear();
    rolling.ok(&["--yes"]);
    rolling.assert_whole();
}

#[test]
fn throttling_and_failing_calls_are_waited_out() {
    let rolling = Rolling::new("roll_throttled", 1, ONE);
    rolling.world.rules(json!([
        {"operation": "DescribeInstances", "nth": 5, "error": "RequestLimitExceeded", "status": 503},
        {"operation": "DescribeAutoScalingGroups", "nth": 7, "error": "InternalFailure", "status": 500},
        {"operation": "DetachInstances", "nth": 2, "error": "Throttling"},
        {"operation": "TerminateInstances", "nth": 1, "error": "InternalError", "status": 500},
    ]));
    rolling.ok(&["--yes"]);
    rolling.world.rules(json!([]));
    assert_eq!(rolling.fewest("nodes"), 3);
    rolling.assert_whole();
}

#[test]
fn credentials_that_expire_stop_it_and_the_next_run_goes_on() {
    let rolling = Rolling::new("roll_expired", 1, ONE);
    rolling.world.rules(json!([
        {"operation": "TerminateInstances", "error": "ExpiredToken"},
    ]));
    let said = rolling.fails(&["--yes", "--instance-group", "nodes"]);
    assert!(said.contains("AWS does not take the credentials any more"), "{said}");
    assert!(said.contains("log in and run this again"), "{said}");
    rolling
        .world
        .rules(json!([{"operation": "DescribeInstances", "nth": 4, "error": "ExpiredToken"}]));
    let said = rolling.fails(&["--yes", "--instance-group", "nodes"]);
    assert!(said.contains("log in and run this again"), "{said}");
    assert_eq!(rolling.simulation.cluster().cordoned(), 0);
    rolling.world.rules(json!([]));
    rolling.ok(&["--yes"]);
    assert_eq!(rolling.fewest("nodes"), 3);
    rolling.assert_whole();
}

#[test]
fn a_group_that_may_not_launch_is_refused_before_anything_is_touched() {
    let groups = [("nodes", 2, "  suspendProcesses: [Launch]\n")];
    let rolling = Rolling::new("roll_suspended", 1, &groups);
    let said = rolling.fails(&["--yes", "--instance-group", "nodes"]);
    assert!(said.contains("suspends Launch"), "{said}");
    assert!(said.contains("resume-processes"), "{said}");
    assert_eq!(rolling.simulation.cluster().marked(), Vec::<String>::new());
}
