//! What the Kubernetes API answered when it did not do as asked.

use std::error::Error as _;
use std::fmt;
use std::io;

use kube::core::Status;

use crate::visible::text::visible;

/// Why a request failed, as far as a caller decides on it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Fault {
    /// No answer came.
    Unreachable,
    /// The server, or what it asks in turn, cannot answer now.
    Busy,
    /// There are too many requests.
    Throttled,
    /// A disruption budget has no room now.
    Budget,
    /// Several disruption budgets hold the pod, which the API then never evicts.
    Budgets,
    /// Somebody else wrote in between.
    Conflict,
    /// The namespace is being deleted; its controller deletes what is in it.
    NamespaceEnding,
    /// What a list went on from is not kept any more.
    Expired,
    Missing,
    /// The API does not take the credentials.
    Unauthenticated,
    /// It does not let them do it: a right is missing, or a policy denies it.
    Forbidden,
    /// It will never do it: the request is wrong, or is held to be.
    Refused,
}

impl Fault {
    /// Whether it is over by itself, so that asking again helps.
    pub(crate) fn passes(self) -> bool {
        match self {
            Self::Unreachable
            | Self::Busy
            | Self::Throttled
            | Self::Budget
            | Self::Conflict
            | Self::NamespaceEnding
            | Self::Expired => true,
            Self::Budgets
            | Self::Missing
            | Self::Unauthenticated
            | Self::Forbidden
            | Self::Refused => false,
        }
    }
}

/// What the API server says of several budgets, without a reason (kubernetes,
/// `pkg/registry/core/pod/storage/eviction.go`).
const SEVERAL_BUDGETS: &str = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.";

/// How it says that an object of the name has another UID, with the reason of any conflict
/// (apiserver, `pkg/registry/rest/delete.go` and `pkg/storage/interfaces.go`). No name can hold
/// these.
const OTHER_UID: [&str; 2] =
    ["the UID in the precondition (", "Precondition failed: UID in precondition: "];

/// A request that failed.
#[derive(Clone, Debug)]
pub(crate) struct KubernetesError {
    /// What was to be done, as in "listing nodes".
    pub(crate) what: String,
    pub(crate) fault: Fault,
    pub(crate) message: String,
    /// The object under this name is another than the one that was meant.
    pub(super) is_of_another: bool,
    /// The server said so, where else no answer came.
    pub(super) is_answer: bool,
    /// How long the server asks to be left alone, in seconds.
    pub(super) retry_after: Option<u64>,
}

impl KubernetesError {
    pub(crate) fn new(what: &str, fault: Fault, message: impl Into<String>) -> Self {
        Self {
            what: what.to_owned(),
            fault,
            message: message.into(),
            is_of_another: false,
            is_answer: false,
            retry_after: None,
        }
    }

    /// An answer that is no success. `code` is that of HTTP: a proxy in between answers without
    /// a Status.
    pub(super) fn of_status(
        what: &str,
        code: u16,
        status: &Status,
        retry_after: Option<u64>,
    ) -> Self {
        let message = if status.message.is_empty() { &status.reason } else { &status.message };
        let has_cause = |name: &str| {
            let causes = status.details.iter().flat_map(|details| &details.causes);
            causes.into_iter().any(|cause| cause.reason == name)
        };
        let fault = match code {
            401 => Fault::Unauthenticated,
            403 if has_cause("NamespaceTerminating") => Fault::NamespaceEnding,
            403 => Fault::Forbidden,
            404 => Fault::Missing,
            409 => Fault::Conflict,
            410 => Fault::Expired,
            429 if has_cause("DisruptionBudget") => Fault::Budget,
            429 => Fault::Throttled,
            408 => Fault::Busy,
            500.. if message == SEVERAL_BUDGETS => Fault::Budgets,
            500.. => Fault::Busy,
            _ => Fault::Refused,
        };
        let is_of_another =
            code == 409 && OTHER_UID.iter().any(|sentence| message.contains(sentence));
        Self {
            is_of_another,
            is_answer: true,
            retry_after,
            ..Self::new(what, fault, message.clone())
        }
    }

