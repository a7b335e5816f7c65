//! The kinds of AWS resources, one file each: what kapstan wants of it, what was found,
//! how the two compare, and the calls that read and write it.
//!
//! A kind's `observe` turns AWS' answers into our own types; nothing behind it knows the
//! SDK. A [`Write`] is a decision that needs no more thought; only `send` carries it out.

pub(crate) mod autoscaling_group;
mod creation;
pub(crate) mod delete;
pub(crate) mod dhcp_options;
pub(crate) mod dns_name;
pub(crate) mod dns_zone;
pub(crate) mod ebs_volume;
mod ec2;
pub(crate) mod elastic_ip;
pub(crate) mod fleet;
mod holders;
pub(crate) mod hosted_zone;
pub(crate) mod iam_instance_profile;
pub(crate) mod iam_instance_profile_role;
pub(crate) mod iam_role;
pub(crate) mod iam_role_policy;
pub(crate) mod ids;
pub(crate) mod image;
pub(crate) mod in_use;
pub(crate) mod instance_refresh;
pub(crate) mod instance_type;
pub(crate) mod internet_gateway;
pub(crate) mod launch_template;
pub(crate) mod live;
pub(crate) mod load_balancer;
pub(crate) mod load_balancer_attachment;
pub(crate) mod managed;
pub(crate) mod nat_gateway;
pub(crate) mod network_load_balancer;
pub(crate) mod owned;
pub(crate) mod route;
pub(crate) mod route_table;
pub(crate) mod route_table_association;
pub(crate) mod security_group;
pub(crate) mod security_group_rule;
pub(crate) mod ssh_key;
pub(crate) mod subnet;
mod target_group;
pub(crate) mod vpc;
pub(crate) mod vpc_cidr_block;
pub(crate) mod vpc_dhcp_options_association;
pub(crate) mod wait;
pub(crate) mod whose;

use std::collections::BTreeMap;
use std::fmt;

use serde::{Serialize, Serializer};

use crate::aws::AwsError;
use crate::iam::difference::Difference;
use crate::iam::document::Document;
use crate::iam::parse::{self, PrincipalRule};

use autoscaling_group::AutoscalingGroup;
use dhcp_options::DhcpOptions;
use dns_name::DnsName;
use dns_zone::DnsZone;
use ebs_volume::EbsVolume;
use elastic_ip::ElasticIp;
use iam_instance_profile::IamInstanceProfile;
use iam_instance_profile_role::IamInstanceProfileRole;
use iam_role::IamRole;
use iam_role_policy::IamRolePolicy;
use ids::{Address, Work};
use internet_gateway::InternetGateway;
use launch_template::LaunchTemplate;
use load_balancer::LoadBalancer;
use load_balancer_attachment::LoadBalancerAttachment;
use managed::{Manage as _, State, Update, View};
use nat_gateway::NatGateway;
use network_load_balancer::NetworkLoadBalancer;
use route::Route;
use route_table::RouteTable;
use route_table_association::RouteTableAssociation;
use security_group::SecurityGroup;
use security_group_rule::SecurityGroupRule;
use ssh_key::SshKey;
use subnet::Subnet;
use vpc::Vpc;
use vpc_cidr_block::VpcCidrBlock;
use vpc_dhcp_options_association::VpcDhcpOptionsAssociation;

/// A part of the cluster that a phase covers.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Layer {
    Network,
    Security,
    Cluster,
}

macro_rules! kinds {
    ($($variant:ident = $name:literal in $layer:ident),* $(,)?) => {
        /// A kind of resource, in the order in which they depend on each other.
        #[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
        pub(crate) enum Kind {
            $($variant,)*
        }

        impl Kind {
            pub(crate) const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// kops' name of the task, which users type in `--lifecycle-overrides`.
            pub(crate) fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            pub(crate) fn layer(self) -> Layer {
                match self {
                    $(Self::$variant => Layer::$layer,)*
                }
            }
        }
    };
}

