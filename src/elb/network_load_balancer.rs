//! `NetworkLoadBalancer`: a load balancer of class `Network`, before the API server or the bastions.
//!
//! It is found by its `Name` tag. One that was made without security groups takes none ever after
//! (ELB user guide for network load balancers, "Security groups"), so that a new one is made.

mod fields;
mod live;
mod wanted;

use std::collections::BTreeMap;

use aws_sdk_elasticloadbalancingv2::types::{
    IpAddressType, LoadBalancer as SdkBalancer, LoadBalancerAttribute, LoadBalancerSchemeEnum,
    LoadBalancerTypeEnum, SubnetMapping,
};

#[cfg(test)]
use super::access_log::AccessLog;
use super::load_balancer::scheme;
use super::revision::{self, Revision};
use super::tags;
use crate::aws::{Answer, Aws, AwsError, Fault, done, ec2};
use crate::core::deletion::Delete;
use crate::core::drift::Drift;
use crate::core::fields::{Changed, Changes as _, Fields as _, Found, Stuck, Want, Wanted, set};
use crate::core::given::Given;
use crate::core::holders::Holders;
use crate::core::id::{Address, Id, Ref};
use crate::core::kind::ResourceId;
use crate::core::manage::{Manage, View};
use crate::core::whose::{Marks, Owner, Taggable};
use crate::core::work::Work;
use crate::limits::{LOAD_BALANCER_NAME, truncated};
use fields::{NetworkLoadBalancerFields, Places};
#[cfg(test)]
use live::Attributes;
pub(crate) use live::LiveNetworkLoadBalancer;
use live::{CROSS_ZONE, DESCRIBE, LOG_BUCKET, LOG_PREFIX, LOGS, address};
pub(super) use live::{all, attributes};
pub(crate) use wanted::{NetworkLoadBalancer, OwnAddress, PlacedIn};

const CREATE: &str = "elasticloadbalancing:CreateLoadBalancer";

impl Manage for NetworkLoadBalancer {
    type Live = LiveNetworkLoadBalancer;
    type Fields = NetworkLoadBalancerFields<Wanted>;

    fn id(&self) -> ResourceId {
        ResourceId::new(NetworkLoadBalancer::KIND, &self.name)
    }

    fn needs(&self) -> Vec<ResourceId> {
        let subnets = self.subnets.iter().map(|place| place.subnet.resource());
        subnets.chain(self.security_groups.iter().map(Ref::resource)).collect()
    }

    fn is(&self, found: &LiveNetworkLoadBalancer, view: View<'_>) -> bool {
        match self.newest(view) {
            Some(newest) => {
                self.is_called(found, view)
                    && revision::rank(&found.tags) == Some(newest)
                    && !self.lacks_security_groups(found)
            }
            None => found.name == self.aws_name,
        }
    }

    fn marks<'a>(&self, found: &'a LiveNetworkLoadBalancer, _: View<'a>) -> Vec<Marks<'a>> {
        vec![found.marks()]
    }

    fn adopt(&self, found: &LiveNetworkLoadBalancer, owner: &Owner) -> Option<String> {
        Some(owner.adopt(&Taggable::Balancer(&found.arn)))
    }

    fn aws_id(found: &LiveNetworkLoadBalancer) -> Id<Self> {
        found.arn.clone()
    }

    fn address(found: &LiveNetworkLoadBalancer) -> Option<Address> {
        found.address.clone()
    }

    fn wanted(&self, _: View<'_>) -> NetworkLoadBalancerFields<Wanted> {
        let groups = self.security_groups.iter().map(|group| &group.name);
        NetworkLoadBalancerFields {
            scheme: Want::Is(scheme(self.internal).to_owned()),
            address_type: Want::Is(self.address_type().as_str().to_owned()),
            subnets: Want::Is(self.places()),
            security_groups: Want::maybe(set(groups)),
            cross_zone: Want::Is(self.cross_zone),
            access_log: Want::maybe(self.access_log.clone()),
            tags: Want::Is(self.tags.clone()),
        }
    }

    /// One that is internal and has IPv4 alone cannot get IPv6 (kops
    /// `upup/pkg/fi/cloudup/awstasks/network_load_balancer.go`).
    fn wanted_over(
        &self,
        found: &LiveNetworkLoadBalancer,
        view: View<'_>,
    ) -> NetworkLoadBalancerFields<Wanted> {
        let wanted = self.wanted(view);
        match found.internal && found.address_type == IpAddressType::Ipv4.as_str() {
            true => NetworkLoadBalancerFields { address_type: Want::Any, ..wanted },
            false => wanted,
        }
    }

