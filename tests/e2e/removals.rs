//! What the spec no longer has, and user data that other tools wrote.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value as Json, json};

use crate::harness::{World, cluster, group, wait};

const NAME: &str = "prune.example.com";
const IMAGE: &str = "  image: ami-10100000\n";

fn specs(own: &str, with_bastion: bool) -> String {
    let mut specs = vec![
        cluster(NAME, own),
        group(NAME, "masters", "Master", IMAGE),
        group(NAME, "nodes", "Node", IMAGE),
    ];
    if with_bastion {
        specs.push(group(NAME, "bastions", "Bastion", IMAGE));
        specs.push(group(NAME, "more-nodes", "Node", IMAGE));
    }
    specs.join("---\n")
}

fn ids(list: &Json) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|change| change["id"].as_str().unwrap()).collect()
}

#[test]
fn groups_that_are_gone_are_listed_and_deleted_only_with_prune() {
    let own = "  annotations: {kapstan.io/bootstrap: none}\n  iam: {}\n";
    let world = World::whole("prune", NAME, &specs(own, true));
    world.apply(NAME);
    for group in ["bastions", "more-nodes"] {
        world.ok(&["delete", "ig", group, "--name", NAME, "--yes"]);
    }
    let before = world.everything();
    let plan = world.plan(NAME, &[]);
    let removals = [
        "AutoscalingGroup/bastions.prune.example.com",
        "AutoscalingGroup/more-nodes.prune.example.com",
        "IAMInstanceProfile/bastions.prune.example.com",
        "IAMRole/bastions.prune.example.com",
        "LaunchTemplate/bastions.prune.example.com",
        "LaunchTemplate/more-nodes.prune.example.com",
        "NetworkLoadBalancer/bastion-prune-example-com-jndasg",
        "SecurityGroup/bastion-elb.prune.example.com",
        "SecurityGroup/bastion.prune.example.com",
        "TargetGroup/bastion-prune-example-com-jndasg",
    ];
    let mut listed = ids(&plan["removals"]);
    listed.sort();
    let names = listed.iter().map(|id| id.split(" (").next().unwrap());
    assert_eq!(names.collect::<Vec<_>>(), removals);
    let run = world.ok(&["update", "cluster", NAME]);
    assert!(run.stdout.contains("--prune"), "{run:#?}");
    world.apply(NAME);
    let now = world.everything();
    assert!(before.iter().all(|id| now.contains(id)), "nothing went");
    world.ok(&["update", "cluster", NAME, "--yes", "--prune"]);
    let after = world.everything();
    for gone in ["bastions.prune.example.com", "more-nodes.prune.example.com"] {
        assert!(!after.iter().any(|id| id.ends_with(gone)), "{after:#?}");
    }
    assert!(after.iter().any(|id| id.ends_with(" nodes.prune.example.com")));
    assert_eq!(ids(&world.plan(NAME, &["--prune"])["removals"]), [""; 0]);
    world.assert_settled(NAME, &[]);
}

#[test]
fn a_prune_that_failed_half_way_is_finished_by_the_next() {
    let own = "  annotations: {kapstan.io/bootstrap: none}\n  iam: {}\n";
    let world = World::whole("prune_again", NAME, &specs(own, true));
    world.apply(NAME);
    world.ok(&["delete", "ig", "bastions", "--name", NAME, "--yes"]);
    world.rules(json!([{"operation": "ec2:DeleteLaunchTemplate", "error": "InternalError"}]));
    world.fails(&["update", "cluster", NAME, "--yes", "--prune"]);
    world.rules(json!([]));
    world.ok(&["update", "cluster", NAME, "--yes", "--prune"]);
    let after = world.everything();
    let left: Vec<&String> =
        after.iter().filter(|id| id.contains("Template") && id.contains("bastion")).collect();
    assert!(left.is_empty(), "{left:?}");
    world.assert_settled(NAME, &[]);
}

fn user_data(world: &World) -> Option<Vec<u8>> {
    let found = world.observe(&json!({}));
    let text = found["LaunchTemplate/nodes.prune.example.com"]["userData"].as_str()?.to_owned();
    Some(STANDARD.decode(text).unwrap())
}

