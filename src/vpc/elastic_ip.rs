//! `ElasticIP`: the public address of a NAT gateway.

pub(super) mod wanted;

use std::collections::BTreeMap;

use aws_sdk_ec2::operation::allocate_address::AllocateAddressError;
use aws_sdk_ec2::types::{DomainType, Filter, ResourceType};

use crate::aws::tags::Tags;
use crate::aws::{Answer, Aws, AwsError, done, ec2, sent_once};
use crate::core::belongings::{Around, Belonging, Presence};
use crate::core::creation::{Creation, Standing};
use crate::core::deletion::Delete;
use crate::core::fields::{Changed, Found, Want, Wanted, fields};
use crate::core::given::Given;
use crate::core::holders::Holders;
use crate::core::id::Id;
use crate::core::kind::{Kind, ResourceId};
use crate::core::look::{Asked, Look, Looking};
use crate::core::manage::{Manage, Ownership, Twin, View};
use crate::core::seen::{Looked, Seen};
use crate::core::sweep::{Offer, Place, Sweep, Unclaimed};
use crate::core::whose::Marks;
use crate::core::work::Work;
use crate::vpc::interface::interfaces;
use crate::vpc::nat_gateway::{LiveNatGateway, NatGateway};

pub(crate) use wanted::ElasticIp;

const DESCRIBE: &str = "ec2:DescribeAddresses";
const CREATE: &str = "ec2:AllocateAddress";

fields! { ElasticIpFields {
    tags: Tags = "tags",
} }

#[derive(Clone, Debug)]
pub(crate) struct LiveElasticIp {
    /// The id of its allocation.
    pub(crate) id: Id<ElasticIp>,
    pub(crate) address: String,
    /// The instance or network interface that has it.
    pub(crate) used_by: Option<String>,
    pub(crate) tags: Tags,
}

impl LiveElasticIp {
    /// What it says of itself.
    pub(crate) fn own_marks(&self) -> Marks<'_> {
        Marks::of(&self.id).or_id(&self.address).tags(&self.tags)
    }
}

/// The account's addresses of the region; there are few.
#[derive(Debug)]
pub(crate) struct ElasticIps;

impl Look for ElasticIps {
    const AFTER: &'static [Looking] = &[];

    fn ask(asked: &Asked, _: &Seen) -> Option<Self> {
        asked.looks_at(&[ElasticIp::KIND]).then_some(Self)
    }

    async fn read(self, aws: &Aws) -> Result<Seen, AwsError> {
        Ok(Seen::default().with(Looked::sort(read(aws, Vec::new()).await)?))
    }
}

impl Presence for ElasticIp {
    const LOOKS: &'static [Looking] = &[Looking::of::<ElasticIps>()];

    const IS_SOUGHT: bool = true;

    /// It is found by its gateway.
    const BESIDE: &'static [Kind] = &[NatGateway::KIND];

    /// An address goes the way of the gateway that uses it.
    fn belongings(around: &Around<'_>) -> Vec<Belonging> {
        let gateways = around.seen.rows::<LiveNatGateway>();
        let addresses = around.seen.rows::<LiveElasticIp>().iter().filter_map(|address| {
            let mut users = gateways.iter().filter(|one| one.elastic_ips.contains(&address.id));
            let user = users.find_map(|gateway| {
                let whose = around.owner.whose(NatGateway::KIND, &gateway.own_marks());
                (!whose.is_owned()).then(|| (format!("the address of {}", gateway.id), whose))
            });
            let marks = match user {
                Some((how, whose)) => address.own_marks().hangs_on(how, whose),
                None => address.own_marks(),
            };
            around.by_id(Self::KIND, &marks, ElasticIpDeletion(address.id.clone()))
        });
        addresses.collect()
    }
}

