//! `SQS`: the queue of what is about to happen to instances.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use aws_sdk_sqs::types::QueueAttributeName;
use futures::future::try_join;

use crate::aws::tags::Tags;
use crate::aws::{Answer, Aws, AwsError, Fault, done};
use crate::core::belongings::{Around, Belonging, Presence};
use crate::core::deletion::Delete;
use crate::core::document::LiveDocument;
use crate::core::fields::{Changed, Found, Want, Wanted, fields};
use crate::core::given::Given;
use crate::core::holders::Holders;
use crate::core::id::Id;
use crate::core::kind::ResourceId;
use crate::core::look::{Asked, Look, Looking};
use crate::core::manage::{Manage, View};
use crate::core::seen::{Looked, Seen};
use crate::core::sweep::{Offer, Place, Sweep, Unclaimed};
use crate::core::wait::{Attempt, Budget, Held};
use crate::core::whose::{Marks, Owner, Taggable};
use crate::core::work::Work;
use crate::limits::QUEUE_NAME;
use crate::limits::partition::Partition;
use crate::policy::document::{Conditions, Document, Effect, Scope, Statement, Values, many};
use crate::policy::parse::PrincipalRule;

const FIND: &str = "sqs:GetQueueUrl";
const READ: &str = "sqs:GetQueueAttributes";
const CREATE: &str = "sqs:CreateQueue";

/// A name is taken for 60 seconds after its queue was deleted (SQS API, CreateQueue).
const FREE: Budget = Budget {
    within: Duration::from_secs(120),
    pause: Duration::from_secs(1),
    longest_pause: Duration::from_secs(10),
    looks: 1,
};

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Queue {
    pub(crate) name: String,
    pub(crate) region: String,
    /// How many seconds a message waits to be read.
    pub(crate) retention: i32,
    /// The services that may send.
    pub(crate) senders: Vec<String>,
    pub(crate) tags: Tags,
    /// Where the one is that was found.
    pub(crate) url: Option<String>,
}

fields! { QueueFields {
    retention: i32 = "messageRetentionPeriod",
    policy: LiveDocument = "document",
    tags: Tags = "tags",
} }

#[derive(Clone, Debug)]
pub(crate) struct LiveQueue {
    pub(crate) arn: Id<Queue>,
    pub(crate) name: String,
    url: String,
    retention: Option<i32>,
    policy: Option<LiveDocument>,
    tags: Tags,
}

impl LiveQueue {
    fn marks(&self) -> Marks<'_> {
        Marks::of(&self.arn).or_id(&self.name).tags(&self.tags)
    }
}

/// The queue that bears the cluster's name, whether the spec has it or not.
#[derive(Debug)]
pub(crate) struct OwnQueue(String);

impl Look for OwnQueue {
    const AFTER: &'static [Looking] = &[];

    fn ask(asked: &Asked, _: &Seen) -> Option<Self> {
        asked.looks_at(&[Queue::KIND]).then(|| Self(asked.names.queue.clone()))
    }

    async fn read(self, aws: &Aws) -> Result<Seen, AwsError> {
        Ok(Seen::default().with(Looked::sort_one(read(aws, &self.0).await)?))
    }
}

async fn read(aws: &Aws, name: &str) -> Result<LiveQueue, AwsError> {
    let answer = aws.sqs.get_queue_url().queue_name(name).send().await;
    let answer = answer.map_err(|error| AwsError::new(FIND, name, error))?;
    let url = Answer::of(FIND, name).text("QueueUrl", answer.queue_url())?;
    let (attributes, tags) = try_join(attributes(aws, &url), tags(aws, &url)).await?;
    let told = |attribute| attributes.get(&attribute).map(String::as_str);
    let answer = Answer::of(READ, name);
    let retention = told(QueueAttributeName::MessageRetentionPeriod).map(|seconds| {
        let unread = |_| answer.not_understood(format!("MessageRetentionPeriod is {seconds:?}"));
        seconds.parse().map_err(unread)
    });
    let policy = told(QueueAttributeName::Policy).filter(|text| !text.is_empty());
    Ok(LiveQueue {
        arn: Id::given(answer, "QueueArn", told(QueueAttributeName::QueueArn))?,
        name: name.to_owned(),
        url,
        retention: retention.transpose()?,
        policy: policy.map(|text| LiveDocument::read(text.to_owned(), PrincipalRule::Expected)),
        tags,
    })
}

