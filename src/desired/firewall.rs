//! What may reach what: security groups and their rules (kops `pkg/model/firewall.go`,
//! `external_access.go`, `bastion.go` and `awsmodel/api_loadbalancer.go`).

use super::{DesiredCluster, Input, names};
use crate::catalogue::kinds::Resource;
use crate::core::id::{Id, Ref};
use crate::spec::cluster::Cluster;
use crate::spec::object::filled;
use crate::spec::role::Role;
use crate::vpc::security_group::SecurityGroup;
use crate::vpc::security_group_rule::{SecurityGroupRule, WantedPeer};

const SSH: (i32, i32) = (22, 22);
const HTTPS: (i32, i32) = (443, 443);

/// Ports of etcd that nodes must not reach: clients of main and events, then peers.
const ETCD_PORTS: [i32; 4] = [4001, 4002, 2380, 2381];

pub(super) fn add(input: Input<'_>, desired: &mut DesiredCluster) {
    let cluster = input.cluster;
    let firewall = Firewall::new(cluster);
    let mut resources = Vec::new();
    resources.extend(firewall.nodes());
    resources.extend(firewall.masters());
    resources.extend(firewall.node_to_master());
    let has_bastion = input.groups.iter().any(|group| group.spec.role == Some(Role::Bastion));
    if has_bastion {
        resources.extend(firewall.bastions());
    } else {
        resources.extend(firewall.ssh());
    }
    resources.extend(firewall.node_ports());
    resources.extend(firewall.api());
    resources.extend(existing_groups(input));
    desired.resources.extend(resources);
}

struct Firewall<'a> {
    cluster: &'a Cluster,
    masters: Ref<SecurityGroup>,
    nodes: Ref<SecurityGroup>,
}

impl<'a> Firewall<'a> {
    fn new(cluster: &'a Cluster) -> Self {
        Self {
            cluster,
            masters: names::security_group(cluster.name(), Role::Master),
            nodes: names::security_group(cluster.name(), Role::Node),
        }
    }

