//! The classic load balancers of a region, as they are.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_elasticloadbalancing::types::{LoadBalancerAttributes, LoadBalancerDescription, Tag};
use futures::future::try_join_all;

use super::fields::{HealthCheck, Listener};
use super::wanted::LoadBalancer;
use crate::aws::Fault;
use crate::aws::tags::Tags;
use crate::aws::{Answer, Aws, AwsError, batch};
use crate::core::id::{Address, Id};
use crate::core::seen::Looked;
use crate::core::whose::{Marks, speak_of};
use crate::elb::access_log::AccessLog;
use crate::vpc::security_group::SecurityGroup;
use crate::vpc::subnet::Subnet;

pub(super) const DESCRIBE: &str = "elasticloadbalancing:DescribeLoadBalancers";

#[derive(Clone, Debug)]
pub(crate) struct LiveLoadBalancer {
    pub(crate) name: Id<LoadBalancer>,
    pub(crate) address: Option<Address>,
    pub(crate) internal: bool,
    pub(crate) listeners: Vec<Listener>,
    pub(crate) health_check: Option<HealthCheck>,
    pub(crate) idle_timeout_seconds: Option<i32>,
    /// How long connections may go on to instances that leave; `None` where they are cut.
    pub(crate) draining_seconds: Option<i32>,
    pub(crate) cross_zone: bool,
    pub(crate) access_log: Option<AccessLog>,
    pub(crate) subnets: Vec<Id<Subnet>>,
    pub(crate) security_groups: Vec<Id<SecurityGroup>>,
    pub(crate) tags: Tags,
}

impl LiveLoadBalancer {
    pub(crate) fn marks(&self) -> Marks<'_> {
        Marks::of(&self.name).tags(&self.tags)
    }
}

/// The classic load balancers of a region.
#[derive(Clone, Debug, Default)]
pub(super) struct Classic {
    /// Those of the cluster.
    pub(crate) ours: Looked<LiveLoadBalancer>,
    pub(crate) names: Looked<ClassicName>,
}

/// The name of a load balancer, whosever it is.
#[derive(Clone, Debug)]
pub(crate) struct ClassicName(pub(crate) Id<LoadBalancer>);

/// Reads all load balancers (classic ones cannot be filtered), then tags and attributes of
/// those that may be the cluster's.
pub(super) async fn observe(
    aws: &Aws,
    cluster: &str,
    own_names: &BTreeSet<String>,
) -> Result<Classic, AwsError> {
    let all = match Looked::sort(all_by_name(aws).await)? {
        Looked::Found(all) => all,
        Looked::Denied(error) => {
            return Ok(Classic {
                ours: Looked::Denied(error.clone()),
                names: Looked::Denied(error),
            });
        }
        Looked::Not => return Ok(Classic::default()),
    };
    // Old versions of kops named them otherwise, but never without these beginnings.
    let may_be_ours = |name: &str| {
        own_names.contains(name) || name.starts_with("api-") || name.starts_with("bastion-")
    };
    let candidates: Vec<_> =
        all.iter().map(|(name, _)| name.clone()).filter(|name| may_be_ours(name)).collect();
    let names = Looked::Found(all.iter().map(|(name, _)| ClassicName(name.clone())).collect());
    let ours = async {
        let tags = tags_of(aws, &candidates).await?;
        let ours = all.iter().filter_map(|(name, lb)| {
            let tags = tags.get(name)?;
            (speak_of(tags, cluster) || own_names.contains(name.as_str()))
                .then_some((name, lb, tags))
        });
        try_join_all(ours.map(async |(name, lb, tags)| {
            let call = aws.elb.describe_load_balancer_attributes();
            let answer = call.load_balancer_name(name).send().await.map_err(|error| {
                let operation = "elasticloadbalancing:DescribeLoadBalancerAttributes";
                AwsError::new(operation, name, error)
            })?;
            from_sdk(name, lb, answer.load_balancer_attributes(), tags)
        }))
        .await
    };
    let ours = match ours.await {
        Err(error) if error.fault == Fault::Denied => Looked::Denied(error),
        ours => Looked::Found(ours?),
    };
    Ok(Classic { ours, names })
}

