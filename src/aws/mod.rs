//! AWS: clients, identity, and errors in our own words.
//!
//! Besides this room only those of the services name types of the SDK. Everyone else
//! sees [`Aws`], which is handed through, and [`AwsError`].

mod answer;
pub(crate) mod batch;
pub(crate) mod bucket;
pub(crate) mod ec2;
mod error;
mod once;
pub(crate) mod tags;

use std::fmt;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{AppName, BehaviorVersion, Region, SdkConfig};
use aws_sdk_iam::config::interceptors::{
    BeforeDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextRef,
};
use aws_sdk_iam::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_iam::error::BoxError;
use aws_sdk_iam::primitives::{DateTime, DateTimeFormat};

pub(crate) use answer::Answer;
use error::NotSent;
pub(crate) use error::{AwsError, Fault, done, of_record_change};
pub(crate) use once::sent_once;

/// The clients of one region, with one count of calls.
#[derive(Clone, Debug)]
pub(crate) struct Aws {
    pub(crate) autoscaling: aws_sdk_autoscaling::Client,
    pub(crate) ec2: aws_sdk_ec2::Client,
    pub(crate) elb: aws_sdk_elasticloadbalancing::Client,
    pub(crate) elbv2: aws_sdk_elasticloadbalancingv2::Client,
    pub(crate) iam: aws_sdk_iam::Client,
    pub(crate) route53: aws_sdk_route53::Client,
    pub(crate) ssm: aws_sdk_ssm::Client,
    sts: aws_sdk_sts::Client,
    calls: Calls,
}

/// Counts what is sent to AWS, repeated attempts included, keeps it back when asked to, and
/// keeps the time of the answers.
#[derive(Clone, Default)]
pub(crate) struct Calls {
    count: Arc<AtomicUsize>,
    gate: Arc<OnceLock<Gate>>,
    /// Seconds since 1970; 0 before the first answer.
    answered: Arc<AtomicI64>,
}

/// Why nothing may be sent, if that is so.
type Gate = Box<dyn Fn() -> Result<(), String> + Send + Sync>;

impl fmt::Debug for Calls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Calls").field("count", &self.count).finish_non_exhaustive()
    }
}

impl Intercept for Calls {
    fn name(&self) -> &'static str {
        "Calls"
    }

    fn read_before_transmit(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(gate) = self.gate.get() {
            gate().map_err(NotSent)?;
        }
        self.count.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let date = context.response().headers().get("date");
        let date = date.and_then(|date| DateTime::from_str(date, DateTimeFormat::HttpDate).ok());
        if let Some(date) = date {
            self.answered.store(date.secs(), Ordering::Relaxed);
        }
        Ok(())
    }
}

impl Aws {
    /// Clients for a region. Credentials, endpoint (`AWS_ENDPOINT_URL`) and proxy come from
    /// where every AWS tool takes them.
    pub(crate) async fn connect(region: &str) -> Self {
        let config = sdk_config(Some(region)).await;
        let calls = Calls::default();
        macro_rules! client {
            ($sdk:ident) => {{
                let config = $sdk::config::Builder::from(&config).interceptor(calls.clone());
                $sdk::Client::from_conf(config.build())
            }};
        }
        Self {
            autoscaling: client!(aws_sdk_autoscaling),
            ec2: client!(aws_sdk_ec2),
            elb: client!(aws_sdk_elasticloadbalancing),
            elbv2: client!(aws_sdk_elasticloadbalancingv2),
            iam: client!(aws_sdk_iam),
            route53: client!(aws_sdk_route53),
            ssm: client!(aws_sdk_ssm),
            sts: client!(aws_sdk_sts),
            calls,
        }
    }

    /// The number of the account that the credentials belong to.
    pub(crate) async fn account(&self) -> Result<String, AwsError> {
        const OPERATION: &str = "sts:GetCallerIdentity";
        let answer = self.sts.get_caller_identity().send().await;
        let answer = answer.map_err(|error| AwsError::new(OPERATION, "", error))?;
        Answer::of(OPERATION, "").text("Account", answer.account())
    }

    /// How many requests were sent so far.
    pub(crate) fn calls(&self) -> usize {
        self.calls.count.load(Ordering::Relaxed)
    }

    /// The time by AWS' own clock when it last answered, in seconds since 1970.
    pub(crate) fn time(&self) -> Option<i64> {
        Some(self.calls.answered.load(Ordering::Relaxed)).filter(|time| *time > 0)
    }

    /// From here on nothing is sent, repeated attempts included, unless `gate` allows it.
    pub(crate) fn send_through(
        &self,
        gate: impl Fn() -> Result<(), String> + Send + Sync + 'static,
    ) {
        #[expect(
            clippy::let_underscore_must_use,
            reason = "the first gate stays: one run holds one lock"
        )]
        let _ = self.calls.gate.set(Box::new(gate));
    }
}

/// The SDK's configuration from the environment and AWS' own files. Without a region given
/// it is the user's, or the first of AWS.
async fn sdk_config(region: Option<&str>) -> SdkConfig {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(5))
        .operation_attempt_timeout(Duration::from_secs(30))
        .build();
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .retry_config(RetryConfig::standard().with_max_attempts(5))
        .timeout_config(timeouts);
    // In CloudTrail it tells who called.
    if let Ok(name) = AppName::new(concat!("kapstan-", env!("CARGO_PKG_VERSION"))) {
        loader = loader.app_name(name);
    }
    match region {
        Some(region) => loader.region(Region::new(region.to_owned())).load().await,
        None => {
            let fallback = aws_config::meta::region::RegionProviderChain::default_provider()
                .or_else("us-east-1");
            loader.region(fallback).load().await
        }
    }
}
