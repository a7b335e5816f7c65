//! `update cluster`: shows how AWS differs from a cluster's spec, and with `--yes` mends it.

use clap::{Args, ValueEnum};

use super::carry_out;
use super::done::Done;
use super::locked::{Held, locked_if};
use super::observe::{self, Observed};
use super::output::{self, ReportFormat};
use super::settings::Global;
use super::ui::Ui;
use crate::apply::{OnFailure, Outcome};
use crate::plan::{Options, Prune};
use crate::report::machine;
use crate::report::text::{self, Detail};
use crate::resolve::lifecycle::{Lifecycles, Mode, Override, Phase};

/// Show how AWS differs from a cluster's spec, and with --yes mend it
///
/// Both share one plan. What the plan can know to fail is refused before the first write.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  kapstan update cluster dev.example.com
  kapstan update cluster dev.example.com --yes
  kapstan update cluster dev.example.com --yes --expect-plan FINGERPRINT
  kapstan update cluster dev.example.com --show-user-data
  kapstan update cluster dev.example.com -o json --detailed-exitcode
  kapstan update cluster dev.example.com --phase security --yes
  kapstan update cluster dev.example.com --yes --lifecycle-overrides \\
    IAMRole=ExistsAndWarnIfChanges,IAMRolePolicy=ExistsAndWarnIfChanges")]
pub(crate) struct UpdateClusterArgs {
    /// The cluster
    #[arg(value_name = "CLUSTER")]
    cluster: Option<String>,

    /// Apply the changes, instead of showing them only
    #[arg(short, long)]
    yes: bool,

    /// Touch one phase only; what belongs to another is looked at or left out
    #[arg(long, value_enum, ignore_case = true)]
    phase: Option<PhaseName>,

    /// How far to go with kinds of resources: KIND=LIFECYCLE, several with commas
    ///
    /// Kinds are those that the plan shows, such as VPC, IAMRole or LaunchTemplate. LoadBalancer
    /// stands for NetworkLoadBalancer, TargetGroup and NetworkLoadBalancerListener as well, as long
    /// as none of them is named.
    /// Lifecycles: Sync, Ignore, WarnIfInsufficientAccess, ExistsAndValidates,
    /// ExistsAndWarnIfChanges.
    #[arg(long, value_delimiter = ',', value_name = "KIND=LIFECYCLE")]
    lifecycle_overrides: Vec<Override>,

    /// Delete too what the spec no longer has and is the cluster's own
    ///
    /// What running instances still use stays, and so do the volumes of etcd.
    #[arg(long)]
    prune: bool,

    /// With --prune, delete the volumes too of etcd members that the spec no longer has
    #[arg(long, requires = "prune")]
    prune_volumes: bool,

    /// Where the changes go; dryrun applies nothing, even with --yes
    #[arg(long, value_enum, default_value_t = Target::Direct)]
    target: Target,

    /// Apply only the plan that a dry run has told under this fingerprint
    #[arg(long, value_name = "FINGERPRINT")]
    expect_plan: Option<String>,

    /// Show the whole user data of launch templates that change or are created
    ///
    /// Without it, user data is told by its size and the beginning of its SHA-256. It may hold
    /// secrets: mind who reads the report, and where it is kept.
    #[arg(long)]
    show_user_data: bool,

    /// The form of the report
    #[arg(short, long, value_enum, default_value_t = ReportFormat::Text, value_name = "FORMAT")]
    output: ReportFormat,

