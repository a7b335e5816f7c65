//! Puts a document together: what is allowed on any resource is gathered into one statement
//! for each condition, what is about certain resources stands by itself.

use std::collections::BTreeSet;

use super::facts::Facts;
use super::tables::Block;
use crate::policy::document::{Statement, Values, many};
use crate::policy::stores::Location;
use crate::policy::zone::zone_id;

const RESOURCE_TAG: &str = "aws:ResourceTag/KubernetesCluster";
const REQUEST_TAG: &str = "aws:RequestTag/KubernetesCluster";

pub(super) struct Statements<'a> {
    facts: &'a Facts,
    free: BTreeSet<String>,
    tagged: BTreeSet<String>,
    create: BTreeSet<String>,
    through_services: BTreeSet<String>,
    own: Vec<Statement>,
    /// The buckets in which something is read or written.
    buckets: BTreeSet<String>,
}

impl<'a> Statements<'a> {
    pub(super) fn new(facts: &'a Facts) -> Self {
        Self {
            facts,
            free: BTreeSet::new(),
            tagged: BTreeSet::new(),
            create: BTreeSet::new(),
            through_services: BTreeSet::new(),
            own: Vec::new(),
            buckets: BTreeSet::new(),
        }
    }

    pub(super) fn block(&mut self, block: &Block) {
        let owned = |actions: &[&str]| actions.iter().map(ToString::to_string).collect::<Vec<_>>();
        self.free.extend(owned(block.free));
        self.tagged.extend(owned(block.tagged));
        self.create.extend(owned(block.create));
        self.through_services.extend(owned(block.through_services));
        if let Some((calls, kinds)) = block.making {
            self.making(calls, kinds);
        }
    }

    /// Calls that make things, and the tags of what they make.
    fn making(&mut self, calls: &[&str], kinds: &[&str]) {
        self.create.extend(calls.iter().map(|call| format!("ec2:{call}")));
        let arns = || {
            let arns = kinds.iter().map(|kind| self.arn(&format!("ec2:*:*:{kind}/*")));
            Values::Many(arns.collect())
        };
        let mut at_creation = Statement::allow(&["ec2:CreateTags"], arns())
            .only_if_equal(REQUEST_TAG, &self.facts.cluster);
        let equal = at_creation.conditions.entry("StringEquals".to_owned()).or_default();
        equal.insert("ec2:CreateAction".to_owned(), many(calls));
        let mut later = Statement::allow(&["ec2:CreateTags", "ec2:DeleteTags"], arns())
            .only_if_equal(RESOURCE_TAG, &self.facts.cluster);
        condition(&mut later, "Null", REQUEST_TAG, Values::One("true".to_owned()));
        self.own.extend([at_creation, later]);
    }

    pub(super) fn etcd_volumes(&mut self) {
        let attach = Statement::allow(&["ec2:AttachVolume"], many(&["*"]))
            .only_if_equal("aws:ResourceTag/k8s.io/role/master", "1")
            .only_if_equal(RESOURCE_TAG, &self.facts.cluster);
        self.own.push(attach);
    }

    pub(super) fn create_from_snapshots(&mut self) {
        let snapshots = Values::Many(vec![self.arn("ec2:*:*:snapshot/*")]);
        let create = Statement::allow(&["ec2:CreateVolume"], snapshots)
            .only_if_equal(RESOURCE_TAG, &self.facts.cluster);
        self.own.push(create);
    }

    pub(super) fn tag_interfaces(&mut self) {
        let interfaces = Values::Many(vec![self.arn("ec2:*:*:network-interface/*")]);
        self.own.push(Statement::allow(&["ec2:CreateTags"], interfaces));
    }

    pub(super) fn read_store(&mut self, names: &[&str]) {
        let facts = self.facts;
        for root in &facts.roots {
            let Location::S3 { bucket, path } = root else { continue };
            self.buckets.insert(bucket.clone());
            let inside = names.iter().map(|name| self.object(bucket, path, name)).collect();
            self.own.push(Statement::allow(&["s3:Get*"], Values::Many(inside)));
        }
    }

    pub(super) fn write_backups(&mut self) {
        const WRITE: [&str; 4] =
            ["s3:DeleteObject", "s3:DeleteObjectVersion", "s3:GetObject", "s3:PutObject"];
        let facts = self.facts;
        for place in &facts.backups {
            let Location::S3 { bucket, path } = place else { continue };
            self.buckets.insert(bucket.clone());
            let all = Values::Many(vec![self.object(bucket, path, "*")]);
            self.own.push(Statement::allow(&WRITE, all));
        }
    }

