//! The network of a cluster: VPC, subnets and ways out (kops `pkg/model/network.go`).

use std::collections::BTreeMap;

use ipnet::IpNet;

use super::{DesiredCluster, Input, names};
use crate::catalogue::kinds::Resource;
use crate::core::id::{Id, Ref};
use crate::core::kind::ResourceId;
use crate::spec::cluster::{self, Cluster};
use crate::spec::object::filled;
use crate::spec::path::FieldPath;
use crate::spec::problem::Problem;
use crate::spec::subnets::SubnetKind;
use crate::vpc::cidr_block::VpcCidrBlock;
use crate::vpc::dhcp_options::DhcpOptions;
use crate::vpc::dhcp_options_association::VpcDhcpOptionsAssociation;
use crate::vpc::elastic_ip::ElasticIp;
use crate::vpc::internet_gateway::InternetGateway;
use crate::vpc::nat_gateway::NatGateway;
use crate::vpc::route::{Route, Via};
use crate::vpc::route_table::{ROLE_TAG, RouteTable};
use crate::vpc::route_table_association::RouteTableAssociation;
use crate::vpc::subnet::Subnet;
use crate::vpc::vpc::Vpc;

const EVERYWHERE: &str = "0.0.0.0/0";

pub(super) fn add(input: Input<'_>, desired: &mut DesiredCluster) -> Result<(), Vec<Problem>> {
    let cluster = input.cluster;
    let mut resources = network(cluster, &desired.region);
    let problems = subnets(cluster, &mut resources);
    if !problems.is_empty() {
        return Err(problems);
    }
    desired.resources.extend(resources);
    Ok(())
}

fn network(cluster: &Cluster, region: &str) -> Vec<Resource> {
    let name = cluster.name();
    let vpc = names::vpc(name);
    let shared = filled(&cluster.spec.network_id);
    let tags = names::tags(cluster, name, false);
    let mut resources: Vec<Resource> = vec![
        Vpc {
            name: name.to_owned(),
            existing: Id::of_spec(shared),
            cidr: cluster.network_cidr(),
            // Newer Kubernetes does without names in a VPC that is not its own.
            dns_hostnames: (shared.is_none() || !cluster.is_kubernetes_at_least(1, 5))
                .then_some(true),
            tags: if shared.is_some() { Default::default() } else { tags.clone() },
        }
        .into(),
        InternetGateway {
            name: name.to_owned(),
            shared: shared.is_some(),
            vpc: vpc.clone(),
            tags: names::tags(cluster, name, shared.is_some()),
        }
        .into(),
    ];
    if shared.is_some() {
        return resources;
    }
    for cidr in cluster.spec.additional_network_cidrs.iter().flatten() {
        resources.push(VpcCidrBlock { cidr: cidr.clone(), vpc: vpc.clone() }.into());
    }
    let options = DhcpOptions {
        name: name.to_owned(),
        domain_name: match region {
            "us-east-1" => "ec2.internal".to_owned(),
            region => format!("{region}.compute.internal"),
        },
        domain_name_servers: "AmazonProvidedDNS".to_owned(),
        tags,
    };
    let association =
        VpcDhcpOptionsAssociation { name: name.to_owned(), vpc, options: Ref::to(name) };
    resources.extend([options.into(), association.into()]);
    resources
}

fn subnets(cluster: &Cluster, resources: &mut Vec<Resource>) -> Vec<Problem> {
    let name = cluster.name();
    let vpc = names::vpc(name);
    let public_table: Ref<RouteTable> = Ref::to(name);
    let path = FieldPath::root().key("spec").key("subnets");
    let mut problems = Vec::new();
    let all = cluster.subnets();
    if all.iter().any(|subnet| filled(&subnet.id).is_none()) {
        let mut tags = names::tags(cluster, name, false);
        tags.insert(ROLE_TAG.to_owned(), "public".to_owned());
        let table = RouteTable { name: name.to_owned(), vpc: vpc.clone(), tags };
        let route = Route {
            name: EVERYWHERE.to_owned(),
            table: public_table.clone(),
            cidr: EVERYWHERE.to_owned(),
            via: Via::InternetGateway(Ref::to(name)),
        };
        resources.extend([table.into(), route.into()]);
    }
    let mut private: BTreeMap<&str, Vec<(usize, &cluster::Subnet)>> = BTreeMap::new();
    for (index, (subnet, cidr)) in all.iter().zip(cluster.subnet_ranges()).enumerate() {
        let short = filled(&subnet.name).unwrap_or_default();
        let zone = filled(&subnet.zone).unwrap_or_default();
        let kind = cluster.subnet_kind(subnet);
        let existing = filled(&subnet.id);
        if existing.is_none() && cidr.is_none() {
            let message = "has no range, and the network has none left to give it; set cidr";
            problems.push(Problem::new(&path.index(index), message));
        }
        let id = names::subnet(name, short);
        resources.push(
            Subnet {
                name: id.name.clone(),
                existing: Id::of_spec(existing),
                vpc: vpc.clone(),
                zone: zone.to_owned(),
                range: additional_range(cluster, cidr.as_deref()),
                cidr,
                tags: names::subnet_tags(cluster, subnet),
            }
            .into(),
        );
        if existing.is_some() {
            continue;
        }
        let (association, table) = match kind {
            SubnetKind::Private => {
                private.entry(zone).or_default().push((index, subnet));
                (format!("private-{}", id.name), names::private_table(name, zone))
            }
            _ => (id.name.clone(), public_table.clone()),
        };
        resources.push(RouteTableAssociation { name: association, subnet: id, table }.into());
    }
    for (zone, subnets) in private {
        match zone_egress(cluster, zone, &subnets, &path) {
            Ok(more) => resources.extend(more),
            Err(problem) => problems.push(problem),
        }
    }
    problems
}

