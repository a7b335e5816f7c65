//! What an update changes in a node, and how it is taken back: each patch is worked out from
//! the node as it was just read, and holds only while it is still so.
//!
//! `spec.taints` is one value to the API: a patch that names taints names them all (core/v1,
//! `NodeSpec`, `listType=atomic`). An annotation, written in the same patch, lists what was not
//! there before; nothing else is ever taken back.

use std::fmt;

use serde_json::{Map, Value as Json, json};

/// Lists our marks.
pub(super) const NOTE: &str = "kapstan.io/rolling-update";
/// The taint of nodes that are to be replaced; kops' own, so that either tool knows it.
pub(super) const TAINT: &str = "kops.k8s.io/scheduled-for-update";
/// Takes a node out of the load balancers of services (Kubernetes, "Well-Known Labels").
pub(super) const EXCLUDED: &str = "node.kubernetes.io/exclude-from-external-load-balancers";

/// What is ours on a node.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Marks {
    pub(crate) taint: bool,
    pub(crate) cordon: bool,
    pub(crate) exclude: bool,
}

impl Marks {
    pub(super) fn read(note: &str) -> Self {
        let has = |word: &str| note.split(',').any(|mark| mark.trim() == word);
        Self { taint: has("taint"), cordon: has("cordon"), exclude: has("exclude") }
    }

    pub(crate) fn is_empty(self) -> bool {
        self == Self::default()
    }

    /// The commands that take them away by hand.
    pub(crate) fn undo(self, node: &str) -> Vec<String> {
        let commands = [
            (self.cordon, format!("kubectl uncordon {node}")),
            (self.exclude, format!("kubectl label node {node} {EXCLUDED}-")),
            (self.taint, format!("kubectl taint node {node} {TAINT}-")),
            (!self.is_empty(), format!("kubectl annotate node {node} {NOTE}-")),
        ];
        commands.into_iter().filter(|(is_due, _)| *is_due).map(|(_, command)| command).collect()
    }
}

impl fmt::Display for Marks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = [(self.cordon, "cordon"), (self.exclude, "exclude"), (self.taint, "taint")];
        let words: Vec<&str> = words.iter().filter(|one| one.0).map(|one| one.1).collect();
        f.write_str(&words.join(","))
    }
}

/// The patch that asks the scheduler to keep pods off a node where it can; none where it does.
pub(super) fn taint(node: &Json) -> Option<Json> {
    let mut taints = taints(node);
    if taints.iter().any(is_ours) {
        return None;
    }
    taints.push(json!({"key": TAINT, "effect": "PreferNoSchedule"}));
    let marks = Marks { taint: true, ..marks(node) };
    Some(patch(node, marks, json!({}), json!({"taints": taints})))
}

/// The patch that lets no new pods onto a node, nor connections of load balancers. A cordon and
/// a label that are there already stay their owner's.
pub(super) fn cordon(node: &Json) -> Option<Json> {
    let mut marks = marks(node);
    let mut labels = Map::new();
    let mut spec = Map::new();
    if node["spec"]["unschedulable"] != true {
        marks.cordon = true;
        spec.insert("unschedulable".to_owned(), json!(true));
    }
    if node["metadata"]["labels"].get(EXCLUDED).is_none() {
        marks.exclude = true;
        labels.insert(EXCLUDED.to_owned(), json!(""));
    }
    let is_done = labels.is_empty() && spec.is_empty();
    (!is_done).then(|| patch(node, marks, json!(labels), json!(spec)))
}

/// The patch that takes back what is ours; none where nothing is.
pub(super) fn release(node: &Json) -> Option<Json> {
    node["metadata"]["annotations"].get(NOTE)?;
    let marks = marks(node);
    let mut labels = Map::new();
    let mut spec = Map::new();
    if marks.cordon {
        spec.insert("unschedulable".to_owned(), Json::Null);
    }
    if marks.exclude {
        labels.insert(EXCLUDED.to_owned(), Json::Null);
    }
    if marks.taint {
        let mut taints = taints(node);
        taints.retain(|taint| !is_ours(taint));
        spec.insert("taints".to_owned(), json!(taints));
    }
    Some(patch(node, Marks::default(), json!(labels), json!(spec)))
}

