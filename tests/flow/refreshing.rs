//! Product changes and stock adjustments: from the queue into the rows, then into the cache, whatever is in the way.

use harness::queues::Outgoing;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::shop::{CURRY, LONG_LIMIT, SCARCE, Shop, order, order_at, record, ten_orders};

/// The function under test.
const FUNCTION: &str = "refresh-catalog";

/// A `product.changed.v1`.
pub(crate) fn product(sku: &str, version: i64, price_minor: i64) -> String {
    let data = json!({"sku": sku, "name": sku, "priceMinor": price_minor, "currency": "EUR", "active": true,
                      "version": version});
    event(&format!("product-{sku}-{version}"), "product.changed.v1", &data)
}

/// A `stock.adjusted.v1`.
pub(crate) fn stock(event_id: &str, sku: &str, delta: i64) -> String {
    event(event_id, "stock.adjusted.v1", &json!({"sku": sku, "delta": delta}))
}

fn event(id: &str, kind: &str, data: &Value) -> String {
    json!({"specversion": "1.0", "id": id, "source": "shop/catalog", "type": kind, "time": "2026-11-23T10:15:00.123Z",
           "data": data})
    .to_string()
}

/// The key of a kit in Redis.
pub(crate) fn key(sku: &str) -> String {
    format!("{{catalog}}:v1:{sku}")
}

/// The product of a kit as Redis has it: `<version> <price> EUR 1`, `0` for none, `None` for no entry.
pub(crate) async fn cached(shop: &Shop, sku: &str) -> Option<String> {
    let answer = ask_redis(shop, &["GET", &key(sku)]).await;
    if answer.starts_with("$-1") { None } else { answer.lines().nth(1).map(str::to_owned) }
}

