//! Groups that no spec has any more, and what they keep.

use std::collections::BTreeMap;

use super::live::LiveGroup;
use super::{
    AutoscalingGroup, AutoscalingGroupDeletion, ConfigurationUser, LaunchConfigurationDeletion,
};
use crate::core::kind::ResourceId;
use crate::core::seen::Looked;
use crate::core::sweep::{Offer, Place, Sweep, Unclaimed, unknown};
use crate::ec2::key_pair::{LiveKeyPair, SshKey};
use crate::ec2::launch_template::{LaunchTemplate, LiveTemplate};

impl Unclaimed for AutoscalingGroup {
    /// A group goes with its instances and, where it runs on one, its launch configuration.
    fn unclaimed(sweep: &mut Sweep<'_>) {
        hold_key_pairs(sweep);
        for found in sweep.rows::<LiveGroup>(AutoscalingGroup::KIND) {
            let id = ResourceId::new(AutoscalingGroup::KIND, &found.name);
            if sweep.is_wanted(&id) {
                continue;
            }
            let whose = sweep.whose(AutoscalingGroup::KIND, &found.marks());
            if let (Some(name), true) = (&found.launch_configuration, whose.is_owned()) {
                configuration(sweep, name, &found.name);
            }
            let place = Place::new(AutoscalingGroup::KIND, &found.name);
            let members = found.instances.iter().map(|instance| instance.id.clone()).collect();
            let count = found.instances.len();
            let reason = format!("no instance group of the spec, with {count} instances");
            let offer = Offer::new(id, place, AutoscalingGroupDeletion(found.name.clone()));
            sweep.offer(offer.because(reason).if_owned(whose).with_members(members));
        }
    }
}

/// The launch configuration of a group that goes; what another group runs on stays.
fn configuration(sweep: &mut Sweep<'_>, name: &str, group: &str) {
    let id = ResourceId::new(LaunchTemplate::KIND, name);
    let users = sweep.view().seen.of::<ConfigurationUser>();
    if let Some(error) = users.refused() {
        sweep.keep(id, &unknown("which groups run on it", error));
        return;
    }
    let mut users = users.rows().iter().filter(|user| user.configuration == name);
    match users.find(|user| user.group != *group) {
        Some(user) => sweep.stay(id, &format!("used by AutoscalingGroup/{}", user.group)),
        None => {
            let place = Place::new(LaunchTemplate::KIND, name);
            let offer = Offer::new(id, place, LaunchConfigurationDeletion(name.to_owned()));
            let offer = offer.because(format!("the launch configuration of {group}"));
            sweep.offer(offer.along_with(Place::new(AutoscalingGroup::KIND, group)));
        }
    }
}

/// A group that stays as it is starts instances with the key pair that its version of a template
/// names. Of all versions, only the newest is looked at.
fn hold_key_pairs(sweep: &mut Sweep<'_>) {
    let seen = sweep.view().seen;
    let keys = seen.rows::<LiveKeyPair>();
    let Looked::Found(groups) = seen.of::<LiveGroup>() else {
        let why = sweep.until_then("whether launch templates name it was not looked at");
        for key in keys {
            sweep.hold(Place::new(SshKey::KIND, &key.name), why.clone());
        }
        return;
    };
    let templates = seen.rows::<LiveTemplate>().iter();
    let templates: BTreeMap<&str, &LiveTemplate> =
        templates.map(|template| (template.id.as_str(), template)).collect();
    let id = |group: &LiveGroup| ResourceId::new(AutoscalingGroup::KIND, &group.name);
    let left = groups.iter().filter(|group| !sweep.is_written(&id(group)));
    let mut left: Vec<&LiveGroup> = left.collect();
    left.sort_by_key(|group| &group.name);
    for group in left {
        let newest = group.template.as_ref().and_then(|(id, version)| {
            let template = templates.get(id.as_str())?;
            let is_newest = version == "$Latest" || *version == template.version.to_string();
            is_newest.then_some(template)
        });
        let does_without = |key: &&LiveKeyPair| {
            newest.is_some_and(|newest| newest.content.ssh_key.as_deref() != Some(&*key.name))
        };
        let why = sweep.until_then(&format!(
            "{} launches from what names it, or from a version that was not looked at",
            id(group)
        ));
        for key in keys.iter().filter(|key| !does_without(key)) {
            let group = Place::new(AutoscalingGroup::KIND, &group.name);
            sweep.hold_unless_gone(Place::new(SshKey::KIND, &key.name), group, why.clone());
        }
    }
}
