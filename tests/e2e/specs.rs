//! Keeping specs: create, get, replace, delete, set, unset; what survives and what is refused.

use crate::harness::{ECR, STRICT, World, cluster, group, specs};

const NAME: &str = "dev.example.com";

/// A spec as people write it: comments, an order of its own, fields that kapstan ignores.
fn commented() -> String {
    cluster(
        NAME,
        "  # strict since 2018, see the wiki
  iam: {}   # not legacy
  kubeAPIServer:
    auditLogMaxAge: 10 # days
  hooks:
  - name: prepare
    manifest: |
      [Unit]
      # this is text
",
    )
}

#[test]
fn text_survives_create_get_and_replace() {
    let world = World::new("text");
    world.create(&commented());
    let kept = world.ok(&["get", "cluster", NAME, "-o", "yaml"]).stdout;
    assert_eq!(kept, commented());
    let changed = commented().replace("10 # days", "12 # days, by law");
    world.replace(&changed);
    assert_eq!(world.ok(&["get", "cluster", NAME, "-o", "yaml"]).stdout, changed);
    let file = world.write("specs.yaml", &changed);
    assert_eq!(world.ok(&["replace", "-f", &file]).stdout, "Cluster/dev.example.com unchanged\n");
}

#[test]
fn set_touches_only_its_field() {
    let world = World::new("set");
    world.create(&commented());
    let run = world.ok(&[
        "set", "cluster", NAME, "spec.kubeAPIServer.auditLogMaxAge=30",
        "spec.kubernetesVersion=1.11",
    ]);
    assert_eq!(run.stdout, "Cluster/dev.example.com changed\n");
    let expected = commented()
        .replace("auditLogMaxAge: 10 # days", "auditLogMaxAge: 30 # days")
        .replace("kubernetesVersion: 1.10.3", "kubernetesVersion: \"1.11\"");
    assert_eq!(world.ok(&["get", "cluster", NAME, "-o", "yaml"]).stdout, expected);
    world.ok(&["unset", "cluster", NAME, "spec.hooks"]);
    let kept = world.ok(&["get", "cluster", NAME, "-o", "yaml"]).stdout;
    assert!(!kept.contains("hooks") && kept.contains("# days"), "{kept}");
}

#[test]
fn the_cluster_is_named_by_argument_option_or_variable() {
    let world = World::with("named", &specs(NAME, STRICT));
    for args in [
        &["set", "cluster", NAME, "spec.kubernetesVersion=1.10.4"][..],
        &["set", "cluster", "--name", NAME, "spec.kubernetesVersion=1.10.5", "spec.channel=stable"],
        &["set", "cluster", "spec.kubernetesVersion=1.10.6", "--name", NAME],
        &["unset", "cluster", "--name", NAME, "spec.channel"],
        &["get", "cluster", NAME],
        &["get", "cluster", "--name", NAME],
        &["get", NAME],
        &["iam", "show", "--name", NAME],
    ] {
        world.ok(args);
    }
    let by_variable = |args: &[&str]| {
        let output = world.command(args).env("KOPS_CLUSTER_NAME", NAME).output().unwrap();
        crate::harness::Run::from(output)
    };
    for args in [
        &["set", "cluster", "spec.kubernetesVersion=1.10.7"][..],
        &["set", "ig", "nodes", "spec.maxSize=3"],
        &["get", "ig", "nodes"],
        &["update", "cluster"],
        &["get", "all"],
    ] {
        let run = by_variable(args);
        assert_eq!(run.code, 0, "{run:#?}");
    }
    let said = world.fails(&["update", "cluster"]);
    assert_eq!(said, "error: which cluster? Give its name, --name or KOPS_CLUSTER_NAME\n");
    let said = world.fails(&["update", "cluster", NAME, "--name", "other.example.com"]);
    assert!(said.contains("two clusters are named"), "{said}");
}

