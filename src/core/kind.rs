//! What a resource is called: its kind, and its name.

use std::cmp::Ordering;
use std::fmt;

use serde::{Serialize, Serializer};

/// A part of the cluster that a phase covers.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Layer {
    Network,
    Security,
    Cluster,
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Network => "network",
            Self::Security => "security",
            Self::Cluster => "cluster",
        })
    }
}

/// A kind of resource, without its type. Kinds are in the order in which they depend on each
/// other, which is that of the catalogue's table.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Kind {
    rank: usize,
    name: &'static str,
    layer: Layer,
}

impl Kind {
    pub(crate) const fn new(rank: usize, name: &'static str, layer: Layer) -> Self {
        Self { rank, name, layer }
    }

    /// kops' name of the task, which users type in `--lifecycle-overrides`.
    pub(crate) fn name(self) -> &'static str {
        self.name
    }

    pub(crate) fn layer(self) -> Layer {
        self.layer
    }
}

impl Ord for Kind {
    fn cmp(&self, other: &Self) -> Ordering {
        self.rank.cmp(&other.rank)
    }
}

impl PartialOrd for Kind {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// What is of a kind.
pub(crate) trait OfKind {
    const KIND: Kind;
}

/// A resource of a cluster, printed `IAMRole/nodes.dev.example.com`.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct ResourceId {
    pub(crate) kind: Kind,
    pub(crate) name: String,
}

impl ResourceId {
    /// A thing that AWS knows by id, called by its name if it has one.
    pub(crate) fn named(kind: Kind, id: &str, name: Option<&String>) -> Self {
        match name.filter(|name| !name.is_empty()) {
            Some(name) => Self::new(kind, format!("{name} ({id})")),
            None => Self::new(kind, id),
        }
    }

    pub(crate) fn new(kind: Kind, name: impl Into<String>) -> Self {
        Self { kind, name: name.into() }
    }
}

impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.name)
    }
}

impl Serialize for ResourceId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
