//! Payments of the shop: moves as the calls take them, and answers in a form that fits one line.

use serde_json::{Value, json};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Row};

use crate::orders::{PRICE, Shop, order, with};

/// The charge that a row of this order knows, where it knows one.
pub(crate) fn own(order_id: &str) -> String {
    format!("pi_{order_id}")
}

/// A move of the first attempt of an order.
pub(crate) fn step(order_id: &str, step: &str) -> Value {
    json!({"order_id": order_id, "attempt_no": 1, "step": step})
}

/// A move that names a charge.
pub(crate) fn charged(order_id: &str, name: &str, payment_id: &str) -> Value {
    with(step(order_id, name), "payment_id", json!(payment_id))
}

/// A decline with the bank's word.
pub(crate) fn declined(order_id: &str, soft: bool) -> Value {
    with(with(step(order_id, "declined"), "why", json!("insufficient_funds")), "again", json!(soft))
}

/// Numbers the elements, from 0, in their order.
fn numbered(elements: &[Value]) -> String {
    let numbered = elements
        .iter()
        .enumerate()
        .map(|(number, element)| with(element.clone(), "record_no", json!(number)));
    Value::from_iter(numbered).to_string()
}

/// Calls a function of a batch; the driver would otherwise ask for values of the type `jsonb`.
async fn call(client: &Client, function: &str, batch: &str) -> Result<Vec<Row>, SqlState> {
    let call = format!("SELECT * FROM {function} ORDER BY record_no")
        .replace("batch", "CAST(CAST($1 AS text) AS jsonb)");
    client.query(&call, &[&batch]).await.map_err(|error| error.code().cloned().unwrap())
}

/// Records moves and describes the answers, in the order of the moves. An answer reads `moved|kept <payment status>,
/// order <order status>, <next> [own|<payment id>][, tells <type>:<seq>]`.
pub(crate) async fn record(client: &Client, moves: &[Value]) -> Result<Vec<String>, SqlState> {
    let rows = call(client, "record_payments_v1(batch)", &numbered(moves)).await?;
    Ok(rows.iter().map(describe).collect())
}

/// Gives payments up, and describes the answers as [`record`] does.
pub(crate) async fn give_up(
    client: &Client,
    order_ids: &[&str],
    next_attempt: bool,
) -> Result<Vec<String>, SqlState> {
    let payments: Vec<_> = order_ids.iter().map(|id| json!({"order_id": id, "attempt_no": 1})).collect();
    let function = format!("give_up_v1(batch, {next_attempt})");
    Ok(call(client, &function, &numbered(&payments)).await?.iter().map(describe).collect())
}

/// Expires orders that were accepted at least so long ago, each as `<order id> <answer of record>`.
pub(crate) async fn expire(client: &Client, limit: i64, age_ms: i64) -> Result<Vec<String>, SqlState> {
    let rows =
        client.query("SELECT * FROM expire_orders_v1($1, $2) ORDER BY order_id", &[&limit, &age_ms]).await;
    let rows = rows.map_err(|error| error.code().cloned().unwrap())?;
    Ok(rows.iter().map(|row| format!("{} {}", row.get::<_, String>("order_id"), describe(row))).collect())
}

fn describe(row: &Row) -> String {
    let text = |name| row.get::<_, Option<String>>(name);
    let moved = if row.get("changed") { "moved" } else { "kept" };
    let (order_id, next) = (text("order_id").unwrap(), text("next").unwrap());
    let charge = match text("payment_id").filter(|_| next != "nothing" && next != "authorize") {
        Some(payment_id) if payment_id == own(&order_id) => " own".to_owned(),
        Some(payment_id) => format!(" {payment_id}"),
        None => String::new(),
    };
    let (payment, order) = (text("payment_status").unwrap(), text("order_status").unwrap());
    let event =
        text("event_id").map(|id| format!(", tells {}", id.strip_prefix(&format!("{order_id}:")).unwrap()));
    format!("{moved} {payment}, order {order}, {next}{charge}{}", event.unwrap_or_default())
}

/// Begins payments and describes what each needs, in their order: `<next> [<payment id>]`.
pub(crate) async fn begin(client: &Client, payments: &[(&str, i32)]) -> Vec<String> {
    let element =
        |(order_id, attempt_no): &(&str, i32)| json!({"order_id": order_id, "attempt_no": attempt_no});
    let batch = numbered(&payments.iter().map(element).collect::<Vec<_>>());
    let rows = call(client, "begin_payments_v1(batch)", &batch).await.unwrap();
    let describe = |row: &Row| {
        let charge = row.get::<_, Option<String>>("payment_id");
        [Some(row.get("next")), charge].into_iter().flatten().collect::<Vec<String>>().join(" ")
    };
    rows.iter().map(describe).collect()
}

impl Shop {
    /// Accepts one order of a single kit.
    pub(crate) async fn sell(&self, order_id: &str) {
        let answers = self.accept(&[order(order_id, &[("kit", 1, PRICE)])]).await;
        assert_eq!(answers, ["accepted is accepted attempt 1 publish"], "{order_id}");
    }

    /// Records moves that must all be answered.
    pub(crate) async fn record(&self, moves: &[Value]) -> Vec<String> {
        let answers = record(&self.app, moves).await.unwrap();
        assert_eq!(answers.len(), moves.len(), "one answer a move");
        answers
    }

    /// Accepts an order and moves its first attempt to a status, by the moves that lead there.
    pub(crate) async fn sell_and_move(&self, order_id: &str, status: &str) {
        self.sell(order_id).await;
        begin(&self.app, &[(order_id, 1)]).await;
        let authorized = || charged(order_id, "authorized", &own(order_id));
        let cancel = format!("UPDATE orders SET cancel_requested_at = now() WHERE order_id = '{order_id}'");
        let set = |status| {
            format!(
                "UPDATE payments SET status = '{status}', next_attempt_at = NULL WHERE order_id = '{order_id}'"
            )
        };
        match status {
            "requested" => {}
            "capturing" => drop(self.record(&[authorized()]).await),
            "captured" | "refunding" | "refunded" => {
                self.record(&[authorized(), charged(order_id, "captured", &own(order_id))]).await;
                self.owner.execute(&set(status), &[]).await.unwrap();
                let refund = format!(
                    "UPDATE orders SET status = 'refunded' WHERE order_id = '{order_id}' AND '{status}' = 'refunded'"
                );
                self.owner.execute(&refund, &[]).await.unwrap();
            }
            "failed" => drop(self.record(&[declined(order_id, false)]).await),
            "voiding" => {
                self.owner.execute(&cancel, &[]).await.unwrap();
                self.record(&[authorized()]).await;
            }
            "unknown" | "awaiting_customer" | "awaiting_provider" | "review" => {
                drop(self.record(&[with(step(order_id, status), "why", json!("a_word"))]).await);
            }
            _ => panic!("no way to {status}"),
        }
        let row = format!("SELECT status FROM payments WHERE order_id = '{order_id}' AND attempt_no = 1");
        assert_eq!(self.text(&row).await, status);
    }

    /// SKUs for which available is not adjusted less reserved less sold.
    pub(crate) async fn wrong_stock(&self) -> i64 {
        self.number("SELECT count(*) FROM stock_equation WHERE difference <> 0").await
    }
}
