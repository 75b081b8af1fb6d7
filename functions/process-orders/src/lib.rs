//! Accepts orders: from the queue, through the catalog, into Aurora with one call per batch.
//!
//! Read [`flow`] first; it is the whole story. This file connects it to the real services and to Lambda.

mod decode;
mod events;
pub mod flow;
mod payment;
mod pricing;
pub mod report;
pub mod settings;
mod verdict;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use aws_lambda_events::event::sqs::SqsBatchResponse;
use backoff::{Clock, Deadline, Random, SystemClock};
use catalog::{Catalog, RedisSettings};
use data_api::DataApi;
use lambda_runtime::Error;
use order_store::{Aurora, SentEvents};
use queue::{Batch, Queues, Sqs};
use telemetry::Emf;

use crate::flow::{Doors, process};
use crate::report::Line;
pub use settings::Settings;

type RealDoors =
    Doors<Aurora<SystemClock>, Catalog<DataApi<SystemClock>, SystemClock>, Sqs<SystemClock>, SystemClock>;

/// The function behind its clients: built once per instance, cheap to clone, one batch after the other or several
/// at once.
#[derive(Debug, Clone)]
pub struct Handler {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    doors: RealDoors,
    data_api: DataApi<SystemClock>,
    timeout: Duration,
    started: AtomicBool,
}

impl Handler {
    /// Builds the clients and opens their connections, so that the first order waits for none of it.
    ///
    /// A service that does not answer is no reason to fail: the batch will find out, and hand its records back.
    ///
    /// # Errors
    /// Settings that no service could be reached with.
    pub async fn connect(settings: Settings) -> Result<Self, Error> {
        let clock = SystemClock;
        let random = Random::from_entropy();
        let shared = data_api::sdk_config().await?;
        let data_api = DataApi::new(data_api::client(&shared), settings.database, clock, random.clone());
        let redis = RedisSettings::parse(settings.redis_url.expose())?;
        let doors = Doors {
            store: Aurora::new(data_api.clone()),
            catalog: Catalog::new(data_api.clone(), redis, clock, random.below(u64::MAX)),
            queue: Sqs::new(queue::client(&shared), clock, random.clone()),
            clock,
            random,
            queues: Queues { source: settings.orders, quarantine: settings.quarantine },
            payments: settings.payments,
            order_events: settings.order_events,
            sent: SentEvents::default(),
        };
        warm_up(&doors, &data_api).await;
        let started = AtomicBool::new(false);
        Ok(Self { shared: Arc::new(Shared { doors, data_api, timeout: settings.timeout, started }) })
    }

    /// Answers one event, as JSON. `deadline_ms` is the invocation's, Unix milliseconds, as the runtime announces it.
    ///
    /// # Errors
    /// Only when the event is no batch of queue records: failing as a whole is then the one answer that loses nothing.
    pub async fn handle(&self, event: &str, deadline_ms: u64) -> Result<SqsBatchResponse, Error> {
        let Shared { doors, data_api, timeout, started } = &*self.shared;
        let clock = doors.clock;
        let began = clock.monotonic();
        let deadline = Deadline::from_lambda(&clock, deadline_ms, *timeout);
        let batch = Batch::from_event(event)?;
        let (response, report) = process(doors, &batch, deadline).await;
        let line = Line {
            report,
            now_ms: clock.now_ms(),
            duration: clock.monotonic().saturating_sub(began),
            data_api: data_api.take_counts(),
            cold_start: !started.swap(true, Ordering::Relaxed),
        };
        Emf::from(&line).emit();
        Ok(response)
    }
}

/// Opens all three connections at once.
async fn warm_up(doors: &RealDoors, data_api: &DataApi<SystemClock>) {
    let (database, redis, queue) =
        tokio::join!(data_api.warm_up(), doors.catalog.warm_up(), doors.queue.warm_up(&doors.payments));
    if let Err(error) = database {
        tracing::warn!(error.message = %error, "the database did not answer during init; the first batch will ask again");
    }
    if !redis {
        tracing::warn!("Redis did not answer during init; look-ups read from the database until it does");
    }
    if let Err(error) = queue {
        tracing::warn!(error.message = %error, "the payments queue did not answer during init");
    }
}
