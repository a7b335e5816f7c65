//! `VPCAmazonIPv6CIDRBlock`: the range of IPv6 of a VPC, which AWS chooses.

use std::time::Duration;

use aws_sdk_ec2::operation::associate_vpc_cidr_block::AssociateVpcCidrBlockError;
use ipnet::Ipv6Net;

use crate::aws::{Aws, AwsError, Fault, sent_once};
use crate::core::belongings::{Around, Belonging, Presence};
use crate::core::creation::{Creation, Standing};
use crate::core::fields::{Changed, Found, Want, Wanted, fields};
use crate::core::given::Given;
use crate::core::id::{Id, Ref};
use crate::core::kind::ResourceId;
use crate::core::look::{Asked, Look, Looking};
use crate::core::manage::{Manage, Ownership, View};
use crate::core::seen::{Looked, Seen};
use crate::core::sweep::{Sweep, Unclaimed};
use crate::core::wait::{Attempt, Budget, Held};
use crate::core::whose::Marks;
use crate::core::work::Work;
use crate::vpc::vpc::{self, LiveVpc, Vpc, Vpcs};

const CREATE: &str = "ec2:AssociateVpcCidrBlock";

/// How long AWS may take to choose a range, which is seconds.
const READY: Budget = Budget {
    within: Duration::from_secs(300),
    pause: Duration::from_secs(1),
    longest_pause: Duration::from_secs(5),
    looks: 1,
};

/// What AWS knows it by, as far as others are concerned, is the range itself.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct VpcAmazonIpv6CidrBlock {
    pub(crate) name: String,
    /// Whether it came with a VPC that the cluster shares.
    pub(crate) shared: bool,
    pub(crate) vpc: Ref<Vpc>,
}

fields! { VpcAmazonIpv6CidrBlockFields { vpc: String = "vpc" } }

#[derive(Clone, Debug)]
pub(crate) struct LiveIpv6CidrBlock {
    pub(crate) vpc: Id<Vpc>,
    pub(crate) cidr: Id<VpcAmazonIpv6CidrBlock>,
}

/// The ranges of IPv6 out of which a cluster's subnets are cut.
#[derive(Debug)]
pub(crate) struct Ipv6CidrBlocks(Looked<LiveIpv6CidrBlock>);

impl Look for Ipv6CidrBlocks {
    const AFTER: &'static [Looking] = &[Looking::of::<Vpcs>()];

    fn ask(_: &Asked, seen: &Seen) -> Option<Self> {
        Some(Self(seen.of::<LiveVpc>().flat_map(|vpc| {
            let cidr = Id::of_spec(vpc.ipv6_cidr.as_deref());
            let block = cidr.map(|cidr| LiveIpv6CidrBlock { vpc: vpc.id.clone(), cidr });
            block.into_iter().collect()
        })))
    }

    async fn read(self, _: &Aws) -> Result<Seen, AwsError> {
        Ok(Seen::default().with(self.0))
    }
}

impl Presence for VpcAmazonIpv6CidrBlock {
    const LOOKS: &'static [Looking] = &[Looking::of::<Ipv6CidrBlocks>()];

    const IS_SOUGHT: bool = false;

    /// It goes with its VPC.
    fn belongings(_: &Around<'_>) -> Vec<Belonging> {
        Vec::new()
    }
}

impl Manage for VpcAmazonIpv6CidrBlock {
    type Live = LiveIpv6CidrBlock;
    type Fields = VpcAmazonIpv6CidrBlockFields<Wanted>;

    fn id(&self) -> ResourceId {
        ResourceId::new(VpcAmazonIpv6CidrBlock::KIND, &self.name)
    }

    fn needs(&self) -> Vec<ResourceId> {
        vec![self.vpc.resource()]
    }

    fn is(&self, found: &LiveIpv6CidrBlock, view: View<'_>) -> bool {
        view.is(&self.vpc, &found.vpc)
    }

    /// What is part of something was found by that.
    fn marks<'a>(&self, _: &'a Self::Live, _: View<'a>) -> Vec<Marks<'a>> {
        Vec::new()
    }

    fn aws_id(found: &LiveIpv6CidrBlock) -> Id<Self> {
        found.cidr.clone()
    }

    fn wanted(&self, _: View<'_>) -> VpcAmazonIpv6CidrBlockFields<Wanted> {
        VpcAmazonIpv6CidrBlockFields { vpc: Want::Is(self.vpc.name.clone()) }
    }

    fn found(
        &self,
        found: &LiveIpv6CidrBlock,
        view: View<'_>,
    ) -> VpcAmazonIpv6CidrBlockFields<Found> {
        VpcAmazonIpv6CidrBlockFields { vpc: Some(view.name(&found.vpc).to_owned()) }
    }

    fn ownership(&self) -> Ownership {
        if self.shared { Ownership::Shared } else { Ownership::Ours }
    }

    fn obstacle(&self, _: View<'_>) -> Option<(String, String)> {
        self.shared.then(|| {
            (
                "the shared VPC has no range of IPv6, of which subnets could have a part"
                    .to_owned(),
                "have its owner give it one, or write whole ranges in spec.subnets[*].ipv6CIDR"
                    .to_owned(),
            )
        })
    }

