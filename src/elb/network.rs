//! Network load balancers and target groups as they are. They are looked at together, since one
//! call tells the tags of both.

use std::collections::BTreeMap;

use futures::future::{join, join3, try_join_all};

use super::network_load_balancer::{
    self, LiveNetworkLoadBalancer, NetworkLoadBalancer, NetworkLoadBalancerDeletion,
};
use super::tags;
use super::target_group::{
    self, LiveTargetGroup, TargetGroup, TargetGroupArn, TargetGroupDeletion,
};
use crate::aws::tags::Tags;
use crate::aws::{Aws, AwsError, Fault, ec2};
use crate::core::belongings::{Around, Belonging, Presence};
use crate::core::kind::ResourceId;
use crate::core::look::{Asked, Look, Looking};
use crate::core::manage::Manage as _;
use crate::core::seen::{Looked, Seen};
use crate::core::sweep::{Offer, Place, Sweep, Unclaimed, unknown};
use crate::core::whose::{Marks, Owner};
use crate::limits::{LOAD_BALANCER_NAME, truncated};

/// The beginnings of the names that clusters give (kops `pkg/model/awsmodel`); Kubernetes names
/// those of services otherwise.
const OWN_BEGINNINGS: [&str; 2] = ["api-", "bastion-"];
const OWN_GROUP_BEGINNINGS: [&str; 5] =
    ["tcp-", "tls-", "kops-controller-", "etcd-cilium-", "bastion-"];

/// What bears a name such as the cluster gives, whether the spec has it or not; target groups too
/// that stand behind such load balancers.
#[derive(Debug)]
pub(crate) struct NetworkBalancers {
    /// The cluster's load balancers, if these are looked at beside target groups.
    balancers: Option<Vec<Called>>,
    target_groups: Vec<Called>,
    /// Whether those of others are looked at too.
    all: bool,
}

/// How something that the spec has is called.
#[derive(Debug)]
struct Called {
    /// Its `Name` tag.
    tag: String,
    /// What AWS' names of all its revisions begin with.
    beginning: String,
}

impl Called {
    fn new(tag: &str, aws_name: &str) -> Self {
        let beginning = truncated::kept(aws_name, LOAD_BALANCER_NAME.most);
        Self { tag: tag.to_owned(), beginning }
    }

    fn begins(&self, name: &str) -> bool {
        name.starts_with(&self.beginning)
    }
}

impl Look for NetworkBalancers {
    const AFTER: &'static [Looking] = &[];

    fn ask(asked: &Asked, _: &Seen) -> Option<Self> {
        let balancers = asked.wanted::<NetworkLoadBalancer>().iter();
        let balancers = balancers.map(|one| Called::new(&one.name, &one.aws_name)).collect();
        let balancers = asked.looks_at(&[NetworkLoadBalancer::KIND]).then_some(balancers);
        let groups =
            asked.wanted::<TargetGroup>().iter().map(|one| Called::new(&one.name, &one.name));
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

impl LiveNetworkLoadBalancer {
    /// It goes the way of those of these target groups that the spec names and that stand
    /// behind it.
    pub(crate) fn marks_before<'a>(
        &'a self,
        groups: &'a [LiveTargetGroup],
        owner: &Owner,
    ) -> Marks<'a> {
        let named = |group: &&LiveTargetGroup| owner.names(TargetGroup::KIND, &group.marks());
        let mut behind = groups.iter().filter(|group| group.is_behind(&self.arn));
        match behind.find(named) {
            Some(group) => {
                let whose = owner.whose(TargetGroup::KIND, &group.marks());
                self.marks().hangs_on(format!("before TargetGroup/{}", group.name), whose)
            }
            None => self.marks(),
        }
    }
}

