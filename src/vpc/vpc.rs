//! `VPC`: the cluster's network, its own or one that it shares.

use aws_sdk_ec2::operation::create_vpc::CreateVpcError;
use aws_sdk_ec2::types::{AttributeBooleanValue, Filter, ResourceType, VpcAttributeName};
use futures::future::{try_join, try_join_all};

use super::contents::{GATEWAYS, SECURITY_GROUPS, SUBNETS, VpcPart, in_vpc};
use crate::aws::tags::Tags;
use crate::aws::{Answer, Aws, AwsError, done, ec2, sent_once};
use crate::core::belongings::{Around, Belonging, Presence};
use crate::core::creation::{Creation, Standing};
use crate::core::deletion::Delete;
use crate::core::drift::Drift;
use crate::core::fields::{Changed, Changes as _, Delta, Found, Stuck, Want, Wanted, fields};
use crate::core::given::Given;
use crate::core::holders::Holders;
use crate::core::id::Id;
use crate::core::kind::ResourceId;
use crate::core::look::{Asked, Look, Looking};
use crate::core::manage::{self, Manage, Ownership, Twin, View};
use crate::core::seen::{Looked, Seen};
use crate::core::sweep::{Sweep, Unclaimed};
use crate::core::whose::{Marks, Taggable, speak_of};
use crate::core::work::Work;
use crate::vpc::dhcp_options::DhcpOptions;

const DESCRIBE: &str = "ec2:DescribeVpcs";
const CREATE: &str = "ec2:CreateVpc";

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Vpc {
    pub(crate) name: String,
    /// The id of a VPC that the cluster shares.
    pub(crate) existing: Option<Id<Self>>,
    /// `None` for a shared VPC whose range the spec does not tell.
    pub(crate) cidr: Option<String>,
    /// Whether instances must get DNS names; `None` leaves it as it is.
    pub(crate) dns_hostnames: Option<bool>,
    pub(crate) tags: Tags,
}

fields! { VpcFields {
    cidr: String = "cidr",
    dns_support: bool = "dnsSupport",
    dns_hostnames: bool = "dnsHostnames",
    tags: Tags = "tags",
} }

#[derive(Clone, Debug)]
pub(crate) struct LiveVpc {
    pub(crate) id: Id<Vpc>,
    pub(crate) cidr: String,
    /// The ranges beside the first, with the ids of their associations.
    pub(crate) more_cidrs: Vec<(String, String)>,
    /// The range of IPv6: of several AWS' own, or else the first.
    pub(crate) ipv6_cidr: Option<String>,
    pub(crate) dhcp_options: Id<DhcpOptions>,
    pub(crate) dns_support: bool,
    pub(crate) dns_hostnames: bool,
    pub(crate) tags: Tags,
}

impl LiveVpc {
    pub(crate) fn marks(&self) -> Marks<'_> {
        Marks::of(&self.id).tags(&self.tags)
    }
}

/// The VPCs of a cluster, or the one that it shares.
#[derive(Debug)]
pub(crate) enum Vpcs {
    Existing(Id<Vpc>),
    OfCluster(String),
    /// What bears its names too.
    Everything(String),
}

impl Look for Vpcs {
    const AFTER: &'static [Looking] = &[];

    fn ask(asked: &Asked, _: &Seen) -> Option<Self> {
        let cluster = asked.cluster().to_owned();
        let existing = asked.wanted::<Vpc>().iter().find_map(|vpc| vpc.existing.clone());
        asked.looks_at(&[Vpc::KIND]).then(|| match existing {
            Some(id) => Self::Existing(id),
            None if asked.everything() => Self::Everything(cluster),
            None => Self::OfCluster(cluster),
        })
    }

    async fn read(self, aws: &Aws) -> Result<Seen, AwsError> {
        let rows = match &self {
            Self::Existing(id) => read(aws, vec![ec2::filter("vpc-id", [id])], |_| true).await,
            Self::OfCluster(cluster) => {
                let speaks = |tags: &Tags| speak_of(tags, cluster);
                read(aws, vec![ec2::marked(cluster)], speaks).await
            }
            Self::Everything(cluster) => {
                ec2::marked_or_named(cluster, |vpc: &LiveVpc| &vpc.id, |f| rows(aws, f)).await
            }
        };
        Ok(Seen::default().with(Looked::sort(rows)?))
    }
}

