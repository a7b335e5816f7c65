//! Each field of an instance group that reaches AWS, changed on a converged cluster: exactly
//! that change, in one new version of the launch template or in the group, and then nothing.

use serde_json::{Value as Json, json};

use crate::harness::{TARGET_GROUP, World, cluster, group, wait};

const NAME: &str = "fields.example.com";
const GROUP: &str = "nodes.fields.example.com";
const KUBERNETES: &str = "  annotations: {kapstan.io/bootstrap: none}\n  iam: {}\n";
const IMAGE: &str = "  image: ami-10100000\n";

/// What a field must change: of the launch template, of the group itself, of both, or its warm
/// pool.
enum Changes<'a> {
    Template(&'a [&'a str]),
    Group(&'a [&'a str]),
    /// A tag, which all that is started gets too.
    Tag(&'a str),
    Pool(&'a [&'a str]),
}
use Changes::{Group, Pool, Tag, Template};

fn specs(nodes: &str) -> String {
    let subnets = cluster(NAME, KUBERNETES).replace(
        "    type: Public\n",
        "    type: Public\n  - {name: us-west-2b, zone: us-west-2b, type: Public}\n",
    );
    // Lines that are given take the place of the defaults.
    let mut own = group(NAME, "nodes", "Node", IMAGE);
    if nodes.starts_with("  subnets:") {
        own = own.replace("  subnets:\n  - us-west-2a\n", "");
    }
    for line in nodes.lines().filter(|line| !line.starts_with("  -") && !line.starts_with("   ")) {
        let field = format!("{}:", line.split(':').next().unwrap());
        let kept = own.lines().filter(|old| !old.starts_with(&field));
        own = kept.map(|line| format!("{line}\n")).collect();
    }
    own.push_str(nodes);
    [subnets, group(NAME, "masters", "Master", IMAGE), own].join("---\n")
}

/// The fields that a plan changes, by resource, but for old versions that go with any change.
fn changed(plan: &Json) -> Vec<(String, Vec<String>)> {
    let changes = plan["changes"].as_array().unwrap().iter();
    let of = |change: &Json| {
        let fields = change["fields"].as_array().unwrap().iter();
        let fields = fields.map(|field| field["field"].as_str().unwrap().to_owned());
        let fields = fields.filter(|field| field != "versions").collect();
        (change["id"].as_str().unwrap().to_owned(), fields)
    };
    changes.map(of).collect()
}

fn newest_version(world: &World) -> i64 {
    let call = world.ec2().describe_launch_templates().launch_template_names(GROUP).send();
    wait(call).unwrap().launch_templates()[0].latest_version_number().unwrap()
}

#[track_caller]
fn check(test: &str, cases: &[(&str, Changes)]) {
    let world = World::whole(test, NAME, &specs(""));
    world.apply(NAME);
    world.assert_settled(NAME, &[]);
    for (lines, changes) in cases {
        world.replace(&specs(lines));
        let version = newest_version(&world);
        let plan = world.plan(NAME, &[]);
        let template = format!("LaunchTemplate/{GROUP}");
        let scaling = format!("AutoscalingGroup/{GROUP}");
        let own = |fields: &[&str]| fields.iter().map(|field| (*field).to_owned()).collect();
        let expected: Vec<(String, Vec<String>)> = match changes {
            Template(fields) => vec![(template, own(fields))],
            Group(fields) => vec![(scaling, own(fields))],
            Tag(key) => {
                let tag = format!("tags[{key:?}]");
                let started = format!("instanceTags[{key:?}]");
                vec![(template, own(&[&started, &tag])), (scaling, own(&[&tag]))]
            }
            Pool(fields) => {
                let pool = format!("WarmPool/{GROUP}");
                vec![(scaling, own(&["metrics"])), (pool, own(fields))]
            }
        };
        assert_eq!(changed(&plan), expected, "{lines}");
        world.apply(NAME);
        let made = i64::from(matches!(changes, Template(_) | Tag(_)));
        assert_eq!(newest_version(&world), version + made, "{lines}");
        world.assert_settled(NAME, &[]);
        // And back again.
        world.replace(&specs(""));
        let back = changed(&world.plan(NAME, &[]));
        // More metrics than are wanted do no harm.
        let expected: Vec<_> =
            expected.into_iter().filter(|(_, fields)| fields != &own(&["metrics"])).collect();
        assert_eq!(back.len(), expected.len(), "without {lines}");
        for ((id, fields), (expected_id, expected)) in back.iter().zip(&expected) {
            assert_eq!(id, expected_id, "without {lines}");
            // What the spec leaves to AWS again is not told.
            assert!(fields.iter().all(|field| expected.contains(field)), "without {lines}");
        }
        world.apply(NAME);
        world.assert_settled(NAME, &[]);
    }
}

