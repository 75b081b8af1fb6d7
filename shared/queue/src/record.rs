//! One record of a queue event, reduced to what a consumer needs, and the batch of them.
//!
//! Only what makes a record impossible to answer for (no message id) is an error here; an unreadable body is the
//! business of the one who decodes it.

use aws_lambda_events::event::sqs::{SqsEvent, SqsMessage};
use thiserror::Error;

/// The records of one invocation, in the order in which the queue handed them over.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    /// At least one record, in an event that a queue sent.
    pub records: Vec<Record>,
}

/// One delivered message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The queue's id for the message; never empty.
    pub message_id: String,
    /// What names this delivery towards the queue; empty when an event was written by hand.
    pub receipt_handle: String,
    /// The body as sent; `None` when the event carried none.
    pub body: Option<String>,
    /// How often the message was delivered, this time included; at least 1.
    pub receive_count: u32,
    /// When the message was sent, Unix milliseconds by the queue's clock; `None` when the event does not say.
    pub sent_ms: Option<u64>,
    /// W3C trace context from the message attribute `traceparent`, as sent, if it has that form.
    pub traceparent: Option<String>,
}

/// The event cannot have come from a queue: there is no id to answer with.
#[derive(Debug, Error, PartialEq, Eq)]
#[error(
    "record {index} of the event has no messageId, so it cannot be answered for; invoke with an SQS event"
)]
pub struct NotABatch {
    /// Position of the record in `Records`, from 0.
    pub index: usize,
}

impl Batch {
    /// Takes over the records of an SQS event.
    ///
    /// # Errors
    /// [`NotABatch`] when a record has no message id: then only failing the whole invocation loses nothing.
    pub fn from_event(event: SqsEvent) -> Result<Self, NotABatch> {
        let records = event
            .records
            .into_iter()
            .enumerate()
            .map(|(index, message)| Record::from_message(message).ok_or(NotABatch { index }))
            .collect::<Result<_, _>>()?;
        Ok(Self { records })
    }
}

impl Record {
    fn from_message(message: SqsMessage) -> Option<Self> {
        let message_id = message.message_id.filter(|id| !id.is_empty())?;
        let attribute = |name: &str| message.attributes.get(name);
        let traceparent = message
            .message_attributes
            .get("traceparent")
            .and_then(|attribute| attribute.string_value.clone())
            .filter(|value| is_traceparent(value));
        Some(Self {
            receipt_handle: message.receipt_handle.unwrap_or_default(),
            receive_count: attribute("ApproximateReceiveCount")
                .and_then(|n| n.parse().ok())
                .unwrap_or(1)
                .max(1),
            sent_ms: attribute("SentTimestamp").and_then(|ms| ms.parse().ok()),
            body: message.body,
            traceparent,
            message_id,
        })
    }
}

/// Whether the value has the form of a W3C `traceparent`: it goes into logs, so nothing else may pass.
fn is_traceparent(value: &str) -> bool {
    value.len() == 55
        && value.bytes().enumerate().all(|(position, byte)| match position {
            2 | 35 | 52 => byte == b'-',
            _ => byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(json: &str) -> SqsEvent {
        serde_json::from_str(json).unwrap()
    }

    #[track_caller]
    fn only_record(json: &str) -> Record {
        let records = Batch::from_event(event(json)).unwrap().records;
        assert_eq!(records.len(), 1);
        records.into_iter().next().unwrap()
    }

    #[test]
    fn a_record_of_a_real_queue_keeps_what_a_consumer_needs() {
        let record = only_record(
            r#"{"Records":[{"messageId":"m1","receiptHandle":"r1","body":"{}","attributes":
               {"ApproximateReceiveCount":"4","SentTimestamp":"1700000000123"},"messageAttributes":{"traceparent":
               {"stringValue":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01","dataType":"String"}}}]}"#,
        );
        assert_eq!(record.receive_count, 4);
        assert_eq!(record.sent_ms, Some(1_700_000_000_123));
        assert_eq!(record.body.as_deref(), Some("{}"));
        assert!(record.traceparent.is_some());
    }

    #[test]
    fn what_is_missing_or_unreadable_has_a_safe_value() {
        let record = only_record(
            r#"{"Records":[{"messageId":"m1","attributes":{"ApproximateReceiveCount":"many"},"messageAttributes":
               {"traceparent":{"stringValue":"4242 4242 4242 4242","dataType":"String"}}}]}"#,
        );
        assert_eq!(record.receive_count, 1);
        assert_eq!(record.sent_ms, None);
        assert_eq!(record.body, None);
        assert_eq!(record.traceparent, None, "free text must not reach the logs as a trace context");
    }

    #[test]
    fn a_record_without_an_id_fails_the_invocation() {
        let records = r#"{"Records":[{"messageId":"m1"},{"messageId":""}]}"#;
        assert_eq!(Batch::from_event(event(records)), Err(NotABatch { index: 1 }));
        assert_eq!(Batch::from_event(event(r#"{"Records":[{"body":"{}"}]}"#)), Err(NotABatch { index: 0 }));
    }

    #[test]
    fn one_body_that_is_no_json_leaves_the_others_alone() {
        let batch = Batch::from_event(event(
            r#"{"Records":[{"messageId":"a","body":"<xml>"},{"messageId":"b","body":"{}"}]}"#,
        ));
        assert_eq!(batch.unwrap().records.len(), 2);
    }
}
