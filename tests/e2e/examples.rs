//! The specs in `examples/` do what their comments say.

use crate::harness::{World, actions};

#[test]
fn the_examples_settle() {
    let world = World::new("examples");
    world.zone("example.com", "Z1");
    world.create(include_str!("../../examples/strict.yaml"));
    world.create(include_str!("../../examples/additional-policies.yaml"));
    for name in ["dev.example.com", "old.example.com"] {
        world.apply(name);
        world.assert_settled(name, &[]);
    }
    let additional = world.policy("nodes.old.example.com", "additional.nodes.old.example.com");
    assert_eq!(additional.unwrap()["Statement"][0]["Sid"], "Tables");

    world.foreign_profile("kops-custom-node-role", "org-node-role");
    world.create(include_str!("../../examples/existing-profile.yaml"));
    world.forget_calls();
    world.apply("dev.example.com");
    assert_eq!(world.iam_writes(), [""; 0]);
    let plan = world.plan("dev.example.com", &[]);
    assert_eq!(actions(&plan), ["leave IAMRolePolicy/org-node-role"]);
}
