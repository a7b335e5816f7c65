//! The right account, region and bucket: what is remembered, compared and refused.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value as Json, json};

use crate::harness::{Run, STRICT, World, administrate, cluster, group, specs, wait};
use crate::locks::leaves;

const NAME: &str = "dev.example.com";
const OWN: &str = "  annotations: {kapstan.io/bootstrap: none}\n  iam: {}\n";
const IMAGE: &str = "  image: ami-10100000\n";
const MARK: &str = ".kapstan/dev.example.com/account";

/// The account of an access key.
fn account(world: &World, key: &str) -> String {
    let config = world.sdk().to_builder();
    let credentials = aws_sdk_sts::config::Credentials::new(key, "secret", None, None, "tests");
    let provider = aws_sdk_sts::config::SharedCredentialsProvider::new(credentials);
    let client = aws_sdk_sts::Client::new(&config.credentials_provider(provider).build());
    wait(client.get_caller_identity().send()).unwrap().account().unwrap().to_owned()
}

fn own_account(world: &World) -> String {
    account(world, &world.key)
}

/// An access key of somebody else, with his account.
fn other(world: &World) -> (String, String) {
    let key = format!("{}other", world.key);
    let account = account(world, &key);
    (key, account)
}

/// Runs the binary with the credentials of another account.
fn run_as(world: &World, key: &str, args: &[&str], more: &[(&str, &str)]) -> Run {
    administrate(key, "DELETE", "calls", "", "");
    let mut command = world.command(args);
    command.env("AWS_ACCESS_KEY_ID", key).envs(more.iter().copied());
    Run::from(command.output().unwrap())
}

/// The calls that a key has made, but for those to the store.
fn calls_of(key: &str) -> Vec<String> {
    let Json::Array(calls) = administrate(key, "GET", "calls", "", "") else { panic!("no calls") };
    let calls = calls.iter().filter(|call| call["service"] != "s3");
    calls.map(|call| call["operation"].as_str().unwrap().to_owned()).collect()
}

fn whole_specs() -> String {
    [
        cluster(NAME, OWN),
        group(NAME, "masters", "Master", IMAGE),
        group(NAME, "nodes", "Node", IMAGE),
    ]
    .join("---\n")
}

/// A cluster that was applied, with its specs in a folder.
fn in_folder(test: &str) -> (World, String) {
    let world = World::bare(test);
    world.zone("example.com", test);
    let store = world.path("folder").display().to_string();
    let file = world.write("specs.yaml", &whole_specs());
    world.ok(&["create", "-f", &file, "--state", &store]);
    let key = world.write("id_rsa.pub", crate::harness::SSH_KEY);
    let secret = ["create", "secret", "sshpublickey", "admin", "-i", &key, "--name", NAME];
    world.ok(&[&secret[..], &["--state", &store]].concat());
    (world, store)
}

fn objects(store: &str) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    let mut folders = vec![Path::new(store).to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => found.push((path.display().to_string(), std::fs::read(&path).unwrap())),
            }
        }
    }
    found.retain(|(path, _)| !path.ends_with(".kapstan.lock"));
    found.sort();
    found
}

