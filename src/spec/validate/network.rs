//! Address ranges, subnets, zones, routes and what may reach the cluster.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;

use super::Check;
use crate::limits::{Number, RANGE_PREFIX, RANGE_PREFIX_IPV6};
use crate::spec::cluster::{AdditionalRoute, Cluster, Subnet};
use crate::spec::object::filled;
use crate::spec::path::FieldPath;
use crate::spec::subnets::{SubnetKind, numbered_range};
use crate::spec::zone::region_of_zone;

pub(super) fn check(cluster: &Cluster, spec: &FieldPath, check: &mut Check) {
    let network = check.range(&spec.key("networkCIDR"), cluster.network_cidr().as_deref());
    let additional: Vec<(usize, IpNet)> = check.ranges(
        &spec.key("additionalNetworkCIDRs"),
        cluster.spec.additional_network_cidrs.as_deref(),
    );
    if filled(&cluster.spec.network_id).is_none() {
        check.own_range(&spec.key("networkCIDR"), network);
        for (at, (index, range)) in additional.iter().enumerate() {
            let path = spec.key("additionalNetworkCIDRs").index(*index);
            check.own_range(&path, Some(*range));
            let mut before = network.iter().chain(additional[..at].iter().map(|(_, own)| own));
            if let Some(taken) = before.find(|taken| overlap(taken, range)) {
                check.add(&path, format!("{range} overlaps {taken}, which the VPC has too"));
            }
        }
    }
    non_masquerade(cluster, network, &additional, spec, check);
    let networks = network.into_iter().chain(additional.into_iter().map(|(_, range)| range));
    subnets(cluster, &networks.collect::<Vec<_>>(), spec, check);
    for (field, ranges) in [
        ("sshAccess", &cluster.spec.ssh_access),
        ("kubernetesApiAccess", &cluster.spec.kubernetes_api_access),
        ("nodePortAccess", &cluster.spec.node_port_access),
    ] {
        access(&spec.key(field), ranges.as_deref().unwrap_or_default(), check);
    }
}

/// Ranges and prefix lists from which something may be reached.
fn access(path: &FieldPath, texts: &[String], check: &mut Check) {
    let mut known: Vec<(usize, IpNet)> = Vec::new();
    for (index, text) in texts.iter().enumerate().filter(|(_, text)| !text.starts_with("pl-")) {
        let path_of = |index: usize| path.index(index);
        let Some(range) = check.range(&path_of(index), Some(text)) else { continue };
        let is_whole = text.parse::<IpNet>().is_ok_and(|written| written == range);
        if !is_whole {
            let message = format!("{text:?} has bits beyond its prefix; did you mean {range}?");
            check.add(&path_of(index), message);
        }
        // AWS keeps one rule for a range, however it is written.
        let twin = known.iter().find(|(before, taken)| *taken == range && texts[*before] != *text);
        if let Some((twin, _)) = twin {
            let message = format!("is {range}, like {}; leave one out", path_of(*twin));
            check.add(&path_of(index), message);
        }
        known.push((index, range));
    }
}

