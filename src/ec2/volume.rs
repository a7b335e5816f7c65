//! `EBSVolume`: the disk of an etcd member, which outlives the instance that mounts it.

use aws_sdk_ec2::primitives::DateTime;
use aws_sdk_ec2::types::{Filter, ResourceType, Volume, VolumeState, VolumeType};

use crate::aws::tags::Tags;
use crate::aws::{Answer, Aws, AwsError, done, ec2};
use crate::core::belongings::{Around, Belonging, Presence};
use crate::core::creation::{Creation, Standing};
use crate::core::deletion::Delete;
use crate::core::fields::{Changed, Changes as _, Found, Stuck, Value, Want, Wanted, fields};
use crate::core::given::Given;
use crate::core::holders::Holders;
use crate::core::id::Id;
use crate::core::kind::ResourceId;
use crate::core::look::{Asked, Look, Looking};
use crate::core::manage::{self, Manage, Twin, View};
use crate::core::seen::{Looked, Seen};
use crate::core::sweep::{Offer, Place, Sweep, Unclaimed};
use crate::core::whose::{Marks, Owner, Taggable};
use crate::core::work::Work;
use crate::vpc::interface::User;

const DESCRIBE: &str = "ec2:DescribeVolumes";
const CREATE: &str = "ec2:CreateVolume";

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

fields! { VolumeFields {
    zone: String = "zone",
    size: i32 = "size",
    volume_type: String = "type",
    iops: i32 = "iops",
    throughput: i32 = "throughput",
    encrypted: bool = "encrypted",
    kms_key: KmsKey = "kmsKey",
    tags: Tags = "tags",
} }

/// The key that encrypts a volume.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct KmsKey(String);

impl Value for KmsKey {
    fn tell(&self) -> String {
        self.0.clone()
    }

    /// AWS tells the key by its ARN, however it was given.
    fn is(&self, found: &Self) -> bool {
        found.0.ends_with(&self.0)
    }
}

#[derive(Clone, Debug)]
pub(crate) struct LiveVolume {
    pub(crate) id: Id<EbsVolume>,
    pub(crate) zone: String,
    pub(crate) size: i32,
    pub(crate) volume_type: String,
    pub(crate) iops: Option<i32>,
    pub(crate) throughput: Option<i32>,
    pub(crate) encrypted: bool,
    pub(crate) kms_key: Option<String>,
    /// The instances that mount it.
    pub(crate) attached_to: Vec<String>,
    pub(crate) made: Option<DateTime>,
    pub(crate) tags: Tags,
}

impl LiveVolume {
    pub(crate) fn marks(&self) -> Marks<'_> {
        Marks::of(&self.id).tags(&self.tags)
    }

    pub(crate) fn is_of_etcd(&self) -> bool {
        self.tags.keys().any(|key| key.starts_with(ETCD_TAG))
    }
}

/// What the keys of tags begin with that tell of what in etcd's clusters a volume is.
const ETCD_TAG: &str = "k8s.io/etcd/";
const MASTER_TAG: &str = "k8s.io/role/master";
/// What the keys of the tags begin with that volumes of masters alone have.
const TAGS_OF_MASTERS: &str = "k8s.io/*";

/// The volumes of masters by any tag that tells of them, or by their names; those that Kubernetes
/// makes for pods carry the cluster's tags too, but none of these. What goes with its instance is
/// none of them.
#[derive(Debug)]
pub(crate) struct Volumes {
    cluster: String,
    /// Whether those of pods are looked at too.
    all: bool,
}

impl Look for Volumes {
    const AFTER: &'static [Looking] = &[];

    fn ask(asked: &Asked, _: &Seen) -> Option<Self> {
        let (cluster, all) = (asked.cluster().to_owned(), asked.everything());
        asked.looks_at(&[EbsVolume::KIND]).then_some(Self { cluster, all })
    }

    async fn read(self, aws: &Aws) -> Result<Seen, AwsError> {
        let Self { cluster, all } = &self;
        let rows = match all {
            true => {
                ec2::marked_or_named(
                    cluster,
                    |volume: &LiveVolume| &volume.id,
                    |chosen| read(aws, chosen),
                )
                .await
            }
            false => {
                let rows =
                    read(aws, vec![ec2::filter("tag-key", [TAGS_OF_MASTERS.to_owned()])]).await;
                rows.map(|mut rows| {
                    rows.retain(|volume| is_of_masters(&volume.tags, cluster));
                    rows
                })
            }
        };
        Ok(Seen::default().with(Looked::sort(rows)?))
    }
}