#[test]
fn a_wrong_set_is_refused() {
    let world = World::with("set_wrong", &specs(NAME, STRICT));
    for (name, args) in [
        ("set_misspelt", ["set", "cluster", NAME, "spec.kubernetesVerson=1.11"]),
        ("set_invalid", ["set", "cluster", NAME, "spec.networkCIDR=10.0.0.0/33"]),
        ("set_type", ["set", "cluster", NAME, "spec.iam.legacy=perhaps"]),
        ("set_root", ["set", "cluster", NAME, "iam.legacy=true"]),
        ("set_name", ["set", "cluster", NAME, "metadata.name=x.example.com"]),
    ] {
        insta::assert_snapshot!(name, world.fails(&args));
    }
    let said = world.fails(&["set", "ig", "nodes", "spec.maxSize=0", "--name", NAME]);
    assert!(said.contains("maxSize 0 is below minSize 1"), "{said}");
}

#[test]
fn unknown_fields_are_warnings_or_with_strict_errors() {
    let world = World::new("unknown");
    let text = cluster(NAME, "  iam: {allowContainerRegisty: true}\n  kubernetesVerson: 1.11\n");
    let file = world.write("specs.yaml", &text);
    insta::assert_snapshot!(
        "unknown_strict",
        world.neutral(&world.fails(&["create", "-f", &file, "--strict"]))
    );
    let run = world.ok(&["create", "-f", &file]);
    insta::assert_snapshot!("unknown_warned", run.stderr);
    world.fails(&["get", "cluster", NAME, "--strict"]);
    // They survive.
    assert_eq!(world.ok(&["get", "cluster", NAME, "-o", "yaml"]).stdout, text);
}

#[test]
fn everything_wrong_is_told_at_once() {
    let world = World::new("wrong");
    let text = cluster(NAME, "  nonMasqueradeCIDR: 172.20.0.0/12\n  sshAccess: [1.2.3.4]\n")
        .replace("cidr: 172.20.32.0/19", "cidr: 10.0.0.0/19")
        .replace("zone: us-west-2a", "zone: us-west");
    let groups = [
        group(NAME, "nodes", "Node", "")
            .replace("maxSize: 1", "maxSize: 0")
            .replace("- us-west-2a", "- us-west-2b"),
        group("other.example.com", "masters", "Master", ""),
    ];
    let file = world.write("specs.yaml", &[text, groups[0].clone()].join("---\n"));
    insta::assert_snapshot!("wrong", world.neutral(&world.fails(&["create", "-f", &file])));
    let file = world.write("specs.yaml", &[cluster(NAME, STRICT), groups[1].clone()].join("---\n"));
    let said = world.fails(&["create", "-f", &file]);
    assert!(said.contains("there is no cluster other.example.com"), "{said}");
}

#[test]
fn a_cluster_must_be_whole_to_be_planned() {
    let world = World::new("whole");
    world.create(&[cluster(NAME, STRICT), group(NAME, "nodes", "Node", "")].join("---\n"));
    insta::assert_snapshot!("whole", world.fails(&["update", "cluster", NAME]));
}

#[test]
fn create_refuses_what_exists_and_replace_what_does_not() {
    let world = World::with("exists", &specs(NAME, STRICT));
    let more = [specs(NAME, STRICT), group(NAME, "more", "Node", "")].join("---\n");
    let file = world.write("more.yaml", &more);
    let said = world.fails(&["create", "-f", &file]);
    assert!(
        said.contains(
            "Cluster/dev.example.com, InstanceGroup/masters, InstanceGroup/nodes; nothing was written"
        ),
        "{said}"
    );
    let said = world.fails(&["replace", "-f", &file]);
    assert!(said.contains("InstanceGroup/more does not exist"), "{said}");
    assert!(!world.ok(&["get", "ig", "--name", NAME, "-o", "name"]).stdout.contains("more"));
    let run = world.ok(&["replace", "-f", &file, "--force"]);
    assert!(run.stdout.contains("InstanceGroup/more created"), "{run:#?}");
}

