//! `TargetGroup`: what the instances behind a network load balancer join.

use aws_sdk_elasticloadbalancingv2::types::{
    ProtocolEnum, TargetGroup as SdkTargetGroup, TargetTypeEnum,
};

use super::tags;
use crate::aws::tags::Tags;
use crate::aws::{Answer, Aws, AwsError, Fault, done};
use crate::core::deletion::Delete;
use crate::core::fields::{Changed, Changes as _, Found, Stuck, Value, Want, Wanted, fields};
use crate::core::given::Given;
use crate::core::holders::Holders;
use crate::core::id::{Id, Ref};
use crate::core::kind::ResourceId;
use crate::core::manage::{Manage, View};
use crate::core::sweep::{Offer, Place, Sweep, Unclaimed};
use crate::core::whose::{Marks, Owner, Taggable};
use crate::core::work::Work;
use crate::limits::TARGET_GROUP_NAME;
use crate::limits::arn::Arn;
use crate::vpc::interface::User;
use crate::vpc::vpc::Vpc;

const DESCRIBE: &str = "elasticloadbalancing:DescribeTargetGroups";
const CREATE: &str = "elasticloadbalancing:CreateTargetGroup";

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TargetGroup {
    /// AWS' name of it, of at most 32 characters.
    pub(crate) name: String,
    pub(crate) port: i32,
    /// Whether targets are spoken to in TLS.
    pub(crate) tls: bool,
    pub(crate) vpc: Ref<Vpc>,
    pub(crate) tags: Tags,
}

fields! { TargetGroupFields {
    protocol: String = "protocol",
    port: i32 = "port",
    vpc: String = "vpc",
    health_check: HealthCheck = "healthCheck",
    tags: Tags = "tags",
} }

/// How targets are asked whether they are well.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct HealthCheck {
    protocol: String,
    interval_seconds: i32,
    /// How many answers in a row make a target healthy.
    up: i32,
    /// How many failures in a row make it unhealthy.
    down: i32,
}

impl HealthCheck {
    fn wanted() -> Self {
        let protocol = ProtocolEnum::Tcp.as_str().to_owned();
        Self { protocol, interval_seconds: 10, up: 2, down: 2 }
    }

    fn from_sdk(group: &SdkTargetGroup) -> Self {
        let protocol = group.health_check_protocol().map_or("", ProtocolEnum::as_str);
        Self {
            protocol: protocol.to_owned(),
            interval_seconds: group.health_check_interval_seconds().unwrap_or_default(),
            up: group.healthy_threshold_count().unwrap_or_default(),
            down: group.unhealthy_threshold_count().unwrap_or_default(),
        }
    }
}

impl Value for HealthCheck {
    fn tell(&self) -> String {
        let Self { protocol, interval_seconds, up, down } = self;
        format!("{protocol} every {interval_seconds}s, {up} up, {down} down")
    }
}

/// The ARN of a target group, whosever it is.
#[derive(Clone, Debug)]
pub(crate) struct TargetGroupArn(pub(crate) Id<TargetGroup>);

/// A target group that is the cluster's, or may be.
#[derive(Clone, Debug)]
pub(crate) struct LiveTargetGroup {
    pub(crate) arn: Id<TargetGroup>,
    pub(crate) name: String,
    protocol: String,
    port: Option<i32>,
    vpc: Option<Id<Vpc>>,
    health_check: HealthCheck,
    /// The ARNs of the load balancers before it.
    pub(crate) balancers: Vec<String>,
    pub(crate) tags: Tags,
}

