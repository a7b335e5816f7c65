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
use crate::vpc::internet_gateway::InternetGateway;
use crate::vpc::nat_gateway::NatGateway;
use crate::vpc::route_table::{self, LiveRoute, RouteTable, RouteTables};

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Route {
    pub(crate) name: String,
    pub(crate) table: Ref<RouteTable>,
    pub(crate) cidr: String,
    pub(crate) via: Via,
}

fields! { RouteFields { via: Way = "via" } }

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
    NatGateway(Ref<NatGateway>),
    /// An instance of the user's own that does network address translation.
    Instance(String),
}

impl Via {
    fn name(&self) -> &str {
        match self {
            Self::InternetGateway(gateway) => &gateway.name,
            Self::NatGateway(gateway) => &gateway.name,
            Self::Instance(id) => id,
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
        match &self.via {
            Via::InternetGateway(via) => vec![self.table.resource(), via.resource()],
            Via::NatGateway(via) => vec![self.table.resource(), via.resource()],
            Via::Instance(_) => vec![self.table.resource()],
        }
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

    fn wanted(&self, _: View<'_>) -> RouteFields<Wanted> {
        RouteFields { via: Want::Is(Way { through: self.via.name().to_owned(), is_gone: false }) }
    }

    fn found(&self, found: &LiveRoute, view: View<'_>) -> RouteFields<Found> {
        let through = view.name(&found.via).to_owned();
        RouteFields { via: Some(Way { through, is_gone: found.blackhole }) }
    }

    fn unseen(&self, found: Option<&LiveRoute>, view: View<'_>) -> Option<AwsError> {
        match (&self.via, found) {
            (Via::Instance(_), None) => view.seen.of::<RouteInstance>().refused().cloned(),
            _ => None,
        }
    }

    fn obstacle(&self, view: View<'_>) -> Option<(String, String)> {
        missing_instance(&self.via, view)
    }

    fn given(&self) -> Given<'_> {
        Given::nothing()
    }

    async fn create(&self, work: &Work<'_>) -> Result<Option<Id<Self>>, AwsError> {
        let (table, target) = (work.id(&self.table)?, self.target(work)?);
        let via = target.id().map(str::to_owned);
        let call = work.aws.ec2.create_route().route_table_id(&table);
        let call = call.destination_cidr_block(&self.cidr);
        let call = call
            .set_instance_id(target.instance)
            .set_nat_gateway_id(target.nat_gateway)
            .set_gateway_id(target.gateway);
        let answer = call.send().await;
        match answer.map_err(|error| AwsError::new("ec2:CreateRoute", &self.name, error)) {
            // There is one, perhaps by a call of ours whose answer was lost.
            Err(error) if error.fault == Fault::Conflict => {
                let chosen = vec![ec2::filter("route-table-id", [table])];
                let tables = route_table::read(work.aws, chosen).await?;
                let is_as_wanted = tables.iter().flat_map(|table| &table.routes).any(|route| {
                    route.cidr == self.cidr && Some(&route.via) == via.as_ref() && !route.blackhole
                });
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
        let (table, target) = (work.id(&self.table)?, self.target(work)?);
        let call = work.aws.ec2.replace_route().route_table_id(table);
        let call = call.destination_cidr_block(&self.cidr);
        let call = call
            .set_instance_id(target.instance)
            .set_nat_gateway_id(target.nat_gateway)
            .set_gateway_id(target.gateway);
        call.send().await.map_err(|error| AwsError::new("ec2:ReplaceRoute", &self.name, error))?;
        Ok(())
    }

    #[cfg(test)]
    fn imagined(&self, _: &Id<Self>, view: View<'_>) -> LiveRoute {
        let via = match &self.via {
            Via::InternetGateway(via) => view.id_of(via).into(),
            Via::NatGateway(via) => view.id_of(via).into(),
            Via::Instance(id) => id.clone(),
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

/// Where a route leads; one of them is set.
#[derive(Default)]
struct Target {
    instance: Option<String>,
    nat_gateway: Option<String>,
    gateway: Option<String>,
}

impl Target {
    fn id(&self) -> Option<&str> {
        self.instance.as_deref().or(self.nat_gateway.as_deref()).or(self.gateway.as_deref())
    }
}

impl Route {
    fn target(&self, work: &Work<'_>) -> Result<Target, AwsError> {
        let mut target = Target::default();
        match &self.via {
            Via::Instance(id) => target.instance = Some(id.clone()),
            Via::NatGateway(via) => target.nat_gateway = Some(work.id(via)?.into()),
            Via::InternetGateway(via) => target.gateway = Some(work.id(via)?.into()),
        }
        Ok(target)
    }
}

fn missing_instance(via: &Via, view: View<'_>) -> Option<(String, String)> {
    let Via::Instance(id) = via else { return None };
    let Looked::Found(instances) = view.seen.of::<RouteInstance>() else { return None };
    let is_there = instances.iter().any(|instance| instance.0 == *id);
    (!is_there).then(|| {
        (
            format!("leads through the instance {id}, which does not exist"),
            "correct egress of the zone's private subnets".to_owned(),
        )
    })
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
        let ids = routes.filter_map(|route| match &route.via {
            Via::Instance(id) => Some(id.clone()),
            _ => None,
        });
        let ids: Vec<String> = ids.collect();
        (!ids.is_empty()).then_some(Self(ids))
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
