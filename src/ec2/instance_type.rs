//! Machine types: which zones have them, and which disks they come with.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::types::{EphemeralNvmeSupport, InstanceType, LocationType};
use futures::future::try_join;

use crate::aws::{Answer, Aws, AwsError, batch, ec2};

const TYPES: &str = "ec2:DescribeInstanceTypes";
const OFFERINGS: &str = "ec2:DescribeInstanceTypeOfferings";

#[derive(Clone, Debug, Default)]
pub(crate) struct LiveInstanceType {
    pub(crate) name: String,
    /// How many disks must be mapped to be seen; those on NVMe show themselves
    /// (EC2 user guide, "Instance store volumes").
    pub(crate) mapped_disks: i32,
    /// Whether it has CPU credits.
    pub(crate) burstable: bool,
    pub(crate) zones: BTreeSet<String>,
}

/// Reads machine types: what they are, and where they are offered.
pub(crate) async fn observe(
    aws: &Aws,
    names: &BTreeSet<String>,
) -> Result<Vec<LiveInstanceType>, AwsError> {
    let names: Vec<String> = names.iter().cloned().collect();
    let types = batch::read(&names, batch::FILTER_VALUES, async |names: &[String]| {
        let call = aws.ec2.describe_instance_types().filters(ec2::filter("instance-type", names));
        let rows = call.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
        rows.map_err(|error| AwsError::new(TYPES, "", error))
    });
    let offerings = batch::read(&names, batch::FILTER_VALUES, async |names: &[String]| {
        let chosen = ec2::filter("instance-type", names);
        let call = aws.ec2.describe_instance_type_offerings().filters(chosen);
        let pages = call.location_type(LocationType::AvailabilityZone).into_paginator();
        let rows = pages.items().send().collect::<Result<Vec<_>, _>>().await;
        rows.map_err(|error| AwsError::new(OFFERINGS, "", error))
    });
    let (types, offerings) = try_join(types, offerings).await?;
    let mut live: BTreeMap<String, LiveInstanceType> = BTreeMap::new();
    for row in types {
        let name = row.instance_type().map(InstanceType::as_str);
        let name = Answer::of(TYPES, "").text("instanceType", name)?;
        let store = row.instance_storage_info();
        let must_map = store
            .is_some_and(|store| store.nvme_support() != Some(&EphemeralNvmeSupport::Required));
        let disks = store.map(|store| store.disks()).unwrap_or_default();
        let count = disks.iter().filter_map(|disk| disk.count()).sum();
        let entry = live.entry(name).or_default();
        entry.mapped_disks = if must_map { count } else { 0 };
        entry.burstable = row.burstable_performance_supported().unwrap_or(false);
    }
    for row in offerings {
        let answer = Answer::of(OFFERINGS, "");
        let name = answer.text("instanceType", row.instance_type().map(InstanceType::as_str))?;
        let zone = answer.text("location", row.location())?;
        live.entry(name).or_default().zones.insert(zone);
    }
    Ok(live.into_iter().map(|(name, row)| LiveInstanceType { name, ..row }).collect())
}
