//! The specs of a new cluster from a few choices, as kops lays them out
//! (`cmd/kops/create_cluster.go`), with the defaults that are good today written into them.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use super::cluster::Cluster;
use super::object::CLUSTER_LABEL;

/// The version of etcd for new clusters.
const ETCD: &str = "3.5.21";
/// The range of a VPC that is new.
const NETWORK: &str = "172.20.0.0/16";

/// What a user chooses.
#[derive(Clone, Debug)]
pub(crate) struct Choices {
    pub(crate) name: String,
    /// The cluster's folder in a state store that nodes can read.
    pub(crate) config_base: Option<String>,
    pub(crate) zones: Vec<String>,
    /// Zones of the masters; empty for the first zones of all.
    pub(crate) master_zones: Vec<String>,
    /// `None` for one master in each master zone, or one.
    pub(crate) master_count: Option<usize>,
    pub(crate) master_size: String,
    pub(crate) node_count: usize,
    pub(crate) node_size: String,
    pub(crate) image: String,
    pub(crate) kubernetes_version: String,
    pub(crate) networking: Networking,
    pub(crate) private: bool,
    pub(crate) bastion: bool,
    pub(crate) vpc: Option<String>,
    pub(crate) network_cidr: Option<String>,
    /// Ids of subnets that exist, one a zone.
    pub(crate) subnets: Vec<String>,
    pub(crate) utility_subnets: Vec<String>,
    pub(crate) load_balancer: Option<LoadBalancer>,
    pub(crate) cloud_labels: BTreeMap<String, String>,
    pub(crate) rbac: bool,
    pub(crate) admin_access: Vec<String>,
    pub(crate) ssh_access: Vec<String>,
    pub(crate) dns_zone: Option<String>,
    pub(crate) private_dns: bool,
}

/// A load balancer before the API server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct LoadBalancer {
    pub(crate) internal: bool,
    pub(crate) network: bool,
}

/// A networking plugin as the spec has it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Networking {
    pub(crate) plugin: &'static str,
    pub(crate) settings: Json,
}

impl Networking {
    /// The names by which kops' users choose a plugin.
    pub(crate) const NAMES: [&str; 16] = [
        "amazon-vpc-routed-eni", "amazonvpc", "calico", "canal", "cilium", "cni", "external",
        "flannel", "flannel-udp", "flannel-vxlan", "kopeio", "kopeio-vxlan", "kube-router",
        "kubenet", "romana", "weave",
    ];

    pub(crate) fn named(name: &str) -> Option<Self> {
        let (plugin, settings) = match name {
            "amazon-vpc-routed-eni" | "amazonvpc" => ("amazonvpc", json!({})),
            "flannel" | "flannel-vxlan" => ("flannel", json!({"backend": "vxlan"})),
            "flannel-udp" => ("flannel", json!({"backend": "udp"})),
            "kopeio" | "kopeio-vxlan" => ("kopeio", json!({})),
            "kube-router" => ("kuberouter", json!({})),
            "weave" => ("weave", json!({"mtu": 8912})),
            other => {
                let simple = ["calico", "canal", "cilium", "cni", "external", "kubenet", "romana"];
                (*simple.iter().find(|plugin| **plugin == other)?, json!({}))
            }
        };
        Some(Self { plugin, settings })
    }

    /// Whether it works where instances have no public addresses: kubenet needs routes to
    /// each node in one table.
    pub(crate) fn works_private(&self) -> bool {
        !matches!(self.plugin, "kubenet" | "external")
    }
}

/// The documents of the cluster and its groups, in order.
///
/// # Errors
/// Choices that do not go together, told by their flags.
pub(crate) fn documents(choices: &Choices) -> Result<Vec<Json>, String> {
    check(choices)?;
    let masters = masters(choices)?;
    let mut documents = vec![cluster(choices, &masters)];
    let masters = masters.iter().map(|(name, zone)| Group {
        name,
        role: "Master",
        machine_type: &choices.master_size,
        count: 1,
        subnets: vec![zone.clone()],
    });
    let nodes = Group {
        name: "nodes",
        role: "Node",
        machine_type: &choices.node_size,
        count: choices.node_count,
        subnets: choices.zones.clone(),
    };
    let bastions = choices.bastion.then(|| Group {
        name: "bastions",
        role: "Bastion",
        machine_type: "t3.micro",
        count: 1,
        subnets: choices.zones.iter().map(|zone| format!("utility-{zone}")).collect(),
    });
    let groups = masters.chain([nodes]).chain(bastions);
    documents.extend(groups.map(|one| group(choices, one)));
    Ok(documents)
}

