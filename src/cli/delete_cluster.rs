//! `delete cluster`: deletes all that a cluster owns in AWS, then its specs.

use anyhow::{Context as _, bail};
use clap::Args;

use super::done::Done;
use super::locked::{Held, locked_if};
use super::output::{self, ReportFormat};
use super::settings::Global;
use super::ui::Ui;
use super::{carry_out, checks};
use crate::apply::OnFailure;
use crate::aws::Aws;
use crate::catalogue::{kinds, owned};
use crate::core::look::{Asked, Reach};
use crate::core::names::OwnNames;
use crate::core::whose::Owner;
use crate::core::wishes::Wishes;
use crate::desired::{self, names};
use crate::iam::look::RoleTrust;
use crate::limits::partition::Partition;
use crate::plan::{Action, teardown};
use crate::policy::trust;
use crate::report::text::{self, Detail};
use crate::route53::hosted_zone::HostedZone;
use crate::spec::cluster::Cluster;
use crate::spec::document::{Document, Spec};
use crate::spec::instance_group::InstanceGroup;
use crate::spec::name::ClusterName;
use crate::store::Store;
use crate::store::objects::Place;
use crate::store::removal::{Backups, Removal};

/// Delete all that a cluster owns in AWS, and its specs
///
/// What is the cluster's is told by its owner's tags. What the spec names by id, ARN or name,
/// what is shared with the cluster and what bears its name alone stays, and is listed with the
/// reason. Without --yes it only tells what it would delete.
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
    let kept = specs(ui, &store, name, args.region.is_some()).await?;
    let spec_region = kept.cluster().and_then(Cluster::region).map(str::to_owned);
    let Some(region) = args.region.clone().or(spec_region) else {
        bail!("the region of {name} is not known, since no subnet names a zone; give --region");
    };
    let asked = everything(name, &region, &kept);
    let aws = Aws::connect(&region).await;
    let looked = futures::future::try_join(aws.account(), owned::observe(&aws, &asked)).await;
    let (account, found) = looked.with_context(|| {
        format!("what {name} has in AWS could not be looked at, so nothing was deleted")
    })?;
    let plan = teardown::make(name.as_str(), &account, &region, found);
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
                plan.count(Action::Delete)
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
            if plan.writes().next().is_none() {
                ui.out(&format!("{name}: nothing in AWS is its own\n"))?;
            } else {
                ui.out(&text::apply_end(&plan, &outcome, &again))?;
            }
        }
        format => output::report(ui, &plan, &place, Some(&outcome), format)?,
    }
    let done = carry_out::finish(&outcome)?;
    if !plan.kept().is_empty() {
        bail!(
            "{} things of {name} stay, since running instances may use them, as the list says; \
             its specs stay too, so that the same command can delete the rest",
            plan.kept().len()
        );
    }
    if !removal.is_empty() {
        remove(ui, &store, name, backups).await?;
    }
    Ok(done)
}

/// What is kept of the cluster.
enum Specs {
    Read(Box<Cluster>, Vec<InstanceGroup>),
    /// With what can be read of the cluster, if anything can.
    Unreadable(Option<Box<Cluster>>),
    None,
}

impl Specs {
    fn cluster(&self) -> Option<&Cluster> {
        match self {
            Self::Read(cluster, _) => Some(cluster),
            Self::Unreadable(cluster) => cluster.as_deref(),
            Self::None => None,
        }
    }
}

/// Reads the specs. What they name cannot be known where a text cannot be read: tags then
/// decide alone.
///
/// # Errors
/// There is no cluster or its text cannot be read, and no region is given either.
async fn specs(
    ui: &Ui,
    store: &Store,
    name: &ClusterName,
    has_region: bool,
) -> anyhow::Result<Specs> {
    let by_tags_alone = |error: &anyhow::Error| {
        ui.warn(&format!(
            "{error:#}\nWhat it names is not known, so that only tags tell what is the cluster's"
        ));
    };
    let place = Place::Cluster(name.clone());
    let text = match store.text(&place).await? {
        Some(text) => text,
        None if has_region => return Ok(Specs::None),
        None => store
            .existing(&place)
            .await
            .context("to delete what a cluster without specs left in AWS, give --region")?,
    };
    let cluster = match text.document() {
        Ok(Document { spec: Spec::Cluster(cluster), .. }) => cluster,
        Ok(other) => bail!("{place} cannot be {other}"),
        Err(error) if has_region => {
            by_tags_alone(&error);
            return Ok(Specs::Unreadable(text.cluster_in_part().map(Box::new)));
        }
        Err(error) => {
            return Err(
                error.context("to delete a cluster whose spec cannot be read, give --region")
            );
        }
    };
    let (groups, unreadable) = checks::look_at_groups(ui, store, name).await?;
    if !unreadable.is_empty() {
        unreadable.iter().for_each(by_tags_alone);
        return Ok(Specs::Unreadable(Some(cluster)));
    }
    let groups = groups.into_iter().filter_map(|kept| match kept.document.spec {
        Spec::InstanceGroup(group) => Some(*group),
        _ => None,
    });
    Ok(Specs::Read(cluster, groups.collect()))
}

/// What to look for: all that speaks of the cluster, or bears its names.
fn everything(name: &ClusterName, region: &str, kept: &Specs) -> Asked {
    let owner = match kept {
        Specs::Read(cluster, groups) => {
            let groups: Vec<&InstanceGroup> = groups.iter().collect();
            desired::owner(cluster, &groups)
        }
        Specs::Unreadable(_) | Specs::None => Owner::by_tags(name.as_str()),
    };
    let mut wishes = Wishes::default();
    wishes.add(match kept.cluster() {
        Some(cluster) => desired::hosted_zone(cluster),
        None => HostedZone::Above { cluster: name.to_string(), private: false },
    });
    wishes.add(RoleTrust(trust::document(Partition::of_region(region))));
    for role in names::own_roles(name.as_str()) {
        wishes.add(role);
    }
    let balancers = ["api", "bastion", "tcp"];
    let names = OwnNames {
        cluster: name.to_string(),
        balancers: balancers.map(|prefix| names::balancer_name(prefix, name.as_str())).to_vec(),
        security_groups: names::own_security_groups(name.as_str()),
    };
    let kinds = kinds::ALL.iter().copied().collect();
    Asked { owner, reach: Reach::Everything, names, kinds, wishes }
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
