//! What node-termination-handler reads of AWS, and the hooks at which instances wait: made, kept,
//! changed and taken away with a cluster, and no other's.

use aws_sdk_sqs::types::QueueAttributeName;
use serde_json::{Value as Json, json};

use crate::harness::{World, actions, change, cluster, group, wait};

const NAME: &str = "ends.example.com";
const OWN: &str = "  bootstrap: none\n  iam: {}\n";
const OFF: &str = "  nodeTerminationHandler: {enabled: false}\n";
const BALANCED: &str = "  nodeTerminationHandler: {enableRebalanceDraining: true}\n";
const IMAGE: &str = "  image: ami-10100000\n";
const EVENTS: [&str; 4] =
    ["ASGLifecycle", "InstanceScheduledChange", "InstanceStateChange", "SpotInterruption"];

fn specs_of(name: &str, own: &str, nodes: &str) -> String {
    let nodes = format!("{IMAGE}{nodes}");
    [
        cluster(name, &format!("{OWN}{own}")),
        group(name, "masters", "Master", IMAGE),
        group(name, "nodes", "Node", &nodes),
    ]
    .join("---\n")
}

fn specs(own: &str) -> String {
    specs_of(NAME, own, "")
}

/// The queues and rules that there are.
fn passing(world: &World) -> Vec<String> {
    let all = world.everything().into_iter();
    let all = all.filter(|id| id.starts_with("queue ") || id.starts_with("rule "));
    all.map(|id| id.rsplit(['/', ' ']).next().unwrap().to_owned()).collect()
}

fn own(name: &str, events: &[&str]) -> Vec<String> {
    let queue = format!("{}-nth", name.replace('.', "-"));
    let rules = events.iter().map(|event| format!("{name}-{event}"));
    std::iter::once(queue).chain(rules).collect()
}

/// The hooks of a group: name, way, what becomes of an instance, seconds.
fn hooks(world: &World, group: &str) -> Vec<String> {
    let call = world.autoscaling().describe_lifecycle_hooks().auto_scaling_group_name(group);
    let found = wait(call.send()).unwrap();
    let told = found.lifecycle_hooks().iter().map(|hook| {
        let texts =
            [hook.lifecycle_hook_name(), hook.lifecycle_transition(), hook.default_result()];
        let texts = texts.map(Option::unwrap_or_default).join(" ");
        format!("{texts} {}", hook.heartbeat_timeout().unwrap())
    });
    let mut told: Vec<String> = told.collect();
    told.sort();
    told
}

fn queue_url(world: &World, name: &str) -> String {
    wait(world.sqs().get_queue_url().queue_name(name).send()).unwrap().queue_url.unwrap()
}

const ON_THE_WAY_OUT: &str =
    "nodes-NTHLifecycleHook autoscaling:EC2_INSTANCE_TERMINATING CONTINUE 300";
const ON_THE_WAY_IN: &str = "kops-warmpool autoscaling:EC2_INSTANCE_LAUNCHING ABANDON";

#[test]
fn all_that_the_handler_needs_comes_and_goes_with_the_cluster() {
    let world = World::whole("ends", NAME, &specs(""));
    world.apply(NAME);
    world.assert_settled(NAME, &[]);
    assert_eq!(passing(&world), own(NAME, &EVENTS));
    assert_eq!(hooks(&world, &format!("nodes.{NAME}")), [ON_THE_WAY_OUT]);
    let dump = world.dump();
    let queue = &dump["ends-example-com-nth queue"];
    assert_eq!(queue["MessageRetentionPeriod"], "300");
    assert_eq!(queue["tags"][format!("kubernetes.io/cluster/{NAME}")], "owned");
    let policy: Json = serde_json::from_str(queue["Policy"].as_str().unwrap()).unwrap();
    assert_eq!(policy["Statement"][0]["Action"], json!(["sqs:SendMessage"]));
    assert_eq!(
        policy["Statement"][0]["Resource"],
        "arn:aws:sqs:us-west-2:".to_owned() + &account(&dump) + ":ends-example-com-nth"
    );
    world.ok(&["delete", "cluster", NAME, "--yes"]);
    assert_eq!(passing(&world), [""; 0]);
}

/// The number of the account, as a rule's ARN has it.
fn account(dump: &Json) -> String {
    let arn = dump[format!("{NAME}-ASGLifecycle rule")]["Arn"].as_str().unwrap();
    arn.split(':').nth(4).unwrap().to_owned()
}

