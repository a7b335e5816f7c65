//! Whose a role and its profile are: told by looking at both.

use crate::core::seen::Observed;
use crate::core::whose::{Marks, Owner};
use crate::iam::instance_profile::{IamInstanceProfile, LiveInstanceProfile};
use crate::iam::role::{IamRole, LiveIamRole};
use crate::iam::role_policy::LivePolicies;
use crate::policy::document::Document;

/// Notes the role that was found in a profile which the spec may name.
pub(crate) fn name_role_of(owner: &mut Owner, profile: &str, role: &str) {
    let profile = (IamInstanceProfile::KIND, profile);
    owner.name_part(profile, (IamRole::KIND, role), "whose role it is");
}

/// What was found under the name of one of the cluster's roles; `None` is what was not looked
/// at, or could not be, and speaks neither for nor against.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look<'a> {
    pub(crate) name: &'a str,
    pub(crate) role: Option<&'a LiveIamRole>,
    pub(crate) policies: Option<&'a Observed<LivePolicies>>,
    pub(crate) profile: Option<&'a Observed<LiveInstanceProfile>>,
    /// The trust policy that the cluster's roles have.
    pub(crate) trust: &'a Document,
}

impl<'a> Look<'a> {
    /// kops makes a role that EC2 takes, with a policy of its name, in a profile of its name;
    /// before v1.19 without tags.
    pub(crate) fn role(self) -> Marks<'a> {
        let is_trusted = |role: &LiveIamRole| role.trust.drift_to(self.trust).is_none();
        let has_policy = match self.policies {
            Some(Observed::Found(policies)) => policies.contains_key(self.name),
            Some(Observed::Missing) => false,
            Some(Observed::Denied(_)) | None => true,
        };
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
        match self.profile {
            Some(Observed::Found(profile)) => marks.tags(&profile.tags),
            _ => marks,
        }
    }

    fn is_carried(self) -> bool {
        match self.profile {
            Some(Observed::Found(profile)) => {
                profile.role.as_ref().is_some_and(|(role, _)| role == self.name)
            }
            Some(Observed::Missing) => false,
            Some(Observed::Denied(_)) | None => true,
        }
    }
}
