//! What becomes of a resource by its state and its lifecycle: a change, a warning or a refusal. The
//! tables are in `docs/iam.md`.

use super::{Action, Change, Planner};
use crate::aws::AwsError;
use crate::catalogue::kinds::{Resource, State, Write};
use crate::core::drift::Drift;
use crate::core::fields::Stuck;
use crate::core::kind::ResourceId;
use crate::desired::Notice;
use crate::resolve::lifecycle::{Lifecycle, Origin};

impl Planner<'_> {
    /// Turns a state into a change, a warning or a refusal, as the table of lifecycles says.
    pub(super) fn settle(
        &mut self,
        resource: &Resource,
        origin: Origin,
        state: State,
        reason: &str,
    ) {
        let id = resource.id();
        let lifecycle = self.lifecycles.of(id.kind, origin);
        let writes = match origin {
            Origin::Managed | Origin::AddOn => lifecycle.writes(),
            Origin::Existing => lifecycle == Lifecycle::Sync,
        };
        match state {
            State::NoMatter => {}
            State::Equal => self.plan.unchanged.push(id),
            State::Denied(error) => self.denied(id, lifecycle, &error),
            State::Impossible(drift, message, next) => {
                self.impossible(id, lifecycle, drift, message, next);
            }
            State::Partly(mended, stuck) => {
                if let Some((drift, write)) = mended {
                    let state = State::Differs(drift, Some(write));
                    self.settle(resource, origin, state, reason);
                }
                for fields in stuck {
                    self.stuck(id.clone(), lifecycle, fields);
                }
            }
            State::Missing(drift, write) if writes => {
                self.change(resource, Action::Create, drift, write);
            }
            State::Differs(drift, Some(write)) if writes => {
                let action = if write.removes() { Action::Delete } else { Action::Update };
                self.change(resource, action, drift, write);
            }
            State::Missing(drift, _) => {
                let reason = match reason {
                    "" => format!("does not exist, and is not created ({lifecycle})"),
                    reason => format!("does not exist; {reason}"),
                };
                self.leave(id, lifecycle, drift, "does not exist", reason);
            }
            State::Differs(drift, _) => {
                let reason = match reason {
                    "" => format!("left as it is ({lifecycle})"),
                    reason => reason.to_owned(),
                };
                self.leave(id, lifecycle, drift, "is not as wanted", reason);
            }
        }
    }

    /// What no write can mend is refused where it would be written, and else told.
    pub(super) fn impossible(
        &mut self,
        id: ResourceId,
        lifecycle: Lifecycle,
        drift: Drift,
        message: String,
        next: String,
    ) {
        let notice = Notice { object: id.to_string(), message, next };
        if lifecycle == Lifecycle::ExistsAndWarnIfChanges {
            let reason = notice.message.clone();
            self.plan.changes.push(Change::left(id, drift, reason));
            self.plan.warnings.push(notice);
        } else {
            self.plan.refusals.push(notice);
        }
    }

    /// Fields that no write mends are told by themselves. What the cluster cannot do with is
    /// refused, unless it is only looked at.
    pub(super) fn stuck(&mut self, id: ResourceId, lifecycle: Lifecycle, fields: Stuck) {
        let Stuck { drift, why, next, is_borne } = fields;
        let is_refused = match lifecycle {
            Lifecycle::ExistsAndWarnIfChanges => false,
            Lifecycle::ExistsAndValidates => true,
            _ => !is_borne,
        };
        let object = id.to_string();
        if is_refused {
            self.plan.refusals.push(Notice { object, message: why.clone(), next });
        } else {
            let message = format!("is not as wanted, and is left so: {why}");
            self.plan.warnings.push(Notice { object, message, next });
        }
        self.plan.changes.push(Change::left(id, drift, why));
    }

    pub(super) fn change(
        &mut self,
        resource: &Resource,
        action: Action,
        drift: Drift,
        write: Write,
    ) {
        self.plan.changes.push(Change {
            id: resource.id(),
            action,
            drift,
            reason: String::new(),
            needs: resource.needs(),
            behind: resource.behind(),
            write: Some(write),
        });
    }

    pub(super) fn leave(
        &mut self,
        id: ResourceId,
        lifecycle: Lifecycle,
        drift: Drift,
        what: &str,
        reason: String,
    ) {
        if lifecycle == Lifecycle::ExistsAndValidates {
            self.plan.refusals.push(Notice {
                object: id.to_string(),
                message: format!("{what}, but its lifecycle is {lifecycle}"),
                next: "put it right first, or choose another phase or lifecycle".to_owned(),
            });
        } else {
            self.plan.warnings.push(Notice {
                object: id.to_string(),
                message: format!("{what}, and is left so"),
                next: format!(
                    "have its owner mend what the plan shows, or let kapstan: \
                     --lifecycle-overrides {}=Sync",
                    id.kind
                ),
            });
        }
        self.plan.changes.push(Change::left(id, drift, reason));
    }

    pub(super) fn denied(&mut self, id: ResourceId, lifecycle: Lifecycle, error: &AwsError) {
        let object = id.to_string();
        if lifecycle == Lifecycle::WarnIfInsufficientAccess {
            self.plan.warnings.push(Notice {
                object,
                message: format!("could not be looked at and is taken as right: {error}"),
                next: format!("allow {} to have it checked", error.operation),
            });
        } else {
            self.plan.refusals.push(Notice {
                object,
                message: format!("could not be looked at: {error}"),
                next: format!(
                    "allow {}, or give --lifecycle-overrides {}=WarnIfInsufficientAccess",
                    error.operation, id.kind
                ),
            });
        }
    }
}