#[test]
fn every_command_is_refused_with_credentials_of_another_account() {
    let (world, store) = in_folder("account_walk");
    world.ok(&["update", "cluster", NAME, "--yes", "--state", &store]);
    let (mine, (key, theirs)) = (own_account(&world), other(&world));
    let before = (objects(&store), world.everything());
    let cloud = ["--cloudonly"];
    let refresh = ["--engine", "instance-refresh"];
    let instance = ["delete", "instance", "i-0123456789abcdef0", "--name", NAME, "--cloudonly"];
    let rolling = ["rolling-update", "cluster", NAME];
    let deletion = ["delete", "cluster", NAME];
    let reaching: Vec<(&str, Vec<&str>)> = vec![
        ("update cluster", vec!["update", "cluster", NAME]),
        ("update cluster", vec!["update", "cluster", NAME, "-o", "json"]),
        ("update cluster", vec!["update", "cluster", NAME, "--phase", "assets"]),
        ("update cluster", vec!["update", "cluster", NAME, "--yes", "--prune"]),
        ("iam diff", vec!["iam", "diff", NAME]),
        ("rolling-update cluster", [&rolling[..], &cloud].concat()),
        ("rolling-update cluster", [&rolling[..], &cloud, &["--yes", "--force"]].concat()),
        ("rolling-update cluster", [&rolling[..], &refresh].concat()),
        ("rolling-update cluster", [&rolling[..], &refresh, &["--yes", "--force"]].concat()),
        ("rolling-update cluster", [&rolling[..], &refresh, &["--yes", "--cancel"]].concat()),
        ("validate cluster", vec!["validate", "cluster", NAME]),
        ("delete instance", instance.to_vec()),
        ("delete instance", [&instance[..], &["--yes"]].concat()),
        ("delete cluster", deletion.to_vec()),
        ("delete cluster", [&deletion[..], &["--yes"]].concat()),
        ("delete cluster", [&deletion[..], &["--region", "us-west-2", "--yes"]].concat()),
        ("delete cluster", [&deletion[..], &["--unregister"]].concat()),
        ("delete cluster", [&deletion[..], &["--unregister", "--yes"]].concat()),
    ];
    // These have to do with the state store alone, or are about the account.
    let others = [
        "create", "create cluster", "create secret sshpublickey", "replace", "delete", "delete ig",
        "get", "get clusters", "get ig", "get all", "edit cluster", "edit ig", "set cluster",
        "set ig", "unset cluster", "unset ig", "iam show", "iam upgrade", "version", "unlock",
        "completion", "adopt-account",
    ];
    let mut commands = Vec::new();
    leaves(&world, &[], &mut commands);
    for command in &commands {
        let is_known = reaching.iter().any(|(name, _)| name == command);
        assert!(is_known || others.contains(&command.as_str()), "does {command} reach AWS?");
    }
    for (_, args) in &reaching {
        let run = run_as(&world, &key, &[&args[..], &["--state", &store]].concat(), &[]);
        assert_eq!(run.code, 1, "{args:?}: {run:#?}");
        for told in [&*mine, &*theirs, "kapstan adopt-account dev.example.com"] {
            assert!(run.stderr.contains(told), "{args:?}: {told} in {run:#?}");
        }
        assert_eq!(run.stdout, "", "{args:?}");
        assert_eq!(calls_of(&key), ["GetCallerIdentity"], "{args:?}");
        assert_eq!(objects(&store), before.0, "{args:?}");
    }
    assert_eq!(world.everything(), before.1);
    world.ok(&["update", "cluster", NAME, "--state", &store]);
}

#[test]
fn a_store_in_s3_is_refused_with_both_numbers_where_its_owner_is_given() {
    let world = World::with("account_s3", &specs(NAME, STRICT));
    world.apply(NAME);
    let (mine, (key, theirs)) = (own_account(&world), other(&world));
    let owner = [("KAPSTAN_STATE_OWNER", mine.as_str())];
    for args in [&["update", "cluster", NAME][..], &["delete", "cluster", NAME, "--yes"]] {
        let run = run_as(&world, &key, args, &owner);
        assert_eq!(run.code, 1, "{run:#?}");
        assert!(run.stderr.contains(&mine) && run.stderr.contains(&theirs), "{run:#?}");
        assert_eq!(calls_of(&key), ["GetCallerIdentity"]);
    }
}

