//! Load balancers.

pub(crate) mod load_balancer;
pub(crate) mod network_load_balancer;
pub(crate) mod target_group;
