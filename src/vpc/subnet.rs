//! `Subnet`: the part of the network that lies in one zone, our own or shared.

use aws_sdk_ec2::types::{AttributeBooleanValue, Filter, HostnameType, ResourceType};
use futures::future::try_join;
use ipnet::Ipv6Net;

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
use crate::vpc::ipv6_cidr_block::{Ipv6Range, VpcAmazonIpv6CidrBlock};
use crate::vpc::vpc::{LiveVpc, Vpc, Vpcs, in_another_vpc};

const DESCRIBE: &str = "ec2:DescribeSubnets";
const CREATE: &str = "ec2:CreateSubnet";

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Subnet {
    pub(crate) name: String,
    /// The id of a subnet that the cluster shares.
    pub(crate) existing: Option<Id<Self>>,
    pub(crate) vpc: Ref<Vpc>,
    pub(crate) zone: String,
    /// `None` for a shared subnet whose range the spec does not tell, and for one of IPv6 alone.
    pub(crate) cidr: Option<String>,
    /// Whether the spec tells no range, and it is one that is free by the spec: a subnet that
    /// exists keeps its own.
    pub(crate) is_cut: bool,
    pub(crate) ipv6: Option<Ipv6Range>,
    /// The range of the VPC beside its first in which the subnet lies, if it does.
    pub(crate) range: Option<ResourceId>,
    pub(crate) tags: Tags,
}

fields! { SubnetFields {
    vpc: String = "vpc",
    zone: String = "zone",
    cidr: String = "cidr",
    ipv6_cidr: String = "ipv6Cidr",
    /// Whether instances get an address of IPv6.
    assigns_ipv6: bool = "assignIpv6AddressOnCreation",
    /// After what instances are called.
    hostnames: String = "hostnameType",
    a_records: bool = "resourceNameDnsARecord",
    aaaa_records: bool = "resourceNameDnsAAAARecord",
    dns64: bool = "dns64",
    tags: Tags = "tags",
} }

#[derive(Clone, Debug)]
pub(crate) struct LiveSubnet {
    pub(crate) id: Id<Subnet>,
    pub(crate) vpc: Id<Vpc>,
    pub(crate) zone: String,
    /// Empty for one of IPv6 alone.
    pub(crate) cidr: String,
    pub(crate) ipv6_cidr: Option<String>,
    pub(crate) on_launch: OnLaunch,
    pub(crate) tags: Tags,
}

/// What a subnet does for the instances that start in it.
#[derive(Clone, Debug, Default)]
pub(crate) struct OnLaunch {
    pub(crate) assigns_ipv6: bool,
    pub(crate) hostnames: Option<String>,
    pub(crate) a_records: bool,
    pub(crate) aaaa_records: bool,
    pub(crate) dns64: bool,
}

impl LiveSubnet {
    pub(crate) fn marks(&self) -> Marks<'_> {
        Marks::of(&self.id).tags(&self.tags)
    }

    /// The same where it has no tags, and is as its VPC is.
    fn part_of(&self, vpc: &LiveVpc, owner: &Owner) -> Marks<'_> {
        let whose = owner.whose(Vpc::KIND, &vpc.marks());
        self.marks().hangs_on(format!("part of {}", vpc.id), whose)
    }
}

/// The subnets of VPCs, those of others too, since they have ranges; or, where there is no VPC,
/// what a cluster has anywhere.
#[derive(Debug)]
pub(crate) enum Subnets {
    Within(Vec<Id<Vpc>>),
    OfCluster(String),
    /// What bears its names too, and what lies in these VPCs.
    Everything(String, Vec<Id<Vpc>>),
}

impl Look for Subnets {
    const AFTER: &'static [Looking] = &[Looking::of::<Vpcs>()];

    fn ask(asked: &Asked, seen: &Seen) -> Option<Self> {
        let vpcs = seen.rows::<LiveVpc>().iter();
        let cluster = asked.cluster().to_owned();
        if asked.everything() {
            let has_untagged = !asked.wanted::<UntaggedSubnet>().is_empty();
            let own = |vpc: &&LiveVpc| asked.owner.whose(Vpc::KIND, &vpc.marks()).is_owned();
            let vpcs = vpcs.filter(|vpc| has_untagged && own(vpc)).map(|vpc| vpc.id.clone());
            return Some(Self::Everything(cluster, vpcs.collect()));
        }
        let vpcs: Vec<_> = vpcs.map(|vpc| vpc.id.clone()).collect();
        let look = if vpcs.is_empty() { Self::OfCluster(cluster) } else { Self::Within(vpcs) };
        asked.looks_at(&[Subnet::KIND]).then_some(look)
    }

