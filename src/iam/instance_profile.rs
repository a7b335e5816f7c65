//! `IAMInstanceProfile`: what carries a role to instances.

use std::time::Duration;

use crate::aws::tags::Tags;
use crate::aws::{Answer, Aws, AwsError, Fault, done};
use crate::core::deletion::{Delete, gone_or};
use crate::core::drift::Drift;
use crate::core::fields::{Changed, Found, Value as _, Want, Wanted, fields};
use crate::core::given::Given;
use crate::core::holders::Holders;
use crate::core::home;
use crate::core::id::Id;
use crate::core::kind::ResourceId;
use crate::core::manage::{Manage, Ownership, View};
use crate::core::seen::{Looked, Seen, Sight};
use crate::core::wait::{Attempt, Budget, Held};
use crate::core::whose::Marks;
use crate::core::work::Work;
pub(crate) use crate::iam::role::IamInstanceProfile;
use crate::iam::role::{IamRole, LiveIamRole, LiveInstanceProfile, tags_from_sdk, tags_to_sdk};
use crate::limits::PROFILE_NAME;

const GET: &str = "iam:GetInstanceProfile";
const CREATE: &str = "iam:CreateInstanceProfile";
const TAG: &str = "iam:TagInstanceProfile";

/// How long a new profile may take to be seen; IAM speaks of seconds.
const VISIBLE: Budget = Budget {
    within: Duration::from_secs(60),
    pause: Duration::from_millis(100),
    longest_pause: Duration::from_secs(3),
    looks: 1,
};

fields! { IamInstanceProfileFields {
    tags: Tags = "tags",
} }

pub(crate) async fn observe(
    aws: &Aws,
    name: &str,
) -> Result<Looked<LiveInstanceProfile>, AwsError> {
    let answer = aws.iam.get_instance_profile().instance_profile_name(name).send().await;
    let answer = answer.map_err(|error| AwsError::new(GET, name, error));
    Looked::sort_one(answer.and_then(|answer| {
        let told = Answer::of(GET, name);
        let profile = told.part("InstanceProfile", answer.instance_profile())?;
        let mut roles = profile.roles().iter().map(|role| LiveIamRole::from_sdk(told, role));
        Ok(LiveInstanceProfile {
            name: Id::given(told, "InstanceProfileName", Some(profile.instance_profile_name()))?,
            arn: told.text("Arn", Some(profile.arn()))?,
            tags: tags_from_sdk(profile.tags()),
            role: roles.next().transpose()?,
            further: roles.map(|role| Ok(role?.name)).collect::<Result<_, AwsError>>()?,
        })
    }))
}

impl Manage for IamInstanceProfile {
    type Live = LiveInstanceProfile;
    type Fields = IamInstanceProfileFields<Wanted>;

    fn id(&self) -> ResourceId {
        ResourceId::new(IamInstanceProfile::KIND, &self.name)
    }

    fn needs(&self) -> Vec<ResourceId> {
        Vec::new()
    }

