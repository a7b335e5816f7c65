//! Whose things are, over every kind: what is not a cluster's own is never changed, whatever the
//! command, and what stays is listed with the reason.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::types::{Filter, Tag};
use serde_json::{Value as Json, json};

use crate::harness::{World, cluster, document, group, trust, wait};

const NAME: &str = "own.example.com";
const OWN: &str = "  annotations: {kapstan.io/bootstrap: none}\n  iam: {}\n  api: {loadBalancer: {type: Public}}\n";
const SIZE: &str = "  image: ami-10100000\n";

/// The commands that write to AWS, in the order of a cluster's life.
const COMMANDS: [&[&str]; 4] = [
    &["update", "cluster", NAME, "--yes"],
    &["update", "cluster", NAME, "--yes", "--prune"],
    &["rolling-update", "cluster", NAME, "--yes", "--cloudonly"],
    &["delete", "cluster", NAME, "--yes"],
];

fn specs() -> String {
    let groups = [("masters", "Master"), ("nodes", "Node")];
    let groups =
        groups.map(|(name, role)| group(NAME, name, role, SIZE).replace("Size: 1", "Size: 0"));
    format!("{}---\n{}", cluster(NAME, OWN), groups.join("---\n"))
}

/// The things that were made, by what they are: their ids as a dump has them.
fn things(made: &Json) -> BTreeMap<String, String> {
    let beside = ["address", "arn", "its name in DNS", "zone"];
    let made =
        made.as_object().unwrap().iter().filter(|(what, _)| !beside.contains(&what.as_str()));
    let id = |(what, id): (&String, &Json)| {
        let id = id.as_str().unwrap();
        let id = match what.split(' ').next().unwrap() {
            "AutoscalingGroup" => format!("{id} group"),
            "IAMRole" => format!("{id} role"),
            "IAMInstanceProfile" => format!("{id} profile"),
            _ => id.to_owned(),
        };
        (what.clone(), id)
    };
    made.map(id).collect()
}

/// What an update may do to things that are not the cluster's.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum May {
    Nothing,
    /// What a spec names is marked as shared, and subnets are told what they are for.
    SetTags,
}

/// What a dump tells of things.
fn told(dump: &Json, things: &BTreeMap<String, String>, may: May) -> BTreeMap<String, Json> {
    let own = format!("kubernetes.io/cluster/{NAME}");
    let is_set =
        |key: &str| key == own || key.starts_with("kubernetes.io/role/") || key == "SubnetType";
    let tell = |(what, id): (&String, &String)| {
        let mut row = dump[id].clone();
        if let Some(tags) = row.get_mut("tags").and_then(Json::as_object_mut) {
            tags.retain(|key, _| may == May::Nothing || !is_set(key));
        }
        (what.clone(), row)
    };
    things.iter().map(tell).collect()
}

/// Why things stay, by the lines of a deletion that stand for them.
fn stays(world: &World) -> BTreeMap<String, String> {
    let run = world.ok(&["delete", "cluster", NAME, "-o", "json"]);
    let plan: Json = serde_json::from_str(&run.stdout).unwrap();
    let changes = plan["changes"].as_array().unwrap().iter();
    let stays = changes
        .filter(|change| change["reason"].as_str().is_some_and(|r| r.starts_with("stays: ")));
    let text = |change: &Json, field: &str| change[field].as_str().unwrap().to_owned();
    stays.map(|change| (text(change, "id"), text(change, "reason"))).collect()
}

/// Asserts that each thing is listed with a reason.
#[track_caller]
fn assert_listed(stays: &BTreeMap<String, String>, things: &BTreeMap<String, String>, why: &str) {
    for (what, id) in things {
        let kind = what.split(' ').next().unwrap();
        let name = match kind {
            "NetworkLoadBalancer" | "TargetGroup" if id.starts_with("arn:") => {
                id.split('/').nth_back(1).unwrap()
            }
            "DNSName" => id.strip_suffix(". A").unwrap(),
            "LaunchTemplate" => "",
            _ => id.split(' ').next().unwrap(),
        };
        let told = if kind == "LoadBalancer" { "ClassicLoadBalancer" } else { kind };
        let is_it = |line: &&String| line.starts_with(&format!("{told}/")) && line.contains(name);
        let line = stays.keys().find(is_it);
        let line = line.unwrap_or_else(|| panic!("{what} {id} is not listed: {stays:#?}"));
        let reason = &stays[line];
        let why = if kind == "DNSName" { "leading to 198.51.100.7, which is not" } else { why };
        assert!(reason.contains(why), "{line}: {reason}");
    }
}

