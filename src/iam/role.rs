//! `IAMRole`: a role that instances or pods take, with its trust policy, boundary and tags.

use aws_sdk_iam::types::Tag;

use crate::aws::tags::Tags;
use crate::aws::{Answer, Aws, AwsError, Fault, done};
use crate::core::deletion::gone_or;
use crate::core::document::{LiveDocument, unchanged};
use crate::core::drift::Drift;
use crate::core::fields::{Changed, Delta, Found, Value as _, Want, Wanted, fields};
use crate::core::given::Given;
use crate::core::home;
use crate::core::id::Id;
use crate::core::kind::ResourceId;
use crate::core::manage::{Manage, Ownership, View};
use crate::core::seen::{Looked, Seen, Sight};
use crate::core::whose::Marks;
use crate::core::work::Work;
use crate::limits::ROLE_NAME;
use crate::policy::document::Document;
use crate::policy::parse::PrincipalRule;
use crate::policy::v1_36::accounts::PodTrust;

const CREATE: &str = "iam:CreateRole";
const TAG: &str = "iam:TagRole";
const BOUND: &str = "iam:PutRolePermissionsBoundary";
const UNBOUND: &str = "iam:DeleteRolePermissionsBoundary";

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct IamRole {
    pub(crate) name: String,
    pub(crate) trust: Trust,
    /// The ARN of the policy beyond which nothing is allowed to it.
    pub(crate) boundary: Option<String>,
    /// The tags that it must have; none are asked of a role that is not ours.
    pub(crate) tags: Tags,
    /// Whether it is that of an add-on's service account.
    pub(crate) is_of_add_on: bool,
    /// The profile that the user brings along, in which it is.
    pub(crate) inside: Option<String>,
}

fields! { IamRoleFields {
    trust: LiveDocument = "trust",
    boundary: String = "permissionsBoundary",
    tags: Tags = "tags",
} }

/// Who may take a role.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Trust {
    Given(Document),
    /// Pods, which depends on the account of AWS.
    Pods(PodTrust),
}

impl Trust {
    pub(crate) fn document(&self, account: &str) -> Document {
        match self {
            Self::Given(document) => document.clone(),
            Self::Pods(pods) => pods.document(account),
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct LiveIamRole {
    pub(crate) name: Id<IamRole>,
    pub(crate) trust: LiveDocument,
    pub(crate) tags: Tags,
    /// The ARN of the policy beyond which nothing is allowed to it. Told of a role that is looked
    /// at by itself, and of one in a profile never (IAM API reference, `Role`).
    pub(crate) boundary: Option<String>,
}

/// An instance profile as it is wanted.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct IamInstanceProfile {
    pub(crate) name: String,
    /// The tags that it must have; none are asked of a profile that is not ours.
    pub(crate) tags: Tags,
    pub(crate) is_brought: bool,
}

/// An instance profile as it was found.
#[derive(Clone, Debug)]
pub(crate) struct LiveInstanceProfile {
    pub(crate) name: Id<IamInstanceProfile>,
    pub(crate) arn: String,
    pub(crate) tags: Tags,
    /// The role in it; AWS allows one.
    pub(crate) role: Option<LiveIamRole>,
    /// Were there more, these.
    pub(crate) further: Vec<Id<IamRole>>,
}

impl LiveIamRole {
    /// Takes a role out of an answer.
    pub(crate) fn from_sdk(
        answer: Answer<'_>,
        role: &aws_sdk_iam::types::Role,
    ) -> Result<Self, AwsError> {
        let trust = role.assume_role_policy_document().unwrap_or_default();
        Ok(Self {
            name: Id::given(answer, "RoleName", Some(role.role_name()))?,
            trust: LiveDocument::decode(trust, PrincipalRule::Expected),
            tags: tags_from_sdk(role.tags()),
            boundary: role
                .permissions_boundary()
                .map(|boundary| {
                    let arn = boundary.permissions_boundary_arn();
                    answer.text("PermissionsBoundaryArn", arn)
                })
                .transpose()?,
        })
    }
}

impl LiveInstanceProfile {
    /// All roles that it carries.
    pub(crate) fn roles(&self) -> impl Iterator<Item = &Id<IamRole>> {
        self.role.iter().map(|role| &role.name).chain(&self.further)
    }
}

/// The role in a profile, as far as that was looked at.
pub(crate) fn role_inside<'a>(seen: &'a Seen, profile: &str) -> Sight<'a, LiveIamRole> {
    match seen.named::<LiveInstanceProfile>(profile).into() {
        Sight::Rows(rows) => {
            let roles = rows.into_iter().filter_map(|profile| profile.role.as_ref());
            Sight::Rows(roles.collect())
        }
        Sight::Denied(error) => Sight::Denied(error),
        Sight::Not => Sight::Not,
    }
}

