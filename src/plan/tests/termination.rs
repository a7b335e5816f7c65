//! What becomes of what node-termination-handler and warm pools need, once a spec asks no more for
//! it.

use super::examples;
use super::imagined::{Imagined, options, outcome, planned};
use crate::catalogue::kinds::{Resource, Write};
use crate::catalogue::live::Live;
use crate::core::seen::Looked;
use crate::desired::DesiredCluster;
use crate::eventbridge::target::LiveTarget;
use crate::plan::{Options, Plan, Prune, make};

/// The first example, as it was built, without what is not `kept` in its spec any more.
fn without(is_kept: impl Fn(&str) -> bool) -> (DesiredCluster, Imagined) {
    let (_, mut desired) = examples::all().into_iter().next().unwrap();
    let live = Imagined::settled(&desired);
    desired.resources.retain(|resource| is_kept(&resource.id().to_string()));
    (desired, live)
}

fn removals(plan: &Plan) -> Vec<String> {
    plan.removals.iter().map(|removal| removal.id.to_string()).collect()
}

#[test]
fn events_that_are_not_asked_for_any_more_are_not_sent() {
    let (desired, aws) = without(|id| !id.contains("-RebalanceRecommendation"));
    let plan = planned(&desired, &aws.live, &[]);
    assert_eq!(outcome(&plan), "delete EventBridgeRule");
    assert_eq!(removals(&plan), [""; 0]);
}

#[test]
fn without_a_warm_pool_no_instance_waits_to_be_ready_for_it() {
    let (desired, aws) = without(|id| !id.contains("/kops-warmpool-"));
    let plan = planned(&desired, &aws.live, &[]);
    assert_eq!(outcome(&plan), "delete AutoscalingLifecycleHook");
    assert_eq!(plan.changes[0].id.name, "kops-warmpool-nodes");
}

#[test]
fn a_handler_that_is_switched_off_leaves_all_until_it_is_asked_for() {
    let is_kept = |id: &str| {
        !["SQS/", "EventBridge", "-NTHLifecycleHook"].iter().any(|part| id.contains(part))
    };
    let (desired, aws) = without(is_kept);
    let plan = planned(&desired, &aws.live, &[]);
    assert_eq!(outcome(&plan), "nothing");
    let expected = [
        "SQS/public-example-com-nth",
        "EventBridgeRule/public.example.com-ASGLifecycle",
        "EventBridgeRule/public.example.com-InstanceScheduledChange",
        "EventBridgeRule/public.example.com-InstanceStateChange",
        "EventBridgeRule/public.example.com-RebalanceRecommendation",
        "EventBridgeRule/public.example.com-SpotInterruption",
        "AutoscalingLifecycleHook/masters-NTHLifecycleHook",
        "AutoscalingLifecycleHook/mixed-NTHLifecycleHook",
        "AutoscalingLifecycleHook/nodes-NTHLifecycleHook",
        "AutoscalingLifecycleHook/spot-NTHLifecycleHook",
    ];
    assert_eq!(removals(&plan), expected);
    let prune = Options { prune: Prune::ButVolumes, ..options(&[]) };
    let asked = make(&desired, &aws.live, &prune);
    assert_eq!(asked.writes().count(), expected.len());
}

#[test]
fn a_target_takes_no_other_s_place() {
    let (desired, aws) = without(|_| true);
    let target = desired.resources.iter().find(|one| one.id().kind.name() == "EventBridgeTarget");
    let chosen = |live: &Live| {
        let plan = planned(&desired, live, &[]);
        assert!(outcome(&plan).starts_with("create EventBridgeTarget"), "{}", outcome(&plan));
        let Some(Write::Create(created)) = &plan.changes[0].write else { panic!("{plan:#?}") };
        let Resource::EventBridgeTarget(target) = &**created else { panic!("{created:#?}") };
        target.id.clone()
    };
    let mut live = aws.without(&desired, target.unwrap());
    assert_eq!(chosen(&live), "1");
    // All rules send to somebody else's topic, and to nothing of the cluster's.
    let theirs = "arn:aws:sns:us-west-2:123456789012:theirs".to_owned();
    let rows = aws.live.seen.rows::<LiveTarget>().iter();
    let rows = rows.map(|row| LiveTarget { arn: theirs.clone(), ..row.clone() });
    live.seen.put(Looked::Found(rows.collect()));
    assert_eq!(chosen(&live), "2");
}