async fn describe(
    aws: &Aws,
    chosen: Vec<Filter>,
) -> Result<Vec<aws_sdk_ec2::types::Vpc>, AwsError> {
    let call = aws.ec2.describe_vpcs().set_filters(Some(chosen));
    let rows = call.into_paginator().items().send().collect::<Result<_, _>>().await;
    rows.map_err(|error| AwsError::new(DESCRIBE, "", error))
}

/// Reads VPCs with their attributes, which are a call each.
async fn read(
    aws: &Aws,
    chosen: Vec<Filter>,
    is_asked: impl Fn(&Tags) -> bool,
) -> Result<Vec<LiveVpc>, AwsError> {
    let vpcs = rows(aws, chosen).await?.into_iter();
    try_join_all(vpcs.filter(|vpc| is_asked(&vpc.tags)).map(async |vpc| {
        let (dns_support, dns_hostnames) = try_join(
            attribute(aws, &vpc.id, VpcAttributeName::EnableDnsSupport),
            attribute(aws, &vpc.id, VpcAttributeName::EnableDnsHostnames),
        )
        .await?;
        Ok(LiveVpc { dns_support, dns_hostnames, ..vpc })
    }))
    .await
}

/// Reads VPCs without their attributes.
pub(super) async fn rows(aws: &Aws, chosen: Vec<Filter>) -> Result<Vec<LiveVpc>, AwsError> {
    let vpcs = describe(aws, chosen).await?;
    let rows = vpcs.iter().map(|vpc| {
        let id = Id::given(Answer::of(DESCRIBE, ""), "vpcId", vpc.vpc_id())?;
        let answer = Answer::of(DESCRIBE, &id);
        let cidr = answer.text("cidrBlock", vpc.cidr_block())?;
        let more_cidrs =
            ranges(vpc).filter(|(more, _)| *more != cidr).map(|(more, association)| {
                let association = answer.text("associationId", association)?;
                Ok((more.to_owned(), association))
            });
        Ok(LiveVpc {
            more_cidrs: more_cidrs.collect::<Result<_, AwsError>>()?,
            ipv6_cidr: ipv6_range(vpc).flatten(),
            dhcp_options: Id::given(answer, "dhcpOptionsId", vpc.dhcp_options_id())?,
            tags: ec2::tags_from_sdk(vpc.tags()),
            id: id.clone(),
            cidr,
            dns_support: false,
            dns_hostnames: false,
        })
    });
    rows.collect()
}

/// The ranges of a VPC, its first among them, with the ids of their associations.
fn ranges(vpc: &aws_sdk_ec2::types::Vpc) -> impl Iterator<Item = (&str, Option<&str>)> {
    vpc.cidr_block_association_set().iter().filter_map(|association| {
        use aws_sdk_ec2::types::VpcCidrBlockStateCode::{Associated, Associating};
        let state = association.cidr_block_state()?.state()?;
        let cidr =
            association.cidr_block().filter(|_| matches!(state, Associated | Associating))?;
        Some((cidr, association.association_id()))
    })
}

/// The range of IPv6 of a VPC, which one that is on its way does not have yet.
fn ipv6_range(vpc: &aws_sdk_ec2::types::Vpc) -> Option<Option<String>> {
    use aws_sdk_ec2::types::VpcCidrBlockStateCode::{Associated, Associating};
    let stands = vpc.ipv6_cidr_block_association_set().iter().filter_map(|one| {
        let state = one.ipv6_cidr_block_state()?.state()?;
        let cidr = one.ipv6_cidr_block().filter(|_| *state == Associated);
        let cidr = cidr.filter(|cidr| !cidr.is_empty()).map(str::to_owned);
        matches!(state, Associated | Associating).then(|| (one.ipv6_pool() == Some("Amazon"), cidr))
    });
    // The first of what is greatest: of those that are there, AWS' own.
    let best = stands.reduce(|best, next| {
        let rank = |(is_amazons, cidr): &(bool, Option<String>)| (cidr.is_some(), *is_amazons);
        if rank(&next) > rank(&best) { next } else { best }
    });
    best.map(|(_, cidr)| cidr)
}

