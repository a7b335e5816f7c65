//! The etcd clusters, their members, and the groups that run them.

use super::{Check, VolumeFields};
use crate::limits::volume::Use;
use crate::spec::cluster::{Cluster, EtcdCluster, EtcdMember, Version};
use crate::spec::instance_group::InstanceGroup;
use crate::spec::object::filled;
use crate::spec::path::FieldPath;
use crate::spec::role::Role;

/// The first Kubernetes for which kops runs etcd 3 when no version is given
/// (`pkg/model/components/etcd.go`); before, it is etcd 2.
const WITH_ETCD_3: Version = Version(1, 11);

const VOLUME: VolumeFields = VolumeFields {
    kind: "volumeType",
    size: "volumeSize",
    iops: "volumeIops",
    throughput: "volumeThroughput",
    key: "kmsKeyId",
};

pub(super) fn check(cluster: &Cluster, spec: &FieldPath, check: &mut Check) {
    let path = spec.key("etcdClusters");
    let clusters = cluster.etcd_clusters();
    if clusters.is_empty() {
        return check.add(&path, "is required: the etcd clusters main and events");
    }
    for (index, etcd) in clusters.iter().enumerate() {
        let path = path.index(index);
        match filled(&etcd.name) {
            None => check.add(&path.key("name"), "is required"),
            Some(name) if clusters[..index].iter().any(|e| filled(&e.name) == Some(name)) => {
                check.add(&path.key("name"), format!("{name:?} names another etcd cluster too"));
            }
            Some(_) => {}
        }
        members(etcd, &path, check);
        version(etcd, &path.key("version"), check);
        let first = filled(&clusters[0].version);
        if let Some(version) = filled(&etcd.version).filter(|version| Some(*version) != first) {
            let first = first.unwrap_or("unset");
            check.add(
                &path.key("version"),
                format!("is {version}, but that of the first is {first}; all must be equal"),
            );
        }
    }
    let with_tls = clusters.iter().filter(|etcd| etcd.enable_etcd_tls == Some(true)).count();
    if with_tls != 0 && with_tls != clusters.len() {
        check.add(&path, "has enableEtcdTLS on some etcd clusters only; all or none");
    }
    if cluster.has_networking("cilium") && !runs_etcd_3_1(cluster, &clusters[0]) {
        check.add(&path.index(0).key("version"), "must be 3.1.0 or newer for cilium");
    }
}

fn members(etcd: &EtcdCluster, path: &FieldPath, check: &mut Check) {
    let path = path.key("etcdMembers");
    let members = etcd.members();
    if members.is_empty() {
        return check.add(&path, "is required: one member for each master group");
    }
    for (index, member) in members.iter().enumerate() {
        let path = path.index(index);
        match filled(&member.name) {
            None => check.add(&path.key("name"), "is required"),
            Some(name) if members[..index].iter().any(|m| filled(&m.name) == Some(name)) => {
                check.add(&path.key("name"), format!("{name:?} names another member too"));
            }
            Some(_) => {}
        }
        if filled(&member.instance_group).is_none() {
            check.add(&path.key("instanceGroup"), "is required");
        }
        check.not_negative(&path.key("volumeIops"), member.volume_iops);
        check.volume(&path, &member.volume(), Use::Etcd, VOLUME);
    }
    if members.len().is_multiple_of(2) {
        let message = format!("has {} members; a quorum needs an odd number", members.len());
        check.add(&path, message);
    }
}

fn version(etcd: &EtcdCluster, path: &FieldPath, check: &mut Check) {
    let Some(text) = filled(&etcd.version) else { return };
    match Version::parse(text) {
        None => check.add(path, format!("{text:?} is no version, such as 3.1.12")),
        Some(Version(2 | 3, _)) => {}
        Some(_) => check.add(path, format!("is {text}; allowed are versions 2 and 3")),
    }
}

