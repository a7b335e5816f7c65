//! Whose roles and profiles are, told by looking at both together, and what of them a cluster has.

use crate::aws::tags::Tags;
use crate::core::belongings::{Around, Belonging, Presence};
use crate::core::in_use::Thing;
use crate::core::kind::ResourceId;
use crate::core::look::Looking;
use crate::core::manage::View;
use crate::core::seen::{Looked, Seen};
use crate::core::whose::{Marks, Owner};
use crate::iam::attached::Attached;
use crate::iam::instance_profile::{IamInstanceProfile, InstanceProfileDeletion};
use crate::iam::instance_profile_role::IamInstanceProfileRole;
use crate::iam::look::{
    AttachedPolicies, LeftRoles, ManagedPolicies, OwnRole, Policies, PoliciesThrough, Profiles,
    RoleTrust, Roles, RolesThrough, may_be_of_account,
};
use crate::iam::role::{IamRole, LiveIamRole, LiveInstanceProfile, Trust};
use crate::iam::role_deletion::RoleDeletion;
use crate::iam::role_policy::{IamRolePolicy, LivePolicies};
use crate::policy::document::Document;

impl Presence for IamRole {
    const LOOKS: &'static [Looking] = &[
        Looking::of::<Roles>(),
        Looking::of::<RolesThrough>(),
        Looking::of::<AttachedPolicies>(),
        Looking::of::<ManagedPolicies>(),
        Looking::of::<LeftRoles>(),
    ];

    const IS_SOUGHT: bool = false;

    fn exists(id: &ResourceId, view: View<'_>) -> Option<bool> {
        has_role(view.seen, &id.name)
    }

    fn belongings(around: &Around<'_>) -> Vec<Belonging> {
        let seen = around.seen;
        let roles = seen.all_named::<LiveIamRole>().filter_map(|(name, role)| {
            let deletion = deletion(role.one()?, seen)?;
            let id = ResourceId::new(Self::KIND, name);
            match Parts::of(around, name) {
                Some(parts) => {
                    let whose = around.owner.whose(Self::KIND, &parts.role());
                    Some(used_through(around, name, Belonging::new(id, whose, deletion)))
                }
                None => {
                    let marks = Parts::of_pods(seen, name).role();
                    let is_ours = may_be_of_account(name, around.owner.cluster());
                    is_ours.then(|| around.one("", id, &marks, deletion)).flatten()
                }
            }
        });
        roles.collect()
    }
}

/// What deletes a role, as far as all of it was looked at.
pub(crate) fn deletion(role: &LiveIamRole, seen: &Seen) -> Option<RoleDeletion> {
    Some(RoleDeletion {
        name: role.name.clone(),
        policies: seen.one::<LivePolicies>(&role.name)?.policies.clone(),
        attached: seen.one::<Attached>(&role.name)?.policies.clone(),
    })
}

impl Presence for IamRolePolicy {
    const LOOKS: &'static [Looking] =
        &[Looking::of::<Policies>(), Looking::of::<PoliciesThrough>()];

    const IS_SOUGHT: bool = false;

    fn exists(_: &ResourceId, _: View<'_>) -> Option<bool> {
        None
    }

    /// They go with their role.
    fn belongings(_: &Around<'_>) -> Vec<Belonging> {
        Vec::new()
    }
}

impl Presence for IamInstanceProfile {
    const LOOKS: &'static [Looking] = &[Looking::of::<Profiles>()];

    const IS_SOUGHT: bool = false;

    fn exists(id: &ResourceId, view: View<'_>) -> Option<bool> {
        has_profile(view.seen, &id.name)
    }

    fn name_found(owner: &mut Owner, seen: &Seen) {
        for (name, profile) in seen.all_named::<LiveInstanceProfile>() {
            if let Some(role) = profile.one().and_then(|profile| profile.role.as_ref()) {
                let part = (IamRole::KIND, role.name.as_str());
                owner.name_part((Self::KIND, name), part, "whose role it is");
            }
        }
    }

    fn belongings(around: &Around<'_>) -> Vec<Belonging> {
        let profiles = around.seen.all_named::<LiveInstanceProfile>();
        let profiles = profiles.filter_map(|(name, profile)| {
            let (parts, profile) = (Parts::of(around, name)?, profile.one()?);
            let roles = profile.roles().cloned().collect();
            let whose = around.owner.whose(Self::KIND, &parts.profile(around.owner));
            let deletion = InstanceProfileDeletion { name: profile.name.clone(), roles };
            let found = Belonging::new(ResourceId::new(Self::KIND, name), whose, deletion);
            Some(used_through(around, name, found))
        });
        profiles.collect()
    }
}

impl Presence for IamInstanceProfileRole {
    const LOOKS: &'static [Looking] = &[Looking::of::<Profiles>()];

    const IS_SOUGHT: bool = false;

    fn exists(_: &ResourceId, _: View<'_>) -> Option<bool> {
        None
    }

    /// They go with their profile.
    fn belongings(_: &Around<'_>) -> Vec<Belonging> {
        Vec::new()
    }
}

