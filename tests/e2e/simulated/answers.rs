//! What the API answers with: objects, and Statuses in the words of kube-apiserver 1.34.

use axum::Json as Body;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value as Json, json};

pub fn object(code: StatusCode, object: &Json) -> Response {
    (code, Body(object)).into_response()
}

pub fn success(code: StatusCode) -> Response {
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success",
        "code": code.as_u16(),
    });
    object(code, &status)
}

/// A refusal, and what it is about.
pub struct Refusal {
    code: u16,
    reason: &'static str,
    message: String,
    cause: Option<(&'static str, String)>,
    retry_after: Option<u32>,
}

impl Refusal {
    pub fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self { code, reason, message: message.into(), cause: None, retry_after: None }
    }

    pub fn because(self, reason: &'static str, message: impl Into<String>) -> Self {
        Self { cause: Some((reason, message.into())), ..self }
    }

    pub fn after(self, seconds: u32) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }

    pub fn missing(resource: &str, name: &str) -> Self {
        Self::new(404, "NotFound", format!("{resource} {name:?} not found"))
    }

    pub fn invalid(node: &str, field: &str, problem: &str) -> Self {
        let message = format!("Node {node:?} is invalid: {field}: {problem}");
        Self::new(422, "Invalid", message)
    }

    pub fn stale(resource: &str, name: &str) -> Self {
        let message = format!(
            "Operation cannot be fulfilled on {resource} {name:?}: the object has been modified; \
             please apply your changes to the latest version and try again"
        );
        Self::new(409, "Conflict", message)
    }

    pub fn another(kind: &str, name: &str, asked: &str, kept: &str) -> Self {
        let message = format!(
            "Operation cannot be fulfilled on {kind} {name:?}: the UID in the precondition \
             ({asked}) does not match the UID in record ({kept}). The object might have been \
             deleted and then recreated"
        );
        Self::new(409, "Conflict", message)
    }

    pub fn throttled(seconds: u32) -> Self {
        let message = "too many requests, please try again later";
        Self::new(429, "TooManyRequests", message).after(seconds)
    }

    pub fn answer(self) -> Response {
        let mut details = json!({});
        if let Some((reason, message)) = &self.cause {
            details["causes"] = json!([{"reason": reason, "message": message}]);
        }
        if let Some(seconds) = self.retry_after {
            details["retryAfterSeconds"] = json!(seconds);
        }
        let mut status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": self.message, "code": self.code, "details": details,
        });
        if !self.reason.is_empty() {
            status["reason"] = json!(self.reason);
        }
        let mut answer = object(StatusCode::from_u16(self.code).unwrap(), &status);
        if let Some(seconds) = self.retry_after {
            answer.headers_mut().insert("retry-after", HeaderValue::from(seconds));
        }
        answer
    }
}
