//! How groups and what belongs to them are looked at, and what of them is a cluster's.

use std::collections::{BTreeMap, BTreeSet};

use super::kind::AutoscalingGroupDeletion;
use super::launch_configuration::{
    ConfigurationUser, LaunchConfigurationDeletion, OldUserData, user_data_of_configurations,
    users_of_configurations,
};
use super::live::{self, LiveGroup};
use super::wanted::AutoscalingGroup;
use crate::aws::{Aws, AwsError};
use crate::core::belongings::{Around, Belonging, Presence};
use crate::core::id::Id;
use crate::core::kind::ResourceId;
use crate::core::look::{Asked, Look, Looking};
use crate::core::seen::{Looked, Seen};
use crate::core::whose::{Marks, Whose};
use crate::ec2::instance::{Instance, JudgedMachine, LiveMachine, Machines};
use crate::ec2::instance_type;
use crate::ec2::launch_template::{
    AllTemplates, LaunchTemplate, TemplateUser, own_templates, user_marks,
};
use crate::iam::look::{OwnRole, observe_idle};
use crate::iam::role::IamRole;
use crate::vpc::security_group::{LiveSecurityGroup, SecurityGroups};

/// The groups of a cluster.
#[derive(Debug)]
pub(crate) enum Groups {
    OfCluster {
        cluster: String,
        names: Vec<String>,
    },
    /// Those of others too.
    All,
}

impl Look for Groups {
    const AFTER: &'static [Looking] = &[];

    fn ask(asked: &Asked, _: &Seen) -> Option<Self> {
        // A template is known by the group that runs on it.
        let is_asked = asked.looks_at(&[AutoscalingGroup::KIND, LaunchTemplate::KIND]);
        let names = asked.wanted::<AutoscalingGroup>().iter().map(|group| group.name.clone());
        is_asked.then(|| match asked.everything() {
            true => Self::All,
            false => {
                let cluster = asked.cluster().to_owned();
                Self::OfCluster { cluster, names: names.collect() }
            }
        })
    }

    async fn read(self, aws: &Aws) -> Result<Seen, AwsError> {
        let groups = match self {
            Self::OfCluster { cluster, names } => live::observe(aws, &cluster, &names).await?,
            Self::All => Looked::sort(live::read(aws, |call| call).await)?,
        };
        let users = groups.flat_map(|group| user_of_template(group).into_iter().collect());
        Ok(Seen::default().with(users).with(groups))
    }
}

fn user_of_template(group: &LiveGroup) -> Option<TemplateUser> {
    let (template, _) = group.template.as_ref()?;
    Some(TemplateUser {
        group: ResourceId::new(AutoscalingGroup::KIND, &group.name),
        template: template.clone(),
        tags: group.tags.clone(),
    })
}

/// What groups run on that run on launch configurations, and who else does.
#[derive(Debug)]
pub(crate) struct Configurations(Vec<String>);

impl Look for Configurations {
    const AFTER: &'static [Looking] = &[Looking::of::<Groups>()];

    fn ask(asked: &Asked, seen: &Seen) -> Option<Self> {
        let groups = seen.rows::<LiveGroup>().iter();
        let names: Vec<String> =
            groups.filter_map(|group| group.launch_configuration.clone()).collect();
        (!names.is_empty() && !asked.everything()).then_some(Self(names))
    }

    async fn read(self, aws: &Aws) -> Result<Seen, AwsError> {
        let (data, users): (Looked<OldUserData>, Looked<ConfigurationUser>) =
            futures::future::try_join(
                user_data_of_configurations(aws, &self.0),
                users_of_configurations(aws),
            )
            .await?;
        Ok(Seen::default().with(data).with(users))
    }
}

/// The machine types that specs name.
#[derive(Debug)]
pub(crate) struct MachineTypes(BTreeSet<String>);

impl Look for MachineTypes {
    const AFTER: &'static [Looking] = &[];

    fn ask(asked: &Asked, _: &Seen) -> Option<Self> {
        let own = asked.wanted::<LaunchTemplate>().iter().flat_map(|template| {
            let candidates = instance_type::candidates(template.runs_kubernetes).iter();
            match template.machine_type.as_str() {
                "" => candidates.map(|(name, _)| (*name).to_owned()).collect(),
                name => vec![name.to_owned()],
            }
        });
        let mixed = asked.wanted::<AutoscalingGroup>().iter().filter_map(|one| one.mixed.as_ref());
        let types: BTreeSet<String> =
            own.chain(mixed.flat_map(|mixed| mixed.types.iter().cloned())).collect();
        (!types.is_empty()).then_some(Self(types))
    }

    async fn read(self, aws: &Aws) -> Result<Seen, AwsError> {
        let types = instance_type::observe(aws, &self.0).await;
        Ok(Seen::default().with(Looked::attempted(types)))
    }
}

/// What IAM has of the roles that no spec has, but that something of the cluster's tells of: a role
/// may have to go with its last group.
#[derive(Debug)]
pub(crate) struct IdleRoles(BTreeSet<String>);

impl Look for IdleRoles {
    const AFTER: &'static [Looking] = &[Looking::of::<Groups>(), Looking::of::<SecurityGroups>()];

