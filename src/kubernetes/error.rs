//! What the Kubernetes API answered when it did not do as asked.

use std::error::Error as _;
use std::fmt;

/// Why a request failed, as far as a caller decides on it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Fault {
    /// No answer came.
    Unreachable,
    /// The API does not take the credentials, or does not let them do it.
    Denied,
    Missing,
    /// A disruption budget stands in the way, or there are too many requests.
    TooMany,
    Other,
}

/// A request that failed.
#[derive(Clone, Debug)]
pub(crate) struct KubernetesError {
    /// What was to be done, as in "listing nodes".
    pub(crate) what: String,
    pub(crate) fault: Fault,
    pub(crate) message: String,
}

impl KubernetesError {
    pub(super) fn new(what: impl Into<String>, error: &kube::Error) -> Self {
        let what = what.into();
        if let kube::Error::Api(status) = error {
            let fault = match status.code {
                401 | 403 => Fault::Denied,
                404 => Fault::Missing,
                429 => Fault::TooMany,
                500.. => Fault::Unreachable,
                _ => Fault::Other,
            };
            let message = if status.message.is_empty() { &status.reason } else { &status.message };
            return Self { what, fault, message: message.clone() };
        }
        let fault = match error {
            kube::Error::Service(_) | kube::Error::HyperError(_) => Fault::Unreachable,
            kube::Error::Auth(_) => Fault::Denied,
            _ => Fault::Other,
        };
        // Its own words name the crate's variants; the causes are what a person can use.
        let mut message = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            message = cause.to_string();
            source = cause.source();
        }
        Self { what, fault, message }
    }
}

impl fmt::Display for KubernetesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} failed: {}", self.what, self.message)
    }
}

impl std::error::Error for KubernetesError {}
