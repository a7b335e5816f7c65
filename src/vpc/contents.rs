//! What lies in a VPC, and holds it: VPCs go last.

use aws_sdk_ec2::types::VpcPeeringConnectionStateReasonCode as Peering;

use crate::aws::tags::Tags;
use crate::aws::{Aws, AwsError, ec2};
use crate::core::holders::Holders;
use crate::core::kind::Kind;

pub(crate) const SUBNETS: &str = "subnets";
pub(crate) const SECURITY_GROUPS: &str = "security groups";
pub(crate) const GATEWAYS: &str = "internet gateways";

/// One of the things that lie in a VPC.
#[derive(Clone, Debug)]
pub(crate) struct VpcPart {
    pub(crate) vpc: String,
    pub(crate) what: &'static str,
    pub(crate) kind: Kind,
    pub(crate) id: String,
    pub(crate) tags: Tags,
}

/// Notes all that lies in a VPC.
pub(super) async fn in_vpc(aws: &Aws, id: &str, holders: &mut Holders) {
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
