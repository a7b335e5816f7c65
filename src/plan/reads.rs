//! What must be read before a plan can be made: what its lifecycle does not ignore, and what
//! that refers to.

use std::collections::{BTreeMap, BTreeSet};

use super::lifecycle::{Lifecycle, Lifecycles, Origin};
use crate::autoscaling::autoscaling_group::AutoscalingGroup;
use crate::catalogue::kinds::{IAM, Resource};
use crate::catalogue::live::Reads;
use crate::core::kind::{Kind, ResourceId};
use crate::desired::{DesiredCluster, names};
use crate::ec2::key_pair::SshKey;
use crate::elb::load_balancer::LoadBalancer;
use crate::elb::network_load_balancer::NetworkLoadBalancer;
use crate::elb::target_group::TargetGroup;
use crate::iam::role::IamRole;
use crate::iam::role_policy::{Content, IamRolePolicy};
use crate::route53::dns_zone::DnsZone;
use crate::spec::role::Role;
use crate::vpc::elastic_ip::ElasticIp;
use crate::vpc::nat_gateway::NatGateway;
use crate::vpc::route::Via;
use crate::vpc::route_table::RouteTable;
use crate::vpc::security_group::SecurityGroup;
use crate::vpc::subnet::Subnet;
use crate::vpc::vpc::Vpc;

/// The kinds that are looked for where the spec has none of them, since it may have had.
const LEFT: [Kind; 7] = [
    ElasticIp::KIND,
    NatGateway::KIND,
    RouteTable::KIND,
    SshKey::KIND,
    LoadBalancer::KIND,
    NetworkLoadBalancer::KIND,
    TargetGroup::KIND,
];

pub(crate) fn reads(desired: &DesiredCluster, lifecycles: &Lifecycles) -> Reads {
    let looks = |kind, origin| lifecycles.of(kind, origin) != Lifecycle::Ignore;
    let mut reads = Reads {
        cluster: desired.name.clone(),
        zone: Some(desired.zone.clone()),
        ..Reads::default()
    };
    let mut needs_zone = false;
    let looked: Vec<&Resource> = desired
        .resources
        .iter()
        .filter(|resource| looks(resource.id().kind, Origin::Managed))
        .collect();
    for resource in &looked {
        match resource {
            Resource::IamRole(role) => {
                reads.roles.insert(role.name.clone());
            }
            Resource::IamRolePolicy(policy) => {
                reads.policies.insert(policy.role.clone());
                // Nothing is put into a role without a look at whose it is.
                reads.roles.insert(policy.role.clone());
                needs_zone |=
                    matches!(&policy.content, Content::Role(policy) if policy.needs_zone());
            }
            Resource::IamInstanceProfile(profile) => {
                reads.profiles.insert(profile.name.clone());
            }
            Resource::IamInstanceProfileRole(link) => {
                reads.profiles.insert(link.profile.clone());
            }
            _ => {}
        }
    }
    for profile in &desired.existing {
        let name = &profile.arn.name;
        if IAM.into_iter().any(|kind| looks(kind, Origin::Existing)) {
            reads.profiles.insert(name.clone());
        }
        if looks(IamRolePolicy::KIND, Origin::Existing) {
            reads.policies_through.insert(name.clone());
            needs_zone |= profile.policy.needs_zone();
        }
    }
    let writes = |kind: &Kind| lifecycles.of(*kind, Origin::Managed) == Lifecycle::Sync;
    reads.kinds = kinds(desired, &looked, LEFT.into_iter().filter(writes));
    for resource in &desired.resources {
        if reads.kinds.contains(&resource.id().kind) {
            add(&mut reads, resource);
        }
    }
    if reads.kinds.contains(&SecurityGroup::KIND) {
        // Those too that the spec no longer has.
        let own = names::own_security_groups(&desired.name);
        let more = own.into_iter().filter(|name| !reads.security_group_names.contains(name));
        let more: Vec<String> = more.collect();
        reads.security_group_names.extend(more);
    }
    reads.availability_zones =
        reads.kinds.contains(&Subnet::KIND) && has_zone_without_groups(&looked);
    if reads.kinds.contains(&AutoscalingGroup::KIND) && looks(IamRole::KIND, Origin::Managed) {
        let roles: BTreeSet<&String> = desired
            .resources
            .iter()
            .filter_map(|resource| match resource {
                Resource::IamRole(role) => Some(&role.name),
                _ => None,
            })
            .collect();
        let idle = Role::ALL.map(|role| (format!("k8s.io/role/{}", role.key()), role));
        let idle = idle.map(|(tag, role)| (tag, role.iam_name(&desired.name)));
        reads.idle_roles = idle.into_iter().filter(|(_, name)| !roles.contains(name)).collect();
        let groups = Role::ALL.map(|role| {
            (names::security_group(&desired.name, role).name, role.iam_name(&desired.name))
        });
        reads.idle_security_groups =
            groups.into_iter().filter(|(_, name)| !roles.contains(name)).collect();
    }
    reads.zones = needs_zone && desired.zone.is_looked_up() || reads.kinds.contains(&DnsZone::KIND);
    reads
}

