//! `SecurityGroupRule`: one rule of a security group, for one peer.

use std::fmt;

use aws_sdk_ec2::types::{IpPermission, IpRange, Ipv6Range, PrefixListId, UserIdGroupPair};

use crate::aws::{Aws, AwsError, Fault};
use crate::core::belongings::{Around, Belonging, Presence};
use crate::core::deletion::Delete;
use crate::core::drift::FieldChange;
use crate::core::fields::{Changed, Found, Value, Want, Wanted, fields};
use crate::core::given::Given;
use crate::core::holders::Holders;
use crate::core::id::{Id, Ref};
use crate::core::kind::ResourceId;
use crate::core::look::Looking;
use crate::core::manage::{Manage, View};
use crate::core::sweep::{Sweep, Unclaimed};
use crate::core::whose::Marks;
use crate::core::work::Work;
use crate::vpc::security_group::wanted::SecurityGroup;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SecurityGroupRule {
    pub(crate) name: String,
    pub(crate) group: Ref<SecurityGroup>,
    pub(crate) egress: bool,
    /// As EC2 names it: `tcp`, `udp`, `-1` for all, or a number.
    pub(crate) protocol: String,
    pub(crate) ports: Option<(i32, i32)>,
    pub(crate) peer: WantedPeer,
}

fields! { RuleFields {
    group: String = "group",
    from: String = "from",
    to: String = "to",
    protocol: String = "protocol",
    ports: Ports = "ports",
} }

/// The first port and the last.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Ports(i32, i32);

