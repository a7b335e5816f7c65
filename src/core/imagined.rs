//! AWS as tests imagine it: resources as they are wanted, otherwise, or missing.

use super::drift::Drift;
use super::fields::Changes as _;
use super::id::Id;
use super::manage::{Manage, Ownership, Update, View, whose};
use super::seen::{Looked, Seen, Sight};
use super::whose::Whose;

fn rows<'a, M: Manage>(resource: &M, view: View<'a>) -> Vec<&'a M::Live> {
    match resource.sight(view.seen) {
        Sight::Rows(rows) => rows,
        Sight::Not | Sight::Denied(_) => Vec::new(),
    }
}

/// Puts rows in the place of those that are the resource.
fn replace<M: Manage>(resource: &M, by: Option<M::Live>, view: View<'_>, seen: &mut Seen) {
    let others = rows(resource, view).into_iter().filter(|row| !resource.is(row, view));
    resource.put(Looked::Found(others.cloned().chain(by).collect()), seen);
}

pub(crate) fn imagine<M: Manage>(resource: &M, id: &str, view: View<'_>, seen: &mut Seen) {
    replace(resource, Some(resource.imagined(&Id::imagined(id), view)), view, seen);
}

pub(crate) fn disturbed<M: Manage>(resource: &M, view: View<'_>) -> Vec<(&'static str, Seen)> {
    let all = rows(resource, view);
    let found = all.into_iter().find(|row| resource.is(row, view));
    let disturbed = found.into_iter().flat_map(|row| resource.disturbed(row));
    let seen = disturbed.map(|(field, row)| {
        let mut seen = view.seen.clone();
        replace(resource, Some(row), view, &mut seen);
        (field, seen)
    });
    seen.collect()
}

pub(crate) fn take_away<M: Manage>(resource: &M, view: View<'_>, seen: &mut Seen) {
    let all = rows(resource, view);
    let found = all.into_iter().find(|row| resource.is(row, view));
    replace(resource, found.and_then(|row| resource.without(row)), view, seen);
}

/// Whose it is what an update writes to, and what it writes there.
pub(crate) fn faces<M: Manage>(
    update: &Update<M>,
    view: View<'_>,
) -> (Ownership, Option<Whose>, Drift) {
    let resource = &update.resource;
    let found = rows(resource, view).into_iter().find(|row| M::aws_id(row) == update.id);
    let verdict = found.map(|row| whose(resource, row, view));
    (resource.ownership(), verdict, update.changed.drift())
}
