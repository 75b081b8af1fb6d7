//! A database that is slow, away, or loses its answers: nothing is lost and nothing is accepted twice.

use serde_json::json;

use crate::shop::{Shop, ten_orders};

/// Makes the next `times` committing calls fail in this way.
async fn fault(shop: &Shop, kind: &str, times: u64) {
    let faults = json!({"faults": [{"kind": kind, "times": times, "sql_contains": "accept_orders_v1"}]});
    shop.stack.control("PUT", "/data-api", &faults).await.unwrap();
}

/// Sends ten orders through the queue while calls fail, and expects ten accepted orders, each once.
async fn check(kind: &str, times: u64) {
    let shop = Shop::open().await;
    fault(&shop, kind, times).await;
    for body in ten_orders(kind) {
        shop.stack.send_order(&body, "").await.unwrap();
    }
    shop.let_orders_flow().await;
    shop.wait_for("ten accepted orders", async |shop| shop.orders().await.len() == 10).await;
    shop.wait_for("an empty queue", async |shop| {
        shop.stack.status().await.unwrap().depth("orders").total() == 0
    })
    .await;
    assert_eq!(shop.number("SELECT count(*) FROM order_items").await, 10);
    assert_eq!(shop.number("SELECT available FROM stock WHERE sku = 'kit-thai-curry-2p'").await, 990);
    let mut requested = shop.payments_requested().await;
    requested.dedup();
    assert_eq!(requested.len(), 10, "every accepted order has a payment request");
    shop.assert_stock_adds_up().await;
    shop.close().await;
}

#[tokio::test]
async fn an_answer_lost_after_the_commit_is_found_out() {
    check("drop_after_commit", 3).await;
}

#[tokio::test]
async fn a_call_that_never_arrived_is_repeated() {
    check("drop_before", 3).await;
}

#[tokio::test]
async fn an_unavailable_database_is_waited_for() {
    check("unavailable", 4).await;
}

#[tokio::test]
async fn an_internal_error_is_retried() {
    check("internal", 4).await;
}

#[tokio::test]
async fn throttling_is_waited_out() {
    check("throttle", 2).await;
}

#[tokio::test]
async fn a_batch_that_cannot_be_committed_goes_back_whole_and_nothing_is_quarantined() {
    let shop = Shop::open().await;
    fault(&shop, "unavailable", 10).await;
    let answer = shop.batch(&ten_orders("back")).await;
    assert_eq!(answer.failed.len(), 10);
    assert_eq!(shop.number("SELECT count(*) FROM orders").await, 0);
    assert_eq!(shop.quarantined().await, [""; 0]);
    shop.close().await;
}
