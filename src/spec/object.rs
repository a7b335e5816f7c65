//! What objects of every kind have in common.

use std::collections::BTreeMap;

use serde::Deserialize;

/// The label by which an object names its cluster.
pub(crate) const CLUSTER_LABEL: &str = "kops.k8s.io/cluster";

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Metadata {
    pub(crate) name: Option<String>,
    pub(crate) labels: Option<BTreeMap<String, Option<String>>>,
    pub(crate) annotations: Option<BTreeMap<String, Option<String>>>,
}

pub(crate) fn cluster_label(metadata: &Metadata) -> Option<&str> {
    metadata.labels.as_ref()?.get(CLUSTER_LABEL)?.as_deref().filter(|name| !name.is_empty())
}

/// A text field that says something: kops takes an empty text for an absent one.
pub(crate) fn filled(field: &Option<String>) -> Option<&str> {
    field.as_deref().filter(|text| !text.is_empty())
}
