//! What AWS answered when it did not do as asked: operation, object, code and words.

use std::error::Error as _;
use std::fmt;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_iam::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_route53::operation::change_resource_record_sets::ChangeResourceRecordSetsError;

use crate::visible::text::visible;

/// Why a call failed, as far as a caller decides on it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Fault {
    Missing,
    Denied,
    /// The object exists already, or is not as the condition of the call asked.
    Conflict,
    /// Something else hangs on the object; whether that passes, AWS does not say.
    InUse,
    /// AWS is at work on the object, and will be done by itself.
    Busy,
    /// There are no credentials, or AWS does not take them.
    Credentials,
    /// The client token of the call was used with other parameters.
    TokenUsed,
    /// AWS failed itself, and may have carried the call out or not.
    Internal,
    /// No answer came; AWS may have carried the call out or not.
    Unanswered,
    /// The region does not have the operation.
    Lacking,
    Other,
}

const NO_CREDENTIALS: &str = "no AWS credentials were found; set AWS_PROFILE or AWS_ACCESS_KEY_ID \
                              and AWS_SECRET_ACCESS_KEY, or log in with your usual tool";

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
    /// A call that was not sent, because its input does not hold together.
    pub(crate) fn unbuilt(
        operation: &'static str,
        object: impl Into<String>,
        error: impl fmt::Display,
    ) -> Self {
        let message = format!("the call could not be put together: {error}");
        Self { operation, object: object.into(), fault: Fault::Other, message }
    }

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
            let known = service.err().code();
            let code = known.unwrap_or("an error without a code");
            let words = service.err().message().unwrap_or_default();
            let message = if words.is_empty() { code.into() } else { format!("{code}: {words}") };
            let fault = known.map_or(Fault::Internal, |code| fault_of(code, words));
            return Self { operation, object, fault, message };
        }
        let mut message = error.to_string();
        let mut fault = match error {
            SdkError::ConstructionFailure(_) => Fault::Other,
            _ => Fault::Unanswered,
        };
        let mut source = error.source();
        while let Some(cause) = source {
            if cause.is::<NotSent>() {
                return Self { operation, object, fault: Fault::Other, message: cause.to_string() };
            }
            match cause.downcast_ref() {
                Some(CredentialsError::CredentialsNotLoaded(_)) => {
                    let message = NO_CREDENTIALS.to_owned();
                    return Self { operation, object, fault: Fault::Credentials, message };
                }
                Some(_) => fault = Fault::Credentials,
                None => {}
            }
            message = format!("{message}: {cause}");
            source = cause.source();
        }
        Self { operation, object, fault, message }
    }
}

/// A change of records that Route 53 refused. It has no code of its own for a record that is
/// gone, and tells what is wrong in a list of its own (Route 53 API Reference,
/// `InvalidChangeBatch`).
pub(crate) fn of_record_change(
    object: impl Into<String>,
    error: SdkError<ChangeResourceRecordSetsError>,
) -> AwsError {
    let told: Vec<String> = match error.as_service_error() {
        Some(ChangeResourceRecordSetsError::InvalidChangeBatch(batch)) => {
            batch.messages().iter().cloned().chain(batch.message().map(str::to_owned)).collect()
        }
        _ => Vec::new(),
    };
    let mut error = AwsError::new("route53:ChangeResourceRecordSets", object, error);
    if !told.is_empty() {
        error.message = format!("InvalidChangeBatch: {}", told.join("; "));
    }
    if told.iter().any(|text| is_gone_record(text)) {
        error.fault = Fault::Missing;
    }
    if told.iter().any(|text| is_existing_record(text)) {
        error.fault = Fault::Conflict;
    }
    error
}

/// What is told of the one change of a batch.
fn is_gone_record(words: &str) -> bool {
    tells_of_record(words, "Tried to delete resource record set [", "] but it was not found")
}

fn is_existing_record(words: &str) -> bool {
    tells_of_record(words, "Tried to create resource record set [", "] but it already exists")
}

fn tells_of_record(words: &str, begin: &str, end: &str) -> bool {
    let words = words.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(words);
    words.starts_with(begin) && words.ends_with(end)
}

/// Whether Auto Scaling, which has one code for all that is wrong, says that something is not
/// there. These are its sentences, the names in them left out.
fn tells_absence(words: &str) -> bool {
    const NOT_FOUND: [&str; 3] = [
        "AutoScalingGroup name not found - ", "Launch configuration name not found - ",
        "Instance Id not found - ",
    ];
    let of_template = words.strip_prefix("You must use a valid fully-formed launch template. ");
    let is_profile = |rest: &str| {
        rest.trim_end_matches('.').ends_with(" is invalid. Invalid IAM Instance Profile name")
    };
    NOT_FOUND.iter().any(|begin| words.starts_with(begin)) || of_template.is_some_and(is_profile)
}

