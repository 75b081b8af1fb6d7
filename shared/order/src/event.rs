//! Events in all their wrappings: from a message body to a typed event, or to one word why not.
//!
//! Two steps, and no JSON tree in memory. `walk` goes once through everything, known or not, and refuses what is
//! hard to handle safely (depth, repeated keys, control characters, card data); it also finds the wrapping. Then the
//! few fields we know are decoded into types.

mod data;
mod out;
mod stored;
mod trace;
mod walk;
pub(crate) mod wire;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::cards::looks_like_card;
use crate::{EventId, OrderId, Placed, QuarantineReason, RefundId};

pub use data::{Product, StockAdjusted};
pub use out::{OutEvent, PaymentRequested};
pub use stored::stored_event_json;

use walk::{Wrapping, walk};
use wire::{Object, Text, decode, timestamp};

/// Largest body that is read, in bytes, wrapping included. An order of [`MAX_LINES`](crate::MAX_LINES) lines has about
/// 10 KiB.
pub const MAX_BODY_BYTES: usize = 64 * 1024;

/// Longest `source`, in bytes.
const MAX_SOURCE_BYTES: usize = 256;

/// The only version of CloudEvents there is.
const SPEC_VERSION: &str = "1.0";

/// A message that names no order one could answer for, or that must not be kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot read the event ({reason}): {detail}")]
pub struct Unreadable {
    /// The contract's word for it.
    pub reason: QuarantineReason,
    /// Where or how, for whoever mends the sender; free of any content of the message.
    pub detail: String,
}

/// One event, whatever it came wrapped in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Who sent it, and when.
    pub envelope: Envelope,
    /// What it says.
    pub data: EventData,
}

/// The CloudEvents attributes that matter here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// Unique for its source; a repeated event has the same.
    pub id: EventId,
    /// Who sent it: 1 to 256 visible ASCII characters.
    pub source: String,
    /// When it was made, by the sender's clock.
    pub time: Timestamp,
    /// A valid W3C trace context, or nothing: a broken one costs a trace, never an order.
    pub traceparent: Option<String>,
}

/// What an event says, by type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventData {
    /// `order.placed.v1`.
    OrderPlaced(Placed),
    /// `order.canceled.v1`.
    OrderCanceled {
        /// The order that is no longer wanted; it may not have arrived yet.
        order_id: OrderId,
    },
    /// `order.refund_requested.v1`.
    RefundRequested {
        /// The order whose payment is given back.
        order_id: OrderId,
        /// The shop's id of this refund: asking twice refunds once.
        refund_id: RefundId,
        /// In minor units, positive; `None` for all that is left.
        amount_minor: Option<i64>,
    },
    /// `product.changed.v1`.
    ProductChanged(Product),
    /// `stock.adjusted.v1`.
    StockAdjusted(StockAdjusted),
    /// `payment.requested.v1`, our own.
    PaymentRequested(PaymentRequested),
}

impl EventData {
    /// The event's type on the wire, with its version.
    #[must_use]
    pub const fn event_type(&self) -> &'static str {
        match self {
            Self::OrderPlaced(_) => data::ORDER_PLACED,
            Self::OrderCanceled { .. } => data::ORDER_CANCELED,
            Self::RefundRequested { .. } => data::REFUND_REQUESTED,
            Self::ProductChanged(_) => data::PRODUCT_CHANGED,
            Self::StockAdjusted(_) => data::STOCK_ADJUSTED,
            Self::PaymentRequested(_) => data::PAYMENT_REQUESTED,
        }
    }
}

/// Reads one message body: a `CloudEvent` as it is, in an SNS notification, in an EventBridge event, or in both.
///
/// # Errors
/// [`Unreadable`] with the reason for quarantine. An order that can be read but is wrong is no error: see
/// [`Placed::verdict`].
pub fn parse(body: &str) -> Result<Event, Unreadable> {
    let read = parse_text(body, Depth::Outermost);
    // Whatever else is wrong with it: a body with a card number must not be kept, so that decides.
    read.map_err(
        |unreadable| {
            if looks_like_card(body) { Unreadable::card("digits of a card number") } else { unreadable }
        },
    )
}

