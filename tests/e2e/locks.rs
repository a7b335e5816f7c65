//! One writer at a time: the lock of a cluster, who waits for it, and what frees it.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::{Call, Run, SSH_KEY, STRICT, World, cluster, group, specs, wait};
use crate::rolling::Rolling;

const NAME: &str = "dev.example.com";
const OWN: &str = "  annotations: {kapstan.io/bootstrap: none}\n  iam: {}\n";
const IMAGE: &str = "  image: ami-10100000\n";
const KEY: &str = ".kapstan/dev.example.com/lock";
/// Long enough for a busy machine to renew its lock in time, short enough to wait for.
const SHORT: (&str, &str) = ("KAPSTAN_LOCK_EXPIRY", "9s");
const SHORT_SPAN: Duration = Duration::from_secs(9);

fn whole_specs() -> String {
    [
        cluster(NAME, OWN),
        group(NAME, "masters", "Master", IMAGE),
        group(NAME, "nodes", "Node", IMAGE),
    ]
    .join("---\n")
}

fn update(world: &World, more: &[&str]) -> Command {
    let mut args = vec!["update", "cluster", NAME, "--yes"];
    args.extend(more);
    let mut command = world.command(&args);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn ended(child: Child) -> Run {
    Run::from(child.wait_with_output().unwrap())
}

fn signal(child: &Child, name: &str) {
    let status = Command::new("kill").args([name, &child.id().to_string()]).status();
    assert!(status.unwrap().success());
}

fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < Duration::from_secs(120), "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Waits until a run says something on stderr; returns what it says from there on.
fn hears(child: &mut Child, words: &str) -> BufReader<std::process::ChildStderr> {
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains(words) {
        line.clear();
        assert!(stderr.read_line(&mut line).unwrap() > 0, "it never says {words:?}");
    }
    stderr
}

/// Every key of the store with its ETag.
fn objects(world: &World) -> BTreeMap<String, String> {
    let listed = wait(world.s3().list_objects_v2().bucket(&world.bucket).send()).unwrap();
    let object = |object: &aws_sdk_s3::types::Object| {
        (object.key().unwrap().to_owned(), object.e_tag().unwrap().to_owned())
    };
    listed.contents().iter().map(object).collect()
}

/// Locks the cluster as a run on another machine does, which never renews it.
fn lock_from_elsewhere(world: &World) {
    let text = json!({
        "id": "0123", "user": "alice", "awsIdentity": "arn:aws:iam::123456789012:role/ops",
        "host": "build-7", "pid": 42, "since": "2026-11-24T09:00:00Z",
        "what": "update cluster dev.example.com", "beat": 3,
        "heartbeat": "2026-11-24T09:00:30Z", "expiresAfterSeconds": 60,
    });
    let put = world.s3().put_object().bucket(&world.bucket).key(KEY);
    wait(put.body(text.to_string().into_bytes().into()).send()).unwrap();
}

const ELSEWHERE: &str = "dev.example.com is locked by alice on build-7 (process 42, \
    arn:aws:iam::123456789012:role/ops) since 2026-11-24T09:00:00Z, last sign of life \
    2026-11-24T09:00:30Z: update cluster dev.example.com";

/// The writes to AWS, the store's left out.
fn writes(world: &World) -> Vec<Call> {
    world.calls().into_iter().filter(|call| call.write && call.service != "s3").collect()
}

fn vpcs(world: &World) -> usize {
    let vpcs = wait(world.ec2().describe_vpcs().send()).unwrap();
    vpcs.vpcs().iter().filter(|vpc| vpc.is_default() != Some(true)).count()
}

/// The commands of `--help`, all the way down.
pub fn leaves(world: &World, path: &[&str], found: &mut Vec<String>) {
    let mut args = path.to_vec();
    args.push("--help");
    let help = world.ok(&args).stdout;
    let listed = help.split("Commands:\n").nth(1).map(|rest| rest.split("\n\n").next().unwrap());
    let names: Vec<&str> = listed
        .unwrap_or_default()
        .lines()
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    for name in &names {
        leaves(world, &[path, &[name]].concat(), found);
    }
    // Some do something by themselves too.
    if names.is_empty() || matches!(path, ["create" | "delete" | "get"]) {
        found.push(path.join(" "));
    }
}

#[test]
fn every_command_that_writes_takes_the_lock_and_no_other_does() {
    let world = World::whole("lock_walk", NAME, &whole_specs());
    let file = world.write("specs.yaml", &whole_specs());
    let bastion = world.write("bastion.yaml", &group(NAME, "bastions", "Bastion", IMAGE));
    let key = world.write("other.pub", SSH_KEY);
    let editor = world.write("editor", "echo '# edited' >> \"$1\"\n");
    let kubeless = ["--cloudonly"];
    let named = ["--name", NAME];
    let join = |args: &[&str], more: &[&str]| -> Vec<String> {
        args.iter().chain(more).map(|arg| (*arg).to_owned()).collect()
    };
    let writers: Vec<(&str, Vec<String>)> = vec![
        ("create", join(&["create", "-f", &bastion], &[])),
        ("create cluster", join(&["create", "cluster", NAME, "--zones", "us-west-2a"], &[])),
        (
            "create secret sshpublickey",
            join(&["create", "secret", "sshpublickey", "admin", "-i", &key], &named),
        ),
        ("replace", join(&["replace", "-f", &file], &[])),
        ("delete", join(&["delete", "-f", &file, "--yes"], &[])),
        ("delete cluster", join(&["delete", "cluster", NAME, "--yes"], &[])),
        ("delete cluster", join(&["delete", "cluster", NAME, "--unregister", "--yes"], &[])),
        ("delete instance", join(&["delete", "instance", "i-1", "--yes", "--cloudonly"], &named)),
        ("delete ig", join(&["delete", "ig", "nodes", "--yes"], &named)),
        ("edit cluster", join(&["edit", "cluster", NAME], &[])),
        ("edit ig", join(&["edit", "ig", "nodes"], &named)),
        ("set cluster", join(&["set", "cluster", NAME, "spec.sshAccess=[10.0.0.0/8]"], &[])),
        ("set ig", join(&["set", "ig", "nodes", "spec.maxSize=3"], &named)),
        ("unset cluster", join(&["unset", "cluster", NAME, "spec.iam"], &[])),
        ("unset ig", join(&["unset", "ig", "nodes", "spec.image"], &named)),
        ("update cluster", join(&["update", "cluster", NAME, "--yes"], &[])),
        ("iam upgrade", join(&["iam", "upgrade", NAME, "--to", "1.36", "--yes"], &[])),
        ("adopt-account", join(&["adopt-account", NAME, "--yes"], &[])),
        ("rolling-update cluster", join(&["rolling-update", "cluster", NAME, "--yes"], &kubeless)),
    ];
    let readers: Vec<(&str, Vec<String>)> = vec![
        ("get", join(&["get", NAME], &[])),
        ("get clusters", join(&["get", "clusters"], &[])),
        ("get ig", join(&["get", "ig"], &named)),
        ("get all", join(&["get", "all", NAME], &[])),
        ("validate cluster", join(&["validate", "cluster", NAME], &[])),
        ("iam show", join(&["iam", "show", NAME], &[])),
        ("iam diff", join(&["iam", "diff", NAME], &[])),
        ("iam upgrade", join(&["iam", "upgrade", NAME, "--to", "1.36"], &[])),
        ("version", join(&["version"], &[])),
        ("completion", join(&["completion", "bash"], &[])),
        // Dry runs.
        ("update cluster", join(&["update", "cluster", NAME], &[])),
        ("update cluster", join(&["update", "cluster", NAME, "--yes", "--target", "dryrun"], &[])),
        ("rolling-update cluster", join(&["rolling-update", "cluster", NAME], &kubeless)),
        ("delete", join(&["delete", "-f", &file], &[])),
        ("delete cluster", join(&["delete", "cluster", NAME], &[])),
        ("delete cluster", join(&["delete", "cluster", NAME, "--unregister"], &[])),
        ("adopt-account", join(&["adopt-account", NAME], &[])),
        ("delete ig", join(&["delete", "ig", "nodes"], &named)),
        (
            "create cluster",
            join(
                &["create", "cluster", "b.example.com", "--zones", "us-west-2a", "--dry-run"],
                &[],
            ),
        ),
    ];
    let mut commands = Vec::new();
    leaves(&world, &[], &mut commands);
    // It takes locks away; the other tests are about it.
    commands.retain(|command| command != "unlock");
    assert!(commands.len() > 15, "{commands:?}");
    for command in &commands {
        let is_known = |(name, _): &(&str, Vec<String>)| name == command;
        assert!(writers.iter().chain(&readers).any(is_known), "does {command} write?");
    }

    lock_from_elsewhere(&world);
    let before = objects(&world);
    for (name, args) in &writers {
        world.forget_calls();
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let mut command = world.command(&args);
        command.args(["--lock-timeout", "0s"]).env("EDITOR", format!("sh {editor}"));
        let run = Run::from(command.output().unwrap());
        assert_eq!(run.code, 1, "{name}: {run:#?}");
        assert!(run.stderr.contains(&format!("{ELSEWHERE}. Nothing was changed.")), "{run:#?}");
        assert!(run.stderr.contains("kapstan unlock dev.example.com"), "{run:#?}");
        assert_eq!(objects(&world), before, "{name}");
        // Whose the bucket is, is compared with whose the credentials are.
        let calls = world.calls();
        let is_of_store = |call: &Call| ["s3", "sts"].contains(&call.service.as_str());
        assert!(calls.iter().all(is_of_store), "{name} looked: {calls:?}");
    }
    for (name, args) in &readers {
        world.forget_calls();
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let run = world.run(&args);
        assert!(!run.stderr.contains("locked"), "{name}: {run:#?}");
        assert!(world.calls().iter().all(|call| !call.write), "{name}: {:?}", world.calls());
        assert!(world.calls().iter().all(|call| !call.path.contains(KEY)), "{name}");
        assert!(run.code == 0 || *name == "validate cluster", "{name}: {run:#?}");
    }
}

fn of_many_updates_at_once_one_writes_at_a_time(world: &World, count: usize, more: &[&str]) {
    world.forget_calls();
    let children: Vec<Child> = (0..count)
        .map(|number| {
            let waits: &[&str] = if number % 2 == 0 { &["--lock-timeout", "20m"] } else { &[] };
            update(world, &[more, waits].concat())
                .env("AWS_EXECUTION_ENV", format!("run-{number}"))
                .spawn()
                .unwrap()
        })
        .collect();
    for (number, child) in children.into_iter().enumerate() {
        let run = ended(child);
        let says_who = run.stderr.contains("dev.example.com is locked by tester on ")
            && run.stderr.contains(": update cluster dev.example.com");
        assert!(run.code == 0 || (run.code == 1 && says_who), "{run:#?}");
        assert!(run.code == 0 || number % 2 == 1, "who waits long enough comes to its turn");
    }
    let mut calls = writes(world);
    assert!(calls.iter().all(|call| call.run.starts_with("run-")), "{calls:#?}");
    calls.sort_by(|one, other| one.started.total_cmp(&other.started));
    let mut runs: Vec<&str> = calls.iter().map(|call| call.run.as_str()).collect();
    runs.dedup();
    let mut once = runs.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(runs.len(), once.len(), "two wrote at once: {runs:?}");
    let smooth = World::whole(&format!("lock_smooth_{count}"), NAME, &whole_specs());
    smooth.forget_calls();
    smooth.apply(NAME);
    assert_eq!(calls.len(), writes(&smooth).len(), "nothing is done twice");
    assert_eq!(vpcs(world), 1);
    let settled = [&["update", "cluster", NAME, "--detailed-exitcode"], more].concat();
    assert_eq!(world.run(&settled).code, 0);
}

#[test]
fn in_s3_of_twenty_updates_at_once_one_writes_at_a_time() {
    let world = World::whole("lock_twenty", NAME, &whole_specs());
    of_many_updates_at_once_one_writes_at_a_time(&world, 20, &[]);
    assert!(!objects(&world).contains_key(KEY), "the lock is released");
}

#[test]
fn in_a_folder_of_many_updates_at_once_one_writes_at_a_time() {
    let (world, state) = world_with_folder("lock_many_folder");
    of_many_updates_at_once_one_writes_at_a_time(&world, 8, &["--state", &state]);
}

/// A world whose specs are in a folder; returns its path.
fn world_with_folder(test: &str) -> (World, String) {
    let world = World::bare(test);
    world.zone("example.com", "Z1");
    let state = world.path("state").display().to_string();
    let file = world.write("specs.yaml", &whole_specs());
    let key = world.write("id_rsa.pub", SSH_KEY);
    world.ok(&["create", "-f", &file, "--state", &state]);
    world.ok(&[
        "create", "secret", "sshpublickey", "admin", "-i", &key, "--name", NAME, "--state", &state,
    ]);
    (world, state)
}

/// Begins an update that is killed within a write.
fn killed_holder(world: &World, more: &[&str]) {
    world.rules(json!([{"operation": "ec2:CreateVolume", "nth": 1, "hold": "after"}]));
    let mut holder = update(world, more).env(SHORT.0, SHORT.1).spawn().unwrap();
    wait_until("a write is held", || world.held() == 1);
    holder.kill().unwrap();
    holder.wait().unwrap();
    world.rules(json!([]));
}

fn a_killed_run_keeps_others_out_until_its_lock_expires(world: &World, more: &[&str]) {
    killed_holder(world, more);
    let at_once = [more, &["--lock-timeout", "0s"]].concat();
    let refused = ended(update(world, &at_once).spawn().unwrap());
    assert_eq!(refused.code, 1, "{refused:#?}");
    assert!(refused.stderr.contains("dev.example.com is locked by tester on "), "{refused:#?}");

    let started = Instant::now();
    let run = ended(update(world, more).spawn().unwrap());
    assert_eq!(run.code, 0, "{run:#?}");
    assert!(started.elapsed() >= SHORT_SPAN, "it did not wait");
    let waits = "Waiting until it shows a sign of life, 9s at most; Ctrl-C ends it";
    assert!(run.stderr.contains(waits), "{run:#?}");
    let taken = "The lock of dev.example.com was not renewed for 9s, and is taken over from tester";
    assert!(run.stderr.contains(taken), "{run:#?}");
    assert_eq!(vpcs(world), 1);
    let settled = [&["update", "cluster", NAME, "--detailed-exitcode"], more].concat();
    assert_eq!(world.run(&settled).code, 0);
}

#[test]
fn in_s3_a_killed_run_keeps_others_out_until_its_lock_expires() {
    let world = World::whole("lock_killed", NAME, &whole_specs());
    a_killed_run_keeps_others_out_until_its_lock_expires(&world, &[]);
    assert!(!objects(&world).contains_key(KEY));
}

#[test]
fn in_a_folder_a_killed_run_keeps_others_out_until_its_lock_expires() {
    let (world, state) = world_with_folder("lock_killed_folder");
    a_killed_run_keeps_others_out_until_its_lock_expires(&world, &["--state", &state]);
    assert!(!world.path("state").join(KEY).exists());
    let clusters = world.ok(&["get", "clusters", "-o", "name", "--state", &state]).stdout;
    assert_eq!(clusters, "dev.example.com\n");
}

#[test]
fn a_run_that_lives_keeps_its_lock_and_one_that_loses_it_stops() {
    let world = World::whole("lock_lost", NAME, &whole_specs());
    world.forget_calls();
    world.rules(json!([{"operation": "ec2:CreateVpc$", "delay": 28}]));
    let holder = update(&world, &[]).env(SHORT.0, SHORT.1).spawn().unwrap();
    wait_until("the VPC is under way", || {
        writes(&world).iter().any(|call| call.operation == "CreateVpc")
    });
    let child = update(&world, &[]).spawn().unwrap();
    let stays = world.fails(&["unlock", NAME]);
    assert!(
        stays.contains("dev.example.com stays locked: its holder lives, tester on "),
        "{stays}"
    );
    let refused = ended(child);
    assert_eq!(refused.code, 1, "{refused:#?}");
    assert!(refused.stderr.contains("dev.example.com is locked by tester on "), "{refused:#?}");
    let dry = world.ok(&["update", "cluster", NAME]);
    assert!(dry.stdout.contains("VPC/dev.example.com"), "{dry:#?}");
    assert!(!dry.stderr.contains("lock"), "{dry:#?}");

    let unlocked = world.ok(&["unlock", NAME, "--force"]).stdout;
    assert!(
        unlocked.starts_with("dev.example.com is unlocked; it was locked by tester on "),
        "{unlocked}"
    );
    let lost = ended(holder);
    assert_eq!(lost.code, 1, "{lost:#?}");
    assert!(!lost.stdout.contains("what was under way has been finished"), "{lost:#?}");
    let reason = "the lock of dev.example.com was removed (kapstan unlock)";
    assert!(lost.stderr.contains(&format!("{reason}; nothing new begins")), "{lost:#?}");
    assert!(lost.stderr.contains(&format!("error: {reason}")), "{lost:#?}");
    let calls = writes(&world);
    let vpc = calls.iter().find(|call| call.operation == "CreateVpc").unwrap();
    let late: Vec<&Call> = calls.iter().filter(|call| call.started > vpc.ended).collect();
    assert!(late.is_empty(), "{late:#?}");
    world.rules(json!([]));
    world.apply(NAME);
    world.assert_settled(NAME, &[]);
    assert_eq!(vpcs(&world), 1);
}

#[test]
fn a_dead_lock_is_removed_by_unlock_after_it_was_watched() {
    let world = World::with("lock_unlock", &specs(NAME, STRICT));
    assert_eq!(world.ok(&["unlock", NAME]).stdout, "dev.example.com is not locked\n");
    world.rules(json!([{"operation": "iam:CreateRole", "nth": 1, "hold": "before"}]));
    let mut holder = update(&world, &[]).env(SHORT.0, SHORT.1).spawn().unwrap();
    wait_until("a write is held", || world.held() == 1);
    holder.kill().unwrap();
    holder.wait().unwrap();
    world.rules(json!([]));
    let started = Instant::now();
    let run = world.ok(&["unlock", NAME]);
    assert!(started.elapsed() >= SHORT_SPAN);
    assert!(run.stderr.contains("Watching for 9s whether it is renewed"), "{run:#?}");
    assert!(run.stdout.starts_with("dev.example.com is unlocked; it was"), "{run:#?}");
    world.ok(&["update", "cluster", NAME, "--yes", "--lock-timeout", "0s"]);
}

#[test]
fn what_is_no_lock_text_expires_like_one() {
    let world = World::with("lock_garbage", &specs(NAME, STRICT));
    let put = world.s3().put_object().bucket(&world.bucket).key(KEY);
    wait(put.body(b"\x1b[2Jgarbage".to_vec().into()).send()).unwrap();
    let said = world.fails(&["update", "cluster", NAME, "--yes", "--lock-timeout", "0s"]);
    assert!(said.contains("is locked by someone (what is written in the lock cannot"), "{said}");
    world.ok(&["unlock", NAME, "--force"]);
    world.apply(NAME);
}

#[test]
fn a_wait_and_a_look_end_with_an_interrupt() {
    let world = World::whole("lock_interrupt", NAME, &whole_specs());
    lock_from_elsewhere(&world);
    let mut child = update(&world, &["--lock-timeout", "10m"]).spawn().unwrap();
    let mut stderr = hears(&mut child, "Waiting for 10m at most; Ctrl-C ends it");
    signal(&child, "-INT");
    let mut rest = String::new();
    stderr.read_to_string(&mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1), "{rest}");
    assert!(rest.contains("interrupted while waiting for the lock of dev.example.com"), "{rest}");
    assert!(objects(&world).contains_key(KEY), "the other's lock stays");

    world.ok(&["unlock", NAME, "--force"]);
    for name in ["-INT", "-TERM", "-HUP"] {
        world.rules(json!([{"operation": "ec2:DescribeVpcs", "delay": 20}]));
        world.forget_calls();
        let child = hearing(&update(&world, &[])).spawn().unwrap();
        wait_until("it looks", || world.calls().iter().any(|c| c.operation == "DescribeVpcs"));
        signal(&child, name);
        let run = ended(child);
        assert_eq!(run.code, 1, "{run:#?}");
        assert!(run.stderr.contains("error: interrupted; nothing was changed"), "{run:#?}");
        assert!(!objects(&world).contains_key(KEY), "{name}: the lock is released");
        assert_eq!(writes(&world).len(), 0);
        world.rules(json!([]));
    }
}

