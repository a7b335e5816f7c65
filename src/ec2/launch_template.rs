//! `LaunchTemplate`: what the instances of a group are made of. A change makes a new version;
//! the group points at one by number.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::types::{
    CreditSpecificationRequest, Filter, HttpTokensState, InstanceInterruptionBehavior,
    InstanceType, LaunchTemplateBlockDeviceMappingRequest, LaunchTemplateEbsBlockDeviceRequest,
    LaunchTemplateHttpTokensState, LaunchTemplateIamInstanceProfileSpecificationRequest,
    LaunchTemplateInstanceMarketOptionsRequest, LaunchTemplateInstanceMetadataOptionsRequest,
    LaunchTemplateInstanceNetworkInterfaceSpecificationRequest, LaunchTemplatePlacementRequest,
    LaunchTemplateSpotMarketOptionsRequest, LaunchTemplateVersion,
    LaunchTemplatesMonitoringRequest, MarketType, RequestLaunchTemplateData, ResourceType,
    ResponseLaunchTemplateData, Tenancy, VolumeType,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::future::{try_join, try_join_all};
use md5::{Digest as _, Md5};

use crate::aws::tags::{CLUSTER_TAG, Tags, owner_tag};
use crate::aws::{Answer, Aws, AwsError, Fault, ec2};
use crate::core::creation::{Creation, Standing};
use crate::core::drift::FieldChange;
use crate::core::kind::ResourceId;
use crate::core::manage::{Manage, View};
use crate::core::seen::Looked;
use crate::core::text::{TextChanged, TextFields};
use crate::core::whose::{Marks, Owner, Taggable, Whose};
use crate::core::work::{Told, Work};
use crate::spec::arn::name_of;

const DESCRIBE: &str = "ec2:DescribeLaunchTemplates";
const DESCRIBE_VERSIONS: &str = "ec2:DescribeLaunchTemplateVersions";
const CREATE: &str = "ec2:CreateLaunchTemplate";
const CREATE_VERSION: &str = "ec2:CreateLaunchTemplateVersion";
const DELETE_VERSIONS: &str = "ec2:DeleteLaunchTemplateVersions";

/// How many versions are kept, beside those that instances use.
const VERSIONS_KEPT: i64 = 10;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LaunchTemplate {
    pub(crate) name: String,
    /// The instance group that it is made for.
    pub(crate) group: String,
    pub(crate) zones: Vec<String>,
    pub(crate) runs_kubernetes: bool,
    /// The image as the spec names it.
    pub(crate) image: String,
    pub(crate) machine_type: String,
    pub(crate) ssh_key: Option<ResourceId>,
    /// The name of the instance profile.
    pub(crate) profile: String,
    pub(crate) security_groups: Vec<ResourceId>,
    pub(crate) public_ip: bool,
    pub(crate) root: Volume,
    pub(crate) volumes: Vec<(String, Volume)>,
    pub(crate) monitoring: bool,
    pub(crate) tenancy: Option<String>,
    pub(crate) spot: Option<Spot>,
    /// `required` or `optional`.
    pub(crate) http_tokens: Option<String>,
    pub(crate) http_hop_limit: Option<i32>,
    pub(crate) cpu_credits: Option<String>,
    pub(crate) ebs_optimized: Option<bool>,
    pub(crate) user_data: Option<Vec<u8>>,
    pub(crate) tags: Tags,
    /// Resources that must be there, though the template does not name their ids.
    pub(crate) after: Vec<ResourceId>,
    pub(crate) resolved: Resolved,
}

