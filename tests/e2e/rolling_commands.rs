//! What operators see and choose: dry runs, flags, `validate` and `delete instance`.

use serde_json::{Value as Json, json};

use crate::harness::{Run, World, cluster, group, on_terminal};
use crate::rolling::{NAME, Rolling};
use crate::simulated::{Trouble, Workload};

const SMALL: &[(&str, usize, &str)] = &[("nodes", 2, "")];

#[test]
fn a_dry_run_tells_which_instances_and_why_and_changes_nothing() {
    let rolling = Rolling::new("roll_dry", 1, SMALL);
    let report = rolling.report();
    let nodes = &report["groups"][1];
    assert_eq!(report["apiVersion"], "kapstan/v1");
    assert_eq!(report["kind"], "RollingUpdate");
    assert_eq!(nodes["name"], "nodes");
    assert_eq!(nodes["status"], "NeedsUpdate");
    assert_eq!(
        ["needsUpdate", "ready", "min", "target", "max", "nodes"]
            .map(|key| nodes[key].as_u64().unwrap()),
        [2, 0, 2, 2, 2, 2]
    );
    let reasons = &nodes["instances"][0]["reasons"];
    assert_eq!(reasons[0]["what"], "launchTemplateVersion");
    assert_eq!(reasons[1]["what"], "image");
    assert_eq!(reasons[1]["before"], "ami-10100000");
    assert_eq!(reasons[1]["after"], "ami-15000000");
    let text = rolling.ok(&[]).stdout;
    assert!(
        text.contains("launchTemplateVersion 1 → 2, image ami-10100000 → ami-15000000"),
        "{text}"
    );
    assert!(text.contains("Nothing was changed."), "{text}");
    let some = rolling.ok(&["--instance-group", "nodes", "--cloudonly"]).stdout;
    let command =
        "rolling-update cluster roll.example.com --instance-group nodes --cloudonly --yes";
    assert!(some.contains(command), "{some}");
    assert_eq!(rolling.run(&["--detailed-exitcode"]).code, 2);
    assert_eq!(rolling.simulation.cluster().marked(), Vec::<String>::new());
    let said = rolling.fails(&["--instance-group", "node"]);
    assert!(said.contains("has no instance group node; did you mean nodes?"), "{said}");
}

#[test]
fn a_template_that_was_changed_and_changed_back_needs_nothing() {
    let rolling = Rolling::new("roll_back", 1, SMALL);
    rolling.world.replace(&crate::rolling::specs(1, SMALL, crate::rolling::OLD));
    rolling.world.apply(NAME);
    assert_eq!(rolling.run(&["--detailed-exitcode"]).code, 0);
}

#[test]
fn marked_nodes_and_forced_ones_are_replaced() {
    let rolling = Rolling::new("roll_marked", 1, SMALL);
    rolling.ok(&["--yes"]);
    let instance = rolling.simulation.cluster().annotate("nodes", "kops.k8s.io/needs-update");
    let report = rolling.report();
    assert_eq!(report["groups"][1]["needsUpdate"], 1);
    rolling.ok(&["--yes"]);
    rolling.assert_whole();
    let ids = |rolling: &Rolling| -> Vec<String> {
        let cluster = rolling.simulation.cluster();
        cluster.instances.iter().filter(|one| one.is_live).map(|one| one.id.clone()).collect()
    };
    let before = ids(&rolling);
    assert!(!before.contains(&instance));
    rolling.ok(&["--yes", "--force", "--instance-group-roles", "node"]);
    let after = ids(&rolling);
    assert_eq!(after.iter().filter(|id| before.contains(id)).count(), 1, "the master stays");
    rolling.assert_whole();
}

