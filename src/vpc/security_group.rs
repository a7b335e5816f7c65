//! `SecurityGroup`: what may reach a role's instances or a load balancer.

pub(super) mod look;
pub(super) mod wanted;

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::types::ResourceType;

use crate::aws::tags::Tags;
use crate::aws::{Answer, Aws, AwsError, Fault, done, ec2};
use crate::core::belongings::{Around, Belonging, Presence};
use crate::core::deletion::{Delete, gone_or};
use crate::core::drift::FieldChange;
use crate::core::fields::{Changed, Changes as _, Found, Stuck, Want, Wanted, fields};
use crate::core::given::Given;
use crate::core::holders::Holders;
use crate::core::id::Id;
use crate::core::in_use::Thing;
use crate::core::kind::ResourceId;
use crate::core::look::Looking;
use crate::core::manage::{self, Manage, Ownership, View};
use crate::core::names::OwnNames;
use crate::core::seen::Looked;
use crate::core::sweep::{Offer, Place, Removal, Sweep, Unclaimed, unknown};
use crate::core::whose::{Marks, Owner, Taggable};
use crate::core::work::Work;
use crate::limits::SECURITY_GROUP_NAME;
use crate::vpc::interface::interfaces;
use crate::vpc::security_group_rule::{
    self, LiveRule, SecurityGroupRule, SecurityGroupRuleDeletion,
};
use crate::vpc::vpc::LiveVpc;

pub(crate) use look::{LiveSecurityGroup, SecurityGroups};
pub(crate) use wanted::SecurityGroup;

const CREATE: &str = "ec2:CreateSecurityGroup";

fields! { SecurityGroupFields {
    vpc: String = "vpc",
    tags: Tags = "tags",
} }

impl Presence for SecurityGroup {
    const LOOKS: &'static [Looking] = &[Looking::of::<SecurityGroups>()];

    const IS_SOUGHT: bool = false;

    fn belongings(around: &Around<'_>) -> Vec<Belonging> {
        let all = around.seen.rows::<LiveSecurityGroup>();
        let ours: BTreeSet<&Id<Self>> = all
            .iter()
            .filter(|group| has_rules_of_ours(around.owner, group))
            .map(|group| &group.id)
            .collect();
        let rules = around.seen.rows::<LiveRule>().iter();
        let rules_of_ours: Vec<&LiveRule> =
            rules.filter(|rule| ours.contains(&rule.group)).collect();
        let groups = all.iter().filter_map(|group| {
            let told = ResourceId::new(Self::KIND, format!("{} ({})", group.name, group.id));
            let names_it = |rule: &&&LiveRule| rule.group != group.id && rule.names(&group.id);
            let rules = rules_of_ours.iter().filter(names_it).copied().cloned().collect();
            let deletion = SecurityGroupDeletion { id: group.id.clone(), rules };
            let found = around.one(&group.name, told, &group.marks(), deletion)?;
            Some(found.used_as(Thing::SecurityGroup((&group.id).into())))
        });
        groups.collect()
    }
}

/// Whether the rules of a group that name the cluster's groups are the cluster's too.
fn has_rules_of_ours(owner: &Owner, group: &LiveSecurityGroup) -> bool {
    owner.whose(SecurityGroup::KIND, &group.marks()).is_owned()
        || owner.fills(SecurityGroup::KIND, &group.id)
}

impl Manage for SecurityGroup {
    type Live = LiveSecurityGroup;
    type Fields = SecurityGroupFields<Wanted>;

    fn id(&self) -> ResourceId {
        ResourceId::new(SecurityGroup::KIND, &self.name)
    }

    fn needs(&self) -> Vec<ResourceId> {
        match &self.existing {
            Some(_) => Vec::new(),
            None => vec![self.vpc.resource()],
        }
    }

    /// In a VPC, names of groups are unique.
    fn is(&self, found: &LiveSecurityGroup, view: View<'_>) -> bool {
        if let Some(id) = &self.existing {
            return found.id == *id;
        }
        let has_place = view.is(&self.vpc, &found.vpc);
        found.name == self.name && (has_place || view.owns(SecurityGroup::KIND, &found.marks()))
    }

