//! The ledger: what moved, what should not have, and wrongs planted for a verdict to find.

use hyper::Method;
use serde_json::{Value, json};

use super::{HOLD, Provider};

const CREATE: &str = "/v1/payment_intents";

async fn capture(provider: &Provider) -> String {
    let id = provider.hold().await;
    assert_eq!(provider.post(&format!("{CREATE}/{id}/capture"), "").await.status, 200);
    id
}

#[tokio::test]
async fn an_orders_money_is_followed_from_hold_to_refund() {
    let provider = Provider::start().await;
    provider.post(CREATE, &HOLD.replace("visa", "chargeDeclined")).await;
    let canceled = provider.hold().await;
    provider.post(&format!("{CREATE}/{canceled}/cancel"), "").await;
    let id = capture(&provider).await;
    provider.post("/v1/refunds", &format!("payment_intent={id}&amount=400")).await;
    let ledger = provider.ledger().await;
    let order = &ledger["orders"]["ord_1"];
    assert_eq!(
        (&order["captured_minor"], &order["captures"], &order["holds"]),
        (&json!(1_000), &json!(1), &json!(0))
    );
    assert_eq!((&order["refunded_minor"], &order["currency"]), (&json!(400), &json!("eur")));
    assert_eq!(order["payment_ids"].as_array().unwrap()[1..], [json!(canceled), json!(id)]);
    assert_eq!((&ledger["double_captures"], &ledger["orphan_holds"]), (&json!([]), &json!([])));
    let totals = json!({"authorized_minor": 2_000, "captured_minor": 1_000, "canceled_minor": 1_000, "refunded_minor": 400});
    assert_eq!((&ledger["totals"], &ledger["captures"]), (&totals, &json!(1)));
    let entries = provider.get("/_sandbox/entries").await.body;
    let kinds: Vec<&str> =
        entries.as_array().unwrap().iter().map(|entry| entry["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["declined", "authorized", "canceled", "authorized", "captured", "refunded"]);
    let entry = &entries[3];
    let named = (&entry["order_id"], &entry["attempt_no"], &entry["payment_id"], &entry["amount_minor"]);
    assert_eq!(named, (&json!("ord_1"), &json!("1"), &json!(id), &json!(1_000)));
}

#[tokio::test]
async fn two_captures_of_one_order_and_a_live_hold_are_named() {
    let provider = Provider::start().await;
    capture(&provider).await;
    let hold = provider.hold().await;
    let ledger = provider.ledger().await;
    assert_eq!((&ledger["double_captures"], &ledger["orphan_holds"]), (&json!([]), &json!([hold])));
    provider.post(&format!("{CREATE}/{hold}/capture"), "").await;
    let ledger = provider.ledger().await;
    assert_eq!((&ledger["double_captures"], &ledger["orphan_holds"]), (&json!(["ord_1"]), &json!([])));
}

#[tokio::test]
async fn a_payment_without_an_order_counts_in_the_sums_only() {
    let provider = Provider::start().await;
    let held = provider.post(CREATE, &HOLD.replace("&metadata[order_id]=ord_1", "")).await;
    let ledger = provider.ledger().await;
    assert_eq!((&ledger["orders"], &ledger["orphan_holds"]), (&json!({}), &json!([held.text("id")])));
    assert_eq!(ledger["totals"]["authorized_minor"], 1_000);
}

#[tokio::test]
async fn a_bank_releases_a_hold_after_a_week() {
    let provider = Provider::start().await;
    let id = provider.hold().await;
    provider.set("clock", json!({"advance_s": 7 * 24 * 60 * 60 - 60})).await;
    assert_eq!(provider.ledger().await["orphan_holds"], json!([id]));
    provider.set("clock", json!({"advance_s": 60})).await;
    assert_eq!(provider.ledger().await["orphan_holds"], json!([]));
    let expired = provider.get(&format!("{CREATE}/{id}")).await;
    assert_eq!((expired.text("status"), expired.text("cancellation_reason")), ("canceled", "automatic"));
    assert_eq!(provider.post(&format!("{CREATE}/{id}/capture"), "").await.status, 400);
}

async fn plant(provider: &Provider, kind: &str, order_id: &str) -> Value {
    let body = json!({"kind": kind, "order_id": order_id}).to_string();
    let planted = provider.call(Method::POST, "/_sandbox/plant", &[], &body).await;
    assert_eq!(planted.status, 200, "{planted:?}");
    let id = planted.text("payment_id");
    assert_eq!(provider.get(&format!("{CREATE}/{id}")).await.status, 200, "it is a payment like any other");
    planted.body
}

#[tokio::test]
async fn planted_wrongs_are_what_they_are_called() {
    let provider = Provider::start().await;
    capture(&provider).await;
    plant(&provider, "mismatch", "ord_1").await;
    let ledger = provider.ledger().await;
    let order = &ledger["orders"]["ord_1"];
    assert_eq!((&order["captured_minor"], &ledger["double_captures"]), (&json!(1_001), &json!([])));
    plant(&provider, "double_capture", "ord_1").await;
    plant(&provider, "double_capture", "ord_2").await;
    plant(&provider, "mismatch", "ord_3").await;
    let hold = plant(&provider, "orphan_hold", "ord_1").await;
    let ledger = provider.ledger().await;
    assert_eq!(ledger["double_captures"], json!(["ord_1", "ord_2"]));
    assert_eq!(ledger["orphan_holds"], json!([hold["payment_id"]]));
    assert_eq!(ledger["orders"]["ord_3"]["captures"], 1);
}
