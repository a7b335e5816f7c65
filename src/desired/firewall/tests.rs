//! Rules that a spec comes to.

use serde_json::{Value as Json, json};

use super::*;
use crate::vpc::security_group_rule::WantedPeer;

const NAME: &str = "a.example.com";

fn cluster(spec: &Json) -> Cluster {
    serde_json::from_value(json!({"metadata": {"name": NAME}, "spec": spec})).unwrap()
}

fn instance_group(name: &str, role: &str, own: Option<&str>) -> InstanceGroup {
    let spec = json!({"role": role, "subnets": ["a"], "securityGroupOverride": own});
    serde_json::from_value(json!({"metadata": {"name": name}, "spec": spec})).unwrap()
}

fn plain_groups() -> Vec<InstanceGroup> {
    vec![instance_group("masters", "Master", None), instance_group("nodes", "Node", None)]
}

struct Made {
    groups: Vec<SecurityGroup>,
    rules: Vec<SecurityGroupRule>,
}

fn made(spec: &Json, groups: &[InstanceGroup]) -> Made {
    let cluster = cluster(spec);
    let groups: Vec<&InstanceGroup> = groups.iter().collect();
    let input =
        Input { cluster: &cluster, groups: &groups, base: None, kops_version: None, ssh_keys: &[] };
    let mut made = Made { groups: Vec::new(), rules: Vec::new() };
    for resource in resources(input) {
        match resource {
            Resource::SecurityGroup(group) => made.groups.push(group),
            Resource::SecurityGroupRule(rule) => made.rules.push(rule),
            other => panic!("{other:?}"),
        }
    }
    made
}

impl Made {
    /// What a rule lets through, from or to whom, and under which name.
    fn told(&self, of: impl Fn(&SecurityGroupRule) -> bool) -> Vec<String> {
        let told = self.rules.iter().filter(|rule| of(rule)).map(|rule| {
            let way = if rule.egress { "to" } else { "from" };
            let ports = rule.ports.map(|(first, last)| format!(" {first}-{last}"));
            let (WantedPeer::Cidr(peer) | WantedPeer::PrefixList(peer)) = &rule.peer else {
                let WantedPeer::Group(peer) = &rule.peer else { panic!("{rule:?}") };
                return format!(
                    "{} {}{} {way} {}: {}",
                    rule.group.name,
                    rule.protocol,
                    ports.unwrap_or_default(),
                    peer.name,
                    rule.name
                );
            };
            let list = if matches!(rule.peer, WantedPeer::PrefixList(_)) { "list " } else { "" };
            format!(
                "{} {}{} {way} {list}{peer}: {}",
                rule.group.name,
                rule.protocol,
                ports.unwrap_or_default(),
                rule.name
            )
        });
        told.collect()
    }

    fn within(&self, group: &str) -> Vec<String> {
        self.told(|rule| rule.group.name == group && !rule.egress)
    }
}

/// The ranges of TCP that nodes reach masters by.
fn open_to_nodes(spec: &Json) -> Vec<(i32, i32)> {
    let made = made(spec, &plain_groups());
    let rules = made.rules.iter().filter(|rule| {
        rule.protocol == "tcp"
            && matches!(&rule.peer, WantedPeer::Group(it) if it.name.starts_with("nodes."))
    });
    rules.filter_map(|rule| rule.ports).collect()
}

#[test]
fn etcd_is_closed_to_nodes_whatever_the_network() {
    let plain = [(1, 2379), (2382, 4000), (4003, 65535)];
    for networking in ["calico", "cilium", "flannel", "kuberouter", "cni", "kindnet"] {
        assert_eq!(open_to_nodes(&json!({"networking": {networking: {}}})), plain, "{networking}");
    }
    let etcd = |names: &[&str]| names.iter().map(|name| json!({"name": name})).collect::<Json>();
    let leases = json!({"etcdClusters": etcd(&["main", "events", "leases"])});
    assert_eq!(
        open_to_nodes(&leases),
        [(1, 2379), (2382, 2382), (2384, 4000), (4003, 4003), (4005, 65535)]
    );
    let managed = json!({"networking": {"cilium": {"etcdManaged": true}}});
    assert_eq!(open_to_nodes(&managed), [(1, 2379), (2383, 4000), (4003, 65535)]);
    let masters = |spec: &Json| {
        let made = made(spec, &plain_groups());
        made.groups.iter().find(|group| group.name.starts_with("masters.")).unwrap().clone()
    };
    for port in LEASES_PORTS {
        assert!(masters(&leases).own_ports.contains(&(port, port)), "{port}");
        assert!(!masters(&managed).own_ports.contains(&(port, port)), "{port}");
    }
}

