//! `AutoscalingGroup`: keeps as many instances of a launch template as an instance group
//! asks for.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_autoscaling::operation::describe_auto_scaling_groups::builders::DescribeAutoScalingGroupsFluentBuilder;
use aws_sdk_autoscaling::types::{
    Filter, InstancesDistribution, LaunchTemplate as SdkLaunchTemplate, LaunchTemplateOverrides,
    LaunchTemplateSpecification, MixedInstancesPolicy, Tag, TagDescription,
};

use crate::aws::tags::{CLUSTER_TAG, Tags};
use crate::aws::{Answer, Aws, AwsError, Fault, batch, ec2};
use crate::core::kind::{Kind, ResourceId};
use crate::core::manage::{Manage, View};
use crate::core::seen::Looked;
use crate::core::text::{TextChanged, TextFields};
use crate::core::whose::{Marks, Owner, Taggable, Whose};
use crate::core::work::Work;
use crate::ec2::launch_template::{self, LaunchTemplate, LiveTemplate};
use crate::iam::role_policy::IamRolePolicy;
use crate::vpc::route::Route;
use crate::vpc::route_table_association::RouteTableAssociation;
use crate::vpc::security_group_rule::SecurityGroupRule;

const DESCRIBE: &str = "autoscaling:DescribeAutoScalingGroups";

/// The metrics that kops collects of each group, by the minute
/// (`pkg/model/awsmodel/autoscalinggroup.go`).
const METRICS: [&str; 8] = [
    "GroupDesiredCapacity", "GroupInServiceInstances", "GroupMaxSize", "GroupMinSize",
    "GroupPendingInstances", "GroupStandbyInstances", "GroupTerminatingInstances",
    "GroupTotalInstances",
];

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct AutoscalingGroup {
    pub(crate) name: String,
    pub(crate) template: ResourceId,
    /// The version that it must run, filled in before the plan is made.
    pub(crate) version: i64,
    pub(crate) min_size: i32,
    pub(crate) max_size: i32,
    pub(crate) subnets: Vec<ResourceId>,
    pub(crate) mixed: Option<Mixed>,
    pub(crate) suspended: Vec<String>,
    /// The processes that are suspended and must not be, filled in where that is changed.
    pub(crate) resumed: Vec<String>,
    pub(crate) protected: bool,
    pub(crate) capacity_rebalance: bool,
    pub(crate) warm_pool: Option<WarmPool>,
    pub(crate) tags: Tags,
}

