//! Subnets, what leads out of them, and ranges of the VPC.

use std::collections::{BTreeMap, BTreeSet};

use super::{NO_LONGER, Pruning, Unwanted, named};
use crate::autoscaling::autoscaling_group::AutoscalingGroup;
use crate::catalogue::kinds::Resource;
use crate::core::deletion::Deletion;
use crate::core::in_use::Thing;
use crate::core::kind::{Kind, ResourceId};
use crate::core::whose::Whose;
use crate::elb::load_balancer::LoadBalancer;
use crate::elb::network_load_balancer::NetworkLoadBalancer;
use crate::vpc::cidr_block::{CidrBlockDeletion, VpcCidrBlock};
use crate::vpc::elastic_ip::{ElasticIp, ElasticIpDeletion, LiveElasticIp};
use crate::vpc::nat_gateway::{LiveNatGateway, NatGateway, NatGatewayDeletion};
use crate::vpc::route::Route;
use crate::vpc::route_table::{LiveRoute, LiveRouteTable, RouteTable, RouteTableDeletion};
use crate::vpc::route_table_association::RouteTableAssociation;
use crate::vpc::subnet::{LiveSubnet, Subnet, SubnetDeletion};
use crate::vpc::vpc::{LiveVpc, Vpc};

pub(super) fn plan(pruning: &mut Pruning<'_, '_>) {
    let left = Left::find(pruning);
    let held = left.held(pruning);
    for subnet in &left.subnets {
        let id = named(Subnet::KIND, &subnet.id, subnet.tags.get("Name"));
        let deletion = SubnetDeletion(subnet.id.clone()).into();
        let behind = &[
            AutoscalingGroup::KIND,
            LoadBalancer::KIND,
            NetworkLoadBalancer::KIND,
            NatGateway::KIND,
        ];
        settle(pruning, id, held.get(subnet.id.as_str()), behind, deletion);
    }
    for table in &left.tables {
        let id = named(RouteTable::KIND, &table.id, table.tags.get("Name"));
        // The others are moved by then.
        let goes = |subnet: &str| left.subnets.iter().any(|one| one.id == subnet);
        let associations = table.associations.iter().filter(|one| goes(&one.subnet));
        let associations = associations.map(|one| one.id.clone()).collect();
        let deletion = RouteTableDeletion { id: table.id.clone(), associations }.into();
        let behind = &[Subnet::KIND, RouteTableAssociation::KIND];
        settle(pruning, id, held.get(table.id.as_str()), behind, deletion);
    }
    for gateway in &left.gateways {
        let id = named(NatGateway::KIND, &gateway.id, gateway.tags.get("Name"));
        let deletion = NatGatewayDeletion(gateway.id.clone()).into();
        // Until then it is a way out for instances.
        let behind = &[AutoscalingGroup::KIND, Route::KIND, RouteTableAssociation::KIND];
        settle(pruning, id, held.get(gateway.id.as_str()), behind, deletion);
    }
    for address in &left.addresses {
        let id = named(ElasticIp::KIND, &address.address, address.tags.get("Name"));
        let deletion = ElasticIpDeletion(address.id.clone()).into();
        settle(pruning, id, held.get(address.id.as_str()), &[NatGateway::KIND], deletion);
    }
    ranges(pruning);
}

fn settle(
    pruning: &mut Pruning<'_, '_>,
    id: ResourceId,
    held: Option<&String>,
    behind: &'static [Kind],
    deletion: Deletion,
) {
    match held {
        Some(why) => pruning.keep(id, why),
        None => {
            let (reason, fields, needs) = (NO_LONGER.to_owned(), Vec::new(), Vec::new());
            pruning.remove(Unwanted { id, reason, fields, needs, behind, deletion });
        }
    }
}

