//! Subnets that AWS would not create: in a zone that the region lacks, or, in a VPC that the
//! cluster shares, over the range of another.

use std::collections::BTreeSet;

use ipnet::IpNet;

use super::told::Told;
use crate::catalogue::kinds::Resource;
use crate::core::kind::ResourceId;
use crate::core::manage::View;
use crate::vpc::subnet::{AvailabilityZone, LiveSubnet, Subnet};

/// `created` are those that a plan creates.
pub(crate) fn check(
    resources: &[Resource],
    created: &BTreeSet<&ResourceId>,
    view: View<'_>,
    region: &str,
) -> Told {
    let mut told = Told::default();
    for resource in resources {
        let (id, Resource::Subnet(subnet)) = (resource.id(), resource) else { continue };
        if created.contains(&id) {
            check_zone(&id, subnet, view, region, &mut told);
            check_range(&id, subnet, view, &mut told);
        }
    }
    told
}

fn check_zone(id: &ResourceId, subnet: &Subnet, view: View<'_>, region: &str, told: &mut Told) {
    let looked = view.seen.of::<AvailabilityZone>();
    if let Some(error) = looked.refused() {
        let message = format!("whether there is a zone {} is not known: {error}", subnet.zone);
        told.warn(id, message, format!("allow {}", error.operation));
    }
    let zones: Vec<&str> = looked.rows().iter().map(|zone| zone.0.as_str()).collect();
    if !zones.is_empty() && !zones.contains(&subnet.zone.as_str()) {
        let message = format!(
            "{} is no zone that this account has in {region} (EC2 API, DescribeAvailabilityZones)",
            subnet.zone
        );
        let next = format!("correct spec.subnets[*].zone: it has {}", zones.join(", "));
        told.refuse(id, message, next);
    }
}

fn check_range(id: &ResourceId, subnet: &Subnet, view: View<'_>, told: &mut Told) {
    let Some(range) = subnet.cidr.as_ref().and_then(|cidr| cidr.parse::<IpNet>().ok()) else {
        return;
    };
    let vpc = view.ids.get(&subnet.vpc);
    let mut taken = view.seen.rows::<LiveSubnet>().iter().filter(|other| {
        let theirs = other.cidr.parse::<IpNet>();
        vpc == Some(&other.vpc) && theirs.is_ok_and(|theirs| overlap(&theirs, &range))
    });
    if let Some(other) = taken.next() {
        let message = format!(
            "its range {range} overlaps {} of {}, which the VPC has already (EC2 API, CreateSubnet)",
            other.cidr, other.id
        );
        let next = "give it another in spec.subnets[*].cidr, or name that subnet by its id";
        told.refuse(id, message, next.to_owned());
    }
}

fn overlap(left: &IpNet, right: &IpNet) -> bool {
    left.contains(right) || right.contains(left)
}
