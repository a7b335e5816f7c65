//! Creations whose answers are lost, late or incomplete; what stands twice; and neighbours of
//! what is the cluster's.

use std::process::Stdio;

use aws_sdk_ec2::types::{Filter, ResourceType, Tag, TagSpecification};
use serde_json::{Value as Json, json};

use crate::harness::{World, cluster, group, specs, wait};

const NAME: &str = "makes.example.com";
const OWN: &str = "  annotations: {kapstan.io/bootstrap: none}\n  iam: {}\n";
const IMAGE: &str = "  image: ami-10100000\n";

fn simple(more: &str) -> String {
    let groups = [group(NAME, "masters", "Master", IMAGE), group(NAME, "nodes", "Node", IMAGE)];
    [cluster(NAME, &format!("{OWN}{more}")), groups.join("---\n")].join("---\n")
}

/// A cluster with private subnets, which has a NAT gateway and a load balancer of a class.
fn private(class: &str) -> String {
    let more = format!(
        "  additionalNetworkCIDRs: [10.9.0.0/16]
  api: {{loadBalancer: {{type: Public, class: {class}, useForInternalApi: true}}}}\n"
    );
    simple(&more)
        .replace("    type: Public\n", "    type: Private\n  - name: utility\n    zone: us-west-2a\n    cidr: 172.20.4.0/22\n    type: Utility\n")
        .replace("masters: public\n    nodes: public", "masters: private\n    nodes: private")
}

fn lost(operation: &str, when: &str) -> Json {
    json!({"operation": format!("{operation}$"), "nth": 1, "lose": when})
}

fn names(world: &World) -> Vec<String> {
    let found = world.observe(&json!({}));
    let mut names: Vec<String> = found.as_object().unwrap().keys().cloned().collect();
    names.retain(|name| name.contains("makes"));
    names.sort();
    names
}

fn count(world: &World, operation: &str) -> usize {
    world.calls().iter().filter(|call| call.operation == operation).count()
}

fn by_tag(key: &str, value: &str) -> Filter {
    Filter::builder().name(format!("tag:{key}")).values(value).build()
}

fn cluster_tag() -> Filter {
    by_tag("KubernetesCluster", NAME)
}

/// The volumes of the cluster: name and id.
fn volumes(world: &World) -> Vec<(String, String)> {
    let answer = wait(world.ec2().describe_volumes().filters(cluster_tag()).send()).unwrap();
    let name = |tags: &[Tag]| {
        tags.iter().find(|tag| tag.key() == Some("Name")).unwrap().value().unwrap().to_owned()
    };
    let rows = answer.volumes().iter();
    let mut rows: Vec<_> =
        rows.map(|row| (name(row.tags()), row.volume_id().unwrap().to_owned())).collect();
    rows.sort();
    rows
}

const CLASSIC: [&str; 22] = [
    "ec2:CreateVpc",
    "ec2:CreateInternetGateway",
    "ec2:CreateDhcpOptions",
    "ec2:AllocateAddress",
    "ec2:CreateVolume",
    "ec2:CreateNatGateway",
    "ec2:CreateRouteTable",
    "ec2:CreateLaunchTemplate",
    "ec2:CreateSubnet",
    "ec2:CreateSecurityGroup",
    "ec2:ImportKeyPair",
    "ec2:CreateRoute",
    "ec2:AssociateRouteTable",
    "ec2:AttachInternetGateway",
    "ec2:AuthorizeSecurityGroupIngress",
    "ec2:AssociateVpcCidrBlock",
    "iam:CreateRole",
    "iam:CreateInstanceProfile",
    "iam:AddRoleToInstanceProfile",
    "elasticloadbalancing:CreateLoadBalancer",
    "autoscaling:CreateAutoScalingGroup",
    "route53:ChangeResourceRecordSets",
];

const NETWORK: [&str; 3] = ["CreateTargetGroup", "CreateLoadBalancer", "CreateListener"];