    fn found(
        &self,
        found: &LiveNetworkLoadBalancer,
        view: View<'_>,
    ) -> NetworkLoadBalancerFields<Found> {
        let places = found.places.iter();
        let places = places.map(|one| (view.name(&one.subnet).to_owned(), one.address.clone()));
        let attributes = found.attributes.as_ref();
        NetworkLoadBalancerFields {
            scheme: Some(scheme(found.internal).to_owned()),
            address_type: Some(found.address_type.clone()),
            subnets: Some(Places(places.collect())),
            security_groups: set(found.security_groups.iter().map(|id| view.name(id))),
            cross_zone: attributes.map(|all| all.cross_zone),
            access_log: attributes.and_then(|all| all.access_log.clone()),
            tags: Some(found.tags.clone()),
        }
    }

    fn judge(
        &self,
        changed: &mut NetworkLoadBalancerFields<Changed>,
        found: &LiveNetworkLoadBalancer,
    ) -> Vec<Stuck> {
        let is_fixed = changed.subnets.as_ref().is_some_and(|delta| !fields::adds_alone(delta));
        if !is_fixed && changed.scheme.is_none() {
            return Vec::new();
        }
        let left = NetworkLoadBalancerFields {
            scheme: changed.scheme.take(),
            subnets: changed.subnets.take(),
            ..NetworkLoadBalancerFields::none()
        };
        let stuck = match is_fixed {
            true => Some(Stuck {
                drift: left.drift(),
                why: format!(
                    "{} keeps the subnets that it has, and its addresses in them",
                    found.arn
                ),
                next: "set the spec back, or delete the load balancer and run this again"
                    .to_owned(),
                is_borne: false,
            }),
            false => Stuck::borne(
                &left,
                "a load balancer's scheme cannot be changed, and its subnets go with it".to_owned(),
                "set the type in the spec back, or delete the load balancer and run this again"
                    .to_owned(),
            ),
        };
        stuck.into_iter().collect()
    }

    fn resolved(&self, view: View<'_>) -> Self {
        Self { replaces: self.newest(view).is_some(), ..self.clone() }
    }

    fn creation(&self, view: View<'_>) -> Drift {
        let wanted = self.wanted(view).difference(&NetworkLoadBalancerFields::nothing());
        let remark = "takes the place of one without security groups, which can get none; that \
                      stays until an update with --prune";
        let replaces = self.newest(view).is_some();
        Drift { remark: replaces.then_some(remark), ..self.told(&wanted) }
    }

