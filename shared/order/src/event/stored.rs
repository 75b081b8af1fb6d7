//! Events read back from the outbox: whoever publishes one later publishes the bytes that were published at first.
//!
//! The database keeps an event's `data` as `jsonb`, which forgets the order of keys and the spacing; so the payload is
//! read into its type and written anew, never passed on as it was printed.

use serde::Deserialize;

use super::wire::{Object, decode};
use super::{OutEvent, Unreadable, data};
use crate::{Currency, CustomerId, OrderId, RefundId, RejectReason};

/// Every field that the payload of some event of ours has.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Payload {
    order_id: OrderId,
    customer_id: Option<CustomerId>,
    reason: Option<RejectReason>,
    refund_id: Option<RefundId>,
    amount_minor: Option<i64>,
    currency: Option<Currency>,
}

impl OutEvent {
    /// The event whose type and [`data_json`](Self::data_json) an outbox row holds, however the database printed it.
    ///
    /// # Errors
    /// [`Unreadable`] for a type that is none of ours, or a payload that is not the type's.
    fn from_stored(event_type: &str, payload: &str) -> Result<Self, Unreadable> {
        let Object(Payload { order_id, customer_id, reason, refund_id, amount_minor, currency }) =
            decode(payload, "stored event")?;
        Ok(match event_type {
            "order.accepted.v1" => {
                Self::OrderAccepted { order_id, customer_id: named(customer_id, "customerId")? }
            }
            "order.confirmed.v1" => {
                Self::OrderConfirmed { order_id, customer_id: named(customer_id, "customerId")? }
            }
            "order.rejected.v1" => Self::OrderRejected {
                order_id,
                customer_id: named(customer_id, "customerId")?,
                reason: named(reason, "reason")?,
            },
            data::ORDER_CANCELED => Self::OrderCanceled { order_id },
            "payment.refunded.v1" => Self::PaymentRefunded {
                order_id,
                refund_id: named(refund_id, "refundId")?,
                amount_minor: named(amount_minor, "amountMinor")?,
                currency: named(currency, "currency")?,
            },
            _ => return Err(Unreadable::bad_schema("type")),
        })
    }
}

/// The `CloudEvent` of an outbox row, as JSON: the bytes of [`OutEvent::to_event_json`]. `id` is the row's,
/// `<order id>:<type>:<sequence>`; `time_ms` is when it was written, Unix milliseconds; `traceparent` is its order's.
///
/// # Errors
/// [`Unreadable`] when type, payload and id do not fit together: nobody would know what the event says.
pub fn stored_event_json(
    id: &str,
    event_type: &str,
    payload: &str,
    time_ms: u64,
    traceparent: Option<&str>,
) -> Result<String, Unreadable> {
    let event = OutEvent::from_stored(event_type, payload)?;
    let prefix = format!("{}:{event_type}:", event.order_id());
    let seq = id.strip_prefix(&prefix).and_then(|seq| seq.parse().ok());
    Ok(event.to_event_json(named(seq, "id")?, time_ms, traceparent))
}

fn named<T>(field: Option<T>, name: &'static str) -> Result<T, Unreadable> {
    field.ok_or_else(|| Unreadable::bad_schema(name))
}

#[cfg(test)]
mod tests {
    use proptest::option;
    use proptest::prelude::{any, prop_assert_eq, proptest};

    use super::stored_event_json;
    use crate::{Currency, CustomerId, OrderId, OutEvent, RefundId, RejectReason};

    fn events(order_id: &OrderId, amount_minor: i64) -> Vec<OutEvent> {
        let customer_id = CustomerId::parse("c_8f2").unwrap();
        vec![
            OutEvent::OrderAccepted { order_id: order_id.clone(), customer_id: customer_id.clone() },
            OutEvent::OrderConfirmed { order_id: order_id.clone(), customer_id: customer_id.clone() },
            OutEvent::OrderRejected {
                order_id: order_id.clone(),
                customer_id,
                reason: RejectReason::PaymentUnavailable,
            },
            OutEvent::OrderCanceled { order_id: order_id.clone() },
            OutEvent::PaymentRefunded {
                order_id: order_id.clone(),
                refund_id: RefundId::parse("rf_1").unwrap(),
                amount_minor,
                currency: Currency::parse("EUR").unwrap(),
            },
        ]
    }

    /// As `jsonb` prints it: keys sorted, a space after each colon and comma.
    fn printed_by_the_database(payload: &str) -> String {
        let value: serde_json::Map<String, serde_json::Value> = serde_json::from_str(payload).unwrap();
        let fields: Vec<String> = value.iter().map(|(key, value)| format!("\"{key}\": {value}")).collect();
        format!("{{{}}}", fields.join(", "))
    }

    proptest! {
        #[test]
        fn a_stored_event_is_published_in_the_same_bytes(
            id in "[A-Za-z_.:-]{1,64}", amount in any::<i64>(), seq in any::<u32>(), time_ms in any::<u64>(),
            trace in option::of("00-[1-9a-f]{32}-[1-9a-f]{16}-01"),
        ) {
            let order_id = OrderId::parse(&id).unwrap();
            for event in events(&order_id, amount) {
                let row = format!("{order_id}:{}:{seq}", event.event_type());
                let payload = printed_by_the_database(&event.data_json());
                let stored = stored_event_json(&row, event.event_type(), &payload, time_ms, trace.as_deref());
                prop_assert_eq!(stored, Ok(event.to_event_json(seq, time_ms, trace.as_deref())));
            }
        }
    }

    #[track_caller]
    fn refused(id: &str, event_type: &str, payload: &str, detail: &str) {
        let unreadable = stored_event_json(id, event_type, payload, 0, None).unwrap_err();
        assert!(unreadable.detail.contains(detail), "{}", unreadable.detail);
    }

    #[test]
    fn a_row_that_is_no_event_of_ours_is_refused_and_not_quoted() {
        let accepted = r#"{"orderId": "o", "customerId": "c"}"#;
        refused("o:order.accepted.v1:1", "order.accepted.v2", accepted, "type");
        refused("x:order.accepted.v1:1", "order.accepted.v1", accepted, "id");
        refused("o:order.accepted.v1:", "order.accepted.v1", accepted, "id");
        refused("o:order.accepted.v1:1", "order.accepted.v1", r#"{"orderId": "o"}"#, "customerId");
        refused("o:order.rejected.v1:1", "order.rejected.v1", accepted, "reason");
        refused("o:order.accepted.v1:1", "order.accepted.v1", "secret", "stored event, wrong type");
        refused("o:order.accepted.v1:1", "order.accepted.v1", r#"{"customerId": "c"}"#, "missing `orderId`");
    }
}
