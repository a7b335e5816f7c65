//! The marks that rolling updates put on nodes: who has some without a reason, and how they
//! are taken back by hand.

use serde::Serialize;

use super::world::{Group, Member, World};
use crate::kubernetes::marks::Marks;
use crate::kubernetes::node::NodeRef;

/// A node that carries marks.
#[derive(Clone, Debug)]
pub(crate) struct Marked {
    pub(crate) group: String,
    pub(crate) node: NodeRef,
    /// The instance with its node, as people are told of it.
    pub(crate) told: String,
    pub(crate) marks: Marks,
    /// Whether its instance is to be replaced, which the marks are for.
    pub(super) has_reason: bool,
}

/// What an update did not leave as it was.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub(crate) struct Leftover {
    #[serde(rename = "instanceGroup")]
    pub(crate) group: String,
    pub(crate) what: String,
    /// The commands that mend it.
    pub(crate) mend: Vec<String>,
}

impl Leftover {
    pub(crate) fn told(&self) -> String {
        match self.mend.is_empty() {
            true => self.what.clone(),
            false => format!("{}; to mend it: {}", self.what, self.mend.join("; ")),
        }
    }
}

/// All nodes that carry marks.
pub(super) fn all(world: &World) -> Vec<Marked> {
    let members = world.groups.iter().flat_map(|group| group.live().map(move |m| (group, m)));
    members.filter_map(|(group, member)| of(group, member)).collect()
}

fn of(group: &Group, member: &Member) -> Option<Marked> {
    let node = member.node.as_ref().filter(|node| !node.marks.is_empty())?;
    Some(Marked {
        group: group.name.clone(),
        node: node.reference(),
        told: member.told(),
        marks: node.marks,
        has_reason: !member.reasons.is_empty(),
    })
}

/// Nodes that carry marks, though nothing is to be done with them: an update was killed.
pub(crate) fn strays(world: &World) -> Vec<Marked> {
    all(world).into_iter().filter(|marked| !marked.has_reason).collect()
}

impl Marked {
    /// What the marks do to the node.
    pub(crate) fn state(&self) -> String {
        let Marks { cordon, exclude, taint } = self.marks;
        let words = [
            (cordon, "cordoned"),
            (exclude, "out of the load balancers of services"),
            (taint, "tainted kops.k8s.io/scheduled-for-update"),
        ];
        let words: Vec<&str> = words.iter().filter(|one| one.0).map(|one| one.1).collect();
        words.join(", ")
    }
}
