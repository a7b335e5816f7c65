//! Carrying a plan out at a terminal, with its progress.

use anyhow::{bail, ensure};

use super::done::Done;
use super::locked::Writer;
use super::ui::Ui;
use crate::apply::{self, OnFailure, Outcome};
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

/// Tells how to have this plan carried out and no other.
pub(super) fn tell_fingerprint(ui: &Ui, plan: &Plan, command: &str) {
    if plan.refusals.is_empty() && plan.writes().next().is_some() {
        let fingerprint = plan.fingerprint();
        ui.status(&format!("This plan and no other: {command} --expect-plan {fingerprint}"));
    }
}

/// Refuses a plan that is not the one that was looked at.
pub(super) fn check_expected(plan: &Plan, expected: Option<&str>) -> anyhow::Result<()> {
    let Some(expected) = expected else { return Ok(()) };
    let found = plan.fingerprint();
    ensure!(
        found == expected.trim(),
        "the plan is not the one that --expect-plan {expected} names, but {found}: the specs, AWS, \
         the options or the version of kapstan are others since. Nothing was changed. Look at the \
         plan again, and give the fingerprint that it tells"
    );
    Ok(())
}

/// Carries a plan out, tells each step on stderr, and stops when the user asks or the lock is
/// lost.
pub(super) async fn carry_out(
    ui: &Ui,
    plan: &Plan,
    on_failure: OnFailure,
    writer: Writer<'_>,
) -> anyhow::Result<Outcome> {
    let interrupt = writer.begin(ui).await?;
    let aws = &writer.admission.aws;
    let mut outcome = apply::apply(aws, plan, on_failure, interrupt, |progress| {
        ui.status(&text::progress(&progress));
    })
    .await;
    // Then what was under way was not finished, and the error tells why.
    outcome.interrupted &= writer.lost().is_none();
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