#[test]
fn get_yaml_of_several_is_a_file_for_create() {
    let world = World::with("round_trip", &specs(NAME, ECR));
    let all = world.ok(&["get", "all", "--name", NAME, "-o", "yaml"]).stdout;
    let store = world.path("copy").display().to_string();
    let run = world.run_with_input(&["create", "-f", "-", "--state", &store], &all);
    assert_eq!(run.code, 0, "{run:#?}");
    assert_eq!(world.ok(&["get", "all", NAME, "-o", "yaml", "--state", &store]).stdout, all);
    let json = world.ok(&["get", "all", NAME, "-o", "json"]).stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json[0]["spec"]["iam"]["allowContainerRegistry"], true);
    assert_eq!(json.as_array().unwrap().len(), 3);
    assert_eq!(world.ok(&["get", "ig", "--name", NAME, "-o", "name"]).stdout, "masters\nnodes\n");
    insta::assert_snapshot!("get_ig", world.ok(&["get", "instancegroups", "--name", NAME]).stdout);
}

#[test]
fn delete_needs_yes_and_takes_specs_only() {
    let world = World::with("delete", &specs(NAME, STRICT));
    let run = world.ok(&["delete", "ig", "nodes", "--name", NAME]);
    assert!(run.stdout.contains("would be deleted"), "{run:#?}");
    assert!(world.ok(&["get", "ig", "--name", NAME, "-o", "name"]).stdout.contains("nodes"));
    world.ok(&["delete", "ig", "nodes", "--name", NAME, "--yes"]);
    assert_eq!(world.ok(&["get", "ig", "--name", NAME, "-o", "name"]).stdout, "masters\n");
    let said = world.fails(&["delete", "ig", "nodes", "--name", NAME, "--yes"]);
    assert!(said.contains("dev.example.com has no instance group nodes; it has masters"), "{said}");
    let file = world.write("cluster.yaml", &cluster(NAME, STRICT));
    let said = world.fails(&["delete", "-f", &file, "--yes"]);
    assert!(said.contains("still has the instance groups masters"), "{said}");
    let both = [cluster(NAME, STRICT), group(NAME, "masters", "Master", "")].join("---\n");
    let file = world.write("both.yaml", &both);
    let run = world.ok(&["delete", "-f", &file, "--yes"]);
    assert!(run.stderr.contains("in AWS was not touched"), "{run:#?}");
    assert_eq!(world.ok(&["get", "clusters"]).stdout, "");
}

#[test]
fn v1alpha1_is_read_and_converted() {
    let world = World::new("v1alpha1");
    world.zone("example.com", "Z1");
    let cluster = "\
apiVersion: kops/v1alpha1
kind: Cluster
metadata:
  name: dev.example.com
spec:
  cloudProvider: aws
  kubernetesVersion: v1.4.0
  networkCIDR: 172.20.0.0/16
  zones:
  - name: us-west-2a
    cidr: 172.20.32.0/19
  etcdClusters:
  - name: main
    etcdMembers: [{name: a, zone: us-west-2a}]
  - name: events
    etcdMembers: [{name: a, zone: us-west-2a}]
";
    let group = |name: &str, role: &str| {
        format!(
            "apiVersion: kops/v1alpha1\nkind: InstanceGroup\nmetadata:\n  name: {name}\n  labels:\n    \
             kops.k8s.io/cluster: dev.example.com\nspec:\n  role: {role}\n  minSize: 1\n  maxSize: 1\n  \
             zones: [us-west-2a]\n"
        )
    };
    world.create(
        &[cluster.to_owned(), group("master-us-west-2a", "Master"), group("nodes", "Node")]
            .join("---\n"),
    );
    insta::assert_snapshot!("v1alpha1", world.ok(&["get", "all", NAME]).stdout);
    // No iam: a cluster of that age is legacy.
    let shown = world.ok(&["iam", "show", NAME, "--role", "master", "-o", "json"]).stdout;
    assert!(shown.contains("\"ec2:*\""), "{shown}");
    world.apply(NAME);
    world.assert_settled(NAME, &[]);
}

#[test]
fn etcd_clusters_stay() {
    let world = World::with("etcd", &specs(NAME, STRICT));
    let said = world.fails(&["unset", "cluster", NAME, "spec.etcdClusters[1]"]);
    assert!(said.contains("lacks \"events\"; an etcd cluster cannot be removed"), "{said}");
}

