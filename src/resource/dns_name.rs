//! `DNSName`: a name that leads to a load balancer.

use aws_sdk_route53::types::{
    AliasTarget, Change, ChangeAction, ChangeBatch, ResourceRecordSet, RrType,
};
use futures::future::try_join_all;

use super::ids::{Address, Work};
use super::live::Live;
use super::managed::{Fields, Looked, Manage, Update, View};
use super::{Kind, ResourceId};
use crate::aws::{Aws, AwsError, of_record_change};

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct DnsName {
    pub(crate) name: String,
    pub(crate) zone: ResourceId,
    pub(crate) balancer: ResourceId,
    /// AWS' name of the load balancer.
    pub(crate) balancer_name: String,
}

#[derive(Clone, Debug)]
pub(crate) struct LiveRecord {
    pub(crate) name: String,
    pub(crate) zone: String,
    /// What an alias leads to; other records have none.
    pub(crate) alias: Option<String>,
}

/// Reads the A records of names.
pub(super) async fn observe(
    aws: &Aws,
    zone: &str,
    names: &[String],
) -> Result<Looked<LiveRecord>, AwsError> {
    let reads = names.iter().map(async |name| {
        let call = aws.route53.list_resource_record_sets().hosted_zone_id(zone);
        let call = call.start_record_name(name).start_record_type(RrType::A).max_items(1);
        let answer = call.send().await;
        answer.map_err(|error| AwsError::new("route53:ListResourceRecordSets", name, error))
    });
    let answers = try_join_all(reads).await;
    Looked::sort(answers.map(|answers| {
        let sets = answers.iter().flat_map(|answer| answer.resource_record_sets());
        let records = sets.filter(|set| *set.r#type() == RrType::A).map(|set| LiveRecord {
            name: unescaped(set.name()),
            zone: zone.to_owned(),
            alias: set.alias_target().map(|target| dns_name(target.dns_name())),
        });
        records.filter(|record| names.contains(&record.name)).collect()
    }))
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

    fn id(&self) -> ResourceId {
        ResourceId::new(Kind::DnsName, &self.name)
    }

    fn needs(&self) -> Vec<ResourceId> {
        vec![self.zone.clone(), self.balancer.clone()]
    }

    fn looked(live: &Live) -> &Looked<LiveRecord> {
        &live.records
    }

    fn is(&self, found: &LiveRecord, _: View<'_>) -> bool {
        found.name == self.name
    }

    fn aws_id(found: &LiveRecord) -> String {
        found.zone.clone()
    }

    fn wanted(&self, _: View<'_>) -> Fields {
        Fields::default().with("alias", &self.balancer_name)
    }

    fn found(&self, found: &LiveRecord, view: View<'_>) -> Fields {
        let Some(alias) = &found.alias else {
            return Fields::default().with("alias", "no alias but addresses");
        };
        let classic = view.live.classic.ours.rows().iter().map(|lb| (&lb.name, &lb.address));
        let network = view.live.network.ours.rows().iter().map(|lb| (&lb.name, &lb.address));
        let leads_to = |address: &Option<Address>| {
            address.as_ref().is_some_and(|address| dns_name(&address.dns_name) == *alias)
        };
        let known = classic.chain(network).find(|(_, address)| leads_to(address));
        Fields::default().with("alias", known.map_or(alias, |(name, _)| name))
    }

    async fn create(&self, work: &Work<'_>) -> Result<Option<String>, AwsError> {
        let zone = work.id(&self.zone)?;
        self.upsert(work, &zone).await.map(|()| None)
    }

    async fn update(&self, work: &Work<'_>, update: &Update) -> Result<(), AwsError> {
        self.upsert(work, &update.id).await
    }
}

impl DnsName {
    async fn upsert(&self, work: &Work<'_>, zone: &str) -> Result<(), AwsError> {
        const OPERATION: &str = "route53:ChangeResourceRecordSets";
        let unbuilt = |error| AwsError::unbuilt(OPERATION, &self.name, error);
        let address = work.address(&self.balancer)?;
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
