//! The roles of instance groups.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize as _, Deserializer, Serialize};

use super::spelling::nearest;
use crate::limits::role_name;

/// What the instances of a group are for.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub(crate) enum Role {
    /// `ControlPlane` to newer kops, which still writes it so.
    Master,
    Node,
    Bastion,
    #[serde(rename = "APIServer")]
    ApiServer,
}

impl Role {
    pub(crate) const ALL: [Self; 4] = [Self::Master, Self::Node, Self::Bastion, Self::ApiServer];

    /// The role that a spec names.
    fn named(word: &str) -> Option<Self> {
        match word {
            "Master" | "ControlPlane" => Some(Self::Master),
            "Node" => Some(Self::Node),
            "Bastion" => Some(Self::Bastion),
            "APIServer" => Some(Self::ApiServer),
            _ => None,
        }
    }

    /// The keys of the role in `additionalPolicies` and `externalPolicies`.
    pub(crate) fn keys(self) -> &'static [&'static str] {
        match self {
            Self::Master => &["master", "control-plane"],
            Self::Node => &["node"],
            Self::Bastion => &["bastion"],
            Self::ApiServer => &["apiserver"],
        }
    }

    /// The role as `--role` names it.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::Master => "master",
            Self::Node => "node",
            Self::Bastion => "bastion",
            Self::ApiServer => "apiserver",
        }
    }

    /// The name of the role's IAM role, profile and policy (kops `pkg/model/names.go`).
    pub(crate) fn iam_name(self, cluster: &str) -> String {
        role_name::shortened(&format!("{}s.{cluster}", self.key()))
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Master => "Master",
            Self::Node => "Node",
            Self::Bastion => "Bastion",
            Self::ApiServer => "APIServer",
        })
    }
}

/// Reads a role. A word that is none is told by the schema, so it leaves the spec readable.
///
/// # Errors
/// No text.
pub(super) fn lenient<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Role>, D::Error> {
    Ok(Option::<String>::deserialize(from)?.and_then(|word| Role::named(&word)))
}

impl FromStr for Role {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let lower = word.to_lowercase();
        let is_meant = |role: &Self| role.keys().contains(&lower.trim_end_matches('s'));
        let found = Self::ALL.into_iter().find(is_meant);
        found.ok_or_else(|| {
            let hint = nearest(word, Self::ALL.map(Self::key))
                .map(|name| format!("; did you mean {name}?"))
                .unwrap_or_default();
            format!("a role is master, node, bastion or apiserver{hint}")
        })
    }
}
