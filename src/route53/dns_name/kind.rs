//! The kind: where a name must lead, and how it is made to.

use aws_sdk_route53::types::{
    AliasTarget, Change, ChangeAction, ChangeBatch, ResourceRecord, ResourceRecordSet,
};

#[cfg(test)]
use super::record::dns_name;
use super::record::{IdleRecord, LiveRecord, RecordType, Targets, heritage};
use crate::aws::{Aws, AwsError, Fault, of_record_change};
use crate::core::deletion::Delete;
use crate::core::fields::{Changed, Found, Value, Want, Wanted, fields};
use crate::core::given::Given;
use crate::core::holders::Holders;
use crate::core::id::{Id, Ref};
use crate::core::kind::{Kind, ResourceId};
use crate::core::manage::{Manage, View};
use crate::core::sweep::{Offer, Place, Sweep, Unclaimed, unknown};
use crate::core::whose::{Marks, Owner};
use crate::core::work::Work;
use crate::ec2::instance::InstanceAddress;
use crate::elb::listener::Listener;
use crate::elb::load_balancer::{LiveLoadBalancer, LoadBalancer};
use crate::elb::network_load_balancer::{LiveNetworkLoadBalancer, NetworkLoadBalancer};
use crate::route53::hosted_zone::DnsZone;

/// How long a placeholder may be remembered, in seconds.
const PLACEHOLDER_TTL: i64 = 10;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct DnsName {
    pub(crate) name: String,
    pub(crate) record_type: RecordType,
    pub(crate) zone: Ref<DnsZone>,
    pub(crate) to: Lead,
}

/// Where a name must lead.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Lead {
    Balancer {
        id: ResourceId,
        /// AWS' name of the load balancer.
        name: String,
    },
    /// Where the control plane says, and until then nowhere. It is made where there is none, and
    /// never changed.
    Placeholder {
        /// The cluster whose records external-dns keeps, if it does.
        of_external_dns: Option<String>,
    },
}

impl Lead {
    pub(super) fn is_alias(&self) -> bool {
        matches!(self, Self::Balancer { .. })
    }
}

fields! { DnsNameFields {
    target: Target = "alias",
    address: String = "address",
} }

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

impl Manage for DnsName {
    type Live = LiveRecord;
    type Fields = DnsNameFields<Wanted>;

    fn id(&self) -> ResourceId {
        ResourceId::new(DnsName::KIND, self.record_type.told(&self.name))
    }

    fn needs(&self) -> Vec<ResourceId> {
        match &self.to {
            Lead::Balancer { id, .. } => vec![self.zone.resource(), id.clone()],
            Lead::Placeholder { .. } => vec![self.zone.resource()],
        }
    }

    /// A name leads nowhere before its load balancer listens.
    fn behind(&self) -> &'static [Kind] {
        if self.to.is_alias() { &[Listener::KIND] } else { &[] }
    }

    /// Where a name has a CNAME it has nothing else.
    fn is(&self, found: &LiveRecord, _: View<'_>) -> bool {
        let is_of = [self.record_type, RecordType::Cname].contains(&found.record_type);
        found.name == self.name && is_of
    }

    /// In the place of a placeholder anything may stand.
    fn marks<'a>(&self, found: &'a LiveRecord, view: View<'a>) -> Vec<Marks<'a>> {
        let Lead::Balancer { name, .. } = &self.to else { return Vec::new() };
        let addresses = view.seen.rows::<InstanceAddress>().iter();
        let mut targets = Targets {
            names: vec![name.clone()],
            region: view.owner.home().region().map(str::to_owned),
            addresses: addresses.filter_map(|row| row.0.parse().ok()).collect(),
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
        let is_told = |found: &&LiveRecord| self.to.is_alias() && found.has_addresses();
        found.filter(is_told).and(refused).cloned()
    }

    fn adopt(&self, _: &LiveRecord, _: &Owner) -> Option<String> {
        Some("delete the record, or let it lead to the cluster's load balancer".to_owned())
    }

    fn aws_id(found: &LiveRecord) -> Id<Self> {
        Id::part(&found.zone, found.told())
    }

    fn wanted(&self, _: View<'_>) -> DnsNameFields<Wanted> {
        match &self.to {
            Lead::Balancer { name, .. } => {
                DnsNameFields { target: Want::Is(Target::Alias(name.clone())), address: Want::Any }
            }
            Lead::Placeholder { .. } => DnsNameFields {
                target: Want::Any,
                address: Want::Is(self.record_type.placeholder().to_owned()),
            },
        }
    }

    fn wanted_over(&self, _: &LiveRecord, view: View<'_>) -> DnsNameFields<Wanted> {
        DnsNameFields { address: Want::Any, ..self.wanted(view) }
    }

    fn found(&self, found: &LiveRecord, view: View<'_>) -> DnsNameFields<Found> {
        let address = found.addresses.first().cloned();
        let (Some(alias), Lead::Balancer { id, name }) = (&found.alias, &self.to) else {
            return DnsNameFields { target: Some(Target::Addresses), address };
        };
        // Load balancers of both classes bear the same name, so that none tells where this leads.
        let balancer = view.ids.address(id);
        let is_there = balancer.is_some_and(|balancer| found.leads_to(&balancer.dns_name));
        let target = if is_there { name } else { alias };
        DnsNameFields { target: Some(Target::Alias(target.clone())), address }
    }

    fn given(&self) -> Given<'_> {
        Given::nothing()
    }

    async fn create(&self, work: &Work<'_>) -> Result<Option<Id<Self>>, AwsError> {
        match &self.to {
            Lead::Balancer { id, .. } => self.lead_to(work, id).await?,
            Lead::Placeholder { of_external_dns } => {
                let address = self.record_type.placeholder();
                self.hold_place(work, &self.name, self.record_type, address).await?;
                if let Some(cluster) = of_external_dns {
                    // external-dns writes over what bears its mark alone.
                    let name = match self.record_type {
                        RecordType::Aaaa => format!("aaaa-{}", self.name),
                        _ => self.name.clone(),
                    };
                    self.hold_place(work, &name, RecordType::Txt, &heritage(cluster)).await?;
                }
            }
        }
        Ok(None)
    }

    async fn update(
        &self,
        work: &Work<'_>,
        _: &Id<Self>,
        changed: &DnsNameFields<Changed>,
    ) -> Result<(), AwsError> {
        let DnsNameFields { target: Some(_), address: _ } = changed else { return Ok(()) };
        match &self.to {
            Lead::Balancer { id, .. } => self.lead_to(work, id).await,
            Lead::Placeholder { .. } => Ok(()),
        }
    }

    #[cfg(test)]
    fn imagined(&self, _: &Id<Self>, view: View<'_>) -> LiveRecord {
        let (alias, addresses) = match &self.to {
            Lead::Balancer { id, .. } => {
                let alias = view.ids.address(id).map(|address| dns_name(&address.dns_name));
                (alias, Vec::new())
            }
            Lead::Placeholder { .. } => (None, vec![self.record_type.placeholder().to_owned()]),
        };
        LiveRecord {
            name: self.name.clone(),
            record_type: self.record_type,
            zone: view.id_of(&self.zone),
            alias,
            addresses,
        }
    }

    #[cfg(test)]
    fn disturbed(&self, live: &LiveRecord) -> Vec<(&'static str, LiveRecord)> {
        let addresses = vec![self.record_type.placeholder().to_owned()];
        let other = ("alias", LiveRecord { alias: None, addresses, ..live.clone() });
        if self.to.is_alias() { vec![other] } else { Vec::new() }
    }
}

