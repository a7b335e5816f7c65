//! The kind: where a name must lead, and how it is made to.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_route53::types::{
    AliasTarget, Change, ChangeAction, ChangeBatch, ResourceRecordSet, RrType,
};

use crate::aws::{Aws, AwsError, of_record_change};
use crate::core::deletion::Delete;
use crate::core::fields::{Changed, Found, Value, Want, Wanted, fields};
use crate::core::given::Given;
use crate::core::holders::Holders;
use crate::core::id::{Id, Ref};
use crate::core::kind::{Kind, ResourceId};
use crate::core::manage::{Manage, View};
use crate::core::seen::Seen;
use crate::core::sweep::{Offer, Place, Sweep, Unclaimed, unknown};
use crate::core::whose::{Marks, Owner, Whose};
use crate::core::work::Work;
use crate::ec2::instance::InstanceAddress;
use crate::elb::listener::Listener;
use crate::elb::load_balancer::{LiveLoadBalancer, LoadBalancer};
use crate::elb::network_load_balancer::{LiveNetworkLoadBalancer, NetworkLoadBalancer};
use crate::route53::hosted_zone::DnsZone;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct DnsName {
    pub(crate) name: String,
    pub(crate) zone: Ref<DnsZone>,
    pub(crate) balancer: ResourceId,
    /// AWS' name of the load balancer.
    pub(crate) balancer_name: String,
}

fields! { DnsNameFields { target: Target = "alias" } }

/// What a record leads to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Target {
    /// A load balancer by its name, or anything else by its DNS name.
    Alias(String),
    Addresses,
}