fn without(mut things: BTreeMap<String, String>, kinds: &[&str]) -> BTreeMap<String, String> {
    things.retain(|what, _| !kinds.iter().any(|kind| what.starts_with(kind)));
    things
}

/// Runs every command, after each of which the things must be as before. Returns how often a
/// thing was looked at.
#[track_caller]
fn run_all(world: &World, things: &BTreeMap<String, String>, may: May) -> usize {
    let before = told(&world.dump(), things, may);
    assert!(before.values().all(|row| !row.is_null()), "all is there: {before:#?}");
    for command in COMMANDS {
        let run = world.run(command);
        // What the spec names may lie in a subnet of the cluster's own, which then stays too.
        let is_held = may == May::SetTags && run.code == 1 && run.stderr.contains(" holds it");
        assert!(run.code == 0 || is_held && command[0] == "delete", "{command:?}: {run:#?}");
        let after = told(&world.dump(), things, may);
        for (what, row) in &before {
            assert_eq!(&after[what], row, "{what}, after {command:?}");
        }
    }
    things.len() * COMMANDS.len()
}

/// The kinds of which something is made in each situation.
fn kinds(things: &BTreeMap<String, String>) -> BTreeSet<&str> {
    things.keys().filter_map(|what| what.split(' ').next()).collect()
}

/// How many kinds there are of what stands by itself, and how many things are made of them.
const KINDS: usize = 19;
const THINGS: usize = 25;

#[test]
fn what_is_tagged_as_shared_stays() {
    let world = World::whole("own_shared", NAME, &specs());
    world.apply(NAME);
    let things = things(&world.situation("shared", NAME));
    assert_eq!(kinds(&things).len(), KINDS + 1, "the launch configuration beside");
    let listed = without(things.clone(), &["LaunchConfiguration", "IAM"]);
    assert_listed(&stays(&world), &listed, &format!("tagged kubernetes.io/cluster/{NAME}=shared"));
    let prune = world.ok(&["update", "cluster", NAME, "--prune"]).stdout;
    let line = format!(
        "= AutoscalingGroup/shared.{NAME}  stays: tagged kubernetes.io/cluster/{NAME}=shared"
    );
    assert!(prune.contains(&line), "{prune}");
    assert_eq!(run_all(&world, &things, May::Nothing), THINGS * COMMANDS.len());
}

#[test]
fn what_another_cluster_owns_stays_though_it_has_our_older_tag() {
    let world = World::whole("own_old", NAME, &specs());
    world.apply(NAME);
    let things = things(&world.situation("old", NAME));
    let listed = without(things.clone(), &["LaunchConfiguration"]);
    assert_listed(&stays(&world), &listed, "tagged kubernetes.io/cluster/other.example.org=owned");
    assert_eq!(run_all(&world, &things, May::Nothing), THINGS * COMMANDS.len());
}

#[test]
fn what_bears_a_name_of_ours_alone_is_refused_and_stays() {
    let world = World::whole("own_name", NAME, &specs());
    let things = things(&world.situation("name", NAME));
    let told = || told(&world.dump(), &things, May::Nothing);
    let before = told();
    for command in &COMMANDS[..2] {
        let said = world.fails(command);
        for taken in [
            "LaunchTemplate/nodes", "AutoscalingGroup/nodes", "IAMRole/nodes", "LoadBalancer/api",
            "DNSName/api",
        ] {
            let line = format!("{taken}.{NAME}: there is one already (");
            assert!(said.contains(&line), "{taken}: {said}");
        }
        let command_of = format!(
            "say so: aws iam tag-role --role-name nodes.{NAME} --tags \
             Key=kubernetes.io/cluster/{NAME},Value=owned; if not, rename or delete it"
        );
        assert!(said.contains(&command_of), "{said}");
        assert_eq!(told(), before, "after {command:?}");
    }
    world.ok(COMMANDS[2]);
    assert_eq!(told(), before, "after a rolling update");
    let network = "spec.api.loadBalancer.class=Network";
    world.ok(&["set", "cluster", NAME, network]);
    let said = world.fails(COMMANDS[0]);
    for (what, name) in [("NetworkLoadBalancer", "api."), ("TargetGroup", "tcp-own-")] {
        let line = said.lines().find(|line| line.contains(&format!("{what}/{name}")));
        assert!(line.is_some_and(|line| line.contains(&things[what])), "{what}: {said}");
    }
    assert_eq!(told(), before, "with another class");
    // What nothing ties to the cluster is not looked for.
    let listed = without(things.clone(), &["LaunchConfiguration", "Instance"]);
    assert_listed(&stays(&world), &listed, "without an owner's tag");
    let said = world.fails(COMMANDS[3]);
    assert!(said.contains("nothing of its own is in account"), "{said}");
    assert_eq!(told(), before, "after its deletion");
}

