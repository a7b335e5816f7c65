//! Load balancers and the records that lead to them, where kops' own cases do not show what becomes
//! of them later.

use aws_sdk_elasticloadbalancingv2::types::{
    LoadBalancer, LoadBalancerSchemeEnum, LoadBalancerTypeEnum, Tag, TargetGroup,
};
use aws_sdk_route53::types::{ResourceRecordSet, RrType};
use serde_json::{Value as Json, json};

use crate::harness::{World, cluster, group, wait};

const NAME: &str = "doors.example.com";
const IMAGE: &str = "  image: ami-10100000\n";

fn specs(own: &str, more: &[String]) -> String {
    let own = format!("  bootstrap: none\n  iam: {{}}\n{own}");
    let groups = [group(NAME, "masters", "Master", IMAGE), group(NAME, "nodes", "Node", IMAGE)];
    let all = std::iter::once(cluster(NAME, &own)).chain(groups).chain(more.iter().cloned());
    all.collect::<Vec<_>>().join("---\n")
}

const NETWORK: &str = "  api: {loadBalancer: {type: Public, class: Network}}\n";

fn elb(world: &World) -> aws_sdk_elasticloadbalancingv2::Client {
    aws_sdk_elasticloadbalancingv2::Client::new(&world.sdk())
}

fn network_balancers(world: &World) -> Vec<LoadBalancer> {
    let answer = wait(elb(world).describe_load_balancers().send()).unwrap();
    answer.load_balancers.unwrap_or_default()
}

fn target_groups(world: &World) -> Vec<TargetGroup> {
    let answer = wait(elb(world).describe_target_groups().send()).unwrap();
    answer.target_groups.unwrap_or_default()
}

fn tag_of(world: &World, arn: &str, key: &str) -> Option<String> {
    let answer = wait(elb(world).describe_tags().resource_arns(arn).send()).unwrap();
    let tags = answer.tag_descriptions()[0].tags().iter();
    tags.filter(|tag| tag.key() == Some(key)).find_map(|tag| tag.value().map(str::to_owned))
}

