//! The network of a cluster: VPC, subnets and the way to the internet (kops
//! `pkg/model/awsmodel/network.go`). How private subnets reach it is told in [`egress`].

mod egress;

use ipnet::IpNet;

use super::{DesiredCluster, Input, names};
use crate::catalogue::kinds::Resource;
use crate::core::id::{Id, Ref};
use crate::core::kind::ResourceId;
use crate::spec::cluster::{self, Cluster};
use crate::spec::instance_group::InstanceGroup;
use crate::spec::object::filled;
use crate::spec::path::FieldPath;
use crate::spec::problem::Problem;
use crate::spec::subnets::{SubnetKind, numbered_range};
use crate::vpc::cidr_block::VpcCidrBlock;
use crate::vpc::dhcp_options::DhcpOptions;
use crate::vpc::dhcp_options_association::VpcDhcpOptionsAssociation;
use crate::vpc::egress_only_internet_gateway::EgressOnlyInternetGateway;
use crate::vpc::internet_gateway::InternetGateway;
use crate::vpc::ipv6_cidr_block::{Ipv6Range, VpcAmazonIpv6CidrBlock};
use crate::vpc::route::{Route, Via};
use crate::vpc::route_table::{ROLE_TAG, RouteTable};
use crate::vpc::route_table_association::RouteTableAssociation;
use crate::vpc::subnet::{Subnet, UntaggedSubnet};
use crate::vpc::vpc::Vpc;

const ALL_IPV4: &str = "0.0.0.0/0";
const ALL_IPV6: &str = "::/0";

/// What all addresses of IPv4 are to those who have IPv6 alone (RFC 6052).
const NAT64: &str = "64:ff9b::/96";

