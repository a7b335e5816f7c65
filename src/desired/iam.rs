//! The IAM resources of a cluster: for each role that some group has, a role, its policies
//! and a profile; for groups with a profile of the user's own, what is wanted of that
//! (kops `pkg/model/awsmodel/iam.go`).

use std::collections::{BTreeMap, BTreeSet};

use super::{DesiredCluster, ExistingProfile, Input, Notice, names};
use crate::catalogue::kinds::Resource;
use crate::core::home::Home;
use crate::iam::instance_profile::IamInstanceProfile;
use crate::iam::instance_profile_role::IamInstanceProfileRole;
use crate::iam::role::{IamRole, Trust};
use crate::iam::role_policy::{Content, IamRolePolicy, additional_name};
use crate::iam::role_policy_attachment::IamRolePolicyAttachment;
use crate::limits::partition::Partition;
use crate::policy::document::Document;
use crate::policy::role_policy::RolePolicy;
use crate::policy::{additional, external, trust};
use crate::spec::instance_group::InstanceGroup;
use crate::spec::path::FieldPath;
use crate::spec::problem::Problem;
use crate::spec::profile_arn::ProfileArn;
use crate::spec::role::Role;

pub(super) fn add(input: Input<'_>, desired: &mut DesiredCluster) -> Result<(), Vec<Problem>> {
    let partition = Partition::of_region(&desired.region);
    let mut managed: BTreeSet<Role> = BTreeSet::new();
    let mut own: BTreeMap<ProfileArn, (Role, &InstanceGroup)> = BTreeMap::new();
    let mut problems = Vec::new();
    let mut refuse = |group: &InstanceGroup, message: String| {
        let path = FieldPath::root().key("spec").key("iam").key("profile");
        problems.push(Problem::new(&path, format!("InstanceGroup/{}: {message}", group.name())));
    };
    for group in input.groups {
        let Some(role) = group.spec.role else { continue };
        let Some(arn) = group.profile_arn() else {
            managed.insert(role);
            continue;
        };
        match arn.parse::<ProfileArn>() {
            Err(form) => refuse(group, format!("{arn:?} is no ARN of a profile; {form}")),
            // One account has one profile of a name, whatever its case and the rest of the ARN say.
            Ok(arn) => {
                match own.iter().find(|(known, _)| known.name.eq_ignore_ascii_case(&arn.name)) {
                    Some((_, (other, first))) if *other != role => refuse(
                        group,
                        format!(
                            "{} is the profile of {role}s here and of {other}s in the group {}; each \
                         role needs a profile of its own",
                            arn.as_str(),
                            first.name()
                        ),
                    ),
                    Some(_) => {}
                    None => {
                        own.insert(arn, (role, group));
                    }
                }
            }
        }
    }
    for (arn, (_, group)) in &own {
        let is_own = |role: &Role| role.iam_name(&desired.name).eq_ignore_ascii_case(&arn.name);
        if managed.iter().any(is_own) {
            refuse(
                group,
                format!(
                    "{} is the profile that kapstan manages for other groups of this cluster; \
                     remove spec.iam.profile here, or give it to all of them",
                    arn.as_str()
                ),
            );
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }

    for role in managed {
        let additional = additional::document(input.cluster, role)?;
        let policy = input.role_policy(desired.generation.generation, role);
        let of_role = of_role(input, desired.owner.home(), role, policy, additional);
        desired.resources.extend(of_role);
    }
    for (arn, (role, group)) in own {
        if !arn.has_plausible_account() {
            desired.notices.push(Notice {
                object: format!("InstanceGroup/{}", group.name()),
                message: format!(
                    "spec.iam.profile names the account {}, but accounts have 12 digits",
                    arn.account
                ),
                next: "correct the ARN".to_owned(),
            });
        }
        desired.existing.push(ExistingProfile {
            arn,
            policy: input.role_policy(desired.generation.generation, role),
            additional: additional::document(input.cluster, role)?,
            trust: trust::document(partition),
        });
    }
    desired.notices.extend(super::unreadable_stores(input));
    Ok(())
}

fn of_role(
    input: Input<'_>,
    home: &Home,
    role: Role,
    policy: RolePolicy,
    additional: Option<Document>,
) -> Vec<Resource> {
    let partition = Partition::of_region(home.region().unwrap_or_default());
    let name = role.iam_name(input.cluster.name());
    let mut tags = names::tags(input.cluster, &name, false);
    tags.extend(home.tags());
    let own = Content::Role(policy);
    let additional = additional.map_or(Content::Absent, Content::Given);
    let mut all = vec![
        IamRole {
            name: name.clone(),
            trust: Trust::Given(trust::document(partition)),
            boundary: external::boundary(input.cluster).map(str::to_owned),
            tags: tags.clone(),
            is_of_add_on: false,
            inside: None,
        }
        .into(),
        policy_of(&name, name.clone(), own),
        policy_of(&name, additional_name(&name), additional),
        IamInstanceProfile { name: name.clone(), tags, is_brought: false }.into(),
        IamInstanceProfileRole { profile: name.clone(), role: name.clone(), is_brought: false }
            .into(),
    ];
    all.extend(attached(&name, external::of_role(input.cluster, role)));
    all
}

/// An inline policy of a role.
pub(super) fn policy_of(role: &str, name: String, content: Content) -> Resource {
    IamRolePolicy { name, role: role.to_owned(), content, inside: None }.into()
}

/// The managed policies of a role, by their ARNs.
pub(super) fn attached(role: &str, policies: BTreeSet<String>) -> impl Iterator<Item = Resource> {
    let attachment = move |policy| IamRolePolicyAttachment { role: role.to_owned(), policy }.into();
    policies.into_iter().map(attachment)
}
