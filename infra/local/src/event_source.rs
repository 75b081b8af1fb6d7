//! The event source: takes messages off a queue and hands them to a function in batches, as Lambda does.
//!
//! Five workers poll at first, each with one batch in flight; under load there are more, up to the maximum
//! concurrency (see `ramp.rs`). A worker long-polls, fills its batch, invokes, and deletes what the function's
//! answer says is done (see [`interpret`]). Whatever is not deleted comes back when its visibility timeout
//! ends: receive counts and dead letters are the queue's business, not ours.

mod event;
mod figures;
pub mod interpret;
mod invoke_url;
mod ramp;
mod worker;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::watch,
    task::{JoinHandle, JoinSet},
};

pub use figures::EventSourceFigures;

use crate::{
    clock,
    error::Error,
    lambda_host::Host,
    settings,
    sqs::{QueueAddress, QueueFigures, Sqs},
};
use figures::Tally;
use invoke_url::UrlClient;
use ramp::Ramp;

/// How often the number of workers is adjusted. At 300 more a minute, one more worker every 200 ms.
const ADJUST_EVERY: Duration = Duration::from_millis(200);

/// What an event source is made of.
#[derive(Debug, Clone)]
pub struct Mapping {
    /// The function's name.
    pub function: String,
    /// The function's timeout.
    pub function_timeout: Duration,
    /// The queue, the batches, and how many at a time.
    pub source: settings::EventSource,
    /// The queue's visibility timeout: what cannot be delivered within it is somebody else's by then.
    pub visibility_timeout: Duration,
    /// The region that records name.
    pub region: String,
}

/// Where invocations go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// The host in this process.
    Host,
    /// Another host's Invoke URL, such as `cargo lambda watch`'s.
    Url(String),
}

/// What can be changed while it runs.
#[derive(Debug, Clone)]
struct Orders {
    enabled: bool,
    target: Target,
    /// Workers with a number below this may poll.
    workers: usize,
    stopping: bool,
}

/// A running event source. Clones are the same one.
#[derive(Debug, Clone)]
pub struct EventSource {
    shared: Arc<Shared>,
    workers: Arc<Mutex<Option<JoinHandle<()>>>>,
}

#[derive(Debug)]
struct Shared {
    mapping: Mapping,
    queue: QueueAddress,
    sqs: Sqs,
    host: Host,
    orders: watch::Sender<Orders>,
    tally: Mutex<Tally>,
    ramp: Mutex<Ramp>,
    client: UrlClient,
}

impl EventSource {
    /// Starts polling, if `enabled`.
    ///
    /// # Errors
    /// The mapping names a queue that does not exist.
    pub fn start(mapping: Mapping, sqs: Sqs, host: Host, enabled: bool) -> Result<Self, Error> {
        let name = &mapping.source.queue;
        let queue = sqs.queues().get(name).cloned().ok_or_else(|| Error::Queue {
            queue: name.clone(),
            operation: "GetQueueUrl",
            message: "the settings name no such queue".to_owned(),
        })?;
        let ramp = Ramp::new(mapping.source.maximum_concurrency);
        let orders = Orders { enabled, target: Target::Host, workers: ramp.allowed(), stopping: false };
        let shared = Arc::new(Shared {
            mapping,
            queue,
            sqs,
            host,
            orders: watch::Sender::new(orders),
            tally: Mutex::default(),
            ramp: Mutex::new(ramp),
            client: UrlClient::new(),
        });
        let workers = tokio::spawn(Arc::clone(&shared).adjust());
        Ok(Self { shared, workers: Arc::new(Mutex::new(Some(workers))) })
    }

    /// Switches polling on or off. Batches in flight are finished; what a switched-off source has received
    /// and not yet handed over is handed over.
    pub fn set_enabled(&self, enabled: bool) {
        self.shared.orders.send_modify(|orders| orders.enabled = enabled);
    }

    /// Sends later invocations somewhere else.
    pub fn set_target(&self, target: Target) {
        self.shared.orders.send_modify(|orders| orders.target = target);
    }

    /// What it has done so far.
    pub async fn figures(&self) -> EventSourceFigures {
        let queue = self.shared.sqs.figures(self.queue()).await;
        let (enabled, workers) = {
            let orders = self.shared.orders.borrow();
            (orders.enabled, orders.workers)
        };
        let mut tally = self.shared.tally();
        if queue.is_ok_and(|figures| figures == QueueFigures::default()) {
            // What is no longer in the queue was deleted, or moved to its dead-letter queue.
            tally.sent_ms.clear();
        }
        tally.figures(enabled, workers)
    }

    /// The name of the queue it polls.
    #[must_use]
    pub fn queue(&self) -> &str {
        &self.shared.mapping.source.queue
    }

    /// Ends polling and waits for the batches in flight, which are bounded by the function's timeout.
    pub async fn stop(&self) {
        self.shared.orders.send_modify(|orders| orders.stopping = true);
        let workers = lock(&self.workers).take();
        if let Some(workers) = workers
            && let Err(error) = workers.await
        {
            tracing::warn!(%error, "an event source ended badly");
        }
    }
}

impl Shared {
    /// Starts workers as the ramp allows, until told to stop.
    async fn adjust(self: Arc<Self>) {
        let mut orders = self.orders.subscribe();
        let mut workers = JoinSet::new();
        while !orders.borrow_and_update().stopping {
            let allowed = lock(&self.ramp).allowed();
            self.orders.send_if_modified(|orders| std::mem::replace(&mut orders.workers, allowed) != allowed);
            while workers.len() < allowed {
                workers.spawn(worker::run(Arc::clone(&self), workers.len()));
            }
            drop(tokio::time::timeout(ADJUST_EVERY, orders.wait_for(|orders| orders.stopping)).await);
            let busy = self.tally().in_flight;
            lock(&self.ramp).pass(clock::now(), busy);
        }
        while workers.join_next().await.is_some() {}
    }

    fn batch_size(&self) -> usize {
        usize::try_from(self.mapping.source.batch_size).unwrap_or(usize::MAX)
    }

    /// A failure slows polling down, unless the function reports single failures: Lambda's own rule.
    fn slow_down(&self) {
        if !self.mapping.source.reports_item_failures {
            lock(&self.ramp).failed();
        }
    }

    fn tally(&self) -> MutexGuard<'_, Tally> {
        lock(&self.tally)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
