//! `redis-outage`: Redis goes away while there is more to pay than the provider's quota allows, and what is left of the
//! throughput is measured.
//!
//! Without Redis no instance knows what the others send, so each keeps to its own share of the quota. The load stays
//! above the quota all the time: every instance has work, and both halves of the run are bounded by the gate alone.

use crate::orders::{Plan, Repricing, Variety};
use crate::report::{float, hundredths, ratio};
use crate::sender::{self, Run};
use crate::settling::{Told, settled};
use crate::stack::{Info, Stack, StackOptions};
use crate::verdict::judge;
use crate::{Error, database, demo, evidence, kits, progress, sandbox};
use backoff::{Clock as _, SystemClock};
use serde::Serialize;
use serde_json::Value;
use std::cell::Cell;
use std::path::Path;
use std::time::Duration;
use xtask::{cli, out, workspace};

/// Everything is warm, and a backlog has formed.
const BEFORE: Duration = Duration::from_secs(10);

/// How long to wait for the end of everything after the load has ended.
const END_LIMIT: Duration = Duration::from_secs(300);

/// What must be left of the throughput.
const THROUGHPUT_LEAST: f64 = 0.7;

/// What was measured.
#[derive(Debug, Clone, Default, Serialize)]
struct Measured {
    /// Captures a second with Redis.
    captured_per_s: f64,
    /// Captures a second without it, from the moment it is killed.
    captured_per_s_without: f64,
    /// The second by the first.
    throughput_left: f64,
    /// What the provider allows each endpoint, in calls a second.
    quota: u32,
    /// Most calls to one endpoint in any sliding second, refused ones included.
    peak_per_s: u64,
    /// Calls beyond the quota.
    answered_429: u64,
    /// Orders from which money was taken more than once.
    double_charged: u64,
    /// Charges whose money is still held.
    orphan_holds: u64,
    /// Lost, mismatched, unfinished or dead-lettered in the end, and places where personal data or secrets came out.
    wrong: u64,
    /// Goals that were missed.
    missed: Vec<&'static str>,
}

/// Runs it; an `Ok` means that every goal was met.
///
/// # Errors
/// [`Error::QuotaTooLarge`] when the load would leave instances idle; [`Error::Found`] when a goal was missed and has been
/// printed; whatever stops the run before that.
pub async fn run(options: &cli::RedisOutage) -> Result<(), Error> {
    if options.rate <= options.quota {
        return Err(Error::QuotaTooLarge { quota: options.quota, rate: options.rate });
    }
    let stack = Stack::start(StackOptions {
        stage: "local",
        state: workspace::private().join(format!("redis-outage-{}", std::process::id())),
        servers: options.servers.from.as_str(),
        arguments: vec!["--provider-rate".to_owned(), options.quota.to_string()],
        ..StackOptions::default()
    })
    .await?;
    let file = stack.state().join("sent.jsonl");
    let result = tokio::select! {
        result = on(&stack.info, options, &file) => result,
        () = demo::interrupted() => Err(Error::Interrupted),
    };
    stack.end_or_say().await;
    let measured = result?;
    out::line(&if options.json { json(&measured)? } else { table(&measured) });
    if measured.missed.is_empty() { Ok(()) } else { Err(Error::Found) }
}

async fn on(info: &Info, options: &cli::RedisOutage, file: &Path) -> Result<Measured, Error> {
    let seconds = BEFORE.as_secs() + 2 * u64::from(options.seconds) + 60;
    let units = usize::try_from(u64::from(options.rate) * seconds).unwrap_or(usize::MAX);
    let (kits, plenty) = (kits::catalog(), kits::plenty(units));
    let sql = info.sql().await?;
    database::seed(&sql, &kits, plenty).await?;
    sandbox::set_quota(info, options.quota).await?;
    let (reprice, variety) = (Repricing::Never, Variety::GoodOrders);
    let plan = Plan { units, seed: options.seed, start: demo::now(), reprice, variety };
    let (sent, enough) = (Cell::new(0), Cell::new(false));
    let (queues, orders, rate) = (&info.sqs(), info.queue("orders")?, options.rate);
    let products = info.queue("products")?;
    let run = Run { queues, orders, products, sql: &sql, rate, file, progress: &sent, enough: &enough };
    let work = async {
        let (sent, captured) = tokio::join!(sender::send(run, &plan), course(info, options, &enough));
        sent.and(captured)
    };
    let captured = tokio::select! {
        captured = work => captured,
        error = progress::show(info, &sql, &sent) => error.map(|never| match never {}),
    };
    progress::end();
    let captured = captured?;
    out::note("The load has ended; waiting for what is still on its way …");
    settled(info, &sql, Told::Published, END_LIMIT).await?;
    let judged = judge(&evidence::collect(info, file, &kits, plenty).await?);
    let figures = sandbox::figures(info).await?;
    Ok(with_goals(Measured {
        quota: options.quota,
        peak_per_s: ["authorize", "capture"]
            .iter()
            .filter_map(|endpoint| figures.peak_per_s.get(*endpoint))
            .copied()
            .max()
            .unwrap_or(0),
        answered_429: figures.answered_429,
        double_charged: judged.double_charged,
        orphan_holds: judged.orphan_holds,
        wrong: judged.lost + judged.mismatched + judged.unfinished + judged.dead_lettered + judged.leaked,
        ..throughput(captured, options.seconds)
    }))
}

