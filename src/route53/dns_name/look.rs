//! How records are looked at, and which of them are a cluster's.

use std::collections::BTreeSet;

use aws_sdk_route53::types::{ResourceRecordSet, RrType};
use futures::future::try_join_all;

use super::kind::{DnsName, DnsRecordDeletion};
use super::record::{IdleRecord, LiveRecord, RecordType, Targets, unescaped};
use crate::aws::{Aws, AwsError};
use crate::core::belongings::{Around, Belonging, Presence};
use crate::core::id::Id;
use crate::core::kind::ResourceId;
use crate::core::look::{Asked, Look, Looking};
use crate::core::seen::{Looked, Seen};
use crate::core::whose::{Owner, speak_of};
use crate::ec2::instance;
use crate::ec2::instance::JudgedMachine;
use crate::elb::load_balancer::{ClassicBalancers, LiveLoadBalancer, LoadBalancer};
use crate::elb::network::NetworkBalancers;
use crate::elb::network_load_balancer::{LiveNetworkLoadBalancer, NetworkLoadBalancer};
use crate::elb::target_group::LiveTargetGroup;
use crate::iam;
use crate::route53::dns_zone::{self, HostedZones};
use crate::route53::hosted_zone::{self, DnsZone, HostedZone, LiveZone};

const LIST: &str = "route53:ListResourceRecordSets";

/// How many record sets of a name are read. Those of addresses come first.
const SETS_OF_A_NAME: i32 = 10;

/// The records of the wanted names.
#[derive(Debug)]
pub(crate) struct Records {
    /// Without a zone there are none.
    zone: Option<Id<DnsZone>>,
    names: Vec<String>,
}

impl Look for Records {
    const AFTER: &'static [Looking] = &[Looking::of::<HostedZones>()];

    fn ask(asked: &Asked, seen: &Seen) -> Option<Self> {
        let zone = dns_zone::own(asked, seen).map(|zone| zone.id.clone());
        let names: BTreeSet<_> = wanted(asked).map(|one| one.name.clone()).collect();
        let names = names.into_iter().collect();
        let is_asked = asked.looks_at(&[DnsName::KIND]) && !asked.everything();
        is_asked.then_some(Self { zone, names })
    }

    async fn read(self, aws: &Aws) -> Result<Seen, AwsError> {
        let rows = match &self.zone {
            Some(zone) => read(aws, zone, &self.names).await.map(|sets| {
                sets.iter().filter_map(|set| LiveRecord::from_sdk(zone, set)).collect()
            }),
            None => Ok(Vec::new()),
        };
        Ok(Seen::default().with(Looked::sort(rows)?))
    }
}

/// The addresses of the cluster's instances, where only they tell whose a record is.
#[derive(Debug)]
pub(crate) struct OwnAddresses(Owner);

impl Look for OwnAddresses {
    const AFTER: &'static [Looking] = &[Looking::of::<Records>()];

    fn ask(asked: &Asked, seen: &Seen) -> Option<Self> {
        let is_asked = seen.rows::<LiveRecord>().iter().any(LiveRecord::has_addresses);
        is_asked.then(|| Self(Owner::by_tags(asked.cluster())))
    }

    async fn read(self, aws: &Aws) -> Result<Seen, AwsError> {
        Ok(Seen::default().with(Looked::sort(instance::addresses(aws, &self.0).await)?))
    }
}

/// The records of the cluster's names that the spec does not want, where a load balancer is left to
/// which they may lead.
#[derive(Debug)]
pub(crate) struct IdleRecords {
    zone: Id<DnsZone>,
    names: Vec<String>,
}

