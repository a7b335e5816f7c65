//! `IAMRolePolicyAttachment`: a managed policy is attached to a role. The policy itself is
//! somebody's, and only looked at.

use crate::aws::{Aws, AwsError, done};
use crate::core::belongings::{Around, Belonging, Presence};
use crate::core::deletion::{Delete, gone_or};
use crate::core::document::LiveDocument;
use crate::core::drift::{Drift, FieldChange};
use crate::core::given::Given;
use crate::core::holders::Holders;
use crate::core::id::Id;
use crate::core::kind::ResourceId;
use crate::core::look::Looking;
use crate::core::manage::{Manage, View};
#[cfg(test)]
use crate::core::seen::Looked;
use crate::core::seen::{Seen, Sight};
use crate::core::sweep::{Offer, Place, Sweep, Unclaimed};
use crate::core::whose::Marks;
use crate::core::work::Work;
use crate::iam::attached::Attached;
pub(crate) use crate::iam::attached::IamRolePolicyAttachment;
use crate::iam::look::{AttachedPolicies, ManagedPolicies, RolesThrough};
use crate::iam::managed_policy::LiveManagedPolicy;
use crate::iam::presence;
use crate::iam::role::IamRole;

const NOT_OF_SPEC: &str = "attached to the role, and the spec does not name it";

impl Presence for IamRolePolicyAttachment {
    const LOOKS: &'static [Looking] = &[
        Looking::of::<AttachedPolicies>(),
        Looking::of::<RolesThrough>(),
        Looking::of::<ManagedPolicies>(),
    ];

    const IS_SOUGHT: bool = false;

    fn exists(_: &ResourceId, _: View<'_>) -> Option<bool> {
        None
    }

    /// They go with their role.
    fn belongings(_: &Around<'_>) -> Vec<Belonging> {
        Vec::new()
    }
}

impl Manage for IamRolePolicyAttachment {
    type Live = Attached;
    type Fields = ();

    fn id(&self) -> ResourceId {
        id(&self.role, &self.policy)
    }

    fn needs(&self) -> Vec<ResourceId> {
        vec![ResourceId::new(IamRole::KIND, &self.role)]
    }

    fn sight<'a>(&self, seen: &'a Seen) -> Sight<'a, Attached> {
        seen.named(&self.role).into()
    }

    fn is(&self, found: &Attached, _: View<'_>) -> bool {
        found.policies.contains(&self.policy)
    }

    /// Told by whose the role is.
    fn marks<'a>(&self, _: &'a Attached, _: View<'a>) -> Vec<Marks<'a>> {
        Vec::new()
    }

    /// It lies in the role, and has no id of its own.
    fn aws_id(found: &Attached) -> Id<Self> {
        Id::part(&found.role, "attached policies")
    }

    fn wanted(&self, _: View<'_>) {}

    fn found(&self, _: &Attached, _: View<'_>) {}

    fn given(&self) -> Given<'_> {
        Given::nothing()
    }

    async fn create(&self, work: &Work<'_>) -> Result<Option<Id<Self>>, AwsError> {
        let call = work.aws.iam.attach_role_policy().role_name(&self.role);
        let answer = call.policy_arn(&self.policy).send().await;
        done("iam:AttachRolePolicy", &self.id().name, answer)?;
        Ok(None)
    }

    /// All of it is in its name.
    async fn update(&self, _: &Work<'_>, _: &Id<Self>, (): &()) -> Result<(), AwsError> {
        Ok(())
    }

    /// With what else is attached to the role.
    #[cfg(test)]
    fn imagined(&self, _: &Id<Self>, view: View<'_>) -> Attached {
        let mut policies: Vec<String> = view
            .seen
            .one::<Attached>(&self.role)
            .map(|one| one.policies.clone())
            .unwrap_or_default();
        policies.push(self.policy.clone());
        Attached { role: self.role.clone(), policies }
    }

    #[cfg(test)]
    fn disturbed(&self, _: &Attached) -> Vec<(&'static str, Attached)> {
        Vec::new()
    }

    #[cfg(test)]
    fn without(&self, live: &Attached) -> Option<Attached> {
        let others = live.policies.iter().filter(|other| **other != self.policy).cloned();
        Some(Attached { role: self.role.clone(), policies: others.collect() })
    }

    /// All that is attached to a role is one row.
    #[cfg(test)]
    fn put(&self, looked: Looked<Attached>, seen: &mut Seen) {
        let looked = match looked {
            Looked::Found(mut rows) => Looked::Found(rows.pop().into_iter().collect()),
            other => other,
        };
        seen.put_named(&self.role, looked);
    }
}

fn id(role: &str, policy: &str) -> ResourceId {
    ResourceId::new(IamRolePolicyAttachment::KIND, format!("{role} {policy}"))
}

/// Takes a managed policy off a role.
#[derive(Clone, Debug, PartialEq)]
struct Detachment {
    role: String,
    policy: String,
    /// What the policy says, where that is known.
    document: Option<LiveDocument>,
}

impl Delete for Detachment {
    async fn attempt(&self, aws: &Aws) -> Result<(), AwsError> {
        let call = aws.iam.detach_role_policy().role_name(&self.role).policy_arn(&self.policy);
        gone_or(done("iam:DetachRolePolicy", &self.role, call.send().await))
    }

    async fn holders(&self, _: &Work<'_>, _: &mut Holders) -> Result<(), AwsError> {
        Ok(())
    }

    /// What the role may not do any more.
    fn drift(&self) -> Drift {
        match &self.document {
            Some(document) => document.granted(),
            None => {
                let before = Some("not known, so that it may grant anything".to_owned());
                let field = "document".to_owned();
                let fields = vec![FieldChange { field, before, after: None }];
                Drift { fields, ..Drift::default() }
            }
        }
    }
}

impl Unclaimed for IamRolePolicyAttachment {
    /// What is attached by hand to the roles of the spec.
    fn unclaimed(sweep: &mut Sweep<'_>) {
        if !sweep.sweeps(Self::KIND) {
            return;
        }
        let view = sweep.view();
        for role in sweep.wishes::<IamRole>() {
            if !presence::owns(role, view) {
                continue;
            }
            let attached = view.seen.one::<Attached>(&role.name);
            for policy in attached.into_iter().flat_map(|attached| &attached.policies) {
                let id = id(&role.name, policy);
                if sweep.is_wanted(&id) {
                    continue;
                }
                let document = view.seen.one::<LiveManagedPolicy>(policy);
                let document = document.map(|policy| policy.0.clone());
                let (role, policy) = (role.name.clone(), policy.clone());
                let place = Place::new(Self::KIND, &id.name);
                let detachment = Detachment { role, policy, document };
                sweep.offer(Offer::new(id, place, detachment).because(NOT_OF_SPEC));
            }
        }
    }
}