    /// Exit with 2 when a dry run finds changes, or what the spec no longer has
    #[arg(long)]
    detailed_exitcode: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum PhaseName {
    Assets,
    Network,
    #[value(alias = "iam")]
    Security,
    Cluster,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Target {
    Direct,
    Dryrun,
}

impl UpdateClusterArgs {
    fn mode(&self) -> Mode {
        match self.yes && self.target == Target::Direct {
            true => Mode::Apply,
            false => Mode::DryRun,
        }
    }

    fn lifecycles(&self) -> anyhow::Result<Lifecycles> {
        let phase = self.phase.map(|phase| match phase {
            PhaseName::Assets => Phase::Assets,
            PhaseName::Network => Phase::Network,
            PhaseName::Security => Phase::Security,
            PhaseName::Cluster => Phase::Cluster,
        });
        Lifecycles::new(phase, self.mode(), &self.lifecycle_overrides).map_err(anyhow::Error::msg)
    }

    fn prune(&self) -> Prune {
        match (self.prune, self.prune_volumes) {
            (false, _) => Prune::Nothing,
            (true, false) => Prune::ButVolumes,
            (true, true) => Prune::Everything,
        }
    }

    fn report(
        &self,
        ui: &Ui,
        observed: &Observed,
        outcome: Option<&Outcome>,
        format: ReportFormat,
    ) -> anyhow::Result<()> {
        let report = machine::report(&observed.plan, &observed.place, outcome);
        let report = match self.show_user_data {
            true => report.with_user_data(&observed.plan),
            false => report,
        };
        output::machine(ui, &report, format)
    }

    /// The command that would apply what this one shows.
    fn apply_with(&self, cluster: &str) -> String {
        let mut command = format!("kapstan update cluster {cluster}");
        if let Some(name) = self.phase.and_then(|phase| phase.to_possible_value()) {
            command.push_str(&format!(" --phase {}", name.get_name()));
        }
        if !self.lifecycle_overrides.is_empty() {
            let overrides: Vec<String> =
                self.lifecycle_overrides.iter().map(ToString::to_string).collect();
            command.push_str(&format!(" --lifecycle-overrides {}", overrides.join(",")));
        }
        command.push_str(" --yes");
        if self.prune {
            command.push_str(" --prune");
        }
        if self.prune_volumes {
            command.push_str(" --prune-volumes");
        }
        command
    }
}

pub(crate) async fn run(
    ui: &Ui,
    global: &Global,
    args: &UpdateClusterArgs,
) -> anyhow::Result<Done> {
    let name = global.cluster(args.cluster.as_deref())?;
    let is_applied = args.mode() == Mode::Apply;
    let work = async |held: Option<&Held>| update(ui, global, args, held).await;
    locked_if(is_applied, ui, global, "update cluster", &name, work).await
}

/// Shows the plan, and carries it out with the lock in hand.
async fn update(
    ui: &Ui,
    global: &Global,
    args: &UpdateClusterArgs,
    held: Option<&Held>,
) -> anyhow::Result<Done> {
    let options = Options { lifecycles: args.lifecycles()?, prune: args.prune() };
    let observed = observe::plan(ui, global, args.cluster.as_deref(), &options).await?;
    let (plan, place) = (&observed.plan, &observed.place);
    ui.tell(plan);
    if args.output == ReportFormat::Text {
        let detail = if ui.verbose { Detail::Documents } else { Detail::Changes };
        ui.out(&text::plan(plan, place, detail))?;
        if args.show_user_data {
            ui.out(&text::user_data(plan))?;
        }
    }
    let command = args.apply_with(&plan.cluster);
    let held = held.filter(|_| plan.refusals.is_empty());
    let Some(held) = held else {
        match args.output {
            ReportFormat::Text => {
                ui.out(&text::dry_run_end(plan, &command))?;
                carry_out::tell_fingerprint(ui, plan, &command);
            }
            format => args.report(ui, &observed, None, format)?,
        }
        carry_out::refuse(ui, plan)?;
        carry_out::check_expected(plan, args.expect_plan.as_deref())?;
        let changes = plan.writes().next().is_some() || plan.due().next().is_some();
        return Ok(match changes && args.detailed_exitcode {
            true => Done::ChangesFound,
            false => Done::Yes,
        });
    };
    carry_out::check_expected(plan, args.expect_plan.as_deref())?;
    let outcome =
        carry_out::carry_out(ui, plan, OnFailure::Stop, held.at(&observed.admission)).await?;
    match args.output {
        ReportFormat::Text => ui.out(&text::apply_end(plan, &outcome, &command))?,
        format => args.report(ui, &observed, Some(&outcome), format)?,
    }
    carry_out::finish(&outcome)
}

/// Brings AWS in line with a cluster, as `update cluster NAME --yes` does.
pub(super) async fn apply(
    ui: &Ui,
    global: &Global,
    cluster: &str,
    held: &Held,
) -> anyhow::Result<Done> {
    let args = UpdateClusterArgs {
        cluster: Some(cluster.to_owned()),
        yes: true,
        phase: None,
        lifecycle_overrides: Vec::new(),
        prune: false,
        prune_volumes: false,
        target: Target::Direct,
        expect_plan: None,
        show_user_data: false,
        output: ReportFormat::Text,
        detailed_exitcode: false,
    };
    update(ui, global, &args, Some(held)).await
}
