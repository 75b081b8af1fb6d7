//! Running any message twice, in any order, at any time, leaves the same rows.

use serde_json::json;

use crate::shop::{CURRY, Shop, order, record, ten_orders};

#[tokio::test]
async fn a_batch_that_is_delivered_twice_is_accepted_once() {
    let shop = Shop::open().await;
    let bodies = ten_orders("twice");
    assert_eq!(shop.batch(&bodies).await.failed, [""; 0]);
    let reversed: Vec<String> = bodies.into_iter().rev().collect();
    assert_eq!(shop.batch(&reversed).await.failed, [""; 0]);
    assert_eq!(shop.number("SELECT count(*) FROM orders").await, 10);
    assert_eq!(shop.number("SELECT count(*) FROM payments").await, 10);
    assert_eq!(shop.number("SELECT available FROM stock WHERE sku = 'kit-thai-curry-2p'").await, 990);
    shop.assert_stock_adds_up().await;
    shop.close().await;
}

#[tokio::test]
async fn an_order_twice_in_one_batch_is_accepted_once() {
    let shop = Shop::open().await;
    let body = order("same", CURRY, 2);
    assert_eq!(shop.batch(&[body.clone(), body]).await.failed, [""; 0]);
    assert_eq!(shop.orders().await.len(), 1);
    assert_eq!(shop.payments_requested().await, ["same"]);
    assert_eq!(shop.number("SELECT available FROM stock WHERE sku = 'kit-thai-curry-2p'").await, 998);
    shop.close().await;
}

#[tokio::test]
async fn an_order_delivered_to_several_instances_at_once_is_accepted_once() {
    let shop = Shop::open().await;
    let bodies = ten_orders("racing");
    let answers = tokio::join!(shop.batch(&bodies), shop.batch(&bodies), shop.batch(&bodies));
    assert!(answers.0.failed.is_empty() && answers.1.failed.is_empty() && answers.2.failed.is_empty());
    assert_eq!(shop.number("SELECT count(*) FROM orders").await, 10);
    assert_eq!(shop.number("SELECT available FROM stock WHERE sku = 'kit-thai-curry-2p'").await, 990);
    shop.assert_stock_adds_up().await;
    shop.close().await;
}

#[tokio::test]
async fn a_payment_request_that_nobody_received_is_published_again_and_a_received_one_is_not() {
    let shop = Shop::open().await;
    let body = [order("again", CURRY, 1)];
    shop.batch(&body).await;
    shop.batch(&body).await;
    assert_eq!(shop.payments_requested().await, ["again", "again"]);
    shop.sql.execute("UPDATE payments SET received_at = now()", &[]).await.unwrap();
    shop.batch(&body).await;
    assert_eq!(shop.payments_requested().await.len(), 2);
    shop.close().await;
}

#[tokio::test]
async fn another_order_under_a_used_id_is_quarantined_and_changes_nothing() {
    let shop = Shop::open().await;
    shop.batch(&[order("taken", CURRY, 1)]).await;
    assert_eq!(shop.batch(&[order("taken", CURRY, 5)]).await.failed, [""; 0]);
    assert_eq!(shop.quarantined().await, ["id_reused"]);
    assert_eq!(shop.number("SELECT sum(quantity) FROM order_items").await, 1);
    shop.close().await;
}

#[tokio::test]
async fn a_message_received_often_is_processed_alone_and_still_accepted() {
    let shop = Shop::open().await;
    let mut suspect = record(1, Some(&order("often", CURRY, 1)));
    suspect["attributes"]["ApproximateReceiveCount"] = json!("7");
    let before = shop.stack.status().await.unwrap().data_api_calls("process-orders");
    let answer = shop.invoke(vec![record(0, Some(&order("fresh", CURRY, 1))), suspect]).await;
    assert_eq!(answer.failed, [""; 0]);
    assert_eq!(shop.orders().await.len(), 2);
    let calls = shop.stack.status().await.unwrap().data_api_calls("process-orders") - before;
    assert!(calls >= 2, "one committing call for the fresh record and one for the suspect, not {calls}");
    shop.close().await;
}