impl Presence for EbsVolume {
    const LOOKS: &'static [Looking] = &[Looking::of::<Volumes>()];

    const IS_SOUGHT: bool = false;

    fn belongings(around: &Around<'_>) -> Vec<Belonging> {
        let volumes = around.seen.rows::<LiveVolume>().iter().filter_map(|volume| {
            around.by_id(Self::KIND, &volume.marks(), VolumeDeletion(volume.id.clone()))
        });
        volumes.collect()
    }
}

/// Reads volumes, but for those that go with their instances. Others of a running instance are let
/// go by then.
async fn read(aws: &Aws, chosen: Vec<Filter>) -> Result<Vec<LiveVolume>, AwsError> {
    let rows = describe(aws, chosen).await?;
    let standing = rows.iter().filter(|volume| !is_gone(volume) && !goes_with_instance(volume));
    standing.map(from_sdk).collect()
}

fn goes_with_instance(volume: &Volume) -> bool {
    volume.attachments().iter().any(|one| one.delete_on_termination() == Some(true))
}

/// Whether tags tell of a master's volume, or its name does that kops gives:
/// `a.etcd-main.dev.example.com`.
fn is_of_masters(tags: &Tags, cluster: &str) -> bool {
    let name = tags.get("Name").and_then(|name| name.strip_suffix(&format!(".{cluster}")));
    tags.keys().any(|key| key == MASTER_TAG || key.starts_with(ETCD_TAG))
        || name.is_some_and(|name| name.contains(".etcd-"))
}

async fn describe(aws: &Aws, chosen: Vec<Filter>) -> Result<Vec<Volume>, AwsError> {
    let call = aws.ec2.describe_volumes().set_filters(Some(chosen));
    let rows = call.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
    rows.map_err(|error| AwsError::new(DESCRIBE, "", error))
}

fn is_gone(volume: &Volume) -> bool {
    matches!(volume.state(), Some(VolumeState::Deleted | VolumeState::Deleting))
}

fn from_sdk(volume: &Volume) -> Result<LiveVolume, AwsError> {
    let id = Id::given(Answer::of(DESCRIBE, ""), "volumeId", volume.volume_id())?;
    let answer = Answer::of(DESCRIBE, &id);
    let attached = volume.attachments().iter();
    Ok(LiveVolume {
        zone: answer.text("availabilityZone", volume.availability_zone())?,
        size: answer.part("size", volume.size())?,
        volume_type: answer.text("volumeType", volume.volume_type().map(VolumeType::as_str))?,
        iops: volume.iops(),
        throughput: volume.throughput(),
        encrypted: volume.encrypted().unwrap_or(false),
        kms_key: volume.kms_key_id().map(str::to_owned),
        attached_to: attached.filter_map(|one| one.instance_id().map(str::to_owned)).collect(),
        made: volume.create_time().copied(),
        tags: ec2::tags_from_sdk(volume.tags()),
        id: id.clone(),
    })
}

impl Manage for EbsVolume {
    type Live = LiveVolume;
    type Fields = VolumeFields<Wanted>;

    fn id(&self) -> ResourceId {
        ResourceId::new(EbsVolume::KIND, &self.name)
    }

    fn needs(&self) -> Vec<ResourceId> {
        Vec::new()
    }

    /// Masters find their volume by its tag of etcd, whatever its name, so that there must
    /// be one only.
    fn is(&self, found: &LiveVolume, view: View<'_>) -> bool {
        ec2::is_named(&found.tags, &self.name)
            || view.owner.is_marked(&found.tags)
                && found.zone == self.zone
                && self.is_member_of(&found.tags)
    }

    fn marks<'a>(&self, found: &'a LiveVolume, _: View<'a>) -> Vec<Marks<'a>> {
        vec![Marks::of(&found.id).tags(&found.tags)]
    }

    fn adopt(&self, found: &LiveVolume, owner: &Owner) -> Option<String> {
        Some(owner.adopt(&Taggable::Ec2(&found.id)))
    }

    fn aws_id(found: &LiveVolume) -> Id<Self> {
        found.id.clone()
    }

    fn wanted(&self, _: View<'_>) -> VolumeFields<Wanted> {
        VolumeFields {
            zone: Want::Is(self.zone.clone()),
            size: Want::Is(self.size),
            volume_type: Want::Is(self.volume_type.clone()),
            iops: Want::if_told(self.iops),
            throughput: Want::if_told(self.throughput),
            encrypted: Want::Is(self.encrypted),
            kms_key: Want::if_told(self.kms_key.clone().map(KmsKey)),
            tags: Want::Is(self.tags.clone()),
        }
    }

