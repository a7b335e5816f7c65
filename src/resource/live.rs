//! AWS as it stands: everything that one plan needs, read at once.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::{self, BoxFuture, FutureExt as _, try_join_all};

use super::Observed;
use super::hosted_zone::{self, LiveZone};
use super::iam_instance_profile::{self, LiveInstanceProfile};
use super::iam_role::{self, LiveIamRole};
use super::iam_role_policy::{self, LivePolicies};
use crate::aws::{Aws, AwsError};

/// What to read.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Reads {
    pub(crate) zones: bool,
    pub(crate) roles: BTreeSet<String>,
    /// The roles whose inline policies are read.
    pub(crate) policies: BTreeSet<String>,
    pub(crate) profiles: BTreeSet<String>,
    /// The profiles whose role is not known before they are read, and whose inline policies
    /// are wanted.
    pub(crate) policies_through: BTreeSet<String>,
}

/// What was found. A name that was not asked for has no entry.
#[derive(Clone, Debug, Default)]
pub(crate) struct Live {
    pub(crate) account: String,
    pub(crate) zones: Option<Observed<Vec<LiveZone>>>,
    pub(crate) roles: BTreeMap<String, Observed<LiveIamRole>>,
    pub(crate) policies: BTreeMap<String, Observed<LivePolicies>>,
    pub(crate) profiles: BTreeMap<String, Observed<LiveInstanceProfile>>,
}

impl Live {
    /// Whether a role exists, if anything that was read tells.
    pub(crate) fn has_role(&self, name: &str) -> Option<bool> {
        let exists = |missing: Option<bool>| missing.map(|missing| !missing);
        let by_itself = self.roles.get(name).and_then(is_missing);
        let by_policies = || self.policies.get(name).and_then(is_missing);
        exists(by_itself.or_else(by_policies))
    }

    pub(crate) fn has_profile(&self, name: &str) -> Option<bool> {
        self.profiles.get(name).and_then(is_missing).map(|missing| !missing)
    }
}

fn is_missing<T>(observed: &Observed<T>) -> Option<bool> {
    match observed {
        Observed::Found(_) => Some(false),
        Observed::Missing => Some(true),
        Observed::Denied(_) => None,
    }
}

/// Reads everything concurrently. A role's policies take two rounds, names first; those of
/// a profile whose role is not known take three.
pub(crate) async fn observe(aws: &Aws, reads: &Reads) -> Result<Live, AwsError> {
    let zones: BoxFuture<'_, _> = match reads.zones {
        true => async { hosted_zone::observe(aws).await.map(Some) }.boxed(),
        false => future::ready(Ok(None)).boxed(),
    };
    let roles = try_join_all(reads.roles.iter().map(async |name| {
        let found = iam_role::observe(aws, name).await?;
        Ok::<_, AwsError>((name.clone(), found))
    }));
    let policies = try_join_all(reads.policies.iter().map(async |role| {
        let found = iam_role_policy::observe(aws, role).await?;
        Ok::<_, AwsError>((role.clone(), found))
    }));
    let profiles = try_join_all(reads.profiles.iter().map(async |name| {
        let found = iam_instance_profile::observe(aws, name).await?;
        let role = found.found().and_then(|profile| profile.role.as_ref()).map(|(role, _)| role);
        let through = match role.filter(|_| reads.policies_through.contains(name)) {
            Some(role) => Some((role.clone(), iam_role_policy::observe(aws, role).await?)),
            None => None,
        };
        Ok::<_, AwsError>((name.clone(), found, through))
    }));
    let (account, zones, roles, policies, profiles) =
        future::try_join5(aws.account(), zones, roles, policies, profiles).await?;
    let mut live = Live {
        account,
        zones,
        roles: roles.into_iter().collect(),
        policies: policies.into_iter().collect(),
        profiles: BTreeMap::new(),
    };
    for (name, profile, through) in profiles {
        live.policies.extend(through);
        live.profiles.insert(name, profile);
    }
    Ok(live)
}
