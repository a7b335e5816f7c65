//! What would fail in AWS is found while planning: all of it at once, with the field that is
//! wrong, and nothing is applied.

use serde_json::json;

use crate::harness::{World, cluster, group};

const NAME: &str = "bad.example.com";
const OWN: &str = "  annotations: {kapstan.io/bootstrap: none}\n  iam: {}\n";

fn specs(more: &str, nodes: &str) -> String {
    let image = "  image: ami-10100000\n";
    let nodes = format!("{image}{nodes}");
    [
        cluster(NAME, &format!("{OWN}{more}")),
        group(NAME, "masters", "Master", image),
        group(NAME, "nodes", "Node", &nodes),
    ]
    .join("---\n")
}

/// Plans a spec that must be refused; returns what was said. Nothing may be written.
#[track_caller]
fn refused(world: &World) -> String {
    let before = world.everything();
    world.forget_calls();
    let run = world.run(&["update", "cluster", NAME, "--yes"]);
    assert_eq!(run.code, 1, "{run:#?}");
    let calls = world.calls();
    let writes: Vec<&str> = calls
        .iter()
        .filter(|call| call.write && call.service != "s3")
        .map(|call| call.operation.as_str())
        .collect();
    assert_eq!(writes, [""; 0]);
    assert_eq!(world.everything(), before);
    run.stderr
}

#[test]
fn everything_wrong_with_instances_is_told_at_once() {
    let mut all = specs("", "");
    for (name, field) in [
        ("no-image", "  image: ami-00000000\n"),
        ("no-name", "  image: ubuntu/k8s-9.9\n"),
        ("no-owner", "  image: kope.io/k8s-9.9\n"),
        ("no-parameter", "  image: 'ssm:/no/such/parameter'\n"),
        ("no-type", "  image: ami-10100000\n  machineType: m5.hugest\n"),
        ("no-group", "  image: ami-10100000\n  additionalSecurityGroups: [sg-00000000]\n"),
        (
            "no-balancer",
            "  image: ami-10100000\n  externalLoadBalancers: [{loadBalancerName: no-lb}]\n",
        ),
        (
            "no-profile",
            "  image: ami-10100000\n  iam: {profile: 'arn:aws:iam::123456789012:instance-profile/none'}\n",
        ),
    ] {
        let mut own = group(NAME, name, "Node", "");
        if field.contains("machineType") {
            own = own.replace("  machineType: m5.large\n", "");
        }
        all.push_str(&format!("---\n{own}{field}"));
    }
    let world = World::whole("bad_instances", NAME, &all);
    let said = refused(&world);
    for wanted in [
        "InstanceGroup/no-image: spec.image ami-00000000: no such image",
        "InstanceGroup/no-name: spec.image ubuntu/k8s-9.9: no such image",
        "InstanceGroup/no-owner: spec.image kope.io/k8s-9.9: \"kope.io\" is no owner of images",
        "InstanceGroup/no-parameter: spec.image ssm:/no/such/parameter: Systems Manager has no parameter",
        "InstanceGroup/no-type: spec.machineType m5.hugest: there is no such type in us-west-2",
        "SecurityGroup/sg-00000000: does not exist",
        "there is no load balancer no-lb",
        "IAMInstanceProfile/none: spec.iam.profile names",
    ] {
        assert!(said.contains(wanted), "{wanted}\n{said}");
    }
}

#[test]
fn a_machine_type_that_a_zone_lacks() {
    let subnets =
        "    type: Public\n  - {name: d, zone: us-west-2d, type: Public, cidr: 172.20.96.0/19}\n";
    let all = specs("", "").replacen("    type: Public\n", subnets, 1);
    let all = all.replace(
        "  role: Node\n  machineType: m5.large\n",
        "  role: Node\n  machineType: m3.medium\n",
    );
    let (head, nodes) = all.rsplit_once("  - us-west-2a\n").unwrap();
    let all = format!("{head}  - us-west-2a\n  - d\n{nodes}");
    let world = World::whole("bad_zone", NAME, &all);
    let said = refused(&world);
    let wanted = "InstanceGroup/nodes: spec.machineType m3.medium: us-west-2d does not offer it";
    assert!(said.contains(wanted), "{said}");
}

