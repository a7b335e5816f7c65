//! How subnets reach the internet that have no way of their own: those of a zone share a gateway,
//! and each side of it a table.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;

use super::super::names;
use super::{ALL_IPV4, ALL_IPV6, NAT64, of_kind, to_internet};
use crate::catalogue::kinds::Resource;
use crate::core::id::{Id, Ref};
use crate::spec::cluster::{self, Cluster};
use crate::spec::object::filled;
use crate::spec::path::FieldPath;
use crate::spec::problem::Problem;
use crate::spec::subnets::SubnetKind;
use crate::vpc::elastic_ip::ElasticIp;
use crate::vpc::nat_gateway::NatGateway;
use crate::vpc::route::{Route, Via};
use crate::vpc::route_table::{ROLE_TAG, RouteTable};
use crate::vpc::subnet::Subnet;

/// The subnets of a zone that need a gateway, each with its place in the spec.
#[derive(Debug, Default)]
struct Zone<'a> {
    private: Vec<(usize, &'a cluster::Subnet)>,
    /// Public ones of IPv6, from which a gateway alone leads to IPv4.
    public: Vec<(usize, &'a cluster::Subnet)>,
}

/// The table of a subnet that shares a gateway with others of its zone, and the word for its side.
pub(super) fn table(
    cluster: &Cluster,
    subnet: &cluster::Subnet,
) -> Option<(&'static str, Ref<RouteTable>)> {
    let side = side(cluster, subnet)?;
    let zone = filled(&subnet.zone).unwrap_or_default();
    Some((side, names::zone_table(cluster.name(), side, zone)))
}

fn side(cluster: &Cluster, subnet: &cluster::Subnet) -> Option<&'static str> {
    let has_ipv6 = filled(&subnet.ipv6_cidr).is_some();
    match cluster.subnet_kind(subnet) {
        SubnetKind::Private | SubnetKind::DualStack => Some("private"),
        SubnetKind::Public if cluster.is_ipv6() && has_ipv6 => Some("public"),
        SubnetKind::Public | SubnetKind::Utility => None,
    }
}

/// The gateways, tables and routes of all zones.
pub(super) fn of_zones(cluster: &Cluster, path: &FieldPath) -> Result<Vec<Resource>, Vec<Problem>> {
    let (mut resources, mut problems) = (Vec::new(), Vec::new());
    for (name, zone) in zones(cluster) {
        match zone_resources(cluster, name, &zone, path) {
            Ok(more) => resources.extend(more),
            Err(problem) => problems.push(problem),
        }
    }
    resources.extend(further_gateways(cluster));
    if problems.is_empty() { Ok(resources) } else { Err(problems) }
}

fn zones(cluster: &Cluster) -> BTreeMap<&str, Zone<'_>> {
    let mut zones: BTreeMap<&str, Zone<'_>> = BTreeMap::new();
    for (index, subnet) in cluster.subnets().iter().enumerate() {
        if filled(&subnet.id).is_some() || subnet.is_routed_elsewhere() {
            continue;
        }
        let Some(side) = side(cluster, subnet) else { continue };
        let zone = zones.entry(filled(&subnet.zone).unwrap_or_default()).or_default();
        let list = if side == "private" { &mut zone.private } else { &mut zone.public };
        list.push((index, subnet));
    }
    zones
}

