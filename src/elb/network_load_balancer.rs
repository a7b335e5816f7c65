//! `NetworkLoadBalancer`: a load balancer of class `Network`, before the API server.

use std::collections::BTreeSet;

use aws_sdk_elasticloadbalancingv2::types::{
    LoadBalancer as SdkBalancer, LoadBalancerAttribute, LoadBalancerSchemeEnum,
    LoadBalancerTypeEnum,
};

use super::load_balancer::{LoadBalancer, scheme};
use super::tags;
use super::target_group::{LiveTargetGroup, TargetGroup};
use crate::aws::tags::Tags;
use crate::aws::{Answer, Aws, AwsError, Fault, done};
use crate::core::deletion::Delete;
use crate::core::fields::{Changed, Changes as _, Found, Stuck, Want, Wanted, fields, set};
use crate::core::given::Given;
use crate::core::holders::Holders;
use crate::core::id::{Address, Id, Ref};
use crate::core::kind::{Kind, ResourceId};
use crate::core::manage::{Manage, View};
use crate::core::sweep::{Offer, Place, Sweep, Unclaimed, unknown};
use crate::core::whose::{Marks, Owner, Taggable};
use crate::core::work::Work;
use crate::limits::LOAD_BALANCER_NAME;
use crate::vpc::security_group::SecurityGroup;
use crate::vpc::subnet::Subnet;

const DESCRIBE: &str = "elasticloadbalancing:DescribeLoadBalancers";
const CREATE: &str = "elasticloadbalancing:CreateLoadBalancer";

const CROSS_ZONE: &str = "load_balancing.cross_zone.enabled";

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct NetworkLoadBalancer {
    /// kops' name of it, `api.dev.example.com`.
    pub(crate) name: String,
    /// AWS' name, of at most 32 characters.
    pub(crate) aws_name: String,
    pub(crate) internal: bool,
    pub(crate) cross_zone: bool,
    pub(crate) subnets: Vec<Ref<Subnet>>,
    pub(crate) security_groups: Vec<Ref<SecurityGroup>>,
    pub(crate) tags: Tags,
}

fields! { NetworkLoadBalancerFields {
    scheme: String = "scheme",
    subnets: BTreeSet<String> = "subnets",
    security_groups: BTreeSet<String> = "securityGroups",
    cross_zone: bool = "crossZoneLoadBalancing",
    tags: Tags = "tags",
} }

/// A load balancer that is the cluster's, or may be.
#[derive(Clone, Debug)]
pub(crate) struct LiveNetworkLoadBalancer {
    pub(crate) arn: Id<NetworkLoadBalancer>,
    pub(crate) name: String,
    /// Whether it is of this class: services may have others.
    pub(crate) is_network: bool,
    /// Gateways have none.
    pub(crate) address: Option<Address>,
    internal: bool,
    /// Known of those that the spec has: it takes a call for each.
    pub(super) cross_zone: Option<bool>,
    subnets: Vec<Id<Subnet>>,
    security_groups: Vec<Id<SecurityGroup>>,
    pub(crate) tags: Tags,
}

impl LiveNetworkLoadBalancer {
    /// What the answer tells; tags and attributes are told by other calls.
    pub(super) fn from_sdk(lb: &SdkBalancer) -> Result<Self, AwsError> {
        let arn = Id::given(Answer::of(DESCRIBE, ""), "LoadBalancerArn", lb.load_balancer_arn())?;
        let answer = Answer::of(DESCRIBE, &arn);
        let subnets = lb.availability_zones().iter();
        let subnets = subnets.map(|zone| Id::given(answer, "SubnetId", zone.subnet_id()));
        let address = match lb.r#type() {
            Some(LoadBalancerTypeEnum::Gateway) => None,
            _ => Some(address(lb)?),
        };
        Ok(Self {
            name: answer.text("LoadBalancerName", lb.load_balancer_name())?,
            is_network: lb.r#type() == Some(&LoadBalancerTypeEnum::Network),
            address,
            internal: lb.scheme() == Some(&LoadBalancerSchemeEnum::Internal),
            cross_zone: None,
            subnets: subnets.collect::<Result<_, _>>()?,
            security_groups: Id::all_given(answer, "SecurityGroups", lb.security_groups())?,
            tags: Tags::new(),
            arn: arn.clone(),
        })
    }

    /// As what it is told: a gateway or an application load balancer is none of ours.
    pub(crate) fn kind(&self) -> Kind {
        if self.is_network { NetworkLoadBalancer::KIND } else { LoadBalancer::KIND }
    }

    pub(crate) fn marks(&self) -> Marks<'_> {
        Marks::of(&self.arn).or_id(&self.name).tags(&self.tags)
    }

    /// It goes the way of those of these target groups that the spec names and that stand
    /// behind it.
    pub(crate) fn marks_before<'a>(
        &'a self,
        groups: &'a [LiveTargetGroup],
        owner: &Owner,
    ) -> Marks<'a> {
        let named = |group: &&LiveTargetGroup| owner.names(TargetGroup::KIND, &group.marks());
        let mut behind = groups.iter().filter(|group| group.is_behind(&self.arn));
        match behind.find(named) {
            Some(group) => {
                let whose = owner.whose(TargetGroup::KIND, &group.marks());
                self.marks().hangs_on(format!("before TargetGroup/{}", group.name), whose)
            }
            None => self.marks(),
        }
    }
}

