//! No secret, no card data and no personal data in any log line, message attribute or Redis key: canaries are put into
//! every input and looked for in everything that leaves the function.

use std::fs;

use serde_json::{Value, json};

use crate::shop::{CURRY, Shop, order, record};

/// What must never come out, each put where a careless shop might put it.
const CANARIES: [&str; 5] =
    ["4242424242424242", "Canary Bird", "canary@example.com", "12 Canary Lane", "tok_canary_secret"];

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
