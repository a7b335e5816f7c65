//! `RouteTable`: where the traffic of subnets goes.

use std::collections::BTreeSet;

use aws_sdk_ec2::types::{Filter, ResourceType, RouteState};

use crate::aws::tags::Tags;
use crate::aws::{Answer, Aws, AwsError, batch, done, ec2};
use crate::core::belongings::{Around, Belonging, Presence};
use crate::core::creation::{Creation, Standing};
use crate::core::deletion::{Delete, gone_or};
use crate::core::fields::{Changed, Changes as _, Found, Stuck, Want, Wanted, fields};
use crate::core::given::Given;
use crate::core::holders::Holders;
use crate::core::id::{Id, Ref};
use crate::core::kind::{Kind, ResourceId};
use crate::core::look::{Asked, Look, Looking};
use crate::core::manage::{self, Manage, View};
use crate::core::seen::{Looked, Seen};
use crate::core::sweep::{Offer, Place, Sweep, Unclaimed};
use crate::core::whose::Marks;
use crate::core::work::Work;
use crate::vpc::subnet::Subnet;
use crate::vpc::vpc::{LiveVpc, Vpc, Vpcs};

/// kops' tag of what a table is for; it finds the table when its name was changed.
pub(crate) const ROLE_TAG: &str = "kubernetes.io/kops/role";

const DESCRIBE: &str = "ec2:DescribeRouteTables";
const CREATE: &str = "ec2:CreateRouteTable";

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RouteTable {
    pub(crate) name: String,
    pub(crate) vpc: Ref<Vpc>,
    pub(crate) tags: Tags,
}

/// Which table a subnet uses.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RouteTableAssociation {
    pub(crate) name: String,
    pub(crate) subnet: Ref<Subnet>,
    pub(crate) table: Ref<RouteTable>,
}

fields! { RouteTableFields {
    vpc: String = "vpc",
    tags: Tags = "tags",
} }

#[derive(Clone, Debug)]
pub(crate) struct LiveRouteTable {
    pub(crate) id: Id<RouteTable>,
    pub(crate) vpc: Id<Vpc>,
    pub(crate) routes: Vec<LiveRoute>,
    pub(crate) associations: Vec<LiveAssociation>,
    /// Whether it is the main table of its VPC, or a gateway's.
    pub(crate) beyond_subnets: bool,
    pub(crate) tags: Tags,
}

#[derive(Clone, Debug)]
pub(crate) struct LiveRoute {
    pub(crate) table: Id<RouteTable>,
    pub(crate) cidr: String,
    /// The id of whatever it leads to.
    pub(crate) via: String,
    /// Whether what it leads to is gone.
    pub(crate) blackhole: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct LiveAssociation {
    pub(crate) id: Id<RouteTableAssociation>,
    pub(crate) table: Id<RouteTable>,
    pub(crate) subnet: Id<Subnet>,
}

impl LiveRouteTable {
    pub(crate) fn marks(&self) -> Marks<'_> {
        Marks::of(&self.id).tags(&self.tags)
    }
}

/// The tables of VPCs, with their routes and associations: those of others too, since a subnet
/// may be associated with one.
#[derive(Debug)]
pub(crate) enum RouteTables {
    Within(Vec<Id<Vpc>>),
    Everything(String),
}

impl Look for RouteTables {
    const AFTER: &'static [Looking] = &[Looking::of::<Vpcs>()];

    fn ask(asked: &Asked, seen: &Seen) -> Option<Self> {
        let vpcs = seen.rows::<LiveVpc>().iter().map(|vpc| vpc.id.clone());
        asked.looks_at(&[RouteTable::KIND]).then(|| match asked.everything() {
            true => Self::Everything(asked.cluster().to_owned()),
            false => Self::Within(vpcs.collect()),
        })
    }

    async fn read(self, aws: &Aws) -> Result<Seen, AwsError> {
        let rows = match &self {
            Self::Within(vpcs) => {
                let of_vpcs = |vpcs: &[Id<Vpc>]| read(aws, vec![ec2::filter("vpc-id", vpcs)]);
                batch::read(vpcs, batch::FILTER_VALUES, of_vpcs).await
            }
            Self::Everything(cluster) => {
                ec2::marked_or_named(
                    cluster,
                    |table: &LiveRouteTable| &table.id,
                    |chosen| read(aws, chosen),
                )
                .await
            }
        };
        let tables = Looked::sort(rows)?;
        let routes = tables.flat_map(|table| table.routes.clone());
        let associations = tables.flat_map(|table| table.associations.clone());
        Ok(Seen::default().with(routes).with(associations).with(tables))
    }
}

impl Presence for RouteTable {
    const LOOKS: &'static [Looking] = &[Looking::of::<RouteTables>()];

    const IS_SOUGHT: bool = true;

    /// It is found by its VPC, and what uses it by its subnets; a gateway by the routes to it.
    const BESIDE: &'static [Kind] = &[Vpc::KIND, Subnet::KIND];