#[test]
fn keys_and_zones_that_are_not_there() {
    let world = World::bare("bad_key");
    world.create(&specs("", ""));
    let said = refused(&world);
    // Instances without a key are as good.
    assert!(!said.contains("SSH"), "{said}");
    assert!(
        said.contains("DNSZone/bad.example.com: the account has no public hosted zone above"),
        "{said}"
    );
    world.replace(&specs("  sshKeyName: no-such-key\n", ""));
    let said = refused(&world);
    assert!(said.contains("SSHKey/no-such-key: spec.sshKeyName names a key pair"), "{said}");
    world.write("key.pub", "not a key");
    let path = world.path("key.pub").display().to_string();
    let said =
        world.fails(&["create", "secret", "sshpublickey", "admin", "-i", &path, "--name", NAME]);
    assert!(said.contains("no OpenSSH public key"), "{said}");
}

#[test]
fn shared_things_that_do_not_exist_or_are_otherwise() {
    let world = World::whole(
        "bad_shared",
        NAME,
        &specs("  networkID: vpc-00000000\n", "").replace(
            "    cidr: 172.20.32.0/19\n",
            "    cidr: 172.20.32.0/19\n    id: subnet-00000000\n",
        ),
    );
    let said = refused(&world);
    assert!(said.contains("VPC/bad.example.com: does not exist"), "{said}");
    assert!(said.contains("there is no subnet subnet-00000000 in "), "{said}");
    let ids = world.lay_out("id: subnet-");
    let (vpc, subnet) =
        (ids["vpc-12345678"].as_str().unwrap(), ids["subnet-12345678"].as_str().unwrap());
    world.replace(
        &specs(&format!("  networkID: {vpc}\n"), "")
            .replace("networkCIDR: 172.20.0.0/16", "networkCIDR: 172.16.0.0/12")
            .replace(
                "    cidr: 172.20.32.0/19\n",
                &format!("    cidr: 172.20.36.0/22\n    id: {subnet}\n"),
            ),
    );
    let said = refused(&world);
    assert!(said.contains("VPC/bad.example.com: cidr of"), "{said}");
    assert!(said.contains("Subnet/us-west-2a.bad.example.com: cidr of"), "{said}");
}

#[test]
fn what_a_spec_alone_tells_is_told_with_its_path() {
    let world = World::bare("bad_spec");
    let subnet =
        "    type: Public\n  - {name: b, zone: us-west-2b, type: Private, cidr: 172.20.64.0/19}\n";
    let world_spec = specs("", "").replacen("    type: Public\n", subnet, 1);
    world.create(&world_spec);
    let said = world.fails(&["update", "cluster", NAME]);
    assert!(
        said.contains(
            "spec.subnets[1]: needs a way out, but us-west-2b has no subnet of type Utility"
        ),
        "{said}"
    );
    let file = world.write(
        "bad.yaml",
        &specs(
            "",
            "  volumes: [{size: 0}]
  warmPool: {minSize: 3, maxSize: 1}
  cpuCredits: all
  instanceMetadata: {httpTokens: maybe, httpPutResponseHopLimit: 100}
  mixedInstancesPolicy: {onDemandAboveBase: 200}
",
        )
        .replacen("bootstrap: none", "bootstrap: magic", 1),
    );
    let said = world.fails(&["replace", "-f", &file]);
    for path in [
        "metadata.annotations[\"kapstan.io/bootstrap\"]",
        "spec.volumes[0].device",
        "spec.volumes[0].size",
        "spec.warmPool",
        "spec.cpuCredits",
        "spec.instanceMetadata.httpTokens",
        "spec.instanceMetadata.httpPutResponseHopLimit",
        "spec.mixedInstancesPolicy.onDemandAboveBase",
    ] {
        assert!(said.contains(&format!("{path} (line")), "{path}: {said}");
    }
}

#[test]
fn a_refused_look_is_told_with_what_to_allow() {
    let world = World::whole("bad_look", NAME, &specs("", ""));
    world.rules(json!([{"operation": "ec2:DescribeVpcs", "error": "UnauthorizedOperation"}]));
    let run = world.run(&["update", "cluster", NAME, "--yes"]);
    assert_eq!(run.code, 1);
    let said = run.stderr;
    assert!(said.contains("VPC/bad.example.com: could not be looked at"), "{said}");
    assert!(said.contains("allow ec2:DescribeVpcs"), "{said}");
}