/// Captures in as many seconds with Redis, and then without it.
async fn course(info: &Info, options: &cli::RedisOutage, enough: &Cell<bool>) -> Result<[u64; 2], Error> {
    let captured = measure(info, Duration::from_secs(options.seconds.into())).await;
    // Also when something failed: the sender must not go on for ever.
    enough.set(true);
    captured
}

async fn measure(info: &Info, half: Duration) -> Result<[u64; 2], Error> {
    SystemClock.sleep(BEFORE).await;
    let begun = captures(info).await?;
    SystemClock.sleep(half).await;
    let killed = captures(info).await?;
    info.control("POST", "/redis/kill", &Value::Null).await?;
    out::note(&format!("Redis is gone. {}", beyond(info).await?));
    SystemClock.sleep(half).await;
    let ended = captures(info).await?;
    info.control("POST", "/redis/start", &Value::Null).await?;
    out::note(&format!("Redis is back. {}", beyond(info).await?));
    Ok([killed.saturating_sub(begun), ended.saturating_sub(killed)])
}

/// Says how many calls were beyond the quota so far, so that one sees when they were made.
async fn beyond(info: &Info) -> Result<String, Error> {
    Ok(format!("Calls beyond the quota until now: {}.", sandbox::figures(info).await?.answered_429))
}

/// Captures that the provider has made.
async fn captures(info: &Info) -> Result<u64, Error> {
    let calls = sandbox::figures(info).await?.calls;
    Ok(calls.get("capture").and_then(|classes| classes.get("2xx")).copied().unwrap_or(0))
}

fn throughput([with, without]: [u64; 2], seconds: u32) -> Measured {
    let per_s = |captures: u64| hundredths(float(captures) / f64::from(seconds));
    Measured {
        captured_per_s: per_s(with),
        captured_per_s_without: per_s(without),
        throughput_left: hundredths(ratio(without, with.max(1))),
        ..Measured::default()
    }
}

fn with_goals(found: Measured) -> Measured {
    let goals = [
        ("throughput_left", found.throughput_left >= THROUGHPUT_LEAST),
        ("peak_per_s", found.peak_per_s <= u64::from(found.quota)),
        ("answered_429", found.answered_429 == 0),
        ("double_charged", found.double_charged == 0),
        ("orphan_holds", found.orphan_holds == 0),
        ("wrong", found.wrong == 0),
    ];
    let missed = goals.into_iter().filter_map(|(name, met)| (!met).then_some(name)).collect();
    Measured { missed, ..found }
}

fn json(found: &Measured) -> Result<String, Error> {
    serde_json::to_string(found)
        .map_err(|source| Error::Unreadable { what: "the figures".to_owned(), source })
}

fn table(found: &Measured) -> String {
    let row = |name: &str, value: String, goal: String| vec![name.to_owned(), value, goal];
    let none = || "0".to_owned();
    let rows = [
        row("captures a second with Redis", found.captured_per_s.to_string(), String::new()),
        row("captures a second without", found.captured_per_s_without.to_string(), String::new()),
        row("throughput left", found.throughput_left.to_string(), format!("≥ {THROUGHPUT_LEAST}")),
        row("most calls a second to an endpoint", found.peak_per_s.to_string(), format!("≤ {}", found.quota)),
        row("calls beyond the quota", found.answered_429.to_string(), none()),
        row("double-charged", found.double_charged.to_string(), none()),
        row("held for nothing", found.orphan_holds.to_string(), none()),
        row("lost, mismatched, unfinished, dead-lettered or let out", found.wrong.to_string(), none()),
    ];
    let verdict = match found.missed.as_slice() {
        [] => "Verdict: every goal met.".to_owned(),
        missed => format!("Verdict: FAILED. Missed: {}.", missed.join(", ")),
    };
    format!("\n{}\n\n{verdict}", out::table(&["", "found", "goal"], &rows))
}

#[cfg(test)]
mod tests {
    use super::{Measured, throughput, with_goals};

    fn good() -> Measured {
        Measured { quota: 100, peak_per_s: 100, ..throughput([1_800, 1_260], 20) }
    }

    #[track_caller]
    fn check(spoil: impl FnOnce(&mut Measured), missed: &[&str]) {
        let mut found = good();
        spoil(&mut found);
        assert_eq!(with_goals(found).missed, missed);
    }

    #[test]
    fn each_goal_can_be_missed() {
        check(|_| (), &[]);
        check(|found| found.throughput_left = 0.69, &["throughput_left"]);
        check(|found| found.peak_per_s = 101, &["peak_per_s"]);
        check(|found| found.answered_429 = 1, &["answered_429"]);
        check(|found| found.double_charged = 1, &["double_charged"]);
        check(|found| found.orphan_holds = 1, &["orphan_holds"]);
        check(|found| found.wrong = 1, &["wrong"]);
    }

    #[test]
    fn throughput_is_captures_by_seconds() {
        let found = good();
        assert_eq!(
            (found.captured_per_s, found.captured_per_s_without, found.throughput_left),
            (90.0, 63.0, 0.7)
        );
    }
}
