//! Launch templates before they are compared: what only AWS tells of images and machine
//! types, and which user data is kept.

use std::collections::{BTreeMap, BTreeSet};

use super::lifecycle::{Lifecycle, Lifecycles, Origin};
use super::told::Told;
use crate::autoscaling::autoscaling_group::{AutoscalingGroup, LiveGroup, OldUserData};
use crate::aws::AwsError;
use crate::catalogue::kinds::Resource;
use crate::catalogue::live::Live;
use crate::core::kind::ResourceId;
use crate::core::seen::{Looked, Seen};
use crate::desired::DesiredCluster;
use crate::desired::user_data::{self, Bootstrap};
use crate::ec2::image::Images;
use crate::ec2::instance_type::LiveInstanceType;
use crate::ec2::launch_template::{LaunchTemplate, LiveTemplate};
use crate::limits::device;

/// What was found of instance groups. Of several of one name the first counts.
#[derive(Debug)]
pub(super) struct ByName<'a> {
    pub(super) groups: BTreeMap<&'a str, &'a LiveGroup>,
    pub(super) templates: BTreeMap<&'a str, &'a LiveTemplate>,
}

impl<'a> ByName<'a> {
    pub(super) fn new(seen: &'a Seen) -> Self {
        let groups = seen.rows::<LiveGroup>().iter().rev();
        let templates = seen.rows::<LiveTemplate>().iter().rev();
        Self {
            groups: groups.map(|group| (group.name.as_str(), group)).collect(),
            templates: templates.map(|template| (template.name.as_str(), template)).collect(),
        }
    }
}

/// The resources of a cluster, with what those of instance groups lacked.
#[derive(Debug)]
pub(crate) struct Filled {
    pub(crate) resources: Vec<Resource>,
    /// Of what not all could be looked at that it is made of.
    pub(crate) unknown: BTreeMap<ResourceId, AwsError>,
    pub(crate) told: Told,
}

pub(crate) fn resolve(desired: &DesiredCluster, live: &Live, lifecycles: &Lifecycles) -> Filled {
    let is_looked_at = |kind| lifecycles.of(kind, Origin::Managed) != Lifecycle::Ignore;
    let mut resources = desired.resources.clone();
    let mut filling = Filling {
        live,
        by_name: ByName::new(&live.seen),
        region: &desired.region,
        bootstrap: desired.bootstrap,
        unknown: BTreeMap::new(),
        told: Told::default(),
    };
    if is_looked_at(LaunchTemplate::KIND) {
        let mut bare = Vec::new();
        for resource in &mut resources {
            if let Resource::LaunchTemplate(template) = resource {
                filling.image(template);
                filling.machine_type(template);
                let kept = filling.keep_user_data(template);
                if !kept && template.runs_kubernetes && desired.bootstrap == Bootstrap::Unset {
                    bare.push(template.group.clone());
                }
            }
        }
        if !bare.is_empty() {
            let message = format!(
                "nothing will start Kubernetes on the instances of {}, since spec.bootstrap is \
                 not set",
                bare.join(", ")
            );
            let next = "bring it up with additionalUserData, and set spec.bootstrap to none to \
                        confirm";
            filling.told.warn(format!("Cluster/{}", desired.name), message, next.to_owned());
        }
    }
    if is_looked_at(AutoscalingGroup::KIND) {
        filling.mixed_types(&resources);
    }
    let Filling { unknown, told, .. } = filling;
    Filled { resources, unknown, told }
}

struct Filling<'a> {
    live: &'a Live,
    by_name: ByName<'a>,
    region: &'a str,
    bootstrap: Bootstrap,
    unknown: BTreeMap<ResourceId, AwsError>,
    told: Told,
}

fn of_group(name: &str) -> String {
    format!("InstanceGroup/{name}")
}