#[test]
fn the_first_apply_has_the_store_remember_and_a_dry_run_does_not() {
    let world = World::with("account_mark", &specs(NAME, STRICT));
    let mine = own_account(&world);
    let kept = || {
        let read = world.s3().get_object().bucket(&world.bucket).key(MARK);
        let body = wait(async { read.send().await.ok()?.body.collect().await.ok() })?;
        Some(serde_json::from_slice::<Json>(&body.into_bytes()).unwrap())
    };
    for args in [&["update", "cluster", NAME][..], &["iam", "diff", NAME]] {
        world.ok(args);
        assert!(kept().is_none());
    }
    let run = world.ok(&["update", "cluster", NAME, "--yes"]);
    let told = format!("{NAME} is in account {mine} (aws), region us-west-2");
    assert!(run.stderr.contains(&told), "{run:#?}");
    let mark = kept().unwrap();
    for (field, value) in [("account", &*mine), ("region", "us-west-2"), ("partition", "aws")] {
        assert_eq!(mark[field], value, "{mark}");
    }
    let again = world.ok(&["update", "cluster", NAME, "--yes"]);
    assert!(!again.stderr.contains("remembers"), "{again:#?}");
    assert_eq!(kept().unwrap(), mark);
}

#[test]
fn a_mark_that_cannot_be_read_admits_nobody_and_can_be_set_anew() {
    let world = World::with("account_unreadable", &specs(NAME, STRICT));
    world.apply(NAME);
    let put = world.s3().put_object().bucket(&world.bucket).key(MARK);
    wait(put.body(b"{}".to_vec().into()).send()).unwrap();
    for args in [&["update", "cluster", NAME][..], &["delete", "cluster", NAME, "--yes"]] {
        let said = world.fails(args);
        assert!(said.contains(MARK) && said.contains("kapstan adopt-account"), "{said}");
    }
    world.ok(&["adopt-account", NAME, "--yes"]);
    world.ok(&["update", "cluster", NAME]);
}

#[test]
fn adopting_moves_a_cluster_to_the_account_of_the_credentials() {
    let (world, store) = in_folder("account_adopt");
    world.ok(&["update", "cluster", NAME, "--yes", "--state", &store]);
    let (mine, (key, theirs)) = (own_account(&world), other(&world));
    let before = objects(&store);
    let adopt = ["adopt-account", NAME, "--state", &store];
    let told = run_as(&world, &key, &adopt, &[]);
    assert_eq!(told.code, 0, "{told:#?}");
    assert!(told.stdout.contains(&mine) && told.stdout.contains(&theirs), "{told:#?}");
    assert!(told.stderr.contains("Nothing was changed"), "{told:#?}");
    assert_eq!(objects(&store), before);
    let done = run_as(&world, &key, &[&adopt[..], &["--yes"]].concat(), &[]);
    assert_eq!(done.code, 0, "{done:#?}");
    assert_eq!(calls_of(&key), ["GetCallerIdentity"]);
    let update = ["update", "cluster", NAME, "--phase", "assets", "--state", &store];
    assert_eq!(run_as(&world, &key, &update, &[]).code, 0);
    let said = world.fails(&update);
    assert!(said.contains(&mine) && said.contains(&theirs), "{said}");
}

#[test]
fn another_account_than_the_one_expected_is_refused_whatever_is_remembered() {
    let (world, store) = in_folder("account_expected");
    let (mine, (_, theirs)) = (own_account(&world), other(&world));
    let update = ["update", "cluster", NAME, "--yes", "--state", &store];
    world.forget_calls();
    let said = world.fails(&[&update[..], &["--expect-account", &theirs]].concat());
    assert!(said.contains(&mine) && said.contains(&theirs), "{said}");
    let calls: Vec<String> = world.calls().into_iter().map(|call| call.operation).collect();
    assert_eq!(calls, ["GetCallerIdentity"]);
    for args in [&["get", "clusters"][..], &["set", "ig", "nodes", "spec.maxSize=2"]] {
        let mut command = world.command(args);
        command.args(["--state", &store]).env("KAPSTAN_EXPECT_ACCOUNT", &theirs);
        let run = Run::from(command.output().unwrap());
        assert_eq!(run.code, 1, "{run:#?}");
        assert!(run.stderr.contains("KAPSTAN_EXPECT_ACCOUNT"), "{run:#?}");
    }
    let said = world.fails(&[&update[..], &["--expect-account", "prod"]].concat());
    assert!(said.contains("12 digits"), "{said}");
    world.ok(&[&update[..], &["--expect-account", &mine]].concat());
}

