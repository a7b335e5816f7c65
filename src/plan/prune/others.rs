//! Everything beside instance groups: the network, volumes of etcd, what groups stand behind.
//!
//! Kubernetes marks what it makes with the same tags (balancers and security groups of services,
//! volumes of claims), so that of these only what bears a name of the cluster's own goes.

use super::{Pruning, Unwanted};
use crate::autoscaling::autoscaling_group::AutoscalingGroup;
use crate::autoscaling::load_balancer_attachment::{
    ExternalLoadBalancerAttachment, ExternalTargetGroupAttachment, LiveAttachment,
};
use crate::catalogue::deletion::Deletion;
use crate::core::drift::FieldChange;
use crate::core::kind::{Kind, ResourceId};
use crate::core::manage::Manage as _;
use crate::core::whose::Whose;
use crate::desired::names;
use crate::ec2::in_use::Thing;
use crate::ec2::volume::{EbsVolume, LiveVolume};
use crate::elb::load_balancer::{LiveLoadBalancer, LoadBalancer};
use crate::iam::role::IamRole;
use crate::plan::Prune;
use crate::route53::dns_name::{DnsName, IdleRecord};
use crate::spec::role::Role;
use crate::vpc::cidr_block::VpcCidrBlock;
use crate::vpc::nat_gateway::NatGateway;
use crate::vpc::security_group::{LiveSecurityGroup, SecurityGroup};
use crate::vpc::security_group_rule::{LiveRule, Peer, SecurityGroupRule};
use crate::vpc::subnet::{LiveSubnet, Subnet};
use crate::vpc::vpc::{LiveVpc, Vpc};

const NO_LONGER: &str = "not in the spec any more";

pub(super) fn plan(pruning: &mut Pruning<'_, '_>, cluster: &str) {
    subnets(pruning);
    security_groups(pruning, cluster);
    volumes(pruning);
    ranges(pruning);
    attachments(pruning);
    balancers(pruning);
}

/// Classic load balancers; those of services have other names.
fn balancers(pruning: &mut Pruning<'_, '_>) {
    if !pruning.writes(LoadBalancer::KIND) {
        return;
    }
    for found in pruning.live().seen.rows::<LiveLoadBalancer>() {
        if pruning.is_found(LoadBalancer::KIND, &found.name) {
            continue;
        }
        let whose = pruning.whose(LoadBalancer::KIND, &found.marks());
        if whose.is_owned() && pruning.writes(DnsName::KIND) {
            records(pruning, found);
        }
        let unwanted = Unwanted {
            id: ResourceId::new(LoadBalancer::KIND, &found.name),
            reason: NO_LONGER.to_owned(),
            fields: Vec::new(),
            needs: Vec::new(),
            behind: &[
                DnsName::KIND,
                ExternalLoadBalancerAttachment::KIND,
                ExternalTargetGroupAttachment::KIND,
            ],
            deletion: Deletion::LoadBalancer(found.name.clone()),
        };
        pruning.remove_if(unwanted, &whose, None);
    }
}

/// The records that lead to a load balancer which goes.
fn records(pruning: &mut Pruning<'_, '_>, balancer: &LiveLoadBalancer) {
    let Some(address) = &balancer.address else { return };
    for idle in pruning.live().seen.rows::<IdleRecord>() {
        if !idle.record.leads_to(&address.dns_name) {
            continue;
        }
        let unwanted = Unwanted {
            id: ResourceId::new(DnsName::KIND, &idle.record.name),
            reason: format!("leads to {}", balancer.name),
            fields: Vec::new(),
            needs: Vec::new(),
            behind: &[],
            deletion: Deletion::DnsRecord {
                zone: idle.record.zone.clone(),
                record: Box::new(idle.set.clone()),
            },
        };
        pruning.remove_if(unwanted, &Whose::Owned, None);
    }
}

