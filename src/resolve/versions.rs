//! Which version of a launch template is the next, and which are still used.

use std::collections::BTreeSet;

use super::instances::ByName;
use super::told::Told;
use crate::catalogue::kinds::Resource;
use crate::catalogue::live::Live;
use crate::core::in_use::{Hold, Thing};
use crate::ec2::launch_template::{LaunchTemplate, LiveTemplate};

/// What came of it beside the resources.
#[derive(Debug, Default)]
pub(crate) struct Versions {
    /// What has old versions that may go, if nobody uses them: that was not asked.
    pub(crate) unasked: BTreeSet<Thing>,
    pub(crate) told: Told,
}

/// Tells each template which version comes next, and what still uses those that it has; `is_made`
/// tells whether a plan makes one.
pub(crate) fn resolve(
    resources: &mut [Resource],
    live: &Live,
    is_made: impl Fn(&Resource) -> bool,
) -> Versions {
    let by_name = ByName::new(&live.seen);
    let mut versions = Versions::default();
    for resource in resources.iter_mut() {
        let Resource::LaunchTemplate(template) = resource else { continue };
        let found = by_name.templates.get(template.name.as_str()).copied();
        let newest = found.map_or(0, |found| found.version);
        let group = by_name.groups.get(template.name.as_str());
        template.resolved.next_version = newest + 1;
        let own = group.map_or_else(BTreeSet::new, |group| group.used_versions());
        let users = found.map(|found| live.in_use.users(&thing(found)));
        template.resolved.used = match (&users, found) {
            (Some(Ok(users)), _) => {
                own.into_iter().chain(users.iter().filter_map(|user| user.version)).collect()
            }
            // What is not known may use any.
            (Some(Err(_)), Some(found)) => found.old_versions.iter().copied().chain(own).collect(),
            _ => own,
        };
        let is_made = is_made(&Resource::LaunchTemplate(template.clone()));
        if let (true, Some(found), Some(Err(hold))) = (is_made, found, users)
            && !found.old_versions.is_empty()
        {
            versions.unknown_users(template, found, hold);
        }
    }
    versions
}

fn thing(template: &LiveTemplate) -> Thing {
    Thing::LaunchTemplate((&template.id).into())
}

impl Versions {
    /// Old versions stay as long as it is not known who uses them.
    fn unknown_users(&mut self, template: &LaunchTemplate, found: &LiveTemplate, hold: Hold) {
        match hold {
            Hold::NotAsked => {
                self.unasked.insert(thing(found));
            }
            hold => {
                let message = format!("no old version of it is deleted: {hold}");
                self.told.warn(template.resource_id(), message, String::new());
            }
        }
    }
}
