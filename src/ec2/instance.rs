//! `Instance`: what Auto Scaling starts. kapstan itself creates none.

use aws_sdk_ec2::types::Instance as SdkInstance;

use crate::aws::ec2::{of_cluster, tags_from_sdk};
use crate::aws::{Aws, AwsError};
use crate::core::whose::{Marks, Owner};

/// The kind; instances are only ever deleted.
#[derive(Debug)]
pub(crate) struct Instance;

/// An address of one of the cluster's instances.
#[derive(Clone, Debug)]
pub(crate) struct InstanceAddress(pub(crate) String);

/// The addresses of a cluster's instances, inside and out.
pub(crate) async fn addresses(aws: &Aws, owner: &Owner) -> Result<Vec<InstanceAddress>, AwsError> {
    let call = aws.ec2.describe_instances().filters(of_cluster(owner.cluster()));
    let rows = call.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
    let rows = rows.map_err(|error| AwsError::new("ec2:DescribeInstances", "", error))?;
    let all = rows.iter().flat_map(|reservation| reservation.instances());
    let is_own = |instance: &&SdkInstance| {
        let tags = tags_from_sdk(instance.tags());
        owner.whose(Instance::KIND, &Marks::default().tags(&tags)).is_owned()
    };
    let addresses = all.filter(is_own).flat_map(addresses_of);
    Ok(addresses.map(InstanceAddress).collect())
}

pub(crate) fn addresses_of(instance: &SdkInstance) -> impl Iterator<Item = String> {
    let addresses = [instance.private_ip_address(), instance.public_ip_address()];
    addresses.map(|address| address.map(str::to_owned)).into_iter().flatten()
}