fn non_masquerade(
    cluster: &Cluster,
    network: Option<IpNet>,
    additional: &[(usize, IpNet)],
    spec: &FieldPath,
    check: &mut Check,
) {
    let path = spec.key("nonMasqueradeCIDR");
    let Some(range) = check.range(&path, Some(&cluster.non_masquerade_cidr())) else { return };
    if matches!(range, IpNet::V6(_)) && range.prefix_len() != 0 {
        check.add(&path, format!("is {range}; a cluster of IPv6 has \"::/0\""));
    }
    // There pods have addresses of the network.
    let cilium = cluster.networking("cilium");
    let by_interface = cilium.and_then(|cilium| cilium.get("ipam")?.as_str()) == Some("eni");
    if !cluster.has_networking("amazonvpc") && !by_interface {
        let first = network.map(|network| (spec.key("networkCIDR"), network));
        let more = spec.key("additionalNetworkCIDRs");
        let more = additional.iter().map(|(index, range)| (more.index(*index), *range));
        if let Some((field, taken)) =
            first.into_iter().chain(more).find(|(_, taken)| overlap(&range, taken))
        {
            let message = format!(
                "{range} overlaps {field} {taken}; pods and services need a range of their own"
            );
            check.add(&path, message);
        }
    }
    let pods = spec.key("podCIDR");
    let inner = check.range(&pods, filled(&cluster.spec.pod_cidr));
    if let Some(inner) = inner.filter(|inner| !range.contains(inner)) {
        check.add(&pods, format!("{inner} must lie in spec.nonMasqueradeCIDR {range}"));
    }
    let services = spec.key("serviceClusterIPRange");
    check.range(&services, filled(&cluster.spec.service_cluster_ip_range));
    if let Some(manager) = &cluster.spec.kube_controller_manager {
        let path = spec.key("kubeControllerManager").key("clusterCIDR");
        let inner = check.range(&path, filled(&manager.cluster_cidr));
        if let Some(inner) = inner.filter(|inner| !range.contains(inner)) {
            check.add(&path, format!("{inner} must lie in spec.nonMasqueradeCIDR {range}"));
        }
    }
    for (field, kubelet) in
        [("kubelet", &cluster.spec.kubelet), ("masterKubelet", &cluster.spec.master_kubelet)]
    {
        let own = kubelet.as_ref().and_then(|kubelet| filled(&kubelet.non_masquerade_cidr));
        if let Some(own) = own.filter(|own| *own != cluster.non_masquerade_cidr()) {
            check.add(
                &spec.key(field).key("nonMasqueradeCIDR"),
                format!("is {own}, but must equal spec.nonMasqueradeCIDR {range}"),
            );
        }
    }
}

fn subnets(cluster: &Cluster, networks: &[IpNet], spec: &FieldPath, check: &mut Check) {
    let all = spec.key("subnets");
    let subnets = cluster.subnets();
    if subnets.is_empty() {
        check.add(&all, "is required: at least one subnet, with name, zone and type");
    }
    let shared = subnets.iter().filter(|subnet| filled(&subnet.id).is_some()).count();
    if shared != 0 && shared != subnets.len() {
        check.add(&all, "mixes subnets with an id (existing ones) and without; all or none");
    }
    let mut ranges: Vec<(usize, IpNet)> = Vec::new();
    let mut routes = Routes::default();
    for (index, (subnet, cut)) in subnets.iter().zip(cluster.subnet_ranges()).enumerate() {
        let path = all.index(index);
        match filled(&subnet.name) {
            None => check.add(&path.key("name"), "is required"),
            Some(name) if subnets[..index].iter().any(|s| filled(&s.name) == Some(name)) => {
                check.add(&path.key("name"), format!("{name:?} is the name of another subnet too"));
            }
            Some(_) => {}
        }
        zone(cluster, subnet, &path, check);
        kind(cluster, subnet, &path, check);
        egress(cluster, subnet, &path, check);
        ipv6_range(cluster, subnet, &path, check);
        routes.of(cluster, subnet, networks, &path, check);
        let path = path.key("cidr");
        let is_own = filled(&subnet.id).is_none();
        if is_own && filled(&subnet.cidr).is_none() {
            check.own_range(&path, cut.and_then(|cut| cut.parse().ok()));
        }
        let Some(range) = check.range(&path, filled(&subnet.cidr)) else { continue };
        if is_own {
            check.own_range(&path, Some(range));
        }
        if let [network, additional @ ..] = networks
            && !networks.iter().any(|network| network.contains(&range))
        {
            let or = if additional.is_empty() { "" } else { " or additionalNetworkCIDRs" };
            check.add(&path, format!("{range} lies outside spec.networkCIDR {network}{or}"));
        }
        let pods = cluster.pod_cidr().filter(|_| !cluster.has_networking("amazonvpc"));
        let of_pods = pods.map(|pods| ("pods", pods));
        let of_services = cluster.service_cluster_ip_range().map(|range| ("services", range));
        for (what, taken) in of_pods.into_iter().chain(of_services) {
            if overlap(&taken, &range) {
                check.add(&path, format!("{range} overlaps {taken}, the range of {what}"));
            }
        }
        if let Some((other, taken)) = ranges.iter().find(|(_, taken)| overlap(taken, &range)) {
            check.add(&path, format!("{range} overlaps {taken} of {}", all.index(*other)));
        }
        ranges.push((index, range));
    }
}

