//! An apply that fails, is interrupted or is killed, and the run that finishes the job.

use std::time::{Duration, Instant};

use crate::harness::{Run, STRICT, World, group, specs};
use serde_json::json;

const NAME: &str = "dev.example.com";

/// Specs with something of each kind of write: roles, policies, an additional one.
fn rich() -> String {
    let policies = "  additionalPolicies:
    node: '[{\"Effect\": \"Allow\", \"Action\": \"es:*\", \"Resource\": \"*\"}]'\n";
    let bastion = group(NAME, "bastions", "Bastion", "");
    [specs(NAME, &format!("{STRICT}{policies}")), bastion].join("---\n")
}

fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn killed_at_any_write_the_next_run_converges() {
    let world = World::with("killed_counts", &rich());
    world.apply(NAME);
    let writes = world.iam_writes().len();
    assert_eq!(writes, 13, "3 roles, 4 policies, 3 profiles, 3 roles into profiles");
    for hold in ["before", "after"] {
        for nth in 1..=writes {
            let world = World::with(&format!("killed_{hold}_{nth}"), &rich());
            world.rules(json!([{"operation": "^iam:", "write": true, "nth": nth, "hold": hold}]));
            let mut child = world
                .command(&["update", "cluster", NAME, "--yes"])
                .stdout(std::process::Stdio::null())
                .stderr(std::process::Stdio::null())
                .spawn()
                .unwrap();
            wait_until("a write is held", || world.held() == 1);
            world.kill(&mut child, NAME);
            world.apply(NAME);
            world.assert_settled(NAME, &[]);
        }
    }
}

#[test]
fn a_failure_tells_what_was_done_and_a_second_run_finishes() {
    let world = World::with("failure", &specs(NAME, STRICT));
    world.rules(json!([{
        "operation": "iam:PutRolePolicy", "object": "PolicyName=masters", "error": "LimitExceeded",
        "message": "Too many of them",
    }]));
    let run = world.run(&["update", "cluster", NAME, "--yes"]);
    assert_eq!(run.code, 1);
    assert!(run.stdout.contains("  failed     IAMRolePolicy/masters.dev.example.com"), "{run:#?}");
    assert!(
        world
            .neutral(&run.stdout)
            .contains("To finish, run again: kapstan update cluster dev.example.com --yes")
    );
    assert!(
        run.stderr.ends_with(
            "error: IAMRolePolicy/masters.dev.example.com: iam:PutRolePolicy of \
             masters.dev.example.com in masters.dev.example.com failed: LimitExceeded: Too many of \
             them\n"
        ),
        "{}",
        run.stderr
    );
    world.rules(json!([]));
    world.apply(NAME);
    world.assert_settled(NAME, &[]);
}

#[test]
fn what_depends_on_a_failure_is_not_begun() {
    let world = World::with("dependants", &specs(NAME, STRICT));
    world.rules(json!([{"operation": "iam:CreateRole", "error": "AccessDenied"}]));
    let run = world.run(&["update", "cluster", NAME, "--yes", "-o", "json"]);
    assert_eq!(run.code, 1);
    let report: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    let not_begun = report["result"]["notBegun"].as_array().unwrap();
    for id in
        ["IAMRolePolicy/nodes.dev.example.com", "IAMInstanceProfileRole/nodes.dev.example.com"]
    {
        assert!(not_begun.iter().any(|n| n == id), "{report:#}");
    }
    assert_eq!(report["result"]["complete"], false);
    assert!(world.iam_writes().iter().all(|operation| operation != "PutRolePolicy"));
}

#[test]
fn an_interrupt_finishes_the_step_in_hand() {
    let world = World::with("interrupt", &specs(NAME, STRICT));
    world.rules(json!([{"operation": "iam:CreateRole", "delay": 3}]));
    let child = world
        .command(&["update", "cluster", NAME, "--yes"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    wait_until("writes begin", || !world.iam_writes().is_empty());
    let interrupt =
        std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(interrupt.unwrap().success());
    let run = Run::from(child.wait_with_output().unwrap());
    assert_eq!(run.code, 1, "{run:#?}");
    assert!(run.stdout.contains("Interrupted; what was under way has been finished."), "{run:#?}");
    assert!(run.stdout.contains("not begun  IAMRolePolicy/nodes.dev.example.com"), "{run:#?}");
    assert!(run.stderr.contains("IAMRole/nodes.dev.example.com created"), "{run:#?}");
    world.rules(json!([]));
    world.apply(NAME);
    world.assert_settled(NAME, &[]);
}

#[test]
fn a_new_profile_is_waited_for() {
    let world = World::with("visible", &specs(NAME, STRICT));
    // The first looks at the plan's time find nothing; then IAM lags twice more.
    let lag = |nth| {
        json!({
            "operation": "iam:GetInstanceProfile$", "object": "InstanceProfileName=nodes",
            "nth": nth, "error": "NoSuchEntity", "status": 404,
        })
    };
    world.rules(json!([lag(2), lag(3)]));
    world.forget_calls();
    world.apply(NAME);
    let calls = world.calls();
    let added = calls.iter().position(|c| c.operation == "AddRoleToInstanceProfile").unwrap();
    assert!(added > 0);
    let looks = calls.iter().filter(|call| call.operation == "GetInstanceProfile").count();
    assert_eq!(looks, 2 + 1 + 3, "two to plan, one for masters, three for nodes");
    world.assert_settled(NAME, &[]);
}

#[test]
fn what_is_not_seen_yet_is_asked_again() {
    let world = World::with("not_seen_yet", &specs(NAME, STRICT));
    let unseen = |nth| {
        json!({
            "operation": "iam:PutRolePolicy", "object": "PolicyName=nodes", "nth": nth,
            "error": "NoSuchEntity", "status": 404,
        })
    };
    world.rules(json!([unseen(1), unseen(2)]));
    world.apply(NAME);
    world.assert_settled(NAME, &[]);
}

#[test]
fn throttling_is_waited_out() {
    let world = World::with("throttled", &specs(NAME, STRICT));
    let throttle = |operation: &str, nth: usize| {
        json!({
            "operation": operation, "nth": nth, "error": "Throttling", "message": "Rate exceeded",
        })
    };
    world.rules(json!([
        throttle("iam:GetRole$", 1),
        throttle("iam:GetRole$", 2),
        throttle("iam:CreateRole", 1),
        throttle("iam:PutRolePolicy", 2),
    ]));
    world.apply(NAME);
    world.assert_settled(NAME, &[]);
}
