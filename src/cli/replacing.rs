//! What the commands share that replace instances: options, and telling how it goes.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::io::IsTerminal as _;
use std::time::Duration;

use anyhow::bail;
use clap::{ArgAction, Args};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::done::Done;
use super::duration::duration;
use super::locked::Writer;
use super::ui::Ui;
use crate::core::time::Time;
use crate::kubernetes::rights::Right;
use crate::report::rolling;
use crate::rolling::clock::of_day;
use crate::rolling::decision::Event;
use crate::rolling::engine::{self, Answer, Teller};
use crate::rolling::observer::Observer;
use crate::rolling::run::{LaneState, Run};
use crate::rolling::world::World;
use crate::rolling::{Choice, Options, marks};

/// Without a terminal each group tells so often how it stands.
const PLAIN_EVERY: Time = 60;

#[derive(Debug, Args)]
pub(super) struct ReplacingArgs {
    /// Do without Kubernetes: pods are not asked to leave, nothing is validated
    #[arg(long)]
    pub(super) cloudonly: bool,

    /// How long to wait after a node is empty, for connections to close
    #[arg(long, value_parser = duration, default_value = "5s", value_name = "TIME")]
    post_drain_delay: Duration,

    /// How long a node may take to become empty
    #[arg(long, value_parser = duration, default_value = "15m", value_name = "TIME")]
    drain_timeout: Duration,

    /// Stop where a node does not become empty in time; else it is terminated all the same
    #[arg(long, action = ArgAction::Set, default_value_t = true, num_args = 0..=1,
          default_missing_value = "true", require_equals = true, value_name = "BOOL")]
    fail_on_drain_error: bool,

    /// Stop where the cluster does not become valid in time; else the update goes on
    #[arg(long, action = ArgAction::Set, default_value_t = true, num_args = 0..=1,
          default_missing_value = "true", require_equals = true, value_name = "BOOL")]
    fail_on_validate_error: bool,

    /// How long the cluster may take to become valid, and new instances to serve
    #[arg(long, value_parser = duration, default_value = "15m", value_name = "TIME")]
    validation_timeout: Duration,

    /// How often in a row the cluster must be valid before the next instance
    #[arg(long, default_value_t = 2, value_name = "COUNT")]
    validate_count: u32,
}

fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}

/// The least time from one instance to the next, by role.
#[derive(Clone, Copy, Debug)]
pub(super) struct Intervals {
    pub(super) bastion: Duration,
    pub(super) master: Duration,
    pub(super) node: Duration,
}

impl ReplacingArgs {
    pub(super) fn options(&self, intervals: Intervals, choice: Choice) -> Options {
        Options {
            cloud_only: self.cloudonly,
            bastion_interval: seconds(intervals.bastion),
            master_interval: seconds(intervals.master),
            node_interval: seconds(intervals.node),
            post_drain_delay: seconds(self.post_drain_delay),
            drain_timeout: seconds(self.drain_timeout),
            fail_on_drain_error: self.fail_on_drain_error,
            fail_on_validate_error: self.fail_on_validate_error,
            validation_timeout: seconds(self.validation_timeout),
            validate_count: self.validate_count,
            interactive: false,
            max_parallel_groups: 1,
            choice,
            groups: BTreeSet::new(),
        }
    }
}

/// Carries an update out, and tells how it goes on stderr.
pub(super) async fn replace(
    ui: &Ui,
    observer: &mut Observer,
    world: World,
    options: Options,
    writer: Writer<'_>,
) -> anyhow::Result<Run> {
    let missing = observer.missing_rights(&world, &options.groups).await?;
    warn_of_rights(ui, &missing);
    let needed: Vec<String> =
        missing.iter().filter(|right| right.is_needed).map(ToString::to_string).collect();
    if !needed.is_empty() {
        bail!(
            "the Kubernetes API does not let you {}; nothing was changed. The rights that an \
             update needs are in docs/rolling-update.md",
            needed.join(", ")
        );
    }
    let baseline = rolling::baseline(world.kubernetes.failures());
    if !baseline.is_empty() {
        ui.status(&baseline);
    }
    let stopped = writer.begin(ui).await?;
    let told = Told::new(ui);
    let run = engine::roll(observer, world, options, stopped, &told).await;
    told.clear();
    if ui.verbose {
        ui.status(&format!("AWS: {} calls in all", observer.aws.calls()));
    }
    run
}

/// Tells of marks of an earlier update; with --yes they are taken back.
pub(super) fn warn_of_marks(ui: &Ui, world: &World) {
    let strays = marks::strays(world);
    for stray in &strays {
        ui.warn(&rolling::stray(stray));
    }
    if !strays.is_empty() {
        ui.status("With --yes a rolling update takes them back, whatever its groups");
    }
}

