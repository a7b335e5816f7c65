//! In what two versions differ.

use std::collections::BTreeSet;

use super::content::{Content, StartedTags, Volume};
use crate::core::drift::{Drift, FieldChange, UserDataChange};
use crate::core::fields::{
    Changed, Changes as _, Delta, ExactTags, Fields as _, Found, Side, Value, Want, Wanted, fields,
};
use crate::visible::fingerprint::fingerprint;

fields! { TemplateFields {
    image: String = "image",
    machine_type: String = "machineType",
    ssh_key: String = "sshKey",
    profile: String = "instanceProfile",
    security_groups: BTreeSet<String> = "securityGroups",
    public_ip: bool = "publicIp",
    ipv6_addresses: i32 = "ipv6AddressCount",
    root_device: String = "rootDevice",
    root_volume: Volume = "rootVolume",
    volumes: Volumes = "volumes",
    ephemeral: BTreeSet<String> = "ephemeral",
    monitoring: bool = "monitoring",
    tenancy: String = "tenancy",
    market: String = "market",
    max_price: String = "maxPrice",
    spot_minutes: i32 = "spotDurationInMinutes",
    interruption: String = "instanceInterruptionBehavior",
    http_tokens: String = "httpTokens",
    http_hop_limit: i32 = "httpPutResponseHopLimit",
    http_ipv6: bool = "httpProtocolIpv6",
    cpu_credits: String = "cpuCredits",
    ebs_optimized: bool = "ebsOptimized",
    user_data: UserData = "userData",
    started_tags: StartedTags = "instanceTags",
    tags: ExactTags = "tags",
    is_default: bool = "defaultVersion",
    versions: OldVersions = "versions",
} }

impl TemplateFields<Changed> {
    /// Whether instances are made of something else: of all but what is the template's own.
    pub(crate) fn makes_version(&self) -> bool {
        let content = Self { tags: None, is_default: None, versions: None, ..self.clone() };
        !content.is_none()
    }
}

/// A side that the content of a version is told on.
pub(super) trait ContentSide: Side {
    fn of<T: Value>(value: Option<T>) -> Self::Of<T>;
}

/// What the content does not have must be absent.
impl ContentSide for Wanted {
    fn of<T: Value>(value: Option<T>) -> Want<T> {
        Want::maybe(value)
    }
}

impl ContentSide for Found {
    fn of<T: Value>(value: Option<T>) -> Option<T> {
        value
    }
}

impl Content {
    /// Its fields, and none of the template's own; `root` is the place of the root volume among
    /// the volumes, which only an image tells.
    pub(super) fn fields<S: ContentSide>(&self, root: Option<usize>) -> TemplateFields<S> {
        let set = |all: BTreeSet<String>| S::of((!all.is_empty()).then_some(all));
        let mut volumes = self.volumes.clone();
        let root = root.map(|place| volumes.remove(place));
        let (root_device, root_volume) = root.unzip();
        let disks = self.ephemeral.iter().map(|(device, disk)| format!("{device}={disk}"));
        let spot = self.spot.as_ref();
        TemplateFields {
            image: S::of(self.image.clone()),
            machine_type: S::of(self.machine_type.clone()),
            ssh_key: S::of(self.ssh_key.clone()),
            profile: S::of(self.profile.clone()),
            security_groups: set(self.security_groups.iter().cloned().collect()),
            public_ip: S::of(self.public_ip),
            ipv6_addresses: S::of(Some(self.ipv6_addresses)),
            root_device: S::of(root_device),
            root_volume: S::of(root_volume),
            volumes: S::of((!volumes.is_empty()).then_some(Volumes(volumes))),
            ephemeral: set(disks.collect()),
            monitoring: S::of(Some(self.monitoring)),
            tenancy: S::of(self.tenancy.clone()),
            market: S::of(spot.map(|_| "spot".to_owned())),
            max_price: S::of(spot.and_then(|spot| spot.price.clone())),
            spot_minutes: S::of(spot.and_then(|spot| spot.minutes)),
            interruption: S::of(spot.and_then(|spot| spot.interruption.clone())),
            http_tokens: S::of(self.http_tokens.clone()),
            http_hop_limit: S::of(self.http_hop_limit),
            http_ipv6: S::of(Some(self.http_ipv6)),
            cpu_credits: S::of(self.cpu_credits.clone()),
            ebs_optimized: S::of(self.ebs_optimized),
            user_data: S::of(self.user_data.clone().map(UserData)),
            started_tags: S::of(Some(self.started_tags.clone())),
            tags: S::of(None),
            is_default: S::of(None),
            versions: S::of(None),
        }
    }

    /// In what a later version of the same template is otherwise.
    pub(crate) fn difference(&self, later: &Self) -> TemplateFields<Changed> {
        later.fields::<Wanted>(None).difference(&self.fields(None))
    }
}

