//! What roles may do that nobody asked kapstan for: told in every plan, and never written unasked.

use crate::harness::{STRICT, World, cluster, document, group, specs, trust, wait};
use serde_json::{Value as Json, json};

const NAME: &str = "dev.example.com";
const NODES: &str = "nodes.dev.example.com";
const MASTERS: &str = "masters.dev.example.com";

fn grants(action: &str) -> Json {
    document(json!([{"Effect": "Allow", "Action": action, "Resource": "*"}]))
}

/// A managed policy of the account; its ARN.
fn managed(world: &World, name: &str, document: &Json) -> String {
    let call = world.iam().create_policy().policy_name(name).policy_document(document.to_string());
    wait(call.send()).unwrap().policy.unwrap().arn.unwrap()
}

fn attach(world: &World, role: &str, arn: &str) {
    wait(world.iam().attach_role_policy().role_name(role).policy_arn(arn).send()).unwrap();
}

fn bound(world: &World, role: &str, arn: &str) {
    let call = world.iam().put_role_permissions_boundary().role_name(role);
    wait(call.permissions_boundary(arn).send()).unwrap();
}

fn settled(test: &str) -> World {
    let world = World::with(test, &specs(NAME, STRICT));
    world.apply(NAME);
    world
}

/// The two that hide best, on one cluster.
fn hidden(test: &str) -> World {
    let world = settled(test);
    world.put_policy(NODES, "debug", &grants("*"));
    attach(&world, MASTERS, &managed(&world, "admin", &grants("iam:*")));
    world
}

/// The lines of a plan that tell of it.
fn told_in(text: &str) -> Vec<&str> {
    text.lines().filter(|line| line.starts_with("  ! ") || line.starts_with("  - ")).collect()
}

#[test]
fn every_plan_tells_it_with_what_it_grants() {
    let world = hidden("beyond");
    let text = world.ok(&["update", "cluster", NAME]).stdout;
    insta::assert_snapshot!("beyond", world.neutral(&text));
    let whole = world.ok(&["update", "cluster", NAME, "-v"]).stdout;
    for said in ["\"Action\": \"*\"", "\"Action\": \"iam:*\""] {
        assert!(whole.contains(said), "{whole}");
    }
    let told = told_in(&text);
    for args in
        [&["iam", "diff", NAME][..], &["update", "cluster", NAME, "--phase", "security"][..]]
    {
        assert_eq!(told_in(&world.ok(args).stdout), told, "{args:?}");
    }
    // Where nothing may go, all of it is told as left.
    let overrides = "IAMRole=ExistsAndWarnIfChanges,IAMRolePolicy=ExistsAndValidates";
    for more in [["--phase", "cluster"], ["--lifecycle-overrides", overrides]] {
        let run = world.ok(&[&["update", "cluster", NAME][..], &more].concat());
        let found = told_in(&run.stdout);
        assert!(found.iter().all(|line| line.starts_with("  ! ")), "{run:#?}");
        assert_eq!(found.len(), told.len(), "{run:#?}");
        assert!(run.stdout.contains("beyond  Allow  iam:*  on *"), "{run:#?}");
    }
    world.forget_calls();
    world.ok(&["update", "cluster", NAME, "--yes"]);
    assert_eq!(world.iam_writes(), [""; 0]);
}

#[test]
fn machines_are_told_too() {
    let world = hidden("beyond_json");
    for args in
        [&["update", "cluster", NAME, "-o", "json"][..], &["iam", "diff", NAME, "-o", "json"]]
    {
        let plan: Json = serde_json::from_str(&world.ok(args).stdout).unwrap();
        let [debug] = &plan["changes"].as_array().unwrap()[..] else { panic!("{plan:#}") };
        assert_eq!(
            (&debug["action"], &debug["id"]),
            (&json!("leave"), &json!("IAMRolePolicy/debug"))
        );
        assert_eq!(debug["permissions"]["lost"][0]["Action"], "*");
        let [admin] = &plan["removals"].as_array().unwrap()[..] else { panic!("{plan:#}") };
        assert!(admin["id"].as_str().unwrap().ends_with(":policy/admin"), "{admin:#}");
        assert_eq!(admin["permissions"]["lost"][0]["Action"], "iam:*");
        assert_eq!(admin["document"]["before"]["Statement"][0]["Action"], "iam:*");
    }
}

