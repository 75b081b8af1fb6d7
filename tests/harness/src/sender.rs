//! Sends the steps of a run at their pace, and writes down what the queues took.
//!
//! Open loop: message `n` is due `n / rate` seconds after the start, whether or not the stack keeps up, as customers
//! do not wait for each other either. A new price waits for nobody, and nobody for it: from the moment it is sent until
//! the database is seen to hold it, an order for its kit may be judged by either price, and is written down so. An order
//! sent after that has one right outcome.

use crate::kits::catalog;
use crate::orders::changes::{CHANGED_VERSION, Change, What};
use crate::orders::{Message, Plan, Step, steps};
use crate::queues::{Outgoing, Queue, Queues};
use crate::sent::{self, Changed, Outcome, Sent};
use crate::{Error, database};
use backoff::{Clock, SystemClock};
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::time::Duration;
use tokio_postgres::Client;

/// Most calls in flight; more would only queue up in the endpoint.
const CALLS_MAX: usize = 32;

/// Most messages of one call; small, so that no message waits for its neighbours at a low rate.
const PER_CALL_MAX: usize = 10;

/// How often the database is asked whether it holds a new price.
const LOOK: Duration = Duration::from_millis(10);

/// A new price that the database does not hold after so long is not waited for; the verdict will miss it.
const CHANGE_LIMIT: Duration = Duration::from_secs(30);

/// What the sender needs.
#[derive(Debug, Clone, Copy)]
pub struct Run<'a> {
    /// The SQS client.
    pub queues: &'a Queues,
    /// The orders queue.
    pub orders: &'a Queue,
    /// The queue of product changes and stock adjustments.
    pub products: &'a Queue,
    /// The database, which shows when a new price holds.
    pub sql: &'a Client,
    /// Orders per second.
    pub rate: u32,
    /// The sender's file.
    pub file: &'a Path,
    /// Orders sent so far, for whoever shows progress.
    pub progress: &'a Cell<usize>,
    /// Set by whoever has seen enough: the sender ends early then, and its file holds what was sent.
    pub enough: &'a Cell<bool>,
}

/// One thing to send.
enum Work {
    Orders(Vec<Message>),
    Change(Change),
}

/// What was sent, when its call was answered.
enum Done {
    Orders(Vec<Sent>),
    Change(Changed),
}

/// Kits whose new price was sent and has not been seen in the database yet.
type InFlight = RefCell<BTreeSet<String>>;

/// Sends everything; afterwards the file holds one line for every order's message. Returns the changes that were sent.
///
/// # Errors
/// As [`Queues::send`] and [`database::version`]; [`Error::File`] for the sender's file.
pub async fn send(run: Run<'_>, plan: &Plan) -> Result<Vec<Changed>, Error> {
    let in_flight = InFlight::default();
    let mut log = Log::new(run)?;
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
                        calls.push(carry_out(run, &in_flight, Work::Orders(std::mem::take(&mut due))));
                    }
                    while calls.len() > CALLS_MAX {
                        log.record(calls.next().await)?;
                    }
                    rest(&mut log, &mut calls, start + at).await?;
                }
                due.push(*message);
            }
            Step::Change(change) => {
                // From here on, not from the call's first step: orders behind it may overtake it.
                if let What::Price(_) = change.what {
                    in_flight.borrow_mut().insert(change.sku.clone());
                }
                calls.push(carry_out(run, &in_flight, Work::Change(*change)));
            }
        }
    }
    if !due.is_empty() {
        calls.push(carry_out(run, &in_flight, Work::Orders(due)));
    }
    while let Some(done) = calls.next().await {
        log.record(Some(done))?;
    }
    log.close()
}

/// Waits until `until` on the monotonic clock, and takes the answers of calls meanwhile.
async fn rest<F: Future<Output = Result<Done, Error>>>(
    log: &mut Log<'_>,
    calls: &mut FuturesUnordered<F>,
    until: Duration,
) -> Result<(), Error> {
    let wait = SystemClock.sleep(until.saturating_sub(SystemClock.monotonic()));
    tokio::pin!(wait);
    loop {
        tokio::select! {
            biased;
            () = &mut wait => return Ok(()),
            Some(done) = calls.next() => log.record(Some(done))?,
        }
    }
}

