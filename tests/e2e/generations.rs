//! The policies of kops 1.10 and of 1.36: which a cluster has, why, and what moving changes.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use crate::harness::{ECR, LEGACY, STRICT, World, group, specs, texts};

const NAME: &str = "dev.example.com";
const IN_S3: &str = "  configBase: s3://state/dev.example.com\n";

/// A world with a cluster in a folder, so that nothing is asked of AWS.
fn kept(test: &str, text: &str) -> (World, String) {
    let world = World::new(test);
    let store = world.path("store").display().to_string();
    let file = world.write("specs.yaml", text);
    world.ok(&["create", "-f", &file, "--state", &store]);
    (world, store)
}

fn with_calico(more: &str) -> String {
    let bastions = group(NAME, "bastions", "Bastion", "");
    let text = [specs(NAME, &format!("{IN_S3}{more}")), bastions].join("---\n");
    text.replace("kubenet: {}", "calico: {}")
}

fn json(world: &World, args: &[&str]) -> Json {
    serde_json::from_str(&world.ok(args).stdout).unwrap()
}

/// What a role gains, loses and keeps, as the text counts it.
fn counted(text: &str) -> Vec<&str> {
    text.lines().filter(|line| line.contains(": gains ")).collect()
}

#[test]
fn moving_to_today_s_policies_is_told_permission_by_permission_and_done_by_an_annotation() {
    let (world, store) = kept("upgrade", &with_calico(STRICT));
    let move_to = |to: &str, more: &[&str]| {
        world.ok(&[&["iam", "upgrade", NAME, "--state", &store, "--to", to], more].concat())
    };
    let told = move_to("1.36", &[]);
    assert_eq!(
        counted(&told.stdout),
        [
            "masters.dev.example.com: gains 81, loses 40, keeps 25",
            "nodes.dev.example.com: gains 2, loses 13, keeps 1",
            "bastions.dev.example.com: gains 0, loses 0, keeps 1",
        ]
    );
    assert!(told.stderr.contains("nothing was changed; to move:"), "{told:#?}");
    insta::assert_snapshot!("upgrade_told", told.stdout);
    let kept = || world.ok(&["get", "cluster", NAME, "-o", "yaml", "--state", &store]).stdout;
    assert!(!kept().contains("annotations"), "{}", kept());

    let done = move_to("1.36", &["--yes"]);
    assert_eq!(done.stdout, told.stdout);
    assert!(kept().contains("kapstan.io/iam-generation: \"1.36\""), "{}", kept());
    let shown = world.ok(&["iam", "show", NAME, "--role", "node", "--state", &store]);
    assert!(shown.stderr.contains("1.36: the annotation kapstan.io/iam-generation"), "{shown:#?}");
    assert!(!shown.stdout.contains("s3:"), "{shown:#?}");

    // And back.
    let back = move_to("1.10", &["-o", "json", "--yes"]);
    let report: Json = serde_json::from_str(&back.stdout).unwrap();
    assert_eq!(report["from"]["generation"], "1.36");
    assert_eq!(report["roles"][1]["kept"], 1);
    assert!(kept().contains("kapstan.io/iam-generation: \"1.10\""), "{}", kept());
    assert!(move_to("1.10", &["--yes"]).stderr.contains("nothing to do"));
}

#[test]
fn accounts_that_get_roles_are_told_with_the_permissions_that_the_control_plane_loses() {
    let own = "  iam: {useServiceAccountExternalPermissions: true}\n";
    let (world, store) = kept("upgrade_own", &with_calico(own));
    let told = world.ok(&["iam", "upgrade", NAME, "--to", "1.36", "--state", &store]).stdout;
    let names: Vec<&str> =
        counted(&told).into_iter().map(|line| line.split(": ").next().unwrap()).collect();
    assert_eq!(
        names,
        [
            "masters.dev.example.com",
            "nodes.dev.example.com",
            "bastions.dev.example.com",
            "ebs-csi-controller-sa.kube-system.sa.dev.example.com",
            "aws-cloud-controller-manager.kube-system.sa.dev.example.com",
            "aws-node-termination-handler.kube-system.sa.dev.example.com",
            "dns-controller.kube-system.sa.dev.example.com",
        ]
    );
    let shown = json(
        &world,
        &["iam", "show", NAME, "--generation", "1.36", "-o", "json", "--state", &store],
    );
    assert_eq!(shown["iamGeneration"]["reason"], "as asked");
    let account = &shown["serviceAccounts"][0];
    assert_eq!(account["account"], "kube-system/ebs-csi-controller-sa");
    assert_eq!(
        account["trustPolicy"]["Statement"][0]["Principal"]["Federated"],
        "arn:aws:iam::ACCOUNT_ID:oidc-provider/api.internal.dev.example.com"
    );
}

