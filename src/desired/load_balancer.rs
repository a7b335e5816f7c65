//! The load balancers before the API server and the bastions, and what stands behind them
//! (kops `pkg/model/awsmodel/api_loadbalancer.go`, `bastion.go` and `autoscalinggroup.go`).

use std::collections::{BTreeMap, BTreeSet};

use super::volumes::whole;
use super::{DesiredCluster, Input, names};
use crate::autoscaling::autoscaling_group::AutoscalingGroup;
use crate::autoscaling::load_balancer_attachment::{LoadBalancerAttachment, Target};
use crate::core::id::{Id, Ref};
use crate::elb::access_log::AccessLog;
use crate::elb::listener::Listener;
use crate::elb::load_balancer::LoadBalancer;
use crate::elb::network_load_balancer::{NetworkLoadBalancer, OwnAddress, PlacedIn};
use crate::elb::target_group::{Follows, TargetGroup};
use crate::spec::cluster::{self, Cluster, LoadBalancerAccess, Subnet};
use crate::spec::instance_group::InstanceGroup;
use crate::spec::object::filled;
use crate::spec::path::FieldPath;
use crate::spec::problem::Problem;
use crate::spec::role::Role;
use crate::spec::subnets::SubnetKind;
use crate::vpc::security_group::SecurityGroup;

const IDLE_SECONDS: i64 = 300;
const API_PORT: i32 = 443;
/// Where the API server is reached with its own certificate, if the load balancer has another.
const OWN_CERTIFICATE_PORT: i32 = 8443;
const SSH_PORT: i32 = 22;

/// How often a classic load balancer can write its log, in minutes (ELB API, `AccessLog`).
const LOG_INTERVALS: [i64; 2] = [5, 60];

/// The ciphers that AWS takes where nothing is said (ELB user guide, "Security policies").
const SSL_POLICY: &str = "ELBSecurityPolicy-2016-08";

/// What a network load balancer leads to: a port of it, and the target group behind that.
struct Door {
    /// The word before the cluster's name in that of the target group.
    prefix: &'static str,
    /// Of the load balancer.
    port: i32,
    /// Of the instances.
    target_port: i32,
    /// Whether the load balancer ends TLS here.
    tls: bool,
    health_path: Option<&'static str>,
    /// The roles of groups that stand behind it.
    roles: &'static [Role],
}

const SERVING: &[Role] = &[Role::Master, Role::ApiServer];

const API: Door = Door {
    prefix: "tcp",
    port: API_PORT,
    target_port: API_PORT,
    tls: false,
    health_path: None,
    roles: SERVING,
};
const TLS: Door = Door { prefix: "tls", tls: true, ..API };
const OWN_CERTIFICATE: Door = Door { port: OWN_CERTIFICATE_PORT, ..API };
const KOPS_CONTROLLER: Door = Door {
    prefix: "kops-controller",
    port: 3988,
    target_port: 3988,
    health_path: Some("/healthz"),
    roles: &[Role::Master],
    ..API
};
const ETCD_OF_CILIUM: Door =
    Door { prefix: "etcd-cilium", port: 4003, target_port: 4003, roles: &[Role::Master], ..API };
const SSH: Door = Door {
    prefix: "bastion",
    port: SSH_PORT,
    target_port: SSH_PORT,
    roles: &[Role::Bastion],
    ..API
};

