//! Where the instances of a cluster read its state, as far as policies must allow it.

use std::fmt;

use crate::limits::s3;
use crate::spec::cluster::Cluster;
use crate::spec::object::filled;
use crate::spec::secret;

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
        match s3::place(url) {
            // What would stand for other places is in no policy, whoever lets it come here.
            Some((bucket, path)) if s3::refusal(bucket, path).is_none() => {
                Self::S3 { bucket: bucket.to_owned(), path: path.to_owned() }
            }
            _ => Self::Elsewhere(url.trim().to_owned()),
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
    pub(crate) fn holds(&self, other: &Self) -> bool {
        format!("{other}/").starts_with(&format!("{self}/"))
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::S3 { bucket, path } if path.is_empty() => write!(f, "s3://{bucket}"),
            Self::S3 { bucket, path } => write!(f, "s3://{bucket}/{path}"),
            Self::Elsewhere(url) => {
                f.write_str(&secret::without_credentials(url.trim_end_matches('/')))
            }
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
    let config = config_base(cluster, base);
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

/// The folder that holds all of a cluster's state.
fn config_base(cluster: &Cluster, base: Option<&str>) -> Option<Location> {
    let spec = &cluster.spec;
    filled(&spec.config_base).or(filled(&spec.config_store)).or(base).map(Location::parse)
}

/// The same as [`backups`], where an etcd cluster that names no place has one in the cluster's
/// folder (kops `components/etcdmanager/options.go`).
pub(crate) fn backups_by_default(cluster: &Cluster, base: Option<&str>) -> Vec<Location> {
    let config = config_base(cluster, base);
    let mut places: Vec<Location> = Vec::new();
    for etcd in cluster.etcd_clusters() {
        let own = etcd.backups.as_ref().and_then(|backups| filled(&backups.backup_store));
        let name = etcd.name.as_deref().unwrap_or_default();
        let default = || config.as_ref().map(|base| base.join(&format!("backups/etcd/{name}")));
        let place = own.map(Location::parse).or_else(default);
        places.extend(place.filter(|place| !places.contains(place)));
    }
    places
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

/// Which places of a cluster hold more than itself, in words for a warning. `others` are the other
/// clusters of the state store, each with the places where it lies.
pub(crate) fn doubts(
    cluster: &Cluster,
    store: &str,
    others: &[(String, Vec<Location>)],
) -> Vec<String> {
    /// How many of the others a warning names.
    const NAMED: usize = 5;
    let store = Location::parse(store);
    let is_within = |place: &Location, other: &Location| {
        matches!(place, Location::S3 { .. }) && place.holds(other)
    };
    let doubt = |place: Location| {
        let held: Vec<&str> = others
            .iter()
            .filter(|(_, lies)| lies.iter().any(|other| is_within(&place, other)))
            .map(|(name, _)| name.as_str())
            .collect();
        let what = match held.split_at_checked(NAMED) {
            _ if held.is_empty() => match &place {
                _ if is_within(&place, &store) => "the whole state store".to_owned(),
                Location::S3 { path, .. } if path.is_empty() => "a whole bucket".to_owned(),
                _ => return None,
            },
            Some((named, more)) if !more.is_empty() => {
                format!("{} and {} more", named.join(", "), more.len())
            }
            _ => held.join(", "),
        };
        Some(format!(
            "{place} holds {what}, not {} alone: its instances may use all that lies there, keys \
             and secrets of other clusters too",
            cluster.name()
        ))
    };
    places(cluster).into_iter().filter_map(doubt).collect()
}

/// The places that a spec itself names, each once.
pub(crate) fn places(cluster: &Cluster) -> Vec<Location> {
    let mut places = roots(cluster, None);
    places.extend(backups(cluster));
    places.sort();
    places.dedup();
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    fn doubts_of(spec: serde_json::Value) -> Vec<String> {
        let json = serde_json::json!({"metadata": {"name": "a.com"}, "spec": spec});
        let cluster: Cluster = serde_json::from_value(json).unwrap();
        let lies = |name: &str, place| (name.to_owned(), vec![Location::parse(place)]);
        let others = [
            lies("b.com", "s3://clusters/b.com"),
            lies("a.com.b", "s3://clusters/a.com.b"),
            lies("c.com", "s3://own/a/c"),
        ];
        doubts(&cluster, "s3://clusters", &others)
    }

    #[test]
    fn a_place_that_holds_other_clusters_is_doubted_and_names_them() {
        let told = doubts_of(serde_json::json!({"configBase": "s3://clusters"}));
        assert!(told[0].starts_with("s3://clusters holds b.com, a.com.b, not a.com alone"));
        for (spec, what) in [
            (serde_json::json!({"keyStore": "s3://own/a"}), "c.com"),
            (serde_json::json!({"secretStore": "s3://other"}), "a whole bucket"),
            (
                serde_json::json!({"etcdClusters": [{"backups": {"backupStore": "s3://own"}}]}),
                "c.com",
            ),
        ] {
            let told = doubts_of(spec);
            assert!(told.len() == 1 && told[0].contains(&format!("holds {what}, not")), "{told:?}");
        }
        for spec in [
            serde_json::json!({}),
            serde_json::json!({"configBase": "s3://clusters/a.com"}),
            serde_json::json!({"configBase": "s3://own/a/d", "keyStore": "file:///x"}),
        ] {
            assert_eq!(doubts_of(spec), [""; 0]);
        }
    }

    #[test]
    fn what_would_be_a_pattern_becomes_none() {
        for base in ["s3://*/dev", "s3://clusters/${aws:username}", "s3://clusters/../x"] {
            assert!(matches!(Location::parse(base), Location::Elsewhere(_)), "{base}");
        }
    }

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
