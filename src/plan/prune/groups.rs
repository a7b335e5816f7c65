//! Instance groups, with what they launch from and the IAM resources of their roles.

use super::{Pruning, Unwanted, unknown};
use crate::autoscaling::autoscaling_group::{
    AutoscalingGroup, AutoscalingGroupDeletion, ConfigurationUser, LaunchConfigurationDeletion,
    LiveGroup,
};
use crate::core::in_use::Thing;
use crate::core::kind::ResourceId;
use crate::ec2::launch_template::{LaunchTemplate, LaunchTemplateDeletion, LiveTemplate};
use crate::iam::instance_profile::{IamInstanceProfile, InstanceProfileDeletion};
use crate::iam::role::{Attached, IamRole, LiveIamRole, LiveInstanceProfile, RoleDeletion};
use crate::iam::role_policy::LivePolicies;
use crate::spec::role::Role;

const NO_GROUP: &str = "no instance group of the spec";
const NO_GROUP_OF_ROLE: &str = "no instance group of the spec has this role";

pub(super) fn plan(pruning: &mut Pruning<'_, '_>, cluster: &str) {
    if !pruning.writes(AutoscalingGroup::KIND) {
        return;
    }
    for group in pruning.live().seen.rows::<LiveGroup>() {
        scaling_group(pruning, group);
    }
    templates(pruning);
    for role in Role::ALL {
        let name = role.iam_name(cluster);
        if !pruning.is_wanted(IamRole::KIND, &name) && pruning.writes(IamRole::KIND) {
            of_role(pruning, &name);
        }
    }
}

/// A group with its instances and, where it runs on one, its launch configuration.
fn scaling_group(pruning: &mut Pruning<'_, '_>, group: &LiveGroup) {
    if pruning.is_wanted(AutoscalingGroup::KIND, &group.name) {
        return;
    }
    let id = ResourceId::new(AutoscalingGroup::KIND, &group.name);
    if let Some(why) = pruning.whose(id.kind, &group.marks()).reason() {
        pruning.stay(id, why);
        return;
    }
    let deletion = AutoscalingGroupDeletion(group.name.clone()).into();
    let reason = format!("{NO_GROUP}, with {} instances", group.instances.len());
    let (fields, needs) = (Vec::new(), Vec::new());
    pruning.remove(Unwanted { id: id.clone(), reason, fields, needs, behind: &[], deletion });
    pruning.going.insert(group.name.clone());
    if let Some(name) = &group.launch_configuration {
        configuration(pruning, name, &id);
    }
}

/// The launch configuration of a group that goes; what another group runs on stays.
fn configuration(pruning: &mut Pruning<'_, '_>, name: &str, group: &ResourceId) {
    let id = ResourceId::new(LaunchTemplate::KIND, name);
    let users = pruning.live().seen.of::<ConfigurationUser>();
    if let Some(error) = users.refused() {
        pruning.keep(id, &unknown("which groups run on it", error));
        return;
    }
    let mut users = users.rows().iter().filter(|user| user.configuration == name);
    match users.find(|user| user.group != group.name) {
        Some(user) => pruning.stay(id, &format!("used by AutoscalingGroup/{}", user.group)),
        None => {
            let deletion = LaunchConfigurationDeletion(name.to_owned()).into();
            let needs = vec![group.clone()];
            let reason = format!("the launch configuration of {}", group.name);
            let fields = Vec::new();
            pruning.remove(Unwanted { id, reason, fields, needs, behind: &[], deletion });
        }
    }
}

fn templates(pruning: &mut Pruning<'_, '_>) {
    for template in pruning.live().seen.rows::<LiveTemplate>() {
        // A template whose group went before it carries that group's name.
        let goes = pruning.going.contains(&template.name);
        let is_ours = goes || pruning.planner.owner.is_marked(&template.tags);
        if pruning.is_wanted(LaunchTemplate::KIND, &template.name) || !is_ours {
            continue;
        }
        let whose = pruning.whose(LaunchTemplate::KIND, &template.marks());
        let group = goes.then(|| ResourceId::new(AutoscalingGroup::KIND, &template.name));
        let unwanted = Unwanted {
            id: ResourceId::new(LaunchTemplate::KIND, &template.name),
            reason: NO_GROUP.to_owned(),
            fields: Vec::new(),
            needs: group.into_iter().collect(),
            behind: &[],
            deletion: LaunchTemplateDeletion(template.id.clone()).into(),
        };
        pruning.remove_if(unwanted, &whose, Some(Thing::LaunchTemplate(template.id.clone())));
    }
}

/// The IAM resources of a role that no group has any more. A role stays as long as instances
/// act by the profile that carries it.
fn of_role(pruning: &mut Pruning<'_, '_>, name: &str) {
    let profile = ResourceId::new(IamInstanceProfile::KIND, name);
    let seen = &pruning.live().seen;
    let refused = [
        seen.named::<LiveInstanceProfile>(name).refused(),
        seen.named::<LiveIamRole>(name).refused(),
        seen.named::<LivePolicies>(name).refused(),
        seen.named::<Attached>(name).refused(),
    ];
    if let Some(error) = refused.into_iter().flatten().next() {
        let id = ResourceId::new(IamRole::KIND, name);
        pruning.keep(id, &unknown("what there is of it", error));
        return;
    }
    let found = seen.one::<LiveInstanceProfile>(name);
    let thing = found.map(|found| Thing::InstanceProfile(found.arn.clone()));
    if let Some(found) = found {
        let whose = pruning.planner.whose_iam(profile.kind, name);
        let groups = pruning.going.iter();
        let unwanted = Unwanted {
            id: profile.clone(),
            reason: NO_GROUP_OF_ROLE.to_owned(),
            fields: Vec::new(),
            needs: groups.map(|name| ResourceId::new(AutoscalingGroup::KIND, name)).collect(),
            behind: &[],
            deletion: InstanceProfileDeletion {
                name: name.to_owned(),
                roles: found.role.iter().map(|role| role.name.clone()).collect(),
            }
            .into(),
        };
        pruning.remove_if(unwanted, &whose, thing.clone());
    }
    let policies = pruning.live().seen.one::<LivePolicies>(name);
    if let Some(policies) = policies {
        let attached = pruning.live().seen.one::<Attached>(name);
        let whose = pruning.planner.whose_iam(IamRole::KIND, name);
        let unwanted = Unwanted {
            id: ResourceId::new(IamRole::KIND, name),
            reason: NO_GROUP_OF_ROLE.to_owned(),
            fields: Vec::new(),
            needs: vec![profile],
            behind: &[],
            deletion: RoleDeletion {
                name: name.to_owned(),
                policies: policies.iter().map(|(name, _)| name.to_owned()).collect(),
                attached: attached.map(|attached| attached.0.clone()).unwrap_or_default(),
            }
            .into(),
        };
        pruning.remove_if(unwanted, &whose, thing);
    }
}
