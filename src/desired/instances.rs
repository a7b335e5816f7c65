//! Instance groups as launch templates and Auto Scaling groups (kops
//! `pkg/model/awsmodel/autoscalinggroup.go`; for newer fields `docs/instance_groups.md`).

use std::collections::BTreeSet;

use super::user_data;
use super::volumes::whole;
use super::{DesiredCluster, Input, Notice, names, ssh};
use crate::autoscaling::autoscaling_group::{AutoscalingGroup, Mixed, WarmPool};
use crate::aws::tags::Tags;
use crate::catalogue::kinds::Resource;
use crate::core::id::Ref;
use crate::core::kind::ResourceId;
use crate::ec2::launch_template::{LaunchTemplate, Resolved, Spot, Volume};
use crate::iam::instance_profile::IamInstanceProfile;
use crate::iam::instance_profile_role::IamInstanceProfileRole;
use crate::limits::volume::{Asked, has_iops};
use crate::spec::cluster::{Cluster, Subnet};
use crate::spec::instance_group::InstanceGroup;
use crate::spec::object::filled;
use crate::spec::path::FieldPath;
use crate::spec::problem::Problem;
use crate::spec::profile_arn::ProfileArn;
use crate::spec::role::Role;
use crate::vpc::security_group::SecurityGroup;

