//! `EBSVolume`: the disk of an etcd member, which outlives the instance that mounts it.

use aws_sdk_ec2::types::{ResourceType, VolumeState, VolumeType};

use super::ids::Work;
use super::live::Live;
use super::managed::{Fields, Looked, Manage, Update, View};
use super::{FieldChange, Kind, ResourceId, Tags, ec2};
use crate::aws::{Aws, AwsError};

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct EbsVolume {
    pub(crate) name: String,
    pub(crate) zone: String,
    /// In GiB.
    pub(crate) size: i32,
    pub(crate) volume_type: String,
    pub(crate) iops: Option<i32>,
    /// In MiB a second.
    pub(crate) throughput: Option<i32>,
    pub(crate) encrypted: bool,
    pub(crate) kms_key: Option<String>,
    pub(crate) tags: Tags,
}

#[derive(Clone, Debug)]
pub(crate) struct LiveVolume {
    pub(crate) id: String,
    pub(crate) zone: String,
    pub(crate) size: i32,
    pub(crate) volume_type: String,
    pub(crate) iops: Option<i32>,
    pub(crate) throughput: Option<i32>,
    pub(crate) encrypted: bool,
    pub(crate) kms_key: Option<String>,
    pub(crate) tags: Tags,
}

/// Reads the volumes of a cluster's masters; those that Kubernetes makes for pods carry the
/// cluster's tag too, but no role's.
pub(super) async fn observe(aws: &Aws, cluster: &str) -> Result<Looked<LiveVolume>, AwsError> {
    let call = aws.ec2.describe_volumes().filters(ec2::of_cluster(cluster));
    let call = call.filters(ec2::filter("tag-key", ["k8s.io/role/master"]));
    let rows = call.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
    let rows = rows.map_err(|error| AwsError::new("ec2:DescribeVolumes", "", error));
    Looked::sort(rows.map(|rows| {
        let stays = rows.iter().filter(|volume| {
            !matches!(volume.state(), Some(VolumeState::Deleted | VolumeState::Deleting))
        });
        let live = stays.map(|volume| LiveVolume {
            id: volume.volume_id().unwrap_or_default().to_owned(),
            zone: volume.availability_zone().unwrap_or_default().to_owned(),
            size: volume.size().unwrap_or_default(),
            volume_type: volume.volume_type().map_or("", VolumeType::as_str).to_owned(),
            iops: volume.iops(),
            throughput: volume.throughput(),
            encrypted: volume.encrypted().unwrap_or(false),
            kms_key: volume.kms_key_id().map(str::to_owned),
            tags: ec2::tags_from_sdk(volume.tags()),
        });
        live.collect()
    }))
}

impl Manage for EbsVolume {
    type Live = LiveVolume;

    fn id(&self) -> ResourceId {
        ResourceId::new(Kind::EbsVolume, &self.name)
    }

    fn needs(&self) -> Vec<ResourceId> {
        Vec::new()
    }

    fn looked(live: &Live) -> &Looked<LiveVolume> {
        &live.volumes
    }

    fn is(&self, found: &LiveVolume, _: View<'_>) -> bool {
        ec2::is_named(&found.tags, &self.name)
    }

    fn aws_id(found: &LiveVolume) -> String {
        found.id.clone()
    }

    fn wanted(&self, _: View<'_>) -> Fields {
        let mut fields = Fields::default()
            .with("zone", &self.zone)
            .with("size", self.size)
            .with("type", &self.volume_type);
        if let Some(iops) = self.iops {
            fields = fields.with("iops", iops);
        }
        if let Some(throughput) = self.throughput {
            fields = fields.with("throughput", throughput);
        }
        fields = fields.with("encrypted", self.encrypted);
        if let Some(key) = &self.kms_key {
            fields = fields.with("kmsKey", key);
        }
        fields.tags(&self.tags)
    }

    fn found(&self, found: &LiveVolume, _: View<'_>) -> Fields {
        // AWS tells the key by its ARN, however it was given.
        let is_same =
            |live: &String| self.kms_key.as_ref().is_some_and(|key| live.ends_with(key.as_str()));
        let key = match &found.kms_key {
            Some(live) if is_same(live) => self.kms_key.clone(),
            other => other.clone(),
        };
        Fields::default()
            .with("zone", &found.zone)
            .with("size", found.size)
            .with("type", &found.volume_type)
            .maybe("iops", found.iops)
            .maybe("throughput", found.throughput)
            .with("encrypted", found.encrypted)
            .maybe("kmsKey", key)
            .tags(&found.tags)
    }

    fn fixed(&self) -> &'static [&'static str] {
        &["zone", "encrypted", "kmsKey"]
    }

    fn left_because(&self, change: &FieldChange) -> Option<String> {
        let before: i32 = change.before.as_deref()?.parse().ok()?;
        (change.field == "size" && before > self.size).then(|| {
            "EBS cannot shrink a volume; set volumeSize of the etcd member to what it has"
                .to_owned()
        })
    }

    async fn create(&self, work: &Work<'_>) -> Result<Option<String>, AwsError> {
        let answer = work
            .aws
            .ec2
            .create_volume()
            .availability_zone(&self.zone)
            .size(self.size)
            .volume_type(VolumeType::from(self.volume_type.as_str()))
            .set_iops(self.iops)
            .set_throughput(self.throughput)
            .encrypted(self.encrypted)
            .set_kms_key_id(self.kms_key.clone())
            .tag_specifications(ec2::specification(ResourceType::Volume, &self.tags))
            .send()
            .await
            .map_err(|error| AwsError::new("ec2:CreateVolume", &self.name, error))?;
        Ok(answer.volume_id)
    }

    async fn update(&self, work: &Work<'_>, update: &Update) -> Result<(), AwsError> {
        if update.touches_tags() {
            ec2::tag(work.aws, &update.id, &self.tags).await?;
        }
        if ["size", "type", "iops", "throughput"].iter().any(|field| update.touches(field)) {
            let size = update.touches("size").then_some(self.size);
            let call = work.aws.ec2.modify_volume().volume_id(&update.id).set_size(size);
            call.volume_type(VolumeType::from(self.volume_type.as_str()))
                .set_iops(self.iops)
                .set_throughput(self.throughput)
                .send()
                .await
                .map_err(|error| AwsError::new("ec2:ModifyVolume", &self.name, error))?;
        }
        Ok(())
    }
}
