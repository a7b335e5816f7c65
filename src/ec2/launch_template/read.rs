//! Reading launch templates and their versions.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::types::{
    Filter, LaunchTemplateHttpTokensState, LaunchTemplateInstanceMetadataProtocolIpv6,
    LaunchTemplateVersion, MarketType, ResourceType, ResponseLaunchTemplateData, VolumeType,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::future::{try_join, try_join_all};

use super::content::{Content, Spot, StartedTags, Volume};
use super::wanted::LaunchTemplate;
use crate::aws::tags::Tags;
use crate::aws::{Answer, Aws, AwsError, Fault, batch, ec2};
use crate::core::id::Id;
use crate::core::kind::ResourceId;
use crate::core::seen::Looked;
use crate::core::whose::Marks;
use crate::limits::arn::Arn;
use crate::spec::profile_arn::IAM_KIND;

pub(super) const DESCRIBE: &str = "ec2:DescribeLaunchTemplates";
pub(super) const DESCRIBE_VERSIONS: &str = "ec2:DescribeLaunchTemplateVersions";

/// How many versions are kept, beside those that instances use.
const VERSIONS_KEPT: i64 = 10;

/// A version of a template, mostly the newest.
#[derive(Clone, Debug)]
pub(crate) struct LiveTemplate {
    pub(crate) id: Id<LaunchTemplate>,
    pub(crate) name: String,
    pub(crate) tags: Tags,
    pub(crate) version: i64,
    /// Whether it is what those start who name no version.
    pub(crate) is_default: bool,
    /// Versions beyond those that are kept, but for the default one.
    pub(crate) old_versions: Vec<i64>,
    pub(crate) content: Content,
}

impl LiveTemplate {
    /// How many disks of the instance itself it maps.
    pub(crate) fn mapped_disks(&self) -> i32 {
        i32::try_from(self.content.ephemeral.len()).unwrap_or(i32::MAX)
    }

    pub(crate) fn marks(&self) -> Marks<'_> {
        Marks::of(&self.id).or_id(&self.name).tags(&self.tags)
    }
}

/// A group that runs on a template.
#[derive(Clone, Debug)]
pub(crate) struct TemplateUser {
    pub(crate) group: ResourceId,
    pub(crate) template: Id<LaunchTemplate>,
    /// The tags of the group.
    pub(crate) tags: Tags,
}

