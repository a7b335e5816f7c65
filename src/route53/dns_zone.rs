//! `DNSZone`: the hosted zone of the cluster's names, which must exist, and its association
//! with the VPC where it is a private one.

use aws_sdk_route53::types::{Vpc as SdkVpc, VpcRegion};

use crate::aws::{Answer, Aws, AwsError, Fault};
use crate::core::belongings::{Around, Belonging, Presence};
use crate::core::fields::{Changed, Found, Want, Wanted, fields};
use crate::core::given::Given;
use crate::core::id::{Id, Ref};
use crate::core::kind::ResourceId;
use crate::core::look::{Asked, Look, Looking};
use crate::core::manage::{Manage, Ownership, View};
use crate::core::seen::{Looked, Seen};
use crate::core::sweep::{Sweep, Unclaimed};
use crate::core::whose::Marks;
use crate::core::work::Work;
use crate::iam::look::BroughtProfile;
use crate::iam::role_policy::{Content, IamRolePolicy};
pub(crate) use crate::route53::hosted_zone::DnsZone;
use crate::route53::hosted_zone::{self, HostedZone, LiveZone};
use crate::vpc::vpc::Vpc;

fields! { DnsZoneFields { vpc: String = "vpc" } }

/// A VPC that sees a private zone.
#[derive(Clone, Debug)]
pub(crate) struct ZoneVpc {
    pub(crate) zone: Id<DnsZone>,
    pub(crate) vpc: Id<Vpc>,
}

/// All hosted zones of the account.
#[derive(Debug)]
pub(crate) struct HostedZones;

impl Look for HostedZones {
    const AFTER: &'static [Looking] = &[];

    fn ask(asked: &Asked, _: &Seen) -> Option<Self> {
        let zone = asked.wanted::<HostedZone>().first()?;
        if asked.everything() {
            return (*zone != HostedZone::None).then_some(Self);
        }
        let of_role = asked
            .wanted::<IamRolePolicy>()
            .iter()
            .any(|policy| matches!(&policy.content, Content::Role(policy) if policy.needs_zone()));
        let brought = asked.wanted::<BroughtProfile>().iter().any(|profile| profile.needs_zone);
        let by_policies = (of_role || brought) && zone.is_looked_up();
        (by_policies || asked.looks_at(&[DnsZone::KIND])).then_some(Self)
    }

    async fn read(self, aws: &Aws) -> Result<Seen, AwsError> {
        Ok(Seen::default().with(Looked::sort(hosted_zone::read(aws).await)?))
    }
}

/// The cluster's zone, if it is known.
pub(super) fn own<'a>(asked: &Asked, seen: &'a Seen) -> Option<&'a LiveZone> {
    let zones = seen.rows::<LiveZone>();
    let found = hosted_zone::find(asked.wanted::<HostedZone>().first()?, zones).ok()??;
    zones.iter().find(|zone| zone.id == found)
}

/// The VPCs that see the cluster's zone, if that is a private one.
#[derive(Debug)]
pub(crate) struct ZoneVpcs {
    zone: Id<DnsZone>,
}

impl Look for ZoneVpcs {
    const AFTER: &'static [Looking] = &[Looking::of::<HostedZones>()];

    fn ask(asked: &Asked, seen: &Seen) -> Option<Self> {
        let zone = own(asked, seen).filter(|zone| zone.private)?;
        let is_asked = asked.looks_at(&[DnsZone::KIND]) && !asked.everything();
        is_asked.then(|| Self { zone: zone.id.clone() })
    }

    async fn read(self, aws: &Aws) -> Result<Seen, AwsError> {
        Ok(Seen::default().with(Looked::sort(vpcs(aws, &self.zone).await)?))
    }
}

impl Presence for DnsZone {
    const LOOKS: &'static [Looking] = &[Looking::of::<HostedZones>(), Looking::of::<ZoneVpcs>()];

    const IS_SOUGHT: bool = false;

    /// It was there before the cluster.
    fn belongings(_: &Around<'_>) -> Vec<Belonging> {
        Vec::new()
    }
}

/// The VPCs that see a private zone.
async fn vpcs(aws: &Aws, zone: &Id<DnsZone>) -> Result<Vec<ZoneVpc>, AwsError> {
    const OPERATION: &str = "route53:GetHostedZone";
    let answer = aws.route53.get_hosted_zone().id(zone).send().await;
    let answer = answer.map_err(|error| AwsError::new(OPERATION, zone, error))?;
    let given = answer.vpcs().iter();
    let row = |id| Ok(ZoneVpc { zone: zone.clone(), vpc: id? });
    given.map(|vpc| row(Id::given(Answer::of(OPERATION, zone), "VPCId", vpc.vpc_id()))).collect()
}

