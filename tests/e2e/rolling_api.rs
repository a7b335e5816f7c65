//! Rolling updates against an API that is as strict as a real one: whose taints and cordons are
//! whose, what is refused and for how long, and what is asked before anything is begun.

use serde_json::{Value as Json, json};

use crate::harness::Run;
use crate::rolling::{NAME, Rolling, web};
use crate::simulated::{Cluster, Denial, Node, Trouble, Workload};

const SMALL: &[(&str, usize, &str)] = &[("nodes", 2, "")];
const MARKED: &[(&str, usize, &str)] =
    &[("nodes", 1, "  rollingUpdate: {drainAndTerminate: false, maxSurge: 0}\n")];
const EXCLUDED: &str = "node.kubernetes.io/exclude-from-external-load-balancers";
const MASTER: &str = "node-role.kubernetes.io/control-plane";

impl Rolling {
    fn validate(&self, args: &[&str]) -> Run {
        Run::from(self.any(&[&["validate", "cluster", NAME], args].concat()).output().unwrap())
    }

    fn troubles(&self, troubles: &[Trouble]) {
        self.simulation.cluster().troubles = troubles.to_vec();
    }

    fn node_of(&self, group: &str) -> Node {
        self.simulation.cluster().any_node(group).clone()
    }

    /// How often something was asked and answered so.
    fn times(&self, logged: &str) -> usize {
        self.simulation.cluster().log.iter().filter(|line| *line == logged).count()
    }

    fn writes_to_aws(&self) -> Vec<String> {
        let calls = self.world.calls().into_iter().filter(|call| call.write);
        calls.map(|call| call.operation).filter(|one| !one.contains("Object")).collect()
    }
}

/// A pod of a database whose budget has no room, so that its node cannot be emptied.
fn held(cluster: &mut Cluster) {
    cluster.workloads = vec![Workload { name: "db", replicas: 2, budget: Some(2), ..web() }];
}

#[test]
fn taints_of_others_stay_those_too_that_are_set_while_ours_is_written() {
    let rolling = Rolling::new("api_taints", 1, MARKED);
    let gpu = json!({"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"});
    let node = {
        let mut cluster = rolling.simulation.cluster();
        cluster.taint("nodes", gpu.clone());
        let node = cluster.any_node("nodes").name().to_owned();
        let meant = node.clone();
        cluster.before("patch nodes", move |cluster| {
            let maintenance = json!({"key": "example.com/maintenance", "effect": "NoSchedule"});
            cluster.write_node(&meant, |object| {
                object["spec"]["taints"].as_array_mut().unwrap().push(maintenance);
            });
        });
        node
    };
    rolling.ok(&["--yes", "--instance-group", "nodes"]);
    let keys = ["nvidia.com/gpu", "example.com/maintenance", "kops.k8s.io/scheduled-for-update"];
    assert_eq!(rolling.node_of("nodes").taint_keys(), keys);
    assert!(rolling.node_of("nodes").taints().contains(&gpu));
    assert_eq!(rolling.times(&format!("PATCH /api/v1/nodes/{node} 409")), 1);
    assert_eq!(rolling.simulation.cluster().violations, Vec::<String>::new());
}

