//! What became of a run: the sender's file, the SQL rows, the provider's ledger, the published events, and what the
//! queues still hold.
//!
//! Sources that know nothing of each other; nothing here goes through the functions or the Data API.

use crate::kits::Kit;
use crate::orders::changes::What;
use crate::queues::Received;
use crate::sandbox::{self, Ledger};
use crate::sent::{self, Changed, Item, Sent};
use crate::stack::Info;
use crate::{Error, canaries, database};
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
    /// Ids of the events in the outbox, in their order.
    pub events: Vec<String>,
    /// When it was accepted or rejected, in Unix milliseconds by the database's clock.
    pub decided_at_ms: Option<u64>,
}

impl Row {
    /// Whether the order was accepted, whatever became of it later: only an accepted one can fail to be paid.
    pub fn was_accepted(&self) -> bool {
        let unpaid = self.reason.as_ref().is_some_and(|reason| reason.starts_with("payment_"));
        self.status != "rejected" || unpaid
    }
}

/// One payment attempt: the frozen request, and where it stands.
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
    /// `payments.status`.
    pub status: String,
    /// The charge at the provider.
    pub payment_id: Option<String>,
}

/// What is on a shelf, beside what was put there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stock {
    /// What was put there: at the beginning, by the list that seeded it, and by deliveries.
    pub put: i64,
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
    /// Prices in minor units by SKU.
    pub prices: BTreeMap<String, i64>,
    /// What the sender told of the catalog, in order.
    pub changes: Vec<Changed>,
    /// The quarantine.
    pub quarantine: Vec<Quarantined>,
    /// Message ids in the dead-letter queue of the orders.
    pub dead_letters: BTreeSet<String>,
    /// Orders with a payment request in the dead-letter queue of the payments.
    pub dead_payments: BTreeSet<String>,
    /// What the provider has of every order.
    pub ledger: Ledger,
    /// Ids of the events in the queue of order events, by order; an id that was published twice is there once.
    pub published: BTreeMap<String, BTreeSet<String>>,
    /// Messages that the orders queue still holds, seen or hidden.
    pub waiting: u64,
    /// Messages that the payments queue still holds, seen or hidden.
    pub waiting_payments: u64,
    /// Where personal data, card data or secrets of the messages came out, a sentence each.
    pub leaks: Vec<String>,
}

impl Evidence {
    /// The same, of a run in which the sender told of these changes.
    #[must_use]
    pub fn with_changes(mut self, changes: Vec<Changed>) -> Self {
        for change in &changes {
            if let (What::Delivery(pieces), Some(stock)) = (change.what, self.stock.get_mut(&change.sku)) {
                stock.put += pieces;
            }
        }
        self.changes = changes;
        self
    }
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
    let prices: Vec<(String, i64)> = database::rows(&sql, "show its prices", PRICES, &[]).await?;
    let stock = |kit: &Kit| {
        let available = shelves.get(&kit.sku).copied();
        (kit.sku.clone(), Stock { put: kit.stock(plenty), available })
    };
    let queues = info.sqs();
    let all = async |queue| queues.peek(info.queue(queue)?, MESSAGES_MAX).await;
    let (quarantine, dead) = (all("quarantine").await?, all("orders-dlq").await?);
    let (told, dead_payments) = (all("order-events").await?, all("payments-dlq").await?);
    let left = [
        ("quarantine", &*quarantine),
        ("orders-dlq", &*dead),
        ("order-events", &*told),
        ("payments-dlq", &*dead_payments),
    ];
    let leaks = canaries::found(info, &left).await?;
    let status = info.status().await?;
    Ok(Evidence {
        sent: sent::read(file)?,
        orders: rows.into_iter().map(|row| (row.order_id.clone(), row)).collect(),
        stock: kits.iter().map(stock).collect(),
        prices: prices.into_iter().collect(),
        changes: Vec::new(),
        quarantine: quarantine.into_iter().map(quarantined).collect(),
        dead_letters: dead.into_iter().map(|message| message.message_id).collect(),
        dead_payments: dead_payments.iter().filter_map(|message| Some(event(message)?.0)).collect(),
        ledger: sandbox::ledger(info).await?,
        published: published(&told),
        waiting: status.depth("orders").total(),
        waiting_payments: status.depth("payments").total(),
        leaks,
    })
}

