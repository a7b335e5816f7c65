//! The SDK's configuration, which all clients share.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{AppName, BehaviorVersion, Region, SdkConfig};

use super::network::Network;

/// The SDK's configuration from the environment and AWS' own files. Without a region given
/// it is the user's, or the first of AWS.
pub(super) async fn sdk_config(network: &Network, region: Option<&str>) -> SdkConfig {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(5))
        .operation_attempt_timeout(Duration::from_secs(30))
        .build();
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .retry_config(RetryConfig::standard().with_max_attempts(5))
        .timeout_config(timeouts);
    // It goes to what gives credentials too.
    if let Some(client) = &network.http_client {
        loader = loader.http_client(client.clone());
    }
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
