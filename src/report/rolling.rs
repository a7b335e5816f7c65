//! Instances and rolling updates, for people and for machines.

use serde::Serialize;

use super::machine::API_VERSION;
use super::style::{CHANGE, CREATE, QUIET, STRONG, paint};
use crate::core::time::Time;
use crate::kubernetes::validation::Failure;
use crate::rolling::clock::span;
use crate::rolling::decision::Event;
use crate::rolling::hand::Stage;
use crate::rolling::marks::{Leftover, Marked};
use crate::rolling::need::Reason;
use crate::rolling::run::{Lane, LaneState, Run};
use crate::rolling::world::{Group, Life, World};
use crate::visible::text::visible;

/// How many instances in hand fit on a line.
const HANDS_TOLD: usize = 3;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report<'a> {
    api_version: &'static str,
    kind: &'static str,
    cluster: &'a str,
    groups: Vec<GroupRow<'a>>,
    /// What the update did not leave as it was.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    leftovers: &'a [Leftover],
    /// What does not work in the cluster; absent where Kubernetes was not asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    failures: Option<&'a [Failure]>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct GroupRow<'a> {
    name: &'a str,
    role: String,
    /// `Ready` or `NeedsUpdate`
    status: &'static str,
    needs_update: usize,
    ready: usize,
    min: usize,
    target: usize,
    max: usize,
    /// Absent where Kubernetes was not asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    nodes: Option<usize>,
    instances: Vec<InstanceRow<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    update: Option<UpdateRow<'a>>,
}

#[derive(Debug, Serialize)]
struct InstanceRow<'a> {
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<&'a str>,
    reasons: &'a [Reason],
}

/// What came of a group's update.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct UpdateRow<'a> {
    /// `done`, `marked`, `stopped` or `skipped`
    outcome: &'static str,
    replaced: usize,
    seconds: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

/// What a look found, and if it was carried out, what came of it.
pub(crate) fn report<'a>(cluster: &'a str, world: &'a World, run: Option<&'a Run>) -> Report<'a> {
    Report {
        api_version: API_VERSION,
        kind: "RollingUpdate",
        cluster,
        groups: world
            .groups
            .iter()
            .map(|group| {
                let mut row = group_row(world, group);
                row.update = run.and_then(|run| run.lane(&group.name)).map(update_row);
                row
            })
            .collect(),
        leftovers: run.map(|run| run.leftovers.as_slice()).unwrap_or_default(),
        failures: world.kubernetes.look().map(|_| world.kubernetes.failures()),
    }
}

fn group_row<'a>(world: &World, group: &'a Group) -> GroupRow<'a> {
    let counted = group.members.iter().filter(|member| member.life != Life::Leaving);
    let (old, ready): (Vec<_>, Vec<_>) = counted.partition(|member| !member.reasons.is_empty());
    let nodes = || group.live().filter(|member| member.node.is_some()).count();
    GroupRow {
        name: &group.name,
        role: group.role.to_string(),
        status: if old.is_empty() { "Ready" } else { "NeedsUpdate" },
        needs_update: old.len(),
        ready: ready.len(),
        min: group.min,
        target: group.target,
        max: group.max,
        nodes: world.kubernetes.look().map(|_| nodes()),
        instances: old
            .iter()
            .chain(&ready)
            .map(|member| InstanceRow {
                id: &member.id,
                node: member.node.as_ref().map(|node| node.name.as_str()),
                reasons: &member.reasons,
            })
            .collect(),
        update: None,
    }
}

fn update_row(lane: &Lane) -> UpdateRow<'_> {
    let (outcome, reason) = match &lane.state {
        LaneState::Done => ("done", None),
        LaneState::Marked => ("marked", None),
        LaneState::Stopped(reason) => ("stopped", Some(reason.as_str())),
        LaneState::Waiting | LaneState::Running | LaneState::Skipped => ("skipped", None),
    };
    UpdateRow { outcome, replaced: lane.replaced, seconds: lane.ended - lane.began, reason }
}

