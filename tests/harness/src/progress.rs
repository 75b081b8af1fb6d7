//! The live line of a demo: once a second, on standard error; rewritten in place on a terminal.

use crate::stack::Info;
use crate::{Error, database};
use backoff::{Clock as _, SystemClock};
use serde::Deserialize;
use std::cell::Cell;
use std::convert::Infallible;
use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;
use tokio_postgres::Client;

/// How often the line is renewed.
const PERIOD: Duration = Duration::from_secs(1);

/// Orders with a row, by where they stand.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
struct Rows {
    accepted: u64,
    confirmed: u64,
    rejected: u64,
}

/// Shows how a run stands until the caller has enough.
///
/// # Errors
/// What the sources return; never ends otherwise.
pub async fn show(info: &Info, sql: &Client, sent: &Cell<usize>) -> Result<Infallible, Error> {
    let start = SystemClock.monotonic();
    loop {
        SystemClock.sleep(PERIOD).await;
        let elapsed = SystemClock.monotonic().saturating_sub(start);
        print(&line(info, sql, sent.get(), elapsed).await?);
    }
}

/// Ends the line that was rewritten in place, so that what follows starts on its own.
pub fn end() {
    if std::io::stderr().is_terminal() {
        xtask::out::note("");
    }
}

async fn line(info: &Info, sql: &Client, sent: usize, elapsed: Duration) -> Result<String, Error> {
    let status = info.status().await?;
    let rows = database::rows(sql, "count its orders", COUNTS, &[]).await?;
    let Rows { accepted, confirmed, rejected } = rows.into_iter().next().unwrap_or_default();
    let waiting = |queue: &str| status.depth(queue).total();
    let (orders, payments) = (waiting("orders"), waiting("payments"));
    let seconds = elapsed.as_secs();
    Ok(format!(
        "{seconds:>4} s   sent {sent:>6}   accepted {accepted:>6}   confirmed {confirmed:>6}   rejected {rejected:>5}   to accept {orders:>5}   to pay {payments:>5}"
    ))
}

/// Accepted are all that were, whatever became of them later.
const COUNTS: &str = "
SELECT CAST(jsonb_build_object(
  'accepted', count(*) FILTER (WHERE status <> 'rejected' OR reason LIKE 'payment%'),
  'confirmed', count(*) FILTER (WHERE status = 'confirmed'),
  'rejected', count(*) FILTER (WHERE status = 'rejected')) AS text) FROM orders";

/// Shows a line, on a terminal in the place of the one before.
pub(crate) fn print(line: &str) {
    let mut stderr = std::io::stderr();
    if stderr.is_terminal() {
        drop(write!(stderr, "\r\x1b[2K{line}"));
        drop(stderr.flush());
    } else {
        xtask::out::note(line);
    }
}
