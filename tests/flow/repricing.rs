//! Prices that change in the middle of a run: no order is accepted at a price that the database does not hold, and no good
//! order is rejected because of a stale cache.

use std::time::Duration;

use backoff::{Clock, SystemClock};
use serde_json::Value;

use crate::refreshing::{ask_redis, cached, key, product};
use crate::shop::{CURRY, Shop, order_at, record};

/// The most that may pass between sending a product change and an order that is accepted at the new price.
const PRICED_WITHIN: Duration = Duration::from_secs(1);

/// The price of a version of the kit; version 1 is what the shop opens with.
fn price(version: i64) -> i64 {
    2_490 + (version - 1) * 100
}

/// The orders `name`-0 to `name`-4, at the price of this version.
fn orders(name: &str, version: i64) -> Vec<String> {
    (0..5).map(|n| order_at(&format!("{name}-{n}"), CURRY, 1, price(version))).collect()
}

impl Shop {
    /// Waits until the order has ended, and tells how.
    async fn end_of(&self, order_id: &str) -> String {
        self.wait_for(order_id, async |shop| shop.orders().await.contains_key(order_id)).await;
        self.orders().await[order_id].clone()
    }

    /// Waits until the five orders have ended, and tells how, each way once.
    async fn ends_of(&self, name: &str) -> Vec<String> {
        let mut ends = Vec::new();
        for n in 0..5 {
            ends.push(self.end_of(&format!("{name}-{n}")).await);
        }
        ends.sort();
        ends.dedup();
        ends
    }

    /// Sends the change to this version, and waits until the database has it.
    async fn change_to(&self, version: i64) {
        self.send_changes(&[product(CURRY, version, price(version))]).await;
        self.wait_for("the new price", async |shop| shop.row(CURRY).await == (version, price(version))).await;
    }
}

#[tokio::test]
async fn a_changed_price_is_the_next_orders_price_within_a_second() {
    let shop = Shop::open().await;
    shop.let_orders_flow().await;
    shop.let_products_flow().await;
    shop.send(&orders("before", 1)).await;
    assert_eq!(shop.ends_of("before").await, ["accepted"]);
    let mut taken = Vec::new();
    for version in 2..=11 {
        let start = SystemClock.monotonic();
        shop.send_changes(&[product(CURRY, version, price(version))]).await;
        let mut accepted = false;
        for attempt in 0..100 {
            let id = format!("v{version}-{attempt}");
            shop.send(&[order_at(&id, CURRY, 1, price(version))]).await;
            accepted = match shop.end_of(&id).await.as_str() {
                "accepted" => true,
                "rejected price_changed" => false,
                other => panic!("{id} is {other}"),
            };
            if accepted {
                break;
            }
        }
        assert!(accepted, "version {version} never priced an order");
        taken.push(SystemClock.monotonic() - start);
        let stale = format!("stale-{version}");
        shop.send(&[order_at(&stale, CURRY, 1, price(version - 1))]).await;
        assert_eq!(shop.end_of(&stale).await, "rejected price_changed");
    }
    taken.sort();
    println!(
        "product.changed.v1 sent to an order accepted at its price: median {:?}, worst {:?}",
        taken[5], taken[9]
    );
    assert!(taken[9] < PRICED_WITHIN, "{taken:?}");
    shop.close().await;
}

#[tokio::test]
async fn no_order_gets_a_price_that_is_not_held_and_no_good_order_is_rejected() {
    let shop = Shop::open().await;
    shop.let_orders_flow().await;
    shop.let_products_flow().await;
    for version in 1..=12 {
        // The price is held from before these are sent until after they have ended: whatever caches say, all are good.
        let (good, racing, late) =
            (format!("good-{version}"), format!("racing-{version}"), format!("late-{version}"));
        shop.send(&orders(&good, version)).await;
        assert_eq!(shop.ends_of(&good).await, ["accepted"], "{good}");
        // In every third round Redis misses the change, and keeps the old price.
        let frozen = version % 3 == 0;
        if frozen {
            shop.stack.control("POST", "/redis/freeze", &Value::Null).await.unwrap();
        }
        let (racing_orders, change) = (orders(&racing, version), shop.change_to(version + 1));
        tokio::join!(shop.send(&racing_orders), change);
        let changed = "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint)";
        let changed = shop.number(changed).await;
        // The old price is gone from before these are sent.
        shop.send(&orders(&late, version)).await;
        if frozen {
            shop.stack.control("POST", "/redis/thaw", &Value::Null).await.unwrap();
        }
        assert_eq!(shop.ends_of(&late).await, ["rejected price_changed"], "{late}");
        for end in shop.ends_of(&racing).await {
            assert!(["accepted", "rejected price_changed"].contains(&end.as_str()), "{racing} {end}");
        }
        let too_late = format!(
            "SELECT count(*) FROM orders WHERE order_id LIKE '{racing}-%' AND accepted_at > to_timestamp({changed} / 1000000.0)"
        );
        assert_eq!(shop.number(&too_late).await, 0, "{racing} was accepted at a price that was gone");
    }
    let foreign = "SELECT count(*) FROM order_items WHERE (unit_price_minor - 2490) % 100 <> 0";
    assert_eq!(shop.number(foreign).await, 0);
    shop.assert_stock_adds_up().await;
    shop.close().await;
}

#[tokio::test]
async fn a_change_that_redis_misses_is_no_error_and_an_order_heals_the_cache() {
    let shop = Shop::open().await;
    let invoke = async |version| {
        let body = product(CURRY, version, price(version));
        let records = vec![record(0, Some(&body))];
        shop.invoke_function("refresh-catalog", records).await.failed
    };
    for (version, trouble, end) in [(2, "freeze", "thaw"), (3, "kill", "start")] {
        shop.batch(&orders(&format!("warm-{version}"), version - 1)).await;
        let old = format!("{} {} EUR 1", version - 1, price(version - 1));
        shop.wait_for("a warm cache", async |shop| {
            shop.batch(&orders(&format!("warm-{version}"), version - 1)).await;
            cached(shop, CURRY).await.as_ref() == Some(&old)
        })
        .await;
        shop.stack.control("POST", &format!("/redis/{trouble}"), &Value::Null).await.unwrap();
        assert_eq!(invoke(version).await, [""; 0], "a sick cache fails no change");
        assert_eq!(shop.row(CURRY).await, (version, price(version)));
        shop.stack.control("POST", &format!("/redis/{end}"), &Value::Null).await.unwrap();
        // What a frozen server still has to read it may carry out later, and a killed one has forgotten all: the worst
        // that a lost refresh leaves is the old price.
        ask_redis(&shop, &["SET", &key(CURRY), &old, "PX", "300000"]).await;
        assert_eq!(cached(&shop, CURRY).await.as_ref(), Some(&old));
        let (new, mut turn) = (format!("{version} {} EUR 1", price(version)), 0);
        shop.wait_for("a cache that was contradicted", async |shop| {
            let id = format!("heal-{version}-{turn}");
            turn += 1;
            assert_eq!(shop.batch(&[order_at(&id, CURRY, 1, price(version))]).await.failed, [""; 0]);
            assert_eq!(shop.end_of(&id).await, "accepted", "at once, though the cache is stale");
            cached(shop, CURRY).await.as_ref() == Some(&new)
        })
        .await;
    }
    shop.assert_stock_adds_up().await;
    shop.close().await;
}
