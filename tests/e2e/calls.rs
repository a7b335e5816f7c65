//! What a plan costs: how many calls, and how many rounds deep.

use crate::harness::{Call, STRICT, World, group, specs, wait};
use serde_json::json;

const NAME: &str = "dev.example.com";

/// The calls of a plan for settled masters and nodes.
const SETTLED: [&str; 7] = [
    "GetCallerIdentity 1", "GetInstanceProfile 2", "GetRole 2", "GetRolePolicy 2",
    "ListAttachedRolePolicies 2", "ListHostedZones 1", "ListRolePolicies 2",
];

/// Whose the credentials are is asked before anything else: what must not be looked at with them is
/// not looked at.
const BEHIND: usize = 1;

/// How many calls follow one upon the other: each waits for the answers of those before.
fn rounds(calls: &[Call]) -> usize {
    let mut depths: Vec<usize> = Vec::new();
    for call in calls {
        let before = calls.iter().zip(&depths).filter(|(other, _)| other.ended <= call.started);
        let depth = 1 + before.map(|(_, depth)| *depth).max().unwrap_or(0);
        depths.push(depth);
    }
    depths.into_iter().max().unwrap_or(0)
}

/// The calls of a plan by operation, and its rounds; the state store's are left out.
fn plan_calls(world: &World) -> (Vec<String>, usize) {
    // Each answer takes so long that calls sent together overlap for certain.
    world.rules(json!([{"operation": "^(iam|sts|route53):", "delay": 1.0}]));
    world.forget_calls();
    world.run(&["update", "cluster", NAME]);
    world.rules(json!([]));
    let calls: Vec<Call> = world.calls().into_iter().filter(|call| call.service != "s3").collect();
    let mut operations: Vec<String> = calls.iter().map(|call| call.operation.clone()).collect();
    operations.sort();
    let mut counted: Vec<String> = Vec::new();
    for operation in &operations {
        let count = operations.iter().filter(|other| *other == operation).count();
        let line = format!("{operation} {count}");
        if !counted.contains(&line) {
            counted.push(line);
        }
    }
    (counted, rounds(&calls))
}

#[test]
fn a_plan_takes_one_identity_call_and_two_rounds_behind_it() {
    let world = World::with("calls", &specs(NAME, STRICT));
    let (calls, rounds) = plan_calls(&world);
    assert_eq!(
        calls,
        [
            "GetCallerIdentity 1", "GetInstanceProfile 2", "GetRole 2",
            "ListAttachedRolePolicies 2", "ListHostedZones 1", "ListRolePolicies 2",
        ]
    );
    assert_eq!(rounds, BEHIND + 1, "nothing is there yet");
    world.apply(NAME);
    let (calls, rounds) = plan_calls(&world);
    assert_eq!(calls, SETTLED);
    assert_eq!(rounds, BEHIND + 2);
}

#[test]
fn calls_do_not_grow_with_groups() {
    let mut all = specs(NAME, STRICT);
    for number in 0..20 {
        all.push_str("---\n");
        all.push_str(&group(NAME, &format!("nodes-{number}"), "Node", ""));
    }
    let world = World::with("calls_groups", &all);
    world.apply(NAME);
    let (calls, rounds) = plan_calls(&world);
    assert_eq!(calls, SETTLED);
    assert_eq!(rounds, BEHIND + 2);
}

#[test]
fn an_existing_profile_takes_three_rounds() {
    let profile = "  iam: {profile: 'arn:aws:iam::123456789012:instance-profile/org-nodes'}\n";
    let all = [
        crate::harness::cluster(NAME, STRICT),
        group(NAME, "masters", "Master", ""),
        group(NAME, "nodes", "Node", profile),
    ];
    let world = World::with("calls_existing", &all.join("---\n"));
    world.foreign_profile("org-nodes", "org-role");
    let own = json!([{"Effect": "Allow", "Action": "es:*", "Resource": "*"}]);
    world.put_policy("org-role", "own", &crate::harness::document(own));
    world.apply(NAME);
    let (calls, rounds) = plan_calls(&world);
    assert_eq!(
        calls,
        [
            "GetCallerIdentity 1", "GetInstanceProfile 2", "GetRole 2", "GetRolePolicy 2",
            "ListAttachedRolePolicies 2", "ListHostedZones 1", "ListRolePolicies 2",
        ]
    );
    assert_eq!(rounds, BEHIND + 3);
}

/// What is attached must be known before it can be read, and which version is in force before that.
#[test]
fn managed_policies_take_a_round_more_and_are_read_once() {
    let world = World::with("calls_managed", &specs(NAME, STRICT));
    world.apply(NAME);
    let says =
        crate::harness::document(json!([{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]));
    let call = world.iam().create_policy().policy_name("team").policy_document(says.to_string());
    let arn = wait(call.send()).unwrap().policy.unwrap().arn.unwrap();
    for role in ["masters", "nodes"] {
        let call = world.iam().attach_role_policy().role_name(format!("{role}.{NAME}"));
        wait(call.policy_arn(&arn).send()).unwrap();
    }
    let (calls, rounds) = plan_calls(&world);
    let more = ["GetPolicy 1".to_owned(), "GetPolicyVersion 1".to_owned()];
    let mut expected: Vec<String> =
        SETTLED.iter().map(|call| (*call).to_owned()).chain(more).collect();
    expected.sort();
    assert_eq!(calls, expected);
    assert_eq!(rounds, BEHIND + 3);
}

#[test]
fn what_is_ignored_is_not_asked_for() {
    let world = World::with("calls_ignored", &specs(NAME, STRICT));
    world.forget_calls();
    world.ok(&["update", "cluster", NAME, "--phase", "network"]);
    let operations: Vec<String> = world
        .calls()
        .into_iter()
        .filter(|call| call.service != "s3")
        .map(|call| call.operation)
        .collect();
    assert_eq!(operations, ["GetCallerIdentity"]);
}