/// Whether a subnet is to lie in a zone that no launch template names: of those that one
/// names, its machine type tells whether they exist.
fn has_zone_without_groups(looked: &[&Resource]) -> bool {
    let of_groups: BTreeSet<&String> = looked
        .iter()
        .filter_map(|resource| match resource {
            Resource::LaunchTemplate(template) => Some(&template.zones),
            _ => None,
        })
        .flatten()
        .collect();
    looked.iter().any(|resource| match resource {
        Resource::Subnet(subnet) => subnet.existing.is_none() && !of_groups.contains(&subnet.zone),
        _ => false,
    })
}

/// The kinds that are looked at, and those that they refer to.
fn kinds(
    desired: &DesiredCluster,
    looked: &[&Resource],
    left: impl Iterator<Item = Kind>,
) -> BTreeSet<Kind> {
    let mut waiting: Vec<ResourceId> = looked
        .iter()
        .filter(|resource| !IAM.contains(&resource.id().kind))
        .map(|resource| resource.id())
        .collect();
    let resources: BTreeMap<ResourceId, &Resource> =
        desired.resources.iter().map(|resource| (resource.id(), resource)).collect();
    let mut seen: BTreeSet<ResourceId> = waiting.iter().cloned().collect();
    while let Some(id) = waiting.pop() {
        for need in resources.get(&id).map(|resource| resource.needs()).unwrap_or_default() {
            if !IAM.contains(&need.kind) && seen.insert(need.clone()) {
                waiting.push(need);
            }
        }
    }
    let mut kinds: BTreeSet<Kind> = seen.into_iter().map(|id| id.kind).chain(left).collect();
    // Gateways are found by the VPC that they stand in and the routes that lead to them,
    // addresses by their gateway; tables by the VPC, and what uses them by its subnets.
    let of_network = [NatGateway::KIND, ElasticIp::KIND, RouteTable::KIND];
    if of_network.iter().any(|kind| kinds.contains(kind)) {
        kinds.extend([Vpc::KIND, Subnet::KIND, NatGateway::KIND, RouteTable::KIND]);
    }
    kinds
}

/// What a kind's Describe call is narrowed to.
fn add(reads: &mut Reads, resource: &Resource) {
    match resource {
        Resource::Vpc(vpc) => reads.vpc.clone_from(&vpc.existing),
        Resource::SecurityGroup(group) => match &group.existing {
            Some(id) => reads.security_groups.push(id.clone()),
            None => reads.security_group_names.push(group.name.clone()),
        },
        Resource::SshKey(key) => reads.ssh_keys.push(key.name.clone()),
        Resource::Route(route) => {
            if let Via::Instance(id) = &route.via {
                reads.instances.push(id.clone());
            }
        }
        Resource::LoadBalancer(balancer) => {
            reads.load_balancers.insert(balancer.aws_name.clone());
        }
        Resource::NetworkLoadBalancer(balancer) => {
            reads.network_load_balancers.insert(balancer.aws_name.clone());
        }
        Resource::TargetGroup(group) => {
            reads.target_groups.insert(group.name.clone());
        }
        Resource::DnsName(name) => reads.records.push(name.name.clone()),
        Resource::LaunchTemplate(template) => {
            let filled = |text: &&String| !text.is_empty();
            reads.images.extend(Some(&template.image).filter(filled).cloned());
            reads.instance_types.extend(Some(&template.machine_type).filter(filled).cloned());
        }
        Resource::AutoscalingGroup(group) => {
            reads.groups.push(group.name.clone());
            let types = group.mixed.iter().flat_map(|mixed| mixed.types.iter().cloned());
            reads.instance_types.extend(types);
        }
        Resource::IamRole(_)
        | Resource::IamRolePolicy(_)
        | Resource::IamInstanceProfile(_)
        | Resource::IamInstanceProfileRole(_)
        | Resource::VpcCidrBlock(_)
        | Resource::DhcpOptions(_)
        | Resource::VpcDhcpOptionsAssociation(_)
        | Resource::Subnet(_)
        | Resource::InternetGateway(_)
        | Resource::ElasticIp(_)
        | Resource::NatGateway(_)
        | Resource::RouteTable(_)
        | Resource::RouteTableAssociation(_)
        | Resource::SecurityGroupRule(_)
        | Resource::EbsVolume(_)
        | Resource::Listener(_)
        | Resource::DnsZone(_)
        | Resource::LoadBalancerAttachment(_) => {}
    }
}
