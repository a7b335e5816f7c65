//! The report for machines: a plan and its outcome as JSON or YAML. The format is public
//! and versioned; `docs/json-output.md` describes it.

use serde::Serialize;

use super::user_data::WholeUserData;
use crate::apply::Outcome;
use crate::core::drift::{DocumentChange, Drift, FieldChange, Image};
use crate::core::kind::{Layer, ResourceId};
use crate::desired::Notice;
use crate::desired::kops::NotCarried;
use crate::plan::{Action, Change, Plan};
use crate::policy::document::Statement;
use crate::policy::generation::{Chosen, Generation};

/// Grows when a field goes or changes its meaning; new fields may come at any time.
pub(crate) const API_VERSION: &str = "kapstan/v1";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report<'a> {
    api_version: &'static str,
    kind: &'static str,
    cluster: &'a str,
    account: &'a str,
    region: &'a str,
    state_store: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    iam_generation: Option<ReportedGeneration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_writer: Option<ReportedWriter<'a>>,
    fingerprint: String,
    changes: Vec<ReportedChange<'a>>,
    removals: Vec<ReportedChange<'a>>,
    unchanged: &'a [ResourceId],
    warnings: &'a [Notice],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    notes: &'a [Notice],
    refusals: &'a [Notice],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    not_carried: Vec<ReportedField<'a>>,
    summary: Summary,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<ReportedOutcome<'a>>,
}

/// The kops that last wrote a cluster.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ReportedWriter<'a> {
    kops_version: &'a str,
    age: &'static str,
}

/// A field whose change only kops carries on.
#[derive(Debug, Serialize)]
struct ReportedField<'a> {
    object: &'a str,
    field: String,
    reaches: Vec<&'static str>,
}

/// Whose IAM documents a cluster has, and why.
#[derive(Debug, Serialize)]
pub(crate) struct ReportedGeneration {
    generation: Generation,
    reason: String,
}

impl ReportedGeneration {
    pub(crate) fn of(chosen: &Chosen) -> Self {
        Self { generation: chosen.generation, reason: chosen.why.to_string() }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ReportedChange<'a> {
    id: &'a ResourceId,
    kind: &'static str,
    name: &'a str,
    layer: Layer,
    action: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    reason: &'a str,
    depends_on: &'a [ResourceId],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    depends_on_kinds: Vec<&'static str>,
    fields: &'a [FieldChange],
    #[serde(skip_serializing_if = "Option::is_none")]
    permissions: Option<Permissions<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    document: Option<&'a DocumentChange>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_data: Option<WholeUserData<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<&'a Image>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remark: Option<&'static str>,
}

#[derive(Serialize)]
struct Permissions<'a> {
    gained: &'a [Statement],
    lost: &'a [Statement],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    within: &'a [Statement],
}

#[derive(Serialize)]
struct Summary {
    create: usize,
    update: usize,
    delete: usize,
    leave: usize,
    stay: usize,
    unchanged: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ReportedOutcome<'a> {
    complete: bool,
    interrupted: bool,
    done: &'a [ResourceId],
    failed: Vec<Failure<'a>>,
    not_begun: &'a [ResourceId],
}

#[derive(Serialize)]
struct Failure<'a> {
    id: &'a ResourceId,
    error: String,
}

impl<'a> Report<'a> {
    /// With the whole user data that the plan changes, for those who ask for it.
    pub(crate) fn with_user_data(mut self, plan: &'a Plan) -> Self {
        for (reported, change) in self.changes.iter_mut().zip(&plan.changes) {
            reported.user_data = change.drift.user_data.as_ref().map(WholeUserData::of);
        }
        self
    }
}

/// The plan, and what came of it if it was carried out.
pub(crate) fn report<'a>(
    plan: &'a Plan,
    place: &'a str,
    outcome: Option<&'a Outcome>,
) -> Report<'a> {
    Report {
        api_version: API_VERSION,
        kind: "Plan",
        cluster: &plan.cluster,
        account: &plan.account,
        region: &plan.region,
        state_store: place,
        iam_generation: plan.generation.as_ref().map(ReportedGeneration::of),
        last_writer: plan
            .kops
            .last_writer
            .as_ref()
            .map(|writer| ReportedWriter { kops_version: &writer.version, age: writer.age() }),
        fingerprint: plan.fingerprint(),
        changes: plan.changes.iter().map(change).collect(),
        removals: plan.removals.iter().map(change).collect(),
        unchanged: &plan.unchanged,
        warnings: &plan.warnings,
        notes: &plan.notes,
        refusals: &plan.refusals,
        not_carried: plan.kops.not_carried.iter().map(not_carried).collect(),
        summary: Summary {
            create: plan.count(Action::Create),
            update: plan.count(Action::Update),
            delete: plan.count(Action::Delete),
            leave: plan.count(Action::Leave),
            stay: plan.count(Action::Stay),
            unchanged: plan.unchanged.len(),
        },
        result: outcome.map(|outcome| ReportedOutcome {
            complete: outcome.is_complete(),
            interrupted: outcome.interrupted,
            done: &outcome.done,
            failed: outcome
                .failed
                .iter()
                .map(|(id, error)| Failure { id, error: error.to_string() })
                .collect(),
            not_begun: &outcome.not_begun,
        }),
    }
}

fn not_carried(field: &NotCarried) -> ReportedField<'_> {
    ReportedField {
        object: &field.object,
        field: field.field.to_string(),
        reaches: field.reach.words(),
    }
}

fn change(change: &Change) -> ReportedChange<'_> {
    let Drift { permissions, within, .. } = &change.drift;
    ReportedChange {
        id: &change.id,
        kind: change.id.kind.name(),
        name: &change.id.name,
        layer: change.id.kind.layer(),
        action: match change.action {
            Action::Create => "create",
            Action::Update => "update",
            Action::Delete => "delete",
            Action::Leave => "leave",
            Action::Stay => "stay",
        },
        reason: &change.reason,
        depends_on: &change.needs,
        depends_on_kinds: change.behind.iter().map(|kind| kind.name()).collect(),
        fields: &change.drift.fields,
        permissions: (!permissions.is_empty() || !within.is_empty()).then_some(Permissions {
            gained: &permissions.gained,
            lost: &permissions.lost,
            within,
        }),
        document: change.drift.document.as_ref(),
        user_data: None,
        image: change.drift.image.as_ref(),
        remark: change.drift.remark,
    }
}