#[test]
fn cloudonly_needs_no_kubernetes() {
    let rolling = Rolling::new("roll_cloudonly", 1, SMALL);
    rolling.simulation.cluster().troubles = vec![Trouble::Away(0, 100_000)];
    rolling.simulation.cluster().requests = 0;
    rolling.ok(&["--yes", "--cloudonly"]);
    assert_eq!(rolling.simulation.cluster().requests, 0);
    rolling.simulation.cluster().troubles.clear();
    rolling.simulation.pass(120);
    // Pods go with their nodes; that is what was asked.
    rolling.simulation.cluster().forget();
    rolling.assert_whole();
}

#[test]
fn bare_pods_are_told_of_and_groups_that_only_mark_are_marked() {
    let groups = [
        ("nodes-a", 2, "  warmPool: {minSize: 0}\n"),
        ("nodes-b", 2, "  rollingUpdate: {drainAndTerminate: false, maxSurge: 0}\n"),
    ];
    let rolling = Rolling::new("roll_bare", 1, &groups);
    rolling.simulation.cluster().add_bare_pod("nodes-a", "debug");
    let run = rolling.ok(&["--yes"]);
    assert!(
        run.stderr.contains("pod default/debug has no controller: nothing brings it back"),
        "{}",
        run.stderr
    );
    assert!(run.stdout.contains("nodes-b: marked, not replaced"), "{}", run.stdout);
    assert_eq!(rolling.simulation.cluster().marked().len(), 2);
    assert_eq!(rolling.report()["groups"][2]["needsUpdate"], 2);
}

#[test]
fn interactive_asks_after_each_instance() {
    let rolling = Rolling::new("roll_interactive", 1, &[("nodes", 3, "")]);
    let answer = |input: &str| {
        use std::io::Write as _;
        let mut child = rolling
            .command(&["--yes", "--interactive", "--instance-group", "nodes"])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        Run::from(child.wait_with_output().unwrap())
    };
    let run = answer("n\n");
    assert_eq!(run.code, 1, "{run:#?}");
    assert!(run.stdout.contains("nodes: stopped after 1 of 3"), "{}", run.stdout);
    let run = answer("y\n");
    assert_eq!(run.stderr.matches("Go on?").count(), 1, "{}", run.stderr);
    assert_eq!(run.code, 0, "{run:#?}");
    rolling.ok(&["--yes"]);
    rolling.assert_whole();
}

#[test]
fn on_a_terminal_each_group_has_a_line_that_stays() {
    let rolling = Rolling::new("roll_terminal", 1, SMALL);
    let seen = on_terminal(&rolling.command(&["--yes", "--instance-group", "nodes"]));
    assert_eq!(seen.code, 0, "{}", seen.screen);
    assert!(seen.screen.contains("nodes: 0 of 2 replaced"), "{}", seen.screen);
    assert!(seen.screen.contains("nodes: 1 of 2 replaced"), "{}", seen.screen);
    assert!(seen.screen.contains("nodes: done: 2 replaced in "), "{}", seen.screen);
}

