//! `EventBridgeRule`: which events of AWS' a cluster wants to hear of.

use std::fmt;

use aws_sdk_eventbridge::types::{Rule, RuleState, Tag};
use futures::future::{try_join, try_join_all};
use serde_json::Value as Json;

use crate::aws::tags::Tags;
use crate::aws::{Answer, Aws, AwsError, Fault, done};
use crate::core::belongings::{Around, Belonging, Presence};
use crate::core::deletion::Delete;
use crate::core::drift::{Drift, FieldChange};
use crate::core::fields::{Changed, Found, Value, Want, Wanted, fields};
use crate::core::given::Given;
use crate::core::holders::Holders;
use crate::core::id::Id;
use crate::core::kind::ResourceId;
use crate::core::look::{Asked, Look, Looking};
use crate::core::manage::{Manage, View};
use crate::core::seen::{Looked, Seen};
use crate::core::sweep::{Offer, Place, Removal, Sweep, Unclaimed};
use crate::core::whose::{Marks, Owner, Taggable};
use crate::core::work::Work;
use crate::limits::EVENT_RULE_NAME;

const LIST: &str = "events:ListRules";
const LIST_TARGETS: &str = "events:ListTargetsByRule";
const PUT: &str = "events:PutRule";

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct EventBridgeRule {
    pub(crate) name: String,
    pub(crate) pattern: Pattern,
    pub(crate) tags: Tags,
}

fields! { RuleFields {
    pattern: Pattern = "eventPattern",
    state: String = "state",
    tags: Tags = "tags",
} }

/// Which events a rule takes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Pattern(Json);

impl Pattern {
    pub(crate) fn new(json: Json) -> Self {
        Self(json)
    }

    /// A text that is no JSON stands for itself.
    fn read(text: &str) -> Self {
        Self(serde_json::from_str(text).unwrap_or_else(|_| text.into()))
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Value for Pattern {
    fn tell(&self) -> String {
        self.to_string()
    }

    /// Any value of a list will do, so that their order means nothing (EventBridge user guide,
    /// "Creating Amazon EventBridge event patterns").
    fn is(&self, found: &Self) -> bool {
        fn ordered(json: &Json) -> Json {
            match json {
                Json::Array(values) => {
                    let mut values: Vec<Json> = values.iter().map(ordered).collect();
                    values.sort_by_key(Json::to_string);
                    values.dedup();
                    Json::Array(values)
                }
                Json::Object(fields) => {
                    let fields = fields.iter().map(|(key, value)| (key.clone(), ordered(value)));
                    Json::Object(fields.collect())
                }
                other => other.clone(),
            }
        }
        ordered(&self.0) == ordered(&found.0)
    }
}

/// Where a rule sends what it takes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TargetRow {
    pub(crate) id: String,
    pub(crate) arn: String,
}

#[derive(Clone, Debug)]
pub(crate) struct LiveRule {
    pub(crate) arn: Id<EventBridgeRule>,
    pub(crate) name: String,
    pattern: Option<Pattern>,
    state: Option<String>,
    pub(crate) targets: Vec<TargetRow>,
    tags: Tags,
}

impl LiveRule {
    fn marks(&self) -> Marks<'_> {
        Marks::of(&self.arn).or_id(&self.name).tags(&self.tags)
    }

    fn deletion(&self) -> RuleDeletion {
        RuleDeletion { name: self.name.clone(), targets: self.targets.clone() }
    }
}

/// The rules that bear the cluster's names, whether the spec has them or not.
#[derive(Debug)]
pub(crate) struct OwnRules {
    names: Vec<String>,
    beginning: String,
}

impl Look for OwnRules {
    const AFTER: &'static [Looking] = &[];

    fn ask(asked: &Asked, _: &Seen) -> Option<Self> {
        let names = &asked.names.event_rules;
        asked
            .looks_at(&[EventBridgeRule::KIND])
            .then(|| Self { names: names.clone(), beginning: common_beginning(names) })
    }

