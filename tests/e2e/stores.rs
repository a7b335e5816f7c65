//! The state store: kops' layout, where it is configured, and what happens to its objects.

use crate::harness::{Call, Run, STRICT, World, cluster, group, specs, wait};

const NAME: &str = "dev.example.com";
const KEY: &str = include_str!("../goldens/id_rsa.pub");

/// Both kinds of store, each with the specs of a small cluster.
fn both(test: &str) -> (World, [String; 2]) {
    let world = World::bare(test);
    world.zone("example.com", test);
    let file = world.write("specs.yaml", &specs(NAME, STRICT));
    let stores = [world.store(), world.path("folder").display().to_string()];
    for store in &stores {
        world.ok(&["create", "-f", &file, "--state", store]);
    }
    (world, stores)
}

/// Puts an object into a store as somebody else would.
fn put(world: &World, store: &str, key: &str, bytes: &[u8]) {
    if store.starts_with("s3://") {
        let put = world.s3().put_object().bucket(&world.bucket).key(key);
        wait(put.body(bytes.to_vec().into()).send()).unwrap();
    } else {
        let path = std::path::Path::new(store).join(key);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
}

fn remove(world: &World, store: &str, key: &str) {
    if store.starts_with("s3://") {
        wait(world.s3().delete_object().bucket(&world.bucket).key(key).send()).unwrap();
    } else {
        std::fs::remove_file(std::path::Path::new(store).join(key)).unwrap();
    }
}

/// All keys of a store, in order.
fn all_keys(world: &World, store: &str) -> Vec<String> {
    if store.starts_with("s3://") {
        return keys(world);
    }
    let mut keys = Vec::new();
    let mut folders = vec![std::path::PathBuf::from(store)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => {
                    let key = path.strip_prefix(store).unwrap().display().to_string();
                    keys.extend((key != ".kapstan.lock").then_some(key));
                }
            }
        }
    }
    keys.sort();
    keys
}

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
    let written_by_kops = include_str!("../goldens/minimal-1.10.yaml");
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
        ("gs://bucket", "kapstan knows s3://, file:// and bare paths, not gs:"),
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
fn what_is_no_address_of_a_store_is_refused_and_nothing_is_written() {
    let world = World::new("no_address");
    let file = world.write("specs.yaml", &specs(NAME, STRICT));
    let before = std::fs::read_dir(world.home.path()).unwrap().count();
    for (state, message) in [
        ("s3:/bucket/x", "not s3:; a folder of that name is written ./s3:…"),
        ("s3:bucket", "not s3:"),
        ("S3://bucket", "not S3:"),
        ("file:x", "not file:"),
        ("file://nas/share", "file:// takes an absolute path and no host"),
        ("file://~/state", "file:// takes an absolute path and no host"),
        ("~/state", "~ is the shell's"),
        ("s3://..", "the bucket \"..\" has 2 characters"),
        ("s3://Bad_Bucket", "the bucket \"Bad_Bucket\" holds 'B'"),
        ("s3://some-bucket/*", "the key \"*\" holds '*'"),
        ("s3://KEY:SECRET@some-bucket", "the state store \"s3://…@some-bucket\" cannot be used"),
    ] {
        world.forget_calls();
        let mut command = world.command(&["create", "-f", &file, "--state", state]);
        let run = Run::from(command.current_dir(world.home.path()).output().unwrap());
        assert_eq!(run.code, 1, "{state}: {run:#?}");
        assert!(run.stderr.contains(message) && !run.stderr.contains("SECRET"), "{run:#?}");
        assert_eq!(world.calls().len(), 0, "{state}");
    }
    assert_eq!(std::fs::read_dir(world.home.path()).unwrap().count(), before);
}

