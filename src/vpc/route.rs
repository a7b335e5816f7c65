//! `Route`: one way out of a route table.

use std::collections::BTreeSet;

use crate::aws::{Answer, Aws, AwsError, Fault, batch, ec2};
use crate::core::belongings::{Around, Belonging, Presence};
use crate::core::fields::{Changed, Found, Value, Want, Wanted, fields};
use crate::core::given::Given;
use crate::core::id::{Id, Ref};
use crate::core::kind::ResourceId;
use crate::core::look::{Asked, Look, Looking};
use crate::core::manage::{Manage, View};
use crate::core::seen::{Looked, Seen};
use crate::core::sweep::{Place, Sweep, Unclaimed};
use crate::core::whose::Marks;
use crate::core::work::Work;
use crate::vpc::egress_only_internet_gateway::{
    EgressOnlyInternetGateway, LiveEgressOnlyInternetGateway,
};
use crate::vpc::internet_gateway::{InternetGateway, LiveInternetGateway};
use crate::vpc::nat_gateway::NatGateway;
use crate::vpc::route_table::{self, LiveRoute, RouteTable, RouteTables};
use crate::vpc::vpc::{LiveVpc, Vpc};

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Route {
    pub(crate) name: String,
    pub(crate) table: Ref<RouteTable>,
    pub(crate) cidr: String,
    pub(crate) via: Via,
}

fields! { RouteFields { via: Way = "via" } }

/// A call that makes a route, with what it leads to and through what.
macro_rules! leading {
    ($route:expr, $call:expr, $via:expr) => {{
        let (route, via): (&Route, &str) = ($route, $via);
        let call = match route.cidr.contains(':') {
            true => $call.destination_ipv6_cidr_block(&route.cidr),
            false => $call.destination_cidr_block(&route.cidr),
        };
        match via.split_once('-').map_or(via, |(prefix, _)| prefix) {
            "eigw" => call.egress_only_internet_gateway_id(via),
            "i" => call.instance_id(via),
            "nat" => call.nat_gateway_id(via),
            "pcx" => call.vpc_peering_connection_id(via),
            "tgw" => call.transit_gateway_id(via),
            _ => call.gateway_id(via),
        }
    }};
}

/// Where a route leads, by its name, and whether that is gone.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Way {
    through: String,
    is_gone: bool,
}

impl Value for Way {
    fn tell(&self) -> String {
        match self.is_gone {
            true => format!("{}, which is gone", self.through),
            false => self.through.clone(),
        }
    }
}

/// Where a route leads.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Via {
    InternetGateway(Ref<InternetGateway>),
    EgressOnly(Ref<EgressOnlyInternetGateway>),
    NatGateway(Ref<NatGateway>),
    /// Something of the user's own, by its id, whose prefix tells what it is.
    Existing(String),
}

impl Via {
    fn name<'a>(&'a self, view: View<'a>) -> &'a str {
        // One thing may be wanted under two names.
        let known = |wanted: &'a ResourceId| view.ids.get(wanted).map(|id| view.name(id));
        match self {
            Self::InternetGateway(gateway) => known(gateway).unwrap_or(&gateway.name),
            Self::EgressOnly(gateway) => known(gateway).unwrap_or(&gateway.name),
            Self::NatGateway(gateway) => known(gateway).unwrap_or(&gateway.name),
            Self::Existing(id) => view.name(id),
        }
    }

    fn resource(&self) -> Option<ResourceId> {
        match self {
            Self::InternetGateway(gateway) => Some(gateway.resource()),
            Self::EgressOnly(gateway) => Some(gateway.resource()),
            Self::NatGateway(gateway) => Some(gateway.resource()),
            Self::Existing(_) => None,
        }
    }

    fn id(&self, work: &Work<'_>) -> Result<String, AwsError> {
        Ok(match self {
            Self::InternetGateway(gateway) => work.id(gateway)?.into(),
            Self::EgressOnly(gateway) => work.id(gateway)?.into(),
            Self::NatGateway(gateway) => work.id(gateway)?.into(),
            Self::Existing(id) => id.clone(),
        })
    }

    /// The instance of the user's own, if it is one.
    pub(crate) fn instance(&self) -> Option<&str> {
        match self {
            Self::Existing(id) => Some(id.as_str()).filter(|id| id.starts_with("i-")),
            Self::InternetGateway(_) | Self::EgressOnly(_) | Self::NatGateway(_) => None,
        }
    }
}

