//! `IAMInstanceProfileRole`: which role an instance profile carries.

use crate::aws::{Aws, AwsError, Fault};
use crate::core::drift::{Drift, FieldChange};
use crate::iam::instance_profile::{self, LiveInstanceProfile};

#[derive(Clone, Debug)]
pub(crate) struct IamInstanceProfileRole {
    pub(crate) profile: String,
    pub(crate) role: String,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Write {
    profile: String,
    role: String,
    /// The role that must leave first; AWS allows one in a profile.
    instead_of: Option<String>,
}

/// How the profile's role differs and what would mend it, or `None` if it is the right one.
/// `live.role` is not absent here: a profile without a role lacks this resource.
pub(crate) fn compare(
    desired: &IamInstanceProfileRole,
    live: &LiveInstanceProfile,
) -> Option<(Drift, Write)> {
    let (name, _) = live.role.as_ref()?;
    (*name != desired.role).then(|| {
        let field = FieldChange {
            field: "role".to_owned(),
            before: Some(name.clone()),
            after: Some(desired.role.clone()),
        };
        let write = Write { instead_of: Some(name.clone()), ..create(desired) };
        (Drift { fields: vec![field], ..Drift::default() }, write)
    })
}

pub(crate) fn create(desired: &IamInstanceProfileRole) -> Write {
    Write { profile: desired.profile.clone(), role: desired.role.clone(), instead_of: None }
}

impl Write {
    pub(crate) async fn send(&self, aws: &Aws) -> Result<(), AwsError> {
        let Self { profile, role, instead_of } = self;
        let object = |role: &str| format!("{role} in {profile}");
        if let Some(other) = instead_of {
            let call = aws.iam.remove_role_from_instance_profile();
            let call = call.instance_profile_name(profile).role_name(other);
            let removed = call.send().await.map_err(|error| {
                AwsError::new("iam:RemoveRoleFromInstanceProfile", object(other), error)
            });
            // A repeated write finds it gone already.
            if let Err(error) = removed
                && error.fault != Fault::Missing
            {
                return Err(error);
            }
        }
        let call = aws.iam.add_role_to_instance_profile();
        let call = call.instance_profile_name(profile).role_name(role);
        let answer = call.send().await;
        match answer.map_err(|e| AwsError::new("iam:AddRoleToInstanceProfile", object(role), e)) {
            // A role is in it, perhaps by a call of ours whose answer was lost.
            Err(error) if error.fault == Fault::Conflict => {
                let found = instance_profile::observe(aws, profile).await?;
                let inside = found.found().and_then(|profile| profile.role.as_ref());
                if inside.is_some_and(|(name, _)| name == role) { Ok(()) } else { Err(error) }
            }
            answer => answer.map(drop),
        }
    }
}
