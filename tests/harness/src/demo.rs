//! `demo`: a fresh stack, a catalog, orders at their pace, the end, the verdict.

use crate::control::Status;
use crate::evidence::{self, Evidence};
use crate::orders::{Plan, Repricing, Variety};
use crate::report::{FUNCTIONS, Measured, Report, Usage, verdict};
use crate::sandbox::{self, Defect};
use crate::sender::{self, Run};
use crate::sent::Changed;
use crate::settling::{Told, settled};
use crate::stack::{Info, Life, Stack, StackOptions};
use crate::verdict::{Judgement, judge, judged_ms};
use crate::{Error, canaries, database, figures, kits, plant, progress};
use backoff::{Clock as _, SystemClock};
use jiff::Timestamp;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;
use tokio_postgres::Client;
use xtask::cli::{self, Plant};
use xtask::{out, workspace};

/// Runs the demo; an `Ok` means that the verdict passed.
///
/// # Errors
/// [`Error::Found`] when the verdict did not pass and has been printed; whatever stops the run before that.
pub async fn run(options: &cli::Demo) -> Result<(), Error> {
    let (report, judgement) = result(options).await?;
    print(options, &report, &judgement);
    if judgement.passed() { Ok(()) } else { Err(Error::Found) }
}

/// Runs the demo and says what became of it.
///
/// # Errors
/// Whatever stops the run before its verdict.
pub async fn result(options: &cli::Demo) -> Result<(Report, Judgement), Error> {
    out::note("Starting PostgreSQL, Redis, the queues, the payment provider and the functions …");
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
    result
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
    let size_before = database::size_bytes(&sql).await?;
    let cli::Load { orders, rate, seed } = options.load;
    out::note(&format!(
        "{} meal kits on the shelves. Sending {orders} orders at {rate} a second, seed {seed}.",
        kits.len()
    ));
    let (reprice, variety) = (Repricing::InTheMiddle, Variety::Shop);
    let plan = Plan { units, seed, start: now(), reprice, variety };
    let (sent, enough) = (Cell::new(0), Cell::new(false));
    let (queues, orders) = (&info.sqs(), info.queue("orders")?);
    let products = info.queue("products")?;
    let run = Run { queues, orders, products, sql: &sql, rate, file, progress: &sent, enough: &enough };
    let start = SystemClock.monotonic();
    let work = async {
        let changes = send(info, run, &plan, options.plant).await?;
        Ok((changes, settled(info, &sql, Told::Published, patience(options)).await?))
    };
    let end = tokio::select! {
        end = work => end,
        error = progress::show(info, &sql, &sent) => error.map(|never| match never {}),
    };
    progress::end();
    let (changes, end) = end?;
    let seconds = end.saturating_sub(start).as_secs_f64();
    let grown = u64::try_from(database::size_bytes(&sql).await? - size_before).unwrap_or(0);
    plant_defect(info, &sql, options.plant).await?;
    let evidence = evidence::collect(info, file, &kits, plenty).await?.with_changes(changes);
    judged(info, &evidence, (seconds, grown)).await
}

/// How long to wait for the end: not at all long where the end has been made impossible.
fn patience(options: &cli::Demo) -> Duration {
    let wait_s =
        if options.plant == Some(Plant::Unfinished) { options.wait_s.min(5) } else { options.wait_s };
    Duration::from_secs(wait_s.into())
}

/// Sends everything; for an unfinished order, holds the event source back until one message has been taken away.
async fn send(info: &Info, run: Run<'_>, plan: &Plan, plant: Option<Plant>) -> Result<Vec<Changed>, Error> {
    if plant != Some(Plant::Unfinished) {
        return sender::send(run, plan).await;
    }
    plant::hold_back(info).await?;
    let (sent, withheld) = tokio::join!(sender::send(run, plan), plant::withhold(info));
    planted("withheld message", &withheld?);
    sent
}

async fn plant_defect(info: &Info, sql: &Client, plant: Option<Plant>) -> Result<(), Error> {
    let (what, id) = match plant {
        Some(Plant::Lost) => ("deleted order", plant::lose(sql).await?),
        Some(Plant::Mispriced) => ("changed the price of", plant::misprice(sql).await?),
        Some(Plant::Mismatched) => ("changed the price of a line of order", plant::mismatch(sql).await?),
        Some(Plant::DoubleCharge) => {
            ("charged once more order", charge(info, sql, Defect::DoubleCapture).await?)
        }
        Some(Plant::OrphanHold) => {
            ("held money once more for order", charge(info, sql, Defect::OrphanHold).await?)
        }
        Some(Plant::MismatchedCharge) => {
            ("charged another amount for order", charge(info, sql, Defect::Mismatch).await?)
        }
        Some(Plant::Leak) => {
            ("logged the customer of", canaries::log_one(info, &plant::confirmed(sql).await?)?)
        }
        Some(Plant::Unfinished) | None => return Ok(()),
    };
    planted(what, &id);
    Ok(())
}

/// Plants a defect into the provider's ledger, at some confirmed order.
async fn charge(info: &Info, sql: &Client, defect: Defect) -> Result<String, Error> {
    let id = plant::confirmed(sql).await?;
    sandbox::plant(info, defect, &id).await?;
    Ok(id)
}

fn planted(what: &str, id: &str) {
    out::note(&format!("Planted: {what} {id}."));
}

async fn judged(
    info: &Info,
    evidence: &Evidence,
    (seconds, database_bytes): (f64, u64),
) -> Result<(Report, Judgement), Error> {
    let status = info.status().await?;
    let mut figures = BTreeMap::new();
    for function in FUNCTIONS {
        figures.insert(function.to_owned(), figures::read(&info.log_dir.join(format!("{function}.log")))?);
    }
    let callers = status.data_api.calls.keys();
    let measured = Measured {
        figures,
        data_api_calls: callers.map(|caller| (caller.clone(), status.data_api_calls(caller))).collect(),
        cold_starts: status
            .functions
            .iter()
            .map(|(name, function)| (name.clone(), function.cold_starts))
            .collect(),
        provider: sandbox::figures(info).await?,
        usage: usage(info, &status),
        lines: lines(evidence),
        database_bytes,
        changes: evidence.changes.len(),
        change_judged_ms: judged_ms(evidence),
        seconds,
    };
    let judgement = judge(evidence);
    Ok((Report::new(&judgement, &measured), judgement))
}

/// What each function used so far.
fn usage(info: &Info, status: &Status) -> BTreeMap<String, Usage> {
    let of = |name: &String| {
        let log = info.log_dir.join(format!("{name}.log"));
        // A function that was never invoked has none.
        let log_bytes = std::fs::metadata(log).map_or(0, |log| log.len());
        let usage = Usage {
            invocations: status.functions.get(name).map_or(0, |function| function.invocations),
            messages: status.event_sources.get(name).map_or(0, |source| source.invoked),
            data_api_calls: status.data_api_calls(name),
            sqs_calls: status.sqs_calls(name),
            log_bytes,
        };
        (name.clone(), usage)
    };
    info.functions.iter().map(of).collect()
}

/// Lines of all orders, those that were sent twice once.
fn lines(evidence: &Evidence) -> usize {
    let orders = evidence.sent.iter().filter_map(|sent| Some((&sent.unit, sent.order.as_ref()?)));
    orders.collect::<BTreeMap<_, _>>().values().map(|order| order.items.len()).sum()
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
