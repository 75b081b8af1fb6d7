//! The catalog as a browser sees it, over the function's URL: what is shown, and what with Redis or the database gone.

use std::fs;

use hyper::Response;
use hyper::body::Bytes;
use hyper::header::{HeaderMap, HeaderValue, IF_NONE_MATCH};
use serde_json::{Value, json};

use crate::refreshing::product;
use crate::shop::{CURRY, Shop};

pub(crate) const FUNCTION: &str = "serve-catalog";

async fn ask(shop: &Shop, method: &'static str, path: &str, headers: HeaderMap) -> Response<Bytes> {
    harness::http::fetch(method, &format!("{}{path}", shop.catalog_url()), headers).await.unwrap()
}

/// Asks the function itself, past every cache.
pub(crate) async fn get(shop: &Shop, path: &str) -> Response<Bytes> {
    ask(shop, "GET", path, HeaderMap::new()).await
}

fn header<'a>(response: &'a Response<Bytes>, name: &str) -> &'a str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

fn json_of(response: &Response<Bytes>) -> Value {
    serde_json::from_slice(response.body()).unwrap()
}

/// The price on the page of one product.
pub(crate) fn price_of(response: &Response<Bytes>) -> Value {
    json_of(response)["priceMinor"].clone()
}

fn skus(response: &Response<Bytes>) -> Vec<String> {
    let page = json_of(response);
    page["products"].as_array().unwrap().iter().map(|p| p["sku"].as_str().unwrap().to_owned()).collect()
}

/// Makes every reading of the listing fail, until [`find_database`].
pub(crate) async fn lose_database(shop: &Shop) {
    let faults =
        json!({"faults": [{"kind": "unavailable", "times": 100_000, "sql_contains": "p.image_key"}]});
    shop.stack.control("PUT", "/data-api", &faults).await.unwrap();
}

async fn find_database(shop: &Shop) {
    shop.stack.control("PUT", "/data-api", &json!({"faults": []})).await.unwrap();
}

/// Kills the function's one instance, and waits until it is gone.
pub(crate) async fn lose_instance(shop: &Shop) {
    post(shop, &format!("/functions/{FUNCTION}/kill")).await;
    shop.wait_for("the end of the instance", async |shop| {
        shop.stack.status().await.unwrap().functions[FUNCTION].instances == 0
    })
    .await;
}

async fn post(shop: &Shop, path: &str) {
    shop.stack.control("POST", path, &Value::Null).await.unwrap();
}

/// The lines about requests that were answered, oldest first.
fn lines(shop: &Shop) -> Vec<Value> {
    let log = fs::read_to_string(shop.stack.log_dir.join(format!("{FUNCTION}.log"))).unwrap_or_default();
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| line["message"] == "request answered").collect()
}

/// Asks until an answer came from there, by the function's own word.
async fn wait_for_source(shop: &Shop, source: &str, stale: bool) {
    shop.wait_for(&format!("a listing from {source}, stale: {stale}"), async |shop| {
        let response = get(shop, "/catalog").await;
        assert_eq!((response.status().as_u16(), skus(&response).len()), (200, 3));
        lines(shop)
            .last()
            .is_some_and(|line| line["listing.source"] == source && line["listing.stale"] == stale)
    })
    .await;
}

