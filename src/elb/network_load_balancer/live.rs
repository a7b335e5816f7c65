//! Network load balancers as they are.

use aws_sdk_elasticloadbalancingv2::types::{
    AvailabilityZone, LoadBalancer as SdkBalancer, LoadBalancerAttribute, LoadBalancerSchemeEnum,
    LoadBalancerTypeEnum,
};

use super::wanted::NetworkLoadBalancer;
use crate::aws::tags::Tags;
use crate::aws::{Answer, Aws, AwsError};
use crate::core::id::{Address, Id};
use crate::core::kind::Kind;
use crate::core::whose::Marks;
use crate::elb::access_log::AccessLog;
use crate::elb::load_balancer::LoadBalancer;
use crate::vpc::security_group::SecurityGroup;
use crate::vpc::subnet::Subnet;

pub(super) const DESCRIBE: &str = "elasticloadbalancing:DescribeLoadBalancers";

pub(super) const CROSS_ZONE: &str = "load_balancing.cross_zone.enabled";
pub(super) const LOGS: &str = "access_logs.s3.enabled";
pub(super) const LOG_BUCKET: &str = "access_logs.s3.bucket";
pub(super) const LOG_PREFIX: &str = "access_logs.s3.prefix";

/// A load balancer that is the cluster's, or may be.
#[derive(Clone, Debug)]
pub(crate) struct LiveNetworkLoadBalancer {
    pub(crate) arn: Id<NetworkLoadBalancer>,
    pub(crate) name: String,
    /// Whether it is of this class: services may have others.
    pub(crate) is_network: bool,
    /// Gateways have none.
    pub(crate) address: Option<Address>,
    pub(super) internal: bool,
    pub(super) address_type: String,
    /// Known of those that the spec has: it takes a call for each.
    pub(in crate::elb) attributes: Option<Attributes>,
    pub(super) places: Vec<Place>,
    pub(super) security_groups: Vec<Id<SecurityGroup>>,
    pub(crate) tags: Tags,
}

/// A subnet that a load balancer stands in.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) subnet: Id<Subnet>,
    /// An elastic IP, or a private address, that whoever made it has chosen.
    pub(super) address: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub(in crate::elb) struct Attributes {
    pub(super) cross_zone: bool,
    pub(super) access_log: Option<AccessLog>,
}

impl LiveNetworkLoadBalancer {
    /// What the answer tells; tags and attributes are told by other calls.
    pub(in crate::elb) fn from_sdk(lb: &SdkBalancer) -> Result<Self, AwsError> {
        let arn = Id::given(Answer::of(DESCRIBE, ""), "LoadBalancerArn", lb.load_balancer_arn())?;
        let answer = Answer::of(DESCRIBE, &arn);
        let places = lb.availability_zones().iter().map(|zone| Place::from_sdk(answer, zone));
        let address = match lb.r#type() {
            Some(LoadBalancerTypeEnum::Gateway) => None,
            _ => Some(address(lb)?),
        };
        Ok(Self {
            name: answer.text("LoadBalancerName", lb.load_balancer_name())?,
            is_network: lb.r#type() == Some(&LoadBalancerTypeEnum::Network),
            address,
            internal: lb.scheme() == Some(&LoadBalancerSchemeEnum::Internal),
            address_type: lb.ip_address_type().map_or("", |of| of.as_str()).to_owned(),
            attributes: None,
            places: places.collect::<Result<_, _>>()?,
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
}

impl Place {
    fn from_sdk(answer: Answer<'_>, zone: &AvailabilityZone) -> Result<Self, AwsError> {
        let mut addresses = zone.load_balancer_addresses().iter();
        let chosen = addresses.find_map(|one| {
            one.allocation_id().or(one.private_ipv4_address()).filter(|text| !text.is_empty())
        });
        Ok(Self {
            subnet: Id::given(answer, "SubnetId", zone.subnet_id())?,
            address: chosen.map(str::to_owned),
        })
    }
}

/// All load balancers of a region but the classic ones.
pub(in crate::elb) async fn all(aws: &Aws) -> Result<Vec<SdkBalancer>, AwsError> {
    let pages = aws.elbv2.describe_load_balancers().into_paginator().items().send();
    let all = pages.collect::<Result<Vec<_>, _>>().await;
    all.map_err(|error| AwsError::new(DESCRIBE, "", error))
}

pub(super) fn address(lb: &SdkBalancer) -> Result<Address, AwsError> {
    let answer = Answer::of(DESCRIBE, lb.load_balancer_name().unwrap_or_default());
    Ok(Address {
        dns_name: answer.text("DNSName", lb.dns_name())?,
        zone: answer.text("CanonicalHostedZoneId", lb.canonical_hosted_zone_id())?,
    })
}

pub(in crate::elb) async fn attributes(
    aws: &Aws,
    arn: &Id<NetworkLoadBalancer>,
) -> Result<(Id<NetworkLoadBalancer>, Attributes), AwsError> {
    let call = aws.elbv2.describe_load_balancer_attributes().load_balancer_arn(arn);
    let answer = call.send().await.map_err(|error| {
        AwsError::new("elasticloadbalancing:DescribeLoadBalancerAttributes", arn, error)
    })?;
    let value = |key: &str| {
        let mut all = answer.attributes().iter();
        all.find(|one| one.key() == Some(key)).and_then(LoadBalancerAttribute::value)
    };
    let log = AccessLog {
        bucket: value(LOG_BUCKET).unwrap_or_default().to_owned(),
        prefix: value(LOG_PREFIX).unwrap_or_default().to_owned(),
        interval: None,
    };
    let attributes = Attributes {
        cross_zone: value(CROSS_ZONE) == Some("true"),
        access_log: (value(LOGS) == Some("true")).then_some(log),
    };
    Ok((arn.clone(), attributes))
}
