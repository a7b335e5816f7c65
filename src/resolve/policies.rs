//! Policies that IAM would refuse: those that are too large, which counts with what the role has
//! already, and managed ones that do not exist.

use std::collections::BTreeMap;

use crate::catalogue::kinds::{Resource, Update, Write};
use crate::core::kind::ResourceId;
use crate::core::seen::Seen;
use crate::desired::Notice;
use crate::iam::managed_policy::LiveManagedPolicy;
use crate::iam::role::IamRole;
use crate::iam::role_policy::LivePolicies;
use crate::limits::{INLINE_POLICIES, POLICY_SIZES_SOURCE, TRUST_POLICY};
use crate::policy::document::Document;
use crate::policy::parse::{self, PrincipalRule};
use crate::policy::quota;

/// A policy as a write leaves it.
struct Written<'a> {
    role: &'a str,
    name: &'a str,
    /// `None` for one that goes.
    document: Option<String>,
}

impl<'a> Written<'a> {
    fn by(write: &'a Write) -> Option<Self> {
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
        Some(Self { role: &policy.role, name: &policy.name, document })
    }
}

/// Policies that IAM would refuse.
pub(crate) fn too_large<'a>(
    writes: impl Iterator<Item = &'a Write>,
    seen: &Seen,
    account: &str,
) -> Vec<Notice> {
    let mut refusals = Vec::new();
    let mut written: BTreeMap<&str, Vec<Written<'_>>> = BTreeMap::new();
    for write in writes {
        refusals.extend(trust(write, account));
        if let Some(policy) = Written::by(write) {
            written.entry(policy.role).or_default().push(policy);
        }
    }
    let grows = |written: &Written<'_>| written.document.is_some();
    for (role, written) in written.iter().filter(|(_, all)| all.iter().any(grows)) {
        refusals.extend(inline_policies(seen, role, written));
    }
    refusals
}

/// A trust policy that is too large.
fn trust(write: &Write, account: &str) -> Option<Notice> {
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
    let size = quota::size(&role.trust.document(account).to_compact());
    (size > TRUST_POLICY).then(|| Notice {
        object: format!("{}/{}", IamRole::KIND, role.name),
        message: format!(
            "its trust policy would have {size} characters, and IAM takes {TRUST_POLICY} \
             ({POLICY_SIZES_SOURCE})"
        ),
        next: String::new(),
    })
}

/// The managed policy that something which is written needs, if there is none.
pub(crate) fn lacking(written: &Resource, seen: &Seen) -> Option<Notice> {
    let (arn, named_in) = match written {
        Resource::IamRole(role) => (role.boundary.as_ref()?, "spec.iam.permissionsBoundary"),
        Resource::IamRolePolicyAttachment(attachment) => (&attachment.policy, "the spec"),
        _ => return None,
    };
    let is_lacking = seen.named::<LiveManagedPolicy>(arn).exists() == Some(false);
    is_lacking.then(|| Notice {
        object: written.id().to_string(),
        message: format!("the policy {arn} does not exist"),
        next: format!("create the policy, or correct its ARN in {named_in}"),
    })
}

/// All inline policies of the role as they would be after the plan.
fn inline_policies(seen: &Seen, role: &str, written: &[Written<'_>]) -> Option<Notice> {
    let mut after: BTreeMap<&str, &str> = BTreeMap::new();
    if let Some(live) = seen.one::<LivePolicies>(role) {
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

/// Of each policy that grows, those of its role that shrink: were they written after it, the role
/// would hold more for a moment than before or after, which IAM would refuse.
pub(crate) fn shrink_first<'a>(
    writes: impl Iterator<Item = (&'a ResourceId, &'a Write)>,
    seen: &Seen,
) -> BTreeMap<ResourceId, Vec<ResourceId>> {
    let mut growing: Vec<(&ResourceId, &str)> = Vec::new();
    let mut shrinking: BTreeMap<&str, Vec<ResourceId>> = BTreeMap::new();
    for (id, write) in writes {
        let Some(Written { role, name, document }) = Written::by(write) else { continue };
        let after = document.as_deref().map_or(0, quota::size);
        let live = seen.one::<LivePolicies>(role);
        let before = live.and_then(|live| live.get(name)).map_or(0, |l| quota::size(&l.text));
        if after > before {
            growing.push((id, role));
        } else {
            shrinking.entry(role).or_default().push(id.clone());
        }
    }
    let first = growing.into_iter().filter_map(|(id, role)| {
        let first = shrinking.get(role)?;
        Some((id.clone(), first.clone()))
    });
    first.collect()
}