async fn attributes(aws: &Aws, url: &str) -> Result<HashMap<QueueAttributeName, String>, AwsError> {
    let call = aws.sqs.get_queue_attributes().queue_url(url);
    let call = call
        .attribute_names(QueueAttributeName::MessageRetentionPeriod)
        .attribute_names(QueueAttributeName::Policy)
        .attribute_names(QueueAttributeName::QueueArn);
    let answer = call.send().await.map_err(|error| AwsError::new(READ, url, error))?;
    Ok(answer.attributes.unwrap_or_default())
}

async fn tags(aws: &Aws, url: &str) -> Result<Tags, AwsError> {
    let answer = aws.sqs.list_queue_tags().queue_url(url).send().await;
    let answer = answer.map_err(|error| AwsError::new("sqs:ListQueueTags", url, error))?;
    Ok(answer.tags.unwrap_or_default().into_iter().collect())
}

impl Presence for Queue {
    const LOOKS: &'static [Looking] = &[Looking::of::<OwnQueue>()];

    const IS_SOUGHT: bool = true;

    fn belongings(around: &Around<'_>) -> Vec<Belonging> {
        let found = around.seen.rows::<LiveQueue>().iter().filter_map(|found| {
            let deletion = QueueDeletion(found.url.clone());
            around.by_name(Self::KIND, &found.name, &found.marks(), deletion)
        });
        found.collect()
    }
}

impl Manage for Queue {
    type Live = LiveQueue;
    type Fields = QueueFields<Wanted>;

    fn id(&self) -> ResourceId {
        ResourceId::new(Queue::KIND, &self.name)
    }

    fn needs(&self) -> Vec<ResourceId> {
        Vec::new()
    }

    fn is(&self, found: &LiveQueue, _: View<'_>) -> bool {
        found.name == self.name
    }

    fn marks<'a>(&self, found: &'a LiveQueue, _: View<'a>) -> Vec<Marks<'a>> {
        vec![found.marks()]
    }

    fn adopt(&self, found: &LiveQueue, owner: &Owner) -> Option<String> {
        Some(owner.adopt(&Taggable::Queue(&found.url)))
    }

    fn aws_id(found: &LiveQueue) -> Id<Self> {
        found.arn.clone()
    }

    fn wanted(&self, view: View<'_>) -> QueueFields<Wanted> {
        QueueFields {
            retention: Want::Is(self.retention),
            policy: Want::Is(LiveDocument::from(&self.policy(view.account))),
            tags: Want::Is(self.tags.clone()),
        }
    }

    fn found(&self, found: &LiveQueue, _: View<'_>) -> QueueFields<Found> {
        QueueFields {
            retention: found.retention,
            policy: found.policy.clone(),
            tags: Some(found.tags.clone()),
        }
    }

    fn facing(&self, found: &LiveQueue, _: View<'_>) -> Self {
        Self { url: Some(found.url.clone()), ..self.clone() }
    }

