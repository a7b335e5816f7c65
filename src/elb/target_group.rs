//! `TargetGroup`: what the instances behind a network load balancer join.

use aws_sdk_elasticloadbalancingv2::types::{
    ProtocolEnum, TargetGroup as SdkTargetGroup, TargetGroupAttribute, TargetTypeEnum,
};

use super::network_load_balancer::{LiveNetworkLoadBalancer, NetworkLoadBalancer};
use super::revision::Revision;
use super::tags;
use crate::aws::tags::Tags;
use crate::aws::{Answer, Aws, AwsError, Fault, done, ec2};
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
use crate::limits::arn::Arn;
use crate::limits::{TARGET_GROUP_NAME, truncated};
use crate::vpc::interface::User;
use crate::vpc::vpc::Vpc;

const DESCRIBE: &str = "elasticloadbalancing:DescribeTargetGroups";
const CREATE: &str = "elasticloadbalancing:CreateTargetGroup";

/// Attributes of target groups (ELB API v2, `TargetGroupAttribute`).
const TERMINATION: &str = "deregistration_delay.connection_termination.enabled";
const DELAY: &str = "deregistration_delay.timeout_seconds";
const DELAY_SECONDS: i32 = 30;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TargetGroup {
    /// Its `Name` tag, and AWS' name of the first of it, of at most 32 characters.
    pub(crate) name: String,
    pub(crate) port: i32,
    /// Whether targets are spoken to in TLS.
    pub(crate) tls: bool,
    /// What targets that are well answer to in HTTPS; others need only take a connection.
    pub(crate) health_path: Option<&'static str>,
    pub(crate) vpc: Ref<Vpc>,
    /// The load balancer that it stands behind, which alone it can: each revision of that has
    /// target groups of its own.
    pub(crate) balancer: Ref<NetworkLoadBalancer>,
    pub(crate) tags: Tags,
    /// Which revision it is to be. Only AWS tells.
    pub(crate) revision: Follows,
}

/// The revision of a target group that is to be made.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Follows {
    First,
    /// That of a load balancer that was found.
    Found(String),
    /// That of a load balancer that is made before.
    Made,
}

fields! { TargetGroupFields {
    protocol: String = "protocol",
    port: i32 = "port",
    vpc: String = "vpc",
    health_check: HealthCheck = "healthCheck",
    connection_termination: bool = "connectionTermination",
    deregistration_delay: i32 = "deregistrationDelaySeconds",
    tags: Tags = "tags",
} }

/// How targets are asked whether they are well.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct HealthCheck {
    protocol: String,
    path: Option<String>,
    interval_seconds: i32,
    /// How many answers in a row make a target healthy.
    up: i32,
    /// How many failures in a row make it unhealthy.
    down: i32,
}

impl HealthCheck {
    fn from_sdk(group: &SdkTargetGroup) -> Self {
        let protocol = group.health_check_protocol();
        let asks = matches!(protocol, Some(ProtocolEnum::Http | ProtocolEnum::Https));
        Self {
            protocol: protocol.map_or("", ProtocolEnum::as_str).to_owned(),
            path: group.health_check_path().filter(|_| asks).map(str::to_owned),
            interval_seconds: group.health_check_interval_seconds().unwrap_or_default(),
            up: group.healthy_threshold_count().unwrap_or_default(),
            down: group.unhealthy_threshold_count().unwrap_or_default(),
        }
    }
}

impl Value for HealthCheck {
    fn tell(&self) -> String {
        let Self { protocol, path, interval_seconds, up, down } = self;
        let path = path.as_deref().unwrap_or_default();
        format!("{protocol}{path} every {interval_seconds}s, {up} up, {down} down")
    }

    /// The interval cannot be changed once there is a target group (kops
    /// `upup/pkg/fi/cloudup/awstasks/targetgroup.go`).
    fn is(&self, found: &Self) -> bool {
        *self == Self { interval_seconds: self.interval_seconds, ..found.clone() }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Attributes {
    connection_termination: bool,
    deregistration_delay: Option<i32>,
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
    /// Known of those that the spec has: it takes a call for each.
    pub(super) attributes: Option<Attributes>,
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
            attributes: None,
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
        vec![self.vpc.resource(), self.balancer.resource()]
    }

    fn is(&self, found: &LiveTargetGroup, view: View<'_>) -> bool {
        let is_ours =
            ec2::is_named(&found.tags, &self.name) && view.owns(TargetGroup::KIND, &found.marks());
        if found.name != self.name && !is_ours {
            return false;
        }
        let revision = Revision::of(&found.tags);
        match self.balancer_in(view) {
            Some(balancer) => revision == Revision::of(&balancer.tags),
            None => revision.is_none() && !self.is_replaced(view),
        }
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
            health_check: Want::Is(self.health_check()),
            connection_termination: Want::Is(true),
            deregistration_delay: Want::Is(DELAY_SECONDS),
            tags: Want::Is(self.tags.clone()),
        }
    }

