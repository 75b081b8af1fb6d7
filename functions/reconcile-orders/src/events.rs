//! Duty 1: events that were committed and not published, or not marked as published.

use std::time::Duration;

use backoff::{Clock, Deadline};
use order_store::ReconcileStore;
use queue::Queue;

use crate::duty::Stopped;
use crate::flow::Run;
use crate::publish;
use crate::report::Events;

/// Younger ones are left to their writer, who publishes them within milliseconds and marks them with its next call.
const UNSENT_AGE: Duration = Duration::from_secs(30);

/// Rows a round: at 300 bytes each well below the 1 MiB that one answer of the Data API holds.
const ROWS_PER_ROUND: u32 = 500;

/// Rounds a run: 10,000 events, which drains an hour of 100 a second in 36 runs.
const ROUNDS_MAX: usize = 20;

/// The least time for one more round.
const TIME_PER_ROUND: Duration = Duration::from_millis(300);

/// Publishes unsent events, oldest first, and marks those that the queue took.
pub(crate) async fn republish<S: ReconcileStore, P, Q: Queue, K: Clock>(
    run: &Run<'_, S, P, Q, K>,
    until: Deadline,
    counts: &mut Events,
) -> Result<(), Stopped> {
    for _ in 0..ROUNDS_MAX {
        if !until.allows(&run.doors.clock, TIME_PER_ROUND) {
            return Err(Stopped::NoTime);
        }
        let unsent = run.doors.store.unsent_events(ROWS_PER_ROUND, UNSENT_AGE, until).await?;
        if unsent.is_empty() {
            return Ok(());
        }
        counts.unsent += unsent.len();
        let sent = publish::events(run, &unsent, until).await;
        counts.published += sent.len();
        if !sent.is_empty() {
            run.doors.store.mark_sent(&sent, until).await?;
        }
        if sent.len() < unsent.len() {
            return Err(Stopped::Queue { refused: unsent.len() - sent.len() });
        }
        if unsent.len() < usize::try_from(ROWS_PER_ROUND).unwrap_or(usize::MAX) {
            return Ok(());
        }
    }
    Err(Stopped::NoTime)
}
