//! The network: VPC, subnets, ways out.

use std::collections::BTreeMap;

use aws_sdk_ec2::types::{Filter, NatGateway as SdkNat, NatGatewayState, Vpc as SdkVpc};
use futures::future::{try_join3, try_join4};

use crate::aws::{Aws, AwsError, ec2};
use crate::catalogue::owned::{Look, Row, marked_or_named};
use crate::core::whose::{Marks, Whose};
use crate::vpc::dhcp_options::{DhcpOptions, DhcpOptionsDeletion};
use crate::vpc::elastic_ip::{ElasticIp, ElasticIpDeletion};
use crate::vpc::internet_gateway::{
    self, InternetGateway, InternetGatewayDeletion, LiveInternetGateway,
};
use crate::vpc::nat_gateway::{NatGateway, NatGatewayDeletion};
use crate::vpc::route_table::{self, RouteTable, RouteTableDeletion};
use crate::vpc::subnet::{Subnet, SubnetDeletion};
use crate::vpc::vpc::{Vpc, VpcDeletion};

pub(super) async fn observe(aws: &Aws, look: &Look) -> Result<Vec<Row>, AwsError> {
    let (vpcs, subnets, nats, (tables, addresses, options)) = try_join4(
        async {
            let vpcs = marked_or_named(look, |vpc: &SdkVpc| vpc.vpc_id(), |f| read_vpcs(aws, f));
            let gateways = internet_gateway::observe(aws);
            let (vpcs, gateways) = futures::future::try_join(vpcs, gateways).await?;
            of_vpcs(aws, look, vpcs, gateways.into_rows()?).await
        },
        subnets(aws, look),
        nat_gateways(aws, look),
        try_join3(tables(aws, look), addresses(aws), dhcp_options(aws, look)),
    )
    .await?;
    let (nats, users) = nats;
    let addresses = addresses.addresses().iter().filter_map(|address| {
        let id = address.allocation_id()?;
        let tags = ec2::tags_from_sdk(address.tags());
        let mut marks = Marks::of(id).tags(&tags);
        if let Some(ip) = address.public_ip() {
            marks = marks.or_id(ip);
        }
        if let Some((nat, whose)) = users.get(id) {
            marks = marks.hangs_on(format!("the address of {nat}"), whose.clone());
        }
        look.by_id(ElasticIp::KIND, &marks, ElasticIpDeletion(id.to_owned()).into())
    });
    let addresses: Vec<Row> = addresses.collect();
    Ok([vpcs, subnets, nats, tables, addresses, options].concat())
}

async fn read_vpcs(aws: &Aws, chosen: Filter) -> Result<Vec<SdkVpc>, AwsError> {
    let pages = aws.ec2.describe_vpcs().filters(chosen).into_paginator();
    let rows = pages.items().send().collect::<Result<Vec<_>, _>>().await;
    rows.map_err(|error| AwsError::new("ec2:DescribeVpcs", "", error))
}

/// VPCs, and their gateways: whoever has a VPC, has its way out.
async fn of_vpcs(
    aws: &Aws,
    look: &Look,
    vpcs: Vec<SdkVpc>,
    gateways: Vec<LiveInternetGateway>,
) -> Result<Vec<Row>, AwsError> {
    let judge = |vpc: &SdkVpc| {
        let (id, tags) = (vpc.vpc_id()?, ec2::tags_from_sdk(vpc.tags()));
        Some((id.to_owned(), look.owner.whose(Vpc::KIND, &Marks::of(id).tags(&tags))))
    };
    let mut whose: BTreeMap<String, Whose> = vpcs.iter().filter_map(judge).collect();
    let concerns = |gateway: &LiveInternetGateway| {
        let name = gateway.tags.get("Name").map(String::as_str).unwrap_or_default();
        look.concerns(name, &gateway.tags)
    };
    let gateways: Vec<_> = gateways.into_iter().filter(concerns).collect();
    let attached = gateways.iter().flat_map(|gateway| &gateway.vpcs);
    let unknown: Vec<String> = attached.filter(|id| !whose.contains_key(*id)).cloned().collect();
    if !unknown.is_empty() {
        let more = read_vpcs(aws, ec2::filter("vpc-id", unknown)).await?;
        whose.extend(more.iter().filter_map(judge));
    }
    let rows = vpcs.iter().filter_map(|vpc| {
        let (id, tags) = (vpc.vpc_id()?, ec2::tags_from_sdk(vpc.tags()));
        look.by_id(Vpc::KIND, &Marks::of(id).tags(&tags), VpcDeletion(id.to_owned()).into())
    });
    let mut rows: Vec<Row> = rows.collect();
    rows.extend(gateways.iter().filter_map(|gateway| {
        let of = gateway.vpcs.iter().filter_map(|id| Some((id, whose.get(id)?)));
        let foreign = of.into_iter().find(|(_, whose)| !whose.is_owned());
        let marks = match foreign {
            Some((vpc, whose)) => gateway.marks().hangs_on(format!("part of {vpc}"), whose.clone()),
            None => gateway.marks(),
        };
        let deletion =
            InternetGatewayDeletion { id: gateway.id.clone(), vpcs: gateway.vpcs.clone() }.into();
        look.by_id(InternetGateway::KIND, &marks, deletion)
    }));
    Ok(rows)
}