fn check(choices: &Choices) -> Result<(), String> {
    if choices.private && !choices.networking.works_private() {
        return Err(format!(
            "--topology private does not work with --networking {}; choose calico, cilium or \
             another that needs no public addresses",
            choices.networking.plugin
        ));
    }
    if choices.bastion && !choices.private {
        return Err(
            "--bastion is for --topology private; else instances are reached directly".to_owned()
        );
    }
    if !choices.subnets.is_empty() {
        if choices.vpc.is_none() {
            return Err("--subnets lie in a VPC; name it with --vpc".to_owned());
        }
        for (flag, ids, is_wanted) in [
            ("--subnets", &choices.subnets, true),
            ("--utility-subnets", &choices.utility_subnets, choices.private),
        ] {
            if is_wanted && ids.len() != choices.zones.len() {
                return Err(format!(
                    "{flag} needs one id for each of the {} zones, and has {}",
                    choices.zones.len(),
                    ids.len()
                ));
            }
        }
    } else if choices.vpc.is_some() && choices.network_cidr.is_none() {
        return Err("the subnets are cut from the range of the VPC; give it with --network-cidr, \
                    or existing ones with --subnets"
            .to_owned());
    }
    Ok(())
}

/// The masters' groups with their zones.
fn masters(choices: &Choices) -> Result<Vec<(String, String)>, String> {
    let (zones, count) = match (choices.master_zones.as_slice(), choices.master_count) {
        ([], count) => (choices.zones.as_slice(), count.unwrap_or(1)),
        (zones, count) => (zones, count.unwrap_or(zones.len())),
    };
    if zones.is_empty() {
        return Err("--zones needs at least one zone".to_owned());
    }
    if count == 0 || count.is_multiple_of(2) {
        return Err(format!(
            "{count} masters cannot agree; etcd needs an odd number. Choose it with \
             --master-count, or their zones with --master-zones"
        ));
    }
    if let Some(zone) = zones.iter().find(|zone| !choices.zones.contains(*zone)) {
        return Err(format!("--master-zones names {zone}, which --zones does not"));
    }
    let named = (0..count).map(|index| {
        let zone = &zones[index % zones.len()];
        let name = match count > zones.len() {
            true => format!("master-{zone}-{}", 1 + index / zones.len()),
            false => format!("master-{zone}"),
        };
        (name, zone.clone())
    });
    Ok(named.collect())
}

fn cluster(choices: &Choices, masters: &[(String, String)]) -> Json {
    let labels = &choices.cloud_labels;
    let mut spec = json!({
        "api": api(choices.load_balancer),
        "authorization": if choices.rbac { json!({"rbac": {}}) } else { json!({"alwaysAllow": {}}) },
        "channel": "stable",
        "cloudLabels": (!labels.is_empty()).then_some(labels),
        "cloudProvider": "aws",
        "configBase": choices.config_base,
        "dnsZone": choices.dns_zone,
        "etcdClusters": etcd_clusters(masters),
        "iam": {"allowContainerRegistry": true, "legacy": false},
        "kubernetesApiAccess": choices.admin_access,
        "kubernetesVersion": choices.kubernetes_version,
        "masterPublicName": format!("api.{}", choices.name),
        "networkCIDR": network_cidr(choices),
        "networkID": choices.vpc,
        "networking": {choices.networking.plugin: choices.networking.settings},
        "nonMasqueradeCIDR": pods_cidr(choices),
        "sshAccess": choices.ssh_access,
        "subnets": subnets(choices),
        "topology": topology(choices),
    });
    // What was not chosen is not written.
    if let Some(fields) = spec.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    let mut document = json!({
        "apiVersion": "kops/v1alpha2",
        "kind": "Cluster",
        "metadata": {"name": choices.name},
        "spec": spec,
    });
    write_ranges(&mut document);
    document
}