fn fault_of(code: &str, words: &str) -> Fault {
    match code {
        "NoSuchEntity"
        | "NoSuchEntityException"
        | "NoSuchKey"
        | "NoSuchBucket"
        | "NoSuchHostedZone"
        | "QueueDoesNotExist"
        | "AWS.SimpleQueueService.NonExistentQueue"
        | "Gateway.NotAttached" => Fault::Missing,
        code if code.ends_with("NotFound") || code.ends_with("NotFoundException") => Fault::Missing,
        "ValidationError" if tells_absence(words) => Fault::Missing,
        // EventBridge has no code of its own for a rule that has targets.
        "ValidationException" if words == "Rule can't be deleted since it has targets." => {
            Fault::InUse
        }
        "DependencyViolation"
        | "ResourceInUse"
        | "ResourceInUseFault"
        | "ResourceInUseException"
        | "DeleteConflict"
        | "VolumeInUse"
        | "InvalidIPAddress.InUse"
        | "InvalidGroup.InUse"
        | "AuthFailure.ElasticIpInUse" => Fault::InUse,
        "ScalingActivityInProgress"
        | "ScalingActivityInProgressFault"
        | "ResourceContention"
        | "ResourceContentionFault"
        | "ConcurrentModification"
        | "ConcurrentModificationException"
        // The name of a queue is free a minute after the queue is deleted.
        | "QueueDeletedRecently"
        | "AWS.SimpleQueueService.QueueDeletedRecently" => Fault::Busy,
        "AccessDenied" | "AccessDeniedException" | "UnauthorizedOperation" | "Forbidden" => {
            Fault::Denied
        }
        "InvalidPermission.Duplicate"
        | "InvalidGroup.Duplicate"
        | "InvalidKeyPair.Duplicate"
        | "InvalidSubnet.Conflict"
        | "InvalidLaunchTemplateName.AlreadyExistsException"
        | "RouteAlreadyExists"
        | "Resource.AlreadyAssociated"
        | "EntityAlreadyExists"
        | "AlreadyExists"
        | "AlreadyExistsFault"
        | "DuplicateLoadBalancerName"
        | "DuplicateTargetGroupName"
        | "DuplicateListener"
        | "ConflictingDomainExists"
        | "QueueAlreadyExists"
        | "QueueNameExists"
        | "PreconditionFailed"
        | "ConditionalRequestConflict" => Fault::Conflict,
        // IAM has no code of its own for a profile that has its one role already.
        "LimitExceeded"
            if words
                .starts_with("Cannot exceed quota for InstanceSessionsPerInstanceProfile: ") =>
        {
            Fault::Conflict
        }
        "IdempotentParameterMismatch" => Fault::TokenUsed,
        "InternalError"
        | "InternalFailure"
        | "InternalServiceError"
        | "ServerInternal"
        | "ServiceFailure"
        | "ServiceUnavailable"
        | "Unavailable"
        | "RequestTimeout" => Fault::Internal,
        "InvalidAction"
        | "UnknownOperation"
        | "UnknownOperationException"
        | "UnsupportedOperation"
        | "UnsupportedOperationException" => Fault::Lacking,
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
            write!(f, " of {}", visible(&self.object))?;
        }
        write!(f, " failed: {}", visible(&self.message))
    }
}

impl std::error::Error for AwsError {}