    fn group(&self, id: &Ref<SecurityGroup>, what: &str, own_ports: &'static [i32]) -> Resource {
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

    fn nodes(&self) -> Vec<Resource> {
        let mut resources = vec![
            self.group(&self.nodes, "nodes", &[22]),
            egress("node-egress", &self.nodes),
            all("all-node-to-node", &self.nodes, &self.nodes),
        ];
        if self.cluster.has_networking("amazonvpc") {
            resources.push(all("all-nodes-to-master", &self.masters, &self.nodes));
        }
        resources
    }

    fn masters(&self) -> Vec<Resource> {
        vec![
            self.group(&self.masters, "masters", &[22, 443, 2380, 2381, 4001, 4002, 4789, 179]),
            egress("master-egress", &self.masters),
            all("all-master-to-master", &self.masters, &self.masters),
            all("all-master-to-node", &self.nodes, &self.masters),
        ]
    }

    /// All but etcd; and of that what some plugins keep their state in.
    fn node_to_master(&self) -> Vec<Resource> {
        let uses = |plugin: &&str| self.cluster.has_networking(plugin);
        let stores_in_etcd = ["calico", "romana", "cilium"].iter().any(uses);
        let is_blocked =
            |port: &i32| ETCD_PORTS.contains(port) && !(stores_in_etcd && *port == 4001);
        let mut resources =
            vec![self.rule_for_nodes("udp", (1, 65535), "node-to-master-udp-1-65535".to_owned())];
        let mut from = 1;
        for port in (1..=65536).filter(|port| *port == 65536 || is_blocked(port)) {
            if from < port {
                let name = format!("node-to-master-tcp-{from}-{}", port - 1);
                resources.push(self.rule_for_nodes("tcp", (from, port - 1), name));
            }
            from = port + 1;
        }
        if stores_in_etcd || self.cluster.has_networking("kuberouter") {
            // IP in IP. The ports mean nothing, but EC2 wants some.
            let name = "node-to-master-protocol-ipip".to_owned();
            resources.push(self.rule_for_nodes("4", (0, 65535), name));
        }
        resources
    }

    fn rule_for_nodes(&self, protocol: &str, ports: (i32, i32), name: String) -> Resource {
        rule(&name, &self.masters, protocol, ports, WantedPeer::Group(self.nodes.clone()))
    }

    /// SSH from outside, where there is no bastion for it.
    fn ssh(&self) -> Vec<Resource> {
        let ranges = self.cluster.spec.ssh_access.iter().flatten();
        let rules = ranges.flat_map(|cidr| {
            [("master", &self.masters), ("node", &self.nodes)].map(|(role, group)| {
                let name = format!("ssh-external-to-{role}-{cidr}");
                rule(&name, group, "tcp", SSH, WantedPeer::Cidr(cidr.clone()))
            })
        });
        rules.collect()
    }

    fn node_ports(&self) -> Vec<Resource> {
        let ports = self.cluster.node_ports();
        let ranges = self.cluster.spec.node_port_access.iter().flatten();
        let rules = ranges.flat_map(|cidr| {
            ["tcp", "udp"].map(|protocol| {
                let name = format!("nodeport-{protocol}-external-to-node-{cidr}");
                rule(&name, &self.nodes, protocol, ports, WantedPeer::Cidr(cidr.clone()))
            })
        });
        rules.collect()
    }

    fn bastions(&self) -> Vec<Resource> {
        let name = self.cluster.name();
        let bastion = names::security_group(name, Role::Bastion);
        let balancer = names::balancer_security_group(name, "bastion");
        let from = |group: &Ref<SecurityGroup>| WantedPeer::Group(group.clone());
        let mut resources = vec![
            self.group(&bastion, "bastion", &[22]),
            egress("bastion-egress", &bastion),
            rule("ssh-elb-to-bastion", &bastion, "tcp", SSH, from(&balancer)),
            rule("bastion-to-master-ssh", &self.masters, "tcp", SSH, from(&bastion)),
            rule("bastion-to-node-ssh", &self.nodes, "tcp", SSH, from(&bastion)),
            self.group(&balancer, "bastion ELB", &[22]),
            egress("bastion-elb-egress", &balancer),
        ];
        for cidr in self.cluster.spec.ssh_access.iter().flatten() {
            let name = format!("ssh-external-to-bastion-elb-{cidr}");
            resources.push(rule(&name, &balancer, "tcp", SSH, WantedPeer::Cidr(cidr.clone())));
        }
        resources
    }

    /// The API server: through its load balancer, or the masters themselves.
    fn api(&self) -> Vec<Resource> {
        let ranges = self.cluster.spec.kubernetes_api_access.iter().flatten();
        let Some(spec) = self.cluster.api_load_balancer() else {
            let rules = ranges.map(|cidr| {
                let name = format!("https-external-to-master-{cidr}");
                rule(&name, &self.masters, "tcp", HTTPS, WantedPeer::Cidr(cidr.clone()))
            });
            return rules.collect();
        };
        let (balancer, mut resources) = match filled(&spec.security_group_override) {
            // Its owner decides what reaches it.
            Some(id) => (Ref::to(id), Vec::new()),
            None => {
                let balancer = names::balancer_security_group(self.cluster.name(), "api");
                let mut resources = vec![
                    self.group(&balancer, "api ELB", &[443]),
                    egress("api-elb-egress", &balancer),
                ];
                resources.extend(ranges.map(|cidr| {
                    let name = format!("https-api-elb-{cidr}");
                    rule(&name, &balancer, "tcp", HTTPS, WantedPeer::Cidr(cidr.clone()))
                }));
                (balancer, resources)
            }
        };
        let peer = WantedPeer::Group(balancer);
        resources.push(rule("https-elb-to-master", &self.masters, "tcp", HTTPS, peer));
        resources
    }
}

fn rule(
    name: &str,
    group: &Ref<SecurityGroup>,
    protocol: &str,
    ports: (i32, i32),
    peer: WantedPeer,
) -> Resource {
    SecurityGroupRule {
        name: name.to_owned(),
        group: group.clone(),
        egress: false,
        protocol: protocol.to_owned(),
        ports: Some(ports),
        peer,
    }
    .into()
}

/// Everything from one group into another.
fn all(name: &str, group: &Ref<SecurityGroup>, from: &Ref<SecurityGroup>) -> Resource {
    SecurityGroupRule {
        name: name.to_owned(),
        group: group.clone(),
        egress: false,
        protocol: "-1".to_owned(),
        ports: None,
        peer: WantedPeer::Group(from.clone()),
    }
    .into()
}

/// Everything out.
fn egress(name: &str, group: &Ref<SecurityGroup>) -> Resource {
    SecurityGroupRule {
        name: name.to_owned(),
        group: group.clone(),
        egress: true,
        protocol: "-1".to_owned(),
        ports: None,
        peer: WantedPeer::Cidr("0.0.0.0/0".to_owned()),
    }
    .into()
}

/// The groups of the user's own that specs name by id.
fn existing_groups(input: Input<'_>) -> Vec<Resource> {
    let api = input.cluster.api_load_balancer();
    let of_api = api.iter().flat_map(|api| {
        let more = api.additional_security_groups.iter().flatten();
        more.chain(&api.security_group_override)
    });
    let of_groups = input.groups.iter().flat_map(|group| {
        let more = group.spec.additional_security_groups.iter().flatten();
        more.chain(&group.spec.security_group_override)
    });
    let mut ids: Vec<&String> = of_api.chain(of_groups).filter(|id| !id.is_empty()).collect();
    ids.sort();
    ids.dedup();
    let group = |id: &String| SecurityGroup {
        name: id.clone(),
        existing: Id::of_spec(Some(id)),
        description: String::new(),
        vpc: names::vpc(input.cluster.name()),
        own_ports: &[],
        tags: Default::default(),
    };
    ids.into_iter().map(|id| group(id).into()).collect()
}
