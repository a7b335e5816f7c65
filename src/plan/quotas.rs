//! Refuses what IAM would refuse for its size, before anything is written.

use std::collections::BTreeMap;

use super::Planner;
use crate::desired::Notice;
use crate::iam::document::Document;
use crate::iam::parse::{self, PrincipalRule};
use crate::iam::quota;
use crate::resource::{Kind, Observed, ResourceId, Write, iam_role, iam_role_policy};

pub(super) fn check(planner: &mut Planner<'_>) {
    let mut refusals = Vec::new();
    let mut writes: BTreeMap<&str, Vec<&iam_role_policy::Write>> = BTreeMap::new();
    for change in planner.plan.writes() {
        match &change.write {
            Some(Write::RolePolicy(write)) => {
                let (iam_role_policy::Write::Put { role, .. }
                | iam_role_policy::Write::Delete { role, .. }) = write;
                writes.entry(role).or_default().push(write);
            }
            Some(Write::Role(
                iam_role::Write::Create { name, trust, .. }
                | iam_role::Write::Update { name, trust: Some(trust), .. },
            )) => {
                let size = quota::size(trust);
                if size > quota::TRUST_POLICY {
                    refusals.push(Notice {
                        object: format!("{}/{name}", Kind::IamRole),
                        message: format!(
                            "its trust policy would have {size} characters, and IAM takes {}",
                            quota::TRUST_POLICY
                        ),
                        next: String::new(),
                    });
                }
            }
            _ => {}
        }
    }
    let puts =
        |write: &&iam_role_policy::Write| matches!(write, iam_role_policy::Write::Put { .. });
    for (role, writes) in writes.iter().filter(|(_, writes)| writes.iter().any(puts)) {
        refusals.extend(inline_policies(planner, role, writes));
    }
    planner.plan.refusals.extend(refusals);
}

/// Lets the policies of a role shrink before others of it grow, so that it never holds more
/// than before or after the plan: IAM would refuse what is too much even for a moment.
pub(super) fn shrink_first(planner: &mut Planner<'_>) {
    let mut growing: Vec<(usize, &str)> = Vec::new();
    let mut shrinking: BTreeMap<&str, Vec<ResourceId>> = BTreeMap::new();
    for (position, change) in planner.plan.changes.iter().enumerate() {
        let Some(Write::RolePolicy(write)) = &change.write else { continue };
        let (role, name, after) = match write {
            iam_role_policy::Write::Put { role, name, document } => {
                (role, name, quota::size(document))
            }
            iam_role_policy::Write::Delete { role, name } => (role, name, 0),
        };
        let live = planner.live.policies.get(role).and_then(Observed::found);
        let before = live.and_then(|live| live.get(name)).map_or(0, |l| quota::size(&l.text));
        if after > before {
            growing.push((position, role));
        } else {
            shrinking.entry(role).or_default().push(change.id.clone());
        }
    }
    let first: Vec<(usize, Vec<ResourceId>)> = growing
        .into_iter()
        .filter_map(|(position, role)| Some((position, shrinking.get(role)?.clone())))
        .collect();
    for (position, first) in first {
        planner.plan.changes[position].needs.extend(first);
    }
}

/// All inline policies of the role as they would be after the plan.
fn inline_policies(
    planner: &Planner<'_>,
    role: &str,
    writes: &[&iam_role_policy::Write],
) -> Option<Notice> {
    let mut after: BTreeMap<&str, &str> = BTreeMap::new();
    if let Some(Observed::Found(live)) = planner.live.policies.get(role) {
        after.extend(live.iter().map(|(name, live)| (name.as_str(), live.text.as_str())));
    }
    for write in writes {
        match write {
            iam_role_policy::Write::Put { name, document, .. } => after.insert(name, document),
            iam_role_policy::Write::Delete { name, .. } => after.remove(name.as_str()),
        };
    }
    let total: usize = after.values().map(|text| quota::size(text)).sum();
    if total <= quota::INLINE_POLICIES {
        return None;
    }
    let documents: Vec<(&str, Document)> = after
        .iter()
        .filter_map(|(name, text)| {
            Some((*name, parse::document(text, PrincipalRule::Refused).ok()?))
        })
        .collect();
    let largest = quota::largest(documents.iter().map(|(name, document)| (*name, document)), 3);
    let sizes: Vec<String> =
        after.iter().map(|(name, text)| format!("{name} {}", quota::size(text))).collect();
    Some(Notice {
        object: format!("{}/{role}", Kind::IamRole),
        message: format!(
            "its inline policies would have {total} characters together ({}), and IAM takes {}; \
             the largest statements: {}",
            sizes.join(", "),
            quota::INLINE_POLICIES,
            largest.join("; ")
        ),
        next: "shorten spec.additionalPolicies, or move statements to a managed policy".to_owned(),
    })
}