/// The additional range of the VPC that holds a subnet; a shared VPC has its own already.
fn additional_range(cluster: &Cluster, cidr: Option<&str>) -> Option<ResourceId> {
    if filled(&cluster.spec.network_id).is_some() {
        return None;
    }
    let subnet: IpNet = cidr?.parse().ok()?;
    let mut ranges = cluster.spec.additional_network_cidrs.iter().flatten();
    let holds = |range: &&String| range.parse().is_ok_and(|range: IpNet| range.contains(&subnet));
    ranges.find(holds).map(|range| ResourceId::new(VpcCidrBlock::KIND, range))
}

/// How the private subnets of a zone reach the internet.
fn zone_egress(
    cluster: &Cluster,
    zone: &str,
    subnets: &[(usize, &cluster::Subnet)],
    path: &FieldPath,
) -> Result<Vec<Resource>, Problem> {
    let name = cluster.name();
    let [(index, first), rest @ ..] = subnets else { return Ok(Vec::new()) };
    for (other, subnet) in rest {
        for (field, mine, others) in [
            ("egress", &first.egress, &subnet.egress),
            ("publicIP", &first.public_ip, &subnet.public_ip),
        ] {
            if filled(mine) != filled(others) {
                let path = path.index(*other).key(field);
                let message =
                    format!("the private subnets of {zone} share one way out; all need the same");
                return Err(Problem::new(&path, message));
            }
        }
    }
    let table = names::private_table(name, zone);
    let mut tags = names::tags(cluster, &table.name, false);
    tags.insert(ROLE_TAG.to_owned(), format!("private-{zone}"));
    let mut resources: Vec<Resource> =
        vec![RouteTable { name: table.name.clone(), vpc: names::vpc(name), tags }.into()];
    let gateway: Ref<NatGateway> = Ref::to(format!("{zone}.{name}"));
    let utility = utility_subnet(cluster, zone);
    let via = match filled(&first.egress) {
        // Whoever says so brings routes of their own.
        Some("External") => return Ok(resources),
        Some(instance) if instance.starts_with("i-") => Via::Instance(instance.to_owned()),
        Some(existing) => {
            let first = first_zone_through(cluster, existing).unwrap_or(zone);
            let name = format!("{first}.{name}");
            let gateway = Ref::to(&name);
            if first == zone {
                let existing = Id::of_spec(Some(existing));
                let tags = names::tags(cluster, &name, true);
                let (subnet, elastic_ip) = (None, None);
                resources.push(NatGateway { name, existing, subnet, elastic_ip, tags }.into());
            }
            Via::NatGateway(gateway)
        }
        None => {
            let subnet = utility.map_err(|message| Problem::new(&path.index(*index), message))?;
            let address: Ref<ElasticIp> = Ref::to(&gateway.name);
            let existing = filled(&first.public_ip);
            resources.push(
                ElasticIp {
                    name: address.name.clone(),
                    existing: existing.map(str::to_owned),
                    subnet: subnet.clone(),
                    tags: names::tags(cluster, &address.name, existing.is_some()),
                }
                .into(),
            );
            resources.push(
                NatGateway {
                    name: gateway.name.clone(),
                    existing: None,
                    subnet: Some(subnet),
                    elastic_ip: Some(address),
                    tags: names::tags(cluster, &gateway.name, false),
                }
                .into(),
            );
            Via::NatGateway(gateway)
        }
    };
    let route = Route {
        name: format!("private-{zone}-{EVERYWHERE}"),
        table,
        cidr: EVERYWHERE.to_owned(),
        via,
    };
    resources.push(route.into());
    Ok(resources)
}

/// The zone by which a gateway is called that the private subnets of several may share.
fn first_zone_through<'a>(cluster: &'a Cluster, gateway: &str) -> Option<&'a str> {
    let own = cluster.subnets().iter().filter(|subnet| filled(&subnet.id).is_none());
    let through = own.filter(|subnet| {
        cluster.subnet_kind(subnet) == SubnetKind::Private
            && filled(&subnet.egress) == Some(gateway)
    });
    through.filter_map(|subnet| filled(&subnet.zone)).min()
}

/// The one utility subnet of a zone.
///
/// # Errors
/// There is none, or more than one.
fn utility_subnet(cluster: &Cluster, zone: &str) -> Result<Ref<Subnet>, String> {
    match of_kind(cluster, zone, SubnetKind::Utility)[..] {
        [subnet] => Ok(names::subnet(cluster.name(), filled(&subnet.name).unwrap_or_default())),
        [] => Err(format!(
            "is private, but {zone} has no subnet of type Utility for a NAT gateway; add one, or \
             set egress to a NAT gateway, an instance or External"
        )),
        _ => Err(format!("{zone} has more than one subnet of type Utility; keep one")),
    }
}

/// The subnet of a zone in which the load balancer of bastions stands: the utility subnet,
/// or, where the topology is public, the first public one.
pub(super) fn bastion_subnet(cluster: &Cluster, zone: &str) -> Option<Ref<Subnet>> {
    let utility = of_kind(cluster, zone, SubnetKind::Utility);
    let all = utility.into_iter().chain(of_kind(cluster, zone, SubnetKind::Public));
    let subnet = all.into_iter().next()?;
    Some(names::subnet(cluster.name(), filled(&subnet.name).unwrap_or_default()))
}

fn of_kind<'a>(cluster: &'a Cluster, zone: &str, kind: SubnetKind) -> Vec<&'a cluster::Subnet> {
    let all = cluster.subnets().iter();
    all.filter(|s| filled(&s.zone) == Some(zone) && cluster.subnet_kind(s) == kind).collect()
}
