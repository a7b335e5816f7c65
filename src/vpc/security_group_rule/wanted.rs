//! What is wanted of a security group's rule: in a file of its own, since what is found names it.

use crate::aws::tags::Tags;
use crate::core::id::Ref;
use crate::vpc::security_group::wanted::SecurityGroup;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SecurityGroupRule {
    pub(crate) name: String,
    pub(crate) group: Ref<SecurityGroup>,
    pub(crate) egress: bool,
    /// As EC2 names it: `tcp`, `udp`, `-1` for all, or a number.
    pub(crate) protocol: &'static str,
    /// Of ICMP, type and code.
    pub(crate) ports: Option<(i32, i32)>,
    pub(crate) peer: WantedPeer,
    /// None where others may be there.
    pub(crate) tags: Tags,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum WantedPeer {
    Group(Ref<SecurityGroup>),
    Cidr(String),
    PrefixList(String),
}
