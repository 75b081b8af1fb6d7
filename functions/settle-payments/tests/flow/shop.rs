//! One batch through the flow, in virtual time, and what it left.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Duration;

use backoff::{Clock, Deadline, Random};
use order::PaymentRequested;
use order_store::SentEvents;
use payments::{Endpoint, Outcome};
use queue::{Batch, NotPublished, Outgoing, Queue, QueueUrl, Queues, Record, VisibilityChange};
use settle_payments::flow::{Doors, process};
use settle_payments::report::Report;

use crate::provider::{Answer, Asked, Provider};
use crate::rows::{Called, Fail, Row, Rows, Store, payment};

/// When every test begins, Unix milliseconds.
pub(crate) const START_MS: u64 = 1_790_000_000_000;

/// The trace that every message belongs to.
pub(crate) const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// Tokio's clock, which stands still but for sleeps: a wait of an hour takes no time, and waits end in their order.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Virtual {
    started: tokio::time::Instant,
}

impl Virtual {
    pub(crate) fn elapsed_ms(self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap()
    }
}

impl Clock for Virtual {
    fn now_ms(&self) -> u64 {
        START_MS + self.elapsed_ms()
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }

    #[expect(clippy::disallowed_methods, reason = "this is the clock that the flow is handed")]
    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

/// Takes messages, except for the queue it refuses, and remembers them with their moment.
#[derive(Debug)]
pub(crate) struct Queuing {
    pub(crate) refuses: Option<&'static str>,
    pub(crate) published: Mutex<Vec<(String, Outgoing)>>,
    pub(crate) hidden: Mutex<Vec<VisibilityChange>>,
}

impl Queue for Queuing {
    async fn publish(
        &self,
        to: &QueueUrl,
        messages: Vec<Outgoing>,
        _: Deadline,
    ) -> Vec<Result<(), NotPublished>> {
        if self.refuses == Some(to.0.as_str()) {
            let refused = NotPublished { code: "Test".to_owned(), sender_fault: false };
            return vec![Err(refused); messages.len()];
        }
        let results = vec![Ok(()); messages.len()];
        self.published.lock().unwrap().extend(messages.into_iter().map(|message| (to.0.clone(), message)));
        results
    }

    async fn change_visibility(&self, _: &QueueUrl, changes: Vec<VisibilityChange>, _: Deadline) -> usize {
        self.hidden.lock().unwrap().extend(changes);
        0
    }
}

/// What a test plants before the batch.
#[derive(Debug)]
pub(crate) struct Shop {
    doors: Doors<Store, Provider, Queuing, Virtual>,
    runtime: tokio::runtime::Runtime,
    /// How long an invocation may take.
    pub(crate) timeout: Duration,
}

/// What one batch left.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) failed: Vec<String>,
    pub(crate) report: Report,
    /// Receipt handles and seconds.
    pub(crate) hidden: Vec<(String, u32)>,
    /// Virtual time.
    pub(crate) took_ms: u64,
}

impl Shop {
    /// A shop in which these orders wait for their first payment.
    pub(crate) fn with(orders: &[&str]) -> Self {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let clock = runtime.block_on(async { Virtual { started: now() } });
        let store = Store::default();
        store.rows.lock().extend(orders.iter().map(|order| (payment(order), Row::default())));
        let provider = Provider {
            rows: store.rows.clone(),
            clock,
            script: Mutex::default(),
            panics_on: None,
            asked: Mutex::default(),
            offences: Mutex::default(),
        };
        let url = |name: &str| QueueUrl(name.to_owned());
        let doors = Doors {
            store,
            provider,
            queue: Queuing { refuses: None, published: Mutex::default(), hidden: Mutex::default() },
            clock,
            random: Random::seeded(1),
            queues: Queues { source: url("payments"), quarantine: url("quarantine") },
            events: url("order-events"),
            sent: SentEvents::default(),
        };
        Self { doors, runtime, timeout: Duration::from_secs(30) }
    }

    /// Plants the answer to the order's next request to this endpoint.
    pub(crate) fn answers(self, endpoint: Endpoint, order: &'static str, answer: Answer) -> Self {
        self.doors.provider.script.lock().unwrap().entry((endpoint, order)).or_default().push_back(answer);
        self
    }

