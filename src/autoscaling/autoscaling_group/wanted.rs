//! What is wanted of a group.

use super::mixed::Mixed;
use crate::aws::tags::Tags;
use crate::core::id::Ref;
use crate::ec2::launch_template::LaunchTemplate;
use crate::vpc::subnet::Subnet;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct AutoscalingGroup {
    pub(crate) name: String,
    pub(crate) template: Ref<LaunchTemplate>,
    pub(crate) min_size: i32,
    pub(crate) max_size: i32,
    pub(crate) subnets: Vec<Ref<Subnet>>,
    pub(crate) mixed: Option<Mixed>,
    pub(crate) suspended: Vec<String>,
    pub(crate) protected: bool,
    pub(crate) capacity_rebalance: bool,
    /// In seconds; 0 for any.
    pub(crate) max_lifetime: i32,
    /// Whether instances wait to join it, of which metrics tell too.
    pub(crate) has_warm_pool: bool,
    pub(crate) tags: Tags,
}
