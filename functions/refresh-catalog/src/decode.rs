//! From a queue record to a change of the catalog, or to the outcome of what is none.

use order::{Event, EventData, QuarantineReason, Unreadable};
use order_store::Change;
use queue::{Body, Outcome, Record};

/// Reads the change in a record.
///
/// # Errors
/// The record's outcome: quarantine, with the reason and no content.
pub(crate) fn decode(record: &Record) -> Result<Change, Outcome> {
    let Some(body) = record.body.as_deref().filter(|body| !body.is_empty()) else {
        return Err(quarantined(QuarantineReason::NoBody, String::new()));
    };
    match order::event::parse(body).map_err(unreadable)? {
        Event { data: EventData::ProductChanged(product), .. } => Ok(Change::from(product)),
        Event { data: EventData::StockAdjusted(adjusted), envelope } => {
            Ok(Change::adjustment(envelope.id, adjusted))
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

/// The outcome of a message that can never be applied.
pub(crate) fn quarantined(reason: QuarantineReason, detail: String) -> Outcome {
    let body = match reason {
        QuarantineReason::CardData => Body::Hashed,
        _ => Body::Kept,
    };
    Outcome::Quarantine { reason: reason.as_str(), detail, body }
}
