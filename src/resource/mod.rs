//! The kinds of AWS resources, one file each: what kapstan wants of it, what was found,
//! how the two compare, and the calls that read and write it.
//!
//! A kind's `observe` turns AWS' answers into our own types; nothing behind it knows the
//! SDK. Its `Write` is a decision that needs no more thought; only `write` sends it.

pub(crate) mod hosted_zone;
pub(crate) mod iam_instance_profile;
pub(crate) mod iam_instance_profile_role;
pub(crate) mod iam_role;
pub(crate) mod iam_role_policy;
pub(crate) mod live;

use std::collections::BTreeMap;
use std::fmt;

use serde::{Serialize, Serializer};

use crate::aws::{Aws, AwsError};
use crate::iam::difference::Difference;
use crate::iam::document::Document;
use crate::iam::parse::{self, PrincipalRule};

use iam_instance_profile::IamInstanceProfile;
use iam_instance_profile_role::IamInstanceProfileRole;
use iam_role::IamRole;
use iam_role_policy::IamRolePolicy;

/// A kind of resource, in the order in which they depend on each other.
#[expect(clippy::enum_variant_names, reason = "AWS has more than IAM, and so will this")]
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Kind {
    IamRole,
    IamRolePolicy,
    IamInstanceProfile,
    IamInstanceProfileRole,
}

/// A part of the cluster that a phase covers.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Layer {
    Security,
}

impl Kind {
    pub(crate) const ALL: [Self; 4] = [
        Self::IamRole,
        Self::IamRolePolicy,
        Self::IamInstanceProfile,
        Self::IamInstanceProfileRole,
    ];

    /// kops' name of the task, which users type in `--lifecycle-overrides`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::IamRole => "IAMRole",
            Self::IamRolePolicy => "IAMRolePolicy",
            Self::IamInstanceProfile => "IAMInstanceProfile",
            Self::IamInstanceProfileRole => "IAMInstanceProfileRole",
        }
    }

    pub(crate) fn layer(self) -> Layer {
        Layer::Security
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Security => f.write_str("security"),
        }
    }
}

/// A resource of a cluster, printed `IAMRole/nodes.dev.example.com`.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct ResourceId {
    pub(crate) kind: Kind,
    pub(crate) name: String,
}

impl ResourceId {
    pub(crate) fn new(kind: Kind, name: impl Into<String>) -> Self {
        Self { kind, name: name.into() }
    }
}

impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.name)
    }
}

impl Serialize for ResourceId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

pub(crate) type Tags = BTreeMap<String, String>;

/// What a cluster needs of AWS: one resource.
#[derive(Clone, Debug)]
pub(crate) enum Resource {
    Role(IamRole),
    RolePolicy(IamRolePolicy),
    InstanceProfile(IamInstanceProfile),
    InstanceProfileRole(IamInstanceProfileRole),
}

impl Resource {
    pub(crate) fn id(&self) -> ResourceId {
        match self {
            Self::Role(role) => ResourceId::new(Kind::IamRole, &role.name),
            Self::RolePolicy(policy) => ResourceId::new(Kind::IamRolePolicy, &policy.name),
            Self::InstanceProfile(profile) => {
                ResourceId::new(Kind::IamInstanceProfile, &profile.name)
            }
            Self::InstanceProfileRole(link) => {
                ResourceId::new(Kind::IamInstanceProfileRole, &link.profile)
            }
        }
    }

    /// What must exist before this can.
    pub(crate) fn needs(&self) -> Vec<ResourceId> {
        match self {
            Self::Role(_) | Self::InstanceProfile(_) => Vec::new(),
            Self::RolePolicy(policy) => vec![ResourceId::new(Kind::IamRole, &policy.role)],
            Self::InstanceProfileRole(link) => vec![
                ResourceId::new(Kind::IamRole, &link.role),
                ResourceId::new(Kind::IamInstanceProfile, &link.profile),
            ],
        }
    }
}

/// How a live resource differs from the desired one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Drift {
    pub(crate) fields: Vec<FieldChange>,
    pub(crate) permissions: Difference,
    /// The whole documents, where the resource is one.
    pub(crate) document: Option<DocumentChange>,
}

