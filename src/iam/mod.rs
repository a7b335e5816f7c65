//! What the instances and the pods of a cluster may do.

pub(crate) mod attached;
pub(crate) mod idle;
pub(crate) mod instance_profile;
pub(crate) mod instance_profile_role;
pub(crate) mod look;
pub(crate) mod managed_policy;
pub(crate) mod oidc_provider;
pub(crate) mod presence;
pub(crate) mod role;
pub(crate) mod role_deletion;
pub(crate) mod role_policy;
pub(crate) mod role_policy_attachment;
