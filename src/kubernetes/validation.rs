//! Whether a cluster is whole: the instances that should be there have joined and are ready,
//! and the pods that it cannot do without run (kops, `pkg/validation`).

use serde::Serialize;

use super::Look;
use super::pod::{Phase, Pod, Priority};

/// The static pods of a master, by the label that names them.
const CONTROL_PLANE: [&str; 3] = ["kube-apiserver", "kube-controller-manager", "kube-scheduler"];

/// What an instance group should have in the cluster.
#[derive(Clone, Debug)]
pub(crate) struct Expected<'a> {
    pub(crate) group: &'a str,
    pub(crate) joins: Joins,
    pub(crate) target: usize,
    /// The instances that count towards the target.
    pub(crate) instances: Vec<&'a str>,
}

/// What the instances of a group become.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Joins {
    AsMaster,
    AsNode,
    /// They stay out of Kubernetes, as bastions do.
    Never,
}

/// Something that is not as it should be.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub(crate) struct Failure {
    pub(crate) kind: FailureKind,
    /// The name of what fails: a group, an instance, a node, a pod with its namespace.
    pub(crate) name: String,
    pub(crate) message: String,
    #[serde(rename = "instanceGroup", skip_serializing_if = "Option::is_none")]
    pub(crate) group: Option<String>,
    /// The instance that it happens on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) instance: Option<String>,
    /// The same for what fails and for what takes its place and fails too.
    #[serde(skip)]
    pub(crate) identity: String,
}

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub(crate) enum FailureKind {
    #[serde(rename = "API")]
    Api,
    InstanceGroup,
    Machine,
    Node,
    Pod,
}

impl FailureKind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Api => "API",
            Self::InstanceGroup => "InstanceGroup",
            Self::Machine => "Machine",
            Self::Node => "Node",
            Self::Pod => "Pod",
        }
    }
}

