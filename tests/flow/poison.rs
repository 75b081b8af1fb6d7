//! Every body of `tests/fixtures/poison`: quarantined or rejected at first receipt, with its reason, and its nine
//! neighbours accepted.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::shop::{Shop, record, ten_orders};

/// One file of the folder and what `expected.json` says of it.
struct Poison {
    file: String,
    body: String,
    expected: Value,
}

impl Poison {
    fn says(&self, what: &str) -> Option<String> {
        self.expected[what].as_str().map(str::to_owned)
    }

    /// Whether no queue would take the body, so that only a handler can meet it.
    fn is_event_only(&self) -> bool {
        self.expected["event_only"].as_bool().unwrap_or(false)
    }
}

fn poisons() -> Vec<Poison> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/poison");
    let index = fs::read_to_string(folder.join("expected.json")).unwrap();
    let index: BTreeMap<String, Value> = serde_json::from_str(&index).unwrap();
    // An index that names few kinds would make these tests pass without testing.
    assert!(index.len() >= 15);
    index
        .into_iter()
        .map(|(file, expected)| Poison { body: body(&folder, &file, &expected), file, expected })
        .collect()
}

/// The file's text, or the text that the index describes where the file would be huge.
fn body(folder: &Path, file: &str, expected: &Value) -> String {
    let repeat = &expected["repeat"];
    let Some(text) = repeat["text"].as_str() else {
        return String::from_utf8(fs::read(folder.join(file)).unwrap()).unwrap();
    };
    let times = usize::try_from(repeat["times"].as_u64().unwrap()).unwrap();
    let part = |name: &str| repeat[name].as_str().unwrap_or_default();
    format!("{}{}{}", part("before"), text.repeat(times), part("after"))
}

/// The order in a body that names one.
fn order_id(body: &str) -> String {
    let event: Value = serde_json::from_str(body).unwrap();
    event["data"]["orderId"].as_str().unwrap().to_owned()
}

/// Nine good orders and the poison in their middle.
fn batch_around(poison: &Poison, prefix: &str) -> Vec<String> {
    let mut bodies = ten_orders(prefix);
    bodies[4].clone_from(&poison.body);
    bodies
}

/// Compares what became of every poison with the index; `among` tells which of them were sent.
async fn assert_ends(shop: &Shop, poisons: &[Poison], among: impl Fn(&Poison) -> bool) {
    let orders = shop.orders().await;
    let sent: Vec<&Poison> = poisons.iter().filter(|poison| among(poison)).collect();
    let mut quarantined: Vec<String> = sent.iter().filter_map(|poison| poison.says("quarantined")).collect();
    quarantined.sort();
    assert_eq!(shop.quarantined().await, quarantined);
    for poison in &sent {
        if let Some(reason) = poison.says("rejected") {
            assert_eq!(orders[&order_id(&poison.body)], format!("rejected {reason}"), "{}", poison.file);
        }
    }
    let neighbours =
        orders.iter().filter(|(id, status)| id.starts_with("near-") && *status == "accepted").count();
    assert_eq!(neighbours, 9 * sent.len(), "all neighbours are accepted");
    shop.assert_stock_adds_up().await;
}

#[tokio::test]
async fn each_kind_ends_at_first_receipt_and_harms_no_neighbour() {
    let shop = Shop::open().await;
    let poisons = poisons();
    for (n, poison) in poisons.iter().enumerate() {
        let answer = shop.batch(&batch_around(poison, &format!("near-{n}"))).await;
        assert_eq!(answer.failed, [""; 0], "{}", poison.file);
    }
    assert_ends(&shop, &poisons, |_| true).await;
    shop.close().await;
}

#[tokio::test]
async fn each_kind_that_a_queue_takes_ends_the_same_from_the_queue() {
    let shop = Shop::open().await;
    let poisons = poisons();
    for (n, poison) in poisons.iter().enumerate().filter(|(_, poison)| !poison.is_event_only()) {
        for body in batch_around(poison, &format!("near-{n}")) {
            shop.stack.send_order(&body, "").await.unwrap();
        }
        // The second order under one id must arrive after the first.
        shop.let_orders_flow().await;
        shop.wait_for("an empty queue", async |shop| {
            shop.stack.status().await.unwrap().depth("orders").total() == 0
        })
        .await;
    }
    assert_ends(&shop, &poisons, |poison| !poison.is_event_only()).await;
    let held = shop.stack.sqs().peek(shop.stack.queue("quarantine").unwrap(), 100).await.unwrap();
    assert!(held.iter().all(|message| message.attributes["receiveCount"] == "1"), "at first receipt");
    assert_eq!(shop.stack.status().await.unwrap().depth("orders-dlq").total(), 0);
    shop.close().await;
}

#[tokio::test]
async fn a_record_without_a_body_is_quarantined_beside_a_good_one() {
    let shop = Shop::open().await;
    let good = ten_orders("beside").remove(0);
    assert_eq!(shop.invoke(vec![record(0, None), record(1, Some(&good))]).await.failed, [""; 0]);
    assert_eq!(shop.quarantined().await, ["no_body"]);
    assert_eq!(shop.orders().await["beside-0"], "accepted");
    shop.close().await;
}

#[tokio::test]
async fn card_data_is_kept_nowhere_and_everything_else_as_it_came() {
    let shop = Shop::open().await;
    let poisons = poisons();
    for poison in poisons.iter().filter(|poison| !poison.is_event_only()) {
        shop.batch(std::slice::from_ref(&poison.body)).await;
    }
    for message in shop.stack.sqs().peek(shop.stack.queue("quarantine").unwrap(), 100).await.unwrap() {
        let kept = poisons.iter().any(|poison| poison.body == message.body);
        let card = message.attributes["reason"] == "card_data";
        assert_eq!(message.attributes["body"], if card { "sha256" } else { "kept" });
        assert_eq!(kept, !card, "{}", message.attributes["reason"]);
    }
    shop.close().await;
}