impl Value for Ports {
    fn tell(&self) -> String {
        match self {
            Self(from, to) if from == to => from.to_string(),
            Self(from, to) => format!("{from}-{to}"),
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum WantedPeer {
    Group(Ref<SecurityGroup>),
    Cidr(String),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Peer {
    Group(Id<SecurityGroup>),
    Cidr(String),
    PrefixList(String),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LiveRule {
    /// The id of the group that has it.
    pub(crate) group: Id<SecurityGroup>,
    pub(crate) egress: bool,
    pub(crate) protocol: String,
    pub(crate) from: Option<i32>,
    pub(crate) to: Option<i32>,
    pub(crate) peer: Peer,
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
        match (self.from, self.to) {
            (Some(from), Some(to)) if from == to => write!(f, " {from}")?,
            (Some(from), Some(to)) if self.protocol != "-1" => write!(f, " {from}-{to}")?,
            _ => {}
        }
        let peer = match &self.peer {
            Peer::Group(peer) => peer,
            Peer::Cidr(peer) | Peer::PrefixList(peer) => peer.as_str(),
        };
        write!(f, " {side} {peer}")
    }
}

/// EC2 takes a protocol's number for its name.
fn protocol(text: &str) -> &str {
    match text {
        "1" => "icmp",
        "6" => "tcp",
        "17" => "udp",
        other => other,
    }
}

impl Presence for SecurityGroupRule {
    const LOOKS: &'static [Looking] = &[];

    const IS_SOUGHT: bool = false;

    fn exists(_: &ResourceId, _: View<'_>) -> Option<bool> {
        None
    }

    /// They are told with their group, and go with it.
    fn belongings(_: &Around<'_>) -> Vec<Belonging> {
        Vec::new()
    }
}

impl Manage for SecurityGroupRule {
    type Live = LiveRule;
    type Fields = RuleFields<Wanted>;

    fn id(&self) -> ResourceId {
        ResourceId::new(SecurityGroupRule::KIND, &self.name)
    }

    fn needs(&self) -> Vec<ResourceId> {
        match &self.peer {
            WantedPeer::Group(peer) if *peer != self.group => {
                vec![self.group.resource(), peer.resource()]
            }
            _ => vec![self.group.resource()],
        }
    }

    fn is(&self, found: &LiveRule, view: View<'_>) -> bool {
        // Ports mean nothing to other protocols (EC2 API, IpPermission).
        let ports = match protocol(&self.protocol) {
            "tcp" | "udp" => self.ports == found.from.zip(found.to),
            _ => true,
        };
        let peer = match (&self.peer, &found.peer) {
            (WantedPeer::Group(wanted), Peer::Group(id)) => view.is(wanted, id),
            (WantedPeer::Cidr(wanted), Peer::Cidr(cidr)) => same_range(wanted, cidr),
            _ => false,
        };
        view.is(&self.group, &found.group)
            && self.egress == found.egress
            && protocol(&self.protocol) == protocol(&found.protocol)
            && ports
            && peer
    }

    /// What is part of something was found by that.
    fn marks<'a>(&self, _: &'a Self::Live, _: View<'a>) -> Vec<Marks<'a>> {
        Vec::new()
    }

    fn aws_id(found: &LiveRule) -> Id<Self> {
        Id::part(&found.group, found)
    }

    fn wanted(&self, _: View<'_>) -> RuleFields<Wanted> {
        let RuleFields { group, from, to, protocol, ports } = self.parts();
        RuleFields {
            group: Want::if_told(group),
            from: Want::if_told(from),
            to: Want::if_told(to),
            protocol: Want::if_told(protocol),
            ports: Want::if_told(ports),
        }
    }

    fn found(&self, _: &LiveRule, _: View<'_>) -> RuleFields<Found> {
        // What a rule is, is all that it has.
        self.parts()
    }

    fn given(&self) -> Given<'_> {
        Given::nothing()
    }

    async fn create(&self, work: &Work<'_>) -> Result<Option<Id<Self>>, AwsError> {
        let group = work.id(&self.group)?;
        let peer = match &self.peer {
            WantedPeer::Group(peer) => Peer::Group(work.id(peer)?),
            WantedPeer::Cidr(cidr) => Peer::Cidr(cidr.clone()),
        };
        let permission = permission(&self.protocol, self.ports, &peer);
        let answer = match self.egress {
            true => {
                let call = work.aws.ec2.authorize_security_group_egress().group_id(group);
                let answer = call.ip_permissions(permission).send().await;
                answer.map(|_| ()).map_err(|error| {
                    AwsError::new("ec2:AuthorizeSecurityGroupEgress", &self.name, error)
                })
            }
            false => {
                let call = work.aws.ec2.authorize_security_group_ingress().group_id(group);
                let answer = call.ip_permissions(permission).send().await;
                answer.map(|_| ()).map_err(|error| {
                    AwsError::new("ec2:AuthorizeSecurityGroupIngress", &self.name, error)
                })
            }
        };
        match answer {
            // A new group comes with the rule that lets all out.
            Err(error) if error.fault == Fault::Conflict => Ok(None),
            answer => answer.map(|()| None),
        }
    }

    async fn update(
        &self,
        _: &Work<'_>,
        _: &Id<Self>,
        _: &RuleFields<Changed>,
    ) -> Result<(), AwsError> {
        Ok(())
    }

    #[cfg(test)]
    fn imagined(&self, _: &Id<Self>, view: View<'_>) -> LiveRule {
        let peer = match &self.peer {
            WantedPeer::Group(peer) => Peer::Group(view.id_of(peer)),
            WantedPeer::Cidr(cidr) => Peer::Cidr(cidr.clone()),
        };
        let (from, to) = self.ports.unzip();
        let (group, protocol) = (view.id_of(&self.group), self.protocol.clone());
        LiveRule { group, egress: self.egress, protocol, from, to, peer }
    }

    #[cfg(test)]
    fn disturbed(&self, _: &LiveRule) -> Vec<(&'static str, LiveRule)> {
        Vec::new()
    }
}

impl SecurityGroupRule {
    fn parts(&self) -> RuleFields<Found> {
        let peer = match &self.peer {
            WantedPeer::Group(group) => &group.name,
            WantedPeer::Cidr(range) => range,
        };
        let protocol = if self.protocol == "-1" { "all" } else { &self.protocol };
        let ports = self.ports.filter(|_| matches!(protocol, "tcp" | "udp"));
        RuleFields {
            group: Some(self.group.name.clone()),
            from: (!self.egress).then(|| peer.clone()),
            to: self.egress.then(|| peer.clone()),
            protocol: Some(protocol.to_owned()),
            ports: ports.map(|(from, to)| Ports(from, to)),
        }
    }
}

/// EC2 gives ranges back with the bits behind the prefix cleared.
fn same_range(wanted: &str, found: &str) -> bool {
    let network = |text: &str| text.parse::<ipnet::IpNet>().map(|range| range.trunc());
    wanted == found || matches!((network(wanted), network(found)), (Ok(a), Ok(b)) if a == b)
}

fn permission(protocol: &str, ports: Option<(i32, i32)>, peer: &Peer) -> IpPermission {
    let permission = IpPermission::builder()
        .ip_protocol(protocol)
        .set_from_port(ports.map(|(from, _)| from))
        .set_to_port(ports.map(|(_, to)| to));
    match peer {
        Peer::Group(id) => {
            permission.user_id_group_pairs(UserIdGroupPair::builder().group_id(id).build())
        }
        Peer::Cidr(cidr) if cidr.contains(':') => {
            permission.ipv6_ranges(Ipv6Range::builder().cidr_ipv6(cidr).build())
        }
        Peer::Cidr(cidr) => permission.ip_ranges(IpRange::builder().cidr_ip(cidr).build()),
        Peer::PrefixList(id) => {
            permission.prefix_list_ids(PrefixListId::builder().prefix_list_id(id).build())
        }
    }
    .build()
}

/// Takes a rule out of its group.
pub(crate) async fn revoke(aws: &Aws, rule: &LiveRule) -> Result<(), AwsError> {
    let permission = permission(&rule.protocol, rule.from.zip(rule.to), &rule.peer);
    match rule.egress {
        true => {
            let call = aws.ec2.revoke_security_group_egress().group_id(&rule.group);
            call.ip_permissions(permission)
                .send()
                .await
                .map(|_| ())
                .map_err(|error| AwsError::new("ec2:RevokeSecurityGroupEgress", &rule.group, error))
        }
        false => {
            let call = aws.ec2.revoke_security_group_ingress().group_id(&rule.group);
            call.ip_permissions(permission).send().await.map(|_| ()).map_err(|error| {
                AwsError::new("ec2:RevokeSecurityGroupIngress", &rule.group, error)
            })
        }
    }
}

/// Takes a rule out of its group.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SecurityGroupRuleDeletion(pub(crate) LiveRule);

impl Delete for SecurityGroupRuleDeletion {
    async fn attempt(&self, aws: &Aws) -> Result<(), AwsError> {
        let Self(rule) = self;
        revoke(aws, rule).await
    }

    async fn holders(&self, _: &Work<'_>, _: &mut Holders) -> Result<(), AwsError> {
        Ok(())
    }
}

impl Unclaimed for SecurityGroupRule {
    /// Which are too many, its group tells, which knows what ports are the cluster's own.
    fn unclaimed(_: &mut Sweep<'_>) {}
}