fn patch(node: &Json, marks: Marks, labels: Json, spec: Json) -> Json {
    let note = if marks.is_empty() { Json::Null } else { json!(marks.to_string()) };
    json!({
        "metadata": {
            "resourceVersion": node["metadata"]["resourceVersion"],
            "annotations": {NOTE: note},
            "labels": labels,
        },
        "spec": spec,
    })
}

fn marks(node: &Json) -> Marks {
    let note = node["metadata"]["annotations"][NOTE].as_str();
    note.map(Marks::read).unwrap_or_default()
}

fn taints(node: &Json) -> Vec<Json> {
    node["spec"]["taints"].as_array().cloned().unwrap_or_default()
}

fn is_ours(taint: &Json) -> bool {
    taint["key"] == TAINT
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(metadata: Json, spec: Json) -> Json {
        let mut node = json!({"metadata": metadata, "spec": spec});
        node["metadata"]["resourceVersion"] = json!("7");
        node
    }

    #[test]
    fn a_taint_is_written_beside_all_others_under_the_version_that_was_read() {
        let others = json!([{"key": "gpu", "value": "yes", "effect": "NoSchedule"}]);
        let patch = taint(&node(json!({}), json!({"taints": others}))).unwrap();
        assert_eq!(
            patch,
            json!({
                "metadata": {
                    "resourceVersion": "7", "annotations": {NOTE: "taint"}, "labels": {},
                },
                "spec": {"taints": [
                    {"key": "gpu", "value": "yes", "effect": "NoSchedule"},
                    {"key": TAINT, "effect": "PreferNoSchedule"},
                ]},
            })
        );
        let tainted = json!({"taints": [{"key": TAINT, "effect": "PreferNoSchedule"}]});
        assert_eq!(taint(&node(json!({}), tainted)), None);
    }

    #[test]
    fn what_others_set_is_neither_marked_nor_taken_back() {
        let excluded = json!({"labels": {EXCLUDED: "by the kubelet"}});
        let patch = cordon(&node(excluded.clone(), json!({}))).unwrap();
        assert_eq!(patch["metadata"]["annotations"], json!({NOTE: "cordon"}));
        assert_eq!(patch["metadata"]["labels"], json!({}));
        let cordoned = json!({"unschedulable": true});
        let patch = cordon(&node(json!({}), cordoned.clone())).unwrap();
        assert_eq!(patch["metadata"]["annotations"], json!({NOTE: "exclude"}));
        assert_eq!(patch["spec"], json!({}));
        assert_eq!(cordon(&node(excluded, cordoned.clone())), None);
        assert_eq!(release(&node(json!({}), cordoned)), None);
    }

    #[test]
    fn a_release_takes_what_the_note_lists_and_no_more() {
        let ours = json!({"key": TAINT, "effect": "PreferNoSchedule"});
        let of_others = json!({"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"});
        let note = json!({"annotations": {NOTE: "cordon,taint"}, "labels": {EXCLUDED: ""}});
        let spec = json!({"unschedulable": true, "taints": [of_others, ours]});
        let patch = release(&node(note, spec)).unwrap();
        assert_eq!(patch["metadata"]["annotations"], json!({NOTE: null}));
        assert_eq!(patch["metadata"]["labels"], json!({}));
        assert_eq!(patch["spec"], json!({"unschedulable": null, "taints": [of_others]}));
    }

    #[test]
    fn marks_read_as_they_are_written_and_name_the_commands_that_undo_them() {
        let marks = Marks { taint: true, cordon: true, exclude: false };
        assert_eq!(Marks::read(&marks.to_string()), marks);
        assert_eq!(Marks::read("something else"), Marks::default());
        assert_eq!(
            marks.undo("ip-5"),
            [
                "kubectl uncordon ip-5",
                "kubectl taint node ip-5 kops.k8s.io/scheduled-for-update-",
                "kubectl annotate node ip-5 kapstan.io/rolling-update-",
            ]
        );
    }
}