#[test]
fn iam_show_needs_neither_aws_nor_store() {
    let world = World::new("iam_show");
    let golden = include_str!("../goldens/iam/node_strict_ecr.json");
    let text = specs(
        "iam-builder-test.k8s.local",
        &format!("{ECR}  configBase: s3://kops-tests/iam-builder-test.k8s.local\n"),
    );
    let file = world.write("specs.yaml", &text);
    let output = world
        .command(&["iam", "show", "-f", &file, "--role", "node", "-o", "json"])
        .env_remove("KOPS_STATE_STORE")
        .env_remove("AWS_ENDPOINT_URL")
        .output()
        .unwrap();
    let run = crate::harness::Run::from(output);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run:#?}");
    let sorted = |text: &str| {
        let document: serde_json::Value = serde_json::from_str(text).unwrap();
        let statements = document["Statement"].as_array().unwrap().iter();
        let mut pairs: Vec<(Vec<String>, Vec<String>)> = statements
            .map(|s| {
                let (mut a, mut r) =
                    (crate::harness::texts(&s["Action"]), crate::harness::texts(&s["Resource"]));
                a.sort();
                r.sort();
                (a, r)
            })
            .collect();
        pairs.sort();
        pairs
    };
    assert_eq!(sorted(&run.stdout), sorted(golden));
    assert_eq!(world.calls().iter().filter(|call| call.service != "s3").count(), 0);

    let run = world.run_with_input(&["iam", "show", "-f", "-"], &specs(NAME, STRICT));
    assert!(run.stderr.contains("HOSTED_ZONE_ID stands for the id of the hosted zone"), "{run:#?}");
    // Two members are no quorum, but the policies do not depend on that.
    let invalid = text.replacen(
        "    - name: a\n",
        "    - name: b\n      instanceGroup: masters\n    - name: a\n",
        1,
    );
    let run =
        world.run_with_input(&["iam", "show", "-f", "-", "--role", "node", "-o", "json"], &invalid);
    assert_eq!((run.code, sorted(&run.stdout)), (0, sorted(golden)));
    assert!(
        run.stderr.contains("warning: Cluster/iam-builder-test.k8s.local: spec.etcdClusters[0]"),
        "{run:#?}"
    );
    let run = world.ok(&["iam", "show", "-f", &file, "-o", "yaml"]);
    assert!(run.stdout.contains("kind: PolicyDocuments"), "{}", run.stdout);
}

#[test]
fn text_from_other_systems_is_read() {
    let world = World::new("other_systems");
    let text = format!("\u{feff}{}", specs(NAME, STRICT).replace('\n', "\r\n"));
    world.create(&text);
    world.ok(&["set", "ig", "nodes", "spec.maxSize=3", "--name", NAME]);
    let kept = world.ok(&["get", "ig", "nodes", "--name", NAME, "-o", "json"]).stdout;
    assert!(kept.contains("\"maxSize\": 3"), "{kept}");
}

#[test]
fn ssh_credentials_are_kept_as_their_keys() {
    let world = World::with("ssh_credential", &specs(NAME, STRICT));
    let key = include_str!("../goldens/id_rsa.pub").trim();
    let credential = format!(
        "apiVersion: kops/v1alpha2\nkind: SSHCredential\nmetadata:\n  name: admin\nspec:\n  publicKey: \"{key}\"\n"
    );
    let file = world.write("key.yaml", &credential);
    let args = |command| [command, "-f", file.as_str(), "--name", NAME];
    assert_eq!(world.ok(&args("create")).stdout, "SSHCredential/admin created\n");
    assert!(world.fails(&args("create")).contains("already in"));
    world.ok(&args("replace"));
    world.ok(&["delete", "-f", &file, "--name", NAME, "--yes"]);
    assert!(world.fails(&args("delete")).contains("not in"));
    world.write("key.yaml", &credential.replace("ssh-rsa", "ssh-bogus"));
    assert!(
        world
            .fails(&args("create"))
            .contains("spec.publicKey (line 6): it is no OpenSSH public key")
    );
}

