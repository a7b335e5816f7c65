//! Launch templates before they are compared: what only AWS tells of images and machine
//! types, which user data is kept, and which version a group must run.

use std::collections::{BTreeMap, BTreeSet};

use super::Planner;
use super::lifecycle::{Lifecycle, Origin};
use crate::autoscaling::autoscaling_group::OldUserData;
use crate::autoscaling::autoscaling_group::{AutoscalingGroup, LiveGroup};
use crate::catalogue::kinds::{Resource, State};
use crate::catalogue::live::Live;
use crate::core::in_use::{Hold, Thing};
use crate::core::seen::Looked;
use crate::desired::user_data::{self, Bootstrap};
use crate::desired::{DesiredCluster, Notice};
use crate::ec2::image::Images;
use crate::ec2::instance_type::LiveInstanceType;
use crate::ec2::launch_template::{LaunchTemplate, LiveTemplate};
use crate::limits::device;

/// What was found of instance groups. Of several of one name the first counts.
struct ByName<'a> {
    groups: BTreeMap<&'a str, &'a LiveGroup>,
    templates: BTreeMap<&'a str, &'a LiveTemplate>,
}

impl<'a> ByName<'a> {
    fn new(live: &'a Live) -> Self {
        let groups = live.seen.rows::<LiveGroup>().iter().rev();
        let templates = live.seen.rows::<LiveTemplate>().iter().rev();
        Self {
            groups: groups.map(|group| (group.name.as_str(), group)).collect(),
            templates: templates.map(|template| (template.name.as_str(), template)).collect(),
        }
    }
}

/// Fills in what the resources of instance groups lack.
pub(super) fn resolve(planner: &mut Planner<'_>, desired: &DesiredCluster) -> Vec<Resource> {
    let mut resources = desired.resources.clone();
    let live = ByName::new(planner.live);
    let lifecycle = planner.lifecycles.of(LaunchTemplate::KIND, Origin::Managed);
    if lifecycle != Lifecycle::Ignore {
        let mut bare = Vec::new();
        for resource in &mut resources {
            if let Resource::LaunchTemplate(template) = resource {
                image(planner, template);
                machine_type(planner, &live, template);
                let kept = keep_user_data(planner, &live, template, desired.bootstrap);
                if !kept && template.runs_kubernetes && desired.bootstrap == Bootstrap::Unset {
                    bare.push(template.group.clone());
                }
            }
        }
        if !bare.is_empty() {
            planner.plan.warnings.push(Notice {
                object: format!("Cluster/{}", desired.name),
                message: format!(
                    "nothing will start Kubernetes on the instances of {}, since spec.bootstrap \
                     is not set",
                    bare.join(", ")
                ),
                next: "bring it up with additionalUserData, and set spec.bootstrap to none to \
                       confirm"
                    .to_owned(),
            });
        }
    }
    mixed_types(planner, &resources);
    versions(planner, &live, &mut resources, lifecycle);
    resources
}

fn refuse(planner: &mut Planner<'_>, template: &LaunchTemplate, message: String, next: &str) {
    planner.plan.refusals.push(Notice {
        object: format!("InstanceGroup/{}", template.group),
        message,
        next: next.to_owned(),
    });
}

fn image(planner: &mut Planner<'_>, template: &mut LaunchTemplate) {
    let images = planner.live.seen.of::<Images>();
    let found = match (images.refused(), images.one()) {
        (Some(error), _) => Err((
            format!("images could not be looked at: {error}"),
            format!("allow {}", error.operation),
        )),
        (None, None) => return,
        (None, Some(images)) => {
            let found = images.find(&template.image, &planner.live.account);
            let next = "correct it: an id, OWNER/NAME or ssm:PARAMETER";
            found.map_err(|reason| (reason, next.to_owned()))
        }
    };
    match found {
        Ok(image) => {
            template.resolved.image.clone_from(&image.id);
            template.resolved.root_device.clone_from(&image.root_device);
            let is_root = |(name, _): &&(String, _)| device::is_same(name, &image.root_device);
            if let Some((name, _)) = template.volumes.iter().find(is_root) {
                let message = format!(
                    "spec.volumes has the device {name}, which is the root device of {}",
                    image.id
                );
                refuse(planner, template, message, "choose another device, such as /dev/xvdd");
            }
        }
        Err((reason, next)) if !template.image.is_empty() => {
            let message = format!("spec.image {}: {reason}", template.image);
            refuse(planner, template, message, &next);
        }
        Err(_) => {}
    }
}