#[test]
fn validate_tells_what_is_wrong_and_waits_for_it() {
    let rolling = Rolling::new("roll_validate", 1, SMALL);
    let validate = |args: &[&str]| {
        let mut all = vec!["validate", "cluster", NAME];
        all.extend(args);
        Run::from(rolling.any(&all).output().unwrap())
    };
    let run = validate(&[]);
    assert_eq!(run.code, 0, "{run:#?}");
    assert!(run.stdout.ends_with("roll.example.com is valid\n"), "{}", run.stdout);
    let node = rolling.simulation.cluster().break_node("nodes");
    let dns = Workload {
        priority: "system-cluster-critical",
        name: "dns",
        replicas: 1,
        crashes: true,
        ..crate::rolling::web()
    };
    rolling.simulation.cluster().workloads.push(dns);
    rolling.simulation.pass(10);
    let run = validate(&["-o", "json"]);
    assert_eq!(run.code, 2, "{run:#?}");
    let report: Json = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(report["valid"], false);
    let told: Vec<String> = report["failures"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| format!("{} {}", row["kind"].as_str().unwrap(), row["name"].as_str().unwrap()))
        .collect();
    assert_eq!(told[0], format!("Node {node}"));
    assert!(told[1].starts_with("Pod kube-system/dns-"), "{told:?}");
    assert_eq!(report["nodes"].as_array().unwrap().len(), 3);
    let run = validate(&["--wait", "1m"]);
    assert_eq!(run.code, 2, "{run:#?}");
    assert!(run.stderr.contains("not valid: Node"), "{}", run.stderr);
    // The API that is away is told as a failure, and waited for.
    let mut cluster = rolling.simulation.cluster();
    cluster.workloads.pop();
    cluster.mend_nodes();
    cluster.forget();
    cluster.troubles = vec![Trouble::Away(0, 30)];
    drop(cluster);
    let run = validate(&["-o", "yaml"]);
    assert_eq!(run.code, 2, "{run:#?}");
    assert!(run.stdout.contains("kind: API"), "{}", run.stdout);
    let run = validate(&["--wait", "5m", "--count", "3"]);
    assert_eq!(run.code, 0, "{run:#?}");
}

#[test]
fn another_clusters_kubeconfig_is_never_taken() {
    let rolling = Rolling::new("roll_context", 1, SMALL);
    let mut command = rolling.world.command(&["validate", "cluster", NAME]);
    command.envs(rolling.simulation.environment(&rolling.world, "other.example.com"));
    let run = Run::from(command.output().unwrap());
    assert_eq!(run.code, 1, "{run:#?}");
    assert!(
        run.stderr.contains("has no context roll.example.com (it has: other.example.com)"),
        "{}",
        run.stderr
    );
    let mut command =
        rolling.world.command(&["validate", "cluster", NAME, "--context", "other.example.com"]);
    command.envs(rolling.simulation.environment(&rolling.world, "other.example.com"));
    assert_eq!(Run::from(command.output().unwrap()).code, 0);
}

#[test]
fn an_api_behind_tls_that_is_not_there_is_told() {
    let rolling = Rolling::new("roll_tls", 1, SMALL);
    let mut command = rolling.any(&["validate", "cluster", NAME, "-o", "json"]);
    let config = std::fs::read_to_string(rolling.world.path("kubeconfig.json")).unwrap();
    let server = config.split("http://").nth(1).unwrap().split('"').next().unwrap();
    let config = config.replace(&format!("http://{server}"), "https://127.0.0.1:1");
    command.env("KUBECONFIG", rolling.world.write("tls.json", &config));
    // The time of day will do.
    command.env_remove("KAPSTAN_SIMULATED_CLOCK");
    let run = Run::from(command.output().unwrap());
    assert_eq!(run.code, 2, "{run:#?}");
    let report: Json = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(report["failures"][0]["kind"], "API");
    let message = report["failures"][0]["message"].as_str().unwrap();
    assert!(message.contains("refused"), "{message}");
}

#[test]
fn a_kubeconfig_that_leaves_the_connection_open_to_others_is_warned_of() {
    let rolling = Rolling::new("roll_open", 1, SMALL);
    let warnings = |server: &str, more: &str| {
        let mut command = rolling.any(&["validate", "cluster", NAME]);
        let config = json!({
            "clusters": [{"name": "c", "cluster": {"server": server, "insecure-skip-tls-verify": more == "skip"}}],
            "users": [{"name": "u", "user": {"token": "t0ken-s3cr3t"}}],
            "contexts": [{"name": NAME, "context": {"cluster": "c", "user": "u"}}],
        });
        command.env("KUBECONFIG", rolling.world.write("open.json", &config.to_string()));
        let run = Run::from(command.output().unwrap());
        assert!(!format!("{run:?}").contains("s3cr3t"), "{run:#?}");
        run.stderr.lines().filter(|line| line.starts_with("warning: the kubeconfig")).count()
    };
    assert_eq!(warnings("http://kubernetes.invalid:1", ""), 1);
    assert_eq!(warnings("https://kubernetes.invalid:1", "skip"), 1);
    assert_eq!(warnings("https://kubernetes.invalid:1", ""), 0);
    assert_eq!(warnings("http://127.0.0.1:1", "skip"), 0);
}

