//! Kubernetes' version, its components' settings and the networking plugin.

use std::net::IpAddr;

use super::Check;
use crate::limits;
use crate::limits::partition::Partition;
use crate::spec::cluster::{Cluster, Kubelet, LoadBalancerAccess, Version, port_range};
use crate::spec::object::filled;
use crate::spec::path::FieldPath;
use crate::spec::secret::quoted;

pub(super) fn check(cluster: &Cluster, spec: &FieldPath, check: &mut Check) {
    let version = kubernetes_version(cluster, spec, check);
    networking(cluster, version, spec, check);
    for (field, kubelet) in
        [("kubelet", &cluster.spec.kubelet), ("masterKubelet", &cluster.spec.master_kubelet)]
    {
        if let Some(kubelet) = kubelet {
            check_kubelet(cluster, kubelet, version, &spec.key(field), check);
        }
    }
    api_server(cluster, version, spec, check);
    cloud_providers(cluster, spec, check);
    dns(cluster, spec, check);
    node_authorization(cluster, spec, check);
    check.hooks(&spec.key("hooks"), cluster.spec.hooks.as_deref());
    check.file_assets(&spec.key("fileAssets"), cluster.spec.file_assets.as_deref());
    if let Some(docker) = &cluster.spec.docker {
        let drivers = ["aufs", "btrfs", "devicemapper", "overlay", "overlay2", "zfs"];
        for driver in filled(&docker.storage).into_iter().flat_map(|list| list.split(',')) {
            check.one_of(&spec.key("docker").key("storage"), Some(driver.trim()), &drivers);
        }
    }
    if let Some(assets) = &cluster.spec.assets
        && assets.container_proxy.is_some()
        && assets.container_registry.is_some()
    {
        let path = spec.key("assets").key("containerProxy");
        check.add(&path, "cannot be used together with containerRegistry; keep one");
    }
    let balancer = cluster.spec.api.as_ref().and_then(|api| api.load_balancer.as_ref());
    if let Some(balancer) = balancer {
        api_load_balancer(cluster, balancer, &spec.key("api").key("loadBalancer"), check);
    }
    if let Some(master) = cluster.spec.kube_proxy.as_ref().and_then(|p| filled(&p.master))
        && !is_url(master)
    {
        let path = spec.key("kubeProxy").key("master");
        check.add(&path, format!("{} is no URL", quoted(&path, master)));
    }
}

fn api_load_balancer(
    cluster: &Cluster,
    balancer: &LoadBalancerAccess,
    path: &FieldPath,
    check: &mut Check,
) {
    let groups = balancer.additional_security_groups.as_deref().unwrap_or_default();
    check.security_groups(&path.key("additionalSecurityGroups"), groups);
    if let Some(own) = &balancer.security_group_override {
        check.security_group(&path.key("securityGroupOverride"), own);
    }
    // A network load balancer has none to set.
    if !balancer.is_network() {
        let path = path.key("idleTimeoutSeconds");
        check.within(&path, balancer.idle_timeout_seconds, &limits::IDLE_TIMEOUT);
    }
    if let Some(certificate) = filled(&balancer.ssl_certificate)
        && let Some(region) = cluster.region()
    {
        let partition = Partition::of_region(region).name;
        if let Some(reason) = limits::arn::certificate_refusal(certificate, partition) {
            check.add(&path.key("sslCertificate"), reason);
        }
    }
}

/// kops takes an absent version from its channel; nothing that kapstan does depends on it.
fn kubernetes_version(cluster: &Cluster, spec: &FieldPath, check: &mut Check) -> Option<Version> {
    let text = filled(&cluster.spec.kubernetes_version)?;
    let version = Version::parse(text);
    if version.is_none() {
        let message = format!("{text:?} is no version, such as 1.10.3");
        check.add(&spec.key("kubernetesVersion"), message);
    }
    version
}

fn networking(cluster: &Cluster, version: Option<Version>, spec: &FieldPath, check: &mut Check) {
    let path = spec.key("networking");
    let older = |than: Version| version.is_some_and(|version| version < than);
    for plugin in ["romana", "amazonvpc", "cilium"] {
        if cluster.has_networking(plugin) && older(Version(1, 7)) {
            check.add(&path.key(plugin), "needs Kubernetes 1.7 or newer");
        }
    }
    let setting = |plugin: &str, field: &str| {
        let value = cluster.networking(plugin)?.get(field)?.as_str()?;
        (!value.is_empty()).then(|| value.to_owned())
    };
    let tables: [(&str, &str, &[&str]); 4] = [
        ("flannel", "backend", &["udp", "vxlan"]),
        ("canal", "defaultEndpointToHostAction", &["ACCEPT", "DROP", "RETURN"]),
        ("canal", "chainInsertMode", &["insert", "append"]),
        ("canal", "logSeveritySys", &["INFO", "DEBUG", "WARNING", "ERROR", "CRITICAL", "NONE"]),
    ];
    for (plugin, field, allowed) in tables {
        check.one_of(&path.key(plugin).key(field), setting(plugin, field).as_deref(), allowed);
    }
}

fn check_kubelet(
    cluster: &Cluster,
    kubelet: &Kubelet,
    version: Option<Version>,
    path: &FieldPath,
    check: &mut Check,
) {
    if let Some(servers) = filled(&kubelet.api_servers) {
        if version.is_some_and(|version| version >= Version(1, 6)) {
            check.add(&path.key("apiServers"), "was removed in Kubernetes 1.6; remove it");
        } else if !is_url(servers) {
            let path = path.key("apiServers");
            check.add(&path, format!("{} is no URL", quoted(&path, servers)));
        }
    }
    let removed = version.is_some_and(|version| version >= Version(1, 10));
    if kubelet.require_kubeconfig.is_some() && removed {
        check.add(&path.key("requireKubeconfig"), "was removed in Kubernetes 1.10; remove it");
    }
    if filled(&kubelet.bootstrap_kubeconfig).is_some() && cluster.spec.kube_api_server.is_none() {
        check.add(&path.key("bootstrapKubeconfig"), "needs spec.kubeAPIServer to be set");
    }
}

