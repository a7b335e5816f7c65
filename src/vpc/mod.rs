//! The network: what EC2 counts to the VPC.

pub(crate) mod cidr_block;
mod contents;
pub(crate) mod dhcp_options;
pub(crate) mod dhcp_options_association;
pub(crate) mod egress_only_internet_gateway;
pub(crate) mod elastic_ip;
pub(crate) mod interface;
pub(crate) mod internet_gateway;
pub(crate) mod ipv6_cidr_block;
pub(crate) mod nat_gateway;
pub(crate) mod route;
pub(crate) mod route_table;
pub(crate) mod route_table_association;
pub(crate) mod security_group;
pub(crate) mod security_group_rule;
pub(crate) mod subnet;
#[expect(clippy::module_inception, reason = "the kind bears the name of its service")]
pub(crate) mod vpc;
