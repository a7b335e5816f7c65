//! `AutoscalingGroup`: keeps as many instances of a launch template as an instance group
//! asks for.

mod fields;
mod kind;
mod launch_configuration;
mod live;
mod look;
mod metrics;
mod mixed;
mod processes;
mod tags;
mod unclaimed;
mod wanted;
mod warm_pool;

pub(crate) use kind::AutoscalingGroupDeletion;
pub(crate) use launch_configuration::{
    ConfigurationUser, LaunchConfigurationDeletion, OldUserData,
};
pub(crate) use live::LiveGroup;
pub(crate) use look::Groups;
pub(crate) use mixed::{Mixed, Requirements};
pub(crate) use tags::tags_from_sdk;
pub(crate) use wanted::AutoscalingGroup;
pub(crate) use warm_pool::Sizes;