impl Manage for Route {
    type Live = LiveRoute;
    type Fields = RouteFields<Wanted>;

    fn id(&self) -> ResourceId {
        ResourceId::new(Route::KIND, &self.name)
    }

    fn needs(&self) -> Vec<ResourceId> {
        std::iter::once(self.table.resource()).chain(self.via.resource()).collect()
    }

    fn is(&self, found: &LiveRoute, view: View<'_>) -> bool {
        view.is(&self.table, &found.table) && found.cidr == self.cidr
    }

    /// What is part of something was found by that.
    fn marks<'a>(&self, _: &'a Self::Live, _: View<'a>) -> Vec<Marks<'a>> {
        Vec::new()
    }

    fn aws_id(found: &LiveRoute) -> Id<Self> {
        Id::part(&found.table, &found.cidr)
    }

    fn wanted(&self, view: View<'_>) -> RouteFields<Wanted> {
        let through = self.via.name(view).to_owned();
        RouteFields { via: Want::Is(Way { through, is_gone: false }) }
    }

    fn found(&self, found: &LiveRoute, view: View<'_>) -> RouteFields<Found> {
        let through = view.name(&found.via).to_owned();
        RouteFields { via: Some(Way { through, is_gone: found.blackhole }) }
    }

    fn unseen(&self, found: Option<&LiveRoute>, view: View<'_>) -> Option<AwsError> {
        match (self.via.instance(), found) {
            (Some(_), None) => view.seen.of::<RouteInstance>().refused().cloned(),
            _ => None,
        }
    }

    fn obstacle(&self, view: View<'_>) -> Option<(String, String)> {
        missing_instance(&self.via, view).or_else(|| missing_gateway(&self.via, view))
    }

    fn given(&self) -> Given<'_> {
        Given::nothing()
    }

    async fn create(&self, work: &Work<'_>) -> Result<Option<Id<Self>>, AwsError> {
        let (table, via) = (work.id(&self.table)?, self.via.id(work)?);
        let call = work.aws.ec2.create_route().route_table_id(&table);
        let answer = leading!(self, call, &via).send().await;
        match answer.map_err(|error| AwsError::new("ec2:CreateRoute", &self.name, error)) {
            // There is one, perhaps by a call of ours whose answer was lost.
            Err(error) if error.fault == Fault::Conflict => {
                let chosen = vec![ec2::filter("route-table-id", [table])];
                let tables = route_table::read(work.aws, chosen).await?;
                let is_as_wanted = tables
                    .iter()
                    .flat_map(|table| &table.routes)
                    .any(|route| route.cidr == self.cidr && route.via == via && !route.blackhole);
                if is_as_wanted { Ok(None) } else { Err(error) }
            }
            answer => answer.map(|_| None),
        }
    }

    async fn update(
        &self,
        work: &Work<'_>,
        _: &Id<Self>,
        changed: &RouteFields<Changed>,
    ) -> Result<(), AwsError> {
        let RouteFields { via: Some(_) } = changed else { return Ok(()) };
        let (table, via) = (work.id(&self.table)?, self.via.id(work)?);
        let call = work.aws.ec2.replace_route().route_table_id(table);
        let call = leading!(self, call, &via);
        call.send().await.map_err(|error| AwsError::new("ec2:ReplaceRoute", &self.name, error))?;
        Ok(())
    }

    #[cfg(test)]
    fn imagined(&self, _: &Id<Self>, view: View<'_>) -> LiveRoute {
        let via = match &self.via {
            Via::InternetGateway(via) => view.id_of(via).into(),
            Via::EgressOnly(via) => view.id_of(via).into(),
            Via::NatGateway(via) => view.id_of(via).into(),
            Via::Existing(id) => id.clone(),
        };
        let table = view.id_of(&self.table);
        LiveRoute { table, cidr: self.cidr.clone(), via, blackhole: false }
    }

    #[cfg(test)]
    fn disturbed(&self, live: &LiveRoute) -> Vec<(&'static str, LiveRoute)> {
        vec![
            ("via", LiveRoute { via: "igw-other".to_owned(), ..live.clone() }),
            ("via", LiveRoute { blackhole: true, ..live.clone() }),
        ]
    }
}

fn missing_instance(via: &Via, view: View<'_>) -> Option<(String, String)> {
    let id = via.instance()?;
    let Looked::Found(instances) = view.seen.of::<RouteInstance>() else { return None };
    let is_there = instances.iter().any(|instance| instance.0 == *id);
    (!is_there).then(|| {
        (
            format!("leads through the instance {id}, which does not exist"),
            "correct egress or additionalRoutes of the zone's private subnets".to_owned(),
        )
    })
}

