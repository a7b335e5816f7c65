//! Launch configurations: what groups ran on before there were launch templates.

use super::live::read;
use super::wanted::AutoscalingGroup;
use crate::aws::{Answer, Aws, AwsError, batch, done};
use crate::core::deletion::Delete;
use crate::core::holders::Holders;
use crate::core::id::Id;
use crate::core::seen::Looked;
use crate::core::work::Work;
use crate::ec2::launch_template;

/// A group that runs on a launch configuration, whosever it is.
#[derive(Clone, Debug)]
pub(crate) struct ConfigurationUser {
    pub(crate) configuration: String,
    pub(crate) group: Id<AutoscalingGroup>,
}

/// The user data of a launch configuration.
#[derive(Clone, Debug)]
pub(crate) struct OldUserData {
    pub(crate) configuration: String,
    pub(crate) text: Vec<u8>,
}

/// All groups that run on launch configurations.
pub(crate) async fn users_of_configurations(
    aws: &Aws,
) -> Result<Looked<ConfigurationUser>, AwsError> {
    let groups = Looked::sort(read(aws, |call| call).await)?;
    Ok(groups.flat_map(|group| {
        let user = |configuration: &String| ConfigurationUser {
            configuration: configuration.clone(),
            group: group.name.clone(),
        };
        group.launch_configuration.iter().map(user).collect()
    }))
}

/// The user data of launch configurations, for groups that are moved off them.
pub(crate) async fn user_data_of_configurations(
    aws: &Aws,
    names: &[String],
) -> Result<Looked<OldUserData>, AwsError> {
    const OPERATION: &str = "autoscaling:DescribeLaunchConfigurations";
    let read = batch::read(names, batch::LAUNCH_CONFIGURATIONS, async |names: &[String]| {
        let call = aws.autoscaling.describe_launch_configurations();
        let call = call.set_launch_configuration_names(Some(names.to_vec()));
        let rows = call.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
        let rows = rows.map_err(|error| AwsError::new(OPERATION, "", error))?;
        let with_data = rows.iter().filter_map(|row| Some((row, row.user_data()?)));
        let with_data = with_data.filter(|(_, text)| !text.is_empty());
        let data = with_data.map(|(row, text)| {
            let name = row.launch_configuration_name();
            let configuration = Answer::of(OPERATION, "").text("LaunchConfigurationName", name)?;
            Ok(OldUserData { configuration, text: launch_template::decode(text) })
        });
        data.collect()
    });
    Looked::sort(read.await)
}

/// Deletes a launch configuration, by its name.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LaunchConfigurationDeletion(pub(crate) String);

impl Delete for LaunchConfigurationDeletion {
    async fn attempt(&self, aws: &Aws) -> Result<(), AwsError> {
        let Self(name) = self;
        let call = aws.autoscaling.delete_launch_configuration();
        let call = call.launch_configuration_name(name);
        done("autoscaling:DeleteLaunchConfiguration", name, call.send().await)
    }

    async fn holders(&self, work: &Work<'_>, holders: &mut Holders) -> Result<(), AwsError> {
        of_configuration(work.aws, &self.0, holders).await
    }
}

async fn of_configuration(aws: &Aws, name: &str, holders: &mut Holders) -> Result<(), AwsError> {
    let pages = aws.autoscaling.describe_auto_scaling_groups().into_paginator();
    let groups = pages.items().send().collect::<Result<Vec<_>, _>>().await;
    let groups = groups
        .map_err(|error| AwsError::new("autoscaling:DescribeAutoScalingGroups", "", error))?;
    for group in groups.iter().filter(|one| one.launch_configuration_name() == Some(name)) {
        // A group has a status only while it is being deleted.
        let group_name = group.auto_scaling_group_name().unwrap_or_default();
        holders.add(group.status().is_some(), format!("Auto Scaling group {group_name}"));
    }
    Ok(())
}
