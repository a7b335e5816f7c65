//! The shapes of clusters that kops' own cases lack: from spec to AWS, settled, and back to
//! nothing.

use aws_sdk_ec2::types::AttributeBooleanValue;
use serde_json::{Value as Json, json};

use crate::harness::{World, wait};

const NAME: &str = "shape.example.com";

/// A cluster of one master and two nodes. `subnets` and `more` are YAML of the spec; groups
/// are in the subnets `a`.
pub fn spec(name: &str, subnets: &str, more: &str) -> String {
    let etcd = ["main", "events"].map(|etcd| {
        format!("  - name: {etcd}\n    etcdMembers:\n    - name: a\n      instanceGroup: masters\n")
    });
    let mut spec = format!(
        "\
apiVersion: kops/v1alpha2
kind: Cluster
metadata:
  name: {name}
  annotations: {{kapstan.io/bootstrap: none}}
spec:
  cloudProvider: aws
  iam: {{}}
  kubernetesVersion: 1.10.3
  networkCIDR: 172.20.0.0/16
  networking:
    kubenet: {{}}
  kubernetesApiAccess:
  - 0.0.0.0/0
  sshAccess:
  - 198.51.100.0/24
  subnets:
{subnets}  etcdClusters:
{}{more}",
        etcd.concat()
    );
    for (group, role) in [("masters", "Master"), ("nodes", "Node")] {
        spec.push_str(&self::group(name, group, role, "a"));
    }
    spec
}

fn group(name: &str, group: &str, role: &str, subnet: &str) -> String {
    format!(
        "---
apiVersion: kops/v1alpha2
kind: InstanceGroup
metadata:
  name: {group}
  labels:
    kops.k8s.io/cluster: {name}
spec:
  role: {role}
  image: 383156758163/k8s-1.10-debian-stretch-amd64-hvm-ebs-2018-05-27
  machineType: t3.medium
  minSize: 1
  maxSize: 1
  subnets:
  - {subnet}
"
    )
}

pub const PUBLIC: &str = "  - {name: a, zone: us-west-2a, type: Public}\n";
pub const PRIVATE: &str = "  - {name: a, zone: us-west-2a, type: Private}
  - {name: utility-a, zone: us-west-2a, type: Utility}\n";
pub const PRIVATE_TOPOLOGY: &str = "  topology: {masters: private, nodes: private}\n";

/// Builds a cluster, and takes it down again. Returns what it became.
#[track_caller]
fn round_trip(test: &str, name: &str, spec: &str) -> Json {
    let world = World::bare(&format!("shape_{test}"));
    world.zone("example.com", "shapes");
    let laid_out = world.lay_out(spec);
    let mut spec = spec.to_owned();
    for (told, real) in laid_out.as_object().unwrap() {
        spec = spec.replace(told, real.as_str().unwrap());
    }
    let before = (world.everything(), world.observe(&laid_out));
    world.create(&spec);
    world.keep_ssh_key(name);
    world.ok(&["update", "cluster", name, "--yes"]);
    let found = world.observe(&laid_out);
    world.assert_settled(name, &[]);
    let told = world.ok(&["delete", "cluster", name]);
    assert!(told.stdout.contains("Nothing was deleted"), "{told:#?}");
    assert_eq!(world.observe(&laid_out), found, "what only tells, changes nothing");
    world.ok(&["delete", "cluster", name, "--yes"]);
    assert_eq!(world.everything(), before.0);
    // The tags too that say of something that it is shared are gone.
    assert_eq!(world.observe(&laid_out), before.1);
    found
}

fn ids<'a>(found: &'a Json, kind: &str) -> Vec<&'a str> {
    let prefix = format!("{kind}/");
    found.as_object().unwrap().keys().filter_map(|id| id.strip_prefix(&prefix)).collect()
}

#[test]
fn without_an_api_load_balancer_masters_are_reached_directly() {
    let found = round_trip("direct", NAME, &spec(NAME, PUBLIC, ""));
    assert_eq!(found["Subnet/a.shape.example.com"]["cidr"], "172.20.0.0/16");
    let rules = ids(&found, "SecurityGroupRule");
    assert!(rules.contains(&"masters.shape.example.com ingress tcp 443-443 0.0.0.0/0"));
    assert!(rules.contains(&"nodes.shape.example.com ingress tcp 22-22 198.51.100.0/24"));
    assert!(!ids(&found, "ClassicLoadBalancer").iter().any(|name| name.starts_with("api-")));
    assert!(ids(&found, "DNSName").is_empty());
}

