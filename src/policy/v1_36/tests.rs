//! The documents against those that kops 1.36.2 made of the same specs, grant by grant.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::accounts::{self, AccountRole};
use super::rules::{AddOn, RULES};
use super::*;
use crate::limits::partition::Partition;
use crate::limits::role_name;
use crate::policy::document::Statement;
use crate::policy::{generation, trust};
use crate::spec::cluster::Cluster;
use crate::spec::instance_group::InstanceGroup;

/// What kops made of a spec.
#[derive(Deserialize)]
struct Golden {
    cluster: Cluster,
    groups: Vec<Json>,
    zone: Option<String>,
    roles: BTreeMap<String, GoldenRole>,
}

#[derive(Deserialize)]
struct GoldenRole {
    trust: Json,
    policy: Option<Json>,
    #[serde(default)]
    attached: Vec<String>,
}

/// Every (effect, principal, action, resource, conditions) of statements.
fn grants(statements: &Json) -> BTreeSet<String> {
    let texts = |value: &Json| -> Vec<String> {
        match value {
            Json::Array(all) => all.iter().map(|one| one.as_str().unwrap().to_owned()).collect(),
            Json::String(one) => vec![one.clone()],
            _ => vec![String::new()],
        }
    };
    let mut all = BTreeSet::new();
    for statement in statements.as_array().unwrap() {
        let mut conditions = statement["Condition"].clone();
        for (_, keys) in conditions.as_object_mut().into_iter().flatten() {
            for (_, values) in keys.as_object_mut().unwrap() {
                let mut sorted = texts(values);
                sorted.sort();
                *values = json!(sorted);
            }
        }
        let mut principal = statement["Principal"].clone();
        for (_, who) in principal.as_object_mut().into_iter().flatten() {
            *who = json!(texts(who));
        }
        for action in texts(&statement["Action"]) {
            for resource in texts(&statement["Resource"]) {
                let effect = &statement["Effect"];
                all.insert(format!("{effect} {principal} {action} {resource} {conditions}"));
            }
        }
    }
    all
}

fn of(document: &Document) -> BTreeSet<String> {
    let statements: Vec<Json> = document.statements.iter().map(Statement::to_json).collect();
    grants(&json!(statements))
}

/// Trust, document, and what is attached.
type Made = (BTreeSet<String>, BTreeSet<String>, Vec<String>);

struct Example {
    golden: Golden,
    groups: Vec<InstanceGroup>,
    base: String,
}

impl Example {
    fn read(path: &Path) -> Self {
        let golden: Golden = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
        let group = |spec: &Json| serde_json::from_value(json!({"spec": spec})).unwrap();
        let groups = golden.groups.iter().map(group).collect();
        let base = format!("s3://clusters.example.com/{}", golden.cluster.name());
        Self { golden, groups, base }
    }

    fn facts(&self) -> Facts {
        let groups: Vec<&InstanceGroup> = self.groups.iter().collect();
        Facts::new(&self.golden.cluster, &groups, Some(&self.base))
    }

    fn accounts(&self) -> Vec<AccountRole> {
        let groups: Vec<&InstanceGroup> = self.groups.iter().collect();
        accounts::roles(&self.golden.cluster, &groups, Some(&self.base)).unwrap()
    }

    /// Each role that the spec makes, by name.
    fn roles(&self) -> BTreeMap<String, Made> {
        let zone = self.golden.zone.as_deref();
        let facts = self.facts();
        let mut all = BTreeMap::new();
        for (plural, holder) in [
            ("masters", Holder::ControlPlane),
            ("apiservers", Holder::ApiServer),
            ("nodes", Holder::Node),
            ("bastions", Holder::Bastion),
        ] {
            let name = role_name::shortened(&format!("{plural}.{}", self.golden.cluster.name()));
            let document = RolePolicy { holder, facts: facts.clone() }.document(zone);
            let trust = trust::document(Partition::of_region("us-west-2"));
            all.insert(name, (of(&trust), of(&document), Vec::new()));
        }
        for role in self.accounts() {
            let trust = of(&role.trust.document("123456789012"));
            let document = role.document(zone).map(|document| of(&document));
            all.insert(
                role.name,
                (trust, document.unwrap_or_default(), role.attached.into_iter().collect()),
            );
        }
        all
    }
}

