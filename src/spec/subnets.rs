//! What kops derives of subnets: their types, their ranges and which a group uses.

use ipnet::Ipv4Net;

use super::cluster::{Cluster, Subnet};
use super::instance_group::InstanceGroup;
use super::object::filled;
use super::role::Role;

/// What a subnet is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum SubnetKind {
    Public,
    Private,
    /// Private, with addresses of both IPv4 and IPv6, in clusters of IPv6.
    DualStack,
    /// For load balancers, NAT gateways and bastions of a private topology.
    Utility,
}

impl SubnetKind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Public => "Public",
            Self::Private => "Private",
            Self::DualStack => "DualStack",
            Self::Utility => "Utility",
        }
    }

    pub(crate) fn is_public(self) -> bool {
        matches!(self, Self::Public | Self::Utility)
    }
}

impl Cluster {
    /// The type of a subnet; one that tells none follows the topology.
    pub(crate) fn subnet_kind(&self, subnet: &Subnet) -> SubnetKind {
        let topology = self.spec.topology.as_ref();
        let private = topology.is_some_and(|t| filled(&t.nodes) == Some("private"));
        match filled(&subnet.kind) {
            Some("Private") => SubnetKind::Private,
            Some("DualStack") => SubnetKind::DualStack,
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

    /// The range of IPv4 of each subnet, in their order: as written, or cut out of the network as
    /// kops does (`upup/pkg/fi/cloudup/subnets.go`). `None` where there is none to give, where a
    /// subnet exists already, or where it is of IPv6 alone.
    ///
    /// The network is cut into as few of 1, 2, 4 or 8 parts as there are subnets, those for
    /// utility counting as one. Of the parts that are free the first is cut into eight for them,
    /// the others go to the rest by zone.
    pub(crate) fn subnet_ranges(&self) -> Vec<Option<String>> {
        let subnets = self.subnets();
        let mut ranges: Vec<Option<String>> =
            subnets.iter().map(|subnet| filled(&subnet.cidr).map(str::to_owned)).collect();
        let network = self.network_cidr().and_then(|cidr| cidr.parse::<Ipv4Net>().ok());
        let Some(network) = network.map(|network| network.trunc()) else { return ranges };
        let said: Vec<Option<Ipv4Net>> =
            ranges.iter().map(|range| range.as_ref()?.parse().ok()).collect();
        let in_network =
            |index: &usize| said[*index].is_none_or(|range| network.contains(&range.network()));
        let mut order: Vec<usize> = (0..subnets.len()).filter(in_network).collect();
        order.sort_by_key(|index| filled(&subnets[*index].zone));
        let is_utility = |index: &usize| self.subnet_kind(&subnets[*index]) == SubnetKind::Utility;
        let (utility, others): (Vec<usize>, Vec<usize>) = order.into_iter().partition(is_utility);
        let bits = match others.len() + usize::from(!utility.is_empty()) {
            0 | 1 => 0,
            2 => 1,
            3 | 4 => 2,
            _ => 3,
        };
        let taken: Vec<Ipv4Net> = said.iter().copied().flatten().collect();
        let is_free = |part: &Ipv4Net| {
            !taken.iter().any(|taken| taken.contains(part) || part.contains(taken))
        };
        let mut big = parts(network, bits).into_iter().filter(is_free);
        let first = if utility.is_empty() { None } else { big.next() };
        let mut small = first.map(|first| parts(first, 3)).unwrap_or_default().into_iter();
        let is_to_get = |index: &usize| {
            let subnet = &subnets[*index];
            filled(&subnet.cidr).is_none()
                && filled(&subnet.id).is_none()
                && !self.is_of_ipv6_alone(subnet)
        };
        for index in utility.into_iter().filter(is_to_get) {
            ranges[index] = small.next().map(|range| range.to_string());
        }
        for index in others.into_iter().filter(is_to_get) {
            ranges[index] = big.next().map(|range| range.to_string());
        }
        ranges
    }

    /// Whether a subnet has no range of IPv4, and is given none.
    pub(crate) fn is_of_ipv6_alone(&self, subnet: &Subnet) -> bool {
        let private = self.subnet_kind(subnet) == SubnetKind::Private;
        private && filled(&subnet.cidr).is_none() && filled(&subnet.ipv6_cidr).is_some()
    }
}

impl Subnet {
    /// Whether its routes are somebody else's.
    pub(crate) fn is_routed_elsewhere(&self) -> bool {
        filled(&self.egress) == Some("External")
    }
}

/// The number of a range of IPv6 among those of a prefix in the VPC's own, and that prefix:
/// `/64#1a` (kops `upup/pkg/fi/utils/net.go`, `ParseCIDRNotation`).
pub(crate) fn numbered_range(text: &str) -> Option<(u8, u64)> {
    let (prefix, number) = text.strip_prefix('/')?.split_once('#')?;
    let are =
        |text: &str, digits: &str| !text.is_empty() && text.chars().all(|c| digits.contains(c));
    let is_written_so = are(prefix, "0123456789") && are(number, "0123456789abcdef");
    let number = u64::from_str_radix(number, 16).ok();
    is_written_so.then_some((prefix.parse().ok()?, number?))
}

fn parts(range: Ipv4Net, bits: u8) -> Vec<Ipv4Net> {
    let parts = range.subnets(range.prefix_len().saturating_add(bits));
    parts.map(Iterator::collect).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranges(spec: serde_json::Value) -> Vec<String> {
        let cluster: Cluster = serde_json::from_value(serde_json::json!({"spec": spec})).unwrap();
        let told = |range: Option<String>| range.unwrap_or_else(|| "none".to_owned());
        cluster.subnet_ranges().into_iter().map(told).collect()
    }

    #[test]
    fn ranges_are_cut_as_kops_does() {
        let subnet = |name: &str, zone: &str, kind: &str| serde_json::json!({"name": name, "zone": format!("us-west-2{zone}"), "type": kind});
        let of = |subnets: Vec<serde_json::Value>| {
            ranges(serde_json::json!({"networkCIDR": "10.0.0.0/16", "subnets": subnets}))
        };
        assert_eq!(of(vec![subnet("a", "a", "Public")]), ["10.0.0.0/16"]);
        assert_eq!(
            of(vec![subnet("a", "a", "Private"), subnet("ua", "a", "Utility")]),
            ["10.0.128.0/17", "10.0.0.0/20"]
        );
        assert_eq!(
            of(vec![
                subnet("b", "b", "Public"),
                subnet("a", "a", "Public"),
                subnet("c", "c", "Public")
            ]),
            ["10.0.64.0/18", "10.0.0.0/18", "10.0.128.0/18"]
        );
        let mut said = subnet("c", "c", "Private");
        said["cidr"] = "10.0.32.0/19".into();
        let mut outside = subnet("d", "d", "Private");
        outside["cidr"] = "10.9.0.0/24".into();
        assert_eq!(
            of(vec![
                subnet("b", "b", "Private"),
                subnet("a", "a", "Private"),
                said,
                outside,
                subnet("ub", "b", "Utility"),
                subnet("ua", "a", "Utility"),
            ]),
            [
                "10.0.192.0/18", "10.0.128.0/18", "10.0.32.0/19", "10.9.0.0/24", "10.0.72.0/21",
                "10.0.64.0/21",
            ]
        );
    }

    #[test]
    fn numbers_of_ranges_are_read_as_kops_reads_them() {
        assert_eq!(numbered_range("/64#1a"), Some((64, 26)));
        assert_eq!(numbered_range("/56#0"), Some((56, 0)));
        for text in ["/64", "/64#", "64#1", "/64#1A", "/64#g", "/+64#1", "/999#1", "2001:db8::/64"]
        {
            assert_eq!(numbered_range(text), None, "{text}");
        }
    }
}
