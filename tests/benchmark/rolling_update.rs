//! How long 100 nodes take, in the time of the simulator: beside what arithmetic allows at
//! the least, and beside kops' way.
//!
//! usage: cargo bench --profile dev --features simulated-clock --bench rolling_update

#[allow(dead_code)]
#[path = "../e2e/harness.rs"]
mod harness;
#[allow(dead_code)]
#[path = "../e2e/rolling.rs"]
mod rolling;
#[allow(dead_code, unused_imports)]
#[path = "../e2e/simulated/mod.rs"]
mod simulated;

use rolling::Rolling;
use simulated::PACE;

/// Four groups of 25 nodes.
const GROUPS: usize = 4;
const NODES: usize = 25;

/// How long Auto Scaling takes to see that an instance is missing (`tests/sandbox/life.py`).
const REACT: i64 = 5;

/// From the moment that an instance is missing until another serves.
const REPLACED: i64 = REACT + PACE.boot + PACE.join + PACE.ready + PACE.start;

/// The least that a group can take: waves of so many instances, each of which boots, is
/// drained, and is seen to be valid twice.
fn bound(surge: usize) -> i64 {
    let validate = 2 * 5;
    let waves = NODES.div_ceil(surge) as i64;
    waves * (REPLACED + PACE.grace + validate)
}

/// The same by kops' current loop (`pkg/instancegroups/instancegroups.go`), with its defaults:
/// it detaches one, then the rest of the surge, and validates after each (every 30 seconds
/// until valid, and again after 10); then drains so many at once, waits 5 seconds, terminates,
/// waits 15 seconds, and validates before it drains the next.
fn kops(surge: usize) -> i64 {
    let validated = |from: i64| {
        let left = (REPLACED - from).max(0);
        (left + 29) / 30 * 30 + 10
    };
    let interval = 15;
    let detach = interval + validated(interval);
    let detaches = if surge > 1 { 2 * detach } else { detach };
    let drain = PACE.grace + 5 + interval;
    let replaced_in_place = (NODES - surge).div_ceil(surge) as i64;
    // What was detached goes last, and nothing comes in its place.
    detaches + replaced_in_place * (drain + validated(interval)) + drain + 10
}

fn main() {
    println!("100 nodes in {GROUPS} groups of {NODES}; a new node serves after {REPLACED} s.");
    println!("maxSurge  groups at once  kapstan  lower bound  kops (in series)  replaced");
    for (surge, instances) in [("25%", 7), ("10%", 3), ("1", 1)] {
        for at_once in [GROUPS, 1] {
            let more = format!("  rollingUpdate: {{maxSurge: {surge}}}\n");
            let names = ["nodes-a", "nodes-b", "nodes-c", "nodes-d"];
            let groups = names.map(|name| (name, NODES, more.as_str()));
            let test = format!("bench_{instances}_{at_once}");
            let rolling = Rolling::new(&test, 1, &groups);
            let began = rolling.simulation.cluster().now;
            let at_once_text = at_once.to_string();
            rolling.ok(&[
                "--yes", "--instance-group-roles", "node", "--max-parallel-groups", &at_once_text,
            ]);
            let took = rolling.simulation.cluster().now - began;
            let rounds = GROUPS.div_ceil(at_once) as i64;
            println!(
                "{surge:>8}  {at_once:>14}  {:>7}  {:>11}  {:>16}  {:>8}",
                minutes(took),
                minutes(rounds * bound(instances)),
                minutes(GROUPS as i64 * kops(instances)),
                GROUPS * NODES,
            );
        }
    }
}

fn minutes(seconds: i64) -> String {
    format!("{}:{:02}", seconds / 60, seconds % 60)
}
