//! The records of the cluster's own names: those that kapstan makes, and those that Kubernetes'
//! dns-controller makes for kops (`pkg/resources/aws/routes.go`).

use std::collections::BTreeSet;

use aws_sdk_route53::types::{ResourceRecordSet, RrType};
use futures::future::try_join_all;

use crate::aws::{Aws, AwsError};
use crate::catalogue::owned::{ByDnsName, Look, Row};
use crate::core::kind::ResourceId;
use crate::route53::dns_name::{DnsName, DnsRecordDeletion, LiveRecord, Targets};
use crate::route53::hosted_zone::{self, HostedZone};

/// Looks into every zone in which the cluster's names may lie: a record leads to the cluster's
/// things or it does not, whichever zone the spec names today.
pub(super) async fn observe(
    aws: &Aws,
    look: &Look,
    balancers: ByDnsName,
    addresses: BTreeSet<String>,
) -> Result<Vec<Row>, AwsError> {
    if look.zone == HostedZone::None {
        return Ok(Vec::new());
    }
    let mut targets = Targets { names: look.balancers.clone(), addresses, ..Targets::default() };
    for (name, whose) in balancers {
        targets.add_balancer(&name, whose);
    }
    let zones = hosted_zone::observe(aws).await?.into_rows()?;
    let cluster = look.owner.cluster();
    let zones = zones.iter().filter(|zone| hosted_zone::may_hold(&look.zone, zone, cluster));
    let sets = try_join_all(zones.map(async |zone| {
        let sets = read(aws, &zone.id).await?;
        Ok::<_, AwsError>(sets.into_iter().map(|set| (zone.id.clone(), set)))
    }))
    .await?;
    let rows = sets.into_iter().flatten().filter_map(|(zone, set)| {
        let record = LiveRecord::from_sdk(&zone, &set);
        if set.r#type != RrType::A || !is_own_name(&record.name, cluster) {
            return None;
        }
        Some(Row {
            id: ResourceId::new(DnsName::KIND, record.name.clone()),
            whose: look.owner.whose(DnsName::KIND, &record.marks(&targets)),
            deletion: DnsRecordDeletion { zone, record: Box::new(set) }.into(),
            marks_of_ours: None,
            held: None,
        })
    });
    Ok(rows.collect())
}

async fn read(aws: &Aws, zone: &str) -> Result<Vec<ResourceRecordSet>, AwsError> {
    let pages = aws.route53.list_resource_record_sets().hosted_zone_id(zone);
    let mut sets = Vec::new();
    let mut next = (None, None, None);
    loop {
        let call = pages.clone().set_start_record_name(next.0).set_start_record_type(next.1);
        let answer = call
            .set_start_record_identifier(next.2)
            .send()
            .await
            .map_err(|error| AwsError::new("route53:ListResourceRecordSets", zone, error))?;
        next = (
            answer.next_record_name().map(str::to_owned),
            answer.next_record_type().cloned(),
            answer.next_record_identifier().map(str::to_owned),
        );
        let is_truncated = answer.is_truncated();
        sets.extend(answer.resource_record_sets);
        if !is_truncated {
            return Ok(sets);
        }
    }
}

fn is_own_name(name: &str, cluster: &str) -> bool {
    let Some(own) = name.strip_suffix(&format!(".{cluster}")) else { return false };
    own == "api"
        || own == "api.internal"
        || own == "bastion"
        || own.strip_suffix(".internal").is_some_and(|etcd| etcd.starts_with("etcd-"))
}

#[cfg(test)]
mod tests {
    use super::is_own_name;

    #[test]
    fn only_the_cluster_s_own_names_are_its_records() {
        for name in ["api.a.com", "api.internal.a.com", "bastion.a.com", "etcd-b.internal.a.com"] {
            assert!(is_own_name(name, "a.com"), "{name}");
        }
        for name in ["a.com", "www.a.com", "api.b.a.com", "xapi.a.com", "api.xa.com"] {
            assert!(!is_own_name(name, "a.com"), "{name}");
        }
    }
}
