//! Updates that are broken off, at every step: the next run goes on, and nothing is lost.

use std::process::Stdio;

use crate::harness::Run;
use crate::rolling::{NAME, Rolling};
use serde_json::json;

const SMALL: &[(&str, usize, &str)] = &[("nodes", 2, "")];

impl Rolling {
    /// Runs an update until the binary is at its so many-th wait, and kills it there. False
    /// if it ends before that.
    fn is_killed_at_wait(&self, at: usize) -> bool {
        self.simulation.hold_at_wait(Some(at));
        let mut child =
            self.command(&["--yes"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let is_held = self.simulation.is_held(&mut child);
        self.world.kill(&mut child, NAME);
        self.simulation.hold_at_wait(None);
        is_held
    }
}

#[test]
fn killed_at_every_wait_the_next_run_goes_on() {
    // Each run is killed at its next wait but one, so that in all of them together every step
    // is broken off; masters and nodes still go through whole.
    let rolling = Rolling::new("roll_killed", 1, SMALL);
    let mut kills = 0;
    while rolling.is_killed_at_wait(3 + kills % 4) {
        kills += 1;
        assert!(kills < 200, "it comes no further");
    }
    assert!(kills > 10, "{kills}");
    assert_eq!(rolling.fewest("nodes"), 2);
    assert!(rolling.most("nodes") <= 3);
    rolling.assert_whole();
}

#[test]
fn killed_once_at_each_step_it_converges() {
    let mut at = 2;
    loop {
        let rolling = Rolling::new(&format!("roll_killed_at_{at}"), 1, SMALL);
        if !rolling.is_killed_at_wait(at) {
            break;
        }
        rolling.ok(&["--yes"]);
        assert_eq!(rolling.fewest("nodes"), 2, "killed at {at}");
        assert!(rolling.most("nodes") <= 3, "killed at {at}");
        rolling.assert_whole();
        at += 7;
    }
    assert!(at > 40, "{at}");
}

#[test]
fn killed_within_each_write_it_converges() {
    for operation in ["CreateTags", "DetachInstances", "TerminateInstance"] {
        for hold in ["before", "after"] {
            let test = format!("roll_held_{}_{hold}", operation.to_lowercase());
            let rolling = Rolling::new(&test, 1, SMALL);
            rolling.world.rules(json!([{"operation": operation, "nth": 1, "hold": hold}]));
            let mut child = rolling
                .command(&["--yes"])
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            while rolling.world.held() == 0 {
                std::thread::sleep(std::time::Duration::from_millis(20));
                assert!(child.try_wait().unwrap().is_none(), "{test} ended");
            }
            rolling.world.kill(&mut child, NAME);
            rolling.ok(&["--yes"]);
            assert_eq!(rolling.fewest("nodes"), 2, "{test}");
            rolling.assert_whole();
        }
    }
}

#[test]
fn interrupted_it_lets_go_and_says_where_it_stands() {
    let rolling = Rolling::new("roll_interrupted", 1, SMALL);
    // A budget that holds the drain, so that there is something in hand.
    let db = crate::simulated::Workload {
        name: "db",
        replicas: 2,
        budget: Some(2),
        ..crate::rolling::web()
    };
    rolling.simulation.cluster().workloads.push(db);
    rolling.settle();
    rolling.simulation.hold_at_wait(Some(40));
    let mut child = rolling
        .command(&["--yes", "--instance-group", "nodes"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    assert!(rolling.simulation.is_held(&mut child));
    assert_eq!(rolling.simulation.cluster().cordoned(), 1);
    rolling.simulation.hold_at_wait(None);
    let pid = child.id().to_string();
    std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap();
    let run = Run::from(child.wait_with_output().unwrap());
    assert_eq!(run.code, 1, "{run:#?}");
    assert!(run.stderr.contains("nodes: stops: this run was stopped"), "{}", run.stderr);
    assert!(run.stderr.contains("is released"), "{}", run.stderr);
    assert!(run.stderr.contains("stays detached, and serves"), "{}", run.stderr);
    assert!(run.stdout.contains("nodes: stopped after 0 of 2"), "{}", run.stdout);
    assert_eq!(rolling.simulation.cluster().cordoned(), 0);
    rolling.simulation.cluster().workloads.retain(|one| one.name != "db");
    rolling.ok(&["--yes"]);
    rolling.assert_whole();
}