pub(super) fn add(input: Input<'_>, desired: &mut DesiredCluster) -> Result<(), Vec<Problem>> {
    let mut problems = Vec::new();
    if let Some(api) = input.cluster.api_load_balancer(input.groups) {
        problems.extend(add_api(input, &api, desired).err());
    }
    if of_roles(input, &[Role::Bastion]).next().is_some() {
        problems.extend(add_bastion(input, desired).err());
    }
    let external = input.groups.iter().flat_map(|group| external(input.cluster, group));
    desired.resources.extend(told_apart(external.collect()).into_iter().map(Into::into));
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

/// The security groups that instances of a group have because of the load balancer before them:
/// those of a network load balancer let in what it passes on.
pub(super) fn security_groups_behind(
    input: Input<'_>,
    group: &InstanceGroup,
) -> Vec<Ref<SecurityGroup>> {
    let serves = group.spec.role.is_some_and(|role| SERVING.contains(&role));
    let api = input.cluster.api_load_balancer(input.groups);
    let api = api.filter(|api| serves && api.is_network());
    let more = api.and_then(|api| api.additional_security_groups).unwrap_or_default();
    more.iter().map(Ref::to).collect()
}

fn of_roles<'a>(input: Input<'a>, roles: &'a [Role]) -> impl Iterator<Item = &'a InstanceGroup> {
    let is_of = |group: &&InstanceGroup| group.spec.role.is_some_and(|role| roles.contains(&role));
    input.groups.iter().copied().filter(is_of)
}

fn add_api(
    input: Input<'_>,
    api: &LoadBalancerAccess,
    desired: &mut DesiredCluster,
) -> Result<(), Problem> {
    let cluster = input.cluster;
    let path = FieldPath::root().key("spec").key("api").key("loadBalancer");
    let own = match filled(&api.security_group_override) {
        Some(own) => Ref::to(own),
        None => names::balancer_security_group(cluster.name(), "api"),
    };
    let more = api.additional_security_groups.iter().flatten();
    let security_groups = std::iter::once(own).chain(more.map(Ref::to)).collect();
    let subnets = match api.subnets.as_deref().unwrap_or_default() {
        [] => chosen_subnets(input, api.is_internal(), &path.key("type"))?,
        said => said.iter().filter_map(|one| Some((named(cluster, one)?, address(one)))).collect(),
    };
    let name = names::api_balancer(cluster.name(), api).name;
    let aws_name = names::balancer_name("api", cluster.name());
    let access_log = access_log(api, &path.key("accessLog"))?;
    let cross_zone =
        cluster.joins_by_load_balancer() || api.cross_zone_load_balancing.unwrap_or(false);
    let tags = names::tags(cluster, &name, false);
    if api.is_network() {
        let balancer = NetworkLoadBalancer {
            name,
            aws_name,
            internal: api.is_internal(),
            dual_stack: have_ipv6(&subnets),
            cross_zone,
            access_log,
            subnets: placed(cluster, subnets),
            security_groups,
            tags,
            replaces: false,
        };
        add_network(input, balancer, Some(api), &doors(cluster, api), desired);
        return Ok(());
    }
    let idle = api.idle_timeout_seconds.unwrap_or(IDLE_SECONDS);
    let balancer = LoadBalancer {
        name: name.clone(),
        aws_name,
        internal: api.is_internal(),
        port: API_PORT,
        certificate: filled(&api.ssl_certificate).map(str::to_owned),
        health_target: format!("SSL:{API_PORT}"),
        idle_timeout_seconds: whole("idleTimeoutSeconds", idle)
            .map_err(|message| Problem::new(&path, message))?,
        cross_zone,
        access_log,
        subnets: placed(cluster, subnets).into_iter().map(|place| place.subnet).collect(),
        security_groups,
        tags,
    };
    desired.resources.push(balancer.into());
    for group in of_roles(input, SERVING) {
        let to = Target::Classic(Ref::to(&name));
        desired.resources.push(attachment(cluster, "api", group, to).into());
    }
    Ok(())
}

fn doors(cluster: &Cluster, api: &LoadBalancerAccess) -> Vec<Door> {
    let mut doors = match filled(&api.ssl_certificate) {
        None => vec![API],
        // No certificates of clients are seen behind a listener that ends TLS.
        Some(_) => vec![OWN_CERTIFICATE, TLS],
    };
    if cluster.joins_by_load_balancer() {
        doors.push(KOPS_CONTROLLER);
        if cluster.has_etcd_of_cilium() {
            doors.push(ETCD_OF_CILIUM);
        }
    }
    doors
}

fn add_bastion(input: Input<'_>, desired: &mut DesiredCluster) -> Result<(), Problem> {
    let cluster = input.cluster;
    let said = cluster.bastion_load_balancer();
    let internal = cluster.has_internal_bastion();
    let path = ["topology", "bastion", "loadBalancer", "type"];
    let path = path.iter().fold(FieldPath::root().key("spec"), |path, key| path.key(key));
    let subnets = chosen_subnets(input, internal, &path)?;
    let name = names::bastion_balancer(cluster.name()).name.clone();
    let more = said.and_then(|said| said.additional_security_groups.as_ref());
    let own = names::balancer_security_group(cluster.name(), "bastion");
    let balancer = NetworkLoadBalancer {
        aws_name: names::balancer_name("bastion", cluster.name()),
        internal,
        dual_stack: have_ipv6(&subnets),
        cross_zone: false,
        access_log: None,
        subnets: placed(cluster, subnets),
        security_groups: std::iter::once(own)
            .chain(more.into_iter().flatten().map(Ref::to))
            .collect(),
        tags: names::tags(cluster, &name, false),
        name,
        replaces: false,
    };
    add_network(input, balancer, None, &[SSH], desired);
    Ok(())
}

/// Adds a network load balancer, where it leads, and what stands there.
fn add_network(
    input: Input<'_>,
    balancer: NetworkLoadBalancer,
    api: Option<&LoadBalancerAccess>,
    doors: &[Door],
    desired: &mut DesiredCluster,
) {
    let cluster = input.cluster;
    let certificate = api.and_then(|api| filled(&api.ssl_certificate));
    let policy = api.and_then(|api| filled(&api.ssl_policy)).unwrap_or(SSL_POLICY);
    let id = Ref::to(&balancer.name);
    let tags_of_listeners = balancer.tags.clone();
    desired.resources.push(balancer.into());
    for door in doors {
        let name = names::balancer_name(door.prefix, cluster.name());
        let target_group = Ref::to(&name);
        let group = TargetGroup {
            port: door.target_port,
            tls: door.tls,
            health_path: door.health_path,
            vpc: names::vpc(cluster.name()),
            balancer: id.clone(),
            tags: names::tags(cluster, &name, false),
            name,
            revision: Follows::First,
        };
        let certificate = certificate.filter(|_| door.tls);
        let listener = Listener {
            balancer: id.clone(),
            port: door.port,
            certificate: certificate.map(str::to_owned),
            ssl_policy: certificate.map(|_| policy.to_owned()),
            target_group: target_group.clone(),
            tags: tags_of_listeners.clone(),
        };
        desired.resources.extend([group.into(), listener.into()]);
        for group in of_roles(input, door.roles) {
            let to = Target::Network(target_group.clone());
            desired.resources.push(attachment(cluster, door.prefix, group, to).into());
        }
    }
}

fn attachment(
    cluster: &Cluster,
    what: &str,
    group: &InstanceGroup,
    to: Target,
) -> LoadBalancerAttachment {
    let name = format!("{what}-{}", group.name());
    LoadBalancerAttachment { name, group: group_id(cluster, group), to }
}

fn access_log(api: &LoadBalancerAccess, path: &FieldPath) -> Result<Option<AccessLog>, Problem> {
    let Some(log) = &api.access_log else { return Ok(None) };
    let Some(bucket) = filled(&log.bucket) else {
        return Err(Problem::new(&path.key("bucket"), "is required: the bucket to write to"));
    };
    // A network load balancer writes whenever it likes.
    let interval = log.interval.filter(|minutes| *minutes != 0 && !api.is_network());
    if let Some(minutes) = interval.filter(|minutes| !LOG_INTERVALS.contains(minutes)) {
        let message = format!("{minutes} is neither 5 nor 60 minutes (ELB API, AccessLog)");
        return Err(Problem::new(&path.key("interval"), message));
    }
    let interval = interval
        .map(|minutes| whole("interval", minutes))
        .transpose()
        .map_err(|message| Problem::new(path, message))?;
    let prefix = filled(&log.bucket_prefix).unwrap_or_default().to_owned();
    Ok(Some(AccessLog { bucket: bucket.to_owned(), prefix, interval }))
}

fn named<'a>(cluster: &'a Cluster, said: &cluster::LoadBalancerSubnet) -> Option<&'a Subnet> {
    let name = filled(&said.name)?;
    cluster.subnets().iter().find(|subnet| filled(&subnet.name) == Some(name))
}

