//! What today's kops refuses in a cluster beside what the network and etcd take
//! (`pkg/apis/kops/validation` of the tag v1.36.2).

use ipnet::IpNet;

use super::Check;
use super::look::Look;
use crate::spec::cluster::{Cluster, Version};
use crate::spec::secret::quoted;

/// Add-ons that need others: what is switched on, what it needs, and what that is called.
const NEEDS: [(&str, &str); 5] = [
    ("awsLoadBalancerController.enabled", "certManager.enabled"),
    ("snapshotController.enabled", "certManager.enabled"),
    ("podIdentityWebhook.enabled", "certManager.enabled"),
    ("karpenter.enabled", "iam.useServiceAccountExternalPermissions"),
    ("networking.cilium.bpfLBSockHostNSOnly", "networking.cilium.bpfLBSock"),
];

pub(super) fn check(cluster: &Cluster, spec: &Look<'_>, check: &mut Check) {
    for (field, needed) in NEEDS {
        if spec.is_on(field) && !spec.is_on(needed) {
            check.add(&spec.path(field), format!("is true, and needs spec.{needed}: true"));
        }
    }
    load_balancer(cluster, spec, check);
    issuer(spec, check);
    add_ons(cluster, spec, check);
    networking(cluster, spec, check);
    api_server(spec, check);
    boot(spec, check);
}

fn load_balancer(cluster: &Cluster, spec: &Look<'_>, check: &mut Check) {
    let Some(balancer) = spec.below("api.loadBalancer") else { return };
    let is_network = balancer.text("class") == Some("Network");
    let is_internal = balancer.text("type") == Some("Internal");
    let class = balancer.path("class");
    if !is_network && cluster.is_without_dns() {
        check.add(&class, "must be Network where spec.topology.dns.type is None");
    }
    let has_private = spec.each("subnets").iter().any(|net| net.text("type") == Some("Private"));
    if is_internal && !has_private {
        check.add(&balancer.path("type"), "is Internal, and needs a subnet of type Private");
    }
    if is_network && is_internal && balancer.is_on("useForInternalApi") {
        let message = "cannot be true for an internal load balancer of class Network: the control \
                       plane does not reach itself through it";
        check.add(&balancer.path("useForInternalApi"), message);
    }
    for field in ["sslCertificate", "sslPolicy"] {
        if balancer.text(field).is_some() && !is_network {
            check.add(&balancer.path(field), "needs a load balancer of class Network");
        }
    }
    if balancer.text("sslPolicy").is_some() && balancer.text("sslCertificate").is_none() {
        check.add(&balancer.path("sslPolicy"), "needs an sslCertificate");
    }
    if let Some(group) = balancer.json("securityGroupOverride")
        && !group.as_str().is_some_and(|id| id.starts_with("sg-"))
    {
        let message = format!("is {group}, no id like sg-0123abcd");
        check.add(&balancer.path("securityGroupOverride"), message);
    }
    for subnet in balancer.each("subnets") {
        balancer_subnet(
            spec,
            &subnet,
            is_network && is_internal,
            is_network && !is_internal,
            check,
        );
    }
}

