//! `delete cluster`: deletes all that a cluster owns in AWS, then its specs.

use anyhow::{Context as _, bail, ensure};
use clap::Args;

use super::admission::{self, Admission, Purpose};
use super::done::Done;
use super::locked::{Held, locked_if};
use super::output::{self, ReportFormat};
use super::settings::Global;
use super::ui::Ui;
use super::{carry_out, checks};
use crate::apply::OnFailure;
use crate::catalogue::owned::{self, Everything};
use crate::core::home::Home;
use crate::core::look::Asked;
use crate::core::whose::Owner;
use crate::desired::{self, Notice};
use crate::plan::{Action, Plan, teardown};
use crate::report::text::{self, Detail};
use crate::resolve::reads;
use crate::route53::hosted_zone::HostedZone;
use crate::spec::cluster::Cluster;
use crate::spec::document::{Document, Spec};
use crate::spec::instance_group::InstanceGroup;
use crate::spec::name::ClusterName;
use crate::store::Store;
use crate::store::mark::Mark;
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

    /// Delete only what a dry run has told under this fingerprint
    #[arg(long, value_name = "FINGERPRINT")]
    expect_plan: Option<String>,

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
    let removal = store.removal(name, backups);
    let (removal, mark) = futures::future::try_join(removal, store.mark(name)).await?;
    if args.unregister {
        if let Some(mark) = &mark {
            admission::compare(ui, global, name, &mark.target.region, Some(mark)).await?;
        }
        if removal.is_empty() {
            store.existing(&Place::Cluster(name.clone())).await?;
        }
        return unregister(ui, &store, name, &removal, held).await;
    }
    let has_region = args.region.is_some() || mark.is_some();
    let kept = specs(ui, &store, name, has_region).await?;
    let region = region(name, args.region.as_deref(), &kept, mark.as_ref())?;
    let place = url.of_cluster(name.as_str());
    let home = match &kept {
        // The store of a cluster that is kept nowhere may be lost.
        Specs::None => Home::new(&region, None),
        Specs::Read(..) | Specs::Unreadable(_) => Home::new(&region, Some(&place)),
    };
    let asked = everything(name, home, &kept);
    let purpose = match removal.is_empty() {
        true => Purpose::ClearingUp,
        false => Purpose::Deleting,
    };
    let admission = admission::admit(ui, global, &store, name, &region, mark).await?.to(purpose);
    let Everything { found, other_store } =
        owned::observe(&admission.aws, &asked).await.with_context(|| {
            format!("what {name} has in AWS could not be looked at, so nothing was deleted")
        })?;
    let mut plan = teardown::make(name.as_str(), &admission.target.account, &region, found);
    plan.refusals.extend(other_store.map(|other| kept_elsewhere(name, &place, &other)));
    let nothing = nothing_found(&plan, &admission, &removal, &place);
    match held {
        // A look alone tells, and fails at nothing.
        None => plan.warnings.extend(nothing),
        Some(_) => plan.refusals.extend(nothing),
    }
    ui.tell(&plan);
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
            ReportFormat::Text => {
                ui.out(&dry_run_end(&plan))?;
                let command = format!("kapstan delete cluster {name} --yes");
                carry_out::tell_fingerprint(ui, &plan, &command);
            }
            format => output::report(ui, &plan, &place, None, format)?,
        }
        carry_out::refuse(ui, &plan)?;
        carry_out::check_expected(&plan, args.expect_plan.as_deref())?;
        return Ok(Done::Yes);
    };
    carry_out::refuse(ui, &plan)?;
    carry_out::check_expected(&plan, args.expect_plan.as_deref())?;
    store.check_removal(&removal).await.with_context(|| {
        format!("nothing was deleted, since what is kept in {place} could not be removed after it")
    })?;
    let writer = held.at(&admission);
    let outcome = carry_out::carry_out(ui, &plan, OnFailure::GoOn, writer).await?;
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
    store.forget(name).await?;
    Ok(done)
}

