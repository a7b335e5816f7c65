//! Tags that updates set on what the cluster shares: they go with the cluster.

use super::deletion::Delete;
use super::drift::{Drift, FieldChange};
use super::holders::Holders;
use super::work::Work;
use crate::aws::tags::Tags;
use crate::aws::{Aws, AwsError, done, ec2};

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

    fn drift(&self) -> Drift {
        let gone = |(key, value): (&String, &String)| FieldChange {
            field: format!("tags[{key:?}]"),
            before: Some(value.clone()),
            after: None,
        };
        Drift { fields: self.tags.iter().map(gone).collect(), ..Drift::default() }
    }
}