    fn given(&self) -> Given<'_> {
        Given::nothing()
    }

    async fn create(&self, work: &Work<'_>) -> Result<Option<Id<Self>>, AwsError> {
        let vpc = work.id(&self.vpc)?;
        let creation = Creation { work, resource: &self.id(), operation: CREATE };
        let create = || self.create_one(work.aws, &vpc);
        creation.without_token(create, || self.standing(work.aws, &vpc)).await?;
        let cidr = work.waits.until(&self.id(), READY, || chosen(work.aws, &vpc)).await?;
        Ok(Some(cidr))
    }

    async fn update(
        &self,
        _: &Work<'_>,
        _: &Id<Self>,
        changed: &VpcAmazonIpv6CidrBlockFields<Changed>,
    ) -> Result<(), AwsError> {
        // A range is found by its VPC.
        let VpcAmazonIpv6CidrBlockFields { vpc: _ } = changed;
        Ok(())
    }

    #[cfg(test)]
    fn imagined(&self, _: &Id<Self>, view: View<'_>) -> LiveIpv6CidrBlock {
        LiveIpv6CidrBlock { vpc: view.id_of(&self.vpc), cidr: Id::imagined("2001:db8:0:100::/56") }
    }

    #[cfg(test)]
    fn disturbed(&self, _: &LiveIpv6CidrBlock) -> Vec<(&'static str, LiveIpv6CidrBlock)> {
        Vec::new()
    }
}

impl VpcAmazonIpv6CidrBlock {
    async fn create_one(&self, aws: &Aws, vpc: &Id<Vpc>) -> Result<Id<Self>, AwsError> {
        let call = aws.ec2.associate_vpc_cidr_block().vpc_id(vpc);
        let call = call.amazon_provided_ipv6_cidr_block(true).customize();
        let call = call.config_override(sent_once::<AssociateVpcCidrBlockError>());
        call.send().await.map_err(|error| AwsError::new(CREATE, vpc, error))?;
        Ok(Id::part(vpc, &self.name))
    }

    /// Any range of IPv6, and be it on its way: a VPC is given another at each call.
    async fn standing(
        &self,
        aws: &Aws,
        vpc: &Id<Vpc>,
    ) -> Result<Vec<Standing<Id<Self>>>, AwsError> {
        let has_one = vpc::ipv6_state(aws, vpc).await?.is_some();
        let standing = has_one.then(|| Standing { id: Id::part(vpc, &self.name), is_gone: false });
        Ok(standing.into_iter().collect())
    }
}

/// Waits for the range that AWS chooses.
async fn chosen(aws: &Aws, vpc: &Id<Vpc>) -> Result<Attempt<Id<VpcAmazonIpv6CidrBlock>>, AwsError> {
    let state = vpc::ipv6_state(aws, vpc).await?;
    Ok(match state.and_then(|cidr| Id::of_spec(cidr.as_deref())) {
        Some(cidr) => Attempt::Done(cidr),
        None => Attempt::NotYet(Held {
            holder: format!("the range of IPv6 of {vpc}"),
            error: AwsError {
                operation: CREATE,
                object: vpc.to_string(),
                fault: Fault::Other,
                message: "AWS has not yet chosen it".to_owned(),
            },
        }),
    })
}

impl Unclaimed for VpcAmazonIpv6CidrBlock {
    /// It goes with its VPC.
    fn unclaimed(_: &mut Sweep<'_>) {}
}

/// A range of IPv6 that a subnet is to have.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Ipv6Range {
    /// Out of the range that the VPC is given, where it is the cluster's own.
    Whole { range: String, block: Option<Ref<VpcAmazonIpv6CidrBlock>> },
    /// The one of this number among those with this prefix in the VPC's own.
    Numbered { prefix: u8, number: u64, of: Ref<VpcAmazonIpv6CidrBlock> },
}

impl Ipv6Range {
    /// The range in that of the VPC; `None` if it does not fit in.
    pub(crate) fn within(&self, vpc: &str) -> Option<String> {
        match self {
            Self::Whole { range, .. } => Some(range.clone()),
            Self::Numbered { prefix, number, .. } => {
                let vpc: Ipv6Net = vpc.parse().ok()?;
                let bits = prefix.checked_sub(vpc.prefix_len())?;
                let is_among = bits >= 64 || number >> bits == 0;
                let rest = 128_u32.checked_sub(u32::from(*prefix))?;
                let place = u128::from(*number).checked_shl(rest);
                // A shift by all bits places the first.
                let place = if *number == 0 { 0 } else { place.filter(|_| is_among)? };
                let address = u128::from(vpc.network()) | place;
                Ipv6Net::new(address.into(), *prefix).ok().map(|range| range.to_string())
            }
        }
    }

    /// How it is told where the VPC's is not known.
    pub(crate) fn tell(&self) -> String {
        match self {
            Self::Whole { range, .. } => range.clone(),
            Self::Numbered { prefix, number, .. } => format!("/{prefix}#{number:x}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbered_ranges_lie_in_that_of_the_vpc() {
        let range = |prefix, number| {
            let of = Ref::to("AmazonIPv6");
            Ipv6Range::Numbered { prefix, number, of }.within("2001:db8:0:100::/56")
        };
        for (prefix, number, expected) in [
            (64, 0, Some("2001:db8:0:100::/64")),
            (64, 0x1a, Some("2001:db8:0:11a::/64")),
            (64, 0xff, Some("2001:db8:0:1ff::/64")),
            (64, 0x100, None),
            (60, 0xf, Some("2001:db8:0:1f0::/60")),
            (60, 0x10, None),
            (56, 0, Some("2001:db8:0:100::/56")),
            (56, 1, None),
            (52, 0, None),
            (128, 1, Some("2001:db8:0:100::1/128")),
            (200, 0, None),
        ] {
            assert_eq!(range(prefix, number).as_deref(), expected, "/{prefix}#{number:x}");
        }
    }
}