impl Value for Volume {
    fn tell(&self) -> String {
        let mut text = format!("{} GiB {}", self.size, self.volume_type);
        for (amount, unit) in [(self.iops, "iops"), (self.throughput, "MiB/s")] {
            if let Some(amount) = amount {
                text.push_str(&format!(", {amount} {unit}"));
            }
        }
        if self.encrypted {
            text.push_str(", encrypted");
        }
        if let Some(key) = &self.kms_key {
            text.push_str(&format!(" with {key}"));
        }
        if !self.delete_on_termination {
            text.push_str(", kept");
        }
        text
    }

    /// Tells each part as a field.
    fn drift(field: &str, delta: &Delta<Self>, drift: &mut Drift) {
        type Part = (&'static str, fn(&Volume) -> Option<String>);
        let parts: [Part; 7] = [
            ("Size", |volume| Some(volume.size.to_string())),
            ("Type", |volume| Some(volume.volume_type.clone())),
            ("Iops", |volume| Some(volume.iops?.to_string())),
            ("Throughput", |volume| Some(volume.throughput?.to_string())),
            ("Encryption", |volume| volume.encrypted.then(|| true.to_string())),
            ("EncryptionKey", |volume| volume.kms_key.clone()),
            ("DeleteOnTermination", |volume| Some(volume.delete_on_termination.to_string())),
        ];
        for (part, tell) in parts {
            let told = |side: &Option<Self>| side.as_ref().and_then(tell);
            let (before, after) = (told(&delta.before), told(&delta.after));
            if before != after {
                drift.fields.push(FieldChange { field: format!("{field}{part}"), before, after });
            }
        }
    }
}

/// The volumes beside the root volume, by their devices.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Volumes(Vec<(String, Volume)>);

impl Value for Volumes {
    fn tell(&self) -> String {
        let volumes = self.0.iter().map(|(device, volume)| format!("{device}: {}", volume.tell()));
        volumes.collect::<Vec<_>>().join("; ")
    }

    /// In whichever order.
    fn is(&self, found: &Self) -> bool {
        self.0.len() == found.0.len()
            && self.0.iter().all(|(device, volume)| at(&found.0, device) == Some(volume))
    }

    /// Tells each volume as a field: those that are wanted, then those that go.
    fn drift(field: &str, delta: &Delta<Self>, drift: &mut Drift) {
        let volumes = |side: &Option<Self>| side.clone().map_or_else(Vec::new, |all| all.0);
        let (found, wanted) = (volumes(&delta.before), volumes(&delta.after));
        let gone = found.iter().filter(|(device, _)| at(&wanted, device).is_none());
        for (device, _) in wanted.iter().chain(gone) {
            let (before, after) = (at(&found, device), at(&wanted, device));
            if before != after {
                drift.fields.push(FieldChange {
                    field: format!("{field}[{device:?}]"),
                    before: before.map(Value::tell),
                    after: after.map(Value::tell),
                });
            }
        }
    }
}

fn at<'a>(volumes: &'a [(String, Volume)], device: &str) -> Option<&'a Volume> {
    volumes.iter().find(|(own, _)| own == device).map(|(_, volume)| volume)
}

/// It is told by its fingerprint, since it may hold secrets.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct UserData(Vec<u8>);

impl Value for UserData {
    fn tell(&self) -> String {
        fingerprint(&self.0)
    }

    /// The whole of it lies apart, for those who ask for it.
    fn drift(field: &str, delta: &Delta<Self>, drift: &mut Drift) {
        drift.fields.push(delta.as_field(field));
        let [before, after] = [&delta.before, &delta.after].map(|side| side.clone().map(|it| it.0));
        drift.user_data = Some(UserDataChange { before, after });
    }
}

impl Value for StartedTags {
    fn tell(&self) -> String {
        let tags = self.each().map(|(of, tags)| format!("{of}: {}", tags.tell()));
        tags.join("; ")
    }

    /// Tells each tag as a field, once if all that is started has it the same way.
    fn drift(field: &str, delta: &Delta<Self>, drift: &mut Drift) {
        let side = |side: &Option<Self>| side.clone().unwrap_or_default();
        let (before, after) = (side(&delta.before), side(&delta.after));
        let sides: Vec<_> = before.each().into_iter().zip(after.each()).collect();
        let keys =
            sides.iter().flat_map(|((_, before), (_, after))| before.keys().chain(after.keys()));
        for key in keys.collect::<BTreeSet<_>>() {
            let told = sides.iter().map(|((of, before), (_, after))| {
                (*of, before.get(key).cloned(), after.get(key).cloned())
            });
            let mut told: Vec<_> = told.collect();
            let is_same =
                told.iter().all(|(_, before, after)| (before, after) == (&told[0].1, &told[0].2));
            let field = format!("{field}[{key:?}]");
            if is_same {
                told.truncate(1);
            }
            let differing = told.into_iter().filter(|(_, before, after)| before != after);
            drift.fields.extend(differing.map(|(of, before, after)| {
                let of = if is_same { String::new() } else { format!(" of {of}") };
                FieldChange { field: format!("{field}{of}"), before, after }
            }));
        }
    }
}

