//! `delete`: removes specs from the state store. Nothing in AWS is touched.

use anyhow::ensure;
use clap::{Args, Subcommand};

use super::create::place_all;
use super::input::Files;
use super::settings::Global;
use super::ui::Ui;
use crate::spec::document::Spec;
use crate::store::objects::Place;

/// Remove specs from the state store
///
/// Without --yes it only tells what it would remove. What the specs stand for in AWS stays.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    arg_required_else_help = true,
    after_help = "Examples:
  kapstan delete ig nodes --name dev.example.com --yes
  kapstan delete -f old-groups.yaml --yes"
)]
pub(crate) struct DeleteArgs {
    #[command(flatten)]
    files: Files,
    /// Remove it, instead of telling what would be removed
    #[arg(short, long)]
    yes: bool,
    #[command(subcommand)]
    what: Option<DeleteCommand>,
}

#[derive(Debug, Subcommand)]
enum DeleteCommand {
    /// Remove an instance group's spec
    #[command(visible_aliases = ["instancegroup", "instancegroups"], after_help = "Examples:
  kapstan delete ig nodes --name dev.example.com --yes")]
    Ig {
        /// The instance group
        #[arg(value_name = "NAME")]
        group: String,
        /// Remove it, instead of telling what would be removed
        #[arg(short, long)]
        yes: bool,
    },
}

pub(crate) async fn run(ui: &Ui, global: &Global, args: &DeleteArgs) -> anyhow::Result<()> {
    match &args.what {
        Some(DeleteCommand::Ig { group, yes }) => delete_group(ui, global, group, *yes).await,
        None => delete_files(ui, global, args).await,
    }
}

async fn delete_group(ui: &Ui, global: &Global, group: &str, yes: bool) -> anyhow::Result<()> {
    let cluster = global.cluster(None)?;
    let (store, _) = global.store(ui).await?;
    store.existing_cluster(&cluster).await?;
    let kept = store.existing_group(&cluster, group).await?;
    if !yes {
        ui.out(&format!("{} would be deleted\n", kept.document))?;
        ui.status("Nothing was changed. To delete it, give --yes");
        return Ok(());
    }
    store.remove(&kept).await?;
    ui.out(&format!("{} deleted\n", kept.document))
}

async fn delete_files(ui: &Ui, global: &Global, args: &DeleteArgs) -> anyhow::Result<()> {
    let documents = args.files.documents()?;
    let mut placed = place_all(global, &documents)?;
    // What belongs to a cluster goes before the cluster.
    placed.reverse();
    let (store, url) = global.store(ui).await?;
    let mut missing = Vec::new();
    for (place, document) in &placed {
        if !store.holds(place).await? {
            missing.push(document.to_string());
        }
    }
    ensure!(missing.is_empty(), "not in {url}: {}; nothing was deleted", missing.join(", "));
    for (place, document) in &placed {
        if let Place::Cluster(name) = place {
            let groups = store.groups(name).await?;
            let kept = groups.iter().filter(|group| {
                let is_given = |(_, d): &(Place, &crate::spec::document::Document)| {
                    matches!(d.spec, Spec::InstanceGroup(_)) && d.name() == group.document.name()
                };
                !placed.iter().any(is_given)
            });
            let names: Vec<&str> = kept.map(|group| group.document.name()).collect();
            ensure!(
                names.is_empty(),
                "{document} still has the instance groups {}; delete them with it",
                names.join(", ")
            );
        }
    }
    if !args.yes {
        for (_, document) in &placed {
            ui.out(&format!("{document} would be deleted\n"))?;
        }
        ui.status("Nothing was changed. To delete them, give --yes");
        return Ok(());
    }
    for (place, document) in &placed {
        match store.at(place).await? {
            Some(kept) => store.remove(&kept).await?,
            None => {
                store.remove_ssh_key(place).await?;
            }
        }
        ui.out(&format!("{document} deleted\n"))?;
        if let Place::Cluster(name) = place {
            ui.warn(&format!("what {name} has in AWS was not touched"));
        }
    }
    Ok(())
}