#[test]
fn directives_are_refused_in_every_way_of_writing() {
    let world = World::new("directives");
    let text = cluster(NAME, STRICT);
    for written in [
        format!("%YAML 1.2\n---\n{text}"),
        format!("%YAML 1.1\n---\n{text}"),
        format!("%TAG !e! tag:example.com,2000:\n---\n{text}"),
        format!("# mine\n%YAML 1.2\n---\n{text}"),
        format!("%YAML 1.2\n---\n{text}").replace('\n', "\r\n"),
        format!("{text}...\n%YAML 1.2\n---\n{}", group(NAME, "nodes", "Node", "")),
    ] {
        let file = world.write("specs.yaml", &written);
        let said = world.fails(&["create", "-f", &file]);
        assert!(said.contains("is a directive, which kops does not read; leave it out"), "{said}");
        assert_eq!(world.ok(&["get", "clusters"]).stdout, "");
    }
    world.create(&text);
    let file = world.write("specs.yaml", &format!("%YAML 1.2\n---\n{text}"));
    assert!(world.fails(&["replace", "-f", &file, "--force"]).contains("is a directive"));
    let editor = world
        .write("editor", &format!("#!/bin/sh\ngrep -q '^# kapstan:' \"$1\" || cp {file} \"$1\"\n"));
    let mut command = world.command(&["edit", "cluster", NAME]);
    let output = command.env("EDITOR", format!("sh {editor}")).output().unwrap();
    let run = crate::harness::Run::from(output);
    assert!(run.code == 1 && run.stderr.contains("is a directive"), "{run:#?}");
    assert_eq!(world.ok(&["get", "cluster", NAME, "-o", "yaml"]).stdout, text);
}

#[test]
fn what_kops_reads_otherwise_is_refused_with_both_readings() {
    let world = World::new("readings");
    let text = [
        cluster(NAME, "  iam: {legacy: \"false\"}\n  cloudLabels: {a: yes, on: b}\n").replacen(
            "      instanceGroup: masters\n",
            "      instanceGroup: masters\n      volumeSize: 040\n",
            1,
        ),
        group(NAME, "masters", "Master", ""),
        group(NAME, "nodes", "Node", "  rootVolumeSize: 0100\n  maxPrice: 0.10\n"),
    ];
    for (index, name) in [(0, "readings_cluster"), (2, "readings_group")] {
        let file = world.write("specs.yaml", &text[index]);
        insta::assert_snapshot!(name, world.neutral(&world.fails(&["create", "-f", &file])));
    }
    world.create(&specs(NAME, STRICT));
    let set = |field: &str| world.run(&["set", "ig", "nodes", field, "--name", NAME]);
    let refused = set("spec.rootVolumeSize=0100");
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("kops reads 64 here; write 64 or 100"), "{refused:#?}");
    for (field, written) in [
        ("spec.rootVolumeSize=0x40", "rootVolumeSize: 64\n"),
        ("spec.maxPrice=0.10", "maxPrice: \"0.10\"\n"),
        ("spec.cloudLabels.a=yes", "a: \"yes\""),
        ("spec.cloudLabels.b=0755", "b: \"0755\""),
        ("spec.cloudLabels[\"off\"]=1_00", "\"off\": \"1_00\""),
    ] {
        let run = set(field);
        assert_eq!(run.code, 0, "{run:#?}");
        let kept = world.ok(&["get", "ig", "nodes", "--name", NAME, "-o", "yaml"]).stdout;
        assert!(kept.contains(written), "{field}: {kept}");
    }
}

#[test]
fn line_ends_that_belong_to_the_last_value_are_kept() {
    let world = World::new("line_ends");
    let hook =
        |script: &str| format!("  hooks:\n  - name: a\n    manifest: |+\n      {script}\n\n\n");
    let file = world.write(
        "specs.yaml",
        &[cluster(NAME, STRICT), group(NAME, "nodes", "Node", &hook("x"))].join("---\n"),
    );
    world.ok(&["create", "-f", &file]);
    let kept = world.ok(&["get", "ig", "nodes", "--name", NAME, "-o", "json"]).stdout;
    assert!(kept.contains("\"manifest\": \"x\\n\\n\\n\""), "{kept}");
}