#[test]
fn what_is_ours_goes_with_the_cluster() {
    let world = World::whole("own_ours", NAME, &specs());
    let before = world.dump();
    world.apply(NAME);
    let things = things(&world.situation("ours", NAME));
    world.ok(COMMANDS[0]);
    let after: Json = world.dump();
    let gone = |dump: &Json| -> Vec<String> {
        things
            .iter()
            .filter(|(_, id)| dump[id.as_str()].is_null())
            .map(|(what, _)| what.clone())
            .collect()
    };
    assert_eq!(gone(&after), [""; 0]);
    world.ok(COMMANDS[1]);
    assert_eq!(
        gone(&world.dump()),
        [
            "AutoscalingGroup",
            "AutoscalingGroup configured",
            "ElasticIP",
            "ElasticIP of the gateway",
            "IAMInstanceProfile",
            "IAMRole",
            "Instance of configured-ours.own.example.com",
            "Instance of ours.own.example.com",
            "LaunchConfiguration",
            "LaunchTemplate",
            "NatGateway",
            "RouteTable",
            "SSHKey",
            "Subnet b",
        ]
    );
    world.ok(COMMANDS[2]);
    world.ok(COMMANDS[3]);
    // The key pair has no name of the whole form, but the tag of its owner.
    assert_eq!(gone(&world.dump()).len(), things.len());
    let ids = |dump: &Json| dump.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(ids(&world.dump()), ids(&before));
}

/// The specs that name things: subnets by their ids, or what subnets of the cluster's own in a
/// shared VPC reach the internet by; a spec cannot have both.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Names {
    Subnets,
    WaysOut,
}

fn naming(made: &Json, names: Names) -> String {
    let id = |what: &str| made[what].as_str().unwrap();
    let subnets = match names {
        Names::Subnets => format!(
            "  - {{name: a, zone: us-west-2a, type: Private, id: {}}}
  - {{name: utility-b, zone: us-west-2b, type: Utility, id: {}}}\n",
            id("Subnet a"),
            id("Subnet b"),
        ),
        Names::WaysOut => format!(
            "  - {{name: a, zone: us-west-2a, type: Private, cidr: 10.1.64.0/20, egress: {}}}
  - {{name: b, zone: us-west-2b, type: Private, cidr: 10.1.80.0/20, publicIP: {}}}
  - {{name: c, zone: us-west-2c, type: Private, cidr: 10.1.96.0/20, egress: {}}}
  - {{name: utility-a, zone: us-west-2a, type: Utility, cidr: 10.1.112.0/22}}
  - {{name: utility-b, zone: us-west-2b, type: Utility, cidr: 10.1.116.0/22}}\n",
            id("NatGateway"),
            id("address"),
            id("Instance"),
        ),
    };
    let more = format!(
        "  annotations: {{kapstan.io/bootstrap: none}}
  iam: {{}}
  networkID: {}
  dnsZone: {}
  sshKeyName: {}
  api: {{loadBalancer: {{type: Public, additionalSecurityGroups: [{}]}}}}\n",
        id("VPC"),
        id("zone"),
        id("SSHKey"),
        id("SecurityGroup"),
    );
    let nodes = format!(
        "{SIZE}  iam: {{profile: '{}'}}
  externalLoadBalancers:
  - {{loadBalancerName: {}}}
  - {{targetGroupArn: '{}'}}\n",
        id("arn"),
        id("LoadBalancer classic"),
        id("TargetGroup"),
    );
    let own_subnet = "  - name: us-west-2a
    zone: us-west-2a
    cidr: 172.20.32.0/19
    type: Public\n";
    let spec = cluster(NAME, &more)
        .replace(own_subnet, &subnets)
        .replace("172.20.0.0/16", "10.1.0.0/16")
        .replace("masters: public", "masters: private")
        .replace("nodes: public", "nodes: private");
    let groups = [group(NAME, "masters", "Master", SIZE), group(NAME, "nodes", "Node", &nodes)];
    let groups =
        groups.map(|group| group.replace("Size: 1", "Size: 0").replace("- us-west-2a\n", "- a\n"));
    format!("{spec}---\n{}", groups.join("---\n"))
}

