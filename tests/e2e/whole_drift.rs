//! What others did to a converged cluster: shown, mended, and nothing else touched; and what
//! is no drift.

use aws_sdk_autoscaling::types::Tag as GroupTag;
use aws_sdk_ec2::types::{Filter, IpPermission, IpRange, Tag, VolumeType};
use serde_json::{Value as Json, json};

use crate::harness::{World, cluster, group, wait};

const NAME: &str = "drift.example.com";
const OWN: &str =
    "  annotations: {kapstan.io/bootstrap: none}\n  iam: {}\n  sshAccess: [198.51.100.0/24]\n";

fn world(test: &str) -> World {
    let image = "  image: ami-10100000\n";
    let nodes = format!("{image}  cloudLabels: {{team: blue}}\n");
    let specs = [
        cluster(NAME, OWN),
        group(NAME, "masters", "Master", image),
        group(NAME, "nodes", "Node", &nodes),
    ];
    let world = World::whole(&format!("whole_{test}"), NAME, &specs.join("---\n"));
    world.apply(NAME);
    world.assert_settled(NAME, &[]);
    world
}

/// The changes of a plan: action, id, and fields as `name: before → after`.
fn changes(world: &World) -> Vec<String> {
    let plan = world.plan(NAME, &[]);
    let tell = |change: &Json| {
        let text = |value: &Json| value.as_str().unwrap_or("–").to_owned();
        let fields: Vec<String> = change["fields"]
            .as_array()
            .unwrap()
            .iter()
            .map(|f| {
                format!("{}: {} → {}", text(&f["field"]), text(&f["before"]), text(&f["after"]))
            })
            .collect();
        format!("{} {} {}", text(&change["action"]), text(&change["id"]), fields.join(", "))
    };
    plan["changes"].as_array().unwrap().iter().map(tell).collect()
}

/// Asserts that the drift is told so, mended by one run, and that AWS then is as before.
#[track_caller]
fn assert_mended(world: &World, before: &Json, told: &[&str]) {
    assert_eq!(changes(world), told);
    world.apply(NAME);
    world.assert_settled(NAME, &[]);
    assert_eq!(world.observe(&json!({})), *before);
}

fn named(name: &str) -> Filter {
    Filter::builder().name("tag:Name").values(name).build()
}

fn group_id(world: &World, name: &str) -> String {
    let by_name = Filter::builder().name("group-name").values(name).build();
    let answer = wait(world.ec2().describe_security_groups().filters(by_name).send()).unwrap();
    answer.security_groups()[0].group_id().unwrap().to_owned()
}

fn ssh_from(cidr: &str) -> IpPermission {
    let range = IpRange::builder().cidr_ip(cidr).build();
    IpPermission::builder().ip_protocol("tcp").from_port(22).to_port(22).ip_ranges(range).build()
}

#[test]
fn rules_that_lack_and_rules_too_many() {
    let world = world("drift_rules");
    let before = world.observe(&json!({}));
    let nodes = group_id(&world, "nodes.drift.example.com");
    let revoke = world.ec2().revoke_security_group_ingress().group_id(&nodes);
    wait(revoke.ip_permissions(ssh_from("198.51.100.0/24")).send()).unwrap();
    let authorize = world.ec2().authorize_security_group_ingress().group_id(&nodes);
    wait(authorize.ip_permissions(ssh_from("203.0.113.0/24")).send()).unwrap();
    assert_mended(
        &world,
        &before,
        &[
            "create SecurityGroupRule/from-198.51.100.0/24-ingress-tcp-22to22-nodes.drift.example.com \
             group: – → nodes.drift.example.com, from: – → 198.51.100.0/24, protocol: – → tcp, \
             ports: – → 22, tags[\"KubernetesCluster\"]: – → drift.example.com, \
             tags[\"Name\"]: – → from-198.51.100.0/24-ingress-tcp-22to22-nodes.drift.example.com, \
             tags[\"kubernetes.io/cluster/drift.example.com\"]: – → owned",
            "delete SecurityGroupRule/nodes.drift.example.com: ingress tcp 22 from 203.0.113.0/24 \
             rule: ingress tcp 22 from 203.0.113.0/24 → –",
        ],
    );
}

#[test]
fn tags_that_were_changed() {
    let world = world("drift_tags");
    let before = world.observe(&json!({}));
    let subnets = world.ec2().describe_subnets().filters(named("us-west-2a.drift.example.com"));
    let subnet = wait(subnets.send()).unwrap().subnets()[0].subnet_id().unwrap().to_owned();
    let tag = Tag::builder().key("kubernetes.io/role/elb").value("0").build();
    wait(world.ec2().create_tags().resources(subnet).tags(tag).send()).unwrap();
    let tag = |key: &str, value: &str| {
        GroupTag::builder()
            .key(key)
            .value(value)
            .resource_id("nodes.drift.example.com")
            .resource_type("auto-scaling-group")
            .propagate_at_launch(true)
            .build()
    };
    let call = world.autoscaling().create_or_update_tags();
    wait(call.tags(tag("team", "red")).tags(tag("extra", "1")).send()).unwrap();
    assert_mended(
        &world,
        &before,
        &[
            "update Subnet/us-west-2a.drift.example.com tags[\"kubernetes.io/role/elb\"]: 0 → 1",
            "update AutoscalingGroup/nodes.drift.example.com tags[\"team\"]: red → blue, \
             tags[\"extra\"]: 1 → –",
        ],
    );
}

