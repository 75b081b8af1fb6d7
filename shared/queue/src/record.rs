//! One record of a queue event, reduced to what a consumer needs, and the batch of them.
//!
//! Only what makes a record impossible to answer for (no message id) is an error here; an unreadable body is the
//! business of the one who decodes it. The event is read in place, and of what Lambda says of a message (AWS Lambda
//! Developer Guide, "Using Lambda with Amazon SQS") only these fields: reading all took more allocations than the order
//! in it.

use std::borrow::Cow;

use serde::Deserialize;
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

/// The event cannot have come from a queue: there is no id to answer with. Says where, and nothing of what it holds.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum NotABatch {
    /// No JSON of that form.
    #[error("the event is no SQS event, at line {line}, column {column}; invoke with an SQS event")]
    Unreadable {
        /// From 1.
        line: usize,
        /// In bytes, from 1; 0 in an empty event.
        column: usize,
    },
    /// A record that nobody could answer for.
    #[error(
        "record {index} of the event has no messageId, so it cannot be answered for; invoke with an SQS event"
    )]
    NoMessageId {
        /// Position of the record in `Records`, from 0.
        index: usize,
    },
}

impl Batch {
    /// Reads the records of an SQS event, as JSON.
    ///
    /// # Errors
    /// [`NotABatch`] when the event is none, or a record has no message id: then only failing the whole invocation
    /// loses nothing.
    pub fn from_event(event: &str) -> Result<Self, NotABatch> {
        let event: Event<'_> = serde_json::from_str(event)
            .map_err(|error| NotABatch::Unreadable { line: error.line(), column: error.column() })?;
        let records = event
            .records
            .into_iter()
            .enumerate()
            .map(|(index, message)| Record::from_message(message).ok_or(NotABatch::NoMessageId { index }))
            .collect::<Result<_, _>>()?;
        Ok(Self { records })
    }
}

impl Record {
    fn from_message(message: Message<'_>) -> Option<Self> {
        let attributes = message.attributes.unwrap_or_default();
        let traceparent =
            message.message_attributes.and_then(|attributes| attributes.traceparent?.string_value);
        Some(Self {
            message_id: message.message_id.filter(|id| !id.is_empty())?,
            receipt_handle: message.receipt_handle.unwrap_or_default(),
            receive_count: attributes.receive_count.parse().unwrap_or(1).max(1),
            sent_ms: attributes.sent_ms.parse().ok(),
            body: message.body,
            traceparent: traceparent.filter(|value| is_traceparent(value)),
        })
    }
}

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow, rename = "Records")]
    records: Vec<Message<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Message<'a> {
    message_id: Option<String>,
    receipt_handle: Option<String>,
    body: Option<String>,
    #[serde(borrow)]
    attributes: Option<Attributes<'a>>,
    message_attributes: Option<MessageAttributes>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Attributes<'a> {
    #[serde(borrow, rename = "ApproximateReceiveCount")]
    receive_count: Cow<'a, str>,
    #[serde(borrow, rename = "SentTimestamp")]
    sent_ms: Cow<'a, str>,
}

#[derive(Deserialize)]
struct MessageAttributes {
    traceparent: Option<MessageAttribute>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MessageAttribute {
    string_value: Option<String>,
}

/// Whether the value is a usable `traceparent` (W3C Trace Context, §3.2): it goes into logs, so nothing else may pass.
fn is_traceparent(value: &str) -> bool {
    let names = |id: Option<&str>| id.is_some_and(|id| id.bytes().any(|byte| byte != b'0'));
    value.len() == 55
        && value.bytes().enumerate().all(|(position, byte)| match position {
            2 | 35 | 52 => byte == b'-',
            _ => byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte),
        })
        && !value.starts_with("ff")
        && names(value.get(3..35))
        && names(value.get(36..52))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn only_record(json: &str) -> Record {
        let records = Batch::from_event(json).unwrap().records;
        assert_eq!(records.len(), 1);
        records.into_iter().next().unwrap()
    }

