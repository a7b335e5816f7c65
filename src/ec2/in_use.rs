//! Asks which instances use something.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::types::Instance;
use futures::future::try_join_all;

use crate::aws::{Answer, Aws, AwsError, batch, ec2};
use crate::core::in_use::{DESCRIBE, InUse, Thing, User};
use crate::core::seen::Looked;

/// The states of instances that run, or may again.
const STATES: [&str; 4] = ["pending", "running", "stopping", "stopped"];

/// The tags that EC2 and Auto Scaling set (EC2 user guide, "Launch templates"; EC2 Auto Scaling
/// user guide, "Tag Auto Scaling groups and instances").
const TEMPLATE_TAG: &str = "aws:ec2launchtemplate:id";
const VERSION_TAG: &str = "aws:ec2launchtemplate:version";
const GROUP_TAG: &str = "aws:autoscaling:groupName";

const ASSOCIATIONS: &str = "ec2:DescribeIamInstanceProfileAssociations";

/// By which instances are asked for that use profiles: not a filter, since associations tell.
const PROFILE: &str = "iam-instance-profile";

/// What chooses the instances which use something.
fn filter(thing: &Thing) -> (&'static str, &str) {
    match thing {
        Thing::InstanceProfile(arn) => (PROFILE, arn),
        Thing::SecurityGroup(id) => ("instance.group-id", id),
        Thing::LaunchTemplate(id) => ("tag:aws:ec2launchtemplate:id", id),
        Thing::Subnet(id) => ("subnet-id", id),
    }
}

fn uses(instance: &Instance, thing: &Thing) -> bool {
    match thing {
        Thing::InstanceProfile(arn) => {
            instance.iam_instance_profile().and_then(|profile| profile.arn()) == Some(arn)
        }
        Thing::SecurityGroup(id) => {
            let cards = instance.network_interfaces().iter().flat_map(|card| card.groups());
            let mut groups = instance.security_groups().iter().chain(cards);
            groups.any(|group| group.group_id() == Some(id))
        }
        Thing::LaunchTemplate(id) => tag(instance, TEMPLATE_TAG) == Some(id),
        Thing::Subnet(id) => instance.subnet_id() == Some(id),
    }
}

fn tag<'a>(instance: &'a Instance, key: &str) -> Option<&'a str> {
    let found = instance.tags().iter().find(|tag| tag.key() == Some(key));
    found.and_then(|tag| tag.value())
}

/// Asks for the instances that use any of these things, a call for each sort of thing.
pub(crate) async fn observe(aws: &Aws, things: &BTreeSet<Thing>) -> Result<InUse, AwsError> {
    let mut values: BTreeMap<&'static str, Vec<String>> = BTreeMap::new();
    for thing in things {
        let (filter, value) = filter(thing);
        values.entry(filter).or_default().push(value.to_owned());
    }
    let answers = try_join_all(values.iter().map(async |(filter, values)| {
        let most = batch::FILTER_VALUES - STATES.len();
        let rows = match *filter {
            PROFILE => match with_profiles(aws, values).await {
                Ok(ids) => batch::read(&ids, most, |ids| read(aws, "instance-id", ids)).await,
                Err(error) => Err(error),
            },
            filter => batch::read(values, most, |values| read(aws, filter, values)).await,
        };
        Ok::<_, AwsError>((*filter, Looked::sort(rows)?))
    }));
    let answers: BTreeMap<_, _> = answers.await?.into_iter().collect();
    let mut in_use = InUse::default();
    for thing in things {
        let users = match answers.get(filter(thing).0) {
            Some(Looked::Found(rows)) => {
                rows.iter().filter(|row| uses(row, thing)).map(user).collect()
            }
            Some(Looked::Denied(error)) => Err(error.clone()),
            Some(Looked::Not) | None => continue,
        };
        in_use.put(thing.clone(), users);
    }
    Ok(in_use)
}

/// The instances that have one of these profiles, whatever their state.
async fn with_profiles(aws: &Aws, arns: &[String]) -> Result<Vec<String>, AwsError> {
    let call = aws.ec2.describe_iam_instance_profile_associations();
    let call = call.filters(ec2::filter("state", ["associating", "associated"])).max_results(1000);
    let rows = call.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
    let rows = rows.map_err(|error| AwsError::new(ASSOCIATIONS, "", error))?;
    let uses = rows.iter().filter(|row| {
        let arn = row.iam_instance_profile().and_then(|profile| profile.arn());
        arn.is_some_and(|arn| arns.iter().any(|own| own == arn))
    });
    uses.map(|row| Answer::of(ASSOCIATIONS, "").text("instanceId", row.instance_id())).collect()
}

async fn read(aws: &Aws, filter: &str, values: &[String]) -> Result<Vec<Instance>, AwsError> {
    let call = aws.ec2.describe_instances().filters(ec2::filter(filter, values));
    let call = call.filters(ec2::filter("instance-state-name", STATES)).max_results(1000);
    let rows = call.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
    let rows = rows.map_err(|error| AwsError::new(DESCRIBE, "", error))?;
    Ok(rows.into_iter().flat_map(|row| row.instances.unwrap_or_default()).collect())
}

fn user(row: &Instance) -> Result<User, AwsError> {
    Ok(User {
        id: Answer::of(DESCRIBE, "").text("instanceId", row.instance_id())?,
        scaling_group: tag(row, GROUP_TAG).map(str::to_owned),
        version: tag(row, VERSION_TAG).and_then(|version| version.parse().ok()),
    })
}