fn examples() -> impl Iterator<Item = (String, Example)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/iam36");
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths.map(|path| (path.file_stem().unwrap().display().to_string(), Example::read(&path)))
}

#[test]
fn documents_equal_those_of_kops_grant_by_grant() {
    let mut compared = 0;
    let mut wrong = Vec::new();
    for (case, example) in examples() {
        let ours = example.roles();
        for (name, golden) in &example.golden.roles {
            let Some((trust, document, attached)) = ours.get(name) else {
                wrong.push(format!("{case}: {name} is missing"));
                continue;
            };
            let policy = golden.policy.as_ref().map(grants).unwrap_or_default();
            for (what, theirs, ours) in
                [("trust", &grants(&golden.trust), trust), ("policy", &policy, document)]
            {
                compared += 1;
                let lacks =
                    theirs.difference(ours).map(|g| format!("{case}: {name} {what} lacks {g}"));
                let beyond = ours
                    .difference(theirs)
                    .map(|g| format!("{case}: {name} {what} has beyond {g}"));
                wrong.extend(lacks.chain(beyond));
            }
            if attached != &golden.attached {
                wrong.push(format!("{case}: {name} has {attached:?} attached"));
            }
        }
        let accounts = example.accounts();
        let added = accounts.iter().filter(|role| !example.golden.roles.contains_key(&role.name));
        wrong.extend(added.map(|role| format!("{case}: {} is not wanted", role.name)));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(compared > 100, "{compared}");
}

#[test]
fn clusters_of_today_choose_their_generation_by_their_version() {
    for (case, example) in examples() {
        let chosen = generation::choose(&example.golden.cluster, None).unwrap();
        assert_eq!(chosen.generation, generation::Generation::V1_36, "{case}");
    }
}

/// Settings that no example has: the setting, whose role it changes, and what it adds.
fn settings() -> [(Json, Holder, Vec<&'static str>); 11] {
    let controller =
        |field: &str| json!({"awsLoadBalancerController": {"enabled": true, field: true}});
    let account = Holder::Account;
    [
        (
            json!({"networking": {"kuberouter": {}}}),
            Holder::Node,
            vec!["ec2:ModifyInstanceAttribute * null"],
        ),
        (
            json!({"networking": {"kubenet": {}}}),
            account(AddOn::CloudControllerManager),
            vec![
                "ec2:CreateRoute * {StringEquals:{aws:ResourceTag/KubernetesCluster:[a.com]}}",
                "ec2:DeleteRoute * {StringEquals:{aws:ResourceTag/KubernetesCluster:[a.com]}}",
            ],
        ),
        (json!({"networking": {"amazonvpc": {}}}), Holder::Bastion, Vec::new()),
        (
            json!({"cloudConfig": {"nlbSecurityGroupMode": "Managed"}}),
            account(AddOn::CloudControllerManager),
            vec![
                "elasticloadbalancing:SetSecurityGroups * \
                 {StringEquals:{aws:ResourceTag/KubernetesCluster:[a.com]}}",
            ],
        ),
        (
            controller("enableWAF"),
            account(AddOn::LoadBalancerController),
            vec![
                "elasticloadbalancing:SetWebACL * null",
                "waf-regional:AssociateWebACL * null",
                "waf-regional:DisassociateWebACL * null",
                "waf-regional:GetWebACL * null",
                "waf-regional:GetWebACLForResource * null",
            ],
        ),
        (
            controller("enableWAFv2"),
            account(AddOn::LoadBalancerController),
            vec![
                "elasticloadbalancing:SetWebACL * null", "wafv2:AssociateWebACL * null",
                "wafv2:DisassociateWebACL * null", "wafv2:GetWebACL * null",
                "wafv2:GetWebACLForResource * null",
            ],
        ),
        (
            controller("enableShield"),
            account(AddOn::LoadBalancerController),
            vec![
                "shield:CreateProtection * null", "shield:DeleteProtection * null",
                "shield:DescribeProtection * null", "shield:GetSubscriptionState * null",
            ],
        ),
        (
            json!({"encryptionConfig": true}),
            Holder::ApiServer,
            vec![
                "kms:Decrypt * null", "kms:Encrypt * null", "kms:GenerateDataKey* * null",
                "kms:ReEncrypt* * null",
            ],
        ),
        (
            json!({"nonMasqueradeCIDR": "::/0", "networking": {"calico": {}}}),
            Holder::Node,
            vec!["ec2:AssignIpv6Addresses * null"],
        ),
        (
            json!({"networking": {"calico": {"awsSrcDstCheck": "DoNothing"}}}),
            Holder::Node,
            Vec::new(),
        ),
        (json!({"iam": {"allowContainerRegistry": true}}), Holder::Bastion, vec![]),
    ]
}

fn cluster(spec: &Json) -> Cluster {
    let mut spec = spec.clone();
    spec["subnets"] = json!([{"name": "a", "zone": "us-west-2a"}]);
    serde_json::from_value(json!({"metadata": {"name": "a.com"}, "spec": spec})).unwrap()
}

fn facts(spec: &Json) -> Facts {
    Facts::new(&cluster(spec), &[], Some("s3://state/a.com"))
}

/// The grants of a document as `action resource conditions`.
fn short(holder: Holder, spec: &Json) -> BTreeSet<String> {
    let grants = of(&RolePolicy { holder, facts: facts(spec) }.document(Some("Z1")));
    let short = |grant: String| grant.replace("\"Allow\" null ", "").replace('"', "");
    grants.into_iter().map(short).collect()
}

#[test]
fn each_setting_adds_its_permissions_and_no_other() {
    for (setting, holder, adds) in settings() {
        let before = short(holder, &json!({}));
        let after = short(holder, &setting);
        let added: Vec<&str> = after.difference(&before).map(String::as_str).collect();
        assert_eq!(added, adds, "{setting} of {holder:?}");
    }
}

#[test]
fn a_role_of_its_own_takes_an_add_on_s_permissions_from_the_control_plane() {
    let own = json!({"iam": {"useServiceAccountExternalPermissions": true}});
    let control_plane = short(Holder::ControlPlane, &own);
    assert!(control_plane.is_subset(&short(Holder::ControlPlane, &json!({}))));
    for account in [AddOn::EbsCsi, AddOn::CloudControllerManager, AddOn::ClusterAutoscaler] {
        let missing = |grant: &String| !control_plane.contains(grant);
        assert!(short(Holder::Account(account), &own).iter().any(missing), "{account:?}");
    }
}

/// A cluster whose accounts are of no example.
fn rare() -> Json {
    json!({
        "iam": {"useServiceAccountExternalPermissions": true},
        "networking": {"kuberouter": {}},
        "externalDns": {"provider": "external-dns"},
        "cloudConfig": {"awsEBSCSIDriver": {"managed": false}},
        "nodeTerminationHandler": {"enabled": false},
    })
}

#[test]
fn accounts_have_roles_where_their_add_ons_are() {
    let names = |spec: &Json| -> Vec<String> {
        let roles = accounts::roles(&cluster(spec), &[], None).unwrap();
        roles.into_iter().map(|role| role.account).collect()
    };
    assert_eq!(names(&rare()), ["aws-cloud-controller-manager", "external-dns", "kube-router"]);
    let mut without_dns = rare();
    without_dns["topology"] = json!({"dns": {"type": "None"}});
    assert_eq!(names(&without_dns), ["aws-cloud-controller-manager", "kube-router"]);
    assert_eq!(names(&json!({"networking": {"kuberouter": {}}})), [""; 0]);
    assert_eq!(
        short(Holder::Account(AddOn::KubeRouter), &rare()),
        BTreeSet::from(["ec2:ModifyInstanceAttribute * \
             {StringEquals:{aws:ResourceTag/KubernetesCluster:[a.com]}}"
            .to_owned()])
    );
    assert_eq!(
        short(Holder::Account(AddOn::ExternalDns), &rare()),
        short(Holder::Account(AddOn::DnsController), &rare())
    );
}

#[test]
fn what_the_user_says_of_accounts_is_checked() {
    let problems = |permissions: Json| -> String {
        let spec = json!({"iam": {"serviceAccountExternalPermissions": [permissions]}});
        accounts::roles(&cluster(&spec), &[], None).unwrap_err()[0].to_string()
    };
    let any = problems(json!({"name": "a*", "namespace": "b", "aws": {"policyARNs": ["c"]}}));
    assert!(any.starts_with("spec.iam.serviceAccountExternalPermissions[0].name: "), "{any}");
    let policy = problems(json!({"name": "a", "namespace": "b", "aws": {"inlinePolicy": "[{}]"}}));
    assert!(policy.contains("[0].aws.inlinePolicy: line 1, column 2"), "{policy}");
}

#[test]
fn cert_manager_answers_challenges_in_its_zones_alone() {
    let spec = json!({"certManager": {"enabled": true, "hostedZoneIDs": ["Z2"]}});
    let conditions = "{ForAllValues:StringEquals:{route53:ChangeResourceRecordSetsRecordTypes:[TXT]},\
        ForAllValues:StringLike:{route53:ChangeResourceRecordSetsNormalizedRecordNames:\
        [_acme-challenge.*]}}";
    let zone = "arn:aws:route53:::hostedzone/Z2";
    assert_eq!(
        short(Holder::Account(AddOn::CertManager), &spec),
        BTreeSet::from([
            format!("route53:ChangeResourceRecordSets {zone} {conditions}"),
            format!("route53:ListResourceRecordSets {zone} null"),
            "route53:GetChange arn:aws:route53:::change/* null".to_owned(),
            "route53:ListHostedZonesByName * null".to_owned(),
        ])
    );
}

/// The rules that hold in some test of this file: no rule is there that nothing looks at.
#[test]
fn every_rule_is_looked_at() {
    let mut seen: BTreeSet<*const rules::Rule> = BTreeSet::new();
    let mut look = |holder: Holder, facts: &Facts| {
        seen.extend(rules::of(holder, facts).map(std::ptr::from_ref));
    };
    for (_, example) in examples() {
        let facts = example.facts();
        for holder in [Holder::ControlPlane, Holder::ApiServer, Holder::Node, Holder::Bastion] {
            let there = RolePolicy { holder, facts: facts.clone() }.document(Some("Z1"));
            let is_golden = |role: &GoldenRole| {
                role.policy.as_ref().is_some_and(|policy| !grants(policy).is_disjoint(&of(&there)))
            };
            if example.golden.roles.values().any(is_golden) {
                look(holder, &facts);
            }
        }
        for role in example.accounts() {
            if let accounts::AccountContent::AddOn(RolePolicy { holder, facts }) = &role.content {
                look(*holder, facts);
            }
        }
    }
    for (setting, holder, _) in settings() {
        look(holder, &facts(&setting));
    }
    for add_on in [AddOn::CertManager, AddOn::KubeRouter, AddOn::ExternalDns] {
        look(Holder::Account(add_on), &facts(&rare()));
    }
    let missed: Vec<String> = RULES
        .iter()
        .filter(|rule| !seen.contains(&std::ptr::from_ref(*rule)))
        .map(|rule| format!("{:?} {:?}", rule.to, rule.when))
        .collect();
    assert_eq!(missed, [""; 0]);
}