const KOPS: &[u8] = b"#!/bin/bash\n# written by kops\nset -o errexit\nexec nodeup \xc3\xa4\n";

/// What is warned of where another tool's user data is kept.
const KEPT: [&str; 2] = [
    "LaunchTemplate/nodes.prune.example.com: its user data was written by another tool",
    "on the instances of masters: kops has not written what they are to run",
];

#[test]
fn user_data_of_another_tool_is_kept_until_the_spec_chooses() {
    let world = World::whole("user_data", NAME, &specs("  iam: {}\n", false));
    world.apply(NAME);
    let name = "nodes.prune.example.com";
    let versions = world.ec2().describe_launch_template_versions().launch_template_name(name);
    let versions = wait(versions.versions("$Latest").send()).unwrap();
    let data = versions.launch_template_versions()[0].launch_template_data().unwrap();
    let nic = &data.network_interfaces()[0];
    use aws_sdk_ec2::types as sdk;
    let copied = sdk::RequestLaunchTemplateData::builder()
        .image_id(data.image_id().unwrap())
        .instance_type(data.instance_type().unwrap().clone())
        .key_name(data.key_name().unwrap())
        .iam_instance_profile(
            sdk::LaunchTemplateIamInstanceProfileSpecificationRequest::builder().name(name).build(),
        )
        .network_interfaces(
            sdk::LaunchTemplateInstanceNetworkInterfaceSpecificationRequest::builder()
                .device_index(0)
                .associate_public_ip_address(true)
                .set_groups(Some(nic.groups().to_vec()))
                .build(),
        )
        .user_data(STANDARD.encode(KOPS));
    let call = world.ec2().create_launch_template_version().launch_template_name(name);
    wait(call.launch_template_data(copied.build()).send()).unwrap();

    let run = world.ok(&["update", "cluster", NAME]);
    let kept = "LaunchTemplate/nodes.prune.example.com: its user data was written by another tool, \
                and is kept byte for byte";
    assert!(run.stderr.contains(kept), "{}", run.stderr);
    assert!(run.stderr.contains("on the instances of masters: kops has not"), "{}", run.stderr);
    assert!(!run.stdout.contains("userData"), "{}", run.stdout);
    world.apply(NAME);
    assert_eq!(user_data(&world).unwrap(), KOPS);
    world.assert_settled_but(NAME, &[], &KEPT);
    // A change of something else keeps it too.
    world.ok(&["set", "ig", "nodes", "spec.machineType=t3.large", "--name", NAME]);
    world.apply(NAME);
    assert_eq!(user_data(&world).unwrap(), KOPS);
    // Once the spec says what to run, that is what runs.
    world.ok(&["set", "cluster", NAME, r#"metadata.annotations["kapstan.io/bootstrap"]=none"#]);
    let run = world.ok(&["update", "cluster", NAME]);
    assert!(run.stdout.contains("userData"), "{}", run.stdout);
    assert!(!run.stdout.contains("nodeup"), "user data may hold secrets: {}", run.stdout);
    world.apply(NAME);
    assert_eq!(user_data(&world), None);
    world.assert_settled(NAME, &[]);
}

#[test]
fn a_group_on_a_launch_configuration_is_moved_with_its_user_data() {
    let world = World::whole("configuration", NAME, &specs("  iam: {}\n", false));
    world.apply(NAME);
    let name = "nodes.prune.example.com";
    let call = world.autoscaling().create_launch_configuration();
    let call = call.launch_configuration_name(format!("{name}-20180101000000"));
    let call = call.image_id("ami-12345678").instance_type("t2.medium");
    wait(call.user_data(STANDARD.encode(KOPS)).send()).unwrap();
    let call = world.autoscaling().update_auto_scaling_group().auto_scaling_group_name(name);
    wait(call.launch_configuration_name(format!("{name}-20180101000000")).send()).unwrap();
    let call = world.ec2().delete_launch_template().launch_template_name(name);
    wait(call.send()).unwrap();
    let run = world.ok(&["update", "cluster", NAME]);
    assert!(run.stdout.contains("+ LaunchTemplate/nodes.prune.example.com"), "{}", run.stdout);
    let moved = format!("launchConfiguration  {name}-20180101000000 → –");
    assert!(run.stdout.contains(&moved), "{}", run.stdout);
    world.apply(NAME);
    assert_eq!(user_data(&world).unwrap(), KOPS);
    world.assert_settled_but(NAME, &[], &KEPT);
}

#[test]
fn additional_user_data_is_a_mime_archive() {
    let parts = "  additionalUserData:
  - {name: first.sh, type: text/x-shellscript, content: \"#!/bin/sh\\necho first\"}
  - {name: second.yaml, type: text/cloud-config, content: \"packages: [jq]\"}\n";
    let all = specs("  annotations: {kapstan.io/bootstrap: none}\n  iam: {}\n", false) + parts;
    let world = World::whole("mime", NAME, &all);
    world.apply(NAME);
    let text = String::from_utf8(user_data(&world).unwrap()).unwrap();
    insta::assert_snapshot!(text.replace('\r', ""));
    world.assert_settled(NAME, &[]);
}

/// Starts an instance that is in no group, as one is that was detached or started by hand.
fn instance_beside(
    world: &World,
    with: impl Fn(
        aws_sdk_ec2::operation::run_instances::builders::RunInstancesFluentBuilder,
    ) -> aws_sdk_ec2::operation::run_instances::builders::RunInstancesFluentBuilder,
) -> String {
    let call = world.ec2().run_instances().min_count(1).max_count(1);
    let answer = wait(with(call).send()).unwrap();
    answer.instances()[0].instance_id().unwrap().to_owned()
}

fn security_group(world: &World, name: &str) -> String {
    let chosen = aws_sdk_ec2::types::Filter::builder().name("group-name").values(name).build();
    let answer = wait(world.ec2().describe_security_groups().filters(chosen).send()).unwrap();
    answer.security_groups()[0].group_id().unwrap().to_owned()
}

#[test]
fn what_an_instance_outside_any_group_uses_stays_until_it_is_gone() {
    let own = "  annotations: {kapstan.io/bootstrap: none}\n  iam: {}\n";
    let world = World::whole("prune_held", NAME, &specs(own, true));
    world.apply(NAME);
    let name = "bastions.prune.example.com";
    let group = security_group(&world, "bastion.prune.example.com");
    let profile = aws_sdk_ec2::types::IamInstanceProfileSpecification::builder().name(name).build();
    let id = instance_beside(&world, |call| {
        let call = call.image_id("ami-10100000").security_group_ids(&group);
        call.iam_instance_profile(profile.clone())
    });
    world.ok(&["delete", "ig", "bastions", "--name", NAME, "--yes"]);
    let shown = world.ok(&["update", "cluster", NAME]).stdout;
    let why = format!(
        "stays: used by {id}; when {id} is gone: kapstan update cluster {NAME} --yes --prune"
    );
    for held in [format!("IAMInstanceProfile/{name}"), format!("IAMRole/{name}")] {
        assert!(shown.contains(&format!("= {held}  {why}\n")), "{held}: {shown}");
    }
    let with = format!(
        "= SecurityGroup/bastion.prune.example.com ({group})  stays: it goes after IAMRole/{name}"
    );
    assert!(shown.contains(&with), "{shown}");
    world.ok(&["update", "cluster", NAME, "--yes", "--prune"]);
    let after = world.everything();
    for held in [format!("list_roles {name}"), format!("list_instance_profiles {name}")] {
        assert!(after.contains(&held), "{held}: {after:#?}");
    }
    let gone = format!("describe_auto_scaling_groups {name}");
    assert!(!after.contains(&gone), "{after:#?}");
    let run = world.run(&["update", "cluster", NAME, "--detailed-exitcode"]);
    assert_eq!(run.code, 2, "{run:#?}");

    // Whoever may not ask, deletes nothing of it.
    wait(world.ec2().terminate_instances().instance_ids(&id).send()).unwrap();
    let refused = ["ec2:DescribeInstances", "ec2:DescribeIamInstanceProfileAssociations"];
    let refused =
        refused.map(|call| json!({"operation": call, "error": "UnauthorizedOperation"})).to_vec();
    world.rules(json!(refused));
    let shown = world.ok(&["update", "cluster", NAME, "--yes", "--prune"]).stdout;
    assert!(shown.contains("whether instances use it is not known"), "{shown}");
    world.rules(json!([]));
    assert!(world.everything().contains(&format!("list_roles {name}")));
    world.ok(&["update", "cluster", NAME, "--yes", "--prune"]);
    let after = world.everything();
    assert!(!after.iter().any(|id| id.ends_with(name)), "{after:#?}");
    world.assert_settled(NAME, &[]);
}

#[test]
fn versions_of_instances_outside_any_group_are_not_deleted() {
    let all = specs("  annotations: {kapstan.io/bootstrap: none}\n  iam: {}\n", false);
    let world = World::whole("prune_versions", NAME, &all);
    world.apply(NAME);
    let name = "nodes.prune.example.com";
    let resize = |size: i32| {
        world.replace(&format!("{all}  rootVolumeSize: {size}\n"));
        world.apply(NAME);
    };
    resize(30);
    instance_beside(&world, |call| {
        let template = aws_sdk_ec2::types::LaunchTemplateSpecification::builder();
        call.launch_template(template.launch_template_name(name).version("2").build())
    });
    (31..44).for_each(resize);
    let call = world.ec2().describe_launch_template_versions().launch_template_name(name);
    let answer = wait(call.min_version("1").max_version("100").max_results(200).send()).unwrap();
    let versions = answer.launch_template_versions().iter().filter_map(|one| one.version_number());
    let mut versions: Vec<i64> = versions.collect();
    versions.sort();
    assert!(versions.contains(&2) && !versions.contains(&3), "{versions:?}");
}

/// A cluster with all that the next spec lacks.
fn rich(external: &str) -> String {
    let own = "  annotations: {kapstan.io/bootstrap: none}\n  iam: {}\n  api: {loadBalancer: {type: Public}}\n  \
               additionalNetworkCIDRs: [10.9.0.0/16]\n";
    let more = "    type: Public\n  - name: us-west-2b\n    zone: us-west-2b\n    \
                cidr: 10.9.1.0/24\n    type: Public\n";
    specs(own, true).replacen("    type: Public\n", more, 1)
        + &group(NAME, "behind", "Node", IMAGE).replace("apiVersion", "---\napiVersion")
        + &format!("  externalLoadBalancers: [{{loadBalancerName: {external}}}]\n")
}

#[test]
fn everything_that_left_the_spec_is_listed_and_deleted_with_prune() {
    let world = World::whole("prune_all", NAME, &rich("outside"));
    let elb = aws_sdk_elasticloadbalancing::Client::new(&world.sdk());
    let listener = aws_sdk_elasticloadbalancing::types::Listener::builder();
    let listener = listener.protocol("tcp").load_balancer_port(80).instance_port(80).build();
    let call = elb.create_load_balancer().load_balancer_name("outside");
    let call = call.listeners(listener.unwrap()).availability_zones("us-west-2a");
    wait(call.send()).unwrap();
    world.apply(NAME);
    world.assert_settled(NAME, &[]);

    let own = "  annotations: {kapstan.io/bootstrap: none}\n  iam: {}\n";
    // A member that was in another zone.
    let tag =
        |key: &str, value: &str| aws_sdk_ec2::types::Tag::builder().key(key).value(value).build();
    let tags = aws_sdk_ec2::types::TagSpecification::builder()
        .resource_type(aws_sdk_ec2::types::ResourceType::Volume)
        .tags(tag("Name", "c.etcd-main.prune.example.com"))
        .tags(tag("KubernetesCluster", NAME))
        .tags(tag("kubernetes.io/cluster/prune.example.com", "owned"))
        .tags(tag("k8s.io/role/master", "1"))
        .tags(tag("k8s.io/etcd/main", "c/a,b,c"));
    let call = world.ec2().create_volume().availability_zone("us-west-2c").size(20);
    wait(call.tag_specifications(tags.build()).send()).unwrap();

    let poor = specs(own, false)
        + &group(NAME, "behind", "Node", IMAGE).replace("apiVersion", "---\napiVersion");
    for gone in ["bastions", "more-nodes"] {
        world.ok(&["delete", "ig", gone, "--name", NAME, "--yes"]);
    }
    world.replace(&poor);
    world.apply(NAME);
    let run = world.run(&["update", "cluster", NAME, "--detailed-exitcode"]);
    assert_eq!(run.code, 2, "{run:#?}");
    for (mark, listed) in [
        ('-', "ClassicLoadBalancer/api-prune-example-com-"),
        ('-', "NetworkLoadBalancer/bastion-prune-example-com-"),
        ('-', "DNSName/api.prune.example.com"),
        ('-', "SecurityGroup/api-elb.prune.example.com (sg-"),
        ('-', "SecurityGroup/bastion-elb.prune.example.com (sg-"),
        ('-', "SecurityGroup/bastion.prune.example.com (sg-"),
        ('-', "Subnet/us-west-2b.prune.example.com (subnet-"),
        ('-', "VPCCIDRBlock/10.9.0.0/16"),
        ('-', "ExternalLoadBalancerAttachment/behind.prune.example.com → outside"),
        ('=', "EBSVolume/c.etcd-main.prune.example.com (vol-"),
    ] {
        assert!(run.stdout.contains(&format!("  {mark} {listed}")), "{listed}: {}", run.stdout);
    }
    world.ok(&["update", "cluster", NAME, "--yes", "--prune"]);
    let run = world.run(&["update", "cluster", NAME, "--prune", "--detailed-exitcode"]);
    assert_eq!(run.code, 2, "{run:#?}");
    assert!(run.stdout.contains("--prune --prune-volumes"), "{}", run.stdout);
    assert!(!run.stdout.contains("  - "), "{}", run.stdout);
    world.ok(&["update", "cluster", NAME, "--yes", "--prune", "--prune-volumes"]);
    let run = world.run(&["update", "cluster", NAME, "--detailed-exitcode"]);
    assert_eq!(run.code, 0, "{run:#?}");
    assert!(world.everything().iter().any(|id| id.ends_with(" outside")));
}

#[test]
fn a_cluster_is_not_deleted_under_instances_that_are_not_its_own() {
    let world = World::whole(
        "delete_held",
        NAME,
        &specs("  annotations: {kapstan.io/bootstrap: none}\n  iam: {}\n", false),
    );
    world.apply(NAME);
    let name = "nodes.prune.example.com";
    let group = security_group(&world, name);
    let profile = aws_sdk_ec2::types::IamInstanceProfileSpecification::builder().name(name).build();
    let id = instance_beside(&world, |call| {
        let call = call.image_id("ami-10100000").security_group_ids(&group);
        call.iam_instance_profile(profile.clone())
    });
    let run = world.run(&["delete", "cluster", NAME, "--yes"]);
    assert_eq!(run.code, 1, "{run:#?}");
    let why = format!("stays: used by {id}; when {id} is gone: kapstan delete cluster {NAME}");
    for held in ["IAMInstanceProfile", "IAMRole", "SecurityGroup"] {
        assert!(run.stdout.contains(&format!("= {held}/{name}")), "{}", run.stdout);
    }
    assert!(run.stdout.contains(&why), "{}", run.stdout);
    assert!(run.stderr.contains("its specs stay too"), "{}", run.stderr);
    let left = world.everything();
    assert!(left.contains(&format!("list_roles {name}")), "{left:#?}");
    assert!(!left.iter().any(|id| id.contains("auto_scaling_groups")), "{left:#?}");
    wait(world.ec2().terminate_instances().instance_ids(&id).send()).unwrap();
    world.ok(&["delete", "cluster", NAME, "--yes"]);
    let left = world.everything();
    assert!(!left.iter().any(|id| id.ends_with(NAME)), "{left:#?}");
}
