//! A cluster's instances as the Auto Scaling groups and EC2 have them, and what a rolling
//! update does to them: detach, terminate.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_autoscaling::types::{
    AutoScalingGroup as SdkGroup, Filter as GroupFilter, Instance as SdkMember,
    LaunchTemplateSpecification, ScalingActivityStatusCode,
};
use aws_sdk_ec2::types::{Instance as SdkInstance, InstanceStateName};
use futures::future::{try_join, try_join_all};

use crate::autoscaling::autoscaling_group::{self, AutoscalingGroup};
use crate::aws::tags::{CLUSTER_TAG, Tags};
use crate::aws::{Answer, Aws, AwsError, Fault, ec2};
use crate::core::time::Time;
use crate::core::whose::{Marks, Owner};
use crate::ec2::instance::Instance;
use crate::ec2::launch_template::{self, Pointers};

/// The tag of instances that were detached to be replaced; its value is their group. kops
/// gives it too (`upup/pkg/fi/cloudup/awsup/aws_cloud.go`), so either finishes what the other
/// began.
pub(crate) const DETACHED_TAG: &str = "kops.k8s.io/detached-from-asg";

/// The version that AWS launches where none is named.
const DEFAULT: &str = "$Default";

const GROUPS: &str = "autoscaling:DescribeAutoScalingGroups";
const WARM_POOL: &str = "autoscaling:DescribeWarmPool";
const INSTANCES: &str = "ec2:DescribeInstances";

/// What a look at a cluster's instances found.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fleet {
    pub(crate) groups: Vec<FleetGroup>,
    pub(crate) instances: BTreeMap<String, FleetInstance>,
    /// The time by AWS' own clock, by which all times here are.
    pub(crate) as_of: Option<Time>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct FleetGroup {
    pub(crate) name: String,
    pub(crate) min: usize,
    pub(crate) desired: usize,
    pub(crate) max: usize,
    /// A launch template by the number of its version.
    pub(crate) source: Source,
    /// Its launch template by id, and the version as it names it: `$Latest` too. `None` where a
    /// policy of several machine types tells what it launches.
    pub(crate) template: Option<(String, String)>,
    pub(crate) suspended: Vec<String>,
    pub(crate) members: Vec<FleetMember>,
    /// The newest first; read only where instances are missing.
    pub(crate) activities: Vec<Activity>,
}

/// What instances are made from.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) enum Source {
    Template {
        id: String,
        version: String,
    },
    Configuration(String),
    /// Neither is told any more.
    #[default]
    Unknown,
}

/// An instance as its group has it.
#[derive(Clone, Debug, Default)]
pub(crate) struct FleetMember {
    pub(crate) id: String,
    /// `Pending`, `InService`, `Terminating`, `Warmed:Stopped` and more.
    pub(crate) lifecycle: String,
    pub(crate) source: Source,
}

