//! What the calls of EC2 share: filters and tags.

use std::collections::BTreeSet;

use aws_sdk_ec2::primitives::{DateTime, DateTimeFormat};
use aws_sdk_ec2::types::{Filter, ResourceType, Tag, TagSpecification};
use futures::future::try_join_all;

use super::tags::{self, CLUSTER_TAG, Tags};
use super::{Aws, AwsError};

pub(crate) fn filter<S: Into<String>>(name: &str, values: impl IntoIterator<Item = S>) -> Filter {
    let values = values.into_iter().map(Into::into).collect();
    Filter::builder().name(name).set_values(Some(values)).build()
}

/// Chooses what carries the cluster's tag.
pub(crate) fn of_cluster(cluster: &str) -> Filter {
    filter(&format!("tag:{CLUSTER_TAG}"), [cluster])
}

/// Chooses what carries the tags by which a resource of ours is known: its name, and its
/// cluster's.
pub(crate) fn identity(tags: &Tags) -> Vec<Filter> {
    let tells = |key: &str| {
        key == "Name" || key == CLUSTER_TAG || key.starts_with("kubernetes.io/cluster/")
    };
    let own = tags.iter().filter(|(key, _)| tells(key));
    own.map(|(key, value)| filter(&format!("tag:{key}"), [value])).collect()
}

/// The rows of an answer that are known by such tags, whatever else the answer has.
pub(crate) fn ours<'a, T>(
    rows: &'a [T],
    tags: impl Fn(&'a T) -> &'a [Tag] + 'a,
    wanted: &'a Tags,
) -> impl Iterator<Item = &'a T> {
    rows.iter().filter(move |row| is_identified(&tags_from_sdk(tags(*row)), wanted))
}

/// Whether something has the name and the cluster of what is wanted.
pub(crate) fn is_identified(found: &Tags, wanted: &Tags) -> bool {
    let asked = [CLUSTER_TAG.to_owned(), "Name".to_owned()];
    asked.iter().all(|key| found.get(key) == wanted.get(key))
}

/// A point in time, to the second.
pub(crate) fn time_text(at: &DateTime) -> String {
    at.fmt(DateTimeFormat::DateTime).unwrap_or_else(|_| at.secs().to_string())
}

/// Chooses what carries one of the tags by which clusters mark what they have. Either may have
/// gone by hand; and the older tells of other clusters too.
pub(crate) fn marked(cluster: &str) -> Filter {
    filter("tag-key", [tags::owner_tag(cluster), CLUSTER_TAG.to_owned()])
}

/// Chooses what bears the cluster's name, or one below it.
fn named(cluster: &str) -> Filter {
    filter("tag:Name", [cluster.to_owned(), format!("*.{cluster}")])
}

/// What carries the cluster's tags, and what bears its names, each once.
pub(crate) async fn marked_or_named<T, F>(
    cluster: &str,
    id: impl Fn(&T) -> &str,
    read: impl Fn(Vec<Filter>) -> F,
) -> Result<Vec<T>, AwsError>
where
    F: Future<Output = Result<Vec<T>, AwsError>>,
{
    // The older tag is asked for by its value: others have things with that key, many perhaps.
    let owned = filter("tag-key", [tags::owner_tag(cluster)]);
    let asked = [owned, of_cluster(cluster), named(cluster)];
    let answers = try_join_all(asked.map(|filter| read(vec![filter]))).await?;
    let mut known = BTreeSet::new();
    Ok(answers.into_iter().flatten().filter(|row| known.insert(id(row).to_owned())).collect())
}

pub(crate) fn tags_from_sdk(tags: &[Tag]) -> Tags {
    let pair = |tag: &Tag| Some((tag.key()?.to_owned(), tag.value().unwrap_or("").to_owned()));
    tags.iter().filter_map(pair).collect()
}

pub(crate) fn tags_to_sdk(tags: &Tags) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

/// Tags given in the call that creates: nothing can be left behind untagged.
pub(crate) fn specification(kind: ResourceType, tags: &Tags) -> TagSpecification {
    TagSpecification::builder().resource_type(kind).set_tags(Some(tags_to_sdk(tags))).build()
}

/// Sets tags of something that exists.
pub(crate) async fn tag(aws: &Aws, id: &str, tags: &Tags) -> Result<(), AwsError> {
    let call = aws.ec2.create_tags().resources(id).set_tags(Some(tags_to_sdk(tags)));
    call.send().await.map_err(|error| AwsError::new("ec2:CreateTags", id, error))?;
    Ok(())
}

/// Takes tags off something that exists, whatever their values.
pub(crate) async fn untag(
    aws: &Aws,
    id: &str,
    keys: impl Iterator<Item = &String>,
) -> Result<(), AwsError> {
    let tags: Vec<Tag> = keys.map(|key| Tag::builder().key(key).build()).collect();
    if tags.is_empty() {
        return Ok(());
    }
    let call = aws.ec2.delete_tags().resources(id).set_tags(Some(tags));
    call.send().await.map_err(|error| AwsError::new("ec2:DeleteTags", id, error))?;
    Ok(())
}

pub(crate) fn is_named(tags: &Tags, name: &str) -> bool {
    tags.get("Name").is_some_and(|tag| tag == name)
}
