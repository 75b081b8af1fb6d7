//! Shows what is for sale, to browsers behind the CDN: a list and single products, as JSON over a function URL.
//!
//! Read [`flow`] first; it is the whole story. This file connects it to the real services and to Lambda.

pub mod answer;
pub mod flow;
pub mod page;
pub mod report;
pub mod request;
pub mod settings;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use aws_lambda_events::lambda_function_urls::{LambdaFunctionUrlRequest, LambdaFunctionUrlResponse};
use backoff::{Clock, Deadline, Random, SystemClock};
use catalog::{CatalogLister, Listings, RedisSettings};
use data_api::DataApi;
use lambda_runtime::Error;
use telemetry::Emf;

use crate::answer::CacheTimes;
use crate::flow::respond;
use crate::report::Line;
pub use settings::Settings;

/// Kept back from the deadline for the answer itself.
const ANSWER_RESERVE: Duration = Duration::from_millis(300);

/// How long init waits for the first listing: a database that takes longer is resuming, and Lambda ends an init of 10 s.
const FIRST_LISTING: Duration = Duration::from_secs(4);

/// The function behind its clients: built once per instance, cheap to clone, one request after the other or several at
/// once.
#[derive(Debug, Clone)]
pub struct Handler {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    listings: Listings<DataApi<SystemClock>, SystemClock>,
    data_api: DataApi<SystemClock>,
    times: CacheTimes,
    timeout: Duration,
    clock: SystemClock,
    started: AtomicBool,
}

impl Handler {
    /// Builds the clients, opens their connections and reads the listing, so that the first request waits for none of
    /// it.
    ///
    /// A service that does not answer is no reason to fail: the request will find out.
    ///
    /// # Errors
    /// Settings that no service could be reached with.
    pub async fn connect(settings: Settings) -> Result<Self, Error> {
        let clock = SystemClock;
        let random = Random::from_entropy();
        let shared = data_api::sdk_config().await?;
        let data_api = DataApi::new(data_api::client(&shared), settings.database, clock, random.clone());
        let redis = RedisSettings::parse(settings.redis_url.expose())?;
        let listings = Listings::new(data_api.clone(), redis, clock, random.below(u64::MAX));
        if !listings.warm_up().await {
            tracing::warn!(
                "Redis did not answer during init; listings come from the database alone until it does"
            );
        }
        // What goes wrong is logged there, and the first request asks again.
        listings.list(Deadline::after(&clock, FIRST_LISTING)).await;
        let (times, timeout) = (settings.times, settings.timeout);
        let started = AtomicBool::new(false);
        Ok(Self { shared: Arc::new(Shared { listings, data_api, times, timeout, clock, started }) })
    }

    /// Answers one request. `deadline_ms` is the invocation's, Unix milliseconds, as the runtime announces it. Never
    /// fails: what goes wrong is an HTTP status.
    pub async fn handle(
        &self,
        request: LambdaFunctionUrlRequest,
        deadline_ms: u64,
    ) -> LambdaFunctionUrlResponse {
        let Shared { listings, data_api, times, timeout, clock, started } = &*self.shared;
        let began = clock.monotonic();
        let deadline = Deadline::from_lambda(clock, deadline_ms, *timeout).earlier(ANSWER_RESERVE);
        let (answer, report) = respond(listings, *times, &request, deadline).await;
        let line = Line {
            report,
            now_ms: clock.now_ms(),
            duration: clock.monotonic().saturating_sub(began),
            data_api: data_api.take_counts(),
            cold_start: !started.swap(true, Ordering::Relaxed),
        };
        Emf::from(&line).emit();
        answer.into_response()
    }
}
