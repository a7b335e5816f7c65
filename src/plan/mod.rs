//! Desired + live → plan: what would change, why, and what stands in the way.
//!
//! Synchronous, deterministic and without a network: the same input gives the same plan. A
//! plan is so specific that nothing is left to decide while carrying it out. What planning
//! can know to fail is a refusal, and a plan with refusals is never begun.

mod checks;
pub(crate) mod fingerprint;
pub(crate) mod order;
mod prune;
mod quotas;
mod settle;
pub(crate) mod teardown;

use std::collections::{BTreeMap, BTreeSet};

use crate::aws::AwsError;
use crate::catalogue::kinds::{self, Resource, State, Write};
use crate::catalogue::live::Live;
use crate::core::drift::Drift;
use crate::core::id::Ids;
use crate::core::in_use::Thing;
use crate::core::kind::{Kind, ResourceId};
use crate::core::manage::View;
use crate::core::whose::Owner;
use crate::desired::kops::OfKops;
use crate::desired::{DesiredCluster, Notice};
use crate::policy::generation::Chosen;
use crate::resolve::lifecycle::{Lifecycle, Lifecycles, Origin};
use crate::resolve::roles::Roles;
use crate::resolve::told::Told;
use crate::resolve::zone::Zone;
use crate::resolve::{beyond, existing, instances, subnets, versions, zone};

/// What is to happen to one resource.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Action {
    Create,
    Update,
    Delete,
    /// It is not as wanted, and is left so.
    Leave,
    /// It is not the cluster's own, and stays.
    Stay,
}

#[derive(Clone, Debug)]
pub(crate) struct Change {
    pub(crate) id: ResourceId,
    pub(crate) action: Action,
    pub(crate) drift: Drift,
    /// Why it is left as it is, or whose it is; empty for an ordinary change.
    pub(crate) reason: String,
    /// What must be done before, of this plan.
    pub(crate) needs: Vec<ResourceId>,
    /// The kinds of which everything must be done before, though it is not named.
    pub(crate) behind: &'static [Kind],
    /// Absent exactly for [`Action::Leave`] and [`Action::Stay`].
    pub(crate) write: Option<Write>,
}

impl Change {
    /// Of a resource that is not as wanted, and is left so.
    fn left(id: ResourceId, drift: Drift, reason: String) -> Self {
        Self {
            id,
            action: Action::Leave,
            drift,
            reason,
            needs: Vec::new(),
            behind: &[],
            write: None,
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) cluster: String,
    pub(crate) account: String,
    pub(crate) region: String,
    /// Whose IAM documents are planned; `None` where all goes.
    pub(crate) generation: Option<Chosen>,
    /// In dependency order.
    pub(crate) changes: Vec<Change>,
    /// What the spec no longer has: deleted only where the plan prunes.
    pub(crate) removals: Vec<Change>,
    prunes: bool,
    /// Removals that are the cluster's own, and that something still keeps.
    kept: BTreeSet<ResourceId>,
    /// Of what goes, what instances may use, and was not asked about.
    unasked: BTreeSet<Thing>,
    /// AWS' ids of what was found.
    pub(crate) ids: Ids,
    /// Looked at and as wanted.
    pub(crate) unchanged: Vec<ResourceId>,
    pub(crate) warnings: Vec<Notice>,
    /// What is as asked for, and good to know.
    pub(crate) notes: Vec<Notice>,
    /// Why the plan cannot be carried out.
    pub(crate) refusals: Vec<Notice>,
    /// The texts of the specs that it was made from, as digests.
    pub(crate) specs: Vec<String>,
    /// Which kops last wrote the cluster, and what is left to it.
    pub(crate) kops: OfKops,
}

impl Plan {
    /// The changes that write to AWS.
    pub(crate) fn writes(&self) -> impl Iterator<Item = &Change> {
        let removals = self.removals.iter().filter(|_| self.prunes);
        self.changes.iter().chain(removals).filter(|change| change.write.is_some())
    }

    pub(crate) fn count(&self, action: Action) -> usize {
        let removals = self.removals.iter().filter(|_| self.prunes);
        self.changes.iter().chain(removals).filter(|change| change.action == action).count()
    }

    /// Whether what the spec no longer has is deleted.
    pub(crate) fn prunes(&self) -> bool {
        self.prunes
    }