/// What only AWS tells, filled in before the plan is made.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Resolved {
    pub(crate) image: String,
    pub(crate) root_device: String,
    /// How many disks of the instance itself are mapped.
    pub(crate) ephemeral: i32,
    /// The number of the next version.
    pub(crate) next_version: i64,
    /// Versions that instances or the group use.
    pub(crate) used: BTreeSet<i64>,
    /// Old versions that go when the next is made.
    pub(crate) goes: Vec<i64>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Volume {
    /// In GiB.
    pub(crate) size: i32,
    pub(crate) volume_type: String,
    pub(crate) iops: Option<i32>,
    /// In MiB a second.
    pub(crate) throughput: Option<i32>,
    pub(crate) encrypted: bool,
    pub(crate) kms_key: Option<String>,
    pub(crate) delete_on_termination: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Spot {
    /// In dollars an hour; `None` for up to the price on demand.
    pub(crate) price: Option<String>,
    pub(crate) interruption: Option<String>,
}

/// The newest version of a template.
#[derive(Clone, Debug)]
pub(crate) struct LiveTemplate {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) tags: Tags,
    pub(crate) version: i64,
    /// Versions beyond those that are kept, but for the default one.
    pub(crate) old_versions: Vec<i64>,
    pub(crate) image: Option<String>,
    pub(crate) machine_type: Option<String>,
    pub(crate) ssh_key: Option<String>,
    pub(crate) profile: Option<String>,
    pub(crate) security_groups: Vec<String>,
    pub(crate) public_ip: Option<bool>,
    pub(crate) volumes: Vec<(String, Volume)>,
    pub(crate) ephemeral: Vec<String>,
    pub(crate) monitoring: bool,
    pub(crate) tenancy: Option<String>,
    pub(crate) spot: Option<Spot>,
    pub(crate) http_tokens: Option<String>,
    pub(crate) http_hop_limit: Option<i32>,
    pub(crate) cpu_credits: Option<String>,
    pub(crate) ebs_optimized: Option<bool>,
    pub(crate) user_data: Option<Vec<u8>>,
}

/// A group that runs on a template.
#[derive(Clone, Debug)]
pub(crate) struct TemplateUser {
    pub(crate) group: ResourceId,
    /// The id of the template.
    pub(crate) template: String,
    /// The tags of the group.
    pub(crate) tags: Tags,
}

/// Reads the newest version of every template of these names (EC2 gives those of all
/// templates at once, but not those of some), and the tags of those that are marked.
pub(crate) async fn observe(
    aws: &Aws,
    cluster: &str,
    wanted: impl Fn(&str) -> bool,
) -> Result<Looked<LiveTemplate>, AwsError> {
    let versions = async {
        let call = aws.ec2.describe_launch_template_versions().versions("$Latest");
        let rows = call.max_results(200).into_paginator().items().send();
        let rows = rows.collect::<Result<Vec<_>, _>>().await;
        rows.map_err(|error| AwsError::new(DESCRIBE_VERSIONS, "", error))
    };
    let tagged = tags_of_marked(aws, cluster);
    let found = async {
        let (rows, tagged) = try_join(versions, tagged).await?;
        let mut found = Vec::new();
        for row in &rows {
            let live = version_from_sdk(row)?;
            if wanted(&live.name) {
                let tags = tagged.get(&live.id).cloned().unwrap_or_default();
                found.push(LiveTemplate { tags, ..live });
            }
        }
        let full = found.iter_mut().filter(|live| live.version >= VERSIONS_KEPT);
        try_join_all(full.map(async |live| {
            live.old_versions = old_versions(aws, &live.id, live.version + 1).await?;
            Ok::<_, AwsError>(())
        }))
        .await?;
        Ok(found)
    };
    Looked::sort(found.await)
}

/// The tags of the templates that clusters have marked, by their ids.
async fn tags_of_marked(aws: &Aws, cluster: &str) -> Result<BTreeMap<String, Tags>, AwsError> {
    let rows = describe(aws, vec![ec2::marked(cluster)]).await?;
    let tagged = rows.iter().map(|row| {
        let id = Answer::of(DESCRIBE, "").id("launchTemplateId", row.launch_template_id())?;
        Ok((id, ec2::tags_from_sdk(row.tags())))
    });
    tagged.collect()
}

async fn describe(
    aws: &Aws,
    chosen: Vec<Filter>,
) -> Result<Vec<aws_sdk_ec2::types::LaunchTemplate>, AwsError> {
    let call = aws.ec2.describe_launch_templates().set_filters(Some(chosen)).max_results(200);
    let rows = call.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
    rows.map_err(|error| AwsError::new(DESCRIBE, "", error))
}

/// The versions that would be beyond the newest ones when `next` is made; the default version
/// cannot be deleted.
async fn old_versions(aws: &Aws, id: &str, next: i64) -> Result<Vec<i64>, AwsError> {
    let call = aws.ec2.describe_launch_template_versions().launch_template_id(id);
    let newest_gone = next - VERSIONS_KEPT;
    let call = call.min_version("1").max_version(newest_gone.to_string()).max_results(200);
    let answer = call.send().await;
    let answer = answer.map_err(|error| AwsError::new(DESCRIBE_VERSIONS, id, error))?;
    let rows = answer.launch_template_versions().iter();
    let rows = rows.filter(|version| !version.default_version().unwrap_or(false));
    let numbers = rows.map(|version| {
        Answer::of(DESCRIBE_VERSIONS, id).part("versionNumber", version.version_number())
    });
    numbers.collect()
}