impl Manage for DnsZone {
    type Live = LiveZone;
    type Fields = DnsZoneFields<Wanted>;

    fn id(&self) -> ResourceId {
        ResourceId::new(DnsZone::KIND, &self.name)
    }

    fn needs(&self) -> Vec<ResourceId> {
        self.private_to.iter().map(Ref::resource).collect()
    }

    fn is(&self, found: &LiveZone, view: View<'_>) -> bool {
        view.zone == Some(found.id.as_str())
    }

    fn marks<'a>(&self, found: &'a LiveZone, _: View<'a>) -> Vec<Marks<'a>> {
        vec![Marks::of(&found.id).or_id(&found.name)]
    }

    fn aws_id(found: &LiveZone) -> Id<Self> {
        found.id.clone()
    }

    fn wanted(&self, _: View<'_>) -> DnsZoneFields<Wanted> {
        DnsZoneFields { vpc: Want::if_told(self.private_to.as_ref().map(|vpc| vpc.name.clone())) }
    }

    fn found(&self, found: &LiveZone, view: View<'_>) -> DnsZoneFields<Found> {
        let mut seen_by = view.seen.rows::<ZoneVpc>().iter().filter(|row| row.zone == found.id);
        let sees = |vpc: &&Ref<Vpc>| seen_by.any(|row| view.is(vpc, &row.vpc));
        let vpc = self.private_to.as_ref().filter(sees);
        DnsZoneFields { vpc: vpc.map(|vpc| vpc.name.clone()) }
    }

    fn unseen(&self, found: Option<&LiveZone>, view: View<'_>) -> Option<AwsError> {
        found.and(self.private_to.as_ref())?;
        view.seen.of::<ZoneVpc>().refused().cloned()
    }

    fn ownership(&self) -> Ownership {
        Ownership::Shared
    }

    fn obstacle(&self, view: View<'_>) -> Option<(String, String)> {
        Some((
            format!("the account has no hosted zone {}", view.zone.unwrap_or_default()),
            "create the zone, or set spec.dnsZone to the id or name of another".to_owned(),
        ))
    }

    fn given(&self) -> Given<'_> {
        Given::nothing()
    }

    async fn create(&self, _: &Work<'_>) -> Result<Option<Id<Self>>, AwsError> {
        Ok(None)
    }

    async fn update(
        &self,
        work: &Work<'_>,
        id: &Id<Self>,
        changed: &DnsZoneFields<Changed>,
    ) -> Result<(), AwsError> {
        let DnsZoneFields { vpc: Some(_) } = changed else { return Ok(()) };
        let Some(vpc) = &self.private_to else { return Ok(()) };
        let vpc_id = work.id(vpc)?;
        let vpc = SdkVpc::builder()
            .vpc_id(&vpc_id)
            .vpc_region(VpcRegion::from(self.region.as_str()))
            .build();
        let call = work.aws.route53.associate_vpc_with_hosted_zone();
        let answer = call.hosted_zone_id(id).vpc(vpc).send().await;
        let operation = "route53:AssociateVPCWithHostedZone";
        match answer.map_err(|error| AwsError::new(operation, &self.name, error)) {
            // The VPC sees such a zone, perhaps by a call of ours whose answer was lost.
            Err(error) if error.fault == Fault::Conflict => {
                let seen_by = vpcs(work.aws, id).await?;
                if seen_by.iter().any(|row| row.vpc == vpc_id) { Ok(()) } else { Err(error) }
            }
            answer => answer.map(drop),
        }
    }

    #[cfg(test)]
    fn imagined(&self, id: &Id<Self>, view: View<'_>) -> LiveZone {
        // One that the spec names by its id is called as the cluster is.
        let name = if self.name.contains('.') { &self.name } else { view.owner.cluster() };
        LiveZone {
            id: view.zone.map_or_else(|| id.clone(), Id::imagined),
            name: name.trim_end_matches('.').to_owned(),
            private: self.private_to.is_some(),
        }
    }

    /// Which VPCs see it, another call tells.
    #[cfg(test)]
    fn disturbed(&self, _: &LiveZone) -> Vec<(&'static str, LiveZone)> {
        Vec::new()
    }
}

impl Unclaimed for DnsZone {
    /// Zones are the user's own.
    fn unclaimed(_: &mut Sweep<'_>) {}
}
