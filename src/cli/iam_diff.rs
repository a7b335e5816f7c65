//! `iam diff`: the policy documents as they would be against those that AWS has.

use anyhow::bail;
use clap::Args;

use super::checks::UnknownFields;
use super::observe;
use super::output::{self, ReportFormat};
use super::settings::Global;
use super::ui::Ui;
use crate::catalogue::kinds;
use crate::iam::role::IamRole;
use crate::iam::role_policy::IamRolePolicy;
use crate::iam::role_policy_attachment::IamRolePolicyAttachment;
use crate::plan::{Options, Prune};
use crate::report::text::{self, Detail};
use crate::resolve::lifecycle::{Lifecycle, Lifecycles, Mode, Override};

/// Show how the policies of a cluster's roles in AWS differ from its spec
///
/// Only roles and their policies are looked at, and nothing is changed.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  kapstan iam diff dev.example.com
  kapstan iam diff dev.example.com -o json")]
pub(crate) struct IamDiffArgs {
    /// The cluster
    #[arg(value_name = "CLUSTER")]
    cluster: Option<String>,
    /// The form of the report
    #[arg(short, long, value_enum, default_value_t = ReportFormat::Text, value_name = "FORMAT")]
    output: ReportFormat,
}

pub(crate) async fn run(ui: &Ui, global: &Global, args: &IamDiffArgs) -> anyhow::Result<()> {
    let documents = [IamRole::KIND, IamRolePolicy::KIND, IamRolePolicyAttachment::KIND];
    let others = kinds::ALL.iter().filter(|kind| !documents.contains(kind));
    let ignored: Vec<Override> =
        others.map(|kind| Override::new(*kind, Lifecycle::Ignore)).collect();
    let lifecycles = Lifecycles::new(None, Mode::DryRun, &ignored).map_err(anyhow::Error::msg)?;
    let options = Options { lifecycles, prune: Prune::Nothing };
    let unknown = UnknownFields::from_strict(global.strict);
    let observed = observe::plan(ui, global, args.cluster.as_deref(), unknown, &options).await?;
    let plan = &observed.plan;
    ui.tell(plan);
    match args.output {
        ReportFormat::Text => {
            let detail = if ui.verbose { Detail::Documents } else { Detail::Changes };
            ui.out(&text::plan(plan, &observed.place, detail))?;
            let command = format!("kapstan update cluster {} --yes", plan.cluster);
            ui.out(&text::dry_run_end(plan, &command))?;
        }
        format => output::report(ui, plan, &observed.place, None, format)?,
    }
    for refusal in &plan.refusals {
        ui.refuse(refusal);
    }
    match plan.refusals.is_empty() {
        true => Ok(()),
        false => bail!("the policies cannot be compared in full"),
    }
}
