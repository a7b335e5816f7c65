//! The formats of results, and the few ways in which commands print them.

use clap::ValueEnum;
use serde::Serialize;

use super::ui::Ui;
use crate::apply::Outcome;
use crate::plan::Plan;
use crate::report::machine;
use crate::visible::text::in_json;
use crate::visible::yaml::visible_yaml;

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
    ui.document(&format!("{}\n", in_json(&serde_json::to_string_pretty(value)?)))
}

pub(crate) fn yaml(ui: &Ui, value: &impl Serialize) -> anyhow::Result<()> {
    ui.document(&visible_yaml(value)?)
}

/// A document for machines, in the form asked for.
pub(crate) fn machine(
    ui: &Ui,
    document: &impl Serialize,
    format: ReportFormat,
) -> anyhow::Result<()> {
    match format {
        ReportFormat::Yaml => yaml(ui, document),
        ReportFormat::Json | ReportFormat::Text => json(ui, document),
    }
}

/// A plan, and what came of it if it was carried out, for machines.
pub(crate) fn report(
    ui: &Ui,
    plan: &Plan,
    place: &str,
    outcome: Option<&Outcome>,
    format: ReportFormat,
) -> anyhow::Result<()> {
    self::machine(ui, &machine::report(plan, place, outcome), format)
}
