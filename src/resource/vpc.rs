//! `VPC`: the cluster's network, its own or one that it shares.

use aws_sdk_ec2::types::{AttributeBooleanValue, ResourceType, VpcAttributeName};
use futures::future::{try_join, try_join_all};

use super::ids::Work;
use super::live::Live;
use super::managed::{Fields, Looked, Manage, Ownership, Update, View};
use super::{Kind, ResourceId, Tags, ec2};
use crate::aws::{Aws, AwsError};

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Vpc {
    pub(crate) name: String,
    /// The id of a VPC that the cluster shares.
    pub(crate) existing: Option<String>,
    /// `None` for a shared VPC whose range the spec does not tell.
    pub(crate) cidr: Option<String>,
    /// Whether instances must get DNS names; `None` leaves it as it is.
    pub(crate) dns_hostnames: Option<bool>,
    pub(crate) tags: Tags,
}

#[derive(Clone, Debug)]
pub(crate) struct LiveVpc {
    pub(crate) id: String,
    pub(crate) cidr: String,
    /// The ranges beside the first, with the ids of their associations.
    pub(crate) more_cidrs: Vec<String>,
    pub(crate) dhcp_options: String,
    pub(crate) dns_support: bool,
    pub(crate) dns_hostnames: bool,
    pub(crate) tags: Tags,
}

/// Reads the VPCs of a cluster, or the one that it shares.
pub(super) async fn observe(
    aws: &Aws,
    cluster: &str,
    existing: Option<&str>,
) -> Result<Looked<LiveVpc>, AwsError> {
    let chosen = match existing {
        Some(id) => ec2::filter("vpc-id", [id]),
        None => ec2::of_cluster(cluster),
    };
    Looked::sort(read(aws, chosen).await)
}

async fn read(aws: &Aws, chosen: aws_sdk_ec2::types::Filter) -> Result<Vec<LiveVpc>, AwsError> {
    let pages = aws.ec2.describe_vpcs().filters(chosen).into_paginator().items().send();
    let vpcs: Vec<_> = pages
        .collect::<Result<_, _>>()
        .await
        .map_err(|error| AwsError::new("ec2:DescribeVpcs", "", error))?;
    try_join_all(vpcs.iter().map(async |vpc| {
        let id = vpc.vpc_id().unwrap_or_default().to_owned();
        let (dns_support, dns_hostnames) = try_join(
            attribute(aws, &id, VpcAttributeName::EnableDnsSupport),
            attribute(aws, &id, VpcAttributeName::EnableDnsHostnames),
        )
        .await?;
        let cidr = vpc.cidr_block().unwrap_or_default().to_owned();
        let more_cidrs = vpc.cidr_block_association_set().iter().filter_map(|association| {
            use aws_sdk_ec2::types::VpcCidrBlockStateCode::{Associated, Associating};
            let state = association.cidr_block_state()?.state()?;
            matches!(state, Associated | Associating).then(|| association.cidr_block())?
        });
        Ok(LiveVpc {
            more_cidrs: more_cidrs.filter(|more| *more != cidr).map(str::to_owned).collect(),
            dhcp_options: vpc.dhcp_options_id().unwrap_or_default().to_owned(),
            tags: ec2::tags_from_sdk(vpc.tags()),
            id,
            cidr,
            dns_support,
            dns_hostnames,
        })
    }))
    .await
}

async fn attribute(aws: &Aws, id: &str, name: VpcAttributeName) -> Result<bool, AwsError> {
    let call = aws.ec2.describe_vpc_attribute().vpc_id(id).attribute(name);
    let answer = call.send().await;
    let answer = answer.map_err(|error| AwsError::new("ec2:DescribeVpcAttribute", id, error))?;
    let value = answer.enable_dns_support().or(answer.enable_dns_hostnames());
    Ok(value.and_then(AttributeBooleanValue::value).unwrap_or(false))
}

impl Manage for Vpc {
    type Live = LiveVpc;

    fn id(&self) -> ResourceId {
        ResourceId::new(Kind::Vpc, &self.name)
    }

    fn needs(&self) -> Vec<ResourceId> {
        Vec::new()
    }

    fn looked(live: &Live) -> &Looked<LiveVpc> {
        &live.vpcs
    }

    fn is(&self, found: &LiveVpc, _: View<'_>) -> bool {
        match &self.existing {
            Some(id) => found.id == *id,
            None => ec2::is_named(&found.tags, &self.name),
        }
    }

    fn aws_id(found: &LiveVpc) -> String {
        found.id.clone()
    }

    fn wanted(&self, _: View<'_>) -> Fields {
        let mut fields = Fields::default();
        if let Some(cidr) = &self.cidr {
            fields = fields.with("cidr", cidr);
        }
        fields = fields.with("dnsSupport", true);
        if let Some(hostnames) = self.dns_hostnames {
            fields = fields.with("dnsHostnames", hostnames);
        }
        fields.tags(&self.tags)
    }

    fn found(&self, found: &LiveVpc, _: View<'_>) -> Fields {
        Fields::default()
            .with("cidr", &found.cidr)
            .with("dnsSupport", found.dns_support)
            .with("dnsHostnames", found.dns_hostnames)
            .tags(&found.tags)
    }

    fn ownership(&self) -> Ownership {
        if self.existing.is_some() { Ownership::Shared } else { Ownership::Ours }
    }

    fn fixed(&self) -> &'static [&'static str] {
        match self.ownership() {
            Ownership::Ours => &["cidr"],
            // What is shared is not ours to switch on.
            Ownership::Shared => &["cidr", "dnsSupport", "dnsHostnames"],
        }
    }

    async fn create(&self, work: &Work<'_>) -> Result<Option<String>, AwsError> {
        let call = work.aws.ec2.create_vpc().set_cidr_block(self.cidr.clone());
        let call = call.tag_specifications(ec2::specification(ResourceType::Vpc, &self.tags));
        let answer = call.send().await;
        let answer = answer.map_err(|error| AwsError::new("ec2:CreateVpc", &self.name, error))?;
        let id = answer.vpc.and_then(|vpc| vpc.vpc_id).unwrap_or_default();
        // Told at once: what fails from here on is mended by the next run.
        work.learn(self.id(), id.clone());
        if self.dns_hostnames == Some(true) {
            self.set_hostnames(work, &id).await?;
        }
        Ok(Some(id))
    }

    async fn update(&self, work: &Work<'_>, update: &Update) -> Result<(), AwsError> {
        if update.touches("dnsSupport") {
            let value = AttributeBooleanValue::builder().value(true).build();
            let call = work.aws.ec2.modify_vpc_attribute().vpc_id(&update.id);
            call.enable_dns_support(value)
                .send()
                .await
                .map_err(|error| AwsError::new("ec2:ModifyVpcAttribute", &update.id, error))?;
        }
        if update.touches("dnsHostnames") {
            self.set_hostnames(work, &update.id).await?;
        }
        if update.touches_tags() {
            ec2::tag(work.aws, &update.id, &self.tags).await?;
        }
        Ok(())
    }
}

impl Vpc {
    async fn set_hostnames(&self, work: &Work<'_>, id: &str) -> Result<(), AwsError> {
        let value = AttributeBooleanValue::builder().set_value(self.dns_hostnames).build();
        let call = work.aws.ec2.modify_vpc_attribute().vpc_id(id).enable_dns_hostnames(value);
        call.send().await.map_err(|error| AwsError::new("ec2:ModifyVpcAttribute", id, error))?;
        Ok(())
    }
}