#[test]
fn fields_of_the_machine() {
    check(
        "fields_machine",
        &[
            ("  machineType: t3.large\n", Template(&["machineType"])),
            ("  image: ami-12345678\n", Template(&["image"])),
            ("  image: ami-0ubuntu22\n", Template(&["image", "rootDevice"])),
            ("  associatePublicIp: false\n", Template(&["publicIp"])),
            ("  tenancy: dedicated\n", Template(&["tenancy"])),
            ("  detailedInstanceMonitoring: true\n", Template(&["monitoring"])),
            (
                "  machineType: t3.large\n  cpuCredits: unlimited\n",
                Template(&["machineType", "cpuCredits"]),
            ),
            (
                "  instanceMetadata: {httpTokens: optional, httpPutResponseHopLimit: 2}\n",
                Template(&["httpTokens", "httpPutResponseHopLimit"]),
            ),
            ("  machineType: m3.medium\n", Template(&["machineType", "ephemeral"])),
        ],
    );
}

#[test]
fn fields_of_volumes() {
    check(
        "fields_volumes",
        &[
            ("  rootVolumeSize: 50\n", Template(&["rootVolumeSize"])),
            (
                "  rootVolumeIops: 4000\n  rootVolumeThroughput: 200\n",
                Template(&["rootVolumeIops", "rootVolumeThroughput"]),
            ),
            (
                "  rootVolumeType: io1\n",
                Template(&["rootVolumeType", "rootVolumeIops", "rootVolumeThroughput"]),
            ),
            ("  rootVolumeOptimization: true\n", Template(&["ebsOptimized"])),
            (
                "  rootVolumeEncryption: true\n  rootVolumeEncryptionKey: key-1\n",
                Template(&["rootVolumeEncryptionKey"]),
            ),
            ("  rootVolumeEncryption: false\n", Template(&["rootVolumeEncryption"])),
            (
                "  volumes:\n  - {device: /dev/xvdd, size: 20, type: gp3, encrypted: true}\n",
                Template(&["volumes[\"/dev/xvdd\"]"]),
            ),
        ],
    );
}