#[tokio::test]
async fn what_is_for_sale_is_shown_and_follows_the_shop() {
    let shop = Shop::open().await;
    shop.let_products_flow().await;
    let list = get(&shop, "/catalog").await;
    assert_eq!(list.status(), 200);
    assert_eq!(skus(&list), ["kit-ramen-2p", CURRY, "kit-truffle-2p"], "and not the retired one");
    let cached = "public, max-age=10, s-maxage=30, stale-while-revalidate=30, stale-if-error=3600";
    assert_eq!((header(&list, "cache-control"), header(&list, "content-type")), (cached, "application/json"));
    let item = json_of(&get(&shop, &format!("/catalog/{CURRY}")).await);
    let expected = json!({"sku": CURRY, "name": CURRY, "priceMinor": 2490, "currency": "EUR", "imageUrl": null, "version": 1});
    assert_eq!(item, expected);

    let mut changed: Value = serde_json::from_str(&product(CURRY, 2, 2_590)).unwrap();
    changed["data"]["imageKey"] = json!("3b1f.avif");
    shop.send_changes(&[changed.to_string(), product("kit-retired-2p", 2, 1_500)]).await;
    shop.wait_for("the changes", async |shop| skus(&get(shop, "/catalog").await).len() == 4).await;
    let item = json_of(&get(&shop, &format!("/catalog/{CURRY}")).await);
    assert_eq!((&item["priceMinor"], &item["imageUrl"]), (&json!(2_590), &json!("/images/3b1f.avif")));
    shop.close().await;
}

#[tokio::test]
async fn a_browser_is_answered_by_the_rules_of_http() {
    let shop = Shop::open().await;
    let list = get(&shop, "/catalog").await;
    let tag = header(&list, "etag").to_owned();
    let known = HeaderMap::from_iter([(IF_NONE_MATCH, HeaderValue::from_str(&tag).unwrap())]);
    let again = ask(&shop, "GET", "/catalog", known).await;
    assert_eq!((again.status().as_u16(), again.body().len(), header(&again, "etag")), (304, 0, tag.as_str()));
    let head = ask(&shop, "HEAD", "/catalog", HeaderMap::new()).await;
    assert_eq!((head.status().as_u16(), head.body().len(), header(&head, "etag")), (200, 0, tag.as_str()));
    for (method, path, status) in [
        ("GET", "/catalog/kit-none", 404),
        ("GET", "/catalog/kit-retired-2p", 404),
        ("GET", "/elsewhere", 404),
        ("GET", "/catalog/kit%20none", 400),
        ("POST", "/catalog", 405),
    ] {
        assert_eq!(ask(&shop, method, path, HeaderMap::new()).await.status(), status, "{method} {path}");
    }
    shop.close().await;
}

#[tokio::test]
async fn without_redis_the_same_is_shown() {
    let shop = Shop::open().await;
    let before = get(&shop, "/catalog").await;
    post(&shop, "/redis/kill").await;
    wait_for_source(&shop, "database", false).await;
    assert_eq!(header(&get(&shop, "/catalog").await, "etag"), header(&before, "etag"));
    lose_instance(&shop).await;
    assert_eq!(get(&shop, "/catalog").await.status(), 200, "also by a function that starts without it");
    shop.close().await;
}

#[tokio::test]
async fn without_the_database_an_old_listing_is_shown_and_without_any_a_503() {
    let shop = Shop::open().await;
    assert_eq!(get(&shop, "/catalog").await.status(), 200);
    lose_database(&shop).await;
    wait_for_source(&shop, "snapshot", true).await;
    lose_instance(&shop).await;
    assert_eq!(get(&shop, "/catalog").await.status(), 200, "a new instance has it from Redis");
    lose_instance(&shop).await;
    post(&shop, "/redis/kill").await;
    let nothing = get(&shop, "/catalog").await;
    assert_eq!((nothing.status().as_u16(), header(&nothing, "cache-control")), (503, "no-store"));
    assert_eq!(header(&nothing, "retry-after"), "5");
    find_database(&shop).await;
    assert_eq!(get(&shop, "/catalog").await.status(), 200, "it is asked again at once");
    shop.close().await;
}

#[tokio::test]
async fn stock_that_cannot_be_cached_is_not_shown_and_changes_nothing() {
    let shop = Shop::open().await;
    let before = get(&shop, "/catalog").await;
    assert!(!String::from_utf8_lossy(before.body()).contains("available"));
    shop.sql.execute("UPDATE stock SET available = 0 WHERE sku = $1", &[&CURRY]).await.unwrap();
    wait_for_source(&shop, "database", false).await;
    assert_eq!(get(&shop, "/catalog").await.body(), before.body());
    shop.close().await;
}