fn api(load_balancer: Option<LoadBalancer>) -> Json {
    match load_balancer {
        None => json!({"dns": {}}),
        Some(balancer) => json!({"loadBalancer": {
            "class": if balancer.network { "Network" } else { "Classic" },
            "type": if balancer.internal { "Internal" } else { "Public" },
        }}),
    }
}

/// etcd's two clusters, with a member on each master.
fn etcd_clusters(masters: &[(String, String)]) -> [Json; 2] {
    let names: Vec<&str> =
        masters.iter().map(|(name, _)| name.trim_start_matches("master-")).collect();
    let skipped = common_prefix(&names);
    ["main", "events"].map(|etcd| {
        let members = masters.iter().zip(&names).map(|((group, _), name)| {
            json!({
                "encryptedVolume": true,
                "instanceGroup": group,
                "name": &name[skipped..],
                "volumeType": "gp3",
            })
        });
        json!({"etcdMembers": members.collect::<Vec<_>>(), "name": etcd, "version": ETCD})
    })
}

/// The range of the VPC, which only its owner knows of one that is shared.
fn network_cidr(choices: &Choices) -> Option<&str> {
    let of_new = choices.vpc.is_none().then_some(NETWORK);
    choices.network_cidr.as_deref().or(of_new)
}

fn pods_cidr(choices: &Choices) -> &str {
    match choices.networking.plugin {
        // Pods have addresses of the VPC.
        "amazonvpc" => choices.network_cidr.as_deref().unwrap_or(NETWORK),
        _ => "100.64.0.0/10",
    }
}

fn topology(choices: &Choices) -> Json {
    let instances = if choices.private { "private" } else { "public" };
    let mut topology = json!({
        "dns": {"type": if choices.private_dns { "Private" } else { "Public" }},
        "masters": instances,
        "nodes": instances,
    });
    if choices.bastion && !choices.name.ends_with(".k8s.local") {
        topology["bastion"] = json!({"bastionPublicName": format!("bastion.{}", choices.name)});
    }
    topology
}

/// How many characters all names begin with alike; at least one is left of each.
fn common_prefix(names: &[&str]) -> usize {
    let shortest = names.iter().map(|name| name.len()).min().unwrap_or(0);
    let alike = |at: usize| names.iter().all(|name| name.get(..at) == names[0].get(..at));
    (0..shortest).rev().find(|at| names[0].is_char_boundary(*at) && alike(*at)).unwrap_or(0)
}

fn subnets(choices: &Choices) -> Vec<Json> {
    let kind = if choices.private { "Private" } else { "Public" };
    let subnet = |name: String, zone: &str, kind: &str, id: Option<&String>| match id {
        Some(id) => json!({"id": id, "name": name, "type": kind, "zone": zone}),
        None => json!({"name": name, "type": kind, "zone": zone}),
    };
    let zones = || choices.zones.iter().enumerate();
    let mut subnets: Vec<Json> = zones()
        .map(|(index, zone)| subnet(zone.clone(), zone, kind, choices.subnets.get(index)))
        .collect();
    if choices.private {
        subnets.extend(zones().map(|(index, zone)| {
            let id = choices.utility_subnets.get(index);
            subnet(format!("utility-{zone}"), zone, "Utility", id)
        }));
    }
    subnets
}

/// Writes down the ranges that the subnets would get, so that they stay.
fn write_ranges(document: &mut Json) {
    let Ok(cluster) = serde_json::from_value::<Cluster>(document.clone()) else { return };
    let Some(subnets) = document["spec"]["subnets"].as_array_mut() else { return };
    for (subnet, range) in subnets.iter_mut().zip(cluster.subnet_ranges()) {
        let is_new = subnet.get("id").is_none();
        if let Some(range) = range.filter(|_| is_new) {
            let own = std::mem::take(subnet);
            let mut fields = Map::from_iter([("cidr".to_owned(), json!(range))]);
            fields.extend(own.as_object().cloned().unwrap_or_default());
            *subnet = Json::Object(fields);
        }
    }
}

/// An instance group of the new cluster.
struct Group<'a> {
    name: &'a str,
    role: &'static str,
    machine_type: &'a str,
    count: usize,
    subnets: Vec<String>,
}

