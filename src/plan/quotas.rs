//! Refuses names, tags and policies that AWS would refuse, before anything is written.

use std::collections::BTreeSet;

use super::{Action, Change, Planner};
use crate::catalogue::kinds::{Resource, Write};
use crate::core::given::Given;
use crate::core::kind::ResourceId;
use crate::desired::Notice;
use crate::limits::tag;
use crate::resolve::policies;

pub(super) fn check(planner: &mut Planner<'_>, resources: &[Resource]) {
    let mut refusals = Vec::new();
    for change in planner.plan.writes().filter(|change| change.action == Action::Create) {
        refusals.extend(name(change));
    }
    let written: BTreeSet<&ResourceId> = planner.plan.writes().map(|change| &change.id).collect();
    for resource in resources.iter().filter(|resource| written.contains(&resource.id())) {
        refusals.extend(tags(resource));
        refusals.extend(policies::lacking(resource, &planner.live.seen));
    }
    let writes = planner.plan.writes().filter_map(|change| change.write.as_ref());
    refusals.extend(policies::too_large(writes, &planner.live.seen, &planner.live.account));
    planner.plan.refusals.extend(refusals);
}

fn name(change: &Change) -> Option<Notice> {
    let Some(Write::Create(resource)) = &change.write else { return None };
    let (limit, name) = resource.given().name?;
    Some(Notice {
        object: change.id.to_string(),
        message: limit.refusal(name)?,
        next: "the name comes from the spec's; choose another for the cluster or the group"
            .to_owned(),
    })
}

fn tags(resource: &Resource) -> Vec<Notice> {
    let Given { tags: Some(tags), is_plain, .. } = resource.given() else { return Vec::new() };
    let mut reasons = Vec::new();
    let count = i64::try_from(tags.len()).unwrap_or(i64::MAX);
    reasons.extend(tag::COUNT.refusal(count).map(|reason| format!("the number of tags {reason}")));
    for (key, value) in tags {
        reasons.extend(tag::key_refusal(key).map(|reason| format!("the tag {key:?} {reason}")));
        let reason = tag::value_refusal(value);
        reasons.extend(reason.map(|reason| format!("the tag {key:?}: {reason}")));
        if is_plain && !(tag::is_plain(key) && tag::is_plain(value)) {
            reasons.push(format!(
                "the tag {key:?} is {value:?}, and takes letters, digits, spaces and _.:/=+-@ only"
            ));
        }
    }
    let next = "shorten names in the spec, or have fewer labels".to_owned();
    let notice =
        |message| Notice { object: resource.id().to_string(), message, next: next.clone() };
    reasons.into_iter().map(notice).collect()
}

/// Lets the policies of a role shrink before others of it grow, so that it never holds more
/// than before or after the plan: IAM would refuse what is too much even for a moment.
pub(super) fn shrink_first(planner: &mut Planner<'_>) {
    let changes = &mut planner.plan.changes;
    let writes = changes.iter().filter_map(|change| Some((&change.id, change.write.as_ref()?)));
    let first = policies::shrink_first(writes, &planner.live.seen);
    for change in changes.iter_mut().filter(|change| change.write.is_some()) {
        change.needs.extend(first.get(&change.id).into_iter().flatten().cloned());
    }
}
