//! `NatGateway`: the way of a zone's private subnets to the internet.

use std::time::Duration;

use aws_sdk_ec2::types::{Filter, NatGatewayState, ResourceType};

use crate::aws::tags::Tags;
use crate::aws::{Answer, Aws, AwsError, Fault, batch, done, ec2};
use crate::core::belongings::{Around, Belonging, Presence};
use crate::core::creation::{Creation, Standing};
use crate::core::deletion::{Delete, going};
use crate::core::fields::{Changed, Changes as _, Found, Stuck, Want, Wanted, fields};
use crate::core::given::Given;
use crate::core::holders::Holders;
use crate::core::id::{Id, Ref};
use crate::core::kind::{Kind, ResourceId};
use crate::core::look::{Asked, Look, Looking};
use crate::core::manage::{self, Manage, Ownership, View};
use crate::core::seen::{Looked, Seen};
use crate::core::sweep::{Offer, Place, Sweep, Unclaimed};
use crate::core::wait::{Attempt, Budget, Held};
use crate::core::whose::{Marks, Whose};
use crate::core::work::Work;
use crate::vpc::elastic_ip::wanted::ElasticIp;
use crate::vpc::route_table::{LiveRouteTable, RouteTable};
use crate::vpc::subnet::Subnet;
use crate::vpc::vpc::{LiveVpc, Vpc, Vpcs, in_another_vpc};

const DELETE_GATEWAY: &str = "ec2:DeleteNatGateway";
const DESCRIBE: &str = "ec2:DescribeNatGateways";
const CREATE: &str = "ec2:CreateNatGateway";

/// How long a new gateway may take; AWS speaks of minutes.
const READY: Budget = Budget {
    within: Duration::from_secs(600),
    pause: Duration::from_secs(1),
    longest_pause: Duration::from_secs(10),
    looks: 1,
};

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct NatGateway {
    pub(crate) name: String,
    /// The id of a gateway that the cluster shares.
    pub(crate) existing: Option<Id<Self>>,
    pub(crate) vpc: Ref<Vpc>,
    /// The utility subnet in which it stands; `None` for a shared gateway.
    pub(crate) subnet: Option<Ref<Subnet>>,
    /// Its address; likewise.
    pub(crate) elastic_ip: Option<Ref<ElasticIp>>,
    pub(crate) tags: Tags,
}

fields! { NatGatewayFields {
    vpc: String = "vpc",
    subnet: String = "subnet",
    elastic_ip: String = "elasticIp",
    tags: Tags = "tags",
} }

#[derive(Clone, Debug)]
pub(crate) struct LiveNatGateway {
    pub(crate) id: Id<NatGateway>,
    pub(crate) vpc: Id<Vpc>,
    pub(crate) subnet: Id<Subnet>,
    /// The first is what it was made with.
    pub(crate) elastic_ips: Vec<Id<ElasticIp>>,
    pub(crate) tags: Tags,
}

impl LiveNatGateway {
    /// What it says of itself.
    pub(crate) fn own_marks(&self) -> Marks<'_> {
        Marks::of(&self.id).tags(&self.tags)
    }

    /// Old versions of kops set no tags, and know a gateway by the route that leads to it
    /// (`upup/pkg/fi/cloudup/awstasks/natgateway.go`).
    pub(crate) fn marks<'a>(&'a self, view: View<'a>) -> Marks<'a> {
        let marks = self.own_marks();
        let leads_here = |table: &&LiveRouteTable| {
            table.routes.iter().any(|route| self.id == route.via)
                && view.owns(RouteTable::KIND, &table.marks())
        };
        match view.seen.rows::<LiveRouteTable>().iter().find(leads_here) {
            Some(table) => marks.hangs_on(format!("the way out of {}", table.id), Whose::Owned),
            None => marks,
        }
    }
}

/// The gateways of VPCs.
#[derive(Debug)]
pub(crate) enum NatGateways {
    Within(Vec<Id<Vpc>>),
    Everything(String),
}

