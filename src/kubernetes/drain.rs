//! Emptying a node as `kubectl drain --ignore-daemonsets --delete-emptydir-data --force`
//! does: which pods must leave.

use super::Look;
use super::node::Node;
use super::pod::Pod;

/// The pods that are to leave a node before it goes, of all that are on it now.
pub(crate) fn leaving<'a>(look: &'a Look, node: &'a Node) -> Vec<&'a Pod> {
    let must_leave = |pod: &&Pod| {
        let is_of_daemon_set =
            pod.owner.as_deref().is_some_and(|owner| owner.starts_with("DaemonSet/"));
        !pod.is_mirror && !is_of_daemon_set
    };
    look.pods_on(&node.name).filter(must_leave).collect()
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
        let left = leaving(&look, &look.nodes[0]);
        let names: Vec<&str> = left.iter().map(|pod| pod.name.as_str()).collect();
        assert_eq!(names, ["web", "bare", "ending"]);
    }
}
