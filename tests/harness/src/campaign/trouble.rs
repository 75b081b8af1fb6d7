//! What goes wrong during a campaign: faults of the provider, functions that are killed, Redis that goes away.

use crate::stack::Info;
use crate::{Error, database};
use backoff::{Clock as _, SystemClock};
use serde_json::{Value, json};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio_postgres::Client;
use xtask::cli;

/// Every kind of fault.
pub(super) const KINDS: [&str; 10] = [
    "reset_before",
    "reset_after",
    "half_body",
    "hang",
    "blackhole",
    "error_503",
    "error_500",
    "error_500_with_effect",
    "error_429",
    "brown_out",
];

/// Of the calls, how many meet each kind: an order takes two calls, so that each kind is met by more than one of a
/// hundred orders, and all together stay far below what opens the breaker.
const PROBABILITY: f64 = 0.012;

/// The functions that are killed in turn; the one that moves money twice as often as the others.
const VICTIMS: [&str; 4] = ["settle-payments", "process-orders", "settle-payments", "reconcile-orders"];

/// How long Redis is gone.
const REDIS_GONE: Duration = Duration::from_secs(10);

/// How often the run is looked at.
const LOOK: Duration = Duration::from_millis(250);

/// Longest time for the payments to follow the orders, faults and all: those that met several faults rest for minutes.
const PAID_LIMIT: Duration = Duration::from_secs(120);

/// How slow a call is that meets a brown-out.
const BROWN_OUT_MS: u64 = 1_500;

pub(crate) fn faults() -> Vec<Value> {
    let fault = |kind: &&str| {
        let latency_ms = (*kind == "brown_out").then_some(BROWN_OUT_MS);
        json!({"kind": kind, "endpoint": "*", "probability": PROBABILITY, "times": null, "latency_ms": latency_ms})
    };
    KINDS.iter().map(fault).collect()
}

/// Waits until no more orders wait for their payment than arrive in a second: what is left then waits for the
/// provider to become well.
pub(crate) async fn mostly_paid(sql: &Client, rate: u32) -> Result<(), Error> {
    let last = SystemClock.monotonic() + PAID_LIMIT;
    let statement = "SELECT CAST(count(*) AS text) FROM orders JOIN payments USING (order_id)
                     WHERE orders.status = 'accepted' AND payments.status IN ('requested', 'capturing')";
    while SystemClock.monotonic() < last {
        let waiting: Vec<u64> = database::rows(sql, "count what waits", statement, &[]).await?;
        if waiting.into_iter().next().unwrap_or_default() <= u64::from(rate) {
            break;
        }
        SystemClock.sleep(LOOK).await;
    }
    Ok(())
}

/// Kills a function at every beat until the run is `over`, and counts.
pub(super) async fn kill_functions(
    info: &Info,
    every_ms: u32,
    over: &Cell<bool>,
) -> Result<BTreeMap<String, u64>, Error> {
    let mut kills = BTreeMap::new();
    if every_ms == 0 {
        return Ok(kills);
    }
    for victim in VICTIMS.iter().cycle() {
        SystemClock.sleep(Duration::from_millis(every_ms.into())).await;
        if over.get() {
            break;
        }
        match info.control("POST", &format!("/functions/{victim}/kill"), &Value::Null).await {
            Ok(_) => *kills.entry((*victim).to_owned()).or_default() += 1,
            // Nobody there to kill.
            Err(Error::Refused { status: 404, .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(kills)
}

/// Kills Redis when half of the orders are sent, if that is asked for, and starts it again.
pub(super) async fn kill_redis(
    info: &Info,
    options: &cli::Campaign,
    sent: &Cell<usize>,
    over: &Cell<bool>,
) -> Result<(), Error> {
    if !options.redis_outage {
        return Ok(());
    }
    let half = usize::try_from(options.orders / 2).unwrap_or(usize::MAX);
    while sent.get() < half && !over.get() {
        SystemClock.sleep(LOOK).await;
    }
    info.control("POST", "/redis/kill", &Value::Null).await?;
    SystemClock.sleep(REDIS_GONE).await;
    info.control("POST", "/redis/start", &Value::Null).await.map(drop)
}
