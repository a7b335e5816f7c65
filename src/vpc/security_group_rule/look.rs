//! Rules of security groups as AWS tells of them.

use std::fmt;

use super::wanted::SecurityGroupRule;
use crate::aws::tags::Tags;
use crate::aws::{Answer, Aws, AwsError, batch, ec2};
use crate::core::drift::FieldChange;
use crate::core::id::Id;
use crate::core::look::{Asked, Look, Looking};
use crate::core::seen::{Looked, Seen};
use crate::vpc::security_group::look::{LiveSecurityGroup, SecurityGroups};
use crate::vpc::security_group::wanted::SecurityGroup;

const DESCRIBE: &str = "ec2:DescribeSecurityGroupRules";

/// What EC2 tells where a protocol has no ports, and where ICMP is let through whatever its type.
const NO_PORT: i32 = -1;

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Peer {
    Group(Id<SecurityGroup>),
    Cidr(String),
    PrefixList(String),
}

impl Peer {
    pub(crate) fn is(&self, found: &Self) -> bool {
        match (self, found) {
            (Self::Cidr(one), Self::Cidr(other)) => same_range(one, other),
            (one, other) => one == other,
        }
    }
}

/// EC2 gives ranges back with the bits behind the prefix cleared, and those of IPv6 in their short
/// form.
fn same_range(wanted: &str, found: &str) -> bool {
    let network = |text: &str| text.parse::<ipnet::IpNet>().map(|range| range.trunc());
    wanted == found || matches!((network(wanted), network(found)), (Ok(a), Ok(b)) if a == b)
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LiveRule {
    pub(crate) id: Id<SecurityGroupRule>,
    /// The id of the group that has it.
    pub(crate) group: Id<SecurityGroup>,
    pub(crate) egress: bool,
    pub(crate) protocol: String,
    /// The first and the last, -1 where the protocol has none.
    pub(crate) ports: (i32, i32),
    pub(crate) peer: Peer,
    pub(crate) tags: Tags,
}

impl LiveRule {
    /// Whether its peer is this group.
    pub(crate) fn names(&self, group: &Id<SecurityGroup>) -> bool {
        matches!(&self.peer, Peer::Group(peer) if peer == group)
    }

    /// How it is told that it goes with something else.
    pub(crate) fn gone(&self) -> FieldChange {
        FieldChange {
            field: format!("rule of {}", self.group),
            before: Some(self.to_string()),
            after: None,
        }
    }
}

impl fmt::Display for LiveRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (way, side) = if self.egress { ("egress", "to") } else { ("ingress", "from") };
        let protocol = if self.protocol == "-1" { "all" } else { &self.protocol };
        write!(f, "{way} {protocol}")?;
        match self.ports {
            (NO_PORT, NO_PORT) => {}
            (from, to) if from == to => write!(f, " {from}")?,
            (from, to) => write!(f, " {from}-{to}")?,
        }
        let peer = match &self.peer {
            Peer::Group(peer) => peer,
            Peer::Cidr(peer) | Peer::PrefixList(peer) => peer.as_str(),
        };
        write!(f, " {side} {peer}")
    }
}

/// The rules of all groups that were found, since a tag may be missing that would choose them.
#[derive(Debug)]
pub(crate) enum Rules {
    Of(Vec<Id<SecurityGroup>>),
    /// Where groups are not known, their rules are not either.
    Denied(AwsError),
}

impl Look for Rules {
    const AFTER: &'static [Looking] = &[Looking::of::<SecurityGroups>()];

    fn ask(_: &Asked, seen: &Seen) -> Option<Self> {
        match seen.of::<LiveSecurityGroup>() {
            Looked::Not => None,
            Looked::Denied(error) => Some(Self::Denied(error.clone())),
            Looked::Found(groups) => {
                Some(Self::Of(groups.iter().map(|group| group.id.clone()).collect()))
            }
        }
    }

    async fn read(self, aws: &Aws) -> Result<Seen, AwsError> {
        let looked = match self {
            Self::Of(groups) => Looked::sort(read(aws, &groups).await)?,
            Self::Denied(error) => Looked::Denied(error),
        };
        Ok(Seen::default().with(looked))
    }
}

pub(super) async fn read(
    aws: &Aws,
    groups: &[Id<SecurityGroup>],
) -> Result<Vec<LiveRule>, AwsError> {
    batch::read(groups, batch::FILTER_VALUES, async |groups: &[Id<SecurityGroup>]| {
        let call = aws.ec2.describe_security_group_rules().filters(ec2::filter("group-id", groups));
        let rows = call.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
        let rows = rows.map_err(|error| AwsError::new(DESCRIBE, "", error))?;
        rows.iter().map(from_sdk).collect()
    })
    .await
}

fn from_sdk(rule: &aws_sdk_ec2::types::SecurityGroupRule) -> Result<LiveRule, AwsError> {
    let answer = Answer::of(DESCRIBE, "");
    let id = Id::given(answer, "securityGroupRuleId", rule.security_group_rule_id())?;
    let answer = Answer::of(DESCRIBE, &id);
    let group = rule.referenced_group_info().map(|group| group.group_id());
    let peer = match (group, rule.cidr_ipv4().or(rule.cidr_ipv6()), rule.prefix_list_id()) {
        (Some(group), _, _) => Peer::Group(Id::given(answer, "referencedGroupInfo", group)?),
        (None, None, Some(list)) => Peer::PrefixList(list.to_owned()),
        (None, range, _) => Peer::Cidr(answer.text("cidrIpv4", range)?),
    };
    Ok(LiveRule {
        group: Id::given(answer, "groupId", rule.group_id())?,
        egress: answer.part("isEgress", rule.is_egress())?,
        protocol: answer.text("ipProtocol", rule.ip_protocol())?,
        ports: (rule.from_port().unwrap_or(NO_PORT), rule.to_port().unwrap_or(NO_PORT)),
        peer,
        tags: ec2::tags_from_sdk(rule.tags()),
        id: id.clone(),
    })
}