/// A subnet of the API's load balancer, which may have an address of its own.
fn balancer_subnet(
    spec: &Look<'_>,
    subnet: &Look<'_>,
    takes_addresses: bool,
    takes_allocations: bool,
    check: &mut Check,
) {
    let Some(name) = subnet.text("name") else {
        return check.add(&subnet.path("name"), "is required: a subnet of the cluster");
    };
    let all = spec.each("subnets");
    let Some(own) = all.iter().find(|own| own.text("name") == Some(name)) else {
        let names: Vec<&str> = all.iter().filter_map(|own| own.text("name")).collect();
        let message = format!("the cluster has no subnet {name:?}; it has {}", names.join(", "));
        return check.add(&subnet.path("name"), message);
    };
    if let Some(address) = subnet.json("privateIPv4Address") {
        let path = subnet.path("privateIPv4Address");
        let text = address.as_str().unwrap_or_default();
        match text.parse::<std::net::Ipv4Addr>() {
            Err(_) => check.add(&path, format!("is {text:?}, no address of IPv4")),
            Ok(ip) => {
                let range = own.text("cidr").and_then(|cidr| cidr.parse::<IpNet>().ok());
                if let Some(range) =
                    range.filter(|range| !range.contains(&std::net::IpAddr::V4(ip)))
                {
                    check.add(&path, format!("{ip} lies outside the subnet's {range}"));
                }
            }
        }
        if !takes_addresses {
            check.add(&path, "is for an internal load balancer of class Network only");
        }
    }
    if let Some(allocation) = subnet.json("allocationId") {
        let path = subnet.path("allocationId");
        if allocation.as_str().is_none_or(str::is_empty) {
            check.add(&path, "is empty; it takes an id like eipalloc-0123abcd");
        }
        if !takes_allocations {
            check.add(&path, "is for a public load balancer of class Network only");
        }
    }
}

/// Where the tokens of service accounts can be checked.
fn issuer(spec: &Look<'_>, check: &mut Check) {
    let Some(issuer) = spec.below("serviceAccountIssuerDiscovery") else { return };
    let store = issuer.text("discoveryStore");
    let service = issuer.below("discoveryService");
    if store.is_some() && service.is_some() {
        let message = "cannot be used together with discoveryService; keep one";
        check.add(&issuer.path("discoveryStore"), message);
    }
    if let Some(store) = store {
        let path = issuer.path("discoveryStore");
        match store.strip_prefix("s3://") {
            None => {
                check.add(&path, format!("is {}; it must be s3://BUCKET", quoted(&path, store)))
            }
            Some(place) => {
                let bucket = place.split('/').next().unwrap_or_default();
                if bucket.contains('.') {
                    let message = format!(
                        "the bucket {bucket:?} has a dot in its name, so that no certificate of S3 \
                         fits its address; choose one without"
                    );
                    check.add(&path, message);
                }
            }
        }
    }
    if let Some(service) = &service
        && service.text("url").is_none()
    {
        check.add(&service.path("url"), "is required");
    }
    if issuer.is_on("enableAWSOIDCProvider") && store.is_none() && service.is_none() {
        let message = "is true, and needs a discoveryStore or a discoveryService";
        check.add(&issuer.path("enableAWSOIDCProvider"), message);
    }
}

