//! What a cache in front of the catalog saves, and what it shows meanwhile: a caching proxy before the function's URL.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::caching_proxy::{How, Proxy, Served};
use crate::refreshing::product;
use crate::shop::{CURRY, Shop};
use crate::showing::{FUNCTION, get, lose_database, lose_instance, price_of};

/// `s-maxage` and `stale-while-revalidate` of `infra/settings.json`.
const SHARED_MAX_AGE: Duration = Duration::from_secs(30);
const STALE_WHILE_REVALIDATE: Duration = Duration::from_secs(30);

const SECOND: Duration = Duration::from_secs(1);

fn proxy(shop: &Shop) -> Arc<Proxy> {
    Arc::new(Proxy::before(shop.catalog_url()))
}

/// How often the function ran so far.
async fn invocations(shop: &Shop) -> u64 {
    shop.stack.status().await.unwrap().functions[FUNCTION].invocations
}

fn price(served: &Served) -> Value {
    serde_json::from_slice::<Value>(served.response.body()).unwrap()["priceMinor"].clone()
}

/// Changes a price, and waits until the function shows it to who asks it directly.
async fn change_price(shop: &Shop, version: i64, price_minor: i64) {
    shop.send_changes(&[product(CURRY, version, price_minor)]).await;
    shop.wait_for("the function shows the new price", async |shop| {
        price_of(&get(shop, &format!("/catalog/{CURRY}")).await) == json!(price_minor)
    })
    .await;
}

#[tokio::test]
async fn a_proxy_in_front_saves_more_than_ninety_nine_of_a_hundred_requests() {
    let shop = Shop::open().await;
    let proxy = proxy(&shop);
    let pages =
        ["/catalog", "/catalog/kit-thai-curry-2p", "/catalog/kit-ramen-2p", "/catalog/kit-truffle-2p"];
    let (clients, rounds) = (50, 60);
    let mut served: u64 = 0;
    // A minute of fifty clients, each of whom opens a page a second: all at once, then the clock moves on.
    for round in 0..rounds {
        let mut asking = JoinSet::new();
        for client in 0..clients {
            let (proxy, page) = (Arc::clone(&proxy), pages[(client + round) % pages.len()]);
            asking.spawn(async move { proxy.get(page).await });
        }
        while let Some(page) = asking.join_next().await {
            assert_eq!(page.unwrap().response.status(), 200);
            served += 1;
        }
        proxy.advance(SECOND);
    }
    let asked = invocations(&shop).await;
    assert_eq!((served, asked), (3_000, proxy.questions()), "the function ran for the proxy alone");
    // Each page is fetched once, and once more when half a minute is over.
    assert_eq!(asked, 2 * u64::try_from(pages.len()).unwrap());
    assert!(asked * 100 < served, "{asked} of {served} requests reached the function");
    shop.close().await;
}

#[tokio::test]
async fn an_old_page_is_asked_for_by_its_tag_and_served_again_when_nothing_changed() {
    let shop = Shop::open().await;
    let proxy = proxy(&shop);
    let first = proxy.get("/catalog").await;
    assert_eq!(first.how, How::Origin(200));
    proxy.advance(SHARED_MAX_AGE - SECOND);
    assert_eq!(proxy.get("/catalog").await.how, How::Fresh);
    // Beyond every leave to show it old.
    proxy.advance(SHARED_MAX_AGE + STALE_WHILE_REVALIDATE + SECOND);
    let again = proxy.get("/catalog").await;
    assert_eq!(again.how, How::Origin(304), "no body travelled");
    assert_eq!(again.response.body(), first.response.body());
    assert_eq!(proxy.get("/catalog").await.how, How::Fresh, "it is fresh again");
    assert_eq!(proxy.questions(), 2);
    shop.close().await;
}

#[tokio::test]
async fn a_stale_page_is_shown_once_while_the_new_price_is_fetched() {
    let shop = Shop::open().await;
    shop.let_products_flow().await;
    let proxy = proxy(&shop);
    let page = format!("/catalog/{CURRY}");
    assert_eq!(price(&proxy.get(&page).await), 2_490);
    change_price(&shop, 2, 2_590).await;
    proxy.advance(SHARED_MAX_AGE - SECOND);
    let shown = proxy.get(&page).await;
    assert_eq!((shown.how, price(&shown)), (How::Fresh, json!(2_490)), "it may be shown for so long");
    proxy.advance(STALE_WHILE_REVALIDATE);
    let shown = proxy.get(&page).await;
    assert_eq!((shown.how, price(&shown)), (How::StaleWhileRevalidating, json!(2_490)), "nobody waits");
    let shown = proxy.get(&page).await;
    assert_eq!((shown.how, price(&shown)), (How::Fresh, json!(2_590)), "and the next one sees the new price");
    change_price(&shop, 3, 2_690).await;
    proxy.advance(SHARED_MAX_AGE + STALE_WHILE_REVALIDATE + SECOND);
    let shown = proxy.get(&page).await;
    assert_eq!((shown.how, price(&shown)), (How::Origin(200), json!(2_690)), "older than that is not shown");
    shop.close().await;
}

#[tokio::test]
async fn absence_is_remembered_for_seconds_and_failure_not_at_all() {
    let shop = Shop::open().await;
    shop.let_products_flow().await;
    let proxy = proxy(&shop);
    assert_eq!(proxy.get("/catalog/kit-new").await.how, How::Origin(404));
    assert_eq!(proxy.get("/catalog/kit-new").await.how, How::Fresh);
    proxy.advance(6 * SECOND);
    assert_eq!(proxy.get("/catalog/kit-new").await.how, How::Origin(404), "asked again");
    proxy.get("/catalog").await;
    lose_database(&shop).await;
    shop.stack.control("POST", "/redis/kill", &Value::Null).await.unwrap();
    lose_instance(&shop).await;
    proxy.advance(SHARED_MAX_AGE + STALE_WHILE_REVALIDATE + SECOND);
    let shown = proxy.get("/catalog").await;
    assert_eq!((shown.how, shown.response.status().as_u16()), (How::StaleBecauseOfError, 200));
    for _ in 0..2 {
        let page = proxy.get("/catalog/kit-ramen-2p").await;
        assert_eq!(page.how, How::Origin(503), "nobody remembers that");
    }
    shop.close().await;
}
