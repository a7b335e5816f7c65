//! Deleting what something else holds, what is gone already, and what takes its time.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use aws_sdk_ec2::types::{
    Filter, IpPermission, ResourceType, SecurityGroup, Tag, TagSpecification, UserIdGroupPair,
};
use serde_json::{Value as Json, json};

use crate::harness::{STRICT, World, cluster, document, group, specs, wait};

const NAME: &str = "dev.example.com";
const IMAGE: &str = "  image: ami-10100000\n";
const DELETE: [&str; 4] = ["delete", "cluster", NAME, "--yes"];

/// A cluster with private subnets, whose plans look at everything.
fn built(test: &str) -> World {
    let own = "  annotations: {kapstan.io/bootstrap: none}\n  iam: {}\n  api: {loadBalancer: {type: Public}}\n";
    let utility =
        "  - name: utility\n    zone: us-west-2a\n    cidr: 172.20.4.0/22\n    type: Utility\n";
    let cluster = cluster(NAME, own)
        .replace("    type: Public\n", &format!("    type: Private\n{utility}"))
        .replace("masters: public\n    nodes: public", "masters: private\n    nodes: private");
    let groups = [group(NAME, "masters", "Master", IMAGE), group(NAME, "nodes", "Node", IMAGE)];
    let world = World::whole(test, NAME, &[cluster, groups.join("---\n")].join("---\n"));
    world.apply(NAME);
    world
}

/// A cluster of which only IAM was built.
fn identities(test: &str) -> World {
    let world = World::with(test, &specs(NAME, STRICT));
    world.apply(NAME);
    world
}

fn named(name: &str) -> Filter {
    Filter::builder().name("tag:Name").values(name).build()
}

fn count(world: &World, operation: &str) -> usize {
    world.calls().iter().filter(|call| call.operation == operation).count()
}

fn group_of(world: &World, name: &str) -> SecurityGroup {
    let chosen = Filter::builder().name("group-name").values(name).build();
    let found = wait(world.ec2().describe_security_groups().filters(chosen).send()).unwrap();
    found.security_groups()[0].clone()
}

fn all_from(group: &str) -> IpPermission {
    let pair = UserIdGroupPair::builder().group_id(group).build();
    IpPermission::builder().ip_protocol("-1").user_id_group_pairs(pair).build()
}

/// Somebody's managed policy, attached to a role.
fn attached(world: &World, role: &str) -> String {
    let statement = json!({"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"});
    let text = document(json!([statement])).to_string();
    let call = world.iam().create_policy().policy_name("theirs").policy_document(text);
    let arn = wait(call.send()).unwrap().policy().unwrap().arn().unwrap().to_owned();
    wait(world.iam().attach_role_policy().role_name(role).policy_arn(&arn).send()).unwrap();
    arn
}

#[track_caller]
fn assert_says(said: &str, texts: &[&str]) {
    for text in texts {
        assert!(said.contains(text), "{text} in {said}");
    }
}

#[test]
fn managed_policies_are_detached_and_stay() {
    let world = identities("del_attached");
    let arn = attached(&world, &format!("nodes.{NAME}"));
    let told = world.ok(&DELETE[..3]);
    assert_says(&told.stdout, &[&format!("attachedPolicy  {arn} → –")]);
    world.ok(&DELETE);
    wait(world.iam().get_policy().policy_arn(&arn).send()).unwrap();
    assert!(wait(world.iam().get_role().role_name(format!("nodes.{NAME}")).send()).is_err());
}

#[test]
fn a_role_in_somebody_s_profile_is_named_at_once() {
    let world = identities("del_profile");
    wait(world.iam().create_instance_profile().instance_profile_name("theirs").send()).unwrap();
    let add = world.iam().add_role_to_instance_profile().instance_profile_name("theirs");
    wait(add.role_name(format!("nodes.{NAME}")).send()).unwrap();
    let said = world.fails(&DELETE);
    assert_says(&said, &["DeleteConflict", "instance profile theirs holds it"]);
    assert_eq!(count(&world, "ListInstanceProfilesForRole"), 3, "looks at one role");
    let remove = world.iam().remove_role_from_instance_profile().instance_profile_name("theirs");
    wait(remove.role_name(format!("nodes.{NAME}")).send()).unwrap();
    world.ok(&DELETE);
}

