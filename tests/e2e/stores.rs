//! The state store: kops' layout, where it is configured, and what happens to its objects.

use crate::harness::{STRICT, World, specs, wait};

const NAME: &str = "dev.example.com";
const KEY: &str = include_str!("../goldens/clusters/minimal/id_rsa.pub");

fn keys(world: &World) -> Vec<String> {
    let listed = wait(world.s3().list_objects_v2().bucket(&world.bucket).send()).unwrap();
    let mut keys: Vec<String> =
        listed.contents().iter().map(|object| object.key().unwrap().to_owned()).collect();
    keys.sort();
    keys
}

#[test]
fn the_layout_is_kops_own_in_s3() {
    let world = World::with("layout", &specs(NAME, STRICT));
    let file = world.write("id_rsa.pub", KEY);
    let args = ["create", "secret", "sshpublickey", "admin", "-i", &file, "--name", NAME];
    world.ok(&args);
    world.ok(&args);
    assert_eq!(
        keys(&world),
        [
            "dev.example.com/config",
            "dev.example.com/instancegroup/masters",
            "dev.example.com/instancegroup/nodes",
            "dev.example.com/pki/ssh/public/admin/c4a6ed9aa889b9e2c39cd663eb9c7157",
        ]
    );
    let key = world
        .s3()
        .get_object()
        .bucket(&world.bucket)
        .key("dev.example.com/pki/ssh/public/admin/c4a6ed9aa889b9e2c39cd663eb9c7157")
        .send();
    let body = wait(async { key.await.unwrap().body.collect().await.unwrap().into_bytes() });
    assert_eq!(body, KEY.as_bytes());
}

#[test]
fn the_layout_is_kops_own_in_a_folder() {
    let world = World::new("layout_folder");
    let file = world.write("specs.yaml", &specs(NAME, STRICT));
    let store = world.path("state");
    let url = format!("file://{}", store.display());
    world.ok(&["create", "-f", &file, "--state", &url]);
    for name in ["config", "instancegroup/masters", "instancegroup/nodes"] {
        assert!(store.join(NAME).join(name).is_file(), "{name}");
    }
    assert_eq!(
        world.ok(&["get", "clusters", "-o", "name", "--state", &url]).stdout,
        "dev.example.com\n"
    );
}

/// A store as kops v1.10 leaves it, with what kapstan does not look at beside it.
#[test]
fn a_store_made_by_kops_is_read_as_it_is() {
    const NAME: &str = "minimal.example.com";
    let world = World::new("kops_store");
    let root = world.path("state").join(NAME);
    std::fs::create_dir_all(root.join("instancegroup")).unwrap();
    std::fs::create_dir_all(root.join("pki/private/ca")).unwrap();
    let written_by_kops = include_str!("../goldens/clusters/minimal/cluster.yaml");
    for text in written_by_kops.split("---\n") {
        let key = match text {
            text if text.contains("kind: Cluster") => "config",
            text if text.contains("name: nodes") => "instancegroup/nodes",
            _ => "instancegroup/master-us-west-2a",
        };
        std::fs::write(root.join(key), text).unwrap();
    }
    std::fs::write(root.join("cluster.spec"), "completed: by kops").unwrap();
    std::fs::write(root.join("pki/private/ca/1.key"), "key").unwrap();
    let store = world.path("state").display().to_string();
    let all = world.ok(&["get", "all", "--name", NAME, "--state", &store]).stdout;
    insta::assert_snapshot!("kops_store", all);
    world.zone("example.com", "Z1");
    let plan = world.plan(NAME, &["--state", &store]);
    assert_eq!(plan["summary"]["create"], 8);
}

