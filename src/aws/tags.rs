//! The tags by which clusters mark what they have.

use std::collections::BTreeMap;

pub(crate) type Tags = BTreeMap<String, String>;

/// The tag by which kops finds what belongs to a cluster
/// (`upup/pkg/fi/cloudup/awsup/aws_cloud.go`).
pub(crate) const CLUSTER_TAG: &str = "KubernetesCluster";

/// What the keys of tags begin with that tell whose something is.
pub(crate) const OWNER_TAG: &str = "kubernetes.io/cluster/";

pub(crate) fn owner_tag(cluster: &str) -> String {
    format!("{OWNER_TAG}{cluster}")
}
