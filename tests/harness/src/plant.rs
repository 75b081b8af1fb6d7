//! Plants one real defect into a running stack, so that the verdict can be seen to find it.

use crate::queues::Received;
use crate::stack::{Info, poll_until};
use crate::{Error, database};
use serde_json::json;
use std::time::Duration;
use tokio_postgres::Client;

/// Longest time for a message to appear in the queue.
const MESSAGE_LIMIT: Duration = Duration::from_secs(20);

/// How long the withheld message stays hidden: longer than any run.
const WITHHELD: Duration = Duration::from_secs(12 * 3600);

/// Deletes every trace of one confirmed order, as a restored backup or a careless hand would.
///
/// # Errors
/// [`Error::NothingToPlantIn`] without a confirmed order; [`Error::Database`].
pub async fn lose(sql: &Client) -> Result<String, Error> {
    let id = confirmed(sql).await?;
    // The replica role switches off foreign keys and the triggers that keep history from being rewritten.
    let statement = format!(
        "SET session_replication_role = replica;
         DELETE FROM outbox WHERE order_id = '{id}'; DELETE FROM payments WHERE order_id = '{id}';
         DELETE FROM order_history WHERE order_id = '{id}'; DELETE FROM order_items WHERE order_id = '{id}';
         DELETE FROM orders WHERE order_id = '{id}'; SET session_replication_role = origin;"
    );
    sql.batch_execute(&statement).await.map_err(database::failed("lose an order"))?;
    Ok(id)
}

/// Changes the price of one line of one confirmed order.
///
/// # Errors
/// As [`lose`].
pub async fn mismatch(sql: &Client) -> Result<String, Error> {
    let id = confirmed(sql).await?;
    let statement =
        "UPDATE order_items SET unit_price_minor = unit_price_minor + 1 WHERE order_id = $1 AND line_no = 1";
    sql.execute(statement, &[&id]).await.map_err(database::failed("change a line"))?;
    Ok(id)
}

/// Changes the price of one kit behind the shop's back, after a new price has come for it.
///
/// # Errors
/// [`Error::NothingToPlantIn`] when no kit has a new price; [`Error::Database`].
pub async fn misprice(sql: &Client) -> Result<String, Error> {
    let statement = "UPDATE products SET price_minor = price_minor + 1
                     WHERE sku = (SELECT min(sku) FROM products WHERE version > 1) RETURNING sku";
    let row = sql.query_opt(statement, &[]).await.map_err(database::failed("change a price"))?;
    row.and_then(|row| row.try_get(0).ok()).ok_or(Error::NothingToPlantIn)
}

/// Stops the event source, so that the first messages stay in the queue for [`withhold`].
///
/// # Errors
/// As [`Info::control`].
pub async fn hold_back(info: &Info) -> Result<(), Error> {
    enable(info, false).await
}

/// Takes one message off the queue, hides it for hours, and starts the event source again.
///
/// # Errors
/// [`Error::Never`] when no message appears; as [`Info::control`].
pub async fn withhold(info: &Info) -> Result<String, Error> {
    let (queues, orders) = (info.sqs(), info.queue("orders")?);
    let mut taken: Option<Received> = None;
    let one = async || {
        taken = queues.receive_up_to(orders, 1, WITHHELD).await?.pop();
        Ok(taken.is_some())
    };
    poll_until("a message to withhold", MESSAGE_LIMIT, one).await?;
    enable(info, true).await?;
    Ok(taken.unwrap_or_default().message_id)
}

async fn enable(info: &Info, enabled: bool) -> Result<(), Error> {
    info.control("PUT", "/event-sources/process-orders", &json!({"enabled": enabled})).await.map(drop)
}

/// The id of some confirmed order; ids hold letters and `_` only, so that they may stand in a statement.
///
/// # Errors
/// As [`lose`].
pub async fn confirmed(sql: &Client) -> Result<String, Error> {
    let statement = "SELECT order_id FROM orders WHERE status = 'confirmed' AND order_id ~ '^[a-z_]+$' ORDER BY order_id LIMIT 1";
    let row = sql.query_opt(statement, &[]).await.map_err(database::failed("show a confirmed order"))?;
    row.and_then(|row| row.try_get(0).ok()).ok_or(Error::NothingToPlantIn)
}
