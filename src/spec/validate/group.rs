//! Instance groups, by themselves and as members of their cluster.

use super::Check;
use crate::spec::cluster::{Cluster, Version, filled};
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
    rolling_update(group, &spec.key("rollingUpdate"), check);
    user_data(group, &spec.key("additionalUserData"), check);
    machine(group, &spec, check);
    volumes(group, &spec, check);
    scaling(group, &spec, check);
    check.hooks(&spec.key("hooks"), group.spec.hooks.as_deref());
    check.file_assets(&spec.key("fileAssets"), group.spec.file_assets.as_deref());
    let groups = group.spec.additional_security_groups.as_deref().unwrap_or_default();
    check.security_groups(&spec.key("additionalSecurityGroups"), groups);
}

/// Fields of the launch template.
fn machine(group: &InstanceGroup, spec: &FieldPath, check: &mut Check) {
    let own = &group.spec;
    check.one_of(&spec.key("cpuCredits"), filled(&own.cpu_credits), &["standard", "unlimited"]);
    check.one_of(
        &spec.key("instanceInterruptionBehavior"),
        filled(&own.instance_interruption_behavior),
        &["hibernate", "stop", "terminate"],
    );
    if let Some(metadata) = &own.instance_metadata {
        let path = spec.key("instanceMetadata");
        let tokens = filled(&metadata.http_tokens);
        check.one_of(&path.key("httpTokens"), tokens, &["optional", "required"]);
        if metadata.http_put_response_hop_limit.is_some_and(|hops| !(1..=64).contains(&hops)) {
            check.add(&path.key("httpPutResponseHopLimit"), "is a number from 1 to 64");
        }
    }
    if let Some(price) = filled(&own.max_price)
        && !price.parse::<f64>().is_ok_and(|price| price.is_finite() && price > 0.0)
    {
        let message = format!("{price:?} is no price in dollars an hour, such as 0.05");
        check.add(&spec.key("maxPrice"), message);
    }
    if let Some(id) = filled(&own.security_group_override) {
        check.security_groups(&spec.key("securityGroupOverride"), &[id.to_owned()]);
    }
}

const VOLUME_TYPES: [&str; 7] = ["gp2", "gp3", "io1", "io2", "sc1", "st1", "standard"];

fn volumes(group: &InstanceGroup, spec: &FieldPath, check: &mut Check) {
    let root = filled(&group.spec.root_volume_type);
    check.one_of(&spec.key("rootVolumeType"), root, &VOLUME_TYPES);
    if group.spec.root_volume_throughput.is_some() && root != Some("gp3") {
        check.add(&spec.key("rootVolumeThroughput"), "is for rootVolumeType gp3 only");
    }
    let volumes = group.spec.volumes.as_deref().unwrap_or_default();
    for (index, volume) in volumes.iter().enumerate() {
        let path = spec.key("volumes").index(index);
        match filled(&volume.device) {
            None => check.add(&path.key("device"), "is required, such as /dev/xvdd"),
            Some(device) => {
                if volumes[..index].iter().any(|other| filled(&other.device) == Some(device)) {
                    check.add(&path.key("device"), format!("{device} is used twice"));
                }
            }
        }
        if volume.size.is_none_or(|size| size <= 0) {
            check.add(&path.key("size"), "is required: a number of GiB");
        }
        check.one_of(&path.key("type"), filled(&volume.kind), &VOLUME_TYPES);
    }
}

/// The processes that an Auto Scaling group can suspend (EC2 Auto Scaling user guide).
const PROCESSES: [&str; 9] = [
    "AZRebalance", "AddToLoadBalancer", "AlarmNotification", "HealthCheck", "InstanceRefresh",
    "Launch", "ReplaceUnhealthy", "ScheduledActions", "Terminate",
];

/// Fields of the Auto Scaling group.
fn scaling(group: &InstanceGroup, spec: &FieldPath, check: &mut Check) {
    let own = &group.spec;
    for (index, process) in own.suspend_processes.iter().flatten().enumerate() {
        check.one_of(&spec.key("suspendProcesses").index(index), Some(process), &PROCESSES);
    }
    for (index, balancer) in own.external_load_balancers.iter().flatten().enumerate() {
        let name = filled(&balancer.load_balancer_name).is_some();
        let group = filled(&balancer.target_group_arn).is_some();
        if name == group {
            let path = spec.key("externalLoadBalancers").index(index);
            check.add(&path, "needs either a loadBalancerName or a targetGroupArn");
        }
    }
    if let Some(policy) = &own.mixed_instances_policy {
        let path = spec.key("mixedInstancesPolicy");
        if policy.instances.as_ref().is_none_or(Vec::is_empty) {
            check.add(&path.key("instances"), "is required: the machine types to choose from");
        }
        if policy.on_demand_above_base.is_some_and(|share| !(0..=100).contains(&share)) {
            check.add(&path.key("onDemandAboveBase"), "is a percentage from 0 to 100");
        }
        if policy.on_demand_base.is_some_and(|base| base < 0) {
            check.add(&path.key("onDemandBase"), "must not be negative");
        }
    }
    if let Some(pool) = &own.warm_pool {
        let path = spec.key("warmPool");
        let smallest = pool.min_size.unwrap_or(0);
        if smallest < 0 || pool.max_size.is_some_and(|largest| largest < smallest) {
            check.add(&path, "needs 0 or more as minSize, and a maxSize not below it");
        }
        if pool.enable_lifecycle_hook == Some(true) {
            let message = "is not provided; what ends the hook would have to run on the instance";
            check.add(&path.key("enableLifecycleHook"), message);
        }
    }
}

fn rolling_update(group: &InstanceGroup, path: &FieldPath, check: &mut Check) {
    let Some(settings) = &group.spec.rolling_update else { return };
    check.problems.extend(settings.problems(path));
    // As in kops: a master joins etcd under the name of the one before.
    if group.spec.role == Some(Role::Master) && settings.max_surge.is_some() {
        check.add(&path.key("maxSurge"), "cannot be set for masters, which are never surged");
    }
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