#[test]
fn legacy_policies_are_of_the_old_generation_and_stay_until_the_spec_says_otherwise() {
    let (world, store) = kept("upgrade_legacy", &with_calico(LEGACY));
    std::fs::write(world.path("store").join(NAME).join("kops-version.txt"), "1.30.2\n").unwrap();
    let args = ["iam", "upgrade", NAME, "--to", "1.36", "--state", &store];
    let told = world.ok(&args);
    assert!(told.stdout.contains("kops 1.10 (spec.iam.legacy is true) to kops 1.36"), "{told:#?}");
    assert!(told.stdout.contains("- Allow  ec2:*  on *"), "{told:#?}");
    let said = world.fails(&[&args[..], &["--yes"]].concat());
    assert!(said.contains("kapstan unset cluster dev.example.com spec.iam.legacy"), "{said}");
    let shown = world.ok(&["iam", "show", NAME, "--state", &store]);
    assert!(
        shown.stderr.contains("warning: Cluster/dev.example.com: spec.iam.legacy"),
        "{shown:#?}"
    );
    assert!(shown.stdout.contains("\"ec2:*\""), "{shown:#?}");
}

#[test]
fn a_cluster_of_today_s_kops_gets_its_policies_and_is_settled() {
    let text = specs(NAME, "").replace("kubernetesVersion: 1.10.3", "kubernetesVersion: 1.32.0");
    let world = World::with("generation_applied", &text);
    let plan = world.plan(NAME, &[]);
    assert_eq!(plan["iamGeneration"]["generation"], "1.36");
    assert_eq!(plan["iamGeneration"]["reason"], "spec.kubernetesVersion is 1.32.0");
    let head = world.ok(&["update", "cluster", NAME]).stdout;
    assert!(head.contains("· IAM of kops 1.36 (spec.kubernetesVersion is 1.32.0)\n"), "{head}");
    world.apply(NAME);
    world.assert_settled(NAME, &[]);
    let shown = json(&world, &["iam", "show", NAME, "--role", "node", "-o", "json"]);
    assert_eq!(world.policy("nodes.dev.example.com", "nodes.dev.example.com"), Some(shown));

    // What kops wrote last tells more than the version of Kubernetes.
    let s3 = world.s3();
    let put = s3.put_object().bucket(&world.bucket).key(format!("{NAME}/kops-version.txt"));
    crate::harness::wait(put.body(b"1.10.1".to_vec().into()).send()).unwrap();
    let plan = world.plan(NAME, &[]);
    assert_eq!(plan["iamGeneration"]["reason"], "last written by kops 1.10.1");
    let said = json(&world, &["iam", "diff", NAME, "-o", "json"]);
    assert_eq!(said["iamGeneration"]["generation"], "1.10");
}

#[test]
fn an_annotation_that_names_no_generation_is_refused_with_what_is_allowed() {
    let text = specs(NAME, STRICT).replacen(
        "metadata:\n",
        "metadata:\n  annotations: {kapstan.io/iam-generation: \"1.30\"}\n",
        1,
    );
    let world = World::with("generation_wrong", &text);
    for args in [["update", "cluster", NAME], ["iam", "show", NAME]] {
        let said = world.fails(&args);
        assert!(said.contains("kapstan.io/iam-generation"), "{said}");
        assert!(said.contains("\"1.30\" is no generation: it is 1.10 or 1.36"), "{said}");
    }
    assert!(world.fails(&["iam", "show", NAME, "--generation", "1.2"]).contains("1.10 or 1.36"));
}