/// Every order with its lines, payments and events, one JSON object a row.
const ORDERS: &str = "
SELECT CAST(to_jsonb(whole) AS text) FROM (
  SELECT order_id, customer_id, orders.status, reason, currency, total_minor,
    coalesce((SELECT jsonb_agg(jsonb_build_object('sku', sku, 'quantity', quantity, 'unitPriceMinor', unit_price_minor)
                               ORDER BY line_no)
              FROM order_items WHERE order_items.order_id = orders.order_id), '[]') AS items,
    coalesce((SELECT jsonb_agg(params || jsonb_build_object('status', status, 'paymentId', payment_id)
                               ORDER BY attempt_no)
              FROM payments WHERE payments.order_id = orders.order_id), '[]') AS payments,
    coalesce((SELECT jsonb_agg(id ORDER BY seq)
              FROM outbox WHERE outbox.order_id = orders.order_id), '[]') AS events,
    (SELECT CAST(floor(extract(epoch FROM min(created_at)) * 1000) AS bigint)
     FROM outbox WHERE outbox.order_id = orders.order_id) AS decided_at_ms
  FROM orders) AS whole";

const STOCK: &str = "SELECT CAST(jsonb_build_array(sku, available) AS text) FROM stock";

const PRICES: &str = "SELECT CAST(jsonb_build_array(sku, price_minor) AS text) FROM products";

fn quarantined(message: Received) -> Quarantined {
    let attribute = |name: &str| message.attributes.get(name).cloned().unwrap_or_default();
    Quarantined { message_id: attribute("originalMessageId"), reason: attribute("reason") }
}

/// The order that an event of ours names, and the event's id.
fn event(message: &Received) -> Option<(String, String)> {
    let event: Value = serde_json::from_str(&message.body).ok()?;
    let order = event.get("data")?.get("orderId")?.as_str()?.to_owned();
    Some((order, event.get("id")?.as_str()?.to_owned()))
}

/// Events by order. What cannot be read as an event stands under an empty order, so that it is found.
fn published(messages: &[Received]) -> BTreeMap<String, BTreeSet<String>> {
    let mut events: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for message in messages {
        let (order, id) = event(message).unwrap_or_else(|| (String::new(), message.message_id.clone()));
        events.entry(order).or_default().insert(id);
    }
    events
}

#[cfg(test)]
mod tests {
    use super::{Row, published, quarantined};
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
    fn published_events_stand_by_order_and_a_repeat_counts_once() {
        let event = |id: &str| json!({"id": id, "data": {"orderId": "ord_1"}}).to_string();
        let bodies = [event("a"), event("b"), event("a"), "x".to_owned()];
        let messages = bodies.map(|body| Received { body, message_id: "m-1".into(), ..Received::default() });
        let expected = [
            ("ord_1".to_owned(), ["a".to_owned(), "b".to_owned()].into()),
            (String::new(), ["m-1".to_owned()].into()),
        ];
        assert_eq!(published(&messages), expected.into());
    }

    #[track_caller]
    fn check(status: &str, reason: Option<&str>, accepted: bool) {
        let row = Row { status: status.to_owned(), reason: reason.map(str::to_owned), ..Row::default() };
        assert_eq!(row.was_accepted(), accepted, "{status} {reason:?}");
    }

    #[test]
    fn only_an_accepted_order_can_fail_to_be_paid() {
        check("accepted", None, true);
        check("confirmed", None, true);
        check("rejected", Some("payment_declined"), true);
        check("rejected", Some("out_of_stock"), false);
    }
}
