//! Launch configurations: what groups ran on before there were launch templates.

use std::collections::{BTreeMap, BTreeSet};

use super::live::read;
use crate::aws::{Answer, Aws, AwsError, batch};
use crate::ec2::launch_template;

/// The groups that run on each launch configuration, whosever they are.
pub(crate) async fn users_of_configurations(
    aws: &Aws,
) -> Result<BTreeMap<String, BTreeSet<String>>, AwsError> {
    let mut users: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for group in read(aws, |call| call).await? {
        if let Some(configuration) = group.launch_configuration {
            users.entry(configuration).or_default().insert(group.name);
        }
    }
    Ok(users)
}

/// The user data of launch configurations, for groups that are moved off them.
pub(crate) async fn user_data_of_configurations(
    aws: &Aws,
    names: &[String],
) -> Result<Vec<(String, Vec<u8>)>, AwsError> {
    const OPERATION: &str = "autoscaling:DescribeLaunchConfigurations";
    batch::read(names, batch::LAUNCH_CONFIGURATIONS, async |names: &[String]| {
        let call = aws.autoscaling.describe_launch_configurations();
        let call = call.set_launch_configuration_names(Some(names.to_vec()));
        let rows = call.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
        let rows = rows.map_err(|error| AwsError::new(OPERATION, "", error))?;
        let with_data = rows.iter().filter_map(|row| Some((row, row.user_data()?)));
        let with_data = with_data.filter(|(_, text)| !text.is_empty());
        let data = with_data.map(|(row, text)| {
            let name = row.launch_configuration_name();
            let name = Answer::of(OPERATION, "").id("LaunchConfigurationName", name)?;
            Ok((name, launch_template::decode(text)))
        });
        data.collect()
    })
    .await
}
