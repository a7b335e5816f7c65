//! How node-termination-handler hears of instances that are about to end, and what else instances
//! wait for on their way in and out of their groups (kops
//! `pkg/model/awsmodel/nodeterminationhandler.go`, `autoscalinggroup.go`).

use super::events::EVENTS;
use super::volumes::whole;
use super::{DesiredCluster, Input, names};
use crate::autoscaling::lifecycle_hook::{LifecycleHook, Purpose};
use crate::core::id::Ref;
use crate::eventbridge::rule::{EventBridgeRule, Pattern};
use crate::eventbridge::target::EventBridgeTarget;
use crate::limits::HEARTBEAT_TIMEOUT;
use crate::spec::cluster::Cluster;
use crate::spec::instance_group::InstanceGroup;
use crate::spec::path::FieldPath;
use crate::spec::problem::Problem;
use crate::sqs::queue::Queue;

/// For how many seconds a message is kept, and an instance waits for the handler.
const SECONDS: i32 = 300;

/// For how many seconds an instance may get ready for its warm pool, unless the spec says.
const TO_WARM: i64 = 600;

pub(super) fn add(input: Input<'_>, desired: &mut DesiredCluster) -> Result<(), Vec<Problem>> {
    let cluster = input.cluster;
    if cluster.uses_nth_queue() {
        add_queue(cluster, desired);
    }
    let mut problems = Vec::new();
    // Karpenter's groups are none of Auto Scaling's.
    let groups = input.groups.iter().filter(|group| !group.is_karpenters());
    for group in groups {
        if cluster.uses_nth_queue() {
            desired.resources.push(hook(cluster, group, Purpose::Termination, SECONDS).into());
        }
        match warm_pool_timeout(cluster, group) {
            Ok(Some(timeout)) => {
                desired.resources.push(hook(cluster, group, Purpose::WarmPool, timeout).into());
            }
            Ok(None) => {}
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

fn add_queue(cluster: &Cluster, desired: &mut DesiredCluster) {
    let queue = names::queue(cluster.name());
    desired.resources.push(
        Queue {
            region: desired.region.clone(),
            retention: SECONDS,
            senders: ["events.amazonaws.com", "sqs.amazonaws.com"].map(str::to_owned).to_vec(),
            tags: names::tags(cluster, &queue, false),
            url: None,
            name: queue.clone(),
        }
        .into(),
    );
    let handler = cluster.spec.node_termination_handler.as_ref();
    let rebalances = handler.and_then(|handler| handler.enable_rebalance_draining) == Some(true);
    for event in EVENTS.iter().filter(|event| !event.is_asked_for || rebalances) {
        let name = names::event_rule(cluster.name(), event.name);
        let rule = EventBridgeRule {
            pattern: Pattern::new(event.pattern()),
            tags: names::tags(cluster, &name, false),
            name: name.clone(),
        };
        let target = EventBridgeTarget {
            name: format!("{name}-Target"),
            rule: Ref::to(name),
            queue: Ref::to(&queue),
            id: String::new(),
        };
        desired.resources.extend([rule.into(), target.into()]);
    }
}

fn hook(cluster: &Cluster, group: &InstanceGroup, purpose: Purpose, timeout: i32) -> LifecycleHook {
    let scaling = Ref::to(group.aws_name(cluster.name()));
    LifecycleHook::new(group.name(), scaling, purpose, timeout)
}

/// For how long an instance of a group may get ready for its warm pool, if the group wants to know.
fn warm_pool_timeout(cluster: &Cluster, group: &InstanceGroup) -> Result<Option<i32>, Problem> {
    let pool = group.warm_pool(cluster).filter(|pool| pool.has_hook());
    let Some(pool) = pool else { return Ok(None) };
    let seconds = pool.lifecycle_hook_timeout.unwrap_or(TO_WARM);
    let refuse = |message: String| {
        let field = FieldPath::root().key("spec").key("warmPool").key("lifecycleHookTimeout");
        Problem::new(&field, format!("InstanceGroup/{}: {message}", group.name()))
    };
    match HEARTBEAT_TIMEOUT.refusal(seconds) {
        Some(refusal) => Err(refuse(refusal)),
        None => whole("warmPool.lifecycleHookTimeout", seconds).map(Some).map_err(refuse),
    }
}