async fn subnets(aws: &Aws, look: &Look) -> Result<Vec<Row>, AwsError> {
    let read = async |filter| {
        let pages = aws.ec2.describe_subnets().filters(filter).into_paginator();
        let rows = pages.items().send().collect::<Result<Vec<_>, _>>().await;
        rows.map_err(|error| AwsError::new("ec2:DescribeSubnets", "", error))
    };
    let subnets = marked_or_named(look, |subnet| subnet.subnet_id(), read).await?;
    let rows = subnets.iter().filter_map(|subnet| {
        let (id, tags) = (subnet.subnet_id()?, ec2::tags_from_sdk(subnet.tags()));
        look.by_id(Subnet::KIND, &Marks::of(id).tags(&tags), SubnetDeletion(id.to_owned()).into())
    });
    Ok(rows.collect())
}

async fn tables(aws: &Aws, look: &Look) -> Result<Vec<Row>, AwsError> {
    let read = async |filter| route_table::read(aws, vec![filter]).await;
    let tables = marked_or_named(look, |table| Some(&table.id), read).await?;
    let rows = tables.iter().filter_map(|table| {
        let associations = table.associations.iter().map(|one| one.id.clone()).collect();
        let deletion = RouteTableDeletion { id: table.id.clone(), associations }.into();
        look.by_id(RouteTable::KIND, &table.marks(), deletion)
    });
    Ok(rows.collect())
}

/// NAT gateways, and whose they are by the addresses that they use.
async fn nat_gateways(
    aws: &Aws,
    look: &Look,
) -> Result<(Vec<Row>, BTreeMap<String, (String, Whose)>), AwsError> {
    let read = async |filter| {
        let pages = aws.ec2.describe_nat_gateways().filter(filter).into_paginator();
        let rows = pages.items().send().collect::<Result<Vec<_>, _>>().await;
        rows.map_err(|error| AwsError::new("ec2:DescribeNatGateways", "", error))
    };
    let nats = marked_or_named(look, |nat: &SdkNat| nat.nat_gateway_id(), read).await?;
    let (mut rows, mut users) = (Vec::new(), BTreeMap::new());
    for nat in &nats {
        use NatGatewayState::{Deleted, Deleting};
        let is_gone = matches!(nat.state(), Some(Deleted | Deleting));
        let Some(id) = nat.nat_gateway_id().filter(|_| !is_gone) else { continue };
        let tags = ec2::tags_from_sdk(nat.tags());
        let marks = Marks::of(id).tags(&tags);
        let whose = look.owner.whose(NatGateway::KIND, &marks);
        let addresses = nat.nat_gateway_addresses().iter().filter_map(|one| one.allocation_id());
        let used = addresses.map(|address| (address.to_owned(), (id.to_owned(), whose.clone())));
        users.extend(used.filter(|(_, (_, whose))| !whose.is_owned()));
        rows.extend(look.by_id(NatGateway::KIND, &marks, NatGatewayDeletion(id.to_owned()).into()));
    }
    Ok((rows, users))
}

async fn addresses(
    aws: &Aws,
) -> Result<aws_sdk_ec2::operation::describe_addresses::DescribeAddressesOutput, AwsError> {
    let answer = aws.ec2.describe_addresses().send().await;
    answer.map_err(|error| AwsError::new("ec2:DescribeAddresses", "", error))
}

async fn dhcp_options(aws: &Aws, look: &Look) -> Result<Vec<Row>, AwsError> {
    let read = async |filter| {
        let pages = aws.ec2.describe_dhcp_options().filters(filter).into_paginator();
        let rows = pages.items().send().collect::<Result<Vec<_>, _>>().await;
        rows.map_err(|error| AwsError::new("ec2:DescribeDhcpOptions", "", error))
    };
    let options = marked_or_named(look, |options| options.dhcp_options_id(), read).await?;
    let rows = options.iter().filter_map(|options| {
        let (id, tags) = (options.dhcp_options_id()?, ec2::tags_from_sdk(options.tags()));
        let deletion = DhcpOptionsDeletion(id.to_owned()).into();
        look.by_id(DhcpOptions::KIND, &Marks::of(id).tags(&tags), deletion)
    });
    Ok(rows.collect())
}
