//! Who holds back what AWS will not delete: asked once AWS has said that something does.
//!
//! AWS says that something hangs on an object, and seldom what. Some of it passes by itself,
//! as interfaces of a load balancer do that is going; the rest stays until its owner comes.

use std::collections::BTreeMap;

use aws_sdk_ec2::types::{
    Filter, InstanceStateName, NatGatewayState, NetworkInterface, NetworkInterfaceType,
    VpcPeeringConnectionStateReasonCode as Peering,
};

use crate::aws::{Aws, AwsError, Fault, ec2};
use crate::catalogue::deletion::Deletion;
use crate::core::wait::{Attempt, Held};
use crate::core::work::Work;
use crate::iam::instance_profile;
use crate::vpc::{security_group, security_group_rule};

/// How many holders are named.
const NAMED: usize = 8;

/// What holds something, in words.
#[derive(Debug, Default)]
pub(crate) struct Holders {
    stays: Vec<String>,
    passes: Vec<String>,
    /// Looks that failed.
    unknown: Vec<String>,
}

impl Holders {
    fn add(&mut self, passes: bool, holder: String) {
        if passes { self.passes.push(holder) } else { self.stays.push(holder) }
    }

    fn look(&mut self, answer: Result<(), AwsError>) {
        self.unknown.extend(answer.err().map(|error| error.to_string()));
    }

    /// What an attempt came to that failed so.
    pub(crate) fn attempt<T>(&self, error: AwsError) -> Attempt<T> {
        let holder = match (self.stays.is_empty(), self.passes.is_empty()) {
            (false, _) => list(&self.stays),
            (true, false) => list(&self.passes),
            (true, true) if self.unknown.is_empty() => {
                "something that AWS does not name".to_owned()
            }
            (true, true) => format!("something unknown, since {}", list(&self.unknown)),
        };
        let held = Held { holder, error };
        if self.stays.is_empty() { Attempt::NotYet(held) } else { Attempt::Never(held) }
    }
}

fn list(names: &[String]) -> String {
    let mut text = names[..names.len().min(NAMED)].join(", ");
    if names.len() > NAMED {
        text.push_str(&format!(" and {} more", names.len() - NAMED));
    }
    text
}

/// Asks what holds an object that `deletion` could not delete.
pub(crate) async fn of(work: &Work<'_>, deletion: &Deletion) -> Holders {
    let aws = work.aws;
    let mut holders = Holders::default();
    let looked = match deletion {
        Deletion::SecurityGroup { id, .. } => {
            let looked = naming_rules(work, id, &mut holders).await;
            holders.look(looked);
            interfaces(aws, ec2::filter("group-id", [id]), |_| true, &mut holders).await
        }
        Deletion::Subnet(id) => {
            interfaces(aws, ec2::filter("subnet-id", [id]), |_| true, &mut holders).await
        }
        Deletion::InternetGateway { vpcs, .. } => {
            // It can be detached once no public address is mapped through it.
            let is_public = |row: &NetworkInterface| {
                row.association().is_some_and(|address| address.public_ip().is_some())
            };
            interfaces(aws, ec2::filter("vpc-id", vpcs), is_public, &mut holders).await
        }
        Deletion::Vpc(id) => {
            in_vpc(aws, id, &mut holders).await;
            Ok(())
        }
        Deletion::RouteTable { id, associations } => {
            of_table(aws, id, associations, &mut holders).await
        }
        Deletion::DhcpOptions(id) => of_options(aws, id, &mut holders).await,
        Deletion::ElasticIp(id) => of_address(aws, id, &mut holders).await,
        Deletion::Volume(id) => of_volume(aws, id, &mut holders).await,
        Deletion::Role { name, .. } => of_role(aws, name, &mut holders).await,
        Deletion::InstanceProfile { name, .. } => of_profile(aws, name, &mut holders).await,
        Deletion::LaunchConfiguration(name) => of_configuration(aws, name, &mut holders).await,
        Deletion::TargetGroup(arn) => of_targets(aws, arn, &mut holders).await,
        // AWS names in its message what uses one.
        Deletion::NetworkLoadBalancer(_) => {
            holders.add(false, "what AWS names".to_owned());
            Ok(())
        }
        Deletion::AutoscalingGroup(_)
        | Deletion::Instances(_)
        | Deletion::LaunchTemplate(_)
        | Deletion::LoadBalancer(_)
        | Deletion::DnsRecord { .. }
        | Deletion::KeyPair(_)
        | Deletion::SecurityGroupRule(_)
        | Deletion::Tags { .. }
        | Deletion::CidrBlock(_)
        | Deletion::LoadBalancerAttachment { .. }
        | Deletion::TargetGroupAttachment { .. }
        | Deletion::NatGateway(_) => Ok(()),
    };
    holders.look(looked);
    holders
}

