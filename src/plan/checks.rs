//! What must hold of a plan as a whole.

use std::collections::{BTreeMap, BTreeSet};

use super::{Action, Change, Planner};
use crate::catalogue::kinds;
use crate::core::kind::ResourceId;
use crate::desired::Notice;
use crate::resolve::lifecycle::{Lifecycle, Origin};

impl Planner<'_> {
    /// Two profiles of the user's own may carry one role. What both want alike is done once;
    /// what they want in two ways is refused.
    pub(super) fn check_single(&mut self) {
        let mut kept: Vec<Change> = Vec::new();
        let mut written: BTreeMap<ResourceId, usize> = BTreeMap::new();
        for change in std::mem::take(&mut self.plan.changes) {
            if change.write.is_some() {
                if let Some(twin) = written.get(&change.id) {
                    if kept[*twin].write != change.write {
                        self.plan.refusals.push(Notice {
                            object: change.id.to_string(),
                            message: "two instance profiles of different groups carry this role \
                                      and want it in different ways"
                                .to_owned(),
                            next: "give each profile a role of its own".to_owned(),
                        });
                    }
                    continue;
                }
                written.insert(change.id.clone(), kept.len());
            }
            kept.push(change);
        }
        self.plan.changes = kept;
    }

    /// Refuses writes that need something which neither exists nor is created.
    pub(super) fn check_needs(&mut self) {
        let created: BTreeSet<&ResourceId> = self.plan.writes().map(|change| &change.id).collect();
        let told: BTreeSet<&str> =
            self.plan.refusals.iter().map(|refusal| refusal.object.as_str()).collect();
        let mut refusals = Vec::new();
        // What goes waits for what goes before it, and may do without.
        let made = self.plan.writes().filter(|change| change.action != Action::Delete);
        for change in made {
            for need in &change.needs {
                let exists = kinds::exists(need, self.view());
                let is_lacking = exists == Some(false) && !created.contains(need);
                if is_lacking && !told.contains(need.to_string().as_str()) {
                    refusals.push(Notice {
                        object: change.id.to_string(),
                        message: format!("needs {need}, which does not exist and is not created"),
                        next: match self.lifecycles.of(need.kind, Origin::Managed) {
                            Lifecycle::Sync | Lifecycle::WarnIfInsufficientAccess => {
                                "create it first".to_owned()
                            }
                            _ => format!(
                                "create it first, or let kapstan: --lifecycle-overrides {}=Sync",
                                need.kind
                            ),
                        },
                    });
                }
            }
        }
        self.plan.refusals.extend(refusals);
    }
}
