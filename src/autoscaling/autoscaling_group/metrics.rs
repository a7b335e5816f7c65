//! The metrics that are collected of a group.

use crate::aws::{Aws, AwsError};

/// The metrics that kops collects of each group, by the minute
/// (`pkg/model/awsmodel/autoscalinggroup.go`).
const OF_GROUPS: [&str; 8] = [
    "GroupDesiredCapacity", "GroupInServiceInstances", "GroupMaxSize", "GroupMinSize",
    "GroupPendingInstances", "GroupStandbyInstances", "GroupTerminatingInstances",
    "GroupTotalInstances",
];

/// Those beside, where there is a warm pool.
const OF_WARM_POOLS: [&str; 8] = [
    "GroupAndWarmPoolDesiredCapacity", "GroupAndWarmPoolTotalCapacity", "WarmPoolDesiredCapacity",
    "WarmPoolMinSize", "WarmPoolPendingCapacity", "WarmPoolTerminatingCapacity",
    "WarmPoolTotalCapacity", "WarmPoolWarmedCapacity",
];

pub(super) fn wanted(has_warm_pool: bool) -> impl Iterator<Item = &'static str> {
    let more: &[&str] = if has_warm_pool { &OF_WARM_POOLS } else { &[] };
    OF_GROUPS.iter().chain(more).copied()
}

pub(super) async fn collect(aws: &Aws, group: &str, has_warm_pool: bool) -> Result<(), AwsError> {
    let metrics = wanted(has_warm_pool).map(str::to_owned).collect();
    let call = aws.autoscaling.enable_metrics_collection().auto_scaling_group_name(group);
    let answer = call.granularity("1Minute").set_metrics(Some(metrics)).send().await;
    answer.map_err(|error| AwsError::new("autoscaling:EnableMetricsCollection", group, error))?;
    Ok(())
}