/// Instances of several types, on demand and spot.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Mixed {
    pub(crate) types: Vec<String>,
    pub(crate) on_demand_allocation: Option<String>,
    pub(crate) on_demand_base: Option<i32>,
    pub(crate) on_demand_above_base: Option<i32>,
    pub(crate) spot_allocation: Option<String>,
    pub(crate) spot_pools: Option<i32>,
    pub(crate) spot_max_price: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct WarmPool {
    pub(crate) min_size: i32,
    /// `None` for as many as the group's largest size allows.
    pub(crate) max_size: Option<i32>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct LiveGroup {
    pub(crate) name: String,
    pub(crate) template: Option<(String, String)>,
    pub(crate) launch_configuration: Option<String>,
    pub(crate) min_size: i32,
    pub(crate) max_size: i32,
    pub(crate) subnets: Vec<String>,
    pub(crate) mixed: Option<Mixed>,
    pub(crate) metrics: Vec<String>,
    pub(crate) suspended: Vec<String>,
    pub(crate) protected: bool,
    pub(crate) capacity_rebalance: bool,
    pub(crate) warm_pool: Option<WarmPool>,
    pub(crate) instances: Vec<LiveInstance>,
    pub(crate) load_balancers: Vec<String>,
    pub(crate) target_groups: Vec<String>,
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
pub(crate) async fn observe(
    aws: &Aws,
    cluster: &str,
    names: &[String],
) -> Result<Looked<LiveGroup>, AwsError> {
    let filter = Filter::builder().name(format!("tag:{}", CLUSTER_TAG)).values(cluster);
    let filter = filter.build();
    let found = async {
        let mut found = read(aws, |call| call.filters(filter.clone())).await?;
        let known: BTreeSet<String> = found.iter().map(|group| group.name.clone()).collect();
        let others: Vec<String> =
            names.iter().filter(|name| !known.contains(*name)).cloned().collect();
        let named = async |names: &[String]| {
            read(aws, |call| call.set_auto_scaling_group_names(Some(names.to_vec()))).await
        };
        found.extend(batch::read(&others, NAMES_AT_ONCE, named).await?);
        Ok(found)
    };
    Looked::sort(found.await)
}

/// Reads the groups of a region, or those that a call is narrowed to.
pub(crate) async fn read(
    aws: &Aws,
    narrow: impl Fn(DescribeAutoScalingGroupsFluentBuilder) -> DescribeAutoScalingGroupsFluentBuilder,
) -> Result<Vec<LiveGroup>, AwsError> {
    let call = narrow(aws.autoscaling.describe_auto_scaling_groups().max_records(100));
    let rows = call.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
    standing(&rows.map_err(|error| AwsError::new(DESCRIBE, "", error))?)
}

/// The groups that are not on their way out, as those with a status are.
fn standing(
    rows: &[aws_sdk_autoscaling::types::AutoScalingGroup],
) -> Result<Vec<LiveGroup>, AwsError> {
    rows.iter().filter(|group| group.status().is_none()).map(from_sdk).collect()
}

/// The groups that run on each launch configuration, whosever they are.
pub(crate) async fn users_of_configurations(
    aws: &Aws,
) -> Result<BTreeMap<String, BTreeSet<String>>, AwsError> {
    let mut users: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for group in read(aws, |call| call).await? {
        if let Some(configuration) = group.launch_configuration {
            users.entry(configuration).or_default().insert(group.name);
        }
    }
    Ok(users)
}

/// The user data of launch configurations, for groups that are moved off them.
pub(crate) async fn user_data_of_configurations(
    aws: &Aws,
    names: &[String],
) -> Result<Vec<(String, Vec<u8>)>, AwsError> {
    const OPERATION: &str = "autoscaling:DescribeLaunchConfigurations";
    batch::read(names, batch::LAUNCH_CONFIGURATIONS, async |names: &[String]| {
        let call = aws.autoscaling.describe_launch_configurations();
        let call = call.set_launch_configuration_names(Some(names.to_vec()));
        let rows = call.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
        let rows = rows.map_err(|error| AwsError::new(OPERATION, "", error))?;
        let with_data = rows.iter().filter_map(|row| Some((row, row.user_data()?)));
        let with_data = with_data.filter(|(_, text)| !text.is_empty());
        let data = with_data.map(|(row, text)| {
            let name = row.launch_configuration_name();
            let name = Answer::of(OPERATION, "").id("LaunchConfigurationName", name)?;
            Ok((name, launch_template::decode(text)))
        });
        data.collect()
    })
    .await
}

fn from_sdk(group: &aws_sdk_autoscaling::types::AutoScalingGroup) -> Result<LiveGroup, AwsError> {
    let group_name = group.auto_scaling_group_name();
    let name = Answer::of(DESCRIBE, "").id("AutoScalingGroupName", group_name)?;
    let answer = Answer::of(DESCRIBE, &name);
    let policy = group.mixed_instances_policy();
    let of_policy = policy
        .and_then(|policy| policy.launch_template())
        .and_then(|template| template.launch_template_specification());
    let template = group.launch_template().or(of_policy).map(|specification| {
        let id = answer.id("LaunchTemplateId", specification.launch_template_id())?;
        Ok((id, specification.version().unwrap_or("$Default").to_owned()))
    });
    let tags = group.tags().iter().map(|tag| {
        let key = answer.id("Key of a tag", tag.key())?;
        Ok((key, tag.value().unwrap_or_default().to_owned()))
    });
    let instances = group.instances().iter().map(|instance| {
        let version = instance.launch_template().and_then(|template| template.version());
        Ok(LiveInstance {
            id: answer.id("InstanceId", instance.instance_id())?,
            template_version: version.map(str::to_owned),
        })
    });
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
        subnets: group
            .vpc_zone_identifier()
            .unwrap_or_default()
            .split(',')
            .filter(|id| !id.is_empty())
            .map(str::to_owned)
            .collect(),
        mixed: policy.map(mixed_from_sdk),
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
        warm_pool: group.warm_pool_configuration().filter(|pool| pool.status().is_none()).map(
            |pool| WarmPool {
                min_size: pool.min_size().unwrap_or_default(),
                max_size: pool.max_group_prepared_capacity().filter(|size| *size >= 0),
            },
        ),
        load_balancers: group.load_balancer_names().to_vec(),
        target_groups: group.target_group_arns().to_vec(),
        name: name.clone(),
    })
}