kinds! {
    Vpc = "VPC" in Network,
    VpcCidrBlock = "VPCCIDRBlock" in Network,
    DhcpOptions = "DHCPOptions" in Network,
    VpcDhcpOptionsAssociation = "VPCDHCPOptionsAssociation" in Network,
    Subnet = "Subnet" in Network,
    InternetGateway = "InternetGateway" in Network,
    ElasticIp = "ElasticIP" in Network,
    NatGateway = "NatGateway" in Network,
    RouteTable = "RouteTable" in Network,
    Route = "Route" in Network,
    RouteTableAssociation = "RouteTableAssociation" in Network,
    IamRole = "IAMRole" in Security,
    IamRolePolicy = "IAMRolePolicy" in Security,
    IamInstanceProfile = "IAMInstanceProfile" in Security,
    IamInstanceProfileRole = "IAMInstanceProfileRole" in Security,
    SecurityGroup = "SecurityGroup" in Security,
    SecurityGroupRule = "SecurityGroupRule" in Security,
    SshKey = "SSHKey" in Security,
    EbsVolume = "EBSVolume" in Cluster,
    LoadBalancer = "LoadBalancer" in Cluster,
    DnsZone = "DNSZone" in Cluster,
    DnsName = "DNSName" in Cluster,
    LaunchTemplate = "LaunchTemplate" in Cluster,
    AutoscalingGroup = "AutoscalingGroup" in Cluster,
    Instance = "Instance" in Cluster,
    TargetGroup = "TargetGroup" in Cluster,
    LoadBalancerAttachment = "LoadBalancerAttachment" in Cluster,
    ExternalLoadBalancerAttachment = "ExternalLoadBalancerAttachment" in Cluster,
    ExternalTargetGroupAttachment = "ExternalTargetGroupAttachment" in Cluster,
}

impl Kind {
    pub(crate) const IAM: [Self; 4] = [
        Self::IamRole,
        Self::IamRolePolicy,
        Self::IamInstanceProfile,
        Self::IamInstanceProfileRole,
    ];
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Network => "network",
            Self::Security => "security",
            Self::Cluster => "cluster",
        })
    }
}

/// A resource of a cluster, printed `IAMRole/nodes.dev.example.com`.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct ResourceId {
    pub(crate) kind: Kind,
    pub(crate) name: String,
}

impl ResourceId {
    pub(crate) fn new(kind: Kind, name: impl Into<String>) -> Self {
        Self { kind, name: name.into() }
    }
}

impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.name)
    }
}

impl Serialize for ResourceId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

pub(crate) type Tags = BTreeMap<String, String>;

macro_rules! managed {
    ($($variant:ident),* $(,)?) => {
        /// A resource that is compared field by field.
        #[derive(Clone, Debug, PartialEq)]
        #[expect(clippy::large_enum_variant, reason = "a cluster has some hundreds, once")]
        pub(crate) enum Managed {
            $($variant($variant),)*
        }

        $(impl From<$variant> for Resource {
            fn from(resource: $variant) -> Self {
                Self::Managed(Managed::$variant(resource))
            }
        })*

        impl Managed {
            pub(crate) fn id(&self) -> ResourceId {
                match self {
                    $(Self::$variant(resource) => resource.id(),)*
                }
            }

            pub(crate) fn needs(&self) -> Vec<ResourceId> {
                match self {
                    $(Self::$variant(resource) => resource.needs(),)*
                }
            }

            pub(crate) fn behind(&self) -> &'static [Kind] {
                match self {
                    $(Self::$variant(resource) => resource.behind(),)*
                }
            }

            /// AWS' own id of the resource, if it was found, and its address, if it has one.
            pub(crate) fn find(&self, view: View<'_>) -> Option<(String, Option<Address>)> {
                match self {
                    $(Self::$variant(resource) => managed::find(resource, view),)*
                }
            }

            /// Why it could not be looked at.
            pub(crate) fn denied(&self, view: View<'_>) -> Option<AwsError> {
                match self {
                    $(Self::$variant(resource) => managed::denied(resource, view),)*
                }
            }

            pub(crate) fn state(&self, view: View<'_>) -> State {
                match self {
                    $(Self::$variant(resource) => {
                        managed::state(resource, view, |one| Box::new(Self::$variant(one)))
                    })*
                }
            }

            async fn create(&self, work: &Work<'_>) -> Result<Option<String>, AwsError> {
                match self {
                    $(Self::$variant(resource) => resource.create(work).await,)*
                }
            }

            async fn update(&self, work: &Work<'_>, update: &Update) -> Result<(), AwsError> {
                match self {
                    $(Self::$variant(resource) => resource.update(work, update).await,)*
                }
            }
        }
    };
}

