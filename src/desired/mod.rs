//! Spec → resources: what a cluster needs of AWS, before anyone has looked there.
//!
//! Pure. What depends on AWS (a hosted zone's id, the role in a profile of the user's own)
//! is named here, and filled in by `resolve`.

mod accounts;
mod channel;
mod dns;
mod events;
mod firewall;
pub(crate) mod iam;
mod instances;
pub(crate) mod kops;
mod load_balancer;
mod named;
pub(crate) mod names;
mod network;
mod scaling;
mod ssh;
mod termination;
pub(crate) mod user_data;
mod volumes;

use std::fmt;

use serde::Serialize;

use crate::catalogue::kinds::Resource;
use crate::core::home::Home;
use crate::core::kind::Kind;
use crate::core::whose::Owner;
use crate::iam::oidc_provider::Issuer;
use crate::policy::additional;
use crate::policy::document::Document;
use crate::policy::generation::{self, Chosen, Generation};
use crate::policy::role_policy::RolePolicy;
use crate::policy::zone::UNKNOWN_ZONE;
use crate::route53::hosted_zone::HostedZone;
use crate::spec::cluster::Cluster;
use crate::spec::instance_group::InstanceGroup;
use crate::spec::object::filled;
use crate::spec::problem::Problem;
use crate::spec::profile_arn::ProfileArn;
use crate::spec::role::Role;
use crate::visible::text::visible;
use crate::vpc::subnet::UntaggedSubnet;

pub(crate) use named::owner;
use user_data::Bootstrap;

/// A cluster and its groups, valid, with the place where they are kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Input<'a> {
    pub(crate) cluster: &'a Cluster,
    pub(crate) groups: &'a [&'a InstanceGroup],
    /// The cluster's folder in the state store; `None` if no store is known.
    pub(crate) base: Option<&'a str>,
    /// The text of `kops-version.txt` beside the cluster, if there is one.
    pub(crate) kops_version: Option<&'a str>,
    /// The SSH public keys that are kept for the cluster; there should be one.
    pub(crate) ssh_keys: &'a [String],
}

/// Everything that the cluster needs.
#[derive(Clone, Debug)]
pub(crate) struct DesiredCluster {
    pub(crate) name: String,
    /// Whose the cluster's things are, and what its spec names.
    pub(crate) owner: Owner,
    pub(crate) region: String,
    /// Whose documents the cluster's roles have.
    pub(crate) generation: Chosen,
    pub(crate) resources: Vec<Resource>,
    pub(crate) existing: Vec<ExistingProfile>,
    pub(crate) accounts: Accounts,
    pub(crate) zone: HostedZone,
    pub(crate) notices: Vec<Notice>,
    /// What keeps a kind from being planned, unless it is not looked at.
    pub(crate) refusals: Vec<(Kind, Notice)>,
    pub(crate) bootstrap: Bootstrap,
}

/// An instance profile that the user brings along, and what kapstan would want of it.
#[derive(Clone, Debug)]
pub(crate) struct ExistingProfile {
    pub(crate) arn: ProfileArn,
    pub(crate) policy: RolePolicy,
    pub(crate) additional: Option<Document>,
    pub(crate) trust: Document,
}

/// What the spec tells of service accounts that concerns the looks.
#[derive(Clone, Debug, Default)]
pub(crate) struct Accounts {
    /// Whether it speaks of them at all.
    pub(crate) are_told: bool,
    /// An issuer that may have a provider, though the spec has none.
    pub(crate) issuer: Option<Issuer>,
}

/// Something that the user should know: about what, what it is, and what to do.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub(crate) struct Notice {
    pub(crate) object: String,
    pub(crate) message: String,
    pub(crate) next: String,
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", visible(&self.object), visible(&self.message))?;
        if !self.next.is_empty() {
            write!(f, "; {}", visible(&self.next))?;
        }
        Ok(())
    }
}

