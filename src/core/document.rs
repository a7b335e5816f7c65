//! Policy documents as AWS holds them.

use super::drift::{DocumentChange, Drift, FieldChange};
use crate::policy::difference;
use crate::policy::document::Document;
use crate::policy::parse::{self, PrincipalRule};

/// A policy document as AWS holds it.
#[derive(Clone, Debug)]
pub(crate) struct LiveDocument {
    pub(crate) text: String,
    /// `None` for what is no policy in the grammar that kapstan knows.
    pub(crate) document: Option<Document>,
}

impl LiveDocument {
    /// IAM gives documents back URL-encoded (RFC 3986).
    pub(crate) fn decode(encoded: &str, principal: PrincipalRule) -> Self {
        let text = percent_encoding::percent_decode_str(encoded).decode_utf8_lossy().into_owned();
        let document = parse::document(&text, principal).ok();
        Self { text, document }
    }

    pub(crate) fn to_json(&self) -> serde_json::Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| self.text.clone().into())
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
