//! Load balancers.

pub(crate) mod access_log;
pub(crate) mod listener;
pub(crate) mod load_balancer;
pub(crate) mod network;
pub(crate) mod network_load_balancer;
mod revision;
mod tags;
pub(crate) mod target_group;