impl Look for IdleRecords {
    const AFTER: &'static [Looking] = &[
        Looking::of::<HostedZones>(),
        Looking::of::<ClassicBalancers>(),
        Looking::of::<NetworkBalancers>(),
    ];

    fn ask(asked: &Asked, seen: &Seen) -> Option<Self> {
        let cluster = asked.cluster();
        let classic = asked.wanted::<LoadBalancer>();
        let is_idle =
            |found: &LiveLoadBalancer| !classic.iter().any(|one| found.name == one.aws_name);
        let network = asked.wanted::<NetworkLoadBalancer>();
        let is_left = |found: &LiveNetworkLoadBalancer| {
            let is_wanted = network.iter().any(|one| found.name == one.aws_name);
            !is_wanted && speak_of(&found.tags, cluster)
        };
        let has_idle = seen.rows().iter().any(is_idle) || seen.rows().iter().any(is_left);
        let zone = dns_zone::own(asked, seen).filter(|_| has_idle && !asked.everything())?;
        let own = ["api", "api.internal", "bastion"].map(|name| format!("{name}.{cluster}"));
        let leads = |name: &String| wanted(asked).any(|one| one.to.is_alias() && one.name == *name);
        let names = own.into_iter().filter(|name| !leads(name));
        Some(Self { zone: zone.id.clone(), names: names.collect() })
    }

    async fn read(self, aws: &Aws) -> Result<Seen, AwsError> {
        let sets = read(aws, &self.zone, &self.names).await;
        let rows =
            sets.map(|sets| sets.into_iter().filter_map(|set| idle(&self.zone, set)).collect());
        Ok(Seen::default().with(Looked::sort(rows)?))
    }
}

/// The records of the cluster's own names, those that kapstan makes, and those that Kubernetes'
/// dns-controller makes for kops (`pkg/resources/aws/routes.go`), in every zone in which they may
/// lie: a record leads to the cluster's things or it does not, whichever zone the spec names today.
#[derive(Debug)]
pub(crate) struct AllRecords {
    cluster: String,
    zones: Vec<Id<DnsZone>>,
}

impl Look for AllRecords {
    const AFTER: &'static [Looking] = &[Looking::of::<HostedZones>()];

    fn ask(asked: &Asked, seen: &Seen) -> Option<Self> {
        let (zone, cluster) = (asked.wanted::<HostedZone>().first()?, asked.cluster());
        let zones = seen.rows::<LiveZone>().iter();
        let zones = zones.filter(|found| hosted_zone::may_hold(zone, found, cluster));
        let zones = zones.map(|zone| zone.id.clone()).collect();
        asked.everything().then(|| Self { cluster: cluster.to_owned(), zones })
    }

    async fn read(self, aws: &Aws) -> Result<Seen, AwsError> {
        let reads = self.zones.iter().map(async |zone| {
            let sets = all_in(aws, zone).await?.into_iter();
            let sets = sets.filter_map(|set| idle(zone, set));
            let sets = sets.filter(|idle| idle.record.record_type != RecordType::Cname);
            Ok(sets.collect::<Vec<_>>())
        });
        let rows = try_join_all(reads).await.map(|rows| {
            let all = rows.into_iter().flatten();
            all.filter(|idle| is_own(&idle.record, &self.cluster)).collect()
        });
        Ok(Seen::default().with(Looked::sort(rows)?))
    }
}

impl Presence for DnsName {
    const LOOKS: &'static [Looking] = &[
        Looking::of::<Records>(),
        Looking::of::<OwnAddresses>(),
        Looking::of::<IdleRecords>(),
        Looking::of::<AllRecords>(),
    ];

    const IS_SOUGHT: bool = false;

    /// A record is the cluster's where it leads to what is the cluster's.
    fn belongings(around: &Around<'_>) -> Vec<Belonging> {
        let machines = around.seen.rows::<JudgedMachine>().iter();
        let own = machines.filter(|one| one.whose.is_owned());
        let mut targets = Targets {
            names: around.names.balancers.clone(),
            cluster: around.owner.cluster().to_owned(),
            region: around.owner.home().region().map(str::to_owned),
            has_twin: iam::presence::of_twins(around).next().is_some(),
            addresses: own
                .flat_map(|one| &one.machine.addresses)
                .filter_map(|address| address.parse().ok())
                .collect(),
            ..Targets::default()
        };
        targets.add_classic(around.seen, around.owner);
        let groups = around.seen.rows::<LiveTargetGroup>();
        for found in around.seen.rows::<LiveNetworkLoadBalancer>() {
            let marks = found.marks_before(groups, around.owner);
            if let Some(address) = &found.address {
                targets.add_balancer(&address.dns_name, around.owner.whose(found.kind(), &marks));
            }
        }
        let records = around.seen.rows::<IdleRecord>().iter().map(|idle| {
            let IdleRecord { record, set } = idle;
            let whose = around.owner.whose(Self::KIND, &record.marks(&targets));
            let (zone, set) = (record.zone.clone(), Box::new(set.clone()));
            let deletion = DnsRecordDeletion { zone, record: set };
            Belonging::new(ResourceId::new(Self::KIND, record.told()), whose, deletion)
        });
        records.collect()
    }
}

