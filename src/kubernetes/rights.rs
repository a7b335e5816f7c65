//! What the user may do in a cluster, asked before anything is begun.

use std::fmt;

use serde::Deserialize;
use serde_json::{Value as Json, json};

/// Something that an update does.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Right {
    verb: &'static str,
    resource: &'static str,
    subresource: &'static str,
    /// Empty for all of them.
    namespace: String,
    /// Whether nothing can be done without it.
    pub(crate) is_needed: bool,
}

const fn right(verb: &'static str, resource: &'static str, is_needed: bool) -> Right {
    Right { verb, resource, subresource: "", namespace: String::new(), is_needed }
}

/// To read a node and mark it, and to take it away once its instance was ended. Without the
/// last the cloud's controller does it later.
pub(super) const OF_NODES: [Right; 3] =
    [right("get", "nodes", true), right("patch", "nodes", true), right("delete", "nodes", false)];
pub(super) const EVICT: Right = Right {
    verb: "create",
    resource: "pods",
    subresource: "eviction",
    namespace: String::new(),
    is_needed: true,
};

impl Right {
    pub(super) fn within(&self, namespace: &str) -> Self {
        Self { namespace: namespace.to_owned(), ..self.clone() }
    }

    pub(super) fn review(&self) -> Json {
        json!({
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": {
                "verb": self.verb, "resource": self.resource, "subresource": self.subresource,
                "namespace": self.namespace,
            }},
        })
    }
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.verb, self.resource)?;
        if !self.subresource.is_empty() {
            write!(f, "/{}", self.subresource)?;
        }
        if !self.namespace.is_empty() {
            write!(f, " in {}", self.namespace)?;
        }
        Ok(())
    }
}

#[derive(Deserialize)]
pub(super) struct Review {
    pub(super) status: ReviewStatus,
}

#[derive(Deserialize)]
pub(super) struct ReviewStatus {
    pub(super) allowed: bool,
}
