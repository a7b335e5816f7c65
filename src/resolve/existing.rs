//! Instance profiles that the user brings along: what kapstan would want in them.
//!
//! The role is the one that really is in the profile. Without `Sync` all its inline
//! policies together are compared with what kapstan would want, since its owner may spread
//! permissions over policies of any name.

use std::collections::BTreeSet;

use super::lifecycle::{Lifecycle, Lifecycles, Origin};
use super::told::Told;
use crate::aws::tags::Tags;
use crate::catalogue::kinds::Resource;
use crate::catalogue::live::Live;
use crate::core::kind::ResourceId;
use crate::core::seen::Looked;
use crate::desired::ExistingProfile;
use crate::iam::instance_profile::IamInstanceProfile;
use crate::iam::instance_profile_role::IamInstanceProfileRole;
use crate::iam::role::{IamRole, LiveInstanceProfile, Trust};
use crate::iam::role_policy::{Content, IamRolePolicy, additional_name};

/// A profile, with what is in it.
#[derive(Debug, Default)]
pub(crate) struct Brought {
    pub(crate) resources: Vec<Resource>,
    /// Why they are left as they are.
    pub(crate) reason: String,
    pub(crate) told: Told,
}

/// Without resources where the profile was not looked at, or does not exist and is not to be made.
pub(crate) fn resolve(existing: &ExistingProfile, live: &Live, lifecycles: &Lifecycles) -> Brought {
    let name = existing.arn.name.clone();
    let profile = live.seen.named::<LiveInstanceProfile>(&name);
    if matches!(profile, Looked::Not) {
        return Brought::default();
    }
    let mut told = Told::default();
    check_account(existing, live, &mut told);
    if profile.exists() == Some(false) && lifecycles.overridden(IamInstanceProfile::KIND).is_none()
    {
        let message =
            format!("spec.iam.profile names {}, which does not exist", existing.arn.as_str());
        let next = "create the profile, or correct the ARN";
        told.refuse(ResourceId::new(IamInstanceProfile::KIND, name), message, next.to_owned());
        return Brought { told, ..Brought::default() };
    }
    let found = profile.one().and_then(|profile| profile.role.as_ref());
    // kops' convention, for a profile without a role in it.
    let role = found.map_or_else(|| name.clone(), |role| role.name.to_string());
    let mut resources: Vec<Resource> = vec![
        IamInstanceProfile { name: name.clone(), tags: Tags::new(), is_brought: true }.into(),
        IamInstanceProfileRole { profile: name.clone(), role: role.clone(), is_brought: true }
            .into(),
        IamRole {
            name: role.clone(),
            trust: Trust::Given(existing.trust.clone()),
            boundary: None,
            tags: Tags::new(),
            is_of_add_on: false,
            inside: Some(name.clone()),
        }
        .into(),
    ];
    let is_denied = matches!(profile, Looked::Denied(_));
    let lifecycle = lifecycles.of(IamRolePolicy::KIND, Origin::Existing);
    resources.extend(policies(existing, &name, &role, lifecycle, is_denied));
    let reason = format!("existing profile {name}, left as it is");
    Brought { resources, reason, told }
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
    if policies_by_name(role, lifecycle).is_none() {
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

/// Which policies of a role are compared by name; `None` where all are compared together.
pub(super) fn policies_by_name(role: &str, lifecycle: Lifecycle) -> Option<BTreeSet<String>> {
    let names = [role.to_owned(), additional_name(role)];
    (lifecycle == Lifecycle::Sync).then(|| names.into())
}

fn check_account(existing: &ExistingProfile, live: &Live, told: &mut Told) {
    let arn = &existing.arn;
    if arn.has_plausible_account() && arn.account != live.account {
        let message = format!(
            "spec.iam.profile names the account {}, but this is {}",
            arn.account, live.account
        );
        let next = "correct the ARN, or use the credentials of that account";
        told.warn(ResourceId::new(IamInstanceProfile::KIND, &arn.name), message, next.to_owned());
    }
}
