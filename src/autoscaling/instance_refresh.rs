//! Instance refreshes: Auto Scaling's own way of replacing a group's instances (Auto Scaling
//! User Guide, "Use an instance refresh to update instances in an Auto Scaling group").

use aws_sdk_autoscaling::types::{
    DesiredConfiguration, InstanceRefreshStatus, LaunchTemplateSpecification, RefreshPreferences,
};

use crate::aws::{Answer, Aws, AwsError};

/// How Auto Scaling is to replace a group's instances.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    /// The Auto Scaling group.
    pub(crate) group: String,
    /// The template and its version, where the group is not told what to launch by a policy of
    /// several types.
    pub(crate) template: Option<(String, String)>,
    /// How many in a hundred must go on serving.
    pub(crate) min_healthy: i32,
    /// At how many in a hundred replaced it pauses.
    pub(crate) checkpoints: Vec<i32>,
    /// How long it pauses, in seconds.
    pub(crate) checkpoint_delay: i32,
    /// Whether instances that are as wanted are left.
    pub(crate) skips_matching: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Refresh {
    pub(crate) id: String,
    pub(crate) state: State,
    /// AWS' word for the state.
    pub(crate) status: String,
    pub(crate) reason: Option<String>,
    /// How many in a hundred are replaced.
    pub(crate) percentage: i32,
    pub(crate) left: i32,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum State {
    Open,
    Successful,
    /// It failed, or was cancelled or rolled back.
    Ended,
}

/// The newest refresh of a group.
pub(crate) async fn newest(aws: &Aws, group: &str) -> Result<Option<Refresh>, AwsError> {
    let call = aws.autoscaling.describe_instance_refreshes().auto_scaling_group_name(group);
    let answer =
        call.max_records(1).send().await.map_err(|error| {
            AwsError::new("autoscaling:DescribeInstanceRefreshes", group, error)
        })?;
    let newest = answer.instance_refreshes().first().map(|row| {
        let status = row.status();
        let answer = Answer::of("autoscaling:DescribeInstanceRefreshes", group);
        Ok(Refresh {
            id: answer.text("InstanceRefreshId", row.instance_refresh_id())?,
            state: match status {
                Some(InstanceRefreshStatus::Successful) => State::Successful,
                Some(
                    InstanceRefreshStatus::Failed
                    | InstanceRefreshStatus::Cancelled
                    | InstanceRefreshStatus::RollbackFailed
                    | InstanceRefreshStatus::RollbackSuccessful,
                ) => State::Ended,
                _ => State::Open,
            },
            status: status.map_or("", |status| status.as_str()).to_owned(),
            reason: row.status_reason().filter(|text| !text.is_empty()).map(str::to_owned),
            percentage: row.percentage_complete().unwrap_or_default(),
            left: row.instances_to_update().unwrap_or_default(),
        })
    });
    newest.transpose()
}

/// Begins a refresh; returns its id.
pub(crate) async fn start(aws: &Aws, wish: &Wish) -> Result<String, AwsError> {
    let desired = wish.template.as_ref().map(|(id, version)| {
        let template = LaunchTemplateSpecification::builder();
        let template = template.launch_template_id(id).version(version).build();
        DesiredConfiguration::builder().launch_template(template).build()
    });
    let mut preferences = RefreshPreferences::builder()
        .min_healthy_percentage(wish.min_healthy)
        .skip_matching(wish.skips_matching);
    if !wish.checkpoints.is_empty() {
        preferences = preferences
            .set_checkpoint_percentages(Some(wish.checkpoints.clone()))
            .checkpoint_delay(wish.checkpoint_delay);
    }
    let call = aws.autoscaling.start_instance_refresh().auto_scaling_group_name(&wish.group);
    let call = call.set_desired_configuration(desired).preferences(preferences.build());
    const OPERATION: &str = "autoscaling:StartInstanceRefresh";
    let answer = call.send().await;
    let answer = answer.map_err(|error| AwsError::new(OPERATION, &wish.group, error))?;
    Answer::of(OPERATION, &wish.group).text("InstanceRefreshId", answer.instance_refresh_id())
}

/// Ends a group's open refresh; what is replaced stays so.
pub(crate) async fn cancel(aws: &Aws, group: &str) -> Result<(), AwsError> {
    let call = aws.autoscaling.cancel_instance_refresh().auto_scaling_group_name(group);
    let answer = call.send().await;
    answer.map_err(|error| AwsError::new("autoscaling:CancelInstanceRefresh", group, error))?;
    Ok(())
}
