//! Stores that a kops wrote: what is read of them, what is kept as it was, and what is said of
//! what only kops does.

use serde_json::{Value as Json, json};

use crate::harness::{STRICT, World, cluster, specs, wait};

const NAME: &str = "dev.example.com";

/// Specs of today, of which IAM alone is planned.
fn of_today(more: &str) -> String {
    specs(NAME, more).replace("1.10.3", "1.35.5").replace("kubenet", "calico")
}

fn put(world: &World, key: &str, text: &str) {
    let put = world.s3().put_object().bucket(&world.bucket).key(format!("{NAME}/{key}"));
    wait(put.body(text.to_owned().into_bytes().into()).send()).unwrap();
}

fn object(world: &World, key: &str) -> String {
    let get = world.s3().get_object().bucket(&world.bucket).key(format!("{NAME}/{key}"));
    let body = wait(async { get.send().await.unwrap().body.collect().await.unwrap() });
    String::from_utf8(body.to_vec()).unwrap()
}

/// A world whose store kops wrote, AWS being as it is wanted.
fn settled(test: &str, version: &str) -> World {
    let world = World::with(test, &of_today(STRICT));
    put(&world, "kops-version.txt", version);
    let more: &[&str] = if version.starts_with("1.37") { &["--allow-kops-downgrade"] } else { &[] };
    world.ok(&[&["update", "cluster", NAME, "--yes"], more].concat());
    world
}

/// What kops made of the specs, and wrote beside them.
fn complete(world: &World) {
    let completed = of_today("  iam: {legacy: false}\n  kubelet: {logLevel: 2, maxPods: 110}\n");
    put(world, "cluster-completed.spec", completed.split("---\n").next().unwrap());
    for (role, group) in [("control-plane", "masters"), ("node", "nodes")] {
        let text =
            "KubeletConfig:\n  nodeLabels:\n    a: b\n  taints: []\nUpdatePolicy: automatic\n";
        put(world, &format!("igconfig/{role}/{group}/nodeupconfig.yaml"), text);
    }
}

#[test]
fn fields_that_only_kops_carries_to_nodes_are_told_and_change_nothing() {
    let world = settled("not_carried", "1.36.2");
    world.ok(&["set", "cluster", NAME, "spec.kubelet.maxPods=110"]);
    complete(&world);
    world.assert_settled(NAME, &[]);

    let set = world.ok(&["set", "cluster", NAME, "spec.kubernetesVersion=1.36.1"]);
    assert!(set.stderr.contains("spec.kubernetesVersion  (nodes, etcd, add-ons)"), "{set:#?}");
    let set = world.ok(&["set", "ig", "nodes", "spec.taints=[a=b:NoSchedule]", "--name", NAME]);
    assert!(set.stderr.contains("InstanceGroup/nodes  spec.taints  (nodes)"), "{set:#?}");
    world.ok(&["unset", "cluster", NAME, "spec.kubelet"]);

    let run = world.run(&["update", "cluster", NAME, "--detailed-exitcode"]);
    assert_eq!(run.code, 0, "{run:#?}");
    insta::assert_snapshot!(run.stdout);
    let plan = world.plan(NAME, &[]);
    let nodes = json!(["nodes"]);
    assert_eq!(
        plan["notCarried"],
        json!([
            {"object": format!("Cluster/{NAME}"), "field": "spec.kubelet.maxPods", "reaches": nodes},
            {
                "object": format!("Cluster/{NAME}"),
                "field": "spec.kubernetesVersion",
                "reaches": ["nodes", "etcd", "add-ons"],
            },
            {"object": "InstanceGroup/nodes", "field": "spec.taints[0]", "reaches": nodes},
        ])
    );
    assert_eq!(plan["lastWriter"], json!({"kopsVersion": "1.36.2", "age": "known"}));
    let applied = world.ok(&["update", "cluster", NAME, "--yes"]);
    assert!(applied.stdout.contains("3 fields of the specs are not carried on"), "{applied:#?}");
    assert_eq!(object(&world, "kops-version.txt"), "1.36.2", "left as it is");
}

#[test]
fn what_kops_wrote_and_cannot_be_read_is_told_and_stops_nothing() {
    let world = settled("unreadable_completed", "1.36.2");
    put(&world, "cluster-completed.spec", "a: [\n");
    let run = world.run(&["update", "cluster", NAME, "--detailed-exitcode"]);
    assert_eq!(run.code, 0, "{run:#?}");
    assert!(run.stderr.contains("dev.example.com/cluster-completed.spec"), "{run:#?}");
    assert!(run.stderr.contains("it is not told what of the specs"), "{run:#?}");
}

