//! `delete cluster`: deletes all that a cluster owns in AWS, then its specs.

use anyhow::{Context as _, bail};
use clap::Args;

use super::Done;
use super::carry_out;
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
use crate::spec::name::ClusterName;
use crate::store::Store;

/// Delete all that a cluster owns in AWS, and its specs
///
/// What is the cluster's is found by its ownership tags, and by names that are a cluster's
/// alone. What is shared with it stays. Without --yes it only tells what it would delete.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  kapstan delete cluster dev.example.com
  kapstan delete cluster dev.example.com --yes
  kapstan delete cluster dev.example.com --unregister --yes
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

    /// The region of a cluster whose specs are gone
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
    let (store, url) = global.store(ui).await?;
    if args.unregister {
        store.existing_cluster(&name).await?;
        return unregister(ui, &store, &name, args.yes).await;
    }
    let kept = match store.cluster(&name).await? {
        Some(_) => Some(store.cluster_spec(&name).await?),
        None if args.region.is_some() => None,
        None => {
            store
                .existing_cluster(&name)
                .await
                .context("to delete what a cluster without specs left in AWS, give --region")?;
            None
        }
    };
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
    if !args.yes {
        match args.output {
            ReportFormat::Text => ui.out(&format!(
                "{} to delete in AWS, and the specs. Nothing was deleted. To do it: \
                 kapstan delete cluster {name} --yes\n",
                plan.changes.len()
            ))?,
            format => output::report(ui, &plan, &place, None, format)?,
        }
        return Ok(Done::Yes);
    }
    let outcome = carry_out::carry_out(ui, &aws, &plan, OnFailure::GoOn).await;
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
    if kept.is_some() {
        unregister(ui, &store, &name, true).await?;
    }
    Ok(done)
}

async fn unregister(ui: &Ui, store: &Store, name: &ClusterName, yes: bool) -> anyhow::Result<Done> {
    if !yes {
        ui.out(&format!("the specs of {name} would be removed\n"))?;
        ui.status("Nothing was changed. To remove them, give --yes");
        return Ok(Done::Yes);
    }
    let count = store.remove_cluster(name).await?;
    ui.status(&format!("The specs of {name} are removed from the state store ({count} files)"));
    Ok(Done::Yes)
}
