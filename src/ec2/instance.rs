//! `Instance`: what Auto Scaling starts. kapstan itself creates none.

use std::collections::BTreeSet;

use aws_sdk_ec2::types::{Filter, Instance as SdkInstance, InstanceStateName};

use crate::aws::ec2::{marked, of_cluster, tags_from_sdk};
use crate::aws::tags::Tags;
use crate::aws::{Answer, Aws, AwsError, Fault, batch, done};
use crate::core::belongings::{Around, Belonging, Presence};
use crate::core::deletion::{Delete, going};
use crate::core::holders::Holders;
use crate::core::kind::ResourceId;
use crate::core::look::{Asked, Look, Looking};
use crate::core::seen::{Looked, Seen};
use crate::core::sweep::{Sweep, Unclaimed};
use crate::core::wait::Attempt;
use crate::core::whose::{Marks, Owner, Whose};
use crate::core::work::Work;
use crate::vpc::interface::instance_states;

const DESCRIBE: &str = "ec2:DescribeInstances";
const TERMINATE: &str = "ec2:TerminateInstances";

/// The kind; instances are only ever deleted.
#[derive(Debug)]
pub(crate) struct Instance;

/// An address of one of the cluster's instances.
#[derive(Clone, Debug)]
pub(crate) struct InstanceAddress(pub(crate) String);

/// An instance that carries the cluster's tags, and is not gone.
#[derive(Clone, Debug)]
pub(crate) struct LiveMachine {
    pub(crate) id: String,
    /// Inside and out.
    pub(crate) addresses: Vec<String>,
    pub(crate) tags: Tags,
}

/// Whose such an instance is, who may be in a group.
#[derive(Clone, Debug)]
pub(crate) struct JudgedMachine {
    pub(crate) machine: LiveMachine,
    pub(crate) whose: Whose,
}

/// All instances that carry the cluster's tags.
#[derive(Debug)]
pub(crate) struct Machines {
    cluster: String,
}

impl Look for Machines {
    const AFTER: &'static [Looking] = &[];

    fn ask(asked: &Asked, _: &Seen) -> Option<Self> {
        asked.everything().then(|| Self { cluster: asked.cluster().to_owned() })
    }

    async fn read(self, aws: &Aws) -> Result<Seen, AwsError> {
        let rows = read(aws, marked(&self.cluster)).await.and_then(|rows| {
            let is_there = |instance: &&SdkInstance| {
                let state = instance.state().and_then(|state| state.name());
                state != Some(&InstanceStateName::Terminated)
            };
            rows.iter().filter(is_there).map(from_sdk).collect()
        });
        Ok(Seen::default().with(Looked::sort(rows)?))
    }
}

impl Presence for Instance {
    const LOOKS: &'static [Looking] = &[Looking::of::<Machines>()];

    const IS_SOUGHT: bool = false;

    /// The cluster's own go together.
    fn belongings(around: &Around<'_>) -> Vec<Belonging> {
        let judged = around.seen.rows::<JudgedMachine>().iter();
        let (ours, others): (Vec<_>, Vec<_>) = judged.partition(|one| one.whose.is_owned());
        let others = others.into_iter().map(|JudgedMachine { machine, whose }| {
            let deletion = InstancesDeletion(vec![machine.id.clone()]);
            Belonging::new(ResourceId::new(Self::KIND, &machine.id), whose.clone(), deletion)
        });
        let mut found: Vec<Belonging> = others.collect();
        let ours: BTreeSet<String> = ours.iter().map(|one| one.machine.id.clone()).collect();
        if !ours.is_empty() {
            let ids: Vec<String> = ours.into_iter().collect();
            let told = ResourceId::new(Self::KIND, ids.join(", "));
            let deletion = InstancesDeletion(ids.clone());
            found.push(Belonging::new(told, Whose::Owned, deletion).frees(ids));
        }
        found
    }
}

/// Reads the addresses of a cluster's instances.
pub(crate) async fn addresses(aws: &Aws, owner: &Owner) -> Result<Vec<InstanceAddress>, AwsError> {
    let rows = read(aws, of_cluster(owner.cluster())).await?;
    let is_own = |instance: &&SdkInstance| {
        let tags = tags_from_sdk(instance.tags());
        owner.whose(Instance::KIND, &Marks::default().tags(&tags)).is_owned()
    };
    let addresses = rows.iter().filter(is_own).flat_map(addresses_of);
    Ok(addresses.map(InstanceAddress).collect())
}

async fn read(aws: &Aws, chosen: Filter) -> Result<Vec<SdkInstance>, AwsError> {
    let call = aws.ec2.describe_instances().filters(chosen);
    let rows = call.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
    let rows = rows.map_err(|error| AwsError::new(DESCRIBE, "", error))?;
    Ok(rows.into_iter().flat_map(|row| row.instances.unwrap_or_default()).collect())
}

fn from_sdk(instance: &SdkInstance) -> Result<LiveMachine, AwsError> {
    Ok(LiveMachine {
        id: Answer::of(DESCRIBE, "").text("instanceId", instance.instance_id())?,
        addresses: addresses_of(instance).collect(),
        tags: tags_from_sdk(instance.tags()),
    })
}

fn addresses_of(instance: &SdkInstance) -> impl Iterator<Item = String> {
    let addresses = [instance.private_ip_address(), instance.public_ip_address()];
    let of_ipv6 = instance.network_interfaces().iter().flat_map(|one| one.ipv6_addresses());
    let of_ipv6 = of_ipv6.filter_map(|address| address.ipv6_address());
    addresses.into_iter().flatten().chain(of_ipv6).map(str::to_owned)
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

impl Unclaimed for Instance {
    /// It goes with its group.
    fn unclaimed(_: &mut Sweep<'_>) {}
}
