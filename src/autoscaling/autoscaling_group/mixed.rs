//! Groups of instances of several types.

use aws_sdk_autoscaling::types::{
    InstancesDistribution, LaunchTemplate, LaunchTemplateOverrides, LaunchTemplateSpecification,
    MixedInstancesPolicy,
};

use crate::core::fields::Value;

/// Instances of several types, on demand and spot.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Mixed {
    pub(crate) types: Vec<String>,
    pub(crate) on_demand_allocation: Option<String>,
    pub(crate) on_demand_base: Option<i32>,
    pub(crate) on_demand_above_base: Option<i32>,
    pub(crate) spot_allocation: Option<String>,
    pub(crate) spot_pools: Option<i32>,
    pub(crate) spot_max_price: Option<String>,
}

impl Mixed {
    pub(super) fn from_sdk(policy: &MixedInstancesPolicy) -> Self {
        let overrides = policy.launch_template().map(|template| template.overrides());
        let spread = policy.instances_distribution();
        let text = |value: Option<&str>| value.filter(|text| !text.is_empty()).map(str::to_owned);
        Self {
            types: overrides
                .unwrap_or_default()
                .iter()
                .filter_map(|one| one.instance_type().map(str::to_owned))
                .collect(),
            on_demand_allocation: text(spread.and_then(|s| s.on_demand_allocation_strategy())),
            on_demand_base: spread.and_then(|s| s.on_demand_base_capacity()),
            on_demand_above_base: spread.and_then(|s| s.on_demand_percentage_above_base_capacity()),
            spot_allocation: text(spread.and_then(|s| s.spot_allocation_strategy())),
            spot_pools: spread.and_then(|s| s.spot_instance_pools()),
            spot_max_price: text(spread.and_then(|s| s.spot_max_price())),
        }
    }

    pub(super) fn to_sdk(
        &self,
        specification: LaunchTemplateSpecification,
    ) -> MixedInstancesPolicy {
        let types = self.types.iter();
        let overrides =
            types.map(|name| LaunchTemplateOverrides::builder().instance_type(name).build());
        let template = LaunchTemplate::builder()
            .launch_template_specification(specification)
            .set_overrides(Some(overrides.collect()));
        let distribution = InstancesDistribution::builder()
            .set_on_demand_allocation_strategy(self.on_demand_allocation.clone())
            .set_on_demand_base_capacity(self.on_demand_base)
            .set_on_demand_percentage_above_base_capacity(self.on_demand_above_base)
            .set_spot_allocation_strategy(self.spot_allocation.clone())
            .set_spot_instance_pools(self.spot_pools)
            .set_spot_max_price(self.spot_max_price.clone());
        MixedInstancesPolicy::builder()
            .launch_template(template.build())
            .instances_distribution(distribution.build())
            .build()
    }

    /// The same with one field otherwise, by the names under which the fields are told.
    #[cfg(test)]
    pub(super) fn disturbed(&self) -> Vec<(&'static str, Self)> {
        let other = || Some("other".to_owned());
        vec![
            (
                "mixedInstancesPolicy.instances",
                Self { types: vec!["other".to_owned()], ..self.clone() },
            ),
            (
                "mixedInstancesPolicy.onDemandAllocationStrategy",
                Self { on_demand_allocation: other(), ..self.clone() },
            ),
            (
                "mixedInstancesPolicy.spotAllocationStrategy",
                Self { spot_allocation: other(), ..self.clone() },
            ),
            (
                "mixedInstancesPolicy.onDemandBase",
                Self { on_demand_base: Some(99), ..self.clone() },
            ),
            (
                "mixedInstancesPolicy.onDemandAboveBase",
                Self { on_demand_above_base: Some(99), ..self.clone() },
            ),
            (
                "mixedInstancesPolicy.spotInstancePools",
                Self { spot_pools: Some(99), ..self.clone() },
            ),
            ("maxPrice", Self { spot_max_price: other(), ..self.clone() }),
        ]
    }

    /// `None` if no types are named.
    pub(super) fn instance_types(&self) -> Option<InstanceTypes> {
        (!self.types.is_empty()).then(|| InstanceTypes(self.types.clone()))
    }
}

/// Types of instances, in the order in which they are preferred.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct InstanceTypes(Vec<String>);

impl Value for InstanceTypes {
    fn tell(&self) -> String {
        self.0.join(", ")
    }
}
