//! Deletions: one call, or the few that AWS wants before it lets go of something.

use std::time::Duration;

use aws_sdk_ec2::types::{InstanceStateName, NatGatewayState};
use aws_sdk_route53::types::{Change, ChangeAction, ChangeBatch, ResourceRecordSet};

use crate::aws::{Aws, AwsError, Fault, batch, ec2, of_record_change};
use crate::catalogue::deletion::Deletion;
use crate::catalogue::holders::{self, gone_or};
use crate::core::kind::ResourceId;
use crate::core::wait::{Attempt, Budget, Held};
use crate::core::work::Work;
use crate::vpc::security_group_rule::{self};

const TERMINATE: &str = "ec2:TerminateInstances";
const DELETE_GATEWAY: &str = "ec2:DeleteNatGateway";

/// How long what hangs on something may take to go: instances and gateways take minutes.
const GONE: Budget = Budget {
    within: Duration::from_secs(900),
    pause: Duration::from_millis(500),
    longest_pause: Duration::from_secs(10),
    looks: 3,
};

impl Deletion {
    /// Deletes it, and waits until it is gone. What is gone already is no failure; what passes
    /// by itself is waited for; what stays ends it, by name.
    pub(crate) async fn send(&self, work: &Work<'_>, id: &ResourceId) -> Result<(), AwsError> {
        let aws = work.aws;
        work.waits.until(id, GONE, || self.delete(work)).await?;
        match self {
            Self::Instances(ids) => work.waits.until(id, GONE, || terminated(aws, ids)).await,
            Self::NatGateway(gateway) => work.waits.until(id, GONE, || deleted(aws, gateway)).await,
            _ => Ok(()),
        }
    }

