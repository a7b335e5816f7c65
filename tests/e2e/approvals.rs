//! What was approved is what is applied: fingerprints of plans, and policies that were changed
//! between the look and the write.

use std::process::{Child, Stdio};

use serde_json::{Value as Json, json};

use crate::harness::{Run, STRICT, World, cluster, document, group, specs, trust, wait};

const NAME: &str = "dev.example.com";
const ROLE: &str = "nodes.dev.example.com";
const UPDATE: [&str; 4] = ["update", "cluster", NAME, "--yes"];

fn fingerprint(world: &World) -> String {
    world.plan(NAME, &[])["fingerprint"].as_str().unwrap().to_owned()
}

fn expecting(world: &World, fingerprint: &str) -> Run {
    world.run(&[&UPDATE[..], &["--expect-plan", fingerprint]].concat())
}

#[test]
fn a_plan_is_told_by_one_fingerprint_as_long_as_it_is_the_same() {
    let world = World::with("approve_same", &specs(NAME, STRICT));
    let first = fingerprint(&world);
    assert_eq!(first, fingerprint(&world));
    let text = world.ok(&["update", "cluster", NAME]);
    assert!(text.stderr.contains(&format!("--yes --expect-plan {first}")), "{text:#?}");
    let run = expecting(&world, &first);
    assert_eq!(run.code, 0, "{run:#?}");
    world.assert_settled(NAME, &[]);
}

#[test]
fn a_plan_that_is_another_than_the_approved_one_is_not_applied() {
    let world = World::with("approve_other", &specs(NAME, STRICT));
    let first = fingerprint(&world);
    // A spec that says something else, of which AWS does not get to know.
    world.ok(&["set", "ig", "nodes", "spec.maxSize=2", "--name", NAME]);
    let second = fingerprint(&world);
    world.forget_calls();
    let run = expecting(&world, &first);
    assert_eq!(run.code, 1, "{run:#?}");
    for told in [&*first, &*second, "Nothing was changed"] {
        assert!(run.stderr.contains(told), "{told} in {run:#?}");
    }
    assert_eq!(world.iam_writes(), [""; 0]);
    assert_eq!(expecting(&world, &second).code, 0);
    // More rights in the spec, and then another document in AWS.
    let more = "  additionalPolicies: {node: '[{\"Effect\": \"Allow\", \"Action\": \"*\", \
                \"Resource\": \"*\"}]'}\n";
    let reviewed = fingerprint(&world);
    let nodes = group(NAME, "nodes", "Node", "");
    let specs = [cluster(NAME, &format!("{STRICT}{more}")), nodes].join("---\n");
    world.replace(&specs);
    assert_eq!(expecting(&world, &reviewed).code, 1);
    let reviewed = fingerprint(&world);
    world.put_policy(ROLE, ROLE, &deny());
    assert_eq!(expecting(&world, &reviewed).code, 1);
    assert_eq!(world.policy(ROLE, ROLE).unwrap(), deny());
    assert_eq!(expecting(&world, &fingerprint(&world)).code, 0);
}

#[test]
fn a_deletion_that_is_another_than_the_approved_one_does_not_begin() {
    let world = World::with("approve_deletion", &specs(NAME, STRICT));
    world.apply(NAME);
    let told = world.ok(&["delete", "cluster", NAME, "-o", "json"]);
    let told: Json = serde_json::from_str(&told.stdout).unwrap();
    let first = told["fingerprint"].as_str().unwrap();
    let role = format!("masters.{NAME}");
    world.put_policy(&role, "theirs", &deny());
    world.forget_calls();
    let delete = ["delete", "cluster", NAME, "--yes", "--expect-plan", first];
    let said = world.fails(&delete);
    assert!(said.contains(first), "{said}");
    assert_eq!(world.iam_writes(), [""; 0]);
    let call = world.iam().delete_role_policy().role_name(&role).policy_name("theirs");
    wait(call.send()).unwrap();
    world.ok(&delete);
}

fn deny() -> Json {
    document(json!([{"Effect": "Deny", "Action": "*", "Resource": "*"}]))
}

