//! Nodes as the API keeps them: patched under preconditions, and written to by controllers too.

use serde_json::{Value as Json, json};

use super::answers::Refusal;
use super::cluster::{Cluster, rfc3339};
use super::patches;
use super::troubles::{Denial, Trouble};

pub const MASTER: &str = "node-role.kubernetes.io/control-plane";
pub const EXCLUDED: &str = "node.kubernetes.io/exclude-from-external-load-balancers";
pub const SCHEDULED: &str = "kops.k8s.io/scheduled-for-update";
/// How long pods tolerate a node whose kubelet is silent (admission `DefaultTolerationSeconds`).
pub const TOLERATED: i64 = 300;

#[derive(Clone, Debug)]
pub struct Node {
    /// Its metadata and spec.
    pub object: Json,
    /// The instance whose kubelet speaks for it, and its name in the network.
    pub instance: String,
    pub dns: String,
    pub group: String,
    pub is_master: bool,
    pub ready_at: Option<i64>,
    /// Since when its kubelet is silent.
    pub silent_since: Option<i64>,
    /// Its instance is gone.
    pub is_down: bool,
    /// A taint that an agent takes away, and when.
    pub starts: Option<(String, i64)>,
}

impl Node {
    pub fn name(&self) -> &str {
        self.object["metadata"]["name"].as_str().unwrap()
    }

    pub fn uid(&self) -> &str {
        self.object["metadata"]["uid"].as_str().unwrap()
    }

    pub fn is_cordoned(&self) -> bool {
        self.object["spec"]["unschedulable"] == true
    }

    pub fn taints(&self) -> &[Json] {
        self.object["spec"]["taints"].as_array().map(Vec::as_slice).unwrap_or_default()
    }

    pub fn taint_keys(&self) -> Vec<String> {
        self.taints().iter().map(|taint| taint["key"].as_str().unwrap().to_owned()).collect()
    }

    /// Whether it keeps pods off that do not tolerate everything.
    pub fn is_closed(&self) -> bool {
        let forbids = |taint: &Json| taint["effect"] != "PreferNoSchedule";
        self.is_cordoned() || self.taints().iter().any(forbids)
    }

    /// Whether an agent has yet to take away the taint that it began with.
    pub fn is_starting(&self) -> bool {
        self.starts.as_ref().is_some_and(|(key, _)| self.taint_keys().contains(key))
    }

    /// Whether it carries what a rolling update puts there.
    pub fn is_marked(&self) -> bool {
        let metadata = &self.object["metadata"];
        let notes = metadata["annotations"].as_object();
        self.is_cordoned()
            || self.taint_keys().iter().any(|key| key == SCHEDULED)
            || notes.into_iter().flatten().any(|(key, _)| key.starts_with("kapstan.io/"))
            || (!self.is_master && metadata["labels"].get(EXCLUDED).is_some())
    }
}

impl Cluster {
    pub fn node(&mut self, name: &str) -> Result<&mut Node, Refusal> {
        self.nodes.get_mut(name).ok_or_else(|| Refusal::missing("nodes", name))
    }

    /// Takes a patch in; the node as it is then, and the fields of the patch that are not known.
    pub fn patch_node(
        &mut self,
        name: &str,
        content_type: &str,
        patch: &Json,
        is_dry: bool,
    ) -> Result<(Json, Vec<String>), Refusal> {
        let kept = self.node(name)?.object.clone();
        let (mut patched, unknown) = patches::apply(content_type, &kept, patch)?;
        if patched["metadata"]["resourceVersion"] != kept["metadata"]["resourceVersion"] {
            return Err(Refusal::stale("nodes", name));
        }
        if patched["metadata"]["uid"] != kept["metadata"]["uid"] {
            let text = |object: &Json| object["metadata"]["uid"].as_str().unwrap_or("").to_owned();
            return Err(Refusal::another("Node", name, &text(&patched), &text(&kept)));
        }
        check(name, &kept, &patched)?;
        let is_cordoned = patched["spec"]["unschedulable"] == true;
        if is_cordoned && kept["spec"]["unschedulable"] != true {
            self.admit(Denial::Cordons, "nodes", name)?;
        }
        // What changes nothing is no write.
        if patched != kept && !is_dry {
            self.version += 1;
            patched["metadata"]["resourceVersion"] = json!(self.version.to_string());
            self.node(name)?.object = patched.clone();
        }
        Ok((self.shown_node(&Node { object: patched, ..self.nodes[name].clone() }), unknown))
    }

    pub fn delete_node(&mut self, name: &str, uid: Option<&str>) -> Result<(), Refusal> {
        let kept = self.node(name)?.uid().to_owned();
        if let Some(uid) = uid.filter(|uid| *uid != kept) {
            return Err(Refusal::another("Node", name, uid, &kept));
        }
        self.forget_node(name);
        Ok(())
    }

    /// Writes to a node as others do: operators, agents, controllers.
    pub fn write_node(&mut self, name: &str, write: impl FnOnce(&mut Json)) {
        let mut object = self.nodes[name].object.clone();
        write(&mut object);
        if object != self.nodes[name].object {
            self.version += 1;
            object["metadata"]["resourceVersion"] = json!(self.version.to_string());
            self.nodes.get_mut(name).unwrap().object = object;
        }
    }