    fn marks<'a>(&self, found: &'a LiveSecurityGroup, _: View<'a>) -> Vec<Marks<'a>> {
        vec![found.marks()]
    }

    fn adopt(&self, found: &LiveSecurityGroup, owner: &Owner) -> Option<String> {
        Some(owner.adopt(&Taggable::Ec2(&found.id)))
    }

    fn aws_id(found: &LiveSecurityGroup) -> Id<Self> {
        found.id.clone()
    }

    fn wanted(&self, view: View<'_>) -> SecurityGroupFields<Wanted> {
        match self.ownership() {
            Ownership::Shared => {
                SecurityGroupFields { vpc: self.vpc_of_cluster(view), tags: Want::Any }
            }
            Ownership::Ours | Ownership::Brought => SecurityGroupFields {
                vpc: Want::Is(self.vpc.name.clone()),
                tags: Want::Is(self.tags.clone()),
            },
        }
    }

    fn found(&self, found: &LiveSecurityGroup, view: View<'_>) -> SecurityGroupFields<Found> {
        let vpc = match self.ownership() {
            Ownership::Shared => &found.vpc,
            Ownership::Ours | Ownership::Brought => view.name(&found.vpc),
        };
        SecurityGroupFields { vpc: Some(vpc.to_owned()), tags: Some(found.tags.clone()) }
    }

    fn ownership(&self) -> Ownership {
        if self.existing.is_some() { Ownership::Shared } else { Ownership::Ours }
    }

    fn judge(
        &self,
        changed: &mut SecurityGroupFields<Changed>,
        found: &LiveSecurityGroup,
    ) -> Vec<Stuck> {
        let fixed = SecurityGroupFields { vpc: changed.vpc.take(), ..SecurityGroupFields::none() };
        match (&fixed.vpc, self.ownership()) {
            (Some(vpc), Ownership::Shared) => {
                let own = vpc.after.as_deref().unwrap_or_default();
                let drift = fixed.drift();
                let why = format!(
                    "it is in {}, and the cluster's VPC is {own}: instances and load balancers \
                     take groups of their own VPC alone (EC2 user guide, security groups)",
                    found.vpc
                );
                let next = "name a group of that VPC in the spec, or set spec.networkID to the \
                            group's"
                    .to_owned();
                vec![Stuck { drift, why, next, is_borne: false }]
            }
            _ => Stuck::fixed(&fixed, &found.id, manage::instead(self)).into_iter().collect(),
        }
    }

    fn given(&self) -> Given<'_> {
        Given::name(&SECURITY_GROUP_NAME, &self.name).tags(&self.tags)
    }

    async fn create(&self, work: &Work<'_>) -> Result<Option<Id<Self>>, AwsError> {
        let vpc = work.id(&self.vpc)?;
        let call = work.aws.ec2.create_security_group().vpc_id(&vpc);
        let answer = call
            .group_name(&self.name)
            .description(&self.description)
            .tag_specifications(ec2::specification(ResourceType::SecurityGroup, &self.tags))
            .send()
            .await
            .map_err(|error| AwsError::new(CREATE, &self.name, error));
        match answer {
            Ok(answer) => {
                Id::given(Answer::of(CREATE, &self.name), "groupId", answer.group_id()).map(Some)
            }
            // The name is taken, perhaps by a call of ours whose answer was lost.
            Err(error) if error.fault == Fault::Conflict => {
                let name = ec2::filter("group-name", [&self.name]);
                let found = look::read(work.aws, vec![name, ec2::filter("vpc-id", [vpc])]).await?;
                let ours = found.iter().find(|found| ec2::is_identified(&found.tags, &self.tags));
                ours.map(|found| Some(found.id.clone())).ok_or(error)
            }
            Err(error) => Err(error),
        }
    }

    async fn update(
        &self,
        work: &Work<'_>,
        id: &Id<Self>,
        changed: &SecurityGroupFields<Changed>,
    ) -> Result<(), AwsError> {
        let SecurityGroupFields { vpc: _, tags } = changed;
        if tags.is_some() {
            ec2::tag(work.aws, id, &self.tags).await?;
        }
        Ok(())
    }

    #[cfg(test)]
    fn imagined(&self, id: &Id<Self>, view: View<'_>) -> LiveSecurityGroup {
        LiveSecurityGroup {
            id: self.existing.as_ref().unwrap_or(id).clone(),
            name: self.name.clone(),
            vpc: view.id_of(&self.vpc),
            tags: self.tags.clone(),
        }
    }

    #[cfg(test)]
    fn disturbed(&self, live: &LiveSecurityGroup) -> Vec<(&'static str, LiveSecurityGroup)> {
        vec![
            ("vpc", LiveSecurityGroup { vpc: Id::imagined("vpc-other"), ..live.clone() }),
            ("tags", LiveSecurityGroup { tags: Self::lacking_one(&live.tags), ..live.clone() }),
        ]
    }
}