/// Reads a role.
pub(crate) async fn observe(aws: &Aws, name: &str) -> Result<Looked<LiveIamRole>, AwsError> {
    const OPERATION: &str = "iam:GetRole";
    let answer = aws.iam.get_role().role_name(name).send().await;
    let answer = answer.map_err(|error| AwsError::new(OPERATION, name, error));
    Looked::sort_one(answer.and_then(|answer| {
        let told = Answer::of(OPERATION, name);
        LiveIamRole::from_sdk(told, told.part("Role", answer.role())?)
    }))
}

impl Manage for IamRole {
    type Live = LiveIamRole;
    type Fields = IamRoleFields<Wanted>;

    fn id(&self) -> ResourceId {
        ResourceId::new(IamRole::KIND, &self.name)
    }

    fn needs(&self) -> Vec<ResourceId> {
        Vec::new()
    }

    fn sight<'a>(&self, seen: &'a Seen) -> Sight<'a, LiveIamRole> {
        match &self.inside {
            Some(profile) => role_inside(seen, profile),
            None => seen.named(&self.name).into(),
        }
    }

    fn is(&self, _: &LiveIamRole, _: View<'_>) -> bool {
        true
    }

    /// Told by looking at its profile and its policies too (`iam::presence`).
    fn marks<'a>(&self, _: &'a LiveIamRole, _: View<'a>) -> Vec<Marks<'a>> {
        Vec::new()
    }

    fn aws_id(found: &LiveIamRole) -> Id<Self> {
        found.name.clone()
    }

    fn wanted(&self, view: View<'_>) -> IamRoleFields<Wanted> {
        let trust = LiveDocument::from(&self.trust.document(view.account));
        let boundary = match self.inside {
            Some(_) => Want::Any,
            None => Want::maybe(self.boundary.clone()),
        };
        IamRoleFields { trust: Want::Is(trust), boundary, tags: Want::Is(self.tags.clone()) }
    }

    fn wanted_over(&self, found: &LiveIamRole, view: View<'_>) -> IamRoleFields<Wanted> {
        let tags = home::without_late_marks(&self.tags, &found.tags);
        IamRoleFields { tags: Want::Is(tags), ..self.wanted(view) }
    }

    fn found(&self, found: &LiveIamRole, _: View<'_>) -> IamRoleFields<Found> {
        IamRoleFields {
            trust: Some(found.trust.clone()),
            boundary: found.boundary.clone(),
            tags: Some(found.tags.clone()),
        }
    }

    fn ownership(&self) -> Ownership {
        if self.inside.is_some() { Ownership::Brought } else { Ownership::Ours }
    }

    /// What is written is the same, through whatever profile it was found.
    fn facing(&self, _: &LiveIamRole, view: View<'_>) -> Self {
        self.resolved(view)
    }

    fn resolved(&self, view: View<'_>) -> Self {
        let trust = Trust::Given(self.trust.document(view.account));
        Self { trust, inside: None, ..self.clone() }
    }

    /// What a new role may do, its policies tell.
    fn creation(&self, _: View<'_>) -> Drift {
        Drift::default()
    }

    fn given(&self) -> Given<'_> {
        Given::name(&ROLE_NAME, &self.name).plain_tags(&self.tags)
    }

    async fn create(&self, work: &Work<'_>) -> Result<Option<Id<Self>>, AwsError> {
        let (aws, name) = (work.aws, &self.name);
        let call = aws.iam.create_role().role_name(name).set_tags(self.sdk_tags(CREATE)?);
        let call = call.set_permissions_boundary(self.boundary.clone());
        let trust = self.trust.document(aws.account()).to_compact();
        let answer = call.assume_role_policy_document(trust).send().await;
        match answer.map_err(|error| AwsError::new(CREATE, name, error)) {
            // There is one, perhaps by a call of ours whose answer was lost.
            Err(error) if error.fault == Fault::Conflict => {
                let found = observe(aws, name).await?;
                match found.one() {
                    Some(live) if self.is_as_wanted(aws, live) => Ok(None),
                    _ => Err(error),
                }
            }
            answer => answer.map(|_| None),
        }
    }

    async fn update(
        &self,
        work: &Work<'_>,
        _: &Id<Self>,
        changed: &IamRoleFields<Changed>,
    ) -> Result<(), AwsError> {
        let IamRoleFields { trust, boundary, tags } = changed;
        let (aws, name) = (work.aws, &self.name);
        if let Some(Delta { before, .. }) = trust {
            self.put_trust(aws, before.as_ref()).await?;
        }
        match boundary.as_ref().map(|delta| &delta.after) {
            None => {}
            Some(Some(arn)) => {
                let call = aws.iam.put_role_permissions_boundary().role_name(name);
                done(BOUND, name, call.permissions_boundary(arn).send().await)?;
            }
            Some(None) => {
                let call = aws.iam.delete_role_permissions_boundary().role_name(name);
                gone_or(done(UNBOUND, name, call.send().await))?;
            }
        }
        if tags.is_some() {
            let call = aws.iam.tag_role().role_name(name).set_tags(self.sdk_tags(TAG)?);
            let answer = call.send().await.map_err(|error| AwsError::new(TAG, name, error));
            work.unless_lacking(answer.map(drop))?;
        }
        Ok(())
    }

    #[cfg(test)]
    fn imagined(&self, _: &Id<Self>, view: View<'_>) -> LiveIamRole {
        let trust = self.trust.document(view.account).to_compact();
        let trust = LiveDocument::decode(&trust, PrincipalRule::Expected);
        let (name, tags) = (Id::imagined(&self.name), self.tags.clone());
        LiveIamRole { name, trust, tags, boundary: self.boundary.clone() }
    }

    #[cfg(test)]
    fn disturbed(&self, live: &LiveIamRole) -> Vec<(&'static str, LiveIamRole)> {
        let another = "arn:aws:iam::123456789012:policy/another".to_owned();
        let nobody = LiveDocument::decode(r#"{"Statement": []}"#, PrincipalRule::Expected);
        vec![
            ("trust", LiveIamRole { trust: nobody, ..live.clone() }),
            ("permissionsBoundary", LiveIamRole { boundary: Some(another), ..live.clone() }),
            ("tags", LiveIamRole { tags: Self::lacking_one(&live.tags), ..live.clone() }),
        ]
    }

    #[cfg(test)]
    fn put(&self, looked: Looked<LiveIamRole>, seen: &mut Seen) {
        seen.put_named(&self.name, looked);
    }
}