impl LiveTargetGroup {
    /// What the answer tells; tags are told by another call.
    fn from_sdk(group: &SdkTargetGroup) -> Result<Self, AwsError> {
        let arn = Id::given(Answer::of(DESCRIBE, ""), "TargetGroupArn", group.target_group_arn())?;
        let answer = Answer::of(DESCRIBE, &arn);
        let vpc = group.vpc_id().map(|vpc| Id::given(answer, "VpcId", Some(vpc)));
        Ok(Self {
            name: answer.text("TargetGroupName", group.target_group_name())?,
            // A group of functions has neither protocol, port nor VPC.
            protocol: group.protocol().map_or("", ProtocolEnum::as_str).to_owned(),
            port: group.port(),
            vpc: vpc.transpose()?,
            health_check: HealthCheck::from_sdk(group),
            balancers: group.load_balancer_arns().to_vec(),
            tags: Tags::new(),
            arn: arn.clone(),
        })
    }

    pub(crate) fn is_behind(&self, balancer: &str) -> bool {
        self.balancers.iter().any(|arn| arn == balancer)
    }

    pub(crate) fn marks(&self) -> Marks<'_> {
        Marks::of(&self.arn).or_id(&self.name).tags(&self.tags)
    }
}

/// All target groups of a region, without their tags.
pub(super) async fn all(aws: &Aws) -> Result<Vec<LiveTargetGroup>, AwsError> {
    let pages = aws.elbv2.describe_target_groups().into_paginator().items().send();
    let all = pages.collect::<Result<Vec<_>, _>>().await;
    let all = all.map_err(|error| AwsError::new(DESCRIBE, "", error))?;
    all.iter().map(LiveTargetGroup::from_sdk).collect()
}

impl Manage for TargetGroup {
    type Live = LiveTargetGroup;
    type Fields = TargetGroupFields<Wanted>;

    fn id(&self) -> ResourceId {
        ResourceId::new(TargetGroup::KIND, &self.name)
    }

    fn needs(&self) -> Vec<ResourceId> {
        vec![self.vpc.resource()]
    }

    fn is(&self, found: &LiveTargetGroup, _: View<'_>) -> bool {
        found.name == self.name
    }

    fn marks<'a>(&self, found: &'a LiveTargetGroup, _: View<'a>) -> Vec<Marks<'a>> {
        vec![found.marks()]
    }

    fn adopt(&self, found: &LiveTargetGroup, owner: &Owner) -> Option<String> {
        Some(owner.adopt(&Taggable::Balancer(&found.arn)))
    }

    fn aws_id(found: &LiveTargetGroup) -> Id<Self> {
        found.arn.clone()
    }

    fn wanted(&self, _: View<'_>) -> TargetGroupFields<Wanted> {
        TargetGroupFields {
            protocol: Want::Is(self.protocol().as_str().to_owned()),
            port: Want::Is(self.port),
            vpc: Want::Is(self.vpc.name.clone()),
            health_check: Want::Is(HealthCheck::wanted()),
            tags: Want::Is(self.tags.clone()),
        }
    }

    fn found(&self, found: &LiveTargetGroup, view: View<'_>) -> TargetGroupFields<Found> {
        TargetGroupFields {
            protocol: Some(found.protocol.clone()),
            port: found.port,
            vpc: found.vpc.as_deref().map(|id| view.name(id).to_owned()),
            health_check: Some(found.health_check.clone()),
            tags: Some(found.tags.clone()),
        }
    }

    fn judge(
        &self,
        changed: &mut TargetGroupFields<Changed>,
        found: &LiveTargetGroup,
    ) -> Vec<Stuck> {
        let fixed = TargetGroupFields {
            protocol: changed.protocol.take(),
            port: changed.port.take(),
            vpc: changed.vpc.take(),
            ..TargetGroupFields::none()
        };
        let instead = format!(
            "a target group {} that is not the cluster's must go or get another name; one that is \
             can be deleted with its listener, and the next update makes them anew",
            self.name
        );
        Stuck::fixed(&fixed, &found.arn, instead).into_iter().collect()
    }

