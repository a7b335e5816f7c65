//! Everything that is wrong with a spec, at once. What kops v1.10 refuses
//! (`pkg/apis/kops/validation`, `populate_cluster_spec.go`) is refused here, each problem
//! with the field's path and what is allowed.

mod components;
mod etcd;
mod group;
mod labels;
mod network;
mod stores;

use std::collections::BTreeMap;

use super::cluster::{Cluster, FileAsset, Hook};
use super::instance_group::InstanceGroup;
use super::name::not_a_dns_name;
use super::object::filled;
use super::path::FieldPath;
use super::problem::Problem;
use super::role::Role;
use super::secret::quoted;
use super::ssh_credential::{SshCredential, not_for_ec2};
use crate::limits::volume::{Asked, Part, Use, refusals};
use crate::limits::{KEY_PAIR_NAME, Number, Words, tag};

/// Checks a cluster by itself.
pub(crate) fn cluster(cluster: &Cluster) -> Vec<Problem> {
    let mut check = Check::default();
    let name = FieldPath::root().key("metadata").key("name");
    match not_a_dns_name(cluster.name()) {
        Some(reason) => check.add(&name, reason),
        None if !cluster.name().contains('.') && !is_imported(cluster) => check
            .add(&name, "must be a whole domain name, such as dev.example.com or dev.k8s.local"),
        None => {
            let key = cluster.owner_key();
            if let Some(reason) = tag::key_refusal(&key) {
                let message = format!("becomes the tag {reason}; choose a shorter name");
                check.add(&name, message);
            }
        }
    }
    let spec = FieldPath::root().key("spec");
    if let Some(reason) =
        filled(&cluster.spec.ssh_key_name).and_then(|name| KEY_PAIR_NAME.refusal(name))
    {
        check.add(&spec.key("sshKeyName"), reason);
    }
    match filled(&cluster.spec.cloud_provider) {
        Some("aws") => {}
        Some(other) => check
            .add(&spec.key("cloudProvider"), format!("is {other:?}; kapstan provisions aws only")),
        None => check.add(&spec.key("cloudProvider"), "is required; write aws"),
    }
    check.one_of(&spec.key("bootstrap"), filled(&cluster.spec.bootstrap), &["none"]);
    if let Some(settings) = &cluster.spec.rolling_update {
        check.problems.extend(settings.problems(&spec.key("rollingUpdate")));
    }
    labels::check_cluster(cluster, &spec, &mut check);
    network::check(cluster, &spec, &mut check);
    etcd::check(cluster, &spec, &mut check);
    components::check(cluster, &spec, &mut check);
    stores::check(cluster, &spec, &mut check);
    check.problems
}

/// Checks an instance group, and against its cluster where that is known.
pub(crate) fn instance_group(group: &InstanceGroup, cluster: Option<&Cluster>) -> Vec<Problem> {
    let mut check = Check::default();
    group::check(group, &mut check);
    if let Some(cluster) = cluster {
        group::check_membership(group, cluster, &mut check);
    }
    check.problems
}

/// Checks an SSH credential; that it holds a key was found when its place was.
pub(crate) fn ssh_credential(credential: &SshCredential) -> Vec<Problem> {
    let mut check = Check::default();
    let key = credential.spec.public_key.as_deref().unwrap_or_default();
    if let Some(reason) = not_for_ec2(key) {
        check.add(&FieldPath::root().key("spec").key("publicKey"), reason);
    }
    check.problems
}

/// Checks that a cluster's groups make it whole: masters and nodes there, each etcd member
/// in a master group. The problems are the cluster's.
pub(crate) fn completeness(cluster: &Cluster, groups: &[&InstanceGroup]) -> Vec<Problem> {
    let mut check = Check::default();
    let root = FieldPath::root();
    let has = |role| groups.iter().any(|group| group.spec.role == Some(role));
    if !has(Role::Master) {
        check.add(&root.key("spec"), "has no instance group with role Master; create one");
    }
    if !has(Role::Node) && !has(Role::Bastion) {
        check.add(&root.key("spec"), "has no instance group with role Node; create one");
    }
    etcd::check_groups(cluster, groups, &root.key("spec"), &mut check);
    check.problems.extend(distinct(cluster, groups));
    check.problems
}

