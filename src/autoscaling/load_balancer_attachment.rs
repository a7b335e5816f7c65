//! `LoadBalancerAttachment`, `ExternalLoadBalancerAttachment` and
//! `ExternalTargetGroupAttachment`: the instances of a group stand behind a load balancer.

use crate::autoscaling::autoscaling_group::{AutoscalingGroup, Groups, LiveGroup};
use crate::aws::{Aws, AwsError, done};
use crate::core::belongings::{Around, Belonging, Presence};
use crate::core::deletion::{Delete, Deletion};
use crate::core::fields::{Changed, Found, Want, Wanted, fields};
use crate::core::given::Given;
use crate::core::holders::Holders;
use crate::core::id::{Id, Ref};
use crate::core::kind::{Kind, ResourceId};
use crate::core::look::{Asked, Look, Looking};
use crate::core::manage::{Manage, View};
use crate::core::seen::{Looked, Seen};
use crate::core::sweep::{Offer, Place, Sweep, Unclaimed};
use crate::core::whose::Marks;
use crate::core::work::Work;
use crate::elb::load_balancer::{ClassicName, LoadBalancer};
use crate::elb::target_group::{TargetGroup, TargetGroupArn};

/// The kind of attachments to classic load balancers that the spec names.
#[derive(Debug)]
pub(crate) struct ExternalLoadBalancerAttachment;

/// The kind of attachments to target groups that the spec names.
#[derive(Debug)]
pub(crate) struct ExternalTargetGroupAttachment;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LoadBalancerAttachment {
    pub(crate) name: String,
    pub(crate) group: Ref<AutoscalingGroup>,
    pub(crate) to: Target,
}

fields! { AttachmentFields {
    group: String = "group",
    to: String = "to",
} }

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Target {
    Classic(Ref<LoadBalancer>),
    Network(Ref<TargetGroup>),
    /// A classic load balancer of the user's own.
    ExternalClassic(Id<LoadBalancer>),
    /// A target group of the user's own.
    ExternalTargetGroup(Id<TargetGroup>),
}

#[derive(Clone, Debug)]
pub(crate) struct LiveAttachment {
    pub(crate) group: Id<AutoscalingGroup>,
    pub(crate) to: To,
}

/// What a group stands behind.
#[derive(Clone, Debug)]
pub(crate) enum To {
    Classic(Id<LoadBalancer>),
    TargetGroup(Id<TargetGroup>),
}

impl To {
    fn text(&self) -> &str {
        match self {
            Self::Classic(name) => name,
            Self::TargetGroup(arn) => arn,
        }
    }
}

impl Target {
    fn text(&self) -> &str {
        match self {
            Self::Classic(to) => &to.name,
            Self::Network(to) => &to.name,
            Self::ExternalClassic(name) => name,
            Self::ExternalTargetGroup(arn) => arn,
        }
    }
}

/// What stands behind what, as the groups that were seen tell.
#[derive(Debug)]
pub(crate) struct Attachments(Looked<LiveAttachment>);

impl Look for Attachments {
    const AFTER: &'static [Looking] = &[Looking::of::<Groups>()];

    fn ask(_: &Asked, seen: &Seen) -> Option<Self> {
        Some(Self(seen.of::<LiveGroup>().flat_map(|group| {
            let classic = group.load_balancers.iter().cloned().map(To::Classic);
            let targets = group.target_groups.iter().cloned().map(To::TargetGroup);
            classic
                .chain(targets)
                .map(|to| LiveAttachment { group: group.name.clone(), to })
                .collect()
        })))
    }

    async fn read(self, _: &Aws) -> Result<Seen, AwsError> {
        Ok(Seen::default().with(self.0))
    }
}

impl Presence for LoadBalancerAttachment {
    const LOOKS: &'static [Looking] = &[Looking::of::<Attachments>()];

    const IS_SOUGHT: bool = false;

    /// They go with their group.
    fn belongings(_: &Around<'_>) -> Vec<Belonging> {
        Vec::new()
    }
}

impl Presence for ExternalLoadBalancerAttachment {
    const LOOKS: &'static [Looking] = &[Looking::of::<Attachments>()];

    const IS_SOUGHT: bool = false;

    /// Whether what is named exists.
    const BESIDE: &'static [Kind] = &[LoadBalancer::KIND];

    /// They go with their group.
    fn belongings(_: &Around<'_>) -> Vec<Belonging> {
        Vec::new()
    }
}

impl Presence for ExternalTargetGroupAttachment {
    const LOOKS: &'static [Looking] = &[Looking::of::<Attachments>()];

    const IS_SOUGHT: bool = false;

    /// Whether what is named exists.
    const BESIDE: &'static [Kind] = &[TargetGroup::KIND];

    /// They go with their group.
    fn belongings(_: &Around<'_>) -> Vec<Belonging> {
        Vec::new()
    }
}

