//! Which managed policies are attached to a role, and which should be.

use crate::aws::{Answer, Aws, AwsError};
use crate::core::seen::Looked;

const LIST: &str = "iam:ListAttachedRolePolicies";

/// A managed policy as it is wanted in a role.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct IamRolePolicyAttachment {
    pub(crate) role: String,
    /// The ARN of the policy.
    pub(crate) policy: String,
}

/// The ARNs of the managed policies that are attached to a role.
#[derive(Clone, Debug)]
pub(crate) struct Attached {
    pub(crate) role: String,
    pub(crate) policies: Vec<String>,
}

/// Reads which managed policies are attached to a role.
pub(crate) async fn observe(aws: &Aws, role: &str) -> Result<Looked<Attached>, AwsError> {
    Looked::sort_one(read(aws, role).await)
}

pub(crate) async fn read(aws: &Aws, role: &str) -> Result<Attached, AwsError> {
    let pages = aws.iam.list_attached_role_policies().role_name(role).into_paginator();
    let rows = pages.items().send().collect::<Result<Vec<_>, _>>().await;
    let rows = rows.map_err(|error| AwsError::new(LIST, role, error))?;
    let answer = Answer::of(LIST, role);
    let policies = rows.iter().map(|row| answer.text("PolicyArn", row.policy_arn()));
    Ok(Attached { role: role.to_owned(), policies: policies.collect::<Result<_, _>>()? })
}
