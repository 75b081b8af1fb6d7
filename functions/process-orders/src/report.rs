//! What one batch did, as the one line that it leaves in the log.
//!
//! Counts and times only: no body, no id, no customer. Lines about single records are `queue`'s.

use std::collections::BTreeMap;
use std::time::Duration;

use catalog::{Counts, Lookup};
use order_store::{Accepted, Verdict};
use queue::{Outcome, Record};
use telemetry::{Emf, Field, catalogue};

/// What one batch did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// The messages and what became of them.
    pub messages: queue::Counts,
    /// Orders that this batch made accepted.
    pub accepted: usize,
    /// Repeats of orders that an earlier batch had settled.
    pub known: usize,
    /// Orders that this batch made rejected, by reason.
    pub rejected: BTreeMap<&'static str, usize>,
    /// Groups that the database answered: each took one committing call, or two after a retry.
    pub commits: usize,
    /// From sending to the answer of the committing call, once per accepted order.
    pub accepted_after: Vec<Duration>,
    /// How long each catalog look-up took, one per group.
    pub looked_up: Vec<Duration>,
    /// What the catalog look-ups cost and where their answers came from.
    pub catalog: Counts,
}

impl Report {
    /// Adds a look-up.
    pub(crate) fn note_look_up(&mut self, lookup: &Lookup, took: Duration) {
        self.looked_up.push(took);
        self.catalog = sum(self.catalog, lookup.counts);
    }

    /// Adds one group that the database answered at `now_ms` (Unix milliseconds).
    pub(crate) fn note(&mut self, records: &[&Record], answers: &[Accepted], now_ms: u64) {
        self.commits += 1;
        for answer in answers {
            match answer.verdict {
                Verdict::Accepted => {
                    self.accepted += 1;
                    let sent_ms = records.get(answer.record_no).and_then(|record| record.sent_ms);
                    let after = sent_ms.map(|sent_ms| Duration::from_millis(now_ms.saturating_sub(sent_ms)));
                    self.accepted_after.extend(after);
                }
                Verdict::Known | Verdict::Canceled => self.known += 1,
                Verdict::Rejected(reason) => *self.rejected.entry(reason.as_str()).or_default() += 1,
                Verdict::IdReused | Verdict::Refused { .. } => {}
            }
        }
    }

    /// The report of a batch whose records ended so.
    pub(crate) fn closed_with(mut self, messages: queue::Counts, outcomes: &[Outcome]) -> Self {
        self.messages = messages.ended(outcomes);
        self
    }
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

/// The line of one batch: a report, and what only the invocation knows.
#[derive(Debug, Clone)]
pub struct Line {
    /// What the batch did.
    pub report: Report,
    /// When it was answered, Unix milliseconds.
    pub now_ms: u64,
    /// From the event's arrival to its answer.
    pub duration: Duration,
    /// Data API calls since the line before, catalog reads and second attempts included.
    pub data_api: data_api::Counts,
    /// Whether this was the instance's first batch.
    pub cold_start: bool,
}

impl From<&Line> for Emf {
    fn from(line: &Line) -> Self {
        let Report { messages, catalog, .. } = &line.report;
        let mut emf = Self::new("batch answered", line.now_ms);
        messages.write(&mut emf);
        emf.field("batch.commits", Field::Number(u64::try_from(line.report.commits).unwrap_or(u64::MAX)));
        emf.field("catalog.data_api_calls", Field::Number(catalog.data_api_calls));
        emf.field("catalog.unread", Field::Number(catalog.unread));
        emf.invocation(line.duration, line.cold_start);
        emf.count(&catalogue::ORDERS_ACCEPTED, line.report.accepted);
        emf.count(&catalogue::ORDERS_KNOWN, line.report.known);
        for (reason, n) in &line.report.rejected {
            emf.count_by(&catalogue::ORDERS_REJECTED, reason, *n);
        }
        emf.observe(&catalogue::ORDERS_ACCEPTED_DURATION, line.report.accepted_after.iter().copied());
        line.data_api.write(&mut emf);
        emf.count(&catalogue::REDIS_CALLS, catalog.redis_calls);
        for (result, n) in [
            ("snapshot", catalog.snapshot_hits),
            ("redis", catalog.redis_hits),
            ("joined", catalog.joined),
            ("miss", catalog.misses),
        ] {
            emf.count_by(&catalogue::CATALOG_LOOKUPS, result, n);
        }
        emf.observe(&catalogue::CATALOG_LOOKUP_DURATION, line.report.looked_up.iter().copied());
        emf
    }
}

#[cfg(test)]
mod tests {
    use order::{QuarantineReason, RejectReason};
    use telemetry::catalogue;

    #[test]
    fn the_catalogue_of_metrics_knows_every_reason() {
        let rejects: Vec<&str> = RejectReason::ALL.iter().map(|reason| reason.as_str()).collect();
        let decided_here = catalogue::ORDERS_REJECTED.attribute.unwrap().values;
        assert_eq!(decided_here, &rejects[..8], "those that are decided before anything is paid");
        let aside: Vec<&str> = QuarantineReason::ALL.iter().map(|reason| reason.as_str()).collect();
        assert_eq!(catalogue::QUARANTINED.attribute.unwrap().values, aside);
    }
}
