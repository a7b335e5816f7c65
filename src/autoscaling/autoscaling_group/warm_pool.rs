//! How many instances wait, stopped, to join a group.

use aws_sdk_autoscaling::types::WarmPoolConfiguration;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sizes {
    pub(crate) least: i32,
    /// `None` for as many as the group's largest size allows.
    pub(crate) most: Option<i32>,
}

impl Sizes {
    /// `None` if the pool is on its way out, as one with a status is.
    pub(super) fn from_sdk(pool: &WarmPoolConfiguration) -> Option<Self> {
        pool.status().is_none().then(|| Self {
            least: pool.min_size().unwrap_or_default(),
            most: pool.max_group_prepared_capacity().filter(|size| *size >= 0),
        })
    }
}
