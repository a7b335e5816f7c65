use crate::policy::difference;
use crate::policy::parse::{self, PrincipalRule};
use crate::policy::v1_10::*;
use serde_json::{Value as Json, json};

/// The cluster of the goldens, with more spec on top.
fn cluster(more: Json) -> Cluster {
    let mut spec = json!({
        "iam": {"legacy": false},
        "subnets": [{"name": "a", "zone": "us-east-1a"}],
        "etcdClusters": [
            {"etcdMembers": [{"name": "a", "kmsKeyId": "key-id-1"}, {"name": "b", "kmsKeyId": "key-id-2"}]},
            {"etcdMembers": []},
            {"etcdMembers": [{"name": "a", "kmsKeyId": "key-id-3"}]},
        ],
    });
    for (field, value) in more.as_object().unwrap() {
        spec[field] = value.clone();
    }
    let name = "iam-builder-test.k8s.local";
    serde_json::from_value(json!({"metadata": {"name": name}, "spec": spec})).unwrap()
}

fn document(role: Role, more: Json) -> Document {
    let base = "s3://kops-tests/iam-builder-test.k8s.local";
    RolePolicy::new(&cluster(more), role, Some(base)).document(None)
}

fn assert_golden(role: Role, more: Json, golden: &str) {
    let golden = parse::document(golden, PrincipalRule::Refused).unwrap();
    let ours = document(role, more);
    let difference = difference::between(&golden.statements, &ours.statements);
    assert!(difference.is_empty(), "{difference:#?}");
    assert_eq!(ours.statements.len(), golden.statements.len());
}

#[test]
fn documents_equal_kops_own() {
    assert_golden(
        Role::Master,
        json!({}),
        include_str!("../../../tests/goldens/iam/master_strict.json"),
    );
    assert_golden(
        Role::Node,
        json!({}),
        include_str!("../../../tests/goldens/iam/node_strict.json"),
    );
    assert_golden(
        Role::Node,
        json!({"iam": {"allowContainerRegistry": true}}),
        include_str!("../../../tests/goldens/iam/node_strict_ecr.json"),
    );
    assert_golden(
        Role::Bastion,
        json!({}),
        include_str!("../../../tests/goldens/iam/bastion.json"),
    );
}

/// Every (action, resource) of a document, for a look at what is in it.
fn pairs(document: &Document) -> Vec<(String, String)> {
    let of = |statement: &Statement| {
        let resources = statement.resources.as_ref().map(|r| r.inner().clone());
        let resources = resources.unwrap_or(Values::Many(Vec::new()));
        let actions = statement.actions.inner().clone();
        let pairs = actions.iter().flat_map(|action| {
            resources.iter().map(move |resource| (action.to_owned(), resource.to_owned()))
        });
        pairs.collect::<Vec<_>>()
    };
    document.statements.iter().flat_map(of).collect()
}

/// The grid of the conditions that documents depend on: each cell is judged by rules that
/// are written here apart from the builder's code.
#[test]
fn each_condition_gives_its_permissions_and_no_other() {
    let plugins = ["kubenet", "calico", "cilium", "kuberouter", "romana", "amazonvpc"];
    let regions =
        [("us-west-2a", "aws"), ("cn-north-1a", "aws-cn"), ("us-gov-west-1a", "aws-us-gov")];
    let mut cells = 0;
    // It had no role of API servers alone.
    for role in [Role::Master, Role::Node, Role::Bastion] {
        for legacy in [false, true] {
            for ecr in [false, true] {
                for plugin in plugins {
                    for kms in [false, true] {
                        for backups in [false, true] {
                            for (zone, partition) in regions {
                                let cell = Cell {
                                    role,
                                    legacy,
                                    ecr,
                                    plugin,
                                    kms,
                                    backups,
                                    zone,
                                    partition,
                                };
                                cell.check();
                                cells += 1;
                            }
                        }
                    }
                }
            }
        }
    }
    assert_eq!(cells, 3 * 2 * 2 * 6 * 2 * 2 * 3);
}

#[derive(Clone, Copy, Debug)]
struct Cell {
    role: Role,
    legacy: bool,
    ecr: bool,
    plugin: &'static str,
    kms: bool,
    backups: bool,
    zone: &'static str,
    partition: &'static str,
}

