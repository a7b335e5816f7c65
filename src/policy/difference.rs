//! Compares policies by what they grant, not by how they are written.
//!
//! A statement stands for the pairs of an action and a resource that it names. Two policies
//! are equal when they have the same pairs, whatever the order, the split into statements,
//! the Sids or the notation. What a negative element (`NotAction`, `NotResource`) names
//! cannot be split and is compared as a whole.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::limits::arn::Arn;
use crate::policy::document::{Conditions, Document, Effect, Principals, Scope, Statement, Values};
use crate::policy::pattern;

/// What a change of policy gives and takes, as statements with nothing in them that stays.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Difference {
    pub(crate) gained: Vec<Statement>,
    pub(crate) lost: Vec<Statement>,
}

impl Difference {
    pub(crate) fn is_empty(&self) -> bool {
        self.gained.is_empty() && self.lost.is_empty()
    }
}

/// What changes when `before` becomes `after`.
pub(crate) fn between(before: &[Statement], after: &[Statement]) -> Difference {
    Difference { gained: missing_from(before, after), lost: missing_from(after, before) }
}

/// How many pairs of an action and a resource statements name.
pub(crate) fn permissions(statements: &[Statement]) -> usize {
    let pairs = |statement: &Statement| {
        let resources = statement.resources.as_ref().map_or(1, |all| all.inner().iter().count());
        statement.actions.inner().iter().count() * resources
    };
    statements.iter().map(pairs).sum()
}

/// What of `wanted` nothing in `granted` allows, broader grants counted: `s3:*` allows
/// `s3:Get*`. Whether a `Deny` takes it away again is not looked into.
pub(crate) fn not_allowed(granted: &[Statement], wanted: &[Statement]) -> Vec<Statement> {
    let broad: Vec<Grant> =
        granted.iter().filter(|s| s.effect == Effect::Allow).flat_map(grants).collect();
    let is_covered = |grant: &Grant| {
        broad.iter().any(|other| {
            covers(&other.action, &grant.action)
                && covers(&other.resource, &grant.resource)
                && other.principal == grant.principal
                && (other.conditions == grant.conditions || other.conditions == NO_CONDITIONS)
        })
    };
    let covered = wanted.iter().flat_map(grants).filter(is_covered).collect();
    missing_after(covered, wanted)
}

/// How the absence of conditions compares.
const NO_CONDITIONS: &str = "{}";

/// Whether what one text names takes in what another names.
fn covers(broad: &str, narrow: &str) -> bool {
    // What names all but something is covered by its like only.
    let is_plain = broad.starts_with('=') && narrow.starts_with('=');
    broad == narrow || is_plain && pattern::covers(broad, narrow)
}

/// Whether the documents grant the same. The language version counts only where policy
/// variables are used, because without them it changes nothing.
pub(crate) fn is_same(left: &Document, right: &Document) -> bool {
    between(&left.statements, &right.statements).is_empty() && is_same_language(left, right)
}

fn is_same_language(left: &Document, right: &Document) -> bool {
    // https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_version.html
    let language = |document: &Document| document.version.clone().unwrap_or("2008-10-17".into());
    let has_variables = |document: &Document| document.to_compact().contains("${");
    language(left) == language(right) || !(has_variables(left) || has_variables(right))
}

/// One grant: a pair of an action and a resource, with whom and when.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Grant {
    effect: Effect,
    principal: String,
    action: String,
    resource: String,
    conditions: String,
}

/// The parts of `statements` that `others` do not grant.
fn missing_from(others: &[Statement], statements: &[Statement]) -> Vec<Statement> {
    missing_after(others.iter().flat_map(grants).collect(), statements)
}

fn missing_after(mut known: BTreeSet<Grant>, statements: &[Statement]) -> Vec<Statement> {
    let mut missing = Vec::new();
    for statement in statements {
        let (principal, conditions) = context(statement);
        // Actions by the set of resources on which they are missing, in first-seen order.
        let mut groups: Vec<(Vec<&str>, Vec<&str>)> = Vec::new();
        for action in alternatives(Some(&statement.actions)) {
            let new: Vec<&str> = alternatives(statement.resources.as_ref())
                .into_iter()
                .filter(|resource| {
                    known.insert(Grant {
                        effect: statement.effect,
                        principal: principal.clone(),
                        action: action.key.to_lowercase(),
                        resource: resource.key.clone(),
                        conditions: conditions.clone(),
                    })
                })
                .map(|resource| resource.text)
                .collect();
            if new.is_empty() {
                continue;
            }
            match groups.iter_mut().find(|(resources, _)| *resources == new) {
                Some((_, actions)) => actions.push(action.text),
                None => groups.push((new, vec![action.text])),
            }
        }
        for (resources, actions) in groups {
            missing.push(Statement {
                actions: narrowed(&statement.actions, &actions),
                resources: statement.resources.as_ref().map(|all| narrowed(all, &resources)),
                ..statement.clone()
            });
        }
    }
    missing
}

