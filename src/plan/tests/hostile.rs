//! Hostile text in every field of a plan: it forges no line of the report and gives a terminal no
//! order.

use super::examples;
use super::imagined::{Imagined, planned};
use crate::apply::{Outcome, Progress};
use crate::aws::{AwsError, Fault};
use crate::core::drift::{DocumentChange, Drift, FieldChange, Image, UserDataChange};
use crate::core::kind::ResourceId;
use crate::core::wait::{Held, Waiting};
use crate::desired::Notice;
use crate::plan::{Change, Plan};
use crate::policy::difference::Difference;
use crate::policy::document::Statement;
use crate::policy::parse::{self, PrincipalRule};
use crate::report::machine;
use crate::report::text::{self, Detail};
use crate::visible::text::{in_json, is_hidden, visible_lines};
use crate::visible::yaml::visible_yaml;

const HOSTILE: &str = "x\n\nFORGED\r\nFORGED\u{1b}[2K\u{1b}[1A\u{1b}]0;FORGED\u{7}\u{9b}1A\u{85}\
                       \u{202e}\u{2066}\u{200b}\u{2028}FORGED\u{2029}\u{feff}\u{e0041}\u{7f}\0";

fn text() -> String {
    HOSTILE.to_owned()
}

fn id(id: &ResourceId) -> ResourceId {
    ResourceId::new(id.kind, HOSTILE)
}

fn statements(principal: bool) -> Vec<Statement> {
    let who = serde_json::json!({ "AWS": HOSTILE });
    let both = serde_json::json!({
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow", "Action": [HOSTILE, HOSTILE],
                "Resource": HOSTILE, "Condition": { "StringLike": { HOSTILE: [HOSTILE, HOSTILE] } },
            },
            {
                "Effect": "Deny", "Action": "sts:AssumeRole", "Principal": who,
                "Condition": { "StringEquals": { HOSTILE: HOSTILE } },
            },
        ],
    });
    let mut document = both;
    let all = document["Statement"].as_array_mut().unwrap();
    all.retain(|one| one.get("Principal").is_some() == principal);
    let rule = if principal { PrincipalRule::Expected } else { PrincipalRule::Refused };
    let found = parse::document(&document.to_string(), rule).unwrap().statements;
    found.into_iter().map(|one| Statement { sid: Some(text()), ..one }).collect()
}

/// Whatever text a change holds. A field that is new must be thought of here.
fn hostile(change: &Change, permissions: &Difference) -> Change {
    let Change { id: own, action, drift, reason: _, needs, behind, write } = change;
    let Drift { fields, permissions: _, within: _, document: _, user_data: _, image: _, remark } =
        drift;
    let field = || FieldChange { field: text(), before: Some(text()), after: Some(text()) };
    let json = || Some(serde_json::json!({ HOSTILE: [HOSTILE] }));
    let bytes = || Some(HOSTILE.as_bytes().to_vec());
    Change {
        id: id(own),
        action: *action,
        drift: Drift {
            fields: fields.iter().map(|_| field()).chain([field()]).collect(),
            permissions: permissions.clone(),
            within: permissions.gained.clone(),
            document: Some(DocumentChange { before: json(), after: json() }),
            user_data: Some(UserDataChange { before: bytes(), after: bytes() }),
            image: Some(Image {
                id: text(),
                name: text(),
                owner: text(),
                owner_alias: Some(text()),
            }),
            remark: *remark,
        },
        reason: text(),
        needs: needs.iter().map(id).collect(),
        behind,
        write: write.clone(),
    }
}

fn hostile_plan(plan: &Plan) -> Plan {
    let both = [statements(false), statements(true)].concat();
    let permissions = Difference { gained: both.clone(), lost: both };
    let changes = plan.changes.iter().take(3);
    let changes: Vec<Change> = changes.map(|change| hostile(change, &permissions)).collect();
    let notice = || Notice { object: text(), message: text(), next: text() };
    Plan {
        cluster: text(),
        account: text(),
        region: text(),
        removals: changes.clone(),
        changes,
        unchanged: plan.unchanged.iter().map(id).collect(),
        warnings: vec![notice()],
        refusals: vec![notice()],
        prunes: true,
        ..plan.clone()
    }
}

fn check(what: &str, shown: &str) {
    let hidden = |c: char| is_hidden(c) && c != '\n';
    let plain = anstream::adapter::strip_str(shown).to_string();
    assert!(!plain.contains(hidden), "{what}: {plain:?}");
    assert!(!plain.lines().any(|line| line.starts_with("FORGED")), "{what}: {plain}");
    let styles = shown.matches('\u{1b}').count();
    let ours = shown.matches("\u{1b}[0m").count();
    assert!(styles >= ours && visible_lines(shown) == shown, "{what}");
}

#[test]
fn nothing_in_a_plan_forges_a_line_or_moves_a_terminal() {
    for (name, desired) in examples::all() {
        let live = Imagined::settled(&desired).without(&desired, &desired.resources[0]);
        let plan = planned(&desired, &live, &[]);
        assert!(!plan.changes.is_empty(), "{name}");
        let plan = hostile_plan(&plan);
        for detail in [Detail::Changes, Detail::Documents] {
            check(name, &text::plan(&plan, HOSTILE, detail));
        }
        check(name, &text::user_data(&plan));
        check(name, &text::dry_run_end(&plan, "kapstan update"));
        for notice in plan.warnings.iter().chain(&plan.refusals) {
            check(name, &notice.to_string());
        }
        let error = AwsError {
            operation: "ec2:CreateVpc",
            object: text(),
            fault: Fault::Other,
            message: text(),
        };
        check(name, &error.to_string());
        let first = &plan.changes[0];
        check(name, &text::progress(&Progress::Ended(first, Some(&error))));
        let held = Held { holder: text(), error: error.clone() };
        let waiting = Waiting { what: &first.id, held: &held, so_far: Default::default() };
        check(name, &text::progress(&Progress::Waits(&waiting)));
        let outcome = Outcome {
            done: Vec::new(),
            failed: vec![(first.id.clone(), error)],
            not_begun: vec![first.id.clone()],
            interrupted: true,
            told: Vec::new(),
        };
        check(name, &text::apply_end(&plan, &outcome, "kapstan update"));
        let report = machine::report(&plan, HOSTILE, Some(&outcome)).with_user_data(&plan);
        let json = serde_json::to_string_pretty(&report).unwrap();
        check(name, &in_json(&json));
        check(name, &visible_yaml(&report).unwrap());
        let table = text::table([name, "B"], &[[text(), text()], ["漢".to_owned(), text()]]);
        check(name, &table);
    }
}
