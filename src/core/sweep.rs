//! What nobody wants: each kind tells what there is of it that the spec no longer has, and what
//! keeps what. A sweep finds out what goes.
//!
//! Kinds are asked in any order, and each tells what it knows: what a kind in a room above holds is
//! told by that one.

mod fates;
mod offer;

use std::collections::BTreeSet;

use super::in_use::{Hold, InUse, Thing};
use super::kind::{Kind, ResourceId};
use super::manage::View;
use super::seen::{Looked, Row};
use super::whose::{Marks, Whose};
use super::wishes::Wishes;
use crate::aws::AwsError;
use fates::{Fate, Fates, Holder, Rules, Ties};
pub(crate) use offer::{Offer, Place, Removal};

/// A kind that tells what there is of it and nobody wants.
pub(crate) trait Unclaimed {
    /// Offers what is the cluster's own and is not in the spec any more, and tells what things of
    /// this kind hold back as long as they stay.
    fn unclaimed(sweep: &mut Sweep<'_>);
}

/// What a sweep has to go by.
#[derive(Debug)]
pub(crate) struct Ground<'a> {
    pub(crate) view: View<'a>,
    pub(crate) in_use: &'a InUse,
    pub(crate) wishes: &'a Wishes,
    /// All that the spec has.
    pub(crate) wanted: BTreeSet<ResourceId>,
    /// What of that is created or changed.
    pub(crate) written: BTreeSet<ResourceId>,
    /// The kinds that are looked at.
    pub(crate) looked: BTreeSet<Kind>,
    /// The kinds of which goes what nobody wants.
    pub(crate) swept: BTreeSet<Kind>,
    /// Whether even that goes which is nowhere else.
    pub(crate) with_data: bool,
}

/// Collects what nobody wants.
#[derive(Debug)]
pub(crate) struct Sweep<'a> {
    ground: Ground<'a>,
    found: BTreeSet<Place>,
    offers: Vec<Offer>,
    ties: Ties,
    swept: Swept,
}

/// What came of a sweep.
#[derive(Debug, Default)]
pub(crate) struct Swept {
    pub(crate) going: Vec<Removal>,
    /// What stays, and why.
    pub(crate) staying: Vec<(ResourceId, String)>,
    /// What of that is the cluster's own, and is kept for now.
    pub(crate) kept: BTreeSet<ResourceId>,
    /// What goes whatever becomes of the rest, since it is on what the spec has.
    pub(crate) too_much: Vec<Removal>,
    /// What is told, and is left as it is.
    pub(crate) left: Vec<ResourceId>,
    /// What instances may use, and was not asked about.
    pub(crate) unasked: BTreeSet<Thing>,
    /// What could not be looked for, though nobody else tells so.
    pub(crate) unseen: Vec<(Kind, AwsError)>,
}

/// Why something stays of which not all could be looked at.
pub(crate) fn unknown(what: &str, error: &AwsError) -> String {
    format!("{what} is not known: {error}; allow {}", error.operation)
}

impl<'a> Sweep<'a> {
    pub(crate) fn new(ground: Ground<'a>) -> Self {
        let ids = ground.view.ids;
        let found = ground.wanted.iter().filter_map(|id| Some(Place::new(id.kind, ids.get(id)?)));
        let found = found.collect();
        Self { ground, found, offers: Vec::new(), ties: Ties::default(), swept: Swept::default() }
    }

