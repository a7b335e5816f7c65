//! Network load balancers and target groups as they are. They are looked at together, since one
//! call tells the tags of both.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::{join, try_join, try_join_all};

use super::network_load_balancer::{self, LiveNetworkLoadBalancer};
use super::tags;
use super::target_group::{self, LiveTargetGroup, TargetGroupArn};
use crate::aws::tags::Tags;
use crate::aws::{Aws, AwsError, Fault};
use crate::core::seen::Looked;

/// The beginnings of the names that clusters give (kops `pkg/model/awsmodel`); Kubernetes names
/// those of services otherwise.
const OWN_BEGINNINGS: [&str; 2] = ["api-", "bastion-"];
const OWN_GROUP_BEGINNINGS: [&str; 3] = ["tcp-", "tls-", "bastion-"];

/// What to look for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look<'a> {
    /// AWS' names of the cluster's load balancers, if these are looked at beside target groups.
    pub(crate) balancers: Option<&'a BTreeSet<String>>,
    /// AWS' names of the cluster's target groups.
    pub(crate) target_groups: &'a BTreeSet<String>,
}

/// What bears a name such as the cluster gives, whether the spec has it or not.
#[derive(Clone, Debug, Default)]
pub(crate) struct Network {
    pub(crate) balancers: Looked<LiveNetworkLoadBalancer>,
    /// Those too that stand behind such load balancers.
    pub(crate) target_groups: Looked<LiveTargetGroup>,
    /// The ARNs of all target groups.
    pub(crate) arns: Looked<TargetGroupArn>,
}

pub(crate) async fn observe(aws: &Aws, look: Look<'_>) -> Result<Network, AwsError> {
    let (balancers, groups) = join(balancers(aws, look), target_group::all(aws)).await;
    let arn = |group: &LiveTargetGroup| TargetGroupArn(group.arn.clone());
    let arns = groups.as_ref().map(|groups| groups.iter().map(arn).collect());
    let arns = looked(arns.map_err(Clone::clone))?;
    let rows = balancers.as_deref().unwrap_or_default();
    let groups = groups.map(|mut groups| {
        groups.retain(|group| may_be_ours(group, rows, look));
        groups
    });
    let all = arns_of(rows, groups.as_deref().unwrap_or_default());
    let is_wanted = |row: &&LiveNetworkLoadBalancer| {
        look.balancers.is_some_and(|names| names.contains(&row.name))
    };
    let attributes = rows.iter().filter(is_wanted).map(async |row| {
        Ok::<_, AwsError>((
            row.arn.clone(),
            network_load_balancer::cross_zone(aws, &row.arn).await?,
        ))
    });
    let (tags, attributes) = join(tags::of(aws, &all), try_join_all(attributes)).await;
    let with_more = |mut rows: Vec<LiveNetworkLoadBalancer>| {
        let cross_zone: BTreeMap<String, bool> = attributes?.into_iter().collect();
        for row in &mut rows {
            row.cross_zone = cross_zone.get(&row.arn).copied();
        }
        tag(rows.iter_mut().map(|row| (&row.arn, &mut row.tags)), tags.as_ref())?;
        Ok(rows)
    };
    let balancers = looked(balancers.and_then(with_more))?;
    let target_groups = looked(groups.and_then(|mut groups| {
        tag(groups.iter_mut().map(|row| (&row.arn, &mut row.tags)), tags.as_ref())?;
        Ok(groups)
    }))?;
    let balancers = look.balancers.map_or(Looked::Not, |_| balancers);
    Ok(Network { balancers, target_groups, arns })
}

/// What is gone while it is looked at is no sign that there is nothing.
fn looked<T>(answer: Result<Vec<T>, AwsError>) -> Result<Looked<T>, AwsError> {
    match answer {
        Err(error) if error.fault == Fault::Denied => Ok(Looked::Denied(error)),
        answer => answer.map(Looked::Found),
    }
}

async fn balancers(aws: &Aws, look: Look<'_>) -> Result<Vec<LiveNetworkLoadBalancer>, AwsError> {
    let Some(names) = look.balancers else { return Ok(Vec::new()) };
    let all = network_load_balancer::all(aws).await?;
    let is_named = |name: &str| OWN_BEGINNINGS.iter().any(|own| name.starts_with(own));
    let rows = all.iter().map(LiveNetworkLoadBalancer::from_sdk);
    let mut rows = rows.collect::<Result<Vec<_>, _>>()?;
    rows.retain(|row| names.contains(&row.name) || row.is_network && is_named(&row.name));
    Ok(rows)
}

fn may_be_ours(
    group: &LiveTargetGroup,
    balancers: &[LiveNetworkLoadBalancer],
    look: Look<'_>,
) -> bool {
    look.target_groups.contains(&group.name)
        || OWN_GROUP_BEGINNINGS.iter().any(|own| group.name.starts_with(own))
        || balancers.iter().any(|row| group.balancers.contains(&row.arn))
}

fn arns_of(balancers: &[LiveNetworkLoadBalancer], groups: &[LiveTargetGroup]) -> Vec<String> {
    let balancers = balancers.iter().map(|row| row.arn.clone());
    balancers.chain(groups.iter().map(|group| group.arn.clone())).collect()
}

fn tag<'a>(
    rows: impl Iterator<Item = (&'a String, &'a mut Tags)>,
    found: Result<&BTreeMap<String, Tags>, &AwsError>,
) -> Result<(), AwsError> {
    let found = found.map_err(Clone::clone)?;
    for (arn, tags) in rows {
        *tags = found.get(arn).cloned().unwrap_or_default();
    }
    Ok(())
}

/// All load balancers but the classic ones, those of the cluster's services included, and all
/// target groups.
pub(crate) async fn observe_all(
    aws: &Aws,
) -> Result<(Vec<LiveNetworkLoadBalancer>, Vec<LiveTargetGroup>), AwsError> {
    let balancers = async {
        let all = network_load_balancer::all(aws).await?;
        let rows = all.iter().map(LiveNetworkLoadBalancer::from_sdk);
        let mut rows = rows.collect::<Result<Vec<_>, _>>()?;
        let found = tags::of(aws, &arns_of(&rows, &[])).await?;
        tag(rows.iter_mut().map(|row| (&row.arn, &mut row.tags)), Ok(&found))?;
        Ok(rows)
    };
    let groups = async {
        let mut groups = target_group::all(aws).await?;
        let found = tags::of(aws, &arns_of(&[], &groups)).await?;
        tag(groups.iter_mut().map(|row| (&row.arn, &mut row.tags)), Ok(&found))?;
        Ok(groups)
    };
    try_join(balancers, groups).await
}