/// Where a text was found: a notification inside a notification is no event of ours.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Depth {
    Outermost,
    InNotification,
}

fn parse_text(text: &str, depth: Depth) -> Result<Event, Unreadable> {
    if text.len() > MAX_BODY_BYTES {
        return Err(Unreadable::new(
            QuarantineReason::TooLarge,
            format!("{} bytes of {MAX_BODY_BYTES}", text.len()),
        ));
    }
    if text.trim_ascii().is_empty() {
        return Err(Unreadable::new(QuarantineReason::NoBody, "nothing but white space"));
    }
    match walk(text)? {
        Wrapping::None => read(decode(text, "event")?),
        Wrapping::EventBridge => {
            let Object(outer): Object<EventBridge<'_>> = decode(text, "EventBridge event")?;
            read(outer.detail)
        }
        Wrapping::Sns { message } if depth == Depth::Outermost => {
            let Object(outer): Object<Sns<'_>> = decode(text, "SNS message")?;
            notification(&outer, &message)
        }
        Wrapping::Sns { .. } => Err(Unreadable::bad_schema("a notification in a notification")),
        Wrapping::Unknown => Err(Unreadable::bad_schema("neither a CloudEvent nor a wrapped one")),
    }
}

fn notification(outer: &Sns<'_>, message: &str) -> Result<Event, Unreadable> {
    if &*outer.kind != "Notification" {
        return Err(Unreadable::new(QuarantineReason::UnknownType, "an SNS message that is no notification"));
    }
    let event = parse_text(message, Depth::InNotification);
    // Escaped in the outer text, a card number may not be visible there.
    event.map_err(
        |inner| if looks_like_card(message) { Unreadable::card("digits of a card number") } else { inner },
    )
}

/// An SNS message as SQS delivers it without raw delivery.
#[derive(Deserialize)]
struct Sns<'a> {
    #[serde(borrow, rename = "Type")]
    kind: Text<'a>,
}

/// An EventBridge event as a rule delivers it.
#[derive(Deserialize)]
struct EventBridge<'a> {
    #[serde(borrow)]
    detail: Object<CloudEvent<'a>>,
}

/// A `CloudEvent` in the JSON format, structured mode.
#[derive(Deserialize)]
struct CloudEvent<'a> {
    #[serde(borrow)]
    specversion: Text<'a>,
    #[serde(borrow)]
    id: Text<'a>,
    #[serde(borrow)]
    source: Text<'a>,
    #[serde(borrow, rename = "type")]
    kind: Text<'a>,
    #[serde(borrow)]
    time: Text<'a>,
    #[serde(borrow)]
    traceparent: Option<Text<'a>>,
    #[serde(borrow)]
    data: &'a RawValue,
}

fn read(Object(event): Object<CloudEvent<'_>>) -> Result<Event, Unreadable> {
    if &*event.specversion != SPEC_VERSION {
        return Err(Unreadable::new(QuarantineReason::UnknownVersion, "specversion is not 1.0"));
    }
    // First the type: of an event that is not for us, nothing else need be right.
    let data = data::read(&event.kind, event.data)?;
    let source = event.source.to_string();
    // A URI reference (CloudEvents 1.0, "source"), so that it can be logged.
    if !(1..=MAX_SOURCE_BYTES).contains(&source.len()) || !source.bytes().all(|byte| byte.is_ascii_graphic())
    {
        return Err(Unreadable::bad_schema("source"));
    }
    let envelope = Envelope {
        id: event.id.id("id")?,
        source,
        time: timestamp(&event.time).ok_or(Unreadable::bad_schema("time"))?,
        traceparent: event
            .traceparent
            .filter(|text| trace::is_traceparent(text))
            .map(|text| text.to_string()),
    };
    Ok(Event { envelope, data })
}

impl Unreadable {
    pub(crate) fn new(reason: QuarantineReason, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into() }
    }

    /// A known event that is not as it should be, at the named field.
    pub(crate) fn bad_schema(detail: &'static str) -> Self {
        Self::new(QuarantineReason::BadSchema, detail)
    }

    fn card(detail: &'static str) -> Self {
        Self::new(QuarantineReason::CardData, detail)
    }
}