    async fn read(self, aws: &Aws) -> Result<Seen, AwsError> {
        let rows = match &self {
            Self::Within(vpcs) => within(aws, vpcs).await,
            Self::OfCluster(cluster) => read(aws, vec![ec2::marked(cluster)]).await,
            Self::Everything(cluster, vpcs) => {
                let told = ec2::marked_or_named(
                    cluster,
                    |subnet: &LiveSubnet| &subnet.id,
                    |chosen| read(aws, chosen),
                );
                let answers = try_join(told, within(aws, vpcs)).await;
                answers.map(|(mut told, lying_there)| {
                    let is_new = |one: &LiveSubnet| !told.iter().any(|known| known.id == one.id);
                    let more: Vec<_> = lying_there.into_iter().filter(is_new).collect();
                    told.extend(more);
                    told
                })
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

async fn within(aws: &Aws, vpcs: &[Id<Vpc>]) -> Result<Vec<LiveSubnet>, AwsError> {
    let lying_in = |ids: &[Id<Vpc>]| read(aws, vec![ec2::filter("vpc-id", ids)]);
    batch::read(vpcs, batch::FILTER_VALUES, lying_in).await
}

/// A subnet of the cluster's own that has no tags by its spec (`DisableSubnetTags`): it is told by
/// its range in the cluster's own VPC.
#[derive(Clone, Debug)]
pub(crate) struct UntaggedSubnet(pub(crate) Subnet);

impl UntaggedSubnet {
    fn is(&self, found: &LiveSubnet, vpc: &LiveVpc) -> bool {
        let Self(Subnet { cidr, ipv6, .. }) = self;
        let ipv6 = || ipv6.as_ref()?.within(vpc.ipv6_cidr.as_deref()?);
        let has_range = match cidr {
            Some(cidr) => found.cidr == *cidr,
            None => found.ipv6_cidr.is_some() && found.ipv6_cidr == ipv6(),
        };
        found.vpc == vpc.id && has_range
    }
}

/// The subnets that a spec names and that were not found where they must be.
#[derive(Debug)]
pub(crate) struct SubnetsElsewhere(Vec<Id<Subnet>>);

impl Look for SubnetsElsewhere {
    const AFTER: &'static [Looking] = &[Looking::of::<Subnets>()];

    fn ask(asked: &Asked, seen: &Seen) -> Option<Self> {
        let known = seen.rows::<LiveSubnet>();
        let named = asked.wanted::<Subnet>().iter().filter_map(|subnet| subnet.existing.clone());
        let unknown = named.filter(|id| !known.iter().any(|subnet| subnet.id == **id));
        let unknown: Vec<_> = unknown.collect();
        (!unknown.is_empty() && !asked.everything()).then_some(Self(unknown))
    }

    async fn read(self, aws: &Aws) -> Result<Seen, AwsError> {
        let named = |ids: &[Id<Subnet>]| read(aws, vec![ec2::filter("subnet-id", ids)]);
        let rows = batch::read(&self.0, batch::FILTER_VALUES, named).await;
        Ok(Seen::default().with(Looked::sort(rows)?))
    }
}

impl Presence for Subnet {
    const LOOKS: &'static [Looking] = &[
        Looking::of::<Subnets>(),
        Looking::of::<SubnetsElsewhere>(),
        Looking::of::<AvailabilityZones>(),
    ];

    const IS_SOUGHT: bool = false;

    fn belongings(around: &Around<'_>) -> Vec<Belonging> {
        let untagged = around.wishes.of::<UntaggedSubnet>();
        let subnets = around.seen.rows::<LiveSubnet>().iter().filter_map(|subnet| {
            let vpcs = around.seen.rows::<LiveVpc>().iter();
            let mut own = vpcs.filter(|vpc| untagged.iter().any(|one| one.is(subnet, vpc)));
            let marks = match own.next() {
                Some(vpc) => subnet.part_of(vpc, around.owner),
                None => subnet.marks(),
            };
            around.by_id(Self::KIND, &marks, SubnetDeletion(subnet.id.clone()))
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
            ipv6_cidr: ipv6_range(subnet),
            on_launch: on_launch(subnet),
            tags: ec2::tags_from_sdk(subnet.tags()),
            id: id.clone(),
        })
    });
    live.collect()
}

fn ipv6_range(subnet: &aws_sdk_ec2::types::Subnet) -> Option<String> {
    use aws_sdk_ec2::types::SubnetCidrBlockStateCode::{Associated, Associating};
    let mut ranges = subnet.ipv6_cidr_block_association_set().iter().filter_map(|one| {
        let state = one.ipv6_cidr_block_state()?.state()?;
        one.ipv6_cidr_block().filter(|_| matches!(state, Associated | Associating))
    });
    ranges.next().map(str::to_owned)
}

fn on_launch(subnet: &aws_sdk_ec2::types::Subnet) -> OnLaunch {
    let names = subnet.private_dns_name_options_on_launch();
    let is = |told: Option<bool>| told.unwrap_or(false);
    OnLaunch {
        assigns_ipv6: is(subnet.assign_ipv6_address_on_creation()),
        hostnames: names.and_then(|names| names.hostname_type()).map(|kind| kind.to_string()),
        a_records: is(names.and_then(|names| names.enable_resource_name_dns_a_record())),
        aaaa_records: is(names.and_then(|names| names.enable_resource_name_dns_aaaa_record())),
        dns64: is(subnet.enable_dns64()),
    }
}

impl Manage for Subnet {
    type Live = LiveSubnet;
    type Fields = SubnetFields<Wanted>;

    fn id(&self) -> ResourceId {
        ResourceId::new(Subnet::KIND, &self.name)
    }

    fn needs(&self) -> Vec<ResourceId> {
        let block = self.ipv6_block().map(Ref::resource);
        std::iter::once(self.vpc.resource()).chain(self.range.clone()).chain(block).collect()
    }

    fn is(&self, found: &LiveSubnet, view: View<'_>) -> bool {
        if let Some(id) = &self.existing {
            return found.id == *id;
        }
        let has_name = ec2::is_named(&found.tags, &self.name);
        let in_range = Some(&found.cidr) == self.cidr.as_ref()
            || found.ipv6_cidr.is_some() && found.ipv6_cidr == self.ipv6_cidr(view);
        let has_range = view.is(&self.vpc, &found.vpc) && in_range;
        has_range || has_name && view.owns(Subnet::KIND, &found.marks())
    }

    fn marks<'a>(&self, found: &'a LiveSubnet, view: View<'a>) -> Vec<Marks<'a>> {
        let mut vpcs = view.seen.rows::<LiveVpc>().iter();
        vec![match vpcs.find(|vpc| self.is_untagged() && vpc.id == found.vpc) {
            Some(vpc) => found.part_of(vpc, view.owner),
            None => found.marks(),
        }]
    }

    fn adopt(&self, found: &LiveSubnet, owner: &Owner) -> Option<String> {
        Some(owner.adopt(&Taggable::Ec2(&found.id)))
    }

    fn aws_id(found: &LiveSubnet) -> Id<Self> {
        found.id.clone()
    }

    fn wanted(&self, view: View<'_>) -> SubnetFields<Wanted> {
        let ipv6 = self.ipv6.as_ref();
        let ipv6 = ipv6.map(|range| self.ipv6_cidr(view).unwrap_or_else(|| range.tell()));
        let is_ours = self.existing.is_none();
        // What it does for instances, whoever shares it tells.
        let does = |what: Option<bool>| Want::if_told(what.filter(|_| is_ours));
        let told = |of: bool| does(of.then_some(true));
        SubnetFields {
            vpc: Want::Is(self.told_vpc(view).to_owned()),
            zone: Want::Is(self.zone.clone()),
            cidr: Want::if_told(self.cidr.clone()),
            assigns_ipv6: does(Some(ipv6.is_some())),
            hostnames: Want::if_told(is_ours.then(|| RESOURCE_NAME.to_string())),
            a_records: told(self.cidr.is_some()),
            aaaa_records: told(ipv6.is_some()),
            dns64: told(self.cidr.is_none()),
            ipv6_cidr: Want::if_told(ipv6),
            tags: Want::Is(self.tags.clone()),
        }
    }

    fn wanted_over(&self, _: &LiveSubnet, view: View<'_>) -> SubnetFields<Wanted> {
        let wanted = self.wanted(view);
        let cidr = if self.is_cut { Want::Any } else { wanted.cidr };
        SubnetFields { cidr, ..wanted }
    }

    fn found(&self, found: &LiveSubnet, view: View<'_>) -> SubnetFields<Found> {
        let LiveSubnet { vpc, on_launch, .. } = found;
        let vpc = if self.existing.is_some() { vpc } else { view.name(vpc) };
        SubnetFields {
            vpc: Some(vpc.to_owned()),
            zone: Some(found.zone.clone()),
            cidr: Some(found.cidr.clone()).filter(|cidr| !cidr.is_empty()),
            ipv6_cidr: found.ipv6_cidr.clone(),
            assigns_ipv6: Some(on_launch.assigns_ipv6),
            hostnames: on_launch.hostnames.clone(),
            a_records: Some(on_launch.a_records),
            aaaa_records: Some(on_launch.aaaa_records),
            dns64: Some(on_launch.dns64),
            tags: Some(found.tags.clone()),
        }
    }

    fn ownership(&self) -> Ownership {
        if self.existing.is_some() { Ownership::Shared } else { Ownership::Ours }
    }

    /// A range of IPv6 is given to one that has none, and to a shared one never.
    fn judge(&self, changed: &mut SubnetFields<Changed>, found: &LiveSubnet) -> Vec<Stuck> {
        let vpc = self.existing.as_ref().and_then(|_| changed.vpc.take());
        let elsewhere = in_another_vpc("subnet", &found.id, vpc.as_ref());
        let is_added = found.ipv6_cidr.is_none() && self.existing.is_none();
        let fixed = SubnetFields {
            vpc: changed.vpc.take(),
            zone: changed.zone.take(),
            cidr: changed.cidr.take(),
            ipv6_cidr: if is_added { None } else { changed.ipv6_cidr.take() },
            ..SubnetFields::none()
        };
        let fixed = Stuck::fixed(&fixed, &found.id, manage::instead(self));
        elsewhere.into_iter().chain(fixed).collect()
    }

    fn obstacle(&self, view: View<'_>) -> Option<(String, String)> {
        let Some(id) = &self.existing else {
            return self.no_sign(view).or_else(|| self.no_room(view));
        };
        let what = format!("there is no subnet {id} in this account and region");
        let next = "correct its id in the spec, or use the credentials of its account";
        Some((what, next.to_owned()))
    }

    fn given(&self) -> Given<'_> {
        Given::nothing().tags(&self.tags)
    }

    async fn create(&self, work: &Work<'_>) -> Result<Option<Id<Self>>, AwsError> {
        let id = self.create_one(work).await?;
        // Told at once: what fails from here on is mended by the next run.
        work.learn(manage::known(self, id.clone()));
        for attribute in self.attributes(|_| true) {
            attribute.set(work.aws, &id).await?;
        }
        Ok(Some(id))
    }

    async fn update(
        &self,
        work: &Work<'_>,
        id: &Id<Self>,
        changed: &SubnetFields<Changed>,
    ) -> Result<(), AwsError> {
        let SubnetFields { vpc: _, zone: _, cidr: _, ipv6_cidr, tags, .. } = changed;
        if ipv6_cidr.is_some() {
            let call = work.aws.ec2.associate_subnet_cidr_block().subnet_id(id);
            let call = call.set_ipv6_cidr_block(self.ipv6_to_be(work)?);
            let answer = call.send().await;
            answer.map_err(|error| AwsError::new("ec2:AssociateSubnetCidrBlock", id, error))?;
        }
        let SubnetFields { assigns_ipv6, hostnames, a_records, aaaa_records, dns64, .. } = changed;
        let is_changed = |attribute: &Attribute| match attribute {
            Attribute::AssignsIpv6(_) => assigns_ipv6.is_some(),
            Attribute::ResourceNames => hostnames.is_some(),
            Attribute::ARecords => a_records.is_some(),
            Attribute::AaaaRecords => aaaa_records.is_some(),
            Attribute::Dns64 => dns64.is_some(),
        };
        for attribute in self.attributes(is_changed) {
            attribute.set(work.aws, id).await?;
        }
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
            cidr: match (&self.cidr, &self.ipv6) {
                (None, Some(_)) => String::new(),
                (cidr, _) => cidr.as_deref().unwrap_or("172.20.32.0/19").to_owned(),
            },
            ipv6_cidr: self.ipv6_cidr(view),
            on_launch: OnLaunch {
                assigns_ipv6: self.ipv6.is_some(),
                hostnames: Some(RESOURCE_NAME.to_string()),
                a_records: self.cidr.is_some(),
                aaaa_records: self.ipv6.is_some(),
                dns64: self.cidr.is_none(),
            },
            tags: self.tags.clone(),
        }
    }

