//! `unset`: removes single fields of a kept spec.

use clap::{Args, Subcommand};

use super::set::{cluster_and_fields, edit_cluster, edit_group, field_path};
use super::settings::Global;
use super::ui::Ui;
use crate::spec::patch::Edit;

/// Remove fields of a kept spec
#[derive(Debug, Args)]
#[command(arg_required_else_help = true)]
pub(crate) struct UnsetArgs {
    #[command(subcommand)]
    what: UnsetCommand,
}

#[derive(Debug, Subcommand)]
enum UnsetCommand {
    /// Remove fields of a cluster
    #[command(after_help = "Examples:
  kapstan unset cluster dev.example.com spec.additionalPolicies.node
  kapstan unset cluster --name dev.example.com 'spec.subnets[2]'")]
    Cluster {
        /// The cluster, unless --name gives it; then the fields
        #[arg(value_name = "[CLUSTER] PATH", required = true)]
        arguments: Vec<String>,
    },
    /// Remove fields of an instance group
    #[command(visible_aliases = ["instancegroup", "instancegroups"], after_help = "Examples:
  kapstan unset ig nodes spec.iam --name dev.example.com")]
    Ig {
        /// The instance group
        #[arg(value_name = "NAME")]
        group: String,
        /// The fields
        #[arg(value_name = "PATH", required = true)]
        fields: Vec<String>,
    },
}

pub(crate) async fn run(ui: &Ui, global: &Global, args: &UnsetArgs) -> anyhow::Result<()> {
    match &args.what {
        UnsetCommand::Cluster { arguments } => {
            let is_field = |argument: &str| {
                ["spec.", "metadata.", "cluster."].iter().any(|start| argument.starts_with(start))
            };
            let (cluster, fields) = cluster_and_fields(global, arguments, is_field);
            ui.out(&edit_cluster(ui, global, "unset cluster", cluster, &edits(fields)?).await?)
        }
        UnsetCommand::Ig { group, fields } => {
            let what = format!("unset ig {group} of");
            ui.out(&edit_group(ui, global, &what, group, &edits(fields)?).await?)
        }
    }
}

fn edits(fields: &[String]) -> anyhow::Result<Vec<Edit>> {
    fields.iter().map(|field| Ok(Edit::Unset { path: field_path(field)? })).collect()
}
