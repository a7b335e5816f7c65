//! Roles, their inline policies and their profiles: they are looked at together, since whose a
//! role and its profile are, is told by looking at both.

use crate::aws::{Aws, AwsError};
use crate::core::belongings::{Around, Belonging, Presence};
use crate::core::in_use::Thing;
use crate::core::kind::ResourceId;
use crate::core::look::{Asked, Look, Looking};
use crate::core::manage::View;
use crate::core::seen::{Looked, Row, Seen};
use crate::core::whose::{Marks, Owner};
use crate::iam::instance_profile::{self, IamInstanceProfile, InstanceProfileDeletion};
use crate::iam::instance_profile_role::IamInstanceProfileRole;
use crate::iam::role::{self, Attached, IamRole, LiveIamRole, LiveInstanceProfile, RoleDeletion};
use crate::iam::role_policy::{self, IamRolePolicy, LivePolicies};
use crate::policy::document::Document;
use futures::future::{try_join_all, try_join4};
use std::collections::BTreeSet;

/// A role that the cluster's groups may have, whether the spec has such a group or not.
#[derive(Clone, Debug)]
pub(crate) struct OwnRole {
    pub(crate) name: String,
    /// The key of the tag that a group of this role carries.
    pub(crate) tag: String,
    /// The name of the security group of its instances.
    pub(crate) security_group: String,
}

/// An instance profile that the user brings along.
#[derive(Clone, Debug)]
pub(crate) struct BroughtProfile {
    pub(crate) name: String,
    /// Whether the policies are looked at that lie in its role.
    pub(crate) with_policies: bool,
    /// Whether they name the cluster's hosted zone.
    pub(crate) needs_zone: bool,
}

/// The trust policy of the cluster's roles.
#[derive(Clone, Debug)]
pub(crate) struct RoleTrust(pub(crate) Document);

/// Names, each once.
type Names = BTreeSet<String>;

/// The cluster's own roles, where everything is looked at.
fn all_own(asked: &Asked) -> impl Iterator<Item = String> {
    let own = asked.wanted::<OwnRole>().iter().filter(|_| asked.everything());
    own.map(|role| role.name.clone())
}

