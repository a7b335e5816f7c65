//! Machine types: which zones have them, and which disks they come with.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::types::{EphemeralNvmeSupport, LocationType};
use futures::future::try_join;

use super::ec2;
use crate::aws::{Aws, AwsError};

#[derive(Clone, Debug, Default)]
pub(crate) struct LiveInstanceType {
    /// How many disks must be mapped to be seen; those on NVMe show themselves
    /// (EC2 user guide, "Instance store volumes").
    pub(crate) mapped_disks: i32,
    /// Whether it has CPU credits.
    pub(crate) burstable: bool,
    pub(crate) zones: BTreeSet<String>,
}

/// Reads machine types: one call for what they are, one for where they are offered.
pub(super) async fn observe(
    aws: &Aws,
    names: &BTreeSet<String>,
) -> Result<BTreeMap<String, LiveInstanceType>, AwsError> {
    if names.is_empty() {
        return Ok(BTreeMap::new());
    }
    let chosen = || ec2::filter("instance-type", names);
    let types = async {
        let pages = aws.ec2.describe_instance_types().filters(chosen()).into_paginator();
        let rows = pages.items().send().collect::<Result<Vec<_>, _>>().await;
        rows.map_err(|error| AwsError::new("ec2:DescribeInstanceTypes", "", error))
    };
    let offerings = async {
        let call = aws.ec2.describe_instance_type_offerings().filters(chosen());
        let pages = call.location_type(LocationType::AvailabilityZone).into_paginator();
        let rows = pages.items().send().collect::<Result<Vec<_>, _>>().await;
        rows.map_err(|error| AwsError::new("ec2:DescribeInstanceTypeOfferings", "", error))
    };
    let (types, offerings) = try_join(types, offerings).await?;
    let mut live: BTreeMap<String, LiveInstanceType> = BTreeMap::new();
    for row in types {
        let Some(name) = row.instance_type() else { continue };
        let store = row.instance_storage_info();
        let must_map = store
            .is_some_and(|store| store.nvme_support() != Some(&EphemeralNvmeSupport::Required));
        let disks = store.map(|store| store.disks()).unwrap_or_default();
        let count = disks.iter().filter_map(|disk| disk.count()).sum();
        let mapped_disks = if must_map { count } else { 0 };
        let entry = live.entry(name.as_str().to_owned()).or_default();
        entry.mapped_disks = mapped_disks;
        entry.burstable = row.burstable_performance_supported().unwrap_or(false);
    }
    for row in offerings {
        if let (Some(name), Some(zone)) = (row.instance_type(), row.location()) {
            live.entry(name.as_str().to_owned()).or_default().zones.insert(zone.to_owned());
        }
    }
    Ok(live)
}