    fn given(&self) -> Given<'_> {
        Given::name(&LOAD_BALANCER_NAME, &self.aws_name).plain_tags(&self.tags)
    }

    async fn create(&self, work: &Work<'_>) -> Result<Option<Id<Self>>, AwsError> {
        let made = self.create_one(work).await?;
        work.learn_address(self.id(), address(&made)?);
        let answer = Answer::of(CREATE, &self.aws_name);
        let arn = Id::given(answer, "LoadBalancerArn", made.load_balancer_arn())?;
        if self.cross_zone || self.access_log.is_some() {
            self.set_attributes(work, &arn).await?;
        }
        Ok(Some(arn))
    }

    async fn update(
        &self,
        work: &Work<'_>,
        id: &Id<Self>,
        changed: &NetworkLoadBalancerFields<Changed>,
    ) -> Result<(), AwsError> {
        let NetworkLoadBalancerFields {
            scheme: _,
            address_type,
            subnets,
            security_groups,
            cross_zone,
            access_log,
            tags,
        } = changed;
        if address_type.is_some() {
            let call = work.aws.elbv2.set_ip_address_type().load_balancer_arn(id);
            call.ip_address_type(self.address_type()).send().await.map_err(|error| {
                AwsError::new("elasticloadbalancing:SetIpAddressType", &self.name, error)
            })?;
        }
        if subnets.is_some() {
            let call = work.aws.elbv2.set_subnets().load_balancer_arn(id);
            let call = call.set_subnet_mappings(Some(self.mappings(work)?));
            call.send().await.map_err(|error| {
                AwsError::new("elasticloadbalancing:SetSubnets", &self.name, error)
            })?;
        }
        if security_groups.is_some() {
            let groups = Some(Id::texts(&work.ids(&self.security_groups)?));
            let call = work.aws.elbv2.set_security_groups().load_balancer_arn(id);
            call.set_security_groups(groups).send().await.map_err(|error| {
                AwsError::new("elasticloadbalancing:SetSecurityGroups", &self.name, error)
            })?;
        }
        if cross_zone.is_some() || access_log.is_some() {
            self.set_attributes(work, id).await?;
        }
        if tags.is_some() {
            tags::add(work, id, &self.tags).await?;
        }
        Ok(())
    }

    #[cfg(test)]
    fn imagined(&self, id: &Id<Self>, view: View<'_>) -> LiveNetworkLoadBalancer {
        let account = "arn:aws:elasticloadbalancing:us-west-2:123456789012";
        let dns_name = format!("{}-1.elb.us-west-2.amazonaws.com", self.aws_name);
        let places = self.subnets.iter().map(|place| live::Place {
            subnet: view.id_of(&place.subnet),
            address: place.address.as_ref().map(|own| own.text().to_owned()),
        });
        LiveNetworkLoadBalancer {
            arn: Id::imagined(format!("{account}:loadbalancer/net/{}/{id}", self.aws_name)),
            name: self.aws_name.clone(),
            is_network: true,
            address: Some(Address { dns_name, zone: "ZELB".to_owned() }),
            internal: self.internal,
            address_type: self.address_type().as_str().to_owned(),
            attributes: Some(Attributes {
                cross_zone: self.cross_zone,
                access_log: self.access_log.clone(),
            }),
            places: places.collect(),
            security_groups: self.security_groups.iter().map(|one| view.id_of(one)).collect(),
            tags: self.tags.clone(),
        }
    }

    #[cfg(test)]
    fn disturbed(
        &self,
        live: &LiveNetworkLoadBalancer,
    ) -> Vec<(&'static str, LiveNetworkLoadBalancer)> {
        type Live = LiveNetworkLoadBalancer;
        let other = live::Place { subnet: Id::imagined("other"), address: None };
        let log = AccessLog { bucket: "other".to_owned(), prefix: String::new(), interval: None };
        let with = |cross_zone, access_log| {
            let attributes = Some(Attributes { cross_zone, access_log });
            Live { attributes, ..live.clone() }
        };
        vec![
            ("scheme", Live { internal: !live.internal, ..live.clone() }),
            ("ipAddressType", Live { address_type: "other".to_owned(), ..live.clone() }),
            ("subnets", Live { places: vec![other], ..live.clone() }),
            (
                "securityGroups",
                Live { security_groups: vec![Id::imagined("other")], ..live.clone() },
            ),
            ("crossZoneLoadBalancing", with(!self.cross_zone, self.access_log.clone())),
            ("accessLog", with(self.cross_zone, Some(log))),
            ("tags", Live { tags: Self::lacking_one(&live.tags), ..live.clone() }),
        ]
    }
}

impl NetworkLoadBalancer {
    /// Whether something of the cluster's bears the name, by its tag or by AWS' name.
    fn is_called(&self, found: &LiveNetworkLoadBalancer, view: View<'_>) -> bool {
        let is_named = found.is_network && ec2::is_named(&found.tags, &self.name);
        (is_named || found.name == self.aws_name)
            && view.owns(NetworkLoadBalancer::KIND, &found.marks())
    }

    /// The rank of the newest that bears the name.
    fn newest(&self, view: View<'_>) -> Option<u64> {
        let rows = view.seen.rows::<LiveNetworkLoadBalancer>().iter();
        let called = rows.filter(|row| self.is_called(row, view));
        called.filter_map(|row| revision::rank(&row.tags)).max()
    }

    fn lacks_security_groups(&self, found: &LiveNetworkLoadBalancer) -> bool {
        found.security_groups.is_empty() && !self.security_groups.is_empty()
    }

    fn address_type(&self) -> IpAddressType {
        if self.dual_stack { IpAddressType::Dualstack } else { IpAddressType::Ipv4 }
    }

    fn places(&self) -> Places {
        let places = self.subnets.iter().map(|place| {
            let address = place.address.as_ref().map(|own| own.text().to_owned());
            (place.subnet.name.clone(), address)
        });
        Places(places.collect::<BTreeMap<_, _>>())
    }

