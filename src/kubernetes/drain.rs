//! Emptying a node as `kubectl drain --ignore-daemonsets --delete-emptydir-data --force`
//! does: which pods must leave, and which marks the node gets.

use serde_json::{Value as Json, json};

use super::Look;
use super::node::{CORDONED, Node, TAINT};
use super::pod::Pod;

/// Takes a node out of the load balancers of services (Kubernetes, "Well-Known Labels").
const EXCLUDED: &str = "node.kubernetes.io/exclude-from-external-load-balancers";

/// How long after its time a pod of a dead node is waited for, in seconds.
const PATIENCE: i64 = 30;

/// The pods that a node must be rid of before it may go.
pub(crate) fn remaining<'a>(look: &'a Look, node: &'a Node, now: i64) -> Vec<&'a Pod> {
    let must_leave = |pod: &&Pod| {
        let is_of_daemon_set =
            pod.owner.as_deref().is_some_and(|owner| owner.starts_with("DaemonSet/"));
        // The kubelet of a node that is not ready may be gone, and then nobody ends its pods.
        let is_lost = !node.is_ready() && pod.gone_by.is_some_and(|time| now >= time + PATIENCE);
        !pod.is_mirror && !is_of_daemon_set && !is_lost
    };
    look.pods_on(&node.name).filter(must_leave).collect()
}

pub(super) fn cordon_patch() -> Json {
    json!({
        "metadata": {"annotations": {CORDONED: "true"}, "labels": {EXCLUDED: ""}},
        "spec": {"unschedulable": true},
    })
}

pub(super) fn release_patch() -> Json {
    json!({
        "metadata": {"annotations": {CORDONED: null}, "labels": {EXCLUDED: null}},
        "spec": {"unschedulable": null, "taints": [{"$patch": "delete", "key": TAINT}]},
    })
}

pub(super) fn taint_patch() -> Json {
    json!({"spec": {"taints": [{"key": TAINT, "effect": "PreferNoSchedule"}]}})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_come_back_or_cannot_leave_is_left() {
        let pod = |name: &str| Pod {
            name: name.to_owned(),
            node: Some("one".to_owned()),
            ..Pod::default()
        };
        let owned = |name: &str, owner: &str| Pod { owner: Some(owner.to_owned()), ..pod(name) };
        let mut look = Look {
            pods: vec![
                owned("agent", "DaemonSet/agent"),
                Pod { is_mirror: true, ..pod("apiserver") },
                owned("web", "ReplicaSet/web"),
                pod("bare"),
                Pod { gone_by: Some(100), ..owned("ending", "ReplicaSet/web") },
                Pod { node: Some("other".to_owned()), ..pod("elsewhere") },
            ],
            ..Look::default()
        };
        look.nodes.push(Node { name: "one".to_owned(), ..Node::default() });
        let names = |look: &Look, now| {
            let left = remaining(look, &look.nodes[0], now);
            left.iter().map(|pod| pod.name.clone()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(names(&look, 1_000), "web bare ending");
        look.nodes[0].not_ready = Some("the kubelet stopped".to_owned());
        assert_eq!(names(&look, 110), "web bare ending");
        assert_eq!(names(&look, 130), "web bare");
    }
}