/// A subnet goes once no group of the spec's lies in it any more.
fn subnets(pruning: &mut Pruning<'_, '_>) {
    if !pruning.writes(Subnet::KIND) {
        return;
    }
    for subnet in pruning.live().seen.rows::<LiveSubnet>() {
        let whose = pruning.whose(Subnet::KIND, &subnet.marks());
        if pruning.is_found(Subnet::KIND, &subnet.id) || !whose.is_owned() {
            continue;
        }
        let unwanted = Unwanted {
            id: named(Subnet::KIND, &subnet.id, subnet.tags.get("Name")),
            reason: NO_LONGER.to_owned(),
            fields: Vec::new(),
            needs: Vec::new(),
            behind: &[AutoscalingGroup::KIND, LoadBalancer::KIND, NatGateway::KIND],
            deletion: Deletion::Subnet(subnet.id.clone()),
        };
        pruning.remove_if(unwanted, &whose, Some(Thing::Subnet(subnet.id.clone())));
    }
}

/// The groups that bear the cluster's names. The rules that name one go before it.
fn security_groups(pruning: &mut Pruning<'_, '_>, cluster: &str) {
    if !pruning.writes(SecurityGroup::KIND) {
        return;
    }
    let own = names::own_security_groups(cluster);
    let rows = pruning.live().seen.rows::<LiveSecurityGroup>();
    for group in rows.iter().filter(|group| own.contains(&group.name)) {
        if pruning.is_found(SecurityGroup::KIND, &group.id)
            || pruning.is_wanted(SecurityGroup::KIND, &group.name)
        {
            continue;
        }
        let id = ResourceId::new(SecurityGroup::KIND, format!("{} ({})", group.name, group.id));
        let whose = pruning.whose(SecurityGroup::KIND, &group.marks());
        let names_it = |rule: &&LiveRule| rule.peer == Peer::Group(group.id.clone());
        let mut rules = group.rules.clone();
        let mut foreign = None;
        for other in rows.iter().filter(|other| other.id != group.id) {
            let naming: Vec<LiveRule> = other.rules.iter().filter(names_it).cloned().collect();
            let is_ours = pruning.whose(SecurityGroup::KIND, &other.marks()).is_owned();
            if !naming.is_empty() && !is_ours {
                foreign = Some(&other.id);
            }
            rules.extend(naming);
        }
        if let (Some(other), true) = (foreign, whose.is_owned()) {
            pruning.keep(id, &format!("named by a rule of {other}, which is not the cluster's"));
            continue;
        }
        let thing = Thing::SecurityGroup(group.id.clone());
        if whose.is_owned() {
            // One look asks about all that may go.
            pruning.hold(thing.clone());
        }
        if whose.is_owned()
            && let Some(role) = kept_role(pruning, cluster, &group.name)
        {
            pruning.keep(id, &format!("it goes after {role}"));
            continue;
        }
        let told = rules.iter().map(|rule| FieldChange {
            field: format!("rule of {}", rule.group),
            before: Some(rule.to_string()),
            after: None,
        });
        let unwanted = Unwanted {
            id,
            reason: NO_LONGER.to_owned(),
            fields: told.collect(),
            needs: Vec::new(),
            // The IAM resources of its role are looked for as long as it is there.
            behind: &[
                AutoscalingGroup::KIND,
                LoadBalancer::KIND,
                SecurityGroupRule::KIND,
                IamRole::KIND,
            ],
            deletion: Deletion::SecurityGroup { id: group.id.clone(), rules },
        };
        pruning.remove_if(unwanted, &whose, Some(thing));
    }
}

/// The role of a security group, if that is kept for now.
fn kept_role(pruning: &Pruning<'_, '_>, cluster: &str, group: &str) -> Option<ResourceId> {
    let mut roles = Role::ALL.into_iter();
    let role = roles.find(|role| names::security_group(cluster, *role).name == group)?;
    let id = ResourceId::new(IamRole::KIND, role.iam_name(cluster));
    pruning.planner.plan.kept.contains(&id).then_some(id)
}

