//! What an order leads to: rows, stock, payment requests, and one call per batch.

use crate::shop::{CURRY, SCARCE, Shop, order, order_at, ten_orders};

#[tokio::test]
async fn a_batch_becomes_rows_stock_and_payment_requests() {
    let shop = Shop::open().await;
    let answer = shop.batch(&ten_orders("ord")).await;
    assert_eq!(answer.failed, [""; 0]);
    assert_eq!(shop.orders().await.values().filter(|status| *status == "accepted").count(), 10);
    assert_eq!(shop.payments_requested().await, (0..10).map(|n| format!("ord-{n}")).collect::<Vec<_>>());
    assert_eq!(shop.number("SELECT available FROM stock WHERE sku = 'kit-thai-curry-2p'").await, 990);
    assert_eq!(
        shop.number("SELECT count(*) FROM payments WHERE status = 'requested' AND amount_minor = 2980").await,
        10
    );
    assert_eq!(shop.number("SELECT count(*) FROM outbox WHERE type = 'order.accepted.v1'").await, 10);
    shop.assert_stock_adds_up().await;
    shop.close().await;
}

#[tokio::test]
async fn a_warm_batch_takes_one_data_api_call() {
    let shop = Shop::open().await;
    shop.batch(&ten_orders("cold")).await;
    let before = shop.stack.status().await.unwrap().data_api_calls("process-orders");
    shop.batch(&ten_orders("warm")).await;
    let calls = shop.stack.status().await.unwrap().data_api_calls("process-orders") - before;
    assert_eq!(calls, 1);
    shop.close().await;
}

/// One order that must end as `expected`.
async fn check(shop: &Shop, body: String, expected: &str) {
    let id: serde_json::Value = serde_json::from_str(&body).unwrap();
    let id = id["data"]["orderId"].as_str().unwrap().to_owned();
    assert_eq!(shop.batch(&[body]).await.failed, [""; 0]);
    assert_eq!(shop.orders().await[&id], expected, "{id}");
}

#[tokio::test]
async fn the_database_has_the_last_word_on_price_and_stock() {
    let shop = Shop::open().await;
    check(&shop, order("right", CURRY, 1), "accepted").await;
    check(&shop, order_at("old-price", CURRY, 1, 2390), "rejected price_changed").await;
    check(&shop, order("unknown", "kit-nobody-sells", 1), "rejected unknown_sku").await;
    check(&shop, order("retired", "kit-retired-2p", 1), "rejected inactive_sku").await;
    check(&shop, order("three-left", SCARCE, 4), "rejected out_of_stock").await;
    check(&shop, order("takes-two", SCARCE, 2), "accepted").await;
    check(&shop, order("one-too-late", SCARCE, 2), "rejected out_of_stock").await;
    shop.assert_stock_adds_up().await;
    shop.close().await;
}

#[tokio::test]
async fn a_stale_cache_never_decides() {
    let shop = Shop::open().await;
    check(&shop, order("at-the-old-price", CURRY, 1), "accepted").await;
    // Behind the back of refresh-catalog, which would bring it into the cache as well.
    let change = "UPDATE products SET price_minor = 2590, version = version + 1 WHERE sku = $1";
    shop.sql.execute(change, &[&CURRY]).await.unwrap();
    // The cache still holds 2490. The database rejects the old price and accepts the new one, at once.
    check(&shop, order("still-the-old-price", CURRY, 1), "rejected price_changed").await;
    check(&shop, order_at("at-the-new-price", CURRY, 1, 2590), "accepted").await;
    shop.close().await;
}

#[tokio::test]
async fn orders_flow_from_the_queue_by_themselves() {
    let shop = Shop::open().await;
    shop.let_orders_flow().await;
    for body in ten_orders("queued") {
        shop.stack.send_order(&body, "").await.unwrap();
    }
    shop.wait_for("ten accepted orders", async |shop| shop.orders().await.len() == 10).await;
    shop.wait_for("an empty queue", async |shop| {
        shop.stack.status().await.unwrap().depth("orders").total() == 0
    })
    .await;
    shop.close().await;
}
