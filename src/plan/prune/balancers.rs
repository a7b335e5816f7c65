//! Load balancers of API and bastions, and what leads to them or stands behind them.
//!
//! Kubernetes marks the load balancers of services with the same tags, and names them otherwise.

use super::{NO_LONGER, Pruning, Unwanted, unknown};
use crate::autoscaling::autoscaling_group::AutoscalingGroup;
use crate::autoscaling::load_balancer_attachment::{
    ExternalLoadBalancerAttachment, ExternalTargetGroupAttachment, LiveAttachment,
    LoadBalancerAttachment, LoadBalancerAttachmentDeletion, TargetGroupAttachmentDeletion,
};
use crate::catalogue::kinds::Resource;
use crate::core::kind::{Kind, ResourceId};
use crate::core::manage::Manage as _;
use crate::core::whose::Whose;
use crate::elb::load_balancer::{LiveLoadBalancer, LoadBalancer, LoadBalancerDeletion};
use crate::elb::network_load_balancer::{
    LiveNetworkLoadBalancer, NetworkLoadBalancer, NetworkLoadBalancerDeletion,
};
use crate::elb::target_group::{LiveTargetGroup, TargetGroup, TargetGroupDeletion};
use crate::route53::dns_name::{DnsName, DnsRecordDeletion, IdleRecord};

/// What leads to a load balancer is turned away before that goes, and what stands behind it stands
/// behind another one by then.
const BEHIND: &[Kind] = &[
    DnsName::KIND,
    LoadBalancerAttachment::KIND,
    ExternalLoadBalancerAttachment::KIND,
    ExternalTargetGroupAttachment::KIND,
];

pub(super) fn plan(pruning: &mut Pruning<'_, '_>) {
    attachments(pruning);
    classic(pruning);
    network(pruning);
    target_groups(pruning);
}

fn classic(pruning: &mut Pruning<'_, '_>) {
    let looked = pruning.live().seen.of::<LiveLoadBalancer>();
    for found in pruning.rows(LoadBalancer::KIND, looked) {
        if pruning.is_found(LoadBalancer::KIND, &found.name) {
            continue;
        }
        let whose = pruning.whose(LoadBalancer::KIND, &found.marks());
        if let (true, Some(error)) = (whose.is_owned(), unknown_records(pruning)) {
            pruning.keep(ResourceId::new(LoadBalancer::KIND, &found.name), &error);
            continue;
        }
        if let (true, Some(address)) = (whose.is_owned(), &found.address) {
            records(pruning, &found.name, &address.dns_name);
        }
        let unwanted = Unwanted {
            id: ResourceId::new(LoadBalancer::KIND, &found.name),
            reason: NO_LONGER.to_owned(),
            fields: Vec::new(),
            needs: Vec::new(),
            behind: BEHIND,
            deletion: LoadBalancerDeletion(found.name.clone()).into(),
        };
        pruning.remove_if(unwanted, &whose, None);
    }
}

fn network(pruning: &mut Pruning<'_, '_>) {
    let looked = pruning.live().seen.of::<LiveNetworkLoadBalancer>();
    let groups = pruning.live().seen.of::<LiveTargetGroup>();
    for found in pruning.rows(NetworkLoadBalancer::KIND, looked) {
        let is_wanted = |one: &Resource| match one {
            Resource::NetworkLoadBalancer(one) => one.is(found, pruning.planner.view()),
            _ => false,
        };
        let marks = found.marks_before(groups.rows(), &pruning.planner.owner);
        let id = ResourceId::new(NetworkLoadBalancer::KIND, &found.name);
        if pruning.resources.iter().any(is_wanted) || !pruning.is_ours(&id, &marks) {
            continue;
        }
        let unknown_groups = groups.refused().map(|error| unknown("what stands behind it", error));
        if let Some(why) = unknown_groups.or_else(|| unknown_records(pruning)) {
            pruning.keep(id, &why);
            continue;
        }
        if let Some(address) = &found.address {
            records(pruning, &found.name, &address.dns_name);
        }
        pruning.remove(Unwanted {
            id,
            reason: NO_LONGER.to_owned(),
            fields: Vec::new(),
            needs: Vec::new(),
            behind: BEHIND,
            deletion: NetworkLoadBalancerDeletion(found.arn.clone()).into(),
        });
    }
}

