//! What must be read before a plan can be made: nothing that its lifecycle ignores.

use super::lifecycle::{Lifecycle, Lifecycles, Origin};
use crate::desired::DesiredCluster;
use crate::resource::iam_role_policy::Content;
use crate::resource::live::Reads;
use crate::resource::{Kind, Resource};

pub(crate) fn reads(desired: &DesiredCluster, lifecycles: &Lifecycles) -> Reads {
    let looks = |kind, origin| lifecycles.of(kind, origin) != Lifecycle::Ignore;
    let mut reads = Reads::default();
    let mut needs_zone = false;
    for resource in &desired.resources {
        if !looks(resource.id().kind, Origin::Managed) {
            continue;
        }
        match resource {
            Resource::Role(role) => {
                reads.roles.insert(role.name.clone());
            }
            Resource::RolePolicy(policy) => {
                reads.policies.insert(policy.role.clone());
                needs_zone |=
                    matches!(&policy.content, Content::Role(policy) if policy.needs_zone());
            }
            Resource::InstanceProfile(profile) => {
                reads.profiles.insert(profile.name.clone());
            }
            Resource::InstanceProfileRole(link) => {
                reads.profiles.insert(link.profile.clone());
            }
        }
    }
    for profile in &desired.existing {
        let name = &profile.arn.name;
        if Kind::ALL.into_iter().any(|kind| looks(kind, Origin::Existing)) {
            reads.profiles.insert(name.clone());
        }
        if looks(Kind::IamRolePolicy, Origin::Existing) {
            reads.policies_through.insert(name.clone());
            needs_zone |= profile.policy.needs_zone();
        }
    }
    reads.zones = needs_zone && desired.zone.is_looked_up();
    reads
}
