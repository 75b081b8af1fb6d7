//! The screen to read: what happens to a batch of product changes and stock adjustments.
//!
//! Deterministic: given the same doors, clock and random source, the same batch has the same effects. Nothing is
//! spawned, no wall clock is read, and nothing iterates over a hash map.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_lambda_events::event::sqs::SqsBatchResponse;
use backoff::{Clock, Deadline, Random};
use catalog::{CatalogWriter, ProductView};
use order::Sku;
use order_store::{CatalogChange, CatalogStore, Refreshed};
use queue::{Answering, Batch, Counts, Limits, Notes, Outcome, Queue, Queues, Record, Suspect, answer, run};

use crate::decode::decode;
use crate::report::{Refresh, Report};
use crate::verdict::{NO_ANSWER, after_failure, outcome_of};

/// Everything the flow touches, as values: the real services, or their in-memory twins.
#[derive(Debug)]
pub struct Doors<S, C, Q, K> {
    /// Aurora, behind the Data API.
    pub store: S,
    /// The cache in front of it.
    pub catalog: C,
    /// The queues.
    pub queue: Q,
    /// Unix and monotonic time.
    pub clock: K,
    /// Jitter.
    pub random: Random,
    /// Where batches come from and where messages go that can never be applied.
    pub queues: Queues,
}

/// The least time in which a group of records can be committed and published.
const TIME_PER_GROUP: Duration = Duration::from_millis(400);

/// Kept back from the deadline for the answer itself: quarantine, visibility, the response.
const ANSWER_RESERVE: Duration = Duration::from_millis(300);

/// Suspects (received three times or more) run one after the other: each is alone with the database.
const SUSPECTS_AT_ONCE: usize = 1;

/// Processes a batch: one committing call for all fresh records together, then one round trip to the cache, then the
/// answer.
///
/// Never fails as a whole: each record ends as done, quarantined or handed back.
pub async fn process<S, C, Q, K>(
    doors: &Doors<S, C, Q, K>,
    batch: &Batch,
    deadline: Deadline,
) -> (SqsBatchResponse, Report)
where
    S: CatalogStore + Sync,
    C: CatalogWriter + Sync,
    Q: Queue,
    K: Clock + Sync,
{
    let work = Work { doors, deadline: deadline.earlier(ANSWER_RESERVE), report: Mutex::default() };
    let limits = Limits {
        deadline: work.deadline,
        time_per_group: TIME_PER_GROUP,
        suspects_at_once: SUSPECTS_AT_ONCE,
    };
    let messages = Counts::begun(batch, doors.clock.now_ms());
    let outcomes = run(&doors.clock, batch, limits, |records| work.refresh(records)).await;
    let Doors { queue, queues, random, .. } = doors;
    let answering = Answering { queue, queues, random, deadline, notes: Notes::new() };
    let (response, outcomes) = answer(answering, batch, outcomes).await;
    (
        response,
        work.report.into_inner().unwrap_or_else(PoisonError::into_inner).closed_with(messages, &outcomes),
    )
}

struct Work<'a, S, C, Q, K> {
    doors: &'a Doors<S, C, Q, K>,
    deadline: Deadline,
    report: Mutex<Report>,
}

impl<S, C, Q, K> Work<'_, S, C, Q, K>
where
    S: CatalogStore + Sync,
    C: CatalogWriter + Sync,
    Q: Queue,
    K: Clock + Sync,
{
    /// Applies the changes of one group of records and says what became of each record, in order.
    async fn refresh(&self, records: Vec<&Record>) -> Result<Vec<Outcome>, Suspect> {
        let (changes, mut ends) = decode_all(&records);
        if !changes.is_empty() {
            match self.doors.store.refresh(&changes, self.deadline).await {
                Ok(answers) => ends.extend(self.committed(&records, &answers).await),
                Err(error) => ends.extend(after_failure(&self.doors.random, &changes, &error)?),
            }
        }
        Ok((0..records.len()).map(|position| ends.remove(&position).unwrap_or(NO_ANSWER)).collect())
    }

    /// The database has answered: brings its rows into the cache, and turns its verdicts into outcomes, by position.
    async fn committed(&self, records: &[&Record], answers: &[Refreshed]) -> BTreeMap<usize, Outcome> {
        let now_ms = self.doors.clock.now_ms();
        let cache = self.publish(&products(answers)).await;
        let mut report = self.report.lock().unwrap_or_else(PoisonError::into_inner);
        report.note(records, answers, cache, now_ms);
        answers.iter().map(|answer| (answer.record_no, outcome_of(answer))).collect()
    }

    /// Brings products into the cache, as their rows are, also those that only a repeat told of: the delivery before it
    /// may have ended between the commit and here. Never fails a record: without the cache the row is right, and the old
    /// entry expires, or is dropped by the first order that it gets wrong.
    async fn publish(&self, products: &BTreeMap<Sku, ProductView>) -> Refresh {
        if products.is_empty() {
            return Refresh::default();
        }
        match self.doors.catalog.publish(products, self.deadline).await {
            Ok(published) => Refresh { written: published.written, missed: 0 },
            Err(error) => {
                tracing::warn!(
                    error.message = %error,
                    products = products.len(),
                    "products were not refreshed in the cache; their old entries expire, or orders contradict them"
                );
                Refresh { written: 0, missed: u64::try_from(products.len()).unwrap_or(u64::MAX) }
            }
        }
    }
}

/// The readable changes of the group, numbered by position, and the outcomes of what is none.
fn decode_all(records: &[&Record]) -> (Vec<CatalogChange>, BTreeMap<usize, Outcome>) {
    let mut changes = Vec::with_capacity(records.len());
    let mut ends = BTreeMap::new();
    for (record_no, record) in records.iter().enumerate() {
        match decode(record) {
            Ok(change) => changes.push(CatalogChange { record_no, change }),
            Err(outcome) => drop(ends.insert(record_no, outcome)),
        }
    }
    (changes, ends)
}

/// Every product that the database has answered with, once, in the newest version.
fn products(answers: &[Refreshed]) -> BTreeMap<Sku, ProductView> {
    let mut products: BTreeMap<Sku, ProductView> = BTreeMap::new();
    for (sku, product) in answers.iter().filter_map(|answer| answer.product.as_ref()) {
        let known = products.entry(sku.clone()).or_insert_with(|| product.clone());
        if known.version < product.version {
            *known = product.clone();
        }
    }
    products
}
