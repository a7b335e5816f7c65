//! Instance groups as launch templates and Auto Scaling groups (kops
//! `pkg/model/awsmodel/autoscalinggroup.go`; for newer fields `docs/instance_groups.md`).

use super::user_data;
use super::volumes::{VOLUME_TYPE, iops, narrow};
use super::{DesiredCluster, Input, Notice, names, ssh};
use crate::resource::autoscaling_group::{AutoscalingGroup, Mixed, WarmPool};
use crate::resource::launch_template::{LaunchTemplate, Resolved, Spot, Volume};
use crate::resource::{Kind, ResourceId, Tags};
use crate::spec::cluster::{Cluster, Subnet, filled};
use crate::spec::instance_group::{InstanceGroup, Role};
use crate::spec::path::FieldPath;
use crate::spec::problem::Problem;

pub(super) fn add(input: Input<'_>, desired: &mut DesiredCluster) -> Result<(), Vec<Problem>> {
    let mut problems = Vec::new();
    for group in input.groups {
        let Some(role) = group.spec.role else { continue };
        match subnets(input.cluster, group) {
            Err(problem) => problems.push(problem),
            Ok(subnets) => {
                let template = template(input, group, role, &subnets, desired);
                let scaling = scaling_group(input, group, &subnets, &template.resource_id());
                desired.resources.extend([template.into(), scaling.into()]);
            }
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

/// The subnets of a group, which are all public or all private.
fn subnets<'a>(cluster: &'a Cluster, group: &InstanceGroup) -> Result<Vec<&'a Subnet>, Problem> {
    let path = FieldPath::root().key("spec").key("subnets");
    let refuse =
        |message: &str| Problem::new(&path, format!("InstanceGroup/{}: {message}", group.name()));
    let subnets = cluster.subnets_of(group);
    let mut kinds = subnets.iter().map(|subnet| cluster.subnet_kind(subnet));
    match kinds.next() {
        None => Err(refuse("the cluster has no subnet for this group; name one")),
        Some(first) if kinds.any(|kind| kind != first) => {
            Err(refuse("names subnets of different types; all need the same"))
        }
        Some(_) => Ok(subnets),
    }
}

fn template(
    input: Input<'_>,
    group: &InstanceGroup,
    role: Role,
    subnets: &[&Subnet],
    desired: &mut DesiredCluster,
) -> LaunchTemplate {
    let cluster = input.cluster;
    let spec = &group.spec;
    let name = names::autoscaling_group(cluster.name(), group);
    let id = ResourceId::new(Kind::LaunchTemplate, &name);
    for (field, value) in [("image", &spec.image), ("machineType", &spec.machine_type)] {
        if filled(value).is_none() {
            let notice = Notice {
                object: format!("InstanceGroup/{}", group.name()),
                message: format!("spec.{field} is missing, and nothing can be launched without"),
                next: format!("kapstan set instancegroup {} spec.{field}=…", group.name()),
            };
            desired.refusals.push((Kind::LaunchTemplate, notice));
        }
    }
    let own = match filled(&spec.security_group_override) {
        Some(id) => ResourceId::new(Kind::SecurityGroup, id),
        None => names::security_group(cluster.name(), role),
    };
    let more = spec.additional_security_groups.iter().flatten();
    let more = more.map(|id| ResourceId::new(Kind::SecurityGroup, id));
    // What AWS has of a profile of the user's own is looked at with the IAM kinds.
    let (profile, after) = match group.profile_arn() {
        Some(arn) => (arn.rsplit('/').next().unwrap_or(arn).to_owned(), Vec::new()),
        None => {
            let profile = role.iam_name(cluster.name());
            let link = ResourceId::new(Kind::IamInstanceProfileRole, &profile);
            let own = ResourceId::new(Kind::IamInstanceProfile, &profile);
            (profile, vec![own, link])
        }
    };
    let is_public = subnets.first().is_some_and(|s| cluster.subnet_kind(s).is_public());
    if !is_public && spec.associate_public_ip == Some(true) && spec.role != Some(Role::Master) {
        desired.notices.push(Notice {
            object: format!("InstanceGroup/{}", group.name()),
            message: "associatePublicIp is ignored in private subnets".to_owned(),
            next: String::new(),
        });
    }
    let is_mixed = spec.mixed_instances_policy.is_some();
    let price = filled(&spec.max_price).map(str::to_owned);
    let interruption = filled(&spec.instance_interruption_behavior).map(str::to_owned);
    // With a mixed policy the Auto Scaling group decides what is bought as spot.
    let spot = (price.is_some() && !is_mixed).then_some(Spot { price, interruption });
    let mut tags = names::tags(cluster, &id.name, false);
    tags.extend(names::labels(cluster.spec.cloud_labels.as_ref()));
    let mut zones: Vec<String> =
        subnets.iter().filter_map(|subnet| filled(&subnet.zone).map(str::to_owned)).collect();
    zones.sort();
    zones.dedup();
    LaunchTemplate {
        name,
        group: group.name().to_owned(),
        zones,
        runs_kubernetes: role != Role::Bastion,
        image: filled(&spec.image).unwrap_or_default().to_owned(),
        machine_type: filled(&spec.machine_type).unwrap_or_default().to_owned(),
        ssh_key: ssh::key(input),
        profile,
        security_groups: std::iter::once(own).chain(more).collect(),
        public_ip: is_public && spec.associate_public_ip.unwrap_or(true),
        root: root_volume(group, role),
        volumes: volumes(group),
        monitoring: spec.detailed_instance_monitoring.unwrap_or(false),
        tenancy: filled(&spec.tenancy).map(str::to_owned),
        spot,
        http_tokens: spec
            .instance_metadata
            .as_ref()
            .and_then(|metadata| filled(&metadata.http_tokens))
            .map(str::to_owned),
        http_hop_limit: spec
            .instance_metadata
            .as_ref()
            .and_then(|metadata| metadata.http_put_response_hop_limit)
            .map(narrow),
        cpu_credits: filled(&spec.cpu_credits).map(str::to_owned),
        ebs_optimized: spec.root_volume_optimization,
        user_data: user_data::of(group),
        tags,
        after,
        resolved: Resolved::default(),
    }
}

fn root_volume(group: &InstanceGroup, role: Role) -> Volume {
    let spec = &group.spec;
    let default = match role {
        Role::Master => 64,
        Role::Node => 128,
        Role::Bastion => 32,
    };
    let volume_type = filled(&spec.root_volume_type).unwrap_or(VOLUME_TYPE).to_owned();
    Volume {
        size: narrow(spec.root_volume_size.filter(|size| *size > 0).unwrap_or(default)),
        iops: iops(&volume_type, spec.root_volume_iops.filter(|iops| *iops > 0)),
        throughput: spec.root_volume_throughput.map(narrow),
        encrypted: spec.root_volume_encryption.unwrap_or(false),
        kms_key: filled(&spec.root_volume_encryption_key).map(str::to_owned),
        delete_on_termination: spec.root_volume_delete_on_termination.unwrap_or(true),
        volume_type,
    }
}

fn volumes(group: &InstanceGroup) -> Vec<(String, Volume)> {
    let more = group.spec.volumes.iter().flatten().map(|volume| {
        let volume_type = filled(&volume.kind).unwrap_or(VOLUME_TYPE).to_owned();
        let live = Volume {
            size: narrow(volume.size.unwrap_or_default()),
            iops: iops(&volume_type, volume.iops.filter(|iops| *iops > 0)),
            throughput: volume.throughput.map(narrow),
            encrypted: volume.encrypted.unwrap_or(false),
            kms_key: filled(&volume.key).map(str::to_owned),
            delete_on_termination: volume.delete_on_termination.unwrap_or(true),
            volume_type,
        };
        (filled(&volume.device).unwrap_or_default().to_owned(), live)
    });
    more.collect()
}

fn scaling_group(
    input: Input<'_>,
    group: &InstanceGroup,
    subnets: &[&Subnet],
    template: &ResourceId,
) -> AutoscalingGroup {
    let cluster = input.cluster;
    let spec = &group.spec;
    let (smallest, largest) = group.sizes();
    let subnet_ids: Vec<ResourceId> = subnets
        .iter()
        .map(|subnet| names::subnet(cluster.name(), filled(&subnet.name).unwrap_or_default()))
        .collect();
    let price = filled(&spec.max_price).map(str::to_owned);
    let mixed = spec.mixed_instances_policy.as_ref().map(|policy| Mixed {
        types: policy.instances.clone().unwrap_or_default(),
        on_demand_allocation: filled(&policy.on_demand_allocation_strategy).map(str::to_owned),
        on_demand_base: policy.on_demand_base.map(narrow),
        on_demand_above_base: policy.on_demand_above_base.map(narrow),
        spot_allocation: filled(&policy.spot_allocation_strategy).map(str::to_owned),
        spot_pools: policy.spot_instance_pools.map(narrow),
        spot_max_price: price,
    });
    AutoscalingGroup {
        name: template.name.clone(),
        template: template.clone(),
        version: 0,
        min_size: narrow(smallest),
        max_size: narrow(largest),
        subnets: subnet_ids,
        mixed,
        suspended: spec.suspend_processes.clone().unwrap_or_default(),
        protected: spec.instance_protection.unwrap_or(false),
        capacity_rebalance: spec.capacity_rebalance.unwrap_or(false),
        warm_pool: spec.warm_pool.as_ref().map(|pool| WarmPool {
            min_size: narrow(pool.min_size.unwrap_or(0)),
            max_size: pool.max_size.map(narrow),
        }),
        tags: scaling_tags(cluster, group, &template.name),
    }
}

/// The tags of a group, which its instances get too (kops `pkg/model/context.go`,
/// `CloudTagsForInstanceGroup`); labels and taints tell the cluster autoscaler what a node
/// would have.
fn scaling_tags(cluster: &Cluster, group: &InstanceGroup, name: &str) -> Tags {
    const TEMPLATE: &str = "k8s.io/cluster-autoscaler/node-template";
    let mut tags = names::labels(cluster.spec.cloud_labels.as_ref());
    tags.extend(names::labels(group.spec.cloud_labels.as_ref()));
    for (key, value) in names::labels(group.spec.node_labels.as_ref()) {
        tags.insert(format!("{TEMPLATE}/label/{key}"), value);
    }
    for taint in group.spec.taints.iter().flatten() {
        if let Some((key, value)) = taint.split_once('=') {
            tags.insert(format!("{TEMPLATE}/taint/{key}"), value.to_owned());
        }
    }
    if let Some(role) = group.spec.role {
        tags.insert(format!("k8s.io/role/{}", role.key()), "1".to_owned());
    }
    tags.insert("KubernetesCluster".to_owned(), cluster.name().to_owned());
    tags.insert("Name".to_owned(), name.to_owned());
    tags
}