    fn sight<'a>(&self, seen: &'a Seen) -> Sight<'a, LiveInstanceProfile> {
        seen.named(&self.name).into()
    }

    fn is(&self, _: &LiveInstanceProfile, _: View<'_>) -> bool {
        true
    }

    /// Told by looking at its role too (`iam::presence`).
    fn marks<'a>(&self, _: &'a LiveInstanceProfile, _: View<'a>) -> Vec<Marks<'a>> {
        Vec::new()
    }

    fn aws_id(found: &LiveInstanceProfile) -> Id<Self> {
        found.name.clone()
    }

    fn wanted(&self, _: View<'_>) -> IamInstanceProfileFields<Wanted> {
        IamInstanceProfileFields { tags: Want::Is(self.tags.clone()) }
    }

    fn wanted_over(
        &self,
        found: &LiveInstanceProfile,
        _: View<'_>,
    ) -> IamInstanceProfileFields<Wanted> {
        let tags = home::without_late_marks(&self.tags, &found.tags);
        IamInstanceProfileFields { tags: Want::Is(tags) }
    }

    fn found(&self, found: &LiveInstanceProfile, _: View<'_>) -> IamInstanceProfileFields<Found> {
        IamInstanceProfileFields { tags: Some(found.tags.clone()) }
    }

    fn ownership(&self) -> Ownership {
        if self.is_brought { Ownership::Brought } else { Ownership::Ours }
    }

    /// A new profile says nothing by itself.
    fn creation(&self, _: View<'_>) -> Drift {
        Drift::default()
    }

    fn given(&self) -> Given<'_> {
        Given::name(&PROFILE_NAME, &self.name).plain_tags(&self.tags)
    }

    async fn create(&self, work: &Work<'_>) -> Result<Option<Id<Self>>, AwsError> {
        let (aws, name) = (work.aws, &self.name);
        let call = aws.iam.create_instance_profile().instance_profile_name(name);
        let answer = call.set_tags(tags_to_sdk(CREATE, name, &self.tags)?).send().await;
        match answer.map_err(|error| AwsError::new(CREATE, name, error)) {
            // There is one, perhaps by a call of ours whose answer was lost.
            Err(error) if error.fault == Fault::Conflict => {
                let found = observe(aws, name).await?;
                let is_as_wanted =
                    |live: &LiveInstanceProfile| live.role.is_none() && self.tags.is(&live.tags);
                if !found.one().is_some_and(is_as_wanted) {
                    return Err(error);
                }
            }
            answer => drop(answer?),
        }
        work.waits.until(&self.id(), VISIBLE, || visible(aws, name)).await?;
        Ok(None)
    }

    async fn update(
        &self,
        work: &Work<'_>,
        _: &Id<Self>,
        changed: &IamInstanceProfileFields<Changed>,
    ) -> Result<(), AwsError> {
        let IamInstanceProfileFields { tags } = changed;
        if tags.is_none() {
            return Ok(());
        }
        let name = &self.name;
        let call = work.aws.iam.tag_instance_profile().instance_profile_name(name);
        let answer = call.set_tags(tags_to_sdk(TAG, name, &self.tags)?).send().await;
        work.unless_lacking(answer.map(drop).map_err(|error| AwsError::new(TAG, name, error)))
    }

    #[cfg(test)]
    fn imagined(&self, _: &Id<Self>, _: View<'_>) -> LiveInstanceProfile {
        LiveInstanceProfile {
            name: Id::imagined(&self.name),
            arn: format!("arn:aws:iam::123456789012:instance-profile/{}", self.name),
            tags: self.tags.clone(),
            role: None,
            further: Vec::new(),
        }
    }

    #[cfg(test)]
    fn disturbed(&self, live: &LiveInstanceProfile) -> Vec<(&'static str, LiveInstanceProfile)> {
        vec![("tags", LiveInstanceProfile { tags: Self::lacking_one(&live.tags), ..live.clone() })]
    }

    #[cfg(test)]
    fn put(&self, looked: Looked<LiveInstanceProfile>, seen: &mut Seen) {
        seen.put_named(&self.name, looked);
    }
}

/// Whether IAM shows a new profile; whoever uses it before is told that it does not exist.
async fn visible(aws: &Aws, name: &str) -> Result<Attempt<()>, AwsError> {
    Ok(match observe(aws, name).await? {
        // Without the right to look, there is nothing to wait for.
        Looked::Denied(_) | Looked::Not => Attempt::Done(()),
        Looked::Found(rows) if !rows.is_empty() => Attempt::Done(()),
        Looked::Found(_) => {
            let (object, message) =
                (name.to_owned(), "the new profile is not to be seen".to_owned());
            let error = AwsError { operation: GET, object, fault: Fault::Other, message };
            Attempt::NotYet(Held { holder: "IAM to show it".to_owned(), error })
        }
    })
}

/// Deletes an instance profile, which lets go of its roles before.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct InstanceProfileDeletion {
    pub(crate) name: Id<IamInstanceProfile>,
    pub(crate) roles: Vec<Id<IamRole>>,
}

impl Delete for InstanceProfileDeletion {
    async fn attempt(&self, aws: &Aws) -> Result<(), AwsError> {
        let Self { name, roles } = self;
        for role in roles {
            let call = aws.iam.remove_role_from_instance_profile();
            let answer = call.instance_profile_name(name).role_name(role).send().await;
            gone_or(done("iam:RemoveRoleFromInstanceProfile", name, answer))?;
        }
        let call = aws.iam.delete_instance_profile().instance_profile_name(name);
        done("iam:DeleteInstanceProfile", name, call.send().await)
    }

    async fn holders(&self, work: &Work<'_>, holders: &mut Holders) -> Result<(), AwsError> {
        of_profile(work.aws, &self.name, holders).await
    }
}

async fn of_profile(aws: &Aws, name: &str, holders: &mut Holders) -> Result<(), AwsError> {
    let found = observe(aws, name).await?;
    for role in found.one().into_iter().flat_map(LiveInstanceProfile::roles) {
        holders.add(false, format!("role {role}, which is in it since"));
    }
    Ok(())
}