/// What is the cluster's own and nobody wants.
struct Left<'p> {
    subnets: Vec<&'p LiveSubnet>,
    tables: Vec<&'p LiveRouteTable>,
    gateways: Vec<&'p LiveNatGateway>,
    addresses: Vec<&'p LiveElasticIp>,
}

impl<'p> Left<'p> {
    fn find(pruning: &mut Pruning<'_, 'p>) -> Self {
        let live = pruning.live();
        let mut subnets = Vec::new();
        for one in pruning.rows(Subnet::KIND, live.seen.of::<LiveSubnet>()) {
            let id = named(Subnet::KIND, &one.id, one.tags.get("Name"));
            if !pruning.is_found(Subnet::KIND, &one.id) && pruning.is_ours(&id, &one.marks()) {
                subnets.push(one);
            }
        }
        let mut tables = Vec::new();
        for one in pruning.rows(RouteTable::KIND, live.seen.of::<LiveRouteTable>()) {
            let id = named(RouteTable::KIND, &one.id, one.tags.get("Name"));
            if !pruning.is_found(RouteTable::KIND, &one.id) && pruning.is_ours(&id, &one.marks()) {
                tables.push(one);
            }
        }
        let mut gateways = Vec::new();
        for one in pruning.rows(NatGateway::KIND, live.seen.of::<LiveNatGateway>()) {
            let id = named(NatGateway::KIND, &one.id, one.tags.get("Name"));
            // That a route of ours leads to one is true of a user's own as well.
            let marks = one.own_marks();
            if !pruning.is_found(NatGateway::KIND, &one.id) && pruning.is_ours(&id, &marks) {
                gateways.push(one);
            }
        }
        let mut addresses = Vec::new();
        for one in pruning.rows(ElasticIp::KIND, live.seen.of::<LiveElasticIp>()) {
            let id = named(ElasticIp::KIND, &one.address, one.tags.get("Name"));
            let marks = one.own_marks();
            if !pruning.is_found(ElasticIp::KIND, &one.id) && pruning.is_ours(&id, &marks) {
                addresses.push(one);
            }
        }
        Self { subnets, tables, gateways, addresses }
    }

    /// Why things stay, by their ids. What stays may hold others, so that this is asked until
    /// nothing more does.
    fn held(&self, pruning: &mut Pruning<'_, '_>) -> BTreeMap<&'p str, String> {
        let moves = Moves::find(pruning);
        let mut held = BTreeMap::new();
        for subnet in &self.subnets {
            if let Some(hold) = pruning.hold(Thing::Subnet(subnet.id.clone())) {
                held.insert(subnet.id.as_str(), hold.reason(&pruning.command("--prune")));
            }
        }
        loop {
            let more = self.held_by(pruning, &moves, &held);
            if more.is_empty() {
                return held;
            }
            let told = more.into_iter().map(|(id, why)| (id, pruning.until_then(&why)));
            held.extend(told);
        }
    }

    /// What more is held where some is.
    fn held_by(
        &self,
        pruning: &Pruning<'_, '_>,
        moves: &Moves,
        held: &BTreeMap<&'p str, String>,
    ) -> Vec<(&'p str, String)> {
        let live = pruning.live();
        let is_left = |id: &str| !held.contains_key(id);
        let goes = Going {
            subnets: self.subnets.iter().map(|one| &*one.id).filter(|id| is_left(id)).collect(),
            tables: self.tables.iter().map(|one| &*one.id).filter(|id| is_left(id)).collect(),
            gateways: self.gateways.iter().map(|one| &*one.id).filter(|id| is_left(id)).collect(),
        };
        let mut more = Vec::new();
        for subnet in self.subnets.iter().filter(|one| is_left(&one.id)) {
            let gateways = live.seen.rows::<LiveNatGateway>().iter();
            let mut within = gateways.filter(|gateway| gateway.subnet == subnet.id);
            if let Some(gateway) = within.find(|one| !goes.gateways.contains(&*one.id)) {
                more.push((&*subnet.id, format!("NAT gateway {} stands in it", gateway.id)));
            }
        }
        for table in self.tables.iter().filter(|one| is_left(&one.id)) {
            let user = table.associations.iter().map(|one| &one.subnet).find(|subnet| {
                !goes.subnets.contains(subnet.as_str()) && !moves.subnets.contains(*subnet)
            });
            if table.beyond_subnets {
                let why = "it is the main route table of its VPC, or a gateway's";
                more.push((&*table.id, why.to_owned()));
            } else if let Some(subnet) = user {
                more.push((&*table.id, format!("used by {subnet}")));
            }
        }
        for gateway in self.gateways.iter().filter(|one| is_left(&one.id)) {
            let mut leading =
                live.seen.rows::<LiveRoute>().iter().filter(|route| route.via == gateway.id);
            let stays = leading.find(|route| {
                let is_turned = moves.routes.contains(&(route.table.clone(), route.cidr.clone()));
                !goes.tables.contains(&*route.table) && !is_turned
            });
            if let Some(route) = stays {
                let why = format!("the way out of {} to {}", route.table, route.cidr);
                more.push((&*gateway.id, why));
            }
        }
        for address in self.addresses.iter().filter(|one| is_left(&one.id)) {
            let mut gateways = live.seen.rows::<LiveNatGateway>().iter();
            let gateway = gateways.find(|one| one.elastic_ips.contains(&address.id));
            let user = match gateway {
                Some(gateway) => {
                    Some(&gateway.id).filter(|id| !goes.gateways.contains(id.as_str()))
                }
                None => address.used_by.as_ref(),
            };
            more.extend(user.map(|user| (&*address.id, format!("used by {user}"))));
        }
        more
    }
}

