//! Whose a role and its profile are: told by looking at both.

use crate::core::seen::Looked;
use crate::core::whose::{Marks, Owner};
use crate::iam::instance_profile::IamInstanceProfile;
use crate::iam::role::{IamRole, LiveIamRole, LiveInstanceProfile};
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
    pub(crate) policies: &'a Looked<LivePolicies>,
    pub(crate) profile: &'a Looked<LiveInstanceProfile>,
    /// The trust policy that the cluster's roles have.
    pub(crate) trust: &'a Document,
}

impl<'a> Look<'a> {
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
            role.is_some_and(|role| role.name == self.name)
        })
    }
}
