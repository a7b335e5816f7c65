//! Looks at roles, at all that they may do, and at their profiles.

use crate::aws::{Aws, AwsError};
use crate::core::look::{Asked, Look, Looking};
use crate::core::seen::{Looked, Row, Seen};
use crate::iam::instance_profile::{self, IamInstanceProfile};
use crate::iam::instance_profile_role::IamInstanceProfileRole;
use crate::iam::managed_policy;
use crate::iam::role::{self, Attached, IamRole, LiveIamRole, LiveInstanceProfile};
use crate::iam::role_policy::{self, IamRolePolicy};
use crate::policy::document::Document;
use futures::future::{try_join, try_join_all, try_join4};
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
    /// Whether its role is looked at by itself, with what is attached to it.
    pub(crate) with_role: bool,
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

/// Which managed policies are attached to roles.
#[derive(Debug)]
pub(crate) struct AttachedPolicies(Names);

impl Look for AttachedPolicies {
    const AFTER: &'static [Looking] = &[];

    fn ask(asked: &Asked, _: &Seen) -> Option<Self> {
        let wanted = asked.wanted::<IamRole>().iter().map(|role| role.name.clone());
        Some(Self(wanted.chain(all_own(asked)).collect()))
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
        // What carries a role is looked at with it.
        let roles = asked.wanted::<IamRole>().iter().map(|role| role.name.clone());
        let own = own.chain(links).chain(roles);
        let names = own.chain(brought).chain(named).chain(all_own(asked));
        Some(Self(names.collect()))
    }

    async fn read(self, aws: &Aws) -> Result<Seen, AwsError> {
        each(&self.0, |name| instance_profile::observe(aws, name)).await
    }
}

/// The roles in profiles that the user brings along, of those profiles for which it is wished.
fn brought_roles(asked: &Asked, seen: &Seen, is_wished: impl Fn(&BroughtProfile) -> bool) -> Names {
    let brought = asked.wanted::<BroughtProfile>().iter().filter(|one| is_wished(one));
    let roles = brought.filter_map(|one| {
        let profile = seen.one::<LiveInstanceProfile>(&one.name)?;
        Some(profile.role.as_ref()?.name.to_string())
    });
    roles.collect()
}

/// The roles that are not known before their profiles are, and which managed policies are attached
/// to them: a profile does not tell all of its role.
#[derive(Debug)]
pub(crate) struct RolesThrough(Names);

impl Look for RolesThrough {
    const AFTER: &'static [Looking] = &[Looking::of::<Profiles>()];

    fn ask(asked: &Asked, seen: &Seen) -> Option<Self> {
        Some(Self(brought_roles(asked, seen, |profile| profile.with_role)))
    }

    async fn read(self, aws: &Aws) -> Result<Seen, AwsError> {
        let roles = each(&self.0, |name| role::observe(aws, name));
        let attached = each(&self.0, |role| role::observe_attached(aws, role));
        let (mut seen, attached) = try_join(roles, attached).await?;
        seen.join(attached);
        Ok(seen)
    }
}

/// What the managed policies say that are attached to roles or bound them.
#[derive(Debug)]
pub(crate) struct ManagedPolicies(Names);

impl Look for ManagedPolicies {
    const AFTER: &'static [Looking] =
        &[Looking::of::<Roles>(), Looking::of::<RolesThrough>(), Looking::of::<AttachedPolicies>()];

    /// With a cluster they are detached, whatever they say.
    fn ask(asked: &Asked, seen: &Seen) -> Option<Self> {
        if asked.everything() {
            return None;
        }
        let attached = seen.all_named::<Attached>().filter_map(|(_, attached)| attached.one());
        let attached = attached.flat_map(|attached| attached.0.iter().cloned());
        let roles = seen.all_named::<LiveIamRole>().filter_map(|(_, role)| role.one());
        let boundaries = roles.filter_map(|role| role.boundary.clone());
        Some(Self(attached.chain(boundaries).collect()))
    }

    async fn read(self, aws: &Aws) -> Result<Seen, AwsError> {
        each(&self.0, |arn| managed_policy::observe(aws, arn)).await
    }
}

/// The inline policies of roles that are not known before their profiles are.
#[derive(Debug)]
pub(crate) struct PoliciesThrough(Names);

impl Look for PoliciesThrough {
    const AFTER: &'static [Looking] = &[Looking::of::<Profiles>()];

    fn ask(asked: &Asked, seen: &Seen) -> Option<Self> {
        let mut roles = brought_roles(asked, seen, |profile| profile.with_policies);
        for known in asked.wanted::<IamRolePolicy>() {
            roles.remove(&known.role);
        }
        Some(Self(roles))
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