pub(crate) fn tags_from_sdk(tags: &[TagDescription]) -> Tags {
    let pair = |tag: &TagDescription| {
        Some((tag.key()?.to_owned(), tag.value().unwrap_or_default().to_owned()))
    };
    tags.iter().filter_map(pair).collect()
}

fn mixed_from_sdk(policy: &MixedInstancesPolicy) -> Mixed {
    let overrides = policy.launch_template().map(|template| template.overrides());
    let spread = policy.instances_distribution();
    let text = |value: Option<&str>| value.filter(|text| !text.is_empty()).map(str::to_owned);
    Mixed {
        types: overrides
            .unwrap_or_default()
            .iter()
            .filter_map(|one| one.instance_type().map(str::to_owned))
            .collect(),
        on_demand_allocation: text(spread.and_then(|s| s.on_demand_allocation_strategy())),
        on_demand_base: spread.and_then(|s| s.on_demand_base_capacity()),
        on_demand_above_base: spread.and_then(|s| s.on_demand_percentage_above_base_capacity()),
        spot_allocation: text(spread.and_then(|s| s.spot_allocation_strategy())),
        spot_pools: spread.and_then(|s| s.spot_instance_pools()),
        spot_max_price: text(spread.and_then(|s| s.spot_max_price())),
    }
}

/// The fields of a mixed policy; `asked` tells which the spec leaves to AWS.
fn mixed_fields(fields: TextFields, mixed: Option<&Mixed>, asked: Option<&Mixed>) -> TextFields {
    let types = mixed.map(|mixed| mixed.types.join(", ")).filter(|types| !types.is_empty());
    let mut fields = fields.maybe("mixedInstancesPolicy.instances", types);
    let Some(asked) = asked else { return fields };
    let name = |field: &str| format!("mixedInstancesPolicy.{field}");
    let texts = [
        (
            "onDemandAllocationStrategy",
            asked.on_demand_allocation.is_some(),
            mixed.and_then(|m| m.on_demand_allocation.clone()),
        ),
        (
            "spotAllocationStrategy",
            asked.spot_allocation.is_some(),
            mixed.and_then(|m| m.spot_allocation.clone()),
        ),
        (
            "onDemandBase",
            asked.on_demand_base.is_some(),
            mixed.and_then(|m| m.on_demand_base).map(|n| n.to_string()),
        ),
        (
            "onDemandAboveBase",
            asked.on_demand_above_base.is_some(),
            mixed.and_then(|m| m.on_demand_above_base).map(|n| n.to_string()),
        ),
        (
            "spotInstancePools",
            asked.spot_pools.is_some(),
            mixed.and_then(|m| m.spot_pools).map(|n| n.to_string()),
        ),
    ];
    for (field, is_asked, value) in texts {
        if is_asked {
            fields = fields.maybe(&name(field), value);
        }
    }
    fields.maybe("maxPrice", mixed.and_then(|m| m.spot_max_price.clone()))
}

fn warm_pool_text(pool: &WarmPool) -> String {
    let most = pool.max_size.map_or_else(|| "as many as fit".to_owned(), |most| most.to_string());
    format!("{} to {most}", pool.min_size)
}

impl Manage for AutoscalingGroup {
    type Live = LiveGroup;
    type Fields = TextFields;

    fn id(&self) -> ResourceId {
        ResourceId::new(AutoscalingGroup::KIND, &self.name)
    }

    fn needs(&self) -> Vec<ResourceId> {
        std::iter::once(&self.template).chain(&self.subnets).cloned().collect()
    }