async fn read(aws: &Aws, chosen: Vec<Filter>) -> Result<Vec<LiveElasticIp>, AwsError> {
    let chosen = (!chosen.is_empty()).then_some(chosen);
    let answer = aws.ec2.describe_addresses().set_filters(chosen).send().await;
    let answer = answer.map_err(|error| AwsError::new(DESCRIBE, "", error))?;
    // Those of the time before VPCs have no allocation, and serve no gateway.
    let rows = answer.addresses().iter();
    let rows = rows.filter(|address| address.domain() != Some(&DomainType::Standard));
    let live = rows.map(|address| {
        let public = Answer::of(DESCRIBE, "").text("publicIp", address.public_ip())?;
        let user = address.instance_id().filter(|id| !id.is_empty());
        let interface = address.network_interface_id().filter(|id| !id.is_empty());
        Ok(LiveElasticIp {
            id: Id::given(Answer::of(DESCRIBE, &public), "allocationId", address.allocation_id())?,
            address: public,
            used_by: user.or(interface).map(str::to_owned),
            tags: ec2::tags_from_sdk(address.tags()),
        })
    });
    live.collect()
}

impl Manage for ElasticIp {
    type Live = LiveElasticIp;
    type Fields = ElasticIpFields<Wanted>;

    fn id(&self) -> ResourceId {
        ResourceId::new(ElasticIp::KIND, &self.name)
    }

    fn needs(&self) -> Vec<ResourceId> {
        Vec::new()
    }

    fn is(&self, found: &LiveElasticIp, view: View<'_>) -> bool {
        if let Some(address) = &self.existing {
            return found.address == *address || found.id == *address;
        }
        // Old versions of kops left the address without tags; it is told by its gateway.
        let mut gateways = view.seen.rows::<LiveNatGateway>().iter();
        let used = gateways.find_map(|gateway| {
            let ours = view.is(&self.subnet, &gateway.subnet)
                && view.owns(NatGateway::KIND, &gateway.marks(view));
            ours.then_some(gateway.elastic_ips.first())?
        });
        used == Some(&found.id) || ec2::is_identified(&found.tags, &self.tags)
    }

    fn marks<'a>(&self, found: &'a LiveElasticIp, view: View<'a>) -> Vec<Marks<'a>> {
        let marks = found.own_marks();
        let mut gateways = view.seen.rows::<LiveNatGateway>().iter();
        let user = gateways.find(|gateway| gateway.elastic_ips.contains(&found.id));
        vec![match user {
            Some(gateway) => {
                let whose = view.owner.whose(NatGateway::KIND, &gateway.marks(view));
                marks.hangs_on(format!("the address of {}", gateway.id), whose)
            }
            None => marks,
        }]
    }

    fn aws_id(found: &LiveElasticIp) -> Id<Self> {
        found.id.clone()
    }

    fn wanted(&self, _: View<'_>) -> ElasticIpFields<Wanted> {
        ElasticIpFields { tags: Want::Is(self.tags.clone()) }
    }

    fn found(&self, found: &LiveElasticIp, _: View<'_>) -> ElasticIpFields<Found> {
        ElasticIpFields { tags: Some(found.tags.clone()) }
    }

    fn ownership(&self) -> Ownership {
        if self.existing.is_some() { Ownership::Shared } else { Ownership::Ours }
    }

    fn twin(found: &LiveElasticIp, view: View<'_>) -> Option<Twin> {
        let mut gateways = view.seen.rows::<LiveNatGateway>().iter();
        let gateway = gateways.find(|row| row.elastic_ips.contains(&found.id));
        Some(Twin {
            used_by: gateway.map(|row| row.id.to_string()).or_else(|| found.used_by.clone()),
            about: vec![found.address.clone()],
            made: None,
            tags: found.tags.clone(),
        })
    }

    fn given(&self) -> Given<'_> {
        Given::nothing().tags(&self.tags)
    }

    async fn create(&self, work: &Work<'_>) -> Result<Option<Id<Self>>, AwsError> {
        let creation = Creation { work, resource: &self.id(), operation: CREATE };
        let create = || self.create_one(work.aws);
        creation.without_token(create, || self.standing(work.aws)).await.map(Some)
    }

    async fn update(
        &self,
        work: &Work<'_>,
        id: &Id<Self>,
        changed: &ElasticIpFields<Changed>,
    ) -> Result<(), AwsError> {
        let ElasticIpFields { tags } = changed;
        if tags.is_some() {
            ec2::tag(work.aws, id, &self.tags).await?;
        }
        Ok(())
    }

    #[cfg(test)]
    fn imagined(&self, id: &Id<Self>, _: View<'_>) -> LiveElasticIp {
        LiveElasticIp {
            id: match self.existing.as_deref().filter(|existing| existing.contains('-')) {
                Some(allocation) => Id::imagined(allocation),
                None => id.clone(),
            },
            address: self.existing.as_deref().unwrap_or("198.51.100.1").to_owned(),
            used_by: None,
            tags: self.tags.clone(),
        }
    }

    #[cfg(test)]
    fn disturbed(&self, live: &LiveElasticIp) -> Vec<(&'static str, LiveElasticIp)> {
        vec![("tags", LiveElasticIp { tags: Self::lacking_one(&live.tags), ..live.clone() })]
    }
}

