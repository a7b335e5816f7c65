//! What running instances use: it is not deleted before they are gone.
//!
//! Instances are asked, and no group's members: one that was detached, or started by hand, is in
//! no group.

use std::collections::BTreeMap;
use std::fmt;

use crate::aws::AwsError;

/// The call that tells.
pub(crate) const DESCRIBE: &str = "ec2:DescribeInstances";

/// What an instance may use.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Thing {
    /// By its ARN.
    InstanceProfile(String),
    SecurityGroup(String),
    LaunchTemplate(String),
    Subnet(String),
}

/// An instance that uses something.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct User {
    pub(crate) id: String,
    /// The Auto Scaling group that it is in.
    pub(crate) scaling_group: Option<String>,
    /// The version of the launch template that it was made of.
    pub(crate) version: Option<i64>,
}

/// What was asked about, and who uses it.
#[derive(Clone, Debug, Default)]
pub(crate) struct InUse(BTreeMap<Thing, Result<Vec<User>, AwsError>>);

/// Why something is not deleted yet.
#[derive(Clone, Debug)]
pub(crate) enum Hold {
    NotAsked,
    Denied(AwsError),
    Used(Vec<String>),
}

impl Hold {
    /// Why it stays, and what command takes it when it can go.
    pub(crate) fn reason(&self, command: &str) -> String {
        match self {
            Self::Used(ids) => {
                let are = if ids.len() == 1 { "is" } else { "are" };
                let ids = ids.join(", ");
                format!("used by {ids}; when {ids} {are} gone: {command}")
            }
            other => format!("{other}; then: {command}"),
        }
    }
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAsked => write!(f, "whether instances use it was not asked"),
            Self::Denied(error) => {
                let call = error.operation;
                write!(f, "whether instances use it is not known: {error}; allow {call}")
            }
            Self::Used(ids) => write!(f, "used by {}", ids.join(", ")),
        }
    }
}

impl InUse {
    pub(crate) fn put(&mut self, thing: Thing, users: Result<Vec<User>, AwsError>) {
        self.0.insert(thing, users);
    }

    /// Who uses something.
    ///
    /// # Errors
    /// It is not known.
    pub(crate) fn users(&self, thing: &Thing) -> Result<&[User], Hold> {
        match self.0.get(thing) {
            None => Err(Hold::NotAsked),
            Some(Err(error)) => Err(Hold::Denied(error.clone())),
            Some(Ok(users)) => Ok(users),
        }
    }

    /// What holds something once those are gone that go.
    pub(crate) fn hold(&self, thing: &Thing, goes: impl Fn(&User) -> bool) -> Option<Hold> {
        let users = match self.users(thing) {
            Ok(users) => users,
            Err(hold) => return Some(hold),
        };
        let left: Vec<String> =
            users.iter().filter(|user| !goes(user)).map(|user| user.id.clone()).collect();
        (!left.is_empty()).then_some(Hold::Used(left))
    }
}
