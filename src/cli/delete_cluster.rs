//! `delete cluster`: deletes all that a cluster owns in AWS, then its specs.

use anyhow::{Context as _, bail};
use clap::Args;

use super::Done;
use super::carry_out;
use super::locked::{Held, locked_if};
use super::output::{self, ReportFormat};
use super::settings::Global;
use super::ui::Ui;
use crate::apply::OnFailure;
use crate::aws::Aws;
use crate::desired;
use crate::plan::teardown;
use crate::report::text::{self, Detail};
use crate::resource::hosted_zone::HostedZone;
use crate::resource::owned;
use crate::spec::cluster::Cluster;
use crate::spec::document::{Document, Spec};
use crate::spec::name::ClusterName;
use crate::store::Store;
use crate::store::objects::Place;
use crate::store::removal::{Backups, Removal};

/// Delete all that a cluster owns in AWS, and its specs
///
/// What is the cluster's is found by its ownership tags, and by names that are a cluster's
/// alone. What is shared with it stays. Without --yes it only tells what it would delete.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  kapstan delete cluster dev.example.com
  kapstan delete cluster dev.example.com --yes
  kapstan delete cluster dev.example.com --unregister --yes
  kapstan delete cluster dev.example.com --keep-backups --yes
  kapstan delete cluster gone.example.com --region us-west-2 --yes")]
pub(crate) struct DeleteClusterArgs {
    /// The cluster
    #[arg(value_name = "CLUSTER")]
    cluster: Option<String>,

    /// Delete it, instead of telling what would be deleted
    #[arg(short, long)]
    yes: bool,

    /// Remove the specs only, and leave AWS as it is
    #[arg(long)]
    unregister: bool,

    /// Leave etcd's backups in the state store
    #[arg(long)]
    keep_backups: bool,

    /// The region of a cluster whose specs are gone, or cannot be read
    #[arg(long)]
    region: Option<String>,

    /// The form of the report
    #[arg(short, long, value_enum, default_value_t = ReportFormat::Text, value_name = "FORMAT")]
    output: ReportFormat,
}

pub(super) async fn run(
    ui: &Ui,
    global: &Global,
    args: &DeleteClusterArgs,
) -> anyhow::Result<Done> {
    let name = global.cluster(args.cluster.as_deref())?;
    let work = async |held: Option<&Held>| delete(ui, global, args, &name, held).await;
    locked_if(args.yes, ui, global, "delete cluster", &name, work).await
}

async fn delete(
    ui: &Ui,
    global: &Global,
    args: &DeleteClusterArgs,
    name: &ClusterName,
    held: Option<&Held>,
) -> anyhow::Result<Done> {
    let (store, url) = global.store(ui).await?;
    let backups = if args.keep_backups { Backups::Keep } else { Backups::Remove };
    let removal = store.removal(name, backups).await?;
    if args.unregister {
        if removal.is_empty() {
            store.existing(&Place::Cluster(name.clone())).await?;
        }
        return unregister(ui, &store, name, &removal, held).await;
    }
    let kept = spec(ui, &store, name, args.region.is_some()).await?;
    let spec_region = kept.as_ref().and_then(|cluster| cluster.region()).map(str::to_owned);
    let Some(region) = args.region.clone().or(spec_region) else {
        bail!("the region of {name} is not known, since no subnet names a zone; give --region");
    };
    let zone = match &kept {
        Some(cluster) => desired::hosted_zone(cluster),
        None => HostedZone::Above { cluster: name.to_string(), private: false },
    };
    let aws = Aws::connect(&region).await;
    let (account, owned) =
        futures::future::try_join(aws.account(), owned::observe(&aws, name.as_str(), &zone))
            .await?;
    let plan = teardown::make(name.as_str(), &account, &region, owned);
    let place = url.of_cluster(name.as_str());
    if args.output == ReportFormat::Text {
        ui.out(&text::plan(&plan, &place, Detail::Changes))?;
    }
    if !removal.is_empty() {
        ui.status(&format!("To be removed from {place}: {removal}"));
    }
    if let Some(left) = removal.left() {
        ui.status(&format!("To be left in the state store: {left}"));
    }
    let Some(held) = held else {
        match args.output {
            ReportFormat::Text => ui.out(&format!(
                "{} to delete in AWS, and the specs. Nothing was deleted. To do it: \
                 kapstan delete cluster {name} --yes\n",
                plan.changes.len()
            ))?,
            format => output::report(ui, &plan, &place, None, format)?,
        }
        carry_out::refuse(ui, &plan)?;
        return Ok(Done::Yes);
    };
    carry_out::refuse(ui, &plan)?;
    store.check_removal(&removal).await.with_context(|| {
        format!("nothing was deleted, since what is kept in {place} could not be removed after it")
    })?;
    let outcome = carry_out::carry_out(ui, &aws, &plan, OnFailure::GoOn, held).await?;
    match args.output {
        ReportFormat::Text => {
            let again = format!("kapstan delete cluster {name} --yes");
            if plan.changes.is_empty() {
                ui.out(&format!("{name}: nothing in AWS is its own\n"))?;
            } else {
                ui.out(&text::apply_end(&plan, &outcome, &again))?;
            }
        }
        format => output::report(ui, &plan, &place, Some(&outcome), format)?,
    }
    let done = carry_out::finish(&outcome)?;
    if !removal.is_empty() {
        remove(ui, &store, name, backups).await?;
    }
    Ok(done)
}

/// The kept spec, as far as it can be read.
///
/// # Errors
/// There is none or it cannot be read, and no region is given either.
async fn spec(
    ui: &Ui,
    store: &Store,
    name: &ClusterName,
    region_is_given: bool,
) -> anyhow::Result<Option<Cluster>> {
    let place = Place::Cluster(name.clone());
    let text = match store.text(&place).await? {
        Some(text) => text,
        None if region_is_given => return Ok(None),
        None => store
            .existing(&place)
            .await
            .context("to delete what a cluster without specs left in AWS, give --region")?,
    };
    match text.document() {
        Ok(Document { spec: Spec::Cluster(cluster), .. }) => Ok(Some(*cluster)),
        Ok(other) => bail!("{place} cannot be {other}"),
        Err(error) if region_is_given => {
            ui.warn(&format!(
                "{error:#}\nWhat cannot be read of it is not heeded: what is the cluster's is told \
                 by tags and names"
            ));
            Ok(text.cluster_in_part())
        }
        Err(error) => {
            Err(error.context("to delete a cluster whose spec cannot be read, give --region"))
        }
    }
}

async fn unregister(
    ui: &Ui,
    store: &Store,
    name: &ClusterName,
    removal: &Removal,
    held: Option<&Held>,
) -> anyhow::Result<Done> {
    if let Some(held) = held {
        store.check_removal(removal).await?;
        held.begin()?;
        remove(ui, store, name, removal.backups()).await?;
        return Ok(Done::Yes);
    }
    ui.out(&format!("the specs of {name} would be removed: {removal}\n"))?;
    if let Some(left) = removal.left() {
        ui.status(&format!("To be left in the state store: {left}"));
    }
    ui.status("Nothing was changed. To remove them, give --yes");
    Ok(Done::Yes)
}

async fn remove(
    ui: &Ui,
    store: &Store,
    name: &ClusterName,
    backups: Backups,
) -> anyhow::Result<()> {
    let removed = store.remove_cluster(name, backups).await?;
    ui.status(&format!("The specs of {name} are removed from the state store: {removed}"));
    if let Some(left) = removed.left() {
        ui.warn(&format!("left in the state store: {left}"));
    }
    Ok(())
}
