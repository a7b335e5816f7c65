//! What may reach what: security groups and their rules (kops `pkg/model/awsmodel/firewall.go`,
//! `external_access.go`, `bastion.go` and `api_loadbalancer.go`).

mod rules;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use super::{DesiredCluster, Input, names};
use crate::catalogue::kinds::Resource;
use crate::core::id::{Id, Ref};
use crate::spec::cluster::{Cluster, LoadBalancerAccess};
use crate::spec::instance_group::InstanceGroup;
use crate::spec::object::filled;
use crate::spec::role::Role;
use crate::vpc::security_group::SecurityGroup;
use crate::vpc::security_group_rule::SecurityGroupRule;
use rules::{Group, Source, Traffic, egress, named, plain};

const ALL: Traffic = Traffic { protocol: "-1", ports: None };
const IP_IN_IP: Traffic = Traffic { protocol: "4", ports: None };
/// By which a host learns how large packets may be: destination unreachable, fragmentation needed.
const PATH_MTU: Traffic = Traffic { protocol: "icmp", ports: Some((3, 4)) };
const ICMP_V6: Traffic = Traffic { protocol: "icmpv6", ports: Some((-1, -1)) };
const SSH: Traffic = Traffic::tcp(22);
const HTTPS: Traffic = Traffic::tcp(443);
const SECOND_HTTPS: Traffic = Traffic::tcp(8443);
const KOPS_CONTROLLER: Traffic = Traffic::tcp(3988);
const ETCD_OF_CILIUM: Traffic = Traffic::tcp(4003);

/// Ports of etcd that nodes must not reach: peers of main and events, then clients.
const ETCD_PORTS: [i32; 4] = [2380, 2381, 4001, 4002];
/// Likewise, where there is an etcd for leases.
const LEASES_PORTS: [i32; 2] = [2383, 4004];
/// Likewise, where cilium has an etcd of its own.
const CILIUM_PEER_PORT: i32 = 2382;

/// Where rules are removed that nobody wants; first and last port.
const MASTER_PORTS: [(i32, i32); 12] = [
    (22, 22),
    (443, 443),
    (2380, 2380),
    (2381, 2381),
    (3988, 3988),
    (4001, 4001),
    (4002, 4002),
    (4789, 4789),
    (179, 179),
    (8443, 8443),
    (3, 4),
    (-1, -1),
];
const NODE_PORTS: [(i32, i32); 1] = [(22, 22)];
const BASTION_PORTS: [(i32, i32); 3] = [(22, 22), (3, 4), (-1, -1)];
const BASTION_BALANCER_PORTS: [(i32, i32); 1] = [(22, 22)];

pub(super) fn add(input: Input<'_>, desired: &mut DesiredCluster) {
    desired.resources.extend(resources(input));
}

fn resources(input: Input<'_>) -> Vec<Resource> {
    let firewall = Firewall::new(input);
    let mut rules = Vec::new();
    rules.extend(firewall.among_nodes());
    rules.extend(firewall.masters_to_all());
    rules.extend(firewall.nodes_to_masters());
    if firewall.bastions.is_empty() {
        rules.extend(firewall.ssh());
    } else {
        rules.extend(firewall.through_bastions());
    }
    rules.extend(firewall.node_ports());
    rules.extend(firewall.api());
    let rules = rules::once(rules).into_iter().map(Into::into);
    firewall.groups().into_iter().chain(firewall.existing_groups()).chain(rules).collect()
}

struct Firewall<'a> {
    input: Input<'a>,
    cluster: &'a Cluster,
    masters: Vec<Group>,
    nodes: Vec<Group>,
    bastions: Vec<Group>,
    api: Option<LoadBalancerAccess>,
}

impl<'a> Firewall<'a> {
    fn new(input: Input<'a>) -> Self {
        Self {
            input,
            cluster: input.cluster,
            masters: groups_of(input, Role::Master),
            nodes: groups_of(input, Role::Node),
            bastions: groups_of(input, Role::Bastion),
            api: input.cluster.api_load_balancer(input.groups),
        }
    }