#[test]
fn an_acl_that_lets_strangers_in_is_refused() {
    let world = World::new("acl");
    let file = world.write("specs.yaml", &specs(NAME, STRICT));
    let create = |acl: &str| {
        let mut command = world.command(&["create", "-f", &file]);
        Run::from(command.env("KOPS_STATE_S3_ACL", acl).output().unwrap())
    };
    for (acl, message) in [
        ("public-read", "is public-read: anybody could read what is kept"),
        ("public-read-write", "is public-read-write: anybody could read and write"),
        ("authenticated-read", "everybody with an account of AWS could read"),
        ("publik-read", "is \"publik-read\"; S3 has "),
    ] {
        let run = create(acl);
        assert_eq!(run.code, 1, "{run:#?}");
        assert!(run.stderr.contains("KOPS_STATE_S3_ACL is "), "{run:#?}");
        assert!(run.stderr.contains(message), "{run:#?}");
        assert_eq!(keys(&world), [""; 0]);
    }
    assert_eq!(create("bucket-owner-full-control").code, 0);
}

#[test]
fn an_ssh_key_is_the_one_that_its_name_says() {
    let (world, stores) = both("ssh_key");
    let other =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA x";
    for store in &stores {
        let folder = format!("{NAME}/pki/ssh/public/admin");
        let state = ["--state", store];
        put(&world, store, &format!("{folder}/c4a6ed9aa889b9e2c39cd663eb9c7157"), KEY.as_bytes());
        put(&world, store, &format!("{folder}/.DS_Store"), b"x");
        let said = world.fails(&[&["update", "cluster", NAME], &state[..]].concat());
        assert!(said.contains("spec.image is missing") && !said.contains("SSH"), "{said}");
        for (name, text, message) in [
            ("0123456789abcdef0123456789abcdef", other, "holds another SSH key than its name says"),
            ("notes", other, "holds another SSH key than its name says"),
            ("fedcba9876543210fedcba9876543210", "hello", "holds no SSH public key"),
        ] {
            put(&world, store, &format!("{folder}/{name}"), text.as_bytes());
            let said = world.fails(&[&["update", "cluster", NAME], &state[..]].concat());
            assert!(said.contains(&format!("{folder}/{name} {message}")), "{said}");
            // What needs no key goes on.
            for args in [&["get", "ig", "--name", NAME][..], &["iam", "diff", NAME]] {
                world.ok(&[args, &state[..]].concat());
            }
            remove(&world, store, &format!("{folder}/{name}"));
        }
    }
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
    let run = Run::from(output.unwrap());
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

#[test]
fn what_is_no_group_is_told_by_its_key_and_harms_nothing() {
    let (world, stores) = both("strays");
    for store in &stores {
        for stray in ["nodes~", ".DS_Store", "no des"] {
            put(&world, store, &format!("{NAME}/instancegroup/{stray}"), b"x");
        }
        let state = ["--state", store];
        let shown = world.ok(&[&["get", "ig", "--name", NAME, "-o", "name"], &state[..]].concat());
        assert_eq!(shown.stdout, "masters\nnodes\n", "{shown:#?}");
        for stray in ["nodes~", ".DS_Store", "no des"] {
            let warning = format!("warning: {NAME}/instancegroup/{stray} in the state store is no");
            assert!(shown.stderr.contains(&warning), "{shown:#?}");
        }
        world.ok(&[&["iam", "show", NAME], &state[..]].concat());
        let said = world.fails(&[&["get", "ig", "nope", "--name", NAME], &state[..]].concat());
        assert!(said.contains("it has masters, nodes\n"), "{said}");
    }
}

#[test]
fn a_text_that_is_too_large_is_told_replaced_or_deleted() {
    let (world, stores) = both("too_large");
    let cluster_file = world.write("cluster.yaml", &cluster(NAME, STRICT));
    let group_file = world.write("nodes.yaml", &group(NAME, "nodes", "Node", ""));
    let large = vec![b'#'; 4 * 1024 * 1024 + 200_000];
    let told = "4.2 MiB are more than a spec may have (4 MiB)";
    for store in &stores {
        let ok = |args: &[&str]| world.ok(&[args, &["--state", store]].concat());
        let fails = |args: &[&str]| world.fails(&[args, &["--state", store]].concat());
        let (config, nodes) = (format!("{NAME}/config"), format!("{NAME}/instancegroup/nodes"));
        #[track_caller]
        fn assert_names(said: &str, key: &str, told: &str) {
            assert!(said.contains(&format!("{key} in the state store: {told}")), "{said}");
            assert!(said.contains("mend it with kapstan replace -f FILE --force"), "{said}");
        }

        put(&world, store, &config, &large);
        for args in [
            &["get", "cluster", NAME][..],
            &["update", "cluster", NAME],
            &["edit", "cluster", NAME],
            &["replace", "-f", &cluster_file],
            &["delete", "cluster", NAME, "--yes"],
        ] {
            assert_names(&fails(args), &config, told);
        }
        assert_names(&ok(&["get", "clusters"]).stderr, &config, told);
        let said = fails(&["get", "cluster", "other.example.com"]);
        assert!(said.contains(&format!("the state store has {NAME}")), "{said}");
        let replaced = ok(&["replace", "-f", &cluster_file, "--force"]);
        assert_eq!(replaced.stdout, format!("Cluster/{NAME} replaced\n"), "{replaced:#?}");
        ok(&["get", "cluster", NAME]);

        put(&world, store, &nodes, &large);
        let shown = ok(&["get", "ig", "--name", NAME, "-o", "name"]);
        assert_eq!(shown.stdout, "masters\n");
        assert_names(&shown.stderr, &nodes, told);
        for args in [
            &["get", "ig", "nodes", "--name", NAME][..],
            &["update", "cluster", NAME],
            &["edit", "ig", "nodes", "--name", NAME],
            &["replace", "-f", &group_file],
        ] {
            assert_names(&fails(args), &nodes, told);
        }
        ok(&["replace", "-f", &group_file, "--force"]);
        ok(&["get", "ig", "nodes", "--name", NAME]);
        for removal in
            [&["delete", "ig", "nodes", "--name", NAME][..], &["delete", "-f", &group_file]]
        {
            put(&world, store, &nodes, &large);
            ok(&[removal, &["--yes"]].concat());
            assert_eq!(ok(&["get", "ig", "--name", NAME, "-o", "name"]).stdout, "masters\n");
        }

        put(&world, store, &nodes, &large);
        put(&world, store, &config, &large);
        // Nothing found is not nothing there.
        let said = fails(&["delete", "cluster", NAME, "--region", "us-west-2", "--yes"]);
        assert!(said.contains("--unregister --yes"), "{said}");
        ok(&["delete", "cluster", NAME, "--unregister", "--yes"]);
        assert_eq!(all_keys(&world, store), [""; 0]);
        put(&world, store, &config, &large);
        ok(&["delete", "-f", &cluster_file, "--yes"]);
        assert_eq!(all_keys(&world, store), [""; 0]);
    }
}

#[test]
fn a_text_that_cannot_be_read_is_mended_replaced_or_deleted() {
    let (world, stores) = both("unreadable");
    let cluster_file = world.write("cluster.yaml", &cluster(NAME, STRICT));
    let group_file = world.write("nodes.yaml", &group(NAME, "nodes", "Node", ""));
    for store in &stores {
        let run = |args: &[&str]| world.run(&[args, &["--state", store]].concat());
        let ok = |args: &[&str]| world.ok(&[args, &["--state", store]].concat());
        let fails = |args: &[&str]| world.fails(&[args, &["--state", store]].concat());

        let config = format!("{NAME}/config");
        for broken in [&b"a: [\n"[..], b"\xff\xfe", b"", b"%YAML 1.2\nkind: Cluster\n", b"a: 1\n"] {
            put(&world, store, &config, broken);
            let said = fails(&["update", "cluster", NAME]);
            assert!(said.contains(&config), "{said}");
            assert!(said.contains(&format!("kapstan edit cluster {NAME}")), "{said}");
            let said = fails(&["replace", "-f", &cluster_file]);
            assert!(said.contains("Nothing was written") && said.contains("--force"), "{said}");
            let replaced = ok(&["replace", "-f", &cluster_file, "--force"]);
            assert_eq!(replaced.stdout, format!("Cluster/{NAME} replaced\n"), "{replaced:#?}");
            ok(&["get", "cluster", NAME]);
        }

        // The editor gets the text with what is wrong with it on top.
        put(&world, store, &config, b"a: [\n");
        let editor = world.write(
            "editor",
            &format!(
                "#!/bin/sh\ncp \"$1\" {0}/opened\ncp {0}/cluster.yaml \"$1\"\n",
                world.home.path().display()
            ),
        );
        let args = ["edit", "cluster", NAME, "--state", store];
        let edited = world.command(&args).env("EDITOR", format!("sh {editor}")).output().unwrap();
        let edited = crate::harness::Run::from(edited);
        assert_eq!(edited.code, 0, "{edited:#?}");
        let opened = std::fs::read_to_string(world.path("opened")).unwrap();
        assert!(opened.starts_with(&format!("# kapstan: {config}:2:1")), "{opened}");
        assert!(opened.ends_with("\na: [\n"), "{opened}");
        ok(&["get", "cluster", NAME]);

        // A group that cannot be read hides no other.
        let nodes = format!("{NAME}/instancegroup/nodes");
        put(&world, store, &nodes, b"a: [\n");
        let shown = ok(&["get", "ig", "--name", NAME, "-o", "name"]);
        assert_eq!(shown.stdout, "masters\n");
        assert!(shown.stderr.contains(&format!("warning: {nodes}:2:1")), "{shown:#?}");
        ok(&["set", "ig", "masters", "spec.machineType=m5.xlarge", "--name", NAME]);
        let said = fails(&["update", "cluster", NAME]);
        let mending = format!("kapstan edit ig nodes --name {NAME}");
        assert!(said.contains(&nodes) && said.contains(&mending), "{said}");
        ok(&["replace", "-f", &group_file, "--force"]);
        ok(&["get", "ig", "nodes", "--name", NAME]);
        put(&world, store, &nodes, b"a: [\n");
        ok(&["delete", "ig", "nodes", "--name", NAME, "--yes"]);
        put(&world, store, &nodes, b"a: [\n");
        ok(&["delete", "-f", &group_file, "--yes"]);
        assert_eq!(ok(&["get", "ig", "--name", NAME, "-o", "name"]).stdout, "masters\n");

        // And the cluster goes, if it is known where it was.
        put(&world, store, &nodes, b"a: [\n");
        put(&world, store, &config, b"a: [\n");
        let said = fails(&["delete", "cluster", NAME, "--yes"]);
        assert!(said.contains("cannot be read, give --region"), "{said}");
        assert_eq!(run(&["delete", "cluster", NAME, "--region", "us-west-2"]).code, 0);
        assert_eq!(all_keys(&world, store).len(), 3);
        let said = fails(&["delete", "cluster", NAME, "--region", "us-west-2", "--yes"]);
        assert!(said.contains("--unregister --yes"), "{said}");
        ok(&["delete", "cluster", NAME, "--unregister", "--yes"]);
        assert_eq!(all_keys(&world, store), [""; 0]);
        put(&world, store, &config, b"a: [\n");
        ok(&["delete", "-f", &cluster_file, "--yes"]);
        assert_eq!(all_keys(&world, store), [""; 0]);
    }
}

#[test]
fn a_group_is_called_like_its_key() {
    let (world, stores) = both("misnamed");
    for store in &stores {
        let other = format!("{NAME}/instancegroup/other");
        put(&world, store, &other, group(NAME, "nodes", "Node", "").as_bytes());
        let state = ["--state", store];
        let shown = world.ok(&[&["get", "ig", "--name", NAME, "-o", "name"], &state[..]].concat());
        assert_eq!(shown.stdout, "masters\nnodes\n");
        let both_keys = format!(
            "{other} calls itself InstanceGroup/nodes, which belongs at {NAME}/instancegroup/nodes"
        );
        assert!(shown.stderr.contains(&both_keys), "{shown:#?}");
        for args in [["update", "cluster", NAME], ["iam", "show", NAME]] {
            let said = world.fails(&[&args[..], &state[..]].concat());
            assert!(said.contains(&both_keys), "{said}");
        }
        world.ok(&[&["delete", "ig", "other", "--name", NAME, "--yes"], &state[..]].concat());
        world.ok(&[&["iam", "show", NAME], &state[..]].concat());

        put(&world, store, &other, group("b.example.com", "other", "Node", "").as_bytes());
        let said = world.fails(&[&["update", "cluster", NAME], &state[..]].concat());
        let another = format!("{other} names the cluster \"b.example.com\", but the group belongs");
        assert!(said.contains(&another), "{said}");
        let shown = world.ok(&[&["get", "ig", "--name", NAME, "-o", "name"], &state[..]].concat());
        assert_eq!(shown.stdout, "masters\nnodes\n");
        assert!(shown.stderr.contains(&another), "{shown:#?}");
        put(&world, store, &other, cluster(NAME, STRICT).as_bytes());
        let said = world.fails(&[&["update", "cluster", NAME], &state[..]].concat());
        assert!(said.contains(&format!("{other} calls itself Cluster/{NAME}")), "{said}");
    }
}

#[test]
fn what_lies_in_the_place_of_a_group_and_is_none_is_told() {
    let (world, stores) = both("in_place");
    for store in &stores {
        put(&world, store, &format!("{NAME}/instancegroup/other/x"), b"x");
        let get = ["get", "ig", "--name", NAME, "-o", "name", "--state", store];
        let shown = world.ok(&get);
        assert_eq!(shown.stdout, "masters\nnodes\n");
        let told = format!("warning: {NAME}/instancegroup/other in the state store is no instance");
        assert!(shown.stderr.contains(&told), "{shown:#?}");
    }
    // In S3 a name may be that of a group and of what lies below it.
    put(&world, &stores[0], &format!("{NAME}/instancegroup/nodes/x"), b"x");
    let shown = world.ok(&["get", "ig", "--name", NAME, "-o", "name"]);
    assert_eq!(shown.stdout, "masters\nnodes\n");
    world.ok(&["iam", "show", NAME]);
}

#[test]
fn a_group_whose_link_leads_nowhere_is_not_taken_for_deleted() {
    let (world, [_, store]) = both("no_link");
    let path = std::path::Path::new(&store).join(NAME).join("instancegroup/nodes");
    std::fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink(world.path("nowhere"), &path).unwrap();
    let said = world.fails(&["update", "cluster", NAME, "--state", &store]);
    assert!(said.contains("nodes: is a link, and links are not followed here"), "{said}");
}

#[test]
fn a_folder_where_a_text_belongs_is_told_when_one_is_written() {
    let (world, [_, store]) = both("folder_in_place");
    let spec = world.ok(&["get", "ig", "nodes", "--name", NAME, "-o", "yaml", "--state", &store]);
    let path = std::path::Path::new(&store).join(NAME).join("instancegroup/nodes");
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    let file = world.path("nodes.yaml");
    std::fs::write(&file, spec.stdout).unwrap();
    let args = ["create", "-f", file.to_str().unwrap(), "--state", &store];
    let said = world.fails(&args);
    assert!(said.contains("nodes is a folder, where a text belongs; remove it"), "{said}");
}

/// What kops keeps for a cluster beside its specs, and what somebody else has put there.
fn filled(world: &World, store: &str) {
    for key in [
        "backups/etcd/main/control/etcd-cluster-spec",
        "pki/private/ca/keyset.yaml",
        "secrets/admin",
        "addons/bootstrap-channel.yaml",
        "clusteraddons/default",
        "igconfig/node/nodes/nodeupconfig.yaml",
        "manifests/etcd/main.yaml",
        "cluster.spec",
        "cluster-completed.spec",
        "kops-version.txt",
        "instancegroup/.DS_Store",
        "notes/runbook.txt",
    ] {
        put(world, store, &format!("{NAME}/{key}"), b"secret");
    }
    let large = vec![b'x'; 5 * 1024 * 1024];
    put(world, store, &format!("{NAME}/backups/etcd/main/large"), &large);
    put(world, store, "dev.example.com-b/config", b"another's");
}

#[test]
fn a_cluster_goes_from_the_store_unread_and_what_is_not_its_own_stays() {
    let (world, stores) = both("removal");
    for store in &stores {
        filled(&world, store);
        if !store.starts_with("s3://") {
            std::fs::create_dir_all(std::path::Path::new(store).join(NAME).join("backups/empty"))
                .unwrap();
        }
        let run = |args: &[&str]| world.run(&[args, &["--state", store]].concat());
        let told = run(&["delete", "cluster", NAME]);
        assert_eq!(told.code, 0, "{told:#?}");
        assert!(
            told.stderr.contains("2 in instancegroup/")
                || told.stderr.contains("3 in instancegroup/"),
            "{told:#?}"
        );
        assert!(told.stderr.contains(&format!("{NAME}/notes/runbook.txt")), "{told:#?}");
        world.forget_calls();
        let done = run(&["delete", "cluster", NAME, "--unregister", "--yes"]);
        assert_eq!(done.code, 0, "{done:#?}");
        assert!(done.stderr.contains(&format!("{NAME}/notes/runbook.txt")), "{done:#?}");
        let runbook = format!("{NAME}/notes/runbook.txt");
        assert_eq!(all_keys(&world, store), ["dev.example.com-b/config".to_owned(), runbook]);
        let is_read =
            |call: &Call| call.operation == "GetObject" && call.path.contains(&format!("/{NAME}/"));
        let reads: Vec<Call> = world.calls().into_iter().filter(is_read).collect();
        let own = |call: &&Call| !call.path.contains("/.kapstan/");
        assert_eq!(reads.iter().filter(own).count(), 0, "{reads:?}");
        if !store.starts_with("s3://") {
            assert!(!std::path::Path::new(store).join(NAME).join("backups").exists());
        }
    }
}

#[test]
fn backups_can_be_kept() {
    let (world, stores) = both("backups");
    for store in &stores {
        put(&world, store, &format!("{NAME}/backups/etcd/main/1"), b"x");
        let args = ["delete", "cluster", NAME, "--unregister", "--keep-backups", "--yes"];
        let run = world.ok(&[&args[..], &["--state", store]].concat());
        assert!(run.stderr.contains("1 in dev.example.com/backups/"), "{run:#?}");
        assert_eq!(all_keys(&world, store), ["dev.example.com/backups/etcd/main/1"]);
        // What is left of a removal can be removed too.
        world.ok(&["delete", "cluster", NAME, "--unregister", "--yes", "--state", store]);
        assert_eq!(all_keys(&world, store), [""; 0]);
    }
}

#[test]
fn aws_is_not_touched_where_the_store_could_not_be_cleared() {
    let world = World::with("store_first", &specs(NAME, STRICT));
    world.apply(NAME);
    for operation in ["s3:ListBucket", "s3:DeleteObject"] {
        world.rules(serde_json::json!([{"operation": operation, "error": "AccessDenied"}]));
        world.forget_calls();
        let said = world.fails(&["delete", "cluster", NAME, "--yes"]);
        assert!(said.contains(operation), "{said}");
        assert_eq!(world.iam_writes(), [""; 0]);
    }
    world.rules(serde_json::json!([]));
    world.ok(&["delete", "cluster", NAME, "--yes"]);
    assert_eq!(keys(&world), [""; 0]);
}

#[test]
fn objects_that_s3_does_not_remove_are_named_and_the_spec_stays() {
    let world = World::with("not_removed", &specs(NAME, STRICT));
    put(&world, &world.store(), &format!("{NAME}/backups/held"), b"x");
    let policy = serde_json::json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Deny", "Principal": "*", "Action": "s3:DeleteObject",
        "Resource": format!("arn:aws:s3:::{}/{NAME}/backups/*", world.bucket),
    }]});
    let s3 = world.s3();
    wait(s3.put_bucket_policy().bucket(&world.bucket).policy(policy.to_string()).send()).unwrap();
    let said = world.fails(&["delete", "cluster", NAME, "--unregister", "--yes"]);
    assert!(said.contains("dev.example.com/backups/held: AccessDenied"), "{said}");
    assert_eq!(keys(&world), ["dev.example.com/backups/held", "dev.example.com/config"]);
    wait(s3.delete_bucket_policy().bucket(&world.bucket).send()).unwrap();
    world.ok(&["delete", "cluster", NAME, "--unregister", "--yes"]);
    assert_eq!(keys(&world), [""; 0]);
}