    pub(crate) fn view(&self) -> View<'a> {
        self.ground.view
    }

    /// What the spec has of a kind, or what else it tells.
    pub(crate) fn wishes<T: Send + Sync + 'static>(&self) -> &'a [T] {
        self.ground.wishes.of()
    }

    pub(crate) fn is_wanted(&self, id: &ResourceId) -> bool {
        self.ground.wanted.contains(id)
    }

    /// Whether the plan creates or changes something that the spec has.
    pub(crate) fn is_written(&self, id: &ResourceId) -> bool {
        self.ground.written.contains(id)
    }

    /// Whether what AWS knows so is a thing of the spec's.
    pub(crate) fn is_found(&self, place: &Place) -> bool {
        self.found.contains(place)
    }

    pub(crate) fn looks_at(&self, kind: Kind) -> bool {
        self.ground.looked.contains(&kind)
    }

    /// Whether what nobody wants of a kind goes.
    pub(crate) fn sweeps(&self, kind: Kind) -> bool {
        self.ground.swept.contains(&kind)
    }

    /// Whether even that goes which is nowhere else.
    pub(crate) fn takes_data(&self) -> bool {
        self.ground.with_data
    }

    /// What there is of a kind of which goes what nobody wants. Where the spec has none of it,
    /// nobody else tells that it could not be looked at.
    pub(crate) fn rows<T: Row>(&mut self, kind: Kind) -> &'a [T] {
        if !self.sweeps(kind) {
            return &[];
        }
        let looked: &'a Looked<T> = self.ground.view.seen.of();
        let is_told = self.ground.wanted.iter().any(|id| id.kind == kind);
        if let (Looked::Denied(error), false) = (looked, is_told) {
            self.could_not_look(kind, error);
        }
        looked.rows()
    }

    /// Something of a kind may be there that could not be looked for.
    pub(crate) fn could_not_look(&mut self, kind: Kind, error: &AwsError) {
        self.swept.unseen.push((kind, error.clone()));
    }

    pub(crate) fn whose(&self, kind: Kind, marks: &Marks<'_>) -> Whose {
        self.ground.view.owner.whose(kind, marks)
    }

    /// Tells of what speaks of the cluster and is not its own. Returns whether it is.
    pub(crate) fn is_ours(&mut self, id: &ResourceId, marks: &Marks<'_>) -> bool {
        let whose = self.whose(id.kind, marks);
        if let Some(why) = whose.reason()
            && self.ground.view.owner.is_marked(marks.known_tags())
        {
            self.stay(id.clone(), why);
        }
        whose.is_owned()
    }

    /// The update that deletes what nobody wants.
    pub(crate) fn command(&self, flags: &str) -> String {
        let cluster = self.ground.view.owner.cluster();
        format!("kapstan update cluster {cluster} --yes {flags}")
    }

    /// Why something stays, and what takes it later.
    pub(crate) fn until_then(&self, why: &str) -> String {
        format!("{why}; when that has changed: {}", self.command("--prune"))
    }

    pub(crate) fn offer(&mut self, offer: Offer) {
        self.offers.push(offer);
    }

    /// Something is not the cluster's own, and stays.
    pub(crate) fn stay(&mut self, id: ResourceId, why: &str) {
        self.swept.staying.push((id, why.to_owned()));
    }

    /// The cluster's own, which is kept for now.
    pub(crate) fn keep(&mut self, id: ResourceId, why: &str) {
        self.swept.kept.insert(id.clone());
        self.stay(id, why);
    }

    /// Something is kept for now, if it is offered. Of several reasons the first is told.
    pub(crate) fn hold(&mut self, held: Place, why: String) {
        self.tie(held, Holder::Anything, why);
    }

    /// Likewise, unless something else goes.
    pub(crate) fn hold_unless_gone(&mut self, held: Place, holder: Place, why: String) {
        self.tie(held, Holder::Stays(holder), why);
    }

    /// Likewise, if something else is kept for now.
    pub(crate) fn hold_if_kept(&mut self, held: Place, holder: ResourceId, why: String) {
        self.tie(held, Holder::Kept(holder), why);
    }

    fn tie(&mut self, held: Place, holder: Holder, why: String) {
        self.ties.add(held, holder, why);
    }

    /// Something on what the spec has goes, whether or not anything else does.
    pub(crate) fn too_much(&mut self, excess: Removal) {
        self.swept.too_much.push(excess);
    }

    /// Something on what the spec has is not kapstan's; it is told, and left as it is.
    pub(crate) fn leave(&mut self, id: ResourceId) {
        self.swept.left.push(id);
    }

    /// Finds out what goes.
    pub(crate) fn outcome(self) -> Swept {
        let command = self.command("--prune");
        let Self { ground: Ground { in_use, .. }, offers, ties, mut swept, .. } = self;
        let rules = Rules { ties: &ties, in_use, command: &command };
        let Fates { all, kept, .. } =
            Fates::settle(&offers, std::mem::take(&mut swept.kept), rules);
        swept.kept = kept;
        for (offer, fate) in offers.into_iter().zip(all) {
            // One look asks about all that may go.
            if let (Fate::Goes | Fate::Kept(_), Some(thing)) = (&fate, offer.thing)
                && !ties.hold_anyhow(&offer.place)
                && matches!(in_use.users(&thing), Err(Hold::NotAsked))
            {
                swept.unasked.insert(thing);
            }
            match fate {
                Fate::Goes => swept.going.push(offer.removal),
                Fate::Kept(why) | Fate::Stays(why) => swept.staying.push((offer.removal.id, why)),
                Fate::Untold => {}
            }
        }
        swept
    }
}

#[cfg(test)]
mod tests;