/// Begins an update, and waits until AWS has got a call of it that a rule chooses.
fn begun(world: &World, rule: Json, operation: &str, count: usize) -> Child {
    world.rules(json!([rule]));
    world.forget_calls();
    let mut command = world.command(&UPDATE);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let is_seen = || world.calls().iter().filter(|call| call.operation == operation).count();
    while is_seen() < count && child.try_wait().unwrap().is_none() {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    child
}

fn ended(child: Child) -> Run {
    Run::from(child.wait_with_output().unwrap())
}

/// The nodes' role, with a trust policy that an update is to mend before the policies in it.
fn untrusted(world: &World) {
    let call = world.iam().update_assume_role_policy().role_name(ROLE);
    let document = trust("ecs.amazonaws.com").to_string();
    wait(call.policy_document(document).send()).unwrap();
}

#[test]
fn a_policy_that_was_changed_since_the_plan_is_not_overwritten() {
    let world = World::with("approve_policy", &specs(NAME, STRICT));
    world.apply(NAME);
    let before = document(json!([{"Effect": "Allow", "Action": "ec2:*", "Resource": "*"}]));
    world.put_policy(ROLE, ROLE, &before);
    untrusted(&world);
    let rule = json!({"operation": "iam:UpdateAssumeRolePolicy", "delay": 3});
    let child = begun(&world, rule, "UpdateAssumeRolePolicy", 1);
    world.put_policy(ROLE, ROLE, &deny());
    let run = ended(child);
    assert_eq!(run.code, 1, "{run:#?}");
    assert!(run.stderr.contains("changed since the plan was made"), "{run:#?}");
    assert_eq!(world.policy(ROLE, ROLE).unwrap(), deny());
    world.rules(json!([]));
    world.apply(NAME);
    world.assert_settled(NAME, &[]);
}

#[test]
fn a_policy_that_came_since_the_plan_is_not_overwritten() {
    let world = World::with("approve_new", &specs(NAME, STRICT));
    world.apply(NAME);
    let call = world.iam().delete_role_policy().role_name(ROLE).policy_name(ROLE);
    wait(call.send()).unwrap();
    untrusted(&world);
    let rule = json!({"operation": "iam:UpdateAssumeRolePolicy", "delay": 3});
    let child = begun(&world, rule, "UpdateAssumeRolePolicy", 1);
    world.put_policy(ROLE, ROLE, &deny());
    let run = ended(child);
    assert!(run.code == 1 && run.stderr.contains("changed since the plan was made"), "{run:#?}");
    assert_eq!(world.policy(ROLE, ROLE).unwrap(), deny());
}

#[test]
fn a_policy_that_was_changed_since_the_plan_is_not_deleted() {
    let name = format!("additional.{ROLE}");
    let world = World::with("approve_absent", &specs(NAME, STRICT));
    world.apply(NAME);
    let before = document(json!([{"Effect": "Allow", "Action": "ec2:*", "Resource": "*"}]));
    world.put_policy(ROLE, &name, &before);
    let plan = world.plan(NAME, &[]);
    assert_eq!(plan["summary"]["delete"], 1, "{plan:#}");
    untrusted(&world);
    let rule = json!({"operation": "iam:UpdateAssumeRolePolicy", "delay": 3});
    let child = begun(&world, rule, "UpdateAssumeRolePolicy", 1);
    world.put_policy(ROLE, &name, &deny());
    let run = ended(child);
    assert!(run.code == 1 && run.stderr.contains("changed since the plan was made"), "{run:#?}");
    assert_eq!(world.policy(ROLE, &name).unwrap(), deny());
}

#[test]
fn a_trust_policy_that_was_changed_since_the_plan_is_not_overwritten() {
    let world = World::with("approve_trust", &specs(NAME, STRICT));
    world.apply(NAME);
    untrusted(&world);
    let theirs = trust("lambda.amazonaws.com");
    // The looks of the plan at both roles, and then the one before the write.
    let rule = json!({"operation": "iam:GetRole$", "object": ROLE, "nth": 2, "delay": 3});
    let child = begun(&world, rule, "GetRole", 3);
    let call = world.iam().update_assume_role_policy().role_name(ROLE);
    wait(call.policy_document(theirs.to_string()).send()).unwrap();
    let run = ended(child);
    assert!(run.code == 1 && run.stderr.contains("changed since the plan was made"), "{run:#?}");
    let role = wait(world.iam().get_role().role_name(ROLE).send()).unwrap();
    let text = role.role().unwrap().assume_role_policy_document().unwrap().to_owned();
    assert!(text.contains("lambda.amazonaws.com"), "{text}");
}