    fn belongings(around: &Around<'_>) -> Vec<Belonging> {
        let tables = around.seen.rows::<LiveRouteTable>().iter().filter_map(|table| {
            let associations = table.associations.iter().map(|one| one.id.clone()).collect();
            let deletion = RouteTableDeletion { id: table.id.clone(), associations };
            around.by_id(Self::KIND, &table.marks(), deletion)
        });
        tables.map(Belonging::around_instances).collect()
    }
}

pub(super) async fn read(aws: &Aws, chosen: Vec<Filter>) -> Result<Vec<LiveRouteTable>, AwsError> {
    let call = aws.ec2.describe_route_tables().set_filters(Some(chosen));
    let rows = call.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
    let rows = rows.map_err(|error| AwsError::new(DESCRIBE, "", error))?;
    rows.iter().map(from_sdk).collect()
}

fn from_sdk(table: &aws_sdk_ec2::types::RouteTable) -> Result<LiveRouteTable, AwsError> {
    let id = Id::given(Answer::of(DESCRIBE, ""), "routeTableId", table.route_table_id())?;
    let answer = Answer::of(DESCRIBE, &id);
    // To a list of prefixes leads what endpoints make, which have no range of their own.
    let is_of_range =
        |route: &&aws_sdk_ec2::types::Route| route.destination_prefix_list_id().is_none();
    let routes = table.routes().iter().filter(is_of_range).map(|route| {
        let via = route.gateway_id().or(route.nat_gateway_id()).or(route.instance_id());
        let via = via.or(route.egress_only_internet_gateway_id()).or(route.transit_gateway_id());
        let via = via.or(route.network_interface_id()).or(route.vpc_peering_connection_id());
        let range = route.destination_cidr_block().or(route.destination_ipv6_cidr_block());
        Ok(LiveRoute {
            table: id.clone(),
            cidr: answer.text("destinationCidrBlock", range)?,
            via: via.unwrap_or("something else").to_owned(),
            blackhole: route.state() == Some(&RouteState::Blackhole),
        })
    });
    // The main table, and a gateway's, are associated without a subnet.
    let of_subnets = table.associations().iter().filter_map(|one| Some((one, one.subnet_id()?)));
    let associations = of_subnets.map(|(association, subnet)| {
        let id_of = association.route_table_association_id();
        Ok(LiveAssociation {
            id: Id::given(answer, "routeTableAssociationId", id_of)?,
            table: id.clone(),
            subnet: Id::given(answer, "subnetId", Some(subnet))?,
        })
    });
    Ok(LiveRouteTable {
        vpc: Id::given(answer, "vpcId", table.vpc_id())?,
        routes: routes.collect::<Result<_, AwsError>>()?,
        associations: associations.collect::<Result<_, AwsError>>()?,
        beyond_subnets: table.associations().iter().any(|one| one.subnet_id().is_none()),
        tags: ec2::tags_from_sdk(table.tags()),
        id: id.clone(),
    })
}

impl Manage for RouteTable {
    type Live = LiveRouteTable;
    type Fields = RouteTableFields<Wanted>;

    fn id(&self) -> ResourceId {
        ResourceId::new(RouteTable::KIND, &self.name)
    }

    fn needs(&self) -> Vec<ResourceId> {
        vec![self.vpc.resource()]
    }

    fn is(&self, found: &LiveRouteTable, _: View<'_>) -> bool {
        let same =
            |tag: &str| found.tags.contains_key(tag) && found.tags.get(tag) == self.tags.get(tag);
        same("Name") || same(ROLE_TAG)
    }

    fn marks<'a>(&self, found: &'a LiveRouteTable, _: View<'a>) -> Vec<Marks<'a>> {
        vec![found.marks()]
    }

    fn aws_id(found: &LiveRouteTable) -> Id<Self> {
        found.id.clone()
    }

    fn wanted(&self, _: View<'_>) -> RouteTableFields<Wanted> {
        RouteTableFields { vpc: Want::Is(self.vpc.name.clone()), tags: Want::Is(self.tags.clone()) }
    }

    fn found(&self, found: &LiveRouteTable, view: View<'_>) -> RouteTableFields<Found> {
        RouteTableFields {
            vpc: Some(view.name(&found.vpc).to_owned()),
            tags: Some(found.tags.clone()),
        }
    }

    fn judge(&self, changed: &mut RouteTableFields<Changed>, found: &LiveRouteTable) -> Vec<Stuck> {
        let fixed = RouteTableFields { vpc: changed.vpc.take(), ..RouteTableFields::none() };
        Stuck::fixed(&fixed, &found.id, manage::instead(self)).into_iter().collect()
    }

