//! The roles that pods take by their service account: those of add-ons, and the user's own.

use std::collections::{BTreeMap, BTreeSet};

use super::issuer::{host, issuer, provider_arn};
use super::{Facts, Holder, RolePolicy, rules};
use crate::limits::partition::Partition;
use crate::limits::role_name;
use crate::policy::document::{Conditions, Document, Effect, Scope, Statement, Values};
use crate::policy::{external, parse};
use crate::spec::cluster::{AccountPermissions, Cluster};
use crate::spec::instance_group::InstanceGroup;
use crate::spec::object::filled;
use crate::spec::path::FieldPath;
use crate::spec::problem::Problem;

/// Stands for the id of an account that only AWS knows.
pub(crate) const UNKNOWN_ACCOUNT: &str = "ACCOUNT_ID";

/// A role that pods take.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct AccountRole {
    /// The service account.
    pub(crate) account: String,
    pub(crate) namespace: String,
    /// The name of the role and of its inline policy.
    pub(crate) name: String,
    pub(crate) content: AccountContent,
    /// The ARNs of policies that are attached.
    pub(crate) attached: BTreeSet<String>,
    pub(crate) trust: PodTrust,
}

/// Who may take a role: the pods of a service account, as their issuer tells them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PodTrust {
    account: String,
    namespace: String,
    partition: Partition,
    /// The issuer, without how it is spoken to.
    issuer: String,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum AccountContent {
    AddOn(RolePolicy),
    Given(Document),
    /// What is attached is all that the role has.
    Nothing,
}

impl PodTrust {
    /// The trust policy in an account of AWS.
    pub(crate) fn document(&self, aws_account: &str) -> Document {
        let Self { account, namespace, partition, issuer } = self;
        let provider = provider_arn(*partition, aws_account, issuer);
        let subject = format!("system:serviceaccount:{namespace}:{account}");
        let operator = if namespace.contains('*') { "StringLike" } else { "StringEquals" };
        let is_account = BTreeMap::from([(format!("{issuer}:sub"), Values::One(subject))]);
        let principal = BTreeMap::from([("Federated".to_owned(), Values::One(provider))]);
        Document::new(vec![Statement {
            sid: None,
            effect: Effect::Allow,
            principal: Some(Scope::Only(principal)),
            actions: Scope::Only(Values::One("sts:AssumeRoleWithWebIdentity".to_owned())),
            resources: None,
            conditions: Conditions::from([(operator.to_owned(), is_account)]),
        }])
    }
}

impl AccountRole {
    /// Whether it is that of an add-on of kops'.
    pub(crate) fn is_of_add_on(&self) -> bool {
        matches!(self.content, AccountContent::AddOn(..))
    }

    /// Its namespace as names and tags have it.
    pub(crate) fn plain_namespace(&self) -> String {
        plain(&self.namespace)
    }

    /// The inline policy. `zone` is the hosted zone's id.
    pub(crate) fn document(&self, zone: Option<&str>) -> Option<Document> {
        match &self.content {
            AccountContent::AddOn(policy) => Some(policy.document(zone)),
            AccountContent::Given(document) => Some(document.clone()),
            AccountContent::Nothing => None,
        }
    }
}