/// A cluster as kops 1.36 writes one, with fields of every kind that 1.10 did not have.
fn of_today() -> String {
    format!(
        "apiVersion: kops.k8s.io/v1alpha2
kind: Cluster
metadata:
  creationTimestamp: \"2026-01-02T03:04:05Z\"
  name: {NAME}
spec:
  DisableSubnetTags: true
  additionalPolicies:
    control-plane: '[]'
  api:
    loadBalancer:
      accessLog:
        interval: 5
      class: Network
      type: Public
  authorization:
    rbac: {{}}
  certManager:
    enabled: true
    featureGates:
      Some: true
  channel: stable
  cloudConfig:
    awsEBSCSIDriver:
      enabled: true
  cloudProvider: aws
  clusterAutoscaler:
    cpuRequest: 1
    scaleDownUnneededTime: 5m30s
  configBase: s3://clusters/{NAME}
  containerRuntime: containerd
  etcdClusters:
  - cpuRequest: 200m
    etcdMembers:
    - encryptedVolume: true
      instanceGroup: masters
      name: a
    manager:
      backupRetentionDays: 90
    memoryRequest: 100Mi
    name: main
  - cpuRequest: 100m
    etcdMembers:
    - encryptedVolume: true
      instanceGroup: masters
      name: a
    name: events
  iam:
    allowContainerRegistry: true
    legacy: false
  kubelet:
    anonymousAuth: false
  kubernetesVersion: 1.36.0
  networkCIDR: 172.20.0.0/16
  networking:
    cilium:
      enableNodePort: true
  nonMasqueradeCIDR: 100.64.0.0/10
  sshAccess:
  - 0.0.0.0/0
  subnets:
  - cidr: 172.20.0.0/17
    name: us-west-2a
    type: DualStack
    zone: us-west-2a
  topology:
    dns:
      type: None
  updatePolicy: automatic
"
    )
}

fn group_of_today(name: &str, role: &str) -> String {
    let spec = "  manager: CloudGroup
  maxInstanceLifetime: 48h0m0s
  mixedInstancesPolicy:
    instanceRequirements:
      cpu:
        min: 2
  rootVolumeThroughput: 200
  warmPool: {}
";
    group(NAME, name, role, spec)
}

fn put_today(world: &World) {
    let put = |key: &str, text: &str| {
        let file = world.path(&format!("store/{key}"));
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    };
    put(&format!("{NAME}/config"), &of_today());
    for (name, role) in [("masters", "ControlPlane"), ("nodes", "Node"), ("api", "APIServer")] {
        put(&format!("{NAME}/instancegroup/{name}"), &group_of_today(name, role));
    }
}

#[test]
fn what_kops_writes_today_is_read_as_it_is() {
    let world = World::new("today");
    put_today(&world);
    let store = format!("file://{}", world.path("store").display());
    let state = ["--state", store.as_str()];
    let shown = world.ok(&[&["get", "clusters", "-o", "yaml"][..], &state].concat());
    assert_eq!((shown.stdout, shown.stderr), (of_today(), String::new()));
    let shown = world.ok(&[&["get", "ig", "--name", NAME][..], &state].concat());
    assert_eq!(shown.stderr, "");
    for row in ["APIServer", "Master", "Node"] {
        assert!(shown.stdout.contains(row), "{}", shown.stdout);
    }
}