/// What every spec names here, and why each stays.
const NAMED: [(&str, &str); 9] = [
    ("VPC", "stays: named by spec.networkID"),
    ("InternetGateway", "which is named by spec.networkID"),
    ("SecurityGroup", "stays: named by spec.api.loadBalancer.additionalSecurityGroups[0]"),
    ("SSHKey", "stays: named by spec.sshKeyName"),
    ("IAMInstanceProfile", "stays: named by spec.iam.profile of InstanceGroup/nodes"),
    ("IAMRole", "named by spec.iam.profile of InstanceGroup/nodes, whose role it is"),
    ("LoadBalancer classic", "externalLoadBalancers[0].loadBalancerName of InstanceGroup/nodes"),
    ("NetworkLoadBalancer", "before TargetGroup/named-targets, which is named by spec."),
    ("TargetGroup", "externalLoadBalancers[1].targetGroupArn of InstanceGroup/nodes"),
];

#[test]
fn what_the_spec_names_stays_whatever_its_tags() {
    for (names, more) in [
        (
            Names::Subnets,
            vec![
                ("Subnet a", "stays: named by spec.subnets[0].id"),
                ("Subnet b", "stays: named by spec.subnets[1].id"),
            ],
        ),
        (
            Names::WaysOut,
            vec![
                ("NatGateway", "stays: named by spec.subnets[0].egress"),
                ("ElasticIP of the gateway", "which is named by spec.subnets[0].egress"),
                ("ElasticIP", "stays: named by spec.subnets[1].publicIP"),
                ("Instance", "stays: named by spec.subnets[2].egress"),
            ],
        ),
    ] {
        let world = World::bare(&format!("own_named_{names:?}").to_lowercase());
        world.zone("example.com", "named");
        let made = world.situation("named", NAME);
        world.create(&naming(&made, names));
        let reasons: BTreeMap<&str, &str> = NAMED.into_iter().chain(more).collect();
        let mut things = things(&made);
        things.retain(|what, _| reasons.contains_key(what.as_str()));
        assert_eq!(things.len(), reasons.len());
        let before = world.dump();
        let listed = stays(&world);
        for (what, id) in &things {
            let one = BTreeMap::from([(what.clone(), id.clone())]);
            assert_listed(&listed, &one, reasons[what.as_str()]);
        }
        assert_eq!(run_all(&world, &things, May::SetTags), things.len() * COMMANDS.len());
        // The tags that updates have set went with the cluster; those of others stay.
        let after = world.dump();
        for what in ["Subnet a", "Subnet b", "NatGateway", "ElasticIP"] {
            let Some(id) = things.get(what) else { continue };
            let tags = after[id]["tags"].as_object().unwrap();
            assert_eq!(tags.keys().collect::<Vec<_>>(), ["KubernetesCluster", "Name"], "{what}");
        }
        for what in ["VPC", "InternetGateway", "SecurityGroup"] {
            assert_eq!(before[&things[what]], after[&things[what]]);
        }
    }
}

fn set_name(world: &World, id: &str, name: &str) {
    let tag = Tag::builder().key("Name").value(name).build();
    wait(world.ec2().create_tags().resources(id).tags(tag).send()).unwrap();
}

fn take_tag(world: &World, id: &str, key: &str) {
    let tag = Tag::builder().key(key).build();
    wait(world.ec2().delete_tags().resources(id).tags(tag).send()).unwrap();
}

