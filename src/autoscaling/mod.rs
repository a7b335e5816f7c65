//! Groups of instances.

pub(crate) mod autoscaling_group;
pub(crate) mod fleet;
pub(crate) mod instance_refresh;
pub(crate) mod lifecycle_hook;
pub(crate) mod load_balancer_attachment;
pub(crate) mod warm_pool;
