//! All that can be deleted.

use crate::autoscaling::autoscaling_group::{
    AutoscalingGroupDeletion, LaunchConfigurationDeletion,
};
use crate::autoscaling::load_balancer_attachment::{
    LoadBalancerAttachmentDeletion, TargetGroupAttachmentDeletion,
};
use crate::aws::AwsError;
use crate::core::deletion::{self, Delete as _};
use crate::core::drift::Drift;
use crate::core::kind::ResourceId;
use crate::core::work::Work;
use crate::ec2::instance::InstancesDeletion;
use crate::ec2::key_pair::KeyPairDeletion;
use crate::ec2::launch_template::LaunchTemplateDeletion;
use crate::ec2::volume::VolumeDeletion;
use crate::elb::load_balancer::LoadBalancerDeletion;
use crate::elb::network_load_balancer::NetworkLoadBalancerDeletion;
use crate::elb::target_group::TargetGroupDeletion;
use crate::iam::instance_profile::InstanceProfileDeletion;
use crate::iam::role::RoleDeletion;
use crate::route53::dns_name::DnsRecordDeletion;
use crate::vpc::cidr_block::CidrBlockDeletion;
use crate::vpc::dhcp_options::DhcpOptionsDeletion;
use crate::vpc::elastic_ip::ElasticIpDeletion;
use crate::vpc::internet_gateway::InternetGatewayDeletion;
use crate::vpc::nat_gateway::NatGatewayDeletion;
use crate::vpc::route_table::RouteTableDeletion;
use crate::vpc::security_group::SecurityGroupDeletion;
use crate::vpc::security_group_rule::SecurityGroupRuleDeletion;
use crate::vpc::shared_tags::TagsDeletion;
use crate::vpc::subnet::SubnetDeletion;
use crate::vpc::vpc::VpcDeletion;

macro_rules! deletions {
    ($($what:ident($how:ident)),* $(,)?) => {
        /// Something to delete.
        #[derive(Clone, Debug, PartialEq)]
        pub(crate) enum Deletion {
            $($what($how),)*
        }

        $(impl From<$how> for Deletion {
            fn from(deletion: $how) -> Self {
                Self::$what(deletion)
            }
        })*

        impl Deletion {
            /// What goes that is no part of the object itself.
            pub(crate) fn drift(&self) -> Drift {
                match self {
                    $(Self::$what(deletion) => deletion.drift(),)*
                }
            }

            pub(super) async fn send(
                &self,
                work: &Work<'_>,
                id: &ResourceId,
            ) -> Result<(), AwsError> {
                match self {
                    $(Self::$what(deletion) => deletion::send(deletion, work, id).await,)*
                }
            }
        }
    };
}

deletions! {
    Vpc(VpcDeletion),
    Subnet(SubnetDeletion),
    CidrBlock(CidrBlockDeletion),
    DhcpOptions(DhcpOptionsDeletion),
    InternetGateway(InternetGatewayDeletion),
    ElasticIp(ElasticIpDeletion),
    NatGateway(NatGatewayDeletion),
    RouteTable(RouteTableDeletion),
    SecurityGroup(SecurityGroupDeletion),
    SecurityGroupRule(SecurityGroupRuleDeletion),
    Volume(VolumeDeletion),
    KeyPair(KeyPairDeletion),
    LaunchTemplate(LaunchTemplateDeletion),
    Instances(InstancesDeletion),
    InstanceProfile(InstanceProfileDeletion),
    Role(RoleDeletion),
    LoadBalancer(LoadBalancerDeletion),
    NetworkLoadBalancer(NetworkLoadBalancerDeletion),
    TargetGroup(TargetGroupDeletion),
    DnsRecord(DnsRecordDeletion),
    AutoscalingGroup(AutoscalingGroupDeletion),
    LaunchConfiguration(LaunchConfigurationDeletion),
    LoadBalancerAttachment(LoadBalancerAttachmentDeletion),
    TargetGroupAttachment(TargetGroupAttachmentDeletion),
    Tags(TagsDeletion),
}
