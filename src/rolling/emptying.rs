//! The pods that must leave a node: which they are, what the API said of each, and what holds
//! those that stay.

use std::collections::{BTreeMap, BTreeSet};

use super::clock::{of_day, span};
use super::decision::{Refused, Sort};
use crate::core::time::Time;
use crate::kubernetes::node::Node;
use crate::kubernetes::pod::{Ending, EndingTime, Pod};
use crate::kubernetes::{Look, drain};

/// How long after its time a pod of a node that is not ready is waited for, in seconds.
const PATIENCE: i64 = 30;
/// After so long without a word of its kubelet a node is taken to run nothing any more, in
/// seconds: the 50 after which the controllers call it unreachable, and 30 more.
pub(super) const DEAD: i64 = 80;
/// After so many looks what does not pass is taken not to.
const LOOKS: u32 = 2;
/// How many pods a line names.
const TOLD: usize = 3;

/// How often in a row something was refused, and how at last.
#[derive(Clone, Debug)]
pub(super) struct Refusals {
    pub(super) last: Refused,
    times: u32,
}

impl Refusals {
    pub(super) fn after(before: Option<Self>, last: Refused) -> Self {
        Self { last, times: before.map_or(1, |before| before.times + 1) }
    }

    /// Whether it is of no use to ask again.
    pub(super) fn are_final(&self) -> bool {
        !self.last.sort.passes() && self.times >= LOOKS
    }
}

/// A node that is being emptied, at one look.
pub(super) struct Site<'a> {
    pub(super) look: &'a Look,
    pub(super) node: &'a Node,
    /// By this machine's clock.
    pub(super) now: Time,
    /// For how long it has not been ready.
    pub(super) down_for: Option<Time>,
}

/// The pods that must leave. They are those that are there when the drain begins, by uid: one
/// that comes after the cordon tolerates it, and would come again for ever.
#[derive(Clone, Debug, Default)]
pub(super) struct Leaving {
    pods: BTreeMap<String, Asked>,
    has_begun: bool,
    is_fixed: bool,
    /// Those of which it was told that they are not waited for.
    told: BTreeSet<String>,
}

#[derive(Clone, Debug, Default)]
struct Asked {
    /// Since when it is seen to end.
    ending: Option<Time>,
    refused: Option<Refusals>,
}

/// What a look at a node found.
pub(super) struct Left<'a> {
    /// What is waited for.
    pub(super) pods: Vec<&'a Pod>,
    /// What is not waited for, and why; each is told once.
    pub(super) news: Vec<String>,
}

