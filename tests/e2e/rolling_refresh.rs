//! `--engine instance-refresh`: what AWS is asked, and how it is followed and cancelled.

use std::process::Stdio;

use serde_json::json;

use crate::rolling::{NAME, Rolling};

const ENGINE: [&str; 3] = ["--yes", "--engine", "instance-refresh"];
const NODES: &[(&str, usize, &str)] = &[("nodes", 4, "")];

fn with<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&ENGINE[..], more].concat()
}

#[test]
fn groups_of_nodes_are_handed_to_aws_and_followed_to_the_end() {
    let rolling = Rolling::new("refresh_whole", 1, NODES);
    rolling.simulation.cluster().requests = 0;
    let args = ["--checkpoint-percentages", "50,100", "--checkpoint-delay", "5m"];
    let run = rolling.ok(&with(&args));
    assert!(run.stdout.contains("nodes.roll.example.com: refreshed"), "{}", run.stdout);
    assert!(run.stderr.contains("InProgress, 50% done, 2 left"), "{}", run.stderr);
    assert!(run.stderr.contains("master-a needs an update too, but masters are not handed to AWS"));
    assert_eq!(rolling.simulation.cluster().requests, 0);
    let report = rolling.report();
    assert_eq!(report["groups"][0]["needsUpdate"], 1);
    assert_eq!(report["groups"][1]["needsUpdate"], 0);
    assert_eq!(rolling.most("nodes"), 4);
}

#[test]
fn a_refresh_that_is_left_is_followed_again_and_cancelled() {
    let rolling = Rolling::new("refresh_left", 1, NODES);
    rolling.simulation.hold_at_wait(Some(4));
    let mut child =
        rolling.command(&ENGINE).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    assert!(rolling.simulation.is_held(&mut child));
    rolling.world.kill(&mut child, crate::rolling::NAME);
    rolling.simulation.hold_at_wait(None);
    let run = rolling.ok(&with(&["--cancel"]));
    assert!(run.stdout.contains("its refresh is being cancelled"), "{}", run.stdout);
    let said = rolling.fails(&ENGINE);
    assert!(said.contains("is under way already"), "{said}");
    assert!(said.contains("Cancelled: Cancelled due to user request."), "{said}");
    // What is as wanted already is left as it is.
    rolling.world.forget_calls();
    rolling.ok(&ENGINE);
    let calls = rolling.world.calls();
    let starts = calls.iter().filter(|call| call.operation == "StartInstanceRefresh");
    assert_eq!(starts.count(), 1);
    assert_eq!(rolling.report()["groups"][1]["needsUpdate"], 0);
}

#[test]
fn a_refresh_that_aws_cannot_carry_out_tells_why() {
    let rolling = Rolling::new("refresh_fails", 1, NODES);
    rolling.world.rules(json!([{
        "operation": "StartInstanceRefresh", "error": "ValidationError",
        "message": "The launch template is not usable",
    }]));
    let said = rolling.fails(&ENGINE);
    assert!(said.contains("StartInstanceRefresh"), "{said}");
    assert!(said.contains("The launch template is not usable"), "{said}");
    assert!(said.contains(&format!("nodes.{NAME}")), "{said}");
}
