//! `VPCCIDRBlock`: a range of addresses of a VPC beside its first.

use aws_sdk_ec2::operation::associate_vpc_cidr_block::AssociateVpcCidrBlockError;
use ipnet::IpNet;

use crate::aws::{Aws, AwsError, done, sent_once};
use crate::core::belongings::{Around, Belonging, Presence};
use crate::core::creation::{Creation, Standing};
use crate::core::deletion::Delete;
use crate::core::fields::{Changed, Found, Want, Wanted, fields};
use crate::core::given::Given;
use crate::core::holders::Holders;
use crate::core::id::{Id, Ref};
use crate::core::kind::ResourceId;
use crate::core::look::{Asked, Look, Looking};
use crate::core::manage::{Manage, View};
use crate::core::seen::{Looked, Seen};
use crate::core::sweep::{Offer, Place, Sweep, Unclaimed};
use crate::core::whose::Marks;
use crate::core::work::Work;
use crate::vpc::subnet::{LiveSubnet, Subnet};
use crate::vpc::vpc::{self, LiveVpc, Vpc, Vpcs};

const CREATE: &str = "ec2:AssociateVpcCidrBlock";

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct VpcCidrBlock {
    pub(crate) cidr: String,
    pub(crate) vpc: Ref<Vpc>,
}

fields! { VpcCidrBlockFields { vpc: String = "vpc" } }

#[derive(Clone, Debug)]
pub(crate) struct LiveCidrBlock {
    pub(crate) vpc: Id<Vpc>,
    pub(crate) cidr: String,
}

/// The ranges of VPCs beside their first.
#[derive(Debug)]
pub(crate) struct CidrBlocks(Looked<LiveCidrBlock>);

impl Look for CidrBlocks {
    const AFTER: &'static [Looking] = &[Looking::of::<Vpcs>()];

    fn ask(_: &Asked, seen: &Seen) -> Option<Self> {
        Some(Self(seen.of::<LiveVpc>().flat_map(|vpc| {
            let cidrs = vpc.more_cidrs.iter().map(|(cidr, _)| cidr.clone());
            cidrs.map(|cidr| LiveCidrBlock { vpc: vpc.id.clone(), cidr }).collect()
        })))
    }

    async fn read(self, _: &Aws) -> Result<Seen, AwsError> {
        Ok(Seen::default().with(self.0))
    }
}

impl Presence for VpcCidrBlock {
    const LOOKS: &'static [Looking] = &[Looking::of::<CidrBlocks>()];

    const IS_SOUGHT: bool = false;

    /// They go with their VPC.
    fn belongings(_: &Around<'_>) -> Vec<Belonging> {
        Vec::new()
    }
}

impl Manage for VpcCidrBlock {
    type Live = LiveCidrBlock;
    type Fields = VpcCidrBlockFields<Wanted>;

    fn id(&self) -> ResourceId {
        ResourceId::new(VpcCidrBlock::KIND, &self.cidr)
    }

    fn needs(&self) -> Vec<ResourceId> {
        vec![self.vpc.resource()]
    }

    fn is(&self, found: &LiveCidrBlock, view: View<'_>) -> bool {
        found.cidr == self.cidr && view.is(&self.vpc, &found.vpc)
    }

    /// What is part of something was found by that.
    fn marks<'a>(&self, _: &'a Self::Live, _: View<'a>) -> Vec<Marks<'a>> {
        Vec::new()
    }

    fn aws_id(found: &LiveCidrBlock) -> Id<Self> {
        Id::part(&found.vpc, &found.cidr)
    }

    fn wanted(&self, _: View<'_>) -> VpcCidrBlockFields<Wanted> {
        VpcCidrBlockFields { vpc: Want::Is(self.vpc.name.clone()) }
    }

    fn found(&self, found: &LiveCidrBlock, view: View<'_>) -> VpcCidrBlockFields<Found> {
        VpcCidrBlockFields { vpc: Some(view.name(&found.vpc).to_owned()) }
    }

