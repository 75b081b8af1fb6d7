//! When a run has come to rest: no message on its way, no payment between two states, no event untold.

use crate::stack::Info;
use crate::{Error, database};
use backoff::{Clock as _, SystemClock};
use serde::Deserialize;
use std::time::Duration;
use tokio_postgres::Client;

/// Everything must look at rest for so long: a message between two looks is in no count.
const QUIET: Duration = Duration::from_millis(500);

/// How often everything is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// How the events of a run are known to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// The queue of order events holds at least as many messages as there are events. Their marks may lag: an
    /// instance brings them with its next statement.
    Published,
    /// Every event is marked as sent, by the instance that published it or by the reconciler. What a killed instance
    /// had committed and not published takes that way, half a minute later.
    Marked,
}

/// Rows that are not at their end.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
pub struct Rows {
    /// Payments between two states: whoever works on them will be heard of.
    pub moving: u64,
    /// Events of all orders.
    pub events: u64,
    /// Events that are not marked as sent.
    pub unmarked: u64,
}

/// Waits until everything has been at rest for a while, and returns since when; after `limit`, returns as well: what
/// is left then is the verdict's business.
///
/// # Errors
/// What the sources return.
pub async fn settled(info: &Info, sql: &Client, told: Told, limit: Duration) -> Result<Duration, Error> {
    let last = SystemClock.monotonic() + limit;
    let mut since: Option<Duration> = None;
    loop {
        let now = SystemClock.monotonic();
        since = if at_rest(info, sql, told).await? { since.or(Some(now)) } else { None };
        match since {
            Some(since) if now.saturating_sub(since) >= QUIET => return Ok(since),
            _ if now >= last => return Ok(now),
            _ => SystemClock.sleep(LOOK).await,
        }
    }
}

async fn at_rest(info: &Info, sql: &Client, told: Told) -> Result<bool, Error> {
    let status = info.status().await?;
    if ["orders", "payments", "products"].iter().any(|queue| status.depth(queue).total() > 0) {
        return Ok(false);
    }
    let rows = rows(sql).await?;
    let told = match told {
        Told::Published => status.depth("order-events").total() >= rows.events,
        Told::Marked => rows.unmarked == 0,
    };
    Ok(told && rows.moving == 0)
}

/// Counts what is not at its end.
///
/// # Errors
/// [`Error::Database`].
pub async fn rows(sql: &Client) -> Result<Rows, Error> {
    let rows = database::rows(sql, "count what is on its way", ROWS, &[]).await?;
    Ok(rows.into_iter().next().unwrap_or_default())
}

/// Waiting for a customer is an end as far as a run goes: nobody of ours will move it.
const ROWS: &str = "
SELECT CAST(jsonb_build_object(
  'moving', (SELECT count(*) FROM payments
             WHERE status IN ('requested', 'capturing', 'voiding', 'unknown', 'awaiting_provider')),
  'events', (SELECT count(*) FROM outbox),
  'unmarked', (SELECT count(*) FROM outbox WHERE sent_at IS NULL)) AS text)";
