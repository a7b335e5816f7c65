//! What a kind offers to delete.

use crate::core::deletion::Deletion;
use crate::core::drift::FieldChange;
use crate::core::in_use::Thing;
use crate::core::kind::{Kind, ResourceId};
use crate::core::whose::Whose;

/// Why something goes, where there is no more to be said.
const NO_LONGER: &str = "not in the spec any more";

/// Something that goes.
#[derive(Debug)]
pub(crate) struct Removal {
    pub(crate) id: ResourceId,
    pub(crate) fields: Vec<FieldChange>,
    pub(crate) reason: String,
    pub(crate) deletion: Deletion,
}

/// A thing, by what AWS knows it by.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Place {
    kind: Kind,
    pub(super) id: String,
}

impl Place {
    pub(crate) fn new(kind: Kind, id: impl Into<String>) -> Self {
        Self { kind, id: id.into() }
    }
}

/// Something that nobody wants, and what deletes it.
#[derive(Debug)]
pub(crate) struct Offer {
    pub(super) removal: Removal,
    pub(super) place: Place,
    pub(super) whose: Whose,
    pub(super) thing: Option<Thing>,
    pub(super) along: Option<Place>,
    /// The instances in it, if it is a group of such.
    pub(super) members: Option<Vec<String>>,
}

impl Offer {
    /// Something of the cluster's own.
    pub(crate) fn new(id: ResourceId, place: Place, deletion: impl Into<Deletion>) -> Self {
        Self {
            removal: Removal {
                id,
                fields: Vec::new(),
                reason: NO_LONGER.to_owned(),
                deletion: deletion.into(),
            },
            place,
            whose: Whose::Owned,
            thing: None,
            along: None,
            members: None,
        }
    }

    /// What is not the cluster's own stays, and is told.
    pub(crate) fn if_owned(self, whose: Whose) -> Self {
        Self { whose, ..self }
    }

    pub(crate) fn because(mut self, reason: impl Into<String>) -> Self {
        self.removal.reason = reason.into();
        self
    }

    /// What of other things goes with it.
    pub(crate) fn with_fields(mut self, fields: Vec<FieldChange>) -> Self {
        self.removal.fields = fields;
        self
    }

    /// Instances may use it, which keep it.
    pub(crate) fn unless_used(self, thing: Thing) -> Self {
        Self { thing: Some(thing), ..self }
    }

    /// It is spoken of only if something else goes.
    pub(crate) fn along_with(self, other: Place) -> Self {
        Self { along: Some(other), ..self }
    }

    /// The instances that go with it, by which nothing is held any more then.
    pub(crate) fn with_members(self, members: Vec<String>) -> Self {
        Self { members: Some(members), ..self }
    }
}