    fn given(&self) -> Given<'_> {
        Given::nothing()
    }

    async fn create(&self, work: &Work<'_>) -> Result<Option<Id<Self>>, AwsError> {
        let vpc = work.id(&self.vpc)?;
        let creation = Creation { work, resource: &self.id(), operation: CREATE };
        let create = || self.create_one(work.aws, &vpc);
        creation.without_token(create, || self.standing(work.aws, &vpc)).await.map(|_| None)
    }

    async fn update(
        &self,
        _: &Work<'_>,
        _: &Id<Self>,
        changed: &VpcCidrBlockFields<Changed>,
    ) -> Result<(), AwsError> {
        // A range is found by its VPC.
        let VpcCidrBlockFields { vpc: _ } = changed;
        Ok(())
    }

    #[cfg(test)]
    fn imagined(&self, _: &Id<Self>, view: View<'_>) -> LiveCidrBlock {
        LiveCidrBlock { vpc: view.id_of(&self.vpc), cidr: self.cidr.clone() }
    }

    #[cfg(test)]
    fn disturbed(&self, _: &LiveCidrBlock) -> Vec<(&'static str, LiveCidrBlock)> {
        Vec::new()
    }
}

impl VpcCidrBlock {
    async fn create_one(&self, aws: &Aws, vpc: &Id<Vpc>) -> Result<Id<Self>, AwsError> {
        let call = aws.ec2.associate_vpc_cidr_block().vpc_id(vpc).cidr_block(&self.cidr);
        let call = call.customize().config_override(sent_once::<AssociateVpcCidrBlockError>());
        let answer = call.send().await;
        answer.map_err(|error| AwsError::new(CREATE, &self.cidr, error))?;
        Ok(Id::part(vpc, &self.cidr))
    }

    /// The range itself, if the VPC has it.
    async fn standing(
        &self,
        aws: &Aws,
        vpc: &Id<Vpc>,
    ) -> Result<Vec<Standing<Id<Self>>>, AwsError> {
        let has_it = vpc::has_range(aws, vpc, &self.cidr).await?;
        let standing = has_it.then(|| Standing { id: Id::part(vpc, &self.cidr), is_gone: false });
        Ok(standing.into_iter().collect())
    }
}

/// Takes a range from a VPC beside its first, by the id of its association.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct CidrBlockDeletion(pub(crate) String);

impl Delete for CidrBlockDeletion {
    async fn attempt(&self, aws: &Aws) -> Result<(), AwsError> {
        let Self(association) = self;
        let call = aws.ec2.disassociate_vpc_cidr_block().association_id(association);
        done("ec2:DisassociateVpcCidrBlock", association, call.send().await)
    }

    async fn holders(&self, _: &Work<'_>, _: &mut Holders) -> Result<(), AwsError> {
        Ok(())
    }
}

impl Unclaimed for VpcCidrBlock {
    /// Ranges of the cluster's own VPC beside its first.
    fn unclaimed(sweep: &mut Sweep<'_>) {
        for vpc in sweep.rows::<LiveVpc>(VpcCidrBlock::KIND) {
            let is_ours = sweep.whose(Vpc::KIND, &vpc.marks()).is_owned();
            if !is_ours || !sweep.is_found(&Place::new(Vpc::KIND, &vpc.id)) {
                continue;
            }
            for (cidr, association) in &vpc.more_cidrs {
                let id = ResourceId::new(VpcCidrBlock::KIND, cidr);
                if sweep.is_wanted(&id) {
                    continue;
                }
                let place = Place::new(VpcCidrBlock::KIND, association);
                let subnets = sweep.view().seen.rows::<LiveSubnet>().iter();
                for subnet in subnets.filter(|one| one.vpc == vpc.id && lies_in(&one.cidr, cidr)) {
                    let why = sweep.until_then(&format!("{} lies in it", subnet.id));
                    let subnet = Place::new(Subnet::KIND, &subnet.id);
                    sweep.hold_unless_gone(place.clone(), subnet, why);
                }
                sweep.offer(Offer::new(id, place, CidrBlockDeletion(association.clone())));
            }
        }
    }
}

fn lies_in(subnet: &str, range: &str) -> bool {
    let net = |text: &str| text.parse::<IpNet>();
    matches!((net(subnet), net(range)), (Ok(subnet), Ok(range)) if range.contains(&subnet))
}
