//! `spec.additionalPolicies`: added, changed, removed, and refused where it is wrong.

use crate::harness::{STRICT, World, actions, change, pairs, specs};
use serde_json::json;

const NAME: &str = "dev.example.com";
const POLICY: &str = "IAMRolePolicy/additional.nodes.dev.example.com";

fn with(policies: &str) -> String {
    specs(NAME, &format!("{STRICT}  additionalPolicies:\n{policies}"))
}

#[test]
fn an_additional_policy_is_added_changed_and_removed() {
    let world = World::with("additional", &specs(NAME, STRICT));
    world.apply(NAME);

    world.replace(&with(
        "    node: |
      [
        {\"Sid\": \"Tables\", \"Effect\": \"Allow\", \"Action\": \"dynamodb:*\", \"Resource\": \"*\"},
        {\"Effect\": \"Deny\", \"NotAction\": [\"es:Get*\"], \"NotResource\": \"arn:aws:es:::x\",
         \"Condition\": {\"Bool\": {\"aws:SecureTransport\": \"false\"}}}
      ]
",
    ));
    let plan = world.plan(NAME, &[]);
    assert_eq!(actions(&plan), [format!("create {POLICY}")]);
    insta::assert_snapshot!(
        "additional_added",
        world.neutral(&world.ok(&["update", "cluster", NAME]).stdout)
    );
    world.apply(NAME);
    world.assert_settled(NAME, &[]);
    let live = world.policy("nodes.dev.example.com", "additional.nodes.dev.example.com").unwrap();
    assert_eq!(
        live["Statement"],
        json!([
            {"Sid": "Tables", "Effect": "Allow", "Action": "dynamodb:*", "Resource": "*"},
            {"Effect": "Deny", "NotAction": ["es:Get*"], "NotResource": "arn:aws:es:::x",
             "Condition": {"Bool": {"aws:SecureTransport": "false"}}},
        ])
    );

    world.replace(&with(
        "    node: |
      [{\"Effect\": \"Allow\", \"Action\": [\"dynamodb:GetItem\", \"dynamodb:*\"], \"Resource\": [\"*\"]}]
",
    ));
    let plan = world.plan(NAME, &[]);
    assert_eq!(actions(&plan), [format!("update {POLICY}")]);
    assert_eq!(pairs(&plan, POLICY, "gained"), ["dynamodb:GetItem *"]);
    let lost = &change(&plan, POLICY)["permissions"]["lost"];
    assert_eq!(lost[0]["Effect"], "Deny");
    world.apply(NAME);

    world.ok(&["unset", "cluster", NAME, "spec.additionalPolicies.node"]);
    let plan = world.plan(NAME, &[]);
    assert_eq!(actions(&plan), [format!("delete {POLICY}")]);
    assert_eq!(pairs(&plan, POLICY, "lost"), ["dynamodb:* *", "dynamodb:GetItem *"]);
    world.apply(NAME);
    world.assert_settled(NAME, &[]);
    assert_eq!(world.policy("nodes.dev.example.com", "additional.nodes.dev.example.com"), None);
}

#[test]
fn each_role_has_an_additional_policy_of_its_own() {
    let statement = "'[{\"Effect\": \"Allow\", \"Action\": \"es:*\", \"Resource\": \"*\"}]'";
    let both = format!("    node: {statement}\n    master: {statement}\n");
    let world = World::with("additional_roles", &with(&both));
    world.apply(NAME);
    for role in ["nodes.dev.example.com", "masters.dev.example.com"] {
        assert!(world.policy(role, &format!("additional.{role}")).is_some());
    }
}

#[test]
fn what_is_wrong_is_refused_with_its_place() {
    let world = World::new("additional_wrong");
    for (name, policies) in [
        (
            "additional_malformed",
            "    node: |\n      [\n        {\"Effect\": \"Allow\",\n      ]\n",
        ),
        (
            "additional_incomplete",
            "    node: |\n      [\n        {\"Action\": \"es:*\", \"Resource\": \"*\"},\n        {\"Effect\": \"Allow\", \"Resource\": \"*\"}\n      ]\n",
        ),
        (
            "additional_misspelt",
            "    nodes: '[]'\n    master: |\n      [{\"Effect\": \"Allow\", \"Action\": \"es:*\", \"Resources\": \"*\"}]\n",
        ),
        (
            "additional_principal",
            "    bastion: |\n      [{\"Effect\": \"Allow\", \"Principal\": \"*\", \"Action\": \"es:*\", \"Resource\": \"*\"}]\n",
        ),
    ] {
        let file = world.write("specs.yaml", &with(policies));
        insta::assert_snapshot!(name, world.neutral(&world.fails(&["create", "-f", &file])));
    }
    assert_eq!(world.ok(&["get", "clusters", "-o", "name"]).stdout, "", "nothing was kept");
}
