//! `counts`: what each function is made of, and what one warm batch of ten costs those that accept and pay, in numbers
//! that no other program on the machine can change, held against the numbers that were committed.
//!
//! The functions run unmodified on the local host, but under valgrind: once counting instructions, once counting
//! allocations, each for a few batches and for many. The difference is what a warm batch costs; starting cancels out.
//! Calls are counted by whoever is called. What a batch allocated and nobody gave back is counted too, so that what every
//! batch leaks shows in a minute and not only in a soak; what grows in one piece shows there alone. A number that grew
//! beyond its tolerance fails; one that shrank asks for `--update`, so that it cannot grow back unseen. With `--profile` it
//! says instead where the instructions go.

mod baseline;
mod batches;
mod built;
mod profile;
mod valgrind;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;
use xtask::{cli, out, workspace};

use crate::figures;
use crate::report::ratio;
use crate::stack::{Stack, StackOptions};
use crate::{Error, database, demo, kits};
use baseline::{Baseline, Counts};
use batches::Batches;
use valgrind::{Tool, Wrapped};

/// The functions whose batches are counted, in the order in which an order meets them.
const FUNCTIONS: [&str; 2] = ["process-orders", "settle-payments"];

/// Batches after which everything is warm.
const FEW: usize = 20;

/// Batches that are counted.
const MANY: usize = 100;

/// Records in a batch.
const RECORDS: usize = 10;

/// Where the committed numbers are.
pub const BASELINE: &str = "tests/counts.json";

/// Counts, and compares or writes the baseline, or prints where the instructions go.
///
/// # Errors
/// [`Error::Found`] when a number is not what was committed, and has been printed; what keeps them from being counted.
pub async fn run(options: &cli::Counts) -> Result<(), Error> {
    valgrind::found()?;
    let built_with = format!("{}, opt-level {}", built::compiler()?, options.opt_level);
    if options.profile {
        let profiles = unless_interrupted(profile::profiles()).await?;
        out::line(&if options.json {
            profile::json(&built_with, &profiles)?
        } else {
            profile::text(&built_with, &profiles)
        });
        return Ok(());
    }
    let counted = unless_interrupted(count()).await?;
    let path = workspace::root().join(BASELINE);
    let mut baseline = Baseline::read(&path)?;
    if options.update {
        baseline.set(&built_with, counted);
        baseline.write(&path)?;
        out::line(&format!("Wrote {}.", workspace::shown(&path)));
        return Ok(());
    }
    let comparison = baseline.compare(&built_with, &counted);
    out::line(&if options.json { comparison.json()? } else { comparison.table() });
    if comparison.held() { Ok(()) } else { Err(Error::Found) }
}

/// A committed number of a function, and the build that it belongs to; none where nobody has counted it.
///
/// # Errors
/// A file that cannot be read.
pub(crate) fn committed(function: &str, name: &str) -> Result<Option<(String, f64)>, Error> {
    let baseline = Baseline::read(&workspace::root().join(BASELINE))?;
    Ok(baseline.number(function, name).map(|(built_with, n)| (built_with.to_owned(), n)))
}

async fn unless_interrupted<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    tokio::select! {
        done = work => done,
        () = demo::interrupted() => Err(Error::Interrupted),
    }
}

async fn count() -> Result<Counts, Error> {
    let mut counts: Counts = BTreeMap::new();
    for function in built::functions()? {
        let made_of = built::of(&function)?;
        counts.insert(function, made_of);
    }
    for tool in [Tool::Instructions, Tool::Allocations] {
        let few = costs(&wrapped(tool)?, FEW).await?;
        let many = costs(&wrapped(tool)?, FEW + MANY).await?;
        for (function, many) in many {
            let few = few.get(&function).cloned().unwrap_or_default();
            let of_function = counts.entry(function).or_default();
            for (name, total) in many {
                let first = few.get(&name).copied().unwrap_or_default();
                of_function.insert(name, ratio(total.saturating_sub(first), as_u64(MANY)));
            }
        }
    }
    Ok(counts)
}

/// Totals by function and name.
type Totals = BTreeMap<String, BTreeMap<String, u64>>;

fn state() -> PathBuf {
    workspace::private().join(format!("counts-{}", std::process::id()))
}

/// The functions under one of valgrind's tools, for one run.
fn wrapped(tool: Tool) -> Result<Wrapped, Error> {
    Wrapped::new(tool, &state().with_extension("valgrind"), &FUNCTIONS)
}

/// What so many batches cost each function, its start included.
async fn costs(wrapped: &Wrapped, batches: usize) -> Result<Totals, Error> {
    out::note(&format!("Counting {} of {batches} batches …", wrapped.tool().name()));
    let options = StackOptions { state: state(), instead: wrapped.programs(), ..StackOptions::default() };
    let stack = Stack::start(options).await?;
    let counted = on(&stack, wrapped, batches).await;
    stack.end_or_say().await;
    counted
}

async fn on(stack: &Stack, wrapped: &Wrapped, batches: usize) -> Result<Totals, Error> {
    let nothing = serde_json::json!({ "enabled": false });
    for invoker in
        ["event-sources/process-orders", "event-sources/settle-payments", "schedules/reconcile-orders"]
    {
        stack.control("PUT", &format!("/{invoker}"), &nothing).await?;
    }
    let kits = kits::catalog();
    database::seed(&stack.sql().await?, &kits, kits::plenty(batches * RECORDS)).await?;
    let work = Batches::new(&kits, RECORDS)?;
    let mut totals = Totals::new();
    for function in FUNCTIONS {
        for nth in 0..batches {
            let event = if function == FUNCTIONS[0] { work.orders(nth) } else { work.payments(nth) };
            let answer = stack.invoke(function, &event).await?;
            let failed = answer.get("batchItemFailures").and_then(Value::as_array);
            if !failed.is_some_and(Vec::is_empty) {
                return Err(Error::NotCounted { what: format!("{function} answered {answer}") });
            }
        }
        let status = stack.status().await?;
        let mut of_function = wrapped.end(function).await?;
        of_function.insert("data_api_calls".to_owned(), status.data_api_calls(function));
        of_function.insert("sqs_calls".to_owned(), status.sqs_calls(function));
        let log = stack.log_dir.join(format!("{function}.log"));
        of_function.insert("log_bytes".to_owned(), size(&log)?);
        of_function.insert("redis_calls".to_owned(), figures::read(&log)?.redis_calls);
        if function == FUNCTIONS[1] {
            let calls = status.sandbox.calls_total;
            of_function.insert("provider_calls".to_owned(), calls);
        }
        totals.insert(function.to_owned(), of_function);
    }
    Ok(totals)
}

fn size(path: &Path) -> Result<u64, Error> {
    let metadata = std::fs::metadata(path);
    metadata.map(|file| file.len()).map_err(|source| Error::File { path: path.to_owned(), source })
}

fn as_u64(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

/// The ids of a batch's orders.
fn id(nth: usize, record: usize) -> String {
    format!("ord_counted_{nth:05}_{record}")
}

/// The trace of every record: real ones have one.
const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// A record as the event source makes it, first received.
fn record(message_id: &str, body: &Value) -> Value {
    serde_json::json!({
        "messageId": message_id, "receiptHandle": message_id, "body": body.to_string(), "eventSource": "aws:sqs",
        "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "1790000000000"},
        "messageAttributes": {"traceparent": {"stringValue": TRACE, "dataType": "String"}},
    })
}
