//! `VPCCIDRBlock`: a range of addresses of a VPC beside its first.

use super::ids::Work;
use super::live::Live;
use super::managed::{Fields, Looked, Manage, Update, View};
use super::{Kind, ResourceId};
use crate::aws::AwsError;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct VpcCidrBlock {
    pub(crate) cidr: String,
    pub(crate) vpc: ResourceId,
}

#[derive(Clone, Debug)]
pub(crate) struct LiveCidrBlock {
    pub(crate) vpc: String,
    pub(crate) cidr: String,
}

impl Manage for VpcCidrBlock {
    type Live = LiveCidrBlock;

    fn id(&self) -> ResourceId {
        ResourceId::new(Kind::VpcCidrBlock, &self.cidr)
    }

    fn needs(&self) -> Vec<ResourceId> {
        vec![self.vpc.clone()]
    }

    fn looked(live: &Live) -> &Looked<LiveCidrBlock> {
        &live.cidr_blocks
    }

    fn is(&self, found: &LiveCidrBlock, view: View<'_>) -> bool {
        found.cidr == self.cidr && view.is(&self.vpc, &found.vpc)
    }

    fn aws_id(found: &LiveCidrBlock) -> String {
        found.cidr.clone()
    }

    fn wanted(&self, _: View<'_>) -> Fields {
        Fields::default().with("vpc", &self.vpc.name)
    }

    fn found(&self, found: &LiveCidrBlock, view: View<'_>) -> Fields {
        Fields::default().with("vpc", view.name(&found.vpc))
    }

    async fn create(&self, work: &Work<'_>) -> Result<Option<String>, AwsError> {
        let vpc = work.id(&self.vpc)?;
        let call = work.aws.ec2.associate_vpc_cidr_block().vpc_id(vpc).cidr_block(&self.cidr);
        call.send()
            .await
            .map_err(|error| AwsError::new("ec2:AssociateVpcCidrBlock", &self.cidr, error))?;
        Ok(None)
    }

    async fn update(&self, _: &Work<'_>, _: &Update) -> Result<(), AwsError> {
        Ok(())
    }
}
