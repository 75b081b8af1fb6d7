//! No secret, no card data and no personal data in any log line, message attribute or Redis key: canaries are put into
//! every input and looked for in everything that leaves the function.

use std::fs;

use hyper::header::{HeaderMap, HeaderValue, USER_AGENT};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::refreshing::product;
use crate::shop::{CURRY, LONG_LIMIT, Shop, order, order_with_card, payment_request, record};

/// What must never come out, each put where a careless shop might put it.
const CANARIES: [&str; 6] = [
    "4242424242424242",
    "Canary Bird",
    "canary@example.com",
    "12 Canary Lane",
    "tok_canary_secret",
    "sk_test_local", // The key that the functions show the provider of a local stack.
];

/// Bodies that hold canaries: as unknown fields of a good order, in a bad one, and in what is no JSON.
fn bodies() -> Vec<String> {
    let mut good: Value = serde_json::from_str(&order("with-canaries", CURRY, 1)).unwrap();
    good["data"]["customerName"] = json!(CANARIES[1]);
    good["data"]["email"] = json!(CANARIES[2]);
    good["data"]["address"] = json!(CANARIES[3]);
    good["data"]["note"] = json!(CANARIES[4]);
    let mut card = good.clone();
    card["data"]["orderId"] = json!("with-card");
    card["data"]["cardNote"] = json!(CANARIES[0]);
    let mut wrong = good.clone();
    wrong["data"]["orderId"] = json!("with-wrong-total");
    wrong["data"]["totalMinor"] = json!(1);
    let mut typed = good.clone();
    typed["data"]["totalMinor"] = json!(CANARIES[1]);
    let broken = format!("{}{}", CANARIES.join(" "), "{");
    vec![good.to_string(), card.to_string(), wrong.to_string(), typed.to_string(), broken]
}

#[track_caller]
fn assert_silent(what: &str, text: &str) {
    for canary in CANARIES {
        assert!(!text.contains(canary), "{what} holds {canary}");
    }
}

#[tokio::test]
async fn canaries_are_found_in_no_log_line_attribute_or_key() {
    let shop = Shop::open().await;
    let bodies = bodies();
    shop.batch(&bodies).await;
    // Also where the database refuses, fails and panics would be logged.
    let faults = json!({"faults": [{"kind": "internal", "times": 4, "sql_contains": "accept_orders_v1"}]});
    shop.stack.control("PUT", "/data-api", &faults).await.unwrap();
    let failing: Vec<Value> = bodies.iter().enumerate().map(|(n, body)| record(n, Some(body))).collect();
    shop.invoke(failing).await;

    let log = shop.stack.log_dir.join("process-orders.log");
    shop.wait_for("both batch lines", async |_| {
        fs::read_to_string(&log).is_ok_and(|text| text.matches("batch answered").count() == 2)
    })
    .await;
    let log = fs::read_to_string(&log).unwrap();
    assert!(log.contains("record quarantined"), "the log must have something to be silent about");
    assert_silent("the log", &log);
    for line in log.lines() {
        serde_json::from_str::<Value>(line).unwrap_or_else(|_| panic!("a log line is no JSON: {line}"));
    }
    for queue in ["quarantine", "payments"] {
        for message in shop.stack.sqs().peek(shop.stack.queue(queue).unwrap(), 100).await.unwrap() {
            assert_silent(queue, &format!("{:?}", message.attributes));
        }
    }
    let rows = "SELECT coalesce(string_agg(CAST(t AS text), ' '), '') FROM (
      SELECT CAST(o AS text) FROM orders o UNION ALL SELECT CAST(h AS text) FROM order_history h
      UNION ALL SELECT CAST(x AS text) FROM outbox x UNION ALL SELECT CAST(p AS text) FROM payments p) AS t";
    assert_silent("the database", &shop.sql.query_one(rows, &[]).await.unwrap().get::<_, String>(0));
    shop.close().await;
}

