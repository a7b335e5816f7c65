//! Whoever may not look at something is told which permission lacks: a run neither breaks off
//! without a plan, nor passes over what it does not know.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_route53::types::{
    Change, ChangeAction, ChangeBatch, ResourceRecord, ResourceRecordSet, RrType,
};
use serde_json::json;

use crate::harness::{TARGET_GROUP, World, cluster, group, wait};

const IMAGE: &str = "  image: ami-10100000\n";

/// Refuses each read of a dry run: all calls of an operation, and the last alone. Only what is
/// `needless`, since all that it could tell is seen otherwise, may leave the plan as it is.
#[track_caller]
fn walk(world: &World, cluster: &str, more: &[&str], needless: &[&str]) -> BTreeSet<String> {
    let args = [&["update", "cluster", cluster], more].concat();
    world.forget_calls();
    let whole = world.ok(&args);
    let mut reads: BTreeMap<String, u64> = BTreeMap::new();
    for call in world.calls() {
        // Who asks who they are needs no permission, and cannot be refused (STS API Reference,
        // `GetCallerIdentity`); the state store is no part of the plan.
        if !["s3", "sts"].contains(&call.service.as_str()) {
            *reads.entry(format!("{}:{}", call.service, call.operation)).or_default() += 1;
        }
    }
    for (read, count) in &reads {
        let all = json!([{"operation": format!("{read}$"), "error": "AccessDenied"}]);
        let mut last = all.clone();
        last[0]["nth"] = json!(count);
        let ways = if *count > 1 { vec![all, last] } else { vec![all] };
        for rules in ways {
            let nth = rules[0]["nth"].as_u64();
            world.rules(rules);
            let run = world.run(&args);
            world.rules(json!([]));
            let is_planned = !run.stdout.is_empty();
            assert!(is_planned, "{read} ends the run: {run:#?}");
            let is_refused = run.stderr.contains("the plan cannot be applied for");
            assert_eq!(run.code, i32::from(is_refused), "{read}: {run:#?}");
            if needless.contains(&read.as_str()) {
                assert_eq!((&run.stdout, &run.stderr), (&whole.stdout, &whole.stderr), "{read}");
                continue;
            }
            let told = format!("{}{}", run.stdout, run.stderr);
            // One alone may be of a role that is not there, which another read tells.
            let is_needless =
                nth.is_some() && (&run.stdout, &run.stderr) == (&whole.stdout, &whole.stderr);
            let is_told = told.contains(&format!("allow {read}"));
            assert!(is_told || is_needless, "{read} is passed over: {run:#?}");
        }
    }
    reads.into_keys().collect()
}

#[test]
fn of_a_cluster_in_a_network_of_others() {
    const NAME: &str = "refused.private.example.com";
    let world = World::whole("refused_private", NAME, &cluster(NAME, ""));
    let laid_out = world.lay_out(&format!("loadBalancerName: my-elb\n{TARGET_GROUP}\n"));
    let id = |name: &str| laid_out[name].as_str().unwrap().to_owned();
    let own = format!(
        "  annotations: {{kapstan.io/bootstrap: none}}\n  networkID: {}\n  iam: {{}}\n  dnsZone: private.example.com
  api: {{loadBalancer: {{type: Public}}}}\n",
        id("vpc-12345678"),
    );
    let private = format!(
        "    type: Private\n    egress: {}\n  - name: utility-a\n    zone: us-west-2a
    cidr: 172.20.4.0/22\n    type: Utility\n",
        id("i-12345678")
    );
    let external = format!(
        "{IMAGE}  mixedInstancesPolicy: {{instances: [m5.large, m4.large]}}
  externalLoadBalancers:\n  - loadBalancerName: my-elb\n  - targetGroupArn: {}\n",
        id(TARGET_GROUP)
    );
    let cluster = cluster(NAME, &own).replace("    type: Public\n", &private).replace(
        "    masters: public\n    nodes: public\n",
        "    masters: private\n    nodes: private\n    dns: {type: Private}\n",
    );
    let specs =
        [cluster, group(NAME, "masters", "Master", IMAGE), group(NAME, "nodes", "Node", &external)];
    world.replace_or_create(&specs.join("---\n"));
    let before = walk(&world, NAME, &[], &[]);
    world.apply(NAME);
    // What stands is told by the route that leads there.
    let after = walk(&world, NAME, &[], &["ec2:DescribeInstances"]);
    for read in [
        "ec2:DescribeInstances",
        "elasticloadbalancing:DescribeTargetGroups",
        "elasticloadbalancing:DescribeLoadBalancers",
    ] {
        assert!(before.contains(read), "{read}: {before:?}");
    }
    for read in [
        "ec2:DescribeVpcAttribute",
        "elasticloadbalancing:DescribeTags",
        "elasticloadbalancing:DescribeLoadBalancerAttributes",
        "route53:GetHostedZone",
        "route53:ListResourceRecordSets",
    ] {
        assert!(after.contains(read), "{read}: {after:?}");
    }
}

