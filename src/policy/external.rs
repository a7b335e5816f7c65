//! Managed policies that a spec names by their ARNs: those that it has attached to the roles of
//! instances, and the one that bounds all roles.

use std::collections::{BTreeMap, BTreeSet};

use crate::limits::arn::Arn;
use crate::limits::shorten;
use crate::spec::cluster::Cluster;
use crate::spec::object::filled;
use crate::spec::path::FieldPath;
use crate::spec::problem::Problem;
use crate::spec::role::Role;
use crate::spec::spelling::nearest;

/// What ARNs call a policy.
const KIND: &str = "policy";

/// The ARNs of the policies that a role has attached.
pub(crate) fn of_role(cluster: &Cluster, role: Role) -> BTreeSet<String> {
    let Some(policies) = &cluster.spec.external_policies else { return BTreeSet::new() };
    let of_keys = role.keys().iter().filter_map(|key| policies.get(*key)?.as_ref());
    of_keys.flatten().cloned().collect()
}

/// The ARN of the policy beyond which no role may do anything.
pub(crate) fn boundary(cluster: &Cluster) -> Option<&str> {
    cluster.spec.iam.as_ref().and_then(|iam| filled(&iam.permissions_boundary))
}

/// Everything that is wrong with what a cluster names.
pub(crate) fn check(cluster: &Cluster) -> Vec<Problem> {
    let spec = FieldPath::root().key("spec");
    let path = spec.key("externalPolicies");
    let policies = cluster.spec.external_policies.as_ref();
    let mut problems = keys(&path, policies.into_iter().flat_map(BTreeMap::keys));
    for (key, arns) in policies.into_iter().flatten() {
        let arns = arns.iter().flatten().enumerate();
        problems.extend(arns.filter_map(|(index, arn)| refused(&path.key(key).index(index), arn)));
    }
    let path = spec.key("iam").key("permissionsBoundary");
    problems.extend(boundary(cluster).and_then(|arn| refused(&path, arn)));
    problems
}

/// What is wrong with the ARN of a policy.
pub(crate) fn refused(path: &FieldPath, arn: &str) -> Option<Problem> {
    let form = "arn:aws:iam::123456789012:policy/NAME, or arn:aws:iam::aws:policy/NAME for one of \
                AWS' own";
    let parsed = Arn::parse(arn);
    let is_policy = parsed.is_ok_and(|arn| {
        arn.service == "iam" && arn.region.is_empty() && arn.iam_name(KIND).is_some()
    });
    let message = || format!("{} is no ARN of a policy; write it like {form}", shorten(arn));
    (!is_policy).then(|| Problem::new(path, message()))
}

/// What is wrong with the keys of a map of roles.
pub(super) fn keys<'a>(path: &FieldPath, keys: impl Iterator<Item = &'a String>) -> Vec<Problem> {
    let known: Vec<&str> = Role::ALL.into_iter().flat_map(Role::keys).copied().collect();
    let given: Vec<&str> = keys.map(String::as_str).collect();
    let misspelt = given.iter().filter(|key| !known.contains(key)).map(|key| {
        let hint = nearest(key, known.iter().copied());
        let hint = hint.map(|role| format!("; did you mean {role}?")).unwrap_or_default();
        Problem::new(&path.key(key), format!("is no role: they are {}{hint}", known.join(", ")))
    });
    // One of the two would be left out.
    let twice = Role::ALL
        .into_iter()
        .filter(|role| role.keys().len() > 1 && role.keys().iter().all(|key| given.contains(key)));
    let twice = twice.map(|role| {
        let names = role.keys().join(" and ");
        Problem::new(path, format!("has both {names}, which are one role; put them together"))
    });
    misspelt.chain(twice).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value as Json, json};

    fn cluster(spec: Json) -> Cluster {
        serde_json::from_value(json!({"spec": spec})).unwrap()
    }

    #[test]
    fn both_names_of_the_control_plane_are_taken_and_not_at_once() {
        for key in ["master", "control-plane"] {
            let arn = "arn:aws:iam::aws:policy/ReadOnlyAccess";
            let cluster = cluster(json!({"externalPolicies": {key: [arn, arn], "node": null}}));
            assert_eq!(check(&cluster), []);
            assert_eq!(of_role(&cluster, Role::Master), BTreeSet::from([arn.to_owned()]), "{key}");
            assert_eq!(of_role(&cluster, Role::Node), BTreeSet::new());
        }
        let both = cluster(
            json!({"externalPolicies": {"control-plane": [], "master": [], "workers": []}}),
        );
        let problems: Vec<_> = check(&both).iter().map(ToString::to_string).collect();
        assert_eq!(
            problems,
            [
                "spec.externalPolicies.workers: is no role: they are master, control-plane, node, \
                 bastion, apiserver",
                "spec.externalPolicies: has both master and control-plane, which are one role; put \
                 them together",
            ]
        );
    }

    #[test]
    fn only_arns_of_policies_are_taken() {
        for (arn, is_policy) in [
            ("arn:aws:iam::123456789012:policy/team/read", true),
            ("arn:aws-cn:iam::aws:policy/ReadOnlyAccess", true),
            ("arn:aws:iam::123456789012:role/read", false),
            ("arn:aws:iam::123456789012:policy/", false),
            ("arn:aws:s3:::policy/read", false),
            ("ReadOnlyAccess", false),
        ] {
            let named = cluster(json!({
                "externalPolicies": {"node": [arn]}, "iam": {"permissionsBoundary": arn},
            }));
            let paths: Vec<_> = check(&named).iter().map(|one| one.path.to_string()).collect();
            let both = ["spec.externalPolicies.node[0]", "spec.iam.permissionsBoundary"];
            assert_eq!(paths, if is_policy { &[][..] } else { &both[..] }, "{arn}");
        }
    }
}
