//! `IAMRolePolicy`: a policy that lies inside a role.

use futures::future::try_join_all;

use crate::aws::{Aws, AwsError, Fault};
use crate::core::document::{LiveDocument, unchanged};
use crate::core::drift::Drift;
use crate::core::fields::{Changed, Changes as _, Delta, Found, Value, Want, Wanted, fields};
use crate::core::given::Given;
use crate::core::id::Id;
use crate::core::kind::ResourceId;
use crate::core::manage::{Manage, Ownership, View};
use crate::core::seen::{Looked, Seen, Sight};
use crate::core::sweep::{Sweep, Unclaimed};
use crate::core::whose::Marks;
use crate::core::work::Work;
use crate::iam::role::{IamRole, LiveInstanceProfile};
use crate::limits::POLICY_NAME;
use crate::policy::difference::{self, Difference};
use crate::policy::document::{Document, Statement};
use crate::policy::parse::PrincipalRule;
use crate::policy::role_policy::RolePolicy;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct IamRolePolicy {
    pub(crate) name: String,
    pub(crate) role: String,
    pub(crate) content: Content,
    /// The profile that the user brings along, in which the role is.
    pub(crate) inside: Option<String>,
}

fields! { IamRolePolicyFields {
    document: LiveDocument = "document",
    /// All policies of a role that the user brings along, whatever they are called.
    together: Permissions = "permissions",
} }

/// The name of the additional policy of a role.
pub(crate) fn additional_name(role: &str) -> String {
    format!("additional.{role}")
}

/// What the policy says.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Content {
    /// A role's own policy, which may depend on the id of the cluster's hosted zone.
    Role(RolePolicy),
    Given(Document),
    /// There must be no such policy.
    Absent,
    /// The role's own policy and the additional one, spread over policies of any name.
    Together(RolePolicy, Option<Document>),
}

impl Content {
    pub(crate) fn document(&self, zone: Option<&str>) -> Option<Document> {
        match self {
            Self::Role(policy) | Self::Together(policy, _) => Some(policy.document(zone)),
            Self::Given(document) => Some(document.clone()),
            Self::Absent => None,
        }
    }
}

/// An inline policy as it was found.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LivePolicy {
    pub(crate) name: String,
    pub(crate) document: LiveDocument,
}

/// The inline policies of one role.
#[derive(Clone, Debug)]
pub(crate) struct LivePolicies {
    pub(crate) role: String,
    pub(crate) policies: Vec<LivePolicy>,
}

impl LivePolicies {
    pub(crate) fn get(&self, name: &str) -> Option<&LiveDocument> {
        let found = self.policies.iter().find(|policy| policy.name == name);
        found.map(|policy| &policy.document)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &LiveDocument)> {
        self.policies.iter().map(|policy| (policy.name.as_str(), &policy.document))
    }
}

/// What several policies grant together.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Permissions(Vec<Statement>);

impl Permissions {
    /// What turning these into `wanted` gives and takes.
    fn difference(&self, wanted: &Self) -> Difference {
        Difference {
            gained: difference::not_allowed(&self.0, &wanted.0),
            lost: difference::between(&self.0, &wanted.0).lost,
        }
    }
}

impl Value for Permissions {
    fn tell(&self) -> String {
        format!("{} statements", self.0.len())
    }

    fn is(&self, found: &Self) -> bool {
        found.difference(self).is_empty()
    }

    fn drift(_: &str, delta: &Delta<Self>, drift: &mut Drift) {
        let none = Self(Vec::new());
        let (before, after) = (delta.before.as_ref(), delta.after.as_ref());
        drift.permissions = before.unwrap_or(&none).difference(after.unwrap_or(&none));
    }
}

/// Reads all inline policies of a role: their names, then all of them at once.
pub(crate) async fn observe(aws: &Aws, role: &str) -> Result<Looked<LivePolicies>, AwsError> {
    Looked::sort_one(read(aws, role).await)
}

async fn read(aws: &Aws, role: &str) -> Result<LivePolicies, AwsError> {
    let pages = aws.iam.list_role_policies().role_name(role).into_paginator().items().send();
    let names: Vec<String> = pages
        .collect::<Result<_, _>>()
        .await
        .map_err(|error| AwsError::new("iam:ListRolePolicies", role, error))?;
    let reads = names.into_iter().map(async |name| {
        let document = read_one(aws, role, &name).await?;
        // It may have gone since the list was made.
        Ok(document.map(|document| LivePolicy { name, document }))
    });
    let policies = try_join_all(reads).await?.into_iter().flatten().collect();
    Ok(LivePolicies { role: role.to_owned(), policies })
}

