//! What is said of drift that stays: whoever does what it says is rid of it.

use std::collections::BTreeSet;

use aws_sdk_ec2::types::{Filter, NewDhcpConfiguration, Tag, VolumeType};
use serde_json::{Value as Json, json};

use crate::harness::{World, cluster, group, wait};

const NAME: &str = "advice.example.com";

fn world(test: &str, more: &str) -> World {
    let image = "  image: ami-10100000\n";
    let own = format!(
        "  annotations: {{kapstan.io/bootstrap: none}}\n  iam: {{}}\n  sshAccess: [198.51.100.0/24]\n{more}"
    );
    let specs = [
        cluster(NAME, &own),
        group(NAME, "masters", "Master", image),
        group(NAME, "nodes", "Node", image),
    ];
    let world = World::whole(test, NAME, &specs.join("---\n"));
    world.apply(NAME);
    world.assert_settled(NAME, &[]);
    world
}

/// What the warnings and refusals of a dry run say to do, whatever its exit code is.
fn advice(world: &World, more: &[&str]) -> Vec<String> {
    let args = [&["update", "cluster", NAME, "-o", "json"], more].concat();
    let plan: Json = serde_json::from_str(&world.run(&args).stdout).unwrap();
    let told = ["refusals", "warnings"].map(|list| plan[list].as_array().unwrap().clone());
    told.concat().iter().map(|notice| notice["next"].as_str().unwrap().to_owned()).collect()
}

/// The overrides that are advised, together.
fn overrides(advice: &[String]) -> Option<String> {
    let option = "--lifecycle-overrides ";
    let one = |text: &String| {
        let (_, rest) = text.split_once(option)?;
        rest.split_whitespace().next().map(str::to_owned)
    };
    let all: BTreeSet<String> = advice.iter().filter_map(one).collect();
    (!all.is_empty()).then(|| all.into_iter().collect::<Vec<_>>().join(","))
}

fn volume(world: &World) -> String {
    let name = Filter::builder().name("tag:Name").values(format!("a.etcd-main.{NAME}")).build();
    let found = wait(world.ec2().describe_volumes().filters(name).send()).unwrap();
    found.volumes()[0].volume_id().unwrap().to_owned()
}

#[test]
fn whoever_may_not_look_is_told_what_helps() {
    let world = world("advice_denied", "  api: {loadBalancer: {type: Public, class: Network}}\n");
    world.forget_calls();
    world.ok(&["update", "cluster", NAME]);
    let reads: BTreeSet<String> = world
        .calls()
        .iter()
        .filter(|call| !["s3", "sts"].contains(&call.service.as_str()))
        .map(|call| format!("{}:{}", call.service, call.operation))
        .collect();
    assert!(reads.len() > 20, "{reads:?}");
    let mut helped = 0;
    for read in reads {
        world.rules(json!([{"operation": format!("{read}$"), "error": "AccessDenied"}]));
        let run = world.run(&["update", "cluster", NAME]);
        let told = advice(&world, &[]);
        assert!(!told.is_empty(), "{read}: {run:#?}");
        // Refused for one reason only, in whatever is not known then.
        assert!(!run.stderr.contains("cannot be changed once it exists"), "{run:#?}");
        assert!(!run.stderr.contains("which does not exist and is not created"), "{run:#?}");
        assert!(told.iter().all(|next| next.starts_with(&format!("allow {read}"))), "{told:#?}");
        if let Some(overrides) = overrides(&told) {
            world.forget_calls();
            let args = ["update", "cluster", NAME, "--yes", "--lifecycle-overrides", &overrides];
            let run = world.ok(&args);
            assert!(run.stderr.contains("is taken as right"), "{run:#?}");
            assert!(world.calls().iter().all(|call| !call.write || call.service == "s3"));
            helped += 1;
        }
        world.rules(json!([]));
    }
    assert!(helped > 10, "{helped}");
    world.assert_settled(NAME, &[]);
}

fn spoil_subnet(world: &World) {
    let name = Filter::builder().name("tag:Name").values(format!("us-west-2a.{NAME}")).build();
    let found = wait(world.ec2().describe_subnets().filters(name).send()).unwrap();
    let id = found.subnets()[0].subnet_id().unwrap();
    let tag = Tag::builder().key("kubernetes.io/role/elb").value("0").build();
    wait(world.ec2().create_tags().resources(id).tags(tag).send()).unwrap();
}

#[test]
fn what_is_only_looked_at_is_mended_by_the_override_that_is_advised() {
    let world = world("advice_overrides", "");
    spoil_subnet(&world);
    let phase = ["--phase", "security"];
    let overrides = overrides(&advice(&world, &phase)).unwrap();
    assert_eq!(overrides, "Subnet=Sync");
    let args = ["update", "cluster", NAME, "--yes", "--phase", "security"];
    world.ok(&[&args[..], &["--lifecycle-overrides", &overrides]].concat());
    world.assert_settled(NAME, &[]);
}

