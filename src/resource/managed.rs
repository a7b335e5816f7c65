//! What all kinds share that are compared field by field.
//!
//! A kind tells its fields as texts, once as wanted and once as found; a difference is a
//! field whose texts differ. References are told by the name of what they refer to, so that
//! they compare, and read, before it exists.

use std::fmt::Debug;

use super::ids::{Ids, Work};
use super::live::Live;
use super::{Drift, FieldChange, Kind, ResourceId, Tags, Write};
use crate::aws::AwsError;

/// What was found, and under which ids.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View<'a> {
    pub(crate) live: &'a Live,
    pub(crate) ids: &'a Ids,
    /// The id of the cluster's hosted zone.
    pub(crate) zone: Option<&'a str>,
}

impl<'a> View<'a> {
    /// How a live id is told: by the name of what it belongs to, where that is known.
    pub(crate) fn name(self, id: &'a str) -> &'a str {
        self.ids.name(id)
    }

    pub(crate) fn is(self, resource: &ResourceId, id: &str) -> bool {
        self.ids.get(resource) == Some(id)
    }
}

/// What a Describe call found.
#[derive(Clone, Debug, Default)]
pub(crate) enum Looked<T> {
    /// It was not asked.
    #[default]
    Not,
    Denied(AwsError),
    Found(Vec<T>),
}

impl<T> Looked<T> {
    /// # Errors
    /// Any failure but a refusal of the look.
    pub(crate) fn sort(answer: Result<Vec<T>, AwsError>) -> Result<Self, AwsError> {
        use crate::aws::Fault;
        match answer {
            Ok(rows) => Ok(Self::Found(rows)),
            Err(error) if error.fault == Fault::Missing => Ok(Self::Found(Vec::new())),
            Err(error) if error.fault == Fault::Denied => Ok(Self::Denied(error)),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn rows(&self) -> &[T] {
        match self {
            Self::Found(rows) => rows,
            Self::Not | Self::Denied(_) => &[],
        }
    }

    /// # Errors
    /// The look was refused.
    pub(crate) fn into_rows(self) -> Result<Vec<T>, AwsError> {
        match self {
            Self::Found(rows) => Ok(rows),
            Self::Not => Ok(Vec::new()),
            Self::Denied(error) => Err(error),
        }
    }

    /// The same look, told as something else that it also shows.
    pub(crate) fn flat_map<U>(&self, rows: impl Fn(&T) -> Vec<U>) -> Looked<U> {
        match self {
            Self::Not => Looked::Not,
            Self::Denied(error) => Looked::Denied(error.clone()),
            Self::Found(found) => Looked::Found(found.iter().flat_map(rows).collect()),
        }
    }
}

/// Fields and what they hold, in the order in which they are told.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fields(Vec<(String, Option<String>)>);

impl Fields {
    pub(crate) fn with(mut self, field: &str, value: impl ToString) -> Self {
        self.0.push((field.to_owned(), Some(value.to_string())));
        self
    }

    /// A field that must be absent if there is no value.
    pub(crate) fn maybe(mut self, field: &str, value: Option<impl ToString>) -> Self {
        self.0.push((field.to_owned(), value.map(|value| value.to_string())));
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
        let tags = tags.iter().map(|(key, value)| (format!("tags[{key:?}]"), Some(value.clone())));
        self.0.extend(tags);
        self
    }

    /// These, and those that only `other` has as absent.
    pub(crate) fn with_absent(mut self, other: &Self) -> Self {
        for (field, _) in &other.0 {
            if !self.0.iter().any(|(own, _)| own == field) {
                self.0.push((field.clone(), None));
            }
        }
        self
    }

    fn get(&self, field: &str) -> Option<&String> {
        self.0.iter().find(|(name, _)| name == field)?.1.as_ref()
    }

    /// The wanted fields that are otherwise in `found`.
    pub(crate) fn differences(&self, found: &Self) -> Vec<FieldChange> {
        self.0
            .iter()
            .filter(|(field, wanted)| found.get(field) != wanted.as_ref())
            .map(|(field, wanted)| FieldChange {
                field: field.clone(),
                before: found.get(field).cloned(),
                after: wanted.clone(),
            })
            .collect()
    }
}

/// How a resource stands to what is wanted.
#[derive(Debug)]
pub(crate) enum State {
    Equal,
    /// With what would mend it, if anything may.
    Differs(Drift, Option<Write>),
    /// With why nothing is done about it.
    Left(Drift, String),
    Missing(Drift, Write),
    Denied(AwsError),
    /// What stands in the way: what is wrong, and what to do.
    Impossible(Drift, String, String),
    /// Neither wanted nor there, or not looked at.
    NoMatter,
}

/// Whose a resource is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Ownership {
    Ours,
    /// It exists before us and after us; only what its fields tell is changed.
    Shared,
}

/// A decided change of a resource that exists.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Update {
    /// AWS' id of it.
    pub(crate) id: String,
    pub(crate) fields: Vec<FieldChange>,
}

impl Update {
    pub(crate) fn touches(&self, field: &str) -> bool {
        self.fields.iter().any(|change| change.field == field)
    }

