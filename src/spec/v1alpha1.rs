//! Reads `kops/v1alpha1` as `kops/v1alpha2`, as kops converts it
//! (`pkg/apis/kops/v1alpha1/conversion.go`): zones become subnets, one admin access becomes
//! SSH and API access, an etcd member's zone becomes its master group.
//!
//! The conversion works on the tree, so that a message still points at the user's own line.

use super::yaml::{Entry, Node, Position, Scalar, Value};

/// Converts a cluster's document in place.
pub(super) fn convert_cluster(root: &mut Node) {
    let Some(spec) = get_mut(root, "spec") else { return };
    let private = spec
        .get("topology")
        .and_then(|topology| topology.get("masters"))
        .is_some_and(|masters| masters.text() == Some("private"));
    let at = spec.at;

    take(spec, "multizone");
    if let Some(zones) = take(spec, "zones") {
        let subnets = match zones.value.value {
            Value::List(items) => {
                Value::List(items.into_iter().flat_map(|zone| subnets(zone, private)).collect())
            }
            other => other,
        };
        put(spec, "subnets", zones.key_at, Node { at: zones.value.at, value: subnets });
    }

    let access = take(spec, "adminAccess").map(|entry| entry.value);
    let access =
        access.filter(|node| !matches!(&node.value, Value::List(items) if items.is_empty()));
    let everywhere = || Node { at, value: Value::List(vec![text(at, "0.0.0.0/0")]) };
    let access = access.unwrap_or_else(everywhere);
    put(spec, "sshAccess", access.at, access.clone());
    put(spec, "kubernetesApiAccess", access.at, access);

    if let Some(Node { value: Value::List(clusters), .. }) = get_mut(spec, "etcdClusters") {
        for cluster in clusters {
            let Some(Node { value: Value::List(members), .. }) = get_mut(cluster, "etcdMembers")
            else {
                continue;
            };
            for member in members {
                let Some(zone) = take(member, "zone") else { continue };
                let group = format!("master-{}", zone.value.text().unwrap_or_default());
                put(member, "instanceGroup", zone.key_at, text(zone.value.at, &group));
            }
        }
    }

    if let Some(topology) = get_mut(spec, "topology")
        && let Some(bastion) = take(topology, "bastion")
        && bastion.value.get("enable").and_then(Node::text) == Some("true")
    {
        let mut fields = bastion.value;
        take(&mut fields, "enable");
        take(&mut fields, "machineType");
        rename(&mut fields, "name", "bastionPublicName");
        rename(&mut fields, "idleTimeout", "idleTimeoutSeconds");
        put(topology, "bastion", bastion.key_at, fields);
    }
}

/// Converts an instance group's document in place.
pub(super) fn convert_instance_group(root: &mut Node) {
    if let Some(spec) = get_mut(root, "spec") {
        rename(spec, "zones", "subnets");
    }
}

/// The subnets of one zone: with private masters a private and a utility one, else a
/// public one.
fn subnets(mut zone: Node, private: bool) -> Vec<Node> {
    if !matches!(zone.value, Value::Map(_)) {
        return vec![zone];
    }
    let at = zone.at;
    let name = zone.get("name").and_then(Node::text).unwrap_or_default().to_owned();
    let private_cidr = take(&mut zone, "privateCIDR");
    let finish = |mut subnet: Node, name: &str, zone: &str, kind: &str| {
        take(&mut subnet, "name");
        put(&mut subnet, "name", at, text(at, name));
        put(&mut subnet, "zone", at, text(at, zone));
        put(&mut subnet, "type", at, text(at, kind));
        subnet
    };
    if !private {
        return vec![finish(zone, &name, &name, "Public")];
    }
    let mut subnets = Vec::new();
    if let Some(cidr) = private_cidr {
        let mut subnet = zone.clone();
        take(&mut subnet, "cidr");
        put(&mut subnet, "cidr", cidr.key_at, cidr.value);
        subnets.push(finish(subnet, &name, &name, "Private"));
    }
    if zone.get("cidr").is_some() {
        take(&mut zone, "id");
        subnets.push(finish(zone, &format!("utility-{name}"), &name, "Utility"));
    }
    subnets
}

fn text(at: Position, text: &str) -> Node {
    Node { at, value: Value::Scalar(Scalar { text: text.to_owned(), plain: false }) }
}

fn get_mut<'a>(node: &'a mut Node, key: &str) -> Option<&'a mut Node> {
    let Value::Map(entries) = &mut node.value else { return None };
    entries.iter_mut().find(|entry| entry.key == key).map(|entry| &mut entry.value)
}

fn take(node: &mut Node, key: &str) -> Option<Entry> {
    let Value::Map(entries) = &mut node.value else { return None };
    let index = entries.iter().position(|entry| entry.key == key)?;
    Some(entries.remove(index))
}

fn put(node: &mut Node, key: &str, key_at: Position, value: Node) {
    if let Value::Map(entries) = &mut node.value {
        entries.push(Entry { key: key.to_owned(), key_at, key_plain: false, value });
    }
}

fn rename(node: &mut Node, from: &str, to: &str) {
    if let Some(entry) = take(node, from) {
        put(node, to, entry.key_at, entry.value);
    }
}