fn group(choices: &Choices, group: Group<'_>) -> Json {
    let Group { name, role, machine_type, count, subnets } = group;
    json!({
        "apiVersion": "kops/v1alpha2",
        "kind": "InstanceGroup",
        "metadata": {"labels": {CLUSTER_LABEL: choices.name}, "name": name},
        "spec": {
            "image": choices.image,
            // Pods are one hop farther away, and cannot take the instance's role.
            "instanceMetadata": {"httpPutResponseHopLimit": 1, "httpTokens": "required"},
            "machineType": machine_type,
            "maxSize": count,
            "minSize": count,
            "nodeLabels": {"kops.k8s.io/instancegroup": name},
            "role": role,
            "rootVolumeEncryption": true,
            "rootVolumeType": "gp3",
            "subnets": subnets,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choices(zones: &[&str]) -> Choices {
        Choices {
            name: "dev.example.com".to_owned(),
            config_base: Some("s3://state/dev.example.com".to_owned()),
            zones: zones.iter().map(|zone| (*zone).to_owned()).collect(),
            master_zones: Vec::new(),
            master_count: None,
            master_size: "t3.medium".to_owned(),
            node_count: 2,
            node_size: "t3.medium".to_owned(),
            image: "ami-1".to_owned(),
            kubernetes_version: "1.33.5".to_owned(),
            networking: Networking::named("calico").unwrap(),
            private: false,
            bastion: false,
            vpc: None,
            network_cidr: None,
            subnets: Vec::new(),
            utility_subnets: Vec::new(),
            load_balancer: None,
            cloud_labels: BTreeMap::new(),
            rbac: true,
            admin_access: vec!["0.0.0.0/0".to_owned()],
            ssh_access: vec!["0.0.0.0/0".to_owned()],
            dns_zone: None,
            private_dns: false,
        }
    }

    fn members(document: &Json) -> Vec<(&str, &str)> {
        let members = document["spec"]["etcdClusters"][0]["etcdMembers"].as_array().unwrap();
        let text = |member: &'_ Json, field: &str| -> &'static str {
            Box::leak(member[field].as_str().unwrap().to_owned().into_boxed_str())
        };
        members.iter().map(|m| (text(m, "name"), text(m, "instanceGroup"))).collect()
    }

    #[test]
    fn masters_and_etcd_members_are_named_as_in_kops() {
        let one = documents(&choices(&["us-west-2a", "us-west-2b"])).unwrap();
        assert_eq!(members(&one[0]), [("a", "master-us-west-2a")]);

        let mut three = choices(&["us-west-2a", "us-west-2b", "us-west-2c"]);
        three.master_zones.clone_from(&three.zones);
        let three = documents(&three).unwrap();
        let names: Vec<&str> = members(&three[0]).iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["a", "b", "c"]);

        let mut shared = choices(&["us-west-2a", "us-west-2b"]);
        shared.master_count = Some(3);
        let shared = documents(&shared).unwrap();
        assert_eq!(
            members(&shared[0]),
            [
                ("a-1", "master-us-west-2a-1"),
                ("b-1", "master-us-west-2b-1"),
                ("a-2", "master-us-west-2a-2"),
            ]
        );
    }

    #[test]
    fn what_does_not_go_together_is_refused() {
        let refused = |change: fn(&mut Choices)| {
            let mut choices = choices(&["us-west-2a"]);
            change(&mut choices);
            documents(&choices).unwrap_err()
        };
        assert!(refused(|c| c.master_count = Some(2)).contains("odd number"));
        assert!(refused(|c| c.bastion = true).contains("--topology private"));
        let kubenet = refused(|c| {
            c.private = true;
            c.networking = Networking::named("kubenet").unwrap();
        });
        assert!(kubenet.contains("--networking kubenet"));
        assert!(refused(|c| c.vpc = Some("vpc-1".to_owned())).contains("--network-cidr"));
        assert!(refused(|c| c.subnets = vec!["subnet-1".to_owned()]).contains("--vpc"));
        assert!(refused(|c| c.master_zones = vec!["us-west-2b".to_owned()]).contains("--zones"));
    }
}