    /// What of the cluster's own the spec no longer has, be it kept for now or not.
    pub(crate) fn due(&self) -> impl Iterator<Item = &Change> {
        let is_due = |change: &&Change| change.write.is_some() || self.kept.contains(&change.id);
        self.removals.iter().filter(is_due)
    }

    /// What is the cluster's own, and something keeps for now.
    pub(crate) fn kept(&self) -> &BTreeSet<ResourceId> {
        &self.kept
    }

    /// What to ask AWS about before the plan can be made in full.
    pub(crate) fn unasked(&self) -> &BTreeSet<Thing> {
        &self.unasked
    }
}

/// How to make a plan: how far it goes with each kind, and what becomes of what the spec no
/// longer has.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) lifecycles: Lifecycles,
    pub(crate) prune: Prune,
}

/// What becomes of what the spec no longer has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Prune {
    /// It is listed, and stays.
    Nothing,
    /// It goes, but for the volumes of etcd.
    ButVolumes,
    Everything,
}

/// Decides everything.
pub(crate) fn make(desired: &DesiredCluster, live: &Live, options: &Options) -> Plan {
    let lifecycles = &options.lifecycles;
    let (zone, told) = zone::resolve(desired, &live.seen, lifecycles);
    let mut planner = Planner {
        live,
        lifecycles,
        prune: options.prune,
        zone,
        ids: Ids::default(),
        unknown: BTreeMap::new(),
        owner: owner(desired, live),
        roles: Roles::new(desired, &live.seen, lifecycles),
        plan: Plan {
            cluster: desired.name.clone(),
            account: live.account.clone(),
            region: desired.region.clone(),
            generation: Some(desired.generation.clone()),
            changes: Vec::new(),
            removals: Vec::new(),
            prunes: options.prune != Prune::Nothing,
            kept: BTreeSet::new(),
            unasked: BTreeSet::new(),
            ids: Ids::default(),
            unchanged: Vec::new(),
            warnings: desired.notices.clone(),
            notes: Vec::new(),
            refusals: Vec::new(),
            specs: Vec::new(),
            kops: OfKops::default(),
        },
    };
    for (kind, refusal) in &desired.refusals {
        if lifecycles.of(*kind, Origin::Managed) != Lifecycle::Ignore {
            planner.plan.refusals.push(refusal.clone());
        }
    }
    planner.tell(told);
    planner.resolve_ids(&desired.resources);
    let resources = planner.fill_in(desired);
    for resource in &resources {
        planner.decide(resource, planner.roles.origin(resource), "");
    }
    prune::plan(&mut planner, desired, &resources);
    for profile in &desired.existing {
        let brought = existing::resolve(profile, live, lifecycles);
        planner.tell(brought.told);
        for resource in &brought.resources {
            planner.decide(resource, Origin::Existing, &brought.reason);
        }
    }
    planner.tell_beyond(desired);
    planner.check_needs();
    quotas::check(&mut planner, &resources);
    planner.check_subnets(&resources);
    planner.check_single();
    quotas::shrink_first(&mut planner);
    let mut plan = planner.plan;
    plan.ids = planner.ids;
    let is_ordered = order::sort(&mut plan.changes)
        .and_then(|()| order::check(plan.changes.iter().chain(&plan.removals)));
    plan.refusals.extend(is_ordered.err().map(|cycle| cycle.refusal()));
    plan.unchanged.sort();
    plan.unchanged.dedup();
    plan
}

/// The cluster as an owner, who knows too what was found in what its spec names.
fn owner(desired: &DesiredCluster, live: &Live) -> Owner {
    let mut owner = desired.owner.clone();
    kinds::name_found(&mut owner, &live.seen);
    owner
}

struct Planner<'a> {
    live: &'a Live,
    lifecycles: &'a Lifecycles,
    prune: Prune,
    zone: Zone,
    ids: Ids,
    /// What could not be looked at, or not be found without something that could not.
    unknown: BTreeMap<ResourceId, AwsError>,
    owner: Owner,
    roles: Roles<'a>,
    plan: Plan,
}