/// The resources of a cluster.
///
/// # Errors
/// Every problem that only shows where the parts of the spec meet, with its field's path.
pub(crate) fn cluster(input: Input<'_>) -> Result<DesiredCluster, Vec<Problem>> {
    let region = input.cluster.region().unwrap_or_default().to_owned();
    let generation = input.generation().map_err(|problem| vec![problem])?;
    let mut desired = DesiredCluster {
        name: input.cluster.name().to_owned(),
        owner: owner(input.cluster, input.groups).at(Home::new(&region, input.base)),
        region,
        generation,
        resources: Vec::new(),
        existing: Vec::new(),
        accounts: Accounts::default(),
        zone: hosted_zone(input.cluster),
        notices: Vec::new(),
        refusals: Vec::new(),
        bootstrap: Bootstrap::of(input.cluster),
    };
    let mut problems = Vec::new();
    let mut collect =
        |result: Result<(), Vec<Problem>>| problems.extend(result.err().unwrap_or_default());
    collect(network::add(input, &mut desired));
    collect(iam::add(input, &mut desired));
    collect(accounts::add(input, &mut desired));
    firewall::add(input, &mut desired);
    ssh::add(input, &mut desired);
    collect(volumes::add(input, &mut desired));
    collect(load_balancer::add(input, &mut desired));
    dns::add(input, &mut desired);
    desired.notices.extend(generation_warning(input.cluster, &desired.generation));
    for doubt in additional::doubts(input.cluster) {
        desired.notices.push(Notice {
            object: format!("Cluster/{}", desired.name),
            message: doubt.to_string(),
            next: "correct it, or IAM may refuse the policy".to_owned(),
        });
    }
    collect(instances::add(input, &mut desired));
    collect(termination::add(input, &mut desired));
    if problems.is_empty() { Ok(desired) } else { Err(problems) }
}

impl Input<'_> {
    /// Whose documents the cluster's roles have.
    pub(crate) fn generation(&self) -> Result<Chosen, Problem> {
        generation::choose(self.cluster, self.kops_version)
    }

    fn role_policy(&self, generation: Generation, role: Role) -> RolePolicy {
        RolePolicy::new(generation, self.cluster, self.groups, role, self.base)
    }
}

/// What the user should know of the choice of a generation, if anything.
pub(crate) fn generation_warning(cluster: &Cluster, chosen: &Chosen) -> Option<Notice> {
    chosen.warning().map(|message| Notice {
        object: format!("Cluster/{}", cluster.name()),
        message: message.to_owned(),
        next: "remove spec.iam.legacy when nothing needs them any more".to_owned(),
    })
}

/// The document of a role of the cluster as kapstan would want it, without looking at AWS;
/// and that of the additional policy.
pub(crate) fn documents(
    input: Input<'_>,
    generation: Generation,
    role: Role,
) -> (Document, Option<Document>) {
    let policy = input.role_policy(generation, role);
    let zone = told_zone(input.cluster);
    let additional = additional::document(input.cluster, role).unwrap_or_default();
    (policy.document(zone.as_deref()), additional)
}

/// The id of the cluster's hosted zone, as far as it is known without looking at AWS.
pub(crate) fn told_zone(cluster: &Cluster) -> Option<String> {
    match hosted_zone(cluster) {
        HostedZone::None => None,
        HostedZone::Id(id) => Some(id),
        HostedZone::Named { .. } | HostedZone::Above { .. } => Some(UNKNOWN_ZONE.to_owned()),
    }
}

/// The hosted zone that the cluster's DNS names lie in (kops `pkg/model/dns.go`).
pub(crate) fn hosted_zone(cluster: &Cluster) -> HostedZone {
    if !cluster.publishes_records() {
        return HostedZone::None;
    }
    let private = cluster.uses_private_dns();
    match filled(&cluster.spec.dns_zone) {
        // kops tells a name from an id by its dot.
        Some(name) if name.contains('.') => HostedZone::Named { name: name.to_owned(), private },
        Some(id) => HostedZone::Id(id.to_owned()),
        None => HostedZone::Above { cluster: cluster.name().to_owned(), private },
    }
}

/// The subnets of a cluster that no tags tell of.
pub(crate) fn untagged_subnets(cluster: &Cluster) -> Vec<UntaggedSubnet> {
    network::untagged(cluster)
}

/// What instances cannot read of the cluster's state.
pub(crate) fn unreadable_stores(input: Input<'_>) -> Vec<Notice> {
    use crate::policy::stores;
    use crate::policy::stores::Location;
    let roots = stores::roots(input.cluster, input.base);
    let mut notices: Vec<Notice> = roots
        .iter()
        .filter(|root| matches!(root, Location::Elsewhere(_)))
        .map(|root| Notice {
            object: format!("Cluster/{}", input.cluster.name()),
            message: format!(
                "nodes could not read {root}, so their policies have no statements for S3"
            ),
            next: "set spec.configBase to a place in S3".to_owned(),
        })
        .collect();
    if roots.is_empty() {
        notices.push(Notice {
            object: format!("Cluster/{}", input.cluster.name()),
            message: "no state store is known, so the policies have no statements for S3"
                .to_owned(),
            next: "set spec.configBase, or give --state".to_owned(),
        });
    }
    for backup in stores::backups(input.cluster) {
        if let Location::Elsewhere(place) = backup {
            notices.push(Notice {
                object: format!("Cluster/{}", input.cluster.name()),
                message: format!("masters could not write etcd's backups to {place:?}"),
                next: "set backups.backupStore of the etcd clusters to a place in S3".to_owned(),
            });
        }
    }
    notices
}
