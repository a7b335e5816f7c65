//! Instance profiles that the user brings along: looked at, told about, never written.

use crate::harness::{STRICT, World, actions, change, cluster, document, group, pairs, wait};
use serde_json::{Value as Json, json};

const NAME: &str = "dev.example.com";
const OVERRIDES: &str = "IAMRole=ExistsAndWarnIfChanges,IAMRolePolicy=ExistsAndWarnIfChanges,\
                         IAMInstanceProfileRole=ExistsAndWarnIfChanges";

fn profile(account: &str, name: &str) -> String {
    format!("  iam:\n    profile: arn:aws:iam::{account}:instance-profile/{name}\n")
}

/// Masters are managed, nodes bring a profile whose role has another name.
fn mixed(account: &str, more: &str) -> String {
    [
        cluster(NAME, &format!("{STRICT}{more}")),
        group(NAME, "masters", "Master", ""),
        group(NAME, "nodes", "Node", &profile(account, "kops-custom-node-role")),
    ]
    .join("---\n")
}

fn account(world: &World) -> String {
    let sts = world.plan(NAME, &["--phase", "network"]);
    sts["account"].as_str().unwrap().to_owned()
}

fn world(test: &str, more: &str) -> World {
    let world = World::new(test);
    world.zone("example.com", "Z1");
    world.create(&mixed("123456789012", more));
    let account = account(&world);
    world.replace(&mixed(&account, more));
    world.foreign_profile("kops-custom-node-role", "org-node-role");
    world
}

fn own_policy() -> Json {
    document(json!([
        {"Effect": "Allow", "Action": ["ec2:Describe*", "ec2:DescribeRegions"], "Resource": "*"},
    ]))
}

/// Everything that AWS has of the foreign role and profile.
fn snapshot(world: &World) -> String {
    let iam = world.iam();
    let role = wait(iam.get_role().role_name("org-node-role").send()).unwrap().role.unwrap();
    let profile =
        wait(iam.get_instance_profile().instance_profile_name("kops-custom-node-role").send());
    let policies = wait(iam.list_role_policies().role_name("org-node-role").send()).unwrap();
    let profile = profile.unwrap().instance_profile.unwrap();
    format!(
        "{:?} {:?} {:?} {:?} {:?}",
        role.assume_role_policy_document(),
        role.tags(),
        profile.tags(),
        profile.roles().iter().map(|role| role.role_name().to_owned()).collect::<Vec<_>>(),
        policies.policy_names()
    )
}

#[test]
fn a_mixed_cluster_works_and_the_existing_profile_is_never_written() {
    let world = world("existing_mixed", "");
    world.put_policy("org-node-role", "own", &own_policy());
    let before = snapshot(&world);
    let lists: [&[&str]; 4] = [
        &[],
        &["--lifecycle-overrides", OVERRIDES],
        &[
            "--lifecycle-overrides",
            "IAMRolePolicy=WarnIfInsufficientAccess,IAMRole=WarnIfInsufficientAccess",
        ],
        &["--phase", "security"],
    ];
    for more in lists {
        world.forget_calls();
        let mut args = vec!["update", "cluster", NAME, "--yes"];
        args.extend(more);
        let run = world.ok(&args);
        let written = world.iam_writes();
        assert!(
            !written.iter().any(|w| w.contains("Delete") || w.contains("Update")),
            "{written:?}"
        );
        assert_eq!(snapshot(&world), before, "{more:?}");
        assert!(run.stdout.contains("! IAMRolePolicy/org-node-role"), "{run:#?}");
    }
    world.apply(NAME);
    let left = "IAMRolePolicy/org-node-role";
    let told = [format!("! {left}"), format!("{left}: is not as wanted, and is left so")];
    world.assert_settled_but(NAME, &[], &[&told[0], &told[1]]);
    let text = world.ok(&["update", "cluster", NAME]).stdout;
    insta::assert_snapshot!("existing_mixed", world.neutral(&text));
    let plan = world.plan(NAME, &[]);
    assert_eq!(actions(&plan), ["leave IAMRolePolicy/org-node-role"]);
    assert_eq!(plan["summary"]["leave"], 1);
    assert_eq!(pairs(&plan, "IAMRolePolicy/org-node-role", "lost"), ["ec2:Describe* *"]);
}

#[test]
fn all_its_inline_policies_together_count() {
    let world = world("existing_spread", "");
    let shown = world.ok(&["iam", "show", NAME, "--role", "node", "-o", "json"]).stdout;
    let shown: Json = serde_json::from_str(&shown).unwrap();
    for (index, statement) in shown["Statement"].as_array().unwrap().iter().enumerate() {
        world.put_policy("org-node-role", &format!("part-{index}"), &document(json!([statement])));
    }
    world.apply(NAME);
    let plan = world.plan(NAME, &[]);
    assert_eq!(actions(&plan), [""; 0], "{plan:#}");
}

