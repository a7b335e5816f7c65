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
    let own = "  bootstrap: none\n  iam: {}\n";
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
    ];
    let mut listed = ids(&plan["removals"]);
    listed.sort();
    assert_eq!(listed, removals);
    let run = world.ok(&["update", "cluster", NAME]);
    assert!(run.stdout.contains("--prune"), "{run:#?}");
    world.apply(NAME);
    assert!(before.iter().all(|id| world.everything().contains(id)), "nothing went");
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
    let own = "  bootstrap: none\n  iam: {}\n";
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
    "on the instances of masters, since spec.bootstrap is not set",
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
    assert!(run.stderr.contains("on the instances of masters, since"), "{}", run.stderr);
    assert!(!run.stdout.contains("userData"), "{}", run.stdout);
    world.apply(NAME);
    assert_eq!(user_data(&world).unwrap(), KOPS);
    world.assert_settled_but(NAME, &[], &KEPT);
    // A change of something else keeps it too.
    world.ok(&["set", "ig", "nodes", "spec.machineType=t3.large", "--name", NAME]);
    world.apply(NAME);
    assert_eq!(user_data(&world).unwrap(), KOPS);
    // Once the spec says what to run, that is what runs.
    world.ok(&["set", "cluster", NAME, "spec.bootstrap=none"]);
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
    let all = specs("  bootstrap: none\n  iam: {}\n", false) + parts;
    let world = World::whole("mime", NAME, &all);
    world.apply(NAME);
    let text = String::from_utf8(user_data(&world).unwrap()).unwrap();
    insta::assert_snapshot!(text.replace('\r', ""));
    world.assert_settled(NAME, &[]);
}
