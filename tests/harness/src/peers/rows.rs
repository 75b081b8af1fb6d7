//! What the database must hold after a turn, and after all of them.

use super::supply::{Batch, Supply};
use crate::Error;
use crate::database::failed;
use crate::stack::Info;
use std::path::PathBuf;
use tokio_postgres::Client;

/// Orders accepted, their lines, payments that can be settled, events of acceptance.
const ACCEPTED: &str = "
WITH sent AS (SELECT unnest(CAST($1 AS text[])) AS order_id)
SELECT (SELECT count(*) FROM sent JOIN orders USING (order_id) WHERE status = 'accepted' AND accepted_at IS NOT NULL),
       (SELECT count(*) FROM sent JOIN order_items USING (order_id)),
       (SELECT count(*) FROM sent JOIN payments USING (order_id)
        WHERE status = 'requested' AND params_hash = encode(sha256(convert_to(concat_ws('|', 'v1', order_id, attempt_no,
          amount_minor, params ->> 'currency', params ->> 'customerRef', params ->> 'methodRef'), 'UTF8')), 'hex')),
       (SELECT count(*) FROM sent JOIN outbox USING (order_id) WHERE type = 'order.accepted.v1')";

/// SKUs whose stock is not what adjustments and orders leave of it.
const WRONG_STOCK: &str = "SELECT count(*) FROM stock_equation WHERE difference <> 0";

/// Says what is wrong with the rows of these batches; nothing if they are as every order's should be.
///
/// # Errors
/// [`Error::Database`].
pub(super) async fn accepted(sql: &Client, batches: &[Batch]) -> Result<Option<String>, Error> {
    let ids: Vec<&str> = batches.iter().flat_map(|batch| &batch.order_ids).map(String::as_str).collect();
    let row = sql.query_one(ACCEPTED, &[&ids]).await.map_err(failed("count the orders of a turn"))?;
    let lines = batches.iter().map(|batch| batch.lines).sum();
    let wanted = [("orders", ids.len()), ("lines", lines), ("payments", ids.len()), ("events", ids.len())];
    let mut findings = Vec::new();
    for (at, (what, wanted)) in wanted.into_iter().enumerate() {
        let there: i64 = row.try_get(at).map_err(failed("count the orders of a turn"))?;
        if usize::try_from(there) != Ok(wanted) {
            findings.push(format!("{there} {what} instead of {wanted}"));
        }
    }
    Ok((!findings.is_empty()).then(|| format!("the database has {}", findings.join(", "))))
}

/// Checks what all turns left together: the stock of every kit, and a payment request for every order.
///
/// # Errors
/// [`Error::Contender`] when something does not add up; [`Error::Database`].
pub(super) async fn accounted(
    info: &Info,
    sql: &Client,
    (supply, requests_before): (&Supply, u64),
) -> Result<(), Error> {
    let row = sql.query_one(WRONG_STOCK, &[]).await.map_err(failed("compare the stock"))?;
    let wrong: i64 = row.try_get(0).map_err(failed("compare the stock"))?;
    let requests = info.status().await?.depth("payments").total().saturating_sub(requests_before);
    let finding = if wrong != 0 {
        format!("the stock of {wrong} kits is not what their orders leave")
    } else if usize::try_from(requests) != Ok(supply.used) {
        format!("{requests} payment requests for {} orders", supply.used)
    } else {
        return Ok(());
    };
    let log: PathBuf = info.log_dir.clone();
    Err(Error::Contender { contender: "all contenders together", finding, log })
}
