//! `Subnet`: the part of the network that lies in one zone, our own or shared.

use aws_sdk_ec2::types::{Filter, ResourceType};

use crate::aws::tags::Tags;
use crate::aws::{Answer, Aws, AwsError, Fault, batch, done, ec2};
use crate::core::belongings::{Around, Belonging, Presence};
use crate::core::deletion::Delete;
use crate::core::fields::{Changed, Changes as _, Found, Stuck, Want, Wanted, fields};
use crate::core::given::Given;
use crate::core::holders::Holders;
use crate::core::id::{Id, Ref};
use crate::core::in_use::Thing;
use crate::core::kind::ResourceId;
use crate::core::look::{Asked, Look, Looking};
use crate::core::manage::{self, Manage, Ownership, View};
use crate::core::seen::{Looked, Seen};
use crate::core::sweep::{Offer, Place, Sweep, Unclaimed};
use crate::core::whose::{Marks, Owner, Taggable};
use crate::core::work::Work;
use crate::vpc::contents::{SUBNETS, VpcPart};
use crate::vpc::interface::interfaces;
use crate::vpc::vpc::{LiveVpc, Vpc, Vpcs};

const DESCRIBE: &str = "ec2:DescribeSubnets";
const CREATE: &str = "ec2:CreateSubnet";

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Subnet {
    pub(crate) name: String,
    /// The id of a subnet that the cluster shares.
    pub(crate) existing: Option<Id<Self>>,
    pub(crate) vpc: Ref<Vpc>,
    pub(crate) zone: String,
    /// `None` for a shared subnet whose range the spec does not tell.
    pub(crate) cidr: Option<String>,
    /// The range of the VPC beside its first in which the subnet lies, if it does.
    pub(crate) range: Option<ResourceId>,
    pub(crate) tags: Tags,
}

fields! { SubnetFields {
    vpc: String = "vpc",
    zone: String = "zone",
    cidr: String = "cidr",
    tags: Tags = "tags",
} }

#[derive(Clone, Debug)]
pub(crate) struct LiveSubnet {
    pub(crate) id: Id<Subnet>,
    pub(crate) vpc: Id<Vpc>,
    pub(crate) zone: String,
    pub(crate) cidr: String,
    pub(crate) tags: Tags,
}

impl LiveSubnet {
    pub(crate) fn marks(&self) -> Marks<'_> {
        Marks::of(&self.id).tags(&self.tags)
    }
}

/// The subnets of VPCs, those of others too, since they have ranges; or, where there is no VPC,
/// what a cluster has anywhere.
#[derive(Debug)]
pub(crate) enum Subnets {
    Within(Vec<Id<Vpc>>),
    OfCluster(String),
    /// What bears its names too.
    Everything(String),
}

impl Look for Subnets {
    const AFTER: &'static [Looking] = &[Looking::of::<Vpcs>()];

    fn ask(asked: &Asked, seen: &Seen) -> Option<Self> {
        let vpcs: Vec<_> = seen.rows::<LiveVpc>().iter().map(|vpc| vpc.id.clone()).collect();
        let cluster = asked.cluster().to_owned();
        asked.looks_at(&[Subnet::KIND]).then(|| match () {
            () if asked.everything() => Self::Everything(cluster),
            () if vpcs.is_empty() => Self::OfCluster(cluster),
            () => Self::Within(vpcs),
        })
    }

    async fn read(self, aws: &Aws) -> Result<Seen, AwsError> {
        let rows = match &self {
            Self::Within(vpcs) => {
                let lying_in = |ids: &[Id<Vpc>]| read(aws, vec![ec2::filter("vpc-id", ids)]);
                batch::read(vpcs, batch::FILTER_VALUES, lying_in).await
            }
            Self::OfCluster(cluster) => read(aws, vec![ec2::marked(cluster)]).await,
            Self::Everything(cluster) => {
                ec2::marked_or_named(
                    cluster,
                    |subnet: &LiveSubnet| &subnet.id,
                    |chosen| read(aws, chosen),
                )
                .await
            }
        };
        let subnets = Looked::sort(rows)?;
        let parts = subnets.rows().iter().map(|subnet| VpcPart {
            vpc: (&subnet.vpc).into(),
            what: SUBNETS,
            kind: Subnet::KIND,
            id: (&subnet.id).into(),
            tags: subnet.tags.clone(),
        });
        Ok(Seen::default().with(Looked::Found(parts.collect())).with(subnets))
    }
}

impl Presence for Subnet {
    const LOOKS: &'static [Looking] =
        &[Looking::of::<Subnets>(), Looking::of::<AvailabilityZones>()];

    const IS_SOUGHT: bool = false;

