//! Records as they are, and whose they are.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use aws_sdk_route53::types::{ResourceRecordSet, RrType};

use crate::core::id::Id;
use crate::core::seen::Seen;
use crate::core::whose::{Marks, Owner, Whose};
use crate::elb::load_balancer::{LiveLoadBalancer, LoadBalancer};
use crate::route53::hosted_zone::DnsZone;

/// The types of records that a cluster has.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum RecordType {
    A,
    Aaaa,
    Cname,
    /// By which external-dns knows what is its own.
    Txt,
}

impl RecordType {
    pub(super) fn from_sdk(record_type: &RrType) -> Option<Self> {
        Some(match record_type {
            RrType::A => Self::A,
            RrType::Aaaa => Self::Aaaa,
            RrType::Cname => Self::Cname,
            RrType::Txt => Self::Txt,
            _ => return None,
        })
    }

    pub(super) fn to_sdk(self) -> RrType {
        match self {
            Self::A => RrType::A,
            Self::Aaaa => RrType::Aaaa,
            Self::Cname => RrType::Cname,
            Self::Txt => RrType::Txt,
        }
    }

    /// What stands in a record of addresses before the control plane tells its own (kops
    /// `upup/pkg/fi/cloudup/dns.go`, `PlaceholderIP`).
    pub(super) fn placeholder(self) -> &'static str {
        match self {
            Self::Aaaa => "fd00:dead:add::",
            Self::A | Self::Cname | Self::Txt => "203.0.113.123",
        }
    }

    /// How a record is told: kops names that of IPv6 by its type too.
    pub(super) fn told(self, name: &str) -> String {
        match self {
            Self::A => name.to_owned(),
            other => format!("{name}-{}", other.to_sdk().as_str()),
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct LiveRecord {
    pub(crate) name: String,
    pub(crate) record_type: RecordType,
    pub(crate) zone: Id<DnsZone>,
    /// What an alias leads to; other records have addresses.
    pub(crate) alias: Option<String>,
    pub(crate) addresses: Vec<String>,
}

/// What a cluster's records may lead to.
#[derive(Debug, Default)]
pub(crate) struct Targets {
    /// AWS' names of the cluster's load balancers.
    pub(crate) names: Vec<String>,
    /// The cluster's region: load balancers of others may have the same names.
    pub(crate) region: Option<String>,
    /// Whose the load balancers are that there are, by their DNS names.
    pub(crate) balancers: BTreeMap<String, Whose>,
    /// The cluster, as external-dns may be told to mark what is its own.
    pub(crate) cluster: String,
    /// Whether there is another cluster of the same name, so that addresses tell nothing.
    pub(crate) has_twin: bool,
    /// The addresses of the cluster's instances.
    pub(crate) addresses: BTreeSet<IpAddr>,
}

impl Targets {
    pub(crate) fn add_balancer(&mut self, name: &str, whose: Whose) {
        self.balancers.insert(dns_name(name), whose);
    }

    pub(super) fn add_classic(&mut self, seen: &Seen, owner: &Owner) {
        for found in seen.rows::<LiveLoadBalancer>() {
            if let Some(address) = &found.address {
                let whose = owner.whose(LoadBalancer::KIND, &found.marks());
                self.add_balancer(&address.dns_name, whose);
            }
        }
    }

    fn whose(&self, record: &LiveRecord) -> Whose {
        let foreign = || Whose::Foreign("not the cluster's".to_owned());
        if record.record_type == RecordType::Txt {
            let is_own =
                record.addresses.iter().all(|text| is_of_external_dns(text, &self.cluster));
            return if is_own && !self.has_twin { Whose::Owned } else { foreign() };
        }
        let Some(alias) = &record.alias else {
            let all = &record.addresses;
            let is_known = |ip: IpAddr| self.addresses.contains(&ip);
            let is_own = |one: &String| is_placeholder(one) || one.parse().is_ok_and(is_known);
            return if !self.has_twin && !all.is_empty() && all.iter().all(is_own) {
                Whose::Owned
            } else {
                foreign()
            };
        };
        // The name of one that is gone tells whose it was.
        let is_here = || {
            let region = self.region.as_deref();
            region.is_none_or(|region| alias.split('.').any(|part| part == region))
        };
        let was_ours = || is_here() && self.names.iter().any(|name| is_of_balancer(alias, name));
        let known = self.balancers.get(alias).cloned();
        known.unwrap_or_else(|| if was_ours() { Whose::Owned } else { foreign() })
    }
}

/// Whether a DNS name is one that AWS gives to a load balancer of a name, with or without what
/// tells it from others: `NAME-DIGITS.REGION.elb.amazonaws.com`, `internal-NAME-…`,
/// `NAME-HEX.elb.REGION.…`.
fn is_of_balancer(alias: &str, name: &str) -> bool {
    let Some((label, rest)) = alias.split_once('.') else { return false };
    let is_aws = rest.starts_with("elb.") || rest.contains(".elb.");
    let label = label.strip_prefix("internal-").unwrap_or(label);
    match label.strip_prefix(name) {
        Some("") => is_aws,
        Some(end) => {
            let number = end.strip_prefix('-').unwrap_or_default();
            is_aws && !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_hexdigit())
        }
        None => false,
    }
}

/// What a TXT record tells where external-dns is to keep the records of a cluster that kops has
/// made (kops `upup/pkg/fi/cloudup/dns.go`).
pub(super) fn heritage(cluster: &str) -> String {
    format!("\"heritage=external-dns,external-dns/owner=kops-{cluster}\"")
}

/// Whether a text says that external-dns keeps the records of a name for this cluster.
fn is_of_external_dns(text: &str, cluster: &str) -> bool {
    let mut words = text.trim_matches('"').split(',');
    let owner = format!("external-dns/owner=kops-{cluster}");
    words.next() == Some("heritage=external-dns") && words.any(|word| word == owner)
}

fn is_placeholder(address: &str) -> bool {
    [RecordType::A, RecordType::Aaaa].iter().any(|of| of.placeholder() == address)
}

impl LiveRecord {
    /// A record of a type that a cluster has.
    pub(crate) fn from_sdk(zone: &Id<DnsZone>, set: &ResourceRecordSet) -> Option<Self> {
        Some(Self {
            name: unescaped(set.name()),
            record_type: RecordType::from_sdk(set.r#type())?,
            zone: zone.clone(),
            alias: set.alias_target().map(|target| dns_name(target.dns_name())),
            addresses: set.resource_records().iter().map(|one| one.value().to_owned()).collect(),
        })
    }

    /// How it is told.
    pub(super) fn told(&self) -> String {
        self.record_type.told(&self.name)
    }

    /// Whether it leads to what has this DNS name.
    pub(crate) fn leads_to(&self, name: &str) -> bool {
        self.alias.as_deref() == Some(&dns_name(name))
    }

    /// Whether only the addresses of instances can tell whose it is.
    pub(crate) fn has_addresses(&self) -> bool {
        self.addresses.iter().any(|address| !is_placeholder(address))
    }

    /// A record is the cluster's where it leads to what is the cluster's.
    pub(crate) fn marks(&self, targets: &Targets) -> Marks<'_> {
        let addresses = || self.addresses.join(", ");
        let to = self.alias.clone().unwrap_or_else(addresses);
        Marks::of(&self.name).hangs_on(format!("leading to {to}"), targets.whose(self))
    }
}

/// A record of a name of the cluster's that the spec does not want, whole, so that it can be
/// deleted.
#[derive(Clone, Debug)]
pub(crate) struct IdleRecord {
    pub(crate) record: LiveRecord,
    pub(crate) set: ResourceRecordSet,
}

/// A name without its dot at the end; Route 53 writes an asterisk as `\052`.
pub(super) fn unescaped(name: &str) -> String {
    name.trim_end_matches('.').replace("\\052", "*")
}

/// The name of a load balancer, however a record spells it.
pub(super) fn dns_name(name: &str) -> String {
    let name = name.trim_end_matches('.').to_lowercase();
    name.strip_prefix("dualstack.").unwrap_or(&name).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route53::dns_name::DnsName;

    #[test]
    fn texts_of_external_dns_tell_their_cluster() {
        assert!(is_of_external_dns(&heritage("a.com"), "a.com"));
        for text in [
            "\"v=spf1 -all\"",
            "\"heritage=external-dns,external-dns/owner=default\"",
            "\"heritage=external-dns,external-dns/owner=kops-b.a.com\"",
        ] {
            assert!(!is_of_external_dns(text, "a.com"), "{text}");
        }
    }

    #[test]
    fn a_record_is_the_cluster_s_by_what_it_leads_to() {
        let mut targets = Targets {
            names: vec!["api-a-com-vd3t5n".to_owned()],
            region: Some("us-west-2".to_owned()),
            addresses: ["10.0.0.1", "198.51.100.1", "2001:db8::1"]
                .map(|ip| ip.parse().unwrap())
                .into(),
            ..Targets::default()
        };
        targets.add_balancer("old-1.us-west-2.elb.amazonaws.com", Whose::Owned);
        let foreign = Whose::Foreign("tagged team=web".to_owned());
        targets.add_balancer("dualstack.web-1.us-west-2.elb.amazonaws.com.", foreign);
        let owner = Owner::by_tags("a.com");
        for (to, expected) in [
            ("old-1.us-west-2.elb.amazonaws.com", true),
            ("web-1.us-west-2.elb.amazonaws.com", false),
            ("api-a-com-vd3t5n-123456.us-west-2.elb.amazonaws.com", true),
            ("internal-api-a-com-vd3t5n-123456.us-west-2.elb.amazonaws.com", true),
            ("api-a-com-vd3t5n-0a1b2c3d.elb.us-west-2.amazonaws.com", true),
            ("api-a-com-vd3t5n.us-west-2.elb.amazonaws.com", true),
            ("api-a-com-vd3t5n-123456.eu-west-1.elb.amazonaws.com", false),
            ("api-a-com-vd3t5n-0a1b2c3d.elb.eu-west-1.amazonaws.com", false),
            ("api-a-com-vd3t5n-mine-12.us-west-2.elb.amazonaws.com", false),
            ("api-a-com-vd3t5n-12.example.com", false),
            ("203.0.113.123", true),
            ("fd00:dead:add::", true),
            ("2001:db8:0::1", true),
            ("2001:db8::2", false),
            ("10.0.0.1 198.51.100.1", true),
            ("10.0.0.1 198.51.100.7", false),
            ("198.51.100.7", false),
            ("", false),
        ] {
            let is_alias = to.ends_with(".com");
            let record = LiveRecord {
                name: "api.a.com".to_owned(),
                record_type: RecordType::A,
                zone: Id::imagined("Z1"),
                alias: is_alias.then(|| to.to_owned()),
                addresses: match is_alias {
                    true => Vec::new(),
                    false => to.split_whitespace().map(str::to_owned).collect(),
                },
            };
            let whose = owner.whose(DnsName::KIND, &record.marks(&targets));
            assert_eq!(whose.is_owned(), expected, "{to}: {whose:?}");
        }
    }
}
