//! A policy document in the grammar of IAM, and its JSON.
//!
//! Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html>

use std::collections::BTreeMap;
use std::fmt;

use serde::{Serialize, Serializer};
use serde_json::{Map, Value as Json, json};

/// The version that every document of ours declares.
pub(crate) const VERSION: &str = "2012-10-17";

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Document {
    /// Absent in a document means the older language version, without policy variables.
    pub(crate) version: Option<String>,
    pub(crate) id: Option<String>,
    pub(crate) statements: Vec<Statement>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Statement {
    pub(crate) sid: Option<String>,
    pub(crate) effect: Effect,
    pub(crate) principal: Option<Scope<Principals>>,
    pub(crate) actions: Scope<Values>,
    /// Absent in trust policies.
    pub(crate) resources: Option<Scope<Values>>,
    pub(crate) conditions: Conditions,
}

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub(crate) enum Effect {
    Allow,
    Deny,
}

/// What an element names, or (`NotAction`, `NotResource`, `NotPrincipal`) all but that.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Scope<T> {
    Only(T),
    AllBut(T),
}

/// One text or a list of them, as the document writes it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Values {
    One(String),
    Many(Vec<String>),
}

/// Who: by kind of principal (`AWS`, `Service`, `Federated`), or `*` alone for everyone.
pub(crate) type Principals = BTreeMap<String, Values>;

/// By operator, then by condition key, the values that match.
pub(crate) type Conditions = BTreeMap<String, BTreeMap<String, Values>>;

impl<T> Scope<T> {
    pub(crate) fn inner(&self) -> &T {
        match self {
            Self::Only(inner) | Self::AllBut(inner) => inner,
        }
    }
}

impl Values {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        match self {
            Self::One(one) => std::slice::from_ref(one).iter(),
            Self::Many(many) => many.iter(),
        }
        .map(String::as_str)
    }

    fn to_json(&self) -> Json {
        match self {
            Self::One(one) => json!(one),
            Self::Many(many) => json!(many),
        }
    }
}

impl Statement {
    /// An `Allow` for these actions on these resources, without conditions.
    pub(crate) fn allow(actions: &[&str], resources: Values) -> Self {
        Self {
            sid: None,
            effect: Effect::Allow,
            principal: None,
            actions: Scope::Only(many(actions)),
            resources: Some(Scope::Only(resources)),
            conditions: Conditions::new(),
        }
    }

    /// The same, where a condition key equals a value.
    pub(crate) fn only_if_equal(mut self, key: &str, value: &str) -> Self {
        let keys = self.conditions.entry("StringEquals".to_owned()).or_default();
        keys.insert(key.to_owned(), Values::One(value.to_owned()));
        self
    }

    pub(crate) fn to_json(&self) -> Json {
        let mut fields = Map::new();
        if let Some(sid) = &self.sid {
            fields.insert("Sid".to_owned(), json!(sid));
        }
        fields.insert("Effect".to_owned(), json!(self.effect));
        if let Some(principal) = &self.principal {
            let everyone = principal.inner().get("*").map(|_| json!("*"));
            let named = || {
                let kinds = principal.inner().iter();
                kinds.map(|(kind, values)| (kind.clone(), values.to_json())).collect()
            };
            let value = everyone.unwrap_or_else(|| Json::Object(named()));
            fields.insert(element(principal, "Principal", "NotPrincipal"), value);
        }
        let actions = element(&self.actions, "Action", "NotAction");
        fields.insert(actions, self.actions.inner().to_json());
        if let Some(resources) = &self.resources {
            let name = element(resources, "Resource", "NotResource");
            fields.insert(name, resources.inner().to_json());
        }
        if !self.conditions.is_empty() {
            let operators = self.conditions.iter().map(|(operator, keys)| {
                let keys = keys.iter().map(|(key, values)| (key.clone(), values.to_json()));
                (operator.clone(), Json::Object(keys.collect()))
            });
            fields.insert("Condition".to_owned(), Json::Object(operators.collect()));
        }
        Json::Object(fields)
    }
}

impl Document {
    pub(crate) fn new(statements: Vec<Statement>) -> Self {
        Self { version: Some(VERSION.to_owned()), id: None, statements }
    }

    /// Whether some statement is about a hosted zone by its id.
    pub(crate) fn names_a_zone(&self) -> bool {
        let scopes = self.statements.iter().filter_map(|statement| statement.resources.as_ref());
        let mut resources = scopes.flat_map(|scope| scope.inner().iter());
        resources.any(|arn| arn.contains(":hostedzone/"))
    }

    pub(crate) fn to_json(&self) -> Json {
        let mut fields = Map::new();
        if let Some(version) = &self.version {
            fields.insert("Version".to_owned(), json!(version));
        }
        if let Some(id) = &self.id {
            fields.insert("Id".to_owned(), json!(id));
        }
        let statements = self.statements.iter().map(Statement::to_json).collect();
        fields.insert("Statement".to_owned(), Json::Array(statements));
        Json::Object(fields)
    }

    /// The document as it is sent to AWS.
    pub(crate) fn to_compact(&self) -> String {
        self.to_json().to_string()
    }
}

impl Serialize for Document {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_json().serialize(serializer)
    }
}

impl Serialize for Statement {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_json().serialize(serializer)
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

pub(crate) fn many(texts: &[&str]) -> Values {
    Values::Many(texts.iter().map(|text| (*text).to_owned()).collect())
}

fn element<T>(scope: &Scope<T>, only: &str, all_but: &str) -> String {
    match scope {
        Scope::Only(_) => only.to_owned(),
        Scope::AllBut(_) => all_but.to_owned(),
    }
}