    #[cfg(test)]
    fn disturbed(&self, live: &LiveSubnet) -> Vec<(&'static str, LiveSubnet)> {
        let does = |change: fn(&mut OnLaunch)| {
            let mut other = live.clone();
            change(&mut other.on_launch);
            other
        };
        let all = vec![
            ("vpc", LiveSubnet { vpc: Id::imagined("vpc-other"), ..live.clone() }),
            ("zone", LiveSubnet { zone: "us-west-2z".to_owned(), ..live.clone() }),
            ("cidr", LiveSubnet { cidr: "10.99.0.0/24".to_owned(), ..live.clone() }),
            ("ipv6Cidr", LiveSubnet { ipv6_cidr: None, ..live.clone() }),
            ("assignIpv6AddressOnCreation", does(|does| does.assigns_ipv6 = !does.assigns_ipv6)),
            ("hostnameType", does(|does| does.hostnames = Some("ip-name".to_owned()))),
            ("resourceNameDnsARecord", does(|does| does.a_records = false)),
            ("resourceNameDnsAAAARecord", does(|does| does.aaaa_records = false)),
            ("dns64", does(|does| does.dns64 = false)),
            ("tags", LiveSubnet { tags: Self::lacking_one(&live.tags), ..live.clone() }),
        ];
        let is_wanted = |field: &str| match field {
            "vpc" | "zone" | "tags" => true,
            "cidr" => self.cidr.is_some(),
            "ipv6Cidr" => self.ipv6.is_some(),
            _ if self.existing.is_some() => false,
            "resourceNameDnsARecord" => self.cidr.is_some(),
            "resourceNameDnsAAAARecord" => self.ipv6.is_some(),
            "dns64" => self.cidr.is_none(),
            _ => true,
        };
        all.into_iter().filter(|(field, _)| is_wanted(field)).collect()
    }
}

