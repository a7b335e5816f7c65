//! The report for people.

#![expect(clippy::let_underscore_must_use, reason = "writing to a text cannot fail")]

use std::collections::BTreeSet;
use std::fmt::Write as _;

use unicode_width::UnicodeWidthStr as _;

use super::statement;
use super::style::{self, paint};
use super::user_data::WholeUserData;
use crate::apply::{Outcome, Progress};
use crate::aws::AwsError;
use crate::core::drift::Image;
use crate::core::kind::ResourceId;
use crate::core::wait::Waiting;
use crate::desired::Notice;
use crate::desired::kops::{self, NotCarried};
use crate::plan::{Action, Change, Plan};
use crate::visible::text::{in_json, visible};

/// How much to tell.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Detail {
    Changes,
    /// The whole documents too.
    Documents,
}

/// What the plan would do. `place` is the cluster's place in the state store.
pub(crate) fn plan(plan: &Plan, place: &str, detail: Detail) -> String {
    let mut out = String::new();
    // What is not the cluster's is told where something goes.
    let removals: Vec<&Change> = match plan.prunes() {
        true => plan.removals.iter().collect(),
        false => plan.due().collect(),
    };
    if plan.changes.is_empty() && removals.is_empty() {
        return out;
    }
    let documents = plan.generation.as_ref().map(|chosen| {
        let why = chosen.why.to_string();
        format!(" · IAM of kops {} ({})", chosen.generation, visible(&why))
    });
    let head = format!(
        "{} · account {} · {} · {}{}",
        paint(style::STRONG, &plan.cluster),
        visible(&plan.account),
        visible(&plan.region),
        visible(place),
        documents.unwrap_or_default()
    );
    out.push_str(&head);
    out.push('\n');
    if let Some(writer) = plan.kops.last_writer.as_ref().filter(|writer| writer.is_older()) {
        let _ = writeln!(
            out,
            "{writer}; some of what follows is what newer kops do (docs/kops-versions.md)"
        );
    }
    let mut layers: Vec<_> = plan.changes.iter().map(|change| change.id.kind.layer()).collect();
    layers.sort();
    layers.dedup();
    for layer in layers {
        let _ = writeln!(out, "\n{layer}");
        for change in plan.changes.iter().filter(|change| change.id.kind.layer() == layer) {
            add_change(&mut out, change, detail);
        }
    }
    if !removals.is_empty() {
        let when = if plan.prunes() { "" } else { ", and deleted only with --yes --prune" };
        let _ = writeln!(out, "\nno longer in the spec{when}");
        for change in removals {
            add_change(&mut out, change, detail);
        }
    }
    out.push('\n');
    out
}

/// The fields that changed and that only kops carries to nodes and add-ons, with its commands.
pub(crate) fn not_carried(cluster: &str, fields: &[NotCarried]) -> String {
    let mut out = String::new();
    if fields.is_empty() {
        return out;
    }
    out.push_str("not carried on from the specs: kapstan changes AWS only\n");
    for field in fields {
        let reach = format!("({})", field.reach.words().join(", "));
        let path = field.field.to_string();
        let _ = writeln!(
            out,
            "  {} {}  {}  {}",
            paint(style::LEAVE, '!'),
            paint(style::STRONG, visible(&field.object)),
            visible(&path),
            paint(style::QUIET, reach)
        );
    }
    let commands = kops::commands(&visible(cluster), fields).join(", and then ");
    let _ = writeln!(out, "To carry them on: {commands}\n");
    out
}

/// The whole user data that the plan changes, for those who ask for it.
pub(crate) fn user_data(plan: &Plan) -> String {
    let mut out = String::new();
    for change in &plan.changes {
        let Some(user_data) = &change.drift.user_data else { continue };
        if out.is_empty() {
            out.push_str("user data, which may hold secrets\n");
        }
        let (mark, style) = mark(change.action);
        let id = visible(&change.id.to_string()).into_owned();
        let _ = writeln!(out, "  {} {}", paint(style, mark), paint(style::STRONG, id));
        for line in WholeUserData::of(user_data).lines() {
            let _ = writeln!(out, "      {line}");
        }
    }
    if !out.is_empty() {
        out.push('\n');
    }
    out
}

