//! Rules as kops names and tags them (`pkg/model/awsmodel/firewall.go`).

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;

use crate::aws::tags::Tags;
use crate::core::id::Ref;
use crate::desired::names;
use crate::limits::tag;
use crate::spec::cluster::Cluster;
use crate::spec::role::Role;
use crate::vpc::security_group::SecurityGroup;
use crate::vpc::security_group_rule::{SecurityGroupRule, WantedPeer};

const ANYWHERE: &str = "0.0.0.0/0";
const ANYWHERE_V6: &str = "::/0";

/// A security group, as its rules have it.
pub(super) struct Group {
    pub(super) id: Ref<SecurityGroup>,
    /// As rules are called by it.
    name: String,
    /// At the end of what rules are called that are not called by it.
    pub(super) suffix: String,
    /// What rules are tagged with, beside their names.
    tags: Tags,
}

impl Group {
    pub(super) fn own(cluster: &Cluster, id: Ref<SecurityGroup>) -> Self {
        let (name, tags) = (id.name.clone(), names::tags(cluster, &id.name, false));
        Self { id, name, suffix: String::new(), tags }
    }

    /// What instance groups have in place of their role's.
    pub(super) fn instead(id: &str, role: Role) -> Self {
        let role = match role {
            Role::Master | Role::ApiServer => "ControlPlane",
            Role::Node => "Node",
            Role::Bastion => "Bastion",
        };
        Self {
            id: Ref::to(id),
            name: format!("{id}-{role}"),
            suffix: format!("-{id}"),
            tags: Tags::new(),
        }
    }
}

#[derive(Clone, Copy)]
pub(super) struct Traffic {
    pub(super) protocol: &'static str,
    pub(super) ports: Option<(i32, i32)>,
}

impl Traffic {
    pub(super) const fn tcp(port: i32) -> Self {
        Self { protocol: "tcp", ports: Some((port, port)) }
    }
}

#[derive(Clone, Copy)]
pub(super) enum Source<'a> {
    Group(&'a Group),
    /// A range of IPv4 or IPv6, or a prefix list.
    Range(&'a str),
}

impl Source<'_> {
    fn peer(self) -> WantedPeer {
        match self {
            Self::Group(group) => WantedPeer::Group(group.id.clone()),
            Self::Range(list) if is_prefix_list(list) => WantedPeer::PrefixList(list.to_owned()),
            Self::Range(range) => WantedPeer::Cidr(range.to_owned()),
        }
    }

    fn name(&self) -> &str {
        match self {
            Self::Group(group) => &group.name,
            Self::Range(list) if is_prefix_list(list) => ANYWHERE,
            Self::Range(range) => range,
        }
    }

    pub(super) fn may_be_v4(self) -> bool {
        matches!(self, Self::Range(range) if !range.contains(':'))
    }

    pub(super) fn may_be_v6(self) -> bool {
        matches!(self, Self::Range(range) if range.contains(':') || is_prefix_list(range))
    }
}

fn is_prefix_list(range: &str) -> bool {
    range.starts_with("pl-")
}

/// A rule that is called by what it is, and is tagged.
pub(super) fn named(group: &Group, source: Source<'_>, traffic: Traffic) -> SecurityGroupRule {
    let (from, to) = (source.name(), group.name.as_str());
    let name = called(from, "ingress", traffic, to);
    let tags = tags(group, &name);
    SecurityGroupRule { tags, ..plain(name, group, source, traffic) }
}

/// A rule that has a name of its own, and no tags.
pub(super) fn plain(
    name: String,
    group: &Group,
    source: Source<'_>,
    traffic: Traffic,
) -> SecurityGroupRule {
    SecurityGroupRule {
        name,
        group: group.id.clone(),
        egress: false,
        protocol: traffic.protocol,
        ports: traffic.ports,
        peer: source.peer(),
        tags: Tags::new(),
    }
}

/// Everything out.
pub(super) fn egress(group: &Group) -> [SecurityGroupRule; 2] {
    let traffic = Traffic { protocol: "-1", ports: None };
    [ANYWHERE, ANYWHERE_V6].map(|range| {
        let name = called(&group.name, "egress", traffic, range);
        let tags = tags(group, &name);
        let ingress = plain(name, group, Source::Range(range), traffic);
        SecurityGroupRule { egress: true, tags, ..ingress }
    })
}

fn called(from: &str, way: &str, traffic: Traffic, to: &str) -> String {
    let protocol = if traffic.protocol == "-1" { "all" } else { traffic.protocol };
    let (first, last) = traffic.ports.unwrap_or_default();
    format!("from-{from}-{way}-{protocol}-{first}to{last}-{to}")
}

/// Names of two long groups are no value of a tag; nothing is found by them.
fn tags(group: &Group, name: &str) -> Tags {
    let mut tags = group.tags.clone();
    match tag::VALUE.refusal(name) {
        None => tags.insert("Name".to_owned(), name.to_owned()),
        Some(_) => tags.remove("Name"),
    };
    tags
}

/// Each rule once, since EC2 takes none twice: a group may stand for two roles, a range for a
/// subnet's.
pub(super) fn once(mut rules: Vec<SecurityGroupRule>) -> Vec<SecurityGroupRule> {
    let mut known = BTreeSet::new();
    rules.retain(|rule| {
        let peer = match &rule.peer {
            WantedPeer::Group(group) => group.name.clone(),
            WantedPeer::PrefixList(list) => list.clone(),
            WantedPeer::Cidr(range) => match range.parse::<IpNet>() {
                Ok(range) => range.trunc().to_string(),
                Err(_) => range.clone(),
            },
        };
        known.insert((rule.group.name.clone(), rule.egress, rule.protocol, rule.ports, peer))
    });
    tell_apart(&mut rules);
    rules
}

/// Rules from all prefix lists are called as if from anywhere. Where that name would stand for
/// several, which kops cannot have, they are called by their lists.
fn tell_apart(rules: &mut [SecurityGroupRule]) {
    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    for rule in &*rules {
        *times.entry(rule.name.clone()).or_default() += 1;
    }
    for rule in rules {
        let is_taken = times.get(&rule.name).is_some_and(|times| *times > 1);
        if let (WantedPeer::PrefixList(list), true) = (&rule.peer, is_taken) {
            rule.name = rule.name.replacen(ANYWHERE, list, 1);
            if let Some(name) = rule.tags.get_mut("Name") {
                name.clone_from(&rule.name);
            }
        }
    }
}