impl ElasticIp {
    async fn create_one(&self, aws: &Aws) -> Result<Id<Self>, AwsError> {
        let tags = ec2::specification(ResourceType::ElasticIp, &self.tags);
        let call = aws.ec2.allocate_address().domain(DomainType::Vpc).tag_specifications(tags);
        let call = call.customize().config_override(sent_once::<AllocateAddressError>());
        let answer = call.send().await;
        let answer = answer.map_err(|error| AwsError::new(CREATE, &self.name, error))?;
        Id::given(Answer::of(CREATE, &self.name), "allocationId", answer.allocation_id())
    }

    async fn standing(&self, aws: &Aws) -> Result<Vec<Standing<Id<Self>>>, AwsError> {
        let rows = read(aws, ec2::identity(&self.tags)).await?;
        let ours = rows.into_iter().filter(|row| ec2::is_identified(&row.tags, &self.tags));
        Ok(ours.map(|row| Standing { id: row.id, is_gone: false }).collect())
    }
}

/// Releases an address, by the id of its allocation.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ElasticIpDeletion(pub(crate) Id<ElasticIp>);

impl Delete for ElasticIpDeletion {
    async fn attempt(&self, aws: &Aws) -> Result<(), AwsError> {
        let Self(id) = self;
        let call = aws.ec2.release_address().allocation_id(id);
        done("ec2:ReleaseAddress", id, call.send().await)
    }

    async fn holders(&self, work: &Work<'_>, holders: &mut Holders) -> Result<(), AwsError> {
        of_address(work.aws, &self.0, holders).await
    }
}

async fn of_address(aws: &Aws, id: &str, holders: &mut Holders) -> Result<(), AwsError> {
    let call = aws.ec2.describe_addresses().filters(ec2::filter("allocation-id", [id]));
    let answer =
        call.send().await.map_err(|error| AwsError::new("ec2:DescribeAddresses", id, error))?;
    let users = answer.addresses().iter().filter_map(|address| address.network_interface_id());
    let users: Vec<String> = users.map(str::to_owned).collect();
    if users.is_empty() {
        return Ok(());
    }
    interfaces(aws, ec2::filter("network-interface-id", users), |_| true, holders).await
}

impl Unclaimed for ElasticIp {
    fn unclaimed(sweep: &mut Sweep<'_>) {
        let gateways = sweep.view().seen.rows::<LiveNatGateway>().iter();
        let gateways: BTreeMap<&Id<ElasticIp>, &Id<NatGateway>> =
            gateways.flat_map(|one| one.elastic_ips.iter().map(|ip| (ip, &one.id))).collect();
        for found in sweep.rows::<LiveElasticIp>(ElasticIp::KIND) {
            let place = Place::new(ElasticIp::KIND, &found.id);
            let id = ResourceId::named(ElasticIp::KIND, &found.address, found.tags.get("Name"));
            if sweep.is_found(&place) || !sweep.is_ours(&id, &found.own_marks()) {
                continue;
            }
            let used_by = |user: &str| sweep.until_then(&format!("used by {user}"));
            match (gateways.get(&found.id), &found.used_by) {
                (Some(gateway), _) => {
                    let why = used_by(gateway);
                    let gateway = Place::new(NatGateway::KIND, *gateway);
                    sweep.hold_unless_gone(place.clone(), gateway, why);
                }
                (None, Some(user)) => sweep.hold(place.clone(), used_by(user)),
                (None, None) => {}
            }
            sweep.offer(Offer::new(id, place, ElasticIpDeletion(found.id.clone())));
        }
    }
}
