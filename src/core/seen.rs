//! What was seen in AWS: tables by the type of their rows.

use std::any::{Any, TypeId};
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::aws::{AwsError, Fault};

/// All that was read. What was not asked for is [`Looked::Not`].
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    tables: BTreeMap<TypeId, Arc<dyn Any + Send + Sync>>,
    /// Where AWS is asked for one at a time: by the name that was asked for.
    named: BTreeMap<(TypeId, String), Arc<dyn Any + Send + Sync>>,
}

impl Seen {
    /// What a look at rows of this type came to.
    pub(crate) fn of<T: Send + Sync + 'static>(&self) -> &Looked<T> {
        let table = self.tables.get(&TypeId::of::<T>());
        table.and_then(|table| table.downcast_ref()).unwrap_or(&Looked::Not)
    }

    pub(crate) fn rows<T: Send + Sync + 'static>(&self) -> &[T] {
        self.of().rows()
    }

    pub(crate) fn put<T: Send + Sync + 'static>(&mut self, looked: Looked<T>) {
        self.tables.insert(TypeId::of::<T>(), Arc::new(looked));
    }

    /// What a look for one of a name came to.
    pub(crate) fn named<T: Send + Sync + 'static>(&self, name: &str) -> &Looked<T> {
        let looked = self.named.get(&(TypeId::of::<T>(), name.to_owned()));
        looked.and_then(|looked| looked.downcast_ref()).unwrap_or(&Looked::Not)
    }

    /// The one of a name, if it was found.
    pub(crate) fn one<T: Send + Sync + 'static>(&self, name: &str) -> Option<&T> {
        self.named(name).one()
    }

    /// All that were looked for by name.
    pub(crate) fn all_named<T: Send + Sync + 'static>(
        &self,
    ) -> impl Iterator<Item = (&str, &Looked<T>)> {
        let of_type = self.named.iter().filter(|((of, _), _)| *of == TypeId::of::<T>());
        of_type.filter_map(|((_, name), looked)| Some((name.as_str(), looked.downcast_ref()?)))
    }

    pub(crate) fn put_named<T: Send + Sync + 'static>(&mut self, name: &str, looked: Looked<T>) {
        self.named.insert((TypeId::of::<T>(), name.to_owned()), Arc::new(looked));
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
        match answer {
            Ok(rows) => Ok(Self::Found(rows)),
            Err(error) if error.fault == Fault::Missing => Ok(Self::Found(Vec::new())),
            Err(error) if error.fault == Fault::Denied => Ok(Self::Denied(error)),
            Err(error) => Err(error),
        }
    }

    /// What one look for one thing came to.
    ///
    /// # Errors
    /// Any failure but a refusal of the look.
    pub(crate) fn sort_one(answer: Result<T, AwsError>) -> Result<Self, AwsError> {
        Self::sort(answer.map(|one| vec![one]))
    }

    /// The one that was looked for, if it was found.
    pub(crate) fn one(&self) -> Option<&T> {
        self.rows().first()
    }

    /// Why it is not known, if the look was refused.
    pub(crate) fn refused(&self) -> Option<&AwsError> {
        match self {
            Self::Denied(error) => Some(error),
            Self::Found(_) | Self::Not => None,
        }
    }

    /// # Errors
    /// The look was refused.
    pub(crate) fn known(&self) -> Result<(), AwsError> {
        match self {
            Self::Denied(error) => Err(error.clone()),
            Self::Found(_) | Self::Not => Ok(()),
        }
    }

    /// Whether it is known that there is none, or that there is.
    pub(crate) fn exists(&self) -> Option<bool> {
        match self {
            Self::Found(rows) => Some(!rows.is_empty()),
            Self::Not | Self::Denied(_) => None,
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

/// What one resource is found among.
#[derive(Debug)]
pub(crate) enum Sight<'a, T> {
    /// It was not looked for.
    Not,
    Denied(&'a AwsError),
    Rows(Vec<&'a T>),
}

impl<'a, T> From<&'a Looked<T>> for Sight<'a, T> {
    fn from(looked: &'a Looked<T>) -> Self {
        match looked {
            Looked::Not => Self::Not,
            Looked::Denied(error) => Self::Denied(error),
            Looked::Found(rows) => Self::Rows(rows.iter().collect()),
        }
    }
}
