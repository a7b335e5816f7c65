//! Subnets, their tags and their ways out, where no case of kops' shows them.

use aws_sdk_ec2::types as sdk;
use serde_json::Value as Json;

use crate::harness::{World, wait};
use crate::topologies::{PRIVATE, PUBLIC, spec};

const NAME: &str = "subnets.example.com";

/// The network alone.
fn update(world: &World) -> String {
    world.ok(&["update", "cluster", NAME, "--phase", "network", "--yes"]).stdout
}

#[track_caller]
fn assert_settled(world: &World) {
    world.ok(&["update", "cluster", NAME, "--phase", "network", "--detailed-exitcode"]);
}

/// A world with what a spec takes for granted, and the spec in its store. Tells the ids of what
/// was there before.
fn laid_out(test: &str, spec: &str) -> (World, Json) {
    let world = World::bare(test);
    let ids = world.lay_out(spec);
    let mut spec = spec.to_owned();
    for (told, real) in ids.as_object().unwrap() {
        spec = spec.replace(told, real.as_str().unwrap());
    }
    world.create(&spec);
    (world, ids)
}

fn other_vpc(world: &World) -> String {
    let answer = wait(world.ec2().create_vpc().cidr_block("172.20.0.0/16").send()).unwrap();
    answer.vpc().unwrap().vpc_id().unwrap().to_owned()
}

fn tags_of(world: &World, id: &str) -> Vec<String> {
    let of = sdk::Filter::builder().name("resource-id").values(id).build();
    let answer = wait(world.ec2().describe_tags().filters(of).send()).unwrap();
    let told = |tag: &sdk::TagDescription| {
        format!("{}={}", tag.key().unwrap_or_default(), tag.value().unwrap_or_default())
    };
    let mut tags: Vec<String> = answer.tags().iter().map(told).collect();
    tags.sort();
    tags
}

#[test]
fn a_gateway_of_another_vpc_is_refused_with_both_named() {
    let subnets =
        "  - {name: a, zone: us-west-2a, type: Private, cidr: 172.20.32.0/19, egress: nat-a2345678}
  - {name: utility-a, zone: us-west-2a, type: Utility, cidr: 172.20.4.0/22}\n";
    let (world, ids) = laid_out("subnets_gateway", &spec(NAME, subnets, ""));
    let gateway = ids["nat-a2345678"].as_str().unwrap();
    let theirs = ids["vpc-12345678"].as_str().unwrap();
    let said = world.fails(&["update", "cluster", NAME, "--phase", "network"]);
    let told = format!("{gateway} is a NAT gateway of another VPC: it lies in {theirs}, the ");
    assert!(said.contains(&format!("{told}cluster in {NAME}")), "{said}");

    let vpc = other_vpc(&world);
    let id = format!("spec.networkID={vpc}");
    world.ok(&["set", "cluster", "--name", NAME, &id]);
    let said = world.fails(&["update", "cluster", NAME, "--phase", "network"]);
    assert!(said.contains(&format!("{told}cluster in {vpc}")), "{said}");
    assert!(!said.contains("does not exist"), "{said}");
}

#[test]
fn a_subnet_of_another_vpc_is_refused_with_both_named() {
    let subnets = "  - {name: a, zone: us-west-2a, type: Public, id: subnet-12345678}\n";
    let text = spec(NAME, subnets, "  networkID: vpc-12345678\n");
    let (world, ids) = laid_out("subnets_elsewhere", &text);
    let vpc = other_vpc(&world);
    world.ok(&["set", "cluster", "--name", NAME, &format!("spec.networkID={vpc}")]);
    let said = world.fails(&["update", "cluster", NAME, "--phase", "network"]);
    let (subnet, theirs) = (&ids["subnet-12345678"], &ids["vpc-12345678"]);
    let (subnet, theirs) = (subnet.as_str().unwrap(), theirs.as_str().unwrap());
    let told = format!("{subnet} is a subnet of another VPC: it lies in {theirs}, the cluster in");
    assert!(said.contains(&format!("{told} {vpc}")), "{said}");
}

#[test]
fn what_is_shared_loses_the_cluster_s_tags_with_it_and_no_other() {
    let subnets = "  - {name: a, zone: us-west-2a, type: Public, id: subnet-12345678}\n";
    let text = spec(NAME, subnets, "  networkID: vpc-12345678\n");
    let (world, ids) = laid_out("subnets_shared", &text);
    let subnet = ids["subnet-12345678"].as_str().unwrap();
    let tag = sdk::Tag::builder().key("team").value("web").build();
    wait(world.ec2().create_tags().resources(subnet).tags(tag).send()).unwrap();
    let before = tags_of(&world, subnet);
    update(&world);
    assert_settled(&world);
    assert_eq!(
        tags_of(&world, subnet),
        [
            "SubnetType=Public",
            "kubernetes.io/cluster/subnets.example.com=shared",
            "kubernetes.io/role/elb=1",
            "kubernetes.io/role/internal-elb=1",
            "team=web",
        ]
    );
    world.ok(&["delete", "cluster", NAME, "--yes"]);
    assert_eq!(tags_of(&world, subnet), before);
}

