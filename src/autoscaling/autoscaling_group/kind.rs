//! The kind: how a group is found and written.

use std::collections::BTreeSet;

use aws_sdk_autoscaling::operation::update_auto_scaling_group::UpdateAutoScalingGroupInput;
use aws_sdk_autoscaling::types::{LaunchTemplateSpecification, MixedInstancesPolicy};

use super::fields::{AutoscalingGroupFields, TemplateVersion};
use super::live::{DESCRIBE, LiveGroup, standing};
use super::wanted::AutoscalingGroup;
use super::{metrics, processes, tags};
use crate::aws::tags::Tags;
use crate::aws::{Aws, AwsError, Fault, done, ec2};
use crate::core::deletion::Delete;
use crate::core::fields::{Changed, ExactTags, Found, Want, Wanted, set};
use crate::core::given::Given;
use crate::core::holders::Holders;
use crate::core::id::{Id, Ref};
use crate::core::kind::{Kind, ResourceId};
use crate::core::manage::{Manage, View};
use crate::core::whose::{Marks, Owner, Taggable, Whose};
use crate::core::work::Work;
use crate::ec2::launch_template::{LaunchTemplate, LiveTemplate};
use crate::iam::role_policy::IamRolePolicy;
use crate::limits::AUTOSCALING_GROUP_NAME;
use crate::vpc::route::Route;
use crate::vpc::route_table_association::RouteTableAssociation;
use crate::vpc::security_group_rule::SecurityGroupRule;

/// The version that a group runs: whatever is the newest when an instance starts.
const NEWEST: &str = "$Latest";

impl Manage for AutoscalingGroup {
    type Live = LiveGroup;
    type Fields = AutoscalingGroupFields<Wanted>;

    fn id(&self) -> ResourceId {
        ResourceId::new(AutoscalingGroup::KIND, &self.name)
    }

