//! Finishes what was left over: parked, unknown and expired payments, holds that nobody wants, events that were not
//! published; and compares what the provider did with what the rows say.
//!
//! Read [`flow`] first; it is the whole story. This file connects it to the real services and to Lambda.

pub mod flow;
pub mod report;

mod backlog;
mod compare;
mod events;
mod expiries;
mod pump;
mod sweeps;
mod unknown;

mod budget;
mod cancel;
mod duty;
mod publish;
pub mod settings;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use backoff::{Clock, Deadline, Random, SystemClock};
use data_api::DataApi;
use lambda_runtime::Error;
use order_store::Aurora;
use payments::{GateSettings, RedisGate, Stripe, StripeSettings, Wrapper};
use queue::Sqs;
use redis_link::RedisSettings;
use telemetry::Emf;

use crate::flow::{Doors, Rules, reconcile};
use crate::report::{Line, Summary};
pub use budget::PROVIDER_CALLS_MAX;
pub use pump::ROWS_PER_TURN;
pub use settings::Settings;

type RealProvider = Wrapper<RedisGate<SystemClock>, Stripe<SystemClock>, SystemClock>;

type RealDoors = Doors<Aurora<SystemClock>, RealProvider, Sqs<SystemClock>, SystemClock>;

/// The function behind its clients: built once per instance, cheap to clone, one run after the other or several at
/// once.
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
    /// Builds the clients. Connections are opened by the first run: nobody waits for it.
    ///
    /// # Errors
    /// Settings that no service could be reached with.
    pub async fn connect(settings: Settings) -> Result<Self, Error> {
        let (clock, random) = (SystemClock, Random::from_entropy());
        let shared = data_api::sdk_config().await?;
        let provider = provider(&settings, random.clone())?;
        let data_api = DataApi::new(data_api::client(&shared), settings.database, clock, random.clone());
        let doors = Doors {
            store: Aurora::new(data_api.clone()),
            provider,
            queue: Sqs::new(queue::client(&shared), clock, random.clone()),
            clock,
            random,
            payments: settings.payments,
            order_events: settings.order_events,
            rules: Rules {
                unknown_quarantine: settings.unknown_quarantine,
                compare_lag: settings.compare_lag,
            },
        };
        let started = AtomicBool::new(false);
        Ok(Self { shared: Arc::new(Shared { doors, data_api, timeout: settings.timeout, started }) })
    }

    /// Does one run and answers what it did. `deadline_ms` is the invocation's, Unix milliseconds, as the runtime
    /// announces it.
    pub async fn handle(&self, deadline_ms: u64) -> Summary {
        let Shared { doors, data_api, timeout, started } = &*self.shared;
        let clock = doors.clock;
        let began = clock.monotonic();
        let gate = doors.provider.gate();
        let before = (gate.redis_calls(), gate.redis_degraded());
        let deadline = Deadline::from_lambda(&clock, deadline_ms, *timeout);
        // Boxed: the flow's state would be copied with every future that holds it.
        let summary = Box::pin(reconcile(doors, deadline)).await;
        let line = Line {
            summary: &summary,
            now_ms: clock.now_ms(),
            duration: clock.monotonic().saturating_sub(began),
            data_api: data_api.take_counts(),
            provider: doors.provider.take_counts(),
            redis_calls: gate.redis_calls().saturating_sub(before.0),
            redis_degraded: gate.redis_degraded() > before.1,
            cold_start: !started.swap(true, Ordering::Relaxed),
        };
        Emf::from(&line).emit();
        summary
    }
}

/// The wrapper over Stripe, behind the gate that the fleet shares.
fn provider(settings: &Settings, random: Random) -> Result<RealProvider, Error> {
    let (clock, provider) = (SystemClock, &settings.provider);
    let gate = GateSettings {
        rate_per_s: provider.rate_per_s,
        global_rate_per_s: provider.global_rate_per_s,
        instances_max: provider.instances_max,
        redis: RedisSettings::parse(settings.redis_url.expose())?,
    };
    let stripe = StripeSettings::parse(&provider.url, provider.key.expose(), &provider.stage)?;
    let gate = RedisGate::new(gate, clock, random.clone());
    Ok(Wrapper::new(gate, Stripe::new(stripe, clock)?, (clock, random), &provider.stage))
}
