//! Address ranges, subnets, zones, topology and what may reach the cluster.

use ipnet::IpNet;

use super::Check;
use crate::limits::{IDLE_TIMEOUT, RANGE_PREFIX};
use crate::spec::cluster::{Cluster, Subnet};
use crate::spec::object::filled;
use crate::spec::path::FieldPath;
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
    non_masquerade(cluster, network, spec, check);
    let additional: Vec<IpNet> = additional.into_iter().map(|(_, range)| range).collect();
    subnets(cluster, network, &additional, spec, check);
    topology(cluster, spec, check);
    for (field, ranges) in [
        ("sshAccess", &cluster.spec.ssh_access),
        ("kubernetesApiAccess", &cluster.spec.kubernetes_api_access),
        ("nodePortAccess", &cluster.spec.node_port_access),
    ] {
        let path = spec.key(field);
        let texts = ranges.as_deref().unwrap_or_default();
        let ranges = check.ranges(&path, Some(texts));
        for (at, (index, range)) in ranges.iter().enumerate() {
            // AWS keeps one rule for a range, however it is written.
            let twin = ranges[..at]
                .iter()
                .find(|(before, taken)| taken == range && texts[*before] != texts[*index]);
            if let Some((twin, _)) = twin {
                let message = format!("is {range}, like {}; leave one out", path.index(*twin));
                check.add(&path.index(*index), message);
            }
        }
    }
}

fn non_masquerade(cluster: &Cluster, network: Option<IpNet>, spec: &FieldPath, check: &mut Check) {
    let path = spec.key("nonMasqueradeCIDR");
    let Some(range) = check.range(&path, Some(&cluster.non_masquerade_cidr())) else { return };
    if let Some(network) = network
        && overlap(&range, &network)
        && !cluster.has_networking("amazonvpc")
    {
        let message = format!(
            "{range} overlaps spec.networkCIDR {network}; pods and services need a range of \
             their own"
        );
        check.add(&path, message);
    }
    let services = spec.key("serviceClusterIPRange");
    let inner = check.range(&services, filled(&cluster.spec.service_cluster_ip_range));
    if let Some(inner) = inner.filter(|inner| !range.contains(inner)) {
        check.add(&services, format!("{inner} must lie in spec.nonMasqueradeCIDR {range}"));
    }
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

fn subnets(
    cluster: &Cluster,
    network: Option<IpNet>,
    additional: &[IpNet],
    spec: &FieldPath,
    check: &mut Check,
) {
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
        egress(subnet, &path, check);
        let path = path.key("cidr");
        let is_own = filled(&subnet.id).is_none();
        if is_own && filled(&subnet.cidr).is_none() {
            check.own_range(&path, cut.and_then(|cut| cut.parse().ok()));
        }
        let Some(range) = check.range(&path, filled(&subnet.cidr)) else { continue };
        if is_own {
            check.own_range(&path, Some(range));
        }
        if let Some(network) = network
            && !network.contains(&range)
            && !additional.iter().any(|more| more.contains(&range))
        {
            let or = if additional.is_empty() { "" } else { " or additionalNetworkCIDRs" };
            check.add(&path, format!("{range} lies outside spec.networkCIDR {network}{or}"));
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

fn egress(subnet: &Subnet, path: &FieldPath, check: &mut Check) {
    let Some(egress) = filled(&subnet.egress) else { return };
    let path = path.key("egress");
    let is_known = egress == "External" || egress.starts_with("nat-") || egress.starts_with("i-");
    if !is_known {
        check.add(
            &path,
            format!(
                "is {egress:?}; allowed are a NAT gateway (nat-…), an instance (i-…) or External"
            ),
        );
    } else if filled(&subnet.kind) != Some("Private") {
        check.add(&path, "is for subnets of type Private only");
    }
}

fn topology(cluster: &Cluster, spec: &FieldPath, check: &mut Check) {
    let Some(topology) = &cluster.spec.topology else { return };
    let path = spec.key("topology");
    let (masters, nodes) = (filled(&topology.masters), filled(&topology.nodes));
    check.one_of(&path.key("masters"), masters, &["public", "private"]);
    check.one_of(&path.key("nodes"), nodes, &["public", "private"]);
    let Some(bastion) = &topology.bastion else { return };
    if masters != Some("private") || nodes != Some("private") {
        check.add(&path.key("bastion"), "needs private masters and nodes");
    }
    let seconds = bastion.idle_timeout_seconds;
    check.within(&path.key("bastion").key("idleTimeoutSeconds"), seconds, &IDLE_TIMEOUT);
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
            Ok(range) if !has_leading_zero(text) => Some(range.trunc()),
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

    /// The ranges of a list that are right, each with its place in it.
    fn ranges(&mut self, path: &FieldPath, texts: Option<&[String]>) -> Vec<(usize, IpNet)> {
        let texts = texts.unwrap_or_default().iter().enumerate();
        let range = |(index, text): (usize, &String)| {
            Some((index, self.range(&path.index(index), Some(text))?))
        };
        texts.filter_map(range).collect()
    }
}
