//! What someone changed in AWS by hand: shown, and mended.

use crate::harness::{STRICT, World, actions, change, specs, trust, wait};
use serde_json::json;

const NAME: &str = "dev.example.com";
const ROLE: &str = "nodes.dev.example.com";

fn settled(test: &str) -> World {
    let world = World::with(test, &specs(NAME, STRICT));
    world.apply(NAME);
    world
}

fn mended(world: &World) {
    world.apply(NAME);
    world.assert_settled(NAME, &[]);
}

#[test]
fn a_changed_trust_policy_is_mended() {
    let world = settled("drift_trust");
    let call = world.iam().update_assume_role_policy().role_name(ROLE);
    wait(call.policy_document(trust("lambda.amazonaws.com").to_string()).send()).unwrap();
    let plan = world.plan(NAME, &[]);
    assert_eq!(actions(&plan), ["update IAMRole/nodes.dev.example.com"]);
    let lost = &change(&plan, "IAMRole/nodes.dev.example.com")["permissions"]["lost"];
    assert_eq!(lost[0]["Principal"], json!({"Service": "lambda.amazonaws.com"}));
    insta::assert_snapshot!(
        "drift_trust",
        world.neutral(&world.ok(&["update", "cluster", NAME]).stdout)
    );
    mended(&world);
}

#[test]
fn missing_tags_are_added_and_others_left() {
    let world = settled("drift_tags");
    let iam = world.iam();
    wait(iam.untag_role().role_name(ROLE).tag_keys("Name").send()).unwrap();
    let tag = aws_sdk_iam::types::Tag::builder().key("team").value("web").build().unwrap();
    wait(iam.tag_role().role_name(ROLE).tags(tag).send()).unwrap();
    wait(
        iam.untag_instance_profile()
            .instance_profile_name(ROLE)
            .tag_keys("KubernetesCluster")
            .send(),
    )
    .unwrap();
    let plan = world.plan(NAME, &[]);
    assert_eq!(
        actions(&plan),
        ["update IAMRole/nodes.dev.example.com", "update IAMInstanceProfile/nodes.dev.example.com",]
    );
    assert_eq!(
        change(&plan, "IAMRole/nodes.dev.example.com")["fields"],
        json!([{"field": "tags[\"Name\"]", "before": null, "after": ROLE}])
    );
    mended(&world);
    let role = wait(iam.get_role().role_name(ROLE).send()).unwrap().role.unwrap();
    assert!(role.tags().iter().any(|tag| tag.key() == "team"));
}

#[test]
fn a_profile_with_another_role_gets_its_own_back() {
    let world = settled("drift_profile");
    world.foreign_profile("other", "other");
    let iam = world.iam();
    let remove = iam.remove_role_from_instance_profile().instance_profile_name(ROLE);
    wait(remove.role_name(ROLE).send()).unwrap();
    assert_eq!(
        actions(&world.plan(NAME, &[])),
        ["create IAMInstanceProfileRole/nodes.dev.example.com"]
    );
    let add = iam.add_role_to_instance_profile().instance_profile_name(ROLE);
    wait(add.role_name("other").send()).unwrap();
    let plan = world.plan(NAME, &[]);
    assert_eq!(
        change(&plan, "IAMInstanceProfileRole/nodes.dev.example.com")["fields"],
        json!([{"field": "role", "before": "other", "after": ROLE}])
    );
    mended(&world);
}

#[test]
fn iam_diff_shows_policies_only_and_changes_nothing() {
    let world = settled("iam_diff");
    wait(
        world
            .iam()
            .untag_instance_profile()
            .instance_profile_name(ROLE)
            .tag_keys("KubernetesCluster")
            .send(),
    )
    .unwrap();
    let run = world.ok(&["iam", "diff", NAME]);
    assert_eq!(run.stdout, "dev.example.com: nothing to do; 4 resources are as wanted.\n");
    world.ok(&["set", "cluster", NAME, "spec.iam.allowContainerRegistry=true"]);
    world.forget_calls();
    let run = world.ok(&["iam", "diff", NAME]);
    assert!(run.stdout.contains("+ Allow  ecr:BatchCheckLayerAvailability"), "{}", run.stdout);
    assert_eq!(world.iam_writes(), [""; 0]);
}
