//! `update cluster`: shows how AWS differs from a cluster's spec, and with `--yes` mends it.

use anyhow::ensure;
use clap::{Args, ValueEnum};

use super::carry_out;
use super::checks::UnknownFields;
use super::done::Done;
use super::locked::{Held, locked_if};
use super::observe::{self, Observed};
use super::output::{self, ReportFormat};
use super::settings::Global;
use super::ui::Ui;
use crate::apply::{OnFailure, Outcome};
use crate::plan::{Options, Plan, Prune};
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
  kapstan update cluster dev.example.com --allow-unknown-fields
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
    /// Kinds are those that the plan shows, such as VPC, IAMRole or LaunchTemplate. What
    /// kops had before stands for what came of it: LoadBalancer for ClassicLoadBalancer, and for
    /// NetworkLoadBalancer, TargetGroup and NetworkLoadBalancerListener as well, as long
    /// as none of them is named; so does IAMRolePolicy for IAMRolePolicyAttachment.
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

    /// Go on without the fields of a spec that kops does not have, with a warning
    ///
    /// Without it they are refused: a misspelt name must not take away what the field stands for.
    /// Where a newer kops last wrote the cluster, they are warnings in any case.
    #[arg(long)]
    allow_unknown_fields: bool,

    /// Apply changes to a cluster that a kops newer than 1.36 last wrote
    ///
    /// What that kops does otherwise is not known here, and may be taken back.
    #[arg(long)]
    allow_kops_downgrade: bool,

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

    fn unknown_fields(&self, global: &Global) -> UnknownFields {
        match self.allow_unknown_fields && !global.strict {
            true => UnknownFields::Warn,
            false => UnknownFields::Refuse,
        }
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
        for (is_given, flag) in [
            (self.allow_unknown_fields, " --allow-unknown-fields"),
            (self.allow_kops_downgrade, " --allow-kops-downgrade"),
        ] {
            command.push_str(if is_given { flag } else { "" });
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
    let unknown = args.unknown_fields(global);
    let observed = observe::plan(ui, global, args.cluster.as_deref(), unknown, &options).await?;
    let (plan, place) = (&observed.plan, &observed.place);
    check_newer_kops(ui, plan, args, held.is_some())?;
    ui.tell(plan);
    if args.output == ReportFormat::Text {
        let detail = if ui.verbose { Detail::Documents } else { Detail::Changes };
        ui.out(&text::plan(plan, place, detail))?;
        if args.show_user_data {
            ui.out(&text::user_data(plan))?;
        }
        ui.out(&text::not_carried(&plan.cluster, &plan.kops.not_carried))?;
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

/// A cluster that a newer kops wrote is changed only by those who ask for it.
fn check_newer_kops(
    ui: &Ui,
    plan: &Plan,
    args: &UpdateClusterArgs,
    is_applied: bool,
) -> anyhow::Result<()> {
    let Some(writer) = plan.kops.last_writer.as_ref().filter(|writer| writer.is_newer()) else {
        return Ok(());
    };
    let told = format!(
        "Cluster/{}: {writer}, and kapstan knows the model of kops 1.36 only: neither the fields \
         that a newer one has (those in this spec are warnings), nor what it puts on AWS otherwise",
        plan.cluster
    );
    ensure!(
        !is_applied || args.allow_kops_downgrade,
        "{told}. Nothing was changed; to take what follows all the same, give \
         --allow-kops-downgrade"
    );
    ui.warn(&told);
    Ok(())
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
        allow_unknown_fields: false,
        allow_kops_downgrade: false,
        expect_plan: None,
        show_user_data: false,
        output: ReportFormat::Text,
        detailed_exitcode: false,
    };
    update(ui, global, &args, Some(held)).await
}