    fn ask(asked: &Asked, seen: &Seen) -> Option<Self> {
        let is_asked = asked.looks_at(&[AutoscalingGroup::KIND])
            && asked.looks_at(&[IamRole::KIND])
            && !asked.everything();
        let wanted = asked.wanted::<IamRole>();
        let is_wanted = |own: &OwnRole| wanted.iter().any(|role| role.name == own.name);
        let (groups, others) = (seen.rows::<LiveGroup>(), seen.rows::<LiveSecurityGroup>());
        let has_group = |own: &OwnRole| {
            groups.iter().any(|group| group.tags.contains_key(&own.tag))
                || others.iter().any(|group| own.security_group.as_ref() == Some(&group.name))
        };
        let idle = asked.wanted::<OwnRole>().iter();
        let idle = idle.filter(|own| !is_wanted(own) && has_group(own));
        is_asked.then(|| Self(idle.map(|own| own.name.clone()).collect()))
    }

    async fn read(self, aws: &Aws) -> Result<Seen, AwsError> {
        observe_idle(aws, &self.0).await
    }
}

/// Whose instances are: those of a group are whose the group is. It asks nothing.
#[derive(Debug)]
pub(crate) struct Members(Vec<JudgedMachine>);

impl Look for Members {
    const AFTER: &'static [Looking] =
        &[Looking::of::<Groups>(), Looking::of::<Machines>(), Looking::of::<AllTemplates>()];

    fn ask(asked: &Asked, seen: &Seen) -> Option<Self> {
        let around = Around::asked(asked, seen);
        let own = own_templates(&around);
        let mut started = BTreeMap::new();
        for group in seen.rows::<LiveGroup>() {
            let whose = whose(&around, group, &own);
            let how = format!("started by AutoscalingGroup/{}", group.name);
            let members = group.instances.iter();
            started.extend(members.map(|one| (&one.id, (how.clone(), whose.clone()))));
        }
        let judged = seen.rows::<LiveMachine>().iter().filter_map(|machine| {
            let marks = Marks::of(&machine.id);
            let marks = match started.get(&machine.id) {
                Some((how, whose)) => marks.hangs_on(how, whose.clone()),
                None => marks.tags(&machine.tags),
            };
            let whose = asked.owner.whose(Instance::KIND, &marks);
            let is_ours = whose.is_owned() || asked.owner.is_marked(&machine.tags);
            is_ours.then(|| JudgedMachine { machine: machine.clone(), whose })
        });
        asked.everything().then(|| Self(judged.collect()))
    }

    async fn read(self, _: &Aws) -> Result<Seen, AwsError> {
        Ok(Seen::default().with(Looked::Found(self.0)))
    }
}

impl Presence for AutoscalingGroup {
    const LOOKS: &'static [Looking] = &[
        Looking::of::<Groups>(),
        Looking::of::<Configurations>(),
        Looking::of::<MachineTypes>(),
        Looking::of::<IdleRoles>(),
        Looking::of::<Members>(),
    ];

    const IS_SOUGHT: bool = false;

    fn belongings(around: &Around<'_>) -> Vec<Belonging> {
        let own = own_templates(around);
        let groups = around.seen.rows::<LiveGroup>();
        let found = groups.iter().filter_map(|group| {
            let marks = marks(around, group, &own);
            let deletion = AutoscalingGroupDeletion(group.name.clone());
            let found = around.by_name(Self::KIND, &group.name, &marks, deletion)?;
            Some(found.frees(vec![group.name.to_string()]))
        });
        let is_ours = |group: &LiveGroup| whose(around, group, &own).is_owned();
        found.chain(configurations(groups, is_ours)).collect()
    }
}

fn marks<'a>(
    around: &Around<'_>,
    group: &'a LiveGroup,
    own: &BTreeSet<&Id<LaunchTemplate>>,
) -> Marks<'a> {
    match &group.template {
        Some((template, _)) => user_marks(around, &group.name, template, &group.tags, own),
        None => group.marks(),
    }
}

fn whose(around: &Around<'_>, group: &LiveGroup, own: &BTreeSet<&Id<LaunchTemplate>>) -> Whose {
    around.owner.whose(AutoscalingGroup::KIND, &marks(around, group, own))
}

/// The launch configurations of the cluster's groups. They carry no tags, so that one which
/// another group runs on stays.
fn configurations(groups: &[LiveGroup], is_ours: impl Fn(&LiveGroup) -> bool) -> Vec<Belonging> {
    let mut users: BTreeMap<&str, Vec<&LiveGroup>> = BTreeMap::new();
    for group in groups {
        if let Some(name) = &group.launch_configuration {
            users.entry(name).or_default().push(group);
        }
    }
    let mut found = Vec::new();
    for (name, groups) in users {
        let (ours, others): (Vec<&LiveGroup>, Vec<&LiveGroup>) =
            groups.into_iter().partition(|group| is_ours(group));
        if ours.is_empty() {
            continue;
        }
        let whose = match others.first() {
            Some(other) => Whose::Shared(format!("used by AutoscalingGroup/{}", other.name)),
            None => Whose::Owned,
        };
        let told = ResourceId::new(LaunchTemplate::KIND, name);
        found.push(Belonging::new(told, whose, LaunchConfigurationDeletion(name.to_owned())));
    }
    found
}
