//! A kops `Cluster`, as far as kapstan acts on it. What it does not act on stays in the
//! document's text (see [`super::document`]).

use std::collections::BTreeMap;

use ipnet::{IpNet, Ipv4Net};
use serde::Deserialize;

use super::object::{Metadata, filled};
use super::own;
use super::role::Role;
use super::rolling_update::RollingUpdate;
use super::zone::region_of_zone;

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Cluster {
    pub(crate) metadata: Metadata,
    pub(crate) spec: ClusterSpec,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ClusterSpec {
    #[serde(rename = "additionalNetworkCIDRs")]
    pub(crate) additional_network_cidrs: Option<Vec<String>>,
    pub(crate) additional_policies: Option<BTreeMap<String, Option<String>>>,
    pub(crate) api: Option<Access>,
    pub(crate) assets: Option<Assets>,
    pub(crate) aws_load_balancer_controller: Option<LoadBalancerController>,
    pub(crate) cert_manager: Option<CertManager>,
    pub(crate) channel: Option<String>,
    pub(crate) cloud_config: Option<CloudConfig>,
    pub(crate) cloud_labels: Option<BTreeMap<String, Option<String>>>,
    pub(crate) cloud_provider: Option<String>,
    pub(crate) cluster_autoscaler: Option<AddOn>,
    pub(crate) config_base: Option<String>,
    pub(crate) config_store: Option<String>,
    pub(crate) containerd: Option<Containerd>,
    #[serde(rename = "DisableSubnetTags")]
    pub(crate) disable_subnet_tags: Option<bool>,
    pub(crate) dns_zone: Option<String>,
    pub(crate) docker: Option<Docker>,
    pub(crate) encryption_config: Option<bool>,
    pub(crate) etcd_clusters: Option<Vec<EtcdCluster>>,
    pub(crate) external_dns: Option<ExternalDns>,
    pub(crate) external_policies: Option<BTreeMap<String, Option<Vec<String>>>>,
    pub(crate) file_assets: Option<Vec<FileAsset>>,
    pub(crate) hooks: Option<Vec<Hook>>,
    pub(crate) iam: Option<Iam>,
    pub(crate) karpenter: Option<AddOn>,
    pub(crate) key_store: Option<String>,
    #[serde(rename = "kubeAPIServer")]
    pub(crate) kube_api_server: Option<KubeApiServer>,
    pub(crate) kube_controller_manager: Option<KubeControllerManager>,
    #[serde(rename = "kubeDNS")]
    pub(crate) kube_dns: Option<KubeDns>,
    pub(crate) kube_proxy: Option<KubeProxy>,
    pub(crate) kubelet: Option<Kubelet>,
    pub(crate) kubernetes_api_access: Option<Vec<String>>,
    pub(crate) kubernetes_version: Option<String>,
    pub(crate) master_kubelet: Option<Kubelet>,
    pub(crate) master_public_name: Option<String>,
    #[serde(rename = "networkCIDR")]
    pub(crate) network_cidr: Option<String>,
    #[serde(rename = "networkID")]
    pub(crate) network_id: Option<String>,
    /// The networking plugins that are named, by kops' name, with their settings.
    pub(crate) networking: Option<BTreeMap<String, Option<serde_json::Value>>>,
    pub(crate) node_authorization: Option<NodeAuthorization>,
    pub(crate) node_port_access: Option<Vec<String>>,
    pub(crate) node_termination_handler: Option<NodeTerminationHandler>,
    #[serde(rename = "nonMasqueradeCIDR")]
    pub(crate) non_masquerade_cidr: Option<String>,
    #[serde(rename = "podCIDR")]
    pub(crate) pod_cidr: Option<String>,
    pub(crate) rolling_update: Option<RollingUpdate>,
    pub(crate) secret_store: Option<String>,
    pub(crate) service_account_issuer_discovery: Option<IssuerDiscovery>,
    #[serde(rename = "serviceClusterIPRange")]
    pub(crate) service_cluster_ip_range: Option<String>,
    pub(crate) snapshot_controller: Option<AddOn>,
    pub(crate) ssh_access: Option<Vec<String>>,
    pub(crate) ssh_key_name: Option<String>,
    pub(crate) subnets: Option<Vec<Subnet>>,
    pub(crate) topology: Option<Topology>,
    pub(crate) update_policy: Option<String>,
    pub(crate) warm_pool: Option<WarmPool>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Iam {
    pub(crate) legacy: Option<bool>,
    pub(crate) allow_container_registry: Option<bool>,
    pub(crate) permissions_boundary: Option<String>,
    pub(crate) service_account_external_permissions: Option<Vec<AccountPermissions>>,
    pub(crate) use_service_account_external_permissions: Option<bool>,
}

/// What pods of a service account of the user's own may do.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct AccountPermissions {
    pub(crate) name: Option<String>,
    pub(crate) namespace: Option<String>,
    pub(crate) aws: Option<AwsPermissions>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct AwsPermissions {
    pub(crate) inline_policy: Option<String>,
    #[serde(rename = "policyARNs")]
    pub(crate) policy_arns: Option<Vec<String>>,
}

/// An add-on of which only this counts, that it is there.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct AddOn {
    pub(crate) enabled: Option<bool>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct LoadBalancerController {
    pub(crate) enabled: Option<bool>,
    pub(crate) enable_shield: Option<bool>,
    #[serde(rename = "enableWAF")]
    pub(crate) enable_waf: Option<bool>,
    #[serde(rename = "enableWAFv2")]
    pub(crate) enable_waf_v2: Option<bool>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct CertManager {
    pub(crate) enabled: Option<bool>,
    #[serde(rename = "hostedZoneIDs")]
    pub(crate) hosted_zone_ids: Option<Vec<String>>,
    pub(crate) managed: Option<bool>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct CloudConfig {
    #[serde(rename = "awsEBSCSIDriver")]
    pub(crate) aws_ebs_csi_driver: Option<EbsCsiDriver>,
    pub(crate) nlb_security_group_mode: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct EbsCsiDriver {
    pub(crate) managed: Option<bool>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Containerd {
    #[serde(rename = "nvidiaGPU")]
    pub(crate) nvidia_gpu: Option<AddOn>,
    #[serde(rename = "useECRCredentialsForMirrors")]
    pub(crate) use_ecr_credentials_for_mirrors: Option<bool>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ExternalDns {
    pub(crate) disable: Option<bool>,
    pub(crate) provider: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct NodeTerminationHandler {
    pub(crate) enabled: Option<bool>,
    pub(crate) enable_rebalance_draining: Option<bool>,
    #[serde(rename = "enableSQSTerminationDraining")]
    pub(crate) enable_sqs_termination_draining: Option<bool>,
    #[serde(rename = "managedASGTag")]
    pub(crate) managed_asg_tag: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct IssuerDiscovery {
    pub(crate) additional_audiences: Option<Vec<String>>,
    pub(crate) discovery_service: Option<DiscoveryService>,
    pub(crate) discovery_store: Option<String>,
    #[serde(rename = "enableAWSOIDCProvider")]
    pub(crate) enable_aws_oidc_provider: Option<bool>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct DiscoveryService {
    pub(crate) url: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Access {
    pub(crate) dns: Option<serde_json::Value>,
    pub(crate) load_balancer: Option<LoadBalancerAccess>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct LoadBalancerAccess {
    pub(crate) access_log: Option<AccessLog>,
    pub(crate) additional_security_groups: Option<Vec<String>>,
    pub(crate) class: Option<String>,
    pub(crate) cross_zone_load_balancing: Option<bool>,
    pub(crate) idle_timeout_seconds: Option<i64>,
    pub(crate) security_group_override: Option<String>,
    pub(crate) ssl_certificate: Option<String>,
    pub(crate) ssl_policy: Option<String>,
    pub(crate) subnets: Option<Vec<LoadBalancerSubnet>>,
    #[serde(rename = "type")]
    pub(crate) kind: Option<String>,
    pub(crate) use_for_internal_api: Option<bool>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct AccessLog {
    pub(crate) bucket: Option<String>,
    pub(crate) bucket_prefix: Option<String>,
    /// Minutes.
    pub(crate) interval: Option<i64>,
}

/// A subnet that a load balancer is to stand in, and its address there.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct LoadBalancerSubnet {
    pub(crate) allocation_id: Option<String>,
    pub(crate) name: Option<String>,
    #[serde(rename = "privateIPv4Address")]
    pub(crate) private_ipv4_address: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Assets {
    pub(crate) container_proxy: Option<String>,
    pub(crate) container_registry: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Docker {
    pub(crate) storage: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct EtcdCluster {
    pub(crate) name: Option<String>,
    pub(crate) etcd_members: Option<Vec<EtcdMember>>,
    #[serde(rename = "enableEtcdTLS")]
    pub(crate) enable_etcd_tls: Option<bool>,
    pub(crate) version: Option<String>,
    pub(crate) backups: Option<EtcdBackups>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct EtcdMember {
    pub(crate) name: Option<String>,
    pub(crate) instance_group: Option<String>,
    pub(crate) encrypted_volume: Option<bool>,
    pub(crate) kms_key_id: Option<String>,
    pub(crate) volume_iops: Option<i64>,
    pub(crate) volume_size: Option<i64>,
    pub(crate) volume_throughput: Option<i64>,
    pub(crate) volume_type: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct EtcdBackups {
    pub(crate) backup_store: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct FileAsset {
    pub(crate) name: Option<String>,
    pub(crate) content: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Hook {
    pub(crate) disabled: Option<bool>,
    pub(crate) manifest: Option<String>,
    pub(crate) exec_container: Option<ExecContainer>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ExecContainer {
    pub(crate) image: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct KubeApiServer {
    pub(crate) admission_control: Option<Vec<String>>,
    pub(crate) cloud_provider: Option<String>,
    pub(crate) disable_admission_plugins: Option<Vec<String>>,
    pub(crate) enable_bootstrap_token_auth: Option<bool>,
    pub(crate) proxy_client_cert_file: Option<String>,
    pub(crate) proxy_client_key_file: Option<String>,
    pub(crate) service_account_issuer: Option<String>,
    #[serde(rename = "serviceClusterIPRange")]
    pub(crate) service_cluster_ip_range: Option<String>,
    pub(crate) service_node_port_range: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct KubeControllerManager {
    pub(crate) cloud_provider: Option<String>,
    #[serde(rename = "clusterCIDR")]
    pub(crate) cluster_cidr: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct KubeDns {
    #[serde(rename = "serverIP")]
    pub(crate) server_ip: Option<String>,
    #[serde(rename = "nodeLocalDNS")]
    pub(crate) node_local_dns: Option<NodeLocalDns>,
    pub(crate) stub_domains: Option<BTreeMap<String, Option<Vec<String>>>>,
    pub(crate) upstream_nameservers: Option<Vec<String>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct NodeLocalDns {
    #[serde(rename = "localIP")]
    pub(crate) local_ip: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct KubeProxy {
    pub(crate) master: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Kubelet {
    pub(crate) api_servers: Option<String>,
    pub(crate) bootstrap_kubeconfig: Option<String>,
    pub(crate) cloud_provider: Option<String>,
    #[serde(rename = "clusterDNS")]
    pub(crate) cluster_dns: Option<String>,
    pub(crate) node_labels: Option<BTreeMap<String, Option<String>>>,
    #[serde(rename = "nonMasqueradeCIDR")]
    pub(crate) non_masquerade_cidr: Option<String>,
    pub(crate) require_kubeconfig: Option<bool>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct NodeAuthorization {
    pub(crate) node_authorizer: Option<NodeAuthorizer>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct NodeAuthorizer {
    pub(crate) port: Option<i64>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Subnet {
    pub(crate) additional_routes: Option<Vec<AdditionalRoute>>,
    pub(crate) cidr: Option<String>,
    pub(crate) egress: Option<String>,
    pub(crate) id: Option<String>,
    #[serde(rename = "ipv6CIDR")]
    pub(crate) ipv6_cidr: Option<String>,
    pub(crate) name: Option<String>,
    #[serde(rename = "publicIP")]
    pub(crate) public_ip: Option<String>,
    #[serde(rename = "type")]
    pub(crate) kind: Option<String>,
    pub(crate) zone: Option<String>,
}

/// A route of the user's own, in the table of a private subnet.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct AdditionalRoute {
    pub(crate) cidr: Option<String>,
    pub(crate) target: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Topology {
    pub(crate) masters: Option<String>,
    pub(crate) nodes: Option<String>,
    pub(crate) bastion: Option<Bastion>,
    pub(crate) dns: Option<Dns>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Bastion {
    pub(crate) bastion_public_name: Option<String>,
    pub(crate) load_balancer: Option<BastionLoadBalancer>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct BastionLoadBalancer {
    pub(crate) additional_security_groups: Option<Vec<String>>,
    #[serde(rename = "type")]
    pub(crate) kind: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Dns {
    #[serde(rename = "type")]
    pub(crate) kind: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct WarmPool {
    pub(crate) enable_lifecycle_hook: Option<bool>,
    pub(crate) lifecycle_hook_timeout: Option<i64>,
    pub(crate) max_size: Option<i64>,
    pub(crate) min_size: Option<i64>,
}

impl Cluster {
    /// The cluster's name. Empty only before validation, which refuses that.
    pub(crate) fn name(&self) -> &str {
        self.metadata.name.as_deref().unwrap_or_default()
    }

    /// What instances are to run at boot, as the annotation says.
    pub(crate) fn bootstrap(&self) -> Option<&str> {
        let annotations = self.metadata.annotations.as_ref()?;
        annotations.get(own::BOOTSTRAP)?.as_deref().filter(|text| !text.is_empty())
    }

    /// The key of the tag that tells whose a resource is.
    pub(crate) fn owner_key(&self) -> String {
        format!("kubernetes.io/cluster/{}", self.name())
    }

    /// Whether the broad policies of clusters older than strict mode apply: kops fills an
    /// absent `spec.iam` with `legacy: true`, and an empty one with false
    /// (`pkg/apis/kops/v1alpha2/defaults.go`).
    pub(crate) fn is_legacy_iam(&self) -> bool {
        self.spec.iam.as_ref().is_none_or(|iam| iam.legacy.unwrap_or(false))
    }

    pub(crate) fn allows_container_registry(&self) -> bool {
        self.spec.iam.as_ref().and_then(|iam| iam.allow_container_registry).unwrap_or(false)
    }

    /// Whether a networking plugin is chosen. A key without a value (`calico:`) chooses
    /// nothing, as in kops.
    pub(crate) fn has_networking(&self, plugin: &str) -> bool {
        self.networking(plugin).is_some()
    }

    pub(crate) fn networking(&self, plugin: &str) -> Option<&serde_json::Value> {
        self.spec.networking.as_ref()?.get(plugin)?.as_ref()
    }

    pub(crate) fn uses_bootstrap_tokens(&self) -> bool {
        let server = self.spec.kube_api_server.as_ref();
        server.and_then(|server| server.enable_bootstrap_token_auth).unwrap_or(false)
    }

    /// Whether the cluster finds itself by gossip instead of DNS: its name ends in
    /// `.k8s.local` (kops `pkg/dns/gossip.go`).
    pub(crate) fn is_gossip(&self) -> bool {
        format!(".{}", self.name().trim_end_matches('.')).ends_with(".k8s.local")
    }

    pub(crate) fn uses_private_dns(&self) -> bool {
        let dns = self.spec.topology.as_ref().and_then(|topology| topology.dns.as_ref());
        dns.and_then(|dns| dns.kind.as_deref()) == Some("Private")
    }

    /// Whether the cluster has no DNS names of its own at all.
    pub(crate) fn is_without_dns(&self) -> bool {
        let dns = self.spec.topology.as_ref().and_then(|topology| topology.dns.as_ref());
        dns.and_then(|dns| dns.kind.as_deref()) == Some("None")
    }

    /// Whether pods get addresses of IPv6.
    pub(crate) fn is_ipv6(&self) -> bool {
        filled(&self.spec.non_masquerade_cidr).is_some_and(|cidr| cidr.contains(':'))
    }

    /// Whether node-termination-handler runs, which it does unless Karpenter looks after nodes
    /// (kops `pkg/model/components/nodeterminationhandler.go`).
    pub(crate) fn has_termination_handler(&self) -> bool {
        let handler = self.spec.node_termination_handler.as_ref();
        let karpenter = self.spec.karpenter.as_ref().and_then(|all| all.enabled).unwrap_or(false);
        handler.and_then(|handler| handler.enabled).unwrap_or(!karpenter)
    }

    /// Whether it hears through a queue of instances that are about to end.
    pub(crate) fn uses_nth_queue(&self) -> bool {
        let handler = self.spec.node_termination_handler.as_ref();
        let queue = handler.and_then(|handler| handler.enable_sqs_termination_draining);
        self.has_termination_handler() && queue.unwrap_or(true)
    }

    /// Whether the cluster's names lie in a hosted zone.
    pub(crate) fn publishes_records(&self) -> bool {
        !self.is_gossip() && !self.is_without_dns()
    }

    /// What is said of the load balancer before bastions.
    pub(crate) fn bastion_load_balancer(&self) -> Option<&BastionLoadBalancer> {
        self.spec.topology.as_ref()?.bastion.as_ref()?.load_balancer.as_ref()
    }

    /// Whether bastions are reached from inside the network alone.
    pub(crate) fn has_internal_bastion(&self) -> bool {
        let balancer = self.bastion_load_balancer();
        balancer.is_some_and(|balancer| filled(&balancer.kind) == Some("Internal"))
    }

    /// The ports of services of type NodePort, first and last.
    pub(crate) fn node_ports(&self) -> (i32, i32) {
        let server = self.spec.kube_api_server.as_ref();
        let range = server.and_then(|server| filled(&server.service_node_port_range));
        let ports = range.and_then(port_range);
        ports.map_or((30000, 32767), |(first, last)| (i32::from(first), i32::from(last)))
    }

    /// The VPC's address range; kops' default for a VPC of its own.
    pub(crate) fn network_cidr(&self) -> Option<String> {
        let shared_vpc = self.spec.network_id.as_deref().is_some_and(|id| !id.is_empty());
        match filled(&self.spec.network_cidr) {
            Some(cidr) => Some(cidr.to_owned()),
            // kops reads the range from the shared VPC itself.
            None if shared_vpc => None,
            None => Some("172.20.0.0/16".to_owned()),
        }
    }

    /// The range of pods and services (kops `upup/pkg/fi/cloudup/defaults.go`).
    pub(crate) fn non_masquerade_cidr(&self) -> String {
        let own = filled(&self.spec.non_masquerade_cidr).map(str::to_owned);
        let of_vpc = || {
            let follows = self.has_networking("amazonvpc") && self.spec.network_cidr.is_none();
            if follows { self.network_cidr() } else { None }
        };
        own.or_else(of_vpc).unwrap_or_else(|| "100.64.0.0/10".to_owned())
    }

    /// The range of services (kops `populate_cluster_spec.go`, `assignSubnets`).
    pub(crate) fn service_cluster_ip_range(&self) -> Option<IpNet> {
        let default = if self.is_ipv6() { "fd00:5e4f:ce::/108" } else { "100.64.0.0/13" };
        filled(&self.spec.service_cluster_ip_range).unwrap_or(default).parse().ok()
    }

    /// The range of pods, where it is of IPv4: by default the upper half of the range that is not
    /// masqueraded (kops `populate_cluster_spec.go`, `assignSubnets`).
    pub(crate) fn pod_cidr(&self) -> Option<IpNet> {
        match filled(&self.spec.pod_cidr) {
            Some(range) => range.parse().ok(),
            None => {
                let whole: Ipv4Net = self.non_masquerade_cidr().parse().ok()?;
                let half = whole.prefix_len().checked_add(1)?;
                whole.subnets(half).ok()?.last().map(IpNet::V4)
            }
        }
    }

    /// Whether subnets are tagged at all.
    pub(crate) fn tags_subnets(&self) -> bool {
        self.spec.disable_subnet_tags != Some(true)
    }

    /// The text of the additional policy of a role, with the key that it stands under, if the
    /// spec has one.
    pub(crate) fn additional_policy(&self, role: Role) -> Option<(&'static str, &str)> {
        let policies = self.spec.additional_policies.as_ref()?;
        let of_key = |key: &'static str| Some((key, policies.get(key)?.as_deref()?));
        let mut texts = role.keys().iter().copied().filter_map(of_key);
        texts.find(|(_, text)| !text.trim().is_empty())
    }

    pub(crate) fn subnets(&self) -> &[Subnet] {
        self.spec.subnets.as_deref().unwrap_or_default()
    }

    pub(crate) fn etcd_clusters(&self) -> &[EtcdCluster] {
        self.spec.etcd_clusters.as_deref().unwrap_or_default()
    }

    /// The AWS region, from the first subnet that names a zone.
    pub(crate) fn region(&self) -> Option<&str> {
        self.subnets().iter().find_map(|subnet| region_of_zone(filled(&subnet.zone)?))
    }
}

impl LoadBalancerAccess {
    pub(crate) fn is_internal(&self) -> bool {
        filled(&self.kind) == Some("Internal")
    }

    pub(crate) fn is_network(&self) -> bool {
        filled(&self.class) == Some("Network")
    }
}

/// A range of ports as Kubernetes reads it (`k8s.io/apimachinery/pkg/util/net`, `PortRange`): from
/// one to another, or so many more (`30000+100`), or one alone.
pub(crate) fn port_range(text: &str) -> Option<(u16, u16)> {
    let text = text.trim();
    let (first, last) = match (text.split_once('-'), text.split_once('+')) {
        (Some((first, last)), _) => (first.parse().ok()?, last.parse().ok()?),
        (None, Some((first, more))) => {
            let first: u16 = first.parse().ok()?;
            (first, first.checked_add(more.parse().ok()?)?)
        }
        (None, None) => (text.parse().ok()?, text.parse().ok()?),
    };
    (first <= last).then_some((first, last))
}

/// Major and minor of a version such as `v1.10.3`.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Version(pub(crate) u64, pub(crate) u64);

impl Version {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim().strip_prefix('v').unwrap_or(text.trim());
        let mut parts = text.split(['.', '-', '+']);
        let major = parts.next()?.parse().ok()?;
        let minor = parts.next()?.parse().ok()?;
        Some(Self(major, minor))
    }
}

impl EtcdCluster {
    pub(crate) fn members(&self) -> &[EtcdMember] {
        self.etcd_members.as_deref().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absent_iam_is_legacy_and_an_empty_one_is_strict() {
        let cluster = |json| serde_json::from_value::<Cluster>(json).unwrap();
        let legacy = |json| cluster(json).is_legacy_iam();
        assert!(legacy(serde_json::json!({"spec": {}})));
        assert!(legacy(serde_json::json!({"spec": {"iam": null}})));
        assert!(!legacy(serde_json::json!({"spec": {"iam": {}}})));
        assert!(!legacy(serde_json::json!({"spec": {"iam": {"legacy": false}}})));
        assert!(legacy(serde_json::json!({"spec": {"iam": {"legacy": true}}})));
    }

    #[test]
    fn ends_of_instances_go_through_a_queue_unless_the_spec_says_otherwise() {
        let cluster =
            |spec| serde_json::from_value::<Cluster>(serde_json::json!({"spec": spec})).unwrap();
        let karpenter = serde_json::json!({"enabled": true});
        for (spec, runs, queue) in [
            (serde_json::json!({}), true, true),
            (serde_json::json!({"nodeTerminationHandler": {}}), true, true),
            (serde_json::json!({"nodeTerminationHandler": {"enabled": false}}), false, false),
            (
                serde_json::json!({"nodeTerminationHandler": {"enableSQSTerminationDraining": false}}),
                true,
                false,
            ),
            (serde_json::json!({"karpenter": karpenter}), false, false),
            (
                serde_json::json!({
                    "karpenter": karpenter, "nodeTerminationHandler": {"enabled": true},
                }),
                true,
                true,
            ),
        ] {
            let cluster = cluster(spec);
            let told = (cluster.has_termination_handler(), cluster.uses_nth_queue());
            assert_eq!(told, (runs, queue), "{:?}", cluster.spec.node_termination_handler);
        }
    }

    #[test]
    fn gossip_is_told_by_the_name() {
        let named = |name: &str| Cluster {
            metadata: Metadata { name: Some(name.to_owned()), ..Metadata::default() },
            ..Cluster::default()
        };
        assert!(named("a.k8s.local").is_gossip());
        assert!(named("k8s.local.").is_gossip());
        assert!(!named("a.notk8s.local").is_gossip());
    }
}