#[test]
fn a_deletion_that_finds_nothing_removes_no_spec() {
    let (world, store) = in_folder("account_nothing");
    world.ok(&["update", "cluster", NAME, "--yes", "--state", &store]);
    // As of a cluster that was built by kops.
    if Path::new(&store).join(MARK).exists() {
        std::fs::remove_file(Path::new(&store).join(MARK)).unwrap();
    }
    let (key, theirs) = other(&world);
    let before = (objects(&store), world.everything());
    let delete = ["delete", "cluster", NAME, "--state", &store];
    for (code, more) in [
        (0, &[][..]),
        (0, &["-o", "json"]),
        (1, &["--yes"]),
        (1, &["--yes", "-o", "json"]),
        (1, &["--region", "us-west-2", "--yes"]),
    ] {
        let run = run_as(&world, &key, &[&delete[..], more].concat(), &[]);
        assert_eq!(run.code, code, "{more:?}: {run:#?}");
        for told in [&*theirs, "us-west-2", "--unregister --yes"] {
            assert!(run.stderr.contains(told), "{more:?}: {told} in {run:#?}");
        }
        assert_eq!(objects(&store), before.0, "{more:?}");
    }
    assert_eq!(world.everything(), before.1);
    world.ok(&[&delete[..], &["--unregister", "--yes"]].concat());
    assert_eq!(objects(&store), []);
}

#[test]
fn a_deletion_that_ended_in_aws_is_finished_by_the_next() {
    let world = World::with("account_second", &specs(NAME, STRICT));
    world.apply(NAME);
    let delete = ["delete", "cluster", NAME, "--yes"];
    world.rules(json!([{"operation": "s3:DeleteObjects$", "error": "AccessDenied"}]));
    world.fails(&delete);
    let role = world.iam();
    assert!(wait(role.get_role().role_name(format!("nodes.{NAME}")).send()).is_err());
    world.rules(json!([]));
    world.ok(&["get", "cluster", NAME]);
    world.ok(&delete);
    let left = wait(world.s3().list_objects_v2().bucket(&world.bucket).send()).unwrap();
    assert_eq!(left.contents(), []);
}

#[test]
fn a_deletion_that_had_begun_is_forgotten_with_the_next_update() {
    let world = World::with("account_revived", &specs(NAME, STRICT));
    world.apply(NAME);
    let delete = ["delete", "cluster", NAME, "--yes"];
    world.rules(json!([{"operation": "s3:DeleteObjects$", "error": "AccessDenied"}]));
    world.fails(&delete);
    world.rules(json!([]));
    world.apply(NAME);
    let (key, theirs) = other(&world);
    let mine = own_account(&world);
    let owner = [("KAPSTAN_STATE_OWNER", mine.as_str())];
    let run = run_as(&world, &key, &delete, &owner);
    assert!(run.code == 1 && run.stderr.contains(&theirs), "{run:#?}");
    world.ok(&delete);
}

#[test]
fn a_region_that_contradicts_the_spec_is_an_error_that_names_both() {
    let world = World::with("account_region", &specs(NAME, STRICT));
    world.apply(NAME);
    world.forget_calls();
    for more in [&[][..], &["--yes"]] {
        let said =
            world.fails(&[&["delete", "cluster", NAME, "--region", "eu-west-1"], more].concat());
        assert!(said.contains("eu-west-1") && said.contains("us-west-2"), "{said}");
    }
    assert_eq!(world.iam_writes(), [""; 0]);
    // Who writes the store by other means may do what `replace` does not let him.
    let moved = cluster(NAME, STRICT).replace("us-west-2a", "eu-west-1a").into_bytes();
    let put = world.s3().put_object().bucket(&world.bucket).key(format!("{NAME}/config"));
    wait(put.body(moved.into()).send()).unwrap();
    world.forget_calls();
    for args in [
        &["delete", "cluster", NAME, "--yes"][..],
        &["delete", "cluster", NAME, "--region", "eu-west-1", "--yes"],
        &["delete", "cluster", NAME, "--region", "us-west-2", "--yes"],
    ] {
        let said = world.fails(args);
        assert!(said.contains("eu-west-1") && said.contains("us-west-2"), "{said}");
    }
    assert_eq!(world.iam_writes(), [""; 0]);
}