/// All load balancers of a region but the classic ones.
pub(super) async fn all(aws: &Aws) -> Result<Vec<SdkBalancer>, AwsError> {
    let pages = aws.elbv2.describe_load_balancers().into_paginator().items().send();
    let all = pages.collect::<Result<Vec<_>, _>>().await;
    all.map_err(|error| AwsError::new(DESCRIBE, "", error))
}

fn address(lb: &SdkBalancer) -> Result<Address, AwsError> {
    let answer = Answer::of(DESCRIBE, lb.load_balancer_name().unwrap_or_default());
    Ok(Address {
        dns_name: answer.text("DNSName", lb.dns_name())?,
        zone: answer.text("CanonicalHostedZoneId", lb.canonical_hosted_zone_id())?,
    })
}

pub(super) async fn cross_zone(aws: &Aws, arn: &Id<NetworkLoadBalancer>) -> Result<bool, AwsError> {
    let call = aws.elbv2.describe_load_balancer_attributes().load_balancer_arn(arn);
    let answer = call.send().await.map_err(|error| {
        AwsError::new("elasticloadbalancing:DescribeLoadBalancerAttributes", arn, error)
    })?;
    let mut all = answer.attributes().iter();
    let value = all.find(|attribute| attribute.key() == Some(CROSS_ZONE));
    Ok(value.and_then(LoadBalancerAttribute::value) == Some("true"))
}

impl Manage for NetworkLoadBalancer {
    type Live = LiveNetworkLoadBalancer;
    type Fields = NetworkLoadBalancerFields<Wanted>;

    fn id(&self) -> ResourceId {
        ResourceId::new(NetworkLoadBalancer::KIND, &self.name)
    }

    fn needs(&self) -> Vec<ResourceId> {
        let subnets = self.subnets.iter().map(Ref::resource);
        subnets.chain(self.security_groups.iter().map(Ref::resource)).collect()
    }

    fn is(&self, found: &LiveNetworkLoadBalancer, _: View<'_>) -> bool {
        found.name == self.aws_name
    }

    fn marks<'a>(&self, found: &'a LiveNetworkLoadBalancer, _: View<'a>) -> Vec<Marks<'a>> {
        vec![found.marks()]
    }

    fn adopt(&self, found: &LiveNetworkLoadBalancer, owner: &Owner) -> Option<String> {
        Some(owner.adopt(&Taggable::Balancer(&found.arn)))
    }

    fn aws_id(found: &LiveNetworkLoadBalancer) -> Id<Self> {
        found.arn.clone()
    }

    fn address(found: &LiveNetworkLoadBalancer) -> Option<Address> {
        found.address.clone()
    }

    fn wanted(&self, _: View<'_>) -> NetworkLoadBalancerFields<Wanted> {
        let groups = self.security_groups.iter().map(|group| &group.name);
        NetworkLoadBalancerFields {
            scheme: Want::Is(scheme(self.internal).to_owned()),
            subnets: Want::maybe(set(self.subnets.iter().map(|subnet| &subnet.name))),
            security_groups: Want::maybe(set(groups)),
            cross_zone: Want::Is(self.cross_zone),
            tags: Want::Is(self.tags.clone()),
        }
    }

    fn found(
        &self,
        found: &LiveNetworkLoadBalancer,
        view: View<'_>,
    ) -> NetworkLoadBalancerFields<Found> {
        NetworkLoadBalancerFields {
            scheme: Some(scheme(found.internal).to_owned()),
            subnets: set(found.subnets.iter().map(|id| view.name(id))),
            security_groups: set(found.security_groups.iter().map(|id| view.name(id))),
            cross_zone: found.cross_zone,
            tags: Some(found.tags.clone()),
        }
    }

