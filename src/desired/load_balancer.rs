//! The load balancers before the API server and the bastions, and what stands behind them
//! (kops `pkg/model/awsmodel/api_loadbalancer.go`, `pkg/model/bastion.go`).

use std::collections::{BTreeMap, BTreeSet};

use super::volumes::whole;
use super::{DesiredCluster, Input, names, network};
use crate::autoscaling::autoscaling_group::AutoscalingGroup;
use crate::autoscaling::load_balancer_attachment::{LoadBalancerAttachment, Target};
use crate::core::id::{Id, Ref};
use crate::elb::listener::Listener;
use crate::elb::load_balancer::LoadBalancer;
use crate::elb::network_load_balancer::NetworkLoadBalancer;
use crate::elb::target_group::TargetGroup;
use crate::spec::cluster::{Cluster, LoadBalancerAccess, Subnet};
use crate::spec::instance_group::InstanceGroup;
use crate::spec::object::filled;
use crate::spec::path::FieldPath;
use crate::spec::problem::Problem;
use crate::spec::role::Role;
use crate::spec::subnets::SubnetKind;
use crate::vpc;

const IDLE_SECONDS: i64 = 300;
const API_PORT: i32 = 443;

pub(super) fn add(input: Input<'_>, desired: &mut DesiredCluster) -> Result<(), Vec<Problem>> {
    let mut problems = Vec::new();
    if let Some(api) = input.cluster.api_load_balancer()
        && let Err(problem) = add_api(input, &api, desired)
    {
        problems.push(problem);
    }
    if let Err(problem) = add_bastion(input, desired) {
        problems.push(problem);
    }
    let external = input.groups.iter().flat_map(|group| external(input.cluster, group));
    desired.resources.extend(told_apart(external.collect()).into_iter().map(Into::into));
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

fn of_role<'a>(input: Input<'a>, role: Role) -> impl Iterator<Item = &'a InstanceGroup> {
    input.groups.iter().copied().filter(move |group| group.spec.role == Some(role))
}

fn add_api(
    input: Input<'_>,
    api: &LoadBalancerAccess,
    desired: &mut DesiredCluster,
) -> Result<(), Problem> {
    let cluster = input.cluster;
    let name = cluster.name();
    let id = names::api_balancer(name, api);
    let subnets = api_subnets(input, api.is_internal());
    if subnets.is_empty() {
        let path = FieldPath::root().key("spec").key("api").key("loadBalancer").key("type");
        let wanted = if api.is_internal() { "Private" } else { "Public or Utility" };
        let message = format!("needs a subnet of type {wanted}, and the cluster has none");
        return Err(Problem::new(&path, message));
    }
    let own = match filled(&api.security_group_override) {
        Some(own) => Ref::to(own),
        None => names::balancer_security_group(name, "api"),
    };
    let more = api.additional_security_groups.iter().flatten();
    let more = more.map(Ref::to);
    let security_groups = std::iter::once(own).chain(more).collect();
    let aws_name = names::balancer_name("api", name);
    let path = FieldPath::root().key("spec").key("api").key("loadBalancer");
    let idle = api.idle_timeout_seconds.unwrap_or(IDLE_SECONDS);
    let idle = whole("idleTimeoutSeconds", idle).map_err(|m| Problem::new(&path, m))?;
    let certificate = filled(&api.ssl_certificate).map(str::to_owned);
    let tags = names::tags(cluster, &id.name, false);
    let to = match api.is_network() {
        true => {
            let balancer = NetworkLoadBalancer {
                name: id.name,
                aws_name,
                internal: api.is_internal(),
                cross_zone: api.cross_zone_load_balancing.unwrap_or(false),
                subnets,
                security_groups,
                tags,
            };
            add_network(cluster, balancer, certificate, desired)
        }
        false => {
            let balancer = LoadBalancer {
                name: id.name.clone(),
                aws_name,
                internal: api.is_internal(),
                port: API_PORT,
                certificate,
                health_target: format!("SSL:{API_PORT}"),
                idle_timeout_seconds: idle,
                cross_zone: api.cross_zone_load_balancing,
                subnets,
                security_groups,
                tags,
            };
            desired.resources.push(balancer.into());
            Target::Classic(Ref::to(&id.name))
        }
    };
    for group in of_role(input, Role::Master) {
        let attachment = LoadBalancerAttachment {
            name: format!("api-{}", group.name()),
            group: group_id(cluster, group),
            to: to.clone(),
        };
        desired.resources.push(attachment.into());
    }
    Ok(())
}

/// Adds a network load balancer, and where it leads.
fn add_network(
    cluster: &Cluster,
    balancer: NetworkLoadBalancer,
    certificate: Option<String>,
    desired: &mut DesiredCluster,
) -> Target {
    let group = TargetGroup {
        name: names::balancer_name("tcp", cluster.name()),
        port: API_PORT,
        tls: certificate.is_some(),
        vpc: names::vpc(cluster.name()),
        tags: balancer.tags.clone(),
    };
    let listener = Listener {
        balancer: Ref::to(&balancer.name),
        port: API_PORT,
        certificate,
        target_group: Ref::to(&group.name),
        tags: balancer.tags.clone(),
    };
    let to = Target::Network(Ref::to(&group.name));
    desired.resources.extend([group.into(), balancer.into(), listener.into()]);
    to
}