#[test]
fn a_terminal_that_goes_ends_an_apply_like_an_interrupt() {
    let world = World::with("lock_hangup", &specs(NAME, STRICT));
    world.rules(json!([{"operation": "iam:CreateRole", "delay": 3}]));
    let child = hearing(&update(&world, &[])).spawn().unwrap();
    wait_until("writes begin", || !world.iam_writes().is_empty());
    signal(&child, "-HUP");
    let run = ended(child);
    assert_eq!(run.code, 1, "{run:#?}");
    assert!(run.stdout.contains("Interrupted; what was under way has been finished."), "{run:#?}");
    assert!(!objects(&world).contains_key(KEY), "the lock is released");
}

/// The command as it runs at a terminal, even where the tests themselves run without one.
fn hearing(own: &Command) -> Command {
    through(&["env", "--default-signal=HUP"], own)
}

/// The command run by another.
fn through(runner: &[&str], own: &Command) -> Command {
    let mut command = Command::new(runner[0]);
    command.args(&runner[1..]).arg(own.get_program()).args(own.get_args()).env_clear();
    command.envs(own.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

#[test]
fn with_nohup_a_terminal_that_goes_ends_nothing() {
    let world = World::with("lock_nohup", &specs(NAME, STRICT));
    world.rules(json!([{"operation": "iam:CreateRole", "delay": 3}]));
    let child = through(&["nohup"], &update(&world, &[])).spawn().unwrap();
    wait_until("writes begin", || !world.iam_writes().is_empty());
    signal(&child, "-HUP");
    let run = ended(child);
    assert_eq!(run.code, 0, "{run:#?}");
    world.assert_settled(NAME, &[]);
}

#[test]
fn who_may_not_write_the_lock_is_told_which_permission_lacks() {
    let world = World::with("lock_denied", &specs(NAME, STRICT));
    world.rules(json!([{"operation": "s3:PutObject", "object": KEY, "error": "AccessDenied"}]));
    world.forget_calls();
    let said = world.fails(&["update", "cluster", NAME, "--yes"]);
    let needs = format!(
        "the lock of dev.example.com cannot be taken, so nothing was changed; who writes needs \
         s3:GetObject, s3:PutObject and s3:DeleteObject for {}/.kapstan/*: s3:PutObject of ",
        world.store()
    );
    assert!(said.contains(&needs), "{said}");
    assert_eq!(writes(&world).len(), 0);
    world.ok(&["update", "cluster", NAME]);
}

#[test]
fn a_lock_that_cannot_be_released_is_told_and_fails_nothing() {
    let world = World::with("lock_unreleased", &specs(NAME, STRICT));
    world.rules(json!([{"operation": "s3:DeleteObject", "object": KEY, "error": "AccessDenied"}]));
    let run = world.ok(&["update", "cluster", NAME, "--yes"]);
    assert!(run.stderr.contains("was not released, and expires by itself"), "{run:#?}");
}

#[test]
fn how_long_a_lock_lasts_is_kept_within_bounds() {
    let world = World::with("lock_bounds", &specs(NAME, STRICT));
    for (text, reason) in [("1s", "is not between 2s and 1h"), ("soon", "is no time such as 60s")] {
        let run = Run::from(update(&world, &[]).env(SHORT.0, text).output().unwrap());
        assert_eq!(run.code, 1, "{run:#?}");
        assert!(run.stderr.contains(&format!("KAPSTAN_LOCK_EXPIRY={text} {reason}")), "{run:#?}");
    }
}

#[test]
fn a_rolling_update_that_loses_its_lock_stops() {
    let rolling = Rolling::new("lock_rolling", 1, &[("nodes", 2, "")]);
    rolling.simulation.hold_at_wait(Some(40));
    let mut command = rolling.command(&["--yes", "--instance-group", "nodes"]);
    command.env(SHORT.0, SHORT.1).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    assert!(rolling.simulation.is_held(&mut child));
    rolling.simulation.hold_at_wait(None);
    let other = Run::from(
        rolling
            .any(&["rolling-update", "cluster", crate::rolling::NAME, "--yes"])
            .args(["--lock-timeout", "0s"])
            .output()
            .unwrap(),
    );
    assert_eq!(other.code, 1, "{other:#?}");
    assert!(other.stderr.contains(": rolling-update cluster roll.example.com"), "{other:#?}");
    rolling.world.forget_calls();
    rolling.world.ok(&["unlock", crate::rolling::NAME, "--force"]);
    let run = ended(child);
    assert_eq!(run.code, 1, "{run:#?}");
    assert!(run.stderr.contains("(kapstan unlock); nothing new begins"), "{run:#?}");
    assert!(run.stderr.contains("nodes: stops: this run was stopped"), "{run:#?}");
    assert_eq!(writes(&rolling.world).len(), 0, "{:?}", writes(&rolling.world));
    rolling.ok(&["--yes"]);
    rolling.assert_whole();
}

/// Runs a command whose reader has gone before it says anything.
fn unread(world: &World, args: &[&str]) -> (i32, String) {
    let mut command = world.command(args);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let run = ended(child);
    (run.code, run.stderr)
}

#[test]
fn a_reader_that_goes_stops_nothing_and_the_exit_code_is_true() {
    let world = World::bare("unread");
    world.zone("example.com", "Z1");
    let file = world.write("specs.yaml", &whole_specs());
    let key = world.write("id_rsa.pub", SSH_KEY);
    let done = |args: &[&str]| {
        let (code, stderr) = unread(&world, args);
        assert_eq!(code, 0, "{args:?}: {stderr}");
    };
    done(&["create", "-f", &file]);
    done(&["create", "secret", "sshpublickey", "admin", "-i", &key, "--name", NAME]);
    done(&["replace", "-f", &file]);
    done(&["set", "ig", "nodes", "spec.maxSize=2", "--name", NAME]);
    let kept = world.ok(&["get", "ig", "nodes", "--name", NAME, "-o", "yaml"]).stdout;
    assert!(kept.contains("maxSize: 2"), "{kept}");
    assert_eq!(unread(&world, &["update", "cluster", NAME, "--detailed-exitcode"]).0, 2);
    assert_eq!(unread(&world, &["update", "cluster", "no.example.com", "--yes"]).0, 1);
    done(&["update", "cluster", NAME, "--yes"]);
    world.assert_settled(NAME, &[]);
    assert_eq!(vpcs(&world), 1);
    done(&["delete", "cluster", NAME, "--yes"]);
    assert_eq!(vpcs(&world), 0);
    assert_eq!(objects(&world), BTreeMap::new());

    let args = [
        "create", "cluster", NAME, "--zones", "us-west-2a", "--image", "ami-10100000",
        "--ssh-public-key", &key, "--yes",
    ];
    let (code, stderr) = unread(&world, &args);
    let is_built = vpcs(&world) == 1;
    assert_eq!(code == 0, is_built, "{stderr}");
}