fn api_server(cluster: &Cluster, version: Option<Version>, spec: &FieldPath, check: &mut Check) {
    let Some(server) = &cluster.spec.kube_api_server else { return };
    let path = spec.key("kubeAPIServer");
    let lists = |list: &Option<Vec<String>>| list.as_ref().is_some_and(|list| !list.is_empty());
    if version.is_some_and(|version| version >= Version(1, 10))
        && lists(&server.admission_control)
        && lists(&server.disable_admission_plugins)
    {
        let message = "cannot be used together with admissionControl; keep one";
        check.add(&path.key("disableAdmissionPlugins"), message);
    }
    if server.proxy_client_cert_file.is_some() != server.proxy_client_key_file.is_some() {
        check.add(&path, "needs proxyClientCertFile and proxyClientKeyFile both or neither");
    }
    let services = cluster.service_cluster_ip_range().map(|range| range.to_string());
    let own = filled(&server.service_cluster_ip_range);
    if let (Some(own), Some(services)) = (own, services)
        && own != services
    {
        let message = format!("is {own}, but must equal spec.serviceClusterIPRange {services}");
        check.add(&path.key("serviceClusterIPRange"), message);
    }
    if let Some(range) = filled(&server.service_node_port_range)
        && port_range(range).is_none()
    {
        let message = format!("{range:?} is no range of ports, such as 30000-32767");
        check.add(&path.key("serviceNodePortRange"), message);
    }
}

fn cloud_providers(cluster: &Cluster, spec: &FieldPath, check: &mut Check) {
    let of_kubelet = |kubelet: &Option<Kubelet>| kubelet.as_ref()?.cloud_provider.clone();
    let server = cluster.spec.kube_api_server.as_ref();
    let manager = cluster.spec.kube_controller_manager.as_ref();
    for (field, provider) in [
        ("kubelet", of_kubelet(&cluster.spec.kubelet)),
        ("masterKubelet", of_kubelet(&cluster.spec.master_kubelet)),
        ("kubeAPIServer", server.and_then(|server| server.cloud_provider.clone())),
        ("kubeControllerManager", manager.and_then(|manager| manager.cloud_provider.clone())),
    ] {
        let path = spec.key(field).key("cloudProvider");
        check.one_of(&path, filled(&provider), &["aws", "external"]);
    }
}

fn dns(cluster: &Cluster, spec: &FieldPath, check: &mut Check) {
    let Some(dns) = &cluster.spec.kube_dns else { return };
    let path = spec.key("kubeDNS");
    if let Some(text) = filled(&dns.server_ip) {
        let path = path.key("serverIP");
        match (text.parse::<IpAddr>(), cluster.service_cluster_ip_range()) {
            (Err(_), _) => check.add(&path, format!("{text:?} is no IP address")),
            (Ok(ip), Some(range)) if !range.contains(&ip) => {
                check.add(&path, format!("{ip} must lie in the service range {range}"));
            }
            _ => {}
        }
        // Only then is it anybody's business where pods ask.
        let local = dns.node_local_dns.as_ref().map(|local| filled(&local.local_ip));
        for (field, kubelet) in
            [("kubelet", &cluster.spec.kubelet), ("masterKubelet", &cluster.spec.master_kubelet)]
        {
            let own = kubelet.as_ref().and_then(|kubelet| filled(&kubelet.cluster_dns));
            if let (Some(own), Some(local)) = (own, local)
                && own != text
                && Some(own) != local
            {
                let message = format!(
                    "is {own}, but must equal spec.kubeDNS.serverIP {text} or that of nodeLocalDNS"
                );
                check.add(&spec.key(field).key("clusterDNS"), message);
            }
        }
    }
    let servers = |path: &FieldPath, servers: &[String], check: &mut Check| {
        for (index, server) in servers.iter().enumerate() {
            if server.parse::<IpAddr>().is_err() {
                check.add(&path.index(index), format!("{server:?} is no IP address"));
            }
        }
    };
    let upstream = dns.upstream_nameservers.as_deref().unwrap_or_default();
    servers(&path.key("upstreamNameservers"), upstream, check);
    for (domain, list) in dns.stub_domains.iter().flatten() {
        let path = path.key("stubDomains").key(domain);
        match list.as_deref() {
            None | Some([]) => check.add(&path, "needs at least one nameserver"),
            Some(list) => servers(&path, list, check),
        }
    }
}

fn node_authorization(cluster: &Cluster, spec: &FieldPath, check: &mut Check) {
    let Some(authorization) = &cluster.spec.node_authorization else { return };
    let path = spec.key("nodeAuthorization").key("nodeAuthorizer");
    let Some(authorizer) = &authorization.node_authorizer else {
        return check.add(&path, "is required");
    };
    if authorizer.port.is_some_and(|port| !(0..65535).contains(&port)) {
        check.add(&path.key("port"), "must be a port, 0 to 65534");
    }
    if !cluster.uses_bootstrap_tokens() {
        let path = spec.key("kubeAPIServer").key("enableBootstrapTokenAuth");
        check.add(&path, "must be true for node authorization");
    }
}

fn is_url(text: &str) -> bool {
    text.split_once("://").is_some_and(|(scheme, rest)| {
        !scheme.is_empty() && !rest.is_empty() && !rest.starts_with('/')
    })
}
