//! The roles of instance groups.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::spelling::nearest;
use crate::limits::role_name;

/// What the instances of a group are for.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Deserialize, Serialize)]
pub(crate) enum Role {
    Master,
    Node,
    Bastion,
}

impl Role {
    pub(crate) const ALL: [Self; 3] = [Self::Master, Self::Node, Self::Bastion];

    /// The role as `additionalPolicies` and `--role` name it.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::Master => "master",
            Self::Node => "node",
            Self::Bastion => "bastion",
        }
    }

    /// The name of the role's IAM role, profile and policy (kops `pkg/model/names.go`).
    pub(crate) fn iam_name(self, cluster: &str) -> String {
        role_name::shortened(&format!("{}s.{cluster}", self.key()))
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let lower = word.to_lowercase();
        let found = Self::ALL.into_iter().find(|role| role.key() == lower.trim_end_matches('s'));
        found.ok_or_else(|| {
            let hint = nearest(word, Self::ALL.map(Self::key))
                .map(|name| format!("; did you mean {name}?"))
                .unwrap_or_default();
            format!("a role is master, node or bastion{hint}")
        })
    }
}
