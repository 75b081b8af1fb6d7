//! What one batch did, as the one line that it leaves in the log.
//!
//! Counts and times only: no body, no id, no name. Lines about single records are `queue`'s.

use std::time::Duration;

use order_store::{Refreshed, Refreshing};
use queue::{Outcome, Record};
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use telemetry::{fields, rfc3339};

/// What one batch did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Records in the event.
    pub batch_size: usize,
    /// Changes that this batch made.
    pub applied: usize,
    /// Changes that an earlier batch had made.
    pub known: usize,
    /// Product changes that came after a newer version.
    pub superseded: usize,
    /// Records that can never be applied.
    pub quarantined: usize,
    /// Records that went back to the queue.
    pub retried: usize,
    /// Adjustments of SKUs of which more was taken than was on the shelf.
    pub owing: usize,
    /// Groups that the database answered: each took one committing call, or two after a retry.
    pub commits: usize,
    /// Milliseconds from sending to the answer of the committing call, one number per change that was made.
    pub applied_ms: Vec<u64>,
    /// What the cache got.
    pub cache: Refresh,
}

/// What the cache got of one group's products.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Refresh {
    /// Products that it took.
    pub written: u64,
    /// Products that did not reach it.
    pub missed: u64,
}

impl Report {
    /// Adds one group that the database answered at `now_ms` (Unix milliseconds).
    pub(crate) fn note(&mut self, records: &[&Record], answers: &[Refreshed], cache: Refresh, now_ms: u64) {
        self.commits += 1;
        self.cache.written += cache.written;
        self.cache.missed += cache.missed;
        self.owing += answers.iter().filter(|answer| answer.owed > 0).count();
        for answer in answers {
            match answer.refreshing {
                Refreshing::Applied => {
                    self.applied += 1;
                    let sent_ms = records.get(answer.record_no).and_then(|record| record.sent_ms);
                    self.applied_ms.extend(sent_ms.map(|sent_ms| now_ms.saturating_sub(sent_ms)));
                }
                Refreshing::Known => self.known += 1,
                Refreshing::Superseded => self.superseded += 1,
                Refreshing::IdReused | Refreshing::Refused { .. } => {}
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

/// The log line of one batch: a report, and what only the invocation knows.
#[derive(Debug, Clone)]
pub struct Line {
    /// What the batch did.
    pub report: Report,
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
        let report = &self.report;
        let mut line = serializer.serialize_map(None)?;
        line.serialize_entry("timestamp", &rfc3339(self.now_ms))?;
        line.serialize_entry("level", "INFO")?;
        line.serialize_entry("message", "batch answered")?;
        line.serialize_entry("function", "refresh-catalog")?;
        line.serialize_entry(fields::BATCH_SIZE, &report.batch_size)?;
        line.serialize_entry("batch.commits", &report.commits)?;
        line.serialize_entry("changes.applied", &report.applied)?;
        line.serialize_entry("changes.known", &report.known)?;
        line.serialize_entry("changes.superseded", &report.superseded)?;
        line.serialize_entry("records.quarantined", &report.quarantined)?;
        line.serialize_entry("records.retried", &report.retried)?;
        line.serialize_entry("stock.owing", &report.owing)?;
        line.serialize_entry("applied_ms", &report.applied_ms)?;
        line.serialize_entry("cache.written", &report.cache.written)?;
        line.serialize_entry("cache.missed", &report.cache.missed)?;
        line.serialize_entry(fields::DURATION_MS, &self.duration.as_millis())?;
        line.serialize_entry(fields::DATA_API_CALLS, &self.data_api_calls)?;
        line.serialize_entry("cold_start", &self.cold_start)?;
        line.end()
    }
}