#[test]
fn a_profile_of_the_user_s_own_hides_nothing() {
    let profile = "  iam: {profile: 'arn:aws:iam::123456789012:instance-profile/org-nodes'}\n";
    let all = [
        cluster(NAME, STRICT),
        group(NAME, "masters", "Master", ""),
        group(NAME, "nodes", "Node", profile),
        group(NAME, "more", "Node", profile),
    ];
    let world = World::with("beyond_existing", &all.join("---\n"));
    world.foreign_profile("org-nodes", "org-role");
    world.apply(NAME);
    attach(&world, "org-role", &managed(&world, "admin", &grants("iam:*")));
    bound(&world, "org-role", &managed(&world, "fence", &grants("s3:*")));
    let new = json!([{"Sid": "with-dash", "Effect": "Allow", "Action": "*", "Resource": "*"}]);
    world.put_policy("org-role", "hidden", &document(new));
    let wide = json!([trust("ec2.amazonaws.com")["Statement"][0], {
        "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::210987654321:root"},
        "Action": "sts:AssumeRole",
    }]);
    let call = world.iam().update_assume_role_policy().role_name("org-role");
    wait(call.policy_document(document(wide).to_string()).send()).unwrap();
    for args in [&["update", "cluster", NAME][..], &["iam", "diff", NAME]] {
        let text = world.ok(args).stdout;
        for said in [
            "  ! IAMRolePolicy/hidden  inline policy of org-role",
            "not understood, so that it may grant anything",
            "has the managed policy arn:aws:iam::",
            "      beyond  Allow  iam:*  on *",
            "has the permission boundary arn:aws:iam::",
            "      within  Allow  s3:*  on *",
            "210987654321:root",
        ] {
            assert_eq!(text.matches(said).count(), 1, "{said} in {text}");
        }
    }
}

#[test]
fn what_cannot_be_read_is_not_known() {
    let world = hidden("beyond_refused");
    for (call, mark, said) in [
        ("iam:ListAttachedRolePolicies", "  ! ", "which managed policies it has is not known"),
        ("iam:GetPolicy", "  - ", "policy/admin"),
        ("iam:GetPolicyVersion", "  - ", "policy/admin"),
    ] {
        world.rules(json!([{"operation": format!("{call}$"), "error": "AccessDenied"}]));
        for args in [&["update", "cluster", NAME][..], &["iam", "diff", NAME]] {
            let run = world.ok(args);
            let told = told_in(&run.stdout);
            let told = told.iter().any(|line| line.starts_with(mark) && line.contains(said));
            assert!(told, "{said} in {run:#?}");
            assert!(run.stderr.contains("is not known"), "{run:#?}");
            assert!(run.stderr.contains(&format!("; allow {call}")), "{run:#?}");
        }
    }
}

#[test]
fn what_is_left_out_is_said_to_be_unknown() {
    let world = hidden("beyond_ignored");
    for (more, kinds) in [
        (["--phase", "network"], "IAMRole and IAMRolePolicy"),
        (["--lifecycle-overrides", "IAMRole=Ignore"], "IAMRole"),
        (["--lifecycle-overrides", "IAMRolePolicy=Ignore"], "IAMRolePolicy"),
    ] {
        let run = world.ok(&[&["update", "cluster", NAME][..], &more].concat());
        let said = format!("note: {kinds}: not looked at (Ignore), so that it is not known");
        assert!(run.stderr.contains(&said), "{run:#?}");
    }
}

#[test]
fn a_role_goes_with_no_policy_that_nobody_saw() {
    let world = hidden("beyond_deleted");
    let text = world.ok(&["delete", "cluster", NAME]).stdout;
    assert!(text.contains("inlinePolicy  debug → –"), "{text}");
    assert!(text.contains(":policy/admin → –"), "{text}");
}