/// Reads the newest version of every template of these names (EC2 gives those of all
/// templates at once, but not those of some), and the tags of those that are marked.
pub(super) async fn observe(
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
async fn tags_of_marked(
    aws: &Aws,
    cluster: &str,
) -> Result<BTreeMap<Id<LaunchTemplate>, Tags>, AwsError> {
    let rows = describe(aws, vec![ec2::marked(cluster)]).await?;
    let tagged = rows.iter().map(|row| {
        let id = row.launch_template_id();
        let id = Id::given(Answer::of(DESCRIBE, ""), "launchTemplateId", id)?;
        Ok((id, ec2::tags_from_sdk(row.tags())))
    });
    tagged.collect()
}

pub(super) async fn describe(
    aws: &Aws,
    chosen: Vec<Filter>,
) -> Result<Vec<aws_sdk_ec2::types::LaunchTemplate>, AwsError> {
    let call = aws.ec2.describe_launch_templates().set_filters(Some(chosen)).max_results(200);
    let rows = call.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
    rows.map_err(|error| AwsError::new(DESCRIBE, "", error))
}

/// The versions that would be beyond the newest ones when `next` is made; the default version
/// cannot be deleted.
async fn old_versions(aws: &Aws, id: &Id<LaunchTemplate>, next: i64) -> Result<Vec<i64>, AwsError> {
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

/// The versions that `$Latest` and `$Default` stand for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pointers {
    pub(crate) latest: i64,
    pub(crate) default: i64,
}

/// Reads what `$Latest` and `$Default` stand for in templates of these names, by their ids. A
/// template that is gone is left out.
pub(crate) async fn observe_pointers(
    aws: &Aws,
    names: &BTreeSet<String>,
) -> Result<BTreeMap<String, Pointers>, AwsError> {
    let names: Vec<String> = names.iter().cloned().collect();
    let rows = batch::read(&names, batch::FILTER_VALUES, async |names: &[String]| {
        describe(aws, vec![ec2::filter("launch-template-name", names)]).await
    });
    let pointers = rows.await?.into_iter().map(|row| {
        let id = Answer::of(DESCRIBE, "").text("launchTemplateId", row.launch_template_id())?;
        let answer = Answer::of(DESCRIBE, &id);
        let latest = answer.part("latestVersionNumber", row.latest_version_number())?;
        let default = answer.part("defaultVersionNumber", row.default_version_number())?;
        Ok((id.clone(), Pointers { latest, default }))
    });
    pointers.collect()
}

/// Reads versions of templates, by the template's id and their numbers. One call a template, all
/// at once; what is gone is left out.
pub(crate) async fn observe_versions(
    aws: &Aws,
    asked: &BTreeMap<String, BTreeSet<String>>,
) -> Result<BTreeMap<(String, String), LiveTemplate>, AwsError> {
    let calls = asked.iter().map(|(id, names)| async move {
        let mut numbers: Vec<i64> = names.iter().filter_map(|name| name.parse().ok()).collect();
        numbers.sort_unstable();
        let bound = |number: Option<&i64>| number.map(ToString::to_string);
        let call = aws.ec2.describe_launch_template_versions().launch_template_id(id);
        // A range of versions is answered with those that there are; a list must be there whole.
        let call =
            call.set_min_version(bound(numbers.first())).set_max_version(bound(numbers.last()));
        let rows = call.max_results(200).into_paginator().items().send();
        match rows.collect::<Result<Vec<_>, _>>().await {
            Ok(rows) => Ok((id, names, rows)),
            Err(error) => {
                let error = AwsError::new(DESCRIBE_VERSIONS, id, error);
                if error.fault == Fault::Missing { Ok((id, names, Vec::new())) } else { Err(error) }
            }
        }
    });
    let mut found = BTreeMap::new();
    for (id, names, rows) in try_join_all(calls).await? {
        for name in names {
            let is_it = |row: &&LaunchTemplateVersion| {
                row.version_number().is_some_and(|number| number.to_string() == *name)
            };
            if let Some(row) = rows.iter().find(is_it) {
                found.insert((id.clone(), name.clone()), version_from_sdk(row)?);
            }
        }
    }
    Ok(found)
}

fn version_from_sdk(row: &LaunchTemplateVersion) -> Result<LiveTemplate, AwsError> {
    let answer = Answer::of(DESCRIBE_VERSIONS, "");
    let id = Id::given(answer, "launchTemplateId", row.launch_template_id())?;
    let answer = Answer::of(DESCRIBE_VERSIONS, &id);
    let name = answer.text("launchTemplateName", row.launch_template_name())?;
    let version = answer.part("versionNumber", row.version_number())?;
    let data = answer.part("launchTemplateData", row.launch_template_data())?;
    let (tags, old_versions) = (Tags::new(), Vec::new());
    let content = content_from_sdk(data, profile(answer, data)?);
    let is_default = row.default_version().unwrap_or(true);
    Ok(LiveTemplate { content, id, name, tags, version, is_default, old_versions })
}

/// The name of the instance profile, which stands there as such or in an ARN.
fn profile(
    answer: Answer<'_>,
    data: &ResponseLaunchTemplateData,
) -> Result<Option<String>, AwsError> {
    let Some(profile) = data.iam_instance_profile() else { return Ok(None) };
    let name = match (profile.name(), profile.arn()) {
        (Some(name), _) => name,
        (None, None) => return Ok(None),
        (None, Some(text)) => {
            let name = Arn::parse(text).ok().and_then(|arn| arn.iam_name(IAM_KIND));
            name.ok_or_else(|| {
                let message = format!("iamInstanceProfile.arn is {text:?}, no ARN of a profile");
                answer.not_understood(message)
            })?
        }
    };
    Ok(Some(name.to_owned()))
}

fn content_from_sdk(data: &ResponseLaunchTemplateData, profile: Option<String>) -> Content {
    let nic = data.network_interfaces().first();
    let groups = nic.map(|nic| nic.groups()).filter(|groups| !groups.is_empty());
    let mut volumes = Vec::new();
    let mut ephemeral = Vec::new();
    for mapping in data.block_device_mappings() {
        let device = mapping.device_name().unwrap_or_default();
        if let Some(disk) = mapping.virtual_name() {
            ephemeral.push((device.to_owned(), disk.to_owned()));
        } else if let Some(ebs) = mapping.ebs() {
            // What gp3 has where nothing is said (EC2 API, EbsBlockDevice).
            let is_gp3 = ebs.volume_type() == Some(&VolumeType::Gp3);
            let volume = Volume {
                size: ebs.volume_size().unwrap_or_default(),
                volume_type: ebs.volume_type().map_or("", VolumeType::as_str).to_owned(),
                iops: ebs.iops().or(is_gp3.then_some(3000)),
                throughput: ebs.throughput().or(is_gp3.then_some(125)),
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
    Content {
        image: data.image_id().map(str::to_owned),
        machine_type: data.instance_type().map(|name| name.as_str().to_owned()),
        ssh_key: data.key_name().map(str::to_owned),
        profile,
        security_groups: groups.unwrap_or(data.security_group_ids()).to_vec(),
        public_ip: nic.and_then(|nic| nic.associate_public_ip_address()),
        ipv6_addresses: nic.and_then(|nic| nic.ipv6_address_count()).unwrap_or_default(),
        volumes,
        ephemeral,
        monitoring: data.monitoring().and_then(|m| m.enabled()).unwrap_or(false),
        tenancy: data
            .placement()
            .and_then(|placement| placement.tenancy())
            .map(|tenancy| tenancy.as_str().to_owned()),
        spot: spot.map(|_| Spot {
            price: options.and_then(|options| options.max_price()).map(str::to_owned),
            minutes: options.and_then(|options| options.block_duration_minutes()),
            interruption: options
                .and_then(|options| options.instance_interruption_behavior())
                .map(|behavior| behavior.as_str().to_owned()),
        }),
        http_tokens: metadata
            .and_then(|metadata| metadata.http_tokens())
            .map(LaunchTemplateHttpTokensState::as_str)
            .map(str::to_owned),
        http_hop_limit: metadata.and_then(|metadata| metadata.http_put_response_hop_limit()),
        http_ipv6: metadata.and_then(|metadata| metadata.http_protocol_ipv6())
            == Some(&LaunchTemplateInstanceMetadataProtocolIpv6::Enabled),
        cpu_credits: data
            .credit_specification()
            .and_then(|credits| credits.cpu_credits())
            .map(str::to_owned),
        ebs_optimized: data.ebs_optimized(),
        user_data: data.user_data().filter(|text| !text.is_empty()).map(decode),
        started_tags: StartedTags {
            instance: started_tags(data, ResourceType::Instance),
            volume: started_tags(data, ResourceType::Volume),
            interface: started_tags(data, ResourceType::NetworkInterface),
        },
    }
}

fn started_tags(data: &ResponseLaunchTemplateData, of: ResourceType) -> Tags {
    let mut all = data.tag_specifications().iter();
    let own = all.find(|specification| specification.resource_type() == Some(&of));
    own.map(|own| ec2::tags_from_sdk(own.tags())).unwrap_or_default()
}

/// AWS gives user data in base64.
pub(crate) fn decode(text: &str) -> Vec<u8> {
    STANDARD.decode(text).unwrap_or_else(|_| text.as_bytes().to_vec())
}

#[cfg(test)]
mod tests {
    use aws_sdk_ec2::types::LaunchTemplateIamInstanceProfileSpecification as Specification;

    use super::*;

    #[test]
    fn a_profile_is_named_as_such_or_by_its_arn_and_never_by_another_text() {
        let told = |specification: Specification| {
            let data = ResponseLaunchTemplateData::builder();
            let data = data.iam_instance_profile(specification).build();
            profile(Answer::of(DESCRIBE_VERSIONS, "lt-1"), &data)
        };
        let of_arn = |arn: &str| told(Specification::builder().arn(arn).build());
        let profile_arn = "arn:aws:iam::123456789012:instance-profile/team/nodes";
        assert_eq!(of_arn(profile_arn).unwrap().as_deref(), Some("nodes"));
        let named = Specification::builder().name("nodes").build();
        assert_eq!(told(named).unwrap().as_deref(), Some("nodes"));
        assert_eq!(told(Specification::builder().build()).unwrap(), None);
        for text in ["nodes", "team/nodes", "arn:aws:iam::123456789012:role/nodes"] {
            let error = of_arn(text).unwrap_err().to_string();
            assert!(
                error.contains("lt-1 failed") && error.contains("no ARN of a profile"),
                "{error}"
            );
        }
    }
}
