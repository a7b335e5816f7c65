//! Network interfaces: what of an account's things stands in a network, and holds that.

use std::collections::BTreeMap;

use aws_sdk_ec2::types::{
    AttachmentStatus, Filter, InstanceStateName, NatGatewayState, NetworkInterface,
    NetworkInterfaceType,
};

use crate::aws::{Aws, AwsError, Fault, batch, ec2};
use crate::core::holders::Holders;

/// Whose a network interface is, as far as that tells whether it goes by itself.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum User {
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

    pub(crate) async fn is_going(&self, aws: &Aws) -> Result<bool, AwsError> {
        match self {
            Self::Instance(id) => {
                let states = instance_states(aws, std::slice::from_ref(id)).await?;
                Ok(states.iter().all(|(_, state)| is_leaving(state)))
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

fn is_leaving(state: &InstanceStateName) -> bool {
    matches!(state, InstanceStateName::ShuttingDown | InstanceStateName::Terminated)
}

/// Notes the network interfaces that hold something.
pub(crate) async fn interfaces(
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
        let leaves = status == Some(&AttachmentStatus::Detaching);
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

/// The states of those of these instances that AWS still shows.
pub(crate) async fn instance_states(
    aws: &Aws,
    ids: &[String],
) -> Result<Vec<(String, InstanceStateName)>, AwsError> {
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
}