    fn found(&self, found: &LiveTargetGroup, view: View<'_>) -> TargetGroupFields<Found> {
        let attributes = found.attributes.as_ref();
        TargetGroupFields {
            protocol: Some(found.protocol.clone()),
            port: found.port,
            vpc: found.vpc.as_deref().map(|id| view.name(id).to_owned()),
            health_check: Some(found.health_check.clone()),
            connection_termination: attributes.map(|all| all.connection_termination),
            deregistration_delay: attributes.and_then(|all| all.deregistration_delay),
            tags: Some(found.tags.clone()),
        }
    }

    fn resolved(&self, view: View<'_>) -> Self {
        let of_found = |balancer: &LiveNetworkLoadBalancer| Revision::of(&balancer.tags);
        let revision = match self.balancer_in(view) {
            Some(balancer) => of_found(balancer)
                .map_or(Follows::First, |revision| Follows::Found(revision.text().to_owned())),
            None if self.is_replaced(view) => Follows::Made,
            None => Follows::First,
        };
        Self { revision, ..self.clone() }
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
        let revision = match &self.revision {
            Follows::First => None,
            Follows::Found(text) => Some(Revision::known(text)),
            Follows::Made => {
                let arn = String::from(work.id(&self.balancer)?);
                let tags = tags::of(work.aws, std::slice::from_ref(&arn)).await?;
                tags.get(&arn).and_then(Revision::of)
            }
        };
        let (name, tags) = match &revision {
            None => (self.name.clone(), self.tags.clone()),
            Some(revision) => {
                let whole = format!("{}{}", self.name, revision.text());
                let name = truncated::with_hash(&whole, TARGET_GROUP_NAME.most);
                (name, revision.on(&self.tags))
            }
        };
        let arn = self.create_one(work, &name, &tags).await?;
        set_attributes(work, &arn).await?;
        Ok(Some(arn))
    }

    async fn update(
        &self,
        work: &Work<'_>,
        id: &Id<Self>,
        changed: &TargetGroupFields<Changed>,
    ) -> Result<(), AwsError> {
        let TargetGroupFields {
            protocol: _,
            port: _,
            vpc: _,
            health_check,
            connection_termination,
            deregistration_delay,
            tags,
        } = changed;
        if health_check.is_some() {
            let check = self.health_check();
            let call = work.aws.elbv2.modify_target_group().target_group_arn(id);
            call.health_check_protocol(check.protocol.as_str().into())
                .set_health_check_path(check.path)
                .healthy_threshold_count(check.up)
                .unhealthy_threshold_count(check.down)
                .send()
                .await
                .map_err(|error| {
                    AwsError::new("elasticloadbalancing:ModifyTargetGroup", id, error)
                })?;
        }
        if connection_termination.is_some() || deregistration_delay.is_some() {
            set_attributes(work, id).await?;
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
            health_check: self.health_check(),
            attributes: Some(Attributes {
                connection_termination: true,
                deregistration_delay: Some(DELAY_SECONDS),
            }),
            balancers: Vec::new(),
            tags: self.tags.clone(),
        }
    }

    #[cfg(test)]
    fn disturbed(&self, live: &LiveTargetGroup) -> Vec<(&'static str, LiveTargetGroup)> {
        type Live = LiveTargetGroup;
        let health_check = HealthCheck { up: 9, ..self.health_check() };
        let with = |connection_termination, deregistration_delay| {
            let attributes = Some(Attributes { connection_termination, deregistration_delay });
            Live { attributes, ..live.clone() }
        };
        vec![
            ("protocol", Live { protocol: "UDP".to_owned(), ..live.clone() }),
            ("port", Live { port: Some(1), ..live.clone() }),
            ("vpc", Live { vpc: Some(Id::imagined("vpc-other")), ..live.clone() }),
            ("healthCheck", Live { health_check, ..live.clone() }),
            ("connectionTermination", with(false, Some(DELAY_SECONDS))),
            ("deregistrationDelaySeconds", with(true, Some(300))),
            ("tags", Live { tags: Self::lacking_one(&live.tags), ..live.clone() }),
        ]
    }
}

impl TargetGroup {
    fn protocol(&self) -> ProtocolEnum {
        if self.tls { ProtocolEnum::Tls } else { ProtocolEnum::Tcp }
    }