    proptest::proptest! {
        #[test]
        fn what_was_sent_is_read_whatever_it_is(
            bodies in proptest::collection::vec(proptest::option::of(".*"), 0..10),
            receives in 1u32.., sent_ms: u64,
        ) {
            let message = |(no, body): (usize, &Option<String>)| serde_json::json!({
                "messageId": format!("m{no}"), "receiptHandle": format!("\"{no}"), "body": body, "other": [body],
                "attributes": {"ApproximateReceiveCount": receives.to_string(), "SentTimestamp": sent_ms.to_string()},
            });
            let event = serde_json::json!({ "Records": bodies.iter().enumerate().map(message).collect::<Vec<_>>() });
            let records = Batch::from_event(&event.to_string()).unwrap().records;
            let expected = bodies.iter().enumerate().map(|(no, body)| Record {
                message_id: format!("m{no}"), receipt_handle: format!("\"{no}"), body: body.clone(),
                receive_count: receives, sent_ms: Some(sent_ms), traceparent: None,
            });
            proptest::prop_assert_eq!(records, expected.collect::<Vec<_>>());
        }

        #[test]
        fn no_text_makes_reading_panic(text in ".*", mangled in 0usize..200) {
            let event = r#"{"Records":[{"messageId":"m1","body":"{}","attributes":{"SentTimestamp":"1"}}]}"#;
            let (start, end) = event.split_at(mangled.min(event.len()));
            drop(Batch::from_event(&text));
            drop(Batch::from_event(&format!("{start}{text}{end}")));
        }
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

    #[track_caller]
    fn check_trace(text: &str, expected: bool) {
        assert_eq!(is_traceparent(text), expected, "{text:?}");
    }

    #[test]
    fn only_the_w3c_form_is_passed_on() {
        check_trace("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", true);
        check_trace("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00", true);
        check_trace("ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", false);
        check_trace("00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", false);
        check_trace("00-00000000000000000000000000000000-00f067aa0ba902b7-01", false);
        check_trace("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", false);
        check_trace("00-4bf92f3577b34da6a3ce929d0e0e47-36-00f067aa0ba902b7-01", false);
        check_trace("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7", false);
        check_trace("", false);
    }

    #[test]
    fn a_record_without_an_id_fails_the_invocation() {
        let records = r#"{"Records":[{"messageId":"m1"},{"messageId":""}]}"#;
        check_refused(records, NotABatch::NoMessageId { index: 1 });
        check_refused(r#"{"Records":[{"body":"{}"}]}"#, NotABatch::NoMessageId { index: 0 });
    }

    #[track_caller]
    fn check_refused(event: &str, expected: NotABatch) {
        assert_eq!(Batch::from_event(event), Err(expected), "{event}");
    }

    #[test]
    fn an_event_of_another_form_fails_the_invocation_and_is_not_told() {
        check_refused("{}", NotABatch::Unreadable { line: 1, column: 2 });
        check_refused("", NotABatch::Unreadable { line: 1, column: 0 });
        check_refused(
            r#"{"Records":[{"messageId":"m"},"card"]}"#,
            NotABatch::Unreadable { line: 1, column: 36 },
        );
        let refused = Batch::from_event(r#"{"Records":"4242 4242 4242 4242"}"#).unwrap_err();
        assert!(!refused.to_string().contains("4242"), "{refused}");
    }

    #[test]
    fn what_else_lambda_says_of_a_message_is_not_needed_and_what_it_leaves_empty_may_be_null() {
        let record = only_record(
            r#"{"Records":[{"messageId":"m1","receiptHandle":null,"body":null,"md5OfBody":"x","eventSource":"aws:sqs",
               "attributes":{"SenderId":"AIDA","ApproximateReceiveCount":"\u0032"},"messageAttributes":null,
               "awsRegion":"eu-central-1"}]}"#,
        );
        assert_eq!((record.receive_count, record.receipt_handle.as_str(), record.body), (2, "", None));
    }

    #[test]
    fn one_body_that_is_no_json_leaves_the_others_alone() {
        let batch = Batch::from_event(
            r#"{"Records":[{"messageId":"a","body":"<xml>"},{"messageId":"b","body":"{}"}]}"#,
        );
        assert_eq!(batch.unwrap().records.len(), 2);
    }
}
