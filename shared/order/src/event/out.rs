//! The events we send: what we tell others of an order, and our own `payment.requested.v1`.
//!
//! Their ids are computable by anyone who knows the change, `<order id>:<type>:<sequence>`, so that a consumer can
//! drop a repeat. Every field is an identifier, a number or a word of the contract, so no text needs escaping.

use jiff::Timestamp;

use super::{data, trace};
use crate::{Currency, CustomerId, OrderId, RefundId, RejectReason};

/// Our `source` in CloudEvents.
const SOURCE: &str = "orderflow";

/// Asks settle to pay. The committed row holds the frozen request; this says only where to look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentRequested {
    /// Which order.
    pub order_id: OrderId,
    /// Which attempt: 1 to 1,000.
    pub attempt_no: i32,
}

impl PaymentRequested {
    /// The `CloudEvent` as JSON. `time_ms` is Unix time in milliseconds; a `traceparent` that is not W3C's is left out.
    ///
    /// The attempt is the sequence in the event's id: publishing twice is one event.
    #[must_use]
    pub fn to_event_json(&self, time_ms: u64, traceparent: Option<&str>) -> String {
        let Self { order_id, attempt_no } = self;
        let data = format!(r#"{{"orderId":"{order_id}","attemptNo":{attempt_no}}}"#);
        let id = format!("{order_id}:{}:{attempt_no}", data::PAYMENT_REQUESTED);
        cloud_event(&id, data::PAYMENT_REQUESTED, (time_ms, traceparent), &data)
    }
}

/// What became of an order, for whoever asked for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OutEvent {
    /// `order.accepted.v1`: committed, stock reserved, payment under way.
    OrderAccepted {
        /// Which order.
        order_id: OrderId,
        /// Whose.
        customer_id: CustomerId,
    },
    /// `order.confirmed.v1`: paid.
    OrderConfirmed {
        /// Which order.
        order_id: OrderId,
        /// Whose.
        customer_id: CustomerId,
    },
    /// `order.rejected.v1`: ended, nothing charged.
    OrderRejected {
        /// Which order.
        order_id: OrderId,
        /// Whose.
        customer_id: CustomerId,
        /// Why.
        reason: RejectReason,
    },
    /// `order.canceled.v1`: ended as asked.
    OrderCanceled {
        /// Which order; of one whose cancellation came first, nothing else is known.
        order_id: OrderId,
    },
    /// `payment.refunded.v1`: money was given back.
    PaymentRefunded {
        /// Which order.
        order_id: OrderId,
        /// Which refund of it.
        refund_id: RefundId,
        /// How much, in minor units.
        amount_minor: i64,
        /// In what.
        currency: Currency,
    },
}

impl OutEvent {
    /// The event's type on the wire, with its version.
    #[must_use]
    pub const fn event_type(&self) -> &'static str {
        match self {
            Self::OrderAccepted { .. } => "order.accepted.v1",
            Self::OrderConfirmed { .. } => "order.confirmed.v1",
            Self::OrderRejected { .. } => "order.rejected.v1",
            Self::OrderCanceled { .. } => data::ORDER_CANCELED,
            Self::PaymentRefunded { .. } => "payment.refunded.v1",
        }
    }

    /// The order it tells of.
    #[must_use]
    pub const fn order_id(&self) -> &OrderId {
        match self {
            Self::OrderAccepted { order_id, .. }
            | Self::OrderConfirmed { order_id, .. }
            | Self::OrderRejected { order_id, .. }
            | Self::OrderCanceled { order_id }
            | Self::PaymentRefunded { order_id, .. } => order_id,
        }
    }

    /// The `CloudEvent`'s `data` as JSON: the outbox row's payload.
    #[must_use]
    pub fn data_json(&self) -> String {
        match self {
            Self::OrderAccepted { order_id, customer_id }
            | Self::OrderConfirmed { order_id, customer_id } => {
                format!(r#"{{"orderId":"{order_id}","customerId":"{customer_id}"}}"#)
            }
            Self::OrderRejected { order_id, customer_id, reason } => {
                format!(r#"{{"orderId":"{order_id}","customerId":"{customer_id}","reason":"{reason}"}}"#)
            }
            Self::OrderCanceled { order_id } => format!(r#"{{"orderId":"{order_id}"}}"#),
            Self::PaymentRefunded { order_id, refund_id, amount_minor, currency } => format!(
                r#"{{"orderId":"{order_id}","refundId":"{refund_id}","amountMinor":{amount_minor},"currency":"{currency}"}}"#
            ),
        }
    }

    /// The `CloudEvent` as JSON. `seq` is the outbox row's, `time_ms` Unix time in milliseconds; a `traceparent` that
    /// is not W3C's is left out.
    #[must_use]
    pub fn to_event_json(&self, seq: u32, time_ms: u64, traceparent: Option<&str>) -> String {
        let id = format!("{}:{}:{seq}", self.order_id(), self.event_type());
        cloud_event(&id, self.event_type(), (time_ms, traceparent), &self.data_json())
    }
}

fn cloud_event(id: &str, kind: &str, (time_ms, traceparent): (u64, Option<&str>), data: &str) -> String {
    // Beyond the year 9999 there is no time to name; a clock so wrong must not stop an order.
    let time = i64::try_from(time_ms).ok().and_then(|time_ms| Timestamp::from_millisecond(time_ms).ok());
    let time = time.unwrap_or(Timestamp::MAX);
    let trace = traceparent.filter(|text| trace::is_traceparent(text));
    let trace = trace.map(|text| format!(r#""traceparent":"{text}","#)).unwrap_or_default();
    format!(
        r#"{{"specversion":"1.0","id":"{id}","source":"{SOURCE}","type":"{kind}","time":"{time}","datacontenttype":"application/json",{trace}"data":{data}}}"#
    )
}