/// The region to look at, of which no two sources may say different things. That the spec and the
/// state store agree is found out with the account.
fn region(
    name: &ClusterName,
    given: Option<&str>,
    kept: &Specs,
    mark: Option<&Mark>,
) -> anyhow::Result<String> {
    let of_spec = kept.cluster().and_then(Cluster::region);
    let remembered = mark.map(|mark| mark.target.region.as_str());
    for (known, source) in [(of_spec, "its spec says"), (remembered, "the state store remembers")] {
        if let (Some(given), Some(known)) = (given, known) {
            ensure!(
                given == known,
                "--region {given} is not where {name} is: {source} {known}. Nothing was deleted. \
                 Leave --region out; it is for clusters of which that is not known"
            );
        }
    }
    let region = of_spec.or(remembered).or(given).map(str::to_owned);
    region.with_context(|| {
        format!("the region of {name} is not known, since no subnet names a zone; give --region")
    })
}

/// Why a deletion that finds nothing must not remove what is kept: it may have looked at the wrong
/// place. One that had begun there may have deleted all before it was broken off.
fn nothing_found(
    plan: &Plan,
    admission: &Admission,
    removal: &Removal,
    place: &str,
) -> Option<Notice> {
    let finds = plan.writes().next().is_some() || !plan.kept().is_empty();
    let has_begun = admission.mark().is_some_and(|mark| mark.is_going);
    if finds || has_begun || removal.is_empty() {
        return None;
    }
    let (name, target) = (&plan.cluster, &admission.target);
    let remembered = match admission.mark() {
        Some(_) => "where the state store remembers it to be",
        None => "and the state store does not remember where it was applied, if it was",
    };
    Some(Notice {
        object: format!("Cluster/{name}"),
        message: format!(
            "nothing of its own is in {target}, {remembered}, though its specs are kept in {place}"
        ),
        next: format!(
            "use the credentials of the account where it is; to remove the specs only, and leave \
             AWS as it is: kapstan delete cluster {name} --unregister --yes"
        ),
    })
}

/// Why a deletion must not begin where another store has a cluster of this name and region: all
/// that carries its tags may be that one's.
fn kept_elsewhere(name: &ClusterName, place: &str, other: &str) -> Notice {
    Notice {
        object: format!("Cluster/{name}"),
        message: format!(
            "its roles tell that it is kept in {other}, and these specs are in {place}, so that all \
             that carries its tags may be that cluster's"
        ),
        next: format!(
            "delete it with that store (--state), or, if it was moved from there, give this one its \
             roles, as kapstan update cluster {name} tells; to remove these specs only: kapstan \
             delete cluster {name} --unregister --yes"
        ),
    }
}

fn dry_run_end(plan: &Plan) -> String {
    let (name, count) = (&plan.cluster, plan.count(Action::Delete));
    if !plan.refusals.is_empty() || !plan.warnings.is_empty() {
        return format!(
            "{count} to delete in AWS. Nothing was deleted, nor would be with --yes.\n"
        );
    }
    format!(
        "{count} to delete in AWS, and the specs. Nothing was deleted. To do it: kapstan delete \
         cluster {name} --yes\n"
    )
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
    let by_tags_alone = |error: String| {
        ui.warn(&format!(
            "{error}\nWhat it names is not known, so that only tags tell what is the cluster's"
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
            by_tags_alone(format!("{error:#}"));
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
        unreadable.iter().map(ToString::to_string).for_each(by_tags_alone);
        return Ok(Specs::Unreadable(Some(cluster)));
    }
    let groups = groups.into_iter().filter_map(|kept| match kept.document.spec {
        Spec::InstanceGroup(group) => Some(*group),
        _ => None,
    });
    Ok(Specs::Read(cluster, groups.collect()))
}

/// What to look for: all that speaks of the cluster, or bears its names.
fn everything(name: &ClusterName, home: Home, kept: &Specs) -> Asked {
    let owner = match kept {
        Specs::Read(cluster, groups) => {
            let groups: Vec<&InstanceGroup> = groups.iter().collect();
            desired::owner(cluster, &groups)
        }
        Specs::Unreadable(_) | Specs::None => Owner::by_tags(name.as_str()),
    };
    let zone = match kept.cluster() {
        Some(cluster) => desired::hosted_zone(cluster),
        None => HostedZone::Above { cluster: name.to_string(), private: false },
    };
    let mut asked = reads::everything(owner.at(home), zone);
    for subnet in kept.cluster().map(desired::untagged_subnets).unwrap_or_default() {
        asked.wishes.add(subnet);
    }
    asked
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
        store.forget(name).await?;
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
