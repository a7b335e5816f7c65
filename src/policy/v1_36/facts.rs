//! What the documents of kops v1.36 depend on, read out of a spec once.

use std::collections::BTreeSet;

use crate::limits::partition::Partition;
use crate::policy::stores::{self, Location};
use crate::spec::cluster::Cluster;
use crate::spec::instance_group::InstanceGroup;
use crate::spec::object::filled;
use crate::spec::role::Role;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Facts {
    pub(super) cluster: String,
    pub(super) region: String,
    pub(super) partition: Partition,
    pub(super) traits: BTreeSet<Trait>,
    /// The places that hold the cluster's state, and those of etcd's backups.
    pub(super) roots: Vec<Location>,
    pub(super) backups: Vec<Location>,
    /// The ids of the zones in which cert-manager answers challenges.
    pub(super) challenge_zones: Vec<String>,
}

/// What may be so of a cluster, and makes a rule hold.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Trait {
    /// Add-ons have roles of their own; else the control plane has their permissions.
    OwnRoles,
    SharedRole,
    Ipv6,
    PublishesRecords,
    /// Nodes find each other through the store, as nothing else tells them of the control plane.
    NodesReadStore,
    /// The API server encrypts secrets with a key of KMS.
    EncryptsSecrets,
    KeysThroughServices,
    PullsFromEcr,
    MirrorsInEcr,
    AmazonVpc,
    Calico,
    CiliumEni,
    Kindnet,
    Kubenet,
    KubeRouter,
    NodesWarm,
    EbsCsi,
    Snapshots,
    ManagedNlbGroups,
    LoadBalancerController,
    Waf,
    WafV2,
    Shield,
    ClusterAutoscaler,
    TerminationHandler,
    TerminationQueue,
    DnsController,
    ExternalDns,
    Karpenter,
    KarpenterKeys,
    CertManager,
}

impl Facts {
    /// `base` is the cluster's folder in the state store, if one is known.
    pub(crate) fn new(cluster: &Cluster, groups: &[&InstanceGroup], base: Option<&str>) -> Self {
        let region = cluster.region().unwrap_or_default();
        let zones = cluster.spec.cert_manager.as_ref().and_then(|all| all.hosted_zone_ids.clone());
        Self {
            cluster: cluster.name().to_owned(),
            region: region.to_owned(),
            partition: Partition::of_region(region),
            traits: traits(cluster, groups),
            roots: stores::roots(cluster, base),
            backups: stores::backups_by_default(cluster, base),
            challenge_zones: zones.unwrap_or_default(),
        }
    }

    pub(super) fn has(&self, all: &[Trait]) -> bool {
        all.iter().all(|one| self.traits.contains(one))
    }
}