managed! {
    Vpc, VpcCidrBlock, DhcpOptions, VpcDhcpOptionsAssociation, Subnet, InternetGateway, ElasticIp,
    NatGateway, RouteTable, Route, RouteTableAssociation, SecurityGroup, SecurityGroupRule, SshKey,
    EbsVolume, LoadBalancer, NetworkLoadBalancer, DnsZone, DnsName, LaunchTemplate,
    AutoscalingGroup, LoadBalancerAttachment,
}

/// What a cluster needs of AWS: one resource. The IAM kinds compare documents by what they
/// grant, and have ways of their own.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "a cluster has some hundreds, once")]
pub(crate) enum Resource {
    Role(IamRole),
    RolePolicy(IamRolePolicy),
    InstanceProfile(IamInstanceProfile),
    InstanceProfileRole(IamInstanceProfileRole),
    Managed(Managed),
}

impl Resource {
    pub(crate) fn id(&self) -> ResourceId {
        match self {
            Self::Role(role) => ResourceId::new(Kind::IamRole, &role.name),
            Self::RolePolicy(policy) => ResourceId::new(Kind::IamRolePolicy, &policy.name),
            Self::InstanceProfile(profile) => {
                ResourceId::new(Kind::IamInstanceProfile, &profile.name)
            }
            Self::InstanceProfileRole(link) => {
                ResourceId::new(Kind::IamInstanceProfileRole, &link.profile)
            }
            Self::Managed(resource) => resource.id(),
        }
    }

    /// What must exist before this can.
    pub(crate) fn needs(&self) -> Vec<ResourceId> {
        match self {
            Self::Role(_) | Self::InstanceProfile(_) => Vec::new(),
            Self::RolePolicy(policy) => vec![ResourceId::new(Kind::IamRole, &policy.role)],
            Self::InstanceProfileRole(link) => vec![
                ResourceId::new(Kind::IamRole, &link.role),
                ResourceId::new(Kind::IamInstanceProfile, &link.profile),
            ],
            Self::Managed(resource) => resource.needs(),
        }
    }

    /// The kinds of which all must be done before this, though it does not name them.
    pub(crate) fn behind(&self) -> &'static [Kind] {
        match self {
            Self::Managed(resource) => resource.behind(),
            _ => &[],
        }
    }
}

/// How a live resource differs from the desired one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Drift {
    pub(crate) fields: Vec<FieldChange>,
    pub(crate) permissions: Difference,
    /// The whole documents, where the resource is one.
    pub(crate) document: Option<DocumentChange>,
}

/// One field, before and after; absent on a side where it is not set.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub(crate) struct FieldChange {
    pub(crate) field: String,
    pub(crate) before: Option<String>,
    pub(crate) after: Option<String>,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct DocumentChange {
    pub(crate) before: Option<serde_json::Value>,
    pub(crate) after: Option<serde_json::Value>,
}

/// A policy document as AWS holds it.
#[derive(Clone, Debug)]
pub(crate) struct LiveDocument {
    pub(crate) text: String,
    /// `None` for what is no policy in the grammar that kapstan knows.
    pub(crate) document: Option<Document>,
}