/// The ids of what the cluster has, of the kinds that AWS knows by id.
fn own_ids(world: &World) -> BTreeMap<String, String> {
    let dump = world.dump();
    let own = format!("kubernetes.io/cluster/{NAME}");
    let rows = dump.as_object().unwrap().iter().filter(|(_, row)| row["tags"][&own] == "owned");
    let rows = rows.filter_map(|(id, row)| {
        let (kind, _) = id.split_once('-')?;
        let kinds = ["vpc", "subnet", "igw", "rtb", "sg", "vol", "dopt", "lt", "nat", "eipalloc"];
        let name = row["tags"]["Name"].as_str().unwrap_or_default();
        kinds.contains(&kind).then(|| (format!("{kind} {name}"), id.clone()))
    });
    rows.collect()
}

#[test]
fn a_tag_that_was_changed_by_hand_is_mended_and_makes_no_second_one() {
    let world = World::whole("own_mended", NAME, &specs());
    world.apply(NAME);
    world.assert_settled(NAME, &[]);
    let before = world.dump();
    let ids = own_ids(&world);
    assert!(ids.len() >= 10, "{ids:#?}");
    let disturb: [&dyn Fn(&str); 2] = [&|id| take_tag(&world, id, "KubernetesCluster"), &|id| {
        if !id.starts_with("rtb-") {
            set_name(&world, id, "renamed")
        }
    }];
    for change in disturb {
        for id in ids.values() {
            change(id);
        }
        let run = world.ok(&["update", "cluster", NAME]);
        assert!(run.stdout.contains(" 0 to create, 0 to delete"), "{}", run.stdout);
        world.apply(NAME);
        world.assert_settled(NAME, &[]);
        let names = |dump: &Json| dump.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&world.dump()), names(&before));
    }
}

#[test]
fn a_volume_of_etcd_is_found_by_any_of_its_tags() {
    let world = World::whole("own_volume", NAME, &specs());
    world.apply(NAME);
    let ids = own_ids(&world);
    let main = &ids[&format!("vol a.etcd-main.{NAME}")];
    let before = world.dump();
    for key in ["Name", "KubernetesCluster", "k8s.io/role/master", "k8s.io/etcd/main"] {
        take_tag(&world, main, key);
        let plan = world.ok(&["update", "cluster", NAME]).stdout;
        let line = format!("~ EBSVolume/a.etcd-main.{NAME}\n      tags[{key:?}]  – → ");
        assert!(plan.contains(&line), "{key}: {plan}");
        world.apply(NAME);
        world.assert_settled(NAME, &[]);
        assert_eq!(world.dump(), before, "{key}");
    }
    // By its name alone, too.
    for key in ["k8s.io/role/master", "k8s.io/etcd/main"] {
        take_tag(&world, main, key);
    }
    let plan = world.ok(&["update", "cluster", NAME]).stdout;
    assert!(plan.contains(&format!("~ EBSVolume/a.etcd-main.{NAME}\n")), "{plan}");
    world.apply(NAME);
    assert_eq!(world.dump(), before);
    // One that is no one's any more stands in the way, and is not doubled.
    for key in ["KubernetesCluster", &format!("kubernetes.io/cluster/{NAME}")] {
        take_tag(&world, main, key);
    }
    let said = world.fails(&["update", "cluster", NAME, "--yes"]);
    let line = format!(
        "EBSVolume/a.etcd-main.{NAME}: there is one already ({main}), without an owner's tag; if it \
         is this cluster's, say so: aws ec2 create-tags --resources {main} --tags \
         Key=kubernetes.io/cluster/{NAME},Value=owned"
    );
    assert!(said.contains(&line), "{said}");
    let tag = Tag::builder().key(format!("kubernetes.io/cluster/{NAME}")).value("owned").build();
    wait(world.ec2().create_tags().resources(main).tags(tag).send()).unwrap();
    world.apply(NAME);
    assert_eq!(world.dump(), before);
}

#[test]
fn a_vpc_that_has_lost_its_tags_is_told_by_what_lies_in_it() {
    let world = World::whole("own_vpc", NAME, &specs());
    world.apply(NAME);
    let vpc = &own_ids(&world)[&format!("vpc {NAME}")];
    for key in ["KubernetesCluster", &format!("kubernetes.io/cluster/{NAME}")] {
        take_tag(&world, vpc, key);
    }
    let said = world.fails(&["update", "cluster", NAME, "--yes"]);
    let line = format!("lies in {vpc}, which does not carry the cluster's tags; if it is this");
    assert!(said.contains(&line), "{said}");
    // Its gateway is its owner's.
    let gateway = stays(&world).into_iter().find(|(id, _)| id.starts_with("InternetGateway/"));
    let (_, reason) = gateway.unwrap();
    assert_eq!(reason, format!("stays: part of {vpc}, which is without an owner's tag"));
}

