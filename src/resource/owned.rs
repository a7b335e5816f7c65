//! What a cluster has in AWS, whatever its spec says: found by ownership tags, and by names
//! that are a cluster's alone.

use std::collections::BTreeSet;

use aws_sdk_ec2::types::{Filter, InstanceStateName, NatGatewayState, VolumeState};
use futures::future::{try_join_all, try_join3, try_join4, try_join5};

use super::delete::Deletion;
use super::hosted_zone::{HostedZone, find};
use super::{Kind, Observed, ResourceId, Tags, autoscaling_group, dns_name, ec2, hosted_zone};
use super::{iam_instance_profile, iam_role_policy, load_balancer, network_load_balancer};
use super::{route_table, security_group};
use crate::aws::{Aws, AwsError};
use crate::spec::instance_group::Role;

/// Something that goes with the cluster.
#[derive(Clone, Debug)]
pub(crate) struct Owned {
    pub(crate) id: ResourceId,
    pub(crate) deletion: Deletion,
}

impl Owned {
    fn new(kind: Kind, name: impl Into<String>, deletion: Deletion) -> Self {
        Self { id: ResourceId::new(kind, name), deletion }
    }

    /// One that AWS knows by id, called by its name.
    fn named(kind: Kind, id: &str, tags: &Tags, deletion: Deletion) -> Self {
        match tags.get("Name").filter(|name| !name.is_empty()) {
            Some(name) => Self::new(kind, format!("{name} ({id})"), deletion),
            None => Self::new(kind, id, deletion),
        }
    }
}

/// Whether tags say that something is the cluster's, and not only shared with it.
fn is_owned(tags: &Tags, cluster: &str) -> bool {
    match tags.get(&format!("kubernetes.io/cluster/{cluster}")) {
        Some(ownership) => ownership == "owned",
        None => tags.get(ec2::CLUSTER_TAG).is_some_and(|tag| tag == cluster),
    }
}

/// Chooses what carries either of the tags by which a cluster marks what it has.
fn tagged(cluster: &str) -> Filter {
    let own = format!("kubernetes.io/cluster/{cluster}");
    ec2::filter("tag-key", [own, ec2::CLUSTER_TAG.to_owned()])
}

/// Reads all that the cluster owns.
pub(crate) async fn observe(
    aws: &Aws,
    cluster: &str,
    zone: &HostedZone,
) -> Result<Vec<Owned>, AwsError> {
    let found = try_join5(
        instances(aws, cluster),
        balancers(aws, cluster),
        network(aws, cluster),
        records(aws, cluster, zone),
        try_join3(storage_and_keys(aws, cluster), groups(aws, cluster), iam(aws, cluster)),
    )
    .await?;
    let (instances, balancers, network, records, (storage, groups, iam)) = found;
    Ok([instances, balancers, network, records, storage, groups, iam].concat())
}

async fn instances(aws: &Aws, cluster: &str) -> Result<Vec<Owned>, AwsError> {
    let scaling = async {
        let groups = autoscaling_group::observe(aws, cluster).await?;
        groups.into_rows()
    };
    let templates = async {
        let call = aws.ec2.describe_launch_templates().filters(tagged(cluster));
        let rows = call.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
        rows.map_err(|error| AwsError::new("ec2:DescribeLaunchTemplates", "", error))
    };
    let running = async {
        let pages = aws.ec2.describe_instances().filters(tagged(cluster)).into_paginator();
        let rows = pages.items().send().collect::<Result<Vec<_>, _>>().await;
        rows.map_err(|error| AwsError::new("ec2:DescribeInstances", "", error))
    };
    let (scaling, templates, running) = try_join3(scaling, templates, running).await?;
    let mut owned = Vec::new();
    for group in &scaling {
        let deletion = Deletion::AutoscalingGroup(group.name.clone());
        owned.push(Owned::new(Kind::AutoscalingGroup, &group.name, deletion));
        if let Some(name) = &group.launch_configuration {
            let deletion = Deletion::LaunchConfiguration(name.clone());
            owned.push(Owned::new(Kind::LaunchTemplate, name, deletion));
        }
    }
    for template in &templates {
        let (Some(id), Some(name)) =
            (template.launch_template_id(), template.launch_template_name())
        else {
            continue;
        };
        if is_owned(&ec2::tags_from_sdk(template.tags()), cluster) {
            let deletion = Deletion::LaunchTemplate(id.to_owned());
            owned.push(Owned::new(Kind::LaunchTemplate, name, deletion));
        }
    }
    let of_groups: BTreeSet<&str> = scaling
        .iter()
        .flat_map(|group| group.instances.iter().map(|instance| instance.id.as_str()))
        .collect();
    let mut ids: BTreeSet<String> = of_groups.iter().map(|id| (*id).to_owned()).collect();
    for instance in running.iter().flat_map(|reservation| reservation.instances()) {
        let state = instance.state().and_then(|state| state.name());
        let gone = state == Some(&InstanceStateName::Terminated);
        if !gone && is_owned(&ec2::tags_from_sdk(instance.tags()), cluster) {
            ids.extend(instance.instance_id().map(str::to_owned));
        }
    }
    if !ids.is_empty() {
        let name = ids.iter().cloned().collect::<Vec<_>>().join(", ");
        let deletion = Deletion::Instances(ids.into_iter().collect());
        owned.push(Owned::new(Kind::Instance, name, deletion));
    }
    Ok(owned)
}

