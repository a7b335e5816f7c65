//! `rolling-update cluster --engine instance-refresh`: hands groups of nodes to Auto Scaling's
//! own engine.

use std::time::Duration;

use anyhow::bail;
use clap::{Args, ValueEnum};

use super::done::Done;
use super::duration::duration;
use super::locked::Writer;
use super::ui::Ui;
use crate::autoscaling::instance_refresh::{self, Wish};
use crate::rolling::clock::of_day;
use crate::rolling::observer::Observer;
use crate::rolling::refresh::{End, refresh};
use crate::rolling::world::{Group, World};
use crate::spec::role::Role;

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(super) enum Engine {
    /// This program, instance by instance, with Kubernetes
    Kapstan,
    /// Auto Scaling itself, by itself; only for groups of nodes, and it does not empty them
    InstanceRefresh,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Options for --engine instance-refresh")]
pub(super) struct RefreshArgs {
    /// Who replaces the instances
    #[arg(long, value_enum, default_value_t = Engine::Kapstan)]
    pub(super) engine: Engine,

    /// How many instances in a hundred must go on serving
    #[arg(long, default_value_t = 90, value_parser = clap::value_parser!(i32).range(0..=100),
          value_name = "PERCENT")]
    min_healthy_percentage: i32,

    /// At how many in a hundred replaced AWS pauses, several with commas: 10,50,100
    #[arg(long, value_delimiter = ',', value_parser = clap::value_parser!(i32).range(1..=100),
          value_name = "PERCENT")]
    checkpoint_percentages: Vec<i32>,

    /// How long it pauses
    #[arg(long, value_parser = duration, default_value = "1h", value_name = "TIME")]
    checkpoint_delay: Duration,

    /// Cancel what is under way; what is replaced stays so
    #[arg(long)]
    pub(super) cancel: bool,
}

/// Refreshes the groups of nodes that need it, or all with `is_forced`.
pub(super) async fn run(
    ui: &Ui,
    observer: &Observer,
    world: &World,
    args: &RefreshArgs,
    at_once: usize,
    is_forced: bool,
    writer: Writer<'_>,
) -> anyhow::Result<Done> {
    let needs = |group: &&Group| group.members.iter().any(|member| !member.reasons.is_empty());
    for group in world.groups.iter().filter(|group| group.role != Role::Node).filter(needs) {
        ui.warn(&format!(
            "{} needs an update too, but {}s are not handed to AWS: kapstan rolling-update \
             cluster {} --instance-group {} --yes",
            group.name,
            group.role.key(),
            observer.cluster.name(),
            group.name
        ));
    }
    let stopped = writer.begin(ui).await?;
    let nodes = world.groups.iter().filter(|group| group.role == Role::Node);
    if args.cancel {
        return cancel(ui, observer, nodes).await;
    }
    let wishes: Vec<Wish> = nodes
        .filter(|group| is_forced || needs(group))
        .map(|group| Wish {
            group: group.fleet_name.clone(),
            template: group.template.clone(),
            min_healthy: args.min_healthy_percentage,
            checkpoints: args.checkpoint_percentages.clone(),
            checkpoint_delay: i32::try_from(args.checkpoint_delay.as_secs()).unwrap_or(i32::MAX),
            skips_matching: !is_forced,
        })
        .collect();
    let tell =
        |now, group: &str, text: &str| ui.status(&format!("{} {group}: {text}", of_day(now)));
    let ends = refresh(&observer.aws, &observer.clock, &wishes, at_once, stopped, tell).await;
    let mut failed = Vec::new();
    for (group, end) in ends? {
        match end {
            End::Done => ui.out(&format!("{group}: refreshed\n"))?,
            End::Ended(reason) => failed.push(format!("{group}: {reason}")),
            End::Left => failed.push(format!(
                "{group}: AWS goes on by itself; run this again to follow it, or with --cancel"
            )),
            End::NotBegun => failed.push(format!("{group}: not begun")),
        }
    }
    match failed.is_empty() {
        true => Ok(Done::Yes),
        false => bail!("{}", failed.join("\n")),
    }
}

async fn cancel<'a>(
    ui: &Ui,
    observer: &Observer,
    groups: impl Iterator<Item = &'a Group>,
) -> anyhow::Result<Done> {
    for group in groups {
        let newest = instance_refresh::newest(&observer.aws, &group.fleet_name).await?;
        if newest.is_none_or(|newest| newest.state != instance_refresh::State::Open) {
            continue;
        }
        instance_refresh::cancel(&observer.aws, &group.fleet_name).await?;
        ui.out(&format!("{}: its refresh is being cancelled\n", group.fleet_name))?;
    }
    Ok(Done::Yes)
}
