//! kapstan's own settings of a cluster. They are annotations, so that kops reads what is kept.

use serde_json::{Value as Json, json};

use super::path::FieldPath;

/// What instances run at boot.
pub(crate) const BOOTSTRAP: &str = "kapstan.io/bootstrap";

/// Where a setting stood before it was an annotation: below `spec`.
pub(super) const BEFORE: [(&str, &str); 1] = [("bootstrap", BOOTSTRAP)];

/// The path of an annotation.
pub(crate) fn annotation(name: &str) -> FieldPath {
    FieldPath::root().key("metadata").key("annotations").key(name)
}

/// A cluster's fields, with the settings that stand in their old places as annotations.
pub(super) fn with_annotations(mut cluster: Json) -> Json {
    for (field, name) in BEFORE {
        let Some(value) = old_setting(&cluster, field) else { continue };
        for holder in ["/metadata", "/metadata/annotations"] {
            let (above, key) = holder.rsplit_once('/').unwrap_or_default();
            if let Some(Json::Object(above)) = cluster.pointer_mut(above) {
                above.entry(key).or_insert_with(|| json!({}));
            }
        }
        if let Some(Json::Object(annotations)) = cluster.pointer_mut("/metadata/annotations") {
            annotations.entry(name).or_insert(value);
        }
    }
    cluster
}

pub(super) fn old_setting(cluster: &Json, field: &str) -> Option<Json> {
    cluster.get("spec")?.get(field).filter(|value| !value.is_null()).cloned()
}