#[test]
fn a_store_of_an_older_kops_gets_today_s_model_and_is_told_so() {
    let world = World::with("older_kops", &of_today(STRICT));
    put(&world, "kops-version.txt", "1.30.2\n");
    let told = "last written by kops 1.30.2; some of what follows is what newer kops do";
    let run = world.ok(&["update", "cluster", NAME]);
    assert!(run.stdout.lines().any(|line| line.starts_with(told)), "{run:#?}");
    assert_eq!(world.plan(NAME, &[])["lastWriter"]["age"], "older");
    world.apply(NAME);
    world.assert_settled(NAME, &[]);
}

#[test]
fn a_store_of_a_newer_kops_is_read_and_changed_only_by_those_who_ask_for_it() {
    let world = World::with("newer_kops", &of_today(&format!("{STRICT}  ofTomorrow: x\n")));
    put(&world, "kops-version.txt", "1.37.0");
    let run = world.ok(&["update", "cluster", NAME]);
    assert!(run.stderr.contains("last written by kops 1.37.0, and kapstan knows"), "{run:#?}");
    // There a newer kops may have it.
    assert!(run.stderr.contains("warning: Cluster/dev.example.com: spec.ofTomorrow"), "{run:#?}");
    assert_eq!(world.plan(NAME, &[])["lastWriter"]["age"], "newer");
    let said = world.fails(&["update", "cluster", NAME, "--yes"]);
    assert!(
        said.contains("Nothing was changed") && said.contains("--allow-kops-downgrade"),
        "{said}"
    );
    assert_eq!(world.iam_writes(), [""; 0]);
    world.ok(&["update", "cluster", NAME, "--yes", "--allow-kops-downgrade"]);
    assert!(object(&world, "config").contains("ofTomorrow: x"));
    world.ok(&["delete", "cluster", NAME, "--yes"]);
}

#[test]
fn an_unknown_field_is_kept_told_with_the_nearest_and_refused_where_it_would_be_planned_without() {
    let spec = of_today(STRICT).replace("iam: {}", "iam: {}\n  kubernetesApiAcess: [10.0.0.0/8]");
    let world = World::with("unknown_fields", &spec);
    let told = "spec.kubernetesApiAcess (line 29): kops has no such field; did you mean \
                kubernetesApiAccess?";
    for args in [&["get", "cluster", NAME, "-o", "yaml"][..], &["get", "all", "--name", NAME]] {
        let run = world.ok(args);
        assert!(run.stderr.contains(told), "{run:#?}");
    }
    assert!(world.ok(&["get", "cluster", NAME, "-o", "yaml"]).stdout.contains("ApiAcess"));
    for more in [&[][..], &["--yes"]] {
        let said = world.fails(&[&["update", "cluster", NAME], more].concat());
        assert!(said.contains("error: Cluster/dev.example.com") && said.contains(told), "{said}");
        assert!(said.contains("--allow-unknown-fields"), "{said}");
    }
    assert_eq!(world.iam_writes(), [""; 0]);
    let run = world.ok(&["update", "cluster", NAME, "--yes", "--allow-unknown-fields"]);
    assert!(run.stderr.contains(&format!("warning: Cluster/{NAME}: {told}")), "{run:#?}");
    world.assert_settled_but(NAME, &["--allow-unknown-fields"], &["kubernetesApiAcess"]);
}

#[test]
fn a_setting_of_kapstan_s_own_is_written_as_an_annotation_by_whatever_writes() {
    let old = |more: &str| cluster(NAME, &format!("{more}  iam: {{}}\n  bootstrap: none\n"));
    let world = World::new("own_settings");
    let store = world.path("store").display().to_string();
    let file = world.write("specs.yaml", &old(""));
    let kept = || std::fs::read_to_string(world.path("store").join(NAME).join("config")).unwrap();
    let is_new = |text: &str| {
        text.contains("kapstan.io/bootstrap: none") && !text.contains("\n  bootstrap:")
    };
    let in_store = |args: &[&str]| world.ok(&[args, &["--state", &store]].concat());

    let created = in_store(&["create", "-f", &file]);
    assert!(
        created.stderr.contains("warning: Cluster/dev.example.com: spec.bootstrap"),
        "{created:#?}"
    );
    assert!(is_new(&kept()), "{}", kept());
    // One that was kept before.
    let rewrite =
        || std::fs::write(world.path("store").join(NAME).join("config"), old("")).unwrap();
    rewrite();
    let shown = in_store(&["get", "cluster", NAME, "-o", "yaml"]);
    assert!(shown.stderr.contains("the annotation kapstan.io/bootstrap now"), "{shown:#?}");
    assert_eq!(shown.stdout, old(""), "what only reads, changes nothing");
    in_store(&["set", "cluster", NAME, "spec.sshAccess=[10.0.0.0/8]"]);
    assert!(is_new(&kept()), "{}", kept());
    rewrite();
    in_store(&["replace", "-f", &file]);
    assert!(is_new(&kept()), "{}", kept());
    rewrite();
    let edit = world
        .command(&["edit", "cluster", NAME, "--state", &store])
        .env("EDITOR", "sed -i s/172.20.32/172.20.64/")
        .status();
    assert!(edit.unwrap().success());
    assert!(is_new(&kept()) && kept().contains("172.20.64"), "{}", kept());
    rewrite();
    in_store(&["unset", "cluster", NAME, "spec.bootstrap"]);
    assert!(!kept().contains("bootstrap"), "{}", kept());
}

