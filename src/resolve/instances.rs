//! Launch templates before they are compared: what only AWS tells of images and machine
//! types, and which user data is kept.

use std::collections::BTreeMap;

use super::lifecycle::{Lifecycle, Lifecycles, Origin};
use super::told::Told;
use crate::autoscaling::autoscaling_group::{AutoscalingGroup, LiveGroup, OldUserData};
use crate::autoscaling::warm_pool::WarmPool;
use crate::aws::AwsError;
use crate::aws::tags::Tags;
use crate::catalogue::kinds::Resource;
use crate::catalogue::live::Live;
use crate::core::id::Ref;
use crate::core::kind::ResourceId;
use crate::core::seen::{Looked, Seen};
use crate::desired::DesiredCluster;
use crate::desired::user_data::{self, Bootstrap};
use crate::ec2::image::Images;
use crate::ec2::instance_type::{self, LiveInstanceType, X86_64};
use crate::ec2::launch_template::{LaunchTemplate, LiveTemplate, WantedImage};
use crate::ec2::user_data::{Part, UserData};
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
        let mut gpus = BTreeMap::new();
        for resource in &mut resources {
            if let Resource::LaunchTemplate(template) = resource {
                filling.machine_and_image(template);
                let tags = filling.gpu_tags(template);
                template.tags.extend(tags.clone());
                gpus.insert(template.name.clone(), tags);
                let boots = filling.merge_user_data(template);
                if !boots && template.runs_kubernetes && desired.bootstrap == Bootstrap::Unset {
                    bare.push(template.group.clone());
                    if filling.gets_notice(template) {
                        let bootstrap = Some(Part::notice(&desired.name));
                        let parts = template.parts.clone();
                        template.user_data = UserData { bootstrap, parts }.write();
                    }
                }
            }
        }
        for resource in &mut resources {
            if let Resource::AutoscalingGroup(group) = resource {
                group.tags.extend(gpus.remove(&group.name).unwrap_or_default());
            }
        }
        if !bare.is_empty() {
            let message = format!(
                "nothing will start Kubernetes on the instances of {}: kops has not written what \
                 they are to run, and kapstan does not",
                bare.join(", ")
            );
            let next = "bring it up with kops update cluster, or with additionalUserData, and \
                        confirm that by the annotation kapstan.io/bootstrap: none";
            filling.told.warn(format!("Cluster/{}", desired.name), message, next.to_owned());
        }
    }
    if is_looked_at(AutoscalingGroup::KIND) {
        filling.mixed_types(&resources);
        resources.extend(filling.pools_that_go(&desired.resources));
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

    /// A machine type that is not named hangs on the image, and an image on the machine type.
    fn machine_and_image(&mut self, template: &mut LaunchTemplate) {
        if template.machine_type.is_empty() {
            let architecture = match &template.image {
                WantedImage::Named(name) => self.architecture(name),
                WantedImage::ByArchitecture(_) | WantedImage::Unknown => X86_64.to_owned(),
            };
            self.choose_machine_type(template, &architecture);
        }
        let told = self.machine_type(template).map(|found| found.architectures.clone());
        let told = told.filter(|architectures| !architectures.is_empty());
        let name = match &told {
            Some(architectures) => template.image.of(architectures).map(str::to_owned),
            None => self.image_there_is(template),
        };
        match name {
            Some(name) => self.image(template, &name, told.as_deref()),
            // Why it is not known is told.
            None if template.image == WantedImage::Unknown => {}
            None => {
                let architectures = told.unwrap_or_default().join(" and ");
                let message =
                    format!("spec.image is missing, and kops has none for {architectures}");
                self.refuse(template, message, "name one");
            }
        }
    }

    /// Where it is not known what a machine type runs: of the images that it may be, the one that
    /// there is, or else the first.
    fn image_there_is(&self, template: &LaunchTemplate) -> Option<String> {
        let found = self.by_name.templates.get(template.name.as_str());
        let there = found.and_then(|found| found.content.image.as_deref());
        let images = self.live.seen.of::<Images>().one();
        let is_there = |name: &&str| {
            let image = images.and_then(|images| images.find(name, &self.live.account).ok());
            image.is_some_and(|image| Some(image.id.as_str()) == there)
        };
        let names = template.image.names();
        let chosen = names.iter().copied().find(is_there).or(names.first().copied());
        chosen.map(str::to_owned)
    }

    fn architecture(&self, image: &str) -> String {
        let found = self.live.seen.of::<Images>().one();
        let found = found.and_then(|images| images.find(image, &self.live.account).ok());
        let known = found.map(|found| found.architecture.clone());
        known.filter(|known| !known.is_empty()).unwrap_or_else(|| X86_64.to_owned())
    }

    /// The first that kops would choose and that all zones of the group have.
    fn choose_machine_type(&mut self, template: &mut LaunchTemplate, architecture: &str) {
        let candidates = instance_type::candidates(template.runs_kubernetes).iter();
        let mut fitting = candidates.filter(|(_, own)| *own == architecture).map(|(name, _)| *name);
        let types = match self.live.seen.of::<LiveInstanceType>() {
            Looked::Not => return,
            Looked::Denied(_) => {
                // Which zones have which is not known; what there is, stays.
                let found = self.by_name.templates.get(template.name.as_str());
                let found = found.and_then(|found| found.content.machine_type.clone());
                let chosen = found.or_else(|| fitting.next().map(str::to_owned));
                template.machine_type = chosen.unwrap_or_default();
                return;
            }
            Looked::Found(types) => types,
        };
        let chosen = fitting.find(|name| {
            let found = types.iter().find(|one| one.name == *name);
            found.is_some_and(|found| template.zones.iter().all(|zone| found.zones.contains(zone)))
        });
        match chosen {
            Some(name) => template.machine_type = name.to_owned(),
            None => {
                let message = format!(
                    "spec.machineType is missing, and none of those that kops chooses from for \
                     {architecture} is in {}",
                    template.zones.join(" and ")
                );
                self.refuse(template, message, "name one");
            }
        }
    }

    fn image(
        &mut self,
        template: &mut LaunchTemplate,
        name: &str,
        architectures: Option<&[String]>,
    ) {
        let images = self.live.seen.of::<Images>();
        let found = match (images.refused(), images.one()) {
            (Some(error), _) => Err((
                format!("images could not be looked at: {error}"),
                format!("allow {}", error.operation),
            )),
            (None, None) => return,
            (None, Some(images)) => {
                let found = images.find(name, &self.live.account);
                let next = "correct it: an id, OWNER/NAME or ssm:PARAMETER";
                found.map_err(|reason| (reason, next.to_owned()))
            }
        };
        let image = match found {
            Ok(image) => image,
            Err((reason, next)) => {
                let message = format!("spec.image {name}: {reason}");
                return self.refuse(template, message, &next);
            }
        };
        template.resolved.image = image.told();
        template.resolved.architecture.clone_from(&image.architecture);
        template.resolved.root_device.clone_from(&image.root_device);
        let is_root = |(name, _): &&(String, _)| device::is_same(name, &image.root_device);
        if let Some((name, _)) = template.volumes.iter().find(is_root) {
            let message = format!(
                "spec.volumes has the device {name}, which is the root device of {}",
                image.id
            );
            self.refuse(template, message, "choose another device, such as /dev/xvdd");
        }
        if let Some(architectures) = architectures
            && !image.architecture.is_empty()
            && !architectures.contains(&image.architecture)
        {
            let message = format!(
                "spec.image {name} is for {}, and {} runs {}",
                image.architecture,
                template.machine_type,
                architectures.join(" and ")
            );
            self.refuse(template, message, "choose another image, or another machine type");
        }
    }

    /// What AWS tells of the machine type, if it tells anything.
    fn machine_type(&mut self, template: &mut LaunchTemplate) -> Option<&LiveInstanceType> {
        let types = match self.live.seen.of::<LiveInstanceType>() {
            Looked::Not => return None,
            Looked::Denied(error) => {
                // What is not known of a type is no reason to change what is mapped for it.
                let found = self.by_name.templates.get(template.name.as_str());
                let of_type = found.filter(|found| {
                    found.content.machine_type.as_ref() == Some(&template.machine_type)
                });
                template.resolved.ephemeral = of_type.map_or(0, |found| found.mapped_disks());
                let message = format!("its machine type could not be looked at: {error}");
                let next = format!("allow {}", error.operation);
                self.told.warn(of_group(&template.group), message, next);
                return None;
            }
            Looked::Found(types) => types,
        };
        if template.machine_type.is_empty() {
            return None;
        }
        let Some(found) = types.iter().find(|one| one.name == template.machine_type) else {
            let message = format!(
                "spec.machineType {}: there is no such type in {}",
                template.machine_type, self.region
            );
            self.refuse(template, message, "choose another");
            return None;
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
        Some(found)
    }

    /// The tags that a group gets for the GPUs of its machines. Where the type could not be looked
    /// at, those stay that are there.
    fn gpu_tags(&self, template: &LaunchTemplate) -> Tags {
        let has_gpus = match self.live.seen.of::<LiveInstanceType>() {
            Looked::Found(types) => {
                types.iter().any(|one| one.name == template.machine_type && one.has_gpus)
            }
            Looked::Not | Looked::Denied(_) => {
                let found = self.by_name.templates.get(template.name.as_str());
                let tags = found.map(|found| &found.content.started_tags.instance);
                tags.is_some_and(|tags| template.gpu_tags.keys().all(|key| tags.contains_key(key)))
            }
        };
        if has_gpus { template.gpu_tags.clone() } else { Tags::new() }
    }

    /// The warm pools that groups have and the spec no longer does.
    fn pools_that_go(&self, wanted: &[Resource]) -> Vec<Resource> {
        let groups = wanted.iter().filter_map(|resource| match resource {
            Resource::AutoscalingGroup(group) if !group.has_warm_pool => Some(group),
            _ => None,
        });
        let has_pool = |group: &&AutoscalingGroup| {
            let found = self.by_name.groups.get(group.name.as_str());
            found.is_some_and(|found| found.warm_pool.is_some())
        };
        let pool = |group: &AutoscalingGroup| WarmPool { group: Ref::to(&group.name), sizes: None };
        groups.filter(has_pool).map(|group| pool(group).into()).collect()
    }

    /// Every type of a mixed group exists, runs the image, and has GPUs if the group's own has; in
    /// which zones, Auto Scaling sees to itself.
    fn mixed_types(&mut self, resources: &[Resource]) {
        let Looked::Found(types) = self.live.seen.of::<LiveInstanceType>() else { return };
        let types: BTreeMap<&str, &LiveInstanceType> =
            types.iter().map(|one| (one.name.as_str(), one)).collect();
        let templates = resources.iter().filter_map(|resource| match resource {
            Resource::LaunchTemplate(template) => Some((&template.name, template)),
            _ => None,
        });
        let templates: BTreeMap<&String, &LaunchTemplate> = templates.collect();
        for resource in resources {
            let Resource::AutoscalingGroup(group) = resource else { continue };
            let Some(template) = templates.get(&group.name) else { continue };
            let own = types.get(template.machine_type.as_str());
            let named = group.mixed.iter().flat_map(|mixed| mixed.types.iter().enumerate());
            for (index, name) in named {
                let why = match types.get(name.as_str()) {
                    None => format!("there is no such type in {}", self.region),
                    Some(found) => match misfit(template, own.copied(), found) {
                        None => continue,
                        Some(why) => why,
                    },
                };
                let message = format!("spec.mixedInstancesPolicy.instances[{index}] {name}: {why}");
                self.told.refuse(of_group(&template.group), message, "choose another".to_owned());
            }
        }
    }

    /// Keeps what another tool gave live instances to bring up Kubernetes, beside what the group
    /// adds, if the spec does not say what is to take its place. Tells whether there is such.
    fn merge_user_data(&mut self, template: &mut LaunchTemplate) -> bool {
        let keeps = self.bootstrap == Bootstrap::Unset && template.runs_kubernetes;
        let old = self.by_name.groups.get(template.name.as_str());
        let old = old.and_then(|group| group.launch_configuration.as_ref());
        let data = match old {
            Some(_) if !keeps => None,
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
        let Some(data) = data else { return false };
        let Some(mut found) = UserData::read(data) else {
            if keeps {
                self.told_kept(template, "its user data", !template.parts.is_empty());
                template.user_data = Some(data.clone());
            }
            return keeps;
        };
        let had_bootstrap = found.bootstrap.is_some();
        found.bootstrap = found.bootstrap.filter(|part| keeps && !part.is_notice());
        let boots = found.bootstrap.is_some();
        if found.parts == template.parts && boots == had_bootstrap {
            template.user_data = Some(data.clone());
            if boots {
                self.told_kept(template, "its user data", false);
            }
            return boots;
        }
        found.parts.clone_from(&template.parts);
        template.user_data = found.write();
        if boots {
            self.told_kept(template, "what brings up Kubernetes in its user data", false);
        }
        let refused = template.user_data.as_deref().and_then(user_data::refusal);
        if let Some(reason) = refused {
            let message = format!("spec.additionalUserData, beside what is kept, {reason}");
            self.refuse(template, message, "let the instance fetch the rest when it boots");
        }
        boots
    }

    /// Whether instances say themselves that nothing brings up Kubernetes. Those that ran without
    /// a word before need no new launch template for it.
    fn gets_notice(&self, template: &LaunchTemplate) -> bool {
        let group = self.by_name.groups.get(template.name.as_str());
        let has_configuration = group.is_some_and(|group| group.launch_configuration.is_some());
        let Some(live) = self.by_name.templates.get(template.name.as_str()) else {
            return !has_configuration;
        };
        let found = live.content.user_data.as_deref().and_then(UserData::read);
        found.and_then(|found| found.bootstrap).is_some_and(|part| part.is_notice())
    }

    fn told_kept(&mut self, template: &LaunchTemplate, what: &str, leaves_parts_out: bool) {
        let more = match leaves_parts_out {
            true => ", and spec.additionalUserData is not added to it",
            false => "",
        };
        let message = format!(
            "{what} was written by another tool, and is kept byte for byte since there is no \
             annotation kapstan.io/bootstrap{more}"
        );
        let next = "annotate the cluster with kapstan.io/bootstrap: none to replace it";
        self.told.warn(template.resource_id(), message, next.to_owned());
    }
}

/// Why a machine type cannot stand beside a group's own.
fn misfit(
    template: &LaunchTemplate,
    own: Option<&LiveInstanceType>,
    found: &LiveInstanceType,
) -> Option<String> {
    let image = &template.resolved.architecture;
    if !image.is_empty() && !found.architectures.is_empty() && !found.architectures.contains(image)
    {
        let runs = found.architectures.join(" and ");
        return Some(format!("it runs {runs}, and the image is for {image}"));
    }
    let own = own.filter(|own| own.has_gpus != found.has_gpus)?;
    let [has, has_not] = if found.has_gpus { [found, own] } else { [own, found] };
    Some(format!("{} has GPUs and {} has none, which kops does not mix", has.name, has_not.name))
}
