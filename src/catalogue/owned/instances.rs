//! Auto Scaling groups, what they launch from, and instances.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::types::{InstanceStateName, LaunchTemplate as SdkTemplate};
use futures::future::try_join3;

use crate::autoscaling::autoscaling_group::{
    self, AutoscalingGroup, AutoscalingGroupDeletion, LaunchConfigurationDeletion, LiveGroup,
};
use crate::aws::tags::Tags;
use crate::aws::{Aws, AwsError, ec2};
use crate::catalogue::owned::{Look, Row};
use crate::core::kind::ResourceId;
use crate::core::whose::{Marks, Whose};
use crate::ec2::instance::{Instance, InstancesDeletion, addresses_of};
use crate::ec2::launch_template::{LaunchTemplate, LaunchTemplateDeletion};

/// The rows, and the addresses of the cluster's instances.
pub(super) async fn observe(
    aws: &Aws,
    look: &Look,
) -> Result<(Vec<Row>, BTreeSet<String>), AwsError> {
    let (groups, templates, machines) =
        try_join3(autoscaling_group::read(aws, |call| call), templates(aws), machines(aws, look))
            .await?;
    let own_templates: BTreeSet<&str> = templates
        .iter()
        .filter_map(|template| {
            let (id, tags) = (template.launch_template_id()?, ec2::tags_from_sdk(template.tags()));
            let marks = Marks::of(id).tags(&tags);
            look.owner.whose(LaunchTemplate::KIND, &marks).is_owned().then_some(id)
        })
        .collect();
    let whose_group = |group: &LiveGroup| {
        look.owner.whose(AutoscalingGroup::KIND, &marks_of(look, group, &own_templates))
    };
    let whose: BTreeMap<&str, Whose> =
        groups.iter().map(|group| (group.name.as_str(), whose_group(group))).collect();
    let is_ours = |name: &str| whose.get(name).is_some_and(Whose::is_owned);
    let mut rows = Vec::new();
    for group in &groups {
        let deletion = AutoscalingGroupDeletion(group.name.clone()).into();
        let marks = marks_of(look, group, &own_templates);
        rows.extend(look.by_name(AutoscalingGroup::KIND, &group.name, &marks, deletion));
    }
    rows.extend(configurations(&groups, is_ours));
    let others = groups.iter().filter(|group| !is_ours(&group.name));
    let others = others.filter_map(|group| Some((group.template.as_ref()?.0.as_str(), group)));
    let others: BTreeMap<&str, &LiveGroup> = others.collect();
    for template in &templates {
        let (Some(id), Some(name)) =
            (template.launch_template_id(), template.launch_template_name())
        else {
            continue;
        };
        let tags = ec2::tags_from_sdk(template.tags());
        let runs = |group: &&LiveGroup| {
            let own = group.template.as_ref();
            group.name == name && own.is_some_and(|(own, _)| own == id) && is_ours(name)
        };
        let other = others.get(id).filter(|_| own_templates.contains(id)).copied();
        let marks = Marks::of(id).or_id(name).tags(&tags);
        let marks = match other.or_else(|| groups.iter().find(runs)) {
            Some(group) => {
                let by = format!("run by AutoscalingGroup/{}", group.name);
                marks.hangs_on(by, whose[group.name.as_str()].clone())
            }
            None => marks,
        };
        let deletion = LaunchTemplateDeletion(id.to_owned()).into();
        rows.extend(look.by_name(LaunchTemplate::KIND, name, &marks, deletion));
    }
    let mut addresses = BTreeSet::new();
    rows.extend(members(look, &groups, &whose, &machines, &mut addresses));
    Ok((rows, addresses))
}

/// A group of a name that the cluster gives, on a template of the cluster's, is the cluster's,
/// even if it has lost its tags.
fn marks_of<'a>(look: &Look, group: &'a LiveGroup, own_templates: &BTreeSet<&str>) -> Marks<'a> {
    let is_named = look.is_own_name(&group.name, &group.tags);
    match &group.template {
        Some((id, _)) if is_named && own_templates.contains(id.as_str()) => {
            group.marks().hangs_on(format!("run on {id}"), Whose::Owned)
        }
        _ => group.marks(),
    }
}

