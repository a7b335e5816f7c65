//! What a writer is told who comes too late: who was faster, when, and what changed.

use std::collections::BTreeSet;
use std::fmt;

use serde_json::Value as Json;

use super::Written;
use crate::spec::document::Document;
use crate::spec::path::FieldPath;
use crate::spec::secret;

/// A write was refused, because the object is not what it was when it was read.
#[derive(Debug, thiserror::Error)]
pub(crate) struct Conflict {
    pub(crate) object: String,
    pub(crate) written: Written,
    /// The fields that someone else changed; `None` if he removed the object.
    pub(crate) changed: Option<Vec<String>>,
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(changed) = &self.changed else {
            return write!(f, "{} was removed meanwhile; nothing was written", self.object);
        };
        write!(f, "{} was changed meanwhile", self.object)?;
        if let Some(by) = &self.written.by {
            write!(f, " by {by}")?;
        }
        if let Some(at) = &self.written.at {
            write!(f, " at {at}")?;
        }
        write!(f, "; nothing was written")?;
        for change in changed {
            write!(f, "\n  {change}")?;
        }
        Ok(())
    }
}

/// The fields in which two states of an object differ.
pub(crate) fn changed_fields(before: &Document, after: &Document) -> Vec<String> {
    let mut changes = Vec::new();
    compare(before.json(), after.json(), &FieldPath::root(), &mut changes);
    if changes.is_empty() {
        changes.push("only comments or notation".to_owned());
    }
    changes
}

fn compare(before: &Json, after: &Json, path: &FieldPath, changes: &mut Vec<String>) {
    match (before, after) {
        (Json::Object(left), Json::Object(right)) => {
            let keys: BTreeSet<&String> = left.keys().chain(right.keys()).collect();
            for key in keys {
                let of = |fields: &serde_json::Map<String, Json>| {
                    fields.get(key).cloned().unwrap_or(Json::Null)
                };
                compare(&of(left), &of(right), &path.key(key), changes);
            }
        }
        (left, right) if left == right => {}
        // Of lists that differ in length it is not known which elements are which.
        (Json::Array(left), Json::Array(right)) if left.len() == right.len() => {
            for (index, (left, right)) in left.iter().zip(right).enumerate() {
                compare(left, right, &path.index(index), changes);
            }
        }
        (left, right) => {
            changes.push(format!("{path}: {} → {}", short(path, left), short(path, right)));
        }
    }
}

fn short(path: &FieldPath, value: &Json) -> String {
    let text = match &secret::hidden(path, value) {
        Json::Null => return "not set".to_owned(),
        Json::String(text) => text.clone(),
        other => other.to_string(),
    };
    let text = text.replace('\n', " ");
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