    fn mappings(&self, work: &Work<'_>) -> Result<Vec<SubnetMapping>, AwsError> {
        let mappings = self.subnets.iter().map(|place| {
            let mapping = SubnetMapping::builder().subnet_id(work.id(&place.subnet)?);
            Ok(match &place.address {
                None => mapping,
                Some(OwnAddress::Elastic(id)) => mapping.allocation_id(id),
                Some(OwnAddress::Private(address)) => mapping.private_ipv4_address(address),
            }
            .build())
        });
        mappings.collect()
    }

    async fn create_one(&self, work: &Work<'_>) -> Result<SdkBalancer, AwsError> {
        let scheme = match self.internal {
            true => LoadBalancerSchemeEnum::Internal,
            false => LoadBalancerSchemeEnum::InternetFacing,
        };
        let revision = self.replaces.then(Revision::now);
        let (name, tags) = match &revision {
            None => (self.aws_name.clone(), self.tags.clone()),
            Some(revision) => {
                let whole = format!("{}-{}", self.aws_name, revision.text());
                let name = truncated::with_hash(&whole, LOAD_BALANCER_NAME.most);
                (name, revision.on(&self.tags))
            }
        };
        let call = work.aws.elbv2.create_load_balancer().name(&name);
        let answer = call
            .r#type(LoadBalancerTypeEnum::Network)
            .scheme(scheme.clone())
            .ip_address_type(self.address_type())
            .set_subnet_mappings(Some(self.mappings(work)?))
            .set_security_groups(Some(Id::texts(&work.ids(&self.security_groups)?)))
            .set_tags(Some(tags::to_sdk(&tags)))
            .send()
            .await
            .map_err(|error| AwsError::new(CREATE, &name, error));
        match answer {
            Ok(answer) => {
                let made = answer.load_balancers().first().cloned();
                Answer::of(CREATE, &name).part("LoadBalancers", made)
            }
            // The name is taken, perhaps by a call of ours whose answer was lost.
            Err(taken) if taken.fault == Fault::Conflict => {
                let is_as_wanted = |lb: &SdkBalancer| {
                    lb.load_balancer_name() == Some(&name)
                        && lb.r#type() == Some(&LoadBalancerTypeEnum::Network)
                        && lb.scheme() == Some(&scheme)
                };
                let mut found = all(work.aws).await?.into_iter().filter(is_as_wanted);
                let Some(found) = found.next() else { return Err(taken) };
                let answer = Answer::of(DESCRIBE, &name);
                let arn: Id<Self> =
                    Id::given(answer, "LoadBalancerArn", found.load_balancer_arn())?;
                tags::only_ours(work.aws, arn, &self.tags, taken).await?;
                Ok(found)
            }
            Err(error) => Err(error),
        }
    }

    async fn set_attributes(&self, work: &Work<'_>, arn: &Id<Self>) -> Result<(), AwsError> {
        let log = self.access_log.as_ref();
        let of_log =
            log.map(|log| [(LOG_BUCKET, log.bucket.clone()), (LOG_PREFIX, log.prefix.clone())]);
        let attributes =
            [(CROSS_ZONE, self.cross_zone.to_string()), (LOGS, log.is_some().to_string())]
                .into_iter()
                .chain(of_log.into_iter().flatten())
                .map(|(key, value)| LoadBalancerAttribute::builder().key(key).value(value).build());
        let call = work.aws.elbv2.modify_load_balancer_attributes().load_balancer_arn(arn);
        call.set_attributes(Some(attributes.collect())).send().await.map_err(|error| {
            let operation = "elasticloadbalancing:ModifyLoadBalancerAttributes";
            AwsError::new(operation, &self.aws_name, error)
        })?;
        Ok(())
    }
}

/// Deletes a network load balancer, by its ARN.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct NetworkLoadBalancerDeletion(pub(crate) Id<NetworkLoadBalancer>);

impl Delete for NetworkLoadBalancerDeletion {
    async fn attempt(&self, aws: &Aws) -> Result<(), AwsError> {
        let Self(arn) = self;
        let call = aws.elbv2.delete_load_balancer().load_balancer_arn(arn);
        done("elasticloadbalancing:DeleteLoadBalancer", arn, call.send().await)
    }

    async fn holders(&self, _: &Work<'_>, holders: &mut Holders) -> Result<(), AwsError> {
        // AWS names in its message what uses one.
        holders.add(false, "what AWS names".to_owned());
        Ok(())
    }
}
