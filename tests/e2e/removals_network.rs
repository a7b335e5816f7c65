//! What the spec no longer has of load balancers, ways out and keys.

use aws_sdk_ec2::types as sdk;
use serde_json::json;

use crate::harness::{Run, World, wait};
use crate::topologies::{PRIVATE, PRIVATE_TOPOLOGY, PUBLIC, spec};

const NAME: &str = "left.example.com";

fn public(more: &str) -> String {
    spec(NAME, PUBLIC, more)
}

fn private(more: &str) -> String {
    spec(NAME, PRIVATE, &format!("{PRIVATE_TOPOLOGY}{more}"))
}

fn api(class: &str) -> String {
    format!("  api: {{loadBalancer: {{type: Public, class: {class}}}}}\n")
}

/// A cluster that was built of one spec, and has another now.
fn changed(test: &str, from: &str, to: &str) -> World {
    let world = World::whole(test, NAME, from);
    world.apply(NAME);
    world.assert_settled(NAME, &[]);
    world.replace(to);
    world
}

#[track_caller]
fn look(world: &World) -> Run {
    let run = world.run(&["update", "cluster", NAME, "--detailed-exitcode"]);
    assert_eq!(run.code, 2, "{run:#?}");
    run
}

/// The lines on what the spec no longer has: the mark, and what begins so.
#[track_caller]
fn assert_listed(run: &Run, listed: &[&str]) {
    let (_, removals) = run.stdout.split_once("no longer in the spec").unwrap_or_default();
    let lines: Vec<&str> = removals
        .lines()
        .filter(|line| line.starts_with("  - ") || line.starts_with("  = "))
        .collect();
    for expected in listed {
        let is_it = |line: &&str| line.trim_start().starts_with(expected);
        assert!(lines.iter().any(is_it), "{expected} in {run:#?}");
    }
    assert_eq!(lines.len(), listed.len(), "{lines:#?}");
}

#[track_caller]
fn prune(world: &World) -> Vec<String> {
    world.forget_calls();
    world.ok(&["update", "cluster", NAME, "--yes", "--prune"]);
    let writes = world.calls().into_iter().filter(|call| call.write && call.service != "s3");
    writes.map(|call| call.operation).collect()
}

#[track_caller]
fn assert_order(writes: &[String], order: &[&str]) {
    let at = |operation: &&str| {
        let found = writes.iter().position(|write| write == operation);
        found.unwrap_or_else(|| panic!("{operation} in {writes:#?}"))
    };
    let places: Vec<usize> = order.iter().map(at).collect();
    assert!(places.is_sorted(), "{order:?} in {writes:#?}");
}

#[track_caller]
fn assert_gone(world: &World, gone: &[&str]) {
    let left = world.everything();
    let found: Vec<&String> =
        left.iter().filter(|id| gone.iter().any(|gone| id.starts_with(gone))).collect();
    assert!(found.is_empty(), "{found:?}");
}

/// How many load balancers of the API there are, of either class, and target groups.
fn balancers(world: &World) -> (usize, usize) {
    let all = world.everything();
    let count = |prefix: &str| all.iter().filter(|id| id.starts_with(prefix)).count();
    (count("describe_load_balancers api-"), count("describe_target_groups "))
}

#[test]
fn a_classic_load_balancer_makes_room_for_a_network_one() {
    let world = changed("left_classic", &public(&api("Classic")), &public(&api("Network")));
    let run = look(&world);
    assert!(run.stdout.contains("  + NetworkLoadBalancer/api.left.example.com"), "{}", run.stdout);
    assert!(run.stdout.contains("  ~ DNSName/api.left.example.com"), "{}", run.stdout);
    assert_listed(
        &run,
        &[
            "- ClassicLoadBalancer/api-left-example-com-",
            "- ExternalLoadBalancerAttachment/masters.masters.left.example.com → api-left-",
        ],
    );
    assert!(run.stdout.contains("Beside that, 2 removals are due; --prune takes them: "));
    let writes = prune(&world);
    assert_order(
        &writes,
        &["AttachLoadBalancerTargetGroups", "DetachLoadBalancers", "DeleteLoadBalancer"],
    );
    // The name leads to what listens already.
    assert_order(&writes, &["CreateListener", "ChangeResourceRecordSets", "DeleteLoadBalancer"]);
    world.assert_settled(NAME, &[]);
    assert_eq!(balancers(&world), (1, 1));
}

