//! What is wanted of a launch template.

use std::collections::BTreeSet;

use super::content::{Spot, Volume};
use crate::aws::tags::Tags;
use crate::core::drift::Image;
use crate::core::id::Ref;
use crate::core::kind::ResourceId;
use crate::ec2::key_pair::SshKey;
use crate::vpc::security_group::SecurityGroup;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LaunchTemplate {
    pub(crate) name: String,
    /// The instance group that it is made for.
    pub(crate) group: String,
    pub(crate) zones: Vec<String>,
    pub(crate) runs_kubernetes: bool,
    /// The image as the spec names it.
    pub(crate) image: String,
    pub(crate) machine_type: String,
    pub(crate) ssh_key: Option<Ref<SshKey>>,
    /// The name of the instance profile.
    pub(crate) profile: String,
    pub(crate) security_groups: Vec<Ref<SecurityGroup>>,
    pub(crate) public_ip: bool,
    pub(crate) root: Volume,
    pub(crate) volumes: Vec<(String, Volume)>,
    pub(crate) monitoring: bool,
    pub(crate) tenancy: Option<String>,
    pub(crate) spot: Option<Spot>,
    /// `required` or `optional`.
    pub(crate) http_tokens: Option<String>,
    pub(crate) http_hop_limit: Option<i32>,
    pub(crate) cpu_credits: Option<String>,
    pub(crate) ebs_optimized: Option<bool>,
    pub(crate) user_data: Option<Vec<u8>>,
    pub(crate) tags: Tags,
    /// Resources that must be there, though the template does not name their ids.
    pub(crate) after: Vec<ResourceId>,
    pub(crate) resolved: Resolved,
}

/// What only AWS tells, filled in before the plan is made.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Resolved {
    pub(crate) image: Image,
    pub(crate) root_device: String,
    /// How many disks of the instance itself are mapped.
    pub(crate) ephemeral: i32,
    /// The number of the next version.
    pub(crate) next_version: i64,
    /// Versions that instances or the group use.
    pub(crate) used: BTreeSet<i64>,
}
