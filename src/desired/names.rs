//! Names and tags of a cluster's resources, as kops gives them (`pkg/model/names.go`,
//! `pkg/model/context.go`).

use std::collections::BTreeMap;

use super::events::EVENTS;
use crate::aws::tags::Tags;
use crate::core::id::Ref;
use crate::core::kind::ResourceId;
use crate::core::names::OwnNames;
use crate::elb::load_balancer::LoadBalancer;
use crate::elb::network_load_balancer::NetworkLoadBalancer;
use crate::iam::look::OwnRole;
use crate::limits::{LOAD_BALANCER_NAME, role_name, truncated};
use crate::spec::cluster::{Cluster, LoadBalancerAccess, Subnet};
use crate::spec::instance_group::InstanceGroup;
use crate::spec::object::filled;
use crate::spec::role::Role;
use crate::spec::subnets::SubnetKind;
use crate::vpc::route_table::RouteTable;
use crate::vpc::security_group::SecurityGroup;
use crate::vpc::subnet;
use crate::vpc::vpc::Vpc;

pub(super) fn vpc(cluster: &str) -> Ref<Vpc> {
    Ref::to(cluster)
}

pub(super) fn subnet(cluster: &str, name: &str) -> Ref<subnet::Subnet> {
    Ref::to(format!("{name}.{cluster}"))
}

/// The table of one side of a zone: `private`, or `public`.
pub(super) fn zone_table(cluster: &str, side: &str, zone: &str) -> Ref<RouteTable> {
    Ref::to(format!("{side}-{zone}.{cluster}"))
}

pub(crate) fn security_group(cluster: &str, role: Role) -> Ref<SecurityGroup> {
    let name = match role {
        // API servers are behind the rules of masters (kops 1.36, `firewall.go`).
        Role::Master | Role::ApiServer => "masters",
        Role::Node => "nodes",
        Role::Bastion => "bastion",
    };
    Ref::to(format!("{name}.{cluster}"))
}

/// The words before a cluster's name in the names of its load balancers and target groups.
const BALANCER_PREFIXES: [&str; 6] =
    ["api", "bastion", "tcp", "tls", "kops-controller", "etcd-cilium"];

/// The names that a cluster gives to what it has, whatever its spec says.
pub(crate) fn own(cluster: &str) -> OwnNames {
    let roles = Role::ALL.map(|role| security_group(cluster, role).name.clone());
    let of_balancers =
        ["api", "bastion"].map(|prefix| balancer_security_group(cluster, prefix).name.clone());
    OwnNames {
        cluster: cluster.to_owned(),
        balancers: BALANCER_PREFIXES.map(|prefix| balancer_name(prefix, cluster)).to_vec(),
        security_groups: roles.into_iter().chain(of_balancers).collect(),
        queue: queue(cluster),
        event_rules: EVENTS.iter().map(|event| event_rule(cluster, event.name)).collect(),
    }
}

/// The queue of events that node-termination-handler reads.
pub(super) fn queue(cluster: &str) -> String {
    /// What is left of 80 characters, kops' reserve off (`pkg/model/names.go`, `QueueNamePrefix`).
    const MOST: usize = 75;
    format!("{}-nth", role_name::shortened_to(MOST, &cluster.replace('.', "-")))
}

/// The rule that passes an event on to the queue.
pub(super) fn event_rule(cluster: &str, event: &str) -> String {
    /// kops' own bound (`upup/pkg/fi/cloudup/awsup/aws_utils.go`, `GetClusterName40`).
    const MOST: usize = 40;
    format!("{}-{event}", role_name::shortened_to(MOST, cluster))
}

/// All roles that the groups of a cluster may have as its own.
pub(crate) fn own_roles(cluster: &str) -> [OwnRole; 4] {
    Role::ALL.map(|role| OwnRole {
        name: role.iam_name(cluster),
        tag: format!("k8s.io/role/{}", role.key()),
        security_group: (role != Role::ApiServer)
            .then(|| security_group(cluster, role).name.clone()),
    })
}

pub(super) fn balancer_security_group(cluster: &str, prefix: &str) -> Ref<SecurityGroup> {
    Ref::to(format!("{prefix}-elb.{cluster}"))
}

