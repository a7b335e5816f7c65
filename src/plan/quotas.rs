//! Refuses names, tags and policies that AWS would refuse, before anything is written.

use std::collections::{BTreeMap, BTreeSet};

use super::{Action, Change, Planner};
use crate::autoscaling::autoscaling_group::AutoscalingGroup;
use crate::aws::tags::Tags;
use crate::catalogue::kinds::{Managed, Resource, Write};
use crate::core::kind::ResourceId;
use crate::core::seen::Observed;
use crate::desired::Notice;
use crate::ec2::key_pair::SshKey;
use crate::ec2::launch_template::LaunchTemplate;
use crate::iam::instance_profile::IamInstanceProfile;
use crate::iam::instance_profile_role::IamInstanceProfileRole;
use crate::iam::role::{self, IamRole};
use crate::iam::role_policy::{self, IamRolePolicy};
use crate::limits::{self, INLINE_POLICIES, POLICY_SIZES_SOURCE, TRUST_POLICY, Text, tag};
use crate::policy::document::Document;
use crate::policy::parse::{self, PrincipalRule};
use crate::policy::quota;
use crate::vpc::security_group::SecurityGroup;

pub(super) fn check(planner: &mut Planner<'_>, resources: &[Resource]) {
    let mut refusals = Vec::new();
    for change in planner.plan.writes().filter(|change| change.action == Action::Create) {
        refusals.extend(names(change));
    }
    let written: BTreeSet<&ResourceId> = planner.plan.writes().map(|change| &change.id).collect();
    for resource in resources.iter().filter(|resource| written.contains(&resource.id())) {
        refusals.extend(tags(resource));
    }
    let mut writes: BTreeMap<&str, Vec<&role_policy::Write>> = BTreeMap::new();
    for change in planner.plan.writes() {
        match &change.write {
            Some(Write::RolePolicy(write)) => {
                let (role_policy::Write::Put { role, .. }
                | role_policy::Write::Delete { role, .. }) = write;
                writes.entry(role).or_default().push(write);
            }
            Some(Write::Role(
                role::Write::Create { name, trust, .. }
                | role::Write::Update { name, trust: Some(trust), .. },
            )) => {
                let size = quota::size(trust);
                if size > TRUST_POLICY {
                    refusals.push(Notice {
                        object: format!("{}/{name}", IamRole::KIND),
                        message: format!(
                            "its trust policy would have {size} characters, and IAM takes \
                             {TRUST_POLICY} ({POLICY_SIZES_SOURCE})"
                        ),
                        next: String::new(),
                    });
                }
            }
            _ => {}
        }
    }
    let puts = |write: &&role_policy::Write| matches!(write, role_policy::Write::Put { .. });
    for (role, writes) in writes.iter().filter(|(_, writes)| writes.iter().any(puts)) {
        refusals.extend(inline_policies(planner, role, writes));
    }
    planner.plan.refusals.extend(refusals);
}

/// The names that a change gives to AWS, with their limits.
fn names_given(change: &Change) -> Vec<(&'static Text, &str)> {
    let id = &change.id;
    let managed = match &change.write {
        Some(Write::Create(resource)) => Some(resource.as_ref()),
        _ => None,
    };
    let limit = match (id.kind, managed) {
        (_, Some(Managed::LoadBalancer(balancer))) => {
            return vec![(&limits::LOAD_BALANCER_NAME, &balancer.aws_name)];
        }
        (_, Some(Managed::NetworkLoadBalancer(balancer))) => {
            return vec![
                (&limits::LOAD_BALANCER_NAME, &balancer.aws_name),
                (&limits::TARGET_GROUP_NAME, &balancer.target_group),
            ];
        }
        (IamRole::KIND, _) => &limits::ROLE_NAME,
        (IamRolePolicy::KIND, _) => &limits::POLICY_NAME,
        (IamInstanceProfile::KIND | IamInstanceProfileRole::KIND, _) => &limits::PROFILE_NAME,
        (SecurityGroup::KIND, _) => &limits::SECURITY_GROUP_NAME,
        (SshKey::KIND, _) => &limits::KEY_PAIR_NAME,
        (LaunchTemplate::KIND, _) => &limits::LAUNCH_TEMPLATE_NAME,
        (AutoscalingGroup::KIND, _) => &limits::AUTOSCALING_GROUP_NAME,
        _ => return Vec::new(),
    };
    vec![(limit, &id.name)]
}

fn names(change: &Change) -> impl Iterator<Item = Notice> {
    names_given(change).into_iter().filter_map(|(limit, name)| {
        Some(Notice {
            object: change.id.to_string(),
            message: limit.refusal(name)?,
            next: "the name comes from the spec's; choose another for the cluster or the group"
                .to_owned(),
        })
    })
}