const RESOURCE_NAME: HostnameType = HostnameType::ResourceName;

/// Something that a subnet does for instances, as it is to be: AWS takes one a call (EC2 API,
/// `ModifySubnetAttribute`).
#[derive(Clone, Copy, Debug)]
enum Attribute {
    AssignsIpv6(bool),
    ResourceNames,
    ARecords,
    AaaaRecords,
    Dns64,
}

impl Attribute {
    async fn set(self, aws: &Aws, id: &Id<Subnet>) -> Result<(), AwsError> {
        let value = |is| AttributeBooleanValue::builder().value(is).build();
        let call = aws.ec2.modify_subnet_attribute().subnet_id(id);
        let call = match self {
            Self::AssignsIpv6(does) => call.assign_ipv6_address_on_creation(value(does)),
            Self::ResourceNames => call.private_dns_hostname_type_on_launch(RESOURCE_NAME),
            Self::ARecords => call.enable_resource_name_dns_a_record_on_launch(value(true)),
            Self::AaaaRecords => call.enable_resource_name_dns_aaaa_record_on_launch(value(true)),
            Self::Dns64 => call.enable_dns64(value(true)),
        };
        let answer = call.send().await;
        answer.map_err(|error| AwsError::new("ec2:ModifySubnetAttribute", id, error))?;
        Ok(())
    }
}