/// Rules of other groups that name a group. Those of groups that are the cluster's own and wanted
/// no more are taken out here: groups that name each other could wait for ever, and one that an
/// instance keeps for now would keep all that it names.
async fn naming_rules(work: &Work<'_>, id: &str, holders: &mut Holders) -> Result<(), AwsError> {
    let aws = work.aws;
    for filter in ["ip-permission.group-id", "egress.ip-permission.group-id"] {
        for group in security_group::read(aws, vec![ec2::filter(filter, [id])]).await? {
            if group.id == id {
                continue;
            }
            if !work.has_own_group(&group.id) {
                let holder = format!("a rule of security group {} ({})", group.id, group.name);
                if !holders.stays.contains(&holder) {
                    holders.add(false, holder);
                }
                continue;
            }
            for rule in group.rules.iter().filter(|rule| rule.names(id)) {
                gone_or(security_group_rule::revoke(aws, rule).await)?;
            }
            holders.add(true, format!("the rules of {} ({})", group.id, group.name));
        }
    }
    Ok(())
}

/// A result in which it is no failure that something is gone.
pub(crate) fn gone_or(answer: Result<(), AwsError>) -> Result<(), AwsError> {
    answer.or_else(|error| if error.fault == Fault::Missing { Ok(()) } else { Err(error) })
}

/// Whose a network interface is, as far as that tells whether it goes by itself.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum User {
    Instance(String),
    ClassicBalancer(String),
    Balancer(String),
    NatGateway(String),
    Other,
}

impl User {
    fn of(interface: &NetworkInterface) -> Self {
        let instance = interface.attachment().and_then(|attachment| attachment.instance_id());
        if let Some(id) = instance {
            return Self::Instance(id.to_owned());
        }
        Self::described(
            interface.description().unwrap_or_default(),
            interface.interface_type() == Some(&NetworkInterfaceType::NatGateway),
        )
    }

    /// Interfaces of services say in their description whose they are ("ELB NAME", Elastic
    /// Load Balancing user guides; "Interface for NAT Gateway ID", VPC user guide).
    fn described(description: &str, is_gateway: bool) -> Self {
        if let Some(name) = description.strip_prefix("ELB ") {
            return match name.split('/').nth(1) {
                Some(name) => Self::Balancer(name.to_owned()),
                None => Self::ClassicBalancer(name.to_owned()),
            };
        }
        match description.rsplit(' ').next().filter(|id| id.starts_with("nat-")) {
            Some(id) if is_gateway || description.contains("NAT Gateway") => {
                Self::NatGateway(id.to_owned())
            }
            _ => Self::Other,
        }
    }

    async fn is_going(&self, aws: &Aws) -> Result<bool, AwsError> {
        match self {
            Self::Instance(id) => {
                let states = instance_states(aws, std::slice::from_ref(id)).await?;
                Ok(states.iter().all(|(_, state)| is_going(state)))
            }
            Self::ClassicBalancer(name) => {
                let call = aws.elb.describe_load_balancers().load_balancer_names(name);
                is_gone(call.send().await.map_err(|error| {
                    AwsError::new("elasticloadbalancing:DescribeLoadBalancers", name, error)
                }))
            }
            Self::Balancer(name) => {
                let call = aws.elbv2.describe_load_balancers().names(name);
                is_gone(call.send().await.map_err(|error| {
                    AwsError::new("elasticloadbalancing:DescribeLoadBalancers", name, error)
                }))
            }
            Self::NatGateway(id) => {
                use NatGatewayState::{Deleted, Deleting};
                let call = aws.ec2.describe_nat_gateways();
                let answer = call.filter(ec2::filter("nat-gateway-id", [id])).send().await;
                let answer =
                    answer.map_err(|error| AwsError::new("ec2:DescribeNatGateways", id, error))?;
                let mut rows = answer.nat_gateways().iter();
                Ok(rows.all(|row| matches!(row.state(), Some(Deleted | Deleting))))
            }
            Self::Other => Ok(false),
        }
    }
}

