//! What deletes a role, with the policies in it.

use crate::aws::{Aws, AwsError, done};
use crate::core::deletion::{Delete, gone_or};
use crate::core::document::unchanged;
use crate::core::drift::{Drift, FieldChange};
use crate::core::holders::Holders;
use crate::core::id::Id;
use crate::core::work::Work;
use crate::iam::attached;
use crate::iam::role::IamRole;
use crate::iam::role_policy::{LivePolicy, additional_name, read_one};

const DELETE_POLICY: &str = "iam:DeleteRolePolicy";

/// Deletes a role with the policies in it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RoleDeletion {
    pub(crate) name: Id<IamRole>,
    /// As they were when the plan was made.
    pub(crate) policies: Vec<LivePolicy>,
    /// The ARNs of managed policies, which are somebody's and only detached.
    pub(crate) attached: Vec<String>,
}

impl Delete for RoleDeletion {
    async fn attempt(&self, aws: &Aws) -> Result<(), AwsError> {
        let Self { name, policies, attached } = self;
        for LivePolicy { name: policy, document } in policies {
            let Some(found) = read_one(aws, name, policy).await? else { continue };
            let object = format!("{policy} in {name}");
            unchanged(DELETE_POLICY, object, Some(document), Some(&found))?;
            let call = aws.iam.delete_role_policy().role_name(name).policy_name(policy);
            gone_or(done(DELETE_POLICY, name, call.send().await))?;
        }
        for arn in attached {
            let call = aws.iam.detach_role_policy().role_name(name).policy_arn(arn);
            gone_or(done("iam:DetachRolePolicy", name, call.send().await))?;
        }
        let call = aws.iam.delete_role().role_name(name);
        done("iam:DeleteRole", name, call.send().await)
    }

    async fn holders(&self, work: &Work<'_>, holders: &mut Holders) -> Result<(), AwsError> {
        of_role(work.aws, &self.name, holders).await
    }

    fn drift(&self) -> Drift {
        let gone = |field: &str, before: &String| FieldChange {
            field: field.to_owned(),
            before: Some(before.clone()),
            after: None,
        };
        let own = [self.name.to_string(), additional_name(&self.name)];
        let others = self.policies.iter().filter(|policy| !own.contains(&policy.name));
        let others = others.map(|policy| gone("inlinePolicy", &policy.name));
        let attached = self.attached.iter().map(|arn| gone("attachedPolicy", arn));
        Drift { fields: others.chain(attached).collect(), ..Drift::default() }
    }
}

async fn of_role(aws: &Aws, name: &str, holders: &mut Holders) -> Result<(), AwsError> {
    let pages = aws.iam.list_instance_profiles_for_role().role_name(name).into_paginator();
    let profiles = pages.items().send().collect::<Result<Vec<_>, _>>().await;
    let profiles =
        profiles.map_err(|error| AwsError::new("iam:ListInstanceProfilesForRole", name, error))?;
    for profile in &profiles {
        holders.add(false, format!("instance profile {}", profile.instance_profile_name()));
    }
    for policy in attached::read(aws, name).await?.policies {
        holders.add(false, format!("policy {policy}, attached since"));
    }
    Ok(())
}
