//! Policy documents as AWS holds them.

use super::drift::{DocumentChange, Drift, FieldChange};
use super::fields::{Delta, Value};
use crate::aws::{AwsError, Fault};
use crate::policy::difference::{self, Difference};
use crate::policy::document::Document;
use crate::policy::parse::{self, PrincipalRule};

/// Whether a document is still the one that a plan was made against. IAM knows no condition on
/// writes, so it is read again before each.
///
/// # Errors
/// Somebody has written it, or taken it away, since the plan was made.
pub(crate) fn unchanged(
    operation: &'static str,
    object: impl Into<String>,
    planned: Option<&LiveDocument>,
    found: Option<&LiveDocument>,
) -> Result<(), AwsError> {
    if planned.map(|document| &document.text) == found.map(|document| &document.text) {
        return Ok(());
    }
    Err(AwsError {
        operation,
        object: object.into(),
        fault: Fault::Other,
        message: "it was changed since the plan was made, and is left as it is; look at what it \
                  says now, and run this again"
            .to_owned(),
    })
}

/// A policy document as AWS holds it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LiveDocument {
    pub(crate) text: String,
    /// `None` for what is no policy in the grammar that kapstan knows.
    pub(crate) document: Option<Document>,
}

impl LiveDocument {
    /// IAM gives documents back URL-encoded (RFC 3986).
    pub(crate) fn decode(encoded: &str, principal: PrincipalRule) -> Self {
        let text = percent_encoding::percent_decode_str(encoded).decode_utf8_lossy().into_owned();
        Self::read(text, principal)
    }

    /// Other services give them back as they are.
    pub(crate) fn read(text: String, principal: PrincipalRule) -> Self {
        let document = parse::document(&text, principal).ok();
        Self { text, document }
    }

    pub(crate) fn to_json(&self) -> serde_json::Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| self.text.clone().into())
    }

    /// What it says, where nobody wants anything of it.
    pub(crate) fn granted(&self) -> Drift {
        let mut drift = Drift {
            document: Some(DocumentChange { before: Some(self.to_json()), after: None }),
            ..Drift::default()
        };
        match &self.document {
            Some(document) => drift.permissions.lost.clone_from(&document.statements),
            None => drift.fields.push(FieldChange {
                field: "document".to_owned(),
                before: Some("not understood, so that it may grant anything".to_owned()),
                after: None,
            }),
        }
        drift
    }

    /// What turning this document into `desired` gives and takes, or `None` if they mean
    /// the same.
    pub(crate) fn drift_to(&self, desired: &Document) -> Option<Drift> {
        let mut drift = Drift {
            document: Some(DocumentChange {
                before: Some(self.to_json()),
                after: Some(desired.to_json()),
            }),
            ..Drift::default()
        };
        match &self.document {
            Some(live) if difference::is_same(live, desired) => return None,
            Some(live) => {
                drift.permissions = difference::between(&live.statements, &desired.statements);
                if drift.permissions.is_empty() {
                    drift.fields.push(FieldChange {
                        field: "Version".to_owned(),
                        before: live.version.clone(),
                        after: desired.version.clone(),
                    });
                }
            }
            None => {
                drift.permissions.gained = desired.statements.clone();
                drift.fields.push(FieldChange {
                    field: "document".to_owned(),
                    before: Some("a text that is no policy".to_owned()),
                    after: Some("a policy".to_owned()),
                });
            }
        }
        Some(drift)
    }
}

impl From<&Document> for LiveDocument {
    fn from(document: &Document) -> Self {
        Self { text: document.to_compact(), document: Some(document.clone()) }
    }
}

impl Value for LiveDocument {
    fn tell(&self) -> String {
        self.text.clone()
    }

    fn is(&self, found: &Self) -> bool {
        self.document.as_ref().is_some_and(|wanted| found.drift_to(wanted).is_none())
    }

    /// A difference of documents is one of permissions.
    fn drift(_: &str, delta: &Delta<Self>, drift: &mut Drift) {
        let statements = |side: &Option<Self>| {
            let document = side.as_ref().and_then(|side| side.document.as_ref());
            document.map(|document| document.statements.clone()).unwrap_or_default()
        };
        let wanted = delta.after.as_ref().and_then(|after| after.document.as_ref());
        if let (Some(before), Some(wanted)) = (&delta.before, wanted) {
            let told = before.drift_to(wanted).unwrap_or_default();
            drift.fields.extend(told.fields);
            drift.permissions = told.permissions;
            drift.document = told.document;
            return;
        }
        drift.permissions =
            Difference { gained: statements(&delta.after), lost: statements(&delta.before) };
        drift.document = Some(DocumentChange {
            before: delta.before.as_ref().map(Self::to_json),
            after: delta.after.as_ref().map(Self::to_json),
        });
    }
}
