//! Carrying a plan out at a terminal: progress, and what signals do.

use anyhow::bail;
use tokio::sync::watch;

use super::Done;
use super::ui::Ui;
use crate::apply::{self, OnFailure, Outcome};
use crate::aws::Aws;
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

/// Carries a plan out, tells each step on stderr, and stops when the user asks.
pub(super) async fn carry_out(ui: &Ui, aws: &Aws, plan: &Plan, on_failure: OnFailure) -> Outcome {
    let (stop, interrupt) = watch::channel(false);
    let watcher = tokio::spawn(watch_signals(stop));
    let outcome = apply::apply(aws, plan, on_failure, interrupt, |change, failure| {
        ui.status(&text::progress(change, failure));
    })
    .await;
    watcher.abort();
    if ui.verbose {
        ui.status(&format!("AWS: {} calls in all", aws.calls()));
    }
    outcome
}

/// The first signal asks to stop after what is under way, the second stops at once.
pub(super) async fn watch_signals(stop: watch::Sender<bool>) {
    // Without a way to hear signals, they end the program as ever.
    let Ok(mut signals) = Signals::listen() else { return };
    signals.next().await;
    Ui { verbose: false }
        .status("Interrupted: finishing what is under way. Once more to stop at once");
    let _ = stop.send(true);
    signals.next().await;
    std::process::exit(1);
}

/// Ctrl-C, and what a pipeline sends to end a step.
#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn listen() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending().await
        }
    }
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