impl Leaving {
    pub(super) fn take_in<'a>(&mut self, site: &Site<'a>) -> Left<'a> {
        let present = drain::leaving(site.look, site.node);
        let mut left = Left { pods: Vec::new(), news: Vec::new() };
        for pod in present {
            let slipped_in = !site.node.is_cordoned || !pod.tolerates_cordons();
            if !self.has_begun || (!self.is_fixed && slipped_in) {
                self.pods.entry(pod.uid.clone()).or_default();
            }
            let reason = match self.pods.get_mut(&pod.uid) {
                None => Some(came_back(pod)),
                Some(asked) => {
                    asked.ending = pod.gone_by.map(|_| asked.ending.unwrap_or(site.now));
                    asked.is_given_up(pod, site)
                }
            };
            match reason {
                None => left.pods.push(pod),
                Some(reason) if self.told.insert(pod.uid.clone()) => {
                    left.news.push(format!("pod {} {reason}", pod.full_name()));
                }
                Some(_) => {}
            }
        }
        self.has_begun = true;
        self.is_fixed |= site.node.is_cordoned;
        left
    }

    /// Takes in what the API answered when a pod was asked to leave.
    pub(super) fn answer(&mut self, uid: &str, answer: Result<(), Refused>) {
        let Some(asked) = self.pods.get_mut(uid) else { return };
        asked.refused = match answer {
            Ok(()) => None,
            Err(refused) => Some(Refusals::after(asked.refused.take(), refused)),
        };
    }

    /// Whether it is of no use to ask this pod again.
    pub(super) fn never_leaves(&self, pod: &Pod) -> bool {
        let asked = self.pods.get(&pod.uid);
        let refused = asked.and_then(|asked| asked.refused.as_ref());
        pod.gone_by.is_none() && refused.is_some_and(Refusals::are_final)
    }

    /// What is still there, and what holds it; first what will never leave.
    pub(super) fn why(&self, left: &[&Pod], site: &Site<'_>) -> String {
        let mut left = left.to_vec();
        left.sort_by_key(|pod| !self.never_leaves(pod));
        let told = |pod: &&Pod| format!("pod {} {}", pod.full_name(), self.holds(pod, site));
        let first: Vec<String> = left.iter().take(TOLD).map(told).collect();
        match left.len().saturating_sub(TOLD) {
            0 => first.join("; "),
            more => format!("{}; and {more} more", first.join("; ")),
        }
    }

    fn holds(&self, pod: &Pod, site: &Site<'_>) -> String {
        let asked = self.pods.get(&pod.uid).cloned().unwrap_or_default();
        if let Some(ending) = pod.ending(asked.server_time(pod, site)) {
            return format!("is still ending: {}", held_by(&ending));
        }
        let full = site.look.budgets_of(pod).find(|budget| budget.allowed <= 0);
        match (asked.refused, full) {
            (Some(refused), _) if refused.last.sort != Sort::Budget => {
                format!("is not let go: {}", refused.last.text)
            }
            (_, Some(budget)) => format!(
                "is held by budget {}/{}, which allows {} disruptions now ({} healthy, {} needed)",
                budget.namespace, budget.name, budget.allowed, budget.healthy, budget.needed
            ),
            (Some(refused), None) => format!("is not let go: {}", refused.last.text),
            (None, None) => "has not left".to_owned(),
        }
    }
}

impl Asked {
    /// Why a pod of a node that is not ready is not waited for: nobody there would end it.
    fn is_given_up(&self, pod: &Pod, site: &Site<'_>) -> Option<String> {
        let down_for = site.down_for?;
        if let Some(ending) = pod.ending(self.server_time(pod, site)) {
            let is_over = matches!(ending.time, EndingTime::Over(ago) if ago >= PATIENCE);
            let reason = "is given up: its time is over, and its node is not ready";
            return is_over.then(|| reason.to_owned());
        }
        let refused = &self.refused.as_ref()?.last;
        let is_held = matches!(refused.sort, Sort::Budget | Sort::Budgets);
        (is_held && down_for >= DEAD).then(|| {
            format!(
                "is given up: its node has not been ready for {}, so that it does no work there, \
                 and its budget is not waited for",
                span(down_for)
            )
        })
    }

    /// The time of the API's server. Where it does not tell it, the pod is taken to have been
    /// told to end when it was first seen to.
    fn server_time(&self, pod: &Pod, site: &Site<'_>) -> Time {
        let told_at = pod.gone_by.unwrap_or_default() - pod.grace;
        let seen_for = self.ending.map_or(0, |since| site.now - since);
        site.look.time.unwrap_or(told_at + seen_for)
    }
}

fn held_by(ending: &Ending<'_>) -> String {
    let finalizers = ending.finalizers.join(", ");
    match ending.time {
        EndingTime::Left { grace, until } => {
            let time = format!("its grace period of {grace} s ends at {}", of_day(until));
            match finalizers.is_empty() {
                true => time,
                false => format!("{time}; finalizer {finalizers}"),
            }
        }
        EndingTime::Over(_) if !finalizers.is_empty() => format!("finalizer {finalizers}"),
        EndingTime::Over(ago) => {
            format!("its time was over {} ago, and its kubelet has not ended it", span(ago))
        }
    }
}

fn came_back(pod: &Pod) -> String {
    let what = if pod.tolerates_everything() { "every taint" } else { "its cordon" };
    format!("came back to the cordoned node: it tolerates {what}, and is not waited for")
}
