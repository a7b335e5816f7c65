//! Which hosted zone is the cluster's, and what it means if none is found.

use std::collections::BTreeSet;

use super::lifecycle::{Lifecycle, Lifecycles, Origin};
use super::told::Told;
use crate::catalogue::kinds::Resource;
use crate::core::kind::ResourceId;
use crate::core::seen::{Looked, Seen};
use crate::desired::DesiredCluster;
use crate::iam::role_policy::LivePolicies;
use crate::policy::document::Document;
use crate::route53::dns_name::DnsName;
use crate::route53::dns_zone::DnsZone;
use crate::route53::hosted_zone::{self, HostedZone, LiveZone};

/// The cluster's hosted zone, as far as it is known.
#[derive(Debug)]
pub(crate) struct Zone {
    pub(crate) id: Option<String>,
    /// What the spec has for it. Why nothing is known of it, is told of it and of nothing that
    /// needs it.
    pub(crate) resource: Option<ResourceId>,
}

impl Zone {
    pub(crate) fn is(&self, id: &ResourceId) -> bool {
        self.resource.as_ref() == Some(id)
    }
}

pub(crate) fn resolve(
    desired: &DesiredCluster,
    seen: &Seen,
    lifecycles: &Lifecycles,
) -> (Zone, Told) {
    let lifecycle = lifecycles.of(DnsZone::KIND, Origin::Managed);
    let mut ids = desired.resources.iter().map(Resource::id);
    let resource = ids.find(|id| id.kind == DnsZone::KIND);
    let mut told = Told::default();
    let cluster = format!("Cluster/{}", desired.name);
    let found = match (seen.of::<LiveZone>(), desired.zone.is_looked_up()) {
        (_, false) => hosted_zone::find(&desired.zone, &[]),
        (Looked::Not, true) => Ok(None),
        (Looked::Found(zones), true) => hosted_zone::find(&desired.zone, zones),
        (Looked::Denied(error), true) => {
            let message = format!("the cluster's hosted zone is not known: {error}");
            let next = "allow route53:ListHostedZones, or set spec.dnsZone to the zone's id";
            told.refuse(cluster, message, next.to_owned());
            return (Zone { id: None, resource }, told);
        }
    };
    let id = match found {
        Ok(id) => {
            let zone = id.as_deref().and_then(|id| name_of(&desired.zone, id, seen));
            if let (Some(zone), true) =
                (zone, lifecycles.of(DnsName::KIND, Origin::Managed).writes())
            {
                outside(desired, zone, &mut told);
            }
            id
        }
        Err(reason) if has_zone_in_policies(desired, seen) => {
            let message = format!("{reason}, but the policies in AWS name one");
            let next = "set spec.dnsZone to the id of the zone that they name, or of its successor";
            told.refuse(cluster, message, next.to_owned());
            None
        }
        Err(reason) if lifecycle == Lifecycle::Ignore => {
            let message =
                format!("{reason}, so the policies have no statements for its DNS records");
            let next = "create the zone, or set spec.dnsZone to the id of another";
            told.warn(cluster, message, next.to_owned());
            None
        }
        Err(reason) => {
            let object = resource.as_ref().map_or(cluster, ToString::to_string);
            let next = "create the zone, or set spec.dnsZone to the id or name of another";
            match lifecycle {
                Lifecycle::ExistsAndWarnIfChanges => told.warn(object, reason, next.to_owned()),
                _ => told.refuse(object, reason, next.to_owned()),
            }
            None
        }
    };
    (Zone { id, resource }, told)
}

/// The name of the zone, if the spec or a look tells it.
fn name_of<'a>(wanted: &'a HostedZone, id: &str, seen: &'a Seen) -> Option<&'a str> {
    match wanted {
        HostedZone::Named { name, .. } => Some(name.trim_end_matches('.')),
        HostedZone::None | HostedZone::Id(_) | HostedZone::Above { .. } => {
            let zones = seen.rows::<LiveZone>().iter();
            zones.filter(|zone| zone.id == *id).map(|zone| zone.name.as_str()).next()
        }
    }
}

/// Route 53 takes records below a zone's name alone, which it says after half the work (Route 53 API
/// reference, `ChangeResourceRecordSets`).
fn outside(desired: &DesiredCluster, zone: &str, told: &mut Told) {
    let names = desired.resources.iter().filter_map(|resource| match resource {
        Resource::DnsName(record) => Some((resource.id(), &record.name)),
        _ => None,
    });
    let is_outside = |name: &str| !format!(".{name}").ends_with(&format!(".{zone}"));
    let mut told_of = BTreeSet::new();
    for (id, name) in names.filter(|(_, name)| is_outside(name)) {
        if !told_of.insert(name) {
            continue;
        }
        told.refuse(
            id,
            format!("{name} does not lie in the hosted zone {zone}, which takes no other names"),
            format!("set spec.dnsZone to a zone that {name} lies in, or change the name"),
        );
    }
}

/// Whether roles of ours may change some zone's records. A running cluster must not lose
/// that because a zone cannot be found.
fn has_zone_in_policies(desired: &DesiredCluster, seen: &Seen) -> bool {
    let ours = desired.resources.iter().filter_map(|resource| match resource {
        Resource::IamRolePolicy(policy) => seen.one::<LivePolicies>(&policy.role),
        _ => None,
    });
    let mut documents = ours.flat_map(|policies| policies.iter().map(|(_, live)| live));
    // One that cannot be read may name a zone as well.
    documents.any(|live| live.document.as_ref().is_none_or(Document::names_a_zone))
}
