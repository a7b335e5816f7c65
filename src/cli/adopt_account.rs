//! `adopt-account`: changes where in AWS the state store remembers a cluster to be.

use anyhow::Context as _;
use clap::Args;

use super::locked::{Held, locked_if};
use super::settings::Global;
use super::ui::Ui;
use crate::spec::name::ClusterName;
use crate::store::mark::{Found, Mark};

/// Remember a cluster to be in the account of these credentials
///
/// The first apply of a cluster has the state store remember its account, region and partition,
/// and commands with credentials of another account, or with another region in the spec, are
/// refused. This one puts the account of the credentials and the region of the spec in its place.
/// What the cluster has where it was before stays there. Without --yes it only tells.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  kapstan adopt-account dev.example.com
  kapstan adopt-account dev.example.com --yes")]
pub(crate) struct AdoptAccountArgs {
    /// The cluster
    #[arg(value_name = "CLUSTER")]
    cluster: Option<String>,

    /// Remember it, instead of telling what would be remembered
    #[arg(short, long)]
    yes: bool,
}

pub(super) async fn run(ui: &Ui, global: &Global, args: &AdoptAccountArgs) -> anyhow::Result<()> {
    let name = global.cluster(args.cluster.as_deref())?;
    let work = async |held: Option<&Held>| adopt(ui, global, &name, held).await;
    locked_if(args.yes, ui, global, "adopt-account", &name, work).await
}

async fn adopt(
    ui: &Ui,
    global: &Global,
    cluster: &ClusterName,
    held: Option<&Held>,
) -> anyhow::Result<()> {
    let (store, _) = global.store(ui).await?;
    let found = store.find_mark(cluster).await?;
    let region = match (store.cluster_spec(cluster).await, &found) {
        (Ok(spec), _) => spec.region().map(str::to_owned).with_context(|| {
            format!("the region of {cluster} is not known: no subnet has a zone")
        })?,
        (Err(error), Found::Mark(Mark { target, .. })) => {
            ui.warn(&format!("{error:#}\nThe region stays the one that is remembered"));
            target.region.clone()
        }
        (Err(error), _) => return Err(error),
    };
    let target = global.identity(ui, Some(&region)).await?.at(&region);
    let before = match &found {
        Found::Nothing => "nowhere, since it was never applied".to_owned(),
        Found::Mark(mark) if mark.target == target => {
            return ui.out(&format!("{cluster} is remembered to be in {target}\n"));
        }
        Found::Mark(mark) => mark.target.to_string(),
        Found::Unreadable(_, reason) => format!("where cannot be read ({reason})"),
    };
    ui.out(&format!("{cluster} was remembered to be: {before}\n"))?;
    let Some(held) = held else {
        ui.out(&format!("it would be remembered to be: {target}\n"))?;
        ui.status("Nothing was changed. To do it, give --yes");
        return Ok(());
    };
    held.begin()?;
    store.remember(cluster, &target, false, found.version()).await?;
    ui.out(&format!("it is remembered to be: {target}\n"))
}
