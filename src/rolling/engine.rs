//! The loop of an update: look, decide, do, wait.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::Context as _;
use futures::stream::{self, StreamExt as _};
use tokio::sync::watch;

use super::Options;
use super::decide::{decide, stop_all, stop_forbidden};
use super::decision::{Action, Decision, Deed, Event, Refused, Sort};
use super::deeds::{BOUND, Done, in_order, reason_of};
use super::leftovers::leftovers;
use super::observer::Observer;
use super::run::{LaneState, Run};
use super::world::World;
use crate::aws::Fault;
use crate::core::time::Time;

/// Between two looks; what `kubectl drain` waits before it asks a pod again.
const TICK: Duration = Duration::from_secs(5);
/// Why everything ends when the user, or who runs the update, wants it to.
const STOPPED: &str = "this run was stopped";
/// The same error is told again after so long, in seconds.
const TELL_AGAIN: Time = 60;

/// Who is told, and asked.
pub(crate) trait Teller {
    fn event(&self, now: Time, event: &Event);
    /// Called after each step.
    fn progress(&self, now: Time, run: &Run);
    /// Whether to go on, now that these instances are replaced.
    fn goes_on(&self, replaced: &[String]) -> impl Future<Output = Answer>;
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Answer {
    Yes,
    Always,
    No,
}

/// Carries an update out, from its first look to its end. What came of each group is in the
/// memory that it returns.
pub(crate) async fn roll(
    observer: &mut Observer,
    world: World,
    options: Options,
    stop: watch::Receiver<bool>,
    teller: &impl Teller,
) -> anyhow::Result<Run> {
    let run = Run::new(options, &world);
    let told = BTreeMap::new();
    Roll { observer, run, world, stop, teller, told, fatal: None }.run().await
}

/// An update under way.
struct Roll<'a, T> {
    observer: &'a mut Observer,
    run: Run,
    /// What the last look found.
    world: World,
    stop: watch::Receiver<bool>,
    teller: &'a T,
    /// What went wrong, and when it was told, so that it is told once a minute and not at every
    /// look.
    told: BTreeMap<String, Time>,
    /// Why nothing more will work.
    fatal: Option<String>,
}

