//! The roles of a cluster's service accounts, and the provider by which AWS trusts their issuer
//! (kops `pkg/model/awsmodel/iam.go`, `oidc_provider.go`).

use super::iam::{attached, policy_of};
use super::{DesiredCluster, Input, Notice, names};
use crate::aws::tags::Tags;
use crate::catalogue::kinds::Resource;
use crate::core::home::Home;
use crate::iam::oidc_provider::{IamOidcProvider, Issuer};
use crate::iam::role::{IamRole, Trust};
use crate::iam::role_policy::Content;
use crate::limits::partition::Partition;
use crate::policy::external;
use crate::policy::generation::Generation;
use crate::policy::role_policy::RolePolicy;
use crate::policy::v1_36::accounts::{self, AccountContent, AccountRole};
use crate::policy::v1_36::issuer;
use crate::spec::cluster::IssuerDiscovery;
use crate::spec::problem::Problem;

/// The certificates of the authorities that S3's have hung on.
const THUMBPRINTS: [&str; 2] =
    ["9e99a48a9960b14926bb7f3b02e22da2b0ab7280", "a9d53002e97e00e043244f3d170d6f4c414104fd"];

/// Whom tokens are for, whatever the spec adds.
const AUDIENCE: &str = "amazonaws.com";

pub(super) fn add(input: Input<'_>, desired: &mut DesiredCluster) -> Result<(), Vec<Problem>> {
    let spec = &input.cluster.spec;
    let iam = spec.iam.as_ref();
    let discovery = spec.service_account_issuer_discovery.as_ref();
    desired.accounts.are_told = discovery.is_some()
        || iam.is_some_and(|iam| {
            iam.use_service_account_external_permissions.is_some()
                || iam.service_account_external_permissions.is_some()
        });
    if let Some(discovery) = discovery {
        add_provider(input, discovery, desired);
    }
    let roles = accounts::roles(input.cluster, input.groups, input.base)?;
    if desired.generation.generation == Generation::V1_10 {
        desired.notices.extend((!roles.is_empty()).then(|| not_of_old_kops(input, &roles)));
        return Ok(());
    }
    for role in roles {
        desired.resources.extend(of_account(input, desired.owner.home(), role));
    }
    Ok(())
}

fn add_provider(input: Input<'_>, discovery: &IssuerDiscovery, desired: &mut DesiredCluster) {
    let (url, partition) = (issuer(input.cluster), Partition::of_region(&desired.region));
    if discovery.enable_aws_oidc_provider != Some(true) {
        desired.accounts.issuer = Some(Issuer { url, partition });
        return;
    }
    let further = discovery.additional_audiences.iter().flatten().cloned();
    let mut tags = names::tags(input.cluster, input.cluster.name(), false);
    tags.extend(desired.owner.home().tags());
    let provider = IamOidcProvider {
        url,
        partition,
        client_ids: std::iter::once(AUDIENCE.to_owned()).chain(further).collect(),
        thumbprints: THUMBPRINTS.map(str::to_owned).to_vec(),
        tags,
    };
    desired.resources.push(provider.into());
}

fn of_account(input: Input<'_>, home: &Home, role: AccountRole) -> Vec<Resource> {
    let is_of_add_on = role.is_of_add_on();
    let tags = tags(input, home, &role);
    let AccountRole { name, content, attached: policies, trust, .. } = role;
    let content = match content {
        AccountContent::AddOn(policy) => Content::Role(RolePolicy::V1_36(policy)),
        AccountContent::Given(document) => Content::Given(document),
        AccountContent::Nothing => Content::Absent,
    };
    let boundary = external::boundary(input.cluster).map(str::to_owned);
    let trust = Trust::Pods(trust);
    let mut all = vec![
        IamRole { name: name.clone(), trust, boundary, tags, is_of_add_on, inside: None }.into(),
        policy_of(&name, name.clone(), content),
    ];
    all.extend(attached(&name, policies));
    all
}

fn tags(input: Input<'_>, home: &Home, role: &AccountRole) -> Tags {
    let mut tags = names::tags(input.cluster, &role.name, false);
    tags.extend(home.tags());
    let key = |what: &str| format!("service-account.kops.k8s.io/{what}");
    tags.insert(key("name"), role.account.clone());
    tags.insert(key("namespace"), role.plain_namespace());
    tags
}

/// That roles which the spec wants are not made.
fn not_of_old_kops(input: Input<'_>, roles: &[AccountRole]) -> Notice {
    let cluster = input.cluster.name();
    let names: Vec<&str> = roles.iter().map(|role| role.name.as_str()).collect();
    Notice {
        object: format!("Cluster/{cluster}"),
        message: format!(
            "with the policies of kops 1.10 service accounts have no roles, so that these are not \
             made: {}",
            names.join(", ")
        ),
        next: format!("move to today's: kapstan iam upgrade {cluster} --to 1.36"),
    }
}
