//! Pods, as far as a drain and a validation look at them.

use std::collections::BTreeMap;

use kube::core::Object;
use serde::Deserialize;

/// A pod of the API, without what nobody here reads.
pub(super) type ApiPod = Object<PodSpec, PodStatus>;

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct PodSpec {
    node_name: Option<String>,
    priority_class_name: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct PodStatus {
    phase: Option<String>,
    container_statuses: Option<Vec<ContainerStatus>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct ContainerStatus {
    name: String,
    ready: bool,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Pod {
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) node: Option<String>,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) phase: Phase,
    /// What keeps the pod alive, as `DaemonSet/flannel`.
    pub(crate) owner: Option<String>,
    pub(crate) priority: Priority,
    /// Containers that are not ready.
    pub(crate) unready: Vec<String>,
    /// A static pod of the node's kubelet, which the API only mirrors.
    pub(crate) is_mirror: bool,
    /// When a pod that is being deleted is to be gone at the latest, in seconds since 1970.
    pub(crate) gone_by: Option<i64>,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Phase {
    Pending,
    Running,
    Succeeded,
    Failed,
    #[default]
    Unknown,
}

/// What the cluster cannot do without.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Priority {
    /// `system-cluster-critical`
    Cluster,
    /// `system-node-critical`
    Node,
    #[default]
    Ordinary,
}

impl Pod {
    pub(super) fn from_api(row: &ApiPod) -> Self {
        let meta = &row.metadata;
        let spec = &row.spec;
        let status = row.status.as_ref();
        let owners = meta.owner_references.as_deref().unwrap_or_default();
        let owner = owners.iter().find(|owner| owner.controller == Some(true));
        let containers = status.and_then(|status| status.container_statuses.as_deref());
        let unready = containers.unwrap_or_default().iter().filter(|container| !container.ready);
        Self {
            namespace: meta.namespace.clone().unwrap_or_default(),
            name: meta.name.clone().unwrap_or_default(),
            node: spec.node_name.clone(),
            labels: meta.labels.clone().unwrap_or_default(),
            phase: match status.and_then(|status| status.phase.as_deref()) {
                Some("Pending") => Phase::Pending,
                Some("Running") => Phase::Running,
                Some("Succeeded") => Phase::Succeeded,
                Some("Failed") => Phase::Failed,
                _ => Phase::Unknown,
            },
            owner: owner.map(|owner| format!("{}/{}", owner.kind, owner.name)),
            priority: match spec.priority_class_name.as_deref() {
                Some("system-cluster-critical") => Priority::Cluster,
                Some("system-node-critical") => Priority::Node,
                _ => Priority::Ordinary,
            },
            unready: unready.map(|container| container.name.clone()).collect(),
            is_mirror: meta
                .annotations
                .as_ref()
                .is_some_and(|notes| notes.contains_key("kubernetes.io/config.mirror")),
            gone_by: meta.deletion_timestamp.as_ref().map(|time| time.0.as_second()),
        }
    }

    pub(crate) fn full_name(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }

    /// The pod without what a restart changes, so that a pod and the one that took its place
    /// are the same: its controller, or else its own name.
    pub(crate) fn identity(&self) -> String {
        match &self.owner {
            Some(owner) => format!("{}/{owner}", self.namespace),
            None => self.full_name(),
        }
    }
}
