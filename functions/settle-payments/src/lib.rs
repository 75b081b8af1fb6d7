//! Settles payments: from the queue, to the provider, into Aurora with one call per step and batch.
//!
//! Read [`flow`] first; it is the whole story. This file connects it to the real services and to Lambda.

mod decode;
mod events;
pub mod flow;
mod group;
pub mod report;
pub mod settings;
mod verdict;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use aws_lambda_events::event::sqs::SqsBatchResponse;
use backoff::{Clock, Deadline, Random, SystemClock};
use data_api::DataApi;
use lambda_runtime::Error;
use order_store::{Aurora, SentEvents};
use payments::{GateSettings, RedisGate, Stripe, StripeSettings, Wrapper};
use queue::{Batch, Queues, Sqs};
use redis_link::RedisSettings;
use telemetry::Emf;

use crate::flow::{Doors, process};
use crate::report::{Line, Provider};
pub use settings::Settings;

type RealProvider = Wrapper<RedisGate<SystemClock>, Stripe<SystemClock>, SystemClock>;

type RealDoors = Doors<Aurora<SystemClock>, RealProvider, Sqs<SystemClock>, SystemClock>;

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
    /// Builds the clients and opens the connections to Aurora, Redis and the queues, so that the first payment waits for
    /// none of them. The provider's is opened by the first request: there is nothing to ask it that is free and says
    /// nothing.
    ///
    /// A service that does not answer is no reason to fail: the batch will find out, and hand its records back.
    ///
    /// # Errors
    /// Settings that no service could be reached with.
    pub async fn connect(settings: Settings) -> Result<Self, Error> {
        let (clock, random) = (SystemClock, Random::from_entropy());
        let shared = data_api::sdk_config().await?;
        let database = settings.database.clone();
        let data_api = DataApi::new(data_api::client(&shared), database, clock, random.clone());
        let doors = Doors {
            store: Aurora::new(data_api.clone()),
            provider: provider(&settings, random.clone())?,
            queue: Sqs::new(queue::client(&shared), clock, random.clone()),
            clock,
            random,
            queues: Queues { source: settings.payments, quarantine: settings.quarantine },
            events: settings.order_events,
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
        let gate = doors.provider.gate();
        let before = (gate.redis_calls(), gate.redis_degraded());
        let began = clock.monotonic();
        let deadline = Deadline::from_lambda(&clock, deadline_ms, *timeout);
        let batch = Batch::from_event(event)?;
        let (response, report) = process(doors, &batch, deadline).await;
        let line = Line {
            report,
            provider: Provider {
                counts: doors.provider.take_counts(),
                redis_calls: gate.redis_calls().saturating_sub(before.0),
                redis_degraded: gate.redis_degraded() > before.1,
            },
            now_ms: clock.now_ms(),
            duration: clock.monotonic().saturating_sub(began),
            data_api: data_api.take_counts(),
            cold_start: !started.swap(true, Ordering::Relaxed),
        };
        Emf::from(&line).emit();
        Ok(response)
    }
}

/// The wrapper over Stripe, behind the gate that the fleet shares.
fn provider(settings: &Settings, random: Random) -> Result<RealProvider, Error> {
    let gate = GateSettings {
        rate_per_s: settings.provider_rate_per_s,
        global_rate_per_s: settings.provider_global_rate_per_s,
        instances_max: settings.instances_max,
        redis: RedisSettings::parse(settings.redis_url.expose())?,
    };
    let stripe =
        StripeSettings::parse(&settings.provider_url, settings.provider_key.expose(), &settings.stage)?;
    let clock = SystemClock;
    let gate = RedisGate::new(gate, clock, random.clone());
    Ok(Wrapper::new(gate, Stripe::new(stripe, clock)?, (clock, random), &settings.stage))
}

/// Opens all three connections at once.
async fn warm_up(doors: &RealDoors, data_api: &DataApi<SystemClock>) {
    let gate = doors.provider.gate();
    let (database, redis, queue) =
        tokio::join!(data_api.warm_up(), gate.warm_up(), doors.queue.warm_up(&doors.events));
    if let Err(error) = database {
        tracing::warn!(error.message = %error, "the database did not answer during init; the first batch will ask again");
    }
    if !redis {
        tracing::warn!(
            "Redis did not answer during init; payments go on at this instance's share of the limit"
        );
    }
    if let Err(error) = queue {
        tracing::warn!(error.message = %error, "the order-events queue did not answer during init");
    }
}
