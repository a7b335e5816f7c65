//! Machine types: which zones have them, and which disks they come with.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::types::{InstanceType, LocationType};
use futures::future::try_join;

use crate::aws::{Answer, Aws, AwsError, batch, ec2};

pub(crate) const X86_64: &str = "x86_64";
pub(crate) const ARM64: &str = "arm64";

/// What kops chooses from where a spec names no type, by what the image runs on
/// (`upup/pkg/fi/cloudup/awsup`, `DefaultInstanceType`).
const OF_NODES: [(&str, &str); 4] =
    [("t3.medium", X86_64), ("c5.large", X86_64), ("c4.large", X86_64), ("t4g.medium", ARM64)];
const OF_BASTIONS: [(&str, &str); 3] =
    [("t3.micro", X86_64), ("t2.micro", X86_64), ("t4g.micro", ARM64)];

pub(crate) fn candidates(runs_kubernetes: bool) -> &'static [(&'static str, &'static str)] {
    if runs_kubernetes { &OF_NODES } else { &OF_BASTIONS }
}

const TYPES: &str = "ec2:DescribeInstanceTypes";
const OFFERINGS: &str = "ec2:DescribeInstanceTypeOfferings";

#[derive(Clone, Debug, Default)]
pub(crate) struct LiveInstanceType {
    pub(crate) name: String,
    /// How many disks it comes with. kops maps all (`upup/pkg/fi/cloudup/awsup/machine_types.go`),
    /// those on NVMe too, which would show themselves.
    pub(crate) mapped_disks: i32,
    /// Whether it has CPU credits.
    pub(crate) burstable: bool,
    /// What it runs, as images tell theirs.
    pub(crate) architectures: Vec<String>,
    pub(crate) has_gpus: bool,
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
        let disks = store.map(|store| store.disks()).unwrap_or_default();
        let entry = live.entry(name).or_default();
        entry.mapped_disks = disks.iter().filter_map(|disk| disk.count()).sum();
        entry.burstable = row.burstable_performance_supported().unwrap_or(false);
        let processor = row.processor_info().map(|own| own.supported_architectures());
        let architectures = processor.unwrap_or_default().iter();
        entry.architectures = architectures.map(|own| own.as_str().to_owned()).collect();
        entry.has_gpus = row.gpu_info().is_some();
    }
    for row in offerings {
        let answer = Answer::of(OFFERINGS, "");
        let name = answer.text("instanceType", row.instance_type().map(InstanceType::as_str))?;
        let zone = answer.text("location", row.location())?;
        live.entry(name).or_default().zones.insert(zone);
    }
    Ok(live.into_iter().map(|(name, row)| LiveInstanceType { name, ..row }).collect())
}