fn address(said: &cluster::LoadBalancerSubnet) -> Option<OwnAddress> {
    let elastic = filled(&said.allocation_id).map(str::to_owned).map(OwnAddress::Elastic);
    let private = filled(&said.private_ipv4_address).map(str::to_owned);
    elastic.or(private.map(OwnAddress::Private))
}

fn placed(cluster: &Cluster, subnets: Vec<(&Subnet, Option<OwnAddress>)>) -> Vec<PlacedIn> {
    let place = |(subnet, address): (&Subnet, _)| {
        let name = filled(&subnet.name).unwrap_or_default();
        PlacedIn { subnet: names::subnet(cluster.name(), name), address }
    };
    subnets.into_iter().map(place).collect()
}

fn have_ipv6(subnets: &[(&Subnet, Option<OwnAddress>)]) -> bool {
    subnets.iter().all(|(subnet, _)| filled(&subnet.ipv6_cidr).is_some())
}

/// One subnet a zone, where a load balancer of the kind can stand.
///
/// # Errors
/// There is none; `path` is the field that asks for one.
fn chosen_subnets<'a>(
    input: Input<'a>,
    internal: bool,
    path: &FieldPath,
) -> Result<Vec<(&'a Subnet, Option<OwnAddress>)>, Problem> {
    let cluster = input.cluster;
    let of_masters: BTreeSet<&String> =
        of_roles(input, &[Role::Master]).flat_map(|group| group.subnets()).collect();
    let score = |subnet: &Subnet| {
        let is_masters = subnet.name.as_ref().is_some_and(|name| of_masters.contains(name));
        let of_kind = match cluster.subnet_kind(subnet) {
            SubnetKind::Public | SubnetKind::Private => 0,
            SubnetKind::DualStack => 2,
            SubnetKind::Utility => 3,
        };
        of_kind + i32::from(is_masters)
    };
    let rank = |subnet: &Subnet| (score(subnet), std::cmp::Reverse(subnet.name.clone()));
    let mut best: BTreeMap<&str, &Subnet> = BTreeMap::new();
    for subnet in cluster.subnets() {
        if cluster.subnet_kind(subnet).is_public() == internal {
            continue;
        }
        let zone = filled(&subnet.zone).unwrap_or_default();
        if best.get(zone).is_none_or(|known| rank(subnet) > rank(known)) {
            best.insert(zone, subnet);
        }
    }
    if best.is_empty() {
        let wanted = if internal { "Private or DualStack" } else { "Public or Utility" };
        let message = format!("needs a subnet of type {wanted}, and the cluster has none");
        return Err(Problem::new(path, message));
    }
    Ok(best.into_values().map(|subnet| (subnet, None)).collect())
}