/// Reads what IAM has of each name.
async fn each<'a, T, F>(names: &'a Names, read: impl Fn(&'a str) -> F) -> Result<Seen, AwsError>
where
    T: Row,
    F: Future<Output = Result<Looked<T>, AwsError>>,
{
    let found = try_join_all(names.iter().map(|name| read(name))).await?;
    let mut seen = Seen::default();
    for (name, looked) in names.iter().zip(found) {
        seen.put_named(name, looked);
    }
    Ok(seen)
}

/// Roles. Nothing is put into one without a look at whose it is.
#[derive(Debug)]
pub(crate) struct Roles(Names);

impl Look for Roles {
    const AFTER: &'static [Looking] = &[];

    fn ask(asked: &Asked, _: &Seen) -> Option<Self> {
        let roles = asked.wanted::<IamRole>().iter().map(|role| role.name.clone());
        let policies = asked.wanted::<IamRolePolicy>().iter().map(|policy| policy.role.clone());
        Some(Self(roles.chain(policies).chain(all_own(asked)).collect()))
    }

    async fn read(self, aws: &Aws) -> Result<Seen, AwsError> {
        each(&self.0, |name| role::observe(aws, name)).await
    }
}

/// The inline policies of roles: their names first, then all of them at once.
#[derive(Debug)]
pub(crate) struct Policies(Names);

impl Look for Policies {
    const AFTER: &'static [Looking] = &[];

    fn ask(asked: &Asked, _: &Seen) -> Option<Self> {
        let policies = asked.wanted::<IamRolePolicy>().iter().map(|policy| policy.role.clone());
        Some(Self(policies.chain(all_own(asked)).collect()))
    }

    async fn read(self, aws: &Aws) -> Result<Seen, AwsError> {
        each(&self.0, |role| role_policy::observe(aws, role)).await
    }
}

/// The managed policies that are attached to roles which may have to go.
#[derive(Debug)]
pub(crate) struct AttachedPolicies(Names);

impl Look for AttachedPolicies {
    const AFTER: &'static [Looking] = &[];

    fn ask(asked: &Asked, _: &Seen) -> Option<Self> {
        Some(Self(all_own(asked).collect()))
    }

    async fn read(self, aws: &Aws) -> Result<Seen, AwsError> {
        each(&self.0, |role| role::observe_attached(aws, role)).await
    }
}

/// Instance profiles, each with the role in it.
#[derive(Debug)]
pub(crate) struct Profiles(Names);

impl Look for Profiles {
    const AFTER: &'static [Looking] = &[];

    fn ask(asked: &Asked, _: &Seen) -> Option<Self> {
        let own = asked.wanted::<IamInstanceProfile>().iter().map(|profile| profile.name.clone());
        let links = asked.wanted::<IamInstanceProfileRole>().iter();
        let links = links.map(|link| link.profile.clone());
        let brought = asked.wanted::<BroughtProfile>().iter().map(|profile| profile.name.clone());
        // Their roles are not the cluster's either.
        let named = asked.owner.named_of(IamInstanceProfile::KIND).map(str::to_owned);
        let named = named.filter(|_| asked.everything());
        let names = own.chain(links).chain(brought).chain(named).chain(all_own(asked));
        Some(Self(names.collect()))
    }

    async fn read(self, aws: &Aws) -> Result<Seen, AwsError> {
        each(&self.0, |name| instance_profile::observe(aws, name)).await
    }
}

/// The inline policies of roles that are not known before their profiles are.
#[derive(Debug)]
pub(crate) struct PoliciesThrough(Names);

impl Look for PoliciesThrough {
    const AFTER: &'static [Looking] = &[Looking::of::<Profiles>()];

    fn ask(asked: &Asked, seen: &Seen) -> Option<Self> {
        let brought = asked.wanted::<BroughtProfile>().iter().filter(|one| one.with_policies);
        let roles = brought.filter_map(|one| {
            let profile = seen.one::<LiveInstanceProfile>(&one.name)?;
            Some(profile.role.as_ref()?.name.to_string())
        });
        let known = |role: &String| {
            asked.wanted::<IamRolePolicy>().iter().any(|policy| policy.role == *role)
        };
        Some(Self(roles.filter(|role| !known(role)).collect()))
    }

    async fn read(self, aws: &Aws) -> Result<Seen, AwsError> {
        each(&self.0, |role| role_policy::observe(aws, role)).await
    }
}

/// Reads all that there is of the names of roles that no group has any more.
pub(crate) async fn observe_idle(aws: &Aws, names: &Names) -> Result<Seen, AwsError> {
    let reads = try_join_all(names.iter().map(async |name| {
        let (profile, role, policies, attached) = try_join4(
            instance_profile::observe(aws, name),
            role::observe(aws, name),
            role_policy::observe(aws, name),
            role::observe_attached(aws, name),
        )
        .await?;
        Ok::<_, AwsError>((name, profile, role, policies, attached))
    }));
    let mut seen = Seen::default();
    for (name, profile, role, policies, attached) in reads.await? {
        seen.put_named(name, profile);
        seen.put_named(name, role);
        seen.put_named(name, attached);
        seen.put_named(name, policies);
    }
    Ok(seen)
}

impl Presence for IamRole {
    const LOOKS: &'static [Looking] = &[Looking::of::<Roles>(), Looking::of::<AttachedPolicies>()];

    const IS_SOUGHT: bool = false;

    fn exists(id: &ResourceId, view: View<'_>) -> Option<bool> {
        has_role(view.seen, &id.name)
    }

    fn belongings(around: &Around<'_>) -> Vec<Belonging> {
        let seen = around.seen;
        let roles = seen.all_named::<LiveIamRole>().filter_map(|(name, role)| {
            let (found, policies) = (role.one()?, seen.one::<LivePolicies>(name)?);
            let attached = seen.one::<Attached>(name)?;
            let deletion = RoleDeletion {
                name: found.name.clone(),
                policies: policies.iter().map(|(name, _)| name.to_owned()).collect(),
                attached: attached.0.clone(),
            };
            let whose = around.owner.whose(Self::KIND, &Parts::of(around, name)?.role());
            let found = Belonging::new(ResourceId::new(Self::KIND, name), whose, deletion);
            Some(used_through(around, name, found))
        });
        roles.collect()
    }
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
            let roles = profile.role.iter().map(|role| role.name.clone()).collect();
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
    /// The trust policy that the cluster's roles have.
    pub(crate) trust: &'a Document,
}

impl<'a> Parts<'a> {
    /// What was found of one of the cluster's own roles.
    fn of(around: &Around<'a>, name: &str) -> Option<Self> {
        let own = around.wishes.of::<OwnRole>().iter().find(|own| own.name == name)?;
        let trust = around.wishes.of::<RoleTrust>().first()?;
        Some(Self::among(around.seen, &own.name, &trust.0))
    }

    pub(crate) fn among(seen: &'a Seen, name: &'a str, trust: &'a Document) -> Self {
        let (role, profile, policies) = (seen.one(name), seen.named(name), seen.named(name));
        Self { name, role, policies, profile, trust }
    }

    /// kops makes a role that EC2 takes, with a policy of its name, in a profile of its name;
    /// before v1.19 without tags.
    pub(crate) fn role(self) -> Marks<'a> {
        let is_trusted = |role: &LiveIamRole| role.trust.drift_to(self.trust).is_none();
        let has_policy = self.policies.exists().is_none_or(|_| {
            let found = self.policies.one();
            found.is_some_and(|policies| policies.get(self.name).is_some())
        });
        let fits = self.role.is_none_or(is_trusted) && has_policy && self.is_carried();
        let marks = Marks::of(self.name).fits(fits);
        match self.role {
            Some(role) => marks.tags(&role.tags),
            None => marks,
        }
    }

    /// The profile of the role's name, which is the cluster's if its role is.
    pub(crate) fn profile(self, owner: &Owner) -> Marks<'a> {
        let is_own = owner.whose(IamRole::KIND, &self.role()).is_owned();
        let marks = Marks::of(self.name).fits(is_own && self.is_carried());
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