#[test]
fn a_subnet_that_was_moved_to_another_table() {
    let world = world("drift_association");
    let before = world.observe(&json!({}));
    let vpcs = world.ec2().describe_vpcs().filters(named(NAME));
    let vpc = wait(vpcs.send()).unwrap().vpcs()[0].vpc_id().unwrap().to_owned();
    let table = wait(world.ec2().create_route_table().vpc_id(vpc).send()).unwrap();
    let table = table.route_table().unwrap().route_table_id().unwrap().to_owned();
    let tables = wait(world.ec2().describe_route_tables().filters(named(NAME)).send()).unwrap();
    let ours = tables.route_tables()[0].associations();
    let id = ours.iter().find(|one| one.subnet_id().is_some()).unwrap();
    let id = id.route_table_association_id().unwrap();
    let replace = world.ec2().replace_route_table_association().association_id(id);
    wait(replace.route_table_id(&table).send()).unwrap();
    let told = format!(
        "update RouteTableAssociation/us-west-2a.drift.example.com routeTable: {table} → {NAME}"
    );
    assert_eq!(changes(&world), [told]);
    world.apply(NAME);
    wait(world.ec2().delete_route_table().route_table_id(table).send()).unwrap();
    assert_eq!(world.observe(&json!({})), before);
}

#[test]
fn volumes_that_were_changed() {
    let world = world("drift_volume");
    let volume = |etcd: &str| {
        let call = world.ec2().describe_volumes();
        let call = call.filters(named(&format!("a.etcd-{etcd}.drift.example.com")));
        wait(call.send()).unwrap().volumes()[0].volume_id().unwrap().to_owned()
    };
    let before = world.observe(&json!({}));
    let modify = world.ec2().modify_volume().volume_id(volume("events"));
    wait(modify.volume_type(VolumeType::Gp2).send()).unwrap();
    let told = "update EBSVolume/a.etcd-events.drift.example.com type: gp2 → gp3";
    assert_mended(&world, &before, &[told]);
    // Grown by hand: EBS never shrinks a volume.
    wait(world.ec2().modify_volume().volume_id(volume("main")).size(50).send()).unwrap();
    let told = "leave EBSVolume/a.etcd-main.drift.example.com size: 50 → 20";
    assert_eq!(changes(&world), [told]);
    let run = world.ok(&["update", "cluster", NAME]);
    assert!(run.stdout.contains("EBS cannot shrink a volume"), "{run:#?}");
    let volume = "EBSVolume/a.etcd-main.drift.example.com";
    let told = [format!("! {volume}"), format!("warning: {volume}: is not as wanted")];
    world.assert_settled_but(NAME, &[], &[&told[0], &told[1]]);
}

#[test]
fn a_volume_that_is_too_large_gets_back_its_tag_and_its_type() {
    let world = world("drift_volume_tag");
    let id = "EBSVolume/a.etcd-main.drift.example.com";
    let volumes = world.ec2().describe_volumes();
    let volumes = volumes.filters(named("a.etcd-main.drift.example.com"));
    let volume = wait(volumes.send()).unwrap().volumes()[0].volume_id().unwrap().to_owned();
    let modify = world.ec2().modify_volume().volume_id(&volume).size(30);
    wait(modify.volume_type(VolumeType::Gp2).send()).unwrap();
    let found = world.observe(&json!({}));
    let tag = Tag::builder().key("k8s.io/etcd/main").build();
    wait(world.ec2().delete_tags().resources(&volume).tags(tag).send()).unwrap();
    let mended = format!("update {id} type: gp2 → gp3, tags[\"k8s.io/etcd/main\"]: – → a/a");
    let left = format!("leave {id} size: 30 → 20");
    assert_eq!(changes(&world), [mended, left.clone()]);
    let dry = world.run(&["update", "cluster", NAME, "--detailed-exitcode"]);
    assert_eq!(dry.code, 2, "{dry:#?}");
    assert!(dry.stdout.contains("1 to change, 0 to create, 0 to delete, 1 left"), "{dry:#?}");
    world.apply(NAME);
    assert_eq!(changes(&world), [left]);
    let told = [format!("! {id}"), format!("warning: {id}: is not as wanted, and is left so: EBS")];
    world.assert_settled_but(NAME, &[], &[&told[0], &told[1]]);
    let modify = world.ec2().modify_volume().volume_id(&volume);
    wait(modify.volume_type(VolumeType::Gp2).send()).unwrap();
    assert_eq!(world.observe(&json!({})), found);
}

