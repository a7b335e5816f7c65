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
    /// The whole user data, where it changes. It may hold secrets: reports tell it to those alone
    /// who ask for it.
    pub(crate) user_data: Option<UserDataChange>,
    /// What instances boot from, where something is made of it, be it as before or not.
    pub(crate) image: Option<Image>,
    /// What else is to be known of such a change.
    pub(crate) remark: Option<&'static str>,
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

#[derive(Clone, Debug)]
pub(crate) struct UserDataChange {
    pub(crate) before: Option<Vec<u8>>,
    pub(crate) after: Option<Vec<u8>>,
}

/// An image, and whose it is.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Image {
    pub(crate) id: String,
    /// Empty for some old ones.
    pub(crate) name: String,
    /// The number of the account.
    pub(crate) owner: String,
    /// What AWS calls that account, such as `amazon`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) owner_alias: Option<String>,
}
