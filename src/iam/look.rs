//! Looks at roles, at all that they may do, and at their profiles.

use crate::aws::{Aws, AwsError};
use crate::core::look::{Asked, Look, Looking};
use crate::core::seen::{Looked, Row, Seen};
use crate::iam::attached::{self, Attached, IamRolePolicyAttachment};
use crate::iam::instance_profile::{self, IamInstanceProfile};
use crate::iam::instance_profile_role::IamInstanceProfileRole;
use crate::iam::managed_policy;
use crate::iam::role::{self, IamRole, LiveIamRole, LiveInstanceProfile};
use crate::iam::role_policy::{self, IamRolePolicy};
use crate::limits::role_name;
use crate::policy::document::Document;
use futures::future::{try_join, try_join_all, try_join4};
use std::collections::BTreeSet;

/// A role that the cluster's groups may have, whether the spec has such a group or not.
#[derive(Clone, Debug)]
pub(crate) struct OwnRole {
    pub(crate) name: String,
    /// The key of the tag that a group of this role carries.
    pub(crate) tag: String,
    /// The name of the security group that its instances alone are in, if there is one.
    pub(crate) security_group: Option<String>,
}

/// That roles are looked for which the spec may have had. AWS lists roles without their tags, and
/// all of the account.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Sought {
    /// Those of service accounts, since the spec speaks of such.
    Accounts,
    /// Any, and what else takes a look at all of the account.
    All,
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
        let attached = asked.wanted::<IamRolePolicyAttachment>().iter().map(|one| one.role.clone());
        Some(Self(wanted.chain(attached).chain(all_own(asked)).collect()))
    }

    async fn read(self, aws: &Aws) -> Result<Seen, AwsError> {
        each(&self.0, |role| attached::observe(aws, role)).await
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
        // What carries a role is looked at with it; pods take theirs without.
        let roles = asked.wanted::<IamRole>().iter().filter(|role| !role.is_of_pods());
        let roles = roles.map(|role| role.name.clone());
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
        let attached = each(&self.0, |role| attached::observe(aws, role));
        let (mut seen, attached) = try_join(roles, attached).await?;
        seen.join(attached);
        Ok(seen)
    }
}

/// What the managed policies say that are attached to roles or bound them, and nobody asked kapstan
/// for; and whether those exist that are to be attached, or to bound a role.
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
        let mut policies = Names::new();
        let attachments = asked.wanted::<IamRolePolicyAttachment>();
        for role in asked.wanted::<IamRole>() {
            let wanted = attachments.iter().filter(|one| one.role == role.name);
            let wanted: Names = wanted.map(|one| one.policy.clone()).collect();
            policies.extend(attached_to(&role.name, seen).symmetric_difference(&wanted).cloned());
            let found = seen.one::<LiveIamRole>(&role.name);
            if found.is_none_or(|found| found.boundary != role.boundary) {
                policies.extend(role.boundary.clone());
            }
        }
        for role in brought_roles(asked, seen, |profile| profile.with_role) {
            policies.extend(attached_to(&role, seen));
            let found = seen.one::<LiveIamRole>(&role);
            policies.extend(found.and_then(|role| role.boundary.clone()));
        }
        Some(Self(policies))
    }

    async fn read(self, aws: &Aws) -> Result<Seen, AwsError> {
        each(&self.0, |arn| managed_policy::observe(aws, arn)).await
    }
}

