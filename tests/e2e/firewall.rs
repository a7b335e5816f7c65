//! Security groups and their rules.

use std::collections::BTreeMap;

use aws_sdk_ec2::types::{Filter, IpPermission, IpRange, SecurityGroupRule, Tag};
use serde_json::json;

use crate::harness::{World, cluster, group, wait};

const NAME: &str = "rules.example.com";
const OWN: &str = "  bootstrap: none\n  iam: {}\n";
const IMAGE: &str = "  image: ami-10100000\n";

fn specs(more: &str, nodes: &str) -> String {
    [
        cluster(NAME, &format!("{OWN}{more}")),
        group(NAME, "masters", "Master", IMAGE),
        group(NAME, "nodes", "Node", &format!("{IMAGE}{nodes}")),
    ]
    .join("---\n")
}

fn create_vpc(world: &World) -> String {
    let vpc = wait(world.ec2().create_vpc().cidr_block("172.20.0.0/16").send()).unwrap();
    vpc.vpc().unwrap().vpc_id().unwrap().to_owned()
}

fn create_group(world: &World, name: &str, vpc: &str) -> String {
    let create = world.ec2().create_security_group().group_name(name).description(name);
    wait(create.vpc_id(vpc).send()).unwrap().group_id.unwrap()
}

fn id_of(world: &World, name: &str) -> String {
    let chosen = Filter::builder().name("group-name").values(name).build();
    let found = wait(world.ec2().describe_security_groups().filters(chosen).send()).unwrap();
    found.security_groups()[0].group_id().unwrap().to_owned()
}

fn rules_of(world: &World, group: &str) -> Vec<SecurityGroupRule> {
    let chosen = Filter::builder().name("group-id").values(group).build();
    let call = world.ec2().describe_security_group_rules().filters(chosen);
    wait(call.send()).unwrap().security_group_rules().to_vec()
}

fn tags(rule: &SecurityGroupRule) -> BTreeMap<&str, &str> {
    let tags = rule.tags().iter();
    tags.map(|tag| (tag.key().unwrap(), tag.value().unwrap())).collect()
}

fn names(rules: &[SecurityGroupRule]) -> Vec<String> {
    let mut names: Vec<String> =
        rules.iter().map(|rule| tags(rule).get("Name").unwrap_or(&"none").to_string()).collect();
    names.sort();
    names
}

fn permission(protocol: &str, port: i32, range: &str) -> IpPermission {
    let range = IpRange::builder().cidr_ip(range).build();
    let permission = IpPermission::builder().ip_protocol(protocol).ip_ranges(range);
    permission.from_port(port).to_port(port).build()
}

#[test]
fn a_group_in_place_of_the_cluster_s_own_gets_its_rules_and_loses_what_names_it() {
    let world = World::bare("rules_instead");
    world.zone("example.com", "ZSANDBOX");
    let vpc = create_vpc(&world);
    let gateway = wait(world.ec2().create_internet_gateway().send()).unwrap();
    let gateway = gateway.internet_gateway().unwrap().internet_gateway_id().unwrap().to_owned();
    let attach = world.ec2().attach_internet_gateway().internet_gateway_id(gateway);
    wait(attach.vpc_id(&vpc).send()).unwrap();
    let theirs = create_group(&world, "theirs", &vpc);
    world.create(&specs(
        &format!("  networkID: {vpc}\n"),
        &format!("  securityGroupOverride: {theirs}\n"),
    ));
    world.keep_ssh_key(NAME);
    world.apply(NAME);
    world.assert_settled(NAME, &[]);

    let laid_out = json!({"theirs": theirs});
    let found = world.observe(&laid_out);
    assert!(found[format!("SecurityGroup/masters.{NAME}")].is_object(), "{found}");
    assert!(found[format!("SecurityGroup/nodes.{NAME}")].is_null(), "{found}");
    assert_eq!(
        names(&rules_of(&world, &theirs)),
        [
            format!("from-masters.{NAME}-ingress-all-0to0-{theirs}-Node"),
            format!("from-{theirs}-Node-egress-all-0to0-0.0.0.0/0"),
            format!("from-{theirs}-Node-egress-all-0to0-::/0"),
            format!("from-{theirs}-Node-ingress-all-0to0-{theirs}-Node"),
        ]
    );
    let masters = id_of(&world, &format!("masters.{NAME}"));
    let from_theirs = format!("from-{theirs}-Node-ingress-udp-1to65535-masters.{NAME}");
    assert!(names(&rules_of(&world, &masters)).contains(&from_theirs));

    world.ok(&["delete", "cluster", NAME, "--yes"]);
    let found = world.observe(&laid_out);
    assert!(found[format!("SecurityGroup/masters.{NAME}")].is_null(), "{found}");
    assert!(found["SecurityGroup/theirs"].is_object(), "{found}");
    assert_eq!(
        names(&rules_of(&world, &theirs)),
        [
            format!("from-{theirs}-Node-egress-all-0to0-0.0.0.0/0"),
            format!("from-{theirs}-Node-egress-all-0to0-::/0"),
            format!("from-{theirs}-Node-ingress-all-0to0-{theirs}-Node"),
        ]
    );
}

