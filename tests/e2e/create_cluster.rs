//! `create cluster`: from a few flags to a cluster that stands.

use crate::harness::World;

const NAME: &str = "dev.example.com";
const IMAGE: &str = "ami-10100000";

#[test]
fn the_specs_of_a_private_cluster() {
    let world = World::bare("new_dry");
    let run = world.ok(&[
        "create", "cluster", NAME, "--zones", "us-west-2a,us-west-2b,us-west-2c", "--master-zones",
        "us-west-2a,us-west-2b,us-west-2c", "--topology", "private", "--networking", "calico",
        "--bastion", "--cloud-labels", "team=blue", "--node-count", "3", "--dry-run", "-o", "yaml",
    ]);
    insta::assert_snapshot!(world.neutral(&run.stdout));
    world.fails(&["get", "cluster", NAME]);
}

#[test]
fn a_new_cluster_is_built_and_settles() {
    let world = World::bare("new_built");
    world.zone("example.com", "new");
    let key = world.write("id.pub", crate::harness::SSH_KEY);
    let before = world.everything();
    let run = world.ok(&[
        "create", "cluster", NAME, "--zones", "us-west-2a,us-west-2b", "--topology", "private",
        "--networking", "cilium", "--image", IMAGE, "--ssh-public-key", &key, "--yes",
    ]);
    assert!(run.stderr.contains("nothing will start Kubernetes"), "{}", run.stderr);
    world.assert_settled_but(NAME, &[], &["kops has not written what they are to run"]);
    let found = world.observe(&serde_json::json!({}));
    let template = &found["LaunchTemplate/nodes.dev.example.com"];
    assert_eq!(template["rootType"], "gp3");
    assert_eq!(template["rootEncrypted"], true);
    assert_eq!(template["httpTokens"], "required");
    assert_eq!(template["hopLimit"], 1);
    let volume = &found["EBSVolume/a.etcd-main.dev.example.com"];
    assert_eq!((&volume["type"], &volume["encrypted"]), (&"gp3".into(), &true.into()));
    let kinds: Vec<&str> =
        found.as_object().unwrap().keys().filter_map(|id| id.split('/').next()).collect();
    assert!(kinds.contains(&"NetworkLoadBalancer"), "{kinds:?}");
    world.ok(&["delete", "cluster", NAME, "--yes"]);
    assert_eq!(world.everything(), before);
}

#[test]
fn choices_that_do_not_go_together_are_refused_and_nothing_is_kept() {
    let world = World::bare("new_refused");
    for (flags, said) in [
        (vec!["--zones", "us-west-2a", "--bastion"], "--topology private"),
        (vec!["--zones", "us-west-2a", "--topology", "private"], "--networking kubenet"),
        (vec!["--zones", "us-west-2a,us-west-2b", "--master-count", "2"], "odd number"),
        (vec!["--zones", "us-west-2a,eu-west-1a"], "one region only"),
        (vec!["--zones", "us-west-2a", "--ssh-public-key", "/no/such/file"], "/no/such/file"),
        (vec!["--zones", "us-west-2a", "--network-cidr", "10.0.0.0/33"], "networkCIDR"),
        (vec!["--zones", "us-west-2a", "--cloud-labels", "team"], "KEY=VALUE"),
    ] {
        let args = [vec!["create", "cluster", NAME], flags].concat();
        let stderr = world.fails(&args);
        assert!(stderr.contains(said), "{args:?}: {stderr}");
    }
    assert_eq!(world.ok(&["get", "clusters", "-o", "name"]).stdout, "");
}