    fn given(&self) -> Given<'_> {
        Given::name(&QUEUE_NAME, &self.name).tags(&self.tags)
    }

    async fn create(&self, work: &Work<'_>) -> Result<Option<Id<Self>>, AwsError> {
        let account = work.aws.account();
        let policy = self.policy(account).to_compact();
        let call = work.aws.sqs.create_queue().queue_name(&self.name);
        let call = call
            .attributes(QueueAttributeName::MessageRetentionPeriod, self.retention.to_string())
            .attributes(QueueAttributeName::Policy, policy)
            .set_tags(Some(self.tags.clone().into_iter().collect()));
        work.waits
            .until(&self.id(), FREE, async || {
                match done(CREATE, &self.name, call.clone().send().await) {
                    Err(error) if error.fault == Fault::Busy => {
                        let holder = "its name, which was another queue's until now".to_owned();
                        Ok(Attempt::NotYet(Held { holder, error }))
                    }
                    answer => answer.map(Attempt::Done),
                }
            })
            .await?;
        // The answer tells the queue's address alone.
        Id::given(Answer::of(CREATE, &self.name), "QueueArn", Some(&self.arn(account))).map(Some)
    }

    async fn update(
        &self,
        work: &Work<'_>,
        _: &Id<Self>,
        changed: &QueueFields<Changed>,
    ) -> Result<(), AwsError> {
        let QueueFields { retention, policy, tags } = changed;
        let sqs = &work.aws.sqs;
        let mut attributes = HashMap::new();
        if retention.is_some() {
            let seconds = self.retention.to_string();
            attributes.insert(QueueAttributeName::MessageRetentionPeriod, seconds);
        }
        if policy.is_some() {
            let policy = self.policy(work.aws.account());
            attributes.insert(QueueAttributeName::Policy, policy.to_compact());
        }
        if !attributes.is_empty() {
            let call = sqs.set_queue_attributes().set_queue_url(self.url.clone());
            let answer = call.set_attributes(Some(attributes)).send().await;
            done("sqs:SetQueueAttributes", &self.name, answer)?;
        }
        if tags.is_some() {
            let call = sqs.tag_queue().set_queue_url(self.url.clone());
            let answer = call.set_tags(Some(self.tags.clone().into_iter().collect())).send().await;
            work.unless_lacking(done("sqs:TagQueue", &self.name, answer))?;
        }
        Ok(())
    }

    #[cfg(test)]
    fn imagined(&self, _: &Id<Self>, view: View<'_>) -> LiveQueue {
        let policy = self.policy(view.account).to_compact();
        LiveQueue {
            arn: Id::imagined(self.arn(view.account)),
            name: self.name.clone(),
            url: format!("https://sqs.us-west-2.amazonaws.com/123456789012/{}", self.name),
            retention: Some(self.retention),
            policy: Some(LiveDocument::read(policy, PrincipalRule::Expected)),
            tags: self.tags.clone(),
        }
    }

    #[cfg(test)]
    fn disturbed(&self, live: &LiveQueue) -> Vec<(&'static str, LiveQueue)> {
        let nobody = LiveDocument::read(r#"{"Statement": []}"#.to_owned(), PrincipalRule::Expected);
        vec![
            ("messageRetentionPeriod", LiveQueue { retention: Some(60), ..live.clone() }),
            ("document", LiveQueue { policy: Some(nobody), ..live.clone() }),
            ("tags", LiveQueue { tags: Self::lacking_one(&live.tags), ..live.clone() }),
        ]
    }
}

impl Queue {
    fn arn(&self, account: &str) -> String {
        let Self { name, region, .. } = self;
        format!("arn:{}:sqs:{region}:{account}:{name}", Partition::of_region(region).name)
    }

    fn policy(&self, account: &str) -> Document {
        let senders = Values::Many(self.senders.clone());
        Document::new(vec![Statement {
            sid: None,
            effect: Effect::Allow,
            principal: Some(Scope::Only(BTreeMap::from([("Service".to_owned(), senders)]))),
            actions: Scope::Only(many(&["sqs:SendMessage"])),
            resources: Some(Scope::Only(Values::One(self.arn(account)))),
            conditions: Conditions::new(),
        }])
    }
}

/// Deletes a queue, by its URL.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct QueueDeletion(String);

impl Delete for QueueDeletion {
    async fn attempt(&self, aws: &Aws) -> Result<(), AwsError> {
        let Self(url) = self;
        done("sqs:DeleteQueue", url, aws.sqs.delete_queue().queue_url(url).send().await)
    }

    /// Nothing holds a queue.
    async fn holders(&self, _: &Work<'_>, _: &mut Holders) -> Result<(), AwsError> {
        Ok(())
    }
}

impl Unclaimed for Queue {
    fn unclaimed(sweep: &mut Sweep<'_>) {
        for found in sweep.rows::<LiveQueue>(Self::KIND) {
            let id = ResourceId::new(Self::KIND, &found.name);
            if !sweep.is_wanted(&id) && sweep.is_ours(&id, &found.marks()) {
                let place = Place::new(Self::KIND, &found.arn);
                sweep.offer(Offer::new(id, place, QueueDeletion(found.url.clone())));
            }
        }
    }
}
