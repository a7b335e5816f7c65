//! `IAMRole`: a role that instances take, with its trust policy and tags.

use aws_sdk_iam::types::Tag;

use crate::aws::tags::Tags;
use crate::aws::{Answer, Aws, AwsError, Fault};
use crate::core::document::LiveDocument;
use crate::core::drift::{Drift, tag_drift};
use crate::core::seen::Observed;
use crate::core::work::Work;
use crate::policy::document::Document;
use crate::policy::parse::{self, PrincipalRule};

const CREATE: &str = "iam:CreateRole";
const TAG: &str = "iam:TagRole";
const LIST_ATTACHED: &str = "iam:ListAttachedRolePolicies";

#[derive(Clone, Debug)]
pub(crate) struct IamRole {
    pub(crate) name: String,
    pub(crate) trust: Document,
    /// The tags that it must have; none are asked of a role that is not ours.
    pub(crate) tags: Tags,
}

#[derive(Clone, Debug)]
pub(crate) struct LiveIamRole {
    pub(crate) trust: LiveDocument,
    pub(crate) tags: Tags,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Write {
    Create { name: String, trust: String, tags: Tags },
    Update { name: String, trust: Option<String>, tags: Tags },
}

impl LiveIamRole {
    pub(crate) fn from_sdk(role: &aws_sdk_iam::types::Role) -> Self {
        let trust = role.assume_role_policy_document().unwrap_or_default();
        Self {
            trust: LiveDocument::decode(trust, PrincipalRule::Expected),
            tags: tags_from_sdk(role.tags()),
        }
    }

    fn is(&self, trust: &str, tags: &Tags) -> bool {
        let wanted = parse::document(trust, PrincipalRule::Expected);
        let is_trusted = wanted.is_ok_and(|wanted| self.trust.drift_to(&wanted).is_none());
        is_trusted && tag_drift(tags, &self.tags).is_empty()
    }
}

pub(crate) async fn observe(aws: &Aws, name: &str) -> Result<Observed<LiveIamRole>, AwsError> {
    const OPERATION: &str = "iam:GetRole";
    let answer = aws.iam.get_role().role_name(name).send().await;
    let answer = answer.map_err(|error| AwsError::new(OPERATION, name, error));
    Observed::sort(answer.and_then(|answer| {
        let role = Answer::of(OPERATION, name).part("Role", answer.role())?;
        Ok(LiveIamRole::from_sdk(role))
    }))
}

/// The ARNs of the managed policies that are attached to a role.
pub(crate) async fn attached(aws: &Aws, role: &str) -> Result<Vec<String>, AwsError> {
    let pages = aws.iam.list_attached_role_policies().role_name(role).into_paginator();
    let rows = pages.items().send().collect::<Result<Vec<_>, _>>().await;
    let rows = rows.map_err(|error| AwsError::new(LIST_ATTACHED, role, error))?;
    let answer = Answer::of(LIST_ATTACHED, role);
    rows.iter().map(|row| answer.id("PolicyArn", row.policy_arn())).collect()
}

pub(crate) async fn observe_attached(
    aws: &Aws,
    role: &str,
) -> Result<Observed<Vec<String>>, AwsError> {
    Observed::sort(attached(aws, role).await)
}

/// How the role differs and what would mend it, or `None` if nothing does.
pub(crate) fn compare(desired: &IamRole, live: &LiveIamRole) -> Option<(Drift, Write)> {
    let trust = live.trust.drift_to(&desired.trust);
    let tags = tag_drift(&desired.tags, &live.tags);
    if trust.is_none() && tags.is_empty() {
        return None;
    }
    let write = Write::Update {
        name: desired.name.clone(),
        trust: trust.is_some().then(|| desired.trust.to_compact()),
        tags: match tags.is_empty() {
            true => Tags::new(),
            false => desired.tags.clone(),
        },
    };
    let mut drift = trust.unwrap_or_default();
    drift.fields.extend(tags);
    Some((drift, write))
}

pub(crate) fn create(desired: &IamRole) -> Write {
    Write::Create {
        name: desired.name.clone(),
        trust: desired.trust.to_compact(),
        tags: desired.tags.clone(),
    }
}

impl Write {
    pub(crate) async fn send(&self, work: &Work<'_>) -> Result<(), AwsError> {
        let aws = work.aws;
        match self {
            Self::Create { name, trust, tags } => {
                let call = aws.iam.create_role().role_name(name);
                let sdk_tags = tags_to_sdk(CREATE, name, tags)?;
                let call = call.assume_role_policy_document(trust).set_tags(sdk_tags);
                match call.send().await.map_err(|error| AwsError::new(CREATE, name, error)) {
                    // There is one, perhaps by a call of ours whose answer was lost.
                    Err(error) if error.fault == Fault::Conflict => {
                        let found = observe(aws, name).await?;
                        let is_as_wanted = |live: &LiveIamRole| live.is(trust, tags);
                        if !found.found().is_some_and(is_as_wanted) {
                            return Err(error);
                        }
                    }
                    answer => drop(answer?),
                }
            }
            Self::Update { name, trust, tags } => {
                if let Some(trust) = trust {
                    let call = aws.iam.update_assume_role_policy().role_name(name);
                    let answer = call.policy_document(trust).send().await;
                    answer.map_err(|error| {
                        AwsError::new("iam:UpdateAssumeRolePolicy", name, error)
                    })?;
                }
                if !tags.is_empty() {
                    let call = aws.iam.tag_role().role_name(name);
                    let answer = call.set_tags(tags_to_sdk(TAG, name, tags)?).send().await;
                    let answer = answer.map_err(|error| AwsError::new(TAG, name, error));
                    work.unless_lacking(answer.map(drop))?;
                }
            }
        }
        Ok(())
    }
}

pub(crate) fn tags_from_sdk(tags: &[Tag]) -> Tags {
    tags.iter().map(|tag| (tag.key().to_owned(), tag.value().to_owned())).collect()
}

/// `None` without tags, because IAM takes no empty list.
pub(crate) fn tags_to_sdk(
    operation: &'static str,
    object: &str,
    tags: &Tags,
) -> Result<Option<Vec<Tag>>, AwsError> {
    let tags = tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build());
    let tags = tags.collect::<Result<Vec<_>, _>>();
    let tags = tags.map_err(|error| AwsError::unbuilt(operation, object, error))?;
    Ok((!tags.is_empty()).then_some(tags))
}