#[test]
fn what_others_have_in_the_network_is_named_at_once() {
    let world = built("del_network");
    let ec2 = world.ec2();
    let nodes = group_of(&world, &format!("nodes.{NAME}"));
    let (nodes, vpc) = (nodes.group_id().unwrap(), nodes.vpc_id().unwrap());
    let create = ec2.create_security_group().group_name("theirs").description("theirs");
    let theirs = wait(create.vpc_id(vpc).send()).unwrap().group_id().unwrap().to_owned();
    let allow = ec2.authorize_security_group_ingress().group_id(&theirs);
    wait(allow.ip_permissions(all_from(nodes)).send()).unwrap();
    let subnet = wait(ec2.create_subnet().vpc_id(vpc).cidr_block("172.20.240.0/24").send());
    let subnet = subnet.unwrap().subnet().unwrap().subnet_id().unwrap().to_owned();
    let interface = ec2.create_network_interface().subnet_id(&subnet).groups(nodes);
    let interface = wait(interface.description("their database").send()).unwrap();
    let interface = interface.network_interface().unwrap().network_interface_id().unwrap();

    let rule_of = format!("a rule of security group {theirs} (theirs)");
    let eni = format!("network interface {interface} (their database) holds it");
    assert_says(&world.fails(&DELETE), &[&rule_of, &eni]);
    wait(ec2.delete_network_interface().network_interface_id(interface).send()).unwrap();
    let revoke = ec2.revoke_security_group_ingress().group_id(&theirs);
    wait(revoke.ip_permissions(all_from(nodes)).send()).unwrap();

    let said = world.fails(&DELETE);
    let holders = format!("subnet {subnet}, security group {theirs} (theirs) holds it");
    assert_says(&said, &["VPC/", "DependencyViolation", &holders]);
    wait(ec2.delete_subnet().subnet_id(subnet).send()).unwrap();
    assert_says(&world.fails(&DELETE), &["VPC/", &format!("; security group {theirs} (theirs)")]);
    wait(ec2.delete_security_group().group_id(theirs).send()).unwrap();
    world.ok(&DELETE);
}