fn machine_type(planner: &mut Planner<'_>, live: &ByName<'_>, template: &mut LaunchTemplate) {
    let types = match planner.live.seen.of::<LiveInstanceType>() {
        Looked::Not => return,
        Looked::Denied(error) => {
            // What is not known of a type is no reason to change what is mapped for it.
            let found = live.templates.get(template.name.as_str());
            let of_type = found.filter(|found| {
                found.content.machine_type.as_ref() == Some(&template.machine_type)
            });
            template.resolved.ephemeral = of_type.map_or(0, |found| found.mapped_disks());
            planner.plan.warnings.push(Notice {
                object: format!("InstanceGroup/{}", template.group),
                message: format!("its machine type could not be looked at: {error}"),
                next: format!("allow {}", error.operation),
            });
            return;
        }
        Looked::Found(types) => types,
    };
    if template.machine_type.is_empty() {
        return;
    }
    let Some(found) = types.iter().find(|one| one.name == template.machine_type) else {
        let message = format!(
            "spec.machineType {}: there is no such type in {}",
            template.machine_type, planner.plan.region
        );
        return refuse(planner, template, message, "choose another");
    };
    template.resolved.ephemeral = found.mapped_disks;
    if let Some(credits) = &template.cpu_credits
        && !found.burstable
    {
        planner.plan.warnings.push(Notice {
            object: format!("InstanceGroup/{}", template.group),
            message: format!(
                "spec.cpuCredits {credits}: {} has no credits, so that EC2 may start no instance",
                template.machine_type
            ),
            next: "remove it, or choose a burstable type such as t3.medium".to_owned(),
        });
    }
    let lacking: Vec<&str> = template
        .zones
        .iter()
        .filter(|zone| !found.zones.contains(*zone))
        .map(String::as_str)
        .collect();
    if !lacking.is_empty() {
        let message = format!(
            "spec.machineType {}: {} does not offer it",
            template.machine_type,
            lacking.join(" and ")
        );
        refuse(planner, template, message, "choose another type, or other subnets");
    }
}

/// Every type of a mixed group exists; in which zones, Auto Scaling sees to itself.
fn mixed_types(planner: &mut Planner<'_>, resources: &[Resource]) {
    let lifecycle = planner.lifecycles.of(AutoscalingGroup::KIND, Origin::Managed);
    let Looked::Found(types) = planner.live.seen.of::<LiveInstanceType>() else { return };
    let types: BTreeSet<&String> = types.iter().map(|one| &one.name).collect();
    if lifecycle == Lifecycle::Ignore {
        return;
    }
    let templates = resources.iter().filter_map(|resource| match resource {
        Resource::LaunchTemplate(template) => Some((&template.name, &template.group)),
        _ => None,
    });
    let groups: BTreeMap<&String, &String> = templates.collect();
    for resource in resources {
        let Resource::AutoscalingGroup(group) = resource else { continue };
        let Some(own) = groups.get(&group.name) else { continue };
        let named = group.mixed.iter().flat_map(|mixed| mixed.types.iter().enumerate());
        for (index, name) in named.filter(|(_, name)| !types.contains(name)) {
            planner.plan.refusals.push(Notice {
                object: format!("InstanceGroup/{own}"),
                message: format!(
                    "spec.mixedInstancesPolicy.instances[{index}] {name}: there is no such type \
                     in {}",
                    planner.plan.region
                ),
                next: "choose another".to_owned(),
            });
        }
    }
}

