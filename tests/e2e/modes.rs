//! Strict, legacy and ECR: from nothing to settled, and from one to the other.

use crate::harness::{ECR, LEGACY, STRICT, World, actions, cluster, group, pairs, specs};
use serde_json::json;

const NAME: &str = "dev.example.com";

const ECR_ACTIONS: [&str; 7] = [
    "ecr:BatchCheckLayerAvailability *", "ecr:BatchGetImage *", "ecr:DescribeRepositories *",
    "ecr:GetAuthorizationToken *", "ecr:GetDownloadUrlForLayer *", "ecr:GetRepositoryPolicy *",
    "ecr:ListImages *",
];

/// What a cluster of masters and nodes needs.
const ALL: [&str; 8] = [
    "create IAMRole/masters.dev.example.com",
    "create IAMRole/nodes.dev.example.com",
    "create IAMRolePolicy/masters.dev.example.com",
    "create IAMRolePolicy/nodes.dev.example.com",
    "create IAMInstanceProfile/masters.dev.example.com",
    "create IAMInstanceProfile/nodes.dev.example.com",
    "create IAMInstanceProfileRole/masters.dev.example.com",
    "create IAMInstanceProfileRole/nodes.dev.example.com",
];

fn from_nothing_to_settled(test: &str, mode: &str) {
    let world = World::with(test, &specs(NAME, mode));
    assert_eq!(actions(&world.plan(NAME, &[])), ALL);
    assert_eq!(world.iam_writes(), [""; 0], "a dry run writes nothing");
    world.apply(NAME);
    world.assert_settled(NAME, &[]);
    let run = world.ok(&["update", "cluster", NAME]);
    assert_eq!(run.stdout, "dev.example.com: nothing to do; 8 resources are as wanted.\n");
    // What AWS holds is what `iam show` tells, but for the zone's id.
    let shown = world.ok(&["iam", "show", NAME, "--role", "node", "-o", "json"]).stdout;
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    let live = world.policy("nodes.dev.example.com", "nodes.dev.example.com").unwrap();
    assert_eq!(live["Statement"][0], shown["Statement"][0]);
}

#[test]
fn a_strict_cluster_settles() {
    from_nothing_to_settled("strict", STRICT);
}

#[test]
fn a_legacy_cluster_settles() {
    from_nothing_to_settled("legacy", LEGACY);
}

#[test]
fn a_cluster_without_iam_settles_as_legacy() {
    from_nothing_to_settled("absent_iam", "");
}

#[test]
fn a_cluster_with_ecr_settles() {
    from_nothing_to_settled("ecr", ECR);
}

#[test]
fn from_legacy_to_strict_to_ecr_each_permission_is_told() {
    let world = World::with("transitions", &specs(NAME, LEGACY));
    world.apply(NAME);
    let bucket = format!("arn:aws:s3:::{}", world.bucket);
    let policy = "IAMRolePolicy/nodes.dev.example.com";

    world.ok(&["set", "cluster", NAME, "spec.iam.legacy=false"]);
    let plan = world.plan(NAME, &[]);
    let state = [
        "addons/*", "cluster.spec", "config", "instancegroup/*", "pki/issued/*",
        "pki/private/kube-proxy/*", "pki/private/kubelet/*", "pki/ssh/*", "secrets/dockerconfig",
    ];
    let gained: Vec<String> =
        state.iter().map(|path| format!("s3:Get* {bucket}/dev.example.com/{path}")).collect();
    assert_eq!(pairs(&plan, policy, "gained"), gained);
    let zone = {
        let live = world.policy("nodes.dev.example.com", "nodes.dev.example.com").unwrap();
        let text = live.to_string();
        let start = text.find("hostedzone/").unwrap() + "hostedzone/".len();
        text[start..].split('"').next().unwrap().to_owned()
    };
    let mut lost: Vec<String> = ECR_ACTIONS.iter().map(ToString::to_string).collect();
    for action in ["ChangeResourceRecordSets", "GetHostedZone", "ListResourceRecordSets"] {
        lost.push(format!("route53:{action} arn:aws:route53:::hostedzone/{zone}"));
    }
    lost.push("route53:GetChange arn:aws:route53:::change/*".to_owned());
    lost.push("route53:ListHostedZones *".to_owned());
    lost.push(format!("s3:* {bucket}/dev.example.com/*"));
    lost.sort();
    assert_eq!(pairs(&plan, policy, "lost"), lost);
    world.apply(NAME);
    world.assert_settled(NAME, &[]);

    world.ok(&["set", "cluster", NAME, "spec.iam.allowContainerRegistry=true"]);
    let plan = world.plan(NAME, &[]);
    assert_eq!(
        actions(&plan),
        [
            "update IAMRolePolicy/masters.dev.example.com",
            "update IAMRolePolicy/nodes.dev.example.com",
        ]
    );
    for role in ["masters", "nodes"] {
        let policy = format!("IAMRolePolicy/{role}.dev.example.com");
        assert_eq!(pairs(&plan, &policy, "gained"), ECR_ACTIONS);
        assert_eq!(pairs(&plan, &policy, "lost"), [""; 0]);
    }
    let text = world.ok(&["update", "cluster", NAME]).stdout;
    insta::assert_snapshot!("strict_to_ecr", world.neutral(&text));
    world.apply(NAME);
    world.assert_settled(NAME, &[]);

    world.ok(&["set", "cluster", NAME, "spec.iam.legacy=true"]);
    let plan = world.plan(NAME, &[]);
    assert_eq!(pairs(&plan, policy, "lost"), gained);
    let masters = "IAMRolePolicy/masters.dev.example.com";
    let gained = pairs(&plan, masters, "gained");
    for broad in ["ec2:* *", "elasticloadbalancing:* *"] {
        assert!(gained.iter().any(|pair| pair == broad), "{gained:?}");
    }
}