/// The records of the cluster's names, as `name type values`.
fn records(world: &World) -> Vec<String> {
    let client = aws_sdk_route53::Client::new(&world.sdk());
    let zones = wait(client.list_hosted_zones().send()).unwrap();
    let id = zones.hosted_zones().iter().find(|zone| zone.name() == "example.com.").unwrap().id();
    let answer = wait(client.list_resource_record_sets().hosted_zone_id(id).send()).unwrap();
    let told = |set: &ResourceRecordSet| {
        let values: Vec<&str> = set.resource_records().iter().map(|one| one.value()).collect();
        let ttl = set.ttl().map(|ttl| format!(" {ttl}")).unwrap_or_default();
        let to = if set.alias_target().is_some() { "alias" } else { &values.join(",") };
        format!("{} {} {to}{ttl}", set.name(), set.r#type().as_str())
    };
    let is_own = |set: &&ResourceRecordSet| {
        ![RrType::Ns, RrType::Soa].contains(set.r#type()) && set.name().contains("doors.")
    };
    let mut told: Vec<String> =
        answer.resource_record_sets().iter().filter(is_own).map(told).collect();
    told.sort();
    told
}

/// Puts one without security groups in the place of the API's load balancer, as older kops made it.
fn without_security_groups(world: &World) {
    let [found] = &network_balancers(world)[..] else { panic!("one load balancer") };
    let arn = found.load_balancer_arn().unwrap();
    let (name, subnet) = (found.load_balancer_name(), found.availability_zones()[0].subnet_id());
    let tags = wait(elb(world).describe_tags().resource_arns(arn).send()).unwrap();
    let tags: Vec<Tag> = tags.tag_descriptions()[0].tags().to_vec();
    let group = target_groups(world)[0].target_group_arn().unwrap().to_owned();
    wait(elb(world).delete_load_balancer().load_balancer_arn(arn).send()).unwrap();
    let call = elb(world).create_load_balancer().set_name(name.map(str::to_owned));
    let call = call.r#type(LoadBalancerTypeEnum::Network).subnets(subnet.unwrap());
    let call = call.scheme(LoadBalancerSchemeEnum::InternetFacing).set_tags(Some(tags));
    let made = wait(call.send()).unwrap().load_balancers()[0].clone();
    let forward = aws_sdk_elasticloadbalancingv2::types::Action::builder()
        .r#type(aws_sdk_elasticloadbalancingv2::types::ActionTypeEnum::Forward)
        .target_group_arn(group)
        .build();
    let call = elb(world).create_listener().load_balancer_arn(made.load_balancer_arn().unwrap());
    let tcp = aws_sdk_elasticloadbalancingv2::types::ProtocolEnum::Tcp;
    wait(call.port(443).protocol(tcp).default_actions(forward).send()).unwrap();
}

#[test]
fn a_network_load_balancer_without_security_groups_is_replaced_and_goes_with_prune() {
    let world = World::whole("balancers_revision", NAME, &specs(NETWORK, &[]));
    world.apply(NAME);
    without_security_groups(&world);
    let told = world.ok(&["update", "cluster", NAME]).stdout;
    for line in [
        "+ NetworkLoadBalancer/api.doors.example.com",
        "takes the place of one without security groups, which can get none",
        "+ TargetGroup/tcp-doors-example-com-",
        "+ NetworkLoadBalancerListener/api.doors.example.com-443",
        "+ LoadBalancerAttachment/tcp-masters",
        "- NetworkLoadBalancer/api-doors-example-com-",
        "- TargetGroup/tcp-doors-example-com-",
    ] {
        assert!(told.contains(line), "{line}: {told}");
    }
    world.apply(NAME);
    let revision = |arn: Option<&str>| tag_of(&world, arn.unwrap(), "kops.k8s.io/revision");
    let all = network_balancers(&world);
    let newest = all.iter().find(|one| !one.security_groups().is_empty()).unwrap();
    let number = revision(newest.load_balancer_arn()).expect("a revision");
    let name = tag_of(&world, newest.load_balancer_arn().unwrap(), "Name");
    assert_eq!(name.as_deref(), Some("api.doors.example.com"));
    let groups = target_groups(&world);
    assert_eq!((all.len(), groups.len()), (2, 2));
    let of_newest =
        |group: &&TargetGroup| revision(group.target_group_arn()).as_ref() == Some(&number);
    let group = groups.iter().find(of_newest).expect("one of the same revision");
    assert_eq!(group.load_balancer_arns(), [newest.load_balancer_arn().unwrap()]);
    let found = world.observe(&json!({}));
    let alias = newest.load_balancer_name().unwrap();
    assert_eq!(found["DNSName/api.doors.example.com AAAA"]["alias"], alias);

    let told = world.ok(&["update", "cluster", NAME]).stdout;
    assert!(told.contains("doors.example.com: nothing to change; "), "{told}");
    world.ok(&["update", "cluster", NAME, "--yes", "--prune"]);
    let left = network_balancers(&world);
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].load_balancer_arn(), newest.load_balancer_arn());
    assert_eq!(target_groups(&world).len(), 1);
    world.assert_settled(NAME, &[]);
    world.ok(&["delete", "cluster", NAME, "--yes"]);
    assert!(network_balancers(&world).is_empty() && target_groups(&world).is_empty());
}

#[test]
fn a_network_load_balancer_gets_subnets_and_never_loses_one() {
    let more = "    type: Public\n  - {name: us-west-2b, zone: us-west-2b, cidr: 172.20.64.0/19, \
                type: Public}\n";
    let with = |subnets: &str| {
        let api = format!(
            "  api: {{loadBalancer: {{type: Public, class: Network, subnets: [{subnets}]}}}}\n"
        );
        specs(&api, &[]).replace("    type: Public\n", more)
    };
    let world = World::whole("balancers_subnets", NAME, &with("{name: us-west-2a}"));
    world.apply(NAME);
    let zones = || network_balancers(&world)[0].availability_zones().len();
    assert_eq!(zones(), 1);
    world.replace(&with("{name: us-west-2b}, {name: us-west-2a}"));
    world.apply(NAME);
    assert_eq!(zones(), 2);
    world.assert_settled(NAME, &[]);
    let address = wait(world.ec2().allocate_address().send()).unwrap();
    let before = world.observe(&json!({}));
    let moved = format!(
        "{{name: us-west-2b, allocationId: {}}}, {{name: us-west-2a}}",
        address.allocation_id().unwrap()
    );
    for spec in [with("{name: us-west-2b}"), with(&moved)] {
        world.replace(&spec);
        let said = world.fails(&["update", "cluster", NAME, "--yes"]);
        let line = "keeps the subnets that it has, and its addresses in them";
        assert!(said.contains(line), "{said}");
        assert_eq!(world.observe(&json!({})), before);
    }
}

