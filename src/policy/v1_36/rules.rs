//! Who gets what, and when: the rules of kops v1.36 (`pkg/model/iam/iam_builder.go`,
//! `pkg/model/components/addonmanifests`).

use super::facts::{Facts, Trait};
use super::tables::{self as may, Block};
use crate::spec::role::Role;

/// Whose role a document is of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Holder {
    ControlPlane,
    ApiServer,
    Node,
    Bastion,
    Account(AddOn),
}

impl From<Role> for Holder {
    fn from(role: Role) -> Self {
        match role {
            Role::Master => Self::ControlPlane,
            Role::Node => Self::Node,
            Role::Bastion => Self::Bastion,
            Role::ApiServer => Self::ApiServer,
        }
    }
}

/// An add-on with a service account that may have a role of its own.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum AddOn {
    EbsCsi,
    CloudControllerManager,
    LoadBalancerController,
    ClusterAutoscaler,
    TerminationHandler,
    DnsController,
    ExternalDns,
    KubeRouter,
    Karpenter,
    CertManager,
}

/// An add-on's account and when it has a role.
pub(super) struct Account {
    pub(super) add_on: AddOn,
    /// The name of its service account in `kube-system`.
    pub(super) name: &'static str,
    pub(super) when: &'static [Trait],
    /// When the control plane has its permissions instead, if it ever has.
    shared: Option<&'static [Trait]>,
}

pub(super) const ACCOUNTS: [Account; 10] = [
    Account {
        add_on: AddOn::EbsCsi,
        name: "ebs-csi-controller-sa",
        when: &[Trait::OwnRoles, Trait::EbsCsi],
        shared: Some(&[Trait::SharedRole]),
    },
    Account {
        add_on: AddOn::CloudControllerManager,
        name: "aws-cloud-controller-manager",
        when: &[Trait::OwnRoles],
        shared: Some(&[Trait::SharedRole]),
    },
    Account {
        add_on: AddOn::LoadBalancerController,
        name: "aws-load-balancer-controller",
        when: &[Trait::OwnRoles, Trait::LoadBalancerController],
        shared: Some(&[Trait::SharedRole, Trait::LoadBalancerController]),
    },
    Account {
        add_on: AddOn::ClusterAutoscaler,
        name: "cluster-autoscaler",
        when: &[Trait::OwnRoles, Trait::ClusterAutoscaler],
        shared: Some(&[Trait::SharedRole]),
    },
    Account {
        add_on: AddOn::TerminationHandler,
        name: "aws-node-termination-handler",
        when: &[Trait::OwnRoles, Trait::TerminationHandler],
        shared: Some(&[Trait::SharedRole, Trait::TerminationQueue]),
    },
    Account {
        add_on: AddOn::DnsController,
        name: "dns-controller",
        when: &[Trait::OwnRoles, Trait::DnsController],
        shared: None,
    },
    Account {
        add_on: AddOn::ExternalDns,
        name: "external-dns",
        when: &[Trait::OwnRoles, Trait::ExternalDns],
        shared: None,
    },
    Account {
        add_on: AddOn::KubeRouter,
        name: "kube-router",
        when: &[Trait::OwnRoles, Trait::KubeRouter],
        shared: None,
    },
    Account {
        add_on: AddOn::Karpenter,
        name: "karpenter",
        when: &[Trait::OwnRoles, Trait::Karpenter],
        shared: None,
    },
    // kops gives cert-manager its role whether accounts have roles or not.
    Account {
        add_on: AddOn::CertManager,
        name: "cert-manager",
        when: &[Trait::CertManager],
        shared: None,
    },
];

#[derive(Clone, Copy)]
pub(super) enum Gives {
    Block(&'static Block),
    /// Attaching the volumes of etcd.
    EtcdVolumes,
    CreateFromSnapshots,
    /// Reading these below each place of the cluster's state.
    Read(&'static [&'static str]),
    Backups,
    /// The records of the cluster's zone.
    Records,
    /// The records by which cert-manager shows whose a name is.
    Challenges,
    TagInterfaces,
}

pub(super) struct Rule {
    pub(super) to: &'static [Holder],
    pub(super) when: &'static [Trait],
    pub(super) gives: Gives,
}

const fn rule(to: &'static [Holder], when: &'static [Trait], gives: Gives) -> Rule {
    Rule { to, when, gives }
}

/// The rules of a holder that hold.
pub(super) fn of(holder: Holder, facts: &Facts) -> impl Iterator<Item = &'static Rule> {
    let shared = ACCOUNTS.iter().filter(move |account| {
        holder == Holder::ControlPlane && account.shared.is_some_and(|when| facts.has(when))
    });
    let holders: Vec<Holder> =
        shared.map(|account| Holder::Account(account.add_on)).chain([holder]).collect();
    RULES.iter().filter(move |rule| {
        facts.has(rule.when) && rule.to.iter().any(|holder| holders.contains(holder))
    })
}

