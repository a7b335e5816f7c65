//! The tags of a group, which its instances get too.

use aws_sdk_autoscaling::types::{Tag, TagDescription};

use crate::aws::tags::Tags;
use crate::aws::{Aws, AwsError};
use crate::core::fields::{Delta, ExactTags};

pub(crate) fn tags_from_sdk(tags: &[TagDescription]) -> Tags {
    let pair = |tag: &TagDescription| {
        Some((tag.key()?.to_owned(), tag.value().unwrap_or_default().to_owned()))
    };
    tags.iter().filter_map(pair).collect()
}

pub(super) fn to_sdk(tags: &Tags, group: &str) -> Vec<Tag> {
    tags.iter().map(|(key, value)| tag(group, key, value)).collect()
}

fn tag(group: &str, key: &str, value: &str) -> Tag {
    Tag::builder()
        .key(key)
        .value(value)
        .resource_id(group)
        .resource_type("auto-scaling-group")
        .propagate_at_launch(true)
        .build()
}

/// As in kops, a tag that is no longer wanted goes; those of AWS itself cannot.
pub(super) fn wanted_over(wanted: &Tags, found: &Tags) -> ExactTags {
    let gone = found.keys().filter(|key| !key.starts_with("aws:"));
    let mut tags = ExactTags(gone.map(|key| (key.clone(), None)).collect());
    tags.0.extend(ExactTags::from(wanted).0);
    tags
}

pub(super) async fn update(
    aws: &Aws,
    group: &str,
    tags: &Delta<ExactTags>,
) -> Result<(), AwsError> {
    let mut set = Vec::new();
    let mut gone = Vec::new();
    for (key, value) in ExactTags::of(tags) {
        match value {
            Some(value) => set.push(tag(group, key, value)),
            None => gone.push(tag(group, key, "")),
        }
    }
    if !set.is_empty() {
        let answer = aws.autoscaling.create_or_update_tags().set_tags(Some(set)).send().await;
        answer.map_err(|error| AwsError::new("autoscaling:CreateOrUpdateTags", group, error))?;
    }
    if !gone.is_empty() {
        let answer = aws.autoscaling.delete_tags().set_tags(Some(gone)).send().await;
        answer.map_err(|error| AwsError::new("autoscaling:DeleteTags", group, error))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::drift::Drift;
    use crate::core::fields::{Value as _, Want};

    fn tags(pairs: &[(&str, &str)]) -> Tags {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn tags_that_are_not_wanted_go_and_are_told_last_but_those_of_aws_stay() {
        let wanted = tags(&[("Name", "nodes"), ("team", "blue")]);
        let there = tags(&[("Name", "nodes"), ("aws:x", "1"), ("old", "1"), ("team", "red")]);
        let found = Some(ExactTags::from(&there));
        let delta = Want::Is(wanted_over(&wanted, &there)).difference(&found).unwrap();
        let mut drift = Drift::default();
        ExactTags::drift("tags", &delta, &mut drift);
        let told = drift.fields.iter().map(|change| {
            let (before, after) = (change.before.as_deref(), change.after.as_deref());
            (change.field.as_str(), before, after)
        });
        assert_eq!(
            told.collect::<Vec<_>>(),
            [("tags[\"team\"]", Some("red"), Some("blue")), ("tags[\"old\"]", Some("1"), None)]
        );
    }
}