    /// The groups that are the cluster's own.
    fn groups(&self) -> Vec<Resource> {
        let mut groups = Vec::new();
        let roles = [
            (Role::Master, "masters", self.master_ports()),
            (Role::Node, "nodes", NODE_PORTS.to_vec()),
            (Role::Bastion, "bastion", BASTION_PORTS.to_vec()),
        ];
        for (role, what, own_ports) in roles {
            if uses_default(self.input, role) {
                let id = names::security_group(self.cluster.name(), role);
                groups.push(self.group(id, what, own_ports));
            }
        }
        if let Some(api) =
            self.api.as_ref().filter(|api| filled(&api.security_group_override).is_none())
        {
            let mut own_ports = vec![(443, 443)];
            if has_second_listener(api) {
                own_ports.push((8443, 8443));
            }
            let id = names::balancer_security_group(self.cluster.name(), "api");
            groups.push(self.group(id, "api ELB", own_ports));
        }
        if !self.bastions.is_empty() {
            let id = names::balancer_security_group(self.cluster.name(), "bastion");
            groups.push(self.group(id, "bastion ELB", BASTION_BALANCER_PORTS.to_vec()));
        }
        groups
    }

    /// The groups of the user's own that specs name by id.
    fn existing_groups(&self) -> Vec<Resource> {
        let of_api = self.api.iter().flat_map(|api| {
            let more = api.additional_security_groups.iter().flatten();
            more.chain(&api.security_group_override)
        });
        let of_bastions = self.cluster.bastion_load_balancer();
        let of_bastions = of_bastions.filter(|_| !self.bastions.is_empty());
        let of_bastions = of_bastions.into_iter().flat_map(|it| &it.additional_security_groups);
        let of_groups = self.input.groups.iter().flat_map(|group| {
            let more = group.spec.additional_security_groups.iter().flatten();
            more.chain(&group.spec.security_group_override)
        });
        let all = of_api.chain(of_bastions.flatten()).chain(of_groups);
        let ids: BTreeSet<&String> = all.filter(|id| !id.is_empty()).collect();
        let group = |id: &String| SecurityGroup {
            name: id.clone(),
            existing: Id::of_spec(Some(id)),
            description: String::new(),
            vpc: names::vpc(self.cluster.name()),
            own_ports: Vec::new(),
            tags: Default::default(),
        };
        ids.into_iter().map(|id| group(id).into()).collect()
    }

    fn group(&self, id: Ref<SecurityGroup>, what: &str, own_ports: Vec<(i32, i32)>) -> Resource {
        SecurityGroup {
            name: id.name.clone(),
            existing: None,
            description: format!("Security group for {what}"),
            vpc: names::vpc(self.cluster.name()),
            own_ports,
            tags: names::tags(self.cluster, &id.name, false),
        }
        .into()
    }

    fn master_ports(&self) -> Vec<(i32, i32)> {
        let leases = LEASES_PORTS.into_iter().filter(|_| self.has_leases());
        MASTER_PORTS.into_iter().chain(leases.map(|port| (port, port))).collect()
    }

    fn has_leases(&self) -> bool {
        self.cluster.etcd_clusters().iter().any(|etcd| filled(&etcd.name) == Some("leases"))
    }

    fn among_nodes(&self) -> Vec<SecurityGroupRule> {
        let mut rules: Vec<_> = self.nodes.iter().flat_map(egress).collect();
        rules.extend(each(&self.nodes, &self.nodes, ALL));
        if self.cluster.has_networking("amazonvpc") {
            rules.extend(each(&self.nodes, &self.masters, ALL));
        }
        rules
    }

    fn masters_to_all(&self) -> Vec<SecurityGroupRule> {
        let mut rules: Vec<_> = self.masters.iter().flat_map(egress).collect();
        rules.extend(each(&self.masters, &self.masters, ALL));
        rules.extend(each(&self.masters, &self.nodes, ALL));
        rules
    }