async fn carry_out(run: Run<'_>, in_flight: &InFlight, work: Work) -> Result<Done, Error> {
    match work {
        Work::Orders(messages) => orders(run, in_flight, messages).await.map(Done::Orders),
        Work::Change(change) => tell(run, in_flight, change).await.map(Done::Change),
    }
}

async fn orders(run: Run<'_>, in_flight: &InFlight, mut messages: Vec<Message>) -> Result<Vec<Sent>, Error> {
    messages.iter_mut().for_each(|message| allow_either_price(message, &in_flight.borrow()));
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

/// An order for a kit whose price is changing is right at the old price and at the new one.
fn allow_either_price(message: &mut Message, in_flight: &BTreeSet<String>) {
    let changing = message.order.iter().flat_map(|order| &order.items);
    if changing.map(|item| &item.sku).any(|sku| in_flight.contains(sku)) {
        for outcome in [Outcome::Confirmed, Outcome::Rejected("price_changed".to_owned())] {
            if !message.expected.contains(&outcome) {
                message.expected.push(outcome);
            }
        }
    }
}

/// Sends a change, and follows a new price until the database holds it.
async fn tell(run: Run<'_>, in_flight: &InFlight, change: Change) -> Result<Changed, Error> {
    let message = Outgoing { body: change.body, traceparent: change.traceparent };
    let sent_at_ms = SystemClock.now_ms();
    let changed = Changed { sku: change.sku, what: change.what, sent_at_ms };
    if let What::Delivery(_) = change.what {
        run.queues.send(run.products, &[message.clone(), message]).await?;
        return Ok(changed);
    }
    run.queues.send(run.products, &[message]).await?;
    let last = SystemClock.monotonic() + CHANGE_LIMIT;
    while SystemClock.monotonic() < last {
        if database::version(run.sql, &changed.sku).await? >= Some(CHANGED_VERSION) {
            in_flight.borrow_mut().remove(&changed.sku);
            break;
        }
        SystemClock.sleep(LOOK).await;
    }
    Ok(changed)
}

/// What was sent: orders in the sender's file, changes in memory.
struct Log<'a> {
    path: &'a Path,
    file: BufWriter<File>,
    changes: Vec<Changed>,
}

impl<'a> Log<'a> {
    fn new(run: Run<'a>) -> Result<Self, Error> {
        let failed = |source| Error::File { path: run.file.to_owned(), source };
        let file = BufWriter::new(File::create(run.file).map_err(failed)?);
        Ok(Self { path: run.file, file, changes: Vec::new() })
    }

    fn record(&mut self, done: Option<Result<Done, Error>>) -> Result<(), Error> {
        match done.transpose()? {
            Some(Done::Orders(lines)) => {
                lines.iter().try_for_each(|line| sent::append(&mut self.file, self.path, line))
            }
            Some(Done::Change(changed)) => {
                self.changes.push(changed);
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn close(mut self) -> Result<Vec<Changed>, Error> {
        self.file.flush().map_err(|source| Error::File { path: self.path.to_owned(), source })?;
        Ok(self.changes)
    }
}

#[cfg(test)]
mod tests {
    use super::allow_either_price;
    use crate::kits::catalog;
    use crate::orders::{Message, Plan, Repricing, Step, Variety, steps};
    use crate::sent::Outcome;

    /// A message for a kit whose price has changed, at the old price.
    fn old_price() -> Message {
        let start = "2026-11-23T10:15:00Z".parse().unwrap();
        let (reprice, variety) = (Repricing::InTheMiddle, Variety::Shop);
        let steps = steps(&Plan { units: 2000, seed: 1, start, reprice, variety }, &catalog());
        let wanted = |step| match step {
            Step::Send(message) if message.kind == "old_price" => Some(*message),
            _ => None,
        };
        steps.into_iter().find_map(wanted).unwrap()
    }

    #[test]
    fn only_an_order_for_a_changing_kit_is_right_at_either_price() {
        let changed = Outcome::Rejected("price_changed".into());
        let mut message = old_price();
        allow_either_price(&mut message, &["kit-of-others".to_owned()].into());
        assert_eq!(message.expected, std::slice::from_ref(&changed));
        let sku = message.order.clone().unwrap().items[0].sku.clone();
        allow_either_price(&mut message, &[sku].into());
        assert_eq!(message.expected, [changed, Outcome::Confirmed]);
    }
}
