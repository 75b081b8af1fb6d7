//! A provider that fails in every way: every order is paid in the end, each once, and nothing stays held.

use harness::sandbox;
use serde_json::Value;

use crate::shop::{LONG_LIMIT, Shop, ten_orders};

/// Calls to each endpoint that fail.
const FAILING: u64 = 4;

/// Pays ten orders while the provider's first calls to each endpoint fail in this way.
async fn check(kind: &str) {
    check_at(kind, &["authorize", "capture"]).await;
}

/// Pays ten orders while the provider's first calls to these endpoints fail in this way.
async fn check_at(kind: &str, endpoints: &[&str]) {
    let shop = Shop::open().await;
    let faults: Vec<Value> =
        endpoints.iter().map(|endpoint| sandbox::fault_times(kind, endpoint, FAILING)).collect();
    sandbox::set_faults(&shop.stack, 1, &faults).await.unwrap();
    shop.let_everything_flow().await;
    shop.send(&ten_orders(&kind.replace('_', "-"))).await;
    shop.wait_up_to(LONG_LIMIT, "ten confirmed orders", async |shop| {
        hurry(shop).await;
        shop.confirmed().await == 10
    })
    .await;
    shop.wait_for_payment_of(10).await;
    let hits = sandbox::figures(&shop.stack).await.unwrap().refused_by_fault.remove(kind);
    assert_eq!(hits, Some(FAILING * u64::try_from(endpoints.len()).unwrap()), "the fault must have hit");
    shop.assert_all_paid_once(10).await;
    shop.close().await;
}

/// As if a minute had passed for payments in doubt: what the reconciler has looked into rests for so long.
async fn hurry(shop: &Shop) {
    let statement =
        "UPDATE payments SET next_attempt_at = now() WHERE status = 'unknown' AND next_attempt_at > now()";
    shop.sql.execute(statement, &[]).await.unwrap();
}

#[tokio::test]
async fn a_connection_reset_before_anything_was_done_is_survived() {
    check("reset_before").await;
}

#[tokio::test]
async fn an_answer_lost_after_the_money_moved_is_found_out() {
    check("reset_after").await;
}

#[tokio::test]
async fn half_an_answer_is_no_answer() {
    check("half_body").await;
}

#[tokio::test]
async fn a_call_that_is_never_answered_is_given_up_and_repeated() {
    check("hang").await;
}

#[tokio::test]
async fn a_provider_that_reads_nothing_is_given_up_and_asked_again() {
    check("blackhole").await;
}

#[tokio::test]
async fn a_503_is_repeated() {
    check("error_503").await;
}

#[tokio::test]
async fn a_saved_500_without_effect_is_resolved() {
    check("error_500").await;
}

#[tokio::test]
async fn a_saved_500_with_effect_is_resolved_without_a_second_charge() {
    check("error_500_with_effect").await;
}

#[tokio::test]
async fn a_limit_is_respected_and_waited_out() {
    check("error_429").await;
}

#[tokio::test]
async fn a_brown_out_is_survived() {
    check("brown_out").await;
}
