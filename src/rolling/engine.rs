//! The loop of an update: look, decide, do, wait.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context as _, bail};
use futures::future::join;
use futures::stream::{self, StreamExt as _};
use tokio::sync::watch;

use super::Options;
use super::clock::{Clock, span};
use super::decide::{Action, Decision, Event, decide, stop_all};
use super::need::Versions;
use super::run::Run;
use super::world::{Place, Sight, World, assemble};
use crate::aws::{Aws, AwsError, Fault};
use crate::kubernetes::Look;
use crate::kubernetes::client::Kubernetes;
use crate::kubernetes::error::Fault as KubernetesFault;
use crate::resource::fleet::{self, Time};
use crate::resource::launch_template;
use crate::resource::whose::Owner;
use crate::spec::cluster::Cluster;
use crate::spec::instance_group::InstanceGroup;

/// Between two looks; what `kubectl drain` waits before it asks a pod again.
const TICK: Duration = Duration::from_secs(5);
/// Why everything ends when the user, or who runs the update, wants it to.
const STOPPED: &str = "this run was stopped";
/// How much is done at once.
const BOUND: usize = 16;

/// Who looks: at which cluster, through what.
pub(crate) struct Observer {
    pub(crate) aws: Aws,
    /// `None` with `--cloudonly`.
    pub(crate) kubernetes: Option<Kubernetes>,
    pub(crate) cluster: Cluster,
    pub(crate) groups: Vec<InstanceGroup>,
    /// Whose instances are looked at.
    owner: Owner,
    pub(crate) clock: Clock,
    versions: Versions,
}

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

impl Observer {
    pub(crate) fn new(
        aws: Aws,
        kubernetes: Option<Kubernetes>,
        cluster: Cluster,
        groups: Vec<InstanceGroup>,
        owner: Owner,
    ) -> Self {
        let clock = Clock::from_environment();
        Self { aws, kubernetes, cluster, groups, owner, clock, versions: Versions::default() }
    }

    /// Reads AWS and Kubernetes at once. That Kubernetes does not answer is part of the look.
    pub(crate) async fn look(&mut self, now: Time) -> Result<World, AwsError> {
        let of_kubernetes = async {
            match &self.kubernetes {
                Some(kubernetes) => Some(kubernetes.look().await.map_err(|e| e.to_string())),
                None => None,
            }
        };
        let of_aws = fleet::observe(&self.aws, &self.owner);
        let (fleet, kubernetes) = join(of_aws, of_kubernetes).await;
        let fleet = fleet?;
        let unknown = self.versions.unknown(&fleet);
        if !unknown.is_empty() {
            let found = launch_template::observe_versions(&self.aws, &unknown).await?;
            self.versions.learn(&unknown, found);
        }
        Ok(assemble(&self.cluster, &self.groups, &fleet, &self.versions, kubernetes, now))
    }

    /// The first look, which must find Kubernetes, and the instances in it: one that is taken
    /// to be no node would be terminated with all its pods.
    pub(crate) async fn first_look(&mut self) -> anyhow::Result<World> {
        let now = self.clock.now().await?;
        let world = self.look(now).await?;
        if let (Sight::Lost(error), Some(kubernetes)) = (&world.kubernetes, &self.kubernetes) {
            bail!(
                "the Kubernetes API at {} cannot be used: {error}\nWith --cloudonly instances \
                 are replaced without it: their pods are not asked to leave, and nothing is \
                 validated",
                kubernetes.address
            );
        }
        if let (Sight::Seen { look, .. }, Some(kubernetes)) = (&world.kubernetes, &self.kubernetes)
        {
            check_nodes(&world, look, &kubernetes.address)?;
        }
        Ok(world)
    }
}

