//! `EgressOnlyInternetGateway`: the way of instances in private subnets to the internet of IPv6.

use std::collections::BTreeSet;

use aws_sdk_ec2::types::{Filter, ResourceType};

use crate::aws::tags::Tags;
use crate::aws::{Answer, Aws, AwsError, done, ec2};
use crate::core::belongings::{Around, Belonging, Presence};
use crate::core::creation::{Creation, Standing};
use crate::core::deletion::Delete;
use crate::core::fields::{Changed, Found, Stuck, Want, Wanted, fields};
use crate::core::given::Given;
use crate::core::holders::Holders;
use crate::core::id::{Id, Ref};
use crate::core::kind::ResourceId;
use crate::core::look::{Asked, Look, Looking};
use crate::core::manage::{self, Manage, Ownership, View};
use crate::core::seen::{Looked, Seen};
use crate::core::sweep::{Sweep, Unclaimed};
use crate::core::whose::{Marks, Owner, Taggable};
use crate::core::work::Work;
use crate::vpc::vpc::{LiveVpc, Vpc, Vpcs};

const DESCRIBE: &str = "ec2:DescribeEgressOnlyInternetGateways";
const CREATE: &str = "ec2:CreateEgressOnlyInternetGateway";

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct EgressOnlyInternetGateway {
    pub(crate) name: String,
    /// Whether it came with a VPC that the cluster shares.
    pub(crate) shared: bool,
    pub(crate) vpc: Ref<Vpc>,
    pub(crate) tags: Tags,
}

fields! { EgressOnlyInternetGatewayFields {
    vpcs: BTreeSet<String> = "vpc",
    tags: Tags = "tags",
} }

#[derive(Clone, Debug)]
pub(crate) struct LiveEgressOnlyInternetGateway {
    pub(crate) id: Id<EgressOnlyInternetGateway>,
    pub(crate) vpcs: Vec<Id<Vpc>>,
    pub(crate) tags: Tags,
}

impl LiveEgressOnlyInternetGateway {
    /// Whoever has a VPC, has its way out.
    fn marks<'a>(&'a self, vpcs: &'a [LiveVpc], owner: &Owner) -> Marks<'a> {
        let marks = Marks::of(&self.id).tags(&self.tags);
        let own = vpcs.iter().filter(|vpc| self.vpcs.contains(&vpc.id));
        let mut judged = own.map(|vpc| (&vpc.id, owner.whose(Vpc::KIND, &vpc.marks())));
        match judged.find(|(_, whose)| !whose.is_owned()) {
            Some((vpc, whose)) => marks.hangs_on(format!("part of {vpc}"), whose),
            None => marks,
        }
    }
}

/// The account's gateways of the region; there are few, and AWS chooses them by tags alone.
#[derive(Debug)]
pub(crate) struct EgressOnlyInternetGateways;

impl Look for EgressOnlyInternetGateways {
    const AFTER: &'static [Looking] = &[];

    fn ask(asked: &Asked, _: &Seen) -> Option<Self> {
        asked.looks_at(&[EgressOnlyInternetGateway::KIND]).then_some(Self)
    }

    async fn read(self, aws: &Aws) -> Result<Seen, AwsError> {
        Ok(Seen::default().with(Looked::sort(read(aws, Vec::new()).await)?))
    }
}

impl Presence for EgressOnlyInternetGateway {
    const LOOKS: &'static [Looking] =
        &[Looking::of::<EgressOnlyInternetGateways>(), Looking::of::<Vpcs>()];

    const IS_SOUGHT: bool = false;

    fn belongings(around: &Around<'_>) -> Vec<Belonging> {
        let vpcs = around.seen.rows::<LiveVpc>();
        let gateways = around.seen.rows::<LiveEgressOnlyInternetGateway>().iter();
        let gateways = gateways.filter_map(|gateway| {
            let deletion = EgressOnlyInternetGatewayDeletion(gateway.id.clone());
            around.by_id(Self::KIND, &gateway.marks(vpcs, around.owner), deletion)
        });
        gateways.map(Belonging::around_instances).collect()
    }
}