impl IamRole {
    fn sdk_tags(&self, operation: &'static str) -> Result<Option<Vec<Tag>>, AwsError> {
        tags_to_sdk(operation, &self.name, &self.tags)
    }

    /// Writes the trust policy in place of the one that the plan was made against.
    async fn put_trust(&self, aws: &Aws, before: Option<&LiveDocument>) -> Result<(), AwsError> {
        const OPERATION: &str = "iam:UpdateAssumeRolePolicy";
        let name = &self.name;
        let looked = observe(aws, name).await?;
        if let Some(error) = looked.refused() {
            return Err(error.clone());
        }
        let found = looked.one().map(|role| &role.trust);
        let wanted = self.trust.document(aws.account());
        if found.is_some_and(|found| found.drift_to(&wanted).is_none()) {
            return Ok(());
        }
        unchanged(OPERATION, name, before, found)?;
        let call = aws.iam.update_assume_role_policy().role_name(name);
        let answer = call.policy_document(wanted.to_compact()).send().await;
        answer.map(drop).map_err(|error| AwsError::new(OPERATION, name, error))
    }

    fn is_as_wanted(&self, aws: &Aws, found: &LiveIamRole) -> bool {
        found.trust.drift_to(&self.trust.document(aws.account())).is_none()
            && self.boundary == found.boundary
            && self.tags.is(&found.tags)
    }

    /// Whether pods take it, and instances do not.
    pub(crate) fn is_of_pods(&self) -> bool {
        matches!(self.trust, Trust::Pods(_))
    }
}

pub(crate) fn tags_from_sdk(tags: &[Tag]) -> Tags {
    tags.iter().map(|tag| (tag.key().to_owned(), tag.value().to_owned())).collect()
}

/// `None` without tags, because IAM takes no empty list.
pub(crate) fn tags_to_sdk(
    operation: &'static str,
    object: &str,
    tags: &Tags,
) -> Result<Option<Vec<Tag>>, AwsError> {
    let tags = tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build());
    let tags = tags.collect::<Result<Vec<_>, _>>();
    let tags = tags.map_err(|error| AwsError::unbuilt(operation, object, error))?;
    Ok((!tags.is_empty()).then_some(tags))
}
