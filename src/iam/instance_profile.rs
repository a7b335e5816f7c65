//! `IAMInstanceProfile`: what carries a role to instances.

use std::time::Duration;

use crate::aws::tags::Tags;
use crate::aws::{Answer, Aws, AwsError, Fault};
use crate::core::drift::{Drift, tag_drift};
use crate::core::kind::ResourceId;
use crate::core::seen::Observed;
use crate::core::wait::{Attempt, Budget, Held};
use crate::core::work::Work;
use crate::iam::role::{LiveIamRole, tags_from_sdk, tags_to_sdk};

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

#[derive(Clone, Debug)]
pub(crate) struct IamInstanceProfile {
    pub(crate) name: String,
    /// The tags that it must have; none are asked of a profile that is not ours.
    pub(crate) tags: Tags,
}

#[derive(Clone, Debug)]
pub(crate) struct LiveInstanceProfile {
    pub(crate) arn: String,
    pub(crate) tags: Tags,
    /// The role in it; AWS allows one.
    pub(crate) role: Option<(String, LiveIamRole)>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Write {
    Create { name: String, tags: Tags },
    Tag { name: String, tags: Tags },
}

pub(crate) async fn observe(
    aws: &Aws,
    name: &str,
) -> Result<Observed<LiveInstanceProfile>, AwsError> {
    let answer = aws.iam.get_instance_profile().instance_profile_name(name).send().await;
    let answer = answer.map_err(|error| AwsError::new(GET, name, error));
    Observed::sort(answer.and_then(|answer| {
        let profile = Answer::of(GET, name).part("InstanceProfile", answer.instance_profile())?;
        let role = profile.roles().first();
        Ok(LiveInstanceProfile {
            arn: Answer::of(GET, name).id("Arn", Some(profile.arn()))?,
            tags: tags_from_sdk(profile.tags()),
            role: role.map(|role| (role.role_name().to_owned(), LiveIamRole::from_sdk(role))),
        })
    }))
}

/// How the profile differs and what would mend it, or `None` if nothing does.
pub(crate) fn compare(
    desired: &IamInstanceProfile,
    live: &LiveInstanceProfile,
) -> Option<(Drift, Write)> {
    let fields = tag_drift(&desired.tags, &live.tags);
    let write = Write::Tag { name: desired.name.clone(), tags: desired.tags.clone() };
    (!fields.is_empty()).then(|| (Drift { fields, ..Drift::default() }, write))
}

pub(crate) fn create(desired: &IamInstanceProfile) -> Write {
    Write::Create { name: desired.name.clone(), tags: desired.tags.clone() }
}

impl Write {
    pub(crate) async fn send(&self, work: &Work<'_>) -> Result<(), AwsError> {
        let aws = work.aws;
        match self {
            Self::Create { name, tags } => {
                let call = aws.iam.create_instance_profile().instance_profile_name(name);
                let answer = call.set_tags(tags_to_sdk(CREATE, name, tags)?).send().await;
                match answer.map_err(|error| AwsError::new(CREATE, name, error)) {
                    // There is one, perhaps by a call of ours whose answer was lost.
                    Err(error) if error.fault == Fault::Conflict => {
                        let found = observe(aws, name).await?;
                        let is_as_wanted = |live: &LiveInstanceProfile| {
                            live.role.is_none() && tag_drift(tags, &live.tags).is_empty()
                        };
                        if !found.found().is_some_and(is_as_wanted) {
                            return Err(error);
                        }
                    }
                    answer => drop(answer?),
                }
                let id = ResourceId::new(IamInstanceProfile::KIND, name);
                work.waits.until(&id, VISIBLE, || visible(aws, name)).await
            }
            Self::Tag { name, tags } => {
                let call = aws.iam.tag_instance_profile().instance_profile_name(name);
                let answer = call.set_tags(tags_to_sdk(TAG, name, tags)?).send().await;
                let answer = answer.map_err(|error| AwsError::new(TAG, name, error));
                work.unless_lacking(answer.map(drop))
            }
        }
    }
}

/// Whether IAM shows a new profile; whoever uses it before is told that it does not exist.
async fn visible(aws: &Aws, name: &str) -> Result<Attempt<()>, AwsError> {
    Ok(match observe(aws, name).await? {
        // Without the right to look, there is nothing to wait for.
        Observed::Found(_) | Observed::Denied(_) => Attempt::Done(()),
        Observed::Missing => {
            let (object, message) =
                (name.to_owned(), "the new profile is not to be seen".to_owned());
            let error = AwsError { operation: GET, object, fault: Fault::Other, message };
            Attempt::NotYet(Held { holder: "IAM to show it".to_owned(), error })
        }
    })
}