/// Target groups that no load balancer stands before which is left.
fn target_groups(pruning: &mut Pruning<'_, '_>) {
    let looked = pruning.live().seen.of::<LiveTargetGroup>();
    for found in pruning.rows(TargetGroup::KIND, looked) {
        let id = ResourceId::new(TargetGroup::KIND, &found.name);
        if pruning.wanted.contains(&id) || !pruning.is_ours(&id, &found.marks()) {
            continue;
        }
        let goes = |arn: &String| {
            pruning.deletes(|deletion| deletion.is(&NetworkLoadBalancerDeletion(arn.clone())))
        };
        if let Some(balancer) = found.balancers.iter().find(|arn| !goes(arn)) {
            let why = pruning.until_then(&format!("load balancer {balancer} stands before it"));
            pruning.keep(id, &why);
            continue;
        }
        pruning.remove(Unwanted {
            id,
            reason: NO_LONGER.to_owned(),
            fields: Vec::new(),
            needs: Vec::new(),
            behind: &[
                NetworkLoadBalancer::KIND,
                AutoscalingGroup::KIND,
                ExternalTargetGroupAttachment::KIND,
            ],
            deletion: TargetGroupDeletion(found.arn.clone()).into(),
        });
    }
}

/// Why it is not known what leads to a load balancer, if records go with it.
fn unknown_records(pruning: &Pruning<'_, '_>) -> Option<String> {
    let refused = pruning.live().seen.of::<IdleRecord>().refused()?;
    let told = || unknown("whether a record leads to it", refused);
    pruning.writes(DnsName::KIND).then(told)
}

/// The records that lead to a load balancer which goes.
fn records(pruning: &mut Pruning<'_, '_>, balancer: &str, dns_name: &str) {
    if !pruning.writes(DnsName::KIND) {
        return;
    }
    for idle in pruning.live().seen.rows::<IdleRecord>() {
        if !idle.record.leads_to(dns_name) {
            continue;
        }
        let unwanted = Unwanted {
            id: ResourceId::new(DnsName::KIND, &idle.record.name),
            reason: format!("leads to {balancer}"),
            fields: Vec::new(),
            needs: Vec::new(),
            behind: &[],
            deletion: DnsRecordDeletion {
                zone: idle.record.zone.clone(),
                record: Box::new(idle.set.clone()),
            }
            .into(),
        };
        pruning.remove_if(unwanted, &Whose::Owned, None);
    }
}

/// What the cluster's groups stand behind, though no group's spec says so.
fn attachments(pruning: &mut Pruning<'_, '_>) {
    let view = pruning.planner.view();
    let meant = |resource: &Resource, found: &LiveAttachment| match resource {
        Resource::LoadBalancerAttachment(wanted) => wanted.is(found, view),
        _ => false,
    };
    let mut unwanted = Vec::new();
    for found in pruning.live().seen.rows::<LiveAttachment>() {
        let is_target_group = found.to.starts_with("arn:");
        let kind = match is_target_group {
            true => ExternalTargetGroupAttachment::KIND,
            false => ExternalLoadBalancerAttachment::KIND,
        };
        let group = ResourceId::new(AutoscalingGroup::KIND, &found.group);
        let is_meant = pruning.resources.iter().any(|resource| meant(resource, found));
        if is_meant || !pruning.wanted.contains(&group) || !pruning.writes(kind) {
            continue;
        }
        let deletion = match is_target_group {
            true => TargetGroupAttachmentDeletion {
                group: found.group.clone(),
                target_group: found.to.clone(),
            }
            .into(),
            false => LoadBalancerAttachmentDeletion {
                group: found.group.clone(),
                balancer: found.to.clone(),
            }
            .into(),
        };
        unwanted.push(Unwanted {
            id: ResourceId::new(kind, format!("{} → {}", found.group, found.to)),
            reason: "the group's spec does not name it".to_owned(),
            fields: Vec::new(),
            needs: Vec::new(),
            // What is behind no load balancer for a while cannot be reached.
            behind: &[DnsName::KIND, LoadBalancerAttachment::KIND],
            deletion,
        });
    }
    for unwanted in unwanted {
        pruning.remove_if(unwanted, &Whose::Owned, None);
    }
}
