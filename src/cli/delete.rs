//! `delete`: removes specs from the state store, or a whole cluster from AWS.

use anyhow::ensure;
use clap::{Args, Subcommand};

use super::delete_cluster::{self, DeleteClusterArgs};
use super::delete_instance::{self, DeleteInstanceArgs};
use super::done::Done;
use super::input::Files;
use super::locked::{Held, locked, locked_if};
use super::placed::{clusters, place_all};
use super::settings::Global;
use super::ui::Ui;
use crate::spec::document::{Document, Spec};
use crate::spec::name::ObjectName;
use crate::store::objects::Place;

/// Delete a cluster, or remove specs from the state store
///
/// Without --yes it only tells what it would do. What instance groups and files stand for in
/// AWS stays: of a group, update cluster --prune takes that away.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    arg_required_else_help = true,
    after_help = "Examples:
  kapstan delete cluster dev.example.com --yes
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
    Cluster(DeleteClusterArgs),
    Instance(DeleteInstanceArgs),
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

pub(super) async fn run(ui: &Ui, global: &Global, args: &DeleteArgs) -> anyhow::Result<Done> {
    match &args.what {
        Some(DeleteCommand::Cluster(args)) => return delete_cluster::run(ui, global, args).await,
        Some(DeleteCommand::Instance(args)) => return delete_instance::run(ui, global, args).await,
        Some(DeleteCommand::Ig { group, yes }) => delete_group(ui, global, group, *yes).await?,
        None => delete_files(ui, global, args).await?,
    }
    Ok(Done::Yes)
}

async fn delete_group(ui: &Ui, global: &Global, group: &str, yes: bool) -> anyhow::Result<()> {
    let cluster = global.cluster(None)?;
    let what = format!("delete ig {group} of");
    let work = async |held: Option<&Held>| {
        let (store, _) = global.store(ui).await?;
        store.existing(&Place::Cluster(cluster.clone())).await?;
        let place = Place::InstanceGroup(cluster.clone(), ObjectName::new(group)?);
        let kept = store.existing(&place).await?;
        let Some(held) = held else {
            ui.out(&format!("{place} would be deleted\n"))?;
            ui.status("Nothing was changed. To delete it, give --yes");
            return Ok(());
        };
        held.begin()?;
        store.remove(&kept).await?;
        ui.out(&format!("{place} deleted\n"))?;
        ui.status(&format!(
            "What it has in AWS stays until: kapstan update cluster {cluster} --yes --prune"
        ));
        Ok(())
    };
    locked_if(yes, ui, global, &what, &cluster, work).await
}

async fn delete_files(ui: &Ui, global: &Global, args: &DeleteArgs) -> anyhow::Result<()> {
    let documents = args.files.documents()?;
    let placed = place_all(global, &documents)?;
    if !args.yes {
        return delete_placed(ui, global, placed, None).await;
    }
    let of = clusters(&placed);
    let work = async |held: &Held| delete_placed(ui, global, placed, Some(held)).await;
    locked(ui, global, "delete -f", of, work).await
}

async fn delete_placed(
    ui: &Ui,
    global: &Global,
    mut placed: Vec<(Place, &Document)>,
    held: Option<&Held>,
) -> anyhow::Result<()> {
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
            let (groups, _) = store.group_names(name).await?;
            let kept = groups.iter().filter(|group| {
                let place = Place::InstanceGroup(name.clone(), (*group).clone());
                !placed.iter().any(|(given, _)| *given == place)
            });
            let names: Vec<&str> = kept.map(ObjectName::as_str).collect();
            ensure!(
                names.is_empty(),
                "{document} still has the instance groups {}; delete them with it",
                names.join(", ")
            );
        }
    }
    for (place, document) in &placed {
        if let Spec::Additional(given) = &document.spec
            && let Spec::Additional(kept) = store.existing(place).await?.document()?.spec
        {
            let stays: Vec<&str> =
                kept.iter().filter(|name| !given.contains(name)).map(String::as_str).collect();
            ensure!(
                stays.is_empty(),
                "{document} has {} too; to keep that, give what is to stay to kapstan replace -f",
                stays.join(", ")
            );
        }
    }
    let Some(held) = held else {
        for (_, document) in &placed {
            ui.out(&format!("{document} would be deleted\n"))?;
        }
        ui.status("Nothing was changed. To delete them, give --yes");
        return Ok(());
    };
    held.begin()?;
    for (place, document) in &placed {
        match place {
            Place::SshKey { .. } => {
                store.remove_ssh_key(place).await?;
            }
            _ => store.remove(&store.existing(place).await?).await?,
        }
        ui.out(&format!("{document} deleted\n"))?;
        if let Place::Cluster(name) = place {
            ui.warn(&format!("what {name} has in AWS was not touched"));
        }
    }
    Ok(())
}