fn zone(cluster: &Cluster, subnet: &Subnet, path: &FieldPath, check: &mut Check) {
    let path = path.key("zone");
    let Some(zone) = filled(&subnet.zone) else {
        return check.add(&path, "is required: an availability zone such as us-west-2a");
    };
    match (region_of_zone(zone), cluster.region()) {
        (None, _) => {
            check.add(&path, format!("{zone:?} is no availability zone such as us-west-2a"));
        }
        (Some(region), Some(first)) if region != first => check.add(
            &path,
            format!("{zone} lies in {region}, but the cluster is in {first}; one region only"),
        ),
        _ => {}
    }
}

fn kind(cluster: &Cluster, subnet: &Subnet, path: &FieldPath, check: &mut Check) {
    if cluster.subnet_kind(subnet) == SubnetKind::DualStack && !cluster.is_ipv6() {
        let message = "is DualStack, which only clusters of IPv6 have (spec.nonMasqueradeCIDR \
                       \"::/0\"); allowed are Public, Private, Utility";
        check.add(&path.key("type"), message);
    }
}

fn egress(cluster: &Cluster, subnet: &Subnet, path: &FieldPath, check: &mut Check) {
    const WAYS: [&str; 4] = ["nat-", "eipalloc-", "i-", "tgw-"];
    let Some(egress) = filled(&subnet.egress) else { return };
    let path = path.key("egress");
    if subnet.is_routed_elsewhere() {
        return;
    }
    let has_way = match cluster.subnet_kind(subnet) {
        SubnetKind::Private | SubnetKind::DualStack => true,
        SubnetKind::Public => filled(&subnet.ipv6_cidr).is_some(),
        SubnetKind::Utility => false,
    };
    if !WAYS.iter().any(|way| egress.starts_with(way)) {
        check.add(
            &path,
            format!(
                "is {egress:?}; allowed are a NAT gateway (nat-…), an elastic IP for one \
                 (eipalloc-…), an instance (i-…), a transit gateway (tgw-…) or External"
            ),
        );
    } else if !has_way {
        check.add(
            &path,
            "is for subnets of type Private or DualStack, and Public ones with ipv6CIDR; of others \
             it may be External only",
        );
    } else if let Some(other) = other_zone_with(cluster, subnet, |other| &other.egress)
        && egress.starts_with("eipalloc-")
    {
        check.add(&path, format!("{egress} serves {other} too; a gateway needs one of its own"));
    }
}

/// Another zone whose subnets say the same in a field.
fn other_zone_with<'a>(
    cluster: &'a Cluster,
    subnet: &Subnet,
    field: impl Fn(&Subnet) -> &Option<String>,
) -> Option<&'a str> {
    let others = cluster.subnets().iter().filter(|other| {
        filled(field(other)) == filled(field(subnet)) && filled(&other.zone) != filled(&subnet.zone)
    });
    others.filter_map(|other| filled(&other.zone)).next()
}

fn ipv6_range(cluster: &Cluster, subnet: &Subnet, path: &FieldPath, check: &mut Check) {
    let Some(text) = filled(&subnet.ipv6_cidr) else { return };
    let path = path.key("ipv6CIDR");
    if text.starts_with('/') {
        match numbered_range(text) {
            None => check.add(
                &path,
                format!(
                    "{text:?} is no range of the VPC's, such as /64#1a: a prefix, and a number of \
                     lower case hexadecimal digits"
                ),
            ),
            Some((prefix, _)) if RANGE_PREFIX_IPV6.refusal(i64::from(prefix)).is_some() => {
                check.ipv6_prefix(&path, text);
            }
            Some(_) => {}
        }
        return;
    }
    let Some(range) = check.range(&path, Some(text)) else { return };
    let IpNet::V6(_) = range else {
        return check.add(&path, format!("{range} is of IPv4; cidr is the field for that"));
    };
    if RANGE_PREFIX_IPV6.refusal(i64::from(range.prefix_len())).is_some() {
        check.ipv6_prefix(&path, text);
    }
    if let Some(services) = cluster.service_cluster_ip_range().filter(|one| overlap(one, &range)) {
        check.add(&path, format!("{range} overlaps {services}, the range of services"));
    }
}

/// The routes of the user's own so far: those of a zone are in one table.
#[derive(Default)]
struct Routes(BTreeMap<(String, IpNet), String>);

