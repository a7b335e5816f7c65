//! `create`: keeps new specs.

use clap::{Args, Subcommand};

use super::create_cluster::{self, CreateClusterArgs};
use super::done::Done;
use super::input::Files;
use super::locked::{Held, locked};
use super::placed::{clusters, keep, place_all, renewed};
use super::secret::{self, SecretCommand};
use super::settings::Global;
use super::ui::Ui;

/// Keep new clusters, instance groups and SSH keys
///
/// Everything is checked before anything is written. What exists already is refused; change
/// that with replace, edit or set.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    arg_required_else_help = true,
    after_help = "Examples:
  kapstan create cluster dev.example.com --zones us-west-2a
  kapstan create -f cluster.yaml
  kapstan get all --name old.example.com -o yaml | kapstan create -f - --state s3://other
  kapstan create secret sshpublickey admin -i ~/.ssh/id_rsa.pub --name dev.example.com"
)]
pub(crate) struct CreateArgs {
    #[command(flatten)]
    files: Files,
    #[command(subcommand)]
    what: Option<CreateCommand>,
}

#[derive(Debug, Subcommand)]
enum CreateCommand {
    Cluster(Box<CreateClusterArgs>),
    /// Keep a secret
    #[command(subcommand, arg_required_else_help = true)]
    Secret(SecretCommand),
}

pub(super) async fn run(ui: &Ui, global: &Global, args: &CreateArgs) -> anyhow::Result<Done> {
    match &args.what {
        Some(CreateCommand::Cluster(args)) => return create_cluster::run(ui, global, args).await,
        Some(CreateCommand::Secret(command)) => secret::run(ui, global, command).await?,
        None => {
            let documents = renewed(ui, args.files.documents()?)?;
            let placed = place_all(global, &documents)?;
            let work = async |held: &Held| {
                let (store, _) = global.store(ui).await?;
                keep(ui, global, &store, &placed, held).await
            };
            locked(ui, global, "create -f", clusters(&placed), work).await?;
            if let Some((place, _)) = placed.first() {
                ui.status(&format!(
                    "To see what it needs of AWS: kapstan update cluster {}",
                    place.cluster()
                ));
            }
        }
    }
    Ok(Done::Yes)
}
