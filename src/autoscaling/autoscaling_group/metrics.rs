//! The metrics that are collected of a group.

use crate::aws::{Aws, AwsError};

/// The metrics that kops collects of each group, by the minute
/// (`pkg/model/awsmodel/autoscalinggroup.go`).
pub(super) const METRICS: [&str; 8] = [
    "GroupDesiredCapacity", "GroupInServiceInstances", "GroupMaxSize", "GroupMinSize",
    "GroupPendingInstances", "GroupStandbyInstances", "GroupTerminatingInstances",
    "GroupTotalInstances",
];

pub(super) async fn collect(aws: &Aws, group: &str) -> Result<(), AwsError> {
    let metrics = METRICS.iter().map(|metric| (*metric).to_owned()).collect();
    let call = aws.autoscaling.enable_metrics_collection().auto_scaling_group_name(group);
    let answer = call.granularity("1Minute").set_metrics(Some(metrics)).send().await;
    answer.map_err(|error| AwsError::new("autoscaling:EnableMetricsCollection", group, error))?;
    Ok(())
}