impl Cell {
    fn check(self) {
        let etcd = json!([{
            "etcdMembers": [{"name": "a", "kmsKeyId": if self.kms { json!("key") } else { Json::Null }}],
            "backups": if self.backups { json!({"backupStore": "s3://backups/main"}) } else { Json::Null },
        }]);
        let more = json!({
            "iam": {"legacy": self.legacy, "allowContainerRegistry": self.ecr},
            "networking": {self.plugin: {}},
            "etcdClusters": etcd,
            "subnets": [{"name": "a", "zone": self.zone}],
        });
        let document = document(self.role, more);
        let pairs = pairs(&document);
        let has = |action: &str| pairs.iter().any(|(a, _)| a == action);
        let on = |end: &str| pairs.iter().any(|(_, r)| r.ends_with(end));
        let (master, node) = (self.role == Role::Master, self.role == Role::Node);
        let (strict, legacy) = (!self.legacy, self.legacy);
        let rules = [
            ("ec2:*", master && legacy, has("ec2:*")),
            ("ec2:AttachVolume", master && strict, has("ec2:AttachVolume")),
            ("elasticloadbalancing:*", master && legacy, has("elasticloadbalancing:*")),
            ("s3:*", (master || node) && legacy, has("s3:*")),
            ("s3:Get*", (master || node) && strict, has("s3:Get*")),
            ("kms:Decrypt", master && self.kms, has("kms:Decrypt")),
            ("kms:ListGrants", master && self.kms && legacy, has("kms:ListGrants")),
            ("s3:PutObject", master && self.backups, has("s3:PutObject")),
            ("ecr", (master || node) && (self.ecr || legacy), has("ecr:BatchGetImage")),
            ("route53", (master || node) && legacy, has("route53:ListHostedZones")),
            ("romana", master && strict && self.plugin == "romana", has("ec2:ReplaceRoute")),
            (
                "amazonvpc",
                (master || node) && strict && self.plugin == "amazonvpc",
                has("ec2:AssignPrivateIpAddresses"),
            ),
            ("kube-router", node && strict && self.plugin == "kuberouter", on("kube-router/*")),
            (
                "calico",
                node && strict && ["calico", "cilium"].contains(&self.plugin),
                on("calico-client/*"),
            ),
            ("kubelet key", node && strict, on("pki/private/kubelet/*")),
        ];
        for (rule, wanted, is) in rules {
            assert_eq!(is, wanted, "{rule} in {self:?}: {:#}", document.to_json());
        }
        let prefix = format!("arn:{}:", self.partition);
        let strange = pairs.iter().find(|(_, r)| r.starts_with("arn:") && !r.starts_with(&prefix));
        assert_eq!(strange, None, "{self:?}");
        let once: std::collections::BTreeSet<String> =
            document.statements.iter().map(|s| s.to_json().to_string()).collect();
        assert_eq!(once.len(), document.statements.len(), "{self:?}");
    }
}

#[test]
fn the_ecr_statement_is_named_and_in_order() {
    let document = document(Role::Node, json!({"iam": {"allowContainerRegistry": true}}));
    assert_eq!(
        document.statements.last().unwrap().to_json(),
        json!({
            "Sid": "kopsK8sECR",
            "Effect": "Allow",
            "Action": [
                "ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:DescribeRepositories",
                "ecr:GetAuthorizationToken", "ecr:GetDownloadUrlForLayer", "ecr:GetRepositoryPolicy",
                "ecr:ListImages",
            ],
            "Resource": ["*"],
        })
    );
}

#[test]
fn bootstrap_tokens_change_the_key_that_nodes_read() {
    let tokens = json!({"kubeAPIServer": {"enableBootstrapTokenAuth": true}});
    let text = document(Role::Node, tokens).to_compact();
    assert!(text.contains("pki/private/node-authorizer-client/*"));
    assert!(!text.contains("pki/private/kubelet/*"));
}

#[test]
fn the_hosted_zone_is_for_masters_and_legacy_nodes() {
    let text = |role, more| {
        let policy = RolePolicy::new(&cluster(more), role, None);
        let document = policy.document(Some("/hostedzone/Z1"));
        assert_eq!(policy.needs_zone(), document.to_compact().contains("hostedzone/Z1"));
        document.to_compact()
    };
    assert!(text(Role::Master, json!({})).contains("arn:aws:route53:::hostedzone/Z1"));
    assert!(!text(Role::Node, json!({})).contains("route53"));
    assert!(text(Role::Node, json!({"iam": {"legacy": true}})).contains("hostedzone/Z1"));
}

#[test]
fn stores_apart_get_statements_of_their_own() {
    let stores = json!({"keyStore": "s3://keys/pki", "configBase": "s3://state/c"});
    let text = document(Role::Master, stores).to_compact();
    for resource in ["arn:aws:s3:::keys\"", "arn:aws:s3:::keys/pki/*", "arn:aws:s3:::state/c/*"] {
        assert!(text.contains(resource), "{resource} in {text}");
    }
}

#[test]
fn a_store_that_is_no_bucket_gives_no_statement() {
    let policy = RolePolicy::new(&cluster(json!({})), Role::Node, Some("file:///state/c"));
    assert_eq!(policy.document(None).statements.len(), 1);
}