/// Whether a VPC has a range of IPv6, and which, if that is known yet.
pub(super) async fn ipv6_state(aws: &Aws, id: &str) -> Result<Option<Option<String>>, AwsError> {
    let rows = describe(aws, vec![ec2::filter("vpc-id", [id])]).await?;
    Ok(rows.first().and_then(ipv6_range))
}

pub(crate) async fn has_range(aws: &Aws, id: &str, cidr: &str) -> Result<bool, AwsError> {
    let rows = describe(aws, vec![ec2::filter("vpc-id", [id])]).await?;
    Ok(rows.iter().flat_map(ranges).any(|(range, _)| range == cidr))
}

async fn attribute(aws: &Aws, id: &str, name: VpcAttributeName) -> Result<bool, AwsError> {
    let call = aws.ec2.describe_vpc_attribute().vpc_id(id).attribute(name);
    let answer = call.send().await;
    let answer = answer.map_err(|error| AwsError::new("ec2:DescribeVpcAttribute", id, error))?;
    let value = answer.enable_dns_support().or(answer.enable_dns_hostnames());
    Ok(value.and_then(AttributeBooleanValue::value).unwrap_or(false))
}

impl Manage for Vpc {
    type Live = LiveVpc;
    type Fields = VpcFields<Wanted>;

    fn id(&self) -> ResourceId {
        ResourceId::new(Vpc::KIND, &self.name)
    }

    fn needs(&self) -> Vec<ResourceId> {
        Vec::new()
    }

    fn is(&self, found: &LiveVpc, _: View<'_>) -> bool {
        match &self.existing {
            Some(id) => found.id == *id,
            None => ec2::is_named(&found.tags, &self.name),
        }
    }

    /// A cluster has one VPC.
    fn may_be(&self, _: &LiveVpc, _: View<'_>) -> bool {
        self.existing.is_none()
    }

    fn marks<'a>(&self, found: &'a LiveVpc, _: View<'a>) -> Vec<Marks<'a>> {
        vec![found.marks()]
    }

    fn aws_id(found: &LiveVpc) -> Id<Self> {
        found.id.clone()
    }

    fn wanted(&self, _: View<'_>) -> VpcFields<Wanted> {
        VpcFields {
            cidr: Want::if_told(self.cidr.clone()),
            dns_support: Want::Is(true),
            dns_hostnames: Want::if_told(self.dns_hostnames),
            tags: Want::Is(self.tags.clone()),
        }
    }

    fn found(&self, found: &LiveVpc, _: View<'_>) -> VpcFields<Found> {
        VpcFields {
            cidr: Some(found.cidr.clone()),
            dns_support: Some(found.dns_support),
            dns_hostnames: Some(found.dns_hostnames),
            tags: Some(found.tags.clone()),
        }
    }

    fn ownership(&self) -> Ownership {
        if self.existing.is_some() { Ownership::Shared } else { Ownership::Ours }
    }

    fn judge(&self, changed: &mut VpcFields<Changed>, found: &LiveVpc) -> Vec<Stuck> {
        let fixed = VpcFields { cidr: changed.cidr.take(), ..VpcFields::none() };
        let instead = self.instead(&fixed);
        let fixed = Stuck::fixed(&fixed, &found.id, instead);
        fixed.into_iter().chain(self.switched_off(changed)).collect()
    }

    fn twin(found: &LiveVpc, view: View<'_>) -> Option<Twin> {
        let id = found.id.as_str();
        let count = |what| {
            let parts = view.seen.rows::<VpcPart>().iter();
            parts.filter(|part| part.vpc == id && part.what == what).count()
        };
        let counts = [SUBNETS, SECURITY_GROUPS, GATEWAYS].map(|what| (count(what), what));
        let holds: Vec<String> = counts
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        let is_used = counts.iter().any(|(count, _)| *count > 0);
        let holds = if holds.is_empty() { "nothing".to_owned() } else { holds.join(", ") };
        Some(Twin {
            used_by: is_used.then(|| "what is in it".to_owned()),
            about: vec![format!("holds {holds} of the cluster"), found.cidr.clone()],
            made: None,
            tags: found.tags.clone(),
        })
    }

