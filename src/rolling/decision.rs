//! What a look leads to: things to do, and things to tell.

use super::world::{Group, Member, Place};
use crate::kubernetes::node::NodeRef;
use crate::kubernetes::pod::PodRef;

/// One thing to do. What is done to one node is done in order; all else of a look at once.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Action {
    /// The group that it is done for.
    pub(crate) group: String,
    /// The node that it is done to, or else the instance.
    pub(crate) on: String,
    pub(crate) deed: Deed,
    /// What is told once it is done.
    pub(crate) done: Option<String>,
    /// What is told, before the error, where it cannot be done.
    pub(crate) undone: Option<String>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Deed {
    /// Keep new pods off a node where they can go elsewhere.
    Taint {
        node: NodeRef,
    },
    Cordon {
        instance: String,
        node: NodeRef,
    },
    /// Take back what is ours on it.
    Release {
        node: NodeRef,
    },
    Evict {
        instance: String,
        pod: PodRef,
    },
    /// Out of an Auto Scaling group.
    Detach {
        fleet_group: String,
        instance: String,
    },
    Terminate {
        instance: String,
        place: Place,
    },
    /// Delete the node of an instance that was told to end: a new one of its name would take it
    /// over with its marks.
    Forget {
        node: NodeRef,
    },
}

impl Action {
    /// Something that is done to an instance of a group, or to its node.
    pub(super) fn to(group: &Group, member: &Member, deed: Deed) -> Self {
        let on = member.node.as_ref().map_or(&member.id, |node| &node.name).clone();
        Self { group: group.name.clone(), on, deed, done: None, undone: None }
    }

    pub(super) fn release(group: &str, node: NodeRef, told: &str, why: &str) -> Self {
        Self {
            group: group.to_owned(),
            on: node.name.clone(),
            deed: Deed::Release { node },
            done: Some(format!("{told} is released{why}")),
            undone: Some(format!("{told} is not released")),
        }
    }

    pub(super) fn told(self, done: String, undone: String) -> Self {
        Self { done: Some(done), undone: Some(undone), ..self }
    }

    /// Whether it marks a node, or takes marks back; such are done before all else.
    pub(super) fn is_mark(&self) -> bool {
        matches!(self.deed, Deed::Taint { .. } | Deed::Cordon { .. } | Deed::Release { .. })
    }
}

/// Why something was not done.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Refused {
    pub(crate) text: String,
    pub(crate) sort: Sort,
}

/// What may come of asking again.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Sort {
    /// It passes by itself.
    ForNow,
    /// A disruption budget has no room now.
    Budget,
    /// A pod has more than one budget, so that the API never lets it go.
    Budgets,
    /// It does not pass: the request is wrong, or a policy does not let it through.
    ForGood,
    /// The user may not do this at all.
    Forbidden,
    /// Nothing else will work either.
    Fatal,
}

impl Sort {
    pub(super) fn passes(self) -> bool {
        matches!(self, Self::ForNow | Self::Budget)
    }
}

/// Something worth telling.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Event {
    /// The group that it is about; none for the whole update.
    pub(crate) group: Option<String>,
    pub(crate) text: String,
    pub(crate) is_warning: bool,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Decision {
    pub(crate) actions: Vec<Action>,
    pub(crate) events: Vec<Event>,
    /// Instances that were replaced since the last look.
    pub(crate) replaced: Vec<String>,
}

impl Decision {
    pub(super) fn tell(&mut self, group: &str, text: impl Into<String>) {
        self.event(Some(group), text.into(), false);
    }

    pub(super) fn warn(&mut self, group: &str, text: impl Into<String>) {
        self.event(Some(group), text.into(), true);
    }

    pub(super) fn event(&mut self, group: Option<&str>, text: String, is_warning: bool) {
        self.events.push(Event { group: group.map(str::to_owned), text, is_warning });
    }

    /// Takes back what was decided for a group.
    pub(super) fn drop_all_of(&mut self, group: &str) -> Vec<Action> {
        let (dropped, kept) =
            std::mem::take(&mut self.actions).into_iter().partition(|one| one.group == group);
        self.actions = kept;
        dropped
    }
}