#[test]
fn a_group_that_has_lost_its_tag_is_told_by_its_template() {
    let world = World::whole("own_group", NAME, &specs());
    world.apply(NAME);
    let name = format!("nodes.{NAME}");
    let tag = aws_sdk_autoscaling::types::Tag::builder();
    let tag = tag.key("KubernetesCluster").resource_id(&name).resource_type("auto-scaling-group");
    wait(world.autoscaling().delete_tags().tags(tag.build()).send()).unwrap();
    let plan = world.ok(&["update", "cluster", NAME]).stdout;
    let line = format!("~ AutoscalingGroup/{name}\n      tags[\"KubernetesCluster\"]  – → {NAME}");
    assert!(plan.contains(&line), "{plan}");
    world.apply(NAME);
    world.assert_settled(NAME, &[]);
}

#[test]
fn a_nat_gateway_without_tags_is_ours_only_where_our_route_leads_to_it() {
    let world = World::bare("own_nat");
    world.zone("example.com", "nat");
    let subnets = "    type: Private
  - {name: utility, zone: us-west-2a, cidr: 172.20.4.0/22, type: Utility}\n";
    let specs = specs().replace("    type: Public\n", subnets).replace(": public", ": private");
    world.create(&specs);
    world.keep_ssh_key(NAME);
    world.ok(&["update", "cluster", NAME, "--yes", "--phase", "network"]);
    let ids = own_ids(&world);
    let (nat, address) =
        (&ids[&format!("nat us-west-2a.{NAME}")], &ids[&format!("eipalloc us-west-2a.{NAME}")]);
    // Somebody's, in the same subnet.
    let client = world.ec2();
    let theirs = wait(client.allocate_address().send()).unwrap().allocation_id.unwrap();
    let utility = Filter::builder().name("tag:Name").values(format!("utility.{NAME}")).build();
    let utility = wait(client.describe_subnets().filters(utility).send()).unwrap();
    let utility = utility.subnets()[0].subnet_id().unwrap();
    let call = client.create_nat_gateway().subnet_id(utility).allocation_id(&theirs);
    let stranger = wait(call.send()).unwrap().nat_gateway.unwrap().nat_gateway_id.unwrap();
    let keys = ["Name", "KubernetesCluster", &format!("kubernetes.io/cluster/{NAME}")];
    for id in [nat, address] {
        keys.iter().for_each(|key| take_tag(&world, id, key));
    }
    world.apply(NAME);
    world.assert_settled(NAME, &[]);
    let dump = world.dump();
    assert_eq!(dump[nat]["tags"]["KubernetesCluster"], NAME);
    assert_eq!(dump[address]["tags"]["KubernetesCluster"], NAME);
    for id in [&stranger, &theirs] {
        assert_eq!(dump[id]["tags"], json!({}));
    }
    let gateways = dump.as_object().unwrap().keys().filter(|id| id.starts_with("nat-"));
    assert_eq!(gateways.count(), 2);
}

fn describe() -> Json {
    document(json!([{"Effect": "Allow", "Action": "ec2:Describe*", "Resource": "*"}]))
}

/// A role as kops v1.10 leaves it: without tags, in a profile of its name.
fn kops_role(world: &World, name: &str, service: &str, policy: &str) {
    let iam = world.iam();
    let role = iam.create_role().role_name(name);
    wait(role.assume_role_policy_document(trust(service).to_string()).send()).unwrap();
    world.put_policy(name, policy, &describe());
    wait(iam.create_instance_profile().instance_profile_name(name).send()).unwrap();
    let add = iam.add_role_to_instance_profile().instance_profile_name(name);
    wait(add.role_name(name).send()).unwrap();
}