/// The numbers of old versions.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct OldVersions(pub(super) Vec<i64>);

impl Value for OldVersions {
    fn tell(&self) -> String {
        self.0.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::tags::Tags;

    fn gp2(size: i32) -> Volume {
        Volume { size, volume_type: "gp2".to_owned(), ..Volume::default() }
    }

    fn content(volumes: &[(&str, i32)]) -> Content {
        let volumes = volumes.iter().map(|(device, size)| ((*device).to_owned(), gp2(*size)));
        Content { volumes: volumes.collect(), ..Content::default() }
    }

    fn told(changed: &TemplateFields<Changed>) -> Vec<String> {
        let side = |side: Option<String>| side.unwrap_or_else(|| "none".to_owned());
        let told = changed.drift().fields.into_iter().map(|change| {
            format!("{} {} → {}", change.field, side(change.before), side(change.after))
        });
        told.collect()
    }

    #[test]
    fn volumes_compare_by_their_devices_in_whichever_order() {
        let before = content(&[("/dev/xvda", 20), ("/dev/xvdb", 30), ("/dev/xvdc", 40)]);
        let turned = content(&[("/dev/xvdc", 40), ("/dev/xvda", 20), ("/dev/xvdb", 30)]);
        assert!(before.difference(&turned).is_none());
        let after = content(&[("/dev/xvdd", 50), ("/dev/xvda", 20), ("/dev/xvdc", 45)]);
        let expected = [
            "volumes[\"/dev/xvdd\"] none → 50 GiB gp2, kept",
            "volumes[\"/dev/xvdc\"] 40 GiB gp2, kept → 45 GiB gp2, kept",
            "volumes[\"/dev/xvdb\"] 30 GiB gp2, kept → none",
        ];
        assert_eq!(told(&before.difference(&after)), expected);
        assert_eq!(told(&after.difference(&content(&[]))).len(), 3);
    }

    #[test]
    fn a_root_volume_is_told_by_its_parts_that_differ() {
        let found: TemplateFields<Found> = content(&[("/dev/xvda", 20)]).fields(Some(0));
        let wanted = Volume { iops: Some(3000), encrypted: true, ..gp2(30) };
        let wanted =
            Content { volumes: vec![("/dev/sda1".to_owned(), wanted)], ..Content::default() };
        let expected = [
            "rootDevice /dev/xvda → /dev/sda1", "rootVolumeSize 20 → 30",
            "rootVolumeIops none → 3000", "rootVolumeEncryption none → true",
        ];
        assert_eq!(told(&wanted.fields::<Wanted>(Some(0)).difference(&found)), expected);
    }

    #[test]
    fn user_data_is_compared_by_its_bytes_and_told_by_a_digest() {
        let with = |data: &str| Content {
            user_data: Some(data.as_bytes().to_vec()),
            ..Content::default()
        };
        let expected = ["userData 6 bytes, sha256 2bb80d537b1d… → none"];
        assert_eq!(told(&with("secret").difference(&Content::default())), expected);
    }

    #[test]
    fn tags_of_what_is_started_are_told_once_where_all_have_them_the_same_way() {
        let tags = |pairs: &[(&str, &str)]| -> Tags {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        let with = |started_tags| Content { started_tags, ..Content::default() };
        let before = with(StartedTags {
            volume: tags(&[("a", "1"), ("b", "1")]),
            ..StartedTags::all(&tags(&[("a", "1"), ("c", "1")]))
        });
        let after = with(StartedTags::all(&tags(&[("a", "2"), ("b", "1")])));
        let expected = [
            "instanceTags[\"a\"] 1 → 2",
            "instanceTags[\"b\"] of instance none → 1",
            "instanceTags[\"b\"] of network-interface none → 1",
            "instanceTags[\"c\"] of instance 1 → none",
            "instanceTags[\"c\"] of network-interface 1 → none",
        ];
        assert_eq!(told(&before.difference(&after)), expected);
    }

    #[test]
    fn what_is_the_templates_own_makes_no_version() {
        let old = Delta { before: Some(OldVersions(vec![2, 3])), after: None };
        let tags = Delta { before: None, after: Some(ExactTags::default()) };
        let is_default = Some(Delta { before: Some(false), after: Some(true) });
        let (tags, versions) = (Some(tags), Some(old));
        let own = TemplateFields { tags, is_default, versions, ..TemplateFields::none() };
        assert!(!own.makes_version());
        let monitoring = Some(Delta { before: Some(false), after: Some(true) });
        assert!(TemplateFields { monitoring, ..own }.makes_version());
    }
}