fn grants(statement: &Statement) -> Vec<Grant> {
    let (principal, conditions) = context(statement);
    let resources = alternatives(statement.resources.as_ref());
    alternatives(Some(&statement.actions))
        .into_iter()
        .flat_map(|action| {
            resources.iter().map(move |resource| (action.key.to_lowercase(), resource.key.clone()))
        })
        .map(|(action, resource)| Grant {
            effect: statement.effect,
            principal: principal.clone(),
            action,
            resource,
            conditions: conditions.clone(),
        })
        .collect()
}

/// One thing that an element names: how it compares, and how it is written.
struct Alternative<'a> {
    key: String,
    text: &'a str,
}

fn alternatives(scope: Option<&Scope<Values>>) -> Vec<Alternative<'_>> {
    match scope {
        None => vec![Alternative { key: String::new(), text: "" }],
        Some(Scope::Only(values)) => {
            let mut seen = BTreeSet::new();
            let texts = values.iter().filter(|text| seen.insert(*text));
            texts.map(|text| Alternative { key: format!("={text}"), text }).collect()
        }
        Some(Scope::AllBut(values)) => {
            let key = format!("!{}", sorted(values).join("\n"));
            vec![Alternative { key, text: "" }]
        }
    }
}

/// The element with only these texts left in it. One that is not split stays whole.
fn narrowed(scope: &Scope<Values>, texts: &[&str]) -> Scope<Values> {
    match scope {
        Scope::Only(_) => {
            Scope::Only(Values::Many(texts.iter().map(|text| (*text).to_owned()).collect()))
        }
        whole => whole.clone(),
    }
}

fn context(statement: &Statement) -> (String, String) {
    let principal = statement.principal.as_ref().map(principal_key).unwrap_or_default();
    (principal, conditions_key(&statement.conditions))
}

fn principal_key(scope: &Scope<Principals>) -> String {
    let sign = match scope {
        Scope::Only(_) => "=",
        Scope::AllBut(_) => "!",
    };
    let kinds: BTreeMap<&str, Vec<String>> = scope
        .inner()
        .iter()
        .map(|(kind, values)| {
            let mut names: Vec<String> = values.iter().map(account_of_root).collect();
            names.sort();
            names.dedup();
            // https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html:
            // "*" and {"AWS": "*"} mean the same.
            match kind.as_str() {
                "AWS" if names == ["*"] => ("*", Vec::new()),
                kind => (kind, names),
            }
        })
        .collect();
    format!("{sign}{kinds:?}")
}

/// AWS gives back an account's number as the ARN of its root.
fn account_of_root(principal: &str) -> String {
    match Arn::parse(principal) {
        Ok(Arn { service: "iam", region: "", account, resource: "root", .. }) => account.to_owned(),
        _ => principal.to_owned(),
    }
}

/// Condition keys have no case (IAM user guide, "Condition keys"); operators and values do.
fn conditions_key(conditions: &Conditions) -> String {
    let operators = conditions.iter().map(|(operator, keys)| {
        let keys: BTreeMap<String, Vec<&str>> =
            keys.iter().map(|(key, values)| (key.to_lowercase(), sorted(values))).collect();
        (operator, keys)
    });
    format!("{:?}", operators.collect::<BTreeMap<_, _>>())
}