/// Reads versions of templates, by the template's id and as they are named: by number, or
/// `$Latest` or `$Default`. One call a template, all at once; what is gone is left out.
pub(crate) async fn observe_versions(
    aws: &Aws,
    asked: &BTreeMap<String, BTreeSet<String>>,
) -> Result<BTreeMap<(String, String), LiveTemplate>, AwsError> {
    let calls = asked.iter().map(|(id, names)| async move {
        let all = ["$Latest", "$Default"].into_iter().any(|name| names.contains(name));
        let numbers = names.iter().filter(|name| !name.starts_with('$')).cloned();
        let call = aws.ec2.describe_launch_template_versions().launch_template_id(id);
        // A range of versions is answered with those that there are; a list must be there whole.
        let call = match all {
            true => call,
            false => {
                let mut numbers: Vec<i64> = numbers.filter_map(|name| name.parse().ok()).collect();
                numbers.sort_unstable();
                let bound = |number: Option<&i64>| number.map(ToString::to_string);
                call.set_min_version(bound(numbers.first())).set_max_version(bound(numbers.last()))
            }
        };
        let rows = call.max_results(200).into_paginator().items().send();
        match rows.collect::<Result<Vec<_>, _>>().await {
            Ok(rows) => Ok((id, names, rows)),
            Err(error) => {
                let error = AwsError::new("ec2:DescribeLaunchTemplateVersions", id, error);
                if error.fault == Fault::Missing { Ok((id, names, Vec::new())) } else { Err(error) }
            }
        }
    });
    let mut found = BTreeMap::new();
    for (id, names, rows) in try_join_all(calls).await? {
        let latest = rows.iter().filter_map(|row| row.version_number()).max();
        for name in names {
            let row = rows.iter().find(|row| match name.as_str() {
                "$Latest" => row.version_number() == latest,
                "$Default" => row.default_version() == Some(true),
                number => row.version_number().is_some_and(|row| row.to_string() == number),
            });
            if let Some(row) = row {
                found.insert((id.clone(), name.clone()), version_from_sdk(row)?);
            }
        }
    }
    Ok(found)
}

fn version_from_sdk(row: &LaunchTemplateVersion) -> Result<LiveTemplate, AwsError> {
    let answer = Answer::of(DESCRIBE_VERSIONS, "");
    let id = answer.id("launchTemplateId", row.launch_template_id())?;
    let answer = Answer::of(DESCRIBE_VERSIONS, &id);
    let name = answer.id("launchTemplateName", row.launch_template_name())?;
    let version = answer.part("versionNumber", row.version_number())?;
    let data = answer.part("launchTemplateData", row.launch_template_data())?;
    Ok(from_sdk(&id, &name, version, data))
}