    fn health_check(&self) -> HealthCheck {
        let protocol = match self.health_path {
            Some(_) => ProtocolEnum::Https,
            None => ProtocolEnum::Tcp,
        };
        HealthCheck {
            protocol: protocol.as_str().to_owned(),
            path: self.health_path.map(str::to_owned),
            interval_seconds: 10,
            up: 2,
            down: 2,
        }
    }

    /// The load balancer that it stands behind, if there is one.
    fn balancer_in<'a>(&self, view: View<'a>) -> Option<&'a LiveNetworkLoadBalancer> {
        let arn = view.ids.of(&self.balancer)?;
        view.seen.rows::<LiveNetworkLoadBalancer>().iter().find(|row| row.arn == arn)
    }

    /// Whether the load balancer that there is will be replaced.
    fn is_replaced(&self, view: View<'_>) -> bool {
        let rows = view.seen.rows::<LiveNetworkLoadBalancer>();
        let is_called = |row: &LiveNetworkLoadBalancer| {
            ec2::is_named(&row.tags, &self.balancer.name) && view.owns(row.kind(), &row.marks())
        };
        view.ids.of(&self.balancer).is_none() && rows.iter().any(is_called)
    }

    async fn create_one(
        &self,
        work: &Work<'_>,
        name: &str,
        tags: &Tags,
    ) -> Result<Id<Self>, AwsError> {
        let vpc = work.id(&self.vpc)?;
        let check = self.health_check();
        let call = work.aws.elbv2.create_target_group().name(name);
        let answer = call
            .protocol(self.protocol())
            .port(self.port)
            .vpc_id(&vpc)
            .target_type(TargetTypeEnum::Instance)
            .health_check_protocol(check.protocol.as_str().into())
            .set_health_check_path(check.path)
            .health_check_interval_seconds(check.interval_seconds)
            .healthy_threshold_count(check.up)
            .unhealthy_threshold_count(check.down)
            .set_tags(Some(tags::to_sdk(tags)))
            .send()
            .await
            .map_err(|error| AwsError::new(CREATE, name, error));
        match answer {
            Ok(answer) => {
                let arn = answer.target_groups().first().and_then(|group| group.target_group_arn());
                Id::given(Answer::of(CREATE, name), "TargetGroupArn", arn)
            }
            // The name is taken, perhaps by a call of ours whose answer was lost.
            Err(taken) if taken.fault == Fault::Conflict => {
                let is_as_wanted = |found: &LiveTargetGroup| {
                    found.name == name
                        && found.vpc.as_ref() == Some(&vpc)
                        && found.port == Some(self.port)
                        && found.protocol == self.protocol().as_str()
                };
                match all(work.aws).await?.into_iter().find(is_as_wanted) {
                    Some(found) => tags::only_ours(work.aws, found.arn, &self.tags, taken).await,
                    None => Err(taken),
                }
            }
            Err(error) => Err(error),
        }
    }
}

async fn set_attributes(work: &Work<'_>, arn: &Id<TargetGroup>) -> Result<(), AwsError> {
    let attributes = [(TERMINATION, true.to_string()), (DELAY, DELAY_SECONDS.to_string())];
    let attributes = attributes
        .map(|(key, value)| TargetGroupAttribute::builder().key(key).value(value).build());
    let call = work.aws.elbv2.modify_target_group_attributes().target_group_arn(arn);
    let answer = call.set_attributes(Some(attributes.to_vec())).send().await;
    answer.map(drop).map_err(|error| {
        AwsError::new("elasticloadbalancing:ModifyTargetGroupAttributes", arn, error)
    })
}

pub(super) async fn attributes(
    aws: &Aws,
    arn: &Id<TargetGroup>,
) -> Result<(Id<TargetGroup>, Attributes), AwsError> {
    let call = aws.elbv2.describe_target_group_attributes().target_group_arn(arn);
    let answer = call.send().await.map_err(|error| {
        AwsError::new("elasticloadbalancing:DescribeTargetGroupAttributes", arn, error)
    })?;
    let value = |key: &str| {
        let mut all = answer.attributes().iter();
        all.find(|one| one.key() == Some(key)).and_then(TargetGroupAttribute::value)
    };
    let attributes = Attributes {
        connection_termination: value(TERMINATION) == Some("true"),
        deregistration_delay: value(DELAY).and_then(|seconds| seconds.parse().ok()),
    };
    Ok((arn.clone(), attributes))
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
            let place = Place::new(TargetGroup::KIND, &found.arn);
            if sweep.is_found(&place) {
                continue;
            }
            let by_name = ResourceId::new(TargetGroup::KIND, &found.name);
            let id = match sweep.is_wanted(&by_name) {
                // An older one of a name, beside one that the spec has.
                true => ResourceId::named(TargetGroup::KIND, &found.arn, Some(&found.name)),
                false => by_name,
            };
            if sweep.is_ours(&id, &found.marks()) {
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
