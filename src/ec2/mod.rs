//! Instances, and what they are made of.

pub(crate) mod image;
pub(crate) mod in_use;
pub(crate) mod instance;
pub(crate) mod instance_type;
pub(crate) mod key_pair;
pub(crate) mod launch_template;
pub(crate) mod user_data;
pub(crate) mod volume;