    fn given(&self) -> Given<'_> {
        Given::nothing().tags(&self.tags)
    }

    async fn create(&self, work: &Work<'_>) -> Result<Option<Id<Self>>, AwsError> {
        let vpc = work.id(&self.vpc)?;
        let creation = Creation { work, resource: &self.id(), operation: CREATE };
        let create = |token| self.create_one(work.aws, token, &vpc);
        creation.with_token(&vpc, create, || self.standing(work.aws)).await.map(Some)
    }

    async fn update(
        &self,
        work: &Work<'_>,
        id: &Id<Self>,
        changed: &RouteTableFields<Changed>,
    ) -> Result<(), AwsError> {
        let RouteTableFields { vpc: _, tags } = changed;
        if tags.is_some() {
            ec2::tag(work.aws, id, &self.tags).await?;
        }
        Ok(())
    }

    #[cfg(test)]
    fn imagined(&self, id: &Id<Self>, view: View<'_>) -> LiveRouteTable {
        LiveRouteTable {
            id: id.clone(),
            vpc: view.id_of(&self.vpc),
            routes: Vec::new(),
            associations: Vec::new(),
            beyond_subnets: false,
            tags: self.tags.clone(),
        }
    }

    #[cfg(test)]
    fn disturbed(&self, live: &LiveRouteTable) -> Vec<(&'static str, LiveRouteTable)> {
        vec![
            ("vpc", LiveRouteTable { vpc: Id::imagined("vpc-other"), ..live.clone() }),
            ("tags", LiveRouteTable { tags: Self::lacking_one(&live.tags), ..live.clone() }),
        ]
    }
}

impl RouteTable {
    async fn create_one(
        &self,
        aws: &Aws,
        token: String,
        vpc: &Id<Vpc>,
    ) -> Result<Id<Self>, AwsError> {
        let tags = ec2::specification(ResourceType::RouteTable, &self.tags);
        let call = aws.ec2.create_route_table().client_token(token).vpc_id(vpc);
        let answer = call.tag_specifications(tags).send().await;
        let answer = answer.map_err(|error| AwsError::new(CREATE, &self.name, error))?;
        let id = answer.route_table().and_then(|table| table.route_table_id());
        Id::given(Answer::of(CREATE, &self.name), "routeTableId", id)
    }

    async fn standing(&self, aws: &Aws) -> Result<Vec<Standing<Id<Self>>>, AwsError> {
        let rows = read(aws, ec2::identity(&self.tags)).await?;
        let ours = rows.into_iter().filter(|row| ec2::is_identified(&row.tags, &self.tags));
        Ok(ours.map(|row| Standing { id: row.id, is_gone: false }).collect())
    }
}

/// Deletes a route table, which lets go of its subnets before.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RouteTableDeletion {
    pub(crate) id: Id<RouteTable>,
    pub(crate) associations: Vec<Id<RouteTableAssociation>>,
}

impl Delete for RouteTableDeletion {
    async fn attempt(&self, aws: &Aws) -> Result<(), AwsError> {
        let Self { id, associations } = self;
        for association in associations {
            let call = aws.ec2.disassociate_route_table().association_id(association);
            gone_or(done("ec2:DisassociateRouteTable", association, call.send().await))?;
        }
        let call = aws.ec2.delete_route_table().route_table_id(id);
        done("ec2:DeleteRouteTable", id, call.send().await)
    }

    async fn holders(&self, work: &Work<'_>, holders: &mut Holders) -> Result<(), AwsError> {
        of_table(work.aws, &self.id, &self.associations, holders).await
    }
}

async fn of_table(
    aws: &Aws,
    id: &Id<RouteTable>,
    known: &[Id<RouteTableAssociation>],
    holders: &mut Holders,
) -> Result<(), AwsError> {
    let rows = read(aws, vec![ec2::filter("route-table-id", [id])]).await?;
    for one in rows.iter().flat_map(|table| &table.associations) {
        if !known.contains(&one.id) {
            holders.add(false, format!("its association {}", one.id));
        }
    }
    Ok(())
}

impl Unclaimed for RouteTable {
    /// The table of a subnet that stays, and of which the spec says that somebody else routes it,
    /// is left to them.
    fn unclaimed(sweep: &mut Sweep<'_>) {
        let view = sweep.view();
        let routed = sweep.wishes::<RouteTableAssociation>().iter();
        let routed: BTreeSet<&str> = routed.filter_map(|one| view.ids.get(&one.subnet)).collect();
        for found in sweep.rows::<LiveRouteTable>(RouteTable::KIND) {
            let place = Place::new(RouteTable::KIND, &found.id);
            let id = ResourceId::named(RouteTable::KIND, &found.id, found.tags.get("Name"));
            let is_left = |one: &LiveAssociation| {
                let stays = sweep.is_found(&Place::new(Subnet::KIND, &one.subnet));
                stays && !routed.contains(one.subnet.as_str())
            };
            let is_theirs = found.associations.iter().any(is_left);
            if is_theirs || sweep.is_found(&place) || !sweep.is_ours(&id, &found.marks()) {
                continue;
            }
            if found.beyond_subnets {
                let why = "it is the main route table of its VPC, or a gateway's";
                sweep.hold(place.clone(), sweep.until_then(why));
            }
            // Subnets that stay are on another table by then.
            let stays =
                |one: &&LiveAssociation| sweep.is_found(&Place::new(Subnet::KIND, &one.subnet));
            let associations = found.associations.iter().filter(|one| !stays(one));
            let associations = associations.map(|one| one.id.clone()).collect();
            let deletion = RouteTableDeletion { id: found.id.clone(), associations };
            sweep.offer(Offer::new(id, place, deletion));
        }
    }
}
