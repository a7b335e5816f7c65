//! `SecurityGroup`: what may reach a role's instances or a load balancer.

use aws_sdk_ec2::types::{Filter, IpPermission, ResourceType};
use futures::future::try_join;

use super::ids::Work;
use super::live::Live;
use super::managed::{Fields, Looked, Manage, Ownership, Update, View};
use super::security_group_rule::{LiveRule, Peer};
use super::{Kind, ResourceId, Tags, ec2};
use crate::aws::{Aws, AwsError};

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SecurityGroup {
    pub(crate) name: String,
    /// The id of a group of the user's own.
    pub(crate) existing: Option<String>,
    pub(crate) description: String,
    pub(crate) vpc: ResourceId,
    /// The ports of which rules are removed that are not wanted; of others they stay, since
    /// Kubernetes and people add them.
    pub(crate) own_ports: &'static [i32],
    pub(crate) tags: Tags,
}

#[derive(Clone, Debug)]
pub(crate) struct LiveSecurityGroup {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) vpc: String,
    pub(crate) rules: Vec<LiveRule>,
    pub(crate) tags: Tags,
}

/// Reads the groups of a cluster, and those that its spec names by id.
pub(super) async fn observe(
    aws: &Aws,
    cluster: &str,
    existing: &[String],
) -> Result<Looked<LiveSecurityGroup>, AwsError> {
    let named = async {
        match existing {
            [] => Ok(Vec::new()),
            ids => read(aws, ec2::filter("group-id", ids)).await,
        }
    };
    let rows = try_join(read(aws, ec2::of_cluster(cluster)), named).await;
    Looked::sort(rows.map(|(mut rows, named)| {
        let known: Vec<String> = rows.iter().map(|group| group.id.clone()).collect();
        rows.extend(named.into_iter().filter(|group| !known.contains(&group.id)));
        rows
    }))
}

pub(super) async fn read(aws: &Aws, chosen: Filter) -> Result<Vec<LiveSecurityGroup>, AwsError> {
    let pages = aws.ec2.describe_security_groups().filters(chosen);
    let rows = pages.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
    let rows = rows.map_err(|error| AwsError::new("ec2:DescribeSecurityGroups", "", error))?;
    Ok(rows.iter().map(from_sdk).collect())
}

fn from_sdk(group: &aws_sdk_ec2::types::SecurityGroup) -> LiveSecurityGroup {
    let id = group.group_id().unwrap_or_default().to_owned();
    let rules = |permissions: &[IpPermission], egress| -> Vec<LiveRule> {
        permissions.iter().flat_map(|permission| expand(&id, permission, egress)).collect()
    };
    let mut all = rules(group.ip_permissions(), false);
    all.extend(rules(group.ip_permissions_egress(), true));
    LiveSecurityGroup {
        name: group.group_name().unwrap_or_default().to_owned(),
        vpc: group.vpc_id().unwrap_or_default().to_owned(),
        rules: all,
        tags: ec2::tags_from_sdk(group.tags()),
        id,
    }
}

/// One rule for each peer that a permission names.
fn expand(group: &str, permission: &IpPermission, egress: bool) -> Vec<LiveRule> {
    let groups = permission.user_id_group_pairs().iter();
    let peers = groups.filter_map(|pair| Some(Peer::Group(pair.group_id()?.to_owned())));
    let ranges = permission.ip_ranges().iter();
    let peers = peers.chain(ranges.filter_map(|range| Some(Peer::Cidr(range.cidr_ip()?.into()))));
    let ranges = permission.ipv6_ranges().iter();
    let peers = peers.chain(ranges.filter_map(|range| Some(Peer::Cidr(range.cidr_ipv6()?.into()))));
    let lists = permission.prefix_list_ids().iter();
    let peers =
        peers.chain(lists.filter_map(|list| Some(Peer::PrefixList(list.prefix_list_id()?.into()))));
    peers
        .map(|peer| LiveRule {
            group: group.to_owned(),
            egress,
            protocol: permission.ip_protocol().unwrap_or("-1").to_owned(),
            from: permission.from_port(),
            to: permission.to_port(),
            peer,
        })
        .collect()
}

impl Manage for SecurityGroup {
    type Live = LiveSecurityGroup;

    fn id(&self) -> ResourceId {
        ResourceId::new(Kind::SecurityGroup, &self.name)
    }

    fn needs(&self) -> Vec<ResourceId> {
        match &self.existing {
            Some(_) => Vec::new(),
            None => vec![self.vpc.clone()],
        }
    }

    fn looked(live: &Live) -> &Looked<LiveSecurityGroup> {
        &live.security_groups
    }

    fn is(&self, found: &LiveSecurityGroup, _: View<'_>) -> bool {
        match &self.existing {
            Some(id) => found.id == *id,
            None => {
                found.name == self.name
                    && found.tags.get(ec2::CLUSTER_TAG) == self.tags.get(ec2::CLUSTER_TAG)
            }
        }
    }

    fn aws_id(found: &LiveSecurityGroup) -> String {
        found.id.clone()
    }

    fn wanted(&self, _: View<'_>) -> Fields {
        match &self.existing {
            Some(_) => Fields::default(),
            None => Fields::default().with("vpc", &self.vpc.name).tags(&self.tags),
        }
    }

    fn found(&self, found: &LiveSecurityGroup, view: View<'_>) -> Fields {
        Fields::default().with("vpc", view.name(&found.vpc)).tags(&found.tags)
    }

    fn ownership(&self) -> Ownership {
        if self.existing.is_some() { Ownership::Shared } else { Ownership::Ours }
    }

    fn fixed(&self) -> &'static [&'static str] {
        &["vpc"]
    }

    async fn create(&self, work: &Work<'_>) -> Result<Option<String>, AwsError> {
        let call = work.aws.ec2.create_security_group().vpc_id(work.id(&self.vpc)?);
        let answer = call
            .group_name(&self.name)
            .description(&self.description)
            .tag_specifications(ec2::specification(ResourceType::SecurityGroup, &self.tags))
            .send()
            .await
            .map_err(|error| AwsError::new("ec2:CreateSecurityGroup", &self.name, error))?;
        Ok(answer.group_id)
    }

    async fn update(&self, work: &Work<'_>, update: &Update) -> Result<(), AwsError> {
        ec2::tag(work.aws, &update.id, &self.tags).await
    }
}
