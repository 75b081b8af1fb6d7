//! Duty 2: orders that nobody could pay within 23 hours end, and their stock is free again.

use std::time::Duration;

use backoff::{Clock, Deadline};
use order_store::ReconcileStore;
use payments::KEY_LIFE;
use queue::Queue;

use crate::duty::Stopped;
use crate::flow::Run;
use crate::publish;
use crate::report::Expiries;

/// Orders a round: each releases the stock of its lines, and a round must stay far below the statement's 3 s.
const ORDERS_PER_ROUND: u32 = 100;

/// Rounds a run: 2,000 orders, more than a minute of a surge brings.
const ROUNDS_MAX: usize = 20;

/// The least time for one more round.
const TIME_PER_ROUND: Duration = Duration::from_millis(300);

/// Ends orders at the age at which their keys must no longer be sent.
pub(crate) async fn expire<S: ReconcileStore, P, Q: Queue, K: Clock>(
    run: &Run<'_, S, P, Q, K>,
    until: Deadline,
    counts: &mut Expiries,
) -> Result<(), Stopped> {
    for _ in 0..ROUNDS_MAX {
        if !until.allows(&run.doors.clock, TIME_PER_ROUND) {
            return Err(Stopped::NoTime);
        }
        let moved = run.doors.store.expire(ORDERS_PER_ROUND, KEY_LIFE, until).await?;
        let expired = moved.iter().filter(|row| row.changed).count();
        if expired > 0 {
            // An alarm looks for this sentence: each of these orders was sold and could not be paid for in a day.
            tracing::error!(orders = expired, "orders ended unpaid");
        }
        counts.expired += expired;
        publish::follow_up(run, &moved, until).await?;
        if moved.len() < usize::try_from(ORDERS_PER_ROUND).unwrap_or(usize::MAX) {
            return Ok(());
        }
    }
    Err(Stopped::NoTime)
}