fn sorted(values: &Values) -> Vec<&str> {
    let mut texts: Vec<&str> = values.iter().collect();
    texts.sort_unstable();
    texts.dedup();
    texts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::parse;
    use crate::policy::parse::PrincipalRule;

    fn document(json: serde_json::Value) -> Document {
        parse::document(&json.to_string(), PrincipalRule::Expected).unwrap()
    }

    fn policy(statements: serde_json::Value) -> Document {
        document(serde_json::json!({"Version": "2012-10-17", "Statement": statements}))
    }

    fn shown(statements: &[Statement]) -> Vec<String> {
        statements.iter().map(|statement| statement.to_json().to_string()).collect()
    }

    #[test]
    fn notation_makes_no_difference() {
        let one = policy(serde_json::json!([
            {"Sid": "A", "Effect": "Allow", "Action": ["s3:Get*", "s3:List*"], "Resource": ["a", "b"],
             "Condition": {"StringEquals": {"aws:RequestedRegion": ["x", "y"]}}},
            {"Effect": "Allow", "Action": "ec2:*", "Resource": "*"},
        ]));
        let two = policy(serde_json::json!([
            {"Effect": "Allow", "Action": ["EC2:*"], "Resource": ["*"]},
            {"Effect": "Allow", "Action": ["s3:List*"], "Resource": ["b", "a"],
             "Condition": {"StringEquals": {"AWS:requestedregion": ["y", "x"]}}},
            {"Effect": "Allow", "Action": ["s3:Get*"], "Resource": "a",
             "Condition": {"StringEquals": {"aws:RequestedRegion": ["y", "x"]}}},
            {"Effect": "Allow", "Action": ["s3:Get*"], "Resource": "b",
             "Condition": {"StringEquals": {"aws:RequestedRegion": ["x", "y"]}}},
        ]));
        assert!(is_same(&one, &two));
    }

    #[test]
    fn everything_that_matters_makes_a_difference() {
        let base = serde_json::json!({"Effect": "Allow", "Action": "a:B", "Resource": "r"});
        for (element, value) in [
            ("Effect", serde_json::json!("Deny")),
            ("Action", serde_json::json!("a:C")),
            ("Resource", serde_json::json!("R")),
            ("Condition", serde_json::json!({"Bool": {"k": "true"}})),
        ] {
            let mut other = base.clone();
            other[element] = value;
            assert!(!is_same(
                &policy(serde_json::json!([base])),
                &policy(serde_json::json!([other]))
            ));
        }
        let not_action =
            serde_json::json!({"Effect": "Allow", "NotAction": "a:B", "Resource": "r"});
        assert!(!is_same(
            &policy(serde_json::json!([base])),
            &policy(serde_json::json!([not_action]))
        ));
    }

    #[test]
    fn the_language_version_matters_with_variables_only() {
        let with = |version: &str, resource: &str| {
            document(serde_json::json!({
                "Version": version,
                "Statement": [{"Effect": "Allow", "Action": "a:B", "Resource": resource}],
            }))
        };
        assert!(is_same(&with("2008-10-17", "r"), &with("2012-10-17", "r")));
        assert!(!is_same(
            &with("2008-10-17", "${aws:username}"),
            &with("2012-10-17", "${aws:username}")
        ));
    }

    #[test]
    fn only_what_changes_is_told() {
        let before = policy(serde_json::json!([
            {"Effect": "Allow", "Action": ["s3:Get*"], "Resource": ["a", "b"]},
        ]));
        let after = policy(serde_json::json!([
            {"Sid": "S", "Effect": "Allow", "Action": ["s3:Get*", "s3:Put*"], "Resource": ["b", "c"]},
        ]));
        let difference = between(&before.statements, &after.statements);
        assert_eq!(
            shown(&difference.gained),
            [
                r#"{"Sid":"S","Effect":"Allow","Action":["s3:Get*"],"Resource":["c"]}"#,
                r#"{"Sid":"S","Effect":"Allow","Action":["s3:Put*"],"Resource":["b","c"]}"#,
            ]
        );
        assert_eq!(
            shown(&difference.lost),
            [r#"{"Effect":"Allow","Action":["s3:Get*"],"Resource":["a"]}"#,]
        );
    }

    #[test]
    fn a_broader_grant_allows_the_narrower() {
        let allow = |action: &str, resource: &str| serde_json::json!({"Effect": "Allow", "Action": action, "Resource": resource});
        let lacks = |granted: serde_json::Value, wanted: serde_json::Value| {
            let granted = policy(serde_json::json!([granted]));
            let wanted = policy(serde_json::json!([wanted]));
            !not_allowed(&granted.statements, &wanted.statements).is_empty()
        };
        assert!(!lacks(allow("s3:*", "*"), allow("s3:Get*", "arn:aws:s3:::b/k")));
        assert!(!lacks(allow("*", "arn:aws:s3:::b*"), allow("s3:Get*", "arn:aws:s3:::b/*")));
        assert!(!lacks(allow("ec2:describe*", "*"), allow("ec2:DescribeRegions", "*")));
        assert!(lacks(allow("s3:Get*", "*"), allow("s3:*", "*")));
        assert!(lacks(allow("s3:Get?", "*"), allow("s3:Get*", "*")));
        assert!(lacks(allow("s3:*", "arn:aws:s3:::b"), allow("s3:Get*", "arn:aws:s3:::b/k")));
        let stars = format!("arn:aws:s3:::{}*b", "*a".repeat(40));
        let long = format!("arn:aws:s3:::{}", "a".repeat(40));
        assert!(lacks(allow("s3:*", &stars), allow("s3:Get*", &long)));
        let mut narrow = allow("s3:*", "*");
        narrow["Condition"] = serde_json::json!({"Bool": {"k": "true"}});
        assert!(lacks(narrow.clone(), allow("s3:Get*", "*")));
        assert!(!lacks(narrow.clone(), narrow));
    }

    #[test]
    fn everyone_is_written_in_two_ways() {
        let trust = |principal: serde_json::Value| {
            policy(serde_json::json!([
                {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": principal},
            ]))
        };
        assert!(is_same(&trust(serde_json::json!("*")), &trust(serde_json::json!({"AWS": ["*"]}))));
        assert!(is_same(
            &trust(serde_json::json!({"AWS": "123456789012"})),
            &trust(serde_json::json!({"AWS": "arn:aws:iam::123456789012:root"})),
        ));
    }
}
