//! The policy document of a role of instances, in the generation that its cluster is of.

use crate::policy::document::Document;
use crate::policy::generation::Generation;
use crate::policy::{v1_10, v1_36};
use crate::spec::cluster::Cluster;
use crate::spec::instance_group::InstanceGroup;
use crate::spec::role::Role;

/// Everything that a role's document depends on, but for the hosted zone.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum RolePolicy {
    V1_10(v1_10::RolePolicy),
    V1_36(v1_36::RolePolicy),
}

impl RolePolicy {
    /// `base` is the cluster's folder in the state store, if one is known.
    pub(crate) fn new(
        generation: Generation,
        cluster: &Cluster,
        groups: &[&InstanceGroup],
        role: Role,
        base: Option<&str>,
    ) -> Self {
        match generation {
            Generation::V1_10 => Self::V1_10(v1_10::RolePolicy::new(cluster, role, base)),
            Generation::V1_36 => {
                let facts = v1_36::Facts::new(cluster, groups, base);
                Self::V1_36(v1_36::RolePolicy { holder: role.into(), facts })
            }
        }
    }

    /// Whether the document depends on the id of the cluster's hosted zone.
    pub(crate) fn needs_zone(&self) -> bool {
        match self {
            Self::V1_10(policy) => policy.needs_zone(),
            Self::V1_36(policy) => policy.needs_zone(),
        }
    }

    /// The document. `zone` is the hosted zone's id, `None` for a cluster without DNS.
    pub(crate) fn document(&self, zone: Option<&str>) -> Document {
        match self {
            Self::V1_10(policy) => policy.document(zone),
            Self::V1_36(policy) => policy.document(zone),
        }
    }
}
