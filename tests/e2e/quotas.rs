//! What IAM would refuse for its size is refused before the first write.

use crate::harness::{STRICT, World, document, group, specs, wait};
use serde_json::json;

const NAME: &str = "dev.example.com";

fn additional(role: &str, statements: usize) -> String {
    let statements: Vec<String> = (0..statements)
        .map(|number| {
            format!(
                "{{\"Sid\": \"Bucket{number}\", \"Effect\": \"Allow\", \"Action\": \"s3:GetObject\", \
                 \"Resource\": \"arn:aws:s3:::a-bucket-with-a-name-that-is-rather-long-{number}/*\"}}"
            )
        })
        .collect();
    format!("  additionalPolicies:\n    {role}: '[{}]'\n", statements.join(", "))
}

#[test]
fn policies_that_are_too_large_together_are_refused_before_the_first_write() {
    let world = World::with("quota", &specs(NAME, &format!("{STRICT}{}", additional("node", 80))));
    let run = world.run(&["update", "cluster", NAME, "--yes"]);
    assert_eq!(run.code, 1);
    assert_eq!(world.iam_writes(), [""; 0]);
    insta::assert_snapshot!("quota", world.neutral(&run.stderr));
}

#[test]
fn policies_made_by_hand_count_too() {
    let world =
        World::with("quota_foreign", &specs(NAME, &format!("{STRICT}{}", additional("node", 40))));
    world.apply(NAME);
    let resources: Vec<String> =
        (0..60).map(|n| format!("arn:aws:s3:::another-bucket-{n}/*")).collect();
    let own =
        document(json!([{"Effect": "Allow", "Action": "s3:GetObject", "Resource": resources}]));
    world.put_policy("nodes.dev.example.com", "by-hand", &own);
    // Nothing changes, so nothing is refused.
    world.assert_settled_but(NAME, &[], &["! IAMRolePolicy/by-hand"]);
    world.replace(&specs(NAME, &format!("{STRICT}{}", additional("node", 65))));
    world.forget_calls();
    let said = world.fails(&["update", "cluster", NAME, "--yes"]);
    assert!(said.contains("by-hand "), "{said}");
    assert_eq!(world.iam_writes(), [""; 0]);
}

#[test]
fn names_that_are_too_long_are_shortened_as_kops_does_it() {
    let name = format!("{}.example.com", "a".repeat(50));
    let world = World::new("quota_names");
    world.zone("example.com", "Z1");
    world.create(&specs(&name, STRICT));
    world.apply(&name);
    world.assert_settled(&name, &[]);
    let roles = world.iam().list_roles().send();
    for role in wait(roles).unwrap().roles() {
        // Its first 57 characters, and a hash of the whole.
        let (begin, hash) = role.role_name().rsplit_once('-').unwrap();
        assert_eq!((begin.len(), hash.len()), (57, 6), "{}", role.role_name());
    }
}

#[test]
fn a_policy_that_just_fits_is_written() {
    let world = World::with(
        "quota_fits",
        &[
            specs(NAME, &format!("{STRICT}{}", additional("bastion", 72))),
            group(NAME, "bastions", "Bastion", ""),
        ]
        .join("---\n"),
    );
    world.apply(NAME);
    world.assert_settled(NAME, &[]);
}

/// A role may not hold too much even for a moment, and both policies are written at once
/// unless something holds the growing one back.
#[test]
fn policies_shrink_before_others_grow() {
    const ROLE: &str = "nodes.dev.example.com";
    let world = World::with("quota_order", &specs(NAME, STRICT));
    world.apply(NAME);
    let resources: Vec<String> = (0..280).map(|n| format!("arn:aws:s3:::a-bucket-{n}/*")).collect();
    let large =
        document(json!([{"Effect": "Allow", "Action": "s3:GetObject", "Resource": resources}]));
    world.put_policy(ROLE, ROLE, &large);
    world.replace(&specs(NAME, &format!("{STRICT}{}", additional("node", 50))));
    let plan = world.plan(NAME, &[]);
    assert_eq!(
        crate::harness::actions(&plan),
        [format!("update IAMRolePolicy/{ROLE}"), format!("create IAMRolePolicy/additional.{ROLE}")]
    );
    world
        .rules(json!([{"operation": "PutRolePolicy", "object": "PolicyName=nodes", "delay": 0.5}]));
    world.apply(NAME);
    world.assert_settled(NAME, &[]);
}