impl Subnet {
    fn ipv6_block(&self) -> Option<&Ref<VpcAmazonIpv6CidrBlock>> {
        match self.ipv6.as_ref()? {
            Ipv6Range::Whole { block, .. } => block.as_ref(),
            Ipv6Range::Numbered { of, .. } => Some(of),
        }
    }

    /// Its range of IPv6, as far as that of the VPC is known.
    fn ipv6_cidr(&self, view: View<'_>) -> Option<String> {
        match self.ipv6.as_ref()? {
            Ipv6Range::Whole { range, .. } => Some(range.clone()),
            range @ Ipv6Range::Numbered { of, .. } => range.within(view.ids.get(of)?),
        }
    }

    /// The same once that of the VPC is made.
    fn ipv6_to_be(&self, work: &Work<'_>) -> Result<Option<String>, AwsError> {
        let Some(range) = &self.ipv6 else { return Ok(None) };
        let Ipv6Range::Numbered { of, .. } = range else { return Ok(Some(range.tell())) };
        let vpc = work.id(of)?;
        range.within(&vpc).map(Some).ok_or_else(|| AwsError {
            operation: CREATE,
            object: self.name.clone(),
            fault: Fault::Other,
            message: format!("there is no {} in {vpc}, the VPC's range of IPv6", range.tell()),
        })
    }

