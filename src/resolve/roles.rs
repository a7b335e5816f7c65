//! Whose the roles and the profiles of the cluster's names are: nothing is put into one that is
//! somebody else's.

use std::collections::BTreeMap;

use super::lifecycle::{Lifecycle, Lifecycles, Origin};
use crate::catalogue::kinds::{Resource, State};
use crate::core::drift::Drift;
use crate::core::kind::Kind;
use crate::core::seen::Seen;
use crate::core::whose::{Marks, Owner, Taggable};
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
    lifecycles: &'a Lifecycles,
    /// The roles that pods take, with whose these are.
    of_pods: BTreeMap<String, Origin>,
}

impl<'a> Roles<'a> {
    pub(crate) fn new(
        desired: &DesiredCluster,
        seen: &'a Seen,
        lifecycles: &'a Lifecycles,
    ) -> Self {
        let of_pods = desired.resources.iter().filter_map(|resource| match resource {
            Resource::IamRole(role) => {
                let origin = if role.is_of_add_on { Origin::AddOn } else { Origin::Managed };
                role.is_of_pods().then(|| (role.name.clone(), origin))
            }
            _ => None,
        });
        Self { seen, trust: trust(desired), lifecycles, of_pods: of_pods.collect() }
    }

    /// Whose a resource is that the spec wants.
    pub(crate) fn origin(&self, resource: &Resource) -> Origin {
        let role = match resource {
            Resource::IamRole(role) => &role.name,
            Resource::IamRolePolicy(policy) => &policy.role,
            Resource::IamRolePolicyAttachment(attachment) => &attachment.role,
            _ => return Origin::Managed,
        };
        self.of_pods.get(role).copied().unwrap_or(Origin::Managed)
    }

    /// What stands in the way of a resource that would be put into a role or a profile which is
    /// there, but not the cluster's. One that is as wanted is no use either where another cluster
    /// of the same name has it.
    pub(crate) fn obstacle(
        &self,
        resource: &Resource,
        state: &State,
        owner: &Owner,
    ) -> Option<State> {
        let (role, profile) = match resource {
            Resource::IamRole(role) => (Some(&role.name), None),
            Resource::IamRolePolicy(policy) => (Some(&policy.role), None),
            Resource::IamRolePolicyAttachment(attachment) => (Some(&attachment.role), None),
            Resource::IamInstanceProfile(profile) => (None, Some(&profile.name)),
            Resource::IamInstanceProfileRole(link) => (Some(&link.role), Some(&link.profile)),
            _ => return None,
        };
        let role = role.filter(|role| presence::has_role(self.seen, role) == Some(true));
        let role = role.map(|name| {
            let marks = self.parts(name).role();
            Taken::judge(owner, IamRole::KIND, &marks, &Taggable::Role(name))
        });
        let profile = profile.filter(|name| presence::has_profile(self.seen, name) == Some(true));
        let profile = profile.map(|name| {
            let marks = self.parts(name).profile(owner);
            Taken::judge(owner, IamInstanceProfile::KIND, &marks, &Taggable::Profile(name))
        });
        let mut taken = role.into_iter().chain(profile).flatten();
        let taken = taken.find(|taken| taken.by_twin || !matches!(state, State::Equal))?;
        let is_part = matches!(
            resource,
            Resource::IamRolePolicy(_)
                | Resource::IamRolePolicyAttachment(_)
                | Resource::IamInstanceProfileRole(_)
        );
        let lifecycle = self.lifecycles.of(IamRole::KIND, self.origin(resource));
        if is_part && !matches!(lifecycle, Lifecycle::Ignore | Lifecycle::ExistsAndWarnIfChanges) {
            // Refused with the role.
            return Some(State::NoMatter);
        }
        Some(State::Impossible(Drift::default(), taken.message, taken.next))
    }

    fn parts<'s>(&'s self, name: &'s str) -> Parts<'s> {
        match self.of_pods.contains_key(name) {
            true => Parts::of_pods(self.seen, name),
            false => Parts::among(self.seen, name, &self.trust),
        }
    }
}

/// A role or a profile of a name that the cluster gives, which is not the cluster's.
struct Taken {
    message: String,
    next: String,
    /// Whether it is that of another cluster of the same name.
    by_twin: bool,
}

impl Taken {
    fn judge(owner: &Owner, kind: Kind, marks: &Marks<'_>, thing: &Taggable<'_>) -> Option<Self> {
        let whose = owner.whose(kind, marks);
        let why = whose.reason()?;
        let by_twin = owner.twin(marks).is_some_and(|twin| twin == why);
        let next = if by_twin { owner.instead_of_twin(thing) } else { owner.adopt(thing) };
        let message = format!("there is one already ({}), {why}", marks.id());
        Some(Self { message, next, by_twin })
    }
}