    /// Instances that start before their way out or their permissions would start for nothing.
    fn behind(&self) -> &'static [Kind] {
        const {
            &[
                Route::KIND,
                RouteTableAssociation::KIND,
                IamRolePolicy::KIND,
                SecurityGroupRule::KIND,
            ]
        }
    }

    fn is(&self, found: &LiveGroup, _: View<'_>) -> bool {
        found.name == self.name
    }

    /// A group on a template of the cluster's is the cluster's, even if it has lost its tags.
    fn marks<'a>(&self, found: &'a LiveGroup, view: View<'a>) -> Vec<Marks<'a>> {
        let runs_on = |id: &str| {
            let mut templates = view.seen.rows::<LiveTemplate>().iter();
            templates.find(|template| {
                template.id == id && view.owns(LaunchTemplate::KIND, &template.marks())
            })
        };
        let template = found.template.as_ref().and_then(|(id, _)| runs_on(id));
        vec![match template {
            Some(template) => {
                found.marks().hangs_on(format!("run on {}", template.id), Whose::Owned)
            }
            None => found.marks(),
        }]
    }

    fn adopt(&self, found: &LiveGroup, owner: &Owner) -> Option<String> {
        Some(owner.adopt(&Taggable::ScalingGroup(&found.name)))
    }

    fn aws_id(found: &LiveGroup) -> String {
        found.name.clone()
    }

    fn wanted(&self, _: View<'_>) -> TextFields {
        self.fields(None)
    }

    fn wanted_over(&self, found: &LiveGroup, _: View<'_>) -> TextFields {
        self.fields(Some(found))
    }

    fn found(&self, found: &LiveGroup, view: View<'_>) -> TextFields {
        let template = found
            .template
            .as_ref()
            .map(|(id, version)| format!("{} version {version}", view.name(id)));
        let metrics: Vec<&String> =
            found.metrics.iter().filter(|metric| METRICS.contains(&metric.as_str())).collect();
        let fields = TextFields::default()
            .maybe("launchTemplate", template)
            .maybe("launchConfiguration", found.launch_configuration.as_ref())
            .with("minSize", found.min_size)
            .with("maxSize", found.max_size)
            .set("subnets", found.subnets.iter().map(|id| view.name(id)));
        mixed_fields(fields, found.mixed.as_ref(), self.mixed.as_ref())
            .set("metrics", metrics)
            .set("suspendProcesses", found.suspended.clone())
            .with("instanceProtection", found.protected)
            .with("capacityRebalance", found.capacity_rebalance)
            .maybe("warmPool", found.warm_pool.as_ref().map(warm_pool_text))
            .tags(&found.tags)
    }

    fn facing(&self, found: &LiveGroup, _: View<'_>) -> Self {
        let suspended = found.suspended.iter();
        let resumed = suspended.filter(|process| !self.suspended.contains(process));
        Self { resumed: resumed.cloned().collect(), ..self.clone() }
    }

    async fn create(&self, work: &Work<'_>) -> Result<Option<String>, AwsError> {
        let (template, policy) = self.template(work)?;
        let call = work.aws.autoscaling.create_auto_scaling_group();
        let answer = call
            .auto_scaling_group_name(&self.name)
            .set_launch_template(template)
            .set_mixed_instances_policy(policy)
            .min_size(self.min_size)
            .max_size(self.max_size)
            .vpc_zone_identifier(work.ids(&self.subnets)?.join(","))
            .new_instances_protected_from_scale_in(self.protected)
            .set_capacity_rebalance(self.capacity_rebalance.then_some(true))
            .set_tags(Some(self.tags.iter().map(|(key, value)| self.tag(key, value)).collect()))
            .send()
            .await;
        let operation = "autoscaling:CreateAutoScalingGroup";
        match answer.map_err(|error| AwsError::new(operation, &self.name, error)) {
            // The name is taken, perhaps by a call of ours whose answer was lost.
            Err(error) if error.fault == Fault::Conflict && self.stands(work).await? => {}
            answer => drop(answer?),
        }
        self.collect_metrics(work).await?;
        if !self.suspended.is_empty() {
            self.suspend(work, self.suspended.clone()).await?;
        }
        self.put_warm_pool(work).await?;
        Ok(None)
    }

    async fn update(
        &self,
        work: &Work<'_>,
        _id: &str,
        changed: &TextChanged,
    ) -> Result<(), AwsError> {
        self.update_group(work, changed).await?;
        self.update_tags(work, changed).await?;
        if changed.touches("metrics") {
            self.collect_metrics(work).await?;
        }
        if changed.touches("suspendProcesses") {
            if !self.suspended.is_empty() {
                self.suspend(work, self.suspended.clone()).await?;
            }
            if !self.resumed.is_empty() {
                let call = work.aws.autoscaling.resume_processes();
                let call = call.auto_scaling_group_name(&self.name);
                let resumed = Some(self.resumed.clone());
                call.set_scaling_processes(resumed).send().await.map_err(|error| {
                    AwsError::new("autoscaling:ResumeProcesses", &self.name, error)
                })?;
            }
        }
        if changed.touches("warmPool") {
            match &self.warm_pool {
                Some(_) => self.put_warm_pool(work).await?,
                None => {
                    let call = work.aws.autoscaling.delete_warm_pool();
                    let call = call.auto_scaling_group_name(&self.name).force_delete(true);
                    call.send().await.map_err(|error| {
                        AwsError::new("autoscaling:DeleteWarmPool", &self.name, error)
                    })?;
                }
            }
        }
        Ok(())
    }
}

