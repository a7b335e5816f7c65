//! Autoscaling groups as they are.

use std::collections::BTreeSet;

use aws_sdk_autoscaling::operation::describe_auto_scaling_groups::builders::DescribeAutoScalingGroupsFluentBuilder;
use aws_sdk_autoscaling::types::{AutoScalingGroup, Filter};

use super::mixed::Mixed;
use super::wanted::AutoscalingGroup;
use super::warm_pool::Sizes;
use crate::aws::tags::{CLUSTER_TAG, Tags};
use crate::aws::{Answer, Aws, AwsError, batch};
use crate::core::id::Id;
use crate::core::seen::Looked;
use crate::core::whose::Marks;
use crate::ec2::launch_template::LaunchTemplate;
use crate::elb::load_balancer::LoadBalancer;
use crate::elb::target_group::TargetGroup;
use crate::vpc::subnet::Subnet;

pub(super) const DESCRIBE: &str = "autoscaling:DescribeAutoScalingGroups";

#[derive(Clone, Debug)]
pub(crate) struct LiveGroup {
    pub(crate) name: Id<AutoscalingGroup>,
    /// With the version, as the group names it.
    pub(crate) template: Option<(Id<LaunchTemplate>, String)>,
    pub(crate) launch_configuration: Option<String>,
    pub(crate) min_size: i32,
    pub(crate) max_size: i32,
    pub(crate) subnets: Vec<Id<Subnet>>,
    pub(crate) mixed: Option<Mixed>,
    pub(crate) metrics: Vec<String>,
    pub(crate) suspended: Vec<String>,
    pub(crate) protected: bool,
    pub(crate) capacity_rebalance: bool,
    pub(crate) max_lifetime: i32,
    pub(crate) warm_pool: Option<Sizes>,
    pub(crate) instances: Vec<LiveInstance>,
    pub(crate) load_balancers: Vec<Id<LoadBalancer>>,
    pub(crate) target_groups: Vec<Id<TargetGroup>>,
    pub(crate) tags: Tags,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct LiveInstance {
    pub(crate) id: String,
    pub(crate) template_version: Option<String>,
}

impl LiveGroup {
    pub(crate) fn marks(&self) -> Marks<'_> {
        Marks::of(&self.name).tags(&self.tags)
    }

    /// The template's versions that are in use: the group's own, and those of its instances.
    pub(crate) fn used_versions(&self) -> BTreeSet<i64> {
        let own = self.template.as_ref().map(|(_, version)| version);
        let instances = self.instances.iter().filter_map(|i| i.template_version.as_ref());
        own.into_iter().chain(instances).filter_map(|version| version.parse().ok()).collect()
    }
}

/// How many groups one call may name (Auto Scaling API, `AutoScalingGroupNames`).
const NAMES_AT_ONCE: usize = 50;

/// Reads the groups that carry a cluster's tag, and of these names those that do not.
pub(super) async fn observe(
    aws: &Aws,
    cluster: &str,
    names: &[String],
) -> Result<Looked<LiveGroup>, AwsError> {
    let filter = Filter::builder().name(format!("tag:{}", CLUSTER_TAG)).values(cluster);
    let filter = filter.build();
    let found = async {
        let mut found = read(aws, |call| call.filters(filter.clone())).await?;
        let known: BTreeSet<&str> = found.iter().map(|group| group.name.as_str()).collect();
        let others: Vec<String> =
            names.iter().filter(|name| !known.contains(name.as_str())).cloned().collect();
        let named = async |names: &[String]| {
            read(aws, |call| call.set_auto_scaling_group_names(Some(names.to_vec()))).await
        };
        found.extend(batch::read(&others, NAMES_AT_ONCE, named).await?);
        Ok(found)
    };
    Looked::sort(found.await)
}

/// Reads the groups of a region, or those that a call is narrowed to.
pub(super) async fn read(
    aws: &Aws,
    narrow: impl Fn(DescribeAutoScalingGroupsFluentBuilder) -> DescribeAutoScalingGroupsFluentBuilder,
) -> Result<Vec<LiveGroup>, AwsError> {
    let call = narrow(aws.autoscaling.describe_auto_scaling_groups().max_records(100));
    let rows = call.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
    standing(&rows.map_err(|error| AwsError::new(DESCRIBE, "", error))?)
}

/// The groups that are not on their way out, as those with a status are.
pub(super) fn standing(rows: &[AutoScalingGroup]) -> Result<Vec<LiveGroup>, AwsError> {
    rows.iter().filter(|group| group.status().is_none()).map(from_sdk).collect()
}

fn from_sdk(group: &AutoScalingGroup) -> Result<LiveGroup, AwsError> {
    let group_name = group.auto_scaling_group_name();
    let name = Id::given(Answer::of(DESCRIBE, ""), "AutoScalingGroupName", group_name)?;
    let answer = Answer::of(DESCRIBE, &name);
    let policy = group.mixed_instances_policy();
    let of_policy = policy
        .and_then(|policy| policy.launch_template())
        .and_then(|template| template.launch_template_specification());
    let template = group.launch_template().or(of_policy).map(|specification| {
        let id = Id::given(answer, "LaunchTemplateId", specification.launch_template_id())?;
        Ok((id, specification.version().unwrap_or("$Default").to_owned()))
    });
    let tags = group.tags().iter().map(|tag| {
        let key = answer.text("Key of a tag", tag.key())?;
        Ok((key, tag.value().unwrap_or_default().to_owned()))
    });
    let instances = group.instances().iter().map(|instance| {
        let version = instance.launch_template().and_then(|template| template.version());
        Ok(LiveInstance {
            id: answer.text("InstanceId", instance.instance_id())?,
            template_version: version.map(str::to_owned),
        })
    });
    let subnets = group.vpc_zone_identifier().unwrap_or_default();
    let subnets = subnets.split(',').filter(|id| !id.is_empty());
    let subnets = subnets.map(|id| Id::given(answer, "VPCZoneIdentifier", Some(id)));
    Ok(LiveGroup {
        template: template.transpose()?,
        tags: tags.collect::<Result<_, AwsError>>()?,
        instances: instances.collect::<Result<_, AwsError>>()?,
        launch_configuration: group
            .launch_configuration_name()
            .filter(|name| !name.is_empty())
            .map(str::to_owned),
        min_size: group.min_size().unwrap_or_default(),
        max_size: group.max_size().unwrap_or_default(),
        subnets: subnets.collect::<Result<_, _>>()?,
        mixed: policy.map(Mixed::from_sdk),
        metrics: group
            .enabled_metrics()
            .iter()
            .filter_map(|metric| metric.metric().map(str::to_owned))
            .collect(),
        suspended: group
            .suspended_processes()
            .iter()
            .filter_map(|process| process.process_name().map(str::to_owned))
            .collect(),
        protected: group.new_instances_protected_from_scale_in().unwrap_or(false),
        capacity_rebalance: group.capacity_rebalance().unwrap_or(false),
        max_lifetime: group.max_instance_lifetime().unwrap_or_default(),
        warm_pool: group.warm_pool_configuration().and_then(Sizes::from_sdk),
        load_balancers: Id::all_given(answer, "LoadBalancerNames", group.load_balancer_names())?,
        target_groups: Id::all_given(answer, "TargetGroupARNs", group.target_group_arns())?,
        name: name.clone(),
    })
}
