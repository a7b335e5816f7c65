//! Deletions: one call, or the few that AWS wants before it lets go of something.

use std::time::Duration;

use aws_sdk_ec2::client::Waiters as _;
use aws_sdk_route53::types::{Change, ChangeAction, ChangeBatch, ResourceRecordSet};

use super::security_group_rule::{self, LiveRule};
use super::{Tags, ec2};
use crate::aws::{Aws, AwsError, Fault, batch, of_record_change};

/// How long what hangs on something may take to go: instances and gateways take minutes.
const GONE_WITHIN: Duration = Duration::from_secs(900);

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
    Vpc(String),
    DhcpOptions(String),
    InstanceProfile {
        name: String,
        roles: Vec<String>,
    },
    Role {
        name: String,
        policies: Vec<String>,
    },
    /// Tags of something that stays, as long as they have these values.
    Tags {
        id: String,
        tags: Tags,
    },
}

impl Deletion {
    /// Deletes it. What is gone already is no failure; what is still in use is tried again
    /// for some minutes.
    pub(super) async fn send(&self, aws: &Aws) -> Result<(), AwsError> {
        let started = tokio::time::Instant::now();
        let mut pause = Duration::from_millis(500);
        loop {
            match self.attempt(aws).await {
                Err(error) if error.fault == Fault::Missing => return Ok(()),
                Err(error) if error.fault == Fault::InUse && started.elapsed() < GONE_WITHIN => {
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_secs(10));
                }
                result => return result,
            }
        }
    }

    async fn attempt(&self, aws: &Aws) -> Result<(), AwsError> {
        match self {
            Self::AutoscalingGroup(name) => {
                let call = aws.autoscaling.delete_auto_scaling_group();
                let call = call.auto_scaling_group_name(name).force_delete(true);
                done("autoscaling:DeleteAutoScalingGroup", name, call.send().await)
            }
            Self::Instances(ids) => terminate(aws, ids).await,
            Self::LaunchTemplate(id) => {
                let call = aws.ec2.delete_launch_template().launch_template_id(id);
                done("ec2:DeleteLaunchTemplate", id, call.send().await)
            }
            Self::LaunchConfiguration(name) => {
                let call = aws.autoscaling.delete_launch_configuration();
                let call = call.launch_configuration_name(name);
                done("autoscaling:DeleteLaunchConfiguration", name, call.send().await)
            }
            Self::LoadBalancer(name) => {
                let call = aws.elb.delete_load_balancer().load_balancer_name(name);
                done("elasticloadbalancing:DeleteLoadBalancer", name, call.send().await)
            }
            Self::NetworkLoadBalancer(arn) => {
                let call = aws.elbv2.delete_load_balancer().load_balancer_arn(arn);
                done("elasticloadbalancing:DeleteLoadBalancer", arn, call.send().await)
            }
            Self::TargetGroup(arn) => {
                let call = aws.elbv2.delete_target_group().target_group_arn(arn);
                done("elasticloadbalancing:DeleteTargetGroup", arn, call.send().await)
            }
            Self::DnsRecord { zone, record } => delete_record(aws, zone, record).await,
            Self::Volume(id) => {
                let call = aws.ec2.delete_volume().volume_id(id);
                done("ec2:DeleteVolume", id, call.send().await)
            }
            Self::KeyPair(name) => {
                let call = aws.ec2.delete_key_pair().key_name(name);
                done("ec2:DeleteKeyPair", name, call.send().await)
            }
            Self::SecurityGroup { id, rules } => {
                // Groups that name each other hold each other.
                for rule in rules {
                    match security_group_rule::revoke(aws, rule).await {
                        Err(error) if error.fault != Fault::Missing => return Err(error),
                        _ => {}
                    }
                }
                let call = aws.ec2.delete_security_group().group_id(id);
                done("ec2:DeleteSecurityGroup", id, call.send().await)
            }
            Self::SecurityGroupRule(rule) => security_group_rule::revoke(aws, rule).await,
            Self::NatGateway(id) => {
                let call = aws.ec2.delete_nat_gateway().nat_gateway_id(id);
                done("ec2:DeleteNatGateway", id, call.send().await)?;
                let wait = aws.ec2.wait_until_nat_gateway_deleted().nat_gateway_ids(id);
                waited("ec2:DeleteNatGateway", id, wait.wait(GONE_WITHIN).await)
            }
            Self::ElasticIp(id) => {
                let call = aws.ec2.release_address().allocation_id(id);
                done("ec2:ReleaseAddress", id, call.send().await)
            }
            Self::InternetGateway { id, vpcs } => {
                for vpc in vpcs {
                    let call = aws.ec2.detach_internet_gateway().internet_gateway_id(id);
                    let answer = call.vpc_id(vpc).send().await;
                    match done("ec2:DetachInternetGateway", id, answer) {
                        Err(error) if error.fault != Fault::Missing => return Err(error),
                        _ => {}
                    }
                }
                let call = aws.ec2.delete_internet_gateway().internet_gateway_id(id);
                done("ec2:DeleteInternetGateway", id, call.send().await)
            }
            Self::RouteTable { id, associations } => {
                for association in associations {
                    let call = aws.ec2.disassociate_route_table().association_id(association);
                    match done("ec2:DisassociateRouteTable", association, call.send().await) {
                        Err(error) if error.fault != Fault::Missing => return Err(error),
                        _ => {}
                    }
                }
                let call = aws.ec2.delete_route_table().route_table_id(id);
                done("ec2:DeleteRouteTable", id, call.send().await)
            }
            Self::Subnet(id) => {
                let call = aws.ec2.delete_subnet().subnet_id(id);
                done("ec2:DeleteSubnet", id, call.send().await)
            }
            Self::Vpc(id) => {
                let call = aws.ec2.delete_vpc().vpc_id(id);
                done("ec2:DeleteVpc", id, call.send().await)
            }
            Self::DhcpOptions(id) => {
                let call = aws.ec2.delete_dhcp_options().dhcp_options_id(id);
                done("ec2:DeleteDhcpOptions", id, call.send().await)
            }
            Self::InstanceProfile { name, roles } => {
                for role in roles {
                    let call = aws.iam.remove_role_from_instance_profile();
                    let answer = call.instance_profile_name(name).role_name(role).send().await;
                    match done("iam:RemoveRoleFromInstanceProfile", name, answer) {
                        Err(error) if error.fault != Fault::Missing => return Err(error),
                        _ => {}
                    }
                }
                let call = aws.iam.delete_instance_profile().instance_profile_name(name);
                done("iam:DeleteInstanceProfile", name, call.send().await)
            }
            Self::Tags { id, tags } => {
                let call = aws.ec2.delete_tags().resources(id);
                let call = call.set_tags(Some(ec2::tags_to_sdk(tags)));
                done("ec2:DeleteTags", id, call.send().await)
            }
            Self::Role { name, policies } => {
                for policy in policies {
                    let call = aws.iam.delete_role_policy().role_name(name).policy_name(policy);
                    match done("iam:DeleteRolePolicy", name, call.send().await) {
                        Err(error) if error.fault != Fault::Missing => return Err(error),
                        _ => {}
                    }
                }
                let call = aws.iam.delete_role().role_name(name);
                done("iam:DeleteRole", name, call.send().await)
            }
        }
    }
}

