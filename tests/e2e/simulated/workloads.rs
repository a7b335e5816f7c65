//! The pods of the simulated cluster: where they run, when they are ready, how they end.

use serde_json::{Value as Json, json};

use super::cluster::{Cluster, Deletion, Owner, Pod, rfc3339};
use super::nodes::{Node, TOLERATED};
use super::troubles::Trouble;

/// How long a pod is given to end, where it says nothing else (core/v1, PodSpec).
const GRACE: i64 = 30;
/// When the garbage collector takes the pods of a node that is no more.
const COLLECTED: i64 = 60;

const PARTS: [&str; 3] = ["kube-apiserver", "kube-controller-manager", "kube-scheduler"];

/// A controller and its pods.
#[derive(Clone, Debug)]
pub struct Workload {
    pub name: &'static str,
    pub replicas: usize,
    /// How many must be healthy for one to be evicted.
    pub budget: Option<usize>,
    /// Two budgets choose its pods.
    pub is_budgeted_twice: bool,
    /// `system-cluster-critical`, or empty.
    pub priority: &'static str,
    /// Its pods never become ready.
    pub crashes: bool,
    /// Its pods have a readiness gate that nothing opens.
    pub is_gated: bool,
    /// Its pods tolerate every taint.
    pub tolerates: bool,
    /// Its pods come back under the same name.
    pub is_stateful: bool,
    pub finalizer: Option<&'static str>,
    /// How long its pods are given to end, which they make use of.
    pub grace: Option<i64>,
}

pub const WEB: Workload = Workload {
    name: "web",
    replicas: 4,
    budget: None,
    is_budgeted_twice: false,
    priority: "",
    crashes: false,
    is_gated: false,
    tolerates: false,
    is_stateful: false,
    finalizer: None,
    grace: None,
};

impl Workload {
    pub fn namespace(&self) -> &'static str {
        if self.priority.is_empty() { "default" } else { "kube-system" }
    }
}

impl Cluster {
    fn workload(&self, pod: &Pod) -> Option<&Workload> {
        let Owner::Workload(name) = pod.owner else { return None };
        self.workloads.iter().find(|one| one.name == name)
    }

    /// A pod that no controller keeps, on a node of the group.
    pub fn add_bare_pod(&mut self, group: &str, name: &str) {
        let node = self.any_node(group).name().to_owned();
        let ready_at = Some(self.now);
        let mut pod = self.new_pod(name.to_owned(), "default", Owner::Nobody);
        (pod.node, pod.ready_at) = (Some(node), ready_at);
        self.pods.push(pod);
    }

    fn new_pod(&mut self, name: String, namespace: &'static str, owner: Owner) -> Pod {
        self.made += 1;
        Pod {
            uid: format!("pod-{}", self.made),
            name,
            namespace,
            owner,
            node: None,
            ready_at: None,
            deletion: None,
            has_failed: false,
        }
    }

    /// Makes a pod of the workload fail for good, as a kubelet that is short of memory does.
    pub fn fail_pod(&mut self, workload: &'static str) {
        let owner = Owner::Workload(workload);
        let pod = self.pods.iter_mut().find(|pod| pod.owner == owner && !pod.has_failed);
        pod.unwrap().has_failed = true;
    }

    /// Deletes the first pod of the workload, and lets its controller bring it back elsewhere.
    pub fn move_pod(&mut self, workload: &'static str) {
        let owner = Owner::Workload(workload);
        let at = self.pods.iter().position(|pod| pod.owner == owner).unwrap();
        let gone = self.pods.remove(at);
        let elsewhere = self.nodes.values().find(|node| {
            !node.is_closed() && Some(node.name()) != gone.node.as_deref() && self.is_ready(node)
        });
        let elsewhere = elsewhere.unwrap().name().to_owned();
        let mut pod = self.new_pod(gone.name, gone.namespace, gone.owner);
        (pod.node, pod.ready_at) = (Some(elsewhere), Some(self.now));
        self.pods.push(pod);
    }

    /// The pods of a workload, as name, uid and node.
    pub fn pods_of(&self, workload: &'static str) -> Vec<(String, String, Option<String>)> {
        let owner = Owner::Workload(workload);
        let pods = self.pods.iter().filter(|pod| pod.owner == owner);
        pods.map(|pod| (pod.name.clone(), pod.uid.clone(), pod.node.clone())).collect()
    }

    /// Tells a pod to end; its kubelet does it.
    pub fn end_pod(&mut self, uid: &str) {
        let at = self.pods.iter().position(|pod| pod.uid == uid).unwrap();
        let grace = self.workload(&self.pods[at]).and_then(|workload| workload.grace);
        self.pods[at].deletion = Some(Deletion {
            grace: grace.unwrap_or(GRACE),
            at: self.now + grace.unwrap_or(GRACE),
            ends: self.now + grace.unwrap_or(self.pace.grace),
        });
    }