#[test]
fn answers_that_are_lost_make_nothing_twice_and_fail_nothing() {
    let network = NETWORK.map(|operation| format!("elasticloadbalancing:{operation}"));
    let classic = CLASSIC.map(str::to_owned);
    for (class, operations) in [("Classic", classic.as_slice()), ("Network", &network)] {
        let smooth = World::whole(&format!("lost_none_{class}"), NAME, &private(class));
        smooth.apply(NAME);
        let world = World::whole(&format!("lost_all_{class}"), NAME, &private(class));
        let rules: Vec<Json> = operations.iter().map(|name| lost(name, "after")).collect();
        world.rules(json!(rules));
        world.forget_calls();
        world.apply(NAME);
        for operation in operations {
            let (_, name) = operation.split_once(':').unwrap();
            let calls = world.calls();
            let lost = calls.iter().filter(|call| call.operation == name && call.status == 0);
            assert_eq!(lost.count(), 1, "{operation}");
        }
        world.rules(json!([]));
        world.assert_settled(NAME, &[]);
        assert_eq!(names(&world), names(&smooth), "{class}");
        assert_eq!(world.everything().len(), smooth.everything().len(), "{class}");
    }
}

#[test]
fn what_failed_at_aws_is_looked_for_before_it_is_made_again() {
    let world = World::whole("late_failure", NAME, &simple(""));
    let late = |operation: &str| {
        json!({
            "operation": format!("ec2:{operation}$"), "nth": 1, "error": "InternalError",
            "status": 500, "late": true,
        })
    };
    let operations =
        ["CreateVpc", "CreateInternetGateway", "CreateDhcpOptions", "CreateVolume", "CreateSubnet"];
    world.rules(json!(operations.map(late)));
    world.apply(NAME);
    world.rules(json!([]));
    world.assert_settled(NAME, &[]);
    let vpcs = wait(world.ec2().describe_vpcs().filters(cluster_tag()).send()).unwrap();
    assert_eq!(vpcs.vpcs().len(), 1);
    assert_eq!(volumes(&world).len(), 2);
}

#[test]
fn a_call_without_a_token_is_never_sent_twice_without_an_answer() {
    let world = World::whole("never_arrived", NAME, &simple(""));
    world.rules(json!([lost("ec2:CreateVpc", "before")]));
    world.forget_calls();
    let said = world.fails(&["update", "cluster", NAME, "--yes"]);
    assert!(said.contains("VPC/makes.example.com: ec2:CreateVpc of makes.example.com"), "{said}");
    assert!(said.contains("is not sent twice"), "{said}");
    assert_eq!(count(&world, "CreateVpc"), 1);
    world.apply(NAME);
    world.assert_settled(NAME, &[]);
    assert_eq!(count(&world, "CreateVpc"), 2);
}

