//! Security groups as AWS tells of them.

use std::collections::BTreeSet;

use aws_sdk_ec2::types::Filter;
use futures::future::try_join3;

use super::wanted::SecurityGroup;
use crate::aws::tags::Tags;
use crate::aws::{Answer, Aws, AwsError, batch, ec2};
use crate::core::id::Id;
use crate::core::look::{Asked, Look, Looking};
use crate::core::seen::{Looked, Seen};
use crate::core::whose::Marks;
use crate::vpc::contents::{SECURITY_GROUPS, VpcPart};
use crate::vpc::vpc::Vpc;

const DESCRIBE: &str = "ec2:DescribeSecurityGroups";

#[derive(Clone, Debug)]
pub(crate) struct LiveSecurityGroup {
    pub(crate) id: Id<SecurityGroup>,
    pub(crate) name: String,
    pub(crate) vpc: Id<Vpc>,
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
        let own = wanted.filter(|one| one.existing.is_none()).map(|one| &one.name);
        // Those too that the spec no longer has.
        let names: BTreeSet<&String> = own.chain(&asked.names.security_groups).collect();
        let names = names.into_iter().cloned().collect();
        // Of those that a spec names, rules may be the cluster's when it goes.
        let existing = asked.owner.named_of(SecurityGroup::KIND);
        let existing = existing.filter_map(|id| Id::of_spec(Some(id))).collect();
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
        let parts = groups.rows().iter().map(|group| VpcPart {
            vpc: (&group.vpc).into(),
            what: SECURITY_GROUPS,
            kind: SecurityGroup::KIND,
            id: (&group.id).into(),
            tags: group.tags.clone(),
        });
        Ok(Seen::default().with(Looked::Found(parts.collect())).with(groups))
    }
}

pub(super) async fn read(
    aws: &Aws,
    chosen: Vec<Filter>,
) -> Result<Vec<LiveSecurityGroup>, AwsError> {
    let pages = aws.ec2.describe_security_groups().set_filters(Some(chosen));
    let rows = pages.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
    let rows = rows.map_err(|error| AwsError::new(DESCRIBE, "", error))?;
    rows.iter().map(from_sdk).collect()
}

fn from_sdk(group: &aws_sdk_ec2::types::SecurityGroup) -> Result<LiveSecurityGroup, AwsError> {
    let id = Id::given(Answer::of(DESCRIBE, ""), "groupId", group.group_id())?;
    let answer = Answer::of(DESCRIBE, &id);
    Ok(LiveSecurityGroup {
        name: answer.text("groupName", group.group_name())?,
        vpc: Id::given(answer, "vpcId", group.vpc_id())?,
        tags: ec2::tags_from_sdk(group.tags()),
        id: id.clone(),
    })
}