fn from_sdk(id: &str, name: &str, version: i64, data: &ResponseLaunchTemplateData) -> LiveTemplate {
    let nic = data.network_interfaces().first();
    let groups = nic.map(|nic| nic.groups()).filter(|groups| !groups.is_empty());
    let profile = data.iam_instance_profile().and_then(|profile| {
        let by_arn = || profile.arn().map(name_of);
        profile.name().or_else(by_arn)
    });
    let mut volumes = Vec::new();
    let mut ephemeral = Vec::new();
    for mapping in data.block_device_mappings() {
        let device = mapping.device_name().unwrap_or_default();
        if let Some(disk) = mapping.virtual_name() {
            ephemeral.push(format!("{device}={disk}"));
        } else if let Some(ebs) = mapping.ebs() {
            let volume = Volume {
                size: ebs.volume_size().unwrap_or_default(),
                volume_type: ebs.volume_type().map_or("", VolumeType::as_str).to_owned(),
                iops: ebs.iops(),
                throughput: ebs.throughput(),
                encrypted: ebs.encrypted().unwrap_or(false),
                kms_key: ebs.kms_key_id().map(str::to_owned),
                delete_on_termination: ebs.delete_on_termination().unwrap_or(true),
            };
            volumes.push((device.to_owned(), volume));
        }
    }
    let market = data.instance_market_options();
    let spot = market.filter(|market| market.market_type() == Some(&MarketType::Spot));
    let options = spot.and_then(|spot| spot.spot_options());
    let metadata = data.metadata_options();
    LiveTemplate {
        id: id.to_owned(),
        name: name.to_owned(),
        tags: Tags::new(),
        version,
        old_versions: Vec::new(),
        image: data.image_id().map(str::to_owned),
        machine_type: data.instance_type().map(|name| name.as_str().to_owned()),
        ssh_key: data.key_name().map(str::to_owned),
        profile: profile.map(str::to_owned),
        security_groups: groups.unwrap_or(data.security_group_ids()).to_vec(),
        public_ip: nic.and_then(|nic| nic.associate_public_ip_address()),
        volumes,
        ephemeral,
        monitoring: data.monitoring().and_then(|m| m.enabled()).unwrap_or(false),
        tenancy: data
            .placement()
            .and_then(|placement| placement.tenancy())
            .map(|tenancy| tenancy.as_str().to_owned()),
        spot: spot.map(|_| Spot {
            price: options.and_then(|options| options.max_price()).map(str::to_owned),
            interruption: options
                .and_then(|options| options.instance_interruption_behavior())
                .map(|behavior| behavior.as_str().to_owned()),
        }),
        http_tokens: metadata
            .and_then(|metadata| metadata.http_tokens())
            .map(LaunchTemplateHttpTokensState::as_str)
            .map(str::to_owned),
        http_hop_limit: metadata.and_then(|metadata| metadata.http_put_response_hop_limit()),
        cpu_credits: data
            .credit_specification()
            .and_then(|credits| credits.cpu_credits())
            .map(str::to_owned),
        ebs_optimized: data.ebs_optimized(),
        user_data: data.user_data().filter(|text| !text.is_empty()).map(decode),
    }
}

/// AWS gives user data in base64.
pub(crate) fn decode(text: &str) -> Vec<u8> {
    STANDARD.decode(text).unwrap_or_else(|_| text.as_bytes().to_vec())
}

/// User data as it is told: never itself, since it may hold secrets.
fn digest(data: &[u8]) -> String {
    let digest: String = Md5::digest(data).iter().take(4).map(|b| format!("{b:02x}")).collect();
    format!("{} bytes, {digest}…", data.len())
}

fn volume_fields(mut fields: TextFields, prefix: &str, volume: Option<&Volume>) -> TextFields {
    let is = |flag: bool| flag.then_some(true);
    let field = |name: &str| format!("{prefix}{name}");
    fields = fields
        .maybe(&field("Size"), volume.map(|volume| volume.size))
        .maybe(&field("Type"), volume.map(|volume| &volume.volume_type))
        .maybe(&field("Iops"), volume.and_then(|volume| volume.iops))
        .maybe(&field("Throughput"), volume.and_then(|volume| volume.throughput))
        .maybe(&field("Encryption"), volume.and_then(|volume| is(volume.encrypted)))
        .maybe(&field("EncryptionKey"), volume.and_then(|volume| volume.kms_key.as_ref()));
    let delete = volume.map(|volume| volume.delete_on_termination);
    fields.maybe(&field("DeleteOnTermination"), delete)
}

/// The other volumes, each as one field.
fn more_volumes(mut fields: TextFields, volumes: &[(String, Volume)]) -> TextFields {
    for (device, volume) in volumes {
        let mut text = format!("{} GiB {}", volume.size, volume.volume_type);
        for (amount, unit) in [(volume.iops, "iops"), (volume.throughput, "MiB/s")] {
            if let Some(amount) = amount {
                text.push_str(&format!(", {amount} {unit}"));
            }
        }
        if volume.encrypted {
            text.push_str(", encrypted");
        }
        if let Some(key) = &volume.kms_key {
            text.push_str(&format!(" with {key}"));
        }
        if !volume.delete_on_termination {
            text.push_str(", kept");
        }
        fields = fields.with(&format!("volumes[{device:?}]"), text);
    }
    fields
}

