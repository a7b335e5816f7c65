//! How a live resource differs from the desired one, as reports tell it.

use serde::Serialize;

use crate::policy::difference::Difference;
use crate::policy::document::Statement;

/// How a live resource differs from the desired one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Drift {
    pub(crate) fields: Vec<FieldChange>,
    pub(crate) permissions: Difference,
    /// What bounds it: beyond these nothing is allowed, whatever else is granted.
    pub(crate) within: Vec<Statement>,
    /// The whole documents, where the resource is one.
    pub(crate) document: Option<DocumentChange>,
}

/// One field, before and after; absent on a side where it is not set.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub(crate) struct FieldChange {
    pub(crate) field: String,
    pub(crate) before: Option<String>,
    pub(crate) after: Option<String>,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct DocumentChange {
    pub(crate) before: Option<serde_json::Value>,
    pub(crate) after: Option<serde_json::Value>,
}