impl AutoscalingGroup {
    /// What is wanted, and what of `live` must go.
    fn fields(&self, live: Option<&LiveGroup>) -> TextFields {
        let mut fields = TextFields::default()
            .with("launchTemplate", format!("{} version {}", self.template.name, self.version))
            .with("minSize", self.min_size)
            .with("maxSize", self.max_size)
            .set("subnets", self.subnets.iter().map(|subnet| &subnet.name));
        if live.is_some_and(|live| live.launch_configuration.is_some()) {
            fields = fields.maybe("launchConfiguration", None::<String>);
        }
        fields = mixed_fields(fields, self.mixed.as_ref(), self.mixed.as_ref())
            .set("metrics", METRICS)
            .set("suspendProcesses", self.suspended.clone())
            .with("instanceProtection", self.protected)
            .with("capacityRebalance", self.capacity_rebalance)
            .maybe("warmPool", self.warm_pool.as_ref().map(warm_pool_text))
            .tags(&self.tags);
        // As in kops, a tag that is no longer wanted goes; those of AWS itself cannot.
        let keys = live.map(|live| live.tags.keys()).into_iter().flatten();
        let gone = keys.filter(|key| !self.tags.contains_key(*key) && !key.starts_with("aws:"));
        fields.without_tags(gone.cloned())
    }

    /// Whether there is one of its name that is the cluster's and as wanted.
    async fn stands(&self, work: &Work<'_>) -> Result<bool, AwsError> {
        let call = work.aws.autoscaling.describe_auto_scaling_groups();
        let answer = call.auto_scaling_group_names(&self.name).send().await;
        let answer = answer.map_err(|error| AwsError::new(DESCRIBE, &self.name, error))?;
        let template = (work.id(&self.template)?, self.version.to_string());
        let subnets: BTreeSet<String> = work.ids(&self.subnets)?.into_iter().collect();
        let is_as_wanted = |found: LiveGroup| {
            ec2::is_identified(&found.tags, &self.tags)
                && found.template.as_ref() == Some(&template)
                && (found.min_size, found.max_size) == (self.min_size, self.max_size)
                && found.subnets.into_iter().collect::<BTreeSet<_>>() == subnets
        };
        Ok(standing(answer.auto_scaling_groups())?.into_iter().any(is_as_wanted))
    }

    fn template(
        &self,
        work: &Work<'_>,
    ) -> Result<(Option<LaunchTemplateSpecification>, Option<MixedInstancesPolicy>), AwsError> {
        let specification = LaunchTemplateSpecification::builder()
            .launch_template_id(work.id(&self.template)?)
            .version(self.version.to_string())
            .build();
        let Some(mixed) = &self.mixed else { return Ok((Some(specification), None)) };
        let overrides = mixed
            .types
            .iter()
            .map(|name| LaunchTemplateOverrides::builder().instance_type(name).build());
        let template = SdkLaunchTemplate::builder()
            .launch_template_specification(specification)
            .set_overrides(Some(overrides.collect()));
        let distribution = InstancesDistribution::builder()
            .set_on_demand_allocation_strategy(mixed.on_demand_allocation.clone())
            .set_on_demand_base_capacity(mixed.on_demand_base)
            .set_on_demand_percentage_above_base_capacity(mixed.on_demand_above_base)
            .set_spot_allocation_strategy(mixed.spot_allocation.clone())
            .set_spot_instance_pools(mixed.spot_pools)
            .set_spot_max_price(mixed.spot_max_price.clone());
        let policy = MixedInstancesPolicy::builder()
            .launch_template(template.build())
            .instances_distribution(distribution.build());
        Ok((None, Some(policy.build())))
    }

