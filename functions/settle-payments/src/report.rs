//! What one batch did, as the one line that it leaves in the log.
//!
//! Counts and times only: no body, no id, no customer. Lines about single records are `queue`'s.

use std::collections::BTreeMap;
use std::time::Duration;

use order_store::{Moved, Next, Step};
use payments::Counts;
use queue::Outcome;
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use telemetry::{fields, rfc3339};

/// What one batch did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Records in the event.
    pub batch_size: usize,
    /// Groups that the database committed.
    pub commits: usize,
    /// Payments that this batch captured, and their orders confirmed.
    pub confirmed: usize,
    /// Attempts that this batch ended because the bank said no.
    pub declined: usize,
    /// Holds that this batch released.
    pub canceled: usize,
    /// Payments that wait for the customer or for the provider since this batch.
    pub awaiting: usize,
    /// Payments whose outcome nobody knows since this batch.
    pub unknown: usize,
    /// Payments that a person has to look at since this batch.
    pub review: usize,
    /// Payments that this batch parked in their rows, by why.
    pub parked: BTreeMap<&'static str, usize>,
    /// Records that ask for no payment.
    pub quarantined: usize,
    /// Records that went back to the queue.
    pub retried: usize,
    /// Milliseconds from sending the payment request to the answer of the committing call, one number per confirmed
    /// order.
    pub confirmed_ms: Vec<u64>,
}

/// Why a payment is parked by the call that begins it. An alarm looks for this word.
const STOPPED: &str = "payments_stopped";

impl Report {
    /// Adds what a row needs that was begun: nothing is sent while payments are switched off.
    pub(crate) fn note_begun(&mut self, next: &Next) {
        if *next == Next::Stopped {
            *self.parked.entry(STOPPED).or_default() += 1;
        }
    }

    /// Adds a move that the database answered at `now_ms`, for a request sent at `sent_ms` (Unix milliseconds). A move
    /// that was made before counts where it was made.
    pub(crate) fn note(&mut self, step: &Step, moved: &Moved, sent_ms: Option<u64>, now_ms: u64) {
        if !moved.changed {
            return;
        }
        match step {
            Step::Authorized { .. } => {}
            Step::Captured { .. } => {
                self.confirmed += 1;
                self.confirmed_ms.extend(sent_ms.map(|sent_ms| now_ms.saturating_sub(sent_ms)));
            }
            Step::Canceled { .. } => self.canceled += 1,
            Step::Declined { .. } => self.declined += 1,
            Step::AwaitsCustomer | Step::AwaitsProvider => self.awaiting += 1,
            Step::Unknown { .. } => self.unknown += 1,
            Step::Parked { why, .. } => *self.parked.entry(why).or_default() += 1,
            Step::Review { .. } => self.review += 1,
        }
    }

    /// The report of a batch whose records ended so.
    pub(crate) fn closed_with(mut self, ends: &[Outcome]) -> Self {
        self.batch_size = ends.len();
        self.quarantined = count(ends, |end| matches!(end, Outcome::Quarantine { .. }));
        self.retried = count(ends, |end| matches!(end, Outcome::Retry { .. }));
        self
    }
}

fn count(ends: &[Outcome], of: impl Fn(&Outcome) -> bool) -> usize {
    ends.iter().filter(|end| of(end)).count()
}

/// What calls to the provider cost in one batch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Provider {
    /// Attempts, how they ended and how long they took.
    pub counts: Counts,
    /// Commands sent to Redis.
    pub redis_calls: u64,
    /// Whether the gate had to go on without Redis, on this instance's share of the limit.
    pub redis_degraded: bool,
}

/// The log line of one batch: a report, and what only the invocation knows.
#[derive(Debug, Clone)]
pub struct Line {
    /// What the batch did.
    pub report: Report,
    /// What it cost at the provider.
    pub provider: Provider,
    /// When it was answered, Unix milliseconds.
    pub now_ms: u64,
    /// From the event's arrival to its answer.
    pub duration: Duration,
    /// Data API calls of this invocation, second attempts included.
    pub data_api_calls: u64,
    /// Whether this was the instance's first batch.
    pub cold_start: bool,
}

impl Serialize for Line {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { report, provider: Provider { counts, redis_calls, redis_degraded }, .. } = self;
        let mut line = serializer.serialize_map(None)?;
        line.serialize_entry("timestamp", &rfc3339(self.now_ms))?;
        line.serialize_entry("level", "INFO")?;
        line.serialize_entry("message", "batch answered")?;
        line.serialize_entry("function", "settle-payments")?;
        line.serialize_entry(fields::BATCH_SIZE, &report.batch_size)?;
        line.serialize_entry("batch.commits", &report.commits)?;
        line.serialize_entry("payments.confirmed", &report.confirmed)?;
        line.serialize_entry("payments.declined", &report.declined)?;
        line.serialize_entry("payments.canceled", &report.canceled)?;
        line.serialize_entry("payments.awaiting", &report.awaiting)?;
        line.serialize_entry("payments.unknown", &report.unknown)?;
        line.serialize_entry("payments.review", &report.review)?;
        line.serialize_entry("payments.parked", &report.parked.values().sum::<usize>())?;
        line.serialize_entry("payments.parked_for", &report.parked)?;
        line.serialize_entry("records.quarantined", &report.quarantined)?;
        line.serialize_entry("records.retried", &report.retried)?;
        line.serialize_entry("confirmed_ms", &report.confirmed_ms)?;
        line.serialize_entry("provider_ms", &counts.provider_ms)?;
        line.serialize_entry("provider.attempts", &counts.attempts)?;
        line.serialize_entry("provider.retries", &counts.retries)?;
        line.serialize_entry("provider.replays", &counts.replays)?;
        line.serialize_entry("provider.signals", &by_name(&counts.signals))?;
        line.serialize_entry("provider.outcomes", &by_name(&counts.outcomes))?;
        line.serialize_entry(fields::DURATION_MS, &self.duration.as_millis())?;
        line.serialize_entry(fields::DATA_API_CALLS, &self.data_api_calls)?;
        line.serialize_entry(fields::REDIS_CALLS, redis_calls)?;
        line.serialize_entry("redis_degraded", redis_degraded)?;
        line.serialize_entry("cold_start", &self.cold_start)?;
        line.end()
    }
}

fn by_name(counts: &[(&'static str, u32)]) -> BTreeMap<&'static str, u32> {
    counts.iter().copied().collect()
}