/// Everything that is not as it should be, in the order of the groups.
pub(crate) fn validate(groups: &[Expected<'_>], look: &Look) -> Vec<Failure> {
    let mut failures: Vec<Failure> =
        groups.iter().flat_map(|expected| of_group(expected, look)).collect();
    failures.extend(look.pods.iter().filter_map(|pod| of_pod(pod, groups, look)));
    failures
}

fn of_group(expected: &Expected<'_>, look: &Look) -> Vec<Failure> {
    let failure = |kind, name: &str, instance: Option<&str>, message: String| Failure {
        kind,
        name: name.to_owned(),
        message,
        group: Some(expected.group.to_owned()),
        instance: instance.map(str::to_owned),
        identity: instance.unwrap_or(name).to_owned(),
    };
    let mut failures = Vec::new();
    if expected.instances.len() < expected.target {
        let message = format!("has {} of {} instances", expected.instances.len(), expected.target);
        failures.push(failure(FailureKind::InstanceGroup, expected.group, None, message));
    }
    if expected.joins == Joins::Never {
        return failures;
    }
    for instance in &expected.instances {
        let Some(node) = look.node_of(instance) else {
            let message = "has not joined the cluster".to_owned();
            failures.push(failure(FailureKind::Machine, instance, Some(instance), message));
            continue;
        };
        if let Some(reason) = &node.not_ready {
            let message = format!("is not ready: {reason}");
            failures.push(failure(FailureKind::Node, &node.name, Some(instance), message));
        } else if expected.joins == Joins::AsMaster {
            let missing: Vec<&str> = CONTROL_PLANE
                .into_iter()
                .filter(|part| !look.pods_on(&node.name).any(|pod| is_part(pod, part)))
                .collect();
            if !missing.is_empty() {
                let message = format!("runs no {}", missing.join(", "));
                failures.push(failure(FailureKind::Node, &node.name, Some(instance), message));
            }
        }
    }
    failures
}

/// kops labels them `k8s-app`, kubeadm `component`.
fn is_part(pod: &Pod, part: &str) -> bool {
    let labels = ["k8s-app", "component"];
    pod.namespace == "kube-system"
        && labels.iter().any(|label| pod.labels.get(*label).is_some_and(|value| value == part))
}

fn of_pod(pod: &Pod, groups: &[Expected<'_>], look: &Look) -> Option<Failure> {
    let priority = match pod.priority {
        Priority::Cluster => "system-cluster-critical",
        Priority::Node => "system-node-critical",
        Priority::Ordinary => return None,
    };
    // One that is on its way out is replaced by another, which is looked at too.
    if pod.gone_by.is_some() {
        return None;
    }
    // Those that its controller has started in its place count; the failed one stays listed.
    if pod.phase == Phase::Failed && pod.owner.is_some() && !pod.is_mirror {
        return None;
    }
    let state = match pod.phase {
        Phase::Pending => "is pending".to_owned(),
        Phase::Unknown => "is in an unknown phase".to_owned(),
        Phase::Failed => "failed".to_owned(),
        Phase::Succeeded => return None,
        Phase::Running => format!("is not ready ({})", pod.not_ready.as_ref()?),
    };
    let node = pod.node.as_deref().and_then(|name| look.nodes.iter().find(|n| n.name == name));
    let instance = node.and_then(|node| node.instance.clone());
    let group = groups.iter().find(|group| {
        instance.as_deref().is_some_and(|instance| group.instances.contains(&instance))
    });
    // What only concerns a node that is none of the groups' (any more) concerns nobody.
    if pod.priority == Priority::Node && pod.node.is_some() && group.is_none() {
        return None;
    }
    Some(Failure {
        kind: FailureKind::Pod,
        name: pod.full_name(),
        message: format!("{priority} pod {state}"),
        // Cluster-critical pods are everyone's.
        group: group.filter(|_| pod.priority == Priority::Node).map(|group| group.group.to_owned()),
        instance,
        identity: pod.identity(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::node::Node;
    use super::*;

    fn node(name: &str, instance: &str) -> Node {
        let instance = Some(instance.to_owned());
        Node { name: name.to_owned(), instance, ..Node::default() }
    }

    fn part(name: &str, node: &str) -> Pod {
        Pod {
            namespace: "kube-system".to_owned(),
            name: format!("{name}-{node}"),
            node: Some(node.to_owned()),
            labels: [("k8s-app".to_owned(), name.to_owned())].into(),
            phase: Phase::Running,
            priority: Priority::Cluster,
            is_mirror: true,
            ..Pod::default()
        }
    }

    fn told(groups: &[Expected<'_>], look: &Look) -> Vec<String> {
        let line = |failure: Failure| {
            format!("{} {} {}", failure.kind.name(), failure.name, failure.message)
        };
        validate(groups, look).into_iter().map(line).collect()
    }

    #[test]
    fn a_whole_cluster_has_no_failures_and_each_lack_is_one() {
        let masters = Expected {
            group: "masters",
            joins: Joins::AsMaster,
            target: 1,
            instances: vec!["i-1"],
        };
        let nodes = Expected {
            group: "nodes",
            joins: Joins::AsNode,
            target: 2,
            instances: vec!["i-2", "i-3"],
        };
        let bastions =
            Expected { group: "bastions", joins: Joins::Never, target: 1, instances: vec!["i-4"] };
        let mut groups = [masters, nodes, bastions];
        let mut look = Look {
            nodes: vec![node("m", "i-1"), node("a", "i-2"), node("b", "i-3")],
            pods: CONTROL_PLANE.map(|name| part(name, "m")).into(),
            ..Look::default()
        };
        assert_eq!(told(&groups, &look), Vec::<String>::new());
        look.nodes[1].not_ready = Some("kubelet stopped".to_owned());
        look.nodes.pop();
        look.pods.pop();
        look.pods[0].not_ready = Some("apiserver".to_owned());
        let dns = Pod { priority: Priority::Cluster, ..part("dns", "a") };
        look.pods.push(Pod { phase: Phase::Pending, ..dns.clone() });
        look.pods.push(Pod { phase: Phase::Pending, gone_by: Some(1), ..dns.clone() });
        look.pods.push(Pod { phase: Phase::Succeeded, ..dns.clone() });
        let failed = Pod { phase: Phase::Failed, is_mirror: false, ..dns };
        let owner = Some("ReplicaSet/dns".to_owned());
        look.pods.push(Pod { owner, ..failed.clone() });
        look.pods.push(Pod { name: "bare".to_owned(), ..failed });
        let agent = Pod { priority: Priority::Node, ..part("agent", "gone") };
        look.pods.push(Pod { not_ready: Some("agent".to_owned()), ..agent.clone() });
        look.pods.push(Pod { phase: Phase::Pending, node: None, ..agent });
        groups[2].target = 2;
        assert_eq!(
            told(&groups, &look),
            [
                "Node m runs no kube-scheduler",
                "Node a is not ready: kubelet stopped",
                "Machine i-3 has not joined the cluster",
                "InstanceGroup bastions has 1 of 2 instances",
                "Pod kube-system/kube-apiserver-m system-cluster-critical pod is not ready \
                 (apiserver)",
                "Pod kube-system/dns-a system-cluster-critical pod is pending",
                "Pod kube-system/bare system-cluster-critical pod failed",
                "Pod kube-system/agent-gone system-node-critical pod is pending",
            ]
        );
    }
}
