//! How patches change an object, by their content type.

use serde_json::Value as Json;

use super::answers::Refusal;
use super::fields::{self, prune};

/// A node as a patch leaves it, and the fields of the patch that the API does not know.
pub fn apply(
    content_type: &str,
    object: &Json,
    patch: &Json,
) -> Result<(Json, Vec<String>), Refusal> {
    let mut patched = object.clone();
    let mut unknown = Vec::new();
    match content_type {
        // Lists of nodes' specs are atomic in either (core/v1, NodeSpec.Taints).
        "application/strategic-merge-patch+json" | "application/merge-patch+json" => {
            let mut patch = patch.clone();
            prune(&mut patch, &fields::NODE, "", &mut unknown);
            merge(&mut patched, &patch);
        }
        "application/json-patch+json" => {
            for step in patch.as_array().into_iter().flatten() {
                change(&mut patched, step).ok_or_else(|| {
                    let message = "the server rejected our request due to an error in our request";
                    Refusal::new(422, "Invalid", message)
                })?;
            }
            prune(&mut patched, &fields::NODE, "", &mut unknown);
        }
        other => {
            let message = format!(
                "the body of the request was in an unknown format - accepted media types include: \
                 application/json-patch+json, application/merge-patch+json, \
                 application/strategic-merge-patch+json; not {other}"
            );
            return Err(Refusal::new(415, "UnsupportedMediaType", message));
        }
    }
    Ok((patched, unknown))
}

fn merge(object: &mut Json, patch: &Json) {
    let Json::Object(changes) = patch else {
        *object = patch.clone();
        return;
    };
    if !object.is_object() {
        *object = Json::Object(serde_json::Map::new());
    }
    let fields = object.as_object_mut().unwrap();
    for (name, change) in changes {
        match change {
            Json::Null => drop(fields.remove(name)),
            change => merge(fields.entry(name.clone()).or_insert(Json::Null), change),
        }
    }
}

/// One step of a JSON patch (RFC 6902); none where it cannot be taken.
fn change(object: &mut Json, step: &Json) -> Option<()> {
    let pointer = step["path"].as_str()?;
    if step["op"] == "test" {
        return (object.pointer(pointer)? == &step["value"]).then_some(());
    }
    let (parent, last) = pointer.rsplit_once('/')?;
    let last = last.replace("~1", "/").replace("~0", "~");
    match (step["op"].as_str()?, object.pointer_mut(parent)?) {
        ("add" | "replace", Json::Object(fields)) => {
            fields.insert(last, step["value"].clone());
        }
        ("remove", Json::Object(fields)) => drop(fields.remove(&last)?),
        ("add", Json::Array(items)) if last == "-" => items.push(step["value"].clone()),
        ("add", Json::Array(items)) => {
            let at: usize = last.parse().ok().filter(|at| *at <= items.len())?;
            items.insert(at, step["value"].clone());
        }
        ("replace", Json::Array(items)) => {
            *items.get_mut(last.parse::<usize>().ok()?)? = step["value"].clone()
        }
        ("remove", Json::Array(items)) => {
            let at: usize = last.parse().ok().filter(|at| *at < items.len())?;
            items.remove(at);
        }
        _ => return None,
    }
    Some(())
}