async fn read(
    aws: &Aws,
    chosen: Vec<Filter>,
) -> Result<Vec<LiveEgressOnlyInternetGateway>, AwsError> {
    let call = aws.ec2.describe_egress_only_internet_gateways().set_filters(Some(chosen));
    let rows = call.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
    let rows = rows.map_err(|error| AwsError::new(DESCRIBE, "", error))?;
    let live = rows.iter().map(|gateway| {
        let id = gateway.egress_only_internet_gateway_id();
        let id = Id::given(Answer::of(DESCRIBE, ""), "egressOnlyInternetGatewayId", id)?;
        let answer = Answer::of(DESCRIBE, &id);
        let vpcs = gateway.attachments().iter().map(|one| Id::given(answer, "vpcId", one.vpc_id()));
        Ok(LiveEgressOnlyInternetGateway {
            vpcs: vpcs.collect::<Result<_, _>>()?,
            tags: ec2::tags_from_sdk(gateway.tags()),
            id: id.clone(),
        })
    });
    live.collect()
}

impl Manage for EgressOnlyInternetGateway {
    type Live = LiveEgressOnlyInternetGateway;
    type Fields = EgressOnlyInternetGatewayFields<Wanted>;

    fn id(&self) -> ResourceId {
        ResourceId::new(EgressOnlyInternetGateway::KIND, &self.name)
    }

    fn needs(&self) -> Vec<ResourceId> {
        vec![self.vpc.resource()]
    }

    fn is(&self, found: &LiveEgressOnlyInternetGateway, view: View<'_>) -> bool {
        let is_attached = found.vpcs.iter().any(|vpc| view.is(&self.vpc, vpc));
        let is_named = || !self.shared && ec2::is_named(&found.tags, &self.name);
        is_attached || is_named() && self.is_ours(found, view)
    }

    /// A cluster has one gateway.
    fn may_be(&self, _: &LiveEgressOnlyInternetGateway, _: View<'_>) -> bool {
        !self.shared
    }

    fn marks<'a>(
        &self,
        found: &'a LiveEgressOnlyInternetGateway,
        view: View<'a>,
    ) -> Vec<Marks<'a>> {
        vec![found.marks(view.seen.rows(), view.owner)]
    }

    fn adopt(&self, found: &LiveEgressOnlyInternetGateway, owner: &Owner) -> Option<String> {
        Some(owner.adopt(&Taggable::Ec2(&found.id)))
    }

    fn aws_id(found: &LiveEgressOnlyInternetGateway) -> Id<Self> {
        found.id.clone()
    }

    fn wanted(&self, _: View<'_>) -> EgressOnlyInternetGatewayFields<Wanted> {
        EgressOnlyInternetGatewayFields {
            vpcs: Want::Is(BTreeSet::from([self.vpc.name.clone()])),
            tags: Want::if_told((!self.shared).then(|| self.tags.clone())),
        }
    }

    fn found(
        &self,
        found: &LiveEgressOnlyInternetGateway,
        view: View<'_>,
    ) -> EgressOnlyInternetGatewayFields<Found> {
        let vpcs = found.vpcs.iter().map(|vpc| view.name(vpc).to_owned());
        EgressOnlyInternetGatewayFields {
            vpcs: (!found.vpcs.is_empty()).then(|| vpcs.collect()),
            tags: Some(found.tags.clone()),
        }
    }

    fn ownership(&self) -> Ownership {
        if self.shared { Ownership::Shared } else { Ownership::Ours }
    }

    /// One is made in its VPC, and never moved.
    fn judge(
        &self,
        changed: &mut EgressOnlyInternetGatewayFields<Changed>,
        found: &LiveEgressOnlyInternetGateway,
    ) -> Vec<Stuck> {
        let vpcs = changed.vpcs.take();
        let fixed = EgressOnlyInternetGatewayFields { vpcs, tags: None };
        Stuck::fixed(&fixed, &found.id, manage::instead(self)).into_iter().collect()
    }

    fn obstacle(&self, _: View<'_>) -> Option<(String, String)> {
        self.shared.then(|| {
            (
                "the shared VPC has no egress-only internet gateway".to_owned(),
                "make one in it; its owner must do that".to_owned(),
            )
        })
    }

    fn given(&self) -> Given<'_> {
        Given::nothing().tags(&self.tags)
    }

    async fn create(&self, work: &Work<'_>) -> Result<Option<Id<Self>>, AwsError> {
        let vpc = work.id(&self.vpc)?;
        let creation = Creation { work, resource: &self.id(), operation: CREATE };
        let create = |token| self.create_one(work.aws, token, &vpc);
        creation.with_token(&vpc, create, || self.standing(work.aws)).await.map(Some)
    }

    async fn update(
        &self,
        work: &Work<'_>,
        id: &Id<Self>,
        changed: &EgressOnlyInternetGatewayFields<Changed>,
    ) -> Result<(), AwsError> {
        let EgressOnlyInternetGatewayFields { vpcs: _, tags } = changed;
        if tags.is_some() {
            ec2::tag(work.aws, id, &self.tags).await?;
        }
        Ok(())
    }

    #[cfg(test)]
    fn imagined(&self, id: &Id<Self>, view: View<'_>) -> LiveEgressOnlyInternetGateway {
        let vpcs = vec![view.id_of(&self.vpc)];
        LiveEgressOnlyInternetGateway { id: id.clone(), vpcs, tags: self.tags.clone() }
    }

    #[cfg(test)]
    fn disturbed(
        &self,
        live: &LiveEgressOnlyInternetGateway,
    ) -> Vec<(&'static str, LiveEgressOnlyInternetGateway)> {
        let (vpcs, tags) = (Vec::new(), Self::lacking_one(&live.tags));
        vec![
            ("vpc", LiveEgressOnlyInternetGateway { vpcs, ..live.clone() }),
            ("tags", LiveEgressOnlyInternetGateway { tags, ..live.clone() }),
        ]
    }
}

