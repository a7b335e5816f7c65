//! What kops derives of subnets: their types, their ranges and which a group uses.

use ipnet::{IpNet, Ipv4Net};

use super::cluster::{Cluster, Subnet};
use super::instance_group::InstanceGroup;
use super::object::filled;
use super::role::Role;

/// What a subnet is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum SubnetKind {
    Public,
    Private,
    /// For load balancers, NAT gateways and bastions of a private topology.
    Utility,
}

impl SubnetKind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Public => "Public",
            Self::Private => "Private",
            Self::Utility => "Utility",
        }
    }

    pub(crate) fn is_public(self) -> bool {
        self != Self::Private
    }
}

impl Cluster {
    /// The type of a subnet; one that tells none follows the topology.
    pub(crate) fn subnet_kind(&self, subnet: &Subnet) -> SubnetKind {
        let topology = self.spec.topology.as_ref();
        let private = topology.is_some_and(|t| filled(&t.nodes) == Some("private"));
        match filled(&subnet.kind) {
            Some("Private") => SubnetKind::Private,
            Some("Utility") => SubnetKind::Utility,
            None if private => SubnetKind::Private,
            _ => SubnetKind::Public,
        }
    }

    /// The subnets of a group. One that names none is in all of its role's and zones'
    /// (kops `populate_instancegroup_spec.go`).
    pub(crate) fn subnets_of<'a>(&'a self, group: &InstanceGroup) -> Vec<&'a Subnet> {
        let named = group.subnets();
        if !named.is_empty() {
            let find = |name: &String| {
                self.subnets().iter().find(|subnet| filled(&subnet.name) == Some(name))
            };
            return named.iter().filter_map(find).collect();
        }
        let zones = group.spec.zones.as_deref().unwrap_or_default();
        let in_zones = |subnet: &&Subnet| {
            zones.is_empty() || filled(&subnet.zone).is_some_and(|z| zones.iter().any(|o| o == z))
        };
        let is_utility = |subnet: &&Subnet| self.subnet_kind(subnet) == SubnetKind::Utility;
        let all = self.subnets().iter().filter(in_zones);
        let (utility, others): (Vec<_>, Vec<_>) = all.partition(is_utility);
        let is_bastion = group.spec.role == Some(Role::Bastion);
        if is_bastion && !utility.is_empty() { utility } else { others }
    }

    /// The range of each subnet, in their order: as written, or cut out of the network as
    /// kops does (`upup/pkg/fi/cloudup/subnets.go`): the network into eight; the first part
    /// that is free, again into eight, is for utility subnets; the others go to the rest by
    /// zone. `None` where there is none to give, or where a subnet exists already.
    pub(crate) fn subnet_ranges(&self) -> Vec<Option<String>> {
        let subnets = self.subnets();
        let mut ranges: Vec<Option<String>> =
            subnets.iter().map(|subnet| filled(&subnet.cidr).map(str::to_owned)).collect();
        let network = self.network_cidr().and_then(|cidr| cidr.parse::<Ipv4Net>().ok());
        let Some(network) = network else { return ranges };
        let taken: Vec<Ipv4Net> =
            ranges.iter().flatten().filter_map(|range| range.parse::<Ipv4Net>().ok()).collect();
        let is_free = |part: &Ipv4Net| {
            !taken.iter().any(|taken| taken.contains(part) || part.contains(taken))
        };
        let mut big = eighths(network).into_iter().filter(is_free);
        let mut small = big.next().map(eighths).unwrap_or_default().into_iter();
        let mut order: Vec<usize> = (0..subnets.len()).collect();
        order.sort_by_key(|index| filled(&subnets[*index].zone));
        for index in order {
            if ranges[index].is_some() || filled(&subnets[index].id).is_some() {
                continue;
            }
            let next = match self.subnet_kind(&subnets[index]) {
                SubnetKind::Utility => small.next(),
                _ => big.next(),
            };
            ranges[index] = next.map(|range| IpNet::V4(range).to_string());
        }
        ranges
    }
}

fn eighths(range: Ipv4Net) -> Vec<Ipv4Net> {
    let parts = range.subnets(range.prefix_len().saturating_add(3));
    parts.map(Iterator::collect).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_cut_as_kops_does() {
        let cluster: Cluster = serde_json::from_value(serde_json::json!({"spec": {
            "networkCIDR": "10.0.0.0/16",
            "subnets": [
                {"name": "b", "zone": "us-west-2b", "type": "Private"},
                {"name": "a", "zone": "us-west-2a", "type": "Private"},
                {"name": "c", "zone": "us-west-2c", "type": "Private", "cidr": "10.0.32.0/19"},
                {"name": "ub", "zone": "us-west-2b", "type": "Utility"},
                {"name": "ua", "zone": "us-west-2a", "type": "Utility"},
            ],
        }}))
        .unwrap();
        let ranges: Vec<String> = cluster.subnet_ranges().into_iter().map(Option::unwrap).collect();
        let expected =
            ["10.0.96.0/19", "10.0.64.0/19", "10.0.32.0/19", "10.0.4.0/22", "10.0.0.0/22"];
        assert_eq!(ranges, expected);
    }
}
