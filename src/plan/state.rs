//! How a resource stands to what is wanted of it, before any lifecycle has a say.

use super::Planner;
use super::lifecycle::{Lifecycle, Origin};
use crate::catalogue::kinds::{Resource, State, Write};
use crate::core::drift::Drift;
use crate::core::kind::Kind;
use crate::core::seen::Observed;
use crate::core::whose::{Taggable, Whose};
use crate::iam::instance_profile::{self, IamInstanceProfile};
use crate::iam::instance_profile_role;
use crate::iam::look::Look;
use crate::iam::role::{self, IamRole};
use crate::iam::role_policy::{self, IamRolePolicy};
use crate::policy::document::Document;

impl Planner<'_> {
    pub(super) fn state(&self, resource: &Resource) -> State {
        match resource {
            Resource::Role(role) => {
                let create = || (Drift::default(), Write::Role(role::create(role)));
                let found = self.live.roles.get(&role.name);
                state_of(found, create, |live| {
                    role::compare(role, live).map(|(drift, write)| (drift, Write::Role(write)))
                })
            }
            Resource::RolePolicy(policy) => self.policy_state(policy),
            Resource::Managed(resource) => resource.state(self.view()),
            Resource::InstanceProfile(profile) => {
                let create = || {
                    let write = instance_profile::create(profile);
                    (Drift::default(), Write::InstanceProfile(write))
                };
                state_of(self.live.profiles.get(&profile.name), create, |live| {
                    instance_profile::compare(profile, live)
                        .map(|(drift, write)| (drift, Write::InstanceProfile(write)))
                })
            }
            Resource::InstanceProfileRole(link) => {
                let create = || {
                    let write = instance_profile_role::create(link);
                    (Drift::default(), Write::InstanceProfileRole(write))
                };
                let found = self.live.profiles.get(&link.profile);
                if let Some(Observed::Found(profile)) = found
                    && profile.role.is_none()
                {
                    let (drift, write) = create();
                    return State::Missing(drift, write);
                }
                state_of(found, create, |live| {
                    instance_profile_role::compare(link, live)
                        .map(|(drift, write)| (drift, Write::InstanceProfileRole(write)))
                })
            }
        }
    }

    /// What was found under the name of a role of the cluster's.
    pub(super) fn look_at_role<'a>(&'a self, name: &'a str) -> Look<'a> {
        let role = self.live.roles.get(name).and_then(|role| role.found());
        let profile = self.live.profiles.get(name);
        let policies = self.live.policies.get(name);
        Look { name, role, policies, profile, trust: &self.trust }
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
            Resource::Role(role) => (Some(&role.name), None),
            Resource::RolePolicy(policy) => (Some(&policy.role), None),
            Resource::InstanceProfile(profile) => (None, Some(&profile.name)),
            Resource::InstanceProfileRole(link) => (Some(&link.role), Some(&link.profile)),
            Resource::Managed(_) => return None,
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
            matches!(resource, Resource::RolePolicy(_) | Resource::InstanceProfileRole(_));
        let of_role = self.lifecycles.of(IamRole::KIND, Origin::Managed);
        if is_part && !matches!(of_role, Lifecycle::Ignore | Lifecycle::ExistsAndWarnIfChanges) {
            // Refused with the role.
            return Some(State::NoMatter);
        }
        let message = format!("there is one already ({name}), {}", whose.reason()?);
        Some(State::Impossible(Drift::default(), message, self.owner.adopt(&thing)))
    }

    pub(super) fn policy_state(&self, policy: &IamRolePolicy) -> State {
        let desired = self.document_of(policy);
        let live = match self.live.policies.get(&policy.role) {
            None => return State::NoMatter,
            Some(Observed::Denied(error)) => return State::Denied(error.clone()),
            Some(Observed::Missing) => None,
            Some(Observed::Found(policies)) => policies.get(&policy.name),
        };
        match (live, &desired) {
            (None, None) => State::NoMatter,
            (None, Some(desired)) => {
                let (drift, write) = role_policy::creation(policy, desired);
                State::Missing(drift, Write::RolePolicy(write))
            }
            (Some(live), desired) => match role_policy::compare(policy, desired.as_ref(), live) {
                None => State::Equal,
                Some((drift, write)) => State::Differs(drift, Some(Write::RolePolicy(write))),
            },
        }
    }

    pub(super) fn document_of(&self, policy: &IamRolePolicy) -> Option<Document> {
        policy.content.document(self.zone.as_deref())
    }
}

fn state_of<T>(
    found: Option<&Observed<T>>,
    create: impl FnOnce() -> (Drift, Write),
    compare: impl FnOnce(&T) -> Option<(Drift, Write)>,
) -> State {
    match found {
        None => State::NoMatter,
        Some(Observed::Denied(error)) => State::Denied(error.clone()),
        Some(Observed::Missing) => {
            let (drift, write) = create();
            State::Missing(drift, write)
        }
        Some(Observed::Found(live)) => match compare(live) {
            None => State::Equal,
            Some((drift, write)) => State::Differs(drift, Some(write)),
        },
    }
}