    fn belongings(around: &Around<'_>) -> Vec<Belonging> {
        let subnets = around.seen.rows::<LiveSubnet>().iter().filter_map(|subnet| {
            around.by_id(Self::KIND, &subnet.marks(), SubnetDeletion(subnet.id.clone()))
        });
        subnets.collect()
    }
}

async fn read(aws: &Aws, chosen: Vec<Filter>) -> Result<Vec<LiveSubnet>, AwsError> {
    let call = aws.ec2.describe_subnets().set_filters(Some(chosen));
    let rows = call.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
    let rows = rows.map_err(|error| AwsError::new(DESCRIBE, "", error))?;
    let live = rows.iter().map(|subnet| {
        let id = Id::given(Answer::of(DESCRIBE, ""), "subnetId", subnet.subnet_id())?;
        let answer = Answer::of(DESCRIBE, &id);
        Ok(LiveSubnet {
            vpc: Id::given(answer, "vpcId", subnet.vpc_id())?,
            zone: answer.text("availabilityZone", subnet.availability_zone())?,
            // One of IPv6 alone has none.
            cidr: subnet.cidr_block().unwrap_or_default().to_owned(),
            tags: ec2::tags_from_sdk(subnet.tags()),
            id: id.clone(),
        })
    });
    live.collect()
}

impl Manage for Subnet {
    type Live = LiveSubnet;
    type Fields = SubnetFields<Wanted>;

    fn id(&self) -> ResourceId {
        ResourceId::new(Subnet::KIND, &self.name)
    }

    fn needs(&self) -> Vec<ResourceId> {
        std::iter::once(self.vpc.resource()).chain(self.range.clone()).collect()
    }

    fn is(&self, found: &LiveSubnet, view: View<'_>) -> bool {
        if let Some(id) = &self.existing {
            return found.id == *id;
        }
        let has_name = ec2::is_named(&found.tags, &self.name);
        let has_range = view.is(&self.vpc, &found.vpc) && Some(&found.cidr) == self.cidr.as_ref();
        has_range || has_name && view.owns(Subnet::KIND, &found.marks())
    }

    fn marks<'a>(&self, found: &'a LiveSubnet, _: View<'a>) -> Vec<Marks<'a>> {
        vec![found.marks()]
    }

    fn adopt(&self, found: &LiveSubnet, owner: &Owner) -> Option<String> {
        Some(owner.adopt(&Taggable::Ec2(&found.id)))
    }

    fn aws_id(found: &LiveSubnet) -> Id<Self> {
        found.id.clone()
    }

    fn wanted(&self, _: View<'_>) -> SubnetFields<Wanted> {
        SubnetFields {
            vpc: Want::Is(self.vpc.name.clone()),
            zone: Want::Is(self.zone.clone()),
            cidr: Want::if_told(self.cidr.clone()),
            tags: Want::Is(self.tags.clone()),
        }
    }

    fn found(&self, found: &LiveSubnet, view: View<'_>) -> SubnetFields<Found> {
        SubnetFields {
            vpc: Some(view.name(&found.vpc).to_owned()),
            zone: Some(found.zone.clone()),
            cidr: Some(found.cidr.clone()),
            tags: Some(found.tags.clone()),
        }
    }

    fn ownership(&self) -> Ownership {
        if self.existing.is_some() { Ownership::Shared } else { Ownership::Ours }
    }

    fn judge(&self, changed: &mut SubnetFields<Changed>, found: &LiveSubnet) -> Vec<Stuck> {
        let fixed = SubnetFields {
            vpc: changed.vpc.take(),
            zone: changed.zone.take(),
            cidr: changed.cidr.take(),
            ..SubnetFields::none()
        };
        Stuck::fixed(&fixed, &found.id, manage::instead(self)).into_iter().collect()
    }

    fn obstacle(&self, view: View<'_>) -> Option<(String, String)> {
        let id = self.existing.as_ref()?;
        let vpc = view.ids.get(&self.vpc).unwrap_or(&self.vpc.name);
        let what = format!("there is no subnet {id} in {vpc}, in this account and region");
        let next = "correct its id in the spec, or use the credentials of its account";
        Some((what, next.to_owned()))
    }

