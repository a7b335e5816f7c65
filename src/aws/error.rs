//! What AWS answered when it did not do as asked: operation, object, code and words.

use std::error::Error as _;
use std::fmt;

use aws_sdk_iam::error::{ProvideErrorMetadata, SdkError};

/// Why a call failed, as far as a caller decides on it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Fault {
    Missing,
    Denied,
    /// The object exists already, or is not as the condition of the call asked.
    Conflict,
    /// Something else still hangs on the object.
    InUse,
    /// There are no credentials, or AWS does not take them.
    Credentials,
    Other,
}

/// A call to AWS that failed.
#[derive(Clone, Debug)]
pub(crate) struct AwsError {
    /// The operation as policies name it: `iam:GetRole`.
    pub(crate) operation: &'static str,
    /// What it was about; may be empty.
    pub(crate) object: String,
    pub(crate) fault: Fault,
    pub(crate) message: String,
}

/// A call that was kept back, and why.
#[derive(Debug, thiserror::Error)]
#[error("it was not sent: {0}")]
pub(super) struct NotSent(pub(super) String);

impl AwsError {
    pub(crate) fn new<E, R>(
        operation: &'static str,
        object: impl Into<String>,
        error: SdkError<E, R>,
    ) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
        R: fmt::Debug + Send + Sync + 'static,
    {
        let object = object.into();
        if let SdkError::ServiceError(service) = &error {
            let code = service.err().code().unwrap_or("an error without a code");
            let words = service.err().message().unwrap_or_default();
            let message = if words.is_empty() { code.into() } else { format!("{code}: {words}") };
            let fault = fault_of(code, words);
            return Self { operation, object, fault, message };
        }
        let mut message = error.to_string();
        let mut fault = Fault::Other;
        let mut source = error.source();
        while let Some(cause) = source {
            if cause.is::<NotSent>() {
                return Self { operation, object, fault: Fault::Other, message: cause.to_string() };
            }
            message = format!("{message}: {cause}");
            source = cause.source();
        }
        if message.contains("credentials") {
            fault = Fault::Credentials;
        }
        if message.contains("no providers in chain provided credentials") {
            message = "no AWS credentials were found; set AWS_PROFILE or AWS_ACCESS_KEY_ID and \
                       AWS_SECRET_ACCESS_KEY, or log in with your usual tool"
                .to_owned();
        }
        Self { operation, object, fault, message }
    }
}

fn fault_of(code: &str, words: &str) -> Fault {
    match code {
        "NoSuchEntity"
        | "NoSuchKey"
        | "NoSuchBucket"
        | "NotFound"
        | "NoSuchHostedZone"
        | "LoadBalancerNotFound"
        | "TargetGroupNotFound"
        | "ListenerNotFound"
        | "Gateway.NotAttached"
        | "InvalidLaunchTemplateName.NotFoundException" => Fault::Missing,
        code if code.ends_with(".NotFound") || code.ends_with("NotFoundException") => {
            Fault::Missing
        }
        // Auto Scaling has one code for all that is wrong.
        "ValidationError"
            if words.contains("not found") || words.contains("Invalid IAM Instance Profile") =>
        {
            Fault::Missing
        }
        "DependencyViolation"
        | "ResourceInUse"
        | "ResourceInUseFault"
        | "ResourceInUseException"
        | "ScalingActivityInProgress"
        | "DeleteConflict"
        | "VolumeInUse"
        | "InvalidIPAddress.InUse"
        | "InvalidGroup.InUse"
        | "AuthFailure.ElasticIpInUse" => Fault::InUse,
        "AccessDenied" | "AccessDeniedException" | "UnauthorizedOperation" | "Forbidden" => {
            Fault::Denied
        }
        "InvalidPermission.Duplicate"
        | "EntityAlreadyExists"
        | "PreconditionFailed"
        | "ConditionalRequestConflict" => Fault::Conflict,
        "ExpiredToken"
        | "ExpiredTokenException"
        | "InvalidClientTokenId"
        | "UnrecognizedClientException"
        | "SignatureDoesNotMatch"
        | "InvalidAccessKeyId" => Fault::Credentials,
        _ => Fault::Other,
    }
}

impl fmt::Display for AwsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.operation)?;
        if !self.object.is_empty() {
            write!(f, " of {}", self.object)?;
        }
        write!(f, " failed: {}", self.message)
    }
}

impl std::error::Error for AwsError {}