#[test]
fn a_network_load_balancer_makes_room_for_a_classic_one() {
    let world = changed("left_network", &public(&api("Network")), &public(&api("Classic")));
    let run = look(&world);
    assert!(run.stdout.contains("  + ClassicLoadBalancer/api.left.example.com"), "{}", run.stdout);
    assert!(run.stdout.contains("  ~ DNSName/api.left.example.com"), "{}", run.stdout);
    assert_listed(
        &run,
        &[
            "- NetworkLoadBalancer/api-left-example-com-",
            "- TargetGroup/tcp-left-example-com-",
            "- ExternalTargetGroupAttachment/masters.masters.left.example.com → arn:",
        ],
    );
    let writes = prune(&world);
    let detach = "DetachLoadBalancerTargetGroups";
    assert_order(
        &writes,
        &["AttachLoadBalancers", detach, "DeleteLoadBalancer", "DeleteTargetGroup"],
    );
    assert_order(&writes, &["ChangeResourceRecordSets", "DeleteLoadBalancer"]);
    world.assert_settled(NAME, &[]);
    assert_eq!(balancers(&world), (1, 0));
}

#[test]
fn load_balancers_of_both_classes_that_no_spec_has_go_with_what_leads_to_them() {
    let world = changed("left_both", &public(&api("Classic")), &public(&api("Network")));
    // Nothing is lost where nothing is pruned: the name leads to the new one.
    world.apply(NAME);
    let found = world.observe(&json!({}));
    let [alias] = ["DNSName/api.left.example.com A"].map(|id| found[id]["alias"].to_string());
    assert!(alias.contains("api-left"), "{alias}");
    let run = look(&world);
    assert!(run.stdout.contains("left.example.com: nothing to change; "), "{}", run.stdout);
    let due = "2 removals are due; --prune takes them: kapstan update cluster left.example.com \
               --yes --prune\n";
    assert!(run.stdout.ends_with(due), "{}", run.stdout);
    assert!(world.ok(&["update", "cluster", NAME, "--yes"]).stdout.ends_with(due));

    world.replace(&public("  api: {dns: {}}\n"));
    world.apply(NAME);
    assert_listed(
        &look(&world),
        &[
            "- ClassicLoadBalancer/api-left-example-com-",
            "- NetworkLoadBalancer/api-left-example-com-",
            "- TargetGroup/tcp-left-example-com-",
            "- DNSName/api.left.example.com  leads to api-left-example-com-",
            "- DNSName/api.left.example.com-AAAA  leads to api-left-example-com-",
            "- ExternalLoadBalancerAttachment/masters.masters.left.example.com → api-left-",
            "- ExternalTargetGroupAttachment/masters.masters.left.example.com → arn:",
            "- SecurityGroup/api-elb.left.example.com (sg-",
        ],
    );
    let writes = prune(&world);
    assert_order(&writes, &["DeleteLoadBalancer", "DeleteTargetGroup"]);
    assert_order(&writes, &["DeleteLoadBalancer", "DeleteSecurityGroup"]);
    assert_eq!(balancers(&world), (0, 0));
    // The name has a placeholder again.
    world.apply(NAME);
    world.assert_settled(NAME, &[]);
}

