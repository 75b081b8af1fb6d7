//! Sends the steps of a run at their pace, and writes down what the queue took.
//!
//! Open loop: message `n` is due `n / rate` seconds after the start, whether or not the stack keeps up, as customers
//! do not wait for each other either. A price change waits until everything before it is in the queue.

use crate::kits::catalog;
use crate::orders::{Message, Plan, Step, steps};
use crate::queues::{Outgoing, Queue, Queues};
use crate::sent::{self, Sent};
use crate::{Error, database};
use backoff::{Clock, SystemClock};
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use std::cell::Cell;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::time::Duration;
use tokio_postgres::Client;

/// Most calls in flight; more would only queue up in the endpoint.
const CALLS_MAX: usize = 32;

/// Most messages of one call; small, so that no message waits for its neighbours at a low rate.
const PER_CALL_MAX: usize = 10;

/// What the sender needs.
#[derive(Debug, Clone, Copy)]
pub struct Run<'a> {
    /// The SQS client.
    pub queues: &'a Queues,
    /// The orders queue.
    pub orders: &'a Queue,
    /// The database, where prices change.
    pub sql: &'a Client,
    /// Messages per second.
    pub rate: u32,
    /// The sender's file.
    pub file: &'a Path,
    /// Messages sent so far, for whoever shows progress.
    pub progress: &'a Cell<usize>,
    /// Set by whoever has seen enough: the sender ends early then, and its file holds what was sent.
    pub enough: &'a Cell<bool>,
}

/// Sends everything; afterwards the file holds one line for every message.
///
/// # Errors
/// As [`Queues::send`] and [`database::reprice`]; [`Error::File`] for the sender's file.
pub async fn send(run: Run<'_>, plan: &Plan) -> Result<(), Error> {
    let failed = |source| Error::File { path: run.file.to_owned(), source };
    let mut file = BufWriter::new(std::fs::File::create(run.file).map_err(failed)?);
    // Generated before the clock starts, or the first messages would be late and come in a bunch.
    let steps = steps(plan, &catalog());
    let start = SystemClock.monotonic();
    let mut calls = FuturesUnordered::new();
    let mut due: Vec<Message> = Vec::new();
    let mut number: u32 = 0;
    for step in steps {
        if run.enough.get() {
            break;
        }
        match step {
            Step::Send(message) => {
                let at = Duration::from_secs(number.into()) / run.rate.max(1);
                number += 1;
                let now = SystemClock.monotonic().saturating_sub(start);
                // Late messages share a call; one that is not yet due first lets the earlier ones go.
                if at > now || due.len() == PER_CALL_MAX {
                    if !due.is_empty() {
                        calls.push(call(run, std::mem::take(&mut due)));
                    }
                    while calls.len() > CALLS_MAX {
                        record(run, &mut file, calls.next().await)?;
                    }
                    rest(run, &mut file, &mut calls, start + at).await?;
                }
                due.push(*message);
            }
            Step::Reprice { sku, price_minor } => {
                calls.push(call(run, std::mem::take(&mut due)));
                while let Some(done) = calls.next().await {
                    record(run, &mut file, Some(done))?;
                }
                database::reprice(run.sql, &sku, price_minor).await?;
            }
        }
    }
    calls.push(call(run, due));
    while let Some(done) = calls.next().await {
        record(run, &mut file, Some(done))?;
    }
    file.flush().map_err(failed)
}

/// Waits until `until` on the monotonic clock, and takes the answers of calls meanwhile.
async fn rest<F: Future<Output = Called>>(
    run: Run<'_>,
    file: &mut impl std::io::Write,
    calls: &mut FuturesUnordered<F>,
    until: Duration,
) -> Result<(), Error> {
    let wait = SystemClock.sleep(until.saturating_sub(SystemClock.monotonic()));
    tokio::pin!(wait);
    loop {
        tokio::select! {
            biased;
            () = &mut wait => return Ok(()),
            Some(done) = calls.next() => record(run, file, Some(done))?,
        }
    }
}

/// What one call sent, and when it was answered.
type Called = Result<Vec<Sent>, Error>;

async fn call(run: Run<'_>, messages: Vec<Message>) -> Called {
    if messages.is_empty() {
        return Ok(Vec::new());
    }
    let outgoing =
        |message: &Message| Outgoing { body: message.body.clone(), traceparent: message.traceparent.clone() };
    let bodies: Vec<Outgoing> = messages.iter().map(outgoing).collect();
    let ids = run.queues.send(run.orders, &bodies).await?;
    let sent_at_ms = SystemClock.now_ms();
    run.progress.set(run.progress.get() + messages.len());
    let line = |(message, message_id): (Message, String)| Sent {
        unit: message.unit,
        kind: message.kind.to_owned(),
        order: message.order,
        expected: message.expected,
        message_id,
        sent_at_ms,
        traceparent: message.traceparent,
    };
    Ok(messages.into_iter().zip(ids).map(line).collect())
}

fn record(run: Run<'_>, file: &mut impl std::io::Write, done: Option<Called>) -> Result<(), Error> {
    for line in done.transpose()?.unwrap_or_default() {
        sent::append(file, run.file, &line)?;
    }
    Ok(())
}