    async fn read(self, aws: &Aws) -> Result<Seen, AwsError> {
        Ok(Seen::default().with(Looked::sort(read(aws, &self).await)?))
    }
}

/// What all of some names begin with.
fn common_beginning(names: &[String]) -> String {
    let mut names = names.iter();
    let first = names.next().cloned().unwrap_or_default();
    names.fold(first, |common, name| {
        let both = common.chars().zip(name.chars());
        both.take_while(|(one, other)| one == other).map(|(one, _)| one).collect()
    })
}

async fn read(aws: &Aws, look: &OwnRules) -> Result<Vec<LiveRule>, AwsError> {
    let mut rules = Vec::new();
    let mut next = None;
    loop {
        let call = aws.events.list_rules().name_prefix(&look.beginning).set_next_token(next);
        let answer = call.send().await;
        let answer = answer.map_err(|error| AwsError::new(LIST, &look.beginning, error))?;
        next = answer.next_token;
        rules.extend(answer.rules.unwrap_or_default());
        if next.is_none() {
            break;
        }
    }
    // The name of another cluster may begin as this one's does.
    let is_own = |rule: &&Rule| look.names.iter().any(|name| rule.name() == Some(name));
    let own = rules.iter().filter(is_own).map(async |rule| {
        let name = Answer::of(LIST, &look.beginning).text("Name", rule.name())?;
        let arn = Id::given(Answer::of(LIST, &name), "Arn", rule.arn())?;
        let (targets, tags) = match try_join(targets(aws, &name), tags(aws, &arn)).await {
            Ok(told) => told,
            // It has gone since the list was made.
            Err(error) if error.fault == Fault::Missing => return Ok(None),
            Err(error) => return Err(error),
        };
        Ok::<_, AwsError>(Some(LiveRule {
            arn,
            pattern: rule.event_pattern().map(Pattern::read),
            state: rule.state().map(|state| state.as_str().to_owned()),
            targets,
            tags,
            name,
        }))
    });
    Ok(try_join_all(own).await?.into_iter().flatten().collect())
}

async fn targets(aws: &Aws, rule: &str) -> Result<Vec<TargetRow>, AwsError> {
    let mut targets = Vec::new();
    let mut next = None;
    loop {
        let call = aws.events.list_targets_by_rule().rule(rule).set_next_token(next);
        let answer = call.send().await;
        let answer = answer.map_err(|error| AwsError::new(LIST_TARGETS, rule, error))?;
        let rows = answer.targets().iter();
        targets.extend(rows.map(|row| TargetRow { id: row.id.clone(), arn: row.arn.clone() }));
        next = answer.next_token;
        if next.is_none() {
            return Ok(targets);
        }
    }
}

async fn tags(aws: &Aws, arn: &str) -> Result<Tags, AwsError> {
    const OPERATION: &str = "events:ListTagsForResource";
    let answer = aws.events.list_tags_for_resource().resource_arn(arn).send().await;
    let answer = answer.map_err(|error| AwsError::new(OPERATION, arn, error))?;
    Ok(answer.tags().iter().map(|tag| (tag.key.clone(), tag.value.clone())).collect())
}

fn tags_to_sdk(tags: &Tags, arn: &str) -> Result<Vec<Tag>, AwsError> {
    let tags = tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build());
    let tags: Result<_, _> = tags.collect();
    tags.map_err(|error| AwsError::unbuilt("events:TagResource", arn, error))
}

impl Presence for EventBridgeRule {
    const LOOKS: &'static [Looking] = &[Looking::of::<OwnRules>()];

    const IS_SOUGHT: bool = true;

    fn belongings(around: &Around<'_>) -> Vec<Belonging> {
        let found = around.seen.rows::<LiveRule>().iter().filter_map(|found| {
            around.by_name(Self::KIND, &found.name, &found.marks(), found.deletion())
        });
        found.collect()
    }
}

