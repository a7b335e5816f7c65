//! `VPCDHCPOptionsAssociation`: which DHCP options a VPC uses.

use crate::aws::AwsError;
use crate::core::belongings::{Around, Belonging, Presence};
use crate::core::fields::{Changed, Found, Want, Wanted, fields};
use crate::core::given::Given;
use crate::core::id::{Id, Ref};
use crate::core::kind::ResourceId;
use crate::core::look::Looking;
use crate::core::manage::{Manage, View};
use crate::core::sweep::{Sweep, Unclaimed};
use crate::core::whose::Marks;
use crate::core::work::Work;
use crate::vpc::dhcp_options::DhcpOptions;
use crate::vpc::vpc::{LiveVpc, Vpc, Vpcs};

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct VpcDhcpOptionsAssociation {
    pub(crate) name: String,
    pub(crate) vpc: Ref<Vpc>,
    pub(crate) options: Ref<DhcpOptions>,
}

fields! { DhcpOptionsAssociationFields { options: String = "dhcpOptions" } }

impl Presence for VpcDhcpOptionsAssociation {
    const LOOKS: &'static [Looking] = &[Looking::of::<Vpcs>()];

    const IS_SOUGHT: bool = false;

    /// A VPC that goes has none any more.
    fn belongings(_: &Around<'_>) -> Vec<Belonging> {
        Vec::new()
    }
}

impl Manage for VpcDhcpOptionsAssociation {
    type Live = LiveVpc;
    type Fields = DhcpOptionsAssociationFields<Wanted>;

    fn id(&self) -> ResourceId {
        ResourceId::new(VpcDhcpOptionsAssociation::KIND, &self.name)
    }

    fn needs(&self) -> Vec<ResourceId> {
        vec![self.vpc.resource(), self.options.resource()]
    }

    fn is(&self, found: &LiveVpc, view: View<'_>) -> bool {
        view.is(&self.vpc, &found.id)
    }

    /// What is part of something was found by that.
    fn marks<'a>(&self, _: &'a Self::Live, _: View<'a>) -> Vec<Marks<'a>> {
        Vec::new()
    }

    fn aws_id(found: &LiveVpc) -> Id<Self> {
        Id::part(&found.id, &found.dhcp_options)
    }

    fn wanted(&self, _: View<'_>) -> DhcpOptionsAssociationFields<Wanted> {
        DhcpOptionsAssociationFields { options: Want::Is(self.options.name.clone()) }
    }

    fn found(&self, found: &LiveVpc, view: View<'_>) -> DhcpOptionsAssociationFields<Found> {
        DhcpOptionsAssociationFields { options: Some(view.name(&found.dhcp_options).to_owned()) }
    }

    fn given(&self) -> Given<'_> {
        Given::nothing()
    }

    async fn create(&self, work: &Work<'_>) -> Result<Option<Id<Self>>, AwsError> {
        self.associate(work).await?;
        Ok(None)
    }

    async fn update(
        &self,
        work: &Work<'_>,
        _: &Id<Self>,
        changed: &DhcpOptionsAssociationFields<Changed>,
    ) -> Result<(), AwsError> {
        let DhcpOptionsAssociationFields { options: Some(_) } = changed else { return Ok(()) };
        self.associate(work).await
    }

    /// What was found is the VPC, which is there before it.
    #[cfg(test)]
    fn imagined(&self, _: &Id<Self>, view: View<'_>) -> LiveVpc {
        let vpcs = view.seen.rows::<LiveVpc>();
        let vpc = vpcs.iter().find(|vpc| self.is(vpc, view)).unwrap();
        LiveVpc { dhcp_options: view.id_of(&self.options), ..vpc.clone() }
    }

    #[cfg(test)]
    fn disturbed(&self, live: &LiveVpc) -> Vec<(&'static str, LiveVpc)> {
        vec![("dhcpOptions", LiveVpc { dhcp_options: Id::imagined("dopt-other"), ..live.clone() })]
    }

    /// A VPC has always some.
    #[cfg(test)]
    fn without(&self, live: &LiveVpc) -> Option<LiveVpc> {
        Some(LiveVpc { dhcp_options: Id::imagined("dopt-default"), ..live.clone() })
    }
}

impl VpcDhcpOptionsAssociation {
    async fn associate(&self, work: &Work<'_>) -> Result<(), AwsError> {
        let (vpc, options) = (work.id(&self.vpc)?, work.id(&self.options)?);
        let call = work.aws.ec2.associate_dhcp_options().vpc_id(&vpc).dhcp_options_id(options);
        call.send().await.map_err(|error| AwsError::new("ec2:AssociateDhcpOptions", vpc, error))?;
        Ok(())
    }
}

impl Unclaimed for VpcDhcpOptionsAssociation {
    /// There is always one, if only of AWS' own options.
    fn unclaimed(_: &mut Sweep<'_>) {}
}