/// One field, before and after; absent on a side where it is not set.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub(crate) struct FieldChange {
    pub(crate) field: String,
    pub(crate) before: Option<String>,
    pub(crate) after: Option<String>,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct DocumentChange {
    pub(crate) before: Option<serde_json::Value>,
    pub(crate) after: Option<serde_json::Value>,
}

/// A policy document as AWS holds it.
#[derive(Clone, Debug)]
pub(crate) struct LiveDocument {
    pub(crate) text: String,
    /// `None` for what is no policy in the grammar that kapstan knows.
    pub(crate) document: Option<Document>,
}

impl LiveDocument {
    /// IAM gives documents back URL-encoded (RFC 3986).
    pub(crate) fn decode(encoded: &str, principal: PrincipalRule) -> Self {
        let text = percent_encoding::percent_decode_str(encoded).decode_utf8_lossy().into_owned();
        let document = parse::document(&text, principal).ok();
        Self { text, document }
    }

    pub(crate) fn to_json(&self) -> serde_json::Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| self.text.clone().into())
    }

    /// What turning this document into `desired` gives and takes, or `None` if they mean
    /// the same.
    fn drift_to(&self, desired: &Document) -> Option<Drift> {
        use crate::iam::difference;
        let mut drift = Drift {
            document: Some(DocumentChange {
                before: Some(self.to_json()),
                after: Some(desired.to_json()),
            }),
            ..Drift::default()
        };
        match &self.document {
            Some(live) if difference::is_same(live, desired) => return None,
            Some(live) => {
                drift.permissions = difference::between(&live.statements, &desired.statements);
                if drift.permissions.is_empty() {
                    drift.fields.push(FieldChange {
                        field: "Version".to_owned(),
                        before: live.version.clone(),
                        after: desired.version.clone(),
                    });
                }
            }
            None => {
                drift.permissions.gained = desired.statements.clone();
                drift.fields.push(FieldChange {
                    field: "document".to_owned(),
                    before: Some("a text that is no policy".to_owned()),
                    after: Some("a policy".to_owned()),
                });
            }
        }
        Some(drift)
    }
}

/// The tags that are missing or have another value. Others are none of our business.
fn tag_drift(desired: &Tags, live: &Tags) -> Vec<FieldChange> {
    desired
        .iter()
        .filter(|(key, value)| live.get(*key) != Some(*value))
        .map(|(key, value)| FieldChange {
            field: format!("tags[{key:?}]"),
            before: live.get(key).cloned(),
            after: Some(value.clone()),
        })
        .collect()
}

/// What was found where one resource was looked for.
#[derive(Clone, Debug)]
pub(crate) enum Observed<T> {
    Found(T),
    Missing,
    /// AWS refused the look.
    Denied(AwsError),
}

impl<T> Observed<T> {
    /// Sorts an answer of AWS into found, missing and refused.
    ///
    /// # Errors
    /// Any other failure.
    pub(crate) fn sort(answer: Result<T, AwsError>) -> Result<Self, AwsError> {
        use crate::aws::Fault;
        match answer {
            Ok(found) => Ok(Self::Found(found)),
            Err(error) if error.fault == Fault::Missing => Ok(Self::Missing),
            Err(error) if error.fault == Fault::Denied => Ok(Self::Denied(error)),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn found(&self) -> Option<&T> {
        match self {
            Self::Found(found) => Some(found),
            _ => None,
        }
    }
}

/// A decided write to one resource.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Write {
    Role(iam_role::Write),
    RolePolicy(iam_role_policy::Write),
    InstanceProfile(iam_instance_profile::Write),
    InstanceProfileRole(iam_instance_profile_role::Write),
}

impl Write {
    /// Carries the write out.
    pub(crate) async fn send(&self, aws: &Aws) -> Result<(), AwsError> {
        match self {
            Self::Role(write) => write.send(aws).await,
            Self::RolePolicy(write) => write.send(aws).await,
            Self::InstanceProfile(write) => write.send(aws).await,
            Self::InstanceProfileRole(write) => write.send(aws).await,
        }
    }
}
