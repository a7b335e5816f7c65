//! What a spec names by id, ARN or name: it was there before the cluster, and stays after it.

use std::fmt;

use super::names;
use crate::aws::tags::Tags;
use crate::core::whose::Owner;
use crate::ec2::instance::Instance;
use crate::ec2::key_pair::SshKey;
use crate::elb::load_balancer::LoadBalancer;
use crate::elb::network_load_balancer::NetworkLoadBalancer;
use crate::elb::target_group::TargetGroup;
use crate::iam::instance_profile::IamInstanceProfile;
use crate::route53::dns_zone::DnsZone;
use crate::spec::cluster::{Cluster, Subnet};
use crate::spec::instance_group::InstanceGroup;
use crate::spec::object::filled;
use crate::spec::path::FieldPath;
use crate::spec::profile_arn::ProfileArn;
use crate::vpc::elastic_ip::ElasticIp;
use crate::vpc::nat_gateway::NatGateway;
use crate::vpc::security_group::SecurityGroup;
use crate::vpc::subnet;
use crate::vpc::vpc::Vpc;

/// The cluster as an owner, who knows what its spec names.
pub(crate) fn owner(cluster: &Cluster, groups: &[&InstanceGroup]) -> Owner {
    let mut owner = Owner::with_spec(cluster.name());
    let spec = FieldPath::root().key("spec");
    let mut name = |kind, id: &Option<String>, field: &dyn fmt::Display| {
        if let Some(id) = filled(id) {
            owner.name(kind, id, field, Tags::new());
        }
    };
    name(Vpc::KIND, &cluster.spec.network_id, &spec.key("networkID"));
    name(SshKey::KIND, &cluster.spec.ssh_key_name, &spec.key("sshKeyName"));
    name(DnsZone::KIND, &cluster.spec.dns_zone, &spec.key("dnsZone"));
    if let Some(api) = cluster.spec.api.as_ref().and_then(|api| api.load_balancer.as_ref()) {
        let field = spec.key("api").key("loadBalancer");
        let own = field.key("securityGroupOverride");
        name(SecurityGroup::KIND, &api.security_group_override, &own);
        for (index, id) in api.additional_security_groups.iter().flatten().enumerate() {
            let field = field.key("additionalSecurityGroups").index(index);
            name(SecurityGroup::KIND, &Some(id.clone()), &field);
        }
        for (index, subnet) in api.subnets.iter().flatten().enumerate() {
            let field = field.key("subnets").index(index).key("allocationId");
            name(ElasticIp::KIND, &subnet.allocation_id, &field);
        }
    }
    let bastion = cluster.spec.topology.as_ref().and_then(|all| all.bastion.as_ref());
    if let Some(balancer) = bastion.and_then(|bastion| bastion.load_balancer.as_ref()) {
        let field = spec.key("topology").key("bastion").key("loadBalancer");
        for (index, id) in balancer.additional_security_groups.iter().flatten().enumerate() {
            let field = field.key("additionalSecurityGroups").index(index);
            name(SecurityGroup::KIND, &Some(id.clone()), &field);
        }
    }
    let bastion = spec.key("topology").key("bastion").key("loadBalancer");
    let more = cluster.bastion_load_balancer().map(|it| &it.additional_security_groups);
    for (index, id) in more.into_iter().flatten().flatten().enumerate() {
        let field = bastion.key("additionalSecurityGroups").index(index);
        name(SecurityGroup::KIND, &Some(id.clone()), &field);
    }
    for group in groups {
        let of = |field: FieldPath| format!("{field} of InstanceGroup/{}", group.name());
        let own = of(spec.key("securityGroupOverride"));
        name(SecurityGroup::KIND, &group.spec.security_group_override, &own);
        for (index, id) in group.spec.additional_security_groups.iter().flatten().enumerate() {
            let field = of(spec.key("additionalSecurityGroups").index(index));
            name(SecurityGroup::KIND, &Some(id.clone()), &field);
        }
        for (index, external) in group.spec.external_load_balancers.iter().flatten().enumerate() {
            let field = spec.key("externalLoadBalancers").index(index);
            let balancer = of(field.key("loadBalancerName"));
            for kind in [LoadBalancer::KIND, NetworkLoadBalancer::KIND] {
                name(kind, &external.load_balancer_name, &balancer);
            }
            name(TargetGroup::KIND, &external.target_group_arn, &of(field.key("targetGroupArn")));
        }
        let arn = group.profile_arn();
        if let Some(arn) = arn.and_then(|arn| arn.parse::<ProfileArn>().ok()) {
            let field = of(spec.key("iam").key("profile"));
            name(IamInstanceProfile::KIND, &Some(arn.name), &field);
        }
    }
    for id in filled_groups(cluster, groups) {
        owner.fill(SecurityGroup::KIND, id);
    }
    for (index, subnet) in cluster.subnets().iter().enumerate() {
        add_subnet(&mut owner, cluster, groups, subnet, &spec.key("subnets").index(index));
    }
    owner
}

