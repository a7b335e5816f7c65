//! AWS: clients, identity, and errors in our own words.
//!
//! Besides this room only those of the services name types of the SDK. Everyone else
//! sees [`Aws`], which is handed through, and [`AwsError`].

mod answer;
pub(crate) mod batch;
pub(crate) mod bucket;
mod config;
pub(crate) mod ec2;
mod error;
pub(crate) mod network;
mod once;
pub(crate) mod tags;
pub(crate) mod target;
mod trust;

use std::fmt;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use aws_sdk_iam::config::interceptors::{
    BeforeDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextRef,
};
use aws_sdk_iam::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_iam::error::BoxError;
use aws_sdk_iam::primitives::{DateTime, DateTimeFormat};

pub(crate) use answer::Answer;
use error::NotSent;
pub(crate) use error::{AwsError, Fault, done, of_record_change};
use network::Network;
pub(crate) use once::sent_once;
use target::Admitted;

/// The clients of one region, with one count of calls.
#[derive(Clone, Debug)]
pub(crate) struct Aws {
    pub(crate) autoscaling: aws_sdk_autoscaling::Client,
    pub(crate) ec2: aws_sdk_ec2::Client,
    pub(crate) elb: aws_sdk_elasticloadbalancing::Client,
    pub(crate) elbv2: aws_sdk_elasticloadbalancingv2::Client,
    pub(crate) events: aws_sdk_eventbridge::Client,
    pub(crate) iam: aws_sdk_iam::Client,
    pub(crate) route53: aws_sdk_route53::Client,
    pub(crate) sqs: aws_sdk_sqs::Client,
    pub(crate) ssm: aws_sdk_ssm::Client,
    account: String,
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
    /// Clients for where a cluster is. Credentials, endpoint (`AWS_ENDPOINT_URL`), proxy and trust
    /// (`AWS_CA_BUNDLE`) come from where every AWS tool takes them.
    pub(crate) async fn connect(network: &Network, admitted: &Admitted) -> Self {
        let target = admitted.target();
        let config = config::sdk_config(network, Some(&target.region)).await;
        let calls = Calls::default();
        // Whose the credentials are was asked to get here.
        calls.count.store(1, Ordering::Relaxed);
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
            events: client!(aws_sdk_eventbridge),
            iam: client!(aws_sdk_iam),
            route53: client!(aws_sdk_route53),
            sqs: client!(aws_sdk_sqs),
            ssm: client!(aws_sdk_ssm),
            account: target.account.clone(),
            calls,
        }
    }

    /// The number of the account that the credentials belong to.
    pub(crate) fn account(&self) -> &str {
        &self.account
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
