//! The statements of one order: each a call of the RDS Data API, together a transaction.

use crate::order::Order;
use backoff::{Deadline, SystemClock};
use data_api::{DataApi, Error, Statement, Transaction};
use serde_json::json;

const ORDER: &str = "
INSERT INTO orders (order_id, customer_id, status, reason, currency, total_minor, fingerprint, placed_at, accepted_at)
VALUES (:order_id, :customer_id, :status, :reason, :currency, :total_minor, :fingerprint,
        CAST(:placed_at AS timestamptz), CASE WHEN :status = 'accepted' THEN clock_timestamp() END)
ON CONFLICT (order_id) DO NOTHING";

/// All lines in one call, as the two other peers send theirs with `BatchExecuteStatement`.
const ITEMS: &str = r#"
INSERT INTO order_items (order_id, line_no, sku, quantity, unit_price_minor)
SELECT :order_id, line.line_no, line.sku, line.quantity, line."unitPriceMinor"
FROM ROWS FROM (jsonb_to_recordset(CAST(:items AS jsonb)) AS (sku text, quantity integer, "unitPriceMinor" bigint))
  WITH ORDINALITY AS line(sku, quantity, "unitPriceMinor", line_no)"#;

const PAYMENT: &str = "
INSERT INTO payments (order_id, attempt_no, status, amount_minor, params, params_hash)
VALUES (:order_id, 1, 'requested', :amount_minor, CAST(:params AS jsonb), :params_hash)";

const OUTBOX: &str = "
INSERT INTO outbox (id, order_id, seq, type, payload)
VALUES (:id, :order_id, 1, :type, CAST(:payload AS jsonb))";

const STOCK: &str = "
UPDATE stock SET available = available - :quantity, version = version + 1
WHERE sku = :sku AND available >= :quantity";

/// How an order's transaction ended.
pub(crate) enum Ended {
    /// Committed.
    Accepted,
    /// Rolled back: the order has a row already.
    Known,
    /// Rolled back: a kit is not there in the quantity that was asked for.
    OutOfStock,
}

pub(crate) struct Database(pub(crate) DataApi<SystemClock>);

impl Database {
    /// Accepts the order in one transaction.
    pub(crate) async fn accept(&self, order: &Order, deadline: Deadline) -> Result<Ended, Error> {
        let transaction = self.0.begin(deadline).await?;
        let ended = self.rows(&transaction, order, deadline).await;
        self.end(transaction, ended, deadline).await
    }

    /// Keeps the order as rejected, with its event.
    pub(crate) async fn reject(
        &self,
        order: &Order,
        reason: &'static str,
        deadline: Deadline,
    ) -> Result<(), Error> {
        let transaction = self.0.begin(deadline).await?;
        let ended = self.rejected_rows(&transaction, order, (reason, deadline)).await;
        self.end(transaction, ended, deadline).await.map(drop)
    }

    /// Stock comes last and in SKU order, so that hot rows are locked shortly and without deadlock.
    async fn rows(&self, on: &Transaction, order: &Order, deadline: Deadline) -> Result<Ended, Error> {
        if self.0.execute_in(on, order_row(order, None), deadline).await? == 0 {
            return Ok(Ended::Known);
        }
        let items = json!(order.items).to_string();
        let items = Statement::new(ITEMS).text("order_id", &order.order_id).text("items", items);
        self.0.execute_in(on, items, deadline).await?;
        let (params, params_hash) = order.payment_params();
        let payment = Statement::new(PAYMENT).text("order_id", &order.order_id);
        let payment = payment.long("amount_minor", order.total_minor).text("params", params);
        self.0.execute_in(on, payment.text("params_hash", params_hash), deadline).await?;
        self.0.execute_in(on, event_row(order, "order.accepted.v1", None), deadline).await?;
        let mut lines: Vec<_> = order.items.iter().collect();
        lines.sort_by(|one, other| one.sku.cmp(&other.sku));
        for line in lines {
            let stock = Statement::new(STOCK).text("sku", &line.sku).long("quantity", line.quantity);
            if self.0.execute_in(on, stock, deadline).await? == 0 {
                return Ok(Ended::OutOfStock);
            }
        }
        Ok(Ended::Accepted)
    }

    async fn rejected_rows(
        &self,
        on: &Transaction,
        order: &Order,
        (reason, deadline): (&'static str, Deadline),
    ) -> Result<Ended, Error> {
        if self.0.execute_in(on, order_row(order, Some(reason)), deadline).await? == 0 {
            return Ok(Ended::Known);
        }
        self.0.execute_in(on, event_row(order, "order.rejected.v1", Some(reason)), deadline).await?;
        Ok(Ended::Accepted)
    }

    /// Commits what is whole, and rolls back everything else.
    async fn end(
        &self,
        transaction: Transaction,
        ended: Result<Ended, Error>,
        deadline: Deadline,
    ) -> Result<Ended, Error> {
        if matches!(ended, Ok(Ended::Accepted)) {
            self.0.commit(transaction, deadline).await?;
        } else {
            self.0.rollback(transaction, deadline).await?;
        }
        ended
    }
}

fn order_row(order: &Order, reason: Option<&'static str>) -> Statement {
    let row = Statement::new(ORDER).text("order_id", &order.order_id).text("customer_id", &order.customer_id);
    let row = match reason {
        Some(reason) => row.text("status", "rejected").text("reason", reason),
        None => row.text("status", "accepted").null("reason"),
    };
    let row = row.text("currency", &order.currency).long("total_minor", order.total_minor);
    row.text("fingerprint", order.fingerprint()).text("placed_at", &order.placed_at)
}

fn event_row(order: &Order, kind: &str, reason: Option<&'static str>) -> Statement {
    let Order { order_id, customer_id, .. } = order;
    let mut payload = json!({ "orderId": order_id, "customerId": customer_id });
    if let (Some(reason), Some(fields)) = (reason, payload.as_object_mut()) {
        fields.insert("reason".to_owned(), json!(reason));
    }
    let row = Statement::new(OUTBOX).text("id", format!("{order_id}:{kind}:1")).text("order_id", order_id);
    row.text("type", kind).text("payload", payload.to_string())
}
