//! `SecurityGroupRule`: one rule of a security group, for one peer.

pub(super) mod look;
pub(super) mod wanted;

use aws_sdk_ec2::types::{
    IpPermission, IpRange, Ipv6Range, PrefixListId, ResourceType, UserIdGroupPair,
};

use crate::aws::tags::Tags;
use crate::aws::{Aws, AwsError, Fault, done, ec2};
use crate::core::belongings::{Around, Belonging, Presence};
use crate::core::deletion::Delete;
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

pub(crate) use look::{LiveRule, Peer, Rules};
pub(crate) use wanted::{SecurityGroupRule, WantedPeer};

fields! { RuleFields {
    group: String = "group",
    from: String = "from",
    to: String = "to",
    protocol: String = "protocol",
    ports: Ports = "ports",
    tags: Tags = "tags",
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

/// EC2 takes a protocol's number for its name.
fn protocol(text: &str) -> &str {
    match text {
        "1" => "icmp",
        "6" => "tcp",
        "17" => "udp",
        "58" => "icmpv6",
        other => other,
    }
}

/// Ports mean nothing to other protocols (EC2 API, IpPermission).
fn has_ports(text: &str) -> bool {
    matches!(protocol(text), "tcp" | "udp" | "icmp" | "icmpv6")
}

impl Presence for SecurityGroupRule {
    const LOOKS: &'static [Looking] = &[Looking::of::<Rules>()];

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
        let peer = self.peer.known(|peer| view.ids.of(peer));
        view.is(&self.group, &found.group) && peer.is_some_and(|peer| self.lets(&peer, found))
    }

    /// What is part of something was found by that.
    fn marks<'a>(&self, _: &'a Self::Live, _: View<'a>) -> Vec<Marks<'a>> {
        Vec::new()
    }

    fn aws_id(found: &LiveRule) -> Id<Self> {
        found.id.clone()
    }

    fn wanted(&self, _: View<'_>) -> RuleFields<Wanted> {
        let RuleFields { group, from, to, protocol, ports, tags } = self.parts();
        RuleFields {
            group: Want::if_told(group),
            from: Want::if_told(from),
            to: Want::if_told(to),
            protocol: Want::if_told(protocol),
            ports: Want::if_told(ports),
            tags: Want::if_told(tags),
        }
    }

    fn found(&self, found: &LiveRule, _: View<'_>) -> RuleFields<Found> {
        // What a rule is, is all that it has beside its tags.
        RuleFields { tags: Some(found.tags.clone()), ..self.parts() }
    }

    fn given(&self) -> Given<'_> {
        Given::nothing().tags(&self.tags)
    }

    async fn create(&self, work: &Work<'_>) -> Result<Option<Id<Self>>, AwsError> {
        let group: Id<SecurityGroup> = work.id(&self.group)?;
        let peer = match &self.peer {
            WantedPeer::Group(peer) => Peer::Group(work.id(peer)?),
            WantedPeer::Cidr(cidr) => Peer::Cidr(cidr.clone()),
            WantedPeer::PrefixList(list) => Peer::PrefixList(list.clone()),
        };
        match self.authorize(work.aws, &group, &peer).await {
            // A new group comes with rules that let all out, without tags; or there is one by a
            // call of ours whose answer was lost.
            Err(error) if error.fault == Fault::Conflict => {
                let found = look::read(work.aws, &[group]).await?;
                let found = found.iter().find(|found| self.lets(&peer, found)).ok_or(error)?;
                if !self.tags.is(&found.tags) {
                    ec2::tag(work.aws, &found.id, &self.tags).await?;
                }
                Ok(None)
            }
            answer => answer.map(|()| None),
        }
    }

    async fn update(
        &self,
        work: &Work<'_>,
        id: &Id<Self>,
        changed: &RuleFields<Changed>,
    ) -> Result<(), AwsError> {
        let RuleFields { group: _, from: _, to: _, protocol: _, ports: _, tags } = changed;
        if tags.is_some() {
            ec2::tag(work.aws, id, &self.tags).await?;
        }
        Ok(())
    }

    #[cfg(test)]
    fn imagined(&self, id: &Id<Self>, view: View<'_>) -> LiveRule {
        LiveRule {
            id: id.clone(),
            group: view.id_of(&self.group),
            egress: self.egress,
            protocol: self.protocol.to_owned(),
            ports: self.ports.unwrap_or((-1, -1)),
            peer: self.peer.known(|peer| Some(view.id_of(peer))).unwrap(),
            tags: self.tags.clone(),
        }
    }

    #[cfg(test)]
    fn disturbed(&self, live: &LiveRule) -> Vec<(&'static str, LiveRule)> {
        let tags = Self::lacking_one(&live.tags);
        let is_less = tags != live.tags;
        is_less.then(|| ("tags", LiveRule { tags, ..live.clone() })).into_iter().collect()
    }
}

