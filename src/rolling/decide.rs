//! What may be done now. Pure: a look and the memory go in, actions come out.

use super::lane;
use super::run::{Hand, LaneState, Run, Stage};
use super::world::{Group, Member, Place, Sight, World};
use crate::rolling::clock::span;
use crate::spec::instance_group::Role;

/// One thing to do. All of a look are done at once.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Action {
    /// Keep new pods off a node where they can go elsewhere.
    Taint {
        node: String,
    },
    Cordon {
        instance: String,
        node: String,
    },
    /// Take back cordon and taint.
    Release {
        node: String,
    },
    Evict {
        instance: String,
        namespace: String,
        pod: String,
    },
    Detach {
        group: String,
        instance: String,
    },
    Terminate {
        instance: String,
        place: Place,
    },
}

/// Something worth telling.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Event {
    /// The group that it is about; none for the whole update.
    pub(crate) group: Option<String>,
    pub(crate) text: String,
    pub(crate) is_warning: bool,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Decision {
    pub(crate) actions: Vec<Action>,
    pub(crate) events: Vec<Event>,
    /// Instances that were replaced since the last look.
    pub(crate) replaced: Vec<String>,
}

impl Decision {
    pub(super) fn tell(&mut self, group: &str, text: impl Into<String>) {
        self.event(Some(group), text.into(), false);
    }

    pub(super) fn warn(&mut self, group: &str, text: impl Into<String>) {
        self.event(Some(group), text.into(), true);
    }

    fn event(&mut self, group: Option<&str>, text: String, is_warning: bool) {
        self.events.push(Event { group: group.map(str::to_owned), text, is_warning });
    }
}

/// Decides what to do after a look, and remembers it.
pub(crate) fn decide(run: &mut Run, world: &World) -> Decision {
    let mut decision = Decision::default();
    if let Sight::Lost(error) = &world.kubernetes {
        blind(run, world, error, &mut decision);
        return decision;
    }
    if let Some(since) = run.lost_since.take() {
        let text = format!("the Kubernetes API answers again, after {}", span(world.now - since));
        decision.event(None, text, false);
    }
    run.take_in(world);
    adopt(run, world, &mut decision);
    begin(run, world, &mut decision);
    for at in 0..run.lanes.len() {
        if run.lanes[at].state != LaneState::Running {
            continue;
        }
        let name = run.lanes[at].group.clone();
        match world.groups.iter().find(|group| group.name == name) {
            Some(group) => lane::step(run, at, world, group, &mut decision),
            None => lane::stop(run, at, world, "its Auto Scaling group is gone", &mut decision),
        }
    }
    begin(run, world, &mut decision);
    decision
}

/// Without sight of Kubernetes nothing is begun; it is waited for as long as for a validation.
fn blind(run: &mut Run, world: &World, error: &str, decision: &mut Decision) {
    let since = match run.lost_since {
        Some(since) => since,
        None => {
            let text = format!("the Kubernetes API does not answer ({error}); waiting for it");
            decision.event(None, text, true);
            *run.lost_since.insert(world.now)
        }
    };
    for lane in &mut run.lanes {
        lane.passes = 0;
        lane.settled = 0;
        lane.moved = world.now;
        lane.waits_for = Some("the Kubernetes API".to_owned());
    }
    let away = world.now - since;
    if away >= run.options.validation_timeout || run.is_stopping {
        let reason = format!("the Kubernetes API has not answered for {}: {error}", span(away));
        stop_all(run, world, &reason, decision);
    }
}

/// Takes up what an earlier run left: instances that it detached, nodes that it cordoned.
fn adopt(run: &mut Run, world: &World, decision: &mut Decision) {
    for group in &world.groups {
        let Some(lane) = run.lane(&group.name).filter(|_| group.strategy.replaces) else {
            continue;
        };
        if !matches!(lane.state, LaneState::Waiting | LaneState::Running) {
            continue;
        }
        let left = group.live().filter(|member| {
            run.must_go(lane, member)
                && member.place == Place::Detached
                && !run.hands.contains_key(&member.id)
        });
        let hand = |member: &Member| Hand::new(group, member, Stage::Detached, world.now);
        let left: Vec<(String, Hand)> = left.map(|m| (m.id.clone(), hand(m))).collect();
        for (id, hand) in left {
            let text = format!("{} was detached before; it is replaced first", hand.told);
            decision.tell(&group.name, text);
            run.hands.insert(id, hand);
        }
    }
}

/// Starts the groups whose turn it is: bastions, then masters, one group after the other; then
/// nodes, so many groups at once as is allowed.
fn begin(run: &mut Run, world: &World, decision: &mut Decision) {
    let role = |name: &str| {
        let group = world.groups.iter().find(|group| group.name == name);
        group.map_or(Role::Node, |group| group.role)
    };
    let mut running = run.lanes.iter().filter(|lane| lane.state == LaneState::Running).count();
    let mut is_blocked = run.is_stopping;
    for at in 0..run.lanes.len() {
        let is_node = role(&run.lanes[at].group) == Role::Node;
        match &run.lanes[at].state {
            LaneState::Stopped(_) | LaneState::Skipped if !is_node => is_blocked = true,
            LaneState::Waiting if is_blocked => {
                run.lanes[at].state = LaneState::Skipped;
            }
            LaneState::Waiting => {
                let width = if is_node { run.options.max_parallel_groups.max(1) } else { 1 };
                if running >= width {
                    return;
                }
                running += 1;
                let lane = &mut run.lanes[at];
                lane.state = LaneState::Running;
                lane.began = world.now;
                lane.moved = world.now;
                let text = format!("begins: {} to replace", lane.total);
                let name = lane.group.clone();
                decision.tell(&name, text);
                if let Some(group) = world.groups.iter().find(|group| group.name == name) {
                    lane::open(run, at, world, group, decision);
                }
                if !is_node {
                    return;
                }
            }
            LaneState::Running if !is_node => return,
            _ => {}
        }
    }
}

/// Ends every group that is not done.
pub(crate) fn stop_all(run: &mut Run, world: &World, reason: &str, decision: &mut Decision) {
    for at in 0..run.lanes.len() {
        match run.lanes[at].state {
            LaneState::Running => lane::stop(run, at, world, reason, decision),
            LaneState::Waiting => run.lanes[at].state = LaneState::Skipped,
            _ => {}
        }
    }
}

/// Whether all other masters serve, so that one may be taken from etcd's majority.
pub(super) fn others_serve(run: &Run, world: &World, id: &str) -> Result<(), String> {
    let masters: Vec<&Group> =
        world.groups.iter().filter(|group| group.role == Role::Master).collect();
    for group in masters {
        let standing = group.live().filter(|member| member.place == Place::Attached).count();
        let is_own = group.member(id).is_some_and(|member| !member.is_live());
        if standing + usize::from(is_own) < group.target {
            return Err(format!("{} has {standing} of {} masters", group.name, group.target));
        }
        let down = group.live().find(|member| member.id != id && !run.serves(member));
        if let Some(down) = down {
            return Err(format!("master {} to be ready", down.told()));
        }
    }
    Ok(())
}