/// The groups as a table, and why each instance needs to be replaced.
pub(crate) fn table(world: &World) -> String {
    let head = ["NAME", "STATUS", "NEEDUPDATE", "READY", "MIN", "TARGET", "MAX", "NODES"];
    let rows: Vec<[String; 8]> = world
        .groups
        .iter()
        .map(|group| {
            let row = group_row(world, group);
            [
                row.name.to_owned(),
                row.status.to_owned(),
                row.needs_update.to_string(),
                row.ready.to_string(),
                row.min.to_string(),
                row.target.to_string(),
                row.max.to_string(),
                row.nodes.map_or_else(|| "-".to_owned(), |nodes| nodes.to_string()),
            ]
        })
        .collect();
    let mut text = super::text::table(head, &rows);
    for group in &world.groups {
        let old = group.members.iter().filter(|member| member.life != Life::Leaving);
        let old: Vec<_> = old.filter(|member| !member.reasons.is_empty()).collect();
        if old.is_empty() {
            continue;
        }
        text.push_str(&format!("\n{}\n", paint(STRONG, &group.name)));
        for member in old {
            let reasons: Vec<String> = member.reasons.iter().map(ToString::to_string).collect();
            let told = format!("{}  {}", member.told(), reasons.join(", "));
            text.push_str(&format!("  {}\n", visible(&told)));
        }
    }
    text
}

/// What failed before the update began.
pub(crate) fn baseline(failures: &[Failure]) -> String {
    if failures.is_empty() {
        return String::new();
    }
    let lines = failures.iter().map(|failure| format!("  {}", self::failure(failure)));
    let lines: Vec<String> = lines.collect();
    format!("This failed already, and does not hold the update up:\n{}", lines.join("\n"))
}

/// Marks of an earlier update that have no reason any more.
pub(crate) fn stray(stray: &Marked) -> String {
    format!(
        "node {} has marks of a rolling update ({}), and need not be replaced; where none is under \
         way take them away: {}",
        stray.node,
        stray.marks,
        stray.marks.undo(&stray.node.name).join("; ")
    )
}

pub(crate) fn failure(failure: &Failure) -> String {
    {
        let told = format!("{} {} {}", failure.kind.name(), failure.name, failure.message);
        visible(&told).into_owned()
    }
}

/// A step, without its time.
pub(crate) fn event(event: &Event) -> String {
    let group = event.group.as_deref().map(|group| format!("{group}: ")).unwrap_or_default();
    let text = format!("{group}{}", event.text);
    if event.is_warning { paint(CHANGE, text) } else { visible(&text).into_owned() }
}

/// How a group stands: counts, when it may end, what is in hand, and what it waits for.
pub(crate) fn progress(run: &Run, lane: &Lane, now: Time) -> String {
    let elapsed = now - lane.began;
    let each = elapsed.checked_div(Time::try_from(lane.replaced).unwrap_or(0));
    let left = Time::try_from(lane.total.saturating_sub(lane.replaced)).unwrap_or(0);
    let more = each.filter(|_| left > 0).map(|each| format!(", about {} more", span(each * left)));
    let time = format!("{}{}", span(elapsed), more.unwrap_or_default());
    let group = visible(&lane.group);
    let counts = format!("{group}: {} of {} replaced", lane.replaced, lane.total);
    let mut parts = vec![counts, paint(QUIET, time)];
    let hands = run.hands_of(&lane.group).filter_map(|(_, hand)| {
        let stage = match hand.stage {
            Stage::Detached => "detached".to_owned(),
            Stage::Draining { left } => format!("drains, pods left: {left}"),
            Stage::Drained => "is empty".to_owned(),
            Stage::Terminating => "terminates".to_owned(),
            Stage::Gone => return None,
        };
        Some(format!("{} {stage} ({})", visible(&hand.told), span(now - hand.since)))
    });
    let hands: Vec<String> = hands.collect();
    parts.extend(hands.iter().take(HANDS_TOLD).cloned());
    if hands.len() > HANDS_TOLD {
        parts.push(format!("{} more in hand", hands.len() - HANDS_TOLD));
    }
    if let Some(waits) = &lane.waits_for {
        parts.push(format!("waits for {}", visible(waits)));
    }
    parts.join(" · ")
}

/// What came of an update.
pub(crate) fn end(run: &Run) -> String {
    let mut text = String::new();
    for lane in run.lanes.iter().filter(|lane| lane.total > 0) {
        let took = span(lane.ended - lane.began);
        let line = match &lane.state {
            LaneState::Done => paint(CREATE, format!("{} replaced in {took}", lane.replaced)),
            LaneState::Marked => "marked, not replaced".to_owned(),
            LaneState::Stopped(_) => {
                paint(CHANGE, format!("stopped after {} of {}", lane.replaced, lane.total))
            }
            LaneState::Waiting | LaneState::Running | LaneState::Skipped => "not begun".to_owned(),
        };
        text.push_str(&format!("{}: {line}\n", visible(&lane.group)));
    }
    for left in &run.leftovers {
        text.push_str(&format!("{}: {}\n", visible(&left.group), visible(&left.what)));
        for command in &left.mend {
            text.push_str(&format!("  {}\n", visible(command)));
        }
    }
    text
}
