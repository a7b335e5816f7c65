//! What belongs to instance groups that the spec no longer has: shown apart, and deleted only
//! when asked. What is not the cluster's own stays, and says why.

use std::collections::BTreeSet;

use super::lifecycle::{Lifecycle, Origin};
use super::{Action, Change, Planner};
use crate::resource::delete::Deletion;
use crate::resource::whose::Whose;
use crate::resource::{Drift, Kind, Resource, ResourceId, Write};
use crate::spec::instance_group::Role;

pub(super) fn plan(planner: &mut Planner<'_>, cluster: &str, resources: &[Resource]) {
    if planner.lifecycles.of(Kind::AutoscalingGroup, Origin::Managed) != Lifecycle::Sync {
        return;
    }
    let wanted: BTreeSet<ResourceId> = resources.iter().map(Resource::id).collect();
    let is_wanted = |kind, name: &str| wanted.contains(&ResourceId::new(kind, name));
    let live = planner.live;
    let mut removals = Vec::new();
    let mut groups = Vec::new();
    for group in live.groups.rows() {
        if is_wanted(Kind::AutoscalingGroup, &group.name) {
            continue;
        }
        let id = ResourceId::new(Kind::AutoscalingGroup, &group.name);
        if let Some(why) = planner.owner.whose(id.kind, &group.marks()).reason() {
            removals.push(stay(id, why));
            continue;
        }
        let count = group.instances.len();
        removals.push(removal(
            id.clone(),
            format!("no instance group of the spec, with {count} instances"),
            Vec::new(),
            Deletion::AutoscalingGroup(group.name.clone()),
        ));
        if let Some(name) = &group.launch_configuration {
            removals.push(configuration(planner, name, &id));
        }
        groups.push(id);
    }
    let unwanted: BTreeSet<&ResourceId> = groups.iter().collect();
    for template in live.launch_templates.rows() {
        // A template whose group went before it carries that group's name.
        let group = ResourceId::new(Kind::AutoscalingGroup, &template.name);
        let group = unwanted.contains(&group).then_some(group);
        let is_marked = planner.owner.is_marked(&template.tags);
        if is_wanted(Kind::LaunchTemplate, &template.name) || !(group.is_some() || is_marked) {
            continue;
        }
        let id = ResourceId::new(Kind::LaunchTemplate, &template.name);
        if let Some(why) = planner.owner.whose(id.kind, &template.marks()).reason() {
            removals.push(stay(id, why));
            continue;
        }
        removals.push(removal(
            id,
            "no instance group of the spec".to_owned(),
            group.into_iter().collect(),
            Deletion::LaunchTemplate(template.id.clone()),
        ));
    }
    for role in Role::ALL {
        let name = role.iam_name(cluster);
        if !is_wanted(Kind::IamRole, &name)
            && planner.lifecycles.of(Kind::IamRole, Origin::Managed) == Lifecycle::Sync
        {
            removals.extend(role_removals(planner, &name, &groups));
        }
    }
    planner.plan.removals = removals;
}

/// The launch configuration of a group that goes; what another group runs on stays.
fn configuration(planner: &Planner<'_>, name: &str, group: &ResourceId) -> Change {
    let id = ResourceId::new(Kind::LaunchTemplate, name);
    let mut users = planner.live.configuration_users.get(name).into_iter().flatten();
    match users.find(|user| **user != group.name) {
        Some(user) => stay(id, &format!("used by AutoscalingGroup/{user}")),
        None => removal(
            id,
            format!("the launch configuration of {}", group.name),
            vec![group.clone()],
            Deletion::LaunchConfiguration(name.to_owned()),
        ),
    }
}

/// The IAM resources of a role that no group has any more.
fn role_removals(planner: &Planner<'_>, name: &str, groups: &[ResourceId]) -> Vec<Change> {
    let mut removals = Vec::new();
    let mut add = |id: ResourceId, needs: Vec<ResourceId>, deletion| {
        let whose = planner.whose_iam(id.kind, name);
        removals.push(match whose {
            Whose::Owned => {
                let reason = "no instance group of the spec has this role".to_owned();
                removal(id, reason, needs, deletion)
            }
            Whose::Shared(why) | Whose::Foreign(why) => stay(id, &why),
        });
    };
    let profile = ResourceId::new(Kind::IamInstanceProfile, name);
    if let Some(found) = planner.live.profiles.get(name).and_then(|profile| profile.found()) {
        let roles = found.role.iter().map(|(role, _)| role.clone()).collect();
        let deletion = Deletion::InstanceProfile { name: name.to_owned(), roles };
        add(profile.clone(), groups.to_vec(), deletion);
    }
    if let Some(found) = planner.live.policies.get(name).and_then(|policies| policies.found()) {
        let policies = found.keys().cloned().collect();
        let attached = planner.live.attached.get(name).and_then(|attached| attached.found());
        let attached = attached.cloned().unwrap_or_default();
        let deletion = Deletion::Role { name: name.to_owned(), policies, attached };
        add(ResourceId::new(Kind::IamRole, name), vec![profile], deletion);
    }
    removals
}

fn removal(id: ResourceId, reason: String, needs: Vec<ResourceId>, deletion: Deletion) -> Change {
    let drift = deletion.drift();
    let write = Some(Write::Delete(deletion));
    Change { id, action: Action::Delete, drift, reason, needs, behind: &[], write }
}

fn stay(id: ResourceId, why: &str) -> Change {
    let reason = format!("stays: {why}");
    let drift = Drift::default();
    Change { id, action: Action::Stay, drift, reason, needs: Vec::new(), behind: &[], write: None }
}