/// A classic load balancer with the cluster's tags.
fn classic(world: &World, name: &str) {
    let elb = aws_sdk_elasticloadbalancing::Client::new(&world.sdk());
    let listener = aws_sdk_elasticloadbalancing::types::Listener::builder();
    let listener = listener.protocol("tcp").load_balancer_port(80).instance_port(80).build();
    let tag = aws_sdk_elasticloadbalancing::types::Tag::builder();
    let tag = tag.key("kubernetes.io/cluster/left.example.com").value("owned").build().unwrap();
    let call = elb.create_load_balancer().load_balancer_name(name).tags(tag);
    let call = call.listeners(listener.unwrap()).availability_zones("us-west-2a");
    wait(call.send()).unwrap();
}

#[test]
fn a_load_balancer_that_nothing_stands_behind_is_found_and_those_of_services_stay() {
    let world = World::whole("left_alone", NAME, &public(""));
    world.apply(NAME);
    classic(&world, "api-left-by-an-old-version");
    classic(&world, "a0123456789abcdef0123456789abcdef");
    assert_listed(&look(&world), &["- ClassicLoadBalancer/api-left-by-an-old-version"]);
    prune(&world);
    world.assert_settled(NAME, &[]);
    let all = world.everything();
    assert!(all.iter().any(|id| id.ends_with(" a0123456789abcdef0123456789abcdef")), "{all:#?}");
}

#[test]
fn what_could_not_be_looked_for_is_told() {
    let world = World::whole("left_denied", NAME, &public(""));
    world.apply(NAME);
    let denied = ["ec2:DescribeNatGateways", "elasticloadbalancing:DescribeTargetGroups"];
    let rule = |operation| json!({"operation": operation, "error": "UnauthorizedOperation"});
    world.rules(json!(denied.map(rule)));
    let run = world.ok(&["update", "cluster", NAME]);
    for (kind, operation) in ["NatGateway", "TargetGroup"].iter().zip(denied) {
        let told = format!("{kind}: what the spec no longer has could not be looked for: ");
        let mut lines = run.stderr.lines();
        assert!(lines.any(|line| line.contains(&told) && line.contains(operation)), "{run:#?}");
        let mut lines = run.stderr.lines();
        let next = format!("allow {operation} to have it looked for");
        assert!(lines.any(|line| line.contains(&next)), "{run:#?}");
    }
    let ignored = "NatGateway=Ignore,LoadBalancer=Ignore";
    let run = world.ok(&["update", "cluster", NAME, "--lifecycle-overrides", ignored]);
    assert!(!run.stderr.contains("looked for"), "{run:#?}");
}

#[test]
fn ways_out_go_when_private_subnets_become_public() {
    let world = changed("left_nat", &private(""), &public(&api("Classic")));
    let run = look(&world);
    assert_listed(
        &run,
        &[
            "- Subnet/utility-a.left.example.com (subnet-",
            "- RouteTable/private-us-west-2a.left.example.com (rtb-",
            "- NatGateway/us-west-2a.left.example.com (nat-",
            "- ElasticIP/us-west-2a.left.example.com (",
        ],
    );
    assert!(run.stdout.contains("4 removals are due"), "{}", run.stdout);
    let writes = prune(&world);
    assert_order(
        &writes,
        &["ReplaceRouteTableAssociation", "DeleteNatGateway", "DeleteSubnet", "DeleteRouteTable"],
    );
    assert_order(&writes, &["DeleteNatGateway", "ReleaseAddress"]);
    assert_gone(&world, &["nat ", "address "]);
    world.assert_settled(NAME, &[]);
}