fn add_change(out: &mut String, change: &Change, detail: Detail) {
    let (mark, style) = mark(change.action);
    let mut line = format!("  {} {}", paint(style, mark), paint(style::STRONG, &change.id));
    if !change.reason.is_empty() {
        let _ = write!(line, "  {}", paint(style::QUIET, &change.reason));
    }
    let _ = writeln!(out, "{line}");
    if let Some(image) = &change.drift.image {
        let _ = writeln!(out, "      {}", image_line(image));
    }
    for field in &change.drift.fields {
        let [before, after] =
            [&field.before, &field.after].map(|side| side.as_deref().map_or("–".into(), visible));
        let name = visible(&field.field);
        let _ = match change.action {
            Action::Create => writeln!(out, "      {name}  {after}"),
            _ => writeln!(out, "      {name}  {before} → {after}"),
        };
    }
    let (gained, lost) = match change.action {
        Action::Leave => ("lacks  ", "beyond "),
        _ => ("+", "-"),
    };
    for line in statement::difference(&change.drift.permissions, gained, lost) {
        let _ = writeln!(out, "      {line}");
    }
    for statement in &change.drift.within {
        for line in statement::lines(statement, "within ", style::QUIET) {
            let _ = writeln!(out, "      {line}");
        }
    }
    if let Some(remark) = change.drift.remark {
        let _ = writeln!(out, "      {}", paint(style::QUIET, remark));
    }
    if detail == Detail::Documents
        && let Some(document) = &change.drift.document
    {
        for (title, json) in [("before", &document.before), ("after", &document.after)] {
            if let Some(json) = json {
                let _ = writeln!(out, "      {title}:");
                for line in in_json(&format!("{json:#}")).lines() {
                    let _ = writeln!(out, "        {line}");
                }
            }
        }
    }
}

/// `ami-1 is NAME of account 123456789012 (amazon)`.
fn image_line(image: &Image) -> String {
    let Image { id, name, owner, owner_alias } = image;
    let name = if name.is_empty() { "without a name,".into() } else { visible(name) };
    let alias = owner_alias.as_deref().map(|alias| format!(" ({})", visible(alias)));
    let alias = alias.unwrap_or_default();
    format!("{} is {name} of account {}{alias}", visible(id), visible(owner))
}

pub(crate) fn mark(action: Action) -> (char, anstyle::Style) {
    match action {
        Action::Create => ('+', style::CREATE),
        Action::Update => ('~', style::CHANGE),
        Action::Delete => ('-', style::DELETE),
        Action::Leave => ('!', style::LEAVE),
        Action::Stay => ('=', style::QUIET),
    }
}

/// `2 to change, 0 to create, 0 to delete, 1 left as it is.`
fn counts(plan: &Plan) -> String {
    let left = match plan.count(Action::Leave) {
        0 => String::new(),
        1 => ", 1 left as it is".to_owned(),
        count => format!(", {count} left as they are"),
    };
    format!(
        "{} to change, {} to create, {} to delete{left}.",
        plan.count(Action::Update),
        plan.count(Action::Create),
        plan.count(Action::Delete)
    )
}

/// How a dry run ends.
pub(crate) fn dry_run_end(plan: &Plan, apply_with: &str) -> String {
    if !plan.refusals.is_empty() {
        return format!(
            "{}\nNothing was changed, and it cannot be applied as it is.\n",
            counts(plan)
        );
    }
    if plan.writes().next().is_none() {
        return nothing_to_do(plan, apply_with);
    }
    let mut out = format!("{}\nNothing was changed. To apply: {apply_with}\n", counts(plan));
    if let Some(due) = removals_due(plan, apply_with) {
        let _ = writeln!(out, "Beside that, {due}");
    }
    out
}

/// What the spec no longer has, and what takes it; `None` where the plan deletes all of it.
fn removals_due(plan: &Plan, command: &str) -> Option<String> {
    let kept = plan.due().filter(|change| change.write.is_none()).count();
    let goes = plan.due().filter(|change| change.write.is_some() && !plan.prunes()).count();
    let are_due = |count: usize| match count {
        1 => "1 removal is due".to_owned(),
        count => format!("{count} removals are due"),
    };
    match (goes, kept) {
        (0, 0) => None,
        (0, kept) => Some(format!("{}, and held back for now as told above", are_due(kept))),
        (1, 0) => Some(format!("1 removal is due; --prune takes it: {command} --prune")),
        (goes, 0) => Some(format!("{}; --prune takes them: {command} --prune", are_due(goes))),
        (goes, kept) => Some(format!(
            "{}, {kept} of them held back for now; --prune takes the others: {command} --prune",
            are_due(goes + kept)
        )),
    }
}

