//! Kubernetes: nodes, pods and budgets as one look finds them, and the few writes that empty
//! a node. Drain rules, marks and validation are pure.
//!
//! Nodes and pods are written to as they were seen ([`node::NodeRef`], [`pod::PodRef`]): what
//! has taken over their name since is another, and is left alone. Each write answers whether it
//! was done, else with an [`error::KubernetesError`]:
//!
//! - [`client::Kubernetes::taint`], `cordon` and `release` put [`marks::Marks`] on a node and take
//!   them back; they succeed too where the node is gone. What is ours on a node, and the commands
//!   that take it away, is in `Node::marks` of the next look.
//! - [`client::Kubernetes::evict`] answers with [`client::Evicted`]: asked to leave, or left
//!   already. The error of a refusal is the pod's last answer.
//! - [`client::Kubernetes::delete_node`] is for nodes whose instance was told to end.
//! - [`client::Kubernetes::missing_rights`] is asked before the first write.
//!
//! [`error::Fault`] says what sort of failure it is, and [`error::Fault::passes`] whether waiting
//! helps; credentials are asked about twice before they are refused. [`Look::time`] is the API
//! server's own time, to which times of nodes and pods compare.
//!
//! Only this room names types of the `kube` and `k8s-openapi` crates.

pub(crate) mod budget;
pub(crate) mod client;
pub(crate) mod drain;
pub(crate) mod error;
mod kubeconfig;
pub(crate) mod marks;
pub(crate) mod node;
pub(crate) mod pod;
pub(crate) mod rights;
mod transport;
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
    /// When it was, by the API server's clock, in seconds since 1970.
    pub(crate) time: Option<i64>,
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