#[test]
fn what_the_control_plane_names_has_a_placeholder_until_then_and_is_never_changed_back() {
    let world = World::whole("balancers_placeholders", NAME, &specs("", &[]));
    world.apply(NAME);
    let names = ["api", "api.internal", "kops-controller.internal"];
    let placeholders = names.map(|name| format!("{name}.doors.example.com. A 203.0.113.123 10"));
    assert_eq!(records(&world), placeholders);
    world.assert_settled(NAME, &[]);
    let client = aws_sdk_route53::Client::new(&world.sdk());
    let zones = wait(client.list_hosted_zones().send()).unwrap();
    let zone = zones.hosted_zones()[0].id().to_owned();
    world.record(&zone, "api.internal.doors.example.com", "198.51.100.7");
    world.assert_settled(NAME, &[]);
    world.apply(NAME);
    assert!(
        records(&world).contains(&"api.internal.doors.example.com. A 198.51.100.7 60".to_owned())
    );
    world.record(&zone, "api.internal.doors.example.com", "203.0.113.123");
    world.ok(&["delete", "cluster", NAME, "--yes"]);
    assert_eq!(records(&world), [""; 0]);
}

#[test]
fn a_bastion_s_classic_load_balancer_stays_until_it_is_pruned() {
    let bastion = group(NAME, "bastions", "Bastion", IMAGE);
    let world = World::whole("balancers_bastion", NAME, &specs("", &[bastion]));
    world.apply(NAME);
    let [found] = &network_balancers(&world)[..] else { panic!("one load balancer") };
    let classic = aws_sdk_elasticloadbalancing::Client::new(&world.sdk());
    let listener = aws_sdk_elasticloadbalancing::types::Listener::builder();
    let listener = listener.protocol("TCP").load_balancer_port(22).instance_port(22).build();
    let tag = |key: &str, value: &str| {
        aws_sdk_elasticloadbalancing::types::Tag::builder().key(key).value(value).build().unwrap()
    };
    let call = classic.create_load_balancer().load_balancer_name("bastion-doors-example-com-old");
    let call = call.listeners(listener.unwrap());
    let call = call.subnets(found.availability_zones()[0].subnet_id().unwrap());
    let call = call.tags(tag("Name", "bastion.doors.example.com"));
    let call = call.tags(tag("kubernetes.io/cluster/doors.example.com", "owned"));
    wait(call.send()).unwrap();
    let call = world.autoscaling().attach_load_balancers();
    let call = call.auto_scaling_group_name("bastions.doors.example.com");
    wait(call.load_balancer_names("bastion-doors-example-com-old").send()).unwrap();
    let told = world.ok(&["update", "cluster", NAME]).stdout;
    assert!(told.contains("- ClassicLoadBalancer/bastion-doors-example-com-old"), "{told}");
    world.apply(NAME);
    let count = || {
        let all = wait(classic.describe_load_balancers().send()).unwrap();
        all.load_balancer_descriptions().len()
    };
    assert_eq!(count(), 1);
    world.ok(&["update", "cluster", NAME, "--yes", "--prune"]);
    assert_eq!((count(), network_balancers(&world).len()), (0, 1));
    world.assert_settled(NAME, &[]);
}

#[test]
fn a_cluster_without_dns_joins_by_its_load_balancer() {
    let own = format!("{NETWORK}  topology: {{dns: {{type: None}}}}\n");
    let spec =
        specs(&own, &[]).replace("  topology:\n    masters: public\n    nodes: public\n", "");
    let world = World::whole("balancers_without_dns", NAME, &spec);
    world.apply(NAME);
    let found = world.observe(&json!({}));
    let attached: Vec<&str> = found
        .as_object()
        .unwrap()
        .keys()
        .filter_map(|id| {
            id.strip_prefix("LoadBalancerAttachment/masters.masters.doors.example.com ")
        })
        .collect();
    let begins = |one: &&str| ["tcp-", "kops-controller-"].iter().any(|own| one.starts_with(own));
    assert!(attached.len() == 2 && attached.iter().all(begins), "{attached:?}");
    let ports = |found: &Json| -> Vec<String> {
        let all = found.as_object().unwrap().keys();
        let listeners = all.filter(|id| id.starts_with("NetworkLoadBalancerListener/"));
        listeners.map(|id| id.rsplit(' ').next().unwrap().to_owned()).collect()
    };
    assert_eq!(ports(&found), ["TCP:3988", "TCP:443"]);
    assert_eq!(records(&world), [""; 0]);
    world.assert_settled(NAME, &[]);
    world.ok(&["delete", "cluster", NAME, "--yes"]);
    assert!(network_balancers(&world).is_empty() && target_groups(&world).is_empty());
}
