//! `rolling-update cluster`: tells which instances do not run what the cluster now says, and
//! with `--yes` replaces them.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{bail, ensure};
use clap::{ArgAction, Args};

use super::done::Done;
use super::duration::duration;
use super::kubernetes::{self, KubernetesArgs};
use super::locked::{Held, locked_if};
use super::output::{self, ReportFormat};
use super::refresh::{self, Engine, RefreshArgs};
use super::replacing::{self, Intervals, ReplacingArgs};
use super::settings::Global;
use super::ui::Ui;
use crate::report::rolling;
use crate::rolling::observer::Observer;
use crate::rolling::world::{Life, Member, World};
use crate::rolling::{Choice, marks};
use crate::spec::role::Role;
use crate::spec::spelling::nearest;

/// Replace the instances that do not run what the cluster now says
///
/// First bastions, then masters one by one, then nodes. Each node is emptied through the
/// Eviction API, which honours disruption budgets; a new instance serves before the old one
/// goes (rollingUpdate.maxSurge); and the cluster must be valid before the next. Without
/// --yes it tells which instances it would replace, and why. It may be interrupted at any
/// time: run again, it goes on where it stood.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  kapstan rolling-update cluster dev.example.com
  kapstan rolling-update cluster dev.example.com --yes
  kapstan rolling-update cluster dev.example.com --yes --instance-group nodes-a --interactive
  kapstan rolling-update cluster dev.example.com --yes --max-parallel-groups 3
  kapstan rolling-update cluster dev.example.com --yes --cloudonly --force
  kapstan rolling-update cluster dev.example.com --yes --engine instance-refresh \\
    --min-healthy-percentage 90 --checkpoint-percentages 10,50,100 --checkpoint-delay 10m")]
pub(crate) struct RollingUpdateArgs {
    /// The cluster
    #[arg(value_name = "CLUSTER")]
    cluster: Option<String>,

    /// Replace them, instead of telling which would be
    #[arg(short, long)]
    yes: bool,

    /// Replace all instances, those too that run what the cluster says
    #[arg(long)]
    force: bool,

    /// Only these instance groups, several with commas
    #[arg(long, visible_alias = "ig", value_delimiter = ',', value_name = "NAME")]
    instance_group: Vec<String>,

    /// Only groups of these roles: master, node, bastion
    #[arg(long, visible_alias = "roles", value_delimiter = ',', value_name = "ROLE")]
    instance_group_roles: Vec<RoleName>,

    /// The least time from one master to the next
    #[arg(long, alias = "master-interval", value_parser = duration, default_value = "15s",
          value_name = "TIME")]
    control_plane_interval: Duration,

    /// The least time from one node to the next
    #[arg(long, value_parser = duration, default_value = "15s", value_name = "TIME")]
    node_interval: Duration,

    /// The least time from one bastion to the next
    #[arg(long, value_parser = duration, default_value = "15s", value_name = "TIME")]
    bastion_interval: Duration,

    /// How many groups of nodes are updated side by side
    #[arg(long, default_value_t = 1, value_name = "COUNT")]
    max_parallel_groups: usize,

    /// Ask after each instance whether to go on
    #[arg(short, long, action = ArgAction::SetTrue)]
    interactive: bool,

    #[command(flatten)]
    replacing: ReplacingArgs,

    #[command(flatten)]
    kubernetes: KubernetesArgs,

    #[command(flatten)]
    refresh: RefreshArgs,

    /// The form of the report
    #[arg(short, long, value_enum, default_value_t = ReportFormat::Text, value_name = "FORMAT")]
    output: ReportFormat,

    /// Exit with 2 when, without --yes, instances need to be replaced
    #[arg(long)]
    detailed_exitcode: bool,
}

/// A role, as kops names it now or did in v1.10.
#[derive(Clone, Copy, Debug)]
struct RoleName(Role);

impl std::str::FromStr for RoleName {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        match word.to_lowercase().as_str() {
            "control-plane" | "controlplane" => Ok(Self(Role::Master)),
            _ => word.parse().map(Self),
        }
    }
}

impl RollingUpdateArgs {
    /// The command that would replace what this one shows, and no more.
    fn apply_with(&self, cluster: &str) -> String {
        let mut command = format!("kapstan rolling-update cluster {cluster}");
        if !self.instance_group.is_empty() {
            command.push_str(&format!(" --instance-group {}", self.instance_group.join(",")));
        }
        if !self.instance_group_roles.is_empty() {
            let roles: Vec<&str> =
                self.instance_group_roles.iter().map(|role| role.0.key()).collect();
            command.push_str(&format!(" --instance-group-roles {}", roles.join(",")));
        }
        for (is_given, flag) in [
            (self.force, " --force"),
            (self.replacing.cloudonly, " --cloudonly"),
            (self.refresh.engine == Engine::InstanceRefresh, " --engine instance-refresh"),
        ] {
            if is_given {
                command.push_str(flag);
            }
        }
        format!("{command} --yes")
    }
}

