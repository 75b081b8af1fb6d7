//! What one batch did, as the one line that it leaves in the log.
//!
//! Counts and times only: no body, no id, no customer. Lines about single records are `queue`'s.

use std::collections::BTreeMap;
use std::time::Duration;

use order_store::{Moved, Next, Step};
use payments::Counts;
use queue::Outcome;
use telemetry::{Emf, Field, catalogue};

/// What one batch did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// The messages and what became of them.
    pub messages: queue::Counts,
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
    /// From sending the payment request to the answer of the committing call, once per confirmed order.
    pub confirmed_after: Vec<Duration>,
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
                let after = sent_ms.map(|sent_ms| Duration::from_millis(now_ms.saturating_sub(sent_ms)));
                self.confirmed_after.extend(after);
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
    pub(crate) fn closed_with(mut self, messages: queue::Counts, ends: &[Outcome]) -> Self {
        self.messages = messages.ended(ends);
        self
    }

    /// Payments that reached a state, by what it is called in metrics.
    fn moved(&self) -> [(&'static str, usize); 6] {
        [
            ("confirmed", self.confirmed),
            ("declined", self.declined),
            ("canceled", self.canceled),
            ("awaiting", self.awaiting),
            ("unknown", self.unknown),
            ("review", self.review),
        ]
    }
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
    /// Data API calls since the line before, second attempts included.
    pub data_api: data_api::Counts,
    /// Whether this was the instance's first batch.
    pub cold_start: bool,
}

impl From<&Line> for Emf {
    fn from(line: &Line) -> Self {
        let Line { report, provider: Provider { counts, redis_calls, redis_degraded }, .. } = line;
        let mut emf = Self::new("batch answered", line.now_ms);
        report.messages.write(&mut emf);
        emf.field("batch.commits", Field::Number(u64::try_from(report.commits).unwrap_or(u64::MAX)));
        emf.invocation(line.duration, line.cold_start);
        for (outcome, n) in report.moved() {
            emf.count_by(&catalogue::PAYMENTS_MOVED, outcome, n);
        }
        for (why, n) in &report.parked {
            emf.count_by(&catalogue::PAYMENTS_PARKED, why, *n);
        }
        emf.observe(&catalogue::PAYMENTS_CONFIRMED_DURATION, report.confirmed_after.iter().copied());
        counts.write(&mut emf);
        line.data_api.write(&mut emf);
        emf.count(&catalogue::REDIS_CALLS, *redis_calls);
        emf.count(&catalogue::GATE_DEGRADED, u64::from(*redis_degraded));
        emf
    }
}
