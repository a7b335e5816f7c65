//! What deletes something: all that a deletion needs to know.

use aws_sdk_route53::types::ResourceRecordSet;

use crate::aws::tags::Tags;
use crate::core::drift::{Drift, FieldChange};
use crate::vpc::security_group_rule::LiveRule;

/// Something to delete, by AWS' id of it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Deletion {
    AutoscalingGroup(String),
    Instances(Vec<String>),
    LaunchTemplate(String),
    LaunchConfiguration(String),
    LoadBalancer(String),
    NetworkLoadBalancer(String),
    TargetGroup(String),
    DnsRecord {
        zone: String,
        record: Box<ResourceRecordSet>,
    },
    Volume(String),
    KeyPair(String),
    SecurityGroup {
        id: String,
        rules: Vec<LiveRule>,
    },
    SecurityGroupRule(LiveRule),
    NatGateway(String),
    ElasticIp(String),
    InternetGateway {
        id: String,
        vpcs: Vec<String>,
    },
    RouteTable {
        id: String,
        associations: Vec<String>,
    },
    Subnet(String),
    /// A range of a VPC beside its first, by the id of its association.
    CidrBlock(String),
    Vpc(String),
    DhcpOptions(String),
    InstanceProfile {
        name: String,
        roles: Vec<String>,
    },
    Role {
        name: String,
        policies: Vec<String>,
        /// The ARNs of managed policies, which are somebody's and only detached.
        attached: Vec<String>,
    },
    /// A group no longer stands behind a classic load balancer.
    LoadBalancerAttachment {
        group: String,
        balancer: String,
    },
    /// Its instances are no longer in a target group.
    TargetGroupAttachment {
        group: String,
        target_group: String,
    },
    /// Tags of something that stays, as long as they have these values.
    Tags {
        id: String,
        tags: Tags,
    },
}

impl Deletion {
    /// What goes that is no part of the object itself.
    pub(crate) fn drift(&self) -> Drift {
        let fields = match self {
            Self::Role { attached, .. } => attached
                .iter()
                .map(|arn| FieldChange {
                    field: "attachedPolicy".to_owned(),
                    before: Some(arn.clone()),
                    after: None,
                })
                .collect(),
            _ => Vec::new(),
        };
        Drift { fields, ..Drift::default() }
    }
}