#[test]
fn a_stop_takes_back_what_it_changed_and_nothing_that_was_there_before() {
    let rolling = Rolling::new("api_release", 1, SMALL);
    held(&mut rolling.simulation.cluster());
    rolling.settle();
    let args = ["--yes", "--drain-timeout", "1m", "--instance-group", "nodes"];
    let said = rolling.fails(&args);
    assert!(said.contains("is not empty after 1m"), "{said}");
    assert!(!said.contains("failed:"), "{said}");
    assert_eq!(rolling.simulation.cluster().cordoned(), 0);
    let nodes = rolling.simulation.cluster().nodes_of("nodes");
    assert!(nodes.iter().all(|node| node.object["metadata"]["labels"] == json!({})));
    // Nodes that are still to be replaced may keep their taint.
    let (_, _, held) = rolling.simulation.cluster().pods_of("db").remove(0);
    // An operator's cordon stays, of a node that is drained all the same, and meanwhile left out
    // of the load balancers.
    let cordoned = held.unwrap();
    rolling.simulation.cluster().cordon(&cordoned);
    let meant = cordoned.clone();
    rolling.simulation.cluster().before("create pods/eviction", move |cluster| {
        let node = cluster.nodes_of("nodes").into_iter().find(|node| node.name() == meant);
        if node.unwrap().object["metadata"]["labels"].get(EXCLUDED).is_none() {
            cluster.violations.push("a node that is drained has connections".to_owned());
        }
    });
    let delete =
        ["delete", "instance", &cordoned, "--name", NAME, "--yes", "--drain-timeout", "1m"];
    let run = Run::from(rolling.any(&delete).output().unwrap());
    assert_eq!(run.code, 1, "{run:#?}");
    assert_eq!(rolling.simulation.cluster().marked(), std::slice::from_ref(&cordoned));
    let nodes = rolling.simulation.cluster().nodes_of("nodes");
    let node = &nodes.iter().find(|node| node.name() == cordoned).unwrap().object;
    assert_eq!(node["spec"]["unschedulable"], true);
    assert_eq!(node["metadata"]["labels"], json!({}));
    assert_eq!(node["metadata"]["annotations"], json!({}));
    assert_eq!(rolling.simulation.cluster().violations, Vec::<String>::new());
}

#[test]
fn a_master_keeps_its_own_taint_and_stays_out_of_the_load_balancers() {
    let rolling = Rolling::new("api_master", 1, SMALL);
    rolling.simulation.cluster().add_bare_pod("master-a", "debug");
    let frozen = "evictions are frozen until Monday";
    rolling.troubles(&[Trouble::Policy(Denial::Evictions, 422, frozen)]);
    let args = ["--yes", "--drain-timeout", "1m", "--instance-group", "master-a"];
    let said = rolling.fails(&args);
    assert!(said.contains(frozen), "{said}");
    rolling.simulation.pass(5);
    let node = rolling.node_of("master-a");
    assert_eq!(node.taint_keys(), [MASTER]);
    assert!(!node.is_marked());
    assert_eq!(node.object["metadata"]["labels"][EXCLUDED], "");
}

#[test]
fn a_pod_that_came_back_elsewhere_under_its_name_is_not_evicted() {
    let rolling = Rolling::new("api_same_name", 1, SMALL);
    rolling.simulation.cluster().workloads =
        vec![Workload { name: "db", replicas: 1, is_stateful: true, ..web() }];
    rolling.settle();
    let (name, uid, node) = rolling.simulation.cluster().pods_of("db").remove(0);
    let move_it = |cluster: &mut Cluster| cluster.move_pod("db");
    rolling.simulation.cluster().before("create pods/eviction", move_it);
    let node = node.unwrap();
    let delete = ["delete", "instance", &node, "--name", NAME, "--yes"];
    let run = Run::from(rolling.any(&delete).output().unwrap());
    assert_eq!(run.code, 0, "{run:#?}");
    let eviction = format!("POST /api/v1/namespaces/default/pods/{name}/eviction 409");
    assert_eq!(rolling.times(&eviction), 1);
    assert!(!rolling.simulation.cluster().evictions.contains(&name));
    let (again, other, elsewhere) = rolling.simulation.cluster().pods_of("db").remove(0);
    assert_eq!(again, name);
    assert_ne!(other, uid);
    assert_ne!(elsewhere, Some(node));
    assert_eq!(rolling.simulation.cluster().violations, Vec::<String>::new());
}

#[test]
fn missing_rights_are_told_before_anything_is_written() {
    let rolling = Rolling::new("api_rights", 1, SMALL);
    let node = rolling.node_of("nodes").name().to_owned();
    let delete = ["delete", "instance", &node, "--name", NAME, "--yes"];
    rolling.world.forget_calls();
    for right in ["patch nodes", "create pods/eviction"] {
        rolling.troubles(&[Trouble::Lacks(right)]);
        let said = rolling.fails(&["--yes"]);
        assert!(said.contains("does not let you") && said.contains(right), "{said}");
        assert!(said.contains("nothing was changed"), "{said}");
        let run = Run::from(rolling.any(&delete).output().unwrap());
        assert!(run.code == 1 && run.stderr.contains(right), "{run:#?}");
        let dry = rolling.ok(&[]).stderr;
        assert!(dry.contains(&format!("you may not {right}")), "{dry}");
    }
    assert_eq!(rolling.writes_to_aws(), Vec::<String>::new());
    assert_eq!(rolling.simulation.cluster().marked(), Vec::<String>::new());
    // Rights in each namespace that has pods are enough, and nodes need not be deleted.
    let evict = Trouble::Only("create pods/eviction", &["default", "kube-system"]);
    rolling.troubles(&[evict, Trouble::Lacks("delete nodes")]);
    let said = rolling.ok(&["--yes"]).stderr;
    assert!(said.contains("you may not delete nodes in Kubernetes"), "{said}");
    rolling.assert_whole();
}

