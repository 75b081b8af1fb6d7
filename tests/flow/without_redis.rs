//! Redis holds no truth: gone, frozen, or full of garbage, every outcome is the same.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::shop::{CURRY, SCARCE, Shop, order, order_at, ten_orders};

/// A bit of everything: accepted, rejected by price, by stock and by SKU.
fn mixed(prefix: &str) -> Vec<String> {
    vec![
        order(&format!("{prefix}-plain"), CURRY, 1),
        order_at(&format!("{prefix}-price"), CURRY, 1, 2_000),
        order(&format!("{prefix}-unknown"), "kit-nobody-sells", 1),
        order(&format!("{prefix}-retired"), "kit-retired-2p", 1),
        order(&format!("{prefix}-scarce"), SCARCE, 9),
        order(&format!("{prefix}-ramen"), "kit-ramen-2p", 2),
    ]
}

/// The outcome of each order, without the prefix of its run.
async fn outcomes(shop: &Shop, prefix: &str) -> BTreeMap<String, String> {
    let orders = shop.orders().await.into_iter();
    orders.filter_map(|(id, status)| Some((id.strip_prefix(prefix)?.to_owned(), status))).collect()
}

async fn redis(shop: &Shop, what: &str) {
    shop.stack.control("POST", &format!("/redis/{what}"), &Value::Null).await.unwrap();
}

#[tokio::test]
async fn outcomes_are_the_same_with_redis_well_frozen_gone_and_back() {
    let shop = Shop::open().await;
    assert_eq!(shop.batch(&mixed("well")).await.failed, [""; 0]);
    let expected = outcomes(&shop, "well").await;
    assert_eq!(expected["-plain"], "accepted");
    for (trouble, run) in [("freeze", "frozen"), ("thaw", "thawed"), ("kill", "gone"), ("start", "back")] {
        redis(&shop, trouble).await;
        assert_eq!(shop.batch(&mixed(run)).await.failed, [""; 0], "{run}");
        assert_eq!(outcomes(&shop, run).await, expected, "{run}");
    }
    shop.assert_stock_adds_up().await;
    shop.close().await;
}

#[tokio::test]
async fn a_function_that_starts_without_redis_accepts_orders() {
    let shop = Shop::open().await;
    redis(&shop, "kill").await;
    assert_eq!(shop.batch(&mixed("from-the-start")).await.failed, [""; 0]);
    assert_eq!(outcomes(&shop, "from-the-start").await["-plain"], "accepted");
    shop.close().await;
}

#[tokio::test]
async fn payments_go_on_with_redis_gone_frozen_and_back() {
    let shop = Shop::open().await;
    shop.let_everything_flow().await;
    let troubles = [("kill", "gone"), ("start", "back"), ("freeze", "frozen"), ("thaw", "thawed")];
    for (paid, (trouble, run)) in (1..).zip(troubles) {
        redis(&shop, trouble).await;
        shop.send(&ten_orders(run)).await;
        shop.wait_for_payment_of(10 * paid).await;
    }
    shop.assert_all_paid_once(40).await;
    shop.close().await;
}
