//! Others hear of a confirmed order after the commit, once if all goes well; the database hears what was told.

use payments::{Endpoint, Outcome};

use crate::rows::Fail;
use crate::shop::{Shop, TRACE, charge};

const A: &str = "a:order.confirmed.v1:2";

fn sent(shop: &Shop) -> Vec<Vec<String>> {
    shop.calls().into_iter().map(|call| call.sent).collect()
}

#[test]
fn a_confirmation_is_told_with_the_trace_that_led_to_it() {
    let shop = Shop::with(&["a"]);
    shop.settle(&["a"]);
    let told = shop.published("order-events");
    let body: serde_json::Value = serde_json::from_str(&told[0].body).unwrap();
    assert_eq!((body["id"].as_str(), body["type"].as_str()), (Some(A), Some("order.confirmed.v1")));
    assert_eq!(body["data"], serde_json::json!({"orderId": "a", "customerId": "c_1"}));
    assert_eq!(
        (body["traceparent"].as_str(), body["time"].as_str()),
        (Some(TRACE), Some("2023-11-14T22:13:20Z"))
    );
    assert_eq!(told[0].attributes, [("traceparent", TRACE.to_owned())]);
}

#[test]
fn what_was_told_is_marked_by_the_next_call() {
    let shop = Shop::with(&["a", "b"]);
    shop.settle(&["a"]);
    shop.settle(&["b"]);
    shop.settle(&["b"]);
    let b = "b:order.confirmed.v1:2".to_owned();
    let nothing = Vec::<String>::new();
    let expected = [
        nothing.clone(),
        nothing.clone(),
        nothing.clone(),
        vec![A.to_owned()],
        nothing.clone(),
        nothing,
        vec![b],
    ];
    assert_eq!(sent(&shop), expected);
}

#[test]
fn a_mark_that_was_not_committed_is_made_by_the_call_after() {
    let shop = Shop::with(&["a", "b"]).store_does(&[Fail::No, Fail::No, Fail::No, Fail::Later]);
    shop.settle(&["a"]);
    assert_eq!(shop.settle(&["b"]).failed, ["b"]);
    shop.settle(&["b"]);
    assert_eq!(sent(&shop)[3..5], [vec![A.to_owned()], vec![A.to_owned()]]);
    assert_eq!(sent(&shop)[5..], [Vec::<String>::new(), Vec::new()]);
}

#[test]
fn a_mark_that_was_lost_with_a_move_is_made_by_the_call_after() {
    let held = Outcome::Authorized { payment_id: charge("slow") };
    let shop = Shop::with(&["a", "slow"]).answers(Endpoint::Authorize, "slow", (8_000, held));
    let shop = shop.store_does(&[Fail::No, Fail::No, Fail::No, Fail::Later]);
    assert_eq!(shop.settle(&["a", "slow"]).failed, ["slow"]);
    shop.settle(&["slow"]);
    assert_eq!(sent(&shop)[3..5], [vec![A.to_owned()], vec![A.to_owned()]]);
}

#[test]
fn an_event_that_the_queue_refuses_fails_nobody_and_is_not_marked() {
    let shop = Shop::with(&["a"]).refusing("order-events");
    assert_eq!(shop.settle(&["a"]).failed, [""; 0]);
    shop.settle(&["a"]);
    assert!(sent(&shop).iter().all(Vec::is_empty));
}