#[test]
fn what_may_not_be_looked_at_is_no_verdict_and_is_not_waited_for() {
    let rolling = Rolling::new("api_denied", 1, SMALL);
    rolling.troubles(&[Trouble::Lacks("list nodes")]);
    let run = rolling.validate(&["--wait", "10m"]);
    assert_eq!(run.code, 1, "{run:#?}");
    assert!(run.stdout.is_empty(), "{run:#?}");
    let words = r#"nodes is forbidden: User "tester" cannot list resource "nodes""#;
    assert!(run.stderr.contains(words), "{}", run.stderr);
    let said = rolling.fails(&["--yes"]);
    assert!(said.contains(words) && !said.contains("--cloudonly"), "{said}");
    assert_eq!(rolling.times("GET /api/v1/nodes 403"), 2);
    // Credentials may have been renewed since: they are read and asked about once more.
    rolling.troubles(&[Trouble::ForgetsTokens(0)]);
    let run = rolling.validate(&["--wait", "10m"]);
    assert_eq!(run.code, 1, "{run:#?}");
    assert!(run.stderr.contains("Unauthorized\nLog in"), "{}", run.stderr);
    // The lists are read at once, and the first that is refused again ends the others.
    let lists = ["/api/v1/nodes", "/api/v1/pods", "/apis/policy/v1/poddisruptionbudgets"];
    let times = lists.map(|list| rolling.times(&format!("GET {list} 401")));
    assert_eq!(times.iter().max(), Some(&2), "{times:?}");
    let said = rolling.fails(&["--yes"]);
    assert!(said.contains("Unauthorized") && !said.contains("--cloudonly"), "{said}");
}

#[test]
fn throttled_and_expired_lists_are_read_again() {
    let rolling = Rolling::new("api_lists", 1, SMALL);
    rolling.simulation.cluster().throttle("list nodes", 3, 1);
    rolling.ok(&[]);
    // More than a page of pods, which the server has forgotten before the second is asked for:
    // in the end they are read in one piece.
    rolling.simulation.cluster().workloads[0].replicas = 600;
    rolling.settle();
    rolling.simulation.cluster().expire(2);
    rolling.ok(&[]);
    assert_eq!(rolling.times("GET /api/v1/pods 410"), 2);
    assert_eq!(rolling.times("GET /api/v1/pods 200"), 3);
    rolling.simulation.cluster().throttle("list nodes", 1_000, 0);
    let said = rolling.fails(&[]);
    assert!(said.contains("too many requests") && said.contains("That passes"), "{said}");
    assert!(!said.contains("--cloudonly"), "{said}");
}

#[test]
fn evictions_that_are_throttled_are_told_as_that() {
    let rolling = Rolling::new("api_throttled", 1, SMALL);
    rolling.simulation.cluster().throttle("create pods/eviction", 1_000, 1);
    let args = ["--yes", "--drain-timeout", "1m", "--instance-group", "nodes"];
    let said = rolling.fails(&args);
    assert!(said.contains("too many requests, please try again later"), "{said}");
}

#[test]
fn an_api_that_hangs_as_it_starts_is_waited_for() {
    let rolling = Rolling::new("api_restart", 1, SMALL);
    rolling.troubles(&[Trouble::Away(60, 70), Trouble::Hangs(70, 75)]);
    let said = rolling.ok(&["--yes", "--instance-group", "nodes"]).stderr;
    assert!(said.contains("the Kubernetes API answers again"), "{said}");
    assert_eq!(rolling.simulation.cluster().violations, Vec::<String>::new());
}

