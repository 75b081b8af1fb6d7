//! One turn of one contender: a fresh instance, its first batch, a few to warm up, and then those that count.

use super::contender::Contender;
use super::supply::{Batch, WARM_UP};
use super::{cpu, float, ms, rows};
use crate::Error;
use crate::control::Status;
use crate::stack::{Info, poll_until};
use backoff::{Clock as _, SystemClock};
use serde::Serialize;
use serde_json::{Value, json};
use std::time::Duration;
use tokio_postgres::Client;

/// How long an instance may take to end once it was killed.
const END_LIMIT: Duration = Duration::from_secs(10);

/// What was measured in a turn; sums are over the batches that count.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Turn {
    /// From asking for an instance until it had answered its first batch.
    pub(super) first_answer_ms: f64,
    /// Each batch from invoking until the answer.
    pub(super) batch_ms: Vec<f64>,
    /// CPU of the instance's process, user and system.
    pub(super) cpu_ms: f64,
    /// How much of its CPU, start included, the instance spent in the kernel: sockets, mostly.
    pub(super) system_percent: Option<f64>,
    /// The most memory that the instance ever had resident.
    pub(super) memory_peak_mb: f64,
    /// Calls to the Data API.
    pub(super) data_api_calls: f64,
    /// Calls to SQS.
    pub(super) sqs_calls: f64,
    /// Bytes that it printed.
    pub(super) log_bytes: f64,
    /// Orders.
    pub(super) orders: f64,
}

/// Takes the turn with these batches and checks the rows that it left.
///
/// # Errors
/// [`Error::Contender`] when a batch, or a row, is not as it should be; what the stack's calls return.
pub(super) async fn take(
    info: &Info,
    sql: &Client,
    contender: &Contender,
    batches: Vec<Batch>,
) -> Result<Turn, Error> {
    let mut turn = Turn::default();
    let (first, rest) = batches.split_at(1.min(batches.len()));
    let (warm_up, counted) = rest.split_at(WARM_UP.min(rest.len()));
    for batch in first {
        turn.first_answer_ms = answered(info, contender, batch).await?;
    }
    for batch in warm_up {
        answered(info, contender, batch).await?;
    }
    let pid = instance(info, contender).await?;
    let before = counts(info, contender).await?;
    let cpu_before = cpu::used(pid)?;
    for batch in counted {
        turn.batch_ms.push(answered(info, contender, batch).await?);
    }
    turn.cpu_ms = ms(cpu::used(pid)?.saturating_sub(cpu_before));
    turn.system_percent = cpu::system_percent(pid);
    let after = counts(info, contender).await?;
    [turn.data_api_calls, turn.sqs_calls, turn.log_bytes] =
        [0, 1, 2].map(|at| difference(&after, &before, at));
    turn.orders = float(counted.iter().map(|batch| batch.order_ids.len()).sum());
    turn.memory_peak_mb =
        memory_peak_mb(pid).ok_or_else(|| found(info, contender, "its instance is gone".to_owned()))?;
    end(info, contender, pid).await?;
    rows::accepted(sql, &batches).await?.map_or(Ok(turn), |finding| Err(found(info, contender, finding)))
}

/// Hands over a batch; answers how long it took, if every record of it was done.
async fn answered(info: &Info, contender: &Contender, batch: &Batch) -> Result<f64, Error> {
    let start = SystemClock.monotonic();
    let answer = info.invoke(contender.name, &batch.event).await?;
    let taken = SystemClock.monotonic().saturating_sub(start);
    match answer.get("batchItemFailures").and_then(Value::as_array) {
        Some(failures) if failures.is_empty() => Ok(ms(taken)),
        _ => Err(found(info, contender, format!("a batch of good orders was answered with {answer}"))),
    }
}

/// The process of its one instance.
pub(super) async fn instance(info: &Info, contender: &Contender) -> Result<u32, Error> {
    // Letting one go on that was never stopped changes nothing, and tells its number.
    let answer = info.control("POST", &format!("/functions/{}/thaw", contender.name), &json!({})).await?;
    let pid = answer.get("pid").and_then(Value::as_u64).and_then(|pid| u32::try_from(pid).ok());
    pid.ok_or_else(|| found(info, contender, "it has no instance".to_owned()))
}

/// Ends its instance, so that the next turn begins with a fresh one and nobody else's turn has it beside.
pub(super) async fn end(info: &Info, contender: &Contender, pid: u32) -> Result<(), Error> {
    let killed = info.control("POST", &format!("/functions/{}/kill", contender.name), &json!({})).await?;
    if killed.get("pid").and_then(Value::as_u64) != Some(u64::from(pid)) {
        return Err(found(info, contender, "another instance came up in the middle of its turn".to_owned()));
    }
    poll_until("the end of an instance", END_LIMIT, async || {
        let status = info.status().await?;
        Ok(status.functions.get(contender.name).is_some_and(|function| function.instances == 0))
    })
    .await
}

/// Data API calls, SQS calls and bytes logged so far.
async fn counts(info: &Info, contender: &Contender) -> Result<[u64; 3], Error> {
    let status: Status = info.status().await?;
    let logged = std::fs::metadata(contender.log(info)).map_or(0, |log| log.len());
    Ok([status.data_api_calls(contender.name), status.sqs_calls(contender.name), logged])
}

fn difference(after: &[u64; 3], before: &[u64; 3], at: usize) -> f64 {
    let of = |counts: &[u64; 3]| counts.get(at).copied().unwrap_or_default();
    crate::report::float(of(after).saturating_sub(of(before)))
}

fn memory_peak_mb(pid: u32) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok().map(|kb: f64| kb / 1024.0)
}

/// What a contender did wrong, with the log that may say why.
pub(super) fn found(info: &Info, contender: &Contender, finding: String) -> Error {
    Error::Contender { contender: contender.name, finding, log: contender.log(info) }
}
