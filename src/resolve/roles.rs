//! Whose the roles and the profiles of the cluster's names are: nothing is put into one that is
//! somebody else's.

use super::lifecycle::{Lifecycle, Lifecycles, Origin};
use crate::catalogue::kinds::{Resource, State};
use crate::core::drift::Drift;
use crate::core::seen::Seen;
use crate::core::whose::{Owner, Taggable, Whose};
use crate::desired::DesiredCluster;
use crate::iam::instance_profile::IamInstanceProfile;
use crate::iam::presence::{self, Parts};
use crate::iam::role::IamRole;
use crate::limits::partition::Partition;
use crate::policy::document::Document;
use crate::policy::trust;

/// The trust policy of the cluster's roles.
pub(super) fn trust(desired: &DesiredCluster) -> Document {
    trust::document(Partition::of_region(&desired.region))
}

/// By what it is told whose they are.
#[derive(Debug)]
pub(crate) struct Roles<'a> {
    seen: &'a Seen,
    trust: Document,
    /// That of the cluster's roles.
    lifecycle: Lifecycle,
}

impl<'a> Roles<'a> {
    pub(crate) fn new(desired: &DesiredCluster, seen: &'a Seen, lifecycles: &Lifecycles) -> Self {
        let lifecycle = lifecycles.of(IamRole::KIND, Origin::Managed);
        Self { seen, trust: trust(desired), lifecycle }
    }

    /// What stands in the way of a resource that would be put into a role or a profile which is
    /// there, but not the cluster's.
    pub(crate) fn obstacle(&self, resource: &Resource, owner: &Owner) -> Option<State> {
        let (role, profile) = match resource {
            Resource::IamRole(role) => (Some(&role.name), None),
            Resource::IamRolePolicy(policy) => (Some(&policy.role), None),
            Resource::IamInstanceProfile(profile) => (None, Some(&profile.name)),
            Resource::IamInstanceProfileRole(link) => (Some(&link.role), Some(&link.profile)),
            _ => return None,
        };
        let role = role.filter(|role| presence::has_role(self.seen, role) == Some(true));
        let role = role.map(|name| (name, self.whose_role(name, owner), Taggable::Role(name)));
        let profile = profile.filter(|name| presence::has_profile(self.seen, name) == Some(true));
        let profile =
            profile.map(|name| (name, self.whose_profile(name, owner), Taggable::Profile(name)));
        let mut found = role.into_iter().chain(profile);
        let (name, whose, thing) = found.find(|(_, whose, _)| !whose.is_owned())?;
        let is_part =
            matches!(resource, Resource::IamRolePolicy(_) | Resource::IamInstanceProfileRole(_));
        if is_part
            && !matches!(self.lifecycle, Lifecycle::Ignore | Lifecycle::ExistsAndWarnIfChanges)
        {
            // Refused with the role.
            return Some(State::NoMatter);
        }
        let message = format!("there is one already ({name}), {}", whose.reason()?);
        Some(State::Impossible(Drift::default(), message, owner.adopt(&thing)))
    }

    fn whose_role(&self, name: &str, owner: &Owner) -> Whose {
        let found = Parts::among(self.seen, name, &self.trust);
        owner.whose(IamRole::KIND, &found.role())
    }

    fn whose_profile(&self, name: &str, owner: &Owner) -> Whose {
        let found = Parts::among(self.seen, name, &self.trust);
        owner.whose(IamInstanceProfile::KIND, &found.profile(owner))
    }
}