impl Routes {
    fn of(
        &mut self,
        cluster: &Cluster,
        subnet: &Subnet,
        networks: &[IpNet],
        path: &FieldPath,
        check: &mut Check,
    ) {
        let routes = subnet.additional_routes.as_deref().unwrap_or_default();
        let path = path.key("additionalRoutes");
        if !routes.is_empty() && filled(&subnet.id).is_some() {
            return check.add(&path, "is not for a subnet with an id, whose routes are not ours");
        }
        if !routes.is_empty() && cluster.subnet_kind(subnet) != SubnetKind::Private {
            return check.add(&path, "is for subnets of type Private only");
        }
        let mut own = BTreeSet::new();
        for (index, route) in routes.iter().enumerate() {
            let path = path.index(index);
            let target = self::target(route, &path.key("target"), check);
            let path = path.key("cidr");
            let Some(text) = filled(&route.cidr) else {
                check.add(&path, "is required: an address range such as 192.168.0.0/16");
                continue;
            };
            let Some(range) = check.range(&path, Some(text)) else { continue };
            if let Some(taken) = networks.iter().find(|network| **network == range) {
                check.add(&path, format!("{taken} is the VPC's own, which needs no route"));
            } else if !own.insert(range) {
                check.add(&path, format!("{range} is routed twice"));
            }
            let Some(target) = target else { continue };
            if target.starts_with("pcx-")
                && let Some(within) = networks.iter().find(|network| network.contains(&range))
            {
                check.add(&path, format!("{range} lies in {within}, which is the VPC's own"));
            }
            if target.starts_with("eigw-") && matches!(range, IpNet::V4(_)) {
                check.add(&path, format!("{range} is of IPv4, and {target} leads to IPv6 only"));
            }
            let zone = filled(&subnet.zone).unwrap_or_default().to_owned();
            let known = self.0.entry((zone, range)).or_insert_with(|| target.to_owned());
            if known != target {
                let message = format!(
                    "{range} leads through {known} by another subnet of the zone, with which this \
                     one shares a table"
                );
                check.add(&path, message);
            }
        }
    }
}

fn target<'a>(route: &'a AdditionalRoute, path: &FieldPath, check: &mut Check) -> Option<&'a str> {
    const TARGETS: [&str; 6] = ["pcx-", "i-", "nat-", "tgw-", "igw-", "eigw-"];
    let target = filled(&route.target).unwrap_or_default();
    if TARGETS.iter().any(|prefix| target.starts_with(prefix)) {
        return Some(target);
    }
    let message = format!(
        "is {target:?}; allowed are a peering connection (pcx-…), an instance (i-…), a NAT gateway \
         (nat-…), a transit gateway (tgw-…), an internet gateway (igw-…) or an egress-only one \
         (eigw-…)"
    );
    check.add(path, message);
    None
}

fn overlap(left: &IpNet, right: &IpNet) -> bool {
    left.contains(right) || right.contains(left)
}

/// Whether a number in a range of IPv4 begins with a zero.
fn has_leading_zero(range: &str) -> bool {
    let mut numbers = range.split(['.', '/']).filter(|_| !range.contains(':'));
    numbers.any(|number| number.len() > 1 && number.starts_with('0'))
}

impl Check {
    /// Reads an address range; `None` if it is absent or wrong, the latter being noted.
    pub(super) fn range(&mut self, path: &FieldPath, text: Option<&str>) -> Option<IpNet> {
        let text = text?;
        match text.parse::<IpNet>() {
            Ok(range) if !has_leading_zero(text) => {
                if range != range.trunc() {
                    let meant = range.trunc();
                    self.add(
                        path,
                        format!("{text:?} has bits beyond its prefix; did you mean {meant}?"),
                    );
                }
                Some(range.trunc())
            }
            Ok(_) => {
                let message = "has a number that begins with 0, which some read as octal; write \
                               it without";
                self.add(path, format!("{text:?} {message}"));
                None
            }
            Err(_) => {
                let hint = match text.parse::<std::net::IpAddr>() {
                    Ok(std::net::IpAddr::V4(ip)) => format!("; did you mean {ip}/32?"),
                    Ok(std::net::IpAddr::V6(ip)) => format!("; did you mean {ip}/128?"),
                    Err(_) => ", such as 172.20.0.0/16".to_owned(),
                };
                self.add(path, format!("{text:?} is no address range{hint}"));
                None
            }
        }
    }

