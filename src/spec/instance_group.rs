//! A kops `InstanceGroup`, as far as kapstan acts on it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::cluster::{FileAsset, Hook, Metadata, filled};
use super::spelling::nearest;

/// The label by which an object names its cluster.
pub(crate) const CLUSTER_LABEL: &str = "kops.k8s.io/cluster";

/// What the instances of a group are for.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Deserialize, Serialize)]
pub(crate) enum Role {
    Master,
    Node,
    Bastion,
}

impl Role {
    pub(crate) const ALL: [Self; 3] = [Self::Master, Self::Node, Self::Bastion];

    /// The role as `additionalPolicies` and `--role` name it.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::Master => "master",
            Self::Node => "node",
            Self::Bastion => "bastion",
        }
    }

    /// The name of the role's IAM role, profile and policy (kops `pkg/model/names.go`).
    pub(crate) fn iam_name(self, cluster: &str) -> String {
        format!("{}s.{cluster}", self.key())
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let lower = word.to_lowercase();
        let found = Self::ALL.into_iter().find(|role| role.key() == lower.trim_end_matches('s'));
        found.ok_or_else(|| {
            let hint = nearest(word, Self::ALL.map(Self::key))
                .map(|name| format!("; did you mean {name}?"))
                .unwrap_or_default();
            format!("a role is master, node or bastion{hint}")
        })
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct InstanceGroup {
    pub(crate) metadata: Metadata,
    pub(crate) spec: InstanceGroupSpec,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct InstanceGroupSpec {
    pub(crate) additional_security_groups: Option<Vec<String>>,
    pub(crate) additional_user_data: Option<Vec<UserData>>,
    pub(crate) file_assets: Option<Vec<FileAsset>>,
    pub(crate) hooks: Option<Vec<Hook>>,
    pub(crate) iam: Option<IamProfile>,
    pub(crate) machine_type: Option<String>,
    pub(crate) max_size: Option<i64>,
    pub(crate) min_size: Option<i64>,
    pub(crate) role: Option<Role>,
    pub(crate) root_volume_iops: Option<i64>,
    pub(crate) subnets: Option<Vec<String>>,
    pub(crate) taints: Option<Vec<String>>,
    pub(crate) tenancy: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct IamProfile {
    pub(crate) profile: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct UserData {
    pub(crate) name: Option<String>,
    #[serde(rename = "type")]
    pub(crate) kind: Option<String>,
    pub(crate) content: Option<String>,
}

impl InstanceGroup {
    /// The group's name. Empty only before validation, which refuses that.
    pub(crate) fn name(&self) -> &str {
        self.metadata.name.as_deref().unwrap_or_default()
    }

    /// The cluster that the group's label names.
    pub(crate) fn cluster_label(&self) -> Option<&str> {
        cluster_label(&self.metadata)
    }

    pub(crate) fn subnets(&self) -> &[String] {
        self.spec.subnets.as_deref().unwrap_or_default()
    }

    /// The instance profile of the user's own that the group runs with, as written.
    pub(crate) fn profile_arn(&self) -> Option<&str> {
        filled(&self.spec.iam.as_ref()?.profile)
    }

    /// Smallest and largest size, kops' defaults filled in
    /// (`upup/pkg/fi/cloudup/populate_instancegroup_spec.go`).
    pub(crate) fn sizes(&self) -> (i64, i64) {
        let default = if self.spec.role == Some(Role::Node) { 2 } else { 1 };
        (self.spec.min_size.unwrap_or(default), self.spec.max_size.unwrap_or(default))
    }
}

pub(crate) fn cluster_label(metadata: &Metadata) -> Option<&str> {
    metadata.labels.as_ref()?.get(CLUSTER_LABEL)?.as_deref().filter(|name| !name.is_empty())
}
