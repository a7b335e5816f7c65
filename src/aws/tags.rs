//! The tags by which clusters mark what they have.

use std::collections::BTreeMap;

pub(crate) type Tags = BTreeMap<String, String>;

/// The tag by which kops finds what belongs to a cluster
/// (`upup/pkg/fi/cloudup/awsup/aws_cloud.go`).
pub(crate) const CLUSTER_TAG: &str = "KubernetesCluster";

/// What the keys of tags begin with that tell whose something is.
pub(crate) const OWNER_TAG: &str = "kubernetes.io/cluster/";

/// The tags that tell of which cluster of a name something is that there is one of in an account:
/// of the one in this region, with its specs in this store. They are written with what is made, and
/// compared where they are; kops knows neither.
pub(crate) const REGION_TAG: &str = "kapstan.io/region";
pub(crate) const STORE_TAG: &str = "kapstan.io/store";

pub(crate) fn owner_tag(cluster: &str) -> String {
    format!("{OWNER_TAG}{cluster}")
}
