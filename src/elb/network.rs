//! Network load balancers and target groups as they are. They are looked at together, since one
//! call tells the tags of both.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::{join, try_join_all};

use super::network_load_balancer::{
    self, LiveNetworkLoadBalancer, NetworkLoadBalancer, NetworkLoadBalancerDeletion,
};
use super::tags;
use super::target_group::{
    self, LiveTargetGroup, TargetGroup, TargetGroupArn, TargetGroupDeletion,
};
use crate::aws::tags::Tags;
use crate::aws::{Aws, AwsError, Fault};
use crate::core::belongings::{Around, Belonging, Presence};
use crate::core::look::{Asked, Look, Looking};
use crate::core::seen::{Looked, Seen};

/// The beginnings of the names that clusters give (kops `pkg/model/awsmodel`); Kubernetes names
/// those of services otherwise.
const OWN_BEGINNINGS: [&str; 2] = ["api-", "bastion-"];
const OWN_GROUP_BEGINNINGS: [&str; 3] = ["tcp-", "tls-", "bastion-"];

/// What bears a name such as the cluster gives, whether the spec has it or not; target groups too
/// that stand behind such load balancers.
#[derive(Debug)]
pub(crate) struct NetworkBalancers {
    /// AWS' names of the cluster's load balancers, if these are looked at beside target groups.
    balancers: Option<BTreeSet<String>>,
    /// AWS' names of the cluster's target groups.
    target_groups: BTreeSet<String>,
    /// Whether those of others are looked at too.
    all: bool,
}

impl Look for NetworkBalancers {
    const AFTER: &'static [Looking] = &[];

    fn ask(asked: &Asked, _: &Seen) -> Option<Self> {
        let balancers = asked.wanted::<NetworkLoadBalancer>().iter();
        let balancers = balancers.map(|balancer| balancer.aws_name.clone()).collect();
        let balancers = asked.looks_at(&[NetworkLoadBalancer::KIND]).then_some(balancers);
        let groups = asked.wanted::<TargetGroup>().iter().map(|group| group.name.clone());
        let is_asked = balancers.is_some() || asked.looks_at(&[TargetGroup::KIND]);
        let all = asked.everything();
        is_asked.then(|| Self { balancers, target_groups: groups.collect(), all })
    }

    async fn read(self, aws: &Aws) -> Result<Seen, AwsError> {
        observe(aws, &self).await
    }
}

impl Presence for NetworkLoadBalancer {
    const LOOKS: &'static [Looking] = &[Looking::of::<NetworkBalancers>()];

    const IS_SOUGHT: bool = true;

    /// A load balancer of another class stands in the place of one of ours all the same.
    fn belongings(around: &Around<'_>) -> Vec<Belonging> {
        let groups = around.seen.rows::<LiveTargetGroup>();
        let balancers = around.seen.rows::<LiveNetworkLoadBalancer>().iter();
        let found = balancers.filter_map(|found| {
            let kind = found.kind();
            let marks = found.marks_before(groups, around.owner);
            let deletion = NetworkLoadBalancerDeletion(found.arn.clone());
            around.by_name(kind, &found.name, &marks, deletion)
        });
        found.collect()
    }
}

impl Presence for TargetGroup {
    const LOOKS: &'static [Looking] = &[Looking::of::<NetworkBalancers>()];

    const IS_SOUGHT: bool = true;

    fn belongings(around: &Around<'_>) -> Vec<Belonging> {
        let groups = around.seen.rows::<LiveTargetGroup>().iter().filter_map(|found| {
            let deletion = TargetGroupDeletion(found.arn.clone());
            around.by_name(Self::KIND, &found.name, &found.marks(), deletion)
        });
        groups.collect()
    }
}

async fn observe(aws: &Aws, look: &NetworkBalancers) -> Result<Seen, AwsError> {
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
        look.balancers.as_ref().is_some_and(|names| names.contains(&row.name))
    };
    let attributes = rows.iter().filter(is_wanted).map(async |row| {
        Ok::<_, AwsError>((
            row.arn.clone(),
            network_load_balancer::cross_zone(aws, &row.arn).await?,
        ))
    });
    let (tags, attributes) = join(tags::of(aws, &all), try_join_all(attributes)).await;
    let with_more = |mut rows: Vec<LiveNetworkLoadBalancer>| {
        let cross_zone: BTreeMap<_, bool> = attributes?.into_iter().collect();
        for row in &mut rows {
            row.cross_zone = cross_zone.get(&row.arn).copied();
        }
        tag(rows.iter_mut().map(|row| (&*row.arn, &mut row.tags)), tags.as_ref())?;
        Ok(rows)
    };
    let balancers = looked(balancers.and_then(with_more))?;
    let target_groups = looked(groups.and_then(|mut groups| {
        tag(groups.iter_mut().map(|row| (&*row.arn, &mut row.tags)), tags.as_ref())?;
        Ok(groups)
    }))?;
    let balancers = look.balancers.as_ref().map_or(Looked::Not, |_| balancers);
    Ok(Seen::default().with(balancers).with(target_groups).with(arns))
}

/// What is gone while it is looked at is no sign that there is nothing.
fn looked<T>(answer: Result<Vec<T>, AwsError>) -> Result<Looked<T>, AwsError> {
    match answer {
        Err(error) if error.fault == Fault::Denied => Ok(Looked::Denied(error)),
        answer => answer.map(Looked::Found),
    }
}

async fn balancers(
    aws: &Aws,
    look: &NetworkBalancers,
) -> Result<Vec<LiveNetworkLoadBalancer>, AwsError> {
    let Some(names) = &look.balancers else { return Ok(Vec::new()) };
    let all = network_load_balancer::all(aws).await?;
    let is_named = |name: &str| OWN_BEGINNINGS.iter().any(|own| name.starts_with(own));
    let rows = all.iter().map(LiveNetworkLoadBalancer::from_sdk);
    let mut rows = rows.collect::<Result<Vec<_>, _>>()?;
    let may_be_ours = |row: &LiveNetworkLoadBalancer| {
        names.contains(&row.name) || row.is_network && is_named(&row.name)
    };
    rows.retain(|row| look.all || may_be_ours(row));
    Ok(rows)
}

fn may_be_ours(
    group: &LiveTargetGroup,
    balancers: &[LiveNetworkLoadBalancer],
    look: &NetworkBalancers,
) -> bool {
    look.all
        || look.target_groups.contains(&group.name)
        || OWN_GROUP_BEGINNINGS.iter().any(|own| group.name.starts_with(own))
        || balancers.iter().any(|row| group.is_behind(&row.arn))
}

fn arns_of(balancers: &[LiveNetworkLoadBalancer], groups: &[LiveTargetGroup]) -> Vec<String> {
    let balancers = balancers.iter().map(|row| String::from(&row.arn));
    balancers.chain(groups.iter().map(|group| String::from(&group.arn))).collect()
}

fn tag<'a>(
    rows: impl Iterator<Item = (&'a str, &'a mut Tags)>,
    found: Result<&BTreeMap<String, Tags>, &AwsError>,
) -> Result<(), AwsError> {
    let found = found.map_err(Clone::clone)?;
    for (arn, tags) in rows {
        *tags = found.get(arn).cloned().unwrap_or_default();
    }
    Ok(())
}
