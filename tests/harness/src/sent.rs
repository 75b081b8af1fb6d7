//! The sender's file: one JSON line for every message that the queue took, with what was sent and what may follow.
//!
//! It is the first of the verdict's sources and knows nothing of the others.

use crate::Error;
use crate::orders::changes::What;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// What may become of a message.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The order has a row and is paid.
    Confirmed,
    /// The order has a row and is rejected for this reason.
    Rejected(String),
    /// The message is in the quarantine for this reason.
    Quarantined(String),
}

/// One line of an order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Item {
    /// The kit.
    pub sku: String,
    /// How many.
    pub quantity: i64,
    /// The price the shop shows, in minor units.
    pub unit_price_minor: i64,
}

/// Something that is added to the items: shipping, or a discount.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Adjustment {
    /// `shipping` or `discount`.
    pub kind: String,
    /// In minor units; a discount is negative.
    pub amount_minor: i64,
}

/// The provider's references to customer and payment method; opaque.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PaymentRefs {
    /// The customer at the provider.
    pub customer_ref: String,
    /// The payment method at the provider.
    pub method_ref: String,
}

/// An order as the shop means it: the `data` of `order.placed.v1`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Placed {
    /// The order's identity.
    pub order_id: String,
    /// The shop's customer.
    pub customer_id: String,
    /// ISO 4217.
    pub currency: String,
    /// RFC 3339.
    pub placed_at: String,
    /// The lines.
    pub items: Vec<Item>,
    /// Shipping and discounts.
    pub adjustments: Vec<Adjustment>,
    /// What the customer agreed to pay, in minor units.
    pub total_minor: i64,
    /// Whom to charge.
    pub payment: PaymentRefs,
}

/// One message that the queue took.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// What is counted once, however often it was sent: an order's content, or a malformed body.
    pub unit: String,
    /// What kind of thing it is, for people.
    pub kind: String,
    /// The order, unless the body names none.
    pub order: Option<Placed>,
    /// Every outcome that is right.
    pub expected: Vec<Outcome>,
    /// The queue's id of the message.
    pub message_id: String,
    /// When the queue took it, in Unix milliseconds by the sender's clock.
    pub sent_at_ms: u64,
    /// W3C trace context.
    pub traceparent: String,
}

/// One change of the catalog that the products queue took. The sender keeps these in memory, not in its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// The kit.
    pub sku: String,
    /// What became different.
    pub what: What,
    /// When it was sent, in Unix milliseconds by the sender's clock, before the call.
    pub sent_at_ms: u64,
}

/// Appends one line; the caller keeps the file open and flushes it at the end.
///
/// # Errors
/// [`Error::File`] when the disk refuses.
pub fn append(file: &mut impl std::io::Write, path: &Path, sent: &Sent) -> Result<(), Error> {
    let line = serde_json::to_string(sent)
        .map_err(|source| Error::Unreadable { what: path.display().to_string(), source })?;
    writeln!(file, "{line}").map_err(|source| Error::File { path: path.to_owned(), source })
}

/// Reads the whole file.
///
/// # Errors
/// [`Error::File`] or [`Error::Unreadable`].
pub fn read(path: &Path) -> Result<Vec<Sent>, Error> {
    let text =
        std::fs::read_to_string(path).map_err(|source| Error::File { path: path.to_owned(), source })?;
    let line = |line| {
        serde_json::from_str(line)
            .map_err(|source| Error::Unreadable { what: path.display().to_string(), source })
    };
    text.lines().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::{Outcome, Sent, append, read};

    #[test]
    fn what_is_written_is_read_again() {
        let sent = Sent {
            unit: "malformed-1".into(),
            kind: "not_json".into(),
            order: None,
            expected: vec![Outcome::Quarantined("not_json".into()), Outcome::Confirmed],
            message_id: "m-1".into(),
            sent_at_ms: 7,
            traceparent: "00-a-b-01".into(),
        };
        let path = std::env::temp_dir().join(format!("orderflow-sent-{}.jsonl", std::process::id()));
        let mut file = std::fs::File::create(&path).unwrap();
        append(&mut file, &path, &sent).unwrap();
        append(&mut file, &path, &sent).unwrap();
        assert_eq!(read(&path).unwrap(), [sent.clone(), sent]);
        std::fs::remove_file(&path).unwrap();
    }
}