/// The launch configurations of the cluster's groups. They carry no tags, so that one which
/// another group runs on stays.
fn configurations(groups: &[LiveGroup], is_ours: impl Fn(&str) -> bool) -> Vec<Row> {
    let mut users: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for group in groups {
        if let Some(name) = &group.launch_configuration {
            users.entry(name).or_default().push(&group.name);
        }
    }
    let mut rows = Vec::new();
    for (name, groups) in users {
        let (ours, others): (Vec<&str>, Vec<&str>) =
            groups.into_iter().partition(|group| is_ours(group));
        if ours.is_empty() {
            continue;
        }
        let whose = match others.first() {
            Some(other) => Whose::Shared(format!("used by AutoscalingGroup/{other}")),
            None => Whose::Owned,
        };
        rows.push(Row {
            id: ResourceId::new(LaunchTemplate::KIND, name),
            whose,
            deletion: LaunchConfigurationDeletion(name.to_owned()).into(),
            marks_of_ours: None,
            held: None,
        });
    }
    rows
}

async fn templates(aws: &Aws) -> Result<Vec<SdkTemplate>, AwsError> {
    let call = aws.ec2.describe_launch_templates().max_results(200);
    let rows = call.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
    rows.map_err(|error| AwsError::new("ec2:DescribeLaunchTemplates", "", error))
}

/// The instances that carry the cluster's tags and are not gone.
async fn machines(aws: &Aws, look: &Look) -> Result<Vec<aws_sdk_ec2::types::Instance>, AwsError> {
    let marked = ec2::marked(look.owner.cluster());
    let pages = aws.ec2.describe_instances().filters(marked).into_paginator();
    let rows = pages.items().send().collect::<Result<Vec<_>, _>>().await;
    let rows = rows.map_err(|error| AwsError::new("ec2:DescribeInstances", "", error))?;
    let all = rows.into_iter().flat_map(|row| row.instances.unwrap_or_default());
    let is_there = |instance: &aws_sdk_ec2::types::Instance| {
        let state = instance.state().and_then(|state| state.name());
        state != Some(&InstanceStateName::Terminated)
    };
    Ok(all.filter(is_there).collect())
}

/// Instances: those of a group are whose the group is.
fn members(
    look: &Look,
    groups: &[LiveGroup],
    whose: &BTreeMap<&str, Whose>,
    machines: &[aws_sdk_ec2::types::Instance],
    addresses: &mut BTreeSet<String>,
) -> Vec<Row> {
    let members = groups.iter().flat_map(|group| {
        group.instances.iter().map(move |instance| (instance.id.as_str(), group.name.as_str()))
    });
    let group_of: BTreeMap<&str, &str> = members.collect();
    let hangs_on = |id: &str| {
        let group = group_of.get(id)?;
        Some((format!("started by AutoscalingGroup/{group}"), whose.get(group)?.clone()))
    };
    let whose_is = |id: &str, tags: &Tags| {
        let marks = match hangs_on(id) {
            Some((how, whose)) => Marks::of(id).hangs_on(how, whose),
            None => Marks::of(id).tags(tags),
        };
        look.owner.whose(Instance::KIND, &marks)
    };
    let none = Tags::new();
    let ours = group_of.keys().filter(|id| whose_is(id, &none).is_owned());
    let mut ours: BTreeSet<String> = ours.map(|id| (*id).to_owned()).collect();
    let mut rows = Vec::new();
    for machine in machines {
        let Some(id) = machine.instance_id() else { continue };
        let tags = ec2::tags_from_sdk(machine.tags());
        if !look.owner.is_marked(&tags) && !ours.contains(id) {
            continue;
        }
        let whose = whose_is(id, &tags);
        if whose.is_owned() {
            ours.insert(id.to_owned());
            addresses.extend(addresses_of(machine));
        } else {
            rows.push(Row {
                id: ResourceId::new(Instance::KIND, id),
                whose,
                deletion: InstancesDeletion(vec![id.to_owned()]).into(),
                marks_of_ours: None,
                held: None,
            });
        }
    }
    if !ours.is_empty() {
        let name = ours.iter().cloned().collect::<Vec<_>>().join(", ");
        rows.push(Row {
            id: ResourceId::new(Instance::KIND, name),
            whose: Whose::Owned,
            deletion: InstancesDeletion(ours.into_iter().collect()).into(),
            marks_of_ours: None,
            held: None,
        });
    }
    rows
}
