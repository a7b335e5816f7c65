//! Which fields the API knows of what is sent to it. Others are dropped, with a warning.

use serde_json::Value as Json;

pub enum Shape {
    /// A value of any kind.
    Any,
    Object(&'static [(&'static str, Shape)]),
    List(&'static Shape),
}

use Shape::{Any, List, Object};

const METADATA: Shape = Object(&[
    ("name", Any),
    ("namespace", Any),
    ("uid", Any),
    ("labels", Any),
    ("annotations", Any),
    ("finalizers", Any),
    ("resourceVersion", Any),
    ("creationTimestamp", Any),
]);
const TAINT: Shape = Object(&[("key", Any), ("value", Any), ("effect", Any), ("timeAdded", Any)]);

pub const NODE: Shape = Object(&[
    ("apiVersion", Any),
    ("kind", Any),
    ("metadata", METADATA),
    (
        "spec",
        Object(&[
            ("podCIDR", Any),
            ("podCIDRs", Any),
            ("providerID", Any),
            ("unschedulable", Any),
            ("taints", List(&TAINT)),
        ]),
    ),
    ("status", Any),
]);

pub const DELETE_OPTIONS: Shape = Object(&[
    ("apiVersion", Any),
    ("kind", Any),
    ("dryRun", Any),
    ("gracePeriodSeconds", Any),
    ("orphanDependents", Any),
    ("propagationPolicy", Any),
    ("preconditions", Object(&[("uid", Any), ("resourceVersion", Any)])),
]);

pub const EVICTION: Shape = Object(&[
    ("apiVersion", Any),
    ("kind", Any),
    ("metadata", METADATA),
    ("deleteOptions", DELETE_OPTIONS),
]);

/// Drops what is not known of a value, and tells the paths of that.
pub fn prune(value: &mut Json, shape: &Shape, path: &str, unknown: &mut Vec<String>) {
    match (value, shape) {
        (Json::Object(fields), Object(known)) => {
            fields.retain(|name, value| {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                match known.iter().find(|(known, _)| known == name) {
                    Some((_, shape)) => {
                        prune(value, shape, &path, unknown);
                        true
                    }
                    None => {
                        unknown.push(path);
                        false
                    }
                }
            });
        }
        (Json::Array(items), List(shape)) => {
            for (at, item) in items.iter_mut().enumerate() {
                prune(item, shape, &format!("{path}[{at}]"), unknown);
            }
        }
        _ => {}
    }
}