/// What goes as far as is known.
struct Going<'p> {
    subnets: BTreeSet<&'p str>,
    tables: BTreeSet<&'p str>,
    gateways: BTreeSet<&'p str>,
}

/// What the plan turns away from what goes: the subnets that get another route table, and the
/// routes, by table and range, that lead elsewhere.
struct Moves {
    subnets: BTreeSet<String>,
    routes: BTreeSet<(String, String)>,
}

impl Moves {
    fn find(pruning: &Pruning<'_, '_>) -> Self {
        let ids = &pruning.planner.ids;
        let mut moves = Self { subnets: BTreeSet::new(), routes: BTreeSet::new() };
        for resource in pruning.resources.iter().filter(|one| pruning.written.contains(&one.id())) {
            match resource {
                Resource::RouteTableAssociation(one) => {
                    moves.subnets.extend(ids.get(&one.subnet).map(str::to_owned));
                }
                Resource::Route(one) => {
                    let table = ids.get(&one.table);
                    moves.routes.extend(table.map(|table| (table.to_owned(), one.cidr.clone())));
                }
                _ => {}
            }
        }
        moves
    }
}

/// The ranges of the cluster's own VPC beside its first.
fn ranges(pruning: &mut Pruning<'_, '_>) {
    if !pruning.writes(VpcCidrBlock::KIND) {
        return;
    }
    for vpc in pruning.live().seen.rows::<LiveVpc>() {
        let is_ours = pruning.whose(Vpc::KIND, &vpc.marks()).is_owned();
        if !is_ours || !pruning.is_found(Vpc::KIND, &vpc.id) {
            continue;
        }
        for (cidr, association) in &vpc.more_cidrs {
            if pruning.is_wanted(VpcCidrBlock::KIND, cidr) {
                continue;
            }
            let unwanted = Unwanted {
                id: ResourceId::new(VpcCidrBlock::KIND, cidr),
                reason: NO_LONGER.to_owned(),
                fields: Vec::new(),
                needs: Vec::new(),
                behind: &[Subnet::KIND],
                deletion: CidrBlockDeletion(association.clone()).into(),
            };
            pruning.remove_if(unwanted, &Whose::Owned, None);
        }
    }
}
