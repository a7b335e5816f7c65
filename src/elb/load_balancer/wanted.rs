//! What is wanted of a classic load balancer.

use crate::aws::tags::Tags;
use crate::core::id::Ref;
use crate::elb::access_log::AccessLog;
use crate::vpc::security_group::SecurityGroup;
use crate::vpc::subnet::Subnet;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LoadBalancer {
    /// kops' name of it, `api.dev.example.com`.
    pub(crate) name: String,
    /// AWS' name, of at most 32 characters.
    pub(crate) aws_name: String,
    pub(crate) internal: bool,
    /// Of the load balancer and of the instances behind it.
    pub(crate) port: i32,
    /// The ARN of a certificate, for a listener that ends TLS.
    pub(crate) certificate: Option<String>,
    /// What the health check asks, `SSL:443`.
    pub(crate) health_target: String,
    pub(crate) idle_timeout_seconds: i32,
    pub(crate) cross_zone: bool,
    pub(crate) access_log: Option<AccessLog>,
    pub(crate) subnets: Vec<Ref<Subnet>>,
    pub(crate) security_groups: Vec<Ref<SecurityGroup>>,
    pub(crate) tags: Tags,
}