fn tags(resource: &Resource) -> Vec<Notice> {
    let none = Tags::new();
    let (tags, is_picky) = match resource {
        Resource::Role(role) => (&role.tags, true),
        Resource::InstanceProfile(profile) => (&profile.tags, true),
        Resource::RolePolicy(_) | Resource::InstanceProfileRole(_) => (&none, false),
        Resource::Managed(managed) => match managed {
            Managed::LoadBalancer(balancer) => (&balancer.tags, true),
            Managed::NetworkLoadBalancer(balancer) => (&balancer.tags, true),
            Managed::Vpc(own) => (&own.tags, false),
            Managed::DhcpOptions(own) => (&own.tags, false),
            Managed::Subnet(own) => (&own.tags, false),
            Managed::InternetGateway(own) => (&own.tags, false),
            Managed::ElasticIp(own) => (&own.tags, false),
            Managed::NatGateway(own) => (&own.tags, false),
            Managed::RouteTable(own) => (&own.tags, false),
            Managed::SecurityGroup(own) => (&own.tags, false),
            Managed::SshKey(own) => (&own.tags, false),
            Managed::EbsVolume(own) => (&own.tags, false),
            Managed::LaunchTemplate(own) => (&own.tags, false),
            Managed::AutoscalingGroup(own) => (&own.tags, false),
            Managed::VpcCidrBlock(_)
            | Managed::VpcDhcpOptionsAssociation(_)
            | Managed::Route(_)
            | Managed::RouteTableAssociation(_)
            | Managed::SecurityGroupRule(_)
            | Managed::DnsZone(_)
            | Managed::DnsName(_)
            | Managed::LoadBalancerAttachment(_) => (&none, false),
        },
    };
    let mut reasons = Vec::new();
    let count = i64::try_from(tags.len()).unwrap_or(i64::MAX);
    reasons.extend(tag::COUNT.refusal(count).map(|reason| format!("the number of tags {reason}")));
    for (key, value) in tags {
        reasons.extend(tag::key_refusal(key).map(|reason| format!("the tag {key:?} {reason}")));
        let reason = tag::VALUE.refusal(value);
        reasons.extend(reason.map(|reason| format!("the tag {key:?}: {reason}")));
        if is_picky && !(tag::is_plain(key) && tag::is_plain(value)) {
            reasons.push(format!(
                "the tag {key:?} is {value:?}, and takes letters, digits, spaces and _.:/=+-@ only"
            ));
        }
    }
    let next = "shorten names in the spec, or have fewer labels".to_owned();
    let notice =
        |message| Notice { object: resource.id().to_string(), message, next: next.clone() };
    reasons.into_iter().map(notice).collect()
}

/// Lets the policies of a role shrink before others of it grow, so that it never holds more
/// than before or after the plan: IAM would refuse what is too much even for a moment.
pub(super) fn shrink_first(planner: &mut Planner<'_>) {
    let mut growing: Vec<(usize, &str)> = Vec::new();
    let mut shrinking: BTreeMap<&str, Vec<ResourceId>> = BTreeMap::new();
    for (position, change) in planner.plan.changes.iter().enumerate() {
        let Some(Write::RolePolicy(write)) = &change.write else { continue };
        let (role, name, after) = match write {
            role_policy::Write::Put { role, name, document } => (role, name, quota::size(document)),
            role_policy::Write::Delete { role, name } => (role, name, 0),
        };
        let live = planner.live.policies.get(role).and_then(Observed::found);
        let before = live.and_then(|live| live.get(name)).map_or(0, |l| quota::size(&l.text));
        if after > before {
            growing.push((position, role));
        } else {
            shrinking.entry(role).or_default().push(change.id.clone());
        }
    }
    let first: Vec<(usize, Vec<ResourceId>)> = growing
        .into_iter()
        .filter_map(|(position, role)| Some((position, shrinking.get(role)?.clone())))
        .collect();
    for (position, first) in first {
        planner.plan.changes[position].needs.extend(first);
    }
}

/// All inline policies of the role as they would be after the plan.
fn inline_policies(
    planner: &Planner<'_>,
    role: &str,
    writes: &[&role_policy::Write],
) -> Option<Notice> {
    let mut after: BTreeMap<&str, &str> = BTreeMap::new();
    if let Some(Observed::Found(live)) = planner.live.policies.get(role) {
        after.extend(live.iter().map(|(name, live)| (name.as_str(), live.text.as_str())));
    }
    for write in writes {
        match write {
            role_policy::Write::Put { name, document, .. } => after.insert(name, document),
            role_policy::Write::Delete { name, .. } => after.remove(name.as_str()),
        };
    }
    let total: usize = after.values().map(|text| quota::size(text)).sum();
    if total <= INLINE_POLICIES {
        return None;
    }
    let documents: Vec<(&str, Document)> = after
        .iter()
        .filter_map(|(name, text)| {
            Some((*name, parse::document(text, PrincipalRule::Refused).ok()?))
        })
        .collect();
    let largest = quota::largest(documents.iter().map(|(name, document)| (*name, document)), 3);
    let sizes: Vec<String> =
        after.iter().map(|(name, text)| format!("{name} {}", quota::size(text))).collect();
    Some(Notice {
        object: format!("{}/{role}", IamRole::KIND),
        message: format!(
            "its inline policies would have {total} characters together ({}), and IAM takes \
             {INLINE_POLICIES} ({POLICY_SIZES_SOURCE}); the largest statements: {}",
            sizes.join(", "),
            largest.join("; ")
        ),
        next: "shorten spec.additionalPolicies, or move statements to a managed policy".to_owned(),
    })
}