/// The load balancers of the user's own that a group joins.
fn external(
    cluster: &Cluster,
    group: &InstanceGroup,
) -> impl Iterator<Item = LoadBalancerAttachment> {
    // What Karpenter starts is in no Auto Scaling group.
    let is_scaled = !group.is_karpenters();
    let own = group.spec.external_load_balancers.iter().flatten().filter(move |_| is_scaled);
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn access(api: &serde_json::Value) -> LoadBalancerAccess {
        serde_json::from_value(api.clone()).unwrap()
    }

    #[test]
    fn of_the_subnets_of_a_zone_the_one_with_most_points_is_chosen() {
        let subnet = |name: &str, kind: &str, zone: &str| json!({"name": name, "type": kind, "zone": format!("us-west-2{zone}")});
        let subnets = [
            subnet("b-public", "Public", "a"),
            subnet("a-public", "Public", "a"),
            subnet("utility", "Utility", "b"),
            subnet("master-public", "Public", "b"),
            subnet("private", "Private", "a"),
            subnet("dual", "DualStack", "a"),
            subnet("master-private", "Private", "b"),
            subnet("a-private", "Private", "b"),
        ];
        let spec = json!({"subnets": subnets});
        let cluster = json!({"metadata": {"name": "a.example.com"}, "spec": spec});
        let cluster: Cluster = serde_json::from_value(cluster).unwrap();
        let spec = json!({"role": "Master", "subnets": ["master-public", "master-private"]});
        let group = json!({"metadata": {"name": "masters"}, "spec": spec});
        let group: InstanceGroup = serde_json::from_value(group).unwrap();
        let groups = [&group];
        let input = Input {
            cluster: &cluster,
            groups: &groups,
            base: None,
            kops_version: None,
            ssh_keys: &[],
        };
        let chosen = |internal| -> Vec<&str> {
            let chosen = chosen_subnets(input, internal, &FieldPath::root()).unwrap();
            chosen.into_iter().filter_map(|(subnet, _)| filled(&subnet.name)).collect()
        };
        assert_eq!(chosen(false), ["a-public", "utility"]);
        assert_eq!(chosen(true), ["dual", "master-private"]);
    }

    #[test]
    fn a_log_needs_a_bucket_and_classic_load_balancers_write_it_every_5_or_60_minutes() {
        let log = |class: &str, log: serde_json::Value| {
            let api = access(&json!({"class": class, "accessLog": log}));
            access_log(&api, &FieldPath::root().key("accessLog")).map_err(|one| one.to_string())
        };
        let interval = |class: &str, minutes: i64| {
            let found = log(class, json!({"bucket": "b", "interval": minutes}));
            found.map(|log| log.and_then(|log| log.interval))
        };
        assert_eq!(interval("Classic", 5), Ok(Some(5)));
        assert_eq!(interval("Classic", 0), Ok(None));
        assert_eq!(interval("Network", 7), Ok(None));
        assert!(interval("Classic", 7).unwrap_err().contains("accessLog.interval"));
        assert!(log("Network", json!({"bucketPrefix": "p"})).unwrap_err().contains("bucket"));
    }
}
