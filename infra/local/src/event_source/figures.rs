//! What an event source has done so far.

use std::collections::BTreeMap;

use serde::Serialize;

use super::event::Record;
use crate::clock;

/// The running count, and what is in flight now.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) polled: u64,
    pub(super) invoked: u64,
    pub(super) deleted: u64,
    pub(super) failed: u64,
    pub(super) partial_failures: u64,
    pub(super) throttled: u64,
    pub(super) delete_failures: u64,
    pub(super) in_flight: usize,
    /// The `SentTimestamp` of the messages in hand, by message id; how the oldest is found.
    pub(super) sent_ms: BTreeMap<String, u64>,
    pub(super) last_failure: Option<String>,
}

impl Tally {
    pub(super) fn received(&mut self, records: &[Record]) {
        self.polled += u64::try_from(records.len()).unwrap_or(u64::MAX);
        for record in records {
            self.sent_ms.insert(record.message_id.clone(), record.sent_ms);
        }
    }

    pub(super) fn whole_batch_failed(&mut self, messages: usize, why: String) {
        self.failed += u64::try_from(messages).unwrap_or(u64::MAX);
        self.last_failure = Some(why);
    }

    pub(super) fn figures(&self, enabled: bool, workers: usize) -> EventSourceFigures {
        EventSourceFigures {
            enabled,
            polled: self.polled,
            invoked: self.invoked,
            deleted: self.deleted,
            failed: self.failed,
            partial_failures: self.partial_failures,
            throttled: self.throttled,
            delete_failures: self.delete_failures,
            in_flight: self.in_flight,
            concurrency: workers,
            oldest_age_ms: self
                .sent_ms
                .values()
                .min()
                .map(|sent_ms| clock::now_ms().saturating_sub(*sent_ms)),
            last_failure: self.last_failure.clone(),
        }
    }
}

/// What an event source has done; messages unless said otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EventSourceFigures {
    /// Whether it polls.
    pub enabled: bool,
    /// Received.
    pub polled: u64,
    /// Handed to the function; a message counts each time.
    pub invoked: u64,
    /// Deleted because the function was done with them.
    pub deleted: u64,
    /// Left in the queue because their whole invocation failed.
    pub failed: u64,
    /// Left in the queue because the function named them.
    pub partial_failures: u64,
    /// Invocations that were throttled and tried again.
    pub throttled: u64,
    /// Done, but the queue refused to delete them: they come again.
    pub delete_failures: u64,
    /// Batches in flight.
    pub in_flight: usize,
    /// Batches that may be in flight.
    pub concurrency: usize,
    /// The age of the oldest message received and not yet deleted; none when the queue is empty. A message
    /// that nobody has received yet is not seen, but those in front of it are.
    pub oldest_age_ms: Option<u64>,
    /// Why the last invocation failed, without any content of messages.
    pub last_failure: Option<String>,
}
