//! The policy document of a role, as kops v1.10 builds it
//! (`pkg/model/iam/iam_builder.go`).
//!
//! Two things differ from kops: the ECR statement has a Sid and its actions are in order,
//! and ARNs follow AWS' whole region table (see [`crate::limits::partition`]). Of statements that
//! say the same only one is written.

use crate::limits::partition::Partition;
use crate::policy::document::{Document, Statement, Values, many};
use crate::policy::stores::{self, Location};
use crate::policy::zone::zone_id;
use crate::spec::cluster::Cluster;
use crate::spec::object::filled;
use crate::spec::role::Role;
use permissions as may;

/// Everything that a role's document depends on, but for the hosted zone.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RolePolicy {
    role: Role,
    cluster: String,
    partition: Partition,
    legacy: bool,
    container_registry: bool,
    bootstrap_tokens: bool,
    plugins: Plugins,
    kms_keys: Vec<String>,
    roots: Vec<Location>,
    backups: Vec<Location>,
}

/// The networking plugins that need permissions.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Plugins {
    amazonvpc: bool,
    calico_or_cilium: bool,
    kuberouter: bool,
    romana: bool,
}

impl RolePolicy {
    /// `base` is the cluster's folder in the state store, if one is known.
    pub(crate) fn new(cluster: &Cluster, role: Role, base: Option<&str>) -> Self {
        let has = |plugin| cluster.has_networking(plugin);
        Self {
            role,
            cluster: cluster.name().to_owned(),
            partition: Partition::of_region(cluster.region().unwrap_or_default()),
            legacy: cluster.is_legacy_iam(),
            container_registry: cluster.allows_container_registry(),
            bootstrap_tokens: cluster.uses_bootstrap_tokens(),
            plugins: Plugins {
                amazonvpc: has("amazonvpc"),
                calico_or_cilium: has("calico") || has("cilium"),
                kuberouter: has("kuberouter"),
                romana: has("romana"),
            },
            kms_keys: kms_keys(cluster),
            roots: stores::roots(cluster, base),
            backups: stores::backups(cluster),
        }
    }

    /// Whether the document depends on the id of the cluster's hosted zone.
    pub(crate) fn needs_zone(&self) -> bool {
        match self.role {
            Role::Master => true,
            Role::Node | Role::ApiServer => self.legacy,
            Role::Bastion => false,
        }
    }

    /// The document. `zone` is the hosted zone's id, `None` for a cluster without DNS.
    pub(crate) fn document(&self, zone: Option<&str>) -> Document {
        let mut statements: Vec<Statement> = Vec::new();
        let built = match self.role {
            Role::Master => self.master(zone),
            Role::Node | Role::ApiServer => self.node(zone),
            Role::Bastion => vec![allow(&may::BASTION)],
        };
        for statement in built {
            if !statements.contains(&statement) {
                statements.push(statement);
            }
        }
        Document::new(statements)
    }

    fn master(&self, zone: Option<&str>) -> Vec<Statement> {
        let mut all = match self.legacy {
            true => vec![
                allow(&may::MASTER_EC2_LEGACY),
                allow(&may::MASTER_AUTOSCALING_LEGACY),
                allow(&may::MASTER_ELB_LEGACY),
            ],
            false => vec![
                allow(&may::MASTER_EC2_DESCRIBE),
                allow(&may::MASTER_EC2_ANY),
                self.allow_tagged("ec2", &may::MASTER_EC2_TAGGED),
                allow(&may::MASTER_AUTOSCALING_DESCRIBE),
                self.allow_tagged("autoscaling", &may::MASTER_AUTOSCALING_TAGGED),
                allow(&may::MASTER_ELB_CLASSIC),
                allow(&may::MASTER_ELB_NETWORK),
            ],
        };
        all.push(allow(&may::MASTER_CERTIFICATES));
        all.extend(self.state_store());
        all.extend(self.kms());
        all.extend(zone.into_iter().flat_map(|zone| self.hosted_zone(zone)));
        if self.legacy {
            all.push(allow(&may::ROUTE53_LIST));
        }
        all.extend(self.ecr());
        if self.plugins.romana && !self.legacy {
            all.push(allow(&may::ROMANA_DESCRIBE));
            all.push(self.allow_tagged("ec2", &may::ROMANA_TAGGED));
        }
        all.extend(self.amazonvpc());
        all
    }

    fn node(&self, zone: Option<&str>) -> Vec<Statement> {
        let mut all = vec![allow(&may::NODE_EC2)];
        all.extend(self.state_store());
        if self.legacy {
            all.extend(zone.into_iter().flat_map(|zone| self.hosted_zone(zone)));
            all.push(allow(&may::ROUTE53_LIST));
        }
        all.extend(self.ecr());
        all.extend(self.amazonvpc());
        all
    }

