//! Instance groups, by themselves and as members of their cluster.

use serde_json::Value as Json;

use super::{Check, VolumeFields, labels};
use crate::limits;
use crate::limits::volume::Use;
use crate::spec::cluster::{Cluster, Version};
use crate::spec::instance_group::{
    Bounds, InstanceGroup, InstanceRequirements, MixedInstancesPolicy,
};
use crate::spec::name::not_an_object_name;
use crate::spec::object::{CLUSTER_LABEL, filled};
use crate::spec::path::FieldPath;
use crate::spec::profile_arn::ProfileArn;
use crate::spec::quantity;
use crate::spec::role::Role;
use crate::spec::rolling_update::Amount;
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
        check.add(&spec.key("role"), "is required: ControlPlane (or Master), Node or Bastion");
    }
    sizes(group, &spec, check);
    check.one_of(&spec.key("tenancy"), filled(&group.spec.tenancy), &TENANCIES);
    if group.spec.role == Some(Role::Master) && group.subnets().is_empty() {
        check.add(&spec.key("subnets"), "is required for masters");
    }
    // Of a list of them, the first counts.
    for machine_type in filled(&group.spec.machine_type).iter().flat_map(|own| own.split(',')) {
        if !is_machine_type(machine_type) {
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
    labels::check_group(group, &spec, check);
    scaling(group, &spec, check);
    check.hooks(&spec.key("hooks"), group.spec.hooks.as_deref());
    check.file_assets(&spec.key("fileAssets"), group.spec.file_assets.as_deref());
    let groups = group.spec.additional_security_groups.as_deref().unwrap_or_default();
    check.security_groups(&spec.key("additionalSecurityGroups"), groups);
}

fn is_machine_type(text: &str) -> bool {
    let is_word = |text: &str| {
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    text.split_once('.').is_some_and(|(family, size)| is_word(family) && is_word(size))
}

/// Fields of the launch template.
fn machine(group: &InstanceGroup, spec: &FieldPath, check: &mut Check) {
    let own = &group.spec;
    check.one_of(&spec.key("cpuCredits"), filled(&own.cpu_credits), &["standard", "unlimited"]);
    let path = spec.key("instanceInterruptionBehavior");
    let interruption = filled(&own.instance_interruption_behavior);
    check.one_of(&path, interruption, &["hibernate", "stop", "terminate"]);
    // Otherwise it reaches no launch template.
    if filled(&own.max_price).is_some() && own.mixed_instances_policy.is_none() {
        let known = interruption.filter(|word| ["hibernate", "stop"].contains(word));
        check.word(&path, known, &limits::INTERRUPTION);
    }
    if let Some(metadata) = &own.instance_metadata {
        let path = spec.key("instanceMetadata");
        let tokens = filled(&metadata.http_tokens);
        check.one_of(&path.key("httpTokens"), tokens, &["optional", "required"]);
        let hops = metadata.http_put_response_hop_limit;
        check.within(&path.key("httpPutResponseHopLimit"), hops, &limits::HOP_LIMIT);
    }
    if let Some(id) = filled(&own.security_group_override) {
        check.security_group(&spec.key("securityGroupOverride"), id);
    }
}

const ROOT_VOLUME: VolumeFields = VolumeFields {
    kind: "rootVolumeType",
    size: "rootVolumeSize",
    iops: "rootVolumeIops",
    throughput: "rootVolumeThroughput",
    key: "rootVolumeEncryptionKey",
};

const VOLUME: VolumeFields =
    VolumeFields { kind: "type", size: "size", iops: "iops", throughput: "throughput", key: "key" };

fn volumes(group: &InstanceGroup, spec: &FieldPath, check: &mut Check) {
    check.not_negative(&spec.key("rootVolumeIops"), group.spec.root_volume_iops);
    check.not_negative(&spec.key("rootVolumeThroughput"), group.spec.root_volume_throughput);
    check.volume(spec, &group.root_volume(), Use::Root, ROOT_VOLUME);
    let volumes = group.spec.volumes.as_deref().unwrap_or_default();
    for (index, volume) in volumes.iter().enumerate() {
        let path = spec.key("volumes").index(index);
        match filled(&volume.device) {
            None => check.add(&path.key("device"), "is required, such as /dev/xvdd"),
            Some(device) => {
                if let Some(reason) = limits::device::refusal(device) {
                    check.add(&path.key("device"), reason);
                }
                let same = |other: &Option<String>| {
                    filled(other).is_some_and(|other| limits::device::is_same(other, device))
                };
                if volumes[..index].iter().any(|other| same(&other.device)) {
                    check.add(&path.key("device"), format!("{device} is used twice"));
                }
            }
        }
        check.not_negative(&path.key("iops"), volume.iops);
        match volume.size {
            None => check.add(&path.key("size"), "is required: a number of GiB"),
            Some(_) => check.volume(&path, &volume.asked(), Use::Data, VOLUME),
        }
    }
}

/// Fields of the Auto Scaling group.
fn scaling(group: &InstanceGroup, spec: &FieldPath, check: &mut Check) {
    let own = &group.spec;
    for (index, balancer) in own.external_load_balancers.iter().flatten().enumerate() {
        let name = filled(&balancer.load_balancer_name).is_some();
        let group = filled(&balancer.target_group_arn).is_some();
        if name == group {
            let path = spec.key("externalLoadBalancers").index(index);
            check.add(&path, "needs either a loadBalancerName or a targetGroupArn");
        }
    }
    if let Some(policy) = &own.mixed_instances_policy {
        mixed_instances(policy, &spec.key("mixedInstancesPolicy"), check);
    }
    if let Some(pool) = &own.warm_pool {
        let path = spec.key("warmPool");
        let smallest = pool.min_size.unwrap_or(0);
        if smallest < 0 || pool.max_size.is_some_and(|largest| largest < smallest) {
            check.add(&path, "needs 0 or more as minSize, and a maxSize not below it");
        } else {
            check.within(&path.key("minSize"), pool.min_size, &limits::GROUP_SIZE);
            check.within(&path.key("maxSize"), pool.max_size, &limits::GROUP_SIZE);
        }
    }
}

fn mixed_instances(policy: &MixedInstancesPolicy, path: &FieldPath, check: &mut Check) {
    let count = policy.instances.as_ref().and_then(|types| i64::try_from(types.len()).ok());
    check.within(&path.key("instances"), count.filter(|count| *count > 0), &limits::MIXED_TYPES);
    if let Some(wanted) = &policy.instance_requirements {
        requirements(wanted, &path.key("instanceRequirements"), check);
    }
    let share = policy.on_demand_above_base;
    check.within(&path.key("onDemandAboveBase"), share, &limits::ON_DEMAND_PERCENTAGE);
    check.within(&path.key("onDemandBase"), policy.on_demand_base, &limits::GROUP_SIZE);
    let pools = path.key("spotInstancePools");
    check.within(&pools, policy.spot_instance_pools, &limits::SPOT_POOLS);
    let spot = filled(&policy.spot_allocation_strategy);
    check.word(&path.key("spotAllocationStrategy"), spot, &limits::SPOT_ALLOCATION);
    let on_demand = filled(&policy.on_demand_allocation_strategy);
    check.word(&path.key("onDemandAllocationStrategy"), on_demand, &limits::ON_DEMAND_ALLOCATION);
    if let (Some(_), Some(other)) =
        (policy.spot_instance_pools, spot.filter(|spot| *spot != limits::WITH_SPOT_POOLS))
    {
        let message = format!(
            "is for the spotAllocationStrategy {} only, and this is {other} ({})",
            limits::WITH_SPOT_POOLS,
            limits::SPOT_POOLS.source
        );
        check.add(&pools, message);
    }
}

fn requirements(wanted: &InstanceRequirements, path: &FieldPath, check: &mut Check) {
    for (field, bounds) in [("cpu", &wanted.cpu), ("memory", &wanted.memory)] {
        let Some(Bounds { max, min }) = bounds else { continue };
        for (end, bound) in [("max", max), ("min", min)] {
            let Some(bound) = bound else { continue };
            let path = path.key(field).key(end);
            match quantity::count(bound, 0) {
                Some(count) if count.units < 0 => check.add(&path, "must not be negative"),
                // kops takes it for nothing.
                Some(count) if field == "cpu" && !count.is_whole => {
                    check.add(&path, "must be a whole number of CPUs");
                }
                Some(_) => {}
                None => check.add(&path, "is larger than any machine"),
            }
        }
    }
}

fn rolling_update(group: &InstanceGroup, path: &FieldPath, check: &mut Check) {
    let Some(settings) = &group.spec.rolling_update else { return };
    check.problems.extend(settings.problems(path));
    // As in kops: a master joins etcd under the name of the one before.
    let is_none = |surge: &Json| matches!(Amount::parse(surge), Ok(Amount::Number(0)));
    let surge = settings.max_surge.as_ref().filter(|surge| !is_none(surge));
    if group.spec.role == Some(Role::Master) && surge.is_some() {
        check.add(&path.key("maxSurge"), "cannot be set for masters, which are never surged");
    }
}

fn sizes(group: &InstanceGroup, spec: &FieldPath, check: &mut Check) {
    for (field, size) in [("minSize", group.spec.min_size), ("maxSize", group.spec.max_size)] {
        check.within(&spec.key(field), size, &limits::GROUP_SIZE);
    }
    let (smallest, largest) = group.sizes();
    let are_given = group.spec.min_size.is_some() && group.spec.max_size.is_some();
    // Karpenter has no sizes unless they are given.
    let has_defaults = group.spec.role.is_some() && !group.is_karpenters();
    let is_known = has_defaults || are_given;
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
        // It becomes a header of the part (RFC 2183, 2.3).
        let is_header = |name: &str| !name.contains(|c: char| c.is_control() || "\"\\".contains(c));
        if let Some(name) = filled(&part.name).filter(|name| !is_header(name)) {
            let message = format!("{name:?} may have no quotes, backslashes or control characters");
            check.add(&path.key("name"), &message);
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
    let aws_name = group.aws_name(cluster.name());
    for limit in [&limits::LAUNCH_TEMPLATE_NAME, &limits::AUTOSCALING_GROUP_NAME] {
        if let Some(reason) = limit.refusal(&aws_name) {
            check.add(
                &root.key("metadata").key("name"),
                format!("makes {} that AWS refuses: {reason}; rename the group", limit.what),
            );
        }
    }
    labels::check_membership(group, cluster, check);
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
