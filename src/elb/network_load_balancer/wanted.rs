//! What is wanted of a network load balancer.

use crate::aws::tags::Tags;
use crate::core::id::Ref;
use crate::elb::access_log::AccessLog;
use crate::vpc::security_group::SecurityGroup;
use crate::vpc::subnet::Subnet;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct NetworkLoadBalancer {
    /// Its `Name` tag, `api.dev.example.com`.
    pub(crate) name: String,
    /// AWS' name of the first of it, of at most 32 characters.
    pub(crate) aws_name: String,
    pub(crate) internal: bool,
    /// Whether it has addresses of IPv6 too.
    pub(crate) dual_stack: bool,
    pub(crate) cross_zone: bool,
    pub(crate) access_log: Option<AccessLog>,
    pub(crate) subnets: Vec<PlacedIn>,
    pub(crate) security_groups: Vec<Ref<SecurityGroup>>,
    pub(crate) tags: Tags,
    /// Whether it takes the place of one that it cannot be made of. Only AWS tells.
    pub(crate) replaces: bool,
}

/// A subnet that it is to stand in.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PlacedIn {
    pub(crate) subnet: Ref<Subnet>,
    pub(crate) address: Option<OwnAddress>,
}

/// An address of the user's choice.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum OwnAddress {
    /// An elastic IP, by its allocation.
    Elastic(String),
    Private(String),
}

impl OwnAddress {
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Elastic(text) | Self::Private(text) => text,
        }
    }
}
