//! From queue records to the payments they ask for, or to the end of what asks for none.

use std::collections::BTreeMap;

use order::{Event, EventData, PaymentRequested, QuarantineReason, Unreadable};
use payments::Payment;
use queue::{Body, Outcome as End, Record};

/// Who asks for a payment: usually one record, now and then a repeat of it.
#[derive(Debug, Default)]
pub(crate) struct Asking {
    /// The records, by position; at least one.
    pub(crate) positions: Vec<usize>,
    /// How often the record was received that was received most.
    pub(crate) received: u32,
    /// When the first of them was sent, Unix milliseconds.
    pub(crate) sent_ms: Option<u64>,
    /// The trace they belong to: the message's, else the event's.
    pub(crate) traceparent: Option<String>,
}

/// The payments that a group of records asks for, each once: two authorizations with one key at the same time would
/// only be refused.
pub(crate) type Asked = BTreeMap<Payment, Asking>;

/// The payments asked for, and the ends of unreadable records by position.
pub(crate) fn decode_all(records: &[&Record]) -> (Asked, BTreeMap<usize, End>) {
    let (mut asked, mut ends) = (Asked::new(), BTreeMap::new());
    for (position, record) in records.iter().enumerate() {
        match decode(record) {
            Ok((payment, traceparent)) => {
                let asking = asked.entry(payment).or_default();
                asking.positions.push(position);
                asking.received = asking.received.max(record.receive_count);
                asking.sent_ms = asking.sent_ms.into_iter().chain(record.sent_ms).min();
                asking.traceparent = asking.traceparent.take().or(traceparent);
            }
            Err(end) => drop(ends.insert(position, end)),
        }
    }
    (asked, ends)
}

/// Reads the payment request in a record, and its trace.
///
/// # Errors
/// The record's end: quarantine, with the reason and no content.
fn decode(record: &Record) -> Result<(Payment, Option<String>), End> {
    let Some(body) = record.body.as_deref().filter(|body| !body.is_empty()) else {
        return Err(quarantined(QuarantineReason::NoBody, String::new()));
    };
    match order::event::parse(body).map_err(unreadable)? {
        Event { data: EventData::PaymentRequested(request), envelope } => {
            let PaymentRequested { order_id, attempt_no } = request;
            Ok((Payment { order_id, attempt_no }, record.traceparent.clone().or(envelope.traceparent)))
        }
        // Readable, but nothing that this function may act on.
        Event { data, .. } => {
            Err(quarantined(QuarantineReason::UnknownType, format!("{} on this queue", data.event_type())))
        }
    }
}

fn unreadable(unreadable: Unreadable) -> End {
    quarantined(unreadable.reason, unreadable.detail)
}

/// The end of a message that asks for no payment.
pub(crate) fn quarantined(reason: QuarantineReason, detail: String) -> End {
    let body = match reason {
        QuarantineReason::CardData => Body::Hashed,
        _ => Body::Kept,
    };
    End::Quarantine { reason: reason.as_str(), detail, body }
}
