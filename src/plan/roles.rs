//! Whose the roles and the profiles of the cluster's names are: nothing is put into one that is
//! somebody else's.

use super::Planner;
use super::lifecycle::{Lifecycle, Origin};
use crate::catalogue::kinds::{Resource, State};
use crate::core::drift::Drift;
use crate::core::kind::Kind;
use crate::core::whose::{Taggable, Whose};
use crate::iam::instance_profile::IamInstanceProfile;
use crate::iam::look::Parts;
use crate::iam::role::IamRole;

impl Planner<'_> {
    /// What was found under the name of a role of the cluster's.
    pub(super) fn look_at_role<'a>(&'a self, name: &'a str) -> Parts<'a> {
        Parts::among(&self.live.seen, name, &self.trust)
    }

    /// Whose a role or a profile of one of the cluster's names is.
    pub(super) fn whose_iam(&self, kind: Kind, name: &str) -> Whose {
        let look = self.look_at_role(name);
        match kind {
            IamRole::KIND => self.owner.whose(kind, &look.role()),
            _ => self.owner.whose(kind, &look.profile(&self.owner)),
        }
    }

    /// A role or a profile that is there, but not the cluster's; nothing is put into it either.
    pub(super) fn not_ours(&self, resource: &Resource) -> Option<State> {
        let (role, profile) = match resource {
            Resource::IamRole(role) => (Some(&role.name), None),
            Resource::IamRolePolicy(policy) => (Some(&policy.role), None),
            Resource::IamInstanceProfile(profile) => (None, Some(&profile.name)),
            Resource::IamInstanceProfileRole(link) => (Some(&link.role), Some(&link.profile)),
            _ => return None,
        };
        let role = role.filter(|role| self.live.has_role(role) == Some(true));
        let role =
            role.map(|name| (name, self.whose_iam(IamRole::KIND, name), Taggable::Role(name)));
        let profile = profile.filter(|profile| self.live.has_profile(profile) == Some(true));
        let profile = profile.map(|name| {
            (name, self.whose_iam(IamInstanceProfile::KIND, name), Taggable::Profile(name))
        });
        let mut found = role.into_iter().chain(profile);
        let (name, whose, thing) = found.find(|(_, whose, _)| !whose.is_owned())?;
        let is_part =
            matches!(resource, Resource::IamRolePolicy(_) | Resource::IamInstanceProfileRole(_));
        let of_role = self.lifecycles.of(IamRole::KIND, Origin::Managed);
        if is_part && !matches!(of_role, Lifecycle::Ignore | Lifecycle::ExistsAndWarnIfChanges) {
            // Refused with the role.
            return Some(State::NoMatter);
        }
        let message = format!("there is one already ({name}), {}", whose.reason()?);
        Some(State::Impossible(Drift::default(), message, self.owner.adopt(&thing)))
    }
}
