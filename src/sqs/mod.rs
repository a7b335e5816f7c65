//! Queues.

pub(crate) mod queue;