#[test]
fn roles_that_kops_made_without_tags_are_adopted_and_others_are_not() {
    let world = World::with("own_roles", &specs());
    let (masters, nodes) = (format!("masters.{NAME}"), format!("nodes.{NAME}"));
    kops_role(&world, &masters, "ec2.amazonaws.com", &masters);
    kops_role(&world, &nodes, "ec2.amazonaws.com", "theirs");
    let said = world.fails(&["update", "cluster", NAME, "--yes"]);
    assert!(said.contains(&format!("IAMRole/{nodes}: there is one already")), "{said}");
    assert!(said.contains(&format!("IAMInstanceProfile/{nodes}: there is one already")), "{said}");
    assert!(!said.contains(&masters), "{said}");
    // kops' own policy in it makes it the cluster's.
    world.put_policy(&nodes, &nodes, &describe());
    world.apply(NAME);
    world.assert_settled_but(NAME, &[], &["! IAMRolePolicy/theirs"]);
}

#[test]
fn without_specs_tags_alone_decide() {
    let world = World::whole("own_gone", NAME, &specs());
    let nodes = format!("bastions.{NAME}");
    kops_role(&world, &nodes, "ec2.amazonaws.com", &nodes);
    let iam = |stays: &BTreeMap<String, String>| {
        stays.keys().filter(|id| id.starts_with("IAM")).cloned().collect::<Vec<_>>()
    };
    assert_eq!(iam(&stays(&world)), [""; 0], "it is as kops makes it");
    world.ok(&["delete", "cluster", NAME, "--unregister", "--yes"]);
    let run = world.ok(&["delete", "cluster", NAME, "--region", "us-west-2", "--yes"]);
    for line in ["IAMInstanceProfile", "IAMRole"] {
        let line = format!("= {line}/{nodes}  stays: without an owner's tag");
        assert!(run.stdout.contains(&line), "{}", run.stdout);
    }
    assert!(world.everything().contains(&format!("list_roles {nodes}")));
}

#[test]
fn records_that_lead_elsewhere_are_neither_taken_nor_deleted() {
    let world = World::whole("own_records", NAME, &specs());
    let route53 = aws_sdk_route53::Client::new(&world.sdk());
    let zone = wait(route53.list_hosted_zones().send()).unwrap().hosted_zones()[0].id().to_owned();
    let put = |name: &str, address: &str| world.record(&zone, name, address);
    put(&format!("api.{NAME}"), "198.51.100.7");
    put(&format!("etcd-a.internal.{NAME}"), "198.51.100.8");
    put(&format!("api.internal.{NAME}"), "203.0.113.123");
    let said = world.fails(&["update", "cluster", NAME, "--yes"]);
    let line = format!("DNSName/api.{NAME}: there is one already");
    assert!(said.contains(&line) && said.contains("leading to 198.51.100.7"), "{said}");
    // kops' placeholder is the cluster's.
    put(&format!("api.{NAME}"), "203.0.113.123");
    world.apply(NAME);
    world.assert_settled(NAME, &[]);
    world.ok(&["delete", "cluster", NAME, "--yes"]);
    let records = world.everything().into_iter().filter(|id| id.starts_with("record "));
    let records: Vec<String> = records.filter(|id| id.ends_with(" A")).collect();
    assert_eq!(records, [format!("record etcd-a.internal.{NAME}. A")]);
}

#[test]
fn a_launch_configuration_that_another_group_runs_on_stays() {
    let more = group(NAME, "more", "Node", SIZE).replace("Size: 1", "Size: 0");
    let world = World::whole("own_configuration", NAME, &format!("{}---\n{more}", specs()));
    world.apply(NAME);
    let client = world.autoscaling();
    let call = client.create_launch_configuration().launch_configuration_name("old");
    wait(call.image_id("ami-12345678").instance_type("t2.medium").send()).unwrap();
    let ours = client.update_auto_scaling_group().auto_scaling_group_name(format!("more.{NAME}"));
    wait(ours.launch_configuration_name("old").send()).unwrap();
    let theirs = client.create_auto_scaling_group().auto_scaling_group_name("theirs");
    let theirs = theirs.launch_configuration_name("old").min_size(0).max_size(0);
    wait(theirs.availability_zones("us-west-2a").send()).unwrap();
    let reason = stays(&world).remove("LaunchTemplate/old");
    assert_eq!(reason.as_deref(), Some("stays: used by AutoscalingGroup/theirs"));
    world.ok(&["delete", "ig", "more", "--name", NAME, "--yes"]);
    let run = world.ok(&["update", "cluster", NAME, "--yes", "--prune"]);
    let line = "= LaunchTemplate/old  stays: used by AutoscalingGroup/theirs";
    assert!(run.stdout.contains(line), "{}", run.stdout);
    assert!(!world.dump()["old"].is_null());
}