#[test]
fn subnets_without_tags_are_found_again_and_go_with_their_cluster() {
    let world = World::bare("subnets_untagged");
    let before = world.everything();
    world.create(&spec(NAME, PRIVATE, "  DisableSubnetTags: true\n"));
    update(&world);
    assert_settled(&world);
    let answer = wait(world.ec2().describe_subnets().send()).unwrap();
    let made = answer.subnets().iter().filter(|one| {
        one.private_dns_name_options_on_launch().and_then(|names| names.hostname_type())
            == Some(&sdk::HostnameType::ResourceName)
    });
    let made: Vec<_> = made.collect();
    assert_eq!(made.len(), 2);
    assert!(made.iter().all(|subnet| subnet.tags().is_empty()), "{made:#?}");
    world.ok(&["delete", "cluster", NAME, "--yes"]);
    assert_eq!(world.everything(), before);
}

#[test]
fn subnets_without_tags_in_a_vpc_of_others_are_refused() {
    let subnets = "  - {name: a, zone: us-west-2a, type: Public, cidr: 172.20.64.0/19}\n";
    let more = "  networkID: vpc-12345678\n  DisableSubnetTags: true\n";
    let (world, _) = laid_out("subnets_unmarked", &spec(NAME, subnets, more));
    let said = world.fails(&["update", "cluster", NAME, "--phase", "network"]);
    assert!(said.contains("it would have no tags (spec.DisableSubnetTags), in vpc-"), "{said}");
    assert!(said.contains("nothing would tell whose it is"), "{said}");
}

#[test]
fn routes_of_the_user_s_own_are_in_the_table_of_their_zone_alone() {
    let subnets = "  - name: a
    zone: us-west-2a
    type: Private
    cidr: 172.20.32.0/19
    additionalRoutes:
    - {cidr: 192.168.0.0/16, target: nat-b2345678}
    - {cidr: 192.0.2.0/24, target: igw-1}
  - {name: ab, zone: us-west-2b, type: Private, cidr: 172.20.64.0/19}
  - {name: utility-a, zone: us-west-2a, type: Utility, cidr: 172.20.4.0/22}
  - {name: utility-b, zone: us-west-2b, type: Utility, cidr: 172.20.8.0/22}\n";
    let text = spec(NAME, subnets, "  networkID: vpc-12345678\n");
    let (world, ids) = laid_out("subnets_routes", &text);
    update(&world);
    assert_settled(&world);
    let found = world.observe(&ids);
    let routes = |zone: &str| {
        let table = format!("Route/private-us-west-2{zone}.{NAME} ");
        let all = found.as_object().unwrap().iter();
        let of_table = all.filter_map(|(id, route)| Some((id.strip_prefix(&table)?, route)));
        of_table.map(|(range, route)| format!("{range} {}", route["via"])).collect::<Vec<_>>()
    };
    let (own, other) = (routes("a"), routes("b"));
    assert_eq!(own.len(), 3, "{own:?}");
    assert!(own.contains(&"192.168.0.0/16 \"nat-b2345678\"".to_owned()), "{own:?}");
    assert_eq!(other, ["0.0.0.0/0 \"nat@utility-b.subnets.example.com\""]);
    // What a route leads to gets no tag.
    assert_eq!(tags_of(&world, ids["nat-b2345678"].as_str().unwrap()), [""; 0]);
}

#[test]
fn a_vpc_of_the_cluster_s_own_gets_the_range_of_ipv6_that_it_lacks() {
    let world = World::bare("subnets_ipv6_block");
    world.create(&spec(NAME, PUBLIC, ""));
    update(&world);
    let vpcs = || {
        let of = sdk::Filter::builder().name("tag:Name").values(NAME).build();
        let answer = wait(world.ec2().describe_vpcs().filters(of).send()).unwrap();
        let all = answer.vpcs()[0].ipv6_cidr_block_association_set().iter();
        let there = all.filter(|one| {
            one.ipv6_cidr_block_state().and_then(|state| state.state())
                == Some(&sdk::VpcCidrBlockStateCode::Associated)
        });
        there.map(|one| one.association_id().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let made = vpcs();
    assert_eq!(made.len(), 1);
    let gone = world.ec2().disassociate_vpc_cidr_block().association_id(&made[0]);
    wait(gone.send()).unwrap();
    let run = world.run(&["update", "cluster", NAME, "--phase", "network", "--detailed-exitcode"]);
    assert!(run.stdout.contains("+ VPCAmazonIPv6CIDRBlock/AmazonIPv6"), "{run:#?}");
    update(&world);
    assert_settled(&world);
    assert_eq!(vpcs().len(), 1);
}

#[test]
fn a_subnet_of_which_no_range_is_said_keeps_the_one_that_it_has() {
    let world = World::bare("subnets_cut");
    world.create(&spec(NAME, PUBLIC, ""));
    update(&world);
    // Of two, the network is cut into halves.
    let two = format!("{PUBLIC}  - {{name: b, zone: us-west-2b, type: Public}}\n");
    world.replace(&spec(NAME, &two, ""));
    let said = world.fails(&["update", "cluster", NAME, "--phase", "network"]);
    let told = "Subnet/b.subnets.example.com: its range 172.20.128.0/17 overlaps 172.20.0.0/16 of";
    assert!(said.contains(told) && !said.contains("Subnet/a."), "{said}");
}
