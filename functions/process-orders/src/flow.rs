//! The screen to read: what happens to a batch of order events.
//!
//! Deterministic: given the same doors, clock and random source, the same batch has the same effects. Nothing is
//! spawned, no wall clock is read, and nothing iterates over a hash map.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_lambda_events::event::sqs::SqsBatchResponse;
use backoff::{Clock, Deadline, Random};
use catalog::{CatalogReader, Lookup};
use order::Sku;
use order_store::{AcceptOrder, Accepted, OrderStore, SentEvents};
use queue::{
    Answering, Batch, Counts, Limits, Note, Notes, Outcome, Queue, QueueUrl, Queues, Record, Suspect, answer,
    run,
};

use crate::decode::{Decoded, decode};
use crate::events;
use crate::payment;
use crate::pricing::{contradicted, price_all};
use crate::report::Report;
use crate::verdict::{NO_ANSWER, after_failure, outcome_of};

/// Everything the flow touches, as values: the real services, or their in-memory twins.
#[derive(Debug)]
pub struct Doors<S, C, Q, K> {
    /// Aurora, behind the Data API.
    pub store: S,
    /// The product catalog, behind its cache.
    pub catalog: C,
    /// The queues.
    pub queue: Q,
    /// Unix and monotonic time.
    pub clock: K,
    /// Jitter.
    pub random: Random,
    /// Where batches come from and where unreadable messages go.
    pub queues: Queues,
    /// Takes the payment requests of accepted orders.
    pub payments: QueueUrl,
    /// Takes what others are told of orders.
    pub order_events: QueueUrl,
    /// What was published and is not yet marked as sent.
    pub sent: SentEvents,
}

/// The least time in which a group of records can be looked up, committed and published.
const TIME_PER_GROUP: Duration = Duration::from_millis(400);

/// Kept back from the deadline for the answer itself: quarantine, visibility, the response.
const ANSWER_RESERVE: Duration = Duration::from_millis(300);

/// Suspects (received three times or more) run one after the other: each is alone with the database.
const SUSPECTS_AT_ONCE: usize = 1;

/// Processes a batch: one catalog look-up and one committing call for all fresh records together, then the answer.
///
/// Never fails as a whole: each record ends as done, quarantined or handed back.
pub async fn process<S, C, Q, K>(
    doors: &Doors<S, C, Q, K>,
    batch: &Batch,
    deadline: Deadline,
) -> (SqsBatchResponse, Report)
where
    S: OrderStore + Sync,
    C: CatalogReader + Sync,
    Q: Queue,
    K: Clock + Sync,
{
    let work = Work {
        doors,
        deadline: deadline.earlier(ANSWER_RESERVE),
        report: Mutex::default(),
        notes: Mutex::default(),
    };
    let limits = Limits {
        deadline: work.deadline,
        time_per_group: TIME_PER_GROUP,
        suspects_at_once: SUSPECTS_AT_ONCE,
    };
    let messages = Counts::begun(batch, doors.clock.now_ms());
    let outcomes = run(&doors.clock, batch, limits, |records| work.accept(records)).await;
    let notes = work.notes.into_inner().unwrap_or_else(PoisonError::into_inner);
    let answering =
        Answering { queue: &doors.queue, queues: &doors.queues, random: &doors.random, deadline, notes };
    let (response, outcomes) = answer(answering, batch, outcomes).await;
    (
        response,
        work.report.into_inner().unwrap_or_else(PoisonError::into_inner).closed_with(messages, &outcomes),
    )
}

/// The readable orders of a group, by position.
pub(crate) type Orders = BTreeMap<usize, Decoded>;

struct Work<'a, S, C, Q, K> {
    doors: &'a Doors<S, C, Q, K>,
    deadline: Deadline,
    report: Mutex<Report>,
    notes: Mutex<Notes>,
}