impl Planner<'_> {
    fn view(&self) -> View<'_> {
        let zone = self.zone.id.as_deref();
        let live = self.live;
        View { seen: &live.seen, ids: &self.ids, owner: &self.owner, account: &live.account, zone }
    }

    fn tell(&mut self, told: Told) {
        self.plan.warnings.extend(told.warnings);
        self.plan.notes.extend(told.notes);
        self.plan.refusals.extend(told.refusals);
    }

    fn tell_beyond(&mut self, desired: &DesiredCluster) {
        let (beyond, told) = beyond::find(desired, &self.live.seen, self.lifecycles, &self.roles);
        self.tell(told);
        let left = beyond.into_iter().map(|found| {
            Change::left(found.id, found.drift, format!("{}; left as it is", found.what))
        });
        self.plan.changes.extend(left);
    }

    /// The resources with what only AWS tells of them.
    fn fill_in(&mut self, desired: &DesiredCluster) -> Vec<Resource> {
        let filled = instances::resolve(desired, self.live, self.lifecycles);
        self.tell(filled.told);
        self.unknown.extend(filled.unknown);
        let mut resources = filled.resources;
        let is_made = |template: &Resource| self.makes_version(template);
        let versions = versions::resolve(&mut resources, self.live, is_made);
        self.tell(versions.told);
        self.plan.unasked.extend(versions.unasked);
        resources
    }

    /// Whether the plan makes a version of a launch template.
    fn makes_version(&self, template: &Resource) -> bool {
        let lifecycle = self.lifecycles.of(template.id().kind, Origin::Managed);
        let state = || self.unless_unknown(template, template.state(self.view()));
        lifecycle.writes()
            && match state() {
                State::Differs(_, Some(write)) => write.makes_version(),
                state => matches!(state, State::Missing(..)),
            }
    }

    fn check_subnets(&mut self, resources: &[Resource]) {
        let created = self.plan.writes().filter(|change| change.action == Action::Create);
        let created = created.map(|change| &change.id).collect();
        let told = subnets::check(resources, &created, self.view(), &self.plan.region);
        self.tell(told);
    }

    /// Finds AWS' ids, of each kind behind those that it is found by.
    fn resolve_ids(&mut self, resources: &[Resource]) {
        // Those of IAM go by their names.
        let by_id = resources.iter().filter(|resource| !kinds::IAM.contains(&resource.id().kind));
        let mut by_id: Vec<_> = by_id.collect();
        by_id.sort_by_key(|resource| resource.id().kind);
        for managed in by_id {
            if let Some(known) = managed.find(self.view()) {
                self.ids.learn(known);
            } else if let Some(error) = managed.denied(self.view()) {
                self.unknown.insert(managed.id(), error);
            } else if let Some((_, error)) = self.unknown_need(managed.needs()) {
                self.unknown.insert(managed.id(), error);
            }
        }
    }

    fn unknown_need(&self, needs: Vec<ResourceId>) -> Option<(ResourceId, AwsError)> {
        needs.into_iter().find_map(|need| {
            let error = self.unknown.get(&need)?.clone();
            Some((need, error))
        })
    }

    /// What refers to something unknown differs from it in every case, so that its own look
    /// says nothing.
    fn unless_unknown(&self, resource: &Resource, state: State) -> State {
        if matches!(state, State::Equal | State::NoMatter | State::Denied(_)) {
            return state;
        }
        match self.unknown_need(resource.needs()) {
            // Told with the zone.
            Some((need, _)) if self.zone.is(&need) => State::NoMatter,
            Some((_, error)) => State::Denied(error),
            None => match self.unknown.get(&resource.id()) {
                Some(error) => State::Denied(error.clone()),
                None => state,
            },
        }
    }

    /// Decides about one resource after its lifecycle.
    fn decide(&mut self, resource: &Resource, origin: Origin, reason: &str) {
        let id = resource.id();
        let lifecycle = self.lifecycles.of(id.kind, origin);
        // Why no zone was found is told by whoever looked for it.
        let is_told = self.zone.id.is_none() && self.zone.is(&id);
        if lifecycle == Lifecycle::Ignore || is_told {
            return;
        }
        let state = self.unless_unknown(resource, resource.state(self.view()));
        let state = match (&state, origin) {
            (State::NoMatter | State::Denied(_) | State::Impossible(..), _)
            | (_, Origin::Existing) => state,
            (_, Origin::Managed | Origin::AddOn) => {
                self.roles.obstacle(resource, &state, &self.owner).unwrap_or(state)
            }
        };
        self.settle(resource, origin, state, reason);
    }
}

#[cfg(test)]
mod tests;
