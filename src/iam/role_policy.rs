//! `IAMRolePolicy`: a policy that lies inside a role.

use std::collections::BTreeMap;

use futures::future::try_join_all;

use crate::aws::{Aws, AwsError, Fault};
use crate::core::document::LiveDocument;
use crate::core::drift::{DocumentChange, Drift};
use crate::core::seen::Observed;
use crate::policy::difference::Difference;
use crate::policy::document::Document;
use crate::policy::parse::PrincipalRule;
use crate::policy::role_policy::RolePolicy;

#[derive(Clone, Debug)]
pub(crate) struct IamRolePolicy {
    pub(crate) name: String,
    pub(crate) role: String,
    pub(crate) content: Content,
}

/// What the policy says.
#[derive(Clone, Debug)]
pub(crate) enum Content {
    /// A role's own policy, which may depend on the id of the cluster's hosted zone.
    Role(RolePolicy),
    Given(Document),
    /// There must be no such policy.
    Absent,
}

impl Content {
    pub(crate) fn document(&self, zone: Option<&str>) -> Option<Document> {
        match self {
            Self::Role(policy) => Some(policy.document(zone)),
            Self::Given(document) => Some(document.clone()),
            Self::Absent => None,
        }
    }
}

/// The inline policies of one role, by name.
pub(crate) type LivePolicies = BTreeMap<String, LiveDocument>;

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Write {
    Put { role: String, name: String, document: String },
    Delete { role: String, name: String },
}

/// Reads all inline policies of a role: their names, then all of them at once.
pub(crate) async fn observe(aws: &Aws, role: &str) -> Result<Observed<LivePolicies>, AwsError> {
    Observed::sort(read(aws, role).await)
}

async fn read(aws: &Aws, role: &str) -> Result<LivePolicies, AwsError> {
    let pages = aws.iam.list_role_policies().role_name(role).into_paginator().items().send();
    let names: Vec<String> = pages
        .collect::<Result<_, _>>()
        .await
        .map_err(|error| AwsError::new("iam:ListRolePolicies", role, error))?;
    let reads = names.into_iter().map(async |name| {
        let call = aws.iam.get_role_policy().role_name(role).policy_name(&name);
        let answer = call.send().await.map_err(|error| {
            AwsError::new("iam:GetRolePolicy", format!("{name} in {role}"), error)
        });
        match answer {
            Ok(answer) => {
                let document =
                    LiveDocument::decode(&answer.policy_document, PrincipalRule::Refused);
                Ok(Some((name, document)))
            }
            // It went between the list and now.
            Err(error) if error.fault == Fault::Missing => Ok(None),
            Err(error) => Err(error),
        }
    });
    Ok(try_join_all(reads).await?.into_iter().flatten().collect())
}

/// How a policy differs and what would mend it, or `None` if nothing does.
pub(crate) fn compare(
    policy: &IamRolePolicy,
    desired: Option<&Document>,
    live: &LiveDocument,
) -> Option<(Drift, Write)> {
    match desired {
        Some(desired) => live.drift_to(desired).map(|drift| (drift, put(policy, desired))),
        None => Some((
            Drift {
                permissions: Difference {
                    gained: Vec::new(),
                    lost: live.document.as_ref().map(|d| d.statements.clone()).unwrap_or_default(),
                },
                document: Some(DocumentChange { before: Some(live.to_json()), after: None }),
                ..Drift::default()
            },
            Write::Delete { role: policy.role.clone(), name: policy.name.clone() },
        )),
    }
}

/// The drift from no policy at all to this one.
pub(crate) fn creation(policy: &IamRolePolicy, desired: &Document) -> (Drift, Write) {
    let drift = Drift {
        permissions: Difference { gained: desired.statements.clone(), lost: Vec::new() },
        document: Some(DocumentChange { before: None, after: Some(desired.to_json()) }),
        ..Drift::default()
    };
    (drift, put(policy, desired))
}

fn put(policy: &IamRolePolicy, document: &Document) -> Write {
    Write::Put {
        role: policy.role.clone(),
        name: policy.name.clone(),
        document: document.to_compact(),
    }
}

impl Write {
    pub(crate) async fn send(&self, aws: &Aws) -> Result<(), AwsError> {
        match self {
            Self::Put { role, name, document } => {
                let call = aws.iam.put_role_policy().role_name(role).policy_name(name);
                let answer = call.policy_document(document).send().await;
                answer.map_err(|error| {
                    AwsError::new("iam:PutRolePolicy", format!("{name} in {role}"), error)
                })?;
            }
            Self::Delete { role, name } => {
                let call = aws.iam.delete_role_policy().role_name(role).policy_name(name);
                let answer = Observed::sort(call.send().await.map_err(|error| {
                    AwsError::new("iam:DeleteRolePolicy", format!("{name} in {role}"), error)
                }))?;
                // One that is gone already is as wanted.
                if let Observed::Denied(error) = answer {
                    return Err(error);
                }
            }
        }
        Ok(())
    }
}
