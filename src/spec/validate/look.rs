//! Looks into a document for the rules: fields by the names that the tables have, and by no
//! other, which builds with debug assertions hold.

use serde_json::Value as Json;

use crate::spec::document::Document;
use crate::spec::path::FieldPath;
use crate::spec::schema;

/// A mapping of a document, and where it stands.
#[derive(Clone)]
pub(super) struct Look<'a> {
    kind: &'static str,
    path: FieldPath,
    json: &'a Json,
}

impl<'a> Look<'a> {
    /// The spec of a document.
    pub(super) fn spec(document: &'a Document) -> Self {
        let path = FieldPath::root().key("spec");
        let json = document.json().get("spec").unwrap_or(&Json::Null);
        Self { kind: document.kind(), path, json }
    }

    /// The path of a field, names with dots between them.
    pub(super) fn path(&self, field: &str) -> FieldPath {
        let path = field.split('.').fold(self.path.clone(), |path, name| path.key(name));
        debug_assert!(schema::knows(self.kind, &path), "{} has no {path}", self.kind);
        path
    }

    pub(super) fn json(&self, field: &str) -> Option<&'a Json> {
        let path = self.path(field);
        let names = path.segments().len() - self.path.segments().len();
        debug_assert_eq!(names, field.split('.').count());
        let found = field.split('.').try_fold(self.json, |json, name| json.get(name))?;
        (!found.is_null()).then_some(found)
    }

    pub(super) fn has(&self, field: &str) -> bool {
        self.json(field).is_some()
    }

    /// A text that says something.
    pub(super) fn text(&self, field: &str) -> Option<&'a str> {
        self.json(field).and_then(Json::as_str).filter(|text| !text.is_empty())
    }

    pub(super) fn flag(&self, field: &str) -> Option<bool> {
        self.json(field).and_then(Json::as_bool)
    }

    pub(super) fn is_on(&self, field: &str) -> bool {
        self.flag(field) == Some(true)
    }

    pub(super) fn number(&self, field: &str) -> Option<i64> {
        self.json(field).and_then(Json::as_i64)
    }

    /// The texts of a list, each with its path.
    pub(super) fn texts(&self, field: &str) -> Vec<(FieldPath, &'a str)> {
        let path = self.path(field);
        let items = self.json(field).and_then(Json::as_array).into_iter().flatten().enumerate();
        items.map(|(index, item)| (path.index(index), item.as_str().unwrap_or_default())).collect()
    }

    /// The mappings of a list.
    pub(super) fn each(&self, field: &str) -> Vec<Self> {
        let path = self.path(field);
        let items = self.json(field).and_then(Json::as_array).into_iter().flatten().enumerate();
        let look = |(index, json)| Self { kind: self.kind, path: path.index(index), json };
        items.map(look).collect()
    }

    /// Where the mapping itself stands.
    pub(super) fn here(&self) -> &FieldPath {
        &self.path
    }

    /// A mapping below, if it is there.
    pub(super) fn below(&self, field: &str) -> Option<Self> {
        let json = self.json(field)?;
        Some(Self { kind: self.kind, path: self.path(field), json })
    }
}
