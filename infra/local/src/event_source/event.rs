//! The event that Lambda makes of SQS messages, to the letter, and how many fit into one.
//!
//! All system attributes are strings; user attributes have lower-camel inner keys and two lists that are
//! always empty.

use std::collections::{BTreeMap, HashMap};

use base64::Engine as _;
use bytes::Bytes;
use serde::Serialize;

use crate::sqs::{Message, MessageAttributeValue};

/// Lambda's limit for the event of one synchronous invocation.
pub(super) const EVENT_BYTES_MAX: usize = 6 * 1024 * 1024;
/// `{"Records":[]}`.
const FRAME_BYTES: usize = 14;

/// A message on its way through an invocation.
#[derive(Debug, Clone)]
pub(super) struct Record {
    pub(super) message_id: String,
    pub(super) receipt_handle: String,
    /// When it was sent, in Unix milliseconds.
    pub(super) sent_ms: u64,
    json: String,
}

/// Where the messages come from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Origin<'a> {
    pub(super) queue_arn: &'a str,
    pub(super) region: &'a str,
}

impl Record {
    /// None for a message without id or handle, which could be neither named nor deleted.
    pub(super) fn new(message: Message, origin: Origin<'_>) -> Option<Self> {
        let message_id = message.message_id?;
        let receipt_handle = message.receipt_handle?;
        let sent_ms = message.attributes.get("SentTimestamp").and_then(|sent| sent.parse().ok());
        let wire = WireRecord {
            message_id: &message_id,
            receipt_handle: &receipt_handle,
            body: message.body.as_deref().unwrap_or_default(),
            attributes: message.attributes.iter().collect(),
            message_attributes: attributes(&message.message_attributes),
            md5_of_body: message.md5_of_body.as_deref().unwrap_or_default(),
            md5_of_message_attributes: message.md5_of_message_attributes.as_deref(),
            event_source: "aws:sqs",
            event_source_arn: origin.queue_arn,
            aws_region: origin.region,
        };
        let json = serde_json::to_string(&wire).ok()?;
        Some(Self { message_id, receipt_handle, sent_ms: sent_ms.unwrap_or_default(), json })
    }

    /// What the record takes in an event, its comma included.
    pub(super) fn bytes(&self) -> usize {
        self.json.len() + 1
    }
}