#[test]
fn of_a_cluster_behind_a_network_load_balancer() {
    const NAME: &str = "refused.example.com";
    let own = "  annotations: {kapstan.io/bootstrap: none}\n  iam: {}\n  api: {loadBalancer: {type: Public, class: Network}}\n";
    let specs = [
        cluster(NAME, own),
        group(NAME, "masters", "Master", IMAGE),
        group(NAME, "nodes", "Node", IMAGE),
    ];
    let world = World::whole("refused_network", NAME, &specs.join("---\n"));
    walk(&world, NAME, &[], &[]);
    world.apply(NAME);
    // As masters do that tell their own addresses.
    addresses_instead(&world, &format!("api.{NAME}"));
    let reads = walk(&world, NAME, &[], &[]);
    for read in [
        "elasticloadbalancing:DescribeListeners",
        "elasticloadbalancing:DescribeLoadBalancerAttributes",
        "elasticloadbalancing:DescribeTags",
        "ec2:DescribeInstances",
    ] {
        assert!(reads.contains(read), "{read}: {reads:?}");
    }
}

/// Lets a record lead to the addresses of the masters.
fn addresses_instead(world: &World, name: &str) {
    let filter = aws_sdk_ec2::types::Filter::builder().name("tag:k8s.io/role/master");
    let call = world.ec2().describe_instances().filters(filter.values("1").build());
    let found = wait(call.send()).unwrap();
    let instance = &found.reservations()[0].instances()[0];
    let route53 = aws_sdk_route53::Client::new(&world.sdk());
    let zones = wait(route53.list_hosted_zones().send()).unwrap();
    let zone = zones.hosted_zones().iter().find(|zone| zone.name() == "example.com.").unwrap();
    let record = ResourceRecord::builder().value(instance.private_ip_address().unwrap());
    let set = ResourceRecordSet::builder().name(name).r#type(RrType::A).ttl(60);
    let set = set.resource_records(record.build().unwrap()).build().unwrap();
    let change = Change::builder().action(ChangeAction::Upsert).resource_record_set(set);
    let batch = ChangeBatch::builder().changes(change.build().unwrap()).build().unwrap();
    let call = route53.change_resource_record_sets().hosted_zone_id(zone.id());
    wait(call.change_batch(batch).send()).unwrap();
}

#[test]
fn of_what_the_spec_no_longer_has() {
    const NAME: &str = "refused.example.com";
    let specs = |own: &str, groups: &[(&str, &str)]| {
        let own = format!("  iam: {{}}\n{own}");
        let groups = groups.iter().map(|(name, role)| group(NAME, name, role, IMAGE));
        let all: Vec<String> = std::iter::once(cluster(NAME, &own)).chain(groups).collect();
        all.join("---\n")
    };
    let left = [("masters", "Master"), ("nodes", "Node")];
    let gone = [("bastions", "Bastion"), ("more", "Node")];
    let rich = specs("  api: {loadBalancer: {type: Public}}\n", &[left, gone].concat());
    let world = World::whole("refused_removals", NAME, &rich);
    world.apply(NAME);
    let client = world.autoscaling();
    for name in ["nodes", "more"] {
        let call = client.create_launch_configuration().launch_configuration_name(name);
        let call = call.image_id("ami-12345678").instance_type("t2.medium");
        wait(call.user_data("IyEvYmluL2Jhc2gK").send()).unwrap();
        let name = format!("{name}.{NAME}");
        let call = client.update_auto_scaling_group().auto_scaling_group_name(&name);
        let call = call.launch_configuration_name(name.split('.').next().unwrap());
        wait(call.send()).unwrap();
    }
    for (name, _) in gone {
        world.ok(&["delete", "ig", name, "--name", NAME, "--yes"]);
    }
    world.replace(&specs("", &left));
    for more in [&[][..], &["--prune"]] {
        let reads = walk(&world, NAME, more, &[]);
        for read in [
            "autoscaling:DescribeLaunchConfigurations",
            "elasticloadbalancing:DescribeTags",
            "iam:ListAttachedRolePolicies",
            "route53:ListResourceRecordSets",
        ] {
            assert!(reads.contains(read), "{read}: {reads:?}");
        }
    }
}

#[test]
fn of_a_cluster_that_is_deleted_and_of_the_state_store() {
    const NAME: &str = "refused.example.com";
    let specs = [
        cluster(NAME, "  annotations: {kapstan.io/bootstrap: none}\n  iam: {}\n"),
        group(NAME, "masters", "Master", IMAGE),
        group(NAME, "nodes", "Node", IMAGE),
    ];
    let world = World::whole("refused_deletion", NAME, &specs.join("---\n"));
    world.apply(NAME);
    world.forget_calls();
    world.ok(&["delete", "cluster", NAME]);
    let of_aws =
        world.calls().into_iter().filter(|call| !["s3", "sts"].contains(&call.service.as_str()));
    let reads: BTreeSet<String> =
        of_aws.map(|call| format!("{}:{}", call.service, call.operation)).collect();
    assert!(reads.len() > 20, "{reads:?}");
    for read in &reads {
        world.rules(json!([{"operation": format!("{read}$"), "error": "AccessDenied"}]));
        let run = world.run(&["delete", "cluster", NAME]);
        let told = format!("{}{}", run.stdout, run.stderr);
        assert!(told.contains(&format!("allow {read}")), "{run:#?}");
        let is_held = run.code == 0 && run.stdout.contains("is not known");
        assert!(is_held || run.stderr.contains("so nothing was deleted"), "{run:#?}");
    }
    for read in ["GetObject", "ListBucket", "ListObjects"] {
        world.rules(json!([{"operation": format!("s3:{read}"), "error": "AccessDenied"}]));
        let run = world.run(&["update", "cluster", NAME]);
        if run.code != 0 {
            assert!(run.stderr.contains("; allow s3:"), "{run:#?}");
        }
    }
    world.rules(json!([]));
}
