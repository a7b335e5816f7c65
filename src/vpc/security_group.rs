//! `SecurityGroup`: what may reach a role's instances or a load balancer.

pub(super) mod wanted;

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::types::{Filter, IpPermission, ResourceType};
use futures::future::try_join3;

use crate::aws::tags::Tags;
use crate::aws::{Answer, Aws, AwsError, Fault, batch, done, ec2};
use crate::core::belongings::{Around, Belonging, Presence};
use crate::core::deletion::{Delete, gone_or};
use crate::core::drift::FieldChange;
use crate::core::fields::{Changed, Changes as _, Found, Stuck, Want, Wanted, fields};
use crate::core::given::Given;
use crate::core::holders::Holders;
use crate::core::id::Id;
use crate::core::in_use::Thing;
use crate::core::kind::ResourceId;
use crate::core::look::{Asked, Look, Looking};
use crate::core::manage::{self, Manage, Ownership, View};
use crate::core::names::OwnNames;
use crate::core::seen::{Looked, Seen};
use crate::core::sweep::{Offer, Place, Removal, Sweep, Unclaimed};
use crate::core::whose::{Marks, Owner, Taggable};
use crate::core::work::Work;
use crate::limits::SECURITY_GROUP_NAME;
use crate::vpc::contents::{SECURITY_GROUPS, VpcPart};
use crate::vpc::interface::interfaces;
use crate::vpc::security_group_rule::{
    self, LiveRule, Peer, SecurityGroupRule, SecurityGroupRuleDeletion,
};
use crate::vpc::vpc::Vpc;

pub(crate) use wanted::SecurityGroup;

const DESCRIBE: &str = "ec2:DescribeSecurityGroups";
const CREATE: &str = "ec2:CreateSecurityGroup";

fields! { SecurityGroupFields {
    vpc: String = "vpc",
    tags: Tags = "tags",
} }

#[derive(Clone, Debug)]
pub(crate) struct LiveSecurityGroup {
    pub(crate) id: Id<SecurityGroup>,
    pub(crate) name: String,
    pub(crate) vpc: Id<Vpc>,
    pub(crate) rules: Vec<LiveRule>,
    pub(crate) tags: Tags,
}

impl LiveSecurityGroup {
    pub(crate) fn marks(&self) -> Marks<'_> {
        Marks::of(&self.id).tags(&self.tags)
    }
}

/// The groups of these names, which nobody can change, and those that a spec names by id.
#[derive(Debug)]
pub(crate) struct SecurityGroups {
    names: Vec<String>,
    existing: Vec<Id<SecurityGroup>>,
    /// The cluster of which all are looked for that carry its tags.
    marked: Option<String>,
}

impl Look for SecurityGroups {
    const AFTER: &'static [Looking] = &[];

    fn ask(asked: &Asked, _: &Seen) -> Option<Self> {
        let wanted = asked.wanted::<SecurityGroup>().iter();
        let (existing, own): (Vec<_>, Vec<_>) = wanted.partition(|one| one.existing.is_some());
        let existing = existing.into_iter().filter_map(|group| group.existing.clone()).collect();
        // Those too that the spec no longer has.
        let left = asked.names.security_groups.iter();
        let names: BTreeSet<&String> = own.into_iter().map(|one| &one.name).chain(left).collect();
        let names = names.into_iter().cloned().collect();
        let marked = asked.everything().then(|| asked.cluster().to_owned());
        asked.looks_at(&[SecurityGroup::KIND]).then_some(Self { names, existing, marked })
    }

    async fn read(self, aws: &Aws) -> Result<Seen, AwsError> {
        let named = |ids: &[Id<SecurityGroup>]| read(aws, vec![ec2::filter("group-id", ids)]);
        let named = batch::read(&self.existing, batch::FILTER_VALUES, named);
        let own = |names: &[String]| read(aws, vec![ec2::filter("group-name", names)]);
        let own = batch::read(&self.names, batch::FILTER_VALUES, own);
        let marked = async {
            match &self.marked {
                Some(cluster) => read(aws, vec![ec2::marked(cluster)]).await,
                None => Ok(Vec::new()),
            }
        };
        let rows = try_join3(marked, own, named).await.map(|(marked, own, named)| {
            let mut rows: Vec<LiveSecurityGroup> = Vec::new();
            for group in marked.into_iter().chain(own).chain(named) {
                if !rows.iter().any(|known| known.id == group.id) {
                    rows.push(group);
                }
            }
            rows
        });
        let groups = Looked::sort(rows)?;
        let rules = groups.flat_map(|group| group.rules.clone());
        let parts = groups.rows().iter().map(|group| VpcPart {
            vpc: (&group.vpc).into(),
            what: SECURITY_GROUPS,
            kind: SecurityGroup::KIND,
            id: (&group.id).into(),
            tags: group.tags.clone(),
        });
        let seen = Seen::default().with(Looked::Found(parts.collect()));
        Ok(seen.with(rules).with(groups))
    }
}

impl Presence for SecurityGroup {
    const LOOKS: &'static [Looking] = &[Looking::of::<SecurityGroups>()];

    const IS_SOUGHT: bool = false;