impl<S, C, Q, K> Work<'_, S, C, Q, K>
where
    S: OrderStore + Sync,
    C: CatalogReader + Sync,
    Q: Queue,
    K: Clock + Sync,
{
    /// Accepts the orders of one group of records and says what became of each record, in order.
    async fn accept(&self, records: Vec<&Record>) -> Result<Vec<Outcome>, Suspect> {
        let (orders, mut ends) = decode_all(&records);
        if !orders.is_empty() {
            let lookup = self.look_up(&orders).await;
            let sent = self.doors.sent.take();
            match self.doors.store.accept(&rows(&orders), &sent, self.deadline).await {
                Ok(answers) => ends.extend(self.committed(&records, &orders, &lookup, answers).await),
                Err(error) => {
                    self.doors.sent.add(sent);
                    ends.extend(after_failure(&self.doors.random, &orders, &error)?);
                }
            }
        }
        self.note_unfinished(&records, &orders, &ends);
        Ok((0..records.len()).map(|position| ends.remove(&position).unwrap_or(NO_ANSWER)).collect())
    }

    /// What is known of every product that the orders of the group name.
    async fn look_up(&self, orders: &Orders) -> Lookup {
        let began = self.doors.clock.monotonic();
        let lookup = self.doors.catalog.look_up(&skus(orders), self.deadline).await;
        self.report().note_look_up(&lookup, self.doors.clock.monotonic().saturating_sub(began));
        lookup
    }

    fn report(&self) -> MutexGuard<'_, Report> {
        self.report.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers whose records do not simply end, for their log lines.
    fn note_unfinished(&self, records: &[&Record], orders: &Orders, ends: &BTreeMap<usize, Outcome>) {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        for (position, Decoded { placed, traceparent }) in orders {
            if let (Some(record), false) =
                (records.get(*position), ends.get(position) == Some(&Outcome::Done))
            {
                let note = Note { order_id: placed.order_id.to_string(), traceparent: traceparent.clone() };
                notes.insert(record.message_id.clone(), note);
            }
        }
    }

    /// The database has answered: publishes payment requests and events, and turns its verdicts into outcomes, by
    /// position.
    async fn committed(
        &self,
        records: &[&Record],
        orders: &Orders,
        lookup: &Lookup,
        answers: Vec<Accepted>,
    ) -> BTreeMap<usize, Outcome> {
        let now_ms = self.doors.clock.now_ms();
        self.report().note(records, &answers, now_ms);
        for sku in contradicted(&price_all(orders, lookup), &answers) {
            self.doors.catalog.forget(&sku);
        }
        let (unpublished, ()) = tokio::join!(
            payment::publish(self.doors, self.deadline, orders, &answers),
            events::publish(self.doors, self.deadline, orders, &answers),
        );
        answers
            .iter()
            .map(|answer| (answer.record_no, outcome_of(answer, unpublished.contains(&answer.order_id))))
            .collect()
    }
}

/// The readable orders and the outcomes of what is not one, each by its position in the group.
fn decode_all(records: &[&Record]) -> (Orders, BTreeMap<usize, Outcome>) {
    let mut orders = BTreeMap::new();
    let mut ends = BTreeMap::new();
    for (position, record) in records.iter().enumerate() {
        match decode(record) {
            Ok(decoded) => drop(orders.insert(position, decoded)),
            Err(outcome) => drop(ends.insert(position, outcome)),
        }
    }
    (orders, ends)
}

/// Every SKU that the orders of the group name, once.
fn skus(orders: &Orders) -> BTreeSet<Sku> {
    let requests = orders.values().filter_map(|decoded| decoded.placed.verdict.as_ref().ok());
    requests.flat_map(|request| request.lines.iter().map(|line| line.sku.clone())).collect()
}

fn rows(orders: &Orders) -> Vec<AcceptOrder> {
    let row = |(position, decoded): (&usize, &Decoded)| {
        AcceptOrder::new(*position, &decoded.placed, decoded.traceparent.clone())
    };
    orders.iter().map(row).collect()
}
