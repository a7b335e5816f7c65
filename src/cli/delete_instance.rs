//! `delete instance`: empties one instance and replaces it.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{bail, ensure};
use clap::Args;

use super::done::Done;
use super::kubernetes::{self, KubernetesArgs};
use super::locked::{Held, locked_if};
use super::replacing::{self, Intervals, ReplacingArgs};
use super::settings::Global;
use super::ui::Ui;
use crate::report::rolling;
use crate::rolling::Choice;
use crate::rolling::world::{Member, World};

/// Empty one instance, and replace it
///
/// As a rolling update does it: its pods are evicted, another instance serves in its place
/// before it goes (rollingUpdate.maxSurge; not for masters), and the cluster must be valid.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  kapstan delete instance i-0a1b2c3d --name dev.example.com --yes
  kapstan delete instance ip-10-0-0-1.ec2.internal --name dev.example.com --yes")]
pub(crate) struct DeleteInstanceArgs {
    /// The instance's id, or the name of its node
    #[arg(value_name = "INSTANCE|NODE")]
    instance: String,

    /// Replace it, instead of telling what would be replaced
    #[arg(short, long)]
    yes: bool,

    #[command(flatten)]
    replacing: ReplacingArgs,

    #[command(flatten)]
    kubernetes: KubernetesArgs,
}

pub(super) async fn run(
    ui: &Ui,
    global: &Global,
    args: &DeleteInstanceArgs,
) -> anyhow::Result<Done> {
    let name = global.cluster(None)?;
    let what = format!("delete instance {} of", args.instance);
    let work = async |held: Option<&Held>| delete(ui, global, args, held).await;
    locked_if(args.yes, ui, global, &what, &name, work).await
}

async fn delete(
    ui: &Ui,
    global: &Global,
    args: &DeleteInstanceArgs,
    held: Option<&Held>,
) -> anyhow::Result<Done> {
    let asked = (!args.replacing.cloudonly).then_some(&args.kubernetes);
    let (mut observer, admission) = kubernetes::observer(ui, global, None, asked).await?;
    let is_meant = |member: &Member| is_named(member, &args.instance);
    let world = observer.first_look(is_meant).await?;
    let cluster = observer.cluster.name();
    let (group, member) = find(&world, &args.instance, cluster)?;
    let (group, id, told) = (group.to_owned(), member.id.clone(), member.told());
    let groups: BTreeSet<String> = [group.clone()].into();
    let Some(held) = held else {
        replacing::warn_of_rights(ui, &observer.missing_rights(&world, &groups).await?);
        ui.out(&format!("{told} of {group} would be emptied and replaced\n"))?;
        ui.status("Nothing was changed. To do it, give --yes");
        return Ok(Done::Yes);
    };
    let none = Duration::ZERO;
    let intervals = Intervals { bastion: none, master: none, node: none };
    let mut options = args.replacing.options(intervals, Choice::One(id));
    options.groups = groups;
    let run = replacing::replace(ui, &mut observer, world, options, held.at(&admission)).await?;
    ui.out(&rolling::end(&run))?;
    replacing::finish(&run)
}

fn find<'a>(world: &'a World, named: &str, cluster: &str) -> anyhow::Result<(&'a str, &'a Member)> {
    let members =
        world.groups.iter().flat_map(|group| group.members.iter().map(move |m| (group, m)));
    let mut found = members.filter(|(_, member)| is_named(member, named));
    let Some((group, member)) = found.next() else {
        bail!(
            "{cluster} has no instance and no node {named}; see kapstan validate cluster {cluster}"
        );
    };
    ensure!(found.next().is_none(), "{named} names several instances; give an instance's id");
    Ok((&group.name, member))
}

fn is_named(member: &Member, name: &str) -> bool {
    let node = member.node.as_ref().map(|node| node.name.as_str());
    member.id == name || node == Some(name) || member.machine.private_dns == name
}