pub(crate) async fn read_one(
    aws: &Aws,
    role: &str,
    name: &str,
) -> Result<Option<LiveDocument>, AwsError> {
    let call = aws.iam.get_role_policy().role_name(role).policy_name(name);
    let answer = call.send().await;
    let object = || format!("{name} in {role}");
    match answer.map_err(|error| AwsError::new("iam:GetRolePolicy", object(), error)) {
        Ok(answer) => {
            Ok(Some(LiveDocument::decode(&answer.policy_document, PrincipalRule::Refused)))
        }
        Err(error) if error.fault == Fault::Missing => Ok(None),
        Err(error) => Err(error),
    }
}

impl Manage for IamRolePolicy {
    type Live = LivePolicies;
    type Fields = IamRolePolicyFields<Wanted>;

    fn id(&self) -> ResourceId {
        ResourceId::new(IamRolePolicy::KIND, &self.name)
    }

    fn needs(&self) -> Vec<ResourceId> {
        vec![ResourceId::new(IamRole::KIND, &self.role)]
    }

    fn sight<'a>(&self, seen: &'a Seen) -> Sight<'a, LivePolicies> {
        let profile = self.inside.as_ref();
        let profile = profile.map(|profile| seen.named::<LiveInstanceProfile>(profile));
        match (profile, seen.named(&self.role).into()) {
            (Some(Looked::Denied(error)), _) => Sight::Denied(error),
            // The profile has no role whose policies could be looked at.
            (Some(_), Sight::Not) => Sight::Rows(Vec::new()),
            (_, sight) => sight,
        }
    }

    fn is_wanted(&self, view: View<'_>) -> bool {
        self.content.document(view.zone).is_some()
    }

    fn is(&self, found: &LivePolicies, _: View<'_>) -> bool {
        matches!(self.content, Content::Together(..)) || found.get(&self.name).is_some()
    }

    /// Told by whose the role is.
    fn marks<'a>(&self, _: &'a LivePolicies, _: View<'a>) -> Vec<Marks<'a>> {
        Vec::new()
    }

    /// It lies in the role, and has no id of its own.
    fn aws_id(found: &LivePolicies) -> Id<Self> {
        Id::part(&found.role, "policies")
    }

    fn wanted(&self, view: View<'_>) -> IamRolePolicyFields<Wanted> {
        let own = self.content.document(view.zone);
        match &self.content {
            Content::Together(_, additional) => {
                let documents = own.iter().chain(additional);
                let all = documents.flat_map(|document| document.statements.iter().cloned());
                IamRolePolicyFields {
                    document: Want::Any,
                    together: Want::Is(Permissions(all.collect())),
                }
            }
            _ => IamRolePolicyFields {
                document: Want::maybe(own.as_ref().map(LiveDocument::from)),
                together: Want::Any,
            },
        }
    }

    fn found(&self, found: &LivePolicies, _: View<'_>) -> IamRolePolicyFields<Found> {
        let documents = found.iter().filter_map(|(_, live)| live.document.as_ref());
        let all = documents.flat_map(|document| document.statements.iter().cloned());
        IamRolePolicyFields {
            document: found.get(&self.name).cloned(),
            together: Some(Permissions(all.collect())),
        }
    }

    fn ownership(&self) -> Ownership {
        if self.inside.is_some() { Ownership::Brought } else { Ownership::Ours }
    }

    fn creation(&self, view: View<'_>) -> Drift {
        let document = self.content.document(view.zone);
        let document = document.as_ref().map(LiveDocument::from);
        let created = Delta { before: None, after: document };
        IamRolePolicyFields { document: Some(created), ..IamRolePolicyFields::none() }.drift()
    }

    fn removes(&self, changed: &IamRolePolicyFields<Changed>) -> bool {
        changed.document.as_ref().is_some_and(|delta| delta.after.is_none())
    }

    /// What is written is the same, through whatever profile it was found.
    fn facing(&self, _: &LivePolicies, view: View<'_>) -> Self {
        self.resolved(view)
    }

    fn resolved(&self, view: View<'_>) -> Self {
        let document = self.content.document(view.zone);
        let content = document.map_or(Content::Absent, Content::Given);
        Self { content, inside: None, ..self.clone() }
    }

    fn given(&self) -> Given<'_> {
        Given::name(&POLICY_NAME, &self.name)
    }

    async fn create(&self, work: &Work<'_>) -> Result<Option<Id<Self>>, AwsError> {
        if let Content::Given(document) = &self.content {
            self.put(work.aws, None, &document.into()).await?;
        }
        Ok(None)
    }

    async fn update(
        &self,
        work: &Work<'_>,
        _: &Id<Self>,
        changed: &IamRolePolicyFields<Changed>,
    ) -> Result<(), AwsError> {
        // What policies grant together is only looked at.
        let IamRolePolicyFields { document, together: _ } = changed;
        match document {
            None => Ok(()),
            Some(Delta { before, after: Some(wanted) }) => {
                self.put(work.aws, before.as_ref(), wanted).await
            }
            Some(Delta { before, after: None }) => self.delete(work.aws, before.as_ref()).await,
        }
    }

    /// With what the role has of others.
    #[cfg(test)]
    fn imagined(&self, _: &Id<Self>, view: View<'_>) -> LivePolicies {
        let none = LivePolicies { role: self.role.clone(), policies: Vec::new() };
        let others = view.seen.one(&self.role).unwrap_or(&none);
        let document = self
            .content
            .document(view.zone)
            .map(|document| LiveDocument::decode(&document.to_compact(), PrincipalRule::Refused));
        self.among(others, document)
    }

    #[cfg(test)]
    fn disturbed(&self, live: &LivePolicies) -> Vec<(&'static str, LivePolicies)> {
        let nothing = LiveDocument::decode(r#"{"Statement": []}"#, PrincipalRule::Refused);
        vec![("document", self.among(live, Some(nothing)))]
    }

    #[cfg(test)]
    fn without(&self, live: &LivePolicies) -> Option<LivePolicies> {
        Some(self.among(live, None))
    }

    /// All policies of a role are one row.
    #[cfg(test)]
    fn put(&self, looked: Looked<LivePolicies>, seen: &mut Seen) {
        let looked = match looked {
            Looked::Found(mut rows) => Looked::Found(rows.pop().into_iter().collect()),
            other => other,
        };
        seen.put_named(&self.role, looked);
    }
}

