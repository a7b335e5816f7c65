//! The volumes of etcd (kops `pkg/model/master_volumes.go`).

use super::{DesiredCluster, Input, names};
use crate::resource::ebs_volume::EbsVolume;
use crate::spec::cluster::{EtcdCluster, EtcdMember, filled};
use crate::spec::path::FieldPath;
use crate::spec::problem::Problem;

const SIZE: i64 = 20;
pub(super) const VOLUME_TYPE: &str = "gp2";
pub(super) const IOPS: i64 = 100;

pub(super) fn add(input: Input<'_>, desired: &mut DesiredCluster) -> Result<(), Vec<Problem>> {
    let path = FieldPath::root().key("spec").key("etcdClusters");
    let mut problems = Vec::new();
    for (at, etcd) in input.cluster.etcd_clusters().iter().enumerate() {
        for (index, member) in etcd.members().iter().enumerate() {
            let group = filled(&member.instance_group);
            // Checked elsewhere: a member's group exists.
            let Some(group) = input.groups.iter().find(|g| Some(g.name()) == group) else {
                continue;
            };
            let mut zones: Vec<&str> = input
                .cluster
                .subnets_of(group)
                .iter()
                .filter_map(|subnet| filled(&subnet.zone))
                .collect();
            zones.sort();
            zones.dedup();
            match zones[..] {
                [zone] => desired.resources.push(volume(input, etcd, member, zone).into()),
                _ => {
                    let path = path.index(at).key("etcdMembers").index(index).key("instanceGroup");
                    let message = format!(
                        "the group {} must be in one zone, since the member's volume is; it is in \
                         {}",
                        group.name(),
                        zones.join(", ")
                    );
                    problems.push(Problem::new(&path, message));
                }
            }
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

fn volume(input: Input<'_>, etcd: &EtcdCluster, member: &EtcdMember, zone: &str) -> EbsVolume {
    let cluster = input.cluster;
    let etcd_name = filled(&etcd.name).unwrap_or_default();
    let own = filled(&member.name).unwrap_or_default();
    let mut all: Vec<&str> = etcd.members().iter().filter_map(|m| filled(&m.name)).collect();
    all.sort();
    let name = format!("{own}.etcd-{etcd_name}.{}", cluster.name());
    let mut tags = names::labels(cluster.spec.cloud_labels.as_ref());
    tags.extend(names::tags(cluster, &name, false));
    tags.insert(format!("k8s.io/etcd/{etcd_name}"), format!("{own}/{}", all.join(",")));
    tags.insert("k8s.io/role/master".to_owned(), "1".to_owned());
    let volume_type = filled(&member.volume_type).unwrap_or(VOLUME_TYPE).to_owned();
    let asked = member.volume_iops.filter(|iops| *iops > 0);
    EbsVolume {
        zone: zone.to_owned(),
        size: narrow(member.volume_size.filter(|size| *size > 0).unwrap_or(SIZE)),
        iops: iops(&volume_type, asked),
        throughput: member.volume_throughput.map(narrow),
        encrypted: member.encrypted_volume.unwrap_or(false),
        kms_key: filled(&member.kms_key_id).map(str::to_owned),
        volume_type,
        name,
        tags,
    }
}

/// Operations a second, for the types that have them; `io1` cannot do without.
pub(super) fn iops(volume_type: &str, asked: Option<i64>) -> Option<i32> {
    match volume_type {
        "io1" | "io2" => Some(narrow(asked.unwrap_or(IOPS))),
        "gp3" => asked.map(narrow),
        _ => None,
    }
}

/// A number of a spec as AWS takes it; what is too large is AWS' to refuse.
pub(super) fn narrow(number: i64) -> i32 {
    number.clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32
}
