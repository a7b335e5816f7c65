//! The volumes of etcd (kops `pkg/model/master_volumes.go`).

use super::{DesiredCluster, Input, Notice, names};
use crate::ec2::volume::EbsVolume;
use crate::limits::volume::{has_iops, has_throughput};
use crate::spec::cluster::{Cluster, EtcdCluster, EtcdMember};
use crate::spec::object::filled;
use crate::spec::path::FieldPath;
use crate::spec::problem::Problem;

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
                [zone] => {
                    let path = path.index(at).key("etcdMembers").index(index);
                    notices(input.cluster, &path, member, desired);
                    match volume(input, etcd, member, zone) {
                        Ok(volume) => desired.resources.push(volume.into()),
                        Err(message) => problems.push(Problem::new(&path, message)),
                    }
                }
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

/// kops leaves out what a type of volumes has none of to choose.
fn notices(cluster: &Cluster, path: &FieldPath, member: &EtcdMember, desired: &mut DesiredCluster) {
    let kind = member.volume().kind;
    let is_said = |amount: Option<i64>| amount.is_some_and(|amount| amount > 0);
    let amounts = [
        ("volumeIops", is_said(member.volume_iops) && !has_iops(&kind), "gp3, io1 or io2"),
        ("volumeThroughput", is_said(member.volume_throughput) && !has_throughput(&kind), "gp3"),
    ];
    for (field, _, kinds) in amounts.into_iter().filter(|(_, is_ignored, _)| *is_ignored) {
        desired.notices.push(Notice {
            object: format!("Cluster/{}", cluster.name()),
            message: format!("{path}.{field} is ignored, since {kind} has none to choose"),
            next: format!("remove it, or choose {kinds}"),
        });
    }
}

fn volume(
    input: Input<'_>,
    etcd: &EtcdCluster,
    member: &EtcdMember,
    zone: &str,
) -> Result<EbsVolume, String> {
    let cluster = input.cluster;
    let etcd_name = filled(&etcd.name).unwrap_or_default();
    let own = filled(&member.name).unwrap_or_default();
    let mut all: Vec<&str> = etcd.members().iter().filter_map(|m| filled(&m.name)).collect();
    all.sort();
    let name = format!("{own}.etcd-{etcd_name}.{}", cluster.name());
    let mut tags = names::tags(cluster, &name, false);
    tags.insert(format!("k8s.io/etcd/{etcd_name}"), format!("{own}/{}", all.join(",")));
    for word in ["master", "control-plane"] {
        tags.insert(format!("k8s.io/role/{word}"), "1".to_owned());
    }
    let asked = member.volume();
    Ok(EbsVolume {
        zone: zone.to_owned(),
        size: whole("volumeSize", asked.size)?,
        iops: asked.iops.map(|iops| whole("volumeIops", iops)).transpose()?,
        throughput: asked.throughput.map(|mib| whole("volumeThroughput", mib)).transpose()?,
        encrypted: asked.encrypted,
        kms_key: asked.key,
        volume_type: asked.kind,
        name,
        tags,
    })
}

/// A number of a spec as AWS' calls carry it. One that does not fit is refused, never cut.
pub(super) fn whole(field: &str, number: i64) -> Result<i32, String> {
    i32::try_from(number).map_err(|_| format!("{field} is {number}; AWS takes numbers of 32 bits"))
}
