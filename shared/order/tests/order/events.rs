//! Events: every type, every wrapping, and what makes a body unreadable.

use order::event::parse;
use order::{EventData, OrderId, PaymentRequested, QuarantineReason, RefundId};
use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};
use serde_json::{Value, json};

use crate::drafts::{Draft, TRACEPARENT, event, in_eventbridge, in_sns, valid_draft, wrapped};

#[track_caller]
fn check_refused(body: &str, expected: QuarantineReason, detail: &str) {
    let unreadable = parse(body).expect_err(body);
    assert_eq!((unreadable.reason, unreadable.detail.as_str()), (expected, detail), "{body}");
}

/// The contract's example with one field of the envelope replaced, or removed by `null`.
fn with_field(field: &str, value: Value) -> String {
    let mut event = Draft::example().event();
    event[field] = value;
    if event[field].is_null() {
        event.as_object_mut().unwrap().remove(field);
    }
    event.to_string()
}

#[test]
fn the_contracts_example_is_read_whole() {
    let event = parse(&Draft::example().event().to_string()).unwrap();
    assert_eq!(event.envelope.id.as_str(), "evt_1");
    assert_eq!(event.envelope.source, "shop/checkout");
    assert_eq!(event.envelope.time.to_string(), "2026-11-23T10:15:00.123Z");
    assert_eq!(event.envelope.traceparent.as_deref(), Some(TRACEPARENT));
    assert_eq!(event.data.event_type(), "order.placed.v1");
    let EventData::OrderPlaced(placed) = event.data else { panic!("another type") };
    assert_eq!(placed.placed_at.to_string(), "2026-11-23T10:15:00Z");
    let request = placed.verdict.unwrap();
    assert_eq!(request.lines[0].sku.as_str(), "kit-thai-curry-2p");
    assert_eq!((request.lines[0].quantity, request.lines[0].unit_price_minor), (2, 2490));
    assert_eq!(request.payment.method_ref.as_str(), "pm_card_visa");
    assert_eq!(request.fingerprint, placed.fingerprint);
}

proptest! {
    #[test]
    fn a_valid_order_comes_out_as_it_went_in(draft in valid_draft()) {
        for body in wrapped(&draft.event()) {
            let EventData::OrderPlaced(placed) = parse(&body).unwrap().data else { panic!("another type") };
            let request = placed.verdict.unwrap();
            let lines = request.lines.iter().map(|line| (line.sku.as_str().to_owned(), i64::from(line.quantity), line.unit_price_minor));
            prop_assert_eq!(lines.collect::<Vec<_>>(), draft.items.clone());
            let adjustments = request.adjustments.iter().map(|adjustment| (adjustment.kind.as_str(), adjustment.amount_minor));
            prop_assert_eq!(adjustments.collect::<Vec<_>>(), draft.adjustments.clone());
            prop_assert_eq!(request.order_id.as_str(), &draft.order_id);
            prop_assert_eq!(request.customer_id.as_str(), &draft.customer_id);
            prop_assert_eq!(request.currency.as_str(), &draft.currency);
            prop_assert_eq!(request.placed_at, draft.placed_at.parse().unwrap());
            prop_assert_eq!((request.total_minor, placed.total_minor), (draft.total_minor, draft.total_minor));
        }
    }

    #[test]
    fn a_payment_request_is_read_as_it_was_written(id in "[A-Za-z_.:-]{1,64}", attempt_no in 1..=1000_i32, time_ms in any::<u64>()) {
        let sent = PaymentRequested { order_id: OrderId::parse(&id).unwrap(), attempt_no };
        let event = parse(&sent.to_event_json(time_ms, Some(TRACEPARENT))).unwrap();
        prop_assert_eq!(event.envelope.id.as_str(), format!("{id}:payment.requested.v1:{attempt_no}"));
        prop_assert_eq!(event.envelope.traceparent.as_deref(), Some(TRACEPARENT));
        prop_assert_eq!(event.data, EventData::PaymentRequested(sent));
        prop_assert!(u64::try_from(event.envelope.time.as_millisecond()).unwrap() <= time_ms);
    }
}

