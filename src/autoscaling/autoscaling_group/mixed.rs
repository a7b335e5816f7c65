//! Groups of instances of several types.

use std::collections::BTreeSet;

use aws_sdk_autoscaling::types::{
    BurstablePerformance, InstanceRequirements, InstancesDistribution, LaunchTemplate,
    LaunchTemplateOverrides, LaunchTemplateSpecification, MemoryMiBRequest, MixedInstancesPolicy,
    VCpuCountRequest,
};

use crate::core::fields::Value;

/// Instances of several types, on demand and spot.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Mixed {
    pub(crate) types: Vec<String>,
    /// Any type that is so will do too.
    pub(crate) requirements: Option<Requirements>,
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
            requirements: overrides
                .unwrap_or_default()
                .iter()
                .find_map(|one| one.instance_requirements())
                .map(Requirements::from_sdk),
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
        let types =
            types.map(|name| LaunchTemplateOverrides::builder().instance_type(name).build());
        let requirements = self.requirements.iter().map(|wanted| {
            LaunchTemplateOverrides::builder().instance_requirements(wanted.to_sdk()).build()
        });
        let overrides = types.chain(requirements);
        let template = LaunchTemplate::builder()
            .launch_template_specification(specification)
            .set_overrides(Some(overrides.collect()));
        let distribution = InstancesDistribution::builder()
            .set_on_demand_allocation_strategy(self.on_demand_allocation.clone())
            .set_on_demand_base_capacity(self.on_demand_base)
            .set_on_demand_percentage_above_base_capacity(self.on_demand_above_base)
            .set_spot_allocation_strategy(self.spot_allocation.clone())
            .set_spot_instance_pools(self.spot_pools)
            // Without a price, that before would stay (Auto Scaling API, InstancesDistribution).
            .spot_max_price(self.spot_max_price.clone().unwrap_or_default());
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
                "mixedInstancesPolicy.instanceRequirements",
                Self {
                    requirements: Some(Requirements { cpus: (99, None), ..self.other() }),
                    ..self.clone()
                },
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

    #[cfg(test)]
    fn other(&self) -> Requirements {
        self.requirements.clone().unwrap_or_default()
    }

    /// `None` if no types are named.
    pub(super) fn instance_types(&self) -> Option<InstanceTypes> {
        (!self.types.is_empty()).then(|| InstanceTypes(self.types.clone()))
    }
}

/// What is asked of a machine type, burstable ones included: the least, and the most if there is
/// one.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Requirements {
    pub(crate) cpus: (i32, Option<i32>),
    /// In MiB.
    pub(crate) memory: (i32, Option<i32>),
    pub(crate) excluded: BTreeSet<String>,
}

impl Requirements {
    fn from_sdk(found: &InstanceRequirements) -> Self {
        let (cpus, memory) = (found.v_cpu_count(), found.memory_mib());
        Self {
            cpus: (
                cpus.and_then(|own| own.min()).unwrap_or_default(),
                cpus.and_then(|own| own.max()),
            ),
            memory: (
                memory.and_then(|own| own.min()).unwrap_or_default(),
                memory.and_then(|own| own.max()),
            ),
            excluded: found.excluded_instance_types().iter().cloned().collect(),
        }
    }

    fn to_sdk(&self) -> InstanceRequirements {
        let cpus = VCpuCountRequest::builder().min(self.cpus.0).set_max(self.cpus.1);
        let memory = MemoryMiBRequest::builder().min(self.memory.0).set_max(self.memory.1);
        let excluded: Vec<String> = self.excluded.iter().cloned().collect();
        InstanceRequirements::builder()
            .v_cpu_count(cpus.build())
            .memory_mib(memory.build())
            .burstable_performance(BurstablePerformance::Included)
            .set_excluded_instance_types((!excluded.is_empty()).then_some(excluded))
            .build()
    }
}

impl Value for Requirements {
    fn tell(&self) -> String {
        let range = |(least, most): (i32, Option<i32>), unit: &str| match most {
            Some(most) => format!("{least} to {most} {unit}"),
            None => format!("{least} {unit} or more"),
        };
        let mut told = vec![range(self.cpus, "CPUs"), range(self.memory, "MiB")];
        if !self.excluded.is_empty() {
            told.push(format!("without {}", self.excluded.tell()));
        }
        told.join(", ")
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
