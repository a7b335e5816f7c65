//! `Instance`: what Auto Scaling starts. kapstan itself creates none.

use aws_sdk_ec2::types::{Instance as SdkInstance, InstanceStateName};

use crate::aws::ec2::{of_cluster, tags_from_sdk};
use crate::aws::{Aws, AwsError, Fault, batch, done};
use crate::core::deletion::{Delete, going};
use crate::core::holders::Holders;
use crate::core::wait::Attempt;
use crate::core::whose::{Marks, Owner};
use crate::core::work::Work;
use crate::vpc::interface::instance_states;

const TERMINATE: &str = "ec2:TerminateInstances";

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

/// Terminates instances, by their ids.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct InstancesDeletion(pub(crate) Vec<String>);

impl Delete for InstancesDeletion {
    async fn attempt(&self, aws: &Aws) -> Result<(), AwsError> {
        let Self(ids) = self;
        terminate(aws, ids).await
    }

    async fn holders(&self, _: &Work<'_>, _: &mut Holders) -> Result<(), AwsError> {
        Ok(())
    }

    async fn standing(&self, aws: &Aws) -> Result<Attempt<()>, AwsError> {
        terminated(aws, &self.0).await
    }
}

async fn terminate(aws: &Aws, ids: &[String]) -> Result<(), AwsError> {
    for batch in ids.chunks(batch::INSTANCES) {
        match terminate_batch(aws, batch).await {
            // One that is gone keeps the call from all others.
            Err(error) if error.fault == Fault::Missing => {
                let left = instance_states(aws, batch).await?;
                let left: Vec<String> = left.into_iter().map(|(id, _)| id).collect();
                if left.len() == batch.len() {
                    return Err(AwsError { fault: Fault::Busy, ..error });
                }
                if !left.is_empty() {
                    terminate_batch(aws, &left).await?;
                }
            }
            answer => answer?,
        }
    }
    Ok(())
}

async fn terminate_batch(aws: &Aws, ids: &[String]) -> Result<(), AwsError> {
    let call = aws.ec2.terminate_instances().set_instance_ids(Some(ids.to_vec()));
    done(TERMINATE, &ids.join(", "), call.send().await)
}

async fn terminated(aws: &Aws, ids: &[String]) -> Result<Attempt<()>, AwsError> {
    let states = instance_states(aws, ids).await?;
    let stand = states.iter().filter(|(_, state)| *state != InstanceStateName::Terminated);
    let stand: Vec<String> = stand.map(|(id, state)| format!("{id} ({state})")).collect();
    Ok(going(TERMINATE, &ids.join(", "), &stand))
}
