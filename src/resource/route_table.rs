//! `RouteTable`: where the traffic of subnets goes.

use aws_sdk_ec2::types::{Filter, ResourceType, RouteState};

use super::ids::Work;
use super::live::Live;
use super::managed::{Fields, Looked, Manage, Update, View};
use super::{Kind, ResourceId, Tags, ec2};
use crate::aws::{Aws, AwsError};

/// kops' tag of what a table is for; it finds the table when its name was changed.
pub(crate) const ROLE_TAG: &str = "kubernetes.io/kops/role";

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RouteTable {
    pub(crate) name: String,
    pub(crate) vpc: ResourceId,
    pub(crate) tags: Tags,
}

#[derive(Clone, Debug)]
pub(crate) struct LiveRouteTable {
    pub(crate) id: String,
    pub(crate) vpc: String,
    pub(crate) routes: Vec<LiveRoute>,
    pub(crate) associations: Vec<LiveAssociation>,
    pub(crate) tags: Tags,
}

#[derive(Clone, Debug)]
pub(crate) struct LiveRoute {
    pub(crate) table: String,
    pub(crate) cidr: String,
    pub(crate) via: String,
    /// Whether what it leads to is gone.
    pub(crate) blackhole: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct LiveAssociation {
    pub(crate) id: String,
    pub(crate) table: String,
    pub(crate) subnet: String,
}

/// Reads the tables of VPCs, with their routes and associations: those of others too, since
/// a subnet may be associated with one.
pub(super) async fn observe(
    aws: &Aws,
    vpcs: &[String],
) -> Result<Looked<LiveRouteTable>, AwsError> {
    if vpcs.is_empty() {
        return Ok(Looked::Found(Vec::new()));
    }
    Looked::sort(read(aws, ec2::filter("vpc-id", vpcs)).await)
}

pub(super) async fn read(aws: &Aws, chosen: Filter) -> Result<Vec<LiveRouteTable>, AwsError> {
    let call = aws.ec2.describe_route_tables().filters(chosen);
    let rows = call.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
    let rows = rows.map_err(|error| AwsError::new("ec2:DescribeRouteTables", "", error))?;
    Ok(rows.iter().map(from_sdk).collect())
}

fn from_sdk(table: &aws_sdk_ec2::types::RouteTable) -> LiveRouteTable {
    let id = table.route_table_id().unwrap_or_default().to_owned();
    let routes = table.routes().iter().filter_map(|route| {
        let via = route.gateway_id().or(route.nat_gateway_id()).or(route.instance_id());
        let via = via.or(route.transit_gateway_id()).or(route.network_interface_id());
        let via = via.or(route.vpc_peering_connection_id()).unwrap_or("something else");
        Some(LiveRoute {
            table: id.clone(),
            cidr: route.destination_cidr_block()?.to_owned(),
            via: via.to_owned(),
            blackhole: route.state() == Some(&RouteState::Blackhole),
        })
    });
    let associations = table.associations().iter().filter_map(|association| {
        Some(LiveAssociation {
            id: association.route_table_association_id()?.to_owned(),
            table: id.clone(),
            subnet: association.subnet_id()?.to_owned(),
        })
    });
    LiveRouteTable {
        vpc: table.vpc_id().unwrap_or_default().to_owned(),
        routes: routes.collect(),
        associations: associations.collect(),
        tags: ec2::tags_from_sdk(table.tags()),
        id: id.clone(),
    }
}

impl Manage for RouteTable {
    type Live = LiveRouteTable;

    fn id(&self) -> ResourceId {
        ResourceId::new(Kind::RouteTable, &self.name)
    }

    fn needs(&self) -> Vec<ResourceId> {
        vec![self.vpc.clone()]
    }

    fn looked(live: &Live) -> &Looked<LiveRouteTable> {
        &live.route_tables
    }

    fn is(&self, found: &LiveRouteTable, _: View<'_>) -> bool {
        let same =
            |tag: &str| found.tags.contains_key(tag) && found.tags.get(tag) == self.tags.get(tag);
        let ours = self
            .tags
            .keys()
            .filter(|key| key.starts_with("kubernetes.io/cluster/") || *key == ec2::CLUSTER_TAG)
            .any(|key| found.tags.contains_key(key) && (key != ec2::CLUSTER_TAG || same(key)));
        ours && (same("Name") || same(ROLE_TAG))
    }

    fn aws_id(found: &LiveRouteTable) -> String {
        found.id.clone()
    }

    fn wanted(&self, _: View<'_>) -> Fields {
        Fields::default().with("vpc", &self.vpc.name).tags(&self.tags)
    }

    fn found(&self, found: &LiveRouteTable, view: View<'_>) -> Fields {
        Fields::default().with("vpc", view.name(&found.vpc)).tags(&found.tags)
    }

    fn fixed(&self) -> &'static [&'static str] {
        &["vpc"]
    }

    async fn create(&self, work: &Work<'_>) -> Result<Option<String>, AwsError> {
        let call = work.aws.ec2.create_route_table().vpc_id(work.id(&self.vpc)?);
        let tags = ec2::specification(ResourceType::RouteTable, &self.tags);
        let answer = call.tag_specifications(tags).send().await;
        let answer =
            answer.map_err(|error| AwsError::new("ec2:CreateRouteTable", &self.name, error))?;
        Ok(answer.route_table.and_then(|table| table.route_table_id))
    }

    async fn update(&self, work: &Work<'_>, update: &Update) -> Result<(), AwsError> {
        ec2::tag(work.aws, &update.id, &self.tags).await
    }
}