#[test]
fn a_new_instance_that_gets_the_old_ones_name_joins() {
    let groups = [("nodes", 1, "  rollingUpdate: {maxSurge: 0, maxUnavailable: 1}\n")];
    let rolling = Rolling::new("api_same_node", 1, &groups);
    // Its pods must have somewhere to go.
    rolling.simulation.cluster().workloads.clear();
    let agent = "node.cilium.io/agent-not-ready";
    rolling.troubles(&[
        Trouble::ReusesNames("nodes"),
        Trouble::KeepsNodes,
        Trouble::StartsTainted("nodes", agent, 20),
    ]);
    let before = rolling.node_of("nodes");
    rolling.ok(&["--yes", "--instance-group", "nodes"]);
    let after = rolling.node_of("nodes");
    assert_eq!(after.name(), before.name());
    assert_ne!(after.uid(), before.uid());
    assert_ne!(after.instance, before.instance);
    rolling.simulation.pass(30);
    assert_eq!(rolling.node_of("nodes").taint_keys(), Vec::<String>::new());
    rolling.ok(&["--yes"]);
    rolling.assert_whole();
}

#[test]
fn a_pod_is_ready_when_its_condition_is_and_a_replaced_one_is_history() {
    let rolling = Rolling::new("api_ready", 1, SMALL);
    let critical = Workload { priority: "system-cluster-critical", replicas: 2, ..web() };
    rolling.simulation.cluster().workloads = vec![Workload { name: "dns", ..critical.clone() }];
    rolling.settle();
    rolling.simulation.cluster().fail_pod("dns");
    rolling.settle();
    assert_eq!(rolling.simulation.cluster().pods_of("dns").len(), 3);
    let run = rolling.validate(&[]);
    assert_eq!(run.code, 0, "{run:#?}");
    let gated = Workload { name: "gated", is_gated: true, ..critical };
    rolling.simulation.cluster().workloads.push(gated);
    rolling.settle();
    let run = rolling.validate(&[]);
    assert_eq!(run.code, 2, "{run:#?}");
    assert!(run.stdout.contains("is not ready (the status of pod readiness gate"), "{run:#?}");
}

#[test]
fn what_holds_a_pod_that_does_not_end_is_told() {
    let rolling = Rolling::new("api_ending", 1, SMALL);
    let held = Workload { name: "held", replicas: 2, ..web() };
    rolling.simulation.cluster().workloads = vec![
        Workload { finalizer: Some("example.com/backup"), ..held.clone() },
        Workload { name: "slow", grace: Some(3600), ..held },
    ];
    rolling.settle();
    let said = rolling.fails(&["--yes", "--drain-timeout", "2m", "--instance-group", "nodes"]);
    assert!(said.contains("is still ending: finalizer example.com/backup"), "{said}");
    assert!(said.contains("is still ending: its grace period of 3600 s ends at 01:"), "{said}");
}