    /// The taints that the node lifecycle controller and agents keep up to date.
    pub fn keep_taints(&mut self) {
        let now = self.now;
        for node in self.nodes.values().cloned().collect::<Vec<_>>() {
            let mut due: Vec<(&str, &str)> = Vec::new();
            if node.silent_since.is_some() || node.is_down {
                due.push(("node.kubernetes.io/unreachable", "NoSchedule"));
                due.push(("node.kubernetes.io/unreachable", "NoExecute"));
            } else if !self.is_ready(&node) {
                due.push(("node.kubernetes.io/not-ready", "NoSchedule"));
            }
            if node.is_cordoned() {
                due.push(("node.kubernetes.io/unschedulable", "NoSchedule"));
            }
            let over = node.starts.as_ref().filter(|(_, until)| *until <= now);
            let over = over.map(|(key, _)| key.clone());
            self.write_node(node.name(), |object| {
                let mut taints: Vec<Json> =
                    object["spec"]["taints"].as_array().cloned().unwrap_or_default();
                taints.retain(|taint| {
                    let key = taint["key"].as_str().unwrap();
                    let is_kept =
                        due.iter().any(|(due, effect)| *due == key && taint["effect"] == *effect);
                    over.as_deref() != Some(key)
                        && (is_kept || !key.starts_with("node.kubernetes.io/"))
                });
                for (key, effect) in due {
                    let is_there =
                        taints.iter().any(|taint| taint["key"] == key && taint["effect"] == effect);
                    if !is_there {
                        taints.push(json!({"key": key, "effect": effect}));
                    }
                }
                object["spec"]["taints"] = json!(taints);
            });
            if node.silent_since.is_some_and(|since| now - since >= TOLERATED) {
                self.end_pods_of(node.name());
            }
        }
    }

    pub fn shown_nodes(&self) -> Vec<Json> {
        self.nodes.values().map(|node| self.shown_node(node)).collect()
    }

    fn shown_node(&self, node: &Node) -> Json {
        let mut shown = node.object.clone();
        if self.troubles.contains(&Trouble::Anonymous) {
            shown["spec"]["providerID"] = Json::Null;
        }
        if self.troubles.contains(&Trouble::Strangers) {
            shown["spec"]["providerID"] = json!("aws:///us-west-2a/i-0");
        }
        let (status, reason, message) = match (node.silent_since, self.is_ready(node)) {
            (Some(_), _) => {
                ("Unknown", "NodeStatusUnknown", "Kubelet stopped posting node status.")
            }
            (None, true) => ("True", "KubeletReady", "kubelet is posting ready status"),
            (None, false) => ("False", "KubeletNotReady", "container runtime is down"),
        };
        let created = shown["metadata"]["creationTimestamp"].clone();
        let since = node.silent_since.or(node.ready_at.filter(|_| status == "True"));
        let since = since.map_or(created, |since| json!(rfc3339(since)));
        shown["status"] = json!({
            "conditions": [{
                "type": "Ready", "status": status, "reason": reason, "message": message,
                "lastTransitionTime": since,
            }],
            "addresses": [
                {"type": "InternalDNS", "address": node.dns},
                {"type": "Hostname", "address": node.dns},
            ],
        });
        shown
    }

    /// The object that a kubelet makes of its instance, before anything else writes to it.
    pub fn new_node(&mut self, name: &str, instance: &str, zone: &str, joined: i64) -> Json {
        self.version += 1;
        self.made += 1;
        json!({
            "metadata": {
                "name": name, "uid": format!("node-{}", self.made), "labels": {},
                "annotations": {}, "creationTimestamp": rfc3339(joined),
                "resourceVersion": self.version.to_string(),
            },
            "spec": {
                "providerID": format!("aws:///{zone}/{instance}"),
                "taints": [{"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}],
            },
        })
    }
}

fn check(name: &str, kept: &Json, patched: &Json) -> Result<(), Refusal> {
    let before = &kept["spec"]["providerID"];
    if !before.is_null() && *before != patched["spec"]["providerID"] {
        let problem = "Forbidden: node updates may not change providerID except from \"\" to valid";
        return Err(Refusal::invalid(name, "spec.providerID", problem));
    }
    let taints = patched["spec"]["taints"].as_array().map(Vec::as_slice).unwrap_or_default();
    for (at, taint) in taints.iter().enumerate() {
        let field = format!("metadata.taints[{at}]");
        match taint["effect"].as_str() {
            Some("NoSchedule" | "PreferNoSchedule" | "NoExecute") => {}
            None | Some("") => {
                let field = format!("{field}.effect");
                return Err(Refusal::invalid(name, &field, "Required value"));
            }
            Some(other) => {
                let problem = format!("Unsupported value: {other:?}");
                return Err(Refusal::invalid(name, &format!("{field}.effect"), &problem));
            }
        }
        let is_same = |one: &Json| one["key"] == taint["key"] && one["effect"] == taint["effect"];
        if taints[..at].iter().any(is_same) {
            return Err(Refusal::invalid(name, &field, &format!("Duplicate value: {taint}")));
        }
    }
    Ok(())
}