#[test]
fn a_network_load_balancer_of_another_scheme_is_refused_with_its_subnets() {
    let image = "  image: ami-10100000\n";
    let own = format!("{OWN}  api: {{loadBalancer: {{type: Public, class: Network}}}}\n");
    let inner = "{name: inner, zone: us-west-2a, cidr: 172.20.64.0/19, type: Private, \
                 egress: External}";
    let subnets = format!("    type: Public\n  - {inner}\n");
    let specs = [
        cluster(NAME, &own).replace("    type: Public\n", &subnets),
        group(NAME, "masters", "Master", image),
        group(NAME, "nodes", "Node", image),
    ];
    let world = World::whole("whole_drift_scheme", NAME, &specs.join("---\n"));
    world.apply(NAME);
    let before = world.observe(&json!({}));
    let elb = aws_sdk_elasticloadbalancingv2::Client::new(&world.sdk());
    let balancer = || {
        let found = wait(elb.describe_load_balancers().send()).unwrap();
        found.load_balancers()[0].load_balancer_arn().unwrap().to_owned()
    };
    world.ok(&["set", "cluster", NAME, "spec.api.loadBalancer.type=Internal"]);
    // In the subnets of the one scheme, a load balancer of the other would not be reached.
    let refused = || {
        let said = world.fails(&["update", "cluster", NAME, "--yes"]);
        let line = "keeps the subnets that it has, and its addresses in them";
        assert!(said.contains(line), "{said}");
    };
    refused();
    assert_eq!(world.observe(&json!({})), before);
    // What is advised: first the one way, then the other.
    world.ok(&["set", "cluster", NAME, "spec.api.loadBalancer.type=Public"]);
    world.apply(NAME);
    world.assert_settled(NAME, &[]);
    world.ok(&["set", "cluster", NAME, "spec.api.loadBalancer.type=Internal"]);
    refused();
    wait(elb.delete_load_balancer().load_balancer_arn(balancer()).send()).unwrap();
    world.apply(NAME);
    world.assert_settled(NAME, &[]);
}

#[test]
fn what_the_autoscaler_does_is_no_drift() {
    let world = world("drift_size");
    let call = world.autoscaling().update_auto_scaling_group();
    let call = call.auto_scaling_group_name("nodes.drift.example.com").max_size(5);
    wait(call.send()).unwrap();
    let told = "update AutoscalingGroup/nodes.drift.example.com maxSize: 5 → 1";
    assert_eq!(changes(&world), [told]);
    let specs = wait(async { world.ok(&["get", "ig", "nodes", "--name", NAME, "-o", "yaml"]) });
    world.replace(&specs.stdout.replace("maxSize: 1", "maxSize: 5"));
    world.assert_settled(NAME, &[]);
    let call = world.autoscaling().set_desired_capacity();
    let call = call.auto_scaling_group_name("nodes.drift.example.com").desired_capacity(4);
    wait(call.send()).unwrap();
    assert_eq!(changes(&world), [""; 0]);
    world.assert_settled(NAME, &[]);
}

#[test]
fn a_group_without_its_load_balancer_gets_it_back() {
    let image = "  image: ami-10100000\n";
    let own = format!("{OWN}  api: {{loadBalancer: {{type: Public, idleTimeoutSeconds: 600}}}}\n");
    let specs = [
        cluster(NAME, &own),
        group(NAME, "masters", "Master", image),
        group(NAME, "nodes", "Node", image),
    ];
    let world = World::whole("whole_drift_balancer", NAME, &specs.join("---\n"));
    world.apply(NAME);
    let before = world.observe(&json!({}));
    let client = aws_sdk_elasticloadbalancing::Client::new(&world.sdk());
    let all = wait(client.describe_load_balancers().send()).unwrap();
    let name = all.load_balancer_descriptions()[0].load_balancer_name().unwrap().to_owned();
    let call = world.autoscaling().detach_load_balancers();
    let call = call.auto_scaling_group_name("masters.masters.drift.example.com");
    wait(call.load_balancer_names(&name).send()).unwrap();
    wait(client.delete_load_balancer().load_balancer_name(&name).send()).unwrap();
    let told = changes(&world);
    let ids: Vec<&str> = told.iter().filter_map(|line| line.split(' ').nth(1)).collect();
    // The record leads nowhere without it.
    assert_eq!(
        ids,
        [
            "ClassicLoadBalancer/api.drift.example.com",
            "DNSName/api.drift.example.com",
            "DNSName/api.drift.example.com-AAAA",
            "LoadBalancerAttachment/api-masters",
        ]
    );
    world.apply(NAME);
    world.assert_settled(NAME, &[]);
    let after = world.observe(&json!({}));
    assert_eq!(
        after[format!("ClassicLoadBalancer/{name}")],
        before[format!("ClassicLoadBalancer/{name}")]
    );
}
