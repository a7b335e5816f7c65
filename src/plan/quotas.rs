//! Refuses what IAM would refuse for its size, before anything is written.

use std::collections::{BTreeMap, BTreeSet};

use super::Planner;
use crate::desired::Notice;
use crate::iam::document::Document;
use crate::iam::parse::{self, PrincipalRule};
use crate::iam::quota;
use crate::resource::{Kind, Observed, ResourceId, Write, iam_role, iam_role_policy};

pub(super) fn check(planner: &mut Planner<'_>) {
    let mut refusals = Vec::new();
    let mut roles: BTreeSet<&str> = BTreeSet::new();
    for change in planner.plan.writes() {
        match &change.write {
            Some(Write::RolePolicy(iam_role_policy::Write::Put { role, .. })) => {
                roles.insert(role);
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
    for role in roles {
        refusals.extend(inline_policies(planner, role));
    }
    planner.plan.refusals.extend(refusals);
}

/// Lets the policies of a role shrink before others of it grow, so that it never holds more
/// than before or after the plan: IAM would refuse what is too much even for a moment.
pub(super) fn shrink_first(planner: &mut Planner<'_>) {
    let resized: Vec<(ResourceId, String, Resize)> = planner
        .plan
        .writes()
        .filter_map(|change| {
            let Some(Write::RolePolicy(write)) = &change.write else { return None };
            let (role, name, after) = match write {
                iam_role_policy::Write::Put { role, name, document } => {
                    (role, name, quota::size(document))
                }
                iam_role_policy::Write::Delete { role, name } => (role, name, 0),
            };
            let live = planner.live.policies.get(role).and_then(Observed::found);
            let before = live.and_then(|live| live.get(name)).map_or(0, |l| quota::size(&l.text));
            let resize = if after > before { Resize::Grows } else { Resize::Shrinks };
            Some((change.id.clone(), role.clone(), resize))
        })
        .collect();
    for (id, role, _) in resized.iter().filter(|(_, _, resize)| *resize == Resize::Grows) {
        let first = resized.iter().filter(|(_, of, r)| of == role && *r == Resize::Shrinks);
        let first: Vec<ResourceId> = first.map(|(id, _, _)| id.clone()).collect();
        let growing = planner.plan.changes.iter_mut().filter(|change| change.id == *id);
        growing.for_each(|change| change.needs.extend(first.iter().cloned()));
    }
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Resize {
    Grows,
    Shrinks,
}

/// All inline policies of the role as they would be after the plan.
fn inline_policies(planner: &Planner<'_>, role: &str) -> Option<Notice> {
    let mut after: BTreeMap<&str, &str> = BTreeMap::new();
    if let Some(Observed::Found(live)) = planner.live.policies.get(role) {
        after.extend(live.iter().map(|(name, live)| (name.as_str(), live.text.as_str())));
    }
    for change in planner.plan.writes() {
        match &change.write {
            Some(Write::RolePolicy(iam_role_policy::Write::Put { role: of, name, document }))
                if of == role =>
            {
                after.insert(name, document);
            }
            Some(Write::RolePolicy(iam_role_policy::Write::Delete { role: of, name }))
                if of == role =>
            {
                after.remove(name.as_str());
            }
            _ => {}
        }
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
