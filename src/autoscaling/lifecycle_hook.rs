//! `AutoscalingLifecycleHook`: instances of a group wait, on their way in or out, until somebody
//! says that they may go on.

use futures::future::try_join_all;

use crate::autoscaling::autoscaling_group::{AutoscalingGroup, Groups, LiveGroup};
use crate::aws::{Answer, Aws, AwsError, done};
use crate::core::belongings::{Around, Belonging, Presence};
use crate::core::deletion::Delete;
use crate::core::fields::{Changed, Found, Want, Wanted, fields};
use crate::core::given::Given;
use crate::core::holders::Holders;
use crate::core::id::{Id, Ref};
use crate::core::kind::ResourceId;
use crate::core::look::{Asked, Look, Looking};
use crate::core::manage::{Manage, View};
use crate::core::seen::{Looked, Seen};
use crate::core::sweep::{Offer, Place, Removal, Sweep, Unclaimed};
use crate::core::whose::Marks;
use crate::core::work::Work;
use crate::limits::LIFECYCLE_HOOK_NAME;

const DESCRIBE: &str = "autoscaling:DescribeLifecycleHooks";

/// The name of the hook that holds instances until they are ready for their warm pool (kops
/// `pkg/model/awsmodel/autoscalinggroup.go`).
const OF_WARM_POOL: &str = "kops-warmpool";

/// What ends the name of the hook by which node-termination-handler empties a node first (kops
/// `pkg/model/awsmodel/nodeterminationhandler.go`).
const OF_TERMINATION: &str = "-NTHLifecycleHook";

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LifecycleHook {
    of: String,
    group: Ref<AutoscalingGroup>,
    /// AWS' name of it, of which a group has one.
    name: String,
    purpose: Purpose,
    /// How many seconds an instance waits.
    timeout: i32,
}

impl LifecycleHook {
    /// Of the instance group that has this name in its spec.
    pub(crate) fn new(
        of: &str,
        group: Ref<AutoscalingGroup>,
        purpose: Purpose,
        timeout: i32,
    ) -> Self {
        let name = match purpose {
            Purpose::Termination => format!("{of}{OF_TERMINATION}"),
            Purpose::WarmPool => OF_WARM_POOL.to_owned(),
        };
        Self { of: of.to_owned(), group, name, purpose, timeout }
    }
}

/// What a hook is for, which tells all but its timeout.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Purpose {
    Termination,
    WarmPool,
}

impl Purpose {
    fn transition(self) -> &'static str {
        match self {
            Self::Termination => "autoscaling:EC2_INSTANCE_TERMINATING",
            Self::WarmPool => "autoscaling:EC2_INSTANCE_LAUNCHING",
        }
    }

    /// What becomes of an instance of which nobody says anything.
    fn default_result(self) -> &'static str {
        match self {
            Self::Termination => "CONTINUE",
            Self::WarmPool => "ABANDON",
        }
    }
}

fields! { LifecycleHookFields {
    transition: String = "lifecycleTransition",
    default_result: String = "defaultResult",
    timeout: i32 = "heartbeatTimeout",
} }

#[derive(Clone, Debug)]
pub(crate) struct LiveHook {
    group: Id<AutoscalingGroup>,
    name: String,
    transition: Option<String>,
    default_result: Option<String>,
    timeout: Option<i32>,
}

impl LiveHook {
    /// What it is for, by its name, with the name of the cluster's instance group.
    fn purpose(&self, cluster: &str) -> Option<(Purpose, &str)> {
        if let Some(of) = self.name.strip_suffix(OF_TERMINATION) {
            let rest = self.group.strip_prefix(of)?;
            return rest.starts_with('.').then_some((Purpose::Termination, of));
        }
        let of = self.group.strip_suffix(cluster)?.strip_suffix('.')?;
        // No other group that can have a pool has a role in its name (kops `pkg/model/names.go`).
        let of = of.strip_suffix(".apiservers").unwrap_or(of);
        (self.name == OF_WARM_POOL).then_some((Purpose::WarmPool, of))
    }

