//! Fields: what is wanted of them, what was found, and how the two differ.
//!
//! A kind tells its fields in one table ([`fields!`]), which has three sides: wanted, found and
//! changed. What differs is kept as values, so that a write takes apart what it changes and
//! nothing reads back what a report tells.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use super::drift::{Drift, FieldChange};
use crate::aws::tags::Tags;

/// What a field holds.
pub(crate) trait Value: Clone + Debug + PartialEq {
    fn tell(&self) -> String;

    /// Whether what was found is what is wanted: by meaning, and not by its letters.
    fn is(&self, found: &Self) -> bool {
        self == found
    }

    /// Tells a difference, under the name of its field.
    fn drift(field: &str, delta: &Delta<Self>, drift: &mut Drift) {
        drift.fields.push(delta.as_field(field));
    }
}

macro_rules! told_as_they_are {
    ($($plain:ty),*) => {
        $(impl Value for $plain {
            fn tell(&self) -> String {
                self.to_string()
            }
        })*
    };
}

told_as_they_are!(String, bool, i32, i64);

/// A set, told as a list in order.
impl Value for BTreeSet<String> {
    fn tell(&self) -> String {
        self.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
    }
}

/// A set that is absent if nothing is in it.
pub(crate) fn set<S: Into<String>>(
    values: impl IntoIterator<Item = S>,
) -> Option<BTreeSet<String>> {
    let values: BTreeSet<String> = values.into_iter().map(Into::into).collect();
    (!values.is_empty()).then_some(values)
}

/// Tags: those that are wanted must be there. Others are none of our business.
impl Value for Tags {
    fn tell(&self) -> String {
        let tags: Vec<String> = self.iter().map(|(key, value)| format!("{key}={value}")).collect();
        tags.join(", ")
    }

    fn is(&self, found: &Self) -> bool {
        self.iter().all(|(key, value)| found.get(key) == Some(value))
    }

    fn drift(field: &str, delta: &Delta<Self>, drift: &mut Drift) {
        for (key, after) in delta.after.iter().flatten() {
            let before = delta.before.as_ref().and_then(|found| found.get(key));
            if before != Some(after) {
                drift.fields.push(tag_change(field, key, before, Some(after)));
            }
        }
    }
}

/// Tags of which some must go.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct ExactTags(pub(crate) BTreeMap<String, Option<String>>);

impl ExactTags {
    /// The tags that differ, with what they must be.
    pub(crate) fn of(delta: &Delta<Self>) -> impl Iterator<Item = (&String, Option<&String>)> {
        let found = |key| delta.before.as_ref().and_then(|found| found.0.get(key)?.as_ref());
        let wanted = delta.after.iter().flat_map(|wanted| &wanted.0);
        wanted
            .map(|(key, value)| (key, value.as_ref()))
            .filter(move |(key, value)| found(*key) != *value)
    }
}

impl From<&Tags> for ExactTags {
    fn from(tags: &Tags) -> Self {
        Self(tags.iter().map(|(key, value)| (key.clone(), Some(value.clone()))).collect())
    }
}

impl Value for ExactTags {
    fn tell(&self) -> String {
        let tags =
            self.0.iter().filter_map(|(key, value)| Some(format!("{key}={}", value.as_ref()?)));
        tags.collect::<Vec<_>>().join(", ")
    }

    fn is(&self, found: &Self) -> bool {
        let delta = Delta { before: Some(found.clone()), after: Some(self.clone()) };
        Self::of(&delta).next().is_none()
    }

    fn drift(field: &str, delta: &Delta<Self>, drift: &mut Drift) {
        // Those that go are told last.
        let mut tags: Vec<_> = Self::of(delta).collect();
        tags.sort_by_key(|(_, after)| after.is_none());
        for (key, after) in tags {
            let before = delta.before.as_ref().and_then(|found| found.0.get(key)?.as_ref());
            drift.fields.push(tag_change(field, key, before, after));
        }
    }
}

fn tag_change(
    field: &str,
    key: &str,
    before: Option<&String>,
    after: Option<&String>,
) -> FieldChange {
    let field = format!("{field}[{key:?}]");
    FieldChange { field, before: before.cloned(), after: after.cloned() }
}

/// What is wanted of a field.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Want<T> {
    Is(T),
    /// It must not be set.
    Absent,
    Any,
}

impl<T> Want<T> {
    /// A field that must be absent if there is no value.
    pub(crate) fn maybe(value: Option<T>) -> Self {
        value.map_or(Self::Absent, Self::Is)
    }

    /// A field that may be anything if there is no value.
    pub(crate) fn if_told(value: Option<T>) -> Self {
        value.map_or(Self::Any, Self::Is)
    }
}

impl<T: Value> Want<T> {
    pub(crate) fn difference(&self, found: &Option<T>) -> Option<Delta<T>> {
        let after = match (self, found) {
            (Self::Is(wanted), Some(found)) if wanted.is(found) => return None,
            (Self::Is(wanted), _) => Some(wanted.clone()),
            (Self::Absent, Some(_)) => None,
            (Self::Absent, None) | (Self::Any, _) => return None,
        };
        Some(Delta { before: found.clone(), after })
    }
}

