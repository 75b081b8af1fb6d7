//! `demo`: a fresh stack, a catalog, orders at their pace, the end, the verdict.

use crate::evidence::{self, Evidence};
use crate::orders::{Plan, Repricing};
use crate::report::{Measured, Report, verdict};
use crate::sender::{self, Run};
use crate::stack::{Info, Life, Stack, StackOptions};
use crate::verdict::{Judgement, judge};
use crate::{Error, database, figures, kits, plant, progress};
use backoff::{Clock as _, SystemClock};
use jiff::Timestamp;
use std::cell::Cell;
use std::path::Path;
use std::time::Duration;
use tokio_postgres::Client;
use xtask::cli::{self, Plant};
use xtask::{out, workspace};

/// The function whose work this is.
const FUNCTION: &str = "process-orders";

/// The queue must look empty for so long: a message between two looks is in no count.
const QUIET: Duration = Duration::from_millis(500);

/// How often the queue is looked at after the last message.
const LOOK: Duration = Duration::from_millis(100);

/// Runs the demo; an `Ok` means that the verdict passed.
///
/// # Errors
/// [`Error::Found`] when the verdict did not pass and has been printed; whatever stops the run before that.
pub async fn run(options: &cli::Demo) -> Result<(), Error> {
    out::note("Starting PostgreSQL, Redis, the queues, the Data API and the functions …");
    let stack = Stack::start(stack_options(options)?).await?;
    let file = stack.state().join("sent.jsonl");
    let result = tokio::select! {
        result = on(&stack.info, options, &file) => result,
        () = interrupted() => Err(Error::Interrupted),
    };
    if options.keep && result.is_ok() {
        stack.leave();
    } else {
        stack.end().await?;
    }
    let (report, judgement) = result?;
    print(options, &report, &judgement);
    if judgement.passed() { Ok(()) } else { Err(Error::Found) }
}

/// A folder of its own for every run; with `--keep` the one where the other commands look.
fn stack_options(options: &cli::Demo) -> Result<StackOptions, Error> {
    let (state, life) = if options.keep {
        if let Ok(running) = Info::find(&workspace::up_state()) {
            return Err(Error::AlreadyUp { pid: running.pid });
        }
        (workspace::up_state(), Life::Detached)
    } else {
        (workspace::private().join(format!("demo-{}", std::process::id())), Life::Owned)
    };
    let servers = options.servers.from.as_str();
    Ok(StackOptions { stage: "local", state, servers, life, ..StackOptions::default() })
}

/// Everything between a ready stack and the verdict.
async fn on(info: &Info, options: &cli::Demo, file: &Path) -> Result<(Report, Judgement), Error> {
    let units = usize::try_from(options.load.orders).unwrap_or(usize::MAX);
    let (kits, plenty) = (kits::catalog(), kits::plenty(units));
    let sql = info.sql().await?;
    database::seed(&sql, &kits, plenty).await?;
    let cli::Load { orders, rate, seed } = options.load;
    out::note(&format!(
        "{} meal kits on the shelves. Sending {orders} orders at {rate} a second, seed {seed}.",
        kits.len()
    ));
    let plan = Plan { units, seed, start: now(), reprice: Repricing::InTheMiddle };
    let sent = Cell::new(0);
    let run =
        Run { queues: &info.sqs(), orders: info.queue("orders")?, sql: &sql, rate, file, progress: &sent };
    let start = SystemClock.monotonic();
    let work = async {
        send(info, run, &plan, options.plant).await?;
        settled(info, patience(options)).await
    };
    let end = tokio::select! {
        end = work => end,
        error = progress::show(info, &sql, &sent) => error.map(|never| match never {}),
    };
    progress::end();
    let seconds = end?.saturating_sub(start).as_secs_f64();
    plant_into_rows(&sql, options.plant).await?;
    let evidence = evidence::collect(info, file, &kits, plenty).await?;
    judged(info, &evidence, seconds).await
}

/// How long to wait for the end: not at all long where the end has been made impossible.
fn patience(options: &cli::Demo) -> Duration {
    let wait_s =
        if options.plant == Some(Plant::Unfinished) { options.wait_s.min(5) } else { options.wait_s };
    Duration::from_secs(wait_s.into())
}

/// Sends everything; for an unfinished order, holds the event source back until one message has been taken away.
async fn send(info: &Info, run: Run<'_>, plan: &Plan, plant: Option<Plant>) -> Result<(), Error> {
    if plant != Some(Plant::Unfinished) {
        return sender::send(run, plan).await;
    }
    plant::hold_back(info).await?;
    let (sent, withheld) = tokio::join!(sender::send(run, plan), plant::withhold(info));
    planted("withheld message", &withheld?);
    sent
}

async fn plant_into_rows(sql: &Client, plant: Option<Plant>) -> Result<(), Error> {
    match plant {
        Some(Plant::Lost) => planted("deleted order", &plant::lose(sql).await?),
        Some(Plant::Mismatched) => {
            planted("changed the price of a line of order", &plant::mismatch(sql).await?)
        }
        Some(Plant::Unfinished) | None => {}
    }
    Ok(())
}

fn planted(what: &str, id: &str) {
    out::note(&format!("Planted: {what} {id}."));
}

/// Waits until the orders queue has been empty for a while, and returns when it became empty; after `limit`, returns
/// as well: what is left then is the verdict's business.
async fn settled(info: &Info, limit: Duration) -> Result<Duration, Error> {
    let last = SystemClock.monotonic() + limit;
    let mut empty_since: Option<Duration> = None;
    loop {
        let now = SystemClock.monotonic();
        let empty = info.status().await?.depth("orders").total() == 0;
        empty_since = if empty { empty_since.or(Some(now)) } else { None };
        match empty_since {
            Some(since) if now.saturating_sub(since) >= QUIET => return Ok(since),
            _ if now >= last => return Ok(now),
            _ => SystemClock.sleep(LOOK).await,
        }
    }
}

async fn judged(info: &Info, evidence: &Evidence, seconds: f64) -> Result<(Report, Judgement), Error> {
    let status = info.status().await?;
    let callers = status.data_api.calls.keys();
    let measured = Measured {
        figures: figures::read(&info.log_dir.join(format!("{FUNCTION}.log")))?,
        data_api_calls: callers.map(|caller| (caller.clone(), status.data_api_calls(caller))).collect(),
        cold_starts: status.functions.get(FUNCTION).map_or(0, |function| function.cold_starts),
        seconds,
    };
    let judgement = judge(evidence);
    Ok((Report::new(&judgement, &measured), judgement))
}

fn print(options: &cli::Demo, report: &Report, judgement: &Judgement) {
    let show = if options.json { out::note } else { out::line };
    if options.json {
        out::line(&serde_json::to_string(report).unwrap_or_default());
    } else {
        show(&format!("\n{}\n", report.table()));
    }
    show(&verdict(judgement));
    if options.keep {
        show("The stack is still running: `cargo xtask status` looks at it, `cargo xtask down` stops it.");
    }
}

/// The time by the workspace's clock.
pub fn now() -> Timestamp {
    let ms = i64::try_from(SystemClock.now_ms()).unwrap_or(i64::MAX);
    Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// Ctrl-C, or a polite request to end.
pub async fn interrupted() {
    let mut ended = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).ok();
    let terminated = async {
        match &mut ended {
            Some(signal) => drop(signal.recv().await),
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = terminated => {}
    }
}