    fn tag(&self, key: &str, value: &str) -> Tag {
        Tag::builder()
            .key(key)
            .value(value)
            .resource_id(&self.name)
            .resource_type("auto-scaling-group")
            .propagate_at_launch(true)
            .build()
    }

    async fn update_group(&self, work: &Work<'_>, changed: &TextChanged) -> Result<(), AwsError> {
        let mut call = work.aws.autoscaling.update_auto_scaling_group();
        call = call.auto_scaling_group_name(&self.name);
        let runs = ["launchTemplate", "launchConfiguration", "maxPrice"];
        let is_run =
            |field: &str| runs.contains(&field) || field.starts_with("mixedInstancesPolicy.");
        let mut is_needed = false;
        if changed.fields.iter().any(|change| is_run(&change.field)) {
            let (template, policy) = self.template(work)?;
            call = call.set_launch_template(template).set_mixed_instances_policy(policy);
            is_needed = true;
        }
        if changed.touches("minSize") || changed.touches("maxSize") {
            call = call.min_size(self.min_size).max_size(self.max_size);
            is_needed = true;
        }
        if changed.touches("subnets") {
            call = call.vpc_zone_identifier(work.ids(&self.subnets)?.join(","));
            is_needed = true;
        }
        if changed.touches("instanceProtection") {
            call = call.new_instances_protected_from_scale_in(self.protected);
            is_needed = true;
        }
        if changed.touches("capacityRebalance") {
            call = call.capacity_rebalance(self.capacity_rebalance);
            is_needed = true;
        }
        if is_needed {
            call.send().await.map_err(|error| {
                AwsError::new("autoscaling:UpdateAutoScalingGroup", &self.name, error)
            })?;
        }
        Ok(())
    }

    async fn update_tags(&self, work: &Work<'_>, changed: &TextChanged) -> Result<(), AwsError> {
        if !changed.touches_tags() {
            return Ok(());
        }
        let mut set = Vec::new();
        let mut gone = Vec::new();
        for (key, value) in &changed.tags {
            match value {
                Some(value) => set.push(self.tag(key, value)),
                None => gone.push(self.tag(key, "")),
            }
        }
        if !set.is_empty() {
            let call = work.aws.autoscaling.create_or_update_tags().set_tags(Some(set));
            call.send().await.map_err(|error| {
                AwsError::new("autoscaling:CreateOrUpdateTags", &self.name, error)
            })?;
        }
        if !gone.is_empty() {
            let call = work.aws.autoscaling.delete_tags().set_tags(Some(gone));
            call.send()
                .await
                .map_err(|error| AwsError::new("autoscaling:DeleteTags", &self.name, error))?;
        }
        Ok(())
    }

    async fn collect_metrics(&self, work: &Work<'_>) -> Result<(), AwsError> {
        let call = work.aws.autoscaling.enable_metrics_collection();
        let metrics = METRICS.iter().map(|metric| (*metric).to_owned()).collect();
        let call = call.auto_scaling_group_name(&self.name).granularity("1Minute");
        call.set_metrics(Some(metrics)).send().await.map_err(|error| {
            AwsError::new("autoscaling:EnableMetricsCollection", &self.name, error)
        })?;
        Ok(())
    }

    async fn suspend(&self, work: &Work<'_>, processes: Vec<String>) -> Result<(), AwsError> {
        let call = work.aws.autoscaling.suspend_processes().auto_scaling_group_name(&self.name);
        call.set_scaling_processes(Some(processes))
            .send()
            .await
            .map_err(|error| AwsError::new("autoscaling:SuspendProcesses", &self.name, error))?;
        Ok(())
    }

    async fn put_warm_pool(&self, work: &Work<'_>) -> Result<(), AwsError> {
        let Some(pool) = &self.warm_pool else { return Ok(()) };
        let call = work.aws.autoscaling.put_warm_pool().auto_scaling_group_name(&self.name);
        call.min_size(pool.min_size)
            // −1 stands for the group's own largest size (Auto Scaling API, PutWarmPool).
            .max_group_prepared_capacity(pool.max_size.unwrap_or(-1))
            .send()
            .await
            .map_err(|error| AwsError::new("autoscaling:PutWarmPool", &self.name, error))?;
        Ok(())
    }
}
