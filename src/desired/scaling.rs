//! Instance groups as Auto Scaling groups and warm pools (kops
//! `pkg/model/awsmodel/autoscalinggroup.go`).

use serde_json::Value as Json;

use super::names;
use super::volumes::whole;
use crate::autoscaling::autoscaling_group::{AutoscalingGroup, Mixed, Requirements, Sizes};
use crate::autoscaling::warm_pool::WarmPool;
use crate::core::id::Ref;
use crate::ec2::launch_template::LaunchTemplate;
use crate::spec::cluster::{Cluster, Subnet};
use crate::spec::instance_group::{Bounds, InstanceGroup, InstanceRequirements};
use crate::spec::object::filled;
use crate::spec::quantity::{count, seconds};

pub(super) fn group(
    cluster: &Cluster,
    group: &InstanceGroup,
    subnets: &[&Subnet],
    template: &LaunchTemplate,
) -> Result<AutoscalingGroup, String> {
    let spec = &group.spec;
    let (smallest, largest) = group.sizes();
    let subnet_ids: Vec<_> = subnets
        .iter()
        .map(|subnet| names::subnet(cluster.name(), filled(&subnet.name).unwrap_or_default()))
        .collect();
    let lifetime = filled(&spec.max_instance_lifetime).map(|text| {
        seconds(text).ok_or_else(|| format!("maxInstanceLifetime is {text:?}, no length of time"))
    });
    Ok(AutoscalingGroup {
        name: template.name.clone(),
        template: Ref::to(&template.name),
        min_size: whole("minSize", smallest)?,
        max_size: whole("maxSize", largest)?,
        subnets: subnet_ids,
        mixed: mixed(group)?,
        suspended: spec.suspend_processes.clone().unwrap_or_default(),
        protected: spec.instance_protection.unwrap_or(false),
        capacity_rebalance: spec.capacity_rebalance.unwrap_or(false),
        max_lifetime: whole("maxInstanceLifetime", lifetime.transpose()?.unwrap_or(0))?,
        has_warm_pool: group.warm_pool(cluster).is_some(),
        tags: template.tags.clone(),
    })
}

fn mixed(group: &InstanceGroup) -> Result<Option<Mixed>, String> {
    let spec = &group.spec;
    let Some(policy) = &spec.mixed_instances_policy else { return Ok(None) };
    let maybe = |field, number: Option<i64>| number.map(|n| whole(field, n)).transpose();
    let requirements = policy.instance_requirements.as_ref().map(requirements);
    Ok(Some(Mixed {
        types: policy.instances.clone().unwrap_or_default(),
        requirements: requirements.transpose()?,
        on_demand_allocation: filled(&policy.on_demand_allocation_strategy).map(str::to_owned),
        on_demand_base: maybe("onDemandBase", policy.on_demand_base)?,
        on_demand_above_base: maybe("onDemandAboveBase", policy.on_demand_above_base)?,
        spot_allocation: filled(&policy.spot_allocation_strategy).map(str::to_owned),
        spot_pools: maybe("spotInstancePools", policy.spot_instance_pools)?,
        spot_max_price: filled(&spec.max_price).map(str::to_owned),
    }))
}

/// Memory is counted in units of 10^6 bytes, which AWS takes for MiB, as in kops.
fn requirements(wanted: &InstanceRequirements) -> Result<Requirements, String> {
    let bounds = |bounds: &Option<Bounds>, unit: i32| {
        let bound = |end: &str, bound: Option<&Json>| {
            let Some(bound) = bound else { return Ok(None) };
            let units = count(bound, unit).map(|count| count.units);
            let units =
                units.ok_or_else(|| format!("instanceRequirements: {bound} is too much"))?;
            whole(&format!("instanceRequirements: {end}"), units).map(Some)
        };
        let said = bounds.as_ref();
        let least = bound("min", said.and_then(|own| own.min.as_ref()))?;
        let most = bound("max", said.and_then(|own| own.max.as_ref()))?;
        // AWS takes no most without a least.
        Ok::<_, String>((least.unwrap_or(0), most))
    };
    Ok(Requirements {
        cpus: bounds(&wanted.cpu, 0)?,
        memory: bounds(&wanted.memory, 6)?,
        excluded: wanted.excluded_instance_types.iter().flatten().cloned().collect(),
    })
}

pub(super) fn warm_pool(
    cluster: &Cluster,
    group: &InstanceGroup,
    of: Ref<AutoscalingGroup>,
) -> Result<Option<WarmPool>, String> {
    let Some(pool) = group.warm_pool(cluster) else { return Ok(None) };
    let sizes = Sizes {
        least: whole("warmPool.minSize", pool.min_size.unwrap_or(0))?,
        most: pool.max_size.map(|size| whole("warmPool.maxSize", size)).transpose()?,
    };
    Ok(Some(WarmPool { group: of, sizes: Some(sizes) }))
}
