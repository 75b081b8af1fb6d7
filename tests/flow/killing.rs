//! Killing a function at any point loses nothing, accepts nothing twice, and charges nobody twice.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::shop::{CURRY, LIMIT, LONG_LIMIT, Shop, order};
use harness::sandbox;
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
        poll_until("a busy function", LIMIT, async || Ok(busy(&shop, "process-orders").await > 0))
            .await
            .unwrap();
        shop.stack.control("POST", "/functions/process-orders/kill", &Value::Null).await.unwrap();
        shop.wait_for("the crash", async |shop| {
            crashes(shop, "process-orders").await >= kill || !work_left(shop).await
        })
        .await;
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
    assert!(crashes(&shop, "process-orders").await > 0, "nothing was killed in the middle of a batch");
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

/// Payments enough for killing in the middle of many batches, while the bank takes its time.
const PAYMENTS: usize = 60;

#[tokio::test]
async fn payments_survive_functions_that_are_killed_in_the_middle_of_their_batches() {
    let shop = Shop::open().await;
    // A kill lands before, between or after authorization, commit and capture; some calls fail as well, so that the
    // reconciler has doubts to resolve when it is killed.
    shop.stack.control("PUT", "/data-api", &json!({"rtt_ms": 40})).await.unwrap();
    let faults =
        [sandbox::fault("error_500_with_effect", "authorize", 0.15), sandbox::fault("reset_after", "*", 0.1)];
    sandbox::set_faults(&shop.stack, 7, &faults).await.unwrap();
    for n in 0..PAYMENTS {
        shop.stack.send_order(&order(&format!("pay-{n}"), CURRY, 1), "").await.unwrap();
    }
    shop.let_everything_flow().await;
    for victim in ["settle-payments", "reconcile-orders"].into_iter().cycle().take(10) {
        let look = async || Ok(busy(&shop, victim).await > 0 || !unpaid(&shop).await);
        poll_until("a busy function", LONG_LIMIT, look).await.unwrap();
        // It may have ended between the look and the kill.
        shop.stack.control("POST", &format!("/functions/{victim}/kill"), &Value::Null).await.ok();
    }
    sandbox::set_faults(&shop.stack, 7, &[]).await.unwrap();
    shop.stack.control("PUT", "/data-api", &json!({"rtt_ms": 0})).await.unwrap();
    shop.wait_for_payment_of(PAYMENTS).await;
    assert!(crashes(&shop, "settle-payments").await > 0, "nothing was killed in the middle of a batch");
    shop.assert_all_paid_once(PAYMENTS).await;
    shop.close().await;
}

async fn unpaid(shop: &Shop) -> bool {
    shop.confirmed().await < i64::try_from(PAYMENTS).unwrap()
}

async fn busy(shop: &Shop, function: &str) -> u64 {
    shop.stack.status().await.unwrap().functions[function].busy
}

async fn crashes(shop: &Shop, function: &str) -> u64 {
    shop.stack.status().await.unwrap().functions[function].crashes
}

async fn work_left(shop: &Shop) -> bool {
    shop.stack.status().await.unwrap().depth("orders").total() > 0
}