fn traits(cluster: &Cluster, groups: &[&InstanceGroup]) -> BTreeSet<Trait> {
    let spec = &cluster.spec;
    let is = |setting: Option<bool>| setting == Some(true);
    let network = |plugin: &str| cluster.has_networking(plugin);
    let setting = |plugin: &str, field: &str, value: &str| {
        let plugin = cluster.networking(plugin);
        plugin.and_then(|plugin| plugin.get(field)).is_some_and(|found| found == value)
    };
    let iam = spec.iam.as_ref();
    let own_roles = is(iam.and_then(|iam| iam.use_service_account_external_permissions));
    let ipv6 = cluster.is_ipv6();
    let without_dns = cluster.is_without_dns();
    let publishes = !cluster.is_gossip() && !without_dns;
    let balancer = spec.api.as_ref().and_then(|api| api.load_balancer.as_ref());
    let has_network_balancer = balancer.is_some_and(|balancer| balancer.is_network());
    let encrypts = is(spec.encryption_config);
    let cloud = spec.cloud_config.as_ref();
    let controller = spec.aws_load_balancer_controller.as_ref();
    let has_controller = is(controller.and_then(|all| all.enabled));
    let karpenter = is(spec.karpenter.as_ref().and_then(|all| all.enabled));
    let dns = spec.external_dns.as_ref();
    let provider = match dns {
        Some(dns) if is(dns.disable) => "none",
        Some(dns) => filled(&dns.provider).unwrap_or("dns-controller"),
        None => "dns-controller",
    };
    let certificates = spec.cert_manager.as_ref();
    let answers_challenges = certificates.is_some_and(|all| {
        is(all.enabled)
            && all.managed != Some(false)
            && all.hosted_zone_ids.as_ref().is_some_and(|zones| !zones.is_empty())
    });
    let csi = cloud.and_then(|cloud| cloud.aws_ebs_csi_driver.as_ref());

    let table = [
        (Trait::OwnRoles, own_roles),
        (Trait::SharedRole, !own_roles),
        (Trait::Ipv6, ipv6),
        (Trait::PublishesRecords, publishes),
        (Trait::NodesReadStore, cluster.is_gossip() && !without_dns && !has_network_balancer),
        (Trait::EncryptsSecrets, encrypts),
        (Trait::KeysThroughServices, !encrypts),
        (Trait::PullsFromEcr, cluster.allows_container_registry()),
        (
            Trait::MirrorsInEcr,
            is(spec.containerd.as_ref().and_then(|all| all.use_ecr_credentials_for_mirrors)),
        ),
        (Trait::AmazonVpc, network("amazonvpc")),
        (
            Trait::Calico,
            network("calico") && !setting("calico", "awsSrcDstCheck", "DoNothing") && !ipv6,
        ),
        (Trait::CiliumEni, setting("cilium", "ipam", "eni")),
        (Trait::Kindnet, network("kindnet")),
        (Trait::Kubenet, network("kubenet")),
        (Trait::KubeRouter, network("kuberouter")),
        (Trait::NodesWarm, has_warm_pool(cluster, groups, Role::Node)),
        (Trait::EbsCsi, csi.and_then(|csi| csi.managed) != Some(false)),
        (Trait::Snapshots, is(spec.snapshot_controller.as_ref().and_then(|all| all.enabled))),
        (
            Trait::ManagedNlbGroups,
            cloud.and_then(|all| filled(&all.nlb_security_group_mode)) == Some("Managed"),
        ),
        (Trait::LoadBalancerController, has_controller),
        (Trait::Waf, is(controller.and_then(|all| all.enable_waf))),
        (Trait::WafV2, is(controller.and_then(|all| all.enable_waf_v2))),
        (Trait::Shield, is(controller.and_then(|all| all.enable_shield))),
        (
            Trait::ClusterAutoscaler,
            is(spec.cluster_autoscaler.as_ref().and_then(|all| all.enabled)),
        ),
        (Trait::TerminationHandler, cluster.has_termination_handler()),
        (Trait::TerminationQueue, cluster.uses_nth_queue()),
        (Trait::DnsController, publishes && provider == "dns-controller"),
        (Trait::ExternalDns, !without_dns && provider == "external-dns"),
        (Trait::Karpenter, karpenter),
        (Trait::KarpenterKeys, groups.iter().any(|group| brings_key_to_karpenter(group))),
        (Trait::CertManager, answers_challenges),
    ];
    table.into_iter().filter(|(_, holds)| *holds).map(|(name, _)| name).collect()
}

/// Whether some group of the role waits in a warm pool and tells when it is ready.
fn has_warm_pool(cluster: &Cluster, groups: &[&InstanceGroup], role: Role) -> bool {
    let mut groups = groups.iter().filter(|group| group.spec.role == Some(role));
    groups.any(|group| group.warm_pool(cluster).is_some_and(|pool| pool.has_hook()))
}

fn brings_key_to_karpenter(group: &InstanceGroup) -> bool {
    let spec = &group.spec;
    spec.role == Some(Role::Node)
        && group.is_karpenters()
        && spec.root_volume_encryption == Some(true)
        && filled(&spec.root_volume_encryption_key).is_some()
}