/// The roles of a cluster's service accounts.
///
/// # Errors
/// Every problem of those that the user describes.
pub(crate) fn roles(
    cluster: &Cluster,
    groups: &[&InstanceGroup],
    base: Option<&str>,
) -> Result<Vec<AccountRole>, Vec<Problem>> {
    let facts = Facts::new(cluster, groups, base);
    let issuer = host(&issuer(cluster)).to_owned();
    let role = |account: &str, namespace: &str, content, attached| AccountRole {
        account: account.to_owned(),
        namespace: namespace.to_owned(),
        name: name(account, namespace, cluster.name()),
        content,
        attached,
        trust: PodTrust {
            account: account.to_owned(),
            namespace: namespace.to_owned(),
            partition: facts.partition,
            issuer: issuer.clone(),
        },
    };
    let there = rules::ACCOUNTS.iter().filter(|account| facts.has(account.when));
    let mut all: Vec<AccountRole> = there
        .map(|account| {
            let holder = Holder::Account(account.add_on);
            let policy = RolePolicy { holder, facts: facts.clone() };
            role(account.name, "kube-system", AccountContent::AddOn(policy), BTreeSet::new())
        })
        .collect();
    let mut problems = Vec::new();
    for (path, permissions) in described(cluster) {
        let account = permissions.name.as_deref().unwrap_or_default();
        let namespace = permissions.namespace.as_deref().unwrap_or_default();
        match content(cluster, permissions, &path) {
            Ok(content) => {
                let own = role(account, namespace, content, attached(permissions));
                if all.iter().any(|other| other.name == own.name) {
                    let message = format!(
                        "this account has its role ({}) already; describe it once",
                        own.name
                    );
                    problems.push(Problem::new(&path, message));
                }
                all.push(own);
            }
            Err(faults) => problems.extend(faults),
        }
    }
    if problems.is_empty() { Ok(all) } else { Err(problems) }
}

/// Everything that is wrong with the policies of the accounts that the user describes.
pub(crate) fn check(cluster: &Cluster) -> Vec<Problem> {
    let all = described(cluster).flat_map(|(path, permissions)| {
        let arns = path.key("aws").key("policyARNs");
        let of_arns = attached(permissions).into_iter();
        let of_arns = of_arns.filter_map(|arn| external::refused(&arns, &arn)).collect::<Vec<_>>();
        content(cluster, permissions, &path).err().into_iter().flatten().chain(of_arns)
    });
    all.collect()
}

/// The accounts that the user describes, with where in the spec.
fn described(cluster: &Cluster) -> impl Iterator<Item = (FieldPath, &AccountPermissions)> {
    let path = FieldPath::root().key("spec").key("iam").key("serviceAccountExternalPermissions");
    let iam = cluster.spec.iam.as_ref();
    let all = iam.and_then(|iam| iam.service_account_external_permissions.as_deref());
    let all = all.unwrap_or_default().iter().enumerate();
    all.map(move |(index, permissions)| (path.index(index), permissions))
}

fn attached(permissions: &AccountPermissions) -> BTreeSet<String> {
    let aws = permissions.aws.as_ref();
    aws.and_then(|aws| aws.policy_arns.as_ref()).into_iter().flatten().cloned().collect()
}

/// The name of a role of a service account (kops `pkg/model/iam/subject.go`).
fn name(account: &str, namespace: &str, cluster: &str) -> String {
    let namespace = plain(namespace);
    role_name::shortened(&format!("{account}.{namespace}.sa.{cluster}"))
}

/// A namespace without what neither names nor tags take.
fn plain(namespace: &str) -> String {
    namespace.replace('*', "wildcard")
}

fn content(
    cluster: &Cluster,
    permissions: &AccountPermissions,
    path: &FieldPath,
) -> Result<AccountContent, Vec<Problem>> {
    if filled(&permissions.name).is_some_and(|name| name.contains('*')) {
        let message = "a role is for one account, so its name has no *";
        return Err(vec![Problem::new(&path.key("name"), message)]);
    }
    let aws = permissions.aws.as_ref();
    let Some(text) = aws.and_then(|aws| filled(&aws.inline_policy)) else {
        return Ok(AccountContent::Nothing);
    };
    let partition = Partition::of_region(cluster.region().unwrap_or_default());
    let path = path.key("aws").key("inlinePolicy");
    match parse::statements(text, &[partition.name]) {
        Ok(statements) if statements.is_empty() => Ok(AccountContent::Nothing),
        Ok(statements) => Ok(AccountContent::Given(Document::new(statements))),
        Err(faults) => {
            Err(faults.iter().map(|fault| Problem::new(&path, fault.to_string())).collect())
        }
    }
}