impl IamRolePolicy {
    /// The policies of the role with this one so, or without it.
    #[cfg(test)]
    fn among(&self, others: &LivePolicies, document: Option<LiveDocument>) -> LivePolicies {
        let others = others.policies.iter().filter(|other| other.name != self.name).cloned();
        let own = document.map(|document| LivePolicy { name: self.name.clone(), document });
        LivePolicies { role: self.role.clone(), policies: others.chain(own).collect() }
    }

    fn object(&self) -> String {
        format!("{} in {}", self.name, self.role)
    }

    /// Writes a document in place of the one that the plan was made against.
    async fn put(
        &self,
        aws: &Aws,
        before: Option<&LiveDocument>,
        wanted: &LiveDocument,
    ) -> Result<(), AwsError> {
        const OPERATION: &str = "iam:PutRolePolicy";
        let found = read_one(aws, &self.role, &self.name).await?;
        if found.as_ref().is_some_and(|found| wanted.is(found)) {
            return Ok(());
        }
        unchanged(OPERATION, self.object(), before, found.as_ref())?;
        let call = aws.iam.put_role_policy().role_name(&self.role).policy_name(&self.name);
        let answer = call.policy_document(&wanted.text).send().await;
        answer.map(drop).map_err(|error| AwsError::new(OPERATION, self.object(), error))
    }

    /// Deletes the document that the plan was made against.
    async fn delete(&self, aws: &Aws, before: Option<&LiveDocument>) -> Result<(), AwsError> {
        let Some(found) = read_one(aws, &self.role, &self.name).await? else { return Ok(()) };
        unchanged("iam:DeleteRolePolicy", self.object(), before, Some(&found))?;
        let call = aws.iam.delete_role_policy().role_name(&self.role).policy_name(&self.name);
        let answer = call.send().await;
        match answer.map_err(|error| AwsError::new("iam:DeleteRolePolicy", self.object(), error)) {
            // One that is gone already is as wanted.
            Err(error) if error.fault == Fault::Missing => Ok(()),
            answer => answer.map(drop),
        }
    }
}

impl Unclaimed for IamRolePolicy {
    /// It goes with its role; one that the spec wants absent is deleted by an update.
    fn unclaimed(_: &mut Sweep<'_>) {}
}
