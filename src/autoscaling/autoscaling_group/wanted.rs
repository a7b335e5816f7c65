//! What is wanted of a group.

use super::mixed::Mixed;
use super::warm_pool::WarmPool;
use crate::aws::tags::Tags;
use crate::core::id::Ref;
use crate::ec2::launch_template::LaunchTemplate;
use crate::vpc::subnet::Subnet;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct AutoscalingGroup {
    pub(crate) name: String,
    pub(crate) template: Ref<LaunchTemplate>,
    /// The version that it must run, filled in before the plan is made.
    pub(crate) version: i64,
    pub(crate) min_size: i32,
    pub(crate) max_size: i32,
    pub(crate) subnets: Vec<Ref<Subnet>>,
    pub(crate) mixed: Option<Mixed>,
    pub(crate) suspended: Vec<String>,
    pub(crate) protected: bool,
    pub(crate) capacity_rebalance: bool,
    pub(crate) warm_pool: Option<WarmPool>,
    pub(crate) tags: Tags,
}