fn zone_resources(
    cluster: &Cluster,
    zone: &str,
    subnets: &Zone<'_>,
    path: &FieldPath,
) -> Result<Vec<Resource>, Problem> {
    let (mut resources, via) = way_out(cluster, zone, subnets, path)?;
    let routes = |table: &str, side: &str, ways: &[(&str, &Via)]| -> Vec<Resource> {
        let route = |(cidr, via): &(&str, &Via)| Route {
            name: format!("{side}-{zone}-{cidr}"),
            table: Ref::to(table),
            cidr: (*cidr).to_owned(),
            via: (*via).clone(),
        };
        ways.iter().map(|way| route(way).into()).collect()
    };
    if !subnets.private.is_empty() {
        let table = zone_table(cluster, "private", zone);
        let egress_only = Via::EgressOnly(Ref::to(cluster.name()));
        let mut ways = vec![(ALL_IPV4, &via)];
        if cluster.is_ipv6() {
            ways.extend([(NAT64, &via), (ALL_IPV6, &egress_only)]);
        }
        resources.extend(routes(&table.name, "private", &ways));
        resources.extend(additional_routes(cluster, subnets, &table.name));
        resources.push(table.into());
    }
    if !subnets.public.is_empty() {
        let table = zone_table(cluster, "public", zone);
        resources.extend(
            [ALL_IPV4, ALL_IPV6].map(|cidr| {
                to_internet(cluster, &table.name, &format!("public-{zone}-{cidr}"), cidr)
            }),
        );
        resources.extend(routes(&table.name, "public", &[(NAT64, &via)]));
        resources.push(table.into());
    }
    Ok(resources)
}

fn zone_table(cluster: &Cluster, side: &str, zone: &str) -> RouteTable {
    let name = names::zone_table(cluster.name(), side, zone).name.clone();
    let mut tags = names::tags(cluster, &name, false);
    tags.insert(ROLE_TAG.to_owned(), format!("{side}-{zone}"));
    RouteTable { name, vpc: names::vpc(cluster.name()), tags }
}

/// What leads out of a zone, and what of it is the cluster's.
fn way_out(
    cluster: &Cluster,
    zone: &str,
    subnets: &Zone<'_>,
    path: &FieldPath,
) -> Result<(Vec<Resource>, Via), Problem> {
    let all = || subnets.private.iter().chain(&subnets.public);
    let Some((index, first)) = all().next() else {
        let message = format!("{zone} has no subnet that needs a way out");
        return Err(Problem::new(path, message));
    };
    for (other, subnet) in all().skip(1) {
        for (field, mine, others) in [
            ("egress", &first.egress, &subnet.egress),
            ("publicIP", &first.public_ip, &subnet.public_ip),
        ] {
            if filled(mine) != filled(others) {
                let path = path.index(*other).key(field);
                let message = format!("the subnets of {zone} share one way out; all need the same");
                return Err(Problem::new(&path, message));
            }
        }
    }
    let address = match filled(&first.egress) {
        Some(allocation) if allocation.starts_with("eipalloc-") => Some(allocation),
        Some(existing) if existing.starts_with("nat-") => {
            let (gateway, is_first) = shared_gateway(cluster, zone, existing);
            let resource = is_first.then(|| gateway.clone().into());
            return Ok((resource.into_iter().collect(), Via::NatGateway(Ref::to(gateway.name))));
        }
        Some(existing) if existing.starts_with("i-") && cluster.is_ipv6() => {
            let path = path.index(*index).key("egress");
            let message = "an instance does no NAT64, by which subnets of IPv6 reach IPv4; name \
                           a NAT gateway, an elastic IP for one, or a transit gateway";
            return Err(Problem::new(&path, message));
        }
        Some(existing) => return Ok((Vec::new(), Via::Existing(existing.to_owned()))),
        None => filled(&first.public_ip),
    };
    let subnet = gateway_subnet(cluster, zone, subnets)
        .map_err(|message| Problem::new(&path.index(*index), message))?;
    let name = format!("{zone}.{}", cluster.name());
    let ip = ElasticIp {
        name: name.clone(),
        existing: address.map(str::to_owned),
        subnet: subnet.clone(),
        tags: names::tags(cluster, &name, address.is_some()),
    };
    let gateway = NatGateway {
        name: name.clone(),
        existing: None,
        vpc: names::vpc(cluster.name()),
        subnet: Some(subnet),
        elastic_ip: Some(Ref::to(&name)),
        tags: names::tags(cluster, &name, false),
    };
    Ok((vec![ip.into(), gateway.into()], Via::NatGateway(Ref::to(name))))
}

