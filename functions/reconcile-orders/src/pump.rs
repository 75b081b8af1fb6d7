//! Duty 7: parked payments are published again, at the pace that the provider's limit leaves.
//!
//! While the provider is away the gate leaves nothing, so nothing is published; when it wants a probe it leaves one,
//! and one row is published. So an outage costs a few calls, and its end is noticed within a glance and a turn.

use std::time::Duration;

use backoff::{Clock, Deadline};
use order_store::{DuePayment, ReconcileStore};
use payments::LookUps;
use queue::Queue;

use crate::duty::Stopped;
use crate::flow::Run;
use crate::publish;
use crate::report::Pump;

/// Rows a turn, whatever the limit leaves: 50 calls to the queue, half a second.
pub const ROWS_PER_TURN: u32 = 500;

/// From one publishing to the next. What is spare is said per second.
const TURN: Duration = Duration::from_secs(1);

/// How long nothing is done when nothing may be published: asking the gate again costs one call to Redis.
const GLANCE: Duration = Duration::from_millis(250);

/// The least time for one more turn.
const TIME_PER_TURN: Duration = Duration::from_millis(200);

/// Failed turns in a row after which the pump stops: what lasts for three seconds lasts longer.
const FAILURES_MAX: u32 = 3;

/// Publishes due payments, turn by turn, while rows wait and time is left.
pub(crate) async fn pump<S: ReconcileStore, P: LookUps, Q: Queue, K: Clock>(
    run: &Run<'_, S, P, Q, K>,
    until: Deadline,
    counts: &mut Pump,
) -> Result<(), Stopped> {
    let clock = &run.doors.clock;
    let (mut refused, mut failures) = (Vec::new(), 0);
    while until.allows(clock, TIME_PER_TURN) {
        let began = clock.monotonic();
        let spare = run.provider.spare_per_s(until).await.min(ROWS_PER_TURN);
        // Once it is known that rows wait, the store need not be asked while nothing may be published.
        if spare > 0 || counts.waiting == 0 {
            match turn(run, spare, until, (&mut refused, counts)).await {
                Ok(()) if counts.waiting == 0 => return Ok(()),
                Ok(()) => failures = 0,
                Err(stopped) if failures + 1 == FAILURES_MAX => return Err(stopped),
                Err(_) => failures += 1,
            }
        }
        let pause = if spare == 0 && failures == 0 { GLANCE } else { TURN };
        let took = clock.monotonic().saturating_sub(began);
        clock.sleep(pause.saturating_sub(took).min(until.remaining(clock))).await;
    }
    Ok(())
}

/// Takes and publishes at most `spare` rows, first those that the queue refused in the turn before.
async fn turn<S: ReconcileStore, P, Q: Queue, K: Clock>(
    run: &Run<'_, S, P, Q, K>,
    spare: u32,
    until: Deadline,
    (refused, counts): (&mut Vec<DuePayment>, &mut Pump),
) -> Result<(), Stopped> {
    let again = refused.len().min(usize::try_from(spare).unwrap_or(usize::MAX));
    let limit = spare.saturating_sub(u32::try_from(again).unwrap_or(u32::MAX));
    let due = run.doors.store.take_due(limit, until).await?;
    counts.turns += 1;
    counts.waiting = due.waiting;
    let requests: Vec<DuePayment> = refused.drain(..again).chain(due.requests).collect();
    let asked = requests.len();
    refused.extend(publish::requests(run, requests, until).await);
    counts.published += asked.saturating_sub(refused.len());
    if refused.is_empty() { Ok(()) } else { Err(Stopped::Queue { refused: refused.len() }) }
}
