//! Volumes as specs ask for them, kops' defaults filled in.

use super::cluster::EtcdMember;
use super::instance_group::{InstanceGroup, Volume};
use super::object::filled;
use super::role::Role;
use crate::limits::volume::{Asked, has_iops};

/// kops `pkg/model/master_volumes.go`, `pkg/model/awsmodel/autoscalinggroup.go`.
const KIND: &str = "gp2";
const IOPS: i64 = 100;
const ETCD_SIZE: i64 = 20;

impl EtcdMember {
    pub(crate) fn volume(&self) -> Asked {
        let kind = filled(&self.volume_type).unwrap_or(KIND);
        Asked {
            size: given(self.volume_size).unwrap_or(ETCD_SIZE),
            iops: iops(kind, self.volume_iops),
            throughput: given(self.volume_throughput),
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
        Asked {
            size: given(spec.root_volume_size).unwrap_or(default),
            iops: iops(kind, spec.root_volume_iops),
            throughput: given(spec.root_volume_throughput),
            encrypted: spec.root_volume_encryption.unwrap_or(false),
            key: filled(&spec.root_volume_encryption_key).map(str::to_owned),
            kind: kind.to_owned(),
        }
    }
}

impl Volume {
    pub(crate) fn asked(&self) -> Asked {
        let kind = filled(&self.kind).unwrap_or(KIND);
        Asked {
            size: self.size.unwrap_or_default(),
            iops: iops(kind, self.iops),
            throughput: given(self.throughput),
            encrypted: self.encrypted.unwrap_or(false),
            key: filled(&self.key).map(str::to_owned),
            kind: kind.to_owned(),
        }
    }
}

/// kops takes a zero for a field that is not set.
fn given(number: Option<i64>) -> Option<i64> {
    number.filter(|number| *number != 0)
}

/// Operations a second, for the types that have them; `io1` cannot do without.
fn iops(kind: &str, asked: Option<i64>) -> Option<i64> {
    match (given(asked), kind) {
        (asked @ Some(_), _) if has_iops(kind) => asked,
        (None, "io1" | "io2") => Some(IOPS),
        _ => None,
    }
}