/// Checks that no two groups become one in AWS. The problems are the cluster's.
pub(crate) fn distinct(cluster: &Cluster, groups: &[&InstanceGroup]) -> Vec<Problem> {
    let mut check = Check::default();
    let mut seen: BTreeMap<String, &InstanceGroup> = BTreeMap::new();
    for group in groups {
        let aws_name = group.aws_name(cluster.name());
        match seen.get(&aws_name) {
            None => {
                seen.insert(aws_name, group);
            }
            Some(first) => {
                let tell = |group: &InstanceGroup| {
                    let role = group.spec.role.map(|role| role.to_string()).unwrap_or_default();
                    format!("InstanceGroup/{} (spec.role {role})", group.name())
                };
                let message = format!(
                    "of {} and of {}: both are the Auto Scaling group and launch template \
                     {aws_name} in AWS; rename one of them",
                    tell(first),
                    tell(group)
                );
                check.add(&FieldPath::root().key("metadata").key("name"), message);
            }
        }
    }
    check.problems
}

/// Checks what may not change between two states of a cluster.
pub(crate) fn cluster_update(old: &Cluster, new: &Cluster) -> Vec<Problem> {
    let mut check = Check::default();
    etcd::check_update(old, new, &FieldPath::root().key("spec"), &mut check);
    check.problems
}

fn is_imported(cluster: &Cluster) -> bool {
    let annotations = cluster.metadata.annotations.as_ref();
    let management = annotations.and_then(|all| all.get("kops.kubernetes.io/management"));
    management.is_some_and(|value| value.as_deref() == Some("imported"))
}

/// How a spec names the fields of a volume.
#[derive(Clone, Copy)]
struct VolumeFields {
    kind: &'static str,
    size: &'static str,
    iops: &'static str,
    throughput: &'static str,
    key: &'static str,
}

/// Collects problems.
#[derive(Default)]
struct Check {
    problems: Vec<Problem>,
}

impl Check {
    fn add(&mut self, path: &FieldPath, message: impl Into<String>) {
        self.problems.push(Problem::new(path, message));
    }

    fn within(&mut self, path: &FieldPath, value: Option<i64>, limit: &Number) {
        if let Some(reason) = value.and_then(|value| limit.refusal(value)) {
            self.add(path, reason);
        }
    }

    fn not_negative(&mut self, path: &FieldPath, value: Option<i64>) {
        if let Some(value) = value.filter(|value| *value < 0) {
            self.add(path, format!("is {value}; must not be negative"));
        }
    }

    fn word(&mut self, path: &FieldPath, value: Option<&str>, limit: &Words) {
        if let Some(value) = value.filter(|value| !limit.words.contains(value)) {
            let (value, allowed) = (quoted(path, value), limit.words.join(", "));
            self.add(path, format!("is {value}; allowed are {allowed} ({})", limit.source));
        }
    }

    /// A volume whose fields are named `fields`.
    fn volume(&mut self, path: &FieldPath, asked: &Asked, purpose: Use, fields: VolumeFields) {
        for (part, reason) in refusals(asked, purpose) {
            let field = match part {
                Part::Kind => fields.kind,
                Part::Size => fields.size,
                Part::Iops => fields.iops,
                Part::Throughput => fields.throughput,
                Part::Key => fields.key,
            };
            self.add(&path.key(field), reason);
        }
    }

    fn one_of(&mut self, path: &FieldPath, value: Option<&str>, allowed: &[&str]) {
        if let Some(value) = value.filter(|value| !allowed.contains(value)) {
            let value = quoted(path, value);
            self.add(path, format!("is {value}; allowed are {}", allowed.join(", ")));
        }
    }

    fn security_groups(&mut self, path: &FieldPath, groups: &[String]) {
        for (index, id) in groups.iter().enumerate() {
            if !id.starts_with("sg-") {
                self.add(&path.index(index), format!("is {id:?}, no id like sg-0123abcd"));
            } else if groups[..index].contains(id) {
                self.add(&path.index(index), format!("{id} is listed twice"));
            }
        }
    }

    fn hooks(&mut self, path: &FieldPath, hooks: Option<&[Hook]>) {
        for (index, hook) in hooks.unwrap_or_default().iter().enumerate() {
            if hook.disabled.unwrap_or(false) {
                continue;
            }
            match &hook.exec_container {
                None if filled(&hook.manifest).is_none() => {
                    self.add(&path.index(index), "needs a manifest or an execContainer");
                }
                Some(container) if filled(&container.image).is_none() => {
                    let path = path.index(index).key("execContainer").key("image");
                    self.add(&path, "is required");
                }
                _ => {}
            }
        }
    }

    fn file_assets(&mut self, path: &FieldPath, assets: Option<&[FileAsset]>) {
        for (index, asset) in assets.unwrap_or_default().iter().enumerate() {
            for (field, value) in [("name", &asset.name), ("content", &asset.content)] {
                if filled(value).is_none() {
                    self.add(&path.index(index).key(field), "is required");
                }
            }
        }
    }
}