#[test]
fn a_network_load_balancer_stands_before_masters() {
    let more = "  api: {loadBalancer: {type: Public, class: Network, useForInternalApi: true}}\n";
    let found = round_trip("network_lb", NAME, &spec(NAME, PUBLIC, more));
    let [name] = ids(&found, "NetworkLoadBalancer")[..] else { panic!("{found:#}") };
    let balancer = &found[format!("NetworkLoadBalancer/{name}")];
    assert_eq!(balancer["type"], "network");
    assert_eq!(balancer["internal"], false);
    assert_eq!(balancer["subnets"], json!(["a.shape.example.com"]));
    assert_eq!(balancer["tags"]["kubernetes.io/cluster/shape.example.com"], "owned");
    for record in ["api.shape.example.com", "api.internal.shape.example.com"] {
        for record_type in ["A", "AAAA"] {
            assert_eq!(found[format!("DNSName/{record} {record_type}")]["alias"], name);
        }
    }
    let attached = ids(&found, "LoadBalancerAttachment");
    assert!(attached.iter().any(|one| one.starts_with("masters.masters.shape.example.com tcp-")));
    let rules = ids(&found, "SecurityGroupRule");
    assert!(rules.contains(&"api-elb.shape.example.com ingress tcp 443-443 0.0.0.0/0"));
    let to_masters = "masters.shape.example.com ingress tcp 443-443 api-elb.shape.example.com";
    assert!(rules.contains(&to_masters));
}

#[test]
fn a_network_load_balancer_is_three_things_that_one_name_stands_for_in_overrides() {
    let more = "  api: {loadBalancer: {type: Public, class: Network}}\n";
    let world = World::whole("shape_balancer_kinds", NAME, &spec(NAME, PUBLIC, more));
    let kinds = |overrides: &str| -> Vec<String> {
        let all = format!("DNSName=Ignore,LoadBalancerAttachment=Ignore{overrides}");
        let run =
            world.run(&["update", "cluster", NAME, "-o", "json", "--lifecycle-overrides", &all]);
        let plan: Json = serde_json::from_str(&run.stdout).unwrap();
        let ids = plan["changes"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap());
        let of_balancers = |id: &&str| {
            ["NetworkLoadBalancer", "TargetGroup/"].iter().any(|kind| id.starts_with(kind))
        };
        let mut ids: Vec<String> = ids.filter(of_balancers).map(str::to_owned).collect();
        ids.sort();
        ids
    };
    let balancer = format!("NetworkLoadBalancer/api.{NAME}");
    let listener = format!("NetworkLoadBalancerListener/api.{NAME}-443");
    let all = kinds("");
    assert_eq!(all[..2], [balancer.clone(), listener.clone()]);
    assert!(all[2].starts_with("TargetGroup/tcp-shape-example-com-"), "{all:?}");
    assert_eq!(kinds(",LoadBalancer=Ignore"), [""; 0]);
    assert_eq!(kinds(",LoadBalancer=Ignore,TargetGroup=Sync"), all);
    assert_eq!(kinds(",NetworkLoadBalancerListener=Ignore"), [balancer, all[2].clone()]);
}

#[test]
fn an_internal_load_balancer_stands_in_private_subnets() {
    for (test, class) in [("internal_classic", "Classic"), ("internal_network", "Network")] {
        let api = format!("  api: {{loadBalancer: {{type: Internal, class: {class}}}}}\n");
        let more = format!("{PRIVATE_TOPOLOGY}{api}");
        let found = round_trip(test, NAME, &spec(NAME, PRIVATE, &more));
        let kind = if class == "Classic" { "ClassicLoadBalancer" } else { "NetworkLoadBalancer" };
        let names = ids(&found, kind);
        let name = names.iter().find(|name| name.starts_with("api-")).unwrap();
        let balancer = &found[format!("{kind}/{name}")];
        assert_eq!(balancer["internal"], true);
        assert_eq!(balancer["subnets"], json!(["a.shape.example.com"]));
    }
}

#[test]
fn private_subnets_of_each_zone_leave_through_a_gateway_of_their_own() {
    let subnets = format!(
        "{PRIVATE}  - {{name: b, zone: us-west-2b, type: Private}}
  - {{name: utility-b, zone: us-west-2b, type: Utility}}\n"
    );
    let bastion = "  topology:
    masters: private
    nodes: private
    bastion: {bastionPublicName: bastion.shape.example.com}\n";
    let mut spec = spec(NAME, &subnets, bastion);
    spec.push_str(&group(NAME, "bastions", "Bastion", "utility-a"));
    let found = round_trip("two_zones", NAME, &spec);
    for zone in ["a", "b"] {
        let route = format!("Route/private-us-west-2{zone}.shape.example.com 0.0.0.0/0");
        assert_eq!(found[route]["via"], format!("nat@utility-{zone}.shape.example.com"));
    }
    let bastion = &found["DNSName/bastion.shape.example.com A"];
    assert!(bastion["alias"].as_str().unwrap().starts_with("bastion-"), "{bastion}");
    // Without an API section, private masters are reached through a load balancer.
    assert!(ids(&found, "DNSName").contains(&"api.shape.example.com A"));
    let rules = ids(&found, "SecurityGroupRule");
    let ssh = "nodes.shape.example.com ingress tcp 22-22 bastion.shape.example.com";
    assert!(rules.contains(&ssh));
    assert!(!rules.contains(&"nodes.shape.example.com ingress tcp 22-22 198.51.100.0/24"));
}

