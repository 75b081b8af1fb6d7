//! The switch that stops payments: everything parks without a call to the provider, and goes on when it is back on.

use std::fs;

use crate::shop::{LONG_LIMIT, Shop, ten_orders};

async fn switch(shop: &Shop, enabled: bool) {
    let statement = "UPDATE switches SET enabled = $1, changed_at = now() WHERE name = 'payments'";
    assert_eq!(shop.sql.execute(statement, &[&enabled]).await.unwrap(), 1);
}

#[tokio::test]
async fn with_payments_switched_off_all_park_and_switched_on_all_are_paid() {
    let shop = Shop::open().await;
    switch(&shop, false).await;
    shop.let_everything_flow().await;
    shop.send(&ten_orders("parked")).await;
    let parked = "SELECT count(*) FROM payments
                  WHERE status = 'requested' AND received_at IS NOT NULL AND next_attempt_at > now()";
    shop.wait_up_to(LONG_LIMIT, "ten parked payments", async |shop| shop.number(parked).await == 10).await;
    shop.wait_for("an empty queue", async |shop| {
        shop.stack.status().await.unwrap().depth("payments").total() == 0
    })
    .await;
    assert_eq!(shop.provider_calls().await, 0);
    let log = fs::read_to_string(shop.stack.log_dir.join("settle-payments.log")).unwrap();
    assert!(log.contains(r#""payments.parked.payments_stopped":"#), "an alarm looks for it");
    switch(&shop, true).await;
    // What was parked comes back within a minute; the test does not wait for it.
    let due = "UPDATE payments SET next_attempt_at = now() WHERE next_attempt_at IS NOT NULL";
    shop.sql.execute(due, &[]).await.unwrap();
    shop.wait_for_payment_of(10).await;
    shop.assert_all_paid_once(10).await;
    let traced = shop.traced_events("order.confirmed.v1").await;
    assert_eq!(traced, 10, "what the reconciler published again still belongs to its order's trace");
    shop.close().await;
}