async fn balancers(aws: &Aws, cluster: &str) -> Result<Vec<Owned>, AwsError> {
    let (classic, (network, targets)) = futures::future::try_join(
        load_balancer::observe_owned(aws, cluster),
        network_load_balancer::observe_owned(aws, cluster),
    )
    .await?;
    let classic = classic
        .into_iter()
        .map(|name| Owned::new(Kind::LoadBalancer, &name, Deletion::LoadBalancer(name.clone())));
    let network = network.into_iter().map(|(arn, name)| {
        Owned::new(Kind::LoadBalancer, name, Deletion::NetworkLoadBalancer(arn))
    });
    let targets = targets
        .into_iter()
        .map(|(arn, name)| Owned::new(Kind::TargetGroup, name, Deletion::TargetGroup(arn)));
    Ok(classic.chain(network).chain(targets).collect())
}

async fn storage_and_keys(aws: &Aws, cluster: &str) -> Result<Vec<Owned>, AwsError> {
    let volumes = async {
        let pages = aws.ec2.describe_volumes().filters(tagged(cluster)).into_paginator();
        let rows = pages.items().send().collect::<Result<Vec<_>, _>>().await;
        rows.map_err(|error| AwsError::new("ec2:DescribeVolumes", "", error))
    };
    // The name of a key pair of ours begins with the cluster's name (`SSHKey`).
    let prefix = format!("kubernetes.{cluster}-");
    let keys = async {
        let chosen = ec2::filter("key-name", [format!("{prefix}*")]);
        let answer = aws.ec2.describe_key_pairs().filters(chosen).send().await;
        answer.map_err(|error| AwsError::new("ec2:DescribeKeyPairs", "", error))
    };
    let (volumes, keys) = futures::future::try_join(volumes, keys).await?;
    let mut owned = Vec::new();
    for volume in &volumes {
        let tags = ec2::tags_from_sdk(volume.tags());
        let goes = matches!(volume.state(), Some(VolumeState::Deleting | VolumeState::Deleted));
        // A volume of a running instance goes with it, or is let go by then.
        if let Some(id) = volume.volume_id().filter(|_| !goes && is_owned(&tags, cluster)) {
            owned.push(Owned::named(Kind::EbsVolume, id, &tags, Deletion::Volume(id.to_owned())));
        }
    }
    let ours = keys.key_pairs().iter().filter_map(|key| key.key_name());
    for name in ours.filter(|name| name.starts_with(&prefix)) {
        owned.push(Owned::new(Kind::SshKey, name, Deletion::KeyPair(name.to_owned())));
    }
    Ok(owned)
}

async fn groups(aws: &Aws, cluster: &str) -> Result<Vec<Owned>, AwsError> {
    let found = security_group::read(aws, vec![tagged(cluster)]).await?;
    let ours = found.into_iter().filter(|group| is_owned(&group.tags, cluster));
    let owned = ours.map(|group| {
        let name = format!("{} ({})", group.name, group.id);
        let deletion = Deletion::SecurityGroup { id: group.id, rules: group.rules };
        Owned::new(Kind::SecurityGroup, name, deletion)
    });
    Ok(owned.collect())
}

