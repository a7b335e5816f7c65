//! Rolling updates: which instances do not run what the cluster now says, and replacing them
//! without hurting the workload.
//!
//! An update is a loop of looks. Each look reads AWS and Kubernetes whole, in a few calls; then
//! [`decide`] works out, without network, what may be done now; then that is done, and the
//! clock moves on. What counts is in AWS and Kubernetes (tags, cordons), so that a run that was
//! killed goes on where it stood; memory holds only since when something waits.

pub(crate) mod clock;
mod decide;
pub(crate) mod decision;
mod deeds;
mod emptying;
pub(crate) mod engine;
pub(crate) mod hand;
mod hands;
mod lane;
mod launches;
mod leftovers;
pub(crate) mod marks;
pub(crate) mod need;
pub(crate) mod observer;
mod patience;
pub(crate) mod refresh;
mod room;
pub(crate) mod run;
mod serving;
pub(crate) mod strategy;
mod turn;
pub(crate) mod world;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

/// What the user asked of an update. Times are in seconds.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) cloud_only: bool,
    pub(crate) bastion_interval: i64,
    pub(crate) master_interval: i64,
    pub(crate) node_interval: i64,
    pub(crate) post_drain_delay: i64,
    pub(crate) drain_timeout: i64,
    pub(crate) fail_on_drain_error: bool,
    pub(crate) fail_on_validate_error: bool,
    pub(crate) validation_timeout: i64,
    pub(crate) validate_count: u32,
    /// Ask after each instance whether to go on.
    pub(crate) interactive: bool,
    pub(crate) max_parallel_groups: usize,
    pub(crate) choice: Choice,
    /// The groups that are updated; the others are only looked at.
    pub(crate) groups: BTreeSet<String>,
}

/// Which instances are replaced.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Choice {
    /// Those that need it.
    Needing,
    /// All that are there when the update begins.
    All,
    /// This one.
    One(String),
}