#[test]
fn what_cannot_be_read_is_listed_with_the_reason_and_hides_nothing() {
    let world = World::new("marked");
    put_today(&world);
    let store = format!("file://{}", world.path("store").display());
    let ok = |args: &[&str]| world.ok(&[args, &["--state", &store]].concat());
    let bad = world.path("store/bad.example.com");
    std::fs::create_dir_all(&bad).unwrap();
    let text = of_today().replace(NAME, "bad.example.com");
    let text = text.replace("  networkCIDR: 172.20.0.0/16", "  networkCIDR: [172.20.0.0/16]");
    std::fs::write(bad.join("config"), text).unwrap();
    let nodes = world.path(&format!("store/{NAME}/instancegroup/nodes"));
    std::fs::write(nodes, "a: [\n").unwrap();

    let reason = "spec.networkCIDR (line 54): holds a list, but takes text";
    let shown = ok(&["get", "clusters"]).stdout;
    let line = |name: &str| {
        let found = shown.lines().find(|line| line.starts_with(name));
        found.unwrap_or_else(|| panic!("no {name}: {shown}")).to_owned()
    };
    assert!(line("bad.example.com").ends_with(&format!("cannot be read: {reason}")), "{shown}");
    assert!(line(NAME).ends_with("us-west-2a"), "{shown}");
    let yaml = ok(&["get", "clusters", "-o", "yaml"]).stdout;
    let mark = format!("# Cluster/bad.example.com cannot be read: {reason}\n");
    assert_eq!(yaml, format!("{mark}{}", of_today()));
    let json: serde_json::Value =
        serde_json::from_str(&ok(&["get", "clusters", "-o", "json"]).stdout).unwrap();
    assert_eq!(json[0]["metadata"]["name"], NAME);
    assert_eq!(json[1]["metadata"]["name"], "bad.example.com");
    assert_eq!(json[1]["cannotBeRead"], reason);

    for args in [&["get", "ig", "--name", NAME][..], &["get", NAME]] {
        let shown = ok(args).stdout;
        assert!(shown.contains("\nmasters"), "{shown}");
        let marked = shown.lines().find(|line| line.starts_with("nodes")).unwrap().to_owned();
        assert!(marked.contains("cannot be read: "), "{shown}");
    }
    // The groups of a cluster that cannot be read are there as well.
    std::fs::write(world.path(&format!("store/{NAME}/config")), "a: [\n").unwrap();
    let groups = ok(&["get", "ig", "--name", NAME]).stdout;
    assert!(groups.contains("\nmasters"), "{groups}");
    let all = ok(&["get", "all", "--name", NAME]).stdout;
    assert!(all.contains("cannot be read: ") && all.contains("\nmasters"), "{all}");
}

#[test]
fn fields_that_kops_dropped_and_words_that_it_does_not_take_are_told() {
    let world = World::new("dropped");
    let gone = "  iam: {}\n  kubelet:\n    experimental_allowed_unsafe_sysctls: [net.core.x]\n";
    let file = world.write("cluster.yaml", &cluster(NAME, gone));
    let said = world.ok(&["create", "-f", &file]).stderr;
    assert!(said.contains("write allowedUnsafeSysctls"), "{said}");
    assert!(!said.contains("no such field"), "{said}");
    let wrong = cluster(NAME, "  iam: {}\n  containerRuntime: docker\n");
    let file = world.write("cluster.yaml", &wrong);
    let said = world.fails(&["replace", "-f", &file]);
    let told = "is \"docker\", but takes one of containerd";
    assert!(said.contains(told), "{said}");
    // What kops kept in its day is shown.
    let old = world.path("old/old.example.com");
    std::fs::create_dir_all(&old).unwrap();
    std::fs::write(old.join("config"), wrong.replace(NAME, "old.example.com")).unwrap();
    let store = format!("file://{}", world.path("old").display());
    let shown = world.ok(&["get", "clusters", "--state", &store]);
    assert!(shown.stdout.contains("old.example.com") && shown.stderr.contains(told), "{shown:#?}");
}

#[test]
fn what_kops_takes_is_kept() {
    let world = World::bare("specs_taken");
    let etcd = ["a", "b", "c"].map(|member| {
        let group = if member == "c" { "more" } else { "masters" };
        format!("    - name: {member}\n      instanceGroup: {group}\n")
    });
    let own = "    - name: a\n      instanceGroup: masters\n";
    let today = cluster(NAME, "")
        .replace("kubernetesVersion: 1.10.3", "kubernetesVersion: 1.33.5")
        .replace("kubenet: {}", "cilium: {}")
        .replace(own, &etcd.concat());
    let pool = "  machineType: t3.medium,t3a.medium
  maxPrice: cheap
  rootVolumeThroughput: 200
  suspendProcesses: [Everything]
  mixedInstancesPolicy: {instanceRequirements: {cpu: {min: \"2\"}}}\n";
    let masters = "  rollingUpdate: {maxSurge: 0}\n";
    let specs = [
        today,
        group(NAME, "masters", "Master", masters),
        group(NAME, "more", "Master", masters),
        group(NAME, "nodes", "Node", pool).replace("  machineType: m5.large\n", ""),
    ];
    world.create(&specs.join("---\n"));
}
