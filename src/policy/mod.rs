//! Policy documents: what each role of a cluster may do, and how two documents compare.
//!
//! [`generation`] tells which kops' documents a cluster has, [`role_policy`] builds them in
//! [`v1_10`] or [`v1_36`] out of a spec and tables, [`trust`] says who may take a role,
//! [`additional`] reads the statements that users add and [`external`] the policies that they name, [`difference`] compares by meaning, and
//! [`quota`] knows what AWS refuses. Everything here is pure: no AWS type, no file, no network.

pub(crate) mod additional;
pub(crate) mod difference;
pub(crate) mod document;
pub(crate) mod external;
pub(crate) mod generation;
pub(crate) mod given;
pub(crate) mod parse;
pub(crate) mod pattern;
pub(crate) mod quota;
pub(crate) mod role_policy;
pub(crate) mod stores;
pub(crate) mod trust;
mod v1_10;
pub(crate) mod v1_36;
pub(crate) mod zone;