/// The event of one invocation.
pub(super) fn event(records: &[Record]) -> Bytes {
    let records: Vec<&str> = records.iter().map(|record| record.json.as_str()).collect();
    Bytes::from(format!(r#"{{"Records":[{}]}}"#, records.join(",")))
}

/// Cuts records into batches of at most `batch_size` records and `bytes_max` bytes, in order. A record that
/// is too large by itself is alone in its batch.
pub(super) fn batches(records: Vec<Record>, batch_size: usize, bytes_max: usize) -> Vec<Vec<Record>> {
    let mut batches = Vec::new();
    let mut batch: Vec<Record> = Vec::new();
    let mut bytes = FRAME_BYTES;
    for record in records {
        let fits = batch.len() < batch_size && bytes + record.bytes() <= bytes_max;
        if !fits && !batch.is_empty() {
            batches.push(std::mem::take(&mut batch));
            bytes = FRAME_BYTES;
        }
        bytes += record.bytes();
        batch.push(record);
    }
    if !batch.is_empty() {
        batches.push(batch);
    }
    batches
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WireRecord<'a> {
    message_id: &'a str,
    receipt_handle: &'a str,
    body: &'a str,
    attributes: BTreeMap<&'a String, &'a String>,
    message_attributes: BTreeMap<&'a str, WireAttribute<'a>>,
    md5_of_body: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    md5_of_message_attributes: Option<&'a str>,
    event_source: &'a str,
    #[serde(rename = "eventSourceARN")]
    event_source_arn: &'a str,
    aws_region: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WireAttribute<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    string_value: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    binary_value: Option<String>,
    string_list_values: [&'a str; 0],
    binary_list_values: [&'a str; 0],
    data_type: &'a str,
}

fn attributes(attributes: &HashMap<String, MessageAttributeValue>) -> BTreeMap<&str, WireAttribute<'_>> {
    let wire = |value: &'_ MessageAttributeValue| value.binary_value.as_ref().map(|bytes| base64(bytes));
    attributes
        .iter()
        .map(|(name, value)| {
            let attribute = WireAttribute {
                string_value: value.string_value.as_deref(),
                binary_value: wire(value),
                string_list_values: [],
                binary_list_values: [],
                data_type: &value.data_type,
            };
            (name.as_str(), attribute)
        })
        .collect()
}

fn base64(bytes: &[u8]) -> String {
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const ORIGIN: Origin<'_> =
        Origin { queue_arn: "arn:aws:sqs:eu-central-1:000000000000:orders", region: "eu-central-1" };

    fn record(body: &str) -> Record {
        let text = |value: &str| MessageAttributeValue {
            data_type: "String".to_owned(),
            string_value: Some(value.to_owned()),
            binary_value: None,
        };
        let bytes = MessageAttributeValue {
            data_type: "Binary".to_owned(),
            string_value: None,
            binary_value: Some(b"\x00\xff".to_vec()),
        };
        let message = Message {
            message_id: Some("id".to_owned()),
            receipt_handle: Some("handle".to_owned()),
            body: Some(body.to_owned()),
            md5_of_body: Some("md5".to_owned()),
            md5_of_message_attributes: Some("md5a".to_owned()),
            message_attributes: HashMap::from([
                ("traceparent".to_owned(), text("00-1-2-01")),
                ("raw".to_owned(), bytes),
            ]),
            attributes: HashMap::from([
                ("ApproximateReceiveCount".to_owned(), "1".to_owned()),
                ("SentTimestamp".to_owned(), "1795000000000".to_owned()),
            ]),
        };
        Record::new(message, ORIGIN).unwrap()
    }

    #[track_caller]
    fn check_batches(count: usize, batch_size: usize, bytes_max: usize, expected: &[usize]) {
        let records = vec![record("x"); count];
        let sizes: Vec<usize> = batches(records, batch_size, bytes_max).iter().map(Vec::len).collect();
        assert_eq!(sizes, expected);
    }

    #[test]
    fn an_event_has_the_shape_that_lambda_gives_it() {
        let event: Value = serde_json::from_slice(&event(&[record("{\"a\":1}")])).unwrap();
        let expected = json!({"Records": [{
            "messageId": "id", "receiptHandle": "handle", "body": "{\"a\":1}",
            "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "1795000000000"},
            "messageAttributes": {
                "traceparent": {"stringValue": "00-1-2-01", "stringListValues": [], "binaryListValues": [],
                    "dataType": "String"},
                "raw": {"binaryValue": "AP8=", "stringListValues": [], "binaryListValues": [],
                    "dataType": "Binary"},
            },
            "md5OfBody": "md5", "md5OfMessageAttributes": "md5a", "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:eu-central-1:000000000000:orders", "awsRegion": "eu-central-1",
        }]});
        assert_eq!(event, expected);
    }

    #[test]
    fn the_send_time_is_read_for_the_age() {
        assert_eq!(record("x").sent_ms, 1_795_000_000_000);
    }

    #[test]
    fn batches_end_at_their_size() {
        check_batches(0, 10, EVENT_BYTES_MAX, &[]);
        check_batches(10, 10, EVENT_BYTES_MAX, &[10]);
        check_batches(11, 10, EVENT_BYTES_MAX, &[10, 1]);
    }

    #[test]
    fn batches_end_at_their_bytes() {
        let two = FRAME_BYTES + 2 * record("x").bytes();
        check_batches(5, 10, two, &[2, 2, 1]);
        check_batches(2, 10, 1, &[1, 1]);
    }

    #[test]
    fn counted_bytes_cover_the_event() {
        let records = vec![record("\u{1}\"\\ü"); 3];
        let counted = FRAME_BYTES + records.iter().map(Record::bytes).sum::<usize>();
        let actual = event(&records).len();
        assert!(actual <= counted && counted <= actual + 1, "{actual} of {counted}");
    }
}