    /// All but etcd.
    fn nodes_to_masters(&self) -> Vec<SecurityGroupRule> {
        let mut blocked = ETCD_PORTS.to_vec();
        if self.has_leases() {
            blocked.extend(LEASES_PORTS);
        }
        if self.cluster.has_etcd_of_cilium() {
            blocked.push(CILIUM_PEER_PORT);
        }
        let mut open = vec![Traffic { protocol: "udp", ports: Some((1, 65535)) }];
        let mut from = 1;
        for port in (1..=65536).filter(|port| *port == 65536 || blocked.contains(port)) {
            if from < port {
                open.push(Traffic { protocol: "tcp", ports: Some((from, port - 1)) });
            }
            from = port + 1;
        }
        if ["calico", "kuberouter"].iter().any(|plugin| self.cluster.has_networking(plugin)) {
            open.push(IP_IN_IP);
        }
        let rules = open.into_iter().flat_map(|open| each(&self.nodes, &self.masters, open));
        rules.collect()
    }

    /// SSH from outside, where there is no bastion for it.
    fn ssh(&self) -> Vec<SecurityGroupRule> {
        let ranges = self.cluster.spec.ssh_access.iter().flatten();
        let rules = ranges.flat_map(|range| {
            let groups = self.masters.iter().chain(&self.nodes);
            groups.map(|group| named(group, Source::Range(range), SSH))
        });
        rules.collect()
    }

    fn node_ports(&self) -> Vec<SecurityGroupRule> {
        let ports = Some(self.cluster.node_ports());
        let mut rules = Vec::new();
        for range in self.cluster.spec.node_port_access.iter().flatten() {
            for group in &self.nodes {
                for protocol in ["tcp", "udp"] {
                    let suffix = &group.suffix;
                    let name = format!("nodeport-{protocol}-external-to-node-{range}{suffix}");
                    let traffic = Traffic { protocol, ports };
                    rules.push(plain(name, group, Source::Range(range), traffic));
                }
            }
        }
        rules
    }

    fn through_bastions(&self) -> Vec<SecurityGroupRule> {
        let balancer = names::balancer_security_group(self.cluster.name(), "bastion");
        let balancer = Group::own(self.cluster, balancer);
        let mut rules: Vec<_> = self.bastions.iter().flat_map(egress).collect();
        rules.extend(each(&self.bastions, &self.masters, SSH));
        rules.extend(each(&self.bastions, &self.nodes, SSH));
        rules.extend(egress(&balancer));
        let inside = self.ranges_beside_bastions();
        let outside = self.cluster.spec.ssh_access.iter().flatten();
        for range in inside.iter().chain(outside) {
            rules.push(named(&balancer, Source::Range(range), SSH));
            rules.extend(path_mtu("ssh-nlb", &balancer, range));
        }
        for bastion in &self.bastions {
            rules.push(named(bastion, Source::Group(&balancer), SSH));
            rules.push(named(bastion, Source::Group(&balancer), PATH_MTU));
            rules.push(named(&balancer, Source::Group(bastion), PATH_MTU));
        }
        rules
    }

    /// Those of all subnets that the balancer of bastions may stand in: a network load balancer asks
    /// its targets from there how they are.
    fn ranges_beside_bastions(&self) -> Vec<String> {
        let is_internal = self.cluster.has_internal_bastion();
        let ranges = self.cluster.subnets().iter().zip(self.cluster.subnet_ranges());
        let beside = ranges
            .filter(|(subnet, _)| self.cluster.subnet_kind(subnet).is_public() != is_internal);
        beside.filter_map(|(_, range)| range).collect()
    }

    /// The API server: through its load balancer, or the masters themselves.
    fn api(&self) -> Vec<SecurityGroupRule> {
        let ranges = self.cluster.spec.kubernetes_api_access.iter().flatten();
        let Some(api) = &self.api else {
            let rules = ranges.flat_map(|range| {
                let masters = self.masters.iter();
                masters.map(|master| named(master, Source::Range(range), HTTPS))
            });
            return rules.collect();
        };
        let balancer = names::balancer_security_group(self.cluster.name(), "api");
        let mut balancer = Group::own(self.cluster, balancer);
        if let Some(id) = filled(&api.security_group_override) {
            // Rules are named and tagged as if it were the cluster's.
            balancer.id = Ref::to(id);
        }
        let mut rules = egress(&balancer).to_vec();
        for range in ranges {
            rules.push(named(&balancer, Source::Range(range), HTTPS));
            if has_second_listener(api) {
                rules.push(named(&balancer, Source::Range(range), SECOND_HTTPS));
            }
            rules.extend(path_mtu("api-elb", &balancer, range));
        }
        rules.extend(self.behind(&balancer, api));
        rules
    }

