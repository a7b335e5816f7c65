//! `iam upgrade`: what moving a cluster to the documents of another kops gives and takes.

use anyhow::ensure;
use clap::Args;

use super::iam_show::{self, Specs};
use super::output::{self, ReportFormat};
use super::set;
use super::settings::Global;
use super::ui::Ui;
use crate::desired::{self, Input};
use crate::policy::generation::{ANNOTATION, Generation, Reason};
use crate::report::upgrade::{self, Moved};
use crate::spec::instance_group::InstanceGroup;
use crate::spec::patch::Edit;
use crate::spec::path::FieldPath;

/// Show what each role gains and loses with the policies of another kops, and move there
///
/// Without --yes nothing is changed. With it the cluster gets the annotation
/// kapstan.io/iam-generation, and the next update cluster writes the policies. AWS is not asked.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  kapstan iam upgrade dev.example.com --to 1.36
  kapstan iam upgrade dev.example.com --to 1.36 --yes")]
pub(crate) struct IamUpgradeArgs {
    /// The cluster
    #[arg(value_name = "CLUSTER")]
    cluster: Option<String>,
    /// The kops whose policies the cluster is to have, 1.10 or 1.36
    #[arg(long, value_name = "GENERATION")]
    to: Generation,
    /// Write the annotation
    #[arg(short, long)]
    yes: bool,
    /// The form of the report
    #[arg(short, long, value_enum, default_value_t = ReportFormat::Text, value_name = "FORMAT")]
    output: ReportFormat,
}

pub(crate) async fn run(ui: &Ui, global: &Global, args: &IamUpgradeArgs) -> anyhow::Result<()> {
    let specs = iam_show::from_store(ui, global, args.cluster.as_deref()).await?;
    let groups: Vec<&InstanceGroup> = specs.groups.iter().collect();
    let input = specs.input(&groups);
    let from = iam_show::chosen(&specs.cluster, input, None)?;
    let roles = moved(&specs, input, from.generation, args.to)?;
    let name = specs.cluster.name();
    match args.output {
        ReportFormat::Text => ui.out(&upgrade::text(name, &from, args.to, &roles))?,
        format => {
            let report = upgrade::report(name, &from, args.to, &roles);
            output::machine(ui, &report, format)?;
        }
    }
    if from.generation == args.to {
        ui.status("nothing to do");
        return Ok(());
    }
    ensure!(
        !args.yes || from.why != Reason::Legacy,
        "{name} has spec.iam.legacy, which is of kops 1.10 alone; nothing was changed. Remove it \
         first: kapstan unset cluster {name} spec.iam.legacy"
    );
    if !args.yes {
        ui.status(&format!(
            "nothing was changed; to move: kapstan iam upgrade {name} --to {} --yes",
            args.to
        ));
        return Ok(());
    }
    let path = FieldPath::root().key("metadata").key("annotations").key(ANNOTATION);
    // The value is YAML, and must not be read as a number.
    let edit = Edit::Set { path, value: format!("\"{}\"", args.to) };
    let told = set::edit_cluster(ui, global, "iam upgrade", Some(name), &[edit]).await?;
    ui.status(told.trim_end());
    ui.status(&format!("to write the policies: kapstan update cluster {name} --yes"));
    Ok(())
}

fn moved(
    specs: &Specs,
    input: Input<'_>,
    from: Generation,
    to: Generation,
) -> anyhow::Result<Vec<Moved>> {
    let mut all = Vec::new();
    for role in specs.roles() {
        let (before, _) = desired::documents(input, from, role);
        let (after, _) = desired::documents(input, to, role);
        let name = role.iam_name(input.cluster.name());
        all.push(Moved::new(name, &before.statements, &after.statements));
    }
    let accounts = iam_show::account_roles(input)?;
    let zone = desired::told_zone(input.cluster);
    for role in accounts {
        let document = role.document(zone.as_deref());
        let statements = document.map(|document| document.statements).unwrap_or_default();
        let of = |generation| match generation {
            Generation::V1_10 => &[][..],
            Generation::V1_36 => &statements[..],
        };
        all.push(Moved::new(role.name.clone(), of(from), of(to)));
    }
    Ok(all)
}