/// A gateway of the user's own, which the subnets of several zones may share: it is called by the
/// first. Tells too whether that is this one.
fn shared_gateway(cluster: &Cluster, zone: &str, existing: &str) -> (NatGateway, bool) {
    let first = first_zone_through(cluster, existing).unwrap_or_else(|| zone.to_owned());
    let name = format!("{first}.{}", cluster.name());
    let gateway = NatGateway {
        existing: Id::of_spec(Some(existing)),
        vpc: names::vpc(cluster.name()),
        subnet: None,
        elastic_ip: None,
        tags: names::tags(cluster, &name, true),
        name,
    };
    (gateway, first == zone)
}

fn first_zone_through(cluster: &Cluster, gateway: &str) -> Option<String> {
    let is_through = |subnets: &Zone<'_>| {
        let mut all = subnets.private.iter().chain(&subnets.public);
        all.any(|(_, subnet)| filled(&subnet.egress) == Some(gateway))
    };
    let zones = zones(cluster).into_iter();
    zones.filter(|(_, subnets)| is_through(subnets)).map(|(zone, _)| zone.to_owned()).min()
}

/// The one subnet of a zone in which its gateway stands.
///
/// # Errors
/// There is none, or more than one.
fn gateway_subnet(
    cluster: &Cluster,
    zone: &str,
    subnets: &Zone<'_>,
) -> Result<Ref<Subnet>, String> {
    let kind = match subnets.private.is_empty() {
        true => SubnetKind::Public,
        false => SubnetKind::Utility,
    };
    match of_kind(cluster, zone, kind)[..] {
        [subnet] => Ok(names::subnet(cluster.name(), filled(&subnet.name).unwrap_or_default())),
        [] => Err(format!(
            "needs a way out, but {zone} has no subnet of type {} for a NAT gateway; add one, or \
             set egress to a NAT gateway, a transit gateway, an instance or External",
            kind.name()
        )),
        _ => Err(format!("{zone} has more than one subnet of type {}; keep one", kind.name())),
    }
}

/// The user's own routes out of the table of a zone. kops puts those of a subnet also into the
/// tables of others whose name begins with its own; here each has those that it is said to have.
fn additional_routes(cluster: &Cluster, subnets: &Zone<'_>, table: &str) -> Vec<Resource> {
    let mut known = BTreeSet::new();
    let mut routes = Vec::new();
    for (_, subnet) in &subnets.private {
        for route in subnet.additional_routes.iter().flatten() {
            let (Some(cidr), Some(target)) = (filled(&route.cidr), filled(&route.target)) else {
                continue;
            };
            let range =
                cidr.parse::<IpNet>().map_or(cidr.to_owned(), |net| net.trunc().to_string());
            if !known.insert(range.clone()) {
                continue;
            }
            let via = match target.starts_with("nat-") {
                true => Via::NatGateway(named_gateway(cluster, target)),
                false => Via::Existing(target.to_owned()),
            };
            let name = format!("{}.{range}", filled(&subnet.name).unwrap_or_default());
            routes.push(Route { name, table: Ref::to(table), cidr: range, via }.into());
        }
    }
    routes
}

/// A NAT gateway to which a route of the user's own leads: called by its id, unless it is the way
/// out of a zone too.
fn named_gateway(cluster: &Cluster, id: &str) -> Ref<NatGateway> {
    match first_zone_through(cluster, id) {
        Some(zone) => Ref::to(format!("{zone}.{}", cluster.name())),
        None => Ref::to(id),
    }
}

/// The NAT gateways to which routes of the user's own lead, and nothing else. They get no tag.
fn further_gateways(cluster: &Cluster) -> Vec<Resource> {
    let zones = zones(cluster);
    let private = zones.values().flat_map(|zone| &zone.private);
    let routes = private.flat_map(|(_, subnet)| subnet.additional_routes.iter().flatten());
    let targets = routes.filter_map(|route| filled(&route.target));
    let gateways: BTreeSet<&str> = targets.filter(|target| target.starts_with("nat-")).collect();
    let further = gateways.into_iter().filter(|id| first_zone_through(cluster, id).is_none());
    let gateway = |id: &str| NatGateway {
        name: id.to_owned(),
        existing: Id::of_spec(Some(id)),
        vpc: names::vpc(cluster.name()),
        subnet: None,
        elastic_ip: None,
        tags: Default::default(),
    };
    further.map(|id| gateway(id).into()).collect()
}