/// What Redis answers to a command, as it comes over the wire.
pub(crate) async fn ask_redis(shop: &Shop, command: &[&str]) -> String {
    let address = shop.stack.redis_url.strip_prefix("redis://").unwrap().trim_end_matches('/').to_owned();
    let mut link = TcpStream::connect(address).await.unwrap();
    let words: Vec<String> = command.iter().map(|word| format!("${}\r\n{word}\r\n", word.len())).collect();
    let sent = format!("*{}\r\n{}*1\r\n$4\r\nQUIT\r\n", command.len(), words.concat());
    link.write_all(sent.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    link.read_to_end(&mut answer).await.unwrap();
    String::from_utf8(answer).unwrap()
}

impl Shop {
    /// Sends these bodies to the products queue.
    pub(crate) async fn send_changes(&self, bodies: &[String]) {
        let products = self.stack.queue("products").unwrap();
        for bodies in bodies.chunks(10) {
            let message = |body: &String| Outgoing { body: body.clone(), traceparent: String::new() };
            let messages: Vec<Outgoing> = bodies.iter().map(message).collect();
            self.stack.sqs().send(products, &messages).await.unwrap();
        }
    }

    /// Invokes the function with these bodies as one batch, as the event source would, and returns what comes back.
    pub(crate) async fn refresh(&self, bodies: &[String]) -> Vec<String> {
        let records: Vec<Value> = bodies.iter().enumerate().map(|(n, body)| record(n, Some(body))).collect();
        self.invoke_function(FUNCTION, records).await.failed
    }

    /// A kit's version and price in the database.
    pub(crate) async fn row(&self, sku: &str) -> (i64, i64) {
        let row =
            self.sql.query_one("SELECT version, price_minor FROM products WHERE sku = $1", &[&sku]).await;
        let row = row.unwrap();
        (row.get(0), row.get(1))
    }

    async fn wait_for_the_queue_to_be_empty(&self) {
        self.wait_up_to(LONG_LIMIT, "an empty products queue", async |shop| {
            shop.stack.status().await.unwrap().depth("products").total() == 0
        })
        .await;
        assert_eq!(self.stack.status().await.unwrap().depth("products-dlq").total(), 0);
    }
}

#[tokio::test]
async fn a_batch_becomes_rows_and_cache_entries_with_one_call_of_the_database() {
    let shop = Shop::open().await;
    shop.refresh(&[product("kit-new", 1, 900)]).await; // Warm.
    let before = shop.stack.status().await.unwrap().data_api_calls(FUNCTION);
    let batch = [
        product(CURRY, 2, 2_590),
        product("kit-newer", 7, 700),
        stock("came", "kit-newer", 5),
        stock("went", CURRY, -10),
        product(CURRY, 3, 2_690),
        stock("came", "kit-newer", 5),
    ];
    assert_eq!(shop.refresh(&batch).await, [""; 0]);
    let calls = shop.stack.status().await.unwrap().data_api_calls(FUNCTION) - before;
    assert_eq!(calls, 1);
    assert_eq!(shop.row(CURRY).await, (3, 2_690));
    assert_eq!(cached(&shop, CURRY).await.as_deref(), Some("3 2690 EUR 1"));
    assert_eq!(cached(&shop, "kit-newer").await.as_deref(), Some("7 700 EUR 1"));
    let available =
        "SELECT CAST(sum(available) AS bigint) FROM stock WHERE sku IN ('kit-newer', 'kit-thai-curry-2p')";
    assert_eq!(shop.number(available).await, 995);
    let answer = shop.batch(&[order_at("o", "kit-newer", 5, 700)]).await;
    assert_eq!((answer.failed.len(), shop.orders().await["o"].as_str()), (0, "accepted"));
    shop.assert_stock_adds_up().await;
    shop.close().await;
}

#[tokio::test]
async fn changes_come_twice_out_of_order_and_among_poison() {
    let shop = Shop::open().await;
    let good = [
        product(CURRY, 5, 2_500),
        product(CURRY, 4, 2_400),
        stock("a", CURRY, 7),
        stock("b", SCARCE, -9),
        stock("c", SCARCE, 8),
    ];
    let bad = [
        product(CURRY, 5, 1),      // Another content in a version that was applied.
        stock("a", CURRY, 8),      // Another content under an id that was applied.
        stock("d", CURRY, 0),      // No adjustment.
        product(CURRY, -1, 2_000), // No version.
        order("o", CURRY, 1),      // For another queue.
        "{".to_owned(),            // No JSON.
        product(CURRY, 9, 1).replace("changed.v1", "removed.v1"), // No event of the contract.
        product(CURRY, 9, 1).replace("\"name\":\"", "\"name\":\"4242424242424242 "), // What must not be kept.
    ];
    shop.let_products_flow().await;
    shop.send_changes(&good).await;
    shop.wait_for_the_queue_to_be_empty().await;
    let mut again: Vec<String> = [&bad[..], &good[..], &good[..]].concat();
    again.reverse();
    shop.send_changes(&again).await;
    shop.wait_for("eight messages in quarantine", async |shop| shop.quarantined().await.len() == 8).await;
    shop.wait_for_the_queue_to_be_empty().await;
    let expected = [
        "bad_schema",
        "bad_schema",
        "card_data",
        "id_reused",
        "id_reused",
        "not_json",
        "unknown_type",
        "unknown_type",
    ];
    assert_eq!(shop.quarantined().await, expected);
    assert_eq!(shop.row(CURRY).await, (5, 2_500));
    let shelf = "SELECT available FROM stock WHERE sku = 'kit-truffle-2p'";
    assert_eq!(shop.number(shelf).await, 2, "3 - 9 + 8");
    assert_eq!(shop.number("SELECT available FROM stock WHERE sku = 'kit-thai-curry-2p'").await, 1_007);
    shop.assert_stock_adds_up().await;
    shop.close().await;
}

/// Sends adjustments through the queue while calls fail, and expects that each counts once.
async fn check_fault(kind: &str, times: u64) {
    let shop = Shop::open().await;
    let faults = json!({"faults": [{"kind": kind, "times": times, "sql_contains": "refresh_catalog_v1"}]});
    shop.stack.control("PUT", "/data-api", &faults).await.unwrap();
    let adjustments: Vec<String> = (0..10).map(|n| stock(&format!("{kind}-{n}"), CURRY, 1)).collect();
    shop.send_changes(&adjustments).await;
    shop.send_changes(&[product(CURRY, 2, 2_590)]).await;
    shop.let_products_flow().await;
    shop.wait_for_the_queue_to_be_empty().await;
    assert_eq!(
        shop.number("SELECT available FROM stock WHERE sku = 'kit-thai-curry-2p'").await,
        1_010,
        "{kind}"
    );
    assert_eq!(cached(&shop, CURRY).await.as_deref(), Some("2 2590 EUR 1"), "{kind}");
    assert_eq!(shop.quarantined().await, [""; 0], "{kind}");
    shop.assert_stock_adds_up().await;
    shop.close().await;
}

#[tokio::test]
async fn a_database_that_fails_or_loses_its_answers_loses_no_change_and_counts_none_twice() {
    for (kind, times) in [("drop_after_commit", 3), ("drop_before", 3), ("unavailable", 4), ("throttle", 2)] {
        check_fault(kind, times).await;
    }
}

#[tokio::test]
async fn changes_survive_functions_that_are_killed_while_orders_come() {
    let shop = Shop::open().await;
    shop.stack.control("PUT", "/data-api", &json!({"rtt_ms": 40})).await.unwrap();
    shop.let_orders_flow().await;
    shop.let_products_flow().await;
    for round in 0..5 {
        let came: Vec<String> = (0..20).map(|n| stock(&format!("came-{round}-{n}"), CURRY, 3)).collect();
        shop.send_changes(&came).await;
        shop.send(&ten_orders(&format!("round-{round}"))).await;
        // It may have nothing to do, or have ended by itself.
        shop.stack.control("POST", &format!("/functions/{FUNCTION}/kill"), &Value::Null).await.ok();
        shop.assert_stock_adds_up().await;
    }
    shop.stack.control("PUT", "/data-api", &json!({"rtt_ms": 0})).await.unwrap();
    shop.wait_for_the_queue_to_be_empty().await;
    shop.wait_for("fifty orders", async |shop| shop.orders().await.len() == 50).await;
    assert_eq!(
        shop.number("SELECT available FROM stock WHERE sku = 'kit-thai-curry-2p'").await,
        1_000 + 300 - 50
    );
    shop.assert_stock_adds_up().await;
    shop.close().await;
}
