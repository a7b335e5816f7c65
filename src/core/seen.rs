//! What was seen in AWS: tables by the type of their rows.

use std::any::{Any, TypeId};
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::aws::{AwsError, Fault};

/// All that was read. What was not asked for is [`Looked::Not`].
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen(BTreeMap<TypeId, Arc<dyn Any + Send + Sync>>);

impl Seen {
    /// What a look at rows of this type came to.
    pub(crate) fn of<T: Send + Sync + 'static>(&self) -> &Looked<T> {
        let table = self.0.get(&TypeId::of::<T>());
        table.and_then(|table| table.downcast_ref()).unwrap_or(&Looked::Not)
    }

    pub(crate) fn rows<T: Send + Sync + 'static>(&self) -> &[T] {
        self.of().rows()
    }

    pub(crate) fn put<T: Send + Sync + 'static>(&mut self, looked: Looked<T>) {
        self.0.insert(TypeId::of::<T>(), Arc::new(looked));
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

/// What was found where one resource was looked for.
#[derive(Clone, Debug)]
pub(crate) enum Observed<T> {
    Found(T),
    Missing,
    /// AWS refused the look.
    Denied(AwsError),
}

impl<T> Observed<T> {
    /// Sorts an answer of AWS into found, missing and refused.
    ///
    /// # Errors
    /// Any other failure.
    pub(crate) fn sort(answer: Result<T, AwsError>) -> Result<Self, AwsError> {
        match answer {
            Ok(found) => Ok(Self::Found(found)),
            Err(error) if error.fault == Fault::Missing => Ok(Self::Missing),
            Err(error) if error.fault == Fault::Denied => Ok(Self::Denied(error)),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn found(&self) -> Option<&T> {
        match self {
            Self::Found(found) => Some(found),
            _ => None,
        }
    }
}