    fn needs(&self) -> Vec<ResourceId> {
        std::iter::once(self.template.resource())
            .chain(self.subnets.iter().map(Ref::resource))
            .collect()
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
        let runs_on = |id: &Id<LaunchTemplate>| {
            let mut templates = view.seen.rows::<LiveTemplate>().iter();
            templates.find(|template| {
                template.id == *id && view.owns(LaunchTemplate::KIND, &template.marks())
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

    fn aws_id(found: &LiveGroup) -> Id<Self> {
        found.name.clone()
    }

    fn wanted(&self, _: View<'_>) -> AutoscalingGroupFields<Wanted> {
        self.fields(&Tags::new())
    }

    fn wanted_over(&self, found: &LiveGroup, _: View<'_>) -> AutoscalingGroupFields<Wanted> {
        self.fields(&found.tags)
    }

    fn found(&self, found: &LiveGroup, view: View<'_>) -> AutoscalingGroupFields<Found> {
        let template = found.template.as_ref().map(|(id, version)| TemplateVersion {
            template: view.name(id).to_owned(),
            version: version.clone(),
        });
        // Others are none of our business.
        let is_ours = |metric: &&String| self.metrics().any(|own| own == metric.as_str());
        let mixed = found.mixed.clone().unwrap_or_default();
        AutoscalingGroupFields {
            template,
            min_size: Some(found.min_size),
            max_size: Some(found.max_size),
            subnets: set(found.subnets.iter().map(|id| view.name(id))),
            launch_configuration: found.launch_configuration.clone(),
            types: mixed.instance_types(),
            requirements: mixed.requirements,
            on_demand_allocation: mixed.on_demand_allocation,
            spot_allocation: mixed.spot_allocation,
            on_demand_base: mixed.on_demand_base,
            on_demand_above_base: mixed.on_demand_above_base,
            spot_pools: mixed.spot_pools,
            spot_max_price: mixed.spot_max_price,
            metrics: set(found.metrics.iter().filter(is_ours)),
            suspended: set(&found.suspended),
            protected: Some(found.protected),
            capacity_rebalance: Some(found.capacity_rebalance),
            max_lifetime: Some(found.max_lifetime),
            tags: Some(ExactTags::from(&found.tags)),
        }
    }

    fn given(&self) -> Given<'_> {
        Given::name(&AUTOSCALING_GROUP_NAME, &self.name).tags(&self.tags)
    }

    async fn create(&self, work: &Work<'_>) -> Result<Option<Id<Self>>, AwsError> {
        let (template, policy) = self.template(work)?;
        let call = work.aws.autoscaling.create_auto_scaling_group();
        let answer = call
            .auto_scaling_group_name(&self.name)
            .set_launch_template(template)
            .set_mixed_instances_policy(policy)
            .min_size(self.min_size)
            .max_size(self.max_size)
            .vpc_zone_identifier(Id::texts(&work.ids(&self.subnets)?).join(","))
            .new_instances_protected_from_scale_in(self.protected)
            .set_capacity_rebalance(self.capacity_rebalance.then_some(true))
            .set_max_instance_lifetime((self.max_lifetime != 0).then_some(self.max_lifetime))
            .set_tags(Some(tags::to_sdk(&self.tags, &self.name)))
            .send()
            .await;
        let operation = "autoscaling:CreateAutoScalingGroup";
        match answer.map_err(|error| AwsError::new(operation, &self.name, error)) {
            // The name is taken, perhaps by a call of ours whose answer was lost.
            Err(error) if error.fault == Fault::Conflict && self.stands(work).await? => {}
            answer => drop(answer?),
        }
        metrics::collect(work.aws, &self.name, self.has_warm_pool).await?;
        let suspended = self.suspended.iter().cloned().collect();
        processes::suspend(work.aws, &self.name, &suspended).await?;
        Ok(None)
    }

    async fn update(
        &self,
        work: &Work<'_>,
        _: &Id<Self>,
        changed: &AutoscalingGroupFields<Changed>,
    ) -> Result<(), AwsError> {
        let AutoscalingGroupFields {
            template,
            min_size,
            max_size,
            subnets,
            launch_configuration,
            types,
            requirements,
            on_demand_allocation,
            spot_allocation,
            on_demand_base,
            on_demand_above_base,
            spot_pools,
            spot_max_price,
            metrics,
            suspended,
            protected,
            capacity_rebalance,
            max_lifetime,
            tags,
        } = changed;
        let is_otherwise_launched = template.is_some()
            || launch_configuration.is_some()
            || types.is_some()
            || requirements.is_some()
            || [on_demand_allocation, spot_allocation, spot_max_price]
                .iter()
                .any(|it| it.is_some())
            || [on_demand_base, on_demand_above_base, spot_pools].iter().any(|it| it.is_some());
        let name = &self.name;
        let unchanged = UpdateAutoScalingGroupInput::builder().auto_scaling_group_name(name);
        let mut call = unchanged.clone();
        if is_otherwise_launched {
            let (template, policy) = self.template(work)?;
            call = call.set_launch_template(template).set_mixed_instances_policy(policy);
        }
        if min_size.is_some() || max_size.is_some() {
            call = call.min_size(self.min_size).max_size(self.max_size);
        }
        if subnets.is_some() {
            call = call.vpc_zone_identifier(Id::texts(&work.ids(&self.subnets)?).join(","));
        }
        if protected.is_some() {
            call = call.new_instances_protected_from_scale_in(self.protected);
        }
        if capacity_rebalance.is_some() {
            call = call.capacity_rebalance(self.capacity_rebalance);
        }
        if max_lifetime.is_some() {
            call = call.max_instance_lifetime(self.max_lifetime);
        }
        if call != unchanged {
            call.send_with(&work.aws.autoscaling).await.map_err(|error| {
                AwsError::new("autoscaling:UpdateAutoScalingGroup", name, error)
            })?;
        }
        if let Some(delta) = tags {
            tags::update(work.aws, name, delta).await?;
        }
        if metrics.is_some() {
            metrics::collect(work.aws, name, self.has_warm_pool).await?;
        }
        if let Some(delta) = suspended {
            processes::update(work.aws, name, delta).await?;
        }
        Ok(())
    }

    #[cfg(test)]
    fn imagined(&self, _: &Id<Self>, view: View<'_>) -> LiveGroup {
        LiveGroup {
            name: Id::imagined(&self.name),
            template: Some((view.id_of(&self.template), NEWEST.to_owned())),
            min_size: self.min_size,
            max_size: self.max_size,
            subnets: self.subnets.iter().map(|subnet| view.id_of(subnet)).collect(),
            mixed: self.mixed.clone(),
            metrics: self.metrics().map(str::to_owned).collect(),
            suspended: self.suspended.clone(),
            protected: self.protected,
            capacity_rebalance: self.capacity_rebalance,
            max_lifetime: self.max_lifetime,
            warm_pool: None,
            tags: self.tags.clone(),
            launch_configuration: None,
            instances: Vec::new(),
            load_balancers: Vec::new(),
            target_groups: Vec::new(),
        }
    }

    #[cfg(test)]
    fn disturbed(&self, live: &LiveGroup) -> Vec<(&'static str, LiveGroup)> {
        let other = || vec!["other".to_owned()];
        let template = live.template.clone().map(|(id, _)| (id, "7".to_owned()));
        let launch_configuration = Some("old".to_owned());
        let own = vec![
            ("launchTemplate", LiveGroup { template, ..live.clone() }),
            ("minSize", LiveGroup { min_size: live.min_size + 1, ..live.clone() }),
            ("maxSize", LiveGroup { max_size: live.max_size + 1, ..live.clone() }),
            ("subnets", LiveGroup { subnets: vec![Id::imagined("other")], ..live.clone() }),
            ("launchConfiguration", LiveGroup { launch_configuration, ..live.clone() }),
            ("metrics", LiveGroup { metrics: Vec::new(), ..live.clone() }),
            ("suspendProcesses", LiveGroup { suspended: other(), ..live.clone() }),
            ("instanceProtection", LiveGroup { protected: !live.protected, ..live.clone() }),
            (
                "capacityRebalance",
                LiveGroup { capacity_rebalance: !live.capacity_rebalance, ..live.clone() },
            ),
            (
                "maxInstanceLifetime",
                LiveGroup { max_lifetime: live.max_lifetime + 1, ..live.clone() },
            ),
            ("tags", LiveGroup { tags: Self::lacking_one(&live.tags), ..live.clone() }),
        ];
        let mixed = live.mixed.clone().unwrap_or_default().disturbed().into_iter();
        let mixed =
            mixed.map(|(field, mixed)| (field, LiveGroup { mixed: Some(mixed), ..live.clone() }));
        own.into_iter().chain(mixed).collect()
    }
}

impl AutoscalingGroup {
    fn metrics(&self) -> impl Iterator<Item = &'static str> {
        metrics::wanted(self.has_warm_pool)
    }

    /// What is wanted where there are such tags.
    fn fields(&self, tags: &Tags) -> AutoscalingGroupFields<Wanted> {
        let template =
            TemplateVersion { template: self.template.name.clone(), version: NEWEST.to_owned() };
        let mixed = self.mixed.clone().unwrap_or_default();
        AutoscalingGroupFields {
            template: Want::Is(template),
            min_size: Want::Is(self.min_size),
            max_size: Want::Is(self.max_size),
            subnets: Want::maybe(set(self.subnets.iter().map(|subnet| &subnet.name))),
            launch_configuration: Want::Absent,
            types: Want::maybe(mixed.instance_types()),
            requirements: Want::maybe(mixed.requirements),
            on_demand_allocation: Want::if_told(mixed.on_demand_allocation),
            spot_allocation: Want::if_told(mixed.spot_allocation),
            on_demand_base: Want::if_told(mixed.on_demand_base),
            on_demand_above_base: Want::if_told(mixed.on_demand_above_base),
            spot_pools: Want::if_told(mixed.spot_pools),
            spot_max_price: match &self.mixed {
                Some(_) => Want::maybe(mixed.spot_max_price),
                None => Want::Any,
            },
            metrics: Want::maybe(set(self.metrics())),
            suspended: Want::maybe(set(&self.suspended)),
            protected: Want::Is(self.protected),
            capacity_rebalance: Want::Is(self.capacity_rebalance),
            max_lifetime: Want::Is(self.max_lifetime),
            tags: Want::Is(tags::wanted_over(&self.tags, tags)),
        }
    }

    /// Whether there is one of its name that is the cluster's and as wanted.
    async fn stands(&self, work: &Work<'_>) -> Result<bool, AwsError> {
        let call = work.aws.autoscaling.describe_auto_scaling_groups();
        let answer = call.auto_scaling_group_names(&self.name).send().await;
        let answer = answer.map_err(|error| AwsError::new(DESCRIBE, &self.name, error))?;
        let template = (work.id(&self.template)?, NEWEST.to_owned());
        let subnets: BTreeSet<_> = work.ids(&self.subnets)?.into_iter().collect();
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
            .version(NEWEST)
            .build();
        Ok(match &self.mixed {
            None => (Some(specification), None),
            Some(mixed) => (None, Some(mixed.to_sdk(specification))),
        })
    }
}

/// Deletes a group with its instances, by its name.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct AutoscalingGroupDeletion(pub(crate) Id<AutoscalingGroup>);

impl Delete for AutoscalingGroupDeletion {
    async fn attempt(&self, aws: &Aws) -> Result<(), AwsError> {
        let Self(name) = self;
        let call = aws.autoscaling.delete_auto_scaling_group();
        let call = call.auto_scaling_group_name(name).force_delete(true);
        done("autoscaling:DeleteAutoScalingGroup", name, call.send().await)
    }

    async fn holders(&self, _: &Work<'_>, _: &mut Holders) -> Result<(), AwsError> {
        Ok(())
    }
}
