//! What became of a run: the sender's file, the SQL rows, and what the queues still hold.
//!
//! Three sources that know nothing of each other; nothing here goes through the functions or the Data API.

use crate::kits::Kit;
use crate::queues::Received;
use crate::sent::{self, Item, Sent};
use crate::stack::Info;
use crate::{Error, database};
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Most messages that are read from one queue; a run of the largest size fits.
const MESSAGES_MAX: usize = 2_000_000;

/// One row of `orders` with all that hangs on it.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
pub struct Row {
    /// The order.
    pub order_id: String,
    /// Its customer.
    pub customer_id: Option<String>,
    /// `orders.status`.
    pub status: String,
    /// `orders.reason`.
    pub reason: Option<String>,
    /// ISO 4217.
    pub currency: Option<String>,
    /// Minor units.
    pub total_minor: Option<i64>,
    /// The lines, in their order.
    pub items: Vec<Item>,
    /// The payment attempts, in their order.
    pub payments: Vec<Payment>,
    /// Types of the events in the outbox, in their order.
    pub events: Vec<String>,
}

/// One payment attempt: the frozen request.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Payment {
    /// Minor units.
    pub amount_minor: i64,
    /// ISO 4217.
    pub currency: String,
    /// The customer at the provider.
    pub customer_ref: String,
    /// The payment method at the provider.
    pub method_ref: String,
    /// Whether the function that settles payments has received a request for it.
    pub received: bool,
}

/// What is on a shelf, beside what lay there at the beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stock {
    /// At the beginning, by the list that seeded it.
    pub initial: i64,
    /// Now, by the database; none when the row is gone.
    pub available: Option<i64>,
}

/// A message in the quarantine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quarantined {
    /// The id that the message had in the orders queue.
    pub message_id: String,
    /// Why.
    pub reason: String,
}

/// All that the verdict looks at.
#[derive(Debug, Clone, Default)]
pub struct Evidence {
    /// The sender's file.
    pub sent: Vec<Sent>,
    /// Orders by id.
    pub orders: BTreeMap<String, Row>,
    /// Stock by SKU.
    pub stock: BTreeMap<String, Stock>,
    /// The quarantine.
    pub quarantine: Vec<Quarantined>,
    /// Message ids in the dead-letter queue of the orders.
    pub dead_letters: BTreeSet<String>,
    /// Orders with a request in the payments queue.
    pub payment_requests: BTreeSet<String>,
    /// Messages that the orders queue still holds, seen or hidden.
    pub waiting: u64,
}

/// Collects everything from a stack that has come to rest.
///
/// # Errors
/// What the sources return.
pub async fn collect(info: &Info, file: &Path, kits: &[Kit], plenty: i64) -> Result<Evidence, Error> {
    let sql = info.sql().await?;
    let rows: Vec<Row> = database::rows(&sql, "show its orders", ORDERS, &[]).await?;
    let shelves: Vec<(String, i64)> = database::rows(&sql, "show its stock", STOCK, &[]).await?;
    let shelves: BTreeMap<String, i64> = shelves.into_iter().collect();
    let stock = |kit: &Kit| {
        let available = shelves.get(&kit.sku).copied();
        (kit.sku.clone(), Stock { initial: kit.stock(plenty), available })
    };
    let queues = info.sqs();
    let all = async |queue| queues.peek(info.queue(queue)?, MESSAGES_MAX).await;
    let (quarantine, dead) = (all("quarantine").await?, all("orders-dlq").await?);
    let (payments, dead_payments) = (all("payments").await?, all("payments-dlq").await?);
    Ok(Evidence {
        sent: sent::read(file)?,
        orders: rows.into_iter().map(|row| (row.order_id.clone(), row)).collect(),
        stock: kits.iter().map(stock).collect(),
        quarantine: quarantine.into_iter().map(quarantined).collect(),
        dead_letters: dead.into_iter().map(|message| message.message_id).collect(),
        payment_requests: payments.iter().chain(&dead_payments).filter_map(requested_order).collect(),
        waiting: info.status().await?.depth("orders").total(),
    })
}

/// Every order with its lines, payments and events, one JSON object a row.
const ORDERS: &str = "
SELECT CAST(to_jsonb(whole) AS text) FROM (
  SELECT order_id, customer_id, status, reason, currency, total_minor,
    coalesce((SELECT jsonb_agg(jsonb_build_object('sku', sku, 'quantity', quantity, 'unitPriceMinor', unit_price_minor)
                               ORDER BY line_no)
              FROM order_items WHERE order_items.order_id = orders.order_id), '[]') AS items,
    coalesce((SELECT jsonb_agg(params || jsonb_build_object('received', received_at IS NOT NULL) ORDER BY attempt_no)
              FROM payments WHERE payments.order_id = orders.order_id), '[]') AS payments,
    coalesce((SELECT jsonb_agg(type ORDER BY seq)
              FROM outbox WHERE outbox.order_id = orders.order_id), '[]') AS events
  FROM orders) AS whole";

const STOCK: &str = "SELECT CAST(jsonb_build_array(sku, available) AS text) FROM stock";

fn quarantined(message: Received) -> Quarantined {
    let attribute = |name: &str| message.attributes.get(name).cloned().unwrap_or_default();
    Quarantined { message_id: attribute("originalMessageId"), reason: attribute("reason") }
}

/// The order that a payment request names.
fn requested_order(message: &Received) -> Option<String> {
    let event: Value = serde_json::from_str(&message.body).ok()?;
    Some(event.get("data")?.get("orderId")?.as_str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{quarantined, requested_order};
    use crate::queues::Received;
    use serde_json::json;

    #[test]
    fn quarantined_messages_name_the_message_they_were() {
        let attributes = [("originalMessageId", "m-1"), ("reason", "not_json")];
        let attributes = attributes.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let found = quarantined(Received { attributes, ..Received::default() });
        assert_eq!((found.message_id.as_str(), found.reason.as_str()), ("m-1", "not_json"));
    }

    #[test]
    fn a_payment_request_names_its_order() {
        let named = |body: String| requested_order(&Received { body, ..Received::default() });
        assert_eq!(
            named(json!({"data": {"orderId": "ord_1", "attemptNo": 1}}).to_string()),
            Some("ord_1".to_owned())
        );
        assert_eq!(named("x".to_owned()), None);
    }
}
