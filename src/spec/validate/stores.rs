//! What of a spec becomes part of a policy: places in S3, hosted zones. A character that stands
//! for others there would give rights that nobody asked for. Keys of KMS are checked with their
//! volumes.

use super::Check;
use crate::limits::{s3, zone};
use crate::spec::cluster::Cluster;
use crate::spec::object::filled;
use crate::spec::path::FieldPath;
use crate::spec::secret;

pub(super) fn check(cluster: &Cluster, spec: &FieldPath, check: &mut Check) {
    let own = &cluster.spec;
    for (field, place) in [
        ("configBase", &own.config_base),
        ("configStore", &own.config_store),
        ("keyStore", &own.key_store),
        ("secretStore", &own.secret_store),
    ] {
        check.place(&spec.key(field), filled(place));
    }
    for (index, etcd) in cluster.etcd_clusters().iter().enumerate() {
        let path = spec.key("etcdClusters").index(index).key("backups").key("backupStore");
        let backups = etcd.backups.as_ref();
        check.place(&path, backups.and_then(|backups| filled(&backups.backup_store)));
    }
    if let Some(reason) = filled(&own.dns_zone).and_then(zone::refusal) {
        check.add(&spec.key("dnsZone"), reason);
    }
}

impl Check {
    fn place(&mut self, path: &FieldPath, address: Option<&str>) {
        let Some(address) = address.map(str::trim) else { return };
        let is_meant = address.get(..3).is_some_and(|begin| begin.eq_ignore_ascii_case("s3:"));
        let reason = match s3::place(address) {
            Some((bucket, key)) => s3::refusal(bucket, key),
            None if is_meant => Some("a place in S3 is written s3://BUCKET/KEY".to_owned()),
            None => None,
        };
        if let Some(reason) = reason {
            let told = secret::quoted(path, address);
            // The reason repeats a part of the address, and so what it has of a password.
            let reason = if address.contains('@') { "it is no place in S3" } else { &reason };
            self.add(path, format!("is {told}: {reason}"));
        }
    }
}