impl SecurityGroup {
    /// Where a group of the user's own must be, as far as that is known.
    fn vpc_of_cluster(&self, view: View<'_>) -> Want<String> {
        let id = view.ids.get(&self.vpc);
        match (id, view.seen.of::<LiveVpc>()) {
            (Some(id), _) => Want::Is(id.to_owned()),
            // There is none yet.
            (None, Looked::Found(_)) => Want::Is(self.vpc.name.clone()),
            (None, Looked::Not | Looked::Denied(_)) => Want::Any,
        }
    }
}

/// Deletes a security group, and before it the rules that it was planned with.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SecurityGroupDeletion {
    pub(crate) id: Id<SecurityGroup>,
    /// Those of the cluster's groups that are taken out before. Groups that name each other could
    /// wait for ever, and one that is kept for now would keep all that it names.
    pub(crate) rules: Vec<LiveRule>,
}

impl Delete for SecurityGroupDeletion {
    async fn attempt(&self, aws: &Aws) -> Result<(), AwsError> {
        let Self { id, rules } = self;
        for rule in rules {
            gone_or(security_group_rule::revoke(aws, rule).await)?;
        }
        let call = aws.ec2.delete_security_group().group_id(id);
        done("ec2:DeleteSecurityGroup", id, call.send().await)
    }

    async fn holders(&self, work: &Work<'_>, holders: &mut Holders) -> Result<(), AwsError> {
        let looked = naming_groups(work.aws, &self.id, holders).await;
        holders.look(looked);
        let chosen = ec2::filter("group-id", [&self.id]);
        interfaces(work.aws, chosen, |_| true, holders).await
    }

    fn out_of(&self, staying: &BTreeSet<Thing>) -> Vec<FieldChange> {
        let stays =
            |rule: &&LiveRule| staying.contains(&Thing::SecurityGroup((&rule.group).into()));
        self.rules.iter().filter(stays).map(LiveRule::gone).collect()
    }
}

/// Other groups of which a rule names this one.
async fn naming_groups(
    aws: &Aws,
    id: &Id<SecurityGroup>,
    holders: &mut Holders,
) -> Result<(), AwsError> {
    for filter in ["ip-permission.group-id", "egress.ip-permission.group-id"] {
        let naming = look::read(aws, vec![ec2::filter(filter, [id])]).await?;
        for group in naming.iter().filter(|group| group.id != *id) {
            let holder = format!("a rule of security group {} ({})", group.id, group.name);
            holders.add_once(holder);
        }
    }
    Ok(())
}

impl Unclaimed for SecurityGroup {
    /// Kubernetes marks the groups that it makes for services with the same tags, so that of
    /// these only what bears a name of the cluster's own goes.
    fn unclaimed(sweep: &mut Sweep<'_>) {
        rules_too_many(sweep);
        let own: BTreeSet<&String> =
            sweep.wishes::<OwnNames>().iter().flat_map(|own| &own.security_groups).collect();
        let rows = sweep.rows::<LiveSecurityGroup>(SecurityGroup::KIND);
        for found in rows.iter().filter(|group| own.contains(&group.name)) {
            let place = Place::new(SecurityGroup::KIND, &found.id);
            let name = ResourceId::new(SecurityGroup::KIND, &found.name);
            if !sweep.is_found(&place) && !sweep.is_wanted(&name) {
                offer(sweep, place, found, rows);
            }
        }
    }
}

