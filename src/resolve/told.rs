//! What the user is told of what was resolved.

use std::fmt;

use crate::desired::Notice;

#[derive(Debug, Default)]
pub(crate) struct Told {
    pub(crate) warnings: Vec<Notice>,
    /// What is as asked for, and good to know.
    pub(crate) notes: Vec<Notice>,
    /// What stands in the way of any plan.
    pub(crate) refusals: Vec<Notice>,
}

impl Told {
    pub(super) fn warn(&mut self, object: impl fmt::Display, message: String, next: String) {
        self.warnings.push(Notice { object: object.to_string(), message, next });
    }

    pub(super) fn note(&mut self, object: impl fmt::Display, message: String, next: String) {
        self.notes.push(Notice { object: object.to_string(), message, next });
    }

    pub(super) fn refuse(&mut self, object: impl fmt::Display, message: String, next: String) {
        self.refusals.push(Notice { object: object.to_string(), message, next });
    }
}
