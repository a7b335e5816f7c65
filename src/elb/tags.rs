//! The tags of network load balancers and what belongs to them.

use std::collections::BTreeMap;

use aws_sdk_elasticloadbalancingv2::types::Tag;

use crate::aws::tags::Tags;
use crate::aws::{Answer, Aws, AwsError, batch, ec2};
use crate::core::id::Id;
use crate::core::work::Work;

/// The tags of things, by their ARNs.
pub(super) async fn of(aws: &Aws, arns: &[String]) -> Result<BTreeMap<String, Tags>, AwsError> {
    const OPERATION: &str = "elasticloadbalancing:DescribeTags";
    let read = batch::read(arns, batch::TAGGED_BALANCERS, async |arns: &[String]| {
        let answer = aws.elbv2.describe_tags().set_resource_arns(Some(arns.to_vec())).send().await;
        let answer = answer.map_err(|error| AwsError::new(OPERATION, "", error))?;
        let described = answer.tag_descriptions().iter().map(|described| {
            let arn = Answer::of(OPERATION, "").text("ResourceArn", described.resource_arn())?;
            let tags = described.tags().iter().map(|tag| {
                let key = Answer::of(OPERATION, &arn).text("Key", tag.key())?;
                Ok((key, tag.value().unwrap_or_default().to_owned()))
            });
            let tags = tags.collect::<Result<Tags, AwsError>>()?;
            Ok((arn, tags))
        });
        described.collect()
    });
    Ok(read.await?.into_iter().collect())
}

pub(super) fn to_sdk(tags: &Tags) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

pub(super) async fn add(work: &Work<'_>, arn: &str, tags: &Tags) -> Result<(), AwsError> {
    let call = work.aws.elbv2.add_tags().resource_arns(arn).set_tags(Some(to_sdk(tags)));
    let answer = call.send().await.map(drop);
    let answer = answer.map_err(|error| AwsError::new("elasticloadbalancing:AddTags", arn, error));
    work.unless_lacking(answer)
}

/// What was found where a name was taken, if it carries the cluster's tags; else `taken`.
pub(super) async fn only_ours<K>(
    aws: &Aws,
    arn: Id<K>,
    wanted: &Tags,
    taken: AwsError,
) -> Result<Id<K>, AwsError> {
    let found = of(aws, &[(&arn).into()]).await?;
    let is_ours = found.get(arn.as_str()).is_some_and(|tags| ec2::is_identified(tags, wanted));
    if is_ours { Ok(arn) } else { Err(taken) }
}
