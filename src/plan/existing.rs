//! Instance profiles that the user brings along: looked at, compared, and left alone,
//! unless an override says `Sync` for a kind.
//!
//! The role is the one that really is in the profile. Without `Sync` all its inline
//! policies together are compared with what kapstan would want, since its owner may spread
//! permissions over policies of any name.

use super::Planner;
use super::lifecycle::{Lifecycle, Origin};
use crate::aws::tags::Tags;
use crate::catalogue::kinds::Resource;
use crate::core::seen::Looked;
use crate::desired::iam::additional_name;
use crate::desired::{ExistingProfile, Notice};
use crate::iam::instance_profile::IamInstanceProfile;
use crate::iam::instance_profile_role::IamInstanceProfileRole;
use crate::iam::role::{IamRole, LiveInstanceProfile};
use crate::iam::role_policy::{Content, IamRolePolicy};

pub(super) fn plan(planner: &mut Planner<'_>, existing: &ExistingProfile) {
    let name = existing.arn.name.clone();
    let live = planner.live;
    let profile = live.seen.named::<LiveInstanceProfile>(&name);
    if matches!(profile, Looked::Not) {
        return;
    }
    warn_of_account(planner, existing);
    if profile.exists() == Some(false)
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
    let found = profile.one().and_then(|profile| profile.role.as_ref());
    // kops' convention, for a profile without a role in it.
    let role = found.map_or_else(|| name.clone(), |role| role.name.clone());
    let reason = format!("existing profile {name}, left as it is");
    let mut resources: Vec<Resource> = vec![
        IamInstanceProfile { name: name.clone(), tags: Tags::new(), is_brought: true }.into(),
        IamInstanceProfileRole { profile: name.clone(), role: role.clone(), is_brought: true }
            .into(),
        IamRole {
            name: role.clone(),
            trust: existing.trust.clone(),
            tags: Tags::new(),
            inside: Some(name.clone()),
        }
        .into(),
    ];
    let is_denied = matches!(profile, Looked::Denied(_));
    let lifecycle = planner.lifecycles.of(IamRolePolicy::KIND, Origin::Existing);
    resources.extend(policies(existing, &name, &role, lifecycle, is_denied));
    for resource in &resources {
        planner.decide(resource, Origin::Existing, &reason);
    }
}

/// The role's own policy and the additional one, each by itself where they are written.
fn policies(
    existing: &ExistingProfile,
    profile: &str,
    role: &str,
    lifecycle: Lifecycle,
    is_denied: bool,
) -> Vec<Resource> {
    let policy = |name: String, content| {
        let (role, inside) = (role.to_owned(), Some(profile.to_owned()));
        Resource::from(IamRolePolicy { name, role, content, inside })
    };
    let (own, additional) = (existing.policy.clone(), existing.additional.clone());
    if lifecycle != Lifecycle::Sync {
        return vec![policy(role.to_owned(), Content::Together(own, additional))];
    }
    let mut all = vec![policy(role.to_owned(), Content::Role(own))];
    // Who may not look into the profile is told so once.
    if !is_denied {
        let content = additional.map_or(Content::Absent, Content::Given);
        all.push(policy(additional_name(role), content));
    }
    all
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