#[test]
fn the_other_events_are_read() {
    let data = |kind: &str, data: Value| parse(&event(kind, data).to_string()).unwrap().data;
    let order_id = OrderId::parse("ord_1").unwrap();
    assert_eq!(
        data("order.canceled.v1", json!({"orderId": "ord_1"})),
        EventData::OrderCanceled { order_id: order_id.clone() }
    );
    let refund_id = RefundId::parse("rf_1").unwrap();
    assert_eq!(
        data(
            "order.refund_requested.v1",
            json!({"orderId": "ord_1", "refundId": "rf_1", "amountMinor": 500})
        ),
        EventData::RefundRequested { order_id, refund_id, amount_minor: Some(500) }
    );
    let product = json!({"sku": "kit", "name": "Kit", "priceMinor": 2490, "currency": "EUR", "active": true, "version": 7});
    let EventData::ProductChanged(product) = data("product.changed.v1", product) else {
        panic!("another type")
    };
    assert_eq!((product.sku.as_str(), product.price_minor, product.version), ("kit", 2490, 7));
    assert_eq!((product.currency.as_str(), product.active, product.image_key), ("EUR", true, None));
    let adjusted = data("stock.adjusted.v1", json!({"sku": "kit", "delta": -3}));
    assert!(matches!(adjusted, EventData::StockAdjusted(stock) if stock.delta == -3));
}

#[test]
fn a_broken_trace_costs_no_order() {
    for trace in [json!("broken"), json!(TRACEPARENT.to_uppercase()), Value::Null] {
        assert_eq!(parse(&with_field("traceparent", trace)).unwrap().envelope.traceparent, None);
    }
    let sent = PaymentRequested { order_id: OrderId::parse("ord_1").unwrap(), attempt_no: 1 };
    assert!(!sent.to_event_json(0, Some("\",\"x\":\"")).contains("traceparent"));
}

#[test]
fn types_and_versions_that_are_not_ours_are_named_so() {
    use QuarantineReason::{UnknownType, UnknownVersion};
    let other = "no event of the contract that is read here";
    let newer = "a known event in a version other than 1";
    check_refused(&with_field("type", json!("order.placed.v2")), UnknownVersion, newer);
    check_refused(&with_field("type", json!("order.placed.v10")), UnknownVersion, newer);
    check_refused(&with_field("type", json!("order.placed.v")), UnknownType, other);
    check_refused(&with_field("type", json!("order.placed")), UnknownType, other);
    check_refused(&with_field("type", json!("order.praised.v1")), UnknownType, other);
    check_refused(&with_field("type", json!("order.accepted.v1")), UnknownType, other);
    check_refused(&with_field("specversion", json!("0.3")), UnknownVersion, "specversion is not 1.0");
}

#[test]
fn what_is_not_an_event_is_refused_with_its_place() {
    use QuarantineReason::{BadSchema, NoBody, NotJson, UnknownType};
    check_refused("", NoBody, "nothing but white space");
    check_refused(" \r\n\t", NoBody, "nothing but white space");
    check_refused("order 17", NotJson, "line 1 column 1");
    check_refused("{}", BadSchema, "neither a CloudEvent nor a wrapped one");
    check_refused("17", BadSchema, "neither a CloudEvent nor a wrapped one");
    check_refused(&with_field("source", json!("a b")), BadSchema, "source");
    check_refused(&with_field("source", json!("x".repeat(257))), BadSchema, "source");
    check_refused(&with_field("time", json!("today")), BadSchema, "time");
    check_refused(&with_field("id", json!("a b")), BadSchema, "id");
    check_refused(
        &with_field("data", json!({})),
        BadSchema,
        "data, missing `orderId` before line 1 column 2",
    );
    check_refused(&in_sns("").to_string(), NoBody, "nothing but white space");
    check_refused(&in_sns("17").to_string(), BadSchema, "neither a CloudEvent nor a wrapped one");
    let confirmation =
        json!({"Type": "SubscriptionConfirmation", "Message": "You have chosen to subscribe", "Token": "t"});
    check_refused(&confirmation.to_string(), UnknownType, "an SNS message that is no notification");
    let twice = in_sns(&in_sns(&Draft::example().event().to_string()).to_string());
    check_refused(&twice.to_string(), BadSchema, "a notification in a notification");
    let bridged = in_eventbridge(&json!("a text"));
    check_refused(&bridged.to_string(), BadSchema, "EventBridge event, wrong type before line 1 column 43");
}

#[test]
fn the_largest_body_is_read() {
    let padded = |padding: usize| with_field("note", json!("x".repeat(padding)));
    let room = order::MAX_BODY_BYTES - padded(0).len();
    assert!(parse(&padded(room)).is_ok());
    assert_eq!(parse(&padded(room + 1)).unwrap_err().reason, QuarantineReason::TooLarge);
}