    pub(super) fn records(&mut self, zone: Option<&str>) {
        const RECORDS: [&str; 3] = [
            "route53:ChangeResourceRecordSets", "route53:GetHostedZone",
            "route53:ListResourceRecordSets",
        ];
        let Some(zone) = zone else { return };
        let zone = self.zone(zone);
        self.own.push(Statement::allow(&RECORDS, Values::Many(vec![zone])));
        self.follow_changes();
        let list = ["route53:ListHostedZones", "route53:ListTagsForResource"];
        self.own.push(Statement::allow(&list, many(&["*"])));
    }

    pub(super) fn challenges(&mut self) {
        const NAMES: &str = "route53:ChangeResourceRecordSetsNormalizedRecordNames";
        const TYPES: &str = "route53:ChangeResourceRecordSetsRecordTypes";
        let zones: Vec<String> =
            self.facts.challenge_zones.iter().map(|zone| self.zone(zone)).collect();
        let zones = || Values::Many(zones.clone());
        let mut change = Statement::allow(&["route53:ChangeResourceRecordSets"], zones());
        let challenges = Values::Many(vec!["_acme-challenge.*".to_owned()]);
        condition(&mut change, "ForAllValues:StringLike", NAMES, challenges);
        let texts = Values::Many(vec!["TXT".to_owned()]);
        condition(&mut change, "ForAllValues:StringEquals", TYPES, texts);
        let list = Statement::allow(&["route53:ListResourceRecordSets"], zones());
        self.own.extend([list, change]);
        self.follow_changes();
        let by_name = Statement::allow(&["route53:ListHostedZonesByName"], many(&["*"]));
        self.own.push(by_name);
    }

    fn follow_changes(&mut self) {
        let changes = Values::Many(vec![self.arn("route53:::change/*")]);
        self.own.push(Statement::allow(&["route53:GetChange"], changes));
    }

    /// All statements, each once.
    pub(super) fn finish(mut self) -> Vec<Statement> {
        const BUCKET: [&str; 4] = [
            "s3:GetBucketLocation", "s3:GetEncryptionConfiguration", "s3:ListBucket",
            "s3:ListBucketVersions",
        ];
        for bucket in std::mem::take(&mut self.buckets) {
            let bucket = Values::Many(vec![self.arn(&format!("s3:::{bucket}"))]);
            self.own.push(Statement::allow(&BUCKET, bucket));
        }
        if self.create.contains("ec2:CreateSecurityGroup") {
            // A VPC is named in the request, and has none of its tags.
            let vpcs = Values::Many(vec![self.arn("ec2:*:*:vpc/*")]);
            self.own.push(Statement::allow(&["ec2:CreateSecurityGroup"], vpcs));
        }
        let cluster = &self.facts.cluster;
        let through = Values::Many(vec![
            format!("ec2.{}.amazonaws.com", self.facts.region),
            "s3.*.amazonaws.com".to_owned(),
        ]);
        let mut keys = any(&self.through_services);
        keys.iter_mut().for_each(|statement| {
            condition(statement, "StringLike", "kms:ViaService", through.clone());
        });
        let free = any(&self.free);
        let tagged = any(&self.tagged).map(|all| all.only_if_equal(RESOURCE_TAG, cluster));
        let create = any(&self.create).map(|all| all.only_if_equal(REQUEST_TAG, cluster));
        let gathered = [free, tagged, create, keys].into_iter().flatten();
        let mut all: Vec<Statement> = Vec::new();
        for statement in self.own.into_iter().chain(gathered) {
            if !all.contains(&statement) {
                all.push(statement);
            }
        }
        all
    }

    fn arn(&self, rest: &str) -> String {
        format!("arn:{}:{rest}", self.facts.partition.name)
    }

    fn object(&self, bucket: &str, path: &str, name: &str) -> String {
        match path {
            "" => self.arn(&format!("s3:::{bucket}/{name}")),
            _ => self.arn(&format!("s3:::{bucket}/{path}/{name}")),
        }
    }

    fn zone(&self, zone: &str) -> String {
        self.arn(&format!("route53:::hostedzone/{}", zone_id(zone)))
    }
}

/// The actions on any resource, if there are some.
fn any(actions: &BTreeSet<String>) -> Option<Statement> {
    let actions: Vec<&str> = actions.iter().map(String::as_str).collect();
    (!actions.is_empty()).then(|| Statement::allow(&actions, many(&["*"])))
}

fn condition(statement: &mut Statement, operator: &str, key: &str, values: Values) {
    let keys = statement.conditions.entry(operator.to_owned()).or_default();
    keys.insert(key.to_owned(), values);
}
