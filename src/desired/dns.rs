//! The hosted zone and the names in it (kops `pkg/model/dns.go`).

use super::{DesiredCluster, Input, names};
use crate::core::id::Ref;
use crate::core::kind::ResourceId;
use crate::route53::dns_name::DnsName;
use crate::route53::dns_zone::DnsZone;
use crate::spec::object::filled;
use crate::spec::role::Role;

pub(super) fn add(input: Input<'_>, desired: &mut DesiredCluster) {
    let cluster = input.cluster;
    if cluster.is_gossip() {
        return;
    }
    let name = cluster.name();
    let zone: Ref<DnsZone> = Ref::to(filled(&cluster.spec.dns_zone).unwrap_or(name));
    desired.resources.push(
        DnsZone {
            name: zone.name.clone(),
            region: desired.region.clone(),
            private_to: cluster.uses_private_dns().then(|| names::vpc(name)),
        }
        .into(),
    );
    let mut wanted: Vec<(String, ResourceId, &str)> = Vec::new();
    if let Some(api) = cluster.api_load_balancer() {
        let balancer = names::api_balancer(name, &api);
        wanted.push((cluster.public_name(), balancer.clone(), "api"));
        if api.use_for_internal_api.unwrap_or(false) {
            wanted.push((cluster.internal_name(), balancer, "api"));
        }
    }
    let topology = cluster.spec.topology.as_ref();
    let bastion = topology.and_then(|topology| topology.bastion.as_ref());
    let has_bastion = input.groups.iter().any(|group| group.spec.role == Some(Role::Bastion));
    if let Some(public) = bastion.and_then(|bastion| filled(&bastion.bastion_public_name))
        && has_bastion
    {
        wanted.push((public.to_owned(), names::bastion_balancer(name).resource(), "bastion"));
    }
    for (record, balancer, prefix) in wanted {
        desired.resources.push(
            DnsName {
                name: record.trim_end_matches('.').to_owned(),
                zone: zone.clone(),
                balancer,
                balancer_name: names::balancer_name(prefix, name),
            }
            .into(),
        );
    }
}