const CONTROL_PLANE: &[Holder] = &[Holder::ControlPlane];
const SERVERS: &[Holder] = &[Holder::ControlPlane, Holder::ApiServer];
const NODES: &[Holder] = &[Holder::Node];
const KUBELETS: &[Holder] = &[Holder::ControlPlane, Holder::ApiServer, Holder::Node];
const BASTIONS: &[Holder] = &[Holder::Bastion];
const EBS_CSI: &[Holder] = &[Holder::Account(AddOn::EbsCsi)];
const CLOUD_CONTROLLER: &[Holder] = &[Holder::Account(AddOn::CloudControllerManager)];
const LOAD_BALANCER_CONTROLLER: &[Holder] = &[Holder::Account(AddOn::LoadBalancerController)];
const KARPENTER: &[Holder] = &[Holder::Account(AddOn::Karpenter)];

pub(super) static RULES: &[Rule] = &[
    rule(CONTROL_PLANE, &[], Gives::Block(&may::ETCD_MANAGER)),
    rule(CONTROL_PLANE, &[], Gives::EtcdVolumes),
    rule(KUBELETS, &[], Gives::Block(&may::NODEUP)),
    rule(KUBELETS, &[Trait::Ipv6], Gives::Block(&may::NODEUP_IPV6)),
    rule(CONTROL_PLANE, &[Trait::Ipv6], Gives::Block(&may::KOPS_CONTROLLER_IPV6)),
    rule(NODES, &[Trait::NodesWarm], Gives::Block(&may::WARM_POOL)),
    rule(SERVERS, &[], Gives::Read(&["*"])),
    rule(CONTROL_PLANE, &[], Gives::Backups),
    rule(NODES, &[Trait::NodesReadStore], Gives::Read(&may::NODE_STATE)),
    rule(NODES, &[Trait::NodesReadStore], Gives::Block(&may::GOSSIP)),
    rule(SERVERS, &[], Gives::Block(&may::KMS_GRANTS)),
    rule(SERVERS, &[Trait::KeysThroughServices], Gives::Block(&may::KMS_THROUGH_SERVICES)),
    rule(SERVERS, &[Trait::EncryptsSecrets], Gives::Block(&may::KMS_DIRECTLY)),
    rule(CONTROL_PLANE, &[Trait::PublishesRecords], Gives::Records),
    rule(KUBELETS, &[Trait::PullsFromEcr], Gives::Block(&may::ECR)),
    rule(KUBELETS, &[Trait::MirrorsInEcr], Gives::Block(&may::ECR_MIRRORS)),
    rule(KUBELETS, &[Trait::AmazonVpc], Gives::Block(&may::AMAZON_VPC)),
    rule(KUBELETS, &[Trait::AmazonVpc], Gives::TagInterfaces),
    rule(SERVERS, &[Trait::CiliumEni], Gives::Block(&may::CILIUM_ENI)),
    rule(KUBELETS, &[Trait::Calico], Gives::Block(&may::CALICO)),
    rule(KUBELETS, &[Trait::Kindnet], Gives::Block(&may::KINDNET)),
    rule(NODES, &[Trait::KubeRouter], Gives::Block(&may::NODE_KUBE_ROUTER)),
    rule(BASTIONS, &[], Gives::Block(&may::BASTION)),
    rule(EBS_CSI, &[], Gives::Block(&may::EBS_CSI)),
    rule(EBS_CSI, &[], Gives::Block(&may::KMS_GRANTS)),
    rule(EBS_CSI, &[], Gives::Block(&may::KMS_THROUGH_SERVICES)),
    rule(EBS_CSI, &[Trait::Snapshots], Gives::Block(&may::SNAPSHOTS)),
    rule(EBS_CSI, &[Trait::Snapshots], Gives::CreateFromSnapshots),
    rule(CLOUD_CONTROLLER, &[], Gives::Block(&may::CLOUD_CONTROLLER)),
    rule(CLOUD_CONTROLLER, &[Trait::ManagedNlbGroups], Gives::Block(&may::NLB_GROUPS)),
    rule(CLOUD_CONTROLLER, &[Trait::Kubenet], Gives::Block(&may::KUBENET_ROUTES)),
    rule(LOAD_BALANCER_CONTROLLER, &[], Gives::Block(&may::LOAD_BALANCER_CONTROLLER)),
    rule(LOAD_BALANCER_CONTROLLER, &[Trait::Waf], Gives::Block(&may::WAF)),
    rule(LOAD_BALANCER_CONTROLLER, &[Trait::WafV2], Gives::Block(&may::WAF_V2)),
    rule(LOAD_BALANCER_CONTROLLER, &[Trait::Shield], Gives::Block(&may::SHIELD)),
    rule(&[Holder::Account(AddOn::ClusterAutoscaler)], &[], Gives::Block(&may::CLUSTER_AUTOSCALER)),
    rule(
        &[Holder::Account(AddOn::TerminationHandler)],
        &[],
        Gives::Block(&may::TERMINATION_HANDLER),
    ),
    rule(&[Holder::Account(AddOn::DnsController)], &[], Gives::Records),
    rule(&[Holder::Account(AddOn::ExternalDns)], &[], Gives::Records),
    rule(&[Holder::Account(AddOn::KubeRouter)], &[], Gives::Block(&may::KUBE_ROUTER)),
    rule(KARPENTER, &[], Gives::Block(&may::KARPENTER)),
    rule(KARPENTER, &[Trait::KarpenterKeys], Gives::Block(&may::KMS_GRANTS)),
    rule(KARPENTER, &[Trait::KarpenterKeys], Gives::Block(&may::KMS_THROUGH_SERVICES)),
    rule(&[Holder::Account(AddOn::CertManager)], &[], Gives::Challenges),
];