/// What the control plane of every cluster may no more, what it may only under other conditions, and
/// what it may besides: worked out by hand of the tables of both kops.
const LOST: &str =
    "autoscaling:UpdateAutoScalingGroup iam:GetServerCertificate iam:ListServerCertificates";
const OF_TAGGED: &str = "ec2:ModifyInstanceAttribute ec2:ModifyVolume \
    elasticloadbalancing:AddTags elasticloadbalancing:ApplySecurityGroupsToLoadBalancer \
    elasticloadbalancing:AttachLoadBalancerToSubnets elasticloadbalancing:ConfigureHealthCheck \
    elasticloadbalancing:CreateLoadBalancerListeners elasticloadbalancing:CreateLoadBalancerPolicy \
    elasticloadbalancing:DeleteListener elasticloadbalancing:DeleteLoadBalancer \
    elasticloadbalancing:DeleteLoadBalancerListeners elasticloadbalancing:DeleteTargetGroup \
    elasticloadbalancing:DeregisterInstancesFromLoadBalancer \
    elasticloadbalancing:DetachLoadBalancerFromSubnets elasticloadbalancing:ModifyListener \
    elasticloadbalancing:ModifyLoadBalancerAttributes elasticloadbalancing:ModifyTargetGroup \
    elasticloadbalancing:RegisterInstancesWithLoadBalancer elasticloadbalancing:RegisterTargets \
    elasticloadbalancing:SetLoadBalancerPoliciesForBackendServer \
    elasticloadbalancing:SetLoadBalancerPoliciesOfListener";
const OF_NEW: &str = "ec2:CreateSecurityGroup ec2:CreateTags ec2:CreateVolume \
    elasticloadbalancing:CreateListener elasticloadbalancing:CreateLoadBalancer \
    elasticloadbalancing:CreateTargetGroup";
const BY_ANOTHER_KEY: &str = "autoscaling:SetDesiredCapacity \
    autoscaling:TerminateInstanceInAutoScalingGroup ec2:AttachVolume \
    ec2:AuthorizeSecurityGroupIngress ec2:DeleteSecurityGroup ec2:DeleteVolume ec2:DetachVolume \
    ec2:RevokeSecurityGroupIngress";
const GAINED: &str = "autoscaling:CompleteLifecycleAction autoscaling:DescribeAutoScalingInstances \
    autoscaling:DescribeScalingActivities ec2:CopyVolumes ec2:DeleteTags \
    ec2:DescribeAvailabilityZones ec2:DescribeImages ec2:DescribeInstanceTopology \
    ec2:DescribeInstanceTypes ec2:DescribeLaunchTemplateVersions ec2:DescribeTags \
    ec2:DescribeVolumeStatus ec2:GetInstanceTypesFromInstanceRequirements \
    elasticloadbalancing:DeregisterTargets elasticloadbalancing:DescribeTargetGroupAttributes \
    elasticloadbalancing:ModifyTargetGroupAttributes iam:CreateServiceLinkedRole kms:CreateGrant \
    kms:Decrypt kms:DescribeKey kms:Encrypt kms:GenerateDataKey* kms:ReEncrypt* \
    route53:ListTagsForResource s3:DeleteObject s3:DeleteObjectVersion \
    s3:GetEncryptionConfiguration s3:GetObject s3:ListBucketVersions s3:PutObject \
    sqs:DeleteMessage sqs:ReceiveMessage";

/// What moving does to the nodes of every cluster.
const NODES_LOST: &str = "ec2:DescribeRegions s3:Get* s3:GetBucketLocation s3:ListBucket";
const NODES_GAINED: &str = "ec2:DescribeInstanceTypes";