/// Instances use a role through the profile of its name.
fn used_through(around: &Around<'_>, name: &str, found: Belonging) -> Belonging {
    match around.seen.one::<LiveInstanceProfile>(name) {
        Some(profile) => found.used_as(Thing::InstanceProfile(profile.arn.clone())),
        None => found,
    }
}

/// The tags of roles and profiles of the cluster's names that are another cluster's of its name.
pub(crate) fn of_twins<'a>(around: &Around<'a>) -> impl Iterator<Item = &'a Tags> {
    let (seen, owner) = (around.seen, around.owner);
    let all = around.wishes.of::<OwnRole>().iter().flat_map(|own| {
        let role = seen.one::<LiveIamRole>(&own.name).map(|role| &role.tags);
        let profile = seen.one::<LiveInstanceProfile>(&own.name).map(|profile| &profile.tags);
        role.into_iter().chain(profile)
    });
    all.filter(|tags| owner.is_marked(tags) && owner.home().other(tags).is_some())
}

/// Whether a role of the spec is there, and the cluster's own.
pub(crate) fn owns(role: &IamRole, view: View<'_>) -> bool {
    let parts = match &role.trust {
        Trust::Given(trust) => Parts::among(view.seen, &role.name, trust),
        Trust::Pods(_) => Parts::of_pods(view.seen, &role.name),
    };
    has_role(view.seen, &role.name) == Some(true) && view.owns(IamRole::KIND, &parts.role())
}

/// Whether a role exists, if anything that was read tells.
pub(crate) fn has_role(seen: &Seen, name: &str) -> Option<bool> {
    let by_itself = seen.named::<LiveIamRole>(name).exists();
    by_itself.or_else(|| seen.named::<LivePolicies>(name).exists())
}

pub(crate) fn has_profile(seen: &Seen, name: &str) -> Option<bool> {
    seen.named::<LiveInstanceProfile>(name).exists()
}

/// What was found under the name of one of the cluster's roles; `None` is what was not looked
/// at, or could not be, and speaks neither for nor against.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parts<'a> {
    pub(crate) name: &'a str,
    pub(crate) role: Option<&'a LiveIamRole>,
    pub(crate) policies: &'a Looked<LivePolicies>,
    pub(crate) profile: &'a Looked<LiveInstanceProfile>,
    /// The trust policy that the roles of the cluster's instances have; what pods take is known by
    /// its tags alone.
    pub(crate) trust: Option<&'a Document>,
}

impl<'a> Parts<'a> {
    /// What was found of one of the cluster's own roles.
    fn of(around: &Around<'a>, name: &str) -> Option<Self> {
        let own = around.wishes.of::<OwnRole>().iter().find(|own| own.name == name)?;
        let trust = around.wishes.of::<RoleTrust>().first()?;
        Some(Self::among(around.seen, &own.name, &trust.0))
    }

    pub(crate) fn among(seen: &'a Seen, name: &'a str, trust: &'a Document) -> Self {
        Self { trust: Some(trust), ..Self::of_pods(seen, name) }
    }

    /// What was found of a role that pods take.
    pub(crate) fn of_pods(seen: &'a Seen, name: &'a str) -> Self {
        let (role, profile, policies) = (seen.one(name), seen.named(name), seen.named(name));
        Self { name, role, policies, profile, trust: None }
    }

    /// kops makes a role that EC2 takes, with a policy of its name, in a profile of its name;
    /// before v1.19 without tags.
    pub(crate) fn role(self) -> Marks<'a> {
        let marks = Marks::of(self.name);
        let marks = match self.trust {
            None => marks.fits(self.role.is_none()),
            Some(trust) => {
                let is_trusted = |role: &LiveIamRole| role.trust.drift_to(trust).is_none();
                let has_policy = self.policies.exists().is_none_or(|_| {
                    let found = self.policies.one();
                    found.is_some_and(|policies| policies.get(self.name).is_some())
                });
                let fits = self.role.is_none_or(is_trusted) && has_policy && self.is_carried();
                let profile = self.profile.one().map(|profile| &profile.tags);
                marks.fits(fits).beside(profile)
            }
        };
        match self.role {
            Some(role) => marks.tags(&role.tags),
            None => marks,
        }
    }

    /// The profile of the role's name, which is the cluster's if its role is.
    pub(crate) fn profile(self, owner: &Owner) -> Marks<'a> {
        let is_own = owner.whose(IamRole::KIND, &self.role()).is_owned();
        let marks = Marks::of(self.name).fits(is_own && self.is_carried());
        let marks = marks.beside(self.role.map(|role| &role.tags));
        match self.profile.one() {
            Some(profile) => marks.tags(&profile.tags),
            None => marks,
        }
    }

    fn is_carried(self) -> bool {
        self.profile.exists().is_none_or(|_| {
            let role = self.profile.one().and_then(|profile| profile.role.as_ref());
            role.is_some_and(|role| role.name == *self.name)
        })
    }
}