const SHARED: &str = "  networkID: vpc-12345678\n";

#[test]
fn an_existing_nat_gateway_is_used() {
    let subnets =
        "  - {name: a, zone: us-west-2a, type: Private, cidr: 172.20.32.0/19, egress: nat-a2345678}
  - {name: utility-a, zone: us-west-2a, type: Utility, cidr: 172.20.4.0/22}\n";
    let more = format!("{SHARED}{PRIVATE_TOPOLOGY}");
    let found = round_trip("nat", NAME, &spec(NAME, subnets, &more));
    let route = "Route/private-us-west-2a.shape.example.com 0.0.0.0/0";
    assert_eq!(found[route]["via"], "nat-a2345678");
    assert_eq!(ids(&found, "NatGateway").len(), 2, "those that were there before");
    let tags = &found["NatGateway/nat-a2345678"]["tags"];
    assert_eq!(tags["kubernetes.io/cluster/shape.example.com"], "shared");
}

#[test]
fn an_existing_nat_instance_is_used() {
    let subnets =
        "  - {name: a, zone: us-west-2a, type: Private, cidr: 172.20.32.0/19, egress: i-12345678}
  - {name: utility-a, zone: us-west-2a, type: Utility, cidr: 172.20.4.0/22}\n";
    let more = format!("{SHARED}{PRIVATE_TOPOLOGY}");
    let found = round_trip("instance", NAME, &spec(NAME, subnets, &more));
    let route = "Route/private-us-west-2a.shape.example.com 0.0.0.0/0";
    assert_eq!(found[route]["via"], "i-12345678");
}

#[test]
fn an_external_way_out_is_left_to_its_owner() {
    let subnets = "  - {name: a, zone: us-west-2a, type: Private, egress: External}
  - {name: utility-a, zone: us-west-2a, type: Utility}\n";
    let found = round_trip("external", NAME, &spec(NAME, subnets, PRIVATE_TOPOLOGY));
    assert!(found["Subnet/a.shape.example.com"].is_object());
    assert!(found["RouteTable/private-us-west-2a.shape.example.com"].is_null());
    assert!(found["RouteTableAssociation/a.shape.example.com"].is_null());
    assert!(found["NatGateway/nat@utility-a.shape.example.com"].is_null());
}

#[test]
fn shared_subnets_are_tagged_and_otherwise_left() {
    let subnets = "  - {name: a, zone: us-west-2a, type: Public, id: subnet-12345678}\n";
    let found = round_trip("shared_subnets", NAME, &spec(NAME, subnets, SHARED));
    let tags = &found["Subnet/subnet-12345678"]["tags"];
    assert_eq!(tags["kubernetes.io/cluster/shape.example.com"], "shared");
    assert_eq!(tags["kubernetes.io/role/elb"], "1");
    assert!(tags["KubernetesCluster"].is_null() && tags["Name"].is_null(), "{tags}");
    let group = &found["AutoscalingGroup/nodes.shape.example.com"];
    assert_eq!(group["subnets"], json!(["subnet-12345678"]));
    assert!(!ids(&found, "RouteTable").contains(&"shape.example.com"));
}

#[test]
fn shared_private_subnets_need_no_utility_subnet() {
    let subnets = "  - {name: a, zone: us-west-2a, type: Private, id: subnet-12345678}\n";
    let api = "  api: {loadBalancer: {type: Internal}}\n";
    let more = format!("{SHARED}{PRIVATE_TOPOLOGY}{api}");
    let found = round_trip("shared_private", NAME, &spec(NAME, subnets, &more));
    let tags = &found["Subnet/subnet-12345678"]["tags"];
    assert_eq!(tags["kubernetes.io/role/internal-elb"], "1");
    let balancers = ids(&found, "ClassicLoadBalancer");
    let name = balancers.iter().find(|name| name.starts_with("api-shape")).unwrap();
    let subnets = &found[format!("ClassicLoadBalancer/{name}")]["subnets"];
    assert_eq!(*subnets, json!(["subnet-12345678"]));
}