impl Manage for EventBridgeRule {
    type Live = LiveRule;
    type Fields = RuleFields<Wanted>;

    fn id(&self) -> ResourceId {
        ResourceId::new(EventBridgeRule::KIND, &self.name)
    }

    fn needs(&self) -> Vec<ResourceId> {
        Vec::new()
    }

    fn is(&self, found: &LiveRule, _: View<'_>) -> bool {
        found.name == self.name
    }

    fn marks<'a>(&self, found: &'a LiveRule, _: View<'a>) -> Vec<Marks<'a>> {
        vec![found.marks()]
    }

    fn adopt(&self, found: &LiveRule, owner: &Owner) -> Option<String> {
        Some(owner.adopt(&Taggable::EventRule(&found.arn)))
    }

    fn aws_id(found: &LiveRule) -> Id<Self> {
        found.arn.clone()
    }

    fn wanted(&self, _: View<'_>) -> RuleFields<Wanted> {
        RuleFields {
            pattern: Want::Is(self.pattern.clone()),
            state: Want::Is(RuleState::Enabled.as_str().to_owned()),
            tags: Want::Is(self.tags.clone()),
        }
    }

    fn found(&self, found: &LiveRule, _: View<'_>) -> RuleFields<Found> {
        RuleFields {
            pattern: found.pattern.clone(),
            state: found.state.clone(),
            tags: Some(found.tags.clone()),
        }
    }