/// Keeps the user data that another tool gave to live instances, if the spec does not say
/// what is to take its place. Tells whether there is such.
fn keep_user_data(
    planner: &mut Planner<'_>,
    live: &ByName<'_>,
    template: &mut LaunchTemplate,
    bootstrap: Bootstrap,
) -> bool {
    if bootstrap != Bootstrap::Unset {
        return false;
    }
    let old = live.groups.get(template.name.as_str());
    let old = old.and_then(|group| group.launch_configuration.as_ref());
    let data = match old {
        Some(configuration) => match planner.live.seen.of::<OldUserData>() {
            Looked::Denied(error) => {
                // What it is made of is not known without it.
                planner.unknown.insert(template.resource_id(), error.clone());
                return true;
            }
            data => {
                let mut data = data.rows().iter();
                data.find(|data| data.configuration == *configuration).map(|data| &data.text)
            }
        },
        None => {
            let live = live.templates.get(template.name.as_str());
            live.and_then(|live| live.content.user_data.as_ref())
        }
    };
    let Some(data) = data.filter(|data| !user_data::is_ours(data)) else { return false };
    let more = match template.user_data {
        Some(_) => ", and spec.additionalUserData is not added to it",
        None => "",
    };
    planner.plan.warnings.push(Notice {
        object: template.resource_id().to_string(),
        message: format!(
            "its user data was written by another tool, and is kept byte for byte since \
             spec.bootstrap is not set{more}"
        ),
        next: "set spec.bootstrap to replace it".to_owned(),
    });
    template.user_data = Some(data.clone());
    true
}

/// Tells each group which version of its template it must run: the newest, or the one that
/// this plan makes.
fn versions(
    planner: &mut Planner<'_>,
    live: &ByName<'_>,
    resources: &mut [Resource],
    lifecycle: Lifecycle,
) {
    let mut next = BTreeMap::new();
    for resource in resources.iter_mut() {
        let Resource::LaunchTemplate(template) = resource else { continue };
        let newest = live.templates.get(template.name.as_str()).map_or(0, |live| live.version);
        let group = live.groups.get(template.name.as_str());
        template.resolved.next_version = newest + 1;
        let own = group.map_or_else(BTreeSet::new, |group| group.used_versions());
        let found = live.templates.get(template.name.as_str());
        let asked = found.map(|found| Thing::LaunchTemplate(found.id.clone()));
        let users = asked.as_ref().map(|thing| planner.live.in_use.users(thing));
        template.resolved.used = match (&users, found) {
            (Some(Ok(users)), _) => {
                own.into_iter().chain(users.iter().filter_map(|user| user.version)).collect()
            }
            // What is not known may use any.
            (Some(Err(_)), Some(found)) => found.old_versions.iter().copied().chain(own).collect(),
            _ => own,
        };
        let name = template.name.clone();
        let whole = Resource::LaunchTemplate(template.clone());
        let is_made = lifecycle.writes()
            && match planner.unless_unknown(&whole, whole.state(planner.view())) {
                State::Differs(_, Some(write)) => write.makes_version(),
                state => matches!(state, State::Missing(..)),
            };
        if is_made && found.is_some_and(|found| !found.old_versions.is_empty()) {
            match (users, asked) {
                (Some(Err(Hold::NotAsked)), Some(thing)) => {
                    planner.plan.unasked.insert(thing);
                }
                (Some(Err(hold)), _) => planner.plan.warnings.push(Notice {
                    object: template.resource_id().to_string(),
                    message: format!("no old version of it is deleted: {hold}"),
                    next: String::new(),
                }),
                _ => {}
            }
        }
        next.insert(name, if is_made { newest + 1 } else { newest });
    }
    for resource in resources {
        if let Resource::AutoscalingGroup(group) = resource
            && let Some(version) = next.get(&group.name)
        {
            group.version = *version;
        }
    }
}
