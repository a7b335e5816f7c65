//! Instance groups as launch templates (kops `pkg/model/awsmodel/autoscalinggroup.go`).

use std::collections::BTreeSet;

use super::volumes::whole;
use super::{
    DesiredCluster, Input, Notice, channel, load_balancer, names, scaling, ssh, user_data,
};
use crate::aws::tags::{CLUSTER_TAG, Tags};
use crate::catalogue::kinds::Resource;
use crate::core::id::Ref;
use crate::core::kind::ResourceId;
use crate::ec2::launch_template::{LaunchTemplate, Resolved, Spot, Volume, WantedImage};
use crate::ec2::user_data::UserData;
use crate::iam::instance_profile::IamInstanceProfile;
use crate::iam::instance_profile_role::IamInstanceProfileRole;
use crate::limits::volume::{Asked, has_iops, has_throughput};
use crate::spec::cluster::{Cluster, Subnet};
use crate::spec::instance_group::InstanceGroup;
use crate::spec::object::filled;
use crate::spec::path::FieldPath;
use crate::spec::problem::Problem;
use crate::spec::profile_arn::ProfileArn;
use crate::spec::role::Role;
use crate::vpc::security_group::SecurityGroup;

/// The tag by which the node-termination-handler knows the groups that it serves.
const HANDLED: &str = "aws-node-termination-handler/managed";

