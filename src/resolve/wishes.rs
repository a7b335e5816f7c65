//! What the spec has, and what names a cluster gives to what it may have had: by that, kinds tell
//! what nobody wants any more.

use super::lifecycle::{Lifecycle, Lifecycles, Origin};
use super::roles;
use crate::autoscaling::autoscaling_group::AutoscalingGroup;
use crate::catalogue::kinds::Resource;
use crate::core::wishes::Wishes;
use crate::desired::{DesiredCluster, names};
use crate::iam::look::RoleTrust;

pub(crate) fn of(
    desired: &DesiredCluster,
    resources: &[Resource],
    lifecycles: &Lifecycles,
) -> Wishes {
    let mut wishes = Wishes::default();
    for resource in resources {
        resource.wish(&mut wishes);
    }
    wishes.add(names::own(&desired.name));
    // Where groups are left alone, so are their roles.
    if lifecycles.of(AutoscalingGroup::KIND, Origin::Managed) == Lifecycle::Sync {
        wishes.add(RoleTrust(roles::trust(desired)));
        for role in names::own_roles(&desired.name) {
            wishes.add(role);
        }
    }
    wishes
}