/// A spec, and what moving does to its control plane and its nodes beside that.
struct Move {
    name: &'static str,
    networking: &'static str,
    iam: &'static str,
    dns: &'static str,
    control_plane: [&'static str; 3],
    nodes: [&'static str; 2],
}

const MOVES: [Move; 3] = [
    Move {
        name: "minimal",
        networking: "kubenet",
        iam: STRICT,
        dns: "",
        // Lost, limited to what is the cluster's, gained.
        control_plane: ["", "ec2:CreateRoute ec2:DeleteRoute", ""],
        nodes: ["ec2:DescribeInstances", ""],
    },
    Move {
        name: "private",
        networking: "kubenet",
        // ECR is as it was.
        iam: ECR,
        dns: "    dns: {type: Private}\n",
        control_plane: ["", "ec2:CreateRoute ec2:DeleteRoute", ""],
        nodes: ["ec2:DescribeInstances", ""],
    },
    Move {
        name: "amazonvpc",
        networking: "amazonvpc",
        iam: STRICT,
        dns: "",
        control_plane: [
            "ec2:CreateRoute ec2:DeleteRoute tag:TagResources",
            "",
            "ec2:UnassignPrivateIpAddresses",
        ],
        nodes: [
            "tag:TagResources",
            "ec2:CreateTags ec2:DescribeSubnets ec2:DescribeTags ec2:UnassignPrivateIpAddresses",
        ],
    },
];

fn words(texts: &[&str]) -> BTreeSet<String> {
    texts.iter().flat_map(|text| text.split_whitespace()).map(str::to_owned).collect()
}

/// The actions of statements of which a condition names a key; of all, without any.
fn actions_of(statements: &Json, key: &str) -> BTreeSet<String> {
    let all = statements.as_array().unwrap().iter();
    let named = all.filter(|one| key.is_empty() || one["Condition"].to_string().contains(key));
    named.flat_map(|one| texts(&one["Action"])).collect()
}

#[test]
fn moving_gives_and_takes_what_the_tables_of_both_kops_say() {
    for Move { name, networking, iam, dns, control_plane, nodes } in MOVES {
        let text = specs(NAME, &format!("{IN_S3}  dnsZone: Z1HOSTEDZONE\n{iam}"));
        let text = text.replace("kubenet: {}", &format!("{networking}: {{}}"));
        let text = text.replace("    nodes: public\n", &format!("    nodes: public\n{dns}"));
        let (world, store) = kept(&format!("upgrade_{name}"), &text);
        let args = ["iam", "upgrade", NAME, "--to", "1.36", "-o", "json", "--state", &store];
        let report = json(&world, &args);
        let of_role = |index: usize| {
            let role = &report["roles"][index];
            let (gained, lost) = (&role["gained"], &role["lost"]);
            let after = actions_of(gained, "");
            let before = actions_of(lost, "");
            let only = |one: &BTreeSet<String>, other: &BTreeSet<String>| -> BTreeSet<String> {
                one.difference(other).cloned().collect()
            };
            (only(&before, &after), only(&after, &before), gained.clone(), lost.clone())
        };
        let [lost, limited, gained] = control_plane;
        let (is_lost, is_gained, new, old) = of_role(0);
        assert_eq!(is_lost, words(&[LOST, lost]), "{name}");
        assert_eq!(is_gained, words(&[GAINED, gained]), "{name}");
        let altered: BTreeSet<String> =
            actions_of(&new, "").intersection(&actions_of(&old, "")).cloned().collect();
        assert_eq!(altered, words(&[OF_TAGGED, OF_NEW, BY_ANOTHER_KEY, limited]), "{name}");
        let by_tag = actions_of(&new, "aws:ResourceTag/KubernetesCluster");
        assert!(words(&[OF_TAGGED, BY_ANOTHER_KEY, limited]).is_subset(&by_tag), "{by_tag:#?}");
        let by_request = actions_of(&new, "aws:RequestTag/KubernetesCluster");
        assert!(words(&[OF_NEW]).is_subset(&by_request), "{by_request:#?}");
        let of_old: BTreeSet<String> = ["ec2:ResourceTag/", "autoscaling:ResourceTag/"]
            .into_iter()
            .flat_map(|key| actions_of(&old, key))
            .collect();
        let kept: BTreeSet<String> = of_old.difference(&is_lost).cloned().collect();
        assert_eq!(kept, words(&[BY_ANOTHER_KEY, limited]), "{name}");

        let [lost, gained] = nodes;
        let (is_lost, is_gained, ..) = of_role(1);
        assert_eq!(is_lost, words(&[NODES_LOST, lost]), "{name}");
        assert_eq!(is_gained, words(&[NODES_GAINED, gained]), "{name}");
    }
}
