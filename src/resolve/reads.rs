//! What to look at before a plan can be made: what its lifecycle does not ignore, and what
//! that refers to.

use std::collections::{BTreeMap, BTreeSet};

use super::lifecycle::{Lifecycle, Lifecycles, Origin};
use crate::catalogue::kinds::{self, IAM, Resource};
use crate::core::kind::{Kind, ResourceId};
use crate::core::look::{Asked, Reach};
use crate::core::whose::Owner;
use crate::core::wishes::Wishes;
use crate::desired::{DesiredCluster, names};
use crate::iam::look::{BroughtProfile, RoleTrust, Sought};
use crate::iam::role::IamRole;
use crate::iam::role_policy::IamRolePolicy;
use crate::limits::partition::Partition;
use crate::policy::trust;
use crate::route53::hosted_zone::HostedZone;
use crate::vpc::subnet::UntoldZone;

pub(crate) fn asked(desired: &DesiredCluster, lifecycles: &Lifecycles) -> Asked {
    let looks = |kind| lifecycles.of(kind, Origin::Managed) != Lifecycle::Ignore;
    let looked: Vec<&Resource> =
        desired.resources.iter().filter(|resource| looks(resource.id().kind)).collect();
    let writes = |kind: &Kind| lifecycles.of(*kind, Origin::Managed) == Lifecycle::Sync;
    let kinds = looked_at(desired, &looked, looks, kinds::sought().filter(writes));
    let mut wishes = Wishes::default();
    for resource in &desired.resources {
        if kinds.contains(&resource.id().kind) {
            resource.wish(&mut wishes);
        }
    }
    wishes.add(desired.zone.clone());
    for role in names::own_roles(&desired.name) {
        wishes.add(role);
    }
    if desired.accounts.are_told {
        wishes.add(Sought::Accounts);
    }
    if let Some(issuer) = &desired.accounts.issuer {
        wishes.add(issuer.clone());
    }
    for profile in brought_profiles(desired, lifecycles) {
        wishes.add(profile);
    }
    if has_untold_zone(&looked) {
        wishes.add(UntoldZone);
    }
    Asked {
        owner: desired.owner.clone(),
        reach: Reach::Wanted,
        names: names::own(&desired.name),
        kinds,
        wishes,
    }
}

/// All that speaks of a cluster or bears its names, whatever its spec says.
pub(crate) fn everything(owner: Owner, zone: HostedZone) -> Asked {
    let region = owner.home().region().unwrap_or_default();
    let cluster = owner.cluster().to_owned();
    let mut wishes = Wishes::default();
    wishes.add(zone);
    wishes.add(RoleTrust(trust::document(Partition::of_region(region))));
    for role in names::own_roles(&cluster) {
        wishes.add(role);
    }
    let kinds = kinds::ALL.iter().copied().collect();
    Asked { owner, reach: Reach::Everything, names: names::own(&cluster), kinds, wishes }
}

fn brought_profiles(desired: &DesiredCluster, lifecycles: &Lifecycles) -> Vec<BroughtProfile> {
    let looks = |kind| lifecycles.of(kind, Origin::Existing) != Lifecycle::Ignore;
    if !IAM.into_iter().any(looks) {
        return Vec::new();
    }
    let (with_role, with_policies) = (looks(IamRole::KIND), looks(IamRolePolicy::KIND));
    let profiles = desired.existing.iter().map(|profile| BroughtProfile {
        name: profile.arn.name.clone(),
        with_role,
        with_policies,
        needs_zone: with_policies && profile.policy.needs_zone(),
    });
    profiles.collect()
}

/// Whether a subnet is to lie in a zone that no launch template names: of those that one names, its
/// machine type tells whether they exist.
fn has_untold_zone(looked: &[&Resource]) -> bool {
    let of_groups: BTreeSet<&String> = looked
        .iter()
        .filter_map(|resource| match resource {
            Resource::LaunchTemplate(template) => Some(&template.zones),
            _ => None,
        })
        .flatten()
        .collect();
    looked.iter().any(|resource| match resource {
        Resource::Subnet(subnet) => subnet.existing.is_none() && !of_groups.contains(&subnet.zone),
        _ => false,
    })
}

/// The kinds that are looked at, and those that they refer to or are told by. What IAM has is
/// known by its name, and need not be looked at to be referred to.
fn looked_at(
    desired: &DesiredCluster,
    looked: &[&Resource],
    looks: impl Fn(Kind) -> bool,
    left: impl Iterator<Item = Kind>,
) -> BTreeSet<Kind> {
    let resources: BTreeMap<ResourceId, &Resource> =
        desired.resources.iter().map(|resource| (resource.id(), resource)).collect();
    let mut waiting: Vec<ResourceId> = looked.iter().map(|resource| resource.id()).collect();
    let mut seen: BTreeSet<ResourceId> = waiting.iter().cloned().collect();
    while let Some(id) = waiting.pop() {
        let needs = resources.get(&id).filter(|_| !IAM.contains(&id.kind));
        for need in needs.map(|resource| resource.needs()).unwrap_or_default() {
            if !IAM.contains(&need.kind) && seen.insert(need.clone()) {
                waiting.push(need);
            }
        }
    }
    let mut kinds: BTreeSet<Kind> = seen.into_iter().map(|id| id.kind).chain(left).collect();
    kinds.extend(IAM.into_iter().filter(|kind| looks(*kind)));
    let mut told: Vec<Kind> = kinds.iter().copied().collect();
    while let Some(kind) = told.pop() {
        told.extend(kinds::beside(kind).iter().filter(|beside| kinds.insert(**beside)));
    }
    kinds
}