#[test]
fn where_a_cluster_was_is_known_without_its_specs() {
    without_its_spec("account_specless", |world| {
        for key in ["config", "instancegroup/masters", "instancegroup/nodes"] {
            let delete = world.s3().delete_object().bucket(&world.bucket);
            wait(delete.key(format!("{NAME}/{key}")).send()).unwrap();
        }
    });
}

#[test]
fn where_a_cluster_was_is_known_though_its_spec_cannot_be_read() {
    without_its_spec("account_broken", |world| {
        let put = world.s3().put_object().bucket(&world.bucket).key(format!("{NAME}/config"));
        wait(put.body(b"a: [\n".to_vec().into()).send()).unwrap();
    });
}

fn without_its_spec(test: &str, lose: impl Fn(&World)) {
    let world = World::with(test, &specs(NAME, STRICT));
    world.apply(NAME);
    lose(&world);
    let said = world.fails(&["delete", "cluster", NAME, "--region", "eu-west-1", "--yes"]);
    assert!(said.contains("eu-west-1") && said.contains("us-west-2"), "{said}");
    world.ok(&["delete", "cluster", NAME, "--yes"]);
    let role = world.iam();
    assert!(wait(role.get_role().role_name(format!("nodes.{NAME}")).send()).is_err());
    let left = wait(world.s3().list_objects_v2().bucket(&world.bucket).send()).unwrap();
    assert_eq!(left.contents(), []);
}

#[test]
fn every_call_to_a_bucket_says_whose_it_is() {
    let world = World::with("account_bucket", &specs(NAME, STRICT));
    let mine = own_account(&world);
    world.apply(NAME);
    world.ok(&["set", "ig", "nodes", "spec.maxSize=2", "--name", NAME]);
    world.ok(&["get", "clusters"]);
    world.ok(&["delete", "cluster", NAME, "--yes"]);
    let calls = world.calls().into_iter();
    let of_bucket = calls.filter(|call| call.service == "s3" && call.operation != "PutBucket");
    let of_bucket: Vec<_> = of_bucket.collect();
    let operations: BTreeSet<&str> = of_bucket.iter().map(|call| &*call.operation).collect();
    assert_eq!(operations.len(), 6, "{operations:?}");
    for call in &of_bucket {
        assert_eq!(call.bucket_owner, mine, "{call:?}");
    }
}

#[test]
fn a_bucket_of_another_account_is_neither_read_nor_written_unless_its_owner_is_given() {
    let world = World::new("account_taken");
    let (key, theirs) = other(&world);
    let mine = own_account(&world);
    let file = world.write("specs.yaml", &specs(NAME, STRICT));
    for args in [&["create", "-f", &file][..], &["get", "clusters"], &["update", "cluster", NAME]] {
        let run = run_as(&world, &key, args, &[]);
        assert_eq!(run.code, 1, "{run:#?}");
        for told in [&*theirs, "--state-owner", &world.bucket] {
            assert!(run.stderr.contains(told), "{told} in {run:#?}");
        }
    }
    let left = wait(world.s3().list_objects_v2().bucket(&world.bucket).send()).unwrap();
    assert_eq!(left.contents(), []);
    let run = run_as(&world, &key, &["create", "-f", &file, "--state-owner", &mine], &[]);
    assert_eq!(run.code, 0, "{run:#?}");
    assert_eq!(calls_of(&key), [""; 0], "who gives the owner need not be known to STS");
    let said = world.fails(&["get", "clusters", "--state-owner", &theirs]);
    assert!(said.contains(&theirs), "{said}");
}