fn add_ons(cluster: &Cluster, spec: &Look<'_>, check: &mut Check) {
    let has_cert_manager = spec.is_on("certManager.enabled");
    if spec.is_on("metricsServer.enabled")
        && !spec.is_on("metricsServer.insecure")
        && !has_cert_manager
    {
        let message = "must be true, unless spec.certManager.enabled is";
        check.add(&spec.path("metricsServer.insecure"), message);
    }
    let has_roles = spec.is_on("iam.useServiceAccountExternalPermissions");
    if !spec.texts("certManager.hostedZoneIDs").is_empty() && !has_roles {
        let message = "needs spec.iam.useServiceAccountExternalPermissions: true";
        check.add(&spec.path("certManager.hostedZoneIDs"), message);
    }
    if spec.flag("cloudConfig.awsEBSCSIDriver.enabled") == Some(false) {
        let message = "is false; kops runs the driver always, so take the field out";
        check.add(&spec.path("cloudConfig.awsEBSCSIDriver.enabled"), message);
    }
    if let Some(handler) = spec.below("nodeTerminationHandler") {
        let is_enabled = handler.flag("enabled").unwrap_or(true);
        if is_enabled && spec.is_on("karpenter.enabled") {
            let message = "must be false beside Karpenter, which does the same itself";
            check.add(&handler.path("enabled"), message);
        }
        let has_queue = is_enabled && handler.flag("enableSQSTerminationDraining").unwrap_or(true);
        if has_queue && handler.flag("enableSpotInterruptionDraining") == Some(false) {
            let message =
                "cannot be false while enableSQSTerminationDraining is true (the default)";
            check.add(&handler.path("enableSpotInterruptionDraining"), message);
        }
        if has_queue
            && handler.is_on("enableRebalanceMonitoring")
            && !handler.is_on("enableRebalanceDraining")
        {
            let message = "needs enableRebalanceDraining while enableSQSTerminationDraining is true \
                           (the default)";
            check.add(&handler.path("enableRebalanceMonitoring"), message);
        }
    }
    let has_no_records = cluster.is_gossip() || cluster.is_without_dns();
    if spec.text("externalDns.provider") == Some("external-dns") && has_no_records {
        let message = "is external-dns, and needs public or private DNS";
        check.add(&spec.path("externalDns.provider"), message);
    }
    if !spec.texts("warmPool.additionalImages").is_empty() {
        let message = "is for instance groups only";
        check.add(&spec.path("warmPool.additionalImages"), message);
    }
    if let Some(aws) = spec.below("authentication.aws") {
        let mappings = aws.each("identityMappings");
        let mode = aws.text("backendMode");
        if !mappings.is_empty() && mode.is_some_and(|mode| !mode.contains("CRD")) {
            let message = "must have CRD in it where there are identityMappings";
            check.add(&aws.path("backendMode"), message);
        }
        for mapping in mappings {
            let arn = mapping.text("arn").unwrap_or_default();
            let resource = arn.splitn(6, ':').nth(5).unwrap_or_default();
            if !arn.starts_with("arn:")
                || !(resource.starts_with("role/") || resource.starts_with("user/"))
            {
                let message = format!("is {arn:?}, no ARN of a role or of a user");
                check.add(&mapping.path("arn"), message);
            }
        }
    }
}

/// Plugins that have no addresses of IPv6 for pods.
const IPV4_ONLY: [&str; 5] = ["kubenet", "kopeio", "kuberouter", "flannel", "amazonvpc"];

fn networking(cluster: &Cluster, spec: &Look<'_>, check: &mut Check) {
    let path = spec.path("networking");
    let chosen: Vec<&str> = cluster
        .spec
        .networking
        .iter()
        .flatten()
        .filter(|(_, settings)| settings.is_some())
        .map(|(plugin, _)| plugin.as_str())
        .collect();
    if chosen.len() > 1 {
        check.add(&path, format!("has {}; keep one of them", chosen.join(" and ")));
    }
    let is_ipv6 = cluster.is_ipv6();
    for plugin in IPV4_ONLY.iter().filter(|plugin| is_ipv6 && cluster.has_networking(plugin)) {
        check.add(&path.key(plugin), "has no IPv6; choose calico, cilium or kindnet");
    }
    let replaces_proxy = [
        (cluster.has_networking("kuberouter"), path.key("kuberouter")),
        (
            spec.is_on("networking.cilium.enableNodePort"),
            spec.path("networking.cilium.enableNodePort"),
        ),
        (spec.is_on("networking.calico.bpfEnabled"), spec.path("networking.calico.bpfEnabled")),
    ];
    let has_proxy = spec.has("kubeProxy") && spec.flag("kubeProxy.enabled") != Some(false);
    for (_, of) in replaces_proxy.iter().filter(|(replaces, _)| *replaces && has_proxy) {
        check.add(&spec.path("kubeProxy.enabled"), format!("must be false beside {of}"));
    }
    if let Some(cilium) = spec.below("networking.cilium") {
        check_cilium(spec, &cilium, is_ipv6, check);
    }
    if let Some(calico) = spec.below("networking.calico") {
        check_calico(&calico, is_ipv6, check);
    }
}