impl Look for NatGateways {
    const AFTER: &'static [Looking] = &[Looking::of::<Vpcs>()];

    fn ask(asked: &Asked, seen: &Seen) -> Option<Self> {
        let vpcs = seen.rows::<LiveVpc>().iter().map(|vpc| vpc.id.clone());
        asked.looks_at(&[NatGateway::KIND]).then(|| match asked.everything() {
            true => Self::Everything(asked.cluster().to_owned()),
            false => Self::Within(vpcs.collect()),
        })
    }

    async fn read(self, aws: &Aws) -> Result<Seen, AwsError> {
        let rows = match &self {
            Self::Within(vpcs) => {
                let read = async |vpcs: &[Id<Vpc>]| {
                    read(aws, vec![ec2::filter("vpc-id", vpcs)], is_gone).await
                };
                batch::read(vpcs, batch::FILTER_VALUES, read).await
            }
            Self::Everything(cluster) => {
                let read = |chosen| read(aws, chosen, is_going);
                ec2::marked_or_named(cluster, |gateway: &LiveNatGateway| &gateway.id, read).await
            }
        };
        Ok(Seen::default().with(Looked::sort(rows)?))
    }
}

/// The gateways that a spec names and that were not found where they must be.
#[derive(Debug)]
pub(crate) struct NatGatewaysElsewhere(Vec<Id<NatGateway>>);

impl Look for NatGatewaysElsewhere {
    const AFTER: &'static [Looking] = &[Looking::of::<NatGateways>()];

    fn ask(asked: &Asked, seen: &Seen) -> Option<Self> {
        let known = seen.rows::<LiveNatGateway>();
        let named = asked.wanted::<NatGateway>().iter().filter_map(|one| one.existing.clone());
        let unknown = named.filter(|id| !known.iter().any(|gateway| gateway.id == **id));
        let unknown: Vec<_> = unknown.collect();
        (!unknown.is_empty() && !asked.everything()).then_some(Self(unknown))
    }

    async fn read(self, aws: &Aws) -> Result<Seen, AwsError> {
        let named = async |ids: &[Id<NatGateway>]| {
            read(aws, vec![ec2::filter("nat-gateway-id", ids)], is_gone).await
        };
        let rows = batch::read(&self.0, batch::FILTER_VALUES, named).await;
        Ok(Seen::default().with(Looked::sort(rows)?))
    }
}

impl Presence for NatGateway {
    const LOOKS: &'static [Looking] =
        &[Looking::of::<NatGateways>(), Looking::of::<NatGatewaysElsewhere>()];

    const IS_SOUGHT: bool = true;

    /// It is found by the VPC that it stands in, and by the routes that lead to it.
    const BESIDE: &'static [Kind] = &[Vpc::KIND, Subnet::KIND, RouteTable::KIND];

    fn belongings(around: &Around<'_>) -> Vec<Belonging> {
        let gateways = around.seen.rows::<LiveNatGateway>().iter().filter_map(|gateway| {
            let deletion = NatGatewayDeletion(gateway.id.clone());
            around.by_id(Self::KIND, &gateway.own_marks(), deletion)
        });
        gateways.collect()
    }
}

async fn read(
    aws: &Aws,
    chosen: Vec<Filter>,
    is_gone: impl Fn(&aws_sdk_ec2::types::NatGateway) -> bool,
) -> Result<Vec<LiveNatGateway>, AwsError> {
    let rows = describe(aws, chosen).await?;
    rows.iter().filter(|gateway| !is_gone(gateway)).map(from_sdk).collect()
}

/// One that failed goes by itself after an hour or so, and nothing can use it.
fn is_gone(gateway: &aws_sdk_ec2::types::NatGateway) -> bool {
    is_going(gateway) || gateway.state() == Some(&NatGatewayState::Failed)
}

fn is_going(gateway: &aws_sdk_ec2::types::NatGateway) -> bool {
    use NatGatewayState::{Deleted, Deleting};
    matches!(gateway.state(), Some(Deleted | Deleting))
}