    fn belongings(around: &Around<'_>) -> Vec<Belonging> {
        let all = around.seen.rows::<LiveSecurityGroup>();
        let is_ours =
            |group: &&LiveSecurityGroup| around.owner.whose(Self::KIND, &group.marks()).is_owned();
        let rules_of_ours: Vec<&LiveRule> =
            all.iter().filter(is_ours).flat_map(|group| &group.rules).collect();
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

async fn read(aws: &Aws, chosen: Vec<Filter>) -> Result<Vec<LiveSecurityGroup>, AwsError> {
    let pages = aws.ec2.describe_security_groups().set_filters(Some(chosen));
    let rows = pages.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
    let rows = rows.map_err(|error| AwsError::new(DESCRIBE, "", error))?;
    rows.iter().map(from_sdk).collect()
}

fn from_sdk(group: &aws_sdk_ec2::types::SecurityGroup) -> Result<LiveSecurityGroup, AwsError> {
    let id = Id::given(Answer::of(DESCRIBE, ""), "groupId", group.group_id())?;
    let answer = Answer::of(DESCRIBE, &id);
    let mut rules = Vec::new();
    for permission in group.ip_permissions() {
        rules.extend(expand(&id, permission, false)?);
    }
    for permission in group.ip_permissions_egress() {
        rules.extend(expand(&id, permission, true)?);
    }
    Ok(LiveSecurityGroup {
        name: answer.text("groupName", group.group_name())?,
        vpc: Id::given(answer, "vpcId", group.vpc_id())?,
        rules,
        tags: ec2::tags_from_sdk(group.tags()),
        id: id.clone(),
    })
}

/// One rule for each peer that a permission names.
fn expand(
    group: &Id<SecurityGroup>,
    permission: &IpPermission,
    egress: bool,
) -> Result<Vec<LiveRule>, AwsError> {
    let answer = Answer::of(DESCRIBE, group);
    let mut peers = Vec::new();
    for pair in permission.user_id_group_pairs() {
        peers.push(Peer::Group(Id::given(answer, "groupId of a rule", pair.group_id())?));
    }
    for range in permission.ip_ranges() {
        peers.push(Peer::Cidr(answer.text("cidrIp of a rule", range.cidr_ip())?));
    }
    for range in permission.ipv6_ranges() {
        peers.push(Peer::Cidr(answer.text("cidrIpv6 of a rule", range.cidr_ipv6())?));
    }
    for list in permission.prefix_list_ids() {
        peers.push(Peer::PrefixList(answer.text("prefixListId of a rule", list.prefix_list_id())?));
    }
    let protocol = answer.text("ipProtocol of a rule", permission.ip_protocol())?;
    let rules = peers.into_iter().map(|peer| LiveRule {
        group: group.clone(),
        egress,
        protocol: protocol.clone(),
        from: permission.from_port(),
        to: permission.to_port(),
        peer,
    });
    Ok(rules.collect())
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

    fn wanted(&self, _: View<'_>) -> SecurityGroupFields<Wanted> {
        match self.ownership() {
            Ownership::Shared => SecurityGroupFields { vpc: Want::Any, tags: Want::Any },
            Ownership::Ours | Ownership::Brought => SecurityGroupFields {
                vpc: Want::Is(self.vpc.name.clone()),
                tags: Want::Is(self.tags.clone()),
            },
        }
    }

    fn found(&self, found: &LiveSecurityGroup, view: View<'_>) -> SecurityGroupFields<Found> {
        SecurityGroupFields {
            vpc: Some(view.name(&found.vpc).to_owned()),
            tags: Some(found.tags.clone()),
        }
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
        Stuck::fixed(&fixed, &found.id, manage::instead(self)).into_iter().collect()
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
                let found = read(work.aws, vec![name, ec2::filter("vpc-id", [vpc])]).await?;
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
            rules: Vec::new(),
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
        let naming = read(aws, vec![ec2::filter(filter, [id])]).await?;
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
    let mut rules = found.rules.clone();
    for other in rows.iter().filter(|other| other.id != found.id) {
        let before = rules.len();
        rules.extend(other.rules.iter().filter(|rule| rule.names(&found.id)).cloned());
        let is_ours = sweep.whose(SecurityGroup::KIND, &other.marks()).is_owned();
        if rules.len() > before && !is_ours {
            let why = format!("named by a rule of {}, which is not the cluster's", other.id);
            sweep.hold(place.clone(), why);
        }
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

/// Kubernetes and people add rules, so they stay; only where a port is the cluster's own, and for
/// what goes out, a rule too many goes, as with kops
/// (`upup/pkg/fi/cloudup/awstasks/securitygroup.go`).
fn rules_too_many(sweep: &mut Sweep<'_>) {
    if !sweep.looks_at(SecurityGroupRule::KIND) {
        return;
    }
    let view = sweep.view();
    let mut wanted: BTreeMap<&ResourceId, Vec<&SecurityGroupRule>> = BTreeMap::new();
    for rule in sweep.wishes::<SecurityGroupRule>() {
        wanted.entry(&rule.group).or_default().push(rule);
    }
    let rows = view.seen.rows::<LiveSecurityGroup>().iter();
    let rows: BTreeMap<&str, &LiveSecurityGroup> =
        rows.map(|found| (found.id.as_str(), found)).collect();
    let groups = sweep.wishes::<SecurityGroup>().iter();
    for group in groups.filter(|group| group.existing.is_none()) {
        let id = group.id();
        let wanted = wanted.get(&id).map(Vec::as_slice).unwrap_or_default();
        let found = view.ids.get(&id).and_then(|id| rows.get(id));
        let rules = found.map(|found| found.rules.as_slice()).unwrap_or_default();
        let is_wanted = |live: &&LiveRule| wanted.iter().any(|rule| rule.is(live, view));
        for live in rules.iter().filter(|live| !is_wanted(live)) {
            let id = ResourceId::new(SecurityGroupRule::KIND, format!("{}: {live}", group.name));
            let is_own = |port: &i32| live.from == Some(*port) && live.to == Some(*port);
            if !live.egress && !group.own_ports.iter().any(is_own) {
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
                deletion: SecurityGroupRuleDeletion(live.clone()).into(),
            });
        }
    }
}
