//! Killing a function at any point loses nothing and accepts nothing twice.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::shop::{CURRY, LIMIT, Shop, order};
use harness::stack::poll_until;

/// Orders enough for killing in the middle of many batches.
const ORDERS: usize = 200;

/// How many processes are killed while a batch is in work.
const KILLS: u64 = 8;

#[tokio::test]
async fn orders_survive_functions_that_are_killed_in_the_middle_of_their_batches() {
    let shop = Shop::open().await;
    // With a database 60 ms away, a kill lands in the middle of a batch: before, in or after its committing call.
    shop.stack.control("PUT", "/data-api", &json!({"rtt_ms": 60})).await.unwrap();
    for n in 0..ORDERS {
        shop.stack.send_order(&order(&format!("kill-{n}"), CURRY, 1), "").await.unwrap();
    }
    shop.let_orders_flow().await;
    for kill in 1..=KILLS {
        poll_until("a busy function", LIMIT, async || Ok(busy(&shop).await > 0)).await.unwrap();
        shop.stack.control("POST", "/functions/process-orders/kill", &Value::Null).await.unwrap();
        shop.wait_for("the crash", async |shop| crashes(shop).await >= kill || !work_left(shop).await).await;
    }
    shop.stack.control("PUT", "/data-api", &json!({"rtt_ms": 0})).await.unwrap();
    // What a killed instance held comes back when its visibility timeout ends: 12 s in this stage.
    let all = i64::try_from(ORDERS).unwrap();
    for _ in 0..3 {
        if shop.number("SELECT count(*) FROM orders WHERE status = 'accepted'").await == all {
            break;
        }
        poll_until("all orders", LIMIT, async || Ok(!work_left(&shop).await)).await.unwrap();
    }
    assert!(crashes(&shop).await > 0, "nothing was killed in the middle of a batch");
    assert_eq!(shop.number("SELECT count(*) FROM orders WHERE status = 'accepted'").await, all);
    assert_eq!(shop.number("SELECT count(*) FROM payments").await, all);
    assert_eq!(shop.number("SELECT available FROM stock WHERE sku = 'kit-thai-curry-2p'").await, 1_000 - all);
    shop.wait_for("an empty queue", async |shop| !work_left(shop).await).await;
    let requested: BTreeSet<String> = shop.payments_requested().await.into_iter().collect();
    assert_eq!(requested.len(), ORDERS, "every accepted order has a payment request");
    assert_eq!(shop.stack.status().await.unwrap().depth("orders-dlq").total(), 0);
    shop.assert_stock_adds_up().await;
    shop.close().await;
}

async fn busy(shop: &Shop) -> u64 {
    shop.stack.status().await.unwrap().functions["process-orders"].busy
}

async fn crashes(shop: &Shop) -> u64 {
    shop.stack.status().await.unwrap().functions["process-orders"].crashes
}

async fn work_left(shop: &Shop) -> bool {
    shop.stack.status().await.unwrap().depth("orders").total() > 0
}
