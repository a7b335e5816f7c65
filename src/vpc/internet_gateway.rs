//! `InternetGateway`: the VPC's way to the internet.

use std::collections::BTreeSet;

use aws_sdk_ec2::operation::create_internet_gateway::CreateInternetGatewayError;
use aws_sdk_ec2::types::{Filter, NetworkInterface, ResourceType};

use crate::aws::tags::Tags;
use crate::aws::{Answer, Aws, AwsError, Fault, done, ec2, sent_once};
use crate::core::belongings::{Around, Belonging, Presence};
use crate::core::creation::{Creation, Standing};
use crate::core::deletion::{Delete, gone_or};
use crate::core::fields::{Changed, Found, Want, Wanted, fields};
use crate::core::given::Given;
use crate::core::holders::Holders;
use crate::core::id::{Id, Ref};
use crate::core::kind::ResourceId;
use crate::core::look::{Asked, Look, Looking};
use crate::core::manage::{Manage, Ownership, View};
use crate::core::seen::{Looked, Seen};
use crate::core::sweep::{Sweep, Unclaimed};
use crate::core::whose::{Marks, Owner, Taggable};
use crate::core::work::Work;
use crate::vpc::contents::{GATEWAYS, VpcPart};
use crate::vpc::interface::interfaces;
use crate::vpc::vpc::{self, LiveVpc, Vpc, Vpcs};

const DESCRIBE: &str = "ec2:DescribeInternetGateways";
const CREATE: &str = "ec2:CreateInternetGateway";

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct InternetGateway {
    pub(crate) name: String,
    /// Whether it came with a VPC that the cluster shares.
    pub(crate) shared: bool,
    pub(crate) vpc: Ref<Vpc>,
    pub(crate) tags: Tags,
}

fields! { InternetGatewayFields {
    vpcs: BTreeSet<String> = "vpc",
    tags: Tags = "tags",
} }

#[derive(Clone, Debug)]
pub(crate) struct LiveInternetGateway {
    pub(crate) id: Id<InternetGateway>,
    pub(crate) vpcs: Vec<Id<Vpc>>,
    pub(crate) tags: Tags,
}

impl LiveInternetGateway {
    pub(crate) fn marks(&self) -> Marks<'_> {
        Marks::of(&self.id).tags(&self.tags)
    }
}

/// The account's gateways of the region; a VPC has one at most.
#[derive(Debug)]
pub(crate) struct InternetGateways;

impl Look for InternetGateways {
    const AFTER: &'static [Looking] = &[];

    fn ask(asked: &Asked, _: &Seen) -> Option<Self> {
        asked.looks_at(&[InternetGateway::KIND]).then_some(Self)
    }

    async fn read(self, aws: &Aws) -> Result<Seen, AwsError> {
        let gateways = Looked::sort(read(aws, Vec::new()).await)?;
        let parts = gateways.rows().iter().flat_map(|gateway| {
            gateway.vpcs.iter().map(|vpc| VpcPart {
                vpc: vpc.into(),
                what: GATEWAYS,
                kind: InternetGateway::KIND,
                id: (&gateway.id).into(),
                tags: gateway.tags.clone(),
            })
        });
        Ok(Seen::default().with(Looked::Found(parts.collect())).with(gateways))
    }
}

/// The VPCs of others at which gateways stand that a cluster may have.
#[derive(Debug)]
pub(crate) struct VpcsOfGateways(Vec<Id<Vpc>>);

impl Look for VpcsOfGateways {
    const AFTER: &'static [Looking] = &[Looking::of::<Vpcs>(), Looking::of::<InternetGateways>()];

    fn ask(asked: &Asked, seen: &Seen) -> Option<Self> {
        let (around, known) = (Around::asked(asked, seen), seen.rows::<LiveVpc>());
        let marked = seen.rows::<LiveInternetGateway>().iter();
        let of_cluster = marked.filter(|gateway| {
            let name = gateway.tags.get("Name").map(String::as_str).unwrap_or_default();
            around.concerns(name, &gateway.tags)
        });
        let vpcs = of_cluster.flat_map(|gateway| &gateway.vpcs);
        let unknown = vpcs.filter(|id| !known.iter().any(|vpc| vpc.id == **id)).cloned();
        let unknown: Vec<_> = unknown.collect();
        (asked.everything() && !unknown.is_empty()).then_some(Self(unknown))
    }

    async fn read(self, aws: &Aws) -> Result<Seen, AwsError> {
        let rows = vpc::rows(aws, vec![ec2::filter("vpc-id", self.0)]).await;
        Ok(Seen::default().with(Looked::sort(rows)?))
    }
}

impl Presence for InternetGateway {
    const LOOKS: &'static [Looking] =
        &[Looking::of::<InternetGateways>(), Looking::of::<VpcsOfGateways>()];

    const IS_SOUGHT: bool = false;