fn is_gone<T>(answer: Result<T, AwsError>) -> Result<bool, AwsError> {
    match answer {
        Ok(_) => Ok(false),
        Err(error) if error.fault == Fault::Missing => Ok(true),
        Err(error) => Err(error),
    }
}

fn is_going(state: &InstanceStateName) -> bool {
    matches!(state, InstanceStateName::ShuttingDown | InstanceStateName::Terminated)
}

/// The states of those of these instances that AWS still shows.
pub(crate) async fn instance_states(
    aws: &Aws,
    ids: &[String],
) -> Result<Vec<(String, InstanceStateName)>, AwsError> {
    use crate::aws::batch;
    batch::read(ids, batch::FILTER_VALUES, async |ids: &[String]| {
        let call = aws.ec2.describe_instances().filters(ec2::filter("instance-id", ids));
        let rows = call.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
        let rows = rows.map_err(|error| AwsError::new("ec2:DescribeInstances", "", error))?;
        let all = rows.iter().flat_map(|reservation| reservation.instances());
        let states = all.filter_map(|row| {
            let state = row.state().and_then(|state| state.name());
            Some((row.instance_id()?.to_owned(), state?.clone()))
        });
        Ok(states.collect())
    })
    .await
}

async fn interfaces(
    aws: &Aws,
    chosen: Filter,
    holds: impl Fn(&NetworkInterface) -> bool,
    holders: &mut Holders,
) -> Result<(), AwsError> {
    let call = aws.ec2.describe_network_interfaces().filters(chosen);
    let rows = call.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
    let rows = rows.map_err(|error| AwsError::new("ec2:DescribeNetworkInterfaces", "", error))?;
    let mut going: BTreeMap<User, bool> = BTreeMap::new();
    for row in rows.iter().filter(|row| holds(row)) {
        let user = User::of(row);
        let passes = match going.get(&user) {
            Some(known) => *known,
            None => {
                let asked = user.is_going(aws).await?;
                going.insert(user.clone(), asked);
                asked
            }
        };
        let status = row.attachment().and_then(|attachment| attachment.status());
        let leaves = status == Some(&aws_sdk_ec2::types::AttachmentStatus::Detaching);
        holders.add(passes || leaves, interface_text(row, &user));
    }
    Ok(())
}

fn interface_text(row: &NetworkInterface, user: &User) -> String {
    let mut text = format!("network interface {}", row.network_interface_id().unwrap_or_default());
    if let User::Instance(id) = user {
        text.push_str(&format!(" of instance {id}"));
    }
    match row.description().filter(|description| !description.is_empty()) {
        Some(description) => format!("{text} ({description})"),
        None => text,
    }
}

