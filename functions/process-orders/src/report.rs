//! What one batch did, as the one line that it leaves in the log.
//!
//! Counts and times only: no body, no id, no customer. Lines about single records are `queue`'s.

use std::time::Duration;

use catalog::{Counts, Lookup};
use order_store::{Accepted, Verdict};
use queue::{Outcome, Record};
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use telemetry::{fields, rfc3339};

/// What one batch did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Records in the event.
    pub batch_size: usize,
    /// Orders that this batch made accepted.
    pub accepted: usize,
    /// Repeats of orders that an earlier batch had settled.
    pub known: usize,
    /// Orders that this batch made rejected.
    pub rejected: usize,
    /// Records that name no order one could answer for.
    pub quarantined: usize,
    /// Records that went back to the queue.
    pub retried: usize,
    /// Groups that the database answered: each took one committing call, or two after a retry.
    pub commits: usize,
    /// Milliseconds from sending to the answer of the committing call, one number per accepted order.
    pub accepted_ms: Vec<u64>,
    /// What the catalog look-ups cost and where their answers came from.
    pub catalog: Counts,
}

impl Report {
    /// Adds one group that the database answered at `now_ms` (Unix milliseconds).
    pub(crate) fn note(&mut self, records: &[&Record], lookup: &Lookup, answers: &[Accepted], now_ms: u64) {
        self.commits += 1;
        self.catalog = sum(self.catalog, lookup.counts);
        for answer in answers {
            match answer.verdict {
                Verdict::Accepted => {
                    self.accepted += 1;
                    let sent_ms = records.get(answer.record_no).and_then(|record| record.sent_ms);
                    self.accepted_ms.extend(sent_ms.map(|sent_ms| now_ms.saturating_sub(sent_ms)));
                }
                Verdict::Known | Verdict::Canceled => self.known += 1,
                Verdict::Rejected(_) => self.rejected += 1,
                Verdict::IdReused | Verdict::Refused { .. } => {}
            }
        }
    }

    /// The report of a batch whose records ended so.
    pub(crate) fn closed_with(mut self, outcomes: &[Outcome]) -> Self {
        self.batch_size = outcomes.len();
        self.quarantined = count(outcomes, |outcome| matches!(outcome, Outcome::Quarantine { .. }));
        self.retried = count(outcomes, |outcome| matches!(outcome, Outcome::Retry { .. }));
        self
    }
}

fn count(outcomes: &[Outcome], of: impl Fn(&Outcome) -> bool) -> usize {
    outcomes.iter().filter(|outcome| of(outcome)).count()
}

fn sum(a: Counts, b: Counts) -> Counts {
    Counts {
        snapshot_hits: a.snapshot_hits + b.snapshot_hits,
        redis_hits: a.redis_hits + b.redis_hits,
        joined: a.joined + b.joined,
        misses: a.misses + b.misses,
        redis_calls: a.redis_calls + b.redis_calls,
        data_api_calls: a.data_api_calls + b.data_api_calls,
        unread: a.unread + b.unread,
    }
}

/// The log line of one batch: a report, and what only the invocation knows.
#[derive(Debug, Clone)]
pub struct Line {
    /// What the batch did.
    pub report: Report,
    /// When it was answered, Unix milliseconds.
    pub now_ms: u64,
    /// From the event's arrival to its answer.
    pub duration: Duration,
    /// Data API calls of this invocation, catalog reads and second attempts included.
    pub data_api_calls: u64,
    /// Whether this was the instance's first batch.
    pub cold_start: bool,
}

impl Serialize for Line {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Report { catalog, .. } = &self.report;
        let mut line = serializer.serialize_map(None)?;
        line.serialize_entry("timestamp", &rfc3339(self.now_ms))?;
        line.serialize_entry("level", "INFO")?;
        line.serialize_entry("message", "batch answered")?;
        line.serialize_entry("function", "process-orders")?;
        line.serialize_entry(fields::BATCH_SIZE, &self.report.batch_size)?;
        line.serialize_entry("batch.commits", &self.report.commits)?;
        line.serialize_entry("orders.accepted", &self.report.accepted)?;
        line.serialize_entry("orders.known", &self.report.known)?;
        line.serialize_entry("orders.rejected", &self.report.rejected)?;
        line.serialize_entry("records.quarantined", &self.report.quarantined)?;
        line.serialize_entry("records.retried", &self.report.retried)?;
        line.serialize_entry("accepted_ms", &self.report.accepted_ms)?;
        line.serialize_entry(fields::DURATION_MS, &self.duration.as_millis())?;
        line.serialize_entry(fields::DATA_API_CALLS, &self.data_api_calls)?;
        line.serialize_entry(fields::REDIS_CALLS, &catalog.redis_calls)?;
        line.serialize_entry("catalog.snapshot_hits", &catalog.snapshot_hits)?;
        line.serialize_entry("catalog.redis_hits", &catalog.redis_hits)?;
        line.serialize_entry("catalog.misses", &catalog.misses)?;
        line.serialize_entry("catalog.data_api_calls", &catalog.data_api_calls)?;
        line.serialize_entry("cold_start", &self.cold_start)?;
        line.end()
    }
}
