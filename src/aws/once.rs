//! Calls that create something and take no client token: sent once, since a second one would
//! create a second thing.

use std::fmt;
use std::marker::PhantomData;

use aws_sdk_ec2::config::interceptors::InterceptorContext;
use aws_sdk_ec2::config::retry::{ClassifyRetry, RetryAction};
use aws_sdk_ec2::error::ProvideErrorMetadata;

/// With these EC2 refuses a call for its rate before it does anything (EC2 API Reference,
/// "Request throttling"; the list is the SDK's).
const THROTTLED: [&str; 8] = [
    "RequestLimitExceeded", "Throttling", "ThrottlingException", "ThrottledException",
    "RequestThrottled", "RequestThrottledException", "TooManyRequestsException",
    "EC2ThrottledException",
];

/// Lets the SDK repeat a call only where AWS refused it for its rate. `E` is the call's own
/// error.
struct Once<E>(PhantomData<fn() -> E>);

/// What a call is sent with that must not be repeated.
pub(crate) fn sent_once<E>() -> aws_sdk_ec2::config::Builder
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    aws_sdk_ec2::config::Config::builder().retry_classifier(Once::<E>(PhantomData))
}

impl<E> fmt::Debug for Once<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Once")
    }
}

impl<E> ClassifyRetry for Once<E>
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let Some(Err(error)) = context.output_or_error() else {
            return RetryAction::NoActionIndicated;
        };
        let error = error.as_operation_error().and_then(|error| error.downcast_ref::<E>());
        match error.and_then(ProvideErrorMetadata::code) {
            Some(code) if THROTTLED.contains(&code) => RetryAction::NoActionIndicated,
            _ => RetryAction::RetryForbidden,
        }
    }

    fn name(&self) -> &'static str {
        "Once"
    }
}
