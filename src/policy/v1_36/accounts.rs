//! The roles that pods take by their service account: those of add-ons, and the user's own.

use std::collections::BTreeMap;

use super::{AddOn, Facts, Holder, RolePolicy, issuer, rules};
use crate::limits::partition::Partition;
use crate::limits::role_name;
use crate::policy::document::{Conditions, Document, Effect, Scope, Statement, Values};
use crate::policy::parse;
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
    pub(crate) attached: Vec<String>,
    /// The ARN of the provider, with [`UNKNOWN_ACCOUNT`], and its host.
    provider: (String, String),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum AccountContent {
    AddOn(AddOn, Facts),
    Given(Document),
    /// What is attached is all that the role has.
    Nothing,
}

impl AccountRole {
    /// Who may take the role.
    pub(crate) fn trust(&self) -> Document {
        let (provider, host) = &self.provider;
        let subject = format!("system:serviceaccount:{}:{}", self.namespace, self.account);
        let operator = if self.namespace.contains('*') { "StringLike" } else { "StringEquals" };
        let is_account = BTreeMap::from([(format!("{host}:sub"), Values::One(subject))]);
        let principal = BTreeMap::from([("Federated".to_owned(), Values::One(provider.clone()))]);
        Document::new(vec![Statement {
            sid: None,
            effect: Effect::Allow,
            principal: Some(Scope::Only(principal)),
            actions: Scope::Only(Values::One("sts:AssumeRoleWithWebIdentity".to_owned())),
            resources: None,
            conditions: Conditions::from([(operator.to_owned(), is_account)]),
        }])
    }

    /// The inline policy. `zone` is the hosted zone's id.
    pub(crate) fn document(&self, zone: Option<&str>) -> Option<Document> {
        match &self.content {
            AccountContent::AddOn(add_on, facts) => {
                let holder = Holder::Account(*add_on);
                Some(RolePolicy { holder, facts: facts.clone() }.document(zone))
            }
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
    let address = issuer(cluster);
    let host = address.strip_prefix("https://").unwrap_or(&address);
    let provider = (facts.provider(UNKNOWN_ACCOUNT, host), host.to_owned());
    let role = |account: &str, namespace: &str, content, attached| AccountRole {
        account: account.to_owned(),
        namespace: namespace.to_owned(),
        name: name(account, namespace, cluster.name()),
        content,
        attached,
        provider: provider.clone(),
    };
    let there = rules::ACCOUNTS.iter().filter(|account| facts.has(account.when));
    let mut all: Vec<AccountRole> = there
        .map(|account| {
            let content = AccountContent::AddOn(account.add_on, facts.clone());
            role(account.name, "kube-system", content, Vec::new())
        })
        .collect();
    let own = cluster.spec.iam.as_ref();
    let own = own.and_then(|iam| iam.service_account_external_permissions.as_deref());
    let mut problems = Vec::new();
    for (index, permissions) in own.unwrap_or_default().iter().enumerate() {
        let path = FieldPath::root().key("spec").key("iam");
        let path = path.key("serviceAccountExternalPermissions").index(index);
        let account = permissions.name.as_deref().unwrap_or_default();
        let namespace = permissions.namespace.as_deref().unwrap_or_default();
        let aws = permissions.aws.as_ref();
        let attached = aws.and_then(|aws| aws.policy_arns.clone()).unwrap_or_default();
        match content(cluster, permissions, &path) {
            Ok(content) => all.push(role(account, namespace, content, attached)),
            Err(faults) => problems.extend(faults),
        }
    }
    if problems.is_empty() { Ok(all) } else { Err(problems) }
}

/// The name of a role of a service account (kops `pkg/model/iam/subject.go`).
fn name(account: &str, namespace: &str, cluster: &str) -> String {
    let namespace = namespace.replace('*', "wildcard");
    role_name::shortened(&format!("{account}.{namespace}.sa.{cluster}"))
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
