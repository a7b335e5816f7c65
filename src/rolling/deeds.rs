//! Doing what was decided, and sorting what comes of it.

use std::time::Duration;

use futures::stream::{self, StreamExt as _};

use super::clock::span;
use super::decision::{Action, Deed, Refused, Sort};
use super::observer::Observer;
use super::world::Place;
use crate::autoscaling::fleet;
use crate::aws::{AwsError, Fault};
use crate::kubernetes::error::{Fault as KubernetesFault, KubernetesError};

/// How much is done at once.
pub(super) const BOUND: usize = 16;
/// How often a node is let go at the most, where it fails in a way that passes, and what is
/// waited in between.
const RELEASES: usize = 3;
const MOMENT: Duration = Duration::from_secs(5);

pub(super) fn reason_of(error: &AwsError, waited: i64) -> String {
    match error.fault {
        Fault::Credentials => format!(
            "AWS does not take the credentials any more ({error}); log in and run this again, \
             and it goes on where it stands"
        ),
        Fault::Denied => error.to_string(),
        _ => format!("AWS has not answered for {}: {error}", span(waited)),
    }
}

pub(super) type Done = (Action, Result<(), Refused>);

/// Does things to one node, each once the one before is done; what follows one that failed is
/// not done. Only evictions do not wait for each other.
pub(super) async fn in_order(observer: &Observer, chain: Vec<Action>) -> Vec<Done> {
    let (evictions, others): (Vec<Action>, Vec<Action>) =
        chain.into_iter().partition(|action| matches!(action.deed, Deed::Evict { .. }));
    let mut done = Vec::new();
    for action in others {
        let answer = act(observer, &action).await;
        let has_failed = answer.is_err();
        done.push((action, answer));
        if has_failed {
            return done;
        }
    }
    let evictions = evictions.into_iter().map(|action| async move {
        let answer = act(observer, &action).await;
        (action, answer)
    });
    done.extend(stream::iter(evictions).buffered(BOUND).collect::<Vec<_>>().await);
    done
}

async fn act(observer: &Observer, action: &Action) -> Result<(), Refused> {
    let aws = &observer.aws;
    let answer = match &action.deed {
        Deed::Detach { fleet_group, instance } => fleet::detach(aws, fleet_group, instance).await,
        Deed::Terminate { instance, place: Place::Detached } => {
            fleet::terminate(aws, instance).await
        }
        Deed::Terminate { instance, .. } => fleet::terminate_member(aws, instance).await,
        Deed::Release { .. } => return release(observer, action).await,
        _ => return ask(observer, action).await,
    };
    answer.map_err(|error| match error.fault {
        Fault::Credentials | Fault::Denied => {
            Refused { text: reason_of(&error, 0), sort: Sort::Fatal }
        }
        _ => Refused { text: error.to_string(), sort: Sort::ForNow },
    })
}

/// Lets a node go. What fails and passes is tried again: a node that stays cordoned serves
/// nobody.
async fn release(observer: &Observer, action: &Action) -> Result<(), Refused> {
    let mut tries = 1;
    loop {
        match ask(observer, action).await {
            Err(refused) if refused.sort.passes() && tries < RELEASES => {
                tries += 1;
                // Without a clock there is nothing to wait by.
                if observer.clock.sleep(MOMENT).await.is_err() {
                    return Err(refused);
                }
            }
            answer => return answer,
        }
    }
}

async fn ask(observer: &Observer, action: &Action) -> Result<(), Refused> {
    let Some(kubernetes) = &observer.kubernetes else { return Ok(()) };
    let answer = match &action.deed {
        Deed::Taint { node } => kubernetes.taint(node).await,
        Deed::Cordon { node, .. } => kubernetes.cordon(node).await,
        Deed::Release { node } => kubernetes.release(node).await,
        Deed::Evict { pod, .. } => kubernetes.evict(pod).await.map(drop),
        Deed::Forget { node } => kubernetes.delete_node(node).await,
        Deed::Detach { .. } | Deed::Terminate { .. } => Ok(()),
    };
    answer.map_err(|error| Refused { text: error.to_string(), sort: sort_of(&error) })
}

fn sort_of(error: &KubernetesError) -> Sort {
    match error.fault {
        KubernetesFault::Budget => Sort::Budget,
        // The next look asks for the credentials again, and decides.
        KubernetesFault::Unauthenticated => Sort::ForNow,
        KubernetesFault::Forbidden => Sort::Forbidden,
        KubernetesFault::Budgets => Sort::Budgets,
        KubernetesFault::Refused => Sort::ForGood,
        _ => Sort::ForNow,
    }
}