fn check_nodes(world: &World, look: &Look, address: &str) -> anyhow::Result<()> {
    let joining = world.groups.iter().filter(|group| group.is_in_kubernetes());
    let members: Vec<_> = joining.flat_map(|group| group.live()).collect();
    let loose = members.iter().filter(|member| member.node.is_none()).count();
    if loose == 0 {
        return Ok(());
    }
    if let Some(node) = look.nodes.iter().find(|node| !node.has_provider) {
        bail!(
            "node {} has no spec.providerID, so that it cannot be told which instance it is, and \
             {loose} instances seem to be no nodes; let the cloud provider set it, or use \
             --cloudonly",
            node.name
        );
    }
    if loose == members.len() {
        bail!(
            "none of the {loose} instances is a node of the cluster at {address}; is that another \
             cluster's kubeconfig? Where no node ever joined, use --cloudonly"
        );
    }
    Ok(())
}

/// Carries an update out, from its first look to its end. What came of each group is in the
/// memory that it returns.
pub(crate) async fn roll(
    observer: &mut Observer,
    mut world: World,
    options: Options,
    mut stop: watch::Receiver<bool>,
    teller: &impl Teller,
) -> anyhow::Result<Run> {
    let mut run = Run::new(options, &world);
    let mut errors = Errors::default();
    loop {
        if *stop.borrow() && !run.is_stopping {
            halt(observer, &mut run, &world, STOPPED, teller, &mut errors).await;
        }
        let decision = decide(&mut run, &world);
        carry_out(observer, &mut run, &world, &decision, teller, &mut errors).await;
        if let Some(reason) = errors.fatal.take() {
            halt(observer, &mut run, &world, &reason, teller, &mut errors).await;
        }
        if run.options.interactive && !decision.replaced.is_empty() && run.has_more() {
            match teller.goes_on(&decision.replaced).await {
                Answer::Yes => {}
                Answer::Always => run.options.interactive = false,
                Answer::No => {
                    halt(observer, &mut run, &world, "you chose to stop", teller, &mut errors)
                        .await;
                }
            }
        }
        teller.progress(world.now, &run);
        if run.is_over() {
            return Ok(run);
        }
        world = next_look(observer, &mut run, world, &mut stop, teller, &mut errors).await?;
    }
}

/// Waits for a tick and looks again. Where AWS does not answer the look before is returned once
/// that has gone on for too long, with everything stopped.
async fn next_look(
    observer: &mut Observer,
    run: &mut Run,
    world: World,
    stop: &mut watch::Receiver<bool>,
    teller: &impl Teller,
    errors: &mut Errors,
) -> anyhow::Result<World> {
    let mut lost: Option<Time> = None;
    loop {
        let now = tokio::select! {
            now = observer.clock.sleep(TICK) => now.context("the time cannot be told")?,
            _ = stop.changed() => observer.clock.now().await?,
        };
        let error = match observer.look(now).await {
            Ok(world) => return Ok(world),
            Err(error) => error,
        };
        if *stop.borrow() {
            halt(observer, run, &world, STOPPED, teller, errors).await;
            return Ok(world);
        }
        let since = *lost.get_or_insert(now);
        errors.tell(&format!("AWS cannot be looked at: {error}; trying again"), now, teller);
        let is_final = matches!(error.fault, Fault::Credentials | Fault::Denied);
        if is_final || now - since >= run.options.validation_timeout {
            let reason = reason_of(&error, now - since);
            halt(observer, run, &world, &reason, teller, errors).await;
            return Ok(world);
        }
    }
}

fn reason_of(error: &AwsError, waited: i64) -> String {
    match error.fault {
        Fault::Credentials => format!(
            "AWS does not take the credentials any more ({error}); log in and run this again, \
             and it goes on where it stands"
        ),
        Fault::Denied => error.to_string(),
        _ => format!("AWS has not answered for {}: {error}", span(waited)),
    }
}

/// Ends everything, and lets go of what is in hand.
async fn halt(
    observer: &Observer,
    run: &mut Run,
    world: &World,
    reason: &str,
    teller: &impl Teller,
    errors: &mut Errors,
) {
    run.is_stopping = true;
    let mut decision = Decision::default();
    stop_all(run, world, reason, &mut decision);
    carry_out(observer, run, world, &decision, teller, errors).await;
}

