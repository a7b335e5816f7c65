//! What today's kops refuses in an instance group (`pkg/apis/kops/validation/instancegroup.go`
//! and `aws.go` of the tag v1.36.2).

use super::Check;
use super::look::Look;
use super::today::hooks;
use crate::spec::cluster::Cluster;
use crate::spec::instance_group::InstanceGroup;
use crate::spec::path::FieldPath;
use crate::spec::quantity::seconds;
use crate::spec::role::Role;

/// Machine types that share what `dedicated` and `host` would have to themselves.
const SHARED: [&str; 6] = ["t2.nano", "t2.micro", "t2.small", "t2.medium", "t2.large", "t2.xlarge"];

/// The longest name of a load balancer or target group (Elastic Load Balancing API).
const BALANCER_NAME: usize = 32;

pub(super) fn check(group: &InstanceGroup, spec: &Look<'_>, check: &mut Check) {
    let role = group.spec.role;
    if role == Some(Role::Master) {
        for field in ["minSize", "maxSize"] {
            if let Some(size) = spec.number(field).filter(|size| *size > 1) {
                let message = format!(
                    "is {size}; a group of the control plane has one instance: make a group for each"
                );
                check.add(&spec.path(field), message);
            }
        }
    }
    let machine = spec.text("machineType").and_then(|types| types.split(',').next());
    if let Some(tenancy) = spec.text("tenancy").filter(|word| ["dedicated", "host"].contains(word))
        && let Some(machine) = machine.filter(|machine| SHARED.contains(machine))
    {
        check.add(&spec.path("tenancy"), format!("is {tenancy}, which {machine} does not take"));
    }
    check.not_negative(&spec.path("rootVolumeThroughput"), spec.number("rootVolumeThroughput"));
    for mount in spec.each("volumeMounts") {
        for field in ["device", "filesystem", "path"] {
            if mount.text(field).is_none() {
                check.add(&mount.path(field), "is required");
            }
        }
    }
    if let Some(text) = spec.text("maxInstanceLifetime")
        && seconds(text).is_some_and(|time| time != 0 && time < 86_400)
    {
        let message = format!("is {text}; it takes 0, or 24h and more");
        check.add(&spec.path("maxInstanceLifetime"), message);
    }
    let most = spec.number("maxSize");
    if let (Some(base), Some(most)) = (spec.number("mixedInstancesPolicy.onDemandBase"), most)
        && base > most
    {
        let message = format!("is {base}, more than spec.maxSize {most}");
        check.add(&spec.path("mixedInstancesPolicy.onDemandBase"), message);
    }
    warm_pool(role, spec, check);
    karpenter(role, spec, check);
    balancers(spec, check);
    nodes(role, spec, check);
    hooks(spec, check);
}

fn warm_pool(role: Option<Role>, spec: &Look<'_>, check: &mut Check) {
    let Some(pool) = spec.below("warmPool") else { return };
    // One of no instances is the way to have none where the cluster has one.
    if pool.number("maxSize") == Some(0) {
        return;
    }
    if let Some(role) = role.filter(|role| !matches!(role, Role::Node | Role::ApiServer)) {
        let message = format!("is for groups of role Node or APIServer, and this is {role}");
        check.add(pool.here(), message);
    }
    if spec.text("maxPrice").is_some() {
        check.add(pool.here(), "cannot be used together with maxPrice: EC2 has none of spot");
    }
}

fn karpenter(role: Option<Role>, spec: &Look<'_>, check: &mut Check) {
    if spec.text("manager") != Some("Karpenter") {
        return;
    }
    if let Some(role) = role.filter(|role| *role != Role::Node) {
        check.add(&spec.path("manager"), format!("is Karpenter, and this group's role is {role}"));
    }
    if let Some(most) = spec.number("maxSize").filter(|most| *most <= 0) {
        check.add(&spec.path("maxSize"), format!("is {most}; with Karpenter it takes 1 and more"));
    }
}

fn balancers(spec: &Look<'_>, check: &mut Check) {
    for balancer in spec.each("externalLoadBalancers") {
        if let Some(name) = balancer.text("loadBalancerName").filter(|n| n.len() > BALANCER_NAME) {
            let message = format!("{name:?} has more than {BALANCER_NAME} characters");
            check.add(&balancer.path("loadBalancerName"), message);
        }
        let Some(arn) = balancer.text("targetGroupArn") else { continue };
        let parts: Vec<&str> = arn.splitn(6, ':').collect();
        let resource = parts.get(5).map(|resource| resource.split('/').collect::<Vec<_>>());
        let is_arn = matches!(parts[..], ["arn", _, "elasticloadbalancing", ..]);
        let path = balancer.path("targetGroupArn");
        match resource.as_deref() {
            Some(["targetgroup", name, id]) if is_arn && !name.is_empty() && !id.is_empty() => {
                if name.len() > BALANCER_NAME {
                    check.add(&path, format!("{name:?} has more than {BALANCER_NAME} characters"));
                }
            }
            _ => check.add(
                &path,
                format!(
                    "is {arn:?}, no ARN of a target group: \
                     arn:aws:elasticloadbalancing:REGION:ACCOUNT:targetgroup/NAME/ID"
                ),
            ),
        }
    }
}

/// What nodes get told of themselves.
fn nodes(role: Option<Role>, spec: &Look<'_>, check: &mut Check) {
    let labels = spec.json("nodeLabels").and_then(serde_json::Value::as_object);
    for key in labels.into_iter().flat_map(serde_json::Map::keys) {
        if key.matches('/').count() > 1 {
            let message = "has more than one / in its key, which no label of a node has";
            check.add(&spec.path("nodeLabels").key(key), message);
        }
    }
    let taints = spec.texts("taints");
    for (index, (path, taint)) in taints.iter().enumerate() {
        if !is_taint(taint) {
            let message =
                format!("is {taint:?}; a taint is written KEY=VALUE:EFFECT or KEY:EFFECT");
            check.add(path, message);
        } else if taints[..index].iter().any(|(_, other)| other == taint) {
            check.add(path, format!("{taint:?} is there twice"));
        }
    }
    for (path, parameter) in spec.texts("sysctlParameters") {
        if !parameter.contains('=') {
            check.add(&path, format!("is {parameter:?}; it is written NAME=VALUE"));
        }
    }
    if spec.is_on("containerd.gvisor.enabled") && role.is_some_and(|role| role != Role::Node) {
        check.add(&spec.path("containerd.gvisor.enabled"), "is for groups of role Node only");
    }
}

/// Whether kops reads a text as a taint.
fn is_taint(text: &str) -> bool {
    let (taint, effect) = text.split_once(':').unwrap_or((text, ""));
    !taint.is_empty() && taint.matches('=').count() <= 1 && !effect.contains(':')
}

/// What the group must be as one of its cluster.
pub(super) fn check_membership(group: &InstanceGroup, cluster: &Cluster, check: &mut Check) {
    if group.spec.role == Some(Role::ApiServer) && cluster.is_without_dns() {
        let path = FieldPath::root().key("spec").key("role");
        check
            .add(&path, "is APIServer, which a cluster whose spec.topology.dns.type is None lacks");
    }
}