async fn network(aws: &Aws, cluster: &str) -> Result<Vec<Owned>, AwsError> {
    let vpcs = async {
        let pages = aws.ec2.describe_vpcs().filters(tagged(cluster)).into_paginator();
        let rows = pages.items().send().collect::<Result<Vec<_>, _>>().await;
        rows.map_err(|error| AwsError::new("ec2:DescribeVpcs", "", error))
    };
    let subnets = async {
        let pages = aws.ec2.describe_subnets().filters(tagged(cluster)).into_paginator();
        let rows = pages.items().send().collect::<Result<Vec<_>, _>>().await;
        rows.map_err(|error| AwsError::new("ec2:DescribeSubnets", "", error))
    };
    let tables = route_table::read(aws, vec![tagged(cluster)]);
    let gateways = async {
        let call = aws.ec2.describe_internet_gateways().filters(tagged(cluster));
        let rows = call.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
        rows.map_err(|error| AwsError::new("ec2:DescribeInternetGateways", "", error))
    };
    let others = try_join3(
        async {
            let call = aws.ec2.describe_nat_gateways().filter(tagged(cluster));
            let rows = call.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
            rows.map_err(|error| AwsError::new("ec2:DescribeNatGateways", "", error))
        },
        async {
            let answer = aws.ec2.describe_addresses().filters(tagged(cluster)).send().await;
            answer.map_err(|error| AwsError::new("ec2:DescribeAddresses", "", error))
        },
        async {
            let call = aws.ec2.describe_dhcp_options().filters(tagged(cluster));
            let rows = call.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
            rows.map_err(|error| AwsError::new("ec2:DescribeDhcpOptions", "", error))
        },
    );
    let (found, others) =
        futures::future::try_join(try_join4(vpcs, subnets, tables, gateways), others).await?;
    let (vpcs, subnets, tables, gateways) = found;
    let (nats, addresses, options) = others;
    let mut owned = Vec::new();
    let mut add = |kind, id: Option<&str>, tags: Tags, deletion: fn(String) -> Deletion| {
        if let Some(id) = id.filter(|_| is_owned(&tags, cluster)) {
            owned.push(Owned::named(kind, id, &tags, deletion(id.to_owned())));
        }
    };
    for vpc in &vpcs {
        add(Kind::Vpc, vpc.vpc_id(), ec2::tags_from_sdk(vpc.tags()), Deletion::Vpc);
    }
    for subnet in &subnets {
        let tags = ec2::tags_from_sdk(subnet.tags());
        add(Kind::Subnet, subnet.subnet_id(), tags, Deletion::Subnet);
    }
    for nat in &nats {
        use NatGatewayState::{Deleted, Deleting};
        let gone = matches!(nat.state(), Some(Deleted | Deleting));
        let id = nat.nat_gateway_id().filter(|_| !gone);
        add(Kind::NatGateway, id, ec2::tags_from_sdk(nat.tags()), Deletion::NatGateway);
    }
    for address in addresses.addresses() {
        let tags = ec2::tags_from_sdk(address.tags());
        add(Kind::ElasticIp, address.allocation_id(), tags, Deletion::ElasticIp);
    }
    for options in &options {
        let tags = ec2::tags_from_sdk(options.tags());
        add(Kind::DhcpOptions, options.dhcp_options_id(), tags, Deletion::DhcpOptions);
    }
    for gateway in &gateways {
        let tags = ec2::tags_from_sdk(gateway.tags());
        if let Some(id) = gateway.internet_gateway_id().filter(|_| is_owned(&tags, cluster)) {
            let attachments = gateway.attachments().iter();
            let vpcs = attachments.filter_map(|one| one.vpc_id().map(str::to_owned)).collect();
            let deletion = Deletion::InternetGateway { id: id.to_owned(), vpcs };
            owned.push(Owned::named(Kind::InternetGateway, id, &tags, deletion));
        }
    }
    for table in tables.iter().filter(|table| is_owned(&table.tags, cluster)) {
        let associations = table.associations.iter().map(|one| one.id.clone()).collect();
        let deletion = Deletion::RouteTable { id: table.id.clone(), associations };
        owned.push(Owned::named(Kind::RouteTable, &table.id, &table.tags, deletion));
    }
    Ok(owned)
}