fn wanted(asked: &Asked) -> impl Iterator<Item = &DnsName> {
    asked.wanted::<DnsName>().iter()
}

fn idle(zone: &Id<DnsZone>, set: ResourceRecordSet) -> Option<IdleRecord> {
    Some(IdleRecord { record: LiveRecord::from_sdk(zone, &set)?, set })
}

async fn read(aws: &Aws, zone: &str, names: &[String]) -> Result<Vec<ResourceRecordSet>, AwsError> {
    let reads = names.iter().map(async |name| {
        let call = aws.route53.list_resource_record_sets().hosted_zone_id(zone);
        let call = call.start_record_name(name).start_record_type(RrType::A);
        let call = call.max_items(SETS_OF_A_NAME);
        call.send().await.map_err(|error| AwsError::new(LIST, name, error))
    });
    let answers = try_join_all(reads).await?;
    let sets = answers.into_iter().flat_map(|answer| answer.resource_record_sets);
    // Where a name has a CNAME it has nothing else, and Route 53 takes nothing beside it.
    let is_asked = |set: &ResourceRecordSet| {
        let is_of = matches!(set.r#type, RrType::A | RrType::Aaaa | RrType::Cname);
        is_of && names.contains(&unescaped(set.name()))
    };
    // An answer goes on to the names behind the one that was asked for.
    let mut seen = BTreeSet::new();
    let is_first = |set: &ResourceRecordSet| {
        seen.insert((set.name.clone(), set.r#type.as_str().to_owned(), set.set_identifier.clone()))
    };
    Ok(sets.filter(is_asked).filter(is_first).collect())
}

async fn all_in(aws: &Aws, zone: &str) -> Result<Vec<ResourceRecordSet>, AwsError> {
    let pages = aws.route53.list_resource_record_sets().hosted_zone_id(zone);
    let mut sets = Vec::new();
    let mut next = (None, None, None);
    loop {
        let call = pages.clone().set_start_record_name(next.0).set_start_record_type(next.1);
        let answer = call.set_start_record_identifier(next.2).send().await;
        let answer = answer.map_err(|error| AwsError::new(LIST, zone, error))?;
        next = (
            answer.next_record_name().map(str::to_owned),
            answer.next_record_type().cloned(),
            answer.next_record_identifier().map(str::to_owned),
        );
        let is_truncated = answer.is_truncated();
        sets.extend(answer.resource_record_sets);
        if !is_truncated {
            return Ok(sets);
        }
    }
}

fn is_own(record: &LiveRecord, cluster: &str) -> bool {
    let name = match record.record_type {
        // external-dns marks what it keeps of IPv6 so.
        RecordType::Txt => record.name.strip_prefix("aaaa-").unwrap_or(&record.name),
        RecordType::A | RecordType::Aaaa | RecordType::Cname => &record.name,
    };
    is_own_name(name, cluster)
}

fn is_own_name(name: &str, cluster: &str) -> bool {
    let Some(own) = name.strip_suffix(&format!(".{cluster}")) else { return false };
    own == "api"
        || own == "api.internal"
        || own == "bastion"
        || own == "kops-controller.internal"
        || own.strip_suffix(".internal").is_some_and(|etcd| etcd.starts_with("etcd-"))
}

#[cfg(test)]
mod tests {
    use super::is_own_name;

    #[test]
    fn only_the_cluster_s_own_names_are_its_records() {
        for name in
            ["api", "api.internal", "bastion", "kops-controller.internal", "etcd-b.internal"]
        {
            let name = format!("{name}.a.com");
            assert!(is_own_name(&name, "a.com"), "{name}");
        }
        for name in ["a.com", "www.a.com", "api.b.a.com", "xapi.a.com", "api.xa.com"] {
            assert!(!is_own_name(name, "a.com"), "{name}");
        }
    }
}