    fn given(&self) -> Given<'_> {
        Given::nothing().tags(&self.tags)
    }

    async fn create(&self, work: &Work<'_>) -> Result<Option<Id<Self>>, AwsError> {
        let vpc = work.id(&self.vpc)?;
        let call = work.aws.ec2.create_subnet().vpc_id(&vpc).set_cidr_block(self.cidr.clone());
        let answer = call
            .availability_zone(&self.zone)
            .tag_specifications(ec2::specification(ResourceType::Subnet, &self.tags))
            .send()
            .await
            .map_err(|error| AwsError::new(CREATE, &self.name, error));
        match answer {
            Ok(answer) => {
                let id = answer.subnet().and_then(|subnet| subnet.subnet_id());
                Id::given(Answer::of(CREATE, &self.name), "subnetId", id).map(Some)
            }
            // Its range is taken, perhaps by itself.
            Err(error) if error.fault == Fault::Conflict => {
                let found = read(work.aws, ec2::identity(&self.tags)).await?;
                let is_as_wanted = |found: &&LiveSubnet| {
                    found.vpc == vpc
                        && found.zone == self.zone
                        && self.cidr.as_ref() == Some(&found.cidr)
                };
                found.iter().find(is_as_wanted).map(|found| Some(found.id.clone())).ok_or(error)
            }
            Err(error) => Err(error),
        }
    }

    async fn update(
        &self,
        work: &Work<'_>,
        id: &Id<Self>,
        changed: &SubnetFields<Changed>,
    ) -> Result<(), AwsError> {
        let SubnetFields { vpc: _, zone: _, cidr: _, tags } = changed;
        if tags.is_some() {
            ec2::tag(work.aws, id, &self.tags).await?;
        }
        Ok(())
    }

    #[cfg(test)]
    fn imagined(&self, id: &Id<Self>, view: View<'_>) -> LiveSubnet {
        LiveSubnet {
            id: self.existing.as_ref().unwrap_or(id).clone(),
            vpc: view.id_of(&self.vpc),
            zone: self.zone.clone(),
            cidr: self.cidr.as_deref().unwrap_or("172.20.32.0/19").to_owned(),
            tags: self.tags.clone(),
        }
    }

    #[cfg(test)]
    fn disturbed(&self, live: &LiveSubnet) -> Vec<(&'static str, LiveSubnet)> {
        vec![
            ("vpc", LiveSubnet { vpc: Id::imagined("vpc-other"), ..live.clone() }),
            ("zone", LiveSubnet { zone: "us-west-2z".to_owned(), ..live.clone() }),
            ("cidr", LiveSubnet { cidr: "10.99.0.0/24".to_owned(), ..live.clone() }),
            ("tags", LiveSubnet { tags: Self::lacking_one(&live.tags), ..live.clone() }),
        ]
    }
}

/// A zone of the region, by its name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct AvailabilityZone(pub(crate) String);

/// The spec names a zone of which nothing else tells whether it exists: of those of an instance
/// group, its machine type tells.
#[derive(Debug)]
pub(crate) struct UntoldZone;

/// The availability zones of the region in which the account may create anything.
#[derive(Debug)]
pub(crate) struct AvailabilityZones;

impl Look for AvailabilityZones {
    const AFTER: &'static [Looking] = &[];

    fn ask(asked: &Asked, _: &Seen) -> Option<Self> {
        (!asked.wanted::<UntoldZone>().is_empty()).then_some(Self)
    }

    async fn read(self, aws: &Aws) -> Result<Seen, AwsError> {
        let answer = aws.ec2.describe_availability_zones().send().await;
        let answer =
            answer.map_err(|error| AwsError::new("ec2:DescribeAvailabilityZones", "", error));
        let zones = Looked::sort(answer.map(|answer| {
            let names = answer.availability_zones().iter().filter_map(|zone| zone.zone_name());
            names.map(|name| AvailabilityZone(name.to_owned())).collect()
        }));
        Ok(Seen::default().with(zones?))
    }
}

/// Deletes a subnet, by its id.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SubnetDeletion(pub(crate) Id<Subnet>);

impl Delete for SubnetDeletion {
    async fn attempt(&self, aws: &Aws) -> Result<(), AwsError> {
        let Self(id) = self;
        let call = aws.ec2.delete_subnet().subnet_id(id);
        done("ec2:DeleteSubnet", id, call.send().await)
    }

    async fn holders(&self, work: &Work<'_>, holders: &mut Holders) -> Result<(), AwsError> {
        let chosen = ec2::filter("subnet-id", [&self.0]);
        interfaces(work.aws, chosen, |_| true, holders).await
    }
}

impl Unclaimed for Subnet {
    fn unclaimed(sweep: &mut Sweep<'_>) {
        for found in sweep.rows::<LiveSubnet>(Subnet::KIND) {
            let place = Place::new(Subnet::KIND, &found.id);
            let id = ResourceId::named(Subnet::KIND, &found.id, found.tags.get("Name"));
            if !sweep.is_found(&place) && sweep.is_ours(&id, &found.marks()) {
                let offer = Offer::new(id, place, SubnetDeletion(found.id.clone()));
                sweep.offer(offer.unless_used(Thing::Subnet((&found.id).into())));
            }
        }
    }
}
