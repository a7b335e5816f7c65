//! Which hosted zone is the cluster's, and what it means if none is found.

use super::Planner;
use super::lifecycle::{Lifecycle, Origin};
use crate::catalogue::kinds::Resource;
use crate::core::seen::Looked;
use crate::desired::{DesiredCluster, Notice};
use crate::iam::role_policy::LivePolicies;
use crate::policy::document::Document;
use crate::route53::dns_zone::DnsZone;
use crate::route53::hosted_zone::{self, LiveZone};

impl Planner<'_> {
    pub(super) fn resolve_zone(&mut self, desired: &DesiredCluster) {
        let object = format!("Cluster/{}", desired.name);
        let found = match (self.live.seen.of::<LiveZone>(), desired.zone.is_looked_up()) {
            (_, false) => hosted_zone::find(&desired.zone, &[]),
            (Looked::Not, true) => return,
            (Looked::Found(zones), true) => hosted_zone::find(&desired.zone, zones),
            (Looked::Denied(error), true) => {
                self.plan.refusals.push(Notice {
                    object,
                    message: format!("the cluster's hosted zone is not known: {error}"),
                    next: "allow route53:ListHostedZones, or set spec.dnsZone to the zone's id"
                        .to_owned(),
                });
                return;
            }
        };
        match found {
            Ok(zone) => self.zone = zone,
            Err(reason) if self.has_zone_in_policies(desired) => self.plan.refusals.push(Notice {
                object,
                message: format!("{reason}, but the policies in AWS name one"),
                next: "set spec.dnsZone to the id of the zone that they name, or of its successor"
                    .to_owned(),
            }),
            Err(reason) if self.lifecycle_of_zone() == Lifecycle::Ignore => {
                self.plan.warnings.push(Notice {
                    object,
                    message: format!(
                        "{reason}, so the policies have no statements for its DNS records"
                    ),
                    next: "create the zone, or set spec.dnsZone to the id of another".to_owned(),
                });
            }
            Err(reason) => {
                let zone = desired.resources.iter().map(Resource::id);
                let zone = zone.into_iter().find(|id| id.kind == DnsZone::KIND);
                let notice = Notice {
                    object: zone.map_or(object, |id| id.to_string()),
                    message: reason,
                    next: "create the zone, or set spec.dnsZone to the id or name of another"
                        .to_owned(),
                };
                match self.lifecycle_of_zone() {
                    Lifecycle::ExistsAndWarnIfChanges => self.plan.warnings.push(notice),
                    _ => self.plan.refusals.push(notice),
                }
            }
        }
    }

    pub(super) fn lifecycle_of_zone(&self) -> Lifecycle {
        self.lifecycles.of(DnsZone::KIND, Origin::Managed)
    }

    /// Whether roles of ours may change some zone's records. A running cluster must not lose
    /// that because a zone cannot be found.
    pub(super) fn has_zone_in_policies(&self, desired: &DesiredCluster) -> bool {
        let ours = desired.resources.iter().filter_map(|resource| match resource {
            Resource::IamRolePolicy(policy) => self.live.seen.one::<LivePolicies>(&policy.role),
            _ => None,
        });
        let mut documents = ours.flat_map(|policies| policies.iter().map(|(_, live)| live));
        // One that cannot be read may name a zone as well.
        documents.any(|live| live.document.as_ref().is_none_or(Document::names_a_zone))
    }
}