#[test]
fn a_group_of_somebody_s_on_a_template_of_ours_stays_with_it() {
    let more = group(NAME, "more", "Node", SIZE).replace("Size: 1", "Size: 0");
    let world = World::whole("own_template", NAME, &format!("{}---\n{more}", specs()));
    world.apply(NAME);
    let template = aws_sdk_autoscaling::types::LaunchTemplateSpecification::builder();
    let template = template.launch_template_name(format!("more.{NAME}")).version("1").build();
    let theirs = world.autoscaling().create_auto_scaling_group().auto_scaling_group_name("theirs");
    let theirs = theirs.launch_template(template).min_size(0).max_size(0);
    wait(theirs.availability_zones("us-west-2a").send()).unwrap();
    let why = "run by AutoscalingGroup/theirs, which is without an owner's tag";
    let reason = stays(&world).remove(&format!("LaunchTemplate/more.{NAME}"));
    assert_eq!(reason, Some(format!("stays: {why}")));
    world.ok(&["delete", "cluster", NAME, "--yes"]);
    let left = world.dump();
    assert!(!left["theirs group"].is_null(), "{left:#}");
    let is_template = |row: &Json| row["LaunchTemplateName"] == format!("more.{NAME}");
    assert!(left.as_object().unwrap().values().any(is_template), "{left:#}");
}

#[test]
fn a_profile_that_the_spec_comes_to_name_stays() {
    let world = World::whole("own_profile", NAME, &specs());
    world.apply(NAME);
    let nodes = format!("nodes.{NAME}");
    let profile = wait(world.iam().get_instance_profile().instance_profile_name(&nodes).send());
    let arn = profile.unwrap().instance_profile.unwrap().arn;
    let named = format!("spec.iam.profile={arn}");
    world.ok(&["set", "ig", "nodes", &named, "--name", NAME]);
    world.ok(&["update", "cluster", NAME, "--yes", "--prune"]);
    world.ok(&["delete", "cluster", NAME, "--yes"]);
    let left = world.everything();
    for id in [format!("list_roles {nodes}"), format!("list_instance_profiles {nodes}")] {
        assert!(left.contains(&id), "{id}: {left:#?}");
    }
    assert!(!left.contains(&format!("list_roles masters.{NAME}")), "{left:#?}");
}

#[test]
fn another_name_in_the_place_of_a_record_is_found_while_planning() {
    let world = World::whole("own_cname", NAME, &specs());
    let route53 = aws_sdk_route53::Client::new(&world.sdk());
    let zone = wait(route53.list_hosted_zones().send()).unwrap().hosted_zones[0].id.clone();
    use aws_sdk_route53::types::{
        Change, ChangeAction, ChangeBatch, ResourceRecord, ResourceRecordSet, RrType,
    };
    let value = ResourceRecord::builder().value("www.example.org").build().unwrap();
    let set = ResourceRecordSet::builder().name(format!("api.{NAME}")).r#type(RrType::Cname);
    let set = set.ttl(60).resource_records(value).build().unwrap();
    let change = Change::builder().action(ChangeAction::Create).resource_record_set(set);
    let batch = ChangeBatch::builder().changes(change.build().unwrap()).build().unwrap();
    let change = route53.change_resource_record_sets().hosted_zone_id(zone).change_batch(batch);
    wait(change.send()).unwrap();
    let before = world.dump();
    let said = world.fails(&["update", "cluster", NAME, "--yes"]);
    assert!(said.contains("leading to www.example.org, which is not the cluster's"), "{said}");
    assert_eq!(world.dump(), before);
}

#[test]
fn records_go_from_whichever_zone_they_lie_in() {
    let world = World::whole("own_zones", NAME, &specs());
    world.apply(NAME);
    // The spec's zone is no longer told from the other.
    world.zone("example.com", "second");
    world.ok(&["delete", "cluster", NAME, "--yes"]);
    let left = world.everything();
    assert!(!left.iter().any(|id| id.starts_with("record ") && id.ends_with(" A")), "{left:#?}");
}