    pub(super) fn of_call(what: &str, error: &kube::Error) -> Self {
        let mut causes = vec![error.to_string()];
        let mut source = error.source();
        let mut is_late = false;
        while let Some(cause) = source {
            let of_io = cause.downcast_ref::<io::Error>();
            is_late |= of_io.is_some_and(|error| error.kind() == io::ErrorKind::TimedOut);
            causes.push(cause.to_string());
            source = cause.source();
        }
        let fault = match error {
            kube::Error::Service(_) | kube::Error::HyperError(_) if is_late => Fault::Busy,
            kube::Error::Service(_) | kube::Error::HyperError(_) => Fault::Unreachable,
            kube::Error::Auth(_) => Fault::Unauthenticated,
            _ => Fault::Refused,
        };
        // Its own words name the crate's variants; the causes are what a person can use.
        Self::new(what, fault, causes.pop().unwrap_or_default())
    }

    /// What helps.
    pub(crate) fn remedy(&self) -> &'static str {
        match self.fault {
            Fault::Unauthenticated => "Log in to the cluster, and run this again",
            Fault::Forbidden => {
                "Let somebody who may give you the rights that docs/rolling-update.md lists"
            }
            Fault::Unreachable => {
                "Where the cluster has no API any more, --cloudonly replaces instances without it: \
                 their pods are not asked to leave, and nothing is validated"
            }
            fault if fault.passes() => "That passes; run this again in a while",
            _ => "Is that the API of the cluster's Kubernetes?",
        }
    }
}

impl fmt::Display for KubernetesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} failed: {}", visible(&self.what), visible(&self.message))
    }
}

impl std::error::Error for KubernetesError {}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn refusals_that_pass_are_told_from_those_that_never_do() {
        let fault = |code: u16, message: &str, cause: &str| {
            let causes = json!([{"reason": cause, "message": ""}]);
            let status = json!({
                "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                "message": message, "code": code, "details": {"causes": causes},
            });
            let status = serde_json::from_value(status).unwrap();
            KubernetesError::of_status("evicting default/web", code, &status, None).fault
        };
        for (code, message, cause, expected, passes) in [
            (429, "Cannot evict pod", "DisruptionBudget", Fault::Budget, true),
            (429, "too many requests", "", Fault::Throttled, true),
            (403, "unable to create", "NamespaceTerminating", Fault::NamespaceEnding, true),
            (409, "the object has been modified", "", Fault::Conflict, true),
            (500, "etcdserver: request timed out", "", Fault::Busy, true),
            (503, "", "", Fault::Busy, true),
            (
                500,
                "This pod has more than one PodDisruptionBudget, which the eviction subresource \
                 does not support.",
                "",
                Fault::Budgets,
                false,
            ),
            (403, "pods \"web\" is forbidden", "", Fault::Forbidden, false),
            (500, "webhook: no more than one PodDisruptionBudget", "", Fault::Busy, true),
            (422, "denied request: frozen until Monday", "", Fault::Refused, false),
            (422, "denied request: it has a PodDisruptionBudget", "", Fault::Refused, false),
            (400, "continue key is not valid", "", Fault::Refused, false),
            (401, "Unauthorized", "", Fault::Unauthenticated, false),
        ] {
            let found = fault(code, message, cause);
            assert_eq!((found, found.passes()), (expected, passes), "{code} {message}");
        }
    }

    #[test]
    fn another_object_of_the_name_is_told_by_the_whole_sentence() {
        let is_of_another = |message: &str| {
            let status = json!({
                "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                "message": message, "code": 409,
            });
            let status = serde_json::from_value(status).unwrap();
            KubernetesError::of_status("evicting default/web", 409, &status, None).is_of_another
        };
        assert!(is_of_another(
            "Operation cannot be fulfilled on pods \"web\": the UID in the precondition (1) does \
             not match the UID in record (2). The object might have been deleted and then recreated"
        ));
        assert!(is_of_another(
            "Operation cannot be fulfilled on pods \"web\": StorageError: invalid object, Code: 4, \
             Key: /registry/pods/default/web, ResourceVersion: 0, AdditionalErrorMsg: Precondition \
             failed: UID in precondition: 1, UID in object meta: 2"
        ));
        assert!(!is_of_another(
            "Operation cannot be fulfilled on pods \"precondition\": the object has been modified; \
             please apply your changes to the latest version and try again"
        ));
    }
}