/// What etcd has written is nowhere else: it goes by a word of its own, and never while it is
/// mounted.
fn volumes(pruning: &mut Pruning<'_, '_>) {
    if !pruning.writes(EbsVolume::KIND) {
        return;
    }
    for volume in pruning.live().seen.rows::<LiveVolume>() {
        let whose = pruning.whose(EbsVolume::KIND, &volume.marks());
        let is_wanted = pruning.is_found(EbsVolume::KIND, &volume.id);
        if is_wanted || !volume.is_of_etcd() || !whose.is_owned() {
            continue;
        }
        let id = named(EbsVolume::KIND, &volume.id, volume.tags.get("Name"));
        let command = pruning.command("--prune --prune-volumes");
        if !volume.attached_to.is_empty() {
            let ids = volume.attached_to.join(", ");
            pruning.keep(id, &format!("mounted by {ids}; when it is not any more: {command}"));
        } else if pruning.planner.prune == Prune::Everything {
            let unwanted = Unwanted {
                id,
                reason: "with all that this member of etcd has written".to_owned(),
                fields: Vec::new(),
                needs: Vec::new(),
                behind: &[AutoscalingGroup::KIND],
                deletion: Deletion::Volume(volume.id.clone()),
            };
            pruning.remove_if(unwanted, &whose, None);
        } else {
            pruning.keep(
                id,
                &format!("it holds what a member of etcd has written; to delete it: {command}"),
            );
        }
    }
}

/// The ranges of the cluster's own VPC beside its first.
fn ranges(pruning: &mut Pruning<'_, '_>) {
    if !pruning.writes(VpcCidrBlock::KIND) {
        return;
    }
    for vpc in pruning.live().seen.rows::<LiveVpc>() {
        let is_ours = pruning.whose(Vpc::KIND, &vpc.marks()).is_owned();
        if !is_ours || !pruning.is_found(Vpc::KIND, &vpc.id) {
            continue;
        }
        for (cidr, association) in &vpc.more_cidrs {
            if pruning.is_wanted(VpcCidrBlock::KIND, cidr) {
                continue;
            }
            let unwanted = Unwanted {
                id: ResourceId::new(VpcCidrBlock::KIND, cidr),
                reason: NO_LONGER.to_owned(),
                fields: Vec::new(),
                needs: Vec::new(),
                behind: &[Subnet::KIND],
                deletion: Deletion::CidrBlock(association.clone()),
            };
            pruning.remove_if(unwanted, &Whose::Owned, None);
        }
    }
}

/// What the cluster's groups stand behind, though no group's spec says so.
fn attachments(pruning: &mut Pruning<'_, '_>) {
    let view = pruning.planner.view();
    let mut unwanted = Vec::new();
    for found in pruning.live().seen.rows::<LiveAttachment>() {
        let is_target_group = found.to.starts_with("arn:");
        let kind = match is_target_group {
            true => ExternalTargetGroupAttachment::KIND,
            false => ExternalLoadBalancerAttachment::KIND,
        };
        let group = ResourceId::new(AutoscalingGroup::KIND, &found.group);
        let is_meant = pruning.attachments.iter().any(|wanted| wanted.is(found, view));
        if is_meant || !pruning.wanted.contains(&group) || !pruning.writes(kind) {
            continue;
        }
        let deletion = match is_target_group {
            true => Deletion::TargetGroupAttachment {
                group: found.group.clone(),
                target_group: found.to.clone(),
            },
            false => Deletion::LoadBalancerAttachment {
                group: found.group.clone(),
                balancer: found.to.clone(),
            },
        };
        unwanted.push(Unwanted {
            id: ResourceId::new(kind, format!("{} → {}", found.group, found.to)),
            reason: "the group's spec does not name it".to_owned(),
            fields: Vec::new(),
            needs: Vec::new(),
            behind: &[],
            deletion,
        });
    }
    for unwanted in unwanted {
        pruning.remove_if(unwanted, &Whose::Owned, None);
    }
}

fn named(kind: Kind, id: &str, name: Option<&String>) -> ResourceId {
    match name {
        Some(name) => ResourceId::new(kind, format!("{name} ({id})")),
        None => ResourceId::new(kind, id),
    }
}