#[test]
fn names_outside_their_zone_are_refused_before_anything_is_written() {
    let named = "  dnsZone: private.example.com
  topology: {masters: public, nodes: public, dns: {type: Private}}
  api: {loadBalancer: {type: Public}}\n";
    let world = World::bare("shape_outside_zone");
    let spec = spec(NAME, PUBLIC, named);
    world.lay_out(&spec);
    world.create(&spec);
    world.keep_ssh_key(NAME);
    let before = world.everything();
    let said = world.fails(&["update", "cluster", NAME, "--yes"]);
    let line = "DNSName/api.shape.example.com: api.shape.example.com does not lie in the hosted \
                zone private.example.com";
    assert!(said.contains(line), "{said}");
    assert_eq!(world.everything(), before);
    // Of records that are left out nothing is refused.
    world.ok(&["update", "cluster", NAME, "--lifecycle-overrides", "DNSName=Ignore"]);
}

#[test]
fn a_shared_vpc_without_dns_is_a_warning() {
    let world = World::bare("shape_shared_dns");
    world.zone("example.com", "shapes");
    // Beside what its owner has there.
    let subnets = PUBLIC.replace("type: Public", "type: Public, cidr: 172.20.64.0/19");
    let spec = spec(NAME, &subnets, SHARED);
    let laid_out = world.lay_out(&spec);
    let vpc = laid_out["vpc-12345678"].as_str().unwrap();
    world.create(&spec.replace("vpc-12345678", vpc));
    world.keep_ssh_key(NAME);
    for is_support in [true, false] {
        let off = AttributeBooleanValue::builder().value(false).build();
        let call = world.ec2().modify_vpc_attribute().vpc_id(vpc);
        let call = match is_support {
            true => call.enable_dns_support(off),
            false => call.enable_dns_hostnames(off),
        };
        wait(call.send()).unwrap();
    }
    world.apply(NAME);
    let told = ["! VPC/shape.example.com", "have the owner of the VPC switch on"];
    world.assert_settled_but(NAME, &[], &told);
}

#[test]
fn a_private_zone_is_shown_to_the_vpc() {
    let more = "  dnsZone: private.example.com
  topology: {masters: public, nodes: public, dns: {type: Private}}
  api: {loadBalancer: {type: Public}}\n";
    let name = "shape.private.example.com";
    let world = World::bare("shape_private_zone");
    let spec = spec(name, PUBLIC, more);
    let laid_out = world.lay_out(&spec);
    world.create(&spec);
    world.keep_ssh_key(name);
    world.ok(&["update", "cluster", name, "--yes"]);
    let found = world.observe(&laid_out);
    let shown = ids(&found, "DNSZoneAssociation");
    assert!(shown.iter().any(|to| to.starts_with(&format!("{name} "))), "{shown:?}");
    assert!(ids(&found, "DNSName").contains(&"api.shape.private.example.com A"));
    world.assert_settled(name, &[]);
}

#[test]
fn a_gossip_cluster_has_no_dns() {
    let name = "shape.k8s.local";
    let more = "  api: {loadBalancer: {type: Public}}\n";
    let found = round_trip("gossip", name, &spec(name, PUBLIC, more));
    assert!(ids(&found, "DNSName").is_empty());
    assert!(
        ids(&found, "ClassicLoadBalancer").iter().any(|one| one.starts_with("api-shape-k8s-local"))
    );
}

#[test]
fn a_vpc_has_its_additional_ranges() {
    let subnets =
        format!("{PUBLIC}  - {{name: b, zone: us-west-2b, type: Public, cidr: 10.9.1.0/24}}\n");
    let more = "  additionalNetworkCIDRs: [10.9.0.0/16, 10.10.0.0/16]\n";
    let found = round_trip("cidrs", NAME, &spec(NAME, &subnets, more));
    let ranges = ["10.10.0.0/16", "10.9.0.0/16"].map(|range| format!("shape.example.com {range}"));
    assert_eq!(ids(&found, "VPCCIDRBlock"), ranges);
    assert_eq!(found["Subnet/b.shape.example.com"]["cidr"], "10.9.1.0/24");
}

#[test]
fn a_bastion_may_stand_in_a_public_topology() {
    let mut spec = spec(NAME, PUBLIC, "");
    spec.push_str(&group(NAME, "bastions", "Bastion", "a"));
    let found = round_trip("public_bastion", NAME, &spec);
    let balancers = ids(&found, "NetworkLoadBalancer");
    assert!(balancers.iter().any(|name| name.starts_with("bastion-shape")), "{balancers:?}");
}
