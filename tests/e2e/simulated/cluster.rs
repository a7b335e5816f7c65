//! What happens in the simulated cluster: instances become nodes, pods move, budgets hold.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::Pace;

/// A controller and its pods.
#[derive(Clone, Debug)]
pub struct Workload {
    pub name: &'static str,
    pub replicas: usize,
    /// How many must be healthy for one to be evicted.
    pub budget: Option<usize>,
    /// `system-cluster-critical`, or empty.
    pub priority: &'static str,
    /// Its pods never become ready.
    pub crashes: bool,
}

pub const WEB: Workload =
    Workload { name: "web", replicas: 4, budget: None, priority: "", crashes: false };

/// What goes wrong.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Trouble {
    /// New instances of a group never become nodes.
    NeverJoins(&'static str),
    /// New nodes of a group are never ready.
    NeverReady(&'static str),
    /// The API does not answer between these times, in seconds from the beginning.
    Away(i64, i64),
    /// Nodes have no provider id.
    Anonymous,
    /// Nodes are those of other instances.
    Strangers,
    /// This workload's pods are not ready every second look, between these times.
    Flaps(&'static str, i64, i64),
}

pub enum Refused {
    Missing,
    Budget,
}

#[derive(Clone, Debug)]
struct Node {
    name: String,
    instance: String,
    group: String,
    zone: String,
    is_master: bool,
    joined: i64,
    ready_at: Option<i64>,
    is_down: bool,
    is_cordoned: bool,
    taints: Vec<Json>,
    annotations: BTreeMap<String, Json>,
    labels: BTreeMap<String, Json>,
}

#[derive(Clone, Debug)]
struct Pod {
    name: String,
    namespace: &'static str,
    owner: Owner,
    node: Option<String>,
    ready_at: Option<i64>,
    gone_by: Option<i64>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Owner {
    Workload(&'static str),
    DaemonSet,
    /// A static pod of a master.
    Node(&'static str),
    Nobody,
}

const PARTS: [&str; 3] = ["kube-apiserver", "kube-controller-manager", "kube-scheduler"];

pub struct Cluster {
    pub pace: Pace,
    pub now: i64,
    pub begun: i64,
    pub troubles: Vec<Trouble>,
    pub workloads: Vec<Workload>,
    /// What must never happen, and did.
    pub violations: Vec<String>,
    pub evictions: usize,
    pub requests: usize,
    /// The fewest nodes of each group that served at any moment, and the most instances.
    pub fewest: BTreeMap<String, usize>,
    pub most: BTreeMap<String, usize>,
    /// The most masters that were not ready at any moment.
    pub masters_down: usize,
    /// What is in each group, by its short name.
    pub instances: Vec<Instance>,
    nodes: BTreeMap<String, Node>,
    pods: Vec<Pod>,
    running_since: BTreeMap<String, i64>,
    made: usize,
}

#[derive(Clone, Debug)]
pub struct Instance {
    pub id: String,
    pub group: String,
    pub is_attached: bool,
    pub is_live: bool,
}

impl Cluster {
    pub fn new(pace: Pace) -> Self {
        Self {
            pace,
            now: 0,
            begun: 0,
            troubles: Vec::new(),
            workloads: vec![WEB],
            violations: Vec::new(),
            evictions: 0,
            requests: 0,
            fewest: BTreeMap::new(),
            most: BTreeMap::new(),
            masters_down: 0,
            instances: Vec::new(),
            nodes: BTreeMap::new(),
            pods: Vec::new(),
            running_since: BTreeMap::new(),
            made: 0,
        }
    }

    /// Takes in how AWS' instances are now, and lets everything else happen.
    pub fn advance(&mut self, report: &Json) {
        self.now = report["now"].as_i64().unwrap();
        let is_first = self.begun == 0;
        if is_first {
            self.begun = self.now;
        }
        self.take_instances(report);
        self.end_pods();
        self.run_node_pods();
        self.run_workloads(is_first);
        self.check(report);
    }

    pub fn is_away(&self) -> bool {
        let since = self.now - self.begun;
        self.troubles.iter().any(
            |trouble| matches!(trouble, Trouble::Away(from, to) if (*from..*to).contains(&since)),
        )
    }

    /// A pod that no controller keeps, on a node of the group.
    pub fn add_bare_pod(&mut self, group: &str, name: &str) {
        let node = self.any_node(group).name.clone();
        self.pods.push(Pod {
            name: name.to_owned(),
            namespace: "default",
            owner: Owner::Nobody,
            node: Some(node),
            ready_at: Some(self.now),
            gone_by: None,
        });
    }

    fn any_node(&mut self, group: &str) -> &mut Node {
        let is_of = |node: &&mut Node| node.group.starts_with(group) && !node.is_down;
        self.nodes.values_mut().find(is_of).unwrap()
    }

    /// Makes a node of the group fail for good.
    pub fn break_node(&mut self, group: &str) -> String {
        let node = self.any_node(group);
        node.ready_at = None;
        node.name.clone()
    }

    pub fn mend_nodes(&mut self) {
        for node in self.nodes.values_mut() {
            node.ready_at.get_or_insert(self.now);
        }
    }

    pub fn annotate(&mut self, group: &str, key: &str) -> String {
        let node = self.any_node(group);
        node.annotations.insert(key.to_owned(), json!(""));
        node.instance.clone()
    }

    /// The names of nodes that are cordoned or tainted.
    pub fn marked(&self) -> Vec<String> {
        let marked = self
            .nodes
            .values()
            .filter(|node| !node.is_down && (node.is_cordoned || !node.taints.is_empty()));
        marked.map(|node| node.name.clone()).collect()
    }

    pub fn cordoned(&self) -> usize {
        self.nodes.values().filter(|node| node.is_cordoned && !node.is_down).count()
    }

    /// Begins to count anew.
    pub fn forget(&mut self) {
        self.fewest.clear();
        self.most.clear();
        self.violations.clear();
        self.masters_down = 0;
        self.evictions = 0;
        self.requests = 0;
        self.begun = self.now;
    }

    fn take_instances(&mut self, report: &Json) {
        let text = |row: &Json, key: &str| row[key].as_str().unwrap_or_default().to_owned();
        let rows = report["instances"].as_array().unwrap();
        self.instances.clear();
        let mut present = Vec::new();
        for row in rows {
            let id = text(row, "id");
            let owner = row["group"].as_str().or(row["detached"].as_str());
            let Some(group) = owner.map(str::to_owned) else { continue };
            let is_live = ["pending", "running"].contains(&row["state"].as_str().unwrap());
            self.instances.push(Instance {
                id: id.clone(),
                group: group.clone(),
                is_attached: !row["group"].is_null(),
                is_live,
            });
            present.push(id.clone());
            if group.starts_with("bastions.") {
                continue;
            }
            if row["state"] == "running" {
                let launched = row["launched"].as_i64().unwrap();
                let since = *self
                    .running_since
                    .entry(id.clone())
                    .or_insert((launched + self.pace.boot).min(self.now));
                self.join(&id, &group, &text(row, "dns"), &text(row, "zone"), since);
            } else if !is_live {
                self.lose(&id);
            }
        }
        let gone: Vec<String> =
            self.nodes.keys().filter(|id| !present.contains(id)).cloned().collect();
        for id in gone {
            self.lose(&id);
            self.nodes.remove(&id);
        }
    }

    fn join(&mut self, id: &str, group: &str, dns: &str, zone: &str, since: i64) {
        let is_new = since > self.begun;
        let suffers = |trouble: &Trouble| match trouble {
            Trouble::NeverJoins(name) => group.starts_with(name),
            _ => false,
        };
        let joins = since + self.pace.join;
        if self.nodes.contains_key(id)
            || self.now < joins
            || (is_new && self.troubles.iter().any(suffers))
        {
            return;
        }
        let never = |trouble: &Trouble| matches!(trouble, Trouble::NeverReady(name) if group.starts_with(name));
        let is_never_ready = is_new && self.troubles.iter().any(never);
        let node = Node {
            name: dns.to_owned(),
            instance: id.to_owned(),
            group: group.to_owned(),
            zone: zone.to_owned(),
            is_master: group.contains(".masters."),
            joined: joins,
            ready_at: (!is_never_ready).then_some(joins + self.pace.ready),
            is_down: false,
            is_cordoned: false,
            taints: Vec::new(),
            annotations: BTreeMap::new(),
            labels: BTreeMap::new(),
        };
        self.nodes.insert(id.to_owned(), node);
    }

    /// An instance shuts down, with whatever still runs on it.
    fn lose(&mut self, id: &str) {
        let Some(node) = self.nodes.get_mut(id).filter(|node| !node.is_down) else { return };
        node.is_down = true;
        let name = node.name.clone();
        for pod in self.pods.iter().filter(|pod| pod.node.as_ref() == Some(&name)) {
            if matches!(pod.owner, Owner::Workload(_) | Owner::Nobody) {
                self.violations.push(format!("{} was killed with its node, not evicted", pod.name));
            }
        }
        self.pods.retain(|pod| pod.node.as_ref() != Some(&name));
    }

    fn is_ready(&self, node: &Node) -> bool {
        !node.is_down && node.ready_at.is_some_and(|at| at <= self.now)
    }

    fn end_pods(&mut self) {
        let now = self.now;
        self.pods.retain(|pod| pod.gone_by.is_none_or(|at| at > now));
    }

    /// The pods that come with a node: an agent everywhere, the control plane on masters.
    fn run_node_pods(&mut self) {
        for node in self.nodes.values().filter(|node| !node.is_down).cloned().collect::<Vec<_>>() {
            if self
                .pods
                .iter()
                .any(|pod| pod.owner == Owner::DaemonSet && pod.node.as_ref() == Some(&node.name))
            {
                continue;
            }
            let ready_at = node.ready_at;
            let mut add = |name: String, owner, at: Option<i64>| {
                self.pods.push(Pod {
                    name,
                    namespace: "kube-system",
                    owner,
                    node: Some(node.name.clone()),
                    ready_at: at,
                    gone_by: None,
                });
            };
            let start = self.pace.start;
            add(format!("agent-{}", node.name), Owner::DaemonSet, ready_at.map(|at| at + start));
            for part in PARTS.into_iter().filter(|_| node.is_master) {
                add(format!("{part}-{}", node.name), Owner::Node(part), ready_at);
            }
        }
    }

    fn run_workloads(&mut self, is_first: bool) {
        for workload in self.workloads.clone() {
            let owner = Owner::Workload(workload.name);
            let standing = self.pods.iter().filter(|p| p.owner == owner && p.gone_by.is_none());
            for _ in standing.count()..workload.replicas {
                self.made += 1;
                self.pods.push(Pod {
                    name: format!("{}-{}", workload.name, self.made),
                    namespace: if workload.priority.is_empty() { "default" } else { "kube-system" },
                    owner: owner.clone(),
                    node: None,
                    ready_at: None,
                    gone_by: None,
                });
            }
        }
        for at in 0..self.pods.len() {
            if self.pods[at].node.is_some() {
                continue;
            }
            let Some(node) = self.choose_node() else { continue };
            let crashes = self.workloads.iter().any(|workload| {
                self.pods[at].owner == Owner::Workload(workload.name) && workload.crashes
            });
            let start = if is_first { 0 } else { self.pace.start };
            self.pods[at].node = Some(node);
            self.pods[at].ready_at = (!crashes).then_some(self.now + start);
        }
    }

    /// Where a new pod goes: a node that takes pods, without a taint if there is one, with few.
    fn choose_node(&self) -> Option<String> {
        let takes = |node: &&Node| self.is_ready(node) && !node.is_cordoned && !node.is_master;
        let load = |node: &Node| {
            let on = self.pods.iter().filter(|pod| pod.node.as_ref() == Some(&node.name));
            (!node.taints.is_empty(), on.count())
        };
        let best = self.nodes.values().filter(takes).min_by_key(|node| load(node));
        best.map(|node| node.name.clone())
    }

    /// Notes what was the worst so far.
    fn check(&mut self, report: &Json) {
        let mut serving: BTreeMap<String, usize> = BTreeMap::new();
        let mut standing: BTreeMap<String, usize> = BTreeMap::new();
        for name in report["groups"].as_object().unwrap().keys() {
            serving.insert(name.clone(), 0);
            standing.insert(name.clone(), 0);
        }
        for node in self.nodes.values().filter(|node| self.is_ready(node) && !node.is_cordoned) {
            *serving.entry(node.group.clone()).or_default() += 1;
        }
        for instance in self.instances.iter().filter(|instance| instance.is_live) {
            *standing.entry(instance.group.clone()).or_default() += 1;
        }
        for (group, count) in serving {
            let fewest = self.fewest.entry(group).or_insert(count);
            *fewest = (*fewest).min(count);
        }
        for (group, count) in standing {
            let most = self.most.entry(group).or_insert(count);
            *most = (*most).max(count);
        }
        let masters: usize = report["groups"]
            .as_object()
            .unwrap()
            .iter()
            .filter(|(name, _)| name.contains(".masters."))
            .map(|(_, desired)| desired.as_u64().unwrap() as usize)
            .sum();
        let ready = self.nodes.values().filter(|node| node.is_master && self.is_ready(node));
        self.masters_down = self.masters_down.max(masters.saturating_sub(ready.count()));
        for workload in self.workloads.clone() {
            if let Some(needed) = workload.budget
                && self.healthy(workload.name) < needed.min(workload.replicas)
                && !workload.crashes
            {
                self.violations.push(format!("the budget of {} was broken", workload.name));
            }
        }
    }

    fn healthy(&self, workload: &'static str) -> usize {
        let owner = Owner::Workload(workload);
        let healthy = self
            .pods
            .iter()
            .filter(|pod| pod.owner == owner && pod.gone_by.is_none() && self.is_pod_ready(pod));
        healthy.count()
    }

    fn is_pod_ready(&self, pod: &Pod) -> bool {
        let since = self.now - self.begun;
        let flaps = self.troubles.iter().any(|trouble| {
            matches!(trouble, Trouble::Flaps(name, from, to)
                if pod.owner == Owner::Workload(name) && (*from..*to).contains(&since) && since / 5 % 2 == 0)
        });
        !flaps && pod.node.is_some() && pod.ready_at.is_some_and(|at| at <= self.now)
    }

    pub fn evict(&mut self, namespace: &str, name: &str) -> Result<(), Refused> {
        let at = self.pods.iter().position(|pod| pod.name == name && pod.namespace == namespace);
        let at = at.ok_or(Refused::Missing)?;
        if let Owner::Workload(workload) = self.pods[at].owner {
            let kept = self.workloads.iter().find(|one| one.name == workload);
            let budget = kept.and_then(|one| one.budget);
            if budget.is_some_and(|needed| self.healthy(workload) <= needed) {
                return Err(Refused::Budget);
            }
        }
        self.pods[at].gone_by = Some(self.now + self.pace.grace);
        self.evictions += 1;
        Ok(())
    }

    /// A strategic merge patch of what the binary changes in nodes.
    pub fn patch_node(&mut self, name: &str, patch: &Json) -> Option<Json> {
        let node = self.nodes.values_mut().find(|node| node.name == name)?;
        for (which, kept) in [("annotations", &mut node.annotations), ("labels", &mut node.labels)]
        {
            for (key, value) in patch["metadata"][which].as_object().into_iter().flatten() {
                match value {
                    Json::Null => drop(kept.remove(key)),
                    value => drop(kept.insert(key.clone(), value.clone())),
                }
            }
        }
        if let Some(spec) = patch["spec"].as_object() {
            if let Some(value) = spec.get("unschedulable") {
                node.is_cordoned = value == true;
            }
            for taint in spec.get("taints").and_then(Json::as_array).into_iter().flatten() {
                node.taints.retain(|kept| kept["key"] != taint["key"]);
                if taint["$patch"] != "delete" {
                    node.taints.push(taint.clone());
                }
            }
        }
        let node = node.clone();
        Some(self.node(&node))
    }

    pub fn nodes(&self) -> Vec<Json> {
        self.nodes.values().map(|node| self.node(node)).collect()
    }

    fn node(&self, node: &Node) -> Json {
        let ready = self.is_ready(node);
        let is_strange = self.troubles.contains(&Trouble::Strangers);
        let instance = if is_strange { "i-0" } else { &node.instance };
        let provider = format!("aws:///{}/{instance}", node.zone);
        let provider = (!self.troubles.contains(&Trouble::Anonymous)).then_some(provider);
        json!({
            "metadata": {
                "name": node.name, "uid": node.instance, "annotations": node.annotations,
                "labels": node.labels, "creationTimestamp": rfc3339(node.joined),
            },
            "spec": {
                "providerID": provider,
                "unschedulable": node.is_cordoned.then_some(true), "taints": node.taints,
            },
            "status": {"conditions": [{
                "type": "Ready", "status": if ready { "True" } else { "False" },
                "reason": if ready { "KubeletReady" } else { "KubeletNotReady" },
                "message": if ready { "" } else { "container runtime is down" },
            }]},
        })
    }

    pub fn pods(&self) -> Vec<Json> {
        self.pods.iter().map(|pod| self.pod(pod)).collect()
    }

    fn pod(&self, pod: &Pod) -> Json {
        let controller = |kind: &str, name: &str| {
            json!([{"apiVersion": "apps/v1", "kind": kind, "name": name, "uid": name,
                    "controller": true}])
        };
        let (owners, labels, priority) = match &pod.owner {
            Owner::Workload(name) => {
                let workload = self.workloads.iter().find(|one| one.name == *name);
                let priority = workload.map_or("", |workload| workload.priority);
                (controller("ReplicaSet", name), json!({"app": name}), priority)
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
        let ready = self.is_pod_ready(pod);
        json!({
            "metadata": {
                "name": pod.name, "namespace": pod.namespace, "uid": pod.name, "labels": labels,
                "ownerReferences": owners, "deletionTimestamp": pod.gone_by.map(rfc3339),
                "annotations": mirror.then(|| json!({"kubernetes.io/config.mirror": "1"})),
            },
            "spec": {
                "nodeName": pod.node, "priorityClassName": priority,
                "containers": [{"name": "main", "image": "main"}],
            },
            "status": {
                "phase": if pod.node.is_some() { "Running" } else { "Pending" },
                "containerStatuses": [{
                    "name": "main", "ready": ready, "image": "main", "imageID": "", "restartCount": 0,
                }],
            },
        })
    }

    pub fn budgets(&self) -> Vec<Json> {
        let with = self.workloads.iter().filter_map(|one| Some((one, one.budget?)));
        with.map(|(workload, needed)| {
            let healthy = self.healthy(workload.name);
            json!({
                "metadata": {
                    "name": workload.name,
                    "namespace": if workload.priority.is_empty() { "default" } else { "kube-system" },
                },
                "spec": {
                    "minAvailable": needed,
                    "selector": {"matchLabels": {"app": workload.name}},
                },
                "status": {
                    "disruptionsAllowed": healthy.saturating_sub(needed),
                    "currentHealthy": healthy, "desiredHealthy": needed,
                    "expectedPods": workload.replicas,
                },
            })
        })
        .collect()
    }
}

fn rfc3339(seconds: i64) -> String {
    let time = k8s_openapi::jiff::Timestamp::from_second(seconds).unwrap();
    time.to_string()
}
