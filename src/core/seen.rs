//! What was seen in AWS: tables by the type of their rows.

use std::any::{Any, TypeId};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::aws::{AwsError, Fault};

/// All that was read. What was not asked for is [`Looked::Not`].
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    tables: BTreeMap<TypeId, Arc<dyn Table>>,
    /// Where AWS is asked for one at a time: by the name that was asked for.
    named: BTreeMap<(TypeId, String), Arc<dyn Table>>,
}

/// What can be a row.
pub(crate) trait Row: Clone + fmt::Debug + Send + Sync + 'static {}

impl<T: Clone + fmt::Debug + Send + Sync + 'static> Row for T {}

/// What a look came to, without the type of its rows.
trait Table: fmt::Debug + Send + Sync {
    fn any(&self) -> &dyn Any;
    fn and(&self, other: &dyn Any) -> Option<Arc<dyn Table>>;
    fn refusal(&self) -> Option<&AwsError>;
}

impl<T: Row> Table for Looked<T> {
    fn any(&self) -> &dyn Any {
        self
    }

    fn and(&self, other: &dyn Any) -> Option<Arc<dyn Table>> {
        let both = match (self, other.downcast_ref::<Self>()?) {
            (Self::Not, other) => other.clone(),
            (one, Self::Not) => one.clone(),
            (Self::Found(one), Self::Found(other)) => Self::Found([one.as_slice(), other].concat()),
            (Self::Denied(error), _) | (_, Self::Denied(error)) => Self::Denied(error.clone()),
        };
        Some(Arc::new(both))
    }

    fn refusal(&self) -> Option<&AwsError> {
        self.refused()
    }
}

impl Seen {
    /// What a look at rows of this type came to.
    pub(crate) fn of<T: Row>(&self) -> &Looked<T> {
        let table = self.tables.get(&TypeId::of::<T>());
        table.and_then(|table| table.any().downcast_ref()).unwrap_or(&Looked::Not)
    }

    pub(crate) fn rows<T: Row>(&self) -> &[T] {
        self.of().rows()
    }

    pub(crate) fn put<T: Row>(&mut self, looked: Looked<T>) {
        self.tables.insert(TypeId::of::<T>(), Arc::new(looked));
    }

    /// The same with a table more.
    pub(crate) fn with<T: Row>(mut self, looked: Looked<T>) -> Self {
        self.put(looked);
        self
    }

    /// A look that was refused, if any was.
    pub(crate) fn refused(&self) -> Option<&AwsError> {
        self.tables.values().chain(self.named.values()).find_map(|table| table.refusal())
    }

    /// Takes in what another look came to. Rows of one type that several looks tell of lie
    /// together.
    pub(crate) fn join(&mut self, more: Self) {
        for (of, table) in more.tables {
            let both = self.tables.get(&of).and_then(|own| own.and(table.any()));
            self.tables.insert(of, both.unwrap_or(table));
        }
        self.named.extend(more.named);
    }

    /// What a look for one of a name came to.
    pub(crate) fn named<T: Row>(&self, name: &str) -> &Looked<T> {
        let looked = self.named.get(&(TypeId::of::<T>(), name.to_owned()));
        looked.and_then(|looked| looked.any().downcast_ref()).unwrap_or(&Looked::Not)
    }

    /// The one of a name, if it was found.
    pub(crate) fn one<T: Row>(&self, name: &str) -> Option<&T> {
        self.named(name).one()
    }

    /// All that were looked for by name.
    pub(crate) fn all_named<T: Row>(&self) -> impl Iterator<Item = (&str, &Looked<T>)> {
        let of_type = self.named.iter().filter(|((of, _), _)| *of == TypeId::of::<T>());
        of_type
            .filter_map(|((_, name), looked)| Some((name.as_str(), looked.any().downcast_ref()?)))
    }

    pub(crate) fn put_named<T: Row>(&mut self, name: &str, looked: Looked<T>) {
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

    /// What may fail without failing a run; whoever needs it says what that means.
    pub(crate) fn attempted(answer: Result<Vec<T>, AwsError>) -> Self {
        answer.map_or_else(Self::Denied, Self::Found)
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