async fn describe(
    aws: &Aws,
    chosen: Vec<Filter>,
) -> Result<Vec<aws_sdk_ec2::types::NatGateway>, AwsError> {
    let call = aws.ec2.describe_nat_gateways().set_filter(Some(chosen));
    let rows = call.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
    rows.map_err(|error| AwsError::new(DESCRIBE, "", error))
}

fn from_sdk(gateway: &aws_sdk_ec2::types::NatGateway) -> Result<LiveNatGateway, AwsError> {
    let id = Id::given(Answer::of(DESCRIBE, ""), "natGatewayId", gateway.nat_gateway_id())?;
    let answer = Answer::of(DESCRIBE, &id);
    // One that is being made may have none yet.
    let addresses = gateway.nat_gateway_addresses().iter().filter_map(|one| one.allocation_id());
    let addresses = addresses.map(|address| Id::given(answer, "allocationId", Some(address)));
    Ok(LiveNatGateway {
        vpc: Id::given(answer, "vpcId", gateway.vpc_id())?,
        subnet: Id::given(answer, "subnetId", gateway.subnet_id())?,
        elastic_ips: addresses.collect::<Result<_, _>>()?,
        tags: ec2::tags_from_sdk(gateway.tags()),
        id: id.clone(),
    })
}

impl Manage for NatGateway {
    type Live = LiveNatGateway;
    type Fields = NatGatewayFields<Wanted>;

    fn id(&self) -> ResourceId {
        ResourceId::new(NatGateway::KIND, &self.name)
    }

    fn needs(&self) -> Vec<ResourceId> {
        let subnet = self.subnet.iter().map(Ref::resource);
        let placed = subnet.chain(self.elastic_ip.iter().map(Ref::resource));
        std::iter::once(self.vpc.resource()).chain(placed).collect()
    }

    fn is(&self, found: &LiveNatGateway, view: View<'_>) -> bool {
        match &self.existing {
            Some(id) => found.id == *id,
            None if found.tags.contains_key("Name") => ec2::is_named(&found.tags, &self.name),
            None => self.is_in_place(found, view),
        }
    }

    fn may_be(&self, found: &LiveNatGateway, view: View<'_>) -> bool {
        self.is_in_place(found, view)
    }

    fn marks<'a>(&self, found: &'a LiveNatGateway, view: View<'a>) -> Vec<Marks<'a>> {
        vec![found.marks(view)]
    }

    fn aws_id(found: &LiveNatGateway) -> Id<Self> {
        found.id.clone()
    }

    fn wanted(&self, view: View<'_>) -> NatGatewayFields<Wanted> {
        let tags = Want::Is(self.tags.clone());
        let vpc = view.ids.get(&self.vpc).unwrap_or(&self.vpc.name).to_owned();
        match self.ownership() {
            Ownership::Shared => NatGatewayFields {
                vpc: Want::Is(vpc),
                subnet: Want::Any,
                elastic_ip: Want::Any,
                tags,
            },
            // Its subnet tells of the VPC too.
            Ownership::Ours | Ownership::Brought => NatGatewayFields {
                vpc: Want::Any,
                subnet: Want::maybe(self.subnet.as_ref().map(|subnet| subnet.name.clone())),
                elastic_ip: Want::maybe(self.elastic_ip.as_ref().map(|ip| ip.name.clone())),
                tags,
            },
        }
    }

    fn found(&self, found: &LiveNatGateway, view: View<'_>) -> NatGatewayFields<Found> {
        NatGatewayFields {
            vpc: Some(found.vpc.as_str().to_owned()),
            subnet: Some(view.name(&found.subnet).to_owned()),
            elastic_ip: found.elastic_ips.first().map(|id| view.name(id).to_owned()),
            tags: Some(found.tags.clone()),
        }
    }

    fn ownership(&self) -> Ownership {
        if self.existing.is_some() { Ownership::Shared } else { Ownership::Ours }
    }

