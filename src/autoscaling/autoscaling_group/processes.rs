//! What Auto Scaling does with a group by itself, unless it is suspended.

use std::collections::BTreeSet;

use crate::aws::{Aws, AwsError};
use crate::core::fields::Delta;

pub(super) async fn suspend(
    aws: &Aws,
    group: &str,
    processes: &BTreeSet<String>,
) -> Result<(), AwsError> {
    if processes.is_empty() {
        return Ok(());
    }
    let call = aws.autoscaling.suspend_processes().auto_scaling_group_name(group);
    let answer = call.set_scaling_processes(Some(processes.iter().cloned().collect())).send().await;
    answer.map_err(|error| AwsError::new("autoscaling:SuspendProcesses", group, error))?;
    Ok(())
}

/// Suspends the wanted, and resumes the others.
pub(super) async fn update(
    aws: &Aws,
    group: &str,
    suspended: &Delta<BTreeSet<String>>,
) -> Result<(), AwsError> {
    let wanted = suspended.after.clone().unwrap_or_default();
    suspend(aws, group, &wanted).await?;
    let there = suspended.before.iter().flatten();
    let others: Vec<String> = there.filter(|one| !wanted.contains(*one)).cloned().collect();
    if !others.is_empty() {
        let call = aws.autoscaling.resume_processes().auto_scaling_group_name(group);
        let answer = call.set_scaling_processes(Some(others)).send().await;
        answer.map_err(|error| AwsError::new("autoscaling:ResumeProcesses", group, error))?;
    }
    Ok(())
}