    fn given(&self) -> Given<'_> {
        Given::name(&EVENT_RULE_NAME, &self.name).tags(&self.tags)
    }

    async fn create(&self, work: &Work<'_>) -> Result<Option<Id<Self>>, AwsError> {
        self.put(work, Some(tags_to_sdk(&self.tags, &self.name)?)).await.map(Some)
    }

    async fn update(
        &self,
        work: &Work<'_>,
        id: &Id<Self>,
        changed: &RuleFields<Changed>,
    ) -> Result<(), AwsError> {
        let RuleFields { pattern, state, tags } = changed;
        if pattern.is_some() || state.is_some() {
            // Of a rule that is there, PutRule leaves the tags alone (EventBridge API, PutRule).
            self.put(work, None).await?;
        }
        if tags.is_some() {
            let call = work.aws.events.tag_resource().resource_arn(id);
            let answer = call.set_tags(Some(tags_to_sdk(&self.tags, id)?)).send().await;
            work.unless_lacking(done("events:TagResource", id, answer))?;
        }
        Ok(())
    }

    #[cfg(test)]
    fn imagined(&self, _: &Id<Self>, view: View<'_>) -> LiveRule {
        let account = view.account;
        LiveRule {
            arn: Id::imagined(format!("arn:aws:events:us-west-2:{account}:rule/{}", self.name)),
            name: self.name.clone(),
            pattern: Some(self.pattern.clone()),
            state: Some(RuleState::Enabled.as_str().to_owned()),
            targets: Vec::new(),
            tags: self.tags.clone(),
        }
    }

    #[cfg(test)]
    fn disturbed(&self, live: &LiveRule) -> Vec<(&'static str, LiveRule)> {
        let pattern = Some(Pattern::read(r#"{"source": ["aws.s3"]}"#));
        let state = Some(RuleState::Disabled.as_str().to_owned());
        vec![
            ("eventPattern", LiveRule { pattern, ..live.clone() }),
            ("state", LiveRule { state, ..live.clone() }),
            ("tags", LiveRule { tags: Self::lacking_one(&live.tags), ..live.clone() }),
        ]
    }
}

impl EventBridgeRule {
    async fn put(&self, work: &Work<'_>, tags: Option<Vec<Tag>>) -> Result<Id<Self>, AwsError> {
        let call = work.aws.events.put_rule().name(&self.name);
        let call = call.event_pattern(self.pattern.to_string()).state(RuleState::Enabled);
        let answer = call.set_tags(tags).send().await;
        let answer = answer.map_err(|error| AwsError::new(PUT, &self.name, error))?;
        Id::given(Answer::of(PUT, &self.name), "RuleArn", answer.rule_arn())
    }
}

/// Deletes a rule with its targets: one that has any is not deleted (EventBridge API, DeleteRule).
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RuleDeletion {
    name: String,
    /// As they were when the plan was made.
    targets: Vec<TargetRow>,
}

impl Delete for RuleDeletion {
    async fn attempt(&self, aws: &Aws) -> Result<(), AwsError> {
        let Self { name, targets } = self;
        if !targets.is_empty() {
            let ids = targets.iter().map(|target| target.id.clone()).collect();
            let call = aws.events.remove_targets().rule(name).set_ids(Some(ids));
            const REMOVE: &str = "events:RemoveTargets";
            let answer = call.send().await.map_err(|error| AwsError::new(REMOVE, name, error))?;
            if let Some(failed) = answer.failed_entries().first() {
                let told = failed.error_message().or(failed.error_code()).unwrap_or_default();
                let id = failed.target_id().unwrap_or_default();
                return Err(Answer::of(REMOVE, name).not_understood(format!("{id}: {told}")));
            }
        }
        done("events:DeleteRule", name, aws.events.delete_rule().name(name).send().await)
    }

    async fn holders(&self, work: &Work<'_>, holders: &mut Holders) -> Result<(), AwsError> {
        for target in targets(work.aws, &self.name).await? {
            holders.add(false, format!("target {}, added since", target.arn));
        }
        Ok(())
    }

    fn drift(&self) -> Drift {
        let gone = self.targets.iter().map(|target| FieldChange {
            field: "target".to_owned(),
            before: Some(target.arn.clone()),
            after: None,
        });
        Drift { fields: gone.collect(), ..Drift::default() }
    }
}

impl Unclaimed for EventBridgeRule {
    /// A rule beside those that the spec has is one of a spec before, and goes with any update, as
    /// in kops: what it sends would still be acted on. Where the spec has none, nobody listens.
    fn unclaimed(sweep: &mut Sweep<'_>) {
        let has_others = !sweep.wishes::<Self>().is_empty();
        for found in sweep.rows::<LiveRule>(Self::KIND) {
            let id = ResourceId::new(Self::KIND, &found.name);
            if sweep.is_wanted(&id) || !sweep.is_ours(&id, &found.marks()) {
                continue;
            }
            if has_others {
                let reason = "the spec does not ask for these events any more".to_owned();
                let deletion = found.deletion().into();
                sweep.too_much(Removal { id, fields: Vec::new(), reason, deletion });
            } else {
                let place = Place::new(Self::KIND, &found.arn);
                sweep.offer(Offer::new(id, place, found.deletion()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_the_same_whatever_the_order_of_what_they_list() {
        let is = |one: &str, other: &str| Pattern::read(one).is(&Pattern::read(other));
        let events = r#"{"source": ["aws.ec2"], "detail-type": ["a", "b"]}"#;
        assert!(is(events, r#"{"detail-type":["b","a"],"source":["aws.ec2"]}"#));
        assert!(!is(events, r#"{"detail-type":["b"],"source":["aws.ec2"]}"#));
        assert!(!is(events, r#"{"source": ["aws.ec2"], "detail-type": ["a", "b"], "detail": {}}"#));
        assert!(!is(events, "no JSON"));
    }

    #[test]
    fn names_are_looked_for_by_what_they_begin_with() {
        let names =
            |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(common_beginning(&names(&["a.b-Stop", "a.b-Start", "a.b-End"])), "a.b-");
        assert_eq!(common_beginning(&names(&["a.b-Stop"])), "a.b-Stop");
        assert_eq!(common_beginning(&[]), "");
    }
}