impl LiveTemplate {
    pub(crate) fn marks(&self) -> Marks<'_> {
        Marks::of(&self.id).or_id(&self.name).tags(&self.tags)
    }

    /// In what a later version of the same template is otherwise.
    pub(crate) fn differences(&self, later: &Self) -> Vec<FieldChange> {
        let told = |version: &Self| {
            let fields = version.machine(|id| id);
            version.behaviour(more_volumes(fields, &version.volumes))
        };
        let before = told(self);
        told(later).with_absent(&before).differences(&before)
    }

    /// What the instances are; `name` tells how a security group is called.
    fn machine<'a>(&'a self, name: impl Fn(&'a str) -> &'a str) -> TextFields {
        TextFields::default()
            .maybe("image", self.image.as_ref())
            .maybe("machineType", self.machine_type.as_ref())
            .maybe("sshKey", self.ssh_key.as_ref())
            .maybe("instanceProfile", self.profile.as_ref())
            .set("securityGroups", self.security_groups.iter().map(|id| name(id)))
            .maybe("publicIp", self.public_ip)
    }

    /// What comes after the volumes.
    fn behaviour(&self, fields: TextFields) -> TextFields {
        let interruption = self.spot.as_ref().and_then(|spot| spot.interruption.as_ref());
        fields
            .set("ephemeral", self.ephemeral.clone())
            .with("monitoring", self.monitoring)
            .maybe("tenancy", self.tenancy.as_ref())
            .maybe("market", self.spot.as_ref().map(|_| "spot"))
            .maybe("maxPrice", self.spot.as_ref().and_then(|spot| spot.price.as_ref()))
            .maybe("instanceInterruptionBehavior", interruption)
            .maybe("httpTokens", self.http_tokens.as_ref())
            .maybe("httpPutResponseHopLimit", self.http_hop_limit)
            .maybe("cpuCredits", self.cpu_credits.as_ref())
            .maybe("ebsOptimized", self.ebs_optimized)
            .maybe("userData", self.user_data.as_deref().map(digest))
    }
}

impl LaunchTemplate {
    /// The version that would be made, told as one that was found; references by name, and
    /// without volumes, which compare by what they are for.
    fn as_version(&self) -> LiveTemplate {
        let groups = self.security_groups.iter().map(|group| group.name.clone());
        let ephemeral = self.ephemeral().map(|(device, disk)| format!("{device}={disk}"));
        LiveTemplate {
            id: String::new(),
            name: self.name.clone(),
            tags: self.tags.clone(),
            version: self.resolved.next_version,
            old_versions: Vec::new(),
            image: Some(self.resolved.image.clone()),
            machine_type: Some(self.machine_type.clone()),
            ssh_key: self.ssh_key.as_ref().map(|key| key.name.clone()),
            profile: Some(self.profile.clone()),
            security_groups: groups.collect(),
            public_ip: Some(self.public_ip),
            volumes: Vec::new(),
            ephemeral: ephemeral.collect(),
            monitoring: self.monitoring,
            tenancy: self.tenancy.clone(),
            spot: self.spot.clone(),
            http_tokens: self.http_tokens.clone(),
            http_hop_limit: self.http_hop_limit,
            cpu_credits: self.cpu_credits.clone(),
            ebs_optimized: self.ebs_optimized,
            user_data: self.user_data.clone(),
        }
    }
}

impl Manage for LaunchTemplate {
    type Live = LiveTemplate;
    type Fields = TextFields;

    fn id(&self) -> ResourceId {
        ResourceId::new(LaunchTemplate::KIND, &self.name)
    }

    fn needs(&self) -> Vec<ResourceId> {
        let groups = self.security_groups.iter();
        groups.chain(&self.ssh_key).chain(&self.after).cloned().collect()
    }

    fn is(&self, found: &LiveTemplate, _: View<'_>) -> bool {
        found.name == self.name
    }

    /// A template that a group of the cluster runs on is the cluster's, even if it has lost its
    /// tags.
    fn marks<'a>(&self, found: &'a LiveTemplate, view: View<'a>) -> Vec<Marks<'a>> {
        let mut users = view.seen.rows::<TemplateUser>().iter();
        let user = users.find(|user| {
            user.group.name == found.name
                && user.template == found.id
                && view.owns(user.group.kind, &Marks::of(&user.group.name).tags(&user.tags))
        });
        vec![match user {
            Some(user) => {
                let how = format!("run by {}", user.group.name);
                found.marks().hangs_on(how, Whose::Owned)
            }
            None => found.marks(),
        }]
    }

    fn adopt(&self, found: &LiveTemplate, owner: &Owner) -> Option<String> {
        Some(owner.adopt(&Taggable::Ec2(&found.id)))
    }

    fn aws_id(found: &LiveTemplate) -> String {
        found.id.clone()
    }

    fn wanted(&self, view: View<'_>) -> TextFields {
        self.fields(None).tags(&self.owner_tags(view.owner))
    }

