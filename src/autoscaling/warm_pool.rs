//! `WarmPool`: instances that wait, stopped, to join a group.

use crate::autoscaling::autoscaling_group::{AutoscalingGroup, Groups, LiveGroup, Sizes};
use crate::autoscaling::lifecycle_hook::LifecycleHook;
use crate::aws::{Aws, AwsError};
use crate::core::belongings::{Around, Belonging, Presence};
use crate::core::fields::{Changed, Found, Want, Wanted, fields};
use crate::core::given::Given;
use crate::core::id::{Id, Ref};
use crate::core::kind::{Kind, ResourceId};
use crate::core::look::{Asked, Look, Looking};
use crate::core::manage::{Manage, View};
use crate::core::seen::{Looked, Seen};
use crate::core::sweep::{Sweep, Unclaimed};
use crate::core::whose::Marks;
use crate::core::work::Work;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct WarmPool {
    pub(crate) group: Ref<AutoscalingGroup>,
    /// `None` where the group is to have none any more.
    pub(crate) sizes: Option<Sizes>,
}

fields! { WarmPoolFields {
    least: i32 = "minSize",
    most: i32 = "maxSize",
} }

#[derive(Clone, Debug)]
pub(crate) struct LivePool {
    group: Id<AutoscalingGroup>,
    sizes: Sizes,
}

/// The pools that the groups have which were seen.
#[derive(Debug)]
pub(crate) struct Pools(Looked<LivePool>);

impl Look for Pools {
    const AFTER: &'static [Looking] = &[Looking::of::<Groups>()];

    fn ask(_: &Asked, seen: &Seen) -> Option<Self> {
        Some(Self(seen.of::<LiveGroup>().flat_map(|group| {
            let pool = group.warm_pool.clone();
            pool.map(|sizes| LivePool { group: group.name.clone(), sizes }).into_iter().collect()
        })))
    }

    async fn read(self, _: &Aws) -> Result<Seen, AwsError> {
        Ok(Seen::default().with(self.0))
    }
}

impl Presence for WarmPool {
    const LOOKS: &'static [Looking] = &[Looking::of::<Pools>()];

    const IS_SOUGHT: bool = false;

    /// They go with their group.
    fn belongings(_: &Around<'_>) -> Vec<Belonging> {
        Vec::new()
    }
}

impl Manage for WarmPool {
    type Live = LivePool;
    type Fields = WarmPoolFields<Wanted>;

    fn id(&self) -> ResourceId {
        ResourceId::new(WarmPool::KIND, &self.group.name)
    }

    fn needs(&self) -> Vec<ResourceId> {
        vec![self.group.resource()]
    }

    /// Instances of the pool are to meet the hook.
    fn behind(&self) -> &'static [Kind] {
        &[LifecycleHook::KIND]
    }

    fn is_wanted(&self, _: View<'_>) -> bool {
        self.sizes.is_some()
    }

    fn is(&self, found: &LivePool, _: View<'_>) -> bool {
        found.group == self.group.name
    }

    /// What is part of something was found by that.
    fn marks<'a>(&self, _: &'a LivePool, _: View<'a>) -> Vec<Marks<'a>> {
        Vec::new()
    }

    fn aws_id(found: &LivePool) -> Id<Self> {
        Id::part(&found.group, "warmPool")
    }

    fn wanted(&self, _: View<'_>) -> WarmPoolFields<Wanted> {
        let sizes = self.sizes.as_ref();
        WarmPoolFields {
            least: Want::maybe(sizes.map(|sizes| sizes.least)),
            most: Want::maybe(sizes.and_then(|sizes| sizes.most)),
        }
    }

    fn found(&self, found: &LivePool, _: View<'_>) -> WarmPoolFields<Found> {
        WarmPoolFields { least: Some(found.sizes.least), most: found.sizes.most }
    }

    fn removes(&self, _: &WarmPoolFields<Changed>) -> bool {
        self.sizes.is_none()
    }

    fn given(&self) -> Given<'_> {
        Given::nothing()
    }

    async fn create(&self, work: &Work<'_>) -> Result<Option<Id<Self>>, AwsError> {
        if let Some(sizes) = &self.sizes {
            self.put(work.aws, sizes).await?;
        }
        Ok(None)
    }

    async fn update(
        &self,
        work: &Work<'_>,
        _: &Id<Self>,
        _: &WarmPoolFields<Changed>,
    ) -> Result<(), AwsError> {
        match &self.sizes {
            Some(sizes) => self.put(work.aws, sizes).await,
            None => self.delete(work.aws).await,
        }
    }

    #[cfg(test)]
    fn imagined(&self, _: &Id<Self>, _: View<'_>) -> LivePool {
        let sizes = self.sizes.clone().unwrap_or(Sizes { least: 0, most: None });
        LivePool { group: Id::imagined(&self.group.name), sizes }
    }

    #[cfg(test)]
    fn disturbed(&self, live: &LivePool) -> Vec<(&'static str, LivePool)> {
        let Sizes { least, most } = live.sizes.clone();
        vec![
            ("minSize", LivePool { sizes: Sizes { least: least + 9, most }, ..live.clone() }),
            ("maxSize", LivePool { sizes: Sizes { least, most: Some(99) }, ..live.clone() }),
        ]
    }
}

impl WarmPool {
    async fn put(&self, aws: &Aws, sizes: &Sizes) -> Result<(), AwsError> {
        let group = &self.group.name;
        let call = aws.autoscaling.put_warm_pool().auto_scaling_group_name(group);
        // −1 stands for the group's own largest size (Auto Scaling API, PutWarmPool).
        let call = call.min_size(sizes.least).max_group_prepared_capacity(sizes.most.unwrap_or(-1));
        let answer = call.send().await;
        answer.map_err(|error| AwsError::new("autoscaling:PutWarmPool", group, error))?;
        Ok(())
    }

    async fn delete(&self, aws: &Aws) -> Result<(), AwsError> {
        let group = &self.group.name;
        let call = aws.autoscaling.delete_warm_pool().auto_scaling_group_name(group);
        let answer = call.force_delete(true).send().await;
        answer.map_err(|error| AwsError::new("autoscaling:DeleteWarmPool", group, error))?;
        Ok(())
    }
}

impl Unclaimed for WarmPool {
    /// One that the spec no longer has is taken away as a change of its group.
    fn unclaimed(_: &mut Sweep<'_>) {}
}
