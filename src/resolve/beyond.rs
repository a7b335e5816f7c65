//! What the roles of a cluster may do that nobody asked kapstan for, and what keeps them from it.
//!
//! It is nobody's change: whoever reads a plan is told of it, and it stays. A policy that kapstan
//! writes is a resource, and compared as one; so are trust and boundary of the cluster's own roles.
//! What is attached to these by hand is told with what the spec no longer has, where that may go.

use std::collections::BTreeSet;

use super::existing;
use super::lifecycle::{Lifecycle, Lifecycles, Origin};
use super::roles::Roles;
use super::told::Told;
use crate::aws::AwsError;
use crate::catalogue::kinds::Resource;
use crate::core::document::LiveDocument;
use crate::core::drift::Drift;
use crate::core::kind::{Kind, ResourceId};
use crate::core::seen::Seen;
use crate::desired::DesiredCluster;
use crate::iam::attached::Attached;
use crate::iam::instance_profile::IamInstanceProfile;
use crate::iam::instance_profile_role::IamInstanceProfileRole;
use crate::iam::managed_policy::LiveManagedPolicy;
use crate::iam::role::{IamRole, LiveIamRole, LiveInstanceProfile};
use crate::iam::role_policy::{IamRolePolicy, LivePolicies};
use crate::iam::role_policy_attachment::IamRolePolicyAttachment;

/// Something beyond what kapstan asks for.
#[derive(Debug)]
pub(crate) struct Beyond {
    pub(crate) id: ResourceId,
    /// What it is.
    pub(crate) what: String,
    /// What it grants, or within what it holds a role.
    pub(crate) drift: Drift,
}

/// A role by which instances or pods of the cluster act.
#[derive(Debug)]
struct Acting<'a> {
    role: &'a str,
    profile: &'a str,
    origin: Origin,
    /// Its inline policies that are compared by name; without them all that can be read are
    /// compared together.
    policies: Option<BTreeSet<String>>,
    /// The ARNs of the managed policies that the spec names.
    attached: BTreeSet<&'a str>,
}

/// All that there is beyond, as far as it was looked at, and what was not.
pub(crate) fn find(
    desired: &DesiredCluster,
    seen: &Seen,
    lifecycles: &Lifecycles,
    roles: &Roles<'_>,
) -> (Vec<Beyond>, Told) {
    let acting = own(desired, roles).into_iter().chain(brought(desired, seen, lifecycles));
    let swept = lifecycles.of(IamRolePolicyAttachment::KIND, Origin::Managed) == Lifecycle::Sync;
    let mut found = Found { seen, all: Vec::new(), told: not_looked_at(desired, lifecycles) };
    for one in acting {
        let looks = |kind| lifecycles.of(kind, one.origin) != Lifecycle::Ignore;
        let is_swept = swept && one.origin != Origin::Existing;
        if looks(IamRolePolicy::KIND) {
            found.inline_policies(&one);
        }
        if looks(IamRole::KIND) {
            if one.origin == Origin::Existing {
                found.boundary(&one);
            }
            found.managed_policies(&one, is_swept);
            found.profile(&one, looks(IamInstanceProfileRole::KIND));
        }
    }
    (found.all, found.told)
}

/// The roles of the spec.
fn own<'a>(desired: &'a DesiredCluster, roles: &Roles<'_>) -> Vec<Acting<'a>> {
    let all = desired.resources.iter().filter_map(|resource| {
        let Resource::IamRole(IamRole { name: role, .. }) = resource else { return None };
        let policies = desired.resources.iter().filter_map(|resource| match resource {
            Resource::IamRolePolicy(policy) => (policy.role == *role).then(|| policy.name.clone()),
            _ => None,
        });
        let attached = desired.resources.iter().filter_map(|resource| match resource {
            Resource::IamRolePolicyAttachment(one) => {
                (one.role == *role).then_some(one.policy.as_str())
            }
            _ => None,
        });
        Some(Acting {
            role,
            profile: role,
            origin: roles.origin(resource),
            policies: Some(policies.collect()),
            attached: attached.collect(),
        })
    });
    all.collect()
}

/// The roles in the profiles that the user brings along.
fn brought<'a>(
    desired: &'a DesiredCluster,
    seen: &'a Seen,
    lifecycles: &Lifecycles,
) -> Vec<Acting<'a>> {
    let lifecycle = lifecycles.of(IamRolePolicy::KIND, Origin::Existing);
    let all = desired.existing.iter().filter_map(|existing| {
        let profile = existing.arn.name.as_str();
        let role = seen.one::<LiveInstanceProfile>(profile)?.role.as_ref()?.name.as_str();
        let policies = existing::policies_by_name(role, lifecycle);
        let attached = BTreeSet::new();
        Some(Acting { role, profile, origin: Origin::Existing, policies, attached })
    });
    all.collect()
}

struct Found<'a> {
    seen: &'a Seen,
    all: Vec<Beyond>,
    told: Told,
}

impl<'a> Found<'a> {
    /// Told once of a role that several groups have.
    fn add(&mut self, kind: Kind, name: &str, what: String, drift: Drift) {
        let id = ResourceId::new(kind, name);
        if !self.all.iter().any(|other| other.id == id && other.what == what) {
            self.all.push(Beyond { id, what, drift });
        }
    }