fn check_cilium(spec: &Look<'_>, cilium: &Look<'_>, is_ipv6: bool, check: &mut Check) {
    let is_eni = cilium.text("ipam") == Some("eni");
    if is_eni && is_ipv6 {
        check.add(&cilium.path("ipam"), "is eni, which has no IPv6");
    }
    let etcd = spec.each("etcdClusters");
    let has_etcd = etcd.iter().any(|etcd| etcd.text("name") == Some("cilium"));
    if cilium.is_on("etcdManaged") && !has_etcd {
        let message = "is true, and needs the etcd cluster cilium in spec.etcdClusters";
        check.add(&cilium.path("etcdManaged"), message);
    }
    if cilium.text("identityAllocationMode") == Some("kvstore") && !cilium.is_on("etcdManaged") {
        let message = "is kvstore, and needs etcdManaged: true";
        check.add(&cilium.path("identityAllocationMode"), message);
    }
    let encrypts = cilium.is_on("enableEncryption");
    if cilium.text("encryptionType").is_some() && !encrypts {
        check.add(&cilium.path("encryptionType"), "needs enableEncryption: true");
    }
    if encrypts && is_ipv6 {
        check.add(&cilium.path("enableEncryption"), "is not there for IPv6");
    }
    if cilium.is_on("enableL7Proxy") && cilium.is_on("IPTablesRulesNoinstall") {
        let message = "needs IPTablesRulesNoinstall to be false";
        check.add(&cilium.path("enableL7Proxy"), message);
    }
    let has_version = cilium.text("version").is_some();
    if cilium.is_on("hubble.enabled") && has_version && !spec.is_on("certManager.enabled") {
        let message = "is true, and needs spec.certManager.enabled: true";
        check.add(&cilium.path("hubble.enabled"), message);
    }
}

fn check_calico(calico: &Look<'_>, is_ipv6: bool, check: &mut Check) {
    let source = calico.text("awsSrcDstCheck").filter(|word| is_ipv6 && *word != "DoNothing");
    if let Some(word) = source {
        let message = format!("is {word}; with IPv6 it takes DoNothing only");
        check.add(&calico.path("awsSrcDstCheck"), message);
    }
    let mode = calico.text("encapsulationMode");
    if let Some(mode) = mode.filter(|mode| (*mode == "none") != is_ipv6) {
        let message = match is_ipv6 {
            true => format!("is {mode}; with IPv6 it takes none only"),
            false => "is none, which is for clusters of IPv6 only".to_owned(),
        };
        check.add(&calico.path("encapsulationMode"), message);
    }
    for (field, own) in [("ipipMode", "ipip"), ("vxlanMode", "vxlan")] {
        let used = calico.text(field).filter(|word| *word != "Never");
        if let (Some(word), Some(mode)) = (used, mode.filter(|mode| *mode != own)) {
            let message = format!("is {word}; with encapsulationMode {mode} it takes Never only");
            check.add(&calico.path(field), message);
        }
    }
}

fn api_server(spec: &Look<'_>, check: &mut Check) {
    let Some(server) = spec.below("kubeAPIServer") else { return };
    let modes: Vec<&str> =
        server.text("authorizationMode").into_iter().flat_map(|modes| modes.split(',')).collect();
    if spec.has("authorization.rbac")
        && !modes.is_empty()
        && !["Node", "RBAC"].iter().all(|mode| modes.iter().any(|each| each.trim() == *mode))
    {
        let message =
            format!("is {}; with spec.authorization.rbac it needs Node and RBAC", modes.join(","));
        check.add(&server.path("authorizationMode"), message);
    }
    let oidc = ["oidcClientID", "oidcIssuerURL", "oidcUsernameClaim", "oidcGroupsClaim"];
    let oidc = oidc.into_iter().find(|field| server.text(field).is_some());
    if let Some(field) = oidc.filter(|_| server.text("authenticationConfigFile").is_some()) {
        let message = format!("cannot be used together with {field}; keep one");
        check.add(&server.path("authenticationConfigFile"), message);
    }
}