impl LiveDocument {
    /// IAM gives documents back URL-encoded (RFC 3986).
    pub(crate) fn decode(encoded: &str, principal: PrincipalRule) -> Self {
        let text = percent_encoding::percent_decode_str(encoded).decode_utf8_lossy().into_owned();
        let document = parse::document(&text, principal).ok();
        Self { text, document }
    }

    pub(crate) fn to_json(&self) -> serde_json::Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| self.text.clone().into())
    }

    /// What turning this document into `desired` gives and takes, or `None` if they mean
    /// the same.
    fn drift_to(&self, desired: &Document) -> Option<Drift> {
        use crate::iam::difference;
        let mut drift = Drift {
            document: Some(DocumentChange {
                before: Some(self.to_json()),
                after: Some(desired.to_json()),
            }),
            ..Drift::default()
        };
        match &self.document {
            Some(live) if difference::is_same(live, desired) => return None,
            Some(live) => {
                drift.permissions = difference::between(&live.statements, &desired.statements);
                if drift.permissions.is_empty() {
                    drift.fields.push(FieldChange {
                        field: "Version".to_owned(),
                        before: live.version.clone(),
                        after: desired.version.clone(),
                    });
                }
            }
            None => {
                drift.permissions.gained = desired.statements.clone();
                drift.fields.push(FieldChange {
                    field: "document".to_owned(),
                    before: Some("a text that is no policy".to_owned()),
                    after: Some("a policy".to_owned()),
                });
            }
        }
        Some(drift)
    }
}

/// The tags that are missing or have another value. Others are none of our business.
fn tag_drift(desired: &Tags, live: &Tags) -> Vec<FieldChange> {
    desired
        .iter()
        .filter(|(key, value)| live.get(*key) != Some(*value))
        .map(|(key, value)| FieldChange {
            field: format!("tags[{key:?}]"),
            before: live.get(key).cloned(),
            after: Some(value.clone()),
        })
        .collect()
}

/// What was found where one resource was looked for.
#[derive(Clone, Debug)]
pub(crate) enum Observed<T> {
    Found(T),
    Missing,
    /// AWS refused the look.
    Denied(AwsError),
}

impl<T> Observed<T> {
    /// Sorts an answer of AWS into found, missing and refused.
    ///
    /// # Errors
    /// Any other failure.
    pub(crate) fn sort(answer: Result<T, AwsError>) -> Result<Self, AwsError> {
        use crate::aws::Fault;
        match answer {
            Ok(found) => Ok(Self::Found(found)),
            Err(error) if error.fault == Fault::Missing => Ok(Self::Missing),
            Err(error) if error.fault == Fault::Denied => Ok(Self::Denied(error)),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn found(&self) -> Option<&T> {
        match self {
            Self::Found(found) => Some(found),
            _ => None,
        }
    }
}

/// A decided write to one resource.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Write {
    Role(iam_role::Write),
    RolePolicy(iam_role_policy::Write),
    InstanceProfile(iam_instance_profile::Write),
    InstanceProfileRole(iam_instance_profile_role::Write),
    Create(Box<Managed>),
    Update(Box<Managed>, Update),
    Delete(delete::Deletion),
}

impl Write {
    /// Carries the write of this resource out. What was created under an id of AWS' choosing is told to
    /// `work`, for whatever comes later and refers to it.
    pub(crate) async fn send(&self, work: &Work<'_>, id: &ResourceId) -> Result<(), AwsError> {
        match self {
            Self::Role(write) => write.send(work).await,
            Self::RolePolicy(write) => write.send(work.aws).await,
            Self::InstanceProfile(write) => write.send(work).await,
            Self::InstanceProfileRole(write) => write.send(work.aws).await,
            Self::Create(resource) => {
                if let Some(id) = resource.create(work).await? {
                    work.learn(resource.id(), id);
                }
                Ok(())
            }
            Self::Update(resource, update) => resource.update(work, update).await,
            Self::Delete(deletion) => deletion.send(work, id).await,
        }
    }
}