    /// Tells the pods of a node that its controllers gave up to end.
    pub fn end_pods_of(&mut self, node: &str) {
        let is_meant = |pod: &&Pod| {
            let is_of_node = pod.node.as_deref() == Some(node) && pod.deletion.is_none();
            let tolerates = self.workload(pod).is_none_or(|workload| workload.tolerates);
            is_of_node && !tolerates
        };
        let uids: Vec<String> =
            self.pods.iter().filter(is_meant).map(|pod| pod.uid.clone()).collect();
        for uid in uids {
            self.end_pod(&uid);
        }
    }

    /// What was told to end ends, where there is a kubelet for it, and nothing else holds it.
    pub fn end_pods(&mut self) {
        let (now, mut pods) = (self.now, std::mem::take(&mut self.pods));
        for pod in &mut pods {
            let Some(deletion) = &mut pod.deletion else { continue };
            if deletion.ends <= now && deletion.grace > 0 {
                (deletion.grace, deletion.at) = (0, deletion.at.min(now));
            }
        }
        pods.retain(|pod| {
            let is_over = pod.deletion.as_ref().is_some_and(|deletion| deletion.ends <= now);
            let node = pod.node.as_ref().and_then(|node| self.nodes.get(node));
            let has_kubelet = node.is_none_or(|node| node.silent_since.is_none());
            let is_held = self.workload(pod).is_some_and(|workload| workload.finalizer.is_some());
            let lost = pod.node.as_ref().and_then(|node| self.lost.get(node));
            let is_collected = lost.is_some_and(|since| now - since >= COLLECTED);
            let has_ended = is_over && has_kubelet && !is_held;
            !(is_collected || has_ended)
        });
        self.pods = pods;
    }

    /// The pods that come with a node: an agent everywhere, the control plane on masters.
    pub fn run_node_pods(&mut self) {
        for node in self.nodes.values().filter(|node| !node.is_down).cloned().collect::<Vec<_>>() {
            let is_agent = |pod: &Pod| {
                pod.owner == Owner::DaemonSet && pod.node.as_deref() == Some(node.name())
            };
            if self.pods.iter().any(is_agent) {
                continue;
            }
            let start = self.pace.start;
            self.add_node_pod(&node, "agent", Owner::DaemonSet, start);
            for part in PARTS.into_iter().filter(|_| node.is_master) {
                self.add_node_pod(&node, part, Owner::Node(part), 0);
            }
        }
    }

    fn add_node_pod(&mut self, node: &Node, name: &str, owner: Owner, start: i64) {
        let mut pod = self.new_pod(format!("{name}-{}", node.name()), "kube-system", owner);
        pod.node = Some(node.name().to_owned());
        pod.ready_at = node.ready_at.map(|at| at + start);
        self.pods.push(pod);
    }

    pub fn run_workloads(&mut self, is_first: bool) {
        for workload in self.workloads.clone() {
            let owner = Owner::Workload(workload.name);
            // The next of a StatefulSet comes when the last is gone.
            let stands = |pod: &&Pod| {
                pod.owner == owner
                    && !pod.has_failed
                    && (workload.is_stateful || pod.deletion.is_none())
            };
            let standing: Vec<String> =
                self.pods.iter().filter(stands).map(|pod| pod.name.clone()).collect();
            let mut ordinals = (0..).map(|at| format!("{}-{at}", workload.name));
            for _ in standing.len()..workload.replicas {
                let name = match workload.is_stateful {
                    true => ordinals.find(|name| !standing.contains(name)).unwrap(),
                    false => format!("{}-{}", workload.name, self.made + 1),
                };
                let pod = self.new_pod(name, workload.namespace(), owner.clone());
                self.pods.push(pod);
            }
        }
        for at in 0..self.pods.len() {
            if self.pods[at].node.is_some() {
                continue;
            }
            let workload = self.workload(&self.pods[at]);
            let crashes = workload.is_some_and(|workload| workload.crashes);
            let tolerates = workload.is_some_and(|workload| workload.tolerates);
            let Some(node) = self.choose_node(tolerates) else { continue };
            let start = if is_first { 0 } else { self.pace.start };
            self.pods[at].node = Some(node);
            self.pods[at].ready_at = (!crashes).then_some(self.now + start);
        }
    }

    /// Where a new pod goes: a node that takes it, without a taint if there is one, with few.
    /// What tolerates every taint goes back to where it was, cordoned or not.
    fn choose_node(&self, tolerates: bool) -> Option<String> {
        let takes = |node: &&Node| self.is_ready(node) && (tolerates || !node.is_closed());
        let load = |node: &Node| {
            let on = self.pods.iter().filter(|pod| pod.node.as_deref() == Some(node.name()));
            match tolerates {
                true => (!node.is_cordoned(), 0),
                false => (!node.taints().is_empty(), on.count()),
            }
        };
        let best = self.nodes.values().filter(takes).min_by_key(|node| load(node));
        best.map(|node| node.name().to_owned())
    }