    /// A range that a VPC or a subnet is to have, not one that exists.
    fn own_range(&mut self, path: &FieldPath, range: Option<IpNet>) {
        let Some(range) = range else { return };
        let prefix = i64::from(range.prefix_len());
        if let IpNet::V6(_) = range {
            let source = RANGE_PREFIX.source;
            self.add(path, format!("{range} is of IPv6; AWS takes a range of IPv4 ({source})"));
        } else if RANGE_PREFIX.refusal(prefix).is_some() {
            let (least, most) = (RANGE_PREFIX.least, RANGE_PREFIX.most);
            let source = RANGE_PREFIX.source;
            self.add(path, format!("{range} is no range of /{least} to /{most} ({source})"));
        }
    }

    fn ipv6_prefix(&mut self, path: &FieldPath, text: &str) {
        let Number { least, most, source, .. } = RANGE_PREFIX_IPV6;
        self.add(path, format!("{text} is no range of /{least} to /{most} ({source})"));
    }

    /// The ranges of a list that are right, each with its place in it.
    fn ranges(&mut self, path: &FieldPath, texts: Option<&[String]>) -> Vec<(usize, IpNet)> {
        let texts = texts.unwrap_or_default().iter().enumerate();
        let range = |(index, text): (usize, &String)| {
            Some((index, self.range(&path.index(index), Some(text))?))
        };
        texts.filter_map(range).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;

    fn problems(spec: Json) -> Vec<String> {
        let cluster: Cluster = serde_json::from_value(json!({"spec": spec})).unwrap();
        let mut check = Check::default();
        super::check(&cluster, &FieldPath::root().key("spec"), &mut check);
        check.problems.iter().map(ToString::to_string).collect()
    }

    /// What is wrong with a subnet in a network of 10.0.0.0/16.
    fn of_subnet(ipv6: bool, subnet: Json) -> Vec<String> {
        let mut all = json!({"name": "a", "zone": "us-west-2a", "type": "Private"});
        all.as_object_mut().unwrap().extend(subnet.as_object().unwrap().clone());
        let range = if ipv6 { "::/0" } else { "100.64.0.0/10" };
        let network = json!({"networkCIDR": "10.0.0.0/16", "nonMasqueradeCIDR": range});
        let mut spec = network.as_object().unwrap().clone();
        spec.insert("subnets".to_owned(), json!([all]));
        problems(spec.into())
    }

    #[test]
    fn ways_out_are_those_that_kops_has() {
        for egress in ["nat-1", "eipalloc-1", "i-1", "tgw-1", "External"] {
            assert_eq!(of_subnet(false, json!({"egress": egress})), [""; 0], "{egress}");
        }
        let utility = json!({"type": "Utility", "egress": "External"});
        assert_eq!(of_subnet(false, utility), [""; 0]);
        let public = json!({"type": "Public", "egress": "nat-1", "ipv6CIDR": "/64#1"});
        assert_eq!(of_subnet(true, public), [""; 0]);
        for (subnet, told) in [
            (json!({"egress": "igw-1"}), "is \"igw-1\"; allowed are a NAT gateway"),
            (json!({"egress": "external"}), "is \"external\"; allowed are a NAT gateway"),
            (json!({"type": "Public", "egress": "nat-1"}), "is for subnets of type Private or"),
        ] {
            let told_of = of_subnet(false, subnet).concat();
            assert!(told_of.contains(told), "{told_of}");
        }
    }

    #[test]
    fn ranges_of_ipv6_are_whole_or_numbered() {
        for range in ["/64#1a", "/56#0", "2001:db8:0:1::/64"] {
            assert_eq!(of_subnet(true, json!({"ipv6CIDR": range})), [""; 0], "{range}");
        }
        for (range, told) in [
            ("/64", "is no range of the VPC's, such as /64#1a"),
            ("/64#1A", "is no range of the VPC's, such as /64#1a"),
            ("/80#1", "is no range of /44 to /64"),
            ("2001:db8::/80", "is no range of /44 to /64"),
            ("2001:db8:0:1::1/64", "did you mean 2001:db8:0:1::/64?"),
            ("10.0.1.0/24", "is of IPv4"),
            ("fd00:5e4f:ce::/64", "overlaps fd00:5e4f:ce::/108, the range of services"),
        ] {
            let told_of = of_subnet(true, json!({"ipv6CIDR": range})).concat();
            assert!(told_of.contains(told), "{range}: {told_of}");
        }
        let dual = of_subnet(false, json!({"type": "DualStack"})).concat();
        assert!(dual.contains("is DualStack, which only clusters of IPv6 have"), "{dual}");
    }

    #[test]
    fn routes_of_the_user_s_own_have_a_range_and_a_target_that_fit() {
        let of = |cidr: &str, target: &str| {
            let route = json!({"cidr": cidr, "target": target});
            of_subnet(false, json!({"additionalRoutes": [route]})).concat()
        };
        for target in ["pcx-1", "i-1", "nat-1", "tgw-1", "igw-1"] {
            assert_eq!(of("192.168.0.0/16", target), "", "{target}");
        }
        assert_eq!(of("fd00:1::/64", "eigw-1"), "");
        for (cidr, target, told) in [
            ("192.168.0.0/16", "vgw-1", "is \"vgw-1\"; allowed are a peering connection"),
            ("192.168.0.1/16", "pcx-1", "did you mean 192.168.0.0/16?"),
            ("10.0.0.0/16", "nat-1", "is the VPC's own, which needs no route"),
            ("10.0.1.0/24", "pcx-1", "lies in 10.0.0.0/16, which is the VPC's own"),
            ("192.168.0.0/16", "eigw-1", "is of IPv4, and eigw-1 leads to IPv6 only"),
        ] {
            assert!(of(cidr, target).contains(told), "{cidr} {target}: {}", of(cidr, target));
        }
        let route = |target: &str| json!([{"cidr": "192.168.0.0/16", "target": target}]);
        for (more, told) in [
            (json!({"type": "Public"}), "is for subnets of type Private only"),
            (json!({"id": "subnet-1"}), "is not for a subnet with an id"),
        ] {
            let mut subnet = json!({"additionalRoutes": route("pcx-1")});
            subnet.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            assert!(of_subnet(false, subnet.clone()).concat().contains(told), "{subnet}");
        }
        let subnet = |name: &str, target: &str| {
            json!({
                "name": name, "zone": "us-west-2a", "type": "Private",
                "additionalRoutes": route(target),
            })
        };
        let two = |one: &str, other: &str| {
            let subnets = [subnet("a", one), subnet("b", other)];
            problems(json!({"networkCIDR": "10.0.0.0/16", "subnets": subnets})).concat()
        };
        assert_eq!(two("pcx-1", "pcx-1"), "");
        let told = two("pcx-1", "pcx-2");
        assert!(told.contains("leads through pcx-1 by another subnet of the zone"), "{told}");
    }

    #[test]
    fn an_elastic_ip_serves_one_zone() {
        let subnet = |zone: &str| {
            let zone = format!("us-west-2{zone}");
            json!({"name": zone, "zone": zone, "type": "Private", "egress": "eipalloc-1"})
        };
        let spec = json!({"networkCIDR": "10.0.0.0/16", "subnets": [subnet("a"), subnet("b")]});
        let told = problems(spec).concat();
        assert!(told.contains("eipalloc-1 serves us-west-2b too"), "{told}");
    }

    #[test]
    fn pods_and_services_have_ranges_of_their_own() {
        let with = |more: Json| {
            let mut spec = json!({
                "networkCIDR": "10.0.0.0/8",
                "subnets": [{"name": "a", "zone": "us-west-2a", "cidr": "10.1.0.0/16"}],
            });
            spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            problems(spec).concat()
        };
        for (more, told) in [
            (json!({"nonMasqueradeCIDR": "10.64.0.0/10"}), "overlaps spec.networkCIDR 10.0.0.0/8"),
            (json!({"nonMasqueradeCIDR": "fd00::/8"}), "a cluster of IPv6 has \"::/0\""),
            (json!({"podCIDR": "192.168.0.0/16"}), "must lie in spec.nonMasqueradeCIDR"),
            (json!({"serviceClusterIPRange": "10.1.2.0/24"}), "the range of services"),
            (
                json!({
                    "networking": {"cilium": {"ipam": "eni"}}, "nonMasqueradeCIDR": "10.0.0.0/8",
                    "podCIDR": "10.1.0.0/16",
                }),
                "the range of pods",
            ),
        ] {
            assert!(with(more.clone()).contains(told), "{more}: {}", with(more.clone()));
        }
        let of_vpc = json!({"networking": {"amazonvpc": {}}, "nonMasqueradeCIDR": "10.0.0.0/8"});
        assert!(!with(of_vpc.clone()).contains("overlaps"), "{}", with(of_vpc));
    }
}