fn runs_etcd_3_1(cluster: &Cluster, etcd: &EtcdCluster) -> bool {
    match filled(&etcd.version) {
        Some(version) => Version::parse(version) >= Some(Version(3, 1)),
        None => {
            let kubernetes = filled(&cluster.spec.kubernetes_version).and_then(Version::parse);
            kubernetes.is_none_or(|version| version >= WITH_ETCD_3)
        }
    }
}

/// Each member's group exists and is of the control plane, and each such group has a member.
pub(super) fn check_groups(
    cluster: &Cluster,
    groups: &[&InstanceGroup],
    spec: &FieldPath,
    check: &mut Check,
) {
    for (index, etcd) in cluster.etcd_clusters().iter().enumerate() {
        for (number, member) in etcd.members().iter().enumerate() {
            let Some(name) = filled(&member.instance_group) else { continue };
            let path = spec.key("etcdClusters").index(index).key("etcdMembers").index(number);
            let path = path.key("instanceGroup");
            match groups.iter().find(|group| group.name() == name) {
                None => check.add(&path, format!("there is no instance group {name:?}")),
                Some(group) if group.spec.role != Some(Role::Master) => {
                    let message = format!("{name:?} is no group of role ControlPlane (or Master)");
                    check.add(&path, message);
                }
                Some(_) => {}
            }
        }
        let has_member = |group: &InstanceGroup| {
            etcd.members().iter().any(|member| filled(&member.instance_group) == Some(group.name()))
        };
        let of_control_plane = groups.iter().filter(|group| group.spec.role == Some(Role::Master));
        for group in of_control_plane.filter(|group| !has_member(group)) {
            let path = spec.key("etcdClusters").index(index).key("etcdMembers");
            let message = format!(
                "has no member in the group {}, which is of the control plane; give it one",
                group.name()
            );
            check.add(&path, message);
        }
    }
}

/// etcd clusters hold the cluster's data: none goes, and members stay in their groups (kops
/// `pkg/apis/kops/validation/cluster.go`).
pub(super) fn check_update(old: &Cluster, new: &Cluster, spec: &FieldPath, check: &mut Check) {
    let path = spec.key("etcdClusters");
    for before in old.etcd_clusters() {
        let Some(name) = filled(&before.name) else { continue };
        let mut all = new.etcd_clusters().iter().enumerate();
        let Some((index, after)) = all.find(|(_, etcd)| filled(&etcd.name) == Some(name)) else {
            check.add(&path, format!("lacks {name:?}; an etcd cluster cannot be removed"));
            continue;
        };
        for member in before.members() {
            let same = |other: &EtcdMember| filled(&other.name) == filled(&member.name);
            let Some(number) = after.members().iter().position(same) else { continue };
            let group = filled(&after.members()[number].instance_group);
            if let Some(was) = filled(&member.instance_group).filter(|was| Some(*was) != group) {
                let path = path.index(index).key("etcdMembers").index(number).key("instanceGroup");
                let message = format!(
                    "is {}, and was {was}; the volumes of a member stay with its group: give the \
                     member another name",
                    group.unwrap_or("unset")
                );
                check.add(&path, message);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn etcd_3_runs_unless_the_cluster_is_old_or_says_otherwise() {
        for (kubernetes, etcd, expected) in [
            (json!("1.36.2"), json!(null), true),
            (json!(null), json!(null), true),
            (json!("1.11.0"), json!(null), true),
            (json!("1.10.3"), json!(null), false),
            (json!("1.36.2"), json!("3.0.17"), false),
            (json!("1.10.3"), json!("3.1.12"), true),
        ] {
            let spec =
                json!({"kubernetesVersion": kubernetes, "etcdClusters": [{"version": etcd}]});
            let cluster: Cluster = serde_json::from_value(json!({"spec": spec})).unwrap();
            let runs = runs_etcd_3_1(&cluster, &cluster.etcd_clusters()[0]);
            assert_eq!(runs, expected, "{kubernetes} {etcd}");
        }
    }
}