    /// Plants what the store's next calls do.
    pub(crate) fn store_does(self, script: &[Fail]) -> Self {
        *self.doors.store.script.lock().unwrap() = VecDeque::from(script.to_vec());
        self
    }

    /// Plants what every call of the store does.
    pub(crate) fn store_always(mut self, fail: Fail) -> Self {
        self.doors.store.always = Some(fail);
        self
    }

    /// Plants a panic in the provider's client.
    pub(crate) fn panics_on(mut self, order: &'static str) -> Self {
        self.doors.provider.panics_on = Some(order);
        self
    }

    /// Makes a queue refuse everything.
    pub(crate) fn refusing(mut self, queue: &'static str) -> Self {
        self.doors.queue.refuses = Some(queue);
        self
    }

    /// Changes a row.
    pub(crate) fn row(self, order: &str, change: impl FnOnce(&mut Row)) -> Self {
        self.rows().change(order, change);
        self
    }

    pub(crate) fn rows(&self) -> &Rows {
        &self.doors.store.rows
    }

    /// What the store was asked.
    pub(crate) fn calls(&self) -> Vec<Called> {
        self.doors.store.calls.lock().unwrap().clone()
    }

    /// What the provider was asked, in the order in which it was sent.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.doors.provider.asked.lock().unwrap().clone()
    }

    /// How often an endpoint was asked.
    pub(crate) fn asked_of(&self, endpoint: Endpoint) -> usize {
        self.asked().iter().filter(|asked| asked.endpoint == endpoint).count()
    }

    /// What was asked of the provider against the rows.
    pub(crate) fn offences(&self) -> Vec<String> {
        self.doors.provider.offences.lock().unwrap().clone()
    }

    /// What was published to a queue.
    pub(crate) fn published(&self, queue: &str) -> Vec<Outgoing> {
        let all = self.doors.queue.published.lock().unwrap();
        all.iter().filter(|(to, _)| to == queue).map(|(_, message)| message.clone()).collect()
    }

    /// Processes one fresh record for each order, message id = order id.
    pub(crate) fn settle(&self, orders: &[&str]) -> Ran {
        self.process(orders.iter().map(|order| record(order, order, 1)).collect())
    }

    /// Processes these records.
    pub(crate) fn process(&self, records: Vec<Record>) -> Ran {
        // Outside of the runtime, its clock would be the machine's.
        let _virtual = self.runtime.enter();
        let Doors { clock, queue, .. } = &self.doors;
        let began_ms = clock.elapsed_ms();
        let deadline = Deadline::after(clock, self.timeout);
        let batch = Batch { records };
        let (response, report) = self.runtime.block_on(process(&self.doors, &batch, deadline));
        let hidden = queue
            .hidden
            .lock()
            .unwrap()
            .drain(..)
            .map(|one| (one.receipt_handle, one.visible_after_s))
            .collect();
        Ran {
            failed: response.batch_item_failures.into_iter().map(|failure| failure.item_identifier).collect(),
            report,
            hidden,
            took_ms: clock.elapsed_ms() - began_ms,
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the clock that the flow is handed")]
fn now() -> tokio::time::Instant {
    tokio::time::Instant::now()
}

/// A payment request for the order's first attempt, sent 40 ms before the start.
pub(crate) fn record(message_id: &str, order: &str, receive_count: u32) -> Record {
    let event = PaymentRequested { order_id: order.parse().unwrap(), attempt_no: 1 };
    Record {
        message_id: message_id.to_owned(),
        receipt_handle: message_id.to_owned(),
        body: Some(event.to_event_json(START_MS, Some(TRACE))),
        receive_count,
        sent_ms: Some(START_MS - 40),
        traceparent: None,
    }
}

/// An outcome that changed nothing.
pub(crate) fn later(why: payments::Later) -> Outcome {
    Outcome::Later { why, not_before: None }
}

/// The hold or charge of an order.
pub(crate) fn charge(order: &str) -> order::ProviderRef {
    format!("pi_{order}").parse().unwrap()
}