#[test]
fn instances_that_seem_to_be_no_nodes_are_not_touched() {
    let rolling = Rolling::new("roll_strangers", 1, SMALL);
    rolling.simulation.cluster().troubles = vec![Trouble::Anonymous];
    let said = rolling.fails(&["--yes"]);
    assert!(said.contains("has no spec.providerID"), "{said}");
    rolling.simulation.cluster().troubles = vec![Trouble::Strangers];
    let said = rolling.fails(&["--yes"]);
    assert!(said.contains("none of the 3 instances is a node of the cluster at http://"), "{said}");
    assert!(said.contains("another cluster's kubeconfig"), "{said}");
}

#[test]
fn settings_that_could_never_work_are_refused_with_their_paths() {
    let world = World::new("roll_settings");
    let more = "  rollingUpdate: {maxSurge: many, maxUnavailable: -1}\n";
    let nodes = group(NAME, "nodes", "Node", "  rollingUpdate: {maxSurge: 0, maxUnavailable: 0}\n");
    let masters = group(NAME, "masters", "Master", "  rollingUpdate: {maxSurge: 1}\n");
    let specs = [cluster(NAME, more), masters, nodes].join("---\n");
    let said = world.fails(&["create", "-f", &world.write("specs.yaml", &specs)]);
    for line in [
        "spec.rollingUpdate.maxSurge (line 28): is \"many\", but takes a number, or a percentage",
        "spec.rollingUpdate.maxUnavailable (line 28): is -1, but takes a number",
        "spec.rollingUpdate.maxSurge (line 43): cannot be set for masters, which are never surged",
        "spec.rollingUpdate.maxUnavailable (line 58): cannot be 0 where maxSurge is 0",
    ] {
        assert!(said.contains(line), "{line}\n{said}");
    }
}

#[test]
fn one_instance_is_emptied_and_replaced() {
    let rolling = Rolling::new("roll_delete", 1, SMALL);
    rolling.ok(&["--yes"]);
    rolling.simulation.cluster().forget();
    let find = || {
        let cluster = rolling.simulation.cluster();
        let group = format!("nodes.{NAME}");
        cluster.instances.iter().find(|one| one.is_live && one.group == group).unwrap().id.clone()
    };
    let id = find();
    let delete = |args: &[&str]| {
        let mut all = vec!["delete", "instance", "--name", NAME];
        all.extend(args);
        Run::from(rolling.any(&all).output().unwrap())
    };
    let run = delete(&[&id]);
    assert_eq!(run.code, 0, "{run:#?}");
    assert!(run.stdout.contains("would be emptied and replaced"), "{}", run.stdout);
    let run = delete(&[&id, "--yes"]);
    assert_eq!(run.code, 0, "{run:#?}");
    assert_ne!(find(), id);
    assert_eq!((rolling.fewest("nodes"), rolling.most("nodes")), (2, 3));
    let id = find();
    let node = rolling.simulation.cluster().shown_nodes().iter().find_map(|row| {
        let name = row["metadata"]["name"].as_str().unwrap();
        row["spec"]["providerID"].as_str().unwrap().ends_with(&id).then(|| name.to_owned())
    });
    let run = delete(&[&node.unwrap(), "--yes"]);
    assert_eq!(run.code, 0, "{run:#?}");
    assert!(run.stdout.contains("nodes: 1 replaced"), "{}", run.stdout);
    rolling.assert_whole();
    let run = delete(&["i-0", "--yes"]);
    assert_eq!(run.code, 1);
    assert!(run.stderr.contains("has no instance and no node i-0"), "{}", run.stderr);
}