    /// Whoever has a VPC, has its way out.
    fn belongings(around: &Around<'_>) -> Vec<Belonging> {
        let vpcs = around.seen.rows::<LiveVpc>();
        let gateways = around.seen.rows::<LiveInternetGateway>().iter().filter_map(|gateway| {
            let own = vpcs.iter().filter(|vpc| gateway.vpcs.contains(&vpc.id));
            let mut judged = own.map(|vpc| (&vpc.id, around.owner.whose(Vpc::KIND, &vpc.marks())));
            let marks = match judged.find(|(_, whose)| !whose.is_owned()) {
                Some((vpc, whose)) => gateway.marks().hangs_on(format!("part of {vpc}"), whose),
                None => gateway.marks(),
            };
            let (id, vpcs) = (gateway.id.clone(), gateway.vpcs.clone());
            around.by_id(Self::KIND, &marks, InternetGatewayDeletion { id, vpcs })
        });
        gateways.map(Belonging::around_instances).collect()
    }
}

async fn read(aws: &Aws, chosen: Vec<Filter>) -> Result<Vec<LiveInternetGateway>, AwsError> {
    let call = aws.ec2.describe_internet_gateways().set_filters(Some(chosen));
    let rows = call.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
    let rows = rows.map_err(|error| AwsError::new(DESCRIBE, "", error))?;
    let live = rows.iter().map(|gateway| {
        let id = gateway.internet_gateway_id();
        let id = Id::given(Answer::of(DESCRIBE, ""), "internetGatewayId", id)?;
        let answer = Answer::of(DESCRIBE, &id);
        let vpcs = gateway.attachments().iter().map(|one| Id::given(answer, "vpcId", one.vpc_id()));
        Ok(LiveInternetGateway {
            vpcs: vpcs.collect::<Result<_, _>>()?,
            tags: ec2::tags_from_sdk(gateway.tags()),
            id: id.clone(),
        })
    });
    live.collect()
}

impl Manage for InternetGateway {
    type Live = LiveInternetGateway;
    type Fields = InternetGatewayFields<Wanted>;

    fn id(&self) -> ResourceId {
        ResourceId::new(InternetGateway::KIND, &self.name)
    }

    fn needs(&self) -> Vec<ResourceId> {
        vec![self.vpc.resource()]
    }

    fn is(&self, found: &LiveInternetGateway, view: View<'_>) -> bool {
        let is_attached = found.vpcs.iter().any(|vpc| view.is(&self.vpc, vpc));
        let has_name = ec2::is_named(&found.tags, &self.name);
        is_attached || !self.shared && has_name && view.owns(InternetGateway::KIND, &found.marks())
    }

    /// A cluster has one gateway.
    fn may_be(&self, _: &LiveInternetGateway, _: View<'_>) -> bool {
        !self.shared
    }

    fn marks<'a>(&self, found: &'a LiveInternetGateway, view: View<'a>) -> Vec<Marks<'a>> {
        let vpcs = view.seen.rows::<LiveVpc>().iter().filter(|vpc| found.vpcs.contains(&vpc.id));
        let mut vpcs = vpcs.map(|vpc| (&vpc.id, view.owner.whose(Vpc::KIND, &vpc.marks())));
        // Whoever has a VPC, has its way out.
        let marks = found.marks();
        vec![match vpcs.find(|(_, whose)| !whose.is_owned()) {
            Some((vpc, whose)) => marks.hangs_on(format!("part of {vpc}"), whose),
            None => marks,
        }]
    }

    fn adopt(&self, found: &LiveInternetGateway, owner: &Owner) -> Option<String> {
        Some(owner.adopt(&Taggable::Ec2(&found.id)))
    }

    fn aws_id(found: &LiveInternetGateway) -> Id<Self> {
        found.id.clone()
    }

    fn wanted(&self, _: View<'_>) -> InternetGatewayFields<Wanted> {
        InternetGatewayFields {
            vpcs: Want::Is(BTreeSet::from([self.vpc.name.clone()])),
            tags: Want::if_told((!self.shared).then(|| self.tags.clone())),
        }
    }

    fn found(&self, found: &LiveInternetGateway, view: View<'_>) -> InternetGatewayFields<Found> {
        let vpcs = found.vpcs.iter().map(|vpc| view.name(vpc).to_owned());
        InternetGatewayFields {
            vpcs: (!found.vpcs.is_empty()).then(|| vpcs.collect()),
            tags: Some(found.tags.clone()),
        }
    }

    fn ownership(&self) -> Ownership {
        if self.shared { Ownership::Shared } else { Ownership::Ours }
    }

    fn obstacle(&self, _: View<'_>) -> Option<(String, String)> {
        self.shared.then(|| {
            (
                "the shared VPC has no internet gateway".to_owned(),
                "attach one to it; its owner must do that".to_owned(),
            )
        })
    }

