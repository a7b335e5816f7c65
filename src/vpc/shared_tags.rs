//! Tags that updates set on what the cluster shares: they go with the cluster.

use crate::aws::tags::Tags;
use crate::aws::{Aws, AwsError, done, ec2};
use crate::core::deletion::Delete;
use crate::core::holders::Holders;
use crate::core::work::Work;

/// Takes tags off something that stays, as long as they have these values.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TagsDeletion {
    pub(crate) id: String,
    pub(crate) tags: Tags,
}

impl Delete for TagsDeletion {
    async fn attempt(&self, aws: &Aws) -> Result<(), AwsError> {
        let Self { id, tags } = self;
        let call = aws.ec2.delete_tags().resources(id);
        let call = call.set_tags(Some(ec2::tags_to_sdk(tags)));
        done("ec2:DeleteTags", id, call.send().await)
    }

    async fn holders(&self, _: &Work<'_>, _: &mut Holders) -> Result<(), AwsError> {
        Ok(())
    }
}
