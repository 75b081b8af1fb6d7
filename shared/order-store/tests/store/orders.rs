//! A small shop to sell from, records as the call takes them, and its answers in a form that fits one line.

use serde_json::{Value, json};
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use crate::postgres::{Database, database};

/// Price of every product of [`Shop::open`], in minor units.
pub(crate) const PRICE: i64 = 1_000;

/// A database with products, and one session of each user.
pub(crate) struct Shop {
    pub(crate) database: Database,
    pub(crate) owner: Client,
    pub(crate) app: Client,
}

impl Shop {
    /// Opens with these products and so many kits of each; all cost [`PRICE`] EUR and are active.
    pub(crate) async fn open(kits: &[(&str, i64)]) -> Self {
        let database = database().await;
        let shop = Self { owner: database.owner().await, app: database.app().await, database };
        for (sku, available) in kits {
            let product = "INSERT INTO products (sku, name, price_minor, currency, active, version)
                           VALUES (CAST($1 AS text), 'A kit', CAST($2 AS bigint), 'EUR', true, 1)";
            shop.owner.execute(product, &[sku, &PRICE]).await.unwrap();
            let stock = "INSERT INTO stock (sku, available) VALUES (CAST($1 AS text), CAST($2 AS bigint))";
            shop.owner.execute(stock, &[sku, available]).await.unwrap();
            let adjustment = "INSERT INTO stock_adjustments (event_id, sku, delta)
                              SELECT 'evt_' || sku, sku, available FROM stock WHERE sku = $1 AND available > 0";
            shop.owner.execute(adjustment, &[sku]).await.unwrap();
        }
        shop
    }

    /// Accepts a batch of records and describes the answers, in the order of the records.
    pub(crate) async fn accept(&self, records: &[Value]) -> Vec<String> {
        accept(&self.app, records).await.unwrap()
    }

    /// Kits on the shelf.
    pub(crate) async fn available(&self, sku: &str) -> i64 {
        self.number(&format!("SELECT available FROM stock WHERE sku = '{sku}'")).await
    }

    /// The one number that this query gives.
    pub(crate) async fn number(&self, query: &str) -> i64 {
        self.owner.query_one(&format!("SELECT CAST(({query}) AS bigint)"), &[]).await.unwrap().get(0)
    }

    /// The one text that this query gives.
    pub(crate) async fn text(&self, query: &str) -> String {
        self.owner.query_one(&format!("SELECT CAST(({query}) AS text)"), &[]).await.unwrap().get(0)
    }
}

/// An order of lines (SKU, quantity, unit price); the rest is valid and the same for all.
pub(crate) fn order(order_id: &str, lines: &[(&str, i64, i64)]) -> Value {
    let items: Vec<_> = lines
        .iter()
        .map(|(sku, quantity, price)| json!({"sku": sku, "quantity": quantity, "unit_price_minor": price}))
        .collect();
    let total: i64 = lines.iter().map(|(_, quantity, price)| quantity * price).sum();
    json!({
        "order_id": order_id, "customer_id": "c_1", "currency": "EUR", "total_minor": total, "fingerprint": fingerprint(1),
        "placed_at": "2026-11-23T10:15:00Z", "reject_reason": null, "items": items,
        "payment": {"customer_ref": "cus_1", "method_ref": "pm_1"},
    })
}

/// An order that was found wanting before the database was asked.
pub(crate) fn rejection(order_id: &str, reason: &str) -> Value {
    let record = with(order(order_id, &[]), "reject_reason", json!(reason));
    with(with(record, "currency", Value::Null), "payment", Value::Null)
}

/// The same record with another value in one field.
pub(crate) fn with(mut record: Value, field: &str, value: Value) -> Value {
    record[field] = value;
    record
}

/// A fingerprint that differs with `variant`.
pub(crate) fn fingerprint(variant: u32) -> String {
    format!("{variant:064x}")
}

/// Calls `accept_orders_v1` with the records numbered from 0. An answer reads
/// `<verdict> [<reason>] [is <status>] [attempt <n>] [publish]`.
pub(crate) async fn accept(client: &Client, records: &[Value]) -> Result<Vec<String>, SqlState> {
    let numbered =
        records.iter().enumerate().map(|(number, record)| with(record.clone(), "record_no", json!(number)));
    let batch = Value::from_iter(numbered).to_string();
    // Twice, because the driver would otherwise ask for a jsonb value.
    let call = "SELECT * FROM accept_orders_v1(CAST(CAST($1 AS text) AS jsonb)) ORDER BY record_no";
    let rows = client.query(call, &[&batch]).await.map_err(|error| error.code().cloned().unwrap())?;
    assert_eq!(rows.len(), records.len(), "one answer a record");
    Ok(rows.iter().map(describe).collect())
}

fn describe(row: &tokio_postgres::Row) -> String {
    let mut words: Vec<String> = vec![row.get("verdict")];
    words.extend(row.get::<_, Option<String>>("reason"));
    words.extend(row.get::<_, Option<String>>("order_status").map(|status| format!("is {status}")));
    words.extend(row.get::<_, Option<i32>>("attempt_no").map(|attempt| format!("attempt {attempt}")));
    words.extend(row.get::<_, bool>("publish_payment").then(|| "publish".to_owned()));
    words.join(" ")
}