#[test]
fn rules_are_tagged_those_too_that_a_group_comes_with() {
    let list = "pl-0123456789abcdef0";
    let world = World::whole("rules_tags", NAME, &specs(&format!("  sshAccess: [{list}]\n"), ""));
    world.apply(NAME);
    world.assert_settled(NAME, &[]);
    let nodes = id_of(&world, &format!("nodes.{NAME}"));
    let all_out = format!("from-nodes.{NAME}-egress-all-0to0-0.0.0.0/0");
    let ssh = format!("from-0.0.0.0/0-ingress-tcp-22to22-nodes.{NAME}");
    let rules = rules_of(&world, &nodes);
    for name in [&all_out, &ssh] {
        let rule = rules.iter().find(|rule| tags(rule)["Name"] == name).unwrap();
        assert_eq!(tags(rule)[format!("kubernetes.io/cluster/{NAME}").as_str()], "owned");
        assert_eq!(tags(rule)["KubernetesCluster"], NAME);
    }
    let from_list = rules.iter().find(|rule| rule.prefix_list_id() == Some(list)).unwrap();
    assert_eq!(tags(from_list)["Name"], ssh);

    // As kops tagged them before it tagged rules.
    let ids = rules.iter().map(|rule| rule.security_group_rule_id().unwrap().to_owned());
    let untag = world.ec2().delete_tags().set_resources(Some(ids.collect()));
    let keys = tags(&rules[0]).into_keys().map(|key| Tag::builder().key(key).build());
    wait(untag.set_tags(Some(keys.collect())).send()).unwrap();
    assert_eq!(names(&rules_of(&world, &nodes)), vec!["none"; rules.len()]);
    let plan = world.plan(NAME, &[]);
    let changes = plan["changes"].as_array().unwrap();
    assert_eq!(changes.len(), rules.len(), "{changes:#?}");
    assert!(changes.iter().all(|change| change["action"] == "update"), "{changes:#?}");
    world.forget_calls();
    world.apply(NAME);
    let writes = world.calls();
    let writes = writes.iter().filter(|call| call.write && call.service == "ec2");
    assert!(writes.clone().all(|call| call.operation == "CreateTags"), "no rule is made anew");
    assert_eq!(writes.count(), rules.len());
    world.assert_settled(NAME, &[]);
    assert_eq!(names(&rules_of(&world, &nodes)), names(&rules));
}

#[test]
fn rules_too_many_go_from_the_ports_that_are_the_cluster_s_own() {
    let world = World::whole("rules_too_many", NAME, &specs("", ""));
    world.apply(NAME);
    let [masters, nodes] =
        ["masters", "nodes"].map(|role| id_of(&world, &format!("{role}.{NAME}")));
    let ec2 = world.ec2();
    let theirs = "203.0.113.0/24";
    let allow = ec2.authorize_security_group_ingress().group_id(&masters);
    let allow = allow.ip_permissions(permission("tcp", 8443, theirs));
    let allow = allow.ip_permissions(permission("icmpv6", -1, theirs));
    let allow = allow.ip_permissions(permission("-1", -1, theirs));
    wait(allow.ip_permissions(permission("tcp", 31000, theirs)).send()).unwrap();
    let out = ec2.authorize_security_group_egress().group_id(&nodes);
    wait(out.ip_permissions(permission("tcp", 25, theirs)).send()).unwrap();

    let shown = world.ok(&["update", "cluster", NAME, "--yes"]).stdout;
    for gone in ["tcp 8443", "icmpv6", "all"] {
        let told = format!("- SecurityGroupRule/masters.{NAME}: ingress {gone} from {theirs}");
        assert!(shown.contains(&told), "{told}: {shown}");
    }
    let left = |group: &str| {
        let rules = rules_of(&world, group);
        let theirs = rules.iter().filter(|rule| rule.cidr_ipv4() == Some(theirs));
        theirs.map(|rule| rule.from_port().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(left(&masters), [31000]);
    assert_eq!(left(&nodes), [25]);
}

#[test]
fn a_security_group_of_another_vpc_is_refused_and_both_are_named() {
    let world = World::bare("rules_elsewhere");
    world.zone("example.com", "ZSANDBOX");
    let (vpc, other) = (create_vpc(&world), create_vpc(&world));
    let theirs = create_group(&world, "theirs", &other);
    let nodes = format!("  additionalSecurityGroups: [{theirs}]\n");
    world.create(&specs("", &nodes));
    world.keep_ssh_key(NAME);
    let said = world.fails(&["update", "cluster", NAME]);
    let told = said.split_whitespace().collect::<Vec<_>>().join(" ");
    let expected = |vpc: &str| {
        format!(
            "error: SecurityGroup/{theirs}: it is in {other}, and the cluster's VPC is {vpc}: \
             instances and load balancers take groups of their own VPC alone (EC2 user guide, \
             security groups); name a group of that VPC in the spec"
        )
    };
    assert!(told.contains(&expected(NAME)), "there is none yet: {said}");

    world.replace(&specs(&format!("  networkID: {vpc}\n"), &nodes));
    let said = world.fails(&["update", "cluster", NAME]);
    let told = said.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(told.contains(&expected(&vpc)), "{said}");
    let there = create_group(&world, "there", &vpc);
    world.replace(&specs(
        &format!("  networkID: {vpc}\n"),
        &format!("  additionalSecurityGroups: [{there}]\n"),
    ));
    assert!(!world.run(&["update", "cluster", NAME]).stderr.contains("SecurityGroup/"));
}