    fn is_untagged(&self) -> bool {
        self.existing.is_none() && self.tags.is_empty()
    }

    /// Where nothing would tell whose it is, once it is made.
    fn no_sign(&self, view: View<'_>) -> Option<(String, String)> {
        let vpcs = view.seen.rows::<LiveVpc>().iter();
        let mut shared =
            vpcs.filter(|vpc| view.is(&self.vpc, &vpc.id) && !view.owns(Vpc::KIND, &vpc.marks()));
        let vpc = shared.next().filter(|_| self.is_untagged())?;
        let what = format!(
            "it would have no tags (spec.DisableSubnetTags), in {}, which is not the cluster's own: \
             nothing would tell whose it is",
            vpc.id
        );
        Some((what, "take DisableSubnetTags out, or name the subnets by their ids".to_owned()))
    }

    /// Where the VPC's range of IPv6 has no such part.
    fn no_room(&self, view: View<'_>) -> Option<(String, String)> {
        let range = self.ipv6.as_ref()?;
        let vpc = view.ids.get(self.ipv6_block()?)?;
        let Some(part) = range.within(vpc) else {
            let what = format!("there is no {} in {vpc}, the VPC's range of IPv6", range.tell());
            return Some((what, "correct spec.subnets[*].ipv6CIDR".to_owned()));
        };
        let net = |text: &str| text.parse::<Ipv6Net>();
        let lies_in = matches!((net(vpc), net(&part)), (Ok(vpc), Ok(part)) if vpc.contains(&part));
        (!lies_in).then(|| {
            let what = format!("{part} lies outside {vpc}, the VPC's range of IPv6");
            (what, "correct spec.subnets[*].ipv6CIDR, or write a number, such as /64#1".to_owned())
        })
    }

    /// What it does for instances, in the order in which AWS takes it.
    fn attributes(&self, which: impl Fn(&Attribute) -> bool) -> Vec<Attribute> {
        let (ipv4, ipv6) = (self.cidr.is_some(), self.ipv6.is_some());
        let all = [
            (true, Attribute::AssignsIpv6(ipv6)),
            (true, Attribute::ResourceNames),
            (ipv4, Attribute::ARecords),
            (ipv6, Attribute::AaaaRecords),
            (!ipv4, Attribute::Dns64),
        ];
        let wanted = all.into_iter().filter(|(is_wanted, _)| *is_wanted);
        wanted.map(|(_, attribute)| attribute).filter(which).collect()
    }

    /// Of what the spec names by id, the VPC is told by its id too.
    fn told_vpc<'a>(&'a self, view: View<'a>) -> &'a str {
        let id = self.existing.as_ref().and_then(|_| view.ids.get(&self.vpc));
        id.unwrap_or(&self.vpc.name)
    }

    async fn create_one(&self, work: &Work<'_>) -> Result<Id<Self>, AwsError> {
        let (vpc, ipv6) = (work.id(&self.vpc)?, self.ipv6_to_be(work)?);
        let call = work.aws.ec2.create_subnet().vpc_id(&vpc).set_cidr_block(self.cidr.clone());
        let answer = call
            .set_ipv6_cidr_block(ipv6.clone())
            .set_ipv6_native(self.cidr.is_none().then_some(true))
            .availability_zone(&self.zone)
            .set_tag_specifications((!self.tags.is_empty()).then(|| {
                // AWS takes no specification without tags.
                vec![ec2::specification(ResourceType::Subnet, &self.tags)]
            }))
            .send()
            .await
            .map_err(|error| AwsError::new(CREATE, &self.name, error));
        match answer {
            Ok(answer) => {
                let id = answer.subnet().and_then(|subnet| subnet.subnet_id());
                Id::given(Answer::of(CREATE, &self.name), "subnetId", id)
            }
            // Its range is taken, perhaps by itself.
            Err(error) if error.fault == Fault::Conflict => {
                let found = read(work.aws, ec2::identity(&self.tags)).await?;
                let is_as_wanted = |found: &&LiveSubnet| {
                    found.vpc == vpc
                        && found.zone == self.zone
                        && found.cidr == self.cidr.as_deref().unwrap_or_default()
                        && (ipv6.is_none() || found.ipv6_cidr == ipv6)
                };
                found.iter().find(is_as_wanted).map(|found| found.id.clone()).ok_or(error)
            }
            Err(error) => Err(error),
        }
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
