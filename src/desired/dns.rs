//! The hosted zone and the names in it (kops `pkg/model/awsmodel/dns.go`, `bastion.go` and
//! `upup/pkg/fi/cloudup/dns.go`).

use std::collections::BTreeSet;

use super::{DesiredCluster, Input, names};
use crate::core::id::Ref;
use crate::core::kind::ResourceId;
use crate::route53::dns_name::{DnsName, Lead, RecordType};
use crate::route53::dns_zone::DnsZone;
use crate::spec::object::filled;
use crate::spec::role::Role;

pub(super) fn add(input: Input<'_>, desired: &mut DesiredCluster) {
    let cluster = input.cluster;
    if !cluster.publishes_records() {
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
    let aliases = aliases(input).into_iter().flat_map(|(record, balancer, prefix)| {
        let to = Lead::Balancer { id: balancer, name: names::balancer_name(prefix, name) };
        [RecordType::A, RecordType::Aaaa].map(|of| (record.clone(), of, to.clone()))
    });
    let mut told = BTreeSet::new();
    for (record, record_type, to) in aliases.chain(placeholders(input)) {
        let record = record.trim_end_matches('.').to_owned();
        // What leads to a load balancer comes first, and needs no placeholder.
        if told.insert((record.clone(), record_type)) {
            let zone = zone.clone();
            desired.resources.push(DnsName { name: record, record_type, zone, to }.into());
        }
    }
}

/// The names that lead to load balancers, each with the word before the cluster's name in that of
/// its load balancer.
fn aliases(input: Input<'_>) -> Vec<(String, ResourceId, &'static str)> {
    let cluster = input.cluster;
    let mut aliases = Vec::new();
    if let Some(api) = cluster.api_load_balancer(input.groups) {
        let balancer = names::api_balancer(cluster.name(), &api);
        aliases.push((cluster.public_name(), balancer.clone(), "api"));
        if api.use_for_internal_api.unwrap_or(false) {
            aliases.push((cluster.internal_name(), balancer, "api"));
        }
    }
    let topology = cluster.spec.topology.as_ref();
    let bastion = topology.and_then(|topology| topology.bastion.as_ref());
    let has_bastion = input.groups.iter().any(|group| group.spec.role == Some(Role::Bastion));
    if let Some(public) = bastion.and_then(|bastion| filled(&bastion.bastion_public_name))
        && has_bastion
    {
        let balancer = names::bastion_balancer(cluster.name()).resource();
        aliases.push((public.to_owned(), balancer, "bastion"));
    }
    aliases
}

/// The names that the control plane gives its own addresses, once it runs. They are there before,
/// so that nobody remembers that they were not.
fn placeholders(input: Input<'_>) -> Vec<(String, RecordType, Lead)> {
    let cluster = input.cluster;
    let api = cluster.api_load_balancer(input.groups);
    let internal = if cluster.is_ipv6() { RecordType::Aaaa } else { RecordType::A };
    let mut names = Vec::new();
    if api.is_none() {
        names.push((cluster.public_name(), RecordType::A));
        names.push((cluster.public_name(), internal));
    }
    if !api.is_some_and(|api| api.use_for_internal_api.unwrap_or(false)) {
        names.push((cluster.internal_name(), internal));
    }
    names.push((format!("kops-controller.internal.{}", cluster.name()), internal));
    let dns = cluster.spec.external_dns.as_ref();
    let by_external_dns = dns.is_some_and(|dns| {
        filled(&dns.provider) == Some("external-dns") && dns.disable != Some(true)
    });
    let owner = by_external_dns.then(|| cluster.name().to_owned());
    let lead = Lead::Placeholder { of_external_dns: owner };
    names.into_iter().map(|(name, of)| (name, of, lead.clone())).collect()
}
