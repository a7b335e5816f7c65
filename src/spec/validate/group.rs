//! Instance groups, by themselves and as members of their cluster.

use super::Check;
use crate::spec::cluster::{Version, Cluster, filled};
use crate::spec::instance_group::{CLUSTER_LABEL, InstanceGroup, Role};
use crate::spec::name::not_an_object_name;
use crate::spec::path::FieldPath;
use crate::spec::profile_arn::ProfileArn;
use crate::spec::spelling::nearest;

const TENANCIES: [&str; 3] = ["default", "dedicated", "host"];

const USER_DATA_TYPES: [&str; 8] = [
    "text/x-include-once-url", "text/x-include-url", "text/cloud-config-archive",
    "text/upstart-job", "text/cloud-config", "text/part-handler", "text/x-shellscript",
    "text/cloud-boothook",
];

pub(super) fn check(group: &InstanceGroup, check: &mut Check) {
    let root = FieldPath::root();
    if let Some(reason) = not_an_object_name(group.name()) {
        check.add(&root.key("metadata").key("name"), reason);
    }
    let spec = root.key("spec");
    if group.spec.role.is_none() {
        check.add(&spec.key("role"), "is required: Master, Node or Bastion");
    }
    sizes(group, &spec, check);
    check.one_of(&spec.key("tenancy"), filled(&group.spec.tenancy), &TENANCIES);
    if group.spec.root_volume_iops.is_some_and(|iops| iops < 0) {
        check.add(&spec.key("rootVolumeIops"), "must not be negative");
    }
    if group.spec.role == Some(Role::Master) && group.subnets().is_empty() {
        check.add(&spec.key("subnets"), "is required for masters");
    }
    if let Some(machine_type) = filled(&group.spec.machine_type) {
        let parts = machine_type.split_once('.');
        let word = |text: &str| {
            !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        };
        if !parts.is_some_and(|(family, size)| word(family) && word(size)) {
            let message = format!("{machine_type:?} is no EC2 instance type, such as m5.large");
            check.add(&spec.key("machineType"), message);
        }
    }
    if let Some(arn) = group.profile_arn()
        && let Err(form) = arn.parse::<ProfileArn>()
    {
        let message = format!("{arn:?} is no ARN of an instance profile; {form}");
        check.add(&spec.key("iam").key("profile"), message);
    }
    user_data(group, &spec.key("additionalUserData"), check);
    check.hooks(&spec.key("hooks"), group.spec.hooks.as_deref());
    check.file_assets(&spec.key("fileAssets"), group.spec.file_assets.as_deref());
    let groups = group.spec.additional_security_groups.as_deref().unwrap_or_default();
    check.security_groups(&spec.key("additionalSecurityGroups"), groups);
}

fn sizes(group: &InstanceGroup, spec: &FieldPath, check: &mut Check) {
    for (field, size) in [("minSize", group.spec.min_size), ("maxSize", group.spec.max_size)] {
        if size.is_some_and(|size| size < 0) {
            check.add(&spec.key(field), "must not be negative");
        }
    }
    let (smallest, largest) = group.sizes();
    let is_known =
        group.spec.role.is_some() || group.spec.min_size.is_some() && group.spec.max_size.is_some();
    if is_known && largest < smallest {
        let default = |given: Option<i64>| if given.is_none() { " (kops' default)" } else { "" };
        check.add(
            &spec.key(if group.spec.max_size.is_some() { "maxSize" } else { "minSize" }),
            format!(
                "maxSize {largest}{} is below minSize {smallest}{}",
                default(group.spec.max_size),
                default(group.spec.min_size)
            ),
        );
    }
}

fn user_data(group: &InstanceGroup, path: &FieldPath, check: &mut Check) {
    let parts = group.spec.additional_user_data.as_deref().unwrap_or_default();
    for (index, part) in parts.iter().enumerate() {
        let path = path.index(index);
        for (field, value) in [("name", &part.name), ("content", &part.content)] {
            if filled(value).is_none() {
                check.add(&path.key(field), "is required");
            }
        }
        let kind = part.kind.as_deref().unwrap_or_default();
        check.one_of(&path.key("type"), Some(kind), &USER_DATA_TYPES);
    }
}

pub(super) fn check_membership(group: &InstanceGroup, cluster: &Cluster, check: &mut Check) {
    let root = FieldPath::root();
    if let Some(label) = group.cluster_label()
        && label != cluster.name()
    {
        check.add(
            &root.key("metadata").key("labels").key(CLUSTER_LABEL),
            format!("names the cluster {label:?}, but the group belongs to {:?}", cluster.name()),
        );
    }
    let spec = root.key("spec");
    let names: Vec<&str> = cluster.subnets().iter().filter_map(|s| filled(&s.name)).collect();
    for (index, subnet) in group.subnets().iter().enumerate() {
        if !names.contains(&subnet.as_str()) {
            let hint = nearest(subnet, names.iter().copied())
                .map(|name| format!("; did you mean {name}?"))
                .unwrap_or_else(|| format!("; it has {}", names.join(", ")));
            let message = format!("the cluster has no subnet {subnet:?}{hint}");
            check.add(&spec.key("subnets").index(index), message);
        }
    }
    let version = filled(&cluster.spec.kubernetes_version).and_then(Version::parse);
    let taints = group.spec.taints.as_deref().unwrap_or_default();
    let masters_own =
        group.spec.role == Some(Role::Master) && taints == ["dedicated=master:NoSchedule"];
    if version.is_some_and(|v| v < Version(1, 6)) && !taints.is_empty() && !masters_own {
        check.add(&spec.key("taints"), "needs Kubernetes 1.6 or newer");
    }
}