impl Filling<'_> {
    fn refuse(&mut self, template: &LaunchTemplate, message: String, next: &str) {
        self.told.refuse(of_group(&template.group), message, next.to_owned());
    }

    fn image(&mut self, template: &mut LaunchTemplate) {
        let images = self.live.seen.of::<Images>();
        let found = match (images.refused(), images.one()) {
            (Some(error), _) => Err((
                format!("images could not be looked at: {error}"),
                format!("allow {}", error.operation),
            )),
            (None, None) => return,
            (None, Some(images)) => {
                let found = images.find(&template.image, &self.live.account);
                let next = "correct it: an id, OWNER/NAME or ssm:PARAMETER";
                found.map_err(|reason| (reason, next.to_owned()))
            }
        };
        match found {
            Ok(image) => {
                template.resolved.image = image.told();
                template.resolved.root_device.clone_from(&image.root_device);
                let is_root = |(name, _): &&(String, _)| device::is_same(name, &image.root_device);
                if let Some((name, _)) = template.volumes.iter().find(is_root) {
                    let message = format!(
                        "spec.volumes has the device {name}, which is the root device of {}",
                        image.id
                    );
                    self.refuse(template, message, "choose another device, such as /dev/xvdd");
                }
            }
            Err((reason, next)) if !template.image.is_empty() => {
                let message = format!("spec.image {}: {reason}", template.image);
                self.refuse(template, message, &next);
            }
            Err(_) => {}
        }
    }

    fn machine_type(&mut self, template: &mut LaunchTemplate) {
        let types = match self.live.seen.of::<LiveInstanceType>() {
            Looked::Not => return,
            Looked::Denied(error) => {
                // What is not known of a type is no reason to change what is mapped for it.
                let found = self.by_name.templates.get(template.name.as_str());
                let of_type = found.filter(|found| {
                    found.content.machine_type.as_ref() == Some(&template.machine_type)
                });
                template.resolved.ephemeral = of_type.map_or(0, |found| found.mapped_disks());
                let message = format!("its machine type could not be looked at: {error}");
                let next = format!("allow {}", error.operation);
                return self.told.warn(of_group(&template.group), message, next);
            }
            Looked::Found(types) => types,
        };
        if template.machine_type.is_empty() {
            return;
        }
        let Some(found) = types.iter().find(|one| one.name == template.machine_type) else {
            let message = format!(
                "spec.machineType {}: there is no such type in {}",
                template.machine_type, self.region
            );
            return self.refuse(template, message, "choose another");
        };
        template.resolved.ephemeral = found.mapped_disks;
        if let Some(credits) = &template.cpu_credits
            && !found.burstable
        {
            let message = format!(
                "spec.cpuCredits {credits}: {} has no credits, so that EC2 may start no instance",
                template.machine_type
            );
            let next = "remove it, or choose a burstable type such as t3.medium";
            self.told.warn(of_group(&template.group), message, next.to_owned());
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
            self.refuse(template, message, "choose another type, or other subnets");
        }
    }

    /// Every type of a mixed group exists; in which zones, Auto Scaling sees to itself.
    fn mixed_types(&mut self, resources: &[Resource]) {
        let Looked::Found(types) = self.live.seen.of::<LiveInstanceType>() else { return };
        let types: BTreeSet<&String> = types.iter().map(|one| &one.name).collect();
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
                let message = format!(
                    "spec.mixedInstancesPolicy.instances[{index}] {name}: there is no such type in \
                     {}",
                    self.region
                );
                self.told.refuse(of_group(own), message, "choose another".to_owned());
            }
        }
    }

    /// Keeps the user data that another tool gave to live instances, if the spec does not say
    /// what is to take its place. Tells whether there is such.
    fn keep_user_data(&mut self, template: &mut LaunchTemplate) -> bool {
        if self.bootstrap != Bootstrap::Unset {
            return false;
        }
        let old = self.by_name.groups.get(template.name.as_str());
        let old = old.and_then(|group| group.launch_configuration.as_ref());
        let data = match old {
            Some(configuration) => match self.live.seen.of::<OldUserData>() {
                Looked::Denied(error) => {
                    // What it is made of is not known without it.
                    self.unknown.insert(template.resource_id(), error.clone());
                    return true;
                }
                data => {
                    let mut data = data.rows().iter();
                    data.find(|data| data.configuration == *configuration).map(|data| &data.text)
                }
            },
            None => {
                let live = self.by_name.templates.get(template.name.as_str());
                live.and_then(|live| live.content.user_data.as_ref())
            }
        };
        let Some(data) = data.filter(|data| !user_data::is_ours(data)) else { return false };
        let more = match template.user_data {
            Some(_) => ", and spec.additionalUserData is not added to it",
            None => "",
        };
        let message = format!(
            "its user data was written by another tool, and is kept byte for byte since \
             spec.bootstrap is not set{more}"
        );
        let next = "set spec.bootstrap to replace it";
        self.told.warn(template.resource_id(), message, next.to_owned());
        template.user_data = Some(data.clone());
        true
    }
}