fn nothing_to_do(plan: &Plan, command: &str) -> String {
    let seen = plan.unchanged.len();
    let noun = if seen == 1 { "resource is" } else { "resources are" };
    let left = match plan.count(Action::Leave) {
        0 => String::new(),
        1 => ", 1 left as it is".to_owned(),
        count => format!(", {count} left as they are"),
    };
    let cluster = visible(&plan.cluster);
    let (on_aws, beyond) = match plan.kops.not_carried.len() {
        0 => ("", String::new()),
        1 => (" on AWS", "; 1 field of the specs is not carried on, as told above".to_owned()),
        count => {
            (" on AWS", format!("; {count} fields of the specs are not carried on, as told above"))
        }
    };
    match removals_due(plan, command) {
        None => {
            format!("{cluster}: nothing to do{on_aws}; {seen} {noun} as wanted{left}{beyond}.\n")
        }
        Some(due) => format!(
            "{cluster}: nothing to change{on_aws}; {seen} {noun} as wanted{left}{beyond}.\n{due}\n"
        ),
    }
}

/// One finished change, for the progress on stderr.
pub(crate) fn progress(progress: &Progress<'_>) -> String {
    match progress {
        Progress::Ended(change, failure) => ended(change, *failure),
        Progress::Waits(Waiting { what, held, so_far }) => format!(
            "  {} waits for {}: {} ({} s so far; Ctrl-C ends the wait)",
            visible(&what.to_string()),
            visible(&held.holder),
            visible(&held.error.message),
            so_far.as_secs()
        ),
    }
}

fn ended(change: &Change, failure: Option<&AwsError>) -> String {
    let (mark, style) = mark(change.action);
    let done = match (failure, change.action) {
        (Some(_), _) => "failed",
        (None, Action::Create) => "created",
        (None, Action::Update) => "changed",
        (None, Action::Delete) => "deleted",
        (None, Action::Leave | Action::Stay) => "left",
    };
    format!("  {} {} {done}", paint(style, mark), visible(&change.id.to_string()))
}

/// How an apply ends.
pub(crate) fn apply_end(plan: &Plan, outcome: &Outcome, again: &str) -> String {
    if plan.writes().next().is_none() {
        return nothing_to_do(plan, again);
    }
    let done: BTreeSet<&ResourceId> = outcome.done.iter().collect();
    let done: Vec<&Change> = plan.writes().filter(|change| done.contains(&change.id)).collect();
    let of = |action: Action| done.iter().filter(|change| change.action == action).count();
    let cluster = visible(&plan.cluster);
    let mut out = format!(
        "{cluster}: {} changed, {} created, {} deleted.\n",
        of(Action::Update),
        of(Action::Create),
        of(Action::Delete)
    );
    let mut writes = done.iter().filter_map(|change| change.write.as_ref());
    if writes.any(|write| write.makes_version()) {
        let _ = writeln!(
            out,
            "Instances that run are as before. To see which: kapstan rolling-update cluster \
             {cluster}"
        );
    }
    if outcome.is_complete() {
        return out;
    }
    if outcome.interrupted {
        out.push_str("Interrupted; what was under way has been finished.\n");
    }
    for (id, _) in &outcome.failed {
        let _ = writeln!(out, "  failed     {}", visible(&id.to_string()));
    }
    for id in &outcome.not_begun {
        let _ = writeln!(out, "  not begun  {}", visible(&id.to_string()));
    }
    let _ = writeln!(out, "To finish, run again: {again}");
    out
}

pub(crate) fn notice(label: &str, style: anstyle::Style, notice: &Notice) -> String {
    format!("{} {notice}", paint(style, label))
}

/// Columns with two blanks between them, headed.
pub(crate) fn table<const N: usize>(head: [&str; N], rows: &[[String; N]]) -> String {
    let rows: Vec<[String; N]> =
        rows.iter().map(|row| row.each_ref().map(|cell| visible(cell).into_owned())).collect();
    let mut widths = head.map(str::len);
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.width());
        }
    }
    let line = |cells: [&str; N]| {
        let padded = cells.iter().zip(widths).map(|(cell, width)| {
            format!("{cell}{}", " ".repeat(width.saturating_sub(cell.width())))
        });
        let line = padded.collect::<Vec<_>>().join("  ");
        format!("{}\n", line.trim_end())
    };
    let rows = rows.iter().map(|row| line(row.each_ref().map(String::as_str)));
    std::iter::once(line(head)).chain(rows).collect()
}
