//! What became of a batch's messages, counted: the metrics that every consumer of a queue has.

use std::collections::BTreeMap;
use std::time::Duration;

use telemetry::{Emf, Field, catalogue, fields};

use crate::{Batch, Outcome};

/// What became of the messages of one batch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Messages in the event.
    pub messages: usize,
    /// Messages that were received before.
    pub redelivered: usize,
    /// From sending to the start of this batch, for each message that was not.
    pub waits: Vec<Duration>,
    /// Messages put aside, by reason.
    pub quarantined: BTreeMap<&'static str, usize>,
    /// Messages that went back to the queue, by reason.
    pub retried: BTreeMap<&'static str, usize>,
}

impl Counts {
    /// The counts of a batch whose processing begins at `now_ms`, Unix milliseconds.
    #[must_use]
    pub fn begun(batch: &Batch, now_ms: u64) -> Self {
        let first = batch.records.iter().filter(|record| record.receive_count == 1);
        let waits = first.filter_map(|record| record.sent_ms).map(|sent_ms| now_ms.saturating_sub(sent_ms));
        Self {
            messages: batch.records.len(),
            redelivered: batch.records.iter().filter(|record| record.receive_count > 1).count(),
            waits: waits.map(Duration::from_millis).collect(),
            ..Self::default()
        }
    }

    /// The counts of a batch whose records ended so.
    #[must_use]
    pub fn ended(mut self, outcomes: &[Outcome]) -> Self {
        for outcome in outcomes {
            match outcome {
                Outcome::Done => {}
                Outcome::Quarantine { reason, .. } => *self.quarantined.entry(reason).or_default() += 1,
                Outcome::Retry { why, .. } => *self.retried.entry(why).or_default() += 1,
            }
        }
        self
    }

    /// Says them in the batch's line.
    pub fn write(&self, emf: &mut Emf) {
        emf.field(fields::BATCH_SIZE, Field::Number(u64::try_from(self.messages).unwrap_or(u64::MAX)));
        emf.count(&catalogue::CONSUMED, self.messages);
        emf.count(&catalogue::REDELIVERED, self.redelivered);
        emf.observe(&catalogue::WAIT_DURATION, self.waits.iter().copied());
        for (metric, counts) in
            [(&catalogue::QUARANTINED, &self.quarantined), (&catalogue::RETRIED, &self.retried)]
        {
            for (reason, n) in counts {
                emf.count_by(metric, reason, *n);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Body, Record, Wait};

    fn record(receive_count: u32, sent_ms: Option<u64>) -> Record {
        Record {
            message_id: "m".to_owned(),
            receipt_handle: String::new(),
            body: None,
            receive_count,
            sent_ms,
            traceparent: None,
        }
    }

    #[test]
    fn a_message_waits_until_it_is_received_first() {
        let records = vec![record(1, Some(40)), record(1, None), record(3, Some(1)), record(1, Some(99))];
        let counts = Counts::begun(&Batch { records }, 50);
        assert_eq!((counts.messages, counts.redelivered), (4, 1));
        assert_eq!(
            counts.waits,
            [10, 0].map(Duration::from_millis),
            "a clock that is behind makes no negative wait"
        );
    }

    #[test]
    fn what_goes_back_and_what_is_put_aside_is_counted_by_reason() {
        let retry = |why| Outcome::Retry { why, wait: Wait::None };
        let aside = Outcome::Quarantine { reason: "not_json", detail: String::new(), body: Body::Kept };
        let outcomes = [Outcome::Done, retry("no_answer"), aside, retry("no_answer")];
        let counts = Counts::default().ended(&outcomes);
        assert_eq!(counts.retried, BTreeMap::from([("no_answer", 2)]));
        assert_eq!(counts.quarantined, BTreeMap::from([("not_json", 1)]));
    }
}
