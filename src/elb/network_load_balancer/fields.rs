//! What is compared of a network load balancer.

use std::collections::{BTreeMap, BTreeSet};

use crate::aws::tags::Tags;
use crate::core::fields::{Delta, Value, fields};
use crate::elb::access_log::AccessLog;

fields! { NetworkLoadBalancerFields {
    scheme: String = "scheme",
    address_type: String = "ipAddressType",
    subnets: Places = "subnets",
    security_groups: BTreeSet<String> = "securityGroups",
    cross_zone: bool = "crossZoneLoadBalancing",
    access_log: AccessLog = "accessLog",
    tags: Tags = "tags",
} }

/// Subnets by the names under which they are wanted, each with the address of its own that the
/// load balancer has there, if that is none of AWS' choice.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Places(pub(super) BTreeMap<String, Option<String>>);

impl Value for Places {
    fn tell(&self) -> String {
        let told = self.0.iter().map(|(subnet, address)| match address {
            Some(address) => format!("{subnet} at {address}"),
            None => subnet.clone(),
        });
        told.collect::<Vec<_>>().join(", ")
    }
}

/// Whether a change leaves each subnet that there is as it is, and adds some.
pub(super) fn adds_alone(delta: &Delta<Places>) -> bool {
    let wanted = |subnet| delta.after.as_ref().and_then(|after| after.0.get(subnet));
    let mut before = delta.before.iter().flat_map(|before| &before.0);
    before.all(|(subnet, address)| wanted(subnet) == Some(address))
}