#[test]
fn a_zone_that_left_the_spec_takes_its_way_out_along() {
    let two = format!(
        "{PRIVATE}  - {{name: b, zone: us-west-2b, type: Private}}
  - {{name: utility-b, zone: us-west-2b, type: Utility}}\n"
    );
    let world = changed("left_zone", &spec(NAME, &two, PRIVATE_TOPOLOGY), &private(""));
    assert_listed(
        &look(&world),
        &[
            "- Subnet/b.left.example.com (subnet-",
            "- Subnet/utility-b.left.example.com (subnet-",
            "- RouteTable/private-us-west-2b.left.example.com (rtb-",
            "- NatGateway/us-west-2b.left.example.com (nat-",
            "- ElasticIP/us-west-2b.left.example.com (",
        ],
    );
    // Neither the way out nor the table goes from under a subnet that an instance keeps.
    let subnet = subnet(&world, "b.left.example.com");
    let call = world.ec2().run_instances().min_count(1).max_count(1).subnet_id(&subnet);
    let answer = wait(call.image_id("ami-10100000").send()).unwrap();
    let instance = answer.instances()[0].instance_id().unwrap().to_owned();
    let run = look(&world);
    let used = format!("stays: used by {instance}; when {instance} is gone: ");
    assert_listed(
        &run,
        &[
            &format!("= Subnet/b.left.example.com ({subnet})  {used}"),
            "= Subnet/utility-b.left.example.com (subnet-",
            &format!("= RouteTable/private-us-west-2b.left.example.com ({})", table(&world, "b")),
            "= NatGateway/us-west-2b.left.example.com (nat-",
            "= ElasticIP/us-west-2b.left.example.com (",
        ],
    );
    assert!(run.stdout.contains("5 removals are due, and held back for now as told above"));
    assert_eq!(prune(&world), ["DetachLoadBalancerFromSubnets"]);
    wait(world.ec2().terminate_instances().instance_ids(&instance).send()).unwrap();
    prune(&world);
    world.assert_settled(NAME, &[]);
    assert_eq!(world.everything().iter().filter(|id| id.starts_with("nat ")).count(), 1);
}

fn named(name: &str) -> sdk::Filter {
    sdk::Filter::builder().name("tag:Name").values(name).build()
}

fn subnet(world: &World, name: &str) -> String {
    let answer = wait(world.ec2().describe_subnets().filters(named(name)).send()).unwrap();
    answer.subnets()[0].subnet_id().unwrap().to_owned()
}

/// The private route table of a zone.
fn table(world: &World, zone: &str) -> String {
    let name = format!("private-us-west-2{zone}.left.example.com");
    let answer = wait(world.ec2().describe_route_tables().filters(named(&name)).send()).unwrap();
    answer.route_tables()[0].route_table_id().unwrap().to_owned()
}

/// A NAT gateway of the user's own in the utility subnet.
fn own_gateway(world: &World) -> String {
    let answer = wait(world.ec2().allocate_address().domain(sdk::DomainType::Vpc).send()).unwrap();
    let call = world.ec2().create_nat_gateway().allocation_id(answer.allocation_id().unwrap());
    let call = call.subnet_id(subnet(world, "utility-a.left.example.com"));
    let answer = wait(call.send()).unwrap();
    answer.nat_gateway().unwrap().nat_gateway_id().unwrap().to_owned()
}

fn leaving_by(egress: &str) -> String {
    private("").replacen("type: Private}", &format!("type: Private, egress: {egress}}}"), 1)
}

#[test]
fn a_gateway_makes_room_for_one_of_the_user_s_own_which_never_goes() {
    let world = World::whole("left_egress", NAME, &private(""));
    world.apply(NAME);
    let own = own_gateway(&world);
    world.replace(&leaving_by(&own));
    let made = ["- NatGateway/us-west-2a.left.example.com (nat-", "- ElasticIP/us-west-2a.left"];
    assert_listed(&look(&world), &made);
    let writes = prune(&world);
    assert_order(&writes, &["ReplaceRoute", "DeleteNatGateway", "ReleaseAddress"]);
    world.assert_settled(NAME, &[]);
    let gateways = |world: &World| -> Vec<String> {
        world.everything().into_iter().filter(|id| id.starts_with("nat ")).collect()
    };
    assert_eq!(gateways(&world), [format!("nat {own}")]);

    // Nor does it when the spec does not name it any more, and the subnet stays around it.
    world.replace(&public(&api("Classic")));
    prune(&world);
    let run = world.run(&["update", "cluster", NAME, "--prune", "--detailed-exitcode"]);
    assert_eq!(run.code, 2, "{run:#?}");
    let shared = "stays: tagged kubernetes.io/cluster/left.example.com=shared";
    assert_listed(
        &run,
        &["= Subnet/utility-a.left.example.com (subnet-", &format!("= NatGateway/{own}  {shared}")],
    );
    let around = format!("stays: NAT gateway {own} stands in it; when that has changed: kapstan");
    assert!(run.stdout.contains(&around), "{}", run.stdout);
    assert_eq!(gateways(&world), [format!("nat {own}")]);
}

