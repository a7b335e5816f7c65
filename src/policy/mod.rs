//! Policy documents: what each role of a cluster may do, and how two documents compare.
//!
//! [`role_policy`] builds the documents from a spec out of the tables in [`permissions`],
//! [`trust`] says who may take a role, [`additional`] reads the statements that users add,
//! [`difference`] compares by meaning, and [`quota`] knows what AWS refuses. Everything
//! here is pure: no AWS type, no file, no network.

pub(crate) mod additional;
pub(crate) mod difference;
pub(crate) mod document;
pub(crate) mod parse;
pub(crate) mod pattern;
mod permissions;
pub(crate) mod quota;
pub(crate) mod role_policy;
pub(crate) mod stores;
pub(crate) mod trust;
