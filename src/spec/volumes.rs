//! Volumes as specs ask for them, kops' defaults and least amounts filled in.

use super::cluster::EtcdMember;
use super::instance_group::{InstanceGroup, Volume};
use super::object::filled;
use super::role::Role;
use crate::limits::volume::{Asked, has_iops, has_throughput};

/// kops `pkg/model/master_volumes.go`, `pkg/model/awsmodel/autoscalinggroup.go`.
const KIND: &str = "gp3";
const IOPS: i64 = 100;
const GP3_IOPS: i64 = 3000;
const GP3_THROUGHPUT: i64 = 125;
const ETCD_SIZE: i64 = 20;

/// What is made of an amount below the least that kops asks for.
#[derive(Clone, Copy)]
enum Below {
    Raised,
    /// It is said, so it is asked for.
    Kept,
}

impl EtcdMember {
    pub(crate) fn volume(&self) -> Asked {
        let kind = filled(&self.volume_type).unwrap_or(KIND);
        Asked {
            size: given(self.volume_size).unwrap_or(ETCD_SIZE),
            iops: iops(kind, self.volume_iops, Below::Raised),
            throughput: throughput(kind, self.volume_throughput, Below::Raised),
            encrypted: self.encrypted_volume.unwrap_or(false),
            key: filled(&self.kms_key_id).map(str::to_owned),
            kind: kind.to_owned(),
        }
    }
}

impl InstanceGroup {
    pub(crate) fn root_volume(&self) -> Asked {
        let spec = &self.spec;
        let kind = filled(&spec.root_volume_type).unwrap_or(KIND);
        let default = match spec.role {
            Some(Role::Master) => 64,
            Some(Role::Bastion) => 32,
            Some(Role::Node | Role::ApiServer) | None => 128,
        };
        // A key counts where encryption is said, though it is the default.
        let key = filled(&spec.root_volume_encryption_key);
        let key = key.filter(|_| spec.root_volume_encryption == Some(true));
        Asked {
            size: given(spec.root_volume_size).unwrap_or(default),
            iops: iops(kind, spec.root_volume_iops, Below::Raised),
            throughput: throughput(kind, spec.root_volume_throughput, Below::Raised),
            encrypted: spec.root_volume_encryption.unwrap_or(true),
            key: key.map(str::to_owned),
            kind: kind.to_owned(),
        }
    }
}

impl Volume {
    pub(crate) fn asked(&self) -> Asked {
        let kind = filled(&self.kind).unwrap_or(KIND);
        let encrypted = self.encrypted.unwrap_or(true);
        Asked {
            size: self.size.unwrap_or_default(),
            iops: iops(kind, self.iops, Below::Kept),
            throughput: throughput(kind, self.throughput, Below::Kept),
            encrypted,
            key: filled(&self.key).filter(|_| encrypted).map(str::to_owned),
            kind: kind.to_owned(),
        }
    }
}

/// kops takes a zero for a field that is not set.
fn given(number: Option<i64>) -> Option<i64> {
    number.filter(|number| *number != 0)
}

fn at_least(least: i64, asked: Option<i64>, below: Below) -> i64 {
    match (given(asked), below) {
        (None, _) => least,
        (Some(asked), Below::Raised) => asked.max(least),
        (Some(asked), Below::Kept) => asked,
    }
}

/// Operations a second, for the types that have them to choose.
fn iops(kind: &str, asked: Option<i64>, below: Below) -> Option<i64> {
    let least = if kind == "gp3" { GP3_IOPS } else { IOPS };
    has_iops(kind).then(|| at_least(least, asked, below))
}

/// MiB a second, likewise.
fn throughput(kind: &str, asked: Option<i64>, below: Below) -> Option<i64> {
    has_throughput(kind).then(|| at_least(GP3_THROUGHPUT, asked, below))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;

    fn told(asked: &Asked) -> String {
        let amount = |amount: Option<i64>| amount.map_or("-".to_owned(), |own| own.to_string());
        let Asked { kind, size, iops, throughput, encrypted, key } = asked;
        let encrypted = if *encrypted { "encrypted" } else { "plain" };
        let key = key.as_deref().unwrap_or("-");
        format!("{kind} {size} {} {} {encrypted} {key}", amount(*iops), amount(*throughput))
    }

    fn root(spec: Json) -> String {
        let group: InstanceGroup = serde_json::from_value(json!({"spec": spec})).unwrap();
        told(&group.root_volume())
    }

    #[test]
    fn root_volumes_are_by_role_and_never_below_the_least() {
        for (role, size) in [("Master", 64), ("Node", 128), ("APIServer", 128), ("Bastion", 32)] {
            assert_eq!(root(json!({"role": role})), format!("gp3 {size} 3000 125 encrypted -"));
        }
        for (spec, expected) in [
            (
                json!({"rootVolumeIops": 200, "rootVolumeThroughput": 20}),
                "gp3 128 3000 125 encrypted -",
            ),
            (
                json!({"rootVolumeIops": 4000, "rootVolumeThroughput": 200}),
                "gp3 128 4000 200 encrypted -",
            ),
            (json!({"rootVolumeType": "io2"}), "io2 128 100 - encrypted -"),
            (
                json!({"rootVolumeType": "io1", "rootVolumeIops": 50, "rootVolumeThroughput": 300}),
                "io1 128 100 - encrypted -",
            ),
            (json!({"rootVolumeType": "gp2", "rootVolumeIops": 500}), "gp2 128 - - encrypted -"),
            (json!({"rootVolumeEncryptionKey": "k"}), "gp3 128 3000 125 encrypted -"),
            (
                json!({"rootVolumeEncryption": true, "rootVolumeEncryptionKey": "k"}),
                "gp3 128 3000 125 encrypted k",
            ),
            (json!({"rootVolumeEncryption": false, "rootVolumeSize": 9}), "gp3 9 3000 125 plain -"),
        ] {
            assert_eq!(root(spec.clone()), expected, "{spec}");
        }
    }

    #[test]
    fn further_volumes_have_what_is_said_and_else_the_least() {
        for (volume, expected) in [
            (json!({"size": 20}), "gp3 20 3000 125 encrypted -"),
            (json!({"size": 20, "iops": 500, "throughput": 20}), "gp3 20 500 20 encrypted -"),
            (json!({"size": 20, "type": "io1"}), "io1 20 100 - encrypted -"),
            (json!({"size": 20, "type": "st1", "iops": 500}), "st1 20 - - encrypted -"),
            (json!({"size": 20, "key": "k"}), "gp3 20 3000 125 encrypted k"),
            (json!({"size": 20, "key": "k", "encrypted": false}), "gp3 20 3000 125 plain -"),
        ] {
            let read: Volume = serde_json::from_value(volume.clone()).unwrap();
            assert_eq!(told(&read.asked()), expected, "{volume}");
        }
    }

    #[test]
    fn etcd_has_plain_volumes_unless_it_says_otherwise() {
        for (member, expected) in [
            (json!({}), "gp3 20 3000 125 plain -"),
            (json!({"volumeIops": 100, "volumeThroughput": 1}), "gp3 20 3000 125 plain -"),
            (json!({"volumeType": "io1", "volumeIops": 50}), "io1 20 100 - plain -"),
            (json!({"volumeType": "gp2", "volumeSize": 5}), "gp2 5 - - plain -"),
            (json!({"encryptedVolume": true, "kmsKeyId": "k"}), "gp3 20 3000 125 encrypted k"),
        ] {
            let read: EtcdMember = serde_json::from_value(member.clone()).unwrap();
            assert_eq!(told(&read.volume()), expected, "{member}");
        }
    }
}