/// Tells of nodes that may be any machine, and are taken to be none of the cluster's instances.
pub(super) fn warn_of_nameless(ui: &Ui, world: &World) {
    for node in world.nameless() {
        ui.warn(&format!(
            "node {} has no spec.providerID; it is taken to be none of the cluster's instances",
            node.name
        ));
    }
}

/// Tells which rights in Kubernetes an update would lack.
pub(super) fn warn_of_rights(ui: &Ui, missing: &[Right]) {
    for right in missing {
        let lack = match right.is_needed {
            true => "an update could not do without",
            false => "nodes of instances that were ended stay until the cloud provider takes them",
        };
        ui.warn(&format!("you may not {right} in Kubernetes: {lack}"));
    }
}

/// Success, or what stopped each group as one error.
pub(super) fn finish(run: &Run) -> anyhow::Result<Done> {
    let stopped = run.lanes.iter().filter_map(|lane| match &lane.state {
        LaneState::Stopped(reason) => Some(format!("{}: {reason}", lane.group)),
        LaneState::Skipped => Some(format!("{}: not begun", lane.group)),
        _ => None,
    });
    let left = run.leftovers.iter().map(|left| format!("{}: {}", left.group, left.told()));
    let stopped: Vec<String> = stopped.chain(left).collect();
    match stopped.is_empty() {
        true => Ok(Done::Yes),
        false => bail!("{}", stopped.join("\n")),
    }
}

/// Tells steps as lines with their time; on a terminal also a line a group that stays.
struct Told<'a> {
    ui: &'a Ui,
    lines: Option<Lines>,
    last: Cell<Time>,
}

struct Lines {
    all: MultiProgress,
    of_groups: RefCell<BTreeMap<String, ProgressBar>>,
}

impl<'a> Told<'a> {
    fn new(ui: &'a Ui) -> Self {
        let lines = std::io::stderr()
            .is_terminal()
            .then(|| Lines { all: MultiProgress::new(), of_groups: RefCell::new(BTreeMap::new()) });
        Self { ui, lines, last: Cell::new(0) }
    }

    fn line(&self, text: &str) {
        match &self.lines {
            Some(lines) => lines.all.suspend(|| self.ui.status(text)),
            None => self.ui.status(text),
        }
    }

    fn clear(&self) {
        if let Some(lines) = &self.lines {
            #[expect(
                clippy::let_underscore_must_use,
                reason = "a line that stays on the screen harms no one"
            )]
            let _ = lines.all.clear();
        }
    }
}

impl Teller for Told<'_> {
    fn event(&self, now: Time, event: &Event) {
        self.line(&format!("{} {}", of_day(now), rolling::event(event)));
    }

    fn progress(&self, now: Time, run: &Run) {
        let running = run.lanes.iter().filter(|lane| lane.state == LaneState::Running);
        let Some(lines) = &self.lines else {
            if now - self.last.get() >= PLAIN_EVERY {
                self.last.set(now);
                for lane in running {
                    self.line(&format!("{} {}", of_day(now), rolling::progress(run, lane, now)));
                }
            }
            return;
        };
        let mut bars = lines.of_groups.borrow_mut();
        for lane in running {
            let bar = bars.entry(lane.group.clone()).or_insert_with(|| {
                let bar = lines.all.add(ProgressBar::new_spinner());
                if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}") {
                    bar.set_style(style);
                }
                bar.enable_steady_tick(Duration::from_millis(200));
                bar
            });
            bar.set_message(rolling::progress(run, lane, now));
        }
        bars.retain(|group, bar| {
            let runs = run.lane(group).is_some_and(|lane| lane.state == LaneState::Running);
            if !runs {
                bar.finish_and_clear();
            }
            runs
        });
    }

    async fn goes_on(&self, replaced: &[String]) -> Answer {
        self.clear();
        self.ui.status(&format!("{} replaced. Go on? [Y]es, [n]o, [a]lways", replaced.join(", ")));
        let line = tokio::task::spawn_blocking(|| {
            let mut line = String::new();
            // Where nobody can answer, nothing more is done.
            match std::io::stdin().read_line(&mut line) {
                Ok(read) if read > 0 => line.trim().to_lowercase(),
                _ => "n".to_owned(),
            }
        });
        match line.await.as_deref() {
            Ok("" | "y" | "yes") => Answer::Yes,
            Ok("a" | "always" | "alwaysyes") => Answer::Always,
            _ => Answer::No,
        }
    }
}