impl EgressOnlyInternetGateway {
    fn is_ours(&self, found: &LiveEgressOnlyInternetGateway, view: View<'_>) -> bool {
        view.owns(Self::KIND, &found.marks(view.seen.rows(), view.owner))
    }

    async fn create_one(
        &self,
        aws: &Aws,
        token: String,
        vpc: &Id<Vpc>,
    ) -> Result<Id<Self>, AwsError> {
        let tags = ec2::specification(ResourceType::EgressOnlyInternetGateway, &self.tags);
        let call = aws.ec2.create_egress_only_internet_gateway().client_token(token).vpc_id(vpc);
        let answer = call.tag_specifications(tags).send().await;
        let answer = answer.map_err(|error| AwsError::new(CREATE, &self.name, error))?;
        let gateway = answer.egress_only_internet_gateway();
        let id = gateway.and_then(|gateway| gateway.egress_only_internet_gateway_id());
        Id::given(Answer::of(CREATE, &self.name), "egressOnlyInternetGatewayId", id)
    }

    async fn standing(&self, aws: &Aws) -> Result<Vec<Standing<Id<Self>>>, AwsError> {
        let rows = read(aws, ec2::identity(&self.tags)).await?;
        let ours = rows.into_iter().filter(|row| ec2::is_identified(&row.tags, &self.tags));
        Ok(ours.map(|row| Standing { id: row.id, is_gone: false }).collect())
    }
}

/// Deletes an egress-only internet gateway, by its id.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct EgressOnlyInternetGatewayDeletion(pub(crate) Id<EgressOnlyInternetGateway>);

impl Delete for EgressOnlyInternetGatewayDeletion {
    async fn attempt(&self, aws: &Aws) -> Result<(), AwsError> {
        let Self(id) = self;
        let call = aws.ec2.delete_egress_only_internet_gateway();
        let answer = call.egress_only_internet_gateway_id(id).send().await;
        done("ec2:DeleteEgressOnlyInternetGateway", id, answer)
    }

    async fn holders(&self, _: &Work<'_>, _: &mut Holders) -> Result<(), AwsError> {
        Ok(())
    }
}

impl Unclaimed for EgressOnlyInternetGateway {
    /// It goes with its cluster only.
    fn unclaimed(_: &mut Sweep<'_>) {}
}