    fn found(&self, found: &LiveVolume, _: View<'_>) -> VolumeFields<Found> {
        VolumeFields {
            zone: Some(found.zone.clone()),
            size: Some(found.size),
            volume_type: Some(found.volume_type.clone()),
            iops: found.iops,
            throughput: found.throughput,
            encrypted: Some(found.encrypted),
            kms_key: found.kms_key.clone().map(KmsKey),
            tags: Some(found.tags.clone()),
        }
    }

    fn judge(&self, changed: &mut VolumeFields<Changed>, found: &LiveVolume) -> Vec<Stuck> {
        let too_large = VolumeFields {
            size: changed.size.take_if(|_| found.size > self.size),
            ..VolumeFields::none()
        };
        let why = "EBS cannot shrink a volume".to_owned();
        let next = format!("set volumeSize of the etcd member to {}", found.size);
        let fixed = VolumeFields {
            zone: changed.zone.take(),
            encrypted: changed.encrypted.take(),
            kms_key: changed.kms_key.take(),
            ..VolumeFields::none()
        };
        let borne = Stuck::borne(&too_large, why, next);
        let fixed = Stuck::fixed(&fixed, &found.id, manage::instead(self));
        borne.into_iter().chain(fixed).collect()
    }

    fn twin(found: &LiveVolume, _: View<'_>) -> Option<Twin> {
        let made = found.made.as_ref().map(|at| format!("made {}", ec2::time_text(at)));
        let size = format!("{} GiB {}", found.size, found.volume_type);
        Some(Twin {
            used_by: (!found.attached_to.is_empty()).then(|| found.attached_to.join(" and ")),
            about: std::iter::once(size).chain(made).collect(),
            made: found.made.as_ref().map(DateTime::secs),
            tags: found.tags.clone(),
        })
    }

    fn given(&self) -> Given<'_> {
        Given::nothing().tags(&self.tags)
    }

    async fn create(&self, work: &Work<'_>) -> Result<Option<Id<Self>>, AwsError> {
        let creation = Creation { work, resource: &self.id(), operation: CREATE };
        let create = |token| self.create_one(work.aws, token);
        creation.with_token(&self.zone, create, || self.standing(work.aws)).await.map(Some)
    }

    async fn update(
        &self,
        work: &Work<'_>,
        id: &Id<Self>,
        changed: &VolumeFields<Changed>,
    ) -> Result<(), AwsError> {
        let VolumeFields {
            zone: _,
            size,
            volume_type,
            iops,
            throughput,
            encrypted: _,
            kms_key: _,
            tags,
        } = changed;
        if tags.is_some() {
            ec2::tag(work.aws, id, &self.tags).await?;
        }
        if size.is_some() || volume_type.is_some() || iops.is_some() || throughput.is_some() {
            let size = size.as_ref().and_then(|delta| delta.after);
            let call = work.aws.ec2.modify_volume().volume_id(id).set_size(size);
            call.volume_type(VolumeType::from(self.volume_type.as_str()))
                .set_iops(self.iops)
                .set_throughput(self.throughput)
                .send()
                .await
                .map_err(|error| AwsError::new("ec2:ModifyVolume", &self.name, error))?;
        }
        Ok(())
    }

    #[cfg(test)]
    fn imagined(&self, id: &Id<Self>, _: View<'_>) -> LiveVolume {
        LiveVolume {
            id: id.clone(),
            zone: self.zone.clone(),
            size: self.size,
            volume_type: self.volume_type.clone(),
            iops: self.iops,
            throughput: self.throughput,
            encrypted: self.encrypted,
            kms_key: self.kms_key.clone(),
            attached_to: Vec::new(),
            made: None,
            tags: self.tags.clone(),
        }
    }

    #[cfg(test)]
    fn disturbed(&self, live: &LiveVolume) -> Vec<(&'static str, LiveVolume)> {
        let other = || "other".to_owned();
        vec![
            ("zone", LiveVolume { zone: other(), ..live.clone() }),
            ("size", LiveVolume { size: live.size - 1, ..live.clone() }),
            ("size", LiveVolume { size: live.size + 1, ..live.clone() }),
            ("type", LiveVolume { volume_type: other(), ..live.clone() }),
            ("iops", LiveVolume { iops: Some(1), ..live.clone() }),
            ("throughput", LiveVolume { throughput: Some(1), ..live.clone() }),
            ("encrypted", LiveVolume { encrypted: !live.encrypted, ..live.clone() }),
            ("kmsKey", LiveVolume { kms_key: Some(other()), ..live.clone() }),
            ("tags", LiveVolume { tags: Self::lacking_one(&live.tags), ..live.clone() }),
        ]
    }
}