impl WantedPeer {
    /// As AWS knows it.
    fn known(&self, id: impl Fn(&Ref<SecurityGroup>) -> Option<Id<SecurityGroup>>) -> Option<Peer> {
        Some(match self {
            Self::Group(peer) => Peer::Group(id(peer)?),
            Self::Cidr(cidr) => Peer::Cidr(cidr.clone()),
            Self::PrefixList(list) => Peer::PrefixList(list.clone()),
        })
    }
}

impl SecurityGroupRule {
    /// Whether what was found lets through to or from this peer what this does.
    fn lets(&self, peer: &Peer, found: &LiveRule) -> bool {
        self.egress == found.egress
            && protocol(self.protocol) == protocol(&found.protocol)
            && (!has_ports(self.protocol) || self.ports == Some(found.ports))
            && peer.is(&found.peer)
    }

    fn parts(&self) -> RuleFields<Found> {
        let peer = match &self.peer {
            WantedPeer::Group(group) => &group.name,
            WantedPeer::Cidr(peer) | WantedPeer::PrefixList(peer) => peer,
        };
        let protocol = if self.protocol == "-1" { "all" } else { self.protocol };
        RuleFields {
            group: Some(self.group.name.clone()),
            from: (!self.egress).then(|| peer.clone()),
            to: self.egress.then(|| peer.clone()),
            protocol: Some(protocol.to_owned()),
            ports: self.ports.map(|(from, to)| Ports(from, to)),
            tags: (!self.tags.is_empty()).then(|| self.tags.clone()),
        }
    }

    async fn authorize(
        &self,
        aws: &Aws,
        group: &Id<SecurityGroup>,
        peer: &Peer,
    ) -> Result<(), AwsError> {
        let permission = permission(self.protocol, self.ports, peer);
        let tags = (!self.tags.is_empty())
            .then(|| vec![ec2::specification(ResourceType::SecurityGroupRule, &self.tags)]);
        match self.egress {
            true => {
                let call = aws.ec2.authorize_security_group_egress().group_id(group);
                let call = call.ip_permissions(permission).set_tag_specifications(tags);
                done("ec2:AuthorizeSecurityGroupEgress", &self.name, call.send().await)
            }
            false => {
                let call = aws.ec2.authorize_security_group_ingress().group_id(group);
                let call = call.ip_permissions(permission).set_tag_specifications(tags);
                done("ec2:AuthorizeSecurityGroupIngress", &self.name, call.send().await)
            }
        }
    }
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
    match rule.egress {
        true => {
            let call = aws.ec2.revoke_security_group_egress().group_id(&rule.group);
            let answer = call.security_group_rule_ids(&rule.id).send().await;
            done("ec2:RevokeSecurityGroupEgress", &rule.group, answer)
        }
        false => {
            let call = aws.ec2.revoke_security_group_ingress().group_id(&rule.group);
            let answer = call.security_group_rule_ids(&rule.id).send().await;
            done("ec2:RevokeSecurityGroupIngress", &rule.group, answer)
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