pub(super) fn add(input: Input<'_>, desired: &mut DesiredCluster) -> Result<(), Vec<Problem>> {
    let mut problems = Vec::new();
    // Karpenter starts the instances of its groups itself.
    for group in input.groups.iter().filter(|group| !group.is_karpenters()) {
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
) -> Result<Vec<Resource>, String> {
    let template = template(input, group, role, subnets, desired)?;
    let scaling_group = scaling::group(input.cluster, group, subnets, &template)?;
    let pool = scaling::warm_pool(input.cluster, group, Ref::to(&scaling_group.name))?;
    let own = [template.into(), scaling_group.into()];
    Ok(own.into_iter().chain(pool.map(Into::into)).collect())
}

/// kops leaves out what does not fit the type of a volume, and keys that encrypt nothing.
fn notices(group: &InstanceGroup, desired: &mut DesiredCluster) {
    let spec = &group.spec;
    let mut ignored = Vec::new();
    let root = (group.root_volume(), spec.root_volume_iops, spec.root_volume_throughput);
    let volumes = spec.volumes.iter().flatten().enumerate();
    let volumes = volumes.map(|(index, volume)| {
        let field = |name: &str| format!("volumes[{index}].{name}");
        let amounts = (volume.asked(), volume.iops, volume.throughput);
        (amounts, [field("iops"), field("throughput")])
    });
    let fields = ["rootVolumeIops", "rootVolumeThroughput"].map(str::to_owned);
    for ((asked, iops, throughput), [of_iops, of_throughput]) in
        std::iter::once((root, fields)).chain(volumes)
    {
        let kind = asked.kind;
        let next = |kinds: &str| format!("remove it, or choose {kinds}");
        let why = format!("since {kind} has none to choose");
        if iops.is_some_and(|iops| iops > 0) && !has_iops(&kind) {
            ignored.push((of_iops, why.clone(), next("gp3, io1 or io2")));
        }
        if throughput.is_some_and(|mib| mib > 0) && !has_throughput(&kind) {
            ignored.push((of_throughput, why, next("gp3")));
        }
    }
    let key = filled(&spec.root_volume_encryption_key);
    if key.is_some() && spec.root_volume_encryption != Some(true) {
        let why = "since rootVolumeEncryption is not set to true".to_owned();
        ignored.push(("rootVolumeEncryptionKey".to_owned(), why, "set that too".to_owned()));
    }
    for (field, why, next) in ignored {
        desired.notices.push(Notice {
            object: format!("InstanceGroup/{}", group.name()),
            message: format!("spec.{field} is ignored, {why}"),
            next,
        });
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
    let name = group.aws_name(cluster.name());
    let (profile, after) = profile(cluster, group, role)?;
    let metadata = spec.instance_metadata.as_ref();
    let hops = metadata.and_then(|own| own.http_put_response_hop_limit);
    let tokens = metadata.and_then(|own| filled(&own.http_tokens));
    let parts = user_data::of(group);
    Ok(LaunchTemplate {
        group: group.name().to_owned(),
        zones: zones(subnets),
        runs_kubernetes: role != Role::Bastion,
        image: image(cluster, group, desired),
        machine_type: group.machine_type().unwrap_or_default().to_owned(),
        ssh_key: ssh::key(input),
        profile,
        security_groups: security_groups(input, group, role),
        public_ip: has_public_ip(cluster, group, subnets, desired),
        ipv6: subnets.iter().any(|subnet| filled(&subnet.ipv6_cidr).is_some()),
        root: volume(group.root_volume(), None)?,
        volumes: volumes(group)?,
        monitoring: spec.detailed_instance_monitoring.unwrap_or(false),
        tenancy: filled(&spec.tenancy).map(str::to_owned),
        spot: spot(group)?,
        http_tokens: tokens.unwrap_or("required").to_owned(),
        http_hop_limit: whole("instanceMetadata.httpPutResponseHopLimit", hops.unwrap_or(1))?,
        cpu_credits: filled(&spec.cpu_credits).map(str::to_owned),
        ebs_optimized: spec.root_volume_optimization,
        user_data: UserData { bootstrap: None, parts: parts.clone() }.write(),
        parts,
        tags: tags(input, group, &name),
        gpu_tags: group.gpu_tags(cluster),
        name,
        after,
        resolved: Resolved::default(),
    })
}

fn image(cluster: &Cluster, group: &InstanceGroup, desired: &mut DesiredCluster) -> WantedImage {
    if let Some(name) = filled(&group.spec.image) {
        return WantedImage::Named(name.to_owned());
    }
    channel::image(cluster).unwrap_or_else(|why| {
        let notice = Notice {
            object: format!("InstanceGroup/{}", group.name()),
            message: format!("spec.image is missing, and {why}"),
            next: format!("kapstan set instancegroup {} spec.image=…", group.name()),
        };
        desired.refusals.push((LaunchTemplate::KIND, notice));
        WantedImage::Unknown
    })
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

fn security_groups(input: Input<'_>, group: &InstanceGroup, role: Role) -> Vec<Ref<SecurityGroup>> {
    let own = match filled(&group.spec.security_group_override) {
        Some(id) => Ref::to(id),
        None => names::security_group(input.cluster.name(), role),
    };
    let behind = load_balancer::security_groups_behind(input, group);
    let more = group.spec.additional_security_groups.iter().flatten();
    let mut groups: Vec<Ref<SecurityGroup>> = vec![own];
    for id in behind.into_iter().chain(more.map(Ref::to)) {
        if !groups.contains(&id) {
            groups.push(id);
        }
    }
    groups
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
fn spot(group: &InstanceGroup) -> Result<Option<Spot>, String> {
    let spec = &group.spec;
    let price = filled(&spec.max_price).filter(|_| spec.mixed_instances_policy.is_none());
    let Some(price) = price else { return Ok(None) };
    let minutes = spec.spot_duration_in_minutes;
    Ok(Some(Spot {
        price: Some(price.to_owned()),
        minutes: minutes.map(|own| whole("spotDurationInMinutes", own)).transpose()?,
        interruption: filled(&spec.instance_interruption_behavior).map(str::to_owned),
    }))
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

/// The tags of a group and of its template, which all that they start gets too (kops
/// `pkg/model/context.go`, `CloudTagsForInstanceGroup`). Our own come last, so that no label takes
/// their place.
fn tags(input: Input<'_>, group: &InstanceGroup, name: &str) -> Tags {
    let cluster = input.cluster;
    let own = names::tags(cluster, name, false);
    let mut tags = own.clone();
    tags.extend(names::labels(group.spec.cloud_labels.as_ref()));
    if cluster.uses_nth_queue() {
        let handler = cluster.spec.node_termination_handler.as_ref();
        let key = handler.and_then(|own| own.managed_asg_tag.as_deref()).unwrap_or(HANDLED);
        if !key.is_empty() {
            tags.entry(key.to_owned()).or_default();
        }
    }
    let is_server = |group: &&InstanceGroup| group.spec.role == Some(Role::ApiServer);
    let has_api_servers = input.groups.iter().any(is_server);
    tags.extend(group.autoscaler_tags(cluster, has_api_servers));
    let words: &[&str] = match group.spec.role {
        Some(Role::Master) => &["master", "control-plane"],
        Some(Role::ApiServer) => &["apiserver"],
        Some(Role::Node) => &["node"],
        Some(Role::Bastion) => &["bastion"],
        None => &[],
    };
    tags.extend(words.iter().map(|word| (format!("k8s.io/role/{word}"), "1".to_owned())));
    tags.insert("kops.k8s.io/instancegroup".to_owned(), group.name().to_owned());
    let telling = ["Name", CLUSTER_TAG, &cluster.owner_key()];
    tags.extend(own.into_iter().filter(|(key, _)| telling.contains(&key.as_str())));
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