impl EbsVolume {
    async fn create_one(&self, aws: &Aws, token: String) -> Result<Id<Self>, AwsError> {
        let answer = aws
            .ec2
            .create_volume()
            .client_token(token)
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
            .map_err(|error| AwsError::new(CREATE, &self.name, error))?;
        Id::given(Answer::of(CREATE, &self.name), "volumeId", answer.volume_id())
    }

    async fn standing(&self, aws: &Aws) -> Result<Vec<Standing<Id<Self>>>, AwsError> {
        let rows = describe(aws, ec2::identity(&self.tags)).await?;
        let standing = ec2::ours(&rows, |row| row.tags(), &self.tags).map(|volume| {
            let answer = Answer::of(DESCRIBE, &self.name);
            let id = Id::given(answer, "volumeId", volume.volume_id())?;
            Ok(Standing { id, is_gone: is_gone(volume) })
        });
        standing.collect()
    }

    /// Whether tags tell of the same member of etcd (`MEMBER/ALL,MEMBERS`), or of one that the
    /// cluster does not know.
    fn is_member_of(&self, tags: &Tags) -> bool {
        let mut own = self.tags.iter().filter(|(key, _)| key.starts_with(ETCD_TAG));
        own.any(|(key, own)| {
            let Some(other) = tags.get(key) else { return false };
            let member = |value: &str| value.split('/').next().unwrap_or_default().to_owned();
            let all = own.split_once('/').map(|(_, all)| all).unwrap_or_default();
            let is_another = all.split(',').any(|one| one == member(other));
            member(other) == member(own) || !is_another
        })
    }
}

/// Deletes a volume, by its id.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct VolumeDeletion(pub(crate) Id<EbsVolume>);

impl Delete for VolumeDeletion {
    async fn attempt(&self, aws: &Aws) -> Result<(), AwsError> {
        let Self(id) = self;
        let call = aws.ec2.delete_volume().volume_id(id);
        done("ec2:DeleteVolume", id, call.send().await)
    }

    async fn holders(&self, work: &Work<'_>, holders: &mut Holders) -> Result<(), AwsError> {
        of_volume(work.aws, &self.0, holders).await
    }
}

async fn of_volume(aws: &Aws, id: &str, holders: &mut Holders) -> Result<(), AwsError> {
    use aws_sdk_ec2::types::VolumeAttachmentState::{Detached, Detaching};
    let call = aws.ec2.describe_volumes().filters(ec2::filter("volume-id", [id]));
    let answer =
        call.send().await.map_err(|error| AwsError::new("ec2:DescribeVolumes", id, error))?;
    for one in answer.volumes().iter().flat_map(|volume| volume.attachments()) {
        let Some(instance) = one.instance_id() else { continue };
        let passes = matches!(one.state(), Some(Detached | Detaching))
            || User::Instance(instance.to_owned()).is_going(aws).await?;
        holders.add(passes, format!("instance {instance}, to which it is attached"));
    }
    Ok(())
}

impl Unclaimed for EbsVolume {
    /// What etcd has written is nowhere else: it goes by a word of its own, and never while it is
    /// mounted.
    fn unclaimed(sweep: &mut Sweep<'_>) {
        let view = sweep.view();
        let command = sweep.command("--prune --prune-volumes");
        let wanted = sweep.wishes::<EbsVolume>();
        for found in sweep.rows::<LiveVolume>(EbsVolume::KIND) {
            let place = Place::new(EbsVolume::KIND, &found.id);
            let is_ours = sweep.whose(EbsVolume::KIND, &found.marks()).is_owned();
            // One that stands for something of the spec's is never offered, be it one of several.
            let is_wanted =
                sweep.is_found(&place) || wanted.iter().any(|wanted| wanted.is(found, view));
            if is_wanted || !found.is_of_etcd() || !is_ours {
                continue;
            }
            let id = ResourceId::named(EbsVolume::KIND, &found.id, found.tags.get("Name"));
            if !found.attached_to.is_empty() {
                let ids = found.attached_to.join(", ");
                sweep.keep(id, &format!("mounted by {ids}; when it is not any more: {command}"));
            } else if sweep.takes_data() {
                let offer = Offer::new(id, place, VolumeDeletion(found.id.clone()));
                sweep.offer(offer.because("with all that this member of etcd has written"));
            } else {
                let what = "it holds what a member of etcd has written";
                sweep.keep(id, &format!("{what}; to delete it: {command}"));
            }
        }
    }
}