impl DnsName {
    async fn lead_to(&self, work: &Work<'_>, balancer: &ResourceId) -> Result<(), AwsError> {
        let address = work.address(balancer)?;
        let target = AliasTarget::builder()
            .dns_name(address.dns_name)
            .hosted_zone_id(address.zone)
            .evaluate_target_health(false)
            .build()
            .map_err(|error| AwsError::unbuilt(CHANGE, &self.name, error))?;
        let set = ResourceRecordSet::builder().name(&self.name).alias_target(target);
        let set = set.r#type(self.record_type.to_sdk()).build();
        let set = set.map_err(|error| AwsError::unbuilt(CHANGE, &self.name, error))?;
        change(work.aws, &work.id(&self.zone)?, ChangeAction::Upsert, set).await
    }

    /// Makes a record, unless there is one by now.
    async fn hold_place(
        &self,
        work: &Work<'_>,
        name: &str,
        record_type: RecordType,
        value: &str,
    ) -> Result<(), AwsError> {
        let unbuilt = |error| AwsError::unbuilt(CHANGE, name, error);
        let record = ResourceRecord::builder().value(value).build().map_err(unbuilt)?;
        let set = ResourceRecordSet::builder().name(name).r#type(record_type.to_sdk());
        let set = set.ttl(PLACEHOLDER_TTL).resource_records(record).build().map_err(unbuilt)?;
        match change(work.aws, &work.id(&self.zone)?, ChangeAction::Create, set).await {
            Err(error) if error.fault == Fault::Conflict => Ok(()),
            answer => answer,
        }
    }
}

const CHANGE: &str = "route53:ChangeResourceRecordSets";

async fn change(
    aws: &Aws,
    zone: &Id<DnsZone>,
    action: ChangeAction,
    set: ResourceRecordSet,
) -> Result<(), AwsError> {
    let name = set.name().to_owned();
    let unbuilt = |error| AwsError::unbuilt(CHANGE, &name, error);
    let change = Change::builder().action(action).resource_record_set(set);
    let change = change.build().map_err(unbuilt)?;
    let changes = ChangeBatch::builder().changes(change).build().map_err(unbuilt)?;
    let call = aws.route53.change_resource_record_sets().hosted_zone_id(zone);
    let answer = call.change_batch(changes).send().await;
    answer.map(drop).map_err(|error| of_record_change(&name, error))
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
        change(aws, zone, ChangeAction::Delete, (**record).clone()).await
    }

    async fn holders(&self, _: &Work<'_>, _: &mut Holders) -> Result<(), AwsError> {
        Ok(())
    }
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
                let told = idle.record.told();
                let place = Place::new(DnsName::KIND, &told);
                let id = ResourceId::new(DnsName::KIND, told);
                let zone = idle.record.zone.clone();
                let deletion = DnsRecordDeletion { zone, record: Box::new(idle.set.clone()) };
                let offer = Offer::new(id, place, deletion).because(format!("leads to {name}"));
                sweep.offer(offer.along_with(balancer.clone()));
            }
        }
    }
}