    /// The VPC in which the cluster's subnets lie, if that has lost its tags.
    fn obstacle(&self, view: View<'_>) -> Option<(String, String)> {
        if self.existing.is_some() {
            return None;
        }
        let parts = view.seen.rows::<VpcPart>().iter();
        let mut subnets = parts.filter(|part| part.what == SUBNETS);
        let subnet =
            subnets.find(|part| view.owns(part.kind, &Marks::of(&part.id).tags(&part.tags)))?;
        let what = format!(
            "the cluster's subnet {} lies in {}, which does not carry the cluster's tags",
            subnet.id, subnet.vpc
        );
        Some((what, view.owner.adopt(&Taggable::Ec2(&subnet.vpc))))
    }

    fn given(&self) -> Given<'_> {
        Given::nothing().tags(&self.tags)
    }

    async fn create(&self, work: &Work<'_>) -> Result<Option<Id<Self>>, AwsError> {
        let creation = Creation { work, resource: &self.id(), operation: CREATE };
        let id = creation
            .without_token(|| self.create_one(work.aws), || self.standing(work.aws))
            .await?;
        // Told at once: what fails from here on is mended by the next run.
        work.learn(manage::known(self, id.clone()));
        if self.dns_hostnames == Some(true) {
            self.set_hostnames(work, &id).await?;
        }
        Ok(Some(id))
    }

    async fn update(
        &self,
        work: &Work<'_>,
        id: &Id<Self>,
        changed: &VpcFields<Changed>,
    ) -> Result<(), AwsError> {
        let VpcFields { cidr: _, dns_support, dns_hostnames, tags } = changed;
        if dns_support.is_some() {
            let value = AttributeBooleanValue::builder().value(true).build();
            let call = work.aws.ec2.modify_vpc_attribute().vpc_id(id).enable_dns_support(value);
            let answer = call.send().await;
            answer.map_err(|error| AwsError::new("ec2:ModifyVpcAttribute", id, error))?;
        }
        if dns_hostnames.is_some() {
            self.set_hostnames(work, id).await?;
        }
        if tags.is_some() {
            ec2::tag(work.aws, id, &self.tags).await?;
        }
        Ok(())
    }

    #[cfg(test)]
    fn imagined(&self, id: &Id<Self>, _: View<'_>) -> LiveVpc {
        LiveVpc {
            id: self.existing.as_ref().unwrap_or(id).clone(),
            cidr: self.cidr.as_deref().unwrap_or("172.20.0.0/16").to_owned(),
            more_cidrs: Vec::new(),
            ipv6_cidr: None,
            dhcp_options: Id::imagined("dopt-default"),
            dns_support: true,
            dns_hostnames: self.dns_hostnames.unwrap_or(true),
            tags: self.tags.clone(),
        }
    }

    #[cfg(test)]
    fn disturbed(&self, live: &LiveVpc) -> Vec<(&'static str, LiveVpc)> {
        vec![
            ("cidr", LiveVpc { cidr: "10.99.0.0/16".to_owned(), ..live.clone() }),
            ("dnsSupport", LiveVpc { dns_support: false, ..live.clone() }),
            ("dnsHostnames", LiveVpc { dns_hostnames: !live.dns_hostnames, ..live.clone() }),
            ("tags", LiveVpc { tags: Self::lacking_one(&live.tags), ..live.clone() }),
        ]
    }
}

impl Vpc {
    /// What to do where fields are otherwise that nobody can change.
    fn instead(&self, fixed: &VpcFields<Changed>) -> String {
        let range = fixed.cidr.as_ref().and_then(|delta| delta.before.as_ref());
        let range = range.map(|cidr| match self.ownership() {
            Ownership::Ours | Ownership::Brought => {
                format!("set spec.networkCIDR back to {cidr}, or delete the cluster first")
            }
            Ownership::Shared => format!("set spec.networkCIDR to {cidr}"),
        });
        range.unwrap_or_default()
    }

