//! `IAMRole`: a role that instances take, with its trust policy and tags.

use aws_sdk_iam::types::Tag;

use super::{Drift, LiveDocument, Observed, Tags, tag_drift};
use crate::aws::{Aws, AwsError};
use crate::iam::document::Document;
use crate::iam::parse::PrincipalRule;

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
    pub(super) fn from_sdk(role: &aws_sdk_iam::types::Role) -> Self {
        let trust = role.assume_role_policy_document().unwrap_or_default();
        Self {
            trust: LiveDocument::decode(trust, PrincipalRule::Expected),
            tags: tags_from_sdk(role.tags()),
        }
    }
}

pub(crate) async fn observe(aws: &Aws, name: &str) -> Result<Observed<LiveIamRole>, AwsError> {
    let answer = aws.iam.get_role().role_name(name).send().await;
    let answer = answer.map_err(|error| AwsError::new("iam:GetRole", name, error));
    Observed::sort(answer.map(|answer| match &answer.role {
        Some(role) => LiveIamRole::from_sdk(role),
        None => LiveIamRole {
            trust: LiveDocument::decode("", PrincipalRule::Expected),
            tags: Tags::new(),
        },
    }))
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
    pub(super) async fn send(&self, aws: &Aws) -> Result<(), AwsError> {
        match self {
            Self::Create { name, trust, tags } => {
                let call = aws.iam.create_role().role_name(name);
                let call = call.assume_role_policy_document(trust).set_tags(tags_to_sdk(tags));
                let answer = call.send().await;
                answer.map_err(|error| AwsError::new("iam:CreateRole", name, error))?;
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
                    let answer = call.set_tags(tags_to_sdk(tags)).send().await;
                    answer.map_err(|error| AwsError::new("iam:TagRole", name, error))?;
                }
            }
        }
        Ok(())
    }
}

pub(super) fn tags_from_sdk(tags: &[Tag]) -> Tags {
    tags.iter().map(|tag| (tag.key().to_owned(), tag.value().to_owned())).collect()
}

/// `None` without tags, because IAM takes no empty list. A tag needs key and value, which
/// ours have.
pub(super) fn tags_to_sdk(tags: &Tags) -> Option<Vec<Tag>> {
    let tags: Vec<Tag> = tags
        .iter()
        .filter_map(|(key, value)| Tag::builder().key(key).value(value).build().ok())
        .collect();
    (!tags.is_empty()).then_some(tags)
}
