//! What happens in the simulated cluster: instances become nodes, controllers do their work,
//! and what must never happen is noted.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value as Json, json};

use super::Pace;
use super::nodes::{EXCLUDED, MASTER, Node};
use super::troubles::{Happens, Trouble};
pub use super::workloads::{WEB, Workload};

#[derive(Clone, Debug)]
pub struct Pod {
    pub name: String,
    pub uid: String,
    pub namespace: &'static str,
    pub owner: Owner,
    pub node: Option<String>,
    pub ready_at: Option<i64>,
    pub deletion: Option<Deletion>,
    pub has_failed: bool,
}

/// A pod's end: the time it is given, and when its kubelet is done with it.
#[derive(Clone, Debug)]
pub struct Deletion {
    pub grace: i64,
    pub at: i64,
    pub ends: i64,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Owner {
    Workload(&'static str),
    DaemonSet,
    /// A static pod of a master.
    Node(&'static str),
    Nobody,
}

pub struct Cluster {
    pub pace: Pace,
    pub now: i64,
    pub begun: i64,
    /// By how much the binary's clock is ahead of all others.
    pub clock_ahead: i64,
    pub troubles: Vec<Trouble>,
    pub workloads: Vec<Workload>,
    /// Taints that nodes of a group have from the beginning.
    pub group_taints: BTreeMap<&'static str, Json>,
    /// Namespaces that are being deleted.
    pub ending_namespaces: BTreeSet<String>,
    /// The status of budgets is older than they are.
    pub stale_budgets: bool,
    /// What must never happen, and did.
    pub violations: Vec<String>,
    /// The pods whose eviction was granted.
    pub evictions: Vec<String>,
    pub requests: usize,
    /// Method, path and code of each request.
    pub log: Vec<String>,
    /// The fewest nodes of each group that served at any moment, and the most instances.
    pub fewest: BTreeMap<String, usize>,
    pub most: BTreeMap<String, usize>,
    /// The most masters that were not ready at any moment.
    pub masters_down: usize,
    /// What is in each group, by its short name.
    pub instances: Vec<Instance>,
    /// By name.
    pub(super) nodes: BTreeMap<String, Node>,
    pub(super) pods: Vec<Pod>,
    /// Since when nodes are no more.
    pub(super) lost: BTreeMap<String, i64>,
    pub(super) made: usize,
    /// The newest resource version.
    pub(super) version: usize,
    /// Under which names and for which groups instances registered, and which names of a group
    /// are free again.
    registered: BTreeMap<String, String>,
    groups: BTreeMap<String, String>,
    freed: Vec<(String, String)>,
    running_since: BTreeMap<String, i64>,
    pub(super) throttles: Vec<(&'static str, usize, u32)>,
    pub(super) expiries: usize,
    pub(super) interruptions: Vec<(&'static str, Happens)>,
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
            clock_ahead: 0,
            troubles: Vec::new(),
            workloads: vec![WEB],
            group_taints: BTreeMap::new(),
            ending_namespaces: BTreeSet::new(),
            stale_budgets: false,
            violations: Vec::new(),
            evictions: Vec::new(),
            requests: 0,
            log: Vec::new(),
            fewest: BTreeMap::new(),
            most: BTreeMap::new(),
            masters_down: 0,
            instances: Vec::new(),
            nodes: BTreeMap::new(),
            pods: Vec::new(),
            lost: BTreeMap::new(),
            made: 0,
            version: 1,
            registered: BTreeMap::new(),
            groups: BTreeMap::new(),
            freed: Vec::new(),
            running_since: BTreeMap::new(),
            throttles: Vec::new(),
            expiries: 0,
            interruptions: Vec::new(),
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
        self.keep_taints();
        self.end_pods();
        self.run_node_pods();
        self.run_workloads(is_first);
        self.check(report);
    }

    pub fn any_node(&mut self, group: &str) -> &mut Node {
        let is_of = |node: &&mut Node| node.group.starts_with(group) && !node.is_down;
        self.nodes.values_mut().find(is_of).unwrap()
    }

    pub fn nodes_of(&self, group: &str) -> Vec<Node> {
        let is_of = |node: &&Node| node.group.starts_with(group) && !node.is_down;
        self.nodes.values().filter(is_of).cloned().collect()
    }

    /// Makes a node of the group fail for good.
    pub fn break_node(&mut self, group: &str) -> String {
        let node = self.any_node(group);
        node.ready_at = None;
        node.name().to_owned()
    }

    /// Stops the kubelet of a node of the group.
    pub fn silence_node(&mut self, group: &str) -> String {
        let now = self.now;
        let node = self.any_node(group);
        node.ready_at = None;
        node.silent_since = Some(now);
        node.name().to_owned()
    }

    /// Stops the kubelet of this node.
    pub fn silence(&mut self, name: &str) {
        let node = self.nodes.get_mut(name).unwrap();
        (node.ready_at, node.silent_since) = (None, Some(self.now));
    }

    pub fn mend_nodes(&mut self) {
        for node in self.nodes.values_mut() {
            node.ready_at.get_or_insert(self.now);
            node.silent_since = None;
        }
    }

    pub fn annotate(&mut self, group: &str, key: &str) -> String {
        let node = self.any_node(group).clone();
        self.write_node(node.name(), |object| object["metadata"]["annotations"][key] = json!(""));
        node.instance
    }

    /// Cordons a node by its name, or one of a group, as an operator does.
    pub fn cordon(&mut self, which: &str) -> String {
        let name = match self.nodes.contains_key(which) {
            true => which.to_owned(),
            false => self.any_node(which).name().to_owned(),
        };
        self.write_node(&name, |object| object["spec"]["unschedulable"] = json!(true));
        name
    }

    /// Gives the nodes of a group a taint, those too that are to come.
    pub fn taint(&mut self, group: &'static str, taint: Json) {
        for node in self.nodes_of(group) {
            self.write_node(node.name(), |object| {
                object["spec"]["taints"].as_array_mut().unwrap().push(taint.clone());
            });
        }
        self.group_taints.insert(group, taint);
    }

    /// The names of nodes that carry what a rolling update puts there.
    pub fn marked(&self) -> Vec<String> {
        let marked = self.nodes.values().filter(|node| !node.is_down && node.is_marked());
        marked.map(|node| node.name().to_owned()).collect()
    }

    pub fn cordoned(&self) -> usize {
        self.nodes.values().filter(|node| node.is_cordoned() && !node.is_down).count()
    }

    /// Begins to count anew.
    pub fn forget(&mut self) {
        self.fewest.clear();
        self.most.clear();
        self.violations.clear();
        self.masters_down = 0;
        self.evictions.clear();
        self.requests = 0;
        self.log.clear();
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
            self.registered.keys().filter(|id| !present.contains(id)).cloned().collect();
        for id in gone {
            self.lose(&id);
            // The cloud's controller finds no instance for the node.
            let name = self.registered.remove(&id).unwrap();
            let group = self.groups.remove(&id).unwrap();
            self.freed.push((group, name.clone()));
            let stands = self.nodes.get(&name).is_some_and(|node| node.instance == id);
            if stands && !self.troubles.contains(&Trouble::KeepsNodes) {
                self.forget_node(&name);
            }
        }
    }

    fn join(&mut self, id: &str, group: &str, dns: &str, zone: &str, since: i64) {
        let is_new = since > self.begun;
        let suffers = |trouble: &Trouble| match trouble {
            Trouble::NeverJoins(name) => group.starts_with(name),
            _ => false,
        };
        let joins = since + self.pace.join;
        if self.registered.contains_key(id)
            || self.now < joins
            || (is_new && self.troubles.iter().any(suffers))
        {
            return;
        }
        let never = |trouble: &Trouble| matches!(trouble, Trouble::NeverReady(name) if group.starts_with(name));
        let is_never_ready = is_new && self.troubles.iter().any(never);
        let ready_at = (!is_never_ready).then_some(joins + self.pace.ready);
        let is_master = group.contains(".masters.");
        let name = self.name_of(group, dns);
        let starts = self.troubles.iter().find_map(|trouble| match trouble {
            Trouble::StartsTainted(of, key, seconds) if is_new && group.starts_with(of) => {
                Some(((*key).to_owned(), ready_at? + seconds))
            }
            _ => None,
        });
        self.registered.insert(id.to_owned(), name.clone());
        self.groups.insert(id.to_owned(), group.to_owned());
        // A kubelet takes over what stands under its name, as it is.
        let object = match self.nodes.get(&name) {
            Some(node) => node.object.clone(),
            None => self.new_node(&name, id, zone, joins),
        };
        self.lost.remove(&name);
        let node = Node {
            object,
            instance: id.to_owned(),
            dns: dns.to_owned(),
            group: group.to_owned(),
            is_master,
            ready_at,
            silent_since: None,
            is_down: false,
            starts,
        };
        let of_group = self.group_taints.iter().find(|(of, _)| group.starts_with(**of));
        let mut taints: Vec<Json> = of_group.into_iter().map(|(_, taint)| taint.clone()).collect();
        taints
            .extend(node.starts.iter().map(|(key, _)| json!({"key": key, "effect": "NoSchedule"})));
        if is_master {
            taints.push(json!({"key": MASTER, "effect": "NoSchedule"}));
        }
        self.nodes.insert(name.clone(), node);
        self.write_node(&name, |object| {
            if is_master {
                object["metadata"]["labels"][MASTER] = json!("");
                object["metadata"]["labels"][EXCLUDED] = json!("");
            }
            let kept = object["spec"]["taints"].as_array_mut().unwrap();
            taints.retain(|taint| !kept.contains(taint));
            kept.extend(taints);
        });
    }

    fn name_of(&mut self, group: &str, dns: &str) -> String {
        let reuses = |trouble: &Trouble| matches!(trouble, Trouble::ReusesNames(of) if group.starts_with(of));
        let at = self.freed.iter().position(|(of, _)| of == group);
        match at {
            Some(at) if self.troubles.iter().any(reuses) => self.freed.remove(at).1,
            _ => dns.to_owned(),
        }
    }

    /// An instance shuts down, with whatever still runs on it.
    fn lose(&mut self, id: &str) {
        let Some(name) = self.registered.get(id).cloned() else { return };
        if self.registered.iter().any(|(other, one)| other != id && *one == name) {
            return;
        }
        if let Some(node) = self.nodes.get_mut(&name) {
            node.is_down = true;
        }
        for pod in self.pods.iter().filter(|pod| pod.node.as_ref() == Some(&name)) {
            if matches!(pod.owner, Owner::Workload(_) | Owner::Nobody) && !pod.has_failed {
                self.violations.push(format!("{} was killed with its node, not evicted", pod.name));
            }
        }
        self.pods.retain(|pod| {
            pod.node.as_ref() != Some(&name)
                || !matches!(pod.owner, Owner::Workload(_) | Owner::Nobody)
        });
    }

    /// A node is taken away; mirror pods go with it, the garbage collector takes the others.
    pub(super) fn forget_node(&mut self, name: &str) {
        self.nodes.remove(name);
        self.lost.insert(name.to_owned(), self.now);
        let goes =
            |pod: &Pod| matches!(pod.owner, Owner::Node(_)) && pod.node.as_deref() == Some(name);
        self.pods.retain(|pod| !goes(pod));
    }

    pub fn is_ready(&self, node: &Node) -> bool {
        !node.is_down && node.ready_at.is_some_and(|at| at <= self.now)
    }

    /// Notes what was the worst so far.
    fn check(&mut self, report: &Json) {
        let mut serving: BTreeMap<String, usize> = BTreeMap::new();
        let mut standing: BTreeMap<String, usize> = BTreeMap::new();
        for name in report["groups"].as_object().unwrap().keys() {
            serving.insert(name.clone(), 0);
            standing.insert(name.clone(), 0);
        }
        let serves =
            |node: &&Node| self.is_ready(node) && !node.is_cordoned() && !node.is_starting();
        for node in self.nodes.values().filter(serves) {
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
}

pub fn rfc3339(seconds: i64) -> String {
    let time = k8s_openapi::jiff::Timestamp::from_second(seconds).unwrap();
    time.to_string()
}