/// An answer that tells nothing but that it was done.
pub(crate) fn done<T, E, R>(
    operation: &'static str,
    object: &str,
    answer: Result<T, SdkError<E, R>>,
) -> Result<(), AwsError>
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    answer.map(|_| ()).map_err(|error| AwsError::new(operation, object, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How AWS says that something is gone: by what was asked for, code and words.
    const GONE: &[(&str, &str, &str)] = &[
        ("ec2:TerminateInstances", "InvalidInstanceID.NotFound", ""),
        ("ec2:DeleteLaunchTemplate", "InvalidLaunchTemplateId.NotFound", ""),
        ("ec2:DeleteLaunchTemplate", "InvalidLaunchTemplateId.NotFoundException", ""),
        ("ec2:DeleteLaunchTemplate", "InvalidLaunchTemplateName.NotFoundException", ""),
        ("ec2:DeleteVolume", "InvalidVolume.NotFound", ""),
        ("ec2:DeleteKeyPair", "InvalidKeyPair.NotFound", ""),
        ("ec2:DeleteSecurityGroup", "InvalidGroup.NotFound", ""),
        ("ec2:DeleteSecurityGroup", "InvalidGroupId.NotFound", ""),
        ("ec2:RevokeSecurityGroupIngress", "InvalidPermission.NotFound", ""),
        ("ec2:RevokeSecurityGroupIngress", "InvalidSecurityGroupRuleId.NotFound", ""),
        ("ec2:DeleteNatGateway", "NatGatewayNotFound", ""),
        ("ec2:DeleteNatGateway", "InvalidNatGatewayID.NotFound", ""),
        ("ec2:ReleaseAddress", "InvalidAllocationID.NotFound", ""),
        ("ec2:ReleaseAddress", "InvalidAddress.NotFound", ""),
        ("ec2:ReleaseAddress", "InvalidAddressID.NotFound", ""),
        ("ec2:DetachInternetGateway", "Gateway.NotAttached", ""),
        ("ec2:DeleteInternetGateway", "InvalidInternetGatewayID.NotFound", ""),
        ("ec2:DisassociateRouteTable", "InvalidAssociationID.NotFound", ""),
        ("ec2:DeleteRouteTable", "InvalidRouteTableID.NotFound", ""),
        ("ec2:DeleteSubnet", "InvalidSubnetID.NotFound", ""),
        ("ec2:DeleteVpc", "InvalidVpcID.NotFound", ""),
        ("ec2:DeleteDhcpOptions", "InvalidDhcpOptionID.NotFound", ""),
        ("ec2:DeleteDhcpOptions", "InvalidDhcpOptionsID.NotFound", ""),
        ("ec2:DescribeNetworkInterfaces", "InvalidNetworkInterfaceID.NotFound", ""),
        ("elasticloadbalancing:DeleteLoadBalancer", "LoadBalancerNotFound", ""),
        ("elasticloadbalancing:DeleteLoadBalancer", "AccessPointNotFound", ""),
        ("elasticloadbalancing:DeleteTargetGroup", "TargetGroupNotFound", ""),
        ("elasticloadbalancing:DeleteListener", "ListenerNotFound", ""),
        ("iam:DeleteRole", "NoSuchEntity", ""),
        ("iam:DeleteRole", "NoSuchEntityException", ""),
        ("route53:ChangeResourceRecordSets", "NoSuchHostedZone", ""),
        ("sqs:DeleteQueue", "QueueDoesNotExist", ""),
        ("sqs:DeleteQueue", "AWS.SimpleQueueService.NonExistentQueue", ""),
        ("events:DeleteRule", "ResourceNotFoundException", ""),
        (
            "autoscaling:DeleteAutoScalingGroup",
            "ValidationError",
            "AutoScalingGroup name not found - AutoScalingGroup 'nodes' not found",
        ),
        (
            "autoscaling:DeleteLaunchConfiguration",
            "ValidationError",
            "Launch configuration name not found - Launch configuration nodes not found",
        ),
        (
            "autoscaling:TerminateInstanceInAutoScalingGroup",
            "ValidationError",
            "Instance Id not found - No managed instance found for instance ID: i-1",
        ),
        (
            "autoscaling:CreateAutoScalingGroup",
            "ValidationError",
            "You must use a valid fully-formed launch template. Value (nodes) for parameter \
             iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name",
        ),
    ];

    #[test]
    fn what_is_gone_is_told_from_all_else() {
        for (operation, code, words) in GONE {
            assert_eq!(fault_of(code, words), Fault::Missing, "{operation}: {code} {words}");
        }
        for code in ["ValidationError", "DependencyViolation", "InvalidParameterValue"] {
            assert_ne!(fault_of(code, "Value is too long"), Fault::Missing, "{code}");
        }
    }

    /// Names and messages that hold the words of a fault are told back by AWS.
    #[test]
    fn words_in_a_message_are_no_fault_of_themselves() {
        for (code, words) in [
            ("ValidationError", "The group not found-nodes has instances"),
            ("ValidationError", "1 validation error: AutoScalingGroup name not found - x"),
            ("ValidationError", "Invalid IAM Instance Profile nodes is tagged"),
            ("LimitExceeded", "Quota of role InstanceSessionsPerInstanceProfile exceeded"),
            ("Throttling", "credentials not found"),
        ] {
            assert_eq!(fault_of(code, words), Fault::Other, "{code}: {words}");
        }
    }

    #[test]
    fn a_record_is_gone_by_the_whole_sentence() {
        let sentence = "Tried to delete resource record set [name='api.a.com.', type='A'] but it was not found";
        assert!(is_gone_record(sentence));
        assert!(is_gone_record(&format!("[{sentence}]")));
        for other in [
            "Tried to create resource record set [name='but it was not found', type='A'] but it \
             already exists",
            "RRSet with DNS name but it was not found is not permitted in zone a.com.",
        ] {
            assert!(!is_gone_record(other), "{other}");
        }
    }

    fn unsent(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> AwsError {
        type Call = SdkError<aws_sdk_iam::operation::get_role::GetRoleError, String>;
        AwsError::new("iam:GetRole", "nodes", Call::construction_failure(cause))
    }

    #[test]
    fn missing_credentials_are_known_by_type() {
        let none = unsent(CredentialsError::not_loaded("nothing"));
        assert_eq!((none.fault, none.message.as_str()), (Fault::Credentials, NO_CREDENTIALS));
        let broken = unsent(CredentialsError::provider_error("the process ended with 1"));
        assert_eq!(broken.fault, Fault::Credentials);
        assert!(broken.message.contains("the process ended with 1"), "{}", broken.message);
        let other = unsent("no host credentials.example.com");
        assert_ne!(other.fault, Fault::Credentials);
    }

    #[test]
    fn what_passes_is_told_from_what_may_not() {
        for code in ["ScalingActivityInProgress", "ResourceContention", "ConcurrentModification"] {
            assert_eq!(fault_of(code, ""), Fault::Busy, "{code}");
        }
        for code in ["DependencyViolation", "DeleteConflict", "ResourceInUse", "VolumeInUse"] {
            assert_eq!(fault_of(code, ""), Fault::InUse, "{code}");
        }
    }
}
