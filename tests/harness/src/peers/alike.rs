//! Before any time is taken: every contender must decide the same orders alike, or it does another job.

use super::contender::Contender;
use super::supply::Supply;
use super::turn;
use crate::Error;
use crate::database::failed;
use crate::kits::Kit;
use crate::stack::Info;
use serde_json::Value;
use std::collections::BTreeMap;
use tokio_postgres::Client;

const DECIDED: &str = "
SELECT CAST(order_id AS text), CAST(status AS text), CAST(reason AS text),
       (SELECT count(*) FROM outbox WHERE outbox.order_id = orders.order_id)
FROM orders WHERE order_id = ANY (CAST($1 AS text[]))";

/// Has the contender decide a good order, one for each reason to reject that it knows, and the good one again.
///
/// # Errors
/// [`Error::Contender`] when it decides otherwise than all must; what the stack's calls return.
pub(super) async fn decided(
    info: &Info,
    sql: &Client,
    contender: &Contender,
    (supply, kits): (&mut Supply, &[Kit]),
) -> Result<(), Error> {
    let odd = supply.odd(kits);
    for event in [&odd.event, &odd.again] {
        let answer = info.invoke(contender.name, event).await?;
        if answer
            .get("batchItemFailures")
            .and_then(Value::as_array)
            .is_none_or(|failures| !failures.is_empty())
        {
            return Err(turn::found(
                info,
                contender,
                format!("orders to decide were answered with {answer}"),
            ));
        }
    }
    let action = "show what was decided";
    let ids: Vec<&str> = odd.expected.keys().map(String::as_str).collect();
    let mut found = BTreeMap::new();
    for row in sql.query(DECIDED, &[&ids]).await.map_err(failed(action))? {
        let (id, status): (String, String) =
            (row.try_get(0).map_err(failed(action))?, row.try_get(1).map_err(failed(action))?);
        let reason: Option<String> = row.try_get(2).map_err(failed(action))?;
        let events: i64 = row.try_get(3).map_err(failed(action))?;
        found.insert(id, format!("{} with {events} event", reason.unwrap_or(status)));
    }
    for (id, expected) in &odd.expected {
        let expected = format!("{expected} with 1 event");
        if found.get(id) != Some(&expected) {
            let finding = format!("it made {:?} of an order that must be {expected}", found.get(id));
            return Err(turn::found(info, contender, finding));
        }
    }
    let pid = turn::instance(info, contender).await?;
    turn::end(info, contender, pid).await
}
