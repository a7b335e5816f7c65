//! Pods, as far as a drain and a validation look at them.

use std::collections::BTreeMap;
use std::fmt;

use kube::core::Object;
use serde::Deserialize;

/// A pod of the API, without what nobody here reads.
pub(super) type ApiPod = Object<PodSpec, PodStatus>;

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct PodSpec {
    node_name: Option<String>,
    priority_class_name: Option<String>,
    termination_grace_period_seconds: Option<i64>,
    tolerations: Option<Vec<Toleration>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct PodStatus {
    phase: Option<String>,
    conditions: Option<Vec<PodCondition>>,
    container_statuses: Option<Vec<ContainerStatus>>,
    /// Sidecars are among these.
    init_container_statuses: Option<Vec<ContainerStatus>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct PodCondition {
    #[serde(rename = "type")]
    kind: String,
    status: String,
    reason: Option<String>,
    message: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct ContainerStatus {
    name: String,
    ready: bool,
}

/// A taint, or several, that a pod does not mind. What is missing is every key, every effect.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Toleration {
    pub(crate) key: Option<String>,
    pub(crate) effect: Option<String>,
}

/// The taint that a node has while it is cordoned (Kubernetes, "Well-Known Labels").
const UNSCHEDULABLE: &str = "node.kubernetes.io/unschedulable";

/// A pod as it was seen: one that has its name later is another.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct PodRef {
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) uid: String,
}

impl fmt::Display for PodRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Pod {
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) uid: String,
    pub(crate) node: Option<String>,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) phase: Phase,
    /// What keeps the pod alive, as `DaemonSet/flannel`.
    pub(crate) owner: Option<String>,
    pub(crate) priority: Priority,
    /// Why it is not ready: its condition says so, which is what services and budgets go by.
    pub(crate) not_ready: Option<String>,
    /// A static pod of the node's kubelet, which the API only mirrors.
    pub(crate) is_mirror: bool,
    /// When a pod that is being deleted is to be gone at the latest, in seconds since 1970.
    pub(crate) gone_by: Option<i64>,
    /// How long it was given to end, in seconds.
    pub(crate) grace: i64,
    /// What must be done before a pod that has ended is taken away.
    pub(crate) finalizers: Vec<String>,
    /// How long it may take to end once it is told to, in seconds.
    pub(crate) longest_end: Option<i64>,
    pub(crate) tolerations: Vec<Toleration>,
}

/// Why a pod that was told to end is still there.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Ending<'a> {
    pub(crate) time: EndingTime,
    pub(crate) finalizers: &'a [String],
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum EndingTime {
    /// It has so many seconds, until then.
    Left { grace: i64, until: i64 },
    /// So many seconds ago it should have ended.
    Over(i64),
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
        Self {
            namespace: meta.namespace.clone().unwrap_or_default(),
            name: meta.name.clone().unwrap_or_default(),
            uid: meta.uid.clone().unwrap_or_default(),
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
            not_ready: status.and_then(not_ready),
            is_mirror: meta
                .annotations
                .as_ref()
                .is_some_and(|notes| notes.contains_key("kubernetes.io/config.mirror")),
            gone_by: meta.deletion_timestamp.as_ref().map(|time| time.0.as_second()),
            grace: meta.deletion_grace_period_seconds.unwrap_or(0),
            finalizers: meta.finalizers.clone().unwrap_or_default(),
            longest_end: spec.termination_grace_period_seconds,
            tolerations: spec.tolerations.clone().unwrap_or_default(),
        }
    }

    pub(crate) fn reference(&self) -> PodRef {
        let (namespace, name) = (self.namespace.clone(), self.name.clone());
        PodRef { namespace, name, uid: self.uid.clone() }
    }

    /// Whether it does no work any more, and will not again.
    pub(crate) fn has_ended(&self) -> bool {
        matches!(self.phase, Phase::Succeeded | Phase::Failed)
    }

    pub(crate) fn tolerates_everything(&self) -> bool {
        let is_all = |part: &Option<String>| part.as_deref().unwrap_or_default().is_empty();
        self.tolerations.iter().any(|one| is_all(&one.key) && is_all(&one.effect))
    }

    /// Whether it may be put on a node that is cordoned.
    pub(crate) fn tolerates_cordons(&self) -> bool {
        self.tolerations.iter().any(|one| {
            let key = one.key.as_deref().unwrap_or_default();
            let effect = one.effect.as_deref().unwrap_or_default();
            ["", UNSCHEDULABLE].contains(&key) && ["", "NoSchedule"].contains(&effect)
        })
    }

    /// What holds a pod that was told to end, at a time of the API server's.
    pub(crate) fn ending(&self, now: i64) -> Option<Ending<'_>> {
        let until = self.gone_by?;
        let time = match until > now {
            true => EndingTime::Left { grace: self.grace, until },
            false => EndingTime::Over(now - until),
        };
        Some(Ending { time, finalizers: &self.finalizers })
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

