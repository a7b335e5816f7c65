//! `validate cluster`: tells whether all instances have joined and are ready, and the pods run
//! that a cluster cannot do without.

use std::time::Duration;

use anyhow::bail;
use clap::Args;

use super::done::Done;
use super::duration::duration;
use super::kubernetes::{self, KubernetesArgs};
use super::output::{self, ReportFormat};
use super::replacing;
use super::settings::Global;
use super::ui::Ui;
use crate::report::validation;
use crate::rolling::clock::{of_day, span};
use crate::rolling::world::Sight;

/// Between two looks.
const EVERY: Duration = Duration::from_secs(10);

/// Tell whether a cluster is whole
///
/// Every instance that its groups should have must have joined and be ready, masters must run
/// the control plane, and system-critical pods must be ready. Exits with 2 where something is
/// not, with 1 where it could not look.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  kapstan validate cluster dev.example.com
  kapstan validate cluster dev.example.com --wait 10m
  kapstan validate cluster dev.example.com -o json")]
pub(crate) struct ValidateArgs {
    /// The cluster
    #[arg(value_name = "CLUSTER")]
    cluster: Option<String>,

    /// How long to wait for the cluster to become valid
    #[arg(long, value_parser = duration, default_value = "0s", value_name = "TIME")]
    wait: Duration,

    /// How often in a row it must be valid
    #[arg(long, default_value_t = 1, value_name = "COUNT")]
    count: u32,

    #[command(flatten)]
    kubernetes: KubernetesArgs,

    /// The form of the report
    #[arg(short, long, value_enum, default_value_t = ReportFormat::Text, value_name = "FORMAT")]
    output: ReportFormat,
}

pub(crate) async fn run(ui: &Ui, global: &Global, args: &ValidateArgs) -> anyhow::Result<Done> {
    let asked = Some(&args.kubernetes);
    let (mut observer, _) =
        kubernetes::observer(ui, global, args.cluster.as_deref(), asked).await?;
    let started = observer.clock.now().await?;
    let mut now = started;
    let mut passes = 0;
    let world = loop {
        let world = observer.look(now).await?;
        if let Sight::Lost(error) = &world.kubernetes
            && !error.fault.passes()
        {
            bail!("{} cannot be looked at: {error}\n{}", observer.cluster.name(), error.remedy());
        }
        let failures = validation::failures(&world);
        passes = if failures.is_empty() { passes + 1 } else { 0 };
        let is_late = now - started >= i64::try_from(args.wait.as_secs()).unwrap_or(i64::MAX);
        if passes >= args.count.max(1) || (is_late && !failures.is_empty()) {
            break world;
        }
        let state = match failures.first() {
            Some(first) => validation::waits(first, failures.len()),
            None => format!("valid, {passes} of {} times in a row", args.count),
        };
        ui.status(&format!("{} {state} ({})", of_day(now), span(now - started)));
        now = observer.clock.sleep(EVERY).await?;
    };
    replacing::warn_of_marks(ui, &world);
    let cluster = observer.cluster.name();
    match args.output {
        ReportFormat::Text => ui.out(&validation::text(cluster, &world))?,
        format => output::machine(ui, &validation::report(cluster, &world), format)?,
    }
    Ok(if validation::failures(&world).is_empty() { Done::Yes } else { Done::Invalid })
}