/// One field, before and after; absent on a side where it is not set.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Delta<T> {
    pub(crate) before: Option<T>,
    pub(crate) after: Option<T>,
}

impl<T: Value> Delta<T> {
    pub(crate) fn as_field(&self, name: &str) -> FieldChange {
        FieldChange {
            field: name.to_owned(),
            before: self.before.as_ref().map(T::tell),
            after: self.after.as_ref().map(T::tell),
        }
    }
}

/// A side of a table of fields.
pub(crate) trait Side: Clone + Debug + PartialEq {
    type Of<T: Value>: Clone + Debug + PartialEq;
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Wanted {}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Found {}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Changed {}

impl Side for Wanted {
    type Of<T: Value> = Want<T>;
}

impl Side for Found {
    type Of<T: Value> = Option<T>;
}

impl Side for Changed {
    type Of<T: Value> = Option<Delta<T>>;
}

/// The wanted side of a kind's fields.
pub(crate) trait Fields {
    type Found;
    type Changed: Changes;

    /// What is found where there is nothing.
    fn nothing() -> Self::Found;

    /// The wanted fields that are otherwise in `found`.
    fn difference(&self, found: &Self::Found) -> Self::Changed;

    /// How the fields of the table are told.
    #[cfg(test)]
    fn names() -> Vec<&'static str>;
}

/// The fields of a kind that differ.
pub(crate) trait Changes: Clone + Debug + PartialEq + Send + Sync {
    /// No field.
    fn none() -> Self;

    fn is_none(&self) -> bool;

    /// How reports tell it, in the order of the table.
    fn drift(&self) -> Drift;
}

/// No fields: of a kind that is all in its name.
impl Fields for () {
    type Found = ();
    type Changed = ();

    fn nothing() {}

    fn difference(&self, (): &()) {}

    #[cfg(test)]
    fn names() -> Vec<&'static str> {
        Vec::new()
    }
}

impl Changes for () {
    fn none() {}

    fn is_none(&self) -> bool {
        true
    }

    fn drift(&self) -> Drift {
        Drift::default()
    }
}

/// Fields that no write mends.
#[derive(Debug)]
pub(crate) struct Stuck {
    pub(crate) drift: Drift,
    pub(crate) why: String,
    /// What mends them instead.
    pub(crate) next: String,
    /// Whether the cluster can do with them as they are.
    pub(crate) is_borne: bool,
}

impl Stuck {
    /// Fields that AWS lets nobody change; `instead` is what to do.
    pub(crate) fn fixed(changed: &impl Changes, id: &str, instead: String) -> Option<Self> {
        if changed.is_none() {
            return None;
        }
        let drift = changed.drift();
        let names: Vec<&str> = drift.fields.iter().map(|change| change.field.as_str()).collect();
        let why = format!("{} of {id} cannot be changed once it exists", names.join(" and "));
        Some(Self { drift, why, next: instead, is_borne: false })
    }

    /// Fields that the cluster can do with as they are.
    pub(crate) fn borne(changed: &impl Changes, why: String, next: String) -> Option<Self> {
        let drift = changed.drift();
        (!changed.is_none()).then_some(Self { drift, why, next, is_borne: true })
    }
}

/// A kind's table of fields: `name: type = "how it is told"`, in the order in which they are told.
macro_rules! fields {
    ($(#[$about:meta])* $name:ident { $($(#[$what:meta])* $field:ident: $type:ty = $told:literal),* $(,)? }) => {
        $(#[$about])*
        #[derive(Clone, Debug, PartialEq)]
        pub(crate) struct $name<S: $crate::core::fields::Side> {
            $($(#[$what])* pub(crate) $field: S::Of<$type>,)*
        }

        impl $crate::core::fields::Fields for $name<$crate::core::fields::Wanted> {
            type Found = $name<$crate::core::fields::Found>;
            type Changed = $name<$crate::core::fields::Changed>;

            fn nothing() -> Self::Found {
                $name { $($field: None,)* }
            }

            fn difference(&self, found: &Self::Found) -> Self::Changed {
                $name { $($field: self.$field.difference(&found.$field),)* }
            }

            #[cfg(test)]
            fn names() -> Vec<&'static str> {
                vec![$($told),*]
            }
        }

        impl $crate::core::fields::Changes for $name<$crate::core::fields::Changed> {
            fn none() -> Self {
                $name { $($field: None,)* }
            }

            fn is_none(&self) -> bool {
                true $(&& self.$field.is_none())*
            }

            fn drift(&self) -> $crate::core::drift::Drift {
                let mut drift = $crate::core::drift::Drift::default();
                $(if let Some(delta) = &self.$field {
                    <$type as $crate::core::fields::Value>::drift($told, delta, &mut drift);
                })*
                drift
            }
        }
    };
}

pub(crate) use fields;