#[test]
fn nodes_reach_masters_wholly_where_pods_have_addresses_of_the_vpc() {
    let of = |networking: &str| {
        let made = made(&json!({"networking": {networking: {}}}), &plain_groups());
        let told = made.told(|rule| ["4", "-1"].contains(&rule.protocol) && !rule.egress);
        let from_nodes = told
            .into_iter()
            .filter(|rule| rule.starts_with("masters.") && rule.contains("from nodes."));
        from_nodes.collect::<Vec<_>>()
    };
    let all = "masters.a.example.com -1 from nodes.a.example.com: \
               from-nodes.a.example.com-ingress-all-0to0-masters.a.example.com";
    let ip_in_ip = "masters.a.example.com 4 from nodes.a.example.com: \
                    from-nodes.a.example.com-ingress-4-0to0-masters.a.example.com";
    assert_eq!(of("amazonvpc"), [all]);
    assert_eq!(of("calico"), [ip_in_ip]);
    assert_eq!(of("kuberouter"), [ip_in_ip]);
    assert_eq!(of("cilium"), [""; 0]);
    assert_eq!(of("flannel"), [""; 0]);
}

#[test]
fn ranges_of_either_family_and_prefix_lists_stand_wherever_a_range_may() {
    let ranges = json!(["10.0.0.0/8", "2001:db8::/32", "pl-1"]);
    let spec = json!({
        "api": {"loadBalancer": {"class": "Network", "sslCertificate": "arn:aws:acm:c"}},
        "kubernetesApiAccess": ranges, "nodePortAccess": ranges, "sshAccess": ranges,
        "kubeAPIServer": {"serviceNodePortRange": "28000+99"},
        "subnets": [
            {"name": "a", "type": "Private", "cidr": "10.1.0.0/24"},
            {"name": "utility", "type": "Utility", "cidr": "10.1.1.0/24"},
        ],
    });
    let mut groups = plain_groups();
    let no_bastion = made(&spec, &groups);
    groups.push(instance_group("bastions", "Bastion", None));
    let bastion = made(&spec, &groups);
    let is_outside =
        |rule: &SecurityGroupRule| !rule.egress && !matches!(rule.peer, WantedPeer::Group(_));
    let told = [no_bastion.told(is_outside).join("\n"), bastion.told(is_outside).join("\n")];
    insta::assert_snapshot!(told.join("\n\nwith bastions:\n"));
}

#[test]
fn a_name_that_would_stand_for_several_prefix_lists_tells_them_apart() {
    let ssh = |ranges: Json| {
        let made = made(&json!({"sshAccess": ranges}), &plain_groups());
        let rules = made
            .rules
            .iter()
            .filter(|rule| rule.ports == Some((22, 22)) && rule.group.name.starts_with("nodes."));
        let names = rules.map(|rule| {
            assert_eq!(rule.tags["Name"], rule.name);
            rule.name.replace("-ingress-tcp-22to22-nodes.a.example.com", "")
        });
        names.collect::<Vec<_>>()
    };
    assert_eq!(ssh(json!(["pl-1"])), ["from-0.0.0.0/0"]);
    assert_eq!(ssh(json!(["pl-1", "pl-2"])), ["from-pl-1", "from-pl-2"]);
    assert_eq!(ssh(json!(["pl-1", "0.0.0.0/0"])), ["from-pl-1", "from-0.0.0.0/0"]);
}

#[test]
fn a_rule_is_wanted_once() {
    let spec = json!({
        "sshAccess": ["10.1.1.0/24", "2001:db8::/32", "2001:DB8::/32"],
        "subnets": [{"name": "utility", "type": "Utility", "cidr": "10.1.1.0/24"}],
    });
    let mut groups = plain_groups();
    groups.push(instance_group("bastions", "Bastion", None));
    let made = made(&spec, &groups);
    assert_eq!(
        made.told(|rule| rule.group.name.starts_with("bastion-elb.") && rule.protocol == "tcp"),
        [
            "bastion-elb.a.example.com tcp 22-22 from 10.1.1.0/24: \
             from-10.1.1.0/24-ingress-tcp-22to22-bastion-elb.a.example.com",
            "bastion-elb.a.example.com tcp 22-22 from 2001:db8::/32: \
             from-2001:db8::/32-ingress-tcp-22to22-bastion-elb.a.example.com",
        ]
    );
}