    fn deletion(&self) -> LifecycleHookDeletion {
        LifecycleHookDeletion { group: self.group.clone(), name: self.name.clone() }
    }
}

/// The hooks of the cluster's groups. AWS tells those of one group at a time.
#[derive(Debug)]
pub(crate) struct Hooks(Vec<Id<AutoscalingGroup>>);

impl Look for Hooks {
    const AFTER: &'static [Looking] = &[Looking::of::<Groups>()];

    fn ask(asked: &Asked, seen: &Seen) -> Option<Self> {
        if !asked.looks_at(&[LifecycleHook::KIND]) || asked.everything() {
            return None;
        }
        let wanted = asked.wanted::<LifecycleHook>();
        let is_asked = |group: &&LiveGroup| {
            wanted.iter().any(|hook| group.name == hook.group.name)
                || asked.owner.whose(AutoscalingGroup::KIND, &group.marks()).is_owned()
        };
        let groups = seen.rows::<LiveGroup>().iter().filter(is_asked);
        Some(Self(groups.map(|group| group.name.clone()).collect()))
    }

    async fn read(self, aws: &Aws) -> Result<Seen, AwsError> {
        let reads = try_join_all(self.0.iter().map(async |group| read(aws, group).await));
        let rows = reads.await.map(|rows| rows.into_iter().flatten().collect());
        Ok(Seen::default().with(Looked::sort(rows)?))
    }
}

async fn read(aws: &Aws, group: &Id<AutoscalingGroup>) -> Result<Vec<LiveHook>, AwsError> {
    let call = aws.autoscaling.describe_lifecycle_hooks().auto_scaling_group_name(group);
    let answer = call.send().await.map_err(|error| AwsError::new(DESCRIBE, group, error))?;
    let rows = answer.lifecycle_hooks().iter().map(|hook| {
        Ok(LiveHook {
            group: group.clone(),
            name: Answer::of(DESCRIBE, group)
                .text("LifecycleHookName", hook.lifecycle_hook_name())?,
            transition: hook.lifecycle_transition().map(str::to_owned),
            default_result: hook.default_result().map(str::to_owned),
            timeout: hook.heartbeat_timeout(),
        })
    });
    rows.collect()
}

impl Presence for LifecycleHook {
    const LOOKS: &'static [Looking] = &[Looking::of::<Hooks>()];

    const IS_SOUGHT: bool = true;

    /// They go with their group.
    fn belongings(_: &Around<'_>) -> Vec<Belonging> {
        Vec::new()
    }
}

impl Manage for LifecycleHook {
    type Live = LiveHook;
    type Fields = LifecycleHookFields<Wanted>;

    fn id(&self) -> ResourceId {
        told(self.purpose, &self.of)
    }

    fn needs(&self) -> Vec<ResourceId> {
        vec![self.group.resource()]
    }

    fn is(&self, found: &LiveHook, _: View<'_>) -> bool {
        found.group == self.group.name && found.name == self.name
    }

    /// What is part of something was found by that.
    fn marks<'a>(&self, _: &'a LiveHook, _: View<'a>) -> Vec<Marks<'a>> {
        Vec::new()
    }

    fn aws_id(found: &LiveHook) -> Id<Self> {
        Id::part(&found.group, &found.name)
    }

    fn wanted(&self, _: View<'_>) -> LifecycleHookFields<Wanted> {
        LifecycleHookFields {
            transition: Want::Is(self.purpose.transition().to_owned()),
            default_result: Want::Is(self.purpose.default_result().to_owned()),
            timeout: Want::Is(self.timeout),
        }
    }

    fn found(&self, found: &LiveHook, _: View<'_>) -> LifecycleHookFields<Found> {
        LifecycleHookFields {
            transition: found.transition.clone(),
            default_result: found.default_result.clone(),
            timeout: found.timeout,
        }
    }