    fn state_store(&self) -> Vec<Statement> {
        let mut all = Vec::new();
        for root in &self.roots {
            let Location::S3 { bucket, path } = root else { continue };
            let bucket_arn = self.s3_arn(bucket, "");
            all.push(Statement::allow(&may::S3_BUCKET, Values::Many(vec![bucket_arn])));
            let inside = |name: &str| self.s3_arn(bucket, &join(path, name));
            let read = |resources| Statement::allow(&may::S3_READ, resources);
            match (self.legacy, self.role) {
                (true, _) => {
                    all.push(Statement::allow(&may::S3_LEGACY, Values::One(inside("*"))));
                }
                (false, Role::Node) => {
                    let key = match self.bootstrap_tokens {
                        true => may::NODE_AUTHORIZER_KEY,
                        false => may::NODE_KUBELET_KEY,
                    };
                    let mut names: Vec<&str> = may::NODE_STATE.to_vec();
                    names.push(key);
                    names.sort_unstable();
                    all.push(read(Values::Many(names.into_iter().map(inside).collect())));
                    if self.plugins.kuberouter {
                        all.push(read(Values::One(inside(may::NODE_KUBE_ROUTER_KEY))));
                    }
                    if self.plugins.calico_or_cilium {
                        all.push(read(Values::One(inside(may::NODE_CALICO_KEY))));
                    }
                }
                (false, _) => all.push(read(Values::One(inside("*")))),
            }
        }
        if self.role == Role::Master {
            for backup in &self.backups {
                let Location::S3 { bucket, path } = backup else { continue };
                let resource = self.s3_arn(bucket, &join(path, "*"));
                all.push(Statement::allow(&may::S3_BACKUP, Values::One(resource)));
            }
        }
        all
    }

    fn kms(&self) -> Vec<Statement> {
        if self.kms_keys.is_empty() {
            return Vec::new();
        }
        let keys = || Values::Many(self.kms_keys.clone());
        let legacy = self.legacy.then(|| Statement::allow(&may::KMS_LEGACY, keys()));
        legacy.into_iter().chain([Statement::allow(&may::KMS, keys())]).collect()
    }

    fn hosted_zone(&self, zone: &str) -> [Statement; 3] {
        let id = zone_id(zone);
        let arn = |what: &str| Values::Many(vec![self.arn("route53", what)]);
        [
            Statement::allow(&may::ROUTE53_ZONE, arn(&format!("hostedzone/{id}"))),
            Statement::allow(&may::ROUTE53_CHANGE, arn("change/*")),
            allow(&may::ROUTE53_LIST),
        ]
    }

    fn ecr(&self) -> Option<Statement> {
        (self.legacy || self.container_registry)
            .then(|| Statement { sid: Some(may::ECR_SID.to_owned()), ..allow(&may::ECR) })
    }

    /// Legacy masters have `ec2:*`, and kops gives legacy nodes none of it either.
    fn amazonvpc(&self) -> Option<Statement> {
        (self.plugins.amazonvpc && !self.legacy).then(|| allow(&may::AMAZON_VPC))
    }

    fn allow_tagged(&self, service: &str, actions: &[&str]) -> Statement {
        let key = format!("{service}:ResourceTag/KubernetesCluster");
        allow(actions).only_if_equal(&key, &self.cluster)
    }

    fn s3_arn(&self, bucket: &str, key: &str) -> String {
        self.arn("s3", &join(bucket, key))
    }

    fn arn(&self, service: &str, resource: &str) -> String {
        format!("arn:{}:{service}:::{resource}", self.partition.name)
    }
}

fn allow(actions: &[&str]) -> Statement {
    Statement::allow(actions, many(&["*"]))
}

fn join(parent: &str, child: &str) -> String {
    match (parent, child) {
        ("", only) | (only, "") => only.to_owned(),
        _ => format!("{parent}/{child}"),
    }
}

/// The KMS keys of all etcd volumes, each once.
fn kms_keys(cluster: &Cluster) -> Vec<String> {
    let members = cluster.etcd_clusters().iter().flat_map(|etcd| etcd.members());
    let mut keys: Vec<String> = Vec::new();
    for key in members.filter_map(|member| filled(&member.kms_key_id)) {
        if !keys.iter().any(|known| known == key) {
            keys.push(key.to_owned());
        }
    }
    keys
}

mod permissions;
#[cfg(test)]
mod tests;
