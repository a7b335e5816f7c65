//! Fields told as texts.

use std::collections::BTreeMap;

use super::drift::{Drift, FieldChange};
use super::fields::{Changes, Fields, Stuck};
use crate::aws::tags::Tags;

/// Fields and what they hold, in the order in which they are told.
#[derive(Clone, Debug, Default)]
pub(crate) struct TextFields(Vec<(Field, Option<String>)>);

#[derive(Clone, Debug, Eq, PartialEq)]
enum Field {
    Named(String),
    /// A tag, by its key.
    Tag(String),
}

impl Field {
    fn told(&self) -> String {
        match self {
            Self::Named(name) => name.clone(),
            Self::Tag(key) => format!("tags[{key:?}]"),
        }
    }
}

impl TextFields {
    pub(crate) fn with(mut self, field: &str, value: impl ToString) -> Self {
        self.0.push((Field::Named(field.to_owned()), Some(value.to_string())));
        self
    }

    /// A field that must be absent if there is no value.
    pub(crate) fn maybe(mut self, field: &str, value: Option<impl ToString>) -> Self {
        self.0.push((Field::Named(field.to_owned()), value.map(|value| value.to_string())));
        self
    }

    /// A set, told as a list in order.
    pub(crate) fn set<S: Into<String>>(
        self,
        field: &str,
        values: impl IntoIterator<Item = S>,
    ) -> Self {
        let mut values: Vec<String> = values.into_iter().map(Into::into).collect();
        values.sort();
        values.dedup();
        self.maybe(field, (!values.is_empty()).then(|| values.join(", ")))
    }

    pub(crate) fn tags(mut self, tags: &Tags) -> Self {
        let tag = |(key, value): (&String, &String)| (Field::Tag(key.clone()), Some(value.clone()));
        self.0.extend(tags.iter().map(tag));
        self
    }

    fn get(&self, field: &Field) -> Option<&String> {
        self.0.iter().find(|(name, _)| name == field)?.1.as_ref()
    }

    fn differing<'a>(
        &'a self,
        found: &'a Self,
    ) -> impl Iterator<Item = (&'a Field, Option<&'a String>)> {
        let wanted = self.0.iter().map(|(field, wanted)| (field, wanted.as_ref()));
        wanted.filter(|(field, wanted)| found.get(field) != *wanted)
    }

    /// The wanted fields that are otherwise in `found`.
    pub(crate) fn differences(&self, found: &Self) -> Vec<FieldChange> {
        self.differing(found)
            .map(|(field, wanted)| FieldChange {
                field: field.told(),
                before: found.get(field).cloned(),
                after: wanted.cloned(),
            })
            .collect()
    }

    /// The tags among them, and what they must be; those that must go without a value.
    fn tag_differences(&self, found: &Self) -> BTreeMap<String, Option<String>> {
        self.differing(found)
            .filter_map(|(field, wanted)| match field {
                Field::Tag(key) => Some((key.clone(), wanted.cloned())),
                Field::Named(_) => None,
            })
            .collect()
    }
}

/// What differs.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct TextChanged {
    pub(crate) fields: Vec<FieldChange>,
    /// The tags among them; those that must go without a value.
    pub(crate) tags: BTreeMap<String, Option<String>>,
}

impl TextChanged {
    pub(crate) fn touches(&self, field: &str) -> bool {
        self.fields.iter().any(|change| change.field == field)
    }

    pub(crate) fn touches_tags(&self) -> bool {
        !self.tags.is_empty()
    }
}

impl Fields for TextFields {
    type Found = Self;
    type Changed = TextChanged;

    fn nothing() -> Self {
        Self::default()
    }

    fn difference(&self, found: &Self) -> TextChanged {
        TextChanged { fields: self.differences(found), tags: self.tag_differences(found) }
    }

    /// Texts have no table.
    #[cfg(test)]
    fn names() -> Vec<&'static str> {
        Vec::new()
    }
}

impl Changes for TextChanged {
    fn none() -> Self {
        Self::default()
    }

    fn is_none(&self) -> bool {
        self.fields.is_empty()
    }

    fn drift(&self) -> Drift {
        Drift { fields: self.fields.clone(), ..Drift::default() }
    }

    fn part(
        &mut self,
        left: impl Fn(&FieldChange) -> Option<(String, String)>,
        never: &[&str],
        id: &str,
        instead: impl Fn(&[FieldChange]) -> String,
    ) -> Vec<Stuck> {
        let (mut mended, mut fixed, mut stuck) = (Vec::new(), Vec::new(), Vec::new());
        for change in std::mem::take(&mut self.fields) {
            if let Some((why, next)) = left(&change) {
                match stuck.iter_mut().find(|other: &&mut Stuck| other.why == why) {
                    Some(other) => other.drift.fields.push(change),
                    None => {
                        let drift = Drift { fields: vec![change], ..Drift::default() };
                        stuck.push(Stuck { drift, why, next, is_borne: true });
                    }
                }
            } else if never.contains(&change.field.as_str()) {
                fixed.push(change);
            } else {
                mended.push(change);
            }
        }
        self.fields = mended;
        let next = instead(&fixed);
        let fixed = Self { fields: fixed, tags: BTreeMap::new() };
        stuck.extend(Stuck::fixed(&fixed, id, next));
        stuck
    }
}
