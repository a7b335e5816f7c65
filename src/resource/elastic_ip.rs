//! `ElasticIP`: the public address of a NAT gateway.

use aws_sdk_ec2::types::{DomainType, ResourceType};

use super::ids::Work;
use super::live::Live;
use super::managed::{Fields, Looked, Manage, Ownership, Update, View};
use super::{Kind, ResourceId, Tags, ec2};
use crate::aws::{Aws, AwsError};

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ElasticIp {
    pub(crate) name: String,
    /// An address of the user's own.
    pub(crate) existing: Option<String>,
    /// The utility subnet in which the NAT gateway stands that uses it.
    pub(crate) subnet: ResourceId,
    pub(crate) tags: Tags,
}

#[derive(Clone, Debug)]
pub(crate) struct LiveElasticIp {
    /// The id of its allocation.
    pub(crate) id: String,
    pub(crate) address: String,
    pub(crate) tags: Tags,
}

/// Reads the account's addresses of the region; there are few.
pub(super) async fn observe(aws: &Aws) -> Result<Looked<LiveElasticIp>, AwsError> {
    let answer = aws.ec2.describe_addresses().send().await;
    let answer = answer.map_err(|error| AwsError::new("ec2:DescribeAddresses", "", error));
    Looked::sort(answer.map(|answer| {
        let live = answer.addresses().iter().filter_map(|address| {
            Some(LiveElasticIp {
                id: address.allocation_id()?.to_owned(),
                address: address.public_ip().unwrap_or_default().to_owned(),
                tags: ec2::tags_from_sdk(address.tags()),
            })
        });
        live.collect()
    }))
}

impl Manage for ElasticIp {
    type Live = LiveElasticIp;

    fn id(&self) -> ResourceId {
        ResourceId::new(Kind::ElasticIp, &self.name)
    }

    fn needs(&self) -> Vec<ResourceId> {
        Vec::new()
    }

    fn looked(live: &Live) -> &Looked<LiveElasticIp> {
        &live.elastic_ips
    }

    fn is(&self, found: &LiveElasticIp, view: View<'_>) -> bool {
        if let Some(address) = &self.existing {
            return found.address == *address;
        }
        // Old versions of kops left the address without tags; it is told by its gateway.
        let mut gateways = view.live.nat_gateways.rows().iter();
        let used = gateways.find_map(|gateway| {
            let ours = view.is(&self.subnet, &gateway.subnet) && gateway.is_of(&self.tags);
            ours.then_some(gateway.elastic_ip.as_deref())?
        });
        match used {
            Some(used) => found.id == used,
            None => {
                let cluster = |tags: &Tags| tags.get(ec2::CLUSTER_TAG).cloned();
                ec2::is_named(&found.tags, &self.name)
                    && cluster(&found.tags) == cluster(&self.tags)
            }
        }
    }

    fn aws_id(found: &LiveElasticIp) -> String {
        found.id.clone()
    }

    fn wanted(&self, _: View<'_>) -> Fields {
        Fields::default().tags(&self.tags)
    }

    fn found(&self, found: &LiveElasticIp, _: View<'_>) -> Fields {
        Fields::default().tags(&found.tags)
    }

    fn ownership(&self) -> Ownership {
        if self.existing.is_some() { Ownership::Shared } else { Ownership::Ours }
    }

    async fn create(&self, work: &Work<'_>) -> Result<Option<String>, AwsError> {
        let call = work.aws.ec2.allocate_address().domain(DomainType::Vpc);
        let tags = ec2::specification(ResourceType::ElasticIp, &self.tags);
        let answer = call.tag_specifications(tags).send().await;
        let answer =
            answer.map_err(|error| AwsError::new("ec2:AllocateAddress", &self.name, error))?;
        Ok(answer.allocation_id)
    }

    async fn update(&self, work: &Work<'_>, update: &Update) -> Result<(), AwsError> {
        ec2::tag(work.aws, &update.id, &self.tags).await
    }
}
