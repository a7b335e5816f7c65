//! What is compared of a classic load balancer.

use std::collections::BTreeSet;
use std::fmt;

use aws_sdk_elasticloadbalancing::error::BuildError;
use aws_sdk_elasticloadbalancing::types::{HealthCheck as SdkHealthCheck, Listener as SdkListener};

use crate::aws::tags::Tags;
use crate::core::fields::{Value, fields};
use crate::core::id::Id;
use crate::elb::access_log::AccessLog;
use crate::vpc::subnet::Subnet;

fields! { LoadBalancerFields {
    scheme: String = "scheme",
    subnets: Subnets = "subnets",
    security_groups: BTreeSet<String> = "securityGroups",
    listener: Listener = "listeners",
    health_check: HealthCheck = "healthCheck",
    idle_timeout_seconds: i32 = "idleTimeoutSeconds",
    draining_seconds: i32 = "connectionDrainingSeconds",
    cross_zone: bool = "crossZoneLoadBalancing",
    access_log: AccessLog = "accessLog",
    tags: Tags = "tags",
} }

/// Subnets, compared by the names under which they are wanted.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Subnets {
    pub(crate) names: BTreeSet<String>,
    /// The ids of those that it is in, the wanted and the others.
    pub(crate) ids: Vec<Id<Subnet>>,
}

impl Value for Subnets {
    fn tell(&self) -> String {
        self.names.tell()
    }

    fn is(&self, found: &Self) -> bool {
        self.names == found.names
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Listener {
    pub(crate) protocol: String,
    pub(crate) port: i32,
    pub(crate) instance_protocol: String,
    pub(crate) instance_port: i32,
    /// The ARN of a certificate.
    pub(crate) certificate: Option<String>,
}

impl Listener {
    pub(super) fn from_sdk(listener: &SdkListener) -> Self {
        let protocol = listener.protocol();
        Self {
            protocol: protocol.to_owned(),
            port: listener.load_balancer_port(),
            instance_protocol: listener.instance_protocol().unwrap_or(protocol).to_owned(),
            instance_port: listener.instance_port(),
            certificate: listener.ssl_certificate_id().map(str::to_owned),
        }
    }

    pub(super) fn to_sdk(&self) -> Result<SdkListener, BuildError> {
        SdkListener::builder()
            .load_balancer_port(self.port)
            .instance_port(self.instance_port)
            .protocol(&self.protocol)
            .instance_protocol(&self.instance_protocol)
            .set_ssl_certificate_id(self.certificate.clone())
            .build()
    }
}

impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { protocol, port, instance_protocol, instance_port, certificate } = self;
        write!(f, "{protocol}:{port} → {instance_protocol}:{instance_port}")?;
        certificate.iter().try_for_each(|arn| write!(f, " {arn}"))
    }
}

impl Value for Listener {
    fn tell(&self) -> String {
        self.to_string()
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct HealthCheck {
    /// What it asks, `SSL:443`.
    pub(crate) target: String,
    /// How many answers in a row make an instance healthy.
    pub(crate) up: i32,
    /// How many failures in a row make it unhealthy.
    pub(crate) down: i32,
    pub(crate) interval_seconds: i32,
    pub(crate) timeout_seconds: i32,
}

impl HealthCheck {
    pub(super) fn from_sdk(check: &SdkHealthCheck) -> Self {
        Self {
            target: check.target().to_owned(),
            up: check.healthy_threshold(),
            down: check.unhealthy_threshold(),
            interval_seconds: check.interval(),
            timeout_seconds: check.timeout(),
        }
    }

    pub(super) fn to_sdk(&self) -> Result<SdkHealthCheck, BuildError> {
        SdkHealthCheck::builder()
            .target(&self.target)
            .healthy_threshold(self.up)
            .unhealthy_threshold(self.down)
            .interval(self.interval_seconds)
            .timeout(self.timeout_seconds)
            .build()
    }
}

impl Value for HealthCheck {
    fn tell(&self) -> String {
        let Self { target, up, down, interval_seconds, timeout_seconds } = self;
        format!("{target} every {interval_seconds}s for {timeout_seconds}s, {up} up, {down} down")
    }
}