    fn judge(&self, changed: &mut NatGatewayFields<Changed>, found: &LiveNatGateway) -> Vec<Stuck> {
        let vpc = changed.vpc.take();
        if let Some(elsewhere) = in_another_vpc("NAT gateway", &found.id, vpc.as_ref()) {
            // Nothing of it is to be written then.
            changed.tags = None;
            return vec![elsewhere];
        }
        let fixed = NatGatewayFields {
            subnet: changed.subnet.take(),
            elastic_ip: changed.elastic_ip.take(),
            ..NatGatewayFields::none()
        };
        Stuck::fixed(&fixed, &found.id, manage::instead(self)).into_iter().collect()
    }

    fn given(&self) -> Given<'_> {
        Given::nothing().tags(&self.tags)
    }

    async fn create(&self, work: &Work<'_>) -> Result<Option<Id<Self>>, AwsError> {
        let (Some(subnet), Some(address)) = (&self.subnet, &self.elastic_ip) else {
            return Ok(None);
        };
        let (subnet, address) = (work.id(subnet)?, work.id(address)?);
        let creation = Creation { work, resource: &self.id(), operation: CREATE };
        let within = format!("{subnet} {address}");
        let create = |token| self.create_one(work.aws, token, &subnet, &address);
        let id = creation.with_token(&within, create, || self.standing(work.aws)).await?;
        work.waits.until(&self.id(), READY, || ready(work.aws, &id)).await?;
        Ok(Some(id))
    }

    async fn update(
        &self,
        work: &Work<'_>,
        id: &Id<Self>,
        changed: &NatGatewayFields<Changed>,
    ) -> Result<(), AwsError> {
        let NatGatewayFields { vpc: _, subnet: _, elastic_ip: _, tags } = changed;
        if tags.is_some() {
            ec2::tag(work.aws, id, &self.tags).await?;
        }
        Ok(())
    }

    #[cfg(test)]
    fn imagined(&self, id: &Id<Self>, view: View<'_>) -> LiveNatGateway {
        LiveNatGateway {
            id: self.existing.as_ref().unwrap_or(id).clone(),
            vpc: view.id_of(&self.vpc),
            subnet: match &self.subnet {
                Some(subnet) => view.id_of(subnet),
                None => Id::imagined("subnet-other"),
            },
            elastic_ips: self.elastic_ip.iter().map(|ip| view.id_of(ip)).collect(),
            tags: self.tags.clone(),
        }
    }

    #[cfg(test)]
    fn disturbed(&self, live: &LiveNatGateway) -> Vec<(&'static str, LiveNatGateway)> {
        let other = Id::imagined("eipalloc-other");
        if self.existing.is_some() {
            return vec![
                ("vpc", LiveNatGateway { vpc: Id::imagined("vpc-other"), ..live.clone() }),
                ("tags", LiveNatGateway { tags: Self::lacking_one(&live.tags), ..live.clone() }),
            ];
        }
        vec![
            ("subnet", LiveNatGateway { subnet: Id::imagined("subnet-other"), ..live.clone() }),
            ("elasticIp", LiveNatGateway { elastic_ips: vec![other], ..live.clone() }),
            ("tags", LiveNatGateway { tags: Self::lacking_one(&live.tags), ..live.clone() }),
        ]
    }
}

impl NatGateway {
    fn is_in_place(&self, found: &LiveNatGateway, view: View<'_>) -> bool {
        self.subnet.as_ref().is_some_and(|subnet| view.is(subnet, &found.subnet))
    }

    async fn create_one(
        &self,
        aws: &Aws,
        token: String,
        subnet: &Id<Subnet>,
        address: &Id<ElasticIp>,
    ) -> Result<Id<Self>, AwsError> {
        let call = aws.ec2.create_nat_gateway().client_token(token).subnet_id(subnet);
        let answer = call
            .allocation_id(address)
            .tag_specifications(ec2::specification(ResourceType::Natgateway, &self.tags))
            .send()
            .await
            .map_err(|error| AwsError::new(CREATE, &self.name, error))?;
        let id = answer.nat_gateway().and_then(|gateway| gateway.nat_gateway_id());
        Id::given(Answer::of(CREATE, &self.name), "natGatewayId", id)
    }

