//! What the kinds of EC2 share: filters and tags.

use std::collections::BTreeSet;

use aws_sdk_ec2::primitives::{DateTime, DateTimeFormat};
use aws_sdk_ec2::types::{Filter, Instance, ResourceType, Tag, TagSpecification};

use super::managed::Looked;
use super::whose::{self, Marks, Owner};
use super::{Kind, Tags};
use crate::aws::{Answer, Aws, AwsError, batch};

/// The tag by which kops finds what belongs to a cluster
/// (`upup/pkg/fi/cloudup/awsup/aws_cloud.go`).
pub(super) const CLUSTER_TAG: &str = "KubernetesCluster";

pub(super) fn filter<S: Into<String>>(name: &str, values: impl IntoIterator<Item = S>) -> Filter {
    let values = values.into_iter().map(Into::into).collect();
    Filter::builder().name(name).set_values(Some(values)).build()
}

/// Chooses what carries the cluster's tag.
pub(super) fn of_cluster(cluster: &str) -> Filter {
    filter(&format!("tag:{CLUSTER_TAG}"), [cluster])
}

/// Chooses what carries the tags by which a resource of ours is known: its name, and its
/// cluster's.
pub(super) fn identity(tags: &Tags) -> Vec<Filter> {
    let tells = |key: &str| {
        key == "Name" || key == CLUSTER_TAG || key.starts_with("kubernetes.io/cluster/")
    };
    let own = tags.iter().filter(|(key, _)| tells(key));
    own.map(|(key, value)| filter(&format!("tag:{key}"), [value])).collect()
}

/// The rows of an answer that are known by such tags, whatever else the answer has.
pub(super) fn ours<'a, T>(
    rows: &'a [T],
    tags: impl Fn(&'a T) -> &'a [Tag] + 'a,
    wanted: &'a Tags,
) -> impl Iterator<Item = &'a T> {
    rows.iter().filter(move |row| is_identified(&tags_from_sdk(tags(*row)), wanted))
}

/// Whether something has the name and the cluster of what is wanted.
pub(super) fn is_identified(found: &Tags, wanted: &Tags) -> bool {
    let asked = [CLUSTER_TAG.to_owned(), "Name".to_owned()];
    asked.iter().all(|key| found.get(key) == wanted.get(key))
}

/// A point in time, to the second.
pub(super) fn time_text(at: &DateTime) -> String {
    at.fmt(DateTimeFormat::DateTime).unwrap_or_else(|_| at.secs().to_string())
}

/// Chooses what carries one of the tags by which clusters mark what they have. Either may have
/// gone by hand; and the older tells of other clusters too.
pub(super) fn marked(cluster: &str) -> Filter {
    filter("tag-key", [whose::owner_tag(cluster), CLUSTER_TAG.to_owned()])
}

pub(super) fn tags_from_sdk(tags: &[Tag]) -> Tags {
    let pair = |tag: &Tag| Some((tag.key()?.to_owned(), tag.value().unwrap_or("").to_owned()));
    tags.iter().filter_map(pair).collect()
}

pub(super) fn tags_to_sdk(tags: &Tags) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

/// Tags given in the call that creates: nothing can be left behind untagged.
pub(super) fn specification(kind: ResourceType, tags: &Tags) -> TagSpecification {
    TagSpecification::builder().resource_type(kind).set_tags(Some(tags_to_sdk(tags))).build()
}

/// Sets tags of something that exists.
pub(super) async fn tag(aws: &Aws, id: &str, tags: &Tags) -> Result<(), AwsError> {
    let call = aws.ec2.create_tags().resources(id).set_tags(Some(tags_to_sdk(tags)));
    call.send().await.map_err(|error| AwsError::new("ec2:CreateTags", id, error))?;
    Ok(())
}

pub(super) fn is_named(tags: &Tags, name: &str) -> bool {
    tags.get("Name").is_some_and(|tag| tag == name)
}

/// The addresses of a cluster's instances, inside and out.
pub(super) async fn addresses(aws: &Aws, owner: &Owner) -> Result<BTreeSet<String>, AwsError> {
    let call = aws.ec2.describe_instances().filters(of_cluster(owner.cluster()));
    let rows = call.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
    let rows = rows.map_err(|error| AwsError::new("ec2:DescribeInstances", "", error))?;
    let all = rows.iter().flat_map(|reservation| reservation.instances());
    let is_own = |instance: &&Instance| {
        let tags = tags_from_sdk(instance.tags());
        owner.whose(Kind::Instance, &Marks::default().tags(&tags)).is_owned()
    };
    let addresses = all.filter(is_own).flat_map(addresses_of);
    Ok(addresses.collect())
}

pub(super) fn addresses_of(instance: &Instance) -> impl Iterator<Item = String> {
    let addresses = [instance.private_ip_address(), instance.public_ip_address()];
    addresses.map(|address| address.map(str::to_owned)).into_iter().flatten()
}

/// The instances of these ids that exist.
pub(super) async fn instances(aws: &Aws, ids: &[String]) -> Result<Looked<String>, AwsError> {
    const OPERATION: &str = "ec2:DescribeInstances";
    let read = batch::read(ids, batch::FILTER_VALUES, async |ids: &[String]| {
        let call = aws.ec2.describe_instances().filters(filter("instance-id", ids));
        let rows = call.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
        let rows = rows.map_err(|error| AwsError::new(OPERATION, "", error))?;
        let all = rows.iter().flat_map(|reservation| reservation.instances());
        all.map(|row| Answer::of(OPERATION, "").id("instanceId", row.instance_id())).collect()
    });
    Looked::sort(read.await)
}

/// The availability zones of the region in which the account may create anything.
pub(super) async fn availability_zones(aws: &Aws) -> Result<Looked<String>, AwsError> {
    let answer = aws.ec2.describe_availability_zones().send().await;
    let answer = answer.map_err(|error| AwsError::new("ec2:DescribeAvailabilityZones", "", error));
    Looked::sort(answer.map(|answer| {
        let zones = answer.availability_zones().iter();
        zones.filter_map(|zone| zone.zone_name().map(str::to_owned)).collect()
    }))
}