/// The security groups that get the cluster's rules.
fn filled_groups<'a>(
    cluster: &'a Cluster,
    groups: &'a [&InstanceGroup],
) -> impl Iterator<Item = &'a str> {
    let api = cluster.spec.api.as_ref().and_then(|api| api.load_balancer.as_ref());
    let of_api = api.map(|api| &api.security_group_override);
    let of_groups = groups.iter().map(|group| &group.spec.security_group_override);
    of_api.into_iter().chain(of_groups).filter_map(filled)
}

fn add_subnet(
    owner: &mut Owner,
    cluster: &Cluster,
    groups: &[&InstanceGroup],
    subnet: &Subnet,
    field: &FieldPath,
) {
    if let Some(id) = filled(&subnet.id) {
        let tags = names::subnet_tags(cluster, groups, subnet);
        owner.name(subnet::Subnet::KIND, id, field.key("id"), tags);
    }
    let shared = names::tags(cluster, "", true);
    if let Some(address) = filled(&subnet.public_ip) {
        owner.name(ElasticIp::KIND, address, field.key("publicIP"), shared.clone());
    }
    let field = field.key("egress");
    match filled(&subnet.egress) {
        Some(id) if id.starts_with("i-") => owner.name(Instance::KIND, id, field, Tags::new()),
        Some(id) if id.starts_with("eipalloc-") => owner.name(ElasticIp::KIND, id, field, shared),
        Some(id) if id.starts_with("nat-") => owner.name(NatGateway::KIND, id, field, shared),
        // What additional routes lead to may be the cluster's own, and gets no tag.
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::core::whose::Marks;

    #[test]
    fn everything_that_a_spec_names_is_told_with_its_field() {
        let cluster: Cluster = serde_json::from_value(json!({
            "metadata": {"name": "a.com"},
            "spec": {
                "networkID": "vpc-1", "sshKeyName": "mine", "dnsZone": "Z1",
                "api": {"loadBalancer": {
                    "securityGroupOverride": "sg-1", "additionalSecurityGroups": ["sg-2"],
                }},
                "subnets": [
                    {"name": "a", "zone": "us-west-2a", "id": "subnet-1", "egress": "nat-1"},
                    {"name": "b", "zone": "us-west-2b", "publicIP": "192.0.2.1", "egress": "i-1"},
                    {"name": "c", "zone": "us-west-2c", "egress": "External"},
                ],
            },
        }))
        .unwrap();
        let group: InstanceGroup = serde_json::from_value(json!({
            "metadata": {"name": "nodes"},
            "spec": {
                "securityGroupOverride": "sg-3", "additionalSecurityGroups": ["sg-4"],
                "externalLoadBalancers": [{"loadBalancerName": "lb"}, {"targetGroupArn": "arn:tg"}],
                "iam": {"profile": "arn:aws:iam::123456789012:instance-profile/team/nodes.a.com"},
            },
        }))
        .unwrap();
        let owner = owner(&cluster, &[&group]);
        let group = |field: &str| format!("{field} of InstanceGroup/nodes");
        for (kind, id, field) in [
            (Vpc::KIND, "vpc-1", "spec.networkID".to_owned()),
            (SshKey::KIND, "mine", "spec.sshKeyName".to_owned()),
            (DnsZone::KIND, "Z1", "spec.dnsZone".to_owned()),
            (SecurityGroup::KIND, "sg-1", "spec.api.loadBalancer.securityGroupOverride".to_owned()),
            (
                SecurityGroup::KIND,
                "sg-2",
                "spec.api.loadBalancer.additionalSecurityGroups[0]".to_owned(),
            ),
            (subnet::Subnet::KIND, "subnet-1", "spec.subnets[0].id".to_owned()),
            (NatGateway::KIND, "nat-1", "spec.subnets[0].egress".to_owned()),
            (ElasticIp::KIND, "192.0.2.1", "spec.subnets[1].publicIP".to_owned()),
            (Instance::KIND, "i-1", "spec.subnets[1].egress".to_owned()),
            (SecurityGroup::KIND, "sg-3", group("spec.securityGroupOverride")),
            (SecurityGroup::KIND, "sg-4", group("spec.additionalSecurityGroups[0]")),
            (LoadBalancer::KIND, "lb", group("spec.externalLoadBalancers[0].loadBalancerName")),
            (TargetGroup::KIND, "arn:tg", group("spec.externalLoadBalancers[1].targetGroupArn")),
            (IamInstanceProfile::KIND, "nodes.a.com", group("spec.iam.profile")),
        ] {
            let whose = owner.whose(kind, &Marks::of(id));
            assert_eq!(whose.reason(), Some(format!("named by {field}").as_str()), "{kind}");
        }
        assert_eq!(owner.named_of(NatGateway::KIND).collect::<Vec<_>>(), ["nat-1"]);
    }
}
