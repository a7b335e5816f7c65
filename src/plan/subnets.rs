//! Subnets that AWS would not create: in a zone that the region lacks, or, in a VPC that the
//! cluster shares, over the range of another.

use ipnet::IpNet;

use super::{Action, Planner};
use crate::catalogue::kinds::Resource;
use crate::core::kind::ResourceId;
use crate::desired::Notice;
use crate::vpc::subnet::{AvailabilityZone, LiveSubnet};

pub(super) fn check(planner: &mut Planner<'_>, resources: &[Resource]) {
    let created: Vec<&ResourceId> = planner
        .plan
        .writes()
        .filter(|change| change.action == Action::Create)
        .map(|change| &change.id)
        .collect();
    let (mut refusals, mut warnings) = (Vec::new(), Vec::new());
    for resource in resources {
        let Resource::Subnet(subnet) = resource else { continue };
        if !created.contains(&&resource.id()) {
            continue;
        }
        let looked = planner.live.seen.of::<AvailabilityZone>();
        warnings.extend(looked.refused().map(|error| Notice {
            object: resource.id().to_string(),
            message: format!("whether there is a zone {} is not known: {error}", subnet.zone),
            next: format!("allow {}", error.operation),
        }));
        let zones = looked.rows().iter();
        let zones: Vec<&str> = zones.map(|zone| zone.0.as_str()).collect();
        if !zones.is_empty() && !zones.contains(&subnet.zone.as_str()) {
            refusals.push(Notice {
                object: resource.id().to_string(),
                message: format!(
                    "{} is no zone that this account has in {} (EC2 API, \
                     DescribeAvailabilityZones)",
                    subnet.zone, planner.plan.region
                ),
                next: format!("correct spec.subnets[*].zone: it has {}", zones.join(", ")),
            });
        }
        let Some(range) = subnet.cidr.as_ref().and_then(|cidr| cidr.parse::<IpNet>().ok()) else {
            continue;
        };
        let vpc = planner.ids.get(&subnet.vpc);
        let neighbours = planner.live.seen.rows::<LiveSubnet>().iter();
        let mut taken = neighbours.filter(|other| {
            let theirs = other.cidr.parse::<IpNet>();
            vpc == Some(&other.vpc) && theirs.is_ok_and(|theirs| overlap(&theirs, &range))
        });
        if let Some(other) = taken.next() {
            refusals.push(Notice {
                object: resource.id().to_string(),
                message: format!(
                    "its range {range} overlaps {} of {}, which the VPC has already (EC2 API, \
                     CreateSubnet)",
                    other.cidr, other.id
                ),
                next: "give it another in spec.subnets[*].cidr, or name that subnet by its id"
                    .to_owned(),
            });
        }
    }
    planner.plan.refusals.extend(refusals);
    planner.plan.warnings.extend(warnings);
}

fn overlap(left: &IpNet, right: &IpNet) -> bool {
    left.contains(right) || right.contains(left)
}