/// The load balancer before the API server, which is of the class that the spec says.
pub(super) fn api_balancer(cluster: &str, api: &LoadBalancerAccess) -> ResourceId {
    let kind = if api.is_network() { NetworkLoadBalancer::KIND } else { LoadBalancer::KIND };
    ResourceId::new(kind, format!("api.{cluster}"))
}

pub(super) fn bastion_balancer(cluster: &str) -> Ref<NetworkLoadBalancer> {
    Ref::to(format!("bastion.{cluster}"))
}

/// AWS' name of a load balancer or target group: a word for it, and the cluster's name.
pub(crate) fn balancer_name(prefix: &str, cluster: &str) -> String {
    let whole = format!("{prefix}-{}", cluster.replace('.', "-"));
    truncated::with_hash(&whole, LOAD_BALANCER_NAME.most)
}

/// The tags of what belongs to one cluster, or of what it shares. Ours come last, so that no
/// label takes their place.
pub(super) fn tags(cluster: &Cluster, name: &str, shared: bool) -> Tags {
    if shared {
        return Tags::from([(cluster.owner_key(), "shared".to_owned())]);
    }
    let mut tags = labels(cluster.spec.cloud_labels.as_ref());
    tags.insert("Name".to_owned(), name.to_owned());
    tags.insert("KubernetesCluster".to_owned(), cluster.name().to_owned());
    tags.insert(cluster.owner_key(), "owned".to_owned());
    tags
}

/// The tags of a subnet, which tell Kubernetes and Karpenter what it is for.
pub(super) fn subnet_tags(cluster: &Cluster, groups: &[&InstanceGroup], subnet: &Subnet) -> Tags {
    if !cluster.tags_subnets() {
        return Tags::new();
    }
    let short = filled(&subnet.name).unwrap_or_default();
    let id = self::subnet(cluster.name(), short);
    let mut tags = tags(cluster, &id.name, filled(&subnet.id).is_some());
    let kind = cluster.subnet_kind(subnet);
    tags.insert("SubnetType".to_owned(), kind.name().to_owned());
    let mut serves = |balancers: &str| {
        tags.insert(format!("kubernetes.io/role/{balancers}"), "1".to_owned());
    };
    let others = || cluster.subnets().iter().map(|other| (other, cluster.subnet_kind(other)));
    if kind.is_public() {
        serves("elb");
    }
    let is_internal = match kind {
        // AWS makes no internal load balancer where `::/0` leads to an internet gateway.
        SubnetKind::Public | SubnetKind::Utility => {
            !cluster.is_ipv6() && others().all(|(_, kind)| kind.is_public())
        }
        SubnetKind::DualStack => true,
        SubnetKind::Private => !others().any(|(other, kind)| {
            kind == SubnetKind::DualStack && filled(&other.zone) == filled(&subnet.zone)
        }),
    };
    if is_internal {
        serves("internal-elb");
    }
    let of_karpenter = groups
        .iter()
        .filter(|group| group.is_karpenters() && group.subnets().iter().any(|name| name == short));
    for group in of_karpenter {
        let key = format!("kops.k8s.io/instance-group/{}", group.name());
        tags.insert(key, "true".to_owned());
    }
    tags
}

/// Labels of a spec as tags.
pub(super) fn labels(labels: Option<&BTreeMap<String, Option<String>>>) -> Tags {
    let labels = labels.into_iter().flatten();
    labels.map(|(key, value)| (key.clone(), value.clone().unwrap_or_default())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_events_on_is_named_as_kops_names_it() {
        let long = "this.is.truly.a.really.really.really.really.really.long.cluster-name.minimal.\
                    example.com";
        assert_eq!(queue("dev.example.com"), "dev-example-com-nth");
        assert_eq!(
            queue(long),
            "this-is-truly-a-really-really-really-really-really-long-cluster-name-ueip1f-nth"
        );
        assert_eq!(event_rule("dev.example.com", "ASGLifecycle"), "dev.example.com-ASGLifecycle");
        assert_eq!(
            event_rule(long, "ASGLifecycle"),
            "this.is.truly.a.really.really.rea-cbmd7d-ASGLifecycle"
        );
    }
}