    fn given(&self) -> Given<'_> {
        Given::nothing().tags(&self.tags)
    }

    async fn create(&self, work: &Work<'_>) -> Result<Option<Id<Self>>, AwsError> {
        let creation = Creation { work, resource: &self.id(), operation: CREATE };
        let id = creation
            .without_token(|| self.create_one(work.aws), || self.standing(work.aws))
            .await?;
        self.attach(work, &id).await?;
        Ok(Some(id))
    }

    async fn update(
        &self,
        work: &Work<'_>,
        id: &Id<Self>,
        changed: &InternetGatewayFields<Changed>,
    ) -> Result<(), AwsError> {
        let InternetGatewayFields { vpcs, tags } = changed;
        if vpcs.is_some() {
            self.attach(work, id).await?;
        }
        if tags.is_some() {
            ec2::tag(work.aws, id, &self.tags).await?;
        }
        Ok(())
    }

    #[cfg(test)]
    fn imagined(&self, id: &Id<Self>, view: View<'_>) -> LiveInternetGateway {
        let vpcs = vec![view.id_of(&self.vpc)];
        LiveInternetGateway { id: id.clone(), vpcs, tags: self.tags.clone() }
    }

    #[cfg(test)]
    fn disturbed(&self, live: &LiveInternetGateway) -> Vec<(&'static str, LiveInternetGateway)> {
        vec![
            ("vpc", LiveInternetGateway { vpcs: Vec::new(), ..live.clone() }),
            ("tags", LiveInternetGateway { tags: Self::lacking_one(&live.tags), ..live.clone() }),
        ]
    }
}

impl InternetGateway {
    async fn create_one(&self, aws: &Aws) -> Result<Id<Self>, AwsError> {
        let tags = ec2::specification(ResourceType::InternetGateway, &self.tags);
        let call = aws.ec2.create_internet_gateway().tag_specifications(tags).customize();
        let call = call.config_override(sent_once::<CreateInternetGatewayError>());
        let answer = call.send().await;
        let answer = answer.map_err(|error| AwsError::new(CREATE, &self.name, error))?;
        let id = answer.internet_gateway().and_then(|gateway| gateway.internet_gateway_id());
        Id::given(Answer::of(CREATE, &self.name), "internetGatewayId", id)
    }

    async fn standing(&self, aws: &Aws) -> Result<Vec<Standing<Id<Self>>>, AwsError> {
        let rows = read(aws, ec2::identity(&self.tags)).await?;
        let ours = rows.into_iter().filter(|row| ec2::is_identified(&row.tags, &self.tags));
        Ok(ours.map(|row| Standing { id: row.id, is_gone: false }).collect())
    }

    async fn attach(&self, work: &Work<'_>, id: &Id<Self>) -> Result<(), AwsError> {
        let vpc = work.id(&self.vpc)?;
        let call = work.aws.ec2.attach_internet_gateway().internet_gateway_id(id).vpc_id(&vpc);
        let answer = call.send().await;
        match answer.map_err(|e| AwsError::new("ec2:AttachInternetGateway", &self.name, e)) {
            // Something is attached, perhaps by a call of ours whose answer was lost.
            Err(error) if error.fault == Fault::Conflict => {
                let found = read(work.aws, vec![ec2::filter("internet-gateway-id", [id])]).await?;
                let is_attached = found.iter().any(|row| row.vpcs.contains(&vpc));
                if is_attached { Ok(()) } else { Err(error) }
            }
            answer => answer.map(|_| ()),
        }
    }
}

/// Deletes an internet gateway, which leaves its VPCs before.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct InternetGatewayDeletion {
    pub(crate) id: Id<InternetGateway>,
    pub(crate) vpcs: Vec<Id<Vpc>>,
}

impl Delete for InternetGatewayDeletion {
    async fn attempt(&self, aws: &Aws) -> Result<(), AwsError> {
        let Self { id, vpcs } = self;
        for vpc in vpcs {
            let call = aws.ec2.detach_internet_gateway().internet_gateway_id(id);
            let answer = call.vpc_id(vpc).send().await;
            gone_or(done("ec2:DetachInternetGateway", id, answer))?;
        }
        let call = aws.ec2.delete_internet_gateway().internet_gateway_id(id);
        done("ec2:DeleteInternetGateway", id, call.send().await)
    }

    async fn holders(&self, work: &Work<'_>, holders: &mut Holders) -> Result<(), AwsError> {
        // It can be detached once no public address is mapped through it.
        let is_public = |row: &NetworkInterface| {
            row.association().is_some_and(|address| address.public_ip().is_some())
        };
        interfaces(work.aws, ec2::filter("vpc-id", &self.vpcs), is_public, holders).await
    }
}

impl Unclaimed for InternetGateway {
    /// It goes with its cluster only.
    fn unclaimed(_: &mut Sweep<'_>) {}
}
