//! Whether a cluster is valid, for people and for machines.

use std::borrow::Cow;

use serde::Serialize;

use super::machine::API_VERSION;
use super::rolling::failure;
use super::style::{CREATE, DELETE, paint};
use super::text::table;
use crate::kubernetes::validation::{Failure, FailureKind};
use crate::rolling::world::{Sight, World};

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report<'a> {
    api_version: &'static str,
    kind: &'static str,
    cluster: &'a str,
    valid: bool,
    failures: Vec<Cow<'a, Failure>>,
    nodes: Vec<NodeRow<'a>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct NodeRow<'a> {
    name: &'a str,
    instance: &'a str,
    instance_group: &'a str,
    role: String,
    zone: &'a str,
    ready: bool,
}

/// Everything that is not as it should be, that the API does not answer too.
pub(crate) fn failures(world: &World) -> Vec<Cow<'_, Failure>> {
    match &world.kubernetes {
        Sight::Lost(error) => vec![Cow::Owned(Failure {
            kind: FailureKind::Api,
            name: "kubernetes".to_owned(),
            message: format!("does not answer: {error}"),
            group: None,
            instance: None,
            identity: String::new(),
        })],
        sight => sight.failures().iter().map(Cow::Borrowed).collect(),
    }
}

pub(crate) fn report<'a>(cluster: &'a str, world: &'a World) -> Report<'a> {
    let failures = failures(world);
    Report {
        api_version: API_VERSION,
        kind: "Validation",
        cluster,
        valid: failures.is_empty(),
        failures,
        nodes: nodes(world),
    }
}

fn nodes(world: &World) -> Vec<NodeRow<'_>> {
    let members = world.groups.iter().flat_map(|group| group.live().map(move |m| (group, m)));
    members
        .filter_map(|(group, member)| {
            let node = member.node.as_ref()?;
            Some(NodeRow {
                name: &node.name,
                instance: &member.id,
                instance_group: &group.name,
                role: group.role.to_string(),
                zone: &member.machine.zone,
                ready: node.is_ready(),
            })
        })
        .collect()
}

pub(crate) fn text(cluster: &str, world: &World) -> String {
    let groups: Vec<[String; 5]> = world
        .groups
        .iter()
        .map(|group| {
            let live = group.live().count();
            let nodes = group.live().filter(|member| member.node.is_some()).count();
            let nodes = if group.is_in_kubernetes() { nodes.to_string() } else { "-".to_owned() };
            let role = group.role.to_string();
            [group.name.clone(), role, group.target.to_string(), live.to_string(), nodes]
        })
        .collect();
    let mut text = table(["GROUP", "ROLE", "TARGET", "INSTANCES", "NODES"], &groups);
    let nodes: Vec<[String; 5]> = nodes(world)
        .into_iter()
        .map(|row| {
            let ready = if row.ready { "True" } else { "False" };
            let texts = [row.name, row.instance_group, &row.role, row.zone, ready];
            texts.map(str::to_owned)
        })
        .collect();
    if !nodes.is_empty() {
        text.push('\n');
        text.push_str(&table(["NODE", "GROUP", "ROLE", "ZONE", "READY"], &nodes));
    }
    let failures = failures(world);
    if failures.is_empty() {
        text.push_str(&format!("\n{}\n", paint(CREATE, format!("{cluster} is valid"))));
        return text;
    }
    let rows: Vec<[String; 3]> = failures
        .iter()
        .map(|failure| {
            let kind = failure.kind.name().to_owned();
            [kind, failure.name.clone(), failure.message.clone()]
        })
        .collect();
    text.push('\n');
    text.push_str(&table(["KIND", "NAME", "FAILURE"], &rows));
    text.push_str(&format!("\n{}\n", paint(DELETE, format!("{cluster} is not valid"))));
    text
}

/// What a cluster waits for, in a line.
pub(crate) fn waits(first: &Failure, count: usize) -> String {
    let more = if count > 1 { format!(", and {} more", count - 1) } else { String::new() };
    format!("not valid: {}{more}", failure(first))
}