#[test]
fn interfaces_of_a_balancer_that_is_going_are_waited_for() {
    let world = built("del_going");
    let ec2 = world.ec2();
    let subnet = wait(ec2.describe_subnets().filters(named(&format!("utility.{NAME}"))).send());
    let subnet = subnet.unwrap().subnets()[0].subnet_id().unwrap().to_owned();
    let interface = ec2.create_network_interface().subnet_id(subnet);
    let interface = wait(interface.description("ELB that-is-going").send()).unwrap();
    let interface = interface.network_interface().unwrap().network_interface_id().unwrap();
    world.forget_calls();
    let mut child =
        world.command(&DELETE).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    // More looks than it takes to be sure of what stays.
    while count(&world, "DescribeNetworkInterfaces") < 4 {
        std::thread::sleep(std::time::Duration::from_millis(50));
        assert!(child.try_wait().unwrap().is_none(), "it ended");
    }
    wait(ec2.delete_network_interface().network_interface_id(interface).send()).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn more_groups_than_go_at_once_may_be_named_by_one_that_comes_later() {
    let world = built("del_naming");
    let ec2 = world.ec2();
    let nodes = group_of(&world, &format!("nodes.{NAME}"));
    let (nodes, vpc) = (nodes.group_id().unwrap(), nodes.vpc_id().unwrap());
    let own = Tag::builder().key(format!("kubernetes.io/cluster/{NAME}")).value("owned").build();
    for nth in 0..9 {
        let name = format!("k8s-elb-{nth}");
        let tags = TagSpecification::builder().resource_type(ResourceType::SecurityGroup);
        let create = ec2.create_security_group().group_name(&name).description(&name).vpc_id(vpc);
        let create = create.tag_specifications(tags.tags(own.clone()).build());
        let group = wait(create.send()).unwrap().group_id().unwrap().to_owned();
        let allow = ec2.authorize_security_group_ingress().group_id(nodes);
        wait(allow.ip_permissions(all_from(&group)).send()).unwrap();
    }
    world.ok(&DELETE);
}

/// A security group with the cluster's tags, of which a rule names another.
fn naming(world: &World, name: &str, other: &SecurityGroup) -> String {
    let tag = |key: &str, value: &str| Tag::builder().key(key).value(value).build();
    let tags = TagSpecification::builder().resource_type(ResourceType::SecurityGroup);
    let tags = tags.tags(tag(&format!("kubernetes.io/cluster/{NAME}"), "owned"));
    let tags = tags.tags(tag("KubernetesCluster", NAME)).build();
    let create = world.ec2().create_security_group().group_name(name).description(name);
    let create = create.vpc_id(other.vpc_id().unwrap()).tag_specifications(tags);
    let id = wait(create.send()).unwrap().group_id().unwrap().to_owned();
    let allow = world.ec2().authorize_security_group_ingress().group_id(&id);
    wait(allow.ip_permissions(all_from(other.group_id().unwrap())).send()).unwrap();
    id
}

fn names_in_rules(world: &World, group: &str) -> Vec<String> {
    let found = wait(world.ec2().describe_security_groups().group_ids(group).send()).unwrap();
    let rules = found.security_groups()[0].ip_permissions();
    let named = rules.iter().flat_map(|rule| rule.user_id_group_pairs());
    named.filter_map(|pair| pair.group_id().map(str::to_owned)).collect()
}

#[test]
fn a_rule_of_a_group_that_the_spec_names_stays_though_its_tags_are_the_cluster_s() {
    let world = built("del_named_rule");
    let nodes = group_of(&world, &format!("nodes.{NAME}"));
    let nodes_id = nodes.group_id().unwrap().to_owned();
    let (named, ours) = (naming(&world, "named", &nodes), naming(&world, "ours", &nodes));
    let more = format!("{IMAGE}  additionalSecurityGroups: [{named}]\n");
    world.replace(&group(NAME, "masters", "Master", &more));

    let said = world.fails(&DELETE);
    assert_says(&said, &[&format!("a rule of security group {named} (named)")]);
    assert!(!said.contains(&format!("a rule of security group {ours}")), "{said}");
    assert_eq!(names_in_rules(&world, &named), [nodes_id.as_str()]);
    let left = wait(world.ec2().describe_security_groups().group_ids(&ours).send());
    assert!(left.is_err(), "{left:?}");

    let revoke = world.ec2().revoke_security_group_ingress().group_id(&named);
    wait(revoke.ip_permissions(all_from(&nodes_id)).send()).unwrap();
    wait(world.ec2().delete_security_group().group_id(named).send()).unwrap();
    world.ok(&DELETE);
}

#[test]
fn a_group_is_deleted_with_the_rules_of_the_plan_and_no_others() {
    let world = built("del_later_rule");
    let ec2 = world.ec2();
    let groups = ["masters", "nodes"].map(|role| group_of(&world, &format!("{role}.{NAME}")));
    let [masters, nodes] = groups.each_ref().map(|group| group.group_id().unwrap());
    let beside = ec2.run_instances().image_id("ami-10100000").min_count(1).max_count(1);
    let beside = wait(beside.security_group_ids(nodes).send()).unwrap();
    let beside = beside.instances()[0].instance_id().unwrap();
    let shown = world.ok(&DELETE[..3]).stdout;
    assert_says(&shown, &[&format!("rule of {nodes}  ingress"), &format!(" from {masters} → –")]);
    assert!(!shown.contains(&format!("rule of {masters}")), "{shown}");

    let subnet = wait(ec2.describe_subnets().filters(named(&format!("utility.{NAME}"))).send());
    let subnet = subnet.unwrap().subnets()[0].subnet_id().unwrap().to_owned();
    let interface = ec2.create_network_interface().subnet_id(subnet).groups(masters);
    let interface = wait(interface.description("ELB that-is-going").send()).unwrap();
    let interface = interface.network_interface().unwrap().network_interface_id().unwrap();
    world.forget_calls();
    let mut child =
        world.command(&DELETE).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    while names_in_rules(&world, nodes).contains(&masters.to_owned()) {
        std::thread::sleep(std::time::Duration::from_millis(50));
        assert!(child.try_wait().unwrap().is_none(), "it ended");
    }
    let later = ec2.authorize_security_group_ingress().group_id(nodes);
    let pair = UserIdGroupPair::builder().group_id(masters).build();
    let rule = IpPermission::builder().ip_protocol("tcp").from_port(9).to_port(9);
    wait(later.ip_permissions(rule.user_id_group_pairs(pair).build()).send()).unwrap();
    wait(ec2.delete_network_interface().network_interface_id(interface).send()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert_says(&said, &[&format!("a rule of security group {nodes} (nodes.{NAME}) holds it")]);
    assert!(names_in_rules(&world, nodes).contains(&masters.to_owned()));

    wait(ec2.terminate_instances().instance_ids(beside).send()).unwrap();
    world.ok(&DELETE);
}

#[test]
fn a_group_that_is_pruned_waits_for_rules_of_groups_that_the_spec_names() {
    let specs = |masters: &str| {
        let own = cluster(NAME, "  annotations: {kapstan.io/bootstrap: none}\n  iam: {}\n");
        let masters = format!("{IMAGE}{masters}");
        [own, group(NAME, "masters", "Master", &masters), group(NAME, "nodes", "Node", IMAGE)]
            .join("---\n")
    };
    let bastions = group(NAME, "bastions", "Bastion", IMAGE);
    let world = World::whole("del_pruned_rule", NAME, &[specs(""), bastions].join("---\n"));
    world.apply(NAME);
    let bastion = group_of(&world, &format!("bastion.{NAME}"));
    let bastion_id = bastion.group_id().unwrap();
    let named = naming(&world, "named", &bastion);
    world.ok(&["delete", "ig", "bastions", "--name", NAME, "--yes"]);
    world.replace(&specs(&format!("  additionalSecurityGroups: [{named}]\n")));
    let run = world.ok(&["update", "cluster", NAME, "--yes", "--prune"]);
    let stays = format!(
        "= SecurityGroup/bastion.{NAME} ({bastion_id})  stays: named by a rule of {named}, which"
    );
    assert_says(&run.stdout, &[&stays]);
    assert_eq!(names_in_rules(&world, &named), [bastion_id]);
    let revoke = world.ec2().revoke_security_group_ingress().group_id(&named);
    wait(revoke.ip_permissions(all_from(bastion_id)).send()).unwrap();
    world.ok(&["update", "cluster", NAME, "--yes", "--prune"]);
    let left = wait(world.ec2().describe_security_groups().group_ids(bastion_id).send());
    assert!(left.is_err(), "{left:?}");
}

#[test]
fn a_role_that_no_group_has_any_more_goes_with_what_is_attached_to_it() {
    let specs = [
        specs(NAME, "  annotations: {kapstan.io/bootstrap: none}\n  iam: {}\n"),
        group(NAME, "bastions", "Bastion", ""),
    ];
    let specs = specs.join("---\n").replace("  role:", "  image: ami-10100000\n  role:");
    let world = World::whole("del_pruned", NAME, &specs);
    world.apply(NAME);
    let arn = attached(&world, &format!("bastions.{NAME}"));
    world.ok(&["delete", "ig", "bastions", "--name", NAME, "--yes"]);
    let told = world.ok(&["update", "cluster", NAME]);
    assert_says(&told.stdout, &[&format!("attachedPolicy  {arn} → –")]);
    world.ok(&["update", "cluster", NAME, "--yes", "--prune"]);
    assert!(wait(world.iam().get_role().role_name(format!("bastions.{NAME}")).send()).is_err());
    wait(world.iam().get_policy().policy_arn(&arn).send()).unwrap();
}

/// How AWS says that what a call is to delete is gone.
const GONE: &[(&str, &str, &str)] = &[
    ("ec2:DeleteLaunchTemplate", "InvalidLaunchTemplateId.NotFound", ""),
    ("ec2:DeleteVolume", "InvalidVolume.NotFound", ""),
    ("ec2:DeleteKeyPair", "InvalidKeyPair.NotFound", ""),
    ("ec2:DeleteSecurityGroup", "InvalidGroup.NotFound", ""),
    ("ec2:DeleteNatGateway", "NatGatewayNotFound", ""),
    ("ec2:ReleaseAddress", "InvalidAllocationID.NotFound", ""),
    ("ec2:DetachInternetGateway", "Gateway.NotAttached", ""),
    ("ec2:DeleteInternetGateway", "InvalidInternetGatewayID.NotFound", ""),
    ("ec2:DisassociateRouteTable", "InvalidAssociationID.NotFound", ""),
    ("ec2:DeleteRouteTable", "InvalidRouteTableID.NotFound", ""),
    ("ec2:DeleteSubnet", "InvalidSubnetID.NotFound", ""),
    ("ec2:DeleteVpc", "InvalidVpcID.NotFound", ""),
    ("ec2:DeleteDhcpOptions", "InvalidDhcpOptionID.NotFound", ""),
    ("elasticloadbalancing:DeleteLoadBalancer", "LoadBalancerNotFound", ""),
    ("iam:DeleteRolePolicy", "NoSuchEntity", ""),
    ("iam:RemoveRoleFromInstanceProfile", "NoSuchEntity", ""),
    ("iam:DeleteInstanceProfile", "NoSuchEntity", ""),
    ("iam:DeleteRole", "NoSuchEntity", ""),
    ("route53:ChangeResourceRecordSets", "NoSuchHostedZone", ""),
    (
        "autoscaling:DeleteAutoScalingGroup",
        "ValidationError",
        "AutoScalingGroup name not found - AutoScalingGroup not found",
    ),
];

#[test]
fn what_is_gone_meanwhile_is_no_failure() {
    let world = built("del_gone");
    // Somebody is always a moment faster: each call does it, and is told that it was done.
    let rule = |(operation, code, words): &(&str, &str, &str)| {
        let operation = format!("{operation}$");
        json!({"operation": operation, "error": code, "message": words, "late": true})
    };
    world.rules(GONE.iter().map(rule).collect::<Json>());
    world.forget_calls();
    world.ok(&DELETE);
    for (operation, ..) in GONE {
        let (_, operation) = operation.split_once(':').unwrap();
        assert!(count(&world, operation) > 0, "{operation}");
    }
    world.rules(json!([]));
    let left = world.everything();
    assert!(!left.iter().any(|id| id.contains(NAME)), "{left:#?}");
}

#[test]
fn instances_go_though_one_of_them_is_gone() {
    let world = built("del_instances");
    let gone = json!({
        "operation": "ec2:TerminateInstances$", "nth": 1, "error": "InvalidInstanceID.NotFound",
    });
    world.rules(json!([gone]));
    world.forget_calls();
    world.ok(&DELETE);
    assert_eq!(count(&world, "TerminateInstances"), 2);
}

#[test]
fn a_wait_says_what_for_and_ends_at_the_first_interrupt() {
    let world = built("del_interrupted");
    let busy = "ScalingActivityInProgress";
    world.rules(json!([{"operation": "autoscaling:DeleteAutoScalingGroup$", "error": busy}]));
    let mut child =
        world.command(&DELETE).stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let told = lines.find(|line| line.contains(" waits for ")).unwrap();
    assert_says(&told, &["AutoscalingGroup/", "what AWS is doing with it", busy, "Ctrl-C"]);
    let pid = child.id().to_string();
    std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap();
    let rest: Vec<String> = lines.collect();
    assert_eq!(child.wait().unwrap().code(), Some(1), "{rest:#?}");
    assert!(rest.iter().any(|line| line.contains("was stopped")), "{rest:#?}");
    world.rules(json!([]));
    world.ok(&DELETE);
}
