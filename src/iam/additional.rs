//! `spec.additionalPolicies`: statements that the user gives a role, as a JSON list in the
//! YAML (kops `pkg/model/iam.go`).

use super::document::Document;
use super::parse::{self, PrincipalRule};
use crate::spec::cluster::Cluster;
use crate::spec::instance_group::Role;
use crate::spec::path::FieldPath;
use crate::spec::problem::Problem;
use crate::spec::spelling::nearest;

/// The additional document of a role, if the spec has one.
///
/// # Errors
/// Every problem of its text.
pub(crate) fn document(cluster: &Cluster, role: Role) -> Result<Option<Document>, Vec<Problem>> {
    let Some(text) = cluster.additional_policy(role) else { return Ok(None) };
    match parse::statements(text, PrincipalRule::Refused) {
        // kops writes no policy for a list without statements, as AWS would refuse it.
        Ok(statements) if statements.is_empty() => Ok(None),
        Ok(statements) => Ok(Some(Document::new(statements))),
        Err(faults) => {
            let path = path().key(role.key());
            Err(faults.iter().map(|fault| Problem::new(&path, fault.to_string())).collect())
        }
    }
}

/// Everything that is wrong with the additional policies of a cluster.
pub(crate) fn check(cluster: &Cluster) -> Vec<Problem> {
    let keys = cluster.spec.additional_policies.iter().flat_map(|policies| policies.keys());
    let known = Role::ALL.map(Role::key);
    let misspelt = keys.filter(|key| !known.contains(&key.as_str())).map(|key| {
        let hint = nearest(key, known).map(|role| format!("; did you mean {role}?"));
        let message =
            format!("is no role: they are {}{}", known.join(", "), hint.unwrap_or_default());
        Problem::new(&path().key(key), message)
    });
    let faults = Role::ALL.into_iter().filter_map(|role| document(cluster, role).err()).flatten();
    misspelt.chain(faults).collect()
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
                "spec.additionalPolicies.nodes: is no role: they are master, node, bastion; did you \
             mean node?",
                "spec.additionalPolicies.master: line 2, column 3 of the text: this statement has no \
             Action (nor NotAction)",
            ]
        );
    }

    #[test]
    fn an_empty_list_is_no_policy() {
        let cluster = cluster(serde_json::json!({"node": " [] "}));
        assert_eq!(document(&cluster, Role::Node), Ok(None));
    }
}
