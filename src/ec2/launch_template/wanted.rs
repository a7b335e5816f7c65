//! What is wanted of a launch template.

use std::collections::BTreeSet;

use super::content::{Spot, Volume};
use crate::aws::tags::Tags;
use crate::core::drift::Image;
use crate::core::id::Ref;
use crate::core::kind::ResourceId;
use crate::ec2::key_pair::SshKey;
use crate::ec2::user_data::Part;
use crate::vpc::security_group::SecurityGroup;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LaunchTemplate {
    pub(crate) name: String,
    /// The instance group that it is made for.
    pub(crate) group: String,
    pub(crate) zones: Vec<String>,
    pub(crate) runs_kubernetes: bool,
    pub(crate) image: WantedImage,
    /// Empty where the spec names none, until it is resolved.
    pub(crate) machine_type: String,
    pub(crate) ssh_key: Option<Ref<SshKey>>,
    /// The name of the instance profile.
    pub(crate) profile: String,
    pub(crate) security_groups: Vec<Ref<SecurityGroup>>,
    pub(crate) public_ip: bool,
    /// Whether instances have an address of IPv6, and metadata over it.
    pub(crate) ipv6: bool,
    pub(crate) root: Volume,
    pub(crate) volumes: Vec<(String, Volume)>,
    pub(crate) monitoring: bool,
    pub(crate) tenancy: Option<String>,
    pub(crate) spot: Option<Spot>,
    /// `required` or `optional`.
    pub(crate) http_tokens: String,
    pub(crate) http_hop_limit: i32,
    pub(crate) cpu_credits: Option<String>,
    pub(crate) ebs_optimized: Option<bool>,
    /// What the group adds to its user data.
    pub(crate) parts: Vec<Part>,
    pub(crate) user_data: Option<Vec<u8>>,
    /// Of the template, and of all that is started with it.
    pub(crate) tags: Tags,
    /// Those beside, if the machine type has GPUs.
    pub(crate) gpu_tags: Tags,
    /// Resources that must be there, though the template does not name their ids.
    pub(crate) after: Vec<ResourceId>,
    pub(crate) resolved: Resolved,
}

/// An image as it is asked for.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum WantedImage {
    /// As the spec names it.
    Named(String),
    /// The machine type's architecture tells which.
    ByArchitecture(&'static [(&'static str, &'static str)]),
    #[default]
    Unknown,
}

impl WantedImage {
    /// All that it may be.
    pub(crate) fn names(&self) -> Vec<&str> {
        match self {
            Self::Named(name) => vec![name],
            Self::ByArchitecture(all) => all.iter().map(|(_, name)| *name).collect(),
            Self::Unknown => Vec::new(),
        }
    }

    /// The one for a machine of these architectures, of which the first that is known counts.
    pub(crate) fn of(&self, architectures: &[String]) -> Option<&str> {
        match self {
            Self::Named(name) => Some(name),
            Self::ByArchitecture(all) => {
                let names = architectures.iter().filter_map(|architecture| {
                    all.iter().find(|(known, _)| known == architecture).map(|(_, name)| *name)
                });
                names.into_iter().next()
            }
            Self::Unknown => None,
        }
    }
}

/// What only AWS tells, filled in before the plan is made.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Resolved {
    pub(crate) image: Image,
    /// What the image runs on; empty where that is not told.
    pub(crate) architecture: String,
    pub(crate) root_device: String,
    /// How many disks of the instance itself are mapped.
    pub(crate) ephemeral: i32,
    /// The number of the next version.
    pub(crate) next_version: i64,
    /// Versions that instances or the group use.
    pub(crate) used: BTreeSet<i64>,
}