    fn given(&self) -> Given<'_> {
        Given::name(&LIFECYCLE_HOOK_NAME, &self.name)
    }

    async fn create(&self, work: &Work<'_>) -> Result<Option<Id<Self>>, AwsError> {
        self.put(work.aws).await.map(|()| None)
    }

    async fn update(
        &self,
        work: &Work<'_>,
        _: &Id<Self>,
        changed: &LifecycleHookFields<Changed>,
    ) -> Result<(), AwsError> {
        let LifecycleHookFields { transition: _, default_result: _, timeout: _ } = changed;
        self.put(work.aws).await
    }

    #[cfg(test)]
    fn imagined(&self, _: &Id<Self>, _: View<'_>) -> LiveHook {
        LiveHook {
            group: Id::imagined(&self.group.name),
            name: self.name.clone(),
            transition: Some(self.purpose.transition().to_owned()),
            default_result: Some(self.purpose.default_result().to_owned()),
            timeout: Some(self.timeout),
        }
    }

    #[cfg(test)]
    fn disturbed(&self, live: &LiveHook) -> Vec<(&'static str, LiveHook)> {
        let other = Some("other".to_owned());
        vec![
            ("lifecycleTransition", LiveHook { transition: other.clone(), ..live.clone() }),
            ("defaultResult", LiveHook { default_result: other, ..live.clone() }),
            ("heartbeatTimeout", LiveHook { timeout: Some(31), ..live.clone() }),
        ]
    }
}

fn told(purpose: Purpose, of: &str) -> ResourceId {
    let name = match purpose {
        Purpose::Termination => format!("{of}{OF_TERMINATION}"),
        Purpose::WarmPool => format!("{OF_WARM_POOL}-{of}"),
    };
    ResourceId::new(LifecycleHook::KIND, name)
}

impl LifecycleHook {
    async fn put(&self, aws: &Aws) -> Result<(), AwsError> {
        let group = &self.group.name;
        let call = aws.autoscaling.put_lifecycle_hook().auto_scaling_group_name(group);
        let call = call
            .lifecycle_hook_name(&self.name)
            .lifecycle_transition(self.purpose.transition())
            .default_result(self.purpose.default_result())
            .heartbeat_timeout(self.timeout);
        done("autoscaling:PutLifecycleHook", group, call.send().await)
    }
}

/// Takes a hook off a group.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LifecycleHookDeletion {
    group: Id<AutoscalingGroup>,
    name: String,
}

impl Delete for LifecycleHookDeletion {
    async fn attempt(&self, aws: &Aws) -> Result<(), AwsError> {
        let Self { group, name } = self;
        let call = aws.autoscaling.delete_lifecycle_hook().auto_scaling_group_name(group);
        let answer = call.lifecycle_hook_name(name).send().await;
        done("autoscaling:DeleteLifecycleHook", group, answer)
    }

    /// Nothing holds a hook.
    async fn holders(&self, _: &Work<'_>, _: &mut Holders) -> Result<(), AwsError> {
        Ok(())
    }
}

impl Unclaimed for LifecycleHook {
    /// Those of groups that stay. The hook of a warm pool goes with any update, as in kops: without
    /// somebody who answers it, no instance would join any more.
    fn unclaimed(sweep: &mut Sweep<'_>) {
        let view = sweep.view();
        let wanted = sweep.wishes::<Self>();
        for found in sweep.rows::<LiveHook>(Self::KIND) {
            let group = ResourceId::new(AutoscalingGroup::KIND, &found.group);
            let is_meant = wanted.iter().any(|hook| hook.is(found, view));
            let Some((purpose, of)) = found.purpose(view.owner.cluster()) else { continue };
            if is_meant || !sweep.is_wanted(&group) {
                continue;
            }
            let id = told(purpose, of);
            match purpose {
                Purpose::WarmPool => {
                    let reason = "no warm pool of the spec wants it".to_owned();
                    let deletion = found.deletion().into();
                    sweep.too_much(Removal { id, fields: Vec::new(), reason, deletion });
                }
                Purpose::Termination => {
                    let place = Place::new(Self::KIND, Self::aws_id(found));
                    sweep.offer(Offer::new(id, place, found.deletion()));
                }
            }
        }
    }
}