impl Manage for LoadBalancerAttachment {
    type Live = LiveAttachment;
    type Fields = AttachmentFields<Wanted>;

    fn id(&self) -> ResourceId {
        let kind = match self.to {
            Target::Classic(_) | Target::Network(_) => LoadBalancerAttachment::KIND,
            Target::ExternalClassic(_) => ExternalLoadBalancerAttachment::KIND,
            Target::ExternalTargetGroup(_) => ExternalTargetGroupAttachment::KIND,
        };
        ResourceId::new(kind, &self.name)
    }

    fn needs(&self) -> Vec<ResourceId> {
        match &self.to {
            Target::Classic(to) => vec![self.group.resource(), to.resource()],
            Target::Network(to) => vec![self.group.resource(), to.resource()],
            Target::ExternalClassic(_) | Target::ExternalTargetGroup(_) => {
                vec![self.group.resource()]
            }
        }
    }

    fn is(&self, found: &LiveAttachment, view: View<'_>) -> bool {
        let to = match (&self.to, &found.to) {
            (Target::Classic(to), To::Classic(name)) => view.is(to, name),
            (Target::Network(to), To::TargetGroup(arn)) => view.is(to, arn),
            (Target::ExternalClassic(to), To::Classic(name)) => to == name,
            (Target::ExternalTargetGroup(to), To::TargetGroup(arn)) => to == arn,
            _ => false,
        };
        found.group == self.group.name && to
    }

    /// What is part of something was found by that.
    fn marks<'a>(&self, _: &'a Self::Live, _: View<'a>) -> Vec<Marks<'a>> {
        Vec::new()
    }

    fn aws_id(found: &LiveAttachment) -> Id<Self> {
        Id::part(&found.group, found.to.text())
    }

    fn wanted(&self, _: View<'_>) -> AttachmentFields<Wanted> {
        AttachmentFields {
            group: Want::Is(self.group.name.clone()),
            to: Want::Is(self.to.text().to_owned()),
        }
    }

    fn found(&self, _: &LiveAttachment, _: View<'_>) -> AttachmentFields<Found> {
        // What an attachment is, is all that it has.
        AttachmentFields {
            group: Some(self.group.name.clone()),
            to: Some(self.to.text().to_owned()),
        }
    }

    /// To what it is not attached yet, it must be there.
    fn unseen(&self, found: Option<&LiveAttachment>, view: View<'_>) -> Option<AwsError> {
        if found.is_some() {
            return None;
        }
        match &self.to {
            Target::ExternalClassic(_) => view.seen.of::<ClassicName>().refused().cloned(),
            Target::ExternalTargetGroup(_) => view.seen.of::<TargetGroupArn>().refused().cloned(),
            Target::Classic(_) | Target::Network(_) => None,
        }
    }

    fn obstacle(&self, view: View<'_>) -> Option<(String, String)> {
        let classic = view.seen.of::<ClassicName>();
        let groups = view.seen.of::<TargetGroupArn>();
        let (is_there, what, name) = match (&self.to, classic, groups) {
            (Target::ExternalClassic(name), Looked::Found(all), _) => {
                (all.iter().any(|one| one.0 == *name), "load balancer", self.to.text())
            }
            (Target::ExternalTargetGroup(arn), _, Looked::Found(all)) => {
                (all.iter().any(|one| one.0 == *arn), "target group", self.to.text())
            }
            _ => return None,
        };
        (!is_there).then(|| {
            (
                format!("there is no {what} {name} in this account and region"),
                "correct spec.externalLoadBalancers of the instance group".to_owned(),
            )
        })
    }

    fn given(&self) -> Given<'_> {
        Given::nothing()
    }

    async fn create(&self, work: &Work<'_>) -> Result<Option<Id<Self>>, AwsError> {
        let classic = match &self.to {
            Target::Classic(to) => Some(work.id(to)?),
            Target::ExternalClassic(name) => Some(name.clone()),
            Target::Network(_) | Target::ExternalTargetGroup(_) => None,
        };
        let target_group = match &self.to {
            Target::Network(to) => Some(work.id(to)?),
            Target::ExternalTargetGroup(arn) => Some(arn.clone()),
            Target::Classic(_) | Target::ExternalClassic(_) => None,
        };
        let group = &self.group.name;
        if let Some(name) = classic {
            let call = work.aws.autoscaling.attach_load_balancers();
            let call = call.auto_scaling_group_name(group).load_balancer_names(name);
            call.send().await.map(|_| ()).map_err(|error| {
                AwsError::new("autoscaling:AttachLoadBalancers", &self.name, error)
            })?;
        }
        if let Some(arn) = target_group {
            let call = work.aws.autoscaling.attach_load_balancer_target_groups();
            let call = call.auto_scaling_group_name(group).target_group_arns(arn);
            call.send().await.map(|_| ()).map_err(|error| {
                AwsError::new("autoscaling:AttachLoadBalancerTargetGroups", &self.name, error)
            })?;
        }
        Ok(None)
    }

    async fn update(
        &self,
        _: &Work<'_>,
        _: &Id<Self>,
        _: &AttachmentFields<Changed>,
    ) -> Result<(), AwsError> {
        Ok(())
    }

    #[cfg(test)]
    fn imagined(&self, _: &Id<Self>, view: View<'_>) -> LiveAttachment {
        let to = match &self.to {
            Target::Classic(to) => To::Classic(view.id_of(to)),
            Target::Network(to) => To::TargetGroup(view.id_of(to)),
            Target::ExternalClassic(to) => To::Classic(to.clone()),
            Target::ExternalTargetGroup(to) => To::TargetGroup(to.clone()),
        };
        LiveAttachment { group: Id::imagined(&self.group.name), to }
    }

    #[cfg(test)]
    fn disturbed(&self, _: &LiveAttachment) -> Vec<(&'static str, LiveAttachment)> {
        Vec::new()
    }
}