/// An instance as EC2 has it.
#[derive(Clone, Debug, Default)]
pub(crate) struct FleetInstance {
    pub(crate) id: String,
    pub(crate) state: MachineState,
    pub(crate) launched: Time,
    pub(crate) zone: String,
    pub(crate) private_dns: String,
    pub(crate) private_ip: String,
    /// The group that it was detached from by a rolling update.
    pub(crate) detached_from: Option<String>,
    /// Why EC2 stopped or terminated it.
    pub(crate) reason: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum MachineState {
    #[default]
    Pending,
    Running,
    /// Shutting down, terminated or stopped: it does no work and will do none.
    Gone,
}

/// What Auto Scaling tried.
#[derive(Clone, Debug)]
pub(crate) struct Activity {
    pub(crate) started: Time,
    pub(crate) is_launch: bool,
    pub(crate) outcome: ActivityOutcome,
    pub(crate) message: String,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ActivityOutcome {
    Open,
    Done,
    Failed,
}

/// Reads the groups and instances of a cluster: two calls at once and their pages; then one for
/// what `$Latest` stands for, and of each group that lacks instances, or keeps some warm, one more.
pub(crate) async fn observe(aws: &Aws, owner: &Owner) -> Result<Fleet, AwsError> {
    let (groups, instances) = try_join(groups(aws, owner), instances(aws, owner)).await?;
    let (ours, others): (Vec<_>, Vec<_>) = groups.into_iter().partition(|group| group.is_owned);
    // What others' groups keep is theirs; what ours keep is ours.
    let ids = |groups: &[Marked]| -> BTreeSet<String> {
        let members = groups.iter().flat_map(|marked| &marked.group.members);
        members.map(|member| member.id.clone()).collect()
    };
    let (own, foreign) = (ids(&ours), ids(&others));
    let instances = instances
        .into_iter()
        .filter(|(id, (_, is_owned))| own.contains(id) || *is_owned && !foreign.contains(id));
    let instances = instances.map(|(id, (instance, _))| (id, instance)).collect();
    let names = ours.iter().filter_map(|marked| marked.moves_with.clone()).collect();
    let mut groups: Vec<_> =
        ours.into_iter().map(|marked| (marked.group, marked.has_warm_pool)).collect();
    let short = groups.iter_mut().map(|(group, has_warm_pool)| async {
        let standing = group.members.iter().filter(|member| member.lifecycle == "InService");
        if standing.count() < group.desired {
            group.activities = activities(aws, &group.name).await?;
        }
        if *has_warm_pool {
            group.members.extend(warm_pool(aws, &group.name).await?);
        }
        Ok::<(), AwsError>(())
    });
    let pointers = launch_template::observe_pointers(aws, &names);
    let (_, pointers) = try_join(try_join_all(short), pointers).await?;
    let numbered = groups.into_iter().map(|(mut group, _)| {
        group.source.number(&pointers);
        group
    });
    let groups = numbered.collect();
    Ok(Fleet { groups, instances, as_of: aws.time() })
}

/// A group that carries the cluster's tag, whosever it is.
struct Marked {
    group: FleetGroup,
    is_owned: bool,
    has_warm_pool: bool,
    /// The name of its launch template, where its version is no number.
    moves_with: Option<String>,
}

impl Source {
    /// Puts the number of a version in the place of its other names.
    fn number(&mut self, pointers: &BTreeMap<String, Pointers>) {
        let Self::Template { id, version } = self else { return };
        let Some(found) = pointers.get(id) else { return };
        match version.as_str() {
            "$Latest" => *version = found.latest.to_string(),
            DEFAULT => *version = found.default.to_string(),
            _ => {}
        }
    }
}

async fn groups(aws: &Aws, owner: &Owner) -> Result<Vec<Marked>, AwsError> {
    let filter = GroupFilter::builder().name(format!("tag:{}", CLUSTER_TAG));
    let filter = filter.values(owner.cluster());
    let call = aws.autoscaling.describe_auto_scaling_groups().filters(filter.build());
    let rows = call.max_records(100).into_paginator().items().send();
    let rows = rows.collect::<Result<Vec<_>, _>>().await;
    let rows = rows.map_err(|error| AwsError::new(GROUPS, "", error))?;
    let rows = rows.iter().filter(|row| row.status().is_none());
    let marked = rows.map(|row| {
        let group = group_from_sdk(row)?;
        let tags = autoscaling_group::tags_from_sdk(row.tags());
        let marks = Marks::of(&group.name).tags(&tags);
        let is_owned = owner.whose(AutoscalingGroup::KIND, &marks).is_owned();
        let has_warm_pool = row.warm_pool_configuration().is_some();
        let template = template_of(row).and_then(|template| template.launch_template_name());
        let moves =
            matches!(&group.source, Source::Template { version, .. } if version.starts_with('$'));
        let moves_with = template.filter(|_| moves).map(str::to_owned);
        Ok(Marked { is_owned, has_warm_pool, moves_with, group })
    });
    marked.collect()
}

/// The launch template of a group, be it in a policy of several machine types.
fn template_of(row: &SdkGroup) -> Option<&LaunchTemplateSpecification> {
    let policy = row.mixed_instances_policy().and_then(|policy| policy.launch_template());
    let of_policy = policy.and_then(|template| template.launch_template_specification());
    row.launch_template().or(of_policy)
}

fn group_from_sdk(row: &SdkGroup) -> Result<FleetGroup, AwsError> {
    let name =
        Answer::of(GROUPS, "").text("AutoScalingGroupName", row.auto_scaling_group_name())?;
    let size = |number: Option<i32>| usize::try_from(number.unwrap_or_default()).unwrap_or(0);
    let answer = Answer::of(GROUPS, &name);
    let source = source(&answer, template_of(row), row.launch_configuration_name())?;
    let members = row.instances().iter().map(|member| member_from_sdk(GROUPS, &name, member));
    Ok(FleetGroup {
        members: members.collect::<Result<_, _>>()?,
        min: size(row.min_size()),
        desired: size(row.desired_capacity()),
        max: size(row.max_size()),
        template: match &source {
            Source::Template { id, version } if row.mixed_instances_policy().is_none() => {
                Some((id.clone(), version.clone()))
            }
            _ => None,
        },
        source,
        suspended: row
            .suspended_processes()
            .iter()
            .filter_map(|process| process.process_name().map(str::to_owned))
            .collect(),
        activities: Vec::new(),
        name: name.clone(),
    })
}

fn member_from_sdk(
    operation: &'static str,
    group: &str,
    row: &SdkMember,
) -> Result<FleetMember, AwsError> {
    let id = Answer::of(operation, group).text("InstanceId", row.instance_id())?;
    let answer = Answer::of(operation, &id);
    let lifecycle = row.lifecycle_state().map(|state| state.as_str());
    Ok(FleetMember {
        lifecycle: answer.text("LifecycleState", lifecycle)?,
        source: source(&answer, row.launch_template(), row.launch_configuration_name())?,
        id: id.clone(),
    })
}

fn source(
    answer: &Answer<'_>,
    template: Option<&LaunchTemplateSpecification>,
    configuration: Option<&str>,
) -> Result<Source, AwsError> {
    if let Some(template) = template {
        return Ok(Source::Template {
            id: answer.text("LaunchTemplateId", template.launch_template_id())?,
            version: template.version().unwrap_or(DEFAULT).to_owned(),
        });
    }
    Ok(match configuration.filter(|name| !name.is_empty()) {
        Some(name) => Source::Configuration(name.to_owned()),
        None => Source::Unknown,
    })
}

/// The instances that carry the cluster's tag, and whether they are its own by their marks.
async fn instances(
    aws: &Aws,
    owner: &Owner,
) -> Result<BTreeMap<String, (FleetInstance, bool)>, AwsError> {
    let states = ["pending", "running", "shutting-down", "stopping", "stopped"];
    let call = aws.ec2.describe_instances().filters(ec2::of_cluster(owner.cluster()));
    let call = call.filters(ec2::filter("instance-state-name", states)).max_results(1000);
    let rows = call.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
    let rows = rows.map_err(|error| AwsError::new(INSTANCES, "", error))?;
    let all = rows.iter().flat_map(|reservation| reservation.instances());
    let judged = all.map(|row| {
        let (instance, tags) = (instance_from_sdk(row)?, ec2::tags_from_sdk(row.tags()));
        let marks = Marks::of(&instance.id).tags(&tags);
        let is_owned = owner.whose(Instance::KIND, &marks).is_owned();
        Ok((instance.id.clone(), (instance, is_owned)))
    });
    judged.collect()
}

fn instance_from_sdk(row: &SdkInstance) -> Result<FleetInstance, AwsError> {
    let id = Answer::of(INSTANCES, "").text("instanceId", row.instance_id())?;
    let zone = row.placement().and_then(|placement| placement.availability_zone());
    let tags = ec2::tags_from_sdk(row.tags());
    let state = row.state().and_then(|state| state.name());
    Ok(FleetInstance {
        state: match state {
            Some(InstanceStateName::Pending) => MachineState::Pending,
            Some(InstanceStateName::Running) => MachineState::Running,
            _ => MachineState::Gone,
        },
        launched: row.launch_time().map(|time| time.secs()).unwrap_or_default(),
        zone: Answer::of(INSTANCES, &id).text("availabilityZone", zone)?,
        // One that is pending has no name yet.
        private_dns: row.private_dns_name().unwrap_or_default().to_owned(),
        private_ip: row.private_ip_address().unwrap_or_default().to_owned(),
        detached_from: tags.get(DETACHED_TAG).cloned(),
        reason: row
            .state_reason()
            .and_then(|reason| reason.message())
            .filter(|message| !message.is_empty())
            .map(str::to_owned),
        id,
    })
}

async fn activities(aws: &Aws, group: &str) -> Result<Vec<Activity>, AwsError> {
    let call = aws.autoscaling.describe_scaling_activities().auto_scaling_group_name(group);
    let answer =
        call.max_records(20).send().await.map_err(|error| {
            AwsError::new("autoscaling:DescribeScalingActivities", group, error)
        })?;
    let rows = answer.activities().iter().map(|row| Activity {
        started: row.start_time().map(|time| time.secs()).unwrap_or_default(),
        is_launch: row.description().is_some_and(|text| text.starts_with("Launching")),
        outcome: match row.status_code() {
            Some(ScalingActivityStatusCode::Failed | ScalingActivityStatusCode::Cancelled) => {
                ActivityOutcome::Failed
            }
            Some(ScalingActivityStatusCode::Successful) => ActivityOutcome::Done,
            _ => ActivityOutcome::Open,
        },
        message: row.status_message().or(row.description()).unwrap_or_default().to_owned(),
    });
    Ok(rows.collect())
}

async fn warm_pool(aws: &Aws, group: &str) -> Result<Vec<FleetMember>, AwsError> {
    let call = aws.autoscaling.describe_warm_pool().auto_scaling_group_name(group);
    let rows = call.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
    let rows = rows.map_err(|error| AwsError::new(WARM_POOL, group, error))?;
    rows.iter().map(|row| member_from_sdk(WARM_POOL, group, row)).collect()
}

/// Takes an instance out of its group, which starts another in its place. It is tagged before,
/// so that one which is detached is always known as such.
pub(crate) async fn detach(aws: &Aws, group: &str, id: &str) -> Result<(), AwsError> {
    let tags = Tags::from([(DETACHED_TAG.to_owned(), group.to_owned())]);
    ec2::tag(aws, id, &tags).await?;
    let call = aws.autoscaling.detach_instances().auto_scaling_group_name(group).instance_ids(id);
    let answer = call.should_decrement_desired_capacity(false).send().await;
    answer.map_err(|error| AwsError::new("autoscaling:DetachInstances", id, error))?;
    Ok(())
}

/// Terminates an instance of a group, which starts another in its place.
pub(crate) async fn terminate_member(aws: &Aws, id: &str) -> Result<(), AwsError> {
    let call = aws.autoscaling.terminate_instance_in_auto_scaling_group().instance_id(id);
    let answer = call.should_decrement_desired_capacity(false).send().await;
    unless_missing(answer.map(drop).map_err(|error| {
        AwsError::new("autoscaling:TerminateInstanceInAutoScalingGroup", id, error)
    }))
}

/// Terminates an instance that is in no group.
pub(crate) async fn terminate(aws: &Aws, id: &str) -> Result<(), AwsError> {
    let answer = aws.ec2.terminate_instances().instance_ids(id).send().await;
    let answer = answer.map(drop);
    unless_missing(answer.map_err(|error| AwsError::new("ec2:TerminateInstances", id, error)))
}

/// What is gone need not be terminated.
fn unless_missing(answer: Result<(), AwsError>) -> Result<(), AwsError> {
    match answer {
        Err(error) if error.fault == Fault::Missing => Ok(()),
        answer => answer,
    }
}