#[test]
fn an_upgrade_shows_what_the_profile_will_lack() {
    let world = world("existing_upgrade", "");
    let shown = world.ok(&["iam", "show", NAME, "--role", "node", "-o", "json"]).stdout;
    world.put_policy("org-node-role", "all", &serde_json::from_str(&shown).unwrap());
    world.apply(NAME);
    world.ok(&["set", "cluster", NAME, "spec.iam.allowContainerRegistry=true"]);
    let plan = world.plan(NAME, &[]);
    assert_eq!(
        actions(&plan),
        ["update IAMRolePolicy/masters.dev.example.com", "leave IAMRolePolicy/org-node-role",]
    );
    let gained = pairs(&plan, "IAMRolePolicy/org-node-role", "gained");
    assert_eq!(gained.len(), 7, "{gained:?}");
    assert!(gained.iter().all(|pair| pair.starts_with("ecr:")), "{gained:?}");
}

#[test]
fn only_sync_writes_the_policies_of_an_existing_profile() {
    let world = world(
        "existing_sync",
        "  additionalPolicies:\n    node: '[{\"Effect\":\"Allow\",\"Action\":\"es:*\",\"Resource\":\"*\"}]'\n",
    );
    world.put_policy("org-node-role", "own", &own_policy());
    world.apply(NAME);
    let sync = ["--lifecycle-overrides", "IAMRolePolicy=Sync"];
    let plan = world.plan(NAME, &sync);
    assert_eq!(
        actions(&plan),
        [
            "create IAMRolePolicy/additional.org-node-role",
            "create IAMRolePolicy/org-node-role",
            "leave IAMRolePolicy/own",
        ]
    );
    world.forget_calls();
    world.ok(&["update", "cluster", NAME, "--yes", sync[0], sync[1]]);
    assert_eq!(world.iam_writes(), ["PutRolePolicy", "PutRolePolicy"]);
    let other = "! IAMRolePolicy/own  inline policy of org-node-role, not kapstan's";
    world.assert_settled_but(NAME, &sync, &[other]);
    assert!(world.policy("org-node-role", "own").is_some(), "other policies stay");
}

#[test]
fn a_profile_that_does_not_exist_is_refused() {
    let world = World::new("existing_missing");
    world.zone("example.com", "Z1");
    world.create(&mixed("123456789012", ""));
    let account = account(&world);
    world.replace(&mixed(&account, ""));
    world.forget_calls();
    let said = world.fails(&["update", "cluster", NAME, "--yes"]);
    insta::assert_snapshot!("existing_missing", said.replace(&account, "[account]"));
    assert_eq!(world.iam_writes(), [""; 0]);
}

#[test]
fn a_strange_account_is_a_warning() {
    let world = World::new("existing_account");
    world.zone("example.com", "Z1");
    world.create(&mixed("1234567890108", ""));
    world.foreign_profile("kops-custom-node-role", "org-node-role");
    let run = world.ok(&["update", "cluster", NAME]);
    insta::assert_snapshot!("existing_account", world.neutral(&run.stderr));
    world.replace(&mixed("210987654321", ""));
    let run = world.ok(&["update", "cluster", NAME]);
    assert!(run.stderr.contains("names the account 210987654321, but this is "), "{}", run.stderr);
}

#[test]
fn one_profile_for_two_roles_is_an_error() {
    let world = World::new("existing_twice");
    let shared = profile("123456789012", "both");
    world.create(
        &[
            cluster(NAME, STRICT),
            group(NAME, "masters", "Master", &shared),
            group(NAME, "nodes", "Node", &shared),
        ]
        .join("---\n"),
    );
    insta::assert_snapshot!("existing_twice", world.fails(&["update", "cluster", NAME]));
}

#[test]
fn a_profile_of_ours_cannot_be_brought_along_by_some_groups_only() {
    let world = World::new("existing_ours");
    world.create(
        &[
            cluster(NAME, STRICT),
            group(NAME, "masters", "Master", ""),
            group(NAME, "nodes", "Node", ""),
            group(NAME, "spot", "Node", &profile("123456789012", "nodes.dev.example.com")),
        ]
        .join("---\n"),
    );
    let said = world.fails(&["update", "cluster", NAME]);
    assert!(said.contains("is the profile that kapstan manages for other groups"), "{said}");
}

#[test]
fn a_profile_without_a_role_is_told() {
    let world = world("existing_empty", "");
    let remove = world.iam().remove_role_from_instance_profile();
    let remove = remove.instance_profile_name("kops-custom-node-role").role_name("org-node-role");
    wait(remove.send()).unwrap();
    world.apply(NAME);
    let plan = world.plan(NAME, &[]);
    assert_eq!(
        change(&plan, "IAMInstanceProfileRole/kops-custom-node-role")["reason"],
        "does not exist; existing profile kops-custom-node-role, left as it is"
    );
    let told = [
        "! IAMRole/kops-custom-node-role",
        "! IAMRolePolicy/kops-custom-node-role",
        "! IAMInstanceProfileRole/kops-custom-node-role",
        "IAMInstanceProfileRole/kops-custom-node-role: does not exist, and is left so",
        "IAMRole/kops-custom-node-role: does not exist, and is left so",
        "IAMRolePolicy/kops-custom-node-role: does not exist, and is left so",
    ];
    world.assert_settled_but(NAME, &[], &told);
}
