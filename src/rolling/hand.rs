//! An instance in hand: on its way from serving to gone.

use super::decision::Refused;
use super::emptying::{Leaving, Refusals};
use super::world::{Group, Member};
use crate::core::time::Time;
use crate::kubernetes::node::{Node, NodeRef};

/// An instance being replaced.
#[derive(Clone, Debug)]
pub(crate) struct Hand {
    pub(crate) group: String,
    /// The instance with its node, as people are told of it.
    pub(crate) told: String,
    pub(super) node: Option<NodeRef>,
    pub(crate) stage: Stage,
    pub(crate) since: Time,
    /// When it was last told what its drain waits for, or that it is to terminate.
    pub(super) warned: Option<Time>,
    pub(super) leaving: Leaving,
    /// What the API said when its node was to be cordoned.
    pub(super) open: Option<Refusals>,
}

impl Hand {
    pub(super) fn new(group: &Group, member: &Member, stage: Stage, since: Time) -> Self {
        Self {
            group: group.name.clone(),
            told: member.told(),
            node: member.node.as_ref().map(Node::reference),
            stage,
            since,
            warned: None,
            leaving: Leaving::default(),
            open: None,
        }
    }

    pub(super) fn cordon_answer(&mut self, answer: Result<(), Refused>) {
        self.open = match answer {
            Ok(()) => None,
            Err(refused) => Some(Refusals::after(self.open.take(), refused)),
        };
    }
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Stage {
    /// Out of its group; another starts in its place.
    Detached,
    /// Its pods are asked to leave; how many are left.
    Draining { left: usize },
    /// Empty; connections may still close.
    Drained,
    /// Told to terminate.
    Terminating,
    /// Gone; its place is kept free for the interval.
    Gone,
}

impl Stage {
    /// Whether the instance still does its work.
    pub(super) fn serves(&self) -> bool {
        *self == Self::Detached
    }

    /// Whether there is no way back.
    pub(super) fn is_final(&self) -> bool {
        matches!(self, Self::Terminating | Self::Gone)
    }
}