    fn given(&self) -> Given<'_> {
        Given::name(&TARGET_GROUP_NAME, &self.name).plain_tags(&self.tags)
    }

    async fn create(&self, work: &Work<'_>) -> Result<Option<Id<Self>>, AwsError> {
        let vpc = work.id(&self.vpc)?;
        let check = HealthCheck::wanted();
        let call = work.aws.elbv2.create_target_group().name(&self.name);
        let answer = call
            .protocol(self.protocol())
            .port(self.port)
            .vpc_id(&vpc)
            .target_type(TargetTypeEnum::Instance)
            .health_check_protocol(check.protocol.as_str().into())
            .health_check_interval_seconds(check.interval_seconds)
            .healthy_threshold_count(check.up)
            .unhealthy_threshold_count(check.down)
            .set_tags(Some(tags::to_sdk(&self.tags)))
            .send()
            .await
            .map_err(|error| AwsError::new(CREATE, &self.name, error));
        match answer {
            Ok(answer) => {
                let arn = answer.target_groups().first().and_then(|group| group.target_group_arn());
                Id::given(Answer::of(CREATE, &self.name), "TargetGroupArn", arn).map(Some)
            }
            // The name is taken, perhaps by a call of ours whose answer was lost.
            Err(taken) if taken.fault == Fault::Conflict => {
                let is_as_wanted = |found: &LiveTargetGroup| {
                    found.name == self.name
                        && found.vpc.as_ref() == Some(&vpc)
                        && found.port == Some(self.port)
                        && found.protocol == self.protocol().as_str()
                };
                match all(work.aws).await?.into_iter().find(is_as_wanted) {
                    Some(found) => {
                        tags::only_ours(work.aws, found.arn, &self.tags, taken).await.map(Some)
                    }
                    None => Err(taken),
                }
            }
            Err(error) => Err(error),
        }
    }

    async fn update(
        &self,
        work: &Work<'_>,
        id: &Id<Self>,
        changed: &TargetGroupFields<Changed>,
    ) -> Result<(), AwsError> {
        let TargetGroupFields { protocol: _, port: _, vpc: _, health_check, tags } = changed;
        if health_check.is_some() {
            let check = HealthCheck::wanted();
            let call = work.aws.elbv2.modify_target_group().target_group_arn(id);
            call.health_check_protocol(check.protocol.as_str().into())
                .health_check_interval_seconds(check.interval_seconds)
                .healthy_threshold_count(check.up)
                .unhealthy_threshold_count(check.down)
                .send()
                .await
                .map_err(|error| {
                    AwsError::new("elasticloadbalancing:ModifyTargetGroup", id, error)
                })?;
        }
        if tags.is_some() {
            tags::add(work, id, &self.tags).await?;
        }
        Ok(())
    }

    #[cfg(test)]
    fn imagined(&self, id: &Id<Self>, view: View<'_>) -> LiveTargetGroup {
        let account = "arn:aws:elasticloadbalancing:us-west-2:123456789012";
        LiveTargetGroup {
            arn: Id::imagined(format!("{account}:targetgroup/{}/{id}", self.name)),
            name: self.name.clone(),
            protocol: self.protocol().as_str().to_owned(),
            port: Some(self.port),
            vpc: Some(view.id_of(&self.vpc)),
            health_check: HealthCheck::wanted(),
            balancers: Vec::new(),
            tags: self.tags.clone(),
        }
    }

    #[cfg(test)]
    fn disturbed(&self, live: &LiveTargetGroup) -> Vec<(&'static str, LiveTargetGroup)> {
        type Live = LiveTargetGroup;
        let health_check = HealthCheck { up: 9, ..HealthCheck::wanted() };
        vec![
            ("protocol", Live { protocol: "UDP".to_owned(), ..live.clone() }),
            ("port", Live { port: Some(1), ..live.clone() }),
            ("vpc", Live { vpc: Some(Id::imagined("vpc-other")), ..live.clone() }),
            ("healthCheck", Live { health_check, ..live.clone() }),
            ("tags", Live { tags: Self::lacking_one(&live.tags), ..live.clone() }),
        ]
    }
}

impl TargetGroup {
    fn protocol(&self) -> ProtocolEnum {
        if self.tls { ProtocolEnum::Tls } else { ProtocolEnum::Tcp }
    }
}

