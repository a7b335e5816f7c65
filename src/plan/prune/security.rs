//! Security groups of roles and load balancers, and key pairs.
//!
//! Kubernetes marks the security groups that it makes for services with the same tags, so that of
//! these only what bears a name of the cluster's own goes.

use super::{NO_LONGER, Pruning, Unwanted};
use crate::autoscaling::autoscaling_group::{AutoscalingGroup, LiveGroup};
use crate::core::deletion::Deletion;
use crate::core::drift::FieldChange;
use crate::core::in_use::Thing;
use crate::core::kind::ResourceId;
use crate::core::seen::Looked;
use crate::desired::names;
use crate::ec2::key_pair::{KeyPairDeletion, LiveKeyPair, SshKey};
use crate::ec2::launch_template::{LaunchTemplate, LaunchTemplateDeletion, LiveTemplate};
use crate::elb::load_balancer::LoadBalancer;
use crate::elb::network_load_balancer::NetworkLoadBalancer;
use crate::iam::role::IamRole;
use crate::spec::role::Role;
use crate::vpc::security_group::{LiveSecurityGroup, SecurityGroup, SecurityGroupDeletion};
use crate::vpc::security_group_rule::{LiveRule, Peer, SecurityGroupRule};

pub(super) fn plan(pruning: &mut Pruning<'_, '_>, cluster: &str) {
    security_groups(pruning, cluster);
    key_pairs(pruning, cluster);
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
                NetworkLoadBalancer::KIND,
                SecurityGroupRule::KIND,
                IamRole::KIND,
            ],
            deletion: SecurityGroupDeletion { id: group.id.clone(), rules }.into(),
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

/// Key pairs that earlier keys have left. Instances that run need none, but none starts from a
/// version of a launch template that names one which is gone (EC2 API, `RunInstances`).
fn key_pairs(pruning: &mut Pruning<'_, '_>, cluster: &str) {
    for key in pruning.rows(SshKey::KIND, pruning.live().seen.of::<LiveKeyPair>()) {
        let id = ResourceId::new(SshKey::KIND, &key.name);
        let whose = pruning.whose(SshKey::KIND, &key.marks(cluster));
        if pruning.wanted.contains(&id) || !whose.is_owned() {
            continue;
        }
        if let Some(why) = names_key(pruning, &key.name) {
            let why = pruning.until_then(&why);
            pruning.keep(id, &why);
            continue;
        }
        let unwanted = Unwanted {
            id,
            reason: NO_LONGER.to_owned(),
            fields: Vec::new(),
            needs: Vec::new(),
            behind: &[LaunchTemplate::KIND, AutoscalingGroup::KIND],
            deletion: KeyPairDeletion(key.name.clone()).into(),
        };
        pruning.remove_if(unwanted, &whose, None);
    }
}

/// What still starts instances with a key pair when the plan is carried out, or may.
fn names_key(pruning: &Pruning<'_, '_>, key: &str) -> Option<String> {
    let live = pruning.live();
    let (Looked::Found(templates), Looked::Found(groups)) =
        (live.seen.of::<LiveTemplate>(), live.seen.of::<LiveGroup>())
    else {
        return Some("whether launch templates name it was not looked at".to_owned());
    };
    let is_written = |kind, name: &String| pruning.written.contains(&ResourceId::new(kind, name));
    let naming =
        templates.iter().filter(|template| template.content.ssh_key.as_deref() == Some(key));
    let stays = naming.filter(|template| {
        let goes = |deletion: &Deletion| deletion.is(&LaunchTemplateDeletion(template.id.clone()));
        !is_written(LaunchTemplate::KIND, &template.name) && !pruning.deletes(goes)
    });
    if let Some(template) = stays.min_by_key(|template| &template.name) {
        return Some(format!("named by {}/{}", LaunchTemplate::KIND, template.name));
    }
    let does_without = |group: &LiveGroup| {
        let Some((id, version)) = &group.template else { return false };
        let mut own = templates.iter().filter(|template| template.id == *id);
        own.any(|template| {
            let is_newest = version == "$Latest" || *version == template.version.to_string();
            is_newest && template.content.ssh_key.as_deref() != Some(key)
        })
    };
    let others = groups.iter().filter(|group| {
        let changes = is_written(AutoscalingGroup::KIND, &group.name);
        !changes && !pruning.going.contains(&group.name) && !does_without(group)
    });
    let group = others.min_by_key(|group| &group.name)?;
    Some(format!(
        "{}/{} launches from what names it, or from a version that was not looked at",
        AutoscalingGroup::KIND,
        group.name
    ))
}
