//! Nodes, as far as an update and a validation look at them.

use kube::core::Object;
use serde::Deserialize;

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

#[derive(Clone, Debug, Default, Deserialize)]
struct Taint {
    key: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct NodeStatus {
    conditions: Option<Vec<NodeCondition>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct NodeCondition {
    #[serde(rename = "type")]
    kind: String,
    status: String,
    reason: Option<String>,
    message: Option<String>,
}

/// The mark by which people ask that a node be replaced (kops,
/// `docs/operations/rolling-update.md`).
const NEEDS_UPDATE: &str = "kops.k8s.io/needs-update";
/// The taint of nodes that are to be replaced; kops' own, so that either tool knows it.
pub(super) const TAINT: &str = "kops.k8s.io/scheduled-for-update";
/// Tells a node that we cordoned from one that its operator did.
pub(super) const CORDONED: &str = "kapstan.io/cordoned";

#[derive(Clone, Debug, Default)]
pub(crate) struct Node {
    pub(crate) name: String,
    /// The instance that its provider id names.
    pub(crate) instance: Option<String>,
    /// Whether it has a provider id at all.
    pub(crate) has_provider: bool,
    /// Why it is not ready.
    pub(crate) not_ready: Option<String>,
    pub(crate) is_cordoned: bool,
    /// Whether the cordon is a rolling update's.
    pub(crate) is_cordoned_by_us: bool,
    pub(crate) is_tainted: bool,
    pub(crate) needs_update: bool,
    /// Seconds since 1970.
    pub(crate) joined: i64,
}

impl Node {
    pub(super) fn from_api(row: &ApiNode) -> Self {
        let spec = &row.spec;
        let has = |key: &str| {
            row.metadata.annotations.as_ref().is_some_and(|notes| notes.contains_key(key))
        };
        let provider = spec.provider_id.as_deref();
        let taints = spec.taints.as_deref().unwrap_or_default();
        let status = row.status.as_ref();
        let conditions = status.and_then(|status| status.conditions.as_deref());
        Self {
            name: row.metadata.name.clone().unwrap_or_default(),
            instance: provider.and_then(instance_of).map(str::to_owned),
            has_provider: provider.is_some_and(|provider| !provider.is_empty()),
            not_ready: not_ready(conditions.unwrap_or_default()),
            is_cordoned: spec.unschedulable.unwrap_or(false),
            is_cordoned_by_us: has(CORDONED),
            is_tainted: taints.iter().any(|taint| taint.key == TAINT),
            needs_update: has(NEEDS_UPDATE),
            joined: row.metadata.creation_timestamp.as_ref().map_or(0, |time| time.0.as_second()),
        }
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.not_ready.is_none()
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
