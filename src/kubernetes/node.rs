//! Nodes, as far as an update and a validation look at them.

use std::fmt;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::core::Object;
use serde::Deserialize;

use super::marks::{self, Marks};

/// A node of the API, without what nobody here reads.
pub(super) type ApiNode = Object<NodeSpec, NodeStatus>;

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct NodeSpec {
    #[serde(rename = "providerID")]
    provider_id: Option<String>,
    unschedulable: Option<bool>,
    taints: Option<Vec<Taint>>,
}

/// What keeps pods off a node, unless they tolerate it.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(default)]
pub(crate) struct Taint {
    pub(crate) key: String,
    pub(crate) value: Option<String>,
    pub(crate) effect: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct NodeStatus {
    conditions: Option<Vec<NodeCondition>>,
    addresses: Option<Vec<Address>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Address {
    #[serde(rename = "type")]
    kind: String,
    address: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct NodeCondition {
    #[serde(rename = "type")]
    kind: String,
    status: String,
    last_transition_time: Option<Time>,
    reason: Option<String>,
    message: Option<String>,
}

/// The mark by which people ask that a node be replaced (kops,
/// `docs/operations/rolling-update.md`).
const NEEDS_UPDATE: &str = "kops.k8s.io/needs-update";

/// The kinds of addresses by which the cloud's own network knows a node.
const ADDRESSES: [&str; 3] = ["InternalIP", "InternalDNS", "Hostname"];
/// How labels begin that give a node a role, or a group.
const ROLES: [&str; 3] =
    ["kops.k8s.io/instancegroup", "node-role.kubernetes.io/", "kubernetes.io/role"];

/// A node as it was seen: one that has its name later is another.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct NodeRef {
    pub(crate) name: String,
    pub(crate) uid: String,
}

impl fmt::Display for NodeRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) uid: String,
    /// The instance that its provider id names.
    pub(crate) instance: Option<String>,
    /// Whether it has a provider id at all.
    pub(crate) has_provider: bool,
    /// Why it is not ready.
    pub(crate) not_ready: Option<String>,
    pub(crate) is_cordoned: bool,
    /// Whether load balancers of services leave it out.
    pub(crate) is_excluded: bool,
    pub(crate) taints: Vec<Taint>,
    /// What a rolling update of ours changed, and has not taken back.
    pub(crate) marks: Marks,
    pub(crate) needs_update: bool,
    /// By what it says that it can be reached within the network: addresses and names.
    pub(crate) addresses: Vec<String>,
    /// Whether a label gives it a role in the cluster, or a group.
    pub(crate) has_role: bool,
    /// Since when it is ready or not, in seconds since 1970.
    pub(crate) turned: Option<i64>,
    /// Seconds since 1970.
    pub(crate) joined: i64,
}

impl Node {
    pub(super) fn from_api(row: &ApiNode) -> Self {
        let spec = &row.spec;
        let meta = &row.metadata;
        let note = |key: &str| meta.annotations.as_ref().and_then(|notes| notes.get(key));
        let provider = spec.provider_id.as_deref();
        let status = row.status.as_ref();
        let conditions = status.and_then(|status| status.conditions.as_deref());
        let conditions = conditions.unwrap_or_default();
        let ready = conditions.iter().find(|condition| condition.kind == "Ready");
        let turned = ready.and_then(|ready| ready.last_transition_time.as_ref());
        let addresses = status.and_then(|status| status.addresses.as_deref()).unwrap_or_default();
        let is_within = |address: &&Address| ADDRESSES.contains(&address.kind.as_str());
        let mut labels = meta.labels.iter().flat_map(|labels| labels.keys());
        Self {
            name: meta.name.clone().unwrap_or_default(),
            uid: meta.uid.clone().unwrap_or_default(),
            instance: provider.and_then(instance_of).map(str::to_owned),
            has_provider: provider.is_some_and(|provider| !provider.is_empty()),
            not_ready: not_ready(conditions),
            is_cordoned: spec.unschedulable.unwrap_or(false),
            is_excluded: meta
                .labels
                .as_ref()
                .is_some_and(|labels| labels.contains_key(marks::EXCLUDED)),
            taints: spec.taints.clone().unwrap_or_default(),
            marks: note(marks::NOTE).map(|note| Marks::read(note)).unwrap_or_default(),
            needs_update: note(NEEDS_UPDATE).is_some(),
            addresses: addresses.iter().filter(is_within).map(|one| one.address.clone()).collect(),
            has_role: labels.any(|key| ROLES.iter().any(|role| key.starts_with(role))),
            turned: turned.map(|time| time.0.as_second()),
            joined: meta.creation_timestamp.as_ref().map_or(0, |time| time.0.as_second()),
        }
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.not_ready.is_none()
    }

    /// Whether it has the taint of nodes that are to be replaced, whoever gave it.
    pub(crate) fn is_tainted(&self) -> bool {
        self.taints.iter().any(|taint| taint.key == marks::TAINT)
    }

    /// Whether neither new pods nor connections of load balancers come to it.
    pub(crate) fn is_closed(&self) -> bool {
        self.is_cordoned && self.is_excluded
    }

    pub(crate) fn reference(&self) -> NodeRef {
        NodeRef { name: self.name.clone(), uid: self.uid.clone() }
    }
}

/// The instance in `aws:///us-west-2a/i-0123`.
fn instance_of(provider: &str) -> Option<&str> {
    let id = provider.strip_prefix("aws://")?.rsplit('/').next()?;
    id.starts_with("i-").then_some(id)
}

/// A node is ready when it says so and its network is not known to be missing (kops,
/// `pkg/validation/node_conditions.go`).
fn not_ready(conditions: &[NodeCondition]) -> Option<String> {
    let find = |kind: &str| conditions.iter().find(|condition| condition.kind == kind);
    let told = |condition: &NodeCondition| {
        let message = condition.message.as_deref().or(condition.reason.as_deref());
        message.filter(|text| !text.is_empty()).map(str::to_owned)
    };
    match find("Ready") {
        None => return Some("its kubelet has not told its state yet".to_owned()),
        Some(ready) if ready.status == "True" => {}
        Some(ready) => {
            return Some(told(ready).unwrap_or_else(|| format!("Ready is {}", ready.status)));
        }
    }
    let network = find("NetworkUnavailable").filter(|network| network.status == "True")?;
    Some(told(network).unwrap_or_else(|| "its network is unavailable".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn provider_ids_name_instances_of_aws_alone() {
        assert_eq!(instance_of("aws:///us-west-2a/i-0123"), Some("i-0123"));
        assert_eq!(instance_of("aws://i-0123"), Some("i-0123"));
        assert_eq!(instance_of("gce://project/zone/i-0123"), None);
        assert_eq!(instance_of("aws:///us-west-2a/fargate-ip"), None);
    }
}
