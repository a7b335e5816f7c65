//! `DNSZone`: the hosted zone of the cluster's names, which must exist, and its association
//! with the VPC where it is a private one.

use aws_sdk_route53::types::{Vpc, VpcRegion};

use crate::aws::{Answer, Aws, AwsError, Fault};
use crate::core::fields::{Changed, Found, Want, Wanted, fields};
use crate::core::kind::ResourceId;
use crate::core::manage::{Manage, Ownership, View};
use crate::core::whose::Marks;
use crate::core::work::Work;
use crate::route53::hosted_zone::LiveZone;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct DnsZone {
    /// Its name or id as the spec has it, or the cluster's name.
    pub(crate) name: String,
    pub(crate) region: String,
    /// The VPC that must see a private zone.
    pub(crate) private_to: Option<ResourceId>,
}

fields! { DnsZoneFields { vpc: String = "vpc" } }

/// A VPC that sees a private zone, both by their ids.
#[derive(Clone, Debug)]
pub(crate) struct ZoneVpc {
    pub(crate) zone: String,
    pub(crate) vpc: String,
}

/// The VPCs that see a private zone.
pub(crate) async fn vpcs(aws: &Aws, zone: &str) -> Result<Vec<ZoneVpc>, AwsError> {
    const OPERATION: &str = "route53:GetHostedZone";
    let answer = aws.route53.get_hosted_zone().id(zone).send().await;
    let answer = answer.map_err(|error| AwsError::new(OPERATION, zone, error))?;
    let given = answer.vpcs().iter();
    let row = |id| Ok(ZoneVpc { zone: zone.to_owned(), vpc: id? });
    given.map(|vpc| row(Answer::of(OPERATION, zone).id("VPCId", vpc.vpc_id()))).collect()
}

impl Manage for DnsZone {
    type Live = LiveZone;
    type Fields = DnsZoneFields<Wanted>;

    fn id(&self) -> ResourceId {
        ResourceId::new(DnsZone::KIND, &self.name)
    }

    fn needs(&self) -> Vec<ResourceId> {
        self.private_to.iter().cloned().collect()
    }

    fn is(&self, found: &LiveZone, view: View<'_>) -> bool {
        view.zone == Some(&found.id)
    }

    fn marks<'a>(&self, found: &'a LiveZone, _: View<'a>) -> Vec<Marks<'a>> {
        vec![Marks::of(&found.id).or_id(&found.name)]
    }

    fn aws_id(found: &LiveZone) -> String {
        found.id.clone()
    }

    fn wanted(&self, _: View<'_>) -> DnsZoneFields<Wanted> {
        DnsZoneFields { vpc: Want::if_told(self.private_to.as_ref().map(|vpc| vpc.name.clone())) }
    }

    fn found(&self, found: &LiveZone, view: View<'_>) -> DnsZoneFields<Found> {
        let mut seen_by = view.seen.rows::<ZoneVpc>().iter().filter(|row| row.zone == found.id);
        let sees = |vpc: &&ResourceId| seen_by.any(|row| view.is(vpc, &row.vpc));
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

    async fn create(&self, _: &Work<'_>) -> Result<Option<String>, AwsError> {
        Ok(None)
    }

    async fn update(
        &self,
        work: &Work<'_>,
        id: &str,
        changed: &DnsZoneFields<Changed>,
    ) -> Result<(), AwsError> {
        let DnsZoneFields { vpc: Some(_) } = changed else { return Ok(()) };
        let Some(vpc) = &self.private_to else { return Ok(()) };
        let vpc_id = work.id(vpc)?;
        let vpc = Vpc::builder()
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
    fn imagined(&self, id: &str, view: View<'_>) -> LiveZone {
        LiveZone {
            id: view.zone.unwrap_or(id).to_owned(),
            name: self.name.trim_end_matches('.').to_owned(),
            private: self.private_to.is_some(),
        }
    }

    /// Which VPCs see it, another call tells.
    #[cfg(test)]
    fn disturbed(&self, _: &LiveZone) -> Vec<(&'static str, LiveZone)> {
        Vec::new()
    }
}
