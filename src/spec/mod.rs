//! What the user wrote: `Cluster`, `InstanceGroup` and `SSHCredential` documents.
//!
//! Text comes in, is parsed to a tree that knows its lines ([`yaml`]), checked against the
//! fields that kops has ([`schema`], [`fields`]) and read into typed specs with kops'
//! defaults ([`cluster`], [`instance_group`]). [`validate`] tells everything that is wrong
//! with it. The text itself is kept ([`document`]) and edited in place ([`patch`]), so that
//! nothing the user wrote is lost. Nothing here touches a file or the network.

pub(crate) mod api_server;
pub(crate) mod cluster;
mod der;
pub(crate) mod document;
mod fields;
pub(crate) mod instance_group;
mod kind;
pub(crate) mod name;
pub(crate) mod new_cluster;
pub(crate) mod node_labels;
pub(crate) mod object;
pub(crate) mod own;
pub(crate) mod patch;
pub(crate) mod path;
pub(crate) mod problem;
pub(crate) mod profile_arn;
pub(crate) mod quantity;
pub(crate) mod reach;
pub(crate) mod renew;
pub(crate) mod role;
pub(crate) mod rolling_update;
mod schema;
pub(crate) mod secret;
pub(crate) mod spelling;
pub(crate) mod ssh_credential;
#[cfg(test)]
mod structs;
pub(crate) mod subnets;
mod v1alpha1;
pub(crate) mod validate;
mod volumes;
mod warm_pool;
pub(crate) mod yaml;
mod zone;