#[test]
fn a_role_exists_when_a_group_has_it() {
    let bastion = group(NAME, "bastions", "Bastion", "");
    let world = World::with("bastion", &[specs(NAME, STRICT), bastion].join("---\n"));
    let plan = world.plan(NAME, &[]);
    assert_eq!(plan["summary"]["create"], 12);
    world.apply(NAME);
    let policy = world.policy("bastions.dev.example.com", "bastions.dev.example.com").unwrap();
    assert_eq!(
        policy["Statement"],
        json!([{"Effect": "Allow", "Action": ["ec2:DescribeRegions"], "Resource": ["*"]}])
    );
    world.assert_settled(NAME, &[]);
}

#[test]
fn roles_trust_ec2_of_their_partition_and_carry_the_clusters_tags() {
    let world = World::with("trust", &specs(NAME, STRICT));
    world.apply(NAME);
    let role =
        crate::harness::wait(world.iam().get_role().role_name("nodes.dev.example.com").send());
    let role = role.unwrap().role.unwrap();
    let tags: Vec<(String, String)> =
        role.tags().iter().map(|tag| (tag.key().to_owned(), tag.value().to_owned())).collect();
    for (key, value) in [
        ("KubernetesCluster", "dev.example.com"),
        ("Name", "nodes.dev.example.com"),
        ("kubernetes.io/cluster/dev.example.com", "owned"),
    ] {
        assert!(tags.contains(&(key.to_owned(), value.to_owned())), "{tags:?}");
    }
    assert!(role.assume_role_policy_document().unwrap().contains("ec2.amazonaws.com"));
}

#[test]
fn a_folder_as_store_leaves_s3_out_and_says_so() {
    let world = World::new("folder_store");
    world.zone("example.com", "Z1");
    let store = world.path("state").display().to_string();
    let file = world.write("specs.yaml", &specs(NAME, STRICT));
    world.ok(&["create", "-f", &file, "--state", &store]);
    let run = world.ok(&["update", "cluster", NAME, "--state", &store]);
    assert!(!run.stdout.contains("s3:"), "{}", run.stdout);
    insta::assert_snapshot!("folder_store", world.neutral(&run.stderr));

    let based = specs(NAME, "  iam: {}\n  configBase: s3://elsewhere/dev\n");
    let file = world.write("specs.yaml", &based);
    world.ok(&["replace", "-f", &file, "--state", &store]);
    let run = world.ok(&["update", "cluster", NAME, "--state", &store]);
    assert!(!run.stderr.contains("warning"), "{}", run.stderr);
    assert!(run.stdout.contains("arn:aws:s3:::elsewhere/dev/*"), "{}", run.stdout);
}

#[test]
fn a_cluster_without_its_hosted_zone_is_warned_of() {
    let world = World::new("no_zone");
    world.create(&specs(NAME, STRICT));
    let run = world.ok(&["update", "cluster", NAME]);
    insta::assert_snapshot!("no_zone", world.neutral(&run.stderr));
    let gossip = cluster("dev.k8s.local", STRICT);
    world.create(
        &[
            gossip,
            group("dev.k8s.local", "masters", "Master", ""),
            group("dev.k8s.local", "nodes", "Node", ""),
        ]
        .join("---\n"),
    );
    world.forget_calls();
    let run = world.ok(&["update", "cluster", "dev.k8s.local"]);
    assert!(!run.stderr.contains("warning"), "{}", run.stderr);
    assert!(world.calls().iter().all(|call| call.service != "route53"));
}

#[test]
fn a_running_cluster_does_not_lose_its_zone() {
    let world = World::with("lost_zone", &specs(NAME, STRICT));
    world.apply(NAME);
    // The same account, as if the zone were gone or its name misspelt.
    world.ok(&["set", "cluster", NAME, "spec.dnsZone=exampel.com"]);
    world.forget_calls();
    let said = world.fails(&["update", "cluster", NAME, "--yes"]);
    assert_eq!(world.iam_writes(), [""; 0]);
    insta::assert_snapshot!("lost_zone", said);
    world.ok(&["set", "cluster", NAME, "spec.dnsZone=example.com"]);
    world.assert_settled(NAME, &[]);
}
