//! Lifecycles, from the command line to AWS. The whole table is in `src/plan/tests/lifecycles.rs`.

use crate::harness::{STRICT, World, actions, document, specs, wait};
use serde_json::json;

const NAME: &str = "dev.example.com";
const ROLE: &str = "nodes.dev.example.com";
const POLICY: &str = "IAMRolePolicy/nodes.dev.example.com";

/// What was done to the nodes' policy before the plan.
#[derive(Clone, Copy, Debug)]
enum State {
    Equal,
    Differs,
    Missing,
}

/// What must come of it.
#[derive(Clone, Copy, Debug)]
enum Outcome {
    Nothing,
    Mended(&'static str),
    Left(&'static str),
}

fn check(lifecycle: &str, state: State, outcome: Outcome) {
    let world =
        World::with(&format!("cell_{lifecycle}_{state:?}").to_lowercase(), &specs(NAME, STRICT));
    world.apply(NAME);
    match state {
        State::Equal => {}
        State::Differs => {
            let other = document(json!([{"Effect": "Allow", "Action": "es:*", "Resource": "*"}]));
            world.put_policy(ROLE, ROLE, &other);
        }
        State::Missing => {
            wait(world.iam().delete_role_policy().role_name(ROLE).policy_name(ROLE).send())
                .unwrap();
        }
    }
    let before = world.policy(ROLE, ROLE);
    let overrides = format!("IAMRolePolicy={lifecycle}");
    let more = ["--lifecycle-overrides", &overrides];
    let dry = world
        .run(&["update", "cluster", NAME, "-o", "json", "--detailed-exitcode", more[0], more[1]]);
    let plan: serde_json::Value = serde_json::from_str(&dry.stdout).unwrap();
    world.forget_calls();
    let run = world.run(&["update", "cluster", NAME, "--yes", more[0], more[1]]);
    let (written, after) = (world.iam_writes(), world.policy(ROLE, ROLE));
    match outcome {
        Outcome::Nothing => {
            assert_eq!((dry.code, run.code, actions(&plan)), (0, 0, vec![]), "{run:#?}");
            assert!(written.is_empty() && after == before);
        }
        Outcome::Mended(action) => {
            assert_eq!((dry.code, run.code), (2, 0), "{run:#?}");
            assert_eq!(actions(&plan), [format!("{action} {POLICY}")]);
            assert_eq!(written, ["PutRolePolicy"]);
            world.assert_settled(NAME, &[]);
        }
        Outcome::Left(reason) => {
            assert_eq!((dry.code, run.code), (0, 0), "{run:#?}");
            assert_eq!(actions(&plan), [format!("leave {POLICY}")]);
            assert!(run.stdout.contains(&format!("! {POLICY}  {reason}")), "{run:#?}");
            // The whole difference is shown.
            assert!(run.stdout.contains("lacks   Allow  ec2:DescribeInstances"), "{run:#?}");
            assert!(written.is_empty() && after == before);
        }
    }
}

#[test]
fn sync() {
    check("Sync", State::Equal, Outcome::Nothing);
    check("Sync", State::Differs, Outcome::Mended("update"));
    check("Sync", State::Missing, Outcome::Mended("create"));
}

#[test]
fn exists_and_warn_if_changes() {
    check("ExistsAndWarnIfChanges", State::Equal, Outcome::Nothing);
    check("ExistsAndWarnIfChanges", State::Differs, Outcome::Left("left as it is"));
    check("ExistsAndWarnIfChanges", State::Missing, Outcome::Left("does not exist"));
}

#[test]
fn a_refused_read_is_an_error_unless_the_lifecycle_says_otherwise() {
    let world = World::with("denied", &specs(NAME, STRICT));
    world.apply(NAME);
    world.rules(json!([{"operation": "iam:GetRole$", "error": "AccessDenied"}]));
    world.forget_calls();
    let said = world.fails(&["update", "cluster", NAME, "--yes"]);
    assert_eq!(world.iam_writes(), [""; 0]);
    insta::assert_snapshot!("denied", said);
    for lifecycle in ["ExistsAndValidates", "ExistsAndWarnIfChanges"] {
        world.fails(&[
            "update",
            "cluster",
            NAME,
            "--lifecycle-overrides",
            &format!("IAMRole={lifecycle}"),
        ]);
    }
    let warn = "IAMRole=WarnIfInsufficientAccess";
    let run = world.ok(&["update", "cluster", NAME, "--yes", "--lifecycle-overrides", warn]);
    assert!(run.stderr.contains("could not be looked at and is taken as right"), "{run:#?}");
    assert_eq!(world.iam_writes(), [""; 0]);
}

#[test]
fn phases_decide_what_is_touched() {
    let world = World::with("phases", &specs(NAME, STRICT));
    for phase in ["network", "assets"] {
        assert_eq!(actions(&world.plan(NAME, &["--phase", phase])), [""; 0]);
    }
    let plan = world.plan(NAME, &["--phase", "cluster"]);
    assert!(actions(&plan).iter().all(|action| action.starts_with("leave ")), "{plan:#}");
    let said = world.fails(&["update", "cluster", NAME, "--phase", "cluster", "--yes"]);
    assert!(said.contains("does not exist, but its lifecycle is ExistsAndValidates"), "{said}");
    assert_eq!(world.iam_writes(), [""; 0]);
    world.ok(&["update", "cluster", NAME, "--phase", "iam", "--yes"]);
    for phase in ["network", "assets", "security", "iam", "cluster"] {
        world.assert_settled(NAME, &["--phase", phase]);
        world.ok(&["update", "cluster", NAME, "--phase", phase, "--yes"]);
    }
}

#[test]
fn a_wrong_override_lists_the_known_words() {
    let world = World::new("overrides");
    for (name, overrides) in [
        ("override_kind", "IAMRolPolicy=Ignore"),
        ("override_lifecycle", "IAMRole=Ignored"),
        ("override_form", "IAMRole"),
    ] {
        let said = world.fails(&["update", "cluster", NAME, "--lifecycle-overrides", overrides]);
        insta::assert_snapshot!(name, said);
    }
}
