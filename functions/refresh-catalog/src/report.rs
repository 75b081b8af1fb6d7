//! What one batch did, as the one line that it leaves in the log.
//!
//! Counts and times only: no body, no id, no name. Lines about single records are `queue`'s.

use std::time::Duration;

use order_store::{Refreshed, Refreshing};
use queue::{Outcome, Record};
use telemetry::{Emf, Field, catalogue};

/// What one batch did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// The messages and what became of them.
    pub messages: queue::Counts,
    /// Changes that this batch made.
    pub applied: usize,
    /// Changes that an earlier batch had made.
    pub known: usize,
    /// Product changes that came after a newer version.
    pub superseded: usize,
    /// Adjustments of SKUs of which more was taken than was on the shelf.
    pub owing: usize,
    /// Groups that the database answered: each took one committing call, or two after a retry.
    pub commits: usize,
    /// From sending to the answer of the committing call, once per change that was made.
    pub applied_after: Vec<Duration>,
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
                    let after = sent_ms.map(|sent_ms| Duration::from_millis(now_ms.saturating_sub(sent_ms)));
                    self.applied_after.extend(after);
                }
                Refreshing::Known => self.known += 1,
                Refreshing::Superseded => self.superseded += 1,
                Refreshing::IdReused | Refreshing::Refused { .. } => {}
            }
        }
    }

    /// The report of a batch whose records ended so.
    pub(crate) fn closed_with(mut self, messages: queue::Counts, outcomes: &[Outcome]) -> Self {
        self.messages = messages.ended(outcomes);
        self
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
    /// Data API calls since the line before, second attempts included.
    pub data_api: data_api::Counts,
    /// Whether this was the instance's first batch.
    pub cold_start: bool,
}

impl From<&Line> for Emf {
    fn from(line: &Line) -> Self {
        let report = &line.report;
        let mut emf = Self::new("batch answered", line.now_ms);
        report.messages.write(&mut emf);
        emf.field("batch.commits", Field::Number(u64::try_from(report.commits).unwrap_or(u64::MAX)));
        emf.invocation(line.duration, line.cold_start);
        for (result, n) in
            [("applied", report.applied), ("known", report.known), ("superseded", report.superseded)]
        {
            emf.count_by(&catalogue::CATALOG_CHANGES, result, n);
        }
        emf.observe(&catalogue::CATALOG_CHANGE_DURATION, report.applied_after.iter().copied());
        emf.count(&catalogue::STOCK_OWING, report.owing);
        emf.count_by(&catalogue::CACHE_WRITES, "written", report.cache.written);
        emf.count_by(&catalogue::CACHE_WRITES, "missed", report.cache.missed);
        line.data_api.write(&mut emf);
        emf
    }
}