pub(crate) async fn run(
    ui: &Ui,
    global: &Global,
    args: &RollingUpdateArgs,
) -> anyhow::Result<Done> {
    let name = global.cluster(args.cluster.as_deref())?;
    let work = async |held: Option<&Held>| update(ui, global, args, held).await;
    locked_if(args.yes, ui, global, "rolling-update cluster", &name, work).await
}

async fn update(
    ui: &Ui,
    global: &Global,
    args: &RollingUpdateArgs,
    held: Option<&Held>,
) -> anyhow::Result<Done> {
    let is_handed_over = args.refresh.engine == Engine::InstanceRefresh;
    ensure!(is_handed_over || !args.refresh.cancel, "--cancel goes with --engine instance-refresh");
    // Auto Scaling knows no Kubernetes.
    let needs_kubernetes = !args.replacing.cloudonly && !is_handed_over;
    let asked = needs_kubernetes.then_some(&args.kubernetes);
    let (mut observer, admission) =
        kubernetes::observer(ui, global, args.cluster.as_deref(), asked).await?;
    check_names(args, &observer)?;
    let is_old = |member: &Member| args.force || !member.reasons.is_empty();
    let world = observer.first_look(is_old).await?;
    warn_of_orphans(ui, &world);
    replacing::warn_of_nameless(ui, &world);
    let is_meant = |name: &str, role: Role| {
        let names = &args.instance_group;
        let roles = &args.instance_group_roles;
        (names.is_empty() || names.iter().any(|n| n == name))
            && (roles.is_empty() || roles.iter().any(|r| r.0 == role))
    };
    let shown = {
        let mut shown = world.clone();
        shown.groups.retain(|group| is_meant(&group.name, group.role));
        shown
    };
    let cluster = observer.cluster.name().to_owned();
    if args.output == ReportFormat::Text {
        ui.out(&rolling::table(&shown))?;
    }
    let members = shown.groups.iter().flat_map(|group| &group.members);
    let needed = members.filter(|member| member.life != Life::Leaving).any(is_old);
    let has_strays = !marks::strays(&world).is_empty();
    if held.is_none() {
        replacing::warn_of_marks(ui, &world);
    }
    if let Some(held) = held
        && is_handed_over
        && (needed || args.refresh.cancel)
    {
        let (refresh, at_once) = (&args.refresh, args.max_parallel_groups);
        let writer = held.at(&admission);
        return refresh::run(ui, &observer, &shown, refresh, at_once, args.force, writer).await;
    }
    let names: BTreeSet<String> = shown.groups.iter().map(|group| group.name.clone()).collect();
    let Some(held) = held.filter(|_| needed || has_strays) else {
        if needed {
            let missing = observer.missing_rights(&shown, &names).await?;
            replacing::warn_of_rights(ui, &missing);
        }
        match args.output {
            ReportFormat::Text if !needed => ui.out("\nNo instance needs to be replaced.\n")?,
            ReportFormat::Text => ui.out(&format!(
                "\nNothing was changed. To replace them: {}\n",
                args.apply_with(&cluster)
            ))?,
            format => output::machine(ui, &rolling::report(&cluster, &shown, None), format)?,
        }
        return Ok(match needed && !args.yes && args.detailed_exitcode {
            true => Done::ChangesFound,
            false => Done::Yes,
        });
    };
    let intervals = Intervals {
        bastion: args.bastion_interval,
        master: args.control_plane_interval,
        node: args.node_interval,
    };
    let choice = if args.force { Choice::All } else { Choice::Needing };
    let mut options = args.replacing.options(intervals, choice);
    options.interactive = args.interactive;
    options.max_parallel_groups = args.max_parallel_groups;
    options.groups = names;
    let run = replacing::replace(ui, &mut observer, world, options, held.at(&admission)).await?;
    match args.output {
        ReportFormat::Text => ui.out(&rolling::end(&run))?,
        format => output::machine(ui, &rolling::report(&cluster, &shown, Some(&run)), format)?,
    }
    replacing::finish(&run)
}

fn check_names(args: &RollingUpdateArgs, observer: &Observer) -> anyhow::Result<()> {
    let known: Vec<&str> = observer.groups.iter().map(|group| group.name()).collect();
    for name in &args.instance_group {
        if !known.contains(&name.as_str()) {
            let hint = nearest(name, known.iter().copied());
            let hint = hint.map(|name| format!("; did you mean {name}?")).unwrap_or_default();
            bail!("{} has no instance group {name}{hint}", observer.cluster.name());
        }
    }
    Ok(())
}

fn warn_of_orphans(ui: &Ui, world: &World) {
    for orphan in &world.orphans {
        let group = orphan.detached_from.as_deref().unwrap_or_default();
        ui.warn(&format!(
            "{} was detached from {group}, which no instance group stands for any more, and still \
             runs; end it: aws ec2 terminate-instances --instance-ids {}",
            orphan.id, orphan.id
        ));
    }
}