    fn judge(
        &self,
        changed: &mut NetworkLoadBalancerFields<Changed>,
        _: &LiveNetworkLoadBalancer,
    ) -> Vec<Stuck> {
        let Some(scheme) = changed.scheme.take() else { return Vec::new() };
        let left = NetworkLoadBalancerFields {
            scheme: Some(scheme),
            subnets: changed.subnets.take(),
            ..NetworkLoadBalancerFields::none()
        };
        let why = "a load balancer's scheme cannot be changed, and its subnets go with it";
        let next = "set the type in the spec back, or delete the load balancer and run this again";
        Stuck::borne(&left, why.to_owned(), next.to_owned()).into_iter().collect()
    }

    fn given(&self) -> Given<'_> {
        Given::name(&LOAD_BALANCER_NAME, &self.aws_name).plain_tags(&self.tags)
    }

    async fn create(&self, work: &Work<'_>) -> Result<Option<Id<Self>>, AwsError> {
        let made = self.create_one(work).await?;
        work.learn_address(self.id(), address(&made)?);
        let answer = Answer::of(CREATE, &self.aws_name);
        let arn = Id::given(answer, "LoadBalancerArn", made.load_balancer_arn())?;
        if self.cross_zone {
            self.set_cross_zone(work, &arn).await?;
        }
        Ok(Some(arn))
    }

    async fn update(
        &self,
        work: &Work<'_>,
        id: &Id<Self>,
        changed: &NetworkLoadBalancerFields<Changed>,
    ) -> Result<(), AwsError> {
        let NetworkLoadBalancerFields { scheme: _, subnets, security_groups, cross_zone, tags } =
            changed;
        if subnets.is_some() {
            let subnets = Some(Id::texts(&work.ids(&self.subnets)?));
            let call = work.aws.elbv2.set_subnets().load_balancer_arn(id);
            call.set_subnets(subnets).send().await.map_err(|error| {
                AwsError::new("elasticloadbalancing:SetSubnets", &self.name, error)
            })?;
        }
        if security_groups.is_some() {
            let groups = Some(Id::texts(&work.ids(&self.security_groups)?));
            let call = work.aws.elbv2.set_security_groups().load_balancer_arn(id);
            call.set_security_groups(groups).send().await.map_err(|error| {
                AwsError::new("elasticloadbalancing:SetSecurityGroups", &self.name, error)
            })?;
        }
        if cross_zone.is_some() {
            self.set_cross_zone(work, id).await?;
        }
        if tags.is_some() {
            tags::add(work, id, &self.tags).await?;
        }
        Ok(())
    }

    #[cfg(test)]
    fn imagined(&self, id: &Id<Self>, view: View<'_>) -> LiveNetworkLoadBalancer {
        let account = "arn:aws:elasticloadbalancing:us-west-2:123456789012";
        let dns_name = format!("{}-1.elb.us-west-2.amazonaws.com", self.aws_name);
        LiveNetworkLoadBalancer {
            arn: Id::imagined(format!("{account}:loadbalancer/net/{}/{id}", self.aws_name)),
            name: self.aws_name.clone(),
            is_network: true,
            address: Some(Address { dns_name, zone: "ZELB".to_owned() }),
            internal: self.internal,
            cross_zone: Some(self.cross_zone),
            subnets: self.subnets.iter().map(|subnet| view.id_of(subnet)).collect(),
            security_groups: self.security_groups.iter().map(|one| view.id_of(one)).collect(),
            tags: self.tags.clone(),
        }
    }

    #[cfg(test)]
    fn disturbed(
        &self,
        live: &LiveNetworkLoadBalancer,
    ) -> Vec<(&'static str, LiveNetworkLoadBalancer)> {
        type Live = LiveNetworkLoadBalancer;
        let cross_zone = Some(!self.cross_zone);
        vec![
            ("scheme", Live { internal: !live.internal, ..live.clone() }),
            ("subnets", Live { subnets: vec![Id::imagined("other")], ..live.clone() }),
            (
                "securityGroups",
                Live { security_groups: vec![Id::imagined("other")], ..live.clone() },
            ),
            ("crossZoneLoadBalancing", Live { cross_zone, ..live.clone() }),
            ("tags", Live { tags: Self::lacking_one(&live.tags), ..live.clone() }),
        ]
    }
}

