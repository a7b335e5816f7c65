//! Refuses names, tags and policies that AWS would refuse, before anything is written.

use std::collections::{BTreeMap, BTreeSet};

use super::{Action, Change, Planner};
use crate::catalogue::kinds::{Resource, Update, Write};
use crate::core::given::Given;
use crate::core::kind::ResourceId;
use crate::desired::Notice;
use crate::iam::role::IamRole;
use crate::iam::role_policy::LivePolicies;
use crate::limits::{INLINE_POLICIES, POLICY_SIZES_SOURCE, TRUST_POLICY, tag};
use crate::policy::document::Document;
use crate::policy::parse::{self, PrincipalRule};
use crate::policy::quota;

pub(super) fn check(planner: &mut Planner<'_>, resources: &[Resource]) {
    let mut refusals = Vec::new();
    for change in planner.plan.writes().filter(|change| change.action == Action::Create) {
        refusals.extend(name(change));
    }
    let written: BTreeSet<&ResourceId> = planner.plan.writes().map(|change| &change.id).collect();
    for resource in resources.iter().filter(|resource| written.contains(&resource.id())) {
        refusals.extend(tags(resource));
    }
    let mut written: BTreeMap<&str, Vec<Written>> = BTreeMap::new();
    for change in planner.plan.writes() {
        let Some(write) = &change.write else { continue };
        refusals.extend(trust(write));
        if let Some(policy) = policy(write) {
            written.entry(policy.role).or_default().push(policy);
        }
    }
    let grows = |written: &&Written<'_>| written.document.is_some();
    for (role, written) in written.iter().filter(|(_, all)| all.iter().any(|one| grows(&one))) {
        refusals.extend(inline_policies(planner, role, written));
    }
    planner.plan.refusals.extend(refusals);
}

/// A policy as a write leaves it.
struct Written<'a> {
    role: &'a str,
    name: &'a str,
    /// `None` for one that goes.
    document: Option<String>,
}

fn policy(write: &Write) -> Option<Written<'_>> {
    let (policy, document) = match write {
        Write::Create(resource) => match resource.as_ref() {
            Resource::IamRolePolicy(policy) => {
                (policy, policy.content.document(None).map(|document| document.to_compact()))
            }
            _ => return None,
        },
        Write::Update(update) => match update.as_ref() {
            Update::IamRolePolicy(update) => {
                let after = update.changed.document.as_ref()?.after.as_ref();
                (&update.resource, after.map(|document| document.text.clone()))
            }
            _ => return None,
        },
        Write::Delete(_) => return None,
    };
    Some(Written { role: &policy.role, name: &policy.name, document })
}

/// A trust policy that is too large.
fn trust(write: &Write) -> Option<Notice> {
    let role = match write {
        Write::Create(resource) => match resource.as_ref() {
            Resource::IamRole(role) => role,
            _ => return None,
        },
        Write::Update(update) => match update.as_ref() {
            Update::IamRole(update) if update.changed.trust.is_some() => &update.resource,
            _ => return None,
        },
        Write::Delete(_) => return None,
    };
    let size = quota::size(&role.trust.to_compact());
    (size > TRUST_POLICY).then(|| Notice {
        object: format!("{}/{}", IamRole::KIND, role.name),
        message: format!(
            "its trust policy would have {size} characters, and IAM takes {TRUST_POLICY} \
             ({POLICY_SIZES_SOURCE})"
        ),
        next: String::new(),
    })
}

fn name(change: &Change) -> Option<Notice> {
    let Some(Write::Create(resource)) = &change.write else { return None };
    let (limit, name) = resource.given().name?;
    Some(Notice {
        object: change.id.to_string(),
        message: limit.refusal(name)?,
        next: "the name comes from the spec's; choose another for the cluster or the group"
            .to_owned(),
    })
}

fn tags(resource: &Resource) -> Vec<Notice> {
    let Given { tags: Some(tags), is_plain, .. } = resource.given() else { return Vec::new() };
    let mut reasons = Vec::new();
    let count = i64::try_from(tags.len()).unwrap_or(i64::MAX);
    reasons.extend(tag::COUNT.refusal(count).map(|reason| format!("the number of tags {reason}")));
    for (key, value) in tags {
        reasons.extend(tag::key_refusal(key).map(|reason| format!("the tag {key:?} {reason}")));
        let reason = tag::value_refusal(value);
        reasons.extend(reason.map(|reason| format!("the tag {key:?}: {reason}")));
        if is_plain && !(tag::is_plain(key) && tag::is_plain(value)) {
            reasons.push(format!(
                "the tag {key:?} is {value:?}, and takes letters, digits, spaces and _.:/=+-@ only"
            ));
        }
    }
    let next = "shorten names in the spec, or have fewer labels".to_owned();
    let notice =
        |message| Notice { object: resource.id().to_string(), message, next: next.clone() };
    reasons.into_iter().map(notice).collect()
}

/// Lets the policies of a role shrink before others of it grow, so that it never holds more
/// than before or after the plan: IAM would refuse what is too much even for a moment.
pub(super) fn shrink_first(planner: &mut Planner<'_>) {
    let mut growing: Vec<(usize, &str)> = Vec::new();
    let mut shrinking: BTreeMap<&str, Vec<ResourceId>> = BTreeMap::new();
    for (position, change) in planner.plan.changes.iter().enumerate() {
        let Some(Written { role, name, document }) = change.write.as_ref().and_then(policy) else {
            continue;
        };
        let after = document.as_deref().map_or(0, quota::size);
        let live = planner.live.seen.one::<LivePolicies>(role);
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
fn inline_policies(planner: &Planner<'_>, role: &str, written: &[Written<'_>]) -> Option<Notice> {
    let mut after: BTreeMap<&str, &str> = BTreeMap::new();
    if let Some(live) = planner.live.seen.one::<LivePolicies>(role) {
        after.extend(live.iter().map(|(name, live)| (name, live.text.as_str())));
    }
    for Written { name, document, .. } in written {
        match document {
            Some(document) => after.insert(name, document),
            None => after.remove(name),
        };
    }
    let total: usize = after.values().map(|text| quota::size(text)).sum();
    if total <= INLINE_POLICIES {
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
        object: format!("{}/{role}", IamRole::KIND),
        message: format!(
            "its inline policies would have {total} characters together ({}), and IAM takes \
             {INLINE_POLICIES} ({POLICY_SIZES_SOURCE}); the largest statements: {}",
            sizes.join(", "),
            largest.join("; ")
        ),
        next: "shorten spec.additionalPolicies, or move statements to a managed policy".to_owned(),
    })
}