#[test]
fn fields_of_price_and_user_data() {
    let user_data = "  additionalUserData:
  - {name: one.sh, type: text/x-shellscript, content: \"#!/bin/sh\\necho one\"}
  - {name: two.txt, type: text/cloud-config, content: \"packages: [jq]\"}\n";
    check(
        "fields_price",
        &[
            ("  maxPrice: '0.05'\n", Template(&["market", "maxPrice"])),
            (
                "  maxPrice: '0.05'\n  instanceInterruptionBehavior: terminate\n",
                Template(&["market", "maxPrice", "instanceInterruptionBehavior"]),
            ),
            (
                "  maxPrice: '0.05'\n  spotDurationInMinutes: 120\n",
                Template(&["market", "maxPrice", "spotDurationInMinutes"]),
            ),
            (user_data, Template(&["userData"])),
        ],
    );
}

#[test]
fn fields_of_the_group() {
    let mixed = "  mixedInstancesPolicy:
    instances: [t3.medium, t3a.medium]
    onDemandBase: 1
    onDemandAboveBase: 50
    spotAllocationStrategy: capacity-optimized\n";
    let label = "k8s.io/cluster-autoscaler/node-template/label/disk";
    let taint = "k8s.io/cluster-autoscaler/node-template/taint/gpu";
    check(
        "fields_group",
        &[
            ("  minSize: 2\n  maxSize: 4\n", Group(&["minSize", "maxSize"])),
            ("  suspendProcesses: [AZRebalance]\n", Group(&["suspendProcesses"])),
            ("  cloudLabels: {team: blue}\n", Tag("team")),
            ("  nodeLabels: {disk: ssd}\n", Tag(label)),
            ("  kubelet: {nodeLabels: {disk: ssd}}\n", Tag(label)),
            ("  taints: ['gpu=yes:NoSchedule']\n", Tag(taint)),
            ("  instanceProtection: true\n", Group(&["instanceProtection"])),
            ("  capacityRebalance: true\n", Group(&["capacityRebalance"])),
            ("  maxInstanceLifetime: 48h20m\n", Group(&["maxInstanceLifetime"])),
            ("  warmPool: {minSize: 1, maxSize: 3}\n", Pool(&["minSize", "maxSize"])),
            (
                mixed,
                Group(&[
                    "mixedInstancesPolicy.instances",
                    "mixedInstancesPolicy.spotAllocationStrategy",
                    "mixedInstancesPolicy.onDemandBase",
                    "mixedInstancesPolicy.onDemandAboveBase",
                ]),
            ),
            ("  subnets: [us-west-2a, us-west-2b]\n", Group(&["subnets"])),
        ],
    );
}

#[test]
fn security_groups_of_the_user_s_own() {
    let world = World::whole("fields_security", NAME, &specs(""));
    world.apply(NAME);
    let vpcs = wait(world.ec2().describe_vpcs().send()).unwrap();
    let own = |vpc: &&aws_sdk_ec2::types::Vpc| {
        vpc.tags().iter().any(|tag| tag.key() == Some("Name") && tag.value() == Some(NAME))
    };
    let vpc = vpcs.vpcs().iter().find(own).unwrap().vpc_id().unwrap();
    let create = world.ec2().create_security_group().group_name("theirs").description("theirs");
    let theirs = wait(create.vpc_id(vpc).send()).unwrap().group_id.unwrap();
    world.replace(&specs(&format!("  additionalSecurityGroups: [{theirs}]\n")));
    let plan = world.plan(NAME, &[]);
    let (id, fields) = &changed(&plan)[0];
    assert_eq!(id, &format!("LaunchTemplate/{GROUP}"));
    assert_eq!(*fields, ["securityGroups"]);
    world.apply(NAME);
    world.assert_settled(NAME, &[]);
    let found = world.observe(&json!({"theirs": theirs}));
    assert_eq!(
        found[format!("LaunchTemplate/{GROUP}")]["securityGroups"],
        json!([GROUP, "theirs"])
    );
    assert!(found["SecurityGroup/theirs"].is_object());
}

#[test]
fn load_balancers_of_the_user_s_own() {
    let world = World::whole("fields_external", NAME, &specs(""));
    world.apply(NAME);
    let laid_out = world.lay_out(&format!("loadBalancerName: my-elb\n{TARGET_GROUP}\n"));
    let arn = laid_out[TARGET_GROUP].as_str().unwrap();
    let lines = format!(
        "  externalLoadBalancers:\n  - loadBalancerName: my-elb\n  - targetGroupArn: {arn}\n"
    );
    world.replace(&specs(&lines));
    let plan = world.plan(NAME, &[]);
    let ids: Vec<&Json> = plan["changes"].as_array().unwrap().iter().map(|c| &c["id"]).collect();
    let target = format!("ExternalTargetGroupAttachment/exttg-{arn}-nodes");
    assert_eq!(ids, [&json!("ExternalLoadBalancerAttachment/extlb-my-elb-nodes"), &json!(target)]);
    world.apply(NAME);
    world.assert_settled(NAME, &[]);
    let found = world.observe(&laid_out);
    for to in ["my-elb", "my-tg"] {
        assert!(found[format!("LoadBalancerAttachment/{GROUP} {to}")].is_object(), "{found:#}");
    }
}

#[test]
fn load_balancers_and_groups_whose_names_run_together_are_told_apart() {
    let behind = |name: &str, to: &str| {
        let to = format!("{IMAGE}  externalLoadBalancers: [{{loadBalancerName: {to}}}]\n");
        group(NAME, name, "Node", &to)
    };
    let specs = [specs(""), behind("c", "a-b"), behind("b-c", "a"), behind("d", "a")];
    let world = World::whole("fields_together", NAME, &specs.join("---\n"));
    let elb = aws_sdk_elasticloadbalancing::Client::new(&world.sdk());
    let listener = aws_sdk_elasticloadbalancing::types::Listener::builder();
    let listener =
        listener.protocol("tcp").load_balancer_port(80).instance_port(80).build().unwrap();
    for name in ["a", "a-b"] {
        let call = elb.create_load_balancer().load_balancer_name(name);
        let call = call.listeners(listener.clone()).availability_zones("us-west-2a");
        wait(call.send()).unwrap();
    }
    let plan = world.plan(NAME, &[]);
    let ids =
        plan["changes"].as_array().unwrap().iter().map(|change| change["id"].as_str().unwrap());
    let kind = "ExternalLoadBalancerAttachment/";
    let mut ids: Vec<&str> = ids.filter_map(|id| id.strip_prefix(kind)).collect();
    ids.sort();
    let apart =
        ["extlb-a-b-c (b-c.fields.example.com)", "extlb-a-b-c (c.fields.example.com)", "extlb-a-d"];
    assert_eq!(ids, apart);
    world.apply(NAME);
    world.assert_settled(NAME, &[]);
    let groups = wait(world.autoscaling().describe_auto_scaling_groups().send()).unwrap();
    for (name, to) in [("c", "a-b"), ("b-c", "a"), ("d", "a")] {
        let name = format!("{name}.{NAME}");
        let mut groups = groups.auto_scaling_groups().iter();
        let group = groups.find(|group| group.auto_scaling_group_name() == Some(&name)).unwrap();
        assert_eq!(group.load_balancer_names(), [to], "{name}");
    }
}

#[test]
fn an_instance_profile_of_the_user_s_own() {
    let world = World::whole("fields_profile", NAME, &specs(""));
    world.apply(NAME);
    world.foreign_profile("org-nodes", "org-nodes");
    world.replace(&specs(
        "  iam: {profile: 'arn:aws:iam::123456789012:instance-profile/org-nodes'}\n",
    ));
    let plan = world.plan(NAME, &[]);
    let template = changed(&plan).into_iter().find(|(id, _)| id.starts_with("LaunchTemplate/"));
    assert_eq!(template.unwrap().1, ["instanceProfile"]);
    world.apply(NAME);
    let told = [
        "! IAMRolePolicy/org-nodes",
        "- IAMRole/nodes.fields.example.com",
        "- IAMInstanceProfile/nodes.fields.example.com",
        "spec.iam.profile names the account 123456789012",
        "IAMRolePolicy/org-nodes: is not as wanted, and is left so",
    ];
    world.assert_settled_but(NAME, &[], &told);
}

#[test]
fn old_versions_are_pruned_but_not_those_in_use() {
    let world = World::whole("fields_versions", NAME, &specs(""));
    world.apply(NAME);
    for size in 30..45 {
        world.replace(&specs(&format!("  rootVolumeSize: {size}\n")));
        world.apply(NAME);
    }
    let call = world.ec2().describe_launch_template_versions().launch_template_name(GROUP);
    let answer = wait(call.min_version("1").max_version("100").max_results(200).send()).unwrap();
    let mut kept: Vec<i64> =
        answer.launch_template_versions().iter().filter_map(|v| v.version_number()).collect();
    kept.sort();
    // The instance still runs the first.
    assert_eq!(kept, [1, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]);
}