fn attached_to(role: &str, seen: &Seen) -> Names {
    let attached = seen.one::<Attached>(role).map(|attached| attached.policies.iter().cloned());
    attached.into_iter().flatten().collect()
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

/// The names of all roles of an account.
#[derive(Clone, Debug)]
pub(crate) struct RoleName(String);

/// Roles that the spec may have had: those of service accounts, and those of groups.
#[derive(Debug)]
pub(crate) struct LeftRoles {
    cluster: String,
    /// Those that groups may have.
    of_groups: Names,
    /// Those that are looked at anyhow.
    known: Names,
}

impl Look for LeftRoles {
    const AFTER: &'static [Looking] = &[];

    fn ask(asked: &Asked, _: &Seen) -> Option<Self> {
        let is_sought = asked.everything() || !asked.wanted::<Sought>().is_empty();
        let of_groups = asked.wanted::<OwnRole>().iter().map(|role| role.name.clone());
        let wanted = asked.wanted::<IamRole>().iter().map(|role| role.name.clone());
        (is_sought && asked.looks_at(&[IamRole::KIND])).then(|| Self {
            cluster: asked.cluster().to_owned(),
            of_groups: of_groups.collect(),
            known: wanted.chain(all_own(asked)).collect(),
        })
    }

    async fn read(self, aws: &Aws) -> Result<Seen, AwsError> {
        const OPERATION: &str = "iam:ListRoles";
        let pages = aws.iam.list_roles().max_items(1000).into_paginator().items().send();
        let roles = pages.collect::<Result<Vec<_>, _>>().await;
        let roles = roles.map_err(|error| AwsError::new(OPERATION, "", error));
        let listed = Looked::sort(roles.map(|roles| {
            roles.iter().map(|role| RoleName(role.role_name().to_owned())).collect()
        }))?;
        let names = listed.rows().iter().map(|RoleName(name)| name);
        let names: Names = names.filter(|name| self.may_be_left(name)).cloned().collect();
        Ok(observe_idle(aws, &names).await?.with(listed))
    }
}

impl LeftRoles {
    fn may_be_left(&self, name: &str) -> bool {
        let is_own = self.of_groups.contains(name) || may_be_of_account(name, &self.cluster);
        is_own && !self.known.contains(name)
    }
}

/// What stands between the name and namespace of an account, and its cluster.
const OF_ACCOUNT: &str = ".sa.";

/// Whether a role may be that of a service account of the cluster, as far as its name tells.
pub(crate) fn may_be_of_account(role: &str, cluster: &str) -> bool {
    if role.ends_with(&format!("{OF_ACCOUNT}{cluster}")) {
        return true;
    }
    // The end of a shortened name is lost, which may be all that tells.
    role_name::kept(role).is_some_and(|kept| {
        let mut ends = kept.match_indices(OF_ACCOUNT).map(|(at, part)| &kept[at + part.len()..]);
        !kept.contains(OF_ACCOUNT) || ends.any(|end| cluster.starts_with(end))
    })
}

/// Reads all that there is of the names of roles that no group has any more.
pub(crate) async fn observe_idle(aws: &Aws, names: &Names) -> Result<Seen, AwsError> {
    let reads = try_join_all(names.iter().map(async |name| {
        let (profile, role, policies, attached) = try_join4(
            instance_profile::observe(aws, name),
            role::observe(aws, name),
            role_policy::observe(aws, name),
            attached::observe(aws, name),
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

#[cfg(test)]
mod tests {
    use super::may_be_of_account;

    #[test]
    fn roles_of_accounts_are_told_by_their_names_where_these_are_whole() {
        let long = "nthimdsprocessor.longclustername.example.com";
        for (role, cluster, expected) in [
            ("a.default.sa.b.com", "b.com", true),
            ("a.default.sa.c.b.com", "b.com", false),
            ("a.sa.sa.b.com", "b.com", true),
            ("nodes.b.com", "b.com", false),
            ("dns-controller.kube-system.sa.nthimdsprocessor.longcluste-e6uuer", long, true),
            ("dns-controller.kube-system.sa.nthimdsprocessor.longcluste-e6uuer", "b.com", false),
            (&format!("{}-e6uuer", "a".repeat(57)), "b.com", true),
            (&format!("{}-E6UUER", "a".repeat(57)), "b.com", false),
        ] {
            assert_eq!(may_be_of_account(role, cluster), expected, "{role} of {cluster}");
        }
    }
}