fn done<T, E, R>(
    operation: &'static str,
    object: &str,
    answer: Result<T, aws_sdk_ec2::error::SdkError<E, R>>,
) -> Result<(), AwsError>
where
    E: aws_sdk_ec2::error::ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    answer.map(|_| ()).map_err(|error| AwsError::new(operation, object, error))
}

fn waited<T, E: std::fmt::Display>(
    operation: &'static str,
    object: &str,
    answer: Result<T, E>,
) -> Result<(), AwsError> {
    answer.map(|_| ()).map_err(|error| AwsError {
        operation,
        object: object.to_owned(),
        fault: Fault::Other,
        message: format!("it is not gone yet: {error}"),
    })
}

async fn terminate(aws: &Aws, ids: &[String]) -> Result<(), AwsError> {
    let object = ids.join(", ");
    for batch in ids.chunks(batch::INSTANCES) {
        let call = aws.ec2.terminate_instances().set_instance_ids(Some(batch.to_vec()));
        done("ec2:TerminateInstances", &object, call.send().await)?;
    }
    for batch in ids.chunks(batch::INSTANCES) {
        let wait = aws.ec2.wait_until_instance_terminated();
        let wait = wait.set_instance_ids(Some(batch.to_vec()));
        waited("ec2:TerminateInstances", &object, wait.wait(GONE_WITHIN).await)?;
    }
    Ok(())
}

async fn delete_record(aws: &Aws, zone: &str, record: &ResourceRecordSet) -> Result<(), AwsError> {
    let name = record.name();
    let unbuilt = |error| AwsError::unbuilt("route53:ChangeResourceRecordSets", name, error);
    let change = Change::builder().action(ChangeAction::Delete);
    let change = change.resource_record_set(record.clone()).build().map_err(unbuilt)?;
    let changes = ChangeBatch::builder().changes(change).build().map_err(unbuilt)?;
    let call = aws.route53.change_resource_record_sets().hosted_zone_id(zone);
    let answer = call.change_batch(changes).send().await;
    answer.map(drop).map_err(|error| of_record_change(name, error))
}