/// A pod is ready when its condition says so: that covers readiness gates, and pods whose
/// kubelet is silent. Where none is told, as by some virtual kubelets, its containers count.
fn not_ready(status: &PodStatus) -> Option<String> {
    let conditions = status.conditions.as_deref().unwrap_or_default();
    let ready = conditions.iter().find(|condition| condition.kind == "Ready");
    if ready.is_some_and(|ready| ready.status == "True") {
        return None;
    }
    let containers = status.init_container_statuses.iter().chain(&status.container_statuses);
    let unready = containers.flatten().filter(|container| !container.ready);
    let unready: Vec<&str> = unready.map(|container| container.name.as_str()).collect();
    if !unready.is_empty() {
        return Some(unready.join(", "));
    }
    let ready = ready?;
    let told = ready.message.as_ref().or(ready.reason.as_ref()).filter(|text| !text.is_empty());
    Some(told.cloned().unwrap_or_else(|| format!("its condition Ready is {}", ready.status)))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;

    fn pod(metadata: Json, status: Json) -> Pod {
        let row = json!({"metadata": metadata, "spec": {}, "status": status});
        Pod::from_api(&serde_json::from_value(row).unwrap())
    }

    #[test]
    fn a_pod_is_ready_when_its_condition_is_and_its_containers_say_why_it_is_not() {
        let not_ready = |ready: Json, is_container_ready: bool| {
            let conditions = if ready.is_null() { json!([]) } else { json!([ready]) };
            let containers = json!([{"name": "main", "ready": is_container_ready}]);
            pod(json!({}), json!({"conditions": conditions, "containerStatuses": containers}))
                .not_ready
        };
        let is = |status: &str| json!({"type": "Ready", "status": status});
        assert_eq!(not_ready(is("True"), true), None);
        assert_eq!(not_ready(is("False"), false).as_deref(), Some("main"));
        let gate = json!({
            "type": "Ready", "status": "False", "reason": "ReadinessGatesNotReady",
            "message": "the status of pod readiness gate \"lb\" is not \"True\"",
        });
        assert!(not_ready(gate, true).unwrap().contains("readiness gate"));
        assert_eq!(not_ready(is("False"), true).as_deref(), Some("its condition Ready is False"));
        assert_eq!(not_ready(Json::Null, true), None);
        assert_eq!(not_ready(Json::Null, false).as_deref(), Some("main"));
    }

    #[test]
    fn what_holds_an_ending_pod_is_its_time_its_finalizers_or_its_kubelet() {
        let ending = json!({
            "deletionTimestamp": "1970-01-01T00:01:00Z", "deletionGracePeriodSeconds": 30,
            "finalizers": ["example.com/backup"],
        });
        let pod = pod(ending, json!({}));
        let finalizers = ["example.com/backup".to_owned()];
        let time = |now| pod.ending(now).map(|ending| ending.time);
        assert_eq!(time(40), Some(EndingTime::Left { grace: 30, until: 60 }));
        assert_eq!(time(100), Some(EndingTime::Over(40)));
        assert_eq!(pod.ending(40).unwrap().finalizers, finalizers);
        assert_eq!(Pod::default().ending(40), None);
    }
}