    /// That something could not be looked at.
    fn unknown(&mut self, role: &str, what: &str, error: &AwsError) {
        self.warn(role, what, error);
        self.add(IamRole::KIND, role, format!("{what}: {error}"), Drift::default());
    }

    fn warn(&mut self, role: &str, what: &str, error: &AwsError) {
        let next = format!("allow {}", error.operation);
        self.told.warn(ResourceId::new(IamRole::KIND, role), format!("{what}: {error}"), next);
    }

    /// That they could not be looked at is told with those that the spec wants.
    fn inline_policies(&mut self, acting: &Acting<'_>) {
        let Some(policies) = self.seen.one::<LivePolicies>(acting.role) else { return };
        for (name, document) in policies.iter() {
            let is_compared = match &acting.policies {
                Some(names) => names.contains(name),
                None => document.document.is_some(),
            };
            if !is_compared {
                let what = format!("inline policy of {}, not kapstan's", acting.role);
                self.add(IamRolePolicy::KIND, name, what, document.granted());
            }
        }
    }

    /// Of a role of the spec it is compared.
    fn boundary(&mut self, Acting { role, .. }: &Acting<'_>) {
        let looked = self.seen.named::<LiveIamRole>(role);
        if let Some(error) = looked.refused() {
            self.unknown(role, "whether it has a permission boundary is not known", error);
        }
        let Some(arn) = looked.one().and_then(|role| role.boundary.as_ref()) else { return };
        let what = format!("has the permission boundary {arn}");
        let document = self.document(role, arn, &format!("{what}; what it allows is not known"));
        if let Some(document) = document {
            let mut drift = document.granted();
            drift.within = std::mem::take(&mut drift.permissions.lost);
            self.add(IamRole::KIND, role, what, drift);
        }
    }

    /// Where they are swept, what may go is told as that.
    fn managed_policies(&mut self, acting: &Acting<'_>, is_swept: bool) {
        let Acting { role, attached, .. } = acting;
        let looked = self.seen.named::<Attached>(role);
        if let Some(error) = looked.refused() {
            self.unknown(role, "which managed policies it has is not known", error);
        }
        let found = looked.rows().iter().flat_map(|attached| &attached.policies);
        for arn in found.filter(|arn| !attached.contains(arn.as_str())) {
            let what = format!("has the managed policy {arn}, not kapstan's");
            let unknown = format!("{what}; what it grants is not known");
            if is_swept {
                let policy = self.seen.named::<LiveManagedPolicy>(arn);
                if let Some(error) = policy.refused() {
                    self.warn(role, &unknown, error);
                }
            } else if let Some(document) = self.document(role, arn, &unknown) {
                self.add(IamRole::KIND, role, what, document.granted());
            }
        }
    }

    /// What else its profile carries. Which role is in it first is compared where that is looked
    /// at.
    fn profile(&mut self, Acting { role, profile, .. }: &Acting<'_>, is_compared: bool) {
        let Some(found) = self.seen.one::<LiveInstanceProfile>(profile) else { return };
        let first = found.role.as_ref().map(|role| &role.name).filter(|_| !is_compared);
        let others =
            first.into_iter().chain(&found.further).filter(|other| other.as_str() != *role);
        for other in others {
            let what = format!("carries the role {other}, not kapstan's");
            self.add(IamInstanceProfile::KIND, profile, what, Drift::default());
        }
    }

    /// What a managed policy says; that it is not known is told.
    fn document(&mut self, role: &str, arn: &str, unknown: &str) -> Option<&'a LiveDocument> {
        let looked = self.seen.named::<LiveManagedPolicy>(arn);
        if let Some(error) = looked.refused() {
            self.unknown(role, unknown, error);
        } else if looked.one().is_none() {
            // Detached and deleted between two looks.
            self.add(IamRole::KIND, role, unknown.to_owned(), Drift::default());
        }
        looked.one().map(|policy| &policy.0)
    }
}

/// What is left out tells nothing of what roles may.
fn not_looked_at(desired: &DesiredCluster, lifecycles: &Lifecycles) -> Told {
    let has_own = |resource: &Resource| matches!(resource, Resource::IamRole(_));
    let origins = [
        desired.resources.iter().any(has_own).then_some(Origin::Managed),
        (!desired.existing.is_empty()).then_some(Origin::Existing),
    ];
    let is_ignored = |kind: &Kind| {
        let mut origins = origins.iter().flatten();
        origins.any(|origin| lifecycles.of(*kind, *origin) == Lifecycle::Ignore)
    };
    let kinds = [IamRole::KIND, IamRolePolicy::KIND].into_iter().filter(is_ignored);
    let kinds: Vec<&str> = kinds.map(Kind::name).collect();
    let mut told = Told::default();
    if !kinds.is_empty() {
        told.note(
            kinds.join(" and "),
            "not looked at (Ignore), so that it is not known what else the cluster's roles may do"
                .to_owned(),
            "kapstan iam diff tells it".to_owned(),
        );
    }
    told
}
