//! Names and tags of a cluster's resources, as kops gives them (`pkg/model/names.go`,
//! `pkg/model/context.go`).

use std::collections::BTreeMap;

use crate::aws::tags::Tags;
use crate::core::id::Ref;
use crate::core::kind::ResourceId;
use crate::core::names::OwnNames;
use crate::elb::load_balancer::LoadBalancer;
use crate::elb::network_load_balancer::NetworkLoadBalancer;
use crate::iam::look::OwnRole;
use crate::limits::LOAD_BALANCER_NAME;
use crate::spec::cluster::{Cluster, LoadBalancerAccess, Subnet};
use crate::spec::object::filled;
use crate::spec::role::Role;
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

pub(super) fn private_table(cluster: &str, zone: &str) -> Ref<RouteTable> {
    Ref::to(format!("private-{zone}.{cluster}"))
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

/// The names that a cluster gives to what it has, whatever its spec says.
pub(crate) fn own(cluster: &str) -> OwnNames {
    let roles = Role::ALL.map(|role| security_group(cluster, role).name.clone());
    let of_balancers =
        ["api", "bastion"].map(|prefix| balancer_security_group(cluster, prefix).name.clone());
    OwnNames {
        cluster: cluster.to_owned(),
        balancers: ["api", "bastion", "tcp"].map(|prefix| balancer_name(prefix, cluster)).to_vec(),
        security_groups: roles.into_iter().chain(of_balancers).collect(),
    }
}

/// All roles that the groups of a cluster may have as its own.
pub(crate) fn own_roles(cluster: &str) -> [OwnRole; 3] {
    Role::ALL.map(|role| OwnRole {
        name: role.iam_name(cluster),
        tag: format!("k8s.io/role/{}", role.key()),
        security_group: security_group(cluster, role).name.clone(),
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

pub(super) fn bastion_balancer(cluster: &str) -> Ref<LoadBalancer> {
    Ref::to(format!("bastion.{cluster}"))
}

/// A load balancer's name, cut to fit and told apart by a hash.
pub(crate) fn balancer_name(prefix: &str, cluster: &str) -> String {
    let whole = format!("{prefix}-{}", cluster.replace('.', "-"));
    let hash = &base32hex(fnv1a(whole.as_bytes()))[..6];
    let base: String = whole.chars().take(LOAD_BALANCER_NAME.most - hash.len() - 1).collect();
    format!("{base}-{hash}")
}

/// FNV-1a of 32 bits.
fn fnv1a(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

/// RFC 4648's base 32 with the extended hex alphabet, in lower case, without padding.
fn base32hex(number: u32) -> String {
    const ALPHABET: &[u8; 32] = b"0123456789abcdefghijklmnopqrstuv";
    let bits = u64::from(number) << 3;
    (0..7).rev().map(|at| char::from(ALPHABET[(bits >> (at * 5)) as usize & 31])).collect()
}

/// The tags of what belongs to one cluster, or of what it shares.
pub(super) fn tags(cluster: &Cluster, name: &str, shared: bool) -> Tags {
    let mut tags = Tags::new();
    if !shared {
        tags.insert("Name".to_owned(), name.to_owned());
    }
    // Kubernetes before 1.6 finds what is its own by this tag only.
    if !shared || !cluster.is_kubernetes_at_least(1, 6) {
        tags.insert("KubernetesCluster".to_owned(), cluster.name().to_owned());
    }
    let ownership = if shared { "shared" } else { "owned" };
    tags.insert(cluster.owner_key(), ownership.to_owned());
    tags
}

/// The tags of a subnet, which tell Kubernetes what it is for.
pub(super) fn subnet_tags(cluster: &Cluster, subnet: &Subnet) -> Tags {
    let id = self::subnet(cluster.name(), filled(&subnet.name).unwrap_or_default());
    let mut tags = tags(cluster, &id.name, filled(&subnet.id).is_some());
    let kind = cluster.subnet_kind(subnet);
    let role = if kind.is_public() { "elb" } else { "internal-elb" };
    tags.insert(format!("kubernetes.io/role/{role}"), "1".to_owned());
    tags.insert("SubnetType".to_owned(), kind.name().to_owned());
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
    fn balancers_are_named_as_kops_names_them() {
        assert_eq!(balancer_name("api", "complex.example.com"), "api-complex-example-com-vd3t5n");
        assert_eq!(
            balancer_name("bastion", "privatecalico.example.com"),
            "bastion-privatecalico-exa-hocohm"
        );
    }
}
