//! `EventBridgeTarget`: the events that a rule takes go to a queue.

use aws_sdk_eventbridge::types::Target;

use crate::aws::{Answer, Aws, AwsError};
use crate::core::belongings::{Around, Belonging, Presence};
use crate::core::fields::{Changed, Found, Want, Wanted, fields};
use crate::core::given::Given;
use crate::core::id::{Id, Ref};
use crate::core::kind::ResourceId;
use crate::core::look::{Asked, Look, Looking};
use crate::core::manage::{Manage, View};
use crate::core::seen::{Looked, Seen};
use crate::core::sweep::{Sweep, Unclaimed};
use crate::core::whose::Marks;
use crate::core::work::Work;
use crate::eventbridge::rule::{EventBridgeRule, LiveRule, OwnRules};
use crate::sqs::queue::Queue;

const PUT: &str = "events:PutTargets";

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct EventBridgeTarget {
    pub(crate) name: String,
    pub(crate) rule: Ref<EventBridgeRule>,
    pub(crate) queue: Ref<Queue>,
    /// Under which the rule has it, chosen once it is known what the rule has.
    pub(crate) id: String,
}

fields! { TargetFields {
    rule: String = "rule",
    queue: String = "queue",
} }

#[derive(Clone, Debug)]
pub(crate) struct LiveTarget {
    pub(crate) rule: Id<EventBridgeRule>,
    pub(crate) id: String,
    /// Of whatever gets the events.
    pub(crate) arn: String,
}

/// Where events go, as the rules that were seen tell.
#[derive(Debug)]
pub(crate) struct Targets(Looked<LiveTarget>);

impl Look for Targets {
    const AFTER: &'static [Looking] = &[Looking::of::<OwnRules>()];

    fn ask(_: &Asked, seen: &Seen) -> Option<Self> {
        Some(Self(seen.of::<LiveRule>().flat_map(|rule| {
            let targets = rule.targets.iter().map(|target| LiveTarget {
                rule: rule.arn.clone(),
                id: target.id.clone(),
                arn: target.arn.clone(),
            });
            targets.collect()
        })))
    }

    async fn read(self, _: &Aws) -> Result<Seen, AwsError> {
        Ok(Seen::default().with(self.0))
    }
}

impl Presence for EventBridgeTarget {
    const LOOKS: &'static [Looking] = &[Looking::of::<Targets>()];

    const IS_SOUGHT: bool = false;

    /// They go with their rule.
    fn belongings(_: &Around<'_>) -> Vec<Belonging> {
        Vec::new()
    }
}

impl Manage for EventBridgeTarget {
    type Live = LiveTarget;
    type Fields = TargetFields<Wanted>;

    fn id(&self) -> ResourceId {
        ResourceId::new(EventBridgeTarget::KIND, &self.name)
    }

    fn needs(&self) -> Vec<ResourceId> {
        vec![self.rule.resource(), self.queue.resource()]
    }

    fn is(&self, found: &LiveTarget, view: View<'_>) -> bool {
        view.is(&self.rule, &found.rule) && view.ids.get(&self.queue) == Some(&found.arn)
    }

    /// Told by whose the rule is.
    fn marks<'a>(&self, _: &'a LiveTarget, _: View<'a>) -> Vec<Marks<'a>> {
        Vec::new()
    }

    fn aws_id(found: &LiveTarget) -> Id<Self> {
        Id::part(&found.rule, &found.id)
    }

    fn wanted(&self, _: View<'_>) -> TargetFields<Wanted> {
        TargetFields {
            rule: Want::Is(self.rule.name.clone()),
            queue: Want::Is(self.queue.name.clone()),
        }
    }

    fn found(&self, _: &LiveTarget, _: View<'_>) -> TargetFields<Found> {
        // What a target is, is all that it has.
        TargetFields { rule: Some(self.rule.name.clone()), queue: Some(self.queue.name.clone()) }
    }

    /// The first number under which the rule has nothing: PutTargets takes the place of what it has.
    fn resolved(&self, view: View<'_>) -> Self {
        let rows = view.seen.rows::<LiveTarget>();
        let is_taken =
            |id: &str| rows.iter().any(|row| view.is(&self.rule, &row.rule) && row.id == id);
        let free = (1..).map(|number: usize| number.to_string()).find(|id| !is_taken(id));
        Self { id: free.unwrap_or_default(), ..self.clone() }
    }

    fn given(&self) -> Given<'_> {
        Given::nothing()
    }

    async fn create(&self, work: &Work<'_>) -> Result<Option<Id<Self>>, AwsError> {
        let target = Target::builder().id(&self.id).arn(work.id(&self.queue)?).build();
        let target = target.map_err(|error| AwsError::unbuilt(PUT, &self.name, error))?;
        let call = work.aws.events.put_targets().rule(&self.rule.name).targets(target);
        let answer = call.send().await.map_err(|error| AwsError::new(PUT, &self.name, error))?;
        match answer.failed_entries().first() {
            None => Ok(None),
            Some(failed) => {
                let told = failed.error_message().or(failed.error_code()).unwrap_or_default();
                Err(Answer::of(PUT, &self.name).not_understood(told.to_owned()))
            }
        }
    }

    async fn update(
        &self,
        _: &Work<'_>,
        _: &Id<Self>,
        _: &TargetFields<Changed>,
    ) -> Result<(), AwsError> {
        Ok(())
    }

    #[cfg(test)]
    fn imagined(&self, _: &Id<Self>, view: View<'_>) -> LiveTarget {
        let (rule, queue) = (view.id_of(&self.rule), view.id_of(&self.queue));
        LiveTarget { rule, id: "1".to_owned(), arn: queue.into() }
    }

    #[cfg(test)]
    fn disturbed(&self, _: &LiveTarget) -> Vec<(&'static str, LiveTarget)> {
        Vec::new()
    }
}

impl Unclaimed for EventBridgeTarget {
    /// They go with their rule; others on a rule of the cluster's are somebody's own.
    fn unclaimed(_: &mut Sweep<'_>) {}
}
