//! Builds the SDK's configuration and client, with everything explicit that its defaults would decide.

use aws_config::environment::{EnvironmentVariableCredentialsProvider, EnvironmentVariableRegionProvider};
use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_rdsdata::Client;
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use backoff::CONNECT_TIMEOUT;

use crate::Error;

/// What the SDK shares between services: region, credentials and endpoints from the environment, one HTTP client.
///
/// Lambda sets all of them (`AWS_REGION`, `AWS_ACCESS_KEY_ID` …), and `AWS_ENDPOINT_URL_RDS_DATA` or
/// `AWS_ENDPOINT_URL_SQS` redirect a service. Nothing else is looked at: the SDK's default chain would read
/// `~/.aws/config` and, where a variable is missing, wait for the instance metadata service, which Lambda has not got.
///
/// # Errors
/// [`Error::NoRegion`] if the environment names no region.
pub async fn sdk_config() -> Result<SdkConfig, Error> {
    let shared = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .region(EnvironmentVariableRegionProvider::new())
        .credentials_provider(EnvironmentVariableCredentialsProvider::new())
        .profile_files(no_files())
        .http_client(http_client())
        .load()
        .await;
    if shared.region().is_none() { Err(Error::NoRegion) } else { Ok(shared) }
}

/// Stands for the files in `~/.aws`. One without content, because the builder panics without any.
#[expect(
    deprecated,
    reason = "the loader takes these types, and their new names are in a crate that only it should know"
)]
fn no_files() -> aws_config::profile::profile_file::ProfileFiles {
    use aws_config::profile::profile_file::{ProfileFileKind, ProfileFiles};
    ProfileFiles::builder().with_contents(ProfileFileKind::Config, "").build()
}

/// The HTTP client for all services: one pool, one TLS stack, rustls on ring. With the SDK's default, aws-lc, the first
/// TLS call of a process costs 30 ms of CPU more.
#[must_use]
pub fn http_client() -> SharedHttpClient {
    Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https()
}

/// A Data API client that makes one attempt per call, and waits for it as long as it takes: [`DataApi`](crate::DataApi)
/// gives each attempt its limit, which is another one each time, and would else be a configuration of its own for every
/// call.
///
/// Stalled-stream protection is off: it watches the throughput of streamed bodies, while ours are small, read whole, and
/// bounded by the attempt's timeout. It could only end a slow call early, and leave its outcome unknown.
#[must_use]
pub fn client(shared: &SdkConfig) -> Client {
    let config = aws_sdk_rdsdata::config::Builder::from(shared)
        .behavior_version(BehaviorVersion::v2026_01_12())
        .retry_config(RetryConfig::standard().with_max_attempts(1))
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .timeout_config(TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).build())
        .build();
    Client::from_conf(config)
}