/// Everything that Redis holds, keys and values, as text.
async fn redis_content(shop: &Shop) -> String {
    let address = shop.stack.redis_url.strip_prefix("redis://").unwrap().trim_end_matches('/').to_owned();
    let mut link = TcpStream::connect(address).await.unwrap();
    let script = "local all = {} for _, k in ipairs(redis.call('KEYS', '*')) do all[#all + 1] = k \
                  if redis.call('TYPE', k).ok == 'string' then all[#all + 1] = redis.call('GET', k) end end return all";
    let command =
        format!("*3\r\n$4\r\nEVAL\r\n${}\r\n{script}\r\n$1\r\n0\r\n*1\r\n$4\r\nQUIT\r\n", script.len());
    link.write_all(command.as_bytes()).await.unwrap();
    let mut content = Vec::new();
    link.read_to_end(&mut content).await.unwrap();
    String::from_utf8_lossy(&content).into_owned()
}

#[tokio::test]
async fn canaries_are_found_nowhere_when_orders_are_paid_declined_and_doubted() {
    let shop = Shop::open().await;
    let faults = ["error_500_with_effect", "half_body", "error_503"]
        .map(|kind| harness::sandbox::fault_times(kind, "authorize", 1));
    harness::sandbox::set_faults(&shop.stack, 1, &faults).await.unwrap();
    shop.let_everything_flow().await;
    shop.send(&bodies()).await;
    let poor = order_with_card("poor", "pm_card_chargeDeclined")
        .replace("\"c_8f2\"", "\"c_8f2\",\"note\":\"Canary Bird\"");
    shop.send(&[poor, order("rich", CURRY, 1)]).await;
    let request = payment_request("nobody", 1)
        .replace("\"attemptNo\":1", "\"attemptNo\":1,\"note\":\"tok_canary_secret\"");
    shop.invoke_function("settle-payments", vec![record(0, Some(&request)), record(1, Some(CANARIES[0]))])
        .await;
    let changed = product(CURRY, 2, 2_490).replacen("\"data\":{", "\"data\":{\"note\":\"Canary Bird\",", 1);
    assert!(changed.contains(CANARIES[1]));
    shop.invoke_function("refresh-catalog", vec![record(0, Some(&changed)), record(1, Some(CANARIES[4]))])
        .await;
    let address = format!("{}/catalog/{}?note={}", shop.catalog_url(), CANARIES[4], CANARIES[0]);
    let note = HeaderMap::from_iter([(USER_AGENT, HeaderValue::from_static(CANARIES[1]))]);
    assert_eq!(harness::http::fetch("GET", &address, note).await.unwrap().status(), 404);
    shop.wait_up_to(LONG_LIMIT, "paid and declined orders", async |shop| {
        shop.confirmed().await == 2
            && shop.orders().await.get("poor").is_some_and(|end| end.contains("declined"))
    })
    .await;
    for function in
        ["process-orders", "settle-payments", "reconcile-orders", "refresh-catalog", "serve-catalog"]
    {
        let log = shop.stack.log_dir.join(format!("{function}.log"));
        // Its first run may not be over yet.
        let written = async |_: &Shop| fs::read_to_string(&log).is_ok_and(|text| !text.is_empty());
        shop.wait_for("something to be silent about", written).await;
        assert_silent(function, &fs::read_to_string(&log).unwrap());
    }
    assert_silent("the metrics", &serde_json::to_string(&shop.stack.status().await.unwrap()).unwrap());
    for queue in ["quarantine", "payments", "order-events"] {
        for message in shop.stack.sqs().peek(shop.stack.queue(queue).unwrap(), 1000).await.unwrap() {
            assert_silent(queue, &format!("{:?}", message.attributes));
        }
    }
    let redis = redis_content(&shop).await;
    assert!(redis.contains("pay"), "the gate must have something to be silent about: {redis}");
    assert_silent("Redis", &redis);
    shop.close().await;
}