    async fn standing(&self, aws: &Aws) -> Result<Vec<Standing<Id<Self>>>, AwsError> {
        let rows = describe(aws, ec2::identity(&self.tags)).await?;
        let ours = ec2::ours(&rows, |row| row.tags(), &self.tags);
        ours.map(|row| Ok(Standing { id: from_sdk(row)?.id, is_gone: is_gone(row) })).collect()
    }
}

/// Whether a new gateway takes routes.
async fn ready(aws: &Aws, id: &Id<NatGateway>) -> Result<Attempt<()>, AwsError> {
    let rows = describe(aws, vec![ec2::filter("nat-gateway-id", [id])]).await?;
    let row = rows.first();
    let state = row.and_then(|row| row.state());
    let held = |message: &str| {
        let (object, message) = (id.to_string(), message.to_owned());
        let holder = format!("{id} ({})", state.map_or("not shown yet", |state| state.as_str()));
        Held { holder, error: AwsError { operation: CREATE, object, fault: Fault::Other, message } }
    };
    Ok(match state {
        Some(NatGatewayState::Available) => Attempt::Done(()),
        Some(NatGatewayState::Failed | NatGatewayState::Deleting | NatGatewayState::Deleted) => {
            let message = row.and_then(|row| row.failure_message());
            Attempt::Never(held(message.unwrap_or("it did not become available")))
        }
        _ => Attempt::NotYet(held("a new gateway takes AWS some minutes")),
    })
}

/// Deletes a NAT gateway, by its id.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct NatGatewayDeletion(pub(crate) Id<NatGateway>);

impl Delete for NatGatewayDeletion {
    async fn attempt(&self, aws: &Aws) -> Result<(), AwsError> {
        let Self(id) = self;
        let call = aws.ec2.delete_nat_gateway().nat_gateway_id(id);
        done(DELETE_GATEWAY, id, call.send().await)
    }

    async fn holders(&self, _: &Work<'_>, _: &mut Holders) -> Result<(), AwsError> {
        Ok(())
    }

    async fn standing(&self, aws: &Aws) -> Result<Attempt<()>, AwsError> {
        deleted(aws, &self.0).await
    }
}

async fn deleted(aws: &Aws, id: &Id<NatGateway>) -> Result<Attempt<()>, AwsError> {
    use NatGatewayState::{Deleted, Failed};
    let call = aws.ec2.describe_nat_gateways().filter(ec2::filter("nat-gateway-id", [id]));
    let answer = call.send().await;
    let answer = answer.map_err(|error| AwsError::new("ec2:DescribeNatGateways", id, error))?;
    let states = answer.nat_gateways().iter().filter_map(|row| row.state());
    let stand = states.filter(|state| !matches!(state, Deleted | Failed));
    let stand: Vec<String> = stand.map(|state| format!("{id} ({state})")).collect();
    Ok(going(DELETE_GATEWAY, id, &stand))
}

impl Unclaimed for NatGateway {
    fn unclaimed(sweep: &mut Sweep<'_>) {
        for found in sweep.view().seen.rows::<LiveNatGateway>() {
            let why = sweep.until_then(&format!("NAT gateway {} stands in it", found.id));
            let gateway = Place::new(NatGateway::KIND, &found.id);
            sweep.hold_unless_gone(Place::new(Subnet::KIND, &found.subnet), gateway, why);
        }
        for found in sweep.rows::<LiveNatGateway>(NatGateway::KIND) {
            let place = Place::new(NatGateway::KIND, &found.id);
            let id = ResourceId::named(NatGateway::KIND, &found.id, found.tags.get("Name"));
            // That a route of ours leads to one is true of a user's own as well.
            if !sweep.is_found(&place) && sweep.is_ours(&id, &found.own_marks()) {
                sweep.offer(Offer::new(id, place, NatGatewayDeletion(found.id.clone())));
            }
        }
    }
}