/// Deletes a target group, by its ARN.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TargetGroupDeletion(pub(crate) Id<TargetGroup>);

impl Delete for TargetGroupDeletion {
    async fn attempt(&self, aws: &Aws) -> Result<(), AwsError> {
        let Self(arn) = self;
        let call = aws.elbv2.delete_target_group().target_group_arn(arn);
        done("elasticloadbalancing:DeleteTargetGroup", arn, call.send().await)
    }

    async fn holders(&self, work: &Work<'_>, holders: &mut Holders) -> Result<(), AwsError> {
        of_targets(work.aws, &self.0, holders).await
    }
}

async fn of_targets(aws: &Aws, arn: &str, holders: &mut Holders) -> Result<(), AwsError> {
    let operation = "elasticloadbalancing:DescribeTargetGroups";
    let answer = aws.elbv2.describe_target_groups().target_group_arns(arn).send().await;
    let answer = answer.map_err(|error| AwsError::new(operation, arn, error))?;
    for balancer in answer.target_groups().iter().flat_map(|group| group.load_balancer_arns()) {
        let name = balancer_name(balancer).ok_or_else(|| {
            Answer::of(operation, arn).not_understood(format!(
                "LoadBalancerArns has {balancer:?}, no load balancer's ARN"
            ))
        })?;
        let passes = User::Balancer(name.to_owned()).is_going(aws).await?;
        holders.add(passes, format!("load balancer {balancer}"));
    }
    Ok(())
}

/// `targetgroup/NAME/ID` (Service Authorization Reference, "Resource types defined by AWS Elastic
/// Load Balancing V2", and so below).
pub(super) fn name_of(arn: &str) -> Option<&str> {
    let (name, id) = of_service(arn)?.of_kind("targetgroup")?.split_once('/')?;
    (!name.is_empty() && !id.is_empty()).then_some(name)
}

/// `loadbalancer/TYPE/NAME/ID`.
fn balancer_name(arn: &str) -> Option<&str> {
    let (_, rest) = of_service(arn)?.of_kind("loadbalancer")?.split_once('/')?;
    let (name, id) = rest.split_once('/')?;
    (!name.is_empty() && !id.is_empty()).then_some(name)
}

fn of_service(arn: &str) -> Option<Arn<'_>> {
    Arn::parse(arn).ok().filter(|arn| arn.service == "elasticloadbalancing")
}

impl Unclaimed for TargetGroup {
    /// Those that no load balancer stands before which stays.
    fn unclaimed(sweep: &mut Sweep<'_>) {
        for found in sweep.rows::<LiveTargetGroup>(TargetGroup::KIND) {
            let id = ResourceId::new(TargetGroup::KIND, &found.name);
            if !sweep.is_wanted(&id) && sweep.is_ours(&id, &found.marks()) {
                let place = Place::new(TargetGroup::KIND, &found.arn);
                sweep.offer(Offer::new(id, place, TargetGroupDeletion(found.arn.clone())));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_off_arns_of_their_kind_only() {
        let arn = |resource: &str| {
            format!("arn:aws:elasticloadbalancing:us-west-2:123456789012:{resource}")
        };
        assert_eq!(name_of(&arn("targetgroup/tcp-a/50d1")), Some("tcp-a"));
        assert_eq!(balancer_name(&arn("loadbalancer/net/api-a/50d1")), Some("api-a"));
        for resource in ["targetgroup/tcp-a", "targetgroup//1", "targetgroup/tcp-a/", "tcp-a/50d1"]
        {
            assert_eq!(name_of(&arn(resource)), None, "{resource}");
        }
        for resource in ["loadbalancer/net/api-a", "loadbalancer/api-a", "targetgroup/net/a/1"] {
            assert_eq!(balancer_name(&arn(resource)), None, "{resource}");
        }
        assert_eq!(name_of("targetgroup/tcp-a/50d1"), None);
        assert_eq!(name_of("arn:aws:s3:::targetgroup/tcp-a/50d1"), None);
    }
}