/// One subnet a zone; utility subnets and those of masters first.
fn api_subnets(input: Input<'_>, internal: bool) -> Vec<Ref<vpc::subnet::Subnet>> {
    let cluster = input.cluster;
    let masters: BTreeSet<&str> = of_role(input, Role::Master)
        .flat_map(|group| cluster.subnets_of(group))
        .filter_map(|subnet| filled(&subnet.name))
        .collect();
    let score = |subnet: &Subnet| {
        let is_utility = cluster.subnet_kind(subnet) == SubnetKind::Utility;
        let is_masters = filled(&subnet.name).is_some_and(|name| masters.contains(name));
        usize::from(is_utility) + usize::from(is_masters)
    };
    let mut best: BTreeMap<&str, &Subnet> = BTreeMap::new();
    for subnet in cluster.subnets() {
        if cluster.subnet_kind(subnet).is_public() == internal {
            continue;
        }
        let zone = filled(&subnet.zone).unwrap_or_default();
        let rank = |subnet: &Subnet| (score(subnet), std::cmp::Reverse(subnet.name.clone()));
        let is_better = best.get(zone).is_none_or(|known| rank(subnet) > rank(known));
        if is_better {
            best.insert(zone, subnet);
        }
    }
    let name =
        |subnet: &&Subnet| names::subnet(cluster.name(), filled(&subnet.name).unwrap_or_default());
    best.values().map(name).collect()
}

fn add_bastion(input: Input<'_>, desired: &mut DesiredCluster) -> Result<(), Problem> {
    let cluster = input.cluster;
    let name = cluster.name();
    let groups: Vec<&InstanceGroup> = of_role(input, Role::Bastion).collect();
    if groups.is_empty() {
        return Ok(());
    }
    let zones: BTreeSet<&str> = groups
        .iter()
        .flat_map(|group| cluster.subnets_of(group))
        .filter_map(|subnet| filled(&subnet.zone))
        .collect();
    let path = FieldPath::root().key("spec").key("subnets");
    let mut subnets = Vec::new();
    for zone in zones {
        subnets.push(network::bastion_subnet(cluster, zone).ok_or_else(|| {
            let message = format!("{zone} has bastions, and needs a subnet of type Utility");
            Problem::new(&path, message)
        })?);
    }
    let id = names::bastion_balancer(name);
    let idle = cluster
        .spec
        .topology
        .as_ref()
        .and_then(|topology| topology.bastion.as_ref()?.idle_timeout_seconds);
    let path = FieldPath::root().key("spec").key("topology").key("bastion");
    let idle = whole("idleTimeoutSeconds", idle.unwrap_or(IDLE_SECONDS))
        .map_err(|message| Problem::new(&path, message))?;
    desired.resources.push(
        LoadBalancer {
            name: id.name.clone(),
            aws_name: names::balancer_name("bastion", name),
            internal: false,
            port: 22,
            certificate: None,
            health_target: "TCP:22".to_owned(),
            idle_timeout_seconds: idle,
            cross_zone: None,
            subnets,
            security_groups: vec![names::balancer_security_group(name, "bastion")],
            tags: names::tags(cluster, &id.name, false),
        }
        .into(),
    );
    for group in groups {
        let attachment = LoadBalancerAttachment {
            name: format!("bastion-{}", group.name()),
            group: group_id(cluster, group),
            to: Target::Classic(id.clone()),
        };
        desired.resources.push(attachment.into());
    }
    Ok(())
}

/// The load balancers of the user's own that a group joins.
fn external(
    cluster: &Cluster,
    group: &InstanceGroup,
) -> impl Iterator<Item = LoadBalancerAttachment> {
    let own = group.spec.external_load_balancers.iter().flatten();
    own.flat_map(move |external| {
        let balancer = Id::of_spec(filled(&external.load_balancer_name))
            .map(|to| (format!("extlb-{to}-{}", group.name()), Target::ExternalClassic(to)));
        let targets = Id::of_spec(filled(&external.target_group_arn))
            .map(|to| (format!("exttg-{to}-{}", group.name()), Target::ExternalTargetGroup(to)));
        balancer.into_iter().chain(targets)
    })
    .map(move |(name, to)| LoadBalancerAttachment {
        name,
        group: group_id(cluster, group),
        to,
    })
}

/// kops' names of attachments run together: `a-b` before the group `c` is called like `a` before
/// the group `b-c`. Such names get their group.
fn told_apart(mut attachments: Vec<LoadBalancerAttachment>) -> Vec<LoadBalancerAttachment> {
    let mut groups: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for attachment in &attachments {
        let of_name = groups.entry(attachment.name.clone()).or_default();
        of_name.insert(attachment.group.name.clone());
    }
    for attachment in &mut attachments {
        if groups.get(&attachment.name).is_some_and(|groups| groups.len() > 1) {
            attachment.name = format!("{} ({})", attachment.name, attachment.group.name);
        }
    }
    attachments
}

fn group_id(cluster: &Cluster, group: &InstanceGroup) -> Ref<AutoscalingGroup> {
    Ref::to(group.aws_name(cluster.name()))
}