    fn wanted_over(&self, found: &LiveTemplate, view: View<'_>) -> TextFields {
        self.fields(Some(found)).tags(&self.owner_tags(view.owner))
    }

    fn found(&self, found: &LiveTemplate, view: View<'_>) -> TextFields {
        let is_ours = |device: &str| self.volumes.iter().any(|(ours, _)| ours == device);
        let root = found.volumes.iter().find(|(device, _)| *device == self.resolved.root_device);
        let root = root.or_else(|| found.volumes.iter().find(|(device, _)| !is_ours(device)));
        let more: Vec<(String, Volume)> = found
            .volumes
            .iter()
            .filter(|(device, _)| root.is_none_or(|(root, _)| root != device))
            .cloned()
            .collect();
        let mut fields = found.machine(|id| view.name(id));
        fields = fields.maybe("rootDevice", root.map(|(device, _)| device));
        fields = volume_fields(fields, "rootVolume", root.map(|(_, volume)| volume));
        found.behaviour(more_volumes(fields, &more)).tags(&found.tags)
    }

    fn besides(&self, found: &LiveTemplate, _: View<'_>) -> Vec<FieldChange> {
        let numbers: Vec<String> = self.going(found).iter().map(ToString::to_string).collect();
        let versions = (!numbers.is_empty()).then(|| FieldChange {
            field: "versions".to_owned(),
            before: Some(numbers.join(", ")),
            after: None,
        });
        versions.into_iter().collect()
    }

    fn facing(&self, found: &LiveTemplate, _: View<'_>) -> Self {
        let resolved = Resolved { goes: self.going(found), ..self.resolved.clone() };
        Self { resolved, ..self.clone() }
    }

    async fn create(&self, work: &Work<'_>) -> Result<Option<String>, AwsError> {
        let data = self.data(work)?;
        let creation = Creation { work, resource: &self.id(), operation: CREATE };
        let create = |token| self.create_one(work.aws, token, data.clone());
        let look = || {
            let mut chosen = ec2::identity(&self.tags);
            chosen.push(ec2::filter("launch-template-name", [&self.name]));
            self.standing(work.aws, chosen)
        };
        creation.with_token("", create, look).await.map(Some)
    }

    async fn update(
        &self,
        work: &Work<'_>,
        id: &str,
        changed: &TextChanged,
    ) -> Result<(), AwsError> {
        if changed.touches_tags() {
            ec2::tag(work.aws, id, &self.tags).await?;
        }
        if !changed.fields.iter().any(makes_version) {
            return Ok(());
        }
        let data = self.data(work)?;
        let creation = Creation { work, resource: &self.id(), operation: CREATE_VERSION };
        let within = format!("{} {}", id, self.resolved.next_version);
        let create = |token| self.create_version(work.aws, token, id, data.clone());
        let look = || self.newer(work.aws, id);
        let made = creation.with_token(&within, create, look).await?;
        if made != self.resolved.next_version.to_string() {
            return Err(self.overtaken(&made));
        }
        // Old versions do no harm, so that what keeps them does not fail the update.
        if let Err(error) = self.delete_old(work.aws, id).await {
            work.tell(Told {
                object: self.id().to_string(),
                message: format!("its old versions are not deleted: {error}"),
                next: format!("allow {DELETE_VERSIONS}; the next change of it tries again"),
            });
        }
        Ok(())
    }
}

/// Whether a change is one of what instances are made of.
pub(crate) fn makes_version(change: &FieldChange) -> bool {
    !change.field.starts_with("tags[")
}

impl LaunchTemplate {
    async fn standing(&self, aws: &Aws, chosen: Vec<Filter>) -> Result<Vec<Standing>, AwsError> {
        let rows = describe(aws, chosen).await?;
        let standing = rows.iter().map(|row| {
            let answer = Answer::of(DESCRIBE, &self.name);
            let id = answer.id("launchTemplateId", row.launch_template_id())?;
            Ok(Standing { id, is_gone: false })
        });
        standing.collect()
    }

    /// The tags that tell whose the template is; others are told by no one.
    fn owner_tags(&self, owner: &Owner) -> Tags {
        let keys = [owner_tag(owner.cluster()), CLUSTER_TAG.to_owned()];
        let tags = self.tags.iter().filter(|(key, _)| keys.contains(key));
        tags.map(|(key, value)| (key.clone(), value.clone())).collect()
    }

    pub(crate) fn resource_id(&self) -> ResourceId {
        self.id()
    }