/// An internet gateway that the spec names, and that does not exist or stands at another VPC. All
/// of the account were looked at, if any were.
fn missing_gateway(via: &Via, view: View<'_>) -> Option<(String, String)> {
    let Via::Existing(id) = via else { return None };
    let vpcs: Option<&[Id<Vpc>]> = match id.split_once('-')?.0 {
        "igw" => {
            let Looked::Found(rows) = view.seen.of::<LiveInternetGateway>() else { return None };
            rows.iter().find(|row| row.id == *id).map(|row| row.vpcs.as_slice())
        }
        "eigw" => {
            let looked = view.seen.of::<LiveEgressOnlyInternetGateway>();
            let Looked::Found(rows) = looked else { return None };
            rows.iter().find(|row| row.id == *id).map(|row| row.vpcs.as_slice())
        }
        _ => return None,
    };
    let next = "correct target in additionalRoutes of the zone's private subnets".to_owned();
    let Some(vpcs) = vpcs else {
        return Some((format!("leads through {id}, which does not exist"), next));
    };
    let own = view.seen.rows::<LiveVpc>().iter().find(|vpc| vpcs.contains(&vpc.id));
    let told: Vec<&str> = vpcs.iter().map(Id::as_str).collect();
    let stands = if told.is_empty() { "no VPC".to_owned() } else { told.join(", ") };
    own.is_none().then(|| (format!("leads through {id}, which stands at {stands}"), next))
}

/// An instance through which subnets reach the internet, by its id.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct RouteInstance(pub(crate) String);

/// The instances that routes lead to, as far as they exist.
#[derive(Debug)]
pub(crate) struct RouteInstances(Vec<String>);

impl Look for RouteInstances {
    const AFTER: &'static [Looking] = &[];

    fn ask(asked: &Asked, _: &Seen) -> Option<Self> {
        let routes = asked.wanted::<Route>().iter();
        let ids = routes.filter_map(|route| route.via.instance().map(str::to_owned));
        let ids: BTreeSet<String> = ids.collect();
        (!ids.is_empty()).then(|| Self(ids.into_iter().collect()))
    }

    async fn read(self, aws: &Aws) -> Result<Seen, AwsError> {
        const OPERATION: &str = "ec2:DescribeInstances";
        let read = batch::read(&self.0, batch::FILTER_VALUES, async |ids: &[String]| {
            let call = aws.ec2.describe_instances().filters(ec2::filter("instance-id", ids));
            let rows = call.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
            let rows = rows.map_err(|error| AwsError::new(OPERATION, "", error))?;
            let all = rows.iter().flat_map(|reservation| reservation.instances());
            let ids =
                all.map(|row| Answer::of(OPERATION, "").text("instanceId", row.instance_id()));
            ids.map(|id| Ok(RouteInstance(id?))).collect()
        });
        Ok(Seen::default().with(Looked::sort(read.await)?))
    }
}

impl Presence for Route {
    const LOOKS: &'static [Looking] =
        &[Looking::of::<RouteTables>(), Looking::of::<RouteInstances>()];

    const IS_SOUGHT: bool = false;

    fn exists(_: &ResourceId, _: View<'_>) -> Option<bool> {
        None
    }

    /// They go with their table.
    fn belongings(_: &Around<'_>) -> Vec<Belonging> {
        Vec::new()
    }
}

impl Unclaimed for Route {
    /// A gateway is the way out as long as a table stays whose route is not turned elsewhere.
    fn unclaimed(sweep: &mut Sweep<'_>) {
        let view = sweep.view();
        let wanted = sweep.wishes::<Self>().iter();
        let turned: BTreeSet<(&str, &str)> = wanted
            .filter(|one| sweep.is_written(&one.id()))
            .filter_map(|one| Some((view.ids.get(&one.table)?, one.cidr.as_str())))
            .collect();
        let found = view.seen.rows::<LiveRoute>().iter();
        for route in found.filter(|one| !turned.contains(&(one.table.as_str(), one.cidr.as_str())))
        {
            let gateway = Place::new(NatGateway::KIND, &route.via);
            let why = format!("the way out of {} to {}", route.table, route.cidr);
            let table = Place::new(RouteTable::KIND, &route.table);
            sweep.hold_unless_gone(gateway, table, sweep.until_then(&why));
        }
    }
}
