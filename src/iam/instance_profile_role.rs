//! `IAMInstanceProfileRole`: which role an instance profile carries.

use crate::aws::{Aws, AwsError, Fault};
use crate::core::drift::Drift;
use crate::core::fields::{Changed, Found, Want, Wanted, fields};
use crate::core::given::Given;
use crate::core::id::Id;
use crate::core::kind::ResourceId;
use crate::core::manage::{Manage, Ownership, View};
#[cfg(test)]
use crate::core::seen::Looked;
use crate::core::seen::{Seen, Sight};
use crate::core::sweep::{Sweep, Unclaimed};
use crate::core::whose::Marks;
use crate::core::work::Work;
use crate::iam::instance_profile::{self, IamInstanceProfile};
#[cfg(test)]
use crate::iam::role::LiveInstanceProfile;
use crate::iam::role::{IamRole, LiveIamRole, role_inside};
use crate::limits::PROFILE_NAME;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct IamInstanceProfileRole {
    pub(crate) profile: String,
    pub(crate) role: String,
    pub(crate) is_brought: bool,
}

fields! { IamInstanceProfileRoleFields {
    role: String = "role",
} }

impl Manage for IamInstanceProfileRole {
    type Live = LiveIamRole;
    type Fields = IamInstanceProfileRoleFields<Wanted>;

    fn id(&self) -> ResourceId {
        ResourceId::new(IamInstanceProfileRole::KIND, &self.profile)
    }

    fn needs(&self) -> Vec<ResourceId> {
        vec![
            ResourceId::new(IamRole::KIND, &self.role),
            ResourceId::new(IamInstanceProfile::KIND, &self.profile),
        ]
    }

    /// A profile without a role lacks this resource.
    fn sight<'a>(&self, seen: &'a Seen) -> Sight<'a, LiveIamRole> {
        role_inside(seen, &self.profile)
    }

    fn is(&self, _: &LiveIamRole, _: View<'_>) -> bool {
        true
    }

    /// Told by whose the role and the profile are.
    fn marks<'a>(&self, _: &'a LiveIamRole, _: View<'a>) -> Vec<Marks<'a>> {
        Vec::new()
    }

    fn aws_id(found: &LiveIamRole) -> Id<Self> {
        Id::part(&found.name, "in its profile")
    }

    fn wanted(&self, _: View<'_>) -> IamInstanceProfileRoleFields<Wanted> {
        IamInstanceProfileRoleFields { role: Want::Is(self.role.clone()) }
    }

    fn found(&self, found: &LiveIamRole, _: View<'_>) -> IamInstanceProfileRoleFields<Found> {
        IamInstanceProfileRoleFields { role: Some(found.name.to_string()) }
    }

    fn ownership(&self) -> Ownership {
        if self.is_brought { Ownership::Brought } else { Ownership::Ours }
    }

    fn creation(&self, _: View<'_>) -> Drift {
        Drift::default()
    }

    fn given(&self) -> Given<'_> {
        Given::name(&PROFILE_NAME, &self.profile)
    }

    async fn create(&self, work: &Work<'_>) -> Result<Option<Id<Self>>, AwsError> {
        self.add(work.aws).await?;
        Ok(None)
    }

    /// AWS allows one role in a profile: the other must leave first.
    async fn update(
        &self,
        work: &Work<'_>,
        _: &Id<Self>,
        changed: &IamInstanceProfileRoleFields<Changed>,
    ) -> Result<(), AwsError> {
        let IamInstanceProfileRoleFields { role } = changed;
        let other = role.as_ref().and_then(|delta| delta.before.as_ref());
        if let Some(other) = other {
            let call = work.aws.iam.remove_role_from_instance_profile();
            let call = call.instance_profile_name(&self.profile).role_name(other);
            let removed = call.send().await.map_err(|error| {
                let operation = "iam:RemoveRoleFromInstanceProfile";
                AwsError::new(operation, self.object(other), error)
            });
            // A repeated write finds it gone already.
            if let Err(error) = removed
                && error.fault != Fault::Missing
            {
                return Err(error);
            }
        }
        self.add(work.aws).await
    }

    #[cfg(test)]
    fn imagined(&self, _: &Id<Self>, view: View<'_>) -> LiveIamRole {
        view.seen.one::<LiveIamRole>(&self.role).unwrap().clone()
    }

    #[cfg(test)]
    fn disturbed(&self, live: &LiveIamRole) -> Vec<(&'static str, LiveIamRole)> {
        vec![("role", LiveIamRole { name: Id::imagined("another"), ..live.clone() })]
    }

    /// The role is told with its profile.
    #[cfg(test)]
    fn put(&self, looked: Looked<LiveIamRole>, seen: &mut Seen) {
        let profile = match looked {
            Looked::Found(mut roles) => {
                let profile = seen.one::<LiveInstanceProfile>(&self.profile).cloned();
                let role = roles.pop();
                let profile = profile.map(|profile| LiveInstanceProfile { role, ..profile });
                Looked::Found(profile.into_iter().collect())
            }
            Looked::Denied(error) => Looked::Denied(error),
            Looked::Not => Looked::Not,
        };
        seen.put_named(&self.profile, profile);
    }
}

impl IamInstanceProfileRole {
    fn object(&self, role: &str) -> String {
        format!("{role} in {}", self.profile)
    }

    async fn add(&self, aws: &Aws) -> Result<(), AwsError> {
        let call = aws.iam.add_role_to_instance_profile();
        let answer = call.instance_profile_name(&self.profile).role_name(&self.role).send().await;
        let operation = "iam:AddRoleToInstanceProfile";
        match answer.map_err(|e| AwsError::new(operation, self.object(&self.role), e)) {
            // A role is in it, perhaps by a call of ours whose answer was lost.
            Err(error) if error.fault == Fault::Conflict => {
                let found = instance_profile::observe(aws, &self.profile).await?;
                let inside = found.one().and_then(|profile| profile.role.as_ref());
                if inside.is_some_and(|role| role.name == self.role) { Ok(()) } else { Err(error) }
            }
            answer => answer.map(drop),
        }
    }
}

impl Unclaimed for IamInstanceProfileRole {
    /// It goes with its profile.
    fn unclaimed(_: &mut Sweep<'_>) {}
}