/// A group no longer stands behind a classic load balancer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LoadBalancerAttachmentDeletion {
    pub(crate) group: Id<AutoscalingGroup>,
    pub(crate) balancer: Id<LoadBalancer>,
}

impl Delete for LoadBalancerAttachmentDeletion {
    async fn attempt(&self, aws: &Aws) -> Result<(), AwsError> {
        let Self { group, balancer } = self;
        let call = aws.autoscaling.detach_load_balancers().auto_scaling_group_name(group);
        let answer = call.load_balancer_names(balancer).send().await;
        done("autoscaling:DetachLoadBalancers", group, answer)
    }

    async fn holders(&self, _: &Work<'_>, _: &mut Holders) -> Result<(), AwsError> {
        Ok(())
    }
}

/// The instances of a group are no longer in a target group.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TargetGroupAttachmentDeletion {
    pub(crate) group: Id<AutoscalingGroup>,
    pub(crate) target_group: Id<TargetGroup>,
}

impl Delete for TargetGroupAttachmentDeletion {
    async fn attempt(&self, aws: &Aws) -> Result<(), AwsError> {
        let Self { group, target_group } = self;
        let call = aws.autoscaling.detach_load_balancer_target_groups();
        let call = call.auto_scaling_group_name(group).target_group_arns(target_group);
        done("autoscaling:DetachLoadBalancerTargetGroups", group, call.send().await)
    }

    async fn holders(&self, _: &Work<'_>, _: &mut Holders) -> Result<(), AwsError> {
        Ok(())
    }
}

impl Unclaimed for LoadBalancerAttachment {
    /// Those that are found are told as if the spec had named them once.
    fn unclaimed(_: &mut Sweep<'_>) {}
}

impl Unclaimed for ExternalLoadBalancerAttachment {
    fn unclaimed(sweep: &mut Sweep<'_>) {
        for found in not_meant(sweep, Self::KIND) {
            let To::Classic(balancer) = &found.to else { continue };
            let (group, balancer) = (found.group.clone(), balancer.clone());
            let deletion = LoadBalancerAttachmentDeletion { group, balancer };
            sweep.offer(found.offer(Self::KIND, deletion));
        }
    }
}

impl Unclaimed for ExternalTargetGroupAttachment {
    fn unclaimed(sweep: &mut Sweep<'_>) {
        for found in not_meant(sweep, Self::KIND) {
            let To::TargetGroup(target_group) = &found.to else { continue };
            let (group, target_group) = (found.group.clone(), target_group.clone());
            let deletion = TargetGroupAttachmentDeletion { group, target_group };
            sweep.offer(found.offer(Self::KIND, deletion));
        }
    }
}

impl LiveAttachment {
    fn offer(&self, kind: Kind, deletion: impl Into<Deletion>) -> Offer {
        let name = format!("{} → {}", self.group, self.to.text());
        let offer = Offer::new(ResourceId::new(kind, &name), Place::new(kind, &name), deletion);
        offer.because("the group's spec does not name it")
    }
}

/// What the cluster's groups stand behind, though no group's spec says so.
fn not_meant<'a>(
    sweep: &mut Sweep<'a>,
    kind: Kind,
) -> impl Iterator<Item = &'a LiveAttachment> + use<'a> {
    let view = sweep.view();
    let wanted = sweep.wishes::<LoadBalancerAttachment>();
    let is_meant = |found: &LiveAttachment| wanted.iter().any(|one| one.is(found, view));
    let is_of_ours = |found: &LiveAttachment| {
        sweep.is_wanted(&ResourceId::new(AutoscalingGroup::KIND, &found.group))
    };
    let found = view.seen.rows::<LiveAttachment>().iter();
    let found = found.filter(|_| sweep.sweeps(kind));
    let found: Vec<_> = found.filter(|found| is_of_ours(found) && !is_meant(found)).collect();
    found.into_iter()
}
