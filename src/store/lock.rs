//! The lock of a cluster: one writer at a time, of AWS and of specs.
//!
//! It is the object `.kapstan/<cluster>/lock`, beside the clusters' folders. kops takes every
//! key that ends in `/config` for a cluster, and does not delete a cluster in whose folder is
//! a file that it does not know (kops, `registry.DeleteAllClusterState`); it meets neither.
//!
//! Who holds the lock writes it anew again and again. No two clocks are compared: a lock is
//! dead once who waits for it has itself seen it unchanged for the span that it names. Each
//! write of it has a condition, so that of many who take it one wins.

pub(crate) mod acquire;
pub(crate) mod held;
pub(crate) mod holder;
pub(crate) mod seen;