/// The records of the cluster's own names: those that kapstan makes, and those that
/// Kubernetes' dns-controller makes for kops (`pkg/resources/aws/routes.go`).
async fn records(aws: &Aws, cluster: &str, zone: &HostedZone) -> Result<Vec<Owned>, AwsError> {
    if *zone == HostedZone::None {
        return Ok(Vec::new());
    }
    let zones = hosted_zone::observe(aws).await?.into_rows()?;
    let Ok(Some(id)) = find(zone, &zones) else { return Ok(Vec::new()) };
    if !zones.iter().any(|zone| zone.id == id) {
        return Ok(Vec::new());
    }
    let pages = aws.route53.list_resource_record_sets().hosted_zone_id(&id);
    let mut owned = Vec::new();
    let mut next = (None, None, None);
    loop {
        let call = pages.clone().set_start_record_name(next.0).set_start_record_type(next.1);
        let answer = call
            .set_start_record_identifier(next.2)
            .send()
            .await
            .map_err(|error| AwsError::new("route53:ListResourceRecordSets", &id, error))?;
        for record in answer.resource_record_sets() {
            let name = dns_name::unescaped(record.name());
            let is_a = *record.r#type() == aws_sdk_route53::types::RrType::A;
            if is_a && is_own_name(&name, cluster) {
                let record = Box::new(record.clone());
                let deletion = Deletion::DnsRecord { zone: id.clone(), record };
                owned.push(Owned::new(Kind::DnsName, name, deletion));
            }
        }
        if !answer.is_truncated() {
            return Ok(owned);
        }
        next = (
            answer.next_record_name().map(str::to_owned),
            answer.next_record_type().cloned(),
            answer.next_record_identifier().map(str::to_owned),
        );
    }
}

fn is_own_name(name: &str, cluster: &str) -> bool {
    let Some(own) = name.strip_suffix(&format!(".{cluster}")) else { return false };
    own == "api"
        || own == "api.internal"
        || own == "bastion"
        || own.strip_suffix(".internal").is_some_and(|etcd| etcd.starts_with("etcd-"))
}

async fn iam(aws: &Aws, cluster: &str) -> Result<Vec<Owned>, AwsError> {
    let names = Role::ALL.map(|role| role.iam_name(cluster));
    let reads = names.iter().map(async |name| {
        let (profile, policies) = futures::future::try_join(
            iam_instance_profile::observe(aws, name),
            iam_role_policy::observe(aws, name),
        )
        .await?;
        let mut owned = Vec::new();
        match profile {
            Observed::Found(found) => {
                let roles = found.role.into_iter().map(|(role, _)| role).collect();
                let deletion = Deletion::InstanceProfile { name: name.clone(), roles };
                owned.push(Owned::new(Kind::IamInstanceProfile, name, deletion));
            }
            Observed::Missing => {}
            Observed::Denied(error) => return Err(error),
        }
        match policies {
            Observed::Found(found) => {
                let policies = found.into_keys().collect();
                let deletion = Deletion::Role { name: name.clone(), policies };
                owned.push(Owned::new(Kind::IamRole, name, deletion));
            }
            Observed::Missing => {}
            Observed::Denied(error) => return Err(error),
        }
        Ok(owned)
    });
    Ok(try_join_all(reads).await?.concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shared_is_not_owned() {
        let tags = |pairs: &[(&str, &str)]| -> Tags {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        let own = ("kubernetes.io/cluster/a.com", "owned");
        assert!(is_owned(&tags(&[own]), "a.com"));
        assert!(is_owned(&tags(&[("KubernetesCluster", "a.com")]), "a.com"));
        let shared = [("kubernetes.io/cluster/a.com", "shared"), ("KubernetesCluster", "a.com")];
        assert!(!is_owned(&tags(&shared), "a.com"));
        assert!(!is_owned(&tags(&[own]), "b.a.com"));
        assert!(!is_owned(&tags(&[("KubernetesCluster", "b.a.com")]), "a.com"));
        assert!(!is_owned(&tags(&[]), "a.com"));
    }

    #[test]
    fn only_the_cluster_s_own_names_are_its_records() {
        for name in ["api.a.com", "api.internal.a.com", "bastion.a.com", "etcd-b.internal.a.com"] {
            assert!(is_own_name(name, "a.com"), "{name}");
        }
        for name in ["a.com", "www.a.com", "api.b.a.com", "xapi.a.com", "api.xa.com"] {
            assert!(!is_own_name(name, "a.com"), "{name}");
        }
    }
}