#[test]
fn the_served_api_is_as_strict_as_a_real_one() {
    let rolling = Rolling::new("api_served", 1, SMALL);
    let node = rolling.node_of("nodes");
    let path = format!("/api/v1/nodes/{}", node.name());
    let served = &rolling.simulation;
    let strategic = "application/strategic-merge-patch+json";
    let taints = |taints: Json| json!({"spec": {"taints": taints}});
    let tainted = json!({"key": "a", "effect": "NoSchedule"});
    for (content_type, patch, code) in [
        (strategic, taints(json!([{"key": "a"}])), 422),
        (strategic, taints(json!([tainted, tainted])), 422),
        (strategic, json!({"metadata": {"resourceVersion": "1"}}), 409),
        (strategic, json!({"metadata": {"uid": "another"}}), 409),
        (strategic, json!({"spec": {"providerID": "aws:///a/i-1"}}), 422),
        ("application/json", taints(json!([tainted])), 415),
        (
            "application/json-patch+json",
            json!([{"op": "test", "path": "/spec/taints/0/key", "value": "a"}]),
            422,
        ),
        (strategic, taints(json!([tainted])), 200),
        (
            "application/json-patch+json",
            json!([
                {"op": "test", "path": "/spec/taints/0/key", "value": "a"},
                {"op": "remove", "path": "/spec/taints/0"},
            ]),
            200,
        ),
    ] {
        let answer = served.ask("PATCH", &path, content_type, &patch);
        assert_eq!(answer.code, code, "{patch} {}", answer.body);
    }
    let version = |body: &Json| body["metadata"]["resourceVersion"].clone();
    let read = served.ask("GET", &path, "", &Json::Null).body;
    let same = served.ask("PATCH", &path, strategic, &json!({"metadata": {"labels": {"a": null}}}));
    assert_eq!(version(&same.body), version(&read), "nothing changed");
    let dropped = taints(json!([{"$patch": "delete", "key": "a", "effect": "NoSchedule"}]));
    let answer = served.ask("PATCH", &path, strategic, &dropped);
    assert_eq!(answer.code, 200);
    assert!(answer.head.contains(r#"299 - "unknown field \"spec.taints[0].$patch\"""#));
    assert_eq!(served.cluster().violations.len(), 1);
    assert_eq!(answer.body["spec"]["taints"][0]["key"], "a", "it is still there");
    let other = json!({"preconditions": {"uid": "another"}});
    assert_eq!(served.ask("DELETE", &path, "application/json", &other).code, 409);

    let (name, _, _) = served.cluster().pods_of("web").remove(0);
    let path = format!("/api/v1/namespaces/default/pods/{name}/eviction");
    let evict = |path: &str, options: Json| {
        let body = json!({"deleteOptions": options});
        served.ask("POST", path, "application/json", &body)
    };
    assert_eq!(evict(&path, json!({"preconditions": {"uid": "another"}})).code, 409);
    assert_eq!(evict(&path, json!({"dryRun": ["All"]})).code, 201);
    assert_eq!(served.cluster().evictions.len(), 0);
    served.cluster().ending_namespaces.insert("default".to_owned());
    let answer = evict(&path, json!({}));
    assert_eq!(answer.body["details"]["causes"][0]["reason"], "NamespaceTerminating");
    served.cluster().ending_namespaces.clear();
    let misspelt = json!({"delete_options": {"preconditions": {"uid": "another"}}});
    assert_eq!(served.ask("POST", &path, "application/json", &misspelt).code, 201);
    assert_eq!(evict(&path, json!({})).code, 201, "it is ending already");
    assert_eq!(served.cluster().evictions, [name]);

    let db = Workload { name: "db", replicas: 1, budget: Some(1), ..web() };
    served.cluster().workloads = vec![db];
    rolling.settle();
    let (name, _, _) = served.cluster().pods_of("db").remove(0);
    let path = format!("/api/v1/namespaces/default/pods/{name}/eviction");
    let answer = evict(&path, json!({}));
    assert_eq!(
        (answer.code, answer.body["details"]["causes"][0]["reason"].as_str()),
        (429, Some("DisruptionBudget"))
    );
    assert!(!answer.head.contains("retry-after"), "{}", answer.head);
    served.cluster().stale_budgets = true;
    assert!(evict(&path, json!({})).head.contains("retry-after: 10"));
    served.cluster().workloads[0].is_budgeted_twice = true;
    let answer = evict(&path, json!({}));
    assert_eq!((answer.code, answer.body.get("reason")), (500, None));

    let list = |query: &str| served.ask("GET", &format!("/api/v1/nodes?{query}"), "", &Json::Null);
    assert_eq!(list("limit=1").body["metadata"]["remainingItemCount"], 2);
    assert_eq!(list("limit=1&continue=nonsense").code, 400);
    served.cluster().expire(1);
    assert_eq!(list("limit=1&continue=after-1").code, 410);
}

#[test]
fn a_node_that_went_silent_is_written_to_by_controllers_and_its_pods_are_not_ready() {
    let rolling = Rolling::new("api_silent", 1, SMALL);
    let node = rolling.simulation.cluster().silence_node("nodes");
    rolling.simulation.pass(10);
    let run = rolling.validate(&[]);
    assert_eq!(run.code, 2, "{run:#?}");
    assert!(run.stdout.contains("Kubelet stopped posting node status."), "{}", run.stdout);
    let unreachable = "node.kubernetes.io/unreachable";
    let taints = |rolling: &Rolling| {
        let nodes = rolling.simulation.cluster().nodes_of("nodes");
        nodes.into_iter().find(|one| one.name() == node).unwrap().taint_keys()
    };
    assert_eq!(taints(&rolling), [unreachable, unreachable]);
    rolling.simulation.cluster().mend_nodes();
    rolling.simulation.pass(10);
    assert_eq!(taints(&rolling), Vec::<String>::new());
}