    /// What goes to and fro between a load balancer before the API server and the cluster.
    fn behind(&self, balancer: &Group, api: &LoadBalancerAccess) -> Vec<SecurityGroupRule> {
        let mut rules = Vec::new();
        if self.cluster.joins_by_load_balancer() {
            for node in &self.nodes {
                let name = format!("node{}-to-elb", node.suffix);
                rules.push(plain(name, balancer, Source::Group(node), ALL));
            }
        }
        let mut open = vec![("https-elb-to-master", HTTPS), ("icmp-pmtu-elb-to-cp", PATH_MTU)];
        if has_second_listener(api) {
            open.push(("tcp-api-cp", SECOND_HTTPS));
        }
        if self.cluster.joins_by_load_balancer() {
            open.push(("kops-controller-elb-to-cp", KOPS_CONTROLLER));
            if self.cluster.has_etcd_of_cilium() {
                open.push(("etcd-cilium-elb-to-cp", ETCD_OF_CILIUM));
            }
        }
        for master in &self.masters {
            let suffix = &master.suffix;
            for (name, traffic) in &open {
                let name = format!("{name}{suffix}");
                rules.push(plain(name, master, Source::Group(balancer), *traffic));
            }
            let name = format!("icmp-pmtu-cp{suffix}-to-elb");
            rules.push(plain(name, balancer, Source::Group(master), PATH_MTU));
        }
        rules
    }
}

/// From each of these groups to each of those.
fn each(sources: &[Group], targets: &[Group], traffic: Traffic) -> Vec<SecurityGroupRule> {
    let rules = sources.iter().flat_map(|source| {
        targets.iter().map(move |target| named(target, Source::Group(source), traffic))
    });
    rules.collect()
}

/// A prefix list may hold ranges of either family.
fn path_mtu(what: &str, group: &Group, range: &str) -> Vec<SecurityGroupRule> {
    let source = Source::Range(range);
    let mut rules = Vec::new();
    if source.may_be_v6() {
        rules.push(plain(format!("icmpv6-pmtu-{what}-{range}"), group, source, ICMP_V6));
    }
    if source.may_be_v4() {
        rules.push(plain(format!("icmp-pmtu-{what}-{range}"), group, source, PATH_MTU));
    }
    rules
}

fn has_second_listener(api: &LoadBalancerAccess) -> bool {
    api.is_network() && filled(&api.ssl_certificate).is_some()
}

/// Of the roles whose instances are in a role's group.
fn is_in_group_of(group: &InstanceGroup, role: Role) -> bool {
    match group.spec.role {
        Some(Role::ApiServer) => role == Role::Master,
        own => own == Some(role),
    }
}

/// Whether instances are in a role's own group: they are not, where all say otherwise.
fn uses_default(input: Input<'_>, role: Role) -> bool {
    let mut groups = input.groups.iter().filter(|group| is_in_group_of(group, role));
    groups.any(|group| filled(&group.spec.security_group_override).is_none())
}

/// The security groups of a role: those that instance groups have instead, and its own.
fn groups_of(input: Input<'_>, role: Role) -> Vec<Group> {
    let of_role = input.groups.iter().filter(|group| group.spec.role == Some(role));
    let overrides = of_role.filter_map(|group| filled(&group.spec.security_group_override));
    let mut groups: Vec<Group> = Vec::new();
    for id in overrides {
        let group = Group::instead(id, role);
        if !groups.iter().any(|known| known.id == group.id) {
            groups.push(group);
        }
    }
    if uses_default(input, role) {
        let own = names::security_group(input.cluster.name(), role);
        groups.push(Group::own(input.cluster, own));
    }
    groups
}
