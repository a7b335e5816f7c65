//! `spec.additionalPolicies`: statements that the user gives a role, as a JSON list in the
//! YAML (kops `pkg/model/iam.go`).

use std::collections::BTreeMap;

use crate::limits::partition::Partition;
use crate::limits::{policy, shorten};
use crate::policy::document::{Document, Statement};
use crate::policy::{external, parse};
use crate::spec::cluster::Cluster;
use crate::spec::path::FieldPath;
use crate::spec::problem::Problem;
use crate::spec::role::Role;

/// The additional document of a role, if the spec has one.
///
/// # Errors
/// Every problem of its text.
pub(crate) fn document(cluster: &Cluster, role: Role) -> Result<Option<Document>, Vec<Problem>> {
    let Some((key, text)) = cluster.additional_policy(role) else { return Ok(None) };
    let partitions = match cluster.region() {
        Some(region) => vec![Partition::of_region(region).name],
        None => Partition::names(),
    };
    match parse::statements(text, &partitions) {
        // kops writes no policy for a list without statements, as AWS would refuse it.
        Ok(statements) if statements.is_empty() => Ok(None),
        Ok(statements) => Ok(Some(Document::new(statements))),
        Err(faults) => {
            let path = path().key(key);
            Err(faults.iter().map(|fault| Problem::new(&path, fault.to_string())).collect())
        }
    }
}

/// Everything that is wrong with the additional policies of a cluster.
pub(crate) fn check(cluster: &Cluster) -> Vec<Problem> {
    let policies = cluster.spec.additional_policies.iter().flat_map(BTreeMap::keys);
    let mut problems = external::keys(&path(), policies);
    let faults = Role::ALL.into_iter().filter_map(|role| document(cluster, role).err()).flatten();
    problems.extend(faults);
    problems
}

/// What IAM may take in the additional policies of a cluster, and would hardly do what was
/// meant.
pub(crate) fn doubts(cluster: &Cluster) -> Vec<Problem> {
    let of_role = |role: Role| {
        let key = cluster.additional_policy(role).map_or(role.key(), |(key, _)| key);
        let path = path().key(key);
        let document = document(cluster, role).ok().flatten();
        let statements = document.map(|document| document.statements).unwrap_or_default();
        let doubts: Vec<String> = statements.iter().flat_map(of_statement).collect();
        doubts.into_iter().map(move |doubt| Problem::new(&path, doubt))
    };
    Role::ALL.into_iter().flat_map(of_role).collect()
}

fn of_statement(statement: &Statement) -> Vec<String> {
    let resources = statement.resources.iter().flat_map(|resources| resources.inner().iter());
    let mut doubts: Vec<String> = resources
        .filter_map(|resource| {
            let doubt = policy::resource_doubt(resource)?;
            Some(format!("the resource {} looks wrong: {doubt}", shorten(resource)))
        })
        .collect();
    for (operator, keys) in &statement.conditions {
        let Some(operand) = policy::operand(operator) else { continue };
        for (key, values) in keys {
            doubts.extend(values.iter().filter_map(|value| {
                let doubt = policy::value_doubt(operand, value)?;
                Some(format!("{operator} of {key} is {}: {doubt}", shorten(value)))
            }));
        }
    }
    doubts
}

fn path() -> FieldPath {
    FieldPath::root().key("spec").key("additionalPolicies")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cluster(policies: serde_json::Value) -> Cluster {
        let json = serde_json::json!({"spec": {"additionalPolicies": policies}});
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn problems_name_role_line_and_column() {
        let cluster = cluster(serde_json::json!({
            "nodes": "[]",
            "master": "[\n  {\"Effect\": \"Allow\"}\n]",
            "bastion": "",
        }));
        let problems: Vec<_> = check(&cluster).iter().map(ToString::to_string).collect();
        assert_eq!(
            problems,
            [
                "spec.additionalPolicies.nodes: is no role: they are master, control-plane, node, bastion, apiserver; did you \
             mean node?",
                "spec.additionalPolicies.master: line 2, column 3 of the text: this statement has no \
             Action (nor NotAction)",
            ]
        );
    }

    #[test]
    fn both_names_of_the_control_plane_are_taken_and_not_at_once() {
        let text = r#"[{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]"#;
        for key in ["master", "control-plane"] {
            let cluster = cluster(serde_json::json!({ key: text, "apiserver": "[]" }));
            assert_eq!(check(&cluster), []);
            assert!(document(&cluster, Role::Master).unwrap().is_some(), "{key}");
        }
        let wrong = cluster(serde_json::json!({"control-plane": "[{}]"}));
        let problems: Vec<_> = check(&wrong).iter().map(|p| p.path.to_string()).collect();
        assert!(problems.iter().all(|path| path == "spec.additionalPolicies.control-plane"));
        assert!(!problems.is_empty());
        let both: Cluster = serde_json::from_value(serde_json::json!({"spec": {
            "additionalPolicies": {"control-plane": text, "master": text},
        }}))
        .unwrap();
        let problems: Vec<_> = check(&both).iter().map(ToString::to_string).collect();
        assert_eq!(
            problems,
            ["spec.additionalPolicies: has both master and control-plane, which are one role; \
                 put them together"]
        );
    }

    #[test]
    fn what_iam_may_take_is_doubted() {
        let policy = r#"[{"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:us 1::b",
            "Condition": {"Bool": {"aws:SecureTransport": ["true", "maybe"]}}}]"#;
        let cluster = cluster(serde_json::json!({"node": policy}));
        assert_eq!(check(&cluster), []);
        let doubts: Vec<_> = doubts(&cluster).iter().map(ToString::to_string).collect();
        assert_eq!(
            doubts,
            [
                "spec.additionalPolicies.node: the resource \"arn:aws:s3:us 1::b\" looks wrong: no \
                 region has such a name",
                "spec.additionalPolicies.node: Bool of aws:SecureTransport is \"maybe\": true or \
                 false is expected",
            ]
        );
    }

    #[test]
    fn partitions_are_the_cluster_s_own() {
        let policy = r#"[{"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws-cn:s3:::b"}]"#;
        let in_zone = |zone: &str| -> Cluster {
            let subnets = serde_json::json!([{"name": "a", "zone": zone}]);
            let spec =
                serde_json::json!({"additionalPolicies": {"node": policy}, "subnets": subnets});
            serde_json::from_value(serde_json::json!({"spec": spec})).unwrap()
        };
        assert_eq!(check(&in_zone("cn-north-1a")), []);
        assert_eq!(check(&in_zone("us-west-2a")).len(), 1);
        assert_eq!(check(&cluster(serde_json::json!({"node": policy}))), []);
    }

    #[test]
    fn an_empty_list_is_no_policy() {
        let cluster = cluster(serde_json::json!({"node": " [] "}));
        assert_eq!(document(&cluster, Role::Node), Ok(None));
    }
}
