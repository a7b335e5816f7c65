//! What AWS certainly refuses is refused before the first write: where the spec alone tells,
//! before it is kept; else while planning. What AWS takes is taken.

use crate::harness::{STRICT, World, cluster, group};

const NAME: &str = "limits.example.com";

/// Where a row's lines are put into a small valid cluster.
#[derive(Clone, Copy)]
enum Place {
    Cluster,
    Nodes,
    /// Of etcd's first member.
    Member,
    /// Of the load balancer before the API server.
    Balancer,
    /// The statements of nodes.
    Policy,
    /// In place of another text of the specs.
    Instead(&'static str),
}

fn specs(at: Place, lines: &str) -> String {
    let bare = [
        cluster(NAME, &format!("  annotations: {{kapstan.io/bootstrap: none}}\n{STRICT}")),
        group(NAME, "masters", "Master", "  image: ami-10100000\n"),
        group(NAME, "nodes", "Node", "  image: ami-10100000\n"),
    ];
    let [all, masters, nodes] = &bare;
    let indented = |spaces: usize| -> String {
        lines.lines().map(|line| format!("{}{line}\n", " ".repeat(spaces))).collect()
    };
    let join = |all: &str, nodes: &str| [all, masters, nodes].join("---\n");
    match at {
        Place::Cluster => join(&format!("{all}{}", indented(2)), nodes),
        Place::Nodes => join(all, &format!("{nodes}{}", indented(2))),
        Place::Member => {
            let member = "    - name: a\n      instanceGroup: masters\n";
            join(&all.replacen(member, &format!("{member}{}", indented(6)), 1), nodes)
        }
        Place::Balancer => {
            let balancer = "  api:\n    loadBalancer:\n      type: Public\n";
            join(&format!("{all}{balancer}{}", indented(6)), nodes)
        }
        Place::Policy => {
            let policy = format!("  additionalPolicies:\n    node: '[{lines}]'\n");
            join(&format!("{all}{policy}"), nodes)
        }
        Place::Instead(of) => {
            let whole = join(all, nodes);
            assert!(whole.contains(of), "{of}");
            whole.replacen(of, lines, 1)
        }
    }
}

fn allow(action: &str, resource: &str, condition: &str) -> String {
    let condition = match condition {
        "" => String::new(),
        condition => format!(r#", "Condition": {{{condition}}}"#),
    };
    format!(r#"{{"Effect": "Allow", "Action": "{action}", "Resource": "{resource}"{condition}}}"#)
}

fn action(action: &str) -> String {
    allow(action, "arn:aws:s3:::b/*", "")
}

fn resource(resource: &str) -> String {
    allow("s3:GetObject", resource, "")
}

fn condition(condition: &str) -> String {
    allow("s3:GetObject", "*", condition)
}

fn labels(count: usize) -> String {
    let labels: Vec<String> = (0..count).map(|number| format!("k{number}: v")).collect();
    format!("cloudLabels: {{{}}}", labels.join(", "))
}

fn user_data(content: &str) -> String {
    format!(
        "additionalUserData:\n- {{name: a.sh, type: text/x-shellscript, content: \"{content}\"}}"
    )
}

/// What kapstan puts around one part of user data, in bytes.
const FRAME: usize = 251;

fn long(c: &str, count: usize) -> String {
    c.repeat(count)
}

fn types(count: usize) -> String {
    format!("mixedInstancesPolicy: {{instances: [{}]}}", vec!["t3.medium"; count].join(", "))
}

fn mixed(more: &str) -> String {
    format!("mixedInstancesPolicy: {{instances: [t3.medium, t3.large], {more}}}")
}

const NODES: &str = "  name: nodes\n";
const RANGE: &str = "networkCIDR: 172.20.0.0/16";
const SUBNET: &str = "cidr: 172.20.32.0/19";
const LABEL: &str = "k8s.io/cluster-autoscaler/node-template/label/";
const TAINT: &str = "k8s.io/cluster-autoscaler/node-template/taint/";

/// What is refused where the spec alone tells: where, what, the field, and what is said.
fn refused() -> Vec<(Place, String, &'static str, &'static str)> {
    use Place::{Balancer, Cluster, Instead, Member, Nodes, Policy};
    let policy = "spec.additionalPolicies.node";
    let label = |key: &str, value: &str| format!("cloudLabels: {{\"{key}\": \"{value}\"}}");
    let owned = "is a tag that kapstan sets itself";
    vec![
        (Policy, action("s3:"), policy, "\"s3:\" is no action"),
        (Policy, action(":GetObject"), policy, "nothing stands before the colon"),
        (Policy, action("s3:Get Object"), policy, "a name has letters"),
        (Policy, action("s3:a:b"), policy, "more than one colon"),
        (Policy, action("*:GetObject"), policy, "a service has letters"),
        (Policy, resource(""), policy, "Resource is empty"),
        (Policy, resource("my-bucket"), policy, "a resource is * or an ARN"),
        (Policy, resource("arn:aws:s3"), policy, "has 3 parts"),
        (Policy, resource("arn:aws:s3::b"), policy, "has 5 parts"),
        (Policy, resource("arn:aws-foo:s3:::b"), policy, "its partition is \"aws-foo\""),
        (Policy, resource("arn:aws-cn:s3:::b"), policy, "the cluster lies in aws"),
        (Policy, resource("arn:aws:s3:::日本"), policy, "its characters end at U+00FF"),
        (
            Policy,
            condition(r#""StringEqual": {"aws:RequestedRegion": "us-west-2"}"#),
            policy,
            "did you mean \"StringEquals\"?",
        ),
        (
            Policy,
            condition(r#""NullIfExists": {"aws:TokenIssueTime": "true"}"#),
            policy,
            "is no condition operator",
        ),
        (
            Policy,
            condition(r#""DateLessThan": {"aws:CurrentTime": "tomorrow"}"#),
            policy,
            "aws:CurrentTime is \"tomorrow\"; a date is expected",
        ),
        (
            Policy,
            condition(r#""DateLessThan": {"aws:CurrentTime": "2018-02-30"}"#),
            policy,
            "a date is expected",
        ),
        (
            Policy,
            action("s3:GetObject").replace("Allow", "Alow"),
            policy,
            "Effect is \"Alow\", and takes Allow or Deny; did you mean \"Allow\"?",
        ),
        (Cluster, label("aws:x", "y"), "spec.cloudLabels.aws:x", "AWS' own"),
        (Cluster, label("AWS:x", "y"), "spec.cloudLabels.AWS:x", "AWS' own"),
        (Cluster, label(&long("k", 129), "y"), "spec.cloudLabels", "has 129 characters"),
        (Cluster, label("k", &long("y", 257)), "spec.cloudLabels.k", "has 257 characters"),
        (Cluster, label("", "y"), "spec.cloudLabels", "has 0 characters"),
        (Cluster, label("k", r"x\0y"), "spec.cloudLabels.k", "a control character"),
        (Cluster, labels(51), "spec.cloudLabels", "gives a volume 57 tags"),
        (Cluster, labels(45), "spec.cloudLabels", "gives a volume 51 tags"),
        (Cluster, label("Name", "ours"), "spec.cloudLabels.Name", owned),
        (
            Cluster,
            label("KubernetesCluster", "twin.example.com"),
            "spec.cloudLabels.KubernetesCluster",
            owned,
        ),
        (
            Cluster,
            label("kubernetes.io/cluster/limits.example.com", "shared"),
            "spec.cloudLabels[\"kubernetes.io/cluster/limits.example.com\"]",
            owned,
        ),
        (
            Nodes,
            label("kubernetes.io/cluster/other", "owned"),
            "spec.cloudLabels[\"kubernetes.io/cluster/other\"]",
            owned,
        ),
        (Nodes, label("Name", "ours"), "spec.cloudLabels.Name", owned),
        (Nodes, label("KubernetesCluster", "x"), "spec.cloudLabels.KubernetesCluster", owned),
        (Nodes, label("k8s.io/role/master", "1"), "spec.cloudLabels", owned),
        (Cluster, label("k8s.io/etcd/main", "a/a"), "spec.cloudLabels", owned),
        (Nodes, label("kops.k8s.io/instancegroup", "x"), "spec.cloudLabels", owned),
        (Nodes, label("aws:y", "z"), "spec.cloudLabels.aws:y", "AWS' own"),
        (
            Nodes,
            r#"additionalUserData: [{name: "a\nX: y", type: text/x-shellscript, content: ls}]"#
                .into(),
            "spec.additionalUserData[0].name",
            "control characters",
        ),
        (Cluster, labels(41), "spec.cloudLabels", "gives the Auto Scaling group 51 tags"),
        (Nodes, labels(44), "spec.cloudLabels", "gives the Auto Scaling group 51 tags"),
        (
            Nodes,
            format!("nodeLabels: {{{}: z}}", long("a", 129 - LABEL.len())),
            "spec.nodeLabels",
            "has 129 characters",
        ),
        (
            Nodes,
            format!("nodeLabels: {{a: {}}}", long("z", 257)),
            "spec.nodeLabels.a",
            "has 257 characters",
        ),
        (
            Nodes,
            format!("taints: [\"{}=v:NoSchedule\"]", long("k", 129 - TAINT.len())),
            "spec.taints[0]",
            "has 129 characters",
        ),
        (
            Nodes,
            format!("taints: [\"k={}:NoSchedule\"]", long("v", 246)),
            "spec.taints[0]",
            "has 257 characters",
        ),
        (Nodes, user_data(&long("x", 17_000)), "spec.additionalUserData", "AWS takes 0 to 16384"),
        (Nodes, user_data(&long("x", 16_300)), "spec.additionalUserData", "AWS takes 0 to 16384"),
        // Two bytes each.
        (Nodes, user_data(&long("ü", 8_200)), "spec.additionalUserData", "AWS takes 0 to 16384"),
        (
            Instead(NODES),
            format!("  name: {}\n", long("g", 110)),
            "metadata.name",
            "has 129 characters; AWS takes 3 to 128 in the name of a launch template",
        ),
        (Instead(NODES), "  name: a+b\n".into(), "metadata.name", "holds '+'"),
        (Instead(NODES), "  name: a@b=c\n".into(), "metadata.name", "holds '@'"),
        (Instead(NODES), "  name: a,b\n".into(), "metadata.name", "holds ','"),
        (
            Cluster,
            format!("sshKeyName: {}", long("k", 256)),
            "spec.sshKeyName",
            "has 256 characters",
        ),
        (Cluster, "sshKeyName: schlüssel".into(), "spec.sshKeyName", "holds 'ü'"),
        (Nodes, "rootVolumeSize: 70000".into(), "spec.rootVolumeSize", "gp3 takes 1 to 65536 GiB"),
        (
            Nodes,
            "rootVolumeSize: 16385\nrootVolumeType: gp2".into(),
            "spec.rootVolumeSize",
            "gp2 takes 1 to 16384 GiB",
        ),
        (Nodes, "rootVolumeSize: -5".into(), "spec.rootVolumeSize", "is -5"),
        (
            Nodes,
            "volumes: [{device: /dev/xvdd, size: 20, type: io1, iops: 50}]".into(),
            "spec.volumes[0].iops",
            "io1 takes 100 to 64000",
        ),
        (
            Nodes,
            "rootVolumeSize: 20\nrootVolumeIops: 2000\nrootVolumeType: io1".into(),
            "spec.rootVolumeIops",
            "io1 takes 50 a GiB, so 1000 for 20 GiB",
        ),
        (
            Nodes,
            "volumes: [{device: /dev/xvdd, size: 20, iops: 2000}]".into(),
            "spec.volumes[0].iops",
            "gp3 takes 3000 to 80000",
        ),
        (Nodes, "rootVolumeIops: -1".into(), "spec.rootVolumeIops", "must not be negative"),
        (
            Nodes,
            "volumes: [{device: /dev/xvdd, size: 20, throughput: 100}]".into(),
            "spec.volumes[0].throughput",
            "gp3 takes 125 to 2000 MiB/s",
        ),
        (
            Nodes,
            "rootVolumeThroughput: -1".into(),
            "spec.rootVolumeThroughput",
            "must not be negative",
        ),
        (
            Nodes,
            "rootVolumeThroughput: 1000".into(),
            "spec.rootVolumeThroughput",
            "a quarter of its 3000 operations, 750 MiB/s",
        ),
        (
            Nodes,
            "rootVolumeType: st1\nrootVolumeSize: 500".into(),
            "spec.rootVolumeType",
            "takes one of standard, gp3, gp2, io1, io2",
        ),
        (
            Member,
            "volumeThroughput: 800".into(),
            "spec.etcdClusters[0].etcdMembers[0].volumeThroughput",
            "a quarter of its 3000 operations, 750 MiB/s",
        ),
        (
            Member,
            "volumeType: io2\nvolumeSize: 20\nvolumeIops: 10001".into(),
            "spec.etcdClusters[0].etcdMembers[0].volumeIops",
            "io2 takes 500 a GiB, so 10000 for 20 GiB",
        ),
        (
            Member,
            "volumeType: io1\nvolumeSize: 2\nvolumeIops: 100".into(),
            "spec.etcdClusters[0].etcdMembers[0].volumeSize",
            "io1 takes 4 to 16384 GiB",
        ),
        (
            Member,
            "volumeType: gp9".into(),
            "spec.etcdClusters[0].etcdMembers[0].volumeType",
            "is \"gp9\"; allowed are gp2, gp3",
        ),
        (
            Member,
            "volumeSize: -3".into(),
            "spec.etcdClusters[0].etcdMembers[0].volumeSize",
            "is -3",
        ),
        (
            Member,
            "kmsKeyId: arn:aws:kms:us-west-2:123456789012:key/x".into(),
            "spec.etcdClusters[0].etcdMembers[0].kmsKeyId",
            "encrypted volumes only",
        ),
        (Instead("maxSize: 1\n"), "maxSize: 3000000000\n".into(), "spec.maxSize", "3000000000"),
        (Instead("minSize: 1\n"), "minSize: -1\n".into(), "spec.minSize", "is -1"),
        (Instead("minSize: 1\n"), "minSize: 2\n".into(), "spec.maxSize", "is below minSize 2"),
        (
            Nodes,
            "warmPool: {minSize: 1, maxSize: 3000000000}".into(),
            "spec.warmPool.maxSize",
            "3000000000",
        ),
        (
            Balancer,
            "idleTimeoutSeconds: 5000".into(),
            "spec.api.loadBalancer.idleTimeoutSeconds",
            "is 5000; AWS takes 1 to 3600 seconds",
        ),
        (
            Balancer,
            "idleTimeoutSeconds: 0".into(),
            "spec.api.loadBalancer.idleTimeoutSeconds",
            "is 0; AWS takes 1 to 3600 seconds",
        ),
        (
            Balancer,
            "sslCertificate: hello".into(),
            "spec.api.loadBalancer.sslCertificate",
            "no ARN of a certificate",
        ),
        (
            Balancer,
            "sslCertificate: arn:aws:acm:us-west-2::certificate/1".into(),
            "spec.api.loadBalancer.sslCertificate",
            "no ARN of a certificate",
        ),
        (
            Balancer,
            "sslCertificate: arn:aws-cn:acm:cn-north-1:123456789012:certificate/1".into(),
            "spec.api.loadBalancer.sslCertificate",
            "the partition aws-cn, but the cluster lies in aws",
        ),
        (Nodes, mixed("spotInstancePools: 30"), "spotInstancePools", "takes 1 to 20 pools"),
        (Nodes, mixed("spotInstancePools: 0"), "spotInstancePools", "takes 1 to 20 pools"),
        (
            Nodes,
            mixed("spotInstancePools: 2, spotAllocationStrategy: capacity-optimized"),
            "spec.mixedInstancesPolicy.spotInstancePools",
            "is for the spotAllocationStrategy lowest-price only",
        ),
        (
            Nodes,
            mixed("spotAllocationStrategy: cheapest"),
            "spec.mixedInstancesPolicy.spotAllocationStrategy",
            "is \"cheapest\", but takes one of lowest-price",
        ),
        (
            Nodes,
            mixed("onDemandAllocationStrategy: any"),
            "spec.mixedInstancesPolicy.onDemandAllocationStrategy",
            "is \"any\"; allowed are prioritized",
        ),
        (Nodes, mixed("onDemandBase: 3000000000"), "onDemandBase", "is 3000000000"),
        (Nodes, mixed("onDemandAboveBase: 101"), "onDemandAboveBase", "takes 0 to 100"),
        (Nodes, types(41), "spec.mixedInstancesPolicy.instances", "is 41; AWS takes 1 to 40"),
        (Instead(RANGE), "networkCIDR: 172.16.0.0/12".into(), "spec.networkCIDR", "/16 to /28"),
        (Instead(RANGE), "networkCIDR: 172.20.32.0/29".into(), "spec.networkCIDR", "/16 to /28"),
        (Instead(RANGE), "networkCIDR: fd00::/16".into(), "spec.networkCIDR", "is of IPv6"),
        (Instead(RANGE), "networkCIDR: 172.020.0.0/16".into(), "spec.networkCIDR", "begins with 0"),
        (
            Cluster,
            "sshAccess: [192.0.2.1/24, 192.0.2.2/24]".into(),
            "spec.sshAccess[1]",
            "is 192.0.2.0/24, like spec.sshAccess[0]; leave one out",
        ),
        (
            Cluster,
            "kubernetesApiAccess: ['::/0', '0::/0']".into(),
            "spec.kubernetesApiAccess[1]",
            "is ::/0, like spec.kubernetesApiAccess[0]",
        ),
        (Instead(SUBNET), "cidr: 172.20.32.0/29".into(), "spec.subnets[0].cidr", "/16 to /28"),
        (
            Cluster,
            "additionalNetworkCIDRs: [10.0.0.0/15]".into(),
            "spec.additionalNetworkCIDRs[0]",
            "/16 to /28",
        ),
        (
            Cluster,
            "additionalNetworkCIDRs: [172.20.64.0/20]".into(),
            "spec.additionalNetworkCIDRs[0]",
            "overlaps 172.20.0.0/16",
        ),
        (
            Nodes,
            "volumes: [{device: disk one, size: 5}]".into(),
            "spec.volumes[0].device",
            "EC2 takes /dev/xvdX",
        ),
        (
            Nodes,
            "volumes: [{device: /dev/sdf, size: 5}, {device: sdf, size: 5}]".into(),
            "spec.volumes[1].device",
            "is used twice",
        ),
        (
            Nodes,
            "volumes: [{device: /dev/xvdd, size: 70000}]".into(),
            "spec.volumes[0].size",
            "gp3 takes 1 to 65536 GiB",
        ),
        (
            Nodes,
            "volumes: [{device: /dev/xvdd, size: 124, type: st1}]".into(),
            "spec.volumes[0].size",
            "st1 takes 125 to 16384 GiB",
        ),
        (
            Nodes,
            "maxPrice: \"0.05\"\ninstanceInterruptionBehavior: stop".into(),
            "spec.instanceInterruptionBehavior",
            "allowed are terminate",
        ),
        (
            Instead("    zone: us-west-2a"),
            "    zone: west".into(),
            "spec.subnets[0].zone",
            "no availability zone",
        ),
    ]
}

/// What AWS takes, at the limits above.
fn taken() -> Vec<(Place, String)> {
    use Place::{Balancer, Cluster, Instead, Member, Nodes, Policy};
    vec![
        (Policy, action("*")),
        (Policy, action("s3:Get?bject*")),
        (Policy, resource("arn:*:s3:::b/${aws:username}/*")),
        (Policy, resource("arn:aws:s3:::ÿ")),
        (Policy, condition(r#""DateLessThan": {"aws:CurrentTime": "2018-01-01T00:00:00Z"}"#)),
        (Policy, condition(r#""ForAnyValue:StringLikeIfExists": {"aws:TagKeys": ["a", "b"]}"#)),
        (Policy, condition(r#""Bool": {"aws:SecureTransport": true}"#)),
        // What is strange, and no document says that IAM refuses it.
        (Policy, condition(r#""Bool": {"aws:SecureTransport": "maybe"}"#)),
        (Policy, resource("arn:aws:ec2:us west-2:1:volume/*")),
        (Cluster, format!("cloudLabels: {{{}: {}}}", long("k", 128), long("y", 256))),
        (Cluster, labels(40)),
        (Cluster, "cloudLabels: {\"schlüssel\": \"wört, und: mehr\"}".into()),
        (Nodes, labels(43)),
        (Nodes, "cloudLabels: {k8s.io/cluster-autoscaler/enabled: \"\"}".into()),
        (Nodes, format!("nodeLabels: {{{}: z}}", long("a", 128 - LABEL.len()))),
        (Nodes, format!("taints: [\"{}=v:NoSchedule\"]", long("k", 128 - TAINT.len()))),
        (Nodes, user_data(&long("x", 16_384 - FRAME))),
        (Instead(NODES), format!("  name: {}\n", long("g", 109))),
        (Instead(NODES), "  name: Nodes_A.b-c\n".into()),
        (Cluster, format!("sshKeyName: {}", long("k", 255))),
        (Nodes, "rootVolumeSize: 16384".into()),
        (Nodes, "rootVolumeSize: 0".into()),
        // kops leaves it out, and so does kapstan.
        (Nodes, "rootVolumeIops: 500".into()),
        (Nodes, "rootVolumeType: io1\nrootVolumeSize: 20\nrootVolumeIops: 1000".into()),
        (
            Nodes,
            "rootVolumeType: gp3\nrootVolumeSize: 160\nrootVolumeIops: 80000\nrootVolumeThroughput: 2000"
                .into(),
        ),
        (Member, "volumeType: io1\nvolumeSize: 4\nvolumeIops: 100".into()),
        (Member, "volumeType: st1\nvolumeSize: 125".into()),
        (Member, "kmsKeyId: key-1\nencryptedVolume: true".into()),
        (
            Instead("role: Node\n  machineType: m5.large\n  minSize: 1\n  maxSize: 1\n"),
            "role: Node\n  machineType: m5.large\n  minSize: 1\n  maxSize: 2147483647\n".into(),
        ),
        (Balancer, "idleTimeoutSeconds: 3600".into()),
        (Balancer, "idleTimeoutSeconds: 1".into()),
        // A network load balancer has no such time.
        (Balancer, "class: Network\nidleTimeoutSeconds: 5000".into()),
        (
            Balancer,
            "class: Network\nsslCertificate: arn:aws:iam::123456789012:server-certificate/own".into(),
        ),
        (Nodes, mixed("spotInstancePools: 20, spotAllocationStrategy: lowest-price")),
        (Nodes, types(40)),
        (Instead(RANGE), "networkCIDR: 172.20.0.0/16".into()),
        (Instead(SUBNET), "cidr: 172.20.32.0/28".into()),
        (Instead(SUBNET), "cidr: 172.20.0.0/16".into()),
        (Cluster, "additionalNetworkCIDRs: [10.0.0.0/16, 10.1.0.0/28]".into()),
        (Cluster, "sshAccess: ['::/0', 0.0.0.0/0, '2001:0db8::/32', 0.0.0.0/0]".into()),
        // What exists already, AWS has taken.
        (Instead(RANGE), "networkID: vpc-12345678\n  networkCIDR: 172.16.0.0/12".into()),
        (Nodes, "volumes: [{device: /dev/sdf, size: 16384}]".into()),
        // Without a price it reaches nobody.
        (Nodes, "instanceInterruptionBehavior: stop".into()),
    ]
}

#[track_caller]
fn assert_nothing_written(world: &World, what: &str) {
    let calls = world.calls();
    // The lock is taken before the first look, and let go again.
    let writes = calls.iter().filter(|call| call.write && !call.path.contains("/.kapstan/"));
    let writes: Vec<&str> = writes.map(|call| call.operation.as_str()).collect();
    assert_eq!(writes, [""; 0], "{what}");
}

#[test]
fn what_a_spec_alone_tells_is_refused_before_it_is_kept() {
    let world = World::bare("limits_spec");
    world.forget_calls();
    let mut wrong = Vec::new();
    for (at, lines, path, said) in refused() {
        let file = world.write("specs.yaml", &specs(at, &lines));
        let run = world.run(&["replace", "-f", &file, "--force"]);
        if run.code != 1 || !run.stderr.contains(path) || !run.stderr.contains(said) {
            wrong.push(format!("{lines:.80}: {path}: {said}\n{}: {}", run.code, run.stderr));
        }
    }
    assert_nothing_written(&world, &wrong.join("\n"));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_aws_takes_is_taken() {
    let world = World::bare("limits_taken");
    for (at, lines) in taken() {
        let file = world.write("specs.yaml", &specs(at, &lines));
        let run = world.run(&["replace", "-f", &file, "--force"]);
        assert_eq!(run.code, 0, "{lines}: {run:#?}");
        assert_eq!(run.stderr, "", "{lines}");
    }
}

#[test]
fn names_of_clusters_fit_into_tags() {
    let world = World::bare("limits_name");
    // 22 characters stand before the name in the tag of owners.
    let named = |length: usize| {
        let head = format!("{}.{}", long("a", 60), long("b", length - 60 - 1 - 12));
        specs(Place::Cluster, "").replace(NAME, &format!("{head}.example.com"))
    };
    let file = world.write("specs.yaml", &named(107));
    let said = world.fails(&["create", "-f", &file]);
    assert!(said.contains("metadata.name (line 4): becomes the tag"), "{said}");
    assert!(said.contains("has 129 characters"), "{said}");
    let file = world.write("specs.yaml", &named(106));
    world.ok(&["create", "-f", &file]);
}

#[test]
fn every_way_of_writing_a_spec_refuses() {
    let world = World::bare("limits_ways");
    let good = specs(Place::Cluster, "");
    world.create(&good);
    world.forget_calls();
    let said = world.fails(&["set", "ig", "nodes", "spec.rootVolumeSize=-5", "--name", NAME]);
    assert!(said.contains("spec.rootVolumeSize") && said.contains("is -5"), "{said}");
    let said = world.fails(&["set", "cluster", NAME, "spec.cloudLabels.Name=ours"]);
    assert!(said.contains("spec.cloudLabels.Name"), "{said}");
    let args = ["create", "cluster", "new.example.com", "--zones", "us-west-2a"];
    let said = world.fails(&[&args[..], &["--cloud-labels", "aws:x=y"]].concat());
    assert!(said.contains("spec.cloudLabels.aws:x"), "{said}");
    let said = world.fails(&[&args[..], &["--network-cidr", "10.0.0.0/8"]].concat());
    assert!(said.contains("spec.networkCIDR"), "{said}");
    let key = world.write("key.pub", "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTY= me\n");
    let args = ["create", "secret", "sshpublickey", "admin", "-i", &key, "--name", NAME];
    let said = world.fails(&args);
    assert!(said.contains("EC2 takes ssh-rsa and ssh-ed25519 only"), "{said}");
    assert_nothing_written(&world, "any way");
}

#[test]
fn two_groups_that_are_one_in_aws_are_refused_by_both_names() {
    let world = World::bare("limits_twins");
    let twin = group(NAME, "masters.masters", "Node", "");
    let file = world.write("specs.yaml", &[specs(Place::Cluster, ""), twin.clone()].join("---\n"));
    let said = world.fails(&["create", "-f", &file]);
    let wanted = "metadata.name (line 4): of InstanceGroup/masters (spec.role Master) and of \
                  InstanceGroup/masters.masters (spec.role Node): both are the Auto Scaling group \
                  and launch template masters.masters.limits.example.com in AWS; rename one of them";
    assert!(said.contains(wanted), "{said}");
    // Given one after the other, it is found while planning.
    world.create(&specs(Place::Cluster, ""));
    world.create(&twin);
    world.forget_calls();
    let said = world.fails(&["update", "cluster", NAME, "--yes"]);
    assert!(said.contains("rename one of them"), "{said}");
    assert_nothing_written(&world, "twins");
}

#[test]
fn what_only_aws_tells_is_refused_while_planning() {
    let image = "  image: ami-10100000\n";
    let mut all = specs(Place::Cluster, "");
    for (name, more) in [
        ("mixed", "  mixedInstancesPolicy: {instances: [t3.medium, t9.medium]}\n"),
        ("root", "  volumes: [{device: /dev/xvda, size: 5}, {device: /dev/sda1, size: 5}]\n"),
        ("credits", "  cpuCredits: unlimited\n"),
    ] {
        all.push_str(&format!("---\n{}", group(NAME, name, "Node", &format!("{image}{more}"))));
    }
    let world = World::whole("limits_plan", NAME, &all);
    world.forget_calls();
    let said = world.fails(&["update", "cluster", NAME, "--yes"]);
    for wanted in [
        "InstanceGroup/mixed: spec.mixedInstancesPolicy.instances[1] t9.medium: there is no such \
         type in us-west-2",
        "InstanceGroup/root: spec.volumes has the device /dev/",
        "InstanceGroup/credits: spec.cpuCredits unlimited: m5.large has no credits",
        "the plan cannot be applied for these 2 reasons",
    ] {
        assert!(said.contains(wanted), "{wanted}: {said}");
    }
    assert_nothing_written(&world, "planning");
}

#[test]
fn a_zone_that_the_region_lacks_is_refused() {
    let subnet = "    type: Public\n  - {name: z, zone: us-west-2z, type: Public}\n";
    let specs = specs(Place::Cluster, "").replacen("    type: Public\n", subnet, 1);
    let world = World::whole("limits_zone", NAME, &specs);
    world.forget_calls();
    let said = world.fails(&["update", "cluster", NAME, "--yes"]);
    let wanted = format!("Subnet/z.{NAME}: us-west-2z is no zone that this account has");
    assert!(said.contains(&wanted), "{said}");
    assert_nothing_written(&world, "zone");
}

#[test]
fn a_range_that_a_neighbour_has_is_refused() {
    let world = World::whole("limits_neighbour", NAME, &specs(Place::Cluster, ""));
    let ec2 = world.ec2();
    let vpc = crate::harness::wait(ec2.create_vpc().cidr_block("172.20.0.0/16").send()).unwrap();
    let vpc = vpc.vpc.unwrap().vpc_id.unwrap();
    let gateway = crate::harness::wait(ec2.create_internet_gateway().send()).unwrap();
    let gateway = gateway.internet_gateway.unwrap().internet_gateway_id.unwrap();
    let attach = ec2.attach_internet_gateway().internet_gateway_id(&gateway).vpc_id(&vpc);
    crate::harness::wait(attach.send()).unwrap();
    let subnet = |cidr: &str| {
        let call = ec2.create_subnet().vpc_id(&vpc).cidr_block(cidr).send();
        crate::harness::wait(call).unwrap().subnet.unwrap().subnet_id.unwrap()
    };
    subnet("172.20.64.0/19");
    let neighbour = subnet("172.20.48.0/20");
    let shared = format!("networkID: {vpc}\n  networkCIDR: 172.20.0.0/16");
    world.replace(&specs(Place::Instead(RANGE), &shared));
    world.forget_calls();
    let said = world.fails(&["update", "cluster", NAME, "--yes"]);
    let wanted = format!(
        "Subnet/us-west-2a.{NAME}: its range 172.20.32.0/19 overlaps 172.20.48.0/20 of {neighbour}"
    );
    assert!(said.contains(&wanted), "{said}");
    assert_nothing_written(&world, "neighbour");
    let free = specs(Place::Instead(RANGE), &shared).replace(SUBNET, "cidr: 172.20.32.0/20");
    world.replace(&free);
    world.apply(NAME);
    world.assert_settled(NAME, &[]);
}

#[test]
fn what_iam_may_take_is_told_and_not_refused() {
    let policy = [
        condition(r#""Bool": {"aws:SecureTransport": "maybe"}"#),
        condition(r#""NumericLessThan": {"s3:max-keys": "many"}"#),
        condition(r#""IpAddress": {"aws:SourceIp": "300.1.1.1/99"}"#),
        resource("arn:aws:ec2:us west-2:1:volume/*"),
    ];
    let world = World::with("limits_doubts", &specs(Place::Policy, &policy.join(", ")));
    let run = world.ok(&["update", "cluster", NAME]);
    for doubt in ["\"maybe\"", "\"many\"", "\"300.1.1.1/99\"", "us west-2"] {
        assert!(run.stderr.contains(doubt), "{doubt}: {}", run.stderr);
    }
}