    /// What is shared is not ours to switch on. Names of instances may come from elsewhere than
    /// from the VPC, so that a cluster can do without.
    fn switched_off(&self, changed: &mut VpcFields<Changed>) -> Option<Stuck> {
        if self.ownership() != Ownership::Shared {
            return None;
        }
        let switches = VpcFields {
            dns_support: changed.dns_support.take(),
            dns_hostnames: changed.dns_hostnames.take(),
            ..VpcFields::none()
        };
        let names: Vec<String> =
            switches.drift().fields.into_iter().map(|change| change.field).collect();
        let why = "a shared VPC is its owner's to set up".to_owned();
        let next = format!("have the owner of the VPC switch on {} of it", names.join(" and "));
        Stuck::borne(&switches, why, next)
    }

    async fn create_one(&self, aws: &Aws) -> Result<Id<Self>, AwsError> {
        let call = aws.ec2.create_vpc().set_cidr_block(self.cidr.clone());
        let call = call.tag_specifications(ec2::specification(ResourceType::Vpc, &self.tags));
        let call = call.customize().config_override(sent_once::<CreateVpcError>());
        let answer = call.send().await;
        let answer = answer.map_err(|error| AwsError::new(CREATE, &self.name, error))?;
        let id = answer.vpc().and_then(|vpc| vpc.vpc_id());
        Id::given(Answer::of(CREATE, &self.name), "vpcId", id)
    }

    async fn standing(&self, aws: &Aws) -> Result<Vec<Standing<Id<Self>>>, AwsError> {
        let rows = describe(aws, ec2::identity(&self.tags)).await?;
        let ours = ec2::ours(&rows, |vpc| vpc.tags(), &self.tags);
        let standing = ours.map(|vpc| {
            let id = Id::given(Answer::of(DESCRIBE, &self.name), "vpcId", vpc.vpc_id())?;
            Ok(Standing { id, is_gone: false })
        });
        standing.collect()
    }

    async fn set_hostnames(&self, work: &Work<'_>, id: &str) -> Result<(), AwsError> {
        let value = AttributeBooleanValue::builder().set_value(self.dns_hostnames).build();
        let call = work.aws.ec2.modify_vpc_attribute().vpc_id(id).enable_dns_hostnames(value);
        call.send().await.map_err(|error| AwsError::new("ec2:ModifyVpcAttribute", id, error))?;
        Ok(())
    }
}

/// What is said of something that the spec names and that lies in another VPC than the cluster's;
/// `vpc` tells of both.
pub(super) fn in_another_vpc(what: &str, id: &str, vpc: Option<&Delta<String>>) -> Option<Stuck> {
    let delta = vpc?;
    let told = |side: &Option<String>| side.clone().unwrap_or_default();
    let fields = vec![delta.as_field("vpc")];
    let (theirs, ours) = (told(&delta.before), told(&delta.after));
    Some(Stuck {
        drift: Drift { fields, ..Drift::default() },
        why: format!("{id} is a {what} of another VPC: it lies in {theirs}, the cluster in {ours}"),
        next: format!("name a {what} of the cluster's VPC, or correct spec.networkID"),
        is_borne: false,
    })
}

impl Presence for Vpc {
    const LOOKS: &'static [Looking] = &[Looking::of::<Vpcs>()];

    const IS_SOUGHT: bool = false;

    fn belongings(around: &Around<'_>) -> Vec<Belonging> {
        let vpcs =
            around.seen.rows::<LiveVpc>().iter().filter_map(|vpc| {
                around.by_id(Self::KIND, &vpc.marks(), VpcDeletion(vpc.id.clone()))
            });
        vpcs.map(Belonging::around_instances).collect()
    }
}

/// Deletes a VPC, by its id.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct VpcDeletion(pub(crate) Id<Vpc>);

impl Delete for VpcDeletion {
    async fn attempt(&self, aws: &Aws) -> Result<(), AwsError> {
        let Self(id) = self;
        let call = aws.ec2.delete_vpc().vpc_id(id);
        done("ec2:DeleteVpc", id, call.send().await)
    }

    async fn holders(&self, work: &Work<'_>, holders: &mut Holders) -> Result<(), AwsError> {
        in_vpc(work.aws, &self.0, holders).await;
        Ok(())
    }
}

impl Unclaimed for Vpc {
    /// It goes with its cluster only.
    fn unclaimed(_: &mut Sweep<'_>) {}
}