    /// What is wanted, and what of `live` must go.
    fn fields(&self, live: Option<&LiveTemplate>) -> TextFields {
        let wanted = self.as_version();
        let mut fields = wanted.machine(|name| name).with("rootDevice", &self.resolved.root_device);
        fields = volume_fields(fields, "rootVolume", Some(&self.root));
        fields = more_volumes(fields, &self.volumes);
        for (device, _) in live.map(|live| live.volumes.as_slice()).unwrap_or_default() {
            let is_wanted = *device == self.resolved.root_device
                || self.volumes.iter().any(|(wanted, _)| wanted == device);
            if !is_wanted {
                fields = fields.maybe(&format!("volumes[{device:?}]"), None::<String>);
            }
        }
        wanted.behaviour(fields)
    }

    /// The disks of the instance itself, as kops maps them.
    fn ephemeral(&self) -> impl Iterator<Item = (String, String)> {
        let letters = ('c'..='z').zip(0..self.resolved.ephemeral);
        letters.map(|(letter, index)| (format!("/dev/sd{letter}"), format!("ephemeral{index}")))
    }

    fn data(&self, work: &Work<'_>) -> Result<RequestLaunchTemplateData, AwsError> {
        let root = std::iter::once((&self.resolved.root_device, &self.root));
        let more = self.volumes.iter().map(|(device, volume)| (device, volume));
        let volumes = root.chain(more).map(|(device, volume)| {
            let ebs = LaunchTemplateEbsBlockDeviceRequest::builder()
                .volume_size(volume.size)
                .volume_type(VolumeType::from(volume.volume_type.as_str()))
                .set_iops(volume.iops)
                .set_throughput(volume.throughput)
                .set_encrypted(volume.encrypted.then_some(true))
                .set_kms_key_id(volume.kms_key.clone())
                .delete_on_termination(volume.delete_on_termination)
                .build();
            let mapping = LaunchTemplateBlockDeviceMappingRequest::builder();
            mapping.device_name(device).ebs(ebs).build()
        });
        let disks = self.ephemeral().map(|(device, disk)| {
            let mapping = LaunchTemplateBlockDeviceMappingRequest::builder();
            mapping.device_name(device).virtual_name(disk).build()
        });
        let nic = LaunchTemplateInstanceNetworkInterfaceSpecificationRequest::builder()
            .device_index(0)
            .associate_public_ip_address(self.public_ip)
            .delete_on_termination(true)
            .set_groups(Some(work.ids(&self.security_groups)?))
            .build();
        let profile = LaunchTemplateIamInstanceProfileSpecificationRequest::builder();
        let monitoring = LaunchTemplatesMonitoringRequest::builder().enabled(self.monitoring);
        let mut data = RequestLaunchTemplateData::builder()
            .image_id(&self.resolved.image)
            .instance_type(InstanceType::from(self.machine_type.as_str()))
            .set_key_name(self.ssh_key.as_ref().map(|key| key.name.clone()))
            .iam_instance_profile(profile.name(&self.profile).build())
            .network_interfaces(nic)
            .set_block_device_mappings(Some(volumes.chain(disks).collect()))
            .monitoring(monitoring.build())
            .set_ebs_optimized(self.ebs_optimized)
            .set_user_data(self.user_data.as_ref().map(|data| STANDARD.encode(data)));
        if let Some(tenancy) = &self.tenancy {
            let placement = LaunchTemplatePlacementRequest::builder();
            data = data.placement(placement.tenancy(Tenancy::from(tenancy.as_str())).build());
        }
        if let Some(spot) = &self.spot {
            let behavior = spot.interruption.as_deref().map(InstanceInterruptionBehavior::from);
            let options = LaunchTemplateSpotMarketOptionsRequest::builder()
                .set_max_price(spot.price.clone())
                .set_instance_interruption_behavior(behavior)
                .build();
            let market = LaunchTemplateInstanceMarketOptionsRequest::builder();
            let market = market.market_type(MarketType::Spot).spot_options(options);
            data = data.instance_market_options(market.build());
        }
        if self.http_tokens.is_some() || self.http_hop_limit.is_some() {
            let tokens = self.http_tokens.as_deref().map(HttpTokensState::from);
            let tokens = tokens.map(|t| LaunchTemplateHttpTokensState::from(t.as_str()));
            let options = LaunchTemplateInstanceMetadataOptionsRequest::builder()
                .set_http_tokens(tokens)
                .set_http_put_response_hop_limit(self.http_hop_limit);
            data = data.metadata_options(options.build());
        }
        if let Some(credits) = &self.cpu_credits {
            let credits = CreditSpecificationRequest::builder().cpu_credits(credits).build();
            data = data.credit_specification(credits);
        }
        Ok(data.build())
    }

