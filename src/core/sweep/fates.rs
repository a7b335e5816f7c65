//! What becomes of all that is offered.

use std::collections::{BTreeMap, BTreeSet};

use super::offer::{Offer, Place};
use crate::core::in_use::{InUse, User};
use crate::core::kind::ResourceId;

/// What keeps something.
#[derive(Debug)]
pub(super) enum Holder {
    Anything,
    /// It holds as long as it does not go.
    Stays(Place),
    /// It holds if it is the cluster's own, not wanted, and kept for now.
    Kept(ResourceId),
}

#[derive(Debug)]
struct Tie {
    holder: Holder,
    why: String,
}

/// What holds what, in the order in which it was told.
#[derive(Debug, Default)]
pub(super) struct Ties(BTreeMap<Place, Vec<Tie>>);

impl Ties {
    pub(super) fn add(&mut self, held: Place, holder: Holder, why: String) {
        self.0.entry(held).or_default().push(Tie { holder, why });
    }

    fn of(&self, held: &Place) -> &[Tie] {
        self.0.get(held).map(Vec::as_slice).unwrap_or_default()
    }

    /// Whether something is kept whatever else goes.
    pub(super) fn hold_anyhow(&self, held: &Place) -> bool {
        self.of(held).iter().any(|tie| matches!(tie.holder, Holder::Anything))
    }
}

#[derive(Debug)]
pub(super) enum Fate {
    Goes,
    Kept(String),
    /// It is not the cluster's own.
    Stays(String),
    /// What it would go with does not go.
    Untold,
}

/// By what it is told whether something is held.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules<'r> {
    pub(super) ties: &'r Ties,
    pub(super) in_use: &'r InUse,
    /// The update that takes later what instances use.
    pub(super) command: &'r str,
}

/// What becomes of all that is offered, as far as is known.
#[derive(Debug)]
pub(super) struct Fates<'o> {
    /// One for each offer.
    pub(super) all: Vec<Fate>,
    /// What is the cluster's own, not wanted, and kept for now.
    pub(super) kept: BTreeSet<ResourceId>,
    going: BTreeSet<&'o Place>,
    /// The groups of instances by their names, and by the instances in them.
    groups: BTreeMap<&'o str, &'o Place>,
    members: BTreeMap<&'o str, &'o Place>,
}

impl<'o> Fates<'o> {
    /// Settles what goes. All that is the cluster's own goes at first; what is held may hold
    /// others, so that this is asked until nothing more is held.
    pub(super) fn settle(
        offers: &'o [Offer],
        kept: BTreeSet<ResourceId>,
        rules: Rules<'_>,
    ) -> Self {
        let mut fates = Self::at_first(offers, kept);
        while fates.change_some(offers, rules) {}
        fates
    }

    fn at_first(offers: &'o [Offer], kept: BTreeSet<ResourceId>) -> Self {
        let all = offers.iter().map(|offer| match offer.whose.reason() {
            None => Fate::Goes,
            Some(why) => Fate::Stays(why.to_owned()),
        });
        let owned = offers.iter().filter(|offer| offer.whose.is_owned());
        let (mut groups, mut members) = (BTreeMap::new(), BTreeMap::new());
        for offer in offers {
            if let Some(own) = &offer.members {
                groups.insert(offer.place.id.as_str(), &offer.place);
                members.extend(own.iter().map(|member| (member.as_str(), &offer.place)));
            }
        }
        let going = owned.map(|offer| &offer.place).collect();
        Self { all: all.collect(), kept, going, groups, members }
    }

    /// Looks once at all that may be held. Returns whether anything became of it.
    fn change_some(&mut self, offers: &[Offer], rules: Rules<'_>) -> bool {
        let mut has_changed = false;
        for (at, offer) in offers.iter().enumerate() {
            let fate = match &self.all[at] {
                Fate::Goes | Fate::Stays(_) if self.is_alone(offer) => Fate::Untold,
                Fate::Goes => match self.held(offer, rules) {
                    Some(why) => Fate::Kept(why),
                    None => continue,
                },
                Fate::Stays(_) | Fate::Kept(_) | Fate::Untold => continue,
            };
            self.going.remove(&offer.place);
            if let Fate::Kept(_) = fate {
                self.kept.insert(offer.removal.id.clone());
            }
            self.all[at] = fate;
            has_changed = true;
        }
        has_changed
    }

    /// Whether it would go with something that does not go.
    fn is_alone(&self, offer: &Offer) -> bool {
        offer.along.as_ref().is_some_and(|other| !self.going.contains(other))
    }

    /// Why something of the cluster's own is kept, if anything keeps it.
    fn held(&self, offer: &Offer, rules: Rules<'_>) -> Option<String> {
        let holds = |tie: &&Tie| match &tie.holder {
            Holder::Anything => true,
            Holder::Stays(holder) => !self.going.contains(holder),
            Holder::Kept(holder) => self.kept.contains(holder),
        };
        let tie = rules.ties.of(&offer.place).iter().find(holds);
        let used = || {
            let thing = offer.thing.as_ref()?;
            let hold = rules.in_use.hold(thing, |user| self.has_going(user))?;
            Some(hold.reason(rules.command))
        };
        tie.map(|tie| tie.why.clone()).or_else(used)
    }

    /// Whether an instance goes with its group.
    fn has_going(&self, user: &User) -> bool {
        let as_member = self.members.get(user.id.as_str());
        let by_tag = user.scaling_group.as_ref().and_then(|name| self.groups.get(name.as_str()));
        as_member.into_iter().chain(by_tag).any(|group| self.going.contains(*group))
    }
}