impl NetworkLoadBalancer {
    async fn create_one(&self, work: &Work<'_>) -> Result<SdkBalancer, AwsError> {
        let scheme = match self.internal {
            true => LoadBalancerSchemeEnum::Internal,
            false => LoadBalancerSchemeEnum::InternetFacing,
        };
        let call = work.aws.elbv2.create_load_balancer().name(&self.aws_name);
        let answer = call
            .r#type(LoadBalancerTypeEnum::Network)
            .scheme(scheme.clone())
            .set_subnets(Some(Id::texts(&work.ids(&self.subnets)?)))
            .set_security_groups(Some(Id::texts(&work.ids(&self.security_groups)?)))
            .set_tags(Some(tags::to_sdk(&self.tags)))
            .send()
            .await
            .map_err(|error| AwsError::new(CREATE, &self.aws_name, error));
        match answer {
            Ok(answer) => {
                let made = answer.load_balancers().first().cloned();
                Answer::of(CREATE, &self.aws_name).part("LoadBalancers", made)
            }
            // The name is taken, perhaps by a call of ours whose answer was lost.
            Err(taken) if taken.fault == Fault::Conflict => {
                let is_as_wanted = |lb: &SdkBalancer| {
                    lb.load_balancer_name() == Some(&self.aws_name)
                        && lb.r#type() == Some(&LoadBalancerTypeEnum::Network)
                        && lb.scheme() == Some(&scheme)
                };
                let mut found = all(work.aws).await?.into_iter().filter(is_as_wanted);
                let Some(found) = found.next() else { return Err(taken) };
                let answer = Answer::of(DESCRIBE, &self.aws_name);
                let arn: Id<Self> =
                    Id::given(answer, "LoadBalancerArn", found.load_balancer_arn())?;
                tags::only_ours(work.aws, arn, &self.tags, taken).await?;
                Ok(found)
            }
            Err(error) => Err(error),
        }
    }

    async fn set_cross_zone(&self, work: &Work<'_>, arn: &Id<Self>) -> Result<(), AwsError> {
        let attribute =
            LoadBalancerAttribute::builder().key(CROSS_ZONE).value(self.cross_zone.to_string());
        let call = work.aws.elbv2.modify_load_balancer_attributes().load_balancer_arn(arn);
        call.attributes(attribute.build()).send().await.map_err(|error| {
            let operation = "elasticloadbalancing:ModifyLoadBalancerAttributes";
            AwsError::new(operation, &self.aws_name, error)
        })?;
        Ok(())
    }
}

/// Deletes a network load balancer, by its ARN.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct NetworkLoadBalancerDeletion(pub(crate) Id<NetworkLoadBalancer>);

impl Delete for NetworkLoadBalancerDeletion {
    async fn attempt(&self, aws: &Aws) -> Result<(), AwsError> {
        let Self(arn) = self;
        let call = aws.elbv2.delete_load_balancer().load_balancer_arn(arn);
        done("elasticloadbalancing:DeleteLoadBalancer", arn, call.send().await)
    }

    async fn holders(&self, _: &Work<'_>, holders: &mut Holders) -> Result<(), AwsError> {
        // AWS names in its message what uses one.
        holders.add(false, "what AWS names".to_owned());
        Ok(())
    }
}

impl Unclaimed for NetworkLoadBalancer {
    /// Those of the API; Kubernetes marks those of services with the same tags, and names them
    /// otherwise.
    fn unclaimed(sweep: &mut Sweep<'_>) {
        let view = sweep.view();
        let groups = view.seen.of::<LiveTargetGroup>();
        for group in groups.rows() {
            for balancer in &group.balancers {
                let why = sweep.until_then(&format!("load balancer {balancer} stands before it"));
                let balancer = Place::new(NetworkLoadBalancer::KIND, balancer);
                sweep.hold_unless_gone(Place::new(TargetGroup::KIND, &group.arn), balancer, why);
            }
        }
        let wanted = sweep.wishes::<NetworkLoadBalancer>();
        for found in sweep.rows::<LiveNetworkLoadBalancer>(NetworkLoadBalancer::KIND) {
            let id = ResourceId::new(NetworkLoadBalancer::KIND, &found.name);
            let marks = found.marks_before(groups.rows(), view.owner);
            if wanted.iter().any(|one| one.is(found, view)) || !sweep.is_ours(&id, &marks) {
                continue;
            }
            let place = Place::new(NetworkLoadBalancer::KIND, &found.arn);
            if let Some(error) = groups.refused() {
                sweep.hold(place.clone(), unknown("what stands behind it", error));
            }
            sweep.offer(Offer::new(id, place, NetworkLoadBalancerDeletion(found.arn.clone())));
        }
    }
}
