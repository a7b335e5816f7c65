//! Where the instances of a cluster read its state, as far as policies must allow it.

use std::fmt;

use crate::spec::cluster::Cluster;
use crate::spec::object::filled;

/// A place in a store.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Location {
    S3 {
        bucket: String,
        /// Without slashes at its ends; empty for the bucket itself.
        path: String,
    },
    /// A folder, or anything else that instances cannot read with an IAM policy.
    Elsewhere(String),
}

impl Location {
    pub(crate) fn parse(url: &str) -> Self {
        let url = url.trim();
        match url.strip_prefix("s3://").map(|rest| rest.split_once('/').unwrap_or((rest, ""))) {
            Some((bucket, path)) if !bucket.is_empty() => {
                Self::S3 { bucket: bucket.to_owned(), path: path.trim_matches('/').to_owned() }
            }
            _ => Self::Elsewhere(url.to_owned()),
        }
    }

    fn join(&self, name: &str) -> Self {
        match self {
            Self::S3 { bucket, path } => {
                let path = format!("{path}/{name}").trim_start_matches('/').to_owned();
                Self::S3 { bucket: bucket.clone(), path }
            }
            Self::Elsewhere(url) => {
                Self::Elsewhere(format!("{}/{name}", url.trim_end_matches('/')))
            }
        }
    }

    /// Whether `other` lies in this place or is it.
    fn holds(&self, other: &Self) -> bool {
        format!("{other}/").starts_with(&format!("{self}/"))
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::S3 { bucket, path } if path.is_empty() => write!(f, "s3://{bucket}"),
            Self::S3 { bucket, path } => write!(f, "s3://{bucket}/{path}"),
            Self::Elsewhere(url) => f.write_str(url.trim_end_matches('/')),
        }
    }
}

/// The subtrees that instances read, none inside another, in order: those of the config,
/// key and secret stores, with kops' defaults (`populate_cluster_spec.go`).
///
/// `base` is the cluster's folder in the state store, for a spec without `configBase`;
/// `None` if no store is known.
pub(crate) fn roots(cluster: &Cluster, base: Option<&str>) -> Vec<Location> {
    let spec = &cluster.spec;
    let config = filled(&spec.config_base).or(filled(&spec.config_store)).or(base);
    let config = config.map(Location::parse);
    let inside = |name: &str| config.as_ref().map(|config| config.join(name));
    let key = filled(&spec.key_store).map(Location::parse).or_else(|| inside("pki"));
    let secret = filled(&spec.secret_store).map(Location::parse).or_else(|| inside("secrets"));

    let mut places: Vec<Location> = [key, secret, config].into_iter().flatten().collect();
    places.sort();
    places.dedup();
    let is_top =
        |place: &&Location| !places.iter().any(|other| other != *place && other.holds(place));
    places.iter().filter(is_top).cloned().collect()
}

/// Where the etcd clusters put their backups, each place once, in the spec's order.
pub(crate) fn backups(cluster: &Cluster) -> Vec<Location> {
    let stores = cluster.etcd_clusters().iter().filter_map(|etcd| etcd.backups.as_ref());
    let mut places: Vec<Location> = Vec::new();
    for place in stores.filter_map(|b| filled(&b.backup_store)).map(Location::parse) {
        if !places.contains(&place) {
            places.push(place);
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roots_of(spec: serde_json::Value, base: Option<&str>) -> Vec<String> {
        let cluster = serde_json::from_value(serde_json::json!({ "spec": spec })).unwrap();
        roots(&cluster, base).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn stores_inside_the_config_store_are_one_root() {
        let spec = serde_json::json!({"configBase": "s3://state/dev.example.com/"});
        assert_eq!(roots_of(spec, Some("s3://other/x")), ["s3://state/dev.example.com"]);
        assert_eq!(roots_of(serde_json::json!({}), Some("s3://b/c")), ["s3://b/c"]);
        assert_eq!(roots_of(serde_json::json!({}), None), [""; 0]);
    }

    #[test]
    fn stores_elsewhere_are_roots_of_their_own() {
        let spec = serde_json::json!({
            "configStore": "s3://state/dev",
            "keyStore": "s3://keys/dev/pki",
            "secretStore": "s3://state/dev-secrets",
        });
        assert_eq!(
            roots_of(spec, None),
            ["s3://keys/dev/pki", "s3://state/dev", "s3://state/dev-secrets"]
        );
    }
}