pub(super) async fn all_by_name(
    aws: &Aws,
) -> Result<Vec<(Id<LoadBalancer>, LoadBalancerDescription)>, AwsError> {
    let pages = aws.elb.describe_load_balancers().into_paginator().items().send();
    let all = pages.collect::<Result<Vec<_>, _>>().await;
    let all = all.map_err(|error| AwsError::new(DESCRIBE, "", error))?;
    let named = |lb: LoadBalancerDescription| {
        let name = lb.load_balancer_name();
        let name = Id::given(Answer::of(DESCRIBE, ""), "LoadBalancerName", name)?;
        Ok((name, lb))
    };
    all.into_iter().map(named).collect()
}

pub(super) async fn tags_of(
    aws: &Aws,
    names: &[Id<LoadBalancer>],
) -> Result<BTreeMap<Id<LoadBalancer>, Tags>, AwsError> {
    const OPERATION: &str = "elasticloadbalancing:DescribeTags";
    let read = batch::read(names, batch::TAGGED_BALANCERS, async |names: &[Id<LoadBalancer>]| {
        let call = aws.elb.describe_tags().set_load_balancer_names(Some(Id::texts(names)));
        let answer = call.send().await;
        let answer = answer.map_err(|error| AwsError::new(OPERATION, "", error))?;
        let tags = answer.tag_descriptions().iter().map(|described| {
            let pair = |tag: &Tag| (tag.key().to_owned(), tag.value().unwrap_or("").to_owned());
            let name = described.load_balancer_name();
            let name = Id::given(Answer::of(OPERATION, ""), "LoadBalancerName", name)?;
            Ok((name, described.tags().iter().map(pair).collect()))
        });
        tags.collect()
    });
    Ok(read.await?.into_iter().collect())
}

pub(super) fn address(name: &str, lb: &LoadBalancerDescription) -> Result<Address, AwsError> {
    let answer = Answer::of(DESCRIBE, name);
    Ok(Address {
        dns_name: answer.text("DNSName", lb.dns_name())?,
        zone: answer.text("CanonicalHostedZoneNameID", lb.canonical_hosted_zone_name_id())?,
    })
}

fn from_sdk(
    name: &Id<LoadBalancer>,
    lb: &LoadBalancerDescription,
    attributes: Option<&LoadBalancerAttributes>,
    tags: &Tags,
) -> Result<LiveLoadBalancer, AwsError> {
    let listeners = lb.listener_descriptions().iter().filter_map(|described| described.listener());
    let attributes = attributes.cloned();
    let answer = Answer::of(DESCRIBE, name);
    Ok(LiveLoadBalancer {
        name: name.clone(),
        address: Some(address(name, lb)?),
        internal: lb.scheme() == Some("internal"),
        listeners: listeners.map(Listener::from_sdk).collect(),
        health_check: lb.health_check().map(HealthCheck::from_sdk),
        idle_timeout_seconds: attributes
            .as_ref()
            .and_then(|all| Some(all.connection_settings()?.idle_timeout())),
        cross_zone: attributes
            .as_ref()
            .and_then(|all| all.cross_zone_load_balancing())
            .is_some_and(|cross| cross.enabled()),
        draining_seconds: attributes
            .as_ref()
            .and_then(|all| all.connection_draining())
            .filter(|draining| draining.enabled())
            .and_then(|draining| draining.timeout()),
        access_log: attributes
            .as_ref()
            .and_then(|all| all.access_log())
            .filter(|log| log.enabled())
            .map(|log| AccessLog {
                bucket: log.s3_bucket_name().unwrap_or_default().to_owned(),
                prefix: log.s3_bucket_prefix().unwrap_or_default().to_owned(),
                interval: log.emit_interval(),
            }),
        subnets: Id::all_given(answer, "Subnets", lb.subnets())?,
        security_groups: Id::all_given(answer, "SecurityGroups", lb.security_groups())?,
        tags: tags.clone(),
    })
}

/// All classic load balancers, those of the cluster's services included.
pub(super) async fn observe_all(aws: &Aws) -> Result<Vec<LiveLoadBalancer>, AwsError> {
    let all = all_by_name(aws).await?;
    let names: Vec<_> = all.iter().map(|(name, _)| name.clone()).collect();
    let tags = tags_of(aws, &names).await?;
    let none = Tags::new();
    let live =
        all.iter().map(|(name, lb)| from_sdk(name, lb, None, tags.get(name).unwrap_or(&none)));
    live.collect()
}