impl<T: Teller> Roll<'_, T> {
    async fn run(mut self) -> anyhow::Result<Run> {
        for text in self.world.clocks() {
            self.tell(text);
        }
        loop {
            if *self.stop.borrow() && !self.run.is_stopping {
                self.halt(STOPPED).await;
            }
            let decision = decide(&mut self.run, &self.world);
            let replaced = decision.replaced.clone();
            self.carry_out(decision).await;
            let decision = stop_forbidden(&mut self.run, &self.world);
            self.carry_out(decision).await;
            if let Some(reason) = self.fatal.take() {
                self.halt(&reason).await;
            }
            if self.run.options.interactive && !replaced.is_empty() && self.run.has_more() {
                match self.teller.goes_on(&replaced).await {
                    Answer::Yes => {}
                    Answer::Always => self.run.options.interactive = false,
                    Answer::No => self.halt("you chose to stop").await,
                }
            }
            self.teller.progress(self.world.now, &self.run);
            if self.run.is_over() {
                self.last_look().await;
                return Ok(self.run);
            }
            self.next_look().await?;
        }
    }

    /// Waits for a tick and looks again. Where AWS does not answer the look before stays once
    /// that has gone on for too long, with everything stopped.
    async fn next_look(&mut self) -> anyhow::Result<()> {
        let mut lost: Option<Time> = None;
        loop {
            let now = tokio::select! {
                now = self.observer.clock.sleep(TICK) => now.context("the time cannot be told")?,
                _ = self.stop.changed() => self.observer.clock.now().await?,
            };
            let error = match self.observer.look(now).await {
                Ok(world) => {
                    self.world = world;
                    return Ok(());
                }
                Err(error) => error,
            };
            if *self.stop.borrow() {
                self.halt(STOPPED).await;
                return Ok(());
            }
            let waited = now - *lost.get_or_insert(now);
            self.tell(format!("AWS cannot be looked at: {error}; trying again"));
            let is_final = matches!(error.fault, Fault::Credentials | Fault::Denied);
            if is_final || waited >= self.run.options.validation_timeout {
                self.halt(&reason_of(&error, waited)).await;
                return Ok(());
            }
        }
    }

    /// Ends everything, and lets go of what is in hand.
    async fn halt(&mut self, reason: &str) {
        self.run.is_stopping = true;
        let decision = stop_all(&mut self.run, &self.world, reason);
        self.carry_out(decision).await;
    }

    /// Looks once more where something may not be as it was, and tells what is not.
    async fn last_look(&mut self) {
        let is_stopped = |state: &LaneState| matches!(state, LaneState::Stopped(_));
        let has_stopped = self.run.lanes.iter().any(|lane| is_stopped(&lane.state));
        if !has_stopped && self.run.marked.is_empty() {
            return;
        }
        match self.observer.look(self.world.now).await {
            Ok(world) => {
                self.run.note_marks(&world);
                self.world = world;
            }
            Err(error) => self.tell(format!("what is left cannot be looked at: {error}")),
        }
        self.run.leftovers = leftovers(&self.run, &self.world);
        for left in &self.run.leftovers {
            let event = Event {
                group: Some(left.group.clone()),
                text: left.told(),
                is_warning: !left.mend.is_empty(),
            };
            self.teller.event(self.world.now, &event);
        }
    }

    /// Does what was decided: first what marks nodes, then the rest. What marks a node and fails
    /// keeps the rest from it.
    async fn carry_out(&mut self, decision: Decision) {
        for event in &decision.events {
            self.teller.event(self.world.now, event);
        }
        let (first, rest): (Vec<Action>, Vec<Action>) =
            decision.actions.into_iter().partition(Action::is_mark);
        let open = self.perform(first).await;
        let (dropped, rest): (Vec<Action>, Vec<Action>) = rest
            .into_iter()
            .partition(|one| open.contains(&one.on) || self.run.is_forbidden(&one.group));
        for action in dropped {
            self.run.undo(&action);
        }
        self.perform(rest).await;
    }

    /// Does things to many nodes at once, and to each in order. Returns the nodes that could not
    /// be cordoned.
    async fn perform(&mut self, actions: Vec<Action>) -> BTreeSet<String> {
        let mut chains: BTreeMap<String, Vec<Action>> = BTreeMap::new();
        for action in actions {
            chains.entry(action.on.clone()).or_default().push(action);
        }
        let observer = &*self.observer;
        let chains = chains.into_values().map(|chain| in_order(observer, chain));
        let answers: Vec<Vec<Done>> = stream::iter(chains).buffered(BOUND).collect().await;
        let mut open = BTreeSet::new();
        for (action, answer) in answers.into_iter().flatten() {
            self.take_answer(&action, &answer);
            if answer.is_err() && matches!(action.deed, Deed::Cordon { .. }) {
                open.insert(action.on);
            }
        }
        open
    }

    fn take_answer(&mut self, action: &Action, answer: &Result<(), Refused>) {
        self.run.take_answer(action, answer);
        match answer {
            Ok(()) => {
                let Some(text) = action.done.clone() else { return };
                let event = Event { group: Some(action.group.clone()), text, is_warning: false };
                self.teller.event(self.world.now, &event);
            }
            // The drain tells of budgets.
            Err(refused) if refused.sort == Sort::Budget => {}
            Err(refused) => {
                self.tell(match &action.undone {
                    Some(undone) => format!("{}: {undone}: {}", action.group, refused.text),
                    None => format!("{}: {}", action.group, refused.text),
                });
                if refused.sort == Sort::Fatal {
                    self.fatal.get_or_insert_with(|| refused.text.clone());
                }
            }
        }
    }

    fn tell(&mut self, text: String) {
        let now = self.world.now;
        if self.told.get(&text).is_none_or(|at| now - at >= TELL_AGAIN) {
            let event = Event { group: None, text: text.clone(), is_warning: true };
            self.teller.event(now, &event);
            self.told.insert(text, now);
        }
    }
}