    pub(crate) fn touches_tags(&self) -> bool {
        self.fields.iter().any(|change| change.field.starts_with("tags["))
    }
}

/// A kind of resource that is compared field by field.
pub(crate) trait Manage: Clone + Debug + PartialEq {
    type Live: Debug;

    fn id(&self) -> ResourceId;

    /// What must exist before this can.
    fn needs(&self) -> Vec<ResourceId>;

    /// The kinds of which all must be done before this, though it does not name them.
    fn behind(&self) -> &'static [Kind] {
        &[]
    }

    /// Where it was looked for.
    fn looked(live: &Live) -> &Looked<Self::Live>;

    /// Whether what was found is this resource.
    fn is(&self, found: &Self::Live, view: View<'_>) -> bool;

    /// AWS' id of what was found, or whatever a write addresses it by.
    fn aws_id(found: &Self::Live) -> String;

    fn wanted(&self, view: View<'_>) -> Fields;

    /// What is wanted where this was found: what must go is a field too, wanted absent.
    fn wanted_over(&self, _: &Self::Live, view: View<'_>) -> Fields {
        self.wanted(view)
    }

    fn found(&self, found: &Self::Live, view: View<'_>) -> Fields;

    fn ownership(&self) -> Ownership {
        Ownership::Ours
    }

    /// The fields that AWS lets nobody change.
    fn fixed(&self) -> &'static [&'static str] {
        &[]
    }

    /// Why a difference is told but left, though others are mended.
    fn left_because(&self, _: &FieldChange) -> Option<String> {
        None
    }

    /// What else stands in the way, though nothing of the name was found.
    fn obstacle(&self, _: View<'_>) -> Option<(String, String)> {
        None
    }

    fn create(
        &self,
        work: &Work<'_>,
    ) -> impl Future<Output = Result<Option<String>, AwsError>> + Send;

    fn update(
        &self,
        work: &Work<'_>,
        update: &Update,
    ) -> impl Future<Output = Result<(), AwsError>> + Send;
}

pub(super) fn find_id<M: Manage>(resource: &M, view: View<'_>) -> Option<String> {
    let mut rows = M::looked(view.live).rows().iter();
    rows.find(|found| resource.is(found, view)).map(M::aws_id)
}

pub(super) fn state<M: Manage>(
    resource: &M,
    view: View<'_>,
    whole: impl Fn() -> Box<super::Managed>,
) -> State {
    let rows = match M::looked(view.live) {
        Looked::Not => return State::NoMatter,
        Looked::Denied(error) => return State::Denied(error.clone()),
        Looked::Found(rows) => rows,
    };
    let matches: Vec<&M::Live> = rows.iter().filter(|found| resource.is(found, view)).collect();
    let kind = resource.id().kind;
    match matches[..] {
        [] => {
            let fields = resource.wanted(view).differences(&Fields::default());
            let drift = Drift { fields, ..Drift::default() };
            match (resource.obstacle(view), resource.ownership()) {
                (Some((what, next)), _) => State::Impossible(drift, what, next),
                (None, Ownership::Shared) => State::Impossible(
                    drift,
                    "does not exist in this account and region".to_owned(),
                    "correct its id in the spec, or use the credentials of its account".to_owned(),
                ),
                (None, Ownership::Ours) => State::Missing(drift, Write::Create(whole())),
            }
        }
        [found] => {
            let wanted = resource.wanted_over(found, view);
            let fields = wanted.differences(&resource.found(found, view));
            if fields.is_empty() {
                return State::Equal;
            }
            let fixed: Vec<&str> = fields
                .iter()
                .map(|change| change.field.as_str())
                .filter(|field| resource.fixed().contains(field))
                .collect();
            let drift = Drift { fields: fields.clone(), ..Drift::default() };
            let left = fields.iter().find_map(|change| resource.left_because(change));
            if let Some(reason) = left {
                return State::Left(drift, reason);
            }
            if !fixed.is_empty() {
                return State::Impossible(
                    drift,
                    format!(
                        "{} of {} cannot be changed once it exists",
                        fixed.join(" and "),
                        M::aws_id(found)
                    ),
                    format!("set the spec back, or delete the {kind} first"),
                );
            }
            let update = Update { id: M::aws_id(found), fields };
            State::Differs(drift, Some(Write::Update(whole(), update)))
        }
        ref several => {
            let ids: Vec<String> = several.iter().map(|found| M::aws_id(found)).collect();
            State::Impossible(
                Drift::default(),
                format!("there are {} of it: {}", ids.len(), ids.join(", ")),
                "delete all but one, or take the cluster's tags off them".to_owned(),
            )
        }
    }
}
