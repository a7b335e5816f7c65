//! Who signs the tokens of service accounts, as an address.

use crate::limits::partition::Partition;
use crate::policy::stores::Location;
use crate::spec::cluster::Cluster;
use crate::spec::object::filled;

/// The issuer's address (kops `pkg/model/components/discovery.go`).
pub(crate) fn issuer(cluster: &Cluster) -> String {
    let spec = &cluster.spec;
    let server = spec.kube_api_server.as_ref();
    if let Some(own) = server.and_then(|server| filled(&server.service_account_issuer)) {
        return own.to_owned();
    }
    let discovery = spec.service_account_issuer_discovery.as_ref();
    let store = discovery.and_then(|all| filled(&all.discovery_store)).map(Location::parse);
    if let Some(Location::S3 { bucket, path }) = store {
        return address(cluster, &bucket, &path);
    }
    let service = discovery.and_then(|all| all.discovery_service.as_ref());
    if let Some(url) = service.and_then(|service| filled(&service.url)) {
        return url.to_owned();
    }
    format!("https://api.internal.{}", cluster.name())
}

/// Where a place in S3 is read over HTTPS. The certificate covers no bucket with a dot.
fn address(cluster: &Cluster, bucket: &str, path: &str) -> String {
    let region = cluster.region().unwrap_or_default();
    let suffix = Partition::of_region(region).dns_suffix;
    let s3 = if cluster.is_ipv6() { "s3.dualstack" } else { "s3" };
    let host = format!("{s3}.{region}.{suffix}");
    let place = match bucket.contains('.') {
        true => format!("https://{host}/{bucket}"),
        false => format!("https://{bucket}.{host}"),
    };
    format!("{place}/{path}").trim_end_matches('/').to_owned()
}

/// An issuer's address without how it is spoken to, as ARNs and conditions name it.
pub(crate) fn host(issuer: &str) -> &str {
    issuer.strip_prefix("https://").unwrap_or(issuer)
}

/// The ARN of the provider by which AWS knows an issuer.
pub(crate) fn provider_arn(partition: Partition, account: &str, host: &str) -> String {
    format!("arn:{}:iam::{account}:oidc-provider/{host}", partition.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value as Json, json};

    fn of(mut spec: Json) -> String {
        spec["subnets"] = json!([{"name": "a", "zone": "us-west-2a"}]);
        let json = json!({"metadata": {"name": "a.com"}, "spec": spec});
        issuer(&serde_json::from_value(json).unwrap())
    }

    #[test]
    fn the_issuer_is_named_or_read_from_where_it_is_discovered() {
        let store = |store: &str| json!({"discoveryStore": store});
        for (spec, address) in [
            (json!({}), "https://api.internal.a.com"),
            (
                json!({"serviceAccountIssuerDiscovery": store("s3://found/a.com")}),
                "https://found.s3.us-west-2.amazonaws.com/a.com",
            ),
            (
                json!({"serviceAccountIssuerDiscovery": store("s3://found.com/a.com")}),
                "https://s3.us-west-2.amazonaws.com/found.com/a.com",
            ),
            (
                json!({
                    "nonMasqueradeCIDR": "::/0",
                    "serviceAccountIssuerDiscovery": store("s3://found/a.com"),
                }),
                "https://found.s3.dualstack.us-west-2.amazonaws.com/a.com",
            ),
            (
                json!({"serviceAccountIssuerDiscovery": {"discoveryService": {"url": "https://b.c"}}}),
                "https://b.c",
            ),
            (
                json!({
                    "kubeAPIServer": {"serviceAccountIssuer": "https://own"},
                    "serviceAccountIssuerDiscovery": store("s3://found/a.com"),
                }),
                "https://own",
            ),
        ] {
            assert_eq!(of(spec), address);
        }
    }
}
