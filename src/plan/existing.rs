//! Instance profiles that the user brings along: looked at, compared, and left alone,
//! unless an override says `Sync` for a kind.
//!
//! The role is the one that really is in the profile. Without `Sync` all its inline
//! policies together are compared with what kapstan would want, since its owner may spread
//! permissions over policies of any name.

use super::Planner;
use super::lifecycle::{Lifecycle, Origin};
use crate::aws::AwsError;
use crate::aws::tags::Tags;
use crate::catalogue::kinds::{Resource, State, Write};
use crate::core::drift::Drift;
use crate::core::seen::Observed;
use crate::desired::iam::additional_name;
use crate::desired::{ExistingProfile, Notice};
use crate::iam::instance_profile::IamInstanceProfile;
use crate::iam::instance_profile_role::IamInstanceProfileRole;
use crate::iam::role::{self, IamRole};
use crate::iam::role_policy::{self, Content, IamRolePolicy};
use crate::policy::difference::{self, Difference};
use crate::policy::document::Statement;

pub(super) fn plan(planner: &mut Planner<'_>, existing: &ExistingProfile) {
    let name = existing.arn.name.clone();
    let live = planner.live;
    // Nothing of it was looked at.
    let Some(profile) = live.profiles.get(&name) else { return };
    warn_of_account(planner, existing);
    if matches!(profile, Observed::Missing)
        && planner.lifecycles.overridden(IamInstanceProfile::KIND).is_none()
    {
        planner.plan.refusals.push(Notice {
            object: format!("{}/{name}", IamInstanceProfile::KIND),
            message: format!(
                "spec.iam.profile names {}, which does not exist",
                existing.arn.as_str()
            ),
            next: "create the profile, or correct the ARN".to_owned(),
        });
        return;
    }
    let found = profile.found().and_then(|profile| profile.role.as_ref());
    // kops' convention, for a profile without a role in it.
    let role = found.map_or_else(|| name.clone(), |(role, _)| role.clone());
    let reason = format!("existing profile {name}, left as it is");

    let resource =
        Resource::InstanceProfile(IamInstanceProfile { name: name.clone(), tags: Tags::new() });
    planner.decide(&resource, Origin::Existing, &reason);
    let link = IamInstanceProfileRole { profile: name.clone(), role: role.clone() };
    planner.decide(&Resource::InstanceProfileRole(link), Origin::Existing, &reason);

    if planner.lifecycles.of(IamRole::KIND, Origin::Existing) != Lifecycle::Ignore {
        let desired =
            IamRole { name: role.clone(), trust: existing.trust.clone(), tags: Tags::new() };
        let state = match (profile, found) {
            // Who may not look into the profile does not know its role.
            (Observed::Denied(error), _) => State::Denied(error.clone()),
            (_, None) => State::Missing(Drift::default(), Write::Role(role::create(&desired))),
            (_, Some((_, live))) => match role::compare(&desired, live) {
                None => State::Equal,
                Some((drift, write)) => State::Differs(drift, Some(Write::Role(write))),
            },
        };
        planner.settle(&Resource::Role(desired), Origin::Existing, state, &reason);
    }
    match profile {
        Observed::Denied(error) => policies_denied(planner, existing, error, &role, &reason),
        _ => policies(planner, existing, &role, &reason),
    }
}

/// The role's own policy, and the additional one.
fn wanted_policies(existing: &ExistingProfile, role: &str) -> [IamRolePolicy; 2] {
    let policy = |name: String, content| IamRolePolicy { name, role: role.to_owned(), content };
    let additional = existing.additional.clone().map_or(Content::Absent, Content::Given);
    [
        policy(role.to_owned(), Content::Role(existing.policy.clone())),
        policy(additional_name(role), additional),
    ]
}

fn policies_denied(
    planner: &mut Planner<'_>,
    existing: &ExistingProfile,
    error: &AwsError,
    role: &str,
    reason: &str,
) {
    if planner.lifecycles.of(IamRolePolicy::KIND, Origin::Existing) == Lifecycle::Ignore {
        return;
    }
    let [own, _] = wanted_policies(existing, role);
    let state = State::Denied(error.clone());
    planner.settle(&Resource::RolePolicy(own), Origin::Existing, state, reason);
}

fn policies(planner: &mut Planner<'_>, existing: &ExistingProfile, role: &str, reason: &str) {
    let lifecycle = planner.lifecycles.of(IamRolePolicy::KIND, Origin::Existing);
    let [own, additional] = wanted_policies(existing, role);
    if lifecycle == Lifecycle::Ignore {
        return;
    }
    if lifecycle == Lifecycle::Sync {
        for policy in [own, additional] {
            let state = match planner.live.policies.get(role) {
                Some(_) => planner.policy_state(&policy),
                None => missing(planner, &policy),
            };
            planner.settle(&Resource::RolePolicy(policy), Origin::Existing, state, reason);
        }
        return;
    }
    let state = match planner.live.policies.get(role) {
        None | Some(Observed::Missing) => missing(planner, &own),
        Some(Observed::Denied(error)) => State::Denied(error.clone()),
        Some(Observed::Found(policies)) => {
            let live: Vec<Statement> = policies
                .values()
                .filter_map(|policy| policy.document.as_ref())
                .flat_map(|document| document.statements.iter().cloned())
                .collect();
            let wanted: Vec<Statement> = [&own, &additional]
                .into_iter()
                .filter_map(|policy| planner.document_of(policy))
                .flat_map(|document| document.statements)
                .collect();
            let permissions = Difference {
                gained: difference::not_allowed(&live, &wanted),
                lost: difference::between(&live, &wanted).lost,
            };
            match permissions.is_empty() {
                true => State::Equal,
                false => State::Differs(Drift { permissions, ..Drift::default() }, None),
            }
        }
    };
    planner.settle(&Resource::RolePolicy(own), Origin::Existing, state, reason);
}

fn missing(planner: &Planner<'_>, policy: &IamRolePolicy) -> State {
    match planner.document_of(policy) {
        None => State::NoMatter,
        Some(document) => {
            let (drift, write) = role_policy::creation(policy, &document);
            State::Missing(drift, Write::RolePolicy(write))
        }
    }
}

fn warn_of_account(planner: &mut Planner<'_>, existing: &ExistingProfile) {
    let arn = &existing.arn;
    if arn.has_plausible_account() && arn.account != planner.plan.account {
        planner.plan.warnings.push(Notice {
            object: format!("{}/{}", IamInstanceProfile::KIND, arn.name),
            message: format!(
                "spec.iam.profile names the account {}, but this is {}",
                arn.account, planner.plan.account
            ),
            next: "correct the ARN, or use the credentials of that account".to_owned(),
        });
    }
}