#[test]
fn what_is_otherwise_is_told_and_mended_and_what_others_added_is_left() {
    let world = World::whole("ends_drift", NAME, &specs(""));
    world.apply(NAME);
    let (sqs, events) = (world.sqs(), world.events());
    let url = queue_url(&world, "ends-example-com-nth");
    let set = sqs.set_queue_attributes().queue_url(&url);
    let everyone = json!({"Statement": [{
        "Effect": "Allow", "Principal": "*", "Action": "sqs:*",
        "Resource": "*",
    }]});
    let set = set
        .attributes(QueueAttributeName::MessageRetentionPeriod, "60")
        .attributes(QueueAttributeName::Policy, everyone.to_string());
    wait(set.send()).unwrap();
    let untag = sqs.untag_queue().queue_url(&url).tag_keys("Name");
    wait(untag.send()).unwrap();
    wait(sqs.tag_queue().queue_url(&url).tags("team", "web").send()).unwrap();
    let rule = format!("{NAME}-SpotInterruption");
    let put = events.put_rule().name(&rule).event_pattern(r#"{"source":["aws.s3"]}"#);
    wait(put.send()).unwrap();
    let scheduled = format!("{NAME}-InstanceScheduledChange");
    wait(events.disable_rule().name(&scheduled).send()).unwrap();
    let topic = "arn:aws:sns:us-west-2:123456789012:theirs";
    let target = aws_sdk_eventbridge::types::Target::builder().id("1").arn(topic).build().unwrap();
    let state = format!("{NAME}-InstanceStateChange");
    wait(events.remove_targets().rule(&state).ids("1").send()).unwrap();
    wait(events.put_targets().rule(&state).targets(target).send()).unwrap();
    let hook = world.autoscaling().put_lifecycle_hook();
    let hook = hook
        .auto_scaling_group_name(format!("nodes.{NAME}"))
        .lifecycle_hook_name("nodes-NTHLifecycleHook")
        .lifecycle_transition("autoscaling:EC2_INSTANCE_TERMINATING")
        .default_result("ABANDON")
        .heartbeat_timeout(60);
    wait(hook.send()).unwrap();
    let plan = world.plan(NAME, &[]);
    assert_eq!(
        actions(&plan),
        [
            "update SQS/ends-example-com-nth".to_owned(),
            format!("update EventBridgeRule/{scheduled}"),
            format!("update EventBridgeRule/{rule}"),
            format!("create EventBridgeTarget/{state}-Target"),
            "update AutoscalingLifecycleHook/nodes-NTHLifecycleHook".to_owned(),
        ]
    );
    let queue = change(&plan, "SQS/ends-example-com-nth");
    assert!(queue["permissions"].to_string().contains("sqs:*"), "{queue:#}");
    world.apply(NAME);
    world.assert_settled(NAME, &[]);
    let dump = world.dump();
    assert_eq!(dump["ends-example-com-nth queue"]["tags"]["team"], "web");
    let targets = dump[format!("{state} rule")]["targets"].as_array().unwrap();
    let ids: Vec<&str> = targets.iter().map(|target| target["Id"].as_str().unwrap()).collect();
    assert_eq!((ids, &targets[0]["Arn"]), (vec!["1", "2"], &json!(topic)));
    let run = world.ok(&["delete", "cluster", NAME]);
    assert!(run.stdout.contains(topic), "{run:#?}");
    world.ok(&["delete", "cluster", NAME, "--yes"]);
    assert_eq!(passing(&world), [""; 0]);
}

#[test]
fn events_that_are_not_asked_for_any_more_go_and_the_rest_only_when_it_is_asked_for() {
    let world = World::whole("ends_off", NAME, &specs(BALANCED));
    world.apply(NAME);
    world.assert_settled(NAME, &[]);
    let mut all = EVENTS.to_vec();
    all.insert(3, "RebalanceRecommendation");
    assert_eq!(passing(&world), own(NAME, &all));
    world.replace(&specs(""));
    let rebalance = format!("delete EventBridgeRule/{NAME}-RebalanceRecommendation");
    assert_eq!(actions(&world.plan(NAME, &[])), [rebalance]);
    world.apply(NAME);
    world.assert_settled(NAME, &[]);
    assert_eq!(passing(&world), own(NAME, &EVENTS));
    world.replace(&specs(OFF));
    world.apply(NAME);
    assert_eq!(passing(&world), own(NAME, &EVENTS));
    assert_eq!(hooks(&world, &format!("nodes.{NAME}")), [ON_THE_WAY_OUT]);
    world.ok(&["update", "cluster", NAME, "--yes", "--prune"]);
    world.assert_settled(NAME, &[]);
    assert_eq!(passing(&world), [""; 0]);
    assert_eq!(hooks(&world, &format!("nodes.{NAME}")), [""; 0]);
}

#[test]
fn instances_wait_to_be_ready_for_a_warm_pool_as_long_as_there_is_one() {
    let pool = "  warmPool: {minSize: 1, enableLifecycleHook: true, lifecycleHookTimeout: 900}\n";
    let world = World::whole("ends_warm", NAME, &specs_of(NAME, OFF, pool));
    world.apply(NAME);
    world.assert_settled(NAME, &[]);
    assert_eq!(hooks(&world, &format!("nodes.{NAME}")), [format!("{ON_THE_WAY_IN} 900")]);
    let pool = pool.replace(", lifecycleHookTimeout: 900", "");
    world.replace(&specs_of(NAME, OFF, &pool));
    world.apply(NAME);
    assert_eq!(hooks(&world, &format!("nodes.{NAME}")), [format!("{ON_THE_WAY_IN} 600")]);
    world.replace(&specs_of(NAME, OFF, &pool.replace("enableLifecycleHook: true", "")));
    let expected = "delete AutoscalingLifecycleHook/kops-warmpool-nodes";
    assert_eq!(actions(&world.plan(NAME, &[])), [expected]);
    world.apply(NAME);
    world.assert_settled(NAME, &[]);
    assert_eq!(hooks(&world, &format!("nodes.{NAME}")), [""; 0]);
    world.replace(&specs_of(NAME, OFF, &pool.replace("true", "true, lifecycleHookTimeout: 9")));
    let said = world.fails(&["update", "cluster", NAME]);
    assert!(said.contains("warmPool.lifecycleHookTimeout"), "{said}");
    assert!(said.contains("is 9; AWS takes 30 to 7200 seconds"), "{said}");
}

#[test]
fn a_queue_that_another_cluster_has_is_neither_taken_nor_deleted() {
    // Dots and hyphens are one in the name of a queue.
    let (one, other) = ("a-b.example.com", "a.b.example.com");
    let world = World::whole("ends_one_name", one, &specs_of(one, "", ""));
    world.apply(one);
    world.create(&specs_of(other, "", ""));
    world.keep_ssh_key(other);
    let before = world.dump();
    let said = world.fails(&["update", "cluster", other, "--yes"]);
    assert!(said.contains("SQS/a-b-example-com-nth: there is one already"), "{said}");
    assert!(said.contains(&format!("it is the cluster {one}'s: rename one of the two")), "{said}");
    assert_eq!(world.dump(), before);
    // Without a queue there is room for both.
    world.replace(&specs_of(other, OFF, ""));
    world.apply(other);
    world.ok(&["update", "cluster", other, "--yes", "--prune"]);
    world.ok(&["delete", "cluster", other, "--yes"]);
    assert_eq!(world.dump(), before);
}

#[test]
fn of_names_that_begin_alike_each_cluster_has_its_own() {
    let names = ["b.example.com", "b.example.com-c.example.com"];
    let world = World::whole("ends_alike", names[0], &specs_of(names[0], "", ""));
    world.apply(names[0]);
    world.create(&specs_of(names[1], "", ""));
    world.keep_ssh_key(names[1]);
    world.apply(names[1]);
    world.assert_settled(names[0], &[]);
    world.ok(&["update", "cluster", names[0], "--yes", "--prune"]);
    world.ok(&["delete", "cluster", names[0], "--yes"]);
    assert_eq!(passing(&world), own(names[1], &EVENTS));
    world.assert_settled(names[1], &[]);
    world.ok(&["delete", "cluster", names[1], "--yes"]);
    assert_eq!(passing(&world), [""; 0]);
}

#[test]
fn a_name_that_was_a_queue_s_until_now_is_waited_for() {
    let world = World::whole("ends_recent", NAME, &specs(""));
    let error = "AWS.SimpleQueueService.QueueDeletedRecently";
    world.rules(json!([{"operation": "sqs:CreateQueue", "nth": 1, "error": error}]));
    world.apply(NAME);
    let calls = world.calls();
    assert_eq!(calls.iter().filter(|call| call.operation == "CreateQueue").count(), 2);
    assert_eq!(passing(&world), own(NAME, &EVENTS));
}

#[test]
fn what_goes_while_the_plan_is_carried_out_is_no_failure() {
    let world = World::whole("ends_gone", NAME, &specs(""));
    world.apply(NAME);
    let gone = |operation: &str, error: &str| json!({"operation": operation, "error": error});
    world.rules(json!([
        gone("sqs:DeleteQueue", "AWS.SimpleQueueService.NonExistentQueue"),
        gone("events:RemoveTargets", "ResourceNotFoundException"),
        gone("events:DeleteRule", "ResourceNotFoundException"),
    ]));
    world.ok(&["delete", "cluster", NAME, "--yes"]);
}