async fn in_vpc(aws: &Aws, id: &str, holders: &mut Holders) {
    let of_vpc = || ec2::filter("vpc-id", [id]);
    macro_rules! look {
        ($operation:literal, $call:expr, $rows:ident, |$row:ident| $holds:expr) => {
            match $call.send().await {
                Ok(answer) => {
                    for $row in answer.$rows() {
                        if let Some((passes, holder)) = $holds {
                            holders.add(passes, holder);
                        }
                    }
                }
                Err(error) => holders.look(Err(AwsError::new($operation, id, error))),
            }
        };
    }
    let named = |kind: &str, id: Option<&str>| format!("{kind} {}", id.unwrap_or_default());
    look!("ec2:DescribeSubnets", aws.ec2.describe_subnets().filters(of_vpc()), subnets, |row| {
        Some((false, named("subnet", row.subnet_id())))
    });
    let call = aws.ec2.describe_vpc_endpoints().filters(of_vpc());
    look!("ec2:DescribeVpcEndpoints", call, vpc_endpoints, |row| {
        let state = row.state().map(|state| state.as_str().to_lowercase()).unwrap_or_default();
        let service = row.service_name().unwrap_or_default();
        let holder = format!("{} ({service})", named("VPC endpoint", row.vpc_endpoint_id()));
        (state != "deleted").then(|| (state == "deleting", holder))
    });
    for side in ["requester-vpc-info.vpc-id", "accepter-vpc-info.vpc-id"] {
        let call = aws.ec2.describe_vpc_peering_connections().filters(ec2::filter(side, [id]));
        look!("ec2:DescribeVpcPeeringConnections", call, vpc_peering_connections, |row| {
            let holder = named("peering connection", row.vpc_peering_connection_id());
            match row.status().and_then(|status| status.code()) {
                Some(Peering::Deleting) => Some((true, holder)),
                Some(Peering::Deleted | Peering::Expired | Peering::Failed | Peering::Rejected) => {
                    None
                }
                _ => Some((false, holder)),
            }
        });
    }
    let call = aws.ec2.describe_security_groups().filters(of_vpc());
    look!("ec2:DescribeSecurityGroups", call, security_groups, |row| {
        let name = row.group_name().unwrap_or_default();
        let holder = format!("{} ({name})", named("security group", row.group_id()));
        (name != "default").then_some((false, holder))
    });
    let call = aws.ec2.describe_route_tables().filters(of_vpc());
    look!("ec2:DescribeRouteTables", call, route_tables, |row| {
        let is_main = row.associations().iter().any(|one| one.main() == Some(true));
        (!is_main).then(|| (false, named("route table", row.route_table_id())))
    });
    let call = aws.ec2.describe_network_acls().filters(of_vpc());
    look!("ec2:DescribeNetworkAcls", call, network_acls, |row| {
        let is_own = row.is_default() == Some(true);
        (!is_own).then(|| (false, named("network ACL", row.network_acl_id())))
    });
    let attached = || ec2::filter("attachment.vpc-id", [id]);
    let call = aws.ec2.describe_internet_gateways().filters(attached());
    look!("ec2:DescribeInternetGateways", call, internet_gateways, |row| {
        Some((false, named("internet gateway", row.internet_gateway_id())))
    });
    let call = aws.ec2.describe_vpn_gateways().filters(attached());
    look!("ec2:DescribeVpnGateways", call, vpn_gateways, |row| {
        let state = row.vpc_attachments().iter().find(|one| one.vpc_id() == Some(id));
        let state = state.and_then(|one| one.state()).map(|state| state.as_str());
        let holder = named("VPN gateway", row.vpn_gateway_id());
        state.filter(|state| *state != "detached").map(|state| (state == "detaching", holder))
    });
    let call = aws.ec2.describe_egress_only_internet_gateways();
    look!("ec2:DescribeEgressOnlyInternetGateways", call, egress_only_internet_gateways, |row| {
        let holder = named("egress-only gateway", row.egress_only_internet_gateway_id());
        let is_here = row.attachments().iter().any(|one| one.vpc_id() == Some(id));
        is_here.then_some((false, holder))
    });
}

async fn of_table(
    aws: &Aws,
    id: &str,
    known: &[String],
    holders: &mut Holders,
) -> Result<(), AwsError> {
    let rows =
        crate::vpc::route_table::read(aws, vec![ec2::filter("route-table-id", [id])]).await?;
    for one in rows.iter().flat_map(|table| &table.associations) {
        if !known.contains(&one.id) {
            holders.add(false, format!("its association {}", one.id));
        }
    }
    Ok(())
}

async fn of_options(aws: &Aws, id: &str, holders: &mut Holders) -> Result<(), AwsError> {
    let call = aws.ec2.describe_vpcs().filters(ec2::filter("dhcp-options-id", [id]));
    let answer = call.send().await.map_err(|error| AwsError::new("ec2:DescribeVpcs", id, error))?;
    for vpc in answer.vpcs() {
        holders.add(false, format!("VPC {}", vpc.vpc_id().unwrap_or_default()));
    }
    Ok(())
}

async fn of_address(aws: &Aws, id: &str, holders: &mut Holders) -> Result<(), AwsError> {
    let call = aws.ec2.describe_addresses().filters(ec2::filter("allocation-id", [id]));
    let answer =
        call.send().await.map_err(|error| AwsError::new("ec2:DescribeAddresses", id, error))?;
    let users = answer.addresses().iter().filter_map(|address| address.network_interface_id());
    let users: Vec<String> = users.map(str::to_owned).collect();
    if users.is_empty() {
        return Ok(());
    }
    interfaces(aws, ec2::filter("network-interface-id", users), |_| true, holders).await
}