pub(super) fn add(input: Input<'_>, desired: &mut DesiredCluster) -> Result<(), Vec<Problem>> {
    let cluster = input.cluster;
    let mut resources = vpc(cluster, &desired.region);
    resources.extend(gateways(cluster));
    let mut problems = Vec::new();
    let path = FieldPath::root().key("spec").key("subnets");
    for (index, cidr) in cluster.subnet_ranges().into_iter().enumerate() {
        let subnet = &cluster.subnets()[index];
        let is_cut = cidr.is_some() || cluster.is_of_ipv6_alone(subnet);
        if filled(&subnet.id).is_none() && !is_cut {
            let message = "has no range, and the network has none left to give it; set cidr";
            problems.push(Problem::new(&path.index(index), message));
        }
        resources.push(self::subnet(cluster, input.groups, subnet, cidr).into());
        resources.extend(association(cluster, subnet).map(Into::into));
    }
    match egress::of_zones(cluster, &path) {
        Ok(more) => resources.extend(more),
        Err(more) => problems.extend(more),
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    desired.resources.extend(resources);
    Ok(())
}

/// The subnets that no tags tell of.
pub(super) fn untagged(cluster: &Cluster) -> Vec<UntaggedSubnet> {
    let own = cluster.subnets().iter().zip(cluster.subnet_ranges());
    let own = own.filter(|(subnet, _)| !cluster.tags_subnets() && filled(&subnet.id).is_none());
    own.map(|(subnet, cidr)| UntaggedSubnet(self::subnet(cluster, &[], subnet, cidr))).collect()
}

fn is_shared(cluster: &Cluster) -> bool {
    filled(&cluster.spec.network_id).is_some()
}

/// The VPC, and what only one of the cluster's own has.
fn vpc(cluster: &Cluster, region: &str) -> Vec<Resource> {
    let (name, shared) = (cluster.name(), is_shared(cluster));
    let vpc = names::vpc(name);
    let tags = names::tags(cluster, name, false);
    let mut resources: Vec<Resource> = vec![
        Vpc {
            name: name.to_owned(),
            existing: Id::of_spec(filled(&cluster.spec.network_id)),
            cidr: cluster.network_cidr(),
            // kops does not look at those of a VPC that is not the cluster's own.
            dns_hostnames: (!shared).then_some(true),
            tags: if shared { Default::default() } else { tags.clone() },
        }
        .into(),
    ];
    let is_cut_from = |subnet: &cluster::Subnet| {
        filled(&subnet.ipv6_cidr).is_some_and(|range| numbered_range(range).is_some())
    };
    if !shared || cluster.subnets().iter().any(is_cut_from) {
        let name = ipv6_block().name.clone();
        resources.push(VpcAmazonIpv6CidrBlock { name, shared, vpc: vpc.clone() }.into());
    }
    if shared {
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

/// The ways to the internet, and the table of those who have one of their own. Where all subnets
/// are routed by somebody else, there is none.
fn gateways(cluster: &Cluster) -> Vec<Resource> {
    let (name, shared) = (cluster.name(), is_shared(cluster));
    let vpc = names::vpc(name);
    let tags = names::tags(cluster, name, shared);
    let mut routed = cluster.subnets().iter().filter(|subnet| !subnet.is_routed_elsewhere());
    let mut resources: Vec<Resource> = Vec::new();
    if routed.clone().next().is_none() {
        return resources;
    }
    let gateway =
        InternetGateway { name: name.to_owned(), shared, vpc: vpc.clone(), tags: tags.clone() };
    resources.push(gateway.into());
    if cluster.subnets().iter().any(|subnet| filled(&subnet.id).is_none()) {
        let mut tags = names::tags(cluster, name, false);
        tags.insert(ROLE_TAG.to_owned(), "public".to_owned());
        let table = RouteTable { name: name.to_owned(), vpc: vpc.clone(), tags };
        resources.push(table.into());
        resources.extend([ALL_IPV4, ALL_IPV6].map(|cidr| to_internet(cluster, name, cidr, cidr)));
    }
    if cluster.is_ipv6() && routed.any(|subnet| !cluster.subnet_kind(subnet).is_public()) {
        let name = name.to_owned();
        resources.push(EgressOnlyInternetGateway { name, shared, vpc, tags }.into());
    }
    resources
}

/// A route out of a table by the internet gateway.
fn to_internet(cluster: &Cluster, table: &str, name: &str, cidr: &str) -> Resource {
    let via = Via::InternetGateway(Ref::to(cluster.name()));
    Route { name: name.to_owned(), table: Ref::to(table), cidr: cidr.to_owned(), via }.into()
}

fn ipv6_block() -> Ref<VpcAmazonIpv6CidrBlock> {
    Ref::to("AmazonIPv6")
}

fn subnet(
    cluster: &Cluster,
    groups: &[&InstanceGroup],
    subnet: &cluster::Subnet,
    cidr: Option<String>,
) -> Subnet {
    let id = names::subnet(cluster.name(), filled(&subnet.name).unwrap_or_default());
    let ipv6 = filled(&subnet.ipv6_cidr).map(|range| match numbered_range(range) {
        Some((prefix, number)) => Ipv6Range::Numbered { prefix, number, of: ipv6_block() },
        None => Ipv6Range::Whole {
            range: range.parse::<IpNet>().map_or(range.to_owned(), |net| net.to_string()),
            block: (!is_shared(cluster)).then(ipv6_block),
        },
    });
    Subnet {
        name: id.name.clone(),
        existing: Id::of_spec(filled(&subnet.id)),
        vpc: names::vpc(cluster.name()),
        zone: filled(&subnet.zone).unwrap_or_default().to_owned(),
        range: additional_range(cluster, cidr.as_deref()),
        is_cut: cidr.is_some() && filled(&subnet.cidr).is_none(),
        cidr,
        ipv6,
        tags: names::subnet_tags(cluster, groups, subnet),
    }
}

/// The table of a subnet of the cluster's own, unless somebody else routes it.
fn association(cluster: &Cluster, subnet: &cluster::Subnet) -> Option<RouteTableAssociation> {
    if filled(&subnet.id).is_some() || subnet.is_routed_elsewhere() {
        return None;
    }
    let id = names::subnet(cluster.name(), filled(&subnet.name).unwrap_or_default());
    let (name, table) = match egress::table(cluster, subnet) {
        Some((side, table)) => (format!("{side}-{}", id.name), table),
        None => (id.name.clone(), Ref::to(cluster.name())),
    };
    Some(RouteTableAssociation { name, subnet: id, table })
}

/// The additional range of the VPC that holds a subnet; a shared VPC has its own already.
fn additional_range(cluster: &Cluster, cidr: Option<&str>) -> Option<ResourceId> {
    if is_shared(cluster) {
        return None;
    }
    let subnet: IpNet = cidr?.parse().ok()?;
    let mut ranges = cluster.spec.additional_network_cidrs.iter().flatten();
    let holds = |range: &&String| range.parse().is_ok_and(|range: IpNet| range.contains(&subnet));
    ranges.find(holds).map(|range| ResourceId::new(VpcCidrBlock::KIND, range))
}

fn of_kind<'a>(cluster: &'a Cluster, zone: &str, kind: SubnetKind) -> Vec<&'a cluster::Subnet> {
    let all = cluster.subnets().iter();
    all.filter(|s| filled(&s.zone) == Some(zone) && cluster.subnet_kind(s) == kind).collect()
}
