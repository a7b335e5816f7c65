//! The formats of results, and the few ways in which commands print them.

use clap::ValueEnum;
use serde::Serialize;

use super::ui::Ui;
use crate::apply::Outcome;
use crate::plan::Plan;
use crate::report::machine;

/// The formats of what is read from the store.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum ReadFormat {
    Table,
    Yaml,
    Json,
    Name,
}

/// The formats of reports.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum ReportFormat {
    Text,
    Json,
    Yaml,
}

pub(crate) fn json(ui: &Ui, value: &impl Serialize) -> anyhow::Result<()> {
    ui.out(&format!("{}\n", serde_json::to_string_pretty(value)?))
}

pub(crate) fn yaml(ui: &Ui, value: &impl Serialize) -> anyhow::Result<()> {
    ui.out(&serde_yaml::to_string(value)?)
}

/// A plan, and what came of it if it was carried out, for machines.
pub(crate) fn report(
    ui: &Ui,
    plan: &Plan,
    place: &str,
    outcome: Option<&Outcome>,
    format: ReportFormat,
) -> anyhow::Result<()> {
    let report = machine::report(plan, place, outcome);
    match format {
        ReportFormat::Yaml => yaml(ui, &report),
        _ => json(ui, &report),
    }
}

/// Columns with two blanks between them, headed.
pub(crate) fn table<const N: usize>(head: [&str; N], rows: &[[String; N]]) -> String {
    let mut widths = head.map(str::len);
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: [&str; N]| {
        let padded = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        let line = padded.collect::<Vec<_>>().join("  ");
        format!("{}\n", line.trim_end())
    };
    let rows = rows.iter().map(|row| line(row.each_ref().map(String::as_str)));
    std::iter::once(line(head)).chain(rows).collect()
}