impl Value for Target {
    fn tell(&self) -> String {
        match self {
            Self::Alias(name) => name.clone(),
            Self::Addresses => "no alias but addresses".to_owned(),
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct LiveRecord {
    pub(crate) name: String,
    pub(crate) zone: Id<DnsZone>,
    /// What an alias leads to; other records have addresses.
    pub(crate) alias: Option<String>,
    pub(crate) addresses: Vec<String>,
}

/// What kops writes before masters tell their addresses
/// (`upup/pkg/fi/cloudup/dns.go`, `PlaceholderIP`).
const PLACEHOLDER: &str = "203.0.113.123";

/// What a cluster's records may lead to.
#[derive(Debug, Default)]
pub(crate) struct Targets {
    /// AWS' names of the cluster's load balancers.
    pub(crate) names: Vec<String>,
    /// The cluster's region: load balancers of others may have the same names.
    pub(crate) region: Option<String>,
    /// Whose the load balancers are that there are, by their DNS names.
    pub(crate) balancers: BTreeMap<String, Whose>,
    /// Whether there is another cluster of the same name, so that addresses tell nothing.
    pub(crate) has_twin: bool,
    /// The addresses of the cluster's instances.
    pub(crate) addresses: BTreeSet<String>,
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
        let Some(alias) = &record.alias else {
            let all = &record.addresses;
            let is_own = |one: &String| *one == PLACEHOLDER || self.addresses.contains(one);
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

impl LiveRecord {
    pub(crate) fn from_sdk(zone: &Id<DnsZone>, set: &ResourceRecordSet) -> Self {
        Self {
            name: unescaped(set.name()),
            zone: zone.clone(),
            alias: set.alias_target().map(|target| dns_name(target.dns_name())),
            addresses: set.resource_records().iter().map(|one| one.value().to_owned()).collect(),
        }
    }

    /// Whether it leads to what has this DNS name.
    pub(crate) fn leads_to(&self, name: &str) -> bool {
        self.alias.as_deref() == Some(&dns_name(name))
    }

    /// Whether only the addresses of instances can tell whose it is.
    pub(crate) fn has_addresses(&self) -> bool {
        self.addresses.iter().any(|address| address != PLACEHOLDER)
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
fn dns_name(name: &str) -> String {
    let name = name.trim_end_matches('.').to_lowercase();
    name.strip_prefix("dualstack.").unwrap_or(&name).to_owned()
}

impl Manage for DnsName {
    type Live = LiveRecord;
    type Fields = DnsNameFields<Wanted>;

    fn id(&self) -> ResourceId {
        ResourceId::new(DnsName::KIND, &self.name)
    }

    fn needs(&self) -> Vec<ResourceId> {
        vec![self.zone.resource(), self.balancer.clone()]
    }

    /// A name leads nowhere before its load balancer listens.
    fn behind(&self) -> &'static [Kind] {
        &[Listener::KIND]
    }

    fn is(&self, found: &LiveRecord, _: View<'_>) -> bool {
        found.name == self.name
    }

    fn marks<'a>(&self, found: &'a LiveRecord, view: View<'a>) -> Vec<Marks<'a>> {
        let mut targets = Targets {
            names: vec![self.balancer_name.clone()],
            region: view.owner.home().region().map(str::to_owned),
            addresses: view
                .seen
                .rows::<InstanceAddress>()
                .iter()
                .map(|row| row.0.clone())
                .collect(),
            ..Targets::default()
        };
        targets.add_classic(view.seen, view.owner);
        for found in view.seen.rows::<LiveNetworkLoadBalancer>() {
            let whose = view.owner.whose(NetworkLoadBalancer::KIND, &found.marks());
            if let Some(address) = &found.address {
                targets.add_balancer(&address.dns_name, whose);
            }
        }
        vec![found.marks(&targets)]
    }

    /// Without the addresses of its instances, a record that leads to some may be anybody's.
    fn unseen(&self, found: Option<&LiveRecord>, view: View<'_>) -> Option<AwsError> {
        let refused = view.seen.of::<InstanceAddress>().refused();
        found.filter(|found| found.has_addresses()).and(refused).cloned()
    }

    fn adopt(&self, _: &LiveRecord, _: &Owner) -> Option<String> {
        Some("delete the record, or let it lead to the cluster's load balancer".to_owned())
    }

    fn aws_id(found: &LiveRecord) -> Id<Self> {
        Id::part(&found.zone, &found.name)
    }

    fn wanted(&self, _: View<'_>) -> DnsNameFields<Wanted> {
        DnsNameFields { target: Want::Is(Target::Alias(self.balancer_name.clone())) }
    }

    fn found(&self, found: &LiveRecord, view: View<'_>) -> DnsNameFields<Found> {
        let Some(alias) = &found.alias else {
            return DnsNameFields { target: Some(Target::Addresses) };
        };
        // Load balancers of both classes bear the same name, so that none tells where this leads.
        let address = view.ids.address(&self.balancer);
        let is_there = address.is_some_and(|address| found.leads_to(&address.dns_name));
        let target = if is_there { &self.balancer_name } else { alias };
        DnsNameFields { target: Some(Target::Alias(target.clone())) }
    }

    fn given(&self) -> Given<'_> {
        Given::nothing()
    }

    async fn create(&self, work: &Work<'_>) -> Result<Option<Id<Self>>, AwsError> {
        self.upsert(work).await.map(|()| None)
    }

    async fn update(
        &self,
        work: &Work<'_>,
        _: &Id<Self>,
        changed: &DnsNameFields<Changed>,
    ) -> Result<(), AwsError> {
        let DnsNameFields { target: Some(_) } = changed else { return Ok(()) };
        self.upsert(work).await
    }

    #[cfg(test)]
    fn imagined(&self, _: &Id<Self>, view: View<'_>) -> LiveRecord {
        LiveRecord {
            name: self.name.clone(),
            zone: view.id_of(&self.zone),
            alias: view.ids.address(&self.balancer).map(|address| dns_name(&address.dns_name)),
            addresses: Vec::new(),
        }
    }

    #[cfg(test)]
    fn disturbed(&self, live: &LiveRecord) -> Vec<(&'static str, LiveRecord)> {
        let addresses = vec![PLACEHOLDER.to_owned()];
        vec![("alias", LiveRecord { alias: None, addresses, ..live.clone() })]
    }
}

impl DnsName {
    async fn upsert(&self, work: &Work<'_>) -> Result<(), AwsError> {
        const OPERATION: &str = "route53:ChangeResourceRecordSets";
        let unbuilt = |error| AwsError::unbuilt(OPERATION, &self.name, error);
        let (zone, address) = (work.id(&self.zone)?, work.address(&self.balancer)?);
        let target = AliasTarget::builder()
            .dns_name(address.dns_name)
            .hosted_zone_id(address.zone)
            .evaluate_target_health(false)
            .build()
            .map_err(unbuilt)?;
        let set = ResourceRecordSet::builder()
            .name(&self.name)
            .r#type(RrType::A)
            .alias_target(target)
            .build()
            .map_err(unbuilt)?;
        let change = Change::builder().action(ChangeAction::Upsert).resource_record_set(set);
        let change = change.build().map_err(unbuilt)?;
        let batch = ChangeBatch::builder().changes(change).build().map_err(unbuilt)?;
        let call = work.aws.route53.change_resource_record_sets().hosted_zone_id(zone);
        let answer = call.change_batch(batch).send().await;
        answer.map(drop).map_err(|error| of_record_change(&self.name, error))
    }
}

/// Deletes a record as it was found.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct DnsRecordDeletion {
    pub(crate) zone: Id<DnsZone>,
    pub(crate) record: Box<ResourceRecordSet>,
}

impl Delete for DnsRecordDeletion {
    async fn attempt(&self, aws: &Aws) -> Result<(), AwsError> {
        let Self { zone, record } = self;
        delete_record(aws, zone, record).await
    }

    async fn holders(&self, _: &Work<'_>, _: &mut Holders) -> Result<(), AwsError> {
        Ok(())
    }
}

async fn delete_record(
    aws: &Aws,
    zone: &Id<DnsZone>,
    record: &ResourceRecordSet,
) -> Result<(), AwsError> {
    let name = record.name();
    let unbuilt = |error| AwsError::unbuilt("route53:ChangeResourceRecordSets", name, error);
    let change = Change::builder().action(ChangeAction::Delete);
    let change = change.resource_record_set(record.clone()).build().map_err(unbuilt)?;
    let changes = ChangeBatch::builder().changes(change).build().map_err(unbuilt)?;
    let call = aws.route53.change_resource_record_sets().hosted_zone_id(zone);
    let answer = call.change_batch(changes).send().await;
    answer.map(drop).map_err(|error| of_record_change(name, error))
}

impl Unclaimed for DnsName {
    /// A record goes with the load balancer that it leads to, which stays as long as that is not
    /// known.
    fn unclaimed(sweep: &mut Sweep<'_>) {
        if !sweep.sweeps(DnsName::KIND) {
            return;
        }
        let seen = sweep.view().seen;
        let classic = seen.rows::<LiveLoadBalancer>().iter();
        let classic = classic
            .map(|row| (Place::new(LoadBalancer::KIND, &row.name), &*row.name, &row.address));
        let network = seen.rows::<LiveNetworkLoadBalancer>().iter();
        let network = network
            .map(|row| (Place::new(NetworkLoadBalancer::KIND, &row.arn), &*row.name, &row.address));
        for (balancer, name, address) in classic.chain(network) {
            if let Some(error) = seen.of::<IdleRecord>().refused() {
                let why = unknown("whether a record leads to it", error);
                sweep.hold(balancer.clone(), why);
            }
            let Some(address) = address else { continue };
            let records = seen.rows::<IdleRecord>().iter();
            for idle in records.filter(|idle| idle.record.leads_to(&address.dns_name)) {
                let id = ResourceId::new(DnsName::KIND, &idle.record.name);
                let place = Place::new(DnsName::KIND, &idle.record.name);
                let zone = idle.record.zone.clone();
                let deletion = DnsRecordDeletion { zone, record: Box::new(idle.set.clone()) };
                let offer = Offer::new(id, place, deletion).because(format!("leads to {name}"));
                sweep.offer(offer.along_with(balancer.clone()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_the_cluster_s_by_what_it_leads_to() {
        let mut targets = Targets {
            names: vec!["api-a-com-vd3t5n".to_owned()],
            region: Some("us-west-2".to_owned()),
            addresses: BTreeSet::from(["10.0.0.1".to_owned(), "198.51.100.1".to_owned()]),
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
            ("10.0.0.1 198.51.100.1", true),
            ("10.0.0.1 198.51.100.7", false),
            ("198.51.100.7", false),
            ("", false),
        ] {
            let is_alias = to.ends_with(".com");
            let record = LiveRecord {
                name: "api.a.com".to_owned(),
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