#[test]
fn a_gateway_stays_as_long_as_a_route_leads_to_it() {
    let world = changed("left_external", &private(""), &leaving_by("External"));
    let table = table(&world, "a");
    let run = look(&world);
    let held = ["= NatGateway/us-west-2a.left.example.com (nat-", "= ElasticIP/us-west-2a.left"];
    assert_listed(&run, &held);
    let why = format!("stays: the way out of {table} to 0.0.0.0/0; when that has changed: kapstan");
    assert!(run.stdout.contains(&why), "{}", run.stdout);
    assert_eq!(prune(&world), [""; 0]);
    let call = world.ec2().delete_route().route_table_id(&table);
    wait(call.destination_cidr_block("0.0.0.0/0").send()).unwrap();
    prune(&world);
    assert_gone(&world, &["nat ", "address "]);
    world.assert_settled(NAME, &[]);
}

const OTHER_KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f\n";

#[test]
fn the_key_pair_of_an_earlier_key_goes_when_nothing_starts_with_it() {
    let world = World::whole("left_key", NAME, &public(""));
    world.apply(NAME);
    let keys = |world: &World| -> Vec<String> {
        world.everything().into_iter().filter(|id| id.starts_with("key ")).collect()
    };
    let [old] = &keys(&world)[..] else { panic!("one key") };
    let old = old.trim_start_matches("key ");
    let foreign = world.ec2().create_key_pair().key_name("kubernetes.left.example.com-mine");
    wait(foreign.send()).unwrap();
    world.assert_settled(NAME, &[]);
    let kept = wait(world.s3().list_objects_v2().bucket(&world.bucket).send()).unwrap();
    let keys_kept = kept.contents().iter().filter_map(|object| object.key());
    for key in keys_kept.filter(|key| key.contains("/pki/ssh/public/")) {
        wait(world.s3().delete_object().bucket(&world.bucket).key(key).send()).unwrap();
    }
    let key = world.write("other.pub", OTHER_KEY);
    world.ok(&["create", "secret", "sshpublickey", "admin", "-i", &key, "--name", NAME]);
    // Templates are not looked at here.
    let run = world.ok(&["update", "cluster", NAME, "--phase", "security"]);
    let why = "stays: whether launch templates name it was not looked at; when that has changed: ";
    assert_listed(&run, &[&format!("= SSHKey/{old}  {why}")]);
    let ignored = "LaunchTemplate=ExistsAndWarnIfChanges";
    let run = world.ok(&["update", "cluster", NAME, "--lifecycle-overrides", ignored]);
    let why = "stays: named by LaunchTemplate/masters.masters.left.example.com; when";
    assert_listed(&run, &[&format!("= SSHKey/{old}  {why}")]);
    // The template has a new version first.
    assert_listed(&look(&world), &[&format!("= SSHKey/{old}  stays: AutoscalingGroup/")]);
    world.apply(NAME);
    assert_listed(&look(&world), &[&format!("- SSHKey/{old}  not in the spec any more")]);
    prune(&world);
    world.assert_settled(NAME, &[]);
    let left = keys(&world);
    assert!(left.len() == 2 && !left.contains(&format!("key {old}")), "{left:?}");
    assert!(left.contains(&"key kubernetes.left.example.com-mine".to_owned()), "{left:?}");
}
