//! Carrying a plan out at a terminal, with its progress.

use anyhow::bail;

use super::done::Done;
use super::locked::Held;
use super::ui::Ui;
use crate::apply::{self, OnFailure, Outcome};
use crate::aws::Aws;
use crate::desired::Notice;
use crate::plan::Plan;
use crate::report::text;

/// Tells every reason for which the plan cannot be carried out.
pub(super) fn refuse(ui: &Ui, plan: &Plan) -> anyhow::Result<()> {
    for refusal in &plan.refusals {
        ui.refuse(refusal);
    }
    match plan.refusals.len() {
        0 => Ok(()),
        1 => bail!("the plan cannot be applied for this reason; nothing was changed"),
        count => bail!("the plan cannot be applied for these {count} reasons; nothing was changed"),
    }
}

/// Carries a plan out, tells each step on stderr, and stops when the user asks or the lock is
/// lost.
pub(super) async fn carry_out(
    ui: &Ui,
    aws: &Aws,
    plan: &Plan,
    on_failure: OnFailure,
    held: &Held,
) -> anyhow::Result<Outcome> {
    let interrupt = held.begin_in(aws)?;
    let mut outcome = apply::apply(aws, plan, on_failure, interrupt, |progress| {
        ui.status(&text::progress(&progress));
    })
    .await;
    // Then what was under way was not finished, and the error tells why.
    outcome.interrupted &= held.lost().is_none();
    for told in outcome.told.iter().cloned() {
        ui.warn_of(&Notice { object: told.object, message: told.message, next: told.next });
    }
    if ui.verbose {
        ui.status(&format!("AWS: {} calls in all", aws.calls()));
    }
    Ok(outcome)
}

/// Success, or every failure as one error.
pub(super) fn finish(outcome: &Outcome) -> anyhow::Result<Done> {
    if outcome.is_complete() {
        return Ok(Done::Yes);
    }
    let failures: Vec<String> =
        outcome.failed.iter().map(|(id, error)| format!("{id}: {error}")).collect();
    match failures.as_slice() {
        [] => bail!("stopped before everything was done"),
        failures => bail!("{}", failures.join("\n")),
    }
}
