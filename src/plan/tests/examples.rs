//! Clusters as examples: together they want every kind.

use serde_json::{Value as Json, json};

use crate::catalogue::kinds;
use crate::desired::{DesiredCluster, Input};
use crate::spec::cluster::Cluster;
use crate::spec::instance_group::InstanceGroup;

const SSH_KEY: &str = include_str!("../../../tests/goldens/id_rsa.pub");

fn cluster(name: &str, spec: &Json) -> Cluster {
    let metadata = json!({"name": name, "annotations": {"kapstan.io/bootstrap": "none"}});
    serde_json::from_value(json!({"metadata": metadata, "spec": spec})).unwrap()
}

fn instance_group(name: &str, spec: &Json) -> InstanceGroup {
    serde_json::from_value(json!({"metadata": {"name": name}, "spec": spec})).unwrap()
}

fn desired(cluster: &Cluster, groups: &[InstanceGroup], ssh_keys: &[String]) -> DesiredCluster {
    desired_by(cluster, groups, ssh_keys, "1.10.0")
}

/// What a cluster needs that this kops wrote last.
fn desired_by(
    cluster: &Cluster,
    groups: &[InstanceGroup],
    ssh_keys: &[String],
    kops_version: &str,
) -> DesiredCluster {
    let base = format!("s3://state/{}", cluster.name());
    let groups: Vec<&InstanceGroup> = groups.iter().collect();
    let input = Input {
        cluster,
        groups: &groups,
        base: Some(&base),
        kops_version: Some(kops_version),
        ssh_keys,
    };
    crate::desired::cluster(input).unwrap()
}

/// A group that has no more than a role and, if it is given one, a profile of the user's own.
pub(super) fn group(name: &str, role: &str, profile: Option<&str>) -> InstanceGroup {
    let iam = profile.map(
        |name| json!({"profile": format!("arn:aws:iam::123456789012:instance-profile/{name}")}),
    );
    instance_group(name, &json!({"role": role, "iam": iam}))
}

/// A strict cluster below `k8s.local`, so that no hosted zone is looked for.
pub(super) fn bare(groups: &[InstanceGroup]) -> DesiredCluster {
    let spec = json!({"iam": {}, "subnets": [{"name": "a", "zone": "us-west-2a"}]});
    let mut desired = desired(&cluster("dev.k8s.local", &spec), groups, &[]);
    desired.refusals.clear();
    desired
}

/// A cluster with one group, on top of what is said of the two.
pub(super) fn of_group(cluster: &Json, group: &Json) -> DesiredCluster {
    let defaults = json!({
        "iam": {},
        "subnets": [
            {"name": "a", "zone": "us-west-2a", "type": "Public"},
            {"name": "utility-a", "zone": "us-west-2a", "type": "Utility"},
        ],
    });
    let subnet = if group["role"] == "Bastion" { "utility-a" } else { "a" };
    let group = instance_group("own", &with(&json!({"subnets": [subnet]}), group));
    // Nothing is said of what its instances run.
    let mut cluster = self::cluster("dev.k8s.local", &with(&defaults, cluster));
    cluster.metadata.annotations = None;
    desired(&cluster, &[group], &[])
}

/// Its IAM kinds alone.
pub(super) fn of_iam(groups: &[InstanceGroup]) -> DesiredCluster {
    let mut desired = bare(groups);
    desired.resources.retain(|resource| kinds::IAM.contains(&resource.id().kind));
    desired
}

