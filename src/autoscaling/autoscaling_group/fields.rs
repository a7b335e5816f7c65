//! What is compared of an autoscaling group.

use std::collections::BTreeSet;

use super::mixed::{InstanceTypes, Requirements};
use crate::core::fields::{ExactTags, Value, fields};

fields! { AutoscalingGroupFields {
    template: TemplateVersion = "launchTemplate",
    min_size: i32 = "minSize",
    max_size: i32 = "maxSize",
    subnets: BTreeSet<String> = "subnets",
    launch_configuration: String = "launchConfiguration",
    types: InstanceTypes = "mixedInstancesPolicy.instances",
    requirements: Requirements = "mixedInstancesPolicy.instanceRequirements",
    on_demand_allocation: String = "mixedInstancesPolicy.onDemandAllocationStrategy",
    spot_allocation: String = "mixedInstancesPolicy.spotAllocationStrategy",
    on_demand_base: i32 = "mixedInstancesPolicy.onDemandBase",
    on_demand_above_base: i32 = "mixedInstancesPolicy.onDemandAboveBase",
    spot_pools: i32 = "mixedInstancesPolicy.spotInstancePools",
    spot_max_price: String = "maxPrice",
    metrics: BTreeSet<String> = "metrics",
    suspended: BTreeSet<String> = "suspendProcesses",
    protected: bool = "instanceProtection",
    capacity_rebalance: bool = "capacityRebalance",
    max_lifetime: i32 = "maxInstanceLifetime",
    tags: ExactTags = "tags",
} }

/// A launch template, by the name under which it is wanted, and its version.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TemplateVersion {
    pub(crate) template: String,
    pub(crate) version: String,
}

impl Value for TemplateVersion {
    fn tell(&self) -> String {
        format!("{} version {}", self.template, self.version)
    }
}