async fn of_volume(aws: &Aws, id: &str, holders: &mut Holders) -> Result<(), AwsError> {
    use aws_sdk_ec2::types::VolumeAttachmentState::{Detached, Detaching};
    let call = aws.ec2.describe_volumes().filters(ec2::filter("volume-id", [id]));
    let answer =
        call.send().await.map_err(|error| AwsError::new("ec2:DescribeVolumes", id, error))?;
    for one in answer.volumes().iter().flat_map(|volume| volume.attachments()) {
        let Some(instance) = one.instance_id() else { continue };
        let passes = matches!(one.state(), Some(Detached | Detaching))
            || User::Instance(instance.to_owned()).is_going(aws).await?;
        holders.add(passes, format!("instance {instance}, to which it is attached"));
    }
    Ok(())
}

async fn of_role(aws: &Aws, name: &str, holders: &mut Holders) -> Result<(), AwsError> {
    let pages = aws.iam.list_instance_profiles_for_role().role_name(name).into_paginator();
    let profiles = pages.items().send().collect::<Result<Vec<_>, _>>().await;
    let profiles =
        profiles.map_err(|error| AwsError::new("iam:ListInstanceProfilesForRole", name, error))?;
    for profile in &profiles {
        holders.add(false, format!("instance profile {}", profile.instance_profile_name()));
    }
    for policy in crate::iam::role::attached(aws, name).await? {
        holders.add(false, format!("policy {policy}, attached since"));
    }
    Ok(())
}

async fn of_profile(aws: &Aws, name: &str, holders: &mut Holders) -> Result<(), AwsError> {
    let found = instance_profile::observe(aws, name).await?;
    if let Some(role) = found.one().and_then(|profile| profile.role.as_ref()) {
        holders.add(false, format!("role {}, which is in it since", role.name));
    }
    Ok(())
}

async fn of_configuration(aws: &Aws, name: &str, holders: &mut Holders) -> Result<(), AwsError> {
    let pages = aws.autoscaling.describe_auto_scaling_groups().into_paginator();
    let groups = pages.items().send().collect::<Result<Vec<_>, _>>().await;
    let groups = groups
        .map_err(|error| AwsError::new("autoscaling:DescribeAutoScalingGroups", "", error))?;
    for group in groups.iter().filter(|one| one.launch_configuration_name() == Some(name)) {
        // A group has a status only while it is being deleted.
        let group_name = group.auto_scaling_group_name().unwrap_or_default();
        holders.add(group.status().is_some(), format!("Auto Scaling group {group_name}"));
    }
    Ok(())
}

async fn of_targets(aws: &Aws, arn: &str, holders: &mut Holders) -> Result<(), AwsError> {
    let operation = "elasticloadbalancing:DescribeTargetGroups";
    let answer = aws.elbv2.describe_target_groups().target_group_arns(arn).send().await;
    let answer = answer.map_err(|error| AwsError::new(operation, arn, error))?;
    for balancer in answer.target_groups().iter().flat_map(|group| group.load_balancer_arns()) {
        let name = balancer.split('/').nth(2).unwrap_or(balancer);
        let passes = User::Balancer(name.to_owned()).is_going(aws).await?;
        holders.add(passes, format!("load balancer {balancer}"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interface_s_description_tells_whose_it_is() {
        let of = |text| User::described(text, false);
        assert_eq!(of("ELB api-dev"), User::ClassicBalancer("api-dev".to_owned()));
        assert_eq!(of("ELB net/api-dev/0123456789abcdef"), User::Balancer("api-dev".to_owned()));
        assert_eq!(of("ELB app/web/0123456789abcdef"), User::Balancer("web".to_owned()));
        assert_eq!(of("Interface for NAT Gateway nat-1"), User::NatGateway("nat-1".to_owned()));
        for other in ["", "AWS Lambda VPC ENI-f", "about nat-1", "ELBow"] {
            assert_eq!(of(other), User::Other, "{other}");
        }
    }

    #[test]
    fn many_holders_are_counted() {
        let names: Vec<String> = (1..=10).map(|nth| format!("eni-{nth}")).collect();
        assert!(list(&names).ends_with("eni-8 and 2 more"));
        assert_eq!(list(&names[..2]), "eni-1, eni-2");
    }
}