/// Every cluster here, with a word for it.
pub(super) fn all() -> [(&'static str, DesiredCluster); 6] {
    [
        ("public", public()),
        ("private", private()),
        ("shared", shared()),
        ("gossip", gossip()),
        ("ipv6", ipv6()),
        ("accounts", accounts()),
    ]
}

fn with(defaults: &Json, more: &Json) -> Json {
    let mut all = defaults.as_object().unwrap().clone();
    all.extend(more.as_object().unwrap().clone());
    all.into()
}

/// A spec with the members of etcd in the group `masters`, on top of what `more` says.
fn spec(more: &Json) -> Json {
    let member = json!({"name": "a", "instanceGroup": "masters"});
    let tuned = json!({
        "name": "a", "instanceGroup": "masters", "volumeType": "gp3", "volumeIops": 4000,
        "volumeThroughput": 200, "encryptedVolume": true, "kmsKeyId": "arn:aws:kms:us-west-2:123456789012:key/1",
    });
    let defaults = json!({
        "iam": {},
        "kubernetesVersion": "1.10.3",
        "networkCIDR": "172.20.0.0/16",
        "networking": {"kubenet": {}},
        "kubernetesApiAccess": ["0.0.0.0/0"],
        "sshAccess": ["198.51.100.0/24"],
        "etcdClusters": [
            {"name": "main", "etcdMembers": [tuned]},
            {"name": "events", "etcdMembers": [member]},
        ],
    });
    with(&defaults, more)
}

fn machines(name: &str, role: &str, subnet: &str, more: &Json) -> InstanceGroup {
    let defaults = json!({
        "role": role, "image": "ami-1", "machineType": "m5.large", "minSize": 1, "maxSize": 1,
        "subnets": [subnet],
    });
    instance_group(name, &with(&defaults, more))
}

/// One with a classic load balancer, a second range, and groups of all sorts.
fn public() -> DesiredCluster {
    let spec = spec(&json!({
        "additionalNetworkCIDRs": ["10.9.0.0/16"],
        "additionalPolicies": {
            "node": r#"[{"Effect": "Allow", "Action": "es:*", "Resource": "*"}]"#,
        },
        "api": {"loadBalancer": {"type": "Public", "crossZoneLoadBalancing": true}},
        "nodeTerminationHandler": {"enableRebalanceDraining": true},
        "subnets": [
            {"name": "a", "zone": "us-west-2a", "type": "Public", "cidr": "172.20.32.0/19"},
            {"name": "b", "zone": "us-west-2b", "type": "Public", "cidr": "10.9.1.0/24"},
        ],
    }));
    let pooled = json!({
        "cloudLabels": {"team": "blue"},
        "warmPool": {"enableLifecycleHook": true, "lifecycleHookTimeout": 900},
    });
    let spot = json!({
        "maxPrice": "0.1", "instanceInterruptionBehavior": "stop",
        "externalLoadBalancers": [
            {"loadBalancerName": "theirs"},
            {"targetGroupArn": "arn:aws:elasticloadbalancing:us-west-2:123456789012:targetgroup/t/1"},
        ],
    });
    let mixed = json!({
        "maxPrice": "0.1",
        "mixedInstancesPolicy": {
            "instances": ["m5.large"], "onDemandAllocationStrategy": "prioritized",
            "onDemandBase": 1, "onDemandAboveBase": 50, "spotAllocationStrategy": "lowest-price",
            "spotInstancePools": 3,
        },
    });
    let groups = [
        machines("masters", "Master", "a", &json!({})),
        machines("nodes", "Node", "b", &pooled),
        machines("spot", "Node", "a", &spot),
        machines("mixed", "Node", "a", &mixed),
    ];
    desired(&cluster("public.example.com", &spec), &groups, &[SSH_KEY.to_owned()])
}

/// One that leaves through a gateway of its own, with bastions and a network load balancer, in a
/// private zone.
fn private() -> DesiredCluster {
    let spec = spec(&json!({
        "api": {"loadBalancer": {
            "type": "Public", "class": "Network", "useForInternalApi": true,
        }},
        "dnsZone": "example.com",
        "subnets": [
            {"name": "a", "zone": "us-west-2a", "type": "Private", "cidr": "172.20.32.0/19"},
            {"name": "utility-a", "zone": "us-west-2a", "type": "Utility", "cidr": "172.20.4.0/22"},
        ],
        "topology": {
            "masters": "private", "nodes": "private", "dns": {"type": "Private"},
            "bastion": {"bastionPublicName": "bastion.private.example.com"},
        },
    }));
    let groups = [
        machines("masters", "Master", "a", &json!({})),
        machines("nodes", "Node", "a", &json!({})),
        machines("bastions", "Bastion", "utility-a", &json!({})),
    ];
    desired(&cluster("private.example.com", &spec), &groups, &[SSH_KEY.to_owned()])
}

/// One in a VPC of the user's own, with subnets, ways out, an address, a security group, a zone
/// and a key pair that exist.
fn shared() -> DesiredCluster {
    let subnet = |name: &str, zone: &str, more: Json| {
        with(&json!({"name": name, "zone": zone, "type": "Private"}), &more)
    };
    let spec = spec(&json!({
        "api": {"loadBalancer": {"type": "Internal", "additionalSecurityGroups": ["sg-theirs"]}},
        "dnsZone": "ZTHEIRS",
        "networkID": "vpc-theirs",
        "sshKeyName": "theirs",
        "subnets": [
            subnet("a", "us-west-2a", json!({"id": "subnet-theirs"})),
            subnet("b", "us-west-2b", json!({"cidr": "172.20.64.0/19", "egress": "nat-theirs"})),
            subnet("c", "us-west-2c", json!({"cidr": "172.20.96.0/19", "egress": "i-theirs"})),
            subnet("d", "us-west-2d", json!({"cidr": "172.20.128.0/19", "publicIP": "192.0.2.1"})),
            {"name": "utility-d", "zone": "us-west-2d", "type": "Utility", "cidr": "172.20.4.0/22"},
        ],
        "topology": {"masters": "private", "nodes": "private"},
    }));
    let groups = [
        machines("masters", "Master", "a", &json!({})),
        machines("nodes", "Node", "b", &json!({"additionalSecurityGroups": ["sg-theirs"]})),
    ];
    desired(&cluster("shared.example.com", &spec), &groups, &[])
}

/// One whose zones leave through one gateway of the user's own.
pub(super) fn one_way_out() -> DesiredCluster {
    let subnet = |name: &str, zone: &str, cidr: &str| json!({"name": name, "zone": zone, "type": "Private", "cidr": cidr, "egress": "nat-theirs"});
    let spec = spec(&json!({
        "api": {"loadBalancer": {"type": "Internal"}},
        "dnsZone": "example.com",
        "networkID": "vpc-theirs",
        "subnets": [
            subnet("b", "us-west-2b", "172.20.64.0/19"),
            subnet("a", "us-west-2a", "172.20.32.0/19"),
            subnet("c", "us-west-2c", "172.20.96.0/19"),
        ],
        "topology": {"masters": "private", "nodes": "private"},
    }));
    let groups = [
        machines("masters", "Master", "a", &json!({})),
        machines("nodes", "Node", "b", &json!({})),
    ];
    desired(&cluster("one-way.example.com", &spec), &groups, &[SSH_KEY.to_owned()])
}

/// One without DNS.
fn gossip() -> DesiredCluster {
    let spec = spec(&json!({
        "api": {"loadBalancer": {"type": "Public"}},
        "subnets": [
            {"name": "a", "zone": "us-west-2a", "type": "Public", "cidr": "172.20.32.0/19"},
        ],
    }));
    let groups = [
        machines("masters", "Master", "a", &json!({})),
        machines("nodes", "Node", "a", &json!({})),
    ];
    desired(&cluster("gossip.k8s.local", &spec), &groups, &[SSH_KEY.to_owned()])
}

/// One of IPv6, with subnets of all types, and routes of the user's own.
fn ipv6() -> DesiredCluster {
    let subnet = |name: &str, kind: &str, more: Json| {
        with(&json!({"name": name, "zone": "us-west-2a", "type": kind}), &more)
    };
    let routes = json!([
        {"cidr": "192.168.0.0/16", "target": "pcx-theirs"},
        {"cidr": "192.0.2.0/24", "target": "nat-theirs"},
    ]);
    let spec = spec(&json!({
        "api": {"loadBalancer": {"type": "Public"}},
        "dnsZone": "example.com",
        "networking": {"calico": {}},
        "nonMasqueradeCIDR": "::/0",
        "subnets": [
            subnet("a", "Private", json!({"ipv6CIDR": "/64#1", "additionalRoutes": routes})),
            subnet("dual-a", "DualStack", json!({"cidr": "172.20.32.0/19", "ipv6CIDR": "/64#2"})),
            subnet("utility-a", "Utility", json!({"cidr": "172.20.4.0/22", "ipv6CIDR": "/64#3"})),
            {
                "name": "b", "zone": "us-west-2b", "type": "Public", "cidr": "172.20.64.0/19",
                "ipv6CIDR": "2001:db8:0:104::/64",
            },
        ],
    }));
    let groups = [
        machines("masters", "Master", "a", &json!({})),
        machines("nodes", "Node", "a", &json!({})),
    ];
    desired(&cluster("ipv6.example.com", &spec), &groups, &[SSH_KEY.to_owned()])
}

/// One whose service accounts have roles, with policies of the user's own.
pub(super) fn accounts() -> DesiredCluster {
    let policy = |name: &str| format!("arn:aws:iam::123456789012:policy/{name}");
    let spec = spec(&json!({
        "dnsZone": "Z1",
        "externalPolicies": {"node": [policy("b"), policy("a")]},
        "iam": {
            "permissionsBoundary": policy("fence"),
            "serviceAccountExternalPermissions": [{
                "name": "reader", "namespace": "team-*", "aws": {"policyARNs": [policy("a")]},
            }],
            "useServiceAccountExternalPermissions": true,
        },
        "serviceAccountIssuerDiscovery": {
            "additionalAudiences": ["sts.amazonaws.com"], "discoveryStore": "s3://found/accounts",
            "enableAWSOIDCProvider": true,
        },
        "subnets": [
            {"name": "a", "zone": "us-west-2a", "type": "Public", "cidr": "172.20.32.0/19"},
        ],
    }));
    let groups = [
        machines("masters", "Master", "a", &json!({})),
        machines("nodes", "Node", "a", &json!({})),
    ];
    let cluster = cluster("accounts.example.com", &spec);
    desired_by(&cluster, &groups, &[SSH_KEY.to_owned()], "1.36.2")
}