    pub fn healthy(&self, workload: &'static str) -> usize {
        let owner = Owner::Workload(workload);
        let healthy = self
            .pods
            .iter()
            .filter(|pod| pod.owner == owner && pod.deletion.is_none() && self.is_pod_ready(pod));
        healthy.count()
    }

    fn runs(&self, pod: &Pod) -> bool {
        let since = self.now - self.begun;
        let flaps = self.troubles.iter().any(|trouble| {
            matches!(trouble, Trouble::Flaps(name, from, to)
                if pod.owner == Owner::Workload(name) && (*from..*to).contains(&since) && since / 5 % 2 == 0)
        });
        !flaps && pod.node.is_some() && pod.ready_at.is_some_and(|at| at <= self.now)
    }

    /// Its condition Ready: its gates are open too, and its kubelet is heard of.
    pub fn is_pod_ready(&self, pod: &Pod) -> bool {
        let node = pod.node.as_ref().and_then(|node| self.nodes.get(node));
        let is_silent = node.is_some_and(|node| node.silent_since.is_some() || node.is_down);
        let is_gated = self.workload(pod).is_some_and(|workload| workload.is_gated);
        self.runs(pod) && !pod.has_failed && !is_silent && !is_gated
    }

    pub fn shown_pods(&self) -> Vec<Json> {
        self.pods.iter().map(|pod| self.shown_pod(pod)).collect()
    }

    fn shown_pod(&self, pod: &Pod) -> Json {
        let controller = |kind: &str, name: &str| {
            json!([{"apiVersion": "apps/v1", "kind": kind, "name": name, "uid": name,
                    "controller": true}])
        };
        let workload = self.workload(pod);
        let (owners, labels, priority) = match &pod.owner {
            Owner::Workload(name) => {
                let is_stateful = workload.is_some_and(|workload| workload.is_stateful);
                let kind = if is_stateful { "StatefulSet" } else { "ReplicaSet" };
                let priority = workload.map_or("", |workload| workload.priority);
                (controller(kind, name), json!({"app": name}), priority)
            }
            Owner::DaemonSet => {
                (controller("DaemonSet", "agent"), json!({"app": "agent"}), "system-node-critical")
            }
            Owner::Node(part) => {
                let owner = controller("Node", pod.node.as_deref().unwrap_or_default());
                (owner, json!({"k8s-app": part}), "system-cluster-critical")
            }
            Owner::Nobody => (json!(null), json!({}), ""),
        };
        let mirror = matches!(pod.owner, Owner::Node(_));
        let is = |is_true: bool| if is_true { "True" } else { "False" };
        let mut conditions = vec![json!({"type": "Ready", "status": is(self.is_pod_ready(pod))})];
        if workload.is_some_and(|workload| workload.is_gated) {
            conditions[0]["reason"] = json!("ReadinessGatesNotReady");
            conditions[0]["message"] =
                json!("the status of pod readiness gate \"example.com/lb\" is not \"True\"");
        }
        if pod.deletion.is_some() {
            let target = json!({
                "type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI",
            });
            conditions.push(target);
        }
        let tolerates = workload.is_some_and(|workload| workload.tolerates);
        let tolerations = match pod.owner {
            Owner::DaemonSet | Owner::Node(_) => json!([{"operator": "Exists"}]),
            _ if tolerates => json!([{"operator": "Exists"}]),
            // Admission gives them to each pod (`DefaultTolerationSeconds`).
            _ => json!(["not-ready", "unreachable"].map(|key| json!({
                "key": format!("node.kubernetes.io/{key}"), "operator": "Exists",
                "effect": "NoExecute", "tolerationSeconds": TOLERATED,
            }))),
        };
        let phase = match (pod.has_failed, &pod.node) {
            (true, _) => "Failed",
            (false, Some(_)) => "Running",
            (false, None) => "Pending",
        };
        json!({
            "metadata": {
                "name": pod.name, "namespace": pod.namespace, "uid": pod.uid, "labels": labels,
                "ownerReferences": owners,
                "deletionTimestamp": pod.deletion.as_ref().map(|one| rfc3339(one.at)),
                "deletionGracePeriodSeconds": pod.deletion.as_ref().map(|one| one.grace),
                "finalizers": workload.and_then(|one| one.finalizer).map(|one| json!([one])),
                "annotations": mirror.then(|| json!({"kubernetes.io/config.mirror": "1"})),
            },
            "spec": {
                "nodeName": pod.node, "priorityClassName": priority, "tolerations": tolerations,
                "terminationGracePeriodSeconds":
                    workload.and_then(|workload| workload.grace).unwrap_or(GRACE),
                "containers": [{"name": "main", "image": "main"}],
            },
            "status": {
                "phase": phase,
                "conditions": conditions,
                "containerStatuses": [{
                    "name": "main", "ready": self.runs(pod), "image": "main", "imageID": "",
                    "restartCount": 0,
                }],
            },
        })
    }
}
