//! Kubernetes: nodes, pods and budgets as one look finds them, and the few writes that empty
//! a node. Drain rules and validation are pure.
//!
//! Only this room names types of the `kube` and `k8s-openapi` crates.

pub(crate) mod budget;
pub(crate) mod client;
pub(crate) mod drain;
pub(crate) mod error;
pub(crate) mod node;
pub(crate) mod pod;
pub(crate) mod validation;

use budget::Budget;
use node::Node;
use pod::Pod;

/// What one look at the cluster found.
#[derive(Clone, Debug, Default)]
pub(crate) struct Look {
    pub(crate) nodes: Vec<Node>,
    pub(crate) pods: Vec<Pod>,
    pub(crate) budgets: Vec<Budget>,
}

impl Look {
    /// The node that an instance became.
    pub(crate) fn node_of(&self, instance: &str) -> Option<&Node> {
        self.nodes.iter().find(|node| node.instance.as_deref() == Some(instance))
    }

    pub(crate) fn pods_on<'a>(&'a self, node: &'a str) -> impl Iterator<Item = &'a Pod> {
        self.pods.iter().filter(move |pod| pod.node.as_deref() == Some(node))
    }

    /// The budgets that an eviction of the pod is held against.
    pub(crate) fn budgets_of<'a>(&'a self, pod: &'a Pod) -> impl Iterator<Item = &'a Budget> {
        self.budgets.iter().filter(|budget| budget.covers(pod))
    }
}