/// What instances and add-ons fetch when they begin.
fn boot(spec: &Look<'_>, check: &mut Check) {
    if let Some(files) = spec.text("assets.fileRepository")
        && !(files.starts_with("http://") || files.starts_with("https://"))
    {
        let path = spec.path("assets.fileRepository");
        let message =
            format!("is {}; it must begin with http:// or https://", quoted(&path, files));
        check.add(&path, message);
    }
    for addon in spec.each("addons") {
        if let Some(place) = addon.text("manifest").filter(|place| place.starts_with("file://")) {
            let path = addon.path("manifest");
            let message = format!("is {}, which instances cannot read", quoted(&path, place));
            check.add(&path, message);
        }
    }
    hooks(spec, check);
}

/// The hooks of a cluster or a group; that each has something to run is checked of both kinds.
pub(super) fn hooks(spec: &Look<'_>, check: &mut Check) {
    for hook in spec.each("hooks").iter().filter(|hook| hook.is_on("useRawManifest")) {
        let path = hook.path("useRawManifest");
        if hook.text("manifest").is_none() {
            check.add(&path, "is true, and needs a manifest");
        }
        for field in ["execContainer", "before", "requires"] {
            if hook.json(field).is_some() {
                check.add(&path, format!("is true, and cannot be used together with {field}"));
            }
        }
    }
}

/// The oldest and the first too new version of Kubernetes that kops 1.36 takes.
const KUBERNETES: (Version, Version) = (Version(1, 31), Version(1, 37));

/// Plugins that kops brings up no more.
const REMOVED: [&str; 7] = ["canal", "classic", "external", "gce", "lyftvpc", "romana", "weave"];

/// What kops 1.36 refuses for the sake of what runs on nodes. A cluster of an old kops may
/// have it, and goes on as it is.
pub(super) fn check_nodes(cluster: &Cluster, spec: &Look<'_>, check: &mut Check) {
    if let Some(text) = spec.text("kubernetesVersion")
        && let Some(version) = Version::parse(text)
    {
        let (oldest, too_new) = KUBERNETES;
        let range = "kops 1.36 brings up 1.31 to 1.36";
        if version < oldest || version >= too_new {
            check.add(&spec.path("kubernetesVersion"), format!("is {text}; {range}"));
        }
    }
    for plugin in REMOVED.iter().filter(|plugin| cluster.has_networking(plugin)) {
        let message = "is removed from kops; choose calico, cilium, amazonvpc or kindnet";
        check.add(&spec.path("networking").key(plugin), message);
    }
    for etcd in spec.each("etcdClusters") {
        if let Some(text) = etcd.text("version").filter(|text| !is_etcd_of_kops(text)) {
            let message =
                format!("is {text}; kops 1.36 brings up 3.5.0 to 3.5.31 and 3.6.0 to 3.6.12");
            check.add(&etcd.path("version"), message);
        }
    }
    if let Some(version) = spec.text("networking.cilium.version")
        && !version.trim_start_matches('v').starts_with("1.18.")
    {
        let message = format!("is {version}; kops 1.36 brings up v1.18.x");
        check.add(&spec.path("networking.cilium.version"), message);
    }
    for field in ["docker", "nodeAuthorization"] {
        if spec.has(field) {
            check.add(&spec.path(field), "is removed from kops; take it out");
        }
    }
    for (field, instead) in [
        ("enableBootstrapTokenAuth", "take it out"),
        ("admissionControl", "write enableAdmissionPlugins or appendAdmissionPlugins"),
    ] {
        let field = format!("kubeAPIServer.{field}");
        if spec.is_on(&field) || !spec.texts(&field).is_empty() {
            check.add(&spec.path(&field), format!("is removed from kops; {instead}"));
        }
    }
}

fn is_etcd_of_kops(text: &str) -> bool {
    let numbers: Option<Vec<u64>> =
        text.trim_start_matches('v').split('.').map(|part| part.parse().ok()).collect();
    match numbers.as_deref() {
        Some([3, 5, patch]) => *patch <= 31,
        Some([3, 6, patch]) => *patch <= 12,
        _ => false,
    }
}
