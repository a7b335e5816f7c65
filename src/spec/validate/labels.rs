//! Labels that become tags: what AWS refuses, and what tells whose a resource is.

use std::collections::{BTreeMap, BTreeSet};

use super::Check;
use crate::limits::tag;
use crate::spec::cluster::Cluster;
use crate::spec::instance_group::InstanceGroup;
use crate::spec::node_labels::AutoscalerTag;
use crate::spec::path::FieldPath;
use crate::spec::role::Role;

/// The keys by which a cluster finds again what is its own.
const OWNERS: [&str; 2] = ["Name", "KubernetesCluster"];
const OWNERS_PREFIXES: [&str; 4] =
    ["kubernetes.io/cluster/", "k8s.io/role/", "k8s.io/etcd/", "kops.k8s.io/"];

/// The tags beside labels: name, cluster (twice), etcd's members and the role of a volume (twice).
const TAGS_OF_A_VOLUME: usize = 6;
/// The tags beside labels: name, cluster (twice), instance group and role, of which a control plane
/// has two.
const TAGS_OF_A_GROUP: usize = 5;

type Labels = Option<BTreeMap<String, Option<String>>>;

pub(super) fn check_cluster(cluster: &Cluster, spec: &FieldPath, check: &mut Check) {
    let path = spec.key("cloudLabels");
    labels(&cluster.spec.cloud_labels, &path, check);
    let labels = cluster.spec.cloud_labels.as_ref().map_or(0, BTreeMap::len);
    count(labels, TAGS_OF_A_VOLUME, "a volume", &path, check);
    for tag in cluster.kubelet_tags() {
        autoscaler_tag(&tag, check);
    }
}

pub(super) fn check_group(group: &InstanceGroup, spec: &FieldPath, check: &mut Check) {
    labels(&group.spec.cloud_labels, &spec.key("cloudLabels"), check);
    for tag in group.own_autoscaler_tags() {
        autoscaler_tag(&tag, check);
    }
}

fn autoscaler_tag(made: &AutoscalerTag, check: &mut Check) {
    if let Some(reason) = tag::key_refusal(&made.key) {
        check.add(&made.field, format!("becomes the tag {reason}; shorten the key"));
    }
    if let Some(reason) = tag::value_refusal(&made.value) {
        check.add(&made.field, format!("becomes the value of a tag: {reason}; shorten it"));
    }
}

/// How many tags the Auto Scaling group gets of cluster and group together.
pub(super) fn check_membership(group: &InstanceGroup, cluster: &Cluster, check: &mut Check) {
    let made = group.autoscaler_tags(cluster, false);
    let own = group.spec.cloud_labels.iter().flatten().map(|(key, _)| key.as_str());
    let all = cluster.spec.cloud_labels.iter().flatten().map(|(key, _)| key.as_str());
    let keys: BTreeSet<&str> = own.chain(all).chain(made.keys().map(String::as_str)).collect();
    let path = FieldPath::root().key("spec").key("cloudLabels");
    let ours = TAGS_OF_A_GROUP
        + usize::from(group.spec.role == Some(Role::Master))
        + usize::from(cluster.uses_nth_queue());
    count(keys.len(), ours, "the Auto Scaling group", &path, check);
}

fn labels(labels: &Labels, path: &FieldPath, check: &mut Check) {
    for (key, value) in labels.iter().flatten() {
        let path = path.key(key);
        let is_owners = OWNERS.contains(&key.as_str())
            || OWNERS_PREFIXES.iter().any(|prefix| key.starts_with(prefix));
        if is_owners {
            let message = "is a tag that kapstan sets itself, by which a cluster finds its own; \
                           choose another key";
            check.add(&path, message);
        }
        if let Some(reason) = tag::key_refusal(key) {
            check.add(&path, format!("{reason}; choose another key"));
        }
        if let Some(reason) = tag::value_refusal(value.as_deref().unwrap_or_default()) {
            check.add(&path, format!("{reason}; shorten it"));
        }
    }
}

fn count(labels: usize, ours: usize, of: &str, path: &FieldPath, check: &mut Check) {
    let most = usize::try_from(tag::COUNT.most).unwrap_or(usize::MAX);
    if labels + ours > most {
        let message = format!(
            "gives {of} {} tags, kapstan's own {ours} counted; AWS takes {most} ({}), so keep {}",
            labels + ours,
            tag::COUNT.source,
            most - ours
        );
        check.add(path, message);
    }
}