#[test]
fn a_run_that_does_not_see_what_a_killed_one_made_makes_no_second_volume() {
    let world = World::whole("unseen_volume", NAME, &simple(""));
    world.rules(json!([{"operation": "ec2:CreateVolume", "nth": 1, "hold": "after"}]));
    let mut child = world
        .command(&["update", "cluster", NAME, "--yes"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    while world.held() == 0 {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let unseen =
        |nth| json!({"operation": "ec2:DescribeVolumes", "nth": nth, "strip": "volumeSet"});
    world.rules(json!([unseen(1), unseen(2), unseen(3)]));
    world.apply(NAME);
    world.rules(json!([]));
    world.assert_settled(NAME, &[]);
    assert_eq!(volumes(&world).len(), 2, "{:?}", volumes(&world));
}

#[test]
fn what_was_deleted_on_purpose_is_made_anew_under_another_token() {
    let world = World::whole("deleted_volumes", NAME, &private("Classic"));
    world.apply(NAME);
    let before = volumes(&world);
    for (_, id) in &before {
        wait(world.ec2().delete_volume().volume_id(id).send()).unwrap();
    }
    let gateways = wait(world.ec2().describe_nat_gateways().filter(cluster_tag()).send()).unwrap();
    let gateway = gateways.nat_gateways()[0].nat_gateway_id().unwrap();
    wait(world.ec2().delete_nat_gateway().nat_gateway_id(gateway).send()).unwrap();
    // One is wanted as before, the other otherwise.
    let larger = private("Classic").replacen(
        "    - name: a\n      instanceGroup: masters\n",
        "    - name: a\n      instanceGroup: masters\n      volumeSize: 33\n",
        1,
    );
    world.replace(&larger);
    world.apply(NAME);
    world.assert_settled(NAME, &[]);
    let after = volumes(&world);
    assert_eq!(after.len(), 2);
    assert!(after.iter().all(|row| !before.contains(row)), "{before:?} {after:?}");
}

/// A second one of something that the cluster has, with the same tags.
fn twin_tags(kind: ResourceType, tags: &[Tag]) -> TagSpecification {
    TagSpecification::builder().resource_type(kind).set_tags(Some(tags.to_vec())).build()
}

#[test]
fn of_doubles_it_is_told_which_one_is_used() {
    let world = World::whole("doubles", NAME, &private("Classic"));
    world.apply(NAME);
    let ec2 = world.ec2();
    let answer = wait(ec2.describe_volumes().filters(cluster_tag()).send()).unwrap();
    let used = &answer.volumes()[0];
    let mut tags = used.tags().to_vec();
    tags.push(Tag::builder().key("made-by").value("hand").build());
    let second = wait(
        ec2.create_volume()
            .availability_zone("us-west-2a")
            .size(20)
            .tag_specifications(twin_tags(ResourceType::Volume, &tags))
            .send(),
    )
    .unwrap();
    let groups = wait(world.autoscaling().describe_auto_scaling_groups().send()).unwrap();
    let groups = groups.auto_scaling_groups();
    let instance = groups.iter().find_map(|group| group.instances().first()).unwrap();
    let instance = instance.instance_id().unwrap();
    let (used, second) = (used.volume_id().unwrap(), second.volume_id().unwrap());
    let attach = ec2.attach_volume().volume_id(used).instance_id(instance).device("/dev/xvdu");
    wait(attach.send()).unwrap();

    let answer = wait(ec2.describe_vpcs().filters(cluster_tag()).send()).unwrap();
    let vpc = &answer.vpcs()[0];
    let twin = twin_tags(ResourceType::Vpc, vpc.tags());
    let empty = ec2.create_vpc().cidr_block("172.20.0.0/16").tag_specifications(twin);
    let empty = wait(empty.send()).unwrap().vpc.unwrap().vpc_id.unwrap();

    let answer = wait(ec2.describe_addresses().filters(cluster_tag()).send()).unwrap();
    let address = &answer.addresses()[0];
    let twin = twin_tags(ResourceType::ElasticIp, address.tags());
    let idle = wait(ec2.allocate_address().tag_specifications(twin).send()).unwrap();

    let said = world.fails(&["update", "cluster", NAME]);
    let vpc = vpc.vpc_id().unwrap();
    for expected in [
        format!("{used} (used by {instance}, 20 GiB gp3, made "),
        format!("{second} (not used, 20 GiB gp2, made "),
        "tagged made-by=hand".to_owned(),
        format!("keep {used}, which is used, and delete {second}"),
        format!("{vpc} (used by what is in it, holds 2 subnets, "),
        format!("{empty} (not used, holds nothing of the cluster"),
        format!("keep {vpc}, which is used, and delete {empty}"),
        format!("{} (used by nat-", address.allocation_id().unwrap()),
        format!("{} (not used, ", idle.allocation_id().unwrap()),
    ] {
        let told = said.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(told.contains(&expected), "{expected} in {told}");
    }
}

#[test]
fn an_id_that_is_not_given_is_an_error_at_once() {
    for (operation, element) in [
        ("CreateVpc", "vpcId"),
        ("CreateInternetGateway", "internetGatewayId"),
        ("CreateDhcpOptions", "dhcpOptionsId"),
        ("CreateSubnet", "subnetId"),
        ("CreateRouteTable", "routeTableId"),
        ("CreateSecurityGroup", "groupId"),
        ("CreateVolume", "volumeId"),
        ("AllocateAddress", "allocationId"),
        ("CreateNatGateway", "natGatewayId"),
        ("CreateLaunchTemplate", "launchTemplateId"),
    ] {
        let world = World::whole(&format!("no_id_{operation}"), NAME, &private("Classic"));
        let asked = format!("ec2:{operation}$");
        world.rules(json!([{"operation": asked, "nth": 1, "strip": element}]));
        world.forget_calls();
        let said = world.fails(&["update", "cluster", NAME, "--yes"]);
        assert!(said.contains(&format!("ec2:{operation} of ")), "{said}");
        assert!(said.contains(&format!("AWS' answer has no {element}")), "{said}");
        world.rules(json!([]));
        world.apply(NAME);
        world.assert_settled(NAME, &[]);
    }
}

#[test]
fn a_row_without_its_id_is_an_error_that_names_it() {
    let world = World::whole("rows", NAME, &private("Classic"));
    world.apply(NAME);
    for (operation, element) in [
        ("ec2:DescribeVpcs", "vpcId"),
        ("ec2:DescribeVpcs", "dhcpOptionsId"),
        ("ec2:DescribeSubnets", "subnetId"),
        ("ec2:DescribeSubnets", "vpcId"),
        ("ec2:DescribeInternetGateways", "internetGatewayId"),
        ("ec2:DescribeNatGateways", "natGatewayId"),
        ("ec2:DescribeAddresses", "allocationId"),
        ("ec2:DescribeRouteTables", "routeTableId"),
        ("ec2:DescribeSecurityGroups", "groupName"),
        ("ec2:DescribeSecurityGroupRules", "securityGroupRuleId"),
        ("ec2:DescribeSecurityGroupRules", "isEgress"),
        ("ec2:DescribeDhcpOptions", "dhcpOptionsId"),
        ("ec2:DescribeVolumes", "volumeId"),
        ("ec2:DescribeKeyPairs", "keyName"),
        ("ec2:DescribeKeyPairs", "keyFingerprint"),
        ("ec2:DescribeImages", "imageId"),
        ("ec2:DescribeLaunchTemplateVersions", "launchTemplateName"),
        ("autoscaling:DescribeAutoScalingGroups", "AutoScalingGroupName"),
        ("elasticloadbalancing:DescribeLoadBalancers", "LoadBalancerName"),
        ("sts:GetCallerIdentity", "Account"),
    ] {
        world.rules(json!([{"operation": format!("{operation}$"), "strip": element}]));
        let said = world.fails(&["update", "cluster", NAME]);
        let told = said.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(told.contains(&format!("AWS' answer has no {element}")), "{operation}: {told}");
        assert!(told.contains(operation), "{operation}: {told}");
    }
}

fn elbv2(world: &World) -> aws_sdk_elasticloadbalancingv2::Client {
    aws_sdk_elasticloadbalancingv2::Client::new(&world.sdk())
}

#[test]
fn listeners_of_others_are_left_and_ours_is_changed_in_place() {
    let world = World::whole("network_listeners", NAME, &private("Network"));
    world.apply(NAME);
    let elb = elbv2(&world);
    let balancers = wait(elb.describe_load_balancers().send()).unwrap();
    let balancer = balancers.load_balancers()[0].load_balancer_arn().unwrap().to_owned();
    let found = wait(elb.describe_listeners().load_balancer_arn(&balancer).send()).unwrap();
    let ours = found.listeners()[0].clone();
    let action = ours.default_actions()[0].clone();
    let add = elb.create_listener().load_balancer_arn(&balancer).port(8443);
    let protocol = aws_sdk_elasticloadbalancingv2::types::ProtocolEnum::Tcp;
    wait(add.protocol(protocol.clone()).default_actions(action).send()).unwrap();
    let group = wait(elb.describe_target_groups().send()).unwrap().target_groups()[0].clone();
    let group = group.target_group_arn().unwrap();
    let modify = elb.modify_target_group().target_group_arn(group).healthy_threshold_count(5);
    wait(modify.send()).unwrap();
    let untag = elb.remove_tags().resource_arns(group).tag_keys("KubernetesCluster");
    wait(untag.send()).unwrap();
    // Ours leads to another target group.
    let vpcs = wait(world.ec2().describe_vpcs().filters(cluster_tag()).send()).unwrap();
    let other = elb.create_target_group().name("other").protocol(protocol).port(443);
    let other = other.vpc_id(vpcs.vpcs()[0].vpc_id().unwrap());
    let other =
        wait(other.send()).unwrap().target_groups()[0].target_group_arn().unwrap().to_owned();
    let forward = aws_sdk_elasticloadbalancingv2::types::Action::builder()
        .r#type(aws_sdk_elasticloadbalancingv2::types::ActionTypeEnum::Forward)
        .target_group_arn(&other)
        .build();
    let modify = elb.modify_listener().listener_arn(ours.listener_arn().unwrap());
    wait(modify.default_actions(forward).send()).unwrap();

    let told = world.ok(&["update", "cluster", NAME]).stdout;
    assert!(
        told.contains("NetworkLoadBalancerListener/api.makes.example.com: TCP:8443 → "),
        "{told}"
    );
    assert!(told.contains("not kapstan's, left as it is"), "{told}");
    assert!(told.contains("targetGroup  other → tcp-makes-example-com-"), "{told}");
    assert!(told.contains("healthCheck  TCP every 10s, 5 up, 2 down → TCP every 10s"), "{told}");
    assert!(told.contains("tags[\"KubernetesCluster\"]  – → makes.example.com"), "{told}");
    world.forget_calls();
    world.apply(NAME);
    assert_eq!(count(&world, "DeleteListener"), 0);
    assert_eq!(count(&world, "CreateListener"), 0);
    assert_eq!(count(&world, "ModifyListener"), 1);
    let found = wait(elb.describe_listeners().load_balancer_arn(&balancer).send()).unwrap();
    let mut ports: Vec<i32> = found.listeners().iter().filter_map(|one| one.port()).collect();
    ports.sort_unstable();
    assert_eq!(ports, [443, 8443]);
    world.assert_settled_but(NAME, &[], &["Listener/api.makes.example.com: TCP:8443 → "]);
}

#[test]
fn a_target_group_of_another_network_is_not_taken_as_ours() {
    let world = World::whole("foreign_target_group", NAME, &private("Network"));
    world.apply(NAME);
    let elb = elbv2(&world);
    let groups = wait(elb.describe_target_groups().send()).unwrap();
    let ours = groups.target_groups()[0].clone();
    let name = ours.target_group_name().unwrap().to_owned();
    let balancers = wait(elb.describe_load_balancers().send()).unwrap();
    let balancer = balancers.load_balancers()[0].load_balancer_arn().unwrap();
    let listeners = wait(elb.describe_listeners().load_balancer_arn(balancer).send()).unwrap();
    let listener = listeners.listeners()[0].listener_arn().unwrap();
    wait(elb.delete_listener().listener_arn(listener).send()).unwrap();
    let group = ours.target_group_arn().unwrap();
    wait(elb.delete_target_group().target_group_arn(group).send()).unwrap();
    let other = wait(world.ec2().create_vpc().cidr_block("10.1.0.0/16").send()).unwrap();
    let foreign = elb.create_target_group().name(&name).port(8443);
    let foreign = foreign.protocol(aws_sdk_elasticloadbalancingv2::types::ProtocolEnum::Tcp);
    let foreign = foreign.vpc_id(other.vpc().unwrap().vpc_id().unwrap());
    let foreign = wait(foreign.send()).unwrap();
    world.forget_calls();
    let said = world.fails(&["update", "cluster", NAME, "--yes"]);
    assert!(said.contains("without an owner's tag"), "{said}");
    let tag = aws_sdk_elasticloadbalancingv2::types::Tag::builder();
    let tag = tag.key(format!("kubernetes.io/cluster/{NAME}")).value("owned").build();
    let foreign = foreign.target_groups()[0].target_group_arn().unwrap();
    wait(elb.add_tags().resource_arns(foreign).tags(tag).send()).unwrap();
    world.forget_calls();
    let said = world.fails(&["update", "cluster", NAME, "--yes"]);
    let told = said.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(told.contains("port and vpc of arn:"), "{told}");
    assert!(told.contains(&format!("a target group {name} that is not the cluster's")), "{told}");
    assert!(world.calls().iter().all(|call| !call.write || call.service == "s3"));
}

#[test]
fn a_listener_that_someone_added_to_a_classic_load_balancer_stays() {
    let world = World::whole("classic_listeners", NAME, &private("Classic"));
    world.apply(NAME);
    let elb = aws_sdk_elasticloadbalancing::Client::new(&world.sdk());
    let balancers = wait(elb.describe_load_balancers().send()).unwrap();
    let name = balancers.load_balancer_descriptions()[0].load_balancer_name().unwrap().to_owned();
    let listener = |port: i32, to: i32| {
        aws_sdk_elasticloadbalancing::types::Listener::builder()
            .protocol("TCP")
            .load_balancer_port(port)
            .instance_port(to)
            .build()
            .unwrap()
    };
    let delete = elb.delete_load_balancer_listeners().load_balancer_name(&name);
    wait(delete.load_balancer_ports(443).send()).unwrap();
    let add = elb.create_load_balancer_listeners().load_balancer_name(&name);
    wait(add.listeners(listener(8443, 8443)).listeners(listener(443, 6443)).send()).unwrap();
    let told = world.ok(&["update", "cluster", NAME]).stdout;
    assert!(told.contains("api.makes.example.com: listener TCP:8443 → TCP:8443"), "{told}");
    assert!(told.contains("TCP:443 → TCP:6443"), "{told}");
    world.apply(NAME);
    world.assert_settled_but(NAME, &[], &["listener TCP:8443 → TCP:8443"]);
    let found = world.observe(&json!({}));
    assert_eq!(
        found[format!("ClassicLoadBalancer/{name}")]["listeners"],
        json!(["TCP:443->TCP:443", "TCP:8443->TCP:8443"])
    );
}

#[test]
fn more_launch_configurations_than_a_call_takes_are_read() {
    let world = World::whole("configurations", NAME, &simple(""));
    let client = world.autoscaling();
    for number in 0..55 {
        let name = format!("old-{number}.{NAME}");
        let configuration = client.create_launch_configuration().launch_configuration_name(&name);
        let configuration = configuration.image_id("ami-10100000").instance_type("m5.large");
        wait(configuration.send()).unwrap();
        let tag = aws_sdk_autoscaling::types::Tag::builder()
            .key("KubernetesCluster")
            .value(NAME)
            .propagate_at_launch(true)
            .build();
        let group = client.create_auto_scaling_group().auto_scaling_group_name(&name);
        let group = group.launch_configuration_name(&name).min_size(0).max_size(0);
        wait(group.availability_zones("us-west-2a").tags(tag).send()).unwrap();
    }
    world.forget_calls();
    let told = world.ok(&["update", "cluster", NAME]).stdout;
    assert!(told.contains(&format!("old-54.{NAME}")), "{told}");
    assert_eq!(count(&world, "DescribeLaunchConfigurations"), 2);
}

#[test]
fn more_filter_values_than_a_call_takes_are_read() {
    let world = World::bare("filter_values");
    world.zone("example.com", "ZSANDBOX");
    let vpc = wait(world.ec2().create_vpc().cidr_block("10.0.0.0/16").send()).unwrap();
    let vpc = vpc.vpc().unwrap().vpc_id().unwrap().to_owned();
    let gateway = wait(world.ec2().create_internet_gateway().send()).unwrap();
    let gateway = gateway.internet_gateway().unwrap().internet_gateway_id().unwrap().to_owned();
    let attach = world.ec2().attach_internet_gateway().internet_gateway_id(gateway);
    wait(attach.vpc_id(&vpc).send()).unwrap();
    let own = format!("10.0.0.0/16\n  networkID: {vpc}");
    let mut specs = simple("").replace("172.20.0.0/16", &own).replace("172.20.", "10.0.");
    for number in 0..41 {
        let ids: Vec<String> = (0..5)
            .map(|nth| {
                let name = format!("more-{number}-{nth}");
                let group = world.ec2().create_security_group().group_name(&name);
                let group = group.description("of the user's own").vpc_id(&vpc).send();
                wait(group).unwrap().group_id.unwrap()
            })
            .collect();
        let more = format!("{IMAGE}  additionalSecurityGroups: [{}]\n", ids.join(", "));
        specs.push_str("---\n");
        specs.push_str(&group(NAME, &format!("nodes-{number}"), "Node", &more));
    }
    world.create(&specs);
    world.keep_ssh_key(NAME);
    world.forget_calls();
    world.ok(&["update", "cluster", NAME]);
    assert_eq!(count(&world, "DescribeSecurityGroups"), 3, "205 ids, and the cluster's own");
}

#[test]
fn what_a_region_lacks_is_told_and_the_rest_is_done() {
    let world = World::with("lacking", &specs(NAME, "  iam: {}\n"));
    world.apply(NAME);
    let iam = world.iam();
    let nodes = format!("nodes.{NAME}");
    let untag = iam.untag_instance_profile().instance_profile_name(&nodes);
    wait(untag.tag_keys("KubernetesCluster").send()).unwrap();
    let delete = iam.delete_role_policy().role_name(&nodes).policy_name(&nodes);
    wait(delete.send()).unwrap();
    world.rules(json!([{
        "operation": "iam:TagInstanceProfile", "error": "InvalidAction",
        "message": "Could not find operation TagInstanceProfile for version 2010-05-08",
    }]));
    for _ in 0..2 {
        let run = world.ok(&["update", "cluster", NAME, "--yes"]);
        let told = run.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
        let warning = format!(
            "warning: {nodes}: is left untagged, since this region lacks that: iam:TagInstanceProfile"
        );
        assert!(told.contains(&warning), "{told}");
    }
    assert!(world.policy(&nodes, &nodes).is_some());
}

#[test]
fn old_versions_that_go_are_told_before() {
    let world = World::whole("old_versions", NAME, &simple(""));
    world.apply(NAME);
    let ec2 = world.ec2();
    let name = format!("nodes.{NAME}");
    let first = ec2.describe_launch_template_versions().launch_template_name(&name).versions("1");
    let first = wait(first.send()).unwrap();
    let image = first.launch_template_versions()[0].launch_template_data().unwrap().image_id();
    let data = aws_sdk_ec2::types::RequestLaunchTemplateData::builder();
    let data = data.set_image_id(image.map(str::to_owned)).build();
    for _ in 0..11 {
        let version = ec2.create_launch_template_version().launch_template_name(&name);
        wait(version.launch_template_data(data.clone()).send()).unwrap();
    }
    let plan = world.plan(NAME, &[]);
    let change = crate::harness::change(&plan, &format!("LaunchTemplate/{name}"));
    let fields = change["fields"].as_array().unwrap();
    let versions = fields.iter().find(|field| field["field"] == "versions").unwrap();
    // The first is the default, which instances use too.
    assert_eq!(*versions, json!({"field": "versions", "before": "2, 3", "after": null}));
    // What keeps them is told, and fails nothing.
    world.rules(json!([{
        "operation": "ec2:DeleteLaunchTemplateVersions", "error": "UnauthorizedOperation",
    }]));
    let run = world.ok(&["update", "cluster", NAME, "--yes"]);
    assert!(run.stderr.contains("its old versions are not deleted"), "{}", run.stderr);
    world.rules(json!([]));
    world.assert_settled(NAME, &[]);
}
