//! A kops `InstanceGroup`, as far as kapstan acts on it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value as Json;

use super::cluster::{AddOn, FileAsset, Hook, WarmPool};
use super::object::{Metadata, cluster_label, filled};
use super::role::{self, Role};
use super::rolling_update::RollingUpdate;

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
    pub(crate) associate_public_ip: Option<bool>,
    pub(crate) capacity_rebalance: Option<bool>,
    pub(crate) cloud_labels: Option<BTreeMap<String, Option<String>>>,
    pub(crate) containerd: Option<GroupContainerd>,
    pub(crate) cpu_credits: Option<String>,
    pub(crate) detailed_instance_monitoring: Option<bool>,
    pub(crate) external_load_balancers: Option<Vec<ExternalLoadBalancer>>,
    pub(crate) file_assets: Option<Vec<FileAsset>>,
    pub(crate) hooks: Option<Vec<Hook>>,
    pub(crate) iam: Option<IamProfile>,
    pub(crate) image: Option<String>,
    pub(crate) instance_interruption_behavior: Option<String>,
    pub(crate) instance_metadata: Option<InstanceMetadata>,
    pub(crate) instance_protection: Option<bool>,
    pub(crate) kubelet: Option<GroupKubelet>,
    pub(crate) machine_type: Option<String>,
    pub(crate) manager: Option<String>,
    pub(crate) max_instance_lifetime: Option<String>,
    pub(crate) max_price: Option<String>,
    pub(crate) max_size: Option<i64>,
    pub(crate) min_size: Option<i64>,
    pub(crate) mixed_instances_policy: Option<MixedInstancesPolicy>,
    pub(crate) node_labels: Option<BTreeMap<String, Option<String>>>,
    #[serde(deserialize_with = "role::lenient")]
    pub(crate) role: Option<Role>,
    pub(crate) rolling_update: Option<RollingUpdate>,
    pub(crate) root_volume_encryption: Option<bool>,
    pub(crate) root_volume_encryption_key: Option<String>,
    pub(crate) root_volume_iops: Option<i64>,
    pub(crate) root_volume_optimization: Option<bool>,
    pub(crate) root_volume_size: Option<i64>,
    pub(crate) root_volume_throughput: Option<i64>,
    pub(crate) root_volume_type: Option<String>,
    pub(crate) security_group_override: Option<String>,
    pub(crate) spot_duration_in_minutes: Option<i64>,
    pub(crate) subnets: Option<Vec<String>>,
    pub(crate) suspend_processes: Option<Vec<String>>,
    pub(crate) taints: Option<Vec<String>>,
    pub(crate) tenancy: Option<String>,
    pub(crate) volumes: Option<Vec<Volume>>,
    pub(crate) warm_pool: Option<WarmPool>,
    pub(crate) zones: Option<Vec<String>>,
}

/// A load balancer or target group of the user's own that the group's instances join.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ExternalLoadBalancer {
    pub(crate) load_balancer_name: Option<String>,
    pub(crate) target_group_arn: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct InstanceMetadata {
    pub(crate) http_tokens: Option<String>,
    pub(crate) http_put_response_hop_limit: Option<i64>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct MixedInstancesPolicy {
    pub(crate) instance_requirements: Option<InstanceRequirements>,
    pub(crate) instances: Option<Vec<String>>,
    pub(crate) on_demand_allocation_strategy: Option<String>,
    pub(crate) on_demand_base: Option<i64>,
    pub(crate) on_demand_above_base: Option<i64>,
    pub(crate) spot_allocation_strategy: Option<String>,
    pub(crate) spot_instance_pools: Option<i64>,
}

/// What is asked of machine types in place of their names.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct InstanceRequirements {
    pub(crate) cpu: Option<Bounds>,
    pub(crate) excluded_instance_types: Option<Vec<String>>,
    pub(crate) memory: Option<Bounds>,
}

/// The least and the most of something, as quantities of Kubernetes.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Bounds {
    pub(crate) max: Option<Json>,
    pub(crate) min: Option<Json>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct GroupContainerd {
    pub(crate) gvisor: Option<AddOn>,
    #[serde(rename = "nvidiaGPU")]
    pub(crate) nvidia_gpu: Option<AddOn>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct GroupKubelet {
    pub(crate) node_labels: Option<BTreeMap<String, Option<String>>>,
}

/// A volume beside the root volume.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Volume {
    pub(crate) device: Option<String>,
    pub(crate) delete_on_termination: Option<bool>,
    pub(crate) encrypted: Option<bool>,
    pub(crate) iops: Option<i64>,
    pub(crate) key: Option<String>,
    pub(crate) size: Option<i64>,
    pub(crate) throughput: Option<i64>,
    #[serde(rename = "type")]
    pub(crate) kind: Option<String>,
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

    /// The name of the group's Auto Scaling group and launch template (kops
    /// `pkg/model/names.go`).
    pub(crate) fn aws_name(&self, cluster: &str) -> String {
        match self.spec.role {
            Some(Role::Master) => format!("{}.masters.{cluster}", self.name()),
            Some(Role::ApiServer) => format!("{}.apiservers.{cluster}", self.name()),
            _ => format!("{}.{cluster}", self.name()),
        }
    }

    pub(crate) fn subnets(&self) -> &[String] {
        self.spec.subnets.as_deref().unwrap_or_default()
    }

    /// Whether Karpenter starts the group's instances, and not an Auto Scaling group.
    pub(crate) fn is_karpenters(&self) -> bool {
        filled(&self.spec.manager) == Some("Karpenter")
    }

    /// Whether its nodes run containers in gVisor, which only workers do.
    pub(crate) fn has_gvisor(&self) -> bool {
        let own = self.spec.containerd.as_ref().and_then(|own| own.gvisor.as_ref());
        self.spec.role == Some(Role::Node) && own.is_some_and(|own| own.enabled == Some(true))
    }

    /// The machine type: of a list of them, the first counts.
    pub(crate) fn machine_type(&self) -> Option<&str> {
        filled(&self.spec.machine_type)?.split(',').next().filter(|name| !name.is_empty())
    }

    /// The instance profile of the user's own that the group runs with, as written.
    pub(crate) fn profile_arn(&self) -> Option<&str> {
        filled(&self.spec.iam.as_ref()?.profile)
    }

    /// Smallest and largest size, kops' defaults filled in
    /// (`upup/pkg/fi/cloudup/populate_instancegroup_spec.go`).
    pub(crate) fn sizes(&self) -> (i64, i64) {
        let default = match self.spec.role {
            Some(Role::Node | Role::ApiServer) => 2,
            _ => 1,
        };
        (self.spec.min_size.unwrap_or(default), self.spec.max_size.unwrap_or(default))
    }
}