#[test]
fn objects_of_other_kinds_are_kept_with_the_cluster_as_kops_keeps_them() {
    const SCHEDULER: &str = "apiVersion: kubescheduler.config.k8s.io/v1beta2\nkind: \
                             KubeSchedulerConfiguration\nclientConnection:\n  burst: 100\n";
    const MAP: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: ours\n";
    let world = World::new("other_kinds");
    let store = world.path("store").display().to_string();
    let kept = world.path("store").join(NAME).join("clusteraddons/default");
    let in_store = |args: &[&str]| world.ok(&[args, &["--state", &store]].concat());

    let text = [&of_today(STRICT), SCHEDULER, MAP].join("---\n");
    let file = world.write("specs.yaml", &text);
    let created = in_store(&["create", "-f", &file]);
    assert!(created.stdout.ends_with("AdditionalObjects/default created\n"), "{created:#?}");
    assert_eq!(std::fs::read_to_string(&kept).unwrap(), [SCHEDULER, MAP].join("---\n"));

    let all = in_store(&["get", "all", "--name", NAME]).stdout;
    assert!(
        all.ends_with("ADDITIONAL OBJECT\nKubeSchedulerConfiguration\nConfigMap/ours\n"),
        "{all}"
    );
    let json = in_store(&["get", "all", "--name", NAME, "-o", "json"]).stdout;
    let json: Json = serde_json::from_str(&json).unwrap();
    assert_eq!(json[3]["clientConnection"]["burst"], 100);
    assert_eq!(json[4]["kind"], "ConfigMap");

    // As kops writes several.
    let of_kops = [SCHEDULER, MAP].join("\n---\n\n");
    std::fs::write(&kept, &of_kops).unwrap();
    let yaml = in_store(&["get", "all", "--name", NAME, "-o", "yaml"]).stdout;
    let args = ["replace", "-f", "-", "--state", &store];
    let replaced = world.run_with_input(&args, &yaml);
    assert!(replaced.stdout.contains("AdditionalObjects/default unchanged"), "{replaced:#?}");
    assert_eq!(std::fs::read_to_string(&kept).unwrap(), of_kops);

    let only = world.write("only.yaml", SCHEDULER);
    let name = ["--name", NAME, "--state", &store];
    let said = world.fails(&[&["delete", "-f", &only, "--yes"][..], &name].concat());
    assert!(said.contains("AdditionalObjects/default has ConfigMap/ours too"), "{said}");
    in_store(&["replace", "-f", &only, "--name", NAME]);
    assert_eq!(std::fs::read_to_string(&kept).unwrap(), SCHEDULER);
    in_store(&["delete", "-f", &only, "--yes", "--name", NAME]);
    assert!(!kept.exists());
    let misspelt = world.write("misspelt.yaml", "apiVersion: kops/v1\nkind: Clustre\n");
    let said = world.fails(&["create", "-f", &misspelt, "--state", &store]);
    assert!(said.contains("\"kops/v1\" is not known"), "{said}");
}

#[test]
fn what_today_s_kops_refuses_is_told_of_an_old_cluster_and_refused_in_another() {
    let world = World::with("old_nodes", &specs(NAME, STRICT));
    let run = world.ok(&["update", "cluster", NAME]);
    let told = "note: Cluster/dev.example.com: kops 1.36 would refuse it. spec.kubernetesVersion is \
                1.10.3; kops 1.36 brings up 1.31 to 1.36";
    assert!(run.stderr.contains(told), "{run:#?}");
    let said = world.fails(&["set", "cluster", NAME, "spec.kubernetesVersion=1.30.1"]);
    assert!(said.contains("spec.kubernetesVersion (line 7): is 1.30.1; kops 1.36"), "{said}");
}
