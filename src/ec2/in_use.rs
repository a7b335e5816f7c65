//! What running instances use: it is not deleted before they are gone.
//!
//! Instances are asked, and no group's members: one that was detached, or started by hand, is in
//! no group.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use aws_sdk_ec2::types::Instance;
use futures::future::try_join_all;

use crate::aws::{Answer, Aws, AwsError, batch, ec2};
use crate::core::seen::Looked;

const DESCRIBE: &str = "ec2:DescribeInstances";

/// The states of instances that run, or may again.
const STATES: [&str; 4] = ["pending", "running", "stopping", "stopped"];

/// The tags that EC2 and Auto Scaling set (EC2 user guide, "Launch templates"; EC2 Auto Scaling
/// user guide, "Tag Auto Scaling groups and instances").
const TEMPLATE_TAG: &str = "aws:ec2launchtemplate:id";
const VERSION_TAG: &str = "aws:ec2launchtemplate:version";
const GROUP_TAG: &str = "aws:autoscaling:groupName";

/// What an instance may use.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Thing {
    /// By its ARN.
    InstanceProfile(String),
    SecurityGroup(String),
    LaunchTemplate(String),
    Subnet(String),
}

impl Thing {
    /// The filter that chooses the instances which use it.
    fn filter(&self) -> (&'static str, &str) {
        match self {
            Self::InstanceProfile(arn) => ("iam-instance-profile.arn", arn),
            Self::SecurityGroup(id) => ("instance.group-id", id),
            Self::LaunchTemplate(id) => ("tag:aws:ec2launchtemplate:id", id),
            Self::Subnet(id) => ("subnet-id", id),
        }
    }

    fn is_used_by(&self, instance: &Instance) -> bool {
        match self {
            Self::InstanceProfile(arn) => {
                instance.iam_instance_profile().and_then(|profile| profile.arn()) == Some(arn)
            }
            Self::SecurityGroup(id) => {
                let cards = instance.network_interfaces().iter().flat_map(|card| card.groups());
                let mut groups = instance.security_groups().iter().chain(cards);
                groups.any(|group| group.group_id() == Some(id))
            }
            Self::LaunchTemplate(id) => tag(instance, TEMPLATE_TAG) == Some(id),
            Self::Subnet(id) => instance.subnet_id() == Some(id),
        }
    }
}

fn tag<'a>(instance: &'a Instance, key: &str) -> Option<&'a str> {
    let found = instance.tags().iter().find(|tag| tag.key() == Some(key));
    found.and_then(|tag| tag.value())
}

/// An instance that uses something.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct User {
    pub(crate) id: String,
    /// The Auto Scaling group that it is in.
    pub(crate) scaling_group: Option<String>,
    /// The version of the launch template that it was made of.
    pub(crate) version: Option<i64>,
}

/// What was asked about, and who uses it.
#[derive(Clone, Debug, Default)]
pub(crate) struct InUse(BTreeMap<Thing, Result<Vec<User>, AwsError>>);

/// Why something is not deleted yet.
#[derive(Clone, Debug)]
pub(crate) enum Hold {
    NotAsked,
    Denied(AwsError),
    Used(Vec<String>),
}

impl Hold {
    /// Why it stays, and what command takes it when it can go.
    pub(crate) fn reason(&self, command: &str) -> String {
        match self {
            Self::Used(ids) => {
                let are = if ids.len() == 1 { "is" } else { "are" };
                let ids = ids.join(", ");
                format!("used by {ids}; when {ids} {are} gone: {command}")
            }
            other => format!("{other}; then: {command}"),
        }
    }
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAsked => write!(f, "whether instances use it was not asked"),
            Self::Denied(error) => {
                write!(f, "whether instances use it is not known: {error}; allow {DESCRIBE}")
            }
            Self::Used(ids) => write!(f, "used by {}", ids.join(", ")),
        }
    }
}

impl InUse {
    /// Who uses something.
    ///
    /// # Errors
    /// It is not known.
    pub(crate) fn users(&self, thing: &Thing) -> Result<&[User], Hold> {
        match self.0.get(thing) {
            None => Err(Hold::NotAsked),
            Some(Err(error)) => Err(Hold::Denied(error.clone())),
            Some(Ok(users)) => Ok(users),
        }
    }

    /// What holds something once those are gone that go.
    pub(crate) fn hold(&self, thing: &Thing, goes: impl Fn(&User) -> bool) -> Option<Hold> {
        let users = match self.users(thing) {
            Ok(users) => users,
            Err(hold) => return Some(hold),
        };
        let left: Vec<String> =
            users.iter().filter(|user| !goes(user)).map(|user| user.id.clone()).collect();
        (!left.is_empty()).then_some(Hold::Used(left))
    }
}

/// Asks for the instances that use any of these things, a call for each sort of thing.
pub(crate) async fn observe(aws: &Aws, things: &BTreeSet<Thing>) -> Result<InUse, AwsError> {
    let mut values: BTreeMap<&'static str, Vec<String>> = BTreeMap::new();
    for thing in things {
        let (filter, value) = thing.filter();
        values.entry(filter).or_default().push(value.to_owned());
    }
    let answers = try_join_all(values.iter().map(async |(filter, values)| {
        let most = batch::FILTER_VALUES - STATES.len();
        let rows = batch::read(values, most, |values| read(aws, filter, values)).await;
        Ok::<_, AwsError>((*filter, Looked::sort(rows)?))
    }));
    let answers: BTreeMap<_, _> = answers.await?.into_iter().collect();
    let mut in_use = InUse::default();
    for thing in things {
        let users = match answers.get(thing.filter().0) {
            Some(Looked::Found(rows)) => {
                rows.iter().filter(|row| thing.is_used_by(row)).map(user).collect()
            }
            Some(Looked::Denied(error)) => Err(error.clone()),
            Some(Looked::Not) | None => continue,
        };
        in_use.0.insert(thing.clone(), users);
    }
    Ok(in_use)
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
        id: Answer::of(DESCRIBE, "").id("instanceId", row.instance_id())?,
        scaling_group: tag(row, GROUP_TAG).map(str::to_owned),
        version: tag(row, VERSION_TAG).and_then(|version| version.parse().ok()),
    })
}