#[test]
fn the_store_is_configured_in_four_ways() {
    let world = World::new("configured");
    let file = world.write("specs.yaml", &specs(NAME, STRICT));
    let (option, settings) = (world.path("option"), world.path("settings"));
    let run =
        |command: &mut std::process::Command| crate::harness::Run::from(command.output().unwrap());
    let create = ["create", "-f", &file];

    // Below everything: a folder in the user's data directory, which is told.
    let by_default = run(world.command(&create).env_remove("KOPS_STATE_STORE"));
    assert_eq!(by_default.code, 0, "{by_default:#?}");
    let folder = world.path(".local/share/kapstan/state");
    assert!(folder.join(NAME).join("config").is_file());
    assert!(
        by_default.stderr.contains(&format!("using file://{}", folder.display())),
        "{by_default:#?}"
    );

    // kops' own settings file, then the variable, then the option.
    world.write(".kops.yaml", &format!("kops_state_store: {}\n", settings.display()));
    let by_settings = run(world.command(&create).env_remove("KOPS_STATE_STORE"));
    assert_eq!(
        (by_settings.code, by_settings.stderr.contains("using")),
        (0, false),
        "{by_settings:#?}"
    );
    assert!(settings.join(NAME).is_dir());
    assert_eq!(world.run(&create).code, 0, "the variable names a bucket");
    let option_text = option.display().to_string();
    world.ok(&["create", "-f", &file, "--state", &option_text]);
    assert!(option.join(NAME).is_dir());
    assert_eq!(keys(&world).len(), 3);
}

#[test]
fn a_store_that_cannot_be_is_told() {
    let world = World::new("no_store");
    for (state, message) in [
        ("gs://bucket", "kapstan knows s3://, file:// and bare paths, not gs://"),
        ("s3://", "names no bucket"),
        ("s3://no-such-bucket-of-ours", "the bucket no-such-bucket-of-ours does not exist"),
    ] {
        let said = world.fails(&["get", "clusters", "--state", state]);
        assert!(said.contains(message), "{said}");
    }
    let said = world.fails(&["get", "cluster", "dev.example.com"]);
    assert_eq!(said, "error: there is no cluster dev.example.com; the state store is empty\n");
}

#[test]
fn a_prefix_holds_a_store_of_its_own() {
    let world = World::new("prefix");
    let store = format!("s3://{}/team/a/", world.bucket);
    let file = world.write("specs.yaml", &specs(NAME, STRICT));
    world.ok(&["create", "-f", &file, "--state", &store]);
    assert_eq!(keys(&world)[0], "team/a/dev.example.com/config");
    assert_eq!(
        world.ok(&["get", "clusters", "-o", "name", "--state", &store]).stdout,
        "dev.example.com\n"
    );
    assert_eq!(world.ok(&["get", "clusters", "-o", "name"]).stdout, "");
    let shown =
        world.ok(&["iam", "show", NAME, "--role", "master", "-o", "json", "--state", &store]);
    assert!(
        shown.stdout.contains(&format!("arn:aws:s3:::{}/team/a/dev.example.com/*", world.bucket))
    );
}

#[test]
fn the_buckets_region_is_found_wherever_the_default_is() {
    let world = World::with("region", &specs(NAME, STRICT));
    let output =
        world.command(&["get", "clusters", "-o", "name"]).env("AWS_REGION", "eu-north-1").output();
    let run = crate::harness::Run::from(output.unwrap());
    assert_eq!((run.code, run.stdout.as_str()), (0, "dev.example.com\n"), "{run:#?}");
}

#[test]
fn a_cluster_that_cannot_be_read_hides_no_other() {
    let world = World::new("broken_cluster");
    let store = world.path("state");
    for (name, text) in [(NAME, specs(NAME, STRICT)), ("broken.example.com", "kind: [".to_owned())]
    {
        std::fs::create_dir_all(store.join(name)).unwrap();
        let text = text.split("---\n").next().unwrap();
        std::fs::write(store.join(name).join("config"), text).unwrap();
    }
    let store = store.display().to_string();
    let run = world.ok(&["get", "clusters", "-o", "name", "--state", &store]);
    assert_eq!(run.stdout, "dev.example.com\n");
    assert!(run.stderr.contains("warning: broken.example.com/config:2:1: "), "{run:#?}");
}