impl Unclaimed for NetworkLoadBalancer {
    /// Those of the API and of bastions; Kubernetes marks those of services with the same tags, and
    /// names them otherwise.
    fn unclaimed(sweep: &mut Sweep<'_>) {
        let view = sweep.view();
        let groups = view.seen.of::<LiveTargetGroup>();
        for group in groups.rows() {
            for balancer in &group.balancers {
                let why = sweep.until_then(&format!("load balancer {balancer} stands before it"));
                let balancer = Place::new(NetworkLoadBalancer::KIND, balancer);
                sweep.hold_unless_gone(Place::new(TargetGroup::KIND, &group.arn), balancer, why);
            }
        }
        let wanted = sweep.wishes::<NetworkLoadBalancer>();
        for found in sweep.rows::<LiveNetworkLoadBalancer>(NetworkLoadBalancer::KIND) {
            let id = ResourceId::new(NetworkLoadBalancer::KIND, &found.name);
            let marks = found.marks_before(groups.rows(), view.owner);
            if wanted.iter().any(|one| one.is(found, view)) || !sweep.is_ours(&id, &marks) {
                continue;
            }
            let place = Place::new(NetworkLoadBalancer::KIND, &found.arn);
            if let Some(error) = groups.refused() {
                sweep.hold(place.clone(), unknown("what stands behind it", error));
            }
            sweep.offer(Offer::new(id, place, NetworkLoadBalancerDeletion(found.arn.clone())));
        }
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
    // What bears a wanted name is known by its beginning before its tags are.
    let begins = |called: &[Called], name: &str| called.iter().any(|one| one.begins(name));
    let wanted = look.balancers.as_deref().unwrap_or_default();
    let likely = rows.iter().filter(|row| begins(wanted, &row.name)).map(|row| &row.arn);
    let likely_groups = groups.iter().flatten();
    let likely_groups = likely_groups.filter(|row| begins(&look.target_groups, &row.name));
    let (tags, attributes, of_groups) = join3(
        tags::of(aws, &all),
        try_join_all(likely.map(|arn| network_load_balancer::attributes(aws, arn))),
        try_join_all(likely_groups.map(|row| target_group::attributes(aws, &row.arn))),
    )
    .await;
    let with_more = async |mut rows: Vec<LiveNetworkLoadBalancer>| {
        let mut attributes: BTreeMap<_, _> = attributes?.into_iter().collect();
        tag(rows.iter_mut().map(|row| (&*row.arn, &mut row.tags)), tags.as_ref())?;
        let is_left = |row: &&LiveNetworkLoadBalancer| {
            let is_wanted = wanted.iter().any(|one| ec2::is_named(&row.tags, &one.tag));
            is_wanted && !attributes.contains_key(&row.arn)
        };
        let left: Vec<_> = rows.iter().filter(is_left).map(|row| row.arn.clone()).collect();
        let more = left.iter().map(|arn| network_load_balancer::attributes(aws, arn));
        attributes.extend(try_join_all(more).await?);
        for row in &mut rows {
            row.attributes = attributes.remove(&row.arn);
        }
        Ok(rows)
    };
    let balancers = match balancers {
        Ok(rows) => with_more(rows).await,
        Err(error) => Err(error),
    };
    let balancers = looked(balancers)?;
    let target_groups = looked(groups.and_then(|mut groups| {
        tag(groups.iter_mut().map(|row| (&*row.arn, &mut row.tags)), tags.as_ref())?;
        let mut attributes: BTreeMap<_, _> = of_groups?.into_iter().collect();
        for row in &mut groups {
            row.attributes = attributes.remove(&row.arn);
        }
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
    let Some(wanted) = &look.balancers else { return Ok(Vec::new()) };
    let all = network_load_balancer::all(aws).await?;
    let is_named = |name: &str| OWN_BEGINNINGS.iter().any(|own| name.starts_with(own));
    let rows = all.iter().map(LiveNetworkLoadBalancer::from_sdk);
    let mut rows = rows.collect::<Result<Vec<_>, _>>()?;
    let may_be_ours = |row: &LiveNetworkLoadBalancer| {
        wanted.iter().any(|one| one.begins(&row.name)) || row.is_network && is_named(&row.name)
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
        || look.target_groups.iter().any(|one| one.begins(&group.name))
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