/// Does what was decided: first what keeps pods off nodes, then the rest.
async fn carry_out(
    observer: &Observer,
    run: &mut Run,
    world: &World,
    decision: &Decision,
    teller: &impl Teller,
    errors: &mut Errors,
) {
    for event in &decision.events {
        teller.event(world.now, event);
    }
    let is_first = |action: &&Action| {
        matches!(action, Action::Taint { .. } | Action::Cordon { .. } | Action::Release { .. })
    };
    let mut open = BTreeSet::new();
    let marks = decision.actions.iter().filter(is_first);
    for (action, result) in all(observer, marks).await {
        if let Err(failed) = result {
            errors.tell(&failed.text, world.now, teller);
            if let Action::Cordon { instance, .. } = action {
                open.insert(instance.as_str());
            }
        }
    }
    let is_held = |action: &&Action| matches!(action, Action::Evict { instance, .. } if open.contains(instance.as_str()));
    let rest = decision.actions.iter().filter(|a| !is_first(a) && !is_held(a));
    for (action, result) in all(observer, rest).await {
        let Err(failed) = result else { continue };
        match action {
            Action::Evict { .. } => {
                if !failed.is_held_back {
                    errors.tell(&failed.text, world.now, teller);
                }
            }
            Action::Detach { instance, .. } | Action::Terminate { instance, .. } => {
                errors.tell(&failed.text, world.now, teller);
                let was_detach = matches!(action, Action::Detach { .. });
                run.note_failure(instance, was_detach, &failed.text);
                errors.fatal = errors.fatal.take().or(failed.fatal);
            }
            Action::Taint { .. } | Action::Cordon { .. } | Action::Release { .. } => {}
        }
    }
}

async fn all<'a>(
    observer: &Observer,
    actions: impl Iterator<Item = &'a Action>,
) -> Vec<(&'a Action, Result<(), Failed>)> {
    let done = actions.map(|action| async move { (action, act(observer, action).await) });
    stream::iter(done).buffer_unordered(BOUND).collect().await
}

/// Why something could not be done.
struct Failed {
    text: String,
    /// A budget stands in the way, which the drain tells of.
    is_held_back: bool,
    /// Why nothing else will work either.
    fatal: Option<String>,
}

async fn act(observer: &Observer, action: &Action) -> Result<(), Failed> {
    let of_aws = |error: AwsError| Failed {
        text: error.to_string(),
        is_held_back: false,
        fatal: matches!(error.fault, Fault::Credentials | Fault::Denied)
            .then(|| reason_of(&error, 0)),
    };
    match action {
        Action::Detach { group, instance } => {
            return fleet::detach(&observer.aws, group, instance).await.map_err(of_aws);
        }
        Action::Terminate { instance, place: Place::Detached } => {
            return fleet::terminate(&observer.aws, instance).await.map_err(of_aws);
        }
        Action::Terminate { instance, .. } => {
            return fleet::terminate_member(&observer.aws, instance).await.map_err(of_aws);
        }
        Action::Taint { .. }
        | Action::Cordon { .. }
        | Action::Release { .. }
        | Action::Evict { .. } => {}
    }
    let Some(kubernetes) = &observer.kubernetes else { return Ok(()) };
    let answer = match action {
        Action::Taint { node } => kubernetes.taint(node).await,
        Action::Cordon { node, .. } => kubernetes.cordon(node).await,
        Action::Release { node } => kubernetes.release(node).await,
        Action::Evict { namespace, pod, .. } => kubernetes.evict(namespace, pod).await,
        Action::Detach { .. } | Action::Terminate { .. } => Ok(()),
    };
    answer.map_err(|error| Failed {
        text: error.to_string(),
        is_held_back: error.fault == KubernetesFault::TooMany,
        fatal: None,
    })
}

/// What went wrong, so that each is told once a minute and not at every look.
#[derive(Default)]
struct Errors {
    told: std::collections::BTreeMap<String, Time>,
    fatal: Option<String>,
}

impl Errors {
    fn tell(&mut self, text: &str, now: Time, teller: &impl Teller) {
        if self.told.get(text).is_some_and(|at| now - at < 60) {
            return;
        }
        self.told.insert(text.to_owned(), now);
        teller.event(now, &Event { group: None, text: text.to_owned(), is_warning: true });
    }
}