#[test]
fn the_load_balancer_of_bastions_is_reached_from_the_subnets_of_its_kind() {
    let subnets = json!([
        {"name": "a", "type": "Private", "cidr": "10.1.0.0/24"},
        {"name": "public", "type": "Public", "cidr": "10.1.1.0/24"},
        {"name": "utility", "type": "Utility", "cidr": "10.1.2.0/24"},
        {"name": "dual", "type": "DualStack", "cidr": "10.1.3.0/24"},
    ]);
    let from = |bastion: Json| {
        let spec = json!({"subnets": subnets, "topology": {"bastion": bastion}});
        let mut groups = plain_groups();
        groups.push(instance_group("bastions", "Bastion", None));
        let rules = made(&spec, &groups).rules;
        let ranges = rules.into_iter().filter_map(|rule| match rule.peer {
            WantedPeer::Cidr(range) if rule.ports == Some((22, 22)) => Some(range),
            _ => None,
        });
        ranges.collect::<Vec<_>>()
    };
    assert_eq!(from(json!({})), ["10.1.1.0/24", "10.1.2.0/24"]);
    assert_eq!(from(json!({"loadBalancer": {"type": "Public"}})), ["10.1.1.0/24", "10.1.2.0/24"]);
    assert_eq!(from(json!({"loadBalancer": {"type": "Internal"}})), ["10.1.0.0/24", "10.1.3.0/24"]);
}

#[test]
fn workers_that_join_by_the_load_balancer_get_there_and_it_gets_to_masters() {
    let behind = |dns: &str, class: &str, networking: Json| {
        let spec = json!({
            "api": {"loadBalancer": {"class": class}}, "networking": networking,
            "topology": {"dns": {"type": dns}},
        });
        let made = made(&spec, &plain_groups());
        let to_balancer = made.within("api-elb.a.example.com");
        let from_balancer = made.within("masters.a.example.com");
        let from_balancer = from_balancer.into_iter().filter(|rule| rule.contains("from api-elb."));
        let all = to_balancer.into_iter().chain(from_balancer);
        all.map(|rule| rule.rsplit(": ").next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let plain = ["icmp-pmtu-cp-to-elb", "https-elb-to-master", "icmp-pmtu-elb-to-cp"];
    assert_eq!(behind("Public", "Network", json!({})), plain);
    assert_eq!(behind("Public", "Classic", json!({})), plain);
    let joined = [
        "node-to-elb", "icmp-pmtu-cp-to-elb", "https-elb-to-master", "icmp-pmtu-elb-to-cp",
        "kops-controller-elb-to-cp",
    ];
    assert_eq!(behind("None", "Network", json!({"cilium": {}})), joined);
    let with_etcd = [&joined[..], &["etcd-cilium-elb-to-cp"]].concat();
    let managed = json!({"cilium": {"etcdManaged": true}});
    assert_eq!(behind("None", "Network", managed.clone()), with_etcd);
    assert_eq!(behind("Public", "Network", managed), plain);
}

#[test]
fn groups_in_place_of_the_cluster_s_own_get_its_rules() {
    let spec = json!({
        "api": {"loadBalancer": {"securityGroupOverride": "sg-api"}},
        "cloudLabels": {"team": "blue"},
        "kubernetesApiAccess": ["0.0.0.0/0"],
        "sshAccess": ["10.0.0.0/8"],
    });
    let groups = [
        instance_group("masters-a", "Master", Some("sg-masters")),
        instance_group("masters-b", "Master", None),
        instance_group("nodes-a", "Node", Some("sg-nodes")),
        instance_group("nodes-b", "Node", Some("sg-nodes")),
        instance_group("bastions", "Bastion", Some("sg-bastions")),
    ];
    let made = made(&spec, &groups);
    let own: Vec<&str> = made
        .groups
        .iter()
        .filter(|group| group.existing.is_none())
        .map(|group| group.name.as_str())
        .collect();
    assert_eq!(own, ["masters.a.example.com", "bastion-elb.a.example.com"]);
    let rules = made.rules.iter().map(|rule| {
        let told = made.told(|other| other.name == rule.name).join("");
        let tags: Vec<&str> = rule.tags.keys().map(String::as_str).collect();
        format!("{told} [{}]", tags.join(" "))
    });
    insta::assert_snapshot!(rules.collect::<Vec<_>>().join("\n"));
}

#[test]
fn servers_of_the_api_are_in_the_masters_group() {
    let groups = [
        instance_group("masters", "Master", Some("sg-masters")),
        instance_group("servers", "APIServer", None),
        instance_group("nodes", "Node", Some("sg-nodes")),
    ];
    let made = made(&json!({}), &groups);
    let own = made.groups.iter().filter(|group| group.existing.is_none());
    assert_eq!(own.map(|group| group.name.as_str()).collect::<Vec<_>>(), ["masters.a.example.com"]);
}

#[test]
fn a_name_that_is_too_long_for_a_tag_is_left_out() {
    let name = format!("{}.example.com", "a".repeat(60).repeat(2));
    let spec = json!({"metadata": {"name": name}, "spec": {}});
    let cluster: Cluster = serde_json::from_value(spec).unwrap();
    let group = Group::own(&cluster, names::security_group(&name, Role::Node));
    let [out, _] = egress(&group);
    assert_eq!(out.tags["Name"], out.name);
    let among = named(&group, Source::Group(&group), ALL);
    assert!(!among.tags.contains_key("Name"), "{among:?}");
    assert_eq!(among.tags["KubernetesCluster"], name);
}
