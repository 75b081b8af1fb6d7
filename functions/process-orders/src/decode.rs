//! From a queue record to an order, or to the outcome of what is none.

use order::{Event, EventData, Placed, QuarantineReason, Unreadable};
use queue::{Body, Outcome, Record};

/// An order as it came.
#[derive(Debug)]
pub(crate) struct Decoded {
    /// The order, valid or not.
    pub(crate) placed: Placed,
    /// The trace it belongs to: the message's, else the event's.
    pub(crate) traceparent: Option<String>,
}

/// Reads the placed order in a record.
///
/// # Errors
/// The record's outcome: quarantine, with the reason and no content.
pub(crate) fn decode(record: &Record) -> Result<Decoded, Outcome> {
    let Some(body) = record.body.as_deref().filter(|body| !body.is_empty()) else {
        return Err(quarantined(QuarantineReason::NoBody, String::new()));
    };
    match order::event::parse(body).map_err(unreadable)? {
        Event { data: EventData::OrderPlaced(placed), envelope } => {
            Ok(Decoded { placed, traceparent: record.traceparent.clone().or(envelope.traceparent) })
        }
        // Readable, but nothing that this function may act on.
        Event { data, .. } => {
            Err(quarantined(QuarantineReason::UnknownType, format!("{} on this queue", data.event_type())))
        }
    }
}

fn unreadable(unreadable: Unreadable) -> Outcome {
    quarantined(unreadable.reason, unreadable.detail)
}

/// The outcome of a message that names no order one could answer for.
pub(crate) fn quarantined(reason: QuarantineReason, detail: String) -> Outcome {
    let body = match reason {
        QuarantineReason::CardData => Body::Hashed,
        _ => Body::Kept,
    };
    Outcome::Quarantine { reason: reason.as_str(), detail, body }
}
