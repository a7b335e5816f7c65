//! Instances that wait, stopped, to join a group.

use aws_sdk_autoscaling::types::WarmPoolConfiguration;

use crate::aws::{Aws, AwsError};
use crate::core::fields::Value;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct WarmPool {
    pub(crate) min_size: i32,
    /// `None` for as many as the group's largest size allows.
    pub(crate) max_size: Option<i32>,
}

impl WarmPool {
    /// `None` if it is on its way out, as one with a status is.
    pub(super) fn from_sdk(pool: &WarmPoolConfiguration) -> Option<Self> {
        pool.status().is_none().then(|| Self {
            min_size: pool.min_size().unwrap_or_default(),
            max_size: pool.max_group_prepared_capacity().filter(|size| *size >= 0),
        })
    }

    pub(super) async fn put(&self, aws: &Aws, group: &str) -> Result<(), AwsError> {
        let call = aws.autoscaling.put_warm_pool().auto_scaling_group_name(group);
        call.min_size(self.min_size)
            // −1 stands for the group's own largest size (Auto Scaling API, PutWarmPool).
            .max_group_prepared_capacity(self.max_size.unwrap_or(-1))
            .send()
            .await
            .map_err(|error| AwsError::new("autoscaling:PutWarmPool", group, error))?;
        Ok(())
    }
}

impl Value for WarmPool {
    fn tell(&self) -> String {
        let most = self.max_size.map_or("as many as fit".to_owned(), |most| most.to_string());
        format!("{} to {most}", self.min_size)
    }
}

pub(super) async fn delete(aws: &Aws, group: &str) -> Result<(), AwsError> {
    let call = aws.autoscaling.delete_warm_pool().auto_scaling_group_name(group);
    let answer = call.force_delete(true).send().await;
    answer.map_err(|error| AwsError::new("autoscaling:DeleteWarmPool", group, error))?;
    Ok(())
}