#[test]
fn a_volume_that_is_too_large_is_taken_into_the_spec() {
    let world = world("advice_volume", "");
    let volume = volume(&world);
    wait(world.ec2().modify_volume().volume_id(&volume).size(30).send()).unwrap();
    for lifecycle in ["Sync", "ExistsAndWarnIfChanges", "WarnIfInsufficientAccess"] {
        let overrides = format!("EBSVolume={lifecycle}");
        let told = advice(&world, &["--lifecycle-overrides", &overrides]);
        assert_eq!(told, ["set volumeSize of the etcd member to 30"], "{lifecycle}");
    }
    let field = "spec.etcdClusters[0].etcdMembers[0].volumeSize=30";
    world.ok(&["set", "cluster", NAME, field]);
    world.assert_settled(NAME, &[]);
}

#[test]
fn a_field_that_is_fixed_is_set_back_or_made_anew() {
    let world = world("advice_fixed", "");
    let encrypt = "spec.etcdClusters[0].etcdMembers[0].encryptedVolume";
    let modify = |volume: &str| {
        let call = world.ec2().modify_volume().volume_id(volume);
        wait(call.volume_type(VolumeType::Gp2).send()).unwrap();
    };
    let refused = || {
        modify(&volume(&world));
        world.ok(&["set", "cluster", NAME, &format!("{encrypt}=true")]);
        let run = world.run(&["update", "cluster", NAME]);
        assert_eq!(run.code, 1, "{run:#?}");
        let id = format!("EBSVolume/a.etcd-main.{NAME}");
        // What would be mended is shown beside it.
        assert!(run.stdout.contains(&format!("~ {id}\n      type  gp2 → gp3\n")), "{run:#?}");
        let left = format!("! {id}  encrypted of {} cannot be changed", volume(&world));
        assert!(run.stdout.contains(&left), "{run:#?}");
        let told = advice(&world, &[]);
        assert_eq!(told, ["set the spec back, or delete the EBSVolume first"]);
    };
    refused();
    world.ok(&["unset", "cluster", NAME, encrypt]);
    world.apply(NAME);
    world.assert_settled(NAME, &[]);
    refused();
    wait(world.ec2().delete_volume().volume_id(volume(&world)).send()).unwrap();
    world.apply(NAME);
    world.assert_settled(NAME, &[]);
}

#[test]
fn dhcp_options_that_are_otherwise_make_room_for_others() {
    let world = world("advice_dhcp", "");
    let (ec2, name) = (world.ec2(), || Filter::builder().name("tag:Name").values(NAME).build());
    let own = wait(ec2.describe_dhcp_options().filters(name()).send()).unwrap();
    let own = &own.dhcp_options()[0];
    let vpc = wait(ec2.describe_vpcs().filters(name()).send()).unwrap();
    let vpc = vpc.vpcs()[0].vpc_id().unwrap().to_owned();
    // Somebody gave the VPC others, which are said to be the cluster's.
    let domain = NewDhcpConfiguration::builder().key("domain-name").values("example.org").build();
    let other = wait(ec2.create_dhcp_options().dhcp_configurations(domain).send()).unwrap();
    let other = other.dhcp_options().unwrap().dhcp_options_id().unwrap().to_owned();
    let tags = Some(own.tags().to_vec());
    wait(ec2.create_tags().resources(&other).set_tags(tags).send()).unwrap();
    let associate = ec2.associate_dhcp_options().vpc_id(&vpc).dhcp_options_id(&other);
    wait(associate.send()).unwrap();
    let delete = |id: &str| {
        let answer = wait(ec2.delete_dhcp_options().dhcp_options_id(id).send());
        answer
            .map(drop)
            .map_err(|error| error.into_service_error().meta().code().map(str::to_owned))
    };
    delete(own.dhcp_options_id().unwrap()).unwrap();

    let run = world.run(&["update", "cluster", NAME]);
    assert_eq!(run.code, 1, "{run:#?}");
    let [told] = &advice(&world, &[])[..] else { panic!("{run:#?}") };
    let off = format!("aws ec2 delete-tags --resources {other} --tags ");
    let (_, command) = told.split_once(&off).unwrap();
    let (keys, _) = command.split_once("; ").unwrap();
    assert!(told.ends_with(&format!("aws ec2 delete-dhcp-options --dhcp-options-id {other}")));
    assert_eq!(delete(&other).unwrap_err().as_deref(), Some("DependencyViolation"));

    let keys = keys.split(' ').map(|key| key.strip_prefix("Key=").unwrap());
    let tags = keys.map(|key| Tag::builder().key(key).build()).collect();
    wait(ec2.delete_tags().resources(&other).set_tags(Some(tags)).send()).unwrap();
    world.apply(NAME);
    world.assert_settled(NAME, &[]);
    delete(&other).unwrap();
    world.assert_settled(NAME, &[]);
}