    async fn delete(&self, work: &Work<'_>) -> Result<Attempt<()>, AwsError> {
        match gone_or(self.attempt(work.aws).await) {
            Ok(()) => Ok(Attempt::Done(())),
            Err(error) if error.fault == Fault::Busy => {
                let holder = "what AWS is doing with it".to_owned();
                Ok(Attempt::NotYet(Held { holder, error }))
            }
            Err(error) if error.fault == Fault::InUse => {
                Ok(holders::of(work, self).await.attempt(error))
            }
            Err(error) => Err(error),
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
                    gone_or(security_group_rule::revoke(aws, rule).await)?;
                }
                let call = aws.ec2.delete_security_group().group_id(id);
                done("ec2:DeleteSecurityGroup", id, call.send().await)
            }
            Self::SecurityGroupRule(rule) => security_group_rule::revoke(aws, rule).await,
            Self::NatGateway(id) => {
                let call = aws.ec2.delete_nat_gateway().nat_gateway_id(id);
                done(DELETE_GATEWAY, id, call.send().await)
            }
            Self::ElasticIp(id) => {
                let call = aws.ec2.release_address().allocation_id(id);
                done("ec2:ReleaseAddress", id, call.send().await)
            }
            Self::InternetGateway { id, vpcs } => {
                for vpc in vpcs {
                    let call = aws.ec2.detach_internet_gateway().internet_gateway_id(id);
                    let answer = call.vpc_id(vpc).send().await;
                    gone_or(done("ec2:DetachInternetGateway", id, answer))?;
                }
                let call = aws.ec2.delete_internet_gateway().internet_gateway_id(id);
                done("ec2:DeleteInternetGateway", id, call.send().await)
            }
            Self::RouteTable { id, associations } => {
                for association in associations {
                    let call = aws.ec2.disassociate_route_table().association_id(association);
                    gone_or(done("ec2:DisassociateRouteTable", association, call.send().await))?;
                }
                let call = aws.ec2.delete_route_table().route_table_id(id);
                done("ec2:DeleteRouteTable", id, call.send().await)
            }
            Self::Subnet(id) => {
                let call = aws.ec2.delete_subnet().subnet_id(id);
                done("ec2:DeleteSubnet", id, call.send().await)
            }
            Self::CidrBlock(association) => {
                let call = aws.ec2.disassociate_vpc_cidr_block().association_id(association);
                done("ec2:DisassociateVpcCidrBlock", association, call.send().await)
            }
            Self::LoadBalancerAttachment { group, balancer } => {
                let call = aws.autoscaling.detach_load_balancers().auto_scaling_group_name(group);
                let answer = call.load_balancer_names(balancer).send().await;
                done("autoscaling:DetachLoadBalancers", group, answer)
            }
            Self::TargetGroupAttachment { group, target_group } => {
                let call = aws.autoscaling.detach_load_balancer_target_groups();
                let call = call.auto_scaling_group_name(group).target_group_arns(target_group);
                done("autoscaling:DetachLoadBalancerTargetGroups", group, call.send().await)
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
                    gone_or(done("iam:RemoveRoleFromInstanceProfile", name, answer))?;
                }
                let call = aws.iam.delete_instance_profile().instance_profile_name(name);
                done("iam:DeleteInstanceProfile", name, call.send().await)
            }
            Self::Tags { id, tags } => {
                let call = aws.ec2.delete_tags().resources(id);
                let call = call.set_tags(Some(ec2::tags_to_sdk(tags)));
                done("ec2:DeleteTags", id, call.send().await)
            }
            Self::Role { name, policies, attached } => {
                for policy in policies {
                    let call = aws.iam.delete_role_policy().role_name(name).policy_name(policy);
                    gone_or(done("iam:DeleteRolePolicy", name, call.send().await))?;
                }
                for arn in attached {
                    let call = aws.iam.detach_role_policy().role_name(name).policy_arn(arn);
                    gone_or(done("iam:DetachRolePolicy", name, call.send().await))?;
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

async fn terminate(aws: &Aws, ids: &[String]) -> Result<(), AwsError> {
    for batch in ids.chunks(batch::INSTANCES) {
        match terminate_batch(aws, batch).await {
            // One that is gone keeps the call from all others.
            Err(error) if error.fault == Fault::Missing => {
                let left = holders::instance_states(aws, batch).await?;
                let left: Vec<String> = left.into_iter().map(|(id, _)| id).collect();
                if left.len() == batch.len() {
                    return Err(AwsError { fault: Fault::Busy, ..error });
                }
                if !left.is_empty() {
                    terminate_batch(aws, &left).await?;
                }
            }
            answer => answer?,
        }
    }
    Ok(())
}

async fn terminate_batch(aws: &Aws, ids: &[String]) -> Result<(), AwsError> {
    let call = aws.ec2.terminate_instances().set_instance_ids(Some(ids.to_vec()));
    done(TERMINATE, &ids.join(", "), call.send().await)
}

async fn terminated(aws: &Aws, ids: &[String]) -> Result<Attempt<()>, AwsError> {
    let states = holders::instance_states(aws, ids).await?;
    let stand = states.iter().filter(|(_, state)| *state != InstanceStateName::Terminated);
    let stand: Vec<String> = stand.map(|(id, state)| format!("{id} ({state})")).collect();
    Ok(going(TERMINATE, &ids.join(", "), &stand))
}

async fn deleted(aws: &Aws, id: &str) -> Result<Attempt<()>, AwsError> {
    use NatGatewayState::{Deleted, Failed};
    let call = aws.ec2.describe_nat_gateways().filter(ec2::filter("nat-gateway-id", [id]));
    let answer = call.send().await;
    let answer = answer.map_err(|error| AwsError::new("ec2:DescribeNatGateways", id, error))?;
    let states = answer.nat_gateways().iter().filter_map(|row| row.state());
    let stand = states.filter(|state| !matches!(state, Deleted | Failed));
    let stand: Vec<String> = stand.map(|state| format!("{id} ({state})")).collect();
    Ok(going(DELETE_GATEWAY, id, &stand))
}

/// What is on its way out, if anything still stands.
fn going(operation: &'static str, object: &str, stand: &[String]) -> Attempt<()> {
    if stand.is_empty() {
        return Attempt::Done(());
    }
    let (object, message) = (object.to_owned(), "AWS takes its time to delete it".to_owned());
    let error = AwsError { operation, object, fault: Fault::Busy, message };
    Attempt::NotYet(Held { holder: stand.join(", "), error })
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