pub(super) fn add(input: Input<'_>, desired: &mut DesiredCluster) -> Result<(), Vec<Problem>> {
    let mut problems = Vec::new();
    for group in input.groups {
        let Some(role) = group.spec.role else { continue };
        match subnets(input.cluster, group) {
            Err(problem) => problems.push(problem),
            Ok(subnets) => {
                notices(group, desired);
                match of_group(input, group, role, &subnets, desired) {
                    Ok(resources) => desired.resources.extend(resources),
                    Err(message) => {
                        let message = format!("InstanceGroup/{}: {message}", group.name());
                        problems.push(Problem::new(&FieldPath::root().key("spec"), message));
                    }
                }
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

fn of_group(
    input: Input<'_>,
    group: &InstanceGroup,
    role: Role,
    subnets: &[&Subnet],
    desired: &mut DesiredCluster,
) -> Result<[Resource; 2], String> {
    let template = template(input, group, role, subnets, desired)?;
    let scaling = scaling_group(input, group, subnets, &Ref::to(&template.name))?;
    Ok([template.into(), scaling.into()])
}

/// kops leaves out operations of volumes whose type has none to choose.
fn notices(group: &InstanceGroup, desired: &mut DesiredCluster) {
    let root = (group.root_volume().kind, group.spec.root_volume_iops, "rootVolumeIops".to_owned());
    let volumes = group.spec.volumes.iter().flatten().enumerate();
    let volumes = volumes.map(|(index, volume)| {
        (volume.asked().kind, volume.iops, format!("volumes[{index}].iops"))
    });
    for (kind, iops, field) in std::iter::once(root).chain(volumes) {
        if iops.is_some_and(|iops| iops > 0) && !has_iops(&kind) {
            desired.notices.push(Notice {
                object: format!("InstanceGroup/{}", group.name()),
                message: format!("spec.{field} is ignored, since {kind} has none to choose"),
                next: "remove it, or choose gp3, io1 or io2".to_owned(),
            });
        }
    }
}

fn template(
    input: Input<'_>,
    group: &InstanceGroup,
    role: Role,
    subnets: &[&Subnet],
    desired: &mut DesiredCluster,
) -> Result<LaunchTemplate, String> {
    let cluster = input.cluster;
    let spec = &group.spec;
    refuse_incomplete(group, desired);
    let name = group.aws_name(cluster.name());
    let (profile, after) = profile(cluster, group, role)?;
    let mut tags = names::labels(cluster.spec.cloud_labels.as_ref());
    tags.extend(names::tags(cluster, &name, false));
    let metadata = spec.instance_metadata.as_ref();
    Ok(LaunchTemplate {
        name,
        group: group.name().to_owned(),
        zones: zones(subnets),
        runs_kubernetes: role != Role::Bastion,
        image: filled(&spec.image).unwrap_or_default().to_owned(),
        machine_type: filled(&spec.machine_type).unwrap_or_default().to_owned(),
        ssh_key: ssh::key(input),
        profile,
        security_groups: security_groups(cluster, group, role),
        public_ip: has_public_ip(cluster, group, subnets, desired),
        root: volume(group.root_volume(), spec.root_volume_delete_on_termination)?,
        volumes: volumes(group)?,
        monitoring: spec.detailed_instance_monitoring.unwrap_or(false),
        tenancy: filled(&spec.tenancy).map(str::to_owned),
        spot: spot(group),
        http_tokens: metadata.and_then(|own| filled(&own.http_tokens)).map(str::to_owned),
        http_hop_limit: metadata
            .and_then(|own| own.http_put_response_hop_limit)
            .map(|hops| whole("instanceMetadata.httpPutResponseHopLimit", hops))
            .transpose()?,
        cpu_credits: filled(&spec.cpu_credits).map(str::to_owned),
        ebs_optimized: spec.root_volume_optimization,
        user_data: user_data::of(group),
        tags,
        after,
        resolved: Resolved::default(),
    })
}

fn refuse_incomplete(group: &InstanceGroup, desired: &mut DesiredCluster) {
    let spec = &group.spec;
    for (field, value) in [("image", &spec.image), ("machineType", &spec.machine_type)] {
        if filled(value).is_none() {
            let notice = Notice {
                object: format!("InstanceGroup/{}", group.name()),
                message: format!("spec.{field} is missing, and nothing can be launched without"),
                next: format!("kapstan set instancegroup {} spec.{field}=…", group.name()),
            };
            desired.refusals.push((LaunchTemplate::KIND, notice));
        }
    }
}

/// The name of the instance profile, and what of it must be there before.
fn profile(
    cluster: &Cluster,
    group: &InstanceGroup,
    role: Role,
) -> Result<(String, Vec<ResourceId>), String> {
    // What AWS has of a profile of the user's own is looked at with the IAM kinds.
    if let Some(arn) = group.profile_arn() {
        let arn: ProfileArn =
            arn.parse().map_err(|form| format!("{arn:?} is no ARN of a profile; {form}"))?;
        return Ok((arn.name, Vec::new()));
    }
    let profile = role.iam_name(cluster.name());
    let link = ResourceId::new(IamInstanceProfileRole::KIND, &profile);
    let own = ResourceId::new(IamInstanceProfile::KIND, &profile);
    Ok((profile, vec![own, link]))
}

fn security_groups(
    cluster: &Cluster,
    group: &InstanceGroup,
    role: Role,
) -> Vec<Ref<SecurityGroup>> {
    let own = match filled(&group.spec.security_group_override) {
        Some(id) => Ref::to(id),
        None => names::security_group(cluster.name(), role),
    };
    let more = group.spec.additional_security_groups.iter().flatten();
    std::iter::once(own).chain(more.map(Ref::to)).collect()
}

fn has_public_ip(
    cluster: &Cluster,
    group: &InstanceGroup,
    subnets: &[&Subnet],
    desired: &mut DesiredCluster,
) -> bool {
    let wanted = group.spec.associate_public_ip;
    if subnets.first().is_some_and(|subnet| cluster.subnet_kind(subnet).is_public()) {
        return wanted.unwrap_or(true);
    }
    if wanted == Some(true) && group.spec.role != Some(Role::Master) {
        desired.notices.push(Notice {
            object: format!("InstanceGroup/{}", group.name()),
            message: "associatePublicIp is ignored in private subnets".to_owned(),
            next: String::new(),
        });
    }
    false
}

/// How instances are bought. With a mixed policy the Auto Scaling group decides that.
fn spot(group: &InstanceGroup) -> Option<Spot> {
    let spec = &group.spec;
    let price = filled(&spec.max_price).filter(|_| spec.mixed_instances_policy.is_none())?;
    Some(Spot {
        price: Some(price.to_owned()),
        interruption: filled(&spec.instance_interruption_behavior).map(str::to_owned),
    })
}

/// The zones of subnets, each once.
fn zones(subnets: &[&Subnet]) -> Vec<String> {
    let zones: BTreeSet<&str> = subnets.iter().filter_map(|subnet| filled(&subnet.zone)).collect();
    zones.into_iter().map(str::to_owned).collect()
}

fn volume(asked: Asked, delete_on_termination: Option<bool>) -> Result<Volume, String> {
    Ok(Volume {
        size: whole("the size of a volume", asked.size)?,
        iops: asked.iops.map(|iops| whole("the iops of a volume", iops)).transpose()?,
        throughput: asked
            .throughput
            .map(|mib| whole("the throughput of a volume", mib))
            .transpose()?,
        encrypted: asked.encrypted,
        kms_key: asked.key,
        delete_on_termination: delete_on_termination.unwrap_or(true),
        volume_type: asked.kind,
    })
}

fn volumes(group: &InstanceGroup) -> Result<Vec<(String, Volume)>, String> {
    let more = group.spec.volumes.iter().flatten().map(|own| {
        let device = filled(&own.device).unwrap_or_default().to_owned();
        Ok((device, volume(own.asked(), own.delete_on_termination)?))
    });
    more.collect()
}

fn scaling_group(
    input: Input<'_>,
    group: &InstanceGroup,
    subnets: &[&Subnet],
    template: &Ref<LaunchTemplate>,
) -> Result<AutoscalingGroup, String> {
    let cluster = input.cluster;
    let spec = &group.spec;
    let (smallest, largest) = group.sizes();
    let subnet_ids: Vec<_> = subnets
        .iter()
        .map(|subnet| names::subnet(cluster.name(), filled(&subnet.name).unwrap_or_default()))
        .collect();
    let price = filled(&spec.max_price).map(str::to_owned);
    let maybe = |field, number: Option<i64>| number.map(|n| whole(field, n)).transpose();
    let mixed = match &spec.mixed_instances_policy {
        None => None,
        Some(policy) => Some(Mixed {
            types: policy.instances.clone().unwrap_or_default(),
            on_demand_allocation: filled(&policy.on_demand_allocation_strategy).map(str::to_owned),
            on_demand_base: maybe("onDemandBase", policy.on_demand_base)?,
            on_demand_above_base: maybe("onDemandAboveBase", policy.on_demand_above_base)?,
            spot_allocation: filled(&policy.spot_allocation_strategy).map(str::to_owned),
            spot_pools: maybe("spotInstancePools", policy.spot_instance_pools)?,
            spot_max_price: price,
        }),
    };
    let warm_pool = match &spec.warm_pool {
        None => None,
        Some(pool) => Some(WarmPool {
            min_size: whole("warmPool.minSize", pool.min_size.unwrap_or(0))?,
            max_size: maybe("warmPool.maxSize", pool.max_size)?,
        }),
    };
    Ok(AutoscalingGroup {
        name: template.name.clone(),
        template: template.clone(),
        version: 0,
        min_size: whole("minSize", smallest)?,
        max_size: whole("maxSize", largest)?,
        subnets: subnet_ids,
        mixed,
        suspended: spec.suspend_processes.clone().unwrap_or_default(),
        protected: spec.instance_protection.unwrap_or(false),
        capacity_rebalance: spec.capacity_rebalance.unwrap_or(false),
        warm_pool,
        tags: scaling_tags(cluster, group, &template.name),
    })
}

/// The tags of a group, which its instances get too (kops `pkg/model/context.go`,
/// `CloudTagsForInstanceGroup`). Our own come last, so that no label takes their place.
fn scaling_tags(cluster: &Cluster, group: &InstanceGroup, name: &str) -> Tags {
    let mut tags = names::labels(cluster.spec.cloud_labels.as_ref());
    tags.extend(names::labels(group.spec.cloud_labels.as_ref()));
    tags.extend(group.autoscaler_tags().into_iter().map(|tag| (tag.key, tag.value)));
    if let Some(role) = group.spec.role {
        tags.insert(format!("k8s.io/role/{}", role.key()), "1".to_owned());
    }
    tags.insert("KubernetesCluster".to_owned(), cluster.name().to_owned());
    tags.insert("Name".to_owned(), name.to_owned());
    tags
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::catalogue::kinds::Resource;

    fn resources(labels: &Json, group: &Json) -> Result<Vec<Resource>, Vec<Problem>> {
        let spec = json!({
            "iam": {},
            "cloudLabels": labels,
            "subnets": [{"name": "a", "zone": "us-west-2a"}],
        });
        let cluster: Cluster =
            serde_json::from_value(json!({"metadata": {"name": "dev.k8s.local"}, "spec": spec}))
                .unwrap();
        let group = json!({"metadata": {"name": "nodes"}, "spec": group});
        let group: InstanceGroup = serde_json::from_value(group).unwrap();
        let input = Input {
            cluster: &cluster,
            groups: &[&group],
            base: None,
            kops_version: None,
            ssh_keys: &[],
        };
        crate::desired::cluster(input).map(|desired| desired.resources)
    }

    #[test]
    fn no_label_takes_the_place_of_a_tag_of_ours() {
        let labels = json!({
            "Name": "theirs",
            "KubernetesCluster": "twin",
            "kubernetes.io/cluster/dev.k8s.local": "shared",
            "k8s.io/role/node": "0",
        });
        let all = resources(&labels, &json!({"role": "Node", "cloudLabels": labels})).unwrap();
        for resource in all {
            let (tags, ours) = match resource {
                Resource::LaunchTemplate(own) => {
                    (own.tags, ("kubernetes.io/cluster/dev.k8s.local", "owned"))
                }
                Resource::AutoscalingGroup(own) => (own.tags, ("k8s.io/role/node", "1")),
                _ => continue,
            };
            for (key, value) in
                [("Name", "nodes.dev.k8s.local"), ("KubernetesCluster", "dev.k8s.local"), ours]
            {
                assert_eq!(tags.get(key).map(String::as_str), Some(value), "{key}");
            }
        }
    }

    #[test]
    fn a_number_that_does_not_fit_is_never_cut() {
        for group in [
            json!({"role": "Node", "maxSize": 3_000_000_000_i64}),
            json!({"role": "Node", "rootVolumeSize": 3_000_000_000_i64}),
            json!({"role": "Node", "warmPool": {"maxSize": 3_000_000_000_i64}}),
        ] {
            let problems = resources(&json!({}), &group).unwrap_err();
            assert!(problems[0].message.contains("is 3000000000"), "{}", problems[0]);
        }
    }
}