/// Offers a group; the rules that name it go before it.
fn offer(
    sweep: &mut Sweep<'_>,
    place: Place,
    found: &LiveSecurityGroup,
    rows: &[LiveSecurityGroup],
) {
    let looked = sweep.view().seen.of::<LiveRule>();
    if let Some(error) = looked.refused() {
        sweep.hold(place.clone(), unknown("what names it", error));
    }
    let is_its = |rule: &&LiveRule| rule.group == found.id;
    let mut rules: Vec<LiveRule> = looked.rows().iter().filter(is_its).cloned().collect();
    for other in rows.iter().filter(|other| other.id != found.id) {
        let names_it = |rule: &&LiveRule| rule.group == other.id && rule.names(&found.id);
        let naming: Vec<LiveRule> = looked.rows().iter().filter(names_it).cloned().collect();
        if !naming.is_empty() && !has_rules_of_ours(sweep.view().owner, other) {
            let why = format!("named by a rule of {}, which is not the cluster's", other.id);
            sweep.hold(place.clone(), why);
        }
        rules.extend(naming);
    }
    let told = rules.iter().map(|rule| FieldChange {
        field: format!("rule of {}", rule.group),
        before: Some(rule.to_string()),
        after: None,
    });
    let told = told.collect();
    let id = ResourceId::new(SecurityGroup::KIND, format!("{} ({})", found.name, found.id));
    let deletion = SecurityGroupDeletion { id: found.id.clone(), rules };
    let offer = Offer::new(id, place, deletion).with_fields(told);
    let whose = sweep.whose(SecurityGroup::KIND, &found.marks());
    sweep.offer(offer.if_owned(whose).unless_used(Thing::SecurityGroup((&found.id).into())));
}

/// Kubernetes and people add rules, so they stay; only where a port is the cluster's own, a rule too
/// many goes, as with kops (`upup/pkg/fi/cloudup/awstasks/securitygroup.go`).
fn rules_too_many(sweep: &mut Sweep<'_>) {
    if !sweep.looks_at(SecurityGroupRule::KIND) {
        return;
    }
    let view = sweep.view();
    let mut wanted: BTreeMap<&ResourceId, Vec<&SecurityGroupRule>> = BTreeMap::new();
    for rule in sweep.wishes::<SecurityGroupRule>() {
        wanted.entry(&rule.group).or_default().push(rule);
    }
    let mut found: BTreeMap<&str, Vec<&LiveRule>> = BTreeMap::new();
    for rule in view.seen.rows::<LiveRule>() {
        found.entry(&rule.group).or_default().push(rule);
    }
    let groups = sweep.wishes::<SecurityGroup>().iter();
    for group in groups.filter(|group| group.existing.is_none()) {
        let id = group.id();
        let wanted = wanted.get(&id).map(Vec::as_slice).unwrap_or_default();
        let rules = view.ids.get(&id).and_then(|id| found.get(id)).into_iter().flatten();
        let is_wanted = |live: &LiveRule| wanted.iter().any(|rule| rule.is(live, view));
        for live in rules.filter(|live| !is_wanted(live)) {
            let id = ResourceId::new(SecurityGroupRule::KIND, format!("{}: {live}", group.name));
            if !group.own_ports.contains(&live.ports) {
                sweep.leave(id);
                continue;
            }
            let field = FieldChange {
                field: "rule".to_owned(),
                before: Some(live.to_string()),
                after: None,
            };
            sweep.too_much(Removal {
                id,
                fields: vec![field],
                reason: "no rule of this cluster, on a port that is its own".to_owned(),
                deletion: SecurityGroupRuleDeletion((*live).clone()).into(),
            });
        }
    }
}
