//! What is wrong with a spec: the field, the place in the text, what is wrong and what is
//! allowed. Problems are collected and shown together.

use std::fmt;

use super::path::FieldPath;
use super::yaml::{Node, Position};
use crate::visible::text::visible;

#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Problem {
    pub(crate) path: FieldPath,
    pub(crate) at: Option<Position>,
    pub(crate) message: String,
}

impl Problem {
    pub(crate) fn new(path: &FieldPath, message: impl Into<String>) -> Self {
        Self { path: path.clone(), at: None, message: message.into() }
    }

    pub(crate) fn at(mut self, at: Position) -> Self {
        self.at = Some(at);
        self
    }

    /// Gives the problem its place in the text, unless it has one.
    pub(crate) fn located(mut self, root: &Node) -> Self {
        self.at = self.at.or_else(|| Some(root.locate(&self.path)));
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.to_string();
        let (path, message) = (visible(&path), visible(&self.message));
        match self.at {
            Some(at) => write!(f, "{path} (line {}): {message}", at.line),
            None => write!(f, "{path}: {message}"),
        }
    }
}

/// Every problem of one object, for one error.
#[derive(Debug, thiserror::Error)]
pub(crate) struct Problems {
    /// The object and where it was read from: `Cluster/x (cluster.yaml)`.
    pub(crate) subject: String,
    pub(crate) problems: Vec<Problem>,
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.problems.len();
        let noun = if count == 1 { "problem" } else { "problems" };
        write!(f, "{}: {count} {noun}", visible(&self.subject))?;
        for problem in &self.problems {
            write!(f, "\n  {problem}")?;
        }
        Ok(())
    }
}
