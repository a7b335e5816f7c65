//! `TargetGroup`: what the instances behind a network load balancer join.

use aws_sdk_elasticloadbalancingv2::types::{ProtocolEnum, TargetGroup as SdkTargetGroup};

use crate::aws::tags::Tags;
use crate::aws::{Answer, Aws, AwsError, done};
use crate::core::deletion::Delete;
use crate::core::holders::Holders;
use crate::core::work::Work;
use crate::vpc::interface::User;

pub(crate) const DESCRIBE: &str = "elasticloadbalancing:DescribeTargetGroups";

/// How the targets are asked whether they are well.
pub(crate) const INTERVAL_SECONDS: i32 = 10;
pub(crate) const HEALTHY_AFTER: i32 = 2;
pub(crate) const UNHEALTHY_AFTER: i32 = 2;

/// The kind.
#[derive(Debug)]
pub(crate) struct TargetGroup;

/// The ARN of a target group, whosever it is.
#[derive(Clone, Debug)]
pub(crate) struct TargetGroupArn(pub(crate) String);

#[derive(Clone, Debug)]
pub(crate) struct LiveTargetGroup {
    pub(crate) arn: String,
    pub(crate) name: String,
    pub(crate) protocol: String,
    pub(crate) port: Option<i32>,
    pub(crate) vpc: Option<String>,
    pub(crate) health_check: String,
    /// The ARNs of the load balancers before it.
    pub(crate) balancers: Vec<String>,
    pub(crate) tags: Tags,
}

impl LiveTargetGroup {
    /// What the answer tells; tags are told by another call.
    pub(crate) fn from_sdk(group: &SdkTargetGroup) -> Result<Self, AwsError> {
        let arn = Answer::of(DESCRIBE, "").id("TargetGroupArn", group.target_group_arn())?;
        let protocol = group.health_check_protocol().map_or("", ProtocolEnum::as_str);
        Ok(Self {
            name: Answer::of(DESCRIBE, &arn).id("TargetGroupName", group.target_group_name())?,
            // A group of functions has neither protocol, port nor VPC.
            protocol: group.protocol().map_or("", ProtocolEnum::as_str).to_owned(),
            port: group.port(),
            vpc: group.vpc_id().map(str::to_owned),
            health_check: health_text(
                protocol,
                group.health_check_interval_seconds().unwrap_or_default(),
                group.healthy_threshold_count().unwrap_or_default(),
                group.unhealthy_threshold_count().unwrap_or_default(),
            ),
            balancers: group.load_balancer_arns().to_vec(),
            tags: Tags::new(),
            arn,
        })
    }
}

/// The health check that is wanted.
pub(crate) fn wanted_health() -> String {
    health_text(ProtocolEnum::Tcp.as_str(), INTERVAL_SECONDS, HEALTHY_AFTER, UNHEALTHY_AFTER)
}

fn health_text(protocol: &str, interval: i32, healthy: i32, unhealthy: i32) -> String {
    format!("{protocol} every {interval}s, {healthy} up, {unhealthy} down")
}

/// Deletes a target group, by its ARN.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TargetGroupDeletion(pub(crate) String);

impl Delete for TargetGroupDeletion {
    async fn attempt(&self, aws: &Aws) -> Result<(), AwsError> {
        let Self(arn) = self;
        let call = aws.elbv2.delete_target_group().target_group_arn(arn);
        done("elasticloadbalancing:DeleteTargetGroup", arn, call.send().await)
    }

    async fn holders(&self, work: &Work<'_>, holders: &mut Holders) -> Result<(), AwsError> {
        of_targets(work.aws, &self.0, holders).await
    }
}

async fn of_targets(aws: &Aws, arn: &str, holders: &mut Holders) -> Result<(), AwsError> {
    let operation = "elasticloadbalancing:DescribeTargetGroups";
    let answer = aws.elbv2.describe_target_groups().target_group_arns(arn).send().await;
    let answer = answer.map_err(|error| AwsError::new(operation, arn, error))?;
    for balancer in answer.target_groups().iter().flat_map(|group| group.load_balancer_arns()) {
        let name = balancer.split('/').nth(2).unwrap_or(balancer);
        let passes = User::Balancer(name.to_owned()).is_going(aws).await?;
        holders.add(passes, format!("load balancer {balancer}"));
    }
    Ok(())
}