    /// The old versions that nothing uses.
    fn going(&self, found: &LiveTemplate) -> Vec<i64> {
        let old = found.old_versions.iter();
        old.filter(|number| !self.resolved.used.contains(number)).copied().collect()
    }

    async fn create_one(
        &self,
        aws: &Aws,
        token: String,
        data: RequestLaunchTemplateData,
    ) -> Result<String, AwsError> {
        let call = aws.ec2.create_launch_template().launch_template_name(&self.name);
        let answer = call
            .client_token(token)
            .launch_template_data(data)
            .tag_specifications(ec2::specification(ResourceType::LaunchTemplate, &self.tags))
            .send()
            .await
            .map_err(|error| AwsError::new(CREATE, &self.name, error))?;
        let id = answer.launch_template().and_then(|template| template.launch_template_id());
        Answer::of(CREATE, &self.name).id("launchTemplateId", id)
    }

    /// Makes a version; returns its number.
    async fn create_version(
        &self,
        aws: &Aws,
        token: String,
        id: &str,
        data: RequestLaunchTemplateData,
    ) -> Result<String, AwsError> {
        let call = aws.ec2.create_launch_template_version().client_token(token);
        let answer = call.launch_template_id(id).launch_template_data(data).send().await;
        match answer.map_err(|error| AwsError::new(CREATE_VERSION, &self.name, error)) {
            Ok(answer) => {
                let made = answer.launch_template_version();
                let number = made.and_then(|version| version.version_number());
                let number =
                    Answer::of(CREATE_VERSION, &self.name).part("versionNumber", number)?;
                Ok(number.to_string())
            }
            // Another run wanted something else of the same version.
            Err(error) if error.fault == Fault::TokenUsed => {
                match self.newer(aws, id).await?.first() {
                    Some(newer) => Err(self.overtaken(&newer.id)),
                    None => Err(error),
                }
            }
            Err(error) => Err(error),
        }
    }

    /// The versions from the one on that is to be made.
    async fn newer(&self, aws: &Aws, id: &str) -> Result<Vec<Standing>, AwsError> {
        let call = aws.ec2.describe_launch_template_versions().launch_template_id(id);
        let call = call.min_version(self.resolved.next_version.to_string());
        let answer = call.send().await;
        let answer = answer.map_err(|error| AwsError::new(DESCRIBE_VERSIONS, &self.name, error))?;
        let numbers = answer.launch_template_versions().iter().map(|version| {
            let number = version.version_number();
            let number = Answer::of(DESCRIBE_VERSIONS, id).part("versionNumber", number)?;
            Ok(Standing { id: number.to_string(), is_gone: false })
        });
        numbers.collect()
    }

    fn overtaken(&self, version: &str) -> AwsError {
        AwsError {
            operation: CREATE_VERSION,
            object: self.name.clone(),
            fault: Fault::Other,
            message: format!(
                "someone else made a version at the same time, so that there is {version} and not \
                 {} alone; run the update again",
                self.resolved.next_version
            ),
        }
    }

    async fn delete_old(&self, aws: &Aws, id: &str) -> Result<(), AwsError> {
        let numbers: Vec<String> = self.resolved.goes.iter().map(ToString::to_string).collect();
        if numbers.is_empty() {
            return Ok(());
        }
        let call = aws.ec2.delete_launch_template_versions().launch_template_id(id);
        let answer = call.set_versions(Some(numbers)).send().await;
        let answer = answer.map_err(|error| AwsError::new(DELETE_VERSIONS, &self.name, error))?;
        let left = answer.unsuccessfully_deleted_launch_template_versions().iter();
        let left: Vec<String> = left
            .map(|item| {
                let number = item.version_number().unwrap_or_default();
                let why = item.response_error().and_then(|error| error.message());
                format!("{number} ({})", why.unwrap_or("without a reason"))
            })
            .collect();
        match left.is_empty() {
            true => Ok(()),
            false => {
                let message = format!("AWS left versions {}", left.join(", "));
                Err(Answer::of(DELETE_VERSIONS, &self.name).not_understood(message))
            }
        }
    }
}
